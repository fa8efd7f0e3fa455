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
//	version · partition · de-duplication · lanes · { markers · rules · tags · equipment · models · waiting · programs · drills }
//
// The partition's number is there so that no two partitions' snapshots are the
// same bytes: one would remove the blob that the other's manifest names.
// Programs name their channels and models, so that a later version that orders
// them otherwise still finds what a drill kept of them.
const snapshotVersion = 5

// Snapshot flushes, then appends the partition's whole state to b.
func (p *Partition) Snapshot(b []byte) ([]byte, error) {
	p.Flush()
	w := &snapshot.Writer{B: b}
	w.Uint(snapshotVersion)
	w.Uint(uint64(p.cfg.Number))
	seen, err := p.seen.AppendBinary(nil)
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	w.Bytes(seen)
	w.Uint(lanes)
	for _, l := range p.lanes {
		if err := l.append(w); err != nil {
			return nil, fmt.Errorf("snapshot: %w", err)
		}
	}
	return w.B, nil
}

func (l *lane) append(w *snapshot.Writer) error {
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
	var progs []*program
	for _, drill := range l.names {
		if p := l.roads[drill].prog; !slices.Contains(progs, p) {
			progs = append(progs, p)
		}
	}
	w.Uint(uint64(len(progs)))
	for _, p := range progs {
		w.Uint(uint64(len(p.channels)))
		for _, sig := range p.channels {
			w.String(p.names[sig])
		}
		w.Uint(uint64(len(p.nodes)))
		for i := range p.nodes {
			w.String(p.nodes[i].ref)
			w.Bool(p.nodes[i].shadow)
		}
	}
	w.Uint(uint64(len(l.names)))
	for _, drill := range l.names {
		r := l.roads[drill]
		w.String(drill)
		w.Uint(uint64(slices.Index(progs, r.prog)))
		if err := r.append(w); err != nil {
			return err
		}
	}
	return nil
}

func (r *road) append(w *snapshot.Writer) error {
	w.Int(r.head)
	w.Bool(r.simulated)
	r.rig.append(w)
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
	var recs []*record
	for i := range r.ring {
		if t := r.ring[i].tick; t != 0 && r.head-t < int64(len(r.ring))*second {
			recs = append(recs, &r.ring[i])
		}
	}
	slices.SortFunc(recs, func(a, b *record) int { return int((a.tick - b.tick) / second) })
	w.Uint(uint64(len(recs)))
	for _, rec := range recs {
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
	f, err := r.feats.append(nil)
	if err != nil {
		return fmt.Errorf("drill %s: features: %w", r.drill, err)
	}
	w.Bytes(f)
	return nil
}

// Restore replaces the partition's state by a snapshot's. On an error the
// partition must not be used. Models and rules are loaded again by their SHA-256.
func (p *Partition) Restore(ctx context.Context, b []byte) error {
	r := snapshot.NewReader(b)
	switch v := r.Uint(); v {
	case snapshotVersion:
		r.Uint()
	case snapshotVersion - 1: // without the partition
	default:
		return fmt.Errorf("restore: snapshot has version %d, this is version %d", v, snapshotVersion)
	}
	if err := p.seen.UnmarshalBinary(r.Bytes()); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if n := r.Uint(); n != lanes {
		return fmt.Errorf("restore: %w: %d lanes", snapshot.ErrCorrupt, n)
	}
	for _, l := range p.lanes {
		if err := l.restore(ctx, r); err != nil {
			return fmt.Errorf("restore: %w", err)
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
	type layout struct {
		channels, refs []string
		shadow         []bool
	}
	var progs []layout
	for range r.Len(2) {
		var p layout
		for range r.Len(1) {
			p.channels = append(p.channels, r.String())
		}
		for range r.Len(2) {
			p.refs, p.shadow = append(p.refs, r.String()), append(p.shadow, r.Bool())
		}
		progs = append(progs, p)
	}
	for range r.Len(8) {
		drill, k := r.String(), r.Uint()
		if r.Err() != nil {
			return r.Err()
		}
		if k >= uint64(len(progs)) {
			return fmt.Errorf("%w: drill %s has no program", snapshot.ErrCorrupt, drill)
		}
		road := newRoad(drill, l.part.cfg.Late)
		road.parts = l.parts[drill]
		l.roads[drill] = road
		l.names = append(l.names, drill)
		l.follow(road)
		p := road.prog
		chans := make([]int, len(progs[k].channels))
		for i, name := range progs[k].channels {
			chans[i] = slices.IndexFunc(p.channels, func(sig int) bool { return p.names[sig] == name })
		}
		nodes := make([]int, len(progs[k].refs))
		for i, ref := range progs[k].refs {
			nodes[i] = slices.IndexFunc(p.nodes, func(n node) bool { return n.ref == ref && n.shadow == progs[k].shadow[i] })
		}
		if err := road.restore(r, chans, nodes); err != nil {
			return fmt.Errorf("drill %s: %w", drill, err)
		}
		for i := range road.slots {
			road.describe(i, l.channel(road.slots[i].name))
		}
		road.bind()
	}
	return r.Err()
}

// restore reads what append wrote; chans and nodes map its program's channels and
// models to those of the program now, -1 gone.
func (r *road) restore(rd *snapshot.Reader, chans, nodes []int) error {
	r.head, r.simulated = rd.Int(), rd.Bool()
	r.rig.restore(rd)
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
