package scoring

import (
	"fmt"
	"math"

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
	switch {
	case len(g.tables) == 0:
		b.bad.add(e, "", "the model has no RegressionTable", "export it again")
		return nothing{}
	case !g.class && len(g.tables) != 1:
		b.bad.add(e, "", fmt.Sprintf("a regression has %d RegressionTables", len(g.tables)), "want one; or functionName=\"classification\"")
		return nothing{}
	case g.class && len(g.tables) == 1:
		b.bad.add(e, "", "a classification has one RegressionTable", "want one for each class")
		return nothing{}
	}
	defer func() {
		if n := len(g.tables); g.class && !g.ordinal && n > 2 && g.norm != "none" && g.norm != "simplemax" && g.norm != "softmax" && g.norm != "logit" {
			b.bad.refuse(e, fmt.Sprintf("normalizationMethod=%q of %d categories without order", g.norm, n))
		}
	}()
	if g.class && len(s.targets) > 0 {
		if f, ok := b.data[s.targets[0]]; ok && f.op == ordinal {
			g.ordinal = true
		}
	}
	return g
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

// sum adds the terms in document order, and the intercept last, as JPMML does.
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
		if g.norm == "softmax" { // of one value: the logit
			y = link("logit", y)
		} else {
			y = link(g.norm, y)
		}
		out.v = value{k: number, f32: g.float, f: y}
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
	g.normalize(out.p)
	if w := winner(out.p); w >= 0 {
		out.v = str(g.classes[w])
	}
}

// PMML 4.4.1, RegressionModel: normalisation of k categories.
func (g *regression) normalize(y []float64) {
	n := len(y)
	switch {
	case g.norm == "softmax":
		softmax(y)
	case g.norm == "simplemax":
		s := sum(y)
		for i := range y {
			y[i] /= s
		}
	case g.ordinal:
		before := 0.0
		for i := range n - 1 {
			c := min(max(link(g.norm, y[i]), 0), 1)
			y[i], before = c-before, c
		}
		y[n-1] = 1 - before
	case n == 2:
		y[0] = link(g.norm, y[0])
		if g.norm == "none" {
			y[0] = min(max(y[0], 0), 1)
		}
		y[1] = 1 - y[0]
	case g.norm == "none":
		s := 0.0
		for _, x := range y[:n-1] {
			s += x
		}
		y[n-1] = 1 - s
	default: // one against the rest, brought to a sum of one
		s := 0.0
		for i := range y {
			y[i] = link(g.norm, y[i])
			s += y[i]
		}
		for i := range y {
			y[i] /= s
		}
	}
}

func softmax(y []float64) {
	top := y[0]
	for _, x := range y {
		top = max(top, x)
	}
	s := 0.0
	for i := range y {
		y[i] = portable.Exp(y[i] - top)
		s += y[i]
	}
	for i := range y {
		y[i] /= s
	}
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
		return 0.5 + float64(1/math.Pi*math.Atan(y))
	}
	return y
}
