package scoring

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
)

// What no test has verified is refused by name rather than read past: a line
// is an element, an attribute or one of its values, and the reason. The test
// that makes docs/pmml-support.md holds this list to be neither short nor stale.
//
//go:embed unsupported.tsv
var unsupportedTable string

// elements are those of PMML 4.4.1, one a line: what is none of them may be a slip
// of the pen in one that matters, and read past it would score otherwise.
//
//go:embed elements.txt
var elementsTable string

var elements = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{}
	for name := range strings.FieldsSeq(elementsTable) {
		out[name] = true
	}
	return out
})

type refusal struct {
	whole  bool
	attrs  map[string]bool
	values map[string]bool // attribute=value
}

var refusals = sync.OnceValue(func() map[string]*refusal {
	out := map[string]*refusal{}
	for line := range strings.Lines(unsupportedTable) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		entry, _, _ := strings.Cut(strings.TrimRight(line, "\n"), "\t")
		name, attr, of := strings.Cut(entry, "@")
		r := out[name]
		if r == nil {
			r = &refusal{attrs: map[string]bool{}, values: map[string]bool{}}
			out[name] = r
		}
		switch {
		case !of:
			r.whole = true
		case strings.Contains(attr, "="):
			r.values[attr] = true
		default:
			r.attrs[attr] = true
		}
	}
	return out
})

// unverified refuses what stands in e and is in the list, or is no PMML.
func (b *binder) unverified(e *element) {
	known := refusals()
	stack := []*element{e}
	for len(stack) > 0 {
		x := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if !elements()[x.name] {
			b.bad.add(x, "", "PMML has no such element", "mend its name, or put what is not PMML into an Extension")
			continue
		}
		if x.name == "row" { // its cells are named as their columns
			continue
		}
		stack = append(stack, x.kids...)
		r := known[x.name]
		if r == nil {
			continue
		}
		if r.whole {
			b.bad.refuse(x, x.name)
			continue
		}
		for _, a := range x.attrs {
			if r.attrs[a.name] {
				b.bad.refuse(x, fmt.Sprintf("%s@%s", x.name, a.name))
			} else if r.values[a.name+"="+a.value] {
				b.bad.refuse(x, fmt.Sprintf("%s@%s=%s", x.name, a.name, clip(a.value)))
			}
		}
	}
}
