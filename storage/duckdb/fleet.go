package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/internal/micros"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Fleet returns one channel of all drills over [from, to), Unix ns, a row per
// drill, sorted by drill. Both ends are widened to whole minutes; it is answered
// from rollups, hours where whole hours are sealed, and is as old as the last round of rollups.
func (s *Store) Fleet(ctx context.Context, channel string, from, to int64) ([]storage.DrillSummary, error) {
	if from >= to {
		return nil, errors.New("fleet: from must be before to")
	}
	w, name, ok := s.lookup(channel)
	if !ok {
		return nil, &storage.UnknownChannel{Channel: channel}
	}
	const minute, hour = step1m * 1e6, step1h * 1e6
	lo, hi := micros.FloorDiv(us(from), minute)*minute, -micros.FloorDiv(-us(to), minute)*minute
	lo1, hi1 := -micros.FloorDiv(-lo, hour)*hour, micros.FloorDiv(hi, hour)*hour // whole hours
	and := ""
	if w.class == telemetry.Narrow {
		name, and = "value", fmt.Sprintf(" AND ch = %d", w.ch)
	}
	col := func(v string) string { return ident(rollupColumn(name, v)) }
	cols := fmt.Sprintf("src, %s AS n, %s AS total, %s AS lo, %s AS hi, %s AS last, last_ts", col("n"), col("sum"), col("min"), col("max"), col("last"))
	between := func(step, lo, hi int64) string {
		return fmt.Sprintf("step = %d AND bucket >= make_timestamp(%d) AND bucket < make_timestamp(%d)%s", step, lo, hi, and)
	}
	var out []storage.DrillSummary
	err := s.ask(ctx, func(l layout) string {
		sealed, hot := l.withinRollups(lo, hi), l.within(lo, hi)
		sealed.hot, hot.files = nil, nil
		ds := rollupName(w.class)
		parts := []string{hot.from(ds, cols, between(step1m, lo, hi))}
		if lo1 < hi1 {
			parts = append(parts, sealed.from(ds, cols, between(step1h, lo1, hi1)))
			if lo < lo1 {
				parts = append(parts, sealed.within(lo-step1h*1e6, lo1).from(ds, cols, between(step1m, lo, lo1)))
			}
			if hi1 < hi {
				parts = append(parts, sealed.within(hi1-step1h*1e6, hi).from(ds, cols, between(step1m, hi1, hi)))
			}
		} else {
			parts = append(parts, sealed.from(ds, cols, between(step1m, lo, hi)))
		}
		return "SELECT s.drill, sum(n)::BIGINT, sum(total) / sum(n), min(lo), max(hi), arg_max(last, last_ts), epoch_us(max(last_ts)) FROM (" + strings.Join(parts, " UNION ALL ") +
			") r JOIN store.sources s ON s.src = r.src WHERE n > 0 GROUP BY s.drill ORDER BY s.drill"
	}, func(r *sql.Rows) error {
		var d storage.DrillSummary
		err := r.Scan(&d.Drill, &d.N, &d.Mean, &d.Min, &d.Max, &d.Last, &d.TLast)
		d.TLast *= 1000
		out = append(out, d)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	return out, nil
}
