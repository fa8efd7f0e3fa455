package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// What a gap means is said by what else is known: how the device publishes,
// what of it was set aside, what a spool lost, which file is damaged.
const (
	whyNotAccepted = "no gateway has it: it was never sent, or was lost before a gateway acknowledged it"
	whyNotStored   = "accepted by a gateway, but the store has no row of it"
	whyRowGone     = "its readings are in the tables, its row of frames is not: the store lost it"
	whyScoredOnly  = "accepted and scored, so it was in the log, but the store has no row of it"
	whyNotScored   = "stored, but no score names it as its cause"
	whyNotReadable = "stored, but not all of its readings are in the tables"
)

// explain adds to the gaps what is known of their cause.
func (s *Store) explain(ctx context.Context, l *storage.Ledger) error {
	open := func(g *storage.Gap) bool { return !g.Pending }
	if !slices.ContainsFunc(l.Rows, func(r storage.LedgerRow) bool {
		return slices.ContainsFunc(r.Gaps, func(g storage.Gap) bool { return open(&g) })
	}) {
		return nil
	}
	aside, err := s.asideOf(ctx)
	if err != nil {
		return err
	}
	gateways, err := s.Gateways(ctx)
	if err != nil {
		return err
	}
	lost, err := s.lostBy(ctx)
	if err != nil {
		return err
	}
	for i := range l.Rows {
		r := &l.Rows[i]
		for k := range r.Gaps {
			g := &r.Gaps[k]
			if !open(g) {
				continue
			}
			var more []string
			switch g.Stage {
			case storage.StageAccepted:
				for _, st := range gateways {
					for _, d := range st.Sessions {
						if d.Device == r.Device && d.Drill == r.Drill && d.QoS0 > 0 {
							more = append(more, fmt.Sprintf("the device publishes at QoS 0 to %s, where a message lost on the way is not sent again: publish at QoS 1", st.Gateway))
						}
					}
				}
				if n := aside[[2]string{r.Drill, r.Device}]; n > 0 {
					more = append(more, fmt.Sprintf("%d messages of this device were set aside whole and may hold it: mend them or the mapping and send them again (quarantine)", n))
				}
				more = append(more, damaged(gateways)...)
			case storage.StageStored:
				if strings.HasPrefix(g.Why, whyRowGone) {
					continue
				}
				more = lost("frames", "backfill")
				if strings.HasPrefix(g.Why, whyScoredOnly) {
					break
				}
				more = append(damaged(gateways), more...)
				for _, st := range gateways {
					if st.Spool.Frames > 0 {
						more = append(more, fmt.Sprintf("%d frames wait in the spool of %s for the log", st.Spool.Frames, st.Gateway))
					}
				}
			case storage.StageScored:
				more = lost("scores")
			case storage.StageReadable:
				for _, f := range s.sealedFiles() {
					if f.damage != "" && len(more) < 3 {
						more = append(more, fmt.Sprintf("the sealed file %s of %s is damaged (%s): restore it from a backup", f.path, hourName(f.hour), f.damage))
					}
				}
			}
			if len(more) > 0 {
				g.Why += "; " + strings.Join(more, "; ")
			}
		}
	}
	return nil
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

// lostBy returns what says which records of some topics the log no longer had.
func (s *Store) lostBy(ctx context.Context) (func(topics ...string) []string, error) {
	type cut struct {
		topic        string
		place        int32
		lo, hi, seen int64
	}
	var all []cut
	err := s.each(ctx, "SELECT topic, place, lo, hi, epoch_us(arrived) FROM store.lost ORDER BY commit, lo", func(r *sql.Rows) error {
		var c cut
		if err := r.Scan(&c.topic, &c.place, &c.lo, &c.hi, &c.seen); err != nil {
			return err
		}
		all = append(all, c)
		return nil
	})
	return func(topics ...string) (out []string) {
		for _, c := range slices.Backward(all) {
			if len(out) < 3 && slices.ContainsFunc(topics, func(t string) bool { return strings.HasSuffix(c.topic, t) }) {
				out = append(out, fmt.Sprintf("the log no longer had %d records of partition %d of %s (offsets %d to %d) when they were to be stored, at %s: it was cut or lost them",
					c.hi-c.lo+1, c.place, c.topic, c.lo, c.hi, time.UnixMicro(c.seen).UTC().Format(time.RFC3339)))
			}
		}
		return out
	}, err
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
func (s *Store) unreadable(ctx context.Context) (map[int32]spans, error) {
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
	out := map[int32]spans{}
	err := s.sealedHas(ctx, "stage = 'readable' AND "+notHot+" AND hour IN ("+joinInts(hours)+")", func(src int32, _ string, r span) { out[src] = append(out[src], r) })
	return out, err
}
