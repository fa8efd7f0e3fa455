package duckdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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

// Scores returns the last version of each tick of drill in [from, to), ascending; at most n, 0 meaning 1000.
func (s *Store) Scores(ctx context.Context, drill string, from, to int64, n int) ([]telemetry.Score, error) {
	var out []telemetry.Score
	lo, hi := us(from), us(to)
	err := s.ask(ctx, func(l layout) string {
		l = l.within(lo, hi)
		where := fmt.Sprintf("drill = $1 AND tick >= make_timestamp(%d) AND tick < make_timestamp(%d)", lo, hi)
		return fmt.Sprintf(`SELECT * EXCLUDE (ord) FROM (%s) WHERE ord IN (SELECT max(ord) FROM (%s) GROUP BY tick ORDER BY tick LIMIT %d) ORDER BY tick`,
			l.from(dsScores, scoreColumns()+", ord", where), l.from(dsScores, "tick, ord", where), limit(n))
	}, func(r *sql.Rows) error {
		sc, err := s.scanScore(r)
		out = append(out, sc)
		return err
	}, drill)
	if err != nil {
		return nil, fmt.Errorf("scores: %w", err)
	}
	return out, nil
}

// conditions gathers the WHERE of a query.
type conditions struct {
	text []string
	args []any
}

func (c *conditions) add(text string, args ...any) {
	c.text = append(c.text, text)
	c.args = append(c.args, args...)
}

func (c *conditions) String() string {
	if len(c.text) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.text, " AND ")
}

// records reads a query's one column of JSON.
func records[T any](ctx context.Context, s *Store, what, q string, args ...any) ([]T, error) {
	out := []T{}
	err := s.each(ctx, q, func(r *sql.Rows) error {
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
	}, args...)
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
	var c conditions
	if q.ID != "" {
		c.add("id = ?", q.ID)
	}
	if q.IDs != nil {
		ids := make([]string, len(q.IDs))
		for i, id := range q.IDs {
			ids[i] = lit(id)
		}
		// Joined by hash: thousands of parameters would each be compared with every row.
		c.add("id IN (SELECT unnest([" + strings.Join(ids, ", ") + "]::VARCHAR[]))")
	}
	if q.Drill != "" {
		c.add("drill = ?", q.Drill)
	}
	if q.Before != 0 {
		c.add(fmt.Sprintf("ts < make_timestamp(%d)", us(q.Before)))
	}
	if q.Since != 0 {
		c.add(fmt.Sprintf("ts >= make_timestamp(%d)", us(q.Since)))
	}
	// Records are long: they are read of the rows that are wanted, once it is known which.
	return records[T](ctx, s, "alarms", fmt.Sprintf(`SELECT a.record FROM (SELECT rowid AS r, ts, commit FROM store.alarms%s ORDER BY ts DESC, commit DESC, r DESC LIMIT %d) k
JOIN store.alarms a ON a.rowid = k.r ORDER BY k.ts DESC, k.commit DESC, k.r DESC`, c.String(), limit(q.Limit)), c.args...)
}

// Commands returns commands, newest first.
func (s *Store) Commands(ctx context.Context, q storage.CommandQuery) ([]telemetry.Command, error) {
	var c conditions
	if q.Alarm != "" {
		c.add("alarm = ?", q.Alarm)
	}
	if q.Drill != "" {
		c.add("drill = ?", q.Drill)
	}
	return records[telemetry.Command](ctx, s, "commands", fmt.Sprintf("SELECT record FROM store.commands%s ORDER BY ts DESC, commit DESC, rowid DESC LIMIT %d", c.String(), limit(q.Limit)), c.args...)
}

// Activations returns all markers, newest first.
func (s *Store) Activations(ctx context.Context) ([]telemetry.Marker, error) {
	return records[telemetry.Marker](ctx, s, "activations", "SELECT record FROM store.markers ORDER BY ts DESC, commit DESC, rowid DESC")
}

// Gateways returns the last status of each gateway, without its ledger, by name.
func (s *Store) Gateways(ctx context.Context) ([]telemetry.GatewayStatus, error) {
	return records[telemetry.GatewayStatus](ctx, s, "gateways", "SELECT arg_max(record, (ts, commit)) FROM store.gateways GROUP BY gateway ORDER BY gateway")
}

// Channels returns the channels that an administrator registered, in the order they first were.
func (s *Store) Channels(ctx context.Context) ([]telemetry.Channel, error) {
	return records[telemetry.Channel](ctx, s, "channels", "SELECT arg_max(record, commit) FROM store.registered GROUP BY lower(tag) ORDER BY min(commit), lower(min(tag))")
}

// Quarantine returns what was set aside, newest first, received before that time (0: any), and how much there is in all.
func (s *Store) Quarantine(ctx context.Context, n int, before int64) ([]telemetry.Quarantined, int64, error) {
	var total int64
	if err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM store.quarantine").Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("quarantine: %w", err)
	}
	where := ""
	if before != 0 {
		where = fmt.Sprintf(" WHERE received < make_timestamp(%d)", us(before))
	}
	out, err := s.quarantined(ctx, fmt.Sprintf("%s ORDER BY received DESC, commit DESC, rowid DESC LIMIT %d", where, limit(n)))
	return out, total, err
}

// QuarantineItem returns one message that was set aside.
func (s *Store) QuarantineItem(ctx context.Context, id string) (telemetry.Quarantined, bool, error) {
	out, err := s.quarantined(ctx, " WHERE id = ?", id)
	if err != nil || len(out) == 0 {
		return telemetry.Quarantined{}, false, err
	}
	return out[0], true, nil
}

func (s *Store) quarantined(ctx context.Context, rest string, args ...any) ([]telemetry.Quarantined, error) {
	out := []telemetry.Quarantined{}
	err := s.each(ctx, "SELECT record, raw FROM store.quarantine"+rest, func(r *sql.Rows) error {
		var text string
		var raw []byte
		if err := r.Scan(&text, &raw); err != nil {
			return err
		}
		var q telemetry.Quarantined
		if err := json.Unmarshal([]byte(text), &q); err != nil {
			return err
		}
		q.Raw = raw
		out = append(out, q)
		return nil
	}, args...)
	if err != nil {
		return nil, fmt.Errorf("quarantine: %w", err)
	}
	return out, nil
}

// QueryMemory is what queries and seals hold of Config.Memory to work with, bytes: not the tables, nor what is cached of files.
func (s *Store) QueryMemory(ctx context.Context) (n int64, err error) {
	err = s.watch.QueryRowContext(ctx, "SELECT coalesce(sum(memory_usage_bytes), 0)::BIGINT FROM duckdb_memory() WHERE tag IN ('HASH_TABLE', 'ORDER_BY', 'COLUMN_DATA', 'WINDOW', 'ALLOCATOR')").Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("memory of queries: %w", err)
	}
	return n, nil
}

// Stats returns sizes and counts.
func (s *Store) Stats(ctx context.Context) (storage.Stats, error) {
	s.wmu.Lock()
	commits := s.commit
	s.wmu.Unlock()
	st := storage.Stats{Commits: commits, Readings: s.readings.Load(), MemoryLimit: s.cfg.Memory}
	err := s.askOne(ctx, func(l layout) string {
		l.files = nil
		return "SELECT (SELECT count(*) FROM (" + l.from(dsFrames, "1", "") + ")), (SELECT coalesce(sum(memory_usage_bytes), 0)::BIGINT FROM duckdb_memory())"
	}, &st.Frames, &st.MemoryBytes)
	if err != nil {
		return st, fmt.Errorf("stats: %w", err)
	}
	for _, f := range s.sealedFiles() {
		st.SealedBytes += f.bytes
		if f.dataset == dsFrames {
			st.Frames += f.rows
		}
	}
	st.FileBytes = size(filepath.Join(s.cfg.Dir, "mudpulse.duckdb"))
	st.WALBytes = size(s.walPath())
	return st, nil
}

// size returns a file's length; 0 where there is none.
func size(path string) int64 {
	fi, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return fi.Size()
}
