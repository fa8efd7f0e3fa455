// Command oracle asks JPMML-Evaluator: "golden" writes the corpus's answers
// (make pmml-golden), "live" compares on many generated rows (make pmml-oracle).
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"

	"github.com/mudpulse/mudpulse/scoring"
	"github.com/mudpulse/mudpulse/scoring/internal/oracle"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	f := flag.NewFlagSet("oracle", flag.ContinueOnError)
	tools := f.String("tools", ".data/tools", "where deploy/tools/jpmml.sh left the oracle")
	corpus := f.String("corpus", "scoring/testdata/corpus", "the cases")
	more := f.String("more", ".data/producers", "live: further documents, made at run time")
	all := f.Bool("all", false, "golden: ask again what is answered already")
	rows := f.Int("rows", 200_000, "live: at least so many rows over all documents")
	seed := f.Uint64("seed", 1, "live: of the rows")
	accept := f.String("accept", "", "golden: note what we answer otherwise in the cases of -only, for this reason")
	renote := f.Bool("renote", false, "golden: write what we answer otherwise again, for the reasons noted")
	only := f.String("only", "", "cases whose name contains this")
	explain := f.Bool("explain", false, "live: an example of each shape of explained difference")
	random := f.Int("random", 0, "live: so many random documents instead, of the seed and those after it")
	show := f.Int("show", 3, "live: differences shown per document")
	if len(args) == 0 || args[0] != "golden" && args[0] != "live" {
		return errors.New("want golden or live")
	}
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	if *random > 0 {
		tmp, err := os.MkdirTemp("", "mudpulse-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(tmp)
		dir := filepath.Join(tmp, "random") // of a constant name: rows are seeded by it
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		for i := range *random {
			n := *seed + uint64(i)
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("random-%d.pmml", n)), oracle.Random(n), 0o644); err != nil {
				return err
			}
		}
		*more, *only = dir, "random/"
	}
	path, err := oracle.Classpath(*tools)
	if err != nil {
		return err
	}
	p, err := oracle.Start(path)
	if err != nil {
		return err
	}
	if args[0] == "golden" {
		err = golden(p, *corpus, *only, *accept, *all, *renote)
	} else {
		err = live(p, *corpus, *more, *only, *rows, *seed, *show, *explain)
	}
	return errors.Join(err, p.Close())
}

// Rows of a document that comes without any.
const rowsOfACase = 40

// golden asks JPMML about the cases that are new or changed, and makes rows for those without.
func golden(p *oracle.Process, corpus, only, accept string, all, renote bool) error {
	if err := oracle.MakeRows(corpus, rowsOfACase); err != nil {
		return err
	}
	cases, err := oracle.Cases(corpus, only)
	if err != nil {
		return err
	}
	known, err := oracle.Known(corpus)
	if err != nil {
		return err
	}
	for _, c := range cases {
		if _, err := c.Answers(); err == nil && !all && !renote && accept == "" {
			continue
		}
		answers, err := p.Ask(c.Path(), c.Rows)
		if err != nil {
			return err
		}
		if err := c.Write(answers); err != nil {
			return err
		}
		if err := note(c, answers, known, accept, renote); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		failed, why := 0, ""
		for _, line := range answers {
			a, err := oracle.Parse(line)
			if err != nil {
				return fmt.Errorf("%s: %w: %s", c.Name, err, line)
			}
			if w, bad := a.Failed(); bad {
				if failed++; why == "" {
					why = "; " + w
				}
			}
		}
		fmt.Printf("%s: %d rows, %d not answered%s\n", c.Name, len(answers), failed, why)
	}
	return nil
}

// note writes down what this engine answers in the gaps, to be read and held to.
func note(c *oracle.Case, answers [][]byte, known oracle.Gaps, accept string, renote bool) error {
	m, err := scoring.Load(bytes.NewReader(c.Document))
	if err != nil {
		return nil //nolint:nilerr // the test says so
	}
	s := m.NewScorer()
	ask := func(row []byte) (oracle.Answer, error) { return oracle.Ours(m, s, row) }
	changed := false
	for i, line := range answers {
		a, err := oracle.Parse(line)
		if err != nil {
			return err
		}
		ours, err := ask(c.Rows[i])
		if err != nil {
			return err
		}
		diffs, _ := c.Differences(a, ours)
		if _, noted := c.Noted(i); noted {
			changed = renote && c.Renote(i, diffs, ours) || changed
			continue
		}
		if len(diffs) == 0 {
			continue
		}
		why := accept
		if why == "" {
			why = known.ExplainsAll(&oracle.Asked{Case: c, Kind: m.Info().Kind, Row: c.Rows[i], Theirs: a, Ours: ask}, diffs)
		}
		if why != "" {
			c.Add(why, i, diffs, ours, accept != "")
			changed = true
		}
	}
	if !changed {
		return nil
	}
	return c.WriteNotes()
}

func seedOf(name string, seed uint64) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64() ^ seed
}
