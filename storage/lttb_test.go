package storage

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// raw is a series of single samples with the gaps that its times have.
func raw(t []int64, v []float64, gap int64) Series {
	s := Series{Channel: "SPP", T: t, TLast: t, Min: v, Max: v, First: v, Last: v, Raw: true}
	for i := range t {
		s.N = append(s.N, 1)
		if i > 0 && t[i]-t[i-1] > gap {
			s.Gaps = append(s.Gaps, [2]int64{t[i-1], t[i]})
		}
	}
	return s
}

func TestLTTBKeepsExtremesEndsAndGaps(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	for round := range 300 {
		n := 2 + rng.IntN(3000)
		at, v := make([]int64, n), make([]float64, n)
		now := int64(1e18)
		for i := range n {
			now += 1e9
			if rng.IntN(400) == 0 {
				now += 60e9
			}
			at[i], v[i] = now, rng.NormFloat64()
			if rng.IntN(200) == 0 {
				v[i] *= 50 // a spike of one sample
			}
		}
		s := raw(at, v, 10e9)
		points := 20 + rng.IntN(400)
		got := s.LTTB(points)
		if most := points + 5*(len(s.Gaps)+1); len(got.T) > most {
			t.Fatalf("round %d: %d samples of %d, want at most %d", round, len(got.T), n, most)
		}
		if slices.Max(got.Max) != slices.Max(v) || slices.Min(got.Min) != slices.Min(v) {
			t.Errorf("round %d: extremes %v…%v became %v…%v", round, slices.Min(v), slices.Max(v), slices.Min(got.Min), slices.Max(got.Max))
		}
		if !slices.IsSorted(got.T) {
			t.Fatalf("round %d: out of order", round)
		}
		for i, x := range got.T { // nothing is made up
			if k, ok := slices.BinarySearch(at, x); !ok || v[k] != got.Last[i] {
				t.Fatalf("round %d: %v at %d was never sampled", round, got.Last[i], x)
			}
		}
		want := []int64{at[0], at[n-1]}
		for _, g := range s.Gaps {
			want = append(want, g[0], g[1])
		}
		for _, x := range want {
			if _, ok := slices.BinarySearch(got.T, x); !ok {
				t.Fatalf("round %d: the sample at %d, an end, is left out", round, x)
			}
		}
	}
}

// Each bucket's extremes are there, whatever triangles say.
func TestLTTBKeepsTheExtremesOfEachBucket(t *testing.T) {
	const n, points = 3002, 302 // a hundred buckets of thirty
	at, v := make([]int64, n), make([]float64, n)
	rng := rand.New(rand.NewPCG(5, 1))
	for i := range n {
		at[i], v[i] = int64(i)*1e9, math.Sin(float64(i)/300)*10+rng.NormFloat64()
	}
	got := raw(at, v, 10e9).LTTB(points)
	for b := range 100 {
		bucket := v[1+30*b : 31+30*b]
		for _, x := range []float64{slices.Min(bucket), slices.Max(bucket)} {
			if !slices.Contains(got.Last, x) {
				t.Fatalf("bucket %d: %v is lost", b, x)
			}
		}
	}
	if len(got.T) > points {
		t.Errorf("%d samples of %d", len(got.T), points)
	}
}

// Where the line bends, though it rises on and no extreme is there, the bend is kept.
func TestLTTBKeepsWhereTheLineBends(t *testing.T) {
	const n, points = 6002, 302 // a hundred buckets of sixty
	at, v := make([]int64, n), make([]float64, n)
	slope := 1.0
	var bends []int64
	for i := 1; i < n; i++ {
		at[i], v[i] = int64(i)*1e9, v[i-1]+slope
		if i%531 == 0 {
			slope = 4 - slope // 1 and 3 by turns
			bends = append(bends, at[i])
		}
	}
	got := raw(at, v, 10e9).LTTB(points)
	for _, x := range bends {
		if _, ok := slices.BinarySearch(got.T, x); !ok {
			t.Errorf("the bend at %d s is lost", x/1e9)
		}
	}
}

// Of a bucket of many samples the least and the greatest are kept within it.
func TestLTTBOfBucketsKeepsTheirExtremes(t *testing.T) {
	s := Series{Channel: "SPP", Width: 10e9,
		T: []int64{0, 10e9, 20e9, 100e9}, TLast: []int64{9e9, 19e9, 20e9, 108e9}, N: []int64{10, 10, 1, 2},
		First: []float64{1, 2, 7, 1}, Last: []float64{2, 1, 7, 2}, Min: []float64{-5, 0, 7, 1}, Max: []float64{3, 40, 7, 2},
		Gaps: [][2]int64{{20e9, 100e9}}}
	got := s.LTTB(100)
	if len(got.T) != 4+4+1+2 || slices.Min(got.Min) != -5 || slices.Max(got.Max) != 40 || !slices.IsSorted(got.T) {
		t.Errorf("%+v", got)
	}
	if i := slices.Index(got.Last, 40); got.T[i] <= 10e9 || got.T[i] >= 19e9 {
		t.Errorf("40 lies at %d, not in its bucket", got.T[i])
	}
	for _, x := range got.T {
		if x > 20e9 && x < 100e9 {
			t.Errorf("a sample at %d, in the gap", x)
		}
	}
}

func TestLTTBOfNothingIsNothing(t *testing.T) {
	if got := (Series{Channel: "SPP"}).LTTB(100); len(got.T) != 0 || got.Channel != "SPP" {
		t.Errorf("%+v", got)
	}
}
