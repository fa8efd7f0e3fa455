package equipment

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/services/internal/outbox"
	"github.com/mudpulse/mudpulse/services/internal/relational"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

var day0 = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

func hour(h float64) int64 { return day0.UnixNano() + int64(h*3600e9) }

// registry is one over a fresh store, whose outbox writes nowhere.
func registry(t *testing.T) *Registry {
	t.Helper()
	db, err := relational.Open(context.Background(), filepath.Join(t.TempDir(), "r.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	log := slog.New(slog.DiscardHandler)
	return New(db, telemetry.DefaultCatalogue(), telemetry.NewManualClock(day0.Add(100*time.Hour)), outbox.New(db, nil, telemetry.NewTopics("t."), log), log)
}

// told returns the markers that wait for the log, oldest first, and forgets them.
func told(t *testing.T, r *Registry) []telemetry.Marker {
	t.Helper()
	var out []telemetry.Marker
	err := each(context.Background(), r.db, "SELECT value FROM outbox WHERE kind = 'marker' ORDER BY seq", func(scan func(...any) error) error {
		var raw []byte
		if err := scan(&raw); err != nil {
			return err
		}
		out = append(out, telemetry.Marker{})
		return json.Unmarshal(raw, &out[len(out)-1])
	})
	if err == nil {
		_, err = r.db.Exec("DELETE FROM outbox")
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// line is a run as a test says it: serial from-to in hours.
func line(runs []Run) string {
	var out []string
	for _, x := range runs {
		to := "…"
		if x.To != 0 {
			to = time.Duration(x.To - hour(0)).String()
		}
		out = append(out, x.Serial+" "+time.Duration(x.From-hour(0)).String()+"–"+to)
	}
	return strings.Join(out, ", ")
}

func TestRunsFollowEachOtherWheneverTheyAreTold(t *testing.T) {
	ctx := context.Background()
	r := registry(t)
	for _, s := range []string{"A", "B", "C"} {
		if err := r.PutPart(ctx, Part{Serial: s, Kind: "bit"}, "ann"); err != nil {
			t.Fatal(err)
		}
	}
	install := func(serial string, h float64) Run {
		t.Helper()
		x, err := r.Install(ctx, Run{Drill: "R1", Position: "bit", Serial: serial, From: hour(h), By: "ann"})
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	f := func(runs string, markers ...string) {
		t.Helper()
		list, err := r.Runs(ctx, "R1")
		if err != nil || line(list) != runs {
			t.Errorf("runs %s, want %s, %v", line(list), runs, err)
		}
		var got []string
		for _, m := range told(t, r) {
			if m.Kind != telemetry.MarkerRun || !slices.Equal(m.Drills, []string{"R1"}) || m.Run.Position != "bit" {
				t.Errorf("marker %+v", m)
			}
			got = append(got, m.Action+" "+m.Run.Run+" "+time.Duration(m.From-hour(0)).String())
		}
		if !slices.Equal(got, markers) {
			t.Errorf("told %q, want %q", got, markers)
		}
	}
	a := install("A", 1)
	f("A 1h0m0s–…", "activate bit:A 1h0m0s")
	c := install("C", 50)
	f("A 1h0m0s–50h0m0s, C 50h0m0s–…", "activate bit:C 50h0m0s")
	b := install("B", 20) // told late
	f("A 1h0m0s–20h0m0s, B 20h0m0s–50h0m0s, C 50h0m0s–…", "activate bit:B 20h0m0s")
	if _, err := r.Move(ctx, b.ID, hour(30), "bob"); err != nil {
		t.Fatal(err)
	}
	f("A 1h0m0s–30h0m0s, B 30h0m0s–50h0m0s, C 50h0m0s–…", "activate bit:B 30h0m0s")
	if _, err := r.End(ctx, c.ID, hour(60), "worn", "2-3-CT", "bob"); err != nil {
		t.Fatal(err)
	}
	f("A 1h0m0s–30h0m0s, B 30h0m0s–50h0m0s, C 50h0m0s–60h0m0s", "activate  60h0m0s")
	if err := r.Withdraw(ctx, b.ID, "bob"); err != nil {
		t.Fatal(err)
	}
	f("A 1h0m0s–50h0m0s, C 50h0m0s–60h0m0s", "deactivate bit:B 30h0m0s")
	if err := r.Withdraw(ctx, c.ID, "bob"); err != nil {
		t.Fatal(err)
	}
	f("A 1h0m0s–60h0m0s", "deactivate bit:C 50h0m0s")
	if _, err := r.End(ctx, a.ID, hour(40), "", "", "bob"); err != nil {
		t.Fatal(err)
	}
	f("A 1h0m0s–40h0m0s", "deactivate  60h0m0s", "activate  40h0m0s")

	tx, err := r.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Republish(ctx, tx), tx.Commit()); err != nil {
		t.Fatal(err)
	}
	f("A 1h0m0s–40h0m0s", "activate bit:A 1h0m0s", "activate  40h0m0s")
}

func TestWhatDoesNotFitIsRefusedByNameAndCure(t *testing.T) {
	ctx := context.Background()
	r := registry(t)
	f := func(want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	for _, p := range []Part{{Serial: "A", Kind: "bit"}, {Serial: "B6322", Kind: "bearing"}} {
		if err := r.PutPart(ctx, p, "ann"); err != nil {
			t.Fatal(err)
		}
	}
	run := func(position, serial string, h float64) error {
		_, err := r.Install(ctx, Run{Drill: "R1", Position: position, Serial: serial, From: hour(h)})
		return err
	}
	f(`kind: "wheel": want one of bit`, r.PutPart(ctx, Part{Serial: "X", Kind: "wheel"}, ""))
	f("geometry.balls: a drill bit has diameter_m", r.PutPart(ctx, Part{Serial: "X", Kind: "bit", Geometry: map[string]float64{"balls": 8}}, ""))
	f("geometry.ball_mm: 200 is not below the pitch", r.PutPart(ctx, Part{Serial: "X", Kind: "bearing", Geometry: map[string]float64{"ball_mm": 200, "pitch_mm": 175}}, ""))
	f(`"A" is a bit`, r.PutPart(ctx, Part{Serial: "A", Kind: "bha"}, ""))
	f("want top_drive/bearing", run("bearing", "B6322", 1))
	f("stands by itself: want bit", run("top_drive/bit", "A", 1))
	f(`"wheel" is no kind of part`, run("wheel", "A", 1))
	f("want a kind of part", run("Bit!", "A", 1))
	f("no part \"Z\" is known: describe it first", run("bit", "Z", 1))
	f("\"A\" is a bit; at top_drive/bearing stands a bearing", run("top_drive/bearing", "A", 1))
	f("no time at which equipment changed", run("bit", "A", -1e6))
	f("no time at which equipment changed", run("bit", "A", 24*500))
	if err := run("bit", "A", 1); err != nil {
		t.Fatal(err)
	}
	f("exists", run("bit", "A", 1))
	_, err := r.Install(ctx, Run{Drill: "R2", Position: "bit", Serial: "A", From: hour(9)})
	f("A is at bit of R1 from", err)
	_, err = r.End(ctx, "none", hour(2), "", "", "")
	f("unknown", err)
	_, err = r.Maintain(ctx, Maintenance{Drill: "R1", Position: "top_drive/gearbox", At: hour(3), Activity: "polish", Mode: "ZZZ"}, nil)
	f(`activity: "polish" is no code of ISO 14224 here: want one of replace`, err)
	f(`failure_mode: "ZZZ"`, err)
}

func TestMaintenanceTellsTheStreamWhatBeginsAnew(t *testing.T) {
	ctx := context.Background()
	r := registry(t)
	f := func(activity string, channels string) Maintenance {
		t.Helper()
		m, err := r.Maintain(ctx, Maintenance{Drill: "R1", Position: "top_drive/gearbox", At: hour(5), Activity: activity, By: "ann"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		marks := told(t, r)
		if len(marks) != 1 || !marks[0].Run.Keeps || marks[0].Run.Event != "gearbox_"+activity || strings.Join(marks[0].Run.Channels, " ") != channels {
			t.Errorf("%s: told %+v", activity, marks[0].Run)
		}
		return m
	}
	f("inspection", "")
	m := f("overhaul", "GBOT GBPC TDVEL")
	if err := r.WithdrawMaintenance(ctx, m.ID, "bob"); err != nil {
		t.Fatal(err)
	}
	if marks := told(t, r); len(marks) != 1 || marks[0].Action != "deactivate" || marks[0].Name != "work/"+m.ID {
		t.Errorf("told %+v", marks)
	}
	if list, err := r.MaintenanceOf(ctx, "R1"); err != nil || len(list) != 1 || list[0].Activity != "inspection" {
		t.Errorf("%+v, %v", list, err)
	}
}

// The numbers of research/drilling.md §2.7: a 6322-like bearing.
func TestABearingsGeometryGivesItsDefectFrequencies(t *testing.T) {
	got := numbersOf(map[string]float64{"balls": 8, "ball_mm": 41.3, "pitch_mm": 175})
	for name, want := range map[string]float64{"bpfo": 3.06, "bpfi": 4.94, "bsf": 2.00, "ftf": 0.38, "balls": 8} {
		if math.Abs(got[name]-want) > 0.006 {
			t.Errorf("%s: %v, want %v", name, got[name], want)
		}
	}
	if got := numbersOf(map[string]float64{"pinion_teeth": 21, "wheel_teeth": 84}); got["mesh"] != 21 || got["ratio"] != 4 {
		t.Errorf("gear: %v", got)
	}
}

func TestATableIsTakenLineByLine(t *testing.T) {
	ctx := context.Background()
	r := registry(t)
	table := `what,id,name,drill,position,serial,kind,from,to,reason,balls,ball_mm,pitch_mm,hours_before,activity
site,NORTH,North field,,,,,,,,,,,,
well,N-1,,R1,,,,2026-11-20T01:00:00Z,,,,,,,
part,,,,,SN-1,bit,,,,,,,12.5,
part,,,,,B1,bearing,,,,8,41.3,175,,
part,,,,,SN-2,bit,,,,,,,many,
run,,,R1,bit,SN-1,,2026-11-20T02:00:00Z,2026-11-21T02:00:00Z,worn,,,,,
run,,,R1,top_drive/bearing,B1,,yesterday,,,,,,,
run,,,R1,bit,SN-9,,2026-11-22T02:00:00Z,,,,,,,
maintenance,,,R1,top_drive/gearbox,,,2026-11-20T09:00:00Z,,,,,,,service
feast,,,,,,,,,,,,,,
run,"broken" quote
`
	lines, err := r.Import(ctx, strings.NewReader(table), "ann")
	if err != nil {
		t.Fatal(err)
	}
	want := map[int]string{6: `hours_before: "many" is no number`, 8: `from: "yesterday": want RFC 3339`, 9: `no part "SN-9" is known`, 11: `what: "feast": want site`, 12: "mend the quotes"}
	for _, l := range lines {
		if w, bad := want[l.Line]; bad != (l.Why != "") || !strings.Contains(l.Why, w) || bad == (l.Done != "") {
			t.Errorf("line %d: %+v, want %q", l.Line, l, w)
		}
	}
	if len(lines) != 11 {
		t.Errorf("%d lines", len(lines))
	}
	runs, _ := r.Runs(ctx, "")
	if line(runs) != "SN-1 2h0m0s–26h0m0s" || runs[0].Reason != "worn" {
		t.Errorf("runs %s", line(runs))
	}
	again, err := r.Import(ctx, strings.NewReader(table), "ann")
	if err != nil || again[5].Done != "was there" {
		t.Errorf("again: %+v, %v", again, err)
	}
	for _, bad := range []string{"", "drill\nR1\n", "what,colour\n"} {
		if _, err := r.Import(ctx, strings.NewReader(bad), ""); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// past is an hour of drilling in one-minute buckets, then a trip.
type past struct{}

func (past) Series(_ context.Context, q storage.SeriesQuery) ([]storage.Series, error) {
	var out []storage.Series
	for _, c := range q.Channels {
		s := storage.Series{Channel: c, Width: 60e9}
		for i := range 120 {
			v := map[string]float64{"state": 0, "DBTM": 2000 + float64(i)/3, "RPM": 100, "FLIN": 2000}[c]
			if i >= 60 {
				v = map[string]float64{"state": float64(slices.Index(telemetry.States[:], telemetry.StateTripping)), "DBTM": 1000, "RPM": 0, "FLIN": 0}[c]
			}
			s.T, s.TLast = append(s.T, q.From+int64(i)*60e9), append(s.TLast, q.From+int64(i)*60e9+59e9)
			s.Min, s.Max, s.First, s.Last = append(s.Min, v), append(s.Max, v), append(s.First, v), append(s.Last, v)
		}
		out = append(out, s)
	}
	return out, nil
}

func TestHoursAndMetresOnPartAreCountedFromWhatIsStored(t *testing.T) {
	cat := telemetry.DefaultCatalogue()
	f := func(kind string, hours, metres float64) {
		t.Helper()
		u, err := UseOf(context.Background(), past{}, KindNamed(cat, kind), "R1", hour(0), hour(2), hour(9))
		if err != nil || math.Abs(u.Hours-hours) > 0.02 || math.Abs(u.Metres-metres) > 0.4 {
			t.Errorf("%s: %+v, want %v h, %v m, %v", kind, u, hours, metres, err)
		}
	}
	f("bit", 1, 20)
	f("top_drive", 1, 0)
	f("pump", 1, 0)
	f("brake", 2, 0)
}
