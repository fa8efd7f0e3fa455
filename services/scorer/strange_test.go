package scorer

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/telemetry"
)

// A clock that was never set starts in 1970. What such a device sends is one
// second that cannot be scored, named as such, and seconds that can; the drill
// is scored as before once the clock is set.
func TestADeviceWhoseClockStartsIn1970IsNamedAndStopsNobody(t *testing.T) {
	out := newTape()
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": sum("y")}}, out)
	mark(t, p, activate("good", 1, "a"))
	for boot, history := range map[string]bool{"live": false, "history": true} {
		for seq := range uint64(4) {
			f := frame("R1", seq, 100, 120)
			f.TS, f.Boot = int64(seq)*second, boot
			err := p.Frame(t.Context(), f, history, int64(seq))
			if named := err != nil && strings.Contains(err.Error(), "first second of 1970"); named != (seq == 0) {
				t.Errorf("%s, %d s after 1970: %v", boot, seq, err)
			}
		}
	}
	feed(t, p, frame("R1", 9, 100, 120))
	p.Flush()
	if _, ok := out.last["R1"][start+9*second]; !ok || len(out.last["R1"]) != 4 {
		t.Errorf("%d ticks scored, want 3 of 1970 and the one after the clock was set (%v)", len(out.last["R1"]), ok)
	}
}

// Whatever times, offsets and spacings frames have, whatever order they come in: a
// frame is taken or its error says why, and what is kept of a drill can be written
// down and read back.
func FuzzFramesOfStrangeTimes(f *testing.F) {
	for seed := range uint64(24) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		pick := func(of ...int64) int64 { return of[r.IntN(len(of))] }
		shelf := &shelf{models: map[string]*fake{"a": sum("y")}}
		p := newPartition(t, testConfig(), shelf, newTape())
		mark(t, p, activate("good", 1, "a"))
		const day = 24 * 3600 * second
		for seq := range uint64(150) {
			f := frame("R1", seq, 100, 120)
			f.TS = pick(0, start, start, start, start+day, 190*365*day, -60*365*day, math.MaxInt64, math.MinInt64) +
				pick(0, 0, 1, -1, second, -second, int64(r.IntN(600))*second, -int64(r.IntN(int(day))))
			for i := range f.Runs {
				u := &f.Runs[i]
				if r.IntN(4) == 0 {
					u.Offset = pick(0, -1, 1, second, -second, 59*second, -61*second, day, math.MaxInt64, math.MinInt64)
				}
				if r.IntN(4) == 0 {
					u.Every = pick(0, -1, 1, second, -second, 3600*second, day, math.MaxInt64, math.MinInt64)
				}
				switch r.IntN(8) {
				case 0:
					u.Values = nil
				case 1:
					u.Values = u.Values[:1]
				case 2:
					u.Quality = make([]telemetry.Quality, r.IntN(12))
				case 3:
					u.Values[0] = []float64{nan, math.Inf(1), math.MaxFloat64, -math.MaxFloat64}[r.IntN(4)]
				}
			}
			if r.IntN(9) == 0 {
				f.Runs = append(f.Runs, telemetry.Run{Channel: "TDACC", Every: pick(78125, 0, -1, second), Offset: pick(0, -second, 70*second), Values: make([]float64, 64)})
			}
			if r.IntN(9) == 0 {
				f.Flags |= telemetry.FlagFuture
			}
			f.Hash = telemetry.ContentHash(f)
			_ = p.Frame(t.Context(), f, r.IntN(3) == 0, int64(seq))
			if r.IntN(40) == 0 {
				p.Flush()
			}
		}
		p.Flush()
		again := newPartition(t, testConfig(), shelf, newTape())
		b, err := p.Snapshot(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Restore(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	})
}
