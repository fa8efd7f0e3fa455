package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Twelve drills, their history and a wall of screens on the least memory there is:
// commits may be told to come again, the store never breaks and loses nothing.
// STEADY_HOURS of event time are poured as fast as it goes (0.1; a day is 24).
func TestAWallOfScreensNeverBreaksASmallStore(t *testing.T) {
	hours := 0.1
	if v := os.Getenv("STEADY_HOURS"); v != "" {
		var err error
		if hours, err = strconv.ParseFloat(v, 64); err != nil {
			t.Fatal(err)
		}
	}
	clock := telemetry.NewManualClock(time.Unix(0, t0))
	cfg := DefaultConfig(t.TempDir())
	cfg.Threads, cfg.Rollup, cfg.Checkpoint = 1, 2*time.Second, 2*time.Second // the demo's twenty seconds, ten times as fast
	s, err := Open(cfg, telemetry.DefaultCatalogue(), clock, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { s.Run(ctx) })
	screens(ctx, s, clock, &wg)
	p := newPourer(clock)
	for i := range int(hours * 300) { // batches of twelve seconds
		p.fill(i)
		giveUp := time.Now().Add(2 * time.Minute)
		for err := s.Commit(ctx, &p.batch); err != nil; err = s.Commit(ctx, &p.batch) { // as a writer does
			if errors.Is(err, storage.ErrBroken) || time.Now().After(giveUp) {
				t.Fatalf("batch %d: %v", i, err)
			}
		}
	}
	stop()
	wg.Wait()
	if st, err := s.Stats(t.Context()); err != nil || st.Frames != p.frames {
		t.Errorf("%d of %d frames, %v", st.Frames, p.frames, err)
	}
	if err := s.Checkpoint(t.Context()); err != nil {
		t.Error(err)
	}
}

// screens asks what screens, analysts and backtests ask, without a pause. What is refused was too much.
func screens(ctx context.Context, s *Store, clock telemetry.Clock, wg *sync.WaitGroup) {
	ask := func(f func(n int, now int64)) {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				f(n, clock.Now().UnixNano())
			}
		})
	}
	ask(func(n int, now int64) {
		s.Series(ctx, storage.SeriesQuery{Drill: rig(n), Channels: []string{"WOB", "SPP", "RPM", "TQ", "ROP", "FLOUT", "MTO", "TDBT"}, From: now - 30*24*3600e9, To: now, Points: 500})
	})
	ask(func(n int, now int64) { s.Fleet(ctx, "SPP", now-24*3600e9, now) })
	ask(func(n int, now int64) {
		s.Replay(ctx, storage.ReplayQuery{Drill: rig(n), From: now - 20*24*3600e9, To: now}, func(*telemetry.Frame) error { return nil })
	})
	queries := []string{
		"SELECT drill, channel, count(*), quantile_cont(value, 0.99) FROM readings GROUP BY ALL",
		"SELECT count(*) FROM (SELECT DISTINCT drill, ts, value FROM readings)",
		"SELECT drill, channel, list(value) FROM readings GROUP BY ALL",
		"SELECT * FROM readings ORDER BY value, ts LIMIT 100000 OFFSET 1000000",
	}
	ask(func(n int, _ int64) {
		s.each(ctx, queries[n%len(queries)], func(*sql.Rows) error { return nil })
	})
}

func rig(n int) string { return fmt.Sprintf("RIG-%02d", n%12) }

// A pourer fills batches: twelve seconds of twelve drills, and fourteen days of their history, a frame a minute.
type pourer struct {
	clock   *telemetry.ManualClock
	like    [64]*telemetry.Frame
	results []telemetry.Result
	batch   storage.Batch
	history int
	frames  int64
}

func newPourer(clock *telemetry.ManualClock) *pourer {
	p := &pourer{clock: clock}
	for i := range p.like {
		p.like[i] = frame("RIG-00", uint64(i))
	}
	for m := range 8 {
		p.results = append(p.results, telemetry.Result{Model: fmt.Sprintf("m%d@1", m), Outputs: []telemetry.Output{{Name: "probability", Number: 0.5}, {Name: "x", Number: 3}}})
	}
	return p
}

func (p *pourer) fill(i int) {
	p.batch.Reset()
	p.batch.Arrived = p.clock.Now().UnixNano()
	for k := range 144 {
		second := uint64(i*12 + k/12)
		p.add(rig(k), "b1", second, t0+int64(second)*1e9)
	}
	for ; p.history < min((i+1)*400, 12*14*1440); p.history++ {
		minute := uint64(p.history/360*30 + p.history%30)
		p.add(rig(p.history/30), "history", minute, t0-14*24*3600e9+int64(minute)*60e9)
	}
	p.clock.Advance(12 * time.Second)
}

func (p *pourer) add(drill, boot string, seq uint64, ts int64) {
	f := *p.like[seq%64]
	f.Drill, f.Boot, f.Seq, f.TS = drill, boot, seq, ts
	p.batch.AddFrame(&f)
	p.batch.Scores = append(p.batch.Scores, telemetry.Score{Drill: drill, Tick: ts, Causes: []telemetry.FrameID{f.ID()}, Health: 50 + 40*math.Sin(float64(seq)), Confidence: 1, State: telemetry.StateRotary, TimeLeft: math.NaN(), Results: p.results})
	p.frames++
}
