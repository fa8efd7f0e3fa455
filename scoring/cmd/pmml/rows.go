package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/mudpulse/mudpulse/scoring"
)

// readRows reads a JSON object a line.
func readRows(in io.Reader) ([]scoring.Row, error) {
	var rows []scoring.Row
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<20), 64<<20)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.UseNumber()
		row := scoring.Row{}
		if err := d.Decode(&row); err != nil {
			return nil, fmt.Errorf("line %d is no JSON object: %w; write one row a line, such as {\"x\": 1.5}", n, err)
		}
		rows = append(rows, row)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	if len(rows) == 0 {
		return nil, errors.New("there are no rows on the standard input; write one JSON object a line, such as {\"x\": 1.5}")
	}
	return rows, nil
}

// explainRows prints each row's score, and its inputs by what they added to it.
func explainRows(m *scoring.Model, rows []scoring.Row, out io.Writer) error {
	s := m.NewScorer()
	w := bufio.NewWriter(out)
	for i, row := range rows {
		_, err := s.Score(row)
		var x scoring.Explanation
		if err == nil {
			x, err = s.Explain()
		}
		if err != nil {
			fmt.Fprintf(w, "row %d: %v\n", i+1, err)
			continue
		}
		fmt.Fprintf(w, "row %d: %g = %g", i+1, x.Score, x.Base)
		if x.Baseline != "" {
			fmt.Fprintf(w, " (mean over %s)", x.Baseline)
		}
		fmt.Fprintf(w, ", by %s\n", x.Method)
		for _, t := range x.Terms {
			fmt.Fprintf(w, "  %+12.6g  %s\n", t.Value, t.Name)
		}
	}
	return w.Flush()
}

// bench times the rows, again and again for a second each way.
func bench(m *scoring.Model, rows []scoring.Row, out io.Writer) error {
	s := m.NewScorer()
	failed := 0
	for _, row := range rows {
		if _, err := s.Score(row); err != nil {
			failed++
		}
	}
	n, from := 0, time.Now()
	for time.Since(from) < time.Second {
		for _, row := range rows {
			s.Score(row)
		}
		n += len(rows)
	}
	each := time.Since(from)
	if _, err := fmt.Fprintf(out, "one by one  %10.0f rows/s  %8.2f µs a row\n", float64(n)/each.Seconds(), each.Seconds()*1e6/float64(n)); err != nil {
		return err
	}
	b := s.Batch(max(len(rows), 1024))
	for i, f := range m.Inputs() {
		for at := range b.Rows() {
			switch v := rows[at%len(rows)][f.Name].(type) {
			case json.Number:
				x, err := v.Float64()
				if err != nil {
					return fmt.Errorf("field %q: %w", f.Name, err)
				}
				b.SetNumber(i, at, x)
			case string:
				b.SetText(i, at, v)
			case bool:
				b.SetText(i, at, fmt.Sprint(v))
			case nil:
			default:
				_, err := fmt.Fprintf(out, "in batches  not timed: field %q holds a collection\n", f.Name)
				return err
			}
		}
	}
	n, from = 0, time.Now()
	for time.Since(from) < time.Second {
		if err := s.Run(context.Background(), b); err != nil {
			return err
		}
		n += b.Rows()
	}
	each = time.Since(from)
	_, err := fmt.Fprintf(out, "in batches  %10.0f rows/s  %8.2f µs a row\n%d of %d rows have errors\n", float64(n)/each.Seconds(), each.Seconds()*1e6/float64(n), failed, len(rows))
	return err
}

// diff prints the rows whose targets two models answer otherwise, and the
// largest difference of each target.
func diff(a, b *scoring.Model, rows []scoring.Row, out io.Writer) error {
	var names []string
	for _, t := range a.Targets() {
		for _, u := range b.Targets() {
			if t.Name == u.Name {
				names = append(names, t.Name)
			}
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("the models have no target in common: %q and %q", a.Targets()[0].Name, b.Targets()[0].Name)
	}
	x, y := a.NewScorer(), b.NewScorer()
	w := bufio.NewWriter(out)
	differ := 0
	most := make([]float64, len(names))
	for i, row := range rows {
		p, e1 := x.Score(row)
		q, e2 := y.Score(row)
		said := ""
		switch {
		case e1 != nil && e2 != nil:
		case e1 != nil:
			said = fmt.Sprintf("error: %v -> %v", e1, q.Value(names[0]))
		case e2 != nil:
			said = fmt.Sprintf("%v -> error: %v", p.Value(names[0]), e2)
		default:
			for j, n := range names {
				v, u := p.Value(n), q.Value(n)
				if d := math.Abs(p.Float(n) - q.Float(n)); d > most[j] {
					most[j] = d
				}
				if fmt.Sprint(v) != fmt.Sprint(u) {
					said += fmt.Sprintf("%s: %v -> %v  ", n, v, u)
				}
			}
		}
		if said != "" {
			differ++
			fmt.Fprintf(w, "row %d  %s\n", i+1, said)
		}
	}
	fmt.Fprintf(w, "%d of %d rows differ\n", differ, len(rows))
	for j, n := range names {
		if most[j] > 0 {
			fmt.Fprintf(w, "largest difference of %s: %g\n", n, most[j])
		}
	}
	return w.Flush()
}
