package scoring

import (
	"errors"
	"sort"
)

// An Explanation says what each input added to the score of a row: Base and
// the terms sum to Score, in the target's unit, or in that of the margin where
// the model ends in a link function.
type Explanation struct {
	Method string `json:"method"` // shap, path, linear, scorecard, distance, neighbours, odds over the next class
	// Baseline says whose score Base is: the mean over the training records as
	// the tree counts them, or over the tree's leaves, where the export has no
	// record counts; "" where Base is the model's constant.
	Baseline string   `json:"baseline,omitempty"`
	Class    string   `json:"class,omitempty"` // whose probability or margin is explained
	Base     float64  `json:"base"`
	Score    float64  `json:"score"`
	Terms    []Term   `json:"terms"`          // largest first
	Path     []string `json:"path,omitempty"` // of one tree: what the row answered, from the root down
}

// Baselines of an Explanation.
const (
	OverRecords = "training records"
	OverLeaves  = "leaves"
)

// A Method is how trees are explained; other kinds have one way only.
type Method byte

const (
	// Shapley gives Shapley values by path-dependent TreeSHAP: exact, whatever
	// the order in which the tree asks. It is used where nothing else is said.
	Shapley Method = iota
	// Steps gives each field what the score changed where it was asked
	// (Saabas): ten times cheaper, and partial to what is asked last.
	Steps
)

// A Term is one input's part.
type Term struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

// ErrNoExplanation is returned where the model's kind has no terms that sum to its score.
var ErrNoExplanation = errors.New("this kind of model has no terms that sum to its score")

// Explain explains the row that was scored last by Score, or by ExplainRow.
func (s *Scorer) Explain(how ...Method) (Explanation, error) {
	if s.x == nil {
		s.x = &explainer{r: s.r, slots: s.r.slots, kept: map[shapKey]*shapTree{}}
	}
	x := s.x
	x.terms, x.base, x.method, x.baseline, x.class, x.how, x.path = map[string]float64{}, 0, "", "", "", Shapley, nil
	if len(how) > 0 {
		x.how = how[0]
	}
	if !x.model(s.m.top, 1) {
		return Explanation{}, ErrNoExplanation
	}
	out := Explanation{Method: x.method, Baseline: x.baseline, Class: x.class, Base: x.base, Score: x.base, Path: x.path}
	for n, v := range x.terms {
		if v != 0 {
			out.Terms = append(out.Terms, Term{n, v})
		}
	}
	sort.Slice(out.Terms, func(i, j int) bool {
		a, b := out.Terms[i], out.Terms[j]
		if abs(a.Value) != abs(b.Value) {
			return abs(a.Value) > abs(b.Value)
		}
		return a.Name < b.Name
	})
	for _, t := range out.Terms {
		out.Score += t.Value
	}
	return out, nil
}

// ExplainRow scores one row of a batch again and explains it. A model that
// remembers rows explains it as the one that would come next.
func (s *Scorer) ExplainRow(b *Batch, row int, how ...Method) (Explanation, error) {
	s.r.begin()
	s.r.use(b.key(row))
	b.give(row, s.r)
	s.m.top.run(s.r)
	if s.r.err != nil {
		return Explanation{}, s.r.err
	}
	return s.Explain(how...)
}

func abs(x float64) float64 {
	if x < 0 {
		return -x
	}
	return x
}

// explainer adds up terms over nested models.
type explainer struct {
	r      *row
	slots  []slot
	terms  map[string]float64
	base   float64
	method string

	how      Method
	baseline string
	class    string // that is explained; "" a number
	votes    bool   // trees vote for it
	path     []string
	kept     map[shapKey]*shapTree
	parts    []part
	phi      []float64 // by slot
}

type shapKey struct {
	t     *tree
	dense bool
}

func (x *explainer) set(m string) {
	if x.method == "" || m != "linear" {
		x.method = m
	}
}

// model explains m's score times weight; false where it cannot.
func (x *explainer) model(m *model, weight float64) bool {
	res := m.run(x.r)
	if res.v.k == missing {
		return false
	}
	if m.function == "classification" && x.class == "" {
		x.class = res.v.lexical()
	}
	_, isTree := m.eval.(*tree)
	if m.function == "regression" && m.target.given && !isTree {
		x.base += weight * m.target.constant
		weight *= m.target.factor
	}
	switch e := m.eval.(type) {
	case *scorecard:
		x.set("scorecard")
		x.base += weight * e.initial
		for i := range e.features {
			for j := range e.features[i].attributes {
				a := &e.features[i].attributes[j]
				if a.when.test(x.r, nil) == yes {
					p := a.partial
					if a.complex != nil {
						p = a.complex.eval(x.r).f
					}
					x.terms[e.features[i].name] += weight * p
					break
				}
			}
		}
		return true
	case *regression:
		x.set("linear")
		t := &e.tables[0]
		if e.class { // the margin of the class; of two, the first's
			if i := index(e.classes, x.class); len(e.classes) > 2 && i >= 0 {
				t = &e.tables[i]
			} else {
				x.class = e.classes[0]
			}
		}
		x.base += weight * t.intercept
		for _, n := range t.numeric {
			v := x.r.get(n.slot)
			// A term that is itself a segment's score is explained by that segment.
			if c, ok := x.slots[n.slot].source.(chained); ok && n.exponent == 1 && c.o.feature == "predictedValue" {
				if !x.model(c.m, weight*n.coef) {
					return false
				}
				continue
			}
			f := v.f
			if n.exponent != 1 {
				g := table{numeric: []numericTerm{{n.slot, n.exponent, 1}}}
				f, _ = g.sum(x.r, false)
			}
			x.terms[x.slots[n.slot].name] += weight * n.coef * f
		}
		for _, c := range t.category {
			if v := x.r.get(c.slot); v.k != missing && v.equal(c.want) {
				x.terms[x.slots[c.slot].name] += weight * c.coef
			}
		}
		for _, p := range t.products {
			y, name := p.coef, ""
			for _, s := range p.slots {
				y *= x.r.get(s).f
				if name != "" {
					name += "·"
				}
				name += x.slots[s].name
			}
			x.terms[name] += weight * y
		}
		return true
	case *tree:
		return x.tree(m, e, weight)
	case *mining:
		return x.mining(e, weight)
	case explaining:
		return e.explain(x, weight, res)
	}
	return false
}

func (x *explainer) mining(g *mining, weight float64) bool {
	switch g.method {
	case "modelChain":
		for i := len(g.segments) - 1; i >= 0; i-- {
			if g.segments[i].when.test(x.r, nil) == yes {
				return x.model(g.segments[i].model, weight)
			}
		}
	case "selectFirst":
		for _, s := range g.segments {
			if s.when.test(x.r, nil) == yes {
				return x.model(s.model, weight)
			}
		}
	case "sum", "weightedSum", "average", "weightedAverage", "majorityVote", "weightedMajorityVote":
		defer func(was bool) { x.votes = was }(x.votes)
		x.votes = g.method == "majorityVote" || g.method == "weightedMajorityVote"
		total := 0.0
		for _, s := range g.segments {
			if s.when.test(x.r, nil) == yes {
				if g.method == "weightedAverage" || g.method == "weightedMajorityVote" {
					total += s.weight
				} else {
					total++
				}
			}
		}
		for _, s := range g.segments {
			if s.when.test(x.r, nil) != yes {
				continue
			}
			w := weight
			switch g.method {
			case "average", "majorityVote":
				w /= total
			case "weightedSum":
				w *= s.weight
			case "weightedAverage", "weightedMajorityVote":
				w *= s.weight / total
			}
			if !x.model(s.model, w) {
				return false
			}
		}
		return true
	}
	return false
}
