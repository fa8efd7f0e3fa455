// Package evaluate says how good models are: it drives simulated fleets that no
// model has seen through the engine that scores in service, and sets the alarms
// that come out beside what was really the matter. What it prints is by alarm
// episode, never by row, split by drill, with failures that give no warning apart.
package evaluate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/services/scorer"
	"github.com/mudpulse/mudpulse/simulators/fleet"
	"github.com/mudpulse/mudpulse/telemetry"
)

// A Contender is a set of models and rules that is judged.
type Contender struct {
	Name   string
	Models map[string][]byte // PMML by model name
	Rules  *alarms.Rules
}

// Models reads *.pmml of files, by name.
func Models(files fs.FS) (map[string][]byte, error) {
	names, err := fs.Glob(files, "*.pmml")
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	out := map[string][]byte{}
	for _, n := range names {
		b, err := fs.ReadFile(files, n)
		if err != nil {
			return nil, fmt.Errorf("models: %w", err)
		}
		out[strings.TrimSuffix(path.Base(n), ".pmml")] = b
	}
	if len(out) == 0 {
		return nil, errors.New("models: there is no *.pmml")
	}
	return out, nil
}

// Config is what is judged, on what.
type Config struct {
	Contenders []Contender // the first is the one in question
	Studies    []Study
	Workers    int // drills at once; 0: as many as there are processors
	Progress   func(done, all int)

	Keep     string // folder in which each drill's outcome is kept, and taken from; empty: none
	KeptOnly bool   // drive nothing more: judge the drills that are kept there
}

// A Study is one fleet, at one rate.
type Study struct {
	Name  string
	Fleet fleet.Study
	Full  bool // every second, not one a minute
}

// every is the time between two seconds that are sent.
func (s Study) every() time.Duration {
	if s.Full {
		return time.Second
	}
	return time.Minute
}

// Run drives every drill of every study through every contender. The same
// configuration gives the same result, however many workers do it.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if len(cfg.Contenders) == 0 || len(cfg.Studies) == 0 {
		return nil, errors.New("evaluate: nothing to judge")
	}
	sets := make([]*set, len(cfg.Contenders))
	for i, c := range cfg.Contenders {
		var err error
		if sets[i], err = newSet(c); err != nil {
			return nil, fmt.Errorf("evaluate: %s: %w", c.Name, err)
		}
	}
	res := &Result{}
	type job struct{ study, drill int }
	var jobs []job
	for i, s := range cfg.Studies {
		if s.Fleet.Drills < 1 || s.Fleet.Days < 1 {
			return nil, fmt.Errorf("evaluate: study %s: wants at least one drill and one day", s.Name)
		}
		o := &Outcome{Study: s, runs: make([][]*run, len(sets))}
		for k := range sets {
			o.runs[k] = make([]*run, s.Fleet.Drills)
		}
		res.Outcomes = append(res.Outcomes, o)
		for d := range s.Fleet.Drills {
			jobs = append(jobs, job{i, d})
		}
	}
	slices.SortStableFunc(jobs, func(a, b job) int { return a.drill - b.drill }) // what is interrupted has some of each
	for _, c := range cfg.Contenders {
		res.Contenders = append(res.Contenders, c.Name)
	}
	res.rules = sets[0].rules
	var kept *keep
	if cfg.Keep != "" {
		var err error
		if kept, err = newKeep(cfg.Keep, sets); err != nil {
			return nil, fmt.Errorf("evaluate: %w", err)
		}
	} else if cfg.KeptOnly {
		return nil, errors.New("evaluate: what is kept is asked for, and no folder is named")
	}
	workers := cfg.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	next := make(chan job)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	done := 0
	for range workers {
		wg.Go(func() {
			for j := range next {
				runs, err := cfg.outcome(ctx, kept, cfg.Studies[j.study], j.drill, sets)
				mu.Lock()
				if err != nil && first == nil {
					first = err
					cancel()
				}
				for k := range runs {
					res.Outcomes[j.study].runs[k][j.drill] = runs[k]
				}
				done++
				if cfg.Progress != nil {
					cfg.Progress(done, len(jobs))
				}
				mu.Unlock()
			}
		})
	}
	for _, j := range jobs {
		select {
		case next <- j:
		case <-ctx.Done():
		}
	}
	close(next)
	wg.Wait()
	if first == nil {
		first = ctx.Err()
	}
	if first != nil {
		return nil, fmt.Errorf("evaluate: %w", first)
	}
	res.settle()
	return res, nil
}

// outcome is what came of a drill: as it is kept, or driven now.
func (cfg *Config) outcome(ctx context.Context, kept *keep, s Study, drill int, sets []*set) ([]*run, error) {
	if kept != nil {
		if runs, err := kept.get(s, drill); runs != nil || err != nil || cfg.KeptOnly {
			return runs, err
		}
	}
	runs, err := drive(ctx, s, drill, sets)
	if err == nil && kept != nil {
		err = kept.put(s, drill, runs)
	}
	return runs, err
}

// settle leaves out drills of which there is no outcome, and studies without any.
func (r *Result) settle() {
	for _, o := range r.Outcomes {
		for k := range o.runs {
			o.runs[k] = slices.DeleteFunc(o.runs[k], func(x *run) bool { return x == nil })
		}
		o.Asked, o.Study.Fleet.Drills = o.Study.Fleet.Drills, len(o.runs[0])
	}
	r.Outcomes = slices.DeleteFunc(r.Outcomes, func(o *Outcome) bool { return o.Study.Fleet.Drills == 0 })
}

// set is a contender made ready: blobs by SHA-256, and the markers that switch them on.
type set struct {
	name    string
	blobs   blobs
	loader  *scorer.PMML
	markers []telemetry.Marker
	rules   *alarms.Rules // as given: with what is raised under what

	features []string // compared between the two rates
}

type blobs map[string][]byte

func (b blobs) Fetch(_ context.Context, sha string) ([]byte, error) {
	if x, ok := b[sha]; ok {
		return x, nil
	}
	return nil, fmt.Errorf("no blob %s", sha)
}

func (b blobs) put(x []byte) string {
	sum := sha256.Sum256(x)
	sha := hex.EncodeToString(sum[:])
	b[sha] = x
	return sha
}

func newSet(c Contender) (*set, error) {
	s := &set{name: c.Name, blobs: blobs{}, rules: c.Rules}
	if s.rules == nil {
		s.rules = alarms.Default()
	}
	s.loader = scorer.NewPMML(s.blobs)
	var err error
	if s.features, err = compared(c.Models); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(c.Models)) {
		b := c.Models[name]
		s.markers = append(s.markers, telemetry.Marker{ID: "m-" + name, Kind: telemetry.MarkerModel, Name: name, Version: 1, SHA256: s.blobs.put(b), Action: "activate"})
	}
	// Models and plain limits are judged side by side: here neither keeps the other quiet.
	apart := *s.rules
	apart.Version = max(1, apart.Version)
	apart.Rules = append([]alarms.Rule(nil), s.rules.Rules...)
	for i := range apart.Rules {
		apart.Rules[i].Under = nil
	}
	b, err := json.Marshal(&apart)
	if err != nil {
		return nil, err
	}
	s.markers = append(s.markers, telemetry.Marker{ID: "rules", Kind: telemetry.MarkerRules, Name: "rules", Version: apart.Version, SHA256: s.blobs.put(b), Action: "activate"})
	return s, nil
}
