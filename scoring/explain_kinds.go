package scoring

import (
	"math"

	"github.com/mudpulse/mudpulse/scoring/internal/portable"
)

// explaining is a kind that explains itself: it adds its terms to x, times
// weight; false where it has none that sum to its score.
type explaining interface {
	explain(x *explainer, weight float64, res *result) bool
}

// explain says what each field adds to the affinity to the cluster, of which
// the farthest field has the most.
func (c *clustering) explain(x *explainer, weight float64, res *result) bool {
	m := c.measure
	if weight != 1 || res.best < 0 || m.binary || m.larger || c.spread != nil {
		return false
	}
	x.set("distance")
	x.class = res.entity
	in := res.work[:len(m.fields)]
	adjust := adjustment(in, c.weights)
	parts, all, most := make([]float64, len(in)), 0.0, 0
	for i := range in {
		f := &m.fields[i]
		d := f.compare(in[i], c.centers[res.best][i])
		if d != d {
			continue
		}
		switch m.name {
		case "euclidean", "squaredEuclidean":
			d *= d
		case "minkowski":
			d = portable.Pow(d, m.p)
		}
		parts[i] = f.weight * d * adjust
		all += parts[i]
		if parts[i] > parts[most] {
			most = i
		}
	}
	if all == 0 {
		return true
	}
	for i, p := range parts {
		if m.name == "chebychev" { // one field is the distance
			p = 0
			if i == most {
				p = all
			}
		}
		x.terms[m.fields[i].name] += weight * res.near[res.best] * p / all
	}
	return true
}

// explain says what each neighbour, by its id, adds to the number or to the
// share of votes for the class.
func (g *neighbors) explain(x *explainer, weight float64, res *result) bool {
	if res.best < 0 || len(g.targets) == 0 || g.targets[0].votes == nil && g.average == "median" {
		return false
	}
	x.set("neighbours")
	t := &g.targets[0]
	weighted := g.average == "weightedAverage"
	if t.votes != nil {
		weighted = g.weighted
	}
	near := res.ranking()
	near = near[:min(g.k, len(near))]
	all := 0.0
	for _, i := range near {
		all += g.weight(res.near[i], weighted)
	}
	if !(all > 0) {
		return false
	}
	for _, i := range near {
		y := t.numbers[i]
		if t.votes != nil {
			if y = 0; t.classes[t.votes[i]] == x.class {
				y = 1
			}
		}
		x.terms[g.ids[i]] += weight * g.weight(res.near[i], weighted) / all * y
	}
	return true
}

// explain says what each field of a linear machine adds to its value: the
// margin of the class that a larger value speaks for.
func (g *svm) explain(x *explainer, weight float64, res *result) bool {
	if g.kernel.name != "LinearKernelType" || len(g.machines) != 1 || g.class && weight != 1 {
		return false
	}
	x.set("linear")
	m := &g.machines[0]
	if g.class {
		if x.class = m.other; g.maxWins {
			x.class = m.target
		}
	}
	x.base += weight * m.b
	for j := range g.fields {
		w := 0.0
		if m.vectors == nil {
			w = m.weights[j]
		}
		for i, v := range m.vectors {
			w += m.weights[i] * g.vectors[v][j]
		}
		x.terms[g.fields[j].name] += weight * w * res.work[j]
	}
	return true
}

// explain says what each input adds to the logarithm of the odds of the class
// over the next probable one.
func (g *bayes) explain(x *explainer, weight float64, res *result) bool {
	first, second := index(g.classes, x.class), -1
	for i := range g.classes {
		if i != first && (second < 0 || res.p[i] > res.p[second]) {
			second = i
		}
	}
	if weight != 1 || first < 0 || second < 0 || math.IsInf(g.prior[second], -1) {
		return false
	}
	x.set("odds over " + g.classes[second])
	x.base += weight * (g.prior[first] - g.prior[second])
	p := make([]float64, len(g.classes))
	for i := range g.inputs {
		in := &g.inputs[i]
		clear(p)
		if !g.weigh(x.r, in, p) {
			return false
		}
		if d := p[first] - p[second]; d == d {
			x.terms[in.name] += weight * d
		}
	}
	return true
}
