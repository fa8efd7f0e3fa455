package scoring

import (
	"fmt"
	"math"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxText is how long a text may become while it is computed.
const maxText = 1 << 20

func onText(f func(s string) value) *builtin {
	return &builtin{least: 1, most: 1, call: func(r *row, a []value) value {
		if a[0].k == list {
			return r.fail("", KindType, "a collection is no text")
		}
		return f(a[0].lexical())
	}}
}

// characters counts them, not bytes, nor halves of those beyond U+FFFF.
func characters(s string) int { return utf8.RuneCountInString(s) }

// upper is Unicode's full mapping where one letter becomes several.
func upper(s string) string {
	return manyUpper.Replace(strings.ToUpper(s))
}

var manyUpper = strings.NewReplacer("ß", "SS", "ŉ", "ʼN", "ǰ", "J̌", "ﬀ", "FF", "ﬁ", "FI", "ﬂ", "FL", "ﬃ", "FFI", "ﬄ", "FFL", "ﬅ", "ST", "ﬆ", "ST", "և", "ԵՒ")

func substring(r *row, a []value) value {
	if !numeric(r, a[1:]) {
		return none
	}
	s := []rune(a[0].lexical())
	from, n := a[1].f-1, a[2].f
	if !(from >= 0) || !(n >= 0) {
		return undefined(nan, a[1], a[2])
	}
	from = min(math.Trunc(from), float64(len(s)))
	to := min(from+math.Trunc(n), float64(len(s)))
	return str(string(s[int(from):int(to)]))
}

func concat(r *row, a []value) value {
	var b strings.Builder
	for _, v := range a {
		s := v.lexical()
		if b.Len()+len(s) > maxText {
			return r.fail("", KindMath, "concat makes a text longer than %d bytes", maxText)
		}
		b.WriteString(s)
	}
	return str(b.String())
}

// Bounds of a regular expression.
const (
	maxPattern = 4096    // bytes
	maxProgram = 100_000 // instructions
)

// pattern is a regular expression, with what Java and PCRE do to replace.
type pattern struct {
	re    *regexp.Regexp
	again bool // it may match nothing, and does not look behind: see all
}

// compile reads a pattern. What RE2 cannot do is refused by name: it would
// make matching exponential.
func compile(s string) (*pattern, error) {
	if len(s) > maxPattern {
		return nil, fmt.Errorf("it is longer than %d bytes", maxPattern)
	}
	tree, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("%s", unsupported(s, err))
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, err
	}
	if len(prog.Inst) > maxProgram {
		return nil, fmt.Errorf("it needs more than %d steps", maxProgram)
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, err
	}
	p := &pattern{re: re, again: re.MatchString("")}
	for _, in := range prog.Inst {
		if in.Op == syntax.InstEmptyWidth && syntax.EmptyOp(in.Arg)&(syntax.EmptyBeginLine|syntax.EmptyBeginText|syntax.EmptyWordBoundary|syntax.EmptyNoWordBoundary) != 0 {
			p.again = false
		}
	}
	return p, nil
}

// unsupported names the construct that RE2 has not.
func unsupported(s string, err error) string {
	for _, c := range []struct{ sign, name string }{
		{"(?=", "look-ahead (?=…)"}, {"(?!", "look-ahead (?!…)"}, {"(?<=", "look-behind (?<=…)"}, {"(?<!", "look-behind (?<!…)"}, {"(?>", "an atomic group (?>…)"},
		{"(?(", "a condition (?(…)"}, {"++", "a possessive ++"}, {"*+", "a possessive *+"}, {"?+", "a possessive ?+"},
	} {
		if strings.Contains(s, c.sign) {
			return c.name + " is not supported"
		}
	}
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '\\' {
			if s[i+1] >= '1' && s[i+1] <= '9' {
				return fmt.Sprintf("the back-reference \\%c is not supported", s[i+1])
			}
			i++
		}
	}
	return strings.TrimPrefix(err.Error(), "error parsing regexp: ")
}

// all returns the matches as Java and PCRE find them: an empty one may stand
// right behind another, which package regexp leaves out.
func (p *pattern) all(s string) [][]int {
	found := p.re.FindAllStringSubmatchIndex(s, -1)
	if !p.again {
		return found
	}
	var out [][]int
	for i, m := range found {
		out = append(out, m)
		if m[1] == m[0] || i+1 < len(found) && found[i+1][0] == m[1] {
			continue
		}
		if next := p.re.FindStringSubmatchIndex(s[m[1]:]); next != nil && next[0] == 0 && next[1] == 0 {
			for k := range next {
				if next[k] >= 0 {
					next[k] += m[1]
				}
			}
			out = append(out, next)
		}
	}
	return out
}

// A template is a replacement: pieces of text and groups.
type template []struct {
	text  string
	group int // of the pattern, where text is ""
}

// template reads Java's and PCRE's spelling: $1, ${name}, \x and $$ for themselves.
func (p *pattern) template(s string) (template, error) {
	var t template
	var b strings.Builder
	part := func(group int) {
		if b.Len() > 0 {
			t = append(t, struct {
				text  string
				group int
			}{text: b.String()})
			b.Reset()
		}
		if group >= 0 {
			t = append(t, struct {
				text  string
				group int
			}{group: group})
		}
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case c == '$' && i+1 < len(s) && s[i+1] == '$':
			i++
			b.WriteByte('$')
		case c == '$' && i+1 < len(s) && s[i+1] == '{':
			name, _, ok := strings.Cut(s[i+2:], "}")
			g := p.re.SubexpIndex(name)
			if !ok || g < 0 {
				return nil, fmt.Errorf("the replacement %q names a group that the pattern has not", clip(s))
			}
			part(g)
			i += len(name) + 2
		case c == '$' && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9':
			g := int(s[i+1] - '0')
			if g > p.re.NumSubexp() {
				return nil, fmt.Errorf("the replacement %q names group %d, and the pattern has %d", clip(s), g, p.re.NumSubexp())
			}
			for i++; i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9' && g*10+int(s[i+1]-'0') <= p.re.NumSubexp(); i++ {
				g = g*10 + int(s[i+1]-'0')
			}
			part(g)
		case c == '$':
			return nil, fmt.Errorf("the replacement %q has a $ that names no group; $ itself is written $$", clip(s))
		default:
			b.WriteByte(c)
		}
	}
	part(-1)
	return t, nil
}

// replace puts the template in the place of every match; ok is false where the
// text becomes too long.
func (p *pattern) replace(s string, t template) (out string, ok bool) {
	var b strings.Builder
	at := 0
	for _, m := range p.all(s) {
		b.WriteString(s[at:m[0]])
		for _, x := range t {
			if x.text != "" {
				b.WriteString(x.text)
			} else if m[2*x.group] >= 0 {
				b.WriteString(s[m[2*x.group]:m[2*x.group+1]])
			}
		}
		if at = m[1]; b.Len() > maxText {
			return "", false
		}
	}
	if b.Len()+len(s)-at > maxText {
		return "", false
	}
	b.WriteString(s[at:])
	return b.String(), true
}

// compiled returns a row's own copy of a pattern that is not a constant.
func (r *row) compiled(s string) (*pattern, error) {
	if p, ok := r.patterns[s]; ok {
		return p, nil
	}
	p, err := compile(s)
	if err == nil {
		if len(r.patterns) >= 64 || r.patterns == nil {
			r.patterns = map[string]*pattern{}
		}
		r.patterns[strings.Clone(s)] = p
	}
	return p, err
}

func matches(r *row, a []value) value {
	p, err := r.compiled(a[1].lexical())
	if err != nil {
		return r.fail("", KindMath, "pattern %s: %v", quote(a[1]), err)
	}
	return truth(p.re.MatchString(a[0].lexical()))
}

func replace(r *row, a []value) value {
	p, err := r.compiled(a[1].lexical())
	if err != nil {
		return r.fail("", KindMath, "pattern %s: %v", quote(a[1]), err)
	}
	t, err := p.template(a[2].lexical())
	if err != nil {
		return r.fail("", KindMath, "%v", err)
	}
	return replaced(r, p, a[0].lexical(), t)
}

func replaced(r *row, p *pattern, s string, t template) value {
	out, ok := p.replace(s, t)
	if !ok {
		return r.fail("", KindMath, "replace makes a text longer than %d bytes", maxText)
	}
	return str(out)
}

// constantPattern compiles a pattern once, where it and the replacement are
// constants, and refuses one that RE2 cannot run.
func (b *binder) constantPattern(e *element, a *apply) {
	if a.name != "matches" && a.name != "replace" {
		return
	}
	c, ok := a.args[1].(constant)
	if !ok || c.v.k == missing {
		return
	}
	p, err := compile(c.v.lexical())
	if err != nil {
		b.bad.add(e, "", fmt.Sprintf("pattern %q: %v", clip(c.v.lexical()), err), "write the pattern otherwise, without it")
		return
	}
	fn := *a.fn
	if a.name == "matches" {
		fn.call = func(_ *row, x []value) value { return truth(p.re.MatchString(x[0].lexical())) }
		a.fn = &fn
		return
	}
	if c, ok := a.args[2].(constant); ok && c.v.k != missing {
		t, err := p.template(c.v.lexical())
		if err != nil {
			b.bad.add(e, "", err.Error(), "groups are counted from 1")
			return
		}
		fn.call = func(r *row, x []value) value { return replaced(r, p, x[0].lexical(), t) }
		a.fn = &fn
	}
}

// formatNumber writes a number as Java's and C's printf do: %d %f %e %g %s %x %o and %%.
func formatNumber(r *row, a []value) value {
	if !numeric(r, a[:1]) {
		return none
	}
	s := a[1].lexical()
	bad := func(why string) value {
		return r.fail("", KindMath, "pattern %q of formatNumber: %s", clip(s), why)
	}
	if len(s) > maxPattern {
		return bad("it is too long")
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		j := i + 1
		for j < len(s) && strings.IndexByte("-+ 0#,(", s[j]) >= 0 {
			j++
		}
		flags := s[i+1 : j]
		digits := func() int {
			n := 0
			for ; j < len(s) && s[j] >= '0' && s[j] <= '9'; j++ {
				n = min(n*10+int(s[j]-'0'), 1000)
			}
			return n
		}
		width, precision := digits(), -1
		if j < len(s) && s[j] == '$' && flags == "" && width == 1 { // the first argument, by number
			for j++; j < len(s) && strings.IndexByte("-+ 0#,(", s[j]) >= 0; j++ {
				flags += s[j : j+1]
			}
			width = digits()
		}
		if j < len(s) && s[j] == '.' {
			j++
			precision = digits()
		}
		if j == len(s) {
			return bad("it ends within a conversion")
		}
		if width > 500 || precision > 500 {
			return bad("a width of more than 500")
		}
		out, why := printf(s[j], flags, width, precision, a[0])
		if why != "" {
			return bad(why)
		}
		b.WriteString(out)
		i = j
	}
	return str(b.String())
}

// printf writes one conversion; why says what is wrong with it.
func printf(c byte, flags string, width, precision int, v value) (out, why string) {
	has := func(f byte) bool { return strings.IndexByte(flags, f) >= 0 }
	f, upper := v.f, c >= 'A' && c <= 'Z'
	switch c {
	case '%':
		return pad("%", has('-'), width), ""
	case 'n':
		return "\n", ""
	case 's', 'S':
		out = v.lexical()
		if precision >= 0 && precision < len(out) {
			out = out[:precision]
		}
	case 'd', 'i', 'x', 'X', 'o':
		switch {
		case f != math.Trunc(f) || math.Abs(f) > 1<<53:
			return "", fmt.Sprintf("%%%c is for whole numbers, and the value is %s", c, v.lexical())
		case c == 'd' || c == 'i':
			return signed(strconv.FormatFloat(math.Abs(f), 'f', 0, 64), f < 0, flags, width), ""
		}
		n := int64(f)
		if n >= math.MinInt32 && n < 0 {
			n += 1 << 32 // as 32 bits show it
		}
		base, mark := 16, "0x"
		if c == 'o' {
			base, mark = 8, "0"
		}
		if out = strconv.FormatUint(uint64(n), base); has('#') {
			out = mark + out
		}
		for has('0') && len(out) < width {
			out = "0" + out
		}
	case 'f', 'F', 'e', 'E', 'g', 'G':
		switch {
		case math.IsNaN(f):
			out = pad("NaN", has('-'), width)
		case math.IsInf(f, 0): // neither zeros before it nor commas
			out = signed("Infinity", f < 0, strings.NewReplacer("0", "", ",", "").Replace(flags), width)
		}
		if out != "" {
			if upper {
				out = strings.ToUpper(out)
			}
			return out, ""
		}
		if precision < 0 {
			precision = 6
		}
		out = real(c, math.Abs(f), precision)
		if out = signed(out, math.Signbit(f), flags, width); upper {
			out = strings.ToUpper(out)
		}
		return out, ""
	default:
		return "", fmt.Sprintf("%%%c is no conversion of a number", c)
	}
	if upper {
		out = strings.ToUpper(out)
	}
	return pad(out, has('-'), width), ""
}

// real writes a positive number; halves are rounded up, as Java rounds what it shows.
func real(c byte, f float64, precision int) string {
	shortest := strconv.FormatFloat(f, 'e', -1, 64)
	_, e, _ := strings.Cut(shortest, "e")
	exp, _ := strconv.Atoi(e)
	switch c {
	case 'f', 'F':
		return roundDecimal(shortest, exp+precision+1, precision)
	case 'e', 'E':
		return scientific(shortest, exp, precision)
	}
	precision = max(precision, 1)
	// %g: it is decided after rounding, and trailing zeros stay.
	if f == 0 {
		return roundDecimal(shortest, precision, precision-1)
	}
	if _, carried := digitsOf(shortest, precision); carried {
		shortest, exp = "1e"+strconv.Itoa(exp+1), exp+1
	}
	if exp >= -4 && exp < precision {
		return roundDecimal(shortest, precision, precision-1-exp)
	}
	return scientific(shortest, exp, precision-1)
}

// digitsOf cuts a shortest number to so many significant digits, half up, and
// says whether a carry made it one longer.
func digitsOf(shortest string, keep int) (digits string, carried bool) {
	mantissa, _, _ := strings.Cut(shortest, "e")
	d := strings.Replace(mantissa, ".", "", 1)
	if keep < 0 {
		return "", false
	}
	if len(d) <= keep {
		return d + strings.Repeat("0", keep-len(d)), false
	}
	up := d[keep] >= '5'
	out := []byte(d[:keep])
	for i := keep - 1; up && i >= 0; i-- {
		if out[i]++; out[i] <= '9' {
			up = false
		} else {
			out[i] = '0'
		}
	}
	if up {
		return "1" + string(out), true
	}
	return string(out), false
}

func roundDecimal(shortest string, keep, precision int) string {
	d, _ := digitsOf(shortest, keep)
	for len(d) < precision+1 {
		d = "0" + d
	}
	if precision == 0 {
		return d
	}
	return d[:len(d)-precision] + "." + d[len(d)-precision:]
}

func scientific(shortest string, exp, precision int) string {
	d, carried := digitsOf(shortest, precision+1)
	if carried {
		exp++
		d = d[:precision+1]
	}
	out := d[:1]
	if precision > 0 {
		out += "." + d[1:]
	}
	return fmt.Sprintf("%se%+03d", out, exp)
}

// signed adds sign, thousands and padding.
func signed(digits string, negative bool, flags string, width int) string {
	has := func(f byte) bool { return strings.IndexByte(flags, f) >= 0 }
	if has(',') {
		whole, fraction, ok := strings.Cut(digits, ".")
		for i := len(whole) - 3; i > 0; i -= 3 {
			whole = whole[:i] + "," + whole[i:]
		}
		if digits = whole; ok {
			digits += "." + fraction
		}
	}
	sign, after := "", ""
	switch {
	case negative && has('('):
		sign, after = "(", ")"
	case negative:
		sign = "-"
	case has('+'):
		sign = "+"
	case has(' '):
		sign = " "
	}
	for has('0') && len(sign)+len(digits)+len(after) < width {
		digits = "0" + digits
	}
	return pad(sign+digits+after, has('-'), width)
}

func pad(s string, left bool, width int) string {
	n := width - characters(s)
	if n <= 0 {
		return s
	}
	if left {
		return s + strings.Repeat(" ", n)
	}
	return strings.Repeat(" ", n) + s
}
