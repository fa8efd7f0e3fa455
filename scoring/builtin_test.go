package scoring

import (
	"fmt"
	"math"
	"sort"
	"strings"
	"testing"
)

// call applies a function to values; its result as text, or "error: …".
func call(name string, args ...value) string {
	p := &program{}
	r := newRow(p)
	a := &apply{name: name, fn: builtinOf(name), onInvalid: 'e'}
	if a.fn == nil {
		return "unknown"
	}
	for _, v := range args {
		a.args = append(a.args, constant{v})
	}
	v := a.eval(r)
	switch {
	case r.err != nil:
		return "error: " + r.err.Message
	case v.k == missing:
		return "missing"
	}
	return v.lexical()
}

// What JPMML has no function for, or refuses: the spec's words, or plain mathematics.
func TestFunctionsThatNoOracleHas(t *testing.T) {
	f := func(want, name string, args ...value) {
		t.Helper()
		if got := call(name, args...); got != want && !(strings.HasPrefix(want, "error") && strings.HasPrefix(got, want)) {
			t.Errorf("%s%v = %s, want %s", name, args, got, want)
		}
	}
	// PMML 4.4.1, BuiltinFunctions: any missing input gives a missing value.
	for _, name := range []string{"equal", "lessThan", "exp", "uppercase", "not", "matches", "+", "round", "substring", "dateDaysSinceYear", "threshold", "hypot"} {
		args := make([]value, max(builtins[name].least, 1))
		f("missing", name, args...)
	}
	f("missing", "min", none, none)
	f("2", "min", whole(2), none)
	f("false", "and", none, falseVal)
	f("missing", "and", none, trueValue)
	f("true", "or", none, trueValue)
	f("missing", "if", none, num(1), num(2))
	f("false", "isIn", none, num(1))
	f("true", "isIn", none, num(1), none)
	f("false", "isValid", none)
	f("false", "isNotValid", none)
	f("true", "isNotValid", value{k: number, f: 1, odd: true})
	f("2.5", "median", whole(1), whole(2), whole(3), whole(4))
	f("3.0", "median", num(5), num(3), num(1))
	f("3", "/", whole(7), whole(2))
	f("-3", "/", whole(-7), whole(2))
	f("3.5", "/", num(7), whole(2))
	f("error: / is not defined", "/", whole(1), whole(0))
	f("error: * is not defined", "*", whole(1e6), whole(1e6))
	f("error: ln is not defined", "ln", num(-1))
	f("error: modulo is not defined", "modulo", num(1), num(0))
	f("error: \"abc\" is no number", "abs", str("abc"))
	f("12.0", "abs", str("-12"))
	f("error: arithmetic on a text", "+", str("1"), whole(1))
	f("error: 2.5 is neither true nor false", "if", num(2.5), num(1))
	f("error: substring is not defined", "substring", str("abc"), whole(0), whole(1))
	f("error: pattern \"(?=a)\": look-ahead (?=…) is not supported", "matches", str("a"), str("(?=a)"))
	f("error: pattern \"(a)\\\\1\": the back-reference \\1 is not supported", "replace", str("aa"), str(`(a)\1`), str(""))
	f("error: the replacement \"$3\" names group 3, and the pattern has 1", "replace", str("aa"), str(`(a)`), str("$3"))
	f("true", "matches", str("x"), str("[[:alpha:]]"))
	f("error: pattern \"%d\" of formatNumber: %d is for whole numbers, and the value is 1.5", "formatNumber", num(1.5), str("%d"))
	f("2", "formatNumber", num(2), str("%d"))
	f("error: pattern \"%q\" of formatNumber", "formatNumber", num(2), str("%q"))
	f("INFINITY", "formatNumber", num(math.Inf(1)), str("%G"))
	f(" -Infinity", "formatNumber", num(math.Inf(-1)), str("%010.2f"))
	f("2", "stringLength", str("é😀"))
	f("1.3407807929942596E154", "hypot", num(math.Sqrt(math.MaxFloat64)), num(0))
	// Dates: ISO weeks as in the standard's own examples, weeks of the year as in C's strftime.
	day := func(s string) value { v, _ := readDate(s); return v }
	f("1977-W01-2", "formatDatetime", day("1977-01-04"), str("%G-W%V-%u"))
	f("2004-W53-6", "formatDatetime", day("2005-01-01"), str("%G-W%V-%u"))
	f("00 00 6", "formatDatetime", day("2005-01-01"), str("%U %W %w"))
	f("01 00", "formatDatetime", day("2005-01-02"), str("%U %W"))
	f("Sat Jan  1 13:04:00 2005", "formatDatetime", day("2005-01-01T13:04"), str("%c"))
	f("error: pattern \"%H\" of formatDatetime: a date has no %H", "formatDatetime", day("2005-01-01"), str("%H"))
	f("error: 12:00:00 is no date, for dateDaysSinceYear", "dateDaysSinceYear", day("12:00:00"), whole(1960))
	f("error: 2005-01-01 has no time of day", "dateSecondsSinceMidnight", day("2005-01-01"))
	f("-1", "dateDaysSinceYear", day("1959-12-31"), whole(1960))
	f("366", "dateDaysSinceYear", day("0001-01-01"), whole(0)) // the year 0 of the proleptic calendar is a leap year
	f("3", "dateSecondsSinceYear", day("1960-01-01T00:00:03"), whole(1960))
	f("error: 1.5 is no year", "dateDaysSinceYear", day("1959-12-31"), num(1.5))
	f("2005-01-01", "concat", day("2005-01-01"), str(""))
}

func TestTextsDoNotGrowWithoutBound(t *testing.T) {
	long := str(strings.Repeat("a", maxText/2+1))
	if got := call("concat", long, long); !strings.HasPrefix(got, "error: concat makes a text longer") {
		t.Errorf("%.60s", got)
	}
	if got := call("replace", long, str("a"), str("bb")); !strings.HasPrefix(got, "error: replace makes a text longer") {
		t.Errorf("%.60s", got)
	}
	if got := call("matches", str("a"), str("(((a{100}){100}){100})")); !strings.Contains(got, "error: pattern") {
		t.Errorf("%.60s", got)
	}
	if got := call("formatNumber", num(1), str("%999999999f")); !strings.Contains(got, "a width of more than 500") {
		t.Errorf("%.60s", got)
	}
}

// Functions take whatever comes: an answer or an error, in bounds.
func FuzzFunctions(f *testing.F) {
	names := make([]string, 0, len(builtins))
	for n := range builtins {
		if n != "if" {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	for i := range names {
		f.Add(i, "abc", "%d", 1.5, -2.0)
	}
	f.Add(0, "2024-03-05T10:00:00", "%Y%%", 1970.0, math.Inf(1))
	f.Fuzz(func(t *testing.T, at int, s, u string, x, y float64) {
		name := names[((at%len(names))+len(names))%len(names)]
		fn := builtins[name]
		pool := []value{str(s), str(u), num(x), whole(math.Trunc(y)), none, truth(x > 0), {k: list, list: []value{num(y)}}, dated(typeDateTime, math.Trunc(x)), {k: number, f32: true, f: float64(float32(y))}}
		n := fn.least
		if fn.most != n {
			n++
		}
		for shift := range len(pool) {
			args := make([]value, n)
			for i := range args {
				args[i] = pool[(i*(1+at&3)+shift)%len(pool)]
			}
			if got := call(name, args...); len(got) > maxText+200 {
				t.Fatalf("%s of %s is %d bytes long", name, fmt.Sprint(args), len(got))
			}
		}
	})
}

// A date that is read is written as it was read again.
func FuzzDates(f *testing.F) {
	for _, s := range []string{"2024-03-05", "13:04:09", "2024-03-05T13:04:09", "0000-01-01", "9999-12-31T23:59:59", "2024-03-05 13:04:09", "2024-03-05T13:04:09+02:00", "12:30"} {
		f.Add(s, "%Y-%m-%d %H:%M:%S %G %V %U %W %j %c")
	}
	f.Fuzz(func(t *testing.T, s, pattern string) {
		v, ok := readDate(s)
		if !ok {
			return
		}
		w, ok := readDate(isoDate(v))
		if !ok || w.unit != v.unit || w.f != v.f {
			t.Fatalf("%q is %v, written %q, read %v", s, v, isoDate(v), w)
		}
		for _, as := range []dataType{typeDate, typeTime, typeDateTime, typeDays, typeSeconds} {
			for _, year := range []int{0, 1960, 1970, 2020, ofDay} {
				if c, ok := castDate(as, v, year); ok && c.f != math.Trunc(c.f) {
					t.Fatalf("%q as %v since %d is %v", s, as, year, c.f)
				}
			}
		}
		call("formatDatetime", v, str(pattern))
	})
}

// A pattern that is taken compiles within its bounds, and replaces as it finds.
func FuzzPatterns(f *testing.F) {
	for _, p := range [][3]string{{"b*", "abc", "-"}, {"(a)(b)?", "abab", "$2$1"}, {`\bx`, "x xx", "$0"}, {"^|$", "ab", "|"}, {"(?<n>a)", "a", "${n}"}, {"[[:alpha:]]{2,5}", "abcdefg", `\$`}, {"(a{30}){30}", "aaa", ""}} {
		f.Add(p[0], p[1], p[2])
	}
	f.Fuzz(func(t *testing.T, re, s, to string) {
		if len(s) > 1000 {
			return
		}
		p, err := compile(re)
		if err != nil {
			return
		}
		at := 0
		for _, m := range p.all(s) {
			if m[0] < at || m[1] < m[0] || m[1] > len(s) {
				t.Fatalf("%q in %q: %v", re, s, p.all(s))
			}
			at = m[1]
		}
		tpl, err := p.template(to)
		if err != nil {
			return
		}
		if out, ok := p.replace(s, tpl); ok && len(out) > maxText {
			t.Fatalf("%q: %d bytes", re, len(out))
		}
	})
}
