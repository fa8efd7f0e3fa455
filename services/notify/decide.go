package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// An Item is one thing told of one alarm.
type Item struct {
	Event    string    `json:"event"` // raised, escalate (its priority rose), cleared, unacknowledged
	Alarm    string    `json:"alarm"`
	Incident string    `json:"incident,omitempty"` // id of the first alarm of its fault
	Drill    string    `json:"drill"`
	Priority int       `json:"priority"`
	Title    string    `json:"title"`
	Reason   string    `json:"reason"`
	Advice   string    `json:"advice"`
	Raised   time.Time `json:"raised"`
	Rule     string    `json:"rule"`
	Runs     []string  `json:"runs,omitempty"` // of the parts in place
	Link     string    `json:"link,omitempty"` // to the drill's page, where the setting url says where that is
}

func itemOf(e *telemetry.AlarmEvent) Item {
	return Item{Event: e.Event, Alarm: e.ID, Incident: e.Incident, Drill: e.Drill, Priority: e.Priority, Title: e.Title, Reason: e.Reason, Advice: e.Advice, Raised: time.Unix(0, e.Raised).UTC(), Rule: e.Rule, Runs: e.Runs}
}

// planned is one item for one target: at once, or in a digest.
type planned struct {
	target string
	kind   string
	due    time.Time
	key    string // deliveries of the same are one message
	item   Item
}

// Tour is the day's tour, in minutes of rig-local time.
type Tour struct{ Start, End int }

// tells reports whether a rule is for an alarm.
func (r *NotifyRule) tells(i *Item, raised time.Time, tour Tour) bool {
	if r.Off || len(r.Priorities) > 0 && !slices.Contains(r.Priorities, i.Priority) {
		return false
	}
	if len(r.Drills) > 0 && !slices.ContainsFunc(r.Drills, func(d string) bool { ok, _ := path.Match(d, i.Drill); return ok }) {
		return false
	}
	if r.Tour != "" {
		m := raised.Hour()*60 + raised.Minute()
		if within(m, tour.Start, tour.End) != (r.Tour == "day") {
			return false
		}
	}
	return true
}

// within reports whether a minute of the day lies in [from, to), perhaps over midnight.
func within(m, from, to int) bool {
	if from <= to {
		return m >= from && m < to
	}
	return m >= from || m < to
}

// decide says to whom an item goes and when. now is wall time, local the rig's
// clock of the same moment, raised when the alarm was raised by the rig's clock. Of several rules for one target the earliest counts.
func (s *NotifySettings) decide(i Item, now, local, raised time.Time, tour Tour) []planned {
	var out []planned
	for k := range s.Rules {
		r := &s.Rules[k]
		if !r.tells(&i, raised, tour) || i.Event == telemetry.AlarmCleared && !r.Cleared {
			continue
		}
		kind, due := "alarm", now
		if i.Priority != telemetry.P1 {
			if r.DigestMin > 0 {
				every := time.Duration(r.DigestMin) * time.Minute
				kind, due = "digest", now.Truncate(every).Add(every)
			}
			if r.QuietFrom != "" {
				from, _ := minuteOf(r.QuietFrom) // was validated
				to, _ := minuteOf(r.QuietTo)
				at := local.Add(due.Sub(now))
				if m := at.Hour()*60 + at.Minute(); within(m, from, to) {
					left := (to - m + 1440) % 1440
					kind, due = "digest", due.Add(time.Duration(left)*time.Minute).Truncate(time.Minute)
				}
			}
		}
		for _, t := range r.Targets {
			p := planned{target: t, kind: kind, due: due, item: i}
			p.key = i.Alarm + "\x00" + i.Event + "\x00" + strconv.Itoa(i.Priority)
			if kind == "digest" {
				p.key = "digest\x00" + strconv.FormatInt(due.UnixNano(), 10)
			}
			if n := slices.IndexFunc(out, func(o planned) bool { return o.target == t }); n >= 0 {
				if due.Before(out[n].due) {
					out[n] = p
				}
				continue
			}
			out = append(out, p)
		}
	}
	return out
}

// hash names a thing for ever.
func hash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

var marks = [...]string{"", "◆ act now", "▲ this tour", "■ plan"}

func mark(p int) string {
	if p < 1 || p > 3 {
		return ""
	}
	return marks[p]
}

// A Message is what one delivery says.
type Message struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind"`             // alarm, escalation, digest, test
	Thread  string    `json:"thread,omitempty"` // id of the first message of the same incident, where this follows it
	Created time.Time `json:"created"`
	Items   []Item    `json:"items"`
	Subject string    `json:"subject"`
}

func (m *Message) subject() string {
	switch {
	case m.Kind == "test":
		return "mudpulse: a test"
	case len(m.Items) == 0:
		return "mudpulse"
	case len(m.Items) > 1:
		return fmt.Sprintf("mudpulse: %d alarms", len(m.Items))
	}
	i := m.Items[0]
	what := map[string]string{telemetry.AlarmCleared: "returned: ", telemetry.AlarmEscalate: "worse: ", "unacknowledged": "nobody has answered: "}[i.Event]
	return fmt.Sprintf("%s · %s: %s%s", mark(i.Priority), i.Drill, what, i.Title)
}

// text is the body of a mail.
func (m *Message) text() string {
	var b strings.Builder
	if m.Kind == "test" {
		b.WriteString("This is a test. Mail from mudpulse arrives here.\n")
	}
	for k, i := range m.Items {
		if k > 0 {
			b.WriteString("\n----\n\n")
		}
		fmt.Fprintf(&b, "%s  %s  %s\n%s, raised %s\n", mark(i.Priority), i.Drill, i.Title, i.Event, i.Raised.Format("2006-01-02 15:04:05 UTC"))
		for _, line := range []string{i.Reason, i.Advice} {
			if line != "" {
				b.WriteString("\n" + line + "\n")
			}
		}
		if len(i.Runs) > 0 {
			fmt.Fprintf(&b, "\nin place: %s\n", strings.Join(i.Runs, ", "))
		}
		if i.Link != "" {
			fmt.Fprintf(&b, "\n%s\n", i.Link)
		}
		fmt.Fprintf(&b, "\n%s\n", i.Alarm)
	}
	return b.String()
}
