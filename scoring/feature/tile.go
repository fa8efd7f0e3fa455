package feature

import "math"

// tile is what is kept of the samples of a span of time. Tiles are merged in
// order of time, never taken apart, so that the bits do not depend on when
// which sample came.
type tile struct {
	n                float64
	mean, m2, m3, m4 float64 // central moments (Chan, Pébay)
	sum, sq          float64
	min, max         float64
	first, last      float64
	t0, t1           float64 // of first and last, seconds from the tile's own start
	tm, tt, tv       float64 // mean of t, Σ(t−tm)², Σ(t−tm)(v−mean); seconds from the tile's own start
}

// add takes one sample, t seconds from the tile's start.
func (a *tile) add(t, v float64) {
	if a.n == 0 {
		*a = tile{n: 1, mean: v, sum: v, sq: float64(v * v), min: v, max: v, first: v, last: v, t0: t, t1: t, tm: t}
		return
	}
	n1 := a.n
	a.n++
	d := v - a.mean
	dn := d / a.n
	dn2 := float64(dn * dn)
	term := float64(float64(d*dn) * n1)
	a.mean += dn
	a.m4 += float64(float64(term*dn2)*(float64(a.n*a.n)-float64(3*a.n)+3)) + float64(6*float64(dn2*a.m2)) - float64(4*float64(dn*a.m3))
	a.m3 += float64(float64(term*dn)*(a.n-2)) - float64(3*float64(dn*a.m2))
	a.m2 += term
	a.sum += v
	a.sq += float64(v * v)
	a.min, a.max = min(a.min, v), max(a.max, v)
	a.last, a.t1 = v, t
	dt := t - a.tm
	a.tm += dt / a.n
	a.tt += float64(dt * (t - a.tm))
	a.tv += float64(dt * (v - a.mean))
}

// merge takes a later tile that starts d seconds after a's start.
func (a *tile) merge(b *tile, d float64) {
	if b.n == 0 {
		return
	}
	if a.n == 0 {
		*a = *b
		a.t0, a.t1, a.tm = b.t0+d, b.t1+d, b.tm+d
		return
	}
	n := a.n + b.n
	delta := b.mean - a.mean
	dn := delta / n
	ab := float64(a.n * b.n)
	d2 := float64(delta * dn)
	m4 := a.m4 + b.m4 + float64(float64(d2*float64(dn*dn))*float64(ab*(float64(a.n*a.n)-ab+float64(b.n*b.n)))) +
		float64(6*float64(float64(dn*dn)*(float64(float64(a.n*a.n)*b.m2)+float64(float64(b.n*b.n)*a.m2)))) + float64(4*float64(dn*(float64(a.n*b.m3)-float64(b.n*a.m3))))
	m3 := a.m3 + b.m3 + float64(float64(d2*dn)*float64(ab*(a.n-b.n))) + float64(3*float64(dn*(float64(a.n*b.m2)-float64(b.n*a.m2))))
	a.m2 += b.m2 + float64(d2*ab)
	dt := b.tm + d - a.tm
	dtn := dt / n
	a.tt += b.tt + float64(float64(dt*dtn)*ab)
	a.tv += b.tv + float64(float64(delta*dtn)*ab)
	a.tm += float64(dtn * b.n)
	a.m3, a.m4 = m3, m4
	a.mean += float64(dn * b.n)
	a.n = n
	a.sum += b.sum
	a.sq += b.sq
	a.min, a.max = min(a.min, b.min), max(a.max, b.max)
	a.last, a.t1 = b.last, b.t1+d
}

// light merges what most functions need: no moments, no slope.
func (a *tile) light(b *tile, d float64) {
	if b.n == 0 {
		return
	}
	if a.n == 0 {
		*a = tile{n: b.n, sum: b.sum, sq: b.sq, min: b.min, max: b.max, first: b.first, last: b.last, t0: b.t0 + d, t1: b.t1 + d}
		return
	}
	a.n += b.n
	a.sum += b.sum
	a.sq += b.sq
	a.min, a.max = min(a.min, b.min), max(a.max, b.max)
	a.last, a.t1 = b.last, b.t1+d
}

var nan = math.NaN()

// of returns a function's value over the samples in a; NaN where it is not defined.
func (a *tile) of(function string) float64 {
	if a.n == 0 {
		if function == "count" {
			return 0
		}
		return nan
	}
	switch function {
	case "last":
		return a.last
	case "count":
		return a.n
	case "sum":
		return a.sum
	case "mean":
		return a.sum / a.n
	case "min":
		return a.min
	case "max":
		return a.max
	case "range", "p2p":
		return a.max - a.min
	case "delta":
		return a.last - a.first
	case "rate":
		if a.t1 == a.t0 {
			return nan
		}
		return (a.last - a.first) / (a.t1 - a.t0)
	case "rms":
		return math.Sqrt(a.sq / a.n)
	case "peak":
		return max(math.Abs(a.min), math.Abs(a.max))
	case "crest":
		if a.sq == 0 {
			return nan
		}
		return max(math.Abs(a.min), math.Abs(a.max)) / math.Sqrt(a.sq/a.n)
	case "std":
		if a.n < 2 {
			return nan
		}
		return math.Sqrt(max(a.m2, 0) / (a.n - 1))
	case "skew":
		if a.n < 3 || a.m2 <= 0 {
			return nan
		}
		s := a.m2 / a.n
		return a.m3 / a.n / float64(s*math.Sqrt(s))
	case "kurtosis":
		if a.n < 4 || a.m2 <= 0 {
			return nan
		}
		s := a.m2 / a.n
		return a.m4 / a.n / float64(s*s)
	case "slope":
		if a.n < 2 || a.tt <= 0 {
			return nan
		}
		return a.tv / a.tt
	}
	return nan
}

func needsMerge(function string) bool {
	switch function {
	case "std", "skew", "kurtosis", "slope":
		return true
	}
	return false
}
