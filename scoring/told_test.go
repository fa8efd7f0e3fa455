package scoring_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/scoring"
)

// What a producer tells beside the model changes no score; of kinds that the
// oracle does not answer. The numbers are those of docs/pmml-semantics.md.
func TestWhatIsToldBesideAModelChangesNothing(t *testing.T) {
	f := func(fields, model string, row scoring.Row, output string, want any) {
		t.Helper()
		m, err := scoring.Load(strings.NewReader(`<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/><DataDictionary>` + fields + `</DataDictionary>` + model + `</PMML>`))
		if err != nil {
			t.Fatal(err)
		}
		res, err := m.Score(row)
		if err != nil {
			t.Fatal(err)
		}
		if got := res.Value(output); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v\n%s", output, got, want, model)
		}
	}
	const x, y, h = `<DataField name="x" optype="continuous" dataType="double"/>`, `<DataField name="y" optype="continuous" dataType="double"/>`, `<DataField name="h" optype="continuous" dataType="integer"/>`
	const told = ` modelName="x" algorithmName="x" isScorable="true"`
	f(x, `<BaselineModel functionName="regression"`+told+`><MiningSchema><MiningField name="x"/></MiningSchema><TestDistributions field="x" testStatistic="zValue"><Baseline><GaussianDistribution mean="10" variance="4"/></Baseline></TestDistributions></BaselineModel>`,
		scoring.Row{"x": 13.0}, "_target", 1.5)
	f(x, `<AnomalyDetectionModel functionName="regression" algorithmType="other"`+told+`><MiningSchema><MiningField name="x"/></MiningSchema><RegressionModel functionName="regression"><MiningSchema><MiningField name="x"/></MiningSchema><RegressionTable intercept="1"><NumericPredictor name="x" coefficient="2"/></RegressionTable></RegressionModel></AnomalyDetectionModel>`,
		scoring.Row{"x": 3.0}, "_target", 7)

	series := func(fit, body string) string {
		return `<TimeSeriesModel functionName="timeSeries" bestFit="` + fit + `"` + told + `><MiningSchema><MiningField name="y" usageType="target"/><MiningField name="h" usageType="supplementary"/></MiningSchema>` + body + `</TimeSeriesModel>`
	}
	observed := func(anchor string) string {
		return `<TimeSeries usage="original" startTime="1" endTime="2" interpolationMethod="none">` + anchor + `<TimeValue index="1" time="1" value="103" standardError="0.1"/><TimeValue index="2" time="2" value="105"/></TimeSeries>`
	}
	smooth := observed("") + `<ExponentialSmoothing RMSE="1" transformation="none"><Level alpha="0.3" smoothedValue="139.8"/><Trend_ExpoSmooth trend="additive" gamma="0.1" smoothedValue="2.5"/></ExponentialSmoothing>`
	f(y+h, series("ExponentialSmoothing", smooth), scoring.Row{"h": 3}, "y", "[142.3 144.8 147.3]")
	f(y+h, series("ExponentialSmoothing", observed("")+`<ExponentialSmoothing><Level smoothedValue="10"/><Seasonality_ExpoSmooth type="additive" period="2" unit="month" phase="1" delta="0.2"><Array n="2" type="real">1 2</Array></Seasonality_ExpoSmooth></ExponentialSmoothing>`),
		scoring.Row{"h": 2}, "y", "[11 12]")
	for _, from := range []string{"dateTimeMillisecondsSince", "dateTimeSecondsSince", "dateDaysSince", "dateMonthsSince"} {
		for _, year := range []string{"0", "1960", "1970", "1980"} {
			anchor := `<TimeAnchor type="` + from + `[` + year + `]" offset="1" stepsize="1" displayName="x"/>`
			f(y+h, series("ExponentialSmoothing", strings.Replace(smooth, observed(""), observed(anchor), 1)), scoring.Row{"h": 1}, "y", 142.3)
		}
	}
	for _, cycle := range []string{"includeAll", "includeFromTo", "excludeFromTo", "includeSet", "excludeSet"} {
		anchor := `<TimeAnchor type="dateYearsSince[0]" offset="1" stepsize="1"><TimeCycle length="7" type="` + cycle + `" displayName="x"><Array n="1" type="int">1</Array></TimeCycle>
			<TimeException type="exclude" count="1"><Array n="1" type="int">1</Array></TimeException><TimeException type="include" count="1"><Array n="1" type="int">1</Array></TimeException></TimeAnchor>`
		f(y+h, series("ExponentialSmoothing", strings.Replace(smooth, observed(""), observed(anchor), 1)), scoring.Row{"h": 1}, "y", 142.3)
	}
	f(y+h, series("ARIMA", observed("")+`<ARIMA RMSE="1" transformation="none" constantTerm="0.2" predictionMethod="conditionalLeastSquares"><NonseasonalComponent p="1" d="1" q="1"><AR><Array n="1" type="real">0.5</Array></AR><MA><MACoefficients><Array n="1" type="real">0.3</Array></MACoefficients><Residuals><Array n="1" type="real">0.4</Array></Residuals></MA></NonseasonalComponent></ARIMA>`),
		scoring.Row{"h": 1}, "y", 106.22)
	f(y+h, series("StateSpaceModel", `<StateSpaceModel period="none"><StateVector><Array n="1" type="real">100.5</Array></StateVector><TransitionMatrix><Matrix nbRows="1" nbCols="1"><Array n="1" type="real">1</Array></Matrix></TransitionMatrix><MeasurementMatrix><Matrix nbRows="1" nbCols="1"><Array n="1" type="real">1</Array></Matrix></MeasurementMatrix></StateSpaceModel>`),
		scoring.Row{"h": 1}, "y", 100.5)

	embedded := `<TreeModel functionName="regression"><MiningSchema><MiningField name="x"/></MiningSchema><Output><OutputField name="w" dataType="string" optype="categorical" feature="warning"/></Output><Node><True/><Node><SimplePredicate field="x" operator="lessThan" value="0"/><Regression modelName="x" algorithmName="x" functionName="regression" normalizationMethod="none"><RegressionTable intercept="1"><NumericPredictor name="x" coefficient="2"/></RegressionTable></Regression></Node>
		<Node><True/><DecisionTree modelName="x" algorithmName="x" functionName="regression" missingValueStrategy="none" missingValuePenalty="1" noTrueChildStrategy="returnNullPrediction" splitCharacteristic="binarySplit"><Node score="5"><True/></Node></DecisionTree></Node></Node></TreeModel>`
	f(x, embedded, scoring.Row{"x": -3.0}, "_target", -5)
	f(x, strings.Replace(embedded, "binarySplit", "multiSplit", 1), scoring.Row{"x": 3.0}, "_target", 5)
	f(x, embedded, scoring.Row{"x": 3.0}, "w", nil)
}
