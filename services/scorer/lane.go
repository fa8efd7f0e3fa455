package scorer

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Lanes of a partition. A lane's results depend on nothing but the records of
// one topic in their order, so that a replay yields the same bits however the
// topics interleave. What a lane scores late, or from history, never changes
// what another knows: for the present, the live lane counts.
const (
	laneLive    = iota // frames, at most Config.Late behind the drill's newest tick
	laneHistory        // backfill
	laneLate           // frames further behind, or ahead of the clock: scored in their own right
	lanes
)

// maxTicks bounds the seconds that one frame may cover.
const maxTicks = 3600

// A lane scores the drills of one partition's one road.
type lane struct {
	part  *Partition
	which int

	acts    []*activation
	waiting []*activation // until their producers are active
	markers map[string]bool
	watch   *alarms.Watch
	rules   string // SHA-256 of the rules in force; "" the default ones
	tags    map[string]*telemetry.Channel
	progs   map[string]*program // by the models that match
	roads   map[string]*road
	parts   map[string]*equipment

	// the batch in hand
	rows    []row
	batch   uint64     // counts up
	used    []*program // in the order first used
	num     []float64
	txt     []string
	due     []bool
	errs    []string
	carried []int64 // tick of a result that was carried; 0 it was not
	causes  []telemetry.FrameID

	sel    []int
	one    [1]int // row that composes
	score  telemetry.Score
	outs   []telemetry.Output
	tick   alarms.Tick
	looker looker
	refs   []sampleRef
	known  []int32 // slot of each run of the frame in hand; -1 not heard; of none: to be looked up
	heard  []int32 // channels of the plan that the frame in hand has samples of

	stood     []float64 // signals of a row in which a model's last word stands
	stoodText []string
	ages      []int64 // by node
}

// A row is one drill-tick to be scored.
type row struct {
	rd        *road
	prog      *program
	tick      int64
	amend     bool // the tick is not new
	state     byte
	since     int64
	num       int // offset in lane.num (and txt) of its signals
	due       int // offset in lane.due and lane.errs of its nodes
	cause     int // offset in lane.causes
	causes    int
	origin    telemetry.Origin
	simulated bool
	offset    int64
	waves     []telemetry.Snapshot               // that were known when it was added; never changed
	later     bool                               // features that are computed when asked for have been
	subs      [len(telemetry.Subsystems)]float64 // confidence
}

// sampleRef is one sample of a frame that covers several seconds.
type sampleRef struct {
	k      int // second after the first
	run, i int
}

// channel returns what is registered of a tag; nil if nobody registered it.
func (l *lane) channel(tag string) *telemetry.Channel {
	if c := l.tags[tag]; c != nil {
		return c
	}
	if c := l.part.catalogue.Get(tag); c != nil && c.Tag == tag {
		return c
	}
	return nil
}

// road returns that of the drill whose frame is in hand.
func (l *lane) road(f *telemetry.Frame) (*road, error) {
	d := l.part.at
	if r := d.roads[l.which]; r != nil {
		return r, nil
	}
	if r := l.roads[f.Drill]; r != nil {
		d.roads[l.which] = r
		return r, nil
	}
	if len(l.roads) >= l.part.cfg.MaxDrills {
		return nil, fmt.Errorf("drill %s: more than %d drills in one partition", f.Drill, l.part.cfg.MaxDrills)
	}
	r := newRoad(f.Drill, l.part.cfg.Late)
	r.parts = l.parts[f.Drill]
	l.roads[f.Drill] = r
	l.follow(r)
	return r, nil
}

// program returns what is computed for a drill, shared by all drills for which the same models are active.
func (l *lane) program(drill string) *program {
	key := ""
	var acts []*activation
	for _, a := range l.acts {
		if a.matches(drill) {
			acts = append(acts, a)
			key += a.ref + map[bool]string{true: "~"}[a.shadow] + "\x00"
		}
	}
	if p := l.progs[key]; p != nil {
		return p
	}
	acts = inPlace(acts)
	for { // a drill for which a producer is not active goes without its readers
		kept := slices.DeleteFunc(slices.Clone(acts), func(a *activation) bool { return !producers(a, acts) })
		if len(kept) == len(acts) {
			break
		}
		acts = kept
	}
	sorted, err := order(acts)
	if err != nil {
		panic("BUG: models that were let in: " + err.Error())
	}
	p, err := compile(sorted, l.watch)
	if err != nil {
		panic("BUG: models that were let in: " + err.Error())
	}
	l.progs[key] = p
	return p
}

// inPlace puts canaries in the place of what they stand for; not those that do
// not go together with others here, as where one reads what only another's canary gives.
func inPlace(acts []*activation) []*activation {
	var with, without []*activation
	for _, a := range acts {
		if !a.canary {
			without = append(without, a)
		}
		if a.canary || a.shadow || !slices.ContainsFunc(acts, func(o *activation) bool { return o.canary && o.name == a.name }) {
			with = append(with, a)
		}
	}
	if len(without) == len(acts) {
		return acts
	}
	if fits(with) {
		return with
	}
	return without
}

// fits reports whether all that acts read of each other, where it is there at all, can be had.
func fits(acts []*activation) bool {
	for _, a := range acts {
		for _, f := range a.in {
			if model, output, ok := nameOf(f.Name); ok {
				if j := producer(acts, model, a.shadow); j >= 0 && !slices.Contains(acts[j].out, output) {
					return false
				}
			}
		}
	}
	_, err := order(slices.DeleteFunc(slices.Clone(acts), func(a *activation) bool { return !producers(a, acts) }))
	return !errors.Is(err, errCircle)
}

// frame takes one frame: its samples go into channels and windows, and each
// second that it covers becomes a row.
func (l *lane) frame(f *telemetry.Frame, offset int64) error {
	r, err := l.road(f)
	if err != nil {
		return err
	}
	r.simulated = f.Simulated
	base := telemetry.Tick(f.TS)
	from, to := int64(0), int64(0) // relative to TS, of all samples
	l.known = resize(l.known, len(f.Runs))
	for i := range f.Runs {
		u := &f.Runs[i]
		k := r.slot(u.Channel, i)
		l.known[i] = int32(k)
		n := len(u.Values)
		if n == 0 {
			continue
		}
		if l.waveform(r, u.Channel, k) { // is where it begins
			from, to = min(from, u.Offset), max(to, u.Offset)
			continue
		}
		a, b := u.Offset, u.Offset+int64(n-1)*u.Every
		from, to = min(from, a, b), max(to, a, b)
	}
	if from >= 0 && to < second {
		return l.second(r, f, base, offset, nil)
	}
	if to-from >= maxTicks*second || from < -maxTicks*second || to < from {
		return fmt.Errorf("frame %s of drill %s covers more than %d seconds: send one second a frame", f.ID(), f.Drill, maxTicks)
	}
	refs := l.refs[:0]
	for i := range f.Runs {
		u := &f.Runs[i]
		n := len(u.Values)
		if l.waveform(r, u.Channel, int(l.known[i])) {
			n = min(n, 1)
		}
		for j := range n {
			t := u.Offset + int64(j)*u.Every
			refs = append(refs, sampleRef{k: int((t - floorMod(t, second)) / second), run: i, i: j})
		}
	}
	slices.SortStableFunc(refs, func(a, b sampleRef) int { return a.k - b.k })
	l.refs = refs
	for len(refs) > 0 {
		n := 1
		for n < len(refs) && refs[n].k == refs[0].k {
			n++
		}
		if err := l.second(r, f, base+int64(refs[0].k)*second, offset, refs[:n]); err != nil {
			return err
		}
		refs = refs[n:]
	}
	return nil
}

func floorMod(a, b int64) int64 {
	m := a % b
	if m < 0 {
		m += b
	}
	return m
}

// second takes the samples of one tick (refs; nil: all of the frame) and adds its row.
func (l *lane) second(r *road, f *telemetry.Frame, tick, offset int64, refs []sampleRef) error {
	if tick == 0 { // is no time here: a head, a record or a sample of 0 is none
		return fmt.Errorf("frame %s of drill %s: is dated in the first second of 1970: set its device's clock", f.ID(), f.Drill)
	}
	l.ready(r, tick, refs == nil)
	late := r.head != 0 && tick <= r.head
	if late && r.head-tick > int64(l.part.cfg.Late) {
		if l.which == laneLive {
			l.part.count.late++
			return l.part.lanes[laneLate].frame1(f, tick, offset, refs)
		}
		// History behind itself: windows that reach so far back are gone. It begins again.
		if l.which == laneHistory || l.which == laneLate {
			l.part.Flush()
			l.part.count.restarts++
			l.restart(r)
			late = false
		}
	}
	if late || tick-r.first > laterSpan {
		l.readLater(r)
	}
	rec := r.open(tick)
	if !late {
		before := r.head
		r.head = tick
		r.pass(before, tick)
	}
	rec.simulated = f.Simulated
	rec.cause(f.ID())
	if refs == nil {
		for i := range f.Runs {
			u := &f.Runs[i]
			if k := l.slotOf(r, u, i); k < 0 {
				continue
			} else if r.slots[k].wave {
				l.snapshot(r, k, f, u)
			} else {
				l.samples(r, rec, k, u, f.TS, tick, 0, len(u.Values))
			}
		}
	} else {
		for _, ref := range refs {
			u := &f.Runs[ref.run]
			if k := l.slotOf(r, u, ref.run); k < 0 {
				continue
			} else if r.slots[k].wave {
				l.snapshot(r, k, f, u)
			} else {
				l.samples(r, rec, k, u, f.TS, tick, ref.i, ref.i+1)
			}
		}
	}
	if !late {
		l.followHole(r, tick)
		var in rigInputs
		for k, i := range r.rigIn {
			in[k] = nan
			if i >= 0 {
				if s := &r.slots[i]; tick-s.at <= s.stale() {
					in[k] = s.val
				}
			}
		}
		r.rig.step(&l.part.cfg.Rig, tick, &in)
		rec.state, rec.since = r.rig.state, r.rig.since
		for k, i := range r.bySig {
			if i >= 0 {
				if s := &r.slots[i]; s.at != 0 && tick-s.at <= s.stale() {
					rec.vals[k], rec.ats[k] = s.val, s.at
				}
			}
		}
	}
	l.add(r, rec, f.Origin, offset, late)
	if len(l.rows) >= l.part.cfg.Rows {
		l.part.Flush()
	}
	return nil
}

// ready has the places fetched that a tick of the frame in hand goes to; whole: it is all of it.
func (l *lane) ready(r *road, tick int64, whole bool) {
	l.heard = l.heard[:0]
	if whole {
		for _, k := range l.known {
			if k >= 0 && r.slots[k].feat >= 0 {
				l.heard = append(l.heard, r.slots[k].feat)
			}
		}
	}
	r.ready(tick)
	r.feats.ready(tick, l.heard)
}

// laterSpan is how far a drill may go on before features that were left for later
// are read for its rows in hand: the samples they need are kept for longer.
const laterSpan = 60 * second

// readLater computes for a drill's rows in hand what was left for later, before
// samples come that would change it.
func (l *lane) readLater(r *road) {
	if r.batch != l.batch {
		return
	}
	for i := range l.rows {
		if w := &l.rows[i]; w.rd == r {
			l.rowLater(w)
		}
	}
	r.first = r.head
}

func (l *lane) rowLater(w *row) {
	if !w.later {
		w.later = true
		w.rd.feats.readLater(w.tick, l.num[w.num:w.num+len(w.prog.names)], w.prog.features)
	}
}

// look returns the value of a signal in a row, whose signals are num; NaN where
// nobody knows it.
func (l *lane) look(w *row, num []float64, name string) float64 {
	i, ok := w.prog.index[name]
	switch {
	case !ok:
		return nan
	case w.prog.later[i]:
		l.rowLater(w)
		return l.num[w.num+i]
	}
	return num[i]
}

// slotOf returns the index of the channel of run i of the frame in hand.
func (l *lane) slotOf(r *road, u *telemetry.Run, i int) int {
	if i < len(l.known) && l.known[i] >= 0 {
		return int(l.known[i])
	}
	return l.slot(r, u.Channel, i)
}

// slot returns the index of a channel, heard from now on if it was not before.
func (l *lane) slot(r *road, name string, hint int) int {
	if k := r.slot(name, hint); k >= 0 {
		return k
	}
	return r.hear(name, l.channel(name))
}

// frame1 takes one second of a frame that another lane handed on.
func (l *lane) frame1(f *telemetry.Frame, tick, offset int64, refs []sampleRef) error {
	r, err := l.road(f)
	if err != nil {
		return err
	}
	l.known = l.known[:0]
	return l.second(r, f, tick, offset, refs)
}

// restart forgets a road's past, but for its channels and alarms.
func (l *lane) restart(r *road) {
	r.head = 0
	for i := range r.prog.nodes {
		if n := &r.prog.nodes[i]; n.memory != nil {
			n.memory.Forget(r.drill)
		}
	}
	r.rig, r.hole, r.waves = newRig(), newHole(), nil
	r.feats = newFeats(r.prog.plan)
	r.runs = make([]carry, len(r.prog.nodes))
	for i := range r.ring {
		r.ring[i].tick = 0
	}
	for i := range r.slots {
		s := &r.slots[i]
		s.val, s.at, s.tick = nan, 0, 0
	}
}

// samples takes samples from..to of a run into channel k.
func (l *lane) samples(r *road, rec *record, k int, u *telemetry.Run, ts, tick int64, from, to int) {
	s := &r.slots[k]
	if s.tick != tick && tick >= s.tick {
		s.tick, s.good, s.all = tick, 0, 0
	}
	if !s.used {
		return
	}
	for j := from; j < to; j++ {
		v := u.Values[j]
		if v != v {
			continue
		}
		if s.tick == tick {
			s.all++
		}
		if u.Quality != nil && (u.Quality[j] == telemetry.Stale || u.Quality[j] == telemetry.OutOfRange) {
			continue
		}
		if s.tick == tick {
			s.good++
		}
		t := u.Time(ts, j)
		t -= floorMod(t, 1000) // what the store keeps: history and export see the same bits
		if t >= s.at || s.at == 0 {
			s.val, s.at = v, t
		}
		if s.feat >= 0 {
			r.feats.add(int(s.feat), t, v)
		}
		if s.signal >= 0 && tick <= r.head {
			if rec.ats[s.signal] == 0 || t >= rec.ats[s.signal] {
				rec.vals[s.signal], rec.ats[s.signal] = v, t
			}
		}
	}
}

// add makes the row of a tick from what is known.
func (l *lane) add(r *road, rec *record, origin telemetry.Origin, offset int64, amend bool) {
	p := r.prog
	w := row{rd: r, prog: p, waves: r.waves, tick: rec.tick, amend: amend, state: rec.state, since: rec.since, num: len(l.num), due: len(l.due),
		cause: len(l.causes), causes: len(rec.causes), origin: origin, simulated: rec.simulated, offset: offset}
	l.causes = append(l.causes, rec.causes...)
	l.num = grow(l.num, len(p.names))
	l.txt = grow(l.txt, len(p.names))
	l.due = grow(l.due, len(p.nodes))
	l.errs = grow(l.errs, len(p.nodes))
	l.carried = grow(l.carried, len(p.nodes))
	num := l.num[w.num:]
	for i := range num {
		num[i] = nan
	}
	clear(l.txt[w.num:])
	clear(l.errs[w.due:])
	clear(l.carried[w.due:])
	for k, sig := range p.channels {
		num[sig] = rec.vals[k]
	}
	r.feats.state(rec.tick, telemetry.States[rec.state], amend)
	r.feats.read(rec.tick, num, p.features)
	if p.state >= 0 {
		l.txt[w.num+p.state] = telemetry.States[rec.state]
		num[p.state] = float64(rec.state)
	}
	if len(p.parts) > 0 {
		if x := r.parts.at(rec.tick); x != nil {
			for _, sig := range p.parts {
				if v, ok := x.numbers[p.names[sig][len(partModel)+1:]]; ok {
					num[sig] = v
				}
			}
		}
	}
	for i := range p.nodes {
		n := &p.nodes[i]
		due := r.can[i] && n.broken == ""
		if due && amend && n.memory != nil { // it has gone on since: the tick cannot be asked again
			due, l.errs[w.due+i] = false, "model "+n.ref+": remembers what came before; a late frame does not change it"
		}
		if due && n.every > 0 {
			run := &r.runs[i]
			due = rec.tick == r.head && (run.due == 0 || run.due == rec.tick || floorDiv(run.due, n.every) != floorDiv(rec.tick, n.every))
			if due {
				run.due = rec.tick
			}
		}
		l.due[w.due+i] = due
	}
	confidence(r, rec.tick, &w.subs)
	if r.batch != l.batch {
		r.batch, r.first = l.batch, rec.tick
	}
	l.rows = append(l.rows, w)
	if amend && r.head-rec.tick > laterSpan { // its samples may not be kept until the batch is scored
		l.rowLater(&l.rows[len(l.rows)-1])
	}
	if !slices.Contains(l.used, p) {
		l.used = append(l.used, p)
	}
}

func floorDiv(a, b int64) int64 { return (a - floorMod(a, b)) / b }

func grow[T any](s []T, n int) []T {
	s = slices.Grow(s, n)
	return s[:len(s)+n]
}

// flush scores the rows in hand and passes on what comes out.
func (l *lane) flush() {
	if len(l.rows) == 0 {
		return
	}
	for _, p := range l.used {
		l.run(p)
	}
	for i := range l.rows {
		l.finish(&l.rows[i], i)
	}
	l.rows, l.used, l.batch = l.rows[:0], l.used[:0], l.batch+1
	l.num, l.txt, l.due, l.errs, l.carried, l.causes = l.num[:0], l.txt[:0], l.due[:0], l.errs[:0], l.carried[:0], l.causes[:0]
}
