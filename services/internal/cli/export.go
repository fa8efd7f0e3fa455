package cli

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/scoring"
	"github.com/mudpulse/mudpulse/services/client"
	"github.com/mudpulse/mudpulse/services/exports"
)

type export struct {
	server
	Columns  []string          `arg:"" optional:"" help:"Channels, features by name (docs/features.md), state, health, model.output; @FILE: one a line. Of readings: channels."`
	Out      string            `short:"o" required:"" help:"File to write; its name ends in .parquet, .csv or .jsonl. The schema is written beside it." placeholder:"FILE"`
	InputsOf string            `name:"inputs-of" help:"Take the inputs of this model as columns, too." type:"existingfile" placeholder:"FILE.pmml"`
	Table    string            `help:"features (a training table), readings or scores." default:"features" enum:"features,readings,scores"`
	Drills   []string          `help:"Names or globs, as 'RIG-*'; default: all."`
	From     string            `help:"RFC 3339; default: the first frame." placeholder:"TIME"`
	To       string            `help:"RFC 3339, not included; default: the last frame." placeholder:"TIME"`
	Every    string            `help:"Cadence of features; default: 60s." placeholder:"SPAN"`
	Warmup   string            `help:"How much of the past is read before --from, or all; default: what the features remember." placeholder:"SPAN"`
	Labels   string            `help:"Labels: CSV with drill,kind,from,to,value, or JSON lines of the same or of drillsim labels." type:"existingfile" placeholder:"FILE"`
	Known    bool              `name:"known-labels" help:"Join the labels that are kept on the server, too."`
	Verdicts bool              `help:"People's verdicts on alarms as labels."`
	Work     bool              `name:"maintenance" help:"Maintenance as labels: of each position up to the work, its failure mode or activity as value."`
	Split    map[string]uint32 `help:"Shares of the drills, as train=70,test=30." mapsep:","`
	Seed     uint64            `help:"Of the split."`
	Limit    int64             `help:"Rows of readings or scores; 0: no limit."`
}

func (c *Commands) export(env Env) error {
	a := &c.Export
	r := exports.Request{Table: a.Table, Drills: a.Drills, From: a.From, To: a.To, Every: a.Every, Warmup: a.Warmup, Known: a.Known, Verdicts: a.Verdicts, Work: a.Work, Split: a.Split, Seed: a.Seed, Limit: a.Limit}
	switch strings.ToLower(filepath.Ext(a.Out)) {
	case ".parquet":
		r.Format = exports.Parquet
	case ".csv":
		r.Format = exports.CSV
	case ".jsonl", ".ndjson", ".json":
		r.Format = exports.JSON
	default:
		return fmt.Errorf("out: %s: the name must end in .parquet, .csv or .jsonl", a.Out)
	}
	var err error
	if r.Columns, err = columns(a.Columns, a.InputsOf); err != nil {
		return err
	}
	if a.Labels != "" {
		if r.Labels, err = readLabels(a.Labels); err != nil {
			return fmt.Errorf("labels: %w", err)
		}
	}
	cl, err := a.client()
	if err != nil {
		return err
	}
	var job exports.Job
	if err := cl.Send(env.Ctx, http.MethodPost, "/exports", r, &job); err != nil {
		return err
	}
	forget := func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(env.Ctx), 10*time.Second)
		defer cancel()
		return cl.Do(ctx, http.MethodDelete, "/exports/"+job.ID, "", nil, nil)
	}
	if err := awaitExport(env, cl, &job); err != nil {
		return errors.Join(err, forget())
	}
	if err := fetch(env.Ctx, cl, "/exports/"+job.ID+"/file", a.Out); err != nil {
		return errors.Join(err, forget())
	}
	schema := strings.TrimSuffix(a.Out, filepath.Ext(a.Out)) + ".schema.json"
	if err := fetch(env.Ctx, cl, "/exports/"+job.ID+"/schema", schema); err != nil {
		return errors.Join(err, forget())
	}
	fmt.Fprintf(env.Out, "%s: %d rows, %d bytes; what the columns are: %s\n", a.Out, job.Rows, job.Bytes, schema)
	for _, n := range job.Notes {
		fmt.Fprintln(env.Out, "note:", n)
	}
	return forget()
}

// awaitExport asks until a job is done, drawing how far it is.
func awaitExport(env Env, cl *client.Client, job *exports.Job) error {
	s := sender{out: env.Out}
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		if err := getJSON(env.Ctx, cl, "/exports/"+job.ID, job); err != nil {
			return err
		}
		s.n = int(job.Rows)
		switch job.State {
		case exports.Done:
			s.said, s.unit = time.Time{}, "rows"
			s.report(1, true)
			return nil
		case exports.Failed, exports.Cancelled:
			return fmt.Errorf("export %s: %s", job.State, job.Error)
		}
		s.unit = "rows"
		s.report(job.Share, false)
		select {
		case <-env.Ctx.Done():
			return fmt.Errorf("export cancelled: %w", env.Ctx.Err())
		case <-time.After(pause):
		}
	}
}

func getJSON(ctx context.Context, cl *client.Client, path string, out any) error {
	return cl.Do(ctx, http.MethodGet, path, "", nil, out)
}

// fetch writes a file whole or not at all.
func fetch(ctx context.Context, cl *client.Client, path, to string) error {
	f, err := os.Create(to + ".tmp")
	if err != nil {
		return err
	}
	_, err = cl.Download(ctx, path, f)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(to+".tmp", to)
	}
	if err != nil {
		return errors.Join(err, os.Remove(to+".tmp"))
	}
	return nil
}

// columns reads names, files of names, and a model's inputs.
func columns(args []string, model string) ([]string, error) {
	var out []string
	add := func(name string) {
		if name = strings.TrimSpace(name); name != "" && !strings.HasPrefix(name, "#") && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for _, a := range args {
		file, isFile := strings.CutPrefix(a, "@")
		if !isFile {
			for name := range strings.SplitSeq(a, ",") {
				add(name)
			}
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("columns: %w", err)
		}
		for line := range strings.Lines(string(b)) {
			add(line)
		}
	}
	if model == "" {
		return out, nil
	}
	f, err := os.Open(model)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := scoring.Load(f)
	if err != nil {
		return nil, fmt.Errorf("inputs-of: %w", err)
	}
	for _, in := range m.Inputs() {
		add(in.Name)
	}
	return out, nil
}

// readLabels reads CSV or JSON lines.
func readLabels(file string) ([]exports.Span, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := bufio.NewReader(f)
	if head, err := in.Peek(1); err == nil && head[0] == '{' {
		return labelLines(in)
	}
	r := csv.NewReader(in)
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	at := map[string]int{}
	for i, h := range header {
		at[strings.ToLower(strings.TrimSpace(h))] = i
	}
	for _, need := range []string{"drill", "kind", "from", "to"} {
		if _, ok := at[need]; !ok {
			return nil, fmt.Errorf("%s: no column %s: want drill,kind,from,to and, if you like, value", file, need)
		}
	}
	var out []exports.Span
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		l := exports.Span{Drill: row[at["drill"]], Kind: row[at["kind"]], From: row[at["from"]], To: row[at["to"]]}
		if i, ok := at["value"]; ok {
			l.Value = row[i]
		}
		out = append(out, l)
	}
}

// labelLines reads spans, or moments of simulated truth: these are joined to spans
// from the first moment at which a fault is seen to the last.
func labelLines(in io.Reader) ([]exports.Span, error) {
	d := json.NewDecoder(in)
	type key struct{ drill, kind string }
	type run struct {
		from, to time.Time
		step     time.Duration
		age      float64
	}
	open := map[key]*run{}
	last := map[string]time.Time{}
	var out []exports.Span
	end := func(k key) {
		r := open[k]
		out = append(out, exports.Span{Drill: k.drill, Kind: k.kind, From: r.from.Format(time.RFC3339Nano), To: r.to.Add(r.step).Format(time.RFC3339Nano)})
		delete(open, k)
	}
	for n := 1; ; n++ {
		var l struct {
			exports.Span
			TS       time.Time          `json:"ts"`
			State    string             `json:"state"`
			Severity map[string]float64 `json:"severity"`
		}
		err := d.Decode(&l)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if l.Severity == nil && l.Kind != "" {
			out = append(out, l.Span)
			continue
		}
		step := time.Duration(0)
		if before, ok := last[l.Drill]; ok {
			step = l.TS.Sub(before)
		}
		last[l.Drill] = l.TS
		for kind, age := range l.Severity {
			k := key{l.Drill, kind}
			if r := open[k]; r != nil && age < r.age { // another fault of the kind
				end(k)
			}
			r := open[k]
			if r == nil {
				r = &run{from: l.TS}
				open[k] = r
			}
			r.to, r.age, r.step = l.TS, age, max(step, time.Second)
		}
		for k := range open {
			if _, still := l.Severity[k.kind]; k.drill == l.Drill && !still {
				end(k)
			}
		}
	}
	for k := range open {
		end(k)
	}
	slices.SortFunc(out, func(a, b exports.Span) int { return strings.Compare(a.Drill+a.Kind+a.From, b.Drill+b.Kind+b.From) })
	return out, nil
}
