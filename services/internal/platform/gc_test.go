package platform

import "testing"

func TestTheHeapGrowsWhereCollectingCostsThroughputAndShrinksWhereItDoesNot(t *testing.T) {
	f := func(now int, share float64, want int) {
		t.Helper()
		if got := gcPercent(now, share); got != want {
			t.Errorf("at %d %% with %.3f of the cores: %d, want %d", now, share, got, want)
		}
	}
	f(sparing, 0, sparing)
	f(sparing, 0.02, sparing)
	f(sparing, 0.05, generous)
	f(generous, 0.02, generous) // 0.05 became that because the heap may grow
	f(generous, 0.005, sparing)
	if before := gcSeconds(); before < 0 {
		t.Errorf("%f seconds", before)
	}
}
