package scorer

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// ErrFetch is wrapped where something could not be asked for just now, as a
// model's bytes: it is tried again, where a model that is wrong is refused for good.
var ErrFetch = errors.New("fetch")

// A Loader returns a compiled model by the SHA-256 of its bytes, in hex.
type Loader interface {
	Load(ctx context.Context, sha256 string) (Model, error)
}

// A Model is compiled and immutable; lanes of several partitions share it.
type Model interface {
	// Inputs are the active fields, in the order Evaluator.Number counts them.
	Inputs() []Field
	// Outputs are the target and output fields, in the order Evaluator.Output counts them.
	Outputs() []string
	// Every is how often it is to be scored in event time; 0: at every tick.
	Every() time.Duration
	// Hold is how long what it said of a subsystem's health stands when it cannot
	// be asked, as while the rig trips; 0: defaultHold.
	Hold() time.Duration
	// Evaluator returns a new one with buffers of its own.
	Evaluator() Evaluator
}

// A Field is an input.
type Field struct {
	Name string
	Text bool // its values are text
}

// An Evaluator scores rows. One goroutine.
type Evaluator interface {
	// Reset makes room for so many rows, all inputs missing.
	Reset(rows int)
	// Number sets a number; NaN is missing.
	Number(input, row int, v float64)
	// Text sets a text.
	Text(input, row int, s string)
	// Run scores all rows. Rows fail alone: see Err.
	Run()
	// Err says why a row failed; nil if it did not.
	Err(row int) error
	// Output returns output i of a row: text where text is set, else a number, NaN where missing.
	Output(i, row int) (v float64, text string)
	// Explain adds to e what each input contributed to the row's first output,
	// where the model's kind can say. Inputs are added by the caller.
	Explain(row int, e *telemetry.Evidence)
}

// A Rememberer is an Evaluator whose model remembers rows, as a CUSUM does, each
// drill's apart. Its rows are run one by one, in order, and never twice.
type Rememberer interface {
	// Key says whose a row is.
	Key(row int, drill string)
	// Memory appends all that is remembered to b; the same rows give the same bytes.
	Memory(b []byte) []byte
	// Recall takes over what Memory gave.
	Recall(b []byte) error
	// Forget forgets a drill.
	Forget(drill string)
}

// activation is one model in force in one lane.
type activation struct {
	name    string
	ref     string // name@version
	version int
	sha256  string
	shadow  bool
	canary  bool // in the place of the one of its name that is for all
	drills  []string
	every   int64 // ns; 0 at every tick
	hold    int64 // ns

	model  Model
	eval   Evaluator
	memory Rememberer // of eval; nil: a row depends on nothing before it
	in     []Field
	out    []string
	broken string // why it is not run any more: it was too slow
	spent  time.Duration
	faults Trouble
	rows   int64
}

func (a *activation) matches(drill string) bool { return matches(a.drills, drill) }

func matches(globs []string, drill string) bool {
	if len(globs) == 0 {
		return true
	}
	for _, g := range globs {
		if ok, _ := path.Match(g, drill); ok {
			return true
		}
	}
	return false
}

func reference(name string, version int) string { return fmt.Sprintf("%s@%d", name, version) }
