package storage

import "math"

// lttbFine is how many buckets LTTB is given for each point that it returns: a
// time within a bucket is not known where it holds more than two samples, so it
// is off by less than an eighth of a point.
const lttbFine = 8

// LTTBPoints is the SeriesQuery.Points to ask with, so that LTTB(points) can choose well.
func LTTBPoints(points int) int { return min(MaxPoints, lttbFine*points) }

// LTTB reduces a series to about that many samples which keep its shape, for
// those who want one line rather than a band: largest triangle, three buckets
// (Steinarsson 2013), but of each bucket the least and the greatest value too,
// so that no extreme is lost. Gaps are kept: each silence's both ends are
// chosen and nothing between, and the triangles are of one side of it. Where
// there are many gaps it may be more: up to five of each stretch without one.
//
// In what it returns each bucket is one sample: Min = Max = First = Last.
func (s Series) LTTB(points int) Series {
	var t []int64
	var v []float64
	add := func(at int64, x float64) {
		if n := len(t); x != x || n > 0 && t[n-1] == at && v[n-1] == x {
			return // unknown, or the same sample
		}
		t, v = append(t, at), append(v, x)
	}
	var ends []int // where in t a stretch without gaps ends
	gap := 0
	for i := range s.T {
		if gap < len(s.Gaps) && s.T[i] >= s.Gaps[gap][1] {
			ends = append(ends, len(t))
			gap++
		}
		add(s.T[i], s.First[i])
		if s.N[i] > 2 {
			// Between the two, in the order in which the line is shorter.
			third := (s.TLast[i] - s.T[i]) / 3
			a, b := s.Min[i], s.Max[i]
			if s.First[i] > s.Last[i] {
				a, b = b, a
			}
			add(s.T[i]+third, a)
			add(s.T[i]+2*third, b)
		}
		if s.N[i] > 1 {
			add(s.TLast[i], s.Last[i])
		}
	}
	ends = append(ends, len(t))
	out := Series{Channel: s.Channel, Gaps: s.Gaps, Width: s.Width, Raw: s.Raw && len(t) <= points}
	from, left := 0, points
	for _, to := range ends {
		share := left
		if n := len(t) - from; n > to-from {
			share = int(int64(left) * int64(to-from) / int64(n))
		}
		kept := lttb(t[from:to], v[from:to], share)
		left = max(0, left-len(kept))
		for _, i := range kept {
			at, x := t[from+i], v[from+i]
			out.T, out.TLast, out.N = append(out.T, at), append(out.TLast, at), append(out.N, 1)
			out.Min, out.Max, out.First, out.Last = append(out.Min, x), append(out.Max, x), append(out.First, x), append(out.Last, x)
		}
		from = to
	}
	return out
}

// lttb returns the indices of at most max(n, 5) samples, ascending: the first, the
// last, and of each bucket between them the least, the greatest, and the one that
// makes the largest triangle with the one chosen before and the mean of the next bucket.
func lttb(t []int64, v []float64, n int) []int {
	n = max(n, 5)
	if len(t) <= n {
		out := make([]int, len(t))
		for i := range out {
			out[i] = i
		}
		return out
	}
	buckets := (n - 2) / 3
	inner := len(t) - 2
	begin := func(b int) int { return 1 + b*inner/buckets }
	out := append(make([]int, 0, n), 0)
	chosen := 0
	for b := range buckets {
		from, to := begin(b), begin(b+1)
		// The mean of the next bucket; behind the last one, the last sample.
		nextFrom, nextTo := to, len(t)
		if b < buckets-1 {
			nextTo = begin(b + 2)
		}
		var mt, mv float64
		for i := nextFrom; i < nextTo; i++ {
			mt, mv = mt+float64(t[i]-t[0]), mv+v[i]
		}
		k := float64(nextTo - nextFrom)
		mt, mv = mt/k, mv/k
		at, av := float64(t[chosen]-t[0]), v[chosen]
		least, greatest, best, most := from, from, from, -1.0
		for i := from; i < to; i++ {
			if v[i] < v[least] {
				least = i
			}
			if v[i] > v[greatest] {
				greatest = i
			}
			if area := math.Abs((at-mt)*(v[i]-av) - (at-float64(t[i]-t[0]))*(mv-av)); area > most {
				best, most = i, area
			}
		}
		chosen = best
		for _, i := range sorted(least, greatest, best) {
			if i != out[len(out)-1] {
				out = append(out, i)
			}
		}
	}
	return append(out, len(t)-1)
}

func sorted(a, b, c int) [3]int {
	if a > b {
		a, b = b, a
	}
	if b > c {
		b, c = c, b
	}
	if a > b {
		a, b = b, a
	}
	return [3]int{a, b, c}
}
