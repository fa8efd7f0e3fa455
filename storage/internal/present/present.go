// Package present is what is asked so often that no columnstore is asked for it:
// each drill's latest values, latest score and week of health, and which scores
// of late are stored. A store reads it back on open and adds what it commits.
package present

import (
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/internal/micros"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Memory is safe for concurrent use but for Get. Its zero value is empty.
type Memory struct {
	mu     sync.RWMutex
	drills map[string]*Drill
	sorted []*Drill // by name; nil: a drill was met since

	newFrom int64 // recent.from of a drill that is met now: while the store is read back, unknownFrom
}

// A Drill is what is remembered of one.
type Drill struct {
	storage.Drill
	latest map[string]*storage.Value
	Score  *telemetry.Score  // the newest that is not ahead of the clock; shared, not to be changed
	Newest int64             // tick of the newest of all, or NoTick
	health map[int64]*bucket // by tick / HealthBucket
	recent recent
}

// bucket is health in two hours.
type bucket struct {
	tick      int64
	last, min float64
}

// NoTick is the tick of a drill that has no score.
const NoTick = math.MinInt64

// Ahead is how far before the clock a drill may be: what is further is kept at its
// time, and is not the present (telemetry.FlagFuture), or one frame of a device whose
// clock is a day ahead would pass for news until tomorrow.
const Ahead = int64(5 * time.Minute)

// Get returns the drill of that name, made where there is none. Call it before the
// memory is shared, or within Update.
func (m *Memory) Get(name string) *Drill {
	d := m.drills[name]
	if d == nil {
		if m.drills == nil {
			m.drills = map[string]*Drill{}
		}
		name = strings.Clone(name)
		d = &Drill{Drill: storage.Drill{Drill: name, First: math.MaxInt64, Last: NoTick},
			latest: map[string]*storage.Value{}, Newest: NoTick, health: map[int64]*bucket{}, recent: recent{from: m.newFrom}}
		m.drills[name] = d
		m.sorted = nil
	}
	return d
}

// Device remembers that a device sent for the drill. The list is replaced, not changed: it is shared with what Drills returned.
func (d *Drill) Device(name string) {
	if at, found := slices.BinarySearch(d.Devices, name); !found {
		d.Devices = slices.Insert(slices.Clone(d.Devices), at, strings.Clone(name))
	}
}

// byName calls begin with the number of drills, then f with each, sorted by name.
func (m *Memory) byName(begin func(n int), f func(*Drill)) {
	m.mu.RLock()
	for m.sorted == nil && len(m.drills) > 0 {
		m.mu.RUnlock()
		m.mu.Lock()
		if m.sorted == nil {
			for _, d := range m.drills {
				m.sorted = append(m.sorted, d)
			}
			slices.SortFunc(m.sorted, func(a, b *Drill) int { return strings.Compare(a.Drill.Drill, b.Drill.Drill) })
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

// LastTick returns the tick of the drill's newest score, or NoTick.
func (m *Memory) LastTick(name string) int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if d := m.drills[name]; d != nil {
		return d.Newest
	}
	return NoTick
}

// Committed takes up what a commit stored; scores are the indices of those it kept, content is of all.
func (m *Memory) Committed(b *storage.Batch, scores []int, content []uint64, waveform func(tag string) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	frames := b.Frames()
	for i := range frames {
		f := &frames[i]
		d := m.Get(f.Drill)
		d.Frames++
		d.Arrived = b.Arrived
		d.First = min(d.First, f.TS)
		d.Device(f.Device)
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
		m.score(&b.Scores[i], content[i], b.Arrived+Ahead)
	}
}

// take remembers a run's last present sample, if it is the channel's newest.
func (d *Drill) take(r *telemetry.Run, ts int64) {
	for k := len(r.Values) - 1; k >= 0; k-- {
		v := r.Values[k]
		if v != v {
			continue
		}
		at := r.Time(ts, k)
		old := d.latest[r.Channel]
		if old == nil {
			old = &storage.Value{TS: NoTick}
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
func (m *Memory) score(sc *telemetry.Score, content uint64, until int64) {
	d := m.Get(sc.Drill)
	d.Newest = max(d.Newest, sc.Tick)
	if sc.Tick <= until && (d.Score == nil || sc.Tick >= d.Score.Tick) {
		c := *sc
		d.Score = &c
	}
	d.AddHealth(sc.Tick, sc.Health, sc.Health)
	d.recent.add(scoreID{micros.Floor(sc.Tick), sc.CauseHash, content})
}

// AddHealth takes up the last and the least health of a tick, or of several that end with it.
func (d *Drill) AddHealth(tick int64, last, low float64) {
	n := micros.FloorDiv(tick, storage.HealthBucket)
	b := d.health[n]
	if b == nil {
		b = &bucket{tick: NoTick, min: math.NaN()}
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
func (d *Drill) forget() {
	keys := make([]int64, 0, len(d.health))
	for k := range d.health {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys[:len(keys)-storage.HealthBuckets] {
		delete(d.health, k)
	}
}

// Drills returns all drills, sorted by name. Lists of devices are shared: not to be changed.
func (m *Memory) Drills() (out []storage.Drill) {
	m.byName(func(n int) { out = make([]storage.Drill, 0, n) }, func(d *Drill) {
		c := d.Drill
		if c.Last == NoTick { // all that it sent is ahead of the clock
			c.Last = 0
		}
		if c.Frames == 0 {
			c.First, c.Last = 0, 0
			if d.Score != nil {
				c.First, c.Last, c.Simulated = d.Score.Tick, d.Score.Tick, d.Score.Simulated
			}
		}
		out = append(out, c)
	})
	return out
}

// LatestScore returns the drill's newest tick, in its last version. It is shared: not to be changed.
func (m *Memory) LatestScore(name string) (*telemetry.Score, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if d := m.drills[name]; d != nil && d.Score != nil {
		return d.Score, true
	}
	return nil, false
}

// LatestScores returns LatestScore of every drill that has one, sorted by drill.
func (m *Memory) LatestScores() (out []*telemetry.Score) {
	m.byName(func(n int) { out = make([]*telemetry.Score, 0, n) }, func(d *Drill) {
		if d.Score != nil {
			out = append(out, d.Score)
		}
	})
	return out
}

// Latest returns the newest sample of each of the drill's channels.
func (m *Memory) Latest(name string) map[string]storage.Value {
	m.mu.RLock()
	defer m.mu.RUnlock()
	out := map[string]storage.Value{}
	if d := m.drills[name]; d != nil {
		for tag, v := range d.latest {
			out[tag] = *v
		}
	}
	return out
}

// HealthHistory returns the week of each drill that ends with the bucket that at lies in, sorted by drill.
func (m *Memory) HealthHistory(at int64) []storage.HealthHistory {
	first := micros.FloorDiv(at, storage.HealthBucket) - storage.HealthBuckets + 1
	var out []storage.HealthHistory
	m.byName(func(n int) { out = make([]storage.HealthHistory, 0, n) }, func(d *Drill) {
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

// Seen returns what is known of tags, sorted: their last sample and up to a hundred drills that have it.
func (m *Memory) Seen(tags []string) []storage.SeenChannel {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []storage.SeenChannel
	at := make(map[string]int, len(tags)) // by tag in lower case: one look at each drill, however many tags
	for _, tag := range tags {
		at[strings.ToLower(tag)] = len(out)
		out = append(out, storage.SeenChannel{Tag: tag})
	}
	for name, d := range m.drills {
		for t, v := range d.latest {
			i, ok := at[strings.ToLower(t)]
			if !ok {
				continue
			}
			c := &out[i]
			c.LastSeen = max(c.LastSeen, v.TS)
			if len(c.Drills) < 100 {
				c.Drills = append(c.Drills, name)
			}
		}
	}
	for i := range out {
		slices.Sort(out[i].Drills)
	}
	slices.SortFunc(out, func(a, b storage.SeenChannel) int { return strings.Compare(a.Tag, b.Tag) })
	return out
}

// Keep remembers a sample that is read back, if it is the channel's newest.
func (d *Drill) Keep(tag string, v storage.Value) {
	if old := d.latest[tag]; old == nil || v.TS >= old.TS {
		d.latest[tag] = &v
	}
}

// Loading says that the store is being read back: of drills that are met now it is not known what is
// stored. Call the function that it returns when it is.
func (m *Memory) Loading() (done func()) {
	m.newFrom = unknownFrom
	return func() { m.newFrom = math.MinInt64 }
}

// Update calls f while nobody else reads or writes.
func (m *Memory) Update(f func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return f()
}

// Known returns the drill of that name, nil where there is none. As Get, it is not for a memory that is shared.
func (m *Memory) Known(name string) *Drill { return m.drills[name] }
