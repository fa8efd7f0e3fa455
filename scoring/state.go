package scoring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
)

// What a model remembers from row to row: a CUSUM, the records a Lag looks back
// to, a running Aggregate. It is kept per key — a drill — and inside a key
// perhaps per group, which the document names. A row reads the state as the
// rows before left it; when its scoring is done, it is added. The same rows in
// the same order give the same state and the same bytes.
//
// Who scores several streams with one Scorer calls ScoreKeyed or Batch.SetKey,
// and keeps AppendState's bytes with the stream's position; after a restart,
// RestoreState goes on as if nothing had been.

// memory is one thing that a model remembers. Immutable: its cells hold what changes.
type memory interface {
	// after adds the row that was scored; failed: it had an error. It alone
	// changes cells.
	after(r *row, failed bool)
	// fits reports whether a cell that was restored can be this memory's.
	fits(c *cell) bool
}

// cell is what one memory knows under one key and group.
type cell struct {
	n   int64     // rows added
	at  int       // of a ring: where the next goes
	f   []float64 // numbers
	v   []value   // values that may be texts
	use int64     // when it was last used: the oldest group goes first
}

// remember registers a memory; its number is what row.cell takes. what names
// it across documents: a state is restored where the name is the same. reads
// are the slots that its after reads: they are computed before any cell changes.
func (p *program) remember(what string, m memory, reads ...int) int {
	n := 1
	for _, s := range p.remembered {
		if s == what || strings.HasPrefix(s, what+"\x00") {
			n++
		}
	}
	if n > 1 {
		what += fmt.Sprintf("\x00%d", n)
	}
	p.memories = append(p.memories, m)
	p.remembered = append(p.remembered, what)
	p.settling = append(p.settling, reads...)
	return len(p.memories) - 1
}

// Bounds of a Scorer's state.
const (
	defaultKeys = 10_000
	maxGroups   = 1_000   // a key and memory
	maxRing     = 100_000 // records a Lag or a window may look back to
)

// entity is the state of one key, in a ring of all keys by last use.
type entity struct {
	key        string
	cells      []*cell            // by memory: of the empty group
	groups     []map[string]*cell // by memory: of the others
	prev, next *entity
}

// state is all that a scorer remembers.
type state struct {
	p    *program
	keys map[string]*entity
	ring entity // its next is the key used last, its prev the one to be forgotten first
	most int
	tick int64
}

func newState(p *program) *state {
	s := &state{p: p, keys: map[string]*entity{}, most: defaultKeys}
	s.ring.prev, s.ring.next = &s.ring, &s.ring
	return s
}

// entity returns the state of a key, new if need be, as the one used last.
func (s *state) entity(key string) *entity {
	e := s.keys[key]
	if e == nil {
		for len(s.keys) >= s.most {
			s.forget(s.ring.prev.key)
		}
		e = &entity{key: strings.Clone(key), cells: make([]*cell, len(s.p.memories)), groups: make([]map[string]*cell, len(s.p.memories))}
		s.keys[e.key] = e
	} else if s.ring.next == e {
		return e
	} else {
		e.prev.next, e.next.prev = e.next, e.prev
	}
	e.prev, e.next = &s.ring, s.ring.next
	e.prev.next, e.next.prev = e, e
	return e
}

func (s *state) forget(key string) {
	if e := s.keys[key]; e != nil {
		e.prev.next, e.next.prev = e.next, e.prev
		delete(s.keys, key)
	}
}

// cell returns what memory m knows of the row's key and group, new if need be;
// only memory.after may change it.
func (r *row) cell(m int, group []byte) *cell {
	if r.entity == nil { // a row that is not of a stream
		r.use("")
	}
	e := r.entity
	if len(group) == 0 {
		if e.cells[m] == nil {
			e.cells[m] = &cell{}
		}
		return e.cells[m]
	}
	g := e.groups[m]
	if g == nil {
		g = map[string]*cell{}
		e.groups[m] = g
	}
	c := g[string(group)]
	if c == nil {
		if len(g) >= maxGroups {
			oldest := ""
			for k, x := range g {
				if oldest == "" || x.use < g[oldest].use {
					oldest = k
				}
			}
			delete(g, oldest)
		}
		c = &cell{}
		g[string(group)] = c
	}
	r.state.tick++
	c.use = r.state.tick
	return c
}

// ring reports whether the cell's numbers can be a ring of at most w.
func (c *cell) ring(w int) bool {
	return len(c.f) == w && c.at < w || len(c.f) < w && c.at == len(c.f)
}

// push adds a number to a ring of at most w; it returns the one that fell out.
func (c *cell) push(x float64, w int) (out float64, full bool) {
	if len(c.f) < w {
		c.f = append(c.f, x)
	} else {
		out, full = c.f[c.at], true
		c.f[c.at] = x
	}
	c.at = (c.at + 1) % w
	return out, full
}

// Stateful reports whether the model remembers rows: by a Lag, an Aggregate, a
// CUSUM or another statistic over a window. Such a model's rows are scored in
// order, each under its key; see ScoreKeyed.
func (m *Model) Stateful() bool { return len(m.prog.memories) > 0 }

// ScoreKeyed is Score for a row of one stream among several: what the model
// remembers is kept apart by key. Score itself uses the empty key.
func (s *Scorer) ScoreKeyed(key string, in Row) (Result, error) {
	s.r.use(key)
	return s.scoreRow(in)
}

// SetKey says to which stream a row of the batch belongs, for a model that
// remembers; until Reset. Rows of one key are scored in the batch's order.
func (b *Batch) SetKey(row int, key string) {
	if len(b.keys) == 0 {
		b.keys = slices.Grow(b.keys, b.rows)[:b.rows]
		clear(b.keys)
	}
	b.keys[row] = key
}

func (b *Batch) key(row int) string {
	if len(b.keys) == 0 {
		return ""
	}
	return b.keys[row]
}

// KeepKeys bounds how many keys the scorer remembers, 10 000 if it is not
// called; the one that was used longest ago is forgotten first.
func (s *Scorer) KeepKeys(n int) {
	s.r.state.most = max(n, 1)
	for len(s.r.state.keys) > s.r.state.most {
		s.r.state.forget(s.r.state.ring.prev.key)
	}
}

// Keys is how many keys the scorer remembers something of.
func (s *Scorer) Keys() int { return len(s.r.state.keys) }

// Forget forgets all that is known of a key.
func (s *Scorer) Forget(key string) { s.r.state.forget(key) }

// use makes key the one whose state the row reads.
func (r *row) use(key string) {
	if len(r.state.p.memories) > 0 {
		r.entity = r.state.entity(key)
	}
}

// settle adds the row that was scored to what is remembered.
func (r *row) settle() {
	if len(r.state.p.memories) == 0 {
		return
	}
	failed := r.err != nil
	for _, i := range r.state.p.settling {
		r.get(i)
	}
	for _, m := range r.state.p.memories {
		m.after(r, failed)
	}
}

// A state in bytes. Numbers are little-endian words of 8 bytes, texts have
// their length before them. Keys stand in order of use, the oldest first.
//
//	version=1 · memories{ n · {name} } · keys{ n · {key · cells{ n · cell } } }
//	cell = memory · group · rows · at · numbers{ n · {f} } · values{ n · value }
//	value = kind, 256 if of 32 bits · f, or a text, or values{ n · value } of a collection
const stateVersion = 1

var errState = errors.New("scoring: state is cut off or damaged")

// AppendState appends what the scorer remembers to b: of the keys given, or of
// all. Equal states have equal bytes.
func (s *Scorer) AppendState(b []byte, keys ...string) []byte {
	st := s.r.state
	b = appendInt(b, stateVersion)
	b = appendInt(b, len(st.p.remembered))
	for _, what := range st.p.remembered {
		b = appendText(b, what)
	}
	var list []*entity
	for e := st.ring.prev; e != &st.ring; e = e.prev {
		if len(keys) == 0 || slices.Contains(keys, e.key) {
			list = append(list, e)
		}
	}
	b = appendInt(b, len(list))
	for _, e := range list {
		b = appendText(b, e.key)
		b = e.append(b)
	}
	return b
}

func (e *entity) append(b []byte) []byte {
	n := 0
	for m := range e.cells {
		if e.cells[m] != nil {
			n++
		}
		n += len(e.groups[m])
	}
	b = appendInt(b, n)
	for m := range e.cells {
		if c := e.cells[m]; c != nil {
			b = c.append(b, m, "")
		}
		groups := make([]string, 0, len(e.groups[m]))
		for g := range e.groups[m] {
			groups = append(groups, g)
		}
		sort.Slice(groups, func(i, j int) bool { return e.groups[m][groups[i]].use < e.groups[m][groups[j]].use })
		for _, g := range groups {
			b = e.groups[m][g].append(b, m, g)
		}
	}
	return b
}

func (c *cell) append(b []byte, m int, group string) []byte {
	b = appendText(appendInt(b, m), group)
	b = appendInt(appendInt(b, int(c.n)), c.at)
	b = appendInt(b, len(c.f))
	for _, f := range c.f {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
	}
	return appendValues(b, c.v)
}

func appendInt(b []byte, n int) []byte { return binary.LittleEndian.AppendUint64(b, uint64(n)) }

func appendText(b []byte, s string) []byte { return append(appendInt(b, len(s)), s...) }

func appendValues(b []byte, vs []value) []byte {
	b = appendInt(b, len(vs))
	for _, v := range vs {
		k := int(v.k)
		if v.f32 {
			k |= 256
		}
		b = appendInt(b, k)
		switch v.k {
		case text:
			b = appendText(b, v.s)
		case list, invalid:
			b = appendValues(b, v.list)
		default:
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v.f))
		}
	}
	return b
}

// stateReader reads a state; whatever is wrong makes it bad, and what follows zero.
type stateReader struct {
	b   []byte
	bad bool
}

func (r *stateReader) word() uint64 {
	if len(r.b) < 8 {
		r.bad = true
		return 0
	}
	x := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return x
}

// count reads how many things of at least so many bytes follow.
func (r *stateReader) count(each int) int {
	n := r.word()
	if n > uint64(len(r.b)/each) {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *stateReader) text() string {
	n := r.count(1)
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *stateReader) values(depth int) []value {
	n := r.count(16)
	if depth > 4 {
		r.bad = true
	}
	var out []value
	for i := 0; i < n && !r.bad; i++ {
		k := r.word()
		v := value{k: kind(k & 255), f32: k&256 != 0}
		switch v.k {
		case text:
			v.s = r.text()
		case list, invalid:
			v.list = r.values(depth + 1)
			if v.k == invalid && len(v.list) != 1 {
				r.bad = true
			}
		default:
			v.f = math.Float64frombits(r.word())
		}
		if v.k > list {
			r.bad = true
		}
		out = append(out, v)
	}
	return out
}

func (r *stateReader) cell() (m int, group string, c *cell) {
	m, group = int(r.word()), r.text()
	c = &cell{n: int64(r.word()), at: int(r.word())}
	for n := r.count(8); n > 0; n-- {
		c.f = append(c.f, math.Float64frombits(r.word()))
	}
	c.v = r.values(0)
	if c.n < 0 || c.at < 0 || c.at > max(len(c.f), len(c.v)) {
		r.bad = true
	}
	return m, group, c
}

// RestoreState takes over what AppendState gave, from this model or one that
// remembers some of the same: each key in it replaces what was known of that
// key, other keys stay. On an error nothing has changed.
func (s *Scorer) RestoreState(b []byte) error {
	st := s.r.state
	r := &stateReader{b: b}
	if v := r.word(); r.bad || v != stateVersion {
		return fmt.Errorf("%w: version %d, want %d", errState, v, stateVersion)
	}
	var names []string
	for n := r.count(8); n > 0; n-- {
		names = append(names, r.text())
	}
	to := make([]int, len(names))
	for i, what := range names {
		to[i] = slices.Index(st.p.remembered, what)
	}
	var list []*entity
	for n := r.count(16); n > 0 && !r.bad; n-- {
		e := &entity{key: r.text(), cells: make([]*cell, len(st.p.memories)), groups: make([]map[string]*cell, len(st.p.memories))}
		for k := r.count(48); k > 0 && !r.bad; k-- {
			m, group, c := r.cell()
			if m < 0 || m >= len(to) {
				return errState
			}
			if m = to[m]; m < 0 || r.bad {
				continue
			}
			if !st.p.memories[m].fits(c) {
				return fmt.Errorf("%w: what is kept for %q does not fit", errState, e.key)
			}
			if group == "" {
				e.cells[m] = c
				continue
			}
			if e.groups[m] == nil {
				e.groups[m] = map[string]*cell{}
			}
			if len(e.groups[m]) >= maxGroups {
				return fmt.Errorf("%w: more than %d groups", errState, maxGroups)
			}
			st.tick++
			c.use = st.tick
			e.groups[m][group] = c
		}
		list = append(list, e)
	}
	if r.bad || len(r.b) > 0 {
		return errState
	}
	for _, e := range list {
		old := st.entity(e.key)
		old.cells, old.groups = e.cells, e.groups
	}
	return nil
}
