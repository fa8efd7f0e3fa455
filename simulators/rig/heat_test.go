package rig

import (
	"math"
	"testing"
)

// Research §2.9: winding at 30 °C, by torque and fouling.
func TestAWindingIsAsHotAsTheTableHasIt(t *testing.T) {
	f := func(torque, foul, want float64) {
		t.Helper()
		l := load{power: copperLoss * torque * torque, path: 0.0026 * foul}
		if got := 30 + (heat{}).after(48*3600, l).winding; math.Abs(got-want) > 1 {
			t.Errorf("%.0f %% torque, fouling %v: %.1f °C, want %v", 100*torque, foul, got, want)
		}
	}
	f(1, 1, 139)
	f(0.75, 1, 91)
	f(1, 1.3, 151)
	f(1, 1.6, 164)
	f(1, 2, 180)
	f(0.75, 1.3, 98)
	f(0.75, 1.6, 105)
	f(0.75, 2, 114)
}

// Research §2.9: 63 % of the way after 22 minutes.
func TestAWindingWarmsUpAsSlowlyAsTheTableHasIt(t *testing.T) {
	l := load{power: copperLoss, path: 0.0026}
	end := (heat{}).after(48*3600, l).winding
	minutes := 0.0
	for (heat{}).after(60*minutes, l).winding < 0.63*end {
		minutes += 0.25
	}
	if math.Abs(minutes-22) > 3 {
		t.Errorf("63 %% after %v min, want 22", minutes)
	}
}

// The closed form is what small steps come to.
func TestHeatInClosedFormIsHeatInSmallSteps(t *testing.T) {
	l := load{power: 9000, path: 0.0035, oil: 40, bearing: 35}
	h := heat{winding: 70, frame: 5, oil: 10, bearing: 50}
	want := h
	const dt = 0.5
	for range int(1800 / dt) {
		w := want
		want.winding += dt * (l.power - (w.winding-w.frame)/windingPath) / windingMass
		want.frame += dt * ((w.winding-w.frame)/windingPath - w.frame/l.path) / frameMass
		want.oil += dt * (l.oil - w.oil) / oilLag
		want.bearing += dt * (l.bearing - w.bearing) / bearingLag
	}
	got := h.after(1800, l)
	for _, x := range [][2]float64{{got.winding, want.winding}, {got.frame, want.frame}, {got.oil, want.oil}, {got.bearing, want.bearing}} {
		if math.Abs(x[0]-x[1]) > 0.05 {
			t.Errorf("%v, in steps %v", got, want)
		}
	}
}
