package scoring_test

import (
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/scoring"
)

func naiveBayes(attributes, inputs, prior string) string {
	return document(doubles("x")+`<DataField name="g" optype="categorical" dataType="string"/><DataField name="c" optype="categorical" dataType="string"><Value value="a"/><Value value="b"/></DataField>`,
		`<NaiveBayesModel functionName="classification" `+attributes+`>`+mining("=c", "g", "x")+
			`<Output><OutputField name="pa" dataType="double" optype="continuous" feature="probability" value="a"/></Output>`+
			`<BayesInputs>`+inputs+`</BayesInputs><BayesOutput fieldName="c">`+prior+`</BayesOutput></NaiveBayesModel>`)
}

const (
	halves   = `<TargetValueCounts><TargetValueCount value="a" count="50"/><TargetValueCount value="b" count="50"/></TargetValueCounts>`
	onlyForA = `<BayesInput fieldName="g"><PairCounts value="m"><TargetValueCounts><TargetValueCount value="a" count="10"/></TargetValueCounts></PairCounts>` +
		`<PairCounts value="f"><TargetValueCounts><TargetValueCount value="a" count="40"/><TargetValueCount value="b" count="50"/></TargetValueCounts></PairCounts></BayesInput>`
)

// docs/pmml-semantics.md, bayes-omitted: the numbers there.
func TestACountThatIsLeftOutIsZero(t *testing.T) {
	m := load(t, naiveBayes(`threshold="0.001"`, onlyForA, halves))
	gives(t, m, scoring.Row{"g": "m"}, map[string]any{"c": "a", "pa": 0.2 / 0.201})
	gives(t, m, scoring.Row{"g": "f"}, map[string]any{"c": "b", "pa": 0.8 / 1.8})
	gives(t, m, scoring.Row{"g": "unseen"}, map[string]any{"c": "a", "pa": 0.5})
	m = load(t, naiveBayes(`threshold="0.001"`, onlyForA, `<TargetValueCounts><TargetValueCount value="a" count="50"/></TargetValueCounts>`))
	gives(t, m, scoring.Row{"g": "f"}, map[string]any{"c": "a", "pa": 1.0})
}

func TestNaiveBayesIsRefusedWhereItIsWrong(t *testing.T) {
	stat := func(d string) string {
		return `<BayesInput fieldName="x"><TargetValueStats><TargetValueStat value="a">` + d + `</TargetValueStat></TargetValueStats></BayesInput>`
	}
	f := func(element, words, attributes, inputs, prior string) {
		t.Helper()
		refused(t, naiveBayes(attributes, inputs, prior), element, words)
	}
	f("NaiveBayesModel", "threshold=2", `threshold="2"`, onlyForA, halves)
	f("NaiveBayesModel", "no BayesOutput", `threshold="0"`, onlyForA, "")
	f("NaiveBayesModel", "no BayesInputs", `threshold="0"`, "", halves)
	f("BayesOutput", "sum to nothing", `threshold="0"`, onlyForA, strings.ReplaceAll(halves, "50", "0"))
	f("TargetValueCount", "counted twice", `threshold="0"`, onlyForA, strings.ReplaceAll(halves, `value="b"`, `value="a"`))
	f("TargetValueCount", "count=-50", `threshold="0"`, onlyForA, strings.ReplaceAll(halves, `"50"`, `"-50"`))
	f("TargetValueCount", "is no number", `threshold="0"`, onlyForA, strings.ReplaceAll(halves, `"50"`, `"many"`))
	f("BayesInput", "or neither", `threshold="0"`, `<BayesInput fieldName="x"/>`, halves)
	f("BayesInput", "not declared", `threshold="0"`, `<BayesInput fieldName="y"/>`, halves)
	f("BayesInput", "is a string", `threshold="0"`, strings.ReplaceAll(stat(`<PoissonDistribution mean="1"/>`), `"x"`, `"g"`), halves)
	f("TargetValueStat", "no distribution", `threshold="0"`, stat(""), halves)
	f("UniformDistribution", "UniformDistribution in a NaiveBayesModel", `threshold="0"`, stat(`<UniformDistribution lower="0" upper="1"/>`), halves)
	f("AnyDistribution", "AnyDistribution in a NaiveBayesModel", `threshold="0"`, stat(`<AnyDistribution mean="0" variance="1"/>`), halves)
	f("GaussianDistribution", "variance=0", `threshold="0"`, stat(`<GaussianDistribution mean="0" variance="0"/>`), halves)
	f("PoissonDistribution", "mean=-1", `threshold="0"`, stat(`<PoissonDistribution mean="-1"/>`), halves)
	f("DerivedField", "DerivedField by FieldRef", `threshold="0"`, strings.Replace(onlyForA, `"g">`, `"g"><DerivedField name="d" dataType="string" optype="categorical"><FieldRef field="g"/></DerivedField>`, 1), halves)
	f("PairCounts", "stands twice", `threshold="0"`, strings.ReplaceAll(onlyForA, `value="f"`, `value="m"`), halves)
	m := load(t, naiveBayes(`threshold="0"`, stat(`<PoissonDistribution mean="1"/>`), halves))
	fails(t, m, scoring.Row{"x": 1.5}, "want a count")
	steady(t, "naive Bayes", load(t, naiveBayes(`threshold="0.1"`, stat(`<GaussianDistribution mean="0" variance="2"/>`), halves)))
}
