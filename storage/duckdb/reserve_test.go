package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/mudpulse/mudpulse/storage"
)

// Queries that hold all they may get are a limit of next to nothing here: what is
// committed and checkpointed finds room all the same, and a query does not.
func TestWhatIsCommittedFindsRoomWhereQueriesHoldAllTheyGet(t *testing.T) {
	s := filled(t, t.TempDir())
	ctx := context.Background()
	if err := s.Checkpoint(ctx); err != nil { // what is left is small
		t.Fatal(err)
	}
	s.reserve.less = 4 << 20
	if err := s.reserve.session.exec(limitOf(s.reserve.less)); err != nil {
		t.Fatal(err)
	}
	for seq := uint64(100); seq < 103; seq++ {
		// The rows after a checkpoint begin a block for each column, which is more than that.
		if err := s.Checkpoint(ctx); err != nil {
			t.Fatal(err)
		}
		b := storage.Batch{Arrived: t0}
		b.AddFrame(frame("RIG-01", seq))
		if err := s.Commit(ctx, &b); err != nil {
			t.Fatal(err)
		}
	}
	var n int64
	if err := s.db.QueryRow("SELECT len(list(range)) FROM range(3000000)").Scan(&n); err == nil {
		t.Error("a query took 24 MB where there were 4")
	}
	if st, err := s.Stats(ctx); err != nil || st.Frames != 63 {
		t.Errorf("%d frames, %v", st.Frames, err)
	}
}

// While something is committed the limit is higher: a query that goes beyond what it
// may have is stopped by name, and the next one is not.
func TestAQueryThatTakesWhatIsForCommitsIsStopped(t *testing.T) {
	s := filled(t, t.TempDir())
	s.reserve.less = 8 << 20
	leave, err := s.reserve.enter()
	if err != nil {
		t.Fatal(err)
	}
	ask := func(q string) error {
		return s.each(context.Background(), q, func(*sql.Rows) error { return nil })
	}
	if err := ask("SELECT count(*) FROM (SELECT a.range % 30000000 AS k, count(*) AS n FROM range(60000000) a GROUP BY k HAVING n < 3)"); !errors.Is(err, storage.ErrMemory) {
		t.Errorf("the query ended with %v", err)
	}
	leave()
	if err := s.reserve.begin(s.cfg.Memory, s.guard.stop, s.QueryMemory); err != nil {
		t.Fatal(err)
	}
	if err := ask("SELECT count(*) FROM store.sources"); err != nil {
		t.Errorf("a query after that: %v", err)
	}
}
