package duckdb

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// BenchmarkCommit appends frames of 100 readings, 100 drills, in batches of 200
// ms at 10,000 frames a second; one operation is one frame.
func BenchmarkCommit(b *testing.B) {
	dir := b.TempDir()
	s := open(b, dir)
	ctx := context.Background()
	const drills, batch = 100, 2000
	frames := make([]*telemetry.Frame, drills)
	for i := range frames {
		frames[i] = frame(fmt.Sprintf("RIG-%03d", i), 2)
	}
	var bt storage.Batch
	offsets := make([]storage.Offset, 8)
	for i := range offsets {
		offsets[i] = storage.Offset{Topic: "mudpulse.frames", Partition: int32(i)}
	}
	readings := int64(0)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; {
		bt.Reset()
		for k := 0; k < batch && n < b.N; k, n = k+1, n+1 {
			f := frames[n%drills]
			f.Seq = uint64(n / drills)
			f.TS = t0 + int64(f.Seq)*1e9
			bt.AddFrame(f)
			readings += int64(f.Readings())
		}
		bt.Arrived = t0
		for i := range offsets {
			offsets[i].Next = int64(n)
		}
		bt.Offsets = offsets
		if err := s.Commit(ctx, &bt); err != nil {
			b.Fatal(err)
		}
	}
	took := b.Elapsed()
	b.StopTimer()
	b.ReportMetric(float64(readings)/took.Seconds(), "readings/s")
	wal := size(dir + "/mudpulse.duckdb.wal")
	from := time.Now()
	if err := s.Checkpoint(ctx); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(time.Since(from).Microseconds())/float64(b.N), "checkpoint-µs/frame")
	b.ReportMetric(float64(wal)/float64(readings), "WAL-B/reading")
	b.ReportMetric(float64(size(dir+"/mudpulse.duckdb"))/float64(readings), "B/reading")
}
