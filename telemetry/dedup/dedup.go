// Package dedup decides once, for scorer and writer alike, whether a frame was
// seen before. It keeps intervals of seq per device and boot, bounded, with
// content hashes of each boot's last frames. Its state is committed with the
// consumer's offsets.
package dedup

import (
	"github.com/mudpulse/mudpulse/telemetry"
)

// Verdict says what a frame is.
type Verdict byte

// The verdicts. Ask means the table cannot tell (the hash of so old a number is
// gone, or its boot was): the caller asks the store whether that frame is there with the same ts.
const (
	New Verdict = iota
	Duplicate
	Conflict // the same identity with other content: keep it under telemetry.ConflictBoot
	Ask
)

func (v Verdict) String() string { return [...]string{"new", "duplicate", "conflict", "ask"}[v] }

// Key names one boot of one device of one drill.
type Key struct{ Drill, Device, Boot string }

var _ telemetry.FrameID
