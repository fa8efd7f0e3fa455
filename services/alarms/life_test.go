package alarms

import (
	"math"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/services/internal/snapshot"
	"github.com/mudpulse/mudpulse/telemetry"
)

func TestAValueThatCrossesItsLimitForAnHourWithoutHysteresisIsOneAlarm(t *testing.T) {
	b := newBench(t, `"id":"r","again":"30m"`)
	for i := range 3600 {
		b.feed(10 + math.Sin(float64(i)/7))
	}
	ids, raised := map[string]bool{}, 0
	for _, e := range b.events {
		ids[e.ID] = true
		if e.Event == telemetry.AlarmRaised {
			raised++
		}
	}
	if len(ids) != 1 || raised != 1 || len(b.events) > 9 { // three returns, then it stands until it is quiet
		t.Errorf("%d alarms, raised %d times, %d steps", len(ids), raised, len(b.events))
	}
	if err := Verify(b.events); err != nil {
		t.Error(err)
	}
}

func TestWhatHoldsAgainSoonIsTheSameAlarm(t *testing.T) {
	b := newBench(t, `"id":"r","again":"60s"`)
	b.feed(11, 9).for_(30, 9)
	b.feed(12, 9).for_(70, 9)
	b.feed(11)
	b.want("raised 0", "cleared 1", "again 32", "cleared 33", "context 104", "raised 104")
	if b.events[2].ID != b.events[0].ID || b.events[5].ID == b.events[0].ID || b.events[2].Evidence.Inputs[0].Value != 12 {
		t.Errorf("%+v", b.events[2])
	}
}

func TestTheTenMinutesAfterAreAddedAlsoToAnAlarmThatDidNotStandSoLong(t *testing.T) {
	b := newBench(t, `"id":"r"`)
	b.feed(11, 9).for_(700, 9)
	b.want("raised 0", "cleared 1", "context 600")
	b = newBench(t, `"id":"r"`)
	b.feed(11, 9).for_(98, 9).feed(11)
	b.want("raised 0", "cleared 1", "context 100", "raised 100")
	if b.events[2].ID != b.events[0].ID {
		t.Errorf("the context is of %s", b.events[2].ID)
	}
}

func TestOneFaultIsOneIncidentAcrossRules(t *testing.T) {
	b := newBench(t, `"id":"model","fault":"wear","limit":5`, `"id":"limit","fault":"wear"`, `"id":"other"`)
	b.feed(6, 11, 4)
	b.want("raised 0", "raised 1", "raised 1", "cleared 2", "cleared 2", "cleared 2")
	model, limit, other := b.events[0], b.events[1], b.events[2]
	if model.Incident != model.ID || limit.Incident != model.ID || other.Incident != other.ID || b.events[4].Incident != model.ID {
		t.Errorf("%s %s %s", model.Incident, limit.Incident, other.Incident)
	}
	var w snapshot.Writer // the incident outlives a restart
	b.d.Append(&w)
	d := NewDetector("RIG-07", b.d.watch)
	if err := d.Restore(snapshot.NewReader(w.B)); err != nil {
		t.Fatal(err)
	}
	b.d = d
	b.now += 1000
	last := func(rule string) (e telemetry.AlarmEvent) {
		for i := range b.events {
			if b.events[i].Rule == rule && b.events[i].Event == telemetry.AlarmRaised {
				e = b.events[i]
			}
		}
		return e
	}
	b.feed(11)
	if e := last("model"); e.ID == model.ID || e.Incident != model.ID {
		t.Errorf("within half an hour it is another incident: %+v", e)
	}
	if e := last("other"); e.ID == other.ID || e.Incident != other.ID {
		t.Errorf("within half an hour it is another incident: %+v", e)
	}
	b.feed(4)
	b.now += 2000
	b.feed(6)
	if e := last("model"); e.Incident != e.ID {
		t.Errorf("after half an hour it is the same incident: %+v", e)
	}
}

func TestARuleIsHeldBackByItsState(t *testing.T) {
	b := newBench(t, `"id":"r","states":["rotary"],"hold":true`)
	b.feed(11)
	b.state = telemetry.StateConnection
	b.for_(5, 11)
	b.state = telemetry.StateRotary
	b.feed(11, 9)
	b.want("raised 0", "suppressed 1", "released 6", "cleared 7")
}

func TestLateReadingsAmendTheAlarmOfTheirTick(t *testing.T) {
	b := newBench(t, `"id":"r","format":"0.0"`)
	b.feed(9, 11, 12)
	at := func(x float64) *Tick {
		b.values["X"] = x
		tick := b.tick()
		tick.At = t0 + 1e9
		return tick
	}
	emit := func(e *telemetry.AlarmEvent) { b.events = append(b.events, *e) }
	if !b.d.RaisedAt(t0+1e9) || b.d.RaisedAt(t0) {
		t.Error("the tick is not known")
	}
	b.d.Amend(at(11), b, emit) // late, but the same
	b.want("raised 1")
	b.d.Amend(at(9.5), b, emit)
	b.d.Amend(at(9.5), b, emit)
	b.want("raised 1", "amended 1")
	e := b.events[1]
	if e.Reason != "Late readings: the value was 11.0, it is 9.5; by itself it would not have raised the alarm then." || e.Evidence.Inputs[0].Value != 9.5 || b.events[0].Value != 11 {
		t.Errorf("%+v", e)
	}
}

func TestARateIsARule(t *testing.T) {
	r, err := Parse([]byte(`{"version":1,"rules":[{"id":"r","kind":"rate","title":"T","subsystem":"bit","priority":2,"signal":"TDBT__slope__10m","op":">","limit":0.1,"reason":"r","advice":"a"}]}`))
	if err != nil || r.Rules[0].Kind != Rate {
		t.Error(err)
	}
	_, err = Parse([]byte(`{"version":1,"rules":[{"id":"r","kind":"rate","title":"T","subsystem":"bit","priority":2,"signal":"TDBT__mean__10m","op":">","limit":0.1,"reason":"r","advice":"a"}]}`))
	if err == nil || !strings.Contains(err.Error(), "how fast it changes") {
		t.Error(err)
	}
}

func TestNobodyIsToldAnUnknownNumber(t *testing.T) {
	b := newBench(t, `"id":"r","title":"Motor runs hot","unit":"°C","reason":"Winding {Z|0} °C, {value|0} °C more than expected."`)
	b.feed(11)
	if got := b.events[0].Reason; got != "Motor runs hot: 11.0 °C, limit 10.0 °C." {
		t.Errorf("%q", got)
	}
	for _, u := range Default().Rules { // whatever is missing
		x := watchedOf(t, u)
		for _, tpl := range []template{x.reason, x.advice} {
			s := tpl.fill(func(string) (float64, string) { return math.NaN(), "" })
			if strings.Contains(s, "unknown") || strings.Contains(s, gap) {
				t.Errorf("%s: %q", u.ID, s)
			}
		}
	}
}

func watchedOf(t *testing.T, u Rule) watched {
	t.Helper()
	u.Under = nil
	w, err := Compile(&Rules{Version: 1, Rules: []Rule{u}})
	if err != nil {
		t.Fatal(err)
	}
	return w.rules[0]
}
