package scoring

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// PMML 4.4.1, MiningModel.
type mining struct {
	method    string
	segments  []segment
	class     bool
	float     bool
	treatment string // missingPredictionTreatment
	threshold float64
	classes   []string
	at        map[string]int // of classes
}

type segment struct {
	id     string
	when   predicate
	weight float64
	by     int // the field that is the weight (VariableWeight); -1 none
	target int // of x-multiModelChain: which of the model's targets it predicts; -1 none
	model  *model
}

var miningMethods = map[string]string{
	"majorityVote": "", "weightedMajorityVote": "", "average": "", "weightedAverage": "", "median": "", "weightedMedian": "", "max": "", "sum": "", "weightedSum": "",
	"selectFirst": "", "selectAll": "", "modelChain": "", "x-multiModelChain": "", "x-weightedSum": "weightedSum", "x-weightedMedian": "weightedMedian",
}

func (b *binder) mining(s *scope, e *element, m *model) evaluator {
	seg := e.first("Segmentation")
	if seg == nil {
		if e.first("Regression", "DecisionTree") != nil {
			return b.embeddedChain(s, e, m)
		}
		b.bad.add(e, "", "the MiningModel has no Segmentation", "export it again")
		return nothing{}
	}
	g := &mining{method: seg.get("multipleModelMethod"), class: m.function == "classification" || m.function == "clustering", float: m.float, treatment: seg.get("missingPredictionTreatment"), threshold: 1}
	if g.treatment == "" {
		g.treatment = seg.get("x-missingPredictionTreatment")
	}
	g.threshold = b.numAttr(seg, "missingThreshold", b.numAttr(seg, "x-missingThreshold", 1))
	if lt := seg.first("LocalTransformations"); lt != nil { // PMML 3.0 to 4.0
		s.locals(lt)
	}
	renamed, known := miningMethods[g.method]
	if !known {
		b.bad.refuse(seg, fmt.Sprintf("multipleModelMethod=%q", clip(g.method)))
	} else if renamed != "" {
		g.method = renamed
	}
	if !known || !slices.Contains(methodsOf(m.function), g.method) {
		if known {
			b.bad.add(seg, "", fmt.Sprintf("multipleModelMethod=%q with functionName=%q", clip(g.method), clip(m.function)), "want "+strings.Join(methodsOf(m.function), ", "))
		}
	}
	switch g.treatment {
	case "":
		g.treatment = "continue"
	case "continue", "skipSegment", "returnMissing":
	default:
		b.bad.add(seg, "", fmt.Sprintf("missingPredictionTreatment=%q is none", clip(g.treatment)), "want continue, skipSegment or returnMissing")
	}
	b.depth++
	defer func() { b.depth-- }()
	if b.depth > 50 {
		b.bad.add(seg, "", "MiningModels are nested deeper than 50", "flatten them")
		return nothing{}
	}
	ids := map[string]bool{}
	for i, k := range seg.all("Segment") {
		x := segment{id: k.get("id"), weight: b.numAttr(k, "weight", 1), by: -1, target: -1}
		if x.id == "" {
			x.id = strconv.Itoa(i + 1)
		}
		if ids[x.id] {
			b.bad.add(k, "", fmt.Sprintf("two segments have the id %s", clip(x.id)), "rename one")
		}
		ids[x.id] = true
		if vw := k.first("VariableWeight"); vw != nil {
			x.by = b.numeric(s, vw, vw.get("field"))
		}
		x.when = b.predicate(s, k)
		me := segmentModel(k)
		if me == nil {
			b.bad.add(k, "", fmt.Sprintf("segment %s has no model", clip(x.id)), "export it again")
			continue
		}
		x.model = b.model(s, me)
		if g.method == "x-multiModelChain" {
			x.target = slices.Index(s.targets, x.model.target.field)
		}
		g.segments = append(g.segments, x)
		if g.method == "modelChain" || g.method == "x-multiModelChain" {
			g.chain(b, s, &g.segments[len(g.segments)-1])
		}
	}
	if len(g.segments) == 0 {
		b.bad.add(seg, "", "the Segmentation has no Segments", "export it again")
		return nothing{}
	}
	for _, x := range g.segments {
		g.take(x.model.classes)
	}
	return g
}

// chain makes a segment's outputs fields of the segments after it.
func (g *mining) chain(b *binder, s *scope, x *segment) {
	for _, o := range x.model.outputs {
		s.fields[o.name] = b.prog.add(slot{name: o.name, typ: o.typ, year: o.year, op: o.op, source: chained{x.model, o, x.when}})
	}
}

// methodsOf are the ways to combine models of a mining function. PMML 4.4.1,
// MiningModel; the max of numbers is ours.
func methodsOf(function string) []string {
	select_ := []string{"selectFirst", "selectAll", "modelChain", "x-multiModelChain"}
	switch function {
	case "regression":
		return append(select_, "average", "weightedAverage", "median", "weightedMedian", "sum", "weightedSum", "max")
	case "classification":
		return append(select_, "majorityVote", "weightedMajorityVote", "average", "weightedAverage", "median", "max")
	case "clustering":
		return append(select_, "majorityVote", "weightedMajorityVote")
	}
	return select_
}

// segmentModel is the model of a Segment, scorable alone or not.
func segmentModel(k *element) *element {
	for _, x := range k.kids {
		if _, ok := modelKinds[x.name]; ok {
			return x
		}
	}
	return nil
}

// take adds classes that are not yet known.
func (g *mining) take(classes []string) {
	if g.at == nil {
		g.at = map[string]int{}
	}
	for _, c := range classes {
		if _, ok := g.at[c]; !ok {
			g.at[c] = len(g.classes)
			g.classes = append(g.classes, c)
		}
	}
}

// chained is an output of a segment as a field of later ones; missing where
// the segment is not active.
type chained struct {
	m    *model
	o    *output
	when predicate
}

func (c chained) eval(r *row) value {
	if c.when.test(r, nil) != yes {
		return none
	}
	c.m.run(r)
	return r.get(c.o.slot)
}

func (g *mining) evaluate(r *row, out *result) {
	switch g.method {
	case "modelChain":
		var last *segment
		for i := range g.segments {
			if g.segments[i].when.test(r, nil) == yes {
				last, out.segment = &g.segments[i], i
				res := last.model.run(r)
				if res.v.k == missing && g.treatment == "returnMissing" {
					return
				}
			}
		}
		if last != nil {
			out.take(last.model.run(r))
		}
	case "selectFirst":
		for i := range g.segments {
			x := &g.segments[i]
			if x.when.test(r, nil) != yes {
				continue
			}
			res := x.model.run(r)
			if res.v.k == missing && g.treatment == "skipSegment" {
				if out.segment < 0 {
					out.segment = i
				}
				continue
			}
			out.take(res)
			out.segment = i
			return
		}
	case "selectAll":
		g.all(r, out)
	case "x-multiModelChain":
		g.several(r, out)
	case "majorityVote", "weightedMajorityVote":
		g.vote(r, out)
	default:
		if g.class {
			g.distribution(r, out)
		} else {
			g.combine(r, out)
		}
	}
}

// class_ is a class's number, -1 where it is none.
func (g *mining) class_(name string) int {
	if i, ok := g.at[name]; ok {
		return i
	}
	return -1
}

// all gives the active segments' predictions as a collection.
func (g *mining) all(r *row, out *result) {
	var got []value
	ok := g.each(r, true, func(_ *segment, _ float64, res *result) bool {
		got = append(got, res.v)
		return true
	})
	if ok && len(got) > 0 {
		out.v = value{k: list, list: got}
	}
}

// several is jpmml's chain whose segments predict a target each.
func (g *mining) several(r *row, out *result) {
	for i := range g.segments {
		x := &g.segments[i]
		if x.when.test(r, nil) != yes {
			continue
		}
		res := x.model.run(r)
		if x.target >= 0 {
			out.of(x.target).take(res)
		}
	}
}

func (out *result) take(res *result) {
	out.v, out.classes, out.confidence, out.entity = res.v, res.classes, res.confidence, res.entity
	out.entities, out.shown, out.larger, out.best, out.top = res.entities, res.shown, res.larger, res.best, res.top
	out.near, out.order = append(out.near[:0], res.near...), append(out.order[:0], res.order...)
	out.p = append(out.p[:0], res.p...)
	out.reasons = append(out.reasons[:0], res.reasons...)
}

// each runs the active segments in order; false where there is no result. One
// that is missing voids it, unless use takes missing ones too; the others are
// run all the same: an invalid value harms the row.
func (g *mining) each(r *row, missingToo bool, use func(x *segment, w float64, res *result) bool) bool {
	var all, gone float64
	void := false
	for i := range g.segments {
		x := &g.segments[i]
		if x.when != fixed(yes) && x.when.test(r, nil) != yes {
			continue
		}
		w, ok := x.weighs(r)
		if !ok {
			return false
		}
		all += w
		res := x.model.run(r)
		if r.err != nil {
			return false
		}
		if res.v.k == missing {
			gone += w
			if g.treatment == "skipSegment" {
				continue
			}
			if g.treatment == "returnMissing" {
				return false
			}
			if void = void || !missingToo; void {
				continue
			}
		}
		if !use(x, w, res) {
			return false
		}
	}
	return !void && !(gone > 0 && gone/all > g.threshold)
}

// weighs is a segment's weight in this row.
func (x *segment) weighs(r *row) (float64, bool) {
	if x.by < 0 {
		return x.weight, true
	}
	v := r.get(x.by)
	return v.f, v.k == number || v.k == integer
}

// combine makes one number of the segments' numbers, in document order.
func (g *mining) combine(r *row, out *result) {
	var total, weights float64
	pairs := out.pairs[:0]
	n := 0
	to := func(x float64) float64 {
		if g.float {
			return float64(float32(x))
		}
		return x
	}
	ok := g.each(r, false, func(x *segment, w float64, res *result) bool {
		v := res.v
		if v.k == text || v.k == list {
			r.fail("", KindModel, "segment %s gives %s, which is no number", clip(x.id), quote(v))
			return false
		}
		n++
		switch g.method {
		case "sum", "average":
			total = to(total + to(v.f))
		case "weightedSum", "weightedAverage":
			total = to(total + to(to(w)*to(v.f)))
			weights = to(weights + to(w))
		case "max":
			if n == 1 || v.f > total {
				total = v.f
			}
		default:
			pairs = append(pairs, weighted{to(v.f), to(w)})
			weights += w
		}
		return true
	})
	out.pairs = pairs
	if !ok || n == 0 {
		return
	}
	switch g.method {
	case "average":
		total = to(total / float64(n))
	case "weightedAverage":
		total = to(total / weights)
	case "median":
		slices.SortFunc(pairs, func(a, b weighted) int { return cmp.Compare(a.x, b.x) })
		if m := len(pairs) / 2; len(pairs)%2 == 1 {
			total = pairs[m].x
		} else {
			total = to((pairs[m-1].x + pairs[m].x) / 2)
		}
	case "weightedMedian":
		slices.SortStableFunc(pairs, func(a, b weighted) int { return cmp.Compare(a.x, b.x) })
		acc := 0.0
		for _, l := range pairs {
			acc += l.w
			if acc >= weights/2 {
				total = l.x
				break
			}
		}
	}
	out.v = value{k: number, f32: g.float, f: total}
}

type weighted struct{ x, w float64 }

// vote counts the segments' classes. A missing one is a class, which wins if it
// has most votes; of equals the one that was voted for first.
func (g *mining) vote(r *row, out *result) {
	p := zeros(out.p, len(g.classes))
	out.p = p[:0] // the memory, where there is no result
	var weights, gone float64
	votes := 0
	first := zeros(out.work, len(g.classes)) // when it was voted for, from 1
	out.work = first
	ok := g.each(r, true, func(x *segment, w float64, res *result) bool {
		if g.method == "majorityVote" {
			w = 1
		}
		votes++
		if res.v.k == missing {
			gone += w
			return true
		}
		i := g.class_(res.v.lexical())
		if i < 0 {
			r.fail("", KindModel, "segment %s votes for %s, which is no class of the model", clip(x.id), quote(res.v))
			return false
		}
		if first[i] == 0 {
			first[i] = float64(votes)
		}
		p[i] += w
		weights += w
		return true
	})
	best := -1
	for i := range p {
		if first[i] > 0 && (best < 0 || p[i] > p[best] || p[i] == p[best] && first[i] < first[best]) {
			best = i
		}
	}
	if !ok || best < 0 || gone > p[best] {
		return
	}
	for i := range p {
		p[i] /= weights
	}
	out.v, out.classes, out.p = str(g.classes[best]), g.classes, p
}

// average, max and median make one distribution of the segments' distributions.
func (g *mining) distribution(r *row, out *result) {
	k := len(g.classes)
	p := zeros(out.p, k)
	out.p = p[:0] // the memory, where there is no result
	to := func(x float64) float64 {
		if g.float {
			return float64(float32(x))
		}
		return x
	}
	var weights float64
	all := out.work[:0] // of max and median: the segments' distributions, one after the other
	n := 0
	ok := g.each(r, false, func(x *segment, w float64, res *result) bool {
		if res.classes == nil || len(res.p) < len(res.classes) {
			r.fail("", KindModel, "segment %s gives no probabilities to average", clip(x.id))
			return false
		}
		if g.method == "average" {
			w = 1
		}
		n++
		weights = to(weights + to(w))
		if g.method == "max" || g.method == "median" {
			all = append(all, p...) // room: p holds zeros until the end
		}
		for j, c := range res.classes {
			i := j
			if i >= k || g.classes[i] != c {
				i = g.class_(c)
			}
			switch {
			case i < 0:
			case g.method == "max" || g.method == "median":
				all[(n-1)*k+i] = res.p[j]
			default:
				p[i] = to(p[i] + to(to(w)*to(res.p[j])))
			}
		}
		return true
	})
	out.work = all
	if !ok || n == 0 {
		return
	}
	if g.method == "max" || g.method == "median" {
		g.nearest(p, all, n)
	} else {
		for i := range p {
			p[i] = to(p[i] / weights)
		}
	}
	if w := winner(p); w >= 0 {
		out.v, out.classes, out.p = str(g.classes[w]), g.classes, p
	}
}

// nearest gives max and median: the greatest, or middle, probability of each
// class decides which class it is about; the result is the mean of the
// distributions that come nearest to that probability of that class.
func (g *mining) nearest(p, all []float64, n int) {
	k := len(p)
	column := make([]float64, n)
	best, top := -1, 0.0
	for i := range k {
		for j := range n {
			column[j] = all[j*k+i]
		}
		m := 0.0
		if g.method == "max" {
			m = slices.Max(column)
		} else {
			slices.Sort(column)
			lower, upper := column[(n-1)/2], column[n/2]
			m = lower + float64(0.5*(upper-lower))
		}
		if best < 0 || m > top {
			best, top = i, m
		}
	}
	least, used := inf, 0.0
	for j := range n {
		d := abs(all[j*k+best] - top)
		if d > least {
			continue
		}
		if d < least {
			least, used = d, 0
			clear(p)
		}
		used++
		for i := range k {
			p[i] += all[j*k+i]
		}
	}
	for i := range p {
		p[i] /= used
	}
}

func index(list []string, s string) int {
	for i, x := range list {
		if x == s {
			return i
		}
	}
	return -1
}
