package payload

import (
	"bytes"
	"math"
	"strconv"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// JSON decodes one message of ours:
//
//	{"device":"edr-1","boot":"b1","seq":17,"ts":"2026-11-22T10:00:00.000Z",
//	 "channels":{"WOB":{"every_ms":100,"values":[101.2,100.8,null],"q":"001"},"MTO":52.3}}
//	{"ts":1795342400000,"values":{"WOB":101.2}}
//	[…either…]
//
// A channel may be {"value":2600,"unit":"psi"}, a value a number in quotes. A sample
// of a wrong type is dropped and counted; NaN, Infinity, null, -999.25 and -9999 are
// absent; keys we do not know are passed over.
func (d *Decoder) JSON(b []byte) ([]Item, *Error) {
	d.reset()
	d.b, d.i, d.depth = bytes.TrimPrefix(b, []byte("\ufeff")), 0, 0
	e := d.message()
	d.b = nil
	if e != nil {
		return nil, e
	}
	return d.items, nil
}

func (d *Decoder) message() *Error {
	if len(d.b) > telemetry.MaxFrameBytes {
		return &Error{TooLarge, "", strconv.Itoa(len(d.b)) + " bytes, at most " + strconv.Itoa(telemetry.MaxFrameBytes) + " are taken", "send one second a message"}
	}
	switch d.peek() {
	case '{':
		if e := d.frame(""); e != nil {
			return e
		}
	case '[':
		d.i++
		for n := 0; ; n++ {
			if d.peek() == ']' && n == 0 {
				d.i++
				break
			}
			at := "[" + strconv.Itoa(n) + "]"
			if n == MaxFrames {
				return &Error{TooLarge, at, "more than " + strconv.Itoa(MaxFrames) + " frames in one message", "send fewer at once"}
			}
			if d.peek() != '{' {
				return &Error{WrongShape, at, "is no object", "each element must be a frame"}
			}
			if e := d.frame(at + "."); e != nil {
				return e
			}
			more, e := d.next(']')
			if e != nil {
				return e
			}
			if !more {
				break
			}
		}
	case 0:
		return d.bad("the message is empty")
	default:
		if d.b[d.i] == '"' || d.b[d.i] == '-' || d.b[d.i] >= '0' && d.b[d.i] <= '9' {
			return &Error{WrongShape, "", "is no object", `send {"ts":…,"channels":{…}} or an array of such`}
		}
		return d.bad("want { or [")
	}
	if d.peek() != 0 || d.i < len(d.b) {
		return d.bad("something follows the message")
	}
	return nil
}

// frame reads one object; at names it in errors, ending in a dot.
func (d *Decoder) frame(at string) *Error {
	start := d.i
	it := d.item()
	f := &it.Frame
	boot, seq, ts, body := false, false, false, false
	d.i++ // {
	for first := true; ; first = false {
		key, more, e := d.key(first)
		if e != nil {
			return e
		}
		if !more {
			break
		}
		switch string(key) {
		case "device":
			f.Device, e = d.name(at + "device")
		case "boot":
			f.Boot, e = d.name(at + "boot")
			boot = f.Boot != ""
		case "seq":
			f.Seq, seq, e = d.seq(at + "seq")
		case "ts":
			f.TS, ts, e = d.time(at + "ts")
		case "channels", "values":
			body = true
			if d.peek() != '{' {
				return &Error{WrongShape, at + string(key), "is no object", `send {"WOB":101.2,…}`}
			}
			e = d.channels(it)
		case "simulated":
			f.Simulated = d.peek() == 't'
			e = d.skip()
		case "origin":
			var s string
			s, e = d.name(at + "origin")
			switch s {
			case "backfill":
				f.Origin = telemetry.Backfill
			case "live", "":
			default:
				return &Error{WrongShape, at + "origin", strconv.Quote(s) + " is neither live nor backfill", "leave origin out, or say backfill of history"}
			}
		default:
			e = d.skip()
		}
		if e != nil {
			return e
		}
	}
	if !body {
		return &Error{WrongShape, at + "channels", "is missing", `send {"ts":…,"channels":{"WOB":101.2,…}}; a flat {"WOB":101.2,…} is read on …/thingsboard`}
	}
	if !boot || !seq {
		f.Flags |= telemetry.FlagUnnumbered
	}
	if !ts {
		f.Flags |= telemetry.FlagUntimed
		f.TS = 0
	}
	it.Raw = d.b[start:d.i]
	if e := d.identity(f); e != nil {
		e.Field = at + e.Field
		return e
	}
	return nil
}

// channels reads {"WOB":…,…}; the brace is next.
func (d *Decoder) channels(it *Item) *Error {
	d.i++
	for first, n := true, 0; ; first, n = false, n+1 {
		key, more, e := d.key(first)
		if e != nil || !more {
			return e
		}
		if n == telemetry.MaxRuns {
			return &Error{TooLarge, "channels", "more than " + strconv.Itoa(telemetry.MaxRuns) + " in one frame", "send them in frames of their own"}
		}
		r := telemetry.Run{Channel: d.intern(key)}
		d.channel = r.Channel
		from := len(d.values)
		switch d.peek() {
		case '{':
			ok, e := d.run(it, &r)
			if e != nil {
				return e
			}
			if !ok {
				continue
			}
		case '[':
			if e := d.array(it); e != nil {
				return e
			}
			r.Values = d.values[from:len(d.values):len(d.values)]
		default:
			if e := d.sample(it); e != nil {
				return e
			}
			r.Values = d.values[from:len(d.values):len(d.values)]
		}
		d.add(it, r)
	}
}

// run reads {"every_ms":100,"offset_ms":0,"values":[…],"unit":"psi","q":"…"}; not ok: it is set aside.
func (d *Decoder) run(it *Item, r *telemetry.Run) (ok bool, e *Error) {
	d.i++
	var wrong *Error
	var q []byte
	hasQ, hasValues, unit := false, false, ""
	for first := true; ; first = false {
		key, more, e := d.key(first)
		if e != nil {
			return false, e
		}
		if !more {
			break
		}
		switch string(key) {
		case "every_ms", "offset_ms":
			every := key[0] == 'e'
			v, good, e := d.float()
			if e != nil {
				return false, e
			}
			if !good || v != v || math.Abs(v) > 1e12 {
				field := ".offset_ms"
				if every {
					field = ".every_ms"
				}
				wrong = &Error{WrongShape, path(r.Channel) + field, "is no number of milliseconds", "send a number, as 100"}
				continue
			}
			ns := int64(math.Round(v*1e3)) * 1e3
			if every && v > 0 && v < 1 { // a waveform: 0.078125 is 12.8 kHz
				ns = int64(math.Round(v * 1e6))
			}
			if every {
				r.Every = ns
			} else {
				r.Offset = ns
			}
		case "unit":
			if unit, e = d.name(path(r.Channel) + ".unit"); e != nil {
				return false, e
			}
		case "values", "value":
			from := len(d.values)
			if d.peek() == '[' {
				e = d.array(it)
			} else {
				e = d.sample(it)
			}
			if e != nil {
				return false, e
			}
			if hasValues {
				wrong = &Error{WrongShape, path(r.Channel) + ".values", "is given twice", "give it once"}
			}
			hasValues = true
			r.Values = d.values[from:len(d.values):len(d.values)]
		case "q":
			if d.peek() != '"' {
				if e := d.skip(); e != nil {
					return false, e
				}
				wrong = &Error{WrongShape, path(r.Channel) + ".q", "is no string", `send a digit a sample, as "0012"`}
				continue
			}
			q, e = d.str()
			if e != nil {
				return false, e
			}
			hasQ = true
		default:
			if e := d.skip(); e != nil {
				return false, e
			}
		}
	}
	switch {
	case wrong != nil:
	case !hasValues:
		wrong = &Error{WrongShape, path(r.Channel) + ".values", "is missing", `send {"every_ms":100,"values":[…]}, or {"value":101.2}, or the number alone`}
	case hasQ && len(q) != len(r.Values):
		wrong = &Error{WrongShape, path(r.Channel) + ".q", strconv.Itoa(len(q)) + " digits for " + strconv.Itoa(len(r.Values)) + " samples", "send a digit a sample"}
	}
	if wrong == nil && hasQ {
		from := len(d.q)
		for _, c := range q {
			if c < '0' || c > '9' {
				wrong = &Error{WrongShape, path(r.Channel) + ".q", "holds something that is no digit", `send a digit a sample, as "0012"`}
				break
			}
			d.q = append(d.q, c-'0')
		}
		r.Quality = d.q[from:len(d.q):len(d.q)]
	}
	if wrong != nil {
		it.Aside = append(it.Aside, *wrong)
		return false, nil
	}
	if unit != "" {
		if it.Units == nil {
			it.Units = map[string]string{}
		}
		it.Units[r.Channel] = unit
	}
	return true, nil
}

// array reads [101.2,null,…] into d.values; the bracket is next.
func (d *Decoder) array(it *Item) *Error {
	d.i++
	if d.peek() == ']' {
		d.i++
		return nil
	}
	for {
		if e := d.sample(it); e != nil {
			return e
		}
		// The usual: a comma or bracket follows at once.
		if d.i < len(d.b) {
			switch d.b[d.i] {
			case ',':
				d.i++
				continue
			case ']':
				d.i++
				return nil
			}
		}
		more, e := d.next(']')
		if e != nil || !more {
			return e
		}
	}
}

// sample reads one value into d.values, NaN if it is absent or cannot be read.
func (d *Decoder) sample(it *Item) *Error {
	if len(d.values) >= telemetry.MaxSamples {
		return &Error{TooLarge, "values", "more than " + strconv.Itoa(telemetry.MaxSamples) + " samples in one message", "send one second a message"}
	}
	v, ok, e := d.float()
	if e != nil {
		return e
	}
	if !ok {
		it.drop(d.channel)
	}
	d.values = append(d.values, v)
	return nil
}

// name reads a string that names something; a number or null is taken as its text or as none.
func (d *Decoder) name(at string) (string, *Error) {
	switch c := d.peek(); {
	case c == '"':
		s, e := d.str()
		if e != nil {
			return "", e
		}
		return d.intern(s), nil
	case c == 'n':
		return "", d.skip()
	case c == '-' || c >= '0' && c <= '9':
		from := d.i
		if e := d.skip(); e != nil {
			return "", e
		}
		return d.intern(d.b[from:d.i]), nil
	}
	return "", &Error{WrongShape, at, "is no string", "send a string"}
}

// seq reads a number, or a string of digits.
func (d *Decoder) seq(at string) (seq uint64, ok bool, e *Error) {
	var s []byte
	switch c := d.peek(); {
	case c == '"':
		if s, e = d.str(); e != nil {
			return 0, false, e
		}
	case c == 'n':
		return 0, false, d.skip()
	default:
		from := d.i
		if e := d.skip(); e != nil {
			return 0, false, e
		}
		s = d.b[from:d.i]
	}
	v, err := strconv.ParseUint(view(s), 10, 64)
	if err != nil {
		return 0, false, &Error{WrongShape, at, "is no whole number from 0 to 18446744073709551615", "count the frames of each boot from 0 or 1, as a number or a string"}
	}
	return v, true, nil
}

// time reads RFC 3339, or milliseconds since 1970 as a number or a string.
func (d *Decoder) time(at string) (ns int64, ok bool, e *Error) {
	var s []byte
	quoted := false
	switch c := d.peek(); {
	case c == '"':
		if s, e = d.str(); e != nil {
			return 0, false, e
		}
		quoted = true
	case c == 'n':
		return 0, false, d.skip()
	default:
		from := d.i
		if e := d.skip(); e != nil {
			return 0, false, e
		}
		s = d.b[from:d.i]
	}
	if len(s) == 0 {
		return 0, false, nil
	}
	if ms, err := strconv.ParseInt(view(s), 10, 64); err == nil && ms > -maxMillis && ms < maxMillis && !likelySeconds(float64(ms)) {
		return ms * 1e6, true, nil
	}
	if ms, err := strconv.ParseFloat(view(s), 64); err == nil && math.Abs(ms) < maxMillis && !likelySeconds(ms) {
		return int64(math.Round(ms*1e3)) * 1e3, true, nil
	}
	if quoted {
		if t, err := time.Parse(time.RFC3339Nano, view(s)); err == nil && t.Year() >= 1900 && t.Year() < 2200 {
			return microseconds(t.UnixNano()), true, nil
		}
	}
	return 0, false, noTime(at, view(s))
}
