package scoring

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unsafe"
)

// Limits bound what a document may ask for; see WithLimits.
type Limits struct {
	Bytes    int64 // of the document
	Elements int   // in all
	Depth    int   // of nested elements
	Text     int   // bytes of one attribute or text
	Memory   int64 // estimated bytes of the document in memory
}

// DefaultLimits take a forest of a few hundred megabytes and refuse a bomb.
func DefaultLimits() Limits {
	return Limits{Bytes: 512 << 20, Elements: 4_000_000, Depth: 1024, Text: 16 << 20, Memory: 900 << 20}
}

// element is one element of the document; its children in document order.
// Elements of other namespaces and Extensions are left out.
type element struct {
	name     string
	attrs    []attr
	kids     []*element
	text     string
	line     int
	col      int
	parent   *element
	pathName string
}

type attr struct{ name, value string }

// get returns an attribute's value, "" where it is absent.
func (e *element) get(name string) string {
	v, _ := e.lookup(name)
	return v
}

func (e *element) lookup(name string) (string, bool) {
	for i := range e.attrs {
		if e.attrs[i].name == name {
			return e.attrs[i].value, true
		}
	}
	return "", false
}

// first returns the first child with one of the names, or nil.
func (e *element) first(names ...string) *element {
	if e == nil {
		return nil
	}
	for _, k := range e.kids {
		for _, n := range names {
			if k.name == n {
				return k
			}
		}
	}
	return nil
}

// all returns the children of that name.
func (e *element) all(name string) []*element {
	if e == nil {
		return nil
	}
	var out []*element
	for _, k := range e.kids {
		if k.name == name {
			out = append(out, k)
		}
	}
	return out
}

// where returns the element's path for messages: PMML/TreeModel/Node.
func (e *element) where() string {
	var parts []string
	for x := e; x != nil; x = x.parent {
		s := x.name
		for _, key := range []string{"id", "name", "modelName"} {
			if v := x.get(key); v != "" && x.parent != nil {
				s += "[" + key + "=" + clip(v) + "]"
				break
			}
		}
		parts = append(parts, s)
		if len(parts) > 12 {
			parts = append(parts, "…")
			break
		}
	}
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return strings.Join(parts, "/")
}

// parseDocument reads the whole document into elements.
func parseDocument(data []byte, lim Limits) (*element, error) {
	if int64(len(data)) > lim.Bytes {
		return nil, &LoadError{Reason: fmt.Sprintf("the document is larger than the limit of %d bytes", lim.Bytes), Cure: "raise the limit, or make the model smaller"}
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = charset
	names := map[string]string{}
	intern := func(s string) string {
		if v, ok := names[s]; ok {
			return v
		}
		if len(s) > 64 || len(names) > 1<<16 {
			return s
		}
		s = strings.Clone(s)
		names[s] = s
		return s
	}
	var root, cur *element
	depth, count := 0, 0
	memory := int64(len(data))
	skip := 0 // depth inside an element that is left out
	var text strings.Builder
	fail := func(reason, cure string) error {
		line, col := d.InputPos()
		return &LoadError{Line: line, Column: col, Reason: reason, Cure: cure}
	}
	for {
		tok, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			line, col := d.InputPos()
			return nil, &LoadError{Line: line, Column: col, Reason: "not well-formed XML: " + strings.TrimPrefix(err.Error(), "XML syntax error "), Cure: "export the model again; the file may have been cut off or edited by hand"}
		}
		switch t := tok.(type) {
		case xml.Directive:
			return nil, fail("a DOCTYPE or other <! directive is not taken from a stranger's file", "remove the line that begins with <!")
		case xml.StartElement:
			depth++
			count++
			switch {
			case depth > lim.Depth:
				return nil, fail(fmt.Sprintf("elements are nested deeper than %d", lim.Depth), "flatten the model")
			case count > lim.Elements:
				return nil, fail(fmt.Sprintf("the document has more than %d elements", lim.Elements), "make the model smaller, or raise the limit")
			}
			if skip > 0 {
				continue
			}
			if t.Name.Local == "Extension" || root != nil && t.Name.Space != "" && root.pathName != t.Name.Space {
				skip = depth
				continue
			}
			line, col := d.InputPos()
			e := &element{name: intern(t.Name.Local), line: line, col: col, parent: cur}
			memory += int64(unsafe.Sizeof(*e)) + 16
			if len(t.Attr) > 0 {
				e.attrs = make([]attr, 0, len(t.Attr))
			}
			for _, a := range t.Attr {
				if a.Name.Space == "xmlns" || a.Name.Local == "xmlns" {
					if cur == nil && !knownNamespace(a.Value) && a.Name.Space == "" {
						return nil, fail(fmt.Sprintf("the document's namespace %q is not PMML's", clip(a.Value)), "a PMML document begins <PMML xmlns=\"http://www.dmg.org/PMML-4_4\" version=\"4.4\">")
					}
					continue
				}
				if len(a.Value) > lim.Text {
					return nil, fail(fmt.Sprintf("attribute %s is longer than %d bytes", a.Name.Local, lim.Text), "")
				}
				e.attrs = append(e.attrs, attr{intern(a.Name.Local), intern(a.Value)})
				memory += int64(unsafe.Sizeof(attr{})) + int64(len(a.Value))
			}
			if memory > lim.Memory {
				return nil, fail(fmt.Sprintf("the document needs more than %d MB of memory", lim.Memory>>20), "make the model smaller, or raise the limit")
			}
			if cur == nil {
				if root != nil {
					return nil, fail("a second root element", "a PMML document has one")
				}
				root = e
				root.pathName = t.Name.Space
			} else {
				cur.kids = append(cur.kids, e)
			}
			cur = e
			text.Reset()
		case xml.EndElement:
			if depth == 0 {
				return nil, fail("an end tag without a beginning", "export the model again")
			}
			depth--
			if skip > 0 {
				if depth < skip {
					skip = 0
				}
				continue
			}
			if cur.name != t.Name.Local {
				return nil, fail(fmt.Sprintf("</%s> ends <%s>", clip(t.Name.Local), cur.name), "export the model again; the file may have been cut off or edited by hand")
			}
			if text.Len() > 0 {
				cur.text = strings.TrimSpace(text.String())
				memory += int64(len(cur.text))
			}
			text.Reset()
			cur = cur.parent
		case xml.CharData:
			if skip == 0 && cur != nil {
				if text.Len()+len(t) > lim.Text {
					return nil, fail(fmt.Sprintf("a text is longer than %d bytes", lim.Text), "")
				}
				text.Write(t)
			}
		}
	}
	switch {
	case root == nil:
		return nil, &LoadError{Line: 1, Column: 1, Reason: "the document is empty", Cure: "a PMML document begins <PMML xmlns=\"http://www.dmg.org/PMML-4_4\" version=\"4.4\">"}
	case cur != nil:
		return nil, fail(fmt.Sprintf("the document ends inside <%s>", cur.name), "the file was cut off: export or upload it again")
	case root.name != "PMML":
		return nil, &LoadError{Line: root.line, Column: root.col, Element: clip(root.name), Reason: "the root element is not PMML", Cure: "upload the PMML file that the exporter wrote"}
	}
	return root, nil
}

func knownNamespace(ns string) bool {
	return ns == "" || strings.Contains(ns, "www.dmg.org/PMML-") || strings.Contains(ns, "www.w3.org/")
}

// charset takes the one-byte encodings that exporters still write.
func charset(label string, r io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "utf-8", "us-ascii", "ascii":
		return r, nil
	case "iso-8859-1", "latin1", "windows-1252":
		return &latin1{r: r}, nil
	}
	return nil, fmt.Errorf("encoding %q is not read: save the file as UTF-8", clip(label))
}

type latin1 struct {
	r    io.Reader
	in   [2048]byte
	left []byte
}

func (l *latin1) Read(p []byte) (int, error) {
	if len(l.left) == 0 {
		n, err := l.r.Read(l.in[:])
		if n == 0 {
			return 0, err
		}
		for _, b := range l.in[:n] {
			l.left = append(l.left, string(rune(b))...)
		}
	}
	n := copy(p, l.left)
	l.left = l.left[n:]
	return n, nil
}

// clip shortens a stranger's text for a message.
func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:59]) + "…"
	}
	return s
}
