package rig

import (
	"math"
	"math/rand/v2"

	"github.com/mudpulse/mudpulse/telemetry"
)

// A plant is everything that one second's readings are made of.
type plant struct {
	hook, wob, block, rpm, torque, spp, flow          float64
	rop, axial, lateral, slip, ratio, velocity, snr   float64
	depth, pit, mud, mudOut, winding, bearing, oil    float64
	particles                                         float64
	sticking, pumping                                 bool
	phase, swing, surge, noise, lobes, fuzz, hookSway float64
	period                                            float64
	stuckFor                                          float64 // s since the bit first stopped
}

func turning(state string) bool {
	return state == telemetry.StateRotary || state == telemetry.StateReaming
}

// density of the mud in a hole: heavier every 500 m.
func (c *Config) density(hole float64) float64 { return c.Mud + 20*math.Floor(hole/500) }

// circuit is the string that is in the hole, with the mud that is in it now.
func (c *Config) circuit(p *piece, depth float64, w *wear, in float64) circuit {
	warm := 0.015 * (1 - math.Exp(-in/2400)) // mud that moves gets warm and thin
	return circuit{depth: depth, density: c.density(p.hole) + w.dense, loss: c.Machine.Pipe * (1 + w.thick - warm), open: p.open * (1 - w.plug)}
}

// plant works out a second of a piece.
func (r *Rig) plant(x *plant, p *piece, sec int64, w *wear, rng *rand.Rand) {
	c, m := &r.cfg, &r.cfg.Machine
	in := float64(sec - p.from) // seconds into the piece
	ramp := min(1, in/45)       // speeds and pressures settle
	noise := rng.NormFloat64
	drilling, turning := drilling(p.state), turning(p.state)
	pumping := turning || drilling || p.state == telemetry.StateCirculating
	stopping := p.state == telemetry.StateConnection && in < 20
	if p.state == telemetry.StateConnection {
		ramp = max(0, 1-in/20)
	}
	*x = plant{noise: m.Noise, pumping: pumping, period: m.Period, depth: p.depth}

	if drilling {
		x.rop = p.rop * (1 - 0.8*w.dull) * (1 - 0.6*w.ball)
		x.depth += p.rop * in / 3600
		x.wob = c.WOB * ramp
		if p.state == telemetry.StateSliding {
			x.wob *= 0.8
			if w.stall > 0 {
				x.rop = 0
			}
		}
	}
	if turning || stopping {
		x.rpm = c.RPM * ramp
		if stopping {
			x.rpm *= 0.3
		}
	}
	if pumping || stopping {
		x.flow = p.flow * ramp
	}
	rotary := p.state == telemetry.StateRotary
	if w.slow && rotary {
		x.wob, x.rpm = x.wob*1.35, x.rpm*0.62
		x.sticking = sticks(x.wob, x.rpm)
		x.stuckFor = 1 + min(in, float64(sec-w.slowFrom))
	}
	r.pressure(x, p, w, in)
	if turning {
		x.torque = c.torque(x.wob, x.depth, c.rock(p.hole), w) * min(1, x.rpm/30)
	}
	r.warmth(x, p, sec, w, in)
	r.machinery(x, w, sec, noise)
	r.string(x, p, w, in, drilling, rotary, noise)
	x.pit = 62 + 1.5*math.Sin(float64(sec)/9000) - 0.004*math.Mod(p.hole, 500)
	x.mud = c.density(p.hole) + w.probe
	x.mudOut = 42 + 0.0036*x.depth
	r.hoist(x, p, in)
}

// pressure at the standpipe. The pump's strokes count what is pumped, less what a
// valve lets back; another pump's are counted a little wrongly.
func (r *Rig) pressure(x *plant, p *piece, w *wear, in float64) {
	x.flow *= 1 - w.leak/6 // one valve of three, half of the stroke
	x.spp = 0.04
	if x.pumping && x.flow > 0 {
		x.spp = r.cfg.circuit(p, x.depth, w, in).Pressure(x.flow/60000, w.hole)/1e6 + 0.05
		if p.state == telemetry.StateSliding {
			x.spp += w.stall
		}
	}
	x.flow *= 1 + w.count
	x.surge = 1 // pulsation of pressure, times usual
	if w.rough > 0 {
		x.surge = w.rough
	}
}

// warmth of motor, bearing and oil: the air, and what the work so far has put in.
func (r *Rig) warmth(x *plant, p *piece, sec int64, w *wear, in float64) {
	h := p.heat.after(in, r.cfg.load(p, w))
	air := r.cfg.air(sec) + w.hot
	x.winding, x.bearing, x.oil = air+h.winding, air+h.bearing, air+h.oil
}

// machinery is what its accelerometers and its oil say of the top drive and the pumps.
func (r *Rig) machinery(x *plant, w *wear, sec int64, noise func() float64) {
	m := &r.cfg.Machine
	x.snr = m.Snr + m.Hit*14*math.Log(1+w.spall/0.3) + (0.5+1.5*w.loose)*m.Noise*noise()
	x.velocity = m.Casing + 0.23*m.Hit*w.spall + 0.8*w.teeth + 0.4*w.loose*math.Abs(noise()) + 0.12*m.Noise*noise()
	if x.rpm < 30 {
		x.snr, x.velocity = 4+0.4*noise(), 0.3+0.05*math.Abs(noise())
	}
	x.particles = m.Dirt*math.Pow(10, w.teeth)*(1-w.clean)*(1+0.1*r.slow(sec, 6*3600, 0x01)) + 5*m.Noise*noise()
	if x.flow >= 300 {
		x.ratio = m.Pulse + PulsationRatio(w.leak) - PulsationRatio(0) + 0.02*m.Noise*noise()
	}
}

// slow is a noise of variance 1 that changes over so many seconds.
func (r *Rig) slow(sec, over int64, what uint64) float64 {
	n, part := sec/over, float64(sec%over)/float64(over)
	at := func(i int64) float64 {
		return rand.New(rand.NewPCG(r.cfg.Seed^what<<32, uint64(i))).NormFloat64()
	}
	return at(n)*(1-part) + at(n+1)*part
}

// string is what the string does, and what is measured near the bit.
func (r *Rig) string(x *plant, p *piece, w *wear, in float64, drilling, rotary bool, noise func() float64) {
	m := &r.cfg.Machine
	x.axial, x.lateral = 0.15, 0.2
	if drilling {
		x.axial, x.lateral = m.Axial+0.1*math.Abs(noise()), m.Side+0.15*math.Abs(noise())
	}
	x.slip = 0.05 + 0.03*math.Abs(noise())
	if x.sticking {
		// The index reaches back 20 s, so it comes up within a cycle of the first stop.
		x.slip += (1.5*math.Exp(0.18*noise()) - x.slip) * min(1, x.stuckFor/m.Period)
		x.lateral += 0.8
	}
	if rotary && in >= 45 {
		if w.whirl > 0 {
			x.lateral += w.whirl * (0.8 + 0.2*math.Abs(noise()))
			x.fuzz = 0.06
		}
		if w.bounce > 0 {
			x.lobes = w.bounce // three lobes: the weight swings
			x.axial += 5 * w.bounce * (0.9 + 0.2*math.Abs(noise()))
			x.hookSway = 0.05
		}
	}
}

// hoist is where block and bit are, and what hangs on the hook.
func (r *Rig) hoist(x *plant, p *piece, in float64) {
	slips := false
	x.block = 30 - math.Mod(p.stand, standLength)
	switch p.state {
	case telemetry.StateRotary, telemetry.StateSliding:
		x.block -= p.rop * in / 3600
	case telemetry.StateReaming:
		x.block = 3 + 6*math.Abs(math.Sin(in/60))
		x.depth -= x.block - 2
	case telemetry.StateConnection:
		x.block = 2 + min(1, in/180)*28
	case telemetry.StateCirculating:
		x.block, x.depth = 9, x.depth-6
	case telemetry.StateIdle:
		x.block, slips = 4, true
	case telemetry.StateTripping:
		x.block, x.depth, slips = trip(p, in)
	}
	x.hook = 280.0 + 0.26*x.depth - x.wob
	if p.state == telemetry.StateTripping { // friction in the hole: more out, less in
		x.hook += math.Copysign(0.03, -p.rop) * x.depth
	}
	if slips {
		x.hook = 120
	}
	if p.state == telemetry.StateConnection {
		x.hook = 120
		if in < 25 {
			x.hook += (0.26*x.depth + 160) * (1 - in/25)
		}
	}
}

// reading is channel i at dt seconds into the second.
func (x *plant) reading(i int, dt float64, rng *rand.Rand) float64 {
	n := x.noise * rng.NormFloat64()
	sway := 0.0
	if x.lobes > 0 || x.hookSway > 0 {
		sway = math.Sin(2*math.Pi*3*x.rpm/60*dt + x.phase)
	}
	switch i {
	case 0:
		return x.hook * (1 + x.hookSway*sway + 0.006*n)
	case 1:
		return max(0, x.wob*(1+0.02*n+x.lobes*sway))
	case 2:
		return x.block
	case 3:
		if x.rpm == 0 {
			return 0
		}
		return x.rpm + 0.5*n
	case 4:
		t := x.torque * (1 + (0.015+x.fuzz)*n)
		if x.sticking { // the saw-tooth that the surface sees
			t *= 1 + 0.66*math.Sin(x.phase+2*math.Pi*dt/x.period)
		}
		return max(0, t)
	case 5:
		return max(0, x.spp*(1+0.0025*x.surge*n))
	case 6:
		return max(0, x.flow+4*n*min(1, x.flow/100))
	case 7:
		return max(0, x.torque*x.rpm*2*math.Pi/60+2*n*min(1, x.rpm))
	case 8:
		return max(0, x.flow*0.995+18*n*min(1, x.flow/100))
	case 9:
		return max(0, x.rop*(1+0.06*n))
	case 10:
		return max(0, x.axial)
	case 11:
		return max(0, x.lateral)
	case 12:
		if x.rpm < 20 {
			return 0
		}
		return x.slip
	case 13:
		return max(0, x.ratio)
	case 14:
		return max(0, x.velocity)
	case 15:
		return max(0, x.snr)
	case 16:
		return max(0, x.depth)
	case 17:
		return x.pit
	case 18:
		return x.mud + 1.5*n
	case 19:
		return x.mudOut
	case 20:
		return x.winding + 0.2*n
	case 21:
		return x.bearing + 0.15*n
	case 22:
		return x.oil + 0.15*n
	}
	return max(0, x.particles)
}

// trip returns the block's position, the bit's depth and whether the string hangs
// in slips, in seconds into a trip: two fifths of each stand's time it moves.
func trip(p *piece, in float64) (block, depth float64, slips bool) {
	cycle := standLength / math.Abs(p.rop) * 3600
	n, part := math.Floor(in/cycle), math.Mod(in, cycle)/cycle
	moved := min(1, part/0.4)
	back := max(0, part-0.4) / 0.6 // the empty block returns for the next stand
	depth = p.depth + math.Copysign((n+moved)*standLength, p.rop)
	if p.rop < 0 {
		return 2 + 28*(moved-back), max(surface, depth), part > 0.4
	}
	return 30 - 28*(moved-back), min(depth, p.hole), part > 0.4
}
