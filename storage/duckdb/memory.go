package duckdb

import (
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
