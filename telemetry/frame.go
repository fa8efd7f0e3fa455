// Package telemetry is the contract between mudpulse's processes: the words of
// the domain, their bytes on the wire, topic names, channels and units. Every
// other module may import it; it imports only the standard library and the
// protobuf wire primitives.
package telemetry

import (
	"math"
	"strconv"
	"time"
)

// Quality says how far one sample may be trusted, in the spirit of OPC.
type Quality = byte

// The codes that a frame's "q" digits carry.
const (
	Good       Quality = 0
	Stale      Quality = 1 // repeated or held by the device
	OutOfRange Quality = 2 // outside the channel's plausible range: kept, flagged
	Estimated  Quality = 3 // computed by the device, not measured
)

// Origin says on which road a frame came.
type Origin byte

// Live frames are checked against the clock and may page people; Backfill is
// history, imports, and backlog older than the live horizon: stored and
// scored, never paging anyone.
const (
	Live     Origin = 0
	Backfill Origin = 1
)

func (o Origin) String() string {
	if o == Backfill {
		return "backfill"
	}
	return "live"
}

// Flag marks what a gateway noticed about a frame it accepted.
type Flag uint32

// Flags travel with the frame and are stored.
const (
	FlagFuture     Flag = 1 << iota // ts more than 5 min ahead of the gateway's clock
	FlagPast                        // ts older than the spool's limit
	FlagConflict                    // same identity came with other content; Boot is derived
	FlagPartial                     // a run was set aside in quarantine; the rest went on
	FlagUnnumbered                  // the device sent no boot and seq; the identity is a hash
	FlagUntimed                     // the device sent no ts; the gateway's time was taken
)

// A Frame is normally all samples of one drill's one second. All times are
// Unix nanoseconds, UTC, at microsecond resolution.
type Frame struct {
	Drill  string // the Kafka key
	Device string
	Boot   string // changes when the device's Seq starts again
	Seq    uint64
	Part   uint32 // 0; a re-driven run of the same frame has 1, 2, …

	TS        int64 // of sample 0
	Runs      []Run
	Origin    Origin
	Simulated bool
	Flags     Flag

	Gateway  string // who accepted it
	Received int64  // when, by the gateway's clock
	Hash     uint64 // of the decoded values before mapping; see ContentHash
	Topic    string // MQTT topic, where Unnumbered; else ""
}

// A Run is one channel's evenly spaced samples: sample i is at
// frame.TS + Offset + i*Every.
type Run struct {
	Channel string
	Offset  int64     // ns
	Every   int64     // ns; 0 when there is one sample
	Values  []float64 // in the channel's unit; NaN = absent
	Quality []Quality // nil: all good; else one per value
}

// Time returns the Unix nanoseconds of sample i.
func (r *Run) Time(ts int64, i int) int64 { return ts + r.Offset + int64(i)*r.Every }

// FrameID names a frame for ever: identity is (drill, device, boot, seq).
type FrameID struct {
	Device string `json:"device"`
	Boot   string `json:"boot"`
	Seq    uint64 `json:"seq,string"`
	Part   uint32 `json:"part,omitempty"`
}

// ID returns the frame's identity within its drill.
func (f *Frame) ID() FrameID { return FrameID{f.Device, f.Boot, f.Seq, f.Part} }

func (id FrameID) String() string {
	s := id.Device + "/" + id.Boot + "/" + strconv.FormatUint(id.Seq, 10)
	if id.Part > 0 {
		s += "." + strconv.FormatUint(uint64(id.Part), 10)
	}
	return s
}

// End returns the time of the frame's last sample, or TS if it has none.
func (f *Frame) End() int64 {
	end := f.TS
	for i := range f.Runs {
		r := &f.Runs[i]
		if n := len(r.Values); n > 0 {
			end = max(end, r.Time(f.TS, n-1))
		}
	}
	return end
}

// Readings counts the samples that are present.
func (f *Frame) Readings() int {
	n := 0
	for i := range f.Runs {
		for _, v := range f.Runs[i].Values {
			if !math.IsNaN(v) {
				n++
			}
		}
	}
	return n
}

// Reset empties f but keeps its memory for the next decode.
func (f *Frame) Reset() {
	runs := f.Runs[:0]
	*f = Frame{Runs: runs}
}

// Tick returns the start of the second that t lies in; floor, also before 1970.
func Tick(t int64) int64 {
	const s = int64(time.Second)
	r := t % s
	if r < 0 {
		r += s
	}
	return t - r
}
