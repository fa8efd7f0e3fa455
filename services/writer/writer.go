// Package writer carries the log into the columnstore: frames once each,
// scores, alarms, commands, what was set aside, gateways' ledgers. Rows, the
// positions they were read from and the de-duplication state are one
// transaction, and reading goes on from there: every row once, whatever is killed.
package writer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/services/internal/kafka"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
	"github.com/mudpulse/mudpulse/telemetry/dedup"
)

// Store is where the writer puts what it reads.
type Store interface {
	Commit(ctx context.Context, b *storage.Batch) error
	Position(ctx context.Context) (storage.Position, error)
	FramesSince(ctx context.Context, commit int64, f func(storage.StoredFrame) error) error
	FrameTime(ctx context.Context, drill string, id telemetry.FrameID) (ts int64, found bool, err error)
}

// Config says what to read and how to batch it.
type Config struct {
	Topics   telemetry.Topics
	Client   []kgo.Opt     // seed brokers and what else every client of this log needs
	Every    time.Duration // at most so long, wall time, between reading a record and committing it
	MaxRows  int           // a batch of so many rows is committed at once
	Fetch    int32         // bytes of a partition that are fetched at once, at most
	Snapshot int           // frames between snapshots of the de-duplication state
	Drain    time.Duration // to finish the batch in hand when asked to stop
	Retry    time.Duration // how long a commit that fails is tried again before Run gives up
	Dedup    dedup.Config

	// CrashPoint is called as places worth dying at are passed (CrashPoints); nil: nothing.
	CrashPoint func(name string)
}

// Names of the crash points, in the order a batch passes them.
const (
	CrashBatch     = "writer-batch"     // a batch is in hand, nothing of it is stored
	CrashCommitted = "writer-committed" // it is stored, nobody has been told
)

// CrashPoints lists them.
var CrashPoints = [...]string{CrashBatch, CrashCommitted}

// DefaultConfig batches 200 ms or 4000 rows.
func DefaultConfig() Config {
	return Config{Every: 200 * time.Millisecond, MaxRows: 4000, Fetch: 1 << 20, Snapshot: 50000, Drain: 10 * time.Second, Retry: time.Minute, Dedup: dedup.DefaultConfig()}
}

// Validate names the first key that is wrong.
func (c Config) Validate() error {
	switch {
	case c.Topics.Frames == "":
		return errors.New("topics: must be given")
	case c.Every <= 0:
		return fmt.Errorf("every: must be positive, not %v", c.Every)
	case c.MaxRows < 1:
		return fmt.Errorf("max_rows: must be positive, not %d", c.MaxRows)
	case c.Fetch < 1:
		return fmt.Errorf("fetch: must be positive, not %d", c.Fetch)
	case c.Snapshot < 1:
		return fmt.Errorf("snapshot: must be positive, not %d", c.Snapshot)
	case c.Drain <= 0:
		return fmt.Errorf("drain: must be positive, not %v", c.Drain)
	case c.Retry < 0:
		return fmt.Errorf("retry: must not be negative, not %v", c.Retry)
	}
	return c.Dedup.Validate()
}

// maxBytes of records are a full batch too: frames and raw messages may be a megabyte each.
const maxBytes = 16 << 20

// A Writer is the only one that writes to its store.
type Writer struct {
	cfg   Config
	store Store
	cat   *telemetry.Catalogue
	clock telemetry.Clock
	log   *slog.Logger
	m     *metrics

	// One goroutine's: Run.
	table      *dedup.Table
	batch      storage.Batch
	decoder    telemetry.Decoder
	frame      telemetry.Frame
	asked      map[asked]int64 // frames of this batch that the table could not tell, and their ts
	next       map[partition]int64
	since      int // frames since the last snapshot
	bytes      int // of the records in the batch
	cluster    string
	complained map[string]time.Time

	mu        sync.Mutex
	committed map[partition]int64
	ends      map[partition]int64 // where each partition ended when last heard of
	ready     atomic.Bool
}

type partition struct {
	topic string
	n     int32
}

type asked struct {
	drill string
	id    telemetry.FrameID
}

// New returns a writer; it starts nothing. Channels that the control topic
// registers are entered in cat.
func New(cfg Config, store Store, cat *telemetry.Catalogue, clock telemetry.Clock, log *slog.Logger, reg prometheus.Registerer) (*Writer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("writer: %w", err)
	}
	if cfg.CrashPoint == nil {
		cfg.CrashPoint = func(string) {}
	}
	w := &Writer{cfg: cfg, store: store, cat: cat, clock: clock, log: log, committed: map[partition]int64{}, ends: map[partition]int64{}}
	w.m = newMetrics(reg, w)
	return w, nil
}

// topics returns what the writer reads.
func (w *Writer) topics() []string {
	t := w.cfg.Topics
	return []string{t.Frames, t.Backfill, t.Scores, t.Alarms, t.Quarantine, t.Gateways, t.Commands, t.Control}
}

// Covered returns the first offset of a partition that the store does not hold
// yet; 0 where it holds none. A gateway's spool may forget what lies below.
func (w *Writer) Covered(topic string, n int32) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.committed[partition{topic, n}]
}

// Positions returns Covered of all topics but the compacted ones, which are never cut.
func (w *Writer) Positions() map[string]map[int32]int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[string]map[int32]int64{}
	for p, next := range w.committed {
		if w.cfg.Topics.Compacted(p.topic) {
			continue
		}
		if out[p.topic] == nil {
			out[p.topic] = map[int32]int64{}
		}
		out[p.topic][p.n] = next
	}
	return out
}

// Ready reports whether the writer has once caught up with the log as it found it.
func (w *Writer) Ready() bool { return w.ready.Load() }

// Lag returns how many records of a topic are known and not stored.
func (w *Writer) Lag(topic string) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	lag := int64(0)
	for p, end := range w.ends {
		if p.topic == topic {
			lag += max(0, end-w.committed[p])
		}
	}
	return lag
}

// Run reads and stores until ctx is done; then it commits the batch in hand. An
// error means that the store fails for good.
func (w *Writer) Run(ctx context.Context) error {
	opts := append([]kgo.Opt{
		kgo.FetchMaxBytes(8 * w.cfg.Fetch), kgo.FetchMaxPartitionBytes(w.cfg.Fetch), kgo.FetchMaxWait(50 * time.Millisecond), kgo.MaxConcurrentFetches(4),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // where the log was cut below our position
	}, w.cfg.Client...)
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return fmt.Errorf("writer: %w", err)
	}
	defer cl.Close()
	if err := w.start(ctx, cl); err != nil || ctx.Err() != nil {
		return err
	}
	watch, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.watchPartitions(watch, cl)
	}()
	defer func() { stop(); <-done }()

	for {
		err := w.gather(ctx, cl)
		if err != nil && ctx.Err() == nil {
			return err
		}
		stopping := ctx.Err() != nil // a batch that was full already is gathered without looking
		if stopping {
			w.since = w.cfg.Snapshot // the last commit carries the state
		}
		commit, cancel := ctx, func() {}
		if stopping {
			commit, cancel = context.WithTimeout(context.WithoutCancel(ctx), w.cfg.Drain)
		}
		err = w.commit(commit)
		cancel()
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("writer: %w", err)
		}
		if stopping {
			return nil
		}
	}
}

// start finds the positions, waiting for the log as long as it takes.
func (w *Writer) start(ctx context.Context, cl *kgo.Client) error {
	pos, err := w.store.Position(ctx)
	if err != nil {
		return fmt.Errorf("writer: %w", err)
	}
	if w.table, err = dedup.New(w.cfg.Dedup); err != nil {
		return fmt.Errorf("writer: %w", err)
	}
	if pos.Dedup != nil {
		if err := w.table.UnmarshalBinary(pos.Dedup); err != nil {
			return fmt.Errorf("writer: stored de-duplication state: %w", err)
		}
	}
	n := 0
	err = w.store.FramesSince(ctx, pos.DedupCommit, func(f storage.StoredFrame) error {
		w.table.Restore(f.Drill, f.ID, f.Hash, f.TS)
		n++
		return nil
	})
	if err != nil {
		return fmt.Errorf("writer: %w", err)
	}
	w.asked, w.next, w.complained, w.since = map[asked]int64{}, map[partition]int64{}, map[string]time.Time{}, n
	w.bytes = 0
	w.batch.Reset()

	var listed kadm.TopicDetails
	err = w.wait(ctx, "waiting for the log", func() error {
		if w.cluster, err = kafka.ClusterID(ctx, cl); err != nil {
			return err
		}
		if listed, err = w.list(ctx, cl); err != nil {
			return err
		}
		return w.learnEnds(ctx, cl)
	})
	if err != nil {
		return nil // asked to stop
	}
	w.mu.Lock()
	clear(w.committed)
	if pos.Cluster == w.cluster {
		for _, o := range pos.Offsets {
			w.committed[partition{o.Topic, o.Partition}] = o.Next
		}
	} else {
		if pos.Cluster != "" {
			w.log.Warn("the log is another one: stored positions are void, reading from its start", "was", pos.Cluster, "is", w.cluster)
		}
		w.batch.Cluster = w.cluster
	}
	w.mu.Unlock()
	w.consume(cl, listed)
	w.log.Info("writer started", "cluster", w.cluster, "partitions", len(w.ends), "frames_restored", n)
	return nil
}

// wait tries until f succeeds or ctx is done, saying why once a minute.
func (w *Writer) wait(ctx context.Context, what string, f func() error) error {
	pause, said := 100*time.Millisecond, time.Time{}
	for {
		err := f()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Since(said) > time.Minute {
			w.log.Warn(what, "err", err)
			said = time.Now()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, 2*time.Second)
	}
}

// list returns the topics' partitions; all topics must be there.
func (w *Writer) list(ctx context.Context, cl *kgo.Client) (kadm.TopicDetails, error) {
	listed, err := kadm.NewClient(cl).ListTopics(ctx, w.topics()...)
	if err != nil {
		return nil, err
	}
	for _, t := range w.topics() {
		if d, ok := listed[t]; !ok || d.Err != nil {
			return nil, fmt.Errorf("topic %s is not there", t)
		}
	}
	return listed, nil
}

func (w *Writer) learnEnds(ctx context.Context, cl *kgo.Client) error {
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, w.topics()...)
	if err != nil {
		return err
	}
	if err := ends.Error(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	ends.Each(func(o kadm.ListedOffset) { w.ends[partition{o.Topic, o.Partition}] = o.Offset })
	return nil
}

// consume adds the partitions that are not read yet.
func (w *Writer) consume(cl *kgo.Client, listed kadm.TopicDetails) {
	add := map[string]map[int32]kgo.Offset{}
	w.mu.Lock()
	defer w.mu.Unlock()
	for topic, d := range listed {
		for n := range d.Partitions {
			p := partition{topic, n}
			if _, ok := w.ends[p]; !ok {
				w.ends[p] = 0
			}
			if add[topic] == nil {
				add[topic] = map[int32]kgo.Offset{}
			}
			add[topic][n] = kgo.NewOffset().AtStart()
			if at, ok := w.committed[p]; ok {
				add[topic][n] = kgo.NewOffset().At(at)
			}
		}
	}
	cl.AddConsumePartitions(add)
	w.setReady()
}

// watchPartitions takes up partitions that are added while we run.
func (w *Writer) watchPartitions(ctx context.Context, cl *kgo.Client) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		listed, err := w.list(ctx, cl)
		if err != nil {
			continue // the fetches complain
		}
		w.mu.Lock()
		for topic, d := range listed {
			for n := range d.Partitions {
				if _, ok := w.ends[partition{topic, n}]; ok {
					delete(d.Partitions, n)
				}
			}
		}
		w.mu.Unlock()
		w.consume(cl, listed)
	}
}

// setReady notes when all that was in the log at the start is stored. Call with mu.
func (w *Writer) setReady() {
	if w.ready.Load() {
		return
	}
	for p, end := range w.ends {
		if w.committed[p] < end {
			return
		}
	}
	w.ready.Store(true)
}

// gather reads until the batch is full or old enough. An error means that ctx is
// done, or that the store cannot be asked.
func (w *Writer) gather(ctx context.Context, cl *kgo.Client) error {
	var deadline time.Time
	for w.batch.Rows() < w.cfg.MaxRows && w.bytes < maxBytes {
		poll, cancel := ctx, func() {}
		if !deadline.IsZero() {
			poll, cancel = context.WithDeadline(ctx, deadline)
		}
		fetches := cl.PollRecords(poll, w.cfg.MaxRows-w.batch.Rows())
		cancel()
		if ctx.Err() != nil && fetches.NumRecords() == 0 {
			return ctx.Err()
		}
		fetches.EachError(func(topic string, n int32, err error) {
			if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
				w.m.fetchErrors.Inc()
				w.complain("fetch "+topic, "reading the log", "topic", topic, "partition", n, "err", err)
			}
		})
		if fetches.NumRecords() > 0 && deadline.IsZero() {
			deadline = time.Now().Add(w.cfg.Every)
		}
		var failed error
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			key := partition{p.Topic, p.Partition}
			w.mu.Lock()
			w.ends[key] = max(w.ends[key], p.HighWatermark)
			w.mu.Unlock()
			for _, r := range p.Records {
				if failed == nil {
					w.follow(key, r.Offset)
					failed = w.take(ctx, r)
					w.bytes += len(r.Value)
				}
				if failed == nil {
					w.next[key] = r.Offset + 1
				}
			}
		})
		if failed != nil {
			return failed
		}
		if !deadline.IsZero() && !time.Now().Before(deadline) {
			return nil
		}
	}
	return nil
}

// commit stores the batch in hand, trying again while the store may recover:
// meanwhile nothing is read, and the log and the gateways' spools hold the rest.
func (w *Writer) commit(ctx context.Context) error {
	if len(w.next) == 0 && w.batch.Empty() {
		return nil
	}
	w.batch.Offsets = w.batch.Offsets[:0] // those of a commit that failed
	for p, next := range w.next {
		w.batch.Offsets = append(w.batch.Offsets, storage.Offset{Topic: p.topic, Partition: p.n, Next: next})
	}
	w.batch.Arrived = w.clock.Now().UnixNano()
	w.since += len(w.batch.Frames())
	if w.since >= w.cfg.Snapshot {
		state, err := w.table.MarshalBinary()
		if err != nil {
			return fmt.Errorf("de-duplication state: %w", err)
		}
		w.batch.Dedup = state
	}
	w.cfg.CrashPoint(CrashBatch)
	started := time.Now()
	giveUp := started.Add(w.cfg.Retry)
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := w.store.Commit(ctx, &w.batch)
		if err == nil {
			break
		}
		w.m.commitErrors.Inc()
		if ctx.Err() != nil || time.Now().After(giveUp) || errors.Is(err, storage.ErrBroken) {
			return err
		}
		w.complain("commit", "commit, trying again", "err", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause/2 + rand.N(pause)): // writers of one store that refused them all do not come back as one
		}
	}
	w.cfg.CrashPoint(CrashCommitted)
	w.m.committed(&w.batch, time.Since(started))
	if w.batch.Dedup != nil {
		w.since = 0
	}
	w.mu.Lock()
	for p, next := range w.next {
		w.committed[p] = next
	}
	w.setReady()
	w.mu.Unlock()
	clear(w.next)
	clear(w.asked)
	w.bytes = 0
	w.batch.Reset()
	return nil
}

// complain logs a thing once a minute.
func (w *Writer) complain(what, msg string, args ...any) {
	if time.Since(w.complained[what]) > time.Minute {
		w.complained[what] = time.Now()
		w.log.Warn(msg, args...)
	}
}
