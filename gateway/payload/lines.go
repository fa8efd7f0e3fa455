package payload

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// times are the layouts of a CSV's time column beside RFC 3339 and
// milliseconds; without a zone they are UTC.
var times = []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006/01/02 15:04:05.999999999"}

func textTime(s string) (ns int64, ok bool) {
	if ms, err := strconv.ParseFloat(s, 64); err == nil {
		return int64(math.Round(ms*1e3)) * 1e3, math.Abs(ms) < maxMillis && !likelySeconds(ms)
	}
	for _, layout := range times {
		if t, err := time.Parse(layout, s); err == nil && t.Year() >= 1900 && t.Year() < 2200 {
			return t.UnixNano(), true
		}
	}
	return 0, false
}

// csv reads lines of values under a header line, or under the columns given;
// separated by comma, semicolon (with decimal commas) or tab. A line is a frame.
func (d *Decoder) csv(b []byte, o Options) ([]Item, *Error) {
	text := strings.TrimPrefix(string(b), "\ufeff")
	first, _, _ := strings.Cut(text, "\n")
	comma := ','
	for _, c := range []rune{';', '\t'} {
		if strings.ContainsRune(first, c) {
			comma = c
			break
		}
	}
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace, r.ReuseRecord = comma, -1, true, true
	columns := o.Columns
	for n := 0; ; n++ {
		line, err := r.Read()
		if err != nil {
			if n > 0 && err.Error() == "EOF" {
				return d.items, nil
			}
			if err.Error() == "EOF" {
				return nil, &Error{WrongShape, "", "the message is empty", "send a header line and lines of values"}
			}
			return nil, &Error{Malformed, "", err.Error(), "send CSV (RFC 4180)"}
		}
		if columns == nil {
			columns = append([]string(nil), line...)
			continue
		}
		at, _ := r.FieldPos(0)
		where := fmt.Sprintf("line %d", at)
		if len(line) != len(columns) {
			return nil, &Error{WrongShape, where, fmt.Sprintf("has %d fields for %d columns", len(line), len(columns)), "send a field a column; leave absent values empty"}
		}
		if len(d.items) == MaxFrames {
			return nil, &Error{TooLarge, where, fmt.Sprintf("more than %d lines in one message", MaxFrames), "send fewer at once"}
		}
		if e := d.line(line, columns, comma == ';', where); e != nil {
			return nil, e
		}
	}
}

// line makes one frame of a line.
func (d *Decoder) line(line, columns []string, decimalComma bool, where string) *Error {
	it := d.item()
	f := &it.Frame
	it.Raw = []byte(strings.Join(columns, ",") + "\n" + strings.Join(line, ","))
	boot, seq, timed := false, false, false
	runs := 0
	for i, name := range columns {
		value := strings.TrimSpace(line[i])
		name, unit := unitOf(strings.TrimSpace(name))
		switch strings.ToLower(name) {
		case "ts", "time", "timestamp", "datetime":
			if value == "" {
				continue
			}
			ns, ok := textTime(value)
			if !ok {
				e := noTime(where+" "+name, value)
				e.Message = strconv.Quote(value) + " " + e.Message
				return e
			}
			f.TS, timed = microseconds(ns), true
		case "device":
			f.Device = value
		case "boot":
			f.Boot, boot = value, value != ""
		case "seq":
			n, err := strconv.ParseUint(value, 10, 64)
			if value != "" && err != nil {
				return &Error{WrongShape, where + " seq", strconv.Quote(value) + " is no whole number", "count the lines of each boot"}
			}
			f.Seq, seq = n, value != ""
		default:
			if value == "" {
				continue
			}
			if decimalComma {
				value = strings.Replace(value, ",", ".", 1)
			}
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				it.drop(name)
				continue
			}
			if runs++; runs > telemetry.MaxRuns {
				return &Error{TooLarge, where, fmt.Sprintf("more than %d channels", telemetry.MaxRuns), "send them in frames of their own"}
			}
			if unit != "" {
				if it.Units == nil {
					it.Units = map[string]string{}
				}
				it.Units[name] = unit
			}
			d.add(it, telemetry.Run{Channel: name, Values: []float64{v}})
		}
	}
	if !boot || !seq {
		f.Flags |= telemetry.FlagUnnumbered
	}
	if !timed {
		f.Flags |= telemetry.FlagUntimed
	}
	if e := d.identity(f); e != nil {
		e.Field = where + " " + e.Field
		return e
	}
	return nil
}

// unitOf splits "hookload [klbf]" or "hookload (klbf)".
func unitOf(head string) (name, unit string) {
	for _, p := range []string{"[]", "()"} {
		if i := strings.IndexByte(head, p[0]); i > 0 && head[len(head)-1] == p[1] {
			return strings.TrimSpace(head[:i]), strings.TrimSpace(head[i+1 : len(head)-1])
		}
	}
	return head, ""
}

// wits reads WITS level 0: records between && and !!, in each a line an item of
// four digits and its value. Items 05 and 06 of a record are its date (YYMMDD)
// and time (HHMMSS), taken as UTC.
func wits(b []byte, o Options) ([]Sample, *Error) {
	var out []Sample
	open, records := false, 0
	var record []Sample
	var date, clock string
	for n, raw := range bytes.Split(b, []byte("\n")) {
		line := strings.TrimSpace(string(raw))
		where := fmt.Sprintf("line %d", n+1)
		switch {
		case line == "":
		case line == "&&":
			open, record, date, clock = true, nil, "", ""
			records++
		case line == "!!":
			if !open {
				return nil, &Error{Malformed, where, "!! without && before it", "begin each record with && and end it with !!"}
			}
			open = false
			ts, err := time.Parse("060102150405", date+clock)
			if (date != "" || clock != "") && err != nil {
				return nil, &Error{WrongShape, where, fmt.Sprintf("items 05 and 06 are %q and %q, no date YYMMDD and time HHMMSS", date, clock), "send both, or neither"}
			}
			for i := range record {
				record[i].Untimed = err != nil
				if err == nil {
					record[i].TS = ts.UnixNano()
				}
			}
			out = append(out, record...)
		case !open:
			return nil, &Error{Malformed, where, fmt.Sprintf("%.20q outside a record", line), "begin each record with && and end it with !!"}
		case len(line) < 4 || strings.Trim(line[:4], "0123456789") != "":
			return nil, &Error{Malformed, where, fmt.Sprintf("%.20q begins with no four digits", line), "write record, item and value, as 01083050.2"}
		default:
			item, value := line[:4], strings.TrimSpace(line[4:])
			switch item[2:] {
			case "05":
				date = value
				continue
			case "06":
				clock = fmt.Sprintf("%06s", value)
				continue
			case "01", "02", "03", "04", "07": // well, sidetrack, record and sequence, activity
				continue
			}
			s := Sample{Name: "W" + item}
			if o.WITS != nil {
				if ch, ok := o.WITS(item); ok {
					s.Name = ch
					if o.Field {
						s.Unit = fieldUnit
					}
				}
			}
			v, err := strconv.ParseFloat(value, 64)
			s.Value, s.Dropped = v, err != nil
			record = append(record, s)
		}
	}
	if open {
		return nil, &Error{Malformed, "", "the last record does not end in !!", "send whole records"}
	}
	if records == 0 {
		return nil, &Error{Malformed, "", "no record: && is missing", "begin each record with && and end it with !!"}
	}
	return out, nil
}

// fieldUnit stands for whatever the channel's oilfield unit is.
const fieldUnit = "field"
