package scoring

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/mudpulse/mudpulse/scoring/internal/portable"
)

// builtin is one of PMML's functions. A missing argument gives a missing
// result, except where tolerant (PMML 4.4.1, BuiltinFunctions).
type builtin struct {
	least, most int // arguments; most < 0: any number
	tolerant    bool
	call        func(r *row, a []value) value
}

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

// maxCost bounds what one call of a defined function may cost, counted in
// built-in calls: functions that double each other would else never end.
const maxCost = 100_000

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
	name := strings.TrimPrefix(a.name, "x-")
	if fn, ok := builtins[name]; ok {
		a.fn = fn
		if len(a.args) < fn.least || fn.most >= 0 && len(a.args) > fn.most {
			b.bad.add(e, "", fmt.Sprintf("function %s takes %s, not %d", a.name, arity(fn), len(a.args)), "")
			return constant{none}
		}
		if x, ok := b.pattern(e, a, name); ok {
			return x
		}
		b.spent++
		return a
	}
	if _, ok := b.fnElems[a.name]; ok {
		a.def = b.function(e, a.name)
		if a.def == nil {
			return constant{none}
		}
		if len(a.args) != len(a.def.params) {
			b.bad.add(e, "", fmt.Sprintf("function %s takes %d arguments, not %d", a.name, len(a.def.params), len(a.args)), "")
			return constant{none}
		}
		b.spent += a.def.cost
		if b.spent > maxCost {
			b.bad.add(e, "", fmt.Sprintf("function %s calls more than %d functions in all", clip(a.name), maxCost), "defined functions that call each other twice double at every step; flatten them")
			b.spent = 0
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
	case c.f != 0:
		v = a.args[1].eval(r)
		if v.k == missing && a.mapped {
			return a.mapTo
		}
	case len(a.args) > 2:
		v = a.args[2].eval(r)
		if v.k == missing && a.mapped {
			return a.mapTo
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

func undefined(as float64, args ...value) value {
	var s []string
	for _, a := range args {
		s = append(s, a.lexical())
	}
	return value{k: invalid, s: " (" + strings.Join(s, ", ") + ")", list: []value{num(as)}}
}

// typed gives a number the type of its arguments: whole if both are, rounded
// to 32 bits if one is and none is a double.
func typed(f float64, args ...value) value {
	ints, floats := true, false
	for _, a := range args {
		if a.k != integer && a.k != boolean {
			ints = false
			if a.f32 {
				floats = true
			} else {
				return num(f)
			}
		}
	}
	switch {
	case ints:
		if math.Abs(f) > math.MaxInt32 || f != f {
			return undefined(f, args...)
		}
		return whole(f)
	case floats:
		return value{k: number, f32: true, f: float64(float32(f))}
	}
	return num(f)
}

func arith(f func(a, b float64) float64) *builtin {
	return &builtin{least: 2, most: 2, call: func(r *row, a []value) value {
		if a[0].k == text || a[1].k == text {
			return r.fail("", KindType, "arithmetic on a text: %s, %s", quote(a[0]), quote(a[1]))
		}
		return typed(f(a[0].f, a[1].f), a[0], a[1])
	}}
}

// real is a function of one number whose result is a double.
func realFn(f func(x float64) float64) *builtin {
	return &builtin{least: 1, most: 1, call: func(r *row, a []value) value {
		if a[0].k == text {
			return r.fail("", KindType, "mathematics on a text: %s", quote(a[0]))
		}
		y := f(a[0].f)
		if y != y && a[0].f == a[0].f || math.IsInf(y, 0) && !math.IsInf(a[0].f, 0) {
			return undefined(y, a[0])
		}
		if a[0].f32 {
			return value{k: number, f32: true, f: float64(float32(y))}
		}
		return num(y)
	}}
}

// rounding keeps the argument's type.
func rounding(f func(x float64) float64) *builtin {
	return &builtin{least: 1, most: 1, call: func(_ *row, a []value) value {
		v := a[0]
		v.f = f(v.f) + 0
		return v
	}}
}

func aggregate(f func(x []float64) float64) *builtin {
	return &builtin{least: 1, most: -1, tolerant: true, call: func(_ *row, a []value) value {
		var buf [16]float64
		x := buf[:0]
		kept := a[:0]
		for _, v := range a {
			if v.k == missing {
				continue
			}
			x = append(x, v.f)
			kept = append(kept, v)
		}
		if len(x) == 0 {
			return none
		}
		return typed(f(x), kept...)
	}}
}

func average(f func(x []float64) float64) *builtin {
	in := aggregate(f)
	return &builtin{least: 1, most: -1, tolerant: true, call: func(r *row, a []value) value {
		for i := range a {
			if a[i].k == integer {
				a[i].k = number
			}
		}
		return in.call(r, a)
	}}
}

func compare(f func(c int) bool) *builtin {
	return &builtin{least: 2, most: 2, call: func(r *row, a []value) value {
		x, y := a[0], a[1]
		if (x.k == text) != (y.k == text) { // the number's type decides
			if x.k == text {
				c, ok := typeDouble.parse(x.s, 0)
				if !ok {
					return r.fail("", KindType, "%s is compared with %s", quote(x), quote(y))
				}
				x = c
			} else {
				c, ok := typeDouble.parse(y.s, 0)
				if !ok {
					return r.fail("", KindType, "%s is compared with %s", quote(x), quote(y))
				}
				y = c
			}
		}
		switch {
		case x.k == text:
			return truth(f(strings.Compare(x.s, y.s)))
		case x.f < y.f:
			return truth(f(-1))
		case x.f > y.f:
			return truth(f(1))
		}
		return truth(f(0))
	}}
}

func contains(a []value) bool {
	for _, v := range a[1:] {
		if a[0].k == missing && v.k == missing || a[0].equal(v) {
			return true
		}
	}
	return false
}

func sum(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v
	}
	return s
}

func median(x []float64) float64 {
	sort.Float64s(x)
	n := len(x)
	if n%2 == 1 {
		return x[n/2]
	}
	return float64(x[n/2-1]+x[n/2]) / 2
}

var ifFunction = &builtin{least: 2, most: 3, tolerant: true, call: func(*row, []value) value { panic("BUG: if is evaluated by branches") }}

var builtins = map[string]*builtin{
	"+": arith(func(a, b float64) float64 { return a + b }),
	"-": arith(func(a, b float64) float64 { return a - b }),
	"*": arith(func(a, b float64) float64 { return float64(a * b) }),
	"/": {least: 2, most: 2, call: func(_ *row, a []value) value {
		if a[0].k == integer && a[1].k == integer {
			if a[1].f == 0 {
				return undefined(math.NaN(), a[0], a[1])
			}
			return whole(math.Trunc(a[0].f/a[1].f) + 0)
		}
		return typed(a[0].f/a[1].f, a[0], a[1])
	}},
	"modulo": {least: 2, most: 2, call: func(_ *row, a []value) value {
		if a[1].f == 0 {
			return undefined(math.NaN(), a[0], a[1])
		}
		return typed(a[0].f-float64(math.Floor(a[0].f/a[1].f)*a[1].f), a[0], a[1])
	}},
	"min":    aggregate(func(x []float64) float64 { return slices.Min(x) }),
	"max":    aggregate(func(x []float64) float64 { return slices.Max(x) }),
	"sum":    aggregate(sum),
	"avg":    average(func(x []float64) float64 { return sum(x) / float64(len(x)) }),
	"median": average(median),
	"product": aggregate(func(x []float64) float64 {
		p := 1.0
		for _, v := range x {
			p = float64(p * v)
		}
		return p
	}),
	"log10": realFn(portable.Log10),
	"ln":    realFn(portable.Log),
	"ln1p":  realFn(portable.Log1p),
	"exp":   realFn(portable.Exp),
	"expm1": realFn(portable.Expm1),
	"sqrt":  realFn(math.Sqrt),
	"erf":   realFn(portable.Erf),
	"sin":   realFn(math.Sin),
	"cos":   realFn(math.Cos),
	"tan":   realFn(math.Tan),
	"asin":  realFn(math.Asin),
	"acos":  realFn(math.Acos),
	"atan":  realFn(math.Atan),
	"sinh":  realFn(math.Sinh),
	"cosh":  realFn(math.Cosh),
	"tanh":  realFn(portable.Tanh),
	"abs":   rounding(math.Abs),
	"floor": rounding(math.Floor),
	"ceil":  rounding(math.Ceil),
	"round": rounding(func(x float64) float64 { return math.Floor(x + 0.5) }),
	"rint":  rounding(math.RoundToEven),
	"pow": {least: 2, most: 2, call: func(_ *row, a []value) value {
		y := portable.Pow(a[0].f, a[1].f)
		if y != y {
			return undefined(y, a[0], a[1])
		}
		return typed(y, a[0], a[1])
	}},
	"hypot": {least: 2, most: 2, call: func(_ *row, a []value) value {
		return num(math.Sqrt(float64(a[0].f*a[0].f) + float64(a[1].f*a[1].f)))
	}},
	"atan2": {least: 2, most: 2, call: func(_ *row, a []value) value { return num(math.Atan2(a[0].f, a[1].f)) }},
	"threshold": {least: 2, most: 2, call: func(_ *row, a []value) value {
		f := 0.0
		if a[0].f > a[1].f {
			f = 1
		}
		return typed(f, a[0], a[1])
	}},
	"normalCDF": {least: 3, most: 3, call: func(_ *row, a []value) value {
		return num(0.5 * (1 + portable.Erf((a[0].f-a[1].f)/(a[2].f*math.Sqrt2))))
	}},
	"normalPDF": {least: 3, most: 3, call: func(_ *row, a []value) value {
		z := (a[0].f - a[1].f) / a[2].f
		return num(portable.Exp(float64(-z*z)/2) / (a[2].f * 2.50662827463100050242))
	}},
	"stdNormalCDF": realFn(func(x float64) float64 { return 0.5 * (1 + portable.Erf(x/math.Sqrt2)) }),
	"stdNormalPDF": realFn(func(x float64) float64 { return portable.Exp(float64(-x*x)/2) / 2.50662827463100050242 }),

	"equal":          compare(func(c int) bool { return c == 0 }),
	"notEqual":       compare(func(c int) bool { return c != 0 }),
	"lessThan":       compare(func(c int) bool { return c < 0 }),
	"lessOrEqual":    compare(func(c int) bool { return c <= 0 }),
	"greaterThan":    compare(func(c int) bool { return c > 0 }),
	"greaterOrEqual": compare(func(c int) bool { return c >= 0 }),
	"isMissing":      {least: 1, most: 1, tolerant: true, call: func(_ *row, a []value) value { return truth(a[0].k == missing) }},
	"isNotMissing":   {least: 1, most: 1, tolerant: true, call: func(_ *row, a []value) value { return truth(a[0].k != missing) }},
	"isValid":        {least: 1, most: 1, tolerant: true, call: func(_ *row, a []value) value { return truth(a[0].k != missing && a[0].k != invalid) }},
	"isNotValid":     {least: 1, most: 1, tolerant: true, call: func(_ *row, a []value) value { return truth(a[0].k == invalid) }},
	"isIn":           {least: 2, most: -1, tolerant: true, call: func(_ *row, a []value) value { return truth(contains(a)) }},
	"isNotIn":        {least: 2, most: -1, tolerant: true, call: func(_ *row, a []value) value { return truth(!contains(a)) }},
	"not":            {least: 1, most: 1, call: func(_ *row, a []value) value { return truth(a[0].f == 0) }},
	// Kleene: false decides an and, true an or, whatever is missing beside it.
	"and": {least: 2, most: -1, tolerant: true, call: func(_ *row, a []value) value {
		v := trueValue
		for _, x := range a {
			if x.k == missing {
				v = none
			} else if x.f == 0 {
				return falseVal
			}
		}
		return v
	}},
	"or": {least: 2, most: -1, tolerant: true, call: func(_ *row, a []value) value {
		v := falseVal
		for _, x := range a {
			if x.k == missing {
				v = none
			} else if x.f != 0 {
				return trueValue
			}
		}
		return v
	}},
	"if": ifFunction,

	"uppercase":  {least: 1, most: 1, call: func(_ *row, a []value) value { return str(strings.ToUpper(a[0].lexical())) }},
	"lowercase":  {least: 1, most: 1, call: func(_ *row, a []value) value { return str(strings.ToLower(a[0].lexical())) }},
	"trimBlanks": {least: 1, most: 1, call: func(_ *row, a []value) value { return str(strings.TrimSpace(a[0].lexical())) }},
	"stringLength": {least: 1, most: 1, call: func(_ *row, a []value) value {
		return whole(float64(utf8.RuneCountInString(a[0].lexical())))
	}},
	"substring": {least: 3, most: 3, call: func(_ *row, a []value) value {
		r := []rune(a[0].lexical())
		from := int(min(max(a[1].f-1, 0), float64(len(r))))
		to := int(min(max(float64(from)+a[2].f, float64(from)), float64(len(r))))
		return str(string(r[from:to]))
	}},
	"concat": {least: 2, most: -1, tolerant: true, call: func(r *row, a []value) value {
		var b strings.Builder
		for _, v := range a {
			if b.Len() > 1<<20 {
				return r.fail("", KindMath, "concat makes a text longer than 1 MB")
			}
			b.WriteString(v.lexical())
		}
		return str(b.String())
	}},
	"matches": {least: 2, most: 2, call: func(r *row, a []value) value {
		re, err := regexp.Compile(a[1].lexical())
		if err != nil {
			return r.fail("", KindMath, "pattern %s: %v", quote(a[1]), err)
		}
		return truth(re.MatchString(a[0].lexical()))
	}},
	"replace": {least: 3, most: 3, call: func(r *row, a []value) value {
		re, err := regexp.Compile(a[1].lexical())
		if err != nil {
			return r.fail("", KindMath, "pattern %s: %v", quote(a[1]), err)
		}
		return replaced(r, re, a[0].lexical(), a[2].lexical())
	}},
}

func replaced(r *row, re *regexp.Regexp, s, to string) value {
	out := re.ReplaceAllString(s, to)
	if len(out) > 1<<20 {
		return r.fail("", KindMath, "replace makes a text longer than 1 MB")
	}
	return str(out)
}

// pattern compiles a constant pattern once, and refuses one that RE2 cannot run.
func (b *binder) pattern(e *element, a *apply, name string) (expr, bool) {
	if name != "matches" && name != "replace" {
		return nil, false
	}
	c, ok := a.args[1].(constant)
	if !ok {
		return nil, false
	}
	re, err := regexp.Compile(c.v.lexical())
	if err != nil {
		b.bad.add(e, "", fmt.Sprintf("pattern %q: %v", clip(c.v.lexical()), err), "look-around and back-references are not supported")
		return constant{none}, true
	}
	fn := *a.fn
	if name == "matches" {
		fn.call = func(_ *row, x []value) value { return truth(re.MatchString(x[0].lexical())) }
	} else {
		fn.call = func(r *row, x []value) value { return replaced(r, re, x[0].lexical(), x[2].lexical()) }
	}
	a.fn = &fn
	return a, true
}
