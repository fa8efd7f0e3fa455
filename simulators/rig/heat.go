package rig

import (
	"math"
	"math/rand/v2"
)

// The motor's heat, research §2.9: winding and frame, two thermal masses.
//
//	Cw·Ṫw = P − (Tw−Tf)/Rwf      Cf·Ṫf = (Tw−Tf)/Rwf − (Tf−Ta)/(Rfa·foul)
const (
	windingMass = 1.3e5  // J/K
	frameMass   = 6.5e5  // J/K
	windingPath = 0.0042 // K/W
	copperLoss  = 16000  // W at rated torque
	oilLag      = 2400.0 // s
	bearingLag  = 1500.0 // s
)

// heat is how much warmer than the air each part is, K.
type heat struct{ winding, frame, oil, bearing float64 }

// load is what heats: while it lasts, heat tends towards a steady state.
type load struct {
	power        float64 // W, in the winding
	path         float64 // K/W, frame to air: Rfa times the fouling
	oil, bearing float64 // K, steady
}

// after returns the heat dt seconds on under a load, in closed form.
func (h heat) after(dt float64, l load) heat {
	a, b := -1/(windingMass*windingPath), 1/(windingMass*windingPath)
	c, d := 1/(frameMass*windingPath), -(1/windingPath+1/l.path)/frameMass
	mid, root := (a+d)/2, math.Sqrt((a-d)*(a-d)/4+b*c)
	fast, slow := mid-root, mid+root // both negative
	frame := l.power * l.path
	winding := frame + l.power*windingPath
	x, y := h.winding-winding, h.frame-frame
	ef, es := math.Exp(fast*dt), math.Exp(slow*dt)
	// e^{At} = (e^{fast·t}(A − slow·I) − e^{slow·t}(A − fast·I))/(fast − slow)
	k := 1 / (fast - slow)
	xx := k * (ef*((a-slow)*x+b*y) - es*((a-fast)*x+b*y))
	yy := k * (ef*(c*x+(d-slow)*y) - es*(c*x+(d-fast)*y))
	return heat{
		winding: winding + xx, frame: frame + yy,
		oil:     l.oil + (h.oil-l.oil)*math.Exp(-dt/oilLag),
		bearing: l.bearing + (h.bearing-l.bearing)*math.Exp(-dt/bearingLag),
	}
}

// load is what a piece of work puts on the motor.
func (c *Config) load(p *piece, w *wear) load {
	l := load{path: c.Machine.Rfa * w.foul, oil: 2, bearing: 2}
	if !turning(p.state) {
		return l
	}
	wob := 0.0
	if drilling(p.state) {
		wob = c.WOB
	}
	share := c.torque(wob, p.depth, c.rock(p.hole), w) / c.Machine.Rated
	l.power = copperLoss * share * share
	l.oil = c.Machine.Oil + 0.06*c.RPM + 8*share*share + 6*w.teeth
	l.bearing = 20 + 0.09*c.RPM + 6*share + 0.32*w.spall
	return l
}

// torque at the surface, kN·m: the bit's, T = μWD/3, and the string's.
func (c *Config) torque(wob, depth, rock float64, w *wear) float64 {
	const diameter = 0.2159 // m
	return (c.Machine.Bit*wob*diameter/3*(1-0.25*w.dull)*(1-0.3*w.ball) + c.Machine.Drag*depth/1000) * (0.85 + 0.15*rock)
}

// air is the temperature outside: climate, the day's swing, and a weather that
// changes from day to day, °C.
func (c *Config) air(sec int64) float64 {
	day, part := sec/86400, float64(sec%86400)/86400
	at := func(d int64) float64 {
		return 2.5 * rand.New(rand.NewPCG(c.Seed, uint64(d)^0xa17)).NormFloat64()
	}
	weather := at(day)*(1-part) + at(day+1)*part
	return c.Machine.Mean + c.Machine.Swing*math.Sin(2*math.Pi*part-2) + weather
}

// rock is how hard the formation is at a depth, about 1: beds of 40 m.
func (c *Config) rock(depth float64) float64 {
	bed := uint64(depth / 40)
	return 0.7 + 0.6*rand.New(rand.NewPCG(c.Seed, bed^0xbed)).Float64()
}
