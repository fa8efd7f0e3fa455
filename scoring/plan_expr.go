package scoring

import "strings"

// derived is the column of a derived field, cast to its type.
func (c *planner) derived(i int, s *slot, d derived) (colRef, bool) {
	switch d.typ {
	case typeDouble, typeFloat:
		if r, ok := c.arithmetic(d.x); ok {
			return c.rounded(r, d.typ), true
		}
	case typeString, typeInteger, typeBoolean:
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
		return c.operation(x)
	}
	return colRef{}, false
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

// operation is + - * / of numbers that are not both whole.
func (c *planner) operation(x *apply) (colRef, bool) {
	if x.fn == nil || len(x.args) != 2 || len(x.name) != 1 || !strings.Contains("+-*/", x.name) || x.mapped || x.orElse.k != missing {
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
	}
	for i, y := range to {
		if s.single {
			y = float64(float32(y))
			to[i] = y
		}
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
