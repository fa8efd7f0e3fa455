package scorer

import (
	"math"
	"slices"
	"time"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/telemetry"
)

var nan = math.NaN()

const second = int64(time.Second)

// A road is one drill as one lane knows it: its channels, rig state, windows,
// alarms and the last ticks. The lanes share none of it.
type road struct {
	drill string
	prog  *program
	det   *alarms.Detector
	rig   rig
	hole  hole
	feats *feats
	parts *equipment           // the lane's; nil: nothing was told
	waves []telemetry.Snapshot // the last ones, by time; replaced, never changed

	slots  []slot // channels, in the order first heard
	byName map[string]int
	bySig  []int // slot of each of prog.channels; -1 not heard
	rigIn  [rigChannels]int
	holeIn [holeChannels]int // slots; -1 not heard
	can    []bool            // by node: some channel behind its inputs was heard

	head  int64    // newest tick; 0 before the first
	batch uint64   // the lane's batch that its newest row is in
	first int64    // tick of its first row there for which not all features are read
	ring  []record // by tick in seconds modulo its length
	store ticks    // for records that hold nothing yet
	runs  []carry  // by node

	simulated bool
	looked    int64 // what ready saw: without a use of it the compiler may leave the look away
}

// A slot is one channel of a drill. It takes 64 bytes, a line of the cache: each
// frame looks at every one of them.
type slot struct {
	name   string
	val    float64
	at     int64 // time of val; Unix ns
	tick   int64 // newest tick it was heard in
	good   int32 // samples of that tick that were good
	all    int32 // samples of that tick
	old    int32 // s after which its last value is old
	feat   int32 // channel index in the plan; -1: no feature reads it
	signal int32 // index in prog.channels; -1: no model reads it raw
	sub    int8  // index in telemetry.Subsystems; -1 none
	used   bool  // registered
	wave   bool  // its runs are snapshots
	sparse bool  // its silence lowers no confidence
}

// stale is the time in ns after which its last value is old.
func (s *slot) stale() int64 { return int64(s.old) * second }

// A record is what is kept of a tick while late frames may still amend it.
type record struct {
	tick      int64
	state     byte
	since     int64
	causes    []telemetry.FrameID
	simulated bool
	vals      []float64 // by prog.channels: last good value at the tick; NaN unknown or stale
	ats       []int64   // when it was measured
}

// carry is what a model said last, kept between its runs.
type carry struct {
	due int64 // tick it was last put down for; 0 never
	at  int64 // tick of what follows; 0 never
	num []float64
	txt []string
	err string

	said said
}

// ticks is room for the records of some ticks: apart, each would cost the
// allocator, the collector and the cache.
type ticks struct {
	vals   []float64
	ats    []int64
	causes []telemetry.FrameID
}

// together is the number of ticks for which room is made at once.
const together = 16

// room gives a record that has none space for n channels and, as is usual, one cause.
func (t *ticks) room(rec *record, n int) {
	if cap(rec.vals) < n {
		if len(t.vals) < n || len(t.ats) < n {
			t.vals, t.ats = make([]float64, together*n), make([]int64, together*n)
		}
		rec.vals, t.vals = t.vals[:n:n], t.vals[n:]
		rec.ats, t.ats = t.ats[:n:n], t.ats[n:]
	}
	if cap(rec.causes) == 0 {
		if len(t.causes) == 0 {
			t.causes = make([]telemetry.FrameID, together)
		}
		rec.causes, t.causes = t.causes[:0:1], t.causes[1:]
	}
}

// staleAfter is for how many seconds a channel's last value counts, by its rate class.
func staleAfter(c telemetry.Class) int32 {
	switch c {
	case telemetry.Fast, telemetry.Medium:
		return 10
	case telemetry.Slow:
		return 90
	}
	return 600
}

func newRoad(drill string, late time.Duration) *road {
	r := &road{drill: drill, byName: map[string]int{}, rig: newRig(), hole: newHole()}
	r.ring = make([]record, max(1, int(late/time.Second)+1))
	for i := range r.rigIn {
		r.rigIn[i] = -1
	}
	for i := range r.holeIn {
		r.holeIn[i] = -1
	}
	return r
}

// slot returns the index of a channel, -1 if it was not heard before. hint is where
// it was in the frame before: devices send channels in the same order.
func (r *road) slot(name string, hint int) int {
	if hint < len(r.slots) && r.slots[hint].name == name {
		return hint
	}
	if i, ok := r.byName[name]; ok {
		return i
	}
	return -1
}

// hear adds a channel that was not heard before; nil: it is not registered. It
// returns -1 if the drill has too many.
func (r *road) hear(name string, ch *telemetry.Channel) int {
	i := len(r.slots)
	if i >= telemetry.MaxRuns {
		return -1
	}
	r.slots = append(r.slots, slot{name: name, feat: -1, signal: -1, sub: -1, val: nan})
	r.byName[name] = i
	r.describe(i, ch)
	r.bind()
	return i
}

// describe takes over what the catalogue says of a channel; nil: not registered.
func (r *road) describe(i int, ch *telemetry.Channel) {
	s := &r.slots[i]
	s.used, s.wave, s.sparse = ch != nil, false, false
	s.old = staleAfter(telemetry.Narrow)
	s.sub = -1
	if ch != nil {
		s.old = staleAfter(ch.Class)
		s.sub = int8(slices.Index(telemetry.Subsystems[:], ch.Subsystem))
		s.wave, s.sparse = ch.Class == telemetry.Waveform, ch.Sparse
	}
}

// bind connects channels with signals, features and the rig's inputs.
func (r *road) bind() {
	for k, tag := range holeTags {
		r.holeIn[k] = -1
		if i, ok := r.byName[tag]; ok {
			r.holeIn[k] = i
		}
	}
	p := r.prog
	if p == nil {
		return
	}
	r.bySig = r.bySig[:0]
	for i := range r.slots {
		r.slots[i].signal, r.slots[i].feat = -1, -1
	}
	for k, sig := range p.channels {
		i, ok := r.byName[p.names[sig]]
		if !ok || !r.slots[i].used {
			r.bySig = append(r.bySig, -1)
			continue
		}
		r.slots[i].signal = int32(k)
		r.bySig = append(r.bySig, i)
	}
	for k, name := range p.plan.channels {
		if i, ok := r.byName[name]; ok && r.slots[i].used {
			r.slots[i].feat = int32(k)
		}
	}
	for k, tag := range rigTags {
		r.rigIn[k] = -1
		if i, ok := r.byName[tag]; ok && r.slots[i].used {
			r.rigIn[k] = i
		}
	}
	r.can = r.can[:0]
	for i := range p.nodes {
		n := &p.nodes[i]
		can := false
		for _, name := range n.reads {
			j, ok := r.byName[name]
			can = can || ok && r.slots[j].used
		}
		for _, j := range n.after {
			can = can || r.can[j]
		}
		r.can = append(r.can, can)
	}
}

// follow goes over to another program; what both have in common is kept.
func (r *road) follow(p *program, emit func(*telemetry.AlarmEvent), t *alarms.Tick) {
	old := r.prog
	runs := make([]carry, len(p.nodes))
	if old != nil {
		for i := range p.nodes {
			j := slices.IndexFunc(old.nodes, func(n node) bool { return n.activation == p.nodes[i].activation })
			if j >= 0 {
				runs[i] = r.runs[j]
			}
		}
		for i := range r.ring {
			rec := &r.ring[i]
			if rec.tick == 0 {
				continue
			}
			vals, ats := make([]float64, len(p.channels)), make([]int64, len(p.channels))
			for k, sig := range p.channels {
				vals[k] = nan
				if j := slices.IndexFunc(old.channels, func(s int) bool { return old.names[s] == p.names[sig] }); j >= 0 {
					vals[k], ats[k] = rec.vals[j], rec.ats[j]
				}
			}
			rec.vals, rec.ats = vals, ats
		}
	}
	r.prog, r.runs = p, runs
	if r.feats == nil {
		r.feats = newFeats(p.plan)
	} else {
		r.feats.rebind(p.plan)
	}
	switch {
	case r.det == nil:
		r.det = alarms.NewDetector(r.drill, p.watch)
	case r.det.Watch() != p.watch:
		r.det.Rebind(p.watch, t, emit)
	}
	r.bind()
}

// ready looks at the place of a tick's record, so that its parts are fetched
// together (feature.State.Ready).
func (r *road) ready(tick int64) {
	rec := &r.ring[floorMod(tick/second, int64(len(r.ring)))]
	seen := rec.tick
	for k := 0; k < len(rec.vals); k += 8 { // a line of the cache
		seen += int64(rec.vals[k]) + rec.ats[k]
	}
	if len(rec.causes) > 0 {
		seen += int64(rec.causes[0].Seq)
	}
	r.looked = seen
}

// open returns the record of a tick, made anew if the tick is new. Its state is
// that of the newest record before it.
func (r *road) open(tick int64) *record {
	rec := &r.ring[floorMod(tick/second, int64(len(r.ring)))]
	if rec.tick == tick {
		return rec
	}
	n := len(r.prog.channels)
	r.store.room(rec, n)
	*rec = record{tick: tick, causes: rec.causes[:0], vals: rec.vals[:n], ats: rec.ats[:n], state: r.rig.state, since: r.rig.since}
	for k := range rec.vals {
		rec.vals[k], rec.ats[k] = nan, 0
	}
	if tick > r.head {
		return rec
	}
	var before *record
	for i := range r.ring {
		o := &r.ring[i]
		if o.tick != 0 && o.tick < tick && r.head-o.tick < int64(len(r.ring))*second && (before == nil || o.tick > before.tick) {
			before = o
		}
	}
	if before == nil {
		return rec
	}
	rec.state, rec.since = before.state, before.since
	for k, i := range r.bySig {
		if i >= 0 && tick-before.ats[k] <= r.slots[i].stale() {
			rec.vals[k], rec.ats[k] = before.vals[k], before.ats[k]
		}
	}
	return rec
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// cause adds a frame to the tick's causes, kept sorted.
func (rec *record) cause(id telemetry.FrameID) {
	i, found := slices.BinarySearchFunc(rec.causes, id, telemetry.CompareIDs)
	if !found {
		rec.causes = slices.Insert(rec.causes, i, id)
	}
}
