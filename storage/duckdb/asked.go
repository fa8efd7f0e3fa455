package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
)

// askedAhead is how many numbers of a source one look at the store answers for,
// and askedSources for how many sources the answers are kept.
const (
	askedAhead   = 2048
	askedSources = 256
)

// asked keeps what FrameTime found ahead. After a spool, or a log, is sent
// again each of its frames is asked for, in the order of their numbers.
type asked struct {
	mu         sync.Mutex
	generation int64 // of the layout that gave the answers
	bySource   map[int32]*askedSpan
}

type askedSpan struct {
	lo, hi uint64           // hi exclusive
	ts     map[uint64]int64 // µs, of the whole frames that are stored
}

// get returns the ts of a whole frame, and whether the span that holds its number is known.
func (a *asked) get(generation int64, src int32, seq uint64) (ts int64, found, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	sp := a.bySource[src]
	if a.generation != generation || sp == nil || seq < sp.lo || seq >= sp.hi {
		return 0, false, false
	}
	ts, found = sp.ts[seq]
	return ts, found, true
}

func (a *asked) put(generation int64, src int32, sp *askedSpan) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.generation != generation || a.bySource == nil || len(a.bySource) >= askedSources {
		a.generation, a.bySource = generation, map[int32]*askedSpan{}
	}
	a.bySource[src] = sp
}

// storedTime finds the ts of a whole frame of a source, looking ahead. Not found
// does not mean that there is none: it may be retired, or have come since.
func (s *Store) storedTime(ctx context.Context, src int32, seq uint64) (ts int64, found bool, err error) {
	s.lay.RLock()
	generation := s.generation
	s.lay.RUnlock()
	if ts, found, known := s.asked.get(generation, src, seq); known {
		return ts, found, nil
	}
	sp := &askedSpan{lo: seq, hi: seq + askedAhead, ts: map[uint64]int64{}}
	if sp.hi < sp.lo {
		return 0, false, nil // at the end of all numbers
	}
	var hours []int32
	spans := fmt.Sprintf("SELECT DISTINCT hour FROM store.ledger_spans WHERE src = %d AND stage = 'stored' AND lo < %d AND hi >= %d", src, sp.hi, sp.lo)
	if err := s.each(ctx, spans, func(r *sql.Rows) error {
		var h int32
		err := r.Scan(&h)
		hours = append(hours, h)
		return err
	}); err != nil {
		return 0, false, fmt.Errorf("look up frames: %w", err)
	}
	build := func(l layout) string {
		generation = l.generation
		l.files = slices.DeleteFunc(l.files, func(f *file) bool { return f.dataset != dsFrames || !slices.Contains(hours, f.hour) })
		return l.from(dsFrames, "seq, epoch_us(ts)", fmt.Sprintf("src = %d AND seq >= %d AND seq < %d AND part = 0 AND uid = 0", src, sp.lo, sp.hi))
	}
	if err := s.ask(ctx, build, func(r *sql.Rows) error {
		var n uint64
		var at int64
		if err := r.Scan(&n, &at); err != nil {
			return err
		}
		sp.ts[n] = at
		return nil
	}); err != nil {
		return 0, false, fmt.Errorf("look up frames: %w", err)
	}
	s.asked.put(generation, src, sp)
	ts, found = sp.ts[seq]
	return ts, found, nil
}
