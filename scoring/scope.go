package scoring

import (
	"fmt"
	"sort"
	"strings"
)

// binder turns elements into a program.
type binder struct {
	root      *element
	bad       problems
	prog      *program
	data      map[string]*dataField
	dataOrder []*dataField
	globals   map[string]*element // DerivedFields of the TransformationDictionary
	functions map[string]*function
	fnElems   map[string]*element
	cache     map[string]int // derived fields that came out the same: slot by signature
	lim       Limits
	kept      int64           // numbers booked by cells
	stateful  map[string]expr // Lags and Aggregates, each once
	depth     int
	spent     int      // calls in the expression being bound
	grown     int      // entries of matrices, in all
	total     int      // calls of defined functions in the document
	reads     []int    // slots read by the expression being bound
	dists     []share  // slab of trees' score distributions
	simples   []simple // slab
}

// scope is where a model's names are looked up: its own derived fields, then
// the fields of its MiningSchema, then the TransformationDictionary, whose
// derived fields see this model's treatments.
type scope struct {
	b       *binder
	parent  *scope // nil: the document
	inherit bool   // what is not found here is the parent's
	fields  map[string]int
	local   map[string]*element
	open    map[string]bool // derived fields being bound: to find cycles
	params  map[string]param
	element *element
	targets []string // names of the schema's targets
	active  []string
	all     map[string]*element // MiningFields
}

// param is a parameter of the function whose body is being bound.
type param struct {
	index int
	typ   dataType
	year  int
}

// lookup returns the slot of a name, -1 where there is none.
func (s *scope) lookup(name string) int {
	if i, ok := s.fields[name]; ok {
		return i
	}
	if e, ok := s.local[name]; ok {
		return s.derive(name, e)
	}
	if s.inherit {
		return s.parent.lookup(name)
	}
	if s.parent == nil {
		if f, ok := s.b.data[name]; ok {
			return s.b.rawSlot(f)
		}
	}
	if e, ok := s.b.globals[name]; ok {
		return s.derive(name, e)
	}
	return -1
}

// field returns the slot of a name that must exist.
func (s *scope) field(e *element, name string) int {
	if i := s.lookup(name); i >= 0 {
		return i
	}
	cure := "declare it"
	if _, ok := s.b.data[name]; ok {
		cure = "add it to the model's MiningSchema"
	} else if near := nearest(name, s.names()); near != "" {
		cure = fmt.Sprintf("nearest: '%s'", near)
	}
	s.b.bad.add(e, name, fmt.Sprintf("field '%s' is not declared here", clip(name)), cure)
	return s.b.nothing()
}

func (s *scope) names() []string {
	var out []string
	for n := range s.fields {
		out = append(out, n)
	}
	for n := range s.local {
		out = append(out, n)
	}
	for n := range s.b.globals {
		out = append(out, n)
	}
	sort.Strings(out) // of names as near, always the same
	return out
}

// typeOf is the type of the field or parameter that an expression reads.
func (s *scope) typeOf(name string) (t dataType, year int) {
	if s.params != nil {
		if p, ok := s.params[name]; ok {
			return p.typ, p.year
		}
		return typeString, 1970
	}
	if i := s.lookup(name); i >= 0 {
		return s.b.prog.slots[i].typ, s.b.prog.slots[i].year
	}
	return typeString, 1970
}

// nothing is a slot that is always missing; it stands where binding failed.
func (b *binder) nothing() int {
	return b.prog.add(slot{name: "?", typ: typeDouble, op: continuous, source: constant{none}})
}

func (b *binder) rawSlot(f *dataField) int {
	if f.raw < 0 {
		f.index = len(b.prog.inputs)
		b.prog.inputs = append(b.prog.inputs, f)
		f.raw = b.prog.add(slot{name: f.name, typ: f.typ, year: f.year, op: f.op, order: f.valid, source: f})
	}
	return f.raw
}

// derive binds a DerivedField in this scope.
func (s *scope) derive(name string, e *element) int {
	if s.open[name] {
		s.b.bad.add(e, name, fmt.Sprintf("derived field '%s' depends on itself", clip(name)), "break the cycle")
		return s.b.nothing()
	}
	s.b.depth++
	defer func() { s.b.depth-- }()
	if s.b.depth > 500 {
		s.b.bad.add(e, name, "derived fields depend on each other more than 500 deep", "flatten them")
		return s.b.nothing()
	}
	s.open[name] = true
	from := len(s.b.reads)
	outer := s.b.spent
	s.b.spent = 0
	typ, year := s.b.dataType(e, "dataType", typeNone)
	op := s.b.opType(e, defaultOp(typ))
	x := s.b.expression(s, expressionOf(e))
	s.b.spent = outer
	delete(s.open, name)
	var order []value
	for _, v := range e.all("Value") {
		if c, ok := typ.parse(v.get("value"), year); ok {
			order = append(order, c)
		}
	}
	sl := slot{name: name, typ: typ, year: year, op: op, order: order, source: derived{x, typ, year, name}}
	// Segments bind the same global field each; where its leaves are the same, so is its slot.
	sig := fmt.Sprintf("%p %v", e, s.b.reads[from:])
	s.b.reads = s.b.reads[:from]
	i, ok := s.b.cache[sig]
	if !ok {
		i = s.b.prog.add(sl)
		s.b.cache[sig] = i
	}
	s.fields[name] = i
	return i
}

// derived casts what its expression gives to the field's type.
type derived struct {
	x    expr
	typ  dataType
	year int
	name string
}

func (d derived) eval(r *row) value {
	v := d.x.eval(r)
	if d.typ == typeDouble && v.k == number && !v.f32 || v.k == missing {
		return v
	}
	c, ok := d.typ.cast(v, d.year)
	if !ok {
		return r.fail(d.name, KindType, "%s is no %v", clip(v.lexical()), d.typ)
	}
	return c
}

// actual is a target's value as the record holds it; an invalid one harms the row that reads it.
type actual struct{ raw int }

func (a actual) eval(r *row) value {
	v := r.get(a.raw)
	if v.k == invalid {
		return r.fail(r.slots[a.raw].name, KindInvalid, "value %s is invalid", quote(v.original()))
	}
	return v
}

// schema reads a model's MiningSchema into a new scope.
func (b *binder) schema(parent *scope, e *element) *scope {
	s := &scope{b: b, parent: parent, fields: map[string]int{}, local: map[string]*element{}, open: map[string]bool{}, element: e, all: map[string]*element{}}
	ms := e.first("MiningSchema")
	if ms == nil {
		b.bad.add(e, "", "the model has no MiningSchema", "export the model again")
		return s
	}
	for _, k := range ms.all("MiningField") {
		name := k.get("name")
		if _, twice := s.all[name]; twice {
			b.bad.add(k, name, fmt.Sprintf("field '%s' stands twice in the MiningSchema", clip(name)), "remove one")
			continue
		}
		s.all[name] = k
		switch u := k.get("usageType"); u {
		case "target", "predicted":
			s.targets = append(s.targets, name)
			if f, ok := b.data[name]; ok && parent.parent == nil {
				// the actual value, for residuals; not needed for a score
				raw := b.rawSlot(f)
				s.fields[name] = b.prog.add(slot{name: f.name, typ: f.typ, year: f.year, op: f.op, order: f.valid, source: actual{raw}})
			}
			continue
		case "supplementary", "frequencyWeight", "analysisWeight":
			if i := parent.lookup(name); i >= 0 {
				s.fields[name] = b.treated(s, k, i)
			}
			continue
		case "", "active", "group", "order":
		default:
			b.bad.add(k, name, fmt.Sprintf("usageType=%q is none", clip(u)), "want active, target, supplementary, group, order, frequencyWeight or analysisWeight")
			continue
		}
		i := parent.lookup(name)
		if i < 0 {
			var known []string
			if parent.parent == nil {
				for _, f := range b.dataOrder {
					known = append(known, f.name)
				}
			} else {
				known = parent.names()
			}
			cure := "declare it in the DataDictionary"
			if near := nearest(name, known); near != "" {
				cure = fmt.Sprintf("nearest: '%s'", near)
			}
			b.bad.add(k, name, fmt.Sprintf("field '%s' is not declared", clip(name)), cure)
			i = b.nothing()
		}
		s.active = append(s.active, name)
		s.fields[name] = b.treated(s, k, i)
	}
	if lt := e.first("LocalTransformations"); lt != nil {
		s.locals(lt)
	}
	return s
}

// treatment is what a MiningField does to a value: invalid, missing, outlier.
type treatment struct {
	from        int
	name        string
	onInvalid   byte // 'e' error, 'i' as is, 'm' missing, 'v' value
	onInvalidTo value
	replace     value // for missing; missing kind: none
	mustHave    bool  // missingValueTreatment=returnInvalid: of a value that the record lacks, not of one that was taken away
	outlier     byte  // 0 as is, 'm' missing, 'x' extreme
	low, high   float64
	typ         dataType
	year        int
}

func (t *treatment) eval(r *row) value { return t.treat(r, r.get(t.from)) }

func (t *treatment) treat(r *row, v value) value {
	gone := v.k == missing
	if v.k == invalid {
		switch t.onInvalid {
		case 'i':
			v = v.original()
			if t.onInvalidTo.k != missing {
				v = t.onInvalidTo
			} else {
				c, ok := t.typ.cast(v, t.year)
				if ok {
					v = c
				} else if v.k == text && (t.typ == typeDouble || t.typ == typeFloat || t.typ == typeInteger) {
					return r.fail(t.name, KindInvalid, "value %s is no number, and is taken as it is", quote(v)) // computed with, it would be 0
				}
				v.odd = true
			}
		case 'm':
			v = none
		case 'v':
			return t.onInvalidTo
		default:
			return r.fail(t.name, KindInvalid, "value %s is invalid", quote(v.original()))
		}
	} else if v.k != missing && t.outlier != 0 && v.k != text && v.k != list {
		switch {
		case v.f < t.low:
			if t.outlier == 'm' {
				v = none
			} else {
				v.f = t.low
			}
		case v.f > t.high:
			if t.outlier == 'm' {
				v = none
			} else {
				v.f = t.high
			}
		}
		if v.f32 {
			v.f = float64(float32(v.f))
		}
	}
	if v.k == missing {
		if t.replace.k != missing {
			return t.replace
		}
		if t.mustHave && gone {
			return r.fail(t.name, KindInvalid, "value is missing, and the model does not take that")
		}
	}
	return v
}

func quote(v value) string {
	if v.k == text {
		return fmt.Sprintf("%q", clip(v.s))
	}
	if v.k == list {
		return "a collection"
	}
	return v.lexical()
}

// treated returns the slot of a field as the MiningField k treats it; where it
// changes nothing, that is the slot it comes from.
func (b *binder) treated(s *scope, k *element, from int) int {
	src := b.prog.slots[from]
	name := k.get("name")
	t := &treatment{from: from, name: name, typ: src.typ, year: src.year, onInvalid: 'e'}
	parse := func(key string) value {
		txt := k.get(key)
		v, ok := src.typ.parse(txt, src.year)
		if !ok {
			b.bad.add(k, name, fmt.Sprintf("%s=%q is no %v", key, clip(txt), src.typ), "mend the value or the field's dataType")
		}
		return v
	}
	if _, ok := k.lookup("invalidValueReplacement"); ok {
		t.onInvalidTo = parse("invalidValueReplacement")
	}
	switch x := k.get("invalidValueTreatment"); x {
	case "", "returnInvalid":
	case "asIs":
		t.onInvalid = 'i'
	case "asMissing":
		t.onInvalid = 'm'
	case "asValue":
		t.onInvalid = 'v'
		if t.onInvalidTo.k == missing {
			b.bad.add(k, name, "invalidValueTreatment=asValue without an invalidValueReplacement", "give the value")
		}
	default:
		b.bad.add(k, name, fmt.Sprintf("invalidValueTreatment=%q is none", clip(x)), "want returnInvalid, asIs, asMissing or asValue")
	}
	if _, ok := k.lookup("missingValueReplacement"); ok {
		t.replace = parse("missingValueReplacement")
	}
	switch x := k.get("missingValueTreatment"); x {
	case "", "asIs", "asMean", "asMode", "asMedian", "asValue":
	case "returnInvalid":
		t.mustHave = true
	default:
		b.bad.add(k, name, fmt.Sprintf("missingValueTreatment=%q is none", clip(x)), "want asIs, asMean, asMode, asMedian, asValue or returnInvalid")
	}
	t.low, t.high = b.numAttr(k, "lowValue", -inf), b.numAttr(k, "highValue", inf)
	switch x := k.get("outliers"); x {
	case "", "asIs":
	case "asMissingValues":
		t.outlier = 'm'
	case "asExtremeValues":
		t.outlier = 'x'
	default:
		b.bad.add(k, name, fmt.Sprintf("outliers=%q is none", clip(x)), "want asIs, asMissingValues or asExtremeValues")
	}
	op := src.op
	if o := b.opType(k, opNone); o != opNone {
		op = o
	}
	top := s.parent.parent == nil
	if !top && t.replace.k == missing && !t.mustHave && t.outlier == 0 && op == src.op {
		return from
	}
	sig := strings.Join([]string{fmt.Sprint(from), string(rune(t.onInvalid)), fmt.Sprint(t.onInvalidTo), fmt.Sprint(t.replace), fmt.Sprint(t.mustHave), string(rune(t.outlier)), fmt.Sprint(t.low, t.high), fmt.Sprint(op)}, "|")
	if i, ok := b.cache[sig]; ok {
		return i
	}
	sl := src
	sl.op, sl.source = op, t
	i := b.prog.add(sl)
	b.cache[sig] = i
	return i
}
