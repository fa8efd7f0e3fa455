package scoring

import (
	"fmt"
	"math"
)

// verificationColumn is a VerificationField.
type verificationColumn struct {
	field     string
	column    string
	precision float64
	zero      float64
	input     bool
}

// verify runs the document's ModelVerification: each row's expected results
// against ours. PMML 4.4.1: |expected - got| within precision, relative, or
// both within zeroThreshold of zero. The worst row is named.
func (m *Model) verify(e *element) error {
	mv := e.first("ModelVerification")
	if mv == nil {
		return nil
	}
	cols, err := m.verificationColumns(mv)
	if err != nil {
		return err
	}
	s := m.NewScorer()
	var worst *LoadError
	worstBy, failed, compared := -1.0, 0, 0
	rows := mv.first("InlineTable").all("row")
	for n, k := range rows {
		cell := cells(k)
		row := Row{}
		for _, c := range cols {
			if txt, ok := cell[c.column]; ok && txt != "" && c.input {
				row[c.field] = txt
			}
		}
		got, err := s.Score(row)
		bad := false
		note := func(field string, by float64, reason string) {
			bad = true
			if by > worstBy {
				worstBy = by
				worst = &LoadError{Line: k.line, Column: k.col, Element: "ModelVerification", Field: field, Path: k.where(), Reason: fmt.Sprintf("row %d: %s", n+1, reason)}
			}
		}
		if err != nil {
			note("", math.Inf(1), fmt.Sprintf("the model gives no result: %v", err))
		} else {
			for _, c := range cols {
				want, ok := cell[c.column]
				if !ok || c.input {
					continue
				}
				compared++
				d, ok := agree(want, got.Value(c.field), c.precision, c.zero)
				if !ok {
					note(c.field, d, fmt.Sprintf("%s should be %s and comes out as %s", c.field, clip(want), told(got.Value(c.field))))
					continue
				}
				m.info.MaxError = max(m.info.MaxError, d)
			}
		}
		if bad {
			failed++
		} else {
			m.info.Verified++
		}
	}
	switch {
	case worst != nil:
		worst.Reason = fmt.Sprintf("%d of %d verification rows fail; the worst is %s", failed, len(rows), worst.Reason)
		worst.Cure = "the exporter and this engine disagree; do not use the model until the reason is known"
		return worst
	case len(rows) > 0 && compared == 0:
		return &LoadError{Line: mv.line, Column: mv.col, Element: "ModelVerification", Path: mv.where(), Reason: fmt.Sprintf("none of its %d rows has a cell for a result", len(rows)), Cure: "its columns must be named as the cells of the InlineTable are"}
	}
	return nil
}

// verificationColumns reads the VerificationFields; each is an input or a result of the model.
func (m *Model) verificationColumns(mv *element) ([]verificationColumn, error) {
	isInput, isOut := map[string]bool{}, map[string]bool{}
	for _, f := range m.prog.inputs {
		isInput[f.name] = true
	}
	for _, f := range m.inputs {
		isInput[f.Name] = true
	}
	known := make([]string, 0, len(m.inputs)+len(m.outputs)+len(m.targets))
	for _, f := range m.targets {
		isInput[f.Name] = false
		isOut[f.Name] = true
		known = append(known, f.Name)
	}
	for _, f := range m.outputs {
		isOut[f.Name] = true
		known = append(known, f.Name)
	}
	var cols []verificationColumn
	for _, k := range mv.first("VerificationFields").all("VerificationField") {
		c := verificationColumn{field: k.get("field"), column: columnName(k.get("column")), precision: 1e-6, zero: 1e-16}
		if c.column == "" {
			c.column = c.field
		}
		if p, ok := parseNumber(k.get("precision")); ok {
			c.precision = p
		}
		if z, ok := parseNumber(k.get("zeroThreshold")); ok {
			c.zero = z
		}
		c.input = isInput[c.field]
		if !c.input && !isOut[c.field] {
			if !m.declared(c.field) {
				cure := "name an input, a target or an output"
				if near := nearest(c.field, known); near != "" {
					cure = fmt.Sprintf("nearest: '%s'", near)
				}
				return nil, &LoadError{Line: k.line, Column: k.col, Element: k.name, Field: c.field, Path: k.where(), Reason: fmt.Sprintf("verification field '%s' is neither an input nor a result", clip(c.field)), Cure: cure}
			}
			continue // a field that the model does not read
		}
		cols = append(cols, c)
	}
	return cols, nil
}

// declared reports whether the model's schema, or a hidden output, has that name.
func (m *Model) declared(name string) bool {
	if _, ok := m.top.scope.all[name]; ok {
		return true
	}
	if _, ok := m.top.scope.b.data[name]; ok {
		return true
	}
	for _, o := range m.top.outputs {
		if o.name == name {
			return true
		}
	}
	return false
}

func told(v any) string {
	if v == nil {
		return "missing"
	}
	return fmt.Sprint(v)
}

// agree compares a result with what the producer wrote; it returns the
// relative difference, infinite where there is no such thing.
func agree(want string, got any, precision, zero float64) (float64, bool) {
	differ := func(same bool) (float64, bool) {
		if same {
			return 0, true
		}
		return math.Inf(1), false
	}
	switch g := got.(type) {
	case nil:
		return differ(want == "")
	case string:
		return differ(g == want)
	case bool:
		w, ok := typeBoolean.parse(want, 0)
		return differ(ok && (w.f != 0) == g)
	}
	w, ok := parseNumber(want)
	v, number := fromGo(got)
	if !ok || !number || v.k == list {
		return differ(false)
	}
	if math.Abs(w) <= zero && math.Abs(v.f) <= zero || w == v.f {
		return 0, true
	}
	d := math.Abs(v.f-w) / math.Abs(w)
	return d, d <= precision
}
