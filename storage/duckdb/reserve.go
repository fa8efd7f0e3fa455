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
// themselves, but whoever commits in that moment is struck as well. So they never
// get all of Config.Memory: a reserve comes on top while something is committed.
type reserve struct {
	mu      sync.Mutex
	users   int
	session session // sets the limit
	less    string  // the limit of those who cannot break anything
	all     string  // and while something is committed; "": until the store is open there is but one
}

const (
	reserveMost = 48 << 20 // the table with the most columns begins 28 MB
	reservePart = 4        // of memory: the reserve takes no more than its fourth part
)

// reserveOf is how much of so many bytes is only for commits and checkpoints.
func reserveOf(memory int64) int64 { return min(reserveMost, memory/reservePart) }

// begin sets the limit of queries, once nothing else is committed.
func (r *reserve) begin(memory int64) error {
	r.all, r.less = limitOf(memory), limitOf(memory-reserveOf(memory))
	return r.session.exec(r.less)
}

func limitOf(memory int64) string { return fmt.Sprintf("SET memory_limit='%dMB'", memory>>20) }

// enter gives what is committed from now on the reserve, until leave is called.
func (r *reserve) enter() (leave func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.users == 0 && r.all != "" {
		if err := r.session.exec(r.all); err != nil {
			return nil, fmt.Errorf("reserve: %w", err)
		}
	}
	r.users++
	return r.leave, nil
}

func (r *reserve) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.users--; r.users == 0 && r.all != "" {
		// Refused while queries hold more than they get: then the limit stays until the next who leaves.
		_ = r.session.exec(r.less)
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
