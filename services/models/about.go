// Package models keeps PMML models and alarm rules: what was uploaded, in which
// version, what is on, and since when. A switch is a marker in the stream (its
// offset is the moment) and a row here, decided in one transaction.
package models

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mudpulse/mudpulse/scoring/feature"
	"github.com/mudpulse/mudpulse/telemetry"
)

// An Engine reads models; PMML is one.
type Engine interface {
	// Read loads b and runs its ModelVerification. An error that is a *Refused names
	// every problem; with an About beside it, b can be read, and what else speaks
	// against it is still to be found.
	Read(b []byte) (*About, error)
	// Try scores made-up rows and the engineer's own, and measures time and memory.
	Try(ctx context.Context, b []byte, t Trial) (Tried, error)
}

// About is what a model says of itself.
type About struct {
	ModelName string   `json:"model_name"`
	Kind      string   `json:"kind"`              // TreeModel, MiningModel, …
	Function  string   `json:"function"`          // regression, classification, …
	Author    string   `json:"author"`            // application and its version, or copyright
	Every     int64    `json:"every_s,omitempty"` // seconds between two rows of a drill; 0: every tick
	Inputs    []Input  `json:"inputs"`
	Outputs   []Output `json:"outputs"`
	Checks    []Check  `json:"checks"` // in the order they ran
}

// An Input is an active field.
type Input struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Unit  string `json:"unit"`  // of what it is bound to
	Known bool   `json:"known"` // bound to a channel that is registered, a feature of one, or a model's output

	Declared string    `json:"declared_unit,omitempty"` // what the document says it is in
	Seen     []float64 `json:"seen,omitempty"`          // least and greatest value in the document's own rows or statistics
	Values   []string  `json:"values,omitempty"`        // of a text, where the document lists them
}

// An Output is a target or output field.
type Output struct {
	Name string `json:"name"`
	Type string `json:"type,omitempty"`
	Unit string `json:"unit,omitempty"`
}

// A Check is one thing that was looked at before the model was taken.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// A Problem is one reason why a model, or an edited rule, is not taken.
type Problem struct {
	Line    int    // 1-based; 0 unknown
	Element string // or the field's name
	Message string
	Cure    string
}

func (p Problem) String() string {
	s := p.Message
	if p.Element != "" {
		s = p.Element + ": " + s
	}
	if p.Line > 0 {
		s = fmt.Sprintf("line %d: %s", p.Line, s)
	}
	if p.Cure != "" {
		s += "; " + p.Cure
	}
	return s
}

// Refused is all that speaks against taking something.
type Refused struct {
	What     string
	Problems []Problem
}

func (r *Refused) Error() string {
	all := make([]string, len(r.Problems))
	for i, p := range r.Problems {
		all[i] = p.String()
	}
	return r.What + ": " + strings.Join(all, "\n")
}

// Channels is the catalogue, as much of it as binding needs.
type Channels interface {
	Get(tag string) *telemetry.Channel
	All() []telemetry.Channel
}

var validName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*([_-][A-Za-z0-9]+)*$`)

// ValidName checks a model's name: it stands in model.output, in name@version and in addresses.
func ValidName(name string) error {
	if len(name) > 48 || !validName.MatchString(name) {
		return fmt.Errorf("model name %q: want letters, digits and single - or _ between, beginning with a letter, at most 48", name)
	}
	return nil
}

var unfit = regexp.MustCompile(`[^A-Za-z0-9]+`)

// NameFrom makes a valid name out of a title or a file's name, "" where nothing is left.
func NameFrom(title string) string {
	if i := strings.LastIndexAny(title, `/\`); i >= 0 {
		title = title[i+1:]
	}
	for _, ext := range []string{".pmml", ".xml"} {
		if len(title) > len(ext) && strings.EqualFold(title[len(title)-len(ext):], ext) {
			title = title[:len(title)-len(ext)]
		}
	}
	s := strings.Trim(unfit.ReplaceAllString(title, "_"), "_")
	s = strings.TrimLeft(s, "0123456789_")
	if len(s) > 48 {
		s = strings.TrimRight(s[:48], "_")
	}
	return s
}

// bind finds what each input is computed from, and returns what speaks against it.
func bind(about *About, own string, cat Channels, seen []string, outputs map[string][]string) (problems []Problem, unregistered []string) {
	for i := range about.Inputs {
		in := &about.Inputs[i]
		name, err := feature.Parse(in.Name)
		switch {
		case err != nil && !feature.IsFeature(in.Name):
			name = feature.Name{Kind: feature.Field, Channel: in.Name} // no channel can be called so
		case err != nil:
			problems = append(problems, Problem{Element: in.Name, Message: err.Error(), Cure: "see docs/features.md"})
			continue
		}
		switch name.Kind {
		case feature.Output:
			if name.Model == "part" || name.Model == "subsystem" { // a number of a part in place (docs/equipment.md); what all models said of a subsystem
				in.Known = true
				continue
			}
			p := bindOutput(in.Name, name.Model, name.Word, own, outputs)
			if in.Known = p == nil; p != nil {
				problems = append(problems, *p)
			}
			continue
		case feature.Since:
			in.Known = true
			continue
		}
		tag := name.Channel
		if tag == "state" {
			in.Known = true
			continue
		}
		if ch := cat.Get(tag); ch != nil && ch.Tag == tag {
			if p := misread(in.Name, name, ch); p != nil {
				problems = append(problems, *p)
				continue
			}
			in.Known = true
			if name.Kind == feature.Field {
				in.Unit = ch.Unit
			}
			continue
		}
		if slices.Contains(seen, tag) {
			if !slices.Contains(unregistered, tag) {
				unregistered = append(unregistered, tag)
			}
			continue
		}
		p := Problem{Element: in.Name, Message: fmt.Sprintf("no drill sends %q and no channel of that name is registered", tag), Cure: "rename the field, or register the channel"}
		if near := nearest(tag, cat, seen); len(near) > 0 {
			p.Cure = "nearest are " + strings.Join(near, ", ") + "; " + p.Cure
		}
		problems = append(problems, p)
	}
	return problems, unregistered
}

// misread says where a waveform is read as if it were samples, or the other way round.
func misread(input string, name feature.Name, ch *telemetry.Channel) *Problem {
	wave := ch.Class == telemetry.Waveform
	switch {
	case wave && name.Kind == feature.Field:
		return &Problem{Element: input, Message: ch.What + " comes in snapshots of thousands of samples", Cure: fmt.Sprintf("read what is made of them, as %[1]s__rms__2h or %[1]s__order__o_1__2h", ch.Tag)}
	case wave && (name.Function == "lag" || name.Function == "ewma"):
		return &Problem{Element: input, Message: fmt.Sprintf("%s is not made of snapshots, as %s are", name.Function, ch.What), Cure: "see docs/features.md"}
	case !wave && name.Kind == feature.Feature && feature.OfWaveform(name.Function):
		return &Problem{Element: input, Message: fmt.Sprintf("%s is made of snapshots, and %s comes in samples", name.Function, ch.What), Cure: "read it of a waveform, as TDACC__" + strings.SplitN(input, "__", 2)[1]}
	}
	return nil
}

func bindOutput(field, model, output, own string, outputs map[string][]string) *Problem {
	if model == own {
		return &Problem{Element: field, Message: "a model cannot read its own output", Cure: "use PMML's Lag on the inputs instead"}
	}
	have, ok := outputs[model]
	if !ok {
		names := make([]string, 0, len(outputs))
		for n := range outputs {
			names = append(names, n)
		}
		slices.Sort(names)
		return &Problem{Element: field, Message: fmt.Sprintf("there is no model %q", model), Cure: "upload it first; there are: " + strings.Join(names, ", ")}
	}
	if !slices.Contains(have, output) {
		return &Problem{Element: field, Message: fmt.Sprintf("model %q has no output %q", model, output), Cure: "it has: " + strings.Join(have, ", ")}
	}
	return nil
}

// nearest returns up to three names that may have been meant, likeliest first.
func nearest(name string, cat Channels, seen []string) []string {
	type near struct {
		tag string
		d   int
	}
	var all []near
	add := func(tag string) {
		d := distance(strings.ToLower(name), strings.ToLower(tag))
		if d <= max(2, len(name)/2) {
			all = append(all, near{tag, d})
		}
	}
	for _, ch := range cat.All() {
		add(ch.Tag)
	}
	for _, tag := range seen {
		add(tag)
	}
	slices.SortStableFunc(all, func(a, b near) int { return a.d - b.d })
	var out []string
	for _, n := range all[:min(3, len(all))] {
		out = append(out, n.tag)
	}
	return out
}

// distance counts insertions, deletions and replacements (Levenshtein) between
// the first 64 bytes of a and b.
func distance(a, b string) int {
	a, b = a[:min(64, len(a))], b[:min(64, len(b))]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j]+1, before+1)
		}
	}
	return row[len(b)]
}
