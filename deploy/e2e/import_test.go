//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
)

// The three commands of docs/import.md, then a backup, a restore, the doctor.
func TestHistoryIsImportedBackedUpAndRestored(t *testing.T) {
	p := run(t, t.TempDir(), nil)
	stored := int64(0)
	f := func(frames int64, want []string, args ...string) {
		t.Helper()
		args = append(append([]string{"import"}, args...), "--bad", filepath.Join(t.TempDir(), "bad.tsv"))
		out := p.cli(args...)
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%v did not say %q:\n%s", args, w, out)
			}
		}
		stored += frames
		harness.Wait(t, 240*time.Second, "imported frames at every stage", func() bool { return p.totals().all(stored) })
	}
	f(118, []string{"bad: line 58, column SPPA", "bad: line 94: it has 3 values", "118 frames of 1 drills"}, "../import/sample.witsml.xml")
	f(0, []string{"goes on after 118 frames"}, "../import/sample.witsml.xml")
	f(0, []string{"118 frames of 1 drills"}, "../import/sample.witsml.xml", "--again")
	if data := os.Getenv("E2E_DATA"); data != "" {
		f(20631, []string{"20631 frames of 100 drills, 495144 readings"}, filepath.Join(data, "cmapss_fd001", "train_FD001.txt"), "--mapping", "../import/cmapss.json")
		f(10000, []string{"10000 frames of 1 drills"}, filepath.Join(data, "ai4i2020", "ai4i2020.tsv"), "--mapping", "../import/ai4i.json")
	}
	to := t.TempDir()
	if out := p.cli("backup", to); !strings.Contains(out, "backup 2") {
		t.Errorf("backup: %s", out)
	}
	if out := p.cli("doctor"); !strings.Contains(out, "every sealed file") {
		t.Errorf("doctor: %s", out)
	}
	p.Stop()
	dir := t.TempDir()
	out, err := exec.Command(harness.Bin(t, "mudpulse"), "restore", to, "--data", dir).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "every byte verified") {
		t.Fatalf("restore: %v\n%s", err, out)
	}
	q := run(t, dir, nil)
	harness.Wait(t, 60*time.Second, "the restored ledger", func() bool { l := q.totals(); return l.Stored == stored && l.Scored == stored && l.Readable == stored })
	q.Stop()
}
