package duckdb

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/mudpulse/mudpulse/storage/internal/ledger"
	"github.com/mudpulse/mudpulse/telemetry"
)

// A score's numbers are stored as one list of doubles, and what they are called
// once, in layouts: the models and outputs of a drill seldom change.

// outputNames is a layout of outputs.
type outputNames struct {
	Models []modelNames `json:"m"`
	Ages   bool         `json:"a,omitempty"` // behind the outputs come the models' Result.At, in µs, NULL for this tick
	Runs   []string     `json:"r,omitempty"` // Score.Runs
	Stood  []string     `json:"h,omitempty"` // subsystems whose SubsystemHealth.At come behind all that, in µs
}

type modelNames struct {
	Model   string   `json:"m"`
	Shadow  bool     `json:"s,omitempty"`
	Outputs []string `json:"o"`
}

// reasonNames is one of a layout of reasons; its numbers are points, value, normal.
type reasonNames struct {
	Subsystem string `json:"s"`
	Model     string `json:"m"`
	Code      string `json:"c"`
	Feature   string `json:"f"`
}

// texts are a score's outputs that are no numbers, and errors: rare.
type texts struct {
	Text  map[int]string `json:"t,omitempty"` // by index into outputs
	Error map[int]string `json:"e,omitempty"` // by index into the layout's models
}

// addScore appends one row of scores.
func (s *Store) addScore(sc *telemetry.Score, content uint64, arrived, ord int64) error {
	p := s.partFor(sc.Tick)
	t := p.t.scores
	c := t.cols
	i := 0
	next := func() *column { i++; return c[i-1] }
	str := func(v string) { col := next(); col.text = append(col.text, v) }
	num := func(v float64) { col := next(); col.f64 = append(col.f64, v) }
	big := func(v int64) { col := next(); col.i64 = append(col.i64, v) }
	small := func(v byte) { col := next(); col.u8 = append(col.u8, v) }

	str(sc.Drill)
	big(p.span(us(sc.Tick)))
	big(int64(sc.CauseHash))
	big(int64(content))
	small(byte(sc.Origin))
	small(bit(sc.Simulated))
	str(sc.State)
	big(usOrNull(sc.StateSince))
	num(sc.Health)
	num(sc.Confidence)
	for _, name := range telemetry.Subsystems {
		h, conf := math.NaN(), math.NaN()
		for _, sub := range sc.Subsystems {
			if sub.Name == name {
				h, conf = sub.Health, sub.Confidence
			}
		}
		num(h)
		num(conf)
	}
	num(sc.TimeLeft)
	num(sc.TimeLeftLow)
	num(sc.TimeLeftHigh)

	names := outputNames{Runs: sc.Runs}
	var odd texts
	col := c[i+1]
	n := 0
	for m, r := range sc.Results {
		mn := modelNames{Model: r.Model, Shadow: r.Shadow, Outputs: []string{}}
		names.Ages = names.Ages || r.At != 0
		if r.Error != "" {
			if odd.Error == nil {
				odd.Error = map[int]string{}
			}
			odd.Error[m] = r.Error
		}
		for _, o := range r.Outputs {
			mn.Outputs = append(mn.Outputs, o.Name)
			if o.Text != "" {
				if odd.Text == nil {
					odd.Text = map[int]string{}
				}
				odd.Text[n] = o.Text
			}
			col.f64 = append(col.f64, o.Number)
			n++
		}
		names.Models = append(names.Models, mn)
	}
	for _, r := range sc.Results {
		switch {
		case names.Ages && r.At != 0:
			col.f64 = append(col.f64, float64(us(r.At)))
		case names.Ages:
			col.f64 = append(col.f64, math.NaN())
		}
	}
	for _, h := range sc.Subsystems {
		if h.At != 0 {
			names.Stood = append(names.Stood, h.Name)
			col.f64 = append(col.f64, float64(us(h.At)))
		}
	}
	layout, err := s.layout(names)
	if err != nil {
		return err
	}
	lc := next()
	lc.i32 = append(lc.i32, layout)
	next()
	col.ends = append(col.ends, uint64(len(col.f64)))
	if odd.Text != nil || odd.Error != nil {
		b, err := json.Marshal(odd)
		if err != nil {
			return fmt.Errorf("score of %s: texts: %w", sc.Drill, err)
		}
		str(string(b))
	} else {
		str("")
	}

	// Reasons are kept in one order whatever their points, so that few layouts serve.
	reasons := slices.Clone(sc.Reasons)
	slices.SortStableFunc(reasons, func(a, b telemetry.Reason) int {
		return cmp.Or(cmp.Compare(a.Subsystem, b.Subsystem), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Feature, b.Feature))
	})
	rn := make([]reasonNames, len(reasons))
	lc, col = next(), next()
	for k, r := range reasons {
		rn[k] = reasonNames{r.Subsystem, r.Model, r.Code, r.Feature}
		col.f64 = append(col.f64, r.Points, r.Value, r.Normal)
	}
	if layout, err = s.layout(rn); err != nil {
		return err
	}
	lc.i32 = append(lc.i32, layout)
	col.ends = append(col.ends, uint64(len(col.f64)))

	src, seq, part, uid := next(), next(), next(), next()
	for _, id := range sc.Causes {
		base, u := ledger.SplitBoot(id.Boot)
		n := s.source(sc.Drill, id.Device, base)
		s.book.note(p, n, base, id.Seq, true)
		src.i32 = append(src.i32, n)
		seq.i64 = append(seq.i64, int64(id.Seq))
		part.i64 = append(part.i64, int64(id.Part))
		uid.i64 = append(uid.i64, int64(u))
	}
	src.ends = append(src.ends, uint64(len(src.i32)))
	seq.ends = append(seq.ends, uint64(len(seq.i64)))
	part.ends = append(part.ends, uint64(len(part.i64)))
	uid.ends = append(uid.ends, uint64(len(uid.i64)))
	big(usOrNull(sc.Produced))
	big(us(arrived))
	big(ord)
	hc := next()
	hc.i32 = append(hc.i32, p.hourOf(sc.Tick))
	t.n++
	return nil
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// scoreColumns is what scanScore reads, in order.
func scoreColumns() string {
	s := "drill, tick, cause_hash, origin, simulated, state, state_since, health, confidence"
	for _, name := range telemetry.Subsystems {
		s += ", health_" + name + ", confidence_" + name
	}
	return s + `, time_left, time_left_low, time_left_high, layout, outputs, texts, reasons_layout, reasons, cause_src, cause_seq, cause_part, cause_uid, produced`
}

type scanner interface{ Scan(...any) error }

// scanScore reads a row of scoreColumns.
func (s *Store) scanScore(rows scanner) (telemetry.Score, error) {
	var sc telemetry.Score
	var tick time.Time
	var since, produced *time.Time
	var health, confidence, left, low, high *float64
	var state, odd *string
	var origin byte
	var layout, rlayout int32
	var outputs, reasons, csrc, cseq, cpart, cuid any
	subs := make([]*float64, 2*len(telemetry.Subsystems))
	dst := []any{&sc.Drill, &tick, &sc.CauseHash, &origin, &sc.Simulated, &state, &since, &health, &confidence}
	for i := range subs {
		dst = append(dst, &subs[i])
	}
	dst = append(dst, &left, &low, &high, &layout, &outputs, &odd, &rlayout, &reasons, &csrc, &cseq, &cpart, &cuid, &produced)
	if err := rows.Scan(dst...); err != nil {
		return sc, fmt.Errorf("read score: %w", err)
	}
	sc.Tick = tick.UnixNano()
	sc.Origin = telemetry.Origin(origin)
	sc.State = deref(state)
	sc.Health, sc.Confidence, sc.TimeLeft, sc.TimeLeftLow, sc.TimeLeftHigh = number(health), number(confidence), number(left), number(low), number(high)
	if since != nil {
		sc.StateSince = since.UnixNano()
	}
	if produced != nil {
		sc.Produced = produced.UnixNano()
	}
	for i, name := range telemetry.Subsystems {
		if subs[2*i] != nil || subs[2*i+1] != nil {
			sc.Subsystems = append(sc.Subsystems, telemetry.SubsystemHealth{Name: name, Health: number(subs[2*i]), Confidence: number(subs[2*i+1])})
		}
	}
	var names outputNames
	if err := s.layoutNames(layout, &names); err != nil {
		return sc, err
	}
	var t texts
	if odd != nil {
		if err := json.Unmarshal([]byte(*odd), &t); err != nil {
			return sc, fmt.Errorf("read score of %s: texts: %w", sc.Drill, err)
		}
	}
	sc.Runs = names.Runs
	nums := floats(outputs)
	n := 0
	for m, mn := range names.Models {
		r := telemetry.Result{Model: mn.Model, Shadow: mn.Shadow, Error: t.Error[m]}
		for _, name := range mn.Outputs {
			if n == len(nums) {
				return sc, fmt.Errorf("read score of %s: layout %d names more outputs than the row has", sc.Drill, layout)
			}
			r.Outputs = append(r.Outputs, telemetry.Output{Name: name, Number: nums[n], Text: t.Text[n]})
			n++
		}
		sc.Results = append(sc.Results, r)
	}
	if names.Ages && len(nums) >= n+len(sc.Results) {
		for m := range sc.Results {
			if at := nums[n+m]; at == at {
				sc.Results[m].At = int64(at) * 1000
			}
		}
		n += len(sc.Results)
	}
	for k, name := range names.Stood {
		if i := slices.IndexFunc(sc.Subsystems, func(h telemetry.SubsystemHealth) bool { return h.Name == name }); i >= 0 && n+k < len(nums) {
			sc.Subsystems[i].At = int64(nums[n+k]) * 1000
		}
	}
	var rn []reasonNames
	if err := s.layoutNames(rlayout, &rn); err != nil {
		return sc, err
	}
	nums = floats(reasons)
	if len(nums) != 3*len(rn) {
		return sc, fmt.Errorf("read score of %s: layout %d does not fit its reasons", sc.Drill, rlayout)
	}
	for i, r := range rn {
		sc.Reasons = append(sc.Reasons, telemetry.Reason{Subsystem: r.Subsystem, Model: r.Model, Code: r.Code, Feature: r.Feature,
			Points: nums[3*i], Value: nums[3*i+1], Normal: nums[3*i+2]})
	}
	slices.SortStableFunc(sc.Reasons, func(a, b telemetry.Reason) int { return cmp.Compare(b.Points, a.Points) })
	srcs, seqs, parts, uids := list(csrc), list(cseq), list(cpart), list(cuid)
	for i := range srcs {
		src, _ := srcs[i].(int32)
		seq, _ := seqs[i].(uint64)
		part, _ := parts[i].(uint64)
		uid, _ := uids[i].(uint64)
		name := s.sourceName(src)
		sc.Causes = append(sc.Causes, telemetry.FrameID{Device: name.device, Boot: ledger.JoinBoot(name.boot, uid), Seq: seq, Part: uint32(part)})
	}
	return sc, nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func number(p *float64) float64 {
	if p == nil {
		return math.NaN()
	}
	return *p
}

func list(v any) []any { l, _ := v.([]any); return l }

func floats(v any) []float64 {
	l := list(v)
	out := make([]float64, len(l))
	for i, x := range l {
		f, ok := x.(float64)
		if !ok {
			f = math.NaN()
		}
		out[i] = f
	}
	return out
}
