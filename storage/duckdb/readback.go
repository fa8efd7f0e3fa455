package duckdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/internal/present"
	"github.com/mudpulse/mudpulse/telemetry"
)

// load reads back on open what is kept in memory.
func (s *Store) load(ctx context.Context) error {
	defer s.mem.Loading()()
	for _, step := range []func(context.Context) error{s.loadNames, s.loadParts, s.loadPosition, s.loadDrills, s.loadLatest, s.loadScores} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("read back: %w", err)
		}
	}
	return nil
}

// each runs a query and calls f on each row.
func (s *Store) each(ctx context.Context, query string, f func(*sql.Rows) error, args ...any) error {
	ctx, leave := s.guard.enter(ctx)
	defer leave()
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return stopped(ctx, err)
	}
	for rows.Next() {
		if err := f(rows); err != nil {
			rows.Close()
			return err
		}
	}
	return stopped(ctx, errors.Join(rows.Err(), rows.Close()))
}

// stopped says why a query was, where the guard did it.
func stopped(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, storage.ErrMemory) {
		return cause
	}
	return err
}

func (s *Store) loadNames(ctx context.Context) error {
	err := s.each(ctx, "SELECT src, drill, device, boot FROM store.sources ORDER BY src", func(r *sql.Rows) error {
		var n int32
		var drill, device, boot *string
		if err := r.Scan(&n, &drill, &device, &boot); err != nil {
			return err
		}
		if int(n) != len(s.bySource) {
			return fmt.Errorf("sources: number %d where %d should be", n, len(s.bySource))
		}
		k := sourceKey{deref(drill), deref(device), deref(boot)}
		s.sources[k] = n
		s.bySource = append(s.bySource, k)
		return nil
	})
	if err != nil {
		return err
	}
	err = s.each(ctx, "SELECT ch, tag FROM store.channels ORDER BY ch", func(r *sql.Rows) error {
		var n int32
		var tag string
		if err := r.Scan(&n, &tag); err != nil {
			return err
		}
		if int(n) != len(s.byChannel) {
			return fmt.Errorf("channels: number %d where %d should be", n, len(s.byChannel))
		}
		s.channels[tag] = n
		s.byLower[strings.ToLower(tag)] = n
		s.byChannel = append(s.byChannel, tag)
		return nil
	})
	if err != nil {
		return err
	}
	err = s.each(ctx, "SELECT layout, names FROM store.layouts ORDER BY layout", func(r *sql.Rows) error {
		var n int32
		var names string
		if err := r.Scan(&n, &names); err != nil {
			return err
		}
		if int(n) != len(s.byLayout) {
			return fmt.Errorf("layouts: number %d where %d should be", n, len(s.byLayout))
		}
		s.layouts[names] = n
		s.byLayout = append(s.byLayout, names)
		return nil
	})
	if err != nil {
		return err
	}
	return s.each(ctx, "SELECT record FROM store.registered ORDER BY commit, rowid", func(r *sql.Rows) error {
		var text string
		if err := r.Scan(&text); err != nil {
			return err
		}
		var ch telemetry.Channel
		if err := json.Unmarshal([]byte(text), &ch); err != nil {
			return fmt.Errorf("registered: %w", err)
		}
		s.registered[strings.ToLower(ch.Tag)] = ch
		return nil
	})
}

func (s *Store) loadPosition(ctx context.Context) error {
	err := s.each(ctx, "SELECT commit, cluster, offsets FROM store.commits ORDER BY commit DESC LIMIT 1", func(r *sql.Rows) error {
		var cluster *string
		var text string
		if err := r.Scan(&s.commit, &cluster, &text); err != nil {
			return err
		}
		s.cluster = deref(cluster)
		var list []storage.Offset
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			return fmt.Errorf("offsets: %w", err)
		}
		for _, o := range list {
			s.offsets[topicPartition{o.Topic, o.Partition}] = o.Next
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.db.QueryRowContext(ctx, "SELECT coalesce(max(commit), 0) FROM store.dedup").Scan(&s.dedupAt); err != nil {
		return err
	}
	if err := s.askOne(ctx, func(l layout) string {
		l.files = nil
		return "SELECT coalesce(max(ord), 0) FROM (" + l.from(dsScores, "ord", "") + ")"
	}, &s.ord); err != nil {
		return err
	}
	for _, f := range s.files {
		s.ord = max(s.ord, f.maxOrd)
	}
	return nil
}

// notHot is a condition on what is kept of sealed partitions: until one is sealed, its tables count.
const notHot = "part NOT IN (SELECT part FROM store.parts)"

// present is the newest time that is not ahead of the clock, µs.
func (s *Store) present() int64 { return us(s.clock.Now().UnixNano() + present.Ahead) }

func (s *Store) loadDrills(ctx context.Context) error {
	until := s.present()
	return s.ask(ctx, func(l layout) string {
		l.files = nil
		return fmt.Sprintf(`SELECT src, min(first_ts), max(last_ts) FILTER (last_ts <= %[1]d), max(arrived), sum(n)::BIGINT, arg_max(simulated, last_ts) FROM (
SELECT src, epoch_us(min(ts)) AS first_ts, epoch_us(max(ts_end) FILTER (ts_end <= make_timestamp(%[1]d))) AS last_ts, epoch_us(max(arrived)) AS arrived, count(*) AS n, arg_max(simulated, ts_end) AS simulated FROM (`, until) + l.from(dsFrames, "src, ts, ts_end, arrived, simulated", "") + `) GROUP BY src
UNION ALL SELECT src, first_ts, last_ts, arrived, frames, simulated FROM store.sealed_sources WHERE ` + notHot + `) GROUP BY src ORDER BY src`
	}, func(r *sql.Rows) error {
		var src int32
		var first, arrived, n int64
		var last *int64
		var simulated *bool
		if err := r.Scan(&src, &first, &last, &arrived, &n, &simulated); err != nil {
			return err
		}
		k := s.sourceName(src)
		d := s.mem.Get(k.drill)
		d.Device(k.device)
		d.Frames += n
		d.First = min(d.First, first*1000)
		if last != nil && *last*1000 >= d.Last {
			d.Last, d.Simulated = *last*1000, simulated != nil && *simulated
		}
		d.Arrived = max(d.Arrived, arrived*1000)
		return nil
	})
}

// loadLatest reads the last values of the hour before each drill's last frame.
func (s *Store) loadLatest(ctx context.Context) error {
	since := map[int32]int64{} // µs, by source
	for src, k := range s.bySource {
		if d := s.mem.Known(k.drill); d != nil && d.Frames > 0 && d.Last != present.NoTick {
			since[int32(src)] = us(d.Last) - 3600e6
		}
	}
	if len(since) == 0 {
		return nil
	}
	var values []string
	least := int64(math.MaxInt64)
	hours := map[int32]bool{}
	for src, at := range since {
		values = append(values, fmt.Sprintf("(%d, make_timestamp(%d))", src, at))
		least = min(least, at)
		for h := hourOf(at * 1000); h <= hourOf(at*1000)+1; h++ {
			hours[h] = true
		}
	}
	join := "JOIN (VALUES " + strings.Join(values, ", ") + ") l(src, since) ON l.src = r.src AND r.ts >= l.since AND r.ts <= make_timestamp(" + fmt.Sprint(s.present()) + ")"
	rows := func(l layout, dataset, cols string) string {
		l.files = slices.DeleteFunc(l.files, func(f *file) bool { return f.hi < least || !hours[f.hour] })
		return "(" + l.from(dataset, cols, fmt.Sprintf("ts >= make_timestamp(%d)", least)) + ")"
	}
	for _, class := range classesWithColumns {
		t := s.tab.rows.class[class]
		cols := t.cols[readingMeta:]
		if len(cols) == 0 {
			continue
		}
		err := s.ask(ctx, func(l layout) string {
			var q strings.Builder
			names := "src, ts, quality"
			q.WriteString("SELECT r.src")
			for i, c := range cols {
				names += ", " + ident(c.name)
				fmt.Fprintf(&q, ", epoch_us(max(r.ts) FILTER (r.%[1]s IS NOT NULL)), arg_max(r.%[1]s, r.ts), coalesce(substr(arg_max(coalesce(r.quality, ''), r.ts) FILTER (r.%[1]s IS NOT NULL), %[2]d, 1), '')", ident(c.name), i+1)
			}
			return q.String() + " FROM " + rows(l, t.name, names) + " r " + join + " GROUP BY r.src"
		}, func(r *sql.Rows) error {
			var src int32
			at := make([]*int64, len(cols))
			value := make([]*float64, len(cols))
			digit := make([]string, len(cols))
			dst := []any{&src}
			for i := range cols {
				dst = append(dst, &at[i], &value[i], &digit[i])
			}
			if err := r.Scan(dst...); err != nil {
				return err
			}
			d := s.mem.Get(s.sourceName(src).drill)
			for i, c := range cols {
				if at[i] == nil || value[i] == nil {
					continue
				}
				q := telemetry.Good
				if digit[i] != "" {
					q = digit[i][0] - '0'
				}
				d.Keep(c.name, storage.Value{TS: *at[i] * 1000, Value: *value[i], Quality: q})
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return s.ask(ctx, func(l layout) string {
		return "SELECT r.src, r.ch, epoch_us(max(r.ts)), arg_max(r.value, r.ts), arg_max(r.quality, r.ts) FROM " + rows(l, dsNarrow, "src, ch, ts, value, quality") + " r " + join + " GROUP BY r.src, r.ch"
	}, func(r *sql.Rows) error {
		var src, ch int32
		var v storage.Value
		if err := r.Scan(&src, &ch, &v.TS, &v.Value, &v.Quality); err != nil {
			return err
		}
		v.TS *= 1000
		s.mem.Get(s.sourceName(src).drill).Keep(s.byChannel[ch], v)
		return nil
	})
}

func (s *Store) loadScores(ctx context.Context) error {
	type newest struct{ tick, ord int64 }
	last, until := map[string]newest{}, s.present()
	err := s.ask(ctx, func(l layout) string {
		l.files = nil
		return fmt.Sprintf(`WITH hot AS (%s), all_buckets AS (
SELECT drill, epoch_us(tick) // %d AS bucket, epoch_us(max(tick)) AS tick, arg_max(ord, (tick, ord)) AS ord, coalesce(arg_max_null(health, (tick, ord)), 'nan') AS last, coalesce(min(health), 'nan') AS low FROM hot GROUP BY ALL
UNION ALL SELECT drill, bucket, tick, ord, last, low FROM store.sealed_health WHERE %s)
SELECT drill, max(tick), arg_max(ord, (tick, ord)), arg_max(last, (tick, ord)), min(if(isnan(low), NULL, low)) FROM all_buckets GROUP BY drill, bucket`,
			l.from(dsScores, "drill, tick, ord, health", ""), storage.HealthBucket/1000, notHot)
	}, func(r *sql.Rows) error {
		var name string
		var n newest
		var lastHealth float64
		var low *float64
		if err := r.Scan(&name, &n.tick, &n.ord, &lastHealth, &low); err != nil {
			return err
		}
		s.mem.Get(name).AddHealth(n.tick*1000, lastHealth, number(low))
		d := s.mem.Get(name)
		d.Newest = max(d.Newest, n.tick*1000)
		d.Unsure()
		if n.tick > until {
			return nil
		}
		if o, ok := last[name]; !ok || n.tick > o.tick || n.tick == o.tick && n.ord > o.ord {
			last[name] = n
		}
		return nil
	})
	if err != nil || len(last) == 0 {
		return err
	}
	ords := make([]string, 0, len(last))
	least, most := int64(math.MaxInt64), int64(math.MinInt64)
	hours := map[int32]bool{}
	for _, n := range last {
		ords = append(ords, fmt.Sprint(n.ord))
		least, most = min(least, n.tick), max(most, n.tick)
		hours[hourOf(n.tick*1000)] = true
	}
	return s.ask(ctx, func(l layout) string {
		l = l.within(least, most+1)
		l.files = slices.DeleteFunc(l.files, func(f *file) bool { return !hours[f.hour] })
		return l.from(dsScores, scoreColumns(), "ord IN ("+strings.Join(ords, ",")+")")
	}, func(r *sql.Rows) error {
		sc, err := s.scanScore(r)
		if err != nil {
			return err
		}
		s.mem.Get(sc.Drill).Score = &sc
		return nil
	})
}
