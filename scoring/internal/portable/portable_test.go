package portable

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The functions of math are good to an ulp; ours are compared with them over
// random arguments and the edges.
func TestWithinAFewUlpOfMath(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	near := func(name string, x, got, want, tol float64) {
		t.Helper()
		if got == want || math.IsNaN(got) && math.IsNaN(want) || name == "exp" && x > 709 && math.IsInf(want, 1) { // math.Exp overflows early on some machines
			return
		}
		if d := math.Abs(got-want) / math.Abs(want); !(d <= tol) && math.Abs(want) > 1e-300 {
			t.Errorf("%s(%v) = %v, want %v (relative %g)", name, x, got, want, d)
		}
	}
	edges := []float64{0, math.Copysign(0, -1), 1, -1, 0.5, 2, 10, 1000, 1e-10, 1e-300, 1e300, 745, -745, 709.7, math.Inf(1), math.Inf(-1), math.NaN()}
	for i := range 200000 {
		var x float64
		if i < len(edges) {
			x = edges[i]
		} else {
			x = (rng.Float64() - 0.5) * math.Exp2(float64(rng.IntN(24)-12))
		}
		near("exp", x, Exp(x), math.Exp(x), 4e-16)
		near("log", x, Log(math.Abs(x)), math.Log(math.Abs(x)), 4e-16)
		near("expm1", x, Expm1(x), math.Expm1(x), 2e-15)
		near("tanh", x, Tanh(x), math.Tanh(x), 3e-15)
		near("erf", x, Erf(x), math.Erf(x), 1e-15)
		if x > -1 {
			near("log1p", x, Log1p(x), math.Log1p(x), 2e-15)
		}
		near("log10", x, Log10(math.Abs(x)), math.Log10(math.Abs(x)), 1e-15)
	}
	for range 200000 {
		x := math.Exp((rng.Float64() - 0.5) * 40)
		y := (rng.Float64() - 0.5) * 30
		near("pow", x, Pow(x, y), math.Pow(x, y), 4e-15)
		n := float64(rng.IntN(40) - 20)
		near("pow", x, Pow(-x, n), math.Pow(-x, n), 5e-15) // math.Pow's own error grows with n
	}
	for _, x := range edges {
		for _, y := range edges {
			if got, want := Pow(x, y), math.Pow(x, y); got != want && !(math.IsNaN(got) && math.IsNaN(want)) && math.Abs(got-want) > 1e-14*math.Abs(want) {
				t.Errorf("pow(%v, %v) = %v, want %v", x, y, got, want)
			}
		}
	}
}

// Numbers of 20 digits and more from mpmath.
func TestDistributionsAgreeWithLongerArithmetic(t *testing.T) {
	f := func(name string, got, want, tol float64) {
		t.Helper()
		if d := math.Abs(got - want); !(d <= tol*math.Abs(want)) {
			t.Errorf("%s = %v, want %v (relative %g)", name, got, want, d/math.Abs(want))
		}
	}
	f("NormCDF(-5)", NormCDF(-5), 2.8665157187919391167e-7, 1e-14)
	f("NormCDF(-20)", NormCDF(-20), 2.7536241186062336951e-89, 5e-14)
	f("NormCDF(1)", NormCDF(1), 0.84134474606854294859, 1e-15)
	f("NormQuantile(0.975)", NormQuantile(0.975), 1.9599639845400542355, 1e-15)
	f("NormQuantile(1e-10)", NormQuantile(1e-10), -6.3613409024040560474, 1e-15)
	f("LogGamma(0.5)", LogGamma(0.5), 0.57236494292470008707, 3e-15)
	f("LogGamma(100)", LogGamma(100), 359.13420536957539878, 1e-15)
	p, q := ChiSquareCDF(5.028571428571429, 2)
	f("ChiSquareCDF(5.03, 2)", p, 0.919079307937085, 1e-14)
	f("1-ChiSquareCDF(5.03, 2)", q, 0.0809206920629148, 1e-13)
	p, _ = ChiSquareCDF(16.666666666666668, 1)
	f("ChiSquareCDF(16.7, 1)", p, 0.999955442909396, 1e-14)
	_, q = ChiSquareCDF(16.666666666666668, 1)
	f("1-ChiSquareCDF(16.7, 1)", q, 4.45570906040562e-5, 1e-13)
	f("PoissonCDF(7, 4)", PoissonCDF(7, 4), 0.948866384207153, 1e-14)
	f("PoissonCDF(2, 4)", PoissonCDF(2, 4), 0.238103305553544, 1e-13)
	for i := range 2000 {
		x := float64(i)/100 - 10
		if x <= 0 {
			f("NormQuantile(NormCDF(x))", NormQuantile(NormCDF(x)), x, 1e-13)
		}
		f("Erfc", Erfc(x), math.Erfc(x), 3e-14)
		if x > 0 {
			want, _ := math.Lgamma(x * 10)
			if d := math.Abs(LogGamma(x*10) - want); d > 3e-14*max(1, math.Abs(want)) {
				t.Errorf("LogGamma(%v) = %v, want %v", x*10, LogGamma(x*10), want)
			}
			for _, df := range []int{1, 2, 3, 10, 31} {
				p, q := ChiSquareCDF(x*6, df)
				if math.Abs(p+q-1) > 1e-13 || math.Abs(p-series(x*6, df)) > 1e-12 {
					t.Errorf("ChiSquareCDF(%v, %d) = %v, %v; by the series %v", x*6, df, p, q, series(x*6, df))
				}
			}
		}
	}
}

// series is the lower chi-square part by its power series, wherever it is.
func series(x float64, df int) float64 {
	a, h := float64(df)/2, x/2
	lg, _ := math.Lgamma(a)
	s, term := 0.0, 1/a
	for n := 1.0; n < 5000; n++ {
		s += term
		term *= h / (a + n)
	}
	return s * math.Exp(a*math.Log(h)-h-lg)
}

func TestExpEachIsExp(t *testing.T) {
	x := []float64{0, -1e-12, -0.5, -699.9, -701, -745, 3, 710, math.Inf(1), math.Inf(-1), math.NaN(), -1021.3 * math.Ln2, 1e-300}
	for i := range 1000 {
		x = append(x, -float64(i)*0.737)
	}
	y := append([]float64(nil), x...)
	ExpEach(y)
	for i := range x {
		if w := Exp(x[i]); math.Float64bits(w) != math.Float64bits(y[i]) {
			t.Errorf("%v: %v alone, %v among others", x[i], w, y[i])
		}
	}
}
