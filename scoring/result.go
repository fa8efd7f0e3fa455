package scoring

import (
	"cmp"
	"slices"
)

// result is what a model says of a row, before its outputs are made.
type result struct {
	v          value // predicted value; missing kind: none
	classes    []string
	p          []float64 // probability by class
	confidence []float64 // by class; nil: the probabilities
	entity     string
	segment    int       // of a MiningModel: whose result this is; -1 none, or several
	entities   []string  // ids of clusters or training instances, shared; nil: the kind has none
	shown      []string  // what entities are called; "" nothing
	near       []float64 // affinity by entity
	larger     bool      // the greater affinity is the better
	best       int       // among entities; -1 none
	order      []int32   // entities, best first: of neighbours the nearest, of others see ranking
	top        int       // how many are told of; 0 all
	reasons    []ranked  // of a scorecard, most points first
	path       []int32   // of a tree: nodes visited
	levels     int       // and surrogates used
	slots      []int     // of selectAll: unused
	work       []float64 // the evaluator's own memory
	pairs      []weighted
	also       []result // of the targets after the first

	written []string // classes as the evaluator has them, and
	spelled []string // as the target's type writes them: see target.spell

	keys  []string  // memory for classes that differ from row to row
	conf  []float64 // and for their confidence
	lead  []int32   // and for what stands for each
	at    []int32   // of a RuleSetModel, by label: where in keys, from 1
	marks []byte    // of an AssociationModel, by item and by rule
}

// ranked is a reason code with its points.
type ranked struct {
	code   string
	points float64
}

func (s *result) probability(class string) (float64, bool) {
	for i, c := range s.classes {
		if c == class && i < len(s.p) {
			return s.p[i], true
		}
	}
	return 0, false
}

func (s *result) confidenceOf(class string) (float64, bool) {
	for i, c := range s.classes {
		if c == class {
			if s.confidence != nil {
				return s.confidence[i], true
			}
			return s.p[i], true
		}
	}
	return 0, false
}

// winner is the class of the greatest probability; the first of equals.
func winner(p []float64) int {
	best := -1
	for i, x := range p {
		if x == x && (best < 0 || x > p[best]) {
			best = i
		}
	}
	return best
}

// decided is the winner where every class has a number: of NaN nothing can be said.
func decided(p []float64) int {
	for _, x := range p {
		if x != x {
			return -1
		}
	}
	return winner(p)
}

// first is the best entity; the first of equals.
func (s *result) first() int {
	best := 0
	for i, x := range s.near {
		if s.larger && x > s.near[best] || !s.larger && x < s.near[best] {
			best = i
		}
	}
	return best
}

// ranking is the entities, best first; equals in document order.
func (s *result) ranking() []int32 {
	if len(s.order) < len(s.near) {
		s.order = s.order[:0]
		for i := range s.near {
			s.order = append(s.order, int32(i))
		}
		slices.SortStableFunc(s.order, func(i, j int32) int {
			if s.larger {
				i, j = j, i
			}
			return cmp.Compare(s.near[i], s.near[j])
		})
	}
	return s.order
}

// ranked is the entity of a rank, counted from 1; -1 beyond the last.
func (s *result) ranked(rank int) int {
	switch {
	case s.best < 0:
		return -1
	case rank == 1:
		return s.best
	case rank < 1 || rank > len(s.near):
		return -1
	case rank > len(s.order):
		s.ranking()
	}
	return int(s.order[rank-1])
}

// evaluator is a bound model element.
type evaluator interface {
	// evaluate fills out, whose slices it may reuse; a row without a result leaves out.v missing.
	evaluate(r *row, out *result)
}

// model is a model element with its scope, targets and outputs.
type model struct {
	id       int // among program.models: where a row keeps its result
	name     string
	kind     string
	function string // regression, classification, …
	float    bool   // x-mathContext=float
	eval     evaluator
	scope    *scope
	target   target
	others   []target // of a kind that predicts several
	outputs  []*output
	classes  []string // of the target, as declared
	element  *element
}

// run evaluates the model and its outputs, once a row.
func (m *model) run(r *row) *result {
	out := &r.mem[m.id]
	if r.memAt[m.id] == r.now {
		return out
	}
	r.memAt[m.id] = r.now
	out.v, out.entity, out.segment = none, "", -1
	out.classes, out.p, out.confidence = nil, out.p[:0], nil
	out.reasons, out.path, out.marks = out.reasons[:0], out.path[:0], out.marks[:0]
	out.entities, out.shown, out.near, out.order, out.best = nil, nil, out.near[:0], out.order[:0], -1
	out.top = 0
	out.also = room(out.also, len(m.others))
	for i := range out.also {
		x := &out.also[i]
		*x = result{p: x.p[:0], near: x.near[:0], order: x.order[:0], best: -1, written: x.written, spelled: x.spelled}
	}
	m.eval.evaluate(r, out)
	m.target.apply(r, m, out)
	for i := range out.also {
		m.others[i].apply(r, m, &out.also[i])
	}
	return out
}

// targets are the first target and the others.
func (m *model) targets() []*target {
	out := []*target{&m.target}
	for i := range m.others {
		out = append(out, &m.others[i])
	}
	return out
}

// of is the result of the target of that number.
func (s *result) of(target int) *result {
	if target > 0 {
		return &s.also[target-1]
	}
	return s
}
