package present

import (
	"math"
	"slices"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/internal/micros"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Scores are amended: in a burst, or when a second device's frame comes, a
// drill's tick gets version after version, and a scorer that starts again
// repeats its last ones. Whether a version is stored already is mostly a
// question about the last half minute, so each drill remembers which it stored
// there; only what is older is looked up in the tables.

// A scoreID is what makes a version of a score the same one.
type scoreID struct {
	tick           int64 // µs
	cause, content uint64
}

// recent is what one drill remembers.
type recent struct {
	from int64     // ticks, µs, from here on: every version that is stored is in list
	list []scoreID // in the order in which they were stored
	trim int       // length at which the oldest are forgotten
}

const (
	unknownFrom = math.MaxInt64 // of a drill read back without a score
	recentSpan  = 30e6          // µs of event time
	recentLeast = 64            // versions; fewer are not worth forgetting
	recentMost  = 1024          // versions, 24 bytes each
)

// covers reports whether the list says all about a tick.
func (r *recent) covers(tick int64) bool { return tick >= r.from }

func (r *recent) has(id scoreID) bool {
	for i := len(r.list) - 1; i >= 0; i-- {
		if r.list[i] == id {
			return true
		}
	}
	return false
}

func (r *recent) hasTick(tick int64) bool {
	return slices.ContainsFunc(r.list, func(id scoreID) bool { return id.tick == tick })
}

func (r *recent) add(id scoreID) {
	if r.from == unknownFrom {
		r.from = id.tick
	}
	if !r.covers(id.tick) {
		return
	}
	r.list = append(r.list, id)
	if len(r.list) >= max(r.trim, recentLeast) {
		r.forget()
	}
}

// forget drops what is older than recentSpan, and more where that leaves too many.
func (r *recent) forget() {
	ticks := make([]int64, len(r.list))
	for i, id := range r.list {
		ticks[i] = id.tick
	}
	slices.Sort(ticks)
	from := ticks[len(ticks)-1] - recentSpan
	if over := len(ticks) - recentMost/2; over > 0 {
		from = max(from, ticks[over])
	}
	r.from = max(r.from, from)
	r.list = slices.DeleteFunc(r.list, func(id scoreID) bool { return !r.covers(id.tick) })
	// A tick with very many versions stays whole: it is trimmed again when it has doubled.
	r.trim = max(recentLeast, min(2*len(r.list), len(r.list)+recentMost/2))
}

// Settle tells of doubtful scores of a batch which are stored, and of which another
// version is; what it cannot tell is left in the list it returns.
func (m *Memory) Settle(b *storage.Batch, content []uint64, doubtful []int, stored, again map[int]bool) []int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var ask []int
	for _, i := range doubtful {
		sc := &b.Scores[i]
		id := scoreID{micros.Floor(sc.Tick), sc.CauseHash, content[i]}
		d := m.drills[sc.Drill]
		switch {
		case d == nil || !d.recent.covers(id.tick):
			ask = append(ask, i)
		case d.recent.has(id):
			stored[i] = true
		case d.recent.hasTick(id.tick):
			again[i] = true
		}
	}
	return ask
}

// Doubt forgets what is remembered of a batch's drills: its commit failed, and only the tables know whether all of it did.
func (m *Memory) Doubt(b *storage.Batch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range b.Scores {
		if d := m.drills[b.Scores[i].Drill]; d != nil && d.Newest != NoTick {
			d.Unsure()
		}
	}
}

// Unsure forgets which scores are stored: those up to the newest are looked up.
func (d *Drill) Unsure() { d.recent = recent{from: micros.Floor(d.Newest) + 1} }

// ContentHash covers all of a score but when it was produced: a record that the
// scorer repeats after a restart is told from one that amends.
func ContentHash(scratch *[]byte, sc *telemetry.Score) uint64 {
	c := *sc
	c.Produced = 0
	*scratch = telemetry.AppendScore((*scratch)[:0], &c)
	h := uint64(14695981039346656037)
	b := *scratch
	for len(b) >= 8 {
		w := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 | uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		h ^= w
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
		b = b[8:]
	}
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}
