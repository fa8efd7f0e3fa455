package scoring

import (
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/mudpulse/mudpulse/scoring/internal/portable"
)

// builtin is one of PMML's functions. A missing argument gives a missing
// result, except where tolerant (PMML 4.4.1, BuiltinFunctions).
type builtin struct {
	least, most int // arguments; most < 0: any number
	tolerant    bool
	call        func(r *row, a []value) value
}

func undefined(as float64, args ...value) value {
	var s []string
	for _, a := range args {
		s = append(s, a.lexical())
	}
	return value{k: invalid, s: " (" + strings.Join(s, ", ") + ")", list: []value{num(as)}}
}

// numeric reports whether all arguments are numbers; a text that spells one
// becomes it. Missing ones are left.
func numeric(r *row, a []value) bool {
	for i := range a {
		switch a[i].k {
		case text:
			f, ok := parseNumber(a[i].s)
			if !ok {
				r.fail("", KindType, "%s is no number", quote(a[i]))
				return false
			}
			a[i] = num(f)
		case list:
			r.fail("", KindType, "a collection is no number")
			return false
		}
	}
	return true
}

// logical is the truth of a value; ok is false where it has none.
func logical(r *row, v value) (b, ok bool) {
	c, ok := typeBoolean.cast(v, 0)
	if !ok || c.k != boolean {
		r.fail("", KindType, "%s is neither true nor false", quote(v))
		return false, false
	}
	return c.f != 0, true
}

// typed gives a number the type of its arguments: whole if both are, rounded
// to 32 bits if one is and none is a double.
// There is one zero, and NaN is no number.
func typed(f float64, args ...value) value {
	if f += 0; f != f {
		return undefined(f, args...)
	}
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
		if !(f >= math.MinInt32 && f <= math.MaxInt32) {
			return undefined(f, args...)
		}
		return whole(f)
	case floats:
		return value{k: number, f32: true, f: float64(float32(f))}
	}
	return num(f)
}

// arith is a function of two numbers; a text is none, even if it spells one.
func arith(f func(a, b value) value) *builtin {
	return &builtin{least: 2, most: 2, call: func(r *row, a []value) value {
		for _, v := range a {
			if v.k == text || v.k == list {
				return r.fail("", KindType, "arithmetic on a text: %s, %s", quote(a[0]), quote(a[1]))
			}
		}
		return f(a[0], a[1])
	}}
}

// realFn is a function of one number whose result is a double. One that is
// not defined for its argument gives NaN; an infinity is a result.
func realFn(f func(x float64) float64) *builtin {
	return &builtin{least: 1, most: 1, call: func(r *row, a []value) value {
		if !numeric(r, a) {
			return none
		}
		if y := f(a[0].f); y == y || a[0].f != a[0].f {
			return num(y)
		}
		return undefined(nan, a[0])
	}}
}

// realFn3 is a distribution function of x, mean and standard deviation.
func realFn3(f func(x, mean, sd float64) float64) *builtin {
	return &builtin{least: 3, most: 3, call: func(r *row, a []value) value {
		if !numeric(r, a) {
			return none
		}
		if y := f(a[0].f, a[1].f, a[2].f); a[2].f > 0 && y == y {
			return num(y)
		}
		return undefined(nan, a...)
	}}
}

// rounding gives a whole number.
func rounding(f func(x float64) float64) *builtin {
	return &builtin{least: 1, most: 1, call: func(r *row, a []value) value {
		if !numeric(r, a) {
			return none
		}
		if y := f(a[0].f) + 0; math.Abs(y) <= 1<<53 {
			return whole(y)
		}
		return num(f(a[0].f) + 0)
	}}
}

// keeping keeps its argument's type.
func keeping(f func(x float64) float64) *builtin {
	return &builtin{least: 1, most: 1, call: func(r *row, a []value) value {
		if !numeric(r, a) {
			return none
		}
		return typed(f(a[0].f)+0, a[0])
	}}
}

// roundHalfUp is Java's Math.round: half up, exactly.
func roundHalfUp(x float64) float64 {
	f := math.Floor(x)
	if x-f >= 0.5 {
		f++
	}
	return f
}

func aggregate(f func(x []float64) float64) *builtin {
	return &builtin{least: 1, most: -1, tolerant: true, call: func(r *row, a []value) value {
		if !numeric(r, a) {
			return none
		}
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

// average is an aggregate whose result is no whole number even if all arguments are.
func average(f func(x []float64) float64) *builtin {
	in := aggregate(f)
	return &builtin{least: 1, most: -1, tolerant: true, call: func(r *row, a []value) value {
		if !slices.ContainsFunc(a, func(v value) bool { return v.k != integer && v.k != missing }) {
			for i := range a {
				if a[i].k == integer {
					a[i].k = number
				}
			}
		}
		return in.call(r, a)
	}}
}

// compare orders numbers by value and texts to the letter; beside a number a
// text is read as one. NaN is as Java has it: equal to itself, above all others.
func compare(f func(c int) bool) *builtin {
	return &builtin{least: 2, most: 2, call: func(r *row, a []value) value {
		x, y := a[0], a[1]
		if x.k == list || y.k == list {
			return r.fail("", KindType, "a collection is compared")
		}
		if (x.k == text) != (y.k == text) {
			for _, v := range []*value{&x, &y} {
				if v.k == text {
					c, ok := typeDouble.parse(v.s, 0)
					if !ok && v.k == text {
						c, ok = like(x, y).parse(v.s, 0)
					}
					if !ok {
						return r.fail("", KindType, "%s is compared with %s", quote(a[0]), quote(a[1]))
					}
					*v = c
				}
			}
		}
		switch {
		case x.k == text:
			return truth(f(strings.Compare(x.s, y.s)))
		case x.f < y.f:
			return truth(f(-1))
		case x.f > y.f:
			return truth(f(1))
		case x.f == y.f:
			return truth(f(0))
		case x.f == x.f: // y is NaN
			return truth(f(-1))
		case y.f == y.f:
			return truth(f(1))
		}
		return truth(f(0))
	}}
}

// like is the type that the text beside a boolean or a date is read as.
func like(x, y value) dataType {
	for _, v := range []value{x, y} {
		switch {
		case v.k == boolean:
			return typeBoolean
		case v.unit != typeNone:
			return v.unit
		}
	}
	return typeDouble
}

// equality compares in the type of the first: a text with the other's spelling.
func equality(want bool) *builtin {
	in := compare(func(c int) bool { return (c == 0) == want })
	return &builtin{least: 2, most: 2, call: func(r *row, a []value) value {
		if a[0].k == text && a[1].k != text && a[1].k != list {
			return truth((a[0].s == a[1].lexical()) == want)
		}
		return in.call(r, a)
	}}
}

// contains looks for the first argument among the others; a missing one is
// there if one of them is missing.
func contains(a []value) bool {
	for _, v := range a[1:] {
		switch {
		case a[0].k == missing || v.k == missing:
			if a[0].k == v.k {
				return true
			}
		case v.k == list:
			if contains(append([]value{a[0]}, v.list...)) {
				return true
			}
		case a[0].k == text && v.k != text:
			if a[0].s == v.lexical() {
				return true
			}
		case v.k == text && a[0].k != text:
			if f, ok := parseNumber(v.s); ok && f == a[0].f {
				return true
			}
		case a[0].equal(v):
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

func two(f func(r *row, x, y value) value) *builtin {
	return &builtin{least: 2, most: 2, call: func(r *row, a []value) value {
		if !numeric(r, a) {
			return none
		}
		return f(r, a[0], a[1])
	}}
}

func test(tolerant bool, f func(v value) bool) *builtin {
	return &builtin{least: 1, most: 1, tolerant: tolerant, call: func(_ *row, a []value) value { return truth(f(a[0])) }}
}

// decide is and, or: a value that decides does so whatever is missing beside it (Kleene).
func decide(by bool) *builtin {
	return &builtin{least: 2, most: -1, tolerant: true, call: func(r *row, a []value) value {
		out := truth(!by)
		for _, x := range a {
			if x.k == missing {
				out = none
				continue
			}
			b, ok := logical(r, x)
			if !ok {
				return none
			}
			if b == by {
				return truth(by)
			}
		}
		return out
	}}
}

const sqrtTwoPi = 2.50662827463100050242

var builtins = map[string]*builtin{
	"+": arith(func(a, b value) value { return typed(a.f+b.f, a, b) }),
	"-": arith(func(a, b value) value { return typed(a.f-b.f, a, b) }),
	"*": arith(func(a, b value) value { return typed(float64(a.f*b.f), a, b) }),
	// Whole numbers give a whole one: PMML 4.4.1, "the least restrictive dataType will be inherited".
	"/": arith(func(a, b value) value {
		if a.k == integer && b.k == integer {
			if b.f == 0 {
				return undefined(nan, a, b)
			}
			return whole(math.Trunc(a.f/b.f) + 0)
		}
		if y := a.f / b.f; y == y {
			return typed(y, a, b)
		}
		return undefined(nan, a, b)
	}),
	"modulo": two(func(_ *row, a, b value) value {
		if b.f == 0 {
			return undefined(nan, a, b)
		}
		return typed(a.f-float64(math.Floor(a.f/b.f)*b.f), a, b)
	}),
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
	"sin":   realFn(portable.Sin),
	"cos":   realFn(portable.Cos),
	"tan":   realFn(portable.Tan),
	"asin":  realFn(portable.Asin),
	"acos":  realFn(portable.Acos),
	"atan":  realFn(portable.Atan),
	"sinh":  realFn(portable.Sinh),
	"cosh":  realFn(portable.Cosh),
	"tanh":  realFn(portable.Tanh),
	"abs":   keeping(math.Abs),
	"rint":  keeping(math.RoundToEven),
	"floor": rounding(math.Floor),
	"ceil":  rounding(math.Ceil),
	"round": rounding(roundHalfUp),
	"pow": two(func(_ *row, a, b value) value {
		if y := portable.Pow(a.f, b.f); y == y {
			return typed(y, a, b)
		}
		return undefined(nan, a, b)
	}),
	"hypot":     two(func(_ *row, a, b value) value { return num(portable.Hypot(a.f, b.f)) }),
	"x-atan2":   two(func(_ *row, a, b value) value { return num(portable.Atan2(a.f, b.f)) }),
	"threshold": two(func(_ *row, a, b value) value { return typed(truth(a.f > b.f).f, a, b) }),

	"normalCDF": realFn3(func(x, mean, sd float64) float64 { return portable.NormCDF((x - mean) / sd) }),
	"normalPDF": realFn3(func(x, mean, sd float64) float64 {
		z := (x - mean) / sd
		return portable.Exp(float64(-z*z)/2) / float64(sd*sqrtTwoPi)
	}),
	"normalIDF":    realFn3(func(p, mean, sd float64) float64 { return mean + float64(sd*portable.NormQuantile(p)) }),
	"stdNormalCDF": realFn(portable.NormCDF),
	"stdNormalPDF": realFn(func(x float64) float64 { return portable.Exp(float64(-x*x)/2) / sqrtTwoPi }),
	"stdNormalIDF": realFn(portable.NormQuantile),

	"equal":          equality(true),
	"notEqual":       equality(false),
	"lessThan":       compare(func(c int) bool { return c < 0 }),
	"lessOrEqual":    compare(func(c int) bool { return c <= 0 }),
	"greaterThan":    compare(func(c int) bool { return c > 0 }),
	"greaterOrEqual": compare(func(c int) bool { return c >= 0 }),
	"isMissing":      test(true, func(v value) bool { return v.k == missing }),
	"isNotMissing":   test(true, func(v value) bool { return v.k != missing }),
	"isValid":        test(true, func(v value) bool { return v.k != missing && !v.odd }),
	"isNotValid":     test(true, func(v value) bool { return v.odd }),
	"isIn":           {least: 2, most: -1, tolerant: true, call: func(_ *row, a []value) value { return truth(contains(a)) }},
	"isNotIn":        {least: 2, most: -1, tolerant: true, call: func(_ *row, a []value) value { return truth(!contains(a)) }},
	"and":            decide(false),
	"or":             decide(true),
	"not": {least: 1, most: 1, call: func(r *row, a []value) value {
		b, ok := logical(r, a[0])
		if !ok {
			return none
		}
		return truth(!b)
	}},
	"if": ifFunction,

	"uppercase":    onText(func(s string) value { return str(upper(s)) }),
	"lowercase":    onText(func(s string) value { return str(strings.ToLower(s)) }),
	"trimBlanks":   onText(func(s string) value { return str(strings.TrimSpace(s)) }),
	"stringLength": onText(func(s string) value { return whole(float64(characters(s))) }),
	"substring":    {least: 3, most: 3, call: substring},
	"concat":       {least: 2, most: -1, tolerant: true, call: concat},
	"formatNumber": {least: 2, most: 2, call: formatNumber},
	"matches":      {least: 2, most: 2, call: matches},
	"replace":      {least: 3, most: 3, call: replace},

	"dateDaysSinceYear":        {least: 2, most: 2, call: dateDaysSinceYear},
	"dateSecondsSinceYear":     {least: 2, most: 2, call: dateSecondsSinceYear},
	"dateSecondsSinceMidnight": {least: 1, most: 1, call: dateSecondsSinceMidnight},
	"formatDatetime":           {least: 2, most: 2, call: formatDatetime},
}

// newBuiltins came with PMML 4.4. Before, exporters spelled them x-sin; and a
// document may define a function of such a name itself.
var newBuiltins = map[string]bool{
	"modulo": true, "sin": true, "cos": true, "tan": true, "asin": true, "acos": true, "atan": true, "sinh": true, "cosh": true, "tanh": true,
	"ln1p": true, "expm1": true, "hypot": true, "rint": true, "erf": true, "median": true, "product": true, "stringLength": true,
	"normalCDF": true, "normalPDF": true, "normalIDF": true, "stdNormalCDF": true, "stdNormalPDF": true, "stdNormalIDF": true, "x-atan2": true,
}

// builtinOf finds a function by the name that a document calls it by.
func builtinOf(name string) *builtin {
	if f, ok := builtins[name]; ok {
		return f
	}
	if short, ok := strings.CutPrefix(name, "x-"); ok && newBuiltins[short] {
		return builtins[short]
	}
	return nil
}
