package duckdb

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// DuckDB allocates while it commits: rows that are appended to a table begin a block
// of 256 kB for the values, and one for the validity, of each of its columns. A
// transaction whose COMMIT finds no room leaves columns of unequal length behind,
// and a checkpoint that finds none ends the database. What queries and seals work
// with cannot be put aside: they fill the limit and fail there, which harms only
// themselves, but whoever commits in that moment is struck as well. So the limit is
// higher while something is committed. Queries would fill that too, and in less time
// than a checkpoint takes: meanwhile they are watched, and those that have run longest
// are stopped when they hold more than Config.Memory.
type reserve struct {
	mu      sync.Mutex
	users   int
	session session // sets the limit
	less    int64   // bytes: the limit of those who cannot break anything; 0: until the store is open there is but one
	more    int64   // bytes: the limit of all while something is committed
	stop    func()  // stops the query that has run longest
	held    func(context.Context) (int64, error)
	end     func() // ends the watch
}

const (
	reserveTimes = 2                     // the memory of queries is the limit while something is committed: the table with the most columns begins 28 MB
	reserveLook  = 5 * time.Millisecond  // a query takes a megabyte a millisecond
	reserveAgain = 50 * time.Millisecond // until one that was stopped has given back what it held
)

// begin sets the limit of queries, once nothing else is committed.
func (r *reserve) begin(memory int64, stop func(), held func(context.Context) (int64, error)) error {
	r.less, r.more, r.stop, r.held = memory, memory*reserveTimes, stop, held
	return r.session.exec(limitOf(r.less))
}

func limitOf(memory int64) string { return fmt.Sprintf("SET memory_limit='%dMB'", memory>>20) }

// enter gives what is committed from now on the reserve, until leave is called.
func (r *reserve) enter() (leave func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.users == 0 && r.less > 0 {
		if err := r.session.exec(limitOf(r.more)); err != nil {
			return nil, fmt.Errorf("reserve: %w", err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		over := make(chan struct{})
		go func() { defer close(over); r.watch(ctx) }()
		r.end = func() { cancel(); <-over }
	}
	r.users++
	return r.leave, nil
}

func (r *reserve) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.users--; r.users > 0 || r.end == nil {
		return
	}
	r.end()
	r.end = nil
	if r.session.exec(limitOf(r.less)) != nil {
		r.stop() // queries hold more than they get: the limit stays until the next who leaves
	}
}

// watch stops queries that take what is for commits.
func (r *reserve) watch(ctx context.Context) {
	wait := reserveLook
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = reserveLook
		if n, err := r.held(ctx); err == nil && n > r.less {
			r.stop()
			wait = reserveAgain
		}
	}
}

// commit runs what must find room: a COMMIT, a checkpoint. There need not be a reserve.
func (r *reserve) commit(f func() error) error {
	if r == nil {
		return f()
	}
	leave, err := r.enter()
	if err != nil {
		return err
	}
	defer leave()
	return f()
}
