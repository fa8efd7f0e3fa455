package scorer

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// healthModel is the model whose outputs are what all models together said of
// each subsystem: subsystem.pumps is a health, subsystem.confidence_pumps how far
// it is to be trusted. A model that reads them composes the drill's health: its
// output "health" stands in place of the worst subsystem's (health.pmml here is
// the rule that it replaces). No model of that name is let in.
const healthModel = "subsystem"

// Outputs of a model that composes.
const (
	outOwnHealth     = "health"     // 0…100; missing: the rule's own stands
	outOwnConfidence = "confidence" // 0…1; missing: as the rule has it
)

const confidenceOf = "confidence_"

// composes reports whether a model composes the drill's health of its subsystems'.
func (a *activation) composes() bool {
	return slices.ContainsFunc(a.in, func(f Field) bool { return strings.HasPrefix(f.Name, healthModel+".") })
}

// composition returns what keeps a model from composing, among those in force.
func (a *activation) composition(acts []*activation) (all []error) {
	if !a.composes() {
		return nil
	}
	bad := func(format string, args ...any) {
		all = append(all, fmt.Errorf("model %s: "+format, append([]any{a.ref}, args...)...))
	}
	for _, f := range a.in {
		name, ok := strings.CutPrefix(f.Name, healthModel+".")
		switch {
		case !ok:
			bad("input %q: one that composes the drill's health reads nothing but %s.…", f.Name, healthModel)
		case f.Text || subsystem(strings.TrimPrefix(name, confidenceOf)) < 0:
			bad("input %q: want a number, %s.NAME or %s.%sNAME, where NAME is one of %s", f.Name, healthModel, healthModel, confidenceOf, strings.Join(telemetry.Subsystems[:], ", "))
		}
	}
	if !slices.Contains(a.out, outOwnHealth) {
		bad("reads %s.… and has no output %q", healthModel, outOwnHealth)
	}
	if a.every > 0 || a.memory != nil {
		bad("one that composes the drill's health is asked at every tick and remembers nothing")
	}
	if i := slices.IndexFunc(acts, func(o *activation) bool { return o.composes() && o.name != a.name && !o.shadow && !a.shadow }); i >= 0 {
		bad("model %s composes the drill's health already: deactivate it first", acts[i].ref)
	}
	return all
}

// composeOwn asks a model for the drill's health, of what the score says of its
// subsystems; at is the row's place in the batch.
func (l *lane) composeOwn(w *row, i, at int) {
	n, s := &w.prog.nodes[i], &l.score
	if n.broken == "" {
		known := false
		for k, sig := range n.in {
			name, v := n.activation.in[k].Name[len(healthModel)+1:], nan
			of := strings.TrimPrefix(name, confidenceOf)
			for j := range s.Subsystems {
				if x := &s.Subsystems[j]; x.Name == of {
					if v = x.Health; of != name {
						v = x.Confidence
					}
				}
			}
			l.num[w.num+sig] = v
			known = known || v == v
		}
		if !known {
			return
		}
		l.one[0] = at
		start := time.Now()
		l.evaluate(n, i, l.one[:])
		n.spend(time.Since(start), 1, &l.part.cfg)
	}
	r := telemetry.Result{Model: n.ref, Shadow: n.shadow, Error: l.errs[w.due+i]}
	if n.broken != "" {
		r.Error = n.broken
	}
	if r.Error != "" {
		l.part.count.errors++
		s.Results = append(s.Results, r)
		return
	}
	from := len(l.outs)
	for k, sig := range n.out {
		v := l.num[w.num+sig]
		l.outs = append(l.outs, telemetry.Output{Name: n.activation.out[k], Number: v, Text: l.txt[w.num+sig]})
		switch {
		case n.shadow || v != v:
		case n.activation.out[k] == outOwnHealth:
			s.Health = min(100, max(0, v))
		case n.activation.out[k] == outOwnConfidence:
			s.Confidence = min(1, max(0, v))
		}
	}
	r.Outputs = l.outs[from:len(l.outs):len(l.outs)]
	s.Results = append(s.Results, r)
}
