package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/duckdb"
	"github.com/mudpulse/mudpulse/telemetry"
)

type bench struct {
	drills, history  int
	took             time.Duration
	memory, partRows int64
	dir              string
	threads          int
	profile          string
	scores, ask      bool

	store  *duckdb.Store
	clock  *telemetry.ManualClock
	gen    *generator
	names  []string
	now    time.Time // event time poured so far
	frames int64     // poured

	mu    sync.Mutex
	times map[string][]time.Duration
	fails map[string]error
}

// generator makes the default profile. Stated noise: each channel is a slow sine
// within its normal range plus Gaussian noise of two steps of the channel's
// resolution, rounded to that resolution; seeded, the same in every run.
type generator struct {
	rng   *rand.Rand
	cat   []telemetry.Channel
	frame telemetry.Frame
	noise []float64 // drawn once, walked through with a changing stride
	at    int
}

func newGenerator() *generator {
	g := &generator{rng: rand.New(rand.NewPCG(7, 7)), noise: make([]float64, 1<<20)}
	for i := range g.noise {
		g.noise[i] = 2 * g.rng.NormFloat64()
	}
	for _, ch := range telemetry.DefaultCatalogue().All() {
		if ch.Class.Hz() > 0 {
			g.cat = append(g.cat, ch)
		}
	}
	return g
}

// make fills the frame of a drill's second. It is valid until the next.
func (g *generator) make(drill string, n int, second int64) *telemetry.Frame {
	f := &g.frame
	runs := f.Runs
	*f = telemetry.Frame{Drill: drill, Device: "edr", Boot: "b1", Seq: uint64(second), TS: second * 1e9, Received: second * 1e9, Gateway: "gw", Topic: "mudpulse/v1/" + drill, Hash: uint64(second)*31 + uint64(n)}
	if runs == nil {
		for _, ch := range g.cat {
			k := max(1, int(ch.Class.Hz()))
			runs = append(runs, telemetry.Run{Channel: ch.Tag, Every: int64(1e9) / int64(k), Values: make([]float64, k)})
		}
	}
	f.Runs = runs
	if second%2 == 1 {
		f.Runs = runs[:16] // the slow class comes every other second: as one sample of its eight channels
	}
	for i := range f.Runs {
		ch := &g.cat[i]
		mid := ch.NormalLow + (ch.NormalHigh-ch.NormalLow)*(0.5+0.3*math.Sin(float64(second)/97+float64(n)+float64(i)))
		steps := math.Round(mid / ch.Resolution)
		for k := range f.Runs[i].Values {
			g.at = (g.at + 1) & (len(g.noise) - 1)
			f.Runs[i].Values[k] = math.Round(steps+g.noise[g.at]) * ch.Resolution
		}
	}
	return f
}

func (b *bench) run(ctx context.Context) (err error) {
	if b.dir == "" {
		if b.dir, err = os.MkdirTemp("", "benchstore"); err != nil {
			return err
		}
		defer os.RemoveAll(b.dir)
	}
	b.prepare()
	start := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	b.clock = telemetry.NewManualClock(start)
	if err := b.open(); err != nil {
		return err
	}
	defer b.store.Close()
	if err := b.past(ctx, start); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	before := sealed(b.store)
	if b.profile != "" {
		f, err := os.Create(b.profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	cpu0 := cpu()

	run, stop := context.WithTimeout(ctx, b.took)
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() { _ = b.store.Run(run) })
	at := time.Duration(0)
	for name, ask := range b.questions() {
		if b.ask {
			wg.Go(func() { b.asking(run, name, at, ask) })
			at += askEvery / 5 // screens do not ask in step
		}
	}
	b.now = start
	began := time.Now()
	readings, hot, err := b.pour(run, start)
	took := time.Since(began)
	stop()
	wg.Wait()
	if err != nil {
		return err
	}
	used := cpu() - cpu0
	fmt.Printf("poured       %d readings in %.1f s: %.0f readings/s, %.0f frames/s, %d drills\n", readings, took.Seconds(), float64(readings)/took.Seconds(), float64(b.frames)/took.Seconds(), b.drills)
	fmt.Printf("CPU          %.1f µs a frame, everything in this process: generator, commits, rollups, seals, questions\n", used.Seconds()*1e6/float64(b.frames))
	b.print("commit")
	for name := range b.questions() {
		b.print(name)
	}
	fmt.Printf("on disk      %.2f B a reading when the pouring ended: file, WAL (not compressed) and sealed files, with scores and rollups\n", hot)
	if err := b.store.Checkpoint(ctx); err != nil {
		return err
	}
	if rows, readings, bytes, err := b.hotTables(ctx); err != nil {
		return err
	} else if readings > 0 {
		fmt.Printf("hot          %.2f B a reading in the file's tables of readings, %d rows\n", float64(bytes)/float64(readings), rows)
	}
	if err := b.store.Seal(ctx); err != nil {
		return err
	}
	after := sealed(b.store)
	fmt.Printf("sealed       %.3f B a reading, readings alone; %.3f with frames; %.3f with scores and rollups too\n", float64(after["readings"]-before["readings"])/float64(readings),
		float64(after["readings"]+after["frames"]-before["readings"]-before["frames"])/float64(readings), float64(after[""]-before[""])/float64(readings))
	fmt.Printf("peak memory  %d MB resident\n", peak()>>20)
	return nil
}

func (b *bench) open() (err error) {
	cfg := duckdb.DefaultConfig(b.dir)
	cfg.Memory, cfg.PartRows, cfg.Threads = b.memory<<20, b.partRows, b.threads
	b.store, err = duckdb.Open(cfg, telemetry.DefaultCatalogue(), b.clock, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	return err
}

// past is history, sealed, so that a question about a day finds a day.
func (b *bench) past(ctx context.Context, start time.Time) error {
	var batch storage.Batch
	for h := b.history; h > 0; h-- {
		at := start.Add(-time.Duration(h) * time.Hour).Unix()
		for i, name := range b.names {
			batch.AddFrame(b.gen.make(name, i, at))
			if batch.Rows() == 2000 || i == len(b.names)-1 {
				if err := b.store.Commit(ctx, &batch); err != nil {
					return err
				}
				batch.Reset()
			}
		}
	}
	if err := b.store.Seal(ctx); err != nil {
		return err
	}
	return b.store.Checkpoint(ctx)
}

// pour commits batches of 200 ms at the pace of the clock. It returns how many
// readings, and how many bytes each takes at the end before it is sealed.
func (b *bench) pour(ctx context.Context, start time.Time) (readings int64, hot float64, err error) {
	var batch storage.Batch
	perBatch := max(1, b.drills/5)
	began := time.Now()
	before := size(b.dir)
	due := time.Duration(0)
	for second := start.Unix(); ; second++ {
		for from := 0; from < b.drills; from += perBatch {
			due += time.Second * time.Duration(min(perBatch, b.drills-from)) / time.Duration(b.drills)
			for i := from; i < min(from+perBatch, b.drills); i++ {
				f := b.gen.make(b.names[i], i, second)
				batch.AddFrame(f)
				b.frames++
				readings += int64(f.Readings())
				if b.scores {
					batch.Scores = append(batch.Scores, telemetry.Score{Drill: b.names[i], Tick: f.TS, Causes: []telemetry.FrameID{f.ID()}, CauseHash: f.Hash, Health: float64((second + int64(i)) % 101), Confidence: 1, State: telemetry.StateRotary, TimeLeft: math.NaN()})
				}
			}
			batch.Arrived = second * 1e9
			batch.Offsets = []storage.Offset{{Topic: "frames", Next: readings}}
			at := time.Now()
			if err := b.store.Commit(context.WithoutCancel(ctx), &batch); err != nil {
				return readings, 0, err
			}
			b.note("commit", time.Since(at))
			batch.Reset()
			b.mu.Lock()
			b.now = time.Unix(second, 0)
			b.mu.Unlock()
			b.clock.Set(time.Unix(second, 0))
			if wait := due - time.Since(began); wait > 0 {
				time.Sleep(wait)
			}
			if ctx.Err() != nil {
				return readings, float64(size(b.dir)-before) / float64(readings), nil
			}
		}
	}
}

func (b *bench) questions() map[string]func(ctx context.Context, now int64, n int) error {
	series := func(ctx context.Context, drill string, from, to int64, points int) error {
		_, err := b.store.Series(ctx, storage.SeriesQuery{Drill: drill, Channels: []string{"WOB", "SPP", "RPM", "TQ", "ROP", "FLOUT", "MTO", "TDBT"}, From: from, To: to, Points: points})
		return err
	}
	return map[string]func(context.Context, int64, int) error{
		"latest of all drills": func(context.Context, int64, int) error { b.store.LatestScores(); b.store.Drills(); return nil },
		"15 min of one drill, 8 channels, 500 points": func(ctx context.Context, now int64, n int) error {
			return series(ctx, b.names[n*7919%b.drills], now-900e9, now, 500)
		},
		"24 h of the fleet, one channel, by rollup": func(ctx context.Context, now int64, n int) error {
			out, err := b.store.Fleet(ctx, "SPP", now-24*3600e9, now)
			if err == nil && len(out) != b.drills {
				err = fmt.Errorf("%d drills of %d", len(out), b.drills)
			}
			return err
		},
		"top ten anomalies of five minutes": func(ctx context.Context, now int64, n int) error {
			var drill string
			var low float64
			return b.store.SQL().QueryRowContext(ctx, fmt.Sprintf("SELECT drill, min(health) FROM health WHERE tick >= make_timestamp(%d) GROUP BY drill ORDER BY 2 LIMIT 10", (now-300e9)/1000)).Scan(&drill, &low)
		},
		"one drill-hour raw, 8 channels": func(ctx context.Context, now int64, n int) error {
			return series(ctx, b.names[n*7919%b.drills], now-3600e9, now, storage.MaxPoints)
		},
	}
}

// askEvery is how often each question is asked: a screen asks that often at most.
const askEvery = 500 * time.Millisecond

// asking asks from after on until ctx is done.
func (b *bench) asking(ctx context.Context, name string, after time.Duration, ask func(context.Context, int64, int) error) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(after):
	}
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		b.mu.Lock()
		now := b.now.UnixNano()
		b.mu.Unlock()
		at := time.Now()
		err := ask(ctx, now, n)
		if ctx.Err() != nil {
			return
		}
		b.note(name, time.Since(at))
		if err != nil {
			b.mu.Lock()
			b.fails[name] = err
			b.mu.Unlock()
		}
	}
}

func (b *bench) note(name string, d time.Duration) {
	b.mu.Lock()
	b.times[name] = append(b.times[name], d)
	b.mu.Unlock()
}

func (b *bench) print(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.times[name]
	if len(d) == 0 {
		fmt.Printf("%-45s none answered\n", name)
		return
	}
	slices.Sort(d)
	ms := func(q float64) float64 {
		return float64(d[min(len(d)-1, int(q*float64(len(d))))].Microseconds()) / 1000
	}
	fmt.Printf("%-45s p50 %8.1f ms  p99 %8.1f ms  max %8.1f ms  of %d", name, ms(0.5), ms(0.99), ms(1), len(d))
	if err := b.fails[name]; err != nil {
		fmt.Printf("  FAILED: %v", err)
	}
	fmt.Println()
}

// sealed sums the bytes of sealed files by kind; "" is all.
func sealed(s *duckdb.Store) map[string]int64 {
	out := map[string]int64{}
	for _, f := range s.SealedFiles() {
		kind, _, _ := strings.Cut(strings.TrimPrefix(f.Path, "sealed/"), "/")
		kind, _, _ = strings.Cut(kind, "_")
		out[kind] += f.Bytes
		out[""] += f.Bytes
	}
	return out
}

// hotTables counts the rows and readings of the tables that are not sealed, and the bytes of their blocks.
func (b *bench) hotTables(ctx context.Context) (rows, readings, bytes int64, err error) {
	db := b.store.SQL()
	if err := db.QueryRowContext(ctx, "SELECT coalesce(sum(readings), 0)::BIGINT FROM store.hot_frames").Scan(&readings); err != nil {
		return 0, 0, 0, err
	}
	tables, err := db.QueryContext(ctx, "SELECT table_name, estimated_size FROM duckdb_tables() WHERE regexp_matches(table_name, '^p[0-9]+_readings_')")
	if err != nil {
		return 0, 0, 0, err
	}
	names := map[string]int64{}
	for tables.Next() {
		var name string
		var n int64
		if err := tables.Scan(&name, &n); err != nil {
			return 0, 0, 0, err
		}
		names[name] = n
	}
	if err := errors.Join(tables.Err(), tables.Close()); err != nil {
		return 0, 0, 0, err
	}
	for name, n := range names {
		var blocks int64
		if err := db.QueryRowContext(ctx, "SELECT count(DISTINCT block_id) FROM pragma_storage_info('store."+name+"') WHERE persistent").Scan(&blocks); err != nil {
			return 0, 0, 0, err
		}
		rows, bytes = rows+n, bytes+blocks*256<<10
	}
	return rows, readings, bytes, nil
}

// size is what a folder holds.
func size(dir string) int64 {
	n := int64(0)
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // files come and go
		}
		if fi, err := d.Info(); err == nil {
			n += fi.Size()
		}
		return nil
	})
	return n
}

func cpu() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func peak() int64 {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return r.Maxrss << 10
}
