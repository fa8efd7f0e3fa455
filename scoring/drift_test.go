package scoring

import (
	"encoding/json"
	"math"
	"math/rand"
	"slices"
	"strings"
	"testing"
)

func drifting(t testing.TB, stats string, learn int) *Drift {
	t.Helper()
	m, err := Load(strings.NewReader(`<PMML version="4.4"><DataDictionary><DataField name="a" dataType="double" optype="continuous"/><DataField name="c" dataType="string" optype="categorical"/></DataDictionary>
		<RegressionModel functionName="regression"><MiningSchema><MiningField name="a"/><MiningField name="c"/></MiningSchema>` + stats + `
		<RegressionTable intercept="0.5"><NumericPredictor name="a" coefficient="3"/></RegressionTable></RegressionModel></PMML>`))
	if err != nil {
		t.Fatal(err)
	}
	return m.NewDrift(learn)
}

func near(a, b float64) bool { return math.Abs(a-b) < 5e-10 }

// By hand: before (1/2, 1/2), now (3/4, 1/4).
// PSI = 1/4·ln(3/2) - 1/4·ln(1/2) = 1/4·ln 3 = 0.2746530722
// JS  = 1/2·(3/4·log2(6/5) + 1/4·log2(2/3)) + 1/2·(1/2·log2(4/5) + 1/2·log2(4/3)) = 0.0487949406
func TestDriftByHand(t *testing.T) {
	f := func(before, now []float64, psi, js float64) {
		t.Helper()
		if p := stability(before, now); !near(p, psi) {
			t.Errorf("%v %v: PSI %.10f, want %v", before, now, p, psi)
		}
		if d := divergence(before, now); !near(d, js) {
			t.Errorf("%v %v: JS %.10f, want %v", before, now, d, js)
		}
	}
	f([]float64{50, 50}, []float64{75, 25}, math.Log(3)/4, 0.0487949406)
	f([]float64{1, 1}, []float64{7, 7}, 0, 0)
	f([]float64{1, 0}, []float64{0, 1}, 2*(1-1e-4)*math.Log(1e4), 1) // nothing in common
	f([]float64{0, 0}, []float64{1, 1}, 0, 0)                        // no baseline
}

func TestDriftFromModelStats(t *testing.T) {
	f := func(stats string, values []any, psi, js, gone, before float64) {
		t.Helper()
		d := drifting(t, "<ModelStats>"+stats+"</ModelStats>", 100)
		input := 0
		if strings.Contains(stats, `field="c"`) {
			input = 1
		}
		for _, v := range values {
			switch v := v.(type) {
			case float64:
				d.Number(input, v)
			case string:
				d.Text(input, v)
			}
		}
		r := d.Report()[input]
		if r.Baseline != "ModelStats" || r.Values != float64(len(values)) || !near(r.PSI, psi) || !near(r.JS, js) || r.Missing != gone || r.MissingBefore != before {
			t.Errorf("%s: %+v", stats, r)
		}
	}
	two := `<UnivariateStats field="a"><ContStats><Interval closure="closedOpen" leftMargin="0" rightMargin="1"/><Interval closure="closedOpen" leftMargin="1" rightMargin="2"/><Array type="int" n="2">50 50</Array></ContStats></UnivariateStats>`
	f(two, []any{0.0, 0.5, 0.9, 1.0}, math.Log(3)/4, 0.0487949406, 0, -1)
	f(two, []any{0.0, 1.0, nan}, 0, 0, 1.0/3, -1) // whether values were missing is not known: the others are compared
	f(`<UnivariateStats field="c"><Counts totalFreq="100" missingFreq="50"/><DiscrStats><Array type="string" n="1">x</Array><Array type="int" n="1">50</Array></DiscrStats></UnivariateStats>`,
		[]any{"x", "x", "x", nan}, math.Log(3)/4, 0.0487949406, 0.25, 0.5)
	f(`<UnivariateStats field="a"><Counts totalFreq="100" missingFreq="0"/><NumericInfo><Quantile quantileLimit="50" quantileValue="3"/></NumericInfo></UnivariateStats>`,
		[]any{3.0, 2.0, 1.0, 3.5}, math.Log(3)/4, 0.0487949406, 0, 0)
}

func TestDriftFromTheFirstValues(t *testing.T) {
	d := drifting(t, "", 1000)
	g := rand.New(rand.NewSource(1))
	words := []string{"x", "y"}
	seen := func(mean float64, n int) {
		for range n {
			d.Number(0, mean+g.NormFloat64())
			d.Text(1, words[g.Intn(2)])
		}
	}
	seen(0, 999)
	if r := d.Report()[0]; r.Baseline != "" {
		t.Errorf("%+v after 999 of 1000 values", r)
	}
	seen(0, 5001)
	for _, r := range d.Report() {
		if r.Baseline != "first values" || r.PSI > 0.05 || r.JS > 0.01 {
			t.Errorf("nothing changed: %+v", r)
		}
	}
	d.Fade(1)
	words = []string{"x", "z"} // z is new
	seen(1, 5000)
	for _, r := range d.Report() {
		if r.PSI < 0.25 || r.JS < 0.1 {
			t.Errorf("it moved: %+v", r)
		}
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	again := drifting(t, "", 1000)
	if err := json.Unmarshal(text, again); err != nil {
		t.Fatal(err)
	}
	if was, is := d.Report(), again.Report(); !slices.Equal(was, is) {
		t.Errorf("%+v, restored %+v", was, is)
	}
	if err := json.Unmarshal([]byte(`[{"Name":"a","Edges":[1],"Before":[1],"Now":[1]}]`), again); err == nil {
		t.Error("a snapshot whose counts do not fit its bins is taken")
	}
}

func BenchmarkDrift(b *testing.B) {
	d := drifting(b, "", 1000)
	g := rand.New(rand.NewSource(1))
	for range 1000 {
		d.Number(0, g.NormFloat64())
	}
	x := 0.0
	for b.Loop() {
		x += 0.7
		d.Number(0, math.Mod(x, 3))
	}
}
