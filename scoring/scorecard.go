package scoring

import (
	"cmp"
	"fmt"
	"slices"
)

// PMML 4.4.1, Scorecard.
type scorecard struct {
	initial  float64
	reasons  bool
	above    bool // pointsAbove; else pointsBelow
	features []characteristic
}

type characteristic struct {
	name       string
	baseline   float64
	attributes []attribute
}

type attribute struct {
	when    predicate
	partial float64
	complex expr
	code    string
}

func (b *binder) scorecard(s *scope, e *element) evaluator {
	c := &scorecard{initial: b.numAttr(e, "initialScore", 0), reasons: e.get("useReasonCodes") != "false"}
	switch a := e.get("reasonCodeAlgorithm"); a {
	case "", "pointsBelow":
	case "pointsAbove":
		c.above = true
	default:
		b.bad.add(e, "", fmt.Sprintf("reasonCodeAlgorithm=%q is none", clip(a)), "want pointsAbove or pointsBelow")
	}
	base, hasBase := e.lookup("baselineScore")
	for _, k := range e.first("Characteristics").all("Characteristic") {
		ch := characteristic{name: k.get("name")}
		own, ok := k.lookup("baselineScore")
		switch {
		case ok:
			ch.baseline = b.number(k, "baselineScore", own)
		case hasBase:
			ch.baseline = b.number(e, "baselineScore", base)
		case c.reasons:
			b.bad.add(k, "", fmt.Sprintf("characteristic '%s' has no baselineScore, and neither has the scorecard", clip(ch.name)), "give one, or useReasonCodes=\"false\"")
		}
		for _, a := range k.all("Attribute") {
			at := attribute{when: b.predicate(s, a), code: a.get("reasonCode")}
			if at.code == "" {
				at.code = k.get("reasonCode")
			}
			if at.code == "" && c.reasons {
				b.bad.add(a, "", fmt.Sprintf("an attribute of '%s' has no reasonCode", clip(ch.name)), "give one to it or to its characteristic")
			}
			if x := a.first("ComplexPartialScore"); x != nil {
				at.complex = b.expression(s, expressionOf(x))
			} else if p, ok := a.lookup("partialScore"); ok {
				at.partial = b.number(a, "partialScore", p)
			} else {
				b.bad.add(a, "", fmt.Sprintf("an attribute of '%s' has neither partialScore nor ComplexPartialScore", clip(ch.name)), "give one")
			}
			ch.attributes = append(ch.attributes, at)
		}
		c.features = append(c.features, ch)
	}
	if len(c.features) == 0 {
		b.bad.add(e, "", "the scorecard has no Characteristics", "export it again")
	}
	return c
}

func (c *scorecard) evaluate(r *row, out *result) {
	total := c.initial
	for i := range c.features {
		ch := &c.features[i]
		hit := false
		for j := range ch.attributes {
			a := &ch.attributes[j]
			if a.when.test(r, nil) != yes {
				continue
			}
			hit = true
			p := a.partial
			if a.complex != nil {
				v := a.complex.eval(r)
				if v.k == missing {
					return
				}
				p = v.f
			}
			total += p
			if c.reasons {
				d := ch.baseline - p
				if c.above {
					d = p - ch.baseline
				}
				out.addReason(a.code, d)
			}
			break
		}
		if !hit {
			r.fail("", KindModel, "no attribute of characteristic %q applies", clip(ch.name))
			return
		}
	}
	out.v = num(total)
	if c.reasons {
		kept := out.reasons[:0]
		for _, x := range out.reasons {
			if x.points >= 0 {
				kept = append(kept, x)
			}
		}
		out.reasons = kept
		slices.SortStableFunc(kept, func(a, b ranked) int { return cmp.Compare(b.points, a.points) })
	}
}

func (s *result) addReason(code string, points float64) {
	for i := range s.reasons {
		if s.reasons[i].code == code {
			s.reasons[i].points += points
			return
		}
	}
	s.reasons = append(s.reasons, ranked{code, points})
}
