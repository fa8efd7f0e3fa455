package rig

import "math"

// Hydraulics of the string, research §2.5: series loss and a wash-out as an
// orifice at 40 % of the depth.

const (
	nozzles   = 4.5e-4 // total flow area of the bit, m²
	discharge = 0.95
)

// circuit is a string of pipe with mud in it.
type circuit struct {
	depth   float64 // m
	density float64 // kg/m³
}

func (c circuit) pipe() float64    { return 1.0e10 * c.depth / 3000 * math.Pow(c.density/1250, 0.8) }
func (c circuit) annulus() float64 { return 1.0e9 * c.depth / 3000 }

// Pressure returns the standpipe pressure in Pa at flow q, m³/s, with a hole of
// hole mm in the string.
func (c circuit) Pressure(q, hole float64) float64 {
	if q <= 0 {
		return 0
	}
	below := func(qb float64) float64 { // loss from the hole round the bit and back up to it
		return 0.6*(c.pipe()+c.annulus())*math.Pow(qb, 1.86) + c.density*qb*qb/(2*discharge*discharge*nozzles*nozzles)
	}
	above := 0.4 * (c.pipe() + c.annulus()) * math.Pow(q, 1.86)
	if hole <= 0 {
		return above + below(q)
	}
	area := math.Pi / 4 * hole * hole * 1e-6
	lo, hi := 0.0, q // flow through the bit
	for range 40 {
		mid := (lo + hi) / 2
		leak := 0.8 * area * math.Sqrt(2*below(mid)/c.density)
		if mid+leak < q {
			lo = mid
		} else {
			hi = mid
		}
	}
	return above + below((lo+hi)/2)
}

// PulsationRatio is (1×+2×)/6× of a triplex pump's stroke order with one valve
// leaking that share (§2.6: 2 % → 0.26, 5 % → 0.66, 10 % → 1.35, 20 % → 2.8).
func PulsationRatio(leak float64) float64 {
	xs, ys := []float64{0, 0.02, 0.05, 0.10, 0.20, 0.30}, []float64{0.08, 0.26, 0.66, 1.35, 2.8, 4.2}
	for i := 1; i < len(xs); i++ {
		if leak <= xs[i] {
			return ys[i-1] + (ys[i]-ys[i-1])*(leak-xs[i-1])/(xs[i]-xs[i-1])
		}
	}
	return ys[len(ys)-1]
}

// Torsion, research §2.1. ThresholdRPM is the surface speed below which a stiff
// drive falls into stick-slip: the negative slope of the bit's friction against
// the damping.
func ThresholdRPM(wob float64) float64 { // wob in N
	const (
		diameter = 0.2159 // of the bit, m
		static   = 0.9
		kinetic  = 0.5
		fall     = 3.0 // rad/s
		damping  = 25.0 + 40.0
	)
	x := wob * diameter * (static - kinetic) / (3 * fall * damping)
	if x <= 1 {
		return 0
	}
	return fall * math.Log(x) * 60 / (2 * math.Pi)
}
