package rig

import "math"

// A triplex pump, research §2.6: three plungers a third of a turn apart, of which
// one valve lets a share of its stroke back.

// pumped is the flow of one revolution, n samples, with the leaks of the three valves.
func pumped(n int, leaks [3]float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		for j := range 3 {
			out[i] += max(0, math.Sin(2*math.Pi*(float64(i)/float64(n)+float64(j)/3))) * (1 - leaks[j])
		}
	}
	return out
}

// order is the amplitude of a multiple of the revolution in a signal of one revolution.
func order(x []float64, k int) float64 {
	re, im := 0.0, 0.0
	for i, v := range x {
		a := 2 * math.Pi * float64(k) * float64(i) / float64(len(x))
		re, im = re+v*math.Cos(a), im+v*math.Sin(a)
	}
	return 2 / float64(len(x)) * math.Hypot(re, im)
}

// PulsationRatio is (1×+2×)/6× of a triplex pump's stroke order with one valve
// leaking that share (§2.6: 2 % → 0.26, 5 % → 0.66, 10 % → 1.35, 20 % → 2.8), and
// what even a sound pump shows.
func PulsationRatio(leak float64) float64 {
	xs, ys := []float64{0, 0.02, 0.05, 0.10, 0.20, 0.30}, []float64{0.08, 0.26, 0.66, 1.35, 2.8, 4.2}
	for i := 1; i < len(xs); i++ {
		if leak <= xs[i] {
			return ys[i-1] + (ys[i]-ys[i-1])*(leak-xs[i-1])/(xs[i]-xs[i-1])
		}
	}
	return ys[len(ys)-1]
}
