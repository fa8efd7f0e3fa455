package equipment

import (
	"context"
	"fmt"
	"math"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Past answers what was measured; the columnstore is one.
type Past interface {
	Series(ctx context.Context, q storage.SeriesQuery) ([]storage.Series, error)
}

// Use is what a part did in a time, counted from the columnstore: so what came
// late, and a run that was told late, count like all else.
type Use struct {
	Hours  float64 // worked
	Metres float64 // drilled; of bit, BHA and mud motor
}

// usePoints is how finely a run is counted: of 100 h, buckets of 3 minutes.
const usePoints = 2000

// UseOf counts a run's use up to now, Unix ns.
func UseOf(ctx context.Context, past Past, k *Kind, drill string, from, to, now int64) (Use, error) {
	if to == 0 || to > now {
		to = now
	}
	if to <= from {
		return Use{}, nil
	}
	signal, works := "", func(float64) bool { return true }
	switch k.Works {
	case "in place":
		return Use{Hours: float64(to-from) / 3600e9}, nil
	case "drilling":
		signal = "state"
		works = func(v float64) bool {
			s := telemetry.States[min(max(0, int(v)), len(telemetry.States)-1)]
			return s == telemetry.StateRotary || s == telemetry.StateSliding
		}
	case "turning":
		signal, works = "RPM", func(v float64) bool { return v > 5 }
	case "pumping":
		signal, works = "FLIN", func(v float64) bool { return v > 100 }
	}
	all, err := past.Series(ctx, storage.SeriesQuery{Drill: drill, Channels: []string{signal, "DBTM"}, From: from, To: to, Points: usePoints})
	if err != nil {
		return Use{}, fmt.Errorf("use of %s: %w", k.What, err)
	}
	return useIn(k, all[0], all[1], works), nil
}

// useIn counts buckets in which the part worked: to the bucket's width.
func useIn(k *Kind, signal, depth storage.Series, works func(float64) bool) Use {
	var u Use
	top, bottom := math.Inf(1), math.Inf(-1)
	d := 0
	for i, t := range signal.T {
		w := int64(signal.Width)
		if signal.Raw || w == 0 {
			w = 1e9
			if i+1 < len(signal.T) {
				w = min(signal.T[i+1]-t, 60e9) // silence is no work
			}
		}
		half := float64(w) / 3600e9 / 2
		first, last := works(signal.First[i]), works(signal.Last[i])
		if first {
			u.Hours += half
		}
		if last {
			u.Hours += half
		}
		for d < len(depth.T) && depth.T[d] < t+w {
			if first && last && depth.T[d] >= t && depth.Max[d] == depth.Max[d] {
				top, bottom = min(top, depth.Min[d]), max(bottom, depth.Max[d])
			}
			d++
		}
	}
	if k.Works == "drilling" && bottom > top {
		u.Metres = bottom - top
	}
	return u
}
