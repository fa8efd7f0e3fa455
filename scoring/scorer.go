package scoring

import (
	"context"
	"math"
)

// A Row is one record by field name: float64, int, bool, string, json.Number,
// []any for a collection; nil or absent is missing.
type Row map[string]any

// A Scorer scores with buffers of its own. One goroutine.
type Scorer struct {
	m *Model
	r *row
	k *block     // made when first needed
	x *explainer // so too
}

// NewScorer returns a scorer of m.
func (m *Model) NewScorer() *Scorer { return &Scorer{m: m, r: newRow(m.prog)} }

// Run scores all rows of b, which must be of this scorer's model. Rows fail
// alone: see Batch.Err. The error is ctx's, asked now and then.
func (s *Scorer) Run(ctx context.Context, b *Batch) error {
	clear(b.errs)
	if s.m.plan == nil || s.m.Stateful() {
		return s.interpret(ctx, b)
	}
	if s.k == nil {
		s.k = s.m.plan.block(s.m, s.r)
	}
	for from := 0; from < b.rows; from += blockRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(blockRows, b.rows-from)
		s.k.run(b, from, n)
		if !s.k.odds {
			continue
		}
		for i, odd := range s.k.odd[:n] {
			if odd {
				s.row(b, from+i)
			}
		}
	}
	return nil
}

// interpret scores all rows one by one.
func (s *Scorer) interpret(ctx context.Context, b *Batch) error {
	for i := range b.rows {
		if i%blockRows == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		s.row(b, i)
	}
	return nil
}

func (s *Scorer) row(b *Batch, i int) {
	s.r.begin()
	s.r.use(b.key(i))
	b.give(i, s.r)
	s.score(b, i)
}

// score runs the row that is set and stores its results.
func (s *Scorer) score(b *Batch, i int) {
	res := s.m.top.run(s.r)
	n := len(s.m.targets)
	for j := range n {
		b.out[j].set(i, res.of(j).v)
	}
	for j, o := range s.m.outs {
		b.out[n+j].set(i, o.result(s.r))
	}
	if s.r.err != nil {
		b.errs[i] = s.r.err
		for j := range b.out {
			b.out[j].set(i, none)
		}
	}
	s.r.settle()
}

// A Result is what one row gave: targets first, then outputs, in order.
type Result struct {
	names   []string
	values  []any
	details []TargetDetail
}

// TargetDetail is what the model's kind says of its target beside the value.
type TargetDetail struct {
	Value       any                `json:"value"`
	Probability map[string]float64 `json:"probability,omitempty"`
	Confidence  map[string]float64 `json:"confidence,omitempty"`
	EntityID    string             `json:"entityId,omitempty"`
	Affinity    []float64          `json:"affinity,omitempty"`
	Reasons     []ReasonPoints     `json:"reasons,omitempty"`
}

// ReasonPoints is a scorecard's reason code with the points it stands for.
type ReasonPoints struct {
	Code   string  `json:"code"`
	Points float64 `json:"points"`
}

// Value returns the value of a target or output; nil if it is missing.
func (r Result) Value(name string) any {
	for i, n := range r.names {
		if n == name {
			return r.values[i]
		}
	}
	return nil
}

// Float returns the number of a target or output; NaN where there is none.
func (r Result) Float(name string) float64 {
	switch v := r.Value(name).(type) {
	case float64:
		return v
	case int64:
		return float64(v)
	}
	return math.NaN()
}

// Each calls f for each target and output, in order.
func (r Result) Each(f func(name string, v any)) {
	for i, n := range r.names {
		f(n, r.values[i])
	}
}

// Target says what the model's kind knows of the target, of the first where there are several.
func (r Result) Target() TargetDetail {
	if len(r.details) == 0 {
		return TargetDetail{}
	}
	return r.details[0]
}

// Details say what the model's kind knows of each target, as Model.Targets counts them.
func (r Result) Details() []TargetDetail { return r.details }

// Score scores one row; its error is a *RowError. Fields that the model does
// not know are ignored.
func (m *Model) Score(in Row) (Result, error) { return m.NewScorer().Score(in) }

// Score scores one row with the scorer's buffers.
func (s *Scorer) Score(in Row) (Result, error) { return s.ScoreKeyed("", in) }

func (s *Scorer) scoreRow(in Row) (Result, error) {
	s.r.begin()
	for _, f := range s.m.prog.inputs {
		v := none
		if x, ok := in[f.name]; ok {
			if v, ok = fromGo(x); !ok {
				return Result{}, &RowError{Field: f.name, Kind: KindType, Message: "a value must be a number, text, boolean, null or an array of them"}
			}
		}
		s.r.in[f.index] = v
	}
	res := s.m.top.run(s.r)
	out := Result{}
	add := func(name string, v value) {
		for i, n := range out.names {
			if n == name {
				out.values[i] = v.goValue()
				return
			}
		}
		out.names = append(out.names, name)
		out.values = append(out.values, v.goValue())
	}
	for i, t := range s.m.targets {
		add(t.Name, res.of(i).v)
	}
	for _, o := range s.m.outs {
		add(o.name, o.result(s.r))
	}
	err := s.r.err
	s.r.settle()
	if err != nil {
		return Result{}, err
	}
	for i := range s.m.targets {
		out.details = append(out.details, detail(res.of(i)))
	}
	return out, nil
}

func detail(res *result) TargetDetail {
	d := TargetDetail{Value: res.v.goValue(), EntityID: res.entity}
	if res.entities != nil {
		order := res.ranking()
		if res.top > 0 && res.top < len(order) {
			order = order[:res.top]
		}
		for _, i := range order {
			d.Affinity = append(d.Affinity, res.near[i])
		}
	}
	if res.v.k == missing {
		return d
	}
	if res.classes != nil {
		d.Probability, d.Confidence = map[string]float64{}, map[string]float64{}
		for i, c := range res.classes {
			if i < len(res.p) { // a RuleSetModel has confidences alone
				d.Probability[c] = res.p[i]
			}
			if res.confidence != nil {
				d.Confidence[c] = res.confidence[i]
			}
		}
		if len(res.p) == 0 {
			d.Probability = nil
		}
		if res.confidence == nil {
			d.Confidence = nil
		}
	}
	for _, x := range res.reasons {
		d.Reasons = append(d.Reasons, ReasonPoints{x.code, x.points})
	}
	return d
}
