package api_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

func linesOf(t *testing.T, a answer) []map[string]any {
	t.Helper()
	var out struct {
		Lines []map[string]any `json:"lines"`
	}
	if err := json.Unmarshal(a.body, &out); err != nil {
		t.Fatal(err)
	}
	return out.Lines
}

func TestASpectrumNamesTheLinesOfTheBearingThatWasInPlace(t *testing.T) {
	w := newWorld(t)
	w.want(w.do("PUT", "/api/v1/parts/B1", map[string]any{"kind": "bearing", "geometry": map[string]float64{"balls": 8, "ball_mm": 41.3, "pitch_mm": 175}}, admin), 204)
	w.get("/api/v1/drills/RIG-07/waveforms", 200).is(t, "waveforms.0.channel", "TDACC")
	w.get("/api/v1/drills/RIG-07/waveforms", 200).is(t, "waveforms.0.rate_hz", 12800.0)
	w.get("/api/v1/drills/RIG-07/waveforms?to=-2h", 200)
	const one = "/api/v1/drills/RIG-07/spectrum?channel=TDACC&at=2026-11-22T11:59:00.000Z"
	before := w.get(one, 200)
	before.is(t, "lines.0.name", "shaft")
	before.is(t, "lines.0.hz", 20.0)
	if n := len(linesOf(t, before)); n != 1 {
		t.Errorf("%d lines where no bearing is known", n)
	}
	w.post("/api/v1/equipment/runs", map[string]any{"drill": "RIG-07", "position": "top_drive/bearing", "serial": "B1", "from": "2026-11-20T06:00:00Z"}, 201)
	got := w.get(one, 200)
	lines := map[string]map[string]any{}
	for _, l := range linesOf(t, got) {
		lines[l["name"].(string)] = l
	}
	near := func(name, field string, want, within float64) {
		t.Helper()
		if v, ok := lines[name][field].(float64); !ok || math.Abs(v-want) > within {
			t.Errorf("%s: %s is %v, want %v", name, field, lines[name][field], want)
		}
	}
	near("shaft", "amplitude", 1, 0.16)
	near("bpfo", "hz", 61.1, 0.1)
	near("bpfo", "amplitude", 0.5, 0.08)
	near("bpfi", "hz", 98.9, 0.1)
	near("bpfi", "amplitude", 0, 0.01)
	if lines["bpfo"]["part"] != "top_drive/bearing:B1" || len(lines) != 5 {
		t.Errorf("%v", lines)
	}
	if v, ok := lines["bpfo"]["height"].(float64); !ok || v < 100 { // a clean tone: nothing but its skirt is around it
		t.Errorf("bpfo stands %v over what is around it", lines["bpfo"]["height"])
	}
	w.want(w.do("PUT", "/api/v1/parts/G1", map[string]any{"kind": "gearbox", "geometry": map[string]float64{"pinion_teeth": 21, "wheel_teeth": 210}}, admin), 204)
	w.post("/api/v1/equipment/runs", map[string]any{"drill": "RIG-07", "position": "top_drive/gearbox", "serial": "G1", "from": "2026-11-20T06:00:00Z"}, 201)
	for _, l := range linesOf(t, w.get(one, 200)) {
		lines[l["name"].(string)] = l
	}
	near("mesh", "hz", 420, 0.1)
	if lines["mesh"]["part"] != "top_drive/gearbox:G1" || len(lines) != 6 {
		t.Errorf("%v", lines)
	}
	var few struct {
		Hz []float64 `json:"hz"`
	}
	if err := json.Unmarshal(w.get(one+"&to=500", 200).body, &few); err != nil || len(few.Hz) != 640 || few.Hz[639] != 500 {
		t.Errorf("up to 500 Hz: %d lines, %v", len(few.Hz), err)
	}
	w.get(one+"&envelope_low=2500&envelope_high=3500", 200).is(t, "envelope_hz.1", 3500.0)
	w.get(one+"&envelope_low=2500", 422)
	w.get("/api/v1/drills/RIG-07/spectrum?channel=TDACC&at=2026-11-22T11:58:00.000Z", 404)
	w.get("/api/v1/drills/RIG-07/spectrum?channel=WOB&at=2026-11-22T11:59:00.000Z", 404)
	w.get("/api/v1/drills/RIG-99/waveforms", 404)
}

func TestADrillIsShownAsItWasScoredAtAMoment(t *testing.T) {
	w := newWorld(t)
	at := func(before time.Duration, health float64) *telemetry.Score {
		return &telemetry.Score{Drill: "RIG-07", Tick: noon.Add(-before).UnixNano(), State: telemetry.StateRotary, Health: health, Confidence: 1}
	}
	w.store.scores = []*telemetry.Score{at(3*time.Hour, 90), at(2*time.Hour, 61), at(0, 31)}
	f := func(when, field string, want any) {
		t.Helper()
		w.get("/api/v1/drills/RIG-07?at="+when, 200).is(t, field, want)
	}
	f("2026-11-22T10:00:00Z", "health", 61.0)
	f("2026-11-22T10:14:00Z", "health", 61.0) // the last before, as history has one a minute
	f("2026-11-22T10:14:00Z", "score_tick", "2026-11-22T10:00:00.000Z")
	f("2026-11-22T10:14:00Z", "last_ts", "2026-11-22T10:00:00.000Z")
	f("2026-11-22T09:59:59Z", "health", nil) // the one an hour before is none of then
	f("2026-11-22T09:59:59Z", "state", "unknown")
	f("-3h", "health", 90.0)
	w.get("/api/v1/drills/RIG-07?at=yesterday", 422)
	w.get("/api/v1/drills/RIG-99?at=-3h", 404)
}
