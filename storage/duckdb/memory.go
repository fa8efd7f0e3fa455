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
	sorted []*drill // by name; nil: a drill was met since

	newFrom int64 // recent.from of a drill that is met now: while the store is read back, unknownFrom
}

type drill struct {
	storage.Drill
	latest map[string]*storage.Value
	score  *telemetry.Score  // the newest that is not ahead of the clock
	newest int64             // tick of the newest of all, or noTick
	health map[int64]*bucket // by tick / HealthBucket
	recent recent
}

// bucket is health in two hours.
type bucket struct {
	tick      int64
	last, min float64
}

const noTick = math.MinInt64

// ahead is how far before the clock a drill may be: what is further is kept at its
// time, and is not the present (telemetry.FlagFuture), or one frame of a device whose
// clock is a day ahead would pass for news until tomorrow.
const ahead = int64(5 * time.Minute)

func (m *memory) get(name string) *drill {
	d := m.drills[name]
	if d == nil {
		if m.drills == nil {
			m.drills = map[string]*drill{}
		}
		name = strings.Clone(name)
		d = &drill{Drill: storage.Drill{Drill: name, First: math.MaxInt64, Last: noTick},
			latest: map[string]*storage.Value{}, newest: noTick, health: map[int64]*bucket{}, recent: recent{from: m.newFrom}}
		m.drills[name] = d
		m.sorted = nil
	}
	return d
}

// device remembers that a device sent for the drill. The list is replaced, not changed: it is shared with what Drills returned.
func (d *drill) device(name string) {
	if at, found := slices.BinarySearch(d.Devices, name); !found {
		d.Devices = slices.Insert(slices.Clone(d.Devices), at, strings.Clone(name))
	}
}

// byName calls begin with the number of drills, then f with each, sorted by name.
func (m *memory) byName(begin func(n int), f func(*drill)) {
	m.mu.RLock()
	for m.sorted == nil && len(m.drills) > 0 {
		m.mu.RUnlock()
		m.mu.Lock()
		if m.sorted == nil {
			for _, d := range m.drills {
				m.sorted = append(m.sorted, d)
			}
			slices.SortFunc(m.sorted, func(a, b *drill) int { return strings.Compare(a.Drill.Drill, b.Drill.Drill) })
		}
		m.mu.Unlock()
		m.mu.RLock()
	}
	defer m.mu.RUnlock()
	begin(len(m.sorted))
	for _, d := range m.sorted {
		f(d)
	}
}

// lastTick returns the tick of the drill's newest score, or noTick.
func (m *memory) lastTick(name string) int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if d := m.drills[name]; d != nil {
		return d.newest
	}
	return noTick
}

// committed takes up what a commit stored; scores are the indices of those it kept, content is of all.
func (m *memory) committed(b *storage.Batch, scores []int, content []uint64, waveform func(tag string) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	frames := b.Frames()
	for i := range frames {
		f := &frames[i]
		d := m.get(f.Drill)
		d.Frames++
		d.Arrived = b.Arrived
		d.First = min(d.First, f.TS)
		d.device(f.Device)
		if f.Flags&telemetry.FlagFuture != 0 {
			continue
		}
		if end := f.End(); end >= d.Last {
			d.Last, d.Simulated = end, f.Simulated
		}
		for r := range f.Runs {
			if len(f.Runs[r].Values) < telemetry.LeastWaveform || !waveform(f.Runs[r].Channel) {
				d.take(&f.Runs[r], f.TS)
			}
		}
	}
	for _, i := range scores {
		m.score(&b.Scores[i], content[i], b.Arrived+ahead)
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

// score takes up a score; it is the present if its tick is not after until.
func (m *memory) score(sc *telemetry.Score, content uint64, until int64) {
	d := m.get(sc.Drill)
	d.newest = max(d.newest, sc.Tick)
	if sc.Tick <= until && (d.score == nil || sc.Tick >= d.score.Tick) {
		c := *sc
		d.score = &c
	}
	d.addHealth(sc.Tick, sc.Health, sc.Health)
	d.recent.add(scoreID{us(sc.Tick), sc.CauseHash, content})
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

// Drills returns all drills, sorted by name. Lists of devices are shared: not to be changed.
func (s *Store) Drills() (out []storage.Drill) {
	s.mem.byName(func(n int) { out = make([]storage.Drill, 0, n) }, func(d *drill) {
		c := d.Drill
		if c.Last == noTick { // all that it sent is ahead of the clock
			c.Last = 0
		}
		if c.Frames == 0 {
			c.First, c.Last = 0, 0
			if d.score != nil {
				c.First, c.Last, c.Simulated = d.score.Tick, d.score.Tick, d.score.Simulated
			}
		}
		out = append(out, c)
	})
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
func (s *Store) LatestScores() (out []*telemetry.Score) {
	s.mem.byName(func(n int) { out = make([]*telemetry.Score, 0, n) }, func(d *drill) {
		if d.score != nil {
			out = append(out, d.score)
		}
	})
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
	first := floorDiv(at, storage.HealthBucket) - storage.HealthBuckets + 1
	var out []storage.HealthHistory
	s.mem.byName(func(n int) { out = make([]storage.HealthHistory, 0, n) }, func(d *drill) {
		h := storage.HealthHistory{Drill: d.Drill.Drill}
		for i := range h.Last {
			h.Last[i], h.Min[i] = math.NaN(), math.NaN()
			if b := d.health[first+int64(i)]; b != nil {
				h.Last[i], h.Min[i] = b.last, b.min
			}
		}
		out = append(out, h)
	})
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
	s.mem.newFrom = unknownFrom
	defer func() { s.mem.newFrom = math.MinInt64 }()
	for _, step := range []func(context.Context) error{s.loadNames, s.loadParts, s.loadPosition, s.loadDrills, s.loadLatest, s.loadScores} {
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
func (s *Store) present() int64 { return us(s.clock.Now().UnixNano() + ahead) }

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
		d := s.mem.get(k.drill)
		d.device(k.device)
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
		if d := s.mem.drills[k.drill]; d != nil && d.Frames > 0 && d.Last != noTick {
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
	return s.ask(ctx, func(l layout) string {
		return "SELECT r.src, r.ch, epoch_us(max(r.ts)), arg_max(r.value, r.ts), arg_max(r.quality, r.ts) FROM " + rows(l, dsNarrow, "src, ch, ts, value, quality") + " r " + join + " GROUP BY r.src, r.ch"
	}, func(r *sql.Rows) error {
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
		s.mem.get(name).addHealth(n.tick*1000, lastHealth, number(low))
		d := s.mem.get(name)
		d.newest = max(d.newest, n.tick*1000)
		d.recent.from = us(d.newest) + 1
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
		s.mem.get(sc.Drill).score = &sc
		return nil
	})
}
