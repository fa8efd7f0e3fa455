package ledger

import (
	"cmp"
	"slices"
)

// A Span is an inclusive range of sequence numbers.
type Span struct{ Lo, Hi uint64 }

// Spans are an interval set: ascending, disjoint, not adjacent.
type Spans []Span

func (s Spans) Count() uint64 {
	n := uint64(0)
	for _, r := range s {
		n = Sum(n, Sum(r.Hi-r.Lo, 1))
	}
	return n
}

// Merge sorts and joins ranges that overlap or touch.
func Merge(s Spans) Spans {
	slices.SortFunc(s, func(a, b Span) int { return cmp.Compare(a.Lo, b.Lo) })
	out := s[:0]
	for _, r := range s {
		if n := len(out); n > 0 && (r.Lo <= out[n-1].Hi || r.Lo == out[n-1].Hi+1) {
			out[n-1].Hi = max(out[n-1].Hi, r.Hi)
			continue
		}
		out = append(out, r)
	}
	return out
}

// Both returns what is in a and in b.
func Both(a, b Spans) Spans { return Minus(a, Minus(a, b)) }

// Minus returns what is in a and not in b.
func Minus(a, b Spans) Spans {
	var out Spans
	j := 0
	for _, r := range a {
		lo, done := r.Lo, false
		for j > 0 && b[j-1].Hi >= lo {
			j--
		}
		for ; j < len(b) && b[j].Lo <= r.Hi; j++ {
			if b[j].Hi < lo {
				continue
			}
			if b[j].Lo > lo {
				out = append(out, Span{lo, b[j].Lo - 1})
			}
			if b[j].Hi >= r.Hi {
				done = true
				break
			}
			lo = b[j].Hi + 1
		}
		if !done {
			out = append(out, Span{lo, r.Hi})
		}
	}
	return out
}

// Add puts one number in: nearly always the one after the last.
func (s *Spans) Add(n uint64) {
	v := *s
	if k := len(v); k > 0 && v[k-1].Hi+1 == n && n != 0 {
		v[k-1].Hi = n
		return
	}
	i, found := slices.BinarySearchFunc(v, n, func(r Span, n uint64) int {
		switch {
		case r.Hi < n:
			return -1
		case r.Lo > n:
			return 1
		}
		return 0
	})
	if found {
		return
	}
	before := i > 0 && v[i-1].Hi+1 == n
	after := i < len(v) && n+1 == v[i].Lo
	switch {
	case before && after:
		v[i-1].Hi = v[i].Hi
		v = slices.Delete(v, i, i+1)
	case before:
		v[i-1].Hi = n
	case after:
		v[i].Lo = n
	default:
		v = slices.Insert(v, i, Span{n, n})
	}
	*s = v
}

// Union returns what is in any of the sets; it may be one of them, so it is only read.
func Union(sets ...Spans) Spans {
	var only Spans
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
	return Merge(slices.Concat(sets...))
}
