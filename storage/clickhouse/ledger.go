package clickhouse

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/internal/ledger"
)

// The book is the ledger of numbered sources in memory: each question reads the
// rows of commits since the last, and an audit reads all again.
type book struct {
	mu   sync.Mutex
	upto uint64 // commits that it holds
	of   map[source]*has
}

// A source is a device's boot; boots that are made of a hash, "~…" and "b!…", are one.
type source struct{ drill, device, boot string }

type has struct{ stored, scored, lacking ledger.Spans }

// Ledger follows each boot of each device through the stages, from what each stage keeps.
func (s *Store) Ledger(ctx context.Context, q storage.LedgerQuery) (storage.Ledger, error) {
	out, err := s.ledger(ctx, q)
	if err != nil {
		return out, fmt.Errorf("ledger: %w", err)
	}
	return out, nil
}

func (s *Store) ledger(ctx context.Context, q storage.LedgerQuery) (out storage.Ledger, err error) {
	h := s.horizon()
	asked := func(k source) bool {
		return (q.Drill == "" || k.drill == q.Drill) && (q.Device == "" || k.device == q.Device)
	}
	accepted, err := s.accepted(ctx, h, asked)
	if err != nil {
		return out, err
	}
	tallies, err := s.tallies(ctx, h)
	if err != nil {
		return out, err
	}
	add := func(k source, row storage.LedgerRow) {
		if row.Sent == 0 {
			return
		}
		row.Drill, row.Device, row.Boot = k.drill, k.device, k.boot
		out.Rows = append(out.Rows, row)
		out.Sent, out.Accepted, out.Stored = ledger.Sum(out.Sent, row.Sent), ledger.Sum(out.Accepted, row.Accepted), ledger.Sum(out.Stored, row.Stored)
		out.Scored, out.Readable = ledger.Sum(out.Scored, row.Scored), ledger.Sum(out.Readable, row.Readable)
		out.Gaps += len(row.Gaps)
	}
	for k, t := range tallies {
		if asked(k) {
			add(k, ledger.CountedRow(k.boot, accepted[k].Count(), t.stored, t.scored, t.readable))
		}
	}
	for k, set := range accepted {
		if tallies[k] == nil && ledger.Counted(k.boot) {
			add(k, ledger.CountedRow(k.boot, set.Count(), 0, 0, 0))
		}
	}
	if err := s.fresh(ctx, h, q.Audit, func(of map[source]*has) {
		for k, b := range of {
			if asked(k) {
				add(k, ledger.NumberedRow(accepted[k], b.stored, b.scored, b.stored, b.lacking))
			}
		}
		for k, set := range accepted {
			if of[k] == nil && !ledger.Counted(k.boot) {
				add(k, ledger.NumberedRow(set, nil, nil, nil, nil))
			}
		}
	}); err != nil {
		return out, err
	}
	slices.SortFunc(out.Rows, func(a, b storage.LedgerRow) int {
		return cmp.Or(strings.Compare(a.Drill, b.Drill), strings.Compare(a.Device, b.Device), strings.Compare(a.Boot, b.Boot))
	})
	where := h.rows(0)
	if q.Drill != "" {
		where += " AND drill = " + lit(q.Drill)
	}
	if q.Device != "" {
		where += " AND device = " + lit(q.Device)
	}
	if err := s.one(ctx, "SELECT count(), (SELECT count() FROM "+s.table("gateways")+" WHERE "+h.rows(0)+") = 0 FROM "+s.table("quarantine")+" WHERE "+where, &out.Quarantined, &out.WithoutLedger); err != nil {
		return out, err
	}
	return out, s.explain(ctx, &out)
}

// isCounted is the condition of sources whose numbers are hashes or sparse.
const isCounted = "(source = '~' OR endsWith(source, '!'))"

// fresh brings the book up to date and calls f with it.
func (s *Store) fresh(ctx context.Context, h horizon, audit bool, f func(map[source]*has)) error {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	b := &s.book
	if b.of == nil || audit || b.upto > h.last {
		b.upto, b.of = 0, nil
	}
	if b.upto < h.last {
		news, err := s.islands(ctx, h.rows(b.upto))
		if err != nil {
			return err
		}
		if b.of == nil {
			b.of = map[source]*has{}
		}
		for k, n := range news {
			o := b.of[k]
			if o == nil {
				o = &has{}
				b.of[k] = o
			}
			o.stored, o.scored = ledger.Union(o.stored, n.stored), ledger.Union(o.scored, n.scored)
			o.lacking = ledger.Union(o.lacking, n.lacking)
		}
		b.upto = h.last
	}
	f(b.of)
	return nil
}

// islands reads the numbers that rows have, folded into ranges.
func (s *Store) islands(ctx context.Context, rows string) (map[source]*has, error) {
	out := map[source]*has{}
	for _, stage := range []struct {
		rows string
		to   func(*has) *ledger.Spans
	}{
		{"SELECT drill, device, source, seq FROM " + s.table("frames") + " WHERE NOT " + isCounted + " AND " + rows, func(h *has) *ledger.Spans { return &h.stored }},
		{s.causes("NOT "+isCounted, rows), func(h *has) *ledger.Spans { return &h.scored }},
		{s.lacking("NOT "+isCounted, rows), func(h *has) *ledger.Spans { return &h.lacking }},
	} {
		q := "SELECT drill, device, source, min(seq), max(seq) FROM (SELECT drill, device, source, seq, seq - row_number() OVER (PARTITION BY drill, device, source ORDER BY seq) AS island FROM (SELECT DISTINCT drill, device, source, seq FROM (" +
			stage.rows + "))) GROUP BY drill, device, source, island ORDER BY drill, device, source, 4"
		err := s.each(ctx, q, func(r row) error {
			var k source
			var x ledger.Span
			if err := r.Scan(&k.drill, &k.device, &k.boot, &x.Lo, &x.Hi); err != nil {
				return err
			}
			if out[k] == nil {
				out[k] = &has{}
			}
			set := stage.to(out[k])
			*set = append(*set, x)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// causes selects the frames that scores name.
func (s *Store) causes(where, rows string) string {
	return "SELECT drill, device, source, seq FROM (SELECT drill, cause_device AS devices, cause_source AS sources, cause_seq AS seqs FROM " + s.table("scores") + " WHERE " + rows +
		") ARRAY JOIN devices AS device, sources AS source, seqs AS seq WHERE " + where
}

// lacking selects frames of which fewer runs are there than were written. Readings that
// retention drops are not missed: of frames that old nothing is asked.
func (s *Store) lacking(where, rows string) string {
	young := ""
	if s.cfg.KeepReadings > 0 { // a day is dropped when all of it is too old: from its beginning on
		young = fmt.Sprintf(" AND ts >= toStartOfDay(now64(6) - toIntervalSecond(%d)) + INTERVAL 1 DAY", int64(s.cfg.KeepReadings.Seconds()))
	}
	have := make([]string, 0, 2)
	for _, t := range []string{"readings", "waveforms"} {
		have = append(have, "SELECT tx, frame, count() AS n FROM "+s.table(t)+" WHERE "+rows+" GROUP BY tx, frame")
	}
	return "SELECT drill, device, source, seq FROM (SELECT drill, device, source, seq, runs, tx, frame FROM " + s.table("frames") + " WHERE " + where + " AND " + rows + young +
		") AS f LEFT JOIN (SELECT tx, frame, sum(n) AS n FROM (" + strings.Join(have, " UNION ALL ") + ") GROUP BY tx, frame) AS r ON f.tx = r.tx AND f.frame = r.frame WHERE r.n < f.runs"
}

// A tally is what each stage has of a counted source.
type tally struct{ stored, scored, readable uint64 }

// tallies counts the distinct numbers that each stage has of counted sources.
func (s *Store) tallies(ctx context.Context, h horizon) (map[source]*tally, error) {
	out := map[source]*tally{}
	rows := h.rows(0)
	frames := "SELECT drill, device, source, seq FROM " + s.table("frames") + " WHERE " + isCounted + " AND " + rows
	var lacking uint64
	for _, x := range []struct {
		rows string
		to   func(*tally, uint64)
	}{
		{frames, func(t *tally, n uint64) { t.stored, t.readable = n, n }},
		{s.causes(isCounted, rows), func(t *tally, n uint64) { t.scored = n }},
		{s.lacking(isCounted, rows), func(t *tally, n uint64) { t.readable -= min(n, t.readable); lacking += n }},
	} {
		err := s.each(ctx, "SELECT drill, device, source, uniqExact(seq) FROM ("+x.rows+") GROUP BY drill, device, source", func(r row) error {
			var k source
			var n uint64
			if err := r.Scan(&k.drill, &k.device, &k.boot, &n); err != nil {
				return err
			}
			if out[k] == nil {
				out[k] = &tally{}
			}
			x.to(out[k], n)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// accepted returns what any gateway said last that it has accepted, by source.
func (s *Store) accepted(ctx context.Context, h horizon, asked func(source) bool) (map[source]ledger.Spans, error) {
	out := map[source]ledger.Spans{}
	q := "SELECT drill, device, source, groupArrayArray(ranges) FROM (SELECT gateway, drill, device, boot, any(source) AS source, argMax(ranges, tx) AS ranges FROM (SELECT gateway, drill, device, boot, source, tx, groupArrayArray(ranges) AS ranges FROM " +
		s.table("accepted") + " WHERE " + h.rows(0) + " GROUP BY gateway, drill, device, boot, source, tx) GROUP BY gateway, drill, device, boot) GROUP BY drill, device, source"
	q = strings.Replace(q, "groupArrayArray(ranges) FROM (SELECT gateway", "arrayMap(r -> r.1, groupArrayArray(ranges) AS all), arrayMap(r -> r.2, all) FROM (SELECT gateway", 1)
	err := s.each(ctx, q, func(r row) error {
		var k source
		var lo, hi []uint64
		if err := r.Scan(&k.drill, &k.device, &k.boot, &lo, &hi); err != nil {
			return err
		}
		if !asked(k) {
			return nil
		}
		set := make(ledger.Spans, len(lo))
		for i := range lo {
			set[i] = ledger.Span{Lo: lo[i], Hi: hi[i]}
		}
		out[k] = ledger.Merge(set)
		return nil
	})
	return out, err
}

// explain adds to the gaps what is known of their cause.
func (s *Store) explain(ctx context.Context, l *storage.Ledger) (err error) {
	if !ledger.Open(l) {
		return nil
	}
	f := ledger.Facts{Aside: map[[2]string]int64{}}
	visible := s.visible()
	err = s.each(ctx, "SELECT CAST(drill AS String), CAST(device AS String), count() FROM "+s.table("quarantine")+" WHERE NOT startsWith(field, 'channels.') AND "+visible+" GROUP BY drill, device", func(r row) error {
		var k [2]string
		var n uint64
		err := r.Scan(&k[0], &k[1], &n)
		f.Aside[k] = int64(n)
		return err
	})
	if err != nil {
		return err
	}
	if f.Gateways, err = s.Gateways(ctx); err != nil {
		return err
	}
	err = s.each(ctx, "SELECT topic, place, lo, hi, toUnixTimestamp64Micro(arrived) FROM "+s.table("lost")+" WHERE "+visible+" ORDER BY tx, lo", func(r row) error {
		var c ledger.Cut
		err := r.Scan(&c.Topic, &c.Partition, &c.From, &c.To, &c.Seen)
		c.Seen *= 1000
		f.Lost = append(f.Lost, c)
		return err
	})
	if err != nil {
		return err
	}
	ledger.Explain(l, f)
	return nil
}
