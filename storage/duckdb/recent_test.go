package duckdb

import (
	"context"
	"math"
	"testing"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// After a commit that failed the tables are asked: it may have been stored all the same.
func TestAfterAFailedCommitAndAfterAnOpenTheTablesTellWhichScoresAreStored(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := context.Background()
	commit := func(ticks ...int64) {
		t.Helper()
		b := storage.Batch{Arrived: t0}
		for _, k := range ticks {
			b.Scores = append(b.Scores, telemetry.Score{Drill: "RIG-1", Tick: t0 + k*1e9, CauseHash: uint64(k), Health: 50, State: telemetry.StateRotary})
		}
		if err := s.Commit(ctx, &b); err != nil {
			t.Fatal(err)
		}
	}
	stored := func(want int) {
		t.Helper()
		var n int
		if err := s.db.QueryRow("SELECT count(*) FROM store.all_scores").Scan(&n); err != nil || n != want {
			t.Errorf("%d versions stored, want %d (%v)", n, want, err)
		}
	}
	commit(1, 2, 3, 2)
	commit(3, 1, 2, 4)
	stored(4)
	failed := storage.Batch{Scores: []telemetry.Score{{Drill: "RIG-1", Tick: t0}}}
	s.mem.Doubt(&failed)
	commit(4, 1, 2, 3, 5)
	stored(5)
	dir := s.cfg.Dir
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	commit(5, 1, 2, 6, 3, 6)
	stored(6)
}

// A device whose clock is a day ahead is kept at its time; the present is what the
// clock says, before and after an open, and repeats of both are known.
func TestWhatIsAheadOfTheClockIsKeptAndIsNotThePresent(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	s := open(t, dir)
	const day = 24 * 3600e9
	batch := func(ts int64, seq uint64, flags telemetry.Flag, health float64) *storage.Batch {
		b := &storage.Batch{Arrived: t0}
		f := frame("RIG-01", seq)
		f.TS, f.Flags = ts, flags
		b.AddFrame(f)
		b.Scores = []telemetry.Score{{Drill: "RIG-01", Tick: ts, Causes: []telemetry.FrameID{f.ID()}, CauseHash: seq, Health: health, TimeLeft: math.NaN()}}
		return b
	}
	tomorrow := batch(t0+day, 2, telemetry.FlagFuture, 10)
	if err := s.Commit(ctx, tomorrow); err != nil {
		t.Fatal(err)
	}
	if d := s.Drills(); len(d) != 1 || d[0].Last != 0 || d[0].Frames != 1 || len(s.Latest("RIG-01")) != 0 {
		t.Errorf("tomorrow is the present: %+v", d)
	}
	if err := s.Commit(ctx, batch(t0, 3, 0, 90)); err != nil {
		t.Fatal(err)
	}
	for _, opened := range []string{"as committed", "after an open"} {
		d := s.Drills()
		end := s.Latest("RIG-01")["SPP"].TS
		if len(d) != 1 || d[0].Last < t0 || d[0].Last > t0+2e9 || end < t0 || end > t0+2e9 {
			t.Errorf("%s: last at %d, SPP at %d; want %d", opened, d[0].Last, end, t0)
		}
		if sc, ok := s.LatestScore("RIG-01"); !ok || sc.Tick != t0 || sc.Health != 90 {
			t.Errorf("%s: score %+v", opened, sc)
		}
		if err := s.Commit(ctx, tomorrow); err != nil { // again
			t.Fatal(err)
		}
		if rows, err := s.Scores(ctx, "RIG-01", t0, t0+2*day, 0); err != nil || len(rows) != 2 {
			t.Errorf("%s: %d scores, %v; want 2", opened, len(rows), err)
		}
		s.Close()
		s = open(t, dir)
	}
}
