package duckdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// AlarmSteps returns the n steps of alarms that follow a place, by time; of each
// only what its life is folded from. It ends with fewer than n.
func (s *Store) AlarmSteps(ctx context.Context, after storage.Place, n int) ([]telemetry.AlarmEvent, storage.Place, error) {
	out := make([]telemetry.AlarmEvent, 0, n)
	// What pages nobody is in the record alone, and matters where an alarm begins:
	// records, which are long, are read of the page's rows only.
	q := fmt.Sprintf(`SELECT a.id, a.event, a.drill, coalesce(a.rule, ''), epoch_us(a.ts), epoch_us(a.raised), a.priority, CASE WHEN a.event = '%s' THEN (a.record->>'$.origin')::UTINYINT ELSE 0 END, k.key
FROM (SELECT rowid AS r, ts, concat(id, ' ', event) AS key FROM store.alarms WHERE %s ORDER BY ts, key LIMIT %d) k JOIN store.alarms a ON a.rowid = k.r ORDER BY k.ts, k.key`, telemetry.AlarmRaised, following("concat(id, ' ', event)", after), n)
	err := s.each(ctx, q, func(r *sql.Rows) error {
		var e telemetry.AlarmEvent
		var at, raised int64
		var priority, origin byte
		if err := r.Scan(&e.ID, &e.Event, &e.Drill, &e.Rule, &at, &raised, &priority, &origin, &after.ID); err != nil {
			return err
		}
		e.At, e.Raised, e.Priority, e.Origin = at*1000, raised*1000, int(priority), telemetry.Origin(origin)
		after.At = e.At
		out = append(out, e)
		return nil
	}, after.ID)
	if err != nil {
		return nil, after, fmt.Errorf("steps of alarms: %w", err)
	}
	return out, after, nil
}

// CommandSteps returns the n commands that follow a place, by time. It ends with fewer than n.
func (s *Store) CommandSteps(ctx context.Context, after storage.Place, n int) ([]telemetry.Command, storage.Place, error) {
	out := make([]telemetry.Command, 0, n)
	q := fmt.Sprintf("SELECT record, epoch_us(ts), id FROM store.commands WHERE %s ORDER BY ts, id LIMIT %d", following("id", after), n)
	err := s.each(ctx, q, func(r *sql.Rows) error {
		var text string
		if err := r.Scan(&text, &after.At, &after.ID); err != nil {
			return err
		}
		after.At *= 1000
		var c telemetry.Command
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			return err
		}
		out = append(out, c)
		return nil
	}, after.ID)
	if err != nil {
		return nil, after, fmt.Errorf("commands: %w", err)
	}
	return out, after, nil
}

// following is the condition of rows after a place, whose id is the one argument.
func following(id string, after storage.Place) string {
	at := fmt.Sprintf("make_timestamp(%d)", us(after.At))
	return fmt.Sprintf("ts >= %s AND (ts > %s OR %s > ?)", at, at, id)
}
