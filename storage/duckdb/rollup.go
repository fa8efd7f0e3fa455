package duckdb

import (
	"context"
	"fmt"
	"strings"

	"github.com/mudpulse/mudpulse/telemetry"
)

// Rollups are partial aggregates: of each partition, source and bucket a row
// per run of rollup, merged when they are read and when the partition is sealed.
// Each raw row is aggregated once, whatever order rows came in: a partition's
// tables are only appended to, and store.parts remembers how far each was read.

// Steps of rollups, in seconds. Ten seconds are kept of the fast class only.
const (
	step10s = 10
	step1m  = 60
	step1h  = 3600
)

func rollupName(c telemetry.Class) string { return "rollup_" + c.String() }

// rollupValues are what is kept of each channel, as suffixes of its name.
var rollupValues = [...]string{"n", "sum", "min", "max", "first", "last"}

func rollupColumn(channel, value string) string { return channel + "__" + value }

// rollupColumns returns names and types. Buckets begin at bucket; first_ts and
// last_ts are those of its first and last row.
func rollupColumns(rows *dataTables, class telemetry.Class) [][2]string {
	out := [][2]string{{"src", "INTEGER"}, {"hour", "INTEGER"}, {"step", "INTEGER"}, {"bucket", "TIMESTAMP"}, {"first_ts", "TIMESTAMP"}, {"last_ts", "TIMESTAMP"}}
	if class == telemetry.Narrow {
		out = append(out, [2]string{"ch", "INTEGER"})
	}
	for _, ch := range rollupChannels(rows, class) {
		for _, v := range rollupValues {
			t := "DOUBLE"
			if v == "n" {
				t = "INTEGER"
			}
			out = append(out, [2]string{rollupColumn(ch, v), t})
		}
	}
	return out
}

func rollupChannels(rows *dataTables, class telemetry.Class) []string {
	if class == telemetry.Narrow {
		return []string{"value"}
	}
	var out []string
	for _, c := range rows.class[class].cols[readingMeta:] {
		out = append(out, c.name)
	}
	return out
}

// rollupDDL makes a partition's rollup table; p nil: the empty one that gives types.
func (s *Store) rollupDDL(p *part, class telemetry.Class) string {
	prefix := ""
	if p != nil {
		prefix = p.prefix()
	}
	var cols []string
	for _, c := range rollupColumns(&s.tab.rows, class) {
		cols = append(cols, ident(c[0])+" "+c[1])
	}
	return fmt.Sprintf("CREATE TABLE IF NOT EXISTS store.%s%s(%s)", prefix, rollupName(class), strings.Join(cols, ", "))
}

// rollupOf aggregates raw rows of source into buckets of step seconds.
func rollupOf(rows *dataTables, class telemetry.Class, source string, step int) string {
	keys, extra := "src, hour, b", ""
	if class == telemetry.Narrow {
		keys, extra = keys+", ch", ", ch"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "SELECT src, hour, %d AS step, make_timestamp(b) AS bucket, min(ts) AS first_ts, max(ts) AS last_ts%s", step, extra)
	for _, ch := range rollupChannels(rows, class) {
		c := ident(ch)
		fmt.Fprintf(&b, ", count(%[1]s)::INTEGER AS %[2]s, sum(%[1]s) AS %[3]s, min(%[1]s) AS %[4]s, max(%[1]s) AS %[5]s, arg_min(%[1]s, ts) AS %[6]s, arg_max(%[1]s, ts) AS %[7]s",
			c, ident(rollupColumn(ch, "n")), ident(rollupColumn(ch, "sum")), ident(rollupColumn(ch, "min")), ident(rollupColumn(ch, "max")), ident(rollupColumn(ch, "first")), ident(rollupColumn(ch, "last")))
	}
	us := int64(step) * 1e6
	fmt.Fprintf(&b, " FROM (SELECT *, epoch_us(ts) - ((epoch_us(ts) %% %[1]d) + %[1]d) %% %[1]d AS b FROM %s) GROUP BY %s", us, source, keys)
	return b.String()
}

// mergeRollups merges partial aggregates of source into buckets of step seconds, 0: into those they have.
func mergeRollups(rows *dataTables, class telemetry.Class, source string, step int) string {
	keys, extra := "src, hour, step, bucket", ""
	if class == telemetry.Narrow {
		keys, extra = keys+", ch", ", ch"
	}
	bucket := "bucket"
	if step > 0 {
		us := int64(step) * 1e6
		bucket = fmt.Sprintf("make_timestamp(epoch_us(bucket) - ((epoch_us(bucket) %% %[1]d) + %[1]d) %% %[1]d)", us)
		source = fmt.Sprintf("(SELECT * REPLACE (%d AS step, %s AS bucket) FROM %s)", step, bucket, source)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "SELECT src, hour, step, bucket, min(first_ts) AS first_ts, max(last_ts) AS last_ts%s", extra)
	for _, ch := range rollupChannels(rows, class) {
		col := func(v string) string { return ident(rollupColumn(ch, v)) }
		fmt.Fprintf(&b, ", sum(%[1]s)::INTEGER AS %[1]s, sum(%[2]s) AS %[2]s, min(%[3]s) AS %[3]s, max(%[4]s) AS %[4]s, arg_min(%[5]s, first_ts) AS %[5]s, arg_max(%[6]s, last_ts) AS %[6]s",
			col("n"), col("sum"), col("min"), col("max"), col("first"), col("last"))
	}
	return b.String() + " FROM " + source + " GROUP BY " + keys
}

// Rollup aggregates what has come since the last time.
func (s *Store) Rollup(ctx context.Context) error {
	s.mmu.Lock()
	defer s.mmu.Unlock()
	for _, p := range s.hot() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.roll(p); err != nil {
			return fmt.Errorf("rollup of partition %d: %w", p.id, err)
		}
	}
	return nil
}

// roll brings one partition's rollups up to date. Call with mmu.
func (s *Store) roll(p *part) error {
	var done [4]int64
	if err := s.db.QueryRow("SELECT rolled_0, rolled_1, rolled_2, rolled_3 FROM store.parts WHERE part = ?", p.id).Scan(&done[0], &done[1], &done[2], &done[3]); err != nil {
		return err
	}
	var statements []string
	rows := &s.tab.rows
	for _, class := range rollupClasses {
		var n int64
		raw := "store." + p.t.ofClass(class).name
		if err := s.db.QueryRow("SELECT coalesce(max(rowid) + 1, 0) FROM " + raw).Scan(&n); err != nil {
			return err
		}
		from := done[class]
		if n <= from {
			continue
		}
		done[class] = n
		into := "INSERT INTO store." + p.prefix() + rollupName(class) + " BY NAME "
		source := fmt.Sprintf("(SELECT * FROM %s WHERE rowid >= %d AND rowid < %d)", raw, from, n)
		if class == telemetry.Fast {
			statements = append(statements, into+"WITH r AS MATERIALIZED ("+rollupOf(rows, class, source, step10s)+") SELECT * FROM r UNION ALL BY NAME "+mergeRollups(rows, class, "r", step1m))
			continue
		}
		statements = append(statements, into+rollupOf(rows, class, source, step1m))
	}
	if len(statements) == 0 {
		return nil
	}
	statements = append(statements, fmt.Sprintf("UPDATE store.parts SET rolled_0 = %d, rolled_1 = %d, rolled_2 = %d, rolled_3 = %d WHERE part = %d", done[0], done[1], done[2], done[3], p.id))
	return s.beside(statements, func() { s.cfg.CrashPoint(CrashRolled) })
}

// beside runs a transaction of maintenance; no checkpoint comes between.
func (s *Store) beside(statements []string, before func()) error {
	s.checkpoint.Lock()
	defer s.checkpoint.Unlock()
	return s.maintain.transaction(statements, before)
}
