package alarms

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/services/internal/snapshot"
	"github.com/mudpulse/mudpulse/telemetry"
)

// IncidentGap is how long after the last alarm of a fault was cleared another one
// of it is still the same incident.
const IncidentGap = 30 * time.Minute

// chatters is how often an alarm comes back before its off delay becomes as long
// as its time to be the same: it then stands until it has been quiet for so long.
const chatters = 3

// ContextAfter is how long after an alarm the readings that follow it are added.
const ContextAfter = 10 * time.Minute

// A Watch is rules made ready to run: immutable, shared by all drills.
type Watch struct {
	Version int
	SHA256  string   // of the rules in JSON
	Signals []string // read at every tick; Tick.Values is in this order
	Lazy    []string // read when an alarm is raised: texts and evidence
	rules   []watched
}

type watched struct {
	*Rule
	op     op
	signal int // index in Signals
	and    []condition
	states uint16 // bit per telemetry.States; 0: all
	under  []int
	model  string // name of the model whose output it watches; "" for a limit
	text   json.RawMessage
	fault  string
	reason template
	advice template
}

type condition struct {
	signal int
	op     op
	limit  float64
}

// Compile makes rules ready; they must be valid and not change afterwards.
func Compile(r *Rules) (*Watch, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	sum := sha256.Sum256(b)
	w := &Watch{Version: r.Version, SHA256: hex.EncodeToString(sum[:])}
	index := map[string]int{}
	signal := func(name string) int {
		i, ok := index[name]
		if !ok {
			i = len(w.Signals)
			index[name] = i
			w.Signals = append(w.Signals, name)
		}
		return i
	}
	at := map[string]int{}
	for i := range r.Rules {
		u := &r.Rules[i]
		if u.Off {
			continue
		}
		x := watched{Rule: u, op: ops[u.Op], signal: signal(u.Signal), fault: cmp.Or(u.Fault, u.ID)}
		if x.text, err = json.Marshal(u); err != nil {
			return nil, fmt.Errorf("rule %s: %w", u.ID, err)
		}
		for _, c := range u.And {
			x.and = append(x.and, condition{signal(c.Signal), ops[c.Op], c.Limit})
		}
		for j, s := range telemetry.States {
			if slices.Contains(u.States, s) {
				x.states |= 1 << j
			}
		}
		if u.Kind == Model {
			x.model = u.Signal[:strings.LastIndexByte(u.Signal, '.')]
		}
		x.reason, _ = parseTemplate(u.Reason)
		x.advice, _ = parseTemplate(u.Advice)
		at[u.ID] = len(w.rules)
		w.rules = append(w.rules, x)
	}
	lazy := func(name string) {
		if _, ok := index[name]; !ok && name != "" && !slices.Contains(w.Lazy, name) {
			w.Lazy = append(w.Lazy, name)
		}
	}
	for i := range w.rules {
		x := &w.rules[i]
		for _, id := range x.Under {
			if j, ok := at[id]; ok {
				x.under = append(x.under, j)
			}
		}
		for _, name := range append(x.reason.signals(), x.advice.signals()...) {
			lazy(name)
		}
		for _, name := range x.Inputs {
			lazy(name)
		}
		lazy(x.Normal)
	}
	return w, nil
}

// A Tick is what is known of a drill at one second.
type Tick struct {
	At        int64 // Unix ns, whole second
	State     string
	Since     int64 // of the state; Unix ns
	Origin    telemetry.Origin
	Simulated bool
	Values    []float64 // by Watch.Signals; NaN unknown
	Fresh     []bool    // by Watch.Signals: said anew at this tick
	Frames    []telemetry.FrameID
	Runs      []string // of bit and BHA that were in the hole
	Health    float64
	TimeLeft  float64 // hours; NaN unknown
}

// A Source is asked for more when an alarm is raised.
type Source interface {
	// Look returns any signal's value now; NaN unknown.
	Look(signal string) float64
	// Unit returns a signal's unit and normal band; "" and NaN where not known.
	Unit(signal string) (unit string, low, high float64)
	// Snapshot returns the newest waveform behind a signal; false where it has none.
	Snapshot(signal string) (telemetry.Snapshot, bool)
	// Offset names the last record behind the tick: topic-partition-offset.
	Offset() string
	// Explain adds the named model's inputs, contributions, baseline and score to
	// e, and returns its name@version and SHA-256.
	Explain(model string, e *telemetry.Evidence) (ref, sha256 string)
}

// phases of a rule at a drill.
const (
	quiet   = byte(iota)
	pending // holds, but not for long enough
	active  // raised
	leaving // raised, normal again but not for long enough
)

type status struct {
	phase    byte
	priority byte
	context  bool   // the ten minutes after were added
	held     bool   // held back, by the rig's state
	returns  byte   // times it held again
	seen     byte   // how many of bits are real
	bits     uint64 // last evaluations, newest lowest
	since    int64  // of pending or leaving
	raised   int64  // of the last alarm, standing or cleared; 0 none that matters any more
	cleared  int64  // 0 while it stands
	value    float64
	first    float64 // value when it was raised
	incident string  // id of the first alarm of its fault
	origin   telemetry.Origin
}

// A fault is the incident that its alarms at a drill belong to.
type fault struct {
	incident string // id of its first alarm
	last     int64  // when one of its alarms was last cleared
}

// A Detector watches one drill. Its state belongs to a checkpoint.
type Detector struct {
	drill string
	watch *Watch
	st    []status
	on    []bool // which rules apply to the drill
	idle  []bool // by rule: nothing is pending, and no alarm of it stands or matters any more
	fault map[string]fault
	prev  [64]byte // hex SHA-256 of the event before; zero: none
	last  int64    // newest tick stepped
}

// NewDetector returns a detector that has seen nothing.
func NewDetector(drill string, w *Watch) *Detector {
	d := &Detector{drill: drill, fault: map[string]fault{}}
	d.bind(w)
	return d
}

func (d *Detector) bind(w *Watch) {
	d.watch = w
	d.st = make([]status, len(w.rules))
	d.on, d.idle = make([]bool, len(w.rules)), make([]bool, len(w.rules))
	for i := range w.rules {
		d.on[i] = w.rules[i].For(d.drill)
	}
}

// Watch returns the rules in force.
func (d *Detector) Watch() *Watch { return d.watch }

// Active returns how many alarms stand.
func (d *Detector) Active() int {
	n := 0
	for i := range d.st {
		if d.st[i].phase >= active {
			n++
		}
	}
	return n
}

// Step takes one tick, which must be later than those before (an earlier or
// equal one is ignored: amended ticks raise nothing), and calls emit for every event.
func (d *Detector) Step(t *Tick, src Source, emit func(*telemetry.AlarmEvent)) {
	if t.At <= d.last && d.last != 0 {
		return
	}
	d.last = t.At
	state := uint16(0)
	for i, s := range telemetry.States {
		if s == t.State {
			state = 1 << i
		}
	}
	for i := range d.watch.rules {
		x := &d.watch.rules[i]
		waits := !d.on[i] || !t.Fresh[x.signal]
		if waits && d.idle[i] { // the usual one: its status need not even be looked at
			continue
		}
		v, s := t.Values[x.signal], &d.st[i]
		if s.raised != 0 {
			d.after(i, t, v, src, emit)
		}
		if s.phase == quiet && waits {
			d.idle[i] = s.raised == 0
			continue
		}
		gated := x.states != 0 && x.states&state == 0 || x.Settle > 0 && t.At-t.Since < int64(x.Settle)
		switch s.phase {
		case quiet, pending:
			d.rise(i, v, gated, t, src, emit)
		default:
			d.fall(i, v, gated, t, src, emit)
		}
		d.idle[i] = s.phase == quiet && s.raised == 0
	}
}

// rise moves a rule that is not raised.
func (d *Detector) rise(i int, v float64, gated bool, t *Tick, src Source, emit func(*telemetry.AlarmEvent)) {
	x, s := &d.watch.rules[i], &d.st[i]
	if gated {
		s.phase, s.bits, s.seen, s.since = quiet, 0, 0, 0
		return
	}
	if v != v || !t.Fresh[x.signal] {
		return // unknown says nothing, for or against
	}
	holds := x.op.holds(v, x.Limit, 0)
	for _, c := range x.and {
		holds = holds && c.op.holds(t.Values[c.signal], c.limit, 0)
	}
	if x.M > 0 {
		s.bits <<= 1
		if holds {
			s.bits |= 1
		}
		s.seen = min(s.seen+1, byte(x.M))
		n := 0
		for j := range x.M {
			n += int(s.bits >> j & 1)
		}
		holds = n >= max(x.N, 1)
	}
	if !holds {
		s.phase, s.since = quiet, 0
		return
	}
	if s.phase == quiet {
		s.phase, s.since = pending, t.At
	}
	if t.At-s.since < int64(x.OnDelay) {
		return
	}
	for _, j := range x.under {
		if d.st[j].phase >= active {
			return
		}
	}
	since, what, old := s.since, telemetry.AlarmRaised, *s
	again := old.raised != 0 && x.Again > 0 && t.At-old.cleared < int64(x.Again)
	if old.raised != 0 && !old.context && !again { // another alarm begins: what came after the last is said now
		d.context(i, t, v, src, emit)
	}
	*s = status{phase: active, priority: byte(x.Priority), raised: t.At, value: v, first: v, origin: t.Origin, bits: s.bits, seen: s.seen}
	if again {
		what = telemetry.AlarmAgain
		s.raised, s.context, s.first, s.incident, s.origin, s.returns = old.raised, old.context, old.first, old.incident, old.origin, old.returns
		if s.returns < 255 {
			s.returns++
		}
	}
	for _, step := range x.Escalate {
		if x.op.holds(v, step.Limit, 0) {
			s.priority = min(s.priority, byte(step.Priority))
		}
	}
	if what == telemetry.AlarmRaised {
		s.incident = d.incident(i, t.At)
	}
	e := d.event(what, i, t, v, src)
	e.Evidence.Rule = x.text
	d.explain(e, x, t, src, since)
	d.seal(e)
	emit(e)
}

// incident returns the id of the first alarm of rule i's fault, while that fault
// stands or was only just over; else that of rule i's own.
func (d *Detector) incident(i int, at int64) string {
	x := &d.watch.rules[i]
	f, known := d.fault[x.fault]
	known = known && at-f.last < int64(IncidentGap)
	for j := range d.watch.rules {
		known = known || j != i && d.watch.rules[j].fault == x.fault && d.st[j].phase >= active && f.incident != ""
	}
	if !known {
		f.incident = ID(d.drill, x.ID, at)
	}
	f.last = at
	d.fault[x.fault] = f
	return f.incident
}

// after adds the readings of the ten minutes after an alarm, also where it did
// not stand for so long, and forgets one that can matter no more.
func (d *Detector) after(i int, t *Tick, v float64, src Source, emit func(*telemetry.AlarmEvent)) {
	x, s := &d.watch.rules[i], &d.st[i]
	if !s.context && t.At-s.raised >= int64(ContextAfter) {
		d.context(i, t, v, src, emit)
	}
	if s.phase < active && s.context && t.At-s.cleared >= int64(x.Again) {
		*s = status{phase: s.phase, bits: s.bits, seen: s.seen, since: s.since}
	}
}

// context adds the readings as they stand to the last alarm of rule i.
func (d *Detector) context(i int, t *Tick, v float64, src Source, emit func(*telemetry.AlarmEvent)) {
	x, s := &d.watch.rules[i], &d.st[i]
	s.context = true
	e := d.event(telemetry.AlarmContext, i, t, v, src)
	d.measure(e, x, src)
	d.seal(e)
	emit(e)
}

// fall moves a rule that is raised.
func (d *Detector) fall(i int, v float64, gated bool, t *Tick, src Source, emit func(*telemetry.AlarmEvent)) {
	x, s := &d.watch.rules[i], &d.st[i]
	if hold := gated && x.Hold; hold != s.held {
		s.held = hold
		what := telemetry.AlarmSuppressed
		if !hold {
			what = telemetry.AlarmReleased
		}
		e := d.event(what, i, t, v, src)
		d.seal(e)
		emit(e)
	}
	normal := false
	switch {
	case gated:
		if !x.Drop {
			if s.phase == leaving {
				s.phase = active // its time back starts again when it is watched again
			}
			return
		}
		normal = true
	case v != v || !t.Fresh[x.signal]:
		return
	default:
		s.value = v
		normal = !x.op.holds(v, x.Limit, x.Hysteresis)
	}
	if !normal {
		s.phase = active
		for _, step := range x.Escalate {
			if step.Priority < int(s.priority) && x.op.holds(v, step.Limit, 0) {
				s.priority = byte(step.Priority)
				e := d.event(telemetry.AlarmEscalate, i, t, v, src)
				d.explain(e, x, t, src, s.raised)
				d.seal(e)
				emit(e)
			}
		}
		return
	}
	if s.phase == active {
		s.phase, s.since = leaving, t.At
	}
	off := x.OffDelay
	if s.returns >= chatters {
		off = max(off, x.Again)
	}
	if t.At-s.since < int64(off) {
		return
	}
	d.clear(i, t, v, src, "", emit)
}

// clear ends the alarm of rule i.
func (d *Detector) clear(i int, t *Tick, v float64, src Source, why string, emit func(*telemetry.AlarmEvent)) {
	x, s := &d.watch.rules[i], &d.st[i]
	e := d.event(telemetry.AlarmCleared, i, t, v, src)
	e.Reason = why
	d.seal(e)
	s.phase, s.since, s.cleared, s.held = quiet, 0, t.At, false
	f := d.fault[x.fault]
	f.last = t.At
	d.fault[x.fault] = f
	emit(e)
}

// Amend looks again at a tick that late readings changed: an alarm raised at it
// is told what it rests on now. Nothing is raised or cleared by it.
func (d *Detector) Amend(t *Tick, src Source, emit func(*telemetry.AlarmEvent)) {
	for i := range d.st {
		x, s := &d.watch.rules[i], &d.st[i]
		v := t.Values[x.signal]
		if s.raised != t.At || v == s.first || v != v {
			continue
		}
		e := d.event(telemetry.AlarmAmended, i, t, v, src)
		d.explain(e, x, t, src, t.At)
		e.Reason = fmt.Sprintf("Late readings: the value was %s, it is %s", Number(s.first, x.Format), Number(v, x.Format))
		if !x.op.holds(v, x.Limit, 0) {
			e.Reason += "; by itself it would not have raised the alarm then"
		}
		e.Reason += "."
		s.first = v
		d.seal(e)
		emit(e)
	}
}

// RaisedAt reports whether any alarm that still matters was raised at a tick.
func (d *Detector) RaisedAt(tick int64) bool {
	for i := range d.st {
		if d.st[i].raised == tick {
			return true
		}
	}
	return false
}

// Rebind goes over to other rules: a rule that stays, by its id, keeps its
// alarm; alarms of rules that are gone, off or no longer for this drill are cleared.
func (d *Detector) Rebind(w *Watch, t *Tick, emit func(*telemetry.AlarmEvent)) {
	old, st := d.watch, d.st
	keep := make([]status, len(w.rules))
	for i := range old.rules {
		j := slices.IndexFunc(w.rules, func(x watched) bool { return x.ID == old.rules[i].ID })
		if j >= 0 && w.rules[j].For(d.drill) {
			keep[j] = st[i]
			if w.rules[j].M != old.rules[i].M {
				keep[j].bits, keep[j].seen = 0, 0
			}
			continue
		}
		if st[i].phase >= active {
			d.clear(i, t, st[i].value, nil, "The rule was withdrawn.", emit)
		}
	}
	d.bind(w)
	d.st = keep
}

// Append writes the detector's state.
func (d *Detector) Append(w *snapshot.Writer) {
	w.Int(d.last)
	w.Bytes(d.prev[:])
	n := 0
	for i := range d.st {
		if d.st[i] != (status{}) {
			n++
		}
	}
	w.Uint(uint64(n))
	for i := range d.st {
		s := &d.st[i]
		if *s == (status{}) {
			continue
		}
		w.String(d.watch.rules[i].ID)
		w.Uint(uint64(s.phase))
		w.Uint(uint64(s.priority))
		w.Bool(s.context)
		w.Bool(s.held)
		w.Uint(uint64(s.returns))
		w.Fixed(s.bits)
		w.Uint(uint64(s.seen))
		w.Int(s.since)
		w.Int(s.raised)
		w.Int(s.cleared)
		w.Float(s.value)
		w.Float(s.first)
		w.String(s.incident)
		w.Uint(uint64(s.origin))
	}
	names := slices.Sorted(maps.Keys(d.fault))
	w.Uint(uint64(len(names)))
	for _, name := range names {
		w.String(name)
		w.String(d.fault[name].incident)
		w.Int(d.fault[name].last)
	}
}

// Restore reads what Append wrote, under the same rules.
func (d *Detector) Restore(r *snapshot.Reader) error {
	d.last = r.Int()
	copy(d.prev[:], r.Bytes())
	clear(d.idle)
	for range r.Len(20) {
		id := r.String()
		s := status{phase: byte(r.Uint()), priority: byte(r.Uint()), context: r.Bool(), held: r.Bool(), returns: byte(r.Uint()), bits: r.Fixed(), seen: byte(r.Uint()),
			since: r.Int(), raised: r.Int(), cleared: r.Int(), value: r.Float(), first: r.Float(), incident: r.String(), origin: telemetry.Origin(r.Uint())}
		if i := slices.IndexFunc(d.watch.rules, func(x watched) bool { return x.ID == id }); i >= 0 && s.phase <= leaving {
			d.st[i] = s
		}
	}
	for range r.Len(3) {
		name := r.String()
		d.fault[name] = fault{r.String(), r.Int()}
	}
	return r.Err()
}
