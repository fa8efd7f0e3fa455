package models

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// States of a Standing; "": nobody has asked.
const (
	Waiting = "waiting" // for its turn, or in work
	Done    = "done"
	Failed  = "failed" // could not be tested: Why says it
)

// Verdicts on a version, beside what it is to replace.
const (
	Better   = "better"
	Same     = "same"
	Worse    = "worse"
	Untested = "untested" // nothing is stored to test it on
)

// A Standing is how a version stood the past.
type Standing struct {
	Name    string
	Version int
	State   string
	Verdict string
	Why     []string        // what speaks against it, or why it could not be tested
	Report  json.RawMessage // nil until it is done
	At      int64           // wall clock, Unix ns
	Then    string          // who wants it on as soon as it has passed
}

// leastReason is how long a reason for putting a version on against its report must be.
const leastReason = 10

// Gated lets versions on only after their reports; New leaves that off.
func (r *Registry) Gated() { r.gated = true }

// Save keeps a standing.
func (r *Registry) Save(ctx context.Context, s Standing) error {
	if s.Why == nil {
		s.Why = []string{}
	}
	_, err := r.db.ExecContext(ctx, `INSERT INTO model_reports (name, version, state, verdict, why, report, at, then_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (name, version) DO UPDATE SET state = excluded.state, verdict = excluded.verdict, why = excluded.why, report = excluded.report, at = excluded.at, then_by = excluded.then_by`,
		s.Name, s.Version, s.State, s.Verdict, asJSON(s.Why), string(s.Report), time.Now().UnixNano(), s.Then)
	if err != nil {
		return fmt.Errorf("keep the report on %s@%d: %w", s.Name, s.Version, err)
	}
	return nil
}

// Standing returns how a version stood; its State is "" where nobody asked.
func (r *Registry) Standing(ctx context.Context, name string, version int) (Standing, error) {
	all, err := r.Standings(ctx, "name = ? AND version = ?", name, version)
	if err != nil || len(all) == 0 {
		return Standing{Name: name, Version: version}, err
	}
	return all[0], nil
}

// Standings returns those for which where holds, SQL, oldest first.
func (r *Registry) Standings(ctx context.Context, where string, args ...any) ([]Standing, error) {
	rows, err := r.db.QueryContext(ctx, "SELECT name, version, state, verdict, why, report, at, then_by FROM model_reports WHERE "+where+" ORDER BY at", args...)
	if err != nil {
		return nil, fmt.Errorf("reports: %w", err)
	}
	defer rows.Close()
	var out []Standing
	for rows.Next() {
		var s Standing
		var why, report string
		if err := rows.Scan(&s.Name, &s.Version, &s.State, &s.Verdict, &why, &report, &s.At, &s.Then); err != nil {
			return nil, fmt.Errorf("reports: %w", err)
		}
		if err := json.Unmarshal([]byte(why), &s.Why); err != nil {
			return nil, fmt.Errorf("reports: %w", err)
		}
		if report != "" {
			s.Report = json.RawMessage(report)
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// A Promotion puts a version in the place of the one that is on.
type Promotion struct {
	Name     string
	Version  int      // 0: the newest
	Drills   []string // globs; empty: all
	Canary   bool     // for Drills alone, beside the version that is on for the others
	Override string   // why, where its report speaks against it or there is none
	By       string
}

// Against is returned where a version's report speaks against putting it on.
type Against struct {
	Name    string
	Version int
	Why     []string
}

func (e *Against) Error() string {
	return fmt.Sprintf("%s@%d: %s; to put it on all the same, say why (override, %d letters or more)", e.Name, e.Version, strings.Join(e.Why, "; "), leastReason)
}

// Is makes an Against a state that forbids it.
func (e *Against) Is(err error) bool { return err == ErrState }

// Promote switches a version on, and returns the marker's id. Its report must not
// speak against it, unless Override says why; that is written down.
func (r *Registry) Promote(ctx context.Context, p Promotion) (string, int, error) {
	if err := checkDrills(p.Drills); err != nil {
		return "", 0, err
	}
	if p.Canary && len(p.Drills) == 0 {
		return "", 0, &Refused{What: "promote", Problems: []Problem{{Element: "drills", Message: "a canary is for some drills", Cure: "name them, or give the share of them"}}}
	}
	if p.Override != "" && len([]rune(strings.TrimSpace(p.Override))) < leastReason {
		return "", 0, &Refused{What: "promote", Problems: []Problem{{Element: "override", Message: "is no reason that anybody could judge later", Cure: fmt.Sprintf("%d letters or more", leastReason)}}}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	m, err := r.Get(ctx, p.Name)
	if err != nil {
		return "", 0, err
	}
	v, err := m.version(p.Version)
	if err != nil {
		return "", 0, err
	}
	if v.Deprecated != "" {
		return "", 0, fmt.Errorf("%s@%d is deprecated: %s: %w", v.Name, v.Version, v.Deprecated, ErrState)
	}
	if p.Canary && m.Active == nil {
		return "", 0, fmt.Errorf("%s: no version is on that %d could stand in for on some drills: %w", v.Name, v.Version, ErrState)
	}
	if r.gated && p.Override == "" {
		if why, err := r.against(ctx, m, v); err != nil {
			return "", 0, err
		} else if len(why) > 0 {
			return "", 0, &Against{v.Name, v.Version, why}
		}
	}
	mark := r.marker(v, Activate, false, p.Drills, p.By)
	mark.Canary = p.Canary
	set := []telemetry.Marker{mark}
	off := func(on *telemetry.Marker) {
		gone := r.marker(Version{Name: v.Name, Version: on.Version, SHA256: on.SHA256}, Deactivate, on.Shadow, nil, p.By)
		gone.Canary = on.Canary
		set = append(set, gone)
	}
	if m.Shadow != nil && m.Shadow.Version == v.Version { // it need not run twice
		off(m.Shadow)
	}
	if m.Canary != nil && !p.Canary {
		off(m.Canary)
	}
	return mark.ID, v.Version, r.decideFor(ctx, p.Override, set...)
}

// against says what forbids putting a version on without a reason.
func (r *Registry) against(ctx context.Context, m Model, v Version) ([]string, error) {
	s, err := r.Standing(ctx, v.Name, v.Version)
	if err != nil {
		return nil, err
	}
	switch {
	case s.State == Done && s.Verdict == Worse:
		return s.Why, nil
	case s.State == Done:
		return nil, nil
	case s.State == Failed:
		return append([]string{"it could not be tested on the past"}, s.Why...), nil
	case s.State == Waiting:
		return []string{"its test on the past is not finished"}, nil
	}
	var was bool
	err = r.db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM activations WHERE kind = 'model' AND name = ? AND version = ? AND action = 'activate' AND NOT shadow)", v.Name, v.Version).Scan(&was)
	if err != nil {
		return nil, fmt.Errorf("switches: %w", err)
	}
	if was {
		return nil, nil
	}
	return []string{"it has not been tested on the past"}, nil
}

func checkDrills(drills []string) error {
	for _, g := range drills {
		if _, err := path.Match(g, ""); err != nil || g == "" || len(g) > 64 {
			return &Refused{What: "activate", Problems: []Problem{{Element: "drills", Message: fmt.Sprintf("%q is no pattern", g), Cure: "write RIG-07, or RIG-*"}}}
		}
	}
	return nil
}

// Deprecate says that a version is not to be put on any more, and why; with no
// reason it may be again. One that is on stays on.
func (r *Registry) Deprecate(ctx context.Context, name string, version int, why string) error {
	res, err := r.db.ExecContext(ctx, "UPDATE models SET deprecated = ? WHERE name = ? AND version = ?", why, name, version)
	if err != nil {
		return fmt.Errorf("deprecate %s@%d: %w", name, version, err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, fmt.Errorf("model %s, version %d: %w", name, version, ErrUnknown))
	}
	return nil
}

// A Switch is a decision on a model.
type Switch struct {
	telemetry.Marker
	Reason string // why it was put on against its report
}

// Switches returns all decisions on a model, oldest first.
func (r *Registry) Switches(ctx context.Context, name string) ([]Switch, error) {
	rows, err := r.db.QueryContext(ctx, "SELECT marker, reason FROM activations WHERE kind = 'model' AND name = ? ORDER BY seq", name)
	if err != nil {
		return nil, fmt.Errorf("switches: %w", err)
	}
	defer rows.Close()
	var out []Switch
	for rows.Next() {
		var raw []byte
		var s Switch
		if err := rows.Scan(&raw, &s.Reason); err != nil {
			return nil, fmt.Errorf("switches: %w", err)
		}
		if err := json.Unmarshal(raw, &s.Marker); err != nil {
			return nil, fmt.Errorf("switches: %w", err)
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// Decider returns the switch by which a drill was judged at a time, as the
// process clock had it; false where the model was off. What a stored score says
// of itself is exact to the frame: a switch holds from its offset on.
func Decider(all []Switch, drill string, at int64) (Switch, bool) {
	var base, canary *Switch
	for i := range all {
		s := &all[i]
		switch {
		case s.At > at || s.Shadow:
		case s.Canary && s.Action == Activate:
			canary = s
		case s.Canary:
			canary = nil
		case s.Action == Activate:
			base = s
		default:
			base, canary = nil, nil
		}
	}
	for _, s := range []*Switch{canary, base} {
		if s != nil && (len(s.Drills) == 0 || slices.ContainsFunc(s.Drills, func(g string) bool { ok, _ := path.Match(g, drill); return ok })) {
			return *s, true
		}
	}
	return Switch{}, false
}

// decideFor is decide with the reason of the first switch.
func (r *Registry) decideFor(ctx context.Context, reason string, set ...telemetry.Marker) error {
	err := r.db.Tx(ctx, func(tx *sql.Tx) error {
		for i, m := range set {
			if err := addSwitch(ctx, tx, m); err != nil {
				return err
			}
			if i == 0 && reason != "" {
				if _, err := tx.ExecContext(ctx, "UPDATE activations SET reason = ? WHERE id = ?", reason, m.ID); err != nil {
					return err
				}
			}
			if err := control(ctx, tx, m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("switch %s: %w", set[0].Name, err)
	}
	r.out.Wake()
	return nil
}
