package scoring_test

import (
	"testing"

	"github.com/mudpulse/mudpulse/scoring"
)

// shares is a classification of a, b and c by x, -x and 0.
func shares(norm, output string) string {
	return document(doubles("x")+`<DataField name="y" optype="categorical" dataType="string"><Value value="a"/><Value value="b"/><Value value="c"/></DataField>`,
		`<RegressionModel functionName="classification" normalizationMethod="`+norm+`"><MiningSchema><MiningField name="x"/><MiningField name="y" usageType="target"/></MiningSchema>`+output+`
<RegressionTable intercept="0" targetCategory="a"><NumericPredictor name="x" coefficient="1"/></RegressionTable><RegressionTable intercept="0" targetCategory="b"><NumericPredictor name="x" coefficient="-1"/></RegressionTable><RegressionTable intercept="0" targetCategory="c"/></RegressionModel>`)
}

const probabilities = `<Output><OutputField name="pa" optype="continuous" dataType="double" feature="probability" value="a"/><OutputField name="pb" optype="continuous" dataType="double" feature="probability" value="b"/></Output>`

func TestAnInfiniteSumIsCertain(t *testing.T) {
	m := load(t, shares("softmax", probabilities))
	gives(t, m, scoring.Row{"x": "INF"}, map[string]any{"y": "a", "pa": 1.0, "pb": 0.0})
	gives(t, m, scoring.Row{"x": "-INF"}, map[string]any{"y": "b", "pa": 0.0, "pb": 1.0})
}

func TestSharesOfNothingAreAnErrorOfTheRow(t *testing.T) {
	fails(t, load(t, shares("simplemax", "")), scoring.Row{"x": 2.0}, "simplemax divides by the sum of the categories' values, and that is 0")
	net := network("regression", `activationFunction="identity" normalizationMethod="simplemax"`, `<NeuralLayer numberOfNeurons="2">`+neuron("1", "", "1", "0")+neuron("2", "", "-1", "0")+`</NeuralLayer>`, neuralOutput("1", toT), "", "=t")
	fails(t, load(t, net), scoring.Row{"x": 3.0, "y": 1.0}, "simplemax divides by the sum")
}

// An invalid actual value harms the row that reads it.
func TestAnInvalidActualValueIsNotPassedOver(t *testing.T) {
	residual := `<Output><OutputField name="r" optype="continuous" dataType="double" feature="residual"/></Output>`
	fails(t, load(t, shares("softmax", residual)), scoring.Row{"x": 2.0, "y": "d"}, `value "d" is invalid`)
	reads := `<Output><OutputField name="r" optype="categorical" dataType="string" feature="transformedValue"><FieldRef field="y"/></OutputField></Output>`
	fails(t, load(t, shares("softmax", reads)), scoring.Row{"x": 2.0, "y": "d"}, `value "d" is invalid`)
	gives(t, load(t, shares("softmax", reads)), scoring.Row{"x": 2.0, "y": "b"}, map[string]any{"r": "b"})
}
