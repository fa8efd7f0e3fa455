package scorer

import "strings"

// isFeature reports whether a name is that of a feature computed from the stream.
func isFeature(name string) bool { return strings.Contains(name, "__") }

// plan is what has to be kept of the stream to compute features.
type plan struct {
	names    []string
	channels []string
}

func newPlan(names []string) (*plan, error) { return &plan{names: names}, nil }

func featureChannels(name string) []string {
	c, _, _ := strings.Cut(name, "__")
	return []string{c}
}

type feats struct{}

func newFeats(*plan) *feats                             { return &feats{} }
func (f *feats) rebind(*plan)                           {}
func (f *feats) add(ch int, t int64, v float64)         {}
func (f *feats) state(tick int64, s string, amend bool) {}
func (f *feats) read(tick int64, num []float64, to []int) {
}
func (f *feats) append(b []byte) ([]byte, error) { return b, nil }
func (f *feats) restore(b []byte) error          { return nil }
