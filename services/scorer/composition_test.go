package scorer

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/telemetry"
)

// composed plays ticks whose subsystems' healths are drawn, with models that
// compose on top, and returns the scores.
func composed(t *testing.T, ticks int, models map[string]string, more map[string]*fake) []telemetry.Score {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 3))
	parts := &fake{in: []Field{{Name: "WOB"}}, out: []string{"health_hydraulics", "health_pumps", "health_bit", "health_hoisting"}, f: func([]float64, []string) ([]float64, error) {
		out := make([]float64, 4)
		for i := range out {
			out[i] = math.Round(rng.Float64()*11000) / 100
			if rng.IntN(6) == 0 {
				out[i] = nan
			}
		}
		return out, nil
	}}
	d := drawer{}
	loader := mixed{NewPMML(d), map[string]*fake{"parts": parts}}
	for k, v := range more {
		loader.fakes[k] = v
	}
	out := newTape()
	cfg := testConfig()
	p, err := NewPartition(cfg, loader, d, telemetry.DefaultCatalogue(), nil, out)
	if err != nil {
		t.Fatal(err)
	}
	mark(t, p, activate("parts", 1, "parts"))
	for name, text := range models {
		sha := text
		if strings.Contains(text, "<PMML") {
			sha = d.put([]byte(text))
		}
		mark(t, p, activate(name, 1, sha))
	}
	for _, r := range p.refused {
		t.Fatalf("%s: %s", r.Marker.Name, r.Why)
	}
	for i := range ticks {
		feed(t, p, frame("R1", uint64(i+1), 100, 100))
	}
	p.Flush()
	return out.all(t, "R1")
}

// mixed loads some models from fakes, all others as PMML.
type mixed struct {
	*PMML
	fakes map[string]*fake
}

func (m mixed) Load(ctx context.Context, sha string) (Model, error) {
	if f, ok := m.fakes[sha]; ok {
		return f, nil
	}
	return m.PMML.Load(ctx, sha)
}

func TestTheRuleOfHealthAsAScorecardGivesTheSameBits(t *testing.T) {
	text, err := os.ReadFile("health.pmml")
	if err != nil {
		t.Fatal(err)
	}
	rule := composed(t, 400, nil, nil)
	card := composed(t, 400, map[string]string{"drill_health": string(text)}, nil)
	below := 0
	for i := range rule {
		a, b := rule[i].Health, card[i].Health
		if math.Float64bits(a) != math.Float64bits(b) {
			t.Fatalf("tick %d: %v by the rule, %v by the scorecard of %+v", i, a, b, rule[i].Subsystems)
		}
		if last := card[i].Results[len(card[i].Results)-1]; a == a && (last.Model != "drill_health@1" || last.Error != "" || last.Outputs[0].Number != a) {
			t.Fatalf("tick %d: %+v", i, last)
		}
		if a < 50 {
			below++
		}
	}
	if below < 100 || len(rule) != 400 {
		t.Errorf("%d scores, %d of them low: that proves too little", len(rule), below)
	}
}

func TestAnEngineersCompositionReplacesTheRule(t *testing.T) {
	mean := &fake{in: []Field{{Name: "subsystem.bit"}, {Name: "subsystem.confidence_bit"}}, out: []string{"health", "confidence"}, f: func(in []float64, _ []string) ([]float64, error) {
		if in[0] > 90 {
			panic("too well")
		}
		return []float64{in[0] / 2, in[1] / 4}, nil
	}}
	for i, s := range composed(t, 200, map[string]string{"mine": "mine"}, map[string]*fake{"mine": mean}) {
		bit := nan
		for _, x := range s.Subsystems {
			if x.Name == "bit" {
				bit = x.Health
			}
		}
		r := s.Results[len(s.Results)-1]
		switch {
		case r.Model != "mine@1":
			t.Fatalf("tick %d: the last result is %+v", i, r)
		case bit > 90:
			if r.Error == "" || s.Health == bit/2 {
				t.Fatalf("tick %d: it panicked and health is %v, error %q", i, s.Health, r.Error)
			}
		case bit == bit && (s.Health != bit/2 || s.Confidence > 0.25):
			t.Fatalf("tick %d: health %v of %v, confidence %v", i, s.Health, bit, s.Confidence)
		}
	}
}

func TestWhatCannotComposeHealthIsRefusedWithEveryReason(t *testing.T) {
	f := func(m *fake, want ...string) {
		t.Helper()
		ok := &fake{in: []Field{{Name: "subsystem.bit"}}, out: []string{"health"}, f: func(in []float64, _ []string) ([]float64, error) { return in, nil }}
		p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"m": m, "ok": ok}}, newTape())
		mark(t, p, activate("ok", 1, "ok"))
		if len(p.refused) > 0 {
			t.Fatal(p.refused[0].Why)
		}
		mark(t, p, activate("m", 1, "m"))
		if len(p.refused) == 0 {
			t.Fatalf("%v is let in", m.in)
		}
		for _, w := range want {
			if why := p.refused[0].Why; !strings.Contains(why, w) {
				t.Errorf("%v: %q lacks %q", m.in, why, w)
			}
		}
	}
	f(&fake{in: []Field{{Name: "subsystem.bit"}, {Name: "WOB"}}, out: []string{"y"}}, `reads nothing but subsystem`, `no output "health"`, "ok@1 composes")
	f(&fake{in: []Field{{Name: "subsystem.brain"}}, out: []string{"health"}}, "NAME is one of")
}
