package rig

import (
	"math"
	"testing"
)

// Research §2.1: constants from the geometry of the string.
func TestAStringHasTheStiffnessAndInertiaOfItsSteel(t *testing.T) {
	s := NewTorsion(3000)
	f := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got/want-1) > 0.05 {
			t.Errorf("%s %.1f, want %.1f", what, got, want)
		}
	}
	f("k, N·m/rad", s.K, 314)
	f("J2, kg·m²", s.J2, 352)
	f("ζ, N·m·s/rad", s.Zeta, 297)
	f("natural period, s", 2*math.Pi/math.Sqrt(s.K/s.J2), 6.7)
}

// Research §2.1: least stable speed on the 20-rpm grid by weight on bit, from
// steady drilling. One grid step of the table is allowed: its noise was another.
func TestStickSlipBeginsWhereTheTableHasIt(t *testing.T) {
	f := func(kN, stiff, soft float64) {
		t.Helper()
		for _, drive := range []struct {
			name  string
			s     *Torsion
			least float64
		}{{"stiff", NewTorsion(3000), stiff}, {"soft", NewTorsion(3000).Soft(), soft}} {
			got := 200.0
			for rpm := 140.0; rpm >= 20; rpm -= 20 {
				if drive.s.Run(kN*1000, rpm, 120, false, 1, 0).SSI > 0.5 {
					break
				}
				got = rpm
			}
			if math.Abs(got-drive.least) > 20 {
				t.Errorf("%v kN, %s drive: stable from %v rpm on, want %v", kN, drive.name, got, drive.least)
			}
		}
	}
	f(40, 60, 40)
	f(60, 80, 60)
	f(100, 80, 80)
	f(120, 100, 80)
	f(160, 100, 80)
	f(200, 120, 100)
}

// Research §2.1: a developed cycle. SSI 1.1 to 2.7, stuck 27 to 37 % of the time,
// period 7.1 to 7.7 s, peaks of 2.4 to 2.8 times the surface's speed.
func TestDevelopedStickSlipLooksAsMeasured(t *testing.T) {
	got := NewTorsion(3000).Run(100_000, 60, 150, true, 1, 0)
	f := func(what string, v, lo, hi float64) {
		t.Helper()
		if v < lo || v > hi {
			t.Errorf("%s %.2f, want %.2f to %.2f", what, v, lo, hi)
		}
	}
	f("SSI", got.SSI, 1.1, 2.7)
	f("share stuck", got.Stuck, 0.24, 0.40)
	f("period, s", got.Period, 6.9, 8.0)
	f("peak, times the surface's", got.Peak, 2.2, 3.0)
}

// Research §2.1: a bit that sticks goes on sticking at speeds at which a bit that
// drills does not begin to: to 80, 120 and 160 rpm or more, against 50 to 90.
func TestABitThatSticksGoesOnSticking(t *testing.T) {
	s := NewTorsion(3000)
	f := func(kN, onset, until float64) {
		t.Helper()
		last := func(stuck bool) float64 {
			most := 0.0
			for rpm := 40.0; rpm <= 180; rpm += 20 {
				if s.Run(kN*1000, rpm, 120, stuck, 1, 0).SSI > 0.5 {
					most = rpm
				}
			}
			return most
		}
		began, went := last(false), last(true)
		if went < began+20 || math.Abs(went-until) > 20 || math.Abs(began-onset) > 20 {
			t.Errorf("%v kN: begins up to %v rpm (want about %v), once stuck goes on up to %v (want about %v)", kN, began, onset, went, until)
		}
	}
	f(60, 55, 80)
	f(100, 70, 120)
	f(160, 90, 160)
}

// Research §2.1: the closed form, rounded up to the 20-rpm grid, is the
// simulation at five of six weights, and a step off at 200 kN.
func TestTheFastRegimeAgreesWithTheFullModel(t *testing.T) {
	for kN, least := range map[float64]float64{40: 60, 60: 80, 100: 80, 120: 100, 160: 100} {
		if got := math.Ceil(ThresholdRPM(kN*1000)/20) * 20; got != least {
			t.Errorf("%v kN: %v rpm, want %v", kN, got, least)
		}
	}
}

// A run is the same whenever it is asked for, and another seed's is another.
func TestATorsionRunIsSeeded(t *testing.T) {
	s := NewTorsion(3000)
	a, b, c := s.Run(100_000, 80, 60, false, 3, 100), s.Run(100_000, 80, 60, false, 3, 100), s.Run(100_000, 80, 60, false, 4, 100)
	same := true
	for i := range a.Speeds {
		if a.Speeds[i] != b.Speeds[i] {
			t.Fatal("two runs of one seed differ")
		}
		same = same && a.Speeds[i] == c.Speeds[i]
	}
	if same || len(a.Speeds) != 100 {
		t.Errorf("%d speeds; another seed gives the same: %v", len(a.Speeds), same)
	}
}
