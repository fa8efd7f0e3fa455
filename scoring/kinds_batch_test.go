package scoring

import (
	"context"
	"fmt"
	"testing"
)

func TestABatchHoldsCollections(t *testing.T) {
	m, err := associations("<OutputField name=\"o\" dataType=\"string\" feature=\"ruleValue\" ruleFeature=\"ruleId\" isMultiValued=\"1\" rank=\"0\" algorithm=\"recommendation\"/>")
	if err != nil {
		t.Fatal(err)
	}
	s := m.NewScorer()
	b := s.Batch(4)
	at := 0
	for i, f := range m.Inputs() {
		if f.Name == "item" {
			at = i
		}
	}
	for range 2 {
		b.Reset(4)
		b.SetValue(at, 0, []any{"a", "b"})
		b.SetValue(at, 1, []any{"b"})
		b.SetValue(at, 2, []any{"a"})
		b.SetText(at, 2, "a") // one item is no collection
		if b.SetValue(at, 3, struct{}{}) {
			t.Error("a struct is taken for a value")
		}
		if err := s.Run(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(b.Value(1, 0), b.Value(1, 1), b.Err(2) != nil, b.Err(3) != nil); got != "[ab ba] [ba] true true" {
			t.Errorf("%v", got)
		}
	}
	series, err := seriesModel(t, "ARIMA", "1 3", `<ARIMA RMSE="1"><NonseasonalComponent d="1"/></ARIMA>`, "")
	if err != nil {
		t.Fatal(err)
	}
	s = series.NewScorer()
	b = s.Batch(2)
	b.SetNumber(0, 0, 3)
	if err := s.Run(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(b.Value(0, 0), b.Number(0, 1)) != "[3 3 3] 3" {
		t.Errorf("%v, %v", b.Value(0, 0), b.Number(0, 1))
	}
}

// In steady state a row takes no memory but what its answer is made of.
func TestARowOfTheseKindsTakesNoMemory(t *testing.T) {
	f := func(name string, m *Model, err error, set func(b *Batch)) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s := m.NewScorer()
		b := s.Batch(16)
		run := func() {
			b.Reset(16)
			set(b)
			_ = s.Run(context.Background(), b)
		}
		run()
		for i := range b.Rows() {
			if err := b.Err(i); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if n := testing.AllocsPerRun(50, run); n > 0 {
			t.Errorf("%s: %v allocations in 16 rows", name, n)
		}
	}
	numbers := func(b *Batch) {
		for i := range b.Rows() {
			b.SetNumber(0, i, float64(i)/2)
		}
	}
	texts := func(b *Batch) {
		for i := range b.Rows() {
			b.SetText(0, i, "ABC"[i%3:][:1])
		}
	}
	cusum := `<Baseline><GaussianDistribution mean="1" variance="1"/></Baseline><Alternate><GaussianDistribution mean="2" variance="1"/></Alternate>`
	m, err := baselineModel(continuousX, `testStatistic="CUSUM"`, cusum)
	f("CUSUM", m, err, numbers)
	m, err = baselineModel(continuousX, `testStatistic="CUSUM" windowSize="5"`, cusum)
	f("CUSUM over a window", m, err, numbers)
	counts := `<Baseline><CountTable><FieldValueCount field="x" value="A" count="30"/><FieldValueCount field="x" value="B" count="50"/></CountTable></Baseline>`
	m, err = baselineModel(categoricalX, `testStatistic="chiSquareDistribution"`, counts)
	f("chi-square", m, err, texts)
	m, err = baselineModel(categoricalX, `testStatistic="scalarProduct" windowSize="7"`, counts)
	f("scalar product", m, err, texts)
	m, err = associations("<OutputField name=\"o\" dataType=\"string\" feature=\"ruleId\" algorithm=\"recommendation\"/>")
	baskets := []any{[]any{"a"}, []any{"b", "a"}}
	s := m.NewScorer()
	b := s.Batch(16)
	for i := range b.Rows() {
		b.SetValue(1, i, baskets[i%2])
	}
	run := func() { _ = s.Run(context.Background(), b) }
	run()
	if n := testing.AllocsPerRun(50, run); err != nil || n > 0 {
		t.Errorf("associations: %v allocations in 16 rows (%v)", n, err)
	}
}
