package scorer

import (
	"slices"

	"github.com/mudpulse/mudpulse/telemetry"
)

// waveform reports whether a channel's runs are snapshots; hint is road.slot's.
func (l *lane) waveform(r *road, tag string, hint int) bool {
	if k := r.slot(tag, hint); k >= 0 {
		return r.slots[k].wave
	}
	c := l.channel(tag)
	return c != nil && c.Class == telemetry.Waveform
}

// snapshot takes a run of a waveform: whole, or not at all. It belongs to the
// second in which it began. The shaft's speed is the last good one in the same
// frame; the numbers of parts are those in place when it began.
func (l *lane) snapshot(r *road, k int, f *telemetry.Frame, u *telemetry.Run) {
	s := &r.slots[k]
	if s.feat < 0 || !s.used || slices.ContainsFunc(u.Quality, func(q telemetry.Quality) bool { return q == telemetry.Stale || q == telemetry.OutOfRange }) {
		return
	}
	t := u.Time(f.TS, 0)
	t -= floorMod(t, 1000) // what the store keeps
	shaft := nan
	for i := range f.Runs {
		o := &f.Runs[i]
		if o.Channel != s.shaft {
			continue
		}
		for j, v := range o.Values {
			if v == v && (o.Quality == nil || o.Quality[j] != telemetry.Stale && o.Quality[j] != telemetry.OutOfRange) {
				shaft = v / 60
			}
		}
	}
	parts := r.parts.at(t)
	r.feats.wave(s.feat, t, u.Every, u.Values, shaft, func(word string) float64 {
		if parts != nil {
			if v, ok := parts.numbers[word]; ok {
				return v
			}
		}
		return nan
	})
}
