// Package store kills a columnstore at every place worth dying at, fills its
// disk, and holds what is left against what was told.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/mudpulse/mudpulse/services/backup"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/duckdb"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Start is the event time of frame 0; frames are Every apart.
var Start = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC).UnixNano()

const (
	every     = int64(20e9)
	perCommit = 45 // a quarter of an hour
	perRound  = 4  // commits between rounds of maintenance
	keep      = 3 * time.Hour
	readings  = 6 // of a frame
)

// number returns the frame of a number: what it holds follows from that alone.
// Every 50th is late: it comes with the commit after.
func number(n int64) *telemetry.Frame {
	v := func(c float64) []float64 { return []float64{float64(n) + c, float64(n) - c} }
	f := &telemetry.Frame{Drill: fmt.Sprintf("RIG-%02d", n%3), Device: "edr", Boot: "b1", Seq: uint64(n), TS: Start + n*every, Gateway: "gw", Runs: []telemetry.Run{
		{Channel: "SPP", Every: 1e8, Values: v(0.25)}, {Channel: "ROP", Every: 5e8, Values: v(0.5)}, {Channel: "MTO", Values: v(0)[:1]}, {Channel: "Extra_One", Values: v(1)[:1]}}}
	f.Hash = telemetry.ContentHash(f)
	return f
}

// config is small everywhere, so that all that happens in days happens in seconds.
func config(dir string) duckdb.Config {
	cfg := duckdb.DefaultConfig(dir)
	cfg.Memory, cfg.Threads = 256<<20, 1
	cfg.PartRows, cfg.Grace, cfg.MixedAge, cfg.CompactAfter, cfg.Linger = 900, 0, 0, 0, 0
	cfg.KeepReadings, cfg.KeepRollups, cfg.KeepRecords = keep, 2*keep, keep
	return cfg
}

// Points are where a victim dies, or its disk fills up: the store's and the backup's.
var Points = append(slices.Clone(duckdb.CrashPoints[:]), backup.CrashFile, backup.CrashDatabase, backup.CrashRelational)

// Victim commits frame after frame with their scores, and maintains and backs up
// the store between, until it dies at the nth pass of a crash point, or has done
// commits of them. With ballast, it does not die there: that file takes all the
// space there is left ("-": no file may grow any more), and it ends within a few
// commits. limit is the largest file it may write, 0: any. A commit that is
// refused twice ends it, as it ends the writer; failing maintenance does not.
// Checkpoints go on while the next frames are committed.
func Victim(dir, point, ballast string, nth, commits int, limit uint64) error {
	cfg := config(dir)
	if nth != 1 {
		cfg.Aside = 32 << 10 // checkpoints go on beside commits, but for the first few; of the others, none
	}
	passed, last := 0, commits
	var mu sync.Mutex // checkpoints pass theirs beside
	cfg.CrashPoint = func(name string) {
		mu.Lock()
		defer mu.Unlock()
		if name != point {
			return
		}
		if passed++; passed != nth {
			return
		}
		fmt.Println("HIT", name)
		if ballast == "" {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		last = 0
		limit = max(limit, 1)
		if ballast != "-" {
			err := takeAll(ballast)
			fmt.Println("FILLED", err)
		} else if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1, Max: math.MaxUint64}); err != nil {
			fmt.Println("ERR", err)
		}
	}
	clock := telemetry.NewManualClock(time.Unix(0, Start))
	s, err := duckdb.Open(cfg, telemetry.DefaultCatalogue(), clock, slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println("REFUSED", strings.ReplaceAll(err.Error(), "\n", " "))
		return nil
	}
	ctx := context.Background()
	pos, err := s.Position(ctx)
	if err != nil {
		return err
	}
	next := int64(0)
	if len(pos.Offsets) > 0 {
		next = pos.Offsets[0].Next
	}
	if limit > 0 {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: math.MaxUint64}); err != nil {
			return err
		}
	}
	checkpoint := make(chan error, 1)
	checkpoint <- nil
	// A few commits more once the disk is full: a round of maintenance, and a backup.
	over := func(done int) bool {
		mu.Lock()
		defer mu.Unlock()
		if last == 0 {
			last = min(commits, done+2*perRound+1)
		}
		return done >= last
	}
	for done := 0; !over(done); done++ {
		b := batch(next)
		next += perCommit
		clock.Set(time.Unix(0, Start+next*every))
		b.Arrived = clock.Now().UnixNano()
		for try := 0; ; try++ {
			err := s.Commit(ctx, b)
			if err == nil {
				break
			}
			if try == 1 {
				fmt.Println("REFUSED", err)
				return finish(s, limit)
			}
		}
		fmt.Println("DONE", next)
		if done%perRound == perRound-1 {
			err := errors.Join(<-checkpoint, s.Maintain(ctx))
			if done%(2*perRound) == perRound-1 {
				err = errors.Join(err, backUp(ctx, s, dir, cfg.CrashPoint))
			}
			if err != nil {
				fmt.Println("FULL", strings.ReplaceAll(err.Error(), "\n", " "))
			}
			go func() { checkpoint <- s.Checkpoint(ctx) }()
		}
	}
	if err := <-checkpoint; err != nil {
		fmt.Println("FULL", strings.ReplaceAll(err.Error(), "\n", " "))
	}
	return finish(s, limit)
}

// takeAll writes a file until there is no space left.
func takeAll(ballast string) error {
	f, err := os.Create(ballast)
	if err != nil {
		return err
	}
	defer f.Close()
	for block := 1 << 16; block > 0; block /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, block))
		}
	}
	return err
}

// backUp backs up beside the store, and keeps the last two.
func backUp(ctx context.Context, s *duckdb.Store, dir string, crash func(string)) error {
	b, err := backup.Open(ctx, filepath.Join(dir, "backup"))
	if err != nil {
		return err
	}
	defer b.Close()
	if _, err := backup.Run(ctx, backup.Platform{Store: s, Dir: dir}, b, time.Now(), crash); err != nil {
		return err
	}
	all, err := backup.List(ctx, b)
	if err != nil {
		return err
	}
	for _, old := range all[:max(0, len(all)-2)] {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, "backup", "snapshots", old)))
	}
	return err
}

// finish gives the space back and closes.
func finish(s *duckdb.Store, limit uint64) error {
	if limit > 0 {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: math.MaxUint64, Max: math.MaxUint64}); err != nil {
			return err
		}
	}
	_ = s.Close() // after a full disk it may say so; what counts is what the next open finds
	return nil
}

// batch is the commit that begins at frame n. Late frames of the commit before come first.
func batch(n int64) *storage.Batch {
	b := &storage.Batch{Offsets: []storage.Offset{{Topic: "frames", Next: n + perCommit}}, Dedup: fmt.Appendf(nil, "state %d", n+perCommit)}
	add := func(f *telemetry.Frame) {
		b.AddFrame(f)
		b.Scores = append(b.Scores, telemetry.Score{Drill: f.Drill, Tick: f.TS, Causes: []telemetry.FrameID{f.ID()}, CauseHash: f.Hash, Health: float64(f.Seq % 101), State: telemetry.StateRotary})
	}
	late := func(i int64) bool { return i%50 == 7 }
	for i := max(n-perCommit, 0); i < n; i++ {
		if late(i) {
			add(number(i))
		}
	}
	for i := n; i < n+perCommit; i++ {
		if !late(i) {
			add(number(i))
		}
	}
	return b
}

// Stored is how many frames are in the store when it stands at next.
func Stored(next int64) int64 {
	n := next
	for i := max(next-perCommit, 0); i < next; i++ {
		if i%50 == 7 {
			n--
		}
	}
	return n
}
