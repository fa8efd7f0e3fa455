package duckdb

import (
	"context"
	"fmt"
	"os"
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

// BenchmarkQueries asks what screens ask, of an hour of 100 drills at 100
// readings a second (MUDPULSE_BENCH=full) or of five minutes.
func BenchmarkQueries(b *testing.B) {
	s := open(b, b.TempDir())
	ctx := context.Background()
	seconds := 300
	if os.Getenv("MUDPULSE_BENCH") == "full" {
		seconds = 3600
	}
	var bt storage.Batch
	for sec := range seconds {
		for d := range 100 {
			f := frame(fmt.Sprintf("RIG-%03d", d), uint64(sec))
			bt.AddFrame(f)
			bt.Scores = append(bt.Scores, telemetry.Score{Drill: f.Drill, Tick: f.TS, Causes: []telemetry.FrameID{f.ID()}, Health: float64(sec % 100), Confidence: 1, State: telemetry.StateRotary,
				Results: []telemetry.Result{{Model: "rul@1", Outputs: []telemetry.Output{{Name: "hours", Number: float64(sec)}}}}})
		}
		if sec%20 == 19 {
			bt.Arrived = t0
			if err := s.Commit(ctx, &bt); err != nil {
				b.Fatal(err)
			}
			bt.Reset()
		}
	}
	if err := s.Checkpoint(ctx); err != nil {
		b.Fatal(err)
	}
	end := t0 + int64(seconds)*1e9
	series := func(q storage.SeriesQuery) func() error {
		return func() error { _, err := s.Series(ctx, q); return err }
	}
	for _, c := range []struct {
		name string
		ask  func() error
	}{
		{"latest_of_all", func() error { s.LatestScores(); s.Drills(); s.HealthHistory(end); return nil }},
		{"15min_8_channels_500_points", series(storage.SeriesQuery{Drill: "RIG-050", Channels: []string{"WOB", "SPP", "RPM", "TQ", "ROP", "FLOUT", "MTO", "TDBT"}, From: end - 900e9, To: end, Points: 500})},
		{"1h_1_channel_600_points", series(storage.SeriesQuery{Drill: "RIG-050", Channels: []string{"SPP"}, From: end - 3600e9, To: end, Points: 600})},
		{"1h_health_and_output", series(storage.SeriesQuery{Drill: "RIG-050", Channels: []string{"health", "rul.hours"}, From: end - 3600e9, To: end, Points: 600})},
		{"ledger_of_all", func() error { _, err := s.Ledger(ctx, storage.LedgerQuery{}); return err }},
		{"ledger_of_one", func() error { _, err := s.Ledger(ctx, storage.LedgerQuery{Drill: "RIG-050"}); return err }},
		{"frame_time", func() error {
			_, _, err := s.FrameTime(ctx, "RIG-050", telemetry.FrameID{Device: "edr-1", Boot: "b1", Seq: 7})
			return err
		}},
		{"reopen", func() error { return s.load(ctx) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if c.name == "reopen" {
					s.bySource, s.byChannel, s.byLayout, s.parts, s.files, s.open = nil, nil, nil, nil, nil, map[int32]*part{}
				}
				if err := c.ask(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
