package scorer

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/telemetry"
)

// activate puts a model in force from the next frame on, in place of the version
// before. Where it cannot be, nothing changes and the error says all reasons.
// One whose producers are not active yet waits for them.
func (l *lane) activate(m *telemetry.Marker, model Model) error {
	a := &activation{name: m.Name, ref: reference(m.Name, m.Version), version: m.Version, sha256: m.SHA256, shadow: m.Shadow, canary: m.Canary, drills: slices.Clone(m.Drills)}
	a.use(model)
	if m.Name == "" || m.Name == stateSignal || m.Name == partModel || m.Name == healthModel {
		return fmt.Errorf("model %q: name is taken or empty", m.Name)
	}
	var all []error
	for _, f := range a.in {
		if err := validSignal(f.Name); err != nil {
			all = append(all, fmt.Errorf("model %s: input %q: %w", a.ref, f.Name, err))
		}
	}
	if _, err := newPlan(featureNames(a.in), nil); err != nil {
		all = append(all, fmt.Errorf("model %s: %w", a.ref, err))
	}
	all = append(all, a.composition(l.acts)...)
	if err := errors.Join(all...); err != nil {
		return err
	}
	if a.canary && (a.shadow || len(a.drills) == 0) {
		return fmt.Errorf("model %s: a canary is for some drills, and counts there", a.ref)
	}
	if base := producer(l.acts, a.name, false); a.canary && base < 0 {
		return fmt.Errorf("model %s: is to take the place of another version for some drills, and none is on", a.ref)
	} else if a.canary { // with it alone in its place, all must be as well
		if _, err := order(replace(slices.DeleteFunc(slices.Clone(l.acts), func(o *activation) bool { return o.name == a.name && !o.shadow || o.canary }), a)); err != nil {
			return err
		}
	}
	same := func(o *activation) bool { return o.name == a.name && o.shadow == a.shadow && o.canary == a.canary }
	acts, waiting := settle(l.acts, append(slices.DeleteFunc(slices.Clone(l.waiting), same), a))
	if slices.Contains(waiting, a) {
		if producers(a, l.acts) {
			_, err := order(replace(l.acts, a))
			return err
		}
		if _, err := order(append(slices.Clone(acts), waiting...)); errors.Is(err, errCircle) {
			return err
		}
	}
	sorted, err := order(slices.DeleteFunc(slices.Clone(acts), func(o *activation) bool { return o.canary }))
	if err == nil {
		_, err = compile(sorted, l.watch) // all of them together: what some of them need is less
	}
	if err != nil {
		return err
	}
	l.acts, l.waiting = acts, waiting
	l.changed()
	return nil
}

// use gives an activation its model.
func (a *activation) use(m Model) {
	a.model, a.in, a.out = m, m.Inputs(), m.Outputs()
	a.renew(nil)
	a.every, a.hold = int64(m.Every()), int64(m.Hold())
	if a.hold == 0 {
		a.hold = int64(defaultHold)
	}
}

// renew gives it an evaluator of its own, with the memory given.
func (a *activation) renew(memory []byte) {
	a.eval, a.memory = a.model.Evaluator(), nil
	m, ok := a.eval.(interface{ Remembers() (Rememberer, bool) })
	if !ok {
		return
	}
	if a.memory, ok = m.Remembers(); !ok {
		a.memory = nil
		return
	}
	if memory != nil {
		if err := a.memory.Recall(memory); err != nil {
			panic("BUG: a model's own memory: " + err.Error())
		}
	}
}

// remembered is the memory in bytes; nil where there is none.
func (a *activation) remembered() []byte {
	if a.memory == nil {
		return nil
	}
	return a.memory.Memory(nil)
}

func featureNames(in []Field) []string {
	var names []string
	for _, f := range in {
		if isFeature(f.Name) {
			names = append(names, f.Name)
		}
	}
	return names
}

// replace returns acts with a in the place of what has its name and shadow mark.
func replace(acts []*activation, a *activation) []*activation {
	acts = slices.DeleteFunc(slices.Clone(acts), func(o *activation) bool {
		return o.name == a.name && o.canary == a.canary && (o.shadow == a.shadow || o.shadow && o.version == a.version)
	})
	return append(acts, a)
}

// producers reports whether the models that a reads are among acts.
func producers(a *activation, acts []*activation) bool {
	for _, f := range a.in {
		if model, _, ok := nameOf(f.Name); ok && model != a.name && model != partModel && model != healthModel && producer(acts, model, a.shadow) < 0 {
			return false
		}
	}
	return true
}

// settle sorts out who is in force and who waits: those that lost a producer
// wait, and those waiting come in when theirs are there.
func settle(acts, waiting []*activation) (run, wait []*activation) {
	run, wait = slices.Clone(acts), slices.Clone(waiting)
	for changed := true; changed; {
		changed = false
		for i, a := range run {
			if !producers(a, run) {
				run = slices.Delete(run, i, i+1)
				wait = append(wait, a)
				changed = true
				break
			}
		}
		for i, a := range wait {
			with := replace(run, a)
			if _, err := order(with); err == nil {
				run, changed = with, true
				wait = slices.Delete(wait, i, i+1)
				break
			}
		}
	}
	return run, wait
}

// deactivate takes a model out of force; those that read it wait for another.
func (l *lane) deactivate(m *telemetry.Marker) {
	gone := func(o *activation) bool {
		return o.name == m.Name && o.shadow == m.Shadow && (o.canary == m.Canary || o.canary && !m.Shadow) // no canary without what it stands for
	}
	l.acts, l.waiting = settle(slices.DeleteFunc(slices.Clone(l.acts), gone), slices.DeleteFunc(slices.Clone(l.waiting), gone))
	l.changed()
}

// changed lets every drill follow at once.
func (l *lane) changed() {
	clear(l.progs)
	for _, d := range l.part.order {
		if r := l.roads[d.name]; r != nil {
			l.follow(r)
		}
	}
}

func (l *lane) follow(r *road) {
	for i := range r.slots {
		r.describe(i, l.channel(r.slots[i].name))
	}
	p := l.program(r.drill)
	t := alarms.Tick{At: r.head, State: r.rig.name(), Since: r.rig.since, Health: nan, TimeLeft: nan, Simulated: r.simulated}
	if l.which != laneLive {
		t.Origin = telemetry.Backfill
	}
	r.follow(p, l.part.out.Alarm, &t)
}
