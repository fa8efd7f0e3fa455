package scoring

import (
	"fmt"
	"math"
	"slices"
)

// target is a model's Target: what happens to its prediction. PMML 4.4.1,
// Targets: min and max, rescaleFactor, rescaleConstant, castInteger, in order.
type target struct {
	field    string
	typ      dataType
	year     int
	op       opType
	low      float64
	high     float64
	factor   float64
	constant float64
	cast     string
	def      value
	prior    []float64
	priorOf  []string
	display  map[string]string
	given    bool
	function string // of a model of several functions: this target's
}

// does is what is done for the target: regression, classification, …
func (t *target) does(m *model) string {
	if t.function != "" {
		return t.function
	}
	return m.function
}

// others binds the targets after the first, for the kinds that predict several.
func (b *binder) others(s *scope, e *element, m *model) {
	several := e.first("Segmentation").attribute("multipleModelMethod") == "x-multiModelChain"
	if m.kind != "NeuralNetwork" && m.kind != "NearestNeighborModel" && !several {
		return
	}
	first := *s
	for i, name := range s.targets {
		t := &m.target
		if i > 0 {
			first.targets = []string{name}
			m.others = append(m.others, b.target(&first, e, &model{}))
			t = &m.others[i-1]
		}
		if m.function == "mixed" {
			t.function = "classification"
			if f := b.data[name]; t.op == continuous || t.op == opNone && f != nil && f.op == continuous {
				t.function = "regression"
			}
		}
	}
}

func (b *binder) target(s *scope, e *element, m *model) target {
	t := target{low: -inf, high: inf, factor: 1, display: map[string]string{}}
	if len(s.targets) > 0 {
		t.field = s.targets[0]
	}
	for _, key := range []string{"x-targetField", "targetFieldName"} { // which of several is this model's
		if f := e.get(key); slices.Contains(s.targets, f) {
			t.field = f
			break
		}
	}
	for _, k := range e.first("Targets").all("Target") {
		if f := k.get("field"); f != "" && t.field != "" && f != t.field && len(s.targets) > 0 {
			if _, ok := s.all[f]; !ok && b.data[f] == nil {
				b.bad.add(k, f, fmt.Sprintf("target '%s' is not declared", clip(f)), fmt.Sprintf("the model's target is '%s'", clip(t.field)))
			}
			continue
		}
		t.given = true
		if t.field == "" {
			t.field = k.get("field")
		}
		t.low, t.high = b.numAttr(k, "min", -inf), b.numAttr(k, "max", inf)
		t.factor, t.constant = b.numAttr(k, "rescaleFactor", 1), b.numAttr(k, "rescaleConstant", 0)
		t.cast = k.get("castInteger")
		switch t.cast {
		case "", "round", "ceiling", "floor":
		default:
			b.bad.add(k, t.field, fmt.Sprintf("castInteger=%q is none", clip(t.cast)), "want round, ceiling or floor")
		}
		t.op = b.opType(k, opNone)
		for _, v := range k.all("TargetValue") {
			if txt, ok := v.lookup("defaultValue"); ok {
				t.def = num(b.number(v, "defaultValue", txt))
			}
			if txt, ok := v.lookup("priorProbability"); ok {
				t.prior = append(t.prior, b.number(v, "priorProbability", txt))
				t.priorOf = append(t.priorOf, v.get("value"))
			}
			if txt, ok := v.lookup("displayValue"); ok {
				t.display[v.get("value")] = txt
				if f, ok := b.data[t.field]; ok {
					if c, ok := f.typ.parse(v.get("value"), f.year); ok {
						t.display[c.lexical()] = txt
					}
				}
			}
		}
	}
	if f, ok := b.data[t.field]; ok {
		t.typ, t.year = f.typ, f.year
		for txt, d := range f.shown {
			if _, own := t.display[txt]; !own {
				t.display[txt] = d
			}
		}
		for _, v := range f.valid {
			m.classes = append(m.classes, v.lexical())
		}
	}
	return t
}

func (t *target) apply(r *row, m *model, out *result) {
	t.finish(r, m, out)
	if t.typ > typeString && len(out.classes) > 0 {
		t.spell(out)
	}
}

// spell writes the classes as the target's type does: a tree's class 0 of a
// double target is 0.0.
func (t *target) spell(out *result) {
	if !slices.Equal(out.written, out.classes) {
		out.written = append(out.written[:0], out.classes...)
		out.spelled = make([]string, len(out.classes))
		for i, c := range out.classes {
			out.spelled[i] = c
			if v, ok := t.typ.parse(c, t.year); ok {
				out.spelled[i] = v.lexical()
			}
		}
	}
	out.classes = out.spelled
}

// rescale is factor·y + constant, every step of it in 32 bits where y is.
func (t *target) rescale(y float64, single bool) float64 {
	if single {
		f := float32(y)
		if t.factor != 1 {
			f = float32(f * float32(t.factor))
		}
		return float64(float32(f + float32(t.constant)))
	}
	if t.factor != 1 {
		y = float64(y * t.factor)
	}
	return y + t.constant
}

func (t *target) finish(r *row, m *model, out *result) {
	does := t.does(m)
	if out.v.k == missing && t.given {
		switch {
		case does == "regression" && t.def.k != missing:
			out.v = t.def
		case does == "classification" && len(t.prior) > 0:
			s := sum(t.prior)
			out.classes, out.p = t.priorOf, out.p[:0]
			for _, p := range t.prior {
				out.p = append(out.p, p/s)
			}
			out.v = str(t.priorOf[winner(t.prior)])
		}
		if out.v.k == missing {
			return
		}
	}
	if out.v.k == missing {
		return
	}
	if does == "regression" && out.v.k != text && out.v.k != list {
		if t.given {
			y := t.rescale(min(max(out.v.f, t.low), t.high), out.v.f32)
			switch t.cast {
			case "round":
				y = roundHalfUp(y)
			case "ceiling":
				y = math.Ceil(y)
			case "floor":
				y = math.Floor(y)
			}
			if t.cast != "" && (math.IsInf(y, 0) || math.IsNaN(y)) {
				out.v = r.fail(t.field, KindMath, "%s is no integer", javaDouble(y, false))
				return
			}
			out.v.f = y
			if out.v.f32 {
				out.v.f = float64(float32(y))
			}
			if t.cast != "" {
				out.v.k = integer
			}
		}
		if t.typ == typeInteger && out.v.f != math.Trunc(out.v.f) {
			return // kept as it is: a share of an integer says more than nothing
		}
	}
	if t.typ != typeNone && out.v.k != list {
		if c, ok := t.typ.cast(out.v, t.year); ok {
			out.v = c
		}
	}
}
