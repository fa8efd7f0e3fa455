package alarmlife_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/services/alarmlife"
	"github.com/mudpulse/mudpulse/telemetry"
)

var update = flag.Bool("update", false, "write testdata/transitions.txt anew")

// life plays inputs to one alarm and keeps what it played, to play it again.
type life struct {
	now      int64
	events   []telemetry.AlarmEvent
	commands []telemetry.Command
	book     *alarmlife.Book
}

func newLife() *life {
	l := &life{now: t0}
	l.book = alarmlife.NewBook(func() int64 { return l.now })
	return l
}

// inputs in the order of the table's lines. Of each alarm's priority 2 alone is used, but for escalate.
var inputs = []string{"raised", "again", "escalate", "cleared", "suppressed", "released", "amended", "context",
	"ack", "shelve", "unshelve", "out_of_service", "in_service", "note", "disposition", "shelf ends"}

// give plays one input a second after the one before, and returns the command's refusal.
func (l *life) give(input string) string {
	l.now += sec
	w := id("washout", t0)
	switch input {
	case "shelf ends":
		l.now += 2 * hour
		l.book.Pass()
		return ""
	case "raised", "again", "escalate", "cleared", "suppressed", "released", "amended", "context":
		p := 2
		if input == "escalate" {
			p = 1
		}
		e := event(input, "washout", t0, l.now, p)
		if input == "raised" {
			e.At, e.Reason = t0, "it leaks" // the same record whenever it comes
		}
		l.events = append(l.events, e)
		l.book.Event(e)
		return ""
	}
	c := telemetry.Command{ID: fmt.Sprintf("c%04d", len(l.commands)), Kind: input, Drill: "RIG-07", Alarm: w, By: "mara", At: l.now, Text: "why"}
	switch input {
	case "shelve":
		c.Until = l.now + hour
	case "disposition":
		c.Value = "right"
	}
	why := l.book.Refuses(c)
	l.commands = append(l.commands, c)
	l.book.Command(c)
	return why
}

// state is where the alarm stands, what lies over it first.
func (l *life) state() string {
	a, ok := l.book.Get(id("washout", t0))
	if !ok {
		return "none"
	}
	s := ""
	if a.OutAt != 0 {
		s += "out of service, "
	}
	if a.SuppressedAt != 0 {
		s += "suppressed, "
	}
	if a.ShelvedUntil != 0 {
		s += "shelved, "
	}
	return s + a.Process
}

// states lists how each state is reached.
func states() (names []string, way map[string][]string) {
	way = map[string][]string{}
	add := func(name string, inputs ...string) {
		names = append(names, name)
		way[name] = inputs
	}
	add("none")
	add("returned", "raised", "ack", "cleared")
	for _, p := range [][]string{{"unack"}, {"ack", "ack"}, {"rtn_unack", "cleared"}} {
		process, then := p[0], p[1:]
		for over := range 8 {
			if process == "rtn_unack" && over&2 != 0 {
				continue // what has come back is not held back any more
			}
			name, inputs := "", []string{"raised"}
			if over&1 != 0 {
				inputs = append(inputs, "shelve")
			}
			inputs = append(inputs, then...)
			if over&2 != 0 {
				inputs = append(inputs, "suppressed")
			}
			if over&4 != 0 {
				inputs = append(inputs, "out_of_service")
				name += "out of service, "
			}
			if over&2 != 0 {
				name += "suppressed, "
			}
			if over&1 != 0 {
				name += "shelved, "
			}
			add(name+process, inputs...)
		}
	}
	return names, way
}

func TestTheTransitionTableHoldsInEveryCell(t *testing.T) {
	names, way := states()
	var out strings.Builder
	out.WriteString("# ISA-18.2: what becomes of an alarm in each state, by each input; '= ' nothing changes. Written by -update, read by people.\n")
	cells := 0
	for _, name := range names {
		fmt.Fprintf(&out, "\n%s\n", name)
		for _, input := range inputs {
			l := newLife()
			for _, in := range way[name] {
				if why := l.give(in); why != "" {
					t.Fatalf("%s: %s is refused: %s", name, in, why)
				}
			}
			if got := l.state(); got != name {
				t.Fatalf("%s: its way leads to %s", name, got)
			}
			before, _ := l.book.Get(id("washout", t0))
			why := l.give(input)
			cell := l.state()
			switch {
			case why != "" && cell != name:
				t.Errorf("%s, %s: is refused (%s), and yet leads to %s", name, input, why, cell)
			case why != "":
				cell = "refused: " + why
				if a, ok := l.book.Get(id("washout", t0)); ok {
					last := a.History[len(a.History)-1]
					if last.Kind != "refused" || last.Text != input+": "+why {
						t.Errorf("%s, %s: the refusal is not in the history: %+v", name, input, last)
					}
					if before.Status != a.Status || before.AckedBy != a.AckedBy || before.Note != a.Note || before.Disposition != a.Disposition || before.ShelvedUntil != a.ShelvedUntil {
						t.Errorf("%s, %s: refused, and yet it changed\n%+v\n%+v", name, input, before, a)
					}
				}
			case cell == name:
				cell = "="
			}
			fmt.Fprintf(&out, "    %-15s %s\n", input, cell)
			again(t, name+", "+input, l)
			cells++
		}
	}
	if cells != len(names)*len(inputs) || len(names) < 20 {
		t.Errorf("%d cells", cells)
	}
	golden(t, "testdata/transitions.txt", out.String())
}

// again checks that a restart, which replays everything, twice and in any order
// of the topics, leads to where the alarm stands.
func again(t *testing.T, name string, l *life) {
	t.Helper()
	stands := func(b *alarmlife.Book) []*alarmlife.Alarm { return b.All(func(*alarmlife.Alarm) bool { return true }) }
	want := stands(l.book)
	for try := range 4 {
		b := alarmlife.NewBook(func() int64 { return l.now })
		r := rand.New(rand.NewPCG(uint64(try), 3))
		for range 2 {
			for _, i := range r.Perm(len(l.events) + len(l.commands)) {
				if i < len(l.events) {
					b.Event(l.events[i])
				} else {
					b.Command(l.commands[i-len(l.events)])
				}
			}
		}
		b.Pass()
		if got := stands(b); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: played again it is another:\n%+v\n%+v", name, got, want)
		}
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what is written there; -update writes it anew. Got\n%s", path, got)
	}
}

func TestARuleIsTakenOutOfServiceBeforeItEverSpoke(t *testing.T) {
	l := newLife()
	c := telemetry.Command{ID: "x", Kind: alarmlife.CommandTakeOut, Drill: "RIG-07", Alarm: alarmlife.RuleID("RIG-07", "washout"), By: "mara", At: t0 - hour, Text: "sensor is at the shop"}
	if why := l.book.Refuses(c); why != "" {
		t.Fatal(why)
	}
	l.book.Command(c)
	l.book.Command(c)
	if out := l.book.OutOfService(); len(out) != 1 || out[0] != (alarmlife.Service{Drill: "RIG-07", Rule: "washout", By: "mara", Reason: "sensor is at the shop", Since: t0 - hour}) {
		t.Errorf("%+v", out)
	}
	l.give("raised")
	if a, _ := l.book.Get(id("washout", t0)); a == nil || a.Status != alarmlife.OutOfService || a.OutReason != "sensor is at the shop" || a.Standing() {
		t.Errorf("%+v", a)
	}
	c.ID, c.Kind, c.At = "y", alarmlife.CommandPutBack, l.now
	l.book.Command(c)
	if got := l.state(); got != "unack" || len(l.book.OutOfService()) != 0 {
		t.Errorf("%s, %v", got, l.book.OutOfService())
	}
	if why := l.book.Refuses(telemetry.Command{ID: "z", Kind: alarmlife.CommandTakeOut, Drill: "RIG-07", Alarm: c.Alarm, By: "mara", At: l.now}); why != "no reason is given" {
		t.Error(why)
	}
}

func TestACommandComesAfterWhatItsPersonSaw(t *testing.T) {
	l := newLife()
	l.give("raised")
	l.give("escalate")
	a, _ := l.book.Get(id("washout", t0))
	// The office's clock is a minute behind the rig's.
	l.book.Command(command("ack", a.ID, a.Changed-60*sec, saw(a.Priority), func(c *telemetry.Command) { c.Detail = []byte(fmt.Sprintf(`{"priority":1,"at":"%d"}`, a.Changed)) }))
	if got := l.state(); got != "ack" {
		t.Errorf("%s", got)
	}
	if a, _ = l.book.Get(a.ID); a.Priority != 1 || a.AckedBy != "mara" {
		t.Errorf("%+v", a)
	}
}

func TestWhoAnswersSecondIsToldWhoHasIt(t *testing.T) {
	l := newLife()
	l.give("raised")
	w := id("washout", t0)
	l.book.Command(command("ack", w, t0+5*sec))
	second := command("ack", w, t0+6*sec)
	second.By = "jo"
	if why := l.book.Refuses(second); why != "mara has answered it" {
		t.Error(why)
	}
	l.book.Command(second)
	a, _ := l.book.Get(w)
	if a.AckedBy != "mara" || a.AckedAt != t0+5*sec || a.History[2].Kind != "refused" || a.History[2].By != "jo" {
		t.Errorf("%+v", a.History)
	}
}
