package scoring_test

import (
	"math"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/scoring"
)

const neuralInputs = `<NeuralInputs><NeuralInput id="i0"><DerivedField name="n0" optype="continuous" dataType="double"><FieldRef field="x"/></DerivedField></NeuralInput>` +
	`<NeuralInput id="i1"><DerivedField name="n1" optype="continuous" dataType="double"><FieldRef field="y"/></DerivedField></NeuralInput></NeuralInputs>`

func neuron(id, attributes, w0, w1 string) string {
	return `<Neuron id="` + id + `" ` + attributes + `><Con from="i0" weight="` + w0 + `"/><Con from="i1" weight="` + w1 + `"/></Neuron>`
}

func neuralOutput(neuron, expression string) string {
	return `<NeuralOutput outputNeuron="` + neuron + `"><DerivedField name="d" optype="continuous" dataType="double">` + expression + `</DerivedField></NeuralOutput>`
}

func network(function, attributes, layers, outputs, more string, schema ...string) string {
	return document(doubles("x", "y", "t")+`<DataField name="c" optype="categorical" dataType="string"><Value value="a"/><Value value="b"/></DataField>`,
		`<NeuralNetwork functionName="`+function+`" `+attributes+`>`+mining(append(schema, "x", "y")...)+more+neuralInputs+layers+`<NeuralOutputs>`+outputs+`</NeuralOutputs></NeuralNetwork>`)
}

const toT = `<FieldRef field="t"/>`

// docs/pmml-semantics.md, neural-altitude: exp(f·ln(altitude) − Σ(x−w)²/(2·width²)), f connections.
func TestARadialBasisNeuronHasItsOwnAltitudeAndWidth(t *testing.T) {
	f := func(own, layer, net string, want float64) {
		t.Helper()
		m := load(t, network("regression", `activationFunction="radialBasis" `+net, `<NeuralLayer `+layer+`>`+neuron("o", own, "0.5", "1.5")+`</NeuralLayer>`, neuralOutput("o", toT), "", "=t"))
		gives(t, m, scoring.Row{"x": 1, "y": 2}, map[string]any{"t": want})
	}
	f(`width="0.8"`, "", "", 0.676633846161729)
	f(`width="0.8" altitude="1.2"`, "", "", 0.97435273847289)
	f(`altitude="1.2"`, `width="0.8" altitude="3"`, `width="7"`, 0.97435273847289)
	f("", `altitude="1.2"`, `width="0.8" altitude="5"`, 0.97435273847289)
}

// docs/pmml-semantics.md, neural-denormalise. Norms −1, 0.1, 1 of 0, 11, 20: both segments have slope 0.1.
func TestANeuralOutputIsDenormalisedBeyondItsEnds(t *testing.T) {
	f := func(outliers, norms string, x, want any) {
		t.Helper()
		expr := `<NormContinuous field="t" ` + outliers + `>` + norms + `</NormContinuous>`
		m := load(t, network("regression", `activationFunction="identity"`, `<NeuralLayer>`+neuron("o", "", "1", "0")+`</NeuralLayer>`, neuralOutput("o", expr), "", "=t"))
		gives(t, m, scoring.Row{"x": x, "y": 0}, map[string]any{"t": want})
	}
	rising := `<LinearNorm orig="0" norm="-1"/><LinearNorm orig="11" norm="0.1"/><LinearNorm orig="20" norm="1"/>`
	falling := `<LinearNorm orig="0" norm="1"/><LinearNorm orig="10" norm="0"/><LinearNorm orig="30" norm="-1"/>`
	for _, o := range []string{"", `outliers="asIs"`, `outliers="asMissingValues"`, `outliers="asExtremeValues"`} {
		f(o, rising, -1, 0.0)
		f(o, rising, 0.1, 11.0)
		f(o, rising, 1, 20.0)
		f(o, rising, -0.5, 5.0)
		f(o, falling, 0.25, 7.5)
		f(o, falling, -0.25, 15.0)
	}
	f("", rising, 1.5, 25.0)
	f("", rising, -1.5, -5.0)
	f("", falling, 2, -10.0)
	f("", falling, -2, 50.0)
	f(`outliers="asMissingValues"`, rising, 1.5, nil)
	f(`outliers="asExtremeValues"`, rising, 1.5, 20.0)
	f(`outliers="asExtremeValues"`, falling, 2, 0.0)
	f(`outliers="asExtremeValues"`, falling, -2, 30.0)
}

// docs/pmml-semantics.md, neural-mixed: JPMML refuses functionName="mixed".
func TestAMixedNetworkPredictsANumberAndAClass(t *testing.T) {
	out := `<Output><OutputField name="pt" dataType="double" optype="continuous" feature="predictedValue" targetField="t"/>` +
		`<OutputField name="pa" dataType="double" optype="continuous" feature="probability" value="a" targetField="c"/>` +
		`<OutputField name="off" dataType="double" optype="continuous" feature="residual" targetField="t"/></Output>`
	m := load(t, network("mixed", `activationFunction="identity"`, `<NeuralLayer>`+neuron("o", `bias="3"`, "1", "2")+`</NeuralLayer><NeuralLayer normalizationMethod="simplemax">`+
		neuron("a", "", "1", "0")+neuron("b", "", "0", "1")+`</NeuralLayer>`,
		neuralOutput("o", toT)+neuralOutput("a", `<NormDiscrete field="c" value="a"/>`)+neuralOutput("b", `<NormDiscrete field="c" value="b"/>`), out, "=t", "=c"))
	if n := len(m.Targets()); n != 2 {
		t.Fatalf("%d targets, want 2", n)
	}
	gives(t, m, scoring.Row{"x": 1, "y": 4, "t": 15}, map[string]any{"t": 12.0, "c": "b", "pt": 12.0, "pa": 0.2, "off": 3.0})
	gives(t, m, scoring.Row{"x": 4, "y": 1}, map[string]any{"t": 9.0, "c": "a", "pa": 0.8, "off": nil})
	gives(t, m, scoring.Row{"x": 4}, map[string]any{"t": nil, "c": nil, "pa": nil})
	s := m.NewScorer()
	b := s.Batch(1)
	b.SetNumber(0, 0, 1)
	b.SetNumber(1, 0, 4)
	if err := s.Run(t.Context(), b); err != nil || b.Number(0, 0) != 12 || b.Text(1, 0) != "b" {
		t.Errorf("a batch gives %v %q, %v", b.Number(0, 0), b.Text(1, 0), err)
	}
}

func TestANetworkIsRefusedWhereItIsWrong(t *testing.T) {
	layer := `<NeuralLayer>` + neuron("o", "", "1", "0") + `</NeuralLayer>`
	f := func(element, words, function, attributes, layers, outputs string) {
		t.Helper()
		refused(t, network(function, attributes, layers, outputs, "", "=t"), element, words)
	}
	f("NeuralNetwork", "functionName", "clustering", `activationFunction="tanh"`, layer, neuralOutput("o", toT))
	f("NeuralLayer", "activationFunction", "regression", `activationFunction="softplus"`, layer, neuralOutput("o", toT))
	f("NeuralLayer", "normalizationMethod", "regression", `activationFunction="tanh" normalizationMethod="l2"`, layer, neuralOutput("o", toT))
	f("NeuralNetwork", "no NeuralLayer", "regression", `activationFunction="tanh"`, "", neuralOutput("o", toT))
	f("NeuralLayer", "no Neurons", "regression", `activationFunction="tanh"`, "<NeuralLayer/>", neuralOutput("o", toT))
	f("Neuron", "no connections", "regression", `activationFunction="tanh"`, `<NeuralLayer><Neuron id="o"/></NeuralLayer>`, neuralOutput("o", toT))
	f("Con", "from='i7' is no input", "regression", `activationFunction="tanh"`, `<NeuralLayer><Neuron id="o"><Con from="i7" weight="1"/></Neuron></NeuralLayer>`, neuralOutput("o", toT))
	f("Con", "from='o' is no input", "regression", `activationFunction="tanh"`, `<NeuralLayer><Neuron id="o"><Con from="o" weight="1"/></Neuron></NeuralLayer>`, neuralOutput("o", toT))
	f("Neuron", "stands twice", "regression", `activationFunction="tanh"`, layer+layer, neuralOutput("o", toT))
	f("Neuron", "no width", "regression", `activationFunction="radialBasis"`, layer, neuralOutput("o", toT))
	f("Neuron", "altitude", "regression", `activationFunction="radialBasis" width="1" altitude="0"`, layer, neuralOutput("o", toT))
	f("NeuralNetwork", "no NeuralOutputs", "regression", `activationFunction="tanh"`, layer, "")
	f("NeuralOutput", "is no neuron", "regression", `activationFunction="tanh"`, layer, neuralOutput("p", toT))
	f("NeuralOutput", "no target", "regression", `activationFunction="tanh"`, layer, neuralOutput("o", `<FieldRef field="x"/>`))
	f("NeuralOutput", "leads to a target", "regression", `activationFunction="tanh"`, layer, neuralOutput("o", `<Constant>1</Constant>`))
	f("NeuralOutput", "is a NormDiscrete", "regression", `activationFunction="tanh"`, layer, neuralOutput("o", `<NormDiscrete field="t" value="1"/>`))
	f("NeuralNetwork", "has 2 NeuralOutputs", "regression", `activationFunction="tanh"`, layer, neuralOutput("o", toT)+neuralOutput("o", toT))
	f("NormContinuous", "no inverse", "regression", `activationFunction="tanh"`, layer, neuralOutput("o", `<NormContinuous field="t"><LinearNorm orig="0" norm="0"/><LinearNorm orig="1" norm="1"/><LinearNorm orig="2" norm="0"/></NormContinuous>`))
}

// Neurons of one layer share the list of what they read.
func TestScoringANetworkOrClustersDoesNotAllocate(t *testing.T) {
	net := load(t, network("classification", `activationFunction="tanh"`, `<NeuralLayer normalizationMethod="softmax">`+neuron("a", `bias="1"`, "1", "0")+neuron("b", "", "0", "1")+`</NeuralLayer>`,
		neuralOutput("a", `<NormDiscrete field="c" value="a"/>`)+neuralOutput("b", `<NormDiscrete field="c" value="b"/>`), "", "=c"))
	near := load(t, document(doubles("x", "y"), clusters("centerBased", `<ComparisonMeasure kind="distance"><euclidean/></ComparisonMeasure>`,
		`<ClusteringField field="x"/><ClusteringField field="y"/>`,
		`<Cluster id="a"><Array n="2" type="real">0 1</Array></Cluster><Cluster id="b"><Array n="2" type="real">4 1</Array></Cluster>`, "x", "y")))
	for name, m := range map[string]*scoring.Model{"network": net, "clusters": near} {
		steady(t, name, m)
	}
}

// steady expects that scoring a batch of numbers does not allocate.
func steady(t *testing.T, name string, m *scoring.Model) {
	t.Helper()
	s := m.NewScorer()
	b := s.Batch(64)
	run := func() {
		b.Reset(64)
		for i := range m.Inputs() {
			for row := range 64 {
				if (row+i)%9 > 0 {
					b.SetNumber(i, row, math.Sin(float64(row*(i+2))))
				}
			}
		}
		if err := s.Run(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	run()
	for row := range 64 {
		if err := b.Err(row); err != nil && !strings.Contains(err.Error(), "missing") {
			t.Fatalf("%s, row %d: %v", name, row, err)
		}
	}
	if n := testing.AllocsPerRun(20, run); n > 0 {
		t.Errorf("%s: %v allocations for 64 rows", name, n)
	}
}
