// Package storage is the vocabulary between mudpulse and its columnstore: what
// is written in one transaction (Batch), where a writer stands (Position), and
// what can be asked (SeriesQuery, Ledger, …). The stores themselves are
// packages below: duckdb, clickhouse. storagetest is the suite that each of them passes.
//
// All times are Unix nanoseconds, UTC; stores keep microseconds.
package storage

import (
	"errors"
	"fmt"
	"math"

	"github.com/mudpulse/mudpulse/telemetry"
)

// ErrBroken is wrapped where a store must be opened again: what it has in memory is
// not what it committed, which is on disk.
var ErrBroken = errors.New("the store must be started again; nothing that was acknowledged is lost")

// ErrMemory is wrapped where a question was stopped because it took more memory than
// a store may give to all of them.
var ErrMemory = errors.New("this takes more memory than the columnstore has for questions")

// An Offset is how far a writer has read one partition of one topic.
type Offset struct {
	Topic     string `json:"t"`
	Partition int32  `json:"p"`
	Next      int64  `json:"n"` // the first offset not yet stored
}

// Lost are records that the log had and that were gone before they were stored:
// it was cut, by retention or by hand, or lost a part of itself.
type Lost struct {
	Topic     string
	Partition int32
	From, To  int64 // offsets, inclusive
}

// A Position is where a writer goes on: read back from the very transactions
// that stored the rows.
type Position struct {
	Cluster string   // id of the log that Offsets belong to; under another they are void
	Offsets []Offset // empty in a new store
	Dedup   []byte   // the writer's de-duplication state as of DedupCommit; nil if there was none
	// DedupCommit numbers the commit that Dedup was part of. Frames stored by
	// later commits are given by FramesSince(DedupCommit); snapshot and those
	// together are the state at Offsets.
	DedupCommit int64
}

// A StoredFrame is one row of frames: what de-duplication needs to know.
type StoredFrame struct {
	Drill string
	ID    telemetry.FrameID
	Hash  uint64
	TS    int64
}

// Retired stands for the ts of a frame that was stored once and has been dropped by retention.
const Retired = math.MinInt64

// A SeriesQuery asks for channels of one drill over [From, To).
type SeriesQuery struct {
	Drill string
	// Channels are tags of any rate class, tags seen but not registered,
	// "health", "health.<subsystem>", "confidence", "state" (index into
	// telemetry.States), or a model's output "model.output".
	Channels []string
	From, To int64 // Unix ns; From < To
	Points   int   // most buckets of a series, 1…MaxPoints
	KnownAt  int64 // what was committed up to then, Unix ns: of each tick the version that stood last; 0: all there is
}

// MaxPoints bounds SeriesQuery.Points; MaxChannels its Channels.
const (
	MaxPoints   = 20000
	MaxChannels = 64
)

// A Series is one channel, cut into at most Points buckets of equal width. Empty
// buckets are left out. Slices are parallel. Where Raw, each bucket held one
// sample and Min = Max = First = Last.
type Series struct {
	Channel string
	T       []int64   // time of the bucket's first sample, Unix ns, ascending
	Min     []float64 // extremes of the bucket: none is ever lost
	Max     []float64
	First   []float64 // values of the first and the last sample
	Last    []float64
	TLast   []int64    // time of the bucket's last sample
	N       []int64    // samples in the bucket
	Gaps    [][2]int64 // from last sample before to first sample after, Unix ns
	Width   int64      // of a bucket, ns
	Raw     bool
}

// A Drill is what the store knows of one drill.
type Drill struct {
	Drill     string
	First     int64 // earliest frame's ts
	Last      int64 // end of the latest frame in event time
	Arrived   int64 // when its last frame was committed
	Frames    int64 // committed since the store was made
	Simulated bool  // its latest frame was
	Devices   []string
}

// A Value is one channel's latest sample in event time.
type Value struct {
	TS      int64
	Value   float64
	Quality telemetry.Quality
}

// HealthBucket is the width of HealthHistory's buckets, HealthBuckets their number: 7 days.
const (
	HealthBucket  = int64(2 * 3600 * 1e9)
	HealthBuckets = 84
)

// A HealthHistory is 7 days of one drill in 2-hour buckets, aligned to the
// epoch, the last one containing the time asked for. NaN: no score in it, or unknown.
type HealthHistory struct {
	Drill string
	Last  [HealthBuckets]float64 // of the last tick in the bucket, unknown if it is there
	Min   [HealthBuckets]float64 // worst in the bucket
}

// A Place is where a reading in the order of time stopped; zero: before all.
type Place struct {
	At int64 // Unix ns
	ID string
}

// An AlarmQuery selects alarm events, newest first.
type AlarmQuery struct {
	ID     string   // one alarm's events
	IDs    []string // these alarms' events; nil: any
	Drill  string
	Before int64 // at < Before; 0: any
	Since  int64 // at >= Since
	Limit  int   // 0: 1000
}

// A CommandQuery selects commands, newest first.
type CommandQuery struct {
	Alarm string
	Drill string
	Limit int // 0: 1000
}

// A Waveform is a snapshot: evenly spaced samples of one channel, kept whole.
type Waveform struct {
	Drill   string
	Channel string
	ID      telemetry.FrameID
	TS      int64 // of the first sample, Unix ns
	Every   int64 // ns between two
	Samples int
	Shaft   float64 // rpm, of the shaft in the same frame; NaN unknown
}

// Late is a span of a drill in which frames were committed long after their time.
type Late struct {
	Drill    string
	From, To int64 // ts of the first and the last of them, Unix ns
}

// A SeenChannel is a tag that came in frames and is not registered.
type SeenChannel struct {
	Tag      string
	Drills   []string // at most 100
	LastSeen int64
}

// Stages of the ledger, in the order of the flow.
const (
	StageSent     = "sent"     // numbers from a boot's first to its last, as far as they tell
	StageAccepted = "accepted" // in a gateway's own ledger
	StageStored   = "stored"   // a row of frames
	StageScored   = "scored"   // a cause of a score
	StageReadable = "readable" // all rows of its readings are in the tables
)

// Stages lists them.
var Stages = [...]string{StageSent, StageAccepted, StageStored, StageScored, StageReadable}

// A LedgerQuery selects rows of the ledger; empty: all.
type LedgerQuery struct {
	Drill, Device string
	Audit         bool // count all rows again, rather than rest on what was counted as they came
}

// A LedgerRow follows one boot of one device through the stages. Frames without
// boot and seq of their own are one row of boot "~" per device, counted, not numbered.
type LedgerRow struct {
	Drill, Device, Boot string
	First, Last         uint64 // lowest and highest number that any stage has
	Sent                uint64 // Last - First + 1; of "~": what the gateways or the store have
	Accepted            uint64
	Stored              uint64
	Scored              uint64
	Readable            uint64
	Retired             uint64 // of these, dropped by retention; they count where they stood
	Gaps                []Gap
}

// A Gap is numbers that the stage before has and this one has not.
type Gap struct {
	Stage    string
	From, To uint64 // inclusive; 0, 0 of boot "~"
	Count    uint64
	Why      string
	Pending  bool // newer than all that the stage has: probably on its way
}

// UnknownChannel is returned for a channel that is in no catalogue and came in no frame.
type UnknownChannel struct{ Channel string }

func (e *UnknownChannel) Error() string {
	return fmt.Sprintf("channel %q: no such channel, health, state or model output: see the list of channels", e.Channel)
}

// A Ledger is all boots that were asked for, and their sums.
type Ledger struct {
	Rows                                     []LedgerRow
	Sent, Accepted, Stored, Scored, Readable uint64
	Gaps                                     int
	Quarantined                              uint64 // messages and runs set aside, of the drills asked for
	WithoutLedger                            bool   // no gateway has reported yet: accepted says nothing
}

// Stats are sizes and counts for metrics and the data page.
type Stats struct {
	Commits     int64
	Frames      int64 // rows of frames
	Readings    int64 // committed since open
	FileBytes   int64 // database file
	WALBytes    int64
	SealedBytes int64
	MemoryBytes int64 // held by the store's buffer manager
	MemoryLimit int64
}

// Damage is a sealed file that cannot be read, and what that costs.
type Damage struct {
	File    string `json:"file"` // below the store's folder
	Dataset string `json:"dataset"`
	Hour    string `json:"hour"`
	Rows    int64  `json:"rows"`
	Why     string `json:"why"`
	Cure    string `json:"cure"`
}

// A DrillSummary is one channel of one drill over a time.
type DrillSummary struct {
	Drill                string
	N                    int64 // samples
	Mean, Min, Max, Last float64
	TLast                int64 // of the last bucket's last row, Unix ns
}

// A ReplayQuery selects frames of one drill by their ts, Unix ns.
type ReplayQuery struct {
	Drill    string
	From, To int64
}

// Replayed says what a replay gave.
type Replayed struct {
	Frames int64
	Short  int64 // of these, frames some of whose readings are stored no more: retention, or a damaged hour
}
