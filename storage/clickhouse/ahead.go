package clickhouse

import (
	"sync"

	"github.com/mudpulse/mudpulse/telemetry"
)

// aheadNumbers is how many numbers of a boot one look at the store answers for,
// aheadBoots for how many boots the answers are kept.
const (
	aheadNumbers = 2048
	aheadBoots   = 256
)

// ahead keeps what FrameTime found ahead. After a spool, or a log, is sent
// again each of its frames is asked for, in the order of their numbers. What was
// found stays; what was not may be stored since.
type ahead struct {
	mu    sync.Mutex
	last  uint64 // horizon of which not found is the truth
	boots map[aheadKey]*aheadSpan
}

type aheadKey struct{ drill, device, boot string }

type aheadFrame struct {
	seq  uint64
	part uint32
}

type aheadSpan struct {
	lo, hi uint64 // inclusive
	ts     map[aheadFrame]int64
}

func (a *ahead) get(last uint64, k aheadKey, id telemetry.FrameID) (ts int64, found, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	sp := a.boots[k]
	if sp == nil || id.Seq < sp.lo || id.Seq > sp.hi {
		return 0, false, false
	}
	ts, found = sp.ts[aheadFrame{id.Seq, id.Part}]
	return ts, found, found || a.last == last
}

func (a *ahead) put(last uint64, k aheadKey, sp *aheadSpan) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last != last || a.boots == nil || len(a.boots) >= aheadBoots {
		a.last, a.boots = last, map[aheadKey]*aheadSpan{}
	}
	a.boots[k] = sp
}
