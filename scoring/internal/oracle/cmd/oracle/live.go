package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/mudpulse/mudpulse/scoring"
	"github.com/mudpulse/mudpulse/scoring/internal/oracle"
)

// tally is what came of one kind of model.
type tally struct {
	models, rows, theyFailed, weFailed, parted, explained, wrong int
	worst                                                        float64
}

// example is one of the explained differences of a shape.
type example struct {
	n    int
	text string
}

// shape is a difference without its names and numbers.
func shape(d oracle.Diff) string {
	if s := d.Words + d.Ours; s != "" {
		return regexp.MustCompile(`[0-9.]+|'[^']*'|"(?:[^"\\]{5,}|o[0-9]+|y)"`).ReplaceAllString(s, "_")
	}
	of := func(v any) string {
		switch v := v.(type) {
		case nil:
			return "null"
		case string:
			if v == "NaN" || strings.HasSuffix(v, "Inf") {
				return v
			}
		case float64:
			if v == 0 {
				return "0"
			}
		}
		return fmt.Sprintf("%T", v)
	}
	_, detail, _ := strings.Cut(d.At, "#")
	detail, _, _ = strings.Cut(detail, ".")
	return detail + " " + of(d.Want) + " " + of(d.Got)
}

// live asks both engines about generated rows of every document.
func live(p *oracle.Process, corpus, more, only string, rows int, seed uint64, show int, explain bool) error {
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
	total, examples := tally{}, map[string]*example{}
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
		ask := func(row []byte) (oracle.Answer, error) { return oracle.Ours(m, s, row) }
		shown := 0
		for i, line := range answers {
			a, err := oracle.Parse(line)
			if err != nil {
				return fmt.Errorf("%s: %w: %s", c.Name, err, line)
			}
			ours, err := ask(in[i])
			if err != nil {
				return err
			}
			asked := &oracle.Asked{Case: c, Kind: m.Info().Kind, Row: in[i], Theirs: a, Ours: ask}
			k.rows++
			_, they := a.Failed()
			_, we := ours.Failed()
			if they {
				k.theyFailed++
			}
			if we {
				k.weFailed++
			}
			if they && !we && a["parts"] != nil {
				k.parted++
			}
			diffs, worst := c.Differences(a, ours)
			if len(diffs) == 0 {
				k.worst = max(k.worst, worst)
				continue
			}
			if why := known.ExplainsAll(asked, diffs); why != "" {
				k.explained++
				reasons[why]++
				for _, d := range diffs {
					reason := known.Explains(asked, d)
					e := examples[reason+" "+shape(d)]
					if e == nil {
						e = &example{text: fmt.Sprintf("%s: row %s: %s", c.Name, in[i], d)}
						examples[reason+" "+shape(d)] = e
					}
					e.n++
				}
				continue
			}
			k.wrong++
			if shown++; shown <= show {
				for _, d := range diffs {
					if known.Explains(asked, d) == "" {
						fmt.Printf("%s: row %s: %s\n", c.Name, in[i], d)
						break
					}
				}
			}
		}
		if shown > show {
			fmt.Printf("%s: %d rows differ\n", c.Name, shown)
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "kind\tmodels\trows\tlargest relative difference\terrors, JPMML\terrors, ours\tby output\texplained\tunexplained\t")
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		k := kinds[name]
		fmt.Fprintf(w, "%s\t%d\t%d\t%.3g\t%d\t%d\t%d\t%d\t%d\t\n", name, k.models, k.rows, k.worst, k.theyFailed, k.weFailed, k.parted, k.explained, k.wrong)
		total.models, total.rows, total.theyFailed, total.weFailed, total.parted = total.models+k.models, total.rows+k.rows, total.theyFailed+k.theyFailed, total.weFailed+k.weFailed, total.parted+k.parted
		total.explained, total.wrong, total.worst = total.explained+k.explained, total.wrong+k.wrong, max(total.worst, k.worst)
	}
	fmt.Fprintf(w, "all\t%d\t%d\t%.3g\t%d\t%d\t%d\t%d\t%d\t\n", total.models, total.rows, total.worst, total.theyFailed, total.weFailed, total.parted, total.explained, total.wrong)
	w.Flush()
	for _, why := range slices.Sorted(maps.Keys(reasons)) {
		fmt.Printf("explained: %d rows: docs/pmml-semantics.md, %s\n", reasons[why], why)
	}
	for _, why := range slices.Sorted(maps.Keys(left)) {
		fmt.Printf("left out, because documents made to show a difference: %d: docs/pmml-semantics.md, %s\n", left[why], strings.ReplaceAll(why, "\n", " "))
	}
	if explain {
		for _, of := range slices.Sorted(maps.Keys(examples)) {
			fmt.Printf("%6d %s\n       %s\n", examples[of].n, of, examples[of].text)
		}
	}
	if total.wrong > 0 {
		return fmt.Errorf("%d differences unexplained", total.wrong)
	}
	return nil
}
