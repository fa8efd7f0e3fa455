package models

import (
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
}

// Rules returns the rules in force; ErrUnknown before the first.
func (r *Registry) Rules(ctx context.Context) (Rules, error) {
	var out Rules
	var raw []byte
	err := r.db.QueryRowContext(ctx, "SELECT version, sha256, rules, limits, created, by_whom FROM rules ORDER BY version DESC LIMIT 1").
		Scan(&out.Version, &out.SHA256, &raw, &out.Limits, &out.Created, &out.By)
	if errors.Is(err, sql.ErrNoRows) {
		return out, fmt.Errorf("rules: %w", ErrUnknown)
	}
	if err != nil {
		return out, fmt.Errorf("rules: %w", err)
	}
	out.Rules = &alarms.Rules{}
	if err := json.Unmarshal(raw, out.Rules); err != nil {
		return out, fmt.Errorf("rules: %w", err)
	}
	return out, nil
}

// PutRules puts an edited set in force, as a new version, and returns it with
// the marker's id. The error is a *Refused with every problem, where the rules
// are at fault. Their own version number is set here.
func (r *Registry) PutRules(ctx context.Context, raw []byte, by string) (Rules, string, error) {
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
		return Rules{}, "", refused
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	limits := true
	if now, err := r.Rules(ctx); err == nil {
		limits = now.Limits
	} else if !errors.Is(err, ErrUnknown) {
		return Rules{}, "", err
	}
	return r.putRules(ctx, rules, limits, by)
}

// SetLimits switches the plain limits on or off, as a new version.
func (r *Registry) SetLimits(ctx context.Context, on bool, by string) (Rules, string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, err := r.Rules(ctx)
	if err != nil {
		return Rules{}, "", err
	}
	return r.putRules(ctx, now.Rules, on, by)
}

func (r *Registry) putRules(ctx context.Context, rules *alarms.Rules, limits bool, by string) (Rules, string, error) {
	out := Rules{Rules: rules, Limits: limits, Created: r.clock.Now().UnixNano(), By: by}
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
		if _, err := tx.ExecContext(ctx, "INSERT INTO rules (version, sha256, rules, limits, created, by_whom) VALUES (?, ?, ?, ?, ?, ?)",
			out.Version, out.SHA256, asJSON(out.Rules), limits, out.Created, by); err != nil {
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
