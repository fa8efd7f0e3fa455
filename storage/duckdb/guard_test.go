package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/storage"
)

// What queries may hold is set low here, so that a query which DuckDB would finish is
// stopped: it is named as such, commits go on, and so do later queries.
func TestAQueryThatTakesTooMuchMemoryIsStoppedBeforeACommitIsStruck(t *testing.T) {
	s := filled(t, t.TempDir())
	s.guard.most, s.guard.patience = 8<<20, 100*time.Millisecond
	ctx := context.Background()
	count := func(q string) (n int64, err error) {
		return n, s.each(ctx, q, func(r *sql.Rows) error { return r.Scan(&n) })
	}
	much := make(chan error)
	go func() {
		_, err := count("SELECT count(*) FROM (SELECT a.range % 30000000 AS k, count(*) AS n FROM range(60000000) a GROUP BY k HAVING n < 3)")
		much <- err
	}()
	for seq := uint64(100); ; seq++ {
		b := storage.Batch{Arrived: t0}
		b.AddFrame(frame("RIG-01", seq))
		if err := s.Commit(ctx, &b); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-much:
			if !errors.Is(err, storage.ErrMemory) {
				t.Fatalf("the query ended with %v", err)
			}
		default:
			continue
		}
		break
	}
	if n, err := count("SELECT count(*) FROM store.sources"); err != nil || n == 0 {
		t.Errorf("a query after that: %d, %v", n, err)
	}
}
