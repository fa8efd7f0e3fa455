package scorer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/telemetry"
)

// heard lists what models said of each tick of a drill.
func heard(t *testing.T, out *tape, drill string) (got []string) {
	t.Helper()
	for _, s := range out.all(t, drill) {
		var all []string
		for _, r := range s.Results {
			all = append(all, fmt.Sprintf("%s %.0f", r.Model, r.Outputs[0].Number))
		}
		got = append(got, strings.Join(all, ", "))
	}
	return got
}

func canary(m *telemetry.Marker, drills ...string) *telemetry.Marker {
	m.ID, m.Canary, m.Drills = m.ID+"-canary", true, drills
	return m
}

func twice(name string) *fake {
	return &fake{in: []Field{{Name: "m.y"}}, out: []string{name}, f: func(in []float64, _ []string) ([]float64, error) { return []float64{2 * in[0]}, nil }}
}

func negative() *fake {
	return &fake{in: []Field{{Name: "WOB"}}, out: []string{"y"}, f: func(in []float64, _ []string) ([]float64, error) { return []float64{-in[0]}, nil }}
}

func TestACanaryCountsForItsDrillsAlone(t *testing.T) {
	s := &shelf{models: map[string]*fake{"a": sum("y"), "b": negative(), "r": twice("z")}}
	out := newTape()
	p := newPartition(t, testConfig(), s, out)
	seq := uint64(0)
	second := func() {
		feed(t, p, frame("R1", seq, 100, 120))
		feed(t, p, frame("R2", seq, 100, 120))
		seq++
	}
	mark(t, p, activate("m", 1, "a"))
	mark(t, p, activate("reader", 1, "r"))
	second()
	mark(t, p, canary(activate("m", 2, "b"), "R2"))
	second()
	b, err := p.Snapshot(nil) // a restart changes nothing
	if err != nil {
		t.Fatal(err)
	}
	p = newPartition(t, testConfig(), s, out)
	if err := p.Restore(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	second()
	mark(t, p, activate("m", 2, "b")) // promoted for all
	mark(t, p, canary(&telemetry.Marker{ID: "x", Kind: telemetry.MarkerModel, Name: "m", Version: 2, Action: "deactivate"}))
	second()
	p.Flush()
	old, fresh := "m@1 220, reader@1 440", "m@2 -100, reader@1 -200"
	if got, want := heard(t, out, "R1"), []string{old, old, old, fresh}; !slices.Equal(got, want) {
		t.Errorf("R1 %q, want %q", got, want)
	}
	if got, want := heard(t, out, "R2"), []string{old, fresh, fresh, fresh}; !slices.Equal(got, want) {
		t.Errorf("R2 %q, want %q", got, want)
	}
}

func TestACanaryThatCannotStandForTheOtherIsRefused(t *testing.T) {
	f := func(want string, before func(p *Partition), m *telemetry.Marker) {
		t.Helper()
		out := newTape()
		p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": sum("y"), "b": sum("other"), "r": twice("z"), "c": twice("y")}}, out)
		if before != nil {
			before(p)
		}
		mark(t, p, m)
		if len(p.refused) == 0 || !strings.Contains(p.refused[0].Why, want) {
			t.Errorf("refused %+v, want %q", p.refused, want)
		}
		feed(t, p, frame("R1", 0, 100, 120))
		p.Flush()
		if got := heard(t, out, "R1"); before != nil && got[0] != "m@1 220, reader@1 440" {
			t.Errorf("what was on went on as %q", got)
		}
	}
	on := func(p *Partition) {
		mark(t, p, activate("m", 1, "a"))
		mark(t, p, activate("reader", 1, "r"))
	}
	f("none is on", nil, canary(activate("m", 2, "a"), "R1"))
	f("is for some drills", on, canary(activate("m", 2, "a")))
	f(`model m@2 has no output "y"`, on, canary(activate("m", 2, "b"), "R1"))
	f("read each other in a circle", on, canary(activate("m", 2, "c"), "R1"))
}

// Two canaries, each good beside what is for all, and one reading what only the other gives.
func TestCanariesThatDoNotGoTogetherStandBack(t *testing.T) {
	more := &fake{in: []Field{{Name: "WOB"}}, out: []string{"y", "more"}, f: func(in []float64, _ []string) ([]float64, error) { return []float64{1, 2}, nil }}
	reads := &fake{in: []Field{{Name: "m.more"}}, out: []string{"z"}, f: func(in []float64, _ []string) ([]float64, error) { return []float64{in[0]}, nil }}
	out := newTape()
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": sum("y"), "more": more, "r": twice("z"), "reads": reads}}, out)
	mark(t, p, activate("m", 1, "more"))
	mark(t, p, activate("reader", 1, "r"))
	mark(t, p, canary(activate("reader", 2, "reads"), "R1"))
	mark(t, p, canary(activate("m", 2, "a"), "R1"))
	feed(t, p, frame("R1", 0, 100, 120))
	p.Flush()
	if got := heard(t, out, "R1"); got[0] != "m@1 1, reader@1 2" && got[0] != "m@2 220, reader@1 440" {
		t.Errorf("%q, refused %+v", got, p.refused)
	}
}

func TestACanaryGoesWithWhatItStandsFor(t *testing.T) {
	out := newTape()
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": sum("y"), "b": negative()}}, out)
	mark(t, p, activate("m", 1, "a"))
	mark(t, p, canary(activate("m", 2, "b"), "R1"))
	mark(t, p, &telemetry.Marker{ID: "off", Kind: telemetry.MarkerModel, Name: "m", Version: 1, Action: "deactivate"})
	feed(t, p, frame("R1", 0, 100, 120))
	p.Flush()
	if got := heard(t, out, "R1"); got[0] != "" {
		t.Errorf("%q", got)
	}
}
