package alarmlife

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/mudpulse/mudpulse/telemetry"
)

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
	list, ok := insertCommand(r.commands, c)
	r.commands = list
	return ok
}

// last is when the last that is known of the alarm happened.
func (r *record) last() (at int64) {
	if n := len(r.events); n > 0 {
		at = r.events[n-1].At
	}
	if n := len(r.commands); n > 0 {
		at = max(at, effective(&r.commands[n-1]))
	}
	return at
}

// insertCommand puts c into its place; false where it is there, or older than all that is kept.
func insertCommand(list []telemetry.Command, c telemetry.Command) ([]telemetry.Command, bool) {
	i, found := slices.BinarySearchFunc(list, c, compareCommands)
	if found {
		return list, false
	}
	if len(list) >= maxCommands {
		if i == 0 {
			return list, false
		}
		list = slices.Delete(list, 0, 1)
		i--
	}
	return slices.Insert(list, i, c), true
}

// rank orders steps of the same time.
func rank(event string) int {
	return slices.Index([]string{telemetry.AlarmRaised, telemetry.AlarmAgain, telemetry.AlarmEscalate, telemetry.AlarmAmended, telemetry.AlarmContext,
		telemetry.AlarmReleased, telemetry.AlarmSuppressed, telemetry.AlarmCleared}, event)
}

func compareEvents(a, b telemetry.AlarmEvent) int {
	return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(rank(a.Event), rank(b.Event)), cmp.Compare(b.Priority, a.Priority))
}

func compareCommands(a, b telemetry.Command) int {
	return cmp.Or(cmp.Compare(effective(&a), effective(&b)), cmp.Compare(a.ID, b.ID))
}

// seen is what c says its person saw.
func seen(c *telemetry.Command) Seen {
	var s Seen
	if len(c.Detail) == 0 || json.Unmarshal(c.Detail, &s) != nil {
		return Seen{}
	}
	return s
}

// effective is the time at which c counts: not before its alarm was raised, nor
// before what its person had seen of it.
func effective(c *telemetry.Command) int64 {
	_, _, raised, err := ParseID(c.Alarm)
	if err != nil {
		raised = 0
	}
	return max(c.At, raised, seen(c).At)
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

// live runs the alarm's life up to the command until (nil: to its end), telling
// each step; a step of the detector has no command.
func (r *record) live(until *telemetry.Command, tell func(m *machine, e *telemetry.AlarmEvent, c *telemetry.Command, refused string)) machine {
	var m machine
	end := int64(0)
	if until != nil {
		end = effective(until)
	}
	e, c := 0, 0
	for e < len(r.events) || c < len(r.commands) {
		if c == len(r.commands) || e < len(r.events) && r.events[e].At <= effective(&r.commands[c]) {
			if until != nil && r.events[e].At > end {
				return m
			}
			if x := &r.events[e]; m.event(x) && tell != nil {
				tell(&m, x, nil, "")
			}
			e++
			continue
		}
		x := &r.commands[c]
		if until != nil && compareCommands(*x, *until) >= 0 {
			return m
		}
		refused := ""
		if m.process != "" {
			refused = m.command(x, seen(x))
		}
		if tell != nil {
			tell(&m, nil, x, refused)
		}
		c++
	}
	return m
}

// A judged command of a rule, and why it was refused; empty: it was not.
type judged struct {
	*telemetry.Command
	refused string
}

// fold makes what stands at now out of all that is known; ok is false while the
// alarm itself has not come. rule are the commands of its drill and rule, its
// own and other alarms'.
func (r *record) fold(rule []judged, now int64) (a Alarm, ok bool) {
	first := r.raisedEvent()
	if first == nil {
		return a, false
	}
	a = Alarm{AlarmEvent: *first}
	step := func(s Step) {
		a.History, a.Changed = append(a.History, s), max(a.Changed, s.At)
	}
	m := r.live(nil, func(m *machine, e *telemetry.AlarmEvent, c *telemetry.Command, refused string) {
		if e != nil {
			r.tellEvent(&a, e, step)
			if m.by == "" {
				a.AckedBy, a.AckedAt = "", 0
			}
			return
		}
		s := Step{At: c.At, By: c.By, Kind: c.Kind, Text: c.Text}
		if ofRule(c.Kind) {
			for _, j := range rule {
				if j.ID == c.ID {
					refused = j.refused
				}
			}
		}
		switch {
		case refused != "":
			s.Kind, s.Text = "refused", c.Kind+": "+refused
		case c.Kind == CommandAck:
			if a.AckedBy == "" {
				a.AckedBy, a.AckedAt = c.By, c.At
			}
		case c.Kind == CommandNote:
			a.Note = c.Text
		case c.Kind == CommandDisposition:
			a.Disposition, s.Text = c.Value, cmp.Or(c.Text, c.Value)
		case !ofRule(c.Kind):
			return // of a newer program
		}
		step(s)
	})
	slices.SortStableFunc(a.History, func(x, y Step) int { return cmp.Compare(x.At, y.At) })
	a.Priority, a.Status, a.Process, a.SuppressedAt = m.priority, m.process, m.process, m.suppressed
	if a.Status == Returned {
		a.SuppressedAt = 0
		return a, true
	}
	if m.suppressed != 0 {
		a.Status = Suppressed
	}
	r.serve(&a, rule, now)
	return a, true
}

// tellEvent writes what the detector said into a.
func (r *record) tellEvent(a *Alarm, e *telemetry.AlarmEvent, step func(Step)) {
	s := Step{At: e.At, Kind: e.Event}
	switch e.Event {
	case telemetry.AlarmRaised:
		s.Text = e.Reason
	case telemetry.AlarmAgain:
		a.Returns++
		a.Cleared = 0
		s.Text = e.Reason
	case telemetry.AlarmEscalate:
		a.Reason, a.Value, a.Limit = cmp.Or(e.Reason, a.Reason), e.Value, e.Limit
		a.Advice = cmp.Or(e.Advice, a.Advice)
		if e.TimeLeft > 0 {
			a.TimeLeft = e.TimeLeft
		}
		s.Text = e.Reason
	case telemetry.AlarmAmended:
		a.Amended, s.Text = true, e.Reason
	case telemetry.AlarmContext:
		return // readings of the minutes after: evidence, no step
	case telemetry.AlarmCleared:
		a.Cleared = e.At
	}
	step(s)
}

// serve sets a aside where the last word on its drill and rule says so: itself,
// and one raised again while the shelf holds.
func (r *record) serve(a *Alarm, rule []judged, now int64) {
	var shelf, out *telemetry.Command
	for _, j := range rule {
		if j.refused != "" {
			continue
		}
		switch j.Kind {
		case CommandShelve:
			if j.Alarm != a.ID && a.Raised >= shelfEnd(j.Command) {
				continue // over before this one came
			}
			shelf = j.Command
		case CommandUnshelve:
			shelf = nil
		case CommandTakeOut:
			out = j.Command
		case CommandPutBack:
			out = nil
		}
	}
	if shelf != nil && now < shelfEnd(shelf) {
		a.ShelvedBy, a.ShelvedUntil, a.ShelveReason = shelf.By, shelfEnd(shelf), shelf.Text
		if a.Status != Suppressed {
			a.Status = Shelved
		}
	}
	if out != nil {
		a.Status, a.OutBy, a.OutAt, a.OutReason = OutOfService, out.By, out.At, out.Text
	}
}
