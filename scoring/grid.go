package scoring

import (
	"fmt"
)

// maxGrid bounds the entries of one matrix: they are stored in full.
const maxGrid = 1 << 22

// grid reads the Matrix child of e in full, of any shape. PMML 4.4.1, General
// Structure: kind any has its rows as Arrays, symmetric the lower triangle,
// diagonal one Array; or MatCells over diagDefault and offDiagDefault.
func (b *binder) grid(e *element) [][]float64 {
	m := e.first("Matrix")
	if m == nil {
		b.bad.add(e, "", e.name+" has no Matrix", "export the model again")
		return nil
	}
	whole := func(k *element, key string) int {
		f := b.numAttr(k, key, 0)
		if f != float64(int(f)) || f < 0 || f > maxGrid {
			b.bad.add(k, "", fmt.Sprintf("%s=%q is no size of a matrix", key, clip(k.get(key))), "mend it")
			return 0
		}
		return int(f)
	}
	kind := m.get("kind")
	rows, cols := whole(m, "nbRows"), whole(m, "nbCols")
	arrays, cells := m.all("Array"), m.all("MatCell")
	var given [][]float64
	for _, a := range arrays {
		given = append(given, b.reals(a))
	}
	switch {
	case kind != "" && kind != "any" && kind != "symmetric" && kind != "diagonal":
		b.bad.add(m, "", fmt.Sprintf("kind=%q is none", clip(kind)), "want diagonal, symmetric or any")
		return nil
	case kind == "diagonal" && len(given) > 0:
		rows, cols = fit(rows, len(given[0])), fit(cols, len(given[0]))
	case kind == "symmetric" && len(given) > 0:
		rows, cols = fit(rows, len(given)), fit(cols, len(given))
	case len(given) > 0:
		rows, cols = fit(rows, len(given)), fit(cols, len(given[0]))
	default:
		for _, c := range cells {
			rows, cols = max(rows, whole(c, "row")), max(cols, whole(c, "col"))
		}
		if kind == "symmetric" || kind == "diagonal" {
			rows = max(rows, cols)
			cols = rows
		}
	}
	if rows <= 0 || cols <= 0 {
		b.bad.add(m, "", "the Matrix's size and its entries do not agree, or it is empty", "mend nbRows and nbCols, or give the rows")
		return nil
	}
	if b.grown += rows * cols; rows > maxGrid/cols || b.grown > 4*maxGrid {
		b.bad.add(m, "", fmt.Sprintf("a matrix of %d × %d is larger than this engine takes", rows, cols), "make the model smaller")
		return nil
	}
	return b.fill(m, kind, rows, cols, given, cells)
}

// fit is a size that is given, or else counted; -1 where the two differ.
func fit(given, counted int) int {
	if given != 0 && given != counted {
		return -1
	}
	return counted
}

func (b *binder) fill(m *element, kind string, rows, cols int, given [][]float64, cells []*element) [][]float64 {
	diag, off := b.numAttr(m, "diagDefault", 0), b.numAttr(m, "offDiagDefault", 0)
	out := make([][]float64, rows)
	for i := range out {
		out[i] = make([]float64, cols)
		for j := range out[i] {
			if out[i][j] = off; i == j {
				out[i][j] = diag
			}
		}
	}
	wrong := func(k *element) {
		b.bad.add(k, "", fmt.Sprintf("an entry is outside the %d × %d matrix, or a row is too short", rows, cols), "rows and columns count from 1")
	}
	for i, g := range given {
		switch kind {
		case "diagonal":
			if i > 0 {
				wrong(m)
				return out
			}
			for j, f := range g {
				out[j][j] = f
			}
		case "symmetric":
			if len(g) <= i {
				wrong(m)
				return out
			}
			for j := range i + 1 {
				out[i][j], out[j][i] = g[j], g[j]
			}
		default:
			if len(g) != cols {
				wrong(m)
				return out
			}
			copy(out[i], g)
		}
	}
	if len(given) > 0 {
		return out
	}
	for _, c := range cells {
		i, j := int(b.numAttr(c, "row", 0))-1, int(b.numAttr(c, "col", 0))-1
		if i < 0 || j < 0 || i >= rows || j >= cols {
			wrong(c)
			return out
		}
		out[i][j] = b.number(c, "MatCell", c.text)
		if kind == "symmetric" {
			out[j][i] = out[i][j]
		}
	}
	return out
}

// reals reads a blank-separated Array of numbers.
func (b *binder) reals(a *element) []float64 {
	var out []float64
	for _, w := range splitArray(a.text) {
		f, ok := parseNumber(w)
		if !ok {
			b.bad.add(a, "", fmt.Sprintf("%q is no number", clip(w)), "mend it, or export the model again")
			return out
		}
		out = append(out, f)
	}
	if n, ok := a.lookup("n"); ok && n != fmt.Sprint(len(out)) {
		b.bad.add(a, "", fmt.Sprintf("the Array has %d entries and says n=%q", len(out), clip(n)), "mend one of them")
	}
	return out
}
