package rig

import (
	"math"
	"math/bits"
	"slices"
)

// fft transforms in place; the length is a power of two.
func fft(re, im []float64) {
	n := len(re)
	shift := 64 - bits.Len(uint(n-1))
	for i := range re {
		if j := int(bits.Reverse64(uint64(i)) >> shift); i < j {
			re[i], re[j] = re[j], re[i]
			im[i], im[j] = im[j], im[i]
		}
	}
	for size := 2; size <= n; size *= 2 {
		half := size / 2
		for k := range half {
			s, c := math.Sincos(-2 * math.Pi * float64(k) / float64(size))
			for i := k; i < n; i += size {
				j := i + half
				x, y := re[j]*c-im[j]*s, re[j]*s+im[j]*c
				re[j], im[j] = re[i]-x, im[i]-y
				re[i], im[i] = re[i]+x, im[i]+y
			}
		}
	}
}

// inverse is fft's.
func inverse(re, im []float64) {
	for i := range im {
		im[i] = -im[i]
	}
	fft(re, im)
	n := float64(len(re))
	for i := range re {
		re[i], im[i] = re[i]/n, -im[i]/n
	}
}

// middle is the median.
func middle(x []float64) float64 {
	x = slices.Clone(x)
	slices.Sort(x)
	return x[len(x)/2]
}
