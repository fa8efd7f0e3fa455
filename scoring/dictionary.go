package scoring

import (
	"fmt"
	"math"
)

// dataField is one DataField: the type of an input and which values it may have.
type dataField struct {
	name     string
	display  string
	op       opType
	typ      dataType
	year     int
	valid    []value // closed set, in order; nil: open
	invalids []value
	missings []value
	shows    map[string]string // displayValue by value
	rawGone  []string          // missing values as spelled, where they are not of the type
	spans    []interval
	index    int // among program.inputs
	raw      int // slot
	set      map[string]struct{}
	setNum   map[float64]struct{}
	shown    map[string]string // displayValue, by value
}

// interval has open or closed ends; an absent one is infinite.
type interval struct {
	low, high         float64
	openLow, openHigh bool
}

func (iv interval) has(f float64) bool {
	return (f > iv.low || !iv.openLow && f == iv.low) && (f < iv.high || !iv.openHigh && f == iv.high)
}

func (b *binder) interval(e *element) interval {
	iv := interval{low: math.Inf(-1), high: math.Inf(1)}
	switch c := e.get("closure"); c {
	case "openOpen":
		iv.openLow, iv.openHigh = true, true
	case "openClosed":
		iv.openLow = true
	case "closedOpen":
		iv.openHigh = true
	case "closedClosed":
	default:
		b.bad.add(e, "", fmt.Sprintf("closure=%q is none", clip(c)), "want openOpen, openClosed, closedOpen or closedClosed")
	}
	if s, ok := e.lookup("leftMargin"); ok {
		iv.low = b.number(e, "leftMargin", s)
	} else {
		iv.openLow = false // without an end there is nothing to leave out
	}
	if s, ok := e.lookup("rightMargin"); ok {
		iv.high = b.number(e, "rightMargin", s)
	} else {
		iv.openHigh = false
	}
	return iv
}

// eval reads the field's raw input: converts it, and finds out whether it is
// valid. An invalid value carries what came as its only list entry.
func (f *dataField) eval(r *row) value { return f.judge(r.in[f.index]) }

func (f *dataField) judge(v value) value {
	if v.k == missing {
		return none
	}
	if v.k == list {
		c, ok := f.typ.cast(v, f.year)
		if !ok {
			return v.asInvalid()
		}
		return c
	}
	if v.k == text {
		for _, s := range f.rawGone {
			if s == v.s {
				return none
			}
		}
	}
	if v.k == number && v.f != v.f { // as columns of numbers mean it
		return none
	}
	c, ok := f.typ.cast(v, f.year)
	if !ok || c.f != c.f { // the text "NaN" is a value that is none
		return v.asInvalid()
	}
	for _, m := range f.missings {
		if c.equal(m) {
			return none
		}
	}
	for _, m := range f.invalids {
		if c.equal(m) {
			return c.asInvalid()
		}
	}
	if f.valid != nil {
		ok := false
		if c.k == text {
			_, ok = f.set[c.s]
		} else {
			_, ok = f.setNum[c.f]
		}
		if !ok {
			return c.asInvalid()
		}
		return c
	}
	if len(f.spans) > 0 && c.k != text {
		for _, s := range f.spans {
			if s.has(c.f) {
				return c
			}
		}
		return c.asInvalid()
	}
	return c
}

func (b *binder) dictionary(e *element) {
	if e == nil {
		b.bad.add(b.root, "", "the document has no DataDictionary", "export the model again: PMML declares its fields there")
		return
	}
	for _, k := range e.all("DataField") {
		name := k.get("name")
		f := &dataField{name: name, display: k.get("displayName")}
		if name == "" {
			b.bad.add(k, "", "a DataField has no name", "give it one")
			continue
		}
		if _, twice := b.data[name]; twice {
			b.bad.add(k, name, fmt.Sprintf("field %q is declared twice", clip(name)), "remove one")
			continue
		}
		f.typ, f.year = b.dataType(k, "dataType", typeDouble)
		f.op = b.opType(k, defaultOp(f.typ))
		if len(k.kids) > 0 {
			b.values(k, f)
		}
		b.data[name] = f
		b.dataOrder = append(b.dataOrder, f)
	}
}

// values reads the Value and Interval children.
func (b *binder) values(e *element, f *dataField) {
	for _, k := range e.kids {
		switch k.name {
		case "Interval":
			if f.op != continuous && f.op != opNone && f.typ == typeString {
				b.bad.add(k, f.name, fmt.Sprintf("field %q is a string and has an Interval", clip(f.name)), "intervals belong to continuous fields")
				continue
			}
			f.spans = append(f.spans, b.interval(k))
		case "Value":
			s := k.get("value")
			if d, ok := k.lookup("displayValue"); ok {
				if f.shown == nil {
					f.shown = map[string]string{}
				}
				f.shown[s] = d
			}
			v, ok := f.typ.parse(s, f.year)
			if ok && v.k == number && v.f != v.f {
				ok = false
			}
			if d, shown := f.shown[s]; shown && ok {
				f.shown[v.lexical()] = d // as results are spelled
			}
			switch p := k.get("property"); p {
			case "", "valid":
				if !ok {
					b.bad.add(k, f.name, fmt.Sprintf("value %q of field %q is no %v", clip(s), clip(f.name), f.typ), "mend the value or the field's dataType")
					continue
				}
				f.valid = append(f.valid, v)
			case "invalid":
				if ok {
					f.invalids = append(f.invalids, v)
				}
			case "missing":
				if ok {
					f.missings = append(f.missings, v)
				}
				f.rawGone = append(f.rawGone, s)
			default:
				b.bad.add(k, f.name, fmt.Sprintf("property=%q is none", clip(p)), "want valid, invalid or missing")
			}
		}
	}
	f.set, f.setNum = map[string]struct{}{}, map[float64]struct{}{}
	for _, v := range f.valid {
		if v.k == text {
			f.set[v.s] = struct{}{}
		} else {
			f.setNum[v.f] = struct{}{}
		}
	}
}

func defaultOp(t dataType) opType {
	if t == typeString || t == typeBoolean {
		return categorical
	}
	return continuous
}

func (b *binder) dataType(e *element, key string, def dataType) (dataType, int) {
	s, ok := e.lookup(key)
	if !ok {
		return def, 1970
	}
	t, known := typeNames[s]
	if !known {
		b.bad.add(e, "", fmt.Sprintf("%s=%q is no data type", key, clip(s)), "want string, integer, float, double, boolean, or one of the date and time types")
		return def, 1970
	}
	return t, epochYear(s)
}

func (b *binder) opType(e *element, def opType) opType {
	s, ok := e.lookup("optype")
	if !ok {
		return def
	}
	o, known := opNames[s]
	if !known {
		b.bad.add(e, "", fmt.Sprintf("optype=%q is none", clip(s)), "want categorical, ordinal or continuous")
		return def
	}
	return o
}

func (b *binder) number(e *element, key, s string) float64 {
	f, ok := parseNumber(s)
	if !ok {
		b.bad.add(e, "", fmt.Sprintf("%s=%q is no number", key, clip(s)), "mend it, or export the model again")
	}
	return f
}

// numAttr reads an optional number.
func (b *binder) numAttr(e *element, key string, def float64) float64 {
	if s, ok := e.lookup(key); ok {
		return b.number(e, key, s)
	}
	return def
}
