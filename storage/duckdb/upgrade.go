package duckdb

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// upgrade brings a store of an older version to this one's schema, in one
// transaction, and refuses a newer one. The file as it was is kept beside it.
func (s *Store) upgrade() error {
	one := func(q string) (v string, err error) { return v, s.db.QueryRow(q).Scan(&v) }
	has, err := one("SELECT count(*)::VARCHAR FROM information_schema.tables WHERE table_schema = 'store' AND table_name = 'meta'")
	if err != nil {
		return err
	}
	if has == "0" {
		if err := s.exec("CREATE SCHEMA IF NOT EXISTS store"); err != nil {
			return err
		}
		return s.transaction([]string{"CREATE TABLE store.meta(key VARCHAR, value VARCHAR)", "INSERT INTO store.meta VALUES ('schema', " + lit(schemaVersion) + ")"})
	}
	v, err := one("SELECT coalesce(max(value), '') FROM store.meta WHERE key = 'schema'")
	if err != nil {
		return err
	}
	switch v {
	case schemaVersion:
		return nil
	case "":
		return s.exec("INSERT INTO store.meta VALUES ('schema', " + lit(schemaVersion) + ")")
	case "1":
		if err := s.keepOld(v); err != nil {
			return fmt.Errorf("upgrade from version %s: %w", v, err)
		}
		if err := s.transaction(fromVersion1()); err != nil {
			return fmt.Errorf("upgrade from version %s: %w; the store is as it was", v, err)
		}
		s.log.Info("store upgraded", "from", v, "to", schemaVersion)
		return nil
	}
	return fmt.Errorf("its tables are of version %s and this program writes version %s: start the program that made it, or another folder", v, schemaVersion)
}

// fromVersion1 makes one mixed partition of the tables that version 1 wrote to.
func fromVersion1() []string {
	hour := func(ts string) string { return fmt.Sprintf("floor(epoch_us(%s) / 3600e6)::INTEGER", ts) }
	out := append([]string{}, partsDDL...)
	for _, ds := range []string{dsFast, dsMedium, dsSlow, dsNarrow} {
		// The hour is the frame's: a partition holds whole frames.
		q := fmt.Sprintf("CREATE TABLE store.p0_%[1]s AS SELECT r.src, r.ts, r.seq, r.part, r.arrived, r.quality, coalesce(f.hour, %[2]s) AS hour, r.* EXCLUDE (src, ts, seq, part, arrived, quality) FROM store.%[1]s r"+
			" LEFT JOIN (SELECT src, seq, part, any_value(%[3]s) AS hour FROM store.frames GROUP BY ALL) f ON f.src = r.src AND f.seq = r.seq AND f.part = r.part", ds, hour("r.ts"), hour("ts"))
		if ds == dsNarrow {
			q = fmt.Sprintf("CREATE TABLE store.p0_%[1]s AS SELECT r.*, coalesce(f.hour, %[2]s) AS hour FROM store.%[1]s r"+
				" LEFT JOIN (SELECT src, seq, part, any_value(%[3]s) AS hour FROM store.frames GROUP BY ALL) f ON f.src = r.src AND f.seq = r.seq AND f.part = r.part", ds, hour("r.ts"), hour("ts"))
		}
		out = append(out, q)
	}
	// Of readings that retention dropped, the ledger wants none.
	out = append(out,
		"CREATE TABLE store.p0_frames AS SELECT * REPLACE (if(epoch_us(ts) < (SELECT coalesce(max(value::BIGINT), -9223372036854775807) FROM store.meta WHERE key = 'readings_from'), 0, rows)::INTEGER AS rows), "+hour("ts")+" AS hour FROM store.frames",
		"CREATE TABLE store.p0_scores AS SELECT *, "+hour("tick")+" AS hour FROM store.scores")
	for _, v := range []string{"readings", "readings_fast", "readings_medium", "readings_slow", "readings_narrow", "frames", "scores", "outputs", "reasons", "health", "drills", "labels"} {
		out = append(out, "DROP VIEW IF EXISTS main."+v)
	}
	for _, ds := range []string{dsFast, dsMedium, dsSlow, dsNarrow, dsFrames, dsScores} {
		out = append(out, "DROP TABLE store."+ds)
	}
	return append(out, fmt.Sprintf("INSERT INTO store.parts VALUES (0, %d, 0, 0, 0, 0)", mixed),
		"DELETE FROM store.meta WHERE key IN ('schema', 'readings_from')", "INSERT INTO store.meta VALUES ('schema', "+lit(schemaVersion)+")")
}

// fillAmended notes which scores have versions after the first, in a store that was
// written before that was noted: day by day, in one transaction.
func (s *Store) fillAmended() error {
	var done int
	if err := s.db.QueryRow("SELECT count(*) FROM store.meta WHERE key = 'amended'").Scan(&done); err != nil || done > 0 {
		return err
	}
	l := s.layoutNow()
	lo, hi := int64(math.MaxInt64), int64(math.MinInt64)
	for _, r := range l.hotRange {
		lo, hi = min(lo, r[0]), max(hi, r[1])
	}
	for _, f := range l.files {
		if f.dataset == dsScores {
			lo, hi = min(lo, f.lo), max(hi, f.hi)
		}
	}
	statements := []string{"DELETE FROM store.amended"}
	const day = 86400e6
	for from := lo; from <= hi; from += day {
		in := l.within(from, from+day)
		if len(in.hot) == 0 && len(groups(in.files, dsScores)) == 0 {
			continue
		}
		rows := in.from(dsScores, "drill, tick, ord", fmt.Sprintf("tick >= make_timestamp(%d) AND tick < make_timestamp(%d)", from, from+day))
		statements = append(statements, "INSERT INTO store.amended SELECT drill, tick, max(ord) FROM ("+rows+") GROUP BY drill, tick HAVING count(*) > 1")
	}
	if len(statements) > 1 {
		s.log.Info("versions of scores are counted, once", "days", len(statements)-1)
	}
	if err := s.transaction(append(statements, "INSERT INTO store.meta VALUES ('amended', '1')")); err != nil {
		return fmt.Errorf("count versions of scores: %w; the store is as it was", err)
	}
	return nil
}

// dropOldTypes drops the tables that only give types where another program of
// the same version, or one with another catalogue, made them with other columns:
// they hold no rows and are made anew. Partitions gain their columns in loadPart.
func (s *Store) dropOldTypes() error {
	for ds, want := range s.columnsOf {
		rows, err := s.db.Query("SELECT column_name FROM duckdb_columns() WHERE schema_name = 'store' AND table_name = ? ORDER BY column_index", ds)
		if err != nil {
			return err
		}
		var have, names []string
		for rows.Next() {
			var c string
			if err := rows.Scan(&c); err != nil {
				return errors.Join(err, rows.Close())
			}
			have = append(have, c)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		for _, c := range want {
			names = append(names, c[0])
		}
		if len(have) > 0 && !slices.Equal(have, names) {
			if err := s.exec("DROP TABLE store." + ds); err != nil {
				return err
			}
		}
	}
	return nil
}

// keepOld copies the file beside itself before it is changed.
func (s *Store) keepOld(version string) error {
	if err := s.exec("CHECKPOINT"); err != nil {
		return err
	}
	path := filepath.Join(s.cfg.Dir, "mudpulse.duckdb")
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	old := path + ".v" + version
	if _, err := os.Stat(old); err == nil {
		return nil // of a try that was cut short
	}
	if err := os.WriteFile(old+".tmp", b, 0o600); err != nil {
		return err
	}
	return os.Rename(old+".tmp", old)
}

// transaction runs statements of the writer in one.
func (s *Store) transaction(statements []string) error {
	return (&session{conn: s.conn}).transaction(statements, nil)
}
