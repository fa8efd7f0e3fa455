package evaluate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/simulators/fleet"
)

func TestAnInterruptedRunGoesOnWhereItWas(t *testing.T) {
	cfg := Config{Contenders: []Contender{builtIn(t)}, Studies: []Study{
		{Name: "Long", Fleet: fleet.Study{Seed: 151, Drills: 2, Days: 2, Dense: 40, Start: fleet.Epoch}},
		{Name: "Full", Full: true, Fleet: fleet.Study{Seed: 152, Drills: 1, Days: 1, Start: fleet.Epoch}},
	}}
	text := func() string {
		t.Helper()
		res, err := Run(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if _, err := res.Print(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	cfg.Keep = t.TempDir()
	whole := text()
	files, err := filepath.Glob(filepath.Join(cfg.Keep, "*-1.gob"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v: want one file of the second drill", files, err)
	}
	kept, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], kept[:len(kept)/2], 0o644); err != nil { // half a file is none
		t.Fatal(err)
	}
	cfg.KeptOnly = true
	if part := text(); !strings.Contains(part, "1 drills x 2 days") || !strings.Contains(part, "1 drills NOT DRIVEN YET") || !strings.Contains(part, "Full: 1 drills") {
		t.Errorf("what is kept does not say that a drill is missing:\n%s", part)
	}
	cfg.KeptOnly = false
	if again := text(); again != whole {
		t.Errorf("a run that goes on differs:\n%s\nand in one go:\n%s", again, whole)
	}
	cfg.Contenders[0].Name = "others"
	cfg.KeptOnly = true
	if res, err := Run(t.Context(), cfg); err != nil || len(res.Outcomes) != 0 {
		t.Errorf("outcomes of other contenders are taken: %v, %v", res, err)
	}
}
