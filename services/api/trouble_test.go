package api_test

import (
	"os"
	"testing"

	"github.com/mudpulse/mudpulse/services/api"
	"github.com/mudpulse/mudpulse/services/models"
)

func TestAModelThatFailsIsNamedOnItsPageWithItsReason(t *testing.T) {
	w := newWorld(t, func(_ *api.Config, d *api.Deps) {
		d.Engine = models.PMML{}
		d.ModelStatus = func() []api.ModelStatus {
			return []api.ModelStatus{{Name: "bearing", Version: 1, Errors: 120, Since: noon.UnixNano() - 60e9, Last: noon.UnixNano(), Drill: "RIG-07", Why: "model bearing@1: failed inside: index out of range [7]"},
				{Name: "other", Version: 1}}
		}
	})
	pmml, err := os.ReadFile("../../simulators/models/cooling.pmml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bearing", "other"} {
		w.want(w.do("POST", "/api/v1/models?name="+name, pmml, admin.with(header{"Content-Type": "application/xml"})), 201)
		w.post("/api/v1/models/"+name+"/activate", map[string]any{"version": 1}, 202)
	}
	bad := w.get("/api/v1/models/bearing", 200)
	bad.is(t, "trouble.rows", 120.0)
	bad.is(t, "trouble.why", "model bearing@1: failed inside: index out of range [7]")
	bad.is(t, "trouble.drill", "RIG-07")
	bad.is(t, "trouble.since", "2026-11-22T11:59:00.000Z")
	bad.is(t, "errors", 120.0)
	w.get("/api/v1/models/other", 200).is(t, "errors", 0.0)
}
