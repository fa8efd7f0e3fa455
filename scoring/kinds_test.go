package scoring_test

import (
	"math"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/scoring"
)

// document is a PMML document of DataFields and one model.
func document(fields, model string) string {
	return `<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/><DataDictionary>` + fields + `</DataDictionary>` + model + `</PMML>`
}

func doubles(names ...string) string {
	var b strings.Builder
	for _, n := range names {
		b.WriteString(`<DataField name="` + n + `" optype="continuous" dataType="double"/>`)
	}
	return b.String()
}

func mining(names ...string) string {
	var b strings.Builder
	b.WriteString("<MiningSchema>")
	for _, n := range names {
		if t, ok := strings.CutPrefix(n, "="); ok {
			b.WriteString(`<MiningField name="` + t + `" usageType="target"/>`)
		} else {
			b.WriteString(`<MiningField name="` + n + `"/>`)
		}
	}
	return b.String() + "</MiningSchema>"
}

func load(t *testing.T, doc string) *scoring.Model {
	t.Helper()
	m, err := scoring.Load(strings.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// gives scores a row and compares results; numbers to 1e-12.
func gives(t *testing.T, m *scoring.Model, row scoring.Row, want map[string]any) {
	t.Helper()
	got, err := m.Score(row)
	if err != nil {
		t.Errorf("%v: %v", row, err)
		return
	}
	for name, w := range want {
		g := got.Value(name)
		f, ok := w.(float64)
		if !ok {
			if g != w {
				t.Errorf("%v: %s is %v, want %v", row, name, g, w)
			}
			continue
		}
		if x, ok := g.(float64); !ok || math.Abs(x-f) > 1e-12*math.Abs(f) {
			t.Errorf("%v: %s is %v, want %v", row, name, g, w)
		}
	}
}

// fails expects an error of the row, that has those words.
func fails(t *testing.T, m *scoring.Model, row scoring.Row, words string) {
	t.Helper()
	got, err := m.Score(row)
	if err == nil {
		t.Errorf("%v gives %v, want an error with %q", row, got, words)
	} else if !strings.Contains(err.Error(), words) {
		t.Errorf("%v: error %q, want %q", row, err, words)
	}
}

// refused expects the document to be refused, in those words, at that element.
func refused(t *testing.T, doc, element, words string) {
	t.Helper()
	_, err := scoring.Load(strings.NewReader(doc))
	for _, p := range scoring.Problems(err) {
		if strings.Contains(p.Reason, words) && p.Element == element {
			if p.Line == 0 || p.Cure == "" {
				t.Errorf("refused without a line or cure: %+v", p)
			}
			return
		}
	}
	t.Errorf("want <%s> refused with %q, got %v", element, words, err)
}
