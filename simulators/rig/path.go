package rig

import (
	"math"
	"math/rand/v2"

	"github.com/mudpulse/mudpulse/telemetry"
)

// A path is where a well is to go: straight down, from the kick-off on building
// inclination to what is held, with the wander of every real hole. It is a
// function of depth alone, and bends less than 5° in 30 m.
type path struct {
	kickoff float64 // m
	build   float64 // degrees per 30 m
	hold    float64 // degrees
	azi     float64
	phase   [2]float64
}

func drawPath(rng *rand.Rand) path {
	return path{kickoff: between(rng, 400, 1200), build: between(rng, 1.2, 2.8), hold: between(rng, 20, 65), azi: between(rng, 0, 360),
		phase: [2]float64{between(rng, 0, 2*math.Pi), between(rng, 0, 2*math.Pi)}}
}

// at is the hole's direction at a depth, in degrees.
func (p *path) at(depth float64) (inc, azi float64) {
	inc = max(0, min(p.hold, (depth-p.kickoff)/30*p.build))
	inc += 0.4 * (1 + math.Sin(2*math.Pi*depth/210+p.phase[0]))
	return inc, p.azi + 6*math.Sin(2*math.Pi*depth/900+p.phase[1])
}

// A dog-leg's bend, and the metres that are drilled meanwhile: about a stand, so
// that one survey shows most of it.
const (
	dogLegBend  = 11.0
	dogLegOver  = 28.0
	surveyAfter = 120 // s after a connection begins: the string hangs still
)

// direction is where the hole goes at a depth, dog-legs that were drilled up to sec included.
func (r *Rig) direction(depth float64, sec int64) (inc, azi float64) {
	inc, azi = r.path.at(depth)
	for i := range r.cfg.Faults {
		f := &r.cfg.Faults[i]
		if f.Kind != DogLeg || unix(f.Start) > sec {
			continue
		}
		from := r.startsAt(i)
		if depth < from { // also in the next well, which is shallower
			continue
		}
		size := f.Size
		if size == 0 {
			size = 1
		}
		inc += dogLegBend * size * min(1, (depth-from)/dogLegOver)
	}
	return inc, azi
}

// startsAt is how deep the hole is when fault i begins.
func (r *Rig) startsAt(i int) float64 {
	if at, ok := r.bends[i]; ok {
		return at
	}
	sec := unix(r.cfg.Faults[i].Start)
	p := newCrew(&r.cfg, unix(r.cfg.Epoch)).at(max(sec, unix(r.cfg.Epoch)))
	depth := p.hole
	if drilling(p.state) {
		depth += p.rop * float64(max(0, sec-p.from)) / 3600
	}
	if r.bends == nil {
		r.bends = map[int]float64{}
	}
	r.bends[i] = depth
	return depth
}

// surveys adds what is measured while drilling: inclination and azimuth at each
// connection, where the string hangs still; the toolface while it slides. They
// come at whole minutes, and have noise of their own, so that no other channel
// is any different for them.
func (r *Rig) surveys(p *piece, sec int64) {
	rng := func() *rand.Rand { return rand.New(rand.NewPCG(r.cfg.Seed^0xd06, uint64(sec))) }
	add := func(tag string, v, step float64) {
		n := len(r.measured)
		r.measured = append(r.measured, math.Round(math.Round(v/step)*step*1e6)/1e6)
		r.runs = append(r.runs, telemetry.Run{Channel: tag, Values: r.measured[n : n+1 : n+1]})
	}
	r.measured = r.measured[:0]
	switch {
	case p.state == telemetry.StateConnection && sec%60 == 0 && sec >= p.from+surveyAfter && sec < p.from+surveyAfter+60:
		rng := rng()
		inc, azi := r.direction(p.hole, sec)
		add("INC", max(0, inc+0.03*rng.NormFloat64()), 0.01)
		add("AZI", wrap(azi+0.1*rng.NormFloat64()), 0.01)
	case p.state == telemetry.StateSliding && sec%30 == 0:
		depth := p.hole + p.rop*float64(sec-p.from)/3600
		up, azi := r.direction(depth, sec)
		further, turned := r.direction(depth+15, sec)
		toolface := math.Atan2((turned-azi)*math.Sin(up*math.Pi/180), further-up) * 180 / math.Pi // from the high side
		add("TF", wrap(toolface+6*rng().NormFloat64()), 0.1)
	}
}

// wrap brings an angle into 0…360°.
func wrap(deg float64) float64 {
	if deg = math.Mod(deg, 360); deg < 0 {
		deg += 360
	}
	return deg
}
