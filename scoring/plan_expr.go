package scoring

import (
	"slices"
	"strings"

	"github.com/mudpulse/mudpulse/scoring/internal/portable"
)

// derived is the column of a derived field, cast to its type.
func (c *planner) derived(d derived) (colRef, bool) {
	switch d.typ {
	case typeDouble, typeFloat:
		if r, ok := c.arithmetic(d.x); ok {
			return c.rounded(r, d.typ), true
		}
	case typeString, typeInteger, typeBoolean:
		if r, ok := c.arithmetic(d.x); ok && (r.kind == integer && d.typ == typeInteger || r.kind == boolean && d.typ == typeBoolean) {
			r.typ = d.typ
			return r, true
		}
		if f, ok := d.x.(fieldRef); ok && f.to.k == missing {
			if r, ok := c.slot(f.slot); ok && r.typ == d.typ {
				return r, true
			}
		}
	default:
		return colRef{}, false
	}
	return c.evaluated(d.x, d.typ, d.year)
}

// rounded casts a column of numbers to double or float.
func (c *planner) rounded(r colRef, t dataType) colRef {
	if t == typeFloat && !r.f32 {
		s := &roundStep{r.col, c.column()}
		c.add(r.early, s)
		r.col = s.to
	}
	return colRef{col: r.col, typ: t, kind: number, f32: t == typeFloat, early: r.early}
}

type roundStep struct{ from, to int }

func (s *roundStep) run(k *block) {
	from, to := k.col[s.from][:k.n], k.col[s.to][:k.n]
	for i, x := range from {
		to[i] = float64(float32(x))
	}
}

// arithmetic is the column of an expression over numbers that columns can say.
func (c *planner) arithmetic(x expr) (colRef, bool) {
	switch x := x.(type) {
	case fieldRef:
		if x.to.k != missing {
			return colRef{}, false
		}
		return c.numeric(x.slot)
	case *normContinuous:
		in, ok := c.arithmetic(x.x)
		if !ok || in.kind == boolean || x.to.k != missing && (x.to.k != number || x.to.f32) {
			return colRef{}, false
		}
		s := &normStep{n: x, from: in.col, to: c.column()}
		c.add(in.early, s)
		return colRef{col: s.to, typ: typeDouble, kind: number, early: in.early}, true
	case *normDiscrete:
		return c.indicator(x)
	case *apply:
		if x.fn == nil || x.mapped || x.orElse.k != missing {
			return colRef{}, false
		}
		switch {
		case x.fn == ifFunction && len(x.args) == 3:
			return c.choice(x)
		case x.name == "isMissing" || x.name == "isNotMissing":
			return c.presence(x)
		}
		if _, ok := comparisons[x.name]; ok && len(x.args) == 2 {
			return c.comparison(x)
		}
		return c.operation(x)
	case constant:
		if x.v.k != number && x.v.k != integer && x.v.k != boolean || x.v.unit != typeNone || x.v.f != x.v.f {
			return colRef{}, false
		}
		s := &constantStep{x.v.f, c.column()}
		c.add(true, s)
		return colRef{col: s.to, kind: x.v.k, f32: x.v.f32, early: true}, true
	}
	return colRef{}, false
}

type constantStep struct {
	f  float64
	to int
}

func (s *constantStep) run(k *block) {
	to := k.col[s.to][:k.n]
	for i := range to {
		to[i] = s.f
	}
}

// comparison is lessThan and its kin, of two numbers.
func (c *planner) comparison(x *apply) (colRef, bool) {
	a, ok := c.arithmetic(x.args[0])
	if !ok {
		return a, false
	}
	b, ok := c.arithmetic(x.args[1])
	if !ok {
		return b, false
	}
	s := &comparisonStep{op: comparisons[x.name], a: a.col, b: b.col, to: c.column()}
	c.add(a.early && b.early, s)
	return colRef{col: s.to, typ: typeBoolean, kind: boolean, early: a.early && b.early}, true
}

type comparisonStep struct {
	op       comparison
	a, b, to int
}

func (s *comparisonStep) run(k *block) {
	a, b, to := k.col[s.a][:k.n], k.col[s.b][:k.n], k.col[s.to][:k.n]
	for i, x := range a {
		y, is := b[i], false
		switch s.op {
		case opEqual:
			is = x == y
		case opNotEqual:
			is = x != y
		case opLess:
			is = x < y
		case opLessEqual:
			is = x <= y
		case opGreater:
			is = x > y
		case opGreaterEqual:
			is = x >= y
		}
		to[i] = float64(flag(is))
		if x != x || y != y {
			to[i] = nan
		}
	}
}

// presence is isMissing or isNotMissing of a field.
func (c *planner) presence(x *apply) (colRef, bool) {
	f, ok := x.args[0].(fieldRef)
	if !ok || f.to.k != missing {
		return colRef{}, false
	}
	in, ok := c.slot(f.slot)
	if !ok {
		return in, false
	}
	s := &presenceStep{in.col, c.column(), flag(x.name == "isMissing")}
	c.add(in.early, s)
	return colRef{col: s.to, typ: typeBoolean, kind: boolean, early: in.early}, true
}

type presenceStep struct {
	from, to int
	gone     uint16
}

func (s *presenceStep) run(k *block) {
	from, to := k.col[s.from][:k.n], k.col[s.to][:k.n]
	for i, x := range from {
		if to[i] = float64(1 - s.gone); x != x {
			to[i] = float64(s.gone)
		}
	}
}

// choice is if, whose branches are of one kind.
func (c *planner) choice(x *apply) (colRef, bool) {
	var refs [3]colRef
	early := true
	for i, arg := range x.args {
		r, ok := c.arithmetic(arg)
		if !ok {
			return r, false
		}
		refs[i], early = r, early && r.early
	}
	when, then, other := refs[0], refs[1], refs[2]
	if when.kind != boolean || then.kind != other.kind || then.f32 != other.f32 {
		return colRef{}, false
	}
	s := &choiceStep{when.col, then.col, other.col, c.column()}
	c.add(early, s)
	return colRef{col: s.to, kind: then.kind, f32: then.f32, early: early}, true
}

type choiceStep struct{ when, then, other, to int }

func (s *choiceStep) run(k *block) {
	when, then, other, to := k.col[s.when][:k.n], k.col[s.then][:k.n], k.col[s.other][:k.n], k.col[s.to][:k.n]
	for i, w := range when {
		switch {
		case w != w:
			to[i] = nan
		case w != 0:
			to[i] = then[i]
		default:
			to[i] = other[i]
		}
	}
}

type normStep struct {
	n        *normContinuous
	from, to int
}

func (s *normStep) run(k *block) {
	from, to := k.col[s.from][:k.n], k.col[s.to][:k.n]
	for i, x := range from {
		switch v := s.n.of(x); {
		case x != x:
			to[i] = nan
			if s.n.to.k != missing {
				to[i] = s.n.to.f
			}
		case v.k == missing:
			to[i] = nan
		default:
			if v.f != v.f {
				k.mark(i)
			}
			to[i] = v.f
		}
	}
}

// indicator is a NormDiscrete: 1 where the value is the wanted one.
func (c *planner) indicator(x *normDiscrete) (colRef, bool) {
	f, ok := x.x.(fieldRef)
	if !ok || f.to.k != missing || x.to.k != missing && x.to.k != number {
		return colRef{}, false
	}
	in, ok := c.slot(f.slot)
	if !ok {
		return colRef{}, false
	}
	s := &indicatorStep{from: in.col, to: c.column(), gone: nan}
	if s.want, ok = in.want(x.want); !ok {
		return colRef{}, false
	}
	if x.to.k != missing {
		s.gone = x.to.f
	}
	c.add(in.early, s)
	return colRef{col: s.to, typ: typeDouble, kind: number, early: in.early}, true
}

// want is v as the column has it; a value that it never holds is NaN.
func (r colRef) want(v value) (float64, bool) {
	switch {
	case r.dict != nil && v.k == text:
		return float64(r.dict.code(v.s)), true
	case r.dict == nil && v.k != text && v.k != list && v.k != missing:
		return v.f, true
	}
	return 0, false
}

type indicatorStep struct {
	from, to   int
	want, gone float64
}

func (s *indicatorStep) run(k *block) {
	from, to := k.col[s.from][:k.n], k.col[s.to][:k.n]
	for i, x := range from {
		switch {
		case x != x:
			to[i] = s.gone
		case x == s.want:
			to[i] = 1
		default:
			to[i] = 0
		}
	}
}

// operation is + - * / or pow of numbers that are not both whole.
func (c *planner) operation(x *apply) (colRef, bool) {
	if len(x.args) != 2 || !slices.Contains([]string{"+", "-", "*", "/", "pow"}, x.name) {
		return colRef{}, false
	}
	s := &operationStep{op: x.name[0], a: -1, b: -1}
	early, double, whole := true, false, true
	for i, arg := range x.args {
		at, constant_ := &s.a, &s.x
		if i == 1 {
			at, constant_ = &s.b, &s.y
		}
		kind, f32 := number, false
		if k, ok := arg.(constant); ok {
			if k.v.k != number && k.v.k != integer {
				return colRef{}, false
			}
			*constant_, kind, f32 = k.v.f, k.v.k, k.v.f32
		} else {
			r, ok := c.arithmetic(arg)
			if !ok {
				return colRef{}, false
			}
			*at, kind, f32 = r.col, r.kind, r.f32
			early = early && r.early
		}
		double = double || kind == number && !f32
		whole = whole && kind != number
	}
	if whole || s.a < 0 && s.b < 0 {
		return colRef{}, false
	}
	s.to, s.single = c.column(), !double
	c.add(early, s)
	return colRef{col: s.to, typ: typeDouble, kind: number, f32: s.single, early: early}, true
}

type operationStep struct {
	op       byte
	a, b, to int
	x, y     float64 // constants, where a or b is -1
	single   bool
}

func (s *operationStep) run(k *block) {
	to := k.col[s.to][:k.n]
	a, b := s.side(k, s.a, s.x), s.side(k, s.b, s.y)
	a, b = a[:k.n], b[:k.n]
	switch s.op {
	case '+':
		for i := range to {
			to[i] = a[i] + b[i]
		}
	case '-':
		for i := range to {
			to[i] = a[i] - b[i]
		}
	case '*':
		for i := range to {
			to[i] = a[i] * b[i]
		}
	case '/':
		for i := range to {
			to[i] = a[i] / b[i]
		}
	case 'p':
		for i := range to {
			y := nan // also where the number is not 1, or the power not 0
			if a[i] == a[i] && b[i] == b[i] {
				y = portable.Pow(a[i], b[i])
			}
			to[i] = y
		}
	}
	for i, y := range to {
		if y += 0; s.single { // one zero
			y = float64(float32(y))
		}
		to[i] = y
		if y-y != 0 && (s.a < 0 || a[i] == a[i]) && (s.b < 0 || b[i] == b[i]) { // infinite, or undefined
			k.mark(i)
		}
	}
}

// side is an operand's column; a constant fills the result's.
func (s *operationStep) side(k *block, col int, c float64) []float64 {
	if col >= 0 {
		return k.col[col]
	}
	to := k.col[s.to][:k.n]
	for i := range to {
		to[i] = c
	}
	return to
}

// evaluated is the column of an expression that the interpreter evaluates, row
// by row, over columns.
func (c *planner) evaluated(x expr, t dataType, year int) (colRef, bool) {
	s := &evalStep{x: x, typ: t, year: year}
	r := colRef{typ: t, kind: number, early: true}
	switch t {
	case typeDouble:
	case typeFloat:
		r.f32 = true
	case typeInteger:
		r.kind = integer
	case typeBoolean:
		r.kind = boolean
	case typeString:
		r.kind, r.dict = text, &dictionary{at: map[string]int{}}
	default:
		return r, false
	}
	words := map[string]bool{}
	slots := map[int]bool{}
	if !reads(x, slots, words) {
		return r, false
	}
	for i := range slots {
		in, ok := c.slot(i)
		if !ok || in.kind == missing {
			return r, false
		}
		if in.dict != nil {
			for w := range words {
				in.dict.code(w)
			}
		}
		r.early = r.early && in.early
		s.in = append(s.in, evalInput{i, in})
	}
	if r.dict != nil {
		for w := range words {
			r.dict.code(w)
		}
	}
	r.col = c.column()
	s.to = r
	c.add(r.early, s)
	return r, true
}

// reads notes the slots and words of an expression; false for one that depends
// on anything else, as on the rows before.
func reads(x expr, slots map[int]bool, words map[string]bool) bool {
	note := func(vs ...value) {
		for _, v := range vs {
			if v.k == text {
				words[v.s] = true
			}
		}
	}
	switch x := x.(type) {
	case constant:
		note(x.v)
		return true
	case paramRef:
		note(x.to)
		return true
	case fieldRef:
		note(x.to)
		slots[x.slot] = true
		return true
	case *normContinuous:
		return reads(x.x, slots, words)
	case *normDiscrete:
		note(x.want)
		return reads(x.x, slots, words)
	case *discretize:
		note(x.def, x.gone)
		note(x.to...)
		return reads(x.x, slots, words)
	case *mapValues:
		note(x.def, x.gone)
		note(x.out...)
		for key := range x.index {
			for _, w := range strings.Split(key, "\x00") {
				words[w] = true
			}
		}
		for _, a := range x.in {
			if !reads(a, slots, words) {
				return false
			}
		}
		return true
	case *apply:
		note(x.mapTo, x.orElse)
		if x.def != nil && !reads(x.def.body, slots, words) {
			return false
		}
		for _, a := range x.args {
			if !reads(a, slots, words) {
				return false
			}
		}
		return true
	}
	return false
}

type evalInput struct {
	slot int
	colRef
}

type evalStep struct {
	x    expr
	typ  dataType
	year int
	in   []evalInput
	to   colRef
}

func (s *evalStep) run(k *block) {
	to := k.col[s.to.col][:k.n]
	r := k.r
	for i := range to {
		to[i] = nan
		if k.odd[i] {
			continue
		}
		r.begin()
		for j := range s.in {
			in := &s.in[j]
			f := k.col[in.col][i]
			v := value{k: in.kind, f32: in.f32, f: f}
			switch {
			case f != f:
				v = none
			case in.dict != nil && f < 0: // a word that nobody asked for
				k.mark(i)
			case in.dict != nil:
				v = str(in.dict.words[int(f)])
			}
			r.set(in.slot, v)
		}
		if k.odd[i] {
			continue
		}
		v, ok := s.typ.cast(s.x.eval(r), s.year)
		switch {
		case !ok || r.err != nil:
			k.mark(i)
		case v.k == missing:
		case v.k != s.to.kind || v.f32 != s.to.f32 || v.f != v.f:
			k.mark(i)
		case s.to.dict != nil:
			c, known := s.to.dict.at[v.s]
			if !known {
				c = -1
			}
			to[i] = float64(c)
		default:
			to[i] = v.f
		}
	}
	r.err = nil
}
