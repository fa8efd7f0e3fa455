package fleet

import (
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/simulators/rig"
	"github.com/mudpulse/mudpulse/telemetry"
)

func TestWhatIsOnItsWayCanBeSeenFromTheStart(t *testing.T) {
	start := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	for seed := range uint64(12) {
		fleet := Demo(seed, start)
		if len(fleet) != 12 {
			t.Fatalf("seed %d: %d drills", seed, len(fleet))
		}
		for _, d := range fleet {
			if len(d.Faults) == 0 || d.Faults[0].Kind == rig.DogLeg { // that lies behind it
				continue
			}
			turning := 0
			for m := range 180 {
				switch d.Rig.Truth(start.Add(time.Duration(m) * time.Minute)).State {
				case telemetry.StateTripping, telemetry.StateIdle:
					t.Fatalf("seed %d: %s trips or waits %d min after the start", seed, d.Name, m)
				case telemetry.StateRotary:
					turning++
				}
			}
			if turning < 70 {
				t.Errorf("seed %d: %s turns for %d of the first 180 minutes", seed, d.Name, turning)
			}
		}
	}
}

func TestTheSameSeedIsTheSameFleet(t *testing.T) {
	start := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	a, b := Demo(7, start), Demo(7, start)
	for i := range a {
		at := start.Add(time.Duration(i) * time.Minute)
		x, y := a[i].Rig.Second(at), b[i].Rig.Second(at)
		if string(telemetry.AppendFrame(nil, &x)) != string(telemetry.AppendFrame(nil, &y)) {
			t.Errorf("%s differs from itself", a[i].Name)
		}
	}
}
