package duckdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/storagetest"
	"github.com/mudpulse/mudpulse/telemetry"
)

var t0 = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC).UnixNano()

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(DefaultConfig(dir), telemetry.DefaultCatalogue(), telemetry.NewManualClock(time.Unix(0, t0)), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// frame is the default profile: 100 readings.
func frame(drill string, seq uint64) *telemetry.Frame {
	f := &telemetry.Frame{Drill: drill, Device: "edr-1", Boot: "b1", Seq: seq, TS: t0 + int64(seq)*1e9, Gateway: "gw-1", Received: t0, Hash: seq * 7}
	for i, ch := range telemetry.DefaultCatalogue().All() {
		if ch.Class.Hz() == 0 {
			continue
		}
		n := max(1, int(ch.Class.Hz()))
		if ch.Class == telemetry.Slow && seq%2 == 1 {
			continue
		}
		r := telemetry.Run{Channel: ch.Tag, Every: int64(1e9) / int64(n)}
		for k := range n {
			v := ch.NormalLow + (ch.NormalHigh-ch.NormalLow)*(0.5+0.4*math.Sin(float64(seq)+float64(k)/10+float64(i)))
			r.Values = append(r.Values, math.Round(v/ch.Resolution)*ch.Resolution)
		}
		f.Runs = append(f.Runs, r)
	}
	return f
}

// filled is a store of one drill's minute with its scores and its gateway's ledger.
func filled(t testing.TB, dir string) *Store {
	t.Helper()
	s := open(t, dir)
	b := storage.Batch{Arrived: t0}
	for i := range uint64(60) {
		f := frame("RIG-01", i)
		f.Runs = append(f.Runs, telemetry.Run{Channel: "Odd_One", Values: []float64{float64(i)}})
		b.AddFrame(f)
		b.Scores = append(b.Scores, telemetry.Score{Drill: "RIG-01", Tick: f.TS, Causes: []telemetry.FrameID{f.ID()}, State: telemetry.StateRotary, Health: 88, Confidence: 1, TimeLeft: math.NaN(),
			Results: []telemetry.Result{{Model: "m.x@1", Outputs: []telemetry.Output{{Name: "rul", Number: 12.5}, {Name: "class", Number: math.NaN(), Text: "bad"}}}},
			Reasons: []telemetry.Reason{{Subsystem: "bit", Code: "c", Points: 12, Feature: "WOB", Value: 3, Normal: math.NaN()}}})
	}
	b.Alarms = []telemetry.AlarmEvent{{ID: "RIG-01/r/1", Event: telemetry.AlarmRaised, Drill: "RIG-01", Rule: "r", At: t0, Raised: t0, Title: "Wash-out", Value: 3.5, Limit: 2}}
	b.Commands = []telemetry.Command{{ID: "c1", Kind: "disposition", Alarm: "RIG-01/r/1", Drill: "RIG-01", By: "ann", At: t0, Value: "right"}}
	b.Markers = []telemetry.Marker{{ID: "m1", Kind: telemetry.MarkerModel, Name: "m.x", Version: 1, At: t0}}
	b.Quarantined = []telemetry.Quarantined{{ID: "q1", Gateway: "gw-1", Code: "malformed", Received: t0, Raw: []byte("{")}}
	b.Gateways = []telemetry.GatewayStatus{{Gateway: "gw-1", At: t0, Accepted: []telemetry.Accepted{{Drill: "RIG-01", Device: "edr-1", Boot: "b1", Ranges: [][2]uint64{{0, 59}}}}}}
	b.Channels = []telemetry.Channel{{Tag: "Odd_One", Unit: "kN", User: true}}
	if err := s.Commit(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEachViewHasRows(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		s := filled(t, t.TempDir())
		// Marks of filled say not what they do: those of the stores of older versions do not.
		on := storage.Batch{Arrived: t0, Markers: []telemetry.Marker{{ID: "m2", Kind: telemetry.MarkerModel, Name: "m.x", Version: 2, Action: "activate", At: t0}}}
		snapshot := shaken(99, 64)
		snapshot.Runs = snapshot.Runs[:1] // no readings beside it
		on.AddFrame(snapshot)
		if err := s.Commit(t.Context(), &on); err != nil {
			t.Fatal(err)
		}
		if err := s.Rollup(context.Background()); err != nil {
			t.Fatal(err)
		}
		if sealed {
			if err := s.Seal(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		eachViewHasRows(t, s)
	}
}

func eachViewHasRows(t *testing.T, s *Store) {
	t.Helper()
	for _, v := range Views {
		var n int
		if err := s.db.QueryRow("SELECT count(*) FROM (SELECT * FROM " + v + ")").Scan(&n); err != nil || n == 0 {
			t.Errorf("%s: %d rows, %v", v, n, err)
		}
	}
	f := func(query, want string) {
		t.Helper()
		var got string
		if err := s.db.QueryRow("SELECT (" + query + ")::VARCHAR").Scan(&got); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", query, got, err, want)
		}
	}
	f("SELECT count(*) FROM readings", "6060") // 80 + 16 + one narrow, and every other second 8
	f("SELECT count(DISTINCT channel) FROM readings", "25")
	f("SELECT sum(n) FROM features_1m", "6060")
	f("SELECT mean || ' ' || last FROM features_1m WHERE channel = 'Odd_One'", "29.5 59.0")
	f("SELECT string_agg(model || ' ' || output || ' ' || coalesce(value::VARCHAR, text), ', ' ORDER BY output DESC) FROM outputs WHERE tick = (SELECT min(tick) FROM outputs)", "m.x@1 rul 12.5, m.x@1 class bad")
	f("SELECT min(points || feature) FROM reasons", "12.0WOB")
	f("SELECT verdict || person || rule FROM labels", "rightannr")
	f("SELECT value || title FROM alarms", "3.5Wash-out")
	f("SELECT readings FROM drills", "6060")
	f("SELECT count(*) FROM channels WHERE tag = 'Odd_One' AND registered AND unit = 'kN'", "1")
}

// Whatever a stage loses from its own rows, the ledger names that stage and number.
// A gateway whose disk was replaced tells what it accepted since; what is stored
// from before is no gap.
func TestWhatAGatewayForgotIsNoGap(t *testing.T) {
	ctx := context.Background()
	s := filled(t, t.TempDir())
	if err := s.exec("UPDATE store.accepted SET lo = 31"); err != nil {
		t.Fatal(err)
	}
	l, err := s.Ledger(ctx, storage.LedgerQuery{Audit: true})
	if err != nil || l.Accepted != 60 || l.Gaps != 0 {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestTheLedgerNamesTheStageThatLostARow(t *testing.T) {
	const why = "a row was taken away"
	ctx := context.Background()
	f := func(stage, statement string) {
		t.Helper()
		s := filled(t, t.TempDir())
		l, err := s.Ledger(ctx, storage.LedgerQuery{})
		if err != nil || l.Gaps != 0 || l.Sent != 60 || l.Accepted != 60 || l.Stored != 60 || l.Scored != 60 || l.Readable != 60 {
			t.Fatalf("before: %+v, %v", l, err)
		}
		if err := s.exec(statement); err != nil {
			t.Fatal(err)
		}
		l, err = s.Ledger(ctx, storage.LedgerQuery{Drill: "RIG-01", Device: "edr-1"})
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, g := range l.Rows[0].Gaps {
			if g.Stage == stage && g.From == 30 && g.To == 30 && g.Count == 1 && !g.Pending && g.Why != "" {
				found = true
			}
		}
		if !found {
			t.Errorf("%s: %s at 30: ledger %+v", stage, why, l.Rows)
		}
	}
	f(storage.StageAccepted, "UPDATE store.accepted SET hi = 29; INSERT INTO store.accepted SELECT gateway, src, commit, 31, 59 FROM store.accepted")
	f(storage.StageStored, "DELETE FROM store.p1_frames WHERE seq = 30")
	f(storage.StageScored, "DELETE FROM store.p1_scores WHERE cause_seq[1] = 30")
	f(storage.StageReadable, "DELETE FROM store.p1_readings_fast WHERE rowid = (SELECT max(rowid) FROM store.p1_readings_fast WHERE seq = 30)")
	f(storage.StageReadable, "DELETE FROM store.p1_readings_narrow WHERE seq = 30")
}

func TestASecondOpenOfAStoreSaysWhatToDo(t *testing.T) {
	if os.Getenv("MUDPULSE_TEST_STORE") != "" { // the other process
		_, err := Open(DefaultConfig(os.Getenv("MUDPULSE_TEST_STORE")), telemetry.DefaultCatalogue(), telemetry.SystemClock{}, slog.New(slog.DiscardHandler))
		fmt.Println(err)
		return
	}
	dir := t.TempDir()
	open(t, dir)
	cmd := exec.Command(os.Args[0], "-test.run=TestASecondOpenOfAStoreSaysWhatToDo", "-test.v")
	cmd.Env = append(os.Environ(), "MUDPULSE_TEST_STORE="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "run writer and api together") {
		t.Errorf("%s %v", out, err)
	}
}

// seeds are those of a run of the suite and, with STORAGETEST_DOSE, so many more: the long dose.
func seeds(fixed ...uint64) []uint64 {
	n, _ := strconv.Atoi(os.Getenv("STORAGETEST_DOSE"))
	for i := range n {
		fixed = append(fixed, uint64(1000+i))
	}
	return fixed
}

func TestSuite(t *testing.T) {
	storagetest.Run(t, func(t *testing.T) func() storagetest.Store {
		dir := t.TempDir()
		return func() storagetest.Store { return open(t, dir) }
	}, seeds(1, 2, 3)...)
}

// restless seals, merges, rolls up and checkpoints, beside commits, between any two calls of the suite.
type restless struct {
	*Store
	n int
}

func (r *restless) Commit(ctx context.Context, b *storage.Batch) error {
	err := r.Store.Commit(ctx, b)
	if r.n++; err == nil && r.n%2 == 0 {
		if r.n%3 == 0 {
			err = r.Store.Rollup(ctx)
		} else {
			err = r.Seal(ctx)
		}
	}
	if err == nil && r.n%7 == 0 {
		err = r.Checkpoint(ctx)
	}
	if err == nil && r.n%5 == 0 {
		r.mmu.Lock()
		err = r.compact(ctx)
		r.mmu.Unlock()
	}
	return err
}

func TestSuiteOverSealedAndMergedPartitions(t *testing.T) {
	storagetest.Run(t, func(t *testing.T) func() storagetest.Store {
		dir := t.TempDir()
		return func() storagetest.Store {
			cfg := DefaultConfig(dir)
			cfg.Grace, cfg.CompactAfter, cfg.Aside = 0, 0, 1
			s, err := Open(cfg, telemetry.DefaultCatalogue(), telemetry.NewManualClock(time.Unix(0, t0+2*3600e9)), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return &restless{Store: s}
		}
	}, seeds(4, 5)...)
}

func TestAnErrorThatOnlyARestartCuresSaysSo(t *testing.T) {
	f := func(err error, want bool) {
		t.Helper()
		if errors.Is(err, storage.ErrBroken) != want {
			t.Errorf("%v: broken %v", err, !want)
		}
	}
	f(refusal("CHECKPOINT", "FATAL Error: Failed: database has been invalidated because of a previous fatal error."), true)
	f(refusal("SELECT 1", "Binder Error: no such thing"), false)
	f(shortOfMemory(refusal("COMMIT", "TransactionContext Error: Failed to commit: failed to pin block of size 256.0 KiB (121.9 MiB/122.0 MiB used)")), true)
	f(shortOfMemory(refusal("COMMIT", "IO Error: Could not write file: No space left on device")), false)
}
