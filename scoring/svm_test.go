package scoring_test

import (
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/scoring"
)

const (
	svmClasses = `<DataField name="c" optype="categorical" dataType="string"><Value value="a"/><Value value="b"/></DataField>`
	svmLinear  = `<LinearKernelType/>`
	svmVectors = `<VectorDictionary><VectorFields><FieldRef field="x"/><FieldRef field="y"/></VectorFields>` +
		`<VectorInstance id="e"><Array n="2" type="real">1 0</Array></VectorInstance><VectorInstance id="n"><REAL-SparseArray n="2"><Indices>2</Indices><REAL-Entries>1</REAL-Entries></REAL-SparseArray></VectorInstance></VectorDictionary>`
)

// machine has the value x·e + y·n + b, with a linear kernel.
func machine(attributes, e, n, b string) string {
	return `<SupportVectorMachine ` + attributes + `><SupportVectors><SupportVector vectorId="e"/><SupportVector vectorId="n"/></SupportVectors>` +
		`<Coefficients absoluteValue="` + b + `"><Coefficient value="` + e + `"/><Coefficient value="` + n + `"/></Coefficients></SupportVectorMachine>`
}

func supportVectors(function, attributes, kernel, dictionary, machines string, target string) string {
	return document(doubles("x", "y", "t")+svmClasses+`<DataField name="s" optype="categorical" dataType="string"/>`,
		`<SupportVectorMachineModel functionName="`+function+`" `+attributes+`>`+mining("="+target, "x", "y", "s")+
			`<Output><OutputField name="p" dataType="double" optype="continuous" feature="probability" value="a"/></Output>`+kernel+dictionary+machines+`</SupportVectorMachineModel>`)
}

// docs/pmml-semantics.md, svm-two: the one machine of two classes decides by the threshold.
func TestOneMachineDecidesBetweenTwoClassesByItsThreshold(t *testing.T) {
	f := func(attributes, machines string, x float64, want string) {
		t.Helper()
		m := load(t, supportVectors("classification", attributes, svmLinear, svmVectors, machines, "c"))
		gives(t, m, scoring.Row{"x": x, "y": 0}, map[string]any{"c": want})
	}
	both := machine(`targetCategory="a" alternateTargetCategory="b"`, "1", "0", "0")
	for _, method := range []string{"", `classificationMethod="OneAgainstAll"`, `classificationMethod="OneAgainstOne"`} {
		f(method, both, -1, "a")
		f(method, both, 0, "b")
		f(method, both, 1, "b")
		f(method+` threshold="2"`, both, 1, "a")
		f(method+` maxWins="true"`, both, -1, "b")
		f(method+` maxWins="true"`, both, 0, "b")
		f(method+` maxWins="true"`, both, 1, "a")
		f(method+` maxWins="true" threshold="2"`, both, 1, "b")
		f(method+` threshold="2"`, strings.Replace(both, "targetCategory", `threshold="-3" targetCategory`, 1), 1, "b")
	}
	f("", machine(`targetCategory="b"`, "1", "0", "0"), 1, "a") // the target's other value
	f("", machine(`targetCategory="b"`, "1", "0", "0"), -1, "b")
}

// docs/pmml-semantics.md, svm-maxwins.
func TestTheLargestMachineWinsIfMaxWins(t *testing.T) {
	machines := machine(`targetCategory="a"`, "1", "0", "0") + machine(`targetCategory="b"`, "0", "1", "0.5")
	row := scoring.Row{"x": 2, "y": 1}
	gives(t, load(t, supportVectors("classification", "", svmLinear, svmVectors, machines, "c")), row, map[string]any{"c": "b", "p": nil})
	gives(t, load(t, supportVectors("classification", `maxWins="true"`, svmLinear, svmVectors, machines, "c")), row, map[string]any{"c": "a", "p": nil})
}

// docs/pmml-semantics.md, svm-coefficients: f(x) = Σ αᵢxᵢ + b.
func TestAPlaneIsGivenByItsCoefficients(t *testing.T) {
	plane := func(coefficients string) string {
		return `<SupportVectorMachine><Coefficients absoluteValue="0.25">` + coefficients + `</Coefficients></SupportVectorMachine>`
	}
	two := plane(`<Coefficient value="2"/><Coefficient value="-3"/>`)
	m := load(t, supportVectors("regression", `svmRepresentation="Coefficients"`, svmLinear, svmVectors, two, "t"))
	gives(t, m, scoring.Row{"x": 4, "y": 1.5}, map[string]any{"t": 3.75})
	fails(t, m, scoring.Row{"x": 4}, "value is missing")
	steady(t, "plane", load(t, strings.ReplaceAll(supportVectors("regression", `svmRepresentation="Coefficients"`, svmLinear, svmVectors, two, "t"), `<FieldRef`, `<FieldRef mapMissingTo="0"`)))
	refused(t, supportVectors("regression", `svmRepresentation="Coefficients"`, svmLinear, svmVectors, plane(`<Coefficient/>`), "t"), "Coefficients", "1 Coefficients")
	refused(t, supportVectors("regression", `svmRepresentation="Coefficients"`, `<RadialBasisKernelType/>`, svmVectors, two, "t"), "SupportVectorMachineModel", "with a RadialBasisKernelType")
}

func TestASupportVectorMachineIsRefusedWhereItIsWrong(t *testing.T) {
	one := machine("", "1", "1", "0")
	f := func(element, words, function, attributes, kernel, dictionary, machines string) {
		t.Helper()
		refused(t, supportVectors(function, attributes, kernel, dictionary, machines, "t"), element, words)
	}
	f("SupportVectorMachineModel", "classificationMethod", "regression", `classificationMethod="all"`, svmLinear, svmVectors, one)
	f("SupportVectorMachineModel", "svmRepresentation", "regression", `svmRepresentation="dual"`, svmLinear, svmVectors, one)
	f("SupportVectorMachineModel", "maxWins", "regression", `maxWins="yes"`, svmLinear, svmVectors, one)
	f("SupportVectorMachineModel", "no kernel", "regression", "", "", svmVectors, one)
	f("SupportVectorMachineModel", "no VectorFields", "regression", "", svmLinear, "", one)
	f("SupportVectorMachineModel", "no SupportVectorMachine", "regression", "", svmLinear, svmVectors, "")
	f("SupportVectorMachineModel", "has 2 SupportVectorMachines", "regression", "", svmLinear, svmVectors, one+one)
	f("SupportVectorMachine", "no Coefficients", "regression", "", svmLinear, svmVectors, "<SupportVectorMachine/>")
	f("SupportVectorMachine", "no targetCategory", "classification", "", svmLinear, svmVectors, one+one)
	f("SupportVectorMachine", "no alternateTargetCategory", "classification", `classificationMethod="OneAgainstOne"`, svmLinear, svmVectors, strings.Repeat(machine(`targetCategory="a"`, "1", "1", "0"), 2))
	f("SupportVector", "is no VectorInstance", "regression", "", svmLinear, strings.ReplaceAll(svmVectors, `id="n"`, `id="m"`), one)
	f("VectorInstance", "stands twice", "regression", "", svmLinear, strings.ReplaceAll(svmVectors, `id="n"`, `id="e"`), one)
	f("FieldRef", "is a string", "regression", "", svmLinear, strings.ReplaceAll(svmVectors, `field="y"`, `field="s"`), one)
	f("CategoricalPredictor", "coefficient=2", "regression", "", svmLinear, strings.ReplaceAll(svmVectors, `<FieldRef field="y"/>`, `<CategoricalPredictor name="s" value="q" coefficient="2"/>`), one)
	f("Array", "has 2 entries", "regression", "", svmLinear, strings.ReplaceAll(svmVectors, `<FieldRef field="y"/>`, ""), one)
	f("Indices", "outside 1…2", "regression", "", svmLinear, strings.ReplaceAll(svmVectors, "<Indices>2", "<Indices>3"), one)
	f("REAL-SparseArray", "1 Indices and 2 entries", "regression", "", svmLinear, strings.ReplaceAll(svmVectors, "<REAL-Entries>1", "<REAL-Entries>1 2"), one)
	f("REAL-SparseArray", "without entries", "regression", "", svmLinear, strings.ReplaceAll(svmVectors, "<REAL-Entries>1</REAL-Entries>", ""), one)
}

// A sparse array of many fields costs a few bytes to write; each vector that
// is used is booked before it is made.
func TestSparseVectorsThatNeedTooMuchMemoryAreRefused(t *testing.T) {
	var fields, vectors, used, weights strings.Builder
	for range 5000 {
		fields.WriteString(`<FieldRef field="x"/>`)
	}
	for i := range 3000 {
		id := string(rune('a'+i%26)) + strings.Repeat("v", i/26)
		vectors.WriteString(`<VectorInstance id="` + id + `"><REAL-SparseArray n="5000"/></VectorInstance>`)
		used.WriteString(`<SupportVector vectorId="` + id + `"/>`)
		weights.WriteString(`<Coefficient value="1"/>`)
	}
	doc := supportVectors("regression", "", svmLinear, `<VectorDictionary><VectorFields>`+fields.String()+`</VectorFields>`+vectors.String()+`</VectorDictionary>`,
		`<SupportVectorMachine><SupportVectors>`+used.String()+`</SupportVectors><Coefficients>`+weights.String()+`</Coefficients></SupportVectorMachine>`, "t")
	limits := scoring.DefaultLimits()
	limits.Memory = 64 << 20
	_, err := scoring.Load(strings.NewReader(doc), scoring.WithLimits(limits))
	if err == nil || !strings.Contains(err.Error(), "more than 16 MB for its numbers") {
		t.Fatalf("want the document refused for its memory, got %v", err)
	}
}
