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
		near("erf", x, Erf(x), math.Erf(x), 1e-13)
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
