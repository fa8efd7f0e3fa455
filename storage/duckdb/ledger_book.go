package duckdb

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/internal/ledger"
)

// The book is the ledger of numbered sources in memory, so that asking costs
// the number of devices and not the number of rows. It is read from the tables
// when the ledger is first asked for; from then on each commit adds what it
// stored, and a seal puts what the sealed files have in place of that. Each time
// it is asked, the tables' row counts (which DuckDB knows without reading) are
// held against what was committed: where they differ, all is read again.
type book struct {
	mu       sync.Mutex
	on       bool // read from the tables; set under wmu, so a commit may ask for it
	sealed   map[int32]*has
	hot      map[int64]*hotBook // by partition
	accepted map[int32][]told   // what each gateway said last
	told     int64              // rows of accepted

	dropped   map[int32]uint64 // by retention
	droppedOf uint64           // hash of the hours that it was counted of

	pend []entry // of the commit in progress; under wmu
}

// has is what sealed partitions have of a source.
type has struct{ stored, scored, readable ledger.Spans }

// hotBook is what one hot partition has.
type hotBook struct {
	rows []int64 // in each of its tables
	of   map[int32]*hotHas
}

type hotHas struct {
	has
	lacking ledger.Spans // of these readings are missing
}

func (h *hotBook) source(src int32) *hotHas {
	o := h.of[src]
	if o == nil {
		o = &hotHas{}
		h.of[src] = o
	}
	return o
}

type told struct {
	gateway string
	commit  int64
	set     ledger.Spans
}

// entry is one number that a commit adds.
type entry struct {
	p      *part
	src    int32
	seq    uint64
	scored bool // else stored, with its readings
}

// note takes up a number of the commit in progress. Writer only.
func (b *book) note(p *part, src int32, base string, seq uint64, scored bool) {
	if b.on && !ledger.Counted(base) {
		b.pend = append(b.pend, entry{p, src, seq, scored})
	}
}

// committed adds what a commit stored. Call with wmu, before the rows that waited are forgotten.
func (b *book) committed(s *Store, batch *storage.Batch, commit int64) {
	if !b.on {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range s.open {
		h := b.of(p)
		for i, t := range p.t.all() {
			h.rows[i] += int64(t.n)
		}
	}
	var h *hotBook
	var last *part
	for _, e := range b.pend {
		if e.p != last {
			h, last = b.of(e.p), e.p
		}
		o := h.source(e.src)
		if e.scored {
			o.scored.Add(e.seq)
		} else {
			o.stored.Add(e.seq)
			o.readable.Add(e.seq)
		}
	}
	b.pend = b.pend[:0]
	for i := range batch.Gateways {
		g := &batch.Gateways[i]
		for _, a := range g.Accepted {
			b.told += int64(len(a.Ranges))
			base, _ := ledger.SplitBoot(a.Boot)
			if ledger.Counted(base) || len(a.Ranges) == 0 {
				continue
			}
			set := make(ledger.Spans, len(a.Ranges))
			for i, r := range a.Ranges {
				set[i] = ledger.Span{Lo: r[0], Hi: r[1]}
			}
			b.tell(s.source(a.Drill, a.Device, base), g.Gateway, commit, ledger.Merge(set))
		}
	}
}

func (b *book) of(p *part) *hotBook {
	h := b.hot[p.id]
	if h == nil {
		h = &hotBook{rows: make([]int64, len(p.t.all())), of: map[int32]*hotHas{}}
		b.hot[p.id] = h
	}
	return h
}

// tell keeps what a gateway said last; statuses of one commit count together.
func (b *book) tell(src int32, gateway string, commit int64, set ledger.Spans) {
	list := b.accepted[src]
	i := slices.IndexFunc(list, func(t told) bool { return t.gateway == gateway })
	switch {
	case i < 0:
		b.accepted[src] = append(list, told{strings.Clone(gateway), commit, set})
	case list[i].commit == commit:
		list[i].set = ledger.Merge(slices.Concat(list[i].set, set))
	default:
		list[i].commit, list[i].set = commit, set
	}
}

// acceptedBy returns what any gateway has accepted of a source.
func (b *book) acceptedBy(src int32) ledger.Spans {
	list := b.accepted[src]
	sets := make([]ledger.Spans, len(list))
	for i, t := range list {
		sets[i] = t.set
	}
	return ledger.Union(sets...)
}

// sealedPart puts what a partition's files have in place of its rows. Call with wmu.
func (b *book) sealedPart(p *part, files []stageSpan) {
	if !b.on {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.hot, p.id)
	for len(files) > 0 {
		n := 1
		for n < len(files) && files[n].src == files[0].src && files[n].stage == files[0].stage {
			n++
		}
		set := b.sealedOf(files[0].src).stage(files[0].stage)
		all := *set
		for _, f := range files[:n] {
			all = append(all, f.Span)
		}
		*set = ledger.Merge(all)
		files = files[n:]
	}
}

func (b *book) sealedOf(src int32) *has {
	h := b.sealed[src]
	if h == nil {
		h = &has{}
		b.sealed[src] = h
	}
	return h
}

func (h *has) stage(name string) *ledger.Spans {
	switch name {
	case storage.StageStored:
		return &h.stored
	case storage.StageScored:
		return &h.scored
	case storage.StageReadable:
		return &h.readable
	}
	panic("BUG: stage " + name)
}

// A stageSpan is a row of ledger_spans.
type stageSpan struct {
	src   int32
	stage string
	ledger.Span
}

// spansOf reads what a partition's files have, of numbered sources.
func (s *Store) spansOf(ctx context.Context, p *part) ([]stageSpan, error) {
	var out []stageSpan
	err := s.sealedHas(ctx, fmt.Sprintf("part = %d", p.id), func(src int32, stage string, r ledger.Span) { out = append(out, stageSpan{src, stage, r}) })
	return out, err
}

// openBook reads the tables. Call with wmu.
func (s *Store) openBook(ctx context.Context) error {
	if s.closed {
		return errClosed
	}
	b := &book{hot: map[int64]*hotBook{}, sealed: map[int32]*has{}, accepted: map[int32][]told{}}
	for _, p := range s.hot() {
		h, err := s.hotHas(ctx, p)
		if err != nil {
			return err
		}
		b.hot[p.id] = h
	}
	if err := s.sealedHas(ctx, notHot, func(src int32, stage string, r ledger.Span) {
		set := b.sealedOf(src).stage(stage)
		*set = append(*set, r)
	}); err != nil {
		return err
	}
	err := s.each(ctx, "SELECT src, lo, hi FROM store.retired WHERE "+isNumbered, func(r *sql.Rows) error {
		var src int32
		var x ledger.Span
		if err := r.Scan(&src, &x.Lo, &x.Hi); err != nil {
			return err
		}
		h := b.sealedOf(src)
		for _, set := range []*ledger.Spans{&h.stored, &h.scored, &h.readable} {
			*set = ledger.Merge(append(*set, x))
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = s.each(ctx, "SELECT gateway, src, commit, lo, hi FROM (SELECT *, max(commit) OVER (PARTITION BY gateway, src) AS newest FROM store.accepted) WHERE commit = newest AND "+isNumbered+" ORDER BY src, gateway", func(r *sql.Rows) error {
		var gateway string
		var src int32
		var commit int64
		var x ledger.Span
		if err := r.Scan(&gateway, &src, &commit, &x.Lo, &x.Hi); err != nil {
			return err
		}
		b.tell(src, gateway, commit, ledger.Spans{x})
		return nil
	})
	if err != nil {
		return err
	}
	if b.told, err = s.toldRows(ctx); err != nil {
		return err
	}
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	s.book.on, s.book.hot, s.book.sealed, s.book.accepted, s.book.told = true, b.hot, b.sealed, b.accepted, b.told
	s.book.dropped = nil
	return nil
}

// toldAgain counts the rows of accepted after some were pruned. Call with wmu.
func (s *Store) toldAgain() error {
	if !s.book.on {
		return nil
	}
	n, err := s.toldRows(context.Background())
	if err != nil {
		return err
	}
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	s.book.told = n
	return nil
}

func (s *Store) toldRows(ctx context.Context) (n int64, err error) {
	return n, s.db.QueryRowContext(ctx, "SELECT count(*) FROM store.accepted").Scan(&n)
}

// freshBook makes sure that the book says what the tables hold.
func (s *Store) freshBook(ctx context.Context, audit bool) error {
	same := func() (bool, error) {
		s.book.mu.Lock()
		on := s.book.on
		s.book.mu.Unlock()
		if !on || audit {
			return false, nil
		}
		return s.bookHolds(ctx)
	}
	if ok, err := same(); ok || err != nil {
		return err
	}
	s.wmu.Lock() // commits wait
	defer s.wmu.Unlock()
	if ok, err := same(); ok || err != nil { // a commit was between its rows and the book
		return err
	}
	return s.openBook(ctx)
}

// bookHolds compares the tables' row counts with what was committed.
func (s *Store) bookHolds(ctx context.Context) (bool, error) {
	type table struct {
		part int64
		i    int
	}
	counts := func() map[table]int64 {
		s.book.mu.Lock()
		defer s.book.mu.Unlock()
		out := map[table]int64{{-1, 0}: s.book.told}
		for id, h := range s.book.hot {
			for i, n := range h.rows {
				out[table{id, i}] = n
			}
		}
		return out
	}
	before := counts()
	found := map[table]int64{}
	err := s.ask(ctx, func(l layout) string {
		clear(found)
		q := "SELECT -1::BIGINT, 0, count(*) FROM store.accepted"
		for _, p := range l.hot {
			for i, t := range p.t.all() {
				q += fmt.Sprintf(" UNION ALL SELECT %d, %d, count(*) FROM store.%s", p.id, i, t.name)
			}
		}
		return q
	}, func(r *sql.Rows) error {
		var k table
		var n int64
		if err := r.Scan(&k.part, &k.i, &n); err != nil {
			return err
		}
		found[k] = n
		return nil
	})
	if err != nil {
		return false, err
	}
	after := counts()
	for k, n := range found {
		a, ok := before[k]
		b, still := after[k]
		if ok && still && (n < min(a, b) || n > max(a, b)) {
			return false, nil
		}
	}
	return true, nil
}

// retiredNow returns what retention has dropped of each source, counted anew
// only when the hours that have files are others.
func (s *Store) retiredNow(ctx context.Context) (map[int32]uint64, error) {
	hours := []int32{}
	for _, f := range s.sealedFiles() {
		if f.dataset == dsFrames {
			hours = append(hours, f.hour)
		}
	}
	slices.Sort(hours)
	h := fnv.New64a()
	for _, hour := range slices.Compact(hours) {
		fmt.Fprintln(h, hour)
	}
	s.book.mu.Lock()
	have, of := s.book.dropped, s.book.droppedOf
	s.book.mu.Unlock()
	if have != nil && of == h.Sum64() {
		return have, nil
	}
	dropped, err := s.droppedOf(ctx)
	if err != nil {
		return nil, err
	}
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	s.book.dropped, s.book.droppedOf = dropped, h.Sum64()
	return dropped, nil
}

// row returns the row of a numbered source. Call with mu.
func (b *book) row(src int32, hot []*hotBook, unreadable ledger.Spans) storage.LedgerRow {
	stored, scored, readable := make([]ledger.Spans, 0, 1+len(hot)), make([]ledger.Spans, 0, 1+len(hot)), make([]ledger.Spans, 0, 1+len(hot))
	lacking := unreadable
	if h := b.sealed[src]; h != nil {
		stored, scored, readable = append(stored, h.stored), append(scored, h.scored), append(readable, h.readable)
	}
	for _, p := range hot {
		if h := p.of[src]; h != nil {
			stored, scored, readable = append(stored, h.stored), append(scored, h.scored), append(readable, h.readable)
			if len(h.lacking) > 0 {
				lacking = ledger.Union(lacking, h.lacking)
			}
		}
	}
	return ledger.NumberedRow(b.acceptedBy(src), ledger.Union(stored...), ledger.Union(scored...), ledger.Union(readable...), lacking)
}

// partitions returns the hot ones in order. Call with mu.
func (b *book) partitions() []*hotBook {
	ids := make([]int64, 0, len(b.hot))
	for id := range b.hot {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, cmp.Compare[int64])
	out := make([]*hotBook, len(ids))
	for i, id := range ids {
		out[i] = b.hot[id]
	}
	return out
}
