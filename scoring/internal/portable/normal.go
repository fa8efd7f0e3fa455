package portable

import "math"

// Rational approximations of the error function (the method of fdlibm's s_erf.c).
var (
	erfP = []float64{1.28379167095512558561e-01, -3.25042107247001499370e-01, -2.84817495755985104766e-02, -5.77027029648944159157e-03, -2.37630166566501626084e-05}
	erfQ = []float64{1, 3.97917223959155352819e-01, 6.50222499887672944485e-02, 5.08130628187576562776e-03, 1.32494738004321644526e-04, -3.96022827877536812320e-06}
	midP = []float64{-2.36211856075265944077e-03, 4.14856118683748331666e-01, -3.72207876035701323847e-01, 3.18346619901161753674e-01, -1.10894694282396677476e-01, 3.54783043256182359371e-02, -2.16637559486879084300e-03}
	midQ = []float64{1, 1.06420880400844228286e-01, 5.40397917702171048937e-01, 7.18286544141962662868e-02, 1.26171219808761642112e-01, 1.36370839120290507362e-02, 1.19844998467991074170e-02}
	upP  = []float64{-9.86494403484714822705e-03, -6.93858572707181764372e-01, -1.05586262253232909814e+01, -6.23753324503260060396e+01, -1.62396669462573470355e+02, -1.84605092906711035994e+02, -8.12874355063065934246e+01, -9.81432934416914548592e+00}
	upQ  = []float64{1, 1.96512716674392571292e+01, 1.37657754143519042600e+02, 4.34565877475229228821e+02, 6.45387271733267880336e+02, 4.29008140027567833386e+02, 1.08635005541779435134e+02, 6.57024977031928170135e+00, -6.04244152148580987438e-02}
	topP = []float64{-9.86494292470009928597e-03, -7.99283237680523006574e-01, -1.77579549177547519889e+01, -1.60636384855821916062e+02, -6.37566443368389627722e+02, -1.02509513161107724954e+03, -4.83519191608651397019e+02}
	topQ = []float64{1, 3.03380607434824582924e+01, 3.25792512996573918826e+02, 1.53672958608443695994e+03, 3.19985821950859553908e+03, 2.55305040643316442583e+03, 4.74528541206955367215e+02, -2.24409524465858183362e+01}
)

const erx = 8.45062911510467529297e-01 // erf(1), cut

// poly returns c[0] + c[1]x + c[2]x² …
func poly(x float64, c []float64) float64 {
	y := 0.0
	for i := len(c) - 1; i >= 0; i-- {
		y = float64(y*x) + c[i]
	}
	return y
}

// Erf returns the error function of x.
func Erf(x float64) float64 {
	a := math.Abs(x)
	switch {
	case math.IsNaN(x):
		return x
	case a < 0.84375:
		z := float64(x * x)
		return x + float64(x*(poly(z, erfP)/poly(z, erfQ)))
	case a < 1.25:
		return math.Copysign(erx+poly(a-1, midP)/poly(a-1, midQ), x)
	case a >= 6:
		return math.Copysign(1, x)
	}
	return math.Copysign(1-erfcTail(a), x)
}

// Erfc returns 1 - Erf(x), good also where that is small.
func Erfc(x float64) float64 {
	a := math.Abs(x)
	switch {
	case math.IsNaN(x):
		return x
	case a < 0.84375:
		z := float64(x * x)
		y := poly(z, erfP) / poly(z, erfQ)
		if x < 0.25 {
			return 1 - (x + float64(x*y))
		}
		return 0.5 - (x - 0.5 + float64(x*y))
	case a < 1.25:
		p := poly(a-1, midP) / poly(a-1, midQ)
		if x < 0 {
			return 1 + (erx + p)
		}
		return 1 - erx - p
	case a >= 28 && x > 0:
		return 0
	case x < -6:
		return 2
	case x < 0:
		return 2 - erfcTail(a)
	}
	return erfcTail(a)
}

// erfcTail is Erfc of 1.25 to 28.
func erfcTail(a float64) float64 {
	s := 1 / float64(a*a)
	var r float64
	if a < 1/0.35 {
		r = poly(s, upP) / poly(s, upQ)
	} else {
		r = poly(s, topP) / poly(s, topQ)
	}
	z := math.Float64frombits(math.Float64bits(a) & 0xffffffff00000000)
	return float64(Exp(float64(-z*z)-0.5625)*Exp(float64((z-a)*(z+a))+r)) / a
}

// NormCDF returns the standard normal distribution function of x.
func NormCDF(x float64) float64 { return 0.5 * Erfc(-x/math.Sqrt2) }

// Wichura's algorithm AS 241 (1988), PPND16.
var (
	quantA = []float64{3.3871328727963666080e0, 1.3314166789178437745e+2, 1.9715909503065514427e+3, 1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4, 3.3430575583588128105e+4, 2.5090809287301226727e+3}
	quantB = []float64{1, 4.2313330701600911252e+1, 6.8718700749205790830e+2, 5.3941960214247511077e+3, 2.1213794301586595867e+4, 3.9307895800092710610e+4, 2.8729085735721942674e+4, 5.2264952788528545610e+3}
	quantC = []float64{1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4}
	quantD = []float64{1, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9}
	quantE = []float64{6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7}
	quantF = []float64{1, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2, 7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15}
)

// NormQuantile is the inverse of NormCDF; infinite at 0 and 1, NaN outside.
func NormQuantile(p float64) float64 {
	q := p - 0.5
	switch {
	case !(p >= 0 && p <= 1):
		return math.NaN()
	case p == 0:
		return math.Inf(-1)
	case p == 1:
		return math.Inf(1)
	case math.Abs(q) <= 0.425:
		r := 0.180625 - float64(q*q)
		return float64(q*poly(r, quantA)) / poly(r, quantB)
	}
	r := math.Sqrt(-Log(min(p, 1-p)))
	if r <= 5 {
		r = poly(r-1.6, quantC) / poly(r-1.6, quantD)
	} else {
		r = poly(r-5, quantE) / poly(r-5, quantF)
	}
	return math.Copysign(r, q)
}

// Stirling's series of the logarithm of the gamma function: Bernoulli numbers over 2n(2n-1).
var stirling = []float64{1. / 12, -1. / 360, 1. / 1260, -1. / 1680, 1. / 1188, -691. / 360360, 1. / 156, -3617. / 122400}

// LogGamma returns ln Γ(x) of a positive x; NaN of another.
func LogGamma(x float64) float64 {
	if !(x > 0) {
		return math.NaN()
	}
	shift := 1.0
	for x < 15 {
		shift = float64(shift * x)
		x++
	}
	const halfLog2Pi = 0.91893853320467274178
	r := 1 / x
	y := float64((x-0.5)*Log(x)) - x + halfLog2Pi + float64(r*poly(float64(r*r), stirling))
	return y - Log(shift)
}

// ChiSquareCDF returns P(χ² ≤ x) for df degrees of freedom, and 1 less that;
// each is good where it is small.
func ChiSquareCDF(x float64, df int) (p, q float64) {
	switch {
	case !(x > 0) || df < 1:
		return 0, 1
	case math.IsInf(x, 1):
		return 1, 0
	}
	a, h := float64(df)/2, x/2
	if h < a+1 { // series of the lower part
		term := 1 / a
		s := term
		for n := 1.0; n < 1e6 && term > 1e-18*s; n++ {
			term = float64(term*h) / (a + n)
			s += term
		}
		p = float64(s * Exp(float64(a*Log(h))-h-LogGamma(a)))
		p = min(p, 1)
		return p, 1 - p
	}
	// The upper part has finitely many terms: from df-2 down, as df is whole.
	term := Exp(float64((a-1)*Log(h)) - h - LogGamma(a))
	for k := a - 1; k > 0 && term > 0; k-- {
		q += term
		term = float64(term*k) / h
	}
	if df%2 == 0 {
		q += term // k = 0: e^-h
	} else {
		q += Erfc(math.Sqrt(h))
	}
	q = min(q, 1)
	return 1 - q, q
}

// PoissonCDF returns P(X ≤ k) for mean m.
func PoissonCDF(k, m float64) float64 {
	k = math.Floor(k)
	switch {
	case k < 0:
		return 0
	case m == 0:
		return 1
	}
	if k > m { // what lies above is the smaller part
		return 1 - poissonSum(k+1, 1, m)
	}
	return poissonSum(k, -1, m)
}

// poissonSum adds the probabilities from k on, away from the mean.
func poissonSum(k, step, m float64) float64 {
	term := Exp(float64(k*Log(m)) - m - LogGamma(k+1))
	s := 0.0
	for k >= 0 && term > 1e-18*s {
		s += term
		if step > 0 {
			k++
			term = float64(term*m) / k
		} else {
			term = float64(term*k) / m
			k--
		}
	}
	return min(s, 1)
}
