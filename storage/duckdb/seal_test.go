package duckdb

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// hours is a store of some hours of one drill, a frame every ten seconds, with a
// spike; late frames of the second hour come at the end.
func hours(t *testing.T, dir string, n int, sealed bool) *Store {
	t.Helper()
	cfg := DefaultConfig(dir)
	cfg.Grace, cfg.CompactAfter, cfg.Linger = 0, 0, 0
	clock := telemetry.NewManualClock(time.Unix(0, t0))
	s, err := Open(cfg, telemetry.DefaultCatalogue(), clock, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	ctx := context.Background()
	maintain := func() {
		t.Helper()
		if sealed {
			if err := s.Maintain(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	commit := func(frames ...*telemetry.Frame) {
		t.Helper()
		var b storage.Batch
		for _, f := range frames {
			b.AddFrame(f)
			b.Scores = append(b.Scores, telemetry.Score{Drill: f.Drill, Tick: f.TS, Causes: []telemetry.FrameID{f.ID()}, Health: float64(f.Seq % 100), State: telemetry.StateRotary})
		}
		b.Arrived = clock.Now().UnixNano()
		if err := s.Commit(ctx, &b); err != nil {
			t.Fatal(err)
		}
	}
	at := func(i int) *telemetry.Frame {
		f := frame("RIG-01", uint64(i))
		f.TS = t0 + int64(i)*10e9
		for r := range f.Runs {
			if f.Runs[r].Channel == "SPP" && i == 400 {
				f.Runs[r].Values[3] = 77.5
			}
		}
		return f
	}
	late := map[int]bool{365: true, 500: true, 719: true}
	var batch []*telemetry.Frame
	for i := range n * 360 {
		if !late[i] {
			batch = append(batch, at(i))
		}
		if len(batch) == 90 {
			commit(batch...)
			batch = batch[:0]
			clock.Set(time.Unix(0, t0+int64(i)*10e9))
			maintain()
		}
	}
	commit(append(batch, at(365), at(500), at(719))...)
	clock.Set(time.Unix(0, t0+int64(n)*3600e9+1e9))
	if sealed {
		if err := s.Seal(ctx); err != nil {
			t.Fatal(err)
		}
		maintain()
	}
	return s
}

func TestABackupDoesNotWaitUntilAllIsSealed(t *testing.T) {
	ctx := context.Background()
	s := hours(t, t.TempDir(), 3, false)
	sealed, before := 0, -1 // under mmu
	done := make(chan error, 1)
	s.cfg.CrashPoint = func(name string) {
		if name != CrashSealed {
			return
		}
		if sealed++; sealed > 1 {
			return
		}
		go func() {
			done <- s.Backup(ctx, func(string, []SealedFile) error { before = sealed; return nil })
		}()
		for s.waiting.Load() == 0 {
			runtime.Gosched()
		}
		if s.maintain.low() {
			t.Error("sealing dawdles while somebody waits for it")
		}
	}
	if err := s.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if before < 1 || before >= sealed {
		t.Errorf("%d partitions sealed, %d of them before the backup; it waits for one or two", sealed, before)
	}
}

// What is asked of rollups, sealed files and merged late rows is what raw rows say.
func TestSealedAndRolledUpAnswersAreThoseOfRawRows(t *testing.T) {
	ctx := context.Background()
	raw, sealed := hours(t, t.TempDir(), 4, false), hours(t, t.TempDir(), 4, true)
	if hot := sealed.hot(); len(raw.sealedFiles()) != 0 || len(hot) != 1 || hot[0] != sealed.spare {
		t.Fatalf("%d sealed and %d hot", len(raw.sealedFiles()), len(sealed.hot()))
	}
	parts := map[string]int{}
	for _, f := range sealed.sealedFiles() {
		parts[fmt.Sprint(f.dataset, f.hour)]++
	}
	for k, n := range parts {
		if n != 1 {
			t.Errorf("%s has %d files: late rows were not merged", k, n)
		}
	}
	f := func(points int, from, to int64) {
		t.Helper()
		q := storage.SeriesQuery{Drill: "RIG-01", Channels: []string{"SPP", "ROP", "MTO", "health"}, From: t0 + from, To: t0 + to, Points: points}
		a, err := raw.Series(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		b, err := sealed.Series(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		for i := range a {
			var n [2]int64
			lo, hi := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
			for k, s := range []storage.Series{a[i], b[i]} {
				for j := range s.T {
					n[k], lo[k], hi[k] = n[k]+s.N[j], min(lo[k], s.Min[j]), max(hi[k], s.Max[j])
				}
			}
			if n[0] != n[1] || n[0] == 0 || lo[0] != lo[1] || hi[0] != hi[1] || len(a[i].T) != len(b[i].T) || a[i].First[0] != b[i].First[0] || a[i].Last[len(a[i].T)-1] != b[i].Last[len(b[i].T)-1] {
				t.Errorf("%d points of [%d, %d): %s: %d and %d samples, least %v, greatest %v, %d and %d buckets", points, from, to, a[i].Channel, n[0], n[1], lo, hi, len(a[i].T), len(b[i].T))
			}
		}
	}
	f(500, 0, 900e9)           // raw
	f(100, 0, 4*3600e9)        // 60 s
	f(500, 0, 4*3600e9)        // 10 s of the fast class
	f(2, 0, 4*3600e9)          // 3600 s
	f(100, 1234e9, 13_456e9)   // edges between steps
	f(1, 3600e9+7, 7200e9-7e8) // and inside a bucket
	series, err := sealed.Series(ctx, storage.SeriesQuery{Drill: "RIG-01", Channels: []string{"SPP"}, From: t0, To: t0 + 4*3600e9, Points: 20})
	if err != nil {
		t.Fatal(err)
	}
	top := 0.0
	for _, v := range series[0].Max {
		top = max(top, v)
	}
	if top != 77.5 {
		t.Errorf("the spike is lost: greatest %v", top)
	}
	for _, q := range []string{"SELECT count(*) || ' ' || round(sum(value), 3) || ' ' || count(DISTINCT seq) FROM readings",
		"SELECT string_agg(drill || frames || ' ' || readings || first || last, ',') FROM drills", "SELECT count(*) || ' ' || sum(health) FROM scores"} {
		var a, b string
		if err := raw.db.QueryRow(q).Scan(&a); err != nil {
			t.Fatal(err)
		}
		if err := sealed.db.QueryRow(q).Scan(&b); err != nil || a != b {
			t.Errorf("%s: %s, want %s: %v", q, b, a, err)
		}
	}
	for _, s := range []*Store{raw, sealed} {
		if l, err := s.Ledger(ctx, storage.LedgerQuery{}); err != nil || l.Stored != 1440 || l.Scored != 1440 || l.Readable != 1440 {
			t.Errorf("ledger: %+v, %v", l, err)
		}
	}
}

// explain returns the plan of a query.
func explain(t *testing.T, s *Store, q string) string {
	t.Helper()
	var out strings.Builder
	rows, err := s.db.Query("EXPLAIN ANALYZE " + q)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var k, v string
		if err := rows.Scan(&k, &v); err != nil {
			t.Fatal(err)
		}
		out.WriteString(v)
	}
	return out.String()
}

// A question about one hour opens that hour's files and no others.
func TestPartitionsOutOfTheAskedTimeAreNotInThePlan(t *testing.T) {
	s := hours(t, t.TempDir(), 6, true)
	from := us(t0 + 2*3600e9)
	l := s.layoutNow().within(from, from+3600e6)
	plan := explain(t, s, l.from(dsFast, "sum(WOB)", fmt.Sprintf("ts >= make_timestamp(%d) AND ts < make_timestamp(%d)", from, from+3600e6)))
	var all []string
	for _, f := range s.sealedFiles() {
		if f.dataset == dsFast {
			all = append(all, f.path)
		}
	}
	if len(all) != 6 || len(groups(l.files, dsFast)) != 1 || len(groups(l.files, dsFast)[0]) != 1 || !strings.Contains(plan, "Files Read: 1") {
		t.Errorf("of %d files the plan reads:\n%s", len(all), plan)
	}
	if got := s.layoutNow().within(from, from+3600e6); len(got.files) >= len(s.files)/2 {
		t.Errorf("%d of %d files", len(got.files), len(s.files))
	}
}

// A damaged file costs its hour of one dataset, which is named; all else answers.
func TestADamagedFileCostsItsHourWhichIsNamed(t *testing.T) {
	dir := t.TempDir()
	s := hours(t, dir, 3, true)
	ctx := context.Background()
	var victim *file
	for _, f := range s.sealedFiles() {
		if f.dataset == dsFast && f.hour == hourOf(t0)+1 {
			victim = f
		}
	}
	path := s.sealedPath(victim.path)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := append([]byte(nil), good...)
	copy(bad[len(bad)/2:], strings.Repeat("\xff", 2000)) // of the same length
	ask := func(s *Store) int {
		t.Helper()
		out, err := s.Series(ctx, storage.SeriesQuery{Drill: "RIG-01", Channels: []string{"WOB"}, From: t0, To: t0 + 3*3600e9, Points: 20000})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, k := range out[0].N {
			n += int(k)
		}
		return n
	}
	all := ask(s)
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	damage, err := s.Check(ctx, nil)
	if err != nil || len(damage) != 1 || damage[0].Hour != "2026-11-22 11:00 UTC" || damage[0].Dataset != dsFast || damage[0].Cure == "" {
		t.Fatalf("%+v, %v", damage, err)
	}
	if n := ask(s); n != all-3600 {
		t.Errorf("%d samples without the hour, want %d", n, all-3600)
	}
	var n int
	if err := s.db.QueryRow("SELECT count(DISTINCT date_trunc('hour', ts)) FROM readings_fast").Scan(&n); err != nil || n != 2 {
		t.Errorf("SQL reads %d hours, %v", n, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// A file that is not there is seen on open.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if n := ask(s); n != all-3600 {
		t.Errorf("%d samples after opening, want %d", n, all-3600)
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if damage, err := s.Check(ctx, nil); err != nil || len(damage) != 0 || ask(s) != all {
		t.Errorf("restored: %+v, %v, %d samples of %d", damage, err, ask(s), all)
	}
}

func TestWhatASealLeftBehindIsRemoved(t *testing.T) {
	dir := t.TempDir()
	s := hours(t, dir, 2, true)
	orphan := filepath.Join(s.sealedDir(), dsFast, "day=2026-11-22", "hour=10", "p99.parquet.tmp")
	if err := os.WriteFile(orphan, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Close()
	open(t, dir)
	if _, err := os.Stat(orphan); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", orphan, err)
	}
}

// What was known at T: the versions that had arrived by then.
func TestScoresAsTheyWereKnown(t *testing.T) {
	s := open(t, t.TempDir())
	for i, health := range []float64{90, 40, 60} {
		b := storage.Batch{Arrived: t0 + int64(i)*60e9, Scores: []telemetry.Score{{Drill: "RIG-01", Tick: t0, CauseHash: uint64(i), Health: health}}}
		if err := s.Commit(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			if err := s.Seal(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	f := func(at int64, want float64) {
		t.Helper()
		var got float64
		q := fmt.Sprintf("SELECT arg_max(health, ord) FROM score_versions WHERE drill = 'RIG-01' AND arrived <= make_timestamp(%d)", us(at))
		if err := s.db.QueryRow(q).Scan(&got); err != nil || got != want {
			t.Errorf("at %d: %v, %v, want %v", at, got, err, want)
		}
	}
	f(t0, 90)
	f(t0+60e9, 40)
	f(t0+600e9, 60)
	var last float64
	if err := s.db.QueryRow("SELECT health FROM health").Scan(&last); err != nil || last != 60 {
		t.Errorf("now: %v, %v", last, err)
	}
}

// The fleet's summary is that of the rows, whether hours are sealed or not.
func TestTheFleetIsSummedUpFromRollups(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		s := hours(t, t.TempDir(), 3, sealed)
		if err := s.Rollup(context.Background()); err != nil {
			t.Fatal(err)
		}
		f := func(from, to int64) {
			t.Helper()
			for _, ch := range []string{"SPP", "MTO"} {
				out, err := s.Fleet(context.Background(), ch, t0+from*60e9, t0+to*60e9)
				if err != nil || len(out) != 1 {
					t.Fatalf("%+v, %v", out, err)
				}
				var n int64
				var mean, lo, hi float64
				q := fmt.Sprintf("SELECT count(*), avg(value), min(value), max(value) FROM readings WHERE channel = '%s' AND ts >= make_timestamp(%d) AND ts < make_timestamp(%d)", ch, us(t0+from*60e9), us(t0+to*60e9))
				if err := s.db.QueryRow(q).Scan(&n, &mean, &lo, &hi); err != nil {
					t.Fatal(err)
				}
				if d := out[0]; d.Drill != "RIG-01" || d.N != n || math.Abs(d.Mean-mean) > 1e-9*math.Abs(mean) || d.Min != lo || d.Max != hi {
					t.Errorf("sealed %v, %s of minutes %d to %d: %+v, want %d %v %v %v", sealed, ch, from, to, d, n, mean, lo, hi)
				}
			}
		}
		f(0, 180)
		f(60, 120)
		f(17, 133)
		f(61, 67)
	}
}

// Between a seal's commit and the layout that follows it a table of the old
// layout is gone already: who asks then is answered from the new one.
func TestAQuestionThatMeetsASealIsAnswered(t *testing.T) {
	ctx := context.Background()
	s := filled(t, t.TempDir())
	var wg sync.WaitGroup
	done := make(chan struct{})
	for i := range uint64(4) {
		wg.Go(func() {
			for n := i; ; n += 7 {
				select {
				case <-done:
					return
				default:
				}
				id := telemetry.FrameID{Device: "edr-1", Boot: "b1", Seq: n % 60}
				if _, found, err := s.FrameTime(ctx, "RIG-01", id); err != nil || !found {
					t.Errorf("frame %d: found %v, %v", id.Seq, found, err)
					return
				}
			}
		})
	}
	for i := uint64(60); i < 76; i++ {
		more := storage.Batch{Arrived: t0}
		more.AddFrame(frame("RIG-01", i))
		if err := s.Commit(ctx, &more); err != nil {
			t.Fatal(err)
		}
		if err := s.Seal(ctx); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	wg.Wait()
}

// Sealed files are read as they lie: Spark's vectorized reader and QuestDB know only the encodings of Parquet's version 1.
func TestSealedFilesHaveEncodingsThatEveryReaderKnows(t *testing.T) {
	s, err := Open(DefaultConfig(t.TempDir()), telemetry.DefaultCatalogue(), telemetry.NewManualClock(time.Unix(0, t0)), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rng := rand.New(rand.NewPCG(11, 1))
	b := storage.Batch{Arrived: t0}
	for i := range uint64(3000) { // no dictionary holds all of these values
		f := frame("RIG-01", i)
		f.Runs = []telemetry.Run{{Channel: "SPP", Every: 1e8, Values: []float64{rng.NormFloat64(), rng.NormFloat64()}}, {Channel: "Own_Channel", Values: []float64{rng.NormFloat64()}}}
		b.AddFrame(f)
		b.Scores = append(b.Scores, telemetry.Score{Drill: "RIG-01", Tick: f.TS, CauseHash: rng.Uint64(), Health: 100 * rng.Float64(), State: telemetry.StateRotary})
	}
	if err := s.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	files := 0
	for _, f := range s.SealedFiles() {
		var encodings string
		if err := s.db.QueryRow("SELECT string_agg(DISTINCT encodings, ' ') FROM parquet_metadata(?)", filepath.Join(s.cfg.Dir, filepath.FromSlash(f.Path))).Scan(&encodings); err != nil {
			t.Fatal(err)
		}
		for _, e := range strings.FieldsFunc(encodings, func(r rune) bool { return r == ' ' || r == ',' }) {
			if !slices.Contains([]string{"PLAIN", "PLAIN_DICTIONARY", "RLE", "RLE_DICTIONARY", "BIT_PACKED"}, e) {
				t.Errorf("%s has encoding %s", f.Path, e)
			}
		}
		files++
	}
	if files < 5 {
		t.Errorf("%d files", files)
	}
}
