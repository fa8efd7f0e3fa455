package rig

import (
	"math"
	"testing"
)

// Research §2.6: volumetric efficiency and (1×+2×)/6× by the leak of one valve.
func TestALeakingValveShowsInTheOrdersOfThePump(t *testing.T) {
	mean := func(x []float64) float64 {
		s := 0.0
		for _, v := range x {
			s += v
		}
		return s / float64(len(x))
	}
	whole := mean(pumped(3600, [3]float64{}))
	f := func(leak, efficiency, ratio float64) {
		t.Helper()
		x := pumped(3600, [3]float64{leak, 0, 0})
		if got := 100 * mean(x) / whole; math.Abs(got-efficiency) > 0.1 {
			t.Errorf("leak %v: %.1f %% of the flow, want %v", leak, got, efficiency)
		}
		got := (order(x, 1) + order(x, 2)) / order(x, 6)
		if math.Abs(got-ratio) > max(0.03, 0.05*ratio) {
			t.Errorf("leak %v: ratio %.2f, want %v", leak, got, ratio)
		}
		if fast := PulsationRatio(leak); math.Abs(fast-got) > max(0.03, 0.05*got) {
			t.Errorf("leak %v: the fleets' ratio %.2f, of the pump %.2f", leak, fast, got)
		}
	}
	f(0.02, 99.3, 0.26)
	f(0.05, 98.3, 0.66)
	f(0.10, 96.7, 1.35)
	f(0.20, 93.3, 2.8)
}

// A dampener that lost its gas lets all orders through three times: the ratio stays.
func TestALostDampenerLeavesTheRatio(t *testing.T) {
	x := pumped(3600, [3]float64{0.05, 0, 0})
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = 3 * v
	}
	a, b := (order(x, 1)+order(x, 2))/order(x, 6), (order(y, 1)+order(y, 2))/order(y, 6)
	if math.Abs(a-b) > 1e-9 {
		t.Errorf("%v, with three times the pulsation %v", a, b)
	}
}
