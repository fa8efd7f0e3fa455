package duckdb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/storage/internal/allocator"
)

// Run rolls up, seals, merges, drops what is old and checkpoints until ctx is
// done. A checkpoint comes every cfg.Checkpoint, and sooner when the WAL grows,
// since what is not checkpointed is held in memory. Commits wait for a change of
// the manifest and for a spare partition to be made, milliseconds, of a checkpoint
// while the table that they append to is written, and not for a rollup or a seal;
// reads wait for nothing.
func (s *Store) Run(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.every(ctx, s.cfg.Rollup, func() {
			if err := s.Maintain(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("maintenance of the store; it is tried again", "err", err)
			}
		})
	}()
	defer func() { <-done }()
	last := time.Now()
	s.every(ctx, time.Second, func() {
		if err := s.makeSpare(); err != nil && ctx.Err() == nil {
			s.log.Warn("a partition to spare; it is tried again", "err", err) // without one a commit makes its own
		}
		if time.Since(last) < s.cfg.Checkpoint && size(s.walPath()) < s.cfg.Memory/4 {
			return
		}
		if err := s.Checkpoint(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("checkpoint", "err", err) // the WAL keeps everything; the next one tries again
		}
		last = time.Now()
	})
	return nil
}

func (s *Store) every(ctx context.Context, d time.Duration, f func()) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f()
		}
	}
}

// Maintain does once what Run does again and again, but for the checkpoint.
func (s *Store) Maintain(ctx context.Context) error {
	if err := s.makeSpare(); err != nil {
		return err
	}
	if err := s.Rollup(ctx); err != nil {
		return err
	}
	s.closeParts(false)
	s.wmu.Lock()
	s.freshViews()
	s.wmu.Unlock()
	s.mmu.Lock()
	defer s.mmu.Unlock()
	errs := []error{s.sealClosed(ctx)}
	if ctx.Err() == nil {
		errs = append(errs, s.compact(ctx), s.retire(ctx))
	}
	s.sweep(time.Now())
	allocator.Trim()
	return errors.Join(errs...)
}

// prune deletes superseded rows: of positions, snapshots, statuses and ledgers only the last count.
func (s *Store) prune() error {
	for _, q := range []string{
		fmt.Sprintf("DELETE FROM store.commits WHERE commit < %d", s.commit),
		fmt.Sprintf("DELETE FROM store.checkpoints WHERE commit <= %d", s.commit),
		fmt.Sprintf("DELETE FROM store.dedup WHERE commit < %d", s.dedupAt),
		"DELETE FROM store.gateways WHERE commit < (SELECT max(g.commit) FROM store.gateways g WHERE g.gateway = gateways.gateway)",
		"DELETE FROM store.accepted WHERE src IN (SELECT src FROM store.sources WHERE boot <> '~') AND commit < (SELECT max(a.commit) FROM store.accepted a WHERE a.gateway = accepted.gateway AND a.src = accepted.src)",
	} {
		if err := s.exec(q); err != nil {
			return err
		}
	}
	if err := s.retireWaveforms(s.clock.Now().UnixNano()); err != nil {
		return err
	}
	return s.toldAgain()
}

// retire takes sealed hours that are older than cfg keeps them out of the
// manifest; their files are unlinked when no query can be reading them. The
// ledger stays whole: the numbers that were stored are kept as ranges. Call with mmu.
func (s *Store) retire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := s.clock.Now().UnixNano()
	cutoff := func(keep time.Duration) (int32, bool) { return hourOf(now - int64(keep)), keep > 0 }
	var old []*file
	for _, f := range s.sealedFiles() {
		keep := s.cfg.KeepReadings
		switch {
		case strings.HasPrefix(f.dataset, "rollup_"):
			keep = s.cfg.KeepRollups
		case f.dataset == dsFrames, f.dataset == dsScores:
			keep = s.cfg.KeepRecords
		}
		if at, any := cutoff(keep); any && f.hour < at {
			old = append(old, f)
		}
	}
	if len(old) == 0 {
		return nil
	}
	// A week of health is shown; what sources sent in dropped hours is one sum.
	statements := []string{fmt.Sprintf("DELETE FROM store.sealed_health WHERE hour < %d", hourOf(now)-16*24)}
	if at, any := cutoff(s.cfg.KeepRecords); any {
		where := fmt.Sprintf(" WHERE hour < %d AND part NOT IN (SELECT part FROM store.parts)", at)
		statements = append(statements,
			"CREATE OR REPLACE TEMP TABLE gone AS SELECT -1::BIGINT AS part, (-2147483648)::INTEGER AS hour, src, min(first_ts), max(last_ts), max(arrived), sum(frames)::BIGINT, sum(readings)::BIGINT, arg_max(simulated, last_ts) FROM store.sealed_sources"+where+" GROUP BY src",
			"DELETE FROM store.sealed_sources"+where, "INSERT INTO store.sealed_sources SELECT * FROM gone",
			fmt.Sprintf("DELETE FROM store.amended WHERE tick < make_timestamp(%d)", hourStart(at)/1000))
	}
	if err := s.swap(nil, old, nil, statements, CrashPruned); err != nil {
		return err
	}
	s.cfg.CrashPoint(CrashRetired)
	return nil
}
