package alarms

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// ID returns the identity of an alarm: the same on every replay.
func ID(drill, rule string, raised int64) string {
	return drill + "/" + rule + "/" + strconv.FormatInt(raised/int64(time.Second), 10)
}

// event begins an event of rule i.
func (d *Detector) event(what string, i int, t *Tick, v float64, src Source) *telemetry.AlarmEvent {
	x, s := &d.watch.rules[i], &d.st[i]
	e := &telemetry.AlarmEvent{
		Event: what, ID: ID(d.drill, x.ID, s.raised), Drill: d.drill, Rule: x.ID, RuleV: d.watch.Version, RulesSHA256: d.watch.SHA256, Incident: s.incident,
		At: t.At, Raised: s.raised, Priority: int(s.priority), Subsystem: x.Subsystem, Title: x.Title,
		Signal: x.Signal, Unit: x.Unit, Value: number(v), Limit: x.Limit, State: t.State,
		Health: number(t.Health), TimeLeft: number(t.TimeLeft), Origin: s.origin, Simulated: t.Simulated, Runs: t.Runs,
		Evidence: &telemetry.Evidence{Tick: t.At, Score: number(v), Frames: slices.Clone(t.Frames)},
	}
	if src != nil {
		e.Evidence.Offset = src.Offset()
	}
	return e
}

// number keeps what JSON cannot hold out of it; 0 where a field is empty at 0.
func number(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

// explain writes reason, advice and the evidence of an alarm that is raised.
func (d *Detector) explain(e *telemetry.AlarmEvent, x *watched, t *Tick, src Source, since int64) {
	if x.model != "" {
		e.Model, e.ModelSHA256 = src.Explain(x.model, e.Evidence)
	}
	d.measure(e, x, src)
	look := func(name string) (float64, string) {
		switch name {
		case "value":
			return 0, Number(e.Value, x.Format)
		case "limit":
			return 0, Number(x.Limit, x.Format)
		case "normal":
			if v := src.Look(x.Normal); x.Normal != "" && v == v {
				return 0, Number(v, x.Format)
			}
			return math.NaN(), ""
		case "drill":
			return 0, d.drill
		case "state":
			return 0, t.State
		case "for":
			return 0, span(t.At - since)
		}
		return src.Look(name), ""
	}
	e.Reason = x.reason.fill(look)
	if e.Reason == "" { // none of its sentences can be said
		e.Reason = plain(e, x.Format)
	}
	e.Advice = x.advice.fill(look)
}

// plain says what every alarm can say.
func plain(e *telemetry.AlarmEvent, format string) string {
	unit := ""
	if e.Unit != "" && e.Unit != "–" {
		unit = " " + e.Unit
	}
	return fmt.Sprintf("%s: %s%s, limit %s%s.", e.Title, Number(e.Value, format), unit, Number(e.Limit, format), unit)
}

// measure adds the values of the rule's signals as they stand.
func (d *Detector) measure(e *telemetry.AlarmEvent, x *watched, src Source) {
	add := func(name string) {
		if name == "" || slices.ContainsFunc(e.Evidence.Inputs, func(m telemetry.Measured) bool { return m.Name == name }) {
			return
		}
		v := src.Look(name)
		m := telemetry.Measured{Name: name, Value: number(v), Missing: v != v}
		unit, low, high := src.Unit(name)
		if m.Unit = unit; low < high {
			m.Low, m.High = low, high
		}
		e.Evidence.Inputs = append(e.Evidence.Inputs, m)
	}
	add(x.Signal)
	add(x.Normal)
	for _, c := range x.And {
		add(c.Signal)
	}
	for _, name := range x.Inputs {
		add(name)
	}
	for _, name := range x.reason.signals() {
		add(name)
	}
	for _, name := range x.advice.signals() {
		add(name)
	}
	for _, m := range e.Evidence.Inputs {
		if w, ok := src.Snapshot(m.Name); ok && !slices.Contains(e.Evidence.Snapshots, w) {
			e.Evidence.Snapshots = append(e.Evidence.Snapshots, w)
		}
	}
}

// tidy keeps what JSON cannot hold out of the evidence that a model gave.
func tidy(e *telemetry.Evidence) {
	e.Baseline, e.Score = number(e.Baseline), number(e.Score)
	for i := range e.Contributions {
		e.Contributions[i].Value = number(e.Contributions[i].Value)
	}
	for i := range e.Inputs {
		m := &e.Inputs[i]
		if m.Value != number(m.Value) {
			m.Value, m.Missing = 0, true
		}
		m.Low, m.High = number(m.Low), number(m.High)
	}
}

// seal chains the event to the one before it at this drill and road.
func (d *Detector) seal(e *telemetry.AlarmEvent) {
	tidy(e.Evidence)
	e.Evidence.Prev = ""
	if d.prev[0] != 0 {
		e.Evidence.Prev = string(d.prev[:])
	}
	e.Evidence.Hash = Hash(e)
	copy(d.prev[:], e.Evidence.Hash)
}

// Hash returns the SHA-256, in hex, of e in JSON without its own hash.
func Hash(e *telemetry.AlarmEvent) string {
	c := *e
	if e.Evidence != nil {
		ev := *e.Evidence
		ev.Hash = ""
		c.Evidence = &ev
	}
	b, err := json.Marshal(&c)
	if err != nil {
		panic("BUG: alarm event: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Verify checks the chain of one drill's events of one road, in the order they
// were made. It returns which event was changed or is missing before which.
func Verify(events []telemetry.AlarmEvent) error {
	prev := ""
	for i := range events {
		e := &events[i]
		if e.Evidence == nil {
			return fmt.Errorf("event %d, %s of %s: its evidence is gone", i, e.Event, e.ID)
		}
		if got := Hash(e); got != e.Evidence.Hash {
			return fmt.Errorf("event %d, %s of %s: was changed: its bytes hash to %.12s…, not %.12s…", i, e.Event, e.ID, got, e.Evidence.Hash)
		}
		if i > 0 && e.Evidence.Prev != prev {
			return fmt.Errorf("event %d, %s of %s: an event before it is missing or was added", i, e.Event, e.ID)
		}
		prev = e.Evidence.Hash
	}
	return nil
}

// span writes a time in words: "40 s", "12 min", "3.5 h".
func span(ns int64) string {
	switch d := time.Duration(ns); {
	case d < 2*time.Minute:
		return strconv.Itoa(int(d/time.Second)) + " s"
	case d < 2*time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + " min"
	case d < 48*time.Hour:
		return strconv.FormatFloat(d.Hours(), 'f', 1, 64) + " h"
	default:
		return strconv.FormatFloat(d.Hours()/24, 'f', 1, 64) + " days"
	}
}
