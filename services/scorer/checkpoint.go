package scorer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/mudpulse/mudpulse/services/internal/snapshot"
)

// Bounds of a checkpoint.
const (
	pieceBytes = 2 << 20               // of what is packed together
	heldBytes  = 32 << 20              // of what waits to be packed, above which the partition does
	mostPieces = 64                    // named by a manifest, before small ones are put together
	slice      = 2 * time.Millisecond  // for writing drills down between two batches
	idleSlice  = 20 * time.Millisecond // where none came
)

// keep is what a worker knows of its checkpoints.
type keep struct {
	last   time.Time   // when one was begun
	making *checkpoint // in hand; nil: none
	keeper *keeper
	each   float64 // bytes that a drill takes, packed
	raw    snapshot.Writer
	drills []*drill // in raw
}

// A checkpoint is a cut on its way to the manifest that names it.
type checkpoint struct {
	cut    *cut
	next   [2]int64  // offsets that it covers
	acks   *produced // of all scores made of what it covers
	input  int64     // bytes of records since the one before
	began  time.Time
	before *Manifest
	given  bool // all of it is with the keeper

	// the keeper's, until it gives it back
	where    map[*drill]*piece // those written down
	pieces   []*piece          // new ones
	bytes    int64
	manifest *Manifest
	err      error
	fatal    bool
}

// restore takes over the newest checkpoint, or begins empty where there is none.
func (w *worker) restore(ctx context.Context) (err error) {
	cfg := w.s.cfg.Engine
	cfg.Number = int(w.p)
	for wait := time.Second; ; wait *= 2 {
		if w.part, err = NewPartition(cfg, w.s.loader, w.s.deps.Blobs, w.s.deps.Catalogue, w.s.deps.Asker, w); err != nil {
			return err
		}
		m, left, err := newestManifest(ctx, w.s.cfg.Client, w.s.cfg.Topics.State, w.p)
		if err != nil {
			return fmt.Errorf("read manifest: %w", err)
		}
		if m == nil {
			return nil
		}
		err = w.unpack(ctx, m)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			w.took(ctx, m, left)
			return nil
		}
		if errors.Is(err, ErrFetch) && wait <= 8*time.Second { // or another member kept a newer one meanwhile
			w.log.Warn("checkpoint cannot be had yet", "err", err)
			if !sleep(ctx, wait) {
				return ctx.Err()
			}
			continue
		}
		if v := versionError(0); errors.As(err, &v) {
			w.log.Error("checkpoint is another version's: what the log still holds is read back and scored again", "sha256", m.SHA256, "err", err)
		} else {
			w.log.Error("checkpoint is lost: what the log still holds is scored anew", "sha256", m.SHA256, "err", err)
		}
		w.part, err = NewPartition(cfg, w.s.loader, w.s.deps.Blobs, w.s.deps.Catalogue, w.s.deps.Asker, w)
		return err
	}
}

// took notes that the partition is as m says, and removes blobs that nothing names.
func (w *worker) took(ctx context.Context, m *Manifest, left []string) {
	w.newest = m
	bytes, drills := m.Bytes, 0
	for _, x := range m.Pieces {
		bytes, drills = bytes+x.Bytes, drills+x.Drills
	}
	if drills == 0 {
		drills = len(w.part.order) // of a version that had no pieces
	}
	w.keep.each = float64(bytes) / float64(max(drills, 1))
	if m.Cluster == w.s.cluster {
		w.next = [2]int64{m.Frames, m.Backfill}
		w.covered.Store(m)
	} else {
		w.log.Warn("the log is another than that of the checkpoint: its offsets are void", "was", m.Cluster, "is", w.s.cluster)
	}
	w.remove(ctx, left)
}

func (w *worker) unpack(ctx context.Context, m *Manifest) error {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBlob))
	if err != nil {
		return err
	}
	defer d.Close()
	var room []byte
	fetch := func(sha string) ([]byte, error) {
		b, err := w.s.deps.Blobs.Fetch(ctx, sha)
		if err != nil {
			return nil, fmt.Errorf("%w checkpoint: %w", ErrFetch, err)
		}
		if room, err = d.DecodeAll(b, room[:0]); err != nil {
			return nil, fmt.Errorf("unpack checkpoint: %w", err)
		}
		return room, nil
	}
	head, err := fetch(m.SHA256)
	if err != nil {
		return err
	}
	return w.part.restore(ctx, slices.Clone(head), m.Pieces, fetch)
}

// remove removes blobs that no newest manifest names.
func (w *worker) remove(ctx context.Context, blobs []string) {
	d, ok := w.s.deps.Blobs.(interface {
		Delete(ctx context.Context, sha256 string) error
	})
	if !ok {
		return
	}
	for _, sha := range blobs {
		if err := d.Delete(ctx, sha); err != nil {
			w.log.Debug("checkpoint before not removed", "sha256", sha, "err", err)
		}
	}
}

// checkpoints goes on with the checkpoint in hand, or begins one that is due; idle:
// no records came.
func (w *worker) checkpoints(idle bool) error {
	if w.keep.making != nil {
		most := slice
		if idle {
			most = idleSlice
		}
		return w.goOn(most)
	}
	expected := int64(w.keep.each * float64(w.part.changes))
	if !w.isCovered() && w.s.cfg.due(time.Since(w.keep.last), time.Since(w.heard), w.input, expected) {
		w.begin()
	}
	return nil
}

// isCovered reports whether there is nothing new to keep.
func (w *worker) isCovered() bool {
	m := w.covered.Load()
	return m != nil && m.Frames == w.next[0] && m.Backfill == w.next[1]
}

// begin makes a cut of the partition as it is now.
func (w *worker) begin() {
	c := &checkpoint{next: w.next, input: w.input, began: time.Now(), before: w.newest, where: map[*drill]*piece{}}
	w.keep.last, w.keep.making = c.began, c
	w.thin()
	c.cut = w.part.begin(w.wrote)
	c.acks = w.acks.turn()
	w.s.cfg.CrashPoint("cut")
}

// thin marks the pieces of which too little lives, and the smallest of too many.
func (w *worker) thin() {
	if w.newest == nil {
		return
	}
	stay := map[*piece]int{}
	for _, d := range w.part.order {
		if !d.changed && d.in != nil {
			stay[d.in]++
		}
	}
	var kept []*piece
	for _, x := range w.newest.Pieces {
		if x.goes = 2*stay[x] < x.Drills; !x.goes {
			kept = append(kept, x)
		}
	}
	if len(kept) > mostPieces {
		slices.SortStableFunc(kept, func(a, b *piece) int { return cmp.Compare(a.Bytes, b.Bytes) })
		for _, x := range kept[:len(kept)-mostPieces/2] {
			x.goes = true
		}
	}
}

// wrote takes what the partition wrote down of a drill.
func (w *worker) wrote(d *drill, b []byte) {
	raw := &w.keep.raw
	if len(w.keep.drills) == 0 {
		raw.B = raw.B[:0]
		w.part.appendPieceHead(raw)
	}
	raw.String(d.name)
	raw.Bytes(b)
	w.keep.drills = append(w.keep.drills, d)
	w.s.cfg.CrashPoint("drill")
	n, k := len(raw.B), w.keep.keeper
	if n >= heldBytes/2 {
		k.pressed.Store(true)
	}
	if n >= pieceBytes && len(k.in) < cap(k.in) || n >= heldBytes {
		w.pass(false)
	}
}

// goOn writes down drills for about as long as said, and takes the checkpoint back
// when it is durable.
func (w *worker) goOn(most time.Duration) error {
	c, k := w.keep.making, w.keep.keeper
	if len(k.in) < cap(k.in) {
		w.part.writeSome(most)
	}
	if !c.given && c.cut.left == 0 {
		w.pass(true)
	}
	select {
	case <-k.back:
		return w.kept()
	case <-k.gone:
		return errGone
	default:
		return nil
	}
}

// pass gives the keeper what was written down.
func (w *worker) pass(last bool) {
	c, k := w.keep.making, w.keep.keeper
	p := parcel{c: c, last: last}
	if len(w.keep.drills) > 0 {
		p.raw, p.drills = w.keep.raw.B, w.keep.drills
		w.keep.raw.B, w.keep.drills = k.room(), nil
	}
	if last {
		w.part.cut, c.given = nil, true
	}
	select {
	case k.in <- p:
	case <-k.gone:
	}
	k.pressed.Store(false)
}

// kept takes a checkpoint back from the keeper.
func (w *worker) kept() error {
	c := w.keep.making
	w.keep.making = nil
	if c.err != nil {
		for _, d := range c.cut.owed {
			w.part.touch(d)
		}
		if c.fatal {
			return c.err
		}
		w.log.Error("checkpoint not kept", "err", c.err) // the next may; replay grows longer meanwhile
		return nil
	}
	for d, x := range c.where {
		d.in = x
	}
	if len(c.where) > 0 {
		w.keep.each = float64(c.bytes) / float64(len(c.where))
	}
	w.newest = c.manifest
	w.input -= c.input
	w.s.meters.checkpoint.Observe(time.Since(c.began).Seconds())
	w.s.meters.checkpointBytes.Add(float64(c.bytes))
	w.s.meters.inputBytes.Add(float64(c.input))
	return nil
}

// lastCheckpoint keeps all that was taken before the worker stops.
func (w *worker) lastCheckpoint() error {
	k := w.keep.keeper
	close(k.hurry)
	for range 2 { // the one in hand, and one of what came since
		if w.keep.making == nil {
			if w.isCovered() {
				return nil
			}
			w.begin()
		}
		w.part.writeAll()
		if !w.keep.making.given {
			w.pass(true)
		}
		select {
		case <-k.back:
		case <-k.gone:
			return errGone
		}
		if err := w.kept(); err != nil {
			return err
		}
	}
	return nil
}
