package alarmlife_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/services/alarmlife"
	"github.com/mudpulse/mudpulse/telemetry"
)

const (
	sec  = int64(time.Second)
	hour = int64(time.Hour)
	t0   = 1_795_342_364 * sec
)

func id(rule string, at int64) string { return fmt.Sprintf("RIG-07/%s/%d", rule, at/sec) }

func event(kind, rule string, raised, at int64, priority int) telemetry.AlarmEvent {
	return telemetry.AlarmEvent{
		Event: kind, ID: id(rule, raised), Drill: "RIG-07", Rule: rule, At: at, Raised: raised, Priority: priority, Reason: fmt.Sprintf("%s at %d", kind, at),
	}
}

func raised(rule string, at int64) telemetry.AlarmEvent { return event("raised", rule, at, at, 2) }

var numbered int

func command(kind, alarm string, at int64, more ...func(*telemetry.Command)) telemetry.Command {
	numbered++
	c := telemetry.Command{ID: fmt.Sprintf("c%d", numbered), Kind: kind, Drill: "RIG-07", Alarm: alarm, By: "mara", At: at}
	for _, f := range more {
		f(&c)
	}
	return c
}

func saw(p int) func(*telemetry.Command) {
	return func(c *telemetry.Command) { c.Detail, _ = json.Marshal(alarmlife.Seen{Priority: p}) }
}

func until(t int64) func(*telemetry.Command) {
	return func(c *telemetry.Command) { c.Until, c.Text = t, "sensor is being changed" }
}

// check folds steps in their order and in many others, each twice, and wants one outcome.
func check(t *testing.T, name string, now int64, want map[string]string, steps ...any) map[string]*alarmlife.Alarm {
	t.Helper()
	run := func(order []int) map[string]*alarmlife.Alarm {
		clock := now
		b := alarmlife.NewBook(func() int64 { return clock })
		for _, i := range order {
			switch s := steps[i].(type) {
			case telemetry.AlarmEvent:
				b.Event(s)
			case telemetry.Command:
				b.Command(s)
			}
		}
		out := map[string]*alarmlife.Alarm{}
		for _, a := range b.All(func(*alarmlife.Alarm) bool { return true }) {
			out[a.ID] = a
		}
		return out
	}
	first := run(rand.New(rand.NewPCG(1, 2)).Perm(len(steps)))
	for try := range 40 {
		r := rand.New(rand.NewPCG(uint64(try), 7))
		order := append(r.Perm(len(steps)), r.Perm(len(steps))...)
		got := run(order)
		if !reflect.DeepEqual(got, first) {
			t.Errorf("%s: order %v gives another outcome", name, order)
		}
	}
	for id, status := range want {
		if a := first[id]; a == nil || a.Status != status {
			t.Errorf("%s: %s is %+v, want %s", name, id, a, status)
		}
	}
	if len(first) != len(want) {
		t.Errorf("%s: %d alarms, want %d", name, len(first), len(want))
	}
	return first
}

func TestAnAlarmGoesThroughItsLifeWhateverTheOrderOfTheTopics(t *testing.T) {
	w := id("washout", t0)
	up := raised("washout", t0)
	down := event("cleared", "washout", t0, t0+60*sec, 2)
	worse := event("escalated", "washout", t0, t0+30*sec, 1)
	worse.Event = telemetry.AlarmEscalate
	now := t0 + hour

	check(t, "raised", now, map[string]string{w: "unack"}, up)
	check(t, "acknowledged", now, map[string]string{w: "ack"}, up, command("ack", w, t0+5*sec))
	check(t, "returned", now, map[string]string{w: "rtn_unack"}, up, down)
	check(t, "returned and answered", now, map[string]string{w: "returned"}, up, down, command("ack", w, t0+70*sec))
	check(t, "answered and returned", now, map[string]string{w: "returned"}, up, command("ack", w, t0+5*sec), down)
	check(t, "only its end came", now, map[string]string{}, down)
	a := check(t, "became worse after the answer", now, map[string]string{w: "unack"}, up, command("ack", w, t0+5*sec, saw(2)), worse)[w]
	if a.Priority != 1 || a.AckedBy != "" || len(a.History) != 3 {
		t.Errorf("%+v", a)
	}
	check(t, "answered as seen, though the clocks say otherwise", now, map[string]string{w: "ack"}, up, worse, command("ack", w, t0+29*sec, saw(1)))
	past := up
	past.Origin = telemetry.Backfill
	check(t, "of the past", now, map[string]string{w: "returned"}, past)
	note := command("note", w, t0+9*sec)
	note.Text = "pulled out"
	right := command("disposition", w, t0+8*sec)
	right.Value = "right"
	a = check(t, "noted and judged", now, map[string]string{w: "unack"}, up, note, right)[w]
	if a.Note != "pulled out" || a.Disposition != "right" || a.History[1].Text != "right" || a.Changed != t0+9*sec {
		t.Errorf("%+v", a)
	}
}

func TestAShelfHoldsForWhatItsRuleRaisesAgain(t *testing.T) {
	w, again, other := id("washout", t0), id("washout", t0+600*sec), id("losses", t0+600*sec)
	steps := []any{
		raised("washout", t0), event("cleared", "washout", t0, t0+300*sec, 2), raised("washout", t0+600*sec), raised("losses", t0+600*sec),
		command("shelve", w, t0+60*sec, until(t0+hour)),
	}
	got := check(t, "while it holds", t0+hour/2, map[string]string{w: "shelved", again: "shelved", other: "unack"}, steps...)
	if a := got[again]; a.ShelvedBy != "mara" || a.ShelvedUntil != t0+hour || a.ShelveReason != "sensor is being changed" {
		t.Errorf("%+v", a)
	}
	check(t, "when it is over", t0+hour, map[string]string{w: "rtn_unack", again: "unack", other: "unack"}, steps...)
	check(t, "taken off", t0+hour/2, map[string]string{w: "rtn_unack", again: "unack", other: "unack"}, append(steps, command("unshelve", again, t0+700*sec))...)
	late := id("washout", t0+2*hour)
	check(t, "raised after it", t0+2*hour, map[string]string{w: "rtn_unack", again: "unack", other: "unack", late: "unack"}, append(steps, raised("washout", t0+2*hour))...)
	check(t, "no longer than twelve hours", t0+13*hour, map[string]string{w: "unack"}, raised("washout", t0), command("shelve", w, t0, until(t0+1000*hour)))
}

func TestAShelfThatEndsIsTold(t *testing.T) {
	now := t0
	b := alarmlife.NewBook(func() int64 { return now })
	w := id("washout", t0)
	b.Event(raised("washout", t0))
	b.Command(command("shelve", w, t0, until(t0+hour)))
	if got := b.Pass(); len(got) != 0 {
		t.Errorf("told %v before its time", got)
	}
	now = t0 + hour
	if got := b.Pass(); len(got) != 1 || got[0].Status != alarmlife.Unack {
		t.Errorf("told %v", got)
	}
	if got := b.Pass(); len(got) != 0 {
		t.Errorf("told twice: %v", got)
	}
}

func TestABookIsBounded(t *testing.T) {
	b := alarmlife.NewBook(func() int64 { return t0 })
	for i := range int64(2 * alarmlife.KeepReturned) {
		e := raised("washout", t0+i*sec)
		e.Origin = telemetry.Backfill
		b.Event(e)
	}
	b.Event(raised("losses", t0))
	n := len(b.All(func(*alarmlife.Alarm) bool { return true }))
	if _, ok := b.Get(id("losses", t0)); !ok || n > alarmlife.KeepReturned+1 {
		t.Errorf("%d alarms kept, the standing one %v", n, ok)
	}
	if _, ok := b.Get(id("washout", t0)); ok {
		t.Error("the oldest was kept")
	}
	if got := b.Event(telemetry.AlarmEvent{ID: "nonsense"}); got != nil {
		t.Errorf("nonsense changed %v", got)
	}
}
