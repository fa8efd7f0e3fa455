package backup

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/services/internal/blobs"
	"github.com/mudpulse/mudpulse/services/internal/relational"
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
	first, err := Run(ctx, Platform{Store: s, Dir: dir}, b, t0, nil)
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
	second, err := Run(ctx, Platform{Store: s, Dir: dir}, b, t0.Add(time.Hour), nil)
	if err != nil || second.Copied != second.Files-first.Files || second.Copied == 0 {
		t.Fatalf("%+v after %+v, %v", second, first, err)
	}
	fill(t, s, clock, 3) // after the backup: not in it
	if _, err := Restore(ctx, b, "", back, nil); err != nil {
		t.Fatal(err)
	}
	r := open(t, filepath.Join(back, "store"), clock)
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
	if m, err := Restore(ctx, b, first.Name, t.TempDir(), nil); err != nil || len(m.Files) != first.Files {
		t.Errorf("%+v %v", m, err)
	}
	if _, err := Restore(ctx, b, "", back, nil); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("over a store: %v", err)
	}
	// A backup that is damaged is not restored.
	files, _ := filepath.Glob(filepath.Join(to, "files", "*"))
	if err := os.WriteFile(files[0], []byte("PAR1"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	if _, err := Restore(ctx, b, "", empty, nil); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("damaged: %v", err)
	}
	if _, err := os.Stat(filepath.Join(empty, "store", "mudpulse.duckdb")); err == nil {
		t.Error("a damaged backup left a store")
	}
}

// Users and models come back with the files that they name, each file copied once;
// what is in the way is told before anything is written.
func TestARestoredPlatformHasItsPeopleAndModels(t *testing.T) {
	ctx := context.Background()
	dir, to, back := t.TempDir(), t.TempDir(), t.TempDir()
	s := open(t, filepath.Join(dir, "store"), telemetry.NewManualClock(t0))
	db, err := relational.Open(ctx, filepath.Join(dir, "mudpulse.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	kept, err := blobs.Open(ctx, filepath.Join(dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	push := func(name, text string) string {
		t.Helper()
		sha, err := kept.Put(ctx, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("INSERT INTO models (name, version, sha256, size, uploaded, by_whom, about) VALUES (?, 1, ?, ?, 0, 'test', '{}')", name, sha, len(text)); err != nil {
			t.Fatal(err)
		}
		return sha
	}
	washout := push("washout", "<PMML/>")
	if _, err := kept.Put(ctx, []byte("a checkpoint, which no row names")); err != nil {
		t.Fatal(err)
	}
	b, err := Open(ctx, to)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	p := Platform{Store: s, Dir: filepath.Join(dir, "store"), DB: db, Blobs: kept}
	first, err := Run(ctx, p, b, t0, nil)
	if err != nil || !first.Whole || first.Blobs != 1 {
		t.Fatalf("%+v, %v", first, err)
	}
	pump := push("pump", "<PMML version='4.4'/>")
	second, err := Run(ctx, p, b, t0.Add(time.Hour), nil)
	if err != nil || second.Blobs != 2 {
		t.Fatalf("%+v, %v", second, err)
	}
	if files, err := filepath.Glob(filepath.Join(to, "files", "*")); err != nil || len(files) != 2 {
		t.Errorf("%v in the backup, %v: want the two models, each once", files, err)
	}
	where, err := blobs.Open(ctx, filepath.Join(back, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	defer where.Close()
	if m, err := Restore(ctx, b, "", back, where); err != nil || len(m.Blobs) != 2 {
		t.Fatalf("%+v, %v", m, err)
	}
	if info, err := os.Stat(filepath.Join(back, "mudpulse.db")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: password hashes are in it", info.Mode(), err)
	}
	again, err := relational.Open(ctx, filepath.Join(back, "mudpulse.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	shas, err := again.Blobs(ctx)
	want := []string{washout, pump}
	slices.Sort(want)
	if err != nil || !slices.Equal(shas, want) {
		t.Errorf("%v, %v: want %v", shas, err, want)
	}
	for _, sha := range want {
		if _, err := where.Fetch(ctx, sha); err != nil {
			t.Error(err)
		}
	}

	// A restore that was cut off between the databases is started again; other people's are in the way.
	half := t.TempDir()
	of := func(name string) string {
		text, err := os.ReadFile(filepath.Join(to, "snapshots", name, "mudpulse.db"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if err := os.WriteFile(filepath.Join(half, "mudpulse.db"), []byte(of(second.Name)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(ctx, b, first.Name, half, where); err == nil || !strings.Contains(err.Error(), "there are users, devices and models") {
		t.Errorf("over another's: %v", err)
	}
	if _, err := Restore(ctx, b, second.Name, half, where); err != nil {
		t.Errorf("started again: %v", err)
	}
	// A model's file that is damaged leaves no platform.
	if err := os.WriteFile(filepath.Join(to, "files", pump), []byte("<PMLL"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	if _, err := Restore(ctx, b, "", empty, where); err == nil || !strings.Contains(err.Error(), pump+" in the backup is damaged") {
		t.Errorf("damaged: %v", err)
	}
	if _, err := os.Stat(filepath.Join(empty, "mudpulse.db")); err == nil {
		t.Error("a damaged backup left users and models")
	}
}
