package feature

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
)

// A state in bytes: little-endian words of 8 bytes, texts with their length
// before. What the reader's plan does not need is skipped; so a checkpoint of
// one set of models serves another.
//
//	version=4 · head · rig{ n · {at · state} } · channels{ n · { name · seconds (pack.go) ·
//	  gates{ n · { gate · minutes{ n · {at · tile} } · hours{ n · {at · tile} } } } } } · baselines{ n · {name · n · mean · m2 · minute} } ·
//	  events{ n · {kind · k · {t}} } · waves{ n · { name · measures{ k · {key} } · m · {t · crc · state · k · {value}} } }
//
// Before version 4 the seconds were { n · {at · k · {t · v}} }; version 2 ends before waves.
const snapshotVersion = 4

var errSnapshot = errors.New("feature: state is cut off or damaged")

type writer struct {
	b     []byte
	pack  packer
	secs  []*second
	rig   []*rigAt
	spans []*span
}

// writers are used again: their room is a state's size.
var writers = sync.Pool{New: func() any { return new(writer) }}

// free gives the room back, and holds on to nothing of the state.
func (w *writer) free() {
	w.b = nil
	clear(w.secs[:cap(w.secs)])
	clear(w.rig[:cap(w.rig)])
	clear(w.spans[:cap(w.spans)])
	writers.Put(w)
}

// oldestFirst appends what a ring holds in order of time; newest is the time of its
// newest place. A place where nothing came for a turn of the ring, or for more, still
// holds what is older by as many turns.
func oldestFirst[T any](to []*T, ring []T, newest int64, at func(*T) int64) []*T {
	n := int64(len(ring))
	if n == 0 {
		return to
	}
	turns := int64(0)
	for i := range ring {
		if t := at(&ring[i]); t > 0 && newest-t >= (turns+1)*n {
			turns = (newest - t) / n
		}
	}
	from := int((newest + 1) % n)
	if turns > 3 { // seldom heard
		for i := range ring {
			if at(&ring[i]) > 0 {
				to = append(to, &ring[i])
			}
		}
		slices.SortFunc(to, func(a, b *T) int { return cmp.Compare(at(a), at(b)) })
		return to
	}
	for ; turns >= 0; turns-- {
		last := newest - turns*n
		for i := range ring {
			if i += from; i >= len(ring) {
				i -= len(ring)
			}
			if t := at(&ring[i]); t > 0 && t <= last && t > last-n {
				to = append(to, &ring[i])
			}
		}
	}
	return to
}

func (w *writer) int(v int64)     { w.b = binary.LittleEndian.AppendUint64(w.b, uint64(v)) }
func (w *writer) float(v float64) { w.b = binary.LittleEndian.AppendUint64(w.b, math.Float64bits(v)) }
func (w *writer) text(s string)   { w.int(int64(len(s))); w.b = append(w.b, s...) }

func (t *tile) words() []*float64 {
	return []*float64{&t.n, &t.mean, &t.m2, &t.m3, &t.m4, &t.sum, &t.sq, &t.min, &t.max, &t.first, &t.last, &t.t0, &t.t1, &t.tm, &t.tt, &t.tv}
}

// AppendBinary appends the state to b; equal states have equal bytes.
func (s *State) AppendBinary(b []byte) ([]byte, error) {
	w := writers.Get().(*writer)
	w.b = b
	defer w.free()
	w.int(snapshotVersion)
	w.int(s.head)
	w.rig = oldestFirst(w.rig[:0], s.rig, s.head, func(r *rigAt) int64 {
		if r.at <= s.head-int64(len(s.rig)) {
			return 0
		}
		return r.at
	})
	w.int(int64(len(w.rig)))
	for _, r := range w.rig {
		w.int(r.at)
		w.text(s.words[r.word])
	}
	w.int(int64(len(s.chans)))
	for ch := range s.chans {
		s.appendChannel(w, ch)
	}
	var based []int
	for i, n := range s.plan.names {
		if n.Z {
			based = append(based, i)
		}
	}
	w.int(int64(len(based)))
	for _, i := range based {
		x := s.base[i]
		w.text(s.plan.names[i].text)
		w.float(x.n)
		w.float(x.mean)
		w.float(x.m2)
		w.int(x.minute)
	}
	kinds := make([]string, 0, len(s.events))
	for k := range s.events {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	w.int(int64(len(kinds)))
	for _, k := range kinds {
		w.text(k)
		w.int(int64(len(s.events[k])))
		for _, t := range s.events[k] {
			w.float(t)
		}
	}
	s.appendWaves(w)
	return w.b, nil
}

func (s *State) appendChannel(w *writer, ch int) {
	c := &s.chans[ch]
	w.text(s.plan.channels[ch])
	w.secs = oldestFirst(w.secs[:0], c.secs, c.newest, func(x *second) int64 {
		if len(x.samples) == 0 {
			return 0
		}
		return x.at
	})
	w.b = w.pack.seconds(w.b, w.secs)
	w.int(int64(len(c.gates)))
	for g := range c.gates {
		w.text(s.plan.perChan[ch].gates[g])
		for level, ring := range [][]span{c.gates[g].mins, c.gates[g].hours} {
			list := oldestFirst(w.spans[:0], ring, c.newest/[]int64{60, 3600}[level], func(x *span) int64 { return x.at })
			w.spans = list
			w.int(int64(len(list)))
			for _, x := range list {
				if x.stale {
					if level == 0 {
						s.minute(ch, g, x.at)
					} else {
						s.hour(ch, g, x.at)
					}
				}
				w.int(x.at)
				for _, p := range x.sum.words() {
					w.float(*p)
				}
			}
		}
	}
}

// MarshalBinary returns the state.
func (s *State) MarshalBinary() ([]byte, error) { return s.AppendBinary(nil) }

type reader struct {
	b   []byte
	bad bool
}

func (r *reader) word() uint64 {
	if len(r.b) < 8 {
		r.b, r.bad = nil, true
		return 0
	}
	v := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

func (r *reader) int() int64     { return int64(r.word()) }
func (r *reader) float() float64 { return math.Float64frombits(r.word()) }

// count reads how many items of at least size bytes follow.
func (r *reader) count(size int) int {
	n := r.word()
	if n > uint64(len(r.b)/size) {
		r.b, r.bad = nil, true
		return 0
	}
	return int(n)
}

func (r *reader) text() string {
	n := r.word()
	if n > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

// UnmarshalBinary fills an empty state with what b holds and the plan needs.
func (s *State) UnmarshalBinary(b []byte) error {
	r := &reader{b: b}
	v := r.int()
	if v < 2 || v > snapshotVersion {
		return fmt.Errorf("feature: state of version %d: want %d", v, snapshotVersion)
	}
	n := s.plan.NewState()
	n.head = r.int()
	if n.head < 0 || n.head > 1<<40 {
		return errSnapshot
	}
	for k := r.count(16); k > 0 && !r.bad; k-- {
		at, word := r.int(), r.text()
		if at <= 0 || at > n.head || len(n.words) == maxWords {
			return errSnapshot
		}
		x := rigAt{at, n.word(word)}
		if y := &n.rig[x.at%int64(len(n.rig))]; y.at < x.at {
			*y = x
		}
	}
	var u unpacker
	for k := r.count(21); k > 0 && !r.bad; k-- {
		n.readChannel(r, v, &u)
	}
	for k := r.count(40); k > 0 && !r.bad; k-- {
		name := r.text()
		x := baseline{n: r.float(), mean: r.float(), m2: r.float(), minute: r.int()}
		if i := slices.IndexFunc(n.plan.names, func(m Name) bool { return m.text == name && m.Z }); i >= 0 {
			n.base[i] = x
		}
	}
	for k := r.count(16); k > 0 && !r.bad; k-- {
		kind := r.text()
		var list []float64
		for m := r.count(8); m > 0; m-- {
			list = append(list, r.float())
		}
		if len(list) > maxEvents {
			return errSnapshot
		}
		n.events[kind] = list
	}
	if v > 2 {
		for k := r.count(24); k > 0 && !r.bad; k-- {
			n.readWave(r)
		}
	}
	if r.bad || len(r.b) != 0 {
		return errSnapshot
	}
	*s = *n
	return nil
}

func (s *State) readChannel(r *reader, version int64, u *unpacker) {
	ch := slices.Index(s.plan.channels, r.text())
	if version < 4 {
		s.readSeconds(r, ch)
	} else if !u.seconds(r) {
		r.b, r.bad = nil, true
		return
	} else {
		s.takeSeconds(u, ch)
	}
	for k := r.count(24); k > 0 && !r.bad; k-- {
		gate := r.text()
		g := -1
		if ch >= 0 {
			g = slices.Index(s.plan.perChan[ch].gates, gate)
		}
		for level := range 2 {
			for m := r.count(17 * 8); m > 0; m-- {
				x := span{at: r.int()}
				for _, p := range x.sum.words() {
					*p = r.float()
				}
				if g < 0 || x.at <= 0 || x.at > s.head {
					continue
				}
				c := &s.chans[ch]
				if c.secs == nil {
					s.hear(ch)
				}
				c.newest = max(c.newest, x.at*int64([]int{60, 3600}[level]))
				ring := c.gates[g].mins
				if level == 1 {
					ring = s.chans[ch].gates[g].hours
				}
				if len(ring) == 0 {
					continue
				}
				if y := &ring[x.at%int64(len(ring))]; y.at < x.at {
					*y = x
				}
			}
		}
	}
}

// takeSeconds puts what was unpacked into channel ch; -1 no feature needs it.
func (s *State) takeSeconds(u *unpacker, ch int) {
	v := u.v
	for i := range u.runs {
		run := &u.runs[i]
		for j := range run.count {
			at := run.first + int64(j)*run.stride
			if x := s.place(ch, at, run.k); x != nil {
				for k, t := range run.t {
					x.samples = append(x.samples, sample{t, v[k]})
				}
			}
			v = v[run.k:]
		}
	}
}

// place makes room for n samples of a second; nil if it is not kept.
func (s *State) place(ch int, at int64, n int) *second {
	if ch < 0 || at <= 0 || at > s.head || n <= 0 {
		return nil
	}
	c := &s.chans[ch]
	if c.secs == nil {
		s.hear(ch)
	}
	x := &c.secs[at%int64(len(c.secs))]
	if x.at >= at {
		return nil
	}
	*x = second{at: at, samples: make([]sample, 0, n)}
	c.newest = max(c.newest, at)
	return x
}

// readSeconds reads them as versions before 4 wrote them.
func (s *State) readSeconds(r *reader, ch int) {
	for k := r.count(16); k > 0 && !r.bad; k-- {
		at := r.int()
		m := r.count(16)
		x := s.place(ch, at, m)
		for ; m > 0; m-- {
			p := sample{r.float(), r.float()}
			if x != nil && len(x.samples) < maxSamples {
				x.samples = append(x.samples, p)
			}
		}
	}
}
