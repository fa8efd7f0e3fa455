package scoring

import (
	"fmt"
	"strconv"
)

// PMML 4.4.1, RuleSetModel.
type ruleSet struct {
	criterion string
	rules     []rule
	flat      []*rule // SimpleRules, in document order
	scores    []string
	score     string  // defaultScore
	has       bool    // it is given
	conf      float64 // defaultConfidence; negative: none
}

type rule struct {
	when       predicate
	inner      []rule // of a CompoundRule
	index      int32  // of a SimpleRule: in flat
	label      int32  // of its score: in scores
	id         string
	score      string
	confidence float64
	weight     float64
}

func (b *binder) ruleSet(s *scope, e *element) evaluator {
	set := e.first("RuleSet")
	if set == nil {
		b.bad.add(e, "", "the model has no RuleSet", "export it again")
		return nothing{}
	}
	if e.get("x-mathContext") == "float" {
		b.bad.refuse(e, "x-mathContext=\"float\" of a RuleSetModel")
	}
	g := &ruleSet{}
	// PMML 4.4.1: of several methods the first is the default.
	if g.criterion = set.first("RuleSelectionMethod").attribute("criterion"); g.criterion != "firstHit" && g.criterion != "weightedSum" && g.criterion != "weightedMax" {
		b.bad.add(set, "", fmt.Sprintf("the first RuleSelectionMethod's criterion=%q is none", clip(g.criterion)), "want firstHit, weightedSum or weightedMax")
	}
	g.score, g.has = set.lookup("defaultScore")
	g.conf = -1
	if c, ok := set.lookup("defaultConfidence"); ok {
		g.conf = b.number(set, "defaultConfidence", c)
	}
	ids := map[string]bool{}
	g.rules = b.rules(s, set, g, ids, 0)
	labels := map[string]int32{}
	label := func(score string) int32 {
		i, ok := labels[score]
		if !ok {
			i = int32(len(g.scores))
			labels[score] = i
			g.scores = append(g.scores, score)
		}
		return i
	}
	var flatten func([]rule)
	flatten = func(rules []rule) {
		for i := range rules {
			if x := &rules[i]; x.inner != nil {
				flatten(x.inner)
			} else {
				x.index, x.label = int32(len(g.flat)), label(x.score)
				g.flat = append(g.flat, x)
			}
		}
	}
	flatten(g.rules)
	if g.has {
		label(g.score)
	}
	return g
}

func (b *binder) rules(s *scope, holder *element, g *ruleSet, ids map[string]bool, depth int) []rule {
	if depth > 50 {
		b.bad.add(holder, "", "CompoundRules are nested deeper than 50", "flatten them")
		return nil
	}
	out := []rule{}
	for _, k := range holder.kids {
		switch k.name {
		case "SimpleRule":
			x := rule{when: b.predicate(s, k), score: k.get("score"), confidence: b.numAttr(k, "confidence", 1), weight: b.numAttr(k, "weight", 1)}
			if _, ok := k.lookup("score"); !ok {
				b.bad.add(k, "", "a SimpleRule has no score", "give it one")
			}
			x.id = k.get("id")
			if x.id == "" {
				x.id = strconv.Itoa(len(ids) + 1)
			}
			if ids[x.id] {
				b.bad.add(k, "", fmt.Sprintf("two rules have the id %q", clip(x.id)), "change one")
			}
			ids[x.id] = true
			out = append(out, x)
		case "CompoundRule":
			out = append(out, rule{when: b.predicate(s, k), inner: b.rules(s, k, g, ids, depth+1)})
		}
	}
	return out
}

// fire adds the rules that apply to out.path. A CompoundRule opens those in it.
func (g *ruleSet) fire(r *row, rules []rule, out *result) {
	for i := range rules {
		x := &rules[i]
		switch {
		case x.when.test(r, nil) != yes:
		case x.inner != nil:
			g.fire(r, x.inner, out)
		default:
			out.path = append(out.path, x.index)
		}
	}
}

// evaluate predicts the score of a rule that fires. The scores of all that fire
// have a confidence: of firstHit that of the score's first rule; of weightedMax
// that of its rule of most weight; of weightedSum the sum of its rules' weights
// over the number of all rules that fire. The greatest wins, of firstHit the
// first; of equals, the one that fired first.
func (g *ruleSet) evaluate(r *row, out *result) {
	g.fire(r, g.rules, out)
	out.keys, out.conf = out.keys[:0], out.conf[:0]
	if len(out.path) == 0 {
		if g.has {
			out.v = str(g.score)
			if g.conf >= 0 {
				out.keys, out.conf = append(out.keys, g.score), append(out.conf, g.conf)
				out.classes, out.confidence = out.keys, out.conf
			}
		}
		return
	}
	if len(out.at) < len(g.scores) {
		out.at = make([]int32, len(g.scores))
	}
	out.lead = out.lead[:0]
	for _, i := range out.path {
		x := g.flat[i]
		at := int(out.at[x.label]) - 1
		if at < 0 {
			at = len(out.keys)
			out.at[x.label] = int32(at) + 1
			out.keys, out.conf, out.lead = append(out.keys, x.score), append(out.conf, 0), append(out.lead, i)
		} else if g.criterion != "firstHit" && x.weight > g.flat[out.lead[at]].weight {
			out.lead[at] = i
		}
		out.conf[at] += x.weight
	}
	best := 0
	for i := range out.keys {
		x := g.flat[out.lead[i]]
		out.at[x.label] = 0
		if g.criterion == "weightedSum" {
			out.conf[i] /= float64(len(out.path))
		} else {
			out.conf[i] = x.confidence
		}
		if g.criterion != "firstHit" && out.conf[i] > out.conf[best] {
			best = i
		}
	}
	out.classes, out.confidence = out.keys, out.conf
	out.v, out.entity = str(out.keys[best]), g.flat[out.lead[best]].id
}

// labels are the scores, in document order.
func (g *ruleSet) labels() []string { return g.scores }
