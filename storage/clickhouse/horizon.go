package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/internal/ledger"
)

// A horizon is what may be read: rows of commits up to last, but those that are void.
type horizon struct {
	last uint64
	void ledger.Spans
}

// rows is the condition of rows that may be read and came after a commit's.
func (h horizon) rows(after uint64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "tx <= %d", h.last)
	if after > 0 {
		fmt.Fprintf(&b, " AND tx > %d", after)
	}
	for _, v := range h.void {
		if v.Lo <= h.last && v.Hi > after {
			fmt.Fprintf(&b, " AND NOT (tx BETWEEN %d AND %d)", v.Lo, v.Hi)
		}
	}
	return b.String()
}

// horizon returns what may be read now.
func (s *Store) horizon() horizon {
	s.seen.RLock()
	defer s.seen.RUnlock()
	return s.seen.horizon
}

// visible is the condition of rows that may be read now.
func (s *Store) visible() string { return s.horizon().rows(0) }

// look reads what is committed: the void ranges first and last, since each is entered before what follows it.
func (s *Store) look(ctx context.Context) (h horizon, err error) {
	if h.void, err = s.voids(ctx); err != nil {
		return h, err
	}
	for {
		h.last = ^uint64(0)
		where := h.rows(0)
		if err = s.one(ctx, "SELECT max(tx) FROM "+s.table("commits")+" WHERE "+where, &h.last); err != nil {
			return h, err
		}
		again, err := s.voids(ctx)
		if err != nil || slices.Equal(again, h.void) {
			return h, err
		}
		h.void = again
	}
}

func (s *Store) voids(ctx context.Context) (ledger.Spans, error) {
	var out ledger.Spans
	err := s.each(ctx, "SELECT lo, hi FROM "+s.table("void"), func(r row) error {
		var v ledger.Span
		err := r.Scan(&v.Lo, &v.Hi)
		out = append(out, v)
		return err
	})
	return ledger.Merge(out), err
}

// epochBits of a number count a writer's commits; those above, writers.
const epochBits = 32

// takeOver makes this store the writer: whatever others insert from here on is
// void, what they left half written is deleted, and numbers begin above it.
func (s *Store) takeOver(ctx context.Context) error {
	h, err := s.look(ctx)
	if err != nil {
		return err
	}
	high := h.last
	if n := len(h.void); n > 0 {
		high = max(high, h.void[n-1].Hi)
	}
	s.tx = (high>>epochBits + 1) << epochBits
	if err := s.avoid(ctx, h.last+1, s.tx); err != nil {
		return err
	}
	if h.void, err = s.voids(ctx); err != nil {
		return err
	}
	s.fence = h.void[len(h.void)-1].Hi
	if s.fence != s.tx {
		return fmt.Errorf("another writer opened it at the same time: start one only")
	}
	return s.sweep(ctx, h.void)
}

// avoid enters a range of numbers as void.
func (s *Store) avoid(ctx context.Context, lo, hi uint64) error {
	return s.exec(ctx, fmt.Sprintf("INSERT INTO %s VALUES (%d, %d, now64(6))", s.table("void"), lo, hi))
}

// sweep deletes void rows, and forgets ranges of which no row can come any more.
func (s *Store) sweep(ctx context.Context, void ledger.Spans) error {
	var in []string
	for _, v := range void {
		in = append(in, fmt.Sprintf("tx BETWEEN %d AND %d", v.Lo, v.Hi))
	}
	where := strings.Join(in, " OR ")
	for _, t := range tableDefs {
		var n uint64
		if err := s.one(ctx, "SELECT count() FROM "+s.table(t.name)+" WHERE "+where, &n); err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		s.log.Info("rows that no commit completed are deleted", "table", t.name, "rows", n)
		if err := s.exec(ctx, "DELETE FROM "+s.table(t.name)+s.onCluster()+" WHERE "+where); err != nil {
			return err
		}
	}
	var old uint64
	forget := fmt.Sprintf("at < now64(6) - INTERVAL 1 DAY AND hi < %d", void[len(void)-1].Hi)
	if err := s.one(ctx, "SELECT count() FROM "+s.table("void")+" WHERE "+forget, &old); err != nil || old == 0 {
		return err
	}
	return s.exec(ctx, "DELETE FROM "+s.table("void")+s.onCluster()+" WHERE "+forget)
}

// fenced reports that another writer has taken over.
func (s *Store) fenced(ctx context.Context) error {
	var high uint64
	if err := s.one(ctx, "SELECT max(hi) FROM "+s.table("void"), &high); err != nil {
		return err
	}
	if high > s.fence {
		s.broken = fmt.Errorf("another writer has opened this columnstore: %w", storage.ErrBroken)
		return s.broken
	}
	return nil
}
