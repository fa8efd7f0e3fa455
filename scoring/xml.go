package scoring

import "strings"

// Limits bound what a document may ask for; see WithLimits.
type Limits struct {
	Bytes    int64 // of the document
	Elements int   // in all
	Depth    int   // of nested elements
	Text     int   // bytes of one attribute or text
	Memory   int64 // estimated bytes to hold and bind the document
}

// DefaultLimits take a forest of two hundred megabytes, and keep what a bomb
// takes before it is refused below 1 GiB.
func DefaultLimits() Limits {
	return Limits{Bytes: 256 << 20, Elements: 4_000_000, Depth: 1024, Text: 16 << 20, Memory: 900 << 20}
}

// element is one element of the document; its children in document order.
// Elements of other namespaces and Extensions are left out, but for the cells
// of a table's rows, whatever their namespace.
type element struct {
	name   string
	attrs  []attr
	kids   []*element
	text   string // of an element without children; as it stands, blanks and all
	line   int
	col    int // of its <, in bytes
	parent *element
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

// count returns how many elements of that name e and what lies in it through
// such elements are.
func (e *element) count(name string) int {
	n, stack := 0, []*element{e}
	for len(stack) > 0 {
		x := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		n++
		for _, k := range x.kids {
			if k.name == name {
				stack = append(stack, k)
			}
		}
	}
	return n
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

// clip shortens a stranger's text for a message.
func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:59]) + "…"
	}
	return s
}
