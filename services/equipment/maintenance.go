package equipment

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"

	"github.com/mudpulse/mudpulse/telemetry"
)

// renews reports whether an activity gives what describes the part a new beginning.
func renews(activity string) bool {
	switch activity {
	case "replace", "repair", "modify", "adjust", "refit", "overhaul", "combination":
		return true
	}
	return false
}

// Maintain records work on a position; nil resets: as the activity has it.
func (r *Registry) Maintain(ctx context.Context, m Maintenance, resets *bool) (Maintenance, error) {
	k, err := kindAt(r.cat, m.Position)
	if m.Category == "" {
		m.Category = "corrective"
	}
	err = refused(err, named("drill", m.Drill), r.when("at", m.At), coded("activity", m.Activity, Activities, true), coded("category", m.Category, Categories, true),
		coded("failure_mode", m.Mode, FailureModes, false), coded("mechanism", m.Mechanism, Mechanisms, false))
	if err != nil {
		return m, err
	}
	if len(m.Note) > 2000 {
		return m, refused(fmt.Errorf("note: has %d bytes, at most 2000 are taken", len(m.Note)))
	}
	m.Resets = renews(m.Activity)
	if resets != nil {
		m.Resets = *resets
	}
	sum := sha256.Sum256([]byte(fmt.Sprintf("%s\x00%s\x00%d\x00%s", m.Drill, m.Position, m.At, m.Activity)))
	m.ID, m.Told = hex.EncodeToString(sum[:8]), r.clock.Now().UnixNano()
	r.mu.Lock()
	defer r.mu.Unlock()
	err = r.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO maintenance (id, drill, position, at, activity, category, mode, mechanism, resets, note, told, by_whom) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET category = excluded.category, mode = excluded.mode, mechanism = excluded.mechanism, resets = excluded.resets, note = excluded.note, by_whom = excluded.by_whom`,
			m.ID, m.Drill, m.Position, m.At, m.Activity, m.Category, m.Mode, m.Mechanism, m.Resets, m.Note, m.Told, m.By)
		if err != nil {
			return err
		}
		return r.tellWork(ctx, tx, &m, k, "activate")
	})
	if err != nil {
		return m, fmt.Errorf("maintenance of %s: %w", m.Position, err)
	}
	r.out.Wake()
	return m, nil
}

// tellWork adds the marker of maintenance: features count from KIND_ACTIVITY.
func (r *Registry) tellWork(ctx context.Context, tx *sql.Tx, m *Maintenance, k *Kind, action string) error {
	c := telemetry.RunChange{Position: m.Position, Keeps: true, Event: k.Name + "_" + m.Activity}
	if m.Resets {
		c.Channels = k.Channels
	}
	return r.mark(ctx, tx, action, "work/"+m.ID, m.Drill, m.At, m.By, c)
}

// MaintenanceOf lists a drill's maintenance, newest first; of all drills where drill is empty.
func (r *Registry) MaintenanceOf(ctx context.Context, drill string) ([]Maintenance, error) {
	out, err := r.work(ctx, r.db, "? = '' OR drill = ?", drill, drill)
	if err != nil {
		return nil, fmt.Errorf("maintenance: %w", err)
	}
	return out, nil
}

func (r *Registry) work(ctx context.Context, q querier, where string, args ...any) ([]Maintenance, error) {
	rows, err := q.QueryContext(ctx, "SELECT id, drill, position, at, activity, category, mode, mechanism, resets, note, told, by_whom FROM maintenance WHERE "+where+" ORDER BY at DESC, id", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Maintenance{}
	for rows.Next() {
		var m Maintenance
		if err := rows.Scan(&m.ID, &m.Drill, &m.Position, &m.At, &m.Activity, &m.Category, &m.Mode, &m.Mechanism, &m.Resets, &m.Note, &m.Told, &m.By); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, rows.Err()
}

// WithdrawMaintenance says that it never was.
func (r *Registry) WithdrawMaintenance(ctx context.Context, id, by string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.db.Tx(ctx, func(tx *sql.Tx) error {
		list, err := r.work(ctx, tx, "id = ?", id)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return ErrUnknown
		}
		m := &list[0]
		m.By = by
		k, err := kindAt(r.cat, m.Position)
		if err != nil {
			return err
		}
		if err := r.tellWork(ctx, tx, m, k, "deactivate"); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM maintenance WHERE id = ?", id)
		return err
	})
	if err != nil {
		return fmt.Errorf("maintenance %q: %w", id, err)
	}
	r.out.Wake()
	return nil
}

// Republish tells a new log all that happened to the equipment.
func (r *Registry) Republish(ctx context.Context, tx *sql.Tx) error {
	list, err := r.runs(ctx, tx, "TRUE")
	if err != nil {
		return fmt.Errorf("runs: %w", err)
	}
	for i := range list {
		x := &list[i]
		if err := r.tell(ctx, tx, x, "activate"); err != nil {
			return fmt.Errorf("run %s: %w", x.ID, err)
		}
		if next := i + 1; x.To != 0 && (next == len(list) || list[next].Drill != x.Drill || list[next].Position != x.Position || list[next].From != x.To) {
			if err := r.tellEnd(ctx, tx, x, "activate", x.By); err != nil {
				return fmt.Errorf("run %s: %w", x.ID, err)
			}
		}
	}
	work, err := r.work(ctx, tx, "TRUE")
	if err != nil {
		return fmt.Errorf("maintenance: %w", err)
	}
	for i := range work {
		k, err := kindAt(r.cat, work[i].Position)
		if err == nil {
			err = r.tellWork(ctx, tx, &work[i], k, "activate")
		}
		if err != nil {
			return fmt.Errorf("maintenance %s: %w", work[i].ID, err)
		}
	}
	return nil
}
