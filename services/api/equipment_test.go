package api_test

import (
	"net/url"
	"testing"
)

func TestEquipmentIsDescribedInstalledAmendedAndImported(t *testing.T) {
	w := newWorld(t)
	put := func(path string, body any, status int) answer {
		t.Helper()
		return w.want(w.do("PUT", "/api/v1"+path, body, admin), status)
	}
	kinds := w.get("/api/v1/equipment/kinds", 200)
	kinds.is(t, "kinds.0.name", "bit")
	kinds.is(t, "activities.0.code", "replace")
	put("/sites/NORTH", map[string]any{"name": "North field", "country": "NO"}, 204)
	put("/wells/N-1", map[string]any{"site": "NORTH", "drill": "RIG-07", "spudded": "2026-11-01T00:00:00Z"}, 204)
	w.get("/api/v1/sites", 200).is(t, "wells.0.spudded", "2026-11-01T00:00:00.000Z")
	put("/parts/SN-1", map[string]any{"kind": "bit", "maker": "Acme", "hours_before": 10}, 204)
	put("/parts/B1", map[string]any{"kind": "bearing", "geometry": map[string]float64{"balls": 8, "ball_mm": 41.3, "pitch_mm": 175}}, 204)
	put("/parts/X", map[string]any{"kind": "bit", "geometry": map[string]float64{"balls": 8}}, 422).is(t, "errors.0.location", "body.geometry.balls")
	w.get("/api/v1/parts", 200).is(t, "parts.0.numbers.balls", 8.0)

	install := func(position, serial, from string, status int) answer {
		t.Helper()
		return w.post("/api/v1/equipment/runs", map[string]any{"drill": "RIG-07", "position": position, "serial": serial, "from": from}, status)
	}
	id := install("bit", "SN-1", "2026-11-20T00:00:00Z", 201).at(t, "id").(string)
	install("top_drive/bearing", "B1", "2026-11-19T00:00:00Z", 201).is(t, "name", "top_drive/bearing:B1")
	install("bit", "SN-9", "2026-11-21T00:00:00Z", 404)
	install("bit", "SN-1", "2026-11-20T00:00:00Z", 409)
	install("nose", "SN-1", "2026-11-20T00:00:00Z", 422).is(t, "errors.0.location", "body.position")
	w.post("/api/v1/equipment/runs/"+id+"/move", map[string]any{"from": "2026-11-20T06:00:00Z"}, 200).is(t, "from", "2026-11-20T06:00:00.000Z")
	w.post("/api/v1/equipment/runs/"+id+"/end", map[string]any{"at": "2026-11-22T06:00:00Z", "reason": "worn", "grade": "2-3-CT-S-X-I-NO-TD"}, 200).is(t, "grade", "2-3-CT-S-X-I-NO-TD")
	w.post("/api/v1/equipment/maintenance", map[string]any{"drill": "RIG-07", "position": "top_drive/gearbox", "at": "2026-11-21T00:00:00Z", "activity": "service", "category": "preventive"}, 201).is(t, "resets", false)
	all := w.get("/api/v1/equipment", 200)
	all.is(t, "runs.0.to", "2026-11-22T06:00:00.000Z")
	all.is(t, "runs.1.kind", "bearing")
	all.is(t, "maintenance.0.activity", "service")

	put("/drills/RIG-07/directional", map[string]any{"site": "NORTH", "dogleg_limit": 3}, 204)
	w.get("/api/v1/equipment?drill=RIG-99", 200).is(t, "dogleg_limit", 0.0)
	w.want(w.do("DELETE", "/api/v1/equipment/runs/"+id, nil, admin), 204)
	w.want(w.do("DELETE", "/api/v1/equipment/runs/"+id, nil, admin), 404)

	table := w.post("/api/v1/equipment/import", map[string]any{"table": "what,drill,position,serial,kind,from\npart,,,SN-2,bit,\nrun,RIG-07,bit,SN-2,,2026-11-22T08:00:00Z\nrun,RIG-07,bit,SN-3,,2026-11-22T09:00:00Z\n"}, 200)
	table.is(t, "taken", 2.0)
	table.is(t, "lines.2.line", 4.0)
	w.post("/api/v1/equipment/import", map[string]any{"table": "colour\n"}, 422)
	w.get("/api/v1/drills/RIG-07/trajectory?from="+url.QueryEscape("2026-11-22T12:00:00Z")+"&to=-1h", 422)
}
