package duckdb

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// DuckDB has two kinds of checkpoint. One lets no transaction begin until it is
// over; the other, taken where somebody reads from before the last commit, goes
// on beside transactions that only append, but does not give back what was
// deleted. Commits are such transactions, so where there is much to write the
// second kind is brought about by a witness, a read transaction of our own. What
// is deleted is little (prune), so now and then a checkpoint of the first kind
// follows at once, when there is little left to write. The second kind also
// leaves some blocks of the file neither used nor free, about a MB each time: so
// it is only for what would be a stall.
//
// An append still waits while its own table is written. So the partition that
// takes most rows is closed beforehand, and rows go on into the spare one.

const (
	besidesInARow = 20      // checkpoints beside the commits, before one gives back what was deleted
	turnRows      = 500_000 // rows of a partition that is closed before a checkpoint; fewer are written in a moment
)

func (s *Store) walPath() string { return filepath.Join(s.cfg.Dir, "mudpulse.duckdb.wal") }

// Checkpoint moves the WAL into the file and drops what is superseded. It waits
// for no seal: what does not fit between two is left to the next. Since DuckDB
// 1.5 transactions that only append to tables without indexes, as commits are,
// go on meanwhile and write to a second WAL (duckdb/duckdb#20052); any other must
// not be open, nor wait to be cleaned up behind a reader that began before it.
func (s *Store) Checkpoint(ctx context.Context) error {
	aside := size(s.walPath()) >= s.cfg.Aside
	if aside {
		if err := s.turnOver(); err != nil {
			return err
		}
	}
	s.checkpoint.Lock()
	defer s.checkpoint.Unlock()
	s.wmu.Lock()
	closed, commit := s.closed, s.commit
	s.wmu.Unlock()
	if closed {
		return errClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.hasRoom(); err != nil {
		return err
	}
	s.cfg.CrashPoint(CrashCheckpoint)
	if aside {
		if err := soon(ctx, func() error { return s.reserve.commit(func() error { return s.checkpointBeside(commit) }) }); err != nil {
			return fmt.Errorf("checkpoint beside commits: %w", err)
		}
		s.besides++
	}
	if !aside || s.besides >= besidesInARow {
		if err := soon(ctx, func() error { return s.reserve.commit(func() error { return s.pointer.exec("CHECKPOINT") }) }); err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
		s.besides = 0
	}
	s.cfg.CrashPoint(CrashCheckpointed)
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if err := s.prune(); err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	return nil
}

// hasRoom refuses a checkpoint that the disk has no room for: after one that fails
// half-way DuckDB must be opened again, and the WAL keeps everything until there is room.
func (s *Store) hasRoom() error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(s.cfg.Dir, &fs); err != nil {
		return nil // the checkpoint says it
	}
	return roomFor(s.cfg.Dir, int64(fs.Bavail)*int64(fs.Bsize), size(s.walPath()))
}

func roomFor(dir string, free, wal int64) error {
	if need := wal / 2; free < need {
		return fmt.Errorf("%d MB are free on the disk of %s, and a checkpoint may take %d: free some; commits go on while there is room: %w", free>>20, dir, need>>20, syscall.ENOSPC)
	}
	return nil
}

// turnOver closes the partition with the most rows, if they are many and another waits to be begun.
func (s *Store) turnOver() error {
	if err := s.makeSpare(); err != nil {
		return err
	}
	s.wmu.Lock()
	defer s.wmu.Unlock()
	var most *part
	for _, p := range s.open {
		if most == nil || p.rows > most.rows {
			most = p
		}
	}
	if most != nil && s.spare != nil && most.rows >= min(turnRows, s.cfg.PartRows/2) {
		most.close()
		delete(s.open, most.hour)
		s.lastPart = nil
	}
	return nil
}

// checkpointBeside checkpoints while commits go on. Call with checkpoint.
func (s *Store) checkpointBeside(commit int64) (err error) {
	for _, q := range []string{"BEGIN TRANSACTION READ ONLY", "SELECT key FROM store.meta LIMIT 1"} {
		if err := s.witness.exec(q); err != nil {
			return errors.Join(err, s.witness.exec("ROLLBACK"))
		}
	}
	defer func() { err = errors.Join(err, s.witness.exec("ROLLBACK")) }()
	// A commit after the witness began, whether or not the writer makes one.
	if err := s.pointer.exec(fmt.Sprintf("INSERT INTO store.checkpoints VALUES (%d)", commit)); err != nil {
		return err
	}
	return s.pointer.exec("CHECKPOINT")
}

// soon tries a checkpoint as soon as nothing but appends is open, or says after a
// few seconds that it cannot. Each try has a witness of its own: what a commit
// made behind one that is there, tables of a partition, waits for that one's end.
func soon(ctx context.Context, checkpoint func() error) error {
	for try := 0; ; try++ {
		err := checkpoint()
		if err == nil || try == 30 || !strings.Contains(err.Error(), "other write transactions active") {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}
