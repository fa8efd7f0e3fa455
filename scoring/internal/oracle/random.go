package oracle

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Random is a document of a seed: fields with every treatment, derived fields on
// derived fields, a model or an ensemble of models with predicates, Targets and
// Outputs, as no producer combines them. Equal seeds give equal documents.
func Random(seed uint64) []byte {
	g := &writer{r: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))}
	g.classes = g.r.IntN(2) == 0
	g.say(`<?xml version="1.0" encoding="UTF-8"?>`+"\n"+`<PMML xmlns="http://www.dmg.org/PMML-%s" version="%s"><Header/><DataDictionary>`, "4_4", "4.4")
	g.say(`<DataField name="a" optype="continuous" dataType="double">%s</DataField>`, g.some(`<Interval closure="%s" leftMargin="-4" rightMargin="4"/>`, g.one("closedClosed", "openOpen", "openClosed", "closedOpen")))
	g.say(`<DataField name="b" optype="continuous" dataType="%s">%s</DataField>`, g.one("double", "float"), g.some(`<Value value="-999" property="%s"/>`, g.one("missing", "invalid")))
	g.say(`<DataField name="c" optype="categorical" dataType="string"><Value value="red"/><Value value="green"/><Value value="blue"/>%s</DataField>`, g.some(`<Value value="none" property="missing"/>`))
	g.say(`<DataField name="n" optype="%s" dataType="integer"><Value value="1"/><Value value="2"/><Value value="3"/></DataField>`, g.one("ordinal", "categorical"))
	if g.classes {
		g.say(`<DataField name="y" optype="categorical" dataType="string"><Value value="yes"/><Value value="no"/><Value value="maybe"/></DataField>`)
	} else {
		g.say(`<DataField name="y" optype="continuous" dataType="double"/>`)
	}
	g.say(`</DataDictionary><TransformationDictionary>`)
	g.fields = []string{"a", "b"}
	for i := range g.r.IntN(4) {
		g.derived(fmt.Sprintf("d%d", i))
	}
	g.say(`</TransformationDictionary>`)
	g.model(2, true)
	g.say(`</PMML>`)
	return []byte(g.b.String())
}

// writer writes a document.
type writer struct {
	r       *rand.Rand
	b       strings.Builder
	classes bool
	fields  []string // that are continuous
}

func (g *writer) say(format string, args ...any) { fmt.Fprintf(&g.b, format, args...) }

func (g *writer) one(of ...string) string { return of[g.r.IntN(len(of))] }

// some is the text, or as often nothing.
func (g *writer) some(format string, args ...any) string {
	if g.r.IntN(2) == 0 {
		return ""
	}
	return fmt.Sprintf(format, args...)
}

func (g *writer) num() string { return fmt.Sprintf("%.3g", g.r.Float64()*6-3) }

func (g *writer) field() string { return g.one(g.fields...) }

func (g *writer) derived(name string) {
	g.say(`<DerivedField name="%s" optype="continuous" dataType="double">%s</DerivedField>`, name, g.expression(2))
	g.fields = append(g.fields, name)
}

func (g *writer) expression(deep int) string {
	field := g.field()
	inner := func() string {
		if deep == 0 {
			return fmt.Sprintf(`<FieldRef field="%s"%s/>`, g.field(), g.some(` mapMissingTo="%s"`, g.num()))
		}
		return g.expression(deep - 1)
	}
	switch g.r.IntN(7) {
	case 0:
		return fmt.Sprintf(`<NormContinuous field="%s" outliers="%s"%s><LinearNorm orig="-2" norm="%s"/><LinearNorm orig="0" norm="%s"/><LinearNorm orig="3" norm="%s"/></NormContinuous>`,
			field, g.one("asIs", "asMissingValues", "asExtremeValues"), g.some(` mapMissingTo="%s"`, g.num()), g.num(), g.num(), g.num())
	case 1:
		return fmt.Sprintf(`<NormDiscrete field="c" value="%s"%s/>`, g.one("red", "green", "blue"), g.some(` mapMissingTo="0.5"`))
	case 2:
		return fmt.Sprintf(`<Discretize field="%s" dataType="double"%s%s><DiscretizeBin binValue="%s"><Interval closure="openClosed" rightMargin="0"/></DiscretizeBin><DiscretizeBin binValue="%s"><Interval closure="openOpen" leftMargin="0" rightMargin="2"/></DiscretizeBin></Discretize>`,
			field, g.some(` mapMissingTo="%s"`, g.num()), g.some(` defaultValue="%s"`, g.num()), g.num(), g.num())
	case 3:
		return fmt.Sprintf(`<MapValues outputColumn="o" dataType="double"%s%s><FieldColumnPair field="c" column="x"/><FieldColumnPair field="n" column="z"/><InlineTable><row><x>red</x><z>1</z><o>%s</o></row><row><x>green</x><z>2</z><o>%s</o></row><row><x>blue</x><z>3</z><o>%s</o></row></InlineTable></MapValues>`,
			g.some(` mapMissingTo="%s"`, g.num()), g.some(` defaultValue="%s"`, g.num()), g.num(), g.num(), g.num())
	case 4:
		return fmt.Sprintf(`<Apply function="%s">%s%s</Apply>`, g.one("+", "-", "*"), inner(), inner())
	case 5:
		return fmt.Sprintf(`<Apply function="%s">%s%s</Apply>`, g.one("min", "max"), inner(), inner())
	}
	return fmt.Sprintf(`<Apply function="%s">%s</Apply>`, g.one("abs", "floor", "ceil", "round"), inner())
}

func (g *writer) predicate(deep int) string {
	switch k := g.r.IntN(6); {
	case k == 0 && deep > 0:
		return fmt.Sprintf(`<CompoundPredicate booleanOperator="%s">%s%s</CompoundPredicate>`, g.one("and", "or", "xor", "surrogate"), g.predicate(deep-1), g.predicate(deep-1))
	case k == 1:
		return fmt.Sprintf(`<SimpleSetPredicate field="c" booleanOperator="%s"><Array type="string" n="2">red "blue"</Array></SimpleSetPredicate>`, g.one("isIn", "isNotIn"))
	case k == 2:
		return fmt.Sprintf(`<SimplePredicate field="%s" operator="%s"/>`, g.one("a", "b", "c", "n"), g.one("isMissing", "isNotMissing"))
	case k == 3:
		return fmt.Sprintf(`<SimplePredicate field="c" operator="%s" value="green"/>`, g.one("equal", "notEqual"))
	}
	return fmt.Sprintf(`<SimplePredicate field="%s" operator="%s" value="%s"/>`, g.field(), g.one("lessThan", "lessOrEqual", "greaterThan", "greaterOrEqual"), g.num())
}

func (g *writer) schema(top bool) string {
	var s strings.Builder
	s.WriteString(`<MiningSchema>`)
	for _, f := range []string{"a", "b", "c", "n"} {
		fmt.Fprintf(&s, `<MiningField name="%s"`, f)
		if top {
			value := map[string]string{"c": "red", "n": "2"}[f]
			if value == "" {
				value = "1"
				s.WriteString(g.some(` outliers="%s" lowValue="-2.5" highValue="2.5"`, g.one("asMissingValues", "asExtremeValues")))
			}
			s.WriteString(g.some(` missingValueReplacement="%s"`, value))
			s.WriteString(g.some(` invalidValueTreatment="%s"`, g.one("asMissing", "asIs", "returnInvalid")))
		}
		s.WriteString(`/>`)
	}
	s.WriteString(`<MiningField name="y" usageType="target"/>`) // a segment without it would answer under no name in JPMML's selectFirst
	return s.String() + `</MiningSchema>`
}

func (g *writer) function() string {
	if g.classes {
		return "classification"
	}
	return "regression"
}

func (g *writer) class() string { return g.one("yes", "no", "maybe") }

func (g *writer) model(deep int, top bool) {
	head := g.schema(top)
	if top {
		head += g.output()
		if !g.classes && g.r.IntN(2) == 0 {
			head += fmt.Sprintf(`<Targets><Target field="y"%s%s%s%s/></Targets>`, g.some(` rescaleFactor="%s"`, g.num()), g.some(` rescaleConstant="%s"`, g.num()),
				g.some(` castInteger="%s"`, g.one("round", "ceiling", "floor")), g.some(` min="-3" max="5"`))
		}
	}
	kinds := []func(string, int){g.regression, g.tree, g.tree, g.ruleSet}
	if !g.classes {
		kinds = append(kinds, g.scorecard)
	}
	if deep > 0 && (top || !g.classes) { // of equal votes within votes each engine takes another
		kinds = append(kinds, g.ensemble, g.ensemble, g.ensemble)
	}
	if !g.classes || !top { // PMML's rule sets classify, and give no probabilities to an ensemble
		kinds[3] = g.regression
	}
	kinds[g.r.IntN(len(kinds))](head, deep)
}

func (g *writer) output() string {
	out := `<Output><OutputField name="o1" optype="continuous" dataType="double" feature="transformedValue">` +
		`<Apply function="+"><FieldRef field="a"/><Constant dataType="double">1</Constant></Apply></OutputField>`
	if g.classes {
		out += `<OutputField name="o2" optype="categorical" dataType="string" feature="predictedValue"/>`
	} else {
		out += `<OutputField name="o2" optype="continuous" dataType="double" feature="predictedValue"/>`
	}
	return out + `</Output>`
}

func (g *writer) regression(head string, _ int) {
	table := func(attr string) {
		g.say(`<RegressionTable intercept="%s"%s>`, g.num(), attr)
		for range 1 + g.r.IntN(3) {
			g.say(`<NumericPredictor name="%s" coefficient="%s"%s/>`, g.field(), g.num(), g.some(` exponent="2"`))
		}
		g.say(`%s`, g.some(`<CategoricalPredictor name="c" value="red" coefficient="%s"/>`, g.num()))
		g.say(`</RegressionTable>`)
	}
	if !g.classes {
		g.say(`<RegressionModel functionName="regression" normalizationMethod="%s">%s`, g.one("none", "none", "logit", "exp"), head)
		table("")
	} else {
		g.say(`<RegressionModel functionName="classification" normalizationMethod="%s">%s`, g.one("softmax", "simplemax", "softmax"), head)
		for _, c := range []string{"yes", "no", "maybe"} {
			table(` targetCategory="` + c + `"`)
		}
	}
	g.say(`</RegressionModel>`)
}

func (g *writer) tree(head string, _ int) {
	g.say(`<TreeModel functionName="%s" missingValueStrategy="%s" noTrueChildStrategy="%s"%s>%s`, g.function(),
		g.one("none", "lastPrediction", "nullPrediction", "defaultChild"), g.one("returnNullPrediction", "returnLastPrediction"), g.some(` missingValuePenalty="0.8"`), head)
	id := 0
	g.node(`<True/>`, 1+g.r.IntN(3), &id)
	g.say(`</TreeModel>`)
}

func (g *writer) node(predicate string, deep int, id *int) {
	*id++
	mine := *id
	score := g.num()
	if g.classes {
		score = g.class()
	}
	children := 0
	if deep > 0 {
		children = 2
	}
	def := ""
	if children > 0 {
		def = fmt.Sprintf(` defaultChild="%d"`, mine+1)
	}
	g.say(`<Node id="%d" score="%s" recordCount="30"%s>%s`, mine, score, def, predicate)
	if g.classes {
		for i, c := range []string{"yes", "no", "maybe"} {
			g.say(`<ScoreDistribution value="%s" recordCount="%d"/>`, c, 5+g.r.IntN(20)+i)
		}
	}
	for range children {
		g.node(g.predicate(1), deep-1, id)
	}
	g.say(`</Node>`)
}

func (g *writer) ruleSet(head string, _ int) {
	g.say(`<RuleSetModel functionName="classification">%s<RuleSet defaultScore="%s" defaultConfidence="0.3" recordCount="100"><RuleSelectionMethod criterion="%s"/>`, head, g.class(), g.one("firstHit", "weightedSum", "weightedMax"))
	for i := range 2 + g.r.IntN(3) {
		g.say(`<SimpleRule id="r%d" score="%s" weight="%.2f" confidence="%.2f">%s</SimpleRule>`, i, g.class(), 0.1+g.r.Float64(), g.r.Float64(), g.predicate(1))
	}
	g.say(`</RuleSet></RuleSetModel>`)
}

func (g *writer) scorecard(head string, _ int) {
	g.say(`<Scorecard functionName="regression" initialScore="%s" useReasonCodes="false">%s<Characteristics>`, g.num(), head)
	for i := range 1 + g.r.IntN(3) {
		g.say(`<Characteristic name="k%d">`, i)
		for range 2 {
			g.say(`<Attribute partialScore="%s">%s</Attribute>`, g.num(), g.predicate(1))
		}
		g.say(`<Attribute partialScore="%s"><True/></Attribute></Characteristic>`, g.num())
	}
	g.say(`</Characteristics></Scorecard>`)
}

func (g *writer) ensemble(head string, deep int) {
	method := g.one("sum", "average", "median", "weightedSum", "weightedAverage", "weightedMedian")
	if !strings.Contains(head, "<Targets>") { // of selectFirst JPMML leaves them out
		method = g.one(method, method, "selectFirst")
	}
	if g.classes {
		method = g.one("majorityVote", "weightedMajorityVote", "average", "weightedAverage", "max", "median", "selectFirst")
	}
	treat := ""
	if method != "selectFirst" {
		treat = fmt.Sprintf(` missingPredictionTreatment="%s"`, g.one("continue", "returnMissing", "skipSegment"))
		treat += g.some(` missingThreshold="0.5"`)
	}
	g.say(`<MiningModel functionName="%s">%s<Segmentation multipleModelMethod="%s"%s>`, g.function(), head, method, treat)
	for i := range 2 + g.r.IntN(3) {
		predicate := `<True/>`
		if g.r.IntN(3) == 0 {
			predicate = g.predicate(1)
		}
		g.say(`<Segment id="s%d" weight="%.2f">%s`, i, 0.1+g.r.Float64(), predicate)
		g.model(deep-1, false)
		g.say(`</Segment>`)
	}
	g.say(`</Segmentation></MiningModel>`)
}
