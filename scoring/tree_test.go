package scoring

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// mustLoad loads a document without verification.
func mustLoad(t *testing.T, doc string) *Model {
	t.Helper()
	m, err := Load(strings.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// weather is PMML 4.4.1's kind of example: outlook, then humidity or windy.
func weather(strategy, function, extra string) string {
	score := func(c string, n, a, b int) string {
		if function == "regression" {
			return fmt.Sprintf(`score="%d" recordCount="%d"`, n, a+b)
		}
		return fmt.Sprintf(`score="%s" recordCount="%d"`, c, a+b)
	}
	dist := func(a, b int) string {
		if function == "regression" {
			return ""
		}
		return fmt.Sprintf(`<ScoreDistribution value="play" recordCount="%d"/><ScoreDistribution value="stay" recordCount="%d"/>`, a, b)
	}
	y := `optype="categorical" dataType="string"`
	if function == "regression" {
		y = `optype="continuous" dataType="double"`
	}
	return `<PMML version="4.4"><DataDictionary><DataField name="outlook" optype="categorical" dataType="string"/><DataField name="humidity" optype="continuous" dataType="double"/><DataField name="y" ` + y + `/></DataDictionary>
<TreeModel functionName="` + function + `" missingValueStrategy="` + strategy + `" ` + extra + `><MiningSchema><MiningField name="outlook"/><MiningField name="humidity"/><MiningField name="y" usageType="target"/></MiningSchema>
<Node ` + score("play", 1, 60, 40) + `><True/>` + dist(60, 40) +
		`<Node ` + score("play", 2, 40, 10) + `><SimplePredicate field="outlook" operator="equal" value="sunny"/>` + dist(40, 10) +
		`<Node ` + score("play", 4, 38, 2) + `><SimplePredicate field="humidity" operator="lessThan" value="80"/>` + dist(38, 2) + `</Node>` +
		`<Node ` + score("stay", 8, 2, 8) + `><SimplePredicate field="humidity" operator="greaterOrEqual" value="80"/>` + dist(2, 8) + `</Node></Node>` +
		`<Node ` + score("play", 16, 12, 8) + `><SimplePredicate field="outlook" operator="equal" value="overcast"/>` + dist(12, 8) + `</Node>` +
		`<Node ` + score("stay", 32, 8, 22) + `><SimplePredicate field="outlook" operator="equal" value="rain"/>` + dist(8, 22) + `</Node></Node></TreeModel></PMML>`
}

func TestUnknownChildrenAreWeighedByTheirRecords(t *testing.T) {
	f := func(strategy string, row Row, want string) {
		t.Helper()
		res, err := mustLoad(t, weather(strategy, "classification", `missingValuePenalty="0.5"`)).Score(row)
		if err != nil {
			t.Fatal(err)
		}
		d := res.Target()
		if got := fmt.Sprintf("%v %.6f %.6f", d.Value, d.Probability["play"], d.Confidence["play"]); got != want {
			t.Errorf("%s %v: %s, want %s", strategy, row, got, want)
		}
	}
	// All three children are unknown. weightedConfidence: 50/100 of (40/50 of 38/40 and 10/50 of 2/10), 20/100 of 12/20, 30/100 of 8/30 = .4 + .12 + .08.
	f("weightedConfidence", Row{}, "play 0.600000 0.600000")
	// Humidity is known: the first child's part is that of its own child.
	f("weightedConfidence", Row{"humidity": 90}, "stay 0.300000 0.300000") // .5·.2 + .12 + .08
	f("weightedConfidence", Row{"outlook": "sunny"}, "play 0.800000 0.800000")
	f("weightedConfidence", Row{"outlook": "sunny", "humidity": 70}, "play 0.950000 0.950000")
	// aggregateNodes: the records of every leaf that is reached.
	f("aggregateNodes", Row{}, "play 0.600000 0.600000")               // (38+2+12+8)/100
	f("aggregateNodes", Row{"humidity": 90}, "stay 0.366667 0.366667") // (2+12+8)/60
	f("aggregateNodes", Row{"outlook": "sunny"}, "play 0.800000 0.800000")
	f("aggregateNodes", Row{"outlook": "rain"}, "stay 0.266667 0.266667")

	g := func(strategy string, row Row, want float64) {
		t.Helper()
		res, err := mustLoad(t, weather(strategy, "regression", "")).Score(row)
		if got := res.Float("y"); err != nil || math.Abs(got-want) > 1e-12 {
			t.Errorf("regression %s %v: %v %v, want %v", strategy, row, got, err, want)
		}
	}
	g("weightedConfidence", Row{}, .5*(.8*4+.2*8)+.2*16+.3*32)
	g("weightedConfidence", Row{"humidity": 90}, .5*8+.2*16+.3*32)
	g("aggregateNodes", Row{"humidity": 90}, (10*8.+20*16+30*32)/60)
	_, err := Load(strings.NewReader(strings.ReplaceAll(weather("weightedConfidence", "regression", ""), `recordCount="20"`, "")))
	if err == nil || !strings.Contains(err.Error(), "node 5 has no recordCount") {
		t.Error(err)
	}
}

func TestModelsInsideNodesGiveTheScore(t *testing.T) {
	doc := `<PMML version="3.2"><DataDictionary><DataField name="x" optype="continuous" dataType="double"/><DataField name="z" optype="continuous" dataType="double"/><DataField name="y" optype="continuous" dataType="double"/></DataDictionary>
<TreeModel functionName="regression"><MiningSchema><MiningField name="x"/><MiningField name="z"/><MiningField name="y" usageType="predicted"/></MiningSchema>
<Node><True/><Node><SimplePredicate field="x" operator="lessThan" value="0"/><Regression functionName="regression"><LocalTransformations><DerivedField name="d" optype="continuous" dataType="double"><Apply function="*"><FieldRef field="z"/><Constant>2</Constant></Apply></DerivedField></LocalTransformations><RegressionTable intercept="1"><NumericPredictor name="d" coefficient="3"/></RegressionTable></Regression></Node>
<Node><SimplePredicate field="x" operator="greaterOrEqual" value="0"/><DecisionTree functionName="regression"><Node score="5"><True/><Node score="7"><SimplePredicate field="z" operator="greaterThan" value="1"/></Node><Node score="9"><SimplePredicate field="z" operator="lessOrEqual" value="1"/></Node></Node></DecisionTree></Node></Node></TreeModel></PMML>`
	m := mustLoad(t, doc)
	f := func(x, z, want float64) {
		t.Helper()
		res, err := m.Score(Row{"x": x, "z": z})
		if err != nil || res.Float("y") != want {
			t.Errorf("%v, %v: %v %v, want %v", x, z, res.Float("y"), err, want)
		}
	}
	f(-1, 2, 13)
	f(1, 2, 7)
	f(1, 0, 9)

	// PMML 3.2, model composition: embedded models run in order and read one another's results.
	doc = `<PMML version="3.2"><DataDictionary><DataField name="x" optype="continuous" dataType="double"/><DataField name="y" optype="continuous" dataType="double"/></DataDictionary>
<MiningModel functionName="regression"><MiningSchema><MiningField name="x"/><MiningField name="y" usageType="predicted"/></MiningSchema>
<Regression functionName="regression"><ResultField name="first" optype="continuous" dataType="double" feature="predictedValue"/><RegressionTable intercept="1"><NumericPredictor name="x" coefficient="2"/></RegressionTable></Regression>
<DecisionTree functionName="regression"><Node><True/><Node score="10"><SimplePredicate field="first" operator="lessThan" value="4"/></Node><Node score="20"><SimplePredicate field="first" operator="greaterOrEqual" value="4"/></Node></Node></DecisionTree></MiningModel></PMML>`
	m = mustLoad(t, doc)
	f = func(x, _, want float64) {
		t.Helper()
		res, err := m.Score(Row{"x": x})
		if err != nil || res.Float("y") != want {
			t.Errorf("%v: %v %v, want %v", x, res.Float("y"), err, want)
		}
	}
	f(1, 0, 10)
	f(2, 0, 20)
}

func TestASegmentMayWeighByAField(t *testing.T) {
	seg := func(field, weight string) string {
		return `<Segment><True/><RegressionModel functionName="regression"><MiningSchema><MiningField name="` + field + `"/></MiningSchema><RegressionTable intercept="0"><NumericPredictor name="` + field + `" coefficient="1"/></RegressionTable></RegressionModel>` + weight + `</Segment>`
	}
	m := mustLoad(t, `<PMML version="4.4"><DataDictionary><DataField name="a" optype="continuous" dataType="double"/><DataField name="b" optype="continuous" dataType="double"/><DataField name="w" optype="continuous" dataType="double"/></DataDictionary>
<MiningModel functionName="regression"><MiningSchema><MiningField name="a"/><MiningField name="b"/><MiningField name="w"/></MiningSchema><Segmentation multipleModelMethod="weightedAverage">`+seg("a", "")+seg("b", `<VariableWeight field="w"/>`)+`</Segmentation></MiningModel></PMML>`)
	res, err := m.Score(Row{"a": 1, "b": 4, "w": 3})
	if got := res.Float("_target"); err != nil || got != (1+3*4.)/4 {
		t.Error(got, err)
	}
	if res, err = m.Score(Row{"a": 1, "b": 4}); err != nil || res.Value("_target") != nil {
		t.Error(res, err)
	}
}

func TestAChainMayPredictSeveralTargets(t *testing.T) {
	seg := func(y string, coef int, extra string) string {
		return fmt.Sprintf(`<Segment id="%s"><True/><RegressionModel functionName="regression"><MiningSchema><MiningField name="x"/>%s<MiningField name="%s" usageType="target"/></MiningSchema><Output><OutputField name="p%s" optype="continuous" dataType="double"/></Output><RegressionTable intercept="0"><NumericPredictor name="x" coefficient="%d"/></RegressionTable></RegressionModel></Segment>`, y, extra, y, y, coef)
	}
	m := mustLoad(t, `<PMML version="4.4"><DataDictionary><DataField name="x" optype="continuous" dataType="double"/><DataField name="u" optype="continuous" dataType="double"/><DataField name="v" optype="continuous" dataType="integer"/></DataDictionary>
<MiningModel functionName="regression"><MiningSchema><MiningField name="x"/><MiningField name="u" usageType="target"/><MiningField name="v" usageType="target"/></MiningSchema><Segmentation multipleModelMethod="x-multiModelChain">`+seg("v", 2, "")+seg("u", 3, `<MiningField name="pv"/>`)+`</Segmentation></MiningModel></PMML>`)
	res, err := m.Score(Row{"x": 2})
	if err != nil || res.Value("u") != 6.0 || res.Value("v") != int64(4) || res.Value("pv") != 4.0 {
		t.Errorf("u %v, v %v, pv %v, %v", res.Value("u"), res.Value("v"), res.Value("pv"), err)
	}
}
