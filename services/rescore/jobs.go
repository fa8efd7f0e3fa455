package rescore

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mudpulse/mudpulse/services/scorer"
	"github.com/mudpulse/mudpulse/storage"
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

// A Rescoring is a span of a drill to be scored again.
type Rescoring struct {
	ID       string    `json:"id"`
	Drill    string    `json:"drill"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Models   string    `json:"models" enum:"then,now" doc:"by which models: those that were on at each second, or those that are now"`
	By       string    `json:"by" doc:"who asked; empty: late frames came"`
	State    string    `json:"state" enum:"queued,running,done,failed,cancelled"`
	Progress float64   `json:"progress" doc:"0 to 1"`
	Ticks    int       `json:"ticks" doc:"seconds scored again; those that came out the same are not stored again"`
	Error    string    `json:"error,omitempty"`

	Reached int64 `json:"-"` // Unix ns up to which all is published
}

// saved is a Rescoring in the file.
type saved struct {
	Rescoring
	Reached int64 `json:"reached"`
}

// Config of Jobs.
type Config struct {
	File   string                 // that remembers jobs over a restart
	Engine scorer.PartitionConfig // as the scorer's own
	Late   time.Duration          // frames that come later than this after their time amend by themselves; the scorer amends sooner ones
	Within time.Duration          // and not those later than this; 0: none do
	Look   time.Duration          // how often it is looked for them, wall time
	Most   int                    // jobs that wait or are remembered

	Settled    func() bool       // until it is, what comes late is history that is brought in; nil: it is
	CrashPoint func(name string) // tests kill the process there; nil
}

// DefaultConfig is for one process.
func DefaultConfig(file string) Config {
	e := scorer.DefaultPartitionConfig()
	return Config{File: file, Engine: e, Late: e.Late, Within: 24 * time.Hour, Look: 30 * time.Second, Most: 1000}
}

// Validate names the first key that is wrong.
func (c Config) Validate() error {
	switch {
	case c.File == "":
		return errors.New("file: must be given")
	case c.Late < 0 || c.Within < 0 || c.Look <= 0:
		return errors.New("late, within, look: must not be negative")
	case c.Most < 1:
		return fmt.Errorf("most: must be positive, not %d", c.Most)
	}
	return c.Engine.Validate()
}

// Errors of Jobs.
var (
	ErrUnknown = errors.New("there is no such job of scoring again")
	ErrBusy    = errors.New("too many spans wait to be scored again: wait, or cancel some")
)

// Jobs runs them, one at a time, and goes on after a restart where it was.
type Jobs struct {
	cfg Config
	d   Deps

	mu     sync.Mutex
	list   []*Rescoring // oldest first
	commit int64        // up to which late frames were looked for
	stop   func()       // of the job that runs
	wake   chan struct{}
}

// file is what is kept on disk.
type file struct {
	Commit int64   `json:"commit"`
	Jobs   []saved `json:"jobs"`
}

// New reads what was left to be done.
func New(cfg Config, d Deps) (*Jobs, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("rescore: %w", err)
	}
	if cfg.CrashPoint == nil {
		cfg.CrashPoint = func(string) {}
	}
	j := &Jobs{cfg: cfg, d: d, wake: make(chan struct{}, 1), commit: -1}
	b, err := os.ReadFile(cfg.File)
	if errors.Is(err, os.ErrNotExist) {
		return j, nil
	}
	var f file
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil {
		return nil, fmt.Errorf("rescore: %s: %w; without it, spans that waited are not scored again by themselves", cfg.File, err)
	}
	j.commit = f.Commit
	for _, s := range f.Jobs {
		x := s.Rescoring
		x.Reached = s.Reached
		if x.State == Running {
			x.State = Queued
		}
		if x.Models == "" { // of a version that knew no other
			x.Models = Now
		}
		j.list = append(j.list, &x)
	}
	return j, nil
}

// save writes the file; mu is held.
func (j *Jobs) save() error {
	f := file{Commit: j.commit, Jobs: make([]saved, len(j.list))}
	for i, x := range j.list {
		f.Jobs[i] = saved{*x, x.Reached}
	}
	b, err := json.Marshal(f)
	if err != nil {
		panic("BUG: rescore: " + err.Error())
	}
	tmp := j.cfg.File + ".tmp"
	if err := os.MkdirAll(filepath.Dir(tmp), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = out.Write(b)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	return os.Rename(tmp, j.cfg.File)
}

// Add queues a span, to be scored by the models that were on Then or are on Now;
// the error joins all that is wrong with it.
func (j *Jobs) Add(drill, models string, from, to time.Time, by string) (Rescoring, error) {
	var all []error
	if models != Then && models != Now {
		all = append(all, fmt.Errorf("models: must be %s or %s, not %q", Then, Now, models))
	}
	if err := telemetry.ValidID(drill); err != nil {
		all = append(all, fmt.Errorf("drill: %w", err))
	} else if !slices.ContainsFunc(j.d.Store.Drills(), func(d storage.Drill) bool { return d.Drill == drill }) {
		all = append(all, fmt.Errorf("drill: %q has no frame in the store", drill))
	}
	if !from.Before(to) {
		all = append(all, fmt.Errorf("from: must be before to, and %s is not before %s", from.Format(time.RFC3339), to.Format(time.RFC3339)))
	}
	if err := errors.Join(all...); err != nil {
		return Rescoring{}, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.add(drill, models, from, to, by)
}

func (j *Jobs) add(drill, models string, from, to time.Time, by string) (Rescoring, error) {
	j.list = slices.DeleteFunc(j.list, func(x *Rescoring) bool { return len(j.list) >= j.cfg.Most && x.State != Queued && x.State != Running })
	if len(j.list) >= j.cfg.Most {
		return Rescoring{}, ErrBusy
	}
	x := &Rescoring{ID: strings.ToLower(rand.Text()[:16]), Drill: drill, From: from.UTC(), To: to.UTC(), Models: models, By: by, State: Queued}
	j.list = append(j.list, x)
	if err := j.save(); err != nil {
		j.list = j.list[:len(j.list)-1]
		return Rescoring{}, fmt.Errorf("rescore: %w", err)
	}
	select {
	case j.wake <- struct{}{}:
	default:
	}
	return *x, nil
}

// List returns all jobs, oldest first.
func (j *Jobs) List() []Rescoring {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]Rescoring, len(j.list))
	for i, x := range j.list {
		out[i] = *x
	}
	return out
}

// Get returns one job.
func (j *Jobs) Get(id string) (Rescoring, error) {
	for _, x := range j.List() {
		if x.ID == id {
			return x, nil
		}
	}
	return Rescoring{}, ErrUnknown
}

// Cancel ends a job; what it has amended stays.
func (j *Jobs) Cancel(id string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, x := range j.list {
		if x.ID != id {
			continue
		}
		if x.State == Running && j.stop != nil {
			j.stop()
		}
		if x.State == Queued || x.State == Running {
			x.State = Cancelled
		}
		return j.save()
	}
	return ErrUnknown
}

// Run does jobs, and looks for late frames, until ctx is done.
func (j *Jobs) Run(ctx context.Context) error {
	look := time.NewTicker(j.cfg.Look)
	defer look.Stop()
	for ctx.Err() == nil {
		if x := j.next(); x != nil {
			j.do(ctx, x)
			continue
		}
		select {
		case <-ctx.Done():
		case <-j.wake:
		case <-look.C:
			if err := j.lookForLate(ctx); err != nil && ctx.Err() == nil {
				j.d.Log.Warn("late frames not looked for", "err", err)
			}
		}
	}
	return nil
}

func (j *Jobs) next() *Rescoring {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, x := range j.list {
		if x.State == Queued {
			x.State = Running
			return x
		}
	}
	return nil
}

// do runs one job from where it was.
func (j *Jobs) do(ctx context.Context, x *Rescoring) {
	run, cancel := context.WithCancel(ctx)
	defer cancel()
	j.mu.Lock()
	j.stop = cancel
	drill, models, from, to := x.Drill, x.Models, max(x.From.UnixNano(), x.Reached), x.To.UnixNano()
	begin, most := x.From.UnixNano(), time.Duration(0)
	if x.By == "" {
		most = j.cfg.Within
	}
	j.mu.Unlock()
	err := score(run, &j.d, j.cfg.Engine, drill, models, from, to, most, func(done, end int64, ticks int) error {
		j.cfg.CrashPoint("rescored")
		j.mu.Lock()
		defer j.mu.Unlock()
		x.Reached, x.Ticks = done, x.Ticks+ticks
		if end > begin {
			x.Progress = float64(done-begin) / float64(end-begin)
		}
		err := j.save()
		j.cfg.CrashPoint("rescore-noted")
		return err
	})
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stop = nil
	switch {
	case x.State == Cancelled:
	case ctx.Err() != nil:
		x.State = Queued // the next run goes on
	case err != nil:
		x.State, x.Error = Failed, err.Error()
		j.d.Log.Warn("scoring again failed", "drill", drill, "err", err)
	default:
		x.State, x.Progress = Done, 1
	}
	if err := j.save(); err != nil {
		j.d.Log.Error("jobs of scoring again not kept", "err", err)
	}
}

// lookForLate queues spans whose frames came too late for the scorer to amend.
func (j *Jobs) lookForLate(ctx context.Context) error {
	if j.cfg.Within == 0 {
		return nil
	}
	j.mu.Lock()
	after := j.commit
	j.mu.Unlock()
	late, commit, err := j.d.Store.LateFrames(ctx, after, j.cfg.Late, j.cfg.Within)
	if err != nil {
		return err
	}
	if len(late) > 0 {
		j.cfg.CrashPoint("late-found")
	}
	settled := j.cfg.Settled == nil || j.cfg.Settled()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.commit = commit
	if after < 0 || !settled { // the first look in this store, or history: what is there was scored as it came
		return j.save()
	}
	for _, l := range late {
		from, to := time.Unix(0, floor(l.From, int64(time.Second))), time.Unix(0, l.To+1)
		// One that waits takes it in.
		i := slices.IndexFunc(j.list, func(x *Rescoring) bool {
			return x.State == Queued && x.By == "" && x.Drill == l.Drill && x.Reached == 0
		})
		if i >= 0 {
			x := j.list[i]
			if from.Before(x.From) {
				x.From = from.UTC()
			}
			if to.After(x.To) {
				x.To = to.UTC()
			}
			continue
		}
		if _, err := j.add(l.Drill, Then, from, to, ""); err != nil {
			return err
		}
	}
	return j.save()
}
