package scoring

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// anomalyFunction is what such a model may be said to do: the answer is the same.
func anomalyFunction(attrs string) string {
	switch {
	case strings.Contains(attrs, "clusterMeanDist"):
		return "clustering"
	case strings.Contains(attrs, "ocsvm"):
		return "classification"
	}
	return "regression"
}

func anomalyModel(attrs, inner string) (*Model, error) {
	return Load(strings.NewReader(`<PMML version="4.4"><DataDictionary><DataField name="x" dataType="double" optype="continuous"/><DataField name="y" dataType="double" optype="continuous"/></DataDictionary>
		<AnomalyDetectionModel modelName="unlike" algorithmName="any" isScorable="true" functionName="` + anomalyFunction(attrs) + `" ` + attrs + `><MiningSchema><MiningField name="x"/><MiningField name="y"/></MiningSchema>
		<Output><OutputField name="score" dataType="double" feature="predictedValue"/></Output>` + inner + `</AnomalyDetectionModel></PMML>`))
}

// AnomalyDetectionModel, iforest: 2^(-h/c(n)), c(n) = 2(ln(n-1)+0.57721566) - 2(n-1)/n.
// Numbers: research notes on PMML 4.4.1, 2, after PMML4S; forty digits.
func TestAnIsolationForestScoresTheMeanLengthOfThePath(t *testing.T) {
	tree := func(left, right string) string {
		return `<Segment><True/><TreeModel functionName="regression"><MiningSchema><MiningField name="x"/></MiningSchema><Node><True/><Node score="` + left + `"><SimplePredicate field="x" operator="lessThan" value="0"/></Node><Node score="` + right + `"><SimplePredicate field="x" operator="greaterOrEqual" value="0"/></Node></Node></TreeModel></Segment>`
	}
	forest := `<MiningModel functionName="regression"><MiningSchema><MiningField name="x"/></MiningSchema><Segmentation multipleModelMethod="average">` + tree("5", "1") + tree("6", "2") + `</Segmentation></MiningModel>`
	m, err := anomalyModel(`algorithmType="iforest" sampleDataSize="256"`, forest)
	if err != nil {
		t.Fatal(err)
	}
	f := func(x any, want float64) {
		t.Helper()
		got, err := m.Score(Row{"x": x})
		if err != nil {
			t.Fatal(err)
		}
		wantNear(t, fmt.Sprint(x), got.Value("_target"), want)
		wantNear(t, fmt.Sprint(x), got.Value("score"), want)
	}
	f(-1.0, 0.689269819966898) // h = 5.5
	f(1.0, math.Exp2(-1.5/10.2447709103169))
	f(nil, math.NaN())
	if m.Info().Nodes != 6 || m.Info().Segments != 2 {
		t.Errorf("the forest is not counted: %+v", m.Info())
	}
	two, err := anomalyModel(`algorithmType="iforest" sampleDataSize="2"`, forest)
	if err != nil {
		t.Fatal(err)
	}
	got, err := two.Score(Row{"x": 1.0})
	if err != nil {
		t.Fatal(err)
	}
	wantNear(t, "n = 2", got.Value("score"), math.Exp2(-1.5/0.15443132))
}

// clusterMeanDist: affinity 6 of the second cluster, whose mean distance is 3, is 2.
func TestADistanceIsComparedWithTheClustersMean(t *testing.T) {
	clusters := `<ClusteringModel functionName="clustering" modelClass="centerBased" numberOfClusters="2"><MiningSchema><MiningField name="x"/><MiningField name="y"/></MiningSchema>
		<ComparisonMeasure kind="distance"><cityBlock/></ComparisonMeasure><ClusteringField field="x"/><ClusteringField field="y"/>
		<Cluster><Array n="2" type="real">0 0</Array></Cluster><Cluster><Array n="2" type="real">20 0</Array></Cluster></ClusteringModel>`
	m, err := anomalyModel(`algorithmType="clusterMeanDist"`, clusters+`<MeanClusterDistances><Array n="2" type="real">4 3</Array></MeanClusterDistances>`)
	if err != nil {
		t.Fatal(err)
	}
	for x, want := range map[float64]float64{22: 2, 1: 1.25} {
		got, err := m.Score(Row{"x": x, "y": 4.0})
		if err != nil {
			t.Fatal(err)
		}
		wantNear(t, fmt.Sprint(x), got.Value("score"), want)
	}
	for means, word := range map[string]string{"4": "1 MeanClusterDistances", "4 0": "divided"} {
		if _, err := anomalyModel(`algorithmType="clusterMeanDist"`, clusters+`<MeanClusterDistances><Array type="real">`+means+`</Array></MeanClusterDistances>`); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("means %s: %v, want %q", means, err, word)
		}
	}
}

// ocsvm: the signed distance as it is. K = exp(-0.5·|x-s|²): 0.7·1 + 0.3·exp(-2) - 0.8 at the first vector.
func TestAOneClassMachineAndOtherModelsKeepTheirSign(t *testing.T) {
	svm := `<SupportVectorMachineModel functionName="regression" svmRepresentation="SupportVectors"><MiningSchema><MiningField name="x"/><MiningField name="y"/></MiningSchema><RadialBasisKernelType gamma="0.5"/>
		<VectorDictionary numberOfVectors="2"><VectorFields numberOfFields="2"><FieldRef field="x"/><FieldRef field="y"/></VectorFields><VectorInstance id="1"><Array type="real" n="2">0 0</Array></VectorInstance><VectorInstance id="2"><Array type="real" n="2">2 0</Array></VectorInstance></VectorDictionary>
		<SupportVectorMachine><SupportVectors><SupportVector vectorId="1"/><SupportVector vectorId="2"/></SupportVectors><Coefficients absoluteValue="-0.8"><Coefficient value="0.7"/><Coefficient value="0.3"/></Coefficients></SupportVectorMachine></SupportVectorMachineModel>`
	line := `<RegressionModel functionName="regression"><MiningSchema><MiningField name="x"/></MiningSchema><RegressionTable intercept="-1"><NumericPredictor name="x" coefficient="2"/></RegressionTable></RegressionModel>`
	for _, c := range []struct {
		attrs, inner string
		want         float64
	}{{`algorithmType="ocsvm"`, svm, 0.7 + 0.3*math.Exp(-2) - 0.8}, {`algorithmType="other"`, line, -1}} {
		m, err := anomalyModel(c.attrs, c.inner)
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Score(Row{"x": 0.0, "y": 0.0})
		if err != nil {
			t.Fatal(err)
		}
		wantNear(t, c.attrs, got.Value("score"), c.want)
	}
	for attrs, word := range map[string]string{`algorithmType="ocsvm"`: "SupportVectorMachineModel", `algorithmType="iforest"`: "sampleDataSize", `algorithmType="iforest" sampleDataSize="1"`: "2 or more", `algorithmType="clusterMeanDist"`: "ClusteringModel", `algorithmType="x"`: "iforest, ocsvm"} {
		if _, err := anomalyModel(attrs, line); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v, want %q", attrs, err, word)
		}
	}
	if _, err := anomalyModel(`algorithmType="other"`, strings.Repeat(`<AnomalyDetectionModel algorithmType="other" functionName="regression"><MiningSchema/>`, 100)+strings.Repeat(`</AnomalyDetectionModel>`, 100)); err == nil || !strings.Contains(err.Error(), "deeper") {
		t.Errorf("a hundred models in each other: %v", err)
	}
}
