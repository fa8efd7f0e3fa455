package duckdb

import (
	"fmt"
	"testing"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Which version judged, from when to when: each mark ends what stood before it in
// the same role, and a version beside or on some drills ends nothing.
func TestDecidedSaysWhichVersionJudged(t *testing.T) {
	s := open(t, t.TempDir())
	mark := func(id, action string, version int, at int64, change func(*telemetry.Marker)) telemetry.Marker {
		m := telemetry.Marker{ID: id, Kind: telemetry.MarkerModel, Name: "wash", Version: version, Action: action, At: t0 + at*1e9}
		if change != nil {
			change(&m)
		}
		return m
	}
	b := storage.Batch{Arrived: t0, Markers: []telemetry.Marker{
		mark("a", "activate", 1, 0, nil),
		mark("b", "activate", 2, 10, func(m *telemetry.Marker) { m.Shadow = true }),
		mark("c", "activate", 2, 20, nil),
		mark("d", "activate", 1, 30, nil), // rolled back
		mark("e", "deactivate", 1, 40, nil),
	}}
	if err := s.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	var got string
	q := fmt.Sprintf(`SELECT string_agg(format('{} {} {}–{}', version, role, (epoch_us(since) - %[1]d) // 1000000, coalesce(((epoch_us(until) - %[1]d) // 1000000)::VARCHAR, '')), ', ' ORDER BY since) FROM decided WHERE model = 'wash'`, t0/1000)
	if err := s.db.QueryRow(q).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if want := "1 on 0–20, 2 shadow 10–, 2 on 20–30, 1 on 30–40"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
