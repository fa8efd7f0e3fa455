package scoring

import (
	"fmt"
	"math"
)

// verify runs the document's ModelVerification: each row's expected results
// against ours. PMML 4.4.1: |expected - got| within precision, relative, or
// both within zeroThreshold of zero.
func (m *Model) verify(e *element) error {
	mv := e.first("ModelVerification")
	if mv == nil {
		return nil
	}
	type column struct {
		field     string
		column    string
		precision float64
		zero      float64
	}
	var cols []column
	for _, k := range mv.first("VerificationFields").all("VerificationField") {
		c := column{field: k.get("field"), column: k.get("column"), precision: 1e-6, zero: 1e-16}
		if c.column == "" {
			c.column = c.field
		}
		if p, ok := parseNumber(k.get("precision")); ok {
			c.precision = p
		}
		if z, ok := parseNumber(k.get("zeroThreshold")); ok {
			c.zero = z
		}
		cols = append(cols, c)
	}
	isInput := map[string]bool{}
	for _, f := range m.prog.inputs {
		isInput[f.name] = true
	}
	for _, f := range m.inputs {
		isInput[f.Name] = true
	}
	isOut := map[string]bool{}
	for _, f := range m.outputs {
		isOut[f.Name] = true
	}
	target := m.targets[0].Name
	s := m.NewScorer()
	for n, k := range mv.first("InlineTable").all("row") {
		cells := map[string]string{}
		for _, c := range k.kids {
			cells[c.name] = c.text
		}
		row := Row{}
		for _, c := range cols {
			if txt, ok := cells[c.column]; ok && txt != "" && isInput[c.field] && c.field != target {
				row[c.field] = txt
			}
		}
		got, err := s.Score(row)
		if err != nil {
			return &LoadError{Line: k.line, Column: k.col, Element: "ModelVerification", Path: k.where(), Reason: fmt.Sprintf("row %d: the model gives no result: %v", n+1, err), Cure: "export the model again, or take the row out"}
		}
		for _, c := range cols {
			want, ok := cells[c.column]
			if !ok || isInput[c.field] && c.field != target || c.field != target && !isOut[c.field] {
				continue
			}
			d, ok := agree(want, got.Value(c.field), c.precision, c.zero)
			if !ok {
				return &LoadError{Line: k.line, Column: k.col, Element: "ModelVerification", Field: c.field, Path: k.where(),
					Reason: fmt.Sprintf("row %d: %s should be %s and comes out as %v", n+1, c.field, clip(want), got.Value(c.field)),
					Cure:   "the exporter and this engine disagree; do not use the model until the reason is known"}
			}
			m.info.MaxError = max(m.info.MaxError, d)
		}
		m.info.Verified++
	}
	return nil
}

// agree compares a result with what the producer wrote; it returns the relative difference.
func agree(want string, got any, precision, zero float64) (float64, bool) {
	switch g := got.(type) {
	case nil:
		return 0, want == ""
	case string:
		return 0, g == want
	case bool:
		w, ok := typeBoolean.parse(want, 0)
		return 0, ok && (w.f != 0) == g
	}
	w, ok := parseNumber(want)
	if !ok {
		return 0, false
	}
	v, _ := fromGo(got)
	if math.Abs(w) <= zero && math.Abs(v.f) <= zero || w == v.f {
		return 0, true
	}
	d := math.Abs(v.f-w) / math.Abs(w)
	return d, d <= precision
}
