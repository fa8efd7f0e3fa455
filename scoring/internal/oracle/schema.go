package oracle

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"sort"
	"strings"
)

// Schema is what PMML 4.4 can say, of testdata/schema.tsv.
type Schema struct {
	Elements []string
	Inside   map[string][]string // elements that may stand in an element
	attrs    map[string][]attribute
}

type attribute struct {
	name   string
	values []string // enumerated; nil: free
	kind   string   // number, text, boolean, where free
}

// ReadSchema reads the table.
func ReadSchema(path string) (*Schema, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := &Schema{Inside: map[string][]string{}, attrs: map[string][]attribute{}}
	for i, line := range strings.Split(strings.TrimRight(string(b), "\n"), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		c := strings.Split(line, "\t")
		if len(c) != 3 {
			return nil, fmt.Errorf("%s, line %d: %d columns", path, i+1, len(c))
		}
		switch {
		case c[1] == "":
			s.Elements = append(s.Elements, c[0])
			s.Inside[c[0]] = strings.Fields(c[2])
		case strings.HasPrefix(c[2], ":"):
			s.attrs[c[0]] = append(s.attrs[c[0]], attribute{name: c[1][1:], kind: c[2][1:]})
		default:
			s.attrs[c[0]] = append(s.attrs[c[0]], attribute{name: c[1][1:], values: strings.Fields(c[2])})
		}
	}
	sort.Strings(s.Elements)
	return s, nil
}

// An Entry is an element, an attribute of one, or an enumerated value of that.
type Entry struct{ Element, Attribute, Value string }

func (e Entry) String() string {
	switch {
	case e.Attribute == "":
		return e.Element
	case e.Value == "":
		return e.Element + "@" + e.Attribute
	}
	return e.Element + "@" + e.Attribute + "=" + e.Value
}

// Entries are all entries, element by element.
func (s *Schema) Entries() []Entry {
	var out []Entry
	for _, e := range s.Elements {
		out = append(out, Entry{e, "", ""})
		for _, a := range s.attrs[e] {
			out = append(out, Entry{e, a.name, ""})
			for _, v := range a.values {
				out = append(out, Entry{e, a.name, v})
			}
		}
	}
	return out
}

// Sample is a value for the attribute of an entry.
func (s *Schema) Sample(e Entry) string {
	if e.Value != "" {
		return e.Value
	}
	for _, a := range s.attrs[e.Element] {
		if a.name == e.Attribute {
			switch {
			case a.values != nil:
				return a.values[0]
			case a.kind == "number":
				return "1"
			case a.kind == "boolean":
				return "true"
			}
		}
	}
	return "x"
}

// Parents are the elements in which an element may stand.
func (s *Schema) Parents(element string) []string {
	var out []string
	for _, p := range s.Elements {
		for _, k := range s.Inside[p] {
			if k == element {
				out = append(out, p)
			}
		}
	}
	return out
}

// Used are the entries that a text of elements uses: a document, or a part.
func (s *Schema) Used(text []byte) map[Entry]bool {
	out := map[Entry]bool{}
	d := xml.NewDecoder(bytes.NewReader(text))
	d.Strict = false
	skip := 0
	for {
		tok, err := d.RawToken()
		if err != nil {
			return out
		}
		switch t := tok.(type) {
		case xml.StartElement:
			name := t.Name.Local
			out[Entry{name, "", ""}] = true
			if skip > 0 || name == "Extension" {
				skip++
			}
			for _, a := range t.Attr {
				out[Entry{name, a.Name.Local, ""}] = true
				out[Entry{name, a.Name.Local, a.Value}] = true
			}
		case xml.EndElement:
			if skip > 0 {
				skip--
			}
		}
	}
}
