package scoring

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// dataType is PMML's dataType.
type dataType byte

const (
	typeNone dataType = iota
	typeString
	typeInteger
	typeFloat
	typeDouble
	typeBoolean
	typeDate     // days since 1970
	typeTime     // seconds since midnight
	typeDateTime // seconds since 1970
	typeDays     // dateDaysSince[epoch]: an integer
	typeSeconds  // timeSeconds and dateTimeSecondsSince[epoch]: an integer
)

var typeNames = func() map[string]dataType {
	names := map[string]dataType{
		"string": typeString, "integer": typeInteger, "float": typeFloat, "double": typeDouble, "boolean": typeBoolean,
		"date": typeDate, "time": typeTime, "dateTime": typeDateTime, "timeSeconds": typeSeconds,
	}
	for _, y := range []string{"0", "1960", "1970", "1980", "1990", "2000", "2010", "2020"} {
		for _, x := range []string{"", "x-"} { // those from 1990 on are jpmml's
			names[x+"dateDaysSince["+y+"]"] = typeDays
			names[x+"dateTimeSecondsSince["+y+"]"] = typeSeconds
		}
	}
	return names
}()

func (t dataType) String() string {
	return [...]string{"", "string", "integer", "float", "double", "boolean", "date", "time", "dateTime", "dateDaysSince", "timeSeconds"}[t]
}

func (t dataType) number() bool {
	return t == typeInteger || t == typeFloat || t == typeDouble || t >= typeDate
}

// ofDay is the epoch year of timeSeconds, which counts from midnight.
const ofDay = -1

// epochYear reads the year of dateDaysSince[1960].
func epochYear(name string) int {
	if name == "timeSeconds" {
		return ofDay
	}
	_, y, ok := strings.Cut(strings.TrimSuffix(name, "]"), "[")
	if !ok {
		return 1970
	}
	n, _ := strconv.Atoi(y)
	return n
}

// kind is what a value is at the moment.
type kind byte

const (
	missing kind = iota
	number       // double, or float rounded to 32 bits
	integer
	text
	boolean
	invalid // read once, it harms the row
	list    // a collection
)

// value is one value. Integers and booleans stand in f, exact up to 2^53.
type value struct {
	k    kind
	f32  bool     // arithmetic on it is rounded to 32 bits
	odd  bool     // invalid, and taken as it is
	was  kind     // of an invalid value of a field: its own
	unit dataType // of an integer that is a date, time or dateTime; else none
	f    float64
	s    string
	list []value
}

var (
	none      = value{}
	trueValue = value{k: boolean, f: 1}
	falseVal  = value{k: boolean}
)

func (v value) asInvalid() value {
	v.was, v.k = v.k, invalid
	return v
}

// original is the value that asInvalid was given.
func (v value) original() value {
	v.k, v.was = v.was, missing
	return v
}

func num(f float64) value   { return value{k: number, f: f} }
func whole(f float64) value { return value{k: integer, f: f} }
func str(s string) value    { return value{k: text, s: s} }
func truth(b bool) value {
	if b {
		return trueValue
	}
	return falseVal
}

// parseNumber reads PMML's spelling of a number.
func parseNumber(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	switch s {
	case "INF", "+INF":
		return math.Inf(1), true
	case "-INF":
		return math.Inf(-1), true
	}
	if s == "" || strings.ContainsAny(s, "_xXpP") {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f + 0, true
}

// parse reads text as a value of type t; ok is false where it cannot be one.
func (t dataType) parse(s string, year int) (value, bool) {
	switch t {
	case typeNone, typeString:
		return str(s), true
	case typeBoolean:
		switch strings.ToLower(strings.TrimSpace(s)) {
		case "true", "1", "1.0":
			return trueValue, true
		case "false", "0", "0.0":
			return falseVal, true
		}
		return none, false
	case typeFloat, typeDouble, typeInteger:
		f, ok := parseNumber(s)
		if !ok {
			return none, false
		}
		return t.cast(num(f), year)
	}
	return parseDate(t, s, year)
}

// cast turns v into type t; ok is false where it cannot be one. Missing stays missing.
func (t dataType) cast(v value, year int) (value, bool) {
	switch {
	case v.k == missing || v.k == invalid || t == typeNone:
		return v, true
	case v.k == list:
		if t.has(v.list) {
			return v, true
		}
		out := make([]value, len(v.list))
		for i, e := range v.list {
			c, ok := t.cast(e, year)
			if !ok {
				return none, false
			}
			out[i] = c
		}
		return value{k: list, list: out}, true
	case t == typeString:
		if v.k == text {
			return v, true
		}
		return str(v.lexical()), true
	case v.k == text:
		c, ok := t.parse(v.s, year)
		c.odd = v.odd
		return c, ok
	case t >= typeDate:
		return castDate(t, v, year)
	case t == typeBoolean:
		if v.k == boolean {
			return v, true
		}
		if v.f == 0 || v.f == 1 {
			return truth(v.f == 1), true
		}
		return none, false
	case t == typeFloat:
		return value{k: number, f32: true, f: float64(float32(v.f)), odd: v.odd}, true
	case t == typeDouble:
		return value{k: number, f: v.f, odd: v.odd}, true
	}
	if v.f != math.Trunc(v.f) || math.Abs(v.f) > 1<<53 { // NaN and infinities too
		return none, false
	}
	return value{k: integer, f: v.f, odd: v.odd}, true
}

// has reports whether all values are of type t already.
func (t dataType) has(vs []value) bool {
	for _, v := range vs {
		if !(t == typeString && v.k == text || t == typeDouble && v.k == number && !v.f32 || t == typeInteger && v.k == integer || t == typeBoolean && v.k == boolean) {
			return false
		}
	}
	return true
}

// lexical is the value as PMML writes it.
func (v value) lexical() string {
	switch v.k {
	case text:
		return v.s
	case boolean:
		if v.f != 0 {
			return "true"
		}
		return "false"
	case integer:
		if v.unit != typeNone {
			return isoDate(v)
		}
		return strconv.FormatFloat(v.f, 'f', 0, 64)
	case number:
		return javaDouble(v.f, v.f32)
	}
	return ""
}

// javaDouble writes a double as Java does: 1.0, 1.0E10.
func javaDouble(f float64, f32 bool) string {
	bits := 64
	if f32 {
		bits = 32
	}
	switch a := math.Abs(f); {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case a == math.SmallestNonzeroFloat64: // Java writes two digits at least
		return strings.TrimSuffix(strconv.FormatFloat(f, 'E', 0, 64), "5E-324") + "4.9E-324"
	case f32 && a == math.SmallestNonzeroFloat32:
		return strings.TrimSuffix(strconv.FormatFloat(f, 'E', 0, 32), "1E-45") + "1.4E-45"
	case f == 0 || a >= 1e-3 && a < 1e7:
		s := strconv.FormatFloat(f, 'f', -1, bits)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	s := strconv.FormatFloat(f, 'E', -1, bits)
	m, e, _ := strings.Cut(s, "E")
	if !strings.Contains(m, ".") {
		m += ".0"
	}
	n, _ := strconv.Atoi(e)
	return m + "E" + strconv.Itoa(n)
}

// equal compares two values in the type of the first: numbers by value, texts to the letter.
func (v value) equal(w value) bool {
	if v.k == text || w.k == text {
		return v.k == w.k && v.s == w.s
	}
	return v.k != missing && w.k != missing && v.f == w.f
}

// goValue is the value as a caller of the library gets it.
func (v value) goValue() any {
	switch v.k {
	case number:
		return v.f
	case integer:
		if v.unit != typeNone {
			return isoDate(v)
		}
		return int64(v.f)
	case text:
		return v.s
	case boolean:
		return v.f != 0
	case list:
		out := make([]any, len(v.list))
		for i, e := range v.list {
			out[i] = e.goValue()
		}
		return out
	}
	return nil
}

// fromGo takes what a caller gives; ok is false for a type that is no value.
func fromGo(x any) (value, bool) {
	switch x := x.(type) {
	case nil:
		return none, true
	case float64:
		return num(x + 0), true // there is one zero
	case float32:
		return value{k: number, f32: true, f: float64(x)}, true
	case int:
		return whole(float64(x)), true
	case int32:
		return whole(float64(x)), true
	case uint:
		return whole(float64(x)), true
	case int64:
		return whole(float64(x)), true
	case bool:
		return truth(x), true
	case string:
		return str(x), true
	case time.Time:
		return value{k: integer, unit: typeDateTime, f: float64(x.Unix())}, true
	case interface{ String() string }: // json.Number
		if f, ok := parseNumber(x.String()); ok {
			if f == math.Trunc(f) && math.Abs(f) < 1<<53 && !strings.ContainsAny(x.String(), ".eE") {
				return whole(f), true
			}
			return num(f), true
		}
		return str(x.String()), true
	case []any:
		out := value{k: list}
		for _, e := range x {
			v, ok := fromGo(e)
			if !ok {
				return none, false
			}
			out.list = append(out.list, v)
		}
		return out, true
	}
	return none, false
}
