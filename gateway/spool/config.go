package spool

import (
	"fmt"
	"time"
)

// Config bounds a spool.
type Config struct {
	Dir          string
	SegmentBytes int64         // a new segment file is begun beyond it
	MaxBytes     int64         // full beyond it: Append waits, nothing is dropped
	MaxAge       time.Duration // full when the oldest kept record is older; 0: no bound
	BatchBytes   int           // written and synced at once, at most
	Linger       time.Duration // between the starts of two fsyncs, at least: many share one
}

// DefaultConfig keeps 4 GiB, which is 40 days of one drill; Dir is to be set.
func DefaultConfig() Config {
	return Config{SegmentBytes: 32 << 20, MaxBytes: 4 << 30, BatchBytes: 2 << 20, Linger: time.Millisecond}
}

// Validate names the first key that is wrong.
func (c Config) Validate() error {
	switch {
	case c.Dir == "":
		return fmt.Errorf("dir: must be set")
	case c.BatchBytes < 4<<10 || c.BatchBytes > 64<<20:
		return fmt.Errorf("batch_bytes: must lie in 4 KiB…64 MiB, not %d", c.BatchBytes)
	case c.SegmentBytes < 64<<10:
		return fmt.Errorf("segment_bytes: must be at least 64 KiB, not %d", c.SegmentBytes)
	case c.MaxBytes < 2*c.SegmentBytes:
		return fmt.Errorf("max_bytes: must be at least two segments of %d, not %d", c.SegmentBytes, c.MaxBytes)
	case c.Linger < 0 || c.Linger > time.Second:
		return fmt.Errorf("linger: must lie in 0s…1s, not %v", c.Linger)
	case c.MaxAge < 0:
		return fmt.Errorf("max_age: must not be negative, not %v", c.MaxAge)
	}
	return nil
}
