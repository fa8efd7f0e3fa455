package scorer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/telemetry"
)

// A Tapped row is what models would read at one tick of one drill. It is valid
// until the function that takes it returns. The last one of a tick counts, as of scores.
type Tapped struct {
	Drill  string
	Tick   int64
	State  string
	Road   int       // rows of one road come in order, but for late frames
	Values []float64 // by name; NaN missing
}

// NewTap returns a partition that runs no model and watches nothing: at every
// tick it gives f the values of names, which are channels, features, numbers of parts in place, or "state".
// They go through the very code that makes models' inputs of a stream, so the
// frames of a stream in their order give the values that its models had. The
// error joins all that is wrong with the names.
func NewTap(cfg PartitionConfig, cat *telemetry.Catalogue, names []string, f func(*Tapped)) (*Partition, error) {
	var all []error
	for _, name := range names {
		if err := CheckTap(name); err != nil {
			all = append(all, err)
		}
	}
	if err := errors.Join(all...); err != nil {
		return nil, err
	}
	p, err := NewPartition(cfg, nil, nil, cat, nothingStored{}, deaf{})
	if err != nil {
		return nil, err
	}
	watch, err := alarms.Compile(&alarms.Rules{Version: 1})
	if err != nil {
		return nil, fmt.Errorf("tap: %w", err)
	}
	m := &telemetry.Marker{ID: "tap", Kind: telemetry.MarkerModel, Name: "tap", Version: 1, Action: "activate"}
	for _, l := range p.lanes {
		l.watch = watch
		if err := l.activate(m, tapModel(names)); err != nil {
			return nil, fmt.Errorf("tap: %w", err)
		}
	}
	t := Tapped{Values: make([]float64, len(names))}
	p.tap = func(l *lane, w *row, num []float64) {
		t.Drill, t.Tick, t.State, t.Road = w.rd.drill, w.tick, telemetry.States[w.state], l.which
		for i := range t.Values {
			t.Values[i] = nan
		}
		if n := len(w.prog.nodes); n == 1 {
			for i, sig := range w.prog.nodes[0].in {
				t.Values[i] = num[sig]
			}
		}
		f(&t)
	}
	return p, nil
}

// CheckTap says why a name is none that NewTap can compute; nil if it is one.
func CheckTap(name string) error {
	if model, _, ok := nameOf(name); ok && model != partModel {
		return fmt.Errorf("%s: is what a model or the scorer said, not an input", name)
	}
	if isFeature(name) {
		_, err := newPlan([]string{name}, nil)
		return err
	}
	if err := validSignal(name); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Reads are the channels that a channel or feature is made of.
func Reads(name string) []string {
	switch {
	case name == stateSignal || strings.Contains(name, "."):
		return nil
	case isFeature(name):
		return featureChannels(name)
	}
	return []string{name}
}

// Warmup is how far before a tick frames must begin for the values of names at
// it to be those of a stream that began long before: what features remember, and
// what the rig's state is learned from. all is set where nothing less than the
// drill's whole past will do.
func Warmup(names []string) (d time.Duration, all bool, err error) {
	var features []string
	for _, n := range names {
		if isFeature(n) {
			features = append(features, n)
		}
	}
	p, err := newPlan(features, nil)
	if err != nil {
		return 0, false, err
	}
	for _, n := range p.Names() {
		all = all || n.Z
	}
	return p.Horizon() + (rigTiles+1)*time.Hour, all, nil
}

// Reach is how far before a tick of a drill frames must begin for its score to be
// what a stream that began long before would say, with the models in force on the
// live road: what features remember, what the rig's state is learned from, and how
// long a word on health stands. all is set where nothing less than the drill's
// whole past will do: own baselines, and models that remember.
func (p *Partition) Reach(drill string) (d time.Duration, all bool) {
	prog := p.lanes[laneLive].program(drill)
	for _, n := range prog.plan.Names() {
		all = all || n.Z
	}
	d = max(prog.plan.Horizon(), rigTiles*time.Hour) + time.Hour
	for i := range prog.nodes {
		n := &prog.nodes[i]
		all = all || n.memory != nil
		d = max(d, time.Duration(n.hold))
	}
	return d, all
}

// nothingStored: what is given again is given once.
type nothingStored struct{}

func (nothingStored) FrameStored(context.Context, string, telemetry.FrameID, int64) (bool, error) {
	return false, nil
}

type deaf struct{}

func (deaf) Score(*telemetry.Score)      {}
func (deaf) Alarm(*telemetry.AlarmEvent) {}

// tapModel has names as inputs and says nothing.
type tapModel []string

func (m tapModel) Inputs() []Field {
	in := make([]Field, len(m))
	for i, n := range m {
		in[i] = Field{Name: n, Text: n == stateSignal}
	}
	return in
}
func (tapModel) Outputs() []string                      { return nil }
func (tapModel) Every() time.Duration                   { return 0 }
func (tapModel) Hold() time.Duration                    { return 0 }
func (tapModel) Evaluator() Evaluator                   { return tapModel{} }
func (tapModel) Reset(int)                              {}
func (tapModel) Number(int, int, float64)               {}
func (tapModel) Text(int, int, string)                  {}
func (tapModel) Run()                                   {}
func (tapModel) Err(int) error                          { return nil }
func (tapModel) Output(int, int) (float64, string)      { return nan, "" }
func (tapModel) Explain(row int, _ *telemetry.Evidence) {}
