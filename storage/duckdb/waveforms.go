package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"time"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/internal/ledger"
	"github.com/mudpulse/mudpulse/telemetry"
)

// addWaveform appends a snapshot. Its time is kept in whole microseconds like any
// other; the spacing of its samples is not rounded.
func (s *Store) addWaveform(f *telemetry.Frame, r *telemetry.Run, src int32, uid uint64, at, commit int64) {
	if len(r.Values) == 0 {
		return
	}
	start := us(r.Time(f.TS, 0))
	shaft := math.NaN()
	if c := s.cat.Get(r.Channel); c != nil && c.Shaft != "" {
		for i := range f.Runs {
			if o := &f.Runs[i]; o.Channel == c.Shaft && len(o.Values) > 0 {
				shaft = o.Values[len(o.Values)-1]
			}
		}
	}
	s.tab.waveforms.add(src, f.Seq, f.Part, uid, r.Channel, start, start*1000-us(f.TS)*1000, r.Every, shaft, r.Values, r.Quality, at, commit)
}

// Waveforms lists the snapshots of a drill that began in [from, to), newest first, at most limit.
func (s *Store) Waveforms(ctx context.Context, drill string, from, to int64, limit int) ([]storage.Waveform, error) {
	var out []storage.Waveform
	err := s.waveforms(ctx, drill, fmt.Sprintf("ts >= make_timestamp(%d) AND ts < make_timestamp(%d)", us(from), us(to)), limit, false, func(w *storage.Waveform, _ []float64) error {
		out = append(out, *w)
		return nil
	})
	return out, err
}

// Waveform returns the samples of a drill's snapshot of a channel that began
// within the millisecond after a time, and whether there is one.
func (s *Store) Waveform(ctx context.Context, drill, channel string, at int64) (storage.Waveform, []float64, bool, error) {
	var out storage.Waveform
	var samples []float64
	found := false
	err := s.waveforms(ctx, drill, fmt.Sprintf("ts >= make_timestamp(%d) AND ts < make_timestamp(%d) AND channel = %s", us(at), us(at)+1000, lit(channel)), 1, true, func(w *storage.Waveform, x []float64) error {
		out, samples, found = *w, x, true
		return nil
	})
	return out, samples, found, err
}

func (s *Store) waveforms(ctx context.Context, drill, where string, limit int, whole bool, f func(*storage.Waveform, []float64) error) error {
	srcs := s.sourcesOf(drill)
	if len(srcs) == 0 {
		return nil
	}
	samples := "NULL"
	if whole {
		samples = "samples"
	}
	q := fmt.Sprintf("SELECT src, seq, part, uid, channel, epoch_us(ts), every_ns, len(samples), shaft, %s FROM store.waveforms WHERE src IN (%s) AND %s ORDER BY ts DESC, channel, src, seq LIMIT %d", samples, joinInts(srcs), where, limit)
	err := s.each(ctx, q, func(r *sql.Rows) error {
		w := storage.Waveform{Drill: drill}
		var src int32
		var uid uint64
		var list any
		var shaft *float64
		if err := r.Scan(&src, &w.ID.Seq, &w.ID.Part, &uid, &w.Channel, &w.TS, &w.Every, &w.Samples, &shaft, &list); err != nil {
			return err
		}
		k := s.sourceName(src)
		w.ID.Device, w.ID.Boot, w.TS = k.device, ledger.JoinBoot(k.boot, uid), w.TS*1000
		w.Shaft = number(shaft)
		return f(&w, floats(list))
	})
	if err != nil {
		return fmt.Errorf("waveforms of %s: %w", drill, err)
	}
	return nil
}

// fillWaveforms gives a block's frames their snapshots.
func (s *Store) fillWaveforms(ctx context.Context, b *block, where string, find func(src int32, seq uint64, part uint32, ts, arrived int64) int) error {
	return s.each(ctx, "SELECT src, seq, part, channel, epoch_us(ts), epoch_us(arrived), offset_ns, every_ns, samples, quality FROM store.waveforms WHERE "+where+" ORDER BY ts, channel", func(r *sql.Rows) error {
		var src int32
		var seq uint64
		var part uint32
		var run telemetry.Run
		var ts, arrived int64
		var list any
		if err := r.Scan(&src, &seq, &part, &run.Channel, &ts, &arrived, &run.Offset, &run.Every, &list, &run.Quality); err != nil {
			return err
		}
		i := find(src, seq, part, ts, arrived)
		if i < 0 {
			return nil
		}
		run.Values = floats(list)
		b.frames[i].waves = append(b.frames[i].waves, run)
		return nil
	})
}

// retireWaveforms deletes snapshots that are older than readings are kept.
func (s *Store) retireWaveforms(now int64) error {
	if s.cfg.KeepReadings <= 0 {
		return nil
	}
	old := us(now - now%int64(time.Hour) - int64(s.cfg.KeepReadings))
	return s.exec(fmt.Sprintf("DELETE FROM store.waveforms WHERE ts < make_timestamp(%d)", old))
}
