package scoring_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/mudpulse/mudpulse/scoring/internal/oracle"
)

// table is docs/pmml-support.md.
func (s *support) table() []byte {
	peers := s.peers()
	count := map[string]int{}
	var rows bytes.Buffer
	for _, e := range s.schema.Entries() {
		st := s.states[e]
		count[st.word]++
		by := st.by
		switch st.word {
		case "hand-worked":
			by = fmt.Sprintf("%s; [%s](pmml-semantics.md)", st.by, st.reason)
		case "refused":
			by = st.reason
		}
		p := peers(e, st)
		name := e.String()
		if e.Attribute == "" {
			name = "**" + name + "**"
		}
		fmt.Fprintf(&rows, "| %s | %s | %s | %s | %s | %s |\n", cell(name), st.word, cell(by), p[0], p[1], p[2])
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, `# PMML: what is supported

Made by `+"`go test ./scoring -run TestEveryConstruct -update-support`"+` from the schema of PMML 4.4 (`+"`scoring/testdata/schema.tsv`"+`); the test holds it to be true.

- **verified**: a document of `+"`scoring/testdata/corpus`"+` that uses it is answered by JPMML-Evaluator %s, and by us the same (TestCorpusScoresAsJPMMLDoes). The case is named.
- **hand-worked**: no oracle scores it; the test that is named computes numbers whose formula and source stand under that heading of pmml-semantics.md.
- **refused**: a document that uses it is refused at load, by that name, with the reason given.

%d entries: %d verified, %d hand-worked, %d refused. Of other engines, **yes** and **no** are known from the oracle's answers or their sources, **?** is not.

| element, attribute, value | state | by, or why | JPMML | PMML4S | goscore |
|---|---|---|---|---|---|
`, oracle.Version, len(s.schema.Entries()), count["verified"], count["hand-worked"], count["refused"])
	out.Write(rows.Bytes())
	return out.Bytes()
}

func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(s)
}

// peers says what JPMML, PMML4S and goscore do with an entry.
func (s *support) peers() func(oracle.Entry, state) [3]string {
	b, err := os.ReadFile("testdata/peers.tsv")
	if err != nil {
		s.t.Fatal(err)
	}
	known := map[oracle.Entry][3]string{}
	for line := range strings.Lines(string(b)) {
		c := strings.Split(strings.TrimSpace(line), "\t")
		if len(c) == 4 {
			known[entryOf(c[0])] = [3]string{c[1], c[2], c[3]}
		}
	}
	return func(e oracle.Entry, st state) [3]string {
		p, ok := known[e]
		for _, up := range []oracle.Entry{{Element: e.Element, Attribute: e.Attribute}, {Element: e.Element}} {
			if of, known := known[up]; !ok && known {
				p, ok = [3]string{"?", "?", "?"}, true
				for i := range of { // without the whole there is no part
					if of[i] == "no" {
						p[i] = "no"
					}
				}
			}
		}
		if !ok {
			p = [3]string{"?", "?", "?"}
		}
		if st.word == "verified" {
			p[0] = "yes"
		}
		return p
	}
}
