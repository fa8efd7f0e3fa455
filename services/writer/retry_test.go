package writer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// refusing stands for a store that takes nothing: its disk is full, or its folder was replaced under it.
type refusing struct {
	Store
	tries atomic.Int64
}

func (r *refusing) Commit(ctx context.Context, _ *storage.Batch) error {
	r.tries.Add(1)
	if err := ctx.Err(); err != nil {
		return err // as the columnstore does
	}
	return errors.New("no space left on device")
}

func TestARefusedCommitIsTriedAgainAfterPausesThatGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &refusing{}
		cfg := DefaultConfig()
		cfg.Topics, cfg.Retry = telemetry.NewTopics("test."), 10*time.Minute
		w, err := New(cfg, store, telemetry.DefaultCatalogue(), telemetry.SystemClock{}, slog.New(slog.DiscardHandler), nil)
		if err != nil {
			t.Fatal(err)
		}
		w.next, w.complained = map[partition]int64{{"test.frames", 0}: 1}, map[string]time.Time{}
		w.batch.AddFrame(frame("RIG-1", 1, 1))
		began := time.Now()
		if err := w.commit(t.Context()); err == nil {
			t.Error("a commit that was never taken is said to be stored")
		}
		if took := time.Since(began); took < cfg.Retry || took > cfg.Retry+10*time.Second {
			t.Errorf("given up after %v, want %v and one pause", took, cfg.Retry)
		}
		// 50 ms doubled to 5 s, each half as long to half as long again: 7 tries, then one in 2.5 s to 7.5 s.
		if n := store.tries.Load(); n < 80 || n > 250 {
			t.Errorf("%d tries in %v", n, cfg.Retry)
		}
		if len(w.batch.Frames()) != 1 || len(w.next) != 1 {
			t.Error("the batch in hand is gone")
		}
	})
}

// broken stands for a store that must be opened again.
type broken struct{ refusing }

func (b *broken) Commit(context.Context, *storage.Batch) error {
	b.tries.Add(1)
	return fmt.Errorf("commit: %w", storage.ErrBroken)
}

func TestABrokenStoreIsNotTriedAgain(t *testing.T) {
	store := &broken{}
	cfg := DefaultConfig()
	cfg.Topics = telemetry.NewTopics("test.")
	w, err := New(cfg, store, telemetry.DefaultCatalogue(), telemetry.SystemClock{}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	w.next, w.complained = map[partition]int64{{"test.frames", 0}: 1}, map[string]time.Time{}
	w.batch.AddFrame(frame("RIG-1", 1, 1))
	if err := w.commit(t.Context()); !errors.Is(err, storage.ErrBroken) || store.tries.Load() != 1 {
		t.Errorf("%v after %d tries", err, store.tries.Load())
	}
}

func TestAskedToStopWhileAFullBatchIsRefusedItTriesWithinDrainAndEnds(t *testing.T) {
	r := newRig(t)
	store := &refusing{Store: r.store}
	for i := range uint64(10) {
		r.produce(r.frameRecord(r.topics.Frames, frame("RIG-1", i, 1)))
	}
	cfg := DefaultConfig()
	cfg.Topics, cfg.Client, cfg.MaxRows, cfg.Drain = r.topics, []kgo.Opt{kgo.SeedBrokers(r.log.ListenAddrs()...)}, 1, 200*time.Millisecond
	w, err := New(cfg, store, telemetry.DefaultCatalogue(), telemetry.SystemClock{}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	r.until("a commit was refused twice", func() bool { return store.tries.Load() >= 2 })
	before := store.tries.Load()
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("Run: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("still running: %d tries since it was asked to stop", store.tries.Load()-before)
	}
	// The try that was interrupted, and those that Drain has time for.
	if n := store.tries.Load() - before; n > 12 {
		t.Errorf("%d tries since it was asked to stop", n)
	}
	r.check("frames", "SELECT count(*) FROM frames", 0)
}
