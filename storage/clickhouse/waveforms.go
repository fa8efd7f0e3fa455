package clickhouse

import (
	"context"
	"fmt"

	"github.com/mudpulse/mudpulse/storage"
)

// Waveforms lists the snapshots of a drill that began in [from, to), newest first, at most limit.
func (s *Store) Waveforms(ctx context.Context, drill string, from, to int64, limit int) ([]storage.Waveform, error) {
	var out []storage.Waveform
	err := s.waveforms(ctx, drill, "", us(from), us(to), limit, "CAST([] AS Array(Float64))", func(w *storage.Waveform, _ []float64) { out = append(out, *w) })
	return out, err
}

// Waveform returns the samples of a drill's snapshot of a channel that began
// within the millisecond after a time, and whether there is one.
func (s *Store) Waveform(ctx context.Context, drill, channel string, at int64) (storage.Waveform, []float64, bool, error) {
	var out storage.Waveform
	var samples []float64
	found := false
	err := s.waveforms(ctx, drill, " AND channel = "+lit(channel), us(at), us(at)+1000, 1, "values", func(w *storage.Waveform, x []float64) { out, samples, found = *w, x, true })
	return out, samples, found, err
}

func (s *Store) waveforms(ctx context.Context, drill, and string, from, to int64, limit int, values string, f func(*storage.Waveform, []float64)) error {
	q := fmt.Sprintf("SELECT device, boot, seq, part, channel, intDiv(toUnixTimestamp64Nano(ts), 1000) AS t, every, length(values), shaft, %s FROM %s WHERE drill = %s AND ts >= fromUnixTimestamp64Micro(%d, 'UTC') AND ts < fromUnixTimestamp64Micro(%d, 'UTC')%s AND %s ORDER BY t DESC, channel, device, seq LIMIT %d",
		values, s.table("waveforms"), lit(drill), from, to, and, s.visible(), limit)
	err := s.each(ctx, q, func(r row) error {
		w := storage.Waveform{Drill: drill}
		var n uint64
		var samples []float64
		if err := r.Scan(&w.ID.Device, &w.ID.Boot, &w.ID.Seq, &w.ID.Part, &w.Channel, &w.TS, &w.Every, &n, &w.Shaft, &samples); err != nil {
			return err
		}
		w.TS, w.Samples = w.TS*1000, int(n)
		f(&w, samples)
		return nil
	})
	if err != nil {
		return fmt.Errorf("waveforms of %s: %w", drill, err)
	}
	return nil
}
