// Package alarmlife folds what detectors say of alarms and what people do to
// them into what stands now, after ISA-18.2: unacknowledged, acknowledged,
// returned unacknowledged, returned, shelved. Events and commands are two
// topics without an order between them, both replayed after a restart: the fold
// gives the same whatever the interleaving, and the same again.
package alarmlife

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// What an alarm's status can be.
const (
	Unack    = "unack"     // stands, nobody has answered
	Ack      = "ack"       // stands, somebody has
	RtnUnack = "rtn_unack" // came back to normal before anybody answered
	Returned = "returned"  // came back, answered; or of the past
	Shelved  = "shelved"   // set aside by somebody, until a time
)

// Kinds of telemetry.Command.
const (
	CommandAck         = "ack"
	CommandShelve      = "shelve"
	CommandUnshelve    = "unshelve"
	CommandNote        = "note"
	CommandDisposition = "disposition"
)

// MaxShelve is the longest that an alarm may be set aside.
const MaxShelve = 12 * time.Hour

// Bounds of what one alarm keeps; of more, the oldest go.
const (
	maxEvents   = 200
	maxCommands = 200
)

// An Alarm is what stands now. All times are Unix ns, 0 where not yet.
type Alarm struct {
	telemetry.AlarmEvent        // as raised, with priority and text of its last escalation
	Cleared              int64  // came back to normal
	Status               string // Unack, …
	Amended              bool   // late data changed what it rests on
	AckedBy              string
	AckedAt              int64
	ShelvedBy            string
	ShelvedUntil         int64
	ShelveReason         string
	Note                 string // the last one
	Disposition          string // right, wrong, unsure; empty: nobody has judged
	History              []Step // ascending
	Changed              int64  // time of the last step
}

// Standing reports whether the alarm's condition holds or nobody has answered it.
func (a *Alarm) Standing() bool { return a.Status == Unack || a.Status == Ack || a.Status == RtnUnack }

// A Step is one thing that happened to an alarm.
type Step struct {
	At   int64
	By   string // a person; empty: the detector
	Kind string // raised, cleared, ack, …
	Text string
}

// Seen is what a person saw when acknowledging; Command.Detail of CommandAck. An
// acknowledgement of ▲ does not cover the ◆ that it became meanwhile.
type Seen struct {
	Priority int `json:"priority"`
}

// ParseID takes apart drill/rule/raised-second.
func ParseID(id string) (drill, rule string, raised int64, err error) {
	parts := strings.Split(id, "/")
	if len(parts) == 3 {
		raised, err = strconv.ParseInt(parts[2], 10, 64)
	}
	if len(parts) != 3 || err != nil || parts[0] == "" || parts[1] == "" {
		return "", "", 0, fmt.Errorf("alarm id %q: want drill/rule/second, for example RIG-07/washout/1795342364", id)
	}
	return parts[0], parts[1], raised * int64(time.Second), nil
}

// record is all that is known of one alarm.
type record struct {
	events   []telemetry.AlarmEvent // one per (event, at), ascending
	commands []telemetry.Command    // one per id, ascending
}

func (r *record) addEvent(e telemetry.AlarmEvent) bool {
	i, found := slices.BinarySearchFunc(r.events, e, compareEvents)
	if found {
		r.events[i] = e // the last record of a step counts
		return true
	}
	if len(r.events) >= maxEvents {
		if i <= 1 {
			return false
		}
		r.events = slices.Delete(r.events, 1, 2) // the first tells of the raising
		i--
	}
	r.events = slices.Insert(r.events, i, e)
	return true
}

func (r *record) addCommand(c telemetry.Command) bool {
	i, found := slices.BinarySearchFunc(r.commands, c, compareCommands)
	if found {
		return false
	}
	if len(r.commands) >= maxCommands {
		if i == 0 {
			return false
		}
		r.commands = slices.Delete(r.commands, 0, 1)
		i--
	}
	r.commands = slices.Insert(r.commands, i, c)
	return true
}

// rank orders steps of the same time.
func rank(event string) int {
	return slices.Index([]string{telemetry.AlarmRaised, telemetry.AlarmEscalate, telemetry.AlarmAmended, telemetry.AlarmContext, telemetry.AlarmCleared}, event)
}

func compareEvents(a, b telemetry.AlarmEvent) int {
	return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(rank(a.Event), rank(b.Event)), cmp.Compare(b.Priority, a.Priority))
}

func compareCommands(a, b telemetry.Command) int {
	return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID))
}

// raisedEvent returns the step that raised the alarm, or nil while only later ones came.
func (r *record) raisedEvent() *telemetry.AlarmEvent {
	for i := range r.events {
		if r.events[i].Event == telemetry.AlarmRaised {
			return &r.events[i]
		}
	}
	return nil
}

// fold makes what stands at now out of all that is known; ok is false while the
// alarm itself has not come. shelves are the shelving commands for its drill and
// rule, ascending, this alarm's own and other alarms'.
func (r *record) fold(shelves []telemetry.Command, now int64) (a Alarm, ok bool) {
	first := r.raisedEvent()
	if first == nil {
		return a, false
	}
	a = Alarm{AlarmEvent: *first}
	for i := range r.events {
		e := &r.events[i]
		step := Step{At: e.At, Kind: e.Event}
		switch e.Event {
		case telemetry.AlarmRaised:
			step.Text = e.Reason
		case telemetry.AlarmEscalate:
			if e.Priority >= telemetry.P1 && e.Priority < a.Priority {
				a.Priority = e.Priority
			}
			a.Reason, a.Value, a.Limit = cmp.Or(e.Reason, a.Reason), e.Value, e.Limit
			a.Advice = cmp.Or(e.Advice, a.Advice)
			if e.TimeLeft > 0 {
				a.TimeLeft = e.TimeLeft
			}
			step.Text = e.Reason
		case telemetry.AlarmAmended:
			a.Amended, step.Text = true, e.Reason
		case telemetry.AlarmContext:
			continue // readings of the minutes after: evidence, no step
		case telemetry.AlarmCleared:
			a.Cleared = e.At
		}
		a.History, a.Changed = append(a.History, step), max(a.Changed, e.At)
	}
	acked := 0 // priority that was answered, 0 none
	for i := range r.commands {
		c := &r.commands[i]
		step := Step{At: c.At, By: c.By, Kind: c.Kind, Text: c.Text}
		switch c.Kind {
		case CommandAck:
			seen := Seen{Priority: first.Priority}
			if len(c.Detail) > 0 && json.Unmarshal(c.Detail, &seen) != nil {
				seen.Priority = first.Priority
			}
			if acked == 0 || seen.Priority < acked { // who answered first has it
				acked, a.AckedBy, a.AckedAt = seen.Priority, c.By, c.At
			}
		case CommandNote:
			a.Note = c.Text
		case CommandDisposition:
			a.Disposition, step.Text = c.Value, cmp.Or(c.Text, c.Value)
		case CommandShelve, CommandUnshelve: // what they do is in shelves
		default:
			continue // of a newer program
		}
		a.History, a.Changed = append(a.History, step), max(a.Changed, c.At)
	}
	slices.SortStableFunc(a.History, func(x, y Step) int { return cmp.Compare(x.At, y.At) })
	if acked > a.Priority { // it has become worse since
		a.AckedBy, a.AckedAt, acked = "", 0, 0
	}
	switch {
	case a.Origin == telemetry.Backfill:
		a.Status = Returned // of the past: pages nobody
	case a.Cleared == 0 && acked > 0:
		a.Status = Ack
	case a.Cleared == 0:
		a.Status = Unack
	case acked > 0:
		a.Status = Returned
	default:
		a.Status = RtnUnack
	}
	r.shelve(&a, shelves, now)
	return a, true
}

// shelve sets a aside where the last word on its drill and rule says so: itself,
// and one raised again while the shelf holds.
func (r *record) shelve(a *Alarm, shelves []telemetry.Command, now int64) {
	if a.Origin == telemetry.Backfill || a.Status == Returned {
		return
	}
	var last *telemetry.Command
	for i := range shelves {
		c := &shelves[i]
		if c.Kind == CommandShelve && c.Alarm != a.ID && a.Raised >= c.Until {
			continue // over before this one came
		}
		last = c
	}
	if last == nil || last.Kind != CommandShelve {
		return
	}
	until := min(last.Until, last.At+int64(MaxShelve))
	if now >= until {
		return
	}
	a.Status, a.ShelvedBy, a.ShelvedUntil, a.ShelveReason = Shelved, last.By, until, last.Text
}
