package payload

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// tree reads any JSON, numbers as written.
func tree(b []byte) (any, *Error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	if err == nil && dec.More() {
		err = fmt.Errorf("something follows the message")
	}
	if err != nil {
		return nil, &Error{Malformed, "byte " + strconv.FormatInt(dec.InputOffset(), 10), err.Error(), "send JSON (RFC 8259), UTF-8, whole"}
	}
	return v, nil
}

// scalar reads a value: a number, a number in quotes, true as 1 and false as 0.
// null is absent; ok is false for what is no value.
func scalar(v any) (f float64, ok bool) {
	switch v := v.(type) {
	case json.Number:
		f, err := strconv.ParseFloat(v.String(), 64)
		return f, err == nil
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return f, err == nil
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case nil:
		return math.NaN(), true
	}
	return 0, false
}

func integer(v any) (int64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	if err != nil {
		f, err := n.Float64()
		if err != nil || math.Abs(f) > 1<<53 {
			return 0, false
		}
		return int64(f), true
	}
	return i, true
}

// keys of an object, in order: maps have none.
func keys(m map[string]any) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// flat appends the values of an object, those of objects in it under joined names.
func flat(out []Sample, m map[string]any, prefix string, like Sample, depth int) []Sample {
	for _, k := range keys(m) {
		s := like
		s.Name = prefix + k
		if sub, ok := m[k].(map[string]any); ok && depth > 0 {
			out = flat(out, sub, s.Name+"_", like, depth-1)
			continue
		}
		v, ok := scalar(m[k])
		s.Value, s.Dropped = v, !ok
		out = append(out, s)
	}
	return out
}

const milli = int64(time.Millisecond)

// thingsBoard reads the telemetry of ThingsBoard's device and gateway API:
//
//	{"temperature":42}                                  no time
//	{"ts":1451649600512,"values":{"temperature":42}}    and arrays of both
//	{"Device A":[{"ts":…,"values":{…}}],"Device B":[…]}
func thingsBoard(b []byte) ([]Sample, *Error) {
	v, e := tree(b)
	if e != nil {
		return nil, e
	}
	var out []Sample
	if m, ok := v.(map[string]any); ok && len(m) > 0 {
		gateway := true
		for _, x := range m {
			_, list := x.([]any)
			gateway = gateway && list
		}
		if gateway {
			for _, name := range keys(m) {
				if telemetry.ValidID(name) != nil {
					return nil, &Error{WrongShape, name, "is no name of a device here", "name devices with letters, digits, . _ -"}
				}
				for i, x := range m[name].([]any) {
					if out, e = thing(out, x, name, fmt.Sprintf("%s[%d]", name, i)); e != nil {
						return nil, e
					}
				}
			}
			return out, nil
		}
	}
	if list, ok := v.([]any); ok {
		for i, x := range list {
			if out, e = thing(out, x, "", fmt.Sprintf("[%d]", i)); e != nil {
				return nil, e
			}
		}
		return out, nil
	}
	return thing(out, v, "", "")
}

func thing(out []Sample, v any, device, at string) ([]Sample, *Error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, &Error{WrongShape, at, "is no object", `send {"ts":1451649600512,"values":{"hookload":281.4}}`}
	}
	like := Sample{Device: device, Untimed: true}
	if values, ok := m["values"].(map[string]any); ok {
		ms, ok := integer(m["ts"])
		if m["ts"] != nil && (!ok || ms < -maxMillis || ms > maxMillis) {
			return nil, &Error{WrongShape, at + ".ts", "is no number of milliseconds since 1970", "send ts as 1451649600512"}
		}
		if ok && likelySeconds(float64(ms)) {
			return nil, noTime(at+".ts", strconv.FormatInt(ms, 10))
		}
		if ok {
			like.TS, like.Untimed = ms*milli, false
		}
		m = values
	}
	return flat(out, m, "", like, 0), nil
}

// aws reads a device shadow's reported state and SiteWise property values:
//
//	{"state":{"reported":{"WOB":101.2}},"timestamp":1795341600}
//	{"entries":[{"propertyAlias":"/rig/WOB","propertyValues":[{"value":{"doubleValue":1},
//	  "timestamp":{"timeInSeconds":1795341600,"offsetInNanos":0},"quality":"GOOD"}]}]}
func aws(b []byte) ([]Sample, *Error) {
	v, e := tree(b)
	if e != nil {
		return nil, e
	}
	m, ok := v.(map[string]any)
	shape := &Error{WrongShape, "", "is neither a shadow with state.reported nor SiteWise property values", `send {"state":{"reported":{"WOB":101.2}},"timestamp":1795341600} or {"propertyAlias":…,"propertyValues":[…]}`}
	if !ok {
		return nil, shape
	}
	if m["propertyValues"] != nil {
		return siteWise(nil, m, "")
	}
	if entries, ok := m["entries"].([]any); ok {
		var out []Sample
		for i, x := range entries {
			at := fmt.Sprintf("entries[%d]", i)
			entry, ok := x.(map[string]any)
			if !ok {
				return nil, &Error{WrongShape, at, "is no object", shape.Cure}
			}
			if out, e = siteWise(out, entry, at+"."); e != nil {
				return nil, e
			}
		}
		return out, nil
	}
	doc := m
	if current, ok := m["current"].(map[string]any); ok { // …/shadow/update/documents
		doc = current
	}
	state, _ := doc["state"].(map[string]any)
	reported, ok := state["reported"].(map[string]any)
	if !ok {
		return nil, shape
	}
	like := Sample{Untimed: true}
	if s, ok := integer(m["timestamp"]); ok && s > 0 && s < maxMillis/1000 {
		like.TS, like.Untimed = s*int64(time.Second), false
	}
	return flat(nil, reported, "", like, 4), nil
}

func siteWise(out []Sample, m map[string]any, at string) ([]Sample, *Error) {
	alias, _ := m["propertyAlias"].(string)
	if alias == "" {
		alias, _ = m["propertyId"].(string)
	}
	name := alias[strings.LastIndexByte(alias, '/')+1:]
	list, ok := m["propertyValues"].([]any)
	if name == "" || !ok {
		return nil, &Error{WrongShape, at + "propertyAlias", "or propertyValues is missing", `send {"propertyAlias":"/rig/WOB","propertyValues":[…]}`}
	}
	for i, x := range list {
		where := fmt.Sprintf("%spropertyValues[%d]", at, i)
		p, _ := x.(map[string]any)
		when, _ := p["timestamp"].(map[string]any)
		sec, ok := integer(when["timeInSeconds"])
		if !ok || sec < 0 || sec > maxMillis/1000 {
			return nil, &Error{WrongShape, where + ".timestamp.timeInSeconds", "is no number of seconds since 1970", `send {"timeInSeconds":1795341600,"offsetInNanos":0}`}
		}
		ns, _ := integer(when["offsetInNanos"])
		s := Sample{Name: name, TS: sec*int64(time.Second) + min(max(ns, 0), 999_999_999)}
		value, _ := p["value"].(map[string]any)
		s.Dropped = true
		for _, k := range []string{"doubleValue", "integerValue", "booleanValue"} {
			if x, there := value[k]; there {
				v, ok := scalar(x)
				s.Value, s.Dropped = v, !ok
			}
		}
		switch p["quality"] {
		case "BAD":
			s.Value = math.NaN()
		case "UNCERTAIN":
			s.Quality = telemetry.Estimated
		}
		out = append(out, s)
	}
	return out, nil
}

// senML reads a SenML pack (RFC 8428, JSON). Strings and data values are
// dropped and counted; of sums only the value is taken.
func senML(b []byte, now time.Time) ([]Sample, *Error) {
	v, e := tree(b)
	if e != nil {
		return nil, e
	}
	list, ok := v.([]any)
	if !ok {
		return nil, &Error{WrongShape, "", "is no array of records", `send [{"bn":"rig7/","n":"WOB","u":"N","v":101200}]`}
	}
	var base struct {
		name, unit   string
		time, number float64
	}
	var out []Sample
	for i, x := range list {
		at := fmt.Sprintf("[%d]", i)
		r, ok := x.(map[string]any)
		if !ok {
			return nil, &Error{WrongShape, at, "is no object", "each element must be a SenML record"}
		}
		for k, x := range r {
			if strings.HasSuffix(k, "_") { // RFC 8428, 4.4: must be understood
				return nil, &Error{WrongShape, at + "." + k, "is a field that must be understood and is not", "leave it out"}
			}
			var err bool
			switch k {
			case "bn":
				base.name, ok = x.(string)
				err = !ok
			case "bu":
				base.unit, ok = x.(string)
				err = !ok
			case "bt":
				base.time, ok = scalar(x)
				err = !ok
			case "bv":
				base.number, ok = scalar(x)
				err = !ok
			case "bver":
				n, ok := integer(x)
				err = !ok || n > 10
			}
			if err {
				return nil, &Error{WrongShape, at + "." + k, "has a wrong type or version", "see RFC 8428, 4.1"}
			}
		}
		n, _ := r["n"].(string)
		full := base.name + n
		s := Sample{Name: full[strings.LastIndexAny(full, "/:")+1:]}
		if device := strings.TrimRight(full[:len(full)-len(s.Name)], "/:"); telemetry.ValidID(device) == nil {
			s.Device = device
		}
		if s.Name == "" {
			if r["v"] == nil && r["vb"] == nil && r["vs"] == nil && r["vd"] == nil && r["s"] == nil {
				continue // base values only
			}
			return nil, &Error{WrongShape, at + ".n", "is missing", "name each record, by bn or n"}
		}
		if s.Unit, _ = r["u"].(string); s.Unit == "" {
			s.Unit = base.unit
		}
		t := base.time
		if r["t"] != nil {
			dt, ok := scalar(r["t"])
			if !ok {
				return nil, &Error{WrongShape, at + ".t", "is no number of seconds", "see RFC 8428, 4.5.3"}
			}
			t += dt
		}
		switch { // below 2**28 a time is relative to now
		case t == 0 && r["t"] == nil:
			s.Untimed = true
		case math.Abs(t) < 1<<28:
			s.TS = now.UnixNano() + int64(t*1e9)
		case t != t || math.Abs(t) > maxMillis/1000:
			return nil, &Error{WrongShape, at + ".t", "is no time between 1900 and 2200", "send seconds since 1970"}
		default:
			whole, part := math.Modf(t)
			s.TS = int64(whole)*int64(time.Second) + int64(math.Round(part*1e6))*1000
		}
		switch {
		case r["v"] != nil:
			v, ok := r["v"].(json.Number)
			f, err := strconv.ParseFloat(v.String(), 64)
			s.Value, s.Dropped = base.number+f, !ok || err != nil
		case r["vb"] != nil:
			v, ok := r["vb"].(bool)
			s.Value, _ = scalar(v)
			s.Dropped = !ok
		case r["vs"] != nil || r["vd"] != nil:
			s.Dropped = true
		case r["s"] != nil:
			continue
		default:
			s.Value = base.number
		}
		out = append(out, s)
	}
	return out, nil
}
