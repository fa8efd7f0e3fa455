package scoring_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/mudpulse/mudpulse/scoring"
)

// A document of the corpus with lines lost, exchanged or with other attributes
// is refused, or it loads, scores and explains: nothing panics.
func TestAMangledDocumentIsRefusedOrScores(t *testing.T) {
	var docs [][][]byte
	for _, kind := range []string{"Clustering", "NeuralNetwork", "SupportVectorMachine", "NaiveBayes", "NearestNeighbor"} {
		files, err := filepath.Glob(filepath.Join("testdata/corpus", kind, "*.pmml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no documents of %s: %v", kind, err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			docs = append(docs, bytes.Split(b, []byte("\n")))
		}
	}
	attribute := regexp.MustCompile(`"[^"]*"`)
	values := []string{`""`, `"-1"`, `"0"`, `"NaN"`, `"1e308"`, `"x"`, `"a"`, `"999999999"`, `"true"`, `"string"`, `"c"`, `"1"`, `"INF"`, `"integer"`, `"table"`, `"gaussSim"`}
	r := rand.New(rand.NewPCG(4, 1))
	loaded := 0
	for range 1500 {
		lines := append([][]byte{}, docs[r.IntN(len(docs))]...)
		for range 1 + r.IntN(3) {
			i := 2 + r.IntN(len(lines)-3)
			switch at := attribute.FindAllIndex(lines[i], -1); r.IntN(4) {
			case 0:
				lines = append(lines[:i], lines[i+1:]...)
			case 1:
				j := 2 + r.IntN(len(lines)-3)
				lines[i], lines[j] = lines[j], lines[i]
			default:
				if len(at) > 0 {
					a := at[r.IntN(len(at))]
					lines[i] = []byte(string(lines[i][:a[0]]) + values[r.IntN(len(values))] + string(lines[i][a[1]:]))
				}
			}
		}
		doc := bytes.Join(lines, []byte("\n"))
		if mangled(t, doc, r) {
			loaded++
		}
	}
	if loaded < 100 {
		t.Errorf("only %d of 1500 mangled documents load: they test little", loaded)
	}
}

// mangled reports whether the document loads, and scores with it.
func mangled(t *testing.T, doc []byte, r *rand.Rand) bool {
	defer func() {
		if p := recover(); p != nil {
			t.Fatalf("%v\n%s", p, doc)
		}
	}()
	m, err := scoring.Load(bytes.NewReader(doc))
	if err != nil {
		return false
	}
	s := m.NewScorer()
	b := s.Batch(4)
	row := scoring.Row{}
	for i, f := range m.Inputs() {
		b.SetNumber(i, 0, r.NormFloat64())
		b.SetText(i, 1, "p")
		b.SetNumber(i, 2, 1)
		row[f.Name] = r.NormFloat64()
	}
	if err := s.Run(t.Context(), b); err != nil {
		t.Error(err)
	}
	if _, err := s.Score(row); err == nil {
		_, _ = s.Explain() // a kind without an explanation says so
	}
	return true
}
