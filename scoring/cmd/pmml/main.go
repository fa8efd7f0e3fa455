// Command pmml inspects, verifies, scores, explains, times and compares PMML models.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/mudpulse/mudpulse/scoring"
)

const usage = `pmml inspect MODEL.pmml                                 what the model is, its inputs and outputs
pmml verify MODEL.pmml                                  run its own verification rows
pmml score [--full] [--explain] MODEL.pmml < rows.jsonl a JSON object a row in, one out, in order
pmml explain MODEL.pmml < rows.jsonl                    what each input added to each row's score
pmml bench MODEL.pmml < rows.jsonl                      rows a second, one by one and in batches
pmml diff OLD.pmml NEW.pmml < rows.jsonl                rows that the two models answer otherwise
`

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	if a := args[0]; a == "help" || a == "-h" || a == "--help" {
		_, err := io.WriteString(out, usage)
		return err
	}
	var full, explain bool
	var files []string
	for _, a := range args[1:] {
		switch {
		case a == "--full":
			full = true
		case a == "--explain":
			explain = true
		case len(a) > 1 && a[0] == '-':
			return fmt.Errorf("%s: no such flag\n%s", a, usage)
		default:
			files = append(files, a)
		}
	}
	want := map[string]int{"inspect": 1, "verify": 1, "score": 1, "explain": 1, "bench": 1, "diff": 2}[args[0]]
	switch {
	case want == 0:
		return fmt.Errorf("%s: no such command\n%s", args[0], usage)
	case len(files) != want:
		return fmt.Errorf("%s wants %d model files, not %d\n%s", args[0], want, len(files), usage)
	}
	var models []*scoring.Model
	for _, name := range files {
		m, err := load(name, args[0] == "inspect")
		if err != nil {
			return err
		}
		models = append(models, m)
	}
	m := models[0]
	switch args[0] {
	case "inspect":
		return inspect(m, out)
	case "verify":
		i := m.Info()
		if i.Verified == 0 {
			_, err := fmt.Fprintln(out, "the document has no ModelVerification; it loads")
			return err
		}
		_, err := fmt.Fprintf(out, "%d rows verified, largest relative difference %g\n", i.Verified, i.MaxError)
		return err
	case "score":
		return score(m, in, out, full, explain)
	}
	rows, err := readRows(in)
	if err != nil {
		return err
	}
	switch args[0] {
	case "bench":
		return bench(m, rows, out)
	case "explain":
		return explainRows(m, rows, out)
	}
	return diff(models[0], models[1], rows, out)
}

func load(name string, unverified bool) (*scoring.Model, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var opts []scoring.Option
	if unverified {
		opts = append(opts, scoring.WithoutVerification())
	}
	m, err := scoring.Load(f, opts...)
	if err != nil {
		return nil, fmt.Errorf("%s is refused:\n%w", name, err)
	}
	return m, nil
}

func inspect(m *scoring.Model, out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	type field struct {
		Name, DataType, OpType string
		Values                 []string `json:",omitempty"`
		Feature                string   `json:",omitempty"`
	}
	list := func(fs []scoring.Field) (l []field) {
		for _, f := range fs {
			l = append(l, field{f.Name, f.DataType, f.OpType, f.Values, f.Feature})
		}
		return l
	}
	all := map[string]any{"model": m.Info(), "inputs": list(m.Inputs()), "targets": list(m.Targets()), "outputs": list(m.Outputs())}
	if s := m.Stats(); s != nil {
		all["stats"] = s
	}
	if q := m.Quality(); q != nil {
		all["quality"] = q
	}
	return e.Encode(all)
}

// score answers every line with one line, in order.
func score(m *scoring.Model, in io.Reader, out io.Writer, full, explain bool) error {
	s := m.NewScorer()
	w := bufio.NewWriter(out)
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<20), 64<<20)
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := line(s, m, lines.Bytes(), w, full, explain); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read rows: %w", err)
	}
	return w.Flush()
}

func line(s *scoring.Scorer, m *scoring.Model, raw []byte, w *bufio.Writer, full, explain bool) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	row := scoring.Row{}
	var rowErr *scoring.RowError
	var res scoring.Result
	if err := d.Decode(&row); err != nil {
		rowErr = &scoring.RowError{Kind: "malformed", Message: "the line is no JSON object: " + err.Error()}
	} else if res, err = s.Score(row); err != nil && !errors.As(err, &rowErr) {
		return err
	}
	if rowErr != nil {
		return emit(w, [][2]any{{"error", map[string]any{"field": rowErr.Field, "kind": rowErr.Kind, "message": rowErr.Message}}})
	}
	var pairs [][2]any
	res.Each(func(name string, v any) { pairs = append(pairs, [2]any{name, v}) })
	if full {
		details := map[string]any{}
		for i, d := range res.Details() {
			details[m.Targets()[i].Name] = d
		}
		pairs = append(pairs, [2]any{"_targets", details})
	}
	if explain {
		x, err := s.Explain()
		if err != nil {
			pairs = append(pairs, [2]any{"_explanation", map[string]any{"error": err.Error()}})
		} else {
			pairs = append(pairs, [2]any{"_explanation", x})
		}
	}
	return emit(w, pairs)
}

// emit writes an object whose members keep their order.
func emit(w *bufio.Writer, pairs [][2]any) error {
	w.WriteByte('{')
	for i, p := range pairs {
		if i > 0 {
			w.WriteByte(',')
		}
		k, err := json.Marshal(p[0])
		if err != nil {
			return err
		}
		v := p[1]
		if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			v = fmt.Sprint(f) // JSON has no such number
		}
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		w.Write(k)
		w.WriteByte(':')
		w.Write(b)
	}
	_, err := w.WriteString("}\n")
	return err
}
