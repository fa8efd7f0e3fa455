package scoring_test

import (
	"encoding/json"
	"testing"
)

func TestWhatADocumentTellsOfItsDataAndItsQualityCanBeRead(t *testing.T) {
	m := load(t, document(doubles("x", "y"), `<RegressionModel functionName="regression">`+mining("x", "=y")+`
<ModelStats><UnivariateStats field="x"><Counts totalFreq="100" missingFreq="4" invalidFreq="?"/><NumericInfo minimum="-1" mean="2.5"><Quantile quantileLimit="50" quantileValue="2"/></NumericInfo><DiscrStats modalValue="a b"><Array type="string">"a b" c</Array><Array type="int">3 4</Array></DiscrStats><ContStats totalValuesSum="250"/></UnivariateStats></ModelStats>
<ModelExplanation><PredictiveModelQuality targetField="y" dataName="june" r-squared="0.91" numOfRecords="100"><ConfusionMatrix><ClassLabels><Array type="string">a b</Array></ClassLabels><Matrix><Array type="int">5 1</Array><Array type="int">0 7</Array></Matrix></ConfusionMatrix></PredictiveModelQuality>
<PredictiveModelQuality targetField="y" dataUsage="test" AUC="0.7"><ConfusionMatrix><ClassLabels><Array type="string">a b</Array></ClassLabels><Matrix><MatCell row="2" col="1">3</MatCell></Matrix></ConfusionMatrix></PredictiveModelQuality></ModelExplanation>
<RegressionTable intercept="1"/></RegressionModel>`))
	f := func(got any, want string) {
		t.Helper()
		if b, err := json.Marshal(got); err != nil || string(b) != want {
			t.Errorf("%s (%v), want %s", b, err, want)
		}
	}
	f(m.Stats(), `[{"field":"x","numbers":{"mean":2.5,"minimum":-1,"missingFreq":4,"totalFreq":100,"totalValuesSum":250},"quantiles":[[50,2]],"values":["a b","c"],"counts":[3,4],"modal":"a b"}]`)
	f(m.Quality(), `[{"target":"y","data":"june","usage":"training","numbers":{"numOfRecords":100,"r-squared":0.91},"classes":["a","b"],"confusion":[[5,1],[0,7]]},{"target":"y","usage":"test","numbers":{"AUC":0.7},"classes":["a","b"],"confusion":[[0,0],[3,0]]}]`)
	f(load(t, document(doubles("x"), `<RegressionModel functionName="regression">`+mining("x")+`<RegressionTable intercept="1"/></RegressionModel>`)).Stats(), `null`)
}
