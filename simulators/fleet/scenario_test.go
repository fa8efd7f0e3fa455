package fleet

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/simulators/rig"
)

func TestAScenarioSaysWhatBefallsWhom(t *testing.T) {
	b, err := os.ReadFile("../scenarios/tour.json")
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseScenario(b)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 5, 1, 6, 0, 0, 0, time.UTC)
	all := s.Fleet(start)
	if len(all) != len(s.Drills) {
		t.Fatalf("%d drills of %d", len(all), len(s.Drills))
	}
	seen := false
	for _, d := range all {
		for _, f := range d.Faults {
			if f.Kind == rig.Washout {
				seen = true
				if age := d.Rig.Truth(f.Start.Add(f.Life / 2)).Severity[rig.Washout]; age != 0.5 {
					t.Errorf("half through its life the wash-out is %v old", age)
				}
			}
		}
	}
	if !seen {
		t.Error("the scenario in the repository has no wash-out")
	}
}

func TestAScenarioIsRefusedWithAllThatIsWrong(t *testing.T) {
	_, err := ParseScenario([]byte(`{"drills":[{"name":"R 1","faults":[{"kind":"rust","start":"x","life":"0s","channel":"SPP"}]}]}`))
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{"name \"R 1\"", "kind: \"rust\"", "start: \"x\"", "life: \"0s\"", "channel:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
	if _, err := ParseScenario([]byte(`{"drillz":[]}`)); err == nil {
		t.Error("an unknown key is taken")
	}
}
