package models

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A model that takes tens of milliseconds for a row is refused for it, and not
// after minutes of rows with which nothing else is learnt.
func TestASlowModelIsTriedWithFewRows(t *testing.T) {
	var rows strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&rows, `<row><a>%d</a><y>%d</y></row>`, i%977, i%31)
	}
	pmml := `<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/>
<DataDictionary><DataField name="SPP" optype="continuous" dataType="double"/><DataField name="y" optype="continuous" dataType="double"/></DataDictionary>
<NearestNeighborModel functionName="regression" numberOfNeighbors="3" continuousScoringMethod="average">
<MiningSchema><MiningField name="SPP"/><MiningField name="y" usageType="target"/></MiningSchema>
<TrainingInstances isTransformed="true"><InstanceFields><InstanceField field="SPP" column="a"/><InstanceField field="y" column="y"/></InstanceFields><InlineTable>` + rows.String() + `</InlineTable></TrainingInstances>
<ComparisonMeasure kind="distance"><squaredEuclidean/></ComparisonMeasure><KNNInputs><KNNInput field="SPP" compareFunction="absDiff"/></KNNInputs></NearestNeighborModel></PMML>`
	x, err := newTrial([]byte(pmml), Trial{Inputs: []Tested{{Low: 0, High: 900, PhysLow: -10, PhysHigh: 1000}}, Limits: Limits{Row: time.Microsecond}})
	if err != nil {
		t.Fatal(err)
	}
	x.pace(t.Context())
	if x.size >= tryRows {
		t.Errorf("%d rows at once of a model that looks at 60,000 for each", x.size)
	}
	x.speed(t.Context())
	if len(x.Problems) != 1 || !strings.Contains(x.Problems[0].Message, "too slow") {
		t.Errorf("%+v", x.Problems)
	}
}

func TestAQuickModelIsTriedWithManyRows(t *testing.T) {
	x, err := newTrial(tree("", ""), Trial{Inputs: []Tested{{Low: 0, High: 40, PhysLow: -10, PhysHigh: 100}}, Limits: DefaultLimits()})
	if err != nil {
		t.Fatal(err)
	}
	x.pace(t.Context())
	if x.size != tryRows {
		t.Errorf("%d rows at once", x.size)
	}
}
