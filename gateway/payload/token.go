package payload

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"
)

const maxDepth = 32

// bad reports JSON that cannot be read, at the next byte.
func (d *Decoder) bad(message string) *Error {
	if d.i >= len(d.b) {
		message += "; the message ends here"
	} else {
		message += "; found " + strconv.QuoteRune(firstRune(d.b[d.i:]))
	}
	return &Error{Malformed, "byte " + strconv.Itoa(d.i), message, "send JSON (RFC 8259), UTF-8, whole"}
}

func firstRune(b []byte) rune { r, _ := utf8.DecodeRune(b); return r }

// view shares b's memory: for parsers that keep nothing.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// peek passes white space and returns the next byte, 0 at the end.
func (d *Decoder) peek() byte {
	for d.i < len(d.b) {
		switch c := d.b[d.i]; c {
		case ' ', '\t', '\r', '\n':
			d.i++
		default:
			return c
		}
	}
	return 0
}

// next passes a comma (more) or the closing byte.
func (d *Decoder) next(end byte) (more bool, e *Error) {
	switch d.peek() {
	case ',':
		d.i++
		return true, nil
	case end:
		if end != 0 {
			d.i++
			return false, nil
		}
	}
	return false, d.bad("want , or " + string(end))
}

// key reads `"key":` of an object; more is false at its end. The key is valid
// until the message is.
func (d *Decoder) key(first bool) (key []byte, more bool, e *Error) {
	c := d.peek()
	if c == '}' {
		d.i++
		return nil, false, nil
	}
	if !first {
		if c != ',' {
			return nil, false, d.bad("want , or }")
		}
		d.i++
		c = d.peek()
	}
	if c != '"' {
		return nil, false, d.bad("want a key in quotes")
	}
	if key, e = d.str(); e != nil {
		return nil, false, e
	}
	if d.peek() != ':' {
		return nil, false, d.bad("want : after a key")
	}
	d.i++
	return key, true, nil
}

// str reads a string; the quote is next.
func (d *Decoder) str() ([]byte, *Error) {
	from := d.i
	escaped, ascii := false, true
	for i := from + 1; i < len(d.b); i++ {
		switch c := d.b[i]; {
		case c == '"':
			s := d.b[from+1 : i]
			d.i = i + 1
			if !escaped {
				if !ascii && !utf8.Valid(s) {
					d.i = from
					return nil, d.bad("a string is not UTF-8")
				}
				return s, nil
			}
			var out string
			if err := json.Unmarshal(d.b[from:d.i], &out); err != nil {
				d.i = from
				return nil, d.bad("a string cannot be read")
			}
			return []byte(out), nil
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			d.i = i
			return nil, d.bad("a control character in a string")
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	d.i = len(d.b)
	return nil, d.bad("a string does not end")
}

// skip passes one value of any kind.
func (d *Decoder) skip() *Error {
	switch c := d.peek(); {
	case c == '"':
		_, e := d.str()
		return e
	case c == '{' || c == '[':
		if d.depth == maxDepth {
			return &Error{TooLarge, "byte " + strconv.Itoa(d.i), "nested deeper than " + strconv.Itoa(maxDepth), "send flat objects"}
		}
		d.depth++
		e := d.skipIn(c)
		d.depth--
		return e
	case c == 't':
		return d.word("true")
	case c == 'f':
		return d.word("false")
	case c == 'n' && d.i+1 < len(d.b) && d.b[d.i+1] == 'u':
		return d.word("null")
	}
	_, _, e := d.float()
	return e
}

func (d *Decoder) skipIn(open byte) *Error {
	d.i++
	if open == '{' {
		for first := true; ; first = false {
			_, more, e := d.key(first)
			if e != nil || !more {
				return e
			}
			if e := d.skip(); e != nil {
				return e
			}
		}
	}
	if d.peek() == ']' {
		d.i++
		return nil
	}
	for {
		if e := d.skip(); e != nil {
			return e
		}
		more, e := d.next(']')
		if e != nil || !more {
			return e
		}
	}
}

// word passes a literal.
func (d *Decoder) word(w string) *Error {
	if len(d.b)-d.i < len(w) || view(d.b[d.i:d.i+len(w)]) != w {
		return d.bad("want " + w)
	}
	d.i += len(w)
	if d.i < len(d.b) {
		if c := d.b[d.i]; c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' {
			return d.bad("want " + w + " alone")
		}
	}
	return nil
}

// float reads a number, a number in quotes, true as 1 and false as 0. NaN with ok:
// absent (null, NaN, Infinity, in quotes too, or nothing between them). Not ok: a
// value of another type, which is passed over, or a number beyond float64.
func (d *Decoder) float() (v float64, ok bool, e *Error) {
	c := d.peek()
	switch c {
	case 'n':
		if d.i+1 < len(d.b) && d.b[d.i+1] == 'a' {
			return math.NaN(), true, d.word("nan")
		}
		return math.NaN(), true, d.word("null")
	case 'N':
		return math.NaN(), true, d.word("NaN")
	case 'I':
		return math.NaN(), true, d.word("Infinity")
	case '"':
		s, e := d.str()
		if e != nil {
			return math.NaN(), false, e
		}
		v, ok := quoted(view(s))
		return v, ok, nil
	case 't':
		return 1, true, d.word("true")
	case 'f':
		return 0, true, d.word("false")
	case '{', '[':
		return math.NaN(), false, d.skip()
	}
	from, i := d.i, d.i
	if c == '-' {
		i++
		if i < len(d.b) && (d.b[i] == 'I' || d.b[i] == 'N') {
			d.i = i
			if d.b[i] == 'I' {
				return math.NaN(), true, d.word("Infinity")
			}
			return math.NaN(), true, d.word("NaN")
		}
	}
	// Decimal digits into m, exactly while there are at most 19.
	var m uint64
	digits, exp, lead := 0, 0, i
	for ; i < len(d.b) && d.b[i]-'0' <= 9; i++ {
		m = m*10 + uint64(d.b[i]-'0')
		digits++
	}
	if digits == 0 || digits > 1 && d.b[lead] == '0' {
		return 0, false, d.bad("want a value")
	}
	if i < len(d.b) && d.b[i] == '.' {
		i++
		dot := i
		for ; i < len(d.b) && d.b[i]-'0' <= 9; i++ {
			m = m*10 + uint64(d.b[i]-'0')
			digits++
			exp--
		}
		if i == dot {
			d.i = i
			return 0, false, d.bad("want a digit after the point")
		}
	}
	simple := true
	if i < len(d.b) && d.b[i]|0x20 == 'e' {
		simple = false
		i++
		if i < len(d.b) && (d.b[i] == '+' || d.b[i] == '-') {
			i++
		}
		at := i
		for ; i < len(d.b) && d.b[i]-'0' <= 9; i++ {
		}
		if i == at {
			d.i = i
			return 0, false, d.bad("want a digit in the exponent")
		}
	}
	d.i = i
	// Both m and the power of ten are exact in float64, so one division rounds once.
	if simple && digits <= 19 && m < 1<<53 && exp >= -22 {
		v = float64(m)
		if exp < 0 {
			v /= tens[-exp]
		}
		if c == '-' {
			v = -v
		}
		return v, true, nil
	}
	v, err := strconv.ParseFloat(view(d.b[from:i]), 64)
	if err != nil {
		return math.NaN(), false, nil
	}
	return v, true, nil
}

var tens = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// quoted reads a number that came in quotes; NaN with ok: absent.
func quoted(s string) (v float64, ok bool) {
	s = strings.TrimSpace(s)
	if s == "" || strings.EqualFold(s, "null") {
		return math.NaN(), true
	}
	if strings.ContainsAny(s, "_xX") { // Go's, nobody else's
		return math.NaN(), false
	}
	v, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil:
		return math.NaN(), false
	case math.IsInf(v, 0):
		return math.NaN(), true
	}
	return v, true
}
