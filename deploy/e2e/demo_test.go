//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
	"github.com/mudpulse/mudpulse/services/client"
)

type standing struct {
	Alarms []struct {
		ID, Drill, Rule, Model, Raised string
		SHA                            string `json:"model_sha256"`
		Priority                       int
	}
}

// The demo's alarms are no theatre: with the plain limits off they come out of
// PMML models, from frames sent after the start over MQTT; and where the models
// are switched off, none comes.
func TestTheDemosAlarmsComeThroughItsModels(t *testing.T) {
	p := run(t, t.TempDir(), nil, "--demo", "--limit-rules=false")
	var first standing
	harness.Wait(t, 4*time.Minute, "an alarm of the demo", func() bool {
		return p.get("/api/v1/alarms", &first) == nil && len(first.Alarms) > 0
	})
	for _, a := range first.Alarms {
		var whole struct {
			Evidence struct {
				Inputs []struct{ Name string }
				Frames []struct{ Boot string }
			}
		}
		if err := p.get("/api/v1/alarms/by-id?id="+url.QueryEscape(a.ID), &whole); err != nil {
			t.Fatal(err)
		}
		if a.Model == "" || len(a.SHA) != 64 || len(whole.Evidence.Inputs) == 0 || len(whole.Evidence.Frames) == 0 {
			t.Errorf("alarm %s names no model or no evidence: %+v %+v", a.ID, a, whole)
		}
		for _, f := range whole.Evidence.Frames {
			if !strings.HasPrefix(f.Boot, "run-") {
				t.Errorf("alarm %s rests on a frame of boot %q, which was not sent live", a.ID, f.Boot)
			}
		}
	}
	p.Stop()

	q := run(t, t.TempDir(), nil, "--demo", "--limit-rules=false")
	c := client.New(q.addresses["http"], q.token)
	var all struct{ Models []struct{ Name string } }
	if err := q.get("/api/v1/models", &all); err != nil || len(all.Models) < 5 {
		t.Fatalf("models: %+v %v", all, err)
	}
	for _, m := range all.Models {
		if err := c.Do(context.Background(), "POST", "/models/"+url.PathEscape(m.Name)+"/deactivate", "", nil, nil); err != nil {
			t.Fatalf("switch %s off: %v", m.Name, err)
		}
	}
	var live struct {
		Clock struct{ Now time.Time }
	}
	if err := q.get("/api/v1/meta", &live); err != nil || live.Clock.Now.IsZero() {
		t.Fatalf("clock: %+v %v", live, err)
	}
	// With models the first alarm comes in less than half an hour of the demo.
	raised, err := time.Parse(time.RFC3339, first.Alarms[len(first.Alarms)-1].Raised)
	if err != nil {
		t.Fatal(err)
	}
	end := live.Clock.Now.Add(time.Hour)
	harness.Wait(t, 5*time.Minute, fmt.Sprintf("the demo's clock to pass %v", end), func() bool {
		return q.get("/api/v1/meta", &live) == nil && live.Clock.Now.After(end)
	})
	var none standing
	if err := q.get("/api/v1/alarms", &none); err != nil || len(none.Alarms) != 0 {
		t.Errorf("without models and limits there are alarms (with them the first came at %v): %+v %v", raised, none.Alarms, err)
	}
	q.Stop()
}
