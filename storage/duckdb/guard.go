package duckdb

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mudpulse/mudpulse/storage"
)

// Queries, seals and commits share one limit of memory, and where it is reached that
// strikes whoever asks next. A commit it strikes ends the store (shortOfMemory). So a
// commit that finds too little left waits for the queries in progress, and then stops
// the one that has run longest: who asked is told so, and nothing else notices.
type guard struct {
	most     int64         // bytes that queries and seals may hold when a commit begins; 0: there is no guard yet
	patience time.Duration // for which a commit waits before a query is stopped
	held     func(context.Context) (int64, error)
	mu       sync.Mutex
	running  []*guarded // oldest first
}

type guarded struct {
	cancel context.CancelCauseFunc
	from   time.Time
}

const (
	guardEvery = 20 * time.Millisecond
	guardLeast = 50 * time.Millisecond // a query that has run for less holds little
)

var errTooMuch = fmt.Errorf("%w: ask for a shorter span, fewer channels or fewer drills, or give the columnstore more with --memory", storage.ErrMemory)

// enter gives a query a context that ends when it must stop. Call leave when it is over.
func (g *guard) enter(ctx context.Context) (_ context.Context, leave func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	q := &guarded{cancel: cancel, from: time.Now()}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running = append(g.running, q)
	return ctx, func() {
		cancel(nil)
		g.mu.Lock()
		defer g.mu.Unlock()
		if i := slices.Index(g.running, q); i >= 0 {
			g.running = slices.Delete(g.running, i, i+1)
		}
	}
}

// longest is how long the oldest query has run.
func (g *guard) longest() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.running) == 0 {
		return 0
	}
	return time.Since(g.running[0].from)
}

// stop stops the oldest query.
func (g *guard) stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.running) > 0 {
		g.running[0].cancel(errTooMuch)
		g.running = slices.Delete(g.running, 0, 1)
	}
}

// room waits until a commit has room, or nothing is left to wait for.
func (g *guard) room(ctx context.Context) {
	if g.most == 0 {
		return
	}
	wait := time.Now().Add(g.patience)
	for g.longest() >= guardLeast {
		if held, err := g.held(ctx); err != nil || held <= g.most {
			return
		}
		if time.Now().After(wait) {
			g.stop()
			wait = time.Now().Add(g.patience)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(guardEvery):
		}
	}
}
