package alarmlife_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/services/alarmlife"
	"github.com/mudpulse/mudpulse/telemetry"
)

func TestTheFiguresOfEEMUA191(t *testing.T) {
	const minute = int64(time.Minute)
	to := t0 + 24*hour
	var events []telemetry.AlarmEvent
	var commands []telemetry.Command
	raise := func(drill, rule string, at, cleared int64, priority int) string {
		e := telemetry.AlarmEvent{Event: telemetry.AlarmRaised, Drill: drill, Rule: rule, Title: rule, At: at, Raised: at, Priority: priority, ID: fmt.Sprintf("%s/%s/%d", drill, rule, at/sec)}
		events = append(events, e)
		if cleared != 0 {
			e.Event, e.At = telemetry.AlarmCleared, cleared
			events = append(events, e)
		}
		return e.ID
	}
	raise("RIG-01", "old", t0-hour, 0, 3) // stands for over a day: stale, not of the day
	// Twelve in ten minutes are a flood for one, none for two.
	for i := range int64(12) {
		raise(fmt.Sprintf("RIG-%02d", 10+i), "losses", t0+2*hour+i*sec, 0, 1)
	}
	// A chattering one: six times, ten minutes apart, five of them back within half an hour.
	var ids []string
	for i := range int64(6) {
		at := t0 + 5*hour + i*10*minute
		ids = append(ids, raise("RIG-03", "stick-slip", at, at+minute, 2))
	}
	e := telemetry.AlarmEvent{Event: telemetry.AlarmRaised, Drill: "RIG-03", Rule: "past", Raised: t0 + hour, At: t0 + hour, Origin: telemetry.Backfill, ID: fmt.Sprintf("RIG-03/past/%d", (t0+hour)/sec)}
	events = append(events, e)
	for i, v := range []string{"wrong", "wrong", "right"} {
		c := command("disposition", ids[i], t0+23*hour)
		c.Drill, c.Value = "RIG-03", v
		commands = append(commands, c)
	}
	all := alarmlife.Fold(events, commands, to)
	p := alarmlife.Perform(all, t0, to, 1)
	if p.Raised != 18 || p.Incidents != 18 || p.ByPriority != [3]int{12, 6, 0} || p.PerHour != 18.0/24 || len(p.Bins) != 144 || p.Most != 12 || p.Right != 1 || p.Wrong != 2 {
		t.Errorf("%+v", p)
	}
	if p.Chatter != 5 || p.Worst[0].Rule != "stick-slip" || p.Worst[0].Count != 6 || p.Worst[0].Back != 5 || len(p.Worst) != 10 || p.TopShare != 15.0/18 {
		t.Errorf("worst %+v, chatter %d, top %v", p.Worst, p.Chatter, p.TopShare)
	}
	if len(p.Stale) != 1 || p.Stale[0].Rule != "old" {
		t.Errorf("stale %v", p.Stale)
	}
	if len(p.Floods) != 1 || p.Floods[0].From != t0+2*hour || p.Floods[0].To != t0+2*hour+10*minute || p.Floods[0].Alarms != 12 || p.FloodShare != 1.0/144 {
		t.Errorf("floods %+v, %v of the time", p.Floods, p.FloodShare)
	}
	if two := alarmlife.Perform(all, t0, to, 2); len(two.Floods) != 0 || two.PerHour != p.PerHour/2 {
		t.Errorf("two operators: %+v", two)
	}
	if none := alarmlife.Perform(nil, t0, t0, 1); none.Raised != 0 || none.PerHour != 0 || len(none.Bins) != 1 {
		t.Errorf("%+v", none)
	}
}

func TestAFaultOverManyDrillsAtOnceIsOneWave(t *testing.T) {
	standing := func(n int, apart int64) []*alarmlife.Alarm {
		var events []telemetry.AlarmEvent
		for i := range int64(n) {
			at := t0 + i*apart
			e := telemetry.AlarmEvent{Event: telemetry.AlarmRaised, Drill: fmt.Sprintf("RIG-%02d", i), Rule: "losses", Title: "Losses", Raised: at, At: at, Priority: 2}
			e.ID = fmt.Sprintf("%s/losses/%d", e.Drill, at/sec)
			e.Incident = e.ID
			events = append(events, e)
		}
		return alarmlife.Fold(events, nil, t0+hour)
	}
	if w := alarmlife.Waves(standing(10, sec)); len(w) != 0 {
		t.Errorf("ten drills: %+v", w)
	}
	if w := alarmlife.Waves(standing(11, sec)); len(w) != 1 || w[0].Drills != 11 || w[0].Unanswered != 11 || w[0].Rule != "losses" || w[0].To != t0+10*sec || len(w[0].Incidents) != 11 {
		t.Errorf("eleven drills: %+v", w)
	}
	if w := alarmlife.Waves(standing(11, 601*sec)); len(w) != 0 {
		t.Errorf("over two hours: %+v", w)
	}
}
