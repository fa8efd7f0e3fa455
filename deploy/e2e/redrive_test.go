//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
)

// A site's rule has a topic's messages read as another kind: they are set aside
// whole and are a gap in the ledger, which says so. With the rule mended they are
// sent again as they were, and the gap closes at every stage.
func TestWhatAWrongMappingSetAsideIsSentAgainAndTheGapCloses(t *testing.T) {
	dir := t.TempDir()
	site := filepath.Join(dir, "site.yaml")
	rules := func(kind string) {
		t.Helper()
		text := "rules:\n- {topic: \"rows/{drill}\", kind: csv}\n- {topic: \"wrong/{drill}\", kind: " + kind + "}\n"
		if err := os.WriteFile(site, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rules("thingsboard")
	data := filepath.Join(dir, "data")
	p := run(t, data, nil, "--site", site)
	dev := p.device("RIG-07")
	dev.connect(t, p.addresses["mqtt"])
	base := time.Now().Add(-15 * time.Second).Truncate(time.Second)
	for seq := 1; seq <= 15; seq++ {
		dev.Topic = "rows/RIG-07"
		if seq > 5 && seq <= 10 {
			dev.Topic = "wrong/RIG-07"
		}
		dev.publish(t, fmt.Sprintf("ts,boot,seq,WOB\n%s,b,%d,101\n", base.Add(time.Duration(seq)*time.Second).UTC().Format("2006-01-02T15:04:05Z"), seq))
	}
	type gap struct {
		Stage    string
		From, To int
		Why      string
		Pending  bool
	}
	var l struct {
		Rows   []struct{ Gaps []gap }
		Totals struct{ Sent, Accepted, Stored, Scored, Readable, Gaps, Quarantined int }
	}
	harness.Wait(t, 60*time.Second, "a gap from 6 to 10 that the ledger explains", func() bool {
		if p.get("/api/v1/ledger?drill=RIG-07", &l) != nil || len(l.Rows) != 1 || l.Totals.Quarantined != 5 || l.Totals.Scored != 10 {
			return false
		}
		for _, g := range l.Rows[0].Gaps {
			if g.Stage == "accepted" && g.From == 6 && g.To == 10 && !g.Pending && strings.Contains(g.Why, "5 messages of this device were set aside whole") {
				return true
			}
		}
		return false
	})
	p.Stop()

	rules("csv")
	q := run(t, data, nil, "--site", site)
	var aside struct{ Items []struct{ ID, Code string } }
	if err := q.get("/api/v1/quarantine", &aside); err != nil || len(aside.Items) != 5 {
		t.Fatalf("set aside %+v, %v", aside, err)
	}
	for _, item := range aside.Items {
		req, err := http.NewRequest(http.MethodPost, "http://"+q.addresses["http"]+"/api/v1/quarantine/"+item.ID+"/redrive", bytes.NewReader([]byte("{}")))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+q.token)
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		said, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %s", item.Code, res.Status, said)
		}
	}
	harness.Wait(t, 60*time.Second, "no gap and 15 frames at every stage", func() bool {
		l.Rows = nil
		return q.get("/api/v1/ledger?drill=RIG-07", &l) == nil && l.Totals.Gaps == 0 && l.Totals.Sent == 15 && l.Totals.Accepted == 15 && l.Totals.Stored == 15 && l.Totals.Scored == 15 && l.Totals.Readable == 15
	})
	if out := q.cli("ledger", "--gaps"); !strings.Contains(out, "0 gaps, 5 set aside") {
		t.Errorf("mudpulse ledger: %s", out)
	}
	q.Stop()
}
