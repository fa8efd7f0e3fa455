package duckdb

import (
	"cmp"
	"slices"
)

// span is an inclusive range of sequence numbers.
type span struct{ lo, hi uint64 }

// spans is an interval set: ascending, disjoint, not adjacent.
type spans []span

func (s spans) count() uint64 {
	n := uint64(0)
	for _, r := range s {
		n = sum(n, sum(r.hi-r.lo, 1))
	}
	return n
}

// merge sorts and joins ranges that overlap or touch.
func merge(s spans) spans {
	slices.SortFunc(s, func(a, b span) int { return cmp.Compare(a.lo, b.lo) })
	out := s[:0]
	for _, r := range s {
		if n := len(out); n > 0 && (r.lo <= out[n-1].hi || r.lo == out[n-1].hi+1) {
			out[n-1].hi = max(out[n-1].hi, r.hi)
			continue
		}
		out = append(out, r)
	}
	return out
}

// both returns what is in a and in b.
func both(a, b spans) spans { return minus(a, minus(a, b)) }

// minus returns what is in a and not in b.
func minus(a, b spans) spans {
	var out spans
	j := 0
	for _, r := range a {
		lo, done := r.lo, false
		for j > 0 && b[j-1].hi >= lo {
			j--
		}
		for ; j < len(b) && b[j].lo <= r.hi; j++ {
			if b[j].hi < lo {
				continue
			}
			if b[j].lo > lo {
				out = append(out, span{lo, b[j].lo - 1})
			}
			if b[j].hi >= r.hi {
				done = true
				break
			}
			lo = b[j].hi + 1
		}
		if !done {
			out = append(out, span{lo, r.hi})
		}
	}
	return out
}

// add puts one number in: nearly always the one after the last.
func (s *spans) add(n uint64) {
	v := *s
	if k := len(v); k > 0 && v[k-1].hi+1 == n && n != 0 {
		v[k-1].hi = n
		return
	}
	i, found := slices.BinarySearchFunc(v, n, func(r span, n uint64) int {
		switch {
		case r.hi < n:
			return -1
		case r.lo > n:
			return 1
		}
		return 0
	})
	if found {
		return
	}
	before := i > 0 && v[i-1].hi+1 == n
	after := i < len(v) && n+1 == v[i].lo
	switch {
	case before && after:
		v[i-1].hi = v[i].hi
		v = slices.Delete(v, i, i+1)
	case before:
		v[i-1].hi = n
	case after:
		v[i].lo = n
	default:
		v = slices.Insert(v, i, span{n, n})
	}
	*s = v
}

// union returns what is in any of the sets; it may be one of them, so it is only read.
func union(sets ...spans) spans {
	var only spans
	n := 0
	for _, s := range sets {
		if len(s) > 0 {
			only, n = s, n+1
		}
	}
	switch n {
	case 0:
		return nil
	case 1:
		return only
	}
	return merge(slices.Concat(sets...))
}
