// Package snapshot writes and reads the state that a checkpoint holds: fields in
// a fixed order, integers as varints, floats bit by bit. A Reader never panics
// and never allocates more than its input could describe.
package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrCorrupt is wrapped by what Reader.Err returns.
var ErrCorrupt = errors.New("snapshot is damaged")

// A Writer appends fields to B.
type Writer struct{ B []byte }

// Uint appends a varint.
func (w *Writer) Uint(v uint64) { w.B = binary.AppendUvarint(w.B, v) }

// Int appends a zigzag varint.
func (w *Writer) Int(v int64) { w.B = binary.AppendVarint(w.B, v) }

// Bool appends one byte.
func (w *Writer) Bool(v bool) {
	if v {
		w.B = append(w.B, 1)
	} else {
		w.B = append(w.B, 0)
	}
}

// Float appends the eight bytes of v, little endian; every NaN is kept.
func (w *Writer) Float(v float64) { w.B = binary.LittleEndian.AppendUint64(w.B, math.Float64bits(v)) }

// Fixed appends eight bytes, little endian.
func (w *Writer) Fixed(v uint64) { w.B = binary.LittleEndian.AppendUint64(w.B, v) }

// String appends a length and s.
func (w *Writer) String(s string) {
	w.Uint(uint64(len(s)))
	w.B = append(w.B, s...)
}

// Bytes appends a length and p.
func (w *Writer) Bytes(p []byte) {
	w.Uint(uint64(len(p)))
	w.B = append(w.B, p...)
}

// A Reader takes fields off the front of what a Writer wrote. After the first
// damage it returns zeros; Err says what was wrong.
type Reader struct {
	b   []byte
	err error
}

// NewReader reads from b, which must not change meanwhile.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// Err returns the first damage met, or nil.
func (r *Reader) Err() error { return r.err }

// Rest returns how many bytes were not read.
func (r *Reader) Rest() int { return len(r.b) }

func (r *Reader) damage(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s with %d bytes left", ErrCorrupt, what, len(r.b))
	}
	r.b = nil
}

// Uint reads a varint.
func (r *Reader) Uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.damage("number")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Int reads a zigzag varint.
func (r *Reader) Int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.damage("number")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Bool reads one byte.
func (r *Reader) Bool() bool {
	if len(r.b) == 0 {
		r.damage("flag")
		return false
	}
	v := r.b[0] != 0
	r.b = r.b[1:]
	return v
}

// Fixed reads eight bytes.
func (r *Reader) Fixed() uint64 {
	if len(r.b) < 8 {
		r.damage("eight bytes")
		return 0
	}
	v := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

// Float reads a float64.
func (r *Reader) Float() float64 { return math.Float64frombits(r.Fixed()) }

// Bytes reads a length and that many bytes, which lie in the Reader's input.
func (r *Reader) Bytes() []byte {
	n := r.Uint()
	if n > uint64(len(r.b)) {
		r.damage("text")
		return nil
	}
	p := r.b[:n:n]
	r.b = r.b[n:]
	return p
}

// String reads a length and that many bytes.
func (r *Reader) String() string { return string(r.Bytes()) }

// Len reads the length of a list whose items take at least size bytes each.
func (r *Reader) Len(size int) int {
	n := r.Uint()
	if n > uint64(len(r.b)/max(size, 1)) {
		r.damage("list")
		return 0
	}
	return int(n)
}
