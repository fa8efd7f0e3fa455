package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// schemaVersion is stored; a store of another version is refused with its cure.
const schemaVersion = "1"

// tableDef is a table of the store.
type tableDef struct {
	name    string
	columns string
	order   string
	day     string // column by whose day it is cut; ""
	keep    func(Config) time.Duration
	newest  string // of rows of one order the one with the greatest of this column is enough; ""
}

func readingsKept(c Config) time.Duration { return c.KeepReadings }
func recordsKept(c Config) time.Duration  { return c.KeepRecords }

const (
	stamped = "DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1))"
	counter = "UInt64 CODEC(Delta, ZSTD(1))"
	lowCard = "LowCardinality(String)"
)

// tableDefs is the layout. Every row carries tx, the number of its commit; n is its place in it.
// A row of readings is a run: one channel's samples of one frame, as they came.
var tableDefs = []tableDef{
	{name: "readings", day: "ts", order: "drill, channel, ts", keep: readingsKept, columns: `drill ` + lowCard + `, channel ` + lowCard + `, ts DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)), last DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
every Int64 CODEC(T64, ZSTD(1)), values Array(Float64) CODEC(ZSTD(3)), quality String CODEC(ZSTD(1)), run UInt16 CODEC(T64, ZSTD(1)), frame UInt32 CODEC(T64, ZSTD(1)), arrived ` + stamped + `, tx ` + counter + `,
INDEX last_of last TYPE minmax GRANULARITY 1, INDEX tx_of tx TYPE minmax GRANULARITY 1`},
	{name: "waveforms", day: "ts", order: "drill, ts, channel", keep: readingsKept, columns: `drill ` + lowCard + `, channel ` + lowCard + `, ts DateTime64(9, 'UTC'), device ` + lowCard + `, boot String, seq UInt64, part UInt32,
every Int64, shaft Float64, values Array(Float64) CODEC(ZSTD(3)), quality String CODEC(ZSTD(1)), run UInt16, frame UInt32, arrived ` + stamped + `, tx ` + counter},
	{name: "frames", day: "ts", order: "drill, device, source, seq, part", keep: recordsKept, columns: `drill ` + lowCard + `, device ` + lowCard + `, source ` + lowCard + `, boot String CODEC(ZSTD(1)), seq UInt64 CODEC(DoubleDelta, ZSTD(1)), part UInt32 CODEC(T64, ZSTD(1)),
ts ` + stamped + `, ts_end ` + stamped + `, received ` + stamped + `, arrived ` + stamped + `, origin UInt8, simulated Bool, flags UInt32 CODEC(T64, ZSTD(1)), hash UInt64 CODEC(NONE), gateway ` + lowCard + `, topic ` + lowCard + `,
runs UInt16, readings UInt32, frame UInt32 CODEC(T64, ZSTD(1)), tx ` + counter + `, INDEX tx_of tx TYPE minmax GRANULARITY 1, INDEX ts_of ts TYPE minmax GRANULARITY 1`},
	{name: "scores", day: "tick", order: "drill, tick, tx, n", keep: recordsKept, columns: scoreDDL()},
	{name: "alarms", order: "drill, ts, id", columns: `id String, event ` + lowCard + `, drill ` + lowCard + `, rule String, ts DateTime64(6, 'UTC'), raised DateTime64(6, 'UTC'), priority UInt8, subsystem ` + lowCard + `, origin UInt8, arrived ` + stamped + `, n UInt32, record String CODEC(ZSTD(3)), tx ` + counter},
	{name: "commands", order: "drill, ts, id", columns: `id String, kind ` + lowCard + `, drill ` + lowCard + `, alarm String, person String, ts DateTime64(6, 'UTC'), arrived ` + stamped + `, n UInt32, record String CODEC(ZSTD(3)), tx ` + counter},
	{name: "markers", order: "ts, id", columns: `id String, kind ` + lowCard + `, name String, version Int32, action ` + lowCard + `, sha256 String, shadow Bool, person String, ts DateTime64(6, 'UTC'), arrived ` + stamped + `, n UInt32, record String CODEC(ZSTD(3)), tx ` + counter},
	{name: "quarantine", order: "received, id", columns: `id String, gateway ` + lowCard + `, drill ` + lowCard + `, device ` + lowCard + `, topic String, received DateTime64(6, 'UTC'), code ` + lowCard + `, field String, message String, cure String, arrived ` + stamped + `, n UInt32, record String CODEC(ZSTD(3)), raw String CODEC(ZSTD(3)), tx ` + counter},
	{name: "gateways", order: "gateway", newest: "ts", columns: `gateway String, ts DateTime64(6, 'UTC'), record String CODEC(ZSTD(3)), tx ` + counter},
	{name: "accepted", order: "gateway, drill, device, boot", newest: "tx", columns: `gateway String, drill String, device String, boot String, source String, ranges Array(Tuple(UInt64, UInt64)), tx ` + counter},
	{name: "registered", order: "tx, n", columns: `tag String, record String, n UInt32, tx ` + counter},
	{name: "lost", order: "tx", columns: `topic String, place Int32, lo Int64, hi Int64, arrived ` + stamped + `, tx ` + counter},
	{name: "tags", order: "tag", columns: `tag String, tx ` + counter},
	{name: "outputs", order: "output", columns: `output String, tx ` + counter},
	{name: "dedup", order: "tx", columns: `commit Int64, state String CODEC(ZSTD(3)), tx ` + counter},
	{name: "commits", order: "tx", columns: `commit Int64 CODEC(DoubleDelta, ZSTD(1)), arrived ` + stamped + `, log String, offsets String CODEC(ZSTD(3)), dedup Int64 CODEC(Delta, ZSTD(1)), tx ` + counter},
}

func scoreDDL() string {
	var b strings.Builder
	b.WriteString(`drill ` + lowCard + `, tick ` + stamped + `, state ` + lowCard + `, origin UInt8, simulated Bool`)
	for _, c := range scoreNumbers() {
		fmt.Fprintf(&b, ", %s Float64 CODEC(Gorilla, ZSTD(1))", c)
	}
	return b.String() + `, names Array(` + lowCard + `) CODEC(ZSTD(1)), outputs Array(Float64) CODEC(ZSTD(1)), cause_device Array(` + lowCard + `), cause_boot Array(String) CODEC(ZSTD(1)), cause_source Array(` + lowCard + `), cause_seq Array(UInt64) CODEC(ZSTD(1)), cause_part Array(UInt32) CODEC(ZSTD(1)),
cause_hash UInt64 CODEC(NONE), content UInt64 CODEC(NONE), record String CODEC(ZSTD(3)), arrived ` + stamped + `, n UInt32 CODEC(T64, ZSTD(1)), tx ` + counter + `, INDEX tx_of tx TYPE minmax GRANULARITY 1`
}

// scoreNumbers are the columns of a score that are numbers.
func scoreNumbers() []string {
	out := []string{"health", "confidence"}
	for _, s := range telemetry.Subsystems {
		out = append(out, "health_"+s, "confidence_"+s)
	}
	return append(out, "time_left", "time_left_low", "time_left_high")
}

// make makes what is missing, and says how long rows are kept.
func (s *Store) make(ctx context.Context) error {
	if s.cfg.ReadOnly {
		return nil
	}
	if err := s.exec(ctx, "CREATE DATABASE IF NOT EXISTS "+s.database+s.onCluster()); err != nil {
		return err
	}
	for _, q := range []string{
		"CREATE TABLE IF NOT EXISTS " + s.table("meta") + s.onCluster() + " (key String, value String) ENGINE = " + s.engine("meta", "") + " ORDER BY key",
		"CREATE TABLE IF NOT EXISTS " + s.table("void") + s.onCluster() + " (lo UInt64, hi UInt64, at DateTime64(6, 'UTC')) ENGINE = " + s.engine("void", "") + " ORDER BY hi",
	} {
		if err := s.exec(ctx, q); err != nil {
			return err
		}
	}
	if err := s.version(ctx); err != nil {
		return err
	}
	for _, t := range tableDefs {
		if err := s.exec(ctx, s.create(t)); err != nil {
			return err
		}
		if t.keep == nil {
			continue
		}
		if err := s.retain(ctx, t); err != nil {
			return err
		}
	}
	for _, q := range s.views() {
		if err := s.exec(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) create(t tableDef) string {
	q := "CREATE TABLE IF NOT EXISTS " + s.table(t.name) + s.onCluster() + " (" + t.columns + ") ENGINE = " + s.engine(t.name, t.newest)
	if t.day != "" {
		q += " PARTITION BY toYYYYMMDD(" + t.day + ")"
	}
	q += " ORDER BY (" + t.order + ")"
	window := "non_replicated_deduplication_window"
	if s.cluster != "" {
		window = "replicated_deduplication_window"
	}
	q += " SETTINGS " + window + " = 1000"
	if t.keep != nil {
		q += ", ttl_only_drop_parts = 1"
	}
	return q
}

// engine is MergeTree, or what keeps the newest of equal rows; replicated on a cluster.
func (s *Store) engine(table, newest string) string {
	kind, args := "MergeTree", ""
	if newest != "" {
		kind, args = "ReplacingMergeTree", newest
	}
	if s.cluster != "" {
		kind = "Replicated" + kind
		path := fmt.Sprintf("'/clickhouse/tables/{shard}/%s/%s', '{replica}'", s.database, table)
		args = strings.TrimSuffix(path+", "+args, ", ")
	}
	return kind + "(" + args + ")"
}

func (s *Store) onCluster() string {
	if s.cluster == "" {
		return ""
	}
	return " ON CLUSTER " + s.cluster
}

// retain sets how long rows of a table are kept, where that has changed.
func (s *Store) retain(ctx context.Context, t tableDef) error {
	keep := t.keep(s.cfg)
	var now string
	if err := s.one(ctx, "SELECT engine_full FROM system.tables WHERE database = "+lit(s.database)+" AND name = "+lit(stored+t.name), &now); err != nil {
		return err
	}
	want := fmt.Sprintf("toDateTime(%s) + toIntervalSecond(%d)", t.day, int64(keep.Seconds()))
	switch has := strings.Contains(now, " TTL "); {
	case keep == 0 && has:
		return s.exec(ctx, "ALTER TABLE "+s.table(t.name)+s.onCluster()+" REMOVE TTL")
	case keep > 0 && !strings.Contains(now, want):
		return s.exec(ctx, "ALTER TABLE "+s.table(t.name)+s.onCluster()+" MODIFY TTL "+want+" SETTINGS materialize_ttl_after_modify = 0")
	}
	return nil
}

var errLayout = errors.New("use the mudpulse that made it, or another database (the log, or a backup, fills it)")

// version refuses a store that this program does not know.
func (s *Store) version(ctx context.Context) error {
	found := ""
	err := s.each(ctx, "SELECT value FROM "+s.table("meta")+" WHERE key = 'schema'", func(r row) error { return r.Scan(&found) })
	switch {
	case err != nil && s.cfg.ReadOnly:
		return fmt.Errorf("database %s: %w: the writer makes it: start that first", s.database, err)
	case err != nil:
		return err
	case found == schemaVersion:
		return nil
	case found == "" && s.cfg.ReadOnly:
		return fmt.Errorf("database %s is empty: the writer makes it: start that first", s.database)
	case found == "":
		return s.exec(ctx, "INSERT INTO "+s.table("meta")+" VALUES ('schema', '"+schemaVersion+"')")
	}
	return fmt.Errorf("database %s has layout %s, this mudpulse knows %s: %w", s.database, found, schemaVersion, errLayout)
}
