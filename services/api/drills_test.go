package api_test

import (
	"testing"

	"github.com/mudpulse/mudpulse/storage"
)

func TestDrillsComeAPageAtATime(t *testing.T) {
	w := newWorld(t)
	w.store.drills = nil
	for _, id := range []string{"RIG-01", "RIG-02", "RIG-03", "RIG-07"} {
		w.store.drills = append(w.store.drills, storage.Drill{Drill: id})
	}
	if err := w.api.Hub().Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := func(query string, want ...any) {
		t.Helper()
		a := w.get("/api/v1/drills"+query, 200)
		if got := len(a.at(t, "drills").([]any)); got != len(want) {
			t.Fatalf("%s: %d drills, want %d", query, got, len(want))
		}
		for i, id := range want {
			a.is(t, "drills."+string(rune('0'+i))+".id", id)
		}
	}
	f("", "RIG-01", "RIG-02", "RIG-03", "RIG-07")
	f("?limit=2", "RIG-01", "RIG-02")
	f("?limit=2&after=RIG-02", "RIG-03", "RIG-07")
	f("?after=RIG-04", "RIG-07") // one that is not there has a place too
	f("?after=RIG-07")
	w.get("/api/v1/drills?limit=0", 422)
}
