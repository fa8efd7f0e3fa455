package scoring

import (
	"fmt"
	"slices"
	"strconv"
)

// output is an OutputField. PMML 4.4.1, Output.
type output struct {
	name    string
	feature string
	typ     dataType
	year    int
	op      opType
	value   string // of probability and confidence: the class; "" the predicted one
	has     bool   // value is given
	rank    int
	expr    expr
	final   bool
	segment string
	m       *model
	target  int // whose result it is of, where the model has several
	slot    int
	own     answering   // who gives the feature, if it is the model's kind
	ruled   *ruleOutput // of an AssociationModel
	z       float64     // of a prediction interval: standard errors to its end
	gates   []gate      // of an output of a segment
}

// gate is open where that segment's result is the MiningModel's.
type gate struct {
	m  *model
	at int
}

// result is the output as a result of the whole.
func (o *output) result(r *row) value {
	for _, g := range o.gates {
		if g.m.run(r).segment != g.at {
			return none
		}
	}
	return r.get(o.slot)
}

var outputFeatures = map[string]bool{
	"predictedValue": true, "predictedDisplayValue": true, "transformedValue": true, "decision": true, "probability": true,
	"confidence": true, "affinity": true, "entityId": true, "clusterId": true, "clusterAffinity": true, "entityAffinity": true, "reasonCode": true, "residual": true, "warning": true,
}

// answering is an evaluator with output features of its own.
type answering interface {
	// answers reports whether it gives the output's feature; it may note what is wrong with it.
	answers(b *binder, e *element, o *output) bool
	// answer is the feature's value.
	answer(r *row, res *result, o *output) value
}

func (b *binder) outputs(s *scope, e *element, m *model) {
	for _, k := range append(e.first("Output").all("OutputField"), e.all("ResultField")...) { // ResultField: of embedded models

		o := &output{name: k.get("name"), feature: k.get("feature"), m: m, final: k.get("isFinalResult") != "false", rank: 1, segment: k.get("segmentId")}
		if o.feature == "" {
			o.feature = "predictedValue"
		}
		if name := k.get("targetField"); name != "" && len(m.others) > 0 {
			if o.target = slices.Index(s.targets, name); o.target < 0 {
				b.bad.add(k, o.name, fmt.Sprintf("targetField='%s' is no target of the model", clip(name)), "name one of them")
				o.target = 0
			}
		}
		o.value, o.has = k.lookup("value")
		if t := m.targets()[o.target]; o.has && t.typ > typeString && (o.feature == "probability" || o.feature == "confidence" || o.feature == "residual") {
			if v, ok := t.typ.parse(o.value, t.year); ok {
				o.value = v.lexical() // as the classes are spelled
			}
		}
		if txt, ok := k.lookup("rank"); ok {
			n, err := strconv.Atoi(txt)
			if err != nil || n < 0 {
				b.bad.add(k, o.name, fmt.Sprintf("rank=%q is no count", clip(txt)), "want 1, 2, …")
			}
			o.rank = n
		}
		if a, ok := m.eval.(answering); ok && a.answers(b, k, o) {
			o.own = a
		} else if !outputFeatures[o.feature] {
			b.bad.refuse(k, fmt.Sprintf("output feature %q", clip(o.feature)))
			continue
		}
		o.typ, o.year = b.dataType(k, "dataType", typeNone)
		o.op = b.opType(k, defaultOp(o.typ))
		if o.feature == "transformedValue" || o.feature == "decision" {
			x := expressionOf(k)
			if x == nil {
				b.bad.add(k, o.name, fmt.Sprintf("output '%s' has no expression", clip(o.name)), "a transformedValue or decision needs one")
				continue
			}
			o.expr = b.expression(s, x)
			b.reads = b.reads[:0]
		}
		if o.typ == typeNone {
			o.typ = o.naturalType()
		}
		if o.segment != "" {
			if !b.segment(m, o.segment) {
				b.bad.add(k, o.name, fmt.Sprintf("segmentId=%q is no segment", clip(o.segment)), "name a Segment of this model")
			}
		}
		o.slot = b.prog.add(slot{name: o.name, typ: o.typ, year: o.year, op: o.op, source: o})
		s.fields[o.name] = o.slot
		m.outputs = append(m.outputs, o)
	}
}

func (b *binder) segment(m *model, id string) bool {
	g, ok := m.eval.(*mining)
	if !ok {
		return false
	}
	for _, x := range g.segments {
		if x.id == id {
			return true
		}
	}
	return false
}

func (o *output) naturalType() dataType {
	if o.ruled != nil {
		return o.ruled.typ
	}
	switch o.feature {
	case "probability", "confidence", "affinity", "residual", "clusterAffinity", "entityAffinity":
		return typeDouble
	case "predictedValue":
		return o.m.targets()[o.target].typ
	case "transformedValue", "decision":
		return typeNone
	}
	return typeString
}

func (o *output) eval(r *row) value {
	res := o.m.run(r)
	m := o.m
	if o.segment != "" {
		g := o.m.eval.(*mining)
		res, m = nil, nil
		for i := range g.segments {
			if x := &g.segments[i]; x.id == o.segment {
				if x.when.test(r, nil) == yes {
					res, m = x.model.run(r), x.model
				}
				break
			}
		}
		if res == nil {
			return none
		}
	}
	t := &m.target
	if o.target > 0 {
		t, res = &m.others[o.target-1], res.of(o.target)
	}
	v := none
	if o.own != nil {
		v = o.own.answer(r, res, o)
	} else {
		v = o.of(r, m, t, res)
	}
	c, ok := o.typ.cast(v, o.year)
	if !ok {
		return r.fail(o.name, KindType, "%s is no %v", quote(v), o.typ)
	}
	if c.unit != typeNone {
		return str(c.lexical()) // a date is given as text
	}
	return c
}

// of is the feature that models of every kind have.
func (o *output) of(r *row, m *model, t *target, res *result) value {
	v := none
	switch o.feature {
	case "transformedValue", "decision":
		v = o.expr.eval(r)
	case "predictedValue":
		v = res.v
	case "predictedDisplayValue":
		switch {
		case res.shown != nil:
			if res.best >= 0 && res.shown[res.best] != "" {
				v = str(res.shown[res.best])
			}
		case res.v.k != missing:
			v = str(res.v.lexical())
			if d, ok := t.display[v.s]; ok {
				v = str(d)
			}
		}
	case "probability", "confidence":
		if res.v.k == missing || res.classes == nil || o.feature == "probability" && len(res.p) == 0 {
			return none
		}
		class := res.v.lexical()
		if o.has {
			class = o.value
		}
		f := res.probability
		if o.feature == "confidence" {
			f = res.confidenceOf
		}
		p, ok := f(class)
		if !ok {
			p = 0
		}
		v = num(p)
	case "entityId", "clusterId":
		if g, ok := m.eval.(*mining); ok && g.method == "selectFirst" && res.segment >= 0 {
			return str(g.segments[res.segment].id)
		}
		switch i := res.ranked(o.rank); {
		case i >= 0:
			v = str(res.entities[i])
		case o.rank == 1 && res.entities == nil && res.entity != "" && res.v.k != missing:
			v = str(res.entity)
		}
	case "affinity", "clusterAffinity", "entityAffinity":
		i := res.ranked(o.rank)
		if o.has {
			i = index(res.entities, o.value)
		}
		switch {
		case i >= 0:
			v = num(res.near[i])
		case o.has && res.entities != nil && res.larger: // nothing of that name: as far away as can be
			v = num(0)
		case o.has && res.entities != nil:
			v = num(inf)
		}
	case "reasonCode":
		if res.v.k != missing && o.rank >= 1 && o.rank <= len(res.reasons) {
			v = str(res.reasons[o.rank-1].code)
		}
	case "residual":
		v = o.residual(r, m, t, res)
	}
	return v
}

// residual is the actual value less the predicted one; of a classification, 1
// or 0, whether the class (of value, else the predicted one) is the actual
// one, less the class's probability.
func (o *output) residual(r *row, m *model, t *target, res *result) value {
	i, ok := m.scope.fields[t.field]
	if !ok {
		return none
	}
	actual := r.get(i)
	if actual.k == missing || res.v.k == missing {
		return none
	}
	if t.does(m) != "classification" {
		return num(actual.f - res.v.f)
	}
	class := res.v.lexical()
	if o.has {
		class = o.value
	}
	p, _ := res.probability(class)
	if actual.lexical() == class {
		return num(1 - p)
	}
	return num(-p)
}
