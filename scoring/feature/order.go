package feature

import (
	"math"
	"slices"
)

// sort leaves the samples of a window of seconds in the first scratch, ascending.
// What was sorted at the tick before is kept: of it and of what came and went a
// pass over the window makes the new order.
func (s *State) sort(g *group, st *groupState, at int64) {
	lo := at - g.window + 1
	st = s.amending(st, st.last != 0 && at <= st.last)
	if st.last == 0 || lo > st.last {
		st.first, st.last, st.sorted = lo, lo-1, st.sorted[:0]
	}
	gone := s.collect(s.scratch[0][:0], g, st.first, lo-1)
	came := s.collect(s.scratch[1][:0], g, st.last+1, at-1)
	slices.Sort(gone)
	slices.Sort(came)
	kept := st.sorted[:0]
	for _, v := range st.sorted { // what goes is in there, so this never overtakes
		if len(gone) > 0 && gone[0] == v {
			gone = gone[1:]
			continue
		}
		kept = append(kept, v)
	}
	st.sorted = insert(kept, came)
	st.first, st.last = lo, at-1
	s.chans[g.channel].folds(at - 1)
	came = s.collect(came[:0], g, at, at)
	slices.Sort(came)
	s.scratch[1] = came
	s.scratch[0] = insert(append(s.scratch[0][:0], st.sorted...), came)
}

func (s *State) collect(b []float64, g *group, from, to int64) []float64 {
	for x := from; x <= to; x++ {
		for _, p := range s.samples(g.channel, g.gate, x) {
			b = append(b, p.v)
		}
	}
	return b
}

// insert merges b into a, both ascending.
func insert(a, b []float64) []float64 {
	i, j := len(a)-1, len(b)-1
	a = append(a, b...)
	for k := len(a) - 1; j >= 0; k-- {
		if i >= 0 && a[i] > b[j] {
			a[k] = a[i]
			i--
		} else {
			a[k] = b[j]
			j--
		}
	}
	return a
}

// quantile interpolates between order statistics (Hyndman and Fan's type 7).
func quantile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return nan
	}
	h := float64(float64(len(sorted)-1)*p) / 100
	i := int(math.Floor(h))
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + float64((h-float64(i))*(sorted[i+1]-sorted[i]))
}

func distinct(sorted []float64) float64 {
	if len(sorted) == 0 {
		return nan
	}
	n := 0.0
	for i, v := range sorted {
		if i == 0 || v != sorted[i-1] {
			n++
		}
	}
	return n
}
