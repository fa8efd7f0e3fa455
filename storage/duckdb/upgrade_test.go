package duckdb

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// answersOf asks a store all that the API asks, and the views.
func answersOf(t *testing.T, s *Store) string {
	t.Helper()
	ctx := context.Background()
	var out strings.Builder
	add := func(v any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%+v\n", v)
	}
	for _, v := range []string{"readings", "frames", "scores", "outputs", "reasons", "alarms", "commands", "labels", "drills", "quarantine", "activations", "channels"} {
		rows, err := s.db.Query("SELECT r::VARCHAR FROM (SELECT * FROM " + v + ") r ORDER BY ALL")
		if err != nil {
			t.Fatal(v, err)
		}
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			out.WriteString(v + " " + line + "\n")
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		rows.Close()
	}
	l, err := s.Ledger(ctx, storage.LedgerQuery{})
	add(l, err)
	for _, points := range []int{2, 100} {
		series, err := s.Series(ctx, storage.SeriesQuery{Drill: "RIG-01", Channels: []string{"SPP", "GR", "Odd_One", "health", "m.x.rul"}, From: t0, To: t0 + 3600e9, Points: points})
		add(series, err)
	}
	scores, err := s.Scores(ctx, "RIG-01", t0, t0+3600e9, 0)
	add(scores, err)
	add(s.Latest("RIG-01"), nil)
	at, found, err := s.FrameTime(ctx, "RIG-01", telemetry.FrameID{Device: "edr-1", Boot: "b1", Seq: 17})
	add(fmt.Sprint(at, found), err)
	n := 0
	done, err := s.Replay(ctx, storage.ReplayQuery{Drill: "RIG-01", From: 0, To: t0 + 3600e9}, func(f *telemetry.Frame) error {
		n += f.Readings()
		return nil
	})
	add(fmt.Sprint(done, n), err)
	return out.String()
}

// testdata/v1.duckdb.gz and v2.duckdb.gz are what version 1 (commit 999e672) and
// version 2 before frames had a place (9fc0486) made of filled.
func TestAnOlderStoreIsUpgradedAndAnswersTheSame(t *testing.T) {
	for _, fixture := range []struct {
		file string
		kept bool // the file as it was stays beside the upgraded one
	}{{"v1", true}, {"v2", false}} {
		t.Run(fixture.file, func(t *testing.T) { upgraded(t, fixture.file, fixture.kept) })
	}
}

func upgraded(t *testing.T, fixture string, kept bool) {
	ctx := context.Background()
	dir := t.TempDir()
	in, err := os.Open(filepath.Join("testdata", fixture+".duckdb.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	z, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "mudpulse.duckdb"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	want := filled(t, t.TempDir())
	s := open(t, dir)
	same := func(when string) {
		t.Helper()
		got, want := answersOf(t, s), answersOf(t, want)
		if got != want {
			i := 0
			for i < min(len(got), len(want)) && got[i] == want[i] {
				i++
			}
			t.Errorf("%s: from byte %d:\n got %.300s\nwant %.300s", when, i, got[max(0, i-80):], want[max(0, i-80):])
		}
	}
	same("upgraded")
	if old, err := os.ReadFile(filepath.Join(dir, "mudpulse.duckdb.v1")); kept && (err != nil || len(old) == 0) {
		t.Errorf("the file as it was is not kept: %v", err)
	}
	// It goes on, is sealed, and is opened again.
	for _, st := range []*Store{s, want} {
		more := storage.Batch{Arrived: t0}
		for i := uint64(60); i < 90; i++ {
			more.AddFrame(frame("RIG-01", i))
		}
		if err := st.Commit(ctx, &more); err != nil {
			t.Fatal(err)
		}
		if err := st.Seal(ctx); err != nil {
			t.Fatal(err)
		}
	}
	same("gone on and sealed")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	same("opened again")
}
