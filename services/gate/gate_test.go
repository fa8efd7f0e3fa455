package gate

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/services/internal/outbox"
	"github.com/mudpulse/mudpulse/services/internal/relational"
	"github.com/mudpulse/mudpulse/services/models"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// The test's own binary is the process that works, when it is told to be.
func TestMain(m *testing.M) {
	if os.Getenv("GATE_WORKER") != "" {
		Niced()
		if err := Work(context.Background(), os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// past is a store of three drills, a frame a minute for a day. On A the standpipe
// pressure falls from 06:00 to its failure at 12:00; on B it dips for an hour; on C
// it holds.
type past struct {
	commands []telemetry.Command
	events   []telemetry.AlarmEvent
	fail     error
	asked    int
}

func (p *past) Drills() []storage.Drill {
	var out []storage.Drill
	for _, d := range []string{"A", "B", "C"} {
		out = append(out, storage.Drill{Drill: d, First: noon.Add(-12 * time.Hour).UnixNano(), Last: noon.Add(12 * time.Hour).UnixNano(), Frames: 1440})
	}
	return out
}

func (p *past) Replay(ctx context.Context, q storage.ReplayQuery, f func(*telemetry.Frame) error) (storage.Replayed, error) {
	p.asked++
	if p.fail != nil {
		return storage.Replayed{}, p.fail
	}
	for m := range 1440 {
		at := noon.Add(time.Duration(m-720) * time.Minute)
		spp := 22.0
		switch {
		case q.Drill == "A" && m >= 360 && m < 720:
			spp = 22 - float64(m-360)/30
		case q.Drill == "B" && m >= 600 && m < 660:
			spp = 17.5
		}
		x := &telemetry.Frame{Drill: q.Drill, Device: "edr", Boot: "b", Seq: uint64(m + 1), TS: at.UnixNano(), Runs: []telemetry.Run{{Channel: "SPP", Every: 1e8, Values: []float64{spp, spp}}}}
		x.Hash = telemetry.ContentHash(x)
		if err := f(x); err != nil {
			return storage.Replayed{}, err
		}
	}
	return storage.Replayed{Frames: 1440}, nil
}

func (p *past) AlarmEvents(_ context.Context, q storage.AlarmQuery) ([]telemetry.AlarmEvent, error) {
	var out []telemetry.AlarmEvent
	for _, e := range p.events {
		if e.ID == q.ID {
			out = append(out, e)
		}
	}
	return out, nil
}

func (p *past) Commands(context.Context, storage.CommandQuery) ([]telemetry.Command, error) {
	return p.commands, nil
}

type memory1 map[string][]byte

func (s memory1) Put(_ context.Context, b []byte) (string, error) {
	k := fmt.Sprintf("%064x", len(s)+1)
	s[k] = b
	return k, nil
}
func (s memory1) Fetch(_ context.Context, k string) ([]byte, error) { return s[k], nil }

// wash is a model that finds a pressure below a limit unwell, and says that so many hours are left.
func wash(limit, left float64) []byte {
	return fmt.Appendf(nil, `<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/>
<DataDictionary><DataField name="SPP" optype="continuous" dataType="double"/><DataField name="y" optype="continuous" dataType="double"/></DataDictionary>
<TreeModel modelName="wash" functionName="regression"><MiningSchema><MiningField name="SPP"/><MiningField name="y" usageType="target"/></MiningSchema>
<Output><OutputField name="health_hydraulics" feature="predictedValue" dataType="double" optype="continuous"/>
<OutputField name="time_left_h" feature="transformedValue" dataType="double" optype="continuous"><Constant dataType="double">%g</Constant></OutputField></Output>
<Node score="90"><True/><Node score="20"><SimplePredicate field="SPP" operator="lessThan" value="%g"/></Node><Node score="90"><SimplePredicate field="SPP" operator="greaterOrEqual" value="%[2]g"/></Node></Node></TreeModel></PMML>`, left, limit)
}

const rules = `{"version":1,"rules":[
{"id":"washout","kind":"model","title":"Wash-out","subsystem":"hydraulics","priority":2,"signal":"wash.health_hydraulics","op":"<","limit":50,"reason":"is {value}","advice":"look"},
{"id":"washout-limit","kind":"limit","title":"Pressure low","subsystem":"hydraulics","priority":3,"signal":"SPP","op":"<","limit":14,"under":["washout"],"reason":"is {value}","advice":"look"}]}`

type world struct {
	t     *testing.T
	reg   *models.Registry
	store *past
	run   *Runner
	told  []string
}

func newWorld(t *testing.T, worker bool) *world {
	t.Helper()
	db, err := relational.Open(t.Context(), filepath.Join(t.TempDir(), "m.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	blobs := memory1{}
	w := &world{t: t, store: &past{}}
	w.reg = models.New(db, blobs, models.PMML{}, telemetry.DefaultCatalogue(), nil, telemetry.NewManualClock(noon), outbox.New(db, nil, telemetry.NewTopics(telemetry.DefaultPrefix), log), log)
	w.reg.Gated()
	if _, _, err := w.reg.PutRules(t.Context(), []byte(rules), "E. Haddad", "the first of this test", true); err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	if worker {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("GATE_WORKER", "1")
		cfg.Worker = []string{exe}
	}
	if w.run, err = New(cfg, w.reg, blobs, w.store, telemetry.DefaultCatalogue(), log, func(name string) { w.told = append(w.told, name) }); err != nil {
		t.Fatal(err)
	}
	return w
}

// on uploads a version and puts it on, whatever its report would say.
func (w *world) on(pmml []byte) {
	w.t.Helper()
	v := w.upload(pmml)
	if _, err := w.reg.Activate(w.t.Context(), "wash", v, false, nil, "E. Haddad"); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) upload(pmml []byte) int {
	w.t.Helper()
	v, err := w.reg.Upload(w.t.Context(), models.Upload{Name: "wash", PMML: pmml, By: models.Itself})
	if err != nil {
		w.t.Fatal(err)
	}
	return v.Version
}

func (w *world) label(drill, kind string, from, to time.Time) {
	w.t.Helper()
	if err := w.reg.AddLabels(w.t.Context(), []models.Label{{Drill: drill, Kind: kind, From: from.UnixNano(), To: to.UnixNano()}}, "E. Haddad"); err != nil {
		w.t.Fatal(err)
	}
}

// test uploads a version and has it tested.
func (w *world) test(pmml []byte) (models.Standing, *Report) {
	w.t.Helper()
	v := w.upload(pmml)
	if err := w.run.Ask(w.t.Context(), "wash", v, ""); err != nil {
		w.t.Fatal(err)
	}
	if err := w.run.Work(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	s, err := w.reg.Standing(w.t.Context(), "wash", v)
	if err != nil {
		w.t.Fatal(err)
	}
	var r Report
	if s.Report != nil {
		if err := json.Unmarshal(s.Report, &r); err != nil {
			w.t.Fatal(err)
		}
	}
	return s, &r
}

func TestAWorseModelIsToldByHowMuchAndOnWhichFailures(t *testing.T) {
	f := func(name string, limit, left float64, verdict string, want ...string) {
		t.Helper()
		w := newWorld(t, false)
		w.label("A", "washout", noon.Add(-6*time.Hour), noon)
		w.on(wash(16, 3))
		s, r := w.test(wash(limit, left))
		all := strings.Join(append(append(slices.Clone(s.Why), r.For...), r.Lead), "\n")
		if s.State != models.Done || s.Verdict != verdict {
			t.Errorf("%s: %s %s: %s", name, s.State, s.Verdict, all)
		}
		for _, x := range want {
			if !strings.Contains(all, x) {
				t.Errorf("%s: no word of %q in\n%s", name, x, all)
			}
		}
		if verdict == models.Worse {
			_, _, err := w.reg.Promote(t.Context(), models.Promotion{Name: "wash", Version: 2, By: "E. Haddad"})
			if err == nil || !strings.Contains(err.Error(), want[0]) {
				t.Errorf("%s: promoted: %v", name, err)
			}
			if _, _, err = w.reg.Promote(t.Context(), models.Promotion{Name: "wash", Version: 2, By: "E. Haddad", Override: "A is to be scrapped in March"}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		} else if _, _, err := w.reg.Promote(t.Context(), models.Promotion{Name: "wash", Version: 2, By: "E. Haddad"}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	f("deaf", 5, 3, models.Worse, "it misses 1 failure that wash 1 warned of: A, washout, 2026-11-20 (3.0 h ahead)", "plain limits alone warn of 1 of 1 failures, it of 0")
	f("nervous", 18, 3, models.Worse, "1 false alarm more: 10.", "B, 20 Nov, washout", "wash 2 is worse than wash 1: ")
	f("late", 13, 3, models.Worse, "it warns 1.5 h later: the middle one of 1 failure by 1.5 h, not 3.0 h; as A, washout, 2026-11-20 (1.5 h ahead, not 3.0 h)")
	f("vague", 16, 30, models.Worse, "it tells the hours left worse: off by 27.")
	f("early", 17.4, 3, models.Better, "it warns 42 min sooner: the middle one of 1 failure by 3.7 h, not 3.0 h")
	f("alike", 16.01, 3, models.Same, "wash 2 raises the same alarms as wash 1.")
}

func TestTheReportCountsEpisodesBesideWhatIsOnAndLimits(t *testing.T) {
	w := newWorld(t, true) // in a process of its own
	w.label("A", "washout", noon.Add(-6*time.Hour), noon)
	w.on(wash(16, 3))
	_, r := w.test(wash(18, 3))
	if len(r.Arms) != 3 || r.Arms[0].Name != "wash 2" || r.Arms[1].Name != "wash 1" || r.Arms[2].Name != "limits" {
		t.Fatalf("arms %+v", r.Arms)
	}
	type row struct{ alarms, caught, of, false int }
	var got []row
	for _, a := range r.Arms {
		got = append(got, row{a.Alarms, a.Caught, a.Of, a.False})
	}
	if want := []row{{2, 1, 1, 1}, {1, 1, 1, 0}, {1, 1, 1, 0}}; !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if r.Gained != 1 || r.Earlier != 1 || r.Lost != 0 || r.Later != 0 {
		t.Errorf("%+v", r.Changes)
	}
	if c := r.Changes[0]; c.How != "gained" || c.Drill != "B" || c.True != "no" || c.At != "2026-11-20T10:00:00Z" {
		t.Errorf("%+v", c)
	}
	if f := r.Failures[0]; f.Drill != "A" || f.Leads[0] < 3.9 || f.Leads[0] > 4 || f.Leads[2] >= f.Leads[1] {
		t.Errorf("%+v", f)
	}
	if p := r.Past; p.Drills != 3 || p.Frames != 3*1440 || p.Rows != 3*1440 || p.Labels != 1 || p.Months < 0.099 || p.Months > 0.1 {
		t.Errorf("%+v", p)
	}
	if !slices.Contains(w.told, "wash") {
		t.Error("nobody was told")
	}
	if r.Took <= 0 {
		t.Error("took no time")
	}
	again := func(want int) {
		t.Helper()
		asked := w.store.asked
		if err := w.run.Ask(t.Context(), "wash", 2, ""); err != nil {
			t.Fatal(err)
		}
		if err := w.run.Work(t.Context()); err != nil || w.store.asked-asked != want {
			t.Errorf("asked for again, drills were read %d times, want %d (%v)", w.store.asked-asked, want, err)
		}
		if s, err := w.reg.Standing(t.Context(), "wash", 2); err != nil || s.State != models.Done || s.Report == nil {
			t.Errorf("%s %v %v", s.State, s.Why, err)
		}
	}
	again(0) // the same model on the same past
	w.label("B", "washout", noon.Add(-6*time.Hour), noon.Add(-5*time.Hour))
	again(3)
}

func TestWhatIsOnIsTestedAnewEveryWeek(t *testing.T) {
	w := newWorld(t, false)
	if s, _ := w.test(wash(16, 3)); s.State != models.Done {
		t.Fatalf("%+v", s)
	}
	if _, err := w.reg.Activate(t.Context(), "wash", 1, false, nil, "E. Haddad"); err != nil {
		t.Fatal(err)
	}
	w.test(wash(15, 3)) // version 2 is not on: nobody asks again
	f := func(after time.Duration, want string) {
		t.Helper()
		if err := w.run.Again(t.Context(), time.Now().Add(after)); err != nil {
			t.Fatal(err)
		}
		for v, want := range map[int]string{1: want, 2: models.Done} {
			if s, err := w.reg.Standing(t.Context(), "wash", v); err != nil || s.State != want {
				t.Errorf("version %d after %v: %s, %v, want %s", v, after, s.State, err, want)
			}
		}
	}
	f(6*24*time.Hour, models.Done)
	f(8*24*time.Hour, models.Waiting)
	if err := w.run.Work(t.Context()); err != nil {
		t.Fatal(err)
	}
	f(6*24*time.Hour, models.Done)
	var r Report
	s, err := w.reg.Standing(t.Context(), "wash", 1)
	if err != nil || json.Unmarshal(s.Report, &r) != nil || len(r.Drift) != 1 || r.Drift[0].Name != "SPP" {
		t.Errorf("the report says nothing of how far SPP has moved: %+v, %v", r.Drift, err)
	}
	r.Drift[0].PSI = 0.3
	if got := r.moved(); len(got) != 1 || got[0] != "SPP 0.30" {
		t.Errorf("moved: %q", got)
	}
}

func TestVerdictsOfPeopleAreLabels(t *testing.T) {
	w := newWorld(t, false)
	w.on(wash(18, 3))
	at := func(h int, m int) int64 {
		return noon.Truncate(24 * time.Hour).Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute).UnixNano()
	}
	w.store.events = []telemetry.AlarmEvent{{ID: "a1", Drill: "A", Rule: "washout", Raised: at(8, 1)}, {ID: "b1", Drill: "B", Rule: "washout", Raised: at(10, 0)}}
	w.store.commands = []telemetry.Command{
		{Kind: "disposition", Alarm: "a1", Value: "right"}, {Kind: "disposition", Alarm: "a1", Value: "wrong"}, // newest first
		{Kind: "disposition", Alarm: "b1", Value: "wrong"}, {Kind: "ack", Alarm: "b1"},
	}
	s, r := w.test(wash(5, 3))
	if s.Verdict != models.Worse || !strings.Contains(strings.Join(s.Why, "\n"), "it does not raise 1 alarm that people called right") {
		t.Errorf("%s %v", s.Verdict, s.Why)
	}
	if p := r.Arms[1]; p.Right != 1 || p.Wrong != 1 || p.False != 1 {
		t.Errorf("%+v", p)
	}
}

func TestWithNothingOnRecordMoreAlarmsSpeakAgainst(t *testing.T) {
	w := newWorld(t, false)
	w.on(wash(5, 3))
	s, _ := w.test(wash(18, 3))
	if s.Verdict != models.Worse || !strings.Contains(strings.Join(s.Why, "\n"), "it raises 2 alarms more, 2 where wash 1 raises 0, and nothing on record says that they are right") {
		t.Errorf("%s %v", s.Verdict, s.Why)
	}
}

func TestAVersionGoesOnByItselfOnlyWhenItHasPassed(t *testing.T) {
	f := func(limit float64, want int) {
		t.Helper()
		w := newWorld(t, false)
		w.label("A", "washout", noon.Add(-6*time.Hour), noon)
		w.on(wash(16, 3))
		v := w.upload(wash(limit, 3))
		if err := w.run.Ask(t.Context(), "wash", v, "E. Haddad"); err != nil {
			t.Fatal(err)
		}
		if err := w.run.Work(t.Context()); err != nil {
			t.Fatal(err)
		}
		m, err := w.reg.Get(t.Context(), "wash")
		if err != nil || m.Active.Version != want {
			t.Errorf("on is %d, want %d (%v)", m.Active.Version, want, err)
		}
	}
	f(17.4, 2)
	f(5, 1)
}

func TestATestThatFailsSaysWhy(t *testing.T) {
	w := newWorld(t, true)
	w.on(wash(16, 3))
	w.store.fail = fmt.Errorf("the disk is gone")
	s, _ := w.test(wash(18, 3))
	if s.State != models.Failed || !strings.Contains(strings.Join(s.Why, "\n"), "the disk is gone") {
		t.Errorf("%+v", s)
	}
	w.store.fail = nil
	w.run.cfg.Worker = []string{"/nonexistent"}
	if s, _ = w.test(wash(18.5, 3)); s.State != models.Failed || !strings.Contains(strings.Join(s.Why, "\n"), "start /nonexistent") {
		t.Errorf("%+v", s)
	}
}

func TestByarsBoundsAreThoseOfTables(t *testing.T) {
	for n, want := range map[int][2]float64{0: {0, 3.69}, 1: {0.025, 5.57}, 10: {4.80, 18.39}} {
		lo, hi := poisson(n)
		if lo < want[0]-0.08 || lo > want[0]+0.08 || hi < want[1]-0.2 || hi > want[1]+0.2 {
			t.Errorf("%d: %.3f to %.3f, tables have %v", n, lo, hi, want)
		}
	}
}
