package scoring

import (
	"fmt"
	"math"
)

// stateSpace is PMML 4.4.1, StateSpaceModel: the first forecast is
// G·StateVector + d, as its exporters and JPMML have it; then x = F·x + c.
type stateSpace struct {
	x, c    []float64
	f       [][]float64
	g       []float64
	d       float64
	p, v    [][]float64 // covariance of the state at step 1, and what each step adds
	h       float64     // variance of the observation
	sigma   float64     // variance; multiplies all
	without bool        // a covariance is not given
}

func (x *seriesBinder) stateSpace(e *element) forecaster {
	s := &stateSpace{}
	if k := e.first("DynamicRegressor"); k != nil {
		x.bad.refuse(k, "DynamicRegressor")
	}
	s.x = x.list(e, "StateVector")
	n := len(s.x)
	if n == 0 {
		x.bad.add(e, "", "the StateSpaceModel has no StateVector", "export the model again")
		return nil
	}
	square := func(name string, n int) [][]float64 {
		k := e.first(name)
		if k == nil {
			return nil
		}
		m := x.grid(k)
		if m == nil || len(m) != n || len(m[0]) != n {
			x.bad.add(k, "", fmt.Sprintf("%s is no matrix of %d × %d", name, n, n), "its size is the StateVector's")
			return nil
		}
		return m
	}
	s.f = square("TransitionMatrix", n)
	if e.first("TransitionMatrix") == nil {
		x.bad.add(e, "", "the StateSpaceModel has no TransitionMatrix", "export the model again")
	}
	if k := e.first("MeasurementMatrix"); k == nil {
		x.bad.add(e, "", "the StateSpaceModel has no MeasurementMatrix", "export the model again")
	} else if m := x.grid(k); m != nil && len(m[0]) == n {
		s.g = m[0] // one target: one row
	} else if m != nil {
		x.bad.add(k, "", fmt.Sprintf("the MeasurementMatrix has %d columns", len(m[0])), fmt.Sprintf("want %d, the StateVector's size", n))
	}
	s.d = x.numAttr(e, "intercept", 0)
	if k := e.first("InterceptVector"); k != nil {
		if s.d != 0 {
			x.bad.add(e, "", "the StateSpaceModel has an intercept and an InterceptVector", "take one out")
		}
		v := x.list(k, "")
		switch t := k.get("type"); {
		case t == "observation" && len(v) > 0:
			s.d = v[0]
		case (t == "" || t == "state") && len(v) == n:
			s.c = v
		default:
			x.bad.add(k, "", fmt.Sprintf("type=%q with %d values", clip(t), len(v)), fmt.Sprintf("want observation with one value for each target, or state with %d", n))
		}
	}
	s.sigma = x.numAttr(e, "variance", 1)
	p, v := square("PredictedStateCovarianceMatrix", n), square("SelectedStateCovarianceMatrix", n)
	s.without = p == nil || v == nil || n > 200
	if k := e.first("ObservationVarianceMatrix"); k != nil {
		if m := x.grid(k); m != nil {
			s.h = m[0][0]
		}
	}
	if s.f == nil || s.g == nil {
		return nil
	}
	if !s.without {
		s.v = v
		// Some exporters store the covariance predicted for step 1, others the
		// filtered one: only the former can be V and something positive.
		if s.p = p; !positive(p, v) {
			s.p = s.ahead(p)
		}
	}
	return s
}

func (s *stateSpace) forecast(h int, out []float64) []float64 { return s.linear(h, out) }

func (s *stateSpace) linear(h int, out []float64) []float64 {
	x, next := s.x, []float64(nil)
	for i := range h {
		y := 0.0
		for j, g := range s.g {
			y += float64(g * x[j])
		}
		out = append(out, y+s.d)
		if i == h-1 {
			break
		}
		if next == nil {
			x, next = append([]float64(nil), x...), make([]float64, len(x))
		}
		for j := range next {
			next[j] = 0
			for k, f := range s.f[j] {
				next[j] += float64(f * x[k])
			}
			if s.c != nil {
				next[j] += s.c[j]
			}
		}
		x, next = next, x
	}
	return out
}

// ahead is F·P·F' + V.
func (s *stateSpace) ahead(p [][]float64) [][]float64 {
	n := len(p)
	fp, out := make([][]float64, n), make([][]float64, n)
	for i := range n {
		fp[i] = make([]float64, n)
		for j := range n {
			for k := range n {
				fp[i][j] += float64(s.f[i][k] * p[k][j])
			}
		}
	}
	for i := range n {
		out[i] = make([]float64, n)
		for j := range n {
			for k := range n {
				out[i][j] += float64(fp[i][k] * s.f[j][k])
			}
			out[i][j] += s.v[i][j]
		}
	}
	return out
}

func (s *stateSpace) spread(h int, out []float64) []float64 {
	if s.without {
		return nil
	}
	p := s.p
	for i := range h {
		y := s.h
		for j, g := range s.g {
			for k, f := range s.g {
				y += float64(float64(g*p[j][k]) * f)
			}
		}
		out = append(out, math.Sqrt(float64(s.sigma*y)))
		if i < h-1 {
			p = s.ahead(p)
		}
	}
	return out
}

func (s *stateSpace) cost() (forecast, spread int) {
	n := len(s.x)
	return n * n, 2 * n * n * n
}

func (s *stateSpace) back() func(float64) float64 { return nil }

// positive reports whether p - v has no negative eigenvalue but for rounding, by Cholesky's method.
func positive(p, v [][]float64) bool {
	n := len(p)
	scale := 0.0
	for i := range n {
		scale = max(scale, abs(p[i][i]), abs(v[i][i]))
	}
	tiny := 1e-9 * scale
	l := make([][]float64, n)
	for i := range n {
		l[i] = make([]float64, n)
		for j := range i + 1 {
			d := (p[i][j]+p[j][i])/2 - (v[i][j]+v[j][i])/2
			for k := range j {
				d -= float64(l[i][k] * l[j][k])
			}
			switch {
			case i == j && d < -tiny:
				return false
			case i == j:
				l[i][i] = math.Sqrt(max(d, 0))
			case l[j][j] > math.Sqrt(tiny):
				l[i][j] = d / l[j][j]
			case abs(d) > math.Sqrt(tiny*scale):
				return false
			}
		}
	}
	return true
}
