package scoring

import (
	"fmt"
	"math"

	"github.com/mudpulse/mudpulse/scoring/internal/portable"
)

// PMML 4.4.1, NaiveBayesModel: a class's share of the training rows, times the
// probability of each input given the class; in logarithms.
type bayes struct {
	classes   []string
	prior     []float64 // logarithm of its count, by class
	inputs    []bayesInput
	threshold float64
	float     bool
}

// bayesInput is an input's part. An input that is missing, or has a value that
// the model does not know, says nothing of any class.
type bayesInput struct {
	slot  int
	name  string
	bins  *derived // of PairCounts with a DerivedField
	texts map[string]int
	nums  map[float64]int
	logs  [][]float64 // of PairCounts, by value and class
	dist  []density   // of TargetValueStats, by class
}

// density is a continuous distribution; kind 0: none given, and ignored.
type density struct {
	kind           byte // 'g' Gaussian, 'p' Poisson
	mean, variance float64
}

func (b *binder) bayes(s *scope, e *element, m *model) evaluator {
	g := &bayes{float: m.float}
	if txt, ok := e.lookup("threshold"); ok {
		g.threshold = b.number(e, "threshold", txt)
	}
	if !(g.threshold >= 0 && g.threshold <= 1) {
		b.bad.add(e, "", fmt.Sprintf("threshold=%v is no probability", g.threshold), "want 0 to 1")
	}
	out := e.first("BayesOutput")
	counts := b.targetCounts(out.first("TargetValueCounts"), m)
	if counts == nil || len(counts.classes) == 0 {
		b.bad.add(e, "", "the model has no BayesOutput with TargetValueCounts", "export it again")
		return nothing{}
	}
	if f := out.get("fieldName"); f != "" && m.target.field != "" && f != m.target.field {
		b.bad.add(out, f, fmt.Sprintf("the BayesOutput is of '%s', the target is '%s'", clip(f), clip(m.target.field)), "name the target")
	}
	g.classes = counts.classes
	if !(sum(counts.n) > 0) {
		b.bad.add(out, "", "the classes' counts sum to nothing", "want positive counts")
	}
	for _, n := range counts.n {
		g.prior = append(g.prior, g.log(n))
	}
	for _, k := range e.first("BayesInputs").all("BayesInput") {
		g.inputs = append(g.inputs, b.bayesInput(s, k, m, g))
	}
	if len(g.inputs) == 0 {
		b.bad.add(e, "", "the model has no BayesInputs", "export it again")
	}
	return g
}

// classCounts are counts by class.
type classCounts struct {
	classes []string
	n       []float64
}

func (b *binder) targetCounts(e *element, m *model) *classCounts {
	if e == nil {
		return nil
	}
	out := &classCounts{}
	for _, k := range e.all("TargetValueCount") {
		c := b.category(k, m, "value")
		if index(out.classes, c) >= 0 {
			b.bad.add(k, "", fmt.Sprintf("class '%s' is counted twice", clip(c)), "count it once")
			continue
		}
		n := b.number(k, "count", k.get("count"))
		if n < 0 {
			b.bad.add(k, "", fmt.Sprintf("count=%v", n), "want 0 or more")
		}
		out.classes, out.n = append(out.classes, c), append(out.n, n)
	}
	return out
}

func (b *binder) bayesInput(s *scope, e *element, m *model, g *bayes) bayesInput {
	in := bayesInput{name: e.get("fieldName")}
	in.slot = s.field(e, in.name)
	typ, year := b.prog.slots[in.slot].typ, b.prog.slots[in.slot].year
	if d := e.first("DerivedField"); d != nil {
		typ, year = b.dataType(d, "dataType", typeString)
		x := expressionOf(d)
		if x != nil && x.name != "Discretize" {
			b.bad.refuse(d, "a BayesInput's DerivedField by "+x.name)
		}
		in.bins = &derived{b.expression(s, x), typ, year, d.get("name")}
		b.reads = b.reads[:0]
	}
	stats, pairs := e.first("TargetValueStats"), e.all("PairCounts")
	switch {
	case stats != nil && len(pairs) > 0 || stats == nil && len(pairs) == 0:
		b.bad.add(e, in.name, "a BayesInput has both TargetValueStats and PairCounts, or neither", "give one of them")
	case stats != nil && in.bins != nil:
		b.bad.add(e, in.name, "a BayesInput has a DerivedField and TargetValueStats", "a DerivedField goes with PairCounts")
	case stats != nil:
		b.densities(stats, m, g, &in)
		if typ == typeString {
			b.bad.add(e, in.name, fmt.Sprintf("field '%s' is a string and has TargetValueStats", clip(in.name)), "give PairCounts, or mend its dataType")
		}
	default:
		b.pairs(pairs, m, g, &in, typ, year)
	}
	return in
}

func (b *binder) pairs(pairs []*element, m *model, g *bayes, in *bayesInput, typ dataType, year int) {
	in.texts, in.nums = map[string]int{}, map[float64]int{}
	totals := make([]float64, len(g.classes))
	for _, k := range pairs {
		v, ok := typ.parse(k.get("value"), year)
		if !ok {
			b.bad.add(k, in.name, fmt.Sprintf("%q is no %v", clip(k.get("value")), typ), "mend the value or the field's dataType")
			continue
		}
		if _, twice := in.find(v); twice {
			b.bad.add(k, in.name, fmt.Sprintf("value '%s' stands twice", clip(k.get("value"))), "count it once")
			continue
		}
		if v.k == text {
			in.texts[v.s] = len(in.logs)
		} else {
			in.nums[v.f] = len(in.logs)
		}
		if !b.cells(k, len(g.classes)) {
			return
		}
		row := make([]float64, len(g.classes))
		in.logs = append(in.logs, row)
		counts := b.targetCounts(k.first("TargetValueCounts"), m)
		if counts == nil {
			b.bad.add(k, in.name, "PairCounts without TargetValueCounts", "export the model again")
			continue
		}
		for i, c := range counts.classes {
			if at := index(g.classes, c); at >= 0 {
				row[at] = counts.n[i]
				totals[at] += counts.n[i]
			}
		}
	}
	for _, row := range in.logs {
		for i, n := range row {
			p := n / totals[i]
			if g.float {
				p = float64(float32(n) / float32(totals[i]))
			}
			if n == 0 {
				p = g.threshold
			}
			row[i] = g.log(p)
		}
	}
}

func (b *binder) densities(e *element, m *model, g *bayes, in *bayesInput) {
	in.dist = make([]density, len(g.classes))
	for _, k := range e.all("TargetValueStat") {
		c := b.category(k, m, "value")
		var d density
		x := k.first("GaussianDistribution", "PoissonDistribution", "AnyDistribution", "UniformDistribution")
		switch {
		case x == nil:
			b.bad.add(k, in.name, "a TargetValueStat has no distribution", "want GaussianDistribution or PoissonDistribution")
		case x.name == "GaussianDistribution":
			d = density{'g', b.number(x, "mean", x.get("mean")), b.number(x, "variance", x.get("variance"))}
			if !(d.variance > 0) {
				b.bad.add(x, in.name, fmt.Sprintf("variance=%v", d.variance), "want a number greater than 0")
			}
		case x.name == "PoissonDistribution":
			d = density{'p', b.number(x, "mean", x.get("mean")), 0}
			if !(d.mean > 0) {
				b.bad.add(x, in.name, fmt.Sprintf("mean=%v", d.mean), "want a number greater than 0")
			}
		default: // 4.4.1: "restricted to Gaussian and Poisson distributions"
			b.bad.refuse(x, x.name+" in a NaiveBayesModel")
		}
		if at := index(g.classes, c); at >= 0 {
			in.dist[at] = d
		}
	}
}

// find is the place of a value among those that are counted.
func (in *bayesInput) find(v value) (int, bool) {
	if v.k == text {
		i, ok := in.texts[v.s]
		return i, ok
	}
	i, ok := in.nums[v.f]
	return i, ok
}

// log is in 32 bits where the model is.
func (g *bayes) log(p float64) float64 {
	if g.float {
		return float64(float32(portable.Log(float64(float32(p)))))
	}
	return portable.Log(p)
}

func (g *bayes) add(to *float64, x float64) {
	if *to += x; g.float {
		*to = float64(float32(*to))
	}
}

func (g *bayes) labels() []string { return g.classes }

func (g *bayes) evaluate(r *row, out *result) {
	out.p = append(out.p[:0], g.prior...)
	p := out.p
	for i := range g.inputs {
		if !g.weigh(r, &g.inputs[i], p) {
			return
		}
	}
	if g.float {
		softmax32(p)
	} else {
		softmax(p)
	}
	out.classes = g.classes
	if w := winner(p); w >= 0 {
		out.v = str(g.classes[w])
		return
	}
	out.classes = nil
	r.fail("", KindModel, "every class has the probability 0: the model's threshold is 0")
}

// weigh adds the logarithms of what one input says; false where the row fails.
func (g *bayes) weigh(r *row, in *bayesInput, p []float64) bool {
	v := none
	if in.bins != nil {
		v = in.bins.eval(r)
	} else {
		v = r.get(in.slot)
	}
	switch {
	case v.k == missing || v.k == list:
	case in.dist != nil:
		return g.dense(r, in, v, p)
	default:
		if at, ok := in.find(v); ok {
			for j, l := range in.logs[at] {
				g.add(&p[j], l)
			}
		}
	}
	return true
}

// dense adds the logarithms of an input's densities; false where it has none.
func (g *bayes) dense(r *row, in *bayesInput, v value, p []float64) bool {
	for j := range in.dist {
		d := &in.dist[j]
		y := 0.0
		switch d.kind {
		case 'g':
			z := v.f - d.mean
			y = portable.Exp(-float64(z*z)/float64(2*d.variance)) / math.Sqrt(float64(2*math.Pi*d.variance))
		case 'p':
			if v.f != math.Trunc(v.f) || math.IsInf(v.f, 0) {
				r.fail(in.name, KindInvalid, "value %s has no Poisson probability: want a count", quote(v))
				return false
			}
			y = poisson(v.f, d.mean)
		default:
			continue
		}
		g.add(&p[j], g.log(max(y, g.threshold)))
	}
	return true
}

// poisson is the probability of a count.
func poisson(x, mean float64) float64 {
	if x < 0 {
		return 0
	}
	return portable.Exp(float64(x*portable.Log(mean)) - mean - portable.LogGamma(x+1))
}
