package ledger

import (
	"math/rand/v2"
	"testing"
)

func TestIntervalSets(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		set := func() (Spans, map[uint64]bool) {
			var s Spans
			m := map[uint64]bool{}
			for range rng.IntN(6) {
				lo := rng.Uint64N(40)
				hi := lo + rng.Uint64N(6)
				s = append(s, Span{Lo: lo, Hi: hi})
				for n := lo; n <= hi; n++ {
					m[n] = true
				}
			}
			return Merge(s), m
		}
		a, am := set()
		b, bm := set()
		got := Minus(a, b)
		want := uint64(0)
		for n := range am {
			if !bm[n] {
				want++
				if len(Minus(Spans{{n, n}}, got)) != 0 {
					t.Fatalf("%v minus %v lacks %d: %v", a, b, n, got)
				}
			}
		}
		if got.Count() != want || a.Count() != uint64(len(am)) {
			t.Fatalf("%v minus %v: %v", a, b, got)
		}
	}
}
