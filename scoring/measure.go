package scoring

import (
	"fmt"
	"math"
	"slices"

	"github.com/mudpulse/mudpulse/scoring/internal/portable"
)

// measure says how far two records are apart, or how alike they are. PMML
// 4.4.1, ComparisonMeasure of ClusteringModel and NearestNeighborModel.
type measure struct {
	name   string // euclidean, …
	binary bool   // counts ones and zeros
	larger bool   // the greater, the better the match
	plain  bool   // all fields absDiff of weight 1
	float  bool   // x-mathContext=float
	p      float64
	c, d   [4]float64 // of binarySimilarity, by 2·x+y
	fields []comparand
}

type compareFunction byte

const (
	absDiff compareFunction = iota
	gaussSim
	delta
	equalValues
	tableOf
)

var compareFunctions = map[string]compareFunction{"absDiff": absDiff, "gaussSim": gaussSim, "delta": delta, "equal": equalValues, "table": tableOf}

// comparand is one field that is compared. Its values are numbers: texts are
// counted as they come, those of a table stand for rows of the table.
type comparand struct {
	name   string
	slot   int
	typ    dataType
	year   int
	fn     compareFunction
	weight float64
	scale  float64
	codes  map[string]float64
	spans  []interval
	table  [][]float64
}

func (b *binder) measure(e *element, m *model) *measure {
	k := e.first("ComparisonMeasure")
	if k == nil {
		b.bad.add(e, "", "the model has no ComparisonMeasure", "export it again")
		return nil
	}
	x := k.first("euclidean", "squaredEuclidean", "chebychev", "cityBlock", "minkowski", "simpleMatching", "jaccard", "tanimoto", "binarySimilarity")
	if x == nil {
		b.bad.add(k, "", "the ComparisonMeasure names no measure", "want euclidean, squaredEuclidean, chebychev, cityBlock, minkowski, simpleMatching, jaccard, tanimoto or binarySimilarity")
		return nil
	}
	out := &measure{name: x.name, float: m.float}
	switch kind := k.get("kind"); kind {
	case "distance":
	case "similarity":
		out.larger = true
	default:
		b.bad.add(k, "", fmt.Sprintf("kind=%q is none", clip(kind)), "want distance or similarity")
	}
	switch x.name {
	case "minkowski":
		p, ok := x.lookup("p-parameter")
		if out.p = b.number(x, "p-parameter", p); ok && !(out.p > 0) {
			b.bad.add(x, "", fmt.Sprintf("p-parameter=%q", clip(p)), "want a number greater than 0")
		}
	case "binarySimilarity":
		for i, at := range []string{"00", "01", "10", "11"} {
			out.c[i] = b.number(x, "c"+at+"-parameter", x.get("c"+at+"-parameter"))
			out.d[i] = b.number(x, "d"+at+"-parameter", x.get("d"+at+"-parameter"))
		}
		out.binary = true
	case "simpleMatching":
		out.binary, out.c, out.d = true, [4]float64{1, 0, 0, 1}, [4]float64{1, 1, 1, 1}
	case "jaccard":
		out.binary, out.c, out.d = true, [4]float64{0, 0, 0, 1}, [4]float64{0, 1, 1, 1}
	case "tanimoto":
		out.binary, out.c, out.d = true, [4]float64{1, 0, 0, 1}, [4]float64{1, 2, 2, 1}
	}
	if out.binary { // the share of what two records have in common, whatever kind says
		out.larger = true
	}
	return out
}

// comparand adds a ClusteringField or KNNInput.
func (b *binder) comparand(s *scope, e, parent *element, out *measure) {
	c := comparand{name: e.get("field"), weight: b.numAttr(e, "fieldWeight", 1), scale: b.numAttr(e, "similarityScale", 1)}
	c.slot = s.field(e, c.name)
	sl := b.prog.slots[c.slot]
	c.typ, c.year = sl.typ, sl.year
	if !(c.weight >= 0) {
		b.bad.add(e, c.name, fmt.Sprintf("fieldWeight=%q", clip(e.get("fieldWeight"))), "want 0 or more")
	}
	fn := e.get("compareFunction")
	if fn == "" {
		fn = parent.first("ComparisonMeasure").get("compareFunction")
	}
	if fn == "" {
		fn = "absDiff"
	}
	known := false
	if c.fn, known = compareFunctions[fn]; !known {
		b.bad.add(e, c.name, fmt.Sprintf("compareFunction=%q is none", clip(fn)), "want absDiff, gaussSim, delta, equal or table")
	}
	switch {
	case out.binary:
	case c.fn == tableOf:
		b.comparisons(e, sl, &c)
	case c.fn == gaussSim:
		if _, ok := e.lookup("similarityScale"); !ok {
			b.bad.add(e, c.name, fmt.Sprintf("field '%s' is compared by gaussSim without a similarityScale", clip(c.name)), "give the distance at which similarity is 0.5")
		} else if !(c.scale > 0) {
			b.bad.add(e, c.name, fmt.Sprintf("similarityScale=%q", clip(e.get("similarityScale"))), "want a number greater than 0")
		}
	}
	if !out.binary && sl.typ == typeString && (c.fn == absDiff || c.fn == gaussSim) {
		b.bad.add(e, c.name, fmt.Sprintf("field '%s' is a string and compared by %s", clip(c.name), fn), "use compareFunction delta, equal or table")
	}
	if sl.typ == typeString && c.codes == nil {
		c.codes = map[string]float64{}
	}
	out.fields = append(out.fields, c)
	out.plain = !out.float && !slices.ContainsFunc(out.fields, func(c comparand) bool { return c.fn != absDiff || c.weight != 1 })
}

// comparisons reads the table of a field: rows and columns in the order of the
// field's values or intervals.
func (b *binder) comparisons(e *element, sl slot, c *comparand) {
	n := len(sl.order)
	if f, ok := b.data[c.name]; ok && n == 0 {
		c.spans, n = f.spans, len(f.spans)
	}
	x := e.first("Comparisons")
	switch {
	case n == 0:
		b.bad.add(e, c.name, fmt.Sprintf("field '%s' is compared by a table and declares neither values nor intervals", clip(c.name)), "declare them, in the order of the table")
	case x == nil:
		b.bad.add(e, c.name, fmt.Sprintf("field '%s' is compared by a table and has no Comparisons", clip(c.name)), "give them")
	default:
		c.table = b.matrix(x, n)
	}
	c.codes = map[string]float64{}
	for i, v := range sl.order {
		c.codes[v.lexical()] = float64(i)
	}
}

// nowhere is the code of a text that no known record has: unlike all.
const nowhere = -1

// code is a value as a number; ok is false where it cannot be compared.
func (c *comparand) code(v value, binary bool) (float64, bool) {
	switch {
	case v.k == missing:
		return math.NaN(), true
	case v.k == list || v.k == invalid:
		return 0, false
	case binary:
		return v.f, v.k != text && (v.f == 0 || v.f == 1)
	case c.fn == tableOf && c.spans != nil:
		for i, iv := range c.spans {
			if iv.has(v.f) {
				return float64(i), true
			}
		}
		return 0, false
	case c.fn == tableOf:
		f, ok := c.codes[v.lexical()]
		return f, ok
	case v.k == text:
		if f, ok := c.codes[v.s]; ok {
			return f, true
		}
		return nowhere, true
	}
	return v.f, true
}

// known is the code of a value that belongs to the model.
func (c *comparand) known(v value, binary bool) (float64, bool) {
	if v.k == text && !binary && c.fn != tableOf {
		if _, ok := c.codes[v.s]; !ok {
			c.codes[v.s] = float64(len(c.codes))
		}
	}
	return c.code(v, binary)
}

// read puts the row's values into x, NaN for missing; false where one cannot be
// compared, or all are missing.
func (m *measure) read(r *row, x []float64) bool {
	some := false
	for i := range m.fields {
		c := &m.fields[i]
		v := r.get(c.slot)
		f, ok := c.code(v, m.binary)
		if !ok {
			want := "a value of the table"
			if m.binary {
				want = "0 or 1"
			}
			r.fail(c.name, KindInvalid, "value %s cannot be compared: want %s", quote(v), want)
			return false
		}
		x[i] = f
		some = some || f == f
	}
	if !some {
		r.fail("", KindModel, "all inputs are missing: there is nothing to compare")
	}
	return some
}

// missing reports whether some input is.
func anyMissing(x []float64) bool {
	for _, f := range x {
		if f != f {
			return true
		}
	}
	return false
}

// adjustment is what a distance over the inputs that are there is multiplied
// with: the sum of all weights over that of the others'. PMML 4.4.1,
// MissingValueWeights; weights nil: all 1.
func adjustment(x, weights []float64) float64 {
	all, there := 0.0, 0.0
	for i, f := range x {
		w := 1.0
		if weights != nil {
			w = weights[i]
		}
		all += w
		if f == f {
			there += w
		}
	}
	return all / there
}

// between compares two records; missing values of x or y are left out.
func (m *measure) between(x, y []float64, adjust float64) float64 {
	if m.binary {
		return m.alike(x, y)
	}
	if m.float {
		return m.between32(x, y, float32(adjust))
	}
	if m.plain && m.name == "euclidean" {
		return math.Sqrt(float64(squares(x, y) * adjust))
	}
	s := 0.0
	for i := range m.fields {
		c := &m.fields[i]
		d := c.compare(x[i], y[i])
		if d != d {
			continue
		}
		switch m.name {
		case "euclidean", "squaredEuclidean":
			s += float64(c.weight * float64(d*d))
		case "cityBlock":
			s += float64(c.weight * d)
		case "chebychev":
			s = max(s, float64(c.weight*d))
		case "minkowski":
			s += float64(c.weight * portable.Pow(d, m.p))
		}
	}
	s = float64(s * adjust)
	switch m.name {
	case "euclidean":
		s = math.Sqrt(s)
	case "minkowski":
		s = portable.Pow(s, 1/m.p)
	}
	return s
}

func squares(x, y []float64) float64 {
	s := 0.0
	y = y[:len(x)]
	for i, f := range x {
		if d := f - y[i]; d == d {
			s += float64(d * d)
		}
	}
	return s
}

// between32 is between in 32 bits throughout.
func (m *measure) between32(x, y []float64, adjust float32) float64 {
	var s float32
	for i := range m.fields {
		c := &m.fields[i]
		d := float32(c.compare(float64(float32(x[i])), float64(float32(y[i]))))
		if d != d {
			continue
		}
		w := float32(c.weight)
		switch m.name {
		case "euclidean", "squaredEuclidean":
			s += float32(w * float32(d*d))
		case "cityBlock":
			s += float32(w * d)
		case "chebychev":
			s = max(s, float32(w*d))
		case "minkowski":
			s += float32(w * float32(portable.Pow(float64(d), m.p)))
		}
	}
	s = float32(s * adjust)
	switch m.name {
	case "euclidean":
		s = float32(math.Sqrt(float64(s)))
	case "minkowski":
		s = float32(portable.Pow(float64(s), float64(1/float32(m.p))))
	}
	return float64(s)
}

// compare is the difference, or similarity, of one field; NaN where a value is missing.
func (c *comparand) compare(x, y float64) float64 {
	if x != x || y != y {
		return math.NaN()
	}
	switch c.fn {
	case gaussSim:
		z := x - y
		return portable.Exp(-math.Ln2 * float64(z*z) / float64(c.scale*c.scale))
	case delta:
		if x == y {
			return 0
		}
		return 1
	case equalValues:
		if x == y {
			return 1
		}
		return 0
	case tableOf:
		return c.table[int(x)][int(y)]
	}
	return math.Abs(x - y)
}

// alike is the share of ones and zeros in common; NaN where that is 0/0.
func (m *measure) alike(x, y []float64) float64 {
	var n [4]float64
	for i, f := range x {
		if g := y[i]; f == f && g == g {
			n[2*int(f)+int(g)]++
		}
	}
	num := float64(m.c[3]*n[3]) + float64(m.c[2]*n[2]) + float64(m.c[1]*n[1]) + float64(m.c[0]*n[0])
	den := float64(m.d[3]*n[3]) + float64(m.d[2]*n[2]) + float64(m.d[1]*n[1]) + float64(m.d[0]*n[0])
	return num / den
}
