package scorer

import (
	"github.com/mudpulse/mudpulse/scoring/feature"
)

// isFeature reports whether a name is that of a feature computed from the stream.
func isFeature(name string) bool { return feature.IsFeature(name) }

// plan is what has to be kept of the stream to compute features.
type plan struct {
	*feature.Plan
	channels []string
}

func newPlan(names, later []string) (*plan, error) {
	p, err := feature.Compile(names, later...)
	if err != nil {
		return nil, err
	}
	return &plan{Plan: p, channels: p.Channels()}, nil
}

// featureChannels are the channels that a feature is computed of.
func featureChannels(name string) []string {
	n, err := feature.Parse(name)
	if err != nil || n.Channel == "" {
		return nil
	}
	return []string{n.Channel}
}

// feats is one drill's features.
type feats struct{ s *feature.State }

func newFeats(p *plan) *feats { return &feats{p.NewState()} }

func (f *feats) rebind(p *plan)                 { f.s = f.s.Rebind(p.Plan) }
func (f *feats) ready(tick int64, chs []int32)  { f.s.Ready(tick, chs) }
func (f *feats) add(ch int, t int64, v float64) { f.s.Add(ch, t, v) }
func (f *feats) wave(ch int, t, every int64, values []float64, shaft float64, number func(string) float64) {
	f.s.Wave(ch, t, every, values, shaft, number)
}
func (f *feats) state(tick int64, s string, _ bool) { f.s.Rig(tick, s) }
func (f *feats) read(tick int64, num []float64, to []int) {
	f.s.Read(tick, num, to)
}
func (f *feats) readLater(tick int64, num []float64, to []int) {
	f.s.ReadLater(tick, num, to)
}
func (f *feats) append(b []byte) ([]byte, error) { return f.s.AppendBinary(b) }
func (f *feats) restore(b []byte) error          { return f.s.UnmarshalBinary(b) }
