package scorer

import (
	"testing"
	"time"

	simulated "github.com/mudpulse/mudpulse/simulators/rig"
	"github.com/mudpulse/mudpulse/telemetry"
)

// The recogniser against what a simulated crew really does, second by second for two days.
func TestTheRecogniserAgreesWithTheCrew(t *testing.T) {
	epoch := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	x := simulated.New("RIG-03", 7, epoch)
	cfg, r := DefaultRigConfig(), newRig()
	right, all := map[string]int{}, map[string]int{}
	confused := map[string]int{}
	var in rigInputs
	for i := range in {
		in[i] = nan
	}
	const warm = 24 * 3600
	for i := range 4 * 24 * 3600 {
		if i < warm && i%60 != 0 {
			continue // it learns its thresholds on a frame a minute
		}
		at := epoch.Add(time.Duration(i) * time.Second)
		f := x.Second(at)
		for _, run := range f.Runs {
			for k, tag := range rigTags {
				if run.Channel == tag {
					in[k] = run.Values[len(run.Values)-1]
				}
			}
		}
		r.step(&cfg, f.TS, &in)
		if i < warm {
			continue
		}
		truth := x.Truth(at).State
		all[truth]++
		if r.name() == truth {
			right[truth]++
		} else {
			confused[truth+" taken for "+r.name()]++
		}
	}
	for _, s := range []string{telemetry.StateRotary, telemetry.StateSliding, telemetry.StateTripping, telemetry.StateConnection, telemetry.StateReaming} {
		if all[s] == 0 || float64(right[s]) < 0.9*float64(all[s]) {
			t.Errorf("%s: right in %d of %d seconds", s, right[s], all[s])
		}
	}
	if t.Failed() || testing.Verbose() {
		t.Log(all, right, confused)
	}
}
