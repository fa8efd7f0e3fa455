package models

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// A RuleTrial is an edited set of rules that is tried on the past.
type RuleTrial struct {
	ID     string
	State  string // Waiting, Done or Failed
	Rules  json.RawMessage
	Back   time.Duration // of the past, at most
	Why    string        // it failed
	Report json.RawMessage
	At     int64 // wall, Unix ns: asked for
	By     string
}

// keepRuleTrials bounds what is kept of them.
const keepRuleTrials = 50

// AddRuleTrial keeps a set to be tried; the error is a *Refused where the rules are at fault.
func (r *Registry) AddRuleTrial(ctx context.Context, raw []byte, back time.Duration, by string) (RuleTrial, error) {
	rules, err := parseRules(raw)
	if err != nil {
		return RuleTrial{}, err
	}
	t := RuleTrial{ID: rand.Text(), State: Waiting, Rules: asJSON(rules), Back: back, At: time.Now().UnixNano(), By: by}
	err = r.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO rule_trials (id, state, rules, back, at, by_whom) VALUES (?, ?, ?, ?, ?, ?)", t.ID, t.State, string(t.Rules), int64(back), t.At, by); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM rule_trials WHERE id NOT IN (SELECT id FROM rule_trials ORDER BY at DESC LIMIT ?)", keepRuleTrials)
		return err
	})
	if err != nil {
		return t, fmt.Errorf("keep the trial: %w", err)
	}
	return t, nil
}

// EndRuleTrial keeps what came of one: a report, or why there is none.
func (r *Registry) EndRuleTrial(ctx context.Context, id string, report []byte, why string) error {
	state := Done
	if why != "" {
		state = Failed
	}
	if _, err := r.db.ExecContext(ctx, "UPDATE rule_trials SET state = ?, report = ?, why = ? WHERE id = ?", state, string(report), why, id); err != nil {
		return fmt.Errorf("keep the report on trial %s: %w", id, err)
	}
	return nil
}

// RuleTrial returns one; ErrUnknown.
func (r *Registry) RuleTrial(ctx context.Context, id string) (RuleTrial, error) {
	all, err := r.ruleTrials(ctx, "id = ?", id)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("there is no trial %q: %w", id, ErrUnknown)
	}
	if err != nil {
		return RuleTrial{}, err
	}
	return all[0], nil
}

// WaitingRuleTrials returns those that nobody has tried yet, oldest first.
func (r *Registry) WaitingRuleTrials(ctx context.Context) ([]RuleTrial, error) {
	return r.ruleTrials(ctx, "state = 'waiting'")
}

func (r *Registry) ruleTrials(ctx context.Context, where string, args ...any) ([]RuleTrial, error) {
	rows, err := r.db.QueryContext(ctx, "SELECT id, state, rules, back, why, report, at, by_whom FROM rule_trials WHERE "+where+" ORDER BY at", args...)
	if err != nil {
		return nil, fmt.Errorf("trials: %w", err)
	}
	defer rows.Close()
	var all []RuleTrial
	for rows.Next() {
		var t RuleTrial
		var rules, report string
		if err := rows.Scan(&t.ID, &t.State, &rules, &t.Back, &t.Why, &report, &t.At, &t.By); err != nil {
			return nil, fmt.Errorf("trials: %w", err)
		}
		t.Rules = json.RawMessage(rules)
		if report != "" {
			t.Report = json.RawMessage(report)
		}
		all = append(all, t)
	}
	return all, rows.Err()
}
