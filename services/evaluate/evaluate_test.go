package evaluate

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/simulators"
	"github.com/mudpulse/mudpulse/simulators/fleet"
	"github.com/mudpulse/mudpulse/simulators/rig"
)

func builtIn(t testing.TB) Contender {
	t.Helper()
	files, err := fs.Sub(simulators.Models, "models")
	if err != nil {
		t.Fatal(err)
	}
	m, err := Models(files)
	if err != nil {
		t.Fatal(err)
	}
	return Contender{Name: "built-in models", Models: m}
}

func TestTheSameSeedsGiveTheSameReportHoweverManyWorkers(t *testing.T) {
	cfg := Config{Contenders: []Contender{builtIn(t)}, Studies: []Study{{Name: "Test", Fleet: fleet.Study{Seed: 150, Drills: 3, Days: 6, Start: fleet.Epoch}}}}
	var out [2]bytes.Buffer
	for i := range out {
		cfg.Workers = 1 + 2*i
		res, err := Run(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := res.Print(&out[i]); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(out[0].Bytes(), out[1].Bytes()) {
		t.Error("the reports differ")
	}
}

// hand is one drill whose faults and alarms are written by hand.
func hand() (*Outcome, *run, func(h float64) time.Time) {
	at := func(h float64) time.Time { return fleet.Epoch.Add(time.Duration(h * float64(time.Hour))) }
	r := &run{drill: "R1", days: 30}
	o := &Outcome{Study: Study{Fleet: fleet.Study{Drills: 1, Days: 30, Start: fleet.Epoch}}, runs: [][]*run{{r}}}
	return o, r, at
}

func TestAnAlarmIsTrueOnlyWhileWhatItSpeaksOfIsThere(t *testing.T) {
	o, r, at := hand()
	f := rig.Fault{Kind: rig.Bearing, Start: at(100), Life: 200 * time.Hour, Mended: at(300)}
	late := rig.Fault{Kind: rig.Pump, Start: at(700), Life: 100 * time.Hour, Mended: at(800)} // fails after the study
	sudden := rig.Fault{Kind: rig.Gearbox, Start: at(400), Life: time.Minute * 5, Sudden: true, Mended: at(400.1)}
	r.faults = []rig.Fault{f, late, sudden}
	raise := func(rule string, from, to float64) {
		e := Episode{Drill: "R1", Rule: rule, Kind: alarms.Model, Raised: at(from)}
		if to > 0 {
			e.Cleared = at(to)
		}
		r.episodes = append(r.episodes, e)
	}
	raise("bearing-wear", 50, 60)   // before it began
	raise("bearing-wear", 150, 160) // true, 150 h before the failure
	raise("bearing-wear", 160.2, 0) // true; again within half an hour
	raise("pump-valve", 200, 210)   // another part's
	raise("pump-valve", 710, 0)     // true, of a failure that comes after the end
	raise("bearing-wear", 301, 302) // within the grace after the repair
	raise("bearing-wear", 303, 304) // after it
	s := side("x", []*Outcome{o}, 0, func(x *run) []Episode { return x.chosen(alarms.Model) })
	if s.Episodes != 7 || math.Abs(s.False.Value-3) > 1e-9 {
		t.Errorf("%d episodes, %v false a drill-month, want 7 and 3", s.Episodes, s.False.Value)
	}
	if s.Failures != 1 || s.Sudden != 1 || s.SuddenSeen != 0 {
		t.Errorf("%d failures, %d sudden, %d of them warned of, want 1, 1, 0", s.Failures, s.Sudden, s.SuddenSeen)
	}
	if m := s.Modes[0]; m.Missed.Value != 0 || math.Abs(m.Median.Value-150) > 1e-9 || m.InTime.Value != 1 {
		t.Errorf("bearing %+v, want a lead of 150 h", m)
	}
	if got := s.Chatter.Value * 7; math.Abs(got-1) > 1e-9 {
		t.Errorf("%v episodes of chatter, want 1", got)
	}
}

func TestAFailureWithoutAnAlarmIsMissedAndItsLeadIsNothing(t *testing.T) {
	o, r, at := hand()
	for i := range 4 {
		r.faults = append(r.faults, rig.Fault{Kind: rig.Washout, Start: at(float64(100 * i)), Life: 6 * time.Hour, Mended: at(float64(100*i) + 6)})
	}
	r.episodes = []Episode{{Rule: "washout", Kind: alarms.Model, Raised: at(2), Cleared: at(8)}}
	s := side("x", []*Outcome{o}, 0, func(x *run) []Episode { return x.chosen(alarms.Model) })
	if s.Missed.Value != 0.75 || s.Modes[4].Median.Value != 0 {
		t.Errorf("missed %v, median lead %v h, want 0.75 and 0", s.Missed.Value, s.Modes[4].Median.Value)
	}
	res := &Result{Contenders: []string{"x"}, Outcomes: []*Outcome{o}, rules: alarms.Default()}
	r.left = []leftSample{{kind: rig.Bearing, said: 500, truth: 400}} // too early to be judged: its error is unknown
	if j, err := json.Marshal(res.Report()); err != nil || !bytes.Contains(j, []byte(`"mae_h":null`)) {
		t.Errorf("as JSON: %s, %v", j, err)
	}
	var b strings.Builder
	missed, err := res.Print(&b)
	if err != nil || missed == 0 || !strings.Contains(b.String(), "MISSED  missed without the sudden 75.0 %") {
		t.Errorf("%d missed, %v:\n%s", missed, err, b.String())
	}
}

func TestLimitsThatStandUnderAModelsAlarmAreNotDelivered(t *testing.T) {
	_, r, at := hand()
	r.episodes = []Episode{
		{Rule: "pump-valve", Kind: alarms.Model, Raised: at(1), Cleared: at(9)},
		{Rule: "pump-pulsation", Kind: alarms.Limit, Raised: at(2)},
		{Rule: "pump-pulsation", Kind: alarms.Limit, Raised: at(10)},
	}
	if got := r.delivered(alarms.Default()); len(got) != 2 || !got[1].Raised.Equal(at(10)) {
		t.Errorf("delivered %v", got)
	}
}

// Tables: Poisson's exact bounds by Garwood, Wilson's by hand, PHM08's definition.
func TestIntervalsAreThoseOfTheTables(t *testing.T) {
	f := func(got, want, within float64) {
		t.Helper()
		if math.Abs(got-want) > within {
			t.Errorf("%v, want %v", got, want)
		}
	}
	for n, want := range map[int][2]float64{0: {0, 3.689}, 1: {0.0253, 5.572}, 5: {1.623, 11.67}, 10: {4.795, 18.39}, 100: {81.36, 121.63}} {
		i := rate(n, 1)
		f(i.Low, want[0], 0.03*want[0]+0.01)
		f(i.High, want[1], 0.02*want[1])
	}
	w := share(5, 10)
	f(w.Low, 0.2366, 1e-4)
	f(w.High, 0.7634, 1e-4)
	f(phm08(-13), math.E-1, 1e-12)
	f(phm08(10), math.E-1, 1e-12)
	f(quantile([]float64{1, 2, 4}, 0.25), 1.5, 1e-12)
	b := bootstrap([][]float64{{1}, {2}, {3}, {4}, {5}}, median)
	if b.Value != 3 || b.Low < 1 || b.High > 5 || b.Low > 3 || b.High < 3 {
		t.Errorf("bootstrap %+v", b)
	}
}

func TestADysfunctionThatPausesIsOne(t *testing.T) {
	_, r, at := hand()
	var now, all []doing
	for s := range 3600 {
		kind := ""
		if s >= 600 && s < 1200 && s%120 < 60 || s >= 3000 && s < 3020 {
			kind = rig.StickSlip
		}
		now = follow(now, &all, kind, fleet.Epoch.Add(time.Duration(s)*time.Second))
	}
	follow(now, &all, "", fleet.Epoch.Add(2*time.Hour))
	if len(all) != 2 || all[0].to.Sub(all[0].from) != 539*time.Second {
		t.Fatalf("%v", all)
	}
	r.doings = all
	r.episodes = []Episode{{Rule: "stick-slip", Kind: alarms.Model, Raised: all[0].from.Add(8 * time.Second), Cleared: at(0.9)}}
	if got := r.responses(r.episodes); len(got) != 1 || !got[0].seen || got[0].after != 8*time.Second {
		t.Errorf("%v: the second is too short to be judged, the first was seen after 8 s", got)
	}
}

// A dose of what mudpulse evaluate does at length (docs/benchmarks/models.md), on
// a fleet in which much fails: of what gives a warning the default models miss
// little, and they warn in time.
func TestTheDefaultModelsWarnInTime(t *testing.T) {
	res, err := Run(t.Context(), Config{Contenders: []Contender{builtIn(t)},
		Studies: []Study{{Name: "Dose", Fleet: fleet.Study{Seed: 130, Drills: 5, Days: 28, Start: fleet.Epoch, Dense: 5}}}})
	if err != nil {
		t.Fatal(err)
	}
	s := res.sides(res.Outcomes)[0]
	inTime := 0.0
	for _, m := range s.Modes {
		if m.Failures > 0 {
			inTime += m.InTime.Value * float64(m.Failures)
		}
	}
	t.Logf("%d failures, missed %.0f %%, in time %.0f; false alarms %.2f a drill-month; %d episodes", s.Failures, 100*s.Missed.Value, inTime, s.False.Value, s.Episodes)
	if s.Failures < 5 || s.Missed.Value > 0.2 || inTime < 0.7*float64(s.Failures) {
		t.Errorf("%d failures, missed %.0f %%, %.0f warned of in time", s.Failures, 100*s.Missed.Value, inTime)
	}
	if low := sick(res.Outcomes, 0); low > 0.02 {
		t.Errorf("health is below %d in %.1f %% of the time in which nothing is the matter", lowHealth, 100*low)
	}
}
