package evaluate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/mudpulse/mudpulse/scoring/feature"
	"github.com/mudpulse/mudpulse/services/scorer"
	"github.com/mudpulse/mudpulse/telemetry"
)

// rates compares what a drill says at full rate with what it says in one full
// second a minute: long fleets are driven at the second, drills in service at the
// first, and a figure of the one speaks of the other only as far as these agree.
type rates struct {
	names      []string
	plan       *feature.Plan
	slots      map[string]int
	full, duty *feature.State
	a, b       []float64
	to         []int
	last       string      // state of the minute so far
	kept       [][]float64 // by name: what full rate said, in minutes of rotary drilling
	apart      [][]float64 // and how far the other was from it
}

// compared are the channels' means of a minute, and what the models read.
func compared(models map[string][]byte) ([]string, error) {
	var names []string
	for _, c := range telemetry.DefaultCatalogue().All()[:24] {
		names = append(names, c.Tag+"__mean__60s")
	}
	for name, b := range models {
		m, err := scorer.ParsePMML(b)
		if err != nil {
			return nil, fmt.Errorf("model %s: %w", name, err)
		}
		for _, f := range m.Inputs() {
			if feature.IsFeature(f.Name) && !slices.Contains(names, f.Name) {
				names = append(names, f.Name)
			}
		}
	}
	slices.Sort(names[24:])
	return names, nil
}

func newRates(names []string) (*rates, error) {
	plan, err := feature.Compile(names)
	if err != nil {
		return nil, err
	}
	r := &rates{names: names, plan: plan, slots: map[string]int{}, full: plan.NewState(), duty: plan.NewState(),
		a: make([]float64, len(names)), b: make([]float64, len(names)), to: make([]int, len(names)), kept: make([][]float64, len(names)), apart: make([][]float64, len(names))}
	for i := range r.to {
		r.to[i] = i
	}
	for ch, tag := range plan.Channels() {
		r.slots[tag] = ch
	}
	return r, nil
}

// take takes one second; first says that it is its minute's.
func (r *rates) take(f *telemetry.Frame, state string) {
	first := f.TS%int64(time.Minute) == 0
	if first {
		r.last = state
	} else if state != r.last {
		r.last = ""
	}
	for i := range f.Runs {
		u := &f.Runs[i]
		ch, ok := r.slots[u.Channel]
		if !ok {
			continue
		}
		for j, v := range u.Values {
			r.full.Add(ch, u.Time(f.TS, j), v)
			if first {
				r.duty.Add(ch, u.Time(f.TS, j), v)
			}
		}
	}
	r.full.Rig(f.TS, state)
	if first {
		r.duty.Rig(f.TS, state)
		r.duty.Read(f.TS, r.b, r.to)
	}
	if f.TS%int64(time.Minute) != 59*int64(time.Second) {
		return
	}
	r.full.Read(f.TS, r.a, r.to)
	if r.last != telemetry.StateRotary {
		return
	}
	for i, v := range r.a {
		if v == v && r.b[i] == r.b[i] {
			r.kept[i] = append(r.kept[i], v)
			r.apart[i] = append(r.apart[i], math.Abs(v-r.b[i]))
		}
	}
}

// A Gap is how far one feature's two values are apart.
type Gap struct {
	Name        string  `json:"name"`
	Minutes     int     `json:"minutes"`
	Spread      float64 `json:"spread"` // of the feature itself: from its 5th to its 95th percentile
	Median, P99 float64 // of the distance
}

func gaps(all []*rates) []Gap {
	var out []Gap
	if len(all) == 0 {
		return nil
	}
	for i, name := range all[0].names {
		var kept, apart []float64
		for _, r := range all {
			kept, apart = append(kept, r.kept[i]...), append(apart, r.apart[i]...)
		}
		slices.Sort(kept)
		slices.Sort(apart)
		out = append(out, Gap{name, len(kept), quantile(kept, 0.95) - quantile(kept, 0.05), quantile(apart, 0.5), quantile(apart, 0.99)})
	}
	slices.SortStableFunc(out, func(a, b Gap) int {
		x, y := a.P99/a.Spread, b.P99/b.Spread
		if x != x || y != y {
			return 0
		}
		return cmp.Compare(y, x)
	})
	return out
}

// only returns the episodes of a that no episode of b of the same rule is within
// ten minutes of.
func only(a, b []Episode) []Episode {
	var out []Episode
	for _, e := range a {
		if !slices.ContainsFunc(b, func(o Episode) bool {
			return o.Rule == e.Rule && e.Raised.Sub(o.Raised).Abs() <= 10*time.Minute
		}) {
			out = append(out, e)
		}
	}
	return out
}
