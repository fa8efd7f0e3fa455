package alarmlife

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/mudpulse/mudpulse/telemetry"
)

// KeepReturned bounds the alarms in a Book that nobody needs to see any more;
// of more, those that changed longest ago go. Older ones are asked of the store.
const KeepReturned = 5000

// maxWaiting bounds alarms of which only commands or later steps have come; of
// more, those that were last heard of longest ago go: their alarms are long past.
const maxWaiting = 10000

// A Book holds the alarms of the present; safe for concurrent use.
type Book struct {
	mu      sync.RWMutex
	records map[string]*record             // by alarm id
	now     map[string]*Alarm              // folded; never changed, only replaced
	rules   map[string][]telemetry.Command // of shelf and service, by drill/rule, ascending
	byRule  map[string]map[string]bool     // drill/rule → alarm ids
	shelved map[string]bool                // alarm ids, to be looked at when time passes
	clock   func() int64                   // Unix ns, process clock
	keep    int                            // returned alarms
	over    int                            // alarms in now that have returned
}

// NewBook returns an empty book; now gives the process clock in Unix ns.
func NewBook(now func() int64) *Book {
	return &Book{
		records: map[string]*record{}, now: map[string]*Alarm{}, rules: map[string][]telemetry.Command{},
		byRule: map[string]map[string]bool{}, shelved: map[string]bool{}, clock: now, keep: KeepReturned,
	}
}

// Event takes one step of an alarm and returns the alarms that changed.
func (b *Book) Event(e telemetry.AlarmEvent) []*Alarm {
	drill, rule, _, err := ParseID(e.ID)
	if err != nil || drill != e.Drill {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.record(e.ID, drill+"/"+rule).addEvent(e) {
		return nil
	}
	if key := drill + "/" + rule; len(b.rules[key]) > 0 { // what its commands were given on has changed
		return b.refold(b.ofRule(key)...)
	}
	return b.refold(e.ID)
}

// Command takes what somebody did and returns the alarms that changed.
func (b *Book) Command(c telemetry.Command) []*Alarm {
	drill, rule, raised, err := ParseID(c.Alarm)
	if err != nil || drill != c.Drill {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	key := drill + "/" + rule
	if raised != 0 {
		if !b.record(c.Alarm, key).addCommand(c) {
			return nil
		}
	}
	if !ofRule(c.Kind) {
		return b.refold(c.Alarm)
	}
	list, ok := insertCommand(b.rules[key], c)
	if !ok {
		return nil
	}
	b.rules[key] = list
	return b.refold(b.ofRule(key)...)
}

// ofRule lists the alarms of a drill's rule.
func (b *Book) ofRule(key string) []string {
	ids := make([]string, 0, len(b.byRule[key]))
	for id := range b.byRule[key] {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// judge goes through the commands of a drill's rule. A command is judged by what
// its alarm was when it was given.
func (b *Book) judge(key string) ([]judged, service) {
	list := b.rules[key]
	if len(list) == 0 {
		return nil, service{}
	}
	out := make([]judged, len(list))
	var s service
	for i := range list {
		c, process := &list[i], ""
		if r := b.records[c.Alarm]; r != nil {
			process = r.live(c, nil).process
		}
		out[i] = judged{c, s.command(c, effective(c), process)}
	}
	return out, s
}

// A Service is a rule that somebody took out of service at a drill.
type Service struct {
	Drill, Rule, By, Reason string
	Since                   int64 // Unix ns
}

// OutOfService lists what is out of service, by drill and rule.
func (b *Book) OutOfService() []Service {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var out []Service
	for key := range b.rules {
		if _, s := b.judge(key); s.out != nil {
			drill, rule, _ := strings.Cut(key, "/")
			out = append(out, Service{drill, rule, s.out.By, s.out.Text, s.out.At})
		}
	}
	slices.SortFunc(out, func(x, y Service) int { return cmp.Or(cmp.Compare(x.Drill, y.Drill), cmp.Compare(x.Rule, y.Rule)) })
	return out
}

// Refuses says why a command would be refused if it were given now; empty: it would not.
func (b *Book) Refuses(c telemetry.Command) string {
	drill, rule, _, err := ParseID(c.Alarm)
	if err != nil {
		return err.Error()
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	m := machine{}
	if r := b.records[c.Alarm]; r != nil {
		m = r.live(nil, nil)
	}
	if ofRule(c.Kind) {
		_, s := b.judge(drill + "/" + rule)
		return s.command(&c, effective(&c), m.process)
	}
	if m.process == "" {
		return "no such alarm has been raised"
	}
	return m.command(&c, seen(&c))
}

// Pass looks at what time alone changes: shelves that end. It returns what changed.
func (b *Book) Pass() []*Alarm {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock()
	var over []string
	for id := range b.shelved {
		if a := b.now[id]; a == nil || now >= a.ShelvedUntil {
			over = append(over, id)
		}
	}
	return b.refold(over...)
}

// Get returns one alarm; the alarm must not be changed.
func (b *Book) Get(id string) (*Alarm, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	a, ok := b.now[id]
	return a, ok
}

// All returns the alarms that keep says yes to, in no order.
func (b *Book) All(keep func(*Alarm) bool) []*Alarm {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var out []*Alarm
	for _, a := range b.now {
		if keep(a) {
			out = append(out, a)
		}
	}
	return out
}

func (b *Book) record(id, key string) *record {
	if r, ok := b.records[id]; ok {
		return r
	}
	if len(b.records)-len(b.now) >= maxWaiting {
		b.tire()
	}
	r := &record{}
	b.records[id] = r
	if b.byRule[key] == nil {
		b.byRule[key] = map[string]bool{}
	}
	b.byRule[key][id] = true
	return r
}

// tire lets alarms go that wait for their beginning, a tenth at a time.
func (b *Book) tire() {
	type waiting struct {
		id   string
		last int64
	}
	var all []waiting
	for id, r := range b.records {
		if b.now[id] == nil {
			all = append(all, waiting{id, r.last()})
		}
	}
	slices.SortFunc(all, func(x, y waiting) int { return cmp.Or(cmp.Compare(x.last, y.last), cmp.Compare(x.id, y.id)) })
	for _, w := range all[:(len(all)+9)/10] {
		drill, rule, _, err := ParseID(w.id)
		if err != nil {
			panic("BUG: alarm id " + w.id + " is in the book")
		}
		b.forget(w.id, drill+"/"+rule)
	}
}

func (b *Book) refold(ids ...string) []*Alarm {
	var changed []*Alarm
	now := b.clock()
	rules := map[string][]judged{}
	for _, id := range ids {
		r := b.records[id]
		if r == nil {
			continue
		}
		drill, rule, _, err := ParseID(id)
		if err != nil {
			panic("BUG: alarm id " + id + " is in the book")
		}
		key := drill + "/" + rule
		if _, ok := rules[key]; !ok {
			rules[key], _ = b.judge(key)
		}
		a, ok := r.fold(rules[key], now)
		if !ok {
			continue
		}
		if a.ShelvedUntil != 0 {
			b.shelved[id] = true
		} else {
			delete(b.shelved, id)
		}
		b.count(b.now[id], -1)
		b.count(&a, 1)
		b.now[id] = &a
		changed = append(changed, &a)
	}
	b.prune()
	return changed
}

// prune lets returned alarms go, oldest change first, a tenth at a time.
func (b *Book) prune() {
	if b.over <= b.keep {
		return
	}
	var returned []*Alarm
	for _, a := range b.now {
		if a.Status == Returned {
			returned = append(returned, a)
		}
	}
	slices.SortFunc(returned, func(x, y *Alarm) int { return cmp.Or(cmp.Compare(x.Changed, y.Changed), cmp.Compare(x.ID, y.ID)) })
	for _, a := range returned[:len(returned)-b.keep*9/10] {
		b.forget(a.ID, a.Drill+"/"+a.Rule)
	}
}

func (b *Book) count(a *Alarm, n int) {
	if a != nil && a.Status == Returned {
		b.over += n
	}
}

func (b *Book) forget(id, key string) {
	b.count(b.now[id], -1)
	delete(b.records, id)
	delete(b.now, id)
	delete(b.byRule[key], id)
	if len(b.byRule[key]) == 0 {
		delete(b.byRule, key)
		// What is out of service, or on the shelf, is so whether or not an alarm of it is known.
		if _, s := b.judge(key); s.out == nil && (s.shelf == nil || b.clock() >= shelfEnd(s.shelf)) {
			delete(b.rules, key)
		}
	}
}

// Fold makes the alarms out of events and commands in any order, as they stand
// at now: what a Book would hold, for the past.
func Fold(events []telemetry.AlarmEvent, commands []telemetry.Command, now int64) []*Alarm {
	b := NewBook(func() int64 { return now })
	b.keep = math.MaxInt
	for _, e := range events {
		b.Event(e)
	}
	for _, c := range commands {
		b.Command(c)
	}
	out := b.All(func(*Alarm) bool { return true })
	slices.SortFunc(out, NewestFirst)
	return out
}

// NewestFirst orders alarms by when they were raised.
func NewestFirst(x, y *Alarm) int {
	return cmp.Or(cmp.Compare(y.Raised, x.Raised), cmp.Compare(x.ID, y.ID))
}

// WorstFirst orders alarms as an operator needs them: priority, unanswered
// before answered, newest.
func WorstFirst(x, y *Alarm) int {
	late := func(a *Alarm) int {
		if a.Status == Unack {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(x.Priority, y.Priority), cmp.Compare(late(x), late(y)), NewestFirst(x, y))
}
