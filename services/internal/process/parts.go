package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// A Part is one thing that runs until told to stop.
type Part struct {
	Name string
	Run  func(ctx context.Context) error
}

// RunParts starts all parts and waits until ctx is done or one ends. Then they
// stop one after the other, in the order given, each finishing its batch in
// hand while those behind it still run: sources first, the log last.
func RunParts(ctx context.Context, log *slog.Logger, parts ...Part) error {
	type end struct {
		i   int
		err error
	}
	ends := make(chan end, len(parts))
	stops := make([]context.CancelFunc, len(parts))
	for i, p := range parts {
		var own context.Context
		own, stops[i] = context.WithCancel(context.WithoutCancel(ctx))
		go func() {
			err := p.Run(own)
			if err != nil {
				err = fmt.Errorf("%s: %w", p.Name, err)
			}
			ends <- end{i, err}
		}()
	}
	over := make([]bool, len(parts))
	var errs []error
	take := func(e end) {
		over[e.i] = true
		if e.err != nil {
			errs = append(errs, e.err)
		}
	}
	select {
	case <-ctx.Done():
	case e := <-ends:
		take(e)
		log.Error("a part ended; stopping", "part", parts[e.i].Name, "err", e.err)
	}
	for i := range parts {
		stops[i]()
		for !over[i] {
			take(<-ends)
		}
	}
	return errors.Join(errs...)
}

// WithSignals returns a context that SIGINT and SIGTERM end. A second signal kills.
func WithSignals(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// Logger returns a logger to stderr as s wishes.
func (s *Settings) Logger() *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: level}
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, o))
}

// ErrApart is why writer and api do not run apart on DuckDB.
var ErrApart = errors.New("the columnstore is DuckDB, which belongs to one process: run writer and api together, with mudpulse run --parts writer,api; or mudpulse run --parts writer and mudpulse run --parts api, each with --columnstore clickhouse://…")
