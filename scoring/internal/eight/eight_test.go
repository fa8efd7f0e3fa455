package eight

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mudpulse/mudpulse/scoring/internal/portable"
)

func bits(z Lanes) (out [8]uint64) {
	for i, v := range z {
		out[i] = math.Float64bits(v)
	}
	return out
}

// The kernels of this machine, against plain Go and portable.Exp.
func TestEachLaneHasTheBitsOfPlainGo(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	number := func() float64 { return math.Ldexp(r.NormFloat64(), r.IntN(40)-20) }
	for range 3000 {
		x, y := make([]Lanes, r.IntN(9)), []float64{}
		for i := range x {
			for l := range x[i] {
				x[i][l] = number()
			}
			y = append(y, number())
		}
		var got, want Lanes
		Squares(&got, x, y)
		squaresGo(&want, x, y)
		if bits(got) != bits(want) {
			t.Fatalf("squares of %v to %v: %v, want %v", x, y, got, want)
		}
		Dot(&got, x, y)
		dotGo(&want, x, y)
		if bits(got) != bits(want) {
			t.Fatalf("products of %v with %v: %v, want %v", x, y, got, want)
		}
		for l := range got {
			got[l] = -math.Ldexp(r.Float64(), r.IntN(42)-30)
			if r.IntN(40) == 0 {
				got[l] = number()
			}
			want[l] = portable.Exp(got[l])
		}
		in := got
		Exp(&got)
		if bits(got) != bits(want) {
			t.Fatalf("exp of %v: %v, want %v", in, got, want)
		}
	}
}

func TestExpAtTheEdges(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(-1), math.Inf(1), 0, -0x1p-28, math.Nextafter(-0x1p-28, -1), -700, math.Nextafter(-700, 0), -745.2, 710, -math.Ln2 / 2, -3 * math.Ln2 / 2} {
		got := Lanes{v, -1, v, v, -2, -3, -4, v}
		want := got
		for l, x := range want {
			want[l] = portable.Exp(x)
		}
		Exp(&got)
		if bits(got) != bits(want) {
			t.Errorf("%v: %v, want %v", v, got, want)
		}
	}
}

func BenchmarkExp(b *testing.B) {
	in := Lanes{-1, -2, -3, -4, -0.5, -10, -20, -0.1}
	for b.Loop() {
		z := in
		Exp(&z)
	}
}

func BenchmarkSquares20(b *testing.B) {
	x, y := make([]Lanes, 20), make([]float64, 20)
	var z Lanes
	for b.Loop() {
		Squares(&z, x, y)
	}
}

func BenchmarkPlainExp(b *testing.B) {
	in := Lanes{-1, -2, -3, -4, -0.5, -10, -20, -0.1}
	for b.Loop() {
		z := in
		portable.ExpEach(z[:])
	}
}

func BenchmarkPlainSquares20(b *testing.B) {
	x, y := make([]Lanes, 20), make([]float64, 20)
	var z Lanes
	for b.Loop() {
		squaresGo(&z, x, y)
	}
}
