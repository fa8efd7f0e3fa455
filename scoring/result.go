package scoring

// result is what a model says of a row, before its outputs are made.
type result struct {
	v          value // predicted value; missing kind: none
	classes    []string
	p          []float64 // probability by class
	confidence []float64 // by class; nil: the probabilities
	entity     string
	affinity   []float64
	reasons    []ranked // of a scorecard, most points first
	path       []int32  // of a tree: nodes visited
	slots      []int    // of selectAll: unused
}

// ranked is a reason code with its points.
type ranked struct {
	code   string
	points float64
}

func (s *result) probability(class string) (float64, bool) {
	for i, c := range s.classes {
		if c == class {
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
	out.v, out.entity = none, ""
	out.classes, out.p, out.confidence = nil, out.p[:0], nil
	out.affinity, out.reasons, out.path = nil, out.reasons[:0], out.path[:0]
	m.eval.evaluate(r, out)
	m.target.apply(r, m, out)
	return out
}
