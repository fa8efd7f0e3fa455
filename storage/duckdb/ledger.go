package duckdb

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/internal/ledger"
)

// Ledger follows each boot of each device through the stages, from what each
// stage keeps: numbered sources from the book, counted ones from all their rows.
func (s *Store) Ledger(ctx context.Context, q storage.LedgerQuery) (storage.Ledger, error) {
	out, err := s.ledger(ctx, q)
	if err != nil {
		return out, fmt.Errorf("ledger: %w", err)
	}
	return out, nil
}

func (s *Store) ledger(ctx context.Context, q storage.LedgerQuery) (out storage.Ledger, err error) {
	refresh := func(ctx context.Context) error { return s.freshBook(ctx, false) }
	if q.Audit {
		refresh = s.audit
	}
	if err := refresh(ctx); err != nil {
		return out, err
	}
	s.names.RLock()
	names := slices.Clone(s.bySource)
	s.names.RUnlock()
	var numbered, byCount []int32
	for i, k := range names {
		switch {
		case q.Drill != "" && k.drill != q.Drill || q.Device != "" && k.device != q.Device:
		case ledger.Counted(k.boot):
			byCount = append(byCount, int32(i))
		default:
			numbered = append(numbered, int32(i))
		}
	}
	dropped, err := s.retiredNow(ctx)
	if err != nil {
		return out, err
	}
	unreadable, err := s.unreadable(ctx)
	if err != nil {
		return out, err
	}
	add := func(src int32, row storage.LedgerRow) {
		if row.Sent == 0 {
			return
		}
		k := names[src]
		row.Drill, row.Device, row.Boot, row.Retired = k.drill, k.device, k.boot, dropped[src]
		out.Rows = append(out.Rows, row)
		out.Sent = ledger.Sum(out.Sent, row.Sent)
		out.Accepted = ledger.Sum(out.Accepted, row.Accepted)
		out.Stored = ledger.Sum(out.Stored, row.Stored)
		out.Scored = ledger.Sum(out.Scored, row.Scored)
		out.Readable = ledger.Sum(out.Readable, row.Readable)
		out.Gaps += len(row.Gaps)
	}
	s.book.mu.Lock()
	hot := s.book.partitions()
	for _, src := range numbered {
		add(src, s.book.row(src, hot, unreadable[src]))
	}
	s.book.mu.Unlock()
	if len(byCount) > 0 {
		tallies, err := s.countRows(ctx, byCount)
		if err != nil {
			return out, err
		}
		for _, src := range byCount {
			t := tallies[src]
			add(src, ledger.CountedRow(names[src].boot, t.accepted, t.stored, t.scored, t.readable))
		}
	}
	slices.SortFunc(out.Rows, func(a, b storage.LedgerRow) int {
		return cmp.Or(strings.Compare(a.Drill, b.Drill), strings.Compare(a.Device, b.Device), strings.Compare(a.Boot, b.Boot))
	})
	var c conditions
	if q.Drill != "" {
		c.add("drill = ?", q.Drill)
	}
	if q.Device != "" {
		c.add("device = ?", q.Device)
	}
	err = s.db.QueryRowContext(ctx, "SELECT count(*), (SELECT count(*) = 0 FROM store.gateways) FROM store.quarantine"+c.String(), c.args...).Scan(&out.Quarantined, &out.WithoutLedger)
	if err != nil {
		return out, err
	}
	return out, s.explain(ctx, &out)
}
