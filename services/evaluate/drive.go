package evaluate

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/services/scorer"
	"github.com/mudpulse/mudpulse/simulators/fleet"
	"github.com/mudpulse/mudpulse/simulators/rig"
	"github.com/mudpulse/mudpulse/telemetry"
)

// A run is one drill's study under one contender.
type run struct {
	drill    string
	days     float64
	faults   []rig.Fault
	doings   []doing
	episodes []Episode
	left     []leftSample
	chances  []chance
	ticks    int64 // with a known health, nothing being the matter
	low      int64 // of those, with a health below lowHealth

	rates *rates    // of the first contender at full rate
	duty  []Episode // its alarms from one second a minute
}

// lowHealth is where a drill's number draws the eye (research §3.5: plan).
const lowHealth = 60

// An Episode is one alarm from raised to cleared.
type Episode struct {
	Drill, Rule string
	Kind        string // alarms.Limit or alarms.Model
	Priority    int    // highest it came to
	Raised      time.Time
	Cleared     time.Time // zero: it stood at the end
	Again       int       // times that it came back soon after it was cleared
	Reason      string
}

// A doing is a dysfunction from its first second to its last.
type doing struct {
	kind     string
	from, to time.Time
}

// A leftSample is what a model said of the time left beside what was left.
type leftSample struct {
	kind        string
	said, truth float64 // hours
	age         float64 // of the fault's life, 0…1
}

// A chance is what a model said of a failure within 72 h, and whether one came.
type chance struct {
	said float64
	came bool
}

// horizon72 is the span that the hazard model speaks of.
const horizon72 = 72 * time.Hour

// tape takes what a partition makes.
type tape struct {
	*run
	rules map[string]*alarms.Rule
	open  map[string]int   // episode by alarm id
	last  map[string]int64 // tick of the last sample by kind
}

func (t *tape) Alarm(e *telemetry.AlarmEvent) {
	switch e.Event {
	case telemetry.AlarmRaised:
		t.open[e.ID] = len(t.episodes)
		t.episodes = append(t.episodes, Episode{Drill: e.Drill, Rule: e.Rule, Kind: t.rules[e.Rule].Kind, Priority: e.Priority, Raised: time.Unix(0, e.At).UTC(), Reason: e.Reason})
	case telemetry.AlarmAgain: // the same alarm: it was not over yet
		if i, ok := t.open[e.ID]; ok {
			t.episodes[i].Cleared = time.Time{}
			t.episodes[i].Again++
		}
	case telemetry.AlarmEscalate:
		if i, ok := t.open[e.ID]; ok {
			t.episodes[i].Priority = e.Priority
		}
	case telemetry.AlarmCleared:
		if i, ok := t.open[e.ID]; ok {
			t.episodes[i].Cleared = time.Unix(0, e.At).UTC()
		}
	}
}

func (t *tape) Score(s *telemetry.Score) {
	at := time.Unix(0, s.Tick).UTC()
	if s.Health == s.Health && t.fine(at) {
		t.ticks++
		if s.Health < lowHealth {
			t.low++
		}
	}
	for i := range s.Results {
		r := &s.Results[i]
		if r.At != 0 || r.Error != "" || r.Shadow {
			continue
		}
		model, _, _ := cutRef(r.Model)
		for k := range r.Outputs {
			o := &r.Outputs[k]
			if o.Number != o.Number || o.Text != "" {
				continue
			}
			if w := sayLeft[model+"."+o.Name]; w.kind != "" && s.Tick-t.last[w.kind] >= int64(w.every) {
				t.last[w.kind] = s.Tick
				t.sampleLeft(w.kind, at, o.Number)
			}
			if model+"."+o.Name == sayChance && s.Tick-t.last[sayChance] >= int64(time.Hour) {
				t.last[sayChance] = s.Tick
				t.chances = append(t.chances, chance{math.Min(1, math.Max(0, o.Number)), t.fails(at, horizon72)})
			}
		}
	}
}

// fine reports whether nothing is the matter, nor was within a day: so long a
// model's last word on health may stand while the rig trips.
func (t *tape) fine(at time.Time) bool {
	for i := range t.faults {
		f := &t.faults[i]
		if !at.Before(f.Start) && at.Before(f.Mended.Add(day)) {
			return false
		}
	}
	return true
}

func (t *tape) fails(at time.Time, within time.Duration) bool {
	for i := range t.faults {
		f := &t.faults[i]
		if end := f.Start.Add(f.Life); chanceOf[f.Kind] && end.After(at) && !end.After(at.Add(within)) {
			return true
		}
	}
	return false
}

func (t *tape) sampleLeft(kind string, at time.Time, said float64) {
	for i := range t.faults {
		f := &t.faults[i]
		if f.Kind == kind && !f.Sudden && !at.Before(f.Start) && at.Before(f.Start.Add(f.Life)) {
			t.left = append(t.left, leftSample{kind: kind, said: said, truth: f.Start.Add(f.Life).Sub(at).Hours(), age: float64(at.Sub(f.Start)) / float64(f.Life)})
		}
	}
}

// drive runs drill d of a study through all contenders.
func drive(ctx context.Context, s Study, d int, sets []*set) ([]*run, error) {
	drill := s.Fleet.Drill(d)
	var parts []*scorer.Partition
	var runs []*run
	var cmp *rates
	if s.Full { // and the first contender once more, from one second a minute
		var err error
		if cmp, err = newRates(sets[0].features); err != nil {
			return nil, err
		}
		sets = append(sets[:len(sets):len(sets)], sets[0])
	}
	for _, c := range sets {
		r := &run{drill: drill.Name, days: float64(s.Fleet.Days), faults: drill.Faults}
		t := &tape{run: r, rules: map[string]*alarms.Rule{}, open: map[string]int{}, last: map[string]int64{}}
		for i := range c.rules.Rules {
			t.rules[c.rules.Rules[i].ID] = &c.rules.Rules[i]
		}
		cfg := scorer.DefaultPartitionConfig()
		cfg.RowBudget = 0 // the machine's speed decides nothing here
		p, err := scorer.NewPartition(cfg, c.loader, c.blobs, telemetry.DefaultCatalogue(), nil, t)
		if err != nil {
			return nil, err
		}
		for i := range c.markers {
			if err := p.Marker(ctx, &c.markers[i], false); err != nil {
				return nil, err
			}
		}
		if why := p.Refused(); len(why) > 0 {
			return nil, fmt.Errorf("%s: %s %s: %s", c.name, why[0].Marker.Kind, why[0].Marker.Name, why[0].Why)
		}
		parts, runs = append(parts, p), append(runs, r)
	}
	n := uint64(0)
	var now []doing
	var doings []doing
	err := fleet.Feed(drill, s.Fleet.Start, s.Fleet.End(), s.every(), func(f *telemetry.Frame) error {
		n++
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		at := time.Unix(0, f.TS).UTC()
		now = follow(now, &doings, drill.Rig.Doing(at), at)
		boot := f.Boot
		if cmp != nil {
			cmp.take(f, drill.Rig.State(at))
		}
		for i, p := range parts {
			if cmp != nil && i == len(parts)-1 && f.TS%int64(time.Minute) != 0 {
				continue
			}
			f.Boot = boot
			if err := p.Frame(ctx, f, false, int64(n)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	follow(now, &doings, "", s.Fleet.End())
	for i, p := range parts {
		p.Flush()
		runs[i].doings = doings
	}
	if cmp != nil {
		runs[0].rates, runs[0].duty = cmp, runs[len(runs)-1].episodes
		runs = runs[:len(runs)-1]
	}
	return runs, nil
}

// follow keeps account of the dysfunction that is there; one that pauses for
// less than a rest is the same one.
func follow(now []doing, done *[]doing, kind string, at time.Time) []doing {
	const rest = 5 * time.Minute
	if len(now) > 0 && (now[0].kind == kind) {
		now[0].to = at
		return now
	}
	if len(now) > 0 && (kind != "" || at.Sub(now[0].to) >= rest) {
		*done = append(*done, now[0])
		now = nil
	}
	if kind != "" {
		now = []doing{{kind, at, at}}
	}
	return now
}
