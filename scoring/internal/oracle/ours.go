package oracle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/mudpulse/mudpulse/scoring"
)

// Ours is this engine's answer to a row, in the oracle's form.
func Ours(m *scoring.Model, s *scoring.Scorer, line []byte) (Answer, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	row := scoring.Row{}
	if err := d.Decode(&row); err != nil {
		return nil, fmt.Errorf("the line is no JSON object: %w", err)
	}
	res, err := s.Score(row)
	var bad *scoring.RowError
	if errors.As(err, &bad) {
		return Answer{"error": map[string]any{"kind": bad.Kind, "field": bad.Field, "message": bad.Error()}}, nil
	}
	if err != nil {
		return nil, err
	}
	a := map[string]any{}
	res.Each(func(name string, v any) { a[name] = spell(v) })
	targets := map[string]any{}
	for i, t := range res.Details() {
		targets[m.Targets()[i].Name] = detail(t)
	}
	a["_targets"] = targets
	return a, nil
}

func detail(t scoring.TargetDetail) map[string]any {
	detail := map[string]any{"value": spell(t.Value)}
	class := func(key string, p map[string]float64) {
		if p == nil {
			return
		}
		m := map[string]any{}
		for k, v := range p {
			m[k] = spell(v)
		}
		detail[key] = m
	}
	class("probability", t.Probability)
	class("confidence", t.Confidence)
	if t.EntityID != "" {
		detail["entityId"] = t.EntityID
	}
	var codes []any
	for _, r := range t.Reasons {
		codes = append(codes, r.Code)
	}
	detail["reasons"] = codes
	return detail
}

// spell writes a value as JSON's reader gives it back; JSON has no NaN.
func spell(v any) any {
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Sprint(v)
		}
	case int64:
		return float64(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = spell(e)
		}
		return out
	}
	return v
}
