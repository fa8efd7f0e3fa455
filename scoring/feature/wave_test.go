package feature

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var ofWaves = []string{
	"V__band__f_10_1000__2h", "V__centroid__2h", "V__order__o_1__2h", "V__order__o_10__10m__in_rotary", "V__order__o_bearing_bpfo__2h",
	"V__env__o_3_06__f_2500_3500__2h", "V__env__o_bearing_bpfo__f_2500_3500__2h", "V__env__o_3_06__f_1000_2000__2h",
	"V__rms__2h", "V__kurtosis__30m", "V__crest__10m__in_rotary", "V__q__p_95__10m", "V__lag__2h", "V__centroid__2h__z",
}

// tone is a second at 12.8 kHz: a shaft at 20 turns a second, its tenth order, and a
// resonance at 3 kHz that is struck 3.06 times a turn, size g each.
func tone(rng *rand.Rand, size float64) []float64 {
	x := make([]float64, 12800)
	for i := range x {
		t := float64(i) / 12800
		x[i] = 0.2*math.Sin(2*math.Pi*20*t) + 0.1*math.Sin(2*math.Pi*200*t+1) + 0.05*rng.NormFloat64()
		hit := math.Mod(t, 1/(3.06*20))
		x[i] += size * math.Exp(-900*hit) * math.Sin(2*math.Pi*3000*hit)
	}
	return x
}

func numbers(word string) float64 {
	if word == "bearing_bpfo" {
		return 3.06
	}
	return nan
}

func ofAll(s *State, tick int64) map[string]float64 {
	names := s.plan.Names()
	num, to := make([]float64, len(names)), make([]int, len(names))
	for i := range to {
		to[i] = i
	}
	s.Read(tick, num, to)
	out := map[string]float64{}
	for i, n := range names {
		out[n.String()] = num[i]
	}
	return out
}

func TestASnapshotSaysWhatIsInIt(t *testing.T) {
	s := mustCompile(t, ofWaves).NewState()
	rng := rand.New(rand.NewPCG(1, 1))
	s.Wave(0, start*ns, 78125, tone(rng, 2), 20, numbers)
	got := ofAll(s, (start+60)*ns)
	near := func(name string, want, within float64) {
		t.Helper()
		if g := got[name]; !(math.Abs(g-want) <= within) {
			t.Errorf("%s = %v, want %v ± %v", name, g, want, within)
		}
	}
	near("V__order__o_1__2h", 0.2, 0.02)                                 // between two lines a Hann window loses up to 1.4 dB
	near("V__band__f_10_1000__2h", math.Sqrt((0.2*0.2+0.1*0.1)/2), 0.03) // some of the hits is in there
	if got["V__env__o_3_06__f_2500_3500__2h"] < 20 || got["V__env__o_3_06__f_2500_3500__2h"] != got["V__env__o_bearing_bpfo__f_2500_3500__2h"] {
		t.Errorf("envelope: %v and %v", got["V__env__o_3_06__f_2500_3500__2h"], got["V__env__o_bearing_bpfo__f_2500_3500__2h"])
	}
	near("V__order__o_bearing_bpfo__2h", 0, 0.1)
	if k := got["V__kurtosis__30m"]; k < 4 {
		t.Errorf("kurtosis of hits: %v", k)
	}
	for _, name := range []string{"V__order__o_10__10m__in_rotary", "V__lag__2h", "V__centroid__2h__z"} {
		if g := got[name]; g == g {
			t.Errorf("%s = %v, want missing", name, g)
		}
	}
	s.Rig(start*ns, "rotary")
	got = ofAll(s, (start+61)*ns)
	near("V__order__o_10__10m__in_rotary", 0.1, 0.01)
	got = ofAll(s, (start+599)*ns)
	near("V__order__o_10__10m__in_rotary", 0.1, 0.01)
	got = ofAll(s, (start+600)*ns)
	near("V__order__o_1__2h", 0.2, 0.02) // between two lines a Hann window loses up to 1.4 dB
	if g := got["V__order__o_10__10m__in_rotary"]; g == g {
		t.Errorf("a snapshot of ten minutes ago is in a window of ten minutes: %v", g)
	}
}

func TestWhatIsNoSnapshotIsLeftOut(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	good := tone(rng, 0)
	hole := slices.Clone(good)
	hole[77] = nan
	f := func(at, every int64, x []float64, shaft float64, want bool) {
		t.Helper()
		s := mustCompile(t, ofWaves).NewState()
		s.Rig(start*ns, "idle")
		s.Wave(0, at, every, x, shaft, numbers)
		if g := ofAll(s, start*ns)["V__rms__2h"]; (g == g) != want {
			t.Errorf("rms %v", g)
		}
	}
	f(start*ns, 78125, good, 20, true)
	f(start*ns, 78125, good, nan, true)
	f(start*ns, 78125, hole, 20, false)
	f(start*ns, 0, good, 20, false)
	f(start*ns, 78125, good[:LeastWave-1], 20, false)
	f(start*ns, 78125, good[:LeastWave], 20, true)
	f((start-late-1)*ns, 78125, good, 20, false)
	f((start-late)*ns, 78125, good, 20, true)
	s := mustCompile(t, ofWaves).NewState()
	s.Wave(0, start*ns, 78125, good, nan, numbers)
	if g := ofAll(s, start*ns); g["V__order__o_1__2h"] == g["V__order__o_1__2h"] || !(g["V__centroid__2h"] > 0) {
		t.Errorf("without the shaft's speed: order %v, centroid %v", g["V__order__o_1__2h"], g["V__centroid__2h"])
	}
}

// Snapshots in any order, twice, two at the same time, through bytes and another plan: the same bits.
func TestOrderOfSnapshotsAndRestartsChangeNoBit(t *testing.T) {
	plan := mustCompile(t, ofWaves)
	rng := rand.New(rand.NewPCG(3, 1))
	type snap struct {
		t int64
		x []float64
	}
	var all []snap
	for i := range 90 {
		all = append(all, snap{(start + int64(i)) * ns, tone(rng, float64(i%5))[:512]})
		if i%10 == 0 {
			all = append(all, snap{(start + int64(i)) * ns, tone(rng, 1)[:512]})
		}
	}
	feedAll := func(s *State, list []snap) *State {
		for i, w := range list {
			s.Rig(w.t/ns*ns, []string{"rotary", "idle"}[w.t/ns%2])
			s.Wave(0, w.t, 78125, w.x, 20, numbers)
			if i%20 == 0 {
				b, err := s.MarshalBinary()
				if err != nil {
					t.Fatal(err)
				}
				s = plan.NewState()
				if err := s.UnmarshalBinary(b); err != nil {
					t.Fatal(err)
				}
				s = s.Rebind(mustCompile(t, append([]string{"W__mean__1m"}, ofWaves...))).Rebind(plan)
			}
		}
		return s
	}
	a := feedAll(plan.NewState(), all)
	mixed := append(slices.Clone(all), all[:20]...)
	rng.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	b := feedAll(plan.NewState(), mixed)
	for _, tick := range []int64{start + 40, start + 89, start + 100, start + 700} {
		x, y := ofAll(a, tick*ns), ofAll(b, tick*ns)
		for name, v := range x {
			if math.Float64bits(v) != math.Float64bits(y[name]) && (v == v || y[name] == y[name]) {
				t.Errorf("second %d: %s is %v in order and %v mixed", tick-start, name, v, y[name])
			}
		}
	}
}

func BenchmarkWave(b *testing.B) {
	p, err := Compile(ofWaves)
	if err != nil {
		b.Fatal(err)
	}
	s := p.NewState()
	x := tone(rand.New(rand.NewPCG(4, 1)), 1)
	at := start
	for b.Loop() {
		at++
		s.Wave(0, at*ns, 78125, x, 20, numbers)
	}
}
