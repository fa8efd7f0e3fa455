package scoring_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/scoring"
)

// BenchmarkScore scores the rows of each kind's largest document of the corpus,
// one row a call, one thread: small models, as most are. Large ones in batches,
// beside other engines: make bench-pmml.
func BenchmarkScore(b *testing.B) {
	for _, kind := range []string{"Association", "Clustering", "GeneralRegression", "Mining", "NaiveBayes", "NearestNeighbor", "NeuralNetwork",
		"Regression", "RuleSet", "Scorecard", "SupportVectorMachine", "TimeSeries", "Tree"} {
		b.Run(kind, func(b *testing.B) {
			m, rows := largest(b, kind)
			s := m.NewScorer()
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				// A row that fails is measured too: the corpus has them on purpose.
				_, _ = s.Score(rows[n%len(rows)])
				n++
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// largest returns the kind's largest document and its rows.
func largest(b *testing.B, kind string) (*scoring.Model, []scoring.Row) {
	b.Helper()
	docs, err := filepath.Glob(filepath.Join("testdata", "corpus", kind, "*.pmml"))
	if err != nil || len(docs) == 0 {
		b.Fatalf("no documents of %s: %v", kind, err)
	}
	var m *scoring.Model
	var rows []scoring.Row
	size := 0
	for _, path := range docs {
		text, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		if len(text) <= size {
			continue
		}
		lines, err := os.ReadFile(strings.TrimSuffix(path, ".pmml") + ".rows.jsonl")
		if err != nil {
			b.Fatal(err)
		}
		x, err := scoring.Load(bytes.NewReader(text))
		if err != nil {
			continue // one that is there to be refused
		}
		m, size, rows = x, len(text), nil
		for in := bufio.NewScanner(bytes.NewReader(lines)); in.Scan(); {
			row := scoring.Row{}
			if err := json.Unmarshal(in.Bytes(), &row); err != nil {
				b.Fatal(err)
			}
			rows = append(rows, row)
		}
	}
	if m == nil || len(rows) == 0 {
		b.Fatalf("no document of %s with rows", kind)
	}
	return m, rows
}
