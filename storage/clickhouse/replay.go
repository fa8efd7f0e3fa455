package clickhouse

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// replayBlock is how many frames are in memory at once, unless one commit has more.
const replayBlock = 4000

// Replay calls f for the frames of a drill whose ts lies in [From, To), in the order in
// which they were committed, as far as they were when it began. Runs are as they came,
// to the nanosecond; the frame's own time is in whole microseconds. The frame is f's to keep.
func (s *Store) Replay(ctx context.Context, q storage.ReplayQuery, f func(*telemetry.Frame) error) (storage.Replayed, error) {
	var done storage.Replayed
	if q.From >= q.To {
		return done, nil
	}
	where := fmt.Sprintf("drill = %s AND %s", lit(q.Drill), s.visible())
	in := fmt.Sprintf("%s AND ts >= %s AND ts < %s", where, at(us(q.From)), at(us(q.To)))
	var blocks [][2]uint64 // tx, inclusive
	frames := uint64(0)
	err := s.each(ctx, "SELECT tx, count() FROM "+s.table("frames")+" WHERE "+in+" GROUP BY tx ORDER BY tx", func(r row) error {
		var tx, n uint64
		if err := r.Scan(&tx, &n); err != nil {
			return err
		}
		if len(blocks) == 0 || frames+n > replayBlock {
			blocks, frames = append(blocks, [2]uint64{tx, tx}), 0
		}
		blocks[len(blocks)-1][1] = tx
		frames += n
		return nil
	})
	for _, b := range blocks {
		if err == nil {
			err = s.replay(ctx, in, where, b, f, &done)
		}
	}
	if err != nil {
		return done, fmt.Errorf("replay %s: %w", q.Drill, err)
	}
	return done, ctx.Err()
}

// A replayed frame knows which of its runs are missing.
type replayed struct {
	telemetry.Frame
	runs  uint16
	order []uint16
}

type frameKey struct {
	tx    uint64
	frame uint32
}

func (s *Store) replay(ctx context.Context, in, where string, block [2]uint64, f func(*telemetry.Frame) error, done *storage.Replayed) error {
	var list []*replayed
	of := map[frameKey]*replayed{}
	lo, hi := int64(math.MaxInt64), int64(math.MinInt64)
	between := fmt.Sprintf(" AND tx BETWEEN %d AND %d", block[0], block[1])
	err := s.each(ctx, "SELECT tx, frame, drill, device, boot, seq, part, toUnixTimestamp64Micro(ts), toUnixTimestamp64Micro(ts_end), toUnixTimestamp64Micro(received), origin, simulated, flags, hash, gateway, topic, runs FROM "+
		s.table("frames")+" WHERE "+in+between+" ORDER BY tx, frame", func(r row) error {
		x := &replayed{}
		var k frameKey
		var end int64
		var origin uint8
		var flags uint32
		if err := r.Scan(&k.tx, &k.frame, &x.Drill, &x.Device, &x.Boot, &x.Seq, &x.Part, &x.TS, &end, &x.Received, &origin, &x.Simulated, &flags, &x.Hash, &x.Gateway, &x.Topic, &x.runs); err != nil {
			return err
		}
		lo, hi = min(lo, x.TS), max(hi, end)
		x.TS, x.Received, x.Origin, x.Flags = x.TS*1000, x.Received*1000, telemetry.Origin(origin), telemetry.Flag(flags)
		list = append(list, x)
		of[k] = x
		return nil
	})
	if err != nil || len(list) == 0 {
		return err
	}
	// A run may begin before its frame's time, but hardly by an hour.
	around := fmt.Sprintf(" AND ts >= fromUnixTimestamp64Micro(%d, 'UTC') AND ts <= fromUnixTimestamp64Micro(%d, 'UTC')", lo-3600e6, hi+1)
	for _, table := range []string{"readings", "waveforms"} {
		err := s.each(ctx, "SELECT tx, frame, run, channel, toUnixTimestamp64Nano(ts), every, values, quality FROM "+s.table(table)+" WHERE "+where+between+around+" ORDER BY tx, frame, run", func(r row) error {
			var k frameKey
			var n uint16
			var run telemetry.Run
			var start int64
			var quality string
			if err := r.Scan(&k.tx, &k.frame, &n, &run.Channel, &start, &run.Every, &run.Values, &quality); err != nil {
				return err
			}
			x := of[k]
			if x == nil {
				return nil
			}
			run.Offset = start - x.TS
			if quality != "" {
				run.Quality = []telemetry.Quality(quality)
			}
			at, _ := slices.BinarySearch(x.order, n)
			x.order, x.Runs = slices.Insert(x.order, at, n), slices.Insert(x.Runs, at, run)
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, x := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		done.Frames++
		if len(x.Runs) < int(x.runs) {
			done.Short++
		}
		if err := f(&x.Frame); err != nil {
			return err
		}
	}
	return nil
}

// patience is how long a late frame is waited for to be scored: what the scorer
// says of it must not come after what is said when it is scored again in its place.
const patience = time.Hour

// LateFrames returns, by drill, the span of frames that commits after the one
// given brought later than by, and at most within, after their time; and the last
// commit that was looked at: none whose late frames are still to be scored.
func (s *Store) LateFrames(ctx context.Context, after int64, by, within time.Duration) ([]storage.Late, int64, error) {
	s.seen.RLock()
	h, last := s.seen.horizon, s.seen.commit
	s.seen.RUnlock()
	out, last, err := s.late(ctx, h, after, last, by, within)
	if err != nil {
		return nil, after, fmt.Errorf("late frames: %w", err)
	}
	return out, last, nil
}

func (s *Store) late(ctx context.Context, h horizon, after, last int64, by, within time.Duration) ([]storage.Late, int64, error) {
	from, err := s.txOf(ctx, h, after)
	if err != nil {
		return nil, last, err
	}
	late := func(h horizon) string {
		return fmt.Sprintf("%s AND ts_end < arrived - toIntervalMillisecond(%d) AND ts >= arrived - toIntervalMillisecond(%d)", h.rows(from), by.Milliseconds(), within.Milliseconds())
	}
	out, err := s.lateSpans(ctx, late(h))
	if err != nil || len(out) == 0 {
		return nil, last, err
	}
	lo, hi := out[0].From, out[0].To
	var drills []string
	for _, x := range out {
		lo, hi, drills = min(lo, x.From), max(hi, x.To), append(drills, x.Drill)
	}
	waiting := fmt.Sprintf("%s AND arrived >= %s", late(h), at(us(s.clock.Now().Add(-patience).UnixNano())))
	causes := fmt.Sprintf("SELECT drill, device, boot, seq, part FROM (SELECT drill, cause_device AS devices, cause_boot AS boots, cause_seq AS seqs, cause_part AS parts FROM %s WHERE drill IN %s AND tick BETWEEN %s AND %s AND %s) ARRAY JOIN devices AS device, boots AS boot, seqs AS seq, parts AS part",
		s.table("scores"), lits(drills), at(us(lo)-1e6), at(us(hi)+1e6), h.rows(0))
	var first, n uint64
	err = s.one(ctx, "SELECT min(tx), count() FROM "+s.table("frames")+" WHERE "+waiting+" AND (drill, device, boot, seq, part) NOT IN ("+causes+")", &first, &n)
	if err != nil || n == 0 {
		return out, last, err
	}
	h.last = first - 1
	if err := s.one(ctx, fmt.Sprintf("SELECT max(commit) FROM %s WHERE %s", s.table("commits"), h.rows(0)), &last); err != nil || last <= after {
		return nil, after, err
	}
	out, err = s.lateSpans(ctx, late(h))
	return out, last, err
}

// lateSpans returns the spans of frames for which where holds, by drill.
func (s *Store) lateSpans(ctx context.Context, where string) ([]storage.Late, error) {
	var out []storage.Late
	err := s.each(ctx, "SELECT drill, toUnixTimestamp64Micro(min(ts)), toUnixTimestamp64Micro(max(ts_end)) FROM "+s.table("frames")+" WHERE "+where+" GROUP BY drill ORDER BY drill", func(r row) error {
		var x storage.Late
		err := r.Scan(&x.Drill, &x.From, &x.To)
		x.From, x.To = x.From*1000, x.To*1000
		out = append(out, x)
		return err
	})
	slices.SortFunc(out, func(a, b storage.Late) int { return strings.Compare(a.Drill, b.Drill) })
	return out, err
}
