package clickhouse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/internal/ledger"
	"github.com/mudpulse/mudpulse/telemetry"
)

var errClosed = errors.New("the store is closed")

// tries of one insert: its token lets ClickHouse take it once.
const tries = 3

// Commit stores a batch, offsets and de-duplication state with it, or, to whoever
// reads, nothing. What lies in the batch twice, or is stored already under the
// same identity and content, is stored once; frames are the caller's to
// de-duplicate. On an error the batch may be committed again, unless the store is broken.
func (s *Store) Commit(ctx context.Context, b *storage.Batch) error {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	switch {
	case s.closed:
		return errClosed
	case s.cfg.ReadOnly:
		return errors.New("commit: this process only reads the columnstore")
	case s.broken != nil:
		return s.broken
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c := &commit{s: s, b: b, tx: s.tx + 1}
	s.tx++ // never used again, whatever becomes of it
	done := false
	defer func() {
		if !done {
			s.spoilt = append(s.spoilt, c.tx)
			s.mem.Doubt(b)
		}
	}()
	if err := c.run(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	done = true
	s.log0, s.offsets, s.spoilt = c.log, c.offsets, nil
	s.readings.Add(c.readings)
	s.names.Lock()
	for lower, tag := range c.tags {
		s.names.tags[lower] = tag
	}
	for _, name := range c.outputs {
		s.names.outputs[name] = true
	}
	for _, ch := range b.Channels {
		s.names.registered[strings.ToLower(ch.Tag)] = true
	}
	s.names.Unlock()
	s.mem.Committed(b, s.kept, s.content, s.isWaveform)
	s.seen.Lock()
	defer s.seen.Unlock()
	s.seen.last, s.seen.commit = c.tx, c.number
	for _, tx := range c.void {
		s.seen.void = ledger.Merge(append(slices.Clone(s.seen.void), ledger.Span{Lo: tx, Hi: tx}))
	}
	if b.Dedup != nil {
		s.seen.dedup = c.number
	}
	return nil
}

// A commit is one in progress.
type commit struct {
	s        *Store
	b        *storage.Batch
	tx       uint64
	number   int64
	log      string
	offsets  map[topicPartition]int64
	readings int64
	tags     map[string]string // that are new: lower case → as it is stored
	outputs  []string          // that are new
	void     []uint64
}

func (c *commit) run(ctx context.Context) error {
	s, b := c.s, c.b
	s.seen.RLock()
	c.number = s.seen.commit + 1
	dedup := s.seen.dedup
	s.seen.RUnlock()
	c.merge()
	c.void = slices.Clone(s.spoilt)
	for _, tx := range c.void {
		if err := s.avoid(ctx, tx, tx); err != nil {
			return err
		}
		s.fence = max(s.fence, tx)
	}
	if err := s.keptScores(ctx, b); err != nil {
		return err
	}
	c.meet()
	for _, step := range []func(context.Context) error{c.addReadings, c.addWaveforms, c.addFrames, c.addScores, c.addSmall, c.addNames} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if b.Dedup != nil {
		dedup = c.number
		if err := c.insert(ctx, "dedup", 1, func(add adder) error { return add(c.number, string(b.Dedup), c.tx) }); err != nil {
			return err
		}
	}
	list := make([]storage.Offset, 0, len(c.offsets))
	for k, v := range c.offsets {
		list = append(list, storage.Offset{Topic: k.topic, Partition: k.partition, Next: v})
	}
	slices.SortFunc(list, func(a, b storage.Offset) int {
		if n := strings.Compare(a.Topic, b.Topic); n != 0 {
			return n
		}
		return int(a.Partition) - int(b.Partition)
	})
	text, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("offsets: %w", err)
	}
	if err := s.fenced(ctx); err != nil {
		return err
	}
	err = c.insert(ctx, "commits", 1, func(add adder) error { return add(c.number, stamp(b.Arrived), c.log, string(text), dedup, c.tx) })
	if err != nil { // it may be there all the same, or come yet: whoever opens the store next decides
		s.broken = errors.Join(err, storage.ErrBroken)
		return s.broken
	}
	s.cfg.CrashPoint(CrashCommitted)
	if b.Dedup != nil {
		s.prune(ctx)
	}
	return nil
}

// merge lays the batch's offsets over those that stand.
func (c *commit) merge() {
	c.log = c.s.log0
	c.offsets = make(map[topicPartition]int64, len(c.s.offsets)+len(c.b.Offsets))
	if c.b.Cluster == "" || c.b.Cluster == c.log {
		for k, v := range c.s.offsets {
			c.offsets[k] = v
		}
	} else {
		c.log = c.b.Cluster // positions of another log are void
	}
	for _, o := range c.b.Offsets {
		c.offsets[topicPartition{o.Topic, o.Partition}] = o.Next
	}
}

// adder takes one row, in the order of the table's columns.
type adder func(values ...any) error

// insert stores rows in one table: once, however often it is tried.
func (c *commit) insert(ctx context.Context, table string, rows int, fill func(adder) error) error {
	if rows == 0 {
		return nil
	}
	s := c.s
	token := fmt.Sprintf("mudpulse-%d-%s", c.tx, table)
	set := s.with(ctx, driver.Settings{"insert_deduplication_token": token, "max_partitions_per_insert_block": 0})
	var err error
	for try := 1; ; try++ {
		if err = c.send(set, table, fill); err == nil {
			break
		}
		var refused *driver.Exception
		if errors.As(err, &refused) || ctx.Err() != nil || try == tries {
			return fmt.Errorf("%s: %w", table, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(try) * 200 * time.Millisecond):
		}
	}
	if table != "commits" {
		s.cfg.CrashPoint(CrashInserted)
	}
	return nil
}

func (c *commit) send(ctx context.Context, table string, fill func(adder) error) error {
	batch, err := c.s.conn.PrepareBatch(ctx, "INSERT INTO "+c.s.table(table))
	if err != nil {
		return err
	}
	if err := fill(func(values ...any) error { return batch.Append(values...) }); err != nil {
		return errors.Join(err, batch.Abort())
	}
	return batch.Send()
}

// prune deletes snapshots and positions that nobody goes back to, now and then.
func (s *Store) prune(ctx context.Context) {
	s.snapshots++
	if s.snapshots%32 != 0 {
		return
	}
	s.seen.RLock()
	dedup := s.seen.dedup // of before this commit
	s.seen.RUnlock()
	for _, q := range []string{
		fmt.Sprintf("DELETE FROM %s%s WHERE commit < %d", s.table("dedup"), s.onCluster(), dedup),
		fmt.Sprintf("DELETE FROM %s%s WHERE commit < %d", s.table("commits"), s.onCluster(), dedup-1_000_000),
	} {
		if err := s.exec(ctx, q); err != nil {
			s.log.Warn("old snapshots are not deleted", "err", err) // they cost room; the next round tries again
			return
		}
	}
}

// Position returns where a writer goes on, as the last commit left it.
func (s *Store) Position(ctx context.Context) (storage.Position, error) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	s.seen.RLock()
	p := storage.Position{Cluster: s.log0, DedupCommit: s.seen.dedup}
	s.seen.RUnlock()
	for k, v := range s.offsets {
		p.Offsets = append(p.Offsets, storage.Offset{Topic: k.topic, Partition: k.partition, Next: v})
	}
	if p.DedupCommit == 0 {
		return p, nil
	}
	var state string
	err := s.one(ctx, fmt.Sprintf("SELECT state FROM %s WHERE commit = %d AND %s", s.table("dedup"), p.DedupCommit, s.visible()), &state)
	if err != nil {
		return p, fmt.Errorf("read position: %w", err)
	}
	p.Dedup = []byte(state)
	return p, nil
}

// FramesSince calls f for each frame stored by commits after the one given; frames of one commit come in any order.
func (s *Store) FramesSince(ctx context.Context, number int64, f func(storage.StoredFrame) error) error {
	h := s.horizon()
	after, err := s.txOf(ctx, h, number)
	if err != nil {
		return fmt.Errorf("read frames: %w", err)
	}
	err = s.each(ctx, "SELECT drill, device, boot, seq, part, hash, toUnixTimestamp64Micro(ts) FROM "+s.table("frames")+" WHERE "+h.rows(after)+" ORDER BY tx", func(r row) error {
		var x storage.StoredFrame
		if err := r.Scan(&x.Drill, &x.ID.Device, &x.ID.Boot, &x.ID.Seq, &x.ID.Part, &x.Hash, &x.TS); err != nil {
			return err
		}
		x.TS *= 1000
		return f(x)
	})
	if err != nil {
		return fmt.Errorf("read frames: %w", err)
	}
	return nil
}

// txOf returns the last tx of commits up to a number.
func (s *Store) txOf(ctx context.Context, h horizon, number int64) (tx uint64, err error) {
	if number <= 0 {
		return 0, nil
	}
	err = s.one(ctx, fmt.Sprintf("SELECT max(tx) FROM %s WHERE commit <= %d AND %s", s.table("commits"), number, h.rows(0)), &tx)
	return tx, err
}

// FrameTime returns the ts under which a frame is stored, and whether it is.
func (s *Store) FrameTime(ctx context.Context, drill string, id telemetry.FrameID) (ts int64, found bool, err error) {
	source, _ := ledger.SplitBoot(id.Boot)
	h := s.horizon()
	key := aheadKey{drill, id.Device, id.Boot}
	if ts, found, known := s.ahead.get(h.last, key, id); known {
		return ts, found, nil
	}
	sp := &aheadSpan{lo: id.Seq, hi: id.Seq + aheadNumbers, ts: map[aheadFrame]int64{}}
	if sp.hi < sp.lo {
		sp.hi = ^uint64(0)
	}
	q := fmt.Sprintf("SELECT seq, part, toUnixTimestamp64Micro(ts) FROM %s WHERE drill = %s AND device = %s AND source = %s AND seq BETWEEN %d AND %d AND boot = %s AND %s",
		s.table("frames"), lit(drill), lit(id.Device), lit(source), sp.lo, sp.hi, lit(id.Boot), h.rows(0))
	err = s.each(ctx, q, func(r row) error {
		var k aheadFrame
		var at int64
		if err := r.Scan(&k.seq, &k.part, &at); err != nil {
			return err
		}
		sp.ts[k] = at * 1000
		return nil
	})
	if err != nil {
		return 0, false, fmt.Errorf("look up frame: %w", err)
	}
	s.ahead.put(h.last, key, sp)
	ts, found = sp.ts[aheadFrame{id.Seq, id.Part}]
	return ts, found, nil
}
