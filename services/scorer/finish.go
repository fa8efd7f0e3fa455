package scorer

import (
	"strconv"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/telemetry"
)

// finish makes the score of a row that was run, and watches it for alarms.
func (l *lane) finish(w *row, at int) {
	p, s := w.prog, &l.score
	num, txt := l.num[w.num:w.num+len(p.names)], l.txt[w.num:w.num+len(p.names)]
	causes := l.causes[w.cause : w.cause+w.causes : w.cause+w.causes]
	s.Drill, s.Tick, s.Causes, s.CauseHash = w.rd.drill, w.tick, causes, telemetry.CauseHash(causes)
	s.Origin, s.Simulated = w.origin, w.simulated
	s.State, s.StateSince = telemetry.States[w.state], w.since
	s.Runs = w.rd.runsAt(w.tick)
	if l.part.tap != nil {
		l.part.tap(l, w, num)
	}
	l.results(w, num, txt)
	vnum, vtxt, ages := l.stand(w, num, txt)
	p.compose.write(l, w, vnum, vtxt, ages, &w.subs, s)
	for _, i := range p.compose.own {
		l.composeOwn(w, i, at)
	}
	l.part.out.Score(s)
	if !w.amend || w.rd.det.RaisedAt(w.tick) {
		l.watchRow(w, num)
	}
	l.part.count.rows++
}

// results writes what each model said, now or since its last run.
func (l *lane) results(w *row, num []float64, txt []string) {
	p, s := w.prog, &l.score
	s.Results = s.Results[:0]
	l.outs = l.outs[:0]
	for i := range p.nodes {
		n := &p.nodes[i]
		due, err, at := l.due[w.due+i], l.errs[w.due+i], l.carried[w.due+i]
		if n.broken != "" && w.rd.can[i] {
			err = n.broken
		}
		if !due && at == 0 && err == "" {
			continue
		}
		r := telemetry.Result{Model: n.ref, Shadow: n.shadow, Error: err, At: at}
		if err == "" {
			from := len(l.outs)
			for k, sig := range n.out {
				l.outs = append(l.outs, telemetry.Output{Name: n.activation.out[k], Number: num[sig], Text: txt[sig]})
			}
			r.Outputs = l.outs[from:len(l.outs):len(l.outs)]
		} else {
			l.part.count.errors++
			if due || n.broken != "" {
				n.faults.note(w.rd.drill, w.tick, err)
			}
		}
		s.Results = append(s.Results, r)
	}
}

// watchRow steps the drill's alarms; a row that is amended changes only what
// alarms of its tick rest on.
func (l *lane) watchRow(w *row, num []float64) {
	p := w.prog
	t := &l.tick
	t.At, t.State, t.Since = w.tick, telemetry.States[w.state], w.since
	t.Origin, t.Simulated = w.origin, w.simulated
	if l.which != laneLive {
		t.Origin = telemetry.Backfill // nothing old pages anyone
	}
	t.Runs = w.rd.runsAt(w.tick)
	t.Frames, t.Health, t.TimeLeft = l.score.Causes, l.score.Health, l.score.TimeLeft
	t.Values, t.Fresh = resize(t.Values, len(p.watched)), resize(t.Fresh, len(p.watched))
	for i, sig := range p.watched {
		v := num[sig]
		t.Values[i] = v
		fresh := v == v
		if n := p.node[sig]; n >= 0 {
			fresh = fresh && l.due[w.due+n] && !p.nodes[n].shadow
		}
		t.Fresh[i] = fresh
	}
	l.looker = looker{l: l, w: w, num: num}
	if w.amend {
		w.rd.det.Amend(t, &l.looker, l.part.out.Alarm)
		return
	}
	w.rd.det.Step(t, &l.looker, l.part.out.Alarm)
}

func (l *lane) topic() string {
	if l.which == laneHistory {
		return "backfill"
	}
	return "frames"
}

// looker answers what an alarm asks when it is raised.
type looker struct {
	l   *lane
	w   *row
	num []float64
}

// Look returns a signal's value in the row.
func (k *looker) Look(signal string) float64 { return k.l.look(k.w, k.num, signal) }

// Unit returns the unit and normal band of a channel.
func (k *looker) Unit(signal string) (string, float64, float64) {
	if c := k.l.channel(signal); c != nil {
		return c.Unit, c.NormalLow, c.NormalHigh
	}
	return "", nan, nan
}

// Offset names the record that caused the row.
func (k *looker) Offset() string {
	return k.l.topic() + "-" + strconv.Itoa(k.l.part.cfg.Number) + "-" + strconv.FormatInt(k.w.offset, 10)
}

// Explain runs the model on the row once more, to say what its score is made of.
func (k *looker) Explain(model string, e *telemetry.Evidence) (ref, sha256 string) {
	p := k.w.prog
	for i := range p.nodes {
		n := &p.nodes[i]
		if n.name != model || n.shadow {
			continue
		}
		for _, sig := range n.in {
			m := telemetry.Measured{Name: p.names[sig], Value: k.num[sig]}
			if m.Value != m.Value {
				m.Value, m.Missing = 0, true
			}
			if unit, low, high := k.Unit(p.names[sig]); unit != "" {
				m.Unit, m.Low, m.High = unit, low, high
			}
			e.Inputs = append(e.Inputs, m)
		}
		k.explain(n, e)
		return n.ref, n.sha256
	}
	return "", ""
}

func (k *looker) explain(n *node, e *telemetry.Evidence) {
	if n.memory != nil { // the row is part of what it remembers now
		return
	}
	defer func() {
		if recover() != nil { // a model that cannot be explained still raises its alarm
			k.l.part.count.panics++
			n.renew(n.remembered())
			e.Contributions = nil
		}
	}()
	at := []int{0}
	for i := range k.l.rows {
		if &k.l.rows[i] == k.w {
			at[0] = i
		}
	}
	k.l.fill(n, at)
	n.eval.Run()
	if n.eval.Err(0) == nil {
		n.eval.Explain(0, e)
	}
}

var _ alarms.Source = (*looker)(nil)
