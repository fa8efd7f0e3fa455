package duckdb

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// The write side fills plain Go columns and copies them into DuckDB's vectors
// by blocks of 2048 rows: no boxing, no call per value.

type kind byte

const (
	kI64  kind = iota // BIGINT, UBIGINT, TIMESTAMP (µs)
	kI32              // INTEGER, UINTEGER
	kU8               // UTINYINT, BOOLEAN
	kF64              // DOUBLE; NaN is NULL
	kText             // VARCHAR, BLOB; "" is NULL
	kListF64
	kListI32
	kListI64
)

// null in an i64 column is NULL.
const null = math.MinInt64

// A column holds rows of one kind. Lists lie flat in f64, i32 or i64; ends[r] is where row r's list ends.
type column struct {
	name string
	sql  string
	kind kind

	i64  []int64
	i32  []int32
	u8   []byte
	f64  []float64
	text []string
	ends []uint64
	most int // rows or elements that a commit of late had; what is far beyond it is given back
}

func (c *column) reset() {
	rows := max(len(c.i64), len(c.i32), len(c.u8), len(c.f64), len(c.text), len(c.ends))
	c.most = max(rows, c.most-c.most/8)
	if room := max(cap(c.i64), cap(c.i32), cap(c.u8), cap(c.f64), cap(c.text), cap(c.ends)); room > spareRoom && room > 4*c.most {
		c.drop()
		return
	}
	clear(c.text)
	c.i64, c.i32, c.u8, c.f64, c.text, c.ends = c.i64[:0], c.i32[:0], c.u8[:0], c.f64[:0], c.text[:0], c.ends[:0]
}

// spareRoom is what a column may keep without need, in elements.
const spareRoom = 1024

// drop gives the column's room back.
func (c *column) drop() {
	c.i64, c.i32, c.u8, c.f64, c.text, c.ends = nil, nil, nil, nil, nil, nil
}

// A table is a physical table's layout and the rows waiting to be appended.
type table struct {
	name string // in schema store
	cols []*column
	n    int

	types []mapping.LogicalType
	chunk mapping.DataChunk
}

func newTable(name string, cols ...*column) *table { return &table{name: name, cols: cols} }

func i64(name string) *column     { return &column{name: name, sql: "BIGINT", kind: kI64} }
func u64(name string) *column     { return &column{name: name, sql: "UBIGINT", kind: kI64} }
func stamp(name string) *column   { return &column{name: name, sql: "TIMESTAMP", kind: kI64} }
func i32(name string) *column     { return &column{name: name, sql: "INTEGER", kind: kI32} }
func u32(name string) *column     { return &column{name: name, sql: "UINTEGER", kind: kI32} }
func u8(name string) *column      { return &column{name: name, sql: "UTINYINT", kind: kU8} }
func boolean(name string) *column { return &column{name: name, sql: "BOOLEAN", kind: kU8} }
func f64(name string) *column     { return &column{name: name, sql: "DOUBLE", kind: kF64} }
func text(name string) *column    { return &column{name: name, sql: "VARCHAR", kind: kText} }
func blob(name string) *column    { return &column{name: name, sql: "BLOB", kind: kText} }
func listF64(name string) *column { return &column{name: name, sql: "DOUBLE[]", kind: kListF64} }
func listI32(name string) *column { return &column{name: name, sql: "INTEGER[]", kind: kListI32} }
func listU64(name string) *column { return &column{name: name, sql: "UBIGINT[]", kind: kListI64} }

func (t *table) reset() {
	for _, c := range t.cols {
		c.reset()
	}
	t.n = 0
}

// add appends one row of a small table: values in column order, of the column's Go type.
func (t *table) add(values ...any) {
	if len(values) != len(t.cols) {
		panic(fmt.Sprintf("BUG: %s has %d columns, not %d", t.name, len(t.cols), len(values)))
	}
	for i, v := range values {
		c := t.cols[i]
		switch v := v.(type) {
		case int64:
			c.i64 = append(c.i64, v)
		case uint64:
			c.i64 = append(c.i64, int64(v))
		case int32:
			c.i32 = append(c.i32, v)
		case int:
			c.i32 = append(c.i32, int32(v))
		case uint32:
			c.i32 = append(c.i32, int32(v))
		case byte:
			c.u8 = append(c.u8, v)
		case bool:
			b := byte(0)
			if v {
				b = 1
			}
			c.u8 = append(c.u8, b)
		case float64:
			c.f64 = append(c.f64, v)
		case string:
			c.text = append(c.text, v)
		case []float64:
			c.f64 = append(c.f64, v...)
			c.ends = append(c.ends, uint64(len(c.f64)))
		case []byte:
			c.text = append(c.text, string(v))
		default:
			panic(fmt.Sprintf("BUG: %s.%s: %T", t.name, c.name, v))
		}
	}
	t.n++
}

// open learns the column types of the table in the database.
func (t *table) open(conn mapping.Connection) error {
	var a mapping.Appender
	if mapping.AppenderCreateExt(conn, "", "store", t.name, &a) == mapping.StateError {
		err := fmt.Errorf("open table %s: %s", t.name, mapping.AppenderError(a))
		mapping.AppenderDestroy(&a)
		return err
	}
	defer mapping.AppenderDestroy(&a)
	if n := int(mapping.AppenderColumnCount(a)); n != len(t.cols) {
		return fmt.Errorf("open table %s: it has %d columns and this version writes %d: the store was made by another version", t.name, n, len(t.cols))
	}
	for i := range t.cols {
		t.types = append(t.types, mapping.AppenderColumnType(a, mapping.IdxT(i)))
	}
	t.chunk = mapping.CreateDataChunk(t.types)
	return nil
}

func (t *table) close() {
	if t.types == nil {
		return
	}
	mapping.DestroyDataChunk(&t.chunk)
	for i := range t.types {
		mapping.DestroyLogicalType(&t.types[i])
	}
	t.types = nil
}

const vectorSize = 2048

// flush appends the waiting rows within the connection's transaction.
func (t *table) flush(conn mapping.Connection) error {
	if t.n == 0 {
		return nil
	}
	for _, c := range t.cols {
		if n := c.len(); n != t.n {
			panic(fmt.Sprintf("BUG: %s.%s has %d rows of %d", t.name, c.name, n, t.n))
		}
	}
	var a mapping.Appender
	if mapping.AppenderCreateExt(conn, "", "store", t.name, &a) == mapping.StateError {
		err := fmt.Errorf("append to %s: %s", t.name, mapping.AppenderError(a))
		mapping.AppenderDestroy(&a)
		return err
	}
	fail := func() error {
		err := fmt.Errorf("append to %s: %s", t.name, mapping.AppenderError(a))
		mapping.AppenderClear(a)
		mapping.AppenderDestroy(&a)
		return err
	}
	for from := 0; from < t.n; from += vectorSize {
		to := min(from+vectorSize, t.n)
		mapping.DataChunkReset(t.chunk)
		for i, c := range t.cols {
			c.fill(mapping.DataChunkGetVector(t.chunk, mapping.IdxT(i)), from, to)
		}
		mapping.DataChunkSetSize(t.chunk, mapping.IdxT(to-from))
		if mapping.AppendDataChunk(a, t.chunk) == mapping.StateError {
			return fail()
		}
	}
	if mapping.AppenderFlush(a) == mapping.StateError {
		return fail()
	}
	if mapping.AppenderDestroy(&a) == mapping.StateError {
		return fmt.Errorf("append to %s: close", t.name)
	}
	return nil
}

func (c *column) len() int {
	switch c.kind {
	case kI64:
		return len(c.i64)
	case kI32:
		return len(c.i32)
	case kU8:
		return len(c.u8)
	case kF64:
		return len(c.f64)
	case kText:
		return len(c.text)
	}
	return len(c.ends)
}

// fill copies rows [from, to) into a vector of at least that capacity.
func (c *column) fill(vec mapping.Vector, from, to int) {
	n := to - from
	data := mapping.VectorGetData(vec)
	switch c.kind {
	case kI64:
		src := c.i64[from:to]
		copy(unsafe.Slice((*int64)(data), n), src)
		var mask []uint64
		for i, v := range src {
			if v == null {
				mask = setNull(vec, mask, n, i)
			}
		}
	case kI32:
		copy(unsafe.Slice((*int32)(data), n), c.i32[from:to])
	case kU8:
		copy(unsafe.Slice((*byte)(data), n), c.u8[from:to])
	case kF64:
		src := c.f64[from:to]
		copy(unsafe.Slice((*float64)(data), n), src)
		var mask []uint64
		for i, v := range src {
			if v != v {
				mask = setNull(vec, mask, n, i)
			}
		}
	case kText:
		out := unsafe.Slice((*duckString)(data), n)
		var mask []uint64
		for i, s := range c.text[from:to] {
			switch {
			case s == "":
				mask = setNull(vec, mask, n, i)
			case len(s) <= inlined:
				out[i] = duckString{n: uint32(len(s))}
				copy(out[i].b[:], s)
			default:
				mapping.VectorAssignStringElement(vec, mapping.IdxT(i), s)
			}
		}
	default:
		c.fillList(vec, data, from, to)
	}
}

func (c *column) fillList(vec mapping.Vector, data unsafe.Pointer, from, to int) {
	start := uint64(0)
	if from > 0 {
		start = c.ends[from-1]
	}
	total := c.ends[to-1] - start
	mapping.ListVectorReserve(vec, mapping.IdxT(total))
	mapping.ListVectorSetSize(vec, mapping.IdxT(total))
	entries := unsafe.Slice((*listEntry)(data), to-from)
	at := start
	for i, end := range c.ends[from:to] {
		entries[i] = listEntry{at - start, end - at}
		at = end
	}
	if total == 0 {
		return
	}
	child := mapping.ListVectorGetChild(vec)
	p := mapping.VectorGetData(child)
	switch c.kind {
	case kListF64:
		src := c.f64[start : start+total]
		copy(unsafe.Slice((*float64)(p), total), src)
		var mask []uint64
		for i, v := range src {
			if v != v {
				mask = setNull(child, mask, int(total), i)
			}
		}
	case kListI32:
		copy(unsafe.Slice((*int32)(p), total), c.i32[start:start+total])
	case kListI64:
		copy(unsafe.Slice((*int64)(p), total), c.i64[start:start+total])
	}
}

// setNull clears row i's bit in the validity mask, making the mask first if there is none yet.
func setNull(vec mapping.Vector, mask []uint64, n, i int) []uint64 {
	if mask == nil {
		mapping.VectorEnsureValidityWritable(vec)
		mask = unsafe.Slice((*uint64)(mapping.VectorGetValidity(vec)), (n+63)/64)
	}
	mask[i/64] &^= 1 << (i % 64)
	return mask
}

// inlined is how long a string may be to lie in its duckdb_string_t itself:
//
//	| length u32 | up to 12 bytes                        |
//	| length u32 | first 4 bytes | pointer to all (8 B)  |
const inlined = 12

type duckString struct {
	n uint32
	b [inlined]byte
}

type listEntry struct{ offset, length uint64 }
