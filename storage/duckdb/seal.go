package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Seal writes every partition to Parquet, those that still take rows too.
func (s *Store) Seal(ctx context.Context) error {
	s.closeParts(true)
	s.mmu.Lock()
	defer s.mmu.Unlock()
	return s.sealClosed(ctx)
}

// closeParts lets no more rows into partitions whose time is over, or into any.
func (s *Store) closeParts(all bool) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	now := s.clock.Now().UnixNano()
	for h, p := range s.open {
		over := h != mixed && hourStart(h+1)+int64(s.cfg.Grace) <= now
		old := h == mixed && time.Since(p.opened) >= s.cfg.MixedAge
		if all || over || old || p.rows >= s.cfg.PartRows {
			p.close()
			delete(s.open, h)
		}
	}
	s.lastPart = nil
}

// sealClosed seals the partitions that take no more rows. Call with mmu.
func (s *Store) sealClosed(ctx context.Context) error {
	s.wmu.Lock()
	var closed []*part
	for _, p := range s.hot() {
		if p.closed {
			closed = append(closed, p)
		}
	}
	s.wmu.Unlock()
	defer func() { s.maintain.low = nil }()
	var errs []error
	for i, p := range closed {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if i > 0 {
			if err := s.letPass(); err != nil {
				return errors.Join(append(errs, err)...)
			}
			if !slices.Contains(s.hot(), p) { // sealed meanwhile
				continue
			}
		}
		// What piles up takes memory, and who backs up waits: then it is somebody's wait.
		s.maintain.low = func() bool { return len(closed)-i < 2 && s.waiting.Load() == 0 }
		if err := s.seal(ctx, p); err != nil {
			errs = append(errs, fmt.Errorf("seal partition %d: %w", p.id, err))
		}
	}
	return errors.Join(errs...)
}

// letPass lets one in that waits for mmu: a backup need not wait for a whole
// history to be sealed. An error says that the store was closed meanwhile.
func (s *Store) letPass() error {
	s.mmu.Unlock()
	s.mmu.Lock() // who waited longer than a millisecond is next
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if s.closed {
		return errClosed
	}
	return nil
}

// seal writes a partition's files, then in one transaction enters them in the
// manifest and drops its tables. Killed or failing anywhere before, the
// partition is still hot, and files without an entry are removed. Call with mmu.
func (s *Store) seal(ctx context.Context, p *part) error {
	started := time.Now()
	if err := s.roll(p); err != nil {
		return err
	}
	files, err := s.partFiles(ctx, p)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := s.writeParquet(ctx, f, s.sealQuery(p, f)); err != nil {
			return err
		}
		s.cfg.CrashPoint(CrashRenamed)
	}
	if err := s.beside(s.summaries(p), nil); err != nil {
		return fmt.Errorf("summaries: %w", err)
	}
	s.cfg.CrashPoint(CrashSummed)
	spans, err := s.spansOf(ctx, p)
	if err != nil {
		return fmt.Errorf("summaries: %w", err)
	}
	drop := []string{fmt.Sprintf("DELETE FROM store.parts WHERE part = %d", p.id)}
	for _, t := range p.t.all() {
		drop = append(drop, "DROP TABLE store."+t.name)
	}
	for _, c := range rollupClasses {
		drop = append(drop, "DROP TABLE IF EXISTS store."+p.prefix()+rollupName(c))
	}
	if err := s.swap(p, nil, files, drop, CrashSealing, spans...); err != nil {
		return err
	}
	for _, f := range files {
		s.sealedAt[f.hour] = time.Now()
	}
	s.cfg.CrashPoint(CrashSealed)
	rows, bytes := int64(0), int64(0)
	for _, f := range files {
		rows, bytes = rows+f.rows, bytes+f.bytes
	}
	s.log.Debug("partition sealed", "partition", p.id, "files", len(files), "rows", rows, "bytes", bytes, "took", time.Since(started))
	return nil
}

// swap changes the manifest in one transaction: files in, old files and a hot
// partition out, whose files have spans. Commits wait meanwhile: milliseconds.
func (s *Store) swap(p *part, old, files []*file, statements []string, crash string, spans ...stageSpan) error {
	s.checkpoint.Lock()
	defer s.checkpoint.Unlock()
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if s.closed {
		return errClosed
	}
	hot := slices.DeleteFunc(s.hot(), func(h *part) bool { return h == p })
	all := slices.DeleteFunc(s.sealedFiles(), func(f *file) bool { return slices.Contains(old, f) })
	all = append(all, files...)
	slices.SortStableFunc(all, func(a, b *file) int { return int(a.hour) - int(b.hour) })
	if err := s.exec("BEGIN TRANSACTION"); err != nil {
		return err
	}
	err := func() error {
		for _, f := range old {
			if err := s.exec("DELETE FROM store.sealed WHERE file = " + lit(f.path)); err != nil {
				return err
			}
		}
		for from := 0; from < len(files); from += 500 {
			var values []string
			for _, f := range files[from:min(from+500, len(files))] {
				values = append(values, f.values())
			}
			if err := s.exec("INSERT INTO store.sealed VALUES " + strings.Join(values, ", ")); err != nil {
				return err
			}
		}
		for _, q := range statements {
			if err := s.exec(q); err != nil {
				return err
			}
		}
		return s.makeDataViews(hot, all)
	}()
	if err != nil {
		return errors.Join(err, s.exec("ROLLBACK"))
	}
	s.cfg.CrashPoint(crash)
	// Held over the commit: a query of the old layout that finds a table gone then sees that the layout moved (ask).
	s.lay.Lock()
	defer s.lay.Unlock()
	if err := s.reserve.commit(func() error { return s.exec("COMMIT") }); err != nil {
		_ = s.exec("ROLLBACK")
		return shortOfMemory(err)
	}
	s.parts, s.files = hot, all
	s.generation++
	if p != nil {
		s.book.sealedPart(p, spans)
		for _, t := range p.t.all() {
			t.close()
		}
	}
	for _, f := range old {
		s.garbage = append(s.garbage, garbage{f.path, time.Now()})
	}
	return nil
}

// partFiles lists the files that a partition becomes.
func (s *Store) partFiles(ctx context.Context, p *part) ([]*file, error) {
	var files []*file
	for _, ds := range datasets() {
		more := "0, 0"
		switch ds {
		case dsFrames:
			more = "max(commit), 0"
		case dsScores:
			more = "0, max(ord)"
		}
		t := timeOf(ds)
		hi := fmt.Sprintf("epoch_us(max(%s))", t)
		if strings.HasPrefix(ds, "rollup_") {
			hi = "epoch_us(max(last_ts))"
		}
		q := fmt.Sprintf("SELECT hour, count(*), epoch_us(min(%s)), %s, %s FROM store.%s%s GROUP BY hour ORDER BY hour", t, hi, more, p.prefix(), ds)
		err := s.each(ctx, q, func(r *sql.Rows) error {
			f := &file{part: p.id, dataset: ds}
			if err := r.Scan(&f.hour, &f.rows, &f.lo, &f.hi, &f.maxCommit, &f.maxOrd); err != nil {
				return err
			}
			f.path = filePath(ds, f.hour, p.id)
			files = append(files, f)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	// The columns of each dataset, as its files will have them.
	for _, f := range files {
		f.columns = strings.Join(s.sealedColumns(f.dataset), ",")
	}
	return files, nil
}

// sealedColumns are a sealed file's columns: those of the table without hour,
// which is the folder's, and the names that numbers stand for.
func (s *Store) sealedColumns(dataset string) []string {
	var have []string
	for _, c := range s.columnsOf[dataset] {
		if c[0] != "hour" {
			have = append(have, c[0])
		}
	}
	switch dataset {
	case dsScores:
		return append(have, "output_names", "reason_names")
	case dsNarrow, rollupName(telemetry.Narrow):
		return append(have, "drill", "device", "boot", "channel")
	}
	return append(have, "drill", "device", "boot")
}

// sealQuery returns what one file of a hot partition is written from.
func (s *Store) sealQuery(p *part, f *file) string {
	source := fmt.Sprintf("store.%s%s", p.prefix(), f.dataset)
	if class, ok := rollupClass(f.dataset); ok {
		// An hour is merged from its minutes; it is there only once the partition is sealed.
		merged := fmt.Sprintf("(SELECT * FROM %s WHERE hour = %d)", source, f.hour)
		source = "(" + mergeRollups(&s.tab.rows, class, merged, 0) + " UNION ALL BY NAME " +
			mergeRollups(&s.tab.rows, class, "(SELECT * FROM "+merged+" WHERE step = 60)", step1h) + ")"
	} else {
		source = fmt.Sprintf("(SELECT * FROM %s WHERE hour = %d)", source, f.hour)
	}
	return s.named(f.dataset, source, true)
}

// named adds the names that numbers stand for and sorts: by drill, then time.
func (s *Store) named(dataset, source string, hasHour bool) string {
	exclude := ""
	if hasHour {
		exclude = " EXCLUDE (hour)"
	}
	const sources = "(SELECT src, drill, device, boot, dense_rank() OVER (ORDER BY drill) AS place FROM store.sources)"
	switch {
	case dataset == dsScores:
		return "SELECT r.*" + exclude + ", l.names AS output_names, m.names AS reason_names FROM " + source + " r JOIN store.layouts l ON l.layout = r.layout JOIN store.layouts m ON m.layout = r.reasons_layout ORDER BY r.drill, r.tick, r.ord"
	case dataset == dsNarrow:
		return "SELECT r.*" + exclude + ", s.drill, s.device, s.boot, c.tag AS channel FROM " + source + " r JOIN " + sources + " s ON s.src = r.src JOIN store.channels c ON c.ch = r.ch ORDER BY s.place, r.ch, r.ts"
	case dataset == rollupName(telemetry.Narrow):
		return "SELECT r.*" + exclude + ", s.drill, s.device, s.boot, c.tag AS channel FROM " + source + " r JOIN " + sources + " s ON s.src = r.src JOIN store.channels c ON c.ch = r.ch ORDER BY r.step, s.place, r.ch, r.bucket"
	case strings.HasPrefix(dataset, "rollup_"):
		return "SELECT r.*" + exclude + ", s.drill, s.device, s.boot FROM " + source + " r JOIN " + sources + " s ON s.src = r.src ORDER BY r.step, s.place, r.bucket"
	}
	return "SELECT r.*" + exclude + ", s.drill, s.device, s.boot FROM " + source + " r JOIN " + sources + " s ON s.src = r.src ORDER BY s.place, r.ts, r.seq"
}

func rollupClass(dataset string) (telemetry.Class, bool) {
	for _, c := range rollupClasses {
		if dataset == rollupName(c) {
			return c, true
		}
	}
	return 0, false
}

// summaries keep of a partition what is asked without its files: the numbers
// each stage of the ledger has, what each source sent, health by two hours.
func (s *Store) summaries(p *part) []string {
	own := func(name string) string { return "store." + p.prefix() + name }
	numbered := "src IN (SELECT src FROM store.sources WHERE NOT (boot = '~' OR boot LIKE '%!'))"
	spans := func(stage, rows string) []string {
		head := fmt.Sprintf("INSERT INTO store.ledger_spans SELECT %d, hour, src, %s, ", p.id, lit(stage))
		return []string{
			head + "min(seq), max(seq) FROM (SELECT hour, src, seq, seq::HUGEINT - row_number() OVER (PARTITION BY hour, src ORDER BY seq) AS island FROM (SELECT DISTINCT hour, src, seq FROM (" + rows + ") WHERE " + numbered + ")) GROUP BY hour, src, island",
			head + "seq, seq FROM (SELECT DISTINCT hour, src, seq FROM (" + rows + ") WHERE NOT (" + numbered + "))",
		}
	}
	var out []string
	for _, t := range []string{"ledger_spans", "sealed_sources", "sealed_health"} {
		out = append(out, fmt.Sprintf("DELETE FROM store.%s WHERE part = %d", t, p.id)) // of a try that was cut short
	}
	out = append(out, spans(storage.StageStored, "SELECT hour, src, seq FROM "+own(dsFrames))...)
	out = append(out, spans(storage.StageScored, "SELECT hour, unnest(cause_src) AS src, unnest(cause_seq) AS seq FROM "+own(dsScores))...)
	readable := []string{"SELECT hour, src, seq, sum(rows) AS want, 0 AS have FROM " + own(dsFrames) + " GROUP BY ALL"}
	for _, t := range p.t.readings() {
		readable = append(readable, "SELECT hour, src, seq, 0, count(*) FROM store."+t.name+" GROUP BY ALL")
	}
	out = append(out, spans(storage.StageReadable, "SELECT hour, src, seq FROM ("+strings.Join(readable, " UNION ALL ")+") GROUP BY ALL HAVING sum(have) >= sum(want)")...)
	out = append(out, fmt.Sprintf("INSERT INTO store.sealed_sources SELECT %d, hour, src, epoch_us(min(ts)), epoch_us(max(ts_end)), epoch_us(max(arrived)), count(*), sum(readings)::BIGINT, arg_max(simulated, ts_end) FROM %s GROUP BY hour, src", p.id, own(dsFrames)))
	out = append(out, fmt.Sprintf("INSERT INTO store.sealed_health SELECT %d, hour, drill, epoch_us(tick) // %d, epoch_us(max(tick)), arg_max(ord, (tick, ord)), coalesce(arg_max_null(health, (tick, ord)), 'nan'), coalesce(min(health), 'nan') FROM %s GROUP BY ALL",
		p.id, storage.HealthBucket/1000, own(dsScores)))
	return out
}
