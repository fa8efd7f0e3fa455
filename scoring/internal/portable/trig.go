package portable

import (
	"math"
	"math/big"
	"sync"
)

// pi/4 in three parts of 27 or so bits (cephes sin.c).
const (
	pi4A = 7.85398125648498535156e-1
	pi4B = 3.77489470793079817668e-8
	pi4C = 2.69515142907905952645e-15
)

var (
	sinC     = []float64{-1.66666666666666307295e-1, 8.33333333332211858878e-3, -1.98412698295895385996e-4, 2.75573136213857245213e-6, -2.50507477628578072866e-8, 1.58962301576546568060e-10}
	cosC     = []float64{4.16666666666665929218e-2, -1.38888888888730564116e-3, 2.48015872888517045348e-5, -2.75573141792967388112e-7, 2.08757008419747316778e-9, -1.13585365213876817300e-11}
	tanP     = []float64{-1.79565251976484877988e7, 1.15351664838587416140e6, -1.30936939181383734205e4}
	tanQ     = []float64{-5.38695755929454629881e7, 2.50083801823357915839e7, -1.32089234440210967447e6, 1.36812963470692954678e4, 1}
	atanHi   = [4]float64{4.63647609000806093515e-01, 7.85398163397448278999e-01, 9.82793723247329054082e-01, 1.57079632679489655800e+00} // of 0.5, 1, 1.5, infinity
	atanLo   = [4]float64{2.26987774529616870924e-17, 3.06161699786838301793e-17, 1.39033110312309984516e-17, 6.12323399573676603587e-17} // and what they leave
	atanOdd  = []float64{3.33333333333329318027e-01, 1.42857142725034663711e-01, 9.09088713343650656196e-02, 6.66107313738753120669e-02, 4.97687799461593236017e-02, 1.62858201153657823623e-02}
	atanEven = []float64{-1.99999999998764832476e-01, -1.11111104054623557880e-01, -7.69187620504482999495e-02, -5.83357013379057348645e-02, -3.65315727442169155270e-02}
)

// reduce brings |x| into [-pi/4, pi/4]: x = j pi/4 + z, j even.
func reduce(x float64) (j uint64, z float64) {
	if x >= 1<<29 {
		return reduceLarge(x)
	}
	j = uint64(float64(x * (4 / math.Pi)))
	if j&1 == 1 {
		j++
	}
	y := float64(j)
	return j & 7, ((x - float64(y*pi4A)) - float64(y*pi4B)) - float64(y*pi4C)
}

// piBits holds pi to enough bits for the largest double.
var piBits = sync.OnceValue(func() *big.Float {
	// Machin: pi = 16 atan(1/5) - 4 atan(1/239), in integers of 1400 bits.
	const bits = 1400
	one := new(big.Int).Lsh(big.NewInt(1), bits)
	atan := func(q int64) *big.Int {
		term := new(big.Int).Div(one, big.NewInt(q))
		sum, square := new(big.Int).Set(term), big.NewInt(q*q)
		for n := int64(3); term.Sign() != 0; n += 2 {
			term.Div(term, square)
			part := new(big.Int).Div(term, big.NewInt(n))
			if n&2 != 0 {
				sum.Sub(sum, part)
			} else {
				sum.Add(sum, part)
			}
		}
		return sum
	}
	pi := new(big.Int).Sub(new(big.Int).Mul(atan(5), big.NewInt(16)), new(big.Int).Mul(atan(239), big.NewInt(4)))
	f := new(big.Float).SetPrec(bits).SetInt(pi)
	return f.SetMantExp(f, -bits)
})

func reduceLarge(x float64) (uint64, float64) {
	quarter := new(big.Float).SetPrec(1400)
	quarter.SetMantExp(piBits(), -2)
	v := new(big.Float).SetPrec(1400).SetFloat64(x)
	n, _ := new(big.Float).SetPrec(1400).Quo(v, quarter).Int(nil)
	if n.Bit(0) == 1 {
		n.Add(n, big.NewInt(1))
	}
	v.Sub(v, quarter.Mul(quarter, new(big.Float).SetPrec(1400).SetInt(n)))
	z, _ := v.Float64()
	return new(big.Int).And(n, big.NewInt(7)).Uint64(), z
}

// Sin returns the sine of x, within about an ulp.
func Sin(x float64) float64 {
	if x == 0 || math.IsNaN(x) {
		return x
	}
	if math.IsInf(x, 0) {
		return math.NaN()
	}
	j, z := reduce(math.Abs(x))
	y := sinOrCos(z, j&3 == 2)
	if (j > 3) != (x < 0) {
		return -y
	}
	return y
}

// Cos returns the cosine of x, within about an ulp.
func Cos(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return math.NaN()
	}
	j, z := reduce(math.Abs(x))
	y := sinOrCos(z, j&3 != 2)
	if j == 2 || j == 4 {
		return -y
	}
	return y
}

func sinOrCos(z float64, cos bool) float64 {
	zz := float64(z * z)
	if cos {
		return 1 - float64(0.5*zz) + float64(float64(zz*zz)*poly(zz, cosC))
	}
	return z + float64(float64(z*zz)*poly(zz, sinC))
}

// Tan returns the tangent of x.
func Tan(x float64) float64 {
	if x == 0 || math.IsNaN(x) {
		return x
	}
	if math.IsInf(x, 0) {
		return math.NaN()
	}
	j, z := reduce(math.Abs(x))
	y := z
	if zz := float64(z * z); zz > 1e-14 {
		y = z + float64(z*float64(zz*poly(zz, tanP)/poly(zz, tanQ)))
	}
	if j&2 == 2 {
		y = -1 / y
	}
	if x < 0 {
		return -y
	}
	return y
}

// Atan returns the arc tangent of x, to the bit as fdlibm's s_atan.c and Java have it:
// of a ratio near 0, and of the nearest of four angles.
func Atan(x float64) float64 {
	a := math.Abs(x)
	id := -1
	switch {
	case math.IsNaN(x) || a < 1.0/(1<<29):
		return x
	case a >= 1<<66:
		return math.Copysign(atanHi[3]+atanLo[3], x)
	case a < 0.4375:
		a = x
	case a < 0.6875:
		id, a = 0, (float64(2*a)-1)/(2+a)
	case a < 1.1875:
		id, a = 1, (a-1)/(a+1)
	case a < 2.4375:
		id, a = 2, (a-1.5)/(1+float64(1.5*a))
	default:
		id, a = 3, -1/a
	}
	z := float64(a * a)
	w := float64(z * z)
	r := float64(z*poly(w, atanOdd)) + float64(w*poly(w, atanEven))
	if id < 0 {
		return a - float64(a*r)
	}
	return math.Copysign(atanHi[id]-((float64(a*r)-atanLo[id])-a), x)
}

// Atan2 returns the angle of the point (x, y).
func Atan2(y, x float64) float64 {
	switch {
	case math.IsNaN(y) || math.IsNaN(x):
		return math.NaN()
	case y == 0 && (x > 0 || x == 0 && !math.Signbit(x)):
		return y
	case y == 0:
		return math.Copysign(math.Pi, y)
	case x == 0:
		return math.Copysign(math.Pi/2, y)
	case math.IsInf(x, 0) && math.IsInf(y, 0):
		if x > 0 {
			return math.Copysign(math.Pi/4, y)
		}
		return math.Copysign(3*math.Pi/4, y)
	case math.IsInf(x, 1):
		return math.Copysign(0, y)
	case math.IsInf(x, -1):
		return math.Copysign(math.Pi, y)
	case math.IsInf(y, 0):
		return math.Copysign(math.Pi/2, y)
	}
	q := Atan(y / x)
	switch {
	case x > 0:
		return q
	case q <= 0:
		return q + math.Pi
	}
	return q - math.Pi
}

// Asin returns the arc sine of x; NaN outside -1 to 1.
func Asin(x float64) float64 {
	a := math.Abs(x)
	if !(a <= 1) {
		return math.NaN()
	}
	if x == 0 {
		return x
	}
	c := math.Sqrt(float64((1 - a) * (1 + a)))
	y := Atan(a / c)
	if a > 0.7 {
		y = math.Pi/2 - Atan(c/a)
	}
	return math.Copysign(y, x)
}

// Acos returns the arc cosine of x; NaN outside -1 to 1.
func Acos(x float64) float64 {
	if !(math.Abs(x) <= 1) {
		return math.NaN()
	}
	return 2 * Atan2(math.Sqrt(1-x), math.Sqrt(1+x))
}

// Sinh returns the hyperbolic sine of x.
func Sinh(x float64) float64 {
	a := math.Abs(x)
	var y float64
	switch {
	case x == 0 || math.IsNaN(x):
		return x
	case a > 709:
		y = Exp(a / 2)
		y = float64(float64(0.5*y) * y)
	case a > 21:
		y = 0.5 * Exp(a)
	default:
		e := Expm1(a)
		y = 0.5 * (e + e/(e+1))
	}
	return math.Copysign(y, x)
}

// Cosh returns the hyperbolic cosine of x.
func Cosh(x float64) float64 {
	a := math.Abs(x)
	switch {
	case math.IsNaN(x):
		return x
	case a > 709:
		y := Exp(a / 2)
		return float64(float64(0.5*y) * y)
	case a > 21:
		return 0.5 * Exp(a)
	}
	e := Exp(a)
	return 0.5 * (e + 1/e)
}

// Hypot returns the length of (x, y), without overflow on the way.
func Hypot(x, y float64) float64 {
	x, y = math.Abs(x), math.Abs(y)
	switch {
	case math.IsInf(x, 1) || math.IsInf(y, 1):
		return math.Inf(1)
	case math.IsNaN(x) || math.IsNaN(y):
		return math.NaN()
	}
	if x < y {
		x, y = y, x
	}
	if x == 0 {
		return 0
	}
	_, e := math.Frexp(x)
	x, y = math.Ldexp(x, -e), math.Ldexp(y, -e)
	return math.Ldexp(math.Sqrt(float64(x*x)+float64(y*y)), e)
}
