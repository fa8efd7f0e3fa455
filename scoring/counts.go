package scoring

import (
	"crypto/sha256"
	"fmt"
	"math"
	"slices"

	"github.com/mudpulse/mudpulse/scoring/internal/portable"
)

// maxBins bounds the values that a histogram counts beside those of its table.
const maxBins = 1_000

// countTable is a CountTable or NormalizedCountTable of one field.
type countTable struct {
	bins       []value
	counts     []float64
	text       map[string]int
	total      float64
	normalized bool
	sample     float64
}

func (b *binder) countTable(base *element, sl slot, field string) *countTable {
	e := base.first("CountTable", "NormalizedCountTable")
	if e == nil {
		b.bad.add(base, field, "the Baseline has no CountTable", "want a CountTable or a NormalizedCountTable")
		return nil
	}
	t := &countTable{text: map[string]int{}, normalized: e.name == "NormalizedCountTable"}
	if t.normalized {
		if t.sample = b.numAttr(e, "sample", 0); !(t.sample > 0) {
			b.bad.add(e, field, "a NormalizedCountTable has no sample", "give the number of rows it was made of")
		}
	}
	if e.first("FieldValue") != nil {
		b.bad.add(e.first("FieldValue"), field, "the table is of several fields", "want FieldValueCounts of the test's field")
	}
	for _, k := range e.all("FieldValueCount") {
		if f := k.get("field"); f != field {
			b.bad.add(k, f, fmt.Sprintf("a count of field '%s' in a test of '%s'", clip(f), clip(field)), "want those of the test's field")
		}
		v, n := b.literal(k, sl, k.get("value")), b.numAttr(k, "count", -1)
		if !(n >= 0) || math.IsInf(n, 0) {
			b.bad.add(k, field, fmt.Sprintf("count=%q", clip(k.get("count"))), "want a number that is not negative")
		}
		if t.bin(v) >= 0 {
			b.bad.add(k, field, fmt.Sprintf("value %q is counted twice", clip(k.get("value"))), "remove one")
		}
		if v.k == text {
			t.text[v.s] = len(t.bins)
		}
		t.bins, t.counts = append(t.bins, v), append(t.counts, n)
		t.total += n
	}
	if len(t.bins) > 100*maxBins {
		b.bad.add(e, field, fmt.Sprintf("the table has %d values", len(t.bins)), "make it smaller")
		return nil
	}
	if !(t.total > 0) {
		b.bad.add(e, field, "the table is empty", "export the model again")
		return nil
	}
	return t
}

// bin is where a value is counted; -1 where the table does not have it.
func (t *countTable) bin(v value) int {
	if v.k == text {
		if i, ok := t.text[v.s]; ok {
			return i
		}
		return -1
	}
	return slices.IndexFunc(t.bins, v.equal)
}

// name tells tables apart.
func (t *countTable) name() string {
	h := sha256.New()
	for _, v := range t.bins {
		fmt.Fprintf(h, "%q ", v.lexical())
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

// A histogram's cell: v are values that the table does not have. Without a
// window f are counts, of the table's bins and then of v; with one, f is a ring
// of bins and weights, by turns.

// counted is the bin of the row, -1 if it is not in the table yet, and its
// weight; not ok where either is missing.
func (t *baseline) counted(r *row, c *cell) (bin int, weight float64, ok bool) {
	v := r.get(t.field)
	if v.k == missing || v.k == list {
		return 0, 0, false
	}
	weight = 1
	if t.weight >= 0 {
		w := r.get(t.weight)
		if w.k == missing || !(w.f >= 0) {
			return 0, 0, false
		}
		weight = w.f
	}
	if bin = t.table.bin(v); bin < 0 {
		if i := slices.IndexFunc(c.v, v.equal); i >= 0 {
			bin = len(t.table.bins) + i
		}
	}
	return bin, weight, true
}

// observed are the counts with the row's own, by bin of the table and then of
// further values; nil where there are too many of those.
func (t *baseline) observed(r *row, c *cell, to []float64) []float64 {
	n := len(t.table.bins)
	to = zeros(to, n+len(c.v)+1)
	bin, weight, ok := t.counted(r, c)
	if ok && bin < 0 {
		if bin = n + len(c.v); len(c.v) >= maxBins {
			r.fail(r.slots[t.field].name, KindModel, "more than %d values that the model's table does not have", maxBins)
			return nil
		}
	}
	if t.window == 0 {
		copy(to, c.f)
	} else {
		first := 0
		if ok && len(c.f) == 2*t.window {
			first = 2
		}
		for i := first; i < len(c.f); i += 2 {
			at := (c.at + i) % len(c.f)
			to[int(c.f[at])] += c.f[at+1]
		}
	}
	if ok {
		to[bin] += weight
	}
	return to
}

func (t *baseline) add(r *row) {
	c := r.cell(t.memory, nil)
	bin, weight, ok := t.counted(r, c)
	if !ok {
		return
	}
	n := len(t.table.bins)
	if bin < 0 {
		bin = n + len(c.v)
		c.v = append(c.v, r.get(t.field))
	}
	c.n++
	if t.window > 0 {
		c.push(float64(bin), 2*t.window)
		c.push(weight, 2*t.window)
		return
	}
	for len(c.f) <= max(bin, n-1) {
		c.f = append(c.f, 0)
	}
	c.f[bin] += weight
}

func (t *baseline) fitsCounts(c *cell) bool {
	bins := len(t.table.bins) + len(c.v)
	if len(c.v) > maxBins {
		return false
	}
	if t.window == 0 {
		return len(c.f) <= bins && c.at == 0
	}
	if !c.ring(2*t.window) || len(c.f)%2 != 0 || c.at%2 != 0 {
		return false
	}
	for i := 0; i < len(c.f); i += 2 {
		if f := c.f[i]; !(f >= 0 && f < float64(bins) && f == math.Trunc(f)) {
			return false
		}
	}
	return true
}

// histogram compares the counts with the table's.
func (t *baseline) histogram(r *row, out *result) {
	out.work = t.observed(r, r.cell(t.memory, nil), out.work)
	obs := out.work
	if obs == nil {
		return
	}
	expected := func(i int) float64 {
		if i < len(t.table.counts) {
			return t.table.counts[i]
		}
		return 0
	}
	if t.statistic == "scalarProduct" {
		var s, ee, oo float64
		for i, o := range obs {
			e := expected(i)
			s += float64(e * o)
			ee += float64(e * e)
			oo += float64(o * o)
		}
		switch {
		case t.scheme == "":
			out.v = num(s)
		case ee == 0 || oo == 0:
		case t.scheme == "Independent":
			out.v = num(s / float64(math.Sqrt(ee)*math.Sqrt(oo)))
		default:
			out.v = num(2 * s / (ee + oo))
		}
		return
	}
	total := sum(obs)
	if !(total > 0) {
		return
	}
	x, bins := 0.0, 0
	for i, o := range obs {
		e := expected(i)
		if e == 0 && o == 0 {
			continue
		}
		bins++
		share := e / t.table.total
		v := share / t.table.total
		if t.table.normalized {
			v = share / t.table.sample
		}
		d := share - o/total
		x += float64(d*d) / (v + o/float64(total*total))
	}
	if bins > 1 {
		p, _ := portable.ChiSquareCDF(x, bins-1)
		out.v = num(p)
	}
}

// independence is the chi-square test of a nested CountTable: of the document
// alone, whatever the row.
func (b *binder) independence(base *element) value {
	e := base.first("CountTable", "NormalizedCountTable")
	if e == nil {
		b.bad.add(base, "", "the Baseline has no CountTable", "want a CountTable of FieldValues within FieldValues; counts of rows are not supported")
		return none
	}
	levels := []map[string]int{} // by depth
	var fields []string
	type entry struct {
		at    []int
		count float64
	}
	var entries []entry
	var walk func(k *element, at []int)
	walk = func(k *element, at []int) {
		for _, c := range k.kids {
			if c.name != "FieldValue" && c.name != "FieldValueCount" {
				continue
			}
			d := len(at)
			if d > 16 {
				b.bad.add(c, "", "the table is of more than 16 fields", "make it smaller")
				return
			}
			if d == len(levels) {
				levels, fields = append(levels, map[string]int{}), append(fields, c.get("field"))
			}
			if fields[d] != c.get("field") {
				b.bad.add(c, c.get("field"), fmt.Sprintf("field '%s' where '%s' is counted", clip(c.get("field")), clip(fields[d])), "nest the fields in one order")
			}
			i, ok := levels[d][c.get("value")]
			if !ok {
				i = len(levels[d])
				levels[d][c.get("value")] = i
			}
			here := append(slices.Clone(at), i)
			if c.name == "FieldValue" {
				walk(c, here)
			} else {
				entries = append(entries, entry{here, b.numAttr(c, "count", 0)})
			}
		}
	}
	walk(e, nil)
	size, k := 1, len(levels)
	for _, l := range levels {
		if size *= len(l); size > maxGrid {
			b.bad.add(e, "", "the table's levels multiply to more than this engine takes", "make it smaller")
			return none
		}
	}
	if k < 2 {
		b.bad.add(e, "", "a test of independence needs counts of two fields or more", "nest FieldValueCounts in FieldValues")
		return none
	}
	obs := make([]float64, size)
	margins := make([][]float64, k)
	for d, l := range levels {
		margins[d] = make([]float64, len(l))
	}
	total := 0.0
	for _, x := range entries {
		if len(x.at) != k || !(x.count >= 0) {
			b.bad.add(e, "", "a count is of fewer fields than another, or negative", "nest all in one order")
			return none
		}
		i := 0
		for d, at := range x.at {
			i = i*len(levels[d]) + at
			margins[d][at] += x.count
		}
		obs[i] += x.count
		total += x.count
	}
	scale := 1.0
	if e.name == "NormalizedCountTable" {
		sample := b.numAttr(e, "sample", 0)
		if !(sample > 0) {
			b.bad.add(e, "", "a NormalizedCountTable has no sample", "give the number of rows it was made of")
		}
		scale = sample / total
	}
	if !(total > 0) {
		b.bad.add(e, "", "the table is empty", "export the model again")
		return none
	}
	x := 0.0
	for i, o := range obs {
		exp, rest := total, i
		for d := k - 1; d >= 0; d-- {
			exp = float64(exp * (margins[d][rest%len(levels[d])] / total))
			rest /= len(levels[d])
		}
		if exp > 0 {
			x += float64((exp-o)*(exp-o)) / exp
		}
	}
	df := 1
	for _, l := range levels {
		df *= len(l) - 1
	}
	if df < 1 {
		return none
	}
	p, _ := portable.ChiSquareCDF(float64(x*scale), df)
	return num(p)
}
