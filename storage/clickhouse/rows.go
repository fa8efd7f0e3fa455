package clickhouse

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/internal/ledger"
	"github.com/mudpulse/mudpulse/telemetry"
)

// meet finds the tags and outputs that no commit before had.
func (c *commit) meet() {
	s := c.s
	s.names.RLock()
	defer s.names.RUnlock()
	c.tags = map[string]string{}
	frames := c.b.Frames()
	for i := range frames {
		for k := range frames[i].Runs {
			tag := frames[i].Runs[k].Channel
			lower := strings.ToLower(tag)
			if s.names.tags[lower] != "" || c.tags[lower] != "" {
				continue
			}
			if ch := s.cat.Get(tag); ch != nil {
				tag = ch.Tag
			}
			c.tags[lower] = strings.Clone(tag)
		}
	}
	met := map[string]bool{}
	for _, i := range s.kept {
		names, _ := outputsOf(&c.b.Scores[i])
		for _, name := range names {
			if !s.names.outputs[name] && !met[name] {
				met[name] = true
				c.outputs = append(c.outputs, name)
			}
		}
	}
}

// tag returns a tag as it is stored, whatever its case.
func (c *commit) tag(tag string) string {
	lower := strings.ToLower(tag)
	if t, ok := c.tags[lower]; ok {
		return t
	}
	return c.s.names.tags[lower] // written under wmu alone
}

// isWaveform reports whether runs of a channel are snapshots.
func (s *Store) isWaveform(tag string) bool {
	ch := s.cat.Get(tag)
	return ch != nil && ch.Class == telemetry.Waveform
}

// sampled returns how many samples of a run are, and which is the last.
func sampled(r *telemetry.Run) (n, last int) {
	for i, v := range r.Values {
		if v == v {
			n, last = n+1, i
		}
	}
	return n, last
}

func (c *commit) addReadings(ctx context.Context) error {
	return c.runs(ctx, "readings", func(f *telemetry.Frame, i int, frame uint32, add adder) error {
		r := &f.Runs[i]
		n, last := sampled(r)
		c.readings += int64(n)
		return add(f.Drill, c.tag(r.Channel), nano(r.Time(f.TS, 0)), stamp(r.Time(f.TS, last)), r.Every, r.Values, string(r.Quality), uint16(i), frame, stamp(c.b.Arrived), c.tx)
	}, false)
}

func (c *commit) addWaveforms(ctx context.Context) error {
	return c.runs(ctx, "waveforms", func(f *telemetry.Frame, i int, frame uint32, add adder) error {
		r := &f.Runs[i]
		shaft := math.NaN()
		if ch := c.s.cat.Get(r.Channel); ch != nil && ch.Shaft != "" {
			for k := range f.Runs {
				if o := &f.Runs[k]; o.Channel == ch.Shaft && len(o.Values) > 0 {
					shaft = o.Values[len(o.Values)-1]
				}
			}
		}
		return add(f.Drill, c.tag(r.Channel), nano(r.Time(f.TS, 0)), f.Device, f.Boot, f.Seq, f.Part, r.Every, shaft, r.Values, string(r.Quality), uint16(i), frame, stamp(c.b.Arrived), c.tx)
	}, true)
}

// runs inserts those runs of the batch's frames that hold a sample, and are snapshots or are not.
func (c *commit) runs(ctx context.Context, table string, one func(f *telemetry.Frame, i int, frame uint32, add adder) error, snapshots bool) error {
	frames := c.b.Frames()
	takes := func(r *telemetry.Run) bool {
		n, _ := sampled(r)
		return n > 0 && c.s.isWaveform(r.Channel) == snapshots
	}
	rows := 0
	for i := range frames {
		for k := range frames[i].Runs {
			if takes(&frames[i].Runs[k]) {
				rows++
			}
		}
	}
	return c.insert(ctx, table, rows, func(add adder) error {
		if !snapshots {
			c.readings = 0
		}
		for i := range frames {
			for k := range frames[i].Runs {
				if !takes(&frames[i].Runs[k]) {
					continue
				}
				if err := one(&frames[i], k, uint32(i), add); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (c *commit) addFrames(ctx context.Context) error {
	frames := c.b.Frames()
	return c.insert(ctx, "frames", len(frames), func(add adder) error {
		for i := range frames {
			f := &frames[i]
			source, _ := ledger.SplitBoot(f.Boot)
			runs := 0
			for k := range f.Runs {
				if n, _ := sampled(&f.Runs[k]); n > 0 {
					runs++
				}
			}
			err := add(f.Drill, f.Device, source, f.Boot, f.Seq, f.Part, stamp(f.TS), stamp(f.End()), stamp(f.Received), stamp(c.b.Arrived), uint8(f.Origin), f.Simulated, uint32(f.Flags), f.Hash,
				f.Gateway, f.Topic, uint16(runs), uint32(f.Readings()), uint32(i), c.tx)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// addNames stores the tags and outputs that are new, what was registered, what the log lost and what gateways said.
func (c *commit) addNames(ctx context.Context) error {
	b := c.b
	var accepted []telemetry.Accepted
	var by []string
	for i := range b.Gateways {
		for _, a := range b.Gateways[i].Accepted {
			accepted, by = append(accepted, a), append(by, b.Gateways[i].Gateway)
		}
	}
	for _, x := range []struct {
		table string
		rows  int
		fill  func(adder) error
	}{
		{"tags", len(c.tags), func(add adder) error {
			for _, tag := range c.tags {
				if err := add(tag, c.tx); err != nil {
					return err
				}
			}
			return nil
		}},
		{"outputs", len(c.outputs), func(add adder) error {
			for _, name := range c.outputs {
				if err := add(name, c.tx); err != nil {
					return err
				}
			}
			return nil
		}},
		{"registered", len(b.Channels), func(add adder) error {
			for i, ch := range b.Channels {
				text, err := json.Marshal(ch)
				if err != nil {
					return fmt.Errorf("channel %s: %w", ch.Tag, err)
				}
				if err := add(ch.Tag, string(text), uint32(i), c.tx); err != nil {
					return err
				}
			}
			return nil
		}},
		{"lost", len(b.Lost), func(add adder) error {
			for _, l := range b.Lost {
				if err := add(l.Topic, l.Partition, l.From, l.To, stamp(b.Arrived), c.tx); err != nil {
					return err
				}
			}
			return nil
		}},
		{"gateways", len(b.Gateways), func(add adder) error {
			for i := range b.Gateways {
				g := b.Gateways[i]
				g.Accepted = nil
				text, err := json.Marshal(g)
				if err != nil {
					return fmt.Errorf("gateway status of %s: %w", g.Gateway, err)
				}
				if err := add(g.Gateway, stamp(g.At), string(text), c.tx); err != nil {
					return err
				}
			}
			return nil
		}},
		{"accepted", len(accepted), func(add adder) error {
			for i, a := range accepted {
				source, _ := ledger.SplitBoot(a.Boot)
				ranges := make([][]any, len(a.Ranges))
				for k, r := range a.Ranges {
					ranges[k] = []any{r[0], r[1]}
				}
				if err := add(by[i], a.Drill, a.Device, a.Boot, source, ranges, c.tx); err != nil {
					return err
				}
			}
			return nil
		}},
	} {
		if err := c.insert(ctx, x.table, x.rows, x.fill); err != nil {
			return err
		}
	}
	return nil
}

// stored are the ids of what is stored once per id, of those that were asked for.
func (s *Store) stored(ctx context.Context, table, key string, ids []string) (map[string]bool, error) {
	out := map[string]bool{}
	for from := 0; from < len(ids); from += 1000 {
		part := ids[from:min(from+1000, len(ids))]
		err := s.each(ctx, "SELECT "+key+" FROM "+s.table(table)+" WHERE "+key+" IN "+lits(part)+" AND "+s.visible(), func(r row) error {
			var id string
			err := r.Scan(&id)
			out[id] = true
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("look up ids of %s: %w", table, err)
		}
	}
	return out, nil
}

const alarmKeySQL = "concat(id, ' ', event, ' ', toString(toUnixTimestamp64Micro(ts)))"

func alarmKey(a *telemetry.AlarmEvent) string {
	return fmt.Sprintf("%s %s %d", a.ID, a.Event, us(a.At))
}

// addSmall stores what is stored once per id.
func (c *commit) addSmall(ctx context.Context) error {
	b, at := c.b, stamp(c.b.Arrived)
	err := once(ctx, c, "alarms", alarmKeySQL, b.Alarms, alarmKey, func(a *telemetry.AlarmEvent, n uint32, text string, add adder) error {
		return add(a.ID, a.Event, a.Drill, a.Rule, stamp(a.At), stamp(a.Raised), uint8(a.Priority), a.Subsystem, uint8(a.Origin), at, n, text, c.tx)
	})
	if err != nil {
		return err
	}
	err = once(ctx, c, "commands", "id", b.Commands, func(x *telemetry.Command) string { return x.ID }, func(x *telemetry.Command, n uint32, text string, add adder) error {
		return add(x.ID, x.Kind, x.Drill, x.Alarm, x.By, stamp(x.At), at, n, text, c.tx)
	})
	if err != nil {
		return err
	}
	err = once(ctx, c, "markers", "id", b.Markers, func(x *telemetry.Marker) string { return x.ID }, func(x *telemetry.Marker, n uint32, text string, add adder) error {
		return add(x.ID, x.Kind, x.Name, int32(x.Version), x.Action, x.SHA256, x.Shadow, x.By, stamp(x.At), at, n, text, c.tx)
	})
	if err != nil {
		return err
	}
	raw := make([][]byte, len(b.Quarantined))
	bare := make([]telemetry.Quarantined, len(b.Quarantined))
	for i, q := range b.Quarantined {
		raw[i], q.Raw = q.Raw, nil
		bare[i] = q
	}
	return once(ctx, c, "quarantine", "id", bare, func(q *telemetry.Quarantined) string { return q.ID }, func(q *telemetry.Quarantined, n uint32, text string, add adder) error {
		return add(q.ID, q.Gateway, q.Drill, q.Device, q.Topic, stamp(q.Received), q.Code, q.Field, q.Message, q.Cure, at, n, text, string(raw[n]), c.tx)
	})
}

// once inserts those of a list whose key is new.
func once[T any](ctx context.Context, c *commit, table, keySQL string, list []T, key func(*T) string, one func(v *T, n uint32, text string, add adder) error) error {
	if len(list) == 0 {
		return nil
	}
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = key(&list[i])
	}
	seen, err := c.s.stored(ctx, table, keySQL, ids)
	if err != nil {
		return err
	}
	var fresh []int
	for i, id := range ids {
		if !seen[id] {
			seen[id] = true
			fresh = append(fresh, i)
		}
	}
	return c.insert(ctx, table, len(fresh), func(add adder) error {
		for _, i := range fresh {
			text, err := json.Marshal(&list[i])
			if err != nil {
				return fmt.Errorf("%s: %w", ids[i], err)
			}
			if err := one(&list[i], uint32(i), string(text), add); err != nil {
				return err
			}
		}
		return nil
	})
}

// Unregistered returns the tags seen in frames that are neither in the catalogue
// nor registered since, sorted.
func (s *Store) Unregistered() []storage.SeenChannel {
	s.names.RLock()
	var tags []string
	for lower, tag := range s.names.tags {
		if s.cat.Get(tag) == nil && !s.names.registered[lower] {
			tags = append(tags, tag)
		}
	}
	s.names.RUnlock()
	return s.mem.Seen(tags)
}

// Drills returns all drills, sorted by name. Lists of devices are shared: not to be changed.
func (s *Store) Drills() []storage.Drill { return s.mem.Drills() }

// LatestScore returns the drill's newest tick, in its last version. It is shared: not to be changed.
func (s *Store) LatestScore(name string) (*telemetry.Score, bool) { return s.mem.LatestScore(name) }

// LatestScores returns LatestScore of every drill that has one, sorted by drill.
func (s *Store) LatestScores() []*telemetry.Score { return s.mem.LatestScores() }

// Latest returns the newest sample of each of the drill's channels.
func (s *Store) Latest(name string) map[string]storage.Value { return s.mem.Latest(name) }

// HealthHistory returns the week of each drill that ends with the bucket that at lies in, sorted by drill.
func (s *Store) HealthHistory(at int64) []storage.HealthHistory { return s.mem.HealthHistory(at) }
