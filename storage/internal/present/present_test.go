package present

import (
	"fmt"
	"testing"

	"github.com/mudpulse/mudpulse/storage"
)

// A device that names its channels at random must not make the store slow for all:
// what is known of many names is found in one look at each drill.
func TestWhatIsKnownOfManyNamesIsFoundAtOnce(t *testing.T) {
	m := &Memory{drills: map[string]*Drill{}}
	const names = 30_000
	tags := make([]string, 0, names)
	for _, drill := range []string{"R2", "R1"} {
		d := &Drill{latest: map[string]*storage.Value{}}
		m.drills[drill] = d
		for i := range names {
			d.Keep(fmt.Sprintf("x%d", i), storage.Value{TS: int64(i) + int64(len(tags))})
		}
		if len(tags) == 0 {
			for i := range names {
				tags = append(tags, fmt.Sprintf("X%d", i))
			}
		}
	}
	seen := m.Seen(append(tags, "unheard"))
	if len(seen) != names+1 {
		t.Fatalf("%d names, want %d", len(seen), names+1)
	}
	for _, c := range seen {
		if c.Tag == "X7" && (c.LastSeen != 7+names || len(c.Drills) != 2 || c.Drills[0] != "R1") || c.Tag == "unheard" && (c.LastSeen != 0 || len(c.Drills) != 0) {
			t.Errorf("%+v", c)
		}
	}
}
