package scorer

import (
	"testing"
	"time"
)

func TestCheckpointsTakeTheirShareOfTheInput(t *testing.T) {
	cfg := DefaultConfig()
	f := func(since, idle time.Duration, input, packed int64, want bool) {
		t.Helper()
		if got := cfg.due(since, idle, input, packed); got != want {
			t.Errorf("%v after the last, %v after the last record, %d bytes read, %d before: due %v", since, idle, input, packed, got)
		}
	}
	f(9*time.Second, 0, 1<<40, 1, false)             // too soon
	f(10*time.Second, 0, 1000, 0, true)              // the first
	f(10*time.Second, 0, 999_999, 100_000, false)    // more than a tenth
	f(10*time.Second, 0, 1_000_000, 100_000, true)   // a tenth
	f(11*time.Second, 10*time.Second, 1, 9999, true) // nothing more comes
	f(10*time.Minute, 0, 1, 1<<30, true)             // long enough
	f(10*time.Second, 0, cfg.Replay, 1<<40, true)    // a restart would take too long
	cfg.Share = 0
	f(10*time.Second, 0, 1, 1<<30, true)
}
