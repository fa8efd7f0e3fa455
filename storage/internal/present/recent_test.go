package present

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestWhatIsRememberedOfScoresIsWhatIsStored(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, perTick := range []int{1, 3, 60, 3000} {
		r := recent{from: math.MinInt64}
		stored := map[scoreID]bool{}
		told, asked := 0, 0
		for n := range 20000 {
			tick := int64(n/perTick) * 1e6
			if rng.IntN(4) == 0 {
				tick -= int64(rng.IntN(50)) * 1e6
			}
			id := scoreID{tick, uint64(rng.IntN(3)), uint64(rng.IntN(3))}
			switch {
			case !r.covers(tick):
				asked++
			case r.has(id) != stored[id]:
				t.Fatalf("%d a tick, %+v: remembered %v, stored %v", perTick, id, r.has(id), stored[id])
			default:
				told++
			}
			if !stored[id] {
				stored[id] = true
				r.add(id)
			}
			if len(r.list) > 2*recentMost {
				t.Fatalf("%d versions are remembered", len(r.list))
			}
		}
		if told < 4*asked {
			t.Errorf("%d a tick: %d told from memory, %d had to be asked", perTick, told, asked)
		}
	}
}
