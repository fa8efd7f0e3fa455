package scorer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/services/internal/kafka"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Bounds of what a worker takes in one go.
const (
	pollRecords  = 2000
	historyChunk = 256     // records of history between two looks at the live ones
	historyHeld  = 4000    // records of history in hand above which no more are fetched
	liveLag      = 500     // records of frames in arrears above which history waits
	maxBlob      = 1 << 30 // of a snapshot or a piece, unpacked
)

// A worker is one partition's actor: it alone touches the partition.
type worker struct {
	s   *Scorer
	p   int32
	out *kgo.Client
	log *slog.Logger

	part    *Partition
	dec     telemetry.Decoder
	frame   telemetry.Frame
	next    [2]int64      // first offset not taken, of frames and backfill
	end     [2]int64      // high watermark last seen
	first   int64         // end of frames at the start
	history []*kgo.Record // in hand
	paused  bool
	tokens  float64 // frames of history that may pass
	filled  time.Time
	buf     []byte
	recs    []kgo.Record // not used yet
	stamp   time.Time    // of the scores that come out together; zero: none came yet
	input   int64        // bytes taken since the last checkpoint
	heard   time.Time    // when a record came last

	acks    acks
	fail    atomic.Pointer[error] // of a record that could not be produced
	covered atomic.Pointer[Manifest]
	newest  *Manifest // whatever log it is of
	ready   atomic.Bool
	keep    keep

	mu     sync.Mutex
	status PartitionStatus
}

func newWorker(s *Scorer, p int32, out *kgo.Client) *worker {
	w := &worker{s: s, p: p, out: out, log: s.log.With("partition", p)}
	w.acks.lost = w.lost
	w.status.Partition = p // before it says anything else: metrics are told apart by it
	return w
}

// run restores the newest checkpoint and goes on from there until ctx is done.
func (w *worker) run(ctx context.Context) error {
	cl, err := w.start(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer cl.Close()
	// What is in hand is finished after ctx is done, within Drain.
	work, cancel := drain(ctx, w.s.cfg.Drain)
	k, err := newKeeper(w)
	if err != nil {
		cancel()
		return err
	}
	go k.run(work)
	defer func() { cancel(); k.end() }()
	w.keep.keeper, w.keep.last = k, time.Now()
	for ctx.Err() == nil {
		fs := w.poll(ctx, cl)
		for _, e := range fs.Errors() {
			if ctx.Err() != nil || errors.Is(e.Err, context.DeadlineExceeded) {
				continue
			}
			w.log.Warn("fetch", "topic", e.Topic, "err", e.Err)
		}
		if err := w.take(work, fs); err != nil {
			return err
		}
		w.steer(cl)
		if err := w.checkpoints(fs.Empty()); err != nil {
			return unlessGone(err)
		}
		w.report()
	}
	if err := w.lastCheckpoint(); err != nil && work.Err() == nil {
		return unlessGone(err)
	}
	w.report()
	return nil
}

// drain returns a context that ends d after parent ends.
func drain(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	stop := context.AfterFunc(parent, func() { time.AfterFunc(d, cancel) })
	return ctx, func() { stop(); cancel() }
}

// start restores and returns a client that reads on from there.
func (w *worker) start(ctx context.Context) (*kgo.Client, error) {
	cfg := &w.s.cfg
	if err := w.restore(ctx); err != nil {
		return nil, err
	}
	ends, err := kadm.NewClient(w.out).ListEndOffsets(ctx, cfg.Topics.Frames, cfg.Topics.Backfill)
	if err != nil {
		return nil, fmt.Errorf("list offsets: %w", err)
	}
	for i, topic := range [2]string{cfg.Topics.Frames, cfg.Topics.Backfill} {
		if o, ok := ends.Lookup(topic, w.p); ok {
			if o.Err != nil {
				return nil, fmt.Errorf("list offsets of %s: %w", topic, o.Err)
			}
			w.end[i] = o.Offset
			if w.next[i] > o.Offset {
				w.log.Warn("the log ends before the checkpoint: it lost its tail, all that it holds is read again", "topic", topic, "end", o.Offset, "checkpoint", w.next[i])
				w.next[i] = 0
			}
		}
	}
	w.first = w.end[0]
	w.ready.Store(w.next[0] >= w.first)
	at := func(o int64) kgo.Offset {
		if o == 0 {
			return kgo.NewOffset().AtStart()
		}
		return kgo.NewOffset().At(o)
	}
	return kgo.NewClient(append(slices.Clone(cfg.Client),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{cfg.Topics.Frames: {w.p: at(w.next[0])}, cfg.Topics.Backfill: {w.p: at(w.next[1])}}),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(250*time.Millisecond),
		kgo.FetchMaxPartitionBytes(cfg.Fetch), kgo.FetchMaxBytes(2*cfg.Fetch), kgo.WithPools(&kafka.Pool{Most: 4 * int(cfg.Fetch)}))...)
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// poll waits for records, but not while history is in hand that may pass.
func (w *worker) poll(ctx context.Context, cl *kgo.Client) kgo.Fetches {
	if len(w.history) > 0 && w.may() > 0 {
		return cl.PollRecords(nil, pollRecords) //nolint:staticcheck // nil: what is buffered, at once
	}
	wait := 100 * time.Millisecond
	if w.part.cut != nil { // there is something to do meanwhile
		wait = time.Millisecond
	}
	pctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return cl.PollRecords(pctx, pollRecords)
}

// may returns how many records of history may pass now: none while live ones
// are in arrears, and no more than the rate.
func (w *worker) may() int {
	if w.end[0]-w.next[0] > liveLag {
		return 0
	}
	now := time.Now()
	rate := float64(w.s.cfg.BackfillRate)
	if !w.filled.IsZero() {
		w.tokens = min(w.tokens+now.Sub(w.filled).Seconds()*rate, max(rate/10, historyChunk))
	}
	w.filled = now
	return min(int(w.tokens), historyChunk, len(w.history))
}

// take scores what came: live records first, then some of history.
func (w *worker) take(ctx context.Context, fs kgo.Fetches) error {
	if fs.NumRecords() > 0 {
		w.heard = time.Now()
	}
	live := w.s.cfg.Topics.Frames
	var err error
	fs.EachPartition(func(p kgo.FetchTopicPartition) {
		if p.Topic != live {
			w.history = append(w.history, p.Records...)
			w.end[1] = max(w.end[1], p.HighWatermark)
			return
		}
		w.end[0] = max(w.end[0], p.HighWatermark)
		for _, r := range p.Records {
			if err == nil {
				err = w.record(ctx, r, 0)
				r.Recycle()
			}
		}
	})
	if err != nil {
		return err
	}
	w.flush()
	if n := w.may(); n > 0 {
		w.tokens -= float64(n)
		for _, r := range w.history[:n] {
			if err := w.record(ctx, r, 1); err != nil {
				return err
			}
			r.Recycle()
		}
		clear(w.history[:n])
		if w.history = w.history[n:]; len(w.history) == 0 {
			w.history = nil
		}
		w.flush()
	}
	w.s.cfg.CrashPoint("produced")
	if e := w.fail.Load(); e != nil {
		return *e
	}
	if w.next[0] >= w.first {
		w.ready.Store(true)
	}
	return nil
}

// flush scores what is in hand.
func (w *worker) flush() {
	w.stamp = time.Time{}
	w.part.Flush()
}

// steer stops fetching history while enough of it is in hand.
func (w *worker) steer(cl *kgo.Client) {
	topic := w.s.cfg.Topics.Backfill
	switch {
	case !w.paused && len(w.history) >= historyHeld:
		cl.PauseFetchTopics(topic)
		w.paused = true
	case w.paused && len(w.history) < historyHeld/2:
		cl.ResumeFetchTopics(topic)
		w.paused = false
	}
}

// record takes one record of frames (road 0) or backfill (1). Nothing of it is needed afterwards.
func (w *worker) record(ctx context.Context, r *kgo.Record, road int) error {
	if r.Offset < w.next[road] {
		return nil
	}
	w.stamp = time.Time{}
	kind := ""
	for _, h := range r.Headers {
		if h.Key == telemetry.HeaderKind {
			kind = string(h.Value)
		}
	}
	switch kind {
	case "":
		if err := w.dec.Decode(r.Value, &w.frame); err != nil {
			w.part.count.poison++
			w.log.Debug("frame skipped", "topic", r.Topic, "offset", r.Offset, "err", err)
		} else if err := w.give(ctx, road == 1, r.Offset); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			w.log.Debug("frame skipped", "topic", r.Topic, "offset", r.Offset, "drill", w.frame.Drill, "err", err)
		}
	case telemetry.KindMarker:
		if err := w.marker(ctx, r, road == 1); err != nil {
			return err
		}
	}
	w.next[road] = r.Offset + 1
	w.input += int64(len(r.Value))
	w.s.cfg.CrashPoint("frame")
	return nil
}

// give gives the partition the decoded frame, again while it cannot be told
// whether the frame is stored.
func (w *worker) give(ctx context.Context, history bool, offset int64) error {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := w.part.Frame(ctx, &w.frame, history, offset)
		if !errors.Is(err, ErrFetch) || ctx.Err() != nil {
			return err
		}
		w.log.Warn("frame waits", "drill", w.frame.Drill, "offset", offset, "err", err)
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
}

// marker takes a marker; while its blob cannot be had it waits, and then refuses.
func (w *worker) marker(ctx context.Context, r *kgo.Record, history bool) error {
	var m telemetry.Marker
	if err := json.Unmarshal(r.Value, &m); err != nil || m.ID == "" {
		w.part.count.poison++
		w.log.Warn("marker skipped: it is no JSON of a marker", "topic", r.Topic, "offset", r.Offset, "err", err)
		return nil
	}
	began, wait := time.Now(), 50*time.Millisecond
	n := len(w.part.refused)
	for {
		err := w.part.Marker(ctx, &m, history)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Since(began) >= w.s.cfg.BlobWait {
			w.part.giveUp(&m, history, err)
			break
		}
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
		wait = min(2*wait, 2*time.Second)
	}
	if refused := w.part.refused; len(refused) > n {
		last := refused[len(refused)-1]
		w.log.Warn("marker refused", "kind", m.Kind, "name", m.Name, "version", m.Version, "why", last.Why)
	} else if !history {
		w.log.Debug("marker", "kind", m.Kind, "action", m.Action, "name", m.Name, "version", m.Version, "offset", r.Offset)
	}
	return nil
}

// Score is the partition's output: it goes to the log as it is made.
func (w *worker) Score(s *telemetry.Score) {
	if w.stamp.IsZero() {
		w.stamp = time.Now()
	}
	s.Produced = w.stamp.UnixNano()
	if cap(w.buf)-len(w.buf) < 4096 {
		w.buf = make([]byte, 0, 256<<10) // records hold on to the one before until they are acknowledged
	}
	from := len(w.buf)
	w.buf = append(w.buf, s.Drill...)
	at := len(w.buf)
	w.buf = telemetry.AppendScore(w.buf, s)
	w.produce(w.s.cfg.Topics.Scores, w.buf[from:at:at], w.buf[at:len(w.buf):len(w.buf)], w.stamp)
}

// Alarm is the partition's output.
func (w *worker) Alarm(e *telemetry.AlarmEvent) {
	b, err := json.Marshal(e)
	if err != nil {
		panic("BUG: alarm event: " + err.Error())
	}
	w.produce(w.s.cfg.Topics.Alarms, []byte(e.Drill), b, time.Time{})
}

// produce publishes a record; at is its time, zero for now.
func (w *worker) produce(topic string, drill, b []byte, at time.Time) {
	if len(w.recs) == 0 {
		w.recs = make([]kgo.Record, 64)
	}
	r := &w.recs[0]
	w.recs = w.recs[1:]
	r.Topic, r.Key, r.Value, r.Timestamp = topic, drill, b, at
	// Not the run's context: what was scored is published, or the process dies and scores it again.
	w.out.Produce(context.Background(), r, w.acks.sent().done)
}

// lost notes that a record could not be published.
func (w *worker) lost(r *kgo.Record, err error) {
	err = fmt.Errorf("publish to %s: %w", r.Topic, err)
	w.fail.CompareAndSwap(nil, &err)
}
