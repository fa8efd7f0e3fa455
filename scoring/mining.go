package scoring

import (
	"fmt"
	"sort"
	"strconv"
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
}

type segment struct {
	id     string
	when   predicate
	weight float64
	model  *model
}

var miningMethods = map[string]string{
	"majorityVote": "", "weightedMajorityVote": "", "average": "", "weightedAverage": "", "median": "", "weightedMedian": "", "max": "", "sum": "", "weightedSum": "",
	"selectFirst": "", "modelChain": "", "x-weightedSum": "weightedSum", "x-weightedMedian": "weightedMedian",
}

func (b *binder) mining(s *scope, e *element, m *model) evaluator {
	seg := e.first("Segmentation")
	if seg == nil {
		b.bad.add(e, "", "the MiningModel has no Segmentation", "export it again")
		return nothing{}
	}
	g := &mining{method: seg.get("multipleModelMethod"), class: m.function == "classification", float: m.float, treatment: seg.get("missingPredictionTreatment"), threshold: 1}
	if g.treatment == "" {
		g.treatment = seg.get("x-missingPredictionTreatment")
	}
	g.threshold = b.numAttr(seg, "missingThreshold", 1)
	renamed, known := miningMethods[g.method]
	if !known {
		b.bad.refuse(seg, fmt.Sprintf("multipleModelMethod=%q", clip(g.method)))
	} else if renamed != "" {
		g.method = renamed
	}
	if g.class && (g.method == "sum" || g.method == "weightedSum") {
		b.bad.add(seg, "", "multipleModelMethod="+g.method+" with a classification", "it adds numbers: use average or majorityVote")
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
	for i, k := range seg.all("Segment") {
		x := segment{id: k.get("id"), weight: b.numAttr(k, "weight", 1)}
		if x.id == "" {
			x.id = strconv.Itoa(i + 1)
		}
		if k.first("VariableWeight") != nil {
			b.bad.refuse(k, "VariableWeight")
		}
		x.when = b.predicate(s, k)
		me := modelOf(k)
		if me == nil {
			b.bad.add(k, "", fmt.Sprintf("segment %s has no model", clip(x.id)), "export it again")
			continue
		}
		x.model = b.model(s, me)
		g.segments = append(g.segments, x)
		if g.method == "modelChain" {
			// Its outputs are fields of the segments after it.
			for _, o := range x.model.outputs {
				s.fields[o.name] = b.prog.add(slot{name: o.name, typ: o.typ, year: o.year, op: o.op, source: chained{x.model, o, x.when}})
			}
		}
	}
	if len(g.segments) == 0 {
		b.bad.add(seg, "", "the Segmentation has no Segments", "export it again")
		return nothing{}
	}
	for _, x := range g.segments {
		for _, c := range x.model.classes {
			g.class_(c)
		}
	}
	return g
}

func (g *mining) class_(name string) int {
	for i, c := range g.classes {
		if c == name {
			return i
		}
	}
	g.classes = append(g.classes, name)
	return len(g.classes) - 1
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
				continue
			}
			out.take(res)
			out.segment = i
			return
		}
	default:
		if g.class {
			g.vote(r, out)
		} else {
			g.combine(r, out)
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

// combine makes one number of the segments' numbers, in document order.
func (g *mining) combine(r *row, out *result) {
	var total, weights, gone, all float64
	var list []weighted
	n := 0
	add := func(to *float64, x float64) {
		if g.float {
			*to = float64(float32(*to) + float32(x))
			return
		}
		*to += x
	}
	for i := range g.segments {
		x := &g.segments[i]
		if x.when != fixed(yes) && x.when.test(r, nil) != yes {
			continue
		}
		v := x.model.run(r).v
		all += x.weight
		if v.k == missing {
			if g.treatment == "returnMissing" {
				return
			}
			gone += x.weight
			continue // the others are read all the same: an invalid value harms the row
		}
		n++
		w := x.weight
		switch g.method {
		case "sum", "average":
			add(&total, v.f)
		case "weightedSum", "weightedAverage":
			if g.float {
				add(&total, float64(float32(w)*float32(v.f)))
			} else {
				add(&total, float64(w*v.f))
			}
			weights += w
		case "max":
			if n == 1 || v.f > total {
				total = v.f
			}
		default:
			list = append(list, weighted{v.f, w})
			weights += w
		}
	}
	if n == 0 || gone > g.threshold*all || gone > 0 && g.treatment == "continue" {
		return
	}
	switch g.method {
	case "average":
		total /= float64(n)
		if g.float {
			total = float64(float32(total))
		}
	case "weightedAverage":
		total /= weights
	case "median":
		sort.Slice(list, func(i, j int) bool { return list[i].x < list[j].x })
		if m := len(list) / 2; len(list)%2 == 1 {
			total = list[m].x
		} else {
			total = (list[m-1].x + list[m].x) / 2
		}
	case "weightedMedian":
		sort.SliceStable(list, func(i, j int) bool { return list[i].x < list[j].x })
		acc := 0.0
		for _, l := range list {
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

// vote makes one distribution of the segments' classes.
func (g *mining) vote(r *row, out *result) {
	p := zeros(out.p, len(g.classes))
	var weights, gone, skipped, active float64
	var voted []int // classes, in the order of their first votes
	n := 0
	byVote := g.method == "majorityVote" || g.method == "weightedMajorityVote"
	var all [][]float64
	for i := range g.segments {
		x := &g.segments[i]
		if x.when.test(r, nil) != yes {
			continue
		}
		w := 1.0
		if g.method == "weightedMajorityVote" || g.method == "weightedAverage" {
			w = x.weight
		}
		res := x.model.run(r)
		if res.v.k == missing {
			switch g.treatment {
			case "skipSegment":
				skipped += x.weight
				active += x.weight
				continue
			case "returnMissing":
				return
			}
			gone += w
			n++
			if !byVote {
				return
			}
			continue
		}
		n++
		active += x.weight
		weights += w
		if byVote {
			if i := index(g.classes, res.v.lexical()); i >= 0 {
				if p[i] == 0 {
					voted = append(voted, i)
				}
				p[i] += w
			}
			continue
		}
		if res.classes == nil {
			r.fail("", KindModel, "segment %s gives no probabilities to average", x.id)
			return
		}
		own := zeros(nil, len(g.classes))
		for j, c := range res.classes {
			if i := index(g.classes, c); i >= 0 {
				own[i] = res.p[j]
			}
		}
		switch g.method {
		case "max", "median":
			all = append(all, own)
		default:
			for i := range own {
				if g.float {
					p[i] = float64(float32(p[i]) + float32(w*own[i]))
				} else {
					p[i] += float64(w * own[i])
				}
			}
		}
	}
	if n == 0 || skipped > g.threshold*active {
		return
	}
	switch {
	case g.method == "max", g.method == "median":
		g.typical(p, all)
	default:
		for i := range p {
			p[i] /= weights
			if g.float {
				p[i] = float64(float32(p[i]))
			}
		}
	}
	w := winner(p)
	for _, i := range voted { // of equals, that which was voted for first
		if p[i] == p[w] {
			w = i
			break
		}
	}
	if w < 0 || byVote && gone > p[w]*weights {
		return
	}
	out.v, out.classes, out.p = str(g.classes[w]), g.classes, p
}

// typical fills p from the segment whose distribution is the one meant. Each
// class has its greatest probability over the segments, or its median; the
// class where that is greatest wins, and the segments that attain it there
// give the distribution: their mean, where several do. Of an even number of
// segments the median is the lower of the two in the middle: one that a
// segment has.
func (g *mining) typical(p []float64, all [][]float64) {
	top, class := -1.0, 0
	var at []int
	for c := range p {
		order := make([]int, len(all))
		for i := range order {
			order[i] = i
		}
		sort.SliceStable(order, func(i, j int) bool { return all[order[i]][c] < all[order[j]][c] })
		last := len(order) - 1
		if g.method == "median" {
			last /= 2
		}
		if v := all[order[last]][c]; v > top {
			top, class = v, c
		}
	}
	for i, own := range all {
		if own[class] == top {
			at = append(at, i)
		}
	}
	for _, i := range at {
		for c := range p {
			p[c] += all[i][c]
		}
	}
	for c := range p {
		p[c] /= float64(len(at))
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
