// Package rescore scores a span of one drill again, from what the columnstore
// holds, in order of event time: what came late is in its place. What comes out
// other than it is stored goes to the topic of scores and becomes the last
// version there; the versions before stay, so that what was known when can be asked.
package rescore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/mudpulse/mudpulse/services/scorer"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// A Store is where frames are read back; *duckdb.Store is one.
type Store interface {
	Replay(ctx context.Context, q storage.ReplayQuery, f func(*telemetry.Frame) error) (storage.Replayed, error)
	Activations(ctx context.Context) ([]telemetry.Marker, error)
	Drills() []storage.Drill
	LateFrames(ctx context.Context, after int64, by, within time.Duration) ([]storage.Late, int64, error)
}

// Deps are what the process gives.
type Deps struct {
	Store     Store
	Loader    scorer.Loader
	Rules     scorer.RuleLoader
	Catalogue *telemetry.Catalogue
	// Publish gives scores of one drill to the topic, and returns when the log has them.
	Publish func(ctx context.Context, scores []*telemetry.Score) error
	Log     *slog.Logger
}

// chunk is how much is scored between two notes of how far a job is; warm, how
// much is read at once of what lies before.
const (
	chunk = time.Hour
	warm  = 6 * time.Hour
)

// tape takes what a partition says: the last record of each tick counts.
type tape struct {
	from, to int64
	last     map[int64]*telemetry.Score
}

func (t *tape) Score(s *telemetry.Score) {
	if s.Tick < t.from || s.Tick >= t.to {
		return
	}
	var c telemetry.Score
	if err := telemetry.DecodeScore(telemetry.AppendScore(nil, s), &c); err != nil {
		panic("BUG: own score: " + err.Error())
	}
	t.last[s.Tick] = &c
}

// Alarm is not heard: nothing old pages anyone.
func (t *tape) Alarm(*telemetry.AlarmEvent) {}

// score scores a drill's seconds in [from, to) again. reach extends to by what
// features remember of them, up to most. step is called after each chunk that is
// published, with the time up to which all is, and what was scored.
func score(ctx context.Context, d *Deps, cfg scorer.PartitionConfig, drill, models string, from, to int64, most time.Duration, step func(done, end int64, ticks int) error) error {
	t := &tape{from: from, to: to, last: map[int64]*telemetry.Score{}}
	cfg.RowBudget = 0 // the machine's speed decides nothing here
	p, err := scorer.NewPartition(cfg, d.Loader, d.Rules, d.Catalogue, nothingStored{}, t)
	if err != nil {
		return err
	}
	all, err := d.Store.Activations(ctx)
	if err != nil {
		return err
	}
	marks := within(inForce(all, drill, models), from, to+int64(most))
	reach, whole, err := far(ctx, d, cfg, drill, marks)
	if err != nil {
		return err
	}
	if most > 0 {
		to += int64(min(reach, most))
	}
	first, last := int64(0), int64(0)
	for _, x := range d.Store.Drills() {
		if x.Drill == drill {
			first, last = x.First, x.Last
		}
	}
	if last == 0 {
		return fmt.Errorf("drill %q has no frame in the store", drill)
	}
	to = min(to, last+1)
	t.to = to
	begin := from - int64(reach)
	if whole || begin < first {
		begin = first
	}
	n, hour := int64(0), int64(0)
	for at := begin; at < to; at += hour {
		if hour = int64(chunk) - (at - floor(at, int64(chunk))); at < from {
			hour = min(int64(warm), max(from-at, 1))
		}
		var frames []*telemetry.Frame
		if _, err := d.Store.Replay(ctx, storage.ReplayQuery{Drill: drill, From: at, To: min(at+hour, to)}, func(f *telemetry.Frame) error {
			c := *f // f itself is taken back
			frames = append(frames, &c)
			return nil
		}); err != nil {
			return err
		}
		slices.SortFunc(frames, func(a, b *telemetry.Frame) int {
			return cmp.Or(cmp.Compare(a.TS, b.TS), telemetry.CompareIDs(a.ID(), b.ID()))
		})
		began := time.Now()
		for _, f := range frames {
			n++
			if marks, err = give(ctx, p, marks, f.TS); err != nil {
				return err
			}
			err := p.Frame(ctx, f, false, n)
			if errors.Is(err, scorer.ErrFetch) || ctx.Err() != nil {
				return errors.Join(err, ctx.Err())
			}
			if err != nil { // as the stream did
				d.Log.Debug("frame left out of scoring again", "drill", drill, "err", err)
			}
		}
		p.Flush()
		ticks := slices.Sorted(maps.Keys(t.last))
		scores := make([]*telemetry.Score, len(ticks))
		for i, tick := range ticks {
			scores[i] = t.last[tick]
		}
		clear(t.last)
		if len(scores) > 0 {
			if err := d.Publish(ctx, scores); err != nil {
				return err
			}
		}
		if at+hour > from {
			if err := step(min(at+hour, to), to, len(scores)); err != nil {
				return err
			}
		}
		if err := rest(ctx, time.Since(began)); err != nil {
			return err
		}
	}
	return nil
}

// rest waits as long as was worked: half of one processor is the most that is taken from what is live.
func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(min(d, 2*time.Second))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func floor(a, b int64) int64 {
	m := a % b
	if m < 0 {
		m += b
	}
	return a - m
}

// nothingStored: what is given again is given once.
type nothingStored struct{}

func (nothingStored) FrameStored(context.Context, string, telemetry.FrameID, int64) (bool, error) {
	return false, nil
}
