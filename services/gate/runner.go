package gate

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/services/models"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// A Store has the frames; *duckdb.Store is one.
type Store interface {
	Drills() []storage.Drill
	Replay(ctx context.Context, q storage.ReplayQuery, f func(*telemetry.Frame) error) (storage.Replayed, error)
	AlarmEvents(ctx context.Context, q storage.AlarmQuery) ([]telemetry.AlarmEvent, error)
	Commands(ctx context.Context, q storage.CommandQuery) ([]telemetry.Command, error)
}

// Blobs are where the models' bytes lie.
type Blobs interface {
	Fetch(ctx context.Context, sha256 string) ([]byte, error)
}

// Config bounds a test.
type Config struct {
	Back   time.Duration // how far it reaches into the past at most
	Whole  int64         // frames up to which every one is scored; of more, one whole second a minute
	Limit  time.Duration // that one test may take
	Every  time.Duration // what is on is tested anew, on what has come since: its inputs may have moved
	Worker []string      // the command of the process that does the work; nil: it is done in this one
}

// DefaultConfig is for a hundred drills.
func DefaultConfig() Config {
	return Config{Back: 90 * 24 * time.Hour, Whole: 1_000_000, Limit: 2 * time.Hour, Every: 7 * 24 * time.Hour}
}

// Validate names the first key that is wrong.
func (c Config) Validate() error {
	if c.Back <= 0 || c.Limit <= 0 || c.Every <= 0 {
		return fmt.Errorf("back, limit, every: must be positive, not %v, %v, %v", c.Back, c.Limit, c.Every)
	}
	return nil
}

// A Runner tests the versions that wait for it, one after the other, and beside
// them tries edited rules: a person sits before those, and a model's test may take hours.
type Runner struct {
	cfg    Config
	models *models.Registry
	blobs  Blobs
	store  Store
	cat    *telemetry.Catalogue
	log    *slog.Logger
	told   func(name string) // when a model's standing changed

	wake  chan struct{} // a version waits
	edits chan struct{} // edited rules wait
	mu    sync.Mutex
	done  map[string]float64 // how much of what is in work, by Job.ref
}

// New returns a runner; told may be nil.
func New(cfg Config, reg *models.Registry, blobs Blobs, store Store, cat *telemetry.Catalogue, log *slog.Logger, told func(name string)) (*Runner, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("gate: %w", err)
	}
	if told == nil {
		told = func(string) {}
	}
	return &Runner{cfg: cfg, models: reg, blobs: blobs, store: store, cat: cat, log: log, told: told, wake: make(chan struct{}, 1), edits: make(chan struct{}, 1), done: map[string]float64{}}, nil
}

// Ask puts a version in the queue; then is who wants it on as soon as it has passed, "" nobody.
func (r *Runner) Ask(ctx context.Context, name string, version int, then string) error {
	s, err := r.models.Standing(ctx, name, version)
	if err != nil {
		return err
	}
	s.State, s.Then = models.Waiting, then // what it said last is kept: where nothing has changed since, it says it again
	if err := r.models.Save(ctx, s); err != nil {
		return err
	}
	wakeUp(r.wake)
	return nil
}

func wakeUp(lane chan<- struct{}) {
	select {
	case lane <- struct{}{}:
	default:
	}
}

// Progress is how much of a version's test is done, 0 to 1; ok is false where it is not in work.
func (r *Runner) Progress(name string, version int) (done float64, ok bool) {
	return r.progress(fmt.Sprintf("%s@%d", name, version))
}

func (r *Runner) progress(ref string) (done float64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	done, ok = r.done[ref]
	return done, ok
}

// Run works both queues off until ctx ends; what was in work then is begun again at the next start.
func (r *Runner) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	trials := make(chan error, 1)
	go func() { trials <- r.runTrials(ctx, cancel) }()
	err := r.runTests(ctx)
	cancel()
	return errors.Join(err, <-trials)
}

func (r *Runner) runTests(ctx context.Context) error {
	look := time.NewTicker(time.Hour)
	defer look.Stop()
	for {
		err := r.Again(ctx, time.Now())
		if err == nil {
			err = r.Work(ctx)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		case <-r.wake:
		}
	}
}

// Again puts in the queue what is on and was last tested Every before now or
// longer ago, so that its report says how far its inputs have moved by now.
func (r *Runner) Again(ctx context.Context, now time.Time) error {
	all, err := r.models.List(ctx)
	if err != nil {
		return err
	}
	for i := range all {
		for _, on := range []*telemetry.Marker{all[i].Active, all[i].Canary} {
			if on == nil {
				continue
			}
			s, err := r.models.Standing(ctx, on.Name, on.Version)
			if err != nil {
				return err
			}
			if s.State == models.Done && now.Sub(time.Unix(0, s.At)) >= r.cfg.Every {
				if err := r.Ask(ctx, on.Name, on.Version, ""); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Work tests all versions that wait.
func (r *Runner) Work(ctx context.Context) error {
	for {
		waiting, err := r.models.Standings(ctx, "state = 'waiting'")
		if err != nil || len(waiting) == 0 {
			return err
		}
		if err := r.one(ctx, waiting[0]); err != nil {
			return err
		}
	}
}

func (r *Runner) set(ref string, done float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done[ref] = done
}

func (r *Runner) end(ref string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.done, ref)
}

func (r *Runner) one(ctx context.Context, s models.Standing) error {
	ref := fmt.Sprintf("%s@%d", s.Name, s.Version)
	r.set(ref, 0)
	defer r.end(ref)
	limited, cancel := context.WithTimeout(ctx, r.cfg.Limit)
	defer cancel()
	rep, err := r.test(limited, s.Name, s.Version)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	out := models.Standing{Name: s.Name, Version: s.Version, State: models.Failed, Then: s.Then}
	if err != nil {
		out.Why = []string{err.Error()}
		r.log.Error("model not tested", "model", s.Name, "version", s.Version, "err", err)
	} else {
		raw, err := json.Marshal(rep)
		if err != nil {
			return fmt.Errorf("report on %s@%d: %w", s.Name, s.Version, err)
		}
		out = rep.standing(raw)
		out.Then = s.Then
		if moved := rep.moved(); len(moved) > 0 {
			r.log.Warn("inputs have moved since training: train it again", "model", s.Name, "version", s.Version, "inputs", moved)
		}
	}
	then := out.Then
	out.Then = ""
	if err := r.models.Save(ctx, out); err != nil {
		return err
	}
	if then != "" && out.State == models.Done && out.Verdict != models.Worse {
		if _, _, err := r.models.Promote(ctx, models.Promotion{Name: s.Name, Version: s.Version, By: then}); err != nil {
			r.log.Error("model not put on after its report", "model", s.Name, "version", s.Version, "err", err)
		}
	}
	r.told(s.Name)
	return nil
}

// test does one test, or takes over what an equal one gave.
func (r *Runner) test(ctx context.Context, name string, version int) (*Report, error) {
	job, blobs, err := r.job(ctx, name, version)
	if err != nil {
		return nil, err
	}
	same, err := r.models.Standings(ctx, "name = ? AND report LIKE ?", name, `%"key":"`+job.Key+`"%`)
	if err != nil {
		return nil, err
	}
	for _, s := range same {
		var rep Report
		if err := json.Unmarshal(s.Report, &rep); err == nil && rep.Key == job.Key {
			rep.Version = version
			return &rep, nil
		}
	}
	u, err := r.send(ctx, job, blobs)
	return u.Report, err
}

// on is the marker of a model in an arm.
func on(name string, version int, sha string, drills []string) telemetry.Marker {
	return telemetry.Marker{ID: fmt.Sprintf("%s@%d", name, version), Kind: telemetry.MarkerModel, Name: name, Version: version, SHA256: sha, Action: models.Activate, Drills: drills}
}

// job gathers what the process must know.
func (r *Runner) job(ctx context.Context, name string, version int) (*Job, [][]byte, error) {
	all, err := r.models.List(ctx)
	if err != nil {
		return nil, nil, err
	}
	_, v, err := r.models.PMML(ctx, name, version)
	if err != nil {
		return nil, nil, err
	}
	job := &Job{Name: name, Version: version, SHA256: v.SHA256}
	now := Placed{Name: "without it"}
	mine := on(name, version, v.SHA256, nil)
	for _, m := range all {
		if m.Active == nil || m.Name == name && m.Active.Version == version { // one that is on is set beside what there would be without it
			continue
		}
		a := on(m.Name, m.Active.Version, m.Active.SHA256, m.Active.Drills)
		if m.Name == name {
			now.Name, mine.Drills = fmt.Sprintf("%s %d", name, m.Active.Version), m.Active.Drills
		}
		now.On = append(now.On, a)
	}
	with := Placed{Name: fmt.Sprintf("%s %d", name, version), On: []telemetry.Marker{mine}}
	for _, a := range now.On {
		if a.Name != name {
			with.On = append(with.On, a)
		}
	}
	rules, plain, err := r.rules(ctx)
	if err != nil {
		return nil, nil, err
	}
	now.Rules, with.Rules = rules, rules
	job.Arms = []Placed{with, now, {Name: "limits", Rules: plain}}
	blobs, err := r.fetch(ctx, job)
	if err != nil {
		return nil, nil, err
	}
	frames := r.period(job, r.cfg.Back)
	if err := r.record(ctx, job); err != nil {
		return nil, nil, err
	}
	if frames > r.cfg.Whole {
		job.Every = int64(time.Minute)
	}
	h := sha256.New()
	keyed := *job
	keyed.Version = 0
	keyed.Arms = slices.Clone(job.Arms)
	keyed.Arms[candidate].Name = ""
	keyed.Arms[candidate].On = slices.Clone(with.On)
	keyed.Arms[candidate].On[0].ID, keyed.Arms[candidate].On[0].Version = "", 0
	if err := json.NewEncoder(h).Encode(struct {
		Job    Job
		Frames []storage.Drill
	}{keyed, r.store.Drills()}); err != nil {
		return nil, nil, fmt.Errorf("key: %w", err)
	}
	job.Key = hex.EncodeToString(h.Sum(nil))
	return job, blobs, nil
}

// fetch gathers what the arms' models are, and which channels people registered.
func (r *Runner) fetch(ctx context.Context, job *Job) (blobs [][]byte, err error) {
	for _, p := range job.Arms {
		for _, m := range p.On {
			if slices.Contains(job.Blobs, m.SHA256) {
				continue
			}
			b, err := r.blobs.Fetch(ctx, m.SHA256)
			if err != nil {
				return nil, fmt.Errorf("model %s: %w", m.ID, err)
			}
			job.Blobs, blobs = append(job.Blobs, m.SHA256), append(blobs, b)
		}
	}
	for _, c := range r.cat.All() {
		if c.User {
			job.Tags = append(job.Tags, c.Tag)
		}
	}
	return blobs, nil
}

// rules returns those on models, and those on plain limits: an arm each, so that
// what a model does is not hidden behind what limits do.
func (r *Runner) rules(ctx context.Context) (force, plain []byte, err error) {
	in, err := r.models.Rules(ctx)
	if errors.Is(err, models.ErrUnknown) {
		in, err = models.Rules{Rules: alarms.Default(), Limits: true}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if force, err = json.Marshal(in.Rules.Without(alarms.Limit)); err != nil {
		return nil, nil, err
	}
	plain, err = json.Marshal(in.Rules.Without(alarms.Model))
	return force, plain, err
}

// period sets drills and time, back at most, and says how many frames that may be.
func (r *Runner) period(job *Job, back time.Duration) (frames int64) {
	job.From, job.To = math.MaxInt64, math.MinInt64
	known := r.store.Drills()
	for _, d := range known {
		if d.Frames > 0 {
			job.From, job.To = min(job.From, d.First), max(job.To, d.Last+1)
		}
	}
	if job.From > job.To {
		job.From, job.To = 0, 0
		return 0
	}
	job.From = max(job.From, job.To-int64(back))
	for _, d := range known {
		if d.Frames == 0 || d.Last < job.From {
			continue
		}
		job.Drills = append(job.Drills, d.Drill)
		share := 1.0
		if d.First < job.From && d.Last > d.First {
			share = float64(d.Last-job.From) / float64(d.Last-d.First)
		}
		frames += int64(share * float64(d.Frames))
	}
	slices.Sort(job.Drills)
	return frames
}

// record gathers what is on record: labels, and people's verdicts on alarms.
func (r *Runner) record(ctx context.Context, job *Job) error {
	labels, err := r.models.Labels(ctx)
	if err != nil {
		return err
	}
	for _, l := range labels {
		if l.To > job.From && l.From < job.To && slices.Contains(job.Drills, l.Drill) {
			job.Labels = append(job.Labels, Label{l.Drill, l.Kind, l.From, l.To, l.Value})
		}
	}
	commands, err := r.store.Commands(ctx, storage.CommandQuery{Limit: 100_000})
	if err != nil {
		return fmt.Errorf("verdicts: %w", err)
	}
	seen := map[string]bool{}
	for _, c := range commands { // newest first: the last word counts
		if c.Kind != "disposition" || seen[c.Alarm] {
			continue
		}
		seen[c.Alarm] = true
		if c.Value != "right" && c.Value != "wrong" {
			continue
		}
		steps, err := r.store.AlarmEvents(ctx, storage.AlarmQuery{ID: c.Alarm, Limit: 1})
		if err != nil {
			return fmt.Errorf("verdicts: %w", err)
		}
		if len(steps) > 0 && steps[0].Raised >= job.From {
			job.Judged = append(job.Judged, Verdict{steps[0].Drill, steps[0].Rule, steps[0].Raised, c.Value == "right"})
		}
	}
	return nil
}

// runUp is how long before the period frames are given, for windows and states to be as they were.
const runUp = 3 * 24 * time.Hour

// send starts the process, gives it job and frames, and takes its report.
func (r *Runner) send(ctx context.Context, job *Job, blobs [][]byte) (update, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var in io.WriteCloser
	var out io.Reader
	var wait func() error
	if len(r.cfg.Worker) > 0 {
		cmd := exec.CommandContext(ctx, r.cfg.Worker[0], r.cfg.Worker[1:]...)
		var err error
		if in, err = cmd.StdinPipe(); err != nil {
			return update{}, err
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			return update{}, err
		}
		said := &tail{}
		out, cmd.Stderr = stdout, said
		if err := cmd.Start(); err != nil {
			return update{}, fmt.Errorf("start %s: %w", r.cfg.Worker[0], err)
		}
		wait = func() error {
			if err := cmd.Wait(); err != nil {
				return fmt.Errorf("the process that tests ended: %w: %s", err, said)
			}
			return nil
		}
	} else {
		ir, iw := io.Pipe()
		or, ow := io.Pipe()
		in, out = iw, or
		ended := make(chan error, 1)
		go func() {
			err := Work(ctx, ir, ow)
			ir.CloseWithError(io.ErrClosedPipe)
			ow.Close()
			ended <- err
		}()
		wait = func() error { return <-ended }
	}
	sent := make(chan error, 1)
	go func() {
		err := r.give(ctx, in, job, blobs)
		sent <- errors.Join(err, in.Close())
	}()
	var rep update
	var told string
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxPart)
	for lines.Scan() {
		var u update
		if err := json.Unmarshal(lines.Bytes(), &u); err != nil {
			told = "said " + lines.Text()
			break
		}
		if u.Error != "" {
			told = u.Error
		}
		if u.last() {
			rep = u
		}
		r.set(job.ref(), float64(u.Drills)/float64(max(1, len(job.Drills))))
	}
	if !rep.last() {
		cancel()
	}
	gave, ended := <-sent, wait()
	switch {
	case ctx.Err() != nil && !rep.last() && told == "" && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return rep, fmt.Errorf("took longer than %v", r.cfg.Limit)
	case gave != nil && !errors.Is(gave, syscall.EPIPE) && !errors.Is(gave, io.ErrClosedPipe):
		return rep, gave
	case told != "":
		return rep, errors.New(told)
	case !rep.last():
		return rep, errors.Join(errors.New("no report"), gave, ended)
	}
	return rep, errors.Join(gave, ended)
}

// give writes job, blobs and frames.
func (r *Runner) give(ctx context.Context, to io.Writer, job *Job, blobs [][]byte) error {
	w := bufio.NewWriterSize(to, 1<<20)
	raw, err := json.Marshal(job)
	if err != nil {
		return err
	}
	if err := writePart(w, raw); err != nil {
		return err
	}
	for _, b := range blobs {
		if err := writePart(w, b); err != nil {
			return err
		}
	}
	var buf []byte
	for _, drill := range job.Drills {
		last := int64(math.MinInt64)
		_, err := r.store.Replay(ctx, storage.ReplayQuery{Drill: drill, From: job.From - int64(runUp), To: job.To}, func(f *telemetry.Frame) error {
			if job.Every > 0 {
				k := f.TS / job.Every
				if k == last {
					return nil
				}
				last = k
			}
			buf = telemetry.AppendFrame(buf[:0], f)
			return writePart(w, buf)
		})
		if err != nil {
			return fmt.Errorf("frames of %s: %w", drill, err)
		}
		if err := writePart(w, nil); err != nil {
			return err
		}
	}
	return w.Flush()
}

// A tail keeps the last of what the process wrote to its error stream.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	t.b = t.b[max(0, len(t.b)-2000):]
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.b))
}
