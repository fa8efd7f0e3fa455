package alarms

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/telemetry"
)

// recorded are an hour's records of two rules, as they are written.
func recorded(t *testing.T) (records []json.RawMessage, events []telemetry.AlarmEvent) {
	t.Helper()
	b := newBench(t, `"id":"limit","hysteresis":1,"inputs":["Y"]`, `"id":"model","kind":"model","signal":"M.y","limit":11,"fault":"f"`)
	for i := range 1500 {
		b.values["M.y"] = 11 + 2*math.Sin(float64(i)/150)
		b.feed(10 + 3*math.Sin(float64(i)/100))
	}
	for _, e := range b.events {
		j, err := json.Marshal(&e)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, j)
	}
	if len(records) < 12 {
		t.Fatalf("%d records", len(records))
	}
	return records, b.events
}

func found(r EvidenceReport) string {
	var s []string
	for _, f := range r.Findings {
		s = append(s, f.ID+": "+f.What)
	}
	return strings.Join(s, "\n")
}

func TestAWholeChainVerifiesInAnyOrder(t *testing.T) {
	records, _ := recorded(t)
	r := Check(records, true)
	if len(r.Findings) != 0 || r.Chains != 1 || r.Outside != 0 || r.Records != len(records) {
		t.Errorf("%+v", r)
	}
	again := append(slices.Clone(records), records[3]) // written twice
	slices.Reverse(again)
	if r := Check(again, true); len(r.Findings) != 0 {
		t.Error(found(r))
	}
}

// Check alone cannot see that the end is gone, or that all was computed anew; who kept its head can.
func TestACutOffEndIsFoundByTheHeadThatWasKept(t *testing.T) {
	records, events := recorded(t)
	n := len(records)
	heads := Heads(records[:n-2])
	if len(heads) != 1 || heads[0] != events[n-3].Evidence.Hash || len(Missing(records, heads)) != 0 {
		t.Fatalf("heads %v, missing %v", heads, Missing(records, heads))
	}
	cut := records[:n-3]
	if r := Check(cut, true); len(r.Findings) != 0 {
		t.Errorf("%s", found(r))
	}
	if got := Missing(cut, heads); len(got) != 1 || !strings.Contains(got[0].What, "the end was cut off") {
		t.Errorf("%+v", got)
	}
	prev := ""
	var anew []json.RawMessage
	for _, e := range events { // by who can seal
		ev := *e.Evidence
		e.Evidence, ev.Prev = &ev, prev
		e.Value++
		ev.Hash = Hash(&e)
		prev = ev.Hash
		raw, err := json.Marshal(&e)
		if err != nil {
			t.Fatal(err)
		}
		anew = append(anew, raw)
	}
	if r := Check(anew, true); len(r.Findings) != 0 {
		t.Errorf("%s", found(r))
	}
	if got := Missing(anew, heads); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestWhateverIsDoneToAChainIsFound(t *testing.T) {
	records, events := recorded(t)
	f := func(name string, want string, list []json.RawMessage) {
		t.Helper()
		if got := found(Check(list, true)); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	f("one is taken out", "is missing", slices.Delete(slices.Clone(records), 4, 5))
	f("the first is taken out", "is missing", records[1:])
	changed := events[4]
	changed.Value++
	raw, _ := json.Marshal(&changed)
	f("one is changed", "was changed", slices.Replace(slices.Clone(records), 4, 5, raw))
	ev := *changed.Evidence
	changed.Evidence = &ev
	ev.Hash = Hash(&changed) // sealed again by somebody clever
	raw, _ = json.Marshal(&changed)
	f("one is changed and sealed again", "is missing", slices.Replace(slices.Clone(records), 4, 5, raw))
	f("one is added", "follows the same record", append(slices.Clone(records), raw))
}

func TestAnyChangedByteOfExportedEvidenceIsFound(t *testing.T) {
	records, events := recorded(t)
	id := events[0].ID
	var of []json.RawMessage
	for i := range events {
		if events[i].ID == id {
			of = append(of, records[i])
		}
	}
	commands := []telemetry.Command{{ID: "c1", Kind: "ack", Drill: "RIG-07", Alarm: id, By: "mara", At: t0}}
	raw, err := Export(id, t0, of, commands)
	if err != nil {
		t.Fatal(err)
	}
	b, r := CheckBundle(append(raw, '\n'))
	if len(r.Findings) != 0 || b.Alarm != id || len(b.Commands) != 1 || r.Alarms != 1 {
		t.Fatalf("%+v %s", r, found(r))
	}
	for i := range raw {
		for _, flip := range []byte{1, 0x20} { // 0x20: the other case of a letter
			changed := slices.Clone(raw)
			changed[i] ^= flip
			if _, r := CheckBundle(changed); len(r.Findings) == 0 {
				t.Fatalf("byte %d changed from %q to %q is not found: …%s…", i, raw[i], changed[i], changed[max(0, i-30):min(len(changed), i+30)])
			}
		}
	}
	other, _ := Export(id, t0, of[1:], nil)
	if _, r := CheckBundle(other); !strings.Contains(found(r), "raised 0 times") {
		t.Error(found(r))
	}
	if _, r := CheckBundle([]byte(`{"a":1}`)); len(r.Findings) != 1 {
		t.Errorf("%+v", r)
	}
}
