package models

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/telemetry"
)

// RulesName is the name under which markers and control know the alarm rules.
const RulesName = "rules"

// Rules is one version of the alarm rules.
type Rules struct {
	Version int
	SHA256  string // of what is in force: without plain limits where Limits is false
	Rules   *alarms.Rules
	Limits  bool  // plain limits raise alarms too, not models alone
	Created int64 // process clock, Unix ns
	By      string
	Note    string // why it was put in force
}

// Rules returns the rules in force; ErrUnknown before the first.
func (r *Registry) Rules(ctx context.Context) (Rules, error) {
	all, err := r.rules(ctx, "ORDER BY version DESC LIMIT 1")
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("rules: %w", ErrUnknown)
	}
	if err != nil {
		return Rules{}, err
	}
	return all[0], nil
}

// RuleVersions returns every version that ever was in force, newest first.
func (r *Registry) RuleVersions(ctx context.Context) ([]Rules, error) {
	return r.rules(ctx, "ORDER BY version DESC")
}

// RuleVersion returns one; ErrUnknown.
func (r *Registry) RuleVersion(ctx context.Context, version int) (Rules, error) {
	all, err := r.rules(ctx, "WHERE version = ?", version)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("rules have no version %d: %w", version, ErrUnknown)
	}
	if err != nil {
		return Rules{}, err
	}
	return all[0], nil
}

func (r *Registry) rules(ctx context.Context, which string, args ...any) ([]Rules, error) {
	rows, err := r.db.QueryContext(ctx, "SELECT version, sha256, rules, limits, created, by_whom, note FROM rules "+which, args...)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	defer rows.Close()
	var all []Rules
	for rows.Next() {
		v := Rules{Rules: &alarms.Rules{}}
		var raw []byte
		if err := rows.Scan(&v.Version, &v.SHA256, &raw, &v.Limits, &v.Created, &v.By, &v.Note); err != nil {
			return nil, fmt.Errorf("rules: %w", err)
		}
		if err := json.Unmarshal(raw, v.Rules); err != nil {
			return nil, fmt.Errorf("rules: version %d: %w", v.Version, err)
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// parseRules reads an edited set, whose own version number says nothing. The
// error is a *Refused with every problem.
func parseRules(raw []byte) (*alarms.Rules, error) {
	var edited map[string]json.RawMessage
	if err := json.Unmarshal(raw, &edited); err == nil && edited != nil {
		edited["version"] = json.RawMessage("1")
		raw = asJSON(edited)
	}
	rules, err := alarms.Parse(raw)
	if err != nil {
		refused := &Refused{What: "rules"}
		for _, line := range strings.Split(err.Error(), "\n") {
			refused.Problems = append(refused.Problems, Problem{Message: line})
		}
		return nil, refused
	}
	return rules, nil
}

// Untried means that a set of rules was not tried on the past, and who wants it
// in force did not say why it should be nevertheless.
type Untried struct{}

func (u *Untried) Error() string {
	return "these rules were not tried on the past: POST them to /rules/trials and put them in force when the trial is done; or say untried=true with a note that says why: both are written down"
}

// PutRules puts an edited set in force, as a new version, and returns it with
// the marker's id. The error is a *Refused with every problem, where the rules
// are at fault, and *Untried where no trial of them is done and untried is false.
// Their own version number is set here.
func (r *Registry) PutRules(ctx context.Context, raw []byte, by, note string, untried bool) (Rules, string, error) {
	rules, err := parseRules(raw)
	if err != nil {
		return Rules{}, "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	limits := true
	now, err := r.Rules(ctx)
	switch {
	case err == nil:
		limits = now.Limits
	case !errors.Is(err, ErrUnknown):
		return Rules{}, "", err
	}
	tried := now.Rules != nil && sameRules(rules, now.Rules)
	if !tried {
		if tried, err = r.tried(ctx, rules); err != nil {
			return Rules{}, "", err
		}
	}
	if !tried {
		if note = strings.TrimSpace(note); !untried || note == "" {
			return Rules{}, "", &Untried{}
		}
		note = "untried: " + note
	}
	return r.putRules(ctx, rules, limits, by, note)
}

// tried reports whether a trial of just these rules is done.
func (r *Registry) tried(ctx context.Context, rules *alarms.Rules) (bool, error) {
	done, err := r.ruleTrials(ctx, "state = 'done'")
	if err != nil {
		return false, err
	}
	for _, t := range done {
		if was, err := alarms.Parse(t.Rules); err == nil && sameRules(rules, was) {
			return true, nil
		}
	}
	return false, nil
}

// sameRules reports whether two sets are the same but for their version.
func sameRules(a, b *alarms.Rules) bool {
	x, y := *a, *b
	x.Version, y.Version = 1, 1
	return bytes.Equal(asJSON(&x), asJSON(&y))
}

// RestoreRules puts an earlier version in force again, as a new version, its
// plain limits switched as they were.
func (r *Registry) RestoreRules(ctx context.Context, version int, by, note string) (Rules, string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was, err := r.RuleVersion(ctx, version)
	if err != nil {
		return Rules{}, "", err
	}
	if err := was.Rules.Validate(); err != nil { // of an earlier program
		return Rules{}, "", &Refused{What: "rules", Problems: []Problem{{Message: fmt.Sprintf("version %d does not hold any more: %v", version, err)}}}
	}
	return r.putRules(ctx, was.Rules, was.Limits, by, strings.TrimSuffix(fmt.Sprintf("version %d again: %s", version, note), ": "))
}

// SetLimits switches the plain limits on or off, as a new version.
func (r *Registry) SetLimits(ctx context.Context, on bool, by string) (Rules, string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, err := r.Rules(ctx)
	if err != nil {
		return Rules{}, "", err
	}
	note := "plain limits off"
	if on {
		note = "plain limits on"
	}
	return r.putRules(ctx, now.Rules, on, by, note)
}

func (r *Registry) putRules(ctx context.Context, rules *alarms.Rules, limits bool, by, note string) (Rules, string, error) {
	out := Rules{Rules: rules, Limits: limits, Created: r.clock.Now().UnixNano(), By: by, Note: note}
	now, err := r.Rules(ctx)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return out, "", err
	}
	out.Version = now.Version + 1
	copied := *rules
	copied.Version = out.Version
	out.Rules = &copied
	force := out.Rules
	if !limits {
		force = force.Without(alarms.Limit)
	}
	if out.SHA256, err = r.blobs.Put(ctx, asJSON(force)); err != nil {
		return out, "", err
	}
	m := telemetry.Marker{
		ID: rand.Text(), Kind: telemetry.MarkerRules, Name: RulesName, Version: out.Version, SHA256: out.SHA256,
		Action: Activate, By: by, At: out.Created,
	}
	err = r.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO rules (version, sha256, rules, limits, created, by_whom, note) VALUES (?, ?, ?, ?, ?, ?, ?)",
			out.Version, out.SHA256, asJSON(out.Rules), limits, out.Created, by, note); err != nil {
			return err
		}
		if err := addSwitch(ctx, tx, m); err != nil {
			return err
		}
		return control(ctx, tx, m)
	})
	if err != nil {
		return out, "", fmt.Errorf("put rules: %w", err)
	}
	r.out.Wake()
	return out, m.ID, nil
}
