package storage

import (
	"github.com/mudpulse/mudpulse/telemetry"
)

// A Batch is what one transaction stores: rows, and with them how far they were
// read. The zero value is empty and ready. Not safe for concurrent use.
type Batch struct {
	Arrived int64 // process clock, Unix ns: when these rows became known

	Scores      []telemetry.Score
	Alarms      []telemetry.AlarmEvent
	Commands    []telemetry.Command
	Markers     []telemetry.Marker
	Quarantined []telemetry.Quarantined
	Gateways    []telemetry.GatewayStatus
	Channels    []telemetry.Channel // registered by an administrator
	Lost        []Lost              // what the log no longer had

	Cluster string   // id of the log; "" leaves it as it stands
	Offsets []Offset // those that moved; the others stand as before
	Dedup   []byte   // snapshot of the de-duplication state after this batch; nil: none in this commit

	frames []telemetry.Frame
	runs   []telemetry.Run
	values []float64
	q      []telemetry.Quality

	mostValues, mostScores int // of a batch of late; room far beyond them is given back
}

// AddFrame copies f, which may lie in a decoder's memory, into the batch.
func (b *Batch) AddFrame(f *telemetry.Frame) {
	// Earlier frames keep the arrays that they were cut from, also when append moves on to a larger one.
	from := len(b.runs)
	for i := range f.Runs {
		r := f.Runs[i]
		n := len(b.values)
		b.values = append(b.values, r.Values...)
		r.Values = b.values[n:len(b.values):len(b.values)]
		if len(r.Quality) > 0 {
			n = len(b.q)
			b.q = append(b.q, r.Quality...)
			r.Quality = b.q[n:len(b.q):len(b.q)]
		}
		b.runs = append(b.runs, r)
	}
	c := *f
	c.Runs = b.runs[from:len(b.runs):len(b.runs)]
	b.frames = append(b.frames, c)
}

// Frames returns the frames added; valid until Reset.
func (b *Batch) Frames() []telemetry.Frame { return b.frames }

// Empty reports whether there is nothing to commit.
func (b *Batch) Empty() bool {
	return len(b.frames)+len(b.Scores)+len(b.Alarms)+len(b.Commands)+len(b.Markers)+len(b.Quarantined)+
		len(b.Gateways)+len(b.Channels)+len(b.Lost)+len(b.Offsets) == 0 && b.Dedup == nil && b.Cluster == ""
}

// Rows counts what is in the batch, to bound it.
func (b *Batch) Rows() int {
	return len(b.frames) + len(b.Scores) + len(b.Alarms) + len(b.Commands) + len(b.Markers) + len(b.Quarantined) + len(b.Gateways) + len(b.Channels)
}

// Reset empties the batch and keeps its memory, unless batches of late needed far
// less: one burst is not remembered for ever.
func (b *Batch) Reset() {
	frames, runs, values, q, scores := b.frames[:0], b.runs[:0], b.values[:0], b.q[:0], b.Scores[:0]
	mostValues := max(len(b.values), b.mostValues-b.mostValues/8)
	if cap(values) > max(4*mostValues, 64<<10) {
		frames, runs, values, q = nil, nil, nil, nil
	}
	clear(b.frames)
	mostScores := max(len(b.Scores), b.mostScores-b.mostScores/8)
	if cap(scores) > max(4*mostScores, 256) {
		scores = nil
	}
	clear(b.Scores)
	*b = Batch{Scores: scores, frames: frames, runs: runs, values: values, q: q, mostValues: mostValues, mostScores: mostScores}
}
