//go:build e2e

package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
)

// A platform that is lost with its disk goes on from its backup on another: its
// devices sign in with their passwords, models and rules are in force under a new
// log, and what people did to alarms stands.
func TestARestoredPlatformGoesOnWhereItsBackupStood(t *testing.T) {
	p := run(t, t.TempDir(), nil)
	dev := p.device("RIG-07")
	harness.Wait(t, 30*time.Second, "the rules to be taken", func() bool {
		return p.tell(http.MethodPut, "/rules?untried=true&note=of+this+test", lifeRules) == http.StatusAccepted
	})
	p.cli("channel", "add", "Lube_Temp", "--unit", "degC")
	table := filepath.Join(t.TempDir(), "equipment.csv")
	if err := os.WriteFile(table, []byte("what,drill,position,serial,kind,from\npart,,,SN-1234,bit\nrun,RIG-07,bit,SN-1234,,2026-11-20T02:00:00Z\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.cli("equipment", "import", table)
	p.cli("link", "--name", "ines", "--role", "operator")
	seq, base := int64(0), time.Now().Add(-9*time.Minute).Truncate(time.Second)
	send := func() {
		dev.publish(t, second(int(seq), base.Add(time.Duration(seq)*time.Second)))
		seq++
	}
	dev.connect(t, p.addresses["mqtt"])
	var alarms map[string]lifeAlarm
	harness.Wait(t, 60*time.Second, "four alarms", func() bool { send(); alarms = p.lives(); return alarms != nil })
	if got := p.tell(http.MethodPost, "/alarms/ack", map[string]any{"id": alarms["answered"].ID}); got != http.StatusAccepted {
		t.Fatalf("acknowledge: %d", got)
	}
	if got := p.tell(http.MethodPost, "/alarms/disposition", map[string]any{"id": alarms["judged"].ID, "value": "wrong"}); got != http.StatusAccepted {
		t.Fatalf("disposition: %d", got)
	}
	harness.Wait(t, 60*time.Second, "what was done to be kept", func() bool {
		a := p.lives()
		return a != nil && a["answered"].Status == "ack" && a["judged"].Disposition == "wrong" && p.totals().all(seq)
	})
	type model struct {
		Name     string
		Active   int `json:"active_version"`
		Versions []struct{ SHA256, Status string }
	}
	facts := func(p *platform) []any {
		var models struct{ Models []model }
		out := []any{&models}
		if err := p.get("/api/v1/models", &models); err != nil || len(models.Models) == 0 {
			t.Fatalf("models: %v", err)
		}
		for _, path := range []string{"/api/v1/rules", "/api/v1/channels", "/api/v1/equipment?drill=RIG-07", "/api/v1/parts", "/api/v1/people"} {
			var body any
			if err := p.get(path, &body); err != nil {
				t.Fatal(err)
			}
			out = append(out, body)
		}
		return append(out, p.lives())
	}
	want := facts(p)
	to := t.TempDir()
	if out := p.cli("backup", to); !strings.Contains(out, "files of models and rules") {
		t.Errorf("backup: %s", out)
	}
	p.Kill()

	dir := t.TempDir()
	if out, err := exec.Command(harness.Bin(t, "mudpulse"), "restore", to, "--data", dir).CombinedOutput(); err != nil || !strings.Contains(string(out), "every byte verified") {
		t.Fatalf("restore: %v\n%s", err, out)
	}
	q := run(t, dir, nil)
	harness.Wait(t, 60*time.Second, "the restored alarms", func() bool { return q.lives() != nil })
	if got := facts(q); !reflect.DeepEqual(got, want) {
		for i := range got {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Errorf("restored:\n got %.2000v\nwant %.2000v", got[i], want[i])
			}
		}
	}
	dev.connect(t, q.addresses["mqtt"]) // with the password it had
	last := int(seq - 1)
	for range 30 {
		send()
	}
	dev.publish(t, second(last, base.Add(time.Duration(last)*time.Second))) // again: stored before the backup
	harness.Wait(t, 60*time.Second, "old and new frames once at every stage", func() bool { return q.totals().all(seq) })
	q.Stop()
}
