// Package rig is the physics of one drill, seeded: what the crew does, what the
// machine answers, how it wears out. Laws, values and sources: research on
// drilling physics, quoted at each. A rig's second depends on nothing but its
// configuration and the time, so history and live continuation agree.
package rig

import (
	"math/rand/v2"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// piece is a span of one rig state. Depths are at its start.
type piece struct {
	state string
	from  int64 // Unix s
	to    int64
	depth float64 // of the bit, m
	hole  float64 // of the hole, m
	rop   float64 // m/h while drilling; of the bit in a trip: m/h, negative out
	flow  float64 // L/min while the pumps run
	stand float64 // metres of this stand that are drilled already
	heat  heat    // at its start
	open  float64 // flow area of this bit's nozzles, times the usual
}

const (
	standLength = 28.5 // three joints of pipe, m
	surface     = 12.0 // depth of the bit while the assembly is changed, m
	maxPressure = 31e6 // what a crew allows at the standpipe, Pa
)

// crew writes the schedule of a rig, piece by piece, from a seed. Shares of the
// states are about those of research §2.12.
type crew struct {
	rng   *rand.Rand
	cfg   *Config
	list  []piece // the last few hours' pieces; the newest last
	todo  []string
	hole  float64
	stand float64
	steps int
	bit   float64 // hours that this bit has drilled
	limit float64 // hours after which it is pulled
	open  float64 // flow area of its nozzles, times the usual
	worn  wear
}

func newCrew(cfg *Config, from int64) *crew {
	c := &crew{rng: rand.New(rand.NewPCG(cfg.Seed, 0xc4e3)), cfg: cfg, hole: cfg.Depth, bit: cfg.BitHours}
	c.limit = 55 + 50*c.rng.Float64()
	c.stand = standLength * c.rng.Float64() * 0.8
	c.open = between(c.rng, 0.96, 1.04)
	p := piece{from: from, depth: c.hole, hole: c.hole, stand: c.stand, open: c.open, heat: heat{winding: 40, frame: 15, oil: 35, bearing: 32}}
	c.drill(&p)
	c.list = append(c.list, p)
	return c
}

// rate is the rate of penetration of the coming stretch of rock, m/h: less in hard
// rock, and with a bit that has drilled for long.
func (c *crew) rate() float64 {
	return c.cfg.ROP * (0.75 + 0.5*c.rng.Float64()) * (1.5 - 0.5*c.cfg.rock(c.hole)) * (1 - 0.3*min(1, c.bit/c.limit))
}

// at returns the piece of time t, which must not go back by more than is kept.
func (c *crew) at(t int64) *piece {
	for c.list[len(c.list)-1].to <= t {
		c.next()
	}
	i := len(c.list) - 1
	for i > 0 && c.list[i].from > t {
		i--
	}
	return &c.list[i]
}

func drilling(state string) bool {
	return state == telemetry.StateRotary || state == telemetry.StateSliding
}

// Steps of a trip for a new bit, and others that take their time.
const (
	bottomsUp   = "bottoms up"
	pullOut     = "pull out"
	changeBit   = "change the bit"
	moveRig     = "move the rig"
	runIn       = "run in"
	washDown    = "wash down"
	waiting     = "wait"
	circulation = "circulate"
)

// next appends what the crew does after the last piece.
func (c *crew) next() {
	last := &c.list[len(c.list)-1]
	if drilling(last.state) {
		hours := float64(last.to-last.from) / 3600
		c.hole += last.rop * hours
		c.stand += last.rop * hours
		c.bit += hours
	}
	c.cfg.wear(last.from, &c.worn)
	p := piece{from: last.to, depth: c.hole, hole: c.hole, stand: c.stand, flow: c.flow(), open: c.open,
		heat: last.heat.after(float64(last.to-last.from), c.cfg.load(last, &c.worn))}
	span := func(lo, hi int) { p.to = p.from + int64(lo+c.rng.IntN(hi-lo)) }
	step := ""
	if len(c.todo) > 0 {
		step, c.todo = c.todo[0], c.todo[1:]
	}
	switch {
	case step == bottomsUp || step == circulation:
		p.state = telemetry.StateCirculating
		span(900, 4200)
	case step == pullOut:
		p.state, p.rop = telemetry.StateTripping, -420-160*c.rng.Float64()
		p.to = p.from + int64((p.depth-surface)/-p.rop*3600)
	case step == changeBit:
		p.state, p.depth = telemetry.StateIdle, surface
		span(2*3600, 5*3600)
		c.bit, c.limit = 0, 55+50*c.rng.Float64()
		c.open = between(c.rng, 0.96, 1.04)
		p.open = c.open
	case step == moveRig: // the next well's top hole stands already
		p.state, p.depth = telemetry.StateIdle, surface
		span(12*3600, 30*3600)
		c.hole, c.stand = 500+500*c.rng.Float64(), 0
		c.bit, c.limit = 0, 55+50*c.rng.Float64()
	case step == runIn:
		p.state, p.depth, p.rop = telemetry.StateTripping, surface, 480+200*c.rng.Float64()
		p.to = p.from + int64((p.hole-standLength-surface)/p.rop*3600)
	case step == washDown:
		p.state = telemetry.StateReaming
		span(600, 1500)
	case step == waiting: // on weather, a truck, an order; in slips
		p.state = telemetry.StateIdle
		span(1200, 4*3600)
	case last.state == telemetry.StateConnection || last.state == telemetry.StateCirculating || last.state == telemetry.StateIdle || step == "" && last.state == telemetry.StateReaming && c.stand < standLength-0.3:
		c.drill(&p)
	case last.state == telemetry.StateReaming:
		p.state = telemetry.StateConnection
		span(300, 780)
		c.stand = 0
		c.steps++
		switch x := c.rng.Float64(); {
		case c.cfg.Total > 0 && c.hole > c.cfg.Total:
			c.todo = []string{bottomsUp, pullOut, moveRig, runIn, washDown}
		case c.bit > c.limit:
			c.todo = []string{bottomsUp, pullOut, changeBit, runIn, washDown}
		case x < 0.06:
			c.todo = []string{waiting}
		case x < 0.40:
			c.todo = []string{circulation}
		}
	case c.stand >= standLength-0.3:
		p.state = telemetry.StateReaming
		span(180, 900)
	default:
		c.drill(&p)
	}
	c.list = append(c.list, p)
	if len(c.list) > 64 {
		c.list = append(c.list[:0], c.list[32:]...)
	}
}

// flow is the crew's, less where the standpipe would take no more.
func (c *crew) flow() float64 {
	lo, hi := 0.0, c.cfg.Flow
	mud := circuit{depth: c.hole, density: c.cfg.density(c.hole), loss: c.cfg.Machine.Pipe}
	if mud.Pressure(hi/60000, 0) <= maxPressure {
		return hi
	}
	for range 30 {
		if mid := (lo + hi) / 2; mud.Pressure(mid/60000, 0) <= maxPressure {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// drill is the rest of the stand, or a part of it in another mode.
func (c *crew) drill(p *piece) {
	p.state, p.rop, p.flow = telemetry.StateRotary, c.rate(), c.flow()
	p.stand = c.stand
	left := standLength - c.stand
	switch x := c.rng.Float64(); {
	case x < 0.34 && left > 9: // a slide, to steer
		p.state, p.rop = telemetry.StateSliding, p.rop*0.5
		left = 4 + 4*c.rng.Float64()
	case x < 0.6 && left > 14: // and later another mode
		left *= 0.4 + 0.3*c.rng.Float64()
	}
	p.to = p.from + max(60, int64(left/p.rop*3600))
}

// Rotary is how long a drill of that configuration rotates on bottom between two
// times; 0 where its crew is on a trip, or waits, at any moment of them.
func (c Config) Rotary(from, to time.Time) time.Duration {
	w := newCrew(&c, unix(c.Epoch))
	sum := int64(0)
	for t := unix(from); t < unix(to); t = w.at(t).to {
		switch p := w.at(t); p.state {
		case telemetry.StateTripping, telemetry.StateIdle:
			return 0
		case telemetry.StateRotary:
			sum += min(p.to, unix(to)) - t
		}
	}
	return time.Duration(sum) * time.Second
}

func unix(t time.Time) int64 { return t.Unix() }
