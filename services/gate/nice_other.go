//go:build !linux

package gate

import "time"

func beNice() {}

var start = time.Now()

// spent is the time since the start: processor time is not told here.
func spent() time.Duration { return time.Since(start) }
