package exports

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mudpulse/mudpulse/services/scorer"
	"github.com/mudpulse/mudpulse/telemetry"
)

// States of a job.
const (
	Queued    = "queued"
	Running   = "running"
	Done      = "done"
	Failed    = "failed"
	Cancelled = "cancelled"
)

// A Job is one export, from when it was asked for until it is deleted or a day has gone.
type Job struct {
	ID      string   `json:"id"`
	State   string   `json:"state" enum:"queued,running,done,failed,cancelled"`
	By      string   `json:"by"`
	Share   float64  `json:"share" doc:"0…1, how far it is"`
	Rows    int64    `json:"rows"`
	Bytes   int64    `json:"bytes" doc:"of the file, once it is done"`
	Error   string   `json:"error,omitempty"`
	Request Request  `json:"request"`
	Notes   []string `json:"notes" doc:"what the rows do not have, and why"`

	created time.Time
	cancel  context.CancelCauseFunc
}

// Schema describes a file: it is written beside it.
type Schema struct {
	Table   string   `json:"table"`
	Format  string   `json:"format"`
	Rows    int64    `json:"rows"`
	From    string   `json:"from"`
	To      string   `json:"to"`
	Every   string   `json:"every,omitempty"`
	Warmup  string   `json:"warmup,omitempty"`
	Drills  []string `json:"drills"`
	Frames  int64    `json:"frames_read,omitempty"`
	Columns []Column `json:"columns,omitempty"`
	Notes   []string `json:"notes"`
}

// A Column of a Schema.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Unit string `json:"unit,omitempty"`
	What string `json:"what"`
}

// Config of Jobs.
type Config struct {
	Dir    string                 // for files while they are needed; emptied at the start
	Engine scorer.PartitionConfig // as the scorer's own
	Most   int                    // jobs that are kept or wait
	Keep   time.Duration          // how long a file waits to be fetched, wall time
}

// DefaultConfig suits one process.
func DefaultConfig(dir string) Config {
	return Config{Dir: dir, Engine: scorer.DefaultPartitionConfig(), Most: 20, Keep: 24 * time.Hour}
}

// Validate names the first key that is wrong.
func (c Config) Validate() error {
	switch {
	case c.Dir == "":
		return errors.New("dir: must be given")
	case c.Most < 1:
		return fmt.Errorf("most: must be positive, not %d", c.Most)
	case c.Keep <= 0:
		return fmt.Errorf("keep: must be positive, not %v", c.Keep)
	}
	return c.Engine.Validate()
}

// Errors of Jobs.
var (
	ErrUnknown = errors.New("there is no such export")
	ErrBusy    = errors.New("too many exports wait or are kept: delete some")
	ErrNotDone = errors.New("the export is not done")
)

// errCancelled is the cause of a job's end that somebody wanted.
var errCancelled = errors.New("cancelled")

// Jobs runs exports, one at a time.
type Jobs struct {
	cfg   Config
	store Store
	cat   *telemetry.Catalogue
	log   *slog.Logger

	mu   sync.Mutex
	list []*Job // oldest first
	wake chan struct{}
}

// New returns Jobs; nothing runs yet.
func New(cfg Config, store Store, cat *telemetry.Catalogue, log *slog.Logger) (*Jobs, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("exports: %w", err)
	}
	return &Jobs{cfg: cfg, store: store, cat: cat, log: log, wake: make(chan struct{}, 1)}, nil
}

// Add checks a request and queues it. The error joins all that is wrong with it.
func (j *Jobs) Add(r Request, by string) (Job, error) {
	if _, err := compile(r, j.store, j.cat); err != nil {
		return Job{}, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.list) >= j.cfg.Most {
		return Job{}, ErrBusy
	}
	x := &Job{ID: strings.ToLower(rand.Text()[:16]), State: Queued, By: by, Request: r, Notes: []string{}, created: time.Now()}
	j.list = append(j.list, x)
	select {
	case j.wake <- struct{}{}:
	default:
	}
	return *x, nil
}

// List returns all jobs, oldest first.
func (j *Jobs) List() []Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]Job, len(j.list))
	for i, x := range j.list {
		out[i] = x.copy()
	}
	return out
}

// Format of the job's file.
func (x *Job) Format() string { return or(x.Request.Format, Parquet) }

func (x *Job) copy() Job {
	c := *x
	c.Notes = slices.Clone(x.Notes)
	return c
}

// Get returns one job.
func (j *Jobs) Get(id string) (Job, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if x := j.find(id); x != nil {
		return x.copy(), nil
	}
	return Job{}, ErrUnknown
}

func (j *Jobs) find(id string) *Job {
	for _, x := range j.list {
		if x.ID == id {
			return x
		}
	}
	return nil
}

// Delete cancels a job where it is not done, and forgets it with its file.
func (j *Jobs) Delete(id string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	x := j.find(id)
	if x == nil {
		return ErrUnknown
	}
	if x.cancel != nil {
		x.cancel(errCancelled)
	}
	j.list = slices.DeleteFunc(j.list, func(o *Job) bool { return o == x })
	if x.State != Running { // a running one clears up itself
		return os.RemoveAll(j.dir(x))
	}
	return nil
}

func (j *Jobs) dir(x *Job) string { return filepath.Join(j.cfg.Dir, x.ID) }

// Open opens a finished job's file, or its schema; the caller closes it.
func (j *Jobs) Open(id string, schema bool) (*os.File, Job, error) {
	x, err := j.Get(id)
	if err != nil {
		return nil, x, err
	}
	if x.State != Done {
		return nil, x, ErrNotDone
	}
	name := "table"
	if schema {
		name = "schema.json"
	}
	f, err := os.Open(filepath.Join(j.cfg.Dir, id, name))
	if err != nil {
		return nil, x, fmt.Errorf("exports: %w", err)
	}
	return f, x, nil
}

// Run runs jobs until ctx is done.
func (j *Jobs) Run(ctx context.Context) error {
	if err := os.RemoveAll(j.cfg.Dir); err != nil {
		return fmt.Errorf("exports: %w", err)
	}
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		if x := j.next(); x != nil {
			j.run(ctx, x)
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-j.wake:
		case <-tick.C:
			j.expire()
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

func (j *Jobs) next() *Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, x := range j.list {
		if x.State == Queued {
			return x
		}
	}
	return nil
}

// expire forgets what nobody fetched.
func (j *Jobs) expire() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.list = slices.DeleteFunc(j.list, func(x *Job) bool {
		old := x.State != Queued && x.State != Running && time.Since(x.created) > j.cfg.Keep
		if old {
			if err := os.RemoveAll(j.dir(x)); err != nil {
				j.log.Warn("remove export", "id", x.ID, "err", err)
			}
		}
		return old
	})
}

func (j *Jobs) run(parent context.Context, x *Job) {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	j.mu.Lock()
	x.State, x.cancel = Running, cancel
	j.mu.Unlock()
	started := time.Now()
	err := niced(func() error { return j.make(ctx, x) })
	j.mu.Lock()
	defer j.mu.Unlock()
	x.cancel = nil
	switch {
	case err == nil:
		x.State, x.Share = Done, 1
		j.log.Info("export done", "id", x.ID, "by", x.By, "rows", x.Rows, "bytes", x.Bytes, "took", time.Since(started))
	case errors.Is(context.Cause(ctx), errCancelled):
		x.State, x.Error = Cancelled, "cancelled"
	case parent.Err() != nil:
		x.State, x.Error = Failed, "the process was stopped"
	default:
		x.State, x.Error = Failed, err.Error()
		j.log.Warn("export failed", "id", x.ID, "by", x.By, "err", err)
	}
	if err != nil || j.find(x.ID) == nil {
		if err := os.RemoveAll(j.dir(x)); err != nil {
			j.log.Warn("remove export", "id", x.ID, "err", err)
		}
	}
}

// make writes a job's file and schema.
func (j *Jobs) make(ctx context.Context, x *Job) (err error) {
	dir := j.dir(x)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	p, err := compile(x.Request, j.store, j.cat)
	if err != nil {
		return err
	}
	s := Schema{Table: p.Table, Format: p.Format, From: stamp(p.from), To: stamp(p.to), Drills: p.drills, Notes: []string{}}
	file := filepath.Join(dir, "table")
	if p.Table == Features {
		err = j.features(ctx, x, p, &s, dir, file)
	} else {
		s.Rows, err = plain(ctx, p, j.store, file)
	}
	if err != nil {
		return err
	}
	fi, err := os.Stat(file)
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "schema.json"), append(b, '\n'), 0o600); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	x.Rows, x.Bytes, x.Notes = s.Rows, fi.Size(), s.Notes
	return nil
}

func (j *Jobs) features(ctx context.Context, x *Job, p *plan, s *Schema, dir, file string) (err error) {
	if p.Verdicts {
		if err := verdicts(ctx, p, j.store); err != nil {
			return err
		}
	}
	db, err := openStage(dir)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, db.close())
		for _, name := range []string{"stage.duckdb", "stage.duckdb.wal", "tmp"} {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, name)))
		}
	}()
	t := &table{p: p, src: j.store, engine: j.cfg.Engine, cat: j.cat, db: db, split: splits(p.drills, p.Split, p.Seed), done: func(share float64, rows int64) {
		j.mu.Lock()
		defer j.mu.Unlock()
		x.Share, x.Rows = share, rows
	}}
	if err := t.create(ctx); err != nil {
		return err
	}
	if err := t.fill(ctx); err != nil {
		return err
	}
	if err := db.exec(ctx, copyTo("SELECT * FROM result", file, p.Format)); err != nil {
		return err
	}
	s.Rows, s.Frames, s.Every = t.rows, t.frames, time.Duration(p.every).String()
	s.Warmup = "all"
	if p.warmup < int64(1e6)*int64(time.Hour) {
		s.Warmup = time.Duration(p.warmup).String()
	}
	s.Columns = describe(t.columns(), j.cat)
	if t.short > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("of %d frames readings are stored no more (retention, or a damaged hour: mudpulse doctor): features over them lack these", t.short))
	}
	if t.skipped > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%d frames were left out, as the scorer leaves them out", t.skipped))
	}
	if t.rows == 0 {
		s.Notes = append(s.Notes, "no frame of these drills is stored in that time")
	}
	return nil
}
