package scoring

import (
	"fmt"
	"math"
	"sort"
	"strings"
)

// apply is a call. PMML 4.4.1, Apply: mapMissingTo goes before the call, defaultValue after it.
type apply struct {
	name      string
	fn        *builtin
	def       *function
	args      []expr
	mapTo     value
	mapped    bool
	orElse    value
	onInvalid byte // 'e', 'i', 'm'
}

// function is a DefineFunction. Its body reads parameters from the stack.
type function struct {
	name   string
	params []param
	names  []string
	typ    dataType
	year   int
	body   expr
	cost   int // calls within, all told
}

// Bounds of what defined functions may cost a row, counted in built-in calls:
// functions that call each other twice would else never end.
const (
	maxCost      = 100_000   // of one expression
	maxTotalCost = 5_000_000 // of all, where the fields are many
)

func (b *binder) apply(s *scope, e *element) expr {
	a := &apply{name: e.get("function"), onInvalid: 'e'}
	if txt, ok := e.lookup("mapMissingTo"); ok {
		a.mapTo, a.mapped = guess(txt), true
	}
	if txt, ok := e.lookup("defaultValue"); ok {
		a.orElse = guess(txt)
	}
	switch x := e.get("invalidValueTreatment"); x {
	case "", "returnInvalid":
	case "asIs":
		a.onInvalid = 'i'
	case "asMissing":
		a.onInvalid = 'm'
	default:
		b.bad.add(e, "", fmt.Sprintf("invalidValueTreatment=%q is none for Apply", clip(x)), "want returnInvalid, asIs or asMissing")
	}
	for _, k := range e.kids {
		a.args = append(a.args, b.expression(s, k))
	}
	own := b.fnElems[a.name] != nil
	if fn := builtinOf(a.name); fn != nil && !own {
		a.fn = fn
		if len(a.args) < fn.least || fn.most >= 0 && len(a.args) > fn.most {
			b.bad.add(e, "", fmt.Sprintf("function %s takes %s, not %d", a.name, arity(fn), len(a.args)), "mend the Apply")
			return constant{none}
		}
		b.constantPattern(e, a)
		b.spent++
		return a
	}
	if own {
		a.def = b.function(e, a.name)
		if a.def == nil {
			return constant{none}
		}
		if len(a.args) != len(a.def.params) {
			b.bad.add(e, "", fmt.Sprintf("function %s takes %d arguments, not %d", clip(a.name), len(a.def.params), len(a.args)), "mend the Apply")
			return constant{none}
		}
		b.spent += a.def.cost
		b.total += a.def.cost
		if b.spent > maxCost || b.total > maxTotalCost {
			most := maxCost
			if b.spent <= maxCost {
				most = maxTotalCost
			}
			b.bad.add(e, "", fmt.Sprintf("function %s makes it more than %d calls of functions in all", clip(a.name), most), "defined functions that call each other twice double at every step; flatten them")
			b.spent, b.total = 0, 0
			return constant{none}
		}
		return a
	}
	known := make([]string, 0, len(builtins)+len(b.fnElems))
	for n := range builtins {
		known = append(known, n)
	}
	for n := range b.fnElems {
		known = append(known, n)
	}
	sort.Strings(known)
	cure := "define it in the TransformationDictionary"
	if near := nearest(a.name, known); near != "" {
		cure = fmt.Sprintf("nearest: '%s'", near)
	}
	if strings.Contains(a.name, ".") && cure[0] == 'd' {
		cure = "a Java class is not called from a model; " + cure
	}
	b.bad.add(e, "", fmt.Sprintf("function '%s' is not known", clip(a.name)), cure)
	return constant{none}
}

func arity(f *builtin) string {
	switch {
	case f.most < 0:
		return fmt.Sprintf("%d or more arguments", f.least)
	case f.most == f.least:
		return fmt.Sprintf("%d arguments", f.least)
	}
	return fmt.Sprintf("%d to %d arguments", f.least, f.most)
}

// guess reads an untyped attribute: a number if it looks like one.
func guess(s string) value {
	if f, ok := parseNumber(s); ok {
		if f == math.Trunc(f) && !strings.ContainsAny(s, ".eE") && math.Abs(f) < 1<<53 {
			return whole(f)
		}
		return num(f)
	}
	return str(s)
}

// function binds a DefineFunction, once.
func (b *binder) function(at *element, name string) *function {
	if f, ok := b.functions[name]; ok {
		if f == nil {
			b.bad.add(at, "", fmt.Sprintf("function '%s' calls itself", clip(name)), "PMML has no recursion")
		}
		return f
	}
	b.functions[name] = nil // being bound
	e := b.fnElems[name]
	f := &function{name: name}
	f.typ, f.year = b.dataType(e, "dataType", typeNone)
	sc := &scope{b: b, element: e, params: map[string]param{}, fields: map[string]int{}, open: map[string]bool{}}
	for i, k := range e.all("ParameterField") {
		t, year := b.dataType(k, "dataType", typeNone)
		p := param{i, t, year}
		f.params = append(f.params, p)
		if _, twice := sc.params[k.get("name")]; twice {
			b.bad.add(k, k.get("name"), fmt.Sprintf("function '%s' has two parameters '%s'", clip(name), clip(k.get("name"))), "rename one")
		}
		sc.params[k.get("name")] = p
	}
	outer := b.spent
	b.spent = 0
	f.body = b.expression(sc, expressionOf(e))
	f.cost = b.spent + 1
	b.spent = outer
	b.functions[name] = f
	return f
}

func (a *apply) eval(r *row) value {
	if a.fn == ifFunction {
		return a.branch(r)
	}
	at := len(r.stack)
	gone := false
	for _, x := range a.args {
		v := x.eval(r)
		gone = gone || v.k == missing
		r.stack = append(r.stack, v)
	}
	v := none
	switch {
	case gone && a.mapped:
		v = a.mapTo
		r.stack = r.stack[:at]
		return v
	case a.def != nil:
		v = a.def.call(r, at)
	case gone && !a.fn.tolerant:
	default:
		v = a.fn.call(r, r.stack[at:])
	}
	r.stack = r.stack[:at]
	return a.finish(r, v)
}

// branch evaluates the condition and the branch taken, only.
func (a *apply) branch(r *row) value {
	c := a.args[0].eval(r)
	v := none
	switch {
	case c.k == missing && a.mapped:
		return a.mapTo
	case c.k == missing:
	default:
		taken := 2
		if b, ok := logical(r, c); !ok {
			return none
		} else if b {
			taken = 1
		}
		if taken < len(a.args) {
			v = a.args[taken].eval(r)
			if v.k == missing && a.mapped {
				return a.mapTo
			}
		}
	}
	return a.finish(r, v)
}

func (a *apply) finish(r *row, v value) value {
	if v.k == invalid {
		switch a.onInvalid {
		case 'i':
			if len(v.list) > 0 {
				return v.list[0]
			}
			v = none
		case 'm':
			v = none
		default:
			return r.fail("", KindMath, "%s is not defined for its arguments%s", a.name, v.s)
		}
	}
	if v.k == missing {
		return a.orElse
	}
	return v
}

func (f *function) call(r *row, at int) value {
	for i, p := range f.params {
		c, ok := p.typ.cast(r.stack[at+i], p.year)
		if !ok {
			return r.fail("", KindType, "argument %d of %s: %s is no %v", i+1, f.name, quote(r.stack[at+i]), p.typ)
		}
		r.stack[at+i] = c
	}
	base := r.base
	r.base = at
	v := f.body.eval(r)
	r.base = base
	c, ok := f.typ.cast(v, f.year)
	if !ok {
		return r.fail("", KindType, "result of %s: %s is no %v", f.name, quote(v), f.typ)
	}
	return c
}
