package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/duckdb"
	"github.com/mudpulse/mudpulse/storage/pgwire"
	"github.com/mudpulse/mudpulse/telemetry"
)

// What analysts ask, over and over.
var analystsAsk = []string{
	"SELECT drill, count(*), avg(wob), max(spp) FROM readings_fast GROUP BY drill ORDER BY 2 DESC LIMIT 20",
	"SELECT state, count(*), avg(health) FROM scores GROUP BY state",
	"SELECT date_trunc('minute', ts) AS minute, count(*) FROM frames GROUP BY 1 ORDER BY 1 DESC LIMIT 60",
	"SELECT drill, min(health) FROM health GROUP BY drill ORDER BY 2 LIMIT 10",
}

// phase is what was poured, as fast as it goes, with or without analysts.
type phase struct {
	readings int64
	took     time.Duration
	commits  []time.Duration
}

func (p phase) rate() float64 { return float64(p.readings) / p.took.Seconds() }

func (p phase) String() string {
	slices.Sort(p.commits)
	at := func(q float64) float64 {
		return float64(p.commits[min(len(p.commits)-1, int(q*float64(len(p.commits))))].Microseconds()) / 1000
	}
	return fmt.Sprintf("%9.0f readings/s   commit p50 %7.1f ms  p99 %7.1f ms", p.rate(), at(0.5), at(0.99))
}

// beside pours as fast as it goes, alone and beside connected analysts, phase by
// phase on the same store, and prints what that costs.
func (b *bench) beside(ctx context.Context, analysts, phases int, out io.Writer) (alone, with []phase, answers int64, err error) {
	b.prepare()
	start := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	b.clock = telemetry.NewManualClock(start)
	if err := b.open(); err != nil {
		return nil, nil, 0, err
	}
	defer b.store.Close()
	run, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { _ = b.store.Run(run) })
	cfg := pgwire.DefaultConfig()
	cfg.Views, cfg.Login, cfg.Wait, cfg.Timeout, cfg.Connections = duckdb.Views, pgwire.Token("analyst", "bench"), time.Hour, time.Minute, 2*analysts // those of the phase before may still be leaving
	cfg.MaxMemory, cfg.Memory = b.memory<<19, b.store.QueryMemory
	srv, err := pgwire.New(cfg, b.store.SQL(), slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, nil, 0, err
	}
	failed := make(chan error, 1)
	wg.Go(func() { failed <- srv.Run(run) })
	select {
	case <-srv.Ready():
	case err := <-failed:
		return nil, nil, 0, err
	}
	second := start.Unix()
	for i := range 2*phases + 1 {
		if i%2 == 0 {
			p, err := b.flood(ctx, &second)
			if err != nil {
				return nil, nil, 0, err
			}
			alone = append(alone, p)
			fmt.Fprintf(out, "%-22s %v\n", "alone", p)
			continue
		}
		ask, leave := context.WithCancel(ctx)
		var n atomic.Int64
		var crowd sync.WaitGroup
		refused := make(chan error, analysts)
		conns := make([]*pgx.Conn, analysts)
		for k := range conns {
			if conns[k], err = pgx.Connect(ctx, fmt.Sprintf("postgres://analyst:bench@%s/mudpulse?sslmode=disable", srv.Addr())); err != nil {
				leave()
				return nil, nil, 0, fmt.Errorf("analyst %d: %w", k, err)
			}
		}
		for k, c := range conns {
			crowd.Go(func() {
				defer c.Close(context.WithoutCancel(ask))
				for ask.Err() == nil {
					if _, err := c.Exec(ask, analystsAsk[k%len(analystsAsk)], pgx.QueryExecModeSimpleProtocol); err != nil {
						if ask.Err() == nil {
							refused <- err
						}
						return
					}
					n.Add(1)
				}
			})
		}
		p, err := b.flood(ctx, &second)
		leave()
		crowd.Wait()
		if err != nil {
			return nil, nil, 0, err
		}
		if len(refused) > 0 {
			return nil, nil, 0, fmt.Errorf("an analyst was refused: %w", <-refused)
		}
		with = append(with, p)
		answers += n.Load()
		fmt.Fprintf(out, "%-22s %v   %d answers\n", fmt.Sprintf("beside %d analysts", analysts), p, n.Load())
	}
	sum := func(ps []phase) (rate float64) {
		var n, t float64
		for _, p := range ps {
			n, t = n+float64(p.readings), t+p.took.Seconds()
		}
		return n / t
	}
	fmt.Fprintf(out, "ratio                  %.2f of the rate alone, %d analysts connected and asking without pause, %d answers\n", sum(with)/sum(alone), analysts, answers)
	return alone, with, answers, nil
}

// analysts is beside, in a folder of its own where none is given.
func (b *bench) analysts(ctx context.Context, n int) error {
	if b.dir == "" {
		dir, err := os.MkdirTemp("", "benchstore")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		b.dir = dir
	}
	_, _, _, err := b.beside(ctx, n, 2, os.Stdout)
	return err
}

// flood commits batches of a fifth of the drills one after the other for b.took.
func (b *bench) flood(ctx context.Context, second *int64) (p phase, err error) {
	var batch storage.Batch
	began := time.Now()
	for p.took < b.took {
		step := max(1, b.drills/5)
		for from := 0; from < b.drills && p.took < b.took; from += step {
			for i := from; i < min(from+step, b.drills); i++ {
				f := b.gen.make(b.names[i], i, *second)
				batch.AddFrame(f)
				p.readings += int64(f.Readings())
				batch.Scores = append(batch.Scores, telemetry.Score{Drill: b.names[i], Tick: f.TS, Causes: []telemetry.FrameID{f.ID()}, CauseHash: f.Hash, Health: float64((*second + int64(i)) % 101), Confidence: 1, State: telemetry.StateRotary, TimeLeft: math.NaN()})
			}
			batch.Arrived = *second * 1e9
			at := time.Now()
			if err := b.store.Commit(ctx, &batch); err != nil {
				return p, err
			}
			p.commits = append(p.commits, time.Since(at))
			batch.Reset()
			p.took = time.Since(began)
		}
		*second++
		b.clock.Set(time.Unix(*second, 0))
	}
	return p, nil
}

// prepare makes what every run needs.
func (b *bench) prepare() {
	b.gen, b.times, b.fails = newGenerator(), map[string][]time.Duration{}, map[string]error{}
	for i := range b.drills {
		b.names = append(b.names, fmt.Sprintf("RIG-%05d", i))
	}
}
