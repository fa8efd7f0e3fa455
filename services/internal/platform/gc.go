package platform

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	memoryLimit = 1 << 30 // of the Go heap; the columnstore's own is a setting
	gcEvery     = 10 * time.Second
	sparing     = 40  // percent that the heap may grow over what lives, while collecting costs little
	generous    = 100 // and while it costs much
)

// sizeHeap holds the heap small while there is CPU to spare for that, and lets it
// grow in a flood, where a collection costs throughput. It returns when ctx is done.
func sizeHeap(ctx context.Context) error {
	before := debug.SetGCPercent(sparing)
	defer debug.SetGCPercent(before)
	debug.SetMemoryLimit(memoryLimit)
	tick := time.NewTicker(gcEvery)
	defer tick.Stop()
	last, percent := gcSeconds(), sparing
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := gcSeconds()
		if next := gcPercent(percent, (now-last)/gcEvery.Seconds()/float64(runtime.GOMAXPROCS(0))); next != percent {
			percent = next
			debug.SetGCPercent(percent)
		}
		last = now
	}
}

// gcPercent decides by the share of all cores that the collector had: over 4 %
// of them it is worth memory, and under 1 % memory is worth more. Between the two
// it stays: half of it at the other setting must not bring it back.
func gcPercent(now int, share float64) int {
	switch {
	case share > 0.04:
		return generous
	case share < 0.01:
		return sparing
	}
	return now
}

// gcSeconds is the CPU time of the collector so far, without what idle cores gave it.
func gcSeconds() float64 {
	s := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/cpu/classes/gc/mark/idle:cpu-seconds"}}
	metrics.Read(s)
	return s[0].Value.Float64() - s[1].Value.Float64()
}
