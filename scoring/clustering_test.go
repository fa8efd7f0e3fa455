package scoring_test

import (
	"math"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/scoring"
)

func clusters(class, measure, fields, rest string, schema ...string) string {
	return `<ClusteringModel functionName="clustering" modelClass="` + class + `" numberOfClusters="2">` + mining(schema...) +
		`<Output><OutputField name="id" dataType="string" optype="categorical" feature="clusterId"/><OutputField name="near" dataType="double" optype="continuous" feature="affinity"/>` +
		`<OutputField name="next" dataType="double" optype="continuous" feature="affinity" rank="2"/></Output>` + measure + fields + rest + `</ClusteringModel>`
}

// JPMML ignores kind; the specification (4.4.1, Cluster Models, kind) lets the
// largest similarity win. gaussSim is exp(-ln2·z²/s²): 0.5 at z=s.
func TestTheMostSimilarCentreWins(t *testing.T) {
	doc := document(doubles("x"), clusters("centerBased", `<ComparisonMeasure kind="similarity" compareFunction="gaussSim"><cityBlock/></ComparisonMeasure>`,
		`<ClusteringField field="x" similarityScale="2"/>`,
		`<Cluster id="a"><Array n="1" type="real">0</Array></Cluster><Cluster id="b"><Array n="1" type="real">4</Array></Cluster>`, "x"))
	m := load(t, doc)
	gives(t, m, scoring.Row{"x": 0}, map[string]any{"_target": "a", "near": 1.0, "next": math.Pow(0.5, 4)})
	gives(t, m, scoring.Row{"x": 3}, map[string]any{"_target": "b", "near": math.Pow(0.5, 0.25), "next": math.Pow(0.5, 2.25)})
}

// "Only center fields correspond to the entries in the center vectors in
// order" (4.4.1, isCenterField). JPMML takes all fields and fails.
func TestAFieldThatIsNoCentreFieldIsLeftOut(t *testing.T) {
	m := load(t, document(doubles("x", "y", "z"), clusters("centerBased", `<ComparisonMeasure kind="distance"><cityBlock/></ComparisonMeasure>`,
		`<ClusteringField field="x"/><ClusteringField field="y" isCenterField="false"/><ClusteringField field="z"/>`,
		`<Cluster id="a"><Array n="2" type="real">0 0</Array></Cluster><Cluster id="b"><Array n="2" type="real">1 5</Array></Cluster>`, "x", "y", "z")))
	gives(t, m, scoring.Row{"x": 1, "y": 100, "z": 4}, map[string]any{"_target": "b", "near": 1.0, "next": 5.0})
	gives(t, m, scoring.Row{"x": 1, "z": 1}, map[string]any{"_target": "a", "near": 2.0, "next": 4.0})
}

// Values of a missing field are not counted; JPMML throws. p missing of
// (1,1,0) against (1,1,1): one in common, one differs.
func TestAMissingBitIsLeftOut(t *testing.T) {
	bits := func(inner string) *scoring.Model {
		return load(t, document(doubles("p", "q", "r"), clusters("centerBased", `<ComparisonMeasure kind="similarity">`+inner+`</ComparisonMeasure>`,
			`<ClusteringField field="p"/><ClusteringField field="q"/><ClusteringField field="r"/>`,
			`<Cluster id="a"><Array n="3" type="int">1 1 1</Array></Cluster><Cluster id="b"><Array n="3" type="int">0 0 1</Array></Cluster>`, "p", "q", "r")))
	}
	row := scoring.Row{"q": 1, "r": 0}
	gives(t, bits("<simpleMatching/>"), row, map[string]any{"_target": "a", "near": 1.0 / 2, "next": 0.0})
	gives(t, bits("<jaccard/>"), row, map[string]any{"_target": "a", "near": 1.0 / 2, "next": 0.0})
	gives(t, bits("<tanimoto/>"), row, map[string]any{"_target": "a", "near": 1.0 / 3, "next": 0.0})
	fails(t, bits("<jaccard/>"), scoring.Row{"q": 1, "r": 2}, "want 0 or 1")
}

func TestTextsAreComparedByEqualDeltaOrTable(t *testing.T) {
	field := `<DataField name="c" optype="categorical" dataType="string"><Value value="red"/><Value value="dark red"/><Value value="blue"/></DataField>`
	centres := `<Cluster id="a"><Array n="2" type="string">"dark red" 1</Array></Cluster><Cluster id="b"><Array n="2" type="string">blue 1</Array></Cluster>`
	m := load(t, document(field+doubles("x"), clusters("centerBased", `<ComparisonMeasure kind="distance"><cityBlock/></ComparisonMeasure>`,
		`<ClusteringField field="c" compareFunction="delta" fieldWeight="3"/><ClusteringField field="x"/>`, centres, "c", "x")))
	gives(t, m, scoring.Row{"c": "blue", "x": 1.5}, map[string]any{"_target": "b", "near": 0.5, "next": 3.5})
	gives(t, m, scoring.Row{"c": "red", "x": 1.5}, map[string]any{"_target": "a", "near": 3.5, "next": 3.5})
	// Rows and columns stand in the order of the field's values.
	table := `<ClusteringField field="c" compareFunction="table"><Comparisons><Matrix kind="symmetric"><Array n="1" type="real">0</Array>` +
		`<Array n="2" type="real">0.25 0</Array><Array n="3" type="real">2 3 0</Array></Matrix></Comparisons></ClusteringField><ClusteringField field="x"/>`
	m = load(t, document(field+doubles("x"), clusters("centerBased", `<ComparisonMeasure kind="distance"><cityBlock/></ComparisonMeasure>`, table, centres, "c", "x")))
	gives(t, m, scoring.Row{"c": "red", "x": 1}, map[string]any{"_target": "a", "near": 0.25, "next": 2.0})
	gives(t, m, scoring.Row{"c": "blue", "x": 1}, map[string]any{"_target": "b", "near": 0.0, "next": 3.0})
	// Of a continuous field, in the order of its intervals.
	field = `<DataField name="x" optype="continuous" dataType="double"><Interval closure="closedOpen" leftMargin="0" rightMargin="10"/><Interval closure="closedClosed" leftMargin="10" rightMargin="20"/></DataField>`
	table = `<ClusteringField field="x" compareFunction="table"><Comparisons><Matrix diagDefault="0" offDiagDefault="7"><MatCell row="1" col="2">4</MatCell></Matrix></Comparisons></ClusteringField>`
	centres = `<Cluster id="a"><Array n="1" type="real">5</Array></Cluster><Cluster id="b"><Array n="1" type="real">15</Array></Cluster>`
	m = load(t, document(field, clusters("centerBased", `<ComparisonMeasure kind="distance"><cityBlock/></ComparisonMeasure>`, table, centres, "x")))
	gives(t, m, scoring.Row{"x": 9.99}, map[string]any{"_target": "a", "near": 0.0, "next": 4.0})
	gives(t, m, scoring.Row{"x": 10}, map[string]any{"_target": "b", "near": 0.0, "next": 7.0})
}

const spread = `<ClusteringField field="c" compareFunction="equal"/><ClusteringField field="temp" similarityScale="10"/>`

// docs/pmml-semantics.md, clustering-spread: the numbers there.
func TestTheClusterWhoseMembersAreMostAlikeWins(t *testing.T) {
	fields := `<DataField name="c" optype="categorical" dataType="string"><Value value="red"/><Value value="blue"/></DataField>` + doubles("temp")
	part := func(id, counts, mean, sd string) string {
		return `<Cluster id="` + id + `"><Partition name="` + id + `"><PartitionFieldStats field="c"><Array n="2" type="int">` + counts +
			`</Array></PartitionFieldStats><PartitionFieldStats field="temp"><NumericInfo mean="` + mean + `" standardDeviation="` + sd + `"/></PartitionFieldStats></Partition></Cluster>`
	}
	measure := `<ComparisonMeasure kind="similarity" compareFunction="gaussSim"><cityBlock/></ComparisonMeasure>`
	two := part("1", "8 2", "60", "5") + part("2", "3 7", "90", "10")
	m := load(t, document(fields, clusters("distributionBased", measure, spread, two, "c", "temp")))
	gives(t, m, scoring.Row{"c": "red", "temp": 70}, map[string]any{"_target": "1", "near": 0.657514911120402, "next": 0.251276745452222})
	gives(t, m, scoring.Row{"c": "red"}, map[string]any{"_target": "1", "near": 0.8, "next": 0.3})
	gives(t, m, scoring.Row{"temp": 70}, map[string]any{"_target": "1", "near": 0.515029822240804, "next": 0.202553490904445})
	fails(t, m, scoring.Row{}, "all inputs are missing")
	m = load(t, document(fields, clusters("distributionBased", measure, spread, `<MissingValueWeights><Array n="2" type="real">1 3</Array></MissingValueWeights>`+two, "c", "temp")))
	gives(t, m, scoring.Row{"c": "red", "temp": 70}, map[string]any{"near": (0.8 + 3*0.515029822240804) / 4})
	refused(t, document(fields, clusters("distributionBased", strings.Replace(measure, "similarity", "distance", 1), spread, two, "c", "temp")), "ComparisonMeasure", "as a distance")
	refused(t, document(fields, clusters("distributionBased", strings.Replace(measure, "gaussSim", "absDiff", 1), spread, two, "c", "temp")), "ClusteringModel", "by a difference")
	refused(t, document(fields, clusters("distributionBased", measure, spread, `<Cluster id="1"/>`, "c", "temp")), "Cluster", "no PartitionFieldStats of field 'c'")
}

func TestAClusteringModelIsRefusedWhereItIsWrong(t *testing.T) {
	measure := `<ComparisonMeasure kind="distance"><euclidean/></ComparisonMeasure>`
	field := `<ClusteringField field="x"/>`
	centre := `<Cluster id="a"><Array n="1" type="real">0</Array></Cluster>`
	f := func(element, words, class, measure, field, rest string) {
		t.Helper()
		refused(t, document(doubles("x")+`<DataField name="s" optype="categorical" dataType="string"/>`, clusters(class, measure, field, rest, "x", "s")), element, words)
	}
	f("ClusteringModel", "modelClass", "hard", measure, field, centre)
	f("ClusteringModel", "no ComparisonMeasure", "centerBased", "", field, centre)
	f("ComparisonMeasure", "kind", "centerBased", strings.Replace(measure, "distance", "far", 1), field, centre)
	f("ComparisonMeasure", "names no measure", "centerBased", `<ComparisonMeasure kind="distance"/>`, field, centre)
	f("minkowski", "p-parameter", "centerBased", `<ComparisonMeasure kind="distance"><minkowski p-parameter="0"/></ComparisonMeasure>`, field, centre)
	f("binarySimilarity", "c00-parameter", "centerBased", `<ComparisonMeasure kind="similarity"><binarySimilarity/></ComparisonMeasure>`, field, centre)
	f("ClusteringField", "not declared", "centerBased", measure, `<ClusteringField field="y"/>`, centre)
	f("ClusteringField", "compareFunction", "centerBased", measure, `<ClusteringField field="x" compareFunction="far"/>`, centre)
	f("ClusteringField", "without a similarityScale", "centerBased", measure, `<ClusteringField field="x" compareFunction="gaussSim"/>`, centre)
	f("ClusteringField", "is a string", "centerBased", measure, `<ClusteringField field="s"/>`, centre)
	f("ClusteringField", "declares neither values nor intervals", "centerBased", measure, `<ClusteringField field="x" compareFunction="table"/>`, centre)
	f("ClusteringModel", "no ClusteringFields", "centerBased", measure, "", centre)
	f("ClusteringModel", "no Clusters", "centerBased", measure, field, "")
	f("Cluster", "no Array", "centerBased", measure, field, `<Cluster id="a"/>`)
	f("Cluster", "two clusters", "centerBased", measure, field, centre+centre)
	f("Array", "has 2 entries", "centerBased", measure, field, `<Cluster id="a"><Array n="2" type="real">0 1</Array></Cluster>`)
	f("Array", "says n=", "centerBased", measure, field, `<Cluster id="a"><Array n="1000000000" type="real">0</Array></Cluster>`)
	f("Array", "is no number", "centerBased", measure, field, `<Cluster id="a"><Array n="1" type="real">zero</Array></Cluster>`)
}
