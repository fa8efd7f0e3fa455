package scoring

import (
	"fmt"
	"math"
	"slices"

	"github.com/mudpulse/mudpulse/scoring/internal/portable"
)

// PMML 4.4.1, TimeSeriesModel. A supplementary field, if there is one, is the
// horizon: 1, the default, gives a number, more gives the list of all steps. An
// order field, if there is one, is a time: the number of that step alone.
type timeSeries struct {
	forecaster
	horizon int     // slot; -1: none
	time    int     // slot; -1: none
	end     float64 // endTime of the series
	most    int     // steps a row may ask for
}

// forecaster continues a series.
type forecaster interface {
	// forecast appends the values of the next h steps, in the series' unit.
	forecast(h int, out []float64) []float64
	// spread appends their standard errors, before the transformation.
	spread(h int, out []float64) []float64
	// linear is forecast before the transformation is undone.
	linear(h int, out []float64) []float64
	// back is the inverse of the transformation; nil: there is none.
	back() func(float64) float64
	// cost is how many products a step of forecast, and of spread, takes.
	cost() (forecast, spread int)
}

// Bounds of what one row may ask for.
const (
	maxHorizon = 10_000
	maxWork    = 1 << 26 // products
)

// seriesBinder reads one TimeSeriesModel.
type seriesBinder struct {
	*binder
	e       *element
	history []float64 // values of the TimeSeries of usage original
}

func (b *binder) timeSeries(s *scope, e *element, m *model) evaluator {
	t := &timeSeries{horizon: -1, time: -1, end: nan}
	if m.float {
		b.bad.refuse(e, "x-mathContext=\"float\" of a TimeSeriesModel")
	}
	if len(s.targets) > 1 {
		b.bad.refuse(e, "a TimeSeriesModel of several targets")
	}
	var further []string
	for _, k := range e.first("MiningSchema").all("MiningField") {
		name := k.get("name")
		switch k.get("usageType") {
		case "supplementary":
			further = append(further, name)
			t.horizon = s.field(k, name)
			s.active = append(s.active, name) // an input, if an optional one
		case "order":
			t.time = s.field(k, name)
		}
	}
	if len(further) > 1 {
		b.bad.add(e, further[1], fmt.Sprintf("%d fields are supplementary: which is the horizon?", len(further)), "want one, or none")
	}
	x := &seriesBinder{binder: b, e: e}
	for _, k := range e.all("TimeSeries") {
		if u := k.get("usage"); u != "" && u != "original" {
			continue
		}
		x.history = x.history[:0]
		for _, v := range k.all("TimeValue") {
			x.history = append(x.history, b.numAttr(v, "value", nan))
		}
		t.end = b.numAttr(k, "endTime", nan)
		for _, f := range x.history {
			if f != f {
				b.bad.refuse(k, "a TimeSeries with missing values")
				break
			}
		}
	}
	if t.time >= 0 && t.end != t.end {
		b.bad.add(e, "", "the model has an order field, and its TimeSeries no endTime", "give it: steps are counted from there")
	}
	fit := e.get("bestFit")
	a := e.first(fit)
	switch {
	case fit == "SpectralAnalysis" || fit == "SeasonalTrendDecomposition" || fit == "GARCH":
		b.bad.refuse(e, "bestFit=\""+fit+"\"")
		return nothing{}
	case fit != "ExponentialSmoothing" && fit != "ARIMA" && fit != "StateSpaceModel":
		b.bad.add(e, "", fmt.Sprintf("bestFit=%q is none", clip(fit)), "want ExponentialSmoothing, ARIMA or StateSpaceModel")
		return nothing{}
	case a == nil:
		b.bad.add(e, "", fmt.Sprintf("bestFit=%q, and the model has no %s", fit, fit), "export it again")
		return nothing{}
	}
	switch fit {
	case "ExponentialSmoothing":
		t.forecaster = x.smoothing(a)
	case "ARIMA":
		t.forecaster = x.arima(a)
	default:
		t.forecaster = x.stateSpace(a)
	}
	if t.forecaster == nil {
		return nothing{}
	}
	c, _ := t.cost()
	t.most = min(maxHorizon, max(maxWork/max(c, 1), 1))
	return t
}

// transformation reads the attribute: what was done to the series, and the way back.
func (x *seriesBinder) transformation(e *element) (to, back func(float64) float64) {
	switch t := e.get("transformation"); t {
	case "", "none":
	case "logarithmic":
		return portable.Log, portable.Exp
	case "squareroot":
		return math.Sqrt, func(y float64) float64 { return float64(y * y) }
	default:
		x.bad.add(e, "", fmt.Sprintf("transformation=%q is none", clip(t)), "want none, logarithmic or squareroot")
	}
	return nil, nil
}

// list reads the Array in a child of e; nil where there is none.
func (x *seriesBinder) list(e *element, child string) []float64 {
	k := e
	if child != "" {
		k = e.first(child)
	}
	switch a := k.first("Array", "REAL-SparseArray"); {
	case a == nil:
		return nil
	case a.name != "Array":
		x.bad.refuse(a, "a sparse array in a TimeSeriesModel")
		return nil
	default:
		return x.reals(a)
	}
}

// count reads a whole number that is not negative.
func (x *seriesBinder) count(e *element, key string, def, most int) int {
	f := x.numAttr(e, key, float64(def))
	if f != math.Trunc(f) || f < 0 || f > float64(most) {
		x.bad.add(e, "", fmt.Sprintf("%s=%q", key, clip(e.get(key))), fmt.Sprintf("want a whole number from 0 to %d", most))
		return def
	}
	return int(f)
}

// steps is how far the row asks to look ahead; alone: for that step alone.
func (t *timeSeries) steps(r *row) (h int, alone, ok bool) {
	h = 1
	var f float64
	switch {
	case t.horizon >= 0 && r.get(t.horizon).k != missing:
		f = r.get(t.horizon).f
	case t.time >= 0 && r.get(t.time).k != missing:
		f, alone = r.get(t.time).f-t.end, true
	default:
		return 1, false, r.err == nil
	}
	slot := t.horizon
	if alone {
		slot = t.time
	}
	if !(f >= 1 && f <= float64(t.most) && f == math.Trunc(f)) {
		r.fail(r.slots[slot].name, KindModel, "%v steps ahead, and the model looks 1 to %d", f, t.most)
		return 0, false, false
	}
	return int(f), alone, true
}

func (t *timeSeries) evaluate(r *row, out *result) {
	h, alone, ok := t.steps(r)
	if !ok {
		return
	}
	out.work = t.forecast(h, out.work[:0])
	out.v = series(out.work, alone)
}

// series is a value of one step or a list of all.
func series(y []float64, alone bool) value {
	if alone || len(y) == 1 {
		return num(y[len(y)-1])
	}
	v := value{k: list, list: make([]value, len(y))}
	for i, f := range y {
		v.list[i] = num(f)
	}
	return v
}

// answers binds what a forecast has beside its value. PMML 4.4.1, Output:
// confidenceIntervalLower and -Upper, the level in percent in value.
func (t *timeSeries) answers(b *binder, e *element, o *output) bool {
	if !slices.Contains([]string{"confidenceIntervalLower", "confidenceIntervalUpper", "standardError", "standardDeviation"}, o.feature) {
		return false
	}
	if t.spread(1, nil) == nil {
		b.bad.refuse(e, fmt.Sprintf("output feature %q of this model, which does not say how far its forecasts are out,", o.feature))
		return true
	}
	_, c := t.cost()
	t.most = min(t.most, max(maxWork/max(c, 1), 1))
	o.z = 1
	if o.feature == "standardError" || o.feature == "standardDeviation" {
		if t.back() != nil {
			b.bad.refuse(e, fmt.Sprintf("output feature %q of a transformed series", o.feature))
		}
		return true
	}
	level := 95.0
	if o.has {
		level = b.number(e, "value", o.value)
	}
	if !(level > 0 && level < 100) {
		b.bad.add(e, o.name, fmt.Sprintf("value=%q is no level of confidence", clip(o.value)), "want a percentage, as 95")
	}
	o.z = portable.NormQuantile(0.5 + level/200)
	if o.feature == "confidenceIntervalLower" {
		o.z = -o.z
	}
	return true
}

func (t *timeSeries) answer(r *row, res *result, o *output) value {
	h, alone, ok := t.steps(r)
	if !ok || res.v.k == missing {
		return none
	}
	y := t.spread(h, nil)
	if o.feature == "standardError" || o.feature == "standardDeviation" {
		return series(y, alone)
	}
	mean := t.linear(h, nil)
	for i := range y {
		y[i] = mean[i] + float64(o.z*y[i])
		if f := t.back(); f != nil {
			y[i] = f(y[i])
		}
	}
	return series(y, alone)
}
