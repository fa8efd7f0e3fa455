package api_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/services/api/people"
)

func TestAnAnnotationIsWrittenListedAndTakenAwayByWhoMay(t *testing.T) {
	w := newWorld(t)
	mara, olav, guest := w.signIn("Mara", people.Operator), w.signIn("Olav", people.Operator), w.signIn("Guest", people.Viewer)
	text := map[string]any{"drill": "RIG-07", "from": "2026-11-22T11:00:00Z", "to": "2026-11-22T11:20:00Z", "text": "Tight hole, reamed twice"}
	w.want(w.do("POST", "/api/v1/annotations", text, guest), 403)
	made := w.want(w.do("POST", "/api/v1/annotations", text, mara), 201)
	made.is(t, "by", "Mara")
	made.is(t, "told", "2026-11-22T12:00:00.000Z")
	w.post("/api/v1/annotations", map[string]any{"drill": "RIG-99", "from": "2026-11-22T11:00:00Z", "text": "x"}, 404)
	w.post("/api/v1/annotations", map[string]any{"drill": "RIG-07", "from": "2026-11-22T13:00:00Z", "to": "2026-11-22T12:59:00Z", "text": "x"}, 422).is(t, "errors.0.location", "body.to")

	list := w.want(w.do("GET", "/api/v1/annotations?drill=RIG-07&from=2026-11-22T11:10:00Z&to=2026-11-22T11:15:00Z", nil, guest), 200)
	list.is(t, "annotations.0.text", "Tight hole, reamed twice")
	list.is(t, "annotations.0.from", "2026-11-22T11:00:00.000Z")
	w.get("/api/v1/annotations?drill=RIG-08", 200).is(t, "annotations.0", nil)
	w.get("/api/v1/annotations", 200).is(t, "annotations.0.drill", "RIG-07")
	w.get("/api/v1/annotations?from=now&to=-1h&limit=0", 422)

	id := made.at(t, "id").(string)
	refused := w.want(w.do("DELETE", "/api/v1/annotations/"+id, nil, olav), 403)
	if d := refused.at(t, "detail").(string); !strings.Contains(d, "Mara") {
		t.Error("who may is not said: ", d)
	}
	w.want(w.do("DELETE", "/api/v1/annotations/"+id, nil, mara), 204)
	w.want(w.do("DELETE", "/api/v1/annotations/"+id, nil, admin), 404)
	again := w.want(w.do("POST", "/api/v1/annotations", text, mara), 201).at(t, "id").(string)
	w.want(w.do("DELETE", "/api/v1/annotations/"+again, nil, admin), 204)

	audit := string(w.get("/api/v1/audit?limit=20", 200).body)
	for _, want := range []string{`"annotate"`, `"remove-annotation"`, "was, by Mara: Tight hole, reamed twice"} {
		if !strings.Contains(audit, want) {
			t.Errorf("the audit lacks %s: %s", want, audit)
		}
	}
}

func TestSeriesAreToldAsTheyWereKnownThen(t *testing.T) {
	w := newWorld(t)
	f := func(known string, want int64, said any) {
		t.Helper()
		a := w.get("/api/v1/drills/RIG-07/series?channels=health&known_at="+url.QueryEscape(known), 200)
		a.is(t, "known_at", said)
		if w.store.asked.KnownAt != want {
			t.Errorf("known_at %q asks the store for %d, want %d", known, w.store.asked.KnownAt, want)
		}
	}
	f("", 0, nil)
	f("2026-11-22T11:30:00Z", noon.UnixNano()-1800e9, "2026-11-22T11:30:00.000Z")
	f("-30m", noon.UnixNano()-1800e9, "2026-11-22T11:30:00.000Z")
	w.get("/api/v1/drills/RIG-07/series?channels=health&known_at=yesterday", 422).is(t, "errors.0.location", "query.known_at")
}
