package scoring

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"

	"github.com/mudpulse/mudpulse/scoring/internal/portable"
)

// PMML 4.4.1, GeneralRegressionModel.
type general struct {
	kind     string // modelType
	classes  []string
	sums     []dot // by class but the last; of a regression one
	link     func(float64) float64
	offset   float64
	offsetAt int // slot; -1 none
	trials   float64
	trialsAt int
	cox      *cox
}

// dot is Σ beta · Π predictors: of one column of the ParamMatrix.
type dot []parameter

type parameter struct {
	beta       float64
	factors    []factorCell
	covariates []covariateCell
}

// factorCell is 1 where the factor has the category, else 0; with a contrast
// matrix, its entry in the row of the factor's category.
type factorCell struct {
	slot   int
	want   value
	of     []value // categories of the contrast matrix, nil without one
	column []float64
}

type covariateCell struct {
	slot     int
	exponent float64
}

// generalBinder reads one GeneralRegressionModel.
type generalBinder struct {
	*binder
	s          *scope
	e          *element
	g          *general
	factors    map[string]*element
	covariates map[string]*element
	cells      map[string]map[string]parameter // PPMatrix: by target category, parameter
}

func (b *binder) generalRegression(s *scope, e *element, m *model) evaluator {
	g := &general{kind: e.get("modelType")}
	x := &generalBinder{binder: b, s: s, e: e, g: g}
	if m.float {
		b.bad.refuse(e, "x-mathContext=\"float\" of a GeneralRegressionModel")
	}
	class := false
	switch g.kind {
	case "regression", "generalLinear", "CoxRegression":
	case "generalizedLinear":
		class = m.function == "classification"
	case "multinomialLogistic", "ordinalMultinomial":
		class = true
	default:
		b.bad.add(e, "", fmt.Sprintf("modelType=%q is none", clip(g.kind)), "want regression, generalLinear, multinomialLogistic, ordinalMultinomial, generalizedLinear or CoxRegression")
		return nothing{}
	}
	if class != (m.function == "classification") {
		b.bad.add(e, "", fmt.Sprintf("modelType=%q with functionName=%q", g.kind, clip(m.function)), "multinomialLogistic and ordinalMultinomial classify, regression, generalLinear and CoxRegression do not")
		return nothing{}
	}
	x.factors, x.covariates = x.predictors("FactorList"), x.predictors("CovariateList")
	x.matrix()
	x.links(class)
	if class {
		x.classify(m)
	} else if sum := x.column("", ""); sum != nil {
		g.sums = []dot{sum}
	}
	if g.kind == "CoxRegression" {
		x.coxTables()
	}
	return g
}

func (x *generalBinder) predictors(list string) map[string]*element {
	out := map[string]*element{}
	for _, k := range x.e.first(list).all("Predictor") {
		out[k.get("name")] = k
	}
	return out
}

// matrix reads the PPMatrix: what each parameter is multiplied with.
func (x *generalBinder) matrix() {
	x.cells = map[string]map[string]parameter{}
	pp := x.e.first("PPMatrix")
	if pp == nil {
		x.bad.add(x.e, "", "the model has no PPMatrix", "export it again")
	}
	for _, k := range pp.all("PPCell") {
		name, class := k.get("predictorName"), x.class(k.get("targetCategory"))
		if x.cells[class] == nil {
			x.cells[class] = map[string]parameter{}
		}
		p := x.cells[class][k.get("parameterName")]
		switch {
		case x.factors[name] != nil:
			p.factors = append(p.factors, x.factor(k, x.factors[name]))
		case x.covariates[name] != nil:
			c := covariateCell{x.numeric(x.s, k, name), x.number(k, "value", k.get("value"))}
			p.covariates = append(p.covariates, c)
		default:
			x.bad.add(k, name, fmt.Sprintf("predictor '%s' is in neither the FactorList nor the CovariateList", clip(name)), "add it to one")
		}
		x.cells[class][k.get("parameterName")] = p
	}
}

func (x *generalBinder) factor(cell, predictor *element) factorCell {
	name := cell.get("predictorName")
	f := factorCell{slot: x.s.field(cell, name)}
	sl := x.prog.slots[f.slot]
	f.want = x.literal(cell, sl, cell.get("value"))
	if predictor.first("Matrix") == nil {
		return f
	}
	if predictor.first("Categories") == nil {
		x.bad.refuse(predictor, fmt.Sprintf("the contrast Matrix of '%s' without Categories", clip(name)))
		return f
	}
	for _, c := range predictor.first("Categories").all("Category") {
		f.of = append(f.of, x.literal(c, sl, c.get("value")))
	}
	at := slices.IndexFunc(f.of, f.want.equal)
	if at < 0 {
		x.bad.add(cell, name, fmt.Sprintf("value=%q is no Category of '%s'", clip(cell.get("value")), clip(name)), "add it to the Predictor's Categories")
		return f
	}
	rows := x.grid(predictor)
	if len(rows) < len(f.of) || len(rows[0]) <= at {
		x.bad.add(predictor, name, fmt.Sprintf("the contrast Matrix has %d rows for %d Categories", len(rows), len(f.of)), "give a row for each Category and a column for each that a PPCell names")
		return f
	}
	for i := range f.of {
		f.column = append(f.column, rows[i][at])
	}
	return f
}

// class spells a target category as the target's type does: 1.0 and 1 are one integer.
func (x *generalBinder) class(s string) string {
	if s == "" || len(x.s.targets) == 0 {
		return s
	}
	if f, ok := x.data[x.s.targets[0]]; ok {
		if v, ok := f.typ.parse(s, f.year); ok {
			return v.lexical()
		}
	}
	return s
}

// column reads the PCells of a target category, with the matrix of its own or
// else the one for all.
func (x *generalBinder) column(of, matrix string) dot {
	cells := x.cells[matrix]
	if cells == nil {
		cells = x.cells[""]
	}
	if cells == nil && len(x.cells) > 0 {
		x.bad.add(x.e.first("PPMatrix"), "", fmt.Sprintf("the PPMatrix has no cells for target category %q", clip(matrix)), "give them, or cells without a targetCategory")
	}
	var out dot
	for _, k := range x.e.first("ParamMatrix").all("PCell") {
		if x.class(k.get("targetCategory")) != of {
			if x.g.classes == nil {
				x.bad.add(k, "", "a PCell has a targetCategory, and the model is a regression", "take it out")
			}
			continue
		}
		p := cells[k.get("parameterName")]
		p.beta = x.numAttr(k, "beta", 0)
		if _, ok := k.lookup("beta"); !ok {
			x.bad.add(k, "", "a PCell has no beta", "give it one")
		}
		out = append(out, p)
	}
	if out == nil {
		x.bad.add(x.e, "", fmt.Sprintf("the ParamMatrix has no PCell for target category %q", clip(of)), "export the model again")
	}
	return out
}

// classify reads the target's categories and a column for each but the last.
func (x *generalBinder) classify(m *model) {
	g := x.g
	classes := slices.Clone(m.classes)
	if len(classes) < 2 {
		x.bad.add(x.e, m.target.field, "the target has no two values to choose from", "list its values in the DataDictionary, in order")
		return
	}
	named := map[string]bool{}
	for _, k := range x.e.first("ParamMatrix").all("PCell") {
		named[x.class(k.get("targetCategory"))] = true
	}
	reference, given := x.e.lookup("targetReferenceCategory")
	reference = x.class(reference)
	if !given && g.kind != "ordinalMultinomial" {
		// PMML 4.4.1: the one of the DataDictionary that is not in the ParamMatrix.
		var left []string
		for _, c := range classes {
			if !named[c] {
				left = append(left, c)
			}
		}
		if len(left) != 1 {
			x.bad.add(x.e, m.target.field, fmt.Sprintf("%d of the target's values are not in the ParamMatrix: which is the reference?", len(left)), "give targetReferenceCategory")
			return
		}
		reference = left[0]
	}
	if i := index(classes, reference); i >= 0 {
		classes = append(slices.Delete(classes, i, i+1), reference)
	}
	g.classes = classes
	if g.kind == "generalizedLinear" && len(classes) > 2 {
		x.bad.add(x.e, m.target.field, fmt.Sprintf("modelType=\"generalizedLinear\" with %d classes", len(classes)), "it tells two apart: want multinomialLogistic or ordinalMultinomial")
	}
	for _, c := range classes[:len(classes)-1] {
		switch {
		case g.kind == "ordinalMultinomial":
			own := x.column(c, c)
			if len(own) != 1 {
				x.bad.add(x.e, m.target.field, fmt.Sprintf("category %q has %d PCells", clip(c), len(own)), "an ordinalMultinomial model has one intercept for each category but the last")
			}
			g.sums = append(g.sums, append(x.column("", c), own...))
		case !named[c] && len(classes) == 2:
			g.sums = append(g.sums, x.column("", c))
		default:
			g.sums = append(g.sums, x.column(c, c))
		}
	}
}

// links reads the link function, the offset and the trials.
func (x *generalBinder) links(class bool) {
	g, e := x.g, x.e
	g.offsetAt, g.trialsAt = -1, -1
	g.trials = 1
	switch g.kind {
	case "generalizedLinear":
		g.link = x.linkFunction()
	case "ordinalMultinomial":
		f := e.get("cumulativeLink")
		if !slices.Contains([]string{"logit", "probit", "cloglog", "loglog", "cauchit"}, f) {
			x.bad.add(e, "", fmt.Sprintf("cumulativeLink=%q is none", clip(f)), "want logit, probit, cloglog, loglog or cauchit")
		}
		g.link = func(y float64) float64 { return link(f, y) }
	}
	for _, a := range []string{"offsetVariable", "offsetValue", "trialsVariable", "trialsValue"} {
		txt, ok := e.lookup(a)
		if !ok {
			continue
		}
		if g.link == nil || a[0] == 't' && (class || g.kind != "generalizedLinear") {
			x.bad.refuse(e, fmt.Sprintf("%s of modelType=%q, functionName=%q", a, g.kind, e.get("functionName")))
			continue
		}
		switch a {
		case "offsetVariable":
			g.offsetAt = x.numeric(x.s, e, txt)
		case "offsetValue":
			g.offset = x.number(e, a, txt)
		case "trialsVariable":
			g.trialsAt = x.numeric(x.s, e, txt)
		case "trialsValue":
			n, err := strconv.Atoi(txt)
			if err != nil {
				x.bad.add(e, "", fmt.Sprintf("trialsValue=%q is no whole number", clip(txt)), "mend it")
			}
			g.trials = float64(n)
		}
	}
}

// linkFunction is the inverse of the model's linkFunction. PMML 4.4.1, GeneralRegressionModel.
func (x *generalBinder) linkFunction() func(float64) float64 {
	need := func(key string) float64 {
		if _, ok := x.e.lookup(key); !ok {
			x.bad.add(x.e, "", fmt.Sprintf("linkFunction=%q needs a %s", x.e.get("linkFunction"), key), "give it")
		}
		return x.numAttr(x.e, key, 0)
	}
	switch f := x.e.get("linkFunction"); f {
	case "identity":
		return func(y float64) float64 { return y }
	case "cloglog", "logit", "loglog", "probit":
		return func(y float64) float64 { return link(f, y) }
	case "log":
		return portable.Exp
	case "logc":
		return func(y float64) float64 { return 1 - portable.Exp(y) }
	case "negbin":
		c := need("distParameter")
		return func(y float64) float64 { return 1 / float64(c*(portable.Exp(-y)-1)) }
	case "oddspower":
		d := need("linkParameter")
		if d == 0 {
			return func(y float64) float64 { return link("logit", y) }
		}
		return func(y float64) float64 { return 1 / (1 + portable.Pow(1+float64(d*y), -(1/d))) }
	case "power":
		d := need("linkParameter")
		if d == 0 {
			return portable.Exp
		}
		return func(y float64) float64 { return portable.Pow(y, 1/d) }
	default:
		x.bad.add(x.e, "", fmt.Sprintf("linkFunction=%q is none", clip(f)), "want cloglog, identity, log, logc, logit, loglog, negbin, oddspower, power or probit")
		return nil
	}
}

// sum adds up the terms in document order; false where a predictor is missing.
func (d dot) sum(r *row) (float64, bool) {
	y := 0.0
	for i := range d {
		p := &d[i]
		f := 1.0
		for j := range p.factors {
			c := &p.factors[j]
			v := r.get(c.slot)
			switch {
			case v.k == missing:
				return 0, false
			case c.of != nil:
				at := slices.IndexFunc(c.of, v.equal)
				if at < 0 {
					r.fail(r.slots[c.slot].name, KindModel, "%s is no category of the contrast matrix", quote(v))
					return 0, false
				}
				f = float64(f * c.column[at])
			case !v.equal(c.want):
				f = 0
			}
		}
		if f != 0 { // else the covariates do not count, and may be missing
			for _, c := range p.covariates {
				v := r.get(c.slot)
				if v.k == missing {
					return 0, false
				}
				if c.exponent == 1 {
					f = float64(f * v.f)
				} else {
					f = float64(f * portable.Pow(v.f, c.exponent))
				}
			}
		}
		y += float64(p.beta * f)
	}
	return y, true
}

// variable reads a field that the row must have.
func variable(r *row, slot int) (float64, bool) {
	v := r.get(slot)
	if v.k == missing {
		r.fail(r.slots[slot].name, KindModel, "value is missing, and the model needs it")
		return 0, false
	}
	return v.f, true
}

// linked is the mean for a linear predictor.
func (g *general) linked(r *row, y float64) (float64, bool) {
	if g.offsetAt >= 0 {
		o, ok := variable(r, g.offsetAt)
		if !ok {
			return 0, false
		}
		y += o
	} else {
		y += g.offset
	}
	y = g.link(y)
	n := g.trials
	if g.trialsAt >= 0 {
		var ok bool
		if n, ok = variable(r, g.trialsAt); !ok {
			return 0, false
		}
		if n != math.Trunc(n) {
			r.fail(r.slots[g.trialsAt].name, KindModel, "%v is no number of trials", n)
			return 0, false
		}
	}
	return float64(y * n), true
}

func (g *general) evaluate(r *row, out *result) {
	if g.cox != nil {
		g.cox.evaluate(r, g.sums[0], out)
		return
	}
	if g.classes != nil {
		g.classify(r, out)
		return
	}
	y, ok := g.sums[0].sum(r)
	if ok && g.link != nil {
		y, ok = g.linked(r, y)
	}
	if ok {
		out.v = num(y)
	}
}

func (g *general) classify(r *row, out *result) {
	before := 0.0
	for i := range g.sums {
		y, ok := g.sums[i].sum(r)
		if ok && g.link != nil {
			y, ok = g.linked(r, y)
		}
		if !ok {
			out.p = out.p[:0]
			return
		}
		if g.kind == "ordinalMultinomial" { // cumulative
			y, before = y-before, y
		}
		out.p = append(out.p, y)
	}
	switch g.kind {
	case "multinomialLogistic":
		out.p = append(out.p, 0)
		softmax(out.p)
	case "ordinalMultinomial":
		out.p = append(out.p, 1-before)
	default:
		out.p = append(out.p, 1-out.p[0])
	}
	out.classes = g.classes
	if w := decided(out.p); w >= 0 {
		out.v = str(g.classes[w])
	}
}

func (g *general) labels() []string { return g.classes }

// cox is what a CoxRegression has beside its sum: cumulative hazards by time.
type cox struct {
	end      int // slot of endTimeVariable
	strata   int // slot of baselineStrataVariable; -1: one table
	of       []value
	tables   []hazards
	baseline float64 // Σ beta · referencePoint
}

type hazards struct {
	time, hazard []float64 // ascending
	most         float64   // maxTime
}

func (x *generalBinder) coxTables() {
	e, g := x.e, x.g
	c := &cox{strata: -1}
	if e.get("endTimeVariable") == "" {
		x.bad.add(e, "", "a CoxRegression has no endTimeVariable", "name the field of the time to which the hazard is wanted")
		return
	}
	c.end = x.numeric(x.s, e, e.get("endTimeVariable"))
	points := map[string]float64{}
	for _, k := range e.first("ParameterList").all("Parameter") {
		points[k.get("name")] = x.numAttr(k, "referencePoint", 0)
	}
	for _, k := range e.first("ParamMatrix").all("PCell") {
		p, ok := points[k.get("parameterName")]
		if !ok {
			x.bad.add(k, "", fmt.Sprintf("parameter '%s' is not in the ParameterList", clip(k.get("parameterName"))), "add it, with its referencePoint")
		}
		c.baseline += float64(x.numAttr(k, "beta", 0) * p)
	}
	h := e.first("BaseCumHazardTables")
	if h == nil {
		x.bad.add(e, "", "a CoxRegression has no BaseCumHazardTables", "export it again")
		return
	}
	if name := e.get("baselineStrataVariable"); name != "" {
		c.strata = x.s.field(e, name)
		for _, k := range h.all("BaselineStratum") {
			c.of = append(c.of, x.literal(k, x.prog.slots[c.strata], k.get("value")))
			c.tables = append(c.tables, x.hazards(k))
		}
	} else {
		c.tables = []hazards{x.hazards(h)}
	}
	g.cox = c
}

func (x *generalBinder) hazards(e *element) hazards {
	h := hazards{most: x.numAttr(e, "maxTime", 0)}
	if _, ok := e.lookup("maxTime"); !ok {
		x.bad.add(e, "", "a table of hazards has no maxTime", "give it")
	}
	cells := e.all("BaselineCell")
	if len(cells) == 0 {
		x.bad.add(e, "", "a table of hazards has no BaselineCells", "export the model again")
	}
	for _, k := range cells {
		h.time = append(h.time, x.numAttr(k, "time", 0))
		h.hazard = append(h.hazard, x.numAttr(k, "cumHazard", 0))
	}
	sort.Stable(h)
	return h
}

func (h hazards) Len() int           { return len(h.time) }
func (h hazards) Less(i, j int) bool { return h.time[i] < h.time[j] }
func (h hazards) Swap(i, j int) {
	h.time[i], h.time[j] = h.time[j], h.time[i]
	h.hazard[i], h.hazard[j] = h.hazard[j], h.hazard[i]
}

// evaluate predicts the cumulative hazard H0(t)·exp(Σβx - Σβ·reference); the
// survival is exp of its negative. PMML 4.4.1: missing where the stratum has no
// table or the time is beyond maxTime, 0 before the first time; else the cell
// of the greatest time that is not greater counts.
func (c *cox) evaluate(r *row, d dot, out *result) {
	h := &c.tables[0]
	if c.strata >= 0 {
		v := r.get(c.strata)
		if v.k == missing {
			r.fail(r.slots[c.strata].name, KindModel, "value is missing, and the model needs it")
			return
		}
		at := slices.IndexFunc(c.of, v.equal)
		if at < 0 {
			return
		}
		h = &c.tables[at]
	}
	t, ok := variable(r, c.end)
	if !ok || t > h.most {
		return
	}
	if t < h.time[0] {
		out.v = num(0)
		return
	}
	i := sort.Search(len(h.time), func(i int) bool { return h.time[i] > t }) - 1
	for i > 0 && h.time[i-1] == h.time[i] {
		i--
	}
	if y, ok := d.sum(r); ok {
		out.v = num(float64(portable.Exp(y-c.baseline) * h.hazard[i]))
	}
}
