package scorer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/services/internal/snapshot"
)

// A keeper makes a worker's checkpoints durable beside it: it packs what the
// partition wrote down, puts it away in pieces, waits until the log has all scores
// that were made before the cut, then puts away the head and publishes the manifest.
type keeper struct {
	w     *worker
	zip   *zstd.Encoder
	in    chan parcel
	back  chan struct{} // the checkpoint was kept, or not: it says
	free  chan []byte   // room that can be used again
	hurry chan struct{} // closed when the worker stops
	gone  chan struct{} // closed when run has ended
	out   []byte

	pressed atomic.Bool // much waits: no rest
}

// A parcel is a part of a checkpoint.
type parcel struct {
	c      *checkpoint
	raw    []byte // of a piece
	drills []*drill
	last   bool
}

// errGone is met where a test ends the keeper at a crash point.
var errGone = errors.New("the keeper of checkpoints has ended")

func unlessGone(err error) error {
	if errors.Is(err, errGone) {
		return nil
	}
	return err
}

// rest is how many times as long as it packed a keeper rests: what it does is never urgent.
const rest = 2

func newKeeper(w *worker) (*keeper, error) {
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(512<<10), zstd.WithLowerEncoderMem(true))
	return &keeper{w: w, zip: zip, in: make(chan parcel, 2), back: make(chan struct{}, 1), free: make(chan []byte, 2), hurry: make(chan struct{}), gone: make(chan struct{})}, err
}

// run keeps what comes until end is called.
func (k *keeper) run(ctx context.Context) {
	defer close(k.gone)
	for p := range k.in {
		c := p.c
		if len(p.drills) > 0 {
			began := time.Now()
			x := &piece{Drills: len(p.drills)}
			for _, d := range p.drills {
				c.where[d] = x
			}
			if c.err == nil {
				x.SHA256, x.Bytes, c.err = k.put(ctx, c, p.raw)
				if c.err == nil {
					c.pieces = append(c.pieces, x)
					k.w.s.cfg.CrashPoint("piece")
				}
			}
			select {
			case k.free <- p.raw[:0]:
			default:
			}
			if !k.pressed.Load() {
				k.pause(rest * time.Since(began))
			}
		}
		if !p.last {
			continue
		}
		if c.err == nil {
			c.err = c.cut.err
		}
		if c.err == nil {
			c.err = k.finish(ctx, c)
		}
		if c.err != nil {
			k.undo(ctx, c)
		}
		k.back <- struct{}{}
	}
}

// end ends run and waits for it.
func (k *keeper) end() {
	close(k.in)
	<-k.gone
}

// room returns space for the next piece.
func (k *keeper) room() []byte {
	select {
	case b := <-k.free:
		return b
	default:
		return nil
	}
}

// pause leaves the processors to others for a while.
func (k *keeper) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-k.hurry:
	}
}

// put packs raw and puts it away.
func (k *keeper) put(ctx context.Context, c *checkpoint, raw []byte) (sha256 string, n int64, err error) {
	k.out = k.zip.EncodeAll(raw, k.out[:0])
	b := slices.Clone(k.out) // the store's own
	if sha256, err = k.w.s.deps.Blobs.Put(ctx, b); err != nil {
		c.fatal = ctx.Err() != nil
		return "", 0, err
	}
	c.bytes += int64(len(b))
	return sha256, int64(len(b)), nil
}

// finish makes the checkpoint the newest, after all that was scored has been acknowledged.
func (k *keeper) finish(ctx context.Context, c *checkpoint) error {
	w := k.w
	c.fatal = true // but for the store of blobs
	if err := c.acks.wait(ctx); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if e := w.fail.Load(); e != nil {
		return *e
	}
	w.s.cfg.CrashPoint("acked")
	head := &snapshot.Writer{B: c.cut.head}
	pieces, number := c.pieces, map[*piece]uint64{}
	for i, x := range pieces {
		number[x] = uint64(i + 1)
	}
	head.Uint(uint64(len(c.cut.order)))
	for _, d := range c.cut.order {
		x := c.where[d]
		if x == nil {
			x = d.in
		}
		if number[x] == 0 {
			pieces = append(pieces, x)
			number[x] = uint64(len(pieces))
		}
		head.String(d.name)
		head.Uint(number[x])
	}
	m := &Manifest{Cluster: w.s.cluster, Frames: c.next[0], Backfill: c.next[1], At: time.Now().UnixNano(), Pieces: pieces}
	var err error
	if m.SHA256, m.Bytes, err = k.put(ctx, c, head.B); err != nil {
		return err
	}
	w.s.cfg.CrashPoint("blob")
	b, err := json.Marshal(m)
	if err != nil {
		panic("BUG: manifest: " + err.Error())
	}
	rec := &kgo.Record{Topic: w.s.cfg.Topics.State, Key: []byte(manifestKey(w.p)), Value: b}
	if err := w.out.ProduceSync(ctx, rec).FirstErr(); err != nil {
		return fmt.Errorf("publish manifest: %w", err)
	}
	w.s.cfg.CrashPoint("manifest")
	c.manifest = m
	w.covered.Store(m)
	w.remove(ctx, unnamed(c.before, m))
	w.s.cfg.CrashPoint("removed")
	return nil
}

// undo removes what was put away of a checkpoint that is not kept.
func (k *keeper) undo(ctx context.Context, c *checkpoint) {
	if c.fatal {
		return // it may be kept after all: the log did not say
	}
	m := &Manifest{Pieces: c.pieces}
	k.w.remove(ctx, slices.DeleteFunc(unnamed(m, c.before), func(sha string) bool { return sha == "" }))
}
