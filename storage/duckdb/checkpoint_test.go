package duckdb

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"syscall"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

func (s *Store) tableCount(t *testing.T) (n int) {
	t.Helper()
	if err := s.db.QueryRow("SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'store'").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func commitFrames(t *testing.T, s *Store, from, n uint64) {
	t.Helper()
	b := storage.Batch{Arrived: t0}
	for i := from; i < from+n; i++ {
		b.AddFrame(frame("RIG-01", i))
	}
	if err := s.Commit(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
}

func TestCommitsGoOnWhileACheckpointRuns(t *testing.T) {
	cfg := DefaultConfig(t.TempDir())
	arrived, committed := make(chan struct{}), make(chan struct{})
	asked := false
	cfg.CrashPoint = func(name string) {
		if name != CrashCheckpoint || asked {
			return
		}
		asked = true
		close(arrived)
		select {
		case <-committed:
		case <-time.After(20 * time.Second):
			t.Error("a commit waits for a checkpoint")
		}
	}
	s, err := Open(cfg, telemetry.DefaultCatalogue(), telemetry.NewManualClock(time.Unix(0, t0)), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	commitFrames(t, s, 0, 10)
	done := make(chan error)
	go func() {
		var err error
		for range 15 { // DuckDB's own part: appends while it writes the file
			if err == nil {
				err = s.Checkpoint(ctx)
			}
		}
		done <- err
	}()
	<-arrived
	commitFrames(t, s, 10, 10)
	close(committed)
	n := uint64(20)
	for over := false; !over; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			over = true
		default:
			commitFrames(t, s, n, 200)
			n += 200
		}
	}
	rows := func(s *Store) (n uint64) {
		if err := s.db.QueryRow("SELECT count(DISTINCT seq) FROM frames").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if got := rows(s); got != n {
		t.Errorf("%d frames of %d", got, n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := rows(open(t, cfg.Dir)); got != n {
		t.Errorf("%d frames of %d when opened again", got, n)
	}
}

func TestTheNextPartitionIsMadeBeforeACommitNeedsIt(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if err := s.Maintain(context.Background()); err != nil {
		t.Fatal(err)
	}
	before := s.tableCount(t)
	bad := storage.Batch{Alarms: []telemetry.AlarmEvent{{ID: "a", Value: math.NaN()}}} // cannot be written as JSON
	bad.AddFrame(frame("RIG-01", 1))
	if err := s.Commit(context.Background(), &bad); err == nil {
		t.Fatal("the bad batch was committed")
	}
	if s.spare == nil || len(s.open) > 0 {
		t.Error("a commit that failed keeps the spare partition")
	}
	commitFrames(t, s, 0, 5)
	if after := s.tableCount(t); after != before || s.spare != nil {
		t.Errorf("%d tables before the commit, %d after: it made its own", before, after)
	}
	if err := s.Maintain(context.Background()); err != nil || s.spare == nil {
		t.Fatalf("no spare: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if s.spare == nil || len(s.open) != 1 {
		t.Fatalf("opened again: spare %v, %d partitions take rows", s.spare, len(s.open))
	}
	before = s.tableCount(t)
	commitFrames(t, s, 3600, 5) // of the next hour
	if after := s.tableCount(t); after != before {
		t.Errorf("%d tables before the commit, %d after: it made its own", before, after)
	}
	if err := s.Seal(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	hours := map[int32]bool{}
	for _, f := range s.files {
		hours[f.hour] = true
	}
	if !hours[hourOf(t0)] || !hours[hourOf(t0)+1] || len(hours) != 2 {
		t.Errorf("sealed hours: %v", hours)
	}
}

// What is written longest is not what commits append to: before a checkpoint that goes
// on beside them rows go on into the spare partition, and another spare is made after.
func TestRowsGoOnIntoAnotherPartitionBeforeALargeCheckpoint(t *testing.T) {
	cfg := DefaultConfig(t.TempDir())
	cfg.Aside, cfg.PartRows = 1, 100
	s, err := Open(cfg, telemetry.DefaultCatalogue(), telemetry.NewManualClock(time.Unix(0, t0)), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	takes := func() (id int64) {
		for _, p := range s.open {
			id = p.id
		}
		return id
	}
	checkpoint := func() {
		t.Helper()
		if err := s.Checkpoint(ctx); err != nil {
			t.Fatal(err)
		}
	}
	commitFrames(t, s, 0, 1)
	first := takes()
	checkpoint()
	commitFrames(t, s, 1, 1)
	if got := takes(); got != first {
		t.Errorf("a partition of a few rows was closed")
	}
	n := uint64(2)
	for s.open[hourOf(t0)].rows < cfg.PartRows/2 {
		commitFrames(t, s, n, 1)
		n++
	}
	checkpoint()
	before := s.tableCount(t)
	commitFrames(t, s, n, 1)
	if got := takes(); got == first {
		t.Errorf("rows go on into the partition that the checkpoint wrote")
	}
	if got := s.tableCount(t); got != before {
		t.Errorf("the commit made tables: %d, not %d", got, before)
	}
	for range besidesInARow { // among them one that gives back what was deleted
		checkpoint()
	}
	if s.besides >= besidesInARow {
		t.Errorf("%d checkpoints beside commits, and none that gives back what was deleted", s.besides)
	}
	var frames, left uint64
	if err := s.db.QueryRow("SELECT (SELECT count(DISTINCT seq) FROM frames), (SELECT count(*) FROM store.checkpoints)").Scan(&frames, &left); err != nil || frames != n+1 || left > 0 {
		t.Errorf("%d frames of %d, %d rows of checkpoints left: %v", frames, n+1, left, err)
	}
}

func TestACheckpointThatTheDiskHasNoRoomForIsRefused(t *testing.T) {
	f := func(free, wal int64, refused bool) {
		t.Helper()
		if err := roomFor("/data", free<<20, wal<<20); errors.Is(err, syscall.ENOSPC) != refused {
			t.Errorf("%d MB free, a WAL of %d: %v", free, wal, err)
		}
	}
	f(0, 0, false)
	f(0, 1, true)
	f(30, 64, true)
	f(40, 64, false)
	// A query that meets what an earlier checkpoint broke says so to who commits.
	err := invalidated(errors.New("look up scores: FATAL Error: Failed: database has been invalidated because of a previous fatal error."))
	if !errors.Is(err, storage.ErrBroken) {
		t.Error(err)
	}
}
