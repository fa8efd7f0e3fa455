package scoring_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"testing"

	"github.com/mudpulse/mudpulse/scoring"
	"github.com/mudpulse/mudpulse/scoring/internal/oracle"
)

// made are the cases whose answers are new values, which take memory, and why.
var made = map[string]*regexp.Regexp{
	"lists, of items, forecasts or segments": regexp.MustCompile(`^(Association|TimeSeries)/|^Mining/(classes-)?selectAll-`),
	"texts that functions make":              regexp.MustCompile(`^Expressions/|^Told/.*expressions|^Producers/text-|^Fields/treat-.*`),
	"texts of numbers":                       regexp.MustCompile(`^Outputs/(disp-reg|pv-string|tree-double)$|^Tree/display-and-residual$|^Regression/logit-double-target$|^RuleSet/integer-score$|^Producers/lightgbm-categorical$`),
}

// In steady state a batch takes no memory: every case of the corpus, kind by
// kind, over the rows that have an answer (an error is made for who reads it).
func TestABatchTakesNoMemory(t *testing.T) {
	cases, err := oracle.Cases(corpus, "")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, c := range cases {
		m, err := scoring.Load(bytes.NewReader(c.Document))
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		if m.Stateful() {
			continue // TestARowOfTheseKindsTakesNoMemory
		}
		s := m.NewScorer()
		b := s.Batch(64)
		if filled(t, s, b, m, c) == 0 {
			continue
		}
		run := func() { _ = s.Run(context.Background(), b) }
		run()
		n := testing.AllocsPerRun(1, run)
		if n == 0 {
			kinds[m.Info().Kind]++
			continue
		}
		why := ""
		for reason, of := range made {
			if of.MatchString(c.Name) {
				why = reason
			}
		}
		if why == "" {
			t.Errorf("%s: %v allocations in a batch of 64 rows", c.Name, n)
		}
	}
	for _, kind := range []string{ // associations: TestARowOfTheseKindsTakesNoMemory
		"ClusteringModel", "GeneralRegressionModel", "MiningModel", "NaiveBayesModel", "NearestNeighborModel",
		"NeuralNetwork", "RegressionModel", "RuleSetModel", "Scorecard", "SupportVectorMachineModel", "TreeModel"} {
		if kinds[kind] == 0 {
			t.Errorf("no case of %s takes no memory", kind)
		}
	}
	t.Logf("cases without an allocation: %v", kinds)
}

// filled fills the batch with those of the case's rows that have an answer, over and over.
func filled(t *testing.T, s *scoring.Scorer, b *scoring.Batch, m *scoring.Model, c *oracle.Case) int {
	t.Helper()
	var good []scoring.Row
	for _, line := range c.Rows {
		row := scoring.Row{}
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		if odd(m, row) {
			continue
		}
		b.Reset(1)
		set(b, m, 0, row)
		if err := s.Run(context.Background(), b); err == nil && b.Err(0) == nil {
			good = append(good, row)
		}
	}
	if len(good) == 0 {
		return 0
	}
	b.Reset(64)
	for i := range b.Rows() {
		set(b, m, i, good[i%len(good)])
	}
	return len(good)
}

// odd rows hold texts in place of numbers, or collections: they are read one by one.
func odd(m *scoring.Model, row scoring.Row) bool {
	for _, f := range m.Inputs() {
		switch row[f.Name].(type) {
		case string:
			if f.DataType != "string" {
				return true
			}
		case float64, bool:
			if f.DataType == "string" {
				return true
			}
		case []any:
			return true
		}
	}
	return false
}

func set(b *scoring.Batch, m *scoring.Model, i int, row scoring.Row) {
	for j, f := range m.Inputs() {
		switch v := row[f.Name].(type) {
		case float64:
			b.SetNumber(j, i, v)
		case string:
			b.SetText(j, i, v)
		case bool:
			b.SetText(j, i, fmt.Sprint(v))
		case []any:
			b.SetValue(j, i, v)
		}
	}
}
