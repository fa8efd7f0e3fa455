package scoring

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
)

var inf = math.Inf(1)

// expr is a bound expression.
type expr interface{ eval(r *row) value }

// expressionOf returns the first child that is an EXPRESSION, or nil.
func expressionOf(e *element) *element {
	return e.first("Constant", "FieldRef", "NormContinuous", "NormDiscrete", "Discretize", "MapValues", "Apply", "TextIndex", "Aggregate", "Lag")
}

// expression binds e; a fault is noted and gives a missing constant.
func (b *binder) expression(s *scope, e *element) expr {
	if e == nil {
		b.bad.add(s.element, "", "an expression is missing", "export the model again")
		return constant{none}
	}
	b.depth++
	defer func() { b.depth-- }()
	if b.depth > 500 {
		b.bad.add(e, "", "expressions are nested deeper than 500", "flatten them")
		return constant{none}
	}
	switch e.name {
	case "Constant":
		return constant{b.constant(e)}
	case "FieldRef":
		return b.fieldRef(s, e)
	case "NormContinuous":
		return b.normContinuous(s, e)
	case "NormDiscrete":
		return b.normDiscrete(s, e)
	case "Discretize":
		return b.discretize(s, e)
	case "MapValues":
		return b.mapValues(s, e)
	case "Apply":
		return b.apply(s, e)
	case "Lag":
		return b.lag(s, e)
	case "Aggregate":
		return b.aggregate(s, e)
	case "TextIndex":
		return b.textIndex(s, e)
	}
	b.bad.refuse(e, "expression "+e.name)
	return constant{none}
}

type constant struct{ v value }

func (c constant) eval(*row) value { return c.v }

// PMML 4.4.1, Constant: without a type it is inferred from the text.
func (b *binder) constant(e *element) value {
	if e.get("missing") == "true" {
		return none
	}
	t, year := b.dataType(e, "dataType", typeNone)
	if t == typeNone {
		if f, ok := parseNumber(e.text); ok {
			if !strings.ContainsAny(e.text, ".eEINF") && math.Abs(f) < 1<<53 {
				return whole(f)
			}
			return num(f)
		}
		return str(e.text)
	}
	if e.text == "" && t != typeString {
		return none
	}
	v, ok := t.parse(e.text, year)
	if !ok {
		b.bad.add(e, "", fmt.Sprintf("constant %q is no %v", clip(e.text), t), "mend it")
	}
	return v
}

type fieldRef struct {
	slot int
	to   value
}

func (f fieldRef) eval(r *row) value {
	v := r.get(f.slot)
	if v.k == missing {
		return f.to
	}
	return v
}

type paramRef struct {
	index int
	to    value
}

func (p paramRef) eval(r *row) value {
	v := r.stack[r.base+p.index]
	if v.k == missing {
		return p.to
	}
	return v
}

func (b *binder) fieldRef(s *scope, e *element) expr {
	to := none
	if t, ok := e.lookup("mapMissingTo"); ok {
		to = str(t)
	}
	name := e.get("field")
	if p, ok := s.params[name]; ok {
		if c, ok := p.typ.cast(to, p.year); ok {
			to = c
		}
		return paramRef{p.index, to}
	}
	if s.params != nil {
		known := make([]string, 0, len(s.params))
		for n := range s.params {
			known = append(known, n)
		}
		cure := "a function's body may use its parameters only"
		if near := nearest(name, known); near != "" {
			cure += fmt.Sprintf("; nearest: '%s'", near)
		}
		b.bad.add(e, name, fmt.Sprintf("'%s' is no parameter of the function", clip(name)), cure)
		return constant{none}
	}
	i := s.field(e, name)
	b.reads = append(b.reads, i)
	if to.k != missing {
		if c, ok := b.prog.slots[i].typ.cast(to, b.prog.slots[i].year); ok {
			to = c
		}
	}
	return fieldRef{i, to}
}

// input binds the field attribute of an expression that reads one field.
func (b *binder) input(s *scope, e *element) expr {
	return b.fieldRef(s, &element{name: e.name, line: e.line, col: e.col, parent: e.parent, attrs: []attr{{"field", e.get("field")}}})
}

// mapMissing reads mapMissingTo of a type.
func (b *binder) mapMissing(e *element, t dataType) value {
	s, ok := e.lookup("mapMissingTo")
	if !ok {
		return none
	}
	v, ok := t.parse(s, 1970)
	if !ok {
		b.bad.add(e, "", fmt.Sprintf("mapMissingTo=%q is no %v", clip(s), t), "mend it")
	}
	return v
}

// real64 is the number of a value; a text must spell one.
func real64(r *row, v value) (float64, bool) {
	if v.k == text || v.k == list {
		a := [1]value{v}
		if !numeric(r, a[:]) {
			return 0, false
		}
		v = a[0]
	}
	return v.f, true
}

type normContinuous struct {
	x          expr
	orig, norm []float64
	outlier    byte
	to         value
}

func (b *binder) normContinuous(s *scope, e *element) expr {
	n := &normContinuous{x: b.input(s, e), to: b.mapMissing(e, typeDouble)}
	for _, k := range e.all("LinearNorm") {
		n.orig = append(n.orig, b.numAttr(k, "orig", 0))
		n.norm = append(n.norm, b.numAttr(k, "norm", 0))
	}
	if len(n.orig) < 2 || !sort.Float64sAreSorted(n.orig) {
		b.bad.add(e, e.get("field"), "NormContinuous needs two or more LinearNorms, ascending in orig", "sort them")
		return constant{none}
	}
	for i := 1; i < len(n.orig); i++ {
		if n.orig[i] == n.orig[i-1] {
			b.bad.add(e, e.get("field"), fmt.Sprintf("orig=%v stands twice", n.orig[i]), "remove one LinearNorm")
			return constant{none}
		}
	}
	switch o := e.get("outliers"); o {
	case "", "asIs":
	case "asMissingValues":
		n.outlier = 'm'
	case "asExtremeValues":
		n.outlier = 'x'
	default:
		b.bad.add(e, "", fmt.Sprintf("outliers=%q is none", clip(o)), "want asIs, asMissingValues or asExtremeValues")
	}
	return n
}

func (n *normContinuous) eval(r *row) value {
	v := n.x.eval(r)
	if v.k == missing {
		return n.to
	}
	x, ok := real64(r, v)
	if !ok {
		return none
	}
	return n.of(x)
}

func (n *normContinuous) of(x float64) value {
	last := len(n.orig) - 1
	if x < n.orig[0] || x > n.orig[last] {
		switch {
		case n.outlier == 'm':
			return none
		case n.outlier == 'x' && x < n.orig[0]:
			return num(n.norm[0])
		case n.outlier == 'x':
			return num(n.norm[last])
		}
	}
	i := 0
	for i < last-1 && x > n.orig[i+1] {
		i++
	}
	return num(n.norm[i] + float64((x-n.orig[i])/(n.orig[i+1]-n.orig[i])*(n.norm[i+1]-n.norm[i])))
}

type normDiscrete struct {
	x    expr
	want value
	to   value
}

func (b *binder) normDiscrete(s *scope, e *element) expr {
	if m := e.get("method"); m != "" && m != "indicator" {
		b.bad.refuse(e, fmt.Sprintf("NormDiscrete method=%q", clip(m)))
	}
	n := &normDiscrete{x: b.input(s, e), to: b.mapMissing(e, typeDouble)}
	t, year := s.typeOf(e.get("field"))
	v, ok := t.parse(e.get("value"), year)
	if !ok {
		v = str(e.get("value")) // can never be equal
	}
	n.want = v
	return n
}

func (n *normDiscrete) eval(r *row) value {
	v := n.x.eval(r)
	if v.k == missing {
		return n.to
	}
	if v.equal(n.want) {
		return num(1)
	}
	return num(0)
}

type discretize struct {
	x    expr
	bins []interval
	to   []value
	def  value
	gone value
}

func (b *binder) discretize(s *scope, e *element) expr {
	t, year := b.dataType(e, "dataType", typeString)
	parse := func(k *element, key string) value {
		txt, ok := k.lookup(key)
		if !ok {
			return none
		}
		v, ok := t.parse(txt, year)
		if !ok {
			b.bad.add(k, "", fmt.Sprintf("%s=%q is no %v", key, clip(txt), t), "mend it")
		}
		return v
	}
	d := &discretize{x: b.input(s, e), def: parse(e, "defaultValue"), gone: parse(e, "mapMissingTo")}
	for _, k := range e.all("DiscretizeBin") {
		iv := k.first("Interval")
		if iv == nil {
			b.bad.add(k, "", "a DiscretizeBin has no Interval", "give it one")
			continue
		}
		d.bins = append(d.bins, b.interval(iv))
		d.to = append(d.to, parse(k, "binValue"))
	}
	return d
}

func (d *discretize) eval(r *row) value {
	v := d.x.eval(r)
	if v.k == missing {
		return d.gone
	}
	x, ok := real64(r, v)
	if !ok {
		return none
	}
	for i := range d.bins {
		if d.bins[i].has(x) {
			return d.to[i]
		}
	}
	return d.def
}

type mapValues struct {
	in    []expr
	cells [][]value // a row of the table: inputs; missing kind: matches nothing
	index map[string]int
	out   []value
	def   value
	gone  value
}

func (b *binder) mapValues(s *scope, e *element) expr {
	t, year := b.dataType(e, "dataType", typeString)
	parse := func(txt string) value {
		v, ok := t.parse(txt, year)
		if !ok {
			b.bad.add(e, "", fmt.Sprintf("%q is no %v", clip(txt), t), "mend the table")
		}
		return v
	}
	m := &mapValues{index: map[string]int{}}
	if txt, ok := e.lookup("defaultValue"); ok {
		m.def = parse(txt)
	}
	if txt, ok := e.lookup("mapMissingTo"); ok {
		m.gone = parse(txt)
	}
	var columns []string
	var types []dataType
	for _, p := range e.all("FieldColumnPair") {
		m.in = append(m.in, b.input(s, p))
		columns = append(columns, columnName(p.get("column")))
		ty, _ := s.typeOf(p.get("field"))
		types = append(types, ty)
	}
	table := e.first("InlineTable")
	if table == nil && e.first("TableLocator") != nil {
		b.bad.add(e, "", "MapValues takes its rows from a TableLocator", "a TableLocator is not followed: put the rows into an InlineTable")
		return constant{none}
	}
	if len(columns) == 0 {
		b.bad.add(e, "", "MapValues has no FieldColumnPair", "name the fields that are looked up")
		return constant{none}
	}
	outColumn := columnName(e.get("outputColumn"))
	for _, k := range table.all("row") {
		var key []byte
		out := none
		full := true
		cell := cells(k)
		for i, col := range columns {
			txt, ok := cell[col]
			if !ok || txt == "" {
				full = false
				break
			}
			v, ok := types[i].parse(txt, 1970)
			if !ok {
				full = false
				break
			}
			key = cellKey(key, v)
		}
		if txt, ok := cell[outColumn]; ok && txt != "" {
			out = parse(txt)
		}
		if !full {
			continue
		}
		if at, twice := m.index[string(key)]; twice {
			if !m.out[at].equal(out) {
				b.bad.add(k, "", "two rows of the table match the same input, and differ", "remove one")
			}
			continue
		}
		m.index[string(key)] = len(m.out)
		m.out = append(m.out, out)
	}
	return m
}

// cells are a table row's texts by column.
func cells(row *element) map[string]string {
	out := make(map[string]string, len(row.kids))
	for _, c := range row.kids {
		out[c.name] = c.text
	}
	return out
}

// columnName is a column as the cells call it: exporters write data:x for the
// element x of a namespace of theirs.
func columnName(s string) string {
	if _, local, ok := strings.Cut(s, ":"); ok {
		return local
	}
	return s
}

func cellKey(b []byte, v value) []byte {
	if v.k == text {
		b = append(b, v.s...)
	} else {
		b = append(b, '#')
		b = strconv.AppendUint(b, math.Float64bits(v.f+0), 16) // no zero but one
	}
	return append(b, 0)
}

func (m *mapValues) eval(r *row) value {
	from := len(r.key) // what is read may have keys of its own
	defer func() { r.key = r.key[:from] }()
	for _, x := range m.in {
		v := x.eval(r)
		if v.k == missing {
			return m.gone
		}
		r.key = cellKey(r.key, v)
	}
	if i, ok := m.index[string(r.key[from:])]; ok {
		return m.out[i]
	}
	return m.def
}
