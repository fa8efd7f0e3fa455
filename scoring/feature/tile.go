package feature

import "math"

// light is what most functions need of the samples of a span of time. Spans are
// merged in an order that only their place in time decides, never taken apart, so
// that the bits do not depend on when which sample came.
type light struct {
	n, sum, sq  float64
	min, max    float64
	first, last float64
	t0, t1      float64 // of first and last, seconds from the span's own start
}

// tile adds what moments and slopes need.
type tile struct {
	light
	mean, m2, m3, m4 float64 // central moments (Chan, Pébay)
	tm, tt, tv       float64 // mean of t, Σ(t−tm)², Σ(t−tm)(v−mean); seconds from the span's own start
}

// of sums samples in order of time.
func (a *light) of(samples []sample) {
	if len(samples) == 0 {
		*a = light{}
		return
	}
	p, q := &samples[0], &samples[len(samples)-1]
	x := light{n: float64(len(samples)), min: p.v, max: p.v, first: p.v, last: q.v, t0: p.t, t1: q.t}
	for i := range samples {
		v := samples[i].v
		x.sum += v
		x.sq += float64(v * v)
		if v < x.min {
			x.min = v
		}
		if v > x.max {
			x.max = v
		}
	}
	*a = x
}

// of sums samples in order of time, moments about their own mean.
func (a *tile) of(samples []sample) {
	a.light.of(samples)
	a.mean, a.m2, a.m3, a.m4, a.tm, a.tt, a.tv = 0, 0, 0, 0, 0, 0, 0
	if len(samples) < 2 {
		if len(samples) == 1 {
			a.mean, a.tm = samples[0].v, samples[0].t
		}
		return
	}
	mean, tm := a.sum/a.n, 0.0
	if a.min == a.max {
		mean = a.min // exactly: what is constant has no spread
	}
	for i := range samples {
		tm += samples[i].t
	}
	tm /= a.n
	var m2, m3, m4, tt, tv float64
	for i := range samples {
		d, dt := samples[i].v-mean, samples[i].t-tm
		d2 := float64(d * d)
		m2 += d2
		m3 += float64(d2 * d)
		m4 += float64(d2 * d2)
		tt += float64(dt * dt)
		tv += float64(dt * d)
	}
	a.mean, a.m2, a.m3, a.m4, a.tm, a.tt, a.tv = mean, m2, m3, m4, tm, tt, tv
}

// merge takes a later span that starts d seconds after a's start.
func (a *light) merge(b *light, d float64) {
	if b.n == 0 {
		return
	}
	if a.n == 0 {
		*a = *b
		a.t0, a.t1 = b.t0+d, b.t1+d
		return
	}
	a.n += b.n
	a.sum += b.sum
	a.sq += b.sq
	if b.min < a.min {
		a.min = b.min
	}
	if b.max > a.max {
		a.max = b.max
	}
	a.last, a.t1 = b.last, b.t1+d
}

// merge takes a later span that starts d seconds after a's start.
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
	a.light.merge(&b.light, d)
}

var nan = math.NaN()

// A function of a span, or of a window otherwise.
type function byte

const (
	fnLast function = iota
	fnLag
	fnCount
	fnSum
	fnMean
	fnStd
	fnMin
	fnMax
	fnRange
	fnMedian
	fnQ
	fnSlope
	fnEWMA
	fnDelta
	fnRate
	fnRMS
	fnKurtosis
	fnSkew
	fnCrest
	fnPeak
	fnP2P
	fnDistinct
	fnBand
	fnCentroid
	fnEnv
	fnOrder
)

// ofWave reports whether a function is of snapshots alone.
func (f function) ofWave() bool { return f >= fnBand && f <= fnOrder }

// heavy reports whether a function needs moments or a slope.
func (f function) heavy() bool {
	switch f {
	case fnStd, fnSkew, fnKurtosis, fnSlope:
		return true
	}
	return false
}

// raw reports whether a function needs single samples.
func (f function) raw() bool { return f == fnMedian || f == fnQ || f == fnDistinct }

// value of a function over the samples in a; NaN where it is not defined. Of a
// light function only a.light is looked at.
func (a *tile) value(f function) float64 {
	if a.n == 0 {
		if f == fnCount {
			return 0
		}
		return nan
	}
	switch f {
	case fnLast:
		return a.last
	case fnCount:
		return a.n
	case fnSum:
		return a.sum
	case fnMean:
		return a.sum / a.n
	case fnMin:
		return a.min
	case fnMax:
		return a.max
	case fnRange, fnP2P:
		return a.max - a.min
	case fnDelta:
		return a.last - a.first
	case fnRate:
		if a.t1 == a.t0 {
			return nan
		}
		return (a.last - a.first) / (a.t1 - a.t0)
	case fnRMS:
		return math.Sqrt(a.sq / a.n)
	case fnPeak:
		return max(math.Abs(a.min), math.Abs(a.max))
	case fnCrest:
		if a.sq == 0 {
			return nan
		}
		return max(math.Abs(a.min), math.Abs(a.max)) / math.Sqrt(a.sq/a.n)
	case fnStd:
		if a.n < 2 {
			return nan
		}
		return math.Sqrt(max(a.m2, 0) / (a.n - 1))
	case fnSkew:
		if a.n < 3 || a.m2 <= 0 {
			return nan
		}
		s := a.m2 / a.n
		return a.m3 / a.n / float64(s*math.Sqrt(s))
	case fnKurtosis:
		if a.n < 4 || a.m2 <= 0 {
			return nan
		}
		s := a.m2 / a.n
		return a.m4 / a.n / float64(s*s)
	case fnSlope:
		if a.n < 2 || a.tt <= 0 {
			return nan
		}
		return a.tv / a.tt
	}
	return nan
}
