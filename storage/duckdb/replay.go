package duckdb

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/internal/ledger"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Frames of a drill are given again as they were committed. Their event time and
// their order differ only where frames came late or as history, so blocks of
// hours are merged by commit, and few of them are in memory at once.

// replayBlock is how many frames a block has at most, unless a single hour has more.
const replayBlock = 4000

// maxReplayed bounds the frames in memory, where history came in no order at all.
const maxReplayed = 400_000

// A block is adjacent hours of one drill's frames.
type block struct {
	lo, hi int64 // ts, µs, [lo, hi)
	first  int64 // least commit in it
	frames []stored
	next   int
}

// stored is a frame with what orders and completes it.
type stored struct {
	commit  int64
	place   uint32 // within the commit, among its drill's
	src     int32
	arrived int64 // µs
	end     int64 // µs
	rows    int32 // of readings that it was stored in
	f       telemetry.Frame
	times   [][]int64 // by run, µs
	waves   []telemetry.Run
}

// Replay calls f for the frames of a drill whose ts lies in [From, To), in the order in
// which they were committed, as far as they were when it began. Runs are as the store
// has them: a sample a time, in whole microseconds. The frame is f's to keep.
func (s *Store) Replay(ctx context.Context, q storage.ReplayQuery, f func(*telemetry.Frame) error) (storage.Replayed, error) {
	var done storage.Replayed
	srcs := s.sourcesOf(q.Drill)
	if len(srcs) == 0 || q.From >= q.To {
		return done, nil
	}
	s.wmu.Lock()
	last := s.commit
	s.wmu.Unlock()
	where := fmt.Sprintf("src IN (%s) AND commit <= %d", joinInts(srcs), last)
	blocks, err := s.blocks(ctx, where, us(q.From), us(q.To))
	if err != nil {
		return done, fmt.Errorf("replay %s: %w", q.Drill, err)
	}
	var open []*block
	for {
		// The earliest frame of those in memory, once every block that may have an earlier one is there.
		var at *block
		for _, b := range open {
			if at == nil || before(&b.frames[b.next], &at.frames[at.next]) {
				at = b
			}
		}
		if len(blocks) > 0 && (at == nil || blocks[0].first <= at.frames[at.next].commit) {
			b := blocks[0]
			blocks = blocks[1:]
			if err := s.loadBlock(ctx, b, where, &done); err != nil {
				return done, fmt.Errorf("replay %s: %w", q.Drill, err)
			}
			if len(b.frames) > 0 {
				open = append(open, b)
			}
			held := 0
			for _, b := range open {
				held += len(b.frames) - b.next
			}
			if held > maxReplayed {
				return done, fmt.Errorf("replay %s: %d frames around %s came in no order of time: take a shorter period", q.Drill, held, time.UnixMicro(b.lo).UTC().Format(time.RFC3339))
			}
			continue
		}
		if at == nil {
			return done, ctx.Err()
		}
		if err := ctx.Err(); err != nil {
			return done, err
		}
		x := &at.frames[at.next]
		done.Frames++
		if err := f(&x.f); err != nil {
			return done, err
		}
		*x = stored{commit: x.commit}
		if at.next++; at.next == len(at.frames) {
			open = slices.DeleteFunc(open, func(b *block) bool { return b == at })
		}
	}
}

func before(a, b *stored) bool {
	return cmp.Or(cmp.Compare(a.commit, b.commit), cmp.Compare(a.place, b.place), cmp.Compare(a.f.TS, b.f.TS)) < 0
}

// blocks cuts a period into blocks, sorted by their least commit.
func (s *Store) blocks(ctx context.Context, where string, from, to int64) ([]*block, error) {
	var out []*block
	frames := int64(0)
	where += fmt.Sprintf(" AND ts >= make_timestamp(%d) AND ts < make_timestamp(%d)", from, to)
	err := s.ask(ctx, func(l layout) string {
		return "SELECT epoch_us(ts) // 3600000000 AS hour, min(commit), count(*) FROM (" + l.within(from, to).from(dsFrames, "ts, commit", where) + ") GROUP BY hour ORDER BY hour"
	}, func(r *sql.Rows) error {
		var hour, first, n int64
		if err := r.Scan(&hour, &first, &n); err != nil {
			return err
		}
		lo, hi := max(from, hour*3600e6), min(to, (hour+1)*3600e6)
		if len(out) > 0 && frames+n <= replayBlock {
			b := out[len(out)-1]
			b.hi, b.first, frames = hi, min(b.first, first), frames+n
			return nil
		}
		out, frames = append(out, &block{lo: lo, hi: hi, first: first}), n
		return nil
	})
	slices.SortStableFunc(out, func(a, b *block) int { return cmp.Compare(a.first, b.first) })
	return out, err
}

// loadBlock reads a block's frames and their readings.
func (s *Store) loadBlock(ctx context.Context, b *block, where string, done *storage.Replayed) error {
	lo, hi := int64(math.MaxInt64), int64(math.MinInt64)
	err := s.ask(ctx, func(l layout) string {
		return "SELECT * FROM (" + l.within(b.lo, b.hi).from(dsFrames,
			"commit, coalesce(place, 0) AS place, src, seq, part, uid, epoch_us(ts) AS ts, epoch_us(ts_end) AS ts_end, epoch_us(received), epoch_us(arrived), origin, simulated, flags, hash, coalesce(gateway, ''), coalesce(topic, ''), rows",
			fmt.Sprintf("%s AND ts >= make_timestamp(%d) AND ts < make_timestamp(%d)", where, b.lo, b.hi)) + ") ORDER BY commit, place, ts, src, seq, part, uid"
	}, func(r *sql.Rows) error {
		var x stored
		var uid uint64
		var ts, received int64
		var origin byte
		var flags uint32
		if err := r.Scan(&x.commit, &x.place, &x.src, &x.f.Seq, &x.f.Part, &uid, &ts, &x.end, &received, &x.arrived, &origin, &x.f.Simulated, &flags, &x.f.Hash, &x.f.Gateway, &x.f.Topic, &x.rows); err != nil {
			return err
		}
		k := s.sourceName(x.src)
		x.f.Drill, x.f.Device, x.f.Boot = k.drill, k.device, ledger.JoinBoot(k.boot, uid)
		x.f.TS, x.f.Received, x.f.Origin, x.f.Flags = ts*1000, received*1000, telemetry.Origin(origin), telemetry.Flag(flags)
		lo, hi = min(lo, ts), max(hi, x.end)
		b.frames = append(b.frames, x)
		return nil
	})
	if err != nil || len(b.frames) == 0 {
		return err
	}
	missing, err := s.fillBlock(ctx, b, lo, hi+1)
	if err != nil {
		return err
	}
	if missing > 0 { // samples before their frame's own time
		if missing, err = s.fillBlock(ctx, b, lo-3600e6, hi+1); err != nil {
			return err
		}
	}
	done.Short += int64(missing)
	for i := range b.frames {
		b.frames[i].finish()
	}
	return nil
}

// fillBlock reads the readings of a block's frames in [lo, hi), and returns how
// many frames have fewer of them than were stored.
func (s *Store) fillBlock(ctx context.Context, b *block, lo, hi int64) (missing int, err error) {
	type key struct {
		src  int32
		seq  uint64
		part uint32
	}
	index := map[key][]int32{}
	srcs := map[int32]bool{}
	left := make([]int32, len(b.frames))
	for i := range b.frames {
		x := &b.frames[i]
		x.f.Runs, x.times, x.waves = nil, nil, nil
		k := key{x.src, x.f.Seq, x.f.Part}
		index[k] = append(index[k], int32(i))
		srcs[x.src] = true
		left[i] = x.rows
	}
	find := func(k key, ts, arrived int64) int {
		list := index[k]
		for _, i := range list { // frames without numbers of their own share one
			if x := &b.frames[i]; len(list) == 1 || x.arrived == arrived && x.f.TS/1000 <= ts && ts <= x.end {
				return int(i)
			}
		}
		return -1
	}
	var in []string
	for src := range srcs {
		in = append(in, fmt.Sprint(src))
	}
	slices.Sort(in)
	where := fmt.Sprintf("src IN (%s) AND ts >= make_timestamp(%d) AND ts < make_timestamp(%d)", strings.Join(in, ","), lo, hi)
	var k key
	var ts, arrived int64
	for _, class := range classesWithColumns {
		t := s.tab.rows.class[class]
		cols := t.cols[readingMeta:]
		if len(cols) == 0 {
			continue
		}
		names := "src, seq, part, epoch_us(ts) AS t, epoch_us(arrived), quality"
		values, quality := make([]*float64, len(cols)), (*string)(nil)
		dst := []any{&k.src, &k.seq, &k.part, &ts, &arrived, &quality}
		for i, c := range cols {
			names += ", " + ident(c.name)
			dst = append(dst, &values[i])
		}
		err := s.ask(ctx, func(l layout) string {
			return "SELECT * FROM (" + l.within(lo, hi).from(t.name, names, where) + ") ORDER BY t"
		}, func(r *sql.Rows) error {
			if err := r.Scan(dst...); err != nil {
				return err
			}
			i := find(k, ts, arrived)
			if i < 0 {
				return nil
			}
			left[i]--
			for c, v := range values {
				if v == nil {
					continue
				}
				q := telemetry.Good
				if quality != nil && c < len(*quality) {
					q = telemetry.Quality((*quality)[c] - '0')
				}
				b.frames[i].add(cols[c].name, ts, *v, q)
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	var ch int32
	var v float64
	var q byte
	err = s.ask(ctx, func(l layout) string {
		return "SELECT * FROM (" + l.within(lo, hi).from(dsNarrow, "src, seq, part, epoch_us(ts) AS t, epoch_us(arrived), ch, value, quality", where) + ") ORDER BY t"
	}, func(r *sql.Rows) error {
		if err := r.Scan(&k.src, &k.seq, &k.part, &ts, &arrived, &ch, &v, &q); err != nil {
			return err
		}
		i := find(k, ts, arrived)
		if i < 0 {
			return nil
		}
		left[i]--
		s.names.RLock()
		name := s.byChannel[ch]
		s.names.RUnlock()
		b.frames[i].add(name, ts, v, telemetry.Quality(q))
		return nil
	})
	if err == nil {
		err = s.fillWaveforms(ctx, b, where, func(src int32, seq uint64, part uint32, ts, arrived int64) int {
			return find(key{src, seq, part}, ts, arrived)
		})
	}
	for _, n := range left {
		if n > 0 {
			missing++
		}
	}
	return missing, err
}

// add takes a sample, later than those before of its channel.
func (x *stored) add(channel string, t int64, v float64, q telemetry.Quality) {
	i := slices.IndexFunc(x.f.Runs, func(r telemetry.Run) bool { return r.Channel == channel })
	if i < 0 {
		i = len(x.f.Runs)
		x.f.Runs = append(x.f.Runs, telemetry.Run{Channel: channel})
		x.times = append(x.times, nil)
	}
	r := &x.f.Runs[i]
	r.Values = append(r.Values, v)
	if q != telemetry.Good && r.Quality == nil {
		r.Quality = make([]telemetry.Quality, len(r.Values)-1, len(r.Values))
	}
	if r.Quality != nil {
		r.Quality = append(r.Quality, q)
	}
	x.times[i] = append(x.times[i], t)
}

// finish makes runs of samples: one where they are evenly spaced, else one a sample.
func (x *stored) finish() {
	runs := x.f.Runs[:len(x.f.Runs):len(x.f.Runs)]
	for i := range x.times {
		times, r := x.times[i], &runs[i]
		r.Offset = times[0]*1000 - x.f.TS
		if len(times) == 1 {
			continue
		}
		r.Every = (times[1] - times[0]) * 1000
		even := r.Every > 0
		for j := 2; j < len(times); j++ {
			even = even && (times[j]-times[j-1])*1000 == r.Every
		}
		if even {
			continue
		}
		for j := 1; j < len(times); j++ {
			one := telemetry.Run{Channel: r.Channel, Offset: times[j]*1000 - x.f.TS, Values: r.Values[j : j+1]}
			if r.Quality != nil {
				one.Quality = r.Quality[j : j+1]
			}
			x.f.Runs = append(x.f.Runs, one)
		}
		r.Every, r.Values = 0, r.Values[:1]
		if r.Quality != nil {
			r.Quality = r.Quality[:1]
		}
	}
	copy(x.f.Runs, runs)
	x.f.Runs = append(x.f.Runs, x.waves...)
	x.times, x.waves = nil, nil
}

// Said calls f for what was said of a drill at each tick in [from, to), in its last
// version: "health", "confidence", "time_left", "state" and their like, and
// models' outputs "model.output", as SeriesQuery names them; NaN where nothing was.
func (s *Store) Said(ctx context.Context, drill string, names []string, from, to int64, f func(tick int64, values []float64) error) error {
	var cols strings.Builder
	for i, name := range names {
		expr, ok := s.scoreExpr(name)
		if !ok {
			return &storage.UnknownChannel{Channel: name}
		}
		fmt.Fprintf(&cols, ", arg_max_null(%s, ord) AS v%d", expr, i)
	}
	lo, hi := us(from), us(to)
	var t int64
	at, values := make([]*float64, len(names)), make([]float64, len(names))
	dst := []any{&t}
	for i := range at {
		dst = append(dst, &at[i])
	}
	err := s.ask(ctx, func(l layout) string {
		where := fmt.Sprintf("drill = $1 AND tick >= make_timestamp(%d) AND tick < make_timestamp(%d)", lo, hi)
		return fmt.Sprintf("SELECT epoch_us(tick) AS t%s FROM (%s) GROUP BY tick ORDER BY t", cols.String(), l.within(lo, hi).from(dsScores, scoredColumns, where))
	}, func(r *sql.Rows) error {
		if err := r.Scan(dst...); err != nil {
			return err
		}
		for i, v := range at {
			values[i] = number(v)
		}
		return f(t*1000, values)
	}, drill)
	if err != nil {
		return fmt.Errorf("what was said of %s: %w", drill, err)
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
	s.wmu.Lock()
	last := s.commit
	s.wmu.Unlock()
	late := func() string {
		return fmt.Sprintf("commit > %d AND commit <= %d AND ts_end < arrived - INTERVAL %d MILLISECOND AND ts >= arrived - INTERVAL %d MILLISECOND", after, last, by.Milliseconds(), within.Milliseconds())
	}
	out, err := s.lateSpans(ctx, after, late())
	if err != nil || len(out) == 0 {
		return nil, last, err
	}
	from, to := out[0].From, out[0].To
	for _, x := range out {
		from, to = min(from, x.From), max(to, x.To)
	}
	var first sql.NullInt64
	err = s.ask(ctx, func(l layout) string {
		frames := l
		frames.files = slices.DeleteFunc(slices.Clone(l.files), func(f *file) bool { return f.maxCommit <= after })
		where := late() + fmt.Sprintf(" AND arrived >= make_timestamp(%d)", us(s.clock.Now().Add(-patience).UnixNano()))
		lo, hi := us(from)-1e6, us(to)+1e6
		causes := l.within(lo, hi).from(dsScores, "unnest(cause_src) AS src, unnest(cause_seq) AS seq, unnest(cause_part) AS part, unnest(cause_uid) AS uid", fmt.Sprintf("tick BETWEEN make_timestamp(%d) AND make_timestamp(%d)", lo, hi))
		return "SELECT min(f.commit) FROM (" + frames.from(dsFrames, "src, seq, part, uid, commit", where) + ") f ANTI JOIN (" + causes + ") c USING (src, seq, part, uid)"
	}, func(r *sql.Rows) error { return r.Scan(&first) })
	if err != nil {
		return nil, after, fmt.Errorf("late frames that are scored: %w", err)
	}
	if !first.Valid {
		return out, last, nil
	}
	last = first.Int64 - 1
	if last <= after {
		return nil, after, nil
	}
	out, err = s.lateSpans(ctx, after, late())
	return out, last, err
}

// lateSpans returns the spans of frames for which where holds, by drill, of commits after the one given.
func (s *Store) lateSpans(ctx context.Context, after int64, where string) ([]storage.Late, error) {
	var out []storage.Late
	err := s.ask(ctx, func(l layout) string {
		l.files = slices.DeleteFunc(slices.Clone(l.files), func(f *file) bool { return f.maxCommit <= after })
		return "SELECT src, epoch_us(min(ts)), epoch_us(max(ts_end)) FROM (" + l.from(dsFrames, "src, ts, ts_end", where) + ") GROUP BY src ORDER BY src"
	}, func(r *sql.Rows) error {
		var src int32
		var from, to int64
		if err := r.Scan(&src, &from, &to); err != nil {
			return err
		}
		x := storage.Late{Drill: s.sourceName(src).drill, From: from * 1000, To: to * 1000}
		if i := slices.IndexFunc(out, func(o storage.Late) bool { return o.Drill == x.Drill }); i >= 0 {
			out[i].From, out[i].To = min(out[i].From, x.From), max(out[i].To, x.To)
		} else {
			out = append(out, x)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("late frames: %w", err)
	}
	slices.SortFunc(out, func(a, b storage.Late) int { return strings.Compare(a.Drill, b.Drill) })
	return out, nil
}
