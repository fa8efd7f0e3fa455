package alarmlife_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/mudpulse/mudpulse/services/alarmlife"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// past is a store of alarms: steps of them without what they tell, and whole.
type past struct {
	events   []telemetry.AlarmEvent
	commands []telemetry.Command
	whole    int // events that were read whole
}

func (p *past) AlarmSteps(_ context.Context, after storage.Place, n int) ([]telemetry.AlarmEvent, storage.Place, error) {
	var all []telemetry.AlarmEvent
	for _, e := range p.events {
		brief := telemetry.AlarmEvent{ID: e.ID, Event: e.Event, Drill: e.Drill, Rule: e.Rule, At: e.At, Raised: e.Raised, Priority: e.Priority}
		if e.Event == telemetry.AlarmRaised {
			brief.Origin = e.Origin
		}
		all = append(all, brief)
	}
	return page(all, after, n, func(e telemetry.AlarmEvent) storage.Place { return storage.Place{At: e.At, ID: e.ID + " " + e.Event} })
}

func (p *past) CommandSteps(_ context.Context, after storage.Place, n int) ([]telemetry.Command, storage.Place, error) {
	return page(slices.Clone(p.commands), after, n, func(c telemetry.Command) storage.Place { return storage.Place{At: c.At, ID: c.ID} })
}

func page[T any](all []T, after storage.Place, n int, place func(T) storage.Place) ([]T, storage.Place, error) {
	order := func(x, y storage.Place) int { return cmp.Or(cmp.Compare(x.At, y.At), cmp.Compare(x.ID, y.ID)) }
	all = slices.DeleteFunc(all, func(v T) bool { return order(place(v), after) <= 0 })
	slices.SortFunc(all, func(x, y T) int { return order(place(x), place(y)) })
	if all = all[:min(n, len(all))]; len(all) > 0 {
		after = place(all[len(all)-1])
	}
	return all, after, nil
}

func (p *past) AlarmEvents(_ context.Context, q storage.AlarmQuery) ([]telemetry.AlarmEvent, error) {
	want := map[string]bool{}
	for _, id := range q.IDs {
		want[id] = true
	}
	var out []telemetry.AlarmEvent
	for _, e := range slices.Backward(p.events) {
		if want[e.ID] {
			out = append(out, e)
		}
	}
	p.whole += len(out)
	return out, nil
}

// restart makes the book that a process has after its start.
func restart(t *testing.T, p *past, now int64) *alarmlife.Book {
	t.Helper()
	b := alarmlife.NewBook(func() int64 { return now })
	err := alarmlife.Replay(t.Context(), p, now, func(e telemetry.AlarmEvent) { b.Event(e) }, func(c telemetry.Command) { b.Command(c) })
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// long is a past of 60,000 alarms that were answered and went, over 50 drills.
func long() *past {
	p := &past{}
	for i := range int64(60_000) {
		drill, at := fmt.Sprintf("RIG-%02d", i%50), t0+hour+i*10*sec
		id := fmt.Sprintf("%s/losses/%d", drill, at/sec)
		up := telemetry.AlarmEvent{Event: telemetry.AlarmRaised, ID: id, Drill: drill, Rule: "losses", At: at, Raised: at, Priority: 2, Reason: "mud is lost"}
		down := up
		down.Event, down.At, down.Reason = telemetry.AlarmCleared, at+5*sec, ""
		p.events = append(p.events, up, down)
		p.commands = append(p.commands, telemetry.Command{ID: fmt.Sprintf("a%d", i), Kind: "ack", Drill: drill, Alarm: id, By: "mara", At: at + 2*sec})
	}
	return p
}

func TestARestartKnowsWhatStandsHoweverLongAgoItCame(t *testing.T) {
	p := long()
	old, gone := raised("washout", t0), raised("stick-slip", t0+sec)
	p.events = append(p.events, old, gone)
	p.commands = append(p.commands, command("ack", old.ID, t0+5*sec), command("note", gone.ID, t0+6*sec, func(c *telemetry.Command) { c.Text = "pulled out" }))
	took := command("out_of_service", alarmlife.RuleID("RIG-07", "mud-temperature"), t0+7*sec)
	took.Text = "sensor is being changed"
	p.commands = append(p.commands, took)
	last := p.events[2*59_999]
	now := t0 + hour + 60_001*10*sec
	p.commands = append(p.commands, telemetry.Command{ID: "s", Kind: "shelve", Drill: last.Drill, Alarm: last.ID, By: "mara", At: last.At + sec, Until: now + hour, Text: "known"})

	b := restart(t, p, now)
	if a, ok := b.Get(old.ID); !ok || a.Status != alarmlife.Ack || a.AckedBy != "mara" || a.Reason != old.Reason {
		t.Errorf("the oldest is %+v", a)
	}
	if a, ok := b.Get(gone.ID); !ok || a.Status != alarmlife.Unack || a.Note != "pulled out" {
		t.Errorf("the one that nobody answered is %+v", a)
	}
	if out := b.OutOfService(); len(out) != 1 || out[0].Rule != "mud-temperature" || out[0].By != "mara" {
		t.Errorf("out of service %+v", out)
	}
	again := last
	again.At, again.Raised = now-sec, now-sec
	again.ID = fmt.Sprintf("%s/losses/%d", again.Drill, again.At/sec)
	b.Event(again)
	if a, ok := b.Get(again.ID); !ok || a.Status != alarmlife.Shelved {
		t.Errorf("raised again under its shelf it is %+v", a)
	}
	all := b.All(func(*alarmlife.Alarm) bool { return true })
	if len(all) > alarmlife.KeepReturned+3 || p.whole > 3*alarmlife.KeepReturned {
		t.Errorf("%d alarms are held, %d steps were read whole", len(all), p.whole)
	}
	for _, a := range all {
		if a.Standing() && a.ID != old.ID && a.ID != gone.ID || a.Title != "" || a.Reason == "" {
			t.Fatalf("%+v", a)
		}
	}
}

// A random past, read again after a restart at any time, is what was there before it.
func TestARestartChangesNothing(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 11))
		p, now := &past{}, t0
		rules := []string{"washout", "losses", "stick-slip"}
		b := alarmlife.NewBook(func() int64 { return now })
		var ids []string
		for i := range 300 {
			now += int64(1+r.IntN(120)) * sec
			if len(ids) == 0 || r.IntN(3) == 0 {
				rule := rules[r.IntN(3)]
				e := raised(rule, now/sec*sec)
				e.Origin = telemetry.Origin(r.IntN(8) / 7)
				ids = append(ids, e.ID)
				p.events = append(p.events, e)
				b.Event(e)
				continue
			}
			of := ids[r.IntN(len(ids))]
			_, rule, at, _ := alarmlife.ParseID(of)
			if r.IntN(2) == 0 {
				kind := []string{telemetry.AlarmCleared, telemetry.AlarmAgain, telemetry.AlarmEscalate, telemetry.AlarmSuppressed, telemetry.AlarmReleased}[r.IntN(5)]
				e := event(kind, rule, at, now/sec*sec, 1+r.IntN(3))
				p.events = append(p.events, e)
				b.Event(e)
				continue
			}
			c := command([]string{"ack", "shelve", "unshelve", "note", "disposition", "out_of_service", "in_service"}[r.IntN(7)], of, now, until(now+int64(r.IntN(3))*hour), saw(r.IntN(4)))
			c.ID, c.Value = fmt.Sprintf("%d-%d", seed, i), "wrong"
			p.commands = append(p.commands, c)
			b.Command(c)
		}
		b.Pass()
		c := restart(t, p, now)
		for _, id := range ids {
			want, _ := b.Get(id)
			if got, _ := c.Get(id); !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d: %s is %+v after the restart, was %+v", seed, id, got, want)
			}
		}
		if got, want := c.OutOfService(), b.OutOfService(); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: out of service %+v, were %+v", seed, got, want)
		}
	}
}

// Commands of alarms that are long gone take nobody's place.
func TestWhatWaitsForItsBeginningKeepsNoAlarmOut(t *testing.T) {
	b := alarmlife.NewBook(func() int64 { return t0 + hour })
	for i := range int64(25_000) {
		b.Command(telemetry.Command{ID: fmt.Sprint(i), Kind: "note", Drill: "RIG-07", Alarm: id("losses", t0+i*sec), By: "mara", At: t0 + i*sec, Text: "looked at"})
	}
	e := raised("washout", t0)
	b.Event(e)
	if _, ok := b.Get(e.ID); !ok {
		t.Error("the alarm is not in the book")
	}
	late := raised("losses", t0+24_999*sec)
	b.Event(late)
	if a, ok := b.Get(late.ID); !ok || a.Note != "looked at" {
		t.Errorf("its note was lost: %+v", a)
	}
}
