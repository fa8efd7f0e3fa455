// Package alarms detects alarms: rules are data, their conditions are watched in
// event time with hysteresis, delays and gating by the rig's state, and what was
// known is frozen when one is raised. It keeps no clock and does no I/O: the same
// ticks in give the same events out.
package alarms

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// defaultRules has a list of rules for each subsystem.
//
//go:embed default/*.json
var defaultRules embed.FS

// Kinds of Rule.
const (
	Limit = "limit" // on a channel or a feature
	Rate  = "rate"  // on how fast a channel changes: a feature slope, rate or delta
	Model = "model" // on what a model says
)

var kinds = []string{Model, Rate, Limit}

// Bounds of a rule file.
const (
	MaxRuleBytes = 4 << 20
	MaxRules     = 1000
)

// A Duration is written "90s" or "5m" in rule files.
type Duration time.Duration

// UnmarshalJSON takes a Go duration in quotes.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("duration %s: write it in quotes, as \"90s\" or \"5m\"", b)
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("duration %q: write it as \"90s\" or \"5m\"", s)
	}
	*d = Duration(v)
	return nil
}

// MarshalJSON writes the duration as UnmarshalJSON reads it.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// Rules is one version of all rules; what a marker of kind rules names by SHA-256.
type Rules struct {
	Version int    `json:"version"`
	Rules   []Rule `json:"rules"`
}

// A Rule raises one alarm for a drill while its condition holds.
type Rule struct {
	ID        string   `json:"id"`   // [a-z0-9-]+, for ever
	Kind      string   `json:"kind"` // Limit, Rate or Model
	Off       bool     `json:"off,omitempty"`
	Title     string   `json:"title"`
	Subsystem string   `json:"subsystem"`
	Priority  int      `json:"priority"`         // telemetry.P1…P3
	Drills    []string `json:"drills,omitempty"` // globs; empty: all

	Condition
	Hysteresis float64     `json:"hysteresis,omitempty"` // in the signal's unit, on the quiet side of Limit
	And        []Condition `json:"and,omitempty"`        // must hold too for it to be raised
	Unit       string      `json:"unit,omitempty"`
	Format     string      `json:"format,omitempty"` // decimals of {value} and {limit}, as "0.0"

	OnDelay  Duration `json:"on_delay,omitempty"`  // event time above Limit before it is raised
	OffDelay Duration `json:"off_delay,omitempty"` // event time back before it is cleared
	N        int      `json:"n,omitempty"`         // with M: N of the last M evaluations
	M        int      `json:"m,omitempty"`         // at most 64

	States []string `json:"states,omitempty"` // watched only in these; empty: in all
	Settle Duration `json:"settle,omitempty"` // masked so long after the state changed
	Drop   bool     `json:"drop,omitempty"`   // cleared when its state is left; else it stays as it was
	Hold   bool     `json:"hold,omitempty"`   // held back while its state is left: suppressed by design

	Fault string   `json:"fault,omitempty"` // alarms of one fault at a drill are one incident; empty: of none but itself
	Again Duration `json:"again,omitempty"` // holding again so soon after it was cleared, it is the same alarm

	Escalate []Step   `json:"escalate,omitempty"`
	Under    []string `json:"under,omitempty"` // not raised while one of these is active: their fault drags it along

	Reason string `json:"reason"` // template; see Template
	Advice string `json:"advice"`
	Normal string `json:"normal,omitempty"` // signal that says what Signal should be

	Inputs []string `json:"inputs,omitempty"` // signals frozen as evidence beside those of the model and the texts
}

// For reports whether the rule watches that drill.
func (u *Rule) For(drill string) bool {
	return len(u.Drills) == 0 || slices.ContainsFunc(u.Drills, func(g string) bool { ok, _ := path.Match(g, drill); return ok })
}

// A Condition compares one signal with a number.
type Condition struct {
	Signal string  `json:"signal"` // channel, feature or model.output
	Op     string  `json:"op"`     // > >= < <=
	Limit  float64 `json:"limit"`
}

// A Step raises an alarm's priority when its value passes Limit.
type Step struct {
	Limit    float64 `json:"limit"`
	Priority int     `json:"priority"`
}

// Default returns the rules that come with mudpulse: those on models before the
// plain limits that are not raised under them.
func Default() *Rules {
	all := &Rules{Version: 1}
	files, err := fs.Glob(defaultRules, "default/*.json")
	for _, name := range files {
		var b []byte
		if b, err = defaultRules.ReadFile(name); err != nil {
			break
		}
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		var some []Rule
		if err = d.Decode(&some); err != nil {
			err = fmt.Errorf("%s: %w", name, err)
			break
		}
		all.Rules = append(all.Rules, some...)
	}
	if err = errors.Join(err, all.Validate()); err != nil {
		panic("BUG: default rules: " + err.Error())
	}
	slices.SortStableFunc(all.Rules, func(a, b Rule) int {
		return cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind))
	})
	return all
}

// Parse reads rules in JSON. Unknown keys are refused; the error joins all that is wrong.
func Parse(b []byte) (*Rules, error) {
	if len(b) > MaxRuleBytes {
		return nil, fmt.Errorf("rules: %d bytes, at most %d are taken", len(b), MaxRuleBytes)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var r Rules
	if err := d.Decode(&r); err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return &r, nil
}

// Without returns the rules that are not of kind, plain limits or models switched
// off; those that are left out drag no others along.
func (r *Rules) Without(kind string) *Rules {
	out := &Rules{Version: r.Version}
	left := map[string]bool{}
	for _, rule := range r.Rules {
		if rule.Kind != kind {
			left[rule.ID] = true
			out.Rules = append(out.Rules, rule)
		}
	}
	for i := range out.Rules {
		u := &out.Rules[i]
		u.Under = slices.DeleteFunc(slices.Clone(u.Under), func(id string) bool { return !left[id] })
	}
	return out
}

var (
	ruleID = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	rate   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*?__(slope|rate|delta)__[0-9]+[smhd](__|$)`)
	format = regexp.MustCompile(`^0(\.0{1,6})?%?$`)
)

// Validate returns everything wrong with the rules, each with the rule's id and key.
func (r *Rules) Validate() error {
	var all []error
	bad := func(rule, key, form string, args ...any) {
		all = append(all, fmt.Errorf("rule %s: %s: %s", rule, key, fmt.Sprintf(form, args...)))
	}
	if r.Version < 1 {
		all = append(all, fmt.Errorf("rules: version: must be at least 1, not %d", r.Version))
	}
	if len(r.Rules) > MaxRules {
		return fmt.Errorf("rules: %d of them, at most %d are taken", len(r.Rules), MaxRules)
	}
	ids := map[string]bool{}
	for i := range r.Rules {
		u := &r.Rules[i]
		name := u.ID
		if name == "" {
			name = fmt.Sprintf("#%d", i+1)
		}
		if !ruleID.MatchString(u.ID) || len(u.ID) > 48 {
			bad(name, "id", "must be 1 to 48 of a-z, 0-9 and single dashes, not %q", u.ID)
		}
		if ids[u.ID] {
			bad(name, "id", "is used twice")
		}
		ids[u.ID] = true
		if !slices.Contains(kinds, u.Kind) {
			bad(name, "kind", "must be limit, rate or model, not %q", u.Kind)
		}
		if u.Kind == Rate && !rate.MatchString(u.Signal) {
			bad(name, "signal", "%q says of no channel how fast it changes; write TAG__slope__10m, TAG__rate__10m or TAG__delta__10m", u.Signal)
		}
		if u.Kind == Model && !strings.Contains(u.Signal, ".") {
			bad(name, "signal", "%q is no model.output", u.Signal)
		}
		if !slices.Contains(telemetry.Subsystems[:], u.Subsystem) {
			bad(name, "subsystem", "%q is none of %s", u.Subsystem, strings.Join(telemetry.Subsystems[:], ", "))
		}
		if u.Title == "" || len(u.Title) > 120 {
			bad(name, "title", "must have 1 to 120 characters")
		}
		if u.Priority < telemetry.P1 || u.Priority > telemetry.P3 {
			bad(name, "priority", "must be 1, 2 or 3, not %d", u.Priority)
		}
		for _, c := range append([]Condition{u.Condition}, u.And...) {
			if c.Signal == "" || len(c.Signal) > 256 {
				bad(name, "signal", "must have 1 to 256 characters")
			}
			if _, ok := ops[c.Op]; !ok {
				bad(name, "op", "%q is none of > >= < <=", c.Op)
			}
			if math.IsNaN(c.Limit) || math.IsInf(c.Limit, 0) {
				bad(name, "limit", "must be a number")
			}
		}
		if u.Hysteresis < 0 || math.IsNaN(u.Hysteresis) || math.IsInf(u.Hysteresis, 0) {
			bad(name, "hysteresis", "must not be below 0")
		}
		if u.OnDelay < 0 || u.OffDelay < 0 || u.Settle < 0 || u.Again < 0 {
			bad(name, "on_delay, off_delay, settle, again", "must not be below 0")
		}
		if u.Hold && (u.Drop || len(u.States) == 0 && u.Settle == 0) {
			bad(name, "hold", "needs states or settle, and not drop: a rule that is dropped is not held")
		}
		if u.Fault != "" && !ruleID.MatchString(u.Fault) {
			bad(name, "fault", "must be of a-z, 0-9 and single dashes, not %q", u.Fault)
		}
		if u.M < 0 || u.M > 64 || u.N < 0 || u.N > u.M {
			bad(name, "n, m", "must be n of at most 64, not %d of %d", u.N, u.M)
		}
		for _, s := range u.States {
			if !slices.Contains(telemetry.States[:], s) {
				bad(name, "states", "%q is none of %s", s, strings.Join(telemetry.States[:], ", "))
			}
		}
		for _, g := range u.Drills {
			if _, err := path.Match(g, ""); err != nil {
				bad(name, "drills", "%q is no pattern: %v", g, err)
			}
		}
		for _, s := range u.Escalate {
			if s.Priority < telemetry.P1 || s.Priority >= u.Priority {
				bad(name, "escalate", "priority %d is not above the rule's %d", s.Priority, u.Priority)
			}
		}
		if u.Format != "" && !format.MatchString(u.Format) {
			bad(name, "format", "%q: write 0, 0.0, 0.00, …", u.Format)
		}
		if _, err := parseTemplate(u.Reason); err != nil {
			bad(name, "reason", "%v", err)
		}
		if _, err := parseTemplate(u.Advice); err != nil {
			bad(name, "advice", "%v", err)
		}
		if u.Reason == "" || u.Advice == "" {
			bad(name, "reason, advice", "must say why and what to do")
		}
	}
	for i := range r.Rules {
		for _, id := range r.Rules[i].Under {
			if !ids[id] || id == r.Rules[i].ID {
				bad(r.Rules[i].ID, "under", "there is no other rule %q", id)
			}
		}
	}
	return errors.Join(all...)
}

type op byte

const (
	above op = iota
	atLeast
	below
	atMost
)

var ops = map[string]op{">": above, ">=": atLeast, "<": below, "<=": atMost}

// holds reports whether v is on the alarm's side of limit, given back by slack.
// A missing v (NaN) holds nothing.
func (o op) holds(v, limit, slack float64) bool {
	switch o {
	case above:
		return v > limit-slack
	case atLeast:
		return v >= limit-slack
	case below:
		return v < limit+slack
	}
	return v <= limit+slack
}
