package duckdb

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// shaken is a snapshot of a bearing: not at a whole microsecond, its spacing no whole number of them.
func shaken(seq uint64, n int) *telemetry.Frame {
	f := &telemetry.Frame{Drill: "RIG-01", Device: "vib", Boot: "v1", Seq: seq, TS: t0 + int64(seq)*60e9, Hash: seq, Runs: []telemetry.Run{
		{Channel: "TDACC", Offset: 1234, Every: 78125}, {Channel: "TDSPD", Values: []float64{1187.5}}, {Channel: "WOB", Values: []float64{90}}}}
	for i := range n {
		f.Runs[0].Values = append(f.Runs[0].Values, math.Sin(float64(i)*float64(seq)))
	}
	return f
}

func TestASnapshotIsKeptWholeAndGivenAgainBitForBit(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		clock := telemetry.NewManualClock(time.Unix(0, t0))
		cfg := DefaultConfig(t.TempDir())
		cfg.KeepReadings, cfg.KeepRecords = 10*time.Hour, 20*time.Hour
		s, err := Open(cfg, telemetry.DefaultCatalogue(), clock, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { s.Close() }()
		ctx := context.Background()
		var b storage.Batch
		var want []*telemetry.Frame
		for i := range uint64(5) {
			f := shaken(i+1, 12800)
			if i == 3 {
				f.Runs[0].Values[7] = math.NaN()
				f.Runs[0].Quality = make([]telemetry.Quality, 12800)
				f.Runs[0].Quality[9] = telemetry.OutOfRange
			}
			b.AddFrame(f)
			want = append(want, f)
		}
		if err := s.Commit(ctx, &b); err != nil {
			t.Fatal(err)
		}
		if sealed {
			clock.Set(time.Unix(0, t0).Add(3 * time.Hour))
			if err := s.Seal(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if s, err = Open(cfg, telemetry.DefaultCatalogue(), clock, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		n := 0
		done, err := s.Replay(ctx, storage.ReplayQuery{Drill: "RIG-01", From: t0, To: t0 + 3600e9}, func(f *telemetry.Frame) error {
			w := want[n]
			n++
			i := slices.IndexFunc(f.Runs, func(r telemetry.Run) bool { return r.Channel == "TDACC" })
			if i < 0 || len(f.Runs) != 3 {
				t.Fatalf("frame %d has %d runs", w.Seq, len(f.Runs))
			}
			got, asked := f.Runs[i], w.Runs[0]
			if at := f.TS + got.Offset; at != (w.TS+1234)/1000*1000 || got.Every != 78125 || !reflect.DeepEqual(got.Quality, asked.Quality) {
				t.Errorf("frame %d: at %d every %d", w.Seq, at, got.Every)
			}
			for k, v := range asked.Values {
				if math.Float64bits(got.Values[k]) != math.Float64bits(v) && (v == v || got.Values[k] == got.Values[k]) {
					t.Fatalf("frame %d: sample %d is %v, was %v", w.Seq, k, got.Values[k], v)
				}
			}
			return nil
		})
		if err != nil || n != 5 || done.Short != 0 {
			t.Errorf("%d frames, %+v, %v", n, done, err)
		}
		list, err := s.Waveforms(ctx, "RIG-01", t0, t0+1e15, 3)
		if err != nil || len(list) != 3 || list[0].ID.Seq != 5 || list[0].Samples != 12800 || list[0].Every != 78125 || list[0].Channel != "TDACC" || list[0].Shaft != 1187.5 {
			t.Fatalf("%+v, %v", list, err)
		}
		var of string
		if err := s.SQL().QueryRow("SELECT string_agg(concat_ws(' ', drill, channel, rate, count, shaft, bytes), ', ' ORDER BY ts) FROM waveforms WHERE ts >= make_timestamp(?)", list[1].TS/1000).Scan(&of); err != nil ||
			of != "RIG-01 TDACC 12800.0 12800 1187.5 115200, RIG-01 TDACC 12800.0 12800 1187.5 102400" {
			t.Errorf("the view: %s %v", of, err)
		}
		w, x, found, err := s.Waveform(ctx, "RIG-01", "TDACC", list[1].TS)
		if err != nil || !found || w != list[1] || len(x) != 12800 || x[5] != want[3].Runs[0].Values[5] || x[7] == x[7] {
			t.Errorf("%+v %v %v", w, found, err)
		}
		if _, _, found, err := s.Waveform(ctx, "RIG-01", "WOB", list[1].TS); err != nil || found {
			t.Errorf("a snapshot of WOB: %v %v", found, err)
		}
		if v := s.Latest("RIG-01")["TDACC"]; v != (storage.Value{}) {
			t.Errorf("a snapshot's last sample is shown as a reading: %v", v)
		}
		clock.Set(time.Unix(0, t0).Add(12 * time.Hour))
		if err := errors.Join(s.Maintain(ctx), s.Checkpoint(ctx)); err != nil {
			t.Fatal(err)
		}
		if list, err := s.Waveforms(ctx, "RIG-01", t0, t0+1e15, 9); err != nil || len(list) != 0 {
			t.Errorf("after twelve hours, ten of which are kept: %d, %v", len(list), err)
		}
	}
}
