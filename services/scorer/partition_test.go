package scorer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/telemetry"
)

func TestATickIsScoredByWhatIsActiveAtItsOffset(t *testing.T) {
	out := newTape()
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{
		"a": sum("y"), "b": {in: []Field{{Name: "WOB"}}, out: []string{"y"}, f: func(in []float64, _ []string) ([]float64, error) { return []float64{-in[0]}, nil }},
	}}, out)
	feed(t, p, frame("R1", 0, 100, 120))
	mark(t, p, activate("m", 1, "a"))
	feed(t, p, frame("R1", 1, 100, 120))
	mark(t, p, activate("m", 2, "b"))
	feed(t, p, frame("R1", 2, 100, 120))
	mark(t, p, &telemetry.Marker{ID: "back", Kind: telemetry.MarkerModel, Name: "m", Version: 1, SHA256: "a", Action: "activate"})
	feed(t, p, frame("R1", 3, 100, 120))
	mark(t, p, &telemetry.Marker{ID: "off", Kind: telemetry.MarkerModel, Name: "m", Action: "deactivate"})
	feed(t, p, frame("R1", 4, 100, 120))
	p.Flush()
	var got []string
	for _, s := range out.all(t, "R1") {
		line := "-"
		for _, r := range s.Results {
			line = fmt.Sprintf("%s %.2f", r.Model, r.Outputs[0].Number)
		}
		got = append(got, line)
	}
	if want := []string{"-", "m@1 220.18", "m@2 -100.09", "m@1 220.18", "-"}; !slices.Equal(got, want) {
		t.Errorf("results %q, want %q", got, want)
	}
}

func TestTheFirstMarkerOfAnIDCounts(t *testing.T) {
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": sum("y")}}, newTape())
	mark(t, p, activate("m", 1, "a"))
	mark(t, p, &telemetry.Marker{ID: "off", Kind: telemetry.MarkerModel, Name: "m", Action: "deactivate"})
	mark(t, p, activate("m", 1, "a")) // the api repeats it until each partition has it
	if n := len(p.lanes[laneLive].acts); n != 0 {
		t.Errorf("%d models active", n)
	}
}

func TestWhatCannotBeActivatedIsRefusedAndTheVersionBeforeStays(t *testing.T) {
	reads := func(names ...string) *fake {
		m := &fake{out: []string{"y"}, f: func([]float64, []string) ([]float64, error) { return []float64{1}, nil }}
		for _, n := range names {
			m.in = append(m.in, Field{Name: n})
		}
		return m
	}
	s := &shelf{models: map[string]*fake{"a": sum("y"), "bad": reads("WOB!", "1x"), "noout": reads("m.z"), "b": reads("c.y", "m.y"), "c": reads("b.y")}}
	p := newPartition(t, testConfig(), s, newTape())
	l := p.lanes[laneLive]
	mark(t, p, activate("m", 1, "a"))
	f := func(m *telemetry.Marker, active, waiting string, why ...string) {
		t.Helper()
		n := len(p.refused)
		mark(t, p, m)
		if got := refs(l.acts); got != active {
			t.Errorf("active %q, want %q", got, active)
		}
		if got := refs(l.waiting); got != waiting {
			t.Errorf("waiting %q, want %q", got, waiting)
		}
		if len(why) == 0 != (len(p.refused) == n) {
			t.Errorf("refused: %v", p.refused[n:])
		}
		for _, w := range why {
			if len(p.refused) == n || !strings.Contains(p.refused[n].Why, w) {
				t.Errorf("refused for %v, want %q", p.refused[n:], w)
			}
		}
	}
	f(activate("m", 2, "nothing"), "m@1", "", "is no PMML")
	f(activate("m", 3, "bad"), "m@1", "", `"WOB!"`, `"1x"`)
	f(activate("x", 1, "noout"), "m@1", "", `has no output "z"`)
	f(activate("b", 1, "b"), "m@1", "b@1")
	f(activate("c", 1, "c"), "m@1", "b@1", "circle")
	f(activate("c", 2, "a"), "m@1 c@2 b@1", "")
	f(&telemetry.Marker{ID: "off", Kind: telemetry.MarkerModel, Name: "m", Action: "deactivate"}, "c@2", "b@1")
	f(activate("m", 4, "a"), "c@2 m@4 b@1", "")
}

func refs(acts []*activation) string {
	var out []string
	for _, a := range acts {
		out = append(out, a.ref)
	}
	return strings.Join(out, " ")
}

func TestAModelReadsWhatAnotherSaid(t *testing.T) {
	out := newTape()
	twice := &fake{in: []Field{{Name: "first.y"}, {Name: "state", Text: true}}, out: []string{"y"}, f: func(in []float64, text []string) ([]float64, error) {
		if text[1] != telemetry.StateRotary {
			return nil, fmt.Errorf("state is %q", text[1])
		}
		return []float64{2 * in[0]}, nil
	}}
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": sum("y"), "b": twice}}, out)
	mark(t, p, activate("second", 1, "b"))
	mark(t, p, activate("first", 1, "a"))
	feed(t, p, frame("R1", 0, 100, 120))
	p.Flush()
	s := out.all(t, "R1")[0]
	if v, ok := s.Output("second", "y"); !ok || v != 2*(100.09+120.09) {
		t.Errorf("%v %v: %+v", v, ok, s.Results)
	}
}

func TestAModelThatPanicsOrFailsHurtsNobodyElse(t *testing.T) {
	out := newTape()
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": sum("y"),
		"p": {in: []Field{{Name: "WOB"}}, out: []string{"y"}, f: func(in []float64, _ []string) ([]float64, error) {
			if in[0] > 200 {
				panic("index out of range [7]")
			}
			return []float64{in[0]}, nil
		}},
		"e": {in: []Field{{Name: "WOB"}}, out: []string{"y"}, f: func(in []float64, _ []string) ([]float64, error) {
			return nil, errors.New("WOB: value 300 is invalid")
		}},
		"n": {in: []Field{{Name: "WOB"}}, out: []string{"health_bit", "note"}, f: func(in []float64, _ []string) ([]float64, error) {
			if in[0] > 200 {
				return []float64{-7e9, 1}, nil
			}
			return []float64{88, math.Inf(1)}, nil
		}},
	}}, out)
	for name, sha := range map[string]string{"good": "a", "panics": "p", "fails": "e", "raves": "n"} {
		mark(t, p, activate(name, 1, sha))
	}
	for i := range uint64(6) {
		feed(t, p, frame("R1", i, 100+float64(i%2)*200, 100))
	}
	p.Flush()
	for i, s := range out.all(t, "R1") {
		if s.Health == s.Health || len(s.Reasons) > 0 {
			t.Errorf("tick %d: nonsense is taken for health: %v", i, s.Health)
		}
		if len(s.Results) != 4 {
			t.Fatalf("%+v", s.Results)
		}
		for _, r := range s.Results {
			switch r.Model {
			case "good@1":
				if r.Error != "" || r.Outputs[0].Number != (100+float64(i%2)*200+9*0.01)+(100+9*0.01) {
					t.Errorf("tick %d: %+v", i, r)
				}
			case "panics@1":
				if (i%2 == 1) != strings.Contains(r.Error, "failed inside: index out of range") {
					t.Errorf("tick %d: %+v", i, r)
				}
			case "fails@1":
				if r.Error != "WOB: value 300 is invalid" {
					t.Errorf("tick %d: %+v", i, r)
				}
			case "raves@1":
				want := []string{"output note is infinite", "output health_bit is -7e+09, and health is 0 to 100"}[i%2]
				if !strings.Contains(r.Error, want) || len(r.Outputs) > 0 {
					t.Errorf("tick %d: %+v", i, r)
				}
			}
		}
	}
	if p.count.panics != 3 {
		t.Errorf("%d panics counted", p.count.panics)
	}
	for _, a := range p.lanes[laneLive].acts {
		rows, first, last := map[string]int64{"panics": 3, "fails": 6, "raves": 6}[a.name], int64(0), int64(5)
		if a.name == "panics" {
			first = 1
		}
		if f := a.faults; f.Rows != rows || rows > 0 && (f.Since != start+first*second || f.Last != start+last*second || f.Drill != "R1" || f.Why == "") {
			t.Errorf("%s: %+v", a.name, f)
		}
	}
}

func TestALateFrameAmendsItsTick(t *testing.T) {
	out := newTape()
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": sum("y")}}, out)
	mark(t, p, activate("m", 1, "a"))
	for i := range uint64(10) {
		f := frame("R1", i, 100+float64(i), 100)
		if i == 4 { // its WOB comes by another device, after
			f.Runs[1].Channel = "TQ"
		}
		f.Hash = telemetry.ContentHash(f)
		feed(t, p, f)
	}
	late := frame("R1", 4, 500, 100)
	late.Device, late.Runs = "edr-2", late.Runs[1:2]
	late.Hash = telemetry.ContentHash(late)
	feed(t, p, late)
	p.Flush()
	all := out.all(t, "R1")
	s := all[len(all)-1]
	if len(all) != 11 || s.Tick != start+4*second || len(s.Causes) != 2 || s.Causes[1].Device != "edr-2" || s.CauseHash == all[4].CauseHash {
		t.Fatalf("%d records, the last %+v", len(all), s)
	}
	before, _ := all[4].Output("m", "y")
	after, _ := s.Output("m", "y")
	if before != 103.09+100.09 || after != 500.09+100.09 {
		t.Errorf("before %v, after %v", before, after)
	}
}

func TestHistoryIsScoredInItsOwnRightAndPagesNobody(t *testing.T) {
	out := newTape()
	p := newPartition(t, testConfig(), streamShelf(), out)
	mark(t, p, &telemetry.Marker{ID: "r", Kind: telemetry.MarkerRules, SHA256: "rules", Action: "activate"})
	mark(t, p, activate("m", 1, "a"))
	for i := range uint64(20) {
		feed(t, p, frame("R1", i, 100, 100))
		h := frame("R1", i, 300, 100)
		h.Boot, h.Origin, h.TS = "seed", telemetry.Backfill, start-7*24*3600*second+int64(i)*60*second
		h.Hash = telemetry.ContentHash(h)
		feed(t, p, h)
	}
	p.Flush()
	if len(out.last["R1"]) != 40 {
		t.Errorf("%d ticks scored", len(out.last["R1"]))
	}
	events := out.alarms["R1"]
	if len(events) != 2 || events[0].Origin != telemetry.Backfill || events[0].Raised >= start {
		t.Errorf("%+v", events)
	}
	if err := alarms.Verify(events); err != nil {
		t.Error(err)
	}
}

func TestAnUnregisteredChannelIsNotScoredUntilItIsRegistered(t *testing.T) {
	out := newTape()
	m := &fake{in: []Field{{Name: "sensor_1"}}, out: []string{"y"}, f: func(in []float64, _ []string) ([]float64, error) { return []float64{in[0]}, nil }}
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": m}}, out)
	mark(t, p, activate("m", 1, "a"))
	f := func(seq uint64) {
		x := &telemetry.Frame{Drill: "U1", Device: "d", Boot: "b", Seq: seq, TS: start + int64(seq)*60*second, Hash: seq, Runs: []telemetry.Run{{Channel: "sensor_1", Values: []float64{7}}}}
		feed(t, p, x)
	}
	f(0)
	mark(t, p, &telemetry.Marker{ID: "c", Kind: telemetry.MarkerChannel, Name: "sensor_1", Action: "activate"})
	f(1)
	p.Flush()
	all := out.all(t, "U1")
	if len(all) != 2 || len(all[0].Results) != 0 || len(all[1].Results) != 1 || all[1].State != telemetry.StateUnknown || all[1].Health == all[1].Health {
		t.Errorf("%+v", all)
	}
}

func TestAFrameOfSeveralSecondsGivesATickForEach(t *testing.T) {
	out := newTape()
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": sum("y")}}, out)
	mark(t, p, activate("m", 1, "a"))
	f := &telemetry.Frame{Drill: "R1", Device: "d", Boot: "b", Seq: 1, TS: start + second/2, Hash: 1, Runs: []telemetry.Run{
		{Channel: "WOB", Every: second / 2, Values: []float64{1, 2, 3, 4, 5, 6}},
		{Channel: "RPM", Every: second, Values: []float64{100, nan, 300}},
	}}
	feed(t, p, f)
	p.Flush()
	var got []string
	for _, s := range out.all(t, "R1") {
		v, _ := s.Output("m", "y")
		got = append(got, fmt.Sprintf("%d %v", (s.Tick-start)/second, v))
	}
	// Seconds are counted from the frame's time: one that starts at .5 does not split them.
	if want := []string{"0 102", "1 104", "2 306"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	long := frame("R1", 9, 1, 1)
	long.Runs[0].Every, long.Hash = 3600*second, 2
	if err := p.Frame(t.Context(), long, false, 1); err == nil || !strings.Contains(err.Error(), "seconds") {
		t.Errorf("nine hours in one frame: %v", err)
	}
}

func TestAChannelThatFellSilentIsMissingAndLowersConfidence(t *testing.T) {
	out := newTape()
	missing := &fake{in: []Field{{Name: "WOB"}, {Name: "RPM"}}, out: []string{"health_bit"}, f: func(in []float64, _ []string) ([]float64, error) {
		if in[0] != in[0] {
			return []float64{50}, nil
		}
		return []float64{90}, nil
	}}
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": missing}}, out)
	mark(t, p, activate("m", 1, "a"))
	for i := range uint64(15) {
		f := frame("R1", i, 100, 100)
		if i >= 2 {
			f.Runs = slices.Delete(f.Runs, 1, 2) // WOB
		}
		feed(t, p, f)
	}
	p.Flush()
	all := out.all(t, "R1")
	for i, want := range map[int]float64{1: 90, 2: 90, 11: 90, 12: 50, 14: 50} {
		if all[i].Health != want {
			t.Errorf("tick %d: health %v, want %v", i, all[i].Health, want)
		}
	}
	if a, b := all[1].Confidence, all[14].Confidence; a != 1 || !(b < 1) {
		t.Errorf("confidence %v, then %v", a, b)
	}
}

func TestWhatAModelSaidOfHealthStandsWhileItCannotBeAsked(t *testing.T) {
	out := newTape()
	m := &fake{in: []Field{{Name: "WOB"}}, out: []string{"health_hydraulics", "time_left_h"}, hold: 100 * time.Second, f: func(in []float64, _ []string) ([]float64, error) {
		if in[0] < 50 {
			return []float64{nan, nan}, nil
		}
		return []float64{in[0] / 4, 7}, nil
	}}
	well := &fake{in: []Field{{Name: "RPM"}}, out: []string{"health_topdrive"}, f: func([]float64, []string) ([]float64, error) { return []float64{96}, nil }}
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": m, "w": well}}, out)
	mark(t, p, activate("m", 1, "a"))
	mark(t, p, activate("well", 1, "w"))
	late := frame("R1", 65, 10, 100)
	for i := range uint64(201) {
		wob := 120.0
		if i >= 20 && i < 70 || i >= 80 {
			wob = 10
		}
		if i != 65 {
			feed(t, p, frame("R1", i, wob, 100))
		}
		if i == 75 { // amends a tick of a silence that is over
			feed(t, p, late)
		}
	}
	p.Flush()
	at := func(tick int64) telemetry.Score {
		var s telemetry.Score
		if err := telemetry.DecodeScore([]byte(out.last["R1"][start+tick*second]), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	for tick, want := range map[int64]int64{19: 0, 20: 19, 69: 19, 70: 0, 65: 19, 80: 79, 179: 79} {
		s := at(tick)
		h := s.Subsystems[0]
		said := int64(0)
		if want != 0 {
			said = start + want*second
		}
		if math.Round(s.Health) != 30 || s.TimeLeft != 7 || h.At != said {
			t.Errorf("tick %d: health %v, time left %v, said at tick %v, want 30, 7 and %d", tick, s.Health, s.TimeLeft, (h.At-start)/second, want)
		}
		if want != 0 && math.Abs(h.Confidence-(1-float64(tick-want)/100)) > 1e-9 {
			t.Errorf("tick %d: confidence %v", tick, h.Confidence)
		}
	}
	if s := at(180); s.Health != 96 || s.TimeLeft == s.TimeLeft || !math.IsNaN(s.Subsystems[0].Health) {
		t.Errorf("a word of 101 seconds ago stands still: %+v", s)
	}
}

func TestAReasonKeepsTheValueThatItWasSaidOf(t *testing.T) {
	out := newTape()
	signal := "WOB__mean__10s__in_rotary"
	m := &fake{in: []Field{{Name: signal}, {Name: "RPM"}}, out: []string{"health_hydraulics", "reason_hydraulics"}, says: map[int]string{1: "m:" + signal}, f: func(in []float64, _ []string) ([]float64, error) {
		if in[0] != in[0] {
			return []float64{nan, nan}, nil
		}
		return []float64{40, nan}, nil
	}}
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": m}}, out)
	mark(t, p, activate("m", 1, "a"))
	for i := range uint64(400) { // it turns for 5 min, and then stands: nothing is measured while drilling any more
		rpm := 100.0
		if i >= 300 {
			rpm = 0
		}
		feed(t, p, frame("R1", i, 80, rpm))
	}
	p.Flush()
	said := 0
	for tick := start + 100*second; tick < start+400*second; tick += second {
		var s telemetry.Score
		if err := telemetry.DecodeScore([]byte(out.last["R1"][tick]), &s); err != nil {
			t.Fatal(err)
		}
		for _, r := range s.Reasons {
			said++
			if r.Feature != signal || math.Abs(r.Value-80) > 0.1 {
				t.Fatalf("%d s: %+v", (tick-start)/second, r)
			}
		}
	}
	if said < 250 {
		t.Errorf("said %d times", said)
	}
}

func TestADrillIsAsHealthyAsItsWorstSubsystem(t *testing.T) {
	f := func(hydraulics, pumps, bit, want float64) {
		t.Helper()
		out := newTape()
		m := &fake{in: []Field{{Name: "WOB"}}, out: []string{"health_hydraulics", "health_pumps", "health_bit"}, f: func([]float64, []string) ([]float64, error) {
			return []float64{hydraulics, pumps, bit}, nil
		}}
		p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": m}}, out)
		mark(t, p, activate("m", 1, "a"))
		feed(t, p, frame("R1", 1, 100, 100))
		p.Flush()
		if h := out.all(t, "R1")[0].Health; h != want && (h == h || want == want) {
			t.Errorf("%v %v %v: health %v, want %v", hydraulics, pumps, bit, h, want)
		}
	}
	f(90, 95, 80, 80)
	f(60, 95, 80, 60)
	f(60, 65, 80, 57)
	f(60, 65, 20, 14)
	f(nan, nan, 80, 80)
	f(2, 1, 0, 0)
	f(nan, nan, nan, nan)
}

func TestAModelThatIsTooSlowIsStoppedAndSaysSo(t *testing.T) {
	out := newTape()
	cfg := testConfig()
	cfg.RowBudget = 1 // ns
	p := newPartition(t, cfg, &shelf{models: map[string]*fake{"a": sum("y")}}, out)
	mark(t, p, activate("m", 1, "a"))
	for i := range uint64(25) {
		feed(t, p, frame("R1", i, 100, 100))
		p.Flush()
	}
	all := out.all(t, "R1")
	if r := all[0].Results[0]; r.Error != "" {
		t.Errorf("stopped at once: %+v", r)
	}
	if r := all[24].Results[0]; !strings.Contains(r.Error, "stopped") || len(r.Outputs) != 0 {
		t.Errorf("%+v", r)
	}
	mark(t, p, &telemetry.Marker{ID: "again", Kind: telemetry.MarkerModel, Name: "m", Version: 2, SHA256: "a", Action: "activate"})
	feed(t, p, frame("R1", 26, 100, 100))
	p.Flush()
	if r := out.all(t, "R1")[25].Results[0]; r.Model != "m@2" || r.Error != "" {
		t.Errorf("%+v", r)
	}
}

func TestAShadowModelScoresAndRaisesNothing(t *testing.T) {
	out := newTape()
	s := streamShelf()
	s.models["h"] = &fake{in: []Field{{Name: "WOB"}}, out: []string{"z", "health_bit"}, f: func(in []float64, _ []string) ([]float64, error) { return []float64{400, 10}, nil }}
	p := newPartition(t, testConfig(), s, out)
	mark(t, p, &telemetry.Marker{ID: "r", Kind: telemetry.MarkerRules, SHA256: "rules", Action: "activate"})
	m := activate("second", 1, "h")
	m.Shadow = true
	mark(t, p, m)
	for i := range uint64(5) {
		feed(t, p, frame("R1", i, 100, 100))
	}
	p.Flush()
	x := out.all(t, "R1")[4]
	if len(x.Results) != 1 || !x.Results[0].Shadow || x.Health == x.Health || len(out.alarms["R1"]) != 0 {
		t.Errorf("%+v, %d alarm events", x, len(out.alarms["R1"]))
	}
	mark(t, p, activate("second", 1, "h")) // the same marker id: nothing
	on := activate("second", 1, "h")
	on.ID = "promote"
	mark(t, p, on)
	for i := range uint64(5) {
		feed(t, p, frame("R1", 10+i, 100, 100))
	}
	p.Flush()
	if x := out.all(t, "R1")[9]; len(x.Results) != 1 || x.Results[0].Shadow || x.Health != 10 || len(out.alarms["R1"]) != 1 {
		t.Errorf("%+v, %d alarm events", x, len(out.alarms["R1"]))
	}
}

func TestAClockThatIsAheadDoesNotMakeThePresentLate(t *testing.T) {
	out := newTape()
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": sum("y")}}, out)
	mark(t, p, activate("m", 1, "a"))
	feed(t, p, frame("R1", 1, 100, 100))
	f := frame("R1", 2, 100, 100)
	f.TS, f.Flags = f.TS+24*3600*second, telemetry.FlagFuture
	f.Hash = telemetry.ContentHash(f)
	feed(t, p, f)
	for i := range uint64(5) {
		feed(t, p, frame("R1", 3+i, 100, 100))
	}
	p.Flush()
	if n := p.count.late; n != 0 {
		t.Errorf("%d seconds came late", n)
	}
	if head := p.lanes[laneLive].roads["R1"].head; head != start+7*second {
		t.Errorf("the live road stands at %d", (head-start)/second)
	}
}
