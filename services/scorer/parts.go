package scorer

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mudpulse/mudpulse/services/internal/snapshot"
	"github.com/mudpulse/mudpulse/telemetry"
)

// partModel is the model whose outputs are the numbers of the parts in place:
// part.top_drive_bearing_bpfo. No model of that name is let in.
const partModel = "part"

// maxChanges are remembered of a drill; beyond them the oldest are forgotten,
// but for those that still say what is in place.
const maxChanges = 512

// equipment is what happened to the parts of one drill, as a lane was told, in
// order of event time. A lane keeps it whether the drill was heard or not, and
// over a restart of its road: it says what was in place at any tick.
type equipment struct {
	changes []change
	epochs  []epoch // of the same length: what is in place from each change on
}

type change struct {
	id   string // Marker.Name
	from int64  // event time, Unix ns
	telemetry.RunChange
}

type epoch struct {
	from    int64
	runs    []string           // by position; shared with scores
	numbers map[string]float64 // POSITION_NAME
}

// put adds a change in the place of one of the same id, which is returned.
func (e *equipment) put(c change) (old change, had bool) {
	old, had = e.take(c.id)
	i, _ := slices.BinarySearchFunc(e.changes, c, func(a, b change) int { return cmp.Or(cmp.Compare(a.from, b.from), strings.Compare(a.id, b.id)) })
	e.changes = slices.Insert(e.changes, i, c)
	if len(e.changes) > maxChanges {
		e.forget()
	}
	e.settle()
	return old, had
}

// take removes a change.
func (e *equipment) take(id string) (old change, had bool) {
	i := slices.IndexFunc(e.changes, func(c change) bool { return c.id == id })
	if i < 0 {
		return old, false
	}
	old = e.changes[i]
	e.changes = slices.Delete(e.changes, i, i+1)
	e.settle()
	return old, true
}

// forget drops the oldest change that a later one at its position has overtaken.
func (e *equipment) forget() {
	for i, c := range e.changes {
		if c.Keeps || slices.ContainsFunc(e.changes[i+1:], func(o change) bool { return o.Position == c.Position && !o.Keeps }) {
			e.changes = slices.Delete(e.changes, i, i+1)
			return
		}
	}
	e.changes = slices.Delete(e.changes, 0, 1)
}

// settle makes the epochs anew.
func (e *equipment) settle() {
	e.epochs = e.epochs[:0]
	runs, numbers := map[string]string{}, map[string]map[string]float64{}
	for _, c := range e.changes {
		if !c.Keeps {
			delete(runs, c.Position)
			delete(numbers, c.Position)
			if c.Run != "" {
				runs[c.Position], numbers[c.Position] = c.Run, c.Numbers
			}
		}
		x := epoch{from: c.from, numbers: map[string]float64{}}
		for _, p := range slices.Sorted(maps.Keys(runs)) {
			x.runs = append(x.runs, runs[p])
			for name, v := range numbers[p] {
				x.numbers[partWord(p, name)] = v
			}
		}
		x.runs = slices.Clip(x.runs)
		e.epochs = append(e.epochs, x)
	}
}

// partWord is a number's name behind "part.".
func partWord(position, name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(position, "/", "_"), "-", "_") + "_" + name
}

// at returns what is in place at a time; nil: nothing is known.
func (e *equipment) at(t int64) *epoch {
	if e == nil {
		return nil
	}
	for i := len(e.epochs) - 1; i >= 0; i-- { // mostly the last
		if e.epochs[i].from <= t {
			return &e.epochs[i]
		}
	}
	return nil
}

// runsAt names the runs at a tick.
func (r *road) runsAt(tick int64) []string {
	if x := r.parts.at(tick); x != nil {
		return x.runs
	}
	return nil
}

// checkRun refuses a marker that says nothing that can be done.
func checkRun(m *telemetry.Marker) error {
	switch {
	case m.Run == nil || m.Run.Position == "":
		return errors.New("run: a change of equipment needs its position")
	case len(m.Drills) != 1 || telemetry.ValidID(m.Drills[0]) != nil:
		return fmt.Errorf("drills: a change of equipment is one drill's, not %q", m.Drills)
	case m.From == 0:
		return errors.New("from: a change of equipment needs the time from which it holds")
	case m.Action != "activate" && m.Action != "deactivate":
		return fmt.Errorf("action %q: must be activate or deactivate", m.Action)
	}
	return nil
}

// equip takes a change in, or back. One in the future of the drill waits for its
// tick; one of its past holds from its time on, and the ticks after it that late
// frames could still amend are scored again under it.
func (l *lane) equip(m *telemetry.Marker) error {
	drill := m.Drills[0]
	e := l.parts[drill]
	if e == nil {
		e = &equipment{}
		l.parts[drill] = e
	}
	c := change{m.Name, m.From, *m.Run}
	var old change
	var had bool
	if m.Action == "activate" {
		old, had = e.put(c)
	} else if old, had = e.take(m.Name); !had {
		return nil
	}
	r := l.roads[drill]
	if r == nil {
		return nil
	}
	r.parts = e
	from := m.From
	same := had && m.Action == "activate" && old.from == c.from && old.Event == c.Event && slices.Equal(old.Channels, c.Channels)
	if had {
		from = min(from, old.from)
		if !same && old.Event != "" && old.from <= r.head {
			r.feats.s.TakeEvent(old.from, old.Event)
		}
	}
	if r.head == 0 || from > r.head {
		return nil
	}
	if m.Action == "activate" && !same { // else only its numbers are others
		r.change(&c)
	}
	origin := telemetry.Live
	if l.which == laneHistory {
		origin = telemetry.Backfill
	}
	for tick := max(floorMod0(from), r.head-int64(len(r.ring)-1)*second); tick <= r.head; tick += second {
		rec := &r.ring[floorMod(tick/second, int64(len(r.ring)))]
		if rec.tick == tick && len(rec.causes) > 0 {
			l.add(r, rec, origin, 0, true)
			if len(l.rows) >= l.part.cfg.Rows {
				l.part.Flush()
			}
		}
	}
	return nil
}

// floorMod0 is the tick in which a time lies.
func floorMod0(t int64) int64 { return t - floorMod(t, second) }

// change lets a change take effect on what is remembered of the stream.
func (r *road) change(c *change) {
	if c.from > r.head {
		return
	}
	if c.Event != "" {
		r.feats.s.Event(c.from, c.Event)
	}
	for _, ch := range c.Channels {
		r.feats.s.ResetBaselines(ch)
	}
}

// pass lets the changes take effect whose time came between the newest tick
// before and the one now: up to the end of its second.
func (r *road) pass(before, now int64) {
	if r.parts == nil {
		return
	}
	for i := len(r.parts.changes) - 1; i >= 0; i-- {
		c := &r.parts.changes[i]
		if before != 0 && c.from <= before {
			break
		}
		if c.from <= now {
			r.change(c)
		}
	}
}

func appendParts(w *snapshot.Writer, parts map[string]*equipment) {
	w.Uint(uint64(len(parts)))
	for _, drill := range slices.Sorted(maps.Keys(parts)) {
		w.String(drill)
		list := parts[drill].changes
		w.Uint(uint64(len(list)))
		for _, c := range list {
			w.String(c.id)
			w.Int(c.from)
			w.String(c.Position)
			w.String(c.Run)
			w.Bool(c.Keeps)
			w.String(c.Event)
			w.Uint(uint64(len(c.Channels)))
			for _, ch := range c.Channels {
				w.String(ch)
			}
			w.Uint(uint64(len(c.Numbers)))
			for _, k := range slices.Sorted(maps.Keys(c.Numbers)) {
				w.String(k)
				w.Float(c.Numbers[k])
			}
		}
	}
}

func restoreParts(r *snapshot.Reader, parts map[string]*equipment) {
	for range r.Len(2) {
		e := &equipment{}
		parts[r.String()] = e
		for range r.Len(8) {
			c := change{id: r.String(), from: r.Int()}
			c.Position, c.Run, c.Keeps, c.Event = r.String(), r.String(), r.Bool(), r.String()
			for range r.Len(1) {
				c.Channels = append(c.Channels, r.String())
			}
			for range r.Len(9) {
				if c.Numbers == nil {
					c.Numbers = map[string]float64{}
				}
				k := r.String()
				c.Numbers[k] = r.Float()
			}
			e.changes = append(e.changes, c)
		}
		e.settle()
	}
}
