package scoring

import (
	"fmt"
	"strconv"
	"strings"
)

// cells books n numbers of 8 bytes that the document makes us keep; false where
// that is more than a quarter of its memory limit: a few attributes can ask for billions.
func (b *binder) cells(e *element, n int) bool {
	if n < 0 || int64(n) > b.lim.Memory/32-b.kept {
		b.bad.add(e, "", fmt.Sprintf("the model needs more than %d MB for its numbers", b.lim.Memory>>22), "make the model smaller, or raise the limit")
		return false
	}
	b.kept += int64(n)
	return true
}

// numbers reads a blank-separated list of numbers.
func (b *binder) numbers(e *element) []float64 {
	words := strings.Fields(e.text)
	out := make([]float64, len(words))
	for i, w := range words {
		f, ok := parseNumber(w)
		if !ok {
			b.bad.add(e, "", fmt.Sprintf("%q is no number", clip(w)), "mend it, or export the model again")
			return out
		}
		out[i] = f
	}
	return out
}

// vector reads the Array or REAL-SparseArray child of e, which must have n entries.
func (b *binder) vector(e *element, n int) []float64 {
	a := e.first("Array", "REAL-SparseArray", "INT-SparseArray")
	if a == nil {
		b.bad.add(e, "", e.name+" has no Array", "export the model again")
		return nil
	}
	var out []float64
	if a.name == "Array" {
		if !b.cells(a, n) {
			return nil
		}
		out = b.numbers(a)
	} else {
		out = b.sparse(a, n)
	}
	if len(out) != n {
		b.bad.add(a, "", fmt.Sprintf("the array has %d entries", len(out)), fmt.Sprintf("want %d", n))
		return nil
	}
	if txt := a.get("n"); txt != "" && txt != strconv.Itoa(n) {
		b.bad.add(a, "", fmt.Sprintf("the array has %d entries and says n=%q", n, clip(txt)), "mend one of them")
	}
	return out
}

// sparse reads a sparse array of n entries. Indices count from 1; an index that
// is not listed has the default value. PMML 4.4.1, General Structure.
func (b *binder) sparse(e *element, n int) []float64 {
	if !b.cells(e, n) {
		return nil
	}
	out := make([]float64, n)
	if d := b.numAttr(e, "defaultValue", 0); d != 0 {
		for i := range out {
			out[i] = d
		}
	}
	at, entries := e.first("Indices"), e.first("REAL-Entries", "INT-Entries")
	if at == nil && entries == nil {
		return out
	}
	if at == nil || entries == nil {
		b.bad.add(e, "", "a sparse array has Indices without entries, or entries without Indices", "give both, or neither")
		return out
	}
	where, what := b.numbers(at), b.numbers(entries)
	if len(where) != len(what) {
		b.bad.add(e, "", fmt.Sprintf("a sparse array has %d Indices and %d entries", len(where), len(what)), "give one entry for each index")
		return out
	}
	for i, f := range where {
		if f < 1 || f > float64(n) || f != float64(int(f)) {
			b.bad.add(at, "", fmt.Sprintf("index %v is outside 1…%d", f, n), "indices count from 1")
			return out
		}
		out[int(f)-1] = what[i]
	}
	return out
}

// matrix reads the Matrix child of e as n rows of n. PMML 4.4.1, General
// Structure: kind any has full rows, symmetric the lower triangle, diagonal one
// Array; or single MatCells over diagDefault and offDiagDefault.
func (b *binder) matrix(e *element, n int) [][]float64 {
	m := e.first("Matrix")
	if m == nil {
		b.bad.add(e, "", e.name+" has no Matrix", "export the model again")
		return nil
	}
	for _, key := range []string{"nbRows", "nbCols"} {
		if txt, ok := m.lookup(key); ok && txt != strconv.Itoa(n) {
			b.bad.add(m, "", fmt.Sprintf("%s=%q", key, clip(txt)), fmt.Sprintf("want %d", n))
			return nil
		}
	}
	if !b.cells(m, n*n) {
		return nil
	}
	diag, off := b.numAttr(m, "diagDefault", 0), b.numAttr(m, "offDiagDefault", 0)
	out := make([][]float64, n)
	for i := range out {
		out[i] = make([]float64, n)
		for j := range out[i] {
			if out[i][j] = off; i == j {
				out[i][j] = diag
			}
		}
	}
	kind := m.get("kind")
	switch kind {
	case "", "any", "symmetric", "diagonal":
	default:
		b.bad.add(m, "", fmt.Sprintf("kind=%q is none", clip(kind)), "want diagonal, symmetric or any")
		return out
	}
	rows := m.all("Array")
	switch {
	case len(rows) == 0:
		for _, c := range m.all("MatCell") {
			i, j := int(b.numAttr(c, "row", 0)), int(b.numAttr(c, "col", 0))
			if i < 1 || i > n || j < 1 || j > n {
				b.bad.add(c, "", fmt.Sprintf("cell %d,%d is outside the matrix of %d", i, j, n), "rows and columns count from 1")
				return out
			}
			out[i-1][j-1] = b.number(c, "MatCell", c.text)
			if kind == "symmetric" {
				out[j-1][i-1] = out[i-1][j-1]
			}
		}
	case kind == "diagonal":
		d := b.numbers(rows[0])
		if len(rows) != 1 || len(d) != n {
			b.bad.add(m, "", fmt.Sprintf("a diagonal matrix of %d has %d Arrays, the first of %d", n, len(rows), len(d)), "give one Array with the diagonal")
			return out
		}
		for i := range d {
			out[i][i] = d[i]
		}
	default:
		if len(rows) != n {
			b.bad.add(m, "", fmt.Sprintf("the matrix has %d rows", len(rows)), fmt.Sprintf("want %d", n))
			return out
		}
		for i, k := range rows {
			r := b.numbers(k)
			want := n
			if kind == "symmetric" {
				want = i + 1
			}
			if len(r) != want {
				b.bad.add(k, "", fmt.Sprintf("row %d of the matrix has %d entries", i+1, len(r)), fmt.Sprintf("want %d", want))
				return out
			}
			for j, f := range r {
				out[i][j] = f
				if kind == "symmetric" {
					out[j][i] = f
				}
			}
		}
	}
	return out
}

// room returns s with n entries of whatever value.
func room[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
