package rig

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// Kinds of Fault. The laws are those of research on drilling physics §2.
const (
	// What wears out, and ends in a failure.
	Washout = "washout"    // §2.5: a hole in the string erodes wider
	Bearing = "bearing"    // §2.7: a spall in the top-drive bearing grows
	Pump    = "pump_valve" // §2.6: a fluid-end valve leaks
	Gearbox = "gearbox"    // §2.8: tooth wear
	Cooling = "cooling"    // §2.9: the motor's air filter clogs
	BitWear = "bit_wear"   // §2.3

	// What a crew gets its string into.
	StickSlip = "stick_slip" // §2.1: too slow and too heavy
	Whirl     = "whirl"      // §2.2: the collars roll round the hole
	Bounce    = "bounce"     // §2.2: the bit's lobes ride on their own tracks
	Balling   = "balling"    // §2.3: clay sticks to the bit
	Stall     = "stall"      // §2.4: the mud motor stands still, in a slide
	DogLeg    = "dog_leg"    // the hole bends sharply within a stand

	// What a sensor or its wire does.
	Stuck   = "stuck_sensor" // §2.11: it repeats one value
	Drift   = "drift"        // it wanders away
	Spikes  = "spikes"       // three to ten times, now and then
	Dropout = "dropout"      // it is silent
	Bias    = "bias"         // it was calibrated wrongly

	// What looks like a failure and is none.
	MudChange  = "mud_change"  // thicker mud, which the density probe sees later
	NozzlePlug = "nozzle_plug" // a nozzle is blocked: pressure rises
	PumpSwap   = "pump_swap"   // another pump, whose strokes are counted a little wrongly
	Dampener   = "dampener"    // the pulsation dampener lost its gas
	OilChange  = "oil_change"  // clean oil in the gearbox; it gets dirty again
	HotSpell   = "hot_spell"   // days of heat
	LooseMount = "loose_mount" // the accelerometer is loose
)

// Kinds are all of them.
var Kinds = []string{Washout, Bearing, Pump, Gearbox, Cooling, BitWear, StickSlip, Whirl, Bounce, Balling, Stall, DogLeg,
	Stuck, Drift, Spikes, Dropout, Bias, MudChange, NozzlePlug, PumpSwap, Dampener, OilChange, HotSpell, LooseMount}

// OfSensor reports whether a kind of fault is a sensor's.
func OfSensor(kind string) bool {
	switch kind {
	case Stuck, Drift, Spikes, Dropout, Bias:
		return true
	}
	return false
}

// A Fault begins at Start and, unless it is mended at Mended, ends in failure
// after Life.
type Fault struct {
	Kind    string        `json:"kind"`
	Start   time.Time     `json:"start"`
	Life    time.Duration `json:"life"`
	Mended  time.Time     `json:"mended,omitzero"`
	Channel string        `json:"channel,omitempty"` // of a sensor
	Size    float64       `json:"size,omitempty"`    // 0: the usual; times that
	Sudden  bool          `json:"sudden,omitempty"`  // it fails within minutes of its beginning: nobody could have known
}

// age is how much of its life a fault has behind it at t: 0…1; negative before
// it begins or after it was mended.
func (f *Fault) age(sec int64) float64 {
	start := unix(f.Start)
	if sec < start || !f.Mended.IsZero() && sec >= unix(f.Mended) {
		return -1
	}
	return min(1, float64(sec-start)/f.Life.Seconds())
}

// wear is the state of everything that wears or misbehaves, at one time.
type wear struct {
	hole   float64 // diameter of the wash-out, mm
	spall  float64 // length, mm
	leak   float64 // share of one valve's stroke
	teeth  float64 // 0…1
	foul   float64 // thermal resistance of the cooling air, times new
	slow   bool    // rpm too low for the weight
	dull   float64 // IADC bit wear, 0…1
	ball   float64 // 0…1
	whirl  float64 // g added
	bounce float64 // share of the weight
	stall  float64 // MPa added

	thick float64 // frictional loss added, share
	dense float64 // kg/m³ added
	probe float64 // kg/m³ of it that the density probe sees
	plug  float64 // share of the nozzles blocked
	count float64 // error of the pump's strokes, share
	rough float64 // pulsation, times usual; 0 is usual
	clean float64 // share of the particles that went with the old oil
	hot   float64 // K
	loose float64 // 0…1

	slowFrom int64    // since when it is slow, Unix s
	sensors  []*Fault // of sensors, that are there
}

func (c *Config) wear(sec int64, w *wear) {
	*w = wear{foul: 1, sensors: w.sensors[:0]}
	for i := range c.Faults {
		f := &c.Faults[i]
		a := f.age(sec)
		if a < 0 {
			continue
		}
		size := f.Size
		if size == 0 {
			size = 1
		}
		rise := min(1, a*f.Life.Seconds()/900) // a quarter of an hour
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
			w.slow, w.slowFrom = true, unix(f.Start)
		case BitWear:
			w.dull = a
		case Whirl:
			w.whirl = 4.5 * size
		case Bounce:
			w.bounce = min(0.9, 0.5*size)
		case Balling:
			w.ball = rise
		case Stall:
			w.stall = 4 * size
		case Stuck, Drift, Spikes, Dropout, Bias: // OfSensor
			w.sensors = append(w.sensors, f)
		case MudChange:
			w.dense, w.thick = 40*size*rise, 0.02*size*rise
			w.probe = 40 * size * max(0, min(1, (a*f.Life.Seconds()-600)/900))
		case NozzlePlug:
			w.plug = 0.15 * size
		case PumpSwap:
			w.count = 0.012 * size
		case Dampener:
			w.rough = 3
		case OilChange:
			w.clean = 0.7 * (1 - a)
		case HotSpell:
			w.hot = 9 * size * math.Sin(math.Pi*a)
		case LooseMount:
			w.loose = 1
		}
	}
}

// Truth is what is really the matter at t: kept beside, never sent.
type Truth struct {
	Drill    string             `json:"drill"`
	TS       time.Time          `json:"ts"`
	State    string             `json:"state"`
	Severity map[string]float64 `json:"severity"`        // 0…1 of life, by kind of fault
	Doing    string             `json:"doing,omitempty"` // dysfunction that the string is in
}

// Truth returns the ground truth at t.
func (r *Rig) Truth(t time.Time) Truth {
	out := Truth{Drill: r.cfg.Drill, TS: t, State: r.crew.at(unix(t)).state, Severity: map[string]float64{}, Doing: r.Doing(t)}
	for i := range r.cfg.Faults {
		if a := r.cfg.Faults[i].age(unix(t)); a >= 0 {
			out.Severity[r.cfg.Faults[i].Kind] = max(out.Severity[r.cfg.Faults[i].Kind], a)
		}
	}
	return out
}

// State is what the crew does at t.
func (r *Rig) State(t time.Time) string { return r.crew.at(unix(t)).state }

// Doing returns the dysfunction that the string is in at t: a kind of Fault, or nothing.
func (r *Rig) Doing(t time.Time) string {
	sec := unix(t)
	p := r.crew.at(sec)
	if !drilling(p.state) {
		return ""
	}
	w := &r.doing
	r.cfg.wear(sec, w)
	if p.state == telemetry.StateSliding {
		if w.stall > 0 {
			return Stall
		}
		return ""
	}
	ramp := min(1, float64(sec-p.from)/45)
	switch {
	case w.slow && sticks(r.cfg.WOB*ramp*1.35, r.cfg.RPM*ramp*0.62):
		return StickSlip
	case w.whirl > 0 && ramp == 1:
		return Whirl
	case w.bounce > 0 && ramp == 1:
		return Bounce
	case w.ball > 0.5:
		return Balling
	}
	return ""
}

// sticks reports whether that weight, kN, stops the bit at that speed, rpm: once
// it sticks it goes on to 1.6 times the threshold (hysteresis, research §2.1).
func sticks(wob, rpm float64) bool { return rpm < 1.6*ThresholdRPM(wob*1000) && wob > 10 }

// sense is what a faulty sensor makes of channel's value; ok is false where it says nothing.
func (r *Rig) sense(w *wear, channel string, sec int64, v, span float64, rng *rand.Rand) (out float64, ok bool) {
	for _, f := range w.sensors {
		if f.Channel != channel {
			continue
		}
		size := f.Size
		if size == 0 {
			size = 1
		}
		switch f.Kind {
		case Dropout:
			return 0, false
		case Drift: // 1 % of the normal span a day
			v += 0.01 * size * span * float64(sec-unix(f.Start)) / 86400
		case Bias:
			v += 0.04 * size * span
		case Spikes:
			if rng.Float64() < 1e-3 {
				v *= 3 + 7*rng.Float64()
			}
		}
	}
	return v, true
}
