package storagetest

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Start is the time at which the suite's data begins.
var Start = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC).UnixNano()

// Run holds a backend against the model: open opens the store in its one place,
// made anew for each test, and again after a Close. Seeds make the random flows.
func Run(t *testing.T, open func(t *testing.T) func() Store, seeds ...uint64) {
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("ARandomFlowReadsAsTheModel/seed%d", seed), func(t *testing.T) { random(t, open(t), seed) })
	}
	t.Run("AFailedCommitLeavesNothing", func(t *testing.T) { cancelled(t, open(t)) })
	t.Run("ExtremesAreNeverLost", func(t *testing.T) { extremes(t, open(t)) })
	t.Run("SilenceIsAGap", func(t *testing.T) { gaps(t, open(t)) })
	t.Run("WhatWasKnownAtATimeIsStillTold", func(t *testing.T) { known(t, open(t)) })
	t.Run("WrongQuestionsAreRefused", func(t *testing.T) { wrong(t, open(t)) })
}

// flow makes random batches as a log would bring them.
type flow struct {
	rng  *rand.Rand
	seq  map[string]uint64
	past []telemetry.Score
}

var suiteChannels = []string{"WOB", "SPP", "RPM", "ROP", "TDENV", "MTO", "DBTM", "GR", "Acme_Sensor", "x1"}

func (g *flow) frame() *telemetry.Frame {
	f := &telemetry.Frame{Drill: fmt.Sprintf("RIG-%d", g.rng.IntN(3)), Device: fmt.Sprintf("device-number-%d", g.rng.IntN(2)), Boot: fmt.Sprintf("b%d", g.rng.IntN(2)), Gateway: "gw", Received: Start}
	k := f.Drill + f.Device + f.Boot
	g.seq[k]++
	if g.rng.IntN(20) == 0 {
		g.seq[k] += uint64(g.rng.IntN(4)) // lost
	}
	f.Seq = g.seq[k]
	f.TS = Start + int64(g.rng.IntN(20000))*1e6 + int64(f.Seq)*1e9
	switch g.rng.IntN(12) {
	case 0:
		f.Boot, f.Seq = telemetry.HashIdentity(f.Drill, "t", f.TS, []byte(fmt.Sprint(g.rng.Uint64())))
	case 1:
		f.Boot = telemetry.ConflictBoot(f.Boot, g.rng.Uint64())
	case 2:
		f.Part = 1
		f.Seq += 1 << 40 // of a number of its own, so that the model's sets stay plain
	}
	for _, ch := range suiteChannels {
		if g.rng.IntN(3) == 0 {
			continue
		}
		r := telemetry.Run{Channel: ch, Every: []int64{1e8, 1e8, 5e8, 33e6}[g.rng.IntN(4)], Offset: []int64{0, 0, 5e7, -1e8}[g.rng.IntN(4)]}
		for range 1 + g.rng.IntN(11) {
			v := math.Round(g.rng.NormFloat64()*1000) / 10
			switch g.rng.IntN(15) {
			case 0:
				v = math.NaN()
			case 1:
				v = g.rng.Float64() * 1e-300
			}
			r.Values = append(r.Values, v)
			if r.Quality != nil || g.rng.IntN(8) == 0 {
				for len(r.Quality) < len(r.Values)-1 {
					r.Quality = append(r.Quality, telemetry.Good)
				}
				r.Quality = append(r.Quality, telemetry.Quality(g.rng.IntN(4)))
			}
		}
		for r.Quality != nil && len(r.Quality) < len(r.Values) {
			r.Quality = append(r.Quality, telemetry.Good)
		}
		f.Runs = append(f.Runs, r)
	}
	if !slices.ContainsFunc(f.Runs, func(r telemetry.Run) bool {
		return slices.ContainsFunc(r.Values, func(v float64) bool { return v == v })
	}) {
		f.Runs = append(f.Runs, telemetry.Run{Channel: "WOB", Values: []float64{1}})
	}
	f.Hash = telemetry.ContentHash(f)
	return f
}

func (g *flow) score(f *telemetry.Frame) telemetry.Score {
	s := telemetry.Score{Drill: f.Drill, Tick: telemetry.Tick(f.TS), Causes: []telemetry.FrameID{f.ID()}, State: telemetry.States[g.rng.IntN(len(telemetry.States))],
		StateSince: Start, Health: float64(g.rng.IntN(1000)) / 10, Confidence: 0.5, TimeLeft: math.NaN(), TimeLeftLow: 1.5, TimeLeftHigh: 3, Produced: Start + int64(g.rng.IntN(1e9))*1000}
	s.CauseHash = telemetry.CauseHash(s.Causes)
	if f.Drill == "RIG-1" {
		s.Runs = []string{"bha:BHA-7", "bit:SN-" + strconv.Itoa(int(f.TS/3600e9)%3)}
	}
	if g.rng.IntN(10) == 0 {
		s.Health = math.NaN()
	}
	for _, name := range telemetry.Subsystems {
		h := telemetry.SubsystemHealth{Name: name, Health: float64(g.rng.IntN(100)), Confidence: 1}
		if g.rng.IntN(8) == 0 {
			h.At = s.Tick - 60e9
		}
		s.Subsystems = append(s.Subsystems, h)
	}
	for i := range g.rng.IntN(4) {
		s.Reasons = append(s.Reasons, telemetry.Reason{Subsystem: telemetry.SubsystemBit, Model: "m@1", Code: fmt.Sprint("code", i), Points: float64(40 - i), Feature: "WOB__mean__60s", Value: g.rng.Float64(), Normal: math.NaN()})
	}
	s.Results = append(s.Results, telemetry.Result{Model: "wash.out@3", Outputs: []telemetry.Output{{Name: "p", Number: g.rng.Float64()}, {Name: "class", Number: math.NaN(), Text: "ok"}}})
	switch g.rng.IntN(4) {
	case 0:
		s.Results = append(s.Results, telemetry.Result{Model: "rul@1", Error: "division by zero"})
	case 1:
		s.Results = append(s.Results, telemetry.Result{Model: "rul@1", At: s.Tick - 4e9, Outputs: []telemetry.Output{{Name: "hours", Number: 1 / 3.0}}}, telemetry.Result{Model: "wash.out@4", Shadow: true, Outputs: []telemetry.Output{{Name: "p", Number: 0.5}}})
	}
	return s
}

func (g *flow) batch(n int) *storage.Batch {
	b := &storage.Batch{Arrived: Start + int64(n)*1e9, Offsets: []storage.Offset{{Topic: "frames", Partition: int32(g.rng.IntN(3)), Next: int64(n)}}}
	if n == 0 {
		b.Cluster = "one"
	}
	if n == 9 {
		b.Cluster = "two"
	}
	if g.rng.IntN(3) == 0 {
		b.Dedup = []byte(fmt.Sprint("state", n))
	}
	for range g.rng.IntN(40) {
		f := g.frame()
		b.AddFrame(f)
		if g.rng.IntN(8) > 0 {
			b.Scores = append(b.Scores, g.score(f))
			g.past = append(g.past, b.Scores[len(b.Scores)-1])
		}
	}
	for range g.rng.IntN(5) {
		if len(g.past) > 0 { // told again, or amended
			s := g.past[g.rng.IntN(len(g.past))]
			s.Produced += 1000
			if g.rng.IntN(2) == 0 {
				s.Health = float64(g.rng.IntN(100))
				s.CauseHash++
			}
			b.Scores = append(b.Scores, s)
		}
	}
	at := Start + int64(g.rng.IntN(100))*1e9
	id := fmt.Sprintf("RIG-%d/rule/%d", g.rng.IntN(3), g.rng.IntN(6))
	b.Alarms = append(b.Alarms, telemetry.AlarmEvent{ID: id, Event: []string{telemetry.AlarmRaised, telemetry.AlarmCleared}[g.rng.IntN(2)], Drill: id[:5], At: at, Raised: at, Priority: 2, Reason: "it's 100 % \"odd\"",
		Evidence: &telemetry.Evidence{Tick: at, Inputs: []telemetry.Measured{{Name: "SPP", Value: 3}}, Frames: []telemetry.FrameID{{Device: "d", Boot: "b", Seq: 1 << 63}}}})
	b.Commands = append(b.Commands, telemetry.Command{ID: fmt.Sprint("c", g.rng.IntN(30)), Kind: "ack", Alarm: id, Drill: id[:5], By: "ann", At: at})
	b.Markers = append(b.Markers, telemetry.Marker{ID: fmt.Sprint("m", g.rng.IntN(10)), Kind: telemetry.MarkerModel, Name: "m", Version: 2, At: at})
	b.Quarantined = append(b.Quarantined, telemetry.Quarantined{ID: fmt.Sprint("q", g.rng.IntN(30)), Gateway: "gw", Drill: id[:5], Received: at, Code: "malformed", Raw: []byte{0, 255, '\''}, RawSize: 3})
	if n%3 == 2 {
		g1 := telemetry.GatewayStatus{Gateway: "gw", At: b.Arrived, Counters: map[string]int64{"messages": int64(n)}}
		for k, last := range g.seq {
			g1.Accepted = append(g1.Accepted, telemetry.Accepted{Drill: k[:5], Device: k[5 : len(k)-2], Boot: k[len(k)-2:], Ranges: [][2]uint64{{1, 2}, {4, last + 4}}})
		}
		b.Gateways = append(b.Gateways, g1)
	}
	if n == 7 {
		b.Channels = append(b.Channels, telemetry.Channel{Tag: "x1", Unit: "kN", User: true})
	}
	return b
}

func random(t *testing.T, open func() Store, seed uint64) {
	ctx := context.Background()
	s, m := open(), NewModel(telemetry.DefaultCatalogue())
	g := &flow{rng: rand.New(rand.NewPCG(seed, 7)), seq: map[string]uint64{}}
	for n := range 15 {
		b := g.batch(n)
		for _, st := range []Store{s, m} {
			if err := st.Commit(ctx, b); err != nil {
				t.Fatal(err)
			}
		}
		if n%5 == 4 {
			if n == 9 {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = open()
			}
			compare(t, s, m, g.rng)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open()
	compare(t, s, m, g.rng)
}

// compare asks both the same.
func compare(t *testing.T, s, m Store, rng *rand.Rand) {
	t.Helper()
	ctx := context.Background()
	check := func(what string, ask func(Store) (any, error)) {
		t.Helper()
		got, err := ask(s)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
		want, _ := ask(m)
		if a, b := render(got), render(want); a != b {
			i := 0
			for i < min(len(a), len(b)) && a[i] == b[i] {
				i++
			}
			from := max(0, i-200)
			t.Errorf("%s, from byte %d:\n got %.400s\nwant %.400s", what, from, a[from:], b[from:])
		}
	}
	check("position", func(s Store) (any, error) {
		p, err := s.Position(ctx)
		slices.SortFunc(p.Offsets, func(a, b storage.Offset) int { return int(a.Partition - b.Partition) })
		return p, err
	})
	check("frames since", func(s Store) (any, error) {
		var out []storage.StoredFrame
		err := s.FramesSince(ctx, 3, func(f storage.StoredFrame) error { out = append(out, f); return nil })
		slices.SortFunc(out, func(a, b storage.StoredFrame) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		return out, err
	})
	check("frame time", func(s Store) (any, error) {
		var out []any
		err := m.FramesSince(ctx, 0, func(f storage.StoredFrame) error {
			if f.TS%7000 == 0 {
				ts, ok, err := s.FrameTime(ctx, f.Drill, f.ID)
				out = append(out, ts, ok)
				return err
			}
			return nil
		})
		ts, ok, err2 := s.FrameTime(ctx, "RIG-0", telemetry.FrameID{Device: "device-number-0", Boot: "b0", Seq: 1 << 63})
		if err == nil {
			err = err2
		}
		return append(out, ts, ok), err
	})
	check("drills", func(s Store) (any, error) { return s.Drills(), nil })
	check("latest scores", func(s Store) (any, error) { return s.LatestScores(), nil })
	check("health history", func(s Store) (any, error) {
		h := s.HealthHistory(Start + 60e9)
		for i := range h {
			h[i].Min = [storage.HealthBuckets]float64{} // of all versions in a store, of the last in the model
		}
		return h, nil
	})
	check("unregistered", func(s Store) (any, error) { return s.Unregistered(), nil })
	for d := range 3 {
		drill := fmt.Sprintf("RIG-%d", d)
		from := Start + int64(rng.IntN(30))*1e9
		q := storage.SeriesQuery{Drill: drill, From: from, To: from + int64(1+rng.IntN(100))*1e9, Points: 10 + rng.IntN(500),
			Channels: append(slices.Clone(suiteChannels), "health", "state", "health.bit", "wash.out.p", "wash.out.class")}
		for _, known := range []int64{0, Start + int64(rng.IntN(16))*1e9} {
			q.KnownAt = known
			check(fmt.Sprint("series known at ", known), func(s Store) (any, error) {
				out, err := s.Series(ctx, q)
				for i := range out {
					out[i].First, out[i].Last, out[i].Gaps, out[i].Raw = nil, nil, nil, false // of equal times either may be first
				}
				return out, err
			})
		}
		check("scores", func(s Store) (any, error) { return s.Scores(ctx, drill, from, from+50e9, 20) })
		check("latest", func(s Store) (any, error) {
			out := s.Latest(drill)
			for tag, v := range out {
				v.Value, v.Quality = 0, 0 // of equal times either may be last
				out[tag] = v
			}
			return out, nil
		})
		check("alarms", func(s Store) (any, error) { return s.AlarmEvents(ctx, storage.AlarmQuery{Drill: drill}) })
		check("commands", func(s Store) (any, error) { return s.Commands(ctx, storage.CommandQuery{Drill: drill}) })
	}
	check("alarms as they were written", func(s Store) (any, error) {
		list, err := s.AlarmRecords(ctx, storage.AlarmQuery{Since: Start + 10e9, Before: Start + 70e9})
		text := make([]string, len(list))
		for i := range list {
			text[i] = string(list[i])
		}
		return text, err
	})
	check("alarms by time", func(s Store) (any, error) {
		return s.AlarmEvents(ctx, storage.AlarmQuery{Since: Start + 10e9, Before: Start + 70e9})
	})
	check("some alarms", func(s Store) (any, error) {
		list, err := s.AlarmEvents(ctx, storage.AlarmQuery{})
		if err != nil || len(list) == 0 {
			return list, err
		}
		some, err := s.AlarmEvents(ctx, storage.AlarmQuery{IDs: []string{list[0].ID, list[len(list)-1].ID, "none"}})
		if none, err := s.AlarmEvents(ctx, storage.AlarmQuery{IDs: []string{}}); err != nil || len(none) > 0 {
			return none, fmt.Errorf("of no ids: %d, %v", len(none), err)
		}
		return some, err
	})
	check("steps of alarms, three at a time", func(s Store) (any, error) { return pages(s.AlarmSteps, 3) })
	check("commands, two at a time", func(s Store) (any, error) { return pages(s.CommandSteps, 2) })
	check("quarantine", func(s Store) (any, error) {
		items, n, err := s.Quarantine(ctx, 5, Start+80e9)
		return []any{items, n}, err
	})
	check("activations", func(s Store) (any, error) { return s.Activations(ctx) })
	check("gateways", func(s Store) (any, error) { return s.Gateways(ctx) })
	check("channels", func(s Store) (any, error) { return s.Channels(ctx) })
	for _, q := range []storage.LedgerQuery{{}, {Drill: "RIG-1"}, {Drill: "RIG-2", Device: "device-number-1"}} {
		check("ledger", func(s Store) (any, error) {
			l, err := s.Ledger(ctx, q)
			l.Gaps = 0
			for i := range l.Rows {
				l.Rows[i].Gaps = nil
			}
			return l, err
		})
	}
}

// render prints a value with what it points to; NaN equals NaN, nil equals empty.
func render(v any) string { return renderValue(reflect.ValueOf(v)) }

// pages reads all that a reading in the order of time gives, n at a time.
func pages[T any](read func(context.Context, storage.Place, int) ([]T, storage.Place, error), n int) ([]T, error) {
	all, at := []T{}, storage.Place{}
	for {
		page, next, err := read(context.Background(), at, n)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < n {
			return all, nil
		}
		at = next
	}
}
