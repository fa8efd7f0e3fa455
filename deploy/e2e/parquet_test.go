//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
	"github.com/mudpulse/mudpulse/services/exports"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/duckdb"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Sealed files as they lie, and an exported table, read by what engineers have: pandas, pyarrow, DuckDB, Spark.
func TestPythonReadsSealedHoursAndExportedTables(t *testing.T) {
	ctx := context.Background()
	start := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	clock := telemetry.NewManualClock(start)
	log := slog.New(slog.DiscardHandler)
	st, err := duckdb.Open(duckdb.DefaultConfig(dir), telemetry.DefaultCatalogue(), clock, log)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	rows, total := 0, 0.0
	for m := range 180 { // three hours, a frame a minute
		b := storage.Batch{Arrived: start.UnixNano()}
		for d := range 2 {
			f := &telemetry.Frame{Drill: fmt.Sprintf("RIG-%02d", d+1), Device: "edr", Boot: "b1", Seq: uint64(m), TS: start.UnixNano() + int64(m)*60e9}
			r := telemetry.Run{Channel: "SPP", Every: 1e8}
			for k := range 10 {
				v := math.Round(2000+100*math.Sin(float64(m*10+k+d))) / 100
				r.Values = append(r.Values, v)
				total += v
				rows++
			}
			f.Runs = []telemetry.Run{r}
			b.AddFrame(f)
			b.Scores = append(b.Scores, telemetry.Score{Drill: f.Drill, Tick: f.TS, Causes: []telemetry.FrameID{f.ID()}, State: telemetry.StateRotary, Health: 90, Confidence: 1,
				Results: []telemetry.Result{{Model: "wear@1", Outputs: []telemetry.Output{{Name: "hours", Number: float64(m)}}}}})
		}
		clock.Set(start.Add(time.Duration(m) * time.Minute))
		if err := st.Commit(ctx, &b); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	jobs, err := exports.New(exports.DefaultConfig(filepath.Join(t.TempDir(), "x")), st, telemetry.DefaultCatalogue(), log)
	if err != nil {
		t.Fatal(err)
	}
	run, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- jobs.Run(run) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	at := func(m int) string { return start.Add(time.Duration(m) * time.Minute).Format(time.RFC3339) }
	job, err := jobs.Add(exports.Request{Columns: []string{"SPP", "SPP__mean__60s", "health"}, Labels: []exports.Span{{Drill: "RIG-01", Kind: "washout", From: at(60), To: at(120)}}}, "ann")
	if err != nil {
		t.Fatal(err)
	}
	harness.Wait(t, 2*time.Minute, "the export", func() bool {
		if job, err = jobs.Get(job.ID); err != nil || job.State == exports.Failed {
			t.Fatalf("%+v, %v", job, err)
		}
		return job.State == exports.Done
	})
	in, _, err := jobs.Open(job.ID, false)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	b, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	table := filepath.Join(t.TempDir(), "table.parquet")
	if err := os.WriteFile(table, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for script, want := range map[string]int{"parquet.py": 11, "spark.py": 9} {
		out, err := exec.Command(os.Getenv("E2E_PYTHON"), script, filepath.Join(dir, "sealed"), table, fmt.Sprint(rows), fmt.Sprint(total)).CombinedOutput()
		if err != nil || strings.Count(string(out), "held:") != want {
			t.Errorf("%s: %v\n%s", script, err, out)
		}
	}
}
