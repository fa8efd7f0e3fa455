package scoring

import (
	"encoding/json"
	"fmt"
	"math"
)

// MarshalJSON writes numbers that JSON does not have, as an infinite distance,
// as text: one such row must not end the others' output.
func (d TargetDetail) MarshalJSON() ([]byte, error) {
	type plain TargetDetail
	out := struct {
		plain
		Value       any            `json:"value"`
		Probability map[string]any `json:"probability,omitempty"`
		Confidence  map[string]any `json:"confidence,omitempty"`
		Affinity    []any          `json:"affinity,omitempty"`
	}{plain: plain(d), Value: written(d.Value), Probability: writtenMap(d.Probability), Confidence: writtenMap(d.Confidence)}
	for _, f := range d.Affinity {
		out.Affinity = append(out.Affinity, written(f))
	}
	return json.Marshal(out)
}

func written(v any) any {
	if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		return fmt.Sprint(f)
	}
	return v
}

func writtenMap(m map[string]float64) map[string]any {
	if m == nil {
		return nil
	}
	out := make(map[string]any, len(m))
	for k, f := range m {
		out[k] = written(f)
	}
	return out
}
