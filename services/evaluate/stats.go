package evaluate

import (
	"math"
	"math/rand/v2"
	"slices"
)

// An Interval is an estimate and the bounds of its 95 % confidence interval;
// NaN where there is nothing to estimate from.
type Interval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

var unknown = Interval{math.NaN(), math.NaN(), math.NaN()}

// quantile interpolates between order statistics (type 7, as numpy); x is sorted.
func quantile(x []float64, p float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	h := p * float64(len(x)-1)
	i := int(h)
	if i+1 >= len(x) {
		return x[len(x)-1]
	}
	return x[i] + (h-float64(i))*(x[i+1]-x[i])
}

// share is a proportion with Wilson's interval.
func share(n, of int) Interval {
	if of == 0 {
		return unknown
	}
	const z = 1.959963984540054
	p, m := float64(n)/float64(of), float64(of)
	mid := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z * math.Sqrt(p*(1-p)/m+z*z/(4*m*m)) / (1 + z*z/m)
	return Interval{p, max(0, mid-half), min(1, mid+half)}
}

// rate is events by exposure with Poisson's interval (Garwood; quantiles of χ²
// by Wilson and Hilferty, which is within 2 % from one event on).
func rate(n int, exposure float64) Interval {
	if exposure <= 0 {
		return unknown
	}
	chi := func(z, df float64) float64 {
		a := 2 / (9 * df)
		return df * math.Pow(max(0, 1-a+z*math.Sqrt(a)), 3)
	}
	low := 0.0
	switch {
	case n == 1:
		low = 0.02532 // −ln 0.975
	case n > 1:
		low = chi(-1.959963984540054, 2*float64(n)) / 2
	}
	high := chi(1.959963984540054, 2*float64(n+1)) / 2
	if n == 0 {
		high = 3.689 // −ln 0.025
	}
	return Interval{float64(n) / exposure, low / exposure, high / exposure}
}

// bootstrap is stat of the values of all groups, with the interval of 400
// resamplings of the groups: drills are independent, their failures may not be.
func bootstrap(groups [][]float64, stat func(sorted []float64) float64) Interval {
	var filled [][]float64
	var all []float64
	for _, g := range groups {
		if len(g) > 0 {
			filled = append(filled, g)
			all = append(all, g...)
		}
	}
	if len(all) == 0 {
		return unknown
	}
	slices.Sort(all)
	out := Interval{Value: stat(all)}
	rng := rand.New(rand.NewPCG(20260301, uint64(len(all))))
	var draws []float64
	for range 400 {
		all = all[:0]
		for range filled {
			all = append(all, filled[rng.IntN(len(filled))]...)
		}
		slices.Sort(all)
		draws = append(draws, stat(all))
	}
	slices.Sort(draws)
	out.Low, out.High = quantile(draws, 0.025), quantile(draws, 0.975)
	return out
}

func median(x []float64) float64 { return quantile(x, 0.5) }
func tenth(x []float64) float64  { return quantile(x, 0.1) }
func mean(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v
	}
	return s / float64(len(x))
}

// phm08 is the score of the PHM08 competition of one prediction that is d too
// long, in units of which 10 and 13 are much.
func phm08(d float64) float64 {
	if d < 0 {
		return math.Exp(-d/13) - 1
	}
	return math.Exp(d/10) - 1
}
