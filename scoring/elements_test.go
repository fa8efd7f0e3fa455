package scoring_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/scoring"
	"github.com/mudpulse/mudpulse/scoring/internal/oracle"
)

// A slip of the pen in an element that matters, as Targetss for Targets, must not be
// read past: the model would score otherwise than its author means.
func TestWhatIsNoElementOfPMMLIsRefused(t *testing.T) {
	f := func(inside, want string) {
		t.Helper()
		_, err := scoring.Load(strings.NewReader(`<PMML xmlns="http://www.dmg.org/PMML-4_4" xmlns:x="http://example.com" version="4.4"><Header/><DataDictionary>
<DataField name="WOB" optype="continuous" dataType="double"/><DataField name="y" optype="continuous" dataType="double"/></DataDictionary>
<RegressionModel functionName="regression"><MiningSchema><MiningField name="WOB"/><MiningField name="y" usageType="target"/></MiningSchema>
` + inside + `
<RegressionTable intercept="1"><NumericPredictor name="WOB" coefficient="2"/></RegressionTable></RegressionModel></PMML>`))
		got := ""
		if p := scoring.Problems(err); len(p) > 0 {
			got = p[0].Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", inside, got, want)
		}
	}
	no := ": PMML has no such element; mend its name, or put what is not PMML into an Extension"
	f(`<Targetss><Target field="y" rescaleFactor="10"/></Targetss>`, "line 4:1: Targetss"+no)
	f(`<Targets><Targett field="y" rescaleFactor="10"/></Targets>`, "line 4:10: Targett"+no)
	f(`<Targets><Target field="y" rescaleFactor="10"/></Targets>`, "")
	f(`<Extension name="a"><Targetss/></Extension>`, "")
	f(`<x:Targetss/>`, "")
}

func TestTheElementsAreThoseOfTheSchema(t *testing.T) {
	b, err := os.ReadFile("elements.txt")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := oracle.ReadSchema("testdata/schema.tsv")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(string(b)); !slices.Equal(got, schema.Elements) {
		t.Errorf("%d elements are listed, the schema has %d", len(got), len(schema.Elements))
	}
}
