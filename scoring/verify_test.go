package scoring

import (
	"strings"
	"testing"
)

const verified = `<PMML xmlns="http://www.dmg.org/PMML-4_4" xmlns:data="http://jpmml.org/jpmml-model/InlineTable" version="4.4"><Header/>
<DataDictionary><DataField name="x" optype="continuous" dataType="double"/><DataField name="y" optype="continuous" dataType="double"/></DataDictionary>
<RegressionModel functionName="regression"><MiningSchema><MiningField name="x"/><MiningField name="y" usageType="target"/></MiningSchema>
<RegressionTable intercept="1"><NumericPredictor name="x" coefficient="2"/></RegressionTable>
<ModelVerification><VerificationFields><VerificationField field="x" column="data:x"/><VerificationField field="y" column="data:Y" precision="1e-9"/></VerificationFields>
<InlineTable><row><data:x>1</data:x><data:Y>3</data:Y></row>
<row><data:x>2</data:x><data:Y>5.1</data:Y></row>
<row><data:x>3</data:x><data:Y>8</data:Y></row></InlineTable></ModelVerification></RegressionModel></PMML>`

func TestAFailingVerificationIsRefusedWithItsWorstRow(t *testing.T) {
	_, err := Load(strings.NewReader(verified))
	want := "line 8:1: ModelVerification: 2 of 3 verification rows fail; the worst is row 3: y should be 8 and comes out as 7; the exporter and this engine disagree; do not use the model until the reason is known"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	m, err := Load(strings.NewReader(strings.NewReplacer("5.1", "5.00000000001", ">8<", ">7<").Replace(verified)))
	if err != nil {
		t.Fatal(err)
	}
	if i := m.Info(); i.Verified != 3 || i.MaxError <= 0 || i.MaxError > 1e-11 {
		t.Errorf("verified %d rows, largest difference %g", i.Verified, i.MaxError)
	}
}

func TestAVerificationThatComparesNothingIsRefused(t *testing.T) {
	_, err := Load(strings.NewReader(strings.ReplaceAll(verified, "data:Y>", "data:Z>")))
	if err == nil || !strings.Contains(err.Error(), "none of its 3 rows has a cell for a result") {
		t.Error(err)
	}
	_, err = Load(strings.NewReader(strings.ReplaceAll(verified, `field="y" column`, `field="why" column`)))
	if err == nil || !strings.Contains(err.Error(), "nearest: 'y'") {
		t.Error(err)
	}
}
