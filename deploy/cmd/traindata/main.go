// Command traindata prints the table that the default models are trained on:
// drills of a simulated study, one full second a minute, and the features of
// that second computed by the code that computes them in service. CSV: rig, ts,
// state, what the string is in, features by name, and for each kind of failure
// its age (0…1, empty: none) and the hours it has left; at last whether the
// machine fails within 72 hours, by what has begun, will begin or gives no sign.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/mudpulse/mudpulse/scoring/feature"
	"github.com/mudpulse/mudpulse/simulators/fleet"
	"github.com/mudpulse/mudpulse/simulators/rig"
	"github.com/mudpulse/mudpulse/telemetry"
)

// names are the inputs of the default models.
var names = []string{
	"SPP__ewma__3m__in_rotary", "FLIN__ewma__3m__in_rotary", "DBTM__last__30m__in_rotary", "MDI__last__30m__in_rotary",
	"SPP__mean__25h__in_rotary", "FLIN__mean__25h__in_rotary", "DBTM__mean__25h__in_rotary", "MDI__mean__25h__in_rotary",
	"TDENV__ewma__10m__in_rotary", "TDVEL__ewma__10m__in_rotary", "TDBT__ewma__10m__in_rotary", "RPM__ewma__10m__in_rotary",
	"PPULS__ewma__10m__in_rotary", "GBPC__ewma__10m__in_rotary", "GBOT__ewma__10m__in_rotary",
	"TDENV__ewma__10m__z__in_rotary", "TDVEL__ewma__10m__z__in_rotary", "GBPC__ewma__10m__z__in_rotary", "PPULS__ewma__10m__z__in_rotary",
	"TDENV__slope__36h__in_rotary", "PPULS__slope__36h__in_rotary", "GBPC__slope__96h__in_rotary",
	"TDWT__mean__240h__in_rotary", "GBOT__mean__240h__in_rotary", "TDBT__mean__240h__in_rotary", "TQ__rms__240h__in_rotary",
	"HKLD__mean__10s", "FLIN__mean__10s", "BPOS__range__10s", "ROP__ewma__10m__in_rotary", "MTO__ewma__10m__in_rotary",
	"TDWT__ewma__10m__in_rotary", "TQ__rms__10m", "TQ__rms__30m", "TQ__rms__2h",
	"SSI__mean__5s", "TQ__std__10s", "TQ__mean__10s", "RPM__mean__10s", "WOB__mean__10s", "RPM__min__30m",
	"VIBLAT__mean__60s", "VIBAX__mean__60s", "SPP__mean__10s", "ROP__mean__10s", "TQ__ewma__10m__in_rotary", "WOB__ewma__10m__in_rotary",
}

var kinds = []string{rig.Washout, rig.Bearing, rig.Pump, rig.Gearbox, rig.Cooling}

func main() {
	drills := flag.Int("drills", 56, "to simulate")
	seed := flag.Uint64("seed", 1, "of the study: 1 to 99 are for training")
	days := flag.Int("days", 36, "of each drill")
	every := flag.Int("every", 10, "minutes between rows; a washout's, and what the crew gets into, each minute")
	dense := flag.Float64("dense", 4, "failures, times the usual")
	flag.Parse()
	if err := run(fleet.Study{Seed: *seed, Drills: *drills, Days: *days, Start: fleet.Epoch, Dense: *dense}, *every); err != nil {
		fmt.Fprintln(os.Stderr, "traindata:", err)
		os.Exit(1)
	}
}

func run(s fleet.Study, every int) error {
	plan, err := feature.Compile(names)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(os.Stdout, 1<<20)
	fmt.Fprint(w, "rig,ts,state,doing")
	for _, n := range names {
		fmt.Fprint(w, ",", n)
	}
	for _, k := range kinds {
		fmt.Fprint(w, ",age_", k, ",left_", k)
	}
	fmt.Fprintln(w, ",fails_72h")
	for i := range s.Drills {
		if err := table(w, plan, s, s.Drill(i), every); err != nil {
			return err
		}
	}
	return w.Flush()
}

// table prints one drill's rows.
func table(w *bufio.Writer, plan *feature.Plan, s fleet.Study, d fleet.Drill, every int) error {
	num, to := make([]float64, len(names)), make([]int, len(names))
	for i := range to {
		to[i] = i
	}
	st := plan.NewState()
	slots := map[string]int{}
	for ch, tag := range plan.Channels() {
		slots[tag] = ch
	}
	n := 0
	return fleet.Feed(d, s.Start, s.End(), time.Minute, func(f *telemetry.Frame) error {
		t := time.Unix(0, f.TS).UTC()
		for i := range f.Runs {
			u := &f.Runs[i]
			if ch, ok := slots[u.Channel]; ok {
				for j, v := range u.Values {
					st.Add(ch, u.Time(f.TS, j), v)
				}
			}
		}
		state, doing := d.Rig.State(t), d.Rig.Doing(t)
		st.Rig(f.TS, state)
		st.Read(f.TS, num, to)
		n++
		if n%every != 0 && doing == "" && !washing(d.Faults, t) {
			return nil
		}
		return row(w, d, t, state, doing, num)
	})
}

// washing reports whether the string washes out.
func washing(faults []rig.Fault, t time.Time) bool {
	for i := range faults {
		if f := &faults[i]; f.Kind == rig.Washout && !t.Before(f.Start) && t.Before(f.Mended) {
			return true
		}
	}
	return false
}

func row(w *bufio.Writer, d fleet.Drill, t time.Time, state, doing string, num []float64) error {
	fmt.Fprintf(w, "%s,%d,%s,%s", d.Name, t.Unix(), state, doing)
	for _, v := range num {
		w.WriteByte(',')
		if v == v && !math.IsInf(v, 0) {
			w.WriteString(strconv.FormatFloat(v, 'g', 8, 64))
		}
	}
	for _, k := range kinds {
		age, left := "", ""
		for i := range d.Faults {
			f := &d.Faults[i]
			if f.Kind == k && !t.Before(f.Start) && t.Before(f.Mended) && !f.Sudden {
				age = strconv.FormatFloat(float64(t.Sub(f.Start))/float64(f.Life), 'g', 6, 64)
				left = strconv.FormatFloat(f.Start.Add(f.Life).Sub(t).Hours(), 'g', 6, 64)
			}
		}
		fmt.Fprintf(w, ",%s,%s", age, left)
	}
	fails := 0
	for i := range d.Faults {
		f := &d.Faults[i]
		if end := f.Start.Add(f.Life); slices.Contains(kinds, f.Kind) && f.Kind != rig.Washout && end.After(t) && !end.After(t.Add(72*time.Hour)) {
			fails = 1
		}
	}
	_, err := fmt.Fprintf(w, ",%d\n", fails)
	return err
}
