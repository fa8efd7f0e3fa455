package scoring

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// seriesModel is a TimeSeriesModel with a horizon and prediction intervals.
func seriesModel(t testing.TB, fit, history, body, application string) (*Model, error) {
	t.Helper()
	var values strings.Builder
	for i, v := range strings.Fields(history) {
		fmt.Fprintf(&values, `<TimeValue index="%d" value="%s"/>`, i+1, v)
	}
	series := ""
	if values.Len() > 0 {
		series = `<TimeSeries usage="original" startTime="1" endTime="` + strconv.Itoa(len(strings.Fields(history))) + `">` + values.String() + `</TimeSeries>`
	}
	outputs := ""
	if fit != "ExponentialSmoothing" && !strings.Contains(body, "ThetaRecursion") {
		// standardError and standardDeviation are one.
		outputs = `<Output><OutputField name="lower" dataType="double" feature="confidenceIntervalLower" value="95"/><OutputField name="upper" dataType="double" feature="confidenceIntervalUpper" value="95"/>
			<OutputField name="lower80" dataType="double" feature="confidenceIntervalLower" value="80"/>`
		if !strings.Contains(body, "transformation") {
			outputs += `<OutputField name="se" dataType="double" feature="standardError"/><OutputField name="sd" dataType="double" feature="standardDeviation"/>`
		}
		outputs += `</Output>`
	}
	return Load(strings.NewReader(`<PMML version="4.4"><Header><Application name="` + application + `"/></Header><DataDictionary><DataField name="y" dataType="double" optype="continuous"/><DataField name="h" dataType="integer" optype="continuous"/></DataDictionary>
		<TimeSeriesModel functionName="timeSeries" bestFit="` + fit + `"><MiningSchema><MiningField name="y" usageType="target"/><MiningField name="h" usageType="supplementary"/></MiningSchema>` +
		outputs + series + body + `</TimeSeriesModel></PMML>`))
}

// wantSeries compares lists of numbers written with blanks.
func wantSeries(t *testing.T, what string, got any, want string) {
	t.Helper()
	l, _ := got.([]any)
	if f, ok := got.(float64); ok {
		l = []any{f}
	}
	w := strings.Fields(want)
	if len(l) != len(w) {
		t.Errorf("%s: %v, want %s", what, got, want)
		return
	}
	for i := range w {
		f, err := strconv.ParseFloat(w[i], 64)
		g, _ := l[i].(float64)
		if err != nil || !(math.Abs(g-f) <= 1e-12*max(math.Abs(f), 1)) {
			t.Errorf("%s, step %d: %v, want %s", what, i+1, l[i], w[i])
		}
	}
}

func forecast(t *testing.T, fit, history, body, application, want string) Result {
	t.Helper()
	m, err := seriesModel(t, fit, history, body, application)
	if err != nil {
		t.Errorf("%s: %v", body, err)
		return Result{}
	}
	n := len(strings.Fields(want))
	res, err := m.Score(Row{"h": n})
	if err != nil {
		t.Errorf("%s: %v", body, err)
	}
	wantSeries(t, body, res.Value("y"), want)
	if one, err := m.Score(Row{}); err != nil || one.Float("y") != res.Value("y").([]any)[0] {
		t.Errorf("%s: without a horizon %v (%v)", body, one.Value("y"), err)
	}
	return res
}

// Formulas and numbers: research notes on PMML 4.4.1, 7.1, after Gardner and
// Hyndman; forty digits.
func TestExponentialSmoothingContinuesLevelTrendAndSeason(t *testing.T) {
	f := func(attrs, level, trend, season, want string) {
		t.Helper()
		body := `<ExponentialSmoothing ` + attrs + `><Level alpha="0.3" smoothedValue="` + level + `"/>`
		if trend != "" {
			body += `<Trend_ExpoSmooth ` + trend + `/>`
		}
		if season != "" {
			body += season
		}
		forecast(t, "ExponentialSmoothing", "1 2 3 4 5 6", body+`</ExponentialSmoothing>`, "", want)
	}
	f(`transformation="none"`, "139.8", "", "", "139.8 139.8 139.8")
	f("", "139.8", `smoothedValue="2.5"`, "", "142.3 144.8 147.3")
	f("", "139.8", `trend="additive" phi="0.9" smoothedValue="2.5"`, "", "142.3 144.8 147.3")
	f("", "139.8", `trend="damped_additive" phi="0.9" smoothedValue="2.5"`, "", "142.05 144.075 145.8975")
	f("", "139.8", `trend="multiplicative" smoothedValue="1.02"`, "", "142.596 145.44792 148.3568784")
	f("", "139.8", `trend="damped_multiplicative" phi="0.9" smoothedValue="1.02"`, "", "142.313901862207 144.615041026084 146.71786219762")
	// 6 values and a period of 4: the next season is the third.
	times := `<Seasonality_ExpoSmooth type="multiplicative" period="4"><Array type="real" n="4">.9 1 1.15 .95</Array></Seasonality_ExpoSmooth>`
	f("", "139.8", `smoothedValue="2.5"`, times, "163.645 137.56 132.57")
	f("", "139.8", `trend="damped_additive" phi="0.9" smoothedValue="2.5"`, times, "163.3575 136.87125 131.30775")
	f("", "139.8", `smoothedValue="2.5"`, strings.Replace(times, `period`, `phase="3" period`, 1), "163.645 137.56 132.57")
	f("", "139.8", `smoothedValue="2.5"`, `<Seasonality_ExpoSmooth type="additive" period="4"><Array>-10 0 12 -2</Array></Seasonality_ExpoSmooth>`, "154.3 142.8 137.3")
	f(`transformation="logarithmic" RMSE="0.1"`, "4.9", `smoothedValue=".02"`, "", "137.002613186469 139.770249560003 142.593795896989")
	f(`transformation="squareroot"`, "11.8", `smoothedValue=".1"`, "", "141.61 144 146.41")
}

// Formulas and numbers: research notes, 7.2; forty digits.
func TestArimaContinuesTheSeriesFromItsLastResiduals(t *testing.T) {
	arima := func(attrs, p, ar, d, q, ma, residuals string) string {
		return `<ARIMA ` + attrs + `><NonseasonalComponent p="` + p + `" d="` + d + `" q="` + q + `"><AR><Array>` + ar + `</Array></AR><MA><MACoefficients><Array>` + ma + `</Array></MACoefficients><Residuals><Array>` + residuals + `</Array></Residuals></MA></NonseasonalComponent></ARIMA>`
	}
	res := forecast(t, "ARIMA", "103 105", arima(`RMSE="1.5" constantTerm=".2"`, "1", ".5", "1", "1", ".3", ".4"), "", "106.22 106.93 107.385")
	wantSeries(t, "standard error", res.Value("se"), "1.5 3.0886890422961 4.51995575199581")
	wantSeries(t, "standard deviation", res.Value("sd"), "1.5 3.0886890422961 4.51995575199581")
	wantSeries(t, "lower", res.Value("lower"), "103.28005402319 100.876280717656 98.5260495143736")
	wantSeries(t, "upper", res.Value("upper"), "109.15994597681 112.983719282344 116.243950485626")
	if l := res.Value("lower80").([]any)[0].(float64); math.Abs(l-104.297672651683) > 1e-11 {
		t.Errorf("lower end at 80 %%: %v", l)
	}
	forecast(t, "ARIMA", "103 105", arima(`RMSE="1.5" constantTerm=".2"`, "1", ".5", "1", "1", ".3", ".4"), "IBM SPSS Statistics", "105.98 106.57 106.965")

	seasonal := `<ARIMA RMSE="2"><NonseasonalComponent d="1" q="1"><MA><MACoefficients><Array>-.4</Array></MACoefficients></MA></NonseasonalComponent>
		<SeasonalComponent D="1" Q="1" period="4"><MA><MACoefficients><Array>-.6</Array></MACoefficients><Residuals><Array>.5 -1.2 .3 .8 -.6</Array></Residuals></MA></SeasonalComponent></ARIMA>`
	res = forecast(t, "ARIMA", "112 118 132 129 121", seasonal, "", "128.08 141.612 138.204 130.756 137.692")
	wantSeries(t, "standard error", res.Value("se"), "2 2.33238075793812 2.6229754097208 2.88444102037119 3.50998575495685")

	forecast(t, "ARIMA", "21 19 22 20 23", `<ARIMA constantTerm="20" RMSE="1" transformation="none" predictionMethod="conditionalLeastSquares"><NonseasonalComponent p="1"><AR><Array>.4</Array></AR></NonseasonalComponent><SeasonalComponent P="1" period="4"><AR><Array>.3</Array></AR></SeasonalComponent></ARIMA>`,
		"", "20.78 21.032 20.1728 20.96912")

	// Of the series and the residual that is stored, only the plus sign leads to it, whoever wrote it.
	series := "10.9 10.59 11.155 9.9375 9.38875 10.514375 9.8771875 10.95859375 10.779296875 10.3296484375 9.34482421875 9.872412109375"
	for _, app := range []string{"", "IBM SPSS"} {
		forecast(t, "ARIMA", series, arima(`constantTerm="10" RMSE="1"`, "1", ".5", "0", "1", ".6", ".8"), app, "10.4162060546875 10.20810302734375")
	}
	// Without residuals they are computed.
	forecast(t, "ARIMA", series, strings.Replace(arima(`constantTerm="10" RMSE="1"`, "1", ".5", "0", "1", ".6", ""), "<Residuals><Array></Array></Residuals>", "", 1), "", "10.4162060546875 10.20810302734375")
	// Roots of 4 and 9, and a mean step of 0.5: 3.5², 4²; the ends are squares too.
	res = forecast(t, "ARIMA", "4 9", `<ARIMA RMSE="0.1" transformation="squareroot" constantTerm="0.5"><NonseasonalComponent d="1"/></ARIMA>`, "", "12.25 16")
	wantSeries(t, "upper", res.Value("upper"), fmt.Sprint(math.Pow(3.5+1.959963984540054*.1, 2), " ", math.Pow(4+1.959963984540054*.1*math.Sqrt2, 2)))
	// ln y of 2.5 3: a random walk stays.
	res = forecast(t, "ARIMA", "2.5 3", `<ARIMA RMSE="0.1" transformation="logarithmic"><NonseasonalComponent d="1"/></ARIMA>`, "", "3 3")
	wantSeries(t, "lower", res.Value("lower"), fmt.Sprint(3*math.Exp(-1.959963984540054*.1), " ", 3*math.Exp(-1.959963984540054*.1*math.Sqrt2)))
}

// Formulas and numbers: research notes, 7.3, after Brockwell and Davis 5.3 and 12.1.
func TestAnExactFitEndsInAStateOrInInnovations(t *testing.T) {
	head := `<ARIMA predictionMethod="exactLeastSquares" RMSE="1"><NonseasonalComponent p="1" q="1"><AR><Array>.5</Array></AR><MA><MACoefficients><Array>.3</Array></MACoefficients></MA></NonseasonalComponent>`
	kalman := head + `<MaximumLikelihoodStat method="kalman"><KalmanState><FinalOmega><Matrix nbRows="1" nbCols="1"><Array>2.6003959071832e-6</Array></Matrix></FinalOmega><FinalStateVector><Array>0.743104636669856</Array></FinalStateVector><HVector><Array>.8</Array></HVector></KalmanState></MaximumLikelihoodStat></ARIMA>`
	res := forecast(t, "ARIMA", "1 .4 -.3 .8 1.2", kalman, "", "0.743104636669856 0.371552318334928 0.185776159167464")
	wantSeries(t, "standard error", res.Value("se"), fmt.Sprint(math.Sqrt(1.00000260039591), " ", math.Sqrt(1.64000065009898), " ", math.Sqrt(1.80000016252474)))
	theta := head + `<MaximumLikelihoodStat method="thetaRecursion"><ThetaRecursionState><FinalNoise><Array>.8 1.2</Array></FinalNoise><FinalPredictedNoise><Array>-0.276914943997181 0.722970761490709</Array></FinalPredictedNoise>
		<FinalTheta><Theta i="4" j="1" theta="0.2999"/><Theta i="5" j="1" theta="0.299991332013643"/></FinalTheta><FinalNu><Array>1.0000288941227</Array></FinalNu></ThetaRecursionState></MaximumLikelihoodStat></ARIMA>`
	forecast(t, "ARIMA", "1 .4 -.3 .8 1.2", theta, "", "0.743104636669856 0.371552318334928 0.185776159167464")
}

// Formulas and numbers: research notes, 7.6.
func TestAStateSpaceModelBeginsWithItsStateVector(t *testing.T) {
	matrix := func(name, rows string) string {
		out := "<" + name + "><Matrix>"
		for _, r := range strings.Split(rows, ";") {
			out += "<Array>" + r + "</Array>"
		}
		return out + "</Matrix></" + name + ">"
	}
	state := `<StateVector><Array>.72 0</Array></StateVector>` + matrix("TransitionMatrix", ".5 1;0 0") + matrix("MeasurementMatrix", "1 0") + `<InterceptVector type="observation"><Array>10</Array></InterceptVector>`
	// As R has it, the covariance is the filtered one and in units of the variance;
	// as statsmodels has it, it is the predicted one: the intervals are the same.
	r := `<StateSpaceModel variance="2.25">` + state + matrix("PredictedStateCovarianceMatrix", "0 0;0 0") + matrix("SelectedStateCovarianceMatrix", "1 .3;.3 .09") + matrix("ObservationVarianceMatrix", "0") + `</StateSpaceModel>`
	py := `<StateSpaceModel>` + state + matrix("PredictedStateCovarianceMatrix", "2.25 .675;.675 .2025") + matrix("SelectedStateCovarianceMatrix", "2.25 .675;.675 .2025") + matrix("ObservationVarianceMatrix", "0") + `</StateSpaceModel>`
	for _, body := range []string{r, py} {
		res := forecast(t, "StateSpaceModel", "", body, "", "10.72 10.36 10.18")
		wantSeries(t, "standard error", res.Value("se"), "1.5 1.92093727122985 2.01246117974981")
		wantSeries(t, "lower", res.Value("lower"), "7.78005402318992 6.59503213182884 6.23564856740538")
		wantSeries(t, "upper", res.Value("upper"), "13.6599459768101 14.1249678681712 14.1243514325946")
	}
	drift := `<StateSpaceModel><StateVector><Array>100.5</Array></StateVector>` + matrix("TransitionMatrix", "1") + matrix("MeasurementMatrix", "1") + `<InterceptVector%s><Array>.5</Array></InterceptVector>` +
		matrix("PredictedStateCovarianceMatrix", "1") + matrix("SelectedStateCovarianceMatrix", "1") + `</StateSpaceModel>`
	forecast(t, "StateSpaceModel", "", fmt.Sprintf(drift, ` type="state"`), "", "100.5 101 101.5") // JPMML adds it to the observation: 101 101 101
	forecast(t, "StateSpaceModel", "", fmt.Sprintf(drift, ""), "", "100.5 101 101.5")
	forecast(t, "StateSpaceModel", "", fmt.Sprintf(drift, ` type="observation"`), "", "101 101 101")
}

func TestAHorizonIsAWholeNumberOfSteps(t *testing.T) {
	m, err := seriesModel(t, "ARIMA", "1 2 3", `<ARIMA RMSE="1"><NonseasonalComponent d="1"/></ARIMA>`, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []any{0, -1, 2.5, 1e9, "x"} {
		if res, err := m.Score(Row{"h": h}); err == nil {
			t.Errorf("a horizon of %v is taken: %v", h, res.Value("y"))
		}
	}
	if len(m.Inputs()) != 1 || m.Inputs()[0].Name != "h" {
		t.Errorf("the horizon is no input: %v", m.Inputs())
	}
}

func TestSeriesThatCannotBeContinuedAreRefusedByName(t *testing.T) {
	f := func(fit, history, body string, words ...string) {
		t.Helper()
		_, err := seriesModel(t, fit, history, body, "")
		for _, w := range words {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v, want %q", body, err, w)
			}
		}
	}
	f("SpectralAnalysis", "1 2", "<SpectralAnalysis/>", "SpectralAnalysis")
	f("SeasonalTrendDecomposition", "1 2", "<SeasonalTrendDecomposition/>", "SeasonalTrendDecomposition")
	f("GARCH", "1 2", "<GARCH/>", "GARCH")
	f("ARIMA", "1 2", "", "no ARIMA")
	f("ARIMA", "1 2", `<ARIMA RMSE="1"><NonseasonalComponent d="1"/><DynamicRegressor field="h"/><OutlierEffect type="level" startTime="1" magnitude="1"/></ARIMA>`, "DynamicRegressor", "OutlierEffect")
	f("ARIMA", "1 2", `<ARIMA RMSE="1"><NonseasonalComponent p="2"><AR><Array>.5</Array></AR></NonseasonalComponent></ARIMA>`, `p="2"`)
	f("ARIMA", "1", `<ARIMA RMSE="1"><NonseasonalComponent d="2"/></ARIMA>`, "looks back 2")
	f("ARIMA", "1 2", `<ARIMA RMSE="1"><SeasonalComponent D="1" period="1000000000"/></ARIMA>`, "period")
	f("ARIMA", "1 2", `<ARIMA RMSE="1"><SeasonalComponent D="8" period="4000"/></ARIMA>`, "4096")
	f("ARIMA", "0 2", `<ARIMA RMSE="1" transformation="logarithmic"><NonseasonalComponent d="1"/></ARIMA>`, "logarithmic")
	f("ARIMA", "1 2", `<ARIMA><NonseasonalComponent d="1"/></ARIMA>`, "confidenceIntervalLower")
	f("ExponentialSmoothing", "1 2", `<ExponentialSmoothing><Level alpha=".1"/></ExponentialSmoothing>`, "smoothedValue")
	f("ExponentialSmoothing", "1 2", `<ExponentialSmoothing><Level smoothedValue="1"/><Trend_ExpoSmooth trend="polynomial_exponential" smoothedValue="1"/></ExponentialSmoothing>`, "polynomial_exponential")
	f("ExponentialSmoothing", "1 2", `<ExponentialSmoothing><Level smoothedValue="1"/><Seasonality_ExpoSmooth type="additive" period="3"><Array>1 2</Array></Seasonality_ExpoSmooth></ExponentialSmoothing>`, "2 seasons")
	f("StateSpaceModel", "", `<StateSpaceModel/>`, "StateVector")
	_, err := Load(strings.NewReader(`<PMML version="4.4"><DataDictionary><DataField name="y" dataType="double" optype="continuous"/></DataDictionary><TimeSeriesModel functionName="timeSeries" bestFit="ARIMA"><MiningSchema><MiningField name="y" usageType="target"/>
		<MiningField name="h" usageType="supplementary"/></MiningSchema><TimeSeries><TimeValue value="1"/></TimeSeries><ARIMA><NonseasonalComponent d="1"/></ARIMA></TimeSeriesModel></PMML>`))
	if err == nil || !strings.Contains(err.Error(), "'h'") {
		t.Errorf("a horizon that is not declared: %v", err)
	}
	f("StateSpaceModel", "", `<StateSpaceModel><StateVector><Array>1</Array></StateVector><TransitionMatrix><Matrix nbRows="1000000" nbCols="1000000"/></TransitionMatrix></StateSpaceModel>`, "1000000 × 1000000", "MeasurementMatrix")
}

// Models that nyoka wrote, and what statsmodels, which fitted them, forecasts
// itself: testdata/producers/general_timeseries.py.
func TestForecastsAreTheirProducersOwn(t *testing.T) {
	files, err := filepath.Glob("testdata/forecasts/*.pmml")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d models (%v)", len(files), err)
	}
	for _, path := range files {
		doc, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Load(bytes.NewReader(doc))
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		raw, err := os.ReadFile(strings.TrimSuffix(path, "pmml") + "json")
		if err != nil {
			t.Fatal(err)
		}
		var want map[string][]float64
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		h := len(want["forecast"])
		for key, list := range want {
			name := "y"
			if key != "forecast" { // conf_int_80_lower_y
				name = "conf_int_" + key[len(key)-2:] + "_" + key[:len(key)-2] + "_y"
			}
			whole, err := m.Score(Row{"h": h})
			if err != nil {
				t.Fatal(err)
			}
			for i, w := range list {
				v := whole.Value(name)
				if strings.Contains(path, "-ets-") { // by time: the series ends at 59
					one, err := m.Score(Row{"t": 60 + i})
					if err != nil {
						t.Fatal(err)
					}
					v = one.Value(name)
				} else if l, ok := v.([]any); ok && i < len(l) {
					v = l[i]
				}
				if s, ok := v.(string); ok {
					v, _ = strconv.ParseFloat(s, 64)
				}
				if g, ok := v.(float64); !ok || !(math.Abs(g-w) <= 1e-12*math.Abs(w)) {
					t.Errorf("%s, %s, step %d: %v, want %v", path, name, i+1, v, w)
				}
			}
		}
	}
}
