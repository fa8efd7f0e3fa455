// Command oracle writes the corpus's answers: make pmml-golden.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/mudpulse/mudpulse/scoring/internal/oracle"
)

func main() {
	tools := flag.String("tools", ".data/tools", "where deploy/tools/jpmml.sh left the oracle")
	corpus := flag.String("corpus", "scoring/testdata/corpus", "the cases")
	all := flag.Bool("all", false, "ask again what is answered already")
	flag.Parse()
	if err := golden(*tools, *corpus, *all); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// golden asks JPMML about the cases that are new or changed.
func golden(tools, corpus string, all bool) error {
	cases, err := oracle.Cases(corpus)
	if err != nil {
		return err
	}
	path, err := oracle.Classpath(tools)
	if err != nil {
		return err
	}
	p, err := oracle.Start(path)
	if err != nil {
		return err
	}
	for _, c := range cases {
		if _, err := c.Answers(); err == nil && !all {
			continue
		}
		answers, err := p.Ask(c.Path(), c.Rows)
		if err != nil {
			return err
		}
		if err := c.Write(answers); err != nil {
			return err
		}
		failed := 0
		why := ""
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
	return p.Close()
}
