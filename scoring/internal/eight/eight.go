// Package eight holds the kernels that go over eight rows side by side, a lane
// each. On amd64 they are two lanes wide in SSE2, which every such machine has;
// elsewhere they are plain Go. Each lane goes through the same operations in
// the same order either way, without fused ones, so that the bits are the same.
package eight

import "github.com/mudpulse/mudpulse/scoring/internal/portable"

// Lanes are a value each of eight rows.
type Lanes = [8]float64

// Squares adds up the squared differences of eight rows to a centre: len(x) of
// them, in order.
func Squares(z *Lanes, x []Lanes, center []float64) {
	center = center[:len(x)]
	if len(x) == 0 {
		*z = Lanes{}
		return
	}
	squares(z, &x[0], &center[0], len(x))
}

// Dot adds up the products of eight rows with weights: len(weights) of them, in order.
func Dot(z *Lanes, x []Lanes, weights []float64) {
	x = x[:len(weights)]
	if len(x) == 0 {
		*z = Lanes{}
		return
	}
	dot(z, &x[0], &weights[0], len(x))
}

// Exp is portable.Exp of each, in place.
func Exp(z *Lanes) {
	for _, v := range z {
		if !(v > -700 && v < -1.0/(1<<28)) { // not the usual, a falling exponential
			portable.ExpEach(z[:])
			return
		}
	}
	falling(z)
}
