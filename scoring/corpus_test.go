package scoring_test

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/scoring"
	"github.com/mudpulse/mudpulse/scoring/internal/oracle"
)

const corpus = "testdata/corpus"

// Every case of the corpus, against JPMML's committed answers.
func TestCorpusScoresAsJPMMLDoes(t *testing.T) {
	cases, err := oracle.Cases(corpus, "")
	if err != nil {
		t.Fatal(err)
	}
	headings := semantics(t)
	rows, own := 0, map[string]int{} // rows that a note holds to our own answer, in part or whole, by its reason
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			for _, n := range c.Notes {
				own[n.Why] += len(n.Rows)
				if !headings[n.Why] {
					t.Errorf("the note's reason %q is no heading of docs/pmml-semantics.md", n.Why)
				}
			}
			answers, err := c.Answers()
			if err != nil {
				t.Fatal(err)
			}
			m, err := scoring.Load(bytes.NewReader(c.Document))
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			s := m.NewScorer()
			wrong := 0
			for i, row := range c.Rows {
				got, err := oracle.Ours(m, s, row)
				if err != nil {
					t.Fatalf("row %d: %v", i+1, err)
				}
				if w, _ := c.Judge(i, answers[i], got); w != "" {
					if wrong++; wrong <= 5 {
						t.Errorf("row %d %s: %s", i+1, row, w)
					}
				}
			}
			if wrong > 5 {
				t.Errorf("and %d more rows", wrong-5)
			}
			rows += len(c.Rows)
		})
	}
	t.Logf("%d cases, %d rows; held to our own answer where JPMML has another or none: %v", len(cases), rows, own)
	known, err := oracle.Known(corpus)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range known {
		if !headings[g.Why] {
			t.Errorf("gaps.json's reason %q is no heading of docs/pmml-semantics.md", g.Why)
		}
	}
}

// semantics are the headings' ids of docs/pmml-semantics.md: "### and-or: what it is".
func semantics(t *testing.T) map[string]bool {
	t.Helper()
	b, err := os.ReadFile("../docs/pmml-semantics.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ ([a-z0-9-]+):`).FindAllStringSubmatch(string(b), -1) {
		out[strings.TrimSpace(m[1])] = true
	}
	return out
}
