package rig

import (
	"math"
	"time"
)

// Kinds of Fault. The laws are those of research on drilling physics §2.
const (
	Washout   = "washout"    // §2.5: a hole in the string erodes wider
	Bearing   = "bearing"    // §2.7: a spall in the top-drive bearing grows
	Pump      = "pump_valve" // §2.6: a fluid-end valve leaks
	Gearbox   = "gearbox"    // §2.8: tooth wear
	Cooling   = "cooling"    // §2.9: the motor's air filter clogs
	StickSlip = "stick_slip" // §2.1: the crew drills too slow and too heavy
	BitWear   = "bit_wear"   // §2.3
	Stuck     = "stuck_sensor"
)

// A Fault begins at Start and, unless it is mended at Mended, ends in failure
// after Life.
type Fault struct {
	Kind    string        `json:"kind"`
	Start   time.Time     `json:"start"`
	Life    time.Duration `json:"life"`
	Mended  time.Time     `json:"mended,omitzero"`
	Channel string        `json:"channel,omitempty"` // of a stuck sensor
	Sudden  bool          `json:"sudden,omitempty"`  // it fails within minutes of its beginning: nobody could have known
}

// age is how much of its life a fault has behind it at t: 0…1; negative before
// it begins or after it was mended.
func (f *Fault) age(t time.Time) float64 {
	if t.Before(f.Start) || !f.Mended.IsZero() && !t.Before(f.Mended) {
		return -1
	}
	return min(1, float64(t.Sub(f.Start))/float64(f.Life))
}

// wear is the state of everything that wears, at one time.
type wear struct {
	hole    float64 // diameter of the wash-out, mm
	spall   float64 // length, mm
	leak    float64 // share of one valve's stroke
	teeth   float64 // 0…1
	foul    float64 // thermal resistance of the cooling air, times new
	slow    bool    // rpm too low for the weight
	dull    float64 // IADC bit wear, 0…1
	stuck   string  // channel
	stuckAt int64
}

func (r *Rig) wear(t time.Time) wear {
	w := wear{spall: 0, foul: 1}
	for i := range r.cfg.Faults {
		f := &r.cfg.Faults[i]
		a := f.age(t)
		if a < 0 {
			continue
		}
		switch f.Kind {
		case Washout: // d' = c (1 + d/4 mm): from 1.5 mm to 16 mm, where the pipe parts
			w.hole = 5.5*math.Pow(20/5.5, a) - 4
		case Bearing: // dA/dt = A/τ: from 0.15 to 30 mm
			w.spall = 0.15 * math.Pow(200, a)
		case Pump: // e-folds, failed at 30 %
			w.leak = 0.3 * math.Exp(-(1-a)*4)
		case Gearbox:
			w.teeth = math.Exp(-(1 - a) * 3)
		case Cooling:
			w.foul = 1 + a
		case StickSlip:
			w.slow = true
		case BitWear:
			w.dull = a
		case Stuck:
			w.stuck, w.stuckAt = f.Channel, unix(f.Start)
		}
	}
	return w
}

// Truth is what is really the matter at t: kept beside, never sent.
type Truth struct {
	Drill    string             `json:"drill"`
	TS       time.Time          `json:"ts"`
	State    string             `json:"state"`
	Severity map[string]float64 `json:"severity"` // 0…1 of life, by kind of fault
}

// Truth returns the ground truth at t.
func (r *Rig) Truth(t time.Time) Truth {
	out := Truth{Drill: r.cfg.Drill, TS: t, State: r.crew.at(unix(t)).state, Severity: map[string]float64{}}
	for i := range r.cfg.Faults {
		if a := r.cfg.Faults[i].age(t); a >= 0 {
			out.Severity[r.cfg.Faults[i].Kind] = max(out.Severity[r.cfg.Faults[i].Kind], a)
		}
	}
	return out
}
