package platform

import "testing"

func TestTheHeapGrowsWhereCollectingCostsThroughputAndShrinksWhereItDoesNot(t *testing.T) {
	s := sizer{percent: sparing, least: sparing, growth: growth}
	f := func(gc, used float64, seconds, want int) {
		t.Helper()
		for range seconds {
			s.next(gc, used)
		}
		if s.percent != want {
			t.Errorf("after %d s with %.3f of the cores: %d, want %d", seconds, gc, s.percent, want)
		}
	}
	f(0, 0.1, 100, sparing)
	f(0.05, 0.4, 100, sparing) // the demo in its first minutes
	f(0.03, 1, 100, sparing)   // little of much
	f(0.05, 0.9, 1, generous)
	f(0.007, 0.9, 100, generous) // 0.05 became that because the heap may grow
	f(0.0005, 0.05, calmFor-1, generous)
	f(0.007, 0.9, 1, generous)
	f(0.0005, 0.05, calmFor-1, generous)
	f(0.0005, 0.05, 1, sparing)
	s.percent = generous
	for live, want := range map[int64]int{0: generous, 10 << 20: generous, growth: 100, 4 << 30: sparing} {
		if got := s.bounded(live); got != want {
			t.Errorf("where %d bytes live: %d, want %d", live, got, want)
		}
	}
	s = sizer{percent: modest, least: modest, growth: modestGrowth}
	f(0.1, 0.4, 100, modest)
	f(0.07, 0.9, 100, modest) // it would be 0.035 where the heap may grow twice as much
	f(0.1, 0.9, 1, generous)
	if got := s.bounded(200 << 20); got != 40 {
		t.Errorf("the demo's 200 MB may grow by %d %%", got)
	}
	f(0.0005, 0.05, calmFor, modest)
	if h := readHeap(); h.total < h.used || h.used < h.gc || h.gc < 0 {
		t.Errorf("%+v", h)
	}
}

func TestTheHeapKeepsToWhatTheControlGroupLeavesIt(t *testing.T) {
	f := func(live, room, want int64) {
		t.Helper()
		if got := heapLimit(live<<20, room<<20); got>>20 != want {
			t.Errorf("%d MB live, room for %d: %d, want %d", live, room, got>>20, want)
		}
	}
	f(200, 1<<40, 1024)
	f(800, 1<<40, 1600)
	f(200, 350, 350)
	f(400, 350, 500)
	f(200, -100, 250)
}
