package exports

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/mudpulse/mudpulse/services/scorer"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// source is what a training table is made of.
type source interface {
	Replay(ctx context.Context, q storage.ReplayQuery, f func(*telemetry.Frame) error) (storage.Replayed, error)
	Said(ctx context.Context, drill string, names []string, from, to int64, f func(tick int64, values []float64) error) error
	AlarmEvents(ctx context.Context, q storage.AlarmQuery) ([]telemetry.AlarmEvent, error)
	Commands(ctx context.Context, q storage.CommandQuery) ([]telemetry.Command, error)
	Activations(ctx context.Context) ([]telemetry.Marker, error)
	SQL() *sql.DB
}

// A table is a training table in the making: drill by drill, in a database of its
// own on disk, so that memory does not grow with it.
type table struct {
	p      *plan
	src    source
	engine scorer.PartitionConfig
	cat    *telemetry.Catalogue
	db     *stage
	split  map[string]string
	done   func(share float64, rows int64)

	runs    []telemetry.Marker // changes of equipment, as they were entered
	rows    int64
	frames  int64
	short   int64
	lateBy  int64 // frames are read so far beyond the end: they may cover earlier ticks
	skipped int64 // frames that the scorer refuses
}

// candidate is the newest tick of the span in hand, by road.
type candidate struct {
	bucket, tick int64
	n            int64
	state        string
	values       []float64
	held         bool
}

// create makes the tables.
func (t *table) create(ctx context.Context) error {
	var in, out strings.Builder
	for i := range t.p.inputs {
		fmt.Fprintf(&in, ", v%d DOUBLE", i)
	}
	for _, c := range t.columns() {
		fmt.Fprintf(&out, ", %s %s", ident(c[0]), c[1])
	}
	var said strings.Builder
	for i := range t.p.said {
		fmt.Fprintf(&said, ", s%d DOUBLE", i)
	}
	return t.db.exec(ctx,
		"CREATE TABLE ticks(tick BIGINT, n BIGINT, state VARCHAR"+in.String()+")",
		"CREATE TABLE said(tick BIGINT"+said.String()+")",
		"CREATE TABLE result("+strings.TrimPrefix(out.String(), ", ")+")")
}

// columns of the result, with types.
func (t *table) columns() [][2]string {
	out := [][2]string{{"drill", "VARCHAR"}, {"ts", "TIMESTAMP"}, {"state", "VARCHAR"}}
	for _, c := range t.p.Columns {
		if c != "state" {
			out = append(out, [2]string{c, "DOUBLE"})
		}
	}
	for i := range t.p.labels {
		out = append(out, t.p.labels[i].columns()...)
	}
	if t.split != nil {
		out = append(out, [2]string{"split", "VARCHAR"})
	}
	return out
}

// fill makes the rows of all drills.
func (t *table) fill(ctx context.Context) error {
	all, err := t.src.Activations(ctx)
	if err != nil {
		return err
	}
	for _, m := range slices.Backward(all) { // they come newest first
		if m.Kind == telemetry.MarkerRun && len(m.Drills) == 1 {
			t.runs = append(t.runs, m)
		}
	}
	for i, drill := range t.p.drills {
		if err := t.drill(ctx, drill, func(share float64) {
			t.done((float64(i)+share)/float64(len(t.p.drills)), t.rows)
		}); err != nil {
			return fmt.Errorf("drill %s: %w", drill, err)
		}
	}
	return nil
}

// drill replays one drill's frames and adds the rows of its spans.
func (t *table) drill(ctx context.Context, drill string, done func(float64)) error {
	if err := t.db.exec(ctx, "DELETE FROM ticks", "DELETE FROM said"); err != nil {
		return err
	}
	add, closeTicks, err := t.db.appender(ctx, "ticks")
	if err != nil {
		return err
	}
	roads := map[int]*candidate{}
	n := int64(0)
	row := make([]driver.Value, 3+len(t.p.inputs))
	var failed error
	put := func(c *candidate) {
		row[0], row[1], row[2] = c.tick, c.n, c.state
		for i, v := range c.values {
			row[3+i] = orNull(v)
		}
		if err := add(row...); err != nil && failed == nil {
			failed = err
		}
	}
	part, err := scorer.NewTap(t.engine, t.cat, t.p.inputs, func(x *scorer.Tapped) {
		if x.Tick < t.p.from || x.Tick >= t.p.to {
			return
		}
		n++
		c := roads[x.Road]
		if c == nil {
			c = &candidate{}
			roads[x.Road] = c
		}
		now := candidate{bucket: floorDiv(x.Tick, t.p.every), tick: x.Tick, n: n, state: x.State, values: append([]float64(nil), x.Values...), held: true}
		switch {
		case !c.held || now.bucket == c.bucket && now.tick >= c.tick:
			*c = now
		case now.bucket > c.bucket:
			put(c)
			*c = now
		default:
			put(&now) // late: it stands if nothing newer does
		}
	})
	if err != nil {
		return err
	}
	for i := range t.runs { // each holds from its own event time on, whenever it was entered
		m := &t.runs[i]
		if m.Drills[0] != drill {
			continue
		}
		for _, history := range []bool{false, true} {
			if err := part.Marker(ctx, m, history); err != nil {
				return err
			}
		}
	}
	begin := t.p.from - t.p.warmup
	if t.p.warmup > t.p.from-math.MinInt64/2 {
		begin = math.MinInt64 / 2
	}
	seen := int64(0)
	got, err := t.src.Replay(ctx, storage.ReplayQuery{Drill: drill, From: begin, To: t.p.to}, func(f *telemetry.Frame) error {
		if seen++; seen%1000 == 0 {
			done(max(0, min(1, float64(f.TS-t.p.from)/float64(t.p.to-t.p.from))))
		}
		if err := part.Frame(ctx, f, f.Origin == telemetry.Backfill, seen); err != nil {
			t.skipped++ // as the stream did
		}
		return failed
	})
	part.Flush()
	for _, c := range roads {
		if c.held {
			put(c)
		}
	}
	t.frames, t.short = t.frames+got.Frames, t.short+got.Short
	if err := firstOf(err, failed, closeTicks()); err != nil {
		return err
	}
	return t.finish(ctx, drill)
}

// finish takes the last tick of each span in its last version, and joins to it
// what was said at it and what held.
func (t *table) finish(ctx context.Context, drill string) error {
	last := fmt.Sprintf("SELECT * FROM ticks QUALIFY row_number() OVER (PARTITION BY tick // %[1]d - (tick %% %[1]d < 0)::BIGINT ORDER BY tick DESC, n DESC) = 1", t.p.every)
	if len(t.p.said) > 0 {
		var ticks []int64
		err := t.db.each(ctx, "SELECT tick FROM ("+last+") ORDER BY tick", func(r *sql.Rows) error {
			var at int64
			err := r.Scan(&at)
			ticks = append(ticks, at)
			return err
		})
		if err != nil {
			return err
		}
		add, closeSaid, err := t.db.appender(ctx, "said")
		if err != nil {
			return err
		}
		row := make([]driver.Value, 1+len(t.p.said))
		err = t.src.Said(ctx, drill, t.p.said, t.p.from, t.p.to, func(tick int64, values []float64) error {
			for len(ticks) > 0 && ticks[0] < tick {
				ticks = ticks[1:]
			}
			if len(ticks) == 0 || ticks[0] != tick {
				return nil
			}
			row[0] = tick
			for i, v := range values {
				row[1+i] = orNull(v)
			}
			return add(row...)
		})
		if err := firstOf(err, closeSaid()); err != nil {
			return err
		}
	}
	add, closeResult, err := t.db.appender(ctx, "result")
	if err != nil {
		return err
	}
	q := "SELECT t.* EXCLUDE (n), s.* EXCLUDE (tick) FROM (" + last + ") t LEFT JOIN said s ON s.tick = t.tick ORDER BY t.tick"
	if len(t.p.said) == 0 {
		q = "SELECT * EXCLUDE (n) FROM (" + last + ") ORDER BY tick"
	}
	var tick int64
	var state string
	values := make([]*float64, len(t.p.inputs)+len(t.p.said))
	dst := []any{&tick, &state}
	for i := range values {
		dst = append(dst, &values[i])
	}
	err = t.db.each(ctx, q, func(r *sql.Rows) error {
		if err := r.Scan(dst...); err != nil {
			return err
		}
		row := []any{drill, utc(tick), state}
		in, said := 0, len(t.p.inputs)
		for _, c := range t.p.Columns {
			switch {
			case c == "state":
			case isSaid(c):
				row = append(row, deref(values[said]))
				said++
			default:
				row = append(row, deref(values[in]))
				in++
			}
		}
		for i := range t.p.labels {
			row = t.p.labels[i].at(drill, tick, row)
		}
		if t.split != nil {
			row = append(row, t.split[drill])
		}
		t.rows++
		out := make([]driver.Value, len(row))
		for i, v := range row {
			out[i] = v
		}
		return add(out...)
	})
	return firstOf(err, closeResult())
}

func orNull(v float64) driver.Value {
	if math.IsNaN(v) {
		return nil
	}
	return v
}

func deref(v *float64) any {
	if v == nil {
		return nil
	}
	return *v
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
