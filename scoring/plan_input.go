package scoring

import "math"

// inputStep reads an input of the batch: converts, judges and treats it.
type inputStep struct {
	f       *dataField
	t       *treatment
	in      int // of the batch
	col     int
	kind    kind // of its values
	dict    *dictionary
	plain   bool // a number is taken as it is
	declare bool // its values are listed: every cell is judged
}

func (c *planner) input(f *dataField, t *treatment) (colRef, bool) {
	s := &inputStep{f: f, t: t, in: -1, col: c.column()}
	for j, at := range c.m.raw {
		if at == f.index {
			s.in = j
		}
	}
	if s.in < 0 {
		return colRef{}, false
	}
	r := colRef{col: s.col, typ: f.typ, kind: number, early: true}
	switch f.typ {
	case typeString:
		s.dict = &dictionary{at: map[string]int{}}
		r.dict, r.kind = s.dict, text
	case typeFloat:
		r.f32 = true
	case typeDouble:
	case typeBoolean:
		r.kind = boolean
	case typeInteger:
		r.kind = integer
	default:
		return colRef{}, false
	}
	for _, v := range []value{t.onInvalidTo, t.replace} {
		if v.k != missing && (v.k != r.kind || v.f32 != r.f32) {
			return colRef{}, false
		}
	}
	s.kind = r.kind
	s.declare = f.valid != nil || len(f.missings) > 0 || len(f.invalids) > 0
	s.plain = f.typ == typeDouble && !s.declare && len(f.spans) == 0 && t.outlier == 0 && t.replace.k == missing && !t.mustHave
	c.add(true, s)
	return r, true
}

func (s *inputStep) run(k *block) {
	in := &k.b.in[s.in]
	f := in.f[k.from:][:k.n]
	switch {
	case in.texts || s.dict != nil:
		s.cells(k, in)
	case s.plain:
		k.col[s.col] = f
	default:
		s.numbers(k, in, f)
	}
}

// numbers treats a column that holds no text.
func (s *inputStep) numbers(k *block, in *inputColumn, f []float64) {
	to := k.col[s.col][:len(f)]
	if s.f.typ == typeFloat {
		for i, x := range f {
			to[i] = float64(float32(x))
		}
	} else {
		copy(to, f)
	}
	each := s.declare || s.f.typ == typeBoolean
	for i, x := range to {
		switch {
		case each, x != x && (s.t.replace.k != missing || s.t.mustHave):
			s.cell(k, in, i)
		case x != x:
		case s.f.typ != typeFloat && s.f.typ != typeDouble && !isWhole(x), !s.within(x):
			s.cell(k, in, i)
		}
	}
}

// within reports whether x is valid and no outlier.
func (s *inputStep) within(x float64) bool {
	if s.t.outlier != 0 && (x < s.t.low || x > s.t.high) {
		return false
	}
	for i := range s.f.spans {
		if s.f.spans[i].has(x) {
			return true
		}
	}
	return len(s.f.spans) == 0
}

func isWhole(x float64) bool { return x == math.Trunc(x) && math.Abs(x) <= 1<<53 }

// cells treats a column that holds texts.
func (s *inputStep) cells(k *block, in *inputColumn) {
	to := k.col[s.col]
	known := s.dict != nil && s.f.valid == nil && !s.declare && len(s.f.rawGone) == 0 && s.t.outlier == 0
	for i := range k.n {
		if in.texts && in.text[k.from+i] && known {
			to[i] = s.code(in.s[k.from+i])
			continue
		}
		s.cell(k, in, i)
	}
}

func (s *inputStep) code(w string) float64 {
	if c, ok := s.dict.at[w]; ok {
		return float64(c)
	}
	return -1
}

// cell treats one value as the interpreter does.
func (s *inputStep) cell(k *block, in *inputColumn, i int) {
	to := k.col[s.col]
	v := s.f.judge(in.value(k.from + i))
	if v.k == invalid && s.t.onInvalid == 'e' || v.k == missing && s.t.mustHave && s.t.replace.k == missing {
		k.mark(i)
		to[i] = nan
		return
	}
	v = s.t.treat(k.r, v)
	switch {
	case k.r.err != nil:
		k.r.err = nil
		k.mark(i)
		to[i] = nan
	case v.k == missing:
		to[i] = nan
	case s.dict != nil && v.k == text && !v.odd:
		to[i] = s.code(v.s)
	case s.dict == nil && v.k == s.kind && v.f == v.f && v.f32 == (s.f.typ == typeFloat) && !v.odd && (s.f.typ != typeInteger || isWhole(v.f)):
		to[i] = v.f
	default:
		k.mark(i)
		to[i] = nan
	}
}

// treatStep treats a column again, as a nested model's MiningSchema says.
type treatStep struct {
	t        *treatment
	from, to int
	f32      bool
}

func (c *planner) treated(s *slot, t *treatment) (colRef, bool) {
	r, ok := c.slot(t.from)
	if !ok {
		return r, false
	}
	if r.dict != nil && (t.replace.k != missing || t.outlier != 0) {
		return r, false
	}
	if t.replace.k != missing && (t.replace.k != r.kind || t.replace.f32 != r.f32) {
		return r, false
	}
	step := &treatStep{t: t, from: r.col, to: c.column(), f32: r.f32}
	c.add(r.early, step)
	r.col = step.to
	return r, true
}

func (s *treatStep) run(k *block) {
	from, to := k.col[s.from][:k.n], k.col[s.to][:k.n]
	for i, x := range from {
		if s.t.outlier != 0 {
			low, high := x < s.t.low, x > s.t.high
			switch {
			case (low || high) && s.t.outlier == 'm':
				x = nan
			case low:
				x = s.t.low
			case high:
				x = s.t.high
			}
			if s.f32 {
				x = float64(float32(x))
			}
		}
		if x != x {
			if s.t.replace.k != missing {
				x = s.t.replace.f
			} else if s.t.mustHave {
				k.mark(i)
			}
		}
		to[i] = x
	}
}
