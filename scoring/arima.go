package scoring

import (
	"fmt"
	"math"
	"strings"
)

// arima is PMML 4.4.1, ARIMA: φ(B)Φ(Bˢ)(w-μ) = θ(B)Θ(Bˢ)a with
// w = (1-B)ᵈ(1-Bˢ)ᴰf(y). docs/pmml-semantics.md, arima, has what the schema
// leaves open. Arrays of past values have the last one last.
type arima struct {
	mean    float64   // μ: constantTerm
	diff    []float64 // of f(y): 1 - Σ diff[i] B^(i+1)
	ar      []float64 // of w-μ, the same way
	ma      []float64 // 1 + Σ ma[i] B^(i+1)
	y       []float64 // last f(y)
	w       []float64 // last w-μ
	a       []float64 // last residuals
	exact   *kalman   // exactLeastSquares
	theta   []float64 // of the innovations algorithm, by lag; a then are its innovations
	rmse    float64   // NaN: not given
	to      func(float64) float64
	inverse func(float64) float64
}

// kalman is the innovations form of an ARMA's last state: its element j is the
// forecast of step j+1. Brockwell and Davis, Time Series, 12.1.
type kalman struct {
	state []float64
	omega [][]float64 // its error's covariance, in units of the residuals' variance
}

// maxLag bounds a polynomial's degree.
const maxLag = 4096

func (x *seriesBinder) arima(e *element) forecaster {
	m := &arima{mean: x.numAttr(e, "constantTerm", 0), rmse: x.numAttr(e, "RMSE", nan)}
	m.to, m.inverse = x.transformation(e)
	for _, k := range []string{"DynamicRegressor", "OutlierEffect"} {
		if r := e.first(k); r != nil {
			x.bad.refuse(r, k)
		}
	}
	own, per := e.first("NonseasonalComponent"), e.first("SeasonalComponent")
	s := 1
	if per != nil {
		if s = x.count(per, "period", 0, maxLag); s < 1 {
			x.bad.add(per, "", "the SeasonalComponent has no period", "give it")
			return nil
		}
	}
	p1, q1 := x.coefficients(own, "p", "q")
	p2, q2 := x.coefficients(per, "P", "Q")
	d, dd := 0, 0
	if own != nil {
		d = x.count(own, "d", 0, 8)
	}
	if per != nil {
		dd = x.count(per, "D", 0, 8)
	}
	if max(len(p1), len(q1), d)+s*max(len(p2), len(q2), dd) > maxLag {
		x.bad.add(e, "", fmt.Sprintf("the model looks back more than %d values", maxLag), "this engine does not")
		return nil
	}
	m.diff = []float64{}
	for range d {
		m.diff = lags(m.diff, []float64{1}, 1, -1)
	}
	for range dd {
		m.diff = lags(m.diff, []float64{1}, s, -1)
	}
	m.ar = lags(p1, p2, s, -1)
	for _, v := range x.history {
		if m.to != nil {
			v = m.to(v)
			if v != v || math.IsInf(v, 0) {
				x.bad.add(e.parent, "", fmt.Sprintf("the TimeSeries has values that transformation=%q cannot take", e.get("transformation")), "export the model again")
				return nil
			}
		}
		m.y = append(m.y, v)
	}
	switch method := e.get("predictionMethod"); method {
	case "", "conditionalLeastSquares":
		m.ma = lags(q1, q2, s, 1)
		if !x.residuals(e, m, [2][]float64{q1, q2}, s) {
			return nil
		}
	case "exactLeastSquares":
		m.ma = lags(q1, q2, s, 1)
		x.exact(e, m)
	default:
		x.bad.add(e, "", fmt.Sprintf("predictionMethod=%q is none", clip(method)), "want conditionalLeastSquares or exactLeastSquares")
	}
	if len(m.y) < len(m.diff) {
		x.bad.add(e, "", fmt.Sprintf("the TimeSeries has %d values, and the model looks back %d", len(m.y), len(m.diff)), "give the series, or at least its end")
		return nil
	}
	m.y = m.y[len(m.y)-len(m.diff):]
	return m
}

// coefficients reads the AR and MA of a component. Their number is the order.
func (x *seriesBinder) coefficients(e *element, p, q string) (ar, ma []float64) {
	if e == nil {
		return nil, nil
	}
	ar = x.list(e, "AR")
	if mc := e.first("MA").first("MACoefficients"); mc != nil {
		ma = x.list(mc, "")
	}
	for _, c := range []struct {
		key string
		of  []float64
	}{{p, ar}, {q, ma}} {
		if n := x.count(e, c.key, 0, maxLag); n != len(c.of) {
			x.bad.add(e, "", fmt.Sprintf("%s=\"%d\" and %d coefficients", c.key, n, len(c.of)), "give one for each")
		}
	}
	return ar, ma
}

// lags multiplies out (1 + sign·Σ a[i]B^(i+1))(1 + sign·Σ b[i]B^(s(i+1))), and
// returns what it is 1 + sign·Σ of.
func lags(a, b []float64, s int, sign float64) []float64 {
	out := make([]float64, len(a)+s*len(b))
	copy(out, a)
	for j, f := range b {
		at := s * (j + 1)
		out[at-1] += f
		for i, g := range a {
			out[at+i] += float64(sign * float64(g*f))
		}
	}
	return out
}

// differenced is w-μ of the whole series.
func (m *arima) differenced() []float64 {
	var out []float64
	for t := len(m.diff); t < len(m.y); t++ {
		w := m.y[t]
		for i, f := range m.diff {
			w -= float64(f * m.y[t-1-i])
		}
		out = append(out, w-m.mean)
	}
	return out
}

// filter returns the residuals of w, those before it taken for 0.
func (m *arima) filter(w, ma []float64) []float64 {
	a := make([]float64, len(w))
	for t := range w {
		y := w[t]
		for i, f := range m.ar {
			if t > i {
				y -= float64(f * w[t-1-i])
			}
		}
		for i, f := range ma {
			if t > i {
				y -= float64(f * a[t-1-i])
			}
		}
		a[t] = y
	}
	return a
}

// residuals reads the last residuals, or computes them from the series, and
// settles the sign of the moving average: θ(B) = 1 + θB + …, of SPSS
// 1 - θB - …; the residuals that are given tell, if one sign leads to them and
// the other does not.
func (x *seriesBinder) residuals(e *element, m *arima, q [2][]float64, s int) bool {
	w := m.differenced()
	if len(w) < len(m.ar) {
		x.bad.add(e, "", fmt.Sprintf("the TimeSeries has %d values, and the model looks back %d", len(m.y), len(m.ar)+len(m.diff)), "give the series, or at least its end")
		return false
	}
	m.w = w[len(w)-len(m.ar):]
	if len(m.ma) == 0 {
		return true
	}
	var stored []float64
	for _, name := range []string{"NonseasonalComponent", "SeasonalComponent"} {
		if r := e.first(name).first("MA").first("Residuals"); r != nil {
			if l := x.list(r, ""); len(l) > len(stored) {
				stored = l
			}
		}
	}
	if len(w)*(len(m.ar)+len(m.ma)) > maxWork {
		x.bad.add(e, "", "the TimeSeries is too long to be filtered", "give its end, and the Residuals")
		return false
	}
	minus := func() []float64 {
		a, b := negated(q[0]), negated(q[1])
		return lags(a, b, s, 1)
	}
	app := x.root.first("Header").first("Application").attribute("name")
	flip := strings.Contains(app, "SPSS") || strings.Contains(app, "IBM")
	plus := m.filter(w, m.ma)
	if len(stored) > 0 && len(w) > len(m.ar)+len(m.ma) {
		last := stored[len(stored)-1]
		near := func(a []float64) bool { return abs(a[len(a)-1]-last) <= 1e-6*max(abs(last), 1e-3) }
		if p, n := near(plus), near(m.filter(w, minus())); p != n {
			flip = n
		}
	}
	if flip {
		m.ma = minus()
		plus = m.filter(w, m.ma)
	}
	if m.a = stored; len(stored) < len(m.ma) {
		if len(plus) < len(m.ma) {
			x.bad.add(e, "", fmt.Sprintf("%d Residuals are given, and the model looks back %d", len(stored), len(m.ma)), "give them, or a longer TimeSeries")
			return false
		}
		m.a = plus
	}
	m.a = m.a[len(m.a)-len(m.ma):]
	return true
}

func negated(x []float64) []float64 {
	out := make([]float64, len(x))
	for i, f := range x {
		out[i] = -f
	}
	return out
}

// exact reads the state that a maximum likelihood fit ends in.
func (x *seriesBinder) exact(e *element, m *arima) {
	st := e.first("MaximumLikelihoodStat")
	if st == nil {
		x.bad.add(e, "", "predictionMethod=\"exactLeastSquares\" without a MaximumLikelihoodStat", "export the model again")
		return
	}
	if st.get("periodDeficit") != "" && st.get("periodDeficit") != "0" {
		x.bad.refuse(st, "a periodDeficit")
	}
	n := max(len(m.ar), len(m.ma))
	if k := st.first("KalmanState"); k != nil {
		if r := k.first("TransitionMatrix", "MeasurementMatrix"); r != nil {
			x.bad.refuse(r, r.name+" in a KalmanState")
			return
		}
		m.exact = &kalman{state: x.list(k, "FinalStateVector")}
		if len(m.exact.state) != n {
			x.bad.add(k, "", fmt.Sprintf("the FinalStateVector has %d entries", len(m.exact.state)), fmt.Sprintf("want %d, the greater order of AR and MA", n))
			return
		}
		if o := k.first("FinalOmega"); o != nil {
			if m.exact.omega = x.grid(o); m.exact.omega != nil && (len(m.exact.omega) != n || len(m.exact.omega[0]) != n) {
				x.bad.add(o, "", fmt.Sprintf("FinalOmega is no matrix of %d × %d", n, n), "its size is the FinalStateVector's")
			}
		}
		return
	}
	k := st.first("ThetaRecursionState")
	if k == nil {
		x.bad.add(st, "", "the MaximumLikelihoodStat has no state", "want a KalmanState or a ThetaRecursionState")
		return
	}
	noise, predicted := x.list(k, "FinalNoise"), x.list(k, "FinalPredictedNoise")
	if len(noise) != len(predicted) || len(noise) < n {
		x.bad.add(k, "", fmt.Sprintf("FinalNoise has %d entries, FinalPredictedNoise %d", len(noise), len(predicted)), fmt.Sprintf("want %d each, the greater order of AR and MA", n))
		return
	}
	noise, predicted = noise[len(noise)-n:], predicted[len(predicted)-n:]
	m.w = noise[n-len(m.ar):]
	for i := n - len(m.ma); i < n; i++ {
		m.a = append(m.a, noise[i]-predicted[i])
	}
	m.theta = make([]float64, len(m.ma))
	row := -1
	for _, t := range k.first("FinalTheta").all("Theta") {
		row = max(row, x.count(t, "i", 0, math.MaxInt32))
	}
	for _, t := range k.first("FinalTheta").all("Theta") {
		if j := x.count(t, "j", 0, math.MaxInt32); x.count(t, "i", 0, math.MaxInt32) == row && j >= 1 && j <= len(m.theta) {
			m.theta[j-1] = x.numAttr(t, "theta", 0)
		}
	}
	if row < 0 && len(m.ma) > 0 {
		x.bad.add(k, "", "FinalTheta has no Theta", "export the model again")
	}
}

// arma appends the forecasts of w-μ.
func (m *arima) arma(h int, out []float64) []float64 {
	if m.exact != nil {
		return m.shift(m.exact.state, h, out)
	}
	ma := m.ma
	if m.theta != nil {
		ma = m.theta
	}
	from := len(out)
	for t := range h {
		y := 0.0
		for i, f := range m.ar {
			if k := t - 1 - i; k >= 0 {
				y += float64(f * out[from+k])
			} else {
				y += float64(f * m.w[len(m.w)+k])
			}
		}
		for i, f := range ma { // residuals to come are 0
			if k := t - 1 - i; k < 0 {
				y += float64(f * m.a[len(m.a)+k])
			}
		}
		out = append(out, y)
	}
	return out
}

// shift appends the first element of Fʰ⁻¹·state, F the companion of the AR: its
// elements move up one, and the last is Σ φ of them.
func (m *arima) shift(state []float64, h int, out []float64) []float64 {
	n := len(state)
	for t := range h {
		y := 0.0
		if t < n {
			y = state[t]
		} else {
			for i, f := range m.ar {
				y += float64(f * out[len(out)-1-i])
			}
		}
		out = append(out, y)
	}
	return out
}

func (m *arima) linear(h int, out []float64) []float64 {
	w := m.arma(h, nil)
	from := len(out)
	for t := range h {
		y := w[t] + m.mean
		for i, f := range m.diff {
			if k := t - 1 - i; k >= 0 {
				y += float64(f * out[from+k])
			} else {
				y += float64(f * m.y[len(m.y)+k])
			}
		}
		out = append(out, y)
	}
	return out
}

func (m *arima) forecast(h int, out []float64) []float64 {
	from := len(out)
	out = m.linear(h, out)
	if m.inverse != nil {
		for i := from; i < len(out); i++ {
			out[i] = m.inverse(out[i])
		}
	}
	return out
}

// spread is RMSE·√Σψ², ψ the weights of the residuals to come; after an exact
// fit also what the last state is out by.
func (m *arima) spread(h int, out []float64) []float64 {
	if m.rmse != m.rmse || m.theta != nil || m.exact != nil && (m.exact.omega == nil || len(m.diff) > 0) {
		return nil
	}
	full := lags(m.ar, nil, 1, -1)
	if len(m.diff) > 0 {
		full = lags(m.ar, m.diff, 1, -1)
	}
	psi := make([]float64, h)
	total := 0.0
	var state []float64
	if m.exact != nil {
		state = m.stateErrors(h)
	}
	for t := range h {
		y := 0.0
		if t == 0 {
			y = 1
		} else if t <= len(m.ma) {
			y = m.ma[t-1]
		}
		for i := 0; i < len(full) && i < t; i++ {
			y += float64(full[i] * psi[t-1-i])
		}
		psi[t] = y
		total += float64(y * y)
		v := total
		if m.exact != nil {
			v += state[t]
		}
		out = append(out, float64(m.rmse*math.Sqrt(v)))
	}
	return out
}

// stateErrors are the first elements of Fᵗ·Ω·F'ᵗ, for t from 0.
func (m *arima) stateErrors(h int) []float64 {
	n := len(m.exact.state)
	adds := make([][]float64, n) // what each element of the state adds to each step
	for k := range n {
		unit := make([]float64, n)
		unit[k] = 1
		adds[k] = m.shift(unit, h, nil)
	}
	out := make([]float64, h)
	for t := range h {
		for i := range n {
			for j := range n {
				out[t] += float64(float64(adds[i][t]*m.exact.omega[i][j]) * adds[j][t])
			}
		}
	}
	return out
}

func (m *arima) cost() (forecast, spread int) {
	n := len(m.ar) + len(m.ma) + len(m.diff)
	if m.exact != nil {
		k := len(m.exact.state)
		return n, n + k*n + k*k
	}
	return n, 2 * n
}

func (m *arima) back() func(float64) float64 { return m.inverse }
