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
	stand float64 // metres of this stand that are drilled already
}

// standLength is three joints of pipe, m.
const standLength = 28.5

// crew writes the schedule of a rig, piece by piece, from a seed.
type crew struct {
	rng   *rand.Rand
	cfg   *Config
	list  []piece // the last few hours' pieces; the newest last
	hole  float64
	stand float64
	steps int
}

func newCrew(cfg *Config, from int64) *crew {
	c := &crew{rng: rand.New(rand.NewPCG(cfg.Seed, 0xc4e3)), cfg: cfg, hole: cfg.Depth}
	c.list = append(c.list, piece{state: telemetry.StateRotary, from: from, to: from + 600 + int64(c.rng.IntN(1200)), depth: c.hole, hole: c.hole, rop: c.rate()})
	return c
}

// rate is the rate of penetration of the coming stretch of rock, m/h.
func (c *crew) rate() float64 { return c.cfg.ROP * (0.75 + 0.5*c.rng.Float64()) }

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

// next appends what the crew does after the last piece.
func (c *crew) next() {
	last := &c.list[len(c.list)-1]
	drilled := 0.0
	if last.state == telemetry.StateRotary || last.state == telemetry.StateSliding {
		drilled = last.rop * float64(last.to-last.from) / 3600
	}
	c.hole += drilled
	c.stand += drilled
	p := piece{from: last.to, depth: c.hole, hole: c.hole, stand: c.stand}
	span := func(lo, hi int) { p.to = p.from + int64(lo+c.rng.IntN(hi-lo)) }
	switch {
	case last.state == telemetry.StateConnection:
		c.stand = 0
		p.stand = 0
		c.steps++
		if c.steps%9 == 0 {
			p.state = telemetry.StateCirculating
			span(600, 1800)
			break
		}
		c.drill(&p)
	case last.state == telemetry.StateReaming:
		p.state = telemetry.StateConnection
		span(240, 480)
	case c.stand >= standLength-0.3:
		p.state = telemetry.StateReaming
		span(120, 300)
	default:
		c.drill(&p)
	}
	c.list = append(c.list, p)
	if len(c.list) > 64 {
		c.list = append(c.list[:0], c.list[32:]...)
	}
}

// drill is the rest of the stand, or a part of it in another mode.
func (c *crew) drill(p *piece) {
	p.state, p.rop = telemetry.StateRotary, c.rate()
	left := standLength - c.stand
	if c.rng.Float64() < 0.22 && left > 9 { // a slide, to steer
		p.state, p.rop = telemetry.StateSliding, p.rop*0.5
		left = 4 + 4*c.rng.Float64()
	}
	p.to = p.from + max(60, int64(left/p.rop*3600))
}

func unix(t time.Time) int64 { return t.Unix() }
