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
	"sync"
	"time"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// memory is what is asked so often that it is not asked of DuckDB: each drill's
// latest values, latest score and week of health. It is read back on open.
type memory struct {
	mu     sync.RWMutex
	drills map[string]*drill
}

type drill struct {
	storage.Drill
	devices map[string]bool
	latest  map[string]*storage.Value
	score   *telemetry.Score
	health  map[int64]*bucket // by tick / HealthBucket
}

// bucket is health in two hours.
type bucket struct {
	tick      int64
	last, min float64
}

const noTick = math.MinInt64

func (m *memory) get(name string) *drill {
	d := m.drills[name]
	if d == nil {
		if m.drills == nil {
			m.drills = map[string]*drill{}
		}
		name = strings.Clone(name)
		d = &drill{Drill: storage.Drill{Drill: name, First: math.MaxInt64, Last: noTick}, devices: map[string]bool{},
			latest: map[string]*storage.Value{}, health: map[int64]*bucket{}}
		m.drills[name] = d
	}
	return d
}

// lastTick returns the tick of the drill's newest score, or noTick.
func (m *memory) lastTick(name string) int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if d := m.drills[name]; d != nil && d.score != nil {
		return d.score.Tick
	}
	return noTick
}

// committed takes up what a commit stored; scores are the indices of those it kept.
func (m *memory) committed(b *storage.Batch, scores []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	frames := b.Frames()
	for i := range frames {
		f := &frames[i]
		d := m.get(f.Drill)
		d.Frames++
		d.Arrived = b.Arrived
		d.First = min(d.First, f.TS)
		if end := f.End(); end >= d.Last {
			d.Last, d.Simulated = end, f.Simulated
		}
		if !d.devices[f.Device] {
			d.devices[strings.Clone(f.Device)] = true
		}
		for r := range f.Runs {
			d.take(&f.Runs[r], f.TS)
		}
	}
	for _, i := range scores {
		m.score(&b.Scores[i])
	}
}

// take remembers a run's last present sample, if it is the channel's newest.
func (d *drill) take(r *telemetry.Run, ts int64) {
	for k := len(r.Values) - 1; k >= 0; k-- {
		v := r.Values[k]
		if v != v {
			continue
		}
		at := r.Time(ts, k)
		old := d.latest[r.Channel]
		if old == nil {
			old = &storage.Value{TS: noTick}
			d.latest[strings.Clone(r.Channel)] = old
		}
		if at >= old.TS {
			q := telemetry.Good
			if r.Quality != nil {
				q = r.Quality[k]
			}
			*old = storage.Value{TS: at, Value: v, Quality: q}
		}
		return
	}
}

func (m *memory) score(sc *telemetry.Score) {
	d := m.get(sc.Drill)
	if d.score == nil || sc.Tick >= d.score.Tick {
		c := *sc
		d.score = &c
	}
	d.addHealth(sc.Tick, sc.Health, sc.Health)
}

func (d *drill) addHealth(tick int64, last, low float64) {
	n := floorDiv(tick, storage.HealthBucket)
	b := d.health[n]
	if b == nil {
		b = &bucket{tick: noTick, min: math.NaN()}
		d.health[n] = b
		if len(d.health) > 2*storage.HealthBuckets {
			d.forget()
		}
	}
	if tick >= b.tick {
		b.tick, b.last = tick, last
	}
	if !(b.min <= low) && low == low {
		b.min = low
	}
}

// forget drops the oldest half of the buckets.
func (d *drill) forget() {
	keys := make([]int64, 0, len(d.health))
	for k := range d.health {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys[:len(keys)-storage.HealthBuckets] {
		delete(d.health, k)
	}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Drills returns all drills, sorted by name.
func (s *Store) Drills() []storage.Drill {
	s.mem.mu.RLock()
	defer s.mem.mu.RUnlock()
	out := make([]storage.Drill, 0, len(s.mem.drills))
	for _, d := range s.mem.drills {
		c := d.Drill
		if c.Frames == 0 {
			c.First, c.Last = 0, 0
			if d.score != nil {
				c.First, c.Last, c.Simulated = d.score.Tick, d.score.Tick, d.score.Simulated
			}
		}
		for name := range d.devices {
			c.Devices = append(c.Devices, name)
		}
		slices.Sort(c.Devices)
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b storage.Drill) int { return strings.Compare(a.Drill, b.Drill) })
	return out
}

// LatestScore returns the drill's newest tick, in its last version. It is shared: not to be changed.
func (s *Store) LatestScore(name string) (*telemetry.Score, bool) {
	s.mem.mu.RLock()
	defer s.mem.mu.RUnlock()
	if d := s.mem.drills[name]; d != nil && d.score != nil {
		return d.score, true
	}
	return nil, false
}

// LatestScores returns LatestScore of every drill that has one, sorted by drill.
func (s *Store) LatestScores() []*telemetry.Score {
	s.mem.mu.RLock()
	defer s.mem.mu.RUnlock()
	out := make([]*telemetry.Score, 0, len(s.mem.drills))
	for _, d := range s.mem.drills {
		if d.score != nil {
			out = append(out, d.score)
		}
	}
	slices.SortFunc(out, func(a, b *telemetry.Score) int { return strings.Compare(a.Drill, b.Drill) })
	return out
}

// Latest returns the newest sample of each of the drill's channels.
func (s *Store) Latest(name string) map[string]storage.Value {
	s.mem.mu.RLock()
	defer s.mem.mu.RUnlock()
	out := map[string]storage.Value{}
	if d := s.mem.drills[name]; d != nil {
		for tag, v := range d.latest {
			out[tag] = *v
		}
	}
	return out
}

// HealthHistory returns the week of each drill that ends with the bucket that at lies in, sorted by drill.
func (s *Store) HealthHistory(at int64) []storage.HealthHistory {
	s.mem.mu.RLock()
	defer s.mem.mu.RUnlock()
	first := floorDiv(at, storage.HealthBucket) - storage.HealthBuckets + 1
	out := make([]storage.HealthHistory, 0, len(s.mem.drills))
	for name, d := range s.mem.drills {
		h := storage.HealthHistory{Drill: name}
		for i := range h.Last {
			h.Last[i], h.Min[i] = math.NaN(), math.NaN()
			if b := d.health[first+int64(i)]; b != nil {
				h.Last[i], h.Min[i] = b.last, b.min
			}
		}
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b storage.HealthHistory) int { return strings.Compare(a.Drill, b.Drill) })
	return out
}

// Unregistered returns the tags seen in frames that are neither in the catalogue
// nor registered since, sorted.
func (s *Store) Unregistered() []storage.SeenChannel {
	s.names.RLock()
	tags := map[string]bool{}
	for lower, ch := range s.byLower {
		if _, ok := s.registered[lower]; !ok && !s.catalogued[lower] {
			tags[s.byChannel[ch]] = true
		}
	}
	s.names.RUnlock()
	s.mem.mu.RLock()
	defer s.mem.mu.RUnlock()
	var out []storage.SeenChannel
	for tag := range tags {
		c := storage.SeenChannel{Tag: tag}
		for name, d := range s.mem.drills {
			for t, v := range d.latest {
				if strings.EqualFold(t, tag) {
					c.LastSeen = max(c.LastSeen, v.TS)
					if len(c.Drills) < 100 {
						c.Drills = append(c.Drills, name)
					}
				}
			}
		}
		slices.Sort(c.Drills)
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b storage.SeenChannel) int { return strings.Compare(a.Tag, b.Tag) })
	return out
}

// load reads back on open what is kept in memory.
func (s *Store) load(ctx context.Context) error {
	for _, step := range []func(context.Context) error{s.loadNames, s.loadPosition, s.loadDrills, s.loadLatest, s.loadScores} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("read back: %w", err)
		}
	}
	return nil
}

// each runs a query and calls f on each row.
func (s *Store) each(ctx context.Context, query string, f func(*sql.Rows) error, args ...any) error {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := f(rows); err != nil {
			rows.Close()
			return err
		}
	}
	return errors.Join(rows.Err(), rows.Close())
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
	var from int64
	if err := s.db.QueryRowContext(ctx, "SELECT coalesce(max(value::BIGINT), 0) FROM store.meta WHERE key = 'readings_from'").Scan(&from); err != nil {
		return err
	}
	s.readingsFrom.Store(from)
	return s.db.QueryRowContext(ctx, "SELECT (SELECT coalesce(max(commit), 0) FROM store.dedup), (SELECT coalesce(max(ord), 0) FROM store.scores)").Scan(&s.dedupAt, &s.ord)
}

func (s *Store) loadDrills(ctx context.Context) error {
	return s.each(ctx, `SELECT src, min(ts), max(ts_end), max(arrived), count(*), arg_max(simulated, ts_end) FROM store.frames GROUP BY src ORDER BY src`, func(r *sql.Rows) error {
		var src int32
		var first, last, arrived time.Time
		var n int64
		var simulated bool
		if err := r.Scan(&src, &first, &last, &arrived, &n, &simulated); err != nil {
			return err
		}
		k := s.sourceName(src)
		d := s.mem.get(k.drill)
		d.devices[k.device] = true
		d.Frames += n
		d.First = min(d.First, first.UnixNano())
		if last.UnixNano() >= d.Last {
			d.Last, d.Simulated = last.UnixNano(), simulated
		}
		d.Arrived = max(d.Arrived, arrived.UnixNano())
		return nil
	})
}

// loadLatest reads the last values of the hour before each source's last frame.
func (s *Store) loadLatest(ctx context.Context) error {
	const since = "JOIN (SELECT src, max(ts_end) - INTERVAL 1 HOUR AS since FROM store.frames GROUP BY src) l ON l.src = r.src AND r.ts >= l.since"
	for _, t := range s.tab.class {
		if t == nil {
			continue
		}
		cols := t.cols[readingMeta:]
		var q strings.Builder
		q.WriteString("SELECT r.src")
		for i, c := range cols {
			fmt.Fprintf(&q, ", epoch_us(max(r.ts) FILTER (r.%[1]s IS NOT NULL)), arg_max(r.%[1]s, r.ts), coalesce(substr(arg_max(coalesce(r.quality, ''), r.ts) FILTER (r.%[1]s IS NOT NULL), %[2]d, 1), '')", ident(c.name), i+1)
		}
		fmt.Fprintf(&q, " FROM store.%s r %s GROUP BY r.src", t.name, since)
		err := s.each(ctx, q.String(), func(r *sql.Rows) error {
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
			d := s.mem.get(s.sourceName(src).drill)
			for i, c := range cols {
				if at[i] == nil || value[i] == nil {
					continue
				}
				q := telemetry.Good
				if digit[i] != "" {
					q = digit[i][0] - '0'
				}
				d.keep(c.name, storage.Value{TS: *at[i] * 1000, Value: *value[i], Quality: q})
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return s.each(ctx, "SELECT r.src, r.ch, epoch_us(max(r.ts)), arg_max(r.value, r.ts), arg_max(r.quality, r.ts) FROM store.readings_narrow r "+since+" GROUP BY r.src, r.ch", func(r *sql.Rows) error {
		var src, ch int32
		var v storage.Value
		if err := r.Scan(&src, &ch, &v.TS, &v.Value, &v.Quality); err != nil {
			return err
		}
		v.TS *= 1000
		s.mem.get(s.sourceName(src).drill).keep(s.byChannel[ch], v)
		return nil
	})
}

func (d *drill) keep(tag string, v storage.Value) {
	if old := d.latest[tag]; old == nil || v.TS >= old.TS {
		d.latest[tag] = &v
	}
}

func (s *Store) loadScores(ctx context.Context) error {
	var ords []string
	err := s.each(ctx, `WITH m AS (SELECT drill, max(tick) AS tick FROM store.scores GROUP BY drill)
SELECT max(s.ord) FROM store.scores s JOIN m ON m.drill = s.drill AND m.tick = s.tick GROUP BY s.drill`, func(r *sql.Rows) error {
		var ord int64
		if err := r.Scan(&ord); err != nil {
			return err
		}
		ords = append(ords, fmt.Sprint(ord))
		return nil
	})
	if err != nil || len(ords) == 0 {
		return err
	}
	err = s.each(ctx, "SELECT "+scoreColumns()+" FROM store.scores WHERE ord IN ("+strings.Join(ords, ",")+")", func(r *sql.Rows) error {
		sc, err := s.scanScore(r)
		if err != nil {
			return err
		}
		s.mem.get(sc.Drill).score = &sc
		return nil
	})
	if err != nil {
		return err
	}
	return s.each(ctx, fmt.Sprintf(`SELECT drill, epoch_us(max(tick)), coalesce(arg_max_null(health, (tick, ord)), 'nan'), coalesce(min(health), 'nan') FROM store.scores
WHERE tick >= (SELECT max(tick) FROM store.scores) - INTERVAL 15 DAY
GROUP BY drill, epoch_us(tick) // %d`, storage.HealthBucket/1000), func(r *sql.Rows) error {
		var name string
		var tick int64
		var last, low float64
		if err := r.Scan(&name, &tick, &last, &low); err != nil {
			return err
		}
		s.mem.get(name).addHealth(tick*1000, last, low)
		return nil
	})
}
