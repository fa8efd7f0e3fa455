package duckdb

import (
	"fmt"
	"sync"
)

// DuckDB allocates while it commits: rows that are appended to a table begin a block
// of 256 kB for the values, and one for the validity, of each of its columns. A
// transaction whose COMMIT finds no room leaves columns of unequal length behind,
// and a checkpoint that finds none ends the database. What queries and seals work
// with cannot be put aside: they fill the limit and fail there, which harms only
// themselves, but whoever commits in that moment is struck as well. So on top of
// Config.Memory comes a reserve while something is committed.
type reserve struct {
	mu      sync.Mutex
	users   int
	session session // sets the limit
	less    int64   // bytes: the limit of those who cannot break anything; 0: until the store is open there is but one
	each    int64   // bytes more for each that commits meanwhile: of a checkpoint's, which is long, queries take some
	stop    func()  // stops a query
}

const (
	reserveMost = 48 << 20 // the table with the most columns begins 28 MB
	reservePart = 4        // of memory: the reserve takes no more than its fourth part
)

// reserveOf is how much commits and checkpoints get beside so many bytes.
func reserveOf(memory int64) int64 { return min(reserveMost, memory/reservePart) }

// begin sets the limit of queries, once nothing else is committed.
func (r *reserve) begin(memory int64, stop func()) error {
	r.each, r.less, r.stop = reserveOf(memory), memory, stop
	return r.session.exec(limitOf(r.less))
}

func limitOf(memory int64) string { return fmt.Sprintf("SET memory_limit='%dMB'", memory>>20) }

// enter gives what is committed from now on the reserve, until leave is called.
func (r *reserve) enter() (leave func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.less > 0 {
		if err := r.session.exec(limitOf(r.less + int64(r.users+1)*r.each)); err != nil {
			return nil, fmt.Errorf("reserve: %w", err)
		}
	}
	r.users++
	return r.leave, nil
}

func (r *reserve) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.users--
	if r.less > 0 && r.session.exec(limitOf(r.less+int64(r.users)*r.each)) != nil {
		r.stop() // queries hold more than they get: the limit stays until the next who leaves
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
