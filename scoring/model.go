// Package scoring scores PMML models: it loads a document, refuses what it
// cannot score exactly, and computes rows and batches of rows. It imports
// nothing of the platform around it.
package scoring

import (
	"math"
	"slices"
)

// A Model is a loaded document, immutable and safe for concurrent use.
type Model struct {
	prog    *program
	plan    *plan // nil: rows go through the interpreter
	top     *model
	info    Info
	inputs  []Field
	outputs []Field
	targets []Field
	outs    []*output             // by outputs
	stats   map[string]driftField // by field, of ModelStats
	raw     []int                 // by inputs: index among prog.inputs, -1 unread
}

// A Field is an input, a target or an output.
type Field struct {
	Name        string
	DisplayName string
	DataType    string   // string, integer, float, double, boolean, …
	OpType      string   // categorical, ordinal, continuous
	Values      []string // valid values, where they are listed
	Low, High   float64  // valid range, where one interval is given; infinite: open
	Importance  float64  // of an input, as the producer says; 0 unknown
	Feature     string   // of an output: predictedValue, probability, …
	Class       string   // of an output: whose probability
	Default     string   // of an input: what stands for a missing value; "" none
}

// Text reports whether the field's values are text.
func (f Field) Text() bool { return f.DataType == "string" }

// Info says what a document is.
type Info struct {
	Name        string // modelName
	Kind        string // TreeModel, …
	Function    string // regression, classification
	Algorithm   string
	Version     string // of PMML
	Producer    string
	Description string
	SHA256      string // of the bytes, hex
	Models      int    // in the document, side by side: one is scored, the first or the one that was named
	Segments    int
	Nodes       int
	Packed      int     // trees that run as tables of decisions
	Columns     bool    // batches run column by column, not row by row
	Verified    int     // rows of its ModelVerification that passed
	MaxError    float64 // the largest relative difference among them
}

// Inputs are the active fields, in the order of the MiningSchema: Batch counts them so.
func (m *Model) Inputs() []Field { return m.inputs }

// Targets are the fields that are predicted.
func (m *Model) Targets() []Field { return m.targets }

// Outputs are the output fields that are final results, in document order.
func (m *Model) Outputs() []Field { return m.outputs }

// Info says what the document is.
func (m *Model) Info() Info { return m.info }

var opText = [...]string{"", "categorical", "ordinal", "continuous"}

func newModel(b *binder, top *model, root *element, sum string) *Model {
	m := &Model{prog: b.prog, top: top}
	app := root.first("Header").first("Application")
	m.info = Info{
		Name: top.name, Kind: top.kind, Function: top.function, Algorithm: top.element.get("algorithmName"), Version: root.get("version"), SHA256: sum,
		Description: root.first("Header").attribute("description"),
	}
	if app != nil {
		m.info.Producer = app.get("name")
		if v := app.get("version"); v != "" {
			m.info.Producer += " " + v
		}
	}
	for _, k := range root.kids {
		if _, model := modelKinds[k.name]; model {
			m.info.Models++
		}
	}
	count(top, &m.info)
	for _, name := range top.scope.active {
		f := b.data[name]
		if f == nil {
			continue // a derived field of the dictionary named as an input: computed, not asked for
		}
		k := top.scope.all[name]
		fd := field(f)
		fd.Importance, _ = parseNumber(k.get("importance"))
		fd.Default = k.get("missingValueReplacement")
		m.inputs = append(m.inputs, fd)
		i := -1
		if f.raw >= 0 {
			i = f.index
		}
		m.raw = append(m.raw, i)
	}
	if t := top.target.field; t != "" {
		if f := b.data[t]; f != nil {
			m.targets = append(m.targets, field(f))
		} else {
			m.targets = append(m.targets, Field{Name: t, DataType: "double", OpType: "continuous", Low: -inf, High: inf})
		}
	} else {
		dt := "double"
		if top.function == "classification" || top.function == "clustering" {
			dt = "string"
		}
		m.targets = append(m.targets, Field{Name: "_target", DataType: dt, Low: -inf, High: inf})
	}
	for _, t := range top.others {
		if f := b.data[t.field]; f != nil {
			m.targets = append(m.targets, field(f))
		} else {
			m.targets = append(m.targets, Field{Name: t.field, DataType: "double", OpType: "continuous", Low: -inf, High: inf})
		}
	}
	for _, o := range finals(top) {
		m.outs = append(m.outs, o)
		m.outputs = append(m.outputs, Field{Name: o.name, DataType: o.typ.String(), OpType: opText[o.op], Feature: o.feature, Class: o.value, Low: -inf, High: inf})
	}
	m.stats = statistics(top.element)
	if m.plan = newPlan(m); m.plan != nil {
		m.info.Columns, m.info.Packed = true, max(m.info.Packed, m.plan.trees)
	}
	return m
}

// finals are the outputs that are results: nested segments' before their
// parent's. A segment's are missing where another one's result is the model's.
func finals(m *model) []*output {
	var out []*output
	if g, ok := m.eval.(*mining); ok && (g.method == "modelChain" || g.method == "x-multiModelChain" || g.method == "selectFirst") {
		for i, s := range g.segments {
			for _, o := range finals(s.model) {
				if g.method != "x-multiModelChain" {
					o.gates = append(o.gates, gate{m, i})
				}
				out = append(out, o)
			}
		}
	}
	for _, o := range m.outputs {
		if !o.final {
			continue
		}
		out = slices.DeleteFunc(out, func(x *output) bool { return x.name == o.name })
		out = append(out, o)
	}
	return out
}

func count(m *model, info *Info) {
	switch e := m.eval.(type) {
	case *tree:
		info.Nodes += len(e.nodes)
		if e.packed != nil {
			info.Packed++
		}
	case *anomaly:
		if e.inner != nil {
			count(e.inner, info)
		}
	case *mining:
		info.Segments += len(e.segments)
		for _, s := range e.segments {
			count(s.model, info)
		}
	}
}

func field(f *dataField) Field {
	out := Field{Name: f.name, DisplayName: f.display, DataType: f.typ.String(), OpType: opText[f.op], Low: math.Inf(-1), High: math.Inf(1)}
	for _, v := range f.valid {
		out.Values = append(out.Values, v.lexical())
	}
	if len(f.spans) == 1 {
		out.Low, out.High = f.spans[0].low, f.spans[0].high
	}
	return out
}

func (e *element) attribute(name string) string {
	if e == nil {
		return ""
	}
	return e.get(name)
}
