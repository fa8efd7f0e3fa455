package annotations_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/services/annotations"
	"github.com/mudpulse/mudpulse/services/internal/relational"
	"github.com/mudpulse/mudpulse/telemetry"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, path string) *annotations.Book {
	t.Helper()
	db, err := relational.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return annotations.New(db, telemetry.NewManualClock(noon))
}

func texts(list []annotations.Annotation) string {
	var all []string
	for _, a := range list {
		all = append(all, a.Text)
	}
	return strings.Join(all, ", ")
}

func TestWhatIsWrittenIsFoundByItsTimeAlsoAfterARestart(t *testing.T) {
	path, ctx := filepath.Join(t.TempDir(), "m.db"), t.Context()
	b := open(t, path)
	at := func(min int) int64 { return noon.Add(time.Duration(min) * time.Minute).UnixNano() }
	write := func(drill, text string, from, to int) {
		t.Helper()
		a, err := b.Add(ctx, annotations.Annotation{Drill: drill, From: at(from), To: at(to), Text: text, By: "Mara"})
		if err != nil || a.ID == "" || a.Told != noon.UnixNano() {
			t.Fatal(a, err)
		}
	}
	write("RIG-07", "tight hole", -60, -40)
	write("RIG-07", "new mud", -30, -30)
	write("RIG-08", "other rig", -30, -30)
	b = open(t, path)
	f := func(drill string, from, to, limit int, want string) {
		t.Helper()
		list, err := b.List(ctx, annotations.Query{Drill: drill, From: at(from), To: at(to), Limit: limit})
		if got := texts(list); err != nil || got != want {
			t.Errorf("%s %d to %d: %q, %v; want %q", drill, from, to, got, err, want)
		}
	}
	f("RIG-07", -120, 0, 0, "new mud, tight hole")
	f("RIG-07", -50, -45, 0, "tight hole") // within it
	f("RIG-07", -40, -31, 0, "tight hole") // its last moment
	f("RIG-07", -39, -31, 0, "")
	f("RIG-07", -30, -30, 0, "new mud")
	f("RIG-07", -120, 0, 1, "new mud")
	f("", -30, 0, 0, "new mud, other rig")
}

func TestWhatIsWrongWithOneIsSaidWhole(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "m.db"))
	_, err := b.Add(t.Context(), annotations.Annotation{Drill: "no/drill", From: noon.UnixNano(), To: noon.Add(time.Hour).UnixNano()})
	var bad *annotations.Invalid
	if !errors.As(err, &bad) || len(bad.Problems) != 3 {
		t.Fatalf("%v", err)
	}
	for i, want := range []string{"drill: ", "text: must have 1 to 2000", "to: must not be later than now, 2026-11-22T12:00:00Z"} {
		if !strings.HasPrefix(bad.Problems[i].Error(), want) {
			t.Errorf("%v, want %s", bad.Problems[i], want)
		}
	}
	_, err = b.Add(t.Context(), annotations.Annotation{Drill: "R", Text: "x", From: noon.UnixNano(), To: noon.UnixNano() - 1})
	if err == nil || !strings.Contains(err.Error(), "to: must not be before from") {
		t.Error(err)
	}
	if list, err := b.List(t.Context(), annotations.Query{To: noon.UnixNano()}); err != nil || len(list) != 0 {
		t.Error("what is refused is kept:", list, err)
	}
}

func TestOnlyItsAuthorOrWhoMayRemoveAnybodysTakesItAway(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "m.db"))
	ctx := t.Context()
	a, err := b.Add(ctx, annotations.Annotation{Drill: "RIG-07", From: noon.UnixNano(), Text: "x", By: "Mara"})
	if err != nil || a.To != a.From {
		t.Fatal(a, err)
	}
	if _, err := b.Remove(ctx, a.ID, "Olav", false); !errors.Is(err, annotations.ErrOthers) || !strings.Contains(err.Error(), "Mara") {
		t.Error(err)
	}
	if was, err := b.Remove(ctx, a.ID, "Olav", true); err != nil || was.Text != "x" {
		t.Error(was, err)
	}
	if _, err := b.Remove(ctx, a.ID, "Mara", false); !errors.Is(err, annotations.ErrUnknown) {
		t.Error(err)
	}
}
