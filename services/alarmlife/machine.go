package alarmlife

import (
	"fmt"
	"slices"

	"github.com/mudpulse/mudpulse/telemetry"
)

// A machine is one alarm's life but for what a rule's shelf and service say:
// testdata/transitions.txt, without the words before its bars.
type machine struct {
	process    string // Unack, Ack, RtnUnack, Returned; empty: not raised yet
	priority   int
	answered   int    // priority that somebody has answered; 0 none
	by         string // who
	suppressed int64  // since; 0 not
	past       bool   // of the past: pages nobody
}

// event takes what the detector says; false where it changes nothing, as a
// record that comes twice.
func (m *machine) event(e *telemetry.AlarmEvent) bool {
	if m.process == "" && e.Event != telemetry.AlarmRaised {
		return false
	}
	standing := m.process == Unack || m.process == Ack
	switch e.Event {
	case telemetry.AlarmRaised:
		if m.process != "" {
			return false
		}
		m.process, m.priority, m.past = Unack, e.Priority, e.Origin == telemetry.Backfill
		if m.past {
			m.process = Returned
		}
	case telemetry.AlarmAgain:
		switch {
		case standing || m.past:
			return false
		case m.answered == 0 || e.Priority >= telemetry.P1 && e.Priority < m.answered:
			m.process, m.answered, m.by = Unack, 0, ""
		default:
			m.process = Ack // who has the fault has it still
		}
		if e.Priority >= telemetry.P1 && e.Priority < m.priority {
			m.priority = e.Priority
		}
	case telemetry.AlarmEscalate:
		if !standing || e.Priority < telemetry.P1 || e.Priority >= m.priority {
			return m.past
		}
		m.priority = e.Priority
		if m.answered > m.priority { // what was answered was less than this
			m.process, m.answered, m.by = Unack, 0, ""
		}
	case telemetry.AlarmCleared:
		m.suppressed = 0
		switch m.process {
		case Unack:
			m.process = RtnUnack
		case Ack:
			m.process = Returned
		default:
			return m.past
		}
	case telemetry.AlarmSuppressed:
		if !standing || m.suppressed != 0 {
			return false
		}
		m.suppressed = e.At
	case telemetry.AlarmReleased:
		if m.suppressed == 0 {
			return false
		}
		m.suppressed = 0
	}
	return true
}

// command takes what somebody did to this alarm, and says why it is refused;
// empty: it is not. Commands of the rule's shelf and service are judged by rules.
func (m *machine) command(c *telemetry.Command, seen Seen) string {
	switch c.Kind {
	case CommandAck:
		saw := seen.Priority
		if saw == 0 {
			saw = m.priority
		}
		switch {
		case m.past || m.process == Returned:
			return "it is over; nobody needs to answer it"
		case m.answered != 0 && saw >= m.answered:
			return m.by + " has answered it"
		}
		if m.answered == 0 {
			m.by = c.By
		}
		m.answered = saw
		switch {
		case saw > m.priority: // it has become worse than what was seen
			m.answered, m.by = 0, ""
			return "it has become more urgent than what was seen"
		case m.process == RtnUnack:
			m.process = Returned
		default:
			m.process = Ack
		}
	case CommandDisposition:
		if !slices.Contains(Dispositions, c.Value) {
			return fmt.Sprintf("%q is none of right, wrong, unsure", c.Value)
		}
	case CommandNote:
		if c.Text == "" {
			return "the note is empty"
		}
	}
	return ""
}

// service is a rule's shelf and service at one drill: commands of any of its alarms.
type service struct {
	shelf *telemetry.Command // the last that was not taken off; it may be over
	out   *telemetry.Command
}

// command takes one command at its time; process is what its alarm was then,
// empty where no alarm is known.
func (s *service) command(c *telemetry.Command, at int64, process string) string {
	switch c.Kind {
	case CommandShelve:
		switch {
		case s.out != nil:
			return "it is out of service since " + s.out.By + " took it out"
		case process == Returned:
			return "it is over; there is nothing to shelve"
		case c.Text == "":
			return "no reason is given"
		case shelfEnd(c) <= c.At:
			return "its end is not after its beginning"
		}
		s.shelf = c
	case CommandUnshelve:
		if s.shelf == nil || at >= shelfEnd(s.shelf) {
			return "it is not on the shelf"
		}
		s.shelf = nil
	case CommandTakeOut:
		switch {
		case s.out != nil:
			return "it is out of service already, by " + s.out.By
		case c.Text == "":
			return "no reason is given"
		}
		s.out = c
	case CommandPutBack:
		if s.out == nil {
			return "it is in service"
		}
		s.out = nil
	}
	return ""
}

func shelfEnd(c *telemetry.Command) int64 { return min(c.Until, c.At+int64(MaxShelve)) }

// ofRule reports whether a command is of a rule at a drill, not of one alarm alone.
func ofRule(kind string) bool {
	return kind == CommandShelve || kind == CommandUnshelve || kind == CommandTakeOut || kind == CommandPutBack
}
