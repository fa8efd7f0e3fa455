package clickhouse

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/internal/present"
	"github.com/mudpulse/mudpulse/telemetry"
)

// catchUp takes into memory what was committed since it last did: on open, and, of a reader, again and again.
func (s *Store) catchUp(ctx context.Context) error {
	h, err := s.look(ctx)
	if err != nil {
		return err
	}
	after := s.horizon().last
	if h.last == after {
		s.seen.Lock()
		s.seen.void = h.void
		s.seen.Unlock()
		return nil
	}
	l := &loading{s: s, h: h, rows: h.rows(after), first: after == 0, until: us(s.clock.Now().UnixNano() + present.Ahead)}
	for _, step := range []func(context.Context) error{l.names, l.position, l.drills, l.latest, l.scores} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("read back: %w", err)
		}
	}
	return s.mem.Update(func() error {
		for _, f := range l.take {
			f()
		}
		s.seen.Lock()
		defer s.seen.Unlock()
		s.seen.horizon, s.seen.commit, s.seen.dedup = h, l.commit, l.dedup
		return nil
	})
}

// loading is one round of reading back. What it found is taken up at its end, so that a round that fails changes nothing.
type loading struct {
	s             *Store
	h             horizon
	rows          string // condition of what is new
	first         bool
	until         int64            // the newest time that is not ahead of the clock, µs
	last          map[string]int64 // µs, by drill
	commit, dedup int64
	take          []func()
}

func (l *loading) names(ctx context.Context) error {
	s := l.s
	tags, outputs := map[string]string{}, []string{}
	var registered []telemetry.Channel
	read := func(q string, f func(string)) error {
		return s.each(ctx, q, func(r row) error {
			var v string
			err := r.Scan(&v)
			f(v)
			return err
		})
	}
	err := read("SELECT tag FROM "+s.table("tags")+" WHERE "+l.rows, func(v string) { tags[strings.ToLower(v)] = v })
	if err == nil {
		err = read("SELECT output FROM "+s.table("outputs")+" WHERE "+l.rows, func(v string) { outputs = append(outputs, v) })
	}
	if err == nil {
		registered, err = records[telemetry.Channel](ctx, s, "registered", "SELECT record FROM "+s.table("registered")+" WHERE "+l.rows+" ORDER BY tx, n")
	}
	l.take = append(l.take, func() {
		s.names.Lock()
		defer s.names.Unlock()
		for lower, tag := range tags {
			s.names.tags[lower] = tag
		}
		for _, v := range outputs {
			s.names.outputs[v] = true
		}
		for _, ch := range registered {
			s.names.registered[strings.ToLower(ch.Tag)] = true
			if s.cfg.ReadOnly { // a writer hears of them by the log
				if err := s.cat.Register(ch); err != nil {
					s.log.Warn("a registered channel does not fit", "tag", ch.Tag, "err", err)
				}
			}
		}
	})
	return err
}

func (l *loading) position(ctx context.Context) error {
	s := l.s
	var log, text string
	if err := s.one(ctx, fmt.Sprintf("SELECT commit, log, offsets, dedup FROM %s WHERE tx = %d", s.table("commits"), l.h.last), &l.commit, &log, &text, &l.dedup); err != nil {
		return fmt.Errorf("position: %w", err)
	}
	var list []storage.Offset
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return fmt.Errorf("offsets: %w", err)
	}
	l.take = append(l.take, func() {
		s.wmu.Lock() // of a writer nobody else has it: this is its open
		defer s.wmu.Unlock()
		s.log0, s.offsets = log, map[topicPartition]int64{}
		for _, o := range list {
			s.offsets[topicPartition{o.Topic, o.Partition}] = o.Next
		}
	})
	return nil
}

func (l *loading) drills(ctx context.Context) error {
	l.last = map[string]int64{}
	q := fmt.Sprintf(`SELECT drill, device, toUnixTimestamp64Micro(min(ts)), max(if(toUnixTimestamp64Micro(ts_end) <= %[1]d, toUnixTimestamp64Micro(ts_end), %[2]d)), toUnixTimestamp64Micro(max(arrived)), count(),
argMax(simulated, if(toUnixTimestamp64Micro(ts_end) <= %[1]d, toUnixTimestamp64Micro(ts_end), %[2]d)) FROM %[3]s WHERE %[4]s GROUP BY drill, device`, l.until, int64(math.MinInt64), l.s.table("frames"), l.rows)
	return l.s.each(ctx, q, func(r row) error {
		var name, device string
		var first, last, arrived int64
		var n uint64
		var simulated bool
		if err := r.Scan(&name, &device, &first, &last, &arrived, &n, &simulated); err != nil {
			return err
		}
		if last != math.MinInt64 {
			l.last[name] = max(last, l.last[name])
		}
		l.take = append(l.take, func() {
			d := l.s.mem.Get(name)
			d.Device(device)
			d.Frames += int64(n)
			d.First = min(d.First, first*1000)
			if last != math.MinInt64 && last*1000 >= d.Last {
				d.Last, d.Simulated = last*1000, simulated
			}
			d.Arrived = max(d.Arrived, arrived*1000)
		})
		return nil
	})
}

// since is a condition on rows of drills: on open, of the hour before each one's last frame.
func (l *loading) since(column string, span int64, last map[string]int64) string {
	if !l.first {
		return "1"
	}
	var names, times []string
	least := int64(math.MaxInt64)
	for name, t := range last {
		names, times = append(names, lit(name)), append(times, fmt.Sprint(t-span))
		least = min(least, t-span)
	}
	if len(names) == 0 {
		return "0"
	}
	return fmt.Sprintf("%[1]s >= %[2]s AND toUnixTimestamp64Micro(%[1]s) >= transform(CAST(drill AS String), [%[3]s], [%[4]s], toInt64(9000000000000000000))", column, at(least), strings.Join(names, ", "), strings.Join(times, ", "))
}

// latest reads the last values: on open, of the hour before each drill's last frame.
func (l *loading) latest(ctx context.Context) error {
	q := fmt.Sprintf("SELECT drill, channel, argMax((toUnixTimestamp64Nano(ts), every, values, quality), (last, tx, frame, run)) AS x, x.1, x.2, x.3, x.4 FROM %s WHERE %s AND %s AND last <= %s GROUP BY drill, channel",
		l.s.table("readings"), l.rows, l.since("last", 3600e6, l.last), at(l.until))
	q = strings.Replace(q, "AS x, x.1, x.2, x.3, x.4 FROM", "AS x FROM", 1)
	q = "SELECT drill, channel, x.1, x.2, x.3, x.4 FROM (" + q + ")"
	return l.s.each(ctx, q, func(r row) error {
		var name, tag, quality string
		var start int64
		run := telemetry.Run{}
		if err := r.Scan(&name, &tag, &start, &run.Every, &run.Values, &quality); err != nil {
			return err
		}
		n, last := sampled(&run)
		if n == 0 {
			return nil
		}
		v := storage.Value{TS: us(run.Time(start, last)) * 1000, Value: run.Values[last], Quality: telemetry.Good}
		if last < len(quality) {
			v.Quality = telemetry.Quality(quality[last])
		}
		l.take = append(l.take, func() { l.s.mem.Get(name).Keep(tag, v) })
		return nil
	})
}

func (l *loading) scores(ctx context.Context) error {
	s := l.s
	// What is the present, and what is the newest of all, which a clock that is wrong may have sent ahead of it.
	last := map[string]int64{}
	err := s.each(ctx, fmt.Sprintf("SELECT drill, toUnixTimestamp64Micro(max(tick)) FROM %s WHERE %s GROUP BY drill", s.table("scores"), l.rows), func(r row) error {
		var name string
		var tick int64
		err := r.Scan(&name, &tick)
		last[name] = tick
		return err
	})
	if err != nil || len(last) == 0 {
		return err
	}
	const bucket = storage.HealthBucket / 1000
	week := l.since("tick", 2*storage.HealthBuckets*bucket, last)
	q := fmt.Sprintf(`SELECT drill, toUnixTimestamp64Micro(max(tick)), argMax(health, (tick, tx, n)), minIf(health, NOT isNaN(health)), countIf(NOT isNaN(health))
FROM %s WHERE %s AND %s GROUP BY drill, intDiv(toUnixTimestamp64Micro(tick), %d) AS b ORDER BY drill, b`, s.table("scores"), l.rows, week, bucket)
	err = s.each(ctx, q, func(r row) error {
		var name string
		var tick int64
		var health, low float64
		var known uint64
		if err := r.Scan(&name, &tick, &health, &low, &known); err != nil {
			return err
		}
		if known == 0 {
			low = math.NaN()
		}
		l.take = append(l.take, func() {
			d := s.mem.Get(name)
			d.AddHealth(tick*1000, health, low)
			d.Newest = max(d.Newest, tick*1000)
			d.Unsure()
		})
		return nil
	})
	if err != nil {
		return err
	}
	q = fmt.Sprintf("SELECT argMax(record, (tick, tx, n)) FROM %s WHERE %s AND %s AND tick <= %s GROUP BY drill", s.table("scores"), l.rows, week, at(l.until))
	return s.each(ctx, q, func(r row) error {
		sc, err := scanScore(r)
		if err != nil {
			return err
		}
		l.take = append(l.take, func() {
			if d := s.mem.Get(sc.Drill); d.Score == nil || sc.Tick >= d.Score.Tick {
				d.Score = &sc
			}
		})
		return nil
	})
}
