package clickhouse

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/internal/ledger"
	"github.com/mudpulse/mudpulse/storage/internal/present"
	"github.com/mudpulse/mudpulse/telemetry"
)

// keptScores finds the scores of a batch that are not stored yet: s.kept. A scorer
// that starts again repeats records: a tick that is not newer than its drill's
// last is looked up, by tick, cause and content: in memory, and in the table where it is older than that.
func (s *Store) keptScores(ctx context.Context, b *storage.Batch) error {
	s.kept, s.content = s.kept[:0], s.content[:0]
	newest := map[string]int64{}
	var doubtful []int
	for i := range b.Scores {
		sc := &b.Scores[i]
		s.content = append(s.content, present.ContentHash(&s.scratch, sc))
		last, ok := newest[sc.Drill]
		if !ok {
			last = s.mem.LastTick(sc.Drill)
		}
		if us(sc.Tick) <= us(last) && last != present.NoTick {
			doubtful = append(doubtful, i)
		}
		newest[sc.Drill] = max(last, sc.Tick)
	}
	skip := map[int]bool{}
	type identity struct {
		drill          string
		tick           int64
		cause, content uint64
	}
	of := func(i int) identity {
		sc := &b.Scores[i]
		return identity{sc.Drill, us(sc.Tick), sc.CauseHash, s.content[i]}
	}
	ask := s.mem.Settle(b, s.content, doubtful, skip, map[int]bool{})
	for from := 0; from < len(ask); from += 500 {
		part := ask[from:min(from+500, len(ask))]
		asked := map[identity][]int{}
		var keys []string
		for _, i := range part {
			id := of(i)
			asked[id] = append(asked[id], i)
			keys = append(keys, fmt.Sprintf("(%s, %s)", lit(id.drill), at(id.tick)))
		}
		q := "SELECT drill, toUnixTimestamp64Micro(tick), cause_hash, content FROM " + s.table("scores") + " WHERE (drill, tick) IN (" + strings.Join(keys, ", ") + ") AND " + s.visible()
		err := s.each(ctx, q, func(r row) error {
			var id identity
			if err := r.Scan(&id.drill, &id.tick, &id.cause, &id.content); err != nil {
				return err
			}
			for _, i := range asked[id] {
				skip[i] = true
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("look up scores: %w", err)
		}
	}
	batch := map[identity]bool{}
	for i := range b.Scores {
		id := of(i)
		if !skip[i] && !batch[id] {
			batch[id] = true
			s.kept = append(s.kept, i)
		}
	}
	return nil
}

// outputsOf returns what a score's models said, by the names that it is asked for under:
// "model.output" and "model@version.output". Where a model runs twice, the one that is not a shadow is meant.
func outputsOf(sc *telemetry.Score) (names []string, values []float64) {
	index, shadows := map[string]int{}, map[string]bool{}
	for _, r := range sc.Results {
		for _, o := range r.Outputs {
			for _, model := range []string{telemetry.ModelName(r.Model), r.Model} {
				name := model + "." + o.Name
				i, ok := index[name]
				switch {
				case !ok:
					index[name], shadows[name] = len(names), r.Shadow
					names, values = append(names, name), append(values, o.Number)
				case shadows[name] && !r.Shadow:
					values[i], shadows[name] = o.Number, false
				}
			}
		}
	}
	return names, values
}

func (c *commit) addScores(ctx context.Context) error {
	return c.insert(ctx, "scores", len(c.s.kept), func(add adder) error {
		for _, i := range c.s.kept {
			sc := c.b.Scores[i]
			sc.Tick = us(sc.Tick) * 1000
			row := []any{sc.Drill, stamp(sc.Tick), sc.State, uint8(sc.Origin), sc.Simulated, sc.Health, sc.Confidence}
			for _, name := range telemetry.Subsystems {
				h, conf := math.NaN(), math.NaN()
				for _, sub := range sc.Subsystems {
					if sub.Name == name {
						h, conf = sub.Health, sub.Confidence
					}
				}
				row = append(row, h, conf)
			}
			names, values := outputsOf(&sc)
			var device, boot, source []string
			var seq []uint64
			var part []uint32
			for _, id := range sc.Causes {
				base, _ := ledger.SplitBoot(id.Boot)
				device, boot, source = append(device, id.Device), append(boot, id.Boot), append(source, base)
				seq, part = append(seq, id.Seq), append(part, id.Part)
			}
			row = append(row, sc.TimeLeft, sc.TimeLeftLow, sc.TimeLeftHigh, orNone(names), orNone(values), orNone(device), orNone(boot), orNone(source), orNone(seq), orNone(part),
				sc.CauseHash, c.s.content[i], string(telemetry.AppendScore(nil, &sc)), stamp(c.b.Arrived), uint32(i), c.tx)
			if err := add(row...); err != nil {
				return err
			}
		}
		return nil
	})
}

// orNone is a list that the driver takes: not nil.
func orNone[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// Scores returns the last version of each tick of drill in [from, to), ascending; at most n, 0 meaning 1000.
func (s *Store) Scores(ctx context.Context, drill string, from, to int64, n int) ([]telemetry.Score, error) {
	out := []telemetry.Score{}
	q := fmt.Sprintf("SELECT record FROM %s WHERE drill = %s AND tick >= %s AND tick < %s AND %s ORDER BY tick, tx DESC, n DESC LIMIT 1 BY tick LIMIT %d",
		s.table("scores"), lit(drill), at(us(from)), at(us(to)), s.visible(), limit(n))
	err := s.each(ctx, q, func(r row) error {
		sc, err := scanScore(r)
		out = append(out, sc)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("scores: %w", err)
	}
	return out, nil
}

func scanScore(r row) (sc telemetry.Score, err error) {
	var text string
	if err := r.Scan(&text); err != nil {
		return sc, err
	}
	if err := telemetry.DecodeScore([]byte(text), &sc); err != nil {
		return sc, fmt.Errorf("read score: %w", err)
	}
	return sc, nil
}

// scoreExpr returns the expression over scores that a name of what is scored stands for; NaN where nothing was said.
func (s *Store) scoreExpr(name string) (string, bool) {
	switch name {
	case "health", "confidence", "time_left", "time_left_low", "time_left_high":
		return name, true
	case "state":
		states := make([]string, len(telemetry.States))
		for i, st := range telemetry.States {
			states[i] = lit(st)
		}
		return "transform(state, [" + strings.Join(states, ", ") + "], arrayMap(x -> toFloat64(x), range(" + fmt.Sprint(len(states)) + ")), nan)", true
	}
	for _, prefix := range []string{"health", "confidence"} {
		if sub, ok := strings.CutPrefix(name, prefix+"."); ok && slices.Contains(telemetry.Subsystems[:], sub) {
			return prefix + "_" + sub, true
		}
	}
	s.names.RLock()
	defer s.names.RUnlock()
	return fmt.Sprintf("if(has(names, %[1]s), outputs[indexOf(names, %[1]s)], nan)", lit(name)), s.names.outputs[name]
}

// Said calls f for what was said of a drill at each tick in [from, to), in its last
// version: "health", "confidence", "time_left", "state" and their like, and
// models' outputs "model.output", as SeriesQuery names them; NaN where nothing was.
func (s *Store) Said(ctx context.Context, drill string, names []string, from, to int64, f func(tick int64, values []float64) error) error {
	cols := make([]string, len(names))
	for i, name := range names {
		expr, ok := s.scoreExpr(name)
		if !ok {
			return &storage.UnknownChannel{Channel: name}
		}
		cols[i] = "toFloat64(" + expr + ")"
	}
	q := fmt.Sprintf("SELECT toUnixTimestamp64Micro(tick), [%s] FROM %s WHERE drill = %s AND tick >= %s AND tick < %s AND %s ORDER BY tick, tx DESC, n DESC LIMIT 1 BY tick",
		strings.Join(cols, ", "), s.table("scores"), lit(drill), at(us(from)), at(us(to)), s.visible())
	err := s.each(ctx, q, func(r row) error {
		var t int64
		var values []float64
		if err := r.Scan(&t, &values); err != nil {
			return err
		}
		return f(t*1000, values)
	})
	if err != nil {
		return fmt.Errorf("what was said of %s: %w", drill, err)
	}
	return nil
}
