package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/internal/ledger"
)

// explain adds to the gaps what is known of their cause.
func (s *Store) explain(ctx context.Context, l *storage.Ledger) (err error) {
	if !ledger.Open(l) {
		return nil
	}
	var f ledger.Facts
	if f.Aside, err = s.asideOf(ctx); err != nil {
		return err
	}
	if f.Gateways, err = s.Gateways(ctx); err != nil {
		return err
	}
	if f.Lost, err = s.lost(ctx); err != nil {
		return err
	}
	for _, d := range s.sealedFiles() {
		if d.damage != "" {
			f.Damaged = append(f.Damaged, fmt.Sprintf("the sealed file %s of %s is damaged (%s): restore it from a backup", d.path, hourName(d.hour), d.damage))
		}
	}
	ledger.Explain(l, f)
	return nil
}

// lost returns what the log no longer had when it was to be stored.
func (s *Store) lost(ctx context.Context) ([]ledger.Cut, error) {
	var all []ledger.Cut
	err := s.each(ctx, "SELECT topic, place, lo, hi, epoch_us(arrived) FROM store.lost ORDER BY commit, lo", func(r *sql.Rows) error {
		var c ledger.Cut
		if err := r.Scan(&c.Topic, &c.Partition, &c.From, &c.To, &c.Seen); err != nil {
			return err
		}
		c.Seen *= 1000
		all = append(all, c)
		return nil
	})
	return all, err
}

// asideOf counts the messages that were set aside whole, by drill and device.
func (s *Store) asideOf(ctx context.Context) (map[[2]string]int64, error) {
	out := map[[2]string]int64{}
	err := s.each(ctx, "SELECT coalesce(drill, ''), coalesce(device, ''), count(*) FROM store.quarantine WHERE NOT starts_with(coalesce(field, ''), 'channels.') GROUP BY ALL", func(r *sql.Rows) error {
		var k [2]string
		var n int64
		if err := r.Scan(&k[0], &k[1], &n); err != nil {
			return err
		}
		out[k] = n
		return nil
	})
	return out, err
}

// unreadable returns the numbers of hours whose files of readings or frames are damaged.
func (s *Store) unreadable(ctx context.Context) (map[int32]ledger.Spans, error) {
	var hours []int32
	for _, f := range s.sealedFiles() {
		rollup := strings.HasPrefix(f.dataset, "rollup_")
		if f.damage != "" && f.dataset != dsScores && !rollup && !slices.Contains(hours, f.hour) {
			hours = append(hours, f.hour)
		}
	}
	if len(hours) == 0 {
		return nil, nil
	}
	out := map[int32]ledger.Spans{}
	err := s.sealedHas(ctx, "stage = 'readable' AND "+notHot+" AND hour IN ("+joinInts(hours)+")", func(src int32, _ string, r ledger.Span) { out[src] = append(out[src], r) })
	return out, err
}
