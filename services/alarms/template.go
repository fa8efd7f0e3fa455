package alarms

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A template is text with {name} and {name|format}. A name is a signal, or one
// of value, limit, normal, drill, state, for. A format is 0, 0.0, …: decimals
// (a % after it: times 100, with the sign). Text in [brackets] is left out when
// a number in it is missing; outside, the whole sentence is.
//
//	Standpipe pressure {SPP|0.0}[, should be {normal|0.0}] MPa[ at {FLIN|0} L/min].
type template []piece

type piece struct {
	text   string
	name   string // a placeholder when set
	format string
	group  int // 0: outside brackets; else the brackets' number
}

const maxTemplate = 2000 // bytes

func parseTemplate(s string) (template, error) {
	if len(s) > maxTemplate {
		return nil, fmt.Errorf("has %d characters, at most %d are taken", len(s), maxTemplate)
	}
	var t template
	group, groups := 0, 0
	for s != "" {
		i := strings.IndexAny(s, "{}[]")
		if i < 0 {
			i = len(s)
		}
		if i > 0 {
			t = append(t, piece{text: s[:i], group: group})
			s = s[i:]
			continue
		}
		switch s[0] {
		case '[':
			if group != 0 {
				return nil, fmt.Errorf("brackets within brackets at %q", s)
			}
			if groups++; groups > 60 {
				return nil, fmt.Errorf("more than 60 brackets")
			}
			group, s = groups, s[1:]
		case ']':
			if group == 0 {
				return nil, fmt.Errorf("a bracket closes that was not opened, at %q", s)
			}
			group, s = 0, s[1:]
		case '}':
			return nil, fmt.Errorf("a brace closes that was not opened, at %q", s)
		case '{':
			end := strings.IndexByte(s, '}')
			if end < 0 {
				return nil, fmt.Errorf("a brace is not closed, at %q", s)
			}
			name, form, _ := strings.Cut(s[1:end], "|")
			if name == "" || strings.ContainsAny(name, "{[] ") {
				return nil, fmt.Errorf("%q names no signal", s[:end+1])
			}
			if form != "" && !format.MatchString(form) {
				return nil, fmt.Errorf("%q: write the format as 0, 0.0, …", s[:end+1])
			}
			t = append(t, piece{name: name, format: form, group: group})
			s = s[end+1:]
		}
	}
	if group != 0 {
		return nil, fmt.Errorf("a bracket is not closed")
	}
	return t, nil
}

var words = map[string]bool{"value": true, "limit": true, "normal": true, "drill": true, "state": true, "for": true}

// signals returns the names in t that are signals.
func (t template) signals() []string {
	var out []string
	for _, p := range t {
		if p.name != "" && !words[p.name] {
			out = append(out, p.name)
		}
	}
	return out
}

// fill writes t with what look knows: text where text is set, else a number.
func (t template) fill(look func(name string) (v float64, text string)) string {
	var missing uint64 // bit g: brackets g hold a missing number
	for _, p := range t {
		if p.name == "" || p.group == 0 {
			continue
		}
		if v, text := look(p.name); text == "" && math.IsNaN(v) {
			missing |= 1 << p.group
		}
	}
	var b strings.Builder
	for _, p := range t {
		if p.group != 0 && missing&(1<<p.group) != 0 {
			continue
		}
		if p.name == "" {
			b.WriteString(p.text)
			continue
		}
		v, text := look(p.name)
		if text == "" {
			if text = Number(v, p.format); math.IsNaN(v) {
				text = gap
			}
		}
		b.WriteString(text)
	}
	return sayable(b.String())
}

// gap stands for a number that is missing; no text has it.
const gap = "\x00"

// sayable leaves out the sentences that have a gap: nobody is told that a motor
// is unknown °C hot.
func sayable(s string) string {
	if !strings.Contains(s, gap) {
		return s
	}
	var kept []string
	for _, sentence := range strings.SplitAfter(s, ". ") {
		if !strings.Contains(sentence, gap) {
			kept = append(kept, sentence)
		}
	}
	return strings.TrimSpace(strings.Join(kept, ""))
}

// Number writes v with the decimals of format ("0.0"; empty: three significant
// digits) and a comma every three digits before the point.
func Number(v float64, format string) string {
	if math.IsNaN(v) {
		return "unknown"
	}
	if math.IsInf(v, 0) {
		return "beyond measure"
	}
	percent := strings.HasSuffix(format, "%")
	if percent {
		v *= 100
		format = format[:len(format)-1]
	}
	decimals := max(0, len(format)-2)
	if format == "" {
		for a := math.Abs(v); a != 0 && a < 100 && decimals < 6; a *= 10 {
			decimals++
		}
	}
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Trim(s, "-0.") == "" {
		s = strings.TrimPrefix(s, "-") // no minus before nothing
	}
	whole, frac, point := strings.Cut(s, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "−", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if point {
		whole += "." + frac
	}
	if percent {
		whole += " %"
	}
	return sign + whole
}
