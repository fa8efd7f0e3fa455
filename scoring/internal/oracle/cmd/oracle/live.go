package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/mudpulse/mudpulse/scoring"
	"github.com/mudpulse/mudpulse/scoring/internal/oracle"
)

// tally is what came of one kind of model.
type tally struct {
	models, rows, bothFailed, theyFailed, weFailed, explained, wrong int
	worst                                                            float64
}

// live asks both engines about generated rows of every document.
func live(p *oracle.Process, corpus, more, only string, rows int, seed uint64, show int) error {
	cases, err := oracle.Cases(corpus, only)
	if err != nil {
		return err
	}
	made, err := oracle.Documents(more, only)
	if err != nil {
		return err
	}
	known, err := oracle.Known(corpus)
	if err != nil {
		return err
	}
	cases = append(cases, made...)
	asked := 0
	for _, c := range cases {
		if c.NotLive() == "" {
			asked++
		}
	}
	each := rows/max(1, asked) + 1
	kinds, reasons, left := map[string]*tally{}, map[string]int{}, map[string]int{}
	total := tally{}
	for _, c := range cases {
		if why := c.NotLive(); why != "" {
			left[why]++
			continue
		}
		m, err := scoring.Load(bytes.NewReader(c.Document))
		if err != nil {
			fmt.Printf("%s: we refuse it: %v\n", c.Name, err)
			total.wrong++
			continue
		}
		in, err := oracle.Generate(c.Document, each, seedOf(c.Name, seed))
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		answers, err := p.Ask(c.Path(), in)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		k := kinds[m.Info().Kind]
		if k == nil {
			k = &tally{}
			kinds[m.Info().Kind] = k
		}
		k.models++
		s := m.NewScorer()
		shown := 0
		for i, line := range answers {
			a, err := oracle.Parse(line)
			if err != nil {
				return fmt.Errorf("%s: %w: %s", c.Name, err, line)
			}
			ours, err := oracle.Ours(m, s, in[i])
			if err != nil {
				return err
			}
			k.rows++
			words, they := a.Failed()
			ourWords, we := ours.Failed()
			if they {
				k.theyFailed++
			}
			if we {
				k.weFailed++
			}
			switch {
			case they && we:
				k.bothFailed++
				continue
			case we:
				words = ourWords
			}
			wrong, worst := c.Compare(a, ours)
			if wrong == "" {
				k.worst = max(k.worst, worst)
				continue
			}
			side := oracle.They
			switch {
			case we:
				side = oracle.We
			case !they:
				side, words = oracle.Both, string(line)
			}
			if why := known.Explains(m.Info().Kind, words, side); why != "" {
				k.explained++
				reasons[why]++
				continue
			}
			k.wrong++
			if shown++; shown <= show {
				fmt.Printf("%s: row %s: %s\n", c.Name, in[i], wrong)
			}
		}
		if shown > show {
			fmt.Printf("%s: %d rows differ\n", c.Name, shown)
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "kind\tmodels\trows\tlargest relative difference\terrors, JPMML\terrors, ours\texplained\tunexplained\t")
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		k := kinds[name]
		fmt.Fprintf(w, "%s\t%d\t%d\t%.3g\t%d\t%d\t%d\t%d\t\n", name, k.models, k.rows, k.worst, k.theyFailed, k.weFailed, k.explained, k.wrong)
		total.models, total.rows, total.theyFailed, total.weFailed = total.models+k.models, total.rows+k.rows, total.theyFailed+k.theyFailed, total.weFailed+k.weFailed
		total.explained, total.wrong, total.worst = total.explained+k.explained, total.wrong+k.wrong, max(total.worst, k.worst)
	}
	fmt.Fprintf(w, "all\t%d\t%d\t%.3g\t%d\t%d\t%d\t%d\t\n", total.models, total.rows, total.worst, total.theyFailed, total.weFailed, total.explained, total.wrong)
	w.Flush()
	for _, why := range slices.Sorted(maps.Keys(reasons)) {
		fmt.Printf("explained: %d rows: docs/pmml-semantics.md, %s\n", reasons[why], why)
	}
	for _, why := range slices.Sorted(maps.Keys(left)) {
		fmt.Printf("left out, because documents made to show a difference: %d: docs/pmml-semantics.md, %s\n", left[why], strings.ReplaceAll(why, "\n", " "))
	}
	if total.wrong > 0 {
		return fmt.Errorf("%d differences unexplained", total.wrong)
	}
	return nil
}
