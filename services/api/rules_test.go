package api_test

import (
	"encoding/json"
	"testing"

	"github.com/mudpulse/mudpulse/services/alarms"
)

func TestRulesHaveVersionsAndAnEarlierOneComesBack(t *testing.T) {
	w := newWorld(t)
	set := alarms.Default()
	put := func(note string) {
		t.Helper()
		raw, err := json.Marshal(set)
		if err != nil {
			t.Fatal(err)
		}
		w.want(w.do("PUT", "/api/v1/rules?untried=true&note="+note, raw, admin), 202)
	}
	before := int(w.get("/api/v1/rules/versions", 200).at(t, "versions.0.version").(float64))
	limit := set.Rules[0].Limit
	put("as+it+was")
	set.Rules[0].Limit, set.Rules[1].Off = limit+1, true
	put("too+many+false+ones")
	got := w.get("/api/v1/rules/versions", 200)
	got.is(t, "versions.0.version", float64(before+2))
	got.is(t, "versions.0.note", "untried: too many false ones")
	got.is(t, "versions.0.off", 1.0)
	got.is(t, "versions.1.note", "as it was")
	got.is(t, "versions.1.by", "admin")

	w.post("/api/v1/rules/versions/99/restore", map[string]any{"note": "x"}, 404)
	w.post("/api/v1/rules/versions/1/restore", map[string]any{"note": ""}, 422)
	set.Rules[0].Limit = limit + 2
	raw, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	for _, untried := range []string{"", "?note=we+know+better", "?untried=true", "?untried=true&note=+"} {
		w.want(w.do("PUT", "/api/v1/rules"+untried, raw, admin), 409).says(t, "were not tried on the past: POST them to /rules/trials")
	}
	back := w.post("/api/v1/rules/versions/2/restore", map[string]any{"note": "the new limit cried wolf"}, 202)
	back.is(t, "version", float64(before+3))
	back.is(t, "note", "version 2 again: the new limit cried wolf")
	back.is(t, "rules.0.limit", limit)
	if back.at(t, "marker") == "" {
		t.Error("no marker says when it holds")
	}
	w.get("/api/v1/rules", 200).is(t, "rules.0.limit", limit)
	w.get("/api/v1/rules/versions/3", 200).is(t, "rules.0.limit", limit+1)
	w.get("/api/v1/rules/versions/99", 404)

	w.want(w.do("PUT", "/api/v1/rules", []byte(`{"rules":[{"id":"x","kind":"limit","op":"=<"}]}`), admin), 422).says(t, `rule x: op: \"=<\" is none of`)
	w.want(w.do("POST", "/api/v1/rules/trials", []byte(`{"rules":[]}`), admin), 409).says(t, "no past to try rules on")
	w.get("/api/v1/rules/trials/NONE", 404)
}
