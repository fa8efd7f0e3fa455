package scorer

import (
	"context"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// acks counts what was produced and not acknowledged, from cut to cut.
type acks struct {
	lost func(*kgo.Record, error) // is told of those that could not be published
	mu   sync.Mutex
	now  *produced
}

// produced is what was produced between two cuts.
type produced struct {
	of     *acks
	open   int
	idle   chan struct{} // closed when open falls to 0; nil: nobody waits
	before *produced
	done   func(*kgo.Record, error) // a record's end: one for all of them
}

// sent counts a record that is produced.
func (a *acks) sent() *produced {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.now == nil {
		a.now = &produced{of: a}
	}
	if e := a.now; e.done == nil {
		e.done = func(r *kgo.Record, err error) {
			if err != nil {
				a.lost(r, err)
			}
			e.acked()
		}
	}
	a.now.open++
	return a.now
}

// turn begins a new count and returns the one before; nil: nothing was produced.
func (a *acks) turn() *produced {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.now
	a.now = &produced{of: a, before: e}
	return e
}

func (e *produced) acked() {
	e.of.mu.Lock()
	if e.open--; e.open == 0 && e.idle != nil {
		close(e.idle)
		e.idle = nil
	}
	e.of.mu.Unlock()
}

// wait returns when all that was produced between the cuts and before it is acknowledged.
func (e *produced) wait(ctx context.Context) error {
	if e == nil {
		return nil
	}
	e.of.mu.Lock()
	before := e.before
	e.of.mu.Unlock()
	if err := before.wait(ctx); err != nil {
		return err
	}
	e.of.mu.Lock()
	e.before = nil
	if e.open == 0 {
		e.of.mu.Unlock()
		return nil
	}
	if e.idle == nil {
		e.idle = make(chan struct{})
	}
	idle := e.idle
	e.of.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
