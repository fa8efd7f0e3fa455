package scoring

import "math"

// modelCols is what a model says of rows, as columns.
type modelCols struct {
	m *model
	// of a regression
	col    int // -1: a class
	kind   kind
	single bool
	whole  bool // whole results are integers
	// of a classification
	winner  int // column: which class, NaN none
	classes []string
	p       []int   // columns of probabilities; nil: there are none
	values  []value // by class, after the target
	near    []int   // columns of distances, by cluster
}

// model adds a model's steps, once.
func (c *planner) model(m *model) (*modelCols, bool) {
	if r, ok := c.models[m]; ok {
		return r, r != nil
	}
	c.models[m] = nil
	var r *modelCols
	var ok bool
	switch e := m.eval.(type) {
	case *tree:
		r, ok = c.tree(m, e)
	case *regression:
		r, ok = c.regression(m, e)
	case *mining:
		r, ok = c.mining(m, e)
	case *clustering:
		r, ok = c.clustering(e)
	case *neural:
		r, ok = c.neural(m, e)
	case *svm:
		r, ok = c.svm(e)
	}
	if !ok {
		return nil, false
	}
	r.m = m
	if r.col >= 0 {
		ok = c.target(m, r)
	} else {
		ok = c.targetClass(m, r)
	}
	if !ok {
		return nil, false
	}
	c.models[m] = r
	return r, true
}

// target is what a model's Target does to its number.
func (c *planner) target(m *model, r *modelCols) bool {
	t := &m.target
	if m.function != "regression" {
		return false
	}
	s := &targetStep{t: t, from: r.col, to: r.col, single: r.single}
	if t.given {
		s.to = c.column()
		if t.cast != "" {
			r.kind = integer
		}
	}
	switch t.typ {
	case typeNone:
	case typeDouble:
		r.kind, r.single = number, false
	case typeFloat:
		r.kind, r.single, s.round = number, true, true
		s.to = c.column()
	case typeInteger:
		r.whole = true
	default:
		return false
	}
	if s.to != s.from {
		c.add(false, s)
		r.col = s.to
	}
	return true
}

type targetStep struct {
	t        *target
	from, to int
	single   bool
	round    bool
}

func (s *targetStep) run(k *block) {
	from, to := k.col[s.from][:k.n], k.col[s.to][:k.n]
	t := s.t
	if t.given {
		for i, y := range from {
			if y != y && t.def.k != missing {
				k.mark(i)
			}
			y = t.rescale(min(max(y, t.low), t.high), s.single)
			if t.cast != "" && (math.IsInf(y, 0) || y != y) {
				k.mark(i) // missing, or no integer
			}
			switch t.cast {
			case "round":
				y = roundHalfUp(y)
			case "ceiling":
				y = math.Ceil(y)
			case "floor":
				y = math.Floor(y)
			}
			if s.single {
				y = float64(float32(y))
			}
			to[i] = y
		}
		from = to
	}
	if s.round {
		for i, y := range from {
			to[i] = float64(float32(y))
		}
	}
}

// targetClass gives each class the type of the target.
func (c *planner) targetClass(m *model, r *modelCols) bool {
	if m.function != "classification" && m.function != "clustering" {
		return false
	}
	if r.values == nil {
		for _, class := range r.classes {
			r.values = append(r.values, str(class))
		}
	}
	for i, v := range r.values {
		out := result{v: v}
		m.target.apply(nil, m, &out)
		if out.v.k == missing {
			return false
		}
		r.values[i] = out.v
	}
	if m.target.given && len(m.target.prior) > 0 {
		c.add(false, &priorStep{r.winner})
	}
	return true
}

// priorStep leaves rows without a class to the interpreter, which has priors for them.
type priorStep struct{ winner int }

func (s *priorStep) run(k *block) {
	for i, w := range k.col[s.winner][:k.n] {
		if w != w {
			k.mark(i)
		}
	}
}

// predicted is the model's value as a result.
func (r *modelCols) predicted() (planOut, bool) {
	if r.col >= 0 {
		return planOut{col: r.col, kind: r.kind, single: r.single, whole: r.whole}, true
	}
	return classesOut(r.winner, r.values)
}

func classesOut(col int, values []value) (planOut, bool) {
	o := planOut{col: col, classes: values}
	for _, v := range values {
		if v.k != text {
			o.words = nil
			break
		}
		o.words = append(o.words, v.s)
	}
	if len(o.words) < len(values) {
		o.words = nil
	}
	return o, len(values) > 0
}

// output is the column of an OutputField.
func (c *planner) output(o *output) (planOut, bool) {
	r, ok := c.models[o.m]
	if !ok || r == nil || o.segment != "" || o.own != nil || o.target > 0 {
		return planOut{}, false
	}
	switch o.feature {
	case "predictedValue":
		p, ok := r.predicted()
		if !ok {
			return p, false
		}
		if p.classes != nil {
			var cast []value
			for _, v := range p.classes {
				v, ok := o.typ.cast(v, o.year)
				if !ok || v.k == missing {
					return p, false
				}
				cast = append(cast, v)
			}
			return classesOut(p.col, cast)
		}
		switch o.typ {
		case typeNone:
			return p, true
		case typeDouble, typeFloat:
			ref := c.rounded(colRef{col: p.col, kind: number, f32: p.single}, o.typ)
			return planOut{col: ref.col, kind: number, single: ref.f32}, true
		}
		return p, false
	case "probability":
		if r.p == nil || o.typ != typeDouble && o.typ != typeFloat {
			return planOut{}, false
		}
		s := &probabilityStep{r: r, class: -1, to: c.column()}
		if o.has {
			s.class = index(r.classes, o.value)
			s.other = s.class < 0
		}
		for i, v := range r.values {
			if !o.has && v.lexical() != r.classes[i] {
				return planOut{}, false
			}
		}
		c.add(false, s)
		ref := c.rounded(colRef{col: s.to, kind: number}, o.typ)
		return planOut{col: ref.col, kind: number, single: ref.f32}, true
	case "affinity", "clusterAffinity", "entityAffinity":
		i := index(r.classes, o.value)
		if r.near == nil || o.has && i < 0 || !o.has && o.rank != 1 || o.typ != typeDouble && o.typ != typeFloat {
			return planOut{}, false
		}
		at := colRef{kind: number}
		if o.has {
			at.col = r.near[i]
		} else {
			s := &nearestStep{r, c.column()}
			c.add(false, s)
			at.col = s.to
		}
		at = c.rounded(at, o.typ)
		return planOut{col: at.col, kind: number, single: at.f32}, true
	case "entityId", "clusterId":
		if r.near == nil || o.rank != 1 {
			return planOut{}, false
		}
		var ids []value
		for _, id := range r.classes {
			v, ok := o.typ.cast(str(id), o.year)
			if !ok {
				return planOut{}, false
			}
			ids = append(ids, v)
		}
		return classesOut(r.winner, ids)
	case "transformedValue", "decision":
		if ref, ok := c.arithmetic(o.expr); ok {
			switch {
			case o.typ == typeDouble || o.typ == typeFloat:
				ref = c.rounded(ref, o.typ)
				return planOut{col: ref.col, kind: number, single: ref.f32}, true
			case o.typ == typeInteger && ref.kind == integer, o.typ == typeBoolean && ref.kind == boolean:
				return planOut{col: ref.col, kind: ref.kind}, true
			}
		}
		ref, ok := c.evaluated(o.expr, o.typ, o.year)
		if !ok {
			return planOut{}, false
		}
		if ref.dict == nil {
			return planOut{col: ref.col, kind: ref.kind, single: ref.f32}, true
		}
		c.add(false, &knownStep{ref.col})
		var words []value
		for _, w := range ref.dict.words {
			words = append(words, str(w))
		}
		return classesOut(ref.col, words)
	}
	return planOut{}, false
}

// nearestStep is the distance to the winner.
type nearestStep struct {
	r  *modelCols
	to int
}

func (s *nearestStep) run(k *block) {
	to := k.col[s.to]
	for i, w := range k.col[s.r.winner][:k.n] {
		if to[i] = nan; w == w {
			to[i] = k.col[s.r.near[int(w)]][i]
		}
	}
}

// knownStep leaves rows with a word that no one foresaw to the interpreter.
type knownStep struct{ col int }

func (s *knownStep) run(k *block) {
	for i, w := range k.col[s.col][:k.n] {
		if w < 0 {
			k.mark(i)
			k.col[s.col][i] = nan
		}
	}
}

type probabilityStep struct {
	r     *modelCols
	class int  // -1: the predicted one
	other bool // none of the model's
	to    int
}

func (s *probabilityStep) run(k *block) {
	win, to := k.col[s.r.winner][:k.n], k.col[s.to][:k.n]
	if s.class >= 0 {
		copy(to, k.col[s.r.p[s.class]])
	}
	for i, w := range win {
		switch {
		case w != w:
			to[i] = nan
		case s.other:
			to[i] = 0
		case s.class < 0:
			to[i] = k.col[s.r.p[int(w)]][i]
		}
	}
}

// regression is RegressionModel: a column is added for each term, in document order.
func (c *planner) regression(m *model, g *regression) (*modelCols, bool) {
	s := &regressionStep{g: g}
	for i := range g.tables {
		t := &g.tables[i]
		lt := linearTable{intercept: t.intercept, to: c.column()}
		for _, n := range t.numeric {
			r, ok := c.numeric(n.slot)
			if !ok || n.exponent == 0 {
				return nil, false
			}
			lt.terms = append(lt.terms, linearTerm{cols: []int{r.col}, exponent: n.exponent, coef: n.coef})
		}
		for _, n := range t.category {
			r, ok := c.slot(n.slot)
			if !ok {
				return nil, false
			}
			want, ok := r.want(n.want)
			if !ok {
				return nil, false
			}
			lt.terms = append(lt.terms, linearTerm{cols: []int{r.col}, category: true, want: want, coef: n.coef})
		}
		for _, n := range t.products {
			term := linearTerm{exponent: 1, coef: n.coef}
			for _, sl := range n.slots {
				r, ok := c.numeric(sl)
				if !ok {
					return nil, false
				}
				term.cols = append(term.cols, r.col)
			}
			lt.terms = append(lt.terms, term)
		}
		s.tables = append(s.tables, lt)
	}
	r := &modelCols{col: -1, kind: number}
	if !g.class {
		r.col, r.single = s.tables[0].to, g.float
	} else {
		r.classes, r.winner = g.classes, c.column()
		s.winner = r.winner
		for _, t := range s.tables {
			r.p = append(r.p, t.to)
		}
	}
	c.add(false, s)
	return r, true
}
