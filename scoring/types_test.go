package scoring_test

import (
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/scoring"
)

// dateDaysSince[0] and dateTimeSecondsSince[0] count from the first day of the
// proleptic year 0, which has 366 days: 738218 = 366 + days from 0001-01-01 to
// 2021-03-04. Wherever a data type may be declared, the value is the same.
func TestYearZeroIsALeapYear(t *testing.T) {
	f := func(dataType, text string, want float64) {
		doc := strings.NewReplacer("TYPE", dataType, "TEXT", text).Replace(`<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/>
<DataDictionary><DataField name="x" optype="continuous" dataType="TYPE"/><DataField name="s" optype="categorical" dataType="string"/><DataField name="n" optype="continuous" dataType="double"/></DataDictionary>
<TransformationDictionary><DefineFunction name="same" optype="continuous" dataType="TYPE"><ParameterField name="p" optype="continuous" dataType="TYPE"/><FieldRef field="p"/></DefineFunction>
<DerivedField name="dx" optype="continuous" dataType="TYPE"><FieldRef field="x"/></DerivedField></TransformationDictionary>
<RegressionModel functionName="regression"><MiningSchema><MiningField name="x"/><MiningField name="s"/><MiningField name="n"/></MiningSchema><Output>
<OutputField name="output" optype="continuous" dataType="TYPE" feature="transformedValue"><FieldRef field="x"/></OutputField>
<OutputField name="derived" optype="continuous" dataType="integer" feature="transformedValue"><FieldRef field="dx"/></OutputField>
<OutputField name="function" optype="continuous" dataType="integer" feature="transformedValue"><Apply function="same"><FieldRef field="x"/></Apply></OutputField>
<OutputField name="constant" optype="continuous" dataType="integer" feature="transformedValue"><Constant dataType="TYPE">TEXT</Constant></OutputField>
<OutputField name="discretize" optype="continuous" dataType="integer" feature="transformedValue"><Discretize field="n" dataType="TYPE"><DiscretizeBin binValue="TEXT"><Interval closure="closedOpen" leftMargin="0"/></DiscretizeBin></Discretize></OutputField>
<OutputField name="table" optype="continuous" dataType="integer" feature="transformedValue"><MapValues outputColumn="out" dataType="TYPE"><FieldColumnPair field="s" column="in"/><InlineTable><row><in>a</in><out>TEXT</out></row></InlineTable></MapValues></OutputField>
</Output><RegressionTable intercept="1"/></RegressionModel></PMML>`)
		m, err := scoring.Load(strings.NewReader(doc))
		if err != nil {
			t.Fatal(err)
		}
		res, err := m.Score(scoring.Row{"x": text, "s": "a", "n": 1.0})
		if err != nil {
			t.Fatal(err)
		}
		for _, where := range []string{"output", "derived", "function", "constant", "discretize", "table"} {
			if got := res.Float(where); got != want {
				t.Errorf("%s, %s: %v, want %v", dataType, where, res.Value(where), want)
			}
		}
	}
	f("dateDaysSince[0]", "2021-03-04", 738218)
	f("dateTimeSecondsSince[0]", "2021-03-04T05:06:07", 63782053567)
}
