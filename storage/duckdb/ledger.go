package duckdb

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/mudpulse/mudpulse/storage"
)

// The ledger is made of interval sets: DuckDB folds each stage's rows into
// ranges of numbers (islands and gaps), and only ranges are compared here.

// span is an inclusive range of sequence numbers.
type span struct{ lo, hi uint64 }

// spans is an interval set: ascending, disjoint, not adjacent.
type spans []span

func (s spans) count() uint64 {
	n := uint64(0)
	for _, r := range s {
		n = sum(n, sum(r.hi-r.lo, 1))
	}
	return n
}

// merge sorts and joins ranges that overlap or touch.
func merge(s spans) spans {
	slices.SortFunc(s, func(a, b span) int { return cmp.Compare(a.lo, b.lo) })
	out := s[:0]
	for _, r := range s {
		if n := len(out); n > 0 && (r.lo <= out[n-1].hi || r.lo == out[n-1].hi+1) {
			out[n-1].hi = max(out[n-1].hi, r.hi)
			continue
		}
		out = append(out, r)
	}
	return out
}

// minus returns what is in a and not in b.
func minus(a, b spans) spans {
	var out spans
	j := 0
	for _, r := range a {
		lo, done := r.lo, false
		for j > 0 && b[j-1].hi >= lo {
			j--
		}
		for ; j < len(b) && b[j].lo <= r.hi; j++ {
			if b[j].hi < lo {
				continue
			}
			if b[j].lo > lo {
				out = append(out, span{lo, b[j].lo - 1})
			}
			if b[j].hi >= r.hi {
				done = true
				break
			}
			lo = b[j].hi + 1
		}
		if !done {
			out = append(out, span{lo, r.hi})
		}
	}
	return out
}

// stage is what one stage has of one source.
type stage struct {
	set   spans
	count uint64 // of a counted source, whose numbers are hashes
}

func (s stage) with(o stage) stage {
	return stage{merge(slices.Concat(s.set, o.set)), sum(s.count, o.count)}
}

// Ledger follows each boot of each device through the stages, from each stage's
// own rows. It reads all rows kept of the sources asked for.
func (s *Store) Ledger(ctx context.Context, q storage.LedgerQuery) (storage.Ledger, error) {
	var out storage.Ledger
	s.names.RLock()
	names := slices.Clone(s.bySource)
	s.names.RUnlock()
	var srcs []int32
	numbered := map[int32]bool{}
	for i, k := range names {
		if q.Drill != "" && k.drill != q.Drill || q.Device != "" && k.device != q.Device {
			continue
		}
		srcs = append(srcs, int32(i))
		numbered[int32(i)] = !counted(k.boot)
	}
	if len(srcs) > 0 {
		if err := s.ledger(ctx, &out, names, srcs, numbered); err != nil {
			return out, fmt.Errorf("ledger: %w", err)
		}
	}
	var c conditions
	if q.Drill != "" {
		c.add("drill = ?", q.Drill)
	}
	if q.Device != "" {
		c.add("device = ?", q.Device)
	}
	err := s.db.QueryRowContext(ctx, "SELECT count(*), (SELECT count(*) = 0 FROM store.gateways) FROM store.quarantine"+c.String(), c.args...).Scan(&out.Quarantined, &out.WithoutLedger)
	if err != nil {
		return out, fmt.Errorf("ledger: %w", err)
	}
	return out, nil
}

func (s *Store) ledger(ctx context.Context, out *storage.Ledger, names []sourceKey, srcs []int32, numbered map[int32]bool) error {
	in := "src IN (" + joinInts(srcs) + ")"
	accepted, err := s.acceptedOf(ctx, in, numbered)
	if err != nil {
		return err
	}
	none := func(int32, span) bool { return true }
	stored, err := s.stageOf(ctx, storage.StageStored, in, numbered, none, func(l layout) string { return l.from(dsFrames, "src, seq", in) })
	if err != nil {
		return err
	}
	scored, err := s.stageOf(ctx, storage.StageScored, in, numbered, none, func(l layout) string {
		return "SELECT src, seq FROM (" + l.from(dsScores, "unnest(cause_src) AS src, unnest(cause_seq) AS seq", "") + ") WHERE " + in
	})
	if err != nil {
		return err
	}
	// A frame can be read if as many rows of readings are there as were written of it.
	readable := func(l layout) string {
		q := []string{"SELECT src, seq, sum(rows) AS want, 0 AS have FROM (" + l.from(dsFrames, "src, seq, rows", in) + ") GROUP BY ALL"}
		for _, t := range s.tab.rows.readings() {
			q = append(q, "SELECT src, seq, 0, count(*) FROM ("+l.from(t.name, "src, seq", in)+") GROUP BY ALL")
		}
		return "SELECT src, seq FROM (" + strings.Join(q, " UNION ALL ") + ") GROUP BY src, seq HAVING sum(have) %s sum(want)"
	}
	// Of a frame in two parts, one may be sealed whole and the other hot and lacking.
	lacking, err := s.islands(ctx, func(l layout) string { return fmt.Sprintf(readable(l), "<") }, numbered)
	if err != nil {
		return err
	}
	whole := func(src int32, r span) bool {
		return numbered[src] || len(minus(spans{r}, lacking[src].set)) > 0
	}
	read, err := s.stageOf(ctx, storage.StageReadable, in, numbered, whole, func(l layout) string { return fmt.Sprintf(readable(l), ">=") })
	if err != nil {
		return err
	}
	for src, l := range lacking {
		if numbered[src] {
			r := read[src]
			r.set = minus(r.set, l.set)
			read[src] = r
		}
	}
	retired, err := s.retiredOf(ctx, in, numbered)
	if err != nil {
		return err
	}
	dropped := map[int32]uint64{}
	err = s.each(ctx, "SELECT src, sum(hi - lo + 1)::UBIGINT FROM store.ledger_spans WHERE stage = 'stored' AND "+in+" AND "+notHot+" AND hour NOT IN (SELECT hour FROM store.sealed WHERE dataset = 'frames') GROUP BY src", func(r *sql.Rows) error {
		var src int32
		var n uint64
		if err := r.Scan(&src, &n); err != nil {
			return err
		}
		dropped[src] = n
		return nil
	})
	if err != nil {
		return err
	}
	for _, src := range srcs {
		k := names[src]
		gone := retired[src]
		for _, have := range []map[int32]stage{stored, scored, read} {
			if gone.count > 0 {
				have[src] = have[src].with(gone)
			}
		}
		var row storage.LedgerRow
		if numbered[src] {
			row = numberedRow(accepted[src].set, stored[src].set, scored[src].set, read[src].set)
		} else {
			row = countedRow(k.boot, accepted[src].count, stored[src].count, scored[src].count, read[src].count)
		}
		if row.Sent == 0 {
			continue
		}
		row.Retired = sum(gone.count, dropped[src])
		row.Drill, row.Device, row.Boot = k.drill, k.device, k.boot
		out.Rows = append(out.Rows, row)
		out.Sent = sum(out.Sent, row.Sent)
		out.Accepted = sum(out.Accepted, row.Accepted)
		out.Stored = sum(out.Stored, row.Stored)
		out.Scored = sum(out.Scored, row.Scored)
		out.Readable = sum(out.Readable, row.Readable)
		out.Gaps += len(row.Gaps)
	}
	slices.SortFunc(out.Rows, func(a, b storage.LedgerRow) int {
		return cmp.Or(strings.Compare(a.Drill, b.Drill), strings.Compare(a.Device, b.Device), strings.Compare(a.Boot, b.Boot))
	})
	return nil
}

// maxGaps bounds the gaps listed for one boot and stage; the last one sums up the rest.
const maxGaps = 200

func numberedRow(accepted, stored, scored, read spans) storage.LedgerRow {
	all := merge(slices.Concat(accepted, stored, scored, read))
	if len(all) == 0 {
		return storage.LedgerRow{}
	}
	first, last := all[0].lo, all[len(all)-1].hi
	sent := spans{{first, last}}
	row := storage.LedgerRow{First: first, Last: last, Sent: sent.count(), Accepted: accepted.count(), Stored: stored.count(), Scored: scored.count(), Readable: read.count()}
	gap := func(stage string, before, has spans, why string) {
		missing := minus(before, has)
		newest, any := uint64(0), len(has) > 0
		if any {
			newest = has[len(has)-1].hi
		}
		for i, m := range missing {
			g := storage.Gap{Stage: stage, From: m.lo, To: m.hi, Count: spans{m}.count(), Why: why, Pending: !any || m.lo > newest}
			if g.Pending {
				g.Why = "newer than all it has: not there yet"
			}
			if i == maxGaps-1 && len(missing) > maxGaps {
				rest := missing[i:]
				g.To, g.Count = rest[len(rest)-1].hi, rest.count()
				g.Why = fmt.Sprintf("%s (%d gaps more, summed up)", why, len(rest))
				row.Gaps = append(row.Gaps, g)
				break
			}
			row.Gaps = append(row.Gaps, g)
		}
	}
	gap(storage.StageAccepted, sent, accepted, "no gateway has it: it was not sent, or lost before a gateway acknowledged it")
	before := accepted
	if len(accepted) == 0 {
		before = sent
	}
	gap(storage.StageStored, before, stored, "accepted by a gateway, but the store has no row of it")
	gap(storage.StageScored, stored, scored, "stored, but no score names it as its cause")
	gap(storage.StageReadable, stored, read, "stored, but not all of its readings are in the tables")
	return row
}

// countedRow is the row of a source whose numbers are hashes or sparse.
func countedRow(boot string, accepted, stored, scored, read uint64) storage.LedgerRow {
	row := storage.LedgerRow{Sent: max(accepted, stored, scored, read), Accepted: accepted, Stored: stored, Scored: scored, Readable: read}
	if strings.HasSuffix(boot, "!") { // conflicts: a gateway knows their number only under the first boot
		row.Accepted = stored
	}
	gap := func(stage string, before, has uint64) {
		if has < before {
			row.Gaps = append(row.Gaps, storage.Gap{Stage: stage, Count: before - has, Why: "counted, not numbered: the device sends no boot and seq, or numbers twice"})
		}
	}
	gap(storage.StageAccepted, row.Sent, row.Accepted)
	gap(storage.StageStored, row.Accepted, stored)
	gap(storage.StageScored, stored, scored)
	gap(storage.StageReadable, stored, read)
	return row
}

// stageOf is what a stage has: of hot partitions from their rows, of sealed ones from the ranges that were kept of them.
func (s *Store) stageOf(ctx context.Context, name, in string, numbered map[int32]bool, counts func(int32, span) bool, rows func(layout) string) (map[int32]stage, error) {
	out, err := s.islands(ctx, rows, numbered)
	if err != nil {
		return nil, err
	}
	err = s.each(ctx, "SELECT src, lo, hi FROM store.ledger_spans WHERE stage = ? AND "+in+" AND "+notHot, func(r *sql.Rows) error {
		var src int32
		var x span
		if err := r.Scan(&src, &x.lo, &x.hi); err != nil {
			return err
		}
		if counts(src, x) {
			st := out[src]
			st.set = append(st.set, x)
			out[src] = st
		}
		return nil
	}, name)
	for src, st := range out {
		st.set = merge(st.set)
		if !numbered[src] {
			st.count = st.set.count()
		}
		out[src] = st
	}
	return out, err
}

// islands folds the rows (src, seq) of hot partitions into ranges. A source without a hole is settled by its sums alone.
func (s *Store) islands(ctx context.Context, rows func(layout) string, numbered map[int32]bool) (map[int32]stage, error) {
	hot := func(l layout) string { l.files = nil; return rows(l) }
	out := map[int32]stage{}
	var holes []int32
	err := s.ask(ctx, func(l layout) string {
		return "SELECT src, min(seq), max(seq), count(*) FROM (SELECT DISTINCT src, seq FROM (" + hot(l) + ")) GROUP BY src"
	}, func(r *sql.Rows) error {
		var src int32
		var lo, hi, n uint64
		if err := r.Scan(&src, &lo, &hi, &n); err != nil {
			return err
		}
		if numbered[src] && hi-lo == n-1 {
			out[src] = stage{set: spans{{lo, hi}}}
		} else {
			holes = append(holes, src)
		}
		return nil
	})
	if err != nil || len(holes) == 0 {
		return out, err
	}
	err = s.ask(ctx, func(l layout) string {
		return fmt.Sprintf(`SELECT src, min(seq), max(seq) FROM (
SELECT src, seq, seq::HUGEINT - row_number() OVER (PARTITION BY src ORDER BY seq) AS island FROM (SELECT DISTINCT src, seq FROM (%s) WHERE src IN (%s)))
GROUP BY src, island ORDER BY src, 2`, hot(l), joinInts(holes))
	}, func(r *sql.Rows) error {
		var src int32
		var lo, hi uint64
		if err := r.Scan(&src, &lo, &hi); err != nil {
			return err
		}
		st := out[src]
		st.set = append(st.set, span{lo, hi})
		out[src] = st
		return nil
	})
	return out, err
}

// acceptedOf joins the ranges that gateways reported last.
func (s *Store) acceptedOf(ctx context.Context, in string, numbered map[int32]bool) (map[int32]stage, error) {
	out := map[int32]stage{}
	every := []int32{-1} // sources of many boots: each report adds to those before
	for src, n := range numbered {
		if !n {
			every = append(every, src)
		}
	}
	err := s.each(ctx, `SELECT src, lo, hi FROM (SELECT *, max(commit) OVER (PARTITION BY gateway, src) AS newest FROM store.accepted WHERE `+in+`)
WHERE commit = newest OR src IN (`+joinInts(every)+`)`, func(r *sql.Rows) error {
		var src int32
		var lo, hi uint64
		if err := r.Scan(&src, &lo, &hi); err != nil {
			return err
		}
		st := out[src]
		st.set = append(st.set, span{lo, hi})
		out[src] = st
		return nil
	})
	for src, st := range out {
		st.set = merge(st.set)
		if !numbered[src] {
			st.count = st.set.count()
		}
		out[src] = st
	}
	return out, err
}

// retiredOf returns what retention dropped: it was stored, scored and readable in its time.
func (s *Store) retiredOf(ctx context.Context, in string, numbered map[int32]bool) (map[int32]stage, error) {
	out := map[int32]stage{}
	err := s.each(ctx, "SELECT src, lo, hi, n FROM store.retired WHERE "+in, func(r *sql.Rows) error {
		var src int32
		var lo, hi, n uint64
		if err := r.Scan(&src, &lo, &hi, &n); err != nil {
			return err
		}
		st := out[src]
		st.count = sum(st.count, n)
		if numbered[src] {
			st.set = append(st.set, span{lo, hi})
		}
		out[src] = st
		return nil
	})
	return out, err
}
