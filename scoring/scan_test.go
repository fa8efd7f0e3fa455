package scoring

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestTheScannerReadsWhatXMLMeans(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		e, err := parseDocument([]byte(in), DefaultLimits())
		if err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		if got := dump(e); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
	f(`<PMML/>`, `PMML`)
	f(`<PMML version="4.4"><A x='1' y="a&amp;b&#65;&#x42;"/></PMML>`, `PMML version="4.4"{A x="1" y="a&bAB"}`)
	f("\xEF\xBB\xBF<?xml version=\"1.0\"?>\n<!-- c --><PMML>\n <A> b  c </A>\n</PMML>\n", `PMML{A=" b  c "}`)
	f("<PMML><A>1\r\n2\r3<![CDATA[<&]]>4</A></PMML>", `PMML{A="1\n2\n3<&4"}`)
	f("<PMML><A x='1\n2\t3\r\n4'/></PMML>", `PMML{A x="1 2 3 4"}`)
	f(`<PMML><Extension a="1"><B><C/></B></Extension><A>1<Extension/>2</A></PMML>`, `PMML{A="12"}`)
	f(`<PMML xmlns="https://www.dmg.org/PMML-4_3" xmlns:d="u"><d:x><A/></d:x><A/></PMML>`, `PMML{A}`)
	f(`<p:PMML xmlns:p="http://www.dmg.org/PMML-4_0"><p:A/><A/></p:PMML>`, `PMML{A}`)
	f(`<PMML><A><b xmlns="http://other"><c/></b></A></PMML>`, `PMML{A}`)
	f(`<PMML xmlns:data="u"><InlineTable><row><data:x>1</data:x><Extension> 2 </Extension></row></InlineTable></PMML>`, `PMML{InlineTable{row{x="1" Extension=" 2 "}}}`)
	f("<?xml version='1.0' encoding='ISO-8859-1'?><PMML a='\xe9'/>", `PMML a="é"`)
	f("<?xml version='1.0' encoding='windows-1252'?><PMML a='\x80'/>", `PMML a="€"`)
	f("\xff\xfe<\x00P\x00M\x00M\x00L\x00/\x00>\x00", `PMML`)
}

func TestTheScannerSaysWhereADocumentIsBroken(t *testing.T) {
	f := func(in, at, reason string) {
		t.Helper()
		_, err := parseDocument([]byte(in), DefaultLimits())
		var le *LoadError
		if !errors.As(err, &le) {
			t.Fatalf("%s: taken", in)
		}
		if got := fmt.Sprintf("%d:%d", le.Line, le.Column); got != at || !strings.Contains(le.Reason, reason) {
			t.Errorf("%s: %s %s, want %s %s", in, got, le.Reason, at, reason)
		}
	}
	f("", "1:1", "empty")
	f("<PMML>\n<A>\n", "3:1", "ends inside <A>")
	f("<PMML>\n<A></B></PMML>", "2:4", "</B> ends <A>")
	f("<!DOCTYPE x [<!ENTITY a 'b'>]><PMML/>", "1:1", "DOCTYPE")
	f("<PMML>&a;</PMML>", "1:7", "&a; is not known")
	f("<PMML>& </PMML>", "1:7", "&amp;")
	f("<PMML a='1' a='2'/>", "1:1", "attribute a twice")
	f("<PMML a=1/>", "1:9", "not in quotes")
	f("<PMML a='<'/>", "1:10", "has a <")
	f("<PMML/><PMML/>", "1:8", "second root")
	f("<PMML/>x", "1:8", "outside the root")
	f("<PMML>\x01</PMML>", "1:7", "0x01")
	f("<PMML>\xff</PMML>", "1:7", "0xff")
	f("<PMML>]]></PMML>", "1:9", "]]>")
	f("<PMML><!-- a -- b --></PMML>", "1:7", "comment")
	f("<PMML a='&#0;'/>", "1:10", "&#0;")
	f("<html/>", "1:1", "root element is not PMML")
	f(`<PMML xmlns="http://example.org"/>`, "1:1", "namespace")
	f("<?xml version='1.0' encoding='EBCDIC'?><PMML/>", "1:1", "EBCDIC")
}

// dump writes an element for comparison: name attributes {children} or ="text".
func dump(e *element) string {
	var b strings.Builder
	var walk func(e *element)
	walk = func(e *element) {
		b.WriteString(e.name)
		for _, a := range e.attrs {
			fmt.Fprintf(&b, " %s=%q", a.name, a.value)
		}
		if len(e.kids) > 0 {
			b.WriteByte('{')
			for i, k := range e.kids {
				if i > 0 {
					b.WriteByte(' ')
				}
				walk(k)
			}
			b.WriteByte('}')
		} else if e.text != "" {
			fmt.Fprintf(&b, "=%q", e.text)
		}
	}
	walk(e)
	return b.String()
}

// reference reads the same with encoding/xml; what it refuses is an error.
func referenceDump(data []byte) (string, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, errors.New("another encoding") }
	type node struct {
		e    *element
		text strings.Builder
		skip bool
		row  bool
	}
	var stack []*node
	var root *element
	prefix := ""
	for {
		tok, err := d.RawToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", err
		}
		switch t := tok.(type) {
		case xml.Directive:
			return "", errors.New("directive")
		case xml.CharData:
			if len(stack) == 0 {
				if strings.TrimLeft(string(t), " \t\r\n") != "" {
					return "", errors.New("text outside")
				}
				continue
			}
			stack[len(stack)-1].text.Write(t)
		case xml.StartElement:
			if root != nil && len(stack) == 0 {
				return "", errors.New("second root")
			}
			n := &node{e: &element{name: t.Name.Local}}
			if len(stack) > 0 {
				p := stack[len(stack)-1]
				n.e.parent = p.e
				n.skip, n.row = p.skip, p.row || p.e.name == "row" && !p.skip
			} else {
				prefix = t.Name.Space
				root = n.e
			}
			cell := n.e.parent != nil && (n.e.parent.name == "row" || n.e.parent.parent != nil && n.e.parent.parent.name == "row")
			if t.Name.Space != prefix && !cell || t.Name.Local == "Extension" && !n.row {
				n.skip = true
			}
			seen := map[string]bool{}
			for _, a := range t.Attr {
				switch {
				case a.Name.Space == "" && a.Name.Local == "xmlns":
					if !knownNamespace(a.Value) && prefix == "" && !cell {
						n.skip = true
					}
				case a.Name.Space == "":
					if seen[a.Name.Local] {
						return "", errors.New("attribute twice")
					}
					seen[a.Name.Local] = true
					n.e.attrs = append(n.e.attrs, attr{a.Name.Local, strings.Map(func(r rune) rune {
						if r == '\n' || r == '\t' || r == '\r' {
							return ' '
						}
						return r
					}, a.Value)})
				}
			}
			if len(t.Attr) > maxAttributes {
				return "", errors.New("attributes")
			}
			stack = append(stack, n)
			// RawToken does not pair tags: names are compared as written.
			n.e.line = len(t.Name.Space)
		case xml.EndElement:
			if len(stack) == 0 {
				return "", errors.New("unpaired")
			}
			n := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if n.e.name != t.Name.Local || n.e.line != len(t.Name.Space) {
				return "", errors.New("unpaired")
			}
			if len(n.e.kids) == 0 {
				n.e.text = n.text.String()
			}
			if p := n.e.parent; p != nil && !n.skip {
				p.kids = append(p.kids, n.e)
			} else if p == nil && n.skip {
				return "", errors.New("a root that is left out")
			}
		}
	}
	if root == nil || len(stack) > 0 || root.name != "PMML" {
		return "", errors.New("not whole")
	}
	return dump(root), nil
}

// The strict scanner takes no more than encoding/xml, and reads the same from it.
func FuzzScanner(f *testing.F) {
	for _, s := range []string{
		`<PMML version="4.4"><A x='1' y="a&amp;b&#65;&#x42;"/> t <B>u<![CDATA[v]]></B></PMML>`, "<?xml version=\"1.0\"?>\n<PMML xmlns='http://www.dmg.org/PMML-4_4'>\r\n<!-- c --><A/></PMML>",
		`<PMML xmlns:data="u"><row><data:x>1</data:x><Extension/></row><Extension a="1"><B/></Extension></PMML>`, `<p:PMML><p:A/><A/></p:PMML>`, "<PMML><A x='1\n2\t3'/>&lt;</PMML>",
		`<PMML><A></B></PMML>`, `<PMML a="1" a="2"/>`, `<!DOCTYPE x><PMML/>`, "<PMML>]]></PMML>",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		lim := DefaultLimits()
		lim.Depth = 1 << 20
		e, err := parseDocument(data, lim)
		if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) || bytes.Contains(data, []byte("encoding")) {
			return // other encodings: encoding/xml has none
		}
		want, wantErr := referenceDump(bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF")))
		switch {
		case err == nil && wantErr == nil:
			if got := dump(e); got != want {
				t.Fatalf("%q\n got %s\nwant %s", data, got, want)
			}
		case err == nil && wantErr != nil:
			// A name beyond ASCII, or a version of XML, may be taken here and not there.
			if !beyondASCII(data) && !bytes.Contains(data, []byte("<?")) {
				t.Fatalf("%q is taken, and encoding/xml says %v", data, wantErr)
			}
		}
	})
}

func beyondASCII(data []byte) bool {
	for _, c := range data {
		if c >= 0x80 {
			return true
		}
	}
	return false
}
