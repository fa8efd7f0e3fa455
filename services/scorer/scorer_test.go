package scorer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/mudpulse/mudpulse/telemetry"
)

const testPartitions = 2

// plant is a log, blobs and models for scorers to work with.
type plant struct {
	t      *testing.T
	log    *kfake.Cluster
	topics telemetry.Topics
	opts   []kgo.Opt
	cl     *kgo.Client
	shelf  *shelf

	mu    sync.Mutex
	blobs map[string][]byte
	fail  error // of Fetch
}

func newPlant(t *testing.T) *plant {
	t.Helper()
	topics := telemetry.NewTopics("t.")
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(testPartitions, topics.Frames, topics.Backfill, topics.Scores, topics.Alarms),
		kfake.SeedTopics(1, topics.State), kfake.GroupMinSessionTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	p := &plant{t: t, log: c, topics: topics, opts: []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}, shelf: streamShelf(), blobs: map[string][]byte{}}
	p.cl = p.client()
	return p
}

func (p *plant) client(opts ...kgo.Opt) *kgo.Client {
	p.t.Helper()
	cl, err := kgo.NewClient(append(opts, p.opts...)...)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(cl.Close)
	return cl
}

func (p *plant) Put(_ context.Context, b []byte) (string, error) {
	sum := sha256.Sum256(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blobs[hex.EncodeToString(sum[:])] = b
	return hex.EncodeToString(sum[:]), nil
}

func (p *plant) Fetch(ctx context.Context, sha string) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return nil, p.fail
	}
	if b, ok := p.blobs[sha]; ok {
		return b, nil
	}
	return p.shelf.Fetch(ctx, sha)
}

func (p *plant) Delete(_ context.Context, sha string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.blobs, sha)
	return nil
}

func (p *plant) config() Config {
	c := DefaultConfig()
	c.Topics, c.Client = p.topics, p.opts
	c.Engine = testConfig()
	c.Engine.Rows = 16
	c.Checkpoint = 20 * time.Millisecond
	c.BlobWait = 200 * time.Millisecond
	c.BackfillRate = 1_000_000
	return c
}

func (p *plant) scorer(cfg Config) *Scorer {
	p.t.Helper()
	s, err := New(cfg, Deps{Blobs: p, Loader: p.shelf, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Registerer: prometheus.NewRegistry()})
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

// run runs s until until says so, then stops it and returns what Run returned.
func (p *plant) run(s *Scorer, until func() bool) error {
	p.t.Helper()
	ctx, stop := context.WithCancel(p.t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	p.wait(until)
	stop()
	return <-done
}

func (p *plant) wait(until func() bool) {
	p.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for !until() {
		if time.Now().After(deadline) {
			p.t.Fatal("waited a minute for nothing")
		}
		runtime.Gosched()
		tick := time.NewTimer(time.Millisecond)
		<-tick.C
	}
}

// publish writes steps into the log, frames by drill, markers into every partition.
func (p *plant) publish(steps []step) {
	p.t.Helper()
	var recs []*kgo.Record
	for _, s := range steps {
		if s.m != nil {
			b, err := json.Marshal(s.m)
			if err != nil {
				p.t.Fatal(err)
			}
			for _, topic := range []string{p.topics.Frames, p.topics.Backfill} {
				for n := range int32(testPartitions) {
					recs = append(recs, &kgo.Record{Topic: topic, Partition: n, Value: b, Headers: []kgo.RecordHeader{{Key: telemetry.HeaderKind, Value: []byte(telemetry.KindMarker)}}})
				}
			}
			continue
		}
		topic := p.topics.Frames
		if s.f.Origin == telemetry.Backfill {
			topic = p.topics.Backfill
		}
		recs = append(recs, &kgo.Record{Topic: topic, Partition: partitionOf(s.f.Drill), Key: []byte(s.f.Drill), Value: telemetry.AppendFrame(nil, s.f)})
	}
	if err := p.client(kgo.RecordPartitioner(kgo.ManualPartitioner())).ProduceSync(p.t.Context(), recs...).FirstErr(); err != nil {
		p.t.Fatal(err)
	}
}

func partitionOf(drill string) int32 { return int32(drill[len(drill)-1]) % testPartitions }

// ends returns how many records of frames and backfill there are, by partition.
func (p *plant) ends() map[string]map[int32]int64 {
	p.t.Helper()
	out := map[string]map[int32]int64{}
	offsets, err := kadm.NewClient(p.cl).ListEndOffsets(p.t.Context(), p.topics.Frames, p.topics.Backfill)
	if err != nil {
		p.t.Fatal(err)
	}
	offsets.Each(func(o kadm.ListedOffset) {
		if out[o.Topic] == nil {
			out[o.Topic] = map[int32]int64{}
		}
		out[o.Topic][o.Partition] = o.Offset
	})
	return out
}

// allCovered reports whether checkpoints cover the whole log.
func (p *plant) allCovered(ss ...*Scorer) func() bool {
	ends := p.ends()
	return func() bool {
		for topic, parts := range ends {
			for n, end := range parts {
				got := int64(-1)
				for _, s := range ss {
					if o, ok := s.Covered()[topic][n]; ok {
						got = max(got, o)
					}
				}
				if got < end {
					return false
				}
			}
		}
		return true
	}
}

// published reads back what scorers wrote: the last record of each tick, and
// every alarm event once. An identity that came twice must have the same bits.
func (p *plant) published() *tape {
	p.t.Helper()
	out := newTape()
	type id struct {
		drill string
		tick  int64
		cause uint64
	}
	seen := map[id]string{}
	events := map[string]bool{}
	for _, r := range p.read(p.topics.Scores) {
		var s telemetry.Score
		if err := telemetry.DecodeScore(r.Value, &s); err != nil {
			p.t.Fatal(err)
		}
		if s.Produced == 0 {
			p.t.Error("a score without the time it was made")
		}
		s.Produced = 0
		out.Score(&s)
		b := string(telemetry.AppendScore(nil, &s))
		k := id{s.Drill, s.Tick, s.CauseHash}
		if old, ok := seen[k]; ok && old != b {
			p.t.Errorf("drill %s tick %d: the same causes, other bits", s.Drill, s.Tick)
		}
		seen[k] = b
	}
	for _, r := range p.read(p.topics.Alarms) {
		if events[string(r.Value)] {
			continue
		}
		events[string(r.Value)] = true
		var e telemetry.AlarmEvent
		if err := json.Unmarshal(r.Value, &e); err != nil {
			p.t.Fatal(err)
		}
		out.Alarm(&e)
	}
	return out
}

func (p *plant) read(topic string) []*kgo.Record {
	p.t.Helper()
	ends, err := kadm.NewClient(p.cl).ListEndOffsets(p.t.Context(), topic)
	if err != nil {
		p.t.Fatal(err)
	}
	n := int64(0)
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	cl := p.client(kgo.ConsumeTopics(topic))
	var out []*kgo.Record
	for int64(len(out)) < n {
		fs := cl.PollFetches(p.t.Context())
		if err := fs.Err(); err != nil {
			p.t.Fatal(err)
		}
		out = append(out, fs.Records()...)
	}
	return out
}

// undisturbed is what a partition makes of the log without Kafka, without a stop.
func (p *plant) undisturbed() *tape {
	p.t.Helper()
	want := newTape()
	parts := map[int32]*Partition{}
	for n := range int32(testPartitions) {
		cfg := testConfig()
		cfg.Number = int(n)
		parts[n] = newPartition(p.t, cfg, p.shelf, want)
	}
	for road, topic := range []string{p.topics.Frames, p.topics.Backfill} {
		for _, r := range p.read(topic) {
			part := parts[r.Partition]
			if len(r.Headers) > 0 {
				var m telemetry.Marker
				if err := json.Unmarshal(r.Value, &m); err != nil {
					p.t.Fatal(err)
				}
				if err := part.Marker(p.t.Context(), &m, road == 1); err != nil {
					p.t.Fatal(err)
				}
				continue
			}
			var d telemetry.Decoder
			var f telemetry.Frame
			if d.Decode(r.Value, &f) == nil {
				_ = part.Frame(p.t.Context(), &f, road == 1, r.Offset)
			}
		}
	}
	for _, part := range parts {
		part.Flush()
	}
	return want
}

func TestAScorerPublishesWhatAPartitionMakes(t *testing.T) {
	p := newPlant(t)
	p.publish(stream(21, 2000))
	s := p.scorer(p.config())
	if err := p.run(s, p.allCovered(s)); err != nil {
		t.Fatal(err)
	}
	if !s.Ready() {
		t.Error("not ready at the end of the log")
	}
	diff(t, p.published(), p.undisturbed())
	st := s.Status()
	if len(st.Partitions) != testPartitions || len(st.Models) == 0 || st.Partitions[0].Duplicates == 0 {
		t.Errorf("status %+v", st)
	}
	named := 0
	for n := range int32(testPartitions) {
		m, left, err := newestManifest(t.Context(), p.opts, p.topics.State, n)
		if err != nil || m == nil {
			t.Fatal(m, err)
		}
		named += len(m.blobs())
		for _, sha := range m.blobs() {
			if p.blobs[sha] == nil {
				t.Errorf("partition %d: blob %s is not there", n, sha)
			}
		}
		for _, sha := range left {
			if p.blobs[sha] != nil {
				t.Errorf("partition %d: blob %s of a checkpoint before is still there", n, sha)
			}
		}
	}
	if len(p.blobs) != named {
		t.Errorf("%d blobs kept, want the %d that the newest manifests name", len(p.blobs), named)
	}
}

// A kill is a worker that ends between two instructions: nothing after runs.
func TestKilledAnywhereTheSameIsPublished(t *testing.T) {
	steps := stream(33, 1500)
	for _, point := range []string{"frame", "produced", "cut", "drill", "piece", "acked", "blob", "manifest", "removed"} {
		t.Run(point, func(t *testing.T) {
			p := newPlant(t)
			p.publish(steps[:1000])
			var mu sync.Mutex
			hits := 0
			for kill := range 4 {
				if kill == 2 {
					p.publish(steps[1000:])
				}
				cfg := p.config()
				gone := make(chan struct{})
				n := 0
				cfg.CrashPoint = func(name string) {
					if name != point {
						return
					}
					mu.Lock()
					n++
					die := n >= map[string]int{"frame": 180 + 90*kill, "produced": 3 + kill, "cut": 2, "drill": 2, "piece": 2, "acked": 2, "blob": 2, "manifest": 2, "removed": 2}[name]
					if die && n < 1_000_000 {
						n, hits = 1_000_000, hits+1
						close(gone)
					}
					mu.Unlock()
					if die {
						runtime.Goexit() // both workers die, as in one process
					}
				}
				s := p.scorer(cfg)
				covered := p.allCovered(s)
				if err := p.run(s, func() bool {
					select {
					case <-gone:
						return true
					default:
					}
					mu.Lock()
					defer mu.Unlock()
					return covered() && n < 1_000_000
				}); err != nil {
					t.Fatal(err)
				}
			}
			if hits < 2 {
				t.Fatalf("killed only %d times", hits)
			}
			s := p.scorer(p.config())
			if err := p.run(s, p.allCovered(s)); err != nil {
				t.Fatal(err)
			}
			diff(t, p.published(), p.undisturbed())
		})
	}
}

func TestACheckpointWaitsForTheLogToHaveItsScores(t *testing.T) {
	p := newPlant(t)
	p.publish(slices.DeleteFunc(stream(5, 30_000), func(s step) bool { return s.m != nil || partitionOf(s.f.Drill) != 1 })) // one partition only
	slow := 0
	p.log.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		if pr := req.(*kmsg.ProduceRequest); slow < 20 && len(pr.Topics) > 0 && pr.Topics[0].Topic != p.topics.State {
			slow++
			p.log.SleepControl(func() { <-time.NewTimer(40 * time.Millisecond).C }) // twice a checkpoint's interval
		}
		p.log.KeepControl()
		return nil, nil, false
	})
	cfg := p.config()
	var s *Scorer
	early, reached := 0, 0
	var mu sync.Mutex
	cfg.CrashPoint = func(name string) {
		if name != "acked" {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		ws := s.all()
		if ws[0].covered.Load() == nil {
			return // this may be the idle one's only checkpoint
		}
		reached++
		a := &ws[1].acks
		a.mu.Lock()
		if a.now.before.open > 0 { // of what was made before the cut
			early++
		}
		a.mu.Unlock()
	}
	s = p.scorer(cfg)
	if err := p.run(s, p.allCovered(s)); err != nil {
		t.Fatal(err)
	}
	if slow == 0 || reached == 0 || early > 0 {
		t.Errorf("%d of %d checkpoints went on before the log had all; %d requests were slowed", early, reached, slow)
	}
}

func TestAPoisonRecordIsCountedAndSkipped(t *testing.T) {
	p := newPlant(t)
	mgr := p.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	bad := frame("R1", 1, 100, 100)
	bad.Runs[0].Every = 1 << 62
	for _, b := range [][]byte{[]byte("no protobuf at all"), nil, telemetry.AppendFrame(nil, bad), telemetry.AppendFrame(nil, &telemetry.Frame{Drill: "a/b", Device: "d"})} {
		if err := mgr.ProduceSync(t.Context(), &kgo.Record{Topic: p.topics.Frames, Partition: 1, Value: b}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for kind, v := range map[string]string{telemetry.KindMarker: "{", "of-tomorrow": "x"} {
		if err := mgr.ProduceSync(t.Context(), &kgo.Record{Topic: p.topics.Frames, Partition: 1, Value: []byte(v), Headers: []kgo.RecordHeader{{Key: telemetry.HeaderKind, Value: []byte(kind)}}}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	p.publish([]step{{m: activate("m", 1, "a")}, {f: frame("R1", 5, 100, 100)}})
	s := p.scorer(p.config())
	if err := p.run(s, p.allCovered(s)); err != nil {
		t.Fatal(err)
	}
	if got := p.published().scores["R1"]; len(got) != 1 {
		t.Errorf("%d scores", len(got))
	}
	if n := s.Status().Partitions[1].Poison; n != 5 {
		t.Errorf("%d poison records counted, want 5", n)
	}
}

func TestAMarkerWaitsForItsBlobAndIsRefusedInTheEnd(t *testing.T) {
	p := newPlant(t)
	p.fail = errors.New("the bucket is away")
	p.publish([]step{{m: &telemetry.Marker{ID: "r", Kind: telemetry.MarkerRules, SHA256: "rules", Action: "activate"}}, {f: frame("R1", 5, 100, 100)}})
	s := p.scorer(p.config())
	if err := p.run(s, p.allCovered(s)); err != nil {
		t.Fatal(err)
	}
	refused := s.Status().Refused
	if len(refused) != 1 || !strings.Contains(refused[0].Why, "the bucket is away") {
		t.Errorf("%+v", refused)
	}
	if got := p.published().scores["R1"]; len(got) != 1 {
		t.Errorf("%d scores", len(got))
	}
}

func TestTwoScorersShareThePartitions(t *testing.T) {
	p := newPlant(t)
	steps := stream(44, 1200)
	p.publish(steps[:600])
	cfg := p.config()
	cfg.Group = "mudpulse-scorer"
	a, b := p.scorer(cfg), p.scorer(cfg)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	bctx, bstop := context.WithCancel(ctx)
	done := make(chan error, 2)
	go func() { done <- a.Run(ctx) }()
	p.wait(p.allCovered(a))
	go func() { done <- b.Run(bctx) }()
	p.wait(func() bool { return len(a.all()) == 1 && len(b.all()) == 1 })
	p.publish(steps[600:])
	p.wait(p.allCovered(a, b))
	bstop() // its partition goes back
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	p.publish([]step{{f: frame("R1", 100_001, 100, 100)}, {f: frame("R2", 100_001, 100, 100)}})
	p.wait(p.allCovered(a))
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	diff(t, p.published(), p.undisturbed())
}

func TestUnderAnotherClusterTheOffsetsAreVoid(t *testing.T) {
	p := newPlant(t)
	p.publish([]step{{m: activate("m", 1, "a")}, {f: frame("R1", 1, 100, 100)}, {f: frame("R1", 2, 100, 100)}})
	s := p.scorer(p.config())
	if err := p.run(s, p.allCovered(s)); err != nil {
		t.Fatal(err)
	}
	for n := range int32(testPartitions) { // as if they had been made over another log
		m, _, err := newestManifest(t.Context(), p.opts, p.topics.State, n)
		if err != nil || m == nil {
			t.Fatal(m, err)
		}
		m.Cluster, m.Frames = "elsewhere", 1000
		b, _ := json.Marshal(m)
		if err := p.cl.ProduceSync(t.Context(), &kgo.Record{Topic: p.topics.State, Key: []byte(manifestKey(n)), Value: b}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	p.publish([]step{{f: frame("R1", 3, 100, 100)}})
	s = p.scorer(p.config())
	if err := p.run(s, p.allCovered(s)); err != nil {
		t.Fatal(err)
	}
	if got := p.published().scores["R1"]; len(got) != 3 { // two were known and not scored again
		t.Errorf("%d scores, want 3", len(got))
	}
	if d := s.Status().Partitions[1].Duplicates; d != 2 {
		t.Errorf("%d duplicates, want 2", d)
	}
}

func TestAWrongKeyIsNamed(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		if _, err := New(c, Deps{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f(func(c *Config) { c.Drain = 0 }, "drain")
	f(func(c *Config) { c.Checkpoint = -1 }, "checkpoint")
	f(func(c *Config) { c.BackfillRate = 0 }, "backfill_rate")
	f(func(c *Config) { c.Engine.Late = -1 }, "late")
	f(func(c *Config) { c.Engine.Rows = 0 }, "rows")
	f(func(*Config) {}, "blobs")
}
