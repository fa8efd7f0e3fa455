package scorer

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/telemetry"
)

// surveyed is a second of drilling at a depth, with a survey where inc is a number.
func surveyed(seq uint64, depth, inc, azi float64, more ...string) *telemetry.Frame {
	f := frame("R1", seq, 100, 100)
	f.Runs[6].Values[0], f.Runs[7].Values[0] = depth, depth
	if inc == inc {
		f.Runs = append(f.Runs, telemetry.Run{Channel: "INC", Values: []float64{inc}}, telemetry.Run{Channel: "AZI", Values: []float64{azi}})
	}
	for _, tag := range more {
		f.Runs = append(f.Runs, telemetry.Run{Channel: tag, Values: []float64{1.5}})
	}
	f.Hash = telemetry.ContentHash(f)
	return f
}

// A hole of a stand each survey, which builds 3°/30 m, then 8°, then 2°.
func TestASharpBendRaisesAnAlarmWithItsSurveys(t *testing.T) {
	rules, err := json.Marshal(alarms.Default().Without(alarms.Model))
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{blobs: map[string][]byte{"rules": rules}}
	out := newTape()
	p := newPartition(t, testConfig(), s, out)
	mark(t, p, &telemetry.Marker{ID: "r", Kind: telemetry.MarkerRules, SHA256: "rules", Action: "activate"})
	seq, depth, inc := uint64(0), 3000.0, 10.0
	stand := func(build float64) {
		t.Helper()
		for range 30 {
			seq++
			depth++
			survey := nan
			if seq%30 == 0 {
				inc += build
				survey = inc
			}
			feed(t, p, surveyed(seq, depth, survey, 90))
		}
		// Whatever the process knows survives it.
		b, err := p.Snapshot(nil)
		if err != nil {
			t.Fatal(err)
		}
		p = newPartition(t, testConfig(), s, out)
		if err := p.Restore(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		stand(3)
	}
	p.Flush()
	if got := out.alarms["R1"]; len(got) != 0 {
		t.Fatalf("a build of 3° raised %+v", got)
	}
	stand(8)
	stand(2)
	p.Flush()
	got := out.alarms["R1"]
	if len(got) != 2 || got[0].Event != telemetry.AlarmRaised || got[0].Rule != "dog-leg" || got[0].Priority != 3 || math.Abs(got[0].Value-8) > 1e-9 || got[1].Event != telemetry.AlarmCleared {
		t.Fatalf("%+v", got)
	}
	if want := "The hole bends 8.0° in 30 m, limit 6.0°, at 3,150 m: inclination 30.0°, azimuth 90.0° at the last survey."; got[0].Reason != want {
		t.Errorf("%s", got[0].Reason)
	}
	var inputs []string
	for _, m := range got[0].Evidence.Inputs {
		inputs = append(inputs, m.Name)
	}
	if what := alarms.Lacks(&got[0], false); what != "" || !strings.HasPrefix(strings.Join(inputs, " "), "DLS INC AZI TF DBTM DMEA") || len(got[0].Evidence.Frames) == 0 {
		t.Errorf("lacks %q, inputs %v", what, inputs)
	}
	if err := alarms.Verify(got); err != nil {
		t.Error(err)
	}
}

func TestSurveysAreFollowedDownOneHole(t *testing.T) {
	h, r := newHole(), newRoad("R1", 0)
	tick := start
	survey := func(depth, inc, azi float64) (float64, bool) {
		tick += 600 * second
		for _, x := range []struct {
			tag string
			v   float64
		}{{"INC", inc}, {"AZI", azi}, {"DBTM", depth}, {"DMEA", depth}} {
			i, ok := r.byName[x.tag]
			if !ok {
				i = r.hear(x.tag, &telemetry.Channel{Tag: x.tag})
			}
			r.slots[i].val, r.slots[i].at, r.slots[i].tick = x.v, tick, tick
		}
		return h.survey(r, tick)
	}
	for _, x := range []struct {
		depth, inc, azi float64
		dls             float64
		ok              bool
	}{
		{1000, 0, 0, 0, false},
		{1030, 3, 45, 3, true},
		{1034, 9, 45, 0, false}, // too near
		{1030, 3, 45, 0, false}, // looked at again
		{1060, 3, 45, 0, true},
		{400, 1, 0, 0, false}, // another well
		{430, 5, 0, 4, true},
	} {
		if dls, ok := survey(x.depth, x.inc, x.azi); ok != x.ok || math.Abs(dls-x.dls) > 0.005 {
			t.Errorf("at %v m: %v, %v", x.depth, dls, ok)
		}
	}
}

func TestADeviceThatSendsItsDogLegIsBelieved(t *testing.T) {
	p := newPartition(t, testConfig(), &shelf{}, newTape())
	for i := range uint64(4) {
		feed(t, p, surveyed(i, 3000+30*float64(i), 10+8*float64(i), 90, "DLS"))
	}
	r := p.lanes[laneLive].roads["R1"]
	if s := r.slots[r.byName["DLS"]]; s.val != 1.5 || !r.hole.sent {
		t.Errorf("DLS %v", s.val)
	}
}
