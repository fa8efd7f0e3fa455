// Package portable holds elementary functions that give the same bits on every
// machine. Those of package math use assembly on some, and the compiler fuses
// x*y+z on others; here every product is rounded by an explicit conversion.
package portable

import "math"

const (
	ln2Hi  = 6.93147180369123816490e-01 // 32 bits of ln 2
	ln2Lo  = 1.90821492927058770002e-10 // the rest
	invLn2 = 1.44269504088896338700e+00
)

// Exp returns e**x, within 1 ulp: argument reduced by k ln 2, then a Remez
// polynomial on [0, 0.34658] (the method of fdlibm's e_exp.c).
func Exp(x float64) float64 {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 1):
		return x
	case math.IsInf(x, -1):
		return 0
	case x > 7.09782712893383973096e+02:
		return math.Inf(1)
	case x < -7.45133219101941108420e+02:
		return 0
	case -1.0/(1<<28) < x && x < 1.0/(1<<28):
		return 1 + x
	}
	var k int
	if x < 0 {
		k = int(float64(invLn2*x) - 0.5)
	} else {
		k = int(float64(invLn2*x) + 0.5)
	}
	hi := x - float64(float64(k)*ln2Hi)
	lo := float64(float64(k) * ln2Lo)
	return expMulti(hi, lo, k)
}

// ExpEach is Exp of each number, in place: several go on side by side.
func ExpEach(x []float64) {
	for i, v := range x {
		if !(v > -700 && v < -1.0/(1<<28)) { // the usual: a falling exponential
			x[i] = Exp(v)
			continue
		}
		k := int(float64(invLn2*v) - 0.5)
		kf := float64(k)
		x[i] = expMulti(v-float64(kf*ln2Hi), float64(kf*ln2Lo), k)
	}
}

func expMulti(hi, lo float64, k int) float64 {
	const (
		p1 = 1.66666666666666657415e-01
		p2 = -2.77777777770155933842e-03
		p3 = 6.61375632143793436117e-05
		p4 = -1.65339022054652515390e-06
		p5 = 4.13813679705723846039e-08
	)
	r := hi - lo
	t := float64(r * r)
	c := p4 + float64(t*p5)
	c = p3 + float64(t*c)
	c = p2 + float64(t*c)
	c = p1 + float64(t*c)
	c = r - float64(t*c)
	y := 1 - ((lo - float64(r*c)/(2-c)) - hi)
	if -1020 < k && k < 1020 { // y is about 1: its exponent has room
		return math.Float64frombits(math.Float64bits(y) + uint64(k)<<52)
	}
	return math.Ldexp(y, k)
}

// Log returns the natural logarithm of x, within 1 ulp (fdlibm's e_log.c).
func Log(x float64) float64 {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 1):
		return x
	case x < 0:
		return math.NaN()
	case x == 0:
		return math.Inf(-1)
	}
	f, ki := math.Frexp(x)
	if f < math.Sqrt2/2 {
		f *= 2
		ki--
	}
	f--
	k := float64(ki)
	hfsq, r, s := logParts(f)
	return float64(k*ln2Hi) - ((hfsq - (float64(s*(hfsq+r)) + float64(k*ln2Lo))) - f)
}

// logParts: log(1+f) = f - (hfsq - s*(hfsq+r)).
func logParts(f float64) (hfsq, r, s float64) {
	const (
		l1 = 6.666666666666735130e-01
		l2 = 3.999999999940941908e-01
		l3 = 2.857142874366239149e-01
		l4 = 2.222219843214978396e-01
		l5 = 1.818357216161805012e-01
		l6 = 1.531383769920937332e-01
		l7 = 1.479819860511658591e-01
	)
	s = f / (2 + f)
	z := float64(s * s)
	w := float64(z * z)
	t1 := l5 + float64(w*l7)
	t1 = l3 + float64(w*t1)
	t1 = l1 + float64(w*t1)
	t2 := l4 + float64(w*l6)
	t2 = l2 + float64(w*t2)
	r = float64(z*t1) + float64(w*t2)
	return float64(0.5 * float64(f*f)), r, s
}

// Log1p returns log(1+x), exact also where x is tiny.
func Log1p(x float64) float64 {
	u := 1 + x
	if u == 1 {
		return x
	}
	if math.IsInf(u, 1) {
		return u
	}
	// The rounding of 1+x is put right (Kahan).
	return float64(Log(u)*x) / (u - 1)
}

// Expm1 returns e**x - 1, exact also where x is tiny (Kahan).
func Expm1(x float64) float64 {
	if math.Abs(x) < 1e-5 {
		return x + float64(float64(x*x)/2) + float64(float64(float64(x*x)*x)/6)
	}
	u := Exp(x)
	if u == 1 {
		return x
	}
	if d := u - 1; math.Abs(x) < 0.5 {
		return float64(d*x) / Log(u)
	}
	return u - 1
}

// Log10 returns the decimal logarithm.
func Log10(x float64) float64 {
	// Powers of ten are exact.
	if f, e := x, 0; x >= 1 && x <= 1e22 && x == math.Trunc(x) {
		for f >= 10 && math.Mod(f, 10) == 0 {
			f /= 10
			e++
		}
		if f == 1 {
			return float64(e)
		}
	}
	return Log(x) / 2.302585092994045684
}

// Tanh returns the hyperbolic tangent.
func Tanh(x float64) float64 {
	switch a := math.Abs(x); {
	case math.IsNaN(x):
		return x
	case a > 22:
		return math.Copysign(1, x)
	case a < 1e-9:
		return x
	default:
		t := Expm1(-2 * a)
		return math.Copysign(-t/(t+2), x)
	}
}

// Pow returns x**y: the logarithm is taken to twice the precision, so that the
// result is good to a few ulp for any exponent.
func Pow(x, y float64) float64 {
	switch {
	case y == 0 || x == 1:
		return 1
	case math.IsNaN(x) || math.IsNaN(y):
		return math.NaN()
	case y == 1:
		return x
	case y == 2:
		return float64(x * x)
	case y == 0.5 && x >= 0:
		return math.Sqrt(x)
	case y == -1:
		return 1 / x
	}
	whole := y == math.Trunc(y)
	odd := whole && math.Abs(y) < 1<<53 && math.Mod(math.Abs(y), 2) == 1
	switch {
	case x == 0:
		r := 0.0
		if y < 0 {
			r = math.Inf(1)
		}
		if odd {
			return math.Copysign(r, x)
		}
		return r
	case x < 0 && !whole && !math.IsInf(y, 0):
		return math.NaN()
	case math.IsInf(x, 0) || math.IsInf(y, 0):
		return powInf(x, y, odd)
	}
	sign := 1.0
	if x < 0 {
		if odd {
			sign = -1
		}
		x = -x
	}
	if whole && math.Abs(y) <= 64 {
		return sign * powInt(x, y)
	}
	hi, lo := log2x(x)
	ph, pl := twoProd(hi, y)
	pl += float64(lo * y)
	if ph > 710 {
		return sign * math.Inf(1)
	}
	if ph < -746 {
		return sign * 0
	}
	return sign * float64(Exp(ph)*(1+pl))
}

func powInf(x, y float64, odd bool) float64 {
	a := math.Abs(x)
	switch {
	case math.IsInf(y, 0) && a == 1:
		return 1
	case math.IsInf(y, 1) == (a > 1) && math.IsInf(y, 0):
		return math.Inf(1)
	case math.IsInf(y, 0):
		return 0
	case y > 0:
		if x < 0 && odd {
			return x
		}
		return math.Inf(1)
	default:
		if x < 0 && odd {
			return math.Copysign(0, -1)
		}
		return 0
	}
}

func powInt(x, y float64) float64 {
	n := int(math.Abs(y))
	rh, rl := 1.0, 0.0
	bh, bl := x, 0.0
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			rh, rl = mulDD(rh, rl, bh, bl)
		}
		bh, bl = mulDD(bh, bl, bh, bl)
	}
	r := rh + rl
	if math.IsNaN(r) || math.IsInf(rh, 0) {
		r = rh
	}
	if y < 0 {
		return 1 / r
	}
	return r
}

// log2x returns ln x as a sum of two doubles: a first logarithm, put right by
// the remainder x/exp(l) - 1 taken to twice the precision.
func log2x(x float64) (hi, lo float64) {
	f, k := math.Frexp(x)
	if f < math.Sqrt2/2 {
		f *= 2
		k--
	}
	l := Log(f)
	e := Exp(l) // e(1+d) = f
	ph, pl := twoProd(e, 1)
	d := ((f - ph) - pl) / e
	// exp's own error is below an ulp and enters d; Newton's step takes it away
	// up to the precision of exp, which is measured by squaring a half.
	eh := Exp(l / 2)
	sh, sl := twoProd(eh, eh)
	if g := ((f - sh) - sl) / f; math.Abs(g) < math.Abs(d) {
		d = g
	}
	kh, kl := float64(float64(k)*ln2Hi), float64(float64(k)*ln2Lo)
	s, t := twoSum(kh, l)
	t += kl + d
	return twoSum(s, t)
}

func twoSum(a, b float64) (s, e float64) {
	s = a + b
	v := s - a
	return s, (a - (s - v)) + (b - v)
}

func twoProd(a, b float64) (p, e float64) {
	p = float64(a * b)
	ah, al := split(a)
	bh, bl := split(b)
	e = ((float64(ah*bh) - p) + float64(ah*bl) + float64(al*bh)) + float64(al*bl)
	return p, e
}

func split(a float64) (hi, lo float64) {
	t := float64(134217729 * a)
	hi = t - (t - a)
	return hi, a - hi
}

func mulDD(ah, al, bh, bl float64) (h, l float64) {
	if p := float64(ah * bh); math.IsInf(p, 0) || p == 0 || math.Abs(ah) > 1e150 || math.Abs(bh) > 1e150 {
		return p, 0
	}
	p, e := twoProd(ah, bh)
	e += float64(ah*bl) + float64(al*bh)
	return twoSum(p, e)
}
