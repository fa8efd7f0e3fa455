package scorer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/services/internal/kafka"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Config is what an operator may change. Start from DefaultConfig.
type Config struct {
	Topics telemetry.Topics
	Client []kgo.Opt // brokers, SASL, TLS

	Group        string        // consumer group by which processes share the partitions; empty: this one takes all
	Instance     string        // of the group's static membership; empty: a new member at every start
	Checkpoint   time.Duration // wall time between checkpoints, at least; by it one is kept where nothing more comes
	Share        float64       // of the bytes read that checkpoints may take; 0: one is kept at every Checkpoint
	Fetch        int32         // bytes of a partition that are fetched at once, at most
	Replay       int64         // bytes of a partition after which one is kept whatever its share: a restart reads them again
	Again        time.Duration // until a partition whose scores the log refused begins again
	Drain        time.Duration // how long a stopping scorer may take to finish and checkpoint
	BackfillRate int           // frames of history a second and partition, at most
	BlobWait     time.Duration // how long a marker waits for a blob that cannot be had before it is refused
	Engine       PartitionConfig

	CrashPoint func(name string) // tests kill the process there; nil
}

// DefaultConfig returns what suits one process and a small fleet.
func DefaultConfig() Config {
	return Config{Topics: telemetry.NewTopics(telemetry.DefaultPrefix), Checkpoint: 10 * time.Second, Share: 0.1, Fetch: 4 << 20, Replay: 512 << 20, Again: 2 * time.Second, Drain: 5 * time.Second, BackfillRate: 5000,
		BlobWait: 30 * time.Second, Engine: DefaultPartitionConfig()}
}

// Validate names the first key that is wrong.
func (c Config) Validate() error {
	switch {
	case c.Topics.Frames == "":
		return errors.New("topics: must be given")
	case c.Checkpoint <= 0:
		return fmt.Errorf("checkpoint: must be positive, not %v", c.Checkpoint)
	case c.Share < 0 || c.Share > 1:
		return fmt.Errorf("share: must be 0 to 1, not %v", c.Share)
	case c.Fetch < 1:
		return fmt.Errorf("fetch: must be positive, not %d", c.Fetch)
	case c.Replay < 1:
		return fmt.Errorf("replay: must be positive, not %d", c.Replay)
	case c.Again <= 0:
		return fmt.Errorf("again: must be positive, not %v", c.Again)
	case c.Drain <= 0:
		return fmt.Errorf("drain: must be positive, not %v", c.Drain)
	case c.BackfillRate < 1:
		return fmt.Errorf("backfill_rate: must be positive, not %d", c.BackfillRate)
	case c.BlobWait < 0:
		return fmt.Errorf("blob_wait: must not be negative, not %v", c.BlobWait)
	}
	return c.Engine.Validate()
}

// Blobs keeps bytes under their SHA-256: models, rules and checkpoints.
type Blobs interface {
	Put(ctx context.Context, b []byte) (sha256 string, err error)
	Fetch(ctx context.Context, sha256 string) ([]byte, error)
}

// Deps is what a scorer works with.
type Deps struct {
	Blobs      Blobs
	Loader     Loader               // of models; nil: PMML out of Blobs
	Catalogue  *telemetry.Catalogue // channels beside those that markers register; nil: the default ones
	Asker      Asker                // the store, for frames beyond what de-duplication remembers; nil: they count as seen
	Log        *slog.Logger
	Registerer prometheus.Registerer // nil: no metrics
}

// Scorer runs the partitions of the log. New makes one; Run does all its work.
type Scorer struct {
	cfg    Config
	deps   Deps
	log    *slog.Logger
	loader Loader
	meters *meters

	mu      sync.Mutex
	workers map[int32]*worker
	cluster string
}

// New does no I/O and starts nothing.
func New(cfg Config, deps Deps) (*Scorer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("scorer: %w", err)
	}
	if deps.Blobs == nil || deps.Log == nil {
		return nil, errors.New("scorer: blobs and log must be given")
	}
	if deps.Catalogue == nil {
		deps.Catalogue = telemetry.DefaultCatalogue()
	}
	s := &Scorer{cfg: cfg, deps: deps, log: deps.Log, loader: deps.Loader, workers: map[int32]*worker{}}
	if s.loader == nil {
		s.loader = NewPMML(deps.Blobs)
	}
	if s.cfg.CrashPoint == nil {
		s.cfg.CrashPoint = func(string) {}
	}
	var err error
	if s.meters, err = newMeters(deps.Registerer, s); err != nil {
		return nil, fmt.Errorf("scorer: %w", err)
	}
	return s, nil
}

// Run scores until ctx is done or something fails. When it returns, all that it
// started has stopped, and every partition has a checkpoint or is replayed from its last.
func (s *Scorer) Run(ctx context.Context) error {
	opts := append(slices.Clone(s.cfg.Client), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(2*time.Millisecond),
		kgo.MaxBufferedRecords(50_000), kgo.ProducerBatchMaxBytes(4<<20), kgo.RecordDeliveryTimeout(0))
	out, err := kgo.NewClient(opts...)
	if err != nil {
		return fmt.Errorf("scorer: %w", err)
	}
	defer out.Close()
	if s.cluster, err = kafka.ClusterID(ctx, out); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("scorer: %w", err)
	}
	parts, err := s.partitions(ctx, out)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("scorer: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	crew := &crew{s: s, out: out, fail: cancel, running: map[int32]running{}}
	if s.cfg.Group == "" {
		crew.start(ctx, parts)
		<-ctx.Done()
	} else if err := s.share(ctx, crew); err != nil {
		cancel(err)
	}
	crew.stop(nil)
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("scorer: %w", err)
	}
	return nil
}

// partitions returns the numbers of the partitions of frames, of which backfill has as many.
func (s *Scorer) partitions(ctx context.Context, cl *kgo.Client) ([]int32, error) {
	topics, err := kadm.NewClient(cl).ListTopics(ctx, s.cfg.Topics.Frames, s.cfg.Topics.Backfill)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	f, b := topics[s.cfg.Topics.Frames], topics[s.cfg.Topics.Backfill]
	if err := errors.Join(f.Err, b.Err); err != nil {
		return nil, fmt.Errorf("topics %s and %s: %w", s.cfg.Topics.Frames, s.cfg.Topics.Backfill, err)
	}
	if len(f.Partitions) != len(b.Partitions) {
		return nil, fmt.Errorf("topic %s has %d partitions and %s has %d: they must be equal", s.cfg.Topics.Frames, len(f.Partitions), s.cfg.Topics.Backfill, len(b.Partitions))
	}
	return f.Partitions.Numbers(), nil
}

// share takes partitions as a consumer group deals them out. The group's client
// only holds membership: whoever has partition p of frames also reads p of backfill.
func (s *Scorer) share(ctx context.Context, crew *crew) error {
	stop := func(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
		if parts := gone[s.cfg.Topics.Frames]; len(parts) > 0 {
			crew.stop(parts)
		}
	}
	opts := append(slices.Clone(s.cfg.Client), kgo.ConsumerGroup(s.cfg.Group), kgo.ConsumeTopics(s.cfg.Topics.Frames),
		kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.DisableAutoCommit(), kgo.SessionTimeout(15*time.Second),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, got map[string][]int32) {
			crew.start(ctx, got[s.cfg.Topics.Frames])
		}),
		kgo.OnPartitionsRevoked(stop), kgo.OnPartitionsLost(stop))
	if s.cfg.Instance != "" {
		opts = append(opts, kgo.InstanceID(s.cfg.Instance))
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return err
	}
	defer cl.Close()
	cl.PauseFetchTopics(s.cfg.Topics.Frames)
	for ctx.Err() == nil {
		cl.PollFetches(ctx) // nothing comes: it lets the group's errors be seen and heartbeats pass
	}
	crew.stop(nil) // before the group gives the partitions to others
	return nil
}

// A crew is the workers that run.
type crew struct {
	s       *Scorer
	out     *kgo.Client
	fail    context.CancelCauseFunc
	mu      sync.Mutex
	running map[int32]running
}

type running struct {
	stop context.CancelFunc
	done chan struct{}
}

func (c *crew) start(ctx context.Context, parts []int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range parts {
		if _, ok := c.running[p]; ok || ctx.Err() != nil {
			continue
		}
		wctx, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		c.running[p] = running{stop, done}
		w := newWorker(c.s, p, c.out)
		c.s.mu.Lock()
		c.s.workers[p] = w
		c.s.mu.Unlock()
		go func() {
			defer close(done)
			err := w.run(wctx)
			// A log that took no record, with a full disk most often, takes them again one
			// day: until then scoring begins again at the checkpoint, and repeats itself.
			for errors.Is(err, kerr.UnknownServerError) && sleep(wctx, c.s.cfg.Again) {
				w.log.Warn("the log refuses what was scored; the partition begins again at its checkpoint", "err", err)
				next := newWorker(c.s, p, c.out)
				c.s.mu.Lock()
				if c.s.workers[p] == w { // else the group has taken it away
					c.s.workers[p] = next
				}
				c.s.mu.Unlock()
				w = next
				err = w.run(wctx)
			}
			if err != nil {
				c.fail(fmt.Errorf("partition %d: %w", p, err))
			}
		}()
	}
}

// stop stops the workers of parts, all if nil, and waits for them.
func (c *crew) stop(parts []int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var waits []chan struct{}
	for p, r := range c.running {
		if parts == nil || slices.Contains(parts, p) {
			r.stop()
			waits = append(waits, r.done)
			delete(c.running, p)
			if parts != nil { // at the end of Run the last status stays to be read
				c.s.mu.Lock()
				delete(c.s.workers, p)
				c.s.mu.Unlock()
			}
		}
	}
	for _, done := range waits {
		<-done
	}
}

// Covered returns the offsets, exclusive, up to which a durable checkpoint
// covers frames and backfill: below them nothing is read again.
func (s *Scorer) Covered() map[string]map[int32]int64 {
	out := map[string]map[int32]int64{s.cfg.Topics.Frames: {}, s.cfg.Topics.Backfill: {}}
	for _, w := range s.all() {
		if m := w.covered.Load(); m != nil {
			out[s.cfg.Topics.Frames][w.p], out[s.cfg.Topics.Backfill][w.p] = m.Frames, m.Backfill
		}
	}
	return out
}

// Ready reports whether every partition that this process owns has been read to
// the end of frames once.
func (s *Scorer) Ready() bool {
	ws := s.all()
	for _, w := range ws {
		if !w.ready.Load() {
			return false
		}
	}
	return len(ws) > 0
}

func (s *Scorer) all() []*worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*worker, 0, len(s.workers))
	for _, w := range s.workers {
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b *worker) int { return int(a.p - b.p) })
	return out
}
