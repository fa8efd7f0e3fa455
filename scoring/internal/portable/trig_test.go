package portable

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestTrigonometryIsWithinAFewUlpOfMath(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 1))
	f := func(name string, ours, theirs func(float64) float64, draw func() float64, most float64) {
		t.Helper()
		worst, at := 0.0, 0.0
		for range 20_000 {
			x := draw()
			a, b := ours(x), theirs(x)
			if math.IsNaN(a) != math.IsNaN(b) {
				t.Fatalf("%s(%v) = %v, want %v", name, x, a, b)
			}
			if d := math.Abs(a-b) / math.Max(math.Abs(b), 1e-300); a != b && d > worst {
				worst, at = d, x
			}
		}
		if worst > most {
			t.Errorf("%s(%v) differs by %g", name, at, worst)
		}
	}
	// math's own reduction of large arguments, and its arc cosine near 1, are the less exact side.
	wide := func() float64 { return math.Ldexp(r.Float64()-0.5, r.IntN(60)-20) }
	unit := func() float64 { return r.Float64()*2 - 1 }
	f("sin", Sin, math.Sin, wide, 1e-12)
	f("cos", Cos, math.Cos, wide, 1e-12)
	f("tan", Tan, math.Tan, wide, 1e-12)
	f("atan", Atan, math.Atan, wide, 1e-15)
	f("asin", Asin, math.Asin, unit, 1e-13)
	f("acos", Acos, math.Acos, unit, 1e-10)
	f("sinh", Sinh, math.Sinh, func() float64 { return (r.Float64() - 0.5) * 1400 }, 1e-15)
	f("cosh", Cosh, math.Cosh, func() float64 { return (r.Float64() - 0.5) * 1400 }, 1e-15)
	f("sinh", Sinh, math.Sinh, unit, 1e-15)
	f("hypot", func(x float64) float64 { return Hypot(x, 3) }, func(x float64) float64 { return math.Hypot(x, 3) }, wide, 1e-15)
	f("atan2", func(x float64) float64 { return Atan2(x, -2) }, func(x float64) float64 { return math.Atan2(x, -2) }, wide, 1e-15)
	f("sin", Sin, math.Sin, func() float64 { return math.Ldexp(r.Float64(), 29+r.IntN(900)) }, 1e-10)
	if got := Sin(1e22); got != -0.8522008497671888 { // the sine of 1e22 that is asked of every libm
		t.Errorf("sin(1e22) = %v", got)
	}
}
