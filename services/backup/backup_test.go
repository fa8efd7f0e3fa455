package backup

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/duckdb"
	"github.com/mudpulse/mudpulse/telemetry"
)

var t0 = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func open(t *testing.T, dir string, clock telemetry.Clock) *duckdb.Store {
	t.Helper()
	s, err := duckdb.Open(duckdb.DefaultConfig(dir), telemetry.DefaultCatalogue(), clock, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// fill commits an hour of a drill, a frame a minute.
func fill(t *testing.T, s *duckdb.Store, clock *telemetry.ManualClock, hour int) {
	t.Helper()
	b := storage.Batch{Arrived: t0.UnixNano(), Offsets: []storage.Offset{{Topic: "frames", Next: int64(hour + 1)}}, Dedup: []byte{byte(hour)}}
	for m := range 60 {
		f := &telemetry.Frame{Drill: "RIG-01", Device: "edr", Boot: "b1", Seq: uint64(hour*60 + m), TS: t0.UnixNano() + int64(hour*60+m)*60e9, Runs: []telemetry.Run{
			{Channel: "SPP", Every: 1e8, Values: []float64{20.02, float64(m), 21}}, {Channel: "New_One", Values: []float64{float64(hour)}}}}
		b.AddFrame(f)
		b.Scores = append(b.Scores, telemetry.Score{Drill: "RIG-01", Tick: f.TS, Causes: []telemetry.FrameID{f.ID()}, Health: float64(m), State: telemetry.StateRotary})
	}
	clock.Set(t0.Add(time.Duration(hour+1) * time.Hour))
	if err := s.Commit(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
}

// answers are what a fixed set of questions gets, byte for byte.
func answers(t *testing.T, s *duckdb.Store) string {
	t.Helper()
	ctx := context.Background()
	var out strings.Builder
	add := func(v any, err error) {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%+v\n", v)
	}
	for _, q := range []string{"SELECT * FROM readings ORDER BY ALL", "SELECT * FROM scores ORDER BY ALL", "SELECT * FROM frames ORDER BY ALL", "SELECT * FROM drills", "SELECT * FROM features_1m ORDER BY ALL", "SELECT * FROM channels ORDER BY ALL"} {
		rows, err := s.SQL().Query("SELECT r::VARCHAR FROM (" + q + ") r")
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			out.WriteString(line + "\n")
		}
		add(q, rows.Err())
	}
	p, err := s.Position(ctx)
	add(p, err)
	l, err := s.Ledger(ctx, storage.LedgerQuery{})
	add(l, err)
	series, err := s.Series(ctx, storage.SeriesQuery{Drill: "RIG-01", Channels: []string{"SPP", "New_One", "health"}, From: t0.UnixNano(), To: t0.Add(5 * time.Hour).UnixNano(), Points: 30})
	add(series, err)
	add(s.Latest("RIG-01"), nil)
	return out.String()
}

func TestARestoredIncrementalBackupAnswersAsTheOriginal(t *testing.T) {
	ctx := context.Background()
	dir, to, back := t.TempDir(), t.TempDir(), t.TempDir()
	clock := telemetry.NewManualClock(t0)
	s := open(t, dir, clock)
	b, err := Open(ctx, to)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	fill(t, s, clock, 0)
	if err := s.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	first, err := Run(ctx, s, dir, b, t0, nil)
	if err != nil || first.Copied == 0 || first.Copied != first.Files {
		t.Fatalf("%+v, %v", first, err)
	}
	fill(t, s, clock, 1)
	if err := s.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	fill(t, s, clock, 2) // stays hot
	if err := s.Rollup(ctx); err != nil {
		t.Fatal(err)
	}
	want := answers(t, s)
	second, err := Run(ctx, s, dir, b, t0.Add(time.Hour), nil)
	if err != nil || second.Copied != second.Files-first.Files || second.Copied == 0 {
		t.Fatalf("%+v after %+v, %v", second, first, err)
	}
	fill(t, s, clock, 3) // after the backup: not in it
	if _, err := Restore(ctx, b, "", back); err != nil {
		t.Fatal(err)
	}
	r := open(t, back, clock)
	if got := answers(t, r); got != want {
		i := 0
		for i < min(len(got), len(want)) && got[i] == want[i] {
			i++
		}
		t.Errorf("from byte %d:\n got %.300s\nwant %.300s", i, got[max(0, i-80):], want[max(0, i-80):])
	}
	if damage, err := r.Check(ctx, nil); err != nil || len(damage) > 0 {
		t.Errorf("%v %v", damage, err)
	}
	fill(t, r, clock, 4) // and it goes on
	// The older one is still there.
	if m, err := Restore(ctx, b, first.Name, t.TempDir()); err != nil || len(m.Files) != first.Files {
		t.Errorf("%+v %v", m, err)
	}
	if _, err := Restore(ctx, b, "", back); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("over a store: %v", err)
	}
	// A backup that is damaged is not restored.
	files, _ := filepath.Glob(filepath.Join(to, "files", "*"))
	if err := os.WriteFile(files[0], []byte("PAR1"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	if _, err := Restore(ctx, b, "", empty); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("damaged: %v", err)
	}
	if _, err := os.Stat(filepath.Join(empty, "mudpulse.duckdb")); err == nil {
		t.Error("a damaged backup left a store")
	}
}
