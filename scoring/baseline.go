package scoring

import (
	"fmt"
	"math"

	"github.com/mudpulse/mudpulse/scoring/internal/portable"
)

// PMML 4.4.1, BaselineModel: how far a field is from what it was, by one of
// five statistics. Formulas and their sources: docs/pmml-semantics.md, baseline.
type baseline struct {
	statistic string
	field     int // slot
	weight    int // slot of weightField; -1 none
	from, to  distribution
	reset     float64
	window    int // 0: all rows
	table     *countTable
	scheme    string
	constant  value // of chiSquareIndependence
	id        int   // the model's, among program.models
	memory    int   // CUSUM, chiSquareDistribution, scalarProduct
}

// maxWindow bounds a window: it is gone through for each row.
const maxWindow = 10_000

// distribution is a continuous one.
type distribution struct {
	kind           byte // 'a' any, 'g' gaussian, 'p' poisson, 'u' uniform
	mean, variance float64
	low, high      float64
}

func (b *binder) baseline(s *scope, e *element, m *model) evaluator {
	t := e.first("TestDistributions")
	if t == nil {
		b.bad.add(e, "", "the BaselineModel has no TestDistributions", "export it again")
		return nothing{}
	}
	if m.float {
		b.bad.refuse(e, "x-mathContext=\"float\" of a BaselineModel")
	}
	x := &baseline{statistic: t.get("testStatistic"), weight: -1, id: m.id, reset: b.numAttr(t, "resetValue", 0), scheme: t.get("normalizationScheme")}
	base := t.first("Baseline")
	if base == nil {
		b.bad.add(t, "", "the TestDistributions have no Baseline", "export the model again")
		return nothing{}
	}
	w := b.numAttr(t, "windowSize", 0)
	if w != math.Trunc(w) || w < 0 || w > maxWindow {
		b.bad.add(t, "", fmt.Sprintf("windowSize=%q", clip(t.get("windowSize"))), fmt.Sprintf("want a whole number from 0 to %d", maxWindow))
		return nothing{}
	}
	x.window = int(w)
	name := t.get("field")
	what := fmt.Sprintf("%s %s %s %d %v", m.name, x.statistic, name, x.window, x.reset)
	if _, ok := t.lookup("weightField"); ok && x.statistic != "chiSquareDistribution" && x.statistic != "scalarProduct" {
		b.bad.refuse(t, fmt.Sprintf("weightField with testStatistic=%q", clip(x.statistic)))
	}
	if x.scheme != "" && x.statistic != "scalarProduct" {
		b.bad.refuse(t, fmt.Sprintf("normalizationScheme with testStatistic=%q", clip(x.statistic)))
	}
	switch x.statistic {
	case "zValue", "CUSUM":
		x.field = b.numeric(s, t, name)
		x.from = b.distribution(base)
		if x.statistic == "zValue" {
			if x.window > 1 {
				b.bad.refuse(t, "windowSize with testStatistic=\"zValue\"")
			}
			return x
		}
		alt := t.first("Alternate")
		if alt == nil {
			b.bad.add(t, "", "a CUSUM has no Alternate", "give the distribution to be detected")
			return x
		}
		x.to = b.distribution(alt)
		if x.from.kind == 'a' || x.to.kind == 'a' {
			b.bad.add(t, "", "a CUSUM of an AnyDistribution, which has no density", "want a Gaussian, Poisson or Uniform one")
		}
		x.memory = b.prog.remember("CUSUM "+what, x, x.field)
	case "chiSquareDistribution", "scalarProduct":
		x.field = s.field(t, name)
		if x.statistic == "scalarProduct" && x.scheme != "" && x.scheme != "Independent" && x.scheme != "SizeWeighted" {
			b.bad.add(t, "", fmt.Sprintf("normalizationScheme=%q is none", clip(x.scheme)), "want Independent or SizeWeighted")
		}
		if x.table = b.countTable(base, b.prog.slots[x.field], name); x.table == nil {
			return nothing{}
		}
		reads := []int{x.field}
		if wf, ok := t.lookup("weightField"); ok {
			x.weight = b.numeric(s, t, wf)
			reads = append(reads, x.weight)
		}
		x.memory = b.prog.remember("counts "+what+" "+x.table.name(), x, reads...)
	case "chiSquareIndependence":
		x.constant = b.independence(base)
	default:
		b.bad.add(t, "", fmt.Sprintf("testStatistic=%q is none", clip(x.statistic)), "want zValue, chiSquareIndependence, chiSquareDistribution, CUSUM or scalarProduct")
	}
	return x
}

func (b *binder) distribution(e *element) distribution {
	k := e.first("AnyDistribution", "GaussianDistribution", "PoissonDistribution", "UniformDistribution")
	if k == nil {
		b.bad.add(e, "", e.name+" has no continuous distribution", "want an Any-, Gaussian-, Poisson- or UniformDistribution")
		return distribution{}
	}
	d := distribution{}
	need := func(key string) float64 {
		if _, ok := k.lookup(key); !ok {
			b.bad.add(k, "", "a "+k.name+" has no "+key, "give it")
		}
		return b.numAttr(k, key, 0)
	}
	switch k.name {
	case "AnyDistribution", "GaussianDistribution":
		d.kind = 'g'
		if k.name == "AnyDistribution" {
			d.kind = 'a'
		}
		d.mean, d.variance = need("mean"), need("variance")
		if d.variance < 0 || d.variance == 0 && e.name == "Alternate" {
			b.bad.add(k, "", fmt.Sprintf("variance=%q", clip(k.get("variance"))), "want more than 0")
		}
	case "PoissonDistribution":
		d.kind = 'p'
		d.mean = need("mean")
		if !(d.mean > 0 && d.mean <= 1e6) {
			b.bad.add(k, "", fmt.Sprintf("mean=%q of a PoissonDistribution", clip(k.get("mean"))), "want more than 0, and not above a million")
		}
	default:
		d.kind = 'u'
		d.low, d.high = need("lower"), need("upper")
		if !(d.low < d.high) {
			b.bad.add(k, "", fmt.Sprintf("a UniformDistribution from %v to %v", d.low, d.high), "want lower below upper")
		}
	}
	return d
}

// density is the logarithm of it.
func (d *distribution) density(x float64) float64 {
	switch d.kind {
	case 'g':
		z := x - d.mean
		return float64(-z*z)/(2*d.variance) - 0.5*portable.Log(2*math.Pi*d.variance)
	case 'p':
		if x < 0 {
			return -inf
		}
		return float64(x*portable.Log(d.mean)) - portable.LogGamma(x+1) - d.mean
	}
	if x < d.low || x > d.high {
		return -inf
	}
	return -portable.Log(d.high - d.low)
}

// z is how many standard deviations x is above the mean; of a Poisson or
// uniform one, those of the normal distribution with as much below, ±10 at most.
func (d *distribution) z(x float64) (float64, bool) {
	switch d.kind {
	case 'p':
		return min(max(portable.NormQuantile(portable.PoissonCDF(x, d.mean)), -10), 10), true
	case 'u':
		f := min(max((x-d.low)/(d.high-d.low), 0), 1)
		return min(max(portable.NormQuantile(f), -10), 10), true
	}
	return (x - d.mean) / math.Sqrt(d.variance), d.variance > 0
}

func (t *baseline) evaluate(r *row, out *result) {
	switch t.statistic {
	case "zValue":
		if v := r.get(t.field); v.k != missing {
			if z, ok := t.from.z(v.f); ok {
				out.v = num(z)
			}
		}
	case "CUSUM":
		if g, ok := t.gain(r); ok {
			z := t.cusum(r.cell(t.memory, nil), g)
			if z == z {
				out.v = num(z)
			}
		}
	case "chiSquareIndependence":
		out.v = t.constant
	default:
		t.histogram(r, out)
	}
}

// gain is how much likelier x is under the Alternate, as a logarithm; not ok
// where x is missing or neither distribution has it.
func (t *baseline) gain(r *row) (float64, bool) {
	v := r.get(t.field)
	if v.k == missing {
		return 0, false
	}
	g := t.to.density(v.f) - t.from.density(v.f)
	return g, g == g
}

// cusum is Z after g: the greater of the reset value and Z + g. With a window
// it begins at 0 with the oldest of the last rows.
func (t *baseline) cusum(c *cell, g float64) float64 {
	z := 0.0
	switch {
	case t.window == 0 && len(c.f) > 0:
		z = c.f[0]
	case t.window > 0:
		first := 0 // of a full ring the oldest falls out
		if len(c.f) == t.window {
			first = 1
		}
		for i := first; i < len(c.f); i++ {
			z = max(t.reset, z+c.f[(c.at+i)%len(c.f)])
		}
	}
	return max(t.reset, z+g)
}

func (t *baseline) after(r *row, failed bool) {
	if failed || r.memAt[t.id] != r.now { // a row without a result, or a segment that was not asked
		return
	}
	if t.statistic != "CUSUM" {
		t.add(r)
		return
	}
	g, ok := t.gain(r)
	if !ok {
		return
	}
	c := r.cell(t.memory, nil)
	z := t.cusum(c, g)
	if z != z {
		return
	}
	c.n++
	if t.window > 0 {
		c.push(g, t.window)
	} else if len(c.f) == 0 {
		c.f = append(c.f, z)
	} else {
		c.f[0] = z
	}
}

func (t *baseline) fits(c *cell) bool {
	switch {
	case t.statistic != "CUSUM":
		return t.fitsCounts(c)
	case len(c.v) > 0:
		return false
	case t.window > 0:
		return c.ring(t.window)
	}
	return len(c.f) <= 1 && c.at == 0
}
