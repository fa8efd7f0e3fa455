//go:build bits

package scoring_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/scoring"
	"github.com/mudpulse/mudpulse/scoring/internal/oracle"
)

var updateHash = flag.Bool("update-hash", false, "write testdata/golden.sha256")

// Every score of the corpus, to the last bit, is the same on every architecture:
// make test-arm64 runs this under qemu against the value that amd64 wrote.
func TestScoresAreTheSameBitsEverywhere(t *testing.T) {
	const file = "testdata/golden.sha256"
	cases, err := oracle.Cases(corpus, "")
	if err != nil {
		t.Fatal(err)
	}
	var sums strings.Builder
	for _, c := range cases {
		m, err := scoring.Load(bytes.NewReader(c.Document))
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		s, h := m.NewScorer(), sha256.New()
		for _, row := range c.Rows {
			a, err := oracle.Ours(m, s, row)
			if err != nil {
				t.Fatal(err)
			}
			line, err := json.Marshal(a) // a float64 as its shortest digits: one text for one value
			if err != nil {
				t.Fatal(err)
			}
			h.Write(line)
		}
		fmt.Fprintf(&sums, "%x  %s\n", h.Sum(nil)[:8], c.Name)
	}
	if *updateHash {
		if err := os.WriteFile(file, []byte(sums.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if sum, name, ok := strings.Cut(strings.TrimSpace(line), "  "); ok {
			want[name] = sum
		}
	}
	compared := 0
	for line := range strings.Lines(sums.String()) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		switch w, ok := want[name]; {
		case !ok: // newer than the file
		case w != sum:
			t.Errorf("%s: other bits: go test ./scoring -run TestScoresAre -update-hash on amd64, if the change was meant", name)
		default:
			compared++
		}
	}
	if compared < 700 {
		t.Errorf("only %d cases compared: run with -update-hash", compared)
	}
}
