package rig

import "math/rand/v2"

// A Machine is what differs from one drill to the next, and what no model is
// told: how it was built, how its sensors stand, what weather it works in.
type Machine struct {
	Bit    float64 // bit's friction coefficient, 0.5 to 0.9 for PDC (research §2.3)
	Drag   float64 // of the string in the hole, kN·m per km
	Pipe   float64 // frictional pressure loss, times the law of §2.5
	Rated  float64 // motor's torque, kN·m
	Rfa    float64 // K/W, frame to air with a clean filter (§2.9)
	Mean   float64 // of the air, °C
	Swing  float64 // of the air over a day, °C
	Oil    float64 // K that the gearbox oil is above the air while turning, at no load
	Casing float64 // mm/s, sound
	Snr    float64 // bearing envelope, sound
	Dirt   float64 // particles over 14 µm per mL, sound
	Pulse  float64 // pulsation ratio, sound
	Hit    float64 // how loud a spall is, times §2.7
	Noise  float64 // of sensors, times usual
	Axial  float64 // g, while drilling smoothly
	Side   float64 // g
	Period float64 // s, of stick-slip
}

// between draws evenly.
func between(rng *rand.Rand, lo, hi float64) float64 { return lo + (hi-lo)*rng.Float64() }

// drawMachine draws a drill of the usual kind, or of another: longer strings,
// smaller motors, hotter air, quieter bearings, worse sensors.
func drawMachine(rng *rand.Rand, shifted bool) Machine {
	m := Machine{
		Bit: between(rng, 0.7, 0.85), Drag: between(rng, 1.8, 2.3), Pipe: between(rng, 0.93, 1.07), Rated: between(rng, 13.6, 14.4), Rfa: between(rng, 0.0025, 0.0027),
		Mean: between(rng, 8, 26), Swing: between(rng, 3, 8), Oil: between(rng, 24, 30), Casing: between(rng, 1.4, 2.3), Snr: between(rng, 3.4, 5.2),
		Dirt: between(rng, 45, 100), Pulse: between(rng, 0.05, 0.16), Hit: between(rng, 0.85, 1.15), Noise: between(rng, 0.8, 1.25),
		Axial: between(rng, 0.25, 0.5), Side: between(rng, 0.4, 0.7), Period: between(rng, 6.8, 8),
	}
	if shifted {
		m.Bit, m.Drag = between(rng, 0.55, 0.7), between(rng, 2.3, 3)
		m.Pipe, m.Rated = between(rng, 1.1, 1.35), between(rng, 14, 17)
		m.Rfa, m.Mean, m.Swing, m.Oil = between(rng, 0.0028, 0.0033), between(rng, 20, 34), between(rng, 6, 11), between(rng, 27, 35)
		m.Casing, m.Snr, m.Dirt, m.Pulse = between(rng, 1.8, 2.8), between(rng, 3, 6), between(rng, 35, 130), between(rng, 0.06, 0.22)
		m.Hit, m.Noise, m.Period = between(rng, 0.6, 0.85), between(rng, 1.2, 1.7), between(rng, 4.5, 6)
	}
	return m
}
