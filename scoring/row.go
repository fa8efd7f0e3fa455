package scoring

import "fmt"

// slot is a place of a row: an input, a treated field, a derived field, an
// output. Its value is computed when somebody reads it, once a row.
type slot struct {
	name   string
	typ    dataType
	year   int // of typ, where it counts from one
	op     opType
	order  []value // declared valid values, in order; nil open
	source source
}

// source computes a slot's value.
type source interface{ eval(r *row) value }

type opType byte

const (
	opNone opType = iota
	categorical
	ordinal
	continuous
)

var opNames = map[string]opType{"categorical": categorical, "ordinal": ordinal, "continuous": continuous}

// row is the memory of one row's evaluation; reused for the next.
type row struct {
	slots    []slot
	in       []value // raw inputs
	vals     []value
	done     []uint32
	now      uint32
	stack    []value // arguments of functions
	base     int     // of the running function's parameters
	err      *RowError
	key      []byte              // of tables that are being looked up
	x        []float64           // inputs of packed kernels
	patterns map[string]*pattern // regular expressions that are not constants
	mem      []result            // of models, by number
	memAt    []uint32

	state  *state  // what is remembered of the rows before
	entity *entity // of this row's key; nil where the model remembers nothing
}

func newRow(p *program) *row {
	return &row{
		slots: p.slots, in: make([]value, len(p.inputs)), vals: make([]value, len(p.slots)), done: make([]uint32, len(p.slots)),
		stack: make([]value, 0, 64), mem: make([]result, p.models), memAt: make([]uint32, p.models), state: newState(p),
	}
}

// begin forgets the row before.
func (r *row) begin() {
	r.forget()
	r.err = nil
	r.stack = r.stack[:0]
	r.base = 0
}

// forget makes every slot be computed again.
func (r *row) forget() {
	r.now++
	if r.now == 0 { // wrapped round: every mark is void
		clear(r.done)
		clear(r.memAt)
		r.now = 1
	}
}

func (r *row) get(i int) value {
	if r.done[i] == r.now {
		return r.vals[i]
	}
	v := r.slots[i].source.eval(r)
	r.vals[i], r.done[i] = v, r.now
	return v
}

func (r *row) set(i int, v value) { r.vals[i], r.done[i] = v, r.now }

// fail says why the row has no result; the first reason counts.
func (r *row) fail(field, kind, format string, args ...any) value {
	if r.err == nil {
		r.err = &RowError{Field: field, Kind: kind, Message: fmt.Sprintf(format, args...)}
	}
	return none
}

// program is a document, bound: immutable and shared by all rows.
type program struct {
	slots  []slot
	inputs []*dataField
	models int

	memories   []memory // what is kept from row to row; see state.go
	remembered []string // their names
	settling   []int    // slots that are read when a row is added to them
}

func (p *program) add(s slot) int {
	p.slots = append(p.slots, s)
	return len(p.slots) - 1
}
