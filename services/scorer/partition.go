// Package scorer turns frames into scores and alarms. A Partition is the engine:
// stream, replay and backtest all go through it, and the same records in give
// the same bits out. A Scorer runs partitions over the log.
package scorer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/telemetry"
	"github.com/mudpulse/mudpulse/telemetry/dedup"
)

// PartitionConfig is what an operator may change of the engine. All of it is
// part of what makes a score: two runs are the same only under the same values.
type PartitionConfig struct {
	Number     int           // of the partition, for evidence
	Late       time.Duration // a frame at most so far behind its drill's newest tick amends its tick
	MaxDrills  int           // in one lane
	Rows       int           // scored together at most
	RowBudget  time.Duration // mean time of a model for one row, above which it is stopped; 0 none
	LimitRules bool          // false: rules on plain limits are switched off
	Rig        RigConfig
	Dedup      dedup.Config
}

// DefaultPartitionConfig returns what suits one frame a second.
func DefaultPartitionConfig() PartitionConfig {
	return PartitionConfig{Late: 2 * time.Minute, MaxDrills: 20_000, Rows: 512, RowBudget: 250 * time.Millisecond, LimitRules: true,
		Rig: DefaultRigConfig(), Dedup: dedup.DefaultConfig()}
}

// Validate names the first key that is wrong.
func (c PartitionConfig) Validate() error {
	switch {
	case c.Late < 0 || c.Late > time.Hour:
		return fmt.Errorf("late: must be 0s to 1h, not %v", c.Late)
	case c.MaxDrills < 1:
		return fmt.Errorf("max_drills: must be positive, not %d", c.MaxDrills)
	case c.Rows < 1 || c.Rows > 65536:
		return fmt.Errorf("rows: must be 1 to 65536, not %d", c.Rows)
	case c.RowBudget < 0:
		return fmt.Errorf("row_budget: must not be negative")
	case c.Rig.Hold < 0 || c.Rig.Settle < 0:
		return fmt.Errorf("rig.hold, rig.settle: must not be negative")
	}
	return c.Dedup.Validate()
}

// An Output takes what a partition makes, in order per drill. What it is given
// is valid until it returns.
type Output interface {
	Score(*telemetry.Score)
	Alarm(*telemetry.AlarmEvent)
}

// Counts are what a partition has seen since it was made.
type counts struct {
	frames, duplicates, conflicts, poison int64
	late, rows, panics, errors, restarts  int64
	unregistered                          int64
	readings                              int64
}

// A Partition is the drills of one partition of the log. One goroutine.
type Partition struct {
	cfg       PartitionConfig
	loader    Loader
	rules     RuleLoader
	catalogue *telemetry.Catalogue
	out       Output
	asker     Asker
	seen      *dedup.Table
	lanes     [lanes]*lane
	drills    map[string]*drill
	order     []*drill // as first heard
	at        *drill   // whose frame is in hand
	changes   int      // of them that changed since they were written down
	cut       *cut     // that is being written down
	scratch   []byte
	count     counts
	refused   []Refusal // newest last
	applied   int64     // markers that took effect
	tap       func(*lane, *row, []float64)
}

// A RuleLoader returns the bytes of rules or channels by SHA-256.
type RuleLoader interface {
	Fetch(ctx context.Context, sha256 string) ([]byte, error)
}

// An Asker knows whether a frame is stored: for frames older than what
// de-duplication remembers.
type Asker interface {
	FrameStored(ctx context.Context, drill string, id telemetry.FrameID, ts int64) (bool, error)
}

// A Refusal is a marker that could not take effect; what was active stays.
type Refusal struct {
	Marker telemetry.Marker
	Lane   string
	Why    string
}

// NewPartition returns an empty partition. blobs holds rules; asker may be nil.
func NewPartition(cfg PartitionConfig, loader Loader, blobs RuleLoader, cat *telemetry.Catalogue, asker Asker, out Output) (*Partition, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("scorer: %w", err)
	}
	seen, err := dedup.New(cfg.Dedup)
	if err != nil {
		return nil, fmt.Errorf("scorer: %w", err)
	}
	p := &Partition{cfg: cfg, loader: loader, rules: blobs, catalogue: cat, asker: asker, out: out, seen: seen, drills: map[string]*drill{}}
	watch, err := p.compileRules(alarms.Default())
	if err != nil {
		return nil, fmt.Errorf("scorer: default rules: %w", err)
	}
	for i := range p.lanes {
		p.lanes[i] = &lane{part: p, which: i, markers: map[string]bool{}, watch: watch, tags: map[string]*telemetry.Channel{},
			progs: map[string]*program{}, roads: map[string]*road{}, parts: map[string]*equipment{}}
	}
	return p, nil
}

func (p *Partition) compileRules(r *alarms.Rules) (*alarms.Watch, error) {
	if !p.cfg.LimitRules {
		r = r.Without(alarms.Limit)
	}
	return alarms.Compile(r)
}

// Frame takes one frame of the topic frames, or of backfill if history is set.
// It may be reused after the return; its boot changes if it is a conflict. What
// the frame causes comes out of the Output now or at the next Flush. An error
// means that the frame was skipped, and why; one that wraps ErrFetch, that it
// should be given again.
func (p *Partition) Frame(ctx context.Context, f *telemetry.Frame, history bool, offset int64) error {
	p.count.frames++
	if err := check(f); err != nil {
		p.count.poison++
		return err
	}
	d := p.drill(f.Drill)
	p.touch(d)
	p.at = d
	for again := 0; ; again++ {
		switch p.seen.SeeBy(&d.memo, f.Drill, f.ID(), f.Hash, f.TS) {
		case dedup.Duplicate:
			p.count.duplicates++
			return nil
		case dedup.Conflict:
			if again == 0 {
				p.count.conflicts++
				f.Boot, f.Flags = telemetry.ConflictBoot(f.Boot, f.Hash), f.Flags|telemetry.FlagConflict
				continue
			}
			p.count.duplicates++
			return nil
		case dedup.Ask:
			stored := true // without a store to ask: so old a number has been here
			if p.asker != nil {
				var err error
				if stored, err = p.asker.FrameStored(ctx, f.Drill, f.ID(), f.TS); err != nil {
					return fmt.Errorf("%w whether %s of drill %s is stored: %w", ErrFetch, f.ID(), f.Drill, err)
				}
			}
			if stored {
				p.count.duplicates++
				return nil
			}
		}
		break
	}
	which := laneLive
	switch {
	case history:
		which = laneHistory
	case f.Flags&telemetry.FlagFuture != 0:
		which = laneLate // a clock that is ahead must not make the present look late
	}
	if err := p.lanes[which].frame(f, offset); err != nil {
		p.count.poison++
		return err
	}
	return nil
}

// check refuses what no gateway lets through.
func check(f *telemetry.Frame) error {
	if err := telemetry.ValidID(f.Drill); err != nil {
		return fmt.Errorf("frame: drill: %w", err)
	}
	const year = 365 * 24 * int64(time.Hour)
	if f.TS < -70*year || f.TS > 200*year {
		return fmt.Errorf("frame %s of drill %s: time %d is no time of a drill", f.ID(), f.Drill, f.TS)
	}
	for i := range f.Runs {
		u := &f.Runs[i]
		if math.Abs(float64(u.Offset)) > float64(year) || math.Abs(float64(u.Every)) > float64(year) {
			return fmt.Errorf("frame %s of drill %s: channel %q: offset or spacing of more than a year", f.ID(), f.Drill, u.Channel)
		}
		if u.Quality != nil && len(u.Quality) != len(u.Values) {
			return fmt.Errorf("frame %s of drill %s: channel %q: %d qualities for %d values", f.ID(), f.Drill, u.Channel, len(u.Quality), len(u.Values))
		}
	}
	return nil
}

// Flush scores what is in hand, the live lane first: where the late lane scores
// a tick again, its record is the later one whatever the batching.
func (p *Partition) Flush() {
	for _, l := range p.lanes {
		l.flush()
	}
}

// Marker takes effect here: all frames of its topic that come later are scored
// by what it says. The error wraps ErrFetch if it should be tried again; all else
// that is wrong with it is a Refusal.
func (p *Partition) Marker(ctx context.Context, m *telemetry.Marker, history bool) error {
	which := []int{laneLive, laneLate}
	if history {
		which = []int{laneHistory}
	}
	if p.lanes[which[0]].markers[m.ID] {
		return nil // the first counts
	}
	apply, err := p.prepare(ctx, m)
	if errors.Is(err, ErrFetch) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("marker %s: %w", m.ID, err)
	}
	for _, i := range which {
		l := p.lanes[i]
		l.markers[m.ID] = true
		why := err
		if why == nil {
			p.Flush()
			p.touchAll()
			why = apply(l)
		}
		if why != nil {
			p.refuse(m, i, why)
			continue
		}
		p.applied++
	}
	return nil
}

func (p *Partition) refuse(m *telemetry.Marker, lane int, why error) {
	p.refused = append(p.refused, Refusal{Marker: *m, Lane: [lanes]string{"live", "backfill", "late"}[lane], Why: clip(why.Error())})
	if len(p.refused) > 100 {
		p.refused = slices.Delete(p.refused, 0, len(p.refused)-100)
	}
}

// prepare does all I/O for a marker, once for the lanes it is for.
func (p *Partition) prepare(ctx context.Context, m *telemetry.Marker) (func(*lane) error, error) {
	switch m.Kind {
	case telemetry.MarkerModel:
		if m.Action == "deactivate" {
			return func(l *lane) error { l.deactivate(m); return nil }, nil
		}
		if m.Action != "activate" {
			return nil, fmt.Errorf("action %q: must be activate or deactivate", m.Action)
		}
		model, err := p.load(ctx, m.SHA256)
		if err != nil {
			return nil, err
		}
		return func(l *lane) error { return l.activate(m, model) }, nil
	case telemetry.MarkerRules:
		b, err := p.rules.Fetch(ctx, m.SHA256)
		if err != nil {
			return nil, fmt.Errorf("%w rules %s: %w", ErrFetch, m.SHA256, err)
		}
		r, err := alarms.Parse(b)
		if err != nil {
			return nil, err
		}
		w, err := p.compileRules(r)
		if err != nil {
			return nil, err
		}
		return func(l *lane) error { l.watch, l.rules = w, m.SHA256; l.changed(); return nil }, nil
	case telemetry.MarkerChannel:
		if err := telemetry.ValidTag(m.Name); err != nil {
			return nil, err
		}
		return func(l *lane) error {
			if m.Action == "deactivate" {
				delete(l.tags, m.Name)
			} else {
				l.tags[m.Name] = &telemetry.Channel{Tag: m.Name, User: true}
			}
			l.changed()
			return nil
		}, nil
	case telemetry.MarkerRun:
		if err := checkRun(m); err != nil {
			return nil, err
		}
		return func(l *lane) error { return l.equip(m) }, nil
	}
	return func(*lane) error { return nil }, nil // a kind of later versions
}

// load compiles a model; a panic in there is the model's fault, not ours.
func (p *Partition) load(ctx context.Context, sha256 string) (m Model, err error) {
	defer func() {
		if r := recover(); r != nil {
			m, err = nil, fmt.Errorf("model %.12s…: failed inside: %v", sha256, r)
		}
	}()
	return p.loader.Load(ctx, sha256)
}

// giveUp refuses a marker whose blob cannot be had.
func (p *Partition) giveUp(m *telemetry.Marker, history bool, why error) {
	which := []int{laneLive, laneLate}
	if history {
		which = []int{laneHistory}
	}
	for _, i := range which {
		p.lanes[i].markers[m.ID] = true
		p.refuse(m, i, why)
	}
}

// Refused returns the markers that could not take effect, newest last.
func (p *Partition) Refused() []Refusal { return slices.Clone(p.refused) }
