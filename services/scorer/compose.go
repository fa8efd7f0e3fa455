package scorer

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mudpulse/mudpulse/telemetry"
)

// Names of outputs by which models take part in a drill's health.
const (
	outHealth   = "health_" // + subsystem: 0…100
	outReason   = "reason_" // + subsystem [+ "_" + rank]: text "code" or "code:signal"
	outPoints   = "points_" // + subsystem [+ "_" + rank]: points that the reason of that rank took; else all that is missing to 100
	outNormal   = "normal_" // + subsystem [+ "_" + rank]: what the reason's signal should be
	outTimeLeft = "time_left_h"
	outLeftLow  = "time_left_low_h"
	outLeftHigh = "time_left_high_h"
)

// A drill is as healthy as its worst subsystem; each further one below lowHealth costs extraPoints.
const (
	lowHealth   = 70.0
	extraPoints = 3.0
)

const subs = len(telemetry.Subsystems)

// A composer knows which of a program's signals say something of health.
type composer struct {
	health   [subs][]verdict
	judges   []int // nodes that say something of health
	reasons  []verdict
	timeLeft []verdict
	own      []int // nodes of models that compose the drill's health, shadows among them
}

// A verdict is one model's word on a subsystem, or on the time left; signals, -1 none.
type verdict struct {
	node, sub      int
	value          int // health, reason's code, or median of the time left
	points, normal int
	low, high      int
}

func subsystem(name string) int { return slices.Index(telemetry.Subsystems[:], name) }

func newComposer(p *program) composer {
	var c composer
	for i := range p.nodes {
		n := &p.nodes[i]
		if n.composes() {
			c.own = append(c.own, i)
			continue
		}
		if n.shadow {
			continue
		}
		out := func(name string) int {
			if k := slices.Index(n.activation.out, name); k >= 0 {
				return n.out[k]
			}
			return -1
		}
		for k, name := range n.activation.out {
			if s, ok := strings.CutPrefix(name, outHealth); ok && subsystem(s) >= 0 {
				c.health[subsystem(s)] = append(c.health[subsystem(s)], verdict{node: i, value: n.out[k]})
				if !slices.Contains(c.judges, i) {
					c.judges = append(c.judges, i)
				}
			}
			if rest, ok := strings.CutPrefix(name, outReason); ok {
				base, _, _ := strings.Cut(rest, "_")
				if s := subsystem(base); s >= 0 {
					c.reasons = append(c.reasons, verdict{node: i, sub: s, value: n.out[k], points: out(outPoints + rest), normal: out(outNormal + rest)})
				}
			}
		}
		if m := out(outTimeLeft); m >= 0 {
			c.timeLeft = append(c.timeLeft, verdict{node: i, value: m, low: out(outLeftLow), high: out(outLeftHigh)})
		}
	}
	return c
}

// write fills in a score's health, reasons and time left. Where no model says
// anything of health it stays unknown. ages are the ticks of words that were
// said before this one, by node.
func (c *composer) write(l *lane, w *row, num []float64, txt []string, ages []int64, conf *[subs]float64, s *telemetry.Score) {
	p := w.prog
	s.Subsystems, s.Reasons = s.Subsystems[:0], s.Reasons[:0]
	s.Health, s.Confidence = nan, 0
	s.TimeLeft, s.TimeLeftLow, s.TimeLeftHigh = nan, nan, nan
	worst, low := -1, 0
	total, heard := 0.0, 0
	for i, name := range telemetry.Subsystems {
		h, at, hold := nan, int64(0), int64(0)
		for _, v := range c.health[i] {
			if x := num[v.value]; x == x && !(h <= x) {
				h, at, hold = min(100, max(0, x)), ages[v.node], p.nodes[v.node].hold
			}
		}
		if conf[i] == conf[i] {
			total += conf[i]
			heard++
		}
		if h != h && conf[i] != conf[i] {
			continue
		}
		cf := conf[i]
		if cf != cf {
			cf = 0
		}
		if at != 0 {
			cf *= max(0, 1-float64(s.Tick-at)/float64(hold))
			conf[i] = cf
		}
		s.Subsystems = append(s.Subsystems, telemetry.SubsystemHealth{Name: name, Health: h, Confidence: cf, At: at})
		if h != h {
			continue
		}
		if worst < 0 || h < s.Health {
			worst, s.Health = i, h
		}
		if h < lowHealth {
			low++
		}
	}
	if heard > 0 {
		s.Confidence = total / float64(heard)
	}
	if worst >= 0 {
		if s.Health < lowHealth {
			low-- // the worst itself
		}
		s.Health = max(0, s.Health-extraPoints*float64(low))
		if cf := conf[worst]; cf < s.Confidence {
			s.Confidence = cf
		}
	}
	for _, v := range c.reasons {
		code, signal, _ := strings.Cut(txt[v.value], ":")
		if code == "" {
			continue
		}
		points := nan
		if v.points >= 0 {
			points = num[v.points]
		} else {
			for _, h := range s.Subsystems {
				if h.Name == telemetry.Subsystems[v.sub] {
					points = 100 - h.Health
				}
			}
		}
		if !(points > 0) {
			continue
		}
		r := telemetry.Reason{Subsystem: telemetry.Subsystems[v.sub], Model: p.nodes[v.node].ref, Code: code, Points: points, Feature: signal, Value: nan, Normal: nan}
		if signal != "" {
			r.Value = l.look(w, num, signal)
		}
		if v.normal >= 0 {
			r.Normal = num[v.normal]
		}
		s.Reasons = append(s.Reasons, r)
	}
	slices.SortStableFunc(s.Reasons, func(a, b telemetry.Reason) int { return cmp.Compare(b.Points, a.Points) })
	for _, v := range c.timeLeft {
		if x := num[v.value]; x == x && !(s.TimeLeft <= x) {
			s.TimeLeft, s.TimeLeftLow, s.TimeLeftHigh = x, nan, nan
			if v.low >= 0 {
				s.TimeLeftLow = num[v.low]
			}
			if v.high >= 0 {
				s.TimeLeftHigh = num[v.high]
			}
		}
	}
}

// confidence says how far each subsystem's channels can be trusted at a tick:
// the mean share of good samples, none for a channel that has fallen silent
// within the last hour; NaN where no channel was heard. Bad data lowers
// confidence, never health.
func confidence(r *road, tick int64, out *[subs]float64) {
	var sum [subs + 1]float64
	var n [subs + 1]int
	for i := range r.slots {
		s := &r.slots[i]
		if !s.used || s.sparse || s.tick == 0 || tick-s.tick > 3600*second {
			continue
		}
		c := 0.0
		if s.all > 0 && tick-s.tick <= s.stale() {
			c = float64(s.good) / float64(s.all)
		}
		sum[subs] += c
		n[subs]++
		if s.sub >= 0 {
			sum[s.sub] += c
			n[s.sub]++
		}
	}
	for i := range out {
		out[i] = nan
		if n[i] > 0 {
			out[i] = sum[i] / float64(n[i])
		}
	}
	if k := subsystem(telemetry.SubsystemInstruments); n[k] == 0 && n[subs] > 0 {
		out[k] = sum[subs] / float64(n[subs]) // the instruments are all channels together
	}
}
