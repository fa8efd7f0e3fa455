package alarms

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/services/internal/snapshot"
	"github.com/mudpulse/mudpulse/telemetry"
)

const t0 = int64(1_795_000_000) * int64(time.Second)

// bench drives one rule on signal X (and Y) of drill RIG-07, a tick a second.
type bench struct {
	t      *testing.T
	d      *Detector
	now    int
	state  string
	since  int
	values map[string]float64
	stale  bool
	events []telemetry.AlarmEvent
}

func newBench(t *testing.T, rules ...string) *bench {
	t.Helper()
	b := &bench{t: t, state: telemetry.StateRotary, since: -1000, values: map[string]float64{"X": math.NaN(), "Y": math.NaN()}}
	b.d = NewDetector("RIG-07", b.compile(1, rules...))
	return b
}

func (b *bench) compile(version int, rules ...string) *Watch {
	b.t.Helper()
	text := make([]string, len(rules))
	for i, r := range rules {
		text[i] = `{"kind":"limit","title":"T","subsystem":"bit","priority":2,"signal":"X","op":">","limit":10,"reason":"{value|0.0} over {limit|0.0}","advice":"do",` + r + `}`
	}
	rs, err := Parse([]byte(fmt.Sprintf(`{"version":%d,"rules":[%s]}`, version, strings.Join(text, ","))))
	if err != nil {
		b.t.Fatal(err)
	}
	w, err := Compile(rs)
	if err != nil {
		b.t.Fatal(err)
	}
	return w
}

func (b *bench) Look(s string) float64 {
	if v, ok := b.values[s]; ok {
		return v
	}
	return math.NaN()
}
func (b *bench) Unit(string) (string, float64, float64) { return "kN", 0, 200 }
func (b *bench) Offset() string                         { return "frames-0-1" }
func (b *bench) Snapshot(s string) (telemetry.Snapshot, bool) {
	return telemetry.Snapshot{Channel: "TDACC", TS: t0}, strings.HasPrefix(s, "TDACC__")
}
func (b *bench) Explain(model string, e *telemetry.Evidence) (string, string) {
	e.Inputs = []telemetry.Measured{{Name: "Y", Value: math.NaN()}}
	e.Baseline, e.Score = 0.25, 0.75
	e.Contributions = []telemetry.Contribution{{Name: "Y", Value: 0.5}}
	return model + "@3", "abc"
}

func (b *bench) tick() *Tick {
	t := &Tick{At: t0 + int64(b.now)*int64(time.Second), State: b.state, Since: t0 + int64(b.since)*int64(time.Second), Health: math.NaN(), TimeLeft: math.NaN(),
		Frames: []telemetry.FrameID{{Device: "edr-1", Boot: "b", Seq: uint64(b.now)}}}
	for _, s := range b.d.watch.Signals {
		v := b.Look(s)
		t.Values, t.Fresh = append(t.Values, v), append(t.Fresh, v == v && !b.stale)
	}
	return t
}

// feed gives X these values, one a second.
func (b *bench) feed(x ...float64) *bench {
	for _, v := range x {
		b.values["X"] = v
		b.d.Step(b.tick(), b, func(e *telemetry.AlarmEvent) { b.events = append(b.events, *e) })
		b.now++
	}
	return b
}

func (b *bench) for_(n int, x float64) *bench {
	for range n {
		b.feed(x)
	}
	return b
}

// want checks the events so far: "raised 5" is at second 5.
func (b *bench) want(want ...string) {
	b.t.Helper()
	var got []string
	for _, e := range b.events {
		got = append(got, fmt.Sprintf("%s %d", e.Event, (e.At-t0)/int64(time.Second)))
	}
	if !slices.Equal(got, want) {
		b.t.Errorf("events %q, want %q", got, want)
	}
	if err := Verify(b.events); err != nil {
		b.t.Error(err)
	}
}

func TestAnAlarmIsRaisedOnceAndClearedOnce(t *testing.T) {
	b := newBench(t, `"id":"r","hysteresis":2`)
	b.feed(9, 11, 12, 9, 8.5, 11, 8, 7, 9, 10.5)
	b.want("raised 1", "cleared 6", "context 9", "raised 9")
	if b.events[0].ID != "RIG-07/r/1795000001" || b.events[1].ID != b.events[0].ID || b.events[3].ID == b.events[0].ID {
		t.Errorf("ids %s %s %s", b.events[0].ID, b.events[1].ID, b.events[2].ID)
	}
}

func TestAValueThatHoversAtItsLimitForAnHourRaisesOnce(t *testing.T) {
	b := newBench(t, `"id":"r","hysteresis":2,"off_delay":"60s"`)
	for i := range 3600 {
		b.feed(10 + 1.9*math.Sin(float64(i)))
	}
	b.want("raised 1", "context 601")
}

func TestDelaysCountEventTime(t *testing.T) {
	b := newBench(t, `"id":"r","on_delay":"3s","off_delay":"5s"`)
	b.feed(11, 11, 9, 11, 11, 11, 11, 11) // three seconds from 3 on
	b.feed(9, 9, 9, 9, 11, 9, 9, 9, 9, 9, 9)
	b.want("raised 6", "cleared 18")
	b = newBench(t, `"id":"r","on_delay":"3s"`)
	b.feed(11)
	b.now = 60 // a frame a minute
	b.feed(11)
	b.want("raised 60")
}

func TestNOfMEvaluations(t *testing.T) {
	b := newBench(t, `"id":"r","n":3,"m":5`)
	b.feed(11, 9, 11, 9, 9, 11, 9, 11, 11)
	b.want("raised 8")
	b = newBench(t, `"id":"r","n":2,"m":3`)
	b.feed(11)
	b.stale = true // a model of a slower cadence says nothing new
	b.for_(10, 11)
	b.want()
	b.stale = false
	b.feed(11)
	b.want("raised 11")
}

func TestAStateMasksARule(t *testing.T) {
	b := newBench(t, `"id":"r","states":["rotary"],"settle":"5s"`)
	b.state = telemetry.StateConnection
	b.for_(10, 11)
	b.state, b.since = telemetry.StateRotary, b.now
	b.for_(4, 11)
	b.want()
	b.for_(3, 11)
	b.want("raised 15")
	b.state = telemetry.StateIdle // it stands while nobody can tell
	b.for_(10, 0)
	b.want("raised 15")
	b.state = telemetry.StateRotary
	b.feed(0)
	b.want("raised 15", "cleared 27")

	b = newBench(t, `"id":"r","states":["rotary"],"drop":true,"off_delay":"3s"`)
	b.feed(11)
	b.state = telemetry.StateIdle
	b.for_(5, 11)
	b.want("raised 0", "cleared 4")
}

func TestAMissingValueSaysNothing(t *testing.T) {
	b := newBench(t, `"id":"r","off_delay":"2s"`)
	b.feed(math.NaN(), 11, math.NaN(), math.NaN(), math.NaN(), 11, 9, 9, 9)
	b.want("raised 1", "cleared 8")
}

func TestAnAlarmRisesInPriority(t *testing.T) {
	b := newBench(t, `"id":"r","priority":3,"escalate":[{"limit":20,"priority":2},{"limit":30,"priority":1}]`)
	b.feed(11, 21, 22, 31, 15)
	b.want("raised 0", "escalate 1", "escalate 3")
	if b.events[2].Priority != 1 {
		t.Errorf("priority %d", b.events[2].Priority)
	}
	b = newBench(t, `"id":"r","priority":3,"escalate":[{"limit":20,"priority":2}]`)
	b.feed(25)
	if b.events[0].Priority != 2 {
		t.Errorf("priority %d", b.events[0].Priority)
	}
}

func TestAFaultDragsNoOthersAlong(t *testing.T) {
	b := newBench(t, `"id":"cause","limit":5`, `"id":"effect","under":["cause"]`)
	b.feed(11, 11)
	b.want("raised 0")
	if b.events[0].Rule != "cause" {
		t.Errorf("%s was raised", b.events[0].Rule)
	}
}

func TestFurtherConditionsMustHoldToo(t *testing.T) {
	b := newBench(t, `"id":"r","and":[{"signal":"Y","op":"<","limit":1}]`)
	b.feed(11)
	b.values["Y"] = 2
	b.feed(11)
	b.values["Y"] = 0
	b.feed(11)
	b.want("raised 2")
}

func TestTheReasonIsInWordsWithItsNumbers(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		tpl, err := parseTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		got := tpl.fill(func(name string) (float64, string) {
			switch name {
			case "SPP":
				return 21.04, ""
			case "normal":
				return 22.4, ""
			case "FLIN":
				return 2099.6, ""
			case "ratio":
				return -0.0625, ""
			case "drill":
				return 0, "RIG-07"
			}
			return math.NaN(), ""
		})
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f("Standpipe pressure {SPP|0.0}[, should be {normal|0.0}] MPa[ at {FLIN|0} L/min].", "Standpipe pressure 21.0, should be 22.4 MPa at 2,100 L/min.")
	f("{drill}: {SPP|0.0}[, should be {none|0.0}] MPa", "RIG-07: 21.0 MPa")
	f("{ratio|0.0%} and {SPP}", "−6.2 % and 21.0")
	f("Winding is {none|0} °C. Flow is {FLIN|0} L/min. Look at {none}.", "Flow is 2,100 L/min.")
	f("Winding is {none|0} °C.", "")
}

func TestNumbersAreWrittenForPeople(t *testing.T) {
	f := func(v float64, form, want string) {
		t.Helper()
		if got := Number(v, form); got != want {
			t.Errorf("Number(%v, %q) = %q, want %q", v, form, got, want)
		}
	}
	f(1234567.891, "0", "1,234,568")
	f(-1234.5, "0.0", "−1,234.5")
	f(-0.04, "0.0", "0.0")
	f(999.96, "0.0", "1,000.0")
	f(0.00123, "", "0.00123")
	f(4.5, "", "4.50")
	f(math.Inf(1), "0", "beyond measure")
}

func TestEvidenceIsFrozenAndChained(t *testing.T) {
	b := newBench(t, `"id":"limit","inputs":["Y"]`, `"id":"model","kind":"model","signal":"M.y","inputs":["X"]`)
	b.values["M.y"] = 12
	b.feed(11.5, 9)
	b.want("raised 0", "raised 0", "cleared 1")
	limit, model := b.events[0], b.events[1]
	if limit.Model != "" || limit.Value != 11.5 || limit.Limit != 10 || limit.Reason != "11.5 over 10.0" || len(limit.Evidence.Inputs) != 2 || !limit.Evidence.Inputs[1].Missing || limit.Evidence.Inputs[0].Unit != "kN" {
		t.Errorf("%+v %+v", limit, limit.Evidence)
	}
	ev := model.Evidence
	if model.Model != "M@3" || model.ModelSHA256 != "abc" || ev.Baseline+ev.Contributions[0].Value != ev.Score || len(ev.Inputs) != 3 || ev.Frames[0].Seq != 0 {
		t.Errorf("%+v %+v", model, ev)
	}
	events := slices.Clone(b.events)
	events[1].Value = 13
	if err := Verify(events); err == nil || !strings.Contains(err.Error(), "event 1") {
		t.Errorf("a changed value was not found: %v", err)
	}
	if err := Verify([]telemetry.AlarmEvent{b.events[0], b.events[2]}); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a missing event was not found: %v", err)
	}
	j, err := json.Marshal(b.events[1])
	if err != nil {
		t.Fatal(err)
	}
	var back telemetry.AlarmEvent
	if err := json.Unmarshal(j, &back); err != nil || Hash(&back) != ev.Hash {
		t.Errorf("after JSON the hash is another (%v)", err)
	}
}

func TestOtherRulesKeepTheAlarmsOfThoseThatStay(t *testing.T) {
	b := newBench(t, `"id":"stays"`, `"id":"goes"`)
	b.feed(11)
	b.d.Rebind(b.compile(2, `"id":"new","limit":100`, `"id":"stays","limit":5`), b.tick(), func(e *telemetry.AlarmEvent) { b.events = append(b.events, *e) })
	b.now++
	b.feed(6)
	b.want("raised 0", "raised 0", "cleared 1")
	if b.events[2].Rule != "goes" || b.d.Active() != 1 {
		t.Errorf("%s was cleared, %d stand", b.events[2].Rule, b.d.Active())
	}
}

func TestARestartKeepsAlarms(t *testing.T) {
	run := func(restart bool) []telemetry.AlarmEvent {
		b := newBench(t, `"id":"a","on_delay":"3s","off_delay":"4s","n":2,"m":3`, `"id":"b","limit":12`)
		for i := range 200 {
			b.feed(10 + 4*math.Sin(float64(i)/7) + float64(i%3))
			if restart {
				var w snapshot.Writer
				b.d.Append(&w)
				d := NewDetector("RIG-07", b.d.watch)
				if err := d.Restore(snapshot.NewReader(w.B)); err != nil {
					t.Fatal(err)
				}
				b.d = d
			}
		}
		return b.events
	}
	want, _ := json.Marshal(run(false))
	got, _ := json.Marshal(run(true))
	if string(got) != string(want) || len(want) < 100 {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestAnEarlierTickRaisesNothing(t *testing.T) {
	b := newBench(t, `"id":"r"`)
	b.feed(9, 9, 9)
	b.now = 1
	b.feed(11)
	b.want()
}

func TestWrongRulesAreRefusedWithAllReasons(t *testing.T) {
	b, err := os.ReadFile("testdata/wrong.json")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Parse(b)
	want, rerr := os.ReadFile("testdata/wrong.txt")
	if rerr != nil {
		t.Fatal(rerr)
	}
	if err == nil || err.Error()+"\n" != string(want) {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	if _, err := Parse([]byte(`{"version":1,"rulez":[]}`)); err == nil || !strings.Contains(err.Error(), "rulez") {
		t.Errorf("an unknown key was taken: %v", err)
	}
}

func TestTheDefaultRulesHold(t *testing.T) {
	r := Default()
	if len(r.Rules) < 10 {
		t.Fatalf("%d rules", len(r.Rules))
	}
	if _, err := Compile(r); err != nil {
		t.Error(err)
	}
	for _, u := range r.Without(Limit).Rules {
		if u.Kind != Model {
			t.Errorf("%s is no model rule", u.ID)
		}
	}
}

func FuzzParseTakesAnything(f *testing.F) {
	all, err := json.Marshal(Default())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(all)
	f.Add([]byte(`{"version":1,"rules":[{"id":"a","reason":"[{x|0.0}]"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(b)
		if err != nil {
			return
		}
		w, err := Compile(r)
		if err != nil {
			t.Fatal(err)
		}
		d := NewDetector("R", w)
		n := len(w.Signals)
		tick := &Tick{At: t0, State: telemetry.StateRotary, Values: make([]float64, n), Fresh: make([]bool, n)}
		for i := range n {
			tick.Values[i], tick.Fresh[i] = 1e9, true
		}
		d.Step(tick, &bench{}, func(e *telemetry.AlarmEvent) {
			if e.Evidence.Hash == "" {
				t.Error("an event without its hash")
			}
		})
	})
}
