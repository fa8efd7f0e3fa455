package payload

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// influx reads InfluxDB's line protocol, as Telegraf publishes it:
//
//	edr,device=edr-1 WOB=101.2,SPP=18.5,pumps=2i,on=t,note="text" 1795341600000000000
//
// A field is a channel; one called value is called as its measurement. The tag
// device names the sender; other tags are passed over. Times are nanoseconds.
// https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
func influx(b []byte) ([]Sample, *Error) {
	if !utf8.Valid(b) {
		return nil, &Error{Malformed, "", "is not UTF-8", cureInflux}
	}
	var out []Sample
	for n, line := range bytes.Split(b, []byte("\n")) {
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' {
			continue
		}
		where := fmt.Sprintf("line %d", n+1)
		head, rest := until(text, ' ', false)
		fields, stamp := until(strings.TrimLeft(rest, " "), ' ', true)
		if fields == "" {
			return nil, &Error{Malformed, where, "has no fields", cureInflux}
		}
		like := Sample{}
		measurement, tags := until(head, ',', false)
		for tags != "" {
			var tag string
			tag, tags = until(tags, ',', false)
			if key, value := until(tag, '=', false); key == "device" {
				like.Device = plain(value)
			}
		}
		switch stamp = strings.TrimSpace(stamp); {
		case stamp == "":
			like.Untimed = true
		default:
			ns, err := strconv.ParseInt(stamp, 10, 64)
			if err != nil || math.Abs(float64(ns)) > maxMillis*1e6 || ns > 0 && ns < maxMillis { // seconds or milliseconds of this age
				return nil, &Error{WrongShape, where + " timestamp", strconv.Quote(stamp) + " is no time in nanoseconds", "send nanoseconds since 1970 (Telegraf: influx_timestamp_units = \"1ns\")"}
			}
			like.TS = ns
		}
		for fields != "" {
			var field string
			field, fields = until(fields, ',', true)
			key, value := until(field, '=', false)
			if key == "" || value == "" {
				return nil, &Error{Malformed, where, fmt.Sprintf("%.40q is no field", field), cureInflux}
			}
			s := like
			if s.Name = plain(key); s.Name == "value" {
				s.Name = plain(measurement)
			}
			s.Value, s.Dropped = fieldValue(value)
			out = append(out, s)
		}
	}
	return out, nil
}

const cureInflux = "send line protocol, as edr,device=edr-1 WOB=101.2,SPP=18.5 1795341600000000000"

// until cuts s at the first sep that no backslash stands before and, where quotes
// count, that lies in none.
func until(s string, sep byte, quotes bool) (before, after string) {
	in := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case quotes && s[i] == '"':
			in = !in
		case s[i] == sep && !in:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

var unescaped = strings.NewReplacer(`\,`, ",", `\=`, "=", `\ `, " ", `\\`, `\`)

func plain(s string) string { return unescaped.Replace(s) }

// fieldValue reads the value of a field: a float, an integer ending in i or u, a
// boolean; text is dropped.
func fieldValue(s string) (v float64, dropped bool) {
	switch s {
	case "t", "T", "true", "True", "TRUE":
		return 1, false
	case "f", "F", "false", "False", "FALSE":
		return 0, false
	}
	if s[0] == '"' {
		return math.NaN(), true
	}
	if n := len(s) - 1; n > 0 && (s[n] == 'i' || s[n] == 'u') {
		s = s[:n]
	}
	v, ok := quoted(s)
	return v, !ok
}

// bare reads one value that is the whole message, of the channel that the topic names.
func bare(b []byte, o Options) ([]Sample, *Error) {
	text := strings.TrimSpace(string(b))
	v, ok := quoted(strings.Trim(text, `"`))
	switch strings.ToLower(text) {
	case "true", "on":
		v, ok = 1, true
	case "false", "off":
		v, ok = 0, true
	}
	if !ok {
		return nil, &Error{WrongShape, "", fmt.Sprintf("%.40q is no number", text), "send one number and nothing else, with a decimal point, as 101.2"}
	}
	return []Sample{{Name: o.Channel, Untimed: true, Value: v}}, nil
}
