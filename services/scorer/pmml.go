package scorer

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/mudpulse/mudpulse/scoring"
	"github.com/mudpulse/mudpulse/telemetry"
)

// PMML loads models in PMML out of blobs, each once for all partitions.
type PMML struct {
	blobs interface {
		Fetch(ctx context.Context, sha256 string) ([]byte, error)
	}
	mu     sync.Mutex
	loaded map[string]*pmmlModel
}

// maxLoaded models are kept compiled beside those that are in force.
const maxLoaded = 500

// maxRemembered bounds the drills of which a model that remembers rows does.
const maxRemembered = 100_000

// NewPMML returns a loader over blobs.
func NewPMML(blobs interface {
	Fetch(ctx context.Context, sha256 string) ([]byte, error)
}) *PMML {
	return &PMML{blobs: blobs, loaded: map[string]*pmmlModel{}}
}

// Load returns the model whose bytes have that SHA-256.
func (p *PMML) Load(ctx context.Context, sha256 string) (Model, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m, ok := p.loaded[sha256]; ok {
		return m, nil
	}
	b, err := p.blobs.Fetch(ctx, sha256)
	if err != nil {
		return nil, fmt.Errorf("%w model %s: %w", ErrFetch, sha256, err)
	}
	m, err := ParsePMML(b)
	if err != nil {
		return nil, err
	}
	if len(p.loaded) >= maxLoaded {
		clear(p.loaded)
	}
	p.loaded[sha256] = m.(*pmmlModel)
	return m, nil
}

// ParsePMML compiles a model in PMML. It is scored once a tick, or as often as
// an extension anywhere in the document says, in event time:
//
//	<Extension extender="mudpulse" name="every" value="60s"/>
//
// What it said of health stands for a day while its inputs are missing, or for
// as long as the extension "hold" says.
func ParsePMML(b []byte) (Model, error) {
	m, err := scoring.Load(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	x := &pmmlModel{m: m}
	if x.every, err = extended(b, "every"); err != nil {
		return nil, err
	}
	if x.hold, err = extended(b, "hold"); err != nil {
		return nil, err
	}
	for _, f := range m.Inputs() {
		x.in = append(x.in, Field{Name: f.Name, Text: f.Text()})
	}
	for _, f := range append(m.Targets(), m.Outputs()...) {
		x.out = append(x.out, f.Name)
	}
	return x, nil
}

var (
	extension = regexp.MustCompile(`<Extension\s[^<>]*>`)
	attribute = regexp.MustCompile(`(extender|name|value)\s*=\s*["']([^"']*)["']`)
)

// Every is how often a document in PMML asks to be scored, in event time; 0: at every tick.
func Every(b []byte) (time.Duration, error) { return extended(b, "every") }

// extended returns the span that an extension of ours gives; 0 if there is none.
func extended(b []byte, name string) (time.Duration, error) {
	for _, e := range extension.FindAll(b, 1000) {
		has := map[string]string{}
		for _, a := range attribute.FindAllSubmatch(e, 3) {
			has[string(a[1])] = string(a[2])
		}
		if has["extender"] != "mudpulse" || has["name"] != name {
			continue
		}
		d, err := time.ParseDuration(has["value"])
		if err != nil || d < 0 || d > 24*time.Hour || d%time.Second != 0 {
			return 0, fmt.Errorf("extension %s: %q: want whole seconds up to a day, as \"60s\"", name, has["value"])
		}
		return d, nil
	}
	return 0, nil
}

type pmmlModel struct {
	m     *scoring.Model
	every time.Duration
	hold  time.Duration
	in    []Field
	out   []string
}

func (m *pmmlModel) Inputs() []Field      { return m.in }
func (m *pmmlModel) Outputs() []string    { return m.out }
func (m *pmmlModel) Every() time.Duration { return m.every }
func (m *pmmlModel) Hold() time.Duration  { return m.hold }

func (m *pmmlModel) Evaluator() Evaluator {
	s := m.m.NewScorer()
	s.KeepKeys(maxRemembered)
	return &pmmlEvaluator{m: m.m, s: s, b: s.Batch(0)}
}

type pmmlEvaluator struct {
	m *scoring.Model
	s *scoring.Scorer
	b *scoring.Batch
}

// Remembers gives access to the model's memory, where its kind has one.
func (e *pmmlEvaluator) Remembers() (Rememberer, bool) { return e, e.m.Stateful() }

func (e *pmmlEvaluator) Key(row int, drill string) { e.b.SetKey(row, drill) }
func (e *pmmlEvaluator) Memory(b []byte) []byte    { return e.s.AppendState(b) }
func (e *pmmlEvaluator) Recall(b []byte) error     { return e.s.RestoreState(b) }
func (e *pmmlEvaluator) Forget(drill string)       { e.s.Forget(drill) }

func (e *pmmlEvaluator) Reset(rows int)                   { e.b.Reset(rows) }
func (e *pmmlEvaluator) Number(input, row int, v float64) { e.b.SetNumber(input, row, v) }
func (e *pmmlEvaluator) Text(input, row int, s string)    { e.b.SetText(input, row, s) }
func (e *pmmlEvaluator) Run()                             { _ = e.s.Run(context.Background(), e.b) } // its error is the context's
func (e *pmmlEvaluator) Output(i, row int) (float64, string) {
	if e.b.IsText(i, row) {
		return nan, e.b.Text(i, row)
	}
	return e.b.Number(i, row), ""
}

func (e *pmmlEvaluator) Err(row int) error {
	if err := e.b.Err(row); err != nil {
		return err
	}
	return nil // not a nil *RowError in an interface
}

func (e *pmmlEvaluator) Explain(row int, ev *telemetry.Evidence) {
	x, err := e.s.ExplainRow(e.b, row)
	if err != nil {
		return // this kind of model has no terms
	}
	ev.Baseline, ev.Score = x.Base, x.Score
	for _, t := range x.Terms {
		ev.Contributions = append(ev.Contributions, telemetry.Contribution{Name: t.Name, Value: t.Value})
	}
}
