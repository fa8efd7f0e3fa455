package scoring

import (
	"math"
	"slices"

	"github.com/mudpulse/mudpulse/scoring/internal/portable"
)

// exp32 is the exponential of 32-bit arithmetic as the reference engine has it:
// a power of 2.7182817, not of e. docs/pmml-semantics.md, float-exp.
func exp32(x float32) float32 { return float32(portable.Pow(2.7182817, float64(x))) }

// run32 is run in 32 bits throughout: x-mathContext=float.
func (l *layer) run32(a []float64) {
	for i := range l.neurons {
		n := &l.neurons[i]
		var z float32
		if l.fn == actRadial {
			for j, w := range n.weights {
				d := float32(n.input(a, j)) - float32(w)
				z += float32(d * d)
			}
			a[l.from+i] = float64(exp32(float32(n.gain) - z/float32(n.twice)))
			continue
		}
		for j, w := range n.weights {
			z += float32(float32(w) * float32(n.input(a, j)))
		}
		a[l.from+i] = l.activate32(z + float32(n.bias))
	}
}

func softmax32(y []float64) {
	top := slices.Max(y)
	for i := range y {
		y[i] = float64(exp32(float32(y[i]) - float32(top)))
	}
	share32(y)
}

// share32 returns the sum that it divides by.
func share32(y []float64) float32 {
	var s float32
	for _, f := range y {
		s += float32(f)
	}
	for i := range y {
		y[i] = float64(float32(y[i]) / s)
	}
	return s
}

func (l *layer) activate32(z float32) float64 {
	switch l.fn {
	case actLogistic:
		return float64(1 / (1 + exp32(-z)))
	case actReciprocal:
		return float64(1 / z)
	case actSquare:
		return float64(float32(z * z))
	case actElliott:
		return float64(z / (1 + float32(math.Abs(float64(z)))))
	case actGauss:
		return float64(exp32(-float32(z * z)))
	case actExponential:
		return float64(exp32(z))
	case actArctan:
		return float64(float32(2*float32(portable.Atan(float64(z)))) / float32(math.Pi))
	}
	return float64(float32(l.activate(float64(z))))
}
