package platform

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/mudpulse/mudpulse/services/internal/process"
)

const (
	memoryLimit  = 1 << 30 // of the Go heap while less than half of it lives; the columnstore's own is a setting
	gcEvery      = time.Second
	beside       = 160 << 20 // of the process beside Go's heap and what the columnstore counts: its allocators, code
	calmFor      = 10        // seconds that collecting is cheap before the heap is held small again
	sparing      = 40        // percent that the heap may grow over what lives, while collecting costs little
	modest       = 20        // the same in the demo, which shares a laptop with other things
	generous     = 300       // and while it costs much, but
	growth       = 160 << 20 // bytes at most: a process takes half a gigabyte more, not one
	modestGrowth = 80 << 20  // in the demo
	alone        = 320 << 20 // the same where a process does nothing but score: it starts in arrears, most often
)

// sizeHeap holds the heap small while there is CPU to spare for that, and lets it
// grow in a flood, where a collection costs throughput. It returns when ctx is done.
func (p *platform) sizeHeap(ctx context.Context) error {
	room := int64(math.MaxInt64)
	if all := process.MemoryGiven(os.DirFS("/")); all != math.MaxInt64 {
		store, err := bytes(p.s.Memory)
		if err != nil {
			return fmt.Errorf("memory: %w", err)
		}
		room = all - store - beside
	}
	s := sizer{percent: sparing, least: sparing, growth: growth}
	if p.demo != nil {
		s = sizer{percent: modest, least: modest, growth: modestGrowth}
	}
	if p.onlyScores() {
		s = sizer{percent: generous, least: sparing, growth: alone} // as in a flood
	}
	set := s.percent
	before := debug.SetGCPercent(set)
	defer debug.SetGCPercent(before)
	given := debug.SetMemoryLimit(-1)
	tick := time.NewTicker(gcEvery)
	defer tick.Stop()
	last := readHeap()
	for {
		if given == math.MaxInt64 { // else GOMEMLIMIT says it
			debug.SetMemoryLimit(heapLimit(last.live, room))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := readHeap()
		gc, used := 0.0, 0.0
		if total := now.total - last.total; total > 0 { // the runtime counts at collections: there was none otherwise
			gc, used = (now.gc-last.gc)/total, (now.used-last.used)/total
		}
		s.next(gc, used)
		if pc := s.bounded(now.live); pc != set {
			set = pc
			debug.SetGCPercent(pc)
		}
		last = now
	}
}

// heapLimit is how large Go's heap may become where so many bytes live and, in the
// process's control group, room is left: less would be nothing but collecting.
func heapLimit(live, room int64) int64 {
	return min(max(memoryLimit, 2*live), max(room, live+live/4))
}

// onlyScores reports whether the process is a scorer and nothing else.
func (p *platform) onlyScores() bool {
	return p.scorer != nil && p.gateway == nil && p.store == nil && p.embedded == nil
}

// A sizer decides how much the heap may grow.
type sizer struct {
	percent int
	least   int   // percent, while collecting costs little
	growth  int64 // bytes
	calm    int   // seconds
}

// next decides by the shares of all cores that the collector and the process as a
// whole had in the last second. The heap may grow at once where the process has more
// than half of the cores and collecting costs 4 % of that, and is held small again
// when that would cost less than 1 % for a while: what it costs now says little, for
// it collects seldom.
func (s *sizer) next(gc, used float64) int {
	switch {
	case s.percent == s.least:
		if used > 0.5 && gc*float64(s.least)/sparing > 0.04*used {
			s.percent, s.calm = generous, 0
		}
	case gc*generous/sparing > 0.01:
		s.calm = 0
	default:
		if s.calm++; s.calm >= calmFor {
			s.percent = s.least
		}
	}
	return s.percent
}

// bounded is the percentage by which the heap may grow where so many bytes live.
func (s *sizer) bounded(live int64) int {
	if s.percent == s.least || live <= 0 {
		return s.percent
	}
	return int(min(generous, max(int64(s.least), s.growth*100/live)))
}

// heap is what the runtime has counted: CPU-seconds, and bytes that lived at the last collection.
type heap struct {
	gc, used, total float64
	live            int64
}

// readHeap reads it; of the collector without what idle cores gave it.
func readHeap() heap {
	s := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/cpu/classes/gc/mark/idle:cpu-seconds"},
		{Name: "/cpu/classes/idle:cpu-seconds"}, {Name: "/cpu/classes/total:cpu-seconds"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	gc, total := s[0].Value.Float64()-s[1].Value.Float64(), s[3].Value.Float64()
	return heap{gc: gc, used: total - s[2].Value.Float64() - s[1].Value.Float64(), total: total, live: int64(s[4].Value.Uint64())}
}
