package scorer

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mudpulse/mudpulse/telemetry"
)

// Where a signal's value comes from.
type source byte

const (
	fromChannel source = iota // the tick's last good value
	fromFeature               // computed from the stream by its name
	fromOutput                // of a model before
	fromState                 // the rig's state
	fromPart                  // a number of a part in place
	fromHealth                // of a subsystem, once all models were asked
	fromNowhere               // its producer is not active: missing
)

// stateSignal is the name under which models read the rig's state.
const stateSignal = "state"

// nameOf splits "model.output" at its last dot.
func nameOf(signal string) (model, output string, ok bool) {
	i := strings.LastIndexByte(signal, '.')
	if i <= 0 || i == len(signal)-1 {
		return "", "", false
	}
	return signal[:i], signal[i+1:], true
}

// order sorts activations so that each comes after those whose outputs it reads.
// It returns every reason why it cannot: producers that are missing or lack the
// output, and circles (errCircle). The order depends on names only.
func order(acts []*activation) ([]*activation, error) {
	acts = slices.Clone(acts)
	slices.SortFunc(acts, func(a, b *activation) int {
		if a.shadow != b.shadow {
			if b.shadow {
				return -1
			}
			return 1
		}
		if a.canary != b.canary { // whoever looks for a name finds what is for all
			if b.canary {
				return -1
			}
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	var all []error
	needs := make([][]int, len(acts))
	for i, a := range acts {
		for _, f := range a.in {
			if err := validSignal(f.Name); err != nil {
				all = append(all, fmt.Errorf("model %s: input %q: %w", a.ref, f.Name, err))
				continue
			}
			model, output, ok := nameOf(f.Name)
			if !ok || model == partModel || model == healthModel {
				continue
			}
			j := producer(acts, model, a.shadow)
			switch {
			case j < 0:
				all = append(all, fmt.Errorf("model %s: input %q: model %q is not active: activate it first", a.ref, f.Name, model))
			case !slices.Contains(acts[j].out, output):
				all = append(all, fmt.Errorf("model %s: input %q: model %s has no output %q, it has %s", a.ref, f.Name, acts[j].ref, output, strings.Join(acts[j].out, ", ")))
			default:
				needs[i] = append(needs[i], j)
			}
		}
	}
	done := make([]byte, len(acts)) // 1: on the path, 2: placed
	var sorted []*activation
	var pathTo []string
	var visit func(i int) error
	visit = func(i int) error {
		if done[i] == 2 {
			return nil
		}
		pathTo = append(pathTo, acts[i].ref)
		defer func() { pathTo = pathTo[:len(pathTo)-1] }()
		if done[i] == 1 {
			from := slices.Index(pathTo, acts[i].ref)
			return fmt.Errorf("%w: %s", errCircle, strings.Join(pathTo[from:], " → "))
		}
		done[i] = 1
		for _, j := range needs[i] {
			if err := visit(j); err != nil {
				return err
			}
		}
		done[i] = 2
		sorted = append(sorted, acts[i])
		return nil
	}
	for i := range acts {
		if err := visit(i); err != nil {
			all = append(all, err)
			break
		}
	}
	if err := errors.Join(all...); err != nil {
		return nil, err
	}
	return sorted, nil
}

var errCircle = errors.New("models read each other in a circle")

// producer returns which activation makes model's outputs: a shadow model reads
// other shadow models first; one that counts never reads a shadow.
func producer(acts []*activation, model string, shadow bool) int {
	if shadow {
		if i := slices.IndexFunc(acts, func(a *activation) bool { return a.name == model && a.shadow }); i >= 0 {
			return i
		}
	}
	if i := slices.IndexFunc(acts, func(a *activation) bool { return a.name == model && !a.shadow && !a.canary }); i >= 0 {
		return i
	}
	return slices.IndexFunc(acts, func(a *activation) bool { return a.name == model && !a.shadow })
}

// validSignal checks that a name can be a channel, a feature, an output or the state.
func validSignal(name string) error {
	if name == stateSignal {
		return nil
	}
	if _, _, ok := nameOf(name); ok {
		return nil
	}
	if isFeature(name) {
		return nil
	}
	return telemetry.ValidTag(name)
}
