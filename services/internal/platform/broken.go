package platform

import (
	"context"

	"github.com/mudpulse/mudpulse/services/scorer"
)

// breaking makes one model panic at every row: for tests of what others notice
// of it. No PMML that is known does, and the engine's own faults cannot be had on demand.
type breaking struct {
	scorer.Loader
	sha256 string
}

func (b breaking) Load(ctx context.Context, sha256 string) (scorer.Model, error) {
	m, err := b.Loader.Load(ctx, sha256)
	if err != nil || sha256 != b.sha256 {
		return m, err
	}
	return brokenModel{m}, nil
}

type brokenModel struct{ scorer.Model }

func (m brokenModel) Evaluator() scorer.Evaluator { return brokenEvaluator{m.Model.Evaluator()} }

type brokenEvaluator struct{ scorer.Evaluator }

func (brokenEvaluator) Run() { panic("broken on purpose: --panicking") }
