package storagetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

func commitFrames(t *testing.T, s Store, frames ...*telemetry.Frame) {
	t.Helper()
	var b storage.Batch
	for _, f := range frames {
		b.AddFrame(f)
	}
	if err := s.Commit(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
}

func cancelled(t *testing.T, open func() Store) {
	s := open()
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	b := storage.Batch{Offsets: []storage.Offset{{Topic: "frames", Next: 5}}}
	b.AddFrame(&telemetry.Frame{Drill: "RIG-1", Device: "d", Boot: "b", TS: Start, Runs: []telemetry.Run{{Channel: "New_One", Values: []float64{1}}}})
	if err := s.Commit(ctx, &b); !errors.Is(err, context.Canceled) {
		t.Fatalf("commit under a context that is done: %v", err)
	}
	if p, err := s.Position(context.Background()); err != nil || len(p.Offsets) != 0 || len(s.Drills()) != 0 || len(s.Unregistered()) != 0 {
		t.Errorf("something is left: %+v %v %v", p, s.Drills(), s.Unregistered())
	}
	if err := s.Commit(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	if u := s.Unregistered(); len(u) != 1 || u[0].Tag != "New_One" {
		t.Errorf("after the second try: %+v", u)
	}
}

// One spike in an hour at 10 Hz is seen at 20 points.
func extremes(t *testing.T, open func() Store) {
	s := open()
	defer s.Close()
	var frames []*telemetry.Frame
	for i := range int64(3600) {
		r := telemetry.Run{Channel: "SPP", Every: 1e8, Values: make([]float64, 10)}
		for k := range r.Values {
			r.Values[k] = 20
		}
		if i == 1234 {
			r.Values[7], r.Values[8] = 99.5, -3.25
		}
		frames = append(frames, &telemetry.Frame{Drill: "RIG-1", Device: "d", Boot: "b", Seq: uint64(i), TS: Start + i*1e9, Runs: []telemetry.Run{r}})
	}
	commitFrames(t, s, frames...)
	out, err := s.Series(context.Background(), storage.SeriesQuery{Drill: "RIG-1", Channels: []string{"spp"}, From: Start, To: Start + 3600e9, Points: 20})
	if err != nil {
		t.Fatal(err)
	}
	o := out[0]
	if o.Channel != "SPP" || len(o.T) != 20 || o.Raw || len(o.Gaps) != 0 {
		t.Errorf("%d points of %s, raw %v, gaps %v", len(o.T), o.Channel, o.Raw, o.Gaps)
	}
	lo, hi, n := math.Inf(1), math.Inf(-1), int64(0)
	for i := range o.T {
		lo, hi, n = min(lo, o.Min[i]), max(hi, o.Max[i]), n+o.N[i]
	}
	if lo != -3.25 || hi != 99.5 || n != 36000 {
		t.Errorf("least %v, greatest %v of %d samples", lo, hi, n)
	}
}

func gaps(t *testing.T, open func() Store) {
	s := open()
	defer s.Close()
	var frames []*telemetry.Frame
	for _, i := range []int64{0, 1, 2, 3, 4, 5, 6, 30, 31, 32, 33, 34, 35} {
		frames = append(frames, &telemetry.Frame{Drill: "RIG-1", Device: "d", Boot: "b", Seq: uint64(i), TS: Start + i*1e9, Runs: []telemetry.Run{{Channel: "WOB", Every: 5e8, Values: []float64{1, 2}}}})
	}
	commitFrames(t, s, frames...)
	out, err := s.Series(context.Background(), storage.SeriesQuery{Drill: "RIG-1", Channels: []string{"WOB"}, From: Start - 100e9, To: Start + 100e9, Points: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if g := out[0].Gaps; len(g) != 1 || g[0] != [2]int64{Start + 6.5e9, Start + 30e9} || !out[0].Raw {
		t.Errorf("gaps %v, raw %v", g, out[0].Raw)
	}
}

// known amends a score and brings a frame late: before that is told what stood then, after it what stands now.
func known(t *testing.T, open func() Store) {
	s := open()
	defer s.Close()
	ctx := context.Background()
	score := func(tick int64, health float64) telemetry.Score {
		return telemetry.Score{Drill: "RIG-1", Tick: Start + tick*1e9, CauseHash: uint64(tick*100) + uint64(health), State: telemetry.StateRotary, Health: health, Confidence: 1}
	}
	frame := func(seq, at int64, wob float64) *telemetry.Frame {
		return &telemetry.Frame{Drill: "RIG-1", Device: "d", Boot: "b", Seq: uint64(seq), TS: Start + at*1e9, Runs: []telemetry.Run{{Channel: "WOB", Values: []float64{wob}}}}
	}
	for _, b := range []struct {
		arrived int64
		frame   *telemetry.Frame
		scores  []telemetry.Score
	}{
		{2, frame(1, 1, 90), []telemetry.Score{score(1, 88)}},
		{4, frame(3, 3, 92), []telemetry.Score{score(3, 87)}},
		{60, frame(2, 2, 91), []telemetry.Score{score(2, 71), score(3, 70)}}, // late, and what it amended
		{90, frame(4, 90, 93), []telemetry.Score{score(3, 69)}},              // again
	} {
		batch := storage.Batch{Arrived: Start + b.arrived*1e9, Scores: b.scores}
		batch.AddFrame(b.frame)
		if err := s.Commit(ctx, &batch); err != nil {
			t.Fatal(err)
		}
	}
	f := func(at int64, health, wob string) {
		t.Helper()
		q := storage.SeriesQuery{Drill: "RIG-1", Channels: []string{"health", "WOB"}, From: Start, To: Start + 10e9, Points: 10}
		if at != 0 {
			q.KnownAt = Start + at*1e9
		}
		out, err := s.Series(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		if h, w := fmt.Sprint(out[0].Last), fmt.Sprint(out[1].Last); h != health || w != wob {
			t.Errorf("known at %d s: health %s, weight %s; want %s, %s", at, h, w, health, wob)
		}
	}
	f(1, "[]", "[]")
	f(3, "[88]", "[90]")
	f(59, "[88 87]", "[90 92]")
	f(60, "[88 71 70]", "[90 91 92]") // at the very time
	f(89, "[88 71 70]", "[90 91 92]")
	f(90, "[88 71 69]", "[90 91 92]")
	f(0, "[88 71 69]", "[90 91 92]")
}

func wrong(t *testing.T, open func() Store) {
	s := open()
	defer s.Close()
	ctx := context.Background()
	commitFrames(t, s, &telemetry.Frame{Drill: "RIG-1", Device: "d", Boot: "b", TS: Start, Runs: []telemetry.Run{{Channel: "WOB", Values: []float64{1}}}})
	f := func(q storage.SeriesQuery, want string) {
		t.Helper()
		if _, err := s.Series(ctx, q); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", q, err, want)
		}
	}
	one := []string{"WOB"}
	f(storage.SeriesQuery{Drill: "RIG-1", Channels: one, From: 2, To: 1, Points: 5}, "from must be before to")
	f(storage.SeriesQuery{Drill: "RIG-1", Channels: one, From: 1, To: 2}, "points")
	f(storage.SeriesQuery{Drill: "RIG-1", From: 1, To: 2, Points: 5}, "channels")
	f(storage.SeriesQuery{Drill: "RIG-1", Channels: []string{"nope'; DROP TABLE frames"}, From: 1, To: 2, Points: 5}, "no such channel")
	var unknown *storage.UnknownChannel
	if _, err := s.Series(ctx, storage.SeriesQuery{Drill: "RIG-1", Channels: []string{"health.nose"}, From: 1, To: 2, Points: 5}); !errors.As(err, &unknown) {
		t.Errorf("unknown channel: %v", err)
	}
	for _, q := range []storage.SeriesQuery{{Drill: "nobody", Channels: one, From: Start, To: Start + 1e9, Points: 5}, {Drill: "RIG-1", Channels: []string{"GR"}, From: Start, To: Start + 1e9, Points: 5}} {
		if out, err := s.Series(ctx, q); err != nil || len(out) != 1 || len(out[0].T) != 0 {
			t.Errorf("%+v: %+v, %v", q, out, err)
		}
	}
}
