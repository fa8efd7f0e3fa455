package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/internal/ledger"
)

// What the tables themselves say of the ledger: read once, when it is first
// asked for, and again where a table's rows are not those that were committed.

// isNumbered and isCounted are conditions on src: whether its numbers follow
// each other, or are hashes or sparse (counted in Go).
const (
	isNumbered = "src IN (SELECT src FROM store.sources WHERE NOT (boot = '~' OR boot LIKE '%!'))"
	isCounted  = "src IN (SELECT src FROM store.sources WHERE boot = '~' OR boot LIKE '%!')"
)

// storedRows, scoredRows and readableRows select src and seq of what the
// partitions of l have.
func storedRows(l layout, where string) string { return l.from(dsFrames, "src, seq", where) }

func scoredRows(l layout, where string) string {
	return "SELECT src, seq FROM (" + l.from(dsScores, "unnest(cause_src) AS src, unnest(cause_seq) AS seq", "") + ") WHERE " + where
}

// readableRows selects frames of which as many rows of readings are there as
// were written of them (compare is >=), or fewer (<).
func (s *Store) readableRows(l layout, where, compare string) string {
	q := []string{"SELECT src, seq, sum(rows) AS want, 0 AS have FROM (" + l.from(dsFrames, "src, seq, rows", where) + ") GROUP BY ALL"}
	for _, t := range s.tab.rows.readings() {
		q = append(q, "SELECT src, seq, 0, count(*) FROM ("+l.from(t.name, "src, seq", where)+") GROUP BY ALL")
	}
	return "SELECT src, seq FROM (" + strings.Join(q, " UNION ALL ") + ") GROUP BY src, seq HAVING sum(have) " + compare + " sum(want)"
}

// islands folds rows of (src, seq) into ranges, ascending for each source.
func (s *Store) islands(ctx context.Context, rows string, f func(src int32, r ledger.Span)) error {
	return s.each(ctx, `SELECT src, min(seq), max(seq) FROM (
SELECT src, seq, seq::HUGEINT - row_number() OVER (PARTITION BY src ORDER BY seq) AS island FROM (SELECT DISTINCT src, seq FROM (`+rows+`)))
GROUP BY src, island ORDER BY src, 2`, func(r *sql.Rows) error {
		var src int32
		var x ledger.Span
		if err := r.Scan(&src, &x.Lo, &x.Hi); err != nil {
			return err
		}
		f(src, x)
		return nil
	})
}

// hotHas reads what one hot partition has of the numbered sources. Call with wmu.
func (s *Store) hotHas(ctx context.Context, p *part) (*hotBook, error) {
	h := &hotBook{rows: make([]int64, len(p.t.all())), of: map[int32]*hotHas{}}
	counts := make([]string, len(h.rows))
	for i, t := range p.t.all() {
		counts[i] = fmt.Sprintf("SELECT %d, count(*) FROM store.%s", i, t.name)
	}
	err := s.each(ctx, strings.Join(counts, " UNION ALL "), func(r *sql.Rows) error {
		var i, n int64
		if err := r.Scan(&i, &n); err != nil {
			return err
		}
		h.rows[i] = n
		return nil
	})
	l := layout{s: s, hot: []*part{p}}
	for _, stage := range []struct {
		rows string
		to   func(*hotHas) *ledger.Spans
	}{
		{storedRows(l, isNumbered), func(h *hotHas) *ledger.Spans { return &h.stored }},
		{scoredRows(l, isNumbered), func(h *hotHas) *ledger.Spans { return &h.scored }},
		{s.readableRows(l, isNumbered, ">="), func(h *hotHas) *ledger.Spans { return &h.readable }},
		{s.readableRows(l, isNumbered, "<"), func(h *hotHas) *ledger.Spans { return &h.lacking }},
	} {
		if err != nil {
			break
		}
		err = s.islands(ctx, stage.rows, func(src int32, r ledger.Span) {
			set := stage.to(h.source(src))
			*set = append(*set, r)
		})
	}
	return h, err
}

// sealedHas reads what sealed partitions have of the numbered sources, and what
// retention of version 1 dropped, by stage; where is a condition on ledger_spans.
func (s *Store) sealedHas(ctx context.Context, where string, f func(src int32, stage string, r ledger.Span)) error {
	// Ranges that overlap or touch are joined before they leave DuckDB: there is
	// one for each hour. DISTINCT, since equal rows may come in another order in each window.
	const joined = `SELECT src, stage, min(lo), max(hi) FROM (
SELECT *, sum(starts) OVER (PARTITION BY src, stage ORDER BY lo, hi ROWS UNBOUNDED PRECEDING) AS island FROM (
SELECT *, CASE WHEN lo <= max(hi) OVER (PARTITION BY src, stage ORDER BY lo, hi ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)::HUGEINT + 1 THEN 0 ELSE 1 END AS starts FROM (
SELECT DISTINCT src, stage, lo, hi FROM store.ledger_spans WHERE %s AND %s)))
GROUP BY src, stage, island ORDER BY src, stage, 3`
	return s.each(ctx, fmt.Sprintf(joined, where, isNumbered), func(r *sql.Rows) error {
		var src int32
		var stage string
		var x ledger.Span
		if err := r.Scan(&src, &stage, &x.Lo, &x.Hi); err != nil {
			return err
		}
		f(src, stage, x)
		return nil
	})
}

// A tally is what each stage has of a counted source.
type tally struct{ accepted, stored, scored, readable uint64 }

// countRows counts the distinct numbers that each stage has of counted sources:
// of hot partitions from their rows, of sealed ones from what was kept of them.
func (s *Store) countRows(ctx context.Context, srcs []int32) (map[int32]*tally, error) {
	in := "src IN (" + joinInts(srcs) + ")"
	out := make(map[int32]*tally, len(srcs))
	for _, src := range srcs {
		out[src] = &tally{}
	}
	sealed := func(stage string) string {
		return "SELECT src, lo AS seq FROM store.ledger_spans WHERE stage = " + lit(stage) + " AND " + in + " AND " + notHot
	}
	count := func(rows func(layout) string, to func(*tally) *uint64) error {
		return s.ask(ctx, func(l layout) string {
			l.files = nil
			return "SELECT src, count(DISTINCT seq) FROM (" + rows(l) + ") GROUP BY src"
		}, func(r *sql.Rows) error {
			var src int32
			var n uint64
			if err := r.Scan(&src, &n); err != nil {
				return err
			}
			*to(out[src]) = n
			return nil
		})
	}
	err := count(func(l layout) string { return storedRows(l, in) + " UNION ALL " + sealed(storage.StageStored) }, func(t *tally) *uint64 { return &t.stored })
	if err != nil {
		return nil, err
	}
	err = count(func(l layout) string { return scoredRows(l, in) + " UNION ALL " + sealed(storage.StageScored) }, func(t *tally) *uint64 { return &t.scored })
	if err != nil {
		return nil, err
	}
	// Of a frame in two parts, one may be sealed whole and the other hot and lacking.
	err = count(func(l layout) string {
		return s.readableRows(l, in, ">=") + " UNION ALL SELECT src, seq FROM (" + sealed(storage.StageReadable) + ") ANTI JOIN (" + s.readableRows(l, in, "<") + ") USING (src, seq)"
	}, func(t *tally) *uint64 { return &t.readable })
	if err != nil {
		return nil, err
	}
	err = s.each(ctx, "SELECT src, sum(n)::UBIGINT FROM store.retired WHERE "+in+" GROUP BY src", func(r *sql.Rows) error {
		var src int32
		var n uint64
		if err := r.Scan(&src, &n); err != nil {
			return err
		}
		t := out[src]
		t.stored, t.scored, t.readable = ledger.Sum(t.stored, n), ledger.Sum(t.scored, n), ledger.Sum(t.readable, n)
		return nil
	})
	if err != nil {
		return nil, err
	}
	sets := map[int32]ledger.Spans{} // many boots are one source: each report adds to those before
	err = s.each(ctx, "SELECT src, lo, hi FROM store.accepted WHERE "+in, func(r *sql.Rows) error {
		var src int32
		var x ledger.Span
		if err := r.Scan(&src, &x.Lo, &x.Hi); err != nil {
			return err
		}
		sets[src] = append(sets[src], x)
		return nil
	})
	for src, set := range sets {
		out[src].accepted = ledger.Merge(set).Count()
	}
	return out, err
}

// droppedOf counts what retention dropped of each source: its hours are in the
// ledger and have no file of frames any more.
func (s *Store) droppedOf(ctx context.Context) (map[int32]uint64, error) {
	out := map[int32]uint64{}
	err := s.each(ctx, "SELECT src, sum(hi - lo + 1)::UBIGINT FROM store.ledger_spans WHERE stage = 'stored' AND "+notHot+" AND hour NOT IN (SELECT hour FROM store.sealed WHERE dataset = 'frames') GROUP BY src", func(r *sql.Rows) error {
		var src int32
		var n uint64
		if err := r.Scan(&src, &n); err != nil {
			return err
		}
		out[src] = n
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, s.each(ctx, "SELECT src, sum(n)::UBIGINT FROM store.retired GROUP BY src", func(r *sql.Rows) error {
		var src int32
		var n uint64
		if err := r.Scan(&src, &n); err != nil {
			return err
		}
		out[src] = ledger.Sum(out[src], n)
		return nil
	})
}
