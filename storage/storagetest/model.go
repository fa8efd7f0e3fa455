// Package storagetest is what every columnstore must do: a suite, and a naive
// store in memory that a backend is compared with on random data.
package storagetest

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Store is what is asked of a backend.
type Store interface {
	Commit(ctx context.Context, b *storage.Batch) error
	Position(ctx context.Context) (storage.Position, error)
	FramesSince(ctx context.Context, commit int64, f func(storage.StoredFrame) error) error
	FrameTime(ctx context.Context, drill string, id telemetry.FrameID) (ts int64, found bool, err error)

	Drills() []storage.Drill
	LatestScores() []*telemetry.Score
	Latest(drill string) map[string]storage.Value
	HealthHistory(at int64) []storage.HealthHistory
	Unregistered() []storage.SeenChannel
	Series(ctx context.Context, q storage.SeriesQuery) ([]storage.Series, error)
	Scores(ctx context.Context, drill string, from, to int64, limit int) ([]telemetry.Score, error)
	AlarmEvents(ctx context.Context, q storage.AlarmQuery) ([]telemetry.AlarmEvent, error)
	AlarmRecords(ctx context.Context, q storage.AlarmQuery) ([]json.RawMessage, error)
	Commands(ctx context.Context, q storage.CommandQuery) ([]telemetry.Command, error)
	AlarmSteps(ctx context.Context, after storage.Place, n int) ([]telemetry.AlarmEvent, storage.Place, error)
	CommandSteps(ctx context.Context, after storage.Place, n int) ([]telemetry.Command, storage.Place, error)
	Quarantine(ctx context.Context, limit int, before int64) ([]telemetry.Quarantined, int64, error)
	Ledger(ctx context.Context, q storage.LedgerQuery) (storage.Ledger, error)
	Activations(ctx context.Context) ([]telemetry.Marker, error)
	Gateways(ctx context.Context) ([]telemetry.GatewayStatus, error)
	Channels(ctx context.Context) ([]telemetry.Channel, error)
	Close() error
}

// sample is one reading as it was sent.
type sample struct {
	drill, channel string
	ts             int64
	value          float64
	quality        telemetry.Quality
	at             int64 // arrived
}

type commit struct {
	frames  []storage.StoredFrame
	dedup   []byte
	cluster string
	offsets []storage.Offset
}

// Model is the naive store: it keeps all that was committed and goes through
// all of it for every question.
type Model struct {
	cat     *telemetry.Catalogue
	commits []commit
	samples []sample
	scores  []telemetry.Score
	told    []int64       // of scores: arrived
	b       storage.Batch // alarms, commands, markers, quarantined, gateways, channels
	frames  []telemetry.Frame
	at      []int64 // of frames: arrived
}

// NewModel returns an empty model.
func NewModel(cat *telemetry.Catalogue) *Model { return &Model{cat: cat} }

func micro(ns int64) int64 {
	m := ns / 1000 * 1000
	if ns < m {
		m -= 1000
	}
	return m
}

// Commit keeps the batch.
func (m *Model) Commit(_ context.Context, b *storage.Batch) error {
	c := commit{dedup: b.Dedup, cluster: b.Cluster}
	var last commit
	if n := len(m.commits); n > 0 {
		last = m.commits[n-1]
	}
	if c.cluster == "" {
		c.cluster = last.cluster
	}
	if c.cluster == last.cluster {
		c.offsets = slices.Clone(last.offsets)
	}
	for _, o := range b.Offsets {
		c.offsets = slices.DeleteFunc(c.offsets, func(x storage.Offset) bool { return x.Topic == o.Topic && x.Partition == o.Partition })
		c.offsets = append(c.offsets, o)
	}
	for _, f := range b.Frames() {
		f := f.Clone()
		m.frames, m.at = append(m.frames, *f), append(m.at, b.Arrived)
		c.frames = append(c.frames, storage.StoredFrame{Drill: f.Drill, ID: f.ID(), Hash: f.Hash, TS: micro(f.TS)})
		for _, r := range f.Runs {
			tag := r.Channel
			if ch := m.cat.Get(tag); ch != nil {
				tag = ch.Tag
			}
			for i, v := range r.Values {
				if v == v {
					s := sample{f.Drill, tag, micro(r.Time(f.TS, i)), v, 0, b.Arrived}
					if r.Quality != nil {
						s.quality = r.Quality[i]
					}
					m.samples = append(m.samples, s)
				}
			}
		}
	}
	for _, s := range b.Scores {
		s.Tick = micro(s.Tick)
		if !slices.ContainsFunc(m.scores, func(o telemetry.Score) bool { return same(&o, &s) }) {
			m.scores, m.told = append(m.scores, s), append(m.told, b.Arrived)
		}
	}
	m.b.Alarms = appendNew(m.b.Alarms, b.Alarms, func(a telemetry.AlarmEvent) string { return a.ID + a.Event + digits(a.At) })
	m.b.Commands = appendNew(m.b.Commands, b.Commands, func(c telemetry.Command) string { return c.ID })
	m.b.Markers = appendNew(m.b.Markers, b.Markers, func(x telemetry.Marker) string { return x.ID })
	m.b.Quarantined = appendNew(m.b.Quarantined, b.Quarantined, func(q telemetry.Quarantined) string { return q.ID })
	m.b.Gateways = append(m.b.Gateways, b.Gateways...)
	m.b.Channels = append(m.b.Channels, b.Channels...)
	m.commits = append(m.commits, c)
	return nil
}

func digits(t int64) string { return strconv.FormatInt(t, 10) }

func appendNew[T any](list, more []T, id func(T) string) []T {
	for _, v := range more {
		if !slices.ContainsFunc(list, func(o T) bool { return id(o) == id(v) }) {
			list = append(list, v)
		}
	}
	return list
}

// same reports whether two records are one score told twice.
func same(a, b *telemetry.Score) bool {
	x, y := *a, *b
	x.Produced, y.Produced = 0, 0
	return string(telemetry.AppendScore(nil, &x)) == string(telemetry.AppendScore(nil, &y))
}

// Position is the last commit's; the snapshot is the last that there was.
func (m *Model) Position(context.Context) (storage.Position, error) {
	var p storage.Position
	for i, c := range m.commits {
		p.Cluster, p.Offsets = c.cluster, slices.Clone(c.offsets)
		if c.dedup != nil {
			p.Dedup, p.DedupCommit = c.dedup, int64(i+1)
		}
	}
	return p, nil
}

// FramesSince goes through the later commits.
func (m *Model) FramesSince(_ context.Context, n int64, f func(storage.StoredFrame) error) error {
	for _, c := range m.commits[n:] {
		for _, fr := range c.frames {
			if err := f(fr); err != nil {
				return err
			}
		}
	}
	return nil
}

// FrameTime looks at every frame.
func (m *Model) FrameTime(_ context.Context, drill string, id telemetry.FrameID) (int64, bool, error) {
	for _, f := range m.frames {
		if f.Drill == drill && f.ID() == id {
			return micro(f.TS), true, nil
		}
	}
	return 0, false, nil
}

// Drills sums the frames up.
func (m *Model) Drills() []storage.Drill {
	by := map[string]*storage.Drill{}
	for i, f := range m.frames {
		d := by[f.Drill]
		if d == nil {
			d = &storage.Drill{Drill: f.Drill, First: math.MaxInt64, Last: math.MinInt64}
			by[f.Drill] = d
		}
		d.Frames++
		d.First = min(d.First, micro(f.TS))
		d.Last = max(d.Last, micro(f.End()))
		d.Arrived = max(d.Arrived, m.at[i])
		if !slices.Contains(d.Devices, f.Device) {
			d.Devices = append(d.Devices, f.Device)
		}
	}
	var out []storage.Drill
	for _, d := range by {
		slices.Sort(d.Devices)
		out = append(out, *d)
	}
	slices.SortFunc(out, func(a, b storage.Drill) int { return strings.Compare(a.Drill, b.Drill) })
	return out
}

// last returns the last version of each tick of drill, ascending.
func (m *Model) last(drill string) []telemetry.Score { return m.lastAt(drill, 0) }

// lastAt returns what was last at a time; 0: now.
func (m *Model) lastAt(drill string, known int64) []telemetry.Score {
	by := map[int64]telemetry.Score{}
	for i, s := range m.scores {
		if s.Drill == drill && (known == 0 || m.told[i] <= known) {
			by[s.Tick] = s
		}
	}
	var out []telemetry.Score
	for _, s := range by {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b telemetry.Score) int { return cmp.Compare(a.Tick, b.Tick) })
	return out
}

func (m *Model) scored() []string {
	var out []string
	for _, s := range m.scores {
		out = append(out, s.Drill)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// LatestScores is the last tick of each drill.
func (m *Model) LatestScores() []*telemetry.Score {
	var out []*telemetry.Score
	for _, d := range m.scored() {
		s := m.last(d)
		out = append(out, &s[len(s)-1])
	}
	return out
}

// Latest goes through all samples; of equal times the one that came last counts.
func (m *Model) Latest(drill string) map[string]storage.Value {
	out := map[string]storage.Value{}
	for _, s := range m.samples {
		if s.drill == drill {
			if old, ok := out[s.channel]; !ok || s.ts >= old.TS {
				out[s.channel] = storage.Value{TS: s.ts, Value: s.value, Quality: s.quality}
			}
		}
	}
	return out
}

// HealthHistory goes through all scores.
func (m *Model) HealthHistory(at int64) []storage.HealthHistory {
	var out []storage.HealthHistory
	drills := m.scored()
	for _, d := range m.Drills() {
		drills = append(drills, d.Drill)
	}
	slices.Sort(drills)
	for _, d := range slices.Compact(drills) {
		h := storage.HealthHistory{Drill: d}
		first := at/storage.HealthBucket - storage.HealthBuckets + 1
		for i := range h.Last {
			h.Last[i], h.Min[i] = math.NaN(), math.NaN()
		}
		for _, s := range m.last(d) {
			if i := s.Tick/storage.HealthBucket - first; i >= 0 && i < storage.HealthBuckets {
				h.Last[i] = s.Health
			}
		}
		out = append(out, h)
	}
	return out
}

// Unregistered lists tags that nobody knows.
func (m *Model) Unregistered() []storage.SeenChannel {
	by := map[string]*storage.SeenChannel{}
	for _, s := range m.samples {
		known := m.cat.Get(s.channel) != nil
		for _, c := range m.b.Channels {
			known = known || strings.EqualFold(c.Tag, s.channel)
		}
		if known {
			continue
		}
		c := by[strings.ToLower(s.channel)]
		if c == nil {
			c = &storage.SeenChannel{Tag: s.channel}
			by[strings.ToLower(s.channel)] = c
		}
		c.LastSeen = max(c.LastSeen, s.ts)
		if !slices.Contains(c.Drills, s.drill) {
			c.Drills = append(c.Drills, s.drill)
			slices.Sort(c.Drills)
		}
	}
	var out []storage.SeenChannel
	for _, c := range by {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b storage.SeenChannel) int { return strings.Compare(a.Tag, b.Tag) })
	return out
}
