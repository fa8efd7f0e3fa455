package store

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
	"github.com/mudpulse/mudpulse/services/backup"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/duckdb"
	"github.com/mudpulse/mudpulse/telemetry"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("CHAOS_DIR"); dir != "" { // the other process
		n := func(key string) int { v, _ := strconv.Atoi(os.Getenv(key)); return v }
		if err := Victim(dir, os.Getenv("CHAOS_POINT"), os.Getenv("CHAOS_BALLAST"), n("CHAOS_NTH"), n("CHAOS_COMMITS"), uint64(n("CHAOS_LIMIT"))); err != nil {
			fmt.Println("ERR", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A run of the victim: what it told.
type told struct {
	next    int64
	hit     bool
	refused bool // a commit, for good
	full    int  // rounds of maintenance that failed of the limit
}

// run starts a victim. killAfter > 0 kills it from outside after so many commits.
func run(t *testing.T, dir, point string, nth, commits, killAfter int, limit uint64) (out told) {
	t.Helper()
	return runFull(t, dir, point, "", nth, commits, killAfter, limit)
}

// runFull is run, but at the crash point its disk fills up.
func runFull(t *testing.T, dir, point, ballast string, nth, commits, killAfter int, limit uint64) (out told) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CHAOS_DIR="+dir, "CHAOS_POINT="+point, "CHAOS_BALLAST="+ballast, fmt.Sprint("CHAOS_NTH=", nth), fmt.Sprint("CHAOS_COMMITS=", commits), fmt.Sprint("CHAOS_LIMIT=", limit))
	pipe, w := io.Pipe()
	cmd.Stdout = w
	ended, err := harness.Launch(cmd)
	if err != nil {
		t.Fatal(err)
	}
	go func() { <-ended; w.Close() }()
	n := 0
	for sc := bufio.NewScanner(pipe); sc.Scan(); {
		word, rest, _ := strings.Cut(sc.Text(), " ")
		switch word {
		case "DONE":
			fmt.Sscan(rest, &out.next)
			if n++; n == killAfter {
				_ = cmd.Process.Kill()
			}
		case "HIT":
			out.hit = true
		case "REFUSED":
			out.refused = true
			t.Logf("refused: %.200s", rest)
		case "FULL":
			out.full++
			t.Logf("maintenance: %.200s", rest)
		case "ERR":
			t.Fatalf("%s: %s", point, rest)
		}
	}
	return out
}

// check opens the store and holds it against what was told: every row once,
// position, de-duplication state, ledger, answers from rows, rollups and sealed files.
func check(t *testing.T, dir, after string, least int64) int64 {
	t.Helper()
	pos0 := int64(0)
	clock := telemetry.NewManualClock(time.Unix(0, Start))
	s, err := duckdb.Open(config(dir), telemetry.DefaultCatalogue(), clock, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("after %s: %v", after, err)
	}
	defer s.Close()
	ctx := context.Background()
	pos, err := s.Position(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(pos.Offsets) > 0 {
		pos0 = pos.Offsets[0].Next
	}
	if pos0 < least || pos0 > least+perCommit {
		t.Errorf("after %s: the store stands at %d and had said %d", after, pos0, least)
	}
	if pos0 > 0 && string(pos.Dedup) != fmt.Sprint("state ", pos0) {
		t.Errorf("after %s: de-duplication state %q at %d", after, pos.Dedup, pos0)
	}
	want := Stored(pos0)
	l, err := s.Ledger(ctx, storage.LedgerQuery{})
	if err != nil || int64(l.Stored) != want || int64(l.Scored) != want || int64(l.Readable) != want {
		t.Errorf("after %s: ledger: %d stored, %d scored, %d readable, want %d each: %v", after, l.Stored, l.Scored, l.Readable, want, err)
	}
	retired := int64(0)
	for _, r := range l.Rows {
		retired += int64(r.Retired)
	}
	one := func(q string) (v string) {
		if err := s.SQL().QueryRow("SELECT (" + q + ")::VARCHAR").Scan(&v); err != nil {
			t.Errorf("after %s: %s: %v", after, q, err)
		}
		return v
	}
	if got := one("SELECT count(*) || ' ' || count(DISTINCT (drill, seq)) FROM frames"); got != fmt.Sprintf("%d %[1]d", want-retired) {
		t.Errorf("after %s: %s rows and distinct frames, want %d of %d less %d", after, got, want-retired, want, retired)
	}
	// Of each frame that is kept, each reading has the value that follows from its number.
	if got := one(`SELECT count(*) || ' ' || count(DISTINCT (seq, channel, ts)) || ' ' || count(*) FILTER (abs(value - seq) > 1 OR value = seq AND channel <> 'MTO') FROM readings`); got != fmt.Sprintf("%d %[1]d 0", readings*(want-retired)) {
		t.Errorf("after %s: %s readings, distinct, wrong; want %d", after, got, readings*(want-retired))
	}
	if got := one("SELECT count(*) || ' ' || count(*) FILTER (s.health <> f.seq % 101) FROM scores s JOIN frames f ON f.drill = s.drill AND f.ts = s.tick"); got != fmt.Sprintf("%d 0", want-retired) {
		t.Errorf("after %s: %s scores, wrong; want %d", after, got, want-retired)
	}
	// Wide buckets come of rollups, where there are any; narrow ones of rows.
	if pos0 > 0 {
		from, to := Start+(pos0*every)/int64(time.Hour)*int64(time.Hour)-int64(time.Hour), Start+pos0*every+1
		for _, drill := range []string{"RIG-00", "RIG-01"} {
			var sum [2]int64
			var top [2]float64
			for i, points := range []int{6, 20000} {
				out, err := s.Series(ctx, storage.SeriesQuery{Drill: drill, Channels: []string{"SPP"}, From: from, To: to, Points: points})
				if err != nil {
					t.Fatalf("after %s: %v", after, err)
				}
				for k := range out[0].N {
					sum[i], top[i] = sum[i]+out[0].N[k], max(top[i], out[0].Max[k])
				}
			}
			if sum[0] != sum[1] || top[0] != top[1] {
				t.Errorf("after %s: %s: %d samples to %v by rollup, %d to %v by row", after, drill, sum[0], top[0], sum[1], top[1])
			}
		}
	}
	if damage, err := s.Check(ctx, nil); err != nil || len(damage) > 0 {
		t.Errorf("after %s: %+v %v", after, damage, err)
	}
	return pos0
}

// dose is how often each thing is done: CHAOS_DOSE=10 is the long dose.
func dose() int {
	n, _ := strconv.Atoi(os.Getenv("CHAOS_DOSE"))
	return max(n, 1)
}

// Every crash point is passed and died at, again and again on one store, and
// kills come from outside at no point in particular.
func TestAKilledStoreHasEveryRowOnceAndItsPosition(t *testing.T) {
	dir := t.TempDir()
	next, kills := int64(0), 0
	for round := range dose() {
		for i, point := range Points {
			out := run(t, dir, point, 1+(i+round)%2, 400, 0, 0)
			if !out.hit || out.refused || out.full > 0 {
				t.Fatalf("%s was not passed: %+v", point, out)
			}
			kills++
			next = check(t, dir, point, max(next, out.next))
			if strings.HasPrefix(point, "backup") || point == duckdb.CrashSnapshot {
				restored(t, dir, point, next)
			}
		}
		for k := range 2 {
			after := 3 + 5*k + round%4
			out := run(t, dir, "", 0, 400, after, 0)
			if out.refused || out.full > 0 {
				t.Errorf("a store that nothing ails refuses commits, or its maintenance fails: %+v", out)
			}
			kills++
			// From outside, it dies any time after it told.
			next = check(t, dir, fmt.Sprint("a kill after ", after, " commits"), max(next, out.next))
		}
	}
	t.Logf("%d kills, %d frames", kills, next)
}

// A disk that fills up somewhere, again and again: whatever fails, nothing that
// was told is lost, and with space again all goes on. Where a file system of our
// own cannot be mounted (not root), a limit on files' sizes stands in.
func TestAFullDiskLosesNothing(t *testing.T) {
	dir := t.TempDir()
	const size = 96 << 20
	mounted := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprint("size=", size)) == nil
	if mounted {
		t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	}
	ballast := filepath.Join(t.TempDir(), "ballast")
	if mounted {
		ballast = filepath.Join(dir, "ballast")
	}
	next, refused, full := int64(0), 0, 0
	free := []int64{0, 60_000, 300_000, 1_000_000, 2_500_000, 6_000_000}
	for round := range dose() {
		for i, left := range free {
			left += int64(round) * 37_000
			limit := uint64(0)
			if mounted {
				fill(t, dir, ballast, left)
			} else {
				limit = uint64(left) + 1
			}
			out := run(t, dir, "", 0, 9+i, 0, limit)
			if out.refused {
				refused++
			}
			full += out.full
			if mounted {
				if err := os.Remove(ballast); err != nil {
					t.Fatal(err)
				}
			}
			what := fmt.Sprint(left, " bytes left")
			next = check(t, dir, what, max(next, out.next))
			out = run(t, dir, "", 0, 5, 0, 0)
			if out.refused || out.full > 0 {
				t.Errorf("%s: with space again, something fails still", what)
			}
			next = check(t, dir, what+", and space again", max(next, out.next))
		}
	}
	if refused == 0 || mounted && full == 0 {
		t.Errorf("%d commits refused, %d rounds of maintenance failed: the full disk hit nothing", refused, full)
	}
	t.Logf("a file system of its own: %v; %d times commits were refused, %d rounds of maintenance failed, %d frames", mounted, refused, full, next)
}

// The disk fills up at every point that there is: in the middle of an append, a
// checkpoint, a seal, a merge, a retention, a backup. What comes next fails; nothing
// that was told is lost, and with space again all goes on.
func TestADiskThatFillsUpAtAnyStepLosesNothing(t *testing.T) {
	for round := range dose() { // each on a disk of its own: one of 96 MB holds what some rounds leave
		t.Run(fmt.Sprint("round ", round), fillsUpAtEveryPoint)
	}
}

func fillsUpAtEveryPoint(t *testing.T) {
	dir := t.TempDir()
	ballast := "-"
	if syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=96m") == nil {
		t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
		ballast = filepath.Join(dir, "ballast")
	}
	next := int64(0)
	for _, point := range Points {
		out := runFull(t, dir, point, ballast, 1, 400, 0, 0)
		if !out.hit || !out.refused && out.full == 0 {
			t.Errorf("a disk that fills up at %s hit nothing: %+v", point, out)
		}
		if ballast != "-" {
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
		}
		next = check(t, dir, "a disk that filled up at "+point, max(next, out.next))
		if strings.HasPrefix(point, "backup") || point == duckdb.CrashSnapshot {
			restored(t, dir, point, next)
		}
	}
	out := run(t, dir, "", 0, 2*perRound, 0, 0)
	if out.refused || out.full > 0 {
		t.Errorf("with space again, something fails still: %+v", out)
	}
	next = check(t, dir, "space again", max(next, out.next))
	t.Logf("a file system of its own: %v; %d points, %d frames", ballast != "-", len(Points), next)
}

// restored restores the newest backup, if there is one, and holds it against what follows from its position.
func restored(t *testing.T, dir, after string, least int64) {
	t.Helper()
	ctx := context.Background()
	b, err := backup.Open(ctx, filepath.Join(dir, "backup"))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	all, err := backup.List(ctx, b)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		return
	}
	to := t.TempDir()
	if _, err := backup.Restore(ctx, b, "", to, nil); err != nil {
		t.Fatalf("after %s: restore: %v", after, err)
	}
	s, err := duckdb.Open(config(filepath.Join(to, "store")), telemetry.DefaultCatalogue(), telemetry.NewManualClock(time.Unix(0, Start)), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("after %s: restored: %v", after, err)
	}
	defer s.Close()
	pos, err := s.Position(ctx)
	if err != nil || len(pos.Offsets) == 0 || pos.Offsets[0].Next > least {
		t.Fatalf("after %s: the backup stands at %+v, %v; the store at %d", after, pos.Offsets, err, least)
	}
	want := Stored(pos.Offsets[0].Next)
	if l, err := s.Ledger(ctx, storage.LedgerQuery{}); err != nil || int64(l.Stored) != want || int64(l.Readable) != want {
		t.Errorf("after %s: restored: ledger: %d stored, %d readable, want %d: %v", after, l.Stored, l.Readable, want, err)
	}
}

// fill leaves so many bytes of dir's file system free.
func fill(t *testing.T, dir, ballast string, left int64) {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 1<<16)
	for n := int64(st.Bavail)*int64(st.Bsize) - left; n > 0; n -= int64(len(block)) {
		if _, err := f.Write(block[:min(n, int64(len(block)))]); err != nil {
			return // full to the last byte
		}
	}
}
