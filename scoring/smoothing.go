package scoring

import (
	"fmt"

	"github.com/mudpulse/mudpulse/scoring/internal/portable"
)

// smoothing is PMML 4.4.1, ExponentialSmoothing: Gardner's and Hyndman's forms
// of the forecast from the state at the end of the series. docs/pmml-semantics.md,
// ets, has what the schema leaves open.
type smoothing struct {
	level, trend float64
	kind         string // of the trend; "" none
	phi          float64
	season       []float64
	times        bool // multiplicative seasons
	next         int  // index of the first step's season
	inverse      func(float64) float64
}

func (x *seriesBinder) smoothing(e *element) forecaster {
	s := &smoothing{}
	_, s.inverse = x.transformation(e)
	final := func(k *element, what string) float64 {
		if _, ok := k.lookup("smoothedValue"); !ok {
			x.bad.refuse(k, "a "+what+" without smoothedValue, its value at the end of the series,")
		}
		return x.numAttr(k, "smoothedValue", 0)
	}
	if k := e.first("Level"); k != nil {
		s.level = final(k, "Level")
	} else {
		x.bad.add(e, "", "the ExponentialSmoothing has no Level", "export the model again")
	}
	if k := e.first("Trend_ExpoSmooth", "Trend"); k != nil {
		s.trend = final(k, "trend")
		s.phi = x.numAttr(k, "phi", 1)
		s.kind = k.get("trend")
		switch s.kind {
		case "":
			s.kind = "additive"
		case "additive", "damped_additive", "multiplicative", "damped_multiplicative":
		case "polynomial_exponential":
			x.bad.refuse(k, "trend=\"polynomial_exponential\"")
		default:
			x.bad.add(k, "", fmt.Sprintf("trend=%q is none", clip(s.kind)), "want additive, damped_additive, multiplicative or damped_multiplicative")
		}
		if s.kind == "additive" || s.kind == "multiplicative" {
			s.phi = 1
		}
	}
	if k := e.first("Seasonality_ExpoSmooth", "Seasonality"); k != nil {
		s.season = x.list(k, "")
		switch t := k.get("type"); t {
		case "additive":
		case "multiplicative":
			s.times = true
		default:
			x.bad.add(k, "", fmt.Sprintf("type=%q is none", clip(t)), "want additive or multiplicative")
		}
		period := x.count(k, "period", len(s.season), maxGrid)
		if len(s.season) == 0 || period != len(s.season) {
			x.bad.add(k, "", fmt.Sprintf("period=%q and %d seasons", clip(k.get("period")), len(s.season)), "give one value for each")
			return nil
		}
		s.next = len(x.history) % period // aligned to the series' first value
		if _, ok := k.lookup("phase"); ok {
			s.next = x.count(k, "phase", 1, period) - 1
			if s.next < 0 {
				x.bad.add(k, "", "phase=\"0\"", "it counts seasons from 1")
				s.next = 0
			}
		}
	}
	return s
}

func (s *smoothing) forecast(h int, out []float64) []float64 {
	damp, power := 0.0, 1.0
	for i := range h {
		power = float64(power * s.phi)
		damp += power // φ + φ² + … + φ^h; h where nothing is damped
		y := s.level
		switch s.kind {
		case "additive", "damped_additive":
			y += float64(damp * s.trend)
		case "multiplicative", "damped_multiplicative":
			y = float64(y * portable.Pow(s.trend, damp))
		}
		if s.season != nil {
			f := s.season[(s.next+i)%len(s.season)]
			if s.times {
				y = float64(y * f)
			} else {
				y += f
			}
		}
		if s.inverse != nil {
			y = s.inverse(y)
		}
		out = append(out, y)
	}
	return out
}

// linear is not asked for: how far the forecasts are out is not known.
func (s *smoothing) linear(int, []float64) []float64 { return nil }

func (s *smoothing) cost() (forecast, spread int) { return 64, 0 }

func (s *smoothing) spread(int, []float64) []float64 { return nil }

func (s *smoothing) back() func(float64) float64 { return s.inverse }
