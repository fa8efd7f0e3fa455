package fleet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mudpulse/mudpulse/simulators/rig"
	"github.com/mudpulse/mudpulse/telemetry"
)

// A Scenario is a fleet written by hand: who drills, and what befalls whom when.
//
//	{"seed": 7, "drills": [
//	  {"name": "RIG-01", "field": "Kestrel", "faults": [
//	    {"kind": "washout", "start": "20m", "life": "5h"},
//	    {"kind": "stuck_sensor", "start": "1h", "life": "30m", "channel": "SPP"}],
//	   "line": [
//	    {"kind": "clock_offset", "start": "2h", "life": "24h", "size": -90},
//	    {"kind": "outage", "start": "3h", "life": "20m"}]}]}
//
// start counts from the scenario's beginning and may be negative; size is 1
// unless it says otherwise; mended is when somebody repairs it, else nobody does.
type Scenario struct {
	Seed   uint64          `json:"seed"`
	Drills []ScenarioDrill `json:"drills"`
}

// ScenarioDrill is one drill of it.
type ScenarioDrill struct {
	Name       string          `json:"name"`
	Field      string          `json:"field,omitempty"`
	Contractor string          `json:"contractor,omitempty"`
	Shifted    bool            `json:"shifted,omitempty"` // a machine of another kind
	Faults     []ScenarioFault `json:"faults,omitempty"`
	Line       []ScenarioFault `json:"line,omitempty"` // clock_offset, clock_drift, duplicates, disorder, outage: no channel, nobody mends them
}

// ScenarioFault is one fault of it; spans are Go durations in quotes.
type ScenarioFault struct {
	Kind    string  `json:"kind"`
	Start   string  `json:"start"`
	Life    string  `json:"life"`
	Mended  string  `json:"mended,omitempty"`
	Channel string  `json:"channel,omitempty"`
	Size    float64 `json:"size,omitempty"`
}

// MaxScenario bounds a scenario's drills.
const MaxScenario = 10_000

// ParseScenario reads a scenario in JSON; the error joins all that is wrong.
func ParseScenario(b []byte) (*Scenario, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var s Scenario
	if err := d.Decode(&s); err != nil {
		return nil, fmt.Errorf("scenario: %w", err)
	}
	var all []error
	if len(s.Drills) == 0 || len(s.Drills) > MaxScenario {
		all = append(all, fmt.Errorf("scenario: drills: want 1 to %d, not %d", MaxScenario, len(s.Drills)))
	}
	names := map[string]bool{}
	for i, d := range s.Drills {
		if err := telemetry.ValidID(d.Name); err != nil || names[d.Name] {
			all = append(all, fmt.Errorf("scenario: drill #%d: name %q: must be a drill's name, and used once", i+1, d.Name))
		}
		names[d.Name] = true
		for j, f := range d.Faults {
			if _, err := f.fault(time.Time{}); err != nil {
				all = append(all, fmt.Errorf("scenario: drill %s: fault #%d: %w", d.Name, j+1, err))
			}
		}
		for j, f := range d.Line {
			if _, err := f.line(time.Time{}); err != nil {
				all = append(all, fmt.Errorf("scenario: drill %s: line #%d: %w", d.Name, j+1, err))
			}
		}
	}
	return &s, errors.Join(all...)
}

func (f ScenarioFault) fault(start time.Time) (rig.Fault, error) {
	out := rig.Fault{Kind: f.Kind, Channel: f.Channel, Size: f.Size}
	var all []error
	if !slices.Contains(rig.Kinds, f.Kind) {
		all = append(all, fmt.Errorf("kind: %q is none of %v", f.Kind, rig.Kinds))
	}
	span := spans(&all)
	out.Start = start.Add(span("start", f.Start, false))
	out.Life = span("life", f.Life, true)
	if f.Mended != "" {
		out.Mended = start.Add(span("mended", f.Mended, false))
	}
	if rig.OfSensor(f.Kind) != (f.Channel != "") {
		all = append(all, fmt.Errorf("channel: a fault of a sensor names one, and no other does"))
	}
	return out, errors.Join(all...)
}

// spans reads spans, and adds to all what is none.
func spans(all *[]error) func(key, text string, positive bool) time.Duration {
	return func(key, text string, positive bool) time.Duration {
		d, err := time.ParseDuration(text)
		if err != nil || positive && d < time.Second {
			*all = append(*all, fmt.Errorf("%s: %q: write a span, as \"90m\" or \"72h\"", key, text))
		}
		return d
	}
}

// line is a fault of the line.
func (f ScenarioFault) line(start time.Time) (LineFault, error) {
	out := LineFault{Kind: f.Kind, Size: f.Size}
	var all []error
	span := spans(&all)
	out.Start = start.Add(span("start", f.Start, false))
	out.Life = span("life", f.Life, true)
	switch f.Kind {
	case ClockOffset, ClockDrift:
		if f.Size == 0 {
			all = append(all, errors.New("size: 0: say by how many seconds, or seconds an hour"))
		}
	case Duplicates, Disorder:
		if f.Size <= 0 || f.Size > 1 {
			all = append(all, fmt.Errorf("size: %v: must be a share, above 0 and up to 1", f.Size))
		}
	case Outage:
	default:
		all = append(all, fmt.Errorf("kind: %q is none of %v", f.Kind, LineKinds))
	}
	if f.Channel != "" || f.Mended != "" {
		all = append(all, errors.New("channel, mended: a fault of the line has neither; it lasts for its life"))
	}
	return out, errors.Join(all...)
}

// Fleet returns the scenario's drills as they stand at start; their crews have
// worked for Days before.
func (s *Scenario) Fleet(start time.Time) []Drill {
	var out []Drill
	for _, d := range s.Drills {
		var faults []rig.Fault
		for _, f := range d.Faults {
			x, err := f.fault(start)
			if err != nil {
				panic("BUG: a scenario that was not parsed: " + err.Error())
			}
			faults = append(faults, x)
		}
		epoch := start.Add(-Days * 24 * time.Hour)
		cfg := rig.Draw(d.Name, s.Seed, epoch, faults...)
		if d.Shifted {
			cfg = rig.DrawShifted(d.Name, s.Seed, epoch, faults...)
		}
		var line []LineFault
		for _, f := range d.Line {
			x, err := f.line(start)
			if err != nil {
				panic("BUG: a scenario that was not parsed: " + err.Error())
			}
			line = append(line, x)
		}
		out = append(out, Drill{Name: d.Name, Field: d.Field, Contractor: d.Contractor, Faults: faults, Line: line, Rig: rig.NewConfigured(cfg)})
	}
	return out
}
