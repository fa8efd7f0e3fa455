package scoring

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// A date is days since 1970, a dateTime seconds since 1970, a time seconds
// since midnight; there are no zones: what a clock on the wall shows. Days and
// seconds since another year are plain integers.

const secondsOfDay = 86400

// epochDays is the day that a year begins with.
func epochDays(year int) float64 {
	return float64(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Unix() / secondsOfDay)
}

func dated(t dataType, f float64) value { return value{k: integer, unit: t, f: f} }

// parseDate reads ISO 8601 dates and times; days and seconds also as numbers.
func parseDate(t dataType, s string, year int) (value, bool) {
	s = strings.TrimSpace(s)
	if f, ok := parseNumber(s); ok && (t == typeDays || t == typeSeconds) {
		if f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return none, false
		}
		return whole(f), true
	}
	v, ok := readDate(s)
	if !ok {
		return none, false
	}
	return castDate(t, v, year)
}

// readDate reads a date, a dateTime or a time, whichever it is.
func readDate(s string) (value, bool) {
	if len(s) > 40 {
		return none, false
	}
	if d, err := time.Parse("2006-01-02", s); err == nil {
		return dated(typeDate, float64(d.Unix()/secondsOfDay)), true
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02T15:04:05Z07:00"} {
		if d, err := time.Parse(layout, s); err == nil { // fractions of a second are read, and cut off
			return dated(typeDateTime, float64(d.Unix())), true
		}
	}
	for _, layout := range []string{"15:04:05", "15:04"} {
		if d, err := time.Parse(layout, s); err == nil {
			return dated(typeTime, float64(d.Hour()*3600+d.Minute()*60+d.Second())), true
		}
	}
	return none, false
}

// castDate turns a date or an integer into type t: a dateTime is cut to its
// date or its time, a date is its midnight. An integer is taken to count as t does.
func castDate(t dataType, v value, year int) (value, bool) {
	if v.unit == typeNone {
		if v.f != math.Trunc(v.f) || math.Abs(v.f) > 1<<53 {
			return none, false
		}
		if t == typeDays || t == typeSeconds {
			return value{k: integer, f: v.f, odd: v.odd}, true
		}
		return value{k: integer, unit: t, f: v.f, odd: v.odd}, true
	}
	days := math.Floor(v.f / secondsOfDay)
	switch {
	case v.unit == t:
		return v, true
	case v.unit == typeDateTime && t == typeDate:
		return dated(t, days), true
	case v.unit == typeDateTime && t == typeTime:
		return dated(t, v.f-days*secondsOfDay), true
	case v.unit == typeDateTime && t == typeDays:
		return whole(days - epochDays(year)), true
	case v.unit == typeDateTime && t == typeSeconds && year == ofDay:
		return whole(v.f - days*secondsOfDay), true
	case v.unit == typeDateTime && t == typeSeconds:
		return whole(v.f - epochDays(year)*secondsOfDay), true
	case v.unit == typeDate && t == typeDays:
		return whole(v.f - epochDays(year)), true
	case v.unit == typeDate && t == typeSeconds && year != ofDay:
		return whole((v.f - epochDays(year)) * secondsOfDay), true
	case v.unit == typeDate && t == typeDateTime:
		return dated(t, v.f*secondsOfDay), true
	case v.unit == typeTime && t == typeSeconds && year == ofDay:
		return whole(v.f), true
	}
	return none, false
}

// moment is a date or dateTime as Go has it; a time is one of 1 January 1970.
func moment(v value) time.Time {
	if v.unit == typeDate {
		return time.Unix(int64(v.f)*secondsOfDay, 0).UTC()
	}
	return time.Unix(int64(v.f), 0).UTC()
}

// farthest is how many seconds from 1970 a date may be: 9999 years.
const farthest = 9999 * 366 * secondsOfDay

func isoDate(v value) string {
	if !(math.Abs(v.f) < farthest) {
		return fmt.Sprintf("%.0f", v.f)
	}
	switch v.unit {
	case typeDate:
		return moment(v).Format("2006-01-02")
	case typeTime:
		return moment(v).Format("15:04:05")
	}
	return moment(v).Format("2006-01-02T15:04:05")
}

// asDate takes an argument that is a date, or a text that is one.
func asDate(r *row, fn string, v value) (value, bool) {
	if v.k == text {
		if d, ok := readDate(strings.TrimSpace(v.s)); ok {
			v = d
		}
	}
	if v.k != integer || v.unit == typeNone || !(math.Abs(v.f) < farthest) {
		r.fail("", KindType, "%s is no date or time, for %s", quote(v), fn)
		return none, false
	}
	return v, true
}

func aYear(r *row, fn string, v value) (int, bool) {
	f := v.f
	if v.k == text {
		f, _ = parseNumber(v.s)
	}
	if v.k == list || f != math.Trunc(f) || f < 0 || f > 9999 {
		r.fail("", KindType, "%s is no year, for %s", quote(v), fn)
		return 0, false
	}
	return int(f), true
}

func dateDaysSinceYear(r *row, a []value) value {
	v, ok := asDate(r, "dateDaysSinceYear", a[0])
	if !ok {
		return none
	}
	year, ok := aYear(r, "dateDaysSinceYear", a[1])
	if !ok {
		return none
	}
	d, ok := castDate(typeDays, v, year)
	if !ok {
		return r.fail("", KindType, "%s is no date, for dateDaysSinceYear", quote(v))
	}
	return d
}

func dateSecondsSinceYear(r *row, a []value) value {
	v, ok := asDate(r, "dateSecondsSinceYear", a[0])
	if !ok {
		return none
	}
	year, ok := aYear(r, "dateSecondsSinceYear", a[1])
	if !ok {
		return none
	}
	d, ok := castDate(typeSeconds, v, year)
	if !ok {
		return r.fail("", KindType, "%s is no dateTime, for dateSecondsSinceYear", quote(v))
	}
	return d
}

func dateSecondsSinceMidnight(r *row, a []value) value {
	v, ok := asDate(r, "dateSecondsSinceMidnight", a[0])
	if !ok {
		return none
	}
	d, ok := castDate(typeSeconds, v, ofDay)
	if !ok {
		return r.fail("", KindType, "%s has no time of day, for dateSecondsSinceMidnight", quote(v))
	}
	return d
}

// formatDatetime writes a date as C's strftime does.
func formatDatetime(r *row, a []value) value {
	v, ok := asDate(r, "formatDatetime", a[0])
	if !ok {
		return none
	}
	var b strings.Builder
	pattern := a[1].lexical()
	if len(pattern) > maxPattern {
		return r.fail("", KindMath, "a pattern of formatDatetime is longer than %d bytes", maxPattern)
	}
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		if c != '%' {
			b.WriteByte(c)
			continue
		}
		if i++; i == len(pattern) {
			return r.fail("", KindMath, "pattern %q of formatDatetime ends in %%", clip(pattern))
		}
		if !strftime(&b, pattern[i], moment(v), v.unit) {
			return r.fail("", KindMath, "pattern %q of formatDatetime: a %v has no %%%c", clip(pattern), v.unit, pattern[i])
		}
	}
	return str(b.String())
}

// strftime writes one conversion, in the C locale; false where it is none, or
// asks of a time its date or the reverse. %e, %k and %l are not padded.
func strftime(b *strings.Builder, c byte, t time.Time, unit dataType) bool {
	const ofDate, ofTime, ofBoth = "aAbBCdDeFghGjmuUVwWxyY", "HIklLMNprRSTX", "c"
	switch {
	case strings.IndexByte(ofDate, c) >= 0 && unit == typeTime, strings.IndexByte(ofTime, c) >= 0 && unit == typeDate, strings.IndexByte(ofBoth, c) >= 0 && unit != typeDateTime:
		return false
	}
	layouts := map[byte]string{
		'a': "Mon", 'A': "Monday", 'b': "Jan", 'h': "Jan", 'B': "January", 'd': "02", 'D': "01/02/06", 'e': "2", 'F': "2006-01-02", 'H': "15", 'I': "03", 'j': "002", 'k': "15", 'l': "3",
		'L': "000", 'm': "01", 'M': "04", 'N': "000000000", 'p': "pm", 'r': "03:04:05 PM", 'R': "15:04", 'S': "05", 'T': "15:04:05", 'x': "01/02/06", 'X': "15:04:05",
		'y': "06", 'Y': "2006", 'c': "Mon Jan _2 15:04:05 2006", 'n': "\n", 't': "\t", '%': "%",
	}
	year, week := t.ISOWeek()
	switch c {
	case 'C':
		fmt.Fprintf(b, "%02d", t.Year()/100)
	case 'G':
		fmt.Fprintf(b, "%d", year)
	case 'g':
		fmt.Fprintf(b, "%02d", year%100)
	case 'V':
		fmt.Fprintf(b, "%02d", week)
	case 'u':
		fmt.Fprintf(b, "%d", (int(t.Weekday())+6)%7+1)
	case 'w':
		fmt.Fprintf(b, "%d", t.Weekday())
	case 'U': // weeks begin with Sunday
		fmt.Fprintf(b, "%02d", (t.YearDay()+6-int(t.Weekday()))/7)
	case 'W': // weeks begin with Monday
		fmt.Fprintf(b, "%02d", (t.YearDay()+6-(int(t.Weekday())+6)%7)/7)
	case 'k':
		fmt.Fprintf(b, "%d", t.Hour())
	case 'L', 'N', 'n', 't', '%':
		b.WriteString(layouts[c])
	default:
		layout, ok := layouts[c]
		if !ok {
			return false
		}
		b.WriteString(t.Format(layout))
	}
	return true
}
