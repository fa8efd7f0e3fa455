package rig

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Research §2.7: fault orders of a 6322-like bearing.
func TestABearingHasTheFaultOrdersOfTheTable(t *testing.T) {
	bpfo, bpfi, bsf, ftf := NewRollerBearing().Orders()
	for _, x := range [][2]float64{{bpfo, 3.06}, {bpfi, 4.94}, {bsf, 2.00}, {ftf, 0.38}} {
		if math.Abs(x[0]-x[1]) > 0.01 {
			t.Errorf("%.3f, want %v", x[0], x[1])
		}
	}
}

func TestAFourierTransformGivesBackWhatItTook(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	re, im, want := make([]float64, 256), make([]float64, 256), make([]float64, 256)
	for i := range re {
		re[i] = rng.NormFloat64()
		want[i] = re[i]
	}
	fft(re, im)
	dc := 0.0
	for _, v := range want {
		dc += v
	}
	if math.Abs(re[0]-dc) > 1e-9 {
		t.Errorf("sum %v, want %v", re[0], dc)
	}
	inverse(re, im)
	for i := range re {
		if math.Abs(re[i]-want[i]) > 1e-12 || math.Abs(im[i]) > 1e-12 {
			t.Fatalf("sample %d: %v, want %v", i, re[i], want[i])
		}
	}
}

// Research §2.7: lives of a bearing, a second of waveform every four hours, an
// alarm where 3 of 4 are 5 σ above the bearing's own first days: the envelope
// warns first, then kurtosis, then RMS; velocity, the ISO zone, last. (The table's
// leads, 8.5, 6.5, 4.8, 1.1 days, are of other lives and of snapshots twice as often.)
func TestTheFeaturesOfABearingWarnInTheOrderOfTheTable(t *testing.T) {
	const rate, every = 12800, 4.0 // Hz, h
	b := NewRollerBearing()
	features := []func(Heard) float64{func(h Heard) float64 { return h.SNR }, func(h Heard) float64 { return h.Kurtosis },
		func(h Heard) float64 { return h.RMS }, func(h Heard) float64 { return h.Velocity }}
	leads := make([][]float64, len(features))
	var last Heard
	for life := range 3 {
		rng := rand.New(rand.NewPCG(uint64(life), 0xbea))
		tau := 2.2 * 24 * math.Exp(0.35*rng.NormFloat64()) // h
		long := tau * math.Log(30/0.15)
		const sound = 4 * 24.0
		var heard []Heard
		for at := 0.0; at < sound+long; at += every {
			spall := 0.0
			if at >= sound {
				spall = 0.15 * math.Exp((at-sound)/tau)
			}
			rpm, load := 1080+240*rng.Float64(), 0.7+0.6*rng.Float64()
			heard = append(heard, b.Listen(b.Waveform(rate, spall, rpm, load, rng), rate, rpm))
		}
		last = heard[len(heard)-1]
		for k, of := range features {
			base := int(sound / every)
			mean, dev := 0.0, 0.0
			for _, h := range heard[:base] {
				mean += of(h) / float64(base)
			}
			for _, h := range heard[:base] {
				dev += (of(h) - mean) * (of(h) - mean) / float64(base-1)
			}
			limit := mean + 5*math.Sqrt(dev)
			lead := 0.0
			for i := base; i < len(heard); i++ {
				over := 0
				for _, h := range heard[max(0, i-3) : i+1] {
					if of(h) > limit {
						over++
					}
				}
				if over >= 3 {
					lead = sound + long - float64(i)*every
					break
				}
			}
			leads[k] = append(leads[k], lead/24)
		}
	}
	var middles []float64
	for _, l := range leads {
		slices.Sort(l)
		middles = append(middles, l[len(l)/2])
	}
	t.Logf("median lead, days: envelope %.1f, kurtosis %.1f, RMS %.1f, velocity %.1f", middles[0], middles[1], middles[2], middles[3])
	if !(middles[0] > middles[1] && middles[1] > middles[2] && middles[2] > middles[3]) || middles[0] < 4 || middles[3] > 2 {
		t.Errorf("days: envelope %.1f, kurtosis %.1f, RMS %.1f, velocity %.1f: want them in that order, the first by 4 or more, the last by 2 at most", middles[0], middles[1], middles[2], middles[3])
	}
	if last.SNR < 30 || last.Kurtosis < 8 {
		t.Errorf("at the end the envelope is %.0f above noise, kurtosis %.1f", last.SNR, last.Kurtosis)
	}
}

// Research §2.8: wear shows in the sidebands of the mesh.
func TestAWornGearShowsInTheSidebandsOfItsMesh(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	b := NewRollerBearing()
	b.Noise = 0.02
	sound := b.Listen(b.Waveform(12800, 0, 1200, 1, rng), 12800, 1200).Sideband
	b.Sideband = 0.6
	worn := b.Listen(b.Waveform(12800, 0, 1200, 1, rng), 12800, 1200).Sideband
	if math.Abs(sound-0.04) > 0.015 || math.Abs(worn-0.3) > 0.06 { // half of the modulation on each side
		t.Errorf("sidebands %.3f of the mesh where sound, %.3f where worn; want 0.04 and 0.30", sound, worn)
	}
}
