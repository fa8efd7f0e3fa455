package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mudpulse/mudpulse/storage"
)

// What a gap means is said by what else is known: how the device publishes,
// what of it was set aside, what a spool lost, which file is damaged.
const (
	WhyNotAccepted = "no gateway has it: it was never sent, or was lost before a gateway acknowledged it"
	WhyNotStored   = "accepted by a gateway, but the store has no row of it"
	WhyRowGone     = "its readings are in the tables, its row of frames is not: the store lost it"
	WhyScoredOnly  = "accepted and scored, so it was in the log, but the store has no row of it"
	WhyNotScored   = "stored, but no score names it as its cause"
	WhyNotReadable = "stored, but not all of its readings are in the tables"
)

// maxGaps bounds the gaps listed for one boot and stage; the last one sums up the rest.
const maxGaps = 200

// NumberedRow is the row of a numbered source; of what the stage readable has,
// lacking is not readable after all.
func NumberedRow(accepted, stored, scored, readable, lacking Spans) storage.LedgerRow {
	read := readable
	if len(lacking) > 0 {
		read = Minus(readable, lacking)
	}
	if len(accepted) > 0 {
		// What is stored from before all that gateways tell, one accepted that has
		// forgotten it: its disk was replaced, or the platform was restored.
		accepted = Union(accepted, Minus(stored, Spans{{accepted[0].Lo, ^uint64(0)}}))
	}
	all := Merge(slices.Concat(accepted, stored, scored, readable))
	if len(all) == 0 {
		return storage.LedgerRow{}
	}
	first, last := all[0].Lo, all[len(all)-1].Hi
	sent := Spans{{first, last}}
	row := storage.LedgerRow{First: first, Last: last, Sent: sent.Count(), Accepted: accepted.Count(), Stored: stored.Count(), Scored: scored.Count(), Readable: read.Count()}
	gap := func(stage string, before, has, came Spans, why string) {
		missing := Minus(before, has)
		newest, any := uint64(0), len(came) > 0
		if any {
			newest = came[len(came)-1].Hi
		}
		for i, m := range missing {
			g := storage.Gap{Stage: stage, From: m.Lo, To: m.Hi, Count: Spans{m}.Count(), Why: why, Pending: !any || m.Lo > newest}
			if g.Pending {
				g.Why = "newer than all it has: not there yet"
			}
			if i == maxGaps-1 && len(missing) > maxGaps {
				rest := missing[i:]
				g.To, g.Count = rest[len(rest)-1].Hi, rest.Count()
				g.Why = fmt.Sprintf("%s (%d gaps more, summed up)", why, len(rest))
				row.Gaps = append(row.Gaps, g)
				break
			}
			row.Gaps = append(row.Gaps, g)
		}
	}
	gap(storage.StageAccepted, sent, accepted, accepted, WhyNotAccepted)
	before := accepted
	if len(accepted) == 0 {
		before = sent
	}
	missing := Minus(before, stored)
	gone := Both(missing, readable) // of these there are readings, or were when their hour was sealed
	missing = Minus(missing, gone)
	through := Both(missing, scored)
	from := len(row.Gaps)
	gap(storage.StageStored, gone, nil, stored, WhyRowGone)
	gap(storage.StageStored, through, nil, stored, WhyScoredOnly)
	gap(storage.StageStored, Minus(missing, through), nil, stored, WhyNotStored)
	slices.SortFunc(row.Gaps[from:], func(a, b storage.Gap) int { return cmp.Compare(a.From, b.From) })
	gap(storage.StageScored, stored, scored, scored, WhyNotScored)
	gap(storage.StageReadable, stored, read, readable, WhyNotReadable)
	return row
}

// CountedRow is the row of a source whose numbers are hashes or sparse.
func CountedRow(boot string, accepted, stored, scored, read uint64) storage.LedgerRow {
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
