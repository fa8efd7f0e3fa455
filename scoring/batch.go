package scoring

import "math"

// A Batch holds the inputs and results of some rows, column by column; it is
// filled, run, read, and filled again.
type Batch struct {
	m    *Model
	rows int
	in   []inputColumn  // as Model.Inputs counts
	out  []outputColumn // targets, then outputs
	errs []*RowError
	keys []string // by row; empty: all are of the empty key
}

// inputColumn is one input. A cell is a number, or a text, or missing.
type inputColumn struct {
	f     []float64 // NaN: missing, or a text
	s     []string  // where text says so
	text  []bool
	texts bool // a cell is a text, or a collection: s, text and lists count
	lists map[int]value
}

func (c *inputColumn) reset(rows int) {
	c.f = sized(c.f, rows)
	for i := range c.f {
		c.f[i] = nan
	}
	if c.texts {
		clear(c.text)
		clear(c.lists)
		c.texts = false
	}
}

func (c *inputColumn) value(i int) value {
	if c.texts {
		if c.text[i] {
			return str(c.s[i])
		}
		if v, ok := c.lists[i]; ok {
			return v
		}
	}
	if f := c.f[i]; f == f {
		return num(f)
	}
	return none
}

// outputColumn is one result.
type outputColumn struct {
	f []float64 // NaN: missing, or a text
	k []kind
	s []string // of texts; nil until there is one
	// single tells the floats, which print otherwise than doubles.
	single []bool
	lists  map[int]value
}

func (c *outputColumn) reset(rows int) {
	c.f, c.k, c.single = sized(c.f, rows), sized(c.k, rows), sized(c.single, rows)
	clear(c.k)
	for i := range c.f {
		c.f[i] = nan
	}
	if c.s != nil {
		c.s = sized(c.s, rows)
	}
}

func (c *outputColumn) set(i int, v value) {
	c.f[i], c.k[i], c.single[i] = nan, v.k, v.f32
	switch v.k {
	case number, integer, boolean:
		c.f[i] = v.f
	case text:
		c.setText(i, v.s)
	case list:
		if c.lists == nil {
			c.lists = map[int]value{}
		}
		c.lists[i] = v
	}
}

func (c *outputColumn) setText(i int, s string) {
	if c.s == nil {
		c.s = make([]string, len(c.f), cap(c.f))
	}
	c.f[i], c.k[i], c.s[i] = nan, text, s
}

func (c *outputColumn) value(i int) value {
	switch c.k[i] {
	case text:
		return str(c.s[i])
	case list:
		return c.lists[i]
	}
	return value{k: c.k[i], f32: c.single[i], f: c.f[i]}
}

// sized returns a slice of n elements, x's memory if it is enough.
func sized[T any](x []T, n int) []T {
	if cap(x) < n {
		return make([]T, n)
	}
	return x[:n]
}

var nan = math.NaN()

// Batch returns an empty batch for the scorer's model; all inputs are missing.
func (s *Scorer) Batch(rows int) *Batch {
	b := &Batch{m: s.m, in: make([]inputColumn, len(s.m.inputs)), out: make([]outputColumn, len(s.m.targets)+len(s.m.outs))}
	b.Reset(rows)
	return b
}

// Reset makes room for so many rows, all inputs missing, keeping memory.
func (b *Batch) Reset(rows int) {
	b.rows = rows
	for i := range b.in {
		b.in[i].reset(rows)
	}
	for i := range b.out {
		b.out[i].reset(rows)
	}
	b.errs = sized(b.errs, rows)
	clear(b.errs)
	b.keys = b.keys[:0]
}

// Rows is how many rows the batch has.
func (b *Batch) Rows() int { return b.rows }

// Float64 is the column of input i, counted as Model.Inputs does, to be filled
// with numbers; NaN is missing. It is valid until the next Reset.
func (b *Batch) Float64(i int) []float64 { return b.in[i].f }

// SetNumber sets input i, counted as Model.Inputs does, of a row; NaN is missing.
func (b *Batch) SetNumber(i, row int, v float64) {
	c := &b.in[i]
	c.f[row] = v + 0 // there is one zero
	if c.texts {
		c.text[row] = false
		delete(c.lists, row)
	}
}

// SetText sets input i of a row to a text, converted as PMML converts it.
func (b *Batch) SetText(i, row int, s string) {
	c := &b.in[i]
	c.notNumbers()
	c.f[row], c.s[row], c.text[row] = nan, s, true
	delete(c.lists, row)
}

func (c *inputColumn) notNumbers() {
	if !c.texts {
		if len(c.text) < len(c.f) {
			c.s, c.text = make([]string, len(c.f), cap(c.f)), make([]bool, len(c.f), cap(c.f))
		}
		c.texts = true
	}
}

// SetValue sets input i of a row to what a Row may hold, a collection too;
// false, and missing, where it may not hold that.
func (b *Batch) SetValue(i, row int, x any) bool {
	v, ok := fromGo(x)
	switch v.k {
	case text:
		b.SetText(i, row, v.s)
	case list, boolean:
		c := &b.in[i]
		c.notNumbers()
		if c.lists == nil {
			c.lists = map[int]value{}
		}
		c.f[row], c.text[row], c.lists[row] = nan, false, v
	case missing:
		b.SetMissing(i, row)
	default:
		b.SetNumber(i, row, v.f)
	}
	return ok
}

// SetMissing takes input i of a row away.
func (b *Batch) SetMissing(i, row int) { b.SetNumber(i, row, nan) }

// Err says why a row failed; nil if it did not.
func (b *Batch) Err(row int) *RowError { return b.errs[row] }

// Number returns result i of a row: the targets come first, then the outputs,
// as Model.Targets and Model.Outputs count them. NaN is missing, or text.
func (b *Batch) Number(i, row int) float64 { return b.out[i].f[row] }

// Text returns result i of a row as text; "" where it is missing. A number is
// written as PMML writes it.
func (b *Batch) Text(i, row int) string { return b.out[i].value(row).lexical() }

// Value returns result i of a row as Result.Value does: a collection as []any.
func (b *Batch) Value(i, row int) any { return b.out[i].value(row).goValue() }

// IsText reports whether result i of a row is a text.
func (b *Batch) IsText(i, row int) bool { return b.out[i].k[row] == text }

// give hands a row's inputs to the interpreter.
func (b *Batch) give(i int, to *row) {
	clear(to.in) // also those that a batch does not hold
	for j, at := range b.m.raw {
		if at >= 0 {
			to.in[at] = b.in[j].value(i)
		}
	}
}
