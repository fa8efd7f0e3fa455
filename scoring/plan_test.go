package scoring

import (
	"context"
	"fmt"
	"math"
	"math/rand"
	"strings"
	"testing"
)

// A document at random: its fields are of every type, its trees ask every kind
// of predicate, its values and thresholds are few, so that they often meet.
type maker struct {
	*rand.Rand
	strings.Builder
}

func (g *maker) one(of ...string) string { return of[g.Intn(len(of))] }

const madeFields = `<DataDictionary>
<DataField name="d0" optype="continuous" dataType="double"/>
<DataField name="d1" optype="continuous" dataType="double"><Interval closure="closedClosed" leftMargin="-3" rightMargin="3"/></DataField>
<DataField name="f0" optype="continuous" dataType="float"/>
<DataField name="i0" optype="continuous" dataType="integer"/>
<DataField name="b0" optype="categorical" dataType="boolean"/>
<DataField name="c0" optype="categorical" dataType="string"/>
<DataField name="c1" optype="categorical" dataType="string"><Value value="a"/><Value value="b"/><Value value="c"/><Value value="?" property="missing"/></DataField>
<DataField name="o0" optype="ordinal" dataType="string"><Value value="low"/><Value value="mid"/><Value value="high"/></DataField>
<DataField name="n0" optype="categorical" dataType="integer"><Value value="1"/><Value value="2"/><Value value="3"/></DataField>
<DataField name="y" optype="%s" dataType="%s">%s</DataField>
</DataDictionary>
`

var (
	madeWords   = map[string][]string{"c0": {"a", "b", "c", "d"}, "c1": {"a", "b", "c"}, "o0": {"low", "mid", "high"}}
	madeNumbers = []string{"-2.5", "-1", "-0.1", "0", "0.1", "0.30000001", "1", "1.5", "2", "3"}
)

func (g *maker) schema(inner bool) {
	g.WriteString("<MiningSchema>\n")
	if !inner {
		g.WriteString(`<MiningField name="y" usageType="target"/>` + "\n")
	}
	fields := []string{"d0", "d1", "f0", "i0", "b0", "c0", "c1", "o0", "n0"}
	if inner {
		fields = append(fields, "t0", "t1", "t2", "t3", "t4", "t5")
	}
	for _, f := range fields {
		how := ""
		if !inner {
			how = g.one("", ` invalidValueTreatment="asMissing"`, ` invalidValueTreatment="asIs"`)
			if f == "d0" || f == "f0" {
				how += g.one("", "", ` missingValueReplacement="0.1"`, ` outliers="asExtremeValues" lowValue="-2" highValue="2"`, ` outliers="asMissingValues" lowValue="-2" highValue="2"`)
			}
		}
		fmt.Fprintf(g, `<MiningField name="%s"%s/>`+"\n", f, how)
	}
	g.WriteString("</MiningSchema>\n")
}

const madeDerived = `<LocalTransformations>
<DerivedField name="t0" optype="continuous" dataType="double"><Apply function="/"><Apply function="-"><FieldRef field="d0"/><Constant dataType="double">0.1</Constant></Apply><Constant dataType="double">0.7</Constant></Apply></DerivedField>
<DerivedField name="t1" optype="continuous" dataType="float"><FieldRef field="d1"/></DerivedField>
<DerivedField name="t2" optype="continuous" dataType="double"><NormContinuous field="d0" outliers="asExtremeValues"><LinearNorm orig="-1" norm="0"/><LinearNorm orig="0.1" norm="0.7"/><LinearNorm orig="2" norm="1"/></NormContinuous></DerivedField>
<DerivedField name="t3" optype="continuous" dataType="double"><NormDiscrete field="c0" value="b" mapMissingTo="0.5"/></DerivedField>
<DerivedField name="t4" optype="continuous" dataType="double"><Apply function="if"><Apply function="isMissing"><FieldRef field="d1"/></Apply><Constant>7</Constant><Apply function="*"><FieldRef field="d1"/><FieldRef field="f0"/></Apply></Apply></DerivedField>
<DerivedField name="t5" optype="categorical" dataType="string"><MapValues outputColumn="to" defaultValue="z"><FieldColumnPair field="c0" column="from"/><InlineTable><row><from>a</from><to>v</to></row><row><from>d</from><to>w</to></row></InlineTable></MapValues></DerivedField>
</LocalTransformations>
`

var madeTyped = map[string]byte{"d0": 'n', "d1": 'n', "f0": 'n', "i0": 'n', "n0": 'n', "t0": 'n', "t1": 'n', "t2": 'n', "t3": 'n', "t4": 'n', "b0": 'b', "c0": 't', "c1": 't', "o0": 'o', "t5": 't'}

// predicate writes one and the opposite of it, "" where there is none.
func (g *maker) predicate(depth int) (string, string) {
	if depth > 0 && g.Intn(6) == 0 {
		var kids []string
		for range 2 + g.Intn(2) {
			k, _ := g.predicate(depth - 1)
			kids = append(kids, k)
		}
		return fmt.Sprintf(`<CompoundPredicate booleanOperator="%s">%s</CompoundPredicate>`, g.one("and", "or", "xor", "surrogate"), strings.Join(kids, "")), ""
	}
	f := g.one("d0", "d0", "d1", "f0", "f0", "i0", "n0", "t0", "t1", "t2", "t3", "t4", "b0", "c0", "c1", "o0", "t5")
	simple := func(op, v string) string {
		return fmt.Sprintf(`<SimplePredicate field="%s" operator="%s" value="%s"/>`, f, op, v)
	}
	pair := func(a, b, v string) (string, string) {
		if g.Intn(2) == 0 {
			a, b = b, a
		}
		return simple(a, v), simple(b, v)
	}
	if g.Intn(12) == 0 {
		op, no := "isMissing", "isNotMissing"
		if g.Intn(2) == 0 {
			op, no = no, op
		}
		return fmt.Sprintf(`<SimplePredicate field="%s" operator="%s"/>`, f, op), fmt.Sprintf(`<SimplePredicate field="%s" operator="%s"/>`, f, no)
	}
	switch madeTyped[f] {
	case 'n':
		v := g.one(madeNumbers...)
		if f == "n0" {
			v = g.one("1", "2", "3")
		}
		switch g.Intn(5) {
		case 0, 1:
			return pair("lessThan", "greaterOrEqual", v)
		case 2, 3:
			return pair("lessOrEqual", "greaterThan", v)
		}
		return pair("equal", "notEqual", v)
	case 'b':
		return pair("equal", "notEqual", g.one("true", "false"))
	}
	words := madeWords[f]
	if f == "t5" {
		words = []string{"v", "w", "z"}
	}
	if madeTyped[f] == 'o' && g.Intn(2) == 0 {
		return pair("lessThan", "greaterOrEqual", g.one(words...))
	}
	if g.Intn(2) == 0 {
		return pair("equal", "notEqual", g.one(words...))
	}
	in := fmt.Sprintf(`<Array type="string" n="2">%s "%s"</Array>`, words[g.Intn(2)], words[2])
	set := func(op string) string {
		return fmt.Sprintf(`<SimpleSetPredicate field="%s" booleanOperator="%s">%s</SimpleSetPredicate>`, f, op, in)
	}
	return set("isIn"), set("isNotIn")
}

// tree writes a TreeModel; class: its leaves hold distributions.
func (g *maker) tree(class, target bool, context string) {
	function := "regression"
	if class {
		function = "classification"
	}
	gap := g.one("", "none", "lastPrediction", "nullPrediction", "defaultChild", "defaultChild")
	attr := ""
	if gap != "" {
		attr = ` missingValueStrategy="` + gap + `"`
	}
	attr += g.one("", ` noTrueChildStrategy="returnLastPrediction"`) + context
	fmt.Fprintf(g, "<TreeModel functionName=\"%s\"%s>\n", function, attr)
	g.schema(!target)
	if target {
		g.tail(class)
	}
	id := 0
	var node func(when string, depth int)
	node = func(when string, depth int) {
		id++
		score := ""
		leaf := depth == 0 || g.Intn(7) == 0
		if leaf || g.Intn(2) == 0 {
			score = fmt.Sprintf(` score="%s"`, []string{g.one("A", "B", "C"), g.one("0.1", "-1.7", "3.25", "1E-3", "0.7000001")}[flag(!class)])
		}
		if leaf {
			fmt.Fprintf(g, `<Node id="%d"%s>%s`, id, score, when)
			if class {
				for _, c := range []string{"A", "B", "C"} {
					fmt.Fprintf(g, `<ScoreDistribution value="%s" recordCount="%d"/>`, c, 1+g.Intn(9))
				}
			}
			g.WriteString("</Node>\n")
			return
		}
		type kid struct{ when string }
		var kids []kid
		a, b := g.predicate(1)
		switch {
		case b == "" || g.Intn(3) == 0:
			kids = []kid{{a}, {"<True/>"}}
		case g.Intn(4) == 0:
			c, _ := g.predicate(1)
			kids = []kid{{a}, {c}, {b}}
		default:
			kids = []kid{{a}, {b}}
		}
		outer := g.Builder
		g.Builder = strings.Builder{}
		var ids []string
		me := id
		for _, k := range kids {
			ids = append(ids, fmt.Sprint(id+1))
			node(k.when, depth-1)
		}
		inner := g.Builder.String()
		g.Builder = outer
		def := ""
		if gap == "defaultChild" {
			def = fmt.Sprintf(` defaultChild="%s"`, g.one(ids...))
		}
		fmt.Fprintf(g, `<Node id="%d"%s%s>%s`, me, score, def, when)
		if class && score != "" {
			g.WriteString(`<ScoreDistribution value="A" recordCount="2"/><ScoreDistribution value="C" recordCount="5"/>`)
		}
		g.WriteString(inner + "</Node>\n")
	}
	node("<True/>", 1+g.Intn(5))
	g.WriteString("</TreeModel>\n")
}

func (g *maker) ensemble(class, target bool, context string, trees int) {
	function, method := "regression", g.one("sum", "average", "weightedSum")
	if class {
		function, method = "classification", g.one("average", "weightedAverage", "majorityVote", "weightedMajorityVote")
	}
	fmt.Fprintf(g, "<MiningModel functionName=\"%s\"%s>\n", function, context)
	g.schema(!target)
	if target {
		g.tail(class)
	}
	fmt.Fprintf(g, `<Segmentation multipleModelMethod="%s"%s>`, method, g.one("", ` missingPredictionTreatment="returnMissing"`, ` missingPredictionTreatment="skipSegment"`))
	for range trees {
		fmt.Fprintf(g, `<Segment weight="%s"><True/>`, g.one("1", "0.3", "2"))
		g.tree(class, false, context)
		g.WriteString("</Segment>\n")
	}
	g.WriteString("</Segmentation></MiningModel>\n")
}

// tail writes outputs, targets and derived fields of the top model.
func (g *maker) tail(class bool) {
	if class {
		g.WriteString(`<Output><OutputField name="pA" optype="continuous" dataType="double" feature="probability" value="A"/>
<OutputField name="p" optype="continuous" dataType="double" feature="probability"/></Output>`)
	} else {
		g.WriteString(`<Output><OutputField name="raw" optype="continuous" dataType="double" isFinalResult="false"/>
<OutputField name="t" optype="continuous" dataType="double" feature="transformedValue"><Apply function="pow"><Constant dataType="double">2</Constant><Apply function="*"><Constant dataType="integer">-1</Constant><FieldRef field="raw"/></Apply></Apply></OutputField>
<OutputField name="d" optype="categorical" dataType="boolean" feature="decision"><Apply function="lessThan"><FieldRef field="raw"/><Constant dataType="double">0.3</Constant></Apply></OutputField></Output>`)
		g.WriteString(g.one("", `<Targets><Target field="y" rescaleConstant="0.7" rescaleFactor="1.3"/></Targets>`, `<Targets><Target field="y" min="-1" max="2" castInteger="round"/></Targets>`))
	}
	g.WriteString(madeDerived)
}

func (g *maker) linear(class bool, norm string) {
	function := "regression"
	if class {
		function = "classification"
	}
	fmt.Fprintf(g, "<RegressionModel functionName=\"%s\" normalizationMethod=\"%s\">\n", function, norm)
	g.schema(false)
	g.tail(class)
	tables := []string{""}
	if class {
		tables = []string{"A", "B", "C"}
		if norm == "logit" {
			tables = tables[:2]
		}
	}
	for _, c := range tables {
		fmt.Fprintf(g, `<RegressionTable intercept="0.3" targetCategory="%s">`, c)
		for _, f := range []string{"d0", "f0", "t0", "t2", "t3", "t4", "i0"} {
			fmt.Fprintf(g, `<NumericPredictor name="%s" coefficient="%s" exponent="%s"/>`, f, g.one("0.1", "-0.7", "1.1"), g.one("1", "1", "1", "2"))
		}
		g.WriteString(`<CategoricalPredictor name="c0" value="b" coefficient="0.4"/><CategoricalPredictor name="n0" value="2" coefficient="-0.9"/>
<PredictorTerm coefficient="0.05"><FieldRef field="d0"/><FieldRef field="f0"/></PredictorTerm></RegressionTable>`)
	}
	g.WriteString("</RegressionModel>\n")
}

// chain is boosting as exporters write it: a sum for each class, then a softmax.
func (g *maker) chain(context string) {
	g.WriteString(`<MiningModel functionName="classification">` + "\n")
	g.schema(false)
	g.WriteString(`<Output><OutputField name="pB" optype="continuous" dataType="double" feature="probability" value="B"/></Output>` + madeDerived + `<Segmentation multipleModelMethod="modelChain">`)
	for _, c := range []string{"A", "B", "C"} {
		fmt.Fprintf(g, `<Segment><True/><MiningModel functionName="regression"%s>`, context)
		g.schema(true)
		fmt.Fprintf(g, `<Output><OutputField name="m%s" optype="continuous" dataType="%s" isFinalResult="false"/></Output><Targets><Target rescaleConstant="0.5"/></Targets><Segmentation multipleModelMethod="sum">`, c, g.one("double", "float"))
		for range 3 {
			g.WriteString(`<Segment><True/>`)
			g.tree(false, false, context)
			g.WriteString(`</Segment>`)
		}
		g.WriteString(`</Segmentation></MiningModel></Segment>` + "\n")
	}
	g.WriteString(`<Segment><True/><RegressionModel functionName="classification" normalizationMethod="softmax"><MiningSchema><MiningField name="y" usageType="target"/><MiningField name="mA"/><MiningField name="mB"/><MiningField name="mC"/></MiningSchema>`)
	for _, c := range []string{"A", "B", "C"} {
		fmt.Fprintf(g, `<RegressionTable intercept="0" targetCategory="%s"><NumericPredictor name="m%s" coefficient="1"/></RegressionTable>`, c, c)
	}
	g.WriteString("</RegressionModel></Segment></Segmentation></MiningModel>\n")
}

func (g *maker) document(kind int) string {
	context := g.one("", ` x-mathContext="float"`)
	class := kind%2 == 1 // 0, 1 ensembles; 2, 3 linear; 4, 7 a tree; 5 a chain
	y := fmt.Sprintf(madeFields, "continuous", g.one("double", "float"), "")
	if class {
		y = fmt.Sprintf(madeFields, "categorical", "string", `<Value value="A"/><Value value="B"/><Value value="C"/>`)
	}
	g.WriteString(`<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/>` + y)
	switch kind {
	case 0, 1:
		g.ensemble(class, true, context, 1+g.Intn(6))
	case 2, 3:
		g.linear(class, []string{g.one("none", "logit", "exp"), g.one("logit", "softmax", "simplemax", "none")}[flag(class)])
	case 5:
		g.chain(context)
	case 6:
		g.ensemble(false, true, context, 1)
	default:
		g.tree(class, true, context)
	}
	g.WriteString("</PMML>\n")
	return g.String()
}

// fill gives a batch rows at random: few values, some missing, some invalid.
func (g *maker) fill(b *Batch, strange int) {
	for j, f := range b.m.Inputs() {
		for i := range b.rows {
			switch odd := g.Intn(100); {
			case odd < 12:
				continue
			case odd < 12+strange:
				switch g.Intn(4) {
				case 0:
					b.SetText(j, i, g.one("0.1", "x", "?", "NaN"))
				case 1:
					b.SetNumber(j, i, 99.5)
				case 2:
					b.SetNumber(j, i, math.Inf(1-2*g.Intn(2)))
				default:
					b.SetText(j, i, "")
				}
				continue
			}
			switch madeTyped[f.Name] {
			case 't', 'o':
				b.SetText(j, i, g.one(madeWords[f.Name]...))
			case 'b':
				b.SetNumber(j, i, float64(g.Intn(2)))
			default:
				x, _ := parseNumber(g.one(madeNumbers...))
				if f.DataType == "integer" {
					x = float64(1 + g.Intn(3))
				} else if g.Intn(2) == 0 {
					x += g.NormFloat64()
				}
				b.SetNumber(j, i, x)
			}
		}
	}
}

// unpack takes the tables of decisions away: trees are walked node by node.
func unpack(m *model) {
	switch e := m.eval.(type) {
	case *tree:
		e.packed = nil
	case *mining:
		for _, s := range e.segments {
			unpack(s.model)
		}
	}
}

// agreesWithInterpreter runs b by columns and row by row, and compares every bit.
func agreesWithInterpreter(t *testing.T, m *Model, b *Batch) {
	t.Helper()
	s := m.NewScorer()
	if err := s.Run(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	got := make([][]value, len(b.out))
	errs := append([]*RowError(nil), b.errs...)
	for j := range b.out {
		for i := range b.rows {
			got[j] = append(got[j], b.out[j].value(i))
		}
	}
	clear(b.errs)
	if err := s.interpret(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	for i := range b.rows {
		if fmt.Sprint(errs[i]) != fmt.Sprint(b.errs[i]) {
			t.Fatalf("row %d: columns say %v, the interpreter %v", i, errs[i], b.errs[i])
		}
		for j := range b.out {
			x, y := got[j][i], b.out[j].value(i)
			if x.k != y.k || x.f32 != y.f32 || x.s != y.s || math.Float64bits(x.f) != math.Float64bits(y.f) && (x.f == x.f || y.f == y.f) {
				t.Fatalf("row %d, result %d: columns say %v %q %v, the interpreter %v %q %v", i, j, x.f, x.s, x.k, y.f, y.s, y.k)
			}
		}
	}
}

func TestColumnsSayWhatTheInterpreterSays(t *testing.T) {
	planned := 0
	for seed := range int64(240) {
		g := &maker{Rand: rand.New(rand.NewSource(seed))}
		doc := g.document(int(seed % 8))
		m, err := Load(strings.NewReader(doc))
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, doc)
		}
		if m.plan != nil {
			planned++
		}
		for _, strange := range []int{0, 3} {
			b := m.NewScorer().Batch(300)
			g.fill(b, strange)
			agreesWithInterpreter(t, m, b)
			unpack(m.top)
			agreesWithInterpreter(t, m, b)
		}
		if t.Failed() {
			t.Fatalf("seed %d\n%s", seed, doc)
		}
	}
	if planned < 200 {
		t.Errorf("%d of 240 documents had a plan: the test has little to compare", planned)
	}
}
