package rig

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

var epoch = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// Research §2.5: fall of standpipe pressure at 35 L/s by the size of the hole.
func TestAWashoutTakesThePressureOfTheTable(t *testing.T) {
	c := circuit{depth: 3000, density: 1250}
	whole := c.Pressure(0.035, 0)
	if math.Abs(whole/1e6-25.7) > 0.2 {
		t.Errorf("%.2f MPa, want 25.7", whole/1e6)
	}
	f := func(mm, drop float64) {
		t.Helper()
		if got := 100 * (1 - c.Pressure(0.035, mm)/whole); math.Abs(got-drop) > max(0.6, 0.06*drop) {
			t.Errorf("%v mm: falls by %.1f %%, want %.1f", mm, got, drop)
		}
	}
	f(2, 1.5)
	f(4, 5.6)
	f(6, 11.7)
	f(8, 18.8)
	f(10, 26)
	f(12, 33)
	f(16, 44)
}

// Research §2.1: formula rpm* by weight on bit.
func TestStickSlipBeginsAtTheThresholdOfTheTable(t *testing.T) {
	f := func(kN, rpm float64) {
		t.Helper()
		if got := ThresholdRPM(kN * 1000); math.Abs(got-rpm) > 1.5 {
			t.Errorf("%v kN: %.1f rpm, want %v", kN, got, rpm)
		}
	}
	f(40, 51)
	f(60, 62)
	f(100, 77)
	f(120, 82)
	f(160, 91)
	f(200, 97)
}

func TestASecondIsTheSameWheneverItIsAsked(t *testing.T) {
	at := epoch.Add(30 * time.Hour)
	a, b := New("RIG-01", 7, epoch), New("RIG-01", 7, epoch)
	for i := range 3000 { // b goes there second by second, a at once
		b.Second(at.Add(time.Duration(i-3000) * time.Second))
	}
	x, y := a.Second(at), b.Second(at)
	if !reflect.DeepEqual(x, y) {
		t.Error("a second differs by the way to it")
	}
	if z := New("RIG-01", 8, epoch).Second(at); reflect.DeepEqual(x.Runs, z.Runs) {
		t.Error("another seed gives the same second")
	}
}

func TestAMinuteHasSixThousandReadingsWithinTheirRanges(t *testing.T) {
	r := New("RIG-02", 7, epoch)
	cat := telemetry.DefaultCatalogue()
	n := 0
	for i := range 60 {
		f := r.Second(epoch.Add(5*time.Hour + time.Duration(i)*time.Second))
		n += f.Readings()
	}
	if n != 6000 {
		t.Errorf("%d readings a minute, want 6000", n)
	}
	for h := range 14 * 24 {
		f := r.Second(epoch.Add(time.Duration(h) * time.Hour))
		for _, run := range f.Runs {
			c := cat.Get(run.Channel)
			for _, v := range run.Values {
				if v < c.Low || v > c.High {
					t.Fatalf("hour %d: %s = %v, plausible %v to %v", h, run.Channel, v, c.Low, c.High)
				}
			}
		}
	}
}

// No field of a frame can carry the truth: its channels are those of a sensor.
func TestGroundTruthIsNeverInAFrame(t *testing.T) {
	start := epoch.Add(100 * time.Hour)
	r := New("RIG-03", 7, epoch, Fault{Kind: Washout, Start: start, Life: 4 * time.Hour})
	known := map[string]bool{"INC": true, "AZI": true, "TF": true}
	for _, c := range channels {
		known[c] = true
	}
	for i := range 7200 {
		f := r.Second(start.Add(time.Duration(i) * time.Second))
		if f.Device != "edr-1" || f.Boot != "" || f.Topic != "" {
			t.Fatalf("frame %+v", f)
		}
		for _, run := range f.Runs {
			if !known[run.Channel] {
				t.Fatalf("channel %s", run.Channel)
			}
		}
	}
	if r.Truth(start.Add(2 * time.Hour)).Severity[Washout] != 0.5 {
		t.Error("the truth beside is wrong")
	}
}

func BenchmarkSecond(b *testing.B) {
	r := New("RIG-01", 7, epoch)
	at := epoch
	for b.Loop() {
		at = at.Add(time.Second)
		r.Second(at)
	}
}

// Research §2.12: shares of the states; half to twice of each is a crew of its own.
func TestACrewSharesItsTimeAsCrewsDo(t *testing.T) {
	share, all := map[string]float64{}, 0.0
	for _, name := range []string{"RIG-01", "RIG-02", "RIG-03", "RIG-04"} {
		r := New(name, 7, epoch)
		for m := range 60 * 24 * 60 {
			share[r.Truth(epoch.Add(time.Duration(m)*time.Minute)).State]++
			all++
		}
	}
	for state, want := range map[string]float64{telemetry.StateRotary: 0.42, telemetry.StateSliding: 0.13, telemetry.StateReaming: 0.06, telemetry.StateCirculating: 0.08,
		telemetry.StateConnection: 0.07, telemetry.StateTripping: 0.16, telemetry.StateIdle: 0.08} {
		if got := share[state] / all; got < want/2 || got > want*2 {
			t.Errorf("%s: %.1f %% of the time, want about %.0f %%", state, 100*got, 100*want)
		}
	}
	t.Log(share, all)
}
