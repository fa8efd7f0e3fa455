package trajectory

import (
	"math"
	"testing"
)

// Build-up of 3°/30 m to 90° is a quarter of a circle of radius 30·180/(3π) m.
func TestATrajectoryOfConstantBuildIsACircle(t *testing.T) {
	var s []Survey
	for i := range 31 {
		s = append(s, Survey{Depth: 1000 + 30*float64(i), Inc: 3 * float64(i), Azi: 90})
	}
	got := Lay(s)
	radius := 30 * 180 / (3 * math.Pi)
	end := got[30]
	if math.Abs(end.TVD-1000-radius) > 1e-6 || math.Abs(end.East-radius) > 1e-6 || math.Abs(end.North) > 1e-9 {
		t.Errorf("TVD %v, east %v, north %v; want %v", end.TVD, end.East, end.North, radius)
	}
	for _, x := range got[1:] {
		if math.Abs(x.DogLeg-3) > 1e-9 {
			t.Errorf("dog-leg %v at %v", x.DogLeg, x.Depth)
		}
	}
	// A turn at constant inclination: cos of the angle between the two directions.
	turn := Lay([]Survey{{Depth: 0, Inc: 30, Azi: 10}, {Depth: 30, Inc: 30, Azi: 20}})
	if want := math.Acos(math.Cos(10*rad)*math.Pow(math.Sin(30*rad), 2)+math.Pow(math.Cos(30*rad), 2)) / rad; math.Abs(turn[1].DogLeg-want) > 1e-9 {
		t.Errorf("dog-leg of a turn %v, want %v", turn[1].DogLeg, want)
	}
	if straight := Lay([]Survey{{Depth: 0}, {Depth: 100}, {Depth: 100.5, At: 1, Inc: 1}}); len(straight) != 2 || straight[1].Inc != 1 {
		t.Errorf("a survey taken again: %+v", straight)
	}
}
