package scoring_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/mudpulse/mudpulse/scoring"
	"github.com/mudpulse/mudpulse/scoring/internal/oracle"
)

// A batch gives what its rows give alone, to the bit, for every case of the corpus.
func TestCorpusInBatchesIsTheCorpusRowByRow(t *testing.T) {
	cases, err := oracle.Cases(corpus, "")
	if err != nil {
		t.Fatal(err)
	}
	columns := 0
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			m, err := scoring.Load(bytes.NewReader(c.Document))
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			if m.Stateful() {
				return // its rows lean on each other; state_test.go runs such
			}
			if m.Info().Columns {
				columns++
			}
			sameInBatches(t, m, c.Rows)
		})
	}
	t.Logf("%d of %d cases run by columns", columns, len(cases))
}

func isInput(m *scoring.Model, name string) bool {
	for _, f := range m.Inputs() {
		if f.Name == name {
			return true
		}
	}
	return false
}

func isOutput(m *scoring.Model, name string) bool {
	for _, f := range m.Outputs() {
		if f.Name == name {
			return true
		}
	}
	return false
}

// sameInBatches holds a batch of those rows to what they give alone.
func sameInBatches(t *testing.T, m *scoring.Model, lines [][]byte) {
	t.Helper()
	var rows []scoring.Row
	for _, line := range lines {
		d := json.NewDecoder(bytes.NewReader(line))
		d.UseNumber()
		row := scoring.Row{}
		if err := d.Decode(&row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	s := m.NewScorer()
	b := s.Batch(len(rows))
	for i, row := range rows {
		for j, f := range m.Inputs() {
			switch v := row[f.Name].(type) {
			case json.Number:
				x, err := v.Float64()
				if err != nil {
					t.Fatal(err)
				}
				b.SetNumber(j, i, x)
			case string:
				b.SetText(j, i, v)
			case bool:
				b.SetText(j, i, fmt.Sprint(v))
				if f.DataType != "boolean" {
					rows[i] = nil // nor a truth value where a number is due
				}
			case nil:
			default:
				rows[i] = nil // a batch holds no collections
			}
		}
	}
	if err := s.Run(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	names := append(m.Targets(), m.Outputs()...)
	alone := m.NewScorer()
	for i, row := range rows {
		if row == nil {
			continue
		}
		for name := range row { // a batch holds the inputs, not the actual value
			if !isInput(m, name) {
				delete(row, name)
			}
		}
		want, err := alone.Score(row)
		if (err != nil) != (b.Err(i) != nil) || err != nil && err.Error() != b.Err(i).Error() {
			t.Fatalf("row %d: %v in a batch, %v alone", i+1, b.Err(i), err)
		}
		if err != nil {
			continue
		}
		for j, f := range names {
			if j == 0 && isOutput(m, f.Name) {
				continue // an output of the target's name stands in its place
			}
			switch w := want.Value(f.Name).(type) {
			case string:
				if b.Text(j, i) != w {
					t.Fatalf("row %d, %s: %q in a batch, %q alone", i+1, f.Name, b.Text(j, i), w)
				}
			case bool:
				if b.Text(j, i) != fmt.Sprint(w) {
					t.Fatalf("row %d, %s: %q in a batch, %v alone", i+1, f.Name, b.Text(j, i), w)
				}
			case nil, []any:
				if x := b.Number(j, i); x == x || b.Text(j, i) != "" {
					t.Fatalf("row %d, %s: %v %q in a batch, none alone", i+1, f.Name, x, b.Text(j, i))
				}
			default:
				if x, y := b.Number(j, i), want.Float(f.Name); math.Float64bits(x) != math.Float64bits(y) && (x == x || y == y) {
					t.Fatalf("row %d, %s: %v in a batch, %v alone", i+1, f.Name, x, y)
				}
			}
		}
	}
}

// Documents that nobody wrote: fields, treatments, derived fields, ensembles and
// Targets in every combination (make pmml-oracle holds them to JPMML).
func TestRandomDocumentsInBatchesAreTheirRowsAlone(t *testing.T) {
	for seed := range uint64(150) {
		doc := oracle.Random(seed)
		if !bytes.Equal(doc, oracle.Random(seed)) {
			t.Fatalf("seed %d gave two documents", seed)
		}
		m, err := scoring.Load(bytes.NewReader(doc))
		if err != nil {
			t.Fatalf("seed %d is refused: %v", seed, err)
		}
		lines, err := oracle.Generate(doc, 20, seed)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) { sameInBatches(t, m, lines) })
	}
}
