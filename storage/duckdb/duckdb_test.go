package duckdb

import (
	"context"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

var t0 = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC).UnixNano()

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(DefaultConfig(dir), telemetry.DefaultCatalogue(), telemetry.NewManualClock(time.Unix(0, t0)), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// frame is the default profile: 100 readings.
func frame(drill string, seq uint64) *telemetry.Frame {
	f := &telemetry.Frame{Drill: drill, Device: "edr-1", Boot: "b1", Seq: seq, TS: t0 + int64(seq)*1e9, Gateway: "gw-1", Received: t0, Hash: seq * 7}
	for i, ch := range telemetry.DefaultCatalogue().All() {
		if ch.Class == telemetry.Narrow {
			continue
		}
		n := max(1, int(ch.Class.Hz()))
		if ch.Class == telemetry.Slow && seq%2 == 1 {
			continue
		}
		r := telemetry.Run{Channel: ch.Tag, Every: int64(1e9) / int64(n)}
		for k := range n {
			v := ch.NormalLow + (ch.NormalHigh-ch.NormalLow)*(0.5+0.4*math.Sin(float64(seq)+float64(k)/10+float64(i)))
			r.Values = append(r.Values, math.Round(v/ch.Resolution)*ch.Resolution)
		}
		f.Runs = append(f.Runs, r)
	}
	return f
}

func TestSmoke(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	ctx := context.Background()
	var b storage.Batch
	for i := range 10 {
		b.AddFrame(frame("RIG-01", uint64(i)))
	}
	f := frame("RIG-01", 10)
	f.Runs = append(f.Runs, telemetry.Run{Channel: "Odd_One", Values: []float64{1.5}})
	b.AddFrame(f)
	b.Scores = append(b.Scores, telemetry.Score{Drill: "RIG-01", Tick: t0, Causes: []telemetry.FrameID{f.ID()}, State: "rotary", Health: 88, Confidence: 1, TimeLeft: math.NaN(),
		Results: []telemetry.Result{{Model: "m.x@1", Outputs: []telemetry.Output{{Name: "rul", Number: 12.5}, {Name: "cls", Number: math.NaN(), Text: "bad"}}}},
		Reasons: []telemetry.Reason{{Subsystem: "bit", Code: "c", Points: 12, Feature: "WOB", Value: 3, Normal: math.NaN()}}})
	b.Offsets = []storage.Offset{{Topic: "frames", Partition: 1, Next: 11}}
	b.Cluster, b.Dedup, b.Arrived = "c1", []byte("state"), t0
	if err := s.Commit(ctx, &b); err != nil {
		t.Fatal(err)
	}
	l, err := s.Ledger(ctx, storage.LedgerQuery{})
	t.Logf("%+v %v", l, err)
	out, err := s.Series(ctx, storage.SeriesQuery{Drill: "RIG-01", Channels: []string{"WOB", "odd_one", "MTO", "health", "state", "m.x.rul", "health.bit"}, From: t0, To: t0 + 20e9, Points: 20})
	t.Logf("%+v %v", out, err)
	sc, err := s.Scores(ctx, "RIG-01", t0, t0+1e9, 0)
	t.Logf("%+v %v", sc, err)
	for _, v := range Views {
		rows, err := s.db.Query("SELECT * FROM " + v + " LIMIT 3")
		if err != nil {
			t.Error(v, err)
			continue
		}
		for rows.Next() {
		}
		if err := rows.Err(); err != nil {
			t.Error(v, err)
		}
		rows.Close()
	}
	if err := s.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	p, err := s.Position(ctx)
	t.Logf("%+v %v %+v", p, err, s.Drills())
	t.Log(s.Latest("RIG-01"), s.Unregistered())
	st, err := s.Stats(ctx)
	t.Logf("%+v %v", st, err)
}
