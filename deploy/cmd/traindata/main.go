// Command traindata prints the table that the default models are trained on:
// simulated rigs, each wearing out in its own way, one full second a minute, and
// the features of that second computed by the code that computes them in
// service. CSV: rig, ts, state, features by name, and for each kind of fault its
// age (0…1, empty: none) and the hours it has left.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	"github.com/mudpulse/mudpulse/scoring/feature"
	"github.com/mudpulse/mudpulse/simulators/rig"
	"github.com/mudpulse/mudpulse/telemetry"
)

// names are the inputs of the default models.
var names = []string{
	"SPP__ewma__3m__in_rotary", "FLIN__ewma__3m__in_rotary", "DBTM__last__30m__in_rotary", "MDI__last__30m__in_rotary",
	"TDENV__ewma__10m__in_rotary", "TDVEL__ewma__10m__in_rotary", "TDBT__ewma__10m__in_rotary", "RPM__ewma__10m__in_rotary",
	"PPULS__ewma__10m__in_rotary", "GBPC__ewma__10m__in_rotary", "GBOT__ewma__10m__in_rotary",
	"TDWT__ewma__10m__in_rotary", "TQ__ewma__10m__in_rotary",
	"SSI__mean__30s", "RPM__mean__30s", "WOB__mean__30s",
}

var kinds = []string{rig.Washout, rig.Bearing, rig.Pump, rig.Gearbox, rig.Cooling, rig.StickSlip}

func main() {
	rigs := flag.Int("rigs", 84, "rigs to simulate")
	seed := flag.Uint64("seed", 1, "of the fleet")
	days := flag.Int("days", 16, "of each rig")
	every := flag.Int("every", 5, "minutes between rows")
	flag.Parse()
	if err := run(*rigs, *seed, *days, *every); err != nil {
		fmt.Fprintln(os.Stderr, "traindata:", err)
		os.Exit(1)
	}
}

// life draws how long a fault of that kind takes from its beginning to failure.
func life(kind string, rng *rand.Rand) time.Duration {
	typical := map[string]time.Duration{
		rig.Washout: 7 * time.Hour, rig.Bearing: 10 * 24 * time.Hour, rig.Pump: 7 * 24 * time.Hour,
		rig.Gearbox: 16 * 24 * time.Hour, rig.Cooling: 12 * 24 * time.Hour, rig.StickSlip: 40 * time.Minute,
	}[kind]
	return time.Duration(float64(typical) * math.Exp(0.35*rng.NormFloat64()))
}

func run(rigs int, seed uint64, days, every int) error {
	plan, err := feature.Compile(names)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(os.Stdout, 1<<20)
	fmt.Fprint(w, "rig,ts,state")
	for _, n := range names {
		fmt.Fprint(w, ",", n)
	}
	for _, k := range kinds {
		fmt.Fprint(w, ",age_", k, ",left_", k)
	}
	fmt.Fprintln(w)
	start := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	num, to := make([]float64, len(names)), make([]int, len(names))
	for i := range to {
		to[i] = i
	}
	for n := range rigs {
		rng := rand.New(rand.NewPCG(seed, uint64(n)))
		var faults []rig.Fault
		kind := kinds[n%len(kinds)]
		if n%5 != 4 { // each fifth stays well
			// The first is somewhere in its life when the table begins.
			first := start.Add(-time.Duration(rng.Float64() * float64(life(kind, rng))))
			for at := first; at.Before(start.Add(time.Duration(days) * 24 * time.Hour)); {
				f := rig.Fault{Kind: kind, Start: at, Life: life(kind, rng)}
				f.Mended = at.Add(f.Life)
				faults = append(faults, f)
				at = f.Mended.Add(time.Duration(6+rng.IntN(36)) * time.Hour)
			}
		}
		r := rig.New(fmt.Sprintf("T%d-%03d", seed, n), seed*1000+uint64(n), start, faults...)
		s := plan.NewState()
		for m := range days * 24 * 60 {
			t := start.Add(time.Duration(m) * time.Minute)
			f := r.Second(t)
			truth := r.Truth(t)
			for ch, tag := range plan.Channels() {
				for i := range f.Runs {
					if run := &f.Runs[i]; run.Channel == tag {
						for j, v := range run.Values {
							s.Add(ch, run.Time(f.TS, j), v)
						}
					}
				}
			}
			s.Rig(f.TS, truth.State)
			s.Read(f.TS, num, to)
			if m%every != 0 || truth.State == telemetry.StateUnknown {
				continue
			}
			row(w, r.Drill(), t, truth.State, num, faults)
		}
	}
	return w.Flush()
}

func row(w *bufio.Writer, drill string, t time.Time, state string, num []float64, faults []rig.Fault) {
	fmt.Fprintf(w, "%s,%d,%s", drill, t.Unix(), state)
	for _, v := range num {
		w.WriteByte(',')
		if v == v {
			w.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
		}
	}
	for _, k := range kinds {
		age, left := "", ""
		for _, f := range faults {
			if f.Kind == k && !t.Before(f.Start) && t.Before(f.Mended) {
				age = strconv.FormatFloat(float64(t.Sub(f.Start))/float64(f.Life), 'g', 6, 64)
				left = strconv.FormatFloat(f.Start.Add(f.Life).Sub(t).Hours(), 'g', 6, 64)
			}
		}
		fmt.Fprintf(w, ",%s,%s", age, left)
	}
	w.WriteByte('\n')
}
