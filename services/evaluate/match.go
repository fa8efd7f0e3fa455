package evaluate

import (
	"slices"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/simulators/fleet"
	"github.com/mudpulse/mudpulse/simulators/rig"
)

// grace is how long after a repair an alarm may still speak of what was
// repaired: features reach back.
const grace = 2 * time.Hour

// chatterGap is how soon after it was cleared an alarm that is raised again is chatter.
const chatterGap = 30 * time.Minute

// slow are the kinds that end in a failure.
var slow = map[string]bool{rig.Bearing: true, rig.Pump: true, rig.Gearbox: true, rig.Cooling: true, rig.Washout: true}

// What each rule is about. A rule that is not here is about nothing that the
// simulator can break: its alarms are false.
var about = map[string][]string{
	"washout": {rig.Washout}, "bearing-wear": {rig.Bearing}, "pump-valve": {rig.Pump}, "stick-slip": {rig.StickSlip},
	"motor-cooling": {rig.Cooling}, "gearbox-wear": {rig.Gearbox},
	"stick-slip-limit": {rig.StickSlip}, "pump-pulsation": {rig.Pump}, "bearing-temperature": {rig.Bearing}, "bearing-envelope": {rig.Bearing},
	"winding-temperature": {rig.Cooling}, "gearbox-oil-temperature": {rig.Gearbox}, "gearbox-particles": {rig.Gearbox},
	"gearbox-vibration": {rig.Gearbox, rig.Bearing}, "lateral-vibration": {rig.Whirl}, "axial-vibration": {rig.Bounce},
	"dog-leg": {rig.DogLeg}, "whirl": {rig.Whirl}, "bit-bounce": {rig.Bounce}, "bit-balling": {rig.Balling}, "motor-stall": {rig.Stall}, "dysfunction": {rig.Whirl, rig.Bounce, rig.Balling, rig.Stall},
}

// sayLeft are the outputs that tell the hours left, by what they speak of, and
// how often they are judged.
var sayLeft = map[string]struct {
	kind  string
	every time.Duration
}{
	"bearing.left_h": {rig.Bearing, time.Hour}, "pump_valve.left_h": {rig.Pump, time.Hour}, "gearbox_left.left_h": {rig.Gearbox, time.Hour},
	"cooling_left.left_h": {rig.Cooling, time.Hour}, "washout.time_left_h": {rig.Washout, time.Minute},
}

// sayChance is the output that tells the probability of a failure within horizon72
// of one of chanceOf: a wash-out's whole life is hours.
const sayChance = "hazard.p_72h"

var chanceOf = map[string]bool{rig.Bearing: true, rig.Pump: true, rig.Gearbox: true, rig.Cooling: true}

// horizons of the hours left (research §3.1: caps are 2.5 times these).
var horizons = map[string]float64{rig.Bearing: 240, rig.Pump: 144, rig.Gearbox: 365, rig.Cooling: 365, rig.Washout: 6}

func cutRef(ref string) (model, version string, ok bool) { return strings.Cut(ref, "@") }

// A verdict is what became of one failure under one set of alarms.
type verdict struct {
	drill  string
	kind   string
	sudden bool
	lead   time.Duration // of the first true alarm; 0: missed
}

// true reports whether an episode speaks of something that was there.
func (r *run) true(e *Episode) bool {
	for _, kind := range about[e.Rule] {
		for i := range r.faults {
			f := &r.faults[i]
			if f.Kind == kind && !e.Raised.Before(f.Start) && e.Raised.Before(f.Mended.Add(grace)) {
				return true
			}
		}
	}
	return false
}

// chosen returns the episodes of a kind of rule.
func (r *run) chosen(kind string) []Episode {
	var out []Episode
	for _, e := range r.episodes {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// delivered returns what an operator sees: models' alarms, and those of limits
// that no model's alarm stands above.
func (r *run) delivered(rules *alarms.Rules) []Episode {
	under := map[string][]string{}
	for i := range rules.Rules {
		under[rules.Rules[i].ID] = rules.Rules[i].Under
	}
	var out []Episode
	for _, e := range r.episodes {
		hidden := slices.ContainsFunc(r.episodes, func(o Episode) bool {
			return slices.Contains(under[e.Rule], o.Rule) && !o.Raised.After(e.Raised) && (o.Cleared.IsZero() || o.Cleared.After(e.Raised))
		})
		if !hidden {
			out = append(out, e)
		}
	}
	return out
}

// failures judges every failure that came before the study's end.
func (r *run) failures(eps []Episode, s fleet.Study) []verdict {
	var out []verdict
	for i := range r.faults {
		f := &r.faults[i]
		end := f.Start.Add(f.Life)
		if !slow[f.Kind] || end.After(s.End()) {
			continue
		}
		v := verdict{drill: r.drill, kind: f.Kind, sudden: f.Sudden}
		for j := range eps {
			e := &eps[j]
			if slices.Contains(about[e.Rule], f.Kind) && !e.Raised.Before(f.Start) && e.Raised.Before(end) {
				v.lead = max(v.lead, end.Sub(e.Raised))
			}
		}
		out = append(out, v)
	}
	return out
}

// A response is how soon an alarm spoke of a dysfunction.
type response struct {
	kind  string
	seen  bool
	after time.Duration
}

// responses judges every dysfunction that lasted at least half a minute.
func (r *run) responses(eps []Episode) []response {
	var out []response
	for _, d := range r.doings {
		if d.to.Sub(d.from) < 30*time.Second {
			continue
		}
		p := response{kind: d.kind}
		for j := range eps {
			e := &eps[j]
			if !slices.Contains(about[e.Rule], d.kind) || e.Raised.After(d.to) || !e.Cleared.IsZero() && e.Cleared.Before(d.from) {
				continue
			}
			p.seen, p.after = true, max(0, e.Raised.Sub(d.from))
			break
		}
		out = append(out, p)
	}
	return out
}

// chatters reports whether an episode came back soon after it was cleared, as the
// same alarm or after another of the same rule.
func chatters(eps []Episode, e *Episode) bool {
	return e.Again > 0 || slices.ContainsFunc(eps, func(o Episode) bool {
		gap := e.Raised.Sub(o.Cleared)
		return o.Rule == e.Rule && !o.Cleared.IsZero() && gap >= 0 && gap < chatterGap
	})
}
