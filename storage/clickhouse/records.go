package clickhouse

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// defaultLimit is how many records a query without a limit returns.
const defaultLimit = 1000

func limit(n int) int {
	if n <= 0 {
		return defaultLimit
	}
	return n
}

// newest is the order of lists: by time, the later record first.
const newest = " ORDER BY ts DESC, tx DESC, n DESC"

// records reads a query's one column of JSON.
func records[T any](ctx context.Context, s *Store, what, q string) ([]T, error) {
	out := []T{}
	err := s.each(ctx, q, func(r row) error {
		var text string
		if err := r.Scan(&text); err != nil {
			return err
		}
		var v T
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			return err
		}
		out = append(out, v)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return out, nil
}

// AlarmEvents returns alarm events, newest first.
func (s *Store) AlarmEvents(ctx context.Context, q storage.AlarmQuery) ([]telemetry.AlarmEvent, error) {
	return alarms[telemetry.AlarmEvent](ctx, s, q)
}

// AlarmRecords returns alarm events as they were stored, to the byte: what
// evidence is checked by. Newest first.
func (s *Store) AlarmRecords(ctx context.Context, q storage.AlarmQuery) ([]json.RawMessage, error) {
	return alarms[json.RawMessage](ctx, s, q)
}

func alarms[T any](ctx context.Context, s *Store, q storage.AlarmQuery) ([]T, error) {
	where := []string{s.visible()}
	if q.ID != "" {
		where = append(where, "id = "+lit(q.ID))
	}
	if q.IDs != nil {
		if len(q.IDs) == 0 {
			return []T{}, nil
		}
		where = append(where, "id IN "+lits(q.IDs))
	}
	if q.Drill != "" {
		where = append(where, "drill = "+lit(q.Drill))
	}
	if q.Before != 0 {
		where = append(where, "ts < "+at(us(q.Before)))
	}
	if q.Since != 0 {
		where = append(where, "ts >= "+at(us(q.Since)))
	}
	return records[T](ctx, s, "alarms", fmt.Sprintf("SELECT record FROM %s WHERE %s%s LIMIT %d", s.table("alarms"), strings.Join(where, " AND "), newest, limit(q.Limit)))
}

// Commands returns commands, newest first.
func (s *Store) Commands(ctx context.Context, q storage.CommandQuery) ([]telemetry.Command, error) {
	where := []string{s.visible()}
	if q.Alarm != "" {
		where = append(where, "alarm = "+lit(q.Alarm))
	}
	if q.Drill != "" {
		where = append(where, "drill = "+lit(q.Drill))
	}
	return records[telemetry.Command](ctx, s, "commands", fmt.Sprintf("SELECT record FROM %s WHERE %s%s LIMIT %d", s.table("commands"), strings.Join(where, " AND "), newest, limit(q.Limit)))
}

// Activations returns all markers, newest first.
func (s *Store) Activations(ctx context.Context) ([]telemetry.Marker, error) {
	return records[telemetry.Marker](ctx, s, "activations", "SELECT record FROM "+s.table("markers")+" WHERE "+s.visible()+newest)
}

// Gateways returns the last status of each gateway, without its ledger, by name.
func (s *Store) Gateways(ctx context.Context) ([]telemetry.GatewayStatus, error) {
	return records[telemetry.GatewayStatus](ctx, s, "gateways", "SELECT argMax(record, (ts, tx)) FROM "+s.table("gateways")+" WHERE "+s.visible()+" GROUP BY gateway ORDER BY gateway")
}

// Channels returns the channels that an administrator registered, in the order they first were.
func (s *Store) Channels(ctx context.Context) ([]telemetry.Channel, error) {
	return records[telemetry.Channel](ctx, s, "channels", "SELECT argMax(record, (tx, n)) FROM "+s.table("registered")+" WHERE "+s.visible()+" GROUP BY lower(tag) ORDER BY min((tx, n)), lower(tag)")
}

// Quarantine returns what was set aside, newest first, received before that time (0: any), and how much there is in all.
func (s *Store) Quarantine(ctx context.Context, n int, before int64) ([]telemetry.Quarantined, int64, error) {
	visible := s.visible()
	var total uint64
	if err := s.one(ctx, "SELECT count() FROM "+s.table("quarantine")+" WHERE "+visible, &total); err != nil {
		return nil, 0, fmt.Errorf("quarantine: %w", err)
	}
	where := visible
	if before != 0 {
		where += " AND received < " + at(us(before))
	}
	out, err := s.quarantined(ctx, fmt.Sprintf("%s ORDER BY received DESC, tx DESC, n DESC LIMIT %d", where, limit(n)))
	return out, int64(total), err
}

// QuarantineItem returns one message that was set aside.
func (s *Store) QuarantineItem(ctx context.Context, id string) (telemetry.Quarantined, bool, error) {
	out, err := s.quarantined(ctx, "id = "+lit(id)+" AND "+s.visible())
	if err != nil || len(out) == 0 {
		return telemetry.Quarantined{}, false, err
	}
	return out[0], true, nil
}

func (s *Store) quarantined(ctx context.Context, where string) ([]telemetry.Quarantined, error) {
	out := []telemetry.Quarantined{}
	err := s.each(ctx, "SELECT record, raw FROM "+s.table("quarantine")+" WHERE "+where, func(r row) error {
		var text, raw string
		if err := r.Scan(&text, &raw); err != nil {
			return err
		}
		var q telemetry.Quarantined
		if err := json.Unmarshal([]byte(text), &q); err != nil {
			return err
		}
		q.Raw = []byte(raw)
		out = append(out, q)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("quarantine: %w", err)
	}
	return out, nil
}

// AlarmSteps returns the n steps of alarms that follow a place, by time; of each
// only what its life is folded from. It ends with fewer than n.
func (s *Store) AlarmSteps(ctx context.Context, after storage.Place, n int) ([]telemetry.AlarmEvent, storage.Place, error) {
	out := make([]telemetry.AlarmEvent, 0, n)
	q := fmt.Sprintf("SELECT id, event, drill, rule, toUnixTimestamp64Micro(ts), toUnixTimestamp64Micro(raised), priority, if(event = %s, origin, 0), concat(id, ' ', event) AS key FROM %s WHERE %s AND %s ORDER BY ts, key LIMIT %d",
		lit(telemetry.AlarmRaised), s.table("alarms"), following("key", after), s.visible(), n)
	err := s.each(ctx, q, func(r row) error {
		var e telemetry.AlarmEvent
		var priority, origin uint8
		if err := r.Scan(&e.ID, &e.Event, &e.Drill, &e.Rule, &e.At, &e.Raised, &priority, &origin, &after.ID); err != nil {
			return err
		}
		e.At, e.Raised, e.Priority, e.Origin = e.At*1000, e.Raised*1000, int(priority), telemetry.Origin(origin)
		after.At = e.At
		out = append(out, e)
		return nil
	})
	if err != nil {
		return nil, after, fmt.Errorf("steps of alarms: %w", err)
	}
	return out, after, nil
}

// CommandSteps returns the n commands that follow a place, by time. It ends with fewer than n.
func (s *Store) CommandSteps(ctx context.Context, after storage.Place, n int) ([]telemetry.Command, storage.Place, error) {
	out := make([]telemetry.Command, 0, n)
	q := fmt.Sprintf("SELECT record, toUnixTimestamp64Micro(ts), id FROM %s WHERE %s AND %s ORDER BY ts, id LIMIT %d", s.table("commands"), following("id", after), s.visible(), n)
	err := s.each(ctx, q, func(r row) error {
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
	})
	if err != nil {
		return nil, after, fmt.Errorf("commands: %w", err)
	}
	return out, after, nil
}

// following is the condition of rows after a place.
func following(id string, after storage.Place) string {
	t := at(us(after.At))
	return fmt.Sprintf("ts >= %s AND (ts > %s OR %s > %s)", t, t, id, lit(after.ID))
}
