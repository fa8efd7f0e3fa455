package writer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/duckdb"
	"github.com/mudpulse/mudpulse/telemetry"
)

var t0 = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC).UnixNano()

// rig is a log, a store and a writer between them.
type rig struct {
	t      *testing.T
	dir    string
	topics telemetry.Topics
	log    *kfake.Cluster
	cl     *kgo.Client
	store  *duckdb.Store
	w      *Writer
	stop   func()
	crash  func(string)
	failed chan error
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, dir: t.TempDir(), topics: telemetry.NewTopics("test.")}
	r.newLog("cluster-one")
	r.openStore()
	t.Cleanup(func() {
		if r.stop != nil {
			r.stop()
		}
		r.store.Close()
		r.cl.Close()
		r.log.Close()
	})
	return r
}

func (r *rig) newLog(id string) {
	r.t.Helper()
	if r.log != nil {
		r.cl.Close()
		r.log.Close()
	}
	var err error
	r.log, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.ClusterID(id), kfake.SeedTopics(3, r.topics.All()...))
	if err != nil {
		r.t.Fatal(err)
	}
	if r.cl, err = kgo.NewClient(kgo.SeedBrokers(r.log.ListenAddrs()...), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil))); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) openStore() {
	r.t.Helper()
	var err error
	r.store, err = duckdb.Open(duckdb.DefaultConfig(r.dir), telemetry.DefaultCatalogue(), telemetry.SystemClock{}, slog.New(slog.DiscardHandler))
	if err != nil {
		r.t.Fatal(err)
	}
}

// start runs a new writer; stop it with r.stop.
func (r *rig) start(store Store) {
	r.t.Helper()
	cfg := DefaultConfig()
	cfg.Topics, cfg.Client, cfg.Every, cfg.CrashPoint = r.topics, []kgo.Opt{kgo.SeedBrokers(r.log.ListenAddrs()...)}, 20*time.Millisecond, r.crash
	w, err := New(cfg, store, telemetry.DefaultCatalogue(), telemetry.SystemClock{}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.w = w
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	r.failed = done
	r.stop = func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Errorf("Run: %v", err)
		}
		r.stop = nil
	}
}

func (r *rig) produce(records ...*kgo.Record) {
	r.t.Helper()
	if err := r.cl.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		r.t.Fatal(err)
	}
}

// settled waits until the writer has stored all that lies in the log.
func (r *rig) settled() {
	r.t.Helper()
	r.until("the log is stored", func() bool {
		if err := r.w.learnEnds(context.Background(), r.cl); err != nil {
			return false
		}
		for _, topic := range r.w.topics() {
			if r.w.Lag(topic) > 0 {
				return false
			}
		}
		return r.w.Ready()
	})
}

func (r *rig) until(what string, f func() bool) {
	r.t.Helper()
	deadline := time.After(20 * time.Second)
	for !f() {
		select {
		case <-deadline:
			r.t.Fatalf("never: %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func frame(drill string, seq uint64, value float64) *telemetry.Frame {
	f := &telemetry.Frame{Drill: drill, Device: "edr", Boot: "b1", Seq: seq, TS: t0 + int64(seq)*1e9, Runs: []telemetry.Run{
		{Channel: "WOB", Every: 1e8, Values: []float64{value, value + 1, value + 2}}, {Channel: "Mystery", Values: []float64{value}}}}
	f.Hash = telemetry.ContentHash(f)
	return f
}

func (r *rig) frameRecord(topic string, f *telemetry.Frame) *kgo.Record {
	return &kgo.Record{Topic: topic, Key: []byte(f.Drill), Value: telemetry.AppendFrame(nil, f)}
}

func jsonRecord(topic, key string, v any) *kgo.Record {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return &kgo.Record{Topic: topic, Key: []byte(key), Value: b}
}

// counts are what the store holds.
func (r *rig) counts(query string) (n int64) {
	r.t.Helper()
	if err := r.store.SQL().QueryRow(query).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

func (r *rig) check(what, query string, want int64) {
	r.t.Helper()
	if got := r.counts(query); got != want {
		r.t.Errorf("%s: %d, want %d", what, got, want)
	}
}

func TestEveryKindOfRecordIsStored(t *testing.T) {
	r := newRig(t)
	f := frame("RIG-1", 1, 10)
	late := frame("RIG-1", 0, 9)
	late.Origin = telemetry.Backfill
	sc := &telemetry.Score{Drill: "RIG-1", Tick: f.TS, Causes: []telemetry.FrameID{f.ID()}, Health: 80, TimeLeft: math.NaN(), State: telemetry.StateRotary,
		Results: []telemetry.Result{{Model: "m@1", Outputs: []telemetry.Output{{Name: "rul", Number: 0.1 + 0.2}}}}}
	sc.CauseHash = telemetry.CauseHash(sc.Causes)
	marker := jsonRecord(r.topics.Frames, "RIG-1", telemetry.Marker{ID: "m1", Kind: telemetry.MarkerModel, Name: "m", Version: 1, Action: "activate"})
	marker.Headers = []kgo.RecordHeader{{Key: telemetry.HeaderKind, Value: []byte(telemetry.KindMarker)}}
	twin := *marker
	twin.Topic = r.topics.Backfill
	stranger := r.frameRecord(r.topics.Frames, frame("RIG-1", 99, 1))
	stranger.Headers = []kgo.RecordHeader{{Key: telemetry.HeaderKind, Value: []byte("of-tomorrow")}}
	r.produce(
		r.frameRecord(r.topics.Frames, f), r.frameRecord(r.topics.Backfill, late), marker, &twin, stranger,
		&kgo.Record{Topic: r.topics.Scores, Key: []byte("RIG-1"), Value: telemetry.AppendScore(nil, sc)},
		jsonRecord(r.topics.Alarms, "RIG-1", telemetry.AlarmEvent{Event: telemetry.AlarmRaised, ID: "RIG-1/x/1", Drill: "RIG-1", At: f.TS, Evidence: &telemetry.Evidence{Tick: f.TS, Score: 3}}),
		jsonRecord(r.topics.Commands, "RIG-1", telemetry.Command{ID: "c1", Kind: "ack", Alarm: "RIG-1/x/1", Drill: "RIG-1", By: "ann", At: f.TS}),
		jsonRecord(r.topics.Quarantine, "RIG-1", telemetry.Quarantined{ID: "q1", Gateway: "gw", Code: "malformed", Raw: []byte("{"), RawSize: 1, Received: t0}),
		jsonRecord(r.topics.Gateways, "gw", telemetry.GatewayStatus{Gateway: "gw", At: t0, Accepted: []telemetry.Accepted{{Drill: "RIG-1", Device: "edr", Boot: "b1", Ranges: [][2]uint64{{0, 1}}}}}),
		jsonRecord(r.topics.Control, "channel/Mystery", telemetry.Channel{Tag: "Mystery", Unit: "kN", High: 1, User: true}),
	)
	r.start(r.store)
	r.settled()
	ctx := context.Background()
	r.check("frames", "SELECT count(*) FROM frames", 2)
	r.check("readings", "SELECT count(*) FROM readings", 8)
	r.check("activations", "SELECT count(*) FROM activations", 1)
	got, err := r.store.Scores(ctx, "RIG-1", t0, t0+10e9, 0)
	if err != nil || len(got) != 1 || got[0].Results[0].Outputs[0].Number != 0.1+0.2 || len(got[0].Causes) != 1 || got[0].Causes[0] != f.ID() {
		t.Errorf("scores: %+v, %v", got, err)
	}
	alarms, err := r.store.AlarmEvents(ctx, storage.AlarmQuery{})
	if err != nil || len(alarms) != 1 || alarms[0].Evidence == nil || alarms[0].Evidence.Score != 3 {
		t.Errorf("alarms: %+v, %v", alarms, err)
	}
	if c, err := r.store.Commands(ctx, storage.CommandQuery{Alarm: "RIG-1/x/1"}); err != nil || len(c) != 1 {
		t.Errorf("commands: %+v, %v", c, err)
	}
	if q, n, err := r.store.Quarantine(ctx, 10, 0); err != nil || n != 1 || string(q[0].Raw) != "{" {
		t.Errorf("quarantine: %+v %d %v", q, n, err)
	}
	if ch := r.store.Unregistered(); len(ch) != 0 {
		t.Errorf("registered channel is listed as unregistered: %+v", ch)
	}
	l, err := r.store.Ledger(ctx, storage.LedgerQuery{})
	if err != nil || len(l.Rows) != 1 || l.Sent != 2 || l.Accepted != 2 || l.Stored != 2 || l.Readable != 2 || l.Scored != 1 {
		t.Errorf("ledger: %+v, %v", l, err)
	}
	if r.w.Covered(r.topics.Gateways, 0)+r.w.Covered(r.topics.Gateways, 1)+r.w.Covered(r.topics.Gateways, 2) != 1 {
		t.Error("the gateways topic is not covered")
	}
}

func TestADuplicateIsStoredOnceAndAConflictIsKept(t *testing.T) {
	r := newRig(t)
	other := frame("RIG-1", 3, 77)
	r.produce(r.frameRecord(r.topics.Frames, frame("RIG-1", 3, 10)), r.frameRecord(r.topics.Frames, frame("RIG-1", 3, 10)), r.frameRecord(r.topics.Frames, other))
	r.start(r.store)
	r.settled()
	// Two topics have no order between them, and the first that is seen keeps its boot: backfill comes after.
	r.produce(r.frameRecord(r.topics.Backfill, other))
	r.settled()
	r.check("frames", "SELECT count(*) FROM frames", 2)
	r.check("conflicts", fmt.Sprintf("SELECT count(*) FROM frames WHERE flags & %d <> 0 AND boot = 'b1!'", telemetry.FlagConflict), 1)
	r.check("values", "SELECT count(*) FROM readings WHERE channel = 'WOB' AND value IN (10, 77)", 2)
	ts, found, err := r.store.FrameTime(context.Background(), "RIG-1", telemetry.FrameID{Device: "edr", Boot: telemetry.ConflictBoot("b1", other.Hash), Seq: 3})
	if err != nil || !found || ts != other.TS {
		t.Errorf("the conflict under its derived boot: %d %v %v", ts, found, err)
	}
}

func TestWhatCannotBeReadGoesToQuarantineAndStopsNothing(t *testing.T) {
	r := newRig(t)
	nameless := frame("RIG-1", 1, 1)
	nameless.Drill = "no/such drill"
	for _, topic := range []string{r.topics.Frames, r.topics.Backfill, r.topics.Scores, r.topics.Alarms, r.topics.Commands, r.topics.Quarantine, r.topics.Gateways} {
		r.produce(&kgo.Record{Topic: topic, Key: []byte("RIG-1"), Value: []byte("\xff\xfe not a record")})
	}
	r.produce(&kgo.Record{Topic: r.topics.Frames, Key: []byte("RIG-1"), Value: nil}, r.frameRecord(r.topics.Frames, nameless), r.frameRecord(r.topics.Frames, frame("RIG-1", 2, 1)))
	r.start(r.store)
	r.settled()
	r.check("frames", "SELECT count(*) FROM frames", 1)
	r.check("quarantine", "SELECT count(*) FROM quarantine WHERE gateway = 'writer' AND cure <> '' AND message <> ''", 9)
}

func TestANewLogVoidsPositionsAndStoresNothingTwice(t *testing.T) {
	r := newRig(t)
	for i := range uint64(50) {
		r.produce(r.frameRecord(r.topics.Frames, frame("RIG-1", i, float64(i))))
	}
	r.start(r.store)
	r.settled()
	r.stop()
	r.newLog("cluster-two") // the log was lost; the spool publishes again
	for i := uint64(20); i < 80; i++ {
		r.produce(r.frameRecord(r.topics.Frames, frame("RIG-1", i, float64(i))))
	}
	r.store.Close()
	r.openStore()
	r.start(r.store)
	r.settled()
	r.check("frames", "SELECT count(*) FROM frames", 80)
	r.check("distinct", "SELECT count(DISTINCT seq) FROM frames", 80)
	r.check("readings", "SELECT count(*) FROM readings WHERE channel = 'WOB'", 240)
	pos, err := r.store.Position(context.Background())
	if err != nil || pos.Cluster != "cluster-two" {
		t.Errorf("position: %+v, %v", pos, err)
	}
	next := int64(0)
	for _, o := range pos.Offsets {
		if o.Topic == r.topics.Frames {
			next += o.Next
		}
	}
	if next != 60 {
		t.Errorf("frames read of the new log: %d, want 60", next)
	}
}

// dying stands for kill -9: the store is told nothing more, and what was
// committed is all that a new process finds.
type dying struct {
	Store
	mu    sync.Mutex
	after bool // die behind the commit, not before
	left  int  // commits before that
}

var errDead = errors.New("killed")

func (d *dying) Commit(ctx context.Context, b *storage.Batch) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left--
	if d.left < 0 && !d.after {
		return errDead
	}
	if d.left < -1 {
		return errDead
	}
	err := d.Store.Commit(ctx, b)
	if d.left < 0 && err == nil {
		return errDead
	}
	return err
}

func TestAfterAnyRestartEveryRowIsThereOnce(t *testing.T) {
	r := newRig(t)
	const n = 400
	var records []*kgo.Record
	for i := range uint64(n) {
		f := frame(fmt.Sprintf("RIG-%d", i%3), i/3, float64(i))
		records = append(records, r.frameRecord(r.topics.Frames, f))
		if i%10 == 0 {
			records = append(records, r.frameRecord(r.topics.Backfill, f))
		}
		sc := telemetry.Score{Drill: f.Drill, Tick: f.TS, Causes: []telemetry.FrameID{f.ID()}, Health: float64(i % 100), CauseHash: i}
		records = append(records, &kgo.Record{Topic: r.topics.Scores, Key: []byte(f.Drill), Value: telemetry.AppendScore(nil, &sc)})
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for len(records) > 0 {
			k := min(20, len(records))
			r.cl.ProduceSync(context.Background(), records[:k]...)
			records = records[k:]
		}
	}()
	for i := range 12 {
		d := &dying{Store: r.store, after: i%2 == 1, left: i % 3}
		cfg := DefaultConfig()
		cfg.Topics, cfg.Client, cfg.Every, cfg.Retry, cfg.MaxRows, cfg.Snapshot = r.topics, []kgo.Opt{kgo.SeedBrokers(r.log.ListenAddrs()...)}, time.Millisecond, 0, 25, 60
		w, err := New(cfg, d, telemetry.DefaultCatalogue(), telemetry.SystemClock{}, slog.New(slog.DiscardHandler), nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		if err := w.Run(ctx); err != nil && !errors.Is(err, errDead) {
			t.Fatal(err)
		}
		cancel()
		if i%4 == 3 {
			r.store.Close()
			r.openStore()
		}
	}
	<-sent
	r.start(r.store)
	r.settled()
	r.check("frames", "SELECT count(*) FROM frames", n)
	r.check("distinct frames", "SELECT count(*) FROM (SELECT DISTINCT drill, seq FROM frames)", n)
	r.check("readings", "SELECT count(*) FROM readings WHERE channel = 'WOB'", 3*n)
	r.check("scores", "SELECT count(*) FROM store.all_scores", n)
	l, err := r.store.Ledger(context.Background(), storage.LedgerQuery{})
	if err != nil || l.Stored != n || l.Scored != n || l.Readable != n {
		t.Errorf("ledger: %+v, %v", l, err)
	}
}

func TestACommitThatFailsIsTriedAgain(t *testing.T) {
	r := newRig(t)
	f := &failing{Store: r.store, left: 3}
	r.produce(r.frameRecord(r.topics.Frames, frame("RIG-1", 1, 1)))
	r.start(f)
	r.settled()
	if f.left != 0 {
		t.Errorf("%d failures left", f.left)
	}
	r.check("frames", "SELECT count(*) FROM frames", 1)
}

type failing struct {
	Store
	left int
}

func (f *failing) Commit(ctx context.Context, b *storage.Batch) error {
	if f.left > 0 {
		f.left--
		return errors.New("disk full")
	}
	return f.Store.Commit(ctx, b)
}

func TestRepeatedScoresAreStoredOnceAndAmendedOnesCount(t *testing.T) {
	r := newRig(t)
	score := func(tick int64, health float64, cause uint64) *kgo.Record {
		return &kgo.Record{Topic: r.topics.Scores, Key: []byte("RIG-1"), Value: telemetry.AppendScore(nil, &telemetry.Score{Drill: "RIG-1", Tick: t0 + tick*1e9, Health: health, CauseHash: cause, Produced: time.Now().UnixNano()})}
	}
	r.produce(score(1, 90, 1), score(2, 80, 1), score(1, 90, 1), score(2, 80, 1), score(2, 70, 2), score(2, 80, 1))
	r.start(r.store)
	r.settled()
	r.produce(score(1, 90, 1), score(2, 70, 2)) // a scorer that starts again
	r.settled()
	r.check("rows", "SELECT count(*) FROM store.all_scores", 3)
	r.check("ticks", "SELECT count(*) FROM scores", 2)
	r.check("amended", "SELECT health::BIGINT FROM scores ORDER BY tick DESC LIMIT 1", 70)
	if sc, ok := r.store.LatestScore("RIG-1"); !ok || sc.Health != 70 {
		t.Errorf("latest score: %+v", sc)
	}
}

// The log was cut while the writer was away: the ledger names the frame, and why.
func TestWhatTheLogNoLongerHadIsNamed(t *testing.T) {
	r := newRig(t)
	ctx := context.Background()
	produce := func(from, to uint64) {
		for seq := from; seq <= to; seq++ {
			r.produce(r.frameRecord(r.topics.Frames, frame("RIG-1", seq, 10)))
		}
		r.produce(jsonRecord(r.topics.Gateways, "gw", telemetry.GatewayStatus{Gateway: "gw", At: t0 + int64(to), Accepted: []telemetry.Accepted{{Drill: "RIG-1", Device: "edr", Boot: "b1", Ranges: [][2]uint64{{0, to}}}}}))
	}
	produce(0, 4)
	r.start(r.store)
	r.settled()
	r.stop()
	produce(5, 9)
	ends, err := kadm.NewClient(r.cl).ListEndOffsets(ctx, r.topics.Frames)
	if err != nil {
		t.Fatal(err)
	}
	cut := kadm.Offsets{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 { // five of the ten were stored
			cut.AddOffset(o.Topic, o.Partition, 6, -1)
		}
	})
	if _, err := kadm.NewClient(r.cl).DeleteRecords(ctx, cut); err != nil {
		t.Fatal(err)
	}
	r.start(r.store)
	r.settled()
	l, err := r.store.Ledger(ctx, storage.LedgerQuery{})
	if err != nil || len(l.Rows) != 1 {
		t.Fatalf("%+v, %v", l, err)
	}
	named := 0
	for _, g := range l.Rows[0].Gaps {
		switch {
		case g.Stage == storage.StageStored && g.From == 5 && g.To == 5 && !g.Pending && strings.Contains(g.Why, "the log no longer had 1 records") && strings.Contains(g.Why, "offsets 5 to 5"):
			named++
		case g.Stage != storage.StageScored: // nothing scores here
			t.Errorf("%+v", g)
		}
	}
	if named != 1 {
		t.Errorf("%+v", l.Rows[0])
	}
}
