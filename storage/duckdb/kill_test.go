package duckdb

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// The other process: commits frames one number after another and checkpoints
// between, until it dies at the crash point named, passed for the nth time.
func victim(dir, point string, nth int) {
	passed := 0
	cfg := DefaultConfig(dir)
	cfg.KeepReadings, cfg.KeepRecords, cfg.PartRows, cfg.Grace, cfg.CompactAfter, cfg.Linger = 2*time.Hour, 2*time.Hour, 2000, 0, 0, 0
	cfg.CrashPoint = func(name string) {
		if name == point {
			if passed++; passed == nth {
				fmt.Println("HIT", name)
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}
	}
	clock := telemetry.NewManualClock(time.Unix(0, t0))
	s, err := Open(cfg, telemetry.DefaultCatalogue(), clock, slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println("ERR", err)
		return
	}
	ctx := context.Background()
	pos, err := s.Position(ctx)
	if err != nil {
		fmt.Println("ERR", err)
		return
	}
	next := int64(0)
	if len(pos.Offsets) > 0 {
		next = pos.Offsets[0].Next
	}
	for {
		var b storage.Batch
		for range 50 {
			f := frame("RIG-01", uint64(next))
			f.TS = t0 + next*10e9
			b.AddFrame(f)
			b.Scores = append(b.Scores, telemetry.Score{Drill: f.Drill, Tick: f.TS, Causes: []telemetry.FrameID{f.ID()}, Health: 1})
			next++
		}
		clock.Set(time.Unix(0, t0+next*10e9))
		b.Offsets = []storage.Offset{{Topic: "frames", Next: next}}
		b.Dedup = fmt.Appendf(nil, "state %d", next)
		if err := s.Commit(ctx, &b); err != nil {
			fmt.Println("ERR", err)
			return
		}
		fmt.Println("DONE", next)
		if next%200 == 0 {
			if err := errors.Join(s.Maintain(ctx), s.Snapshot(ctx, filepath.Join(dir, "snapshot.duckdb")), s.Checkpoint(ctx)); err != nil {
				fmt.Println("ERR", err)
				return
			}
		}
	}
}

func TestAKilledStoreHasEveryRowOnceAndItsPosition(t *testing.T) {
	if dir := os.Getenv("MUDPULSE_TEST_VICTIM"); dir != "" {
		var nth int
		fmt.Sscan(os.Getenv("MUDPULSE_TEST_NTH"), &nth)
		victim(dir, os.Getenv("MUDPULSE_TEST_POINT"), nth)
		return
	}
	dir := t.TempDir()
	// Each crash point, and kills from outside at no point in particular, on one store.
	points := append(CrashPoints[:len(CrashPoints):len(CrashPoints)], "", "", "")
	told := int64(0)
	for i, point := range points {
		cmd := exec.Command(os.Args[0], "-test.run=TestAKilledStoreHasEveryRowOnceAndItsPosition", "-test.v")
		cmd.Env = append(os.Environ(), "MUDPULSE_TEST_VICTIM="+dir, "MUDPULSE_TEST_POINT="+point, fmt.Sprint("MUDPULSE_TEST_NTH=", 1+i%2))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		hit, lines := false, 0
		for sc := bufio.NewScanner(out); sc.Scan(); {
			line := sc.Text()
			switch {
			case strings.HasPrefix(line, "DONE"):
				fmt.Sscan(line[4:], &told)
				if lines++; point == "" && lines == 7+3*i {
					_ = cmd.Process.Kill()
				}
			case strings.HasPrefix(line, "HIT"):
				hit = true
			case strings.HasPrefix(line, "ERR"):
				t.Fatal(line)
			}
		}
		_ = cmd.Wait()
		if point != "" && !hit {
			t.Fatalf("%s was not passed", point)
		}
		s := open(t, dir)
		pos, err := s.Position(context.Background())
		if err != nil || len(pos.Offsets) != 1 && told > 0 {
			t.Fatalf("%s: %+v, %v", point, pos, err)
		}
		next := int64(0)
		if len(pos.Offsets) > 0 {
			next = pos.Offsets[0].Next
		}
		if next < told || next > told+50 {
			t.Errorf("%s: the store stands at %d and had said %d", point, next, told)
		}
		if next > 0 && string(pos.Dedup) != fmt.Sprint("state ", next) {
			t.Errorf("%s: de-duplication state %q at %d", point, pos.Dedup, next)
		}
		l, err := s.Ledger(context.Background(), storage.LedgerQuery{})
		if err != nil || int64(l.Stored) != next || int64(l.Scored) != next || int64(l.Readable) != next {
			t.Errorf("%s at %d: ledger %+v, %v", point, next, l, err)
		}
		var frames, distinct int64
		if err := s.db.QueryRow("SELECT (SELECT count(*) FROM frames), (SELECT count(DISTINCT seq) FROM frames)").Scan(&frames, &distinct); err != nil {
			t.Fatal(err)
		}
		retired := int64(0)
		if len(l.Rows) > 0 {
			retired = int64(l.Rows[0].Retired)
		}
		if frames != distinct || frames+retired != next {
			t.Errorf("%s: %d rows of %d frames and %d retired, want %d", point, frames, distinct, retired, next)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
