package duckdb

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// Run checkpoints and drops what is old until ctx is done: every cfg.Checkpoint,
// and sooner when the WAL grows, since what is not checkpointed is held in memory.
// Commits wait meanwhile, reads do not.
func (s *Store) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last := time.Now()
	wal := filepath.Join(s.cfg.Dir, "mudpulse.duckdb.wal")
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if time.Since(last) < s.cfg.Checkpoint && size(wal) < s.cfg.Memory/3 {
			continue
		}
		if err := s.Checkpoint(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("checkpoint", "err", err) // the WAL keeps everything; the next one tries again
		}
		last = time.Now()
	}
}

// Checkpoint drops what is superseded or too old and moves the WAL into the file.
func (s *Store) Checkpoint(ctx context.Context) error {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if s.closed {
		return errClosed
	}
	if err := s.prune(); err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	if err := s.retire(); err != nil {
		return fmt.Errorf("drop what is old: %w", err)
	}
	s.cfg.CrashPoint(CrashCheckpoint)
	if err := s.exec("CHECKPOINT"); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	s.cfg.CrashPoint(CrashCheckpointed)
	return nil
}

// prune deletes superseded rows: of positions, snapshots, statuses and ledgers only the last count.
func (s *Store) prune() error {
	for _, q := range []string{
		fmt.Sprintf("DELETE FROM store.commits WHERE commit < %d", s.commit),
		fmt.Sprintf("DELETE FROM store.dedup WHERE commit < %d", s.dedupAt),
		"DELETE FROM store.gateways WHERE commit < (SELECT max(g.commit) FROM store.gateways g WHERE g.gateway = gateways.gateway)",
		"DELETE FROM store.accepted WHERE src IN (SELECT src FROM store.sources WHERE boot <> '~') AND commit < (SELECT max(a.commit) FROM store.accepted a WHERE a.gateway = accepted.gateway AND a.src = accepted.src)",
	} {
		if err := s.exec(q); err != nil {
			return err
		}
	}
	return nil
}

// Old rows are dropped by whole steps of time, so that little is dropped often.
const retireStep = time.Hour

// slack is how far before its frame's ts a reading may lie (negative offsets).
const slack = 5 * time.Minute

// retire drops readings, and frames with their scores, that are older than
// cfg keeps them. The ledger stays whole: ranges of the numbers are kept, in the same transaction.
func (s *Store) retire() error {
	now := s.clock.Now()
	cutoff := func(keep time.Duration) int64 { return us(now.Add(-keep).Truncate(retireStep).UnixNano()) }
	var statements []string
	if keep := s.cfg.KeepReadings; keep > 0 && cutoff(keep) > s.readingsFrom.Load() {
		at := cutoff(keep)
		for _, t := range append(s.tab.class[1:], s.tab.narrow) {
			statements = append(statements, fmt.Sprintf("DELETE FROM store.%s WHERE ts < make_timestamp(%d)", t.name, at-slack.Microseconds()))
		}
		statements = append(statements, "DELETE FROM store.meta WHERE key = 'readings_from'", fmt.Sprintf("INSERT INTO store.meta VALUES ('readings_from', '%d')", at))
	}
	if keep := s.cfg.KeepRecords; keep > 0 {
		old := fmt.Sprintf("ts < make_timestamp(%d)", cutoff(keep))
		var n int64
		if err := s.db.QueryRow("SELECT (SELECT count(*) FROM store.frames WHERE " + old + ") + (SELECT count(*) FROM store.scores WHERE tick " + old[len("ts "):] + ")").Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			hashed := "(boot = '~' OR boot LIKE '%!')"
			statements = append(statements,
				"INSERT INTO store.retired SELECT src, min(seq), max(seq), count(*) FROM (SELECT src, seq, seq::HUGEINT - row_number() OVER (PARTITION BY src ORDER BY seq) AS island FROM (SELECT DISTINCT src, seq FROM store.frames WHERE "+old+
					" AND src IN (SELECT src FROM store.sources WHERE NOT "+hashed+"))) GROUP BY src, island",
				"INSERT INTO store.retired SELECT src, 0, 0, count(DISTINCT seq) FROM store.frames WHERE "+old+" AND src IN (SELECT src FROM store.sources WHERE "+hashed+") GROUP BY src",
				"DELETE FROM store.frames WHERE "+old,
				"DELETE FROM store.scores WHERE tick "+old[len("ts "):])
		}
	}
	if len(statements) == 0 {
		return nil
	}
	if err := s.exec("BEGIN TRANSACTION"); err != nil {
		return err
	}
	for _, q := range statements {
		if err := s.exec(q); err != nil {
			return errors.Join(err, s.exec("ROLLBACK"))
		}
	}
	s.cfg.CrashPoint(CrashPruned)
	if err := s.exec("COMMIT"); err != nil {
		return errors.Join(err, s.exec("ROLLBACK"))
	}
	if s.cfg.KeepReadings > 0 {
		s.readingsFrom.Store(max(s.readingsFrom.Load(), cutoff(s.cfg.KeepReadings)))
	}
	return nil
}
