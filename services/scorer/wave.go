package scorer

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/mudpulse/mudpulse/services/internal/snapshot"
	"github.com/mudpulse/mudpulse/telemetry"
)

// waveform reports whether a channel's runs are snapshots; k is road.slot's.
func (l *lane) waveform(r *road, tag string, k int) bool {
	if k >= 0 {
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
	shaft, of := nan, ""
	if c := l.channel(s.name); c != nil {
		of = c.Shaft
	}
	for i := range f.Runs {
		o := &f.Runs[i]
		if o.Channel != of {
			continue
		}
		for j, v := range o.Values {
			if v == v && (o.Quality == nil || o.Quality[j] != telemetry.Stale && o.Quality[j] != telemetry.OutOfRange) {
				shaft = v / 60
			}
		}
	}
	r.heardWave(telemetry.Snapshot{Channel: s.name, TS: t, Frame: f.ID(), Hash: strconv.FormatUint(f.Hash, 16)})
	parts := r.parts.at(t)
	r.feats.wave(int(s.feat), t, u.Every, u.Values, shaft, func(word string) float64 {
		if parts != nil {
			if v, ok := parts.numbers[word]; ok {
				return v
			}
		}
		return nan
	})
}

// keptWaves is how many snapshots of a drill are remembered by name, for the
// evidence of alarms: those behind a row, and behind rows that late frames amend.
const keptWaves = 8

// heardWave remembers a snapshot. Rows in hand hold the list as it was.
func (r *road) heardWave(w telemetry.Snapshot) {
	all := append(slices.Clone(r.waves), w)
	slices.SortStableFunc(all, func(a, b telemetry.Snapshot) int { return cmp.Compare(a.TS, b.TS) })
	r.waves = all[max(0, len(all)-keptWaves):]
}

// Snapshot returns the newest waveform, at the row's tick, of the channel that a
// feature is computed of.
func (k *looker) Snapshot(signal string) (telemetry.Snapshot, bool) {
	channel, _, feature := strings.Cut(signal, "__")
	if feature {
		for _, w := range slices.Backward(k.w.waves) {
			if w.Channel == channel && w.TS < k.w.tick+second {
				return w, true
			}
		}
	}
	return telemetry.Snapshot{}, false
}

func appendWaves(w *snapshot.Writer, all []telemetry.Snapshot) {
	w.Uint(uint64(len(all)))
	for _, s := range all {
		w.String(s.Channel)
		w.Int(s.TS)
		w.String(s.Frame.Device)
		w.String(s.Frame.Boot)
		w.Uint(s.Frame.Seq)
		w.Uint(uint64(s.Frame.Part))
		w.String(s.Hash)
	}
}

func restoreWaves(r *snapshot.Reader) (all []telemetry.Snapshot) {
	for range r.Len(7) {
		all = append(all, telemetry.Snapshot{Channel: r.String(), TS: r.Int(), Frame: telemetry.FrameID{Device: r.String(), Boot: r.String(), Seq: r.Uint(), Part: uint32(r.Uint())}, Hash: r.String()})
	}
	return all
}
