package scoring

import (
	"fmt"
	"math"
	"sort"

	"github.com/mudpulse/mudpulse/scoring/internal/portable"
)

// PMML 4.4.1, RegressionModel.
type regression struct {
	norm    string
	tables  []table
	classes []string
	class   bool
	ordinal bool
	float   bool
}

type table struct {
	intercept float64
	numeric   []numericTerm
	category  []categoryTerm
	products  []productTerm
}

type numericTerm struct {
	slot     int
	exponent float64
	coef     float64
}

type categoryTerm struct {
	slot int
	want value
	coef float64
}

type productTerm struct {
	slots []int
	coef  float64
}

var normalizations = map[string]bool{"none": true, "simplemax": true, "softmax": true, "logit": true, "probit": true, "cloglog": true, "exp": true, "loglog": true, "cauchit": true}

func (b *binder) regression(s *scope, e *element, m *model) evaluator {
	g := &regression{norm: e.get("normalizationMethod"), class: m.function == "classification", float: m.float}
	if g.norm == "" {
		g.norm = "none"
	}
	if !normalizations[g.norm] {
		b.bad.add(e, "", fmt.Sprintf("normalizationMethod=%q is none", clip(g.norm)), "want none, simplemax, softmax, logit, probit, cloglog, exp, loglog or cauchit")
	}
	for _, k := range e.all("RegressionTable") {
		t := table{intercept: b.numAttr(k, "intercept", 0)}
		for _, p := range k.kids {
			switch p.name {
			case "NumericPredictor":
				t.numeric = append(t.numeric, numericTerm{b.numeric(s, p, p.get("name")), b.numAttr(p, "exponent", 1), b.numAttr(p, "coefficient", 0)})
			case "CategoricalPredictor":
				i := s.field(p, p.get("name"))
				t.category = append(t.category, categoryTerm{i, b.literal(p, b.prog.slots[i], p.get("value")), b.numAttr(p, "coefficient", 0)})
			case "PredictorTerm":
				pt := productTerm{coef: b.numAttr(p, "coefficient", 0)}
				for _, f := range p.all("FieldRef") {
					pt.slots = append(pt.slots, b.numeric(s, f, f.get("field")))
				}
				t.products = append(t.products, pt)
			}
		}
		g.tables = append(g.tables, t)
		if c, ok := k.lookup("targetCategory"); ok || g.class {
			g.classes = append(g.classes, c)
		}
	}
	if g.class && len(s.targets) > 0 {
		if f, ok := b.data[s.targets[0]]; ok && (f.op == ordinal || m.target.op == ordinal) {
			g.ordinal = true
			g.inOrder(f)
		}
	}
	switch {
	case len(g.tables) == 0:
		b.bad.add(e, "", "the model has no RegressionTable", "export it again")
	case !g.class && len(g.tables) != 1:
		b.bad.add(e, "", fmt.Sprintf("a regression has %d RegressionTables", len(g.tables)), "want one; or functionName=\"classification\"")
	case g.class && len(g.tables) == 1:
		b.bad.add(e, "", "a classification has one RegressionTable", "want one for each class")
	case !g.class && g.norm == "simplemax":
		b.bad.add(e, "", "normalizationMethod=\"simplemax\" with a regression", "it is for classifications")
	case g.ordinal && (g.norm == "softmax" || g.norm == "simplemax"):
		b.bad.add(e, "", fmt.Sprintf("normalizationMethod=%q with an ordinal target", g.norm), "want none, logit, probit, cloglog, loglog or cauchit; or make the target categorical")
	case g.class && g.norm == "exp", g.class && !g.ordinal && len(g.tables) > 2 && onlyForTwo[g.norm]:
		b.bad.add(e, "", fmt.Sprintf("normalizationMethod=%q with %d classes", g.norm, len(g.tables)), "want softmax, simplemax, logit or none")
	default:
		return g
	}
	return nothing{}
}

// onlyForTwo are links that PMML defines for two categories, or ordered ones.
var onlyForTwo = map[string]bool{"probit": true, "cloglog": true, "loglog": true, "cauchit": true}

// inOrder sorts the tables as the ordinal target lists its values.
func (g *regression) inOrder(f *dataField) {
	place := map[string]int{}
	for i, v := range f.valid {
		place[v.lexical()] = i
	}
	of := make([]int, len(g.classes))
	for i, c := range g.classes {
		v, ok := f.typ.parse(c, f.year)
		if ok {
			of[i], ok = place[v.lexical()]
		}
		if !ok {
			return // a class that is not listed: as the document has them
		}
	}
	at := make([]int, len(of))
	for i := range at {
		at[i] = i
	}
	sort.SliceStable(at, func(i, j int) bool { return of[at[i]] < of[at[j]] })
	tables, classes := make([]table, len(at)), make([]string, len(at))
	for i, j := range at {
		tables[i], classes[i] = g.tables[j], g.classes[j]
	}
	g.tables, g.classes = tables, classes
}

// numeric returns the slot of a field that is computed with.
func (b *binder) numeric(s *scope, e *element, name string) int {
	i := s.field(e, name)
	if t := b.prog.slots[i].typ; t == typeString {
		b.bad.add(e, name, fmt.Sprintf("field '%s' is a string and is computed with", clip(name)), "mend its dataType, or use a CategoricalPredictor")
	}
	return i
}

// nothing is a model that could not be bound.
type nothing struct{}

func (nothing) evaluate(*row, *result) {}

func (t *table) sum(r *row, float bool) (float64, bool) {
	y := 0.0
	add := func(x float64) {
		if float {
			y = float64(float32(y) + float32(x))
			return
		}
		y += x
	}
	for i := range t.numeric {
		n := &t.numeric[i]
		v := r.get(n.slot)
		if v.k == missing {
			return 0, false
		}
		x := v.f
		if float {
			x = float64(float32(x))
		}
		if n.exponent != 1 {
			x = portable.Pow(x, n.exponent)
		}
		if float {
			x = float64(float32(n.coef) * float32(x))
			add(x)
			continue
		}
		add(float64(n.coef * x))
	}
	for i := range t.category {
		c := &t.category[i]
		if v := r.get(c.slot); v.k != missing && v.equal(c.want) {
			add(c.coef)
		}
	}
	for i := range t.products {
		p := 1.0
		for _, s := range t.products[i].slots {
			v := r.get(s)
			if v.k == missing {
				return 0, false
			}
			if float {
				p = float64(float32(p) * float32(v.f))
				continue
			}
			p = float64(p * v.f)
		}
		if float {
			p = float64(float32(p) * float32(t.products[i].coef))
			add(p)
			continue
		}
		add(float64(p * t.products[i].coef))
	}
	add(t.intercept)
	return y, true
}

func (g *regression) evaluate(r *row, out *result) {
	if !g.class {
		y, ok := g.tables[0].sum(r, g.float)
		if !ok {
			return
		}
		norm := g.norm
		if norm == "softmax" { // of one value: the logit
			norm = "logit"
		}
		out.v = value{k: number, f32: g.float, f: g.link(norm, y)}
		return
	}
	out.classes = g.classes
	for i := range g.tables {
		y, ok := g.tables[i].sum(r, g.float)
		if !ok {
			out.classes, out.p = nil, out.p[:0]
			return
		}
		out.p = append(out.p, y)
	}
	if g.norm == "simplemax" && sum(out.p) == 0 {
		out.classes, out.p = nil, out.p[:0]
		r.fail("", KindMath, "%s", sharesOfNothing)
		return
	}
	g.normalize(out.p)
	if w := decided(out.p); w >= 0 {
		out.v = str(g.classes[w])
	}
}

const sharesOfNothing = "simplemax divides by the sum of the categories' values, and that is 0"

// to rounds to 32 bits where the model computes so.
func (g *regression) to(x float64) float64 {
	if g.float {
		return float64(float32(x))
	}
	return x
}

// PMML 4.4.1, RegressionModel: normalisation of k categories.
func (g *regression) normalize(y []float64) {
	n := len(y)
	share := func() {
		s := 0.0
		for _, x := range y {
			s = g.to(s + x)
		}
		for i := range y {
			y[i] = g.to(y[i] / s)
		}
	}
	switch {
	case g.norm == "softmax":
		top := y[0]
		for _, x := range y {
			top = max(top, x)
		}
		if certain(y, top) {
			return
		}
		for i := range y {
			if g.float {
				y[i] = float64(exp32(float32(y[i] - top)))
			} else {
				y[i] = portable.Exp(y[i] - top)
			}
		}
		share()
	case g.norm == "simplemax":
		share()
	case g.ordinal:
		before := 0.0
		for i := range n - 1 {
			c := g.share(y[i])
			y[i], before = g.to(c-before), c
		}
		y[n-1] = g.to(1 - before)
	case n == 2:
		y[0] = g.share(y[0])
		y[1] = g.to(1 - y[0])
	case g.norm == "none":
		s := 0.0
		for _, x := range y[:n-1] {
			s = g.to(s + x)
		}
		y[n-1] = g.to(1 - s)
	default: // logit: one against the rest, brought to a sum of one
		for i := range y {
			y[i] = g.link(g.norm, y[i])
		}
		share()
	}
}

// share is a probability: a number that is not linked is cut to 0 … 1.
func (g *regression) share(y float64) float64 {
	if g.norm == "none" {
		return min(max(y, 0), 1)
	}
	return g.link(g.norm, y)
}

// link is the inverse link function, every step of it in 32 bits where the model computes so.
func (g *regression) link(name string, y float64) float64 {
	if !g.float {
		return link(name, y)
	}
	exp := func(x float64) float64 { return float64(exp32(float32(x))) }
	switch name {
	case "logit":
		return g.to(1 / g.to(1+exp(-y)))
	case "cloglog":
		return g.to(1 - exp(-exp(y)))
	case "loglog":
		return exp(-exp(-y))
	case "exp":
		return exp(y)
	case "cauchit":
		return g.to(0.5 + g.to(g.to(1/math.Pi)*g.to(portable.Atan(y))))
	}
	return g.to(link(name, y))
}

// certain gives the one category whose value is infinite all of the
// probability: Inf less Inf has none. Of several nothing can be said.
func certain(y []float64, top float64) bool {
	if !math.IsInf(top, 1) {
		return false
	}
	n, at := 0, 0
	for i, x := range y {
		if x == top {
			n, at = n+1, i
		}
	}
	if n == 1 {
		clear(y)
		y[at] = 1
	}
	return n == 1
}

func softmax(y []float64) {
	g := regression{norm: "softmax"}
	g.normalize(y)
}

// link is the inverse link function.
func link(name string, y float64) float64 {
	switch name {
	case "logit":
		return 1 / (1 + portable.Exp(-y))
	case "probit":
		return portable.NormCDF(y)
	case "cloglog":
		return 1 - portable.Exp(-portable.Exp(y))
	case "loglog":
		return portable.Exp(-portable.Exp(-y))
	case "exp":
		return portable.Exp(y)
	case "cauchit":
		return 0.5 + float64(1/math.Pi*portable.Atan(y))
	}
	return y
}
