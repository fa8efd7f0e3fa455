package duckdb

import (
	"context"
	"fmt"
	"time"
)

// Run checkpoints and prunes until ctx is done. Commits wait meanwhile, reads do not.
func (s *Store) Run(ctx context.Context) error {
	tick := time.NewTicker(s.cfg.Checkpoint)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := s.Checkpoint(ctx); err != nil {
				s.log.Warn("checkpoint", "err", err) // the WAL keeps everything; the next one tries again
			}
		}
	}
}

// Checkpoint drops what is superseded or older than cfg.Keep and moves the WAL into the file.
func (s *Store) Checkpoint(ctx context.Context) error {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if s.closed {
		return errClosed
	}
	if err := s.prune(); err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	if err := s.exec("CHECKPOINT"); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
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
	if s.cfg.Keep == 0 {
		return nil
	}
	before := us(s.clock.Now().Add(-s.cfg.Keep).UnixNano())
	for _, t := range append(s.tab.class[1:], s.tab.narrow) {
		if err := s.exec(fmt.Sprintf("DELETE FROM store.%s WHERE ts < make_timestamp(%d)", t.name, before)); err != nil {
			return err
		}
	}
	return s.exec(fmt.Sprintf("DELETE FROM store.scores WHERE tick < make_timestamp(%d)", before))
}
