package duckdb

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mudpulse/mudpulse/storage"
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
		case counted(k.boot):
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
		out.Sent = sum(out.Sent, row.Sent)
		out.Accepted = sum(out.Accepted, row.Accepted)
		out.Stored = sum(out.Stored, row.Stored)
		out.Scored = sum(out.Scored, row.Scored)
		out.Readable = sum(out.Readable, row.Readable)
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
			add(src, countedRow(names[src].boot, t.accepted, t.stored, t.scored, t.readable))
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

// maxGaps bounds the gaps listed for one boot and stage; the last one sums up the rest.
const maxGaps = 200

// numberedRow is the row of a numbered source; of what the stage readable has,
// lacking is not readable after all.
func numberedRow(accepted, stored, scored, readable, lacking spans) storage.LedgerRow {
	read := readable
	if len(lacking) > 0 {
		read = minus(readable, lacking)
	}
	if len(accepted) > 0 {
		// What is stored from before all that gateways tell, one accepted that has
		// forgotten it: its disk was replaced, or the platform was restored.
		accepted = union(accepted, minus(stored, spans{{accepted[0].lo, ^uint64(0)}}))
	}
	all := merge(slices.Concat(accepted, stored, scored, readable))
	if len(all) == 0 {
		return storage.LedgerRow{}
	}
	first, last := all[0].lo, all[len(all)-1].hi
	sent := spans{{first, last}}
	row := storage.LedgerRow{First: first, Last: last, Sent: sent.count(), Accepted: accepted.count(), Stored: stored.count(), Scored: scored.count(), Readable: read.count()}
	gap := func(stage string, before, has, came spans, why string) {
		missing := minus(before, has)
		newest, any := uint64(0), len(came) > 0
		if any {
			newest = came[len(came)-1].hi
		}
		for i, m := range missing {
			g := storage.Gap{Stage: stage, From: m.lo, To: m.hi, Count: spans{m}.count(), Why: why, Pending: !any || m.lo > newest}
			if g.Pending {
				g.Why = "newer than all it has: not there yet"
			}
			if i == maxGaps-1 && len(missing) > maxGaps {
				rest := missing[i:]
				g.To, g.Count = rest[len(rest)-1].hi, rest.count()
				g.Why = fmt.Sprintf("%s (%d gaps more, summed up)", why, len(rest))
				row.Gaps = append(row.Gaps, g)
				break
			}
			row.Gaps = append(row.Gaps, g)
		}
	}
	gap(storage.StageAccepted, sent, accepted, accepted, whyNotAccepted)
	before := accepted
	if len(accepted) == 0 {
		before = sent
	}
	missing := minus(before, stored)
	gone := both(missing, readable) // of these there are readings, or were when their hour was sealed
	missing = minus(missing, gone)
	through := both(missing, scored)
	from := len(row.Gaps)
	gap(storage.StageStored, gone, nil, stored, whyRowGone)
	gap(storage.StageStored, through, nil, stored, whyScoredOnly)
	gap(storage.StageStored, minus(missing, through), nil, stored, whyNotStored)
	slices.SortFunc(row.Gaps[from:], func(a, b storage.Gap) int { return cmp.Compare(a.From, b.From) })
	gap(storage.StageScored, stored, scored, scored, whyNotScored)
	gap(storage.StageReadable, stored, read, readable, whyNotReadable)
	return row
}

// countedRow is the row of a source whose numbers are hashes or sparse.
func countedRow(boot string, accepted, stored, scored, read uint64) storage.LedgerRow {
	row := storage.LedgerRow{Sent: max(accepted, stored, scored, read), Accepted: accepted, Stored: stored, Scored: scored, Readable: read}
	if strings.HasSuffix(boot, "!") { // conflicts: a gateway knows their number only under the first boot
		row.Accepted = stored
	}
	gap := func(stage string, before, has uint64) {
		if has < before {
			row.Gaps = append(row.Gaps, storage.Gap{Stage: stage, Count: before - has, Why: "counted, not numbered: the device sends no boot and seq, or numbers twice"})
		}
	}
	gap(storage.StageAccepted, row.Sent, row.Accepted)
	gap(storage.StageStored, row.Accepted, stored)
	gap(storage.StageScored, stored, scored)
	gap(storage.StageReadable, stored, read)
	return row
}
