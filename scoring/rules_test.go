package scoring

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// associations is a basket model of two items, a and b, and a rule each way.
func associations(outputs string) (*Model, error) {
	return Load(strings.NewReader(`<PMML version="4.4"><DataDictionary><DataField name="tx" dataType="string" optype="categorical"/><DataField name="item" dataType="string" optype="categorical"/></DataDictionary>
		<AssociationModel functionName="associationRules" numberOfTransactions="9" numberOfItems="2" minimumSupport="0" minimumConfidence="0" numberOfItemsets="2" numberOfRules="2"><MiningSchema><MiningField name="tx" usageType="group"/><MiningField name="item"/></MiningSchema>
		<Output>` + outputs + `</Output><Item id="1" value="a"/><Item id="2" value="b"/><Itemset id="1"><ItemRef itemRef="1"/></Itemset><Itemset id="2"><ItemRef itemRef="2"/></Itemset>
		<AssociationRule id="ab" support="0.3" confidence="0.9" antecedent="1" consequent="2"/><AssociationRule id="ba" support="0.3" confidence="0.8" antecedent="2" consequent="1"/></AssociationModel></PMML>`))
}

func TestAnOutputThatSelectsRulesIsChecked(t *testing.T) {
	f := func(attrs string, words ...string) {
		t.Helper()
		_, err := associations(`<OutputField name="o" dataType="string" ` + attrs + `/>`)
		for _, w := range words {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v, want %q", attrs, err, w)
			}
		}
	}
	f(`feature="ruleValue" ruleFeature="x"`, "ruleFeature")
	f(`feature="ruleValue" algorithm="x"`, "algorithm")
	f(`feature="ruleValue" rankBasis="x"`, "rankBasis")
	f(`feature="ruleValue" rankBasis="lift"`, "rule ab has none")
	f(`feature="ruleValue" rankOrder="x"`, "rankOrder")
	f(`feature="ruleValue" rank="0"`, "isMultiValued")
	f(`feature="ruleValue" isMultiValued="2"`, "isMultiValued")
	f(`feature="standardError"`, "standardError")
	if m, err := associations(""); err != nil || m.Info().Function != "associationRules" {
		t.Errorf("a model without outputs: %v", err)
	}
}

func ruleSetModel(set string) (*Model, error) {
	return Load(strings.NewReader(`<PMML version="4.4"><DataDictionary><DataField name="x" dataType="double" optype="continuous"/><DataField name="y" dataType="string" optype="categorical"/></DataDictionary>
		<RuleSetModel functionName="classification"><MiningSchema><MiningField name="x"/><MiningField name="y" usageType="target"/></MiningSchema>` + set + `</RuleSetModel></PMML>`))
}

func TestARuleSetWithoutADefaultMayHaveNoResult(t *testing.T) {
	m, err := ruleSetModel(`<RuleSet><RuleSelectionMethod criterion="firstHit"/><SimpleRule score="a"><SimplePredicate field="x" operator="greaterThan" value="1"/></SimpleRule></RuleSet>`)
	if err != nil {
		t.Fatal(err)
	}
	for x, want := range map[float64]any{2: "a", 0: nil} {
		if got, err := m.Score(Row{"x": x}); err != nil || got.Value("y") != want {
			t.Errorf("%v: %v (%v), want %v", x, got.Value("y"), err, want)
		}
	}
}

func TestARuleSetThatIsWrongIsRefused(t *testing.T) {
	rule := `<SimpleRule id="1" score="a"><True/></SimpleRule>`
	deep := strings.Repeat(`<CompoundRule><True/>`, 100) + rule + strings.Repeat(`</CompoundRule>`, 100)
	for set, word := range map[string]string{
		``:                                "no RuleSet",
		`<RuleSet>` + rule + `</RuleSet>`: "criterion",
		`<RuleSet><RuleSelectionMethod criterion="best"/>` + rule + `</RuleSet>`:                                              "firstHit, weightedSum or weightedMax",
		`<RuleSet><RuleSelectionMethod criterion="firstHit"/>` + rule + rule + `</RuleSet>`:                                   "two rules",
		`<RuleSet><RuleSelectionMethod criterion="firstHit"/><SimpleRule><True/></SimpleRule></RuleSet>`:                      "no score",
		`<RuleSet><RuleSelectionMethod criterion="firstHit"/><SimpleRule score="a"/></RuleSet>`:                               "no predicate",
		`<RuleSet><RuleSelectionMethod criterion="firstHit"/>` + deep + `</RuleSet>`:                                          "deeper than 50",
		`<RuleSet><RuleSelectionMethod criterion="firstHit"/><SimpleRule score="a" weight="x"><True/></SimpleRule></RuleSet>`: "weight",
	} {
		if _, err := ruleSetModel(set); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v, want %q", clip(set), err, word)
		}
	}
}

func generalModel(attrs, target, body string) (*Model, error) {
	return Load(strings.NewReader(`<PMML version="4.4"><DataDictionary><DataField name="x" dataType="double" optype="continuous"/><DataField name="f" dataType="string" optype="categorical"/><DataField name="y" ` + target + `</DataField></DataDictionary>
		<GeneralRegressionModel ` + attrs + `><MiningSchema><MiningField name="x"/><MiningField name="f"/><MiningField name="y" usageType="target"/></MiningSchema>
		<ParameterList><Parameter name="p0"/><Parameter name="p1"/></ParameterList><FactorList><Predictor name="f"/></FactorList><CovariateList><Predictor name="x"/></CovariateList>` + body + `</GeneralRegressionModel></PMML>`))
}

const (
	numericTarget = `dataType="double" optype="continuous">`
	matrices      = `<PPMatrix><PPCell value="1" predictorName="x" parameterName="p1"/></PPMatrix><ParamMatrix><PCell parameterName="p0" beta="0.5"/><PCell parameterName="p1" beta="2"/></ParamMatrix>`
)

// A class is compared as its type has it: of a target of integers 1.0 is 1. JPMML refuses such targets.
func TestTheClassesOfAGeneralRegressionMayBeIntegers(t *testing.T) {
	m, err := generalModel(`functionName="classification" modelType="multinomialLogistic" targetReferenceCategory="1.0"`, `dataType="integer" optype="categorical"><Value value="1"/><Value value="2"/>`,
		`<PPMatrix><PPCell value="1" predictorName="x" parameterName="p1"/></PPMatrix><ParamMatrix><PCell targetCategory="2.0" parameterName="p0" beta="0.5"/><PCell targetCategory="2" parameterName="p1" beta="2"/></ParamMatrix>`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Score(Row{"x": 1.0})
	if err != nil || got.Value("y") != int64(2) {
		t.Fatalf("%v (%v)", got.Value("y"), err)
	}
	wantNear(t, "probability", got.Target().Probability["2"], link("logit", 2.5))
}

func TestAGeneralRegressionThatIsWrongIsRefused(t *testing.T) {
	f := func(attrs, target, body string, words ...string) {
		t.Helper()
		_, err := generalModel(attrs, target, body)
		for _, w := range words {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s %s: %v, want %q", attrs, clip(body), err, w)
			}
		}
	}
	reg, class := `functionName="regression" modelType=`, `functionName="classification" modelType=`
	two := `dataType="string" optype="categorical"><Value value="a"/><Value value="b"/>`
	f(reg+`"x"`, numericTarget, matrices, "modelType")
	f(reg+`"multinomialLogistic"`, numericTarget, matrices, "classify")
	f(class+`"regression"`, two, matrices, "do not")
	f(reg+`"generalizedLinear"`, numericTarget, matrices, "linkFunction")
	f(reg+`"generalizedLinear" linkFunction="power"`, numericTarget, matrices, "linkParameter")
	f(reg+`"generalizedLinear" linkFunction="negbin"`, numericTarget, matrices, "distParameter")
	f(reg+`"generalizedLinear" linkFunction="log" trialsValue="1.5"`, numericTarget, matrices, "trialsValue")
	f(reg+`"generalLinear" offsetVariable="x"`, numericTarget, matrices, "offsetVariable")
	f(class+`"generalizedLinear" linkFunction="logit" targetReferenceCategory="a" trialsValue="2"`, two, matrices, "trialsValue")
	f(class+`"ordinalMultinomial" cumulativeLink="x"`, two, matrices, "cumulativeLink", "has 0 PCells")
	f(class+`"multinomialLogistic"`, two, matrices, "targetReferenceCategory")
	f(class+`"multinomialLogistic"`, `dataType="string" optype="categorical">`, matrices, "no two values")
	f(reg+`"generalLinear"`, numericTarget, strings.Replace(matrices, `"x"`, `"z"`, 1), "'z'")
	f(reg+`"generalLinear"`, numericTarget, strings.Replace(matrices, `beta="2"`, ``, 1), "no beta")
	f(reg+`"generalLinear"`, numericTarget, "", "PPMatrix", "PCell")
	f(reg+`"CoxRegression"`, numericTarget, matrices, "endTimeVariable")
	f(reg+`"CoxRegression" endTimeVariable="x"`, numericTarget, matrices, "BaseCumHazardTables")
	f(reg+`"CoxRegression" endTimeVariable="x"`, numericTarget, matrices+`<BaseCumHazardTables/>`, "maxTime", "BaselineCells")
	f(reg+`"generalLinear" x-mathContext="float"`, numericTarget, matrices, "x-mathContext")
}

func TestAMatrixIsNoLargerThanItsEntries(t *testing.T) {
	grid := func(m string) ([][]float64, string) {
		b := &binder{}
		root, err := parseDocument([]byte(`<PMML version="4.4"><X>`+m+`</X></PMML>`), DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		got := b.grid(root.first("X"))
		return got, fmt.Sprint(b.bad.err())
	}
	for m, want := range map[string]string{
		`<Matrix><Array>1 2</Array><Array>3 4</Array></Matrix>`:                             "[[1 2] [3 4]]",
		`<Matrix kind="symmetric"><Array>1</Array><Array>3 4</Array></Matrix>`:              "[[1 3] [3 4]]",
		`<Matrix kind="diagonal" offDiagDefault="7"><Array>1 2</Array></Matrix>`:            "[[1 7] [7 2]]",
		`<Matrix diagDefault="1" nbCols="3"><MatCell row="2" col="1">5</MatCell></Matrix>`:  "[[1 0 0] [5 1 0]]",
		`<Matrix kind="symmetric" nbRows="2"><MatCell row="2" col="1">5</MatCell></Matrix>`: "[[0 5] [5 0]]",
	} {
		if got, err := grid(m); fmt.Sprint(got) != want {
			t.Errorf("%s: %v (%s), want %s", m, got, err, want)
		}
	}
	for m, word := range map[string]string{
		`<Matrix nbRows="1000000000" nbCols="1000000000"/>`:                           "no size",
		`<Matrix nbRows="4000000" nbCols="4000000"/>`:                                 "larger",
		`<Matrix nbRows="3"><Array>1</Array></Matrix>`:                                "do not agree",
		`<Matrix><Array>1 2</Array><Array>3</Array></Matrix>`:                         "too short",
		`<Matrix kind="symmetric"><Array>1</Array><Array>3</Array></Matrix>`:          "too short",
		`<Matrix nbRows="2" nbCols="2"><MatCell row="0" col="1">5</MatCell></Matrix>`: "outside",
		`<Matrix kind="x"><Array>1</Array></Matrix>`:                                  "diagonal, symmetric or any",
		`<Matrix><Array>a</Array></Matrix>`:                                           "no number",
		``:                                                                            "no Matrix",
	} {
		if _, err := grid(m); !strings.Contains(err, word) {
			t.Errorf("%s: %s, want %q", m, err, word)
		}
	}
}

// A text that a MiningField hands on as it is was computed with as 0.
func TestATextTakenAsItIsIsNoNumber(t *testing.T) {
	m, err := Load(strings.NewReader(`<PMML version="4.4"><DataDictionary><DataField name="b" optype="continuous" dataType="double"/></DataDictionary>` +
		`<RegressionModel functionName="regression"><MiningSchema><MiningField name="b" invalidValueTreatment="asIs"/></MiningSchema>` +
		`<RegressionTable intercept="0"><NumericPredictor name="b" coefficient="2"/></RegressionTable></RegressionModel></PMML>`))
	if err != nil {
		t.Fatal(err)
	}
	s := m.NewScorer()
	var bad *RowError
	if _, err := s.Score(Row{"b": "one"}); !errors.As(err, &bad) || bad.Field != "b" {
		t.Errorf("a text gave %v, want an error of its field", err)
	}
	res, err := s.Score(Row{"b": "2.5"})
	if err != nil || res.Float(m.Targets()[0].Name) != 5 {
		t.Errorf("a number as a text: %v, %v", res, err)
	}
}
