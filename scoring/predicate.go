package scoring

import (
	"fmt"
	"strings"
)

// tri is a truth value of three.
type tri byte

const (
	no tri = iota
	yes
	unknown
)

// predicate is a bound PREDICATE. levels counts surrogates used, for the
// missing value penalty.
type predicate interface {
	test(r *row, levels *int) tri
}

func predicateOf(e *element) *element {
	return e.first("True", "False", "SimplePredicate", "SimpleSetPredicate", "CompoundPredicate")
}

type fixed tri

func (f fixed) test(*row, *int) tri { return tri(f) }

type comparison byte

const (
	opEqual comparison = iota
	opNotEqual
	opLess
	opLessEqual
	opGreater
	opGreaterEqual
	opMissing
	opNotMissing
)

var comparisons = map[string]comparison{
	"equal": opEqual, "notEqual": opNotEqual, "lessThan": opLess, "lessOrEqual": opLessEqual,
	"greaterThan": opGreater, "greaterOrEqual": opGreaterEqual, "isMissing": opMissing, "isNotMissing": opNotMissing,
}

// simple compares a field with a constant, in the field's type.
type simple struct {
	slot  int
	op    comparison
	want  value
	order []value // of an ordinal field
}

func (s *simple) test(r *row, _ *int) tri { return s.of(r.get(s.slot)) }

// of tests a value of the field.
func (s *simple) of(v value) tri {
	switch {
	case s.op == opMissing:
		return tri3(v.k == missing)
	case s.op == opNotMissing:
		return tri3(v.k != missing)
	case v.k == missing:
		return unknown
	case s.op == opEqual:
		return tri3(v.equal(s.want))
	case s.op == opNotEqual:
		return tri3(!v.equal(s.want))
	}
	x, y := v.f, s.want.f
	if s.order != nil {
		x, y = rank(s.order, v), rank(s.order, s.want)
	} else if v.k == text {
		x, y = float64(strings.Compare(v.s, s.want.s)), 0
	}
	switch s.op {
	case opLess:
		return tri3(x < y)
	case opLessEqual:
		return tri3(x <= y)
	case opGreater:
		return tri3(x > y)
	}
	return tri3(x >= y)
}

func rank(order []value, v value) float64 {
	for i, o := range order {
		if o.equal(v) {
			return float64(i)
		}
	}
	return -1
}

func tri3(b bool) tri {
	if b {
		return yes
	}
	return no
}

type inSet struct {
	slot int
	not  bool
	set  []value
	text map[string]bool
}

func (s *inSet) test(r *row, _ *int) tri { return s.of(r.get(s.slot)) }

// of tests a value of the field.
func (s *inSet) of(v value) tri {
	if v.k == missing {
		return unknown
	}
	in := false
	if v.k == text {
		in = s.text[v.s]
	} else {
		for _, w := range s.set {
			if v.equal(w) {
				in = true
				break
			}
		}
	}
	return tri3(in != s.not)
}

type compound struct {
	op   byte // & | ^ s
	kids []predicate
}

func (c *compound) test(r *row, levels *int) tri {
	switch c.op {
	case '&', '|': // all are tested: an invalid value harms the row whatever the others say
		out, decided := yes, no
		if c.op == '|' {
			out, decided = no, yes
		}
		for _, k := range c.kids {
			switch t := k.test(r, levels); {
			case t == decided:
				out = decided
			case t == unknown && out != decided:
				out = unknown
			}
		}
		return out
	case '^':
		odd, open := false, false // all are tested, as above
		for _, k := range c.kids {
			switch k.test(r, levels) {
			case yes:
				odd = !odd
			case unknown:
				open = true
			}
		}
		if open {
			return unknown
		}
		return tri3(odd)
	}
	for i, k := range c.kids {
		if t := k.test(r, levels); t != unknown {
			if i > 0 && levels != nil {
				*levels++
			}
			return t
		}
	}
	return unknown
}

// predicate binds e's predicate; e is the element that holds it.
func (b *binder) predicate(s *scope, holder *element) predicate {
	e := predicateOf(holder)
	if e == nil {
		b.bad.add(holder, "", holder.name+" has no predicate", "want True, False, SimplePredicate, SimpleSetPredicate or CompoundPredicate")
		return fixed(no)
	}
	return b.bindPredicate(s, e, 0)
}

func (b *binder) bindPredicate(s *scope, e *element, depth int) predicate {
	if depth > 200 {
		b.bad.add(e, "", "predicates are nested deeper than 200", "flatten them")
		return fixed(no)
	}
	switch e.name {
	case "True":
		return fixed(yes)
	case "False":
		return fixed(no)
	case "SimplePredicate":
		if len(b.simples) == cap(b.simples) {
			b.simples = make([]simple, 0, 256)
		}
		b.simples = append(b.simples, simple{})
		p := &b.simples[len(b.simples)-1]
		op, ok := comparisons[e.get("operator")]
		if !ok {
			b.bad.add(e, e.get("field"), fmt.Sprintf("operator=%q is none", clip(e.get("operator"))), "want equal, notEqual, lessThan, lessOrEqual, greaterThan, greaterOrEqual, isMissing or isNotMissing")
		}
		p.op = op
		p.slot = s.field(e, e.get("field"))
		sl := b.prog.slots[p.slot]
		if op != opMissing && op != opNotMissing {
			p.want = b.literal(e, sl, e.get("value"))
			if sl.op == ordinal && len(sl.order) > 0 && op >= opLess {
				p.order = sl.order
			} else if sl.typ == typeString && op >= opLess {
				b.bad.add(e, sl.name, fmt.Sprintf("field '%s' is a string without order and is compared by %s", clip(sl.name), e.get("operator")), "make it ordinal and list its values in order")
			}
		}
		return p
	case "SimpleSetPredicate":
		p := &inSet{text: map[string]bool{}}
		switch op := e.get("booleanOperator"); op {
		case "isIn":
		case "isNotIn":
			p.not = true
		default:
			b.bad.add(e, e.get("field"), fmt.Sprintf("booleanOperator=%q is none", clip(op)), "want isIn or isNotIn")
		}
		p.slot = s.field(e, e.get("field"))
		sl := b.prog.slots[p.slot]
		for _, txt := range b.array(e) {
			v := b.literal(e, sl, txt)
			p.set = append(p.set, v)
			if v.k == text {
				p.text[v.s] = true
			}
		}
		return p
	}
	c := &compound{}
	switch op := e.get("booleanOperator"); op {
	case "and":
		c.op = '&'
	case "or":
		c.op = '|'
	case "xor":
		c.op = '^'
	case "surrogate":
		c.op = 's'
	default:
		b.bad.add(e, "", fmt.Sprintf("booleanOperator=%q is none", clip(op)), "want and, or, xor or surrogate")
	}
	for _, k := range e.kids {
		switch k.name {
		case "True", "False", "SimplePredicate", "SimpleSetPredicate", "CompoundPredicate":
			c.kids = append(c.kids, b.bindPredicate(s, k, depth+1))
		}
	}
	if len(c.kids) == 0 {
		b.bad.add(e, "", "a CompoundPredicate has no predicates", "")
	}
	return c
}

// literal reads a constant in the type of the field it is compared with.
func (b *binder) literal(e *element, sl slot, txt string) value {
	v, ok := sl.typ.parse(txt, sl.year)
	if !ok && sl.typ == typeInteger { // a threshold between integers
		v, ok = typeDouble.parse(txt, 0)
	}
	if !ok {
		b.bad.add(e, sl.name, fmt.Sprintf("%q is compared with field '%s', which is %v", clip(txt), clip(sl.name), sl.typ), "mend the value or the field's dataType")
	}
	return v
}

// array reads the Array child: blank-separated, texts perhaps in quotes.
func (b *binder) array(e *element) []string {
	a := e.first("Array")
	if a == nil {
		b.bad.add(e, "", e.name+" has no Array", "")
		return nil
	}
	out := splitArray(a.text)
	if n, ok := a.lookup("n"); ok && n != fmt.Sprint(len(out)) {
		b.bad.add(a, "", fmt.Sprintf("the Array has %d entries and says n=%q", len(out), clip(n)), "mend one of them")
	}
	return out
}

func splitArray(s string) []string {
	var out []string
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '"':
			var b strings.Builder
			for i++; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' && i+1 < len(s) {
					i++
				}
				b.WriteByte(s[i])
			}
			i++
			out = append(out, b.String())
		default:
			j := i
			for j < len(s) && !strings.ContainsRune(" \t\n\r", rune(s[j])) {
				j++
			}
			out = append(out, strings.ReplaceAll(s[i:j], `\"`, `"`))
			i = j
		}
	}
	return out
}
