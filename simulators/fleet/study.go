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

	Shifted bool // other physics: strings, bearings, motors, noise that no model was trained on
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

// Dysfunctions are what a crew does to its string, on sound drills too.
var dysfunctions = []course{
	{rig.StickSlip, 6, 25 * time.Minute, 0.5, false},
}

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
			faults = append(faults, s.draw(c, one)...)
		}
	}
	for _, c := range dysfunctions {
		faults = append(faults, s.draw(c, rand.New(rand.NewPCG(rng.Uint64(), rng.Uint64())))...)
	}
	slices.SortStableFunc(faults, func(a, b rig.Fault) int { return cmp.Compare(a.Start.Unix(), b.Start.Unix()) })
	cfg := rig.Draw(name, s.Seed, s.Start, faults...)
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
		f := rig.Fault{Kind: c.kind, Start: at, Life: time.Duration(float64(c.median) * math.Exp(c.spread*rng.NormFloat64())).Truncate(time.Second)}
		if c.sudden && rng.Float64() < SuddenShare {
			f.Sudden, f.Life = true, time.Duration(60+rng.IntN(1200))*time.Second
		}
		f.Mended = f.Start.Add(f.Life)
		out = append(out, f)
		at = f.Mended
	}
}
