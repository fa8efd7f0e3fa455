package equipment

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/services/internal/outbox"
	"github.com/mudpulse/mudpulse/telemetry"
)

// ErrConflict is a change that does not fit what is known.
var ErrConflict = errors.New("conflict")

// An Invalid lists what is wrong with what was told, each as "key: why".
type Invalid struct{ Problems []error }

func (e *Invalid) Error() string { return errors.Join(e.Problems...).Error() }

// refused is an Invalid of all that is wrong, nil if nothing is.
func refused(errs ...error) error {
	var e Invalid
	for _, err := range errs {
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			e.Problems = append(e.Problems, many.Unwrap()...)
		} else if err != nil {
			e.Problems = append(e.Problems, err)
		}
	}
	if len(e.Problems) == 0 {
		return nil
	}
	return &e
}

// A Part is a piece of equipment with a serial number.
type Part struct {
	Serial       string
	Kind         string
	Maker, Model string
	Note         string
	Geometry     map[string]float64
	HoursBefore  float64 // worked before its first run here
	MetresBefore float64
}

// A Run is a part at a position of a drill, from when to when.
type Run struct {
	ID       string
	Drill    string
	Position string
	Serial   string
	From, To int64  // event time, Unix ns; To 0: it is there
	Reason   string // why it came out
	Grade    string // of a bit, IADC
	Told     int64
	By       string
}

// Name is what scores and alarms call the run.
func (r *Run) Name() string { return r.Position + ":" + r.Serial }

// Maintenance is work on what stands at a position, under codes of ISO 14224.
type Maintenance struct {
	ID                                  string
	Drill, Position                     string
	At                                  int64 // event time, Unix ns
	Activity, Category, Mode, Mechanism string
	Resets                              bool // what describes the part begins anew
	Note                                string
	Told                                int64
	By                                  string
}

// PutPart keeps what is known of a part, under its serial number.
func (r *Registry) PutPart(ctx context.Context, p Part, by string) error {
	k := KindNamed(r.cat, p.Kind)
	if k == nil {
		return refused(named("serial", p.Serial), fmt.Errorf("kind: %q: want one of %s", p.Kind, kindNames()))
	}
	errs := []error{named("serial", p.Serial)}
	for name, v := range p.Geometry {
		switch {
		case !slices.Contains(k.Geometry, name):
			errs = append(errs, fmt.Errorf("geometry.%s: a %s has %s", name, k.What, cmp.Or(strings.Join(k.Geometry, ", "), "none")))
		case !(v >= 0 && v < 1e9):
			errs = append(errs, fmt.Errorf("geometry.%s: must be 0 or more, not %v", name, v))
		}
	}
	if d, p := p.Geometry["ball_mm"], p.Geometry["pitch_mm"]; d > 0 && p > 0 && d >= p {
		errs = append(errs, fmt.Errorf("geometry.ball_mm: %v is not below the pitch diameter, %v", d, p))
	}
	if !(p.HoursBefore >= 0 && p.HoursBefore < 1e7 && p.MetresBefore >= 0 && p.MetresBefore < 1e7) {
		errs = append(errs, fmt.Errorf("hours_before: must be 0 or more, as metres_before, not %v, %v", p.HoursBefore, p.MetresBefore))
	}
	if err := refused(errs...); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.db.Tx(ctx, func(tx *sql.Tx) error {
		var kind string
		err := tx.QueryRowContext(ctx, "SELECT kind FROM parts WHERE serial = ?", p.Serial).Scan(&kind)
		if err == nil && kind != p.Kind {
			return fmt.Errorf("serial: %q is a %s: %w", p.Serial, kind, ErrConflict)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO parts (serial, kind, maker, model, note, numbers, hours_before, metres_before, by_whom) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (serial) DO UPDATE SET maker = excluded.maker, model = excluded.model, note = excluded.note, numbers = excluded.numbers,
			hours_before = excluded.hours_before, metres_before = excluded.metres_before, by_whom = excluded.by_whom`,
			p.Serial, p.Kind, p.Maker, p.Model, p.Note, string(mustJSON(numbersOrNone(p.Geometry))), p.HoursBefore, p.MetresBefore, by)
		if err != nil {
			return err
		}
		// Where it stands or stood, the stream is told its numbers again.
		runs, err := r.runs(ctx, tx, "serial = ?", p.Serial)
		for i := range runs {
			err = errors.Join(err, r.tell(ctx, tx, &runs[i], "activate"))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("part %q: %w", p.Serial, err)
	}
	r.out.Wake()
	return nil
}

func numbersOrNone(m map[string]float64) map[string]float64 {
	if m == nil {
		return map[string]float64{}
	}
	return m
}

// PartsKnown lists all parts by kind and serial.
func (r *Registry) PartsKnown(ctx context.Context) ([]Part, error) {
	out := []Part{}
	err := each(ctx, r.db, "SELECT serial, kind, maker, model, note, numbers, hours_before, metres_before FROM parts ORDER BY kind, serial", func(scan func(...any) error) error {
		var p Part
		var numbers string
		if err := scan(&p.Serial, &p.Kind, &p.Maker, &p.Model, &p.Note, &numbers, &p.HoursBefore, &p.MetresBefore); err != nil {
			return err
		}
		out = append(out, p)
		return json.Unmarshal([]byte(numbers), &out[len(out)-1].Geometry)
	})
	return out, err
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (r *Registry) runs(ctx context.Context, q querier, where string, args ...any) ([]Run, error) {
	rows, err := q.QueryContext(ctx, "SELECT id, drill, position, serial, since, until, reason, grade, told, by_whom FROM runs WHERE "+where+" ORDER BY drill, position, since", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Run{}
	for rows.Next() {
		var x Run
		if err := rows.Scan(&x.ID, &x.Drill, &x.Position, &x.Serial, &x.From, &x.To, &x.Reason, &x.Grade, &x.Told, &x.By); err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, rows.Err()
}

// Runs lists a drill's runs by position and time; of all drills where drill is empty.
func (r *Registry) Runs(ctx context.Context, drill string) ([]Run, error) {
	out, err := r.runs(ctx, r.db, "? = '' OR drill = ?", drill, drill)
	if err != nil {
		return nil, fmt.Errorf("runs: %w", err)
	}
	return out, nil
}

// when checks a time of equipment.
func (r *Registry) when(key string, at int64) error {
	if at <= 0 || at > r.clock.Now().Add(366*24*time.Hour).UnixNano() {
		return fmt.Errorf("%s: %s is no time at which equipment changed: want one after 1970 and at most a year ahead", key, time.Unix(0, at).UTC().Format(time.RFC3339))
	}
	return nil
}

// Install puts a part at a position from a time on. What stood there until then
// comes out; what comes in later stays. It may be told late or ahead.
func (r *Registry) Install(ctx context.Context, x Run) (Run, error) {
	k, err := kindAt(r.cat, x.Position)
	if err := refused(err, named("drill", x.Drill), named("serial", x.Serial), r.when("from", x.From)); err != nil {
		return x, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	err = r.db.Tx(ctx, func(tx *sql.Tx) error {
		var kind string
		if err := tx.QueryRowContext(ctx, "SELECT kind FROM parts WHERE serial = ?", x.Serial).Scan(&kind); errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("serial: no part %q is known: describe it first: %w", x.Serial, ErrUnknown)
		} else if err != nil {
			return err
		}
		if kind != k.Name {
			return fmt.Errorf("serial: %q is a %s; at %s stands a %s: %w", x.Serial, kind, x.Position, k.Name, ErrConflict)
		}
		sum := sha256.Sum256([]byte(fmt.Sprintf("%s\x00%s\x00%s\x00%d", x.Drill, x.Position, x.Serial, x.From)))
		x.ID, x.Told = hex.EncodeToString(sum[:8]), r.clock.Now().UnixNano()
		return r.place(ctx, tx, &x)
	})
	if err != nil {
		return x, fmt.Errorf("run of %s: %w", x.Serial, err)
	}
	r.out.Wake()
	return x, nil
}

// place fits a run between those of its position and tells the stream.
func (r *Registry) place(ctx context.Context, tx *sql.Tx, x *Run) error {
	list, err := r.runs(ctx, tx, "drill = ? AND position = ?", x.Drill, x.Position)
	if err != nil {
		return err
	}
	var before, after *Run
	for i := range list {
		o := &list[i]
		switch {
		case o.From == x.From:
			return fmt.Errorf("from: at that time %s came in at %s: %w", o.Serial, o.Position, ErrExists)
		case o.From < x.From:
			before = o
		case after == nil:
			after = o
		}
	}
	x.To = 0
	if after != nil {
		x.To = after.From
	}
	if before != nil && (before.To == 0 || before.To > x.From) {
		x.To = before.To
		if _, err := tx.ExecContext(ctx, "UPDATE runs SET until = ? WHERE id = ?", x.From, before.ID); err != nil {
			return err
		}
	}
	others, err := r.runs(ctx, tx, "serial = ?", x.Serial)
	if err != nil {
		return err
	}
	for _, o := range others {
		if o.ID != x.ID && o.From < endOf(x.To) && x.From < endOf(o.To) {
			return fmt.Errorf("serial: %s is at %s of %s from %s: take it out there first: %w", x.Serial, o.Position, o.Drill, time.Unix(0, o.From).UTC().Format(time.RFC3339), ErrConflict)
		}
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO runs (id, drill, position, serial, since, until, reason, grade, told, by_whom) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		x.ID, x.Drill, x.Position, x.Serial, x.From, x.To, x.Reason, x.Grade, x.Told, x.By)
	if err != nil {
		return err
	}
	return r.tell(ctx, tx, x, "activate")
}

func endOf(to int64) int64 {
	if to == 0 {
		return math.MaxInt64
	}
	return to
}

// tell adds the marker of a run to the outbox.
func (r *Registry) tell(ctx context.Context, tx *sql.Tx, x *Run, action string) error {
	k, err := kindAt(r.cat, x.Position)
	if err != nil {
		return err
	}
	var numbers string
	if err := tx.QueryRowContext(ctx, "SELECT numbers FROM parts WHERE serial = ?", x.Serial).Scan(&numbers); err != nil {
		return err
	}
	var geometry map[string]float64
	if err := json.Unmarshal([]byte(numbers), &geometry); err != nil {
		return err
	}
	return r.mark(ctx, tx, action, "run/"+x.ID, x.Drill, x.From, x.By, telemetry.RunChange{Position: x.Position, Run: x.Name(), Event: k.Event(), Channels: k.Channels, Numbers: numbersOf(geometry)})
}

// tellEnd says that a position is empty from a time on.
func (r *Registry) tellEnd(ctx context.Context, tx *sql.Tx, x *Run, action, by string) error {
	return r.mark(ctx, tx, action, fmt.Sprintf("end/%s/%s/%d", x.Drill, x.Position, x.To), x.Drill, x.To, by, telemetry.RunChange{Position: x.Position})
}

func (r *Registry) mark(ctx context.Context, tx *sql.Tx, action, name, drill string, from int64, by string, c telemetry.RunChange) error {
	return outbox.AddMarker(ctx, tx, telemetry.Marker{ID: rand.Text(), Kind: telemetry.MarkerRun, Name: name, Action: action, Drills: []string{drill}, From: from, By: by, At: r.clock.Now().UnixNano(), Run: &c})
}

// run returns one run and those of its position.
func (r *Registry) run(ctx context.Context, tx *sql.Tx, id string) (x Run, list []Run, err error) {
	one, err := r.runs(ctx, tx, "id = ?", id)
	if err != nil {
		return x, nil, err
	}
	if len(one) == 0 {
		return x, nil, ErrUnknown
	}
	list, err = r.runs(ctx, tx, "drill = ? AND position = ?", one[0].Drill, one[0].Position)
	return one[0], list, err
}

func (r *Registry) changeRun(ctx context.Context, id string, f func(tx *sql.Tx, x *Run, list []Run) error) (Run, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var x Run
	err := r.db.Tx(ctx, func(tx *sql.Tx) (err error) {
		var list []Run
		if x, list, err = r.run(ctx, tx, id); err != nil {
			return err
		}
		return f(tx, &x, list)
	})
	if err != nil {
		return x, fmt.Errorf("run %q: %w", id, err)
	}
	r.out.Wake()
	return x, nil
}

// followed reports whether another run begins where x ends.
func followed(x *Run, list []Run) bool {
	return slices.ContainsFunc(list, func(o Run) bool { return o.From == x.To })
}

// End takes the part out at a time, with the reason and a bit's grade.
func (r *Registry) End(ctx context.Context, id string, at int64, reason, grade, by string) (Run, error) {
	if err := refused(r.when("at", at)); err != nil {
		return Run{}, err
	}
	return r.changeRun(ctx, id, func(tx *sql.Tx, x *Run, list []Run) error {
		if at <= x.From {
			return fmt.Errorf("at: it came in at %s: %w", time.Unix(0, x.From).UTC().Format(time.RFC3339), ErrConflict)
		}
		for _, o := range list {
			if o.From > x.From && o.From < at {
				return fmt.Errorf("at: %s came in at %s: %w", o.Serial, time.Unix(0, o.From).UTC().Format(time.RFC3339), ErrConflict)
			}
		}
		if x.To != 0 && x.To != at && !followed(x, list) {
			if err := r.tellEnd(ctx, tx, x, "deactivate", by); err != nil {
				return err
			}
		}
		x.To, x.Reason, x.Grade = at, reason, grade
		if !followed(x, list) {
			if err := r.tellEnd(ctx, tx, x, "activate", by); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "UPDATE runs SET until = ?, reason = ?, grade = ? WHERE id = ?", at, reason, grade, id)
		return err
	})
}

// lift takes a run out of its position's history: what stood before it stands
// until its end. It tells the stream of ends, not of the run itself.
func (r *Registry) lift(ctx context.Context, tx *sql.Tx, x *Run, list []Run, by string) error {
	before := slices.IndexFunc(list, func(o Run) bool { return o.To == x.From && o.ID != x.ID })
	switch {
	case before >= 0:
		if _, err := tx.ExecContext(ctx, "UPDATE runs SET until = ? WHERE id = ?", x.To, list[before].ID); err != nil {
			return err
		}
	case x.To != 0 && !followed(x, list):
		if err := r.tellEnd(ctx, tx, x, "deactivate", by); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM runs WHERE id = ?", x.ID)
	return err
}

// Move says that the part came in at another time than was told.
func (r *Registry) Move(ctx context.Context, id string, from int64, by string) (Run, error) {
	if err := refused(r.when("from", from)); err != nil {
		return Run{}, err
	}
	return r.changeRun(ctx, id, func(tx *sql.Tx, x *Run, list []Run) error {
		if x.To != 0 && from >= x.To {
			return fmt.Errorf("from: it came out at %s: %w", time.Unix(0, x.To).UTC().Format(time.RFC3339), ErrConflict)
		}
		ended := x.To != 0 && !followed(x, list) && !slices.ContainsFunc(list, func(o Run) bool { return o.To == x.From && o.ID != x.ID })
		to := x.To
		if err := r.lift(ctx, tx, x, list, by); err != nil {
			return err
		}
		x.From, x.By = from, by
		if err := r.place(ctx, tx, x); err != nil {
			return err
		}
		if ended { // its end stands
			x.To = to
			if _, err := tx.ExecContext(ctx, "UPDATE runs SET until = ? WHERE id = ?", to, id); err != nil {
				return err
			}
			return r.tellEnd(ctx, tx, x, "activate", by)
		}
		return nil
	})
}

// Withdraw says that a run never was.
func (r *Registry) Withdraw(ctx context.Context, id, by string) error {
	_, err := r.changeRun(ctx, id, func(tx *sql.Tx, x *Run, list []Run) error {
		x.By = by
		if err := r.tell(ctx, tx, x, "deactivate"); err != nil {
			return err
		}
		return r.lift(ctx, tx, x, list, by)
	})
	return err
}
