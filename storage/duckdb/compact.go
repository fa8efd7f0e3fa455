package duckdb

import (
	"context"
	"fmt"
	"time"
)

// compact merges the small files of hours that are over into one: late rows and
// history come in pieces. Call with mmu.
func (s *Store) compact(ctx context.Context) error {
	now := s.clock.Now().UnixNano()
	over := hourOf(now - int64(s.cfg.Grace))
	type key struct {
		dataset string
		hour    int32
	}
	groups := map[key][]*file{}
	var order []key
	for _, f := range s.sealedFiles() {
		if f.hour >= over || f.damage != "" || f.rows >= s.cfg.PartRows/4 {
			continue
		}
		k := key{f.dataset, f.hour}
		if len(groups[k]) == 0 {
			order = append(order, k)
		}
		groups[k] = append(groups[k], f)
	}
	for _, k := range order {
		files := groups[k]
		if len(files) < 2 || s.quietSince(k.hour) < s.cfg.CompactAfter {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.merge(ctx, files); err != nil {
			return fmt.Errorf("merge %s of %s: %w", k.dataset, hourName(k.hour), err)
		}
	}
	return nil
}

// quietSince is how long, in wall time, nothing was sealed into an hour, as far as this process knows.
func (s *Store) quietSince(hour int32) time.Duration {
	at, ok := s.sealedAt[hour]
	if !ok {
		return 1 << 62
	}
	return time.Since(at)
}

// merge writes one file in place of several of one dataset and hour, in one
// transaction of the manifest. Rollups are merged, not only joined.
func (s *Store) merge(ctx context.Context, files []*file) error {
	f := *files[0]
	f.part = s.takePart()
	f.path = filePath(f.dataset, f.hour, f.part)
	f.rows = 0
	for _, o := range files {
		f.rows += o.rows
		f.lo, f.hi = min(f.lo, o.lo), max(f.hi, o.hi)
		f.maxCommit, f.maxOrd = max(f.maxCommit, o.maxCommit), max(f.maxOrd, o.maxOrd)
	}
	l := layout{s: s, files: files}
	drop := "drill, device, boot"
	switch f.dataset {
	case dsScores:
		drop = "output_names, reason_names"
	case dsNarrow, "rollup_narrow":
		drop += ", channel"
	}
	source := "("
	for i, g := range groups(l.files, f.dataset) {
		if i > 0 {
			source += " UNION ALL BY NAME "
		}
		source += "SELECT * EXCLUDE (" + drop + ") FROM " + s.readParquet(g)
	}
	source += ")"
	hasHour := false
	if class, ok := rollupClass(f.dataset); ok {
		source = "(" + mergeRollups(&s.tab.rows, class, "(SELECT *, 0 AS hour FROM "+source+")", 0) + ")"
		hasHour = true
	}
	err := s.writeParquet(ctx, &f, s.named(f.dataset, source, hasHour))
	if err != nil {
		return err
	}
	if err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM read_parquet("+lit(s.sealedPath(f.path))+")").Scan(&f.rows); err != nil {
		return err
	}
	if f.columns, err = s.parquetColumns(ctx, f.path); err != nil {
		return err
	}
	if err := s.swap(nil, files, []*file{&f}, nil, CrashMerging); err != nil {
		return err
	}
	s.cfg.CrashPoint(CrashMerged)
	return nil
}

// parquetColumns reads a file's columns, joined by commas.
func (s *Store) parquetColumns(ctx context.Context, path string) (string, error) {
	var out string
	err := s.db.QueryRowContext(ctx, "SELECT string_agg(column_name, ',') FROM (DESCRIBE SELECT * FROM read_parquet("+lit(s.sealedPath(path))+", hive_partitioning=false))").Scan(&out)
	return out, err
}
