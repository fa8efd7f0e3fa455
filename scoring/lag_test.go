package scoring

import (
	"fmt"
	"strings"
	"testing"
)

// looksBack is a document with one derived field over x, in groups of g.
func looksBack(expression string) string {
	return `<PMML version="4.4"><DataDictionary><DataField name="x" optype="continuous" dataType="double"/><DataField name="g" optype="categorical" dataType="string"/><DataField name="y" optype="continuous" dataType="double"/></DataDictionary>
<RegressionModel functionName="regression"><MiningSchema><MiningField name="x"/><MiningField name="g"/><MiningField name="y" usageType="target"/></MiningSchema><Output><OutputField name="o" optype="continuous" dataType="double" feature="transformedValue"><FieldRef field="d"/></OutputField></Output>
<LocalTransformations><DerivedField name="d" optype="continuous" dataType="double">` + expression + `</DerivedField></LocalTransformations><RegressionTable intercept="0"><NumericPredictor name="x" coefficient="1"/></RegressionTable></RegressionModel></PMML>`
}

// history scores rows in order and returns the last one's o, or all of them.
func history(t *testing.T, expression string, rows ...Row) string {
	t.Helper()
	s := mustLoad(t, looksBack(expression)).NewScorer()
	var out []string
	for _, row := range rows {
		res, err := s.Score(row)
		if err != nil {
			out = append(out, "error")
			continue
		}
		out = append(out, fmt.Sprint(res.Value("o")))
	}
	return strings.Join(out, " ")
}

// PMML 4.4.1, Lag; what JPMML's own table does, see docs/pmml-semantics.md, lag.
func TestALagLooksBackOverRecords(t *testing.T) {
	rows := []Row{{"x": 5}, {}, {"x": 7}, {"x": 9}, {"x": 100}}
	f := func(n int, aggregate, want string) {
		t.Helper()
		got := strings.Fields(history(t, fmt.Sprintf(`<Lag field="x" n="%d" aggregate="%s"/>`, n, aggregate), rows...))
		if last := got[len(got)-1]; last != want {
			t.Errorf("n=%d %s: %s, want %s", n, aggregate, last, want)
		}
	}
	f(1, "none", "9")
	f(3, "none", "<nil>") // that record's value is missing
	f(4, "none", "5")
	f(5, "none", "<nil>") // there are not so many
	f(2, "stddev", "1.4142135623730951")
	f(2, "sum", "16")
	f(4, "avg", "7")
	f(4, "median", "7")
	f(4, "product", "315")
	f(4, "stddev", "2")
	f(4, "min", "5")
	f(4, "max", "9")
	f(1, "stddev", "0")
	if got := history(t, `<Lag field="x"/>`, rows...); got != "<nil> 5 <nil> 7 9" {
		t.Error(got)
	}
	blocks := []Row{{"x": 1, "g": "a"}, {"x": 2, "g": "b"}, {"x": 3, "g": "a"}, {"x": 4}, {"x": 5, "g": "b"}, {"x": 6}}
	if got := history(t, `<Lag field="x"><BlockIndicator field="g"/></Lag>`, blocks...); got != "<nil> <nil> 1 <nil> 2 4" {
		t.Error(got)
	}
	// A row that failed is no record.
	if got := history(t, `<Lag field="x"/>`, Row{"x": 1}, Row{"x": "no number"}, Row{"x": 2}); got != "<nil> error 1" {
		t.Error(got)
	}
}

func TestAnAggregateRunsOverTheRowsOfItsGroup(t *testing.T) {
	rows := []Row{{"x": 1, "g": "a"}, {"g": "a"}, {"x": 5, "g": "b"}, {"x": 4, "g": "a"}}
	f := func(function, want string) {
		t.Helper()
		if got := history(t, `<Aggregate field="x" function="`+function+`" groupField="g"/>`, rows...); got != want {
			t.Errorf("%s: %s, want %s", function, got, want)
		}
	}
	f("sum", "1 1 5 5")
	f("count", "1 1 1 2")
	f("average", "1 1 5 2.5")
	f("min", "1 1 5 1")
	f("max", "1 1 5 4")
	// A collection is aggregated by itself.
	if got := history(t, `<Aggregate field="x" function="average"/>`, Row{"x": []any{1, nil, 2, 6}}, Row{"x": []any{}}); got != "3 <nil>" {
		t.Error(got)
	}
	if got := history(t, `<Aggregate field="x" function="multiset"/>`, Row{"x": 1}); got != "error" {
		t.Error(got)
	}
	_, err := Load(strings.NewReader(looksBack(`<Aggregate field="x" function="sum" sqlWhere="x > 1"/>`)))
	if err == nil || !strings.Contains(err.Error(), "sqlWhere of an Aggregate is not supported") {
		t.Error(err)
	}
	_, err = Load(strings.NewReader(looksBack(`<Lag field="x" n="0"/>`)))
	if err == nil || !strings.Contains(err.Error(), "want a whole number from 1 to 10000") {
		t.Error(err)
	}
}

// What a Lag remembers survives in bytes.
func TestALagGoesOnAfterARestart(t *testing.T) {
	m := mustLoad(t, looksBack(`<Lag field="x" n="2" aggregate="sum"><BlockIndicator field="g"/></Lag>`))
	a := m.NewScorer()
	for i := range 3 {
		if _, err := a.ScoreKeyed("drill-1", Row{"x": i + 1, "g": "q"}); err != nil {
			t.Fatal(err)
		}
	}
	b := m.NewScorer()
	if err := b.RestoreState(a.AppendState(nil)); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Scorer{a, b} {
		res, err := s.ScoreKeyed("drill-1", Row{"x": 0, "g": "q"})
		if err != nil || res.Float("o") != 5 {
			t.Error(res.Value("o"), err)
		}
	}
}
