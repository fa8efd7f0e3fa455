package scoring_test

import (
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/scoring"
)

// instances are x, t, c and id, each on a line of its own.
func instances(rows string) string {
	var b strings.Builder
	b.WriteString(`<TrainingInstances><InstanceFields><InstanceField field="x" column="x"/><InstanceField field="t" column="t"/><InstanceField field="c" column="c"/><InstanceField field="id" column="id"/></InstanceFields><InlineTable>`)
	for r := range strings.SplitSeq(rows, ";") {
		f := strings.Fields(r)
		b.WriteString(`<row><x>` + f[0] + `</x><t>` + f[1] + `</t><c>` + f[2] + `</c><id>` + f[3] + `</id></row>`)
	}
	return b.String() + `</InlineTable></TrainingInstances>`
}

const (
	four       = "0 1 a r0;1 2 b r1;3 4 b r2;10 8 a r3"
	euclid     = `<ComparisonMeasure kind="distance"><euclidean/></ComparisonMeasure>`
	knnInput   = `<KNNInputs><KNNInput field="x"/></KNNInputs>`
	knnOutput  = `<Output><OutputField name="near" dataType="double" optype="continuous" feature="affinity"/><OutputField name="third" dataType="string" optype="categorical" feature="entityId" rank="3"/>`
	knnClasses = `<OutputField name="pa" dataType="double" optype="continuous" feature="probability" value="a"/></Output>`
	knnNone    = `</Output>`
)

func nearest(function, attributes, middle, training, measure, inputs string, targets ...string) string {
	return document(doubles("x", "t")+`<DataField name="c" optype="categorical" dataType="string"/><DataField name="s" optype="categorical" dataType="string"/>`,
		`<NearestNeighborModel functionName="`+function+`" `+attributes+`>`+mining(append(targets, "x", "s")...)+middle+training+measure+inputs+`</NearestNeighborModel>`)
}

// docs/pmml-semantics.md, knn-ids and knn-affinity.
func TestTheNearestInstancesAreNamed(t *testing.T) {
	m := load(t, nearest("clustering", `numberOfNeighbors="2" instanceIdVariable="id"`, knnOutput+knnNone, instances(four), euclid, knnInput))
	gives(t, m, scoring.Row{"x": 2.5}, map[string]any{"_target": "r2", "near": 0.5, "third": "r0"})
	gives(t, m, scoring.Row{"x": 2}, map[string]any{"_target": "r1", "near": 1.0, "third": "r0"}) // a tie: document order
	res, err := m.Score(scoring.Row{"x": 2.5})
	if d := res.Target(); err != nil || len(d.Affinity) != 2 || d.Affinity[1] != 1.5 {
		t.Errorf("the two neighbours' distances are %v, %v", d.Affinity, err)
	}
}

// docs/pmml-semantics.md, knn-probability: votes, and votes weighed by 1/(distance+threshold).
func TestNeighboursVotesAreProbabilities(t *testing.T) {
	m := load(t, nearest("classification", `numberOfNeighbors="3"`, knnOutput+knnClasses, instances(four), euclid, knnInput, "=c"))
	gives(t, m, scoring.Row{"x": 0}, map[string]any{"c": "b", "pa": 1.0 / 3, "near": 0.0})
	m = load(t, nearest("classification", `numberOfNeighbors="3" categoricalScoringMethod="weightedMajorityVote" threshold="0.5"`, knnOutput+knnClasses, instances(four), euclid, knnInput, "=c"))
	a, b := 1/0.5, 1/1.5+1/3.5
	gives(t, m, scoring.Row{"x": 0}, map[string]any{"c": "a", "pa": a / (a + b)})
	steady(t, "neighbours", load(t, strings.Replace(nearest("classification", `numberOfNeighbors="3"`, "", instances(four), euclid, knnInput, "=c"), `<MiningField name="x"/>`, `<MiningField name="x" missingValueReplacement="1"/>`, 1)))
}

// docs/pmml-semantics.md, knn-targets: (1+2)/2·2+1.
func TestTargetsScaleWhatNeighboursSay(t *testing.T) {
	m := load(t, nearest("regression", `numberOfNeighbors="2"`, knnOutput+knnNone+`<Targets><Target field="t" rescaleFactor="2" rescaleConstant="1"/></Targets>`, instances(four), euclid, knnInput, "=t"))
	gives(t, m, scoring.Row{"x": 0.25}, map[string]any{"t": 4.0, "near": 0.25})
}

func TestANearestNeighborModelIsRefusedWhereItIsWrong(t *testing.T) {
	f := func(element, words, function, attributes, training, measure, inputs string, targets ...string) {
		t.Helper()
		refused(t, nearest(function, attributes, "", training, measure, inputs, targets...), element, words)
	}
	const three = `numberOfNeighbors="3"`
	const kind = "NearestNeighborModel"
	f(kind, "numberOfNeighbors", "regression", "", instances(four), euclid, knnInput, "=t")
	f(kind, "continuousScoringMethod", "regression", three+` continuousScoringMethod="mode"`, instances(four), euclid, knnInput, "=t")
	f(kind, "categoricalScoringMethod", "regression", three+` categoricalScoringMethod="mode"`, instances(four), euclid, knnInput, "=t")
	f(kind, "threshold=-1", "regression", three+` threshold="-1"`, instances(four), euclid, knnInput, "=t")
	f(kind, "no ComparisonMeasure", "regression", three, instances(four), "", knnInput, "=t")
	f(kind, "where similarity is measured", "regression", three+` continuousScoringMethod="weightedAverage"`, instances(four), `<ComparisonMeasure kind="similarity"><jaccard/></ComparisonMeasure>`, knnInput, "=t")
	f(kind, "no KNNInputs", "regression", three, instances(four), euclid, "", "=t")
	f("KNNInput", "gaussSim", "regression", three, instances(four), euclid, strings.Replace(knnInput, "/>", ` compareFunction="gaussSim"/>`, 1), "=t")
	f("KNNInput", "is a string", "regression", three, instances(four), euclid, strings.Replace(knnInput, `"x"`, `"s"`, 1), "=t")
	f(kind, "no target", "regression", three, instances(four), euclid, knnInput)
	f(kind, "with a target", "clustering", three, instances(four), euclid, knnInput, "=t")
	f(kind, "neither target nor instanceIdVariable", "clustering", three, instances(four), euclid, knnInput)
	f(kind, "no TrainingInstances", "regression", three, "", euclid, knnInput, "=t")
	f("TrainingInstances", "no field 'c'", "classification", three, strings.Replace(instances(four), `field="c"`, `field="d"`, 1), euclid, knnInput, "=c")
	f("TrainingInstances", "no field 'me'", "regression", three+` instanceIdVariable="me"`, instances(four), euclid, knnInput, "=t")
	f("InlineTable", "no training instances", "regression", three, `<TrainingInstances><InstanceFields><InstanceField field="x"/><InstanceField field="t"/></InstanceFields><InlineTable/></TrainingInstances>`, euclid, knnInput, "=t")
	f("row", "training instance 2 has no value of 'x'", "regression", three, strings.Replace(instances(four), "<x>1</x>", "", 1), euclid, knnInput, "=t")
	f("row", "training instance 2", "regression", three, strings.Replace(instances(four), "<x>1</x>", "<x>one</x>", 1), euclid, knnInput, "=t")
	f("row", "no value of the target 't'", "regression", three, strings.Replace(instances(four), "<t>2</t>", "", 1), euclid, knnInput, "=t")
}
