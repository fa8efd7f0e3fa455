package rescore

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// judges returns by which models the last version of each second is, in spans.
func (w *world) judges() string {
	w.t.Helper()
	rows, err := w.store.SQL().Query("SELECT epoch_us(tick), string_agg(DISTINCT model, '+' ORDER BY model) FROM outputs WHERE drill = 'RIG-01' GROUP BY tick ORDER BY tick")
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	was := ""
	for rows.Next() {
		var at int64
		var by string
		if err := rows.Scan(&at, &by); err != nil {
			w.t.Fatal(err)
		}
		if by != was {
			out = append(out, fmt.Sprintf("%d %s", (at*1000-t0)/sec, by))
			was = by
		}
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return strings.Join(out, ", ")
}

// A second is scored again by the models that judged it, unless those of now are asked for.
func TestASpanIsScoredAgainByTheModelsOfItsTime(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 1))
	all := frames(2000, rng)
	switchTo := func(name string, version int, at int64, action string) *telemetry.Marker {
		return &telemetry.Marker{ID: fmt.Sprintf("%s-%d-%s", name, version, action), Kind: telemetry.MarkerModel, Name: name, Version: version, SHA256: "x", Action: action, At: t0 + at*sec}
	}
	play := func(w *world, part []*telemetry.Frame) {
		for from := 0; from < len(part); from += 250 {
			p := part[from:min(from+250, len(part))]
			w.take(p, p[len(p)-1].TS+sec)
		}
	}
	w := &world{}
	stream := func(keep func(*telemetry.Frame) bool) map[int64][]float64 {
		w = newWorld(t) // m@1 before anything
		var kept []*telemetry.Frame
		for _, f := range all {
			if keep(f) {
				kept = append(kept, f)
			}
		}
		cut := func(second int64) int {
			return slices.IndexFunc(kept, func(f *telemetry.Frame) bool { return f.TS >= t0+second*sec })
		}
		a, b, c := cut(500), cut(1000), cut(1500)
		play(w, kept[:a])
		w.mark(switchTo("m", 2, 500, "activate"))
		play(w, kept[a:b])
		w.mark(switchTo("n", 1, 1000, "activate"))
		play(w, kept[b:c])
		w.mark(switchTo("n", 1, 1500, "deactivate"))
		play(w, kept[c:])
		return w.last()
	}
	want := stream(func(*telemetry.Frame) bool { return true })
	const told = "0 m@1, 500 m@2, 1000 m@2+n@1, 1500 m@2"
	if got := w.judges(); got != told {
		t.Fatalf("the stream: %s", got)
	}
	late := func(f *telemetry.Frame) bool { return f.Seq%100 >= 40 }
	for _, f := range []struct{ models, judges string }{{Then, told}, {Now, "0 m@2"}} {
		stream(late)
		w.take(slices.DeleteFunc(slices.Clone(all), late), t0+1e13)
		if n, _ := differ(w.last(), want); n < 700 {
			t.Fatalf("only %d seconds suffer", n)
		}
		j, err := New(DefaultConfig(filepath.Join(t.TempDir(), "rescore.json")), w.deps())
		if err != nil {
			t.Fatal(err)
		}
		x, err := j.Add("RIG-01", f.models, time.Unix(0, t0), time.Unix(0, t0+2000*sec), "ann")
		if err != nil {
			t.Fatal(err)
		}
		run(t, j, func() bool { return finished(j, x.ID) })
		if got := w.judges(); got != f.judges {
			t.Errorf("by models of %s: %s, want %s", f.models, got, f.judges)
		}
		if n, first := differ(w.last(), want); f.models == Then && n > 0 {
			t.Errorf("%d seconds differ from a stream without late frames: %s", n, first)
		}
	}
}

// History that is older than the platform is judged by what was installed first; what is new, from when it was switched on.
func TestWhatCameBeforeThePlatformIsJudgedByItsFirstModels(t *testing.T) {
	m := func(id, name string, at int64, action string) telemetry.Marker {
		return telemetry.Marker{ID: id, Kind: telemetry.MarkerModel, Name: name, At: at * sec, Action: action}
	}
	all := []telemetry.Marker{ // newest first, as the store gives them
		m("6", "new", 90000, "activate"), m("5", "a", 80000, "deactivate"), m("4", "a", 70000, "activate"),
		{ID: "3", Kind: telemetry.MarkerRun, Name: "r", Drills: []string{"RIG-02"}}, m("2", "b", 1005, "activate"), m("1", "a", 1000, "activate"),
	}
	said := func(marks []mark) string {
		var out []string
		for _, x := range marks {
			at := "always"
			if x.from != always {
				at = fmt.Sprint(x.from / sec)
			}
			out = append(out, x.ID+" "+at)
		}
		return strings.Join(out, ", ")
	}
	f := func(got []mark, want string) {
		t.Helper()
		if s := said(got); s != want {
			t.Errorf("%s, want %s", s, want)
		}
	}
	f(inForce(all, "RIG-01", Then), "1 always, 2 always, 4 70000, 5 80000, 6 90000")
	f(inForce(all, "RIG-02", Now), "2 always, 3 always, 6 always")
	f(within(inForce(all, "RIG-01", Then), 100*sec, 75000*sec), "1 always, 2 always, 4 70000")
	f(within(inForce(all, "RIG-01", Then), 85000*sec+longest, 86000*sec+longest), "2 always, 6 90000")
	f(within(inForce(all, "RIG-01", Then), 95000*sec+longest, 96000*sec+longest), "2 always, 6 90000")
}
