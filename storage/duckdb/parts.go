package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/storage/internal/micros"
	"github.com/mudpulse/mudpulse/telemetry"
)

// What grows with time lies in partitions. A partition holds whole frames, with
// their readings, of one hour of event time, and the scores of that hour's
// ticks. While it is hot it is six tables in DuckDB's file, which are only ever
// appended to; sealed, it is Parquet files in day=/hour= folders and rows of the
// manifest (store.sealed); dropping a partition is DROP TABLE or unlink.
//
// Rows of hours that are not the present's (late frames, history, imports) share
// one partition, the mixed one, and find their hour when it is sealed.

// One partition more waits, empty, for the hour that comes next or the one that is
// full: a commit that makes tables would wait for a checkpoint, one that takes
// the spare does not. store.parts has a row of it from when it was made and
// another from when it was taken; the lesser hour counts.

const (
	mixed int32 = math.MinInt32 // stands for the hour of a partition of many hours
	spare int32 = math.MaxInt32 // and for that of one that has none yet
)

// hourOf returns the hour of event time that a time, in ns, lies in.
func hourOf(ns int64) int32 { return int32(micros.FloorDiv(ns, int64(time.Hour))) }

// hourStart is the inverse: in ns.
func hourStart(h int32) int64 { return int64(h) * int64(time.Hour) }

type part struct {
	id     int64
	hour   int32 // or mixed
	t      dataTables
	opened time.Time // wall time
	closed bool      // takes no more rows: waits to be sealed

	// Under Store.lay; what a commit in progress adds stands beside.
	rows, newRows int64
	lo, hi        int64 // times of its rows, µs, lo > hi: none
	newLo, newHi  int64
	made          bool // its tables are there
}

func (p *part) prefix() string { return fmt.Sprintf("p%d_", p.id) }

// hourOf is the hour column of a row that belongs to time ns.
func (p *part) hourOf(ns int64) int32 {
	if p.hour != mixed {
		return p.hour
	}
	return hourOf(ns)
}

// span notes a time, µs, and returns it.
func (p *part) span(t int64) int64 {
	p.newLo, p.newHi = min(p.newLo, t), max(p.newHi, t)
	return t
}

// readingRows counts the rows of readings that wait.
func (p *part) readingRows() int {
	n := 0
	for _, t := range p.t.readings() {
		n += t.n
	}
	return n
}

func (p *part) waiting() int {
	n := 0
	for _, t := range p.t.all() {
		n += t.n
	}
	return n
}

func (p *part) reset() {
	for _, t := range p.t.all() {
		t.reset()
	}
	p.newRows, p.newLo, p.newHi = 0, math.MaxInt64, math.MinInt64
}

// close lets no more rows in: what appending needs is given back. Writer only.
func (p *part) close() {
	p.closed = true
	for _, t := range p.t.all() {
		t.close()
		for _, c := range t.cols {
			c.drop()
		}
		t.n = 0
	}
}

// partFor returns the partition that rows of that time go to, making one if need
// be; its tables are made by write. Writer only.
func (s *Store) partFor(ns int64) *part {
	h := hourOf(ns)
	if s.lastPart != nil && s.lastPart.hour == h && !s.lastPart.closed {
		return s.lastPart
	}
	if h < s.liveFrom || h > s.liveTo {
		h = mixed
	}
	p := s.open[h]
	switch {
	case p == nil && s.spare != nil:
		p, s.spare = s.spare, nil
		p.hour, p.opened = h, time.Now()
		s.open[h] = p
		s.taken = append(s.taken, p)
	case p == nil:
		p = s.newPart(h)
		s.open[h] = p
		s.fresh = append(s.fresh, p)
	}
	if h != mixed {
		s.lastPart = p
	}
	return p
}

// newPart numbers a partition; its tables are not made. Writer only.
func (s *Store) newPart(hour int32) *part {
	p := &part{id: s.nextPart, hour: hour, opened: time.Now(), lo: math.MaxInt64, hi: math.MinInt64}
	p.t = newDataTables(s.cat, p.prefix())
	p.reset()
	s.nextPart++
	return p
}

// makeSpare makes the partition that is begun next, if there is none. Commits wait meanwhile: milliseconds.
func (s *Store) makeSpare() error {
	s.checkpoint.Lock()
	defer s.checkpoint.Unlock()
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if s.spare != nil || s.closed {
		return nil
	}
	p := s.newPart(spare)
	if err := s.exec("BEGIN TRANSACTION"); err != nil {
		return err
	}
	err := s.makeTables(p)
	if err == nil {
		err = s.makeDataViews(append(s.hot(), p), s.sealedFiles())
	}
	if err == nil {
		s.cfg.CrashPoint(CrashSpare)
		if err = s.reserve.commit(func() error { return s.exec("COMMIT") }); err == nil {
			p.made = true
			s.spare = p
			s.lay.Lock()
			s.parts = append(s.parts, p)
			s.generation++
			s.lay.Unlock()
			return nil
		}
	}
	_ = s.exec("ROLLBACK") // where COMMIT failed there is mostly nothing to roll back
	for _, t := range p.t.all() {
		t.close()
	}
	return fmt.Errorf("partition %d: %w", p.id, err)
}

// beginParts settles which hours are the present's and which partitions are full.
func (s *Store) beginParts() {
	now := s.clock.Now().UnixNano()
	s.liveFrom, s.liveTo = hourOf(now-int64(s.cfg.Grace)), hourOf(now)+1
	s.lastPart = nil
	s.fresh, s.taken = s.fresh[:0], s.taken[:0]
	for h, p := range s.open {
		if p.rows >= s.cfg.PartRows {
			p.close()
			delete(s.open, h)
			continue
		}
		p.reset()
	}
}

// makeParts makes the tables of partitions that this commit begins.
func (s *Store) makeParts() error {
	for _, p := range s.taken {
		if err := s.exec(p.entry()); err != nil {
			return err
		}
	}
	for _, p := range s.fresh {
		if err := s.makeTables(p); err != nil {
			return err
		}
	}
	if len(s.fresh) > 0 {
		return s.makeDataViews(append(s.hot(), s.fresh...), s.sealedFiles())
	}
	return nil
}

// entry enters a partition's hour.
func (p *part) entry() string {
	return fmt.Sprintf("INSERT INTO store.parts VALUES (%d, %d, 0, 0, 0, 0)", p.id, p.hour)
}

// makeTables makes a partition's tables and enters it.
func (s *Store) makeTables(p *part) error {
	for _, t := range p.t.all() {
		if err := s.exec(t.create("CREATE TABLE")); err != nil {
			return err
		}
		if err := t.open(s.conn); err != nil {
			return err
		}
	}
	for _, class := range rollupClasses {
		if err := s.exec(s.rollupDDL(p, class)); err != nil {
			return err
		}
	}
	return s.exec(p.entry())
}

// keepParts takes up what a commit added; dropFresh undoes what one began.
func (s *Store) keepParts() {
	s.lay.Lock()
	defer s.lay.Unlock()
	for _, p := range s.open {
		p.rows += int64(p.waiting())
		p.lo, p.hi = min(p.lo, p.newLo), max(p.hi, p.newHi)
	}
	for _, p := range s.fresh {
		p.made = true
		s.parts = append(s.parts, p)
	}
	if len(s.fresh) > 0 {
		s.generation++
	}
	s.fresh, s.taken = s.fresh[:0], s.taken[:0]
}

func (s *Store) dropFresh() {
	for _, p := range s.fresh {
		for _, t := range p.t.all() {
			t.close()
		}
		delete(s.open, p.hour)
	}
	for _, p := range s.taken {
		delete(s.open, p.hour)
		p.hour = spare
		p.reset()
		s.spare = p
	}
	s.fresh, s.taken = s.fresh[:0], s.taken[:0]
	s.lastPart = nil
}

// hot returns the hot partitions; the slice is the caller's.
func (s *Store) hot() []*part {
	s.lay.RLock()
	defer s.lay.RUnlock()
	return slices.Clone(s.parts)
}

func (s *Store) sealedFiles() []*file {
	s.lay.RLock()
	defer s.lay.RUnlock()
	return slices.Clone(s.files)
}

// loadParts finds the hot partitions and the manifest on open.
func (s *Store) loadParts(ctx context.Context) error {
	err := s.each(ctx, "SELECT part, min(hour) FROM store.parts GROUP BY part ORDER BY part", func(r *sql.Rows) error {
		p := &part{opened: time.Now(), made: true}
		if err := r.Scan(&p.id, &p.hour); err != nil {
			return err
		}
		s.parts = append(s.parts, p)
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.loadManifest(ctx); err != nil {
		return err
	}
	for _, p := range s.parts {
		s.nextPart = max(s.nextPart, p.id+1)
		if err := s.loadPart(ctx, p); err != nil {
			return fmt.Errorf("partition %d: %w", p.id, err)
		}
	}
	return nil
}

func (s *Store) loadPart(ctx context.Context, p *part) error {
	p.t = newDataTables(s.cat, p.prefix())
	p.reset()
	have := map[string][]string{}
	err := s.each(ctx, "SELECT table_name, column_name FROM duckdb_columns() WHERE schema_name = 'store' AND starts_with(table_name, ?) ORDER BY table_name, column_index", func(r *sql.Rows) error {
		var t, c string
		if err := r.Scan(&t, &c); err != nil {
			return err
		}
		have[strings.TrimPrefix(t, p.prefix())] = append(have[strings.TrimPrefix(t, p.prefix())], c)
		return nil
	}, p.prefix())
	if err != nil {
		return err
	}
	// What another version wrote lacks columns, or has them in another order: they are added, and it takes no more rows.
	for _, class := range rollupClasses {
		if err := s.exec(s.rollupDDL(p, class)); err != nil {
			return err
		}
	}
	for ds, columns := range s.columnsOf {
		for _, c := range columns {
			if have[ds] != nil && !slices.Contains(have[ds], c[0]) {
				if err := s.exec("ALTER TABLE store." + p.prefix() + ds + " ADD COLUMN " + ident(c[0]) + " " + c[1]); err != nil {
					return err
				}
			}
		}
	}
	var ranges []string
	for i, t := range p.t.all() {
		name := s.tab.rows.all()[i].name
		p.closed = p.closed || !slices.Equal(have[name], t.names())
		ranges = append(ranges, fmt.Sprintf("SELECT count(*) AS n, epoch_us(min(%[1]s)) AS lo, epoch_us(max(%[1]s)) AS hi FROM store.%[2]s", timeOf(name), t.name))
	}
	var lo, hi *int64
	if err := s.db.QueryRowContext(ctx, "SELECT sum(n)::BIGINT, min(lo), max(hi) FROM ("+strings.Join(ranges, " UNION ALL ")+")").Scan(&p.rows, &lo, &hi); err != nil {
		return err
	}
	p.lo, p.hi = math.MaxInt64, math.MinInt64
	if lo != nil {
		p.lo, p.hi = *lo, *hi
	}
	if p.closed || s.open[p.hour] != nil || p.hour == spare && s.spare != nil {
		p.closed = true
		return nil
	}
	for _, t := range p.t.all() {
		if err := t.open(s.conn); err != nil {
			return err
		}
	}
	if p.hour == spare {
		s.spare = p
		return nil
	}
	s.open[p.hour] = p
	return nil
}

// names are a table's columns.
func (t *table) names() []string {
	out := make([]string, len(t.cols))
	for i, c := range t.cols {
		out[i] = c.name
	}
	return out
}

// timeOf is the column of event time of a dataset.
func timeOf(dataset string) string {
	switch {
	case dataset == dsScores:
		return "tick"
	case strings.HasPrefix(dataset, "rollup_"):
		return "bucket"
	}
	return "ts"
}

// A layout is which partitions there are at one moment.
type layout struct {
	s          *Store
	generation int64
	hot        []*part
	hotRange   [][2]int64
	files      []*file
}

func (s *Store) layoutNow() layout {
	s.lay.RLock()
	defer s.lay.RUnlock()
	l := layout{s: s, generation: s.generation, hot: slices.Clone(s.parts), files: slices.Clone(s.files)}
	for _, p := range l.hot {
		l.hotRange = append(l.hotRange, [2]int64{p.lo, p.hi})
	}
	return l
}

// within leaves only what has rows in [lo, hi), µs.
func (l layout) within(lo, hi int64) layout {
	out := layout{s: l.s, generation: l.generation}
	for i, p := range l.hot {
		if r := l.hotRange[i]; r[0] < hi && r[1] >= lo {
			out.hot, out.hotRange = append(out.hot, p), append(out.hotRange, r)
		}
	}
	for _, f := range l.files {
		if f.lo < hi && f.hi >= lo {
			out.files = append(out.files, f)
		}
	}
	return out
}

// from returns SELECTs over all partitions of a dataset, joined by UNION ALL.
func (l layout) from(dataset, cols, where string) string {
	if where != "" {
		where = " WHERE " + where
	}
	cols = "SELECT " + cols + " FROM "
	var b strings.Builder
	b.WriteString(cols + "store." + dataset + where)
	for _, p := range l.hot {
		b.WriteString(" UNION ALL " + cols + "store." + p.prefix() + dataset + where)
	}
	for _, g := range groups(l.files, dataset) {
		b.WriteString(" UNION ALL " + cols + l.s.complete(dataset, l.s.readParquet(g), strings.Split(g[0].columns, ",")) + where)
	}
	return b.String()
}

// complete adds the columns that an older partition lacks.
func (s *Store) complete(dataset, source string, have []string) string {
	var add strings.Builder
	for _, c := range s.columnsOf[dataset] {
		if c[0] != "hour" && !slices.ContainsFunc(have, func(h string) bool { return strings.EqualFold(h, c[0]) }) {
			fmt.Fprintf(&add, ", NULL::%s AS %s", c[1], ident(c[0]))
		}
	}
	if add.Len() == 0 {
		return source
	}
	return "(SELECT *" + add.String() + " FROM " + source + ")"
}

// groups returns the undamaged files of a dataset, those with the same columns together.
func groups(files []*file, dataset string) [][]*file {
	var out [][]*file
	for _, f := range files {
		if f.dataset != dataset || f.damage != "" {
			continue
		}
		i := slices.IndexFunc(out, func(g []*file) bool { return g[0].columns == f.columns })
		if i < 0 {
			out = append(out, nil)
			i = len(out) - 1
		}
		out[i] = append(out[i], f)
	}
	return out
}

func (s *Store) readParquet(files []*file) string {
	var b strings.Builder
	b.WriteString("read_parquet([")
	for i, f := range files {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(lit(s.sealedPath(f.path)))
	}
	return b.String() + "], hive_partitioning=false)"
}

// ask runs the query that build makes of the layout. A partition may be sealed
// or merged between the two: then it is built anew.
func (s *Store) ask(ctx context.Context, build func(l layout) string, f func(*sql.Rows) error, args ...any) error {
	for try := 0; ; try++ {
		l := s.layoutNow()
		started := false
		err := s.each(ctx, build(l), func(r *sql.Rows) error { started = true; return f(r) }, args...)
		if err == nil || started || try == 5 || ctx.Err() != nil {
			return err
		}
		s.lay.RLock()
		moved := s.generation != l.generation
		s.lay.RUnlock()
		if !moved && !s.suspect(err) {
			return err
		}
	}
}

// askOne is ask for a query of one row.
func (s *Store) askOne(ctx context.Context, build func(l layout) string, dst ...any) error {
	found := false
	err := s.ask(ctx, build, func(r *sql.Rows) error { found = true; return r.Scan(dst...) })
	if err == nil && !found {
		return errors.New("no row")
	}
	return err
}

// columnsOfDatasets lists the columns and types that this version writes.
func columnsOfDatasets(rows *dataTables) map[string][][2]string {
	out := map[string][][2]string{}
	for _, t := range rows.all() {
		for _, c := range t.cols {
			out[t.name] = append(out[t.name], [2]string{c.name, c.sql})
		}
	}
	for _, class := range rollupClasses {
		out[rollupName(class)] = rollupColumns(rows, class)
	}
	return out
}

// datasets in the order in which they are sealed.
func datasets() []string {
	out := []string{dsFast, dsMedium, dsSlow, dsNarrow, dsFrames, dsScores}
	for _, class := range rollupClasses {
		out = append(out, rollupName(class))
	}
	return out
}

var rollupClasses = []telemetry.Class{telemetry.Fast, telemetry.Medium, telemetry.Slow, telemetry.Narrow}
