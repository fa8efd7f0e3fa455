package rig

import (
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

type station struct {
	at              time.Time
	depth, inc, azi float64
}

// surveyed runs a drill and returns its surveys, its toolfaces and, of every
// whole minute, the other channels.
func surveyed(cfg Config, days int) (out []station, toolfaces int, others [][]telemetry.Run) {
	r := NewConfigured(cfg)
	for t := cfg.Epoch; t.Before(cfg.Epoch.Add(time.Duration(days) * 24 * time.Hour)); t = t.Add(time.Minute) {
		f := r.Second(t)
		s := station{at: t, inc: math.NaN()}
		var rest []telemetry.Run
		for _, run := range f.Runs {
			switch v := run.Values[0]; run.Channel {
			case "INC":
				s.inc = v
			case "AZI":
				s.azi = v
			case "TF":
				toolfaces++
			default:
				if run.Channel == "DBTM" {
					s.depth = v
				}
				run.Values = slices.Clone(run.Values)
				rest = append(rest, run)
			}
		}
		others = append(others, rest)
		if s.inc == s.inc {
			out = append(out, s)
		}
	}
	return out, toolfaces, others
}

// dogLeg is the bend between two surveys, degrees per 30 m.
func dogLeg(a, b station) float64 {
	const rad = math.Pi / 180
	i1, i2, turn := a.inc*rad, b.inc*rad, (b.azi-a.azi)*rad
	return math.Acos(min(1, math.Cos(i2-i1)-math.Sin(i1)*math.Sin(i2)*(1-math.Cos(turn)))) / rad * 30 / (b.depth - a.depth)
}

func TestSurveysFollowAPathThatBendsSharplyOnlyInADogLeg(t *testing.T) {
	epoch := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	var before, after [][]telemetry.Run
	f := func(drill string, want int, faults ...Fault) [][]telemetry.Run {
		t.Helper()
		all, toolfaces, others := surveyed(Draw(drill, 7, epoch, faults...), 12)
		if len(all) < 60 || toolfaces < 60 {
			t.Errorf("%s: %d surveys, %d toolfaces in 12 days", drill, len(all), toolfaces)
		}
		sharp, top := 0, 0.0
		for i := 1; i < len(all); i++ {
			if all[i].depth-all[i-1].depth < 9 {
				continue // another well, or the same stand
			}
			bend := dogLeg(all[i-1], all[i])
			top = max(top, all[i].inc)
			if bend > 6 {
				sharp++
				if len(faults) == 0 || all[i].at.Before(faults[0].Start) || all[i].at.After(faults[0].Start.Add(36*time.Hour)) {
					t.Errorf("%s bends %.1f° in 30 m at %.0f m, %v", drill, bend, all[i].depth, all[i].at)
				}
			}
		}
		if (sharp > 0) != (want > 0) || top < 15 {
			t.Errorf("%s: %d sharp bends, want %d; inclined at most %.0f°", drill, sharp, want, top)
		}
		return others
	}
	for _, drill := range []string{"RIG-01", "RIG-02", "RIG-03"} {
		f(drill, 0)
	}
	before = f("RIG-05", 0)
	after = f("RIG-05", 1, Fault{Kind: DogLeg, Start: epoch.Add(5 * 24 * time.Hour), Life: 24 * time.Hour})
	if !reflect.DeepEqual(before, after) {
		t.Error("a dog-leg changes channels that are no surveys")
	}
}
