package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/gateway/spool"
	"github.com/mudpulse/mudpulse/telemetry"
)

// publisher takes records from the spool to Kafka on two lanes. The live lane
// reads everything in order and sends what is live and what is quarantined;
// what was accepted as backfill, or has become older than the live horizon
// while Kafka was away, it leaves to the backfill lane, which follows behind
// it at a bounded rate. So after an outage the present is seen at once and the
// past fills in; within each topic a drill's frames keep their order.
type publisher struct {
	g      *Gateway
	client *kgo.Client
	topics telemetry.Topics
	cover  *coverage

	mu       sync.Mutex
	woken    *sync.Cond // any of what follows changed
	cluster  string
	decided  uint64          // for every index below it the lane is known
	aged     intervals       // accepted as live, left to the backfill lane
	joined   bool            // nothing is left for the backfill lane
	finished bool            // the live lane has sent everything and the spool has stopped
	tooLarge map[uint64]bool // records that Kafka refuses for their size
	live     lane
	backfill lane
	err      error     // why publishing does not go on
	errSince time.Time // when err became nil or ceased to be
}

// lane is one of the two. Its fields are guarded by the publisher's mu.
type lane struct {
	limit   int      // records in flight
	queue   []*entry // in flight, in spool order
	next    uint64   // index that is sent next; nothing below it is missing but the queue
	failed  bool     // a record failed: when the queue is empty the lane starts again at resume
	resume  uint64
	backoff time.Duration
}

// entry is a record in flight.
type entry struct {
	rec   kgo.Record
	p     *publisher
	lane  *lane
	index uint64
	done  bool
	stale bool // the lane began again without it
}

// acked returns the index below which all of the lane's records are in the log.
func (l *lane) acked() uint64 {
	i := l.next
	if len(l.queue) > 0 {
		i = l.queue[0].index
	}
	if l.failed {
		i = min(i, l.resume)
	}
	return i
}

func newPublisher(g *Gateway, st state) (*publisher, error) {
	codec, err := compression(g.cfg.Kafka.Compression)
	if err != nil {
		return nil, err
	}
	k := g.cfg.Kafka
	p := &publisher{g: g, topics: telemetry.NewTopics(k.Prefix), cover: newCoverage(g.cover, st.Covered), cluster: st.Cluster, aged: st.Aged, decided: st.Live, tooLarge: map[uint64]bool{}}
	p.woken = sync.NewCond(&p.mu)
	p.live = lane{limit: k.MaxInFlight, next: st.Live}
	p.backfill = lane{limit: max(1, k.MaxInFlight/4), next: min(st.Backfill, st.Live)}
	opts := []kgo.Opt{
		kgo.SeedBrokers(k.Brokers...), kgo.ClientID("mudpulse-gateway-" + g.cfg.Name),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(2 * time.Millisecond),
		kgo.MaxBufferedRecords(2*k.MaxInFlight + 64), kgo.UnknownTopicRetries(-1),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), kgo.MetadataMaxAge(time.Minute), kgo.MetadataMinAge(500 * time.Millisecond),
	}
	if p.client, err = kgo.NewClient(append(opts, k.Options...)...); err != nil {
		return nil, fmt.Errorf("make Kafka client: %w", err)
	}
	return p, nil
}

// run publishes until ctx is done and then, until stop is, what the spool still has.
func (p *publisher) run(ctx, stop context.Context) {
	if !p.meet(ctx, stop) {
		return
	}
	wake := context.AfterFunc(stop, func() { p.mu.Lock(); p.woken.Broadcast(); p.mu.Unlock() })
	defer wake()
	var wg sync.WaitGroup
	wg.Go(func() { p.runLive(stop) })
	wg.Go(func() { p.runBackfill(stop) })
	wg.Go(func() { p.watch(ctx) })
	wg.Wait()
}

// runLive reads the spool in order until it has stopped and all is sent.
func (p *publisher) runLive(stop context.Context) {
	l := &p.live
	r := p.reader(l)
	defer func() { r.Close() }()
	for stop.Err() == nil {
		if p.again(stop, l) {
			r.Close()
			r = p.reader(l)
		}
		rec, ok, err := r.Next()
		switch {
		case err != nil:
			p.broken(stop, err)
		case !ok:
			if p.idle(r.Index()) {
				return
			}
			r.Wait(stop)
		case !p.leave(rec):
			p.send(stop, l, rec, false)
		}
	}
}

// reader returns a reader at the lane's next record.
func (p *publisher) reader(l *lane) *spool.Reader { return p.readerAfter(l, nil) }

// readerAfter goes on where before stood, if it may be.
func (p *publisher) readerAfter(l *lane, before *spool.Reader) *spool.Reader {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.g.spool.ReaderAfter(l.next, before)
}

// idle notes that the live lane has sent everything below index, and reports
// whether that is all there will be.
func (p *publisher) idle(index uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live.failed {
		return false
	}
	p.live.next = max(p.live.next, index)
	p.decided = max(p.decided, index)
	p.finished = p.g.spoolStopped(index) && len(p.live.queue) == 0
	p.woken.Broadcast()
	if !p.finished && p.g.spoolStopped(index) {
		p.woken.Wait() // for an acknowledgement, a failure or the end
	}
	return p.finished
}

// leave decides whether a record is the backfill lane's.
func (p *publisher) leave(rec spool.Record) bool {
	frame := rec.Kind == kindFrame
	back := frame && rec.Lane == byte(telemetry.Backfill)
	aged := frame && !back && rec.Time < p.g.clock.Now().UnixNano()-int64(p.g.cfg.LiveHorizon)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.live.failed:
		return true // it is read again
	case rec.Index < p.decided:
		back = back || p.aged.has(rec.Index)
	default:
		p.decided = rec.Index + 1
		if aged {
			p.aged.add(rec.Index)
			back = true
		}
		if back && p.joined {
			p.joined, p.backfill.next = false, rec.Index
		}
	}
	if back {
		p.live.next = rec.Index + 1
		p.woken.Broadcast()
	}
	return back
}

// runBackfill follows behind the live lane until that has finished.
func (p *publisher) runBackfill(stop context.Context) {
	l := &p.backfill
	var r *spool.Reader
	pace := &pacer{perSecond: p.g.cfg.BackfillRate}
	for stop.Err() == nil {
		p.mu.Lock()
		for p.joined && !l.failed && stop.Err() == nil && (!p.finished || len(l.queue) > 0) {
			p.woken.Wait()
		}
		over := p.joined && !l.failed
		p.mu.Unlock()
		if over {
			return
		}
		p.again(stop, l)
		r = p.readerAfter(l, r)
		p.fill(stop, l, r, pace)
		r.Close()
	}
}

// fill sends what was left, until it has caught up with the live lane or failed.
func (p *publisher) fill(stop context.Context, l *lane, r *spool.Reader, pace *pacer) {
	for stop.Err() == nil {
		p.mu.Lock()
		if l.failed || p.join(l, r.Index()) {
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		rec, ok, err := r.Next()
		if err != nil {
			p.broken(stop, err)
			continue
		}
		if !ok {
			continue // join, or there is more by now
		}
		p.mu.Lock()
		if l.failed || p.join(l, rec.Index) {
			p.mu.Unlock()
			return
		}
		mine := rec.Kind == kindFrame && (rec.Lane == byte(telemetry.Backfill) || p.aged.has(rec.Index))
		if !mine {
			l.next = rec.Index + 1
		}
		p.mu.Unlock()
		if mine {
			pace.wait(stop)
			p.send(stop, l, rec, true)
		}
	}
}

// join ends the backfill lane's reading if it has read all below index and the
// live lane has decided no further. mu is held.
func (p *publisher) join(l *lane, index uint64) bool {
	if index < p.decided {
		return false
	}
	l.next = p.decided
	p.joined = true
	p.woken.Broadcast()
	return true
}

// again, after a failure, waits until nothing of the lane is in flight and
// makes it start at the first record that was not acknowledged.
func (p *publisher) again(stop context.Context, l *lane) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !l.failed {
		l.backoff = 0
		return false
	}
	for len(l.queue) > 0 && stop.Err() == nil {
		p.woken.Wait()
	}
	l.backoff = min(max(2*l.backoff, 50*time.Millisecond), 5*time.Second)
	wait := l.backoff
	p.mu.Unlock()
	select {
	case <-stop.Done():
	case <-time.After(wait):
	}
	p.mu.Lock()
	l.failed, l.next = false, l.resume
	if l == &p.backfill {
		p.joined = false
	}
	return true
}

// broken waits after a failure to read the spool.
func (p *publisher) broken(ctx context.Context, err error) {
	p.fail(fmt.Errorf("read spool: %w", err))
	select {
	case <-ctx.Done():
	case <-time.After(time.Second):
	}
}

// backfillMark is the origin field of a frame, saying backfill. Protobuf takes
// the last of a field that comes twice.
var backfillMark = telemetry.AppendFrame(nil, &telemetry.Frame{Origin: telemetry.Backfill})[:2]

// send gives a record to Kafka. It waits while the lane has its limit in flight.
func (p *publisher) send(stop context.Context, l *lane, rec spool.Record, backfill bool) {
	n := int(rec.Payload[0])
	e := &entry{p: p, lane: l, index: rec.Index}
	e.rec.Key, e.rec.Value = rec.Payload[1:1+n:1+n], rec.Payload[1+n:]
	switch {
	case rec.Kind == kindQuarantine:
		e.rec.Topic = p.topics.Quarantine
	case backfill:
		e.rec.Topic = p.topics.Backfill
		if rec.Lane != byte(telemetry.Backfill) {
			e.rec.Value = append(e.rec.Value[:len(e.rec.Value):len(e.rec.Value)], backfillMark...)
		}
	default:
		e.rec.Topic = p.topics.Frames
	}
	p.mu.Lock()
	for len(l.queue) >= l.limit && !l.failed && stop.Err() == nil {
		p.woken.Wait()
	}
	if l.failed || stop.Err() != nil {
		p.mu.Unlock()
		return
	}
	if p.tooLarge[rec.Index] {
		p.g.shrink(&e.rec, p.topics)
	}
	l.queue = append(l.queue, e)
	l.next = rec.Index + 1
	p.mu.Unlock()
	p.g.crash("produce-send")
	p.client.Produce(context.Background(), &e.rec, e.finish)
}

// finish is called when Kafka has acknowledged a record, or will not.
func (e *entry) finish(r *kgo.Record, err error) {
	p, l := e.p, e.lane
	p.g.crash("produce-ack")
	if err != nil && !errors.Is(err, kgo.ErrClientClosed) {
		p.fail(fmt.Errorf("publish on %s: %w", r.Topic, err))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.stale {
		return
	}
	e.done = true
	switch {
	case err == nil:
		p.cover.acked(e.index, place{r.Topic, r.Partition}, r.Offset)
		p.g.count.Published.Add(1)
		if p.err != nil {
			p.setErr(nil)
		}
	case l.failed:
		l.resume = min(l.resume, e.index)
	default:
		l.failed, l.resume = true, e.index
		p.g.count.PublishErrors.Add(1)
	}
	if errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge) {
		p.tooLarge[e.index] = true
	} else if err == nil && len(p.tooLarge) > 0 {
		delete(p.tooLarge, e.index)
	}
	n := 0
	for n < len(l.queue) && l.queue[n].done {
		n++
	}
	if n > 0 {
		clear(l.queue[:n])
		l.queue = l.queue[n:]
		p.woken.Broadcast()
	}
}

// published returns the index below which everything is in the log, and the
// state to be kept.
func (p *publisher) published() (uint64, state) {
	p.mu.Lock()
	defer p.mu.Unlock()
	live, back := p.live.acked(), p.backfill.acked()
	if p.joined && len(p.backfill.queue) == 0 && !p.backfill.failed {
		back = live
	}
	back = min(live, back)
	p.aged.cut(back)
	return back, state{Cluster: p.cluster, Live: live, Backfill: back, Aged: append([][2]uint64(nil), p.aged...)}
}

// fail keeps why publishing does not go on, or that it does.
func (p *publisher) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.setErr(err)
}

func (p *publisher) setErr(err error) {
	if (err == nil) != (p.err == nil) {
		p.errSince = time.Now()
		if err != nil {
			p.g.log.Warn("publishing stopped", "err", err)
		} else {
			p.g.log.Info("publishing goes on")
		}
	}
	p.err = err
}

// health returns since when and why publishing does not go on.
func (p *publisher) health() (time.Time, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.errSince, p.err
}

// pacer lets a number of records pass a second.
type pacer struct {
	perSecond int
	next      time.Time
}

// wait sleeps whenever it is more than 20 ms ahead.
func (b *pacer) wait(ctx context.Context) {
	if b.perSecond == 0 {
		return
	}
	now := time.Now()
	if b.next.Before(now) {
		b.next = now
	}
	b.next = b.next.Add(time.Second / time.Duration(b.perSecond))
	if d := b.next.Sub(now); d > 20*time.Millisecond {
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
}
