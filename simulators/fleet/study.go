package fleet

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mudpulse/mudpulse/simulators/rig"
)

// A Study is a population of drills on which models are trained or judged. Two
// studies of the same values are the same to the bit; of another seed, strangers.
type Study struct {
	Seed   uint64
	Drills int
	Days   int // of each drill
	Start  time.Time

	Rough   float64 // what crews get their strings into, times the usual; 0: 1
	Dense   float64 // failures, times the usual: training wants many; 0: 1
	Shifted bool    // other physics: strings, bearings, motors, noise that no model was trained on
}

// Epoch is when studies begin unless they say otherwise.
var Epoch = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// End is when the study is over.
func (s Study) End() time.Time { return s.Start.Add(time.Duration(s.Days) * 24 * time.Hour) }

// SuddenShare of all failures give no warning: FEMTO's bearings show that some
// do (research on drilling physics §2.7).
const SuddenShare = 0.15

// A course is how one kind of fault comes and goes in a population.
type course struct {
	kind   string
	per90  float64       // how often on a drill that is not sound, in 90 days
	median time.Duration // of its life
	spread float64       // of the life's logarithm
	sudden bool          // can it come without a warning
}

const day = 24 * time.Hour

// Lives are those of research §2: medians and spreads at each law there.
var failures = []course{
	{rig.Bearing, 0.60, 10 * day, 0.35, true},
	{rig.Pump, 0.75, 7 * day, 0.35, true},
	{rig.Gearbox, 0.50, 16 * day, 0.30, true},
	{rig.Cooling, 0.55, 12 * day, 0.35, true},
	{rig.Washout, 0.90, 7 * time.Hour, 0.5, true},
}

// The rest befalls sound drills too: what a crew does to its string, what sensors
// and their wires do, and what looks like a failure and is none.
var befalls = []course{
	{kind: rig.StickSlip, per90: 6, median: 25 * time.Minute, spread: 0.5},
	{kind: rig.Whirl, per90: 2, median: 20 * time.Minute, spread: 0.5},
	{kind: rig.Bounce, per90: 2, median: 15 * time.Minute, spread: 0.5},
	{kind: rig.Balling, per90: 1, median: 90 * time.Minute, spread: 0.4},
	{kind: rig.Stall, per90: 3, median: 4 * time.Minute, spread: 0.5},
	{kind: rig.Stuck, per90: 0.7, median: 3 * time.Hour, spread: 1},
	{kind: rig.Drift, per90: 0.3, median: 6 * day, spread: 0.5},
	{kind: rig.Spikes, per90: 0.5, median: 12 * time.Hour, spread: 0.7},
	{kind: rig.Dropout, per90: 1.5, median: 20 * time.Minute, spread: 1},
	{kind: rig.Bias, per90: 0.2, median: 4 * day, spread: 0.5},
	{kind: rig.MudChange, per90: 2, median: 4 * day, spread: 0.4},
	{kind: rig.NozzlePlug, per90: 0.3, median: 10 * time.Hour, spread: 0.4},
	{kind: rig.PumpSwap, per90: 1.5, median: 5 * day, spread: 0.5},
	{kind: rig.Dampener, per90: 0.3, median: 2 * day, spread: 0.4},
	{kind: rig.OilChange, per90: 1.5, median: 6 * day, spread: 0.2},
	{kind: rig.HotSpell, per90: 0.6, median: 5 * day, spread: 0.3},
	{kind: rig.LooseMount, per90: 0.2, median: 2 * day, spread: 0.4},
}

// sensors that a fault of one may befall.
var sensors = []string{"HKLD", "WOB", "TQ", "SPP", "FLIN", "VIBLAT", "SSI", "PPULS", "TDVEL", "TDENV", "TDWT", "TDBT", "GBOT", "GBPC"}

// Drill draws drill i of the study.
func (s Study) Drill(i int) Drill {
	name := fmt.Sprintf("S%d-%03d", s.Seed, i+1)
	h := fnv.New64a()
	h.Write([]byte(name))
	rng := rand.New(rand.NewPCG(s.Seed, h.Sum64()))
	var faults []rig.Fault
	sound := rng.Float64() < 0.45
	for _, c := range failures {
		one := rand.New(rand.NewPCG(rng.Uint64(), rng.Uint64()))
		if !sound {
			if s.Dense > 0 {
				c.per90 *= s.Dense
			}
			faults = append(faults, s.draw(c, one)...)
		}
	}
	for _, c := range befalls {
		if s.Rough > 0 && !rig.OfSensor(c.kind) && c.median <= 2*time.Hour {
			c.per90 *= s.Rough
		}
		faults = append(faults, s.draw(c, rand.New(rand.NewPCG(rng.Uint64(), rng.Uint64())))...)
	}
	slices.SortStableFunc(faults, func(a, b rig.Fault) int { return cmp.Compare(a.Start.Unix(), b.Start.Unix()) })
	cfg := rig.Draw(name, s.Seed, s.Start, faults...)
	if s.Shifted {
		cfg = rig.DrawShifted(name, s.Seed, s.Start, faults...)
	}
	return Drill{Name: name, Field: "study", Contractor: "study", Faults: faults, Rig: rig.NewConfigured(cfg)}
}

// draw gives one drill's faults of a kind, none before the other is mended: the
// part is changed when it has failed, as nobody listens to a model here.
func (s Study) draw(c course, rng *rand.Rand) []rig.Fault {
	var out []rig.Fault
	rate := c.per90 / (90 * float64(day)) // per ns
	for at := s.Start; ; {
		at = at.Add(time.Duration(rng.ExpFloat64() / rate)).Truncate(time.Second)
		if !at.Before(s.End()) {
			return out
		}
		median := float64(c.median)
		if s.Shifted && c.sudden {
			median *= 0.75 // what wears out there wears out sooner
		}
		f := rig.Fault{Kind: c.kind, Start: at, Life: time.Duration(median * math.Exp(c.spread*rng.NormFloat64())).Truncate(time.Second)}
		if c.sudden && rng.Float64() < SuddenShare {
			f.Sudden, f.Life = true, time.Duration(60+rng.IntN(1200))*time.Second
		}
		f.Mended = f.Start.Add(f.Life)
		switch c.kind {
		case rig.Stuck, rig.Drift, rig.Spikes, rig.Dropout, rig.Bias:
			f.Channel = sensors[rng.IntN(len(sensors))]
			f.Size = math.Exp(0.4 * rng.NormFloat64())
			if rng.Float64() < 0.5 && c.kind != rig.Stuck {
				f.Size = -f.Size
			}
		case rig.MudChange, rig.PumpSwap, rig.HotSpell, rig.NozzlePlug, rig.Whirl, rig.Bounce, rig.Stall:
			f.Size = between(rng, 0.6, 1.4)
			if (c.kind == rig.MudChange || c.kind == rig.PumpSwap) && rng.Float64() < 0.5 {
				f.Size = -f.Size
			}
		}
		out = append(out, f)
		at = f.Mended
	}
}

func between(rng *rand.Rand, lo, hi float64) float64 { return lo + (hi-lo)*rng.Float64() }
