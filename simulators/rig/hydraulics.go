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
	loss    float64 // friction, times the law; 0: 1
	open    float64 // flow area of the bit, times nozzles; 0: 1
}

func (c circuit) friction() float64 {
	k := 1.0e10*c.depth/3000*math.Pow(c.density/1250, 0.8) + 1.0e9*c.depth/3000
	if c.loss > 0 {
		k *= c.loss
	}
	return k
}

// Pressure returns the standpipe pressure in Pa at flow q, m³/s, with a hole of
// hole mm in the string.
func (c circuit) Pressure(q, hole float64) float64 {
	if q <= 0 {
		return 0
	}
	k, area := c.friction(), nozzles
	if c.open > 0 {
		area *= c.open
	}
	below := func(qb float64) float64 { // loss from the hole round the bit and back up to it
		return 0.6*k*math.Pow(qb, 1.86) + c.density*qb*qb/(2*discharge*discharge*area*area)
	}
	above := 0.4 * k * math.Pow(q, 1.86)
	if hole <= 0 {
		return above + below(q)
	}
	leaks := math.Pi / 4 * hole * hole * 1e-6 // m²
	lo, hi := 0.0, q                          // flow through the bit
	for range 30 {
		mid := (lo + hi) / 2
		leak := 0.8 * leaks * math.Sqrt(2*below(mid)/c.density)
		if mid+leak < q {
			lo = mid
		} else {
			hi = mid
		}
	}
	return above + below((lo+hi)/2)
}
