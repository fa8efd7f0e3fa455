package rig

import (
	"math"
	"math/rand/v2"
)

// A RollerBearing is the top drive's main bearing, like a 6322, and what an
// accelerometer on its housing hears (research §2.7): shaft, gear mesh, noise,
// and a burst of the housing's resonance each time a roller passes the spall.
type RollerBearing struct {
	Balls    int     // rolling elements
	Ball     float64 // mm, diameter
	Pitch    float64 // mm, diameter
	Teeth    float64 // of the gear whose mesh is heard
	Noise    float64 // g
	Natural  float64 // Hz, of the housing
	Damping  float64 // of it, share of critical
	Sideband float64 // modulation of the mesh: 0.08 sound, 0.6 worn (§2.8)
}

// NewRollerBearing returns the one of research §2.7.
func NewRollerBearing() RollerBearing {
	return RollerBearing{Balls: 8, Ball: 41.3, Pitch: 175, Teeth: 21, Noise: 0.35, Natural: 3000, Damping: 0.05, Sideband: 0.08}
}

// Orders returns the frequencies of outer race, inner race, roller and cage, in
// multiples of the shaft's.
func (b RollerBearing) Orders() (bpfo, bpfi, bsf, ftf float64) {
	n, r := float64(b.Balls), b.Ball/b.Pitch
	return n / 2 * (1 - r), n / 2 * (1 + r), b.Pitch / (2 * b.Ball) * (1 - r*r), (1 - r) / 2
}

// Waveform returns a second of acceleration, g, at rate samples a second, with an
// outer-race spall of mm at rpm and a share of the rated load.
func (b RollerBearing) Waveform(rate int, spall, rpm, load float64, rng *rand.Rand) []float64 {
	x := make([]float64, rate)
	shaft := rpm / 60
	mesh := b.Teeth * shaft
	phase := 2 * math.Pi * rng.Float64()
	play := 0.05 * (1 + spall*spall/324) // g: the shaft runs out in a bearing that is worn wide
	noise := b.Noise * (0.7 + 0.3*load) * rpm / 1200
	for i := range x {
		t := float64(i) / float64(rate)
		turn := 2*math.Pi*shaft*t + phase
		x[i] = play*math.Sin(turn) + 0.03*math.Sin(2*turn) + 0.15*(1+b.Sideband*math.Cos(turn))*math.Sin(2*math.Pi*mesh*t) + noise*rng.NormFloat64()
	}
	bpfo, _, _, _ := b.Orders()
	size := 0.55 * math.Pow(spall, 0.75) * math.Sqrt(load)
	if spall <= 0 {
		return x
	}
	every := 1 / (bpfo * shaft)
	ring := int(5 / (2 * math.Pi * b.Natural * b.Damping) * float64(rate)) // to e⁻⁵
	for t := every * rng.Float64(); t < 1; t += every * (1 + 0.01*rng.NormFloat64()) {
		first := int(math.Ceil(t * float64(rate)))
		for i := first; i < min(len(x), first+ring); i++ {
			dt := float64(i)/float64(rate) - t
			x[i] += size * math.Exp(-2*math.Pi*b.Natural*b.Damping*dt) * math.Sin(2*math.Pi*b.Natural*dt)
		}
	}
	return x
}

// Heard are the features that an edge device makes of a second of acceleration.
type Heard struct {
	SNR      float64 // of the envelope's line at BPFO, times the median around it
	Kurtosis float64
	Crest    float64
	RMS      float64 // g
	Velocity float64 // mm/s RMS, 10 to 1,000 Hz: the zone of ISO 20816-3
	Sideband float64 // amplitude beside the mesh, share of the mesh's
}

// Listen makes the features of x at rpm.
func (b RollerBearing) Listen(x []float64, rate int, rpm float64) Heard {
	var h Heard
	n := float64(len(x))
	mean, peak := 0.0, 0.0
	for _, v := range x {
		mean += v / n
	}
	m2, m4 := 0.0, 0.0
	for _, v := range x {
		d := v - mean
		m2, m4, peak = m2+d*d/n, m4+d*d*d*d/n, max(peak, math.Abs(d))
	}
	h.RMS = math.Sqrt(m2)
	h.Kurtosis, h.Crest = m4/(m2*m2), peak/h.RMS
	size := 1
	for size < len(x) {
		size *= 2
	}
	re, im := make([]float64, size), make([]float64, size)
	for i, v := range x {
		re[i] = v - mean
	}
	fft(re, im)
	step := float64(rate) / float64(size)
	sum := 0.0
	for k := 1; k < size/2; k++ { // a = 2πf v
		if f := float64(k) * step; f >= 10 && f <= 1000 {
			a := 2 * math.Hypot(re[k], im[k]) / n * 9806.65 // mm/s²
			v := a / (2 * math.Pi * f)
			sum += v * v / 2 * n / float64(size)
		}
	}
	h.Velocity = math.Sqrt(sum)
	shaft := rpm / 60
	line := func(f float64) float64 { return peakNear(re, im, f/step) }
	mesh := b.Teeth * shaft
	h.Sideband = (line(mesh-shaft) + line(mesh+shaft)) / 2 / line(mesh)
	// Envelope: the band of the resonance, by its analytic signal, squared and looked at again.
	for k := range re {
		if f := float64(k) * step; k > size/2 || f < 2500 || f > 3500 {
			re[k], im[k] = 0, 0
		}
	}
	inverse(re, im)
	for i := range re {
		re[i], im[i] = math.Hypot(re[i], im[i]), 0
	}
	level := 0.0
	for _, v := range re[:len(x)] {
		level += v / n
	}
	for i := range re {
		if re[i] -= level; i >= len(x) {
			re[i] = 0
		}
	}
	fft(re, im)
	bpfo, _, _, _ := b.Orders()
	at := bpfo * shaft / step
	var around []float64
	for k := int(at * 0.6); k < int(at*1.4); k++ {
		if math.Abs(float64(k)-at) > 4 {
			around = append(around, math.Hypot(re[k], im[k]))
		}
	}
	h.SNR = peakNear(re, im, at) / middle(around)
	return h
}

// peakNear is the greatest amplitude within three lines of k: slip smears it.
func peakNear(re, im []float64, k float64) float64 {
	most := 0.0
	for i := int(math.Round(k)) - 3; i <= int(math.Round(k))+3; i++ {
		most = max(most, math.Hypot(re[i], im[i]))
	}
	return most
}
