package scoring

import (
	"fmt"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// scanner reads a strict subset of XML into elements: no DOCTYPE, no entities
// but the five and character references. Names, values and texts are parts of
// the document, not copies, where nothing in them is escaped.
type scanner struct {
	src       string
	pos       int
	line      int
	lineStart int
	counted   int // newlines up to here are in line
	lim       Limits
	elements  []element  // slab
	attrs     []attr     // slab
	slots     []*element // slab of children
	pending   []*element // children of the open elements, innermost last
	memory    int64
	count     int
	prefix    string // of the root element
}

// maxAttributes of one element; PMML's largest has 35.
const maxAttributes = 128

// bindCost is what binding an element takes, beside the element: measured on
// trees, whose nodes are the most numerous elements that documents have, with
// what the collector has not yet taken back.
const bindCost = 320

func (s *scanner) fail(at int, reason, cure string) error {
	line, col := s.where(at)
	return &LoadError{Line: line, Column: col, Reason: reason, Cure: cure}
}

func (s *scanner) broken(at int, reason string) error {
	return s.fail(at, "not well-formed XML: "+reason, "export the model again; the file may have been cut off or edited by hand")
}

// where counts lines up to a position, which must not lie before the last asked.
func (s *scanner) where(at int) (line, col int) {
	if at < s.counted {
		at = s.counted
	}
	for {
		i := strings.IndexByte(s.src[s.counted:at], '\n')
		if i < 0 {
			break
		}
		s.counted += i + 1
		s.lineStart = s.counted
		s.line++
	}
	s.counted = at
	return s.line, at - s.lineStart + 1
}

// parseDocument reads the whole document into elements. The bytes must not change after.
func parseDocument(data []byte, lim Limits) (*element, error) {
	if int64(len(data)) > lim.Bytes {
		return nil, &LoadError{Reason: fmt.Sprintf("the document is larger than the limit of %d bytes", lim.Bytes), Cure: "raise the limit, or make the model smaller"}
	}
	src, err := decode(data)
	if err != nil {
		return nil, err
	}
	s := &scanner{src: src, line: 1, lim: lim, memory: int64(len(src))}
	if i := badByte(src); i >= 0 {
		return nil, s.broken(i, fmt.Sprintf("the byte %#02x is no character", src[i]))
	}
	return s.document()
}

// badByte finds a control character or broken UTF-8; -1 if there is none.
func badByte(src string) int {
	ascii := true
	for i := 0; i < len(src); i++ {
		c := src[i]
		if c < 0x20 && c != '\n' && c != '\r' && c != '\t' {
			return i
		}
		if c >= 0x80 {
			ascii = false
		}
	}
	if ascii {
		return -1
	}
	for i := 0; i < len(src); {
		if src[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(src[i:])
		if r == utf8.RuneError && n == 1 || r == 0xFFFE || r == 0xFFFF {
			return i
		}
		i += n
	}
	return -1
}

func (s *scanner) document() (*element, error) {
	var root, cur *element
	var open []openElement
	skip := 0 // depth at which a part that is left out began
	rows := 0 // depth of the open row of a table, whose cells are kept whatever their namespace
	var text strings.Builder
	plain, pieces := "", 0 // the text so far: one piece of the document, or text
	add := func(piece string) error {
		if skip > 0 || cur == nil {
			return nil
		}
		if len(piece)+text.Len()+len(plain) > s.lim.Text {
			return s.fail(s.pos, fmt.Sprintf("a text is longer than %d bytes", s.lim.Text), "split it, or raise the limit")
		}
		switch pieces++; pieces {
		case 1:
			plain = piece
		case 2:
			text.WriteString(plain)
			plain = ""
			fallthrough
		default:
			text.WriteString(piece)
		}
		return nil
	}
	for s.pos < len(s.src) {
		if s.src[s.pos] != '<' {
			end := strings.IndexByte(s.src[s.pos:], '<')
			if end < 0 {
				end = len(s.src) - s.pos
			}
			raw := s.src[s.pos : s.pos+end]
			if cur == nil && skip == 0 && strings.TrimLeft(raw, " \t\r\n") != "" {
				return nil, s.broken(s.pos, "text outside the root element")
			}
			piece, err := s.unescape(raw, s.pos, false)
			if err != nil {
				return nil, err
			}
			if err := add(piece); err != nil {
				return nil, err
			}
			s.pos += end
			continue
		}
		rest := s.src[s.pos:]
		switch {
		case strings.HasPrefix(rest, "<?"):
			end := strings.Index(rest, "?>")
			if end < 0 {
				return nil, s.broken(s.pos, "an instruction has no end")
			}
			s.pos += end + 2
		case strings.HasPrefix(rest, "<!--"):
			end := strings.Index(rest[4:], "--")
			if end < 0 || !strings.HasPrefix(rest[4+end:], "-->") {
				return nil, s.broken(s.pos, "a comment has no end, or -- inside")
			}
			s.pos += 4 + end + 3
		case strings.HasPrefix(rest, "<![CDATA["):
			if cur == nil {
				return nil, s.broken(s.pos, "text outside the root element")
			}
			end := strings.Index(rest, "]]>")
			if end < 0 {
				return nil, s.broken(s.pos, "a CDATA section has no end")
			}
			if err := add(newlines(rest[9:end])); err != nil {
				return nil, err
			}
			s.pos += end + 3
		case strings.HasPrefix(rest, "<!"):
			return nil, s.fail(s.pos, "a DOCTYPE or other <! directive is not taken from a stranger's file", "remove the line that begins with <!")
		case strings.HasPrefix(rest, "</"):
			at := s.pos
			s.pos += 2
			name := s.name()
			s.blanks()
			if name == "" || s.pos >= len(s.src) || s.src[s.pos] != '>' {
				return nil, s.broken(at, "an end tag is not finished")
			}
			s.pos++
			if len(open) == 0 {
				return nil, s.broken(at, fmt.Sprintf("</%s> ends nothing", clip(name)))
			}
			o := open[len(open)-1]
			if o.name != name {
				return nil, s.broken(at, fmt.Sprintf("</%s> ends <%s>", clip(name), clip(o.name)))
			}
			open = open[:len(open)-1]
			if skip > 0 {
				if len(open) < skip {
					skip = 0
				}
				continue
			}
			if len(open) < rows {
				rows = 0
			}
			cur.kids = s.children(o.mark)
			if pieces > 0 && len(cur.kids) == 0 {
				if cur.text = plain; pieces > 1 {
					cur.text = strings.Clone(text.String())
					s.memory += int64(len(cur.text))
				}
			}
			plain, pieces = "", 0
			text.Reset()
			if cur.parent != nil {
				s.pending = append(s.pending, cur)
			}
			cur = cur.parent
		default:
			at := s.pos
			if root != nil && len(open) == 0 {
				return nil, s.broken(at, "a second root element")
			}
			e, qname, closed, err := s.start(cur, skip == 0)
			if err != nil {
				return nil, err
			}
			s.count++
			switch {
			case len(open) >= s.lim.Depth:
				return nil, s.fail(at, fmt.Sprintf("elements are nested deeper than %d", s.lim.Depth), "flatten the model")
			case s.count > s.lim.Elements:
				return nil, s.fail(at, fmt.Sprintf("the document has more than %d elements", s.lim.Elements), "make the model smaller, or raise the limit")
			case s.memory > s.lim.Memory:
				return nil, s.fail(at, fmt.Sprintf("the document needs more than %d MB of memory", s.lim.Memory>>20), "make the model smaller, or raise the limit")
			}
			if root == nil && e == nil {
				ns := s.namespace(at)
				return nil, s.fail(at, fmt.Sprintf("the document's namespace %q is not PMML's", clip(ns)), "a PMML document begins <PMML xmlns=\"http://www.dmg.org/PMML-4_4\" version=\"4.4\">")
			}
			if skip == 0 && (e == nil || e.name == "Extension" && rows == 0) {
				skip = len(open) + 1
			}
			if closed {
				if skip > 0 {
					if len(open) < skip {
						skip = 0
					}
					continue
				}
				plain, pieces = "", 0
				text.Reset()
				if root == nil {
					root = e
				} else {
					s.pending = append(s.pending, e)
				}
				continue
			}
			open = append(open, openElement{qname, len(s.pending)})
			if skip > 0 {
				continue
			}
			if e.name == "row" && rows == 0 {
				rows = len(open)
			}
			if root == nil {
				root = e
			}
			cur = e
			plain, pieces = "", 0
			text.Reset()
		}
	}
	switch {
	case root == nil:
		return nil, &LoadError{Line: 1, Column: 1, Reason: "the document is empty", Cure: "a PMML document begins <PMML xmlns=\"http://www.dmg.org/PMML-4_4\" version=\"4.4\">"}
	case len(open) > 0:
		return nil, s.fail(len(s.src), fmt.Sprintf("the document ends inside <%s>", clip(open[len(open)-1].name)), "the file was cut off: export or upload it again")
	case root.name != "PMML":
		return nil, &LoadError{Line: root.line, Column: root.col, Element: clip(root.name), Reason: "the root element is not PMML", Cure: "upload the PMML file that the exporter wrote"}
	}
	return root, nil
}

type openElement struct {
	name string // as written, with its prefix
	mark int    // of pending: where its children begin
}

// children takes those of the innermost element off pending.
func (s *scanner) children(mark int) []*element {
	n := len(s.pending) - mark
	if n == 0 {
		return nil
	}
	if cap(s.slots)-len(s.slots) < n {
		s.slots = make([]*element, 0, max(4096, n))
	}
	from := len(s.slots)
	s.slots = append(s.slots, s.pending[mark:]...)
	s.pending = s.pending[:mark]
	return s.slots[from:len(s.slots):len(s.slots)]
}

// start reads a start tag. The element is nil where it is not to be kept, its
// default namespace is not PMML's, or its prefix not the root's (cells of rows excepted).
func (s *scanner) start(parent *element, keep bool) (e *element, qname string, closed bool, err error) {
	at := s.pos
	s.pos++
	qname = s.name()
	if qname == "" {
		return nil, "", false, s.broken(at, "a < begins no tag")
	}
	prefix, local, ok := strings.Cut(qname, ":")
	if !ok {
		prefix, local = "", qname
	} else if prefix == "" || local == "" || strings.Contains(local, ":") {
		return nil, "", false, s.broken(at, fmt.Sprintf("<%s> is no name", clip(qname)))
	}
	cell := parent != nil && (parent.name == "row" || parent.parent != nil && parent.parent.name == "row")
	if parent == nil {
		s.prefix = prefix
	}
	foreign := prefix != s.prefix && !cell
	from := len(s.attrs)
	for {
		had := s.blanks()
		if s.pos >= len(s.src) {
			return nil, "", false, s.fail(s.pos, fmt.Sprintf("the document ends inside <%s>", clip(qname)), "the file was cut off: export or upload it again")
		}
		c := s.src[s.pos]
		if c == '>' {
			s.pos++
			break
		}
		if c == '/' {
			if s.pos+1 >= len(s.src) || s.src[s.pos+1] != '>' {
				return nil, "", false, s.broken(s.pos, "a / stands alone in a tag")
			}
			s.pos += 2
			closed = true
			break
		}
		name := s.name()
		if name == "" || !had {
			return nil, "", false, s.broken(s.pos, fmt.Sprintf("the tag <%s> is not finished", clip(qname)))
		}
		value, err := s.attribute(name)
		if err != nil {
			return nil, "", false, err
		}
		space, key, ok := strings.Cut(name, ":")
		switch {
		case name == "xmlns":
			if !knownNamespace(value) && s.prefix == "" && !cell {
				foreign = true
			}
			continue
		case ok && (space == "" || key == "" || strings.Contains(key, ":")):
			return nil, "", false, s.broken(at, fmt.Sprintf("%s is no attribute name", clip(name)))
		case space == "xmlns":
			continue
		case ok:
			continue // of another namespace
		}
		if len(s.attrs)-from >= maxAttributes {
			return nil, "", false, s.fail(at, fmt.Sprintf("<%s> has more than %d attributes", clip(qname), maxAttributes), "")
		}
		for _, a := range s.attrs[from:] {
			if a.name == name {
				return nil, "", false, s.broken(at, fmt.Sprintf("<%s> has the attribute %s twice", clip(qname), clip(name)))
			}
		}
		if len(s.attrs) == cap(s.attrs) { // a new slab; this element's move along
			own := s.attrs[from:]
			s.attrs = append(make([]attr, 0, 4096), own...)
			from = 0
		}
		s.attrs = append(s.attrs, attr{name, value})
	}
	if foreign || !keep {
		s.attrs = s.attrs[:from]
		return nil, qname, closed, nil
	}
	if len(s.elements) == cap(s.elements) {
		s.elements = make([]element, 0, 1024)
	}
	line, col := s.where(at)
	s.elements = append(s.elements, element{name: local, line: line, col: col, parent: parent})
	e = &s.elements[len(s.elements)-1]
	if n := len(s.attrs); n > from {
		e.attrs = s.attrs[from:n:n]
	}
	s.memory += int64(unsafe.Sizeof(*e)) + 8 + bindCost + int64(len(e.attrs))*int64(unsafe.Sizeof(attr{}))
	return e, qname, closed, nil
}

// attribute reads ="value".
func (s *scanner) attribute(name string) (string, error) {
	s.blanks()
	if s.pos >= len(s.src) || s.src[s.pos] != '=' {
		return "", s.broken(s.pos, fmt.Sprintf("attribute %s has no value", clip(name)))
	}
	s.pos++
	s.blanks()
	if s.pos >= len(s.src) || s.src[s.pos] != '"' && s.src[s.pos] != '\'' {
		return "", s.broken(s.pos, fmt.Sprintf("the value of attribute %s is not in quotes", clip(name)))
	}
	quote := s.src[s.pos]
	s.pos++
	end := strings.IndexByte(s.src[s.pos:], quote)
	if end < 0 {
		return "", s.broken(s.pos, fmt.Sprintf("the value of attribute %s has no end", clip(name)))
	}
	raw := s.src[s.pos : s.pos+end]
	if strings.IndexByte(raw, '<') >= 0 {
		return "", s.broken(s.pos, fmt.Sprintf("the value of attribute %s has a < in it", clip(name)))
	}
	if len(raw) > s.lim.Text {
		return "", s.fail(s.pos, fmt.Sprintf("attribute %s is longer than %d bytes", clip(name), s.lim.Text), "split it, or raise the limit")
	}
	value, err := s.unescape(raw, s.pos, true)
	s.pos += end + 1
	return value, err
}

// unescape resolves references and line ends; in an attribute every blank is a space.
func (s *scanner) unescape(raw string, at int, attribute bool) (string, error) {
	special := false
	for i := 0; i < len(raw); i++ {
		if c := raw[i]; c == '&' || c == '\r' || attribute && (c == '\n' || c == '\t') || c == '>' && !attribute {
			special = true
			break
		}
	}
	if !special {
		return raw, nil
	}
	var b strings.Builder
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c == '&':
			end := strings.IndexByte(raw[i:min(len(raw), i+16)], ';')
			if end < 0 {
				return "", s.broken(at+i, "a & begins no reference; & itself is written &amp;")
			}
			r, ok := reference(raw[i+1 : i+end])
			if !ok {
				return "", s.broken(at+i, fmt.Sprintf("&%s; is not known", clip(raw[i+1:i+end])))
			}
			b.WriteRune(r)
			i += end + 1
			continue
		case c == '\r':
			if i+1 >= len(raw) || raw[i+1] != '\n' {
				if attribute {
					b.WriteByte(' ')
				} else {
					b.WriteByte('\n')
				}
			}
		case attribute && (c == '\n' || c == '\t'):
			b.WriteByte(' ')
		case c == '>' && !attribute && i >= 2 && raw[i-1] == ']' && raw[i-2] == ']':
			return "", s.broken(at+i, "]]> stands in a text")
		default:
			b.WriteByte(c)
		}
		i++
	}
	s.memory += int64(b.Len())
	return b.String(), nil
}

func newlines(raw string) string {
	if strings.IndexByte(raw, '\r') < 0 {
		return raw
	}
	return strings.ReplaceAll(strings.ReplaceAll(raw, "\r\n", "\n"), "\r", "\n")
}

func reference(name string) (rune, bool) {
	switch name {
	case "amp":
		return '&', true
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	if len(name) < 2 || name[0] != '#' {
		return 0, false
	}
	digits, base := name[1:], rune(10)
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	if digits == "" {
		return 0, false
	}
	var r rune
	for _, c := range digits {
		d := rune(99)
		switch {
		case c >= '0' && c <= '9':
			d = c - '0'
		case base == 16 && c >= 'a' && c <= 'f':
			d = c - 'a' + 10
		case base == 16 && c >= 'A' && c <= 'F':
			d = c - 'A' + 10
		}
		if d >= base {
			return 0, false
		}
		if r = r*base + d; r > utf8.MaxRune {
			return 0, false
		}
	}
	ok := r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000
	return r, ok
}

// blanks skips them and reports whether there were any.
func (s *scanner) blanks() bool {
	from := s.pos
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
			continue
		}
		break
	}
	return s.pos > from
}

// nameByte: what a name is made of; beyond ASCII everything is taken.
var nameByte = func() (t [256]byte) {
	for c := range 256 {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == ':', c >= 0x80:
			t[c] = 2 // may begin one
		case c >= '0' && c <= '9', c == '-', c == '.':
			t[c] = 1
		}
	}
	return t
}()

func (s *scanner) name() string {
	from := s.pos
	if from >= len(s.src) || nameByte[s.src[from]] != 2 {
		return ""
	}
	i := from + 1
	for i < len(s.src) && nameByte[s.src[i]] != 0 {
		i++
	}
	s.pos = i
	return s.src[from:i]
}

// namespace reads the xmlns of the start tag at a position, for a message.
func (s *scanner) namespace(at int) string {
	tag, _, _ := strings.Cut(s.src[at:], ">")
	_, ns, _ := strings.Cut(tag, "xmlns")
	_, ns, _ = strings.Cut(ns, "=")
	ns = strings.TrimLeft(ns, " \t\r\n")
	if ns == "" {
		return ""
	}
	v, _, _ := strings.Cut(ns[1:], ns[:1])
	return v
}

func knownNamespace(ns string) bool {
	return ns == "" || strings.Contains(ns, "www.dmg.org/PMML-")
}
