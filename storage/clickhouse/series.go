package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/internal/series"
)

// Series returns one series per channel asked for, in that order.
func (s *Store) Series(ctx context.Context, q storage.SeriesQuery) ([]storage.Series, error) {
	if err := series.Check(q); err != nil {
		return nil, err
	}
	from, to := us(q.From), us(q.To)
	width := max(1, (to-from+int64(q.Points)-1)/int64(q.Points))
	out := make([]storage.Series, len(q.Channels))
	of := map[string][]int{} // of a tag: which of out
	var tags, exprs []string
	var scored []int
	for i, ch := range q.Channels {
		out[i] = storage.Series{Channel: ch, Width: width * 1000}
		if tag, ok := s.lookup(ch); ok {
			out[i].Channel = tag
			if of[tag] == nil {
				tags = append(tags, tag)
			}
			of[tag] = append(of[tag], i)
			continue
		}
		expr, ok := s.scoreExpr(ch)
		switch {
		case ok:
			exprs = append(exprs, "toFloat64("+expr+")")
			scored = append(scored, i)
		case s.cat.Get(ch) != nil || s.isRegistered(ch):
			// Known, but no frame ever had it: an empty series.
		default:
			return nil, &storage.UnknownChannel{Channel: ch}
		}
	}
	known := s.visible()
	if q.KnownAt != 0 {
		known += " AND arrived <= " + at(us(q.KnownAt))
	}
	if len(tags) > 0 {
		rows := fmt.Sprintf("SELECT channel AS k, t, v FROM (%s) WHERE t >= %d AND t < %d", s.samples(fmt.Sprintf("drill = %s AND channel IN %s AND %s", lit(q.Drill), lits(tags), known), from, to), from, to)
		if err := s.buckets(ctx, rows, from, width, func(k string) []*storage.Series {
			list := make([]*storage.Series, len(of[k]))
			for n, i := range of[k] {
				list[n] = &out[i]
			}
			return list
		}); err != nil {
			return nil, fmt.Errorf("series: %w", err)
		}
	}
	if len(scored) > 0 {
		last := fmt.Sprintf("SELECT toUnixTimestamp64Micro(tick) AS t, [%s] AS said FROM %s WHERE drill = %s AND tick >= %s AND tick < %s AND %s ORDER BY tick, tx DESC, n DESC LIMIT 1 BY tick",
			strings.Join(exprs, ", "), s.table("scores"), lit(q.Drill), at(from), at(to), known)
		rows := "SELECT toString(i) AS k, t, v FROM (" + last + ") ARRAY JOIN said AS v, arrayEnumerate(said) AS i"
		if err := s.buckets(ctx, rows, from, width, func(k string) []*storage.Series {
			var n int
			if _, err := fmt.Sscan(k, &n); err != nil || n < 1 || n > len(scored) {
				return nil
			}
			return []*storage.Series{&out[scored[n-1]]}
		}); err != nil {
			return nil, fmt.Errorf("series: %w", err)
		}
	}
	for i := range out {
		series.Finish(&out[i])
	}
	return out, nil
}

// samples selects drill, channel, t (µs) and v of runs that may have some in [from, to), one a row.
func (s *Store) samples(where string, from, to int64) string {
	return fmt.Sprintf(`SELECT drill, channel, intDiv(start + toInt64(i - 1) * every, 1000) AS t, v
FROM (SELECT drill, channel, toUnixTimestamp64Nano(ts) AS start, every, values FROM %s WHERE %s AND ts < fromUnixTimestamp64Micro(%d, 'UTC') AND last >= %s)
ARRAY JOIN values AS v, arrayEnumerate(values) AS i`, s.table("readings"), where, to, at(from))
}

// buckets downsamples rows of k, t and v: of each bucket the first, last, least and greatest value, as M4 does.
func (s *Store) buckets(ctx context.Context, rows string, from, width int64, of func(k string) []*storage.Series) error {
	q := fmt.Sprintf("SELECT CAST(k AS String), intDiv(t - %d, %d) AS b, min(t), max(t), min(v), max(v), argMin(v, t), argMax(v, t), count() FROM (%s) WHERE NOT isNaN(v) GROUP BY k, b ORDER BY k, b", from, width, rows)
	return s.each(ctx, q, func(r row) error {
		var k string
		var b, t0, t1 int64
		var lo, hi, first, last float64
		var n uint64
		if err := r.Scan(&k, &b, &t0, &t1, &lo, &hi, &first, &last, &n); err != nil {
			return err
		}
		for _, o := range of(k) {
			o.T, o.TLast = append(o.T, t0*1000), append(o.TLast, t1*1000)
			o.Min, o.Max = append(o.Min, lo), append(o.Max, hi)
			o.First, o.Last = append(o.First, first), append(o.Last, last)
			o.N = append(o.N, int64(n))
		}
		return nil
	})
}

// lookup returns a tag that came in frames as it is stored.
func (s *Store) lookup(tag string) (string, bool) {
	s.names.RLock()
	defer s.names.RUnlock()
	t, ok := s.names.tags[strings.ToLower(tag)]
	return t, ok && !s.isWaveform(t)
}

func (s *Store) isRegistered(tag string) bool {
	s.names.RLock()
	defer s.names.RUnlock()
	return s.names.registered[strings.ToLower(tag)]
}

// Fleet returns one channel of all drills over [from, to), Unix ns, a row per
// drill, sorted by drill. Both ends are widened to whole minutes.
func (s *Store) Fleet(ctx context.Context, channel string, from, to int64) ([]storage.DrillSummary, error) {
	if from >= to {
		return nil, errors.New("fleet: from must be before to")
	}
	tag, ok := s.lookup(channel)
	if !ok {
		return nil, &storage.UnknownChannel{Channel: channel}
	}
	const minute = int64(60e6)
	lo, hi := us(from)/minute*minute, (us(to)+minute-1)/minute*minute
	q := fmt.Sprintf("SELECT drill, count(), avg(v), min(v), max(v), argMax(v, t), max(t) FROM (%s) WHERE t >= %d AND t < %d AND NOT isNaN(v) GROUP BY drill ORDER BY drill",
		s.samples("channel = "+lit(tag)+" AND "+s.visible(), lo, hi), lo, hi)
	var out []storage.DrillSummary
	err := s.each(ctx, q, func(r row) error {
		var d storage.DrillSummary
		var n uint64
		err := r.Scan(&d.Drill, &n, &d.Mean, &d.Min, &d.Max, &d.Last, &d.TLast)
		d.N, d.TLast = int64(n), d.TLast*1000
		out = append(out, d)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	return out, nil
}
