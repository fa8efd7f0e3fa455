package models

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/mudpulse/mudpulse/scoring"
	"github.com/mudpulse/mudpulse/services/scorer"
)

// PMML is the Engine over package scoring.
type PMML struct{}

// Read loads b, which runs its ModelVerification, and says what it is.
func (PMML) Read(b []byte) (*About, error) {
	m, failed := scoring.Load(bytes.NewReader(b))
	if failed != nil {
		var err error
		if m, err = scoring.Load(bytes.NewReader(b), scoring.WithoutVerification()); err != nil {
			return nil, refusal(failed)
		}
	}
	info := m.Info()
	about := &About{ModelName: info.Name, Kind: info.Kind, Function: info.Function, Author: info.Producer, Inputs: []Input{}, Outputs: []Output{}}
	says := documented(b)
	every, err := scorer.Every(b)
	if err != nil {
		return nil, refusal(err)
	}
	about.Every = int64(every.Seconds())
	for _, f := range m.Inputs() {
		in := Input{Name: f.Name, Type: f.DataType, Declared: says.units[f.Name]}
		if f.Text() {
			in.Values = f.Values
		} else if lo, hi, ok := says.seen(f.Name); ok {
			in.Seen = []float64{lo, hi}
		}
		about.Inputs = append(about.Inputs, in)
	}
	for _, f := range append(m.Targets(), m.Outputs()...) {
		about.Outputs = append(about.Outputs, Output{Name: f.Name, Type: f.DataType})
	}
	loads := fmt.Sprintf("%s of PMML %s", info.Kind, info.Version)
	if info.Segments > 0 {
		loads += fmt.Sprintf(", %d segments", info.Segments)
	}
	if info.Nodes > 0 {
		loads += fmt.Sprintf(", %d nodes", info.Nodes)
	}
	about.Checks = []Check{{Name: "loads", OK: true, Detail: loads}}
	if info.Models > 1 {
		about.Checks = append(about.Checks, Check{Name: "models", Detail: fmt.Sprintf("the document holds %d models side by side: the first is scored, the others are not; put each into a document of its own", info.Models)})
	}
	if failed != nil {
		return about, refusal(failed)
	}
	verified := Check{Name: "verification", OK: true, Detail: fmt.Sprintf("%d rows of its own verification agree to %.1e relative", info.Verified, info.MaxError)}
	if info.Verified == 0 {
		verified = Check{Name: "verification", Detail: "it brings no rows to verify it with (ModelVerification): that it scores here as where it was trained is not shown"}
	}
	about.Checks = append(about.Checks, verified)
	return about, nil
}

func refusal(err error) error {
	out := &Refused{What: "model"}
	for _, p := range scoring.Problems(err) {
		where := p.Element
		if p.Field != "" {
			where = strings.TrimSpace(where + " " + p.Field)
		}
		out.Problems = append(out.Problems, Problem{Line: p.Line, Element: where, Message: p.Reason, Cure: p.Cure})
	}
	if len(out.Problems) == 0 {
		out.Problems = []Problem{{Message: err.Error()}}
	}
	return out
}
