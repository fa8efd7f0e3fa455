package scoring_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mudpulse/mudpulse/scoring"
)

const washout = `<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/>
<DataDictionary><DataField name="spp" optype="continuous" dataType="double"/><DataField name="flow" optype="continuous" dataType="double"/><DataField name="washout" optype="categorical" dataType="string"><Value value="no"/><Value value="yes"/></DataField></DataDictionary>
<TreeModel modelName="washout" functionName="classification"><MiningSchema><MiningField name="spp"/><MiningField name="flow"/><MiningField name="washout" usageType="target"/></MiningSchema>
<Output><OutputField name="probability" optype="continuous" dataType="double" feature="probability" value="yes"/></Output>
<Node recordCount="100"><True/>
<Node score="yes" recordCount="20"><SimplePredicate field="spp" operator="lessThan" value="18"/><ScoreDistribution value="no" recordCount="5"/><ScoreDistribution value="yes" recordCount="15"/></Node>
<Node score="no" recordCount="80"><SimplePredicate field="spp" operator="greaterOrEqual" value="18"/><ScoreDistribution value="no" recordCount="76"/><ScoreDistribution value="yes" recordCount="4"/></Node></Node></TreeModel></PMML>`

func Example() {
	m, err := scoring.Load(strings.NewReader(washout))
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := m.Score(scoring.Row{"spp": 16.5, "flow": 2000})
	fmt.Println(res.Value("washout"), res.Float("probability"), err)
	// Output: yes 0.75 <nil>
}

// A batch is filled column by column and keeps its memory.
func ExampleScorer_Run() {
	m, _ := scoring.Load(strings.NewReader(washout))
	s := m.NewScorer()
	b := s.Batch(3)
	copy(b.Float64(0), []float64{16.5, 21, 17}) // inputs count as m.Inputs does
	if err := s.Run(context.Background(), b); err != nil {
		fmt.Println(err)
	}
	for i := range b.Rows() {
		fmt.Println(b.Text(0, i), b.Number(1, i))
	}
	// Output:
	// yes 0.75
	// no 0.05
	// yes 0.75
}

// All that is wrong with a document is said at once.
func ExampleProblems() {
	_, err := scoring.Load(strings.NewReader(strings.NewReplacer(`field="spp" operator="lessThan"`, `field="SPP_" operator="lessThan"`, `value="18"/><ScoreDistribution value="no" recordCount="76"`, `value="high"/><ScoreDistribution value="no" recordCount="76"`).Replace(washout)))
	for _, p := range scoring.Problems(err) {
		fmt.Printf("%d:%d %s: %s; %s\n", p.Line, p.Column, p.Element, p.Reason, p.Cure)
	}
	// Output:
	// 6:36 SimplePredicate: field 'SPP_' is not declared here; nearest: 'spp'
	// 7:35 SimplePredicate: "high" is compared with field 'spp', which is double; mend the value or the field's dataType
}

// A bad value harms its own row.
func ExampleRowError() {
	m, _ := scoring.Load(strings.NewReader(washout))
	_, err := m.Score(scoring.Row{"spp": "sixteen"})
	var bad *scoring.RowError
	fmt.Println(errors.As(err, &bad), bad.Field, bad.Kind)
	// Output: true spp invalid
}

func ExampleScorer_Explain() {
	m, _ := scoring.Load(strings.NewReader(washout))
	s := m.NewScorer()
	s.Score(scoring.Row{"spp": 16.5})
	x, err := s.Explain()
	fmt.Printf("%.2f %.2f %v\n", x.Base, x.Score, err)
	for _, t := range x.Terms {
		fmt.Printf("%s %+.2f\n", t.Name, t.Value)
	}
	// Output:
	// 0.19 0.75 <nil>
	// spp +0.56
}
