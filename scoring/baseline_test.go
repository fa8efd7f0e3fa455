package scoring

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
)

func baselineModel(field, attrs, body string) (*Model, error) {
	return Load(strings.NewReader(`<PMML version="4.4"><DataDictionary>` + field + `<DataField name="w" dataType="double" optype="continuous"/></DataDictionary>
		<BaselineModel modelName="base" algorithmName="any" isScorable="true" functionName="regression"><MiningSchema><MiningField name="x" invalidValueTreatment="asMissing"/><MiningField name="w"/></MiningSchema>
		<TestDistributions field="x" ` + attrs + `>` + body + `</TestDistributions></BaselineModel></PMML>`))
}

const (
	continuousX  = `<DataField name="x" dataType="double" optype="continuous"/>`
	categoricalX = `<DataField name="x" dataType="string" optype="categorical"/>`
)

func wantNear(t *testing.T, what string, got any, want float64) {
	t.Helper()
	f, ok := got.(float64)
	if math.IsNaN(want) {
		if got != nil {
			t.Errorf("%s: %v, want nothing", what, got)
		}
		return
	}
	if !ok || !(math.Abs(f-want) <= 2e-12*max(math.Abs(want), 1e-3)) {
		t.Errorf("%s: %v, want %.15g", what, got, want)
	}
}

// BaselineModel, example 1 of the specification: Z[n] = max{r, Z[n-1] + ln f1/f0}.
// Numbers: research notes on PMML 4.4.1, 1; forty digits.
func TestACusumRisesWhileTheAlternateIsLikelier(t *testing.T) {
	x := []any{510.0, 503.0, 502.0, nil, 500.0, "not a number", 504.0, 512.0, 540.0}
	all := []float64{0, 0.0662656015216346, 2.1961373508966, math.NaN(), 8.43893144763375, math.NaN(), 6.43682758518722, 0, 0}
	last3 := append([]float64(nil), all...)
	last3[6] = 6.37056198366559
	body := `<Baseline><GaussianDistribution mean="550.2" variance="48.2"/></Baseline><Alternate><GaussianDistribution mean="460.4" variance="39.2"/></Alternate>`
	for attrs, want := range map[string][]float64{`testStatistic="CUSUM"`: all, `testStatistic="CUSUM" windowSize="3" resetValue="0"`: last3} {
		m, err := baselineModel(continuousX, attrs, body)
		if err != nil {
			t.Fatal(err)
		}
		if !m.Stateful() {
			t.Error("a CUSUM remembers nothing")
		}
		s := m.NewScorer()
		for i, v := range x {
			// Two drills, one of them a row behind, do not disturb each other; and a restart is not noticed.
			if i > 0 {
				got, err := s.ScoreKeyed("behind", Row{"x": x[i-1]})
				if err != nil {
					t.Fatal(err)
				}
				wantNear(t, fmt.Sprint(attrs, " behind ", i), got.Value("_target"), want[i-1])
			}
			again := m.NewScorer()
			if err := again.RestoreState(s.AppendState(nil)); err != nil {
				t.Fatal(err)
			}
			s = again
			got, err := s.ScoreKeyed("a", Row{"x": v})
			if err != nil {
				t.Fatal(err)
			}
			wantNear(t, fmt.Sprint(attrs, " row ", i), got.Value("_target"), want[i])
		}
		bs := m.NewScorer()
		batch := bs.Batch(len(x))
		for i, v := range x {
			if f, ok := v.(float64); ok {
				batch.SetNumber(0, i, f)
			}
			batch.SetKey(i, "a")
		}
		if err := bs.Run(context.Background(), batch); err != nil {
			t.Fatal(err)
		}
		for i := range x {
			if got := batch.Number(0, i); !(math.IsNaN(got) && math.IsNaN(want[i])) && math.Abs(got-want[i]) > 1e-12*max(1, want[i]) {
				t.Errorf("%s, batch row %d: %v, want %v", attrs, i, got, want[i])
			}
		}
	}
}

func TestARowThatFailsLeavesTheCusumAsItWas(t *testing.T) {
	m, err := Load(strings.NewReader(`<PMML version="4.4"><DataDictionary>` + continuousX + `<DataField name="w" dataType="double" optype="continuous"/></DataDictionary>
		<BaselineModel functionName="regression"><MiningSchema><MiningField name="x"/><MiningField name="w"/></MiningSchema>
		<Output><OutputField name="o" dataType="double" feature="transformedValue"><FieldRef field="w"/></OutputField></Output>
		<TestDistributions field="x" testStatistic="CUSUM"><Baseline><PoissonDistribution mean="4"/></Baseline><Alternate><PoissonDistribution mean="8"/></Alternate></TestDistributions></BaselineModel></PMML>`))
	if err != nil {
		t.Fatal(err)
	}
	s := m.NewScorer()
	step := 9*math.Log(2) - 4 // ln of the densities of 9 events: 9 ln(8/4) - (8-4)
	for i, want := range []float64{step, -1, 2 * step} {
		row := Row{"x": 9, "w": 1.0}
		if want < 0 {
			row["w"] = "no number"
		}
		got, err := s.Score(row)
		if want < 0 {
			if err == nil {
				t.Error("a row without a valid w is scored")
			}
			continue
		}
		wantNear(t, fmt.Sprint("row ", i), got.Value("_target"), want)
	}
}

// Numbers: research notes, 1, after Augustus 0.5.
func TestAZValueCountsStandardDeviations(t *testing.T) {
	f := func(base string, x any, want float64) {
		t.Helper()
		m, err := baselineModel(continuousX, `testStatistic="zValue"`, "<Baseline>"+base+"</Baseline>")
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Score(Row{"x": x})
		if err != nil {
			t.Fatal(err)
		}
		wantNear(t, fmt.Sprint(base, x), got.Value("_target"), want)
	}
	f(`<GaussianDistribution mean="550.2" variance="48.2"/>`, 536.0, -2.04533676680065)
	f(`<AnyDistribution mean="550.2" variance="48.2"/>`, 536.0, -2.04533676680065)
	f(`<GaussianDistribution mean="550.2" variance="0"/>`, 536.0, math.NaN())
	f(`<GaussianDistribution mean="550.2" variance="48.2"/>`, nil, math.NaN())
	f(`<PoissonDistribution mean="4"/>`, 7.0, 1.63396008697533)
	f(`<PoissonDistribution mean="4"/>`, 400.0, 10)
	f(`<PoissonDistribution mean="4"/>`, -1.0, -10)
	f(`<UniformDistribution lower="2" upper="10"/>`, 9.0, 1.15034938037601)
	f(`<UniformDistribution lower="2" upper="10"/>`, 11.0, 10)
}

// Numbers: research notes, 1, after Augustus 0.5.3: 6 A, 2 B, 2 C against a
// table of 30, 50, 20; χ² 5.02857142857143 of two degrees of freedom.
func TestAHistogramIsComparedWithTheTable(t *testing.T) {
	counts := `<FieldValueCount field="x" value="A" count="30"/><FieldValueCount field="x" value="B" count="50"/><FieldValueCount field="x" value="C" count="20"/>`
	normal := strings.NewReplacer(`count="30"`, `count=".3"`, `count="50"`, `count=".5"`, `count="20"`, `count=".2"`).Replace(counts)
	rows := strings.Split("A A B A C A B A C A", " ")
	f := func(attrs, table string, rows []string, weights []any, want float64) *Scorer {
		t.Helper()
		m, err := baselineModel(categoricalX, attrs, "<Baseline>"+table+"</Baseline>")
		if err != nil {
			t.Fatal(err)
		}
		s := m.NewScorer()
		var got Result
		for i, x := range rows {
			row := Row{"x": x}
			if x == "-" {
				row["x"] = nil
			}
			if weights != nil {
				row["w"] = weights[i]
			}
			if got, err = s.Score(row); err != nil {
				t.Fatal(err)
			}
			again := m.NewScorer()
			if err := again.RestoreState(s.AppendState(nil)); err != nil {
				t.Fatal(err)
			}
			s = again
		}
		wantNear(t, attrs, got.Value("_target"), want)
		return s
	}
	table := `<CountTable sample="100">` + counts + "</CountTable>" // whose sample says nothing new
	norm := `<NormalizedCountTable sample="1000">` + normal + "</NormalizedCountTable>"
	chi := `testStatistic="chiSquareDistribution"`
	f(chi, table, rows, nil, 0.919079307937085)
	f(chi, norm, rows, nil, 0.947207735671637)
	f(chi, table, append(rows, "-"), nil, 0.919079307937085)                                                                      // a missing value: what was seen so far
	f(chi+` windowSize="10"`, table, append(strings.Split("B Z B", " "), rows...), nil, 0.919079307937085)                        // the last ten
	f(chi+` weightField="w"`, table, []string{"A", "B", "B", "C"}, []any{6.0, 2.0, nil, 2.0}, 0.919079307937085)                  // weighed
	f(chi, table, []string{"-"}, nil, math.NaN())                                                                                 // nothing seen
	f(`testStatistic="scalarProduct"`, table, rows, nil, 320)                                                                     // 30·6 + 50·2 + 20·2
	f(`testStatistic="scalarProduct" normalizationScheme="Independent"`, table, rows, nil, 0.78258558087123)                      // the cosine
	f(`testStatistic="scalarProduct" normalizationScheme="SizeWeighted"`, table, rows, nil, 0.166493236212279)                    // 2·320/(3800+44)
	f(`testStatistic="scalarProduct" windowSize="1"`, table, []string{"A", "Z"}, nil, 0)                                          // of what the table does not have
	f(`testStatistic="scalarProduct" windowSize="2"`, table, []string{"A", "Z", "C", "C"}, nil, 40)                               // only the last two
	f(`testStatistic="scalarProduct" normalizationScheme="Independent"`, table, []string{"-"}, nil, math.NaN())                   // a norm of 0
	f(chi, table, []string{"Z", "Z"}, nil, func() float64 { x := .3*.3/.003 + .5*.5/.005 + .2*.2/.002 + 1/.5; return chi3(x) }()) // a fourth bin: three degrees of freedom
}

// chi3 is the chi-square distribution of three degrees of freedom, in closed form.
func chi3(x float64) float64 {
	return math.Erf(math.Sqrt(x/2)) - math.Sqrt(2*x/math.Pi)*math.Exp(-x/2)
}

// Numbers: research notes, 1: [[20,30],[40,10]], χ² 16.6666666666667.
func TestIndependenceIsOfTheTableAlone(t *testing.T) {
	nest := func(name, a, b, c, d string) string {
		return `<Baseline><` + name + `><FieldValue field="x" value="1"><FieldValueCount field="y" value="u" count="` + a + `"/><FieldValueCount field="y" value="v" count="` + b + `"/></FieldValue>
			<FieldValue field="x" value="2"><FieldValueCount field="y" value="u" count="` + c + `"/><FieldValueCount field="y" value="v" count="` + d + `"/></FieldValue></` + strings.Fields(name)[0] + `></Baseline>`
	}
	for _, body := range []string{nest("CountTable", "20", "30", "40", "10"), nest(`NormalizedCountTable sample="100"`, ".2", ".3", ".4", ".1")} {
		m, err := baselineModel(continuousX, `testStatistic="chiSquareIndependence"`, body)
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Score(Row{})
		if err != nil {
			t.Fatal(err)
		}
		wantNear(t, body, got.Value("_target"), 0.999955442909396)
	}
}

func TestABaselineThatCannotBeComputedIsRefused(t *testing.T) {
	f := func(field, attrs, body string, words ...string) {
		t.Helper()
		_, err := baselineModel(field, attrs, body)
		for _, w := range words {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s %s: %v, want %q", attrs, body, err, w)
			}
		}
	}
	g := `<Baseline><GaussianDistribution mean="1" variance="1"/></Baseline>`
	f(continuousX, `testStatistic="CUSUM"`, g, "Alternate")
	f(continuousX, `testStatistic="CUSUM"`, g+`<Alternate><AnyDistribution mean="1" variance="1"/></Alternate>`, "density")
	f(continuousX, `testStatistic="CUSUM" windowSize="1000000000"`, g, "windowSize")
	f(continuousX, `testStatistic="zValue" windowSize="5"`, g, "windowSize")
	f(continuousX, `testStatistic="zValue" weightField="w"`, g, "weightField")
	f(continuousX, `testStatistic="mean"`, g, "testStatistic")
	f(continuousX, `testStatistic="zValue"`, `<Baseline><PoissonDistribution mean="1e9"/></Baseline>`, "million")
	f(categoricalX, `testStatistic="zValue"`, g, "string")
	f(categoricalX, `testStatistic="chiSquareDistribution"`, g, "CountTable")
	f(categoricalX, `testStatistic="scalarProduct" normalizationScheme="Other"`, `<Baseline><CountTable><FieldValueCount field="x" value="A" count="3"/><FieldValueCount field="y" value="A" count="3"/></CountTable></Baseline>`, "normalizationScheme", "twice", "'y'")
	f(categoricalX, `testStatistic="chiSquareDistribution"`, `<Baseline><NormalizedCountTable><FieldValueCount field="x" value="A" count="3"/></NormalizedCountTable></Baseline>`, "sample")
	f(continuousX, `testStatistic="chiSquareIndependence"`, `<Baseline><FieldRef field="x"/><FieldRef field="w"/></Baseline>`, "CountTable")
}
