package scoring

import (
	"slices"
	"strconv"
)

// FieldStats is what a document's ModelStats tells of a field: UnivariateStats,
// PMML 4.4.1. It is told, not checked; what is no number is left out.
type FieldStats struct {
	Field string `json:"field"`
	// Numbers are by their attribute: totalFreq, missingFreq, invalidFreq,
	// cardinality, minimum, maximum, mean, standardDeviation, median,
	// interQuartileRange, totalValuesSum, totalSquaresSum.
	Numbers   map[string]float64 `json:"numbers,omitempty"`
	Quantiles [][2]float64       `json:"quantiles,omitempty"` // limit in percent, value
	Values    []string           `json:"values,omitempty"`    // of DiscrStats
	Counts    []float64          `json:"counts,omitempty"`    // one for each of Values
	Modal     string             `json:"modal,omitempty"`
}

// Quality is what a document's ModelExplanation tells of how good the model
// was: PredictiveModelQuality or ClusteringModelQuality, PMML 4.4.1. Curves
// (LiftData, ROC) and Correlations are not read.
type Quality struct {
	Target string `json:"target,omitempty"`
	Data   string `json:"data,omitempty"`  // the data's name
	Usage  string `json:"usage,omitempty"` // training, test or validation; of predictions
	// Numbers are by their attribute, as rootMeanSquaredError, r-squared, AUC, F1, SSE.
	Numbers   map[string]float64 `json:"numbers,omitempty"`
	Classes   []string           `json:"classes,omitempty"`
	Confusion [][]float64        `json:"confusion,omitempty"` // as the Matrix has it, a row and a column for each of Classes
}

// Stats are by field, in document order; nil where the document has none.
func (m *Model) Stats() []FieldStats {
	var out []FieldStats
	for _, k := range m.top.element.first("ModelStats").all("UnivariateStats") {
		s := FieldStats{Field: k.get("field"), Numbers: map[string]float64{}}
		numbersOf(s.Numbers, k.first("Counts"))
		numbersOf(s.Numbers, k.first("NumericInfo"))
		numbersOf(s.Numbers, k.first("ContStats"))
		for _, q := range k.first("NumericInfo").all("Quantile") {
			limit, ok := toldNumber(q.get("quantileLimit"))
			at, fine := toldNumber(q.get("quantileValue"))
			if ok && fine {
				s.Quantiles = append(s.Quantiles, [2]float64{limit, at})
			}
		}
		d := k.first("DiscrStats")
		s.Modal = d.attribute("modalValue")
		if a := d.all("Array"); len(a) == 2 {
			if n, ok := numbersIn(a[1]); ok {
				if w := splitArray(a[0].text); len(w) == len(n) {
					s.Values, s.Counts = w, n
				}
			}
		}
		out = append(out, s)
	}
	return out
}

// Quality is in document order; nil where the document tells nothing.
func (m *Model) Quality() []Quality {
	var out []Quality
	x := m.top.element.first("ModelExplanation")
	for _, k := range append(x.all("PredictiveModelQuality"), x.all("ClusteringModelQuality")...) {
		q := Quality{Target: k.get("targetField"), Data: k.get("dataName"), Usage: k.get("dataUsage"), Numbers: map[string]float64{}}
		if q.Usage == "" && k.name == "PredictiveModelQuality" {
			q.Usage = "training" // the schema's default
		}
		numbersOf(q.Numbers, k)
		if c := k.first("ConfusionMatrix"); c != nil {
			q.Classes, q.Confusion = confusion(c)
		}
		out = append(out, q)
	}
	return out
}

func toldNumber(txt string) (float64, bool) {
	f, ok := parseNumber(txt)
	return f, ok && f-f == 0
}

func numbersOf(to map[string]float64, e *element) {
	if e == nil {
		return
	}
	for _, a := range e.attrs {
		if slices.Contains([]string{"targetField", "dataName", "dataUsage"}, a.name) {
			continue
		}
		if f, ok := toldNumber(a.value); ok {
			to[a.name] = f
		}
	}
}

func numbersIn(e *element) (out []float64, ok bool) {
	for _, txt := range splitArray(e.text) {
		f, ok := toldNumber(txt)
		if !ok {
			return nil, false
		}
		out = append(out, f)
	}
	return out, true
}

// confusion reads a full Matrix, of Arrays or of MatCells.
func confusion(e *element) (classes []string, cells [][]float64) {
	if a := e.first("ClassLabels").first("Array"); a != nil {
		classes = splitArray(a.text)
	}
	m, n := e.first("Matrix"), len(classes)
	if m == nil || n == 0 || n > 1000 {
		return nil, nil
	}
	for _, a := range m.all("Array") {
		row, ok := numbersIn(a)
		if !ok || len(row) != n {
			return nil, nil
		}
		cells = append(cells, row)
	}
	if cells == nil {
		for range n {
			cells = append(cells, make([]float64, n))
		}
		for _, c := range m.all("MatCell") {
			i, err := strconv.Atoi(c.get("row"))
			j, bad := strconv.Atoi(c.get("col"))
			f, ok := toldNumber(c.text)
			if err != nil || bad != nil || !ok || i < 1 || i > n || j < 1 || j > n {
				return nil, nil
			}
			cells[i-1][j-1] = f
		}
	}
	if len(cells) != n {
		return nil, nil
	}
	return classes, cells
}
