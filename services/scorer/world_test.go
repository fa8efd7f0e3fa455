package scorer

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

const start = int64(1_795_000_000) * second // 2026-11-18

// fake is a model made of a function over its numeric inputs.
type fake struct {
	in    []Field
	out   []string
	every time.Duration
	hold  time.Duration
	f     func(in []float64, text []string) ([]float64, error)
	says  map[int]string // outputs that are text
}

func (m *fake) Inputs() []Field      { return m.in }
func (m *fake) Outputs() []string    { return m.out }
func (m *fake) Every() time.Duration { return m.every }
func (m *fake) Hold() time.Duration  { return m.hold }
func (m *fake) Evaluator() Evaluator { return &fakeEval{m: m} }

type fakeEval struct {
	m   *fake
	num [][]float64
	txt [][]string
	out [][]float64
	err []error
}

func (e *fakeEval) Reset(rows int) {
	e.num, e.txt, e.out, e.err = nil, nil, make([][]float64, rows), make([]error, rows)
	for range rows {
		n := make([]float64, len(e.m.in))
		for i := range n {
			n[i] = nan
		}
		e.num, e.txt = append(e.num, n), append(e.txt, make([]string, len(e.m.in)))
	}
}
func (e *fakeEval) Number(input, row int, v float64) { e.num[row][input] = v }
func (e *fakeEval) Text(input, row int, s string)    { e.txt[row][input] = s }
func (e *fakeEval) Run() {
	for i := range e.num {
		e.out[i], e.err[i] = e.m.f(e.num[i], e.txt[i])
	}
}
func (e *fakeEval) Err(row int) error                   { return e.err[row] }
func (e *fakeEval) Output(i, row int) (float64, string) { return e.out[row][i], e.m.says[i] }
func (e *fakeEval) Explain(row int, ev *telemetry.Evidence) {
	ev.Baseline, ev.Score = 1, e.out[row][0]
	ev.Contributions = []telemetry.Contribution{{Name: e.m.in[0].Name, Value: e.out[row][0] - 1}}
}

// shelf holds models and rules by their "SHA-256".
type shelf struct {
	models map[string]*fake
	blobs  map[string][]byte
}

func (s *shelf) Load(_ context.Context, sha string) (Model, error) {
	if m, ok := s.models[sha]; ok {
		return m, nil
	}
	return nil, fmt.Errorf("model %s: is no PMML", sha)
}

func (s *shelf) Fetch(_ context.Context, sha string) ([]byte, error) {
	if b, ok := s.blobs[sha]; ok {
		return b, nil
	}
	return nil, errors.New("no such blob")
}

func sum(name string) *fake {
	return &fake{in: []Field{{Name: "WOB"}, {Name: "RPM"}}, out: []string{name}, f: func(in []float64, _ []string) ([]float64, error) {
		return []float64{in[0] + in[1]}, nil
	}}
}

// tape writes down all that a partition puts out, by drill.
type tape struct {
	scores map[string][][]byte
	last   map[string]map[int64]string // newest record of each tick
	alarms map[string][]telemetry.AlarmEvent
}

func newTape() *tape {
	return &tape{scores: map[string][][]byte{}, last: map[string]map[int64]string{}, alarms: map[string][]telemetry.AlarmEvent{}}
}
func (t *tape) Score(s *telemetry.Score) {
	b := telemetry.AppendScore(nil, s)
	t.scores[s.Drill] = append(t.scores[s.Drill], b)
	if t.last[s.Drill] == nil {
		t.last[s.Drill] = map[int64]string{}
	}
	t.last[s.Drill][s.Tick] = string(b)
}
func (t *tape) Alarm(e *telemetry.AlarmEvent) { t.alarms[e.Drill] = append(t.alarms[e.Drill], *e) }

func (t *tape) all(tb testing.TB, drill string) []telemetry.Score {
	tb.Helper()
	var out []telemetry.Score
	for _, b := range t.scores[drill] {
		var s telemetry.Score
		if err := telemetry.DecodeScore(b, &s); err != nil {
			tb.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

func testConfig() PartitionConfig {
	c := DefaultPartitionConfig()
	c.RowBudget = 0
	return c
}

func newPartition(tb testing.TB, cfg PartitionConfig, s *shelf, out Output) *Partition {
	tb.Helper()
	p, err := NewPartition(cfg, s, s, telemetry.DefaultCatalogue(), nil, out)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// frame is one second of drilling of a drill.
func frame(drill string, seq uint64, wob, rpm float64) *telemetry.Frame {
	f := &telemetry.Frame{Drill: drill, Device: "edr-1", Boot: "b1", Seq: seq, TS: start + int64(seq)*second}
	run := func(tag string, hz int, v float64) {
		u := telemetry.Run{Channel: tag, Every: second / int64(hz)}
		for i := range hz {
			u.Values = append(u.Values, v+float64(i)*0.01)
		}
		f.Runs = append(f.Runs, u)
	}
	run("HKLD", 10, 1500-wob)
	run("WOB", 10, wob)
	run("BPOS", 10, 20)
	run("RPM", 10, rpm)
	run("FLIN", 10, 2100)
	run("SPP", 10, 22)
	run("DBTM", 1, 3000)
	run("DMEA", 1, 3000)
	f.Hash = telemetry.ContentHash(f)
	return f
}

func activate(name string, version int, sha string) *telemetry.Marker {
	return &telemetry.Marker{ID: fmt.Sprint(name, version, sha), Kind: telemetry.MarkerModel, Name: name, Version: version, SHA256: sha, Action: "activate"}
}

func mark(tb testing.TB, p *Partition, m *telemetry.Marker) {
	tb.Helper()
	for _, history := range []bool{false, true} {
		if err := p.Marker(tb.Context(), m, history); err != nil {
			tb.Fatal(err)
		}
	}
}

func feed(tb testing.TB, p *Partition, f *telemetry.Frame) {
	tb.Helper()
	if err := p.Frame(tb.Context(), f, f.Origin == telemetry.Backfill, int64(f.Seq)); err != nil {
		tb.Fatal(err)
	}
}
