package scoring

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// A LoadError says why a document is refused: where, what, and what to do. Load
// returns all of them joined; errors.As finds the first, Problems lists them.
type LoadError struct {
	Line, Column int    // 1-based; 0 unknown
	Path         string // PMML/TreeModel[modelName=x]/Node
	Element      string
	Field        string // the field concerned, if one is
	Reason       string
	Cure         string
}

func (e *LoadError) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d:%d: ", e.Line, e.Column)
	}
	if e.Element != "" {
		b.WriteString(e.Element + ": ")
	}
	b.WriteString(e.Reason)
	if e.Cure != "" {
		b.WriteString("; " + e.Cure)
	}
	return b.String()
}

// Problems lists the LoadErrors in err, in document order.
func Problems(err error) []*LoadError {
	var out []*LoadError
	var walk func(error)
	walk = func(err error) {
		var le *LoadError
		switch x := err.(type) {
		case *LoadError:
			out = append(out, x)
		case interface{ Unwrap() []error }:
			for _, e := range x.Unwrap() {
				walk(e)
			}
		default:
			if errors.As(err, &le) {
				out = append(out, le)
			}
		}
	}
	walk(err)
	return out
}

// maxProblems bounds how many are told; a document that is wrong throughout
// would else answer with itself.
const maxProblems = 100

// problems collects what is wrong while a document is bound.
type problems struct {
	list []*LoadError
	more int
}

func (p *problems) add(e *element, field, reason, cure string) {
	if len(p.list) >= maxProblems {
		p.more++
		return
	}
	le := &LoadError{Field: field, Reason: reason, Cure: cure}
	if e != nil {
		le.Line, le.Column, le.Element, le.Path = e.line, e.col, e.name, e.where()
	}
	p.list = append(p.list, le)
}

func (p *problems) refuse(e *element, what string) {
	p.add(e, "", what+" is not supported", "docs/pmml-support.md lists what is")
}

func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	sort.SliceStable(p.list, func(i, j int) bool { return p.list[i].Line < p.list[j].Line })
	errs := make([]error, 0, len(p.list)+1)
	for _, e := range p.list {
		errs = append(errs, e)
	}
	if p.more > 0 {
		errs = append(errs, &LoadError{Reason: fmt.Sprintf("and %d more problems", p.more)})
	}
	return errors.Join(errs...)
}

// Kinds of RowError.
const (
	KindInvalid = "invalid"   // a value that its field does not allow
	KindType    = "type"      // a value that cannot be read as its field's type
	KindMath    = "undefined" // a result that is not defined: division by zero, logarithm of a negative
	KindModel   = "model"     // the model gives no result for such a row
)

// A RowError says why one row has no result. Other rows are unharmed.
type RowError struct {
	Field   string `json:"field,omitempty"`
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

func (e *RowError) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return fmt.Sprintf("field %q: %s", e.Field, e.Message)
}

// nearest returns the known name that is most like name, for a message; "" if
// none is near.
func nearest(name string, known []string) string {
	best, at := "", len(name)/3+2
	low := strings.ToLower(name)
	for _, k := range known {
		lk := strings.ToLower(k)
		d := distance(low, lk, at)
		if a, b := plain(low), plain(lk); len(a) > 2 && len(b) > 2 && (strings.HasPrefix(b, a) || strings.HasPrefix(a, b)) {
			d = min(d, 1) // WOB_mean of WOB__mean__60s
		}
		if d < at {
			best, at = k, d
		}
	}
	return best
}

// plain is a name without what people put between its words.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == '.' || r == ' ' {
			return -1
		}
		return r
	}, s)
}

// distance is Levenshtein's, up to most.
func distance(a, b string, most int) int {
	if len(a)-len(b) > most || len(b)-len(a) > most || len(a) > 128 || len(b) > 128 {
		return most + 1
	}
	prev := make([]int, len(b)+1)
	cur := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			c := prev[j-1]
			if a[i-1] != b[j-1] {
				c++
			}
			cur[j] = min(c, prev[j]+1, cur[j-1]+1)
		}
		prev, cur = cur, prev
	}
	return prev[len(b)]
}
