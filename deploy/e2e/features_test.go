//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/scoring/feature"
)

type featureEvent struct {
	Op    string  `json:"op"`
	Ch    string  `json:"ch,omitempty"`
	T     int64   `json:"t,omitempty"`
	V     float64 `json:"v,omitempty"`
	Tick  int64   `json:"tick,omitempty"`
	State string  `json:"state,omitempty"`
	Kind  string  `json:"kind,omitempty"`

	Every   int64              `json:"every,omitempty"` // of a snapshot
	Values  []float64          `json:"values,omitempty"`
	Shaft   float64            `json:"shaft,omitempty"`
	Numbers map[string]float64 `json:"numbers,omitempty"`
}

func featureNames() []string {
	out := []string{"minutes__since__event_bit_change", "hours__since__event_never"}
	params := map[string]string{"q": "__p_92_5", "band": "__f_400_2000", "order": "__o_10", "env": "__o_3_06__f_2500_3500"}
	for _, f := range feature.Functions {
		for _, w := range []string{"10m", "2h"} { // of snapshots
			if (f == "median" || f == "q" || f == "distinct") && w == "2h" || f == "lag" || f == "ewma" {
				continue
			}
			name := "W__" + f + params[f] + "__" + w
			out = append(out, name, name+"__in_rotary")
		}
		if slices.Contains([]string{"band", "centroid", "env", "order"}, f) {
			out = append(out, "W__"+f+params[f]+"__2h__z")
			continue // only snapshots have these
		}
		for _, w := range []string{"7s", "60s", "5m", "10m", "45m", "3h", "26h"} {
			name := "A__" + f + params[f]
			if (f == "median" || f == "q" || f == "distinct") && slices.Contains([]string{"45m", "3h", "26h"}, w) {
				continue
			}
			out = append(out, name+"__"+w, name+"__"+w+"__in_rotary")
			if w == "10m" || w == "45m" {
				out = append(out, name+"__"+w+"__z", name+"__"+w+"__z__in_sliding")
			}
		}
	}
	return append(out, "W__order__o_bearing_bpfo__2h", "W__order__o_1__2h", "W__env__o_bearing_bpfo__f_1000_4000__2h", "W__band__f_0_100__2h")
}

// snapshot is what an accelerometer might hear: a shaft and its harmonics, noise, and hits 3.06 times a turn.
func snapshot(rng *rand.Rand, at int64, shaft float64) featureEvent {
	e := featureEvent{Op: "wave", Ch: "W", T: at, Every: 78125, Shaft: shaft, Numbers: map[string]float64{"bearing_bpfo": 3 + rng.Float64()/5}}
	n := []int{12800, 4096, 1000}[rng.IntN(3)]
	size := 3 * rng.Float64()
	for i := range n {
		t := float64(i) / 12800
		hit := math.Mod(t, 1/(3.06*shaft))
		e.Values = append(e.Values, 0.2*math.Sin(2*math.Pi*shaft*t)+0.1*math.Sin(2*math.Pi*10*shaft*t)+0.3*rng.NormFloat64()+size*math.Exp(-900*hit)*math.Sin(2*math.Pi*3000*hit))
	}
	return e
}

// featureStream is a channel with gaps, duplicates, disorder and late samples: dense for
// an hour and a half, a sample or two a minute before that for a day and a half.
func featureStream(seed uint64) []featureEvent {
	rng := rand.New(rand.NewPCG(seed, 3))
	var out []featureEvent
	sec := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).Unix()
	const ns = int64(time.Second)
	states := []string{"rotary", "sliding", "connection"}
	state := 0
	value := func() float64 { return 100 + 10*rng.NormFloat64() }
	sparse := sec + 54*3600
	for end := sparse + 5400; sec < end; {
		step := int64(1)
		if sec < sparse {
			step = 20 + rng.Int64N(41)
		}
		sec += step
		if rng.Float64() < 0.004 { // silence
			sec += rng.Int64N(900)
		}
		if rng.Float64() < 0.01 {
			state = rng.IntN(len(states))
		}
		out = append(out, featureEvent{Op: "rig", Tick: sec * ns, State: states[state]})
		if rng.Float64() < 0.002 {
			out = append(out, featureEvent{Op: "event", T: sec * ns, Kind: "bit_change"})
		}
		n := 1
		if sec >= sparse && rng.Float64() < 0.3 {
			n = 5
		}
		for i := range n {
			at := sec*ns + int64(i)*ns/5 + rng.Int64N(3)*ns/50
			switch x := rng.Float64(); {
			case x < 0.05:
				at -= rng.Int64N(110) * ns // disorder
			case x < 0.06:
				at -= (125 + rng.Int64N(200)) * ns // too late
			}
			e := featureEvent{Op: "add", Ch: "A", T: at, V: value()}
			out = append(out, e)
			if rng.Float64() < 0.05 {
				out = append(out, e) // again
			}
			if rng.Float64() < 0.02 {
				e.V = value() // another device at the same time
				out = append(out, e)
			}
		}
		if p := rng.Float64(); p < 0.004 || sec >= sparse && p < 0.016 {
			e := snapshot(rng, sec*ns-rng.Int64N(140)*ns-rng.Int64N(ns), 15+10*rng.Float64())
			again := snapshot(rng, e.T, e.Shaft)
			out = append(out, e)
			if rng.Float64() < 0.3 {
				out = append(out, e, again) // and another device's at the same time
			}
		}
		if sec < sparse && rng.Float64() < 0.07 || sec >= sparse && rng.Float64() < 0.012 {
			out = append(out, featureEvent{Op: "read", Tick: sec * ns})
		}
	}
	return out
}

// Each function, window, gate and baseline against numpy and scipy, over gaps, duplicates and disorder.
func TestFeaturesAreWhatTheirDefinitionsSay(t *testing.T) {
	names := featureNames()
	plan, err := feature.Compile(names)
	if err != nil {
		t.Fatal(err)
	}
	to := make([]int, len(names))
	for i := range to {
		to[i] = i
	}
	events := featureStream(1)
	channel := map[string]int{"A": slices.Index(plan.Channels(), "A"), "W": slices.Index(plan.Channels(), "W")}
	s := plan.NewState()
	var got [][]float64
	for _, e := range events {
		switch e.Op {
		case "add":
			s.Add(channel[e.Ch], e.T, e.V)
		case "wave":
			s.Wave(channel[e.Ch], e.T, e.Every, e.Values, e.Shaft, func(word string) float64 { return e.Numbers[word] })
		case "rig":
			s.Rig(e.Tick, e.State)
		case "event":
			s.Event(e.T, e.Kind)
		case "read":
			num := make([]float64, len(names))
			s.Read(e.Tick, num, to)
			got = append(got, num)
		}
	}
	job, err := json.Marshal(map[string]any{"names": names, "events": events})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Getenv("E2E_PYTHON"), "features.py")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(job), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("features.py: %v", err)
	}
	var want [][]*float64
	if err := json.Unmarshal(out, &want); err != nil || len(want) != len(got) || len(got) < 100 {
		t.Fatalf("%d reads here, %d there: %v", len(got), len(want), err)
	}
	wrong, compared, worst := map[string]int{}, 0, 0.0
	values := map[string]bool{}
	for i := range got {
		for k, name := range names {
			g, w := got[i][k], math.NaN()
			if want[i][k] != nil {
				w = *want[i][k]
				values[name] = true
			}
			compared++
			// A moment about a mean of 100 loses digits that no order of adding keeps.
			diff := math.Abs(g-w) / max(math.Abs(w), 1e-3)
			if g != g && w != w {
				continue
			}
			if !(diff <= 1e-9) {
				if wrong[name]++; wrong[name] == 1 {
					t.Errorf("%s at read %d: %v, the reference says %v", name, i, g, w)
				}
				continue
			}
			worst = max(worst, diff)
		}
	}
	for _, name := range names {
		if !values[name] && !strings.Contains(name, "never") && !strings.Contains(name, "__z__in_") { // a gated baseline takes longer than this stream
			t.Errorf("%s was missing at every read: nothing was compared", name)
		}
	}
	t.Logf("%d names, %d reads, %d values compared; largest relative difference %.2g", len(names), len(got), compared, worst)
}

// The grammar's golden table is read by every language's parser; this is Python's.
func TestTheGrammarOfNamesIsTheSameInPython(t *testing.T) {
	cmd := exec.Command(os.Getenv("E2E_PYTHON"), "features.py", "--names", "../../scoring/feature/testdata/names.tsv")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
