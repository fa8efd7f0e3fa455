package scorer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/services/internal/snapshot"
	"github.com/mudpulse/mudpulse/telemetry"
)

// snapshotVersion is the first number of a partition's snapshot. Layout, fields
// as package snapshot writes them:
//
//	version · partition · lanes · { markers · rules · tags · equipment · models · waiting } · drills · { name · where · its state where where is 0 }
//	state: de-duplication · lanes · { whether it is there · channels and models of its program · what the lane knows of it }
//
// The partition's number is there so that no two partitions' snapshots are the
// same bytes: one would remove the blob that the other's manifest names.
// Programs name their channels and models, so that a later version that orders
// them otherwise still finds what a drill kept of them. A drill's state lies in
// the snapshot (where is 0) or in the piece of that number (piece.go).
const snapshotVersion = 8

// A versionError says which version wrote a snapshot that this one cannot read.
type versionError uint64

func (v versionError) Error() string {
	return fmt.Sprintf("it was written by version %d of the scorer's snapshots, this program reads 4, 5, 7 and %d", v, snapshotVersion)
}

// Snapshot flushes, then appends the partition's whole state to b.
func (p *Partition) Snapshot(b []byte) ([]byte, error) {
	p.Flush()
	w := &snapshot.Writer{B: b}
	p.appendHead(w)
	w.Uint(uint64(len(p.order)))
	for _, d := range p.order {
		w.String(d.name)
		w.Uint(0)
		state, err := p.appendDrill(nil, d)
		if err != nil {
			return nil, fmt.Errorf("snapshot: %w", err)
		}
		w.Bytes(state)
	}
	return w.B, nil
}

// appendHead appends all but the drills.
func (p *Partition) appendHead(w *snapshot.Writer) {
	w.Uint(snapshotVersion)
	w.Uint(uint64(p.cfg.Number))
	w.Uint(lanes)
	for _, l := range p.lanes {
		l.append(w)
	}
}

// appendDrill appends what is known of one drill, of which no rows may be in hand.
func (p *Partition) appendDrill(b []byte, d *drill) ([]byte, error) {
	w := &snapshot.Writer{B: b}
	p.scratch = p.seen.AppendDrill(p.scratch[:0], d.name)
	w.Bytes(p.scratch)
	for _, l := range p.lanes {
		r := l.roads[d.name]
		w.Bool(r != nil)
		if r == nil {
			continue
		}
		w.Uint(uint64(len(r.prog.channels)))
		for _, sig := range r.prog.channels {
			w.String(r.prog.names[sig])
		}
		w.Uint(uint64(len(r.prog.nodes)))
		for i := range r.prog.nodes {
			w.String(r.prog.nodes[i].ref)
			w.Bool(r.prog.nodes[i].shadow)
		}
		r.append(w)
		var err error
		if p.scratch, err = r.feats.append(p.scratch[:0]); err != nil {
			return b, fmt.Errorf("drill %s: features: %w", d.name, err)
		}
		w.Bytes(p.scratch)
	}
	return w.B, nil
}

func (l *lane) append(w *snapshot.Writer) {
	ids := slices.Sorted(maps.Keys(l.markers))
	w.Uint(uint64(len(ids)))
	for _, id := range ids {
		w.String(id)
	}
	w.String(l.rules)
	tags := slices.Sorted(maps.Keys(l.tags))
	w.Uint(uint64(len(tags)))
	for _, t := range tags {
		w.String(t)
	}
	appendParts(w, l.parts)
	for _, list := range [2][]*activation{l.acts, l.waiting} {
		w.Uint(uint64(len(list)))
		for _, a := range list {
			w.String(a.name)
			w.Uint(uint64(a.version))
			w.String(a.sha256)
			w.Bool(a.shadow)
			w.Bool(a.canary)
			w.Uint(uint64(len(a.drills)))
			for _, g := range a.drills {
				w.String(g)
			}
			w.String(a.broken)
			w.Bytes(a.remembered())
		}
	}
}

// append appends all of the road but its features.
func (r *road) append(w *snapshot.Writer) {
	w.Int(r.head)
	w.Bool(r.simulated)
	r.rig.append(w)
	r.hole.append(w)
	appendWaves(w, r.waves)
	w.Uint(uint64(len(r.slots)))
	for i := range r.slots {
		s := &r.slots[i]
		w.String(s.name)
		w.Float(s.val)
		w.Int(s.at)
		w.Int(s.tick)
		w.Uint(uint64(s.good))
		w.Uint(uint64(s.all))
	}
	for i := range r.runs {
		c := &r.runs[i]
		w.Int(c.due)
		w.Int(c.at)
		w.String(c.err)
		w.Uint(uint64(len(c.num)))
		for k := range c.num {
			w.Float(c.num[k])
			w.String(c.txt[k])
		}
		c.said.append(w)
	}
	r.det.Append(w)
	n := int64(len(r.ring))
	kept := uint64(0)
	for i := range r.ring {
		if t := r.ring[i].tick; t != 0 && r.head-t < n*second {
			kept++
		}
	}
	w.Uint(kept)
	for at := r.head - (n-1)*second; at <= r.head; at += second {
		rec := &r.ring[floorMod(at/second, n)]
		if rec.tick != at || at == 0 {
			continue
		}
		w.Int(r.head - rec.tick)
		w.Uint(uint64(rec.state))
		w.Int(rec.since)
		w.Bool(rec.simulated)
		w.Uint(uint64(len(rec.causes)))
		for _, id := range rec.causes {
			w.String(id.Device)
			w.String(id.Boot)
			w.Uint(id.Seq)
			w.Uint(uint64(id.Part))
		}
		for k := range rec.vals {
			w.Float(rec.vals[k])
			w.Int(rec.tick - rec.ats[k])
		}
	}
}

// Restore replaces the partition's state by that of a snapshot in one piece. On an
// error the partition must not be used. Models and rules are loaded again by their SHA-256.
func (p *Partition) Restore(ctx context.Context, b []byte) error {
	return p.restore(ctx, b, nil, nil)
}

// restore is Restore for a snapshot whose drills lie in pieces, which unpack fetches.
func (p *Partition) restore(ctx context.Context, b []byte, pieces []*piece, unpack func(sha256 string) ([]byte, error)) error {
	r := snapshot.NewReader(b)
	v := r.Uint()
	switch v {
	case snapshotVersion, 7, 5:
		r.Uint()
	case 4: // without the partition
	default:
		return versionError(v)
	}
	if v <= 5 {
		return p.restoreWhole(ctx, r)
	}
	if n := r.Uint(); n != lanes {
		return fmt.Errorf("restore: %w: %d lanes", snapshot.ErrCorrupt, n)
	}
	for _, l := range p.lanes {
		if err := l.restore(ctx, r); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
	}
	where := map[string]uint64{}
	for range r.Len(2) {
		d, at := p.drill(r.String()), r.Uint()
		if at > uint64(len(pieces)) {
			return fmt.Errorf("restore: %w: drill %s lies in piece %d of %d", snapshot.ErrCorrupt, d.name, at, len(pieces))
		}
		if at > 0 {
			where[d.name] = at
			d.in = pieces[at-1]
			p.settled(d)
		} else if err := p.restoreDrill(d, r.Bytes(), v); err != nil {
			return fmt.Errorf("restore: drill %s: %w", d.name, err)
		}
	}
	if r.Err() != nil {
		return r.Err()
	}
	for i, x := range pieces {
		b, err := unpack(x.SHA256)
		if err == nil {
			err = p.restorePiece(b, uint64(i+1), where)
		}
		if err != nil {
			return fmt.Errorf("restore: piece %d: %w", i+1, err)
		}
	}
	for name := range where {
		return fmt.Errorf("restore: %w: drill %s is in no piece", snapshot.ErrCorrupt, name)
	}
	return nil
}

func (p *Partition) restoreDrill(d *drill, b []byte, version uint64) error {
	r := snapshot.NewReader(b)
	if err := p.seen.AddBinary(r.Bytes()); err != nil {
		return err
	}
	for _, l := range p.lanes {
		if !r.Bool() {
			continue
		}
		if err := l.restoreRoad(d.name, r, readLayout(r), version); err != nil {
			return err
		}
	}
	return r.Err()
}

// restoreWhole reads what versions before 6 wrote: all of de-duplication, then each lane with its drills.
func (p *Partition) restoreWhole(ctx context.Context, r *snapshot.Reader) error {
	if err := p.seen.UnmarshalBinary(r.Bytes()); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	for _, name := range p.seen.Drills() {
		p.drill(name)
	}
	if n := r.Uint(); n != lanes {
		return fmt.Errorf("restore: %w: %d lanes", snapshot.ErrCorrupt, n)
	}
	for _, l := range p.lanes {
		if err := l.restore(ctx, r); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		var progs []layout
		for range r.Len(2) {
			progs = append(progs, readLayout(r))
		}
		for range r.Len(8) {
			name, k := r.String(), r.Uint()
			if r.Err() != nil {
				return r.Err()
			}
			if k >= uint64(len(progs)) {
				return fmt.Errorf("restore: %w: drill %s has no program", snapshot.ErrCorrupt, name)
			}
			p.drill(name)
			if err := l.restoreRoad(name, r, progs[k], 5); err != nil {
				return fmt.Errorf("restore: drill %s: %w", name, err)
			}
		}
	}
	return r.Err()
}

func (l *lane) restore(ctx context.Context, r *snapshot.Reader) error {
	for range r.Len(1) {
		l.markers[r.String()] = true
	}
	if l.rules = r.String(); l.rules != "" {
		b, err := l.part.rules.Fetch(ctx, l.rules)
		if err != nil {
			return fmt.Errorf("%w rules %s: %w", ErrFetch, l.rules, err)
		}
		rules, err := alarms.Parse(b)
		if err != nil {
			return err
		}
		if l.watch, err = l.part.compileRules(rules); err != nil {
			return err
		}
	}
	for range r.Len(1) {
		t := r.String()
		l.tags[t] = &telemetry.Channel{Tag: t, User: true}
	}
	restoreParts(r, l.parts)
	for k := range 2 {
		for range r.Len(6) {
			a := &activation{name: r.String(), version: int(r.Uint()), sha256: r.String(), shadow: r.Bool(), canary: r.Bool()}
			for range r.Len(1) {
				a.drills = append(a.drills, r.String())
			}
			a.ref, a.broken = reference(a.name, a.version), r.String()
			memory := r.Bytes()
			if r.Err() != nil {
				return r.Err()
			}
			m, err := l.part.load(ctx, a.sha256)
			if err != nil {
				return fmt.Errorf("model %s: %w", a.ref, err)
			}
			a.use(m)
			if a.memory != nil && len(memory) > 0 {
				if err := a.memory.Recall(memory); err != nil {
					return fmt.Errorf("model %s: %w", a.ref, err)
				}
			}
			if k == 0 {
				l.acts = append(l.acts, a)
			} else {
				l.waiting = append(l.waiting, a)
			}
		}
	}
	return r.Err()
}

// A layout is the order in which a program had its channels and models.
type layout struct {
	channels, refs []string
	shadow         []bool
}

func readLayout(r *snapshot.Reader) (p layout) {
	for range r.Len(1) {
		p.channels = append(p.channels, r.String())
	}
	for range r.Len(2) {
		p.refs, p.shadow = append(p.refs, r.String()), append(p.shadow, r.Bool())
	}
	return p
}

// restoreRoad reads a drill that was written under a program of that layout, with
// what that version of the snapshot knew: its hole from 7 on, its waveforms from 8 on.
func (l *lane) restoreRoad(drill string, r *snapshot.Reader, was layout, version uint64) error {
	road := newRoad(drill, l.part.cfg.Late)
	road.parts = l.parts[drill]
	l.roads[drill] = road
	l.follow(road)
	p := road.prog
	chans := make([]int, len(was.channels))
	for i, name := range was.channels {
		chans[i] = slices.IndexFunc(p.channels, func(sig int) bool { return p.names[sig] == name })
	}
	nodes := make([]int, len(was.refs))
	for i, ref := range was.refs {
		nodes[i] = slices.IndexFunc(p.nodes, func(n node) bool { return n.ref == ref && n.shadow == was.shadow[i] })
	}
	if err := road.restore(r, chans, nodes, version); err != nil {
		return err
	}
	for i := range road.slots {
		road.describe(i, l.channel(road.slots[i].name))
	}
	road.bind()
	return nil
}

// restore reads what append wrote; chans and nodes map its program's channels and
// models to those of the program now, -1 gone.
func (r *road) restore(rd *snapshot.Reader, chans, nodes []int, version uint64) error {
	r.head, r.simulated = rd.Int(), rd.Bool()
	r.rig.restore(rd)
	if version > 5 {
		r.hole.restore(rd)
	}
	if version > 7 {
		r.waves = restoreWaves(rd)
	}
	n := rd.Len(13)
	if n > telemetry.MaxRuns {
		return fmt.Errorf("%w: %d channels", snapshot.ErrCorrupt, n)
	}
	for i := range n {
		s := slot{name: rd.String(), feat: -1, signal: -1, sub: -1, val: rd.Float(), at: rd.Int(), tick: rd.Int(), good: int32(rd.Uint()), all: int32(rd.Uint())}
		r.slots = append(r.slots, s)
		r.byName[s.name] = i
	}
	for _, to := range nodes {
		c := carry{due: rd.Int(), at: rd.Int(), err: rd.String()}
		for range rd.Len(9) {
			c.num, c.txt = append(c.num, rd.Float()), append(c.txt, rd.String())
		}
		c.said = restoreSaid(rd)
		if to >= 0 && (len(c.num) == 0 || len(c.num) == len(r.prog.nodes[to].out)) {
			r.runs[to] = c
		}
	}
	if err := r.det.Restore(rd); err != nil {
		return err
	}
	for range rd.Len(6) {
		tick := r.head - rd.Int()
		state, since, sim := byte(min(rd.Uint(), stUnknown)), rd.Int(), rd.Bool()
		var causes []telemetry.FrameID
		for range rd.Len(4) {
			causes = append(causes, telemetry.FrameID{Device: rd.String(), Boot: rd.String(), Seq: rd.Uint(), Part: uint32(rd.Uint())})
		}
		if rd.Err() != nil {
			return rd.Err()
		}
		rec := &r.ring[floorMod(tick/second, int64(len(r.ring)))]
		*rec = record{tick: tick, state: state, since: since, simulated: sim, causes: causes,
			vals: make([]float64, len(r.prog.channels)), ats: make([]int64, len(r.prog.channels))}
		for k := range rec.vals {
			rec.vals[k] = nan
		}
		for _, to := range chans {
			v, at := rd.Float(), tick-rd.Int()
			if to >= 0 {
				rec.vals[to], rec.ats[to] = v, at
			}
		}
	}
	return errors.Join(r.feats.restore(rd.Bytes()), rd.Err())
}
