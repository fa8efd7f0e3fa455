package rescore

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/services/scorer"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/duckdb"
	"github.com/mudpulse/mudpulse/telemetry"
	"github.com/mudpulse/mudpulse/telemetry/dedup"
)

var t0 = time.Date(2026, 11, 22, 9, 20, 0, 0, time.UTC).UnixNano()

const sec = int64(time.Second)

// echo is a model that says what it reads.
type echo struct{ rows [][]float64 }

var reads = []string{"WOB", "WOB__mean__60s", "SPP__std__5m__in_rotary", "RPM__slope__10m", "TQ__q__p_95__2m", "HKLD__ewma__5m", "WOB__lag__20m"}

func (m *echo) Load(context.Context, string) (scorer.Model, error) { return m, nil }
func (m *echo) Fetch(context.Context, string) ([]byte, error)      { return nil, scorer.ErrFetch }
func (m *echo) Inputs() []scorer.Field {
	var out []scorer.Field
	for _, n := range reads {
		out = append(out, scorer.Field{Name: n})
	}
	return out
}
func (m *echo) Outputs() []string {
	var out []string
	for i := range reads {
		out = append(out, fmt.Sprintf("y%d", i))
	}
	return out
}
func (m *echo) Every() time.Duration        { return 0 }
func (m *echo) Hold() time.Duration         { return time.Hour }
func (m *echo) Evaluator() scorer.Evaluator { return &echo{} }
func (m *echo) Reset(rows int) {
	m.rows = make([][]float64, rows)
	for i := range m.rows {
		m.rows[i] = slices.Repeat([]float64{math.NaN()}, len(reads))
	}
}
func (m *echo) Number(i, row int, v float64)           { m.rows[row][i] = v }
func (m *echo) Text(int, int, string)                  {}
func (m *echo) Run()                                   {}
func (m *echo) Err(int) error                          { return nil }
func (m *echo) Output(i, row int) (float64, string)    { return m.rows[row][i], "" }
func (m *echo) Explain(row int, _ *telemetry.Evidence) {}
func activation() *telemetry.Marker {
	return &telemetry.Marker{ID: "1", Kind: telemetry.MarkerModel, Name: "m", Version: 1, SHA256: "x", Action: "activate"}
}

// A world is a store, and what the scorer's live road said into it.
type world struct {
	t     *testing.T
	store *duckdb.Store
	part  *scorer.Partition
	clock *telemetry.ManualClock
	batch storage.Batch
	seen  *dedup.Table
}

func (w *world) Score(s *telemetry.Score) {
	var c telemetry.Score
	if err := telemetry.DecodeScore(telemetry.AppendScore(nil, s), &c); err != nil {
		w.t.Fatal(err)
	}
	w.batch.Scores = append(w.batch.Scores, c)
}
func (w *world) Alarm(*telemetry.AlarmEvent) {}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: telemetry.NewManualClock(time.Unix(0, t0))}
	var err error
	if w.store, err = duckdb.Open(duckdb.DefaultConfig(t.TempDir()), telemetry.DefaultCatalogue(), w.clock, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.store.Close() })
	if w.part, err = scorer.NewPartition(scorer.DefaultPartitionConfig(), &echo{}, &echo{}, telemetry.DefaultCatalogue(), nothingStored{}, w); err != nil {
		t.Fatal(err)
	}
	if w.seen, err = dedup.New(dedup.DefaultConfig()); err != nil {
		t.Fatal(err)
	}
	w.mark(activation())
	return w
}

func (w *world) mark(m *telemetry.Marker) {
	for _, history := range []bool{false, true} {
		if err := w.part.Marker(w.t.Context(), m, history); err != nil {
			w.t.Fatal(err)
		}
	}
	w.batch.Markers = append(w.batch.Markers, *m)
}

// take scores and stores frames, as scorer and writer do.
func (w *world) take(frames []*telemetry.Frame, arrived int64) {
	w.t.Helper()
	for _, f := range frames {
		c := f.Clone()
		if w.seen.See(c.Drill, c.ID(), c.Hash, c.TS) == dedup.Duplicate {
			continue
		}
		w.batch.AddFrame(c)
		if err := w.part.Frame(w.t.Context(), c, c.Origin == telemetry.Backfill, 0); err != nil {
			w.t.Fatal(err)
		}
	}
	w.part.Flush()
	w.commit(arrived)
}

func (w *world) commit(arrived int64) {
	w.t.Helper()
	w.batch.Arrived = arrived
	w.clock.Set(time.Unix(0, arrived))
	if err := w.store.Commit(w.t.Context(), &w.batch); err != nil {
		w.t.Fatal(err)
	}
	w.batch.Reset()
}

func (w *world) deps() Deps {
	return Deps{Store: w.store, Loader: &echo{}, Rules: &echo{}, Catalogue: telemetry.DefaultCatalogue(), Log: slog.New(slog.DiscardHandler), Publish: w.publish}
}

// publish stores what is published, twice: a topic may give it again.
func (w *world) publish(ctx context.Context, scores []*telemetry.Score) error {
	for range 2 {
		for _, s := range scores {
			w.batch.Scores = append(w.batch.Scores, *s)
		}
		w.commit(w.clock.Now().UnixNano() + sec)
	}
	return ctx.Err()
}

var said = func() []string {
	out := []string{"health", "confidence", "state"}
	for i := range reads {
		out = append(out, fmt.Sprintf("m.y%d", i))
	}
	return out
}()

// last is what is stored of each tick in its last version.
func (w *world) last() map[int64][]float64 {
	w.t.Helper()
	out := map[int64][]float64{}
	if err := w.store.Said(w.t.Context(), "RIG-01", said, t0, t0+1e15, func(tick int64, v []float64) error {
		out[tick] = slices.Clone(v)
		return nil
	}); err != nil {
		w.t.Fatal(err)
	}
	return out
}

// frames are a drill's seconds: drilling, connections.
func frames(n int, rng *rand.Rand) []*telemetry.Frame {
	var out []*telemetry.Frame
	for i := range n {
		f := &telemetry.Frame{Drill: "RIG-01", Device: "edr", Boot: "b", Seq: uint64(i + 1), TS: t0 + int64(i)*sec, Hash: rng.Uint64()}
		on := 1.0
		if i/400%4 == 3 {
			on = 0
		}
		level := map[string]float64{"WOB": 100 * on, "RPM": 120 * on, "TQ": 14 * on, "SPP": 20 * on, "FLIN": 2000 * on, "HKLD": 300 + 600*on, "BPOS": 12, "DBTM": 2000, "DMEA": 2000}
		for _, tag := range slices.Sorted(maps.Keys(level)) {
			v := level[tag]
			r := telemetry.Run{Channel: tag, Every: sec / 2}
			for range 2 {
				r.Values = append(r.Values, v*(1+0.03*rng.NormFloat64()))
			}
			f.Runs = append(f.Runs, r)
		}
		out = append(out, f)
	}
	return out
}

// truth is what a stream in which nothing was late would have said.
func truth(t *testing.T, all []*telemetry.Frame) map[int64][]float64 {
	t.Helper()
	w := newWorld(t)
	for from := 0; from < len(all); from += 500 {
		part := all[from:min(from+500, len(all))]
		w.take(part, part[len(part)-1].TS+sec)
	}
	return w.last()
}

func differ(got, want map[int64][]float64) (n int, first string) {
	for tick, v := range want {
		for i := range v {
			g := math.NaN()
			if x := got[tick]; x != nil {
				g = x[i]
			}
			if math.Float64bits(g) != math.Float64bits(v[i]) && (g == g || v[i] == v[i]) {
				if n++; first == "" || n == 1 {
					first = fmt.Sprintf("second %d: %s is %v, want %v", (tick-t0)/sec, said[i], g, v[i])
				}
				break
			}
		}
	}
	return n, first
}

// late plays frames with some of them minutes to an hour late, some twice, some as a backlog on the other road.
func late(w *world, all []*telemetry.Frame, rng *rand.Rand) {
	type sent struct {
		at int64
		f  *telemetry.Frame
	}
	var list []sent
	for i, f := range all {
		at := f.TS + sec
		switch x := rng.IntN(100); {
		case x < 4:
			at += (150 + rng.Int64N(3000)) * sec
		case i > 3000 && i < 3400: // an outage: its backlog comes after
			f = f.Clone()
			f.Origin = telemetry.Backfill
			at += 1500 * sec
		case x < 10:
			list = append(list, sent{at + rng.Int64N(300)*sec, f})
		case x < 20:
			at += rng.Int64N(40) * sec
		}
		list = append(list, sent{at, f})
	}
	slices.SortStableFunc(list, func(a, b sent) int { return cmp.Compare(a.at, b.at) })
	for from := 0; from < len(list); from += 300 {
		var part []*telemetry.Frame
		for _, s := range list[from:min(from+300, len(list))] {
			part = append(part, s.f)
		}
		w.take(part, list[min(from+300, len(list))-1].at)
	}
}

func (w *world) versions() (rows, identities int) {
	w.t.Helper()
	if err := w.store.SQL().QueryRow("SELECT count(*), count(DISTINCT (drill, tick, cause_hash, content)) FROM store.all_scores").Scan(&rows, &identities); err != nil {
		w.t.Fatal(err)
	}
	return rows, identities
}

func finished(j *Jobs, id string) bool {
	x, err := j.Get(id)
	return err == nil && x.State != Queued && x.State != Running
}

// run runs j until until says so.
func run(t *testing.T, j *Jobs, until func() bool) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- j.Run(ctx) }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(2 * time.Minute); !until() && time.Now().Before(end); <-tick.C {
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !until() {
		t.Fatalf("not done: %+v", j.List())
	}
}

// Frames that came late, twice and as a backlog: scored again, each second is bit
// by bit what it would have been had all come in time, also where the process was
// killed in the middle; what was known before stays known.
func TestWhatIsScoredAgainIsWhatAStreamWithoutLateFramesSays(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))
	all := frames(6000, rng)
	want := truth(t, all)
	w := newWorld(t)
	late(w, all, rng)
	before := w.last()
	if n, _ := differ(before, want); n < 500 {
		t.Fatalf("only %d of %d seconds suffer from late frames: this proves nothing", n, len(want))
	}
	rows, _ := w.versions()
	known := w.clock.Now().UnixNano()

	file := filepath.Join(t.TempDir(), "rescore.json")
	d := w.deps()
	killed, kill := context.WithTimeout(t.Context(), time.Minute)
	defer kill()
	n := 0
	d.Publish = func(ctx context.Context, s []*telemetry.Score) error {
		if n++; n == 2 { // stored, and the note of it is not written
			if err := w.publish(ctx, s); err != nil {
				return err
			}
			kill()
			return killed.Err()
		}
		return w.publish(ctx, s)
	}
	j, err := New(DefaultConfig(file), d)
	if err != nil {
		t.Fatal(err)
	}
	job, err := j.Add("RIG-01", Then, time.Unix(0, t0), time.Unix(0, t0+6000*sec), "ann")
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Run(killed); err != nil {
		t.Fatal(err)
	}
	if x, _ := j.Get(job.ID); x.State != Queued || x.Progress <= 0 || x.Progress >= 1 {
		t.Fatalf("after the kill: %+v", x)
	}
	if j, err = New(DefaultConfig(file), w.deps()); err != nil {
		t.Fatal(err)
	}
	run(t, j, func() bool { return finished(j, job.ID) })
	x, err := j.Get(job.ID)
	if err != nil || x.State != Done || x.Progress != 1 || x.Ticks < 5000 {
		t.Errorf("%+v %v", x, err)
	}
	if n, first := differ(w.last(), want); n > 0 {
		t.Errorf("%d seconds differ: %s", n, first)
	}
	after, identities := w.versions()
	if after != identities || after <= rows {
		t.Errorf("%d versions before, %d after, of %d identities", rows, after, identities)
	}
	// As it was known before: the last version that had arrived by then.
	var wrong int
	if err := w.store.SQL().QueryRow("SELECT count(*) FROM (SELECT tick, arg_max(health, ord) FILTER (arrived <= make_timestamp(?)) AS then_, count(*) FILTER (arrived <= make_timestamp(?)) AS n FROM score_versions GROUP BY tick) WHERE n = 0",
		known/1000, known/1000).Scan(&wrong); err != nil {
		t.Fatal(err)
	}
	if missing := len(want) - len(before); wrong > max(0, missing) {
		t.Errorf("of %d seconds nothing is known any more of what was said before", wrong)
	}
	// Once more: nothing is new.
	again, err := j.Add("RIG-01", Then, time.Unix(0, t0), time.Unix(0, t0+6000*sec), "ann")
	if err != nil {
		t.Fatal(err)
	}
	run(t, j, func() bool { return finished(j, again.ID) })
	if rows, _ := w.versions(); rows != after {
		t.Errorf("scored again without reason: %d versions became %d", after, rows)
	}
}

// Nobody asks: frames that come up to a day late amend what they change.
func TestLateFramesAmendByThemselves(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 1))
	all := frames(5000, rng)
	want := truth(t, all)
	w := newWorld(t)
	cfg := DefaultConfig(filepath.Join(t.TempDir(), "rescore.json"))
	j, err := New(cfg, w.deps())
	if err != nil {
		t.Fatal(err)
	}
	w.take(all[:100], all[99].TS+sec)
	if err := j.lookForLate(t.Context()); err != nil || len(j.List()) != 0 {
		t.Fatalf("the first look: %v %v", j.List(), err)
	}
	const from, to = 1200, 1500
	for i := 100; i < len(all); i += 100 {
		part := slices.DeleteFunc(slices.Clone(all[i:min(i+100, len(all))]), func(f *telemetry.Frame) bool { return f.Seq > from && f.Seq <= to })
		if len(part) > 0 {
			w.take(part, part[len(part)-1].TS+sec)
		}
	}
	if err := j.lookForLate(t.Context()); err != nil || len(j.List()) != 0 {
		t.Fatalf("nothing was late: %+v %v", j.List(), err)
	}
	if n, _ := differ(w.last(), want); n < to-from {
		t.Fatalf("%d seconds differ before the late frames came", n)
	}
	w.take(all[from:to], all[len(all)-1].TS+3600*sec)
	if err := j.lookForLate(t.Context()); err != nil {
		t.Fatal(err)
	}
	list := j.List()
	if len(list) != 1 || list[0].By != "" || list[0].From.UnixNano() != all[from].TS {
		t.Fatalf("%+v", list)
	}
	run(t, j, func() bool { return finished(j, list[0].ID) })
	if n, first := differ(w.last(), want); n > 0 {
		t.Errorf("%d seconds differ: %s", n, first)
	}
	if err := j.lookForLate(t.Context()); err != nil || len(j.List()) != 1 {
		t.Errorf("looked again: %+v %v", j.List(), err)
	}
}

// A late frame that is stored and not scored yet is waited for: what the scorer says of it must not come after what is amended.
func TestAmendingWaitsForTheScorer(t *testing.T) {
	w := newWorld(t)
	j, err := New(DefaultConfig(filepath.Join(t.TempDir(), "rescore.json")), w.deps())
	if err != nil {
		t.Fatal(err)
	}
	all := frames(1000, rand.New(rand.NewPCG(7, 1)))
	looked := func(jobs int, from int64) {
		t.Helper()
		if err := j.lookForLate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if list := j.List(); len(list) != jobs || jobs > 0 && list[0].From.UnixNano() != from {
			t.Fatalf("%+v, want %d", list, jobs)
		}
	}
	w.take(all[600:700], all[699].TS+sec)
	looked(0, 0) // the first look
	w.take(all[:10], all[699].TS+2*sec)
	later := all[700].TS
	for _, f := range all[100:110] { // in the store, and the scorer is down
		w.batch.AddFrame(f.Clone())
	}
	w.commit(later)
	looked(1, all[0].TS)
	looked(1, all[0].TS)
	for _, f := range all[100:110] {
		if err := w.part.Frame(t.Context(), f.Clone(), false, 0); err != nil {
			t.Fatal(err)
		}
	}
	w.part.Flush()
	w.commit(later + sec)
	looked(1, all[0].TS) // the one that waits takes it in
	if to := j.List()[0].To.UnixNano(); to < all[109].TS {
		t.Errorf("to %v: what was scored late is not in it", time.Unix(0, to))
	}
}

func TestASpanIsRefusedWithEveryReason(t *testing.T) {
	w := newWorld(t)
	j, err := New(DefaultConfig(filepath.Join(t.TempDir(), "rescore.json")), w.deps())
	if err != nil {
		t.Fatal(err)
	}
	_, err = j.Add("RIG-99", "soon", time.Unix(10, 0), time.Unix(5, 0), "ann")
	if err == nil || err.Error() != "models: must be then or now, not \"soon\"\ndrill: \"RIG-99\" has no frame in the store\nfrom: must be before to, and 1970-01-01T00:00:10Z is not before 1970-01-01T00:00:05Z" {
		t.Error(err)
	}
	if err := j.Cancel("x"); err != ErrUnknown {
		t.Error(err)
	}
}
