package ledger

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Facts are what else is known, by which gaps are explained.
type Facts struct {
	Aside    map[[2]string]int64 // messages set aside whole, by drill and device
	Gateways []telemetry.GatewayStatus
	Lost     []Cut    // by when it was noticed
	Damaged  []string // what cannot be read of the store, and its cure
}

// A Cut are records that the log no longer had when they were to be stored.
type Cut struct {
	storage.Lost
	Seen int64 // Unix ns
}

// Open reports whether a gap waits to be explained.
func Open(l *storage.Ledger) bool {
	return slices.ContainsFunc(l.Rows, func(r storage.LedgerRow) bool {
		return slices.ContainsFunc(r.Gaps, func(g storage.Gap) bool { return !g.Pending })
	})
}

// Explain adds to the gaps what is known of their cause.
func Explain(l *storage.Ledger, f Facts) {
	for i := range l.Rows {
		r := &l.Rows[i]
		for k := range r.Gaps {
			if g := &r.Gaps[k]; !g.Pending {
				if more := f.of(r, g); len(more) > 0 {
					g.Why += "; " + strings.Join(more, "; ")
				}
			}
		}
	}
}

func (f *Facts) of(r *storage.LedgerRow, g *storage.Gap) (more []string) {
	switch g.Stage {
	case storage.StageAccepted:
		for _, st := range f.Gateways {
			for _, d := range st.Sessions {
				if d.Device == r.Device && d.Drill == r.Drill && d.QoS0 > 0 {
					more = append(more, fmt.Sprintf("the device publishes at QoS 0 to %s, where a message lost on the way is not sent again: publish at QoS 1", st.Gateway))
				}
			}
		}
		if n := f.Aside[[2]string{r.Drill, r.Device}]; n > 0 {
			more = append(more, fmt.Sprintf("%d messages of this device were set aside whole and may hold it: mend them or the mapping and send them again (quarantine)", n))
		}
		return append(more, damaged(f.Gateways)...)
	case storage.StageStored:
		if strings.HasPrefix(g.Why, WhyRowGone) {
			return nil
		}
		more = f.lost("frames", "backfill")
		if strings.HasPrefix(g.Why, WhyScoredOnly) {
			return more
		}
		more = append(damaged(f.Gateways), more...)
		for _, st := range f.Gateways {
			if st.Spool.Frames > 0 {
				more = append(more, fmt.Sprintf("%d frames wait in the spool of %s for the log", st.Spool.Frames, st.Gateway))
			}
		}
	case storage.StageScored:
		return f.lost("scores")
	case storage.StageReadable:
		return f.Damaged[:min(3, len(f.Damaged))]
	}
	return more
}

// lost says which records of some topics the log no longer had.
func (f *Facts) lost(topics ...string) (out []string) {
	for _, c := range slices.Backward(f.Lost) {
		if len(out) < 3 && slices.ContainsFunc(topics, func(t string) bool { return strings.HasSuffix(c.Topic, t) }) {
			out = append(out, fmt.Sprintf("the log no longer had %d records of partition %d of %s (offsets %d to %d) when they were to be stored, at %s: it was cut or lost them",
				c.To-c.From+1, c.Partition, c.Topic, c.From, c.To, time.Unix(0, c.Seen).UTC().Format(time.RFC3339)))
		}
	}
	return out
}

// damaged says what spools have lost.
func damaged(gateways []telemetry.GatewayStatus) []string {
	var out []string
	for _, st := range gateways {
		bytes := int64(0)
		for _, d := range st.Damage {
			bytes += d.Bytes
		}
		if len(st.Damage) > 0 {
			d := st.Damage[len(st.Damage)-1]
			out = append(out, fmt.Sprintf("the spool of %s was damaged and lost %d bytes, last in %s at %s: what lay there is gone", st.Gateway, bytes, d.Segment, time.Unix(0, d.At).UTC().Format(time.RFC3339)))
		}
	}
	return out
}
