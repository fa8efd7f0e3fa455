package rig

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// Config is one drill.
type Config struct {
	Drill string
	Seed  uint64
	Epoch time.Time // when its schedule begins; no second before it is asked for
	Depth float64   // of the hole then, m
	Total float64   // m, where a well is finished and the rig moves to the next
	WOB   float64   // set-points: kN
	RPM   float64
	Flow  float64 // L/min
	Mud   float64 // kg/m³, of the first 500 m
	ROP   float64 // m/h

	Machine  Machine
	BitHours float64 // that the bit has drilled at Epoch
	Faults   []Fault
}

// New returns the drill of Draw's configuration.
func New(drill string, fleet uint64, epoch time.Time, faults ...Fault) *Rig {
	return NewConfigured(Draw(drill, fleet, epoch, faults...))
}

// Draw draws a drill's set-points and its machine from fleet's seed and its name.
func Draw(drill string, fleet uint64, epoch time.Time, faults ...Fault) Config {
	return draw(drill, fleet, epoch, false, faults)
}

// DrawShifted draws a drill of another kind than Draw's: see Machine.
func DrawShifted(drill string, fleet uint64, epoch time.Time, faults ...Fault) Config {
	return draw(drill, fleet, epoch, true, faults)
}

func draw(drill string, fleet uint64, epoch time.Time, shifted bool, faults []Fault) Config {
	h := fnv.New64a()
	h.Write([]byte(drill))
	seed := fleet*0x9e3779b97f4a7c15 ^ h.Sum64()
	rng := rand.New(rand.NewPCG(seed, 1))
	return Config{
		Drill: drill, Seed: seed, Epoch: epoch.Truncate(time.Second), Depth: 700 + 700*rng.Float64(),
		WOB: 75 + 35*rng.Float64(), RPM: 110 + 30*rng.Float64(), Flow: 1850 + 300*rng.Float64(), Mud: 1140 + 120*rng.Float64(), ROP: 11 + 6*rng.Float64(),
		BitHours: 90 * rng.Float64(), Total: 3600 + 700*rng.Float64(), Faults: faults,
		Machine: drawMachine(rand.New(rand.NewPCG(seed, 2)), shifted),
	}
}

// NewConfigured returns the drill of that configuration.
func NewConfigured(cfg Config) *Rig {
	r := &Rig{cfg: cfg, path: drawPath(rand.New(rand.NewPCG(cfg.Seed, 4))), measured: make([]float64, 0, 2)}
	r.crew = newCrew(&r.cfg, unix(cfg.Epoch))
	cat := telemetry.DefaultCatalogue()
	for i, tag := range channels {
		c := cat.Get(tag)
		r.step[i], r.span[i] = c.Resolution, c.NormalHigh-c.NormalLow
	}
	return r
}

// A Rig makes seconds. One goroutine; time goes forward, up to a few hours back.
type Rig struct {
	cfg  Config
	crew *crew
	step [24]float64 // resolution, by channel
	span [24]float64 // width of the normal band

	x      plant
	worn   wear
	doing  wear
	pcg    rand.PCG
	buf    [24][10]float64
	runs   []telemetry.Run
	repeat [24]float64 // what a stuck sensor repeats
	since  [24]int64   // since when; 0: it does not

	path     path
	bends    map[int]float64 // m, where dog-legs begin, by fault
	measured []float64       // of the surveys in the frame
}

// Drill is the rig's name.
func (r *Rig) Drill() string { return r.cfg.Drill }

// channels in the order of the frame, with samples a second of the fast and medium ones.
var channels = [24]string{
	"HKLD", "WOB", "BPOS", "RPM", "TQ", "SPP", "FLIN", "TDKW",
	"FLOUT", "ROP", "VIBAX", "VIBLAT", "SSI", "PPULS", "TDVEL", "TDENV",
	"DBTM", "PVT", "MDI", "MTO", "TDWT", "TDBT", "GBOT", "GBPC",
}

// Second returns the frame of the second that begins at t: 8 channels at 10 Hz,
// 8 at 2 Hz, in even seconds 8 more, and surveys now and then. Its values are valid until the next call.
func (r *Rig) Second(t time.Time) telemetry.Frame {
	t = t.Truncate(time.Second)
	sec := unix(t)
	w := &r.worn
	r.cfg.wear(sec, w)
	p := r.crew.at(sec)
	r.pcg.Seed(r.cfg.Seed, uint64(sec))
	rng := rand.New(&r.pcg)
	r.plant(&r.x, p, sec, w, rng)
	r.x.phase = 2 * math.Pi * math.Mod(float64(sec), r.x.period) / r.x.period
	f := telemetry.Frame{Drill: r.cfg.Drill, Device: "edr-1", TS: sec * int64(time.Second), Simulated: true}
	r.runs = r.runs[:0]
	for i, tag := range channels {
		n, every := 10, int64(100*time.Millisecond)
		switch {
		case i >= 16:
			if sec%2 != 0 {
				continue
			}
			n, every = 1, 0
		case i >= 8:
			n, every = 2, int64(500*time.Millisecond)
		}
		values := r.buf[i][:n]
		for j := range values {
			values[j] = r.round(i, r.x.reading(i, float64(j)*float64(every)/1e9, rng))
		}
		if len(w.sensors) > 0 && !r.faulty(w, i, sec, values, rng) {
			continue
		}
		r.runs = append(r.runs, telemetry.Run{Channel: tag, Every: every, Values: values})
	}
	r.surveys(p, sec)
	f.Runs = r.runs
	return f
}

// round gives a reading the resolution of its channel.
func (r *Rig) round(i int, v float64) float64 {
	v = math.Round(v/r.step[i]) * r.step[i]
	return math.Round(v*1e6) / 1e6
}

// faulty does to a channel's values what its sensor's faults do; false: it is silent.
func (r *Rig) faulty(w *wear, i int, sec int64, values []float64, rng *rand.Rand) bool {
	tag := channels[i]
	for j, v := range values {
		v, ok := r.sense(w, tag, sec, v, r.span[i], rng)
		if !ok {
			return false
		}
		values[j] = max(0, r.round(i, v))
	}
	for _, f := range w.sensors {
		if f.Kind != Stuck || f.Channel != tag {
			continue
		}
		if start := unix(f.Start); r.since[i] != start { // what it read when it stuck
			r.since[i] = start
			then, was := plant{}, wear{foul: 1}
			rng := rand.New(rand.NewPCG(r.cfg.Seed, uint64(start)))
			r.plant(&then, r.crew.at(start), start, &was, rng)
			r.repeat[i] = r.round(i, then.reading(i, 0, rng))
		}
		for j := range values {
			values[j] = r.repeat[i]
		}
	}
	return true
}
