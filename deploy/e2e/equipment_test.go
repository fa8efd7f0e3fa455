//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
)

// A bit is changed while the drill sends: the change travels as a marker, and
// scores before and after it name their runs.
func TestABitChangedInMidStreamIsNamedByTheScores(t *testing.T) {
	p := run(t, t.TempDir(), nil)
	dev := p.device("RIG-07")
	dev.connect(t, p.addresses["mqtt"])
	base := time.Now().Add(-time.Minute).Truncate(time.Second)
	at := func(seq int) string {
		return base.Add(time.Duration(seq) * time.Second).UTC().Format("2006-01-02T15:04:05Z")
	}
	table := filepath.Join(t.TempDir(), "bits.csv")
	text := fmt.Sprintf("what,drill,position,serial,kind,from\npart,,,SN-1,bit\npart,,,SN-2,bit\nrun,RIG-07,bit,SN-1,,%s\nrun,RIG-07,bit,SN-2,,%s\n", at(0), at(30))
	if err := os.WriteFile(table, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := p.cli("equipment", "import", table); !strings.Contains(out, "4 lines taken, 0 refused") {
		t.Fatal(out)
	}
	runs := func(want string) func() bool {
		return func() bool {
			var d struct {
				Tick string `json:"score_tick"`
				Runs []string
			}
			return p.get("/api/v1/drills/RIG-07", &d) == nil && slices.Equal(d.Runs, []string{want})
		}
	}
	publish := func(from, to int) {
		for seq := from; seq < to; seq++ {
			dev.publish(t, second(seq, base.Add(time.Duration(seq)*time.Second)))
		}
	}
	publish(1, 30)
	harness.Wait(t, 30*time.Second, "scores to name the first bit", runs("bit:SN-1"))
	publish(30, 50)
	harness.Wait(t, 30*time.Second, "scores to name the second bit", runs("bit:SN-2"))
	p.Stop()
	q := run(t, p.dir, nil)
	harness.Wait(t, 30*time.Second, "the second bit after a restart", func() bool {
		var d struct{ Runs []string }
		return q.get("/api/v1/drills/RIG-07", &d) == nil && slices.Equal(d.Runs, []string{"bit:SN-2"})
	})
	q.Stop()
}
