package feature

import (
	"math"
	"math/bits"
	"slices"

	"github.com/mudpulse/mudpulse/scoring/internal/portable"
)

// Bounds of a snapshot's length.
const (
	LeastWave = 64
	MostWave  = 65536
)

// A Spectrum is the amplitude spectrum of a snapshot: mean removed, Hann window,
// zeros behind it up to the next power of two. Line k is at k times Step.
type Spectrum struct {
	Step  float64   // Hz between lines
	Lines []float64 // amplitude in the channel's unit, from 0 Hz to half the rate, exclusive
}

// SpectrumOf returns the spectrum of samples that are every ns apart; none where
// Waveform says no.
func SpectrumOf(values []float64, every int64) Spectrum {
	if !Waveform(values, every) {
		return Spectrum{}
	}
	a := &analyser{}
	a.take(values, every)
	a.windowed()
	out := Spectrum{Step: a.step, Lines: make([]float64, a.size/2)}
	for k := range out.Lines {
		out.Lines[k] = a.amplitude(k)
	}
	return out
}

// EnvelopeOf returns the spectrum of a snapshot's envelope between low and high Hz:
// what env looks for its line in.
func EnvelopeOf(values []float64, every int64, low, high float64) Spectrum {
	if !Waveform(values, every) {
		return Spectrum{}
	}
	a := &analyser{}
	a.take(values, every)
	a.enveloped(low, high)
	out := Spectrum{Step: a.step, Lines: make([]float64, a.size/2)}
	for k := range out.Lines { // the analytic signal is twice what is kept of it
		out.Lines[k] = 4 * magnitude(a.re[k], a.im[k]) / float64(a.n)
	}
	return out
}

// Height is how often the greatest line near a frequency, for slip smears it,
// stands over the median of those around it: what env is of an envelope. NaN
// where the frequency is beyond the spectrum, or nothing is around it.
func (s Spectrum) Height(hz float64) float64 {
	if len(s.Lines) == 0 {
		return nan
	}
	a := &analyser{step: s.Step, size: 2 * len(s.Lines), re: s.Lines, im: make([]float64, len(s.Lines))}
	return a.envelope(hz)
}

// Waveform reports whether samples can be a snapshot: between LeastWave and
// MostWave of them, evenly spaced, none missing.
func Waveform(values []float64, every int64) bool {
	if len(values) < LeastWave || len(values) > MostWave || every <= 0 {
		return false
	}
	return !slices.ContainsFunc(values, func(v float64) bool { return v-v != 0 })
}

// An analyser takes snapshots apart. One goroutine; what is in it is reused.
type analyser struct {
	n, size int       // samples; lines
	step    float64   // Hz between lines
	x       []float64 // samples less their mean
	re, im  []float64
	weight  float64 // Σw and Σw² of the window
	square  float64
	around  []float64

	turns    []float64 // cos and sin of −2πk/size, k < size/2
	turnsFor int
}

// take begins with another snapshot.
func (a *analyser) take(values []float64, every int64) {
	a.n, a.size = len(values), 1<<bits.Len(uint(len(values)-1))
	a.step = 1e9 / float64(every) / float64(a.size)
	a.re, a.im = sized(a.re, a.size), sized(a.im, a.size)
	a.x = append(a.x[:0], values...)
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	mean := sum / float64(a.n)
	for i := range a.x {
		a.x[i] -= mean
	}
	if a.turnsFor != a.size {
		a.turnsFor, a.turns = a.size, sized(a.turns, a.size)
		for k := range a.size / 2 {
			angle := -2 * math.Pi * float64(k) / float64(a.size)
			a.turns[2*k], a.turns[2*k+1] = portable.Cos(angle), portable.Sin(angle)
		}
	}
}

// windowed leaves the transform of the snapshot under a Hann window in re, im.
func (a *analyser) windowed() {
	clear(a.re)
	clear(a.im)
	a.weight, a.square = 0, 0
	for i, v := range a.x {
		w := 0.5 - float64(0.5*portable.Cos(2*math.Pi*float64(i)/float64(a.n)))
		a.weight += w
		a.square += float64(w * w)
		a.re[i] = float64(v * w)
	}
	a.transform()
}

// enveloped leaves the transform of the envelope in re, im: of the magnitude of
// the analytic signal of what lies between low and high Hz, less its mean.
func (a *analyser) enveloped(low, high float64) {
	clear(a.re)
	clear(a.im)
	copy(a.re, a.x)
	a.transform()
	for k := range a.re {
		if f := float64(float64(k) * a.step); k < 1 || k >= a.size/2 || f < low || f > high {
			a.re[k], a.im[k] = 0, 0
		}
	}
	for i := range a.im { // the inverse, by the conjugate
		a.im[i] = -a.im[i]
	}
	a.transform()
	sum := 0.0
	for i := range a.n {
		a.re[i] = magnitude(a.re[i], a.im[i]) / float64(a.size)
		sum += a.re[i]
	}
	mean := sum / float64(a.n)
	for i := range a.n {
		a.re[i] -= mean
	}
	clear(a.re[a.n:])
	clear(a.im)
	a.transform()
}

// transform is the discrete Fourier transform, in place, of a power of two.
func (a *analyser) transform() {
	re, im, n := a.re, a.im, a.size
	shift := 64 - bits.Len(uint(n-1))
	for i := range re {
		if j := int(bits.Reverse64(uint64(i)) >> shift); i < j {
			re[i], re[j] = re[j], re[i]
			im[i], im[j] = im[j], im[i]
		}
	}
	for size := 2; size <= n; size *= 2 {
		half, stride := size/2, 2*(n/size)
		for from := 0; from < n; from += size {
			lo, hi := re[from:from+half], re[from+half:from+size]
			loi, hii := im[from:from+half], im[from+half:from+size]
			for k := range lo {
				c, s := a.turns[k*stride], a.turns[k*stride+1]
				x := float64(hi[k]*c) - float64(hii[k]*s)
				y := float64(hi[k]*s) + float64(hii[k]*c)
				hi[k], hii[k] = lo[k]-x, loi[k]-y
				lo[k], loi[k] = lo[k]+x, loi[k]+y
			}
		}
	}
}

func magnitude(x, y float64) float64 { return math.Sqrt(float64(x*x) + float64(y*y)) }

func (a *analyser) amplitude(k int) float64 {
	return 2 * magnitude(a.re[k], a.im[k]) / a.weight
}

// band is the RMS of what lies between low and high Hz, inclusive.
func (a *analyser) band(low, high float64) float64 {
	sum := 0.0
	for k := 1; k < a.size/2; k++ {
		if f := float64(float64(k) * a.step); f >= low && f <= high {
			sum += float64(a.re[k]*a.re[k]) + float64(a.im[k]*a.im[k])
		}
	}
	return math.Sqrt(2 * sum / float64(float64(a.size)*a.square))
}

// centroid is the mean frequency, weighed by power, in Hz.
func (a *analyser) centroid() float64 {
	top, bottom := 0.0, 0.0
	for k := 1; k < a.size/2; k++ {
		p := float64(a.re[k]*a.re[k]) + float64(a.im[k]*a.im[k])
		top += float64(float64(float64(k)*a.step) * p)
		bottom += p
	}
	if bottom == 0 {
		return nan
	}
	return top / bottom
}

// lines are those within reach of a frequency; none where it is not between 0
// and half the rate.
func (a *analyser) lines(f, least, share float64) (at, reach float64, from, to int) {
	at = f / a.step
	if !(at > 0 && at < float64(a.size/2)) {
		return at, 0, 0, -1
	}
	reach = max(least, float64(share*at))
	return at, reach, max(1, int(math.Ceil(at-reach))), min(a.size/2-1, int(math.Floor(at+reach)))
}

// order is the greatest amplitude within two lines, or 1 %, of a frequency.
func (a *analyser) order(f float64) float64 {
	_, _, from, to := a.lines(f, 2, 0.01)
	most := nan
	for k := from; k <= to; k++ {
		if v := a.amplitude(k); !(v <= most) {
			most = v
		}
	}
	return most
}

// envelope is the greatest line within three, or 2 %, of a frequency, for slip
// smears it, over the median of those around it, from 0.6 to 1.4 times it.
func (a *analyser) envelope(f float64) float64 {
	at, reach, from, to := a.lines(f, 3, 0.02)
	if to < from {
		return nan
	}
	a.around = a.around[:0]
	most := 0.0
	for k := max(1, int(math.Ceil(0.6*at))); k <= min(a.size/2-1, int(math.Floor(1.4*at))); k++ {
		v := magnitude(a.re[k], a.im[k])
		if k >= from && k <= to {
			most = max(most, v)
		} else if math.Abs(float64(k)-at) > reach+1 {
			a.around = append(a.around, v)
		}
	}
	slices.Sort(a.around)
	floor := quantile(a.around, 50)
	if !(floor > 0) {
		return nan
	}
	return most / floor
}
