package telemetry

import (
	"context"
	"sync"
	"time"
)

// A Clock tells a process what time it is on the rigs. One is injected per
// process; nothing else reads the time for what happens to drills. What people
// and networks wait for (sessions, timeouts, delivery) runs on wall time.
type Clock interface {
	Now() time.Time
	// Rate is how many seconds of this clock pass in one of wall time: 1, but 60 in the demo.
	Rate() float64
}

// SystemClock is wall time.
type SystemClock struct{}

// Now returns wall time in UTC.
func (SystemClock) Now() time.Time { return time.Now().UTC() }

// Rate is 1.
func (SystemClock) Rate() float64 { return 1 }

// FastClock runs at a multiple of wall time from a starting point. It never goes back.
type FastClock struct {
	start time.Time // on this clock
	wall  time.Time // with monotonic reading
	rate  float64
}

// NewFastClock returns a clock that shows start now and runs at rate.
func NewFastClock(start time.Time, rate float64) *FastClock {
	return &FastClock{start: start.UTC(), wall: time.Now(), rate: rate}
}

// Now returns the time on this clock, UTC.
func (c *FastClock) Now() time.Time {
	return c.start.Add(time.Duration(float64(time.Since(c.wall)) * c.rate))
}

// Rate returns the multiple.
func (c *FastClock) Rate() float64 { return c.rate }

// ManualClock is set by tests.
type ManualClock struct {
	mu  sync.Mutex
	now time.Time
}

// NewManualClock returns a clock that stands at t.
func NewManualClock(t time.Time) *ManualClock { return &ManualClock{now: t.UTC()} }

// Now returns what was set.
func (c *ManualClock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

// Rate is 1.
func (c *ManualClock) Rate() float64 { return 1 }

// Set moves the clock to t, back or forth.
func (c *ManualClock) Set(t time.Time) { c.mu.Lock(); c.now = t.UTC(); c.mu.Unlock() }

// Advance moves the clock by d.
func (c *ManualClock) Advance(d time.Duration) { c.mu.Lock(); c.now = c.now.Add(d); c.mu.Unlock() }

// SleepUntil waits until clock shows t or ctx is done. Under a FastClock the
// wait is shorter by its rate.
func SleepUntil(ctx context.Context, clock Clock, t time.Time) error {
	d := t.Sub(clock.Now())
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(time.Duration(float64(d) / clock.Rate()))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
