package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/internal/micros"
	"github.com/mudpulse/mudpulse/storage/internal/series"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Series returns one series per channel asked for, in that order.
func (s *Store) Series(ctx context.Context, q storage.SeriesQuery) ([]storage.Series, error) {
	if err := series.Check(q); err != nil {
		return nil, err
	}
	from, to := us(q.From), us(q.To)
	width := max(1, (to-from+int64(q.Points)-1)/int64(q.Points))
	out := make([]storage.Series, len(q.Channels))
	var class [4][]int
	var scored []int
	exprs := map[int]string{}
	for i, ch := range q.Channels {
		out[i] = storage.Series{Channel: ch, Width: width * 1000}
		w, name, ok := s.lookup(ch)
		if ok {
			out[i].Channel = name
			exprs[i] = ident(name)
			if w.class == telemetry.Narrow {
				exprs[i] = fmt.Sprint(w.ch)
			}
			class[w.class] = append(class[w.class], i)
			continue
		}
		expr, ok := s.scoreExpr(ch)
		switch {
		case ok:
			exprs[i] = expr
			scored = append(scored, i)
		case s.catalogued[strings.ToLower(ch)] || s.isRegistered(ch):
			// Known, but no frame ever had it: an empty series.
		default:
			return nil, &storage.UnknownChannel{Channel: ch}
		}
	}
	known := ""
	if q.KnownAt != 0 {
		known = fmt.Sprintf(" AND arrived <= make_timestamp(%d)", us(q.KnownAt))
	}
	srcs := s.sourcesOf(q.Drill)
	if len(srcs) > 0 {
		in := "src IN (" + joinInts(srcs) + ")" + known
		for _, c := range classesWithColumns {
			if len(class[c]) > 0 {
				if err := s.readingSeries(ctx, out, c, class[c], exprs, in, from, to, width, known != ""); err != nil {
					return nil, err
				}
			}
		}
		for _, i := range class[telemetry.Narrow] {
			if err := s.readingSeries(ctx, out, telemetry.Narrow, []int{i}, exprs, in+" AND ch = "+exprs[i], from, to, width, known != ""); err != nil {
				return nil, err
			}
		}
	}
	if len(scored) > 0 {
		var cols strings.Builder
		for _, i := range scored {
			fmt.Fprintf(&cols, ", arg_max_null(%s, ord) AS v%d", exprs[i], i)
		}
		inner := func(l layout) string {
			where := fmt.Sprintf("drill = $1 AND tick >= make_timestamp(%d) AND tick < make_timestamp(%d)", from, to) + known
			return fmt.Sprintf("SELECT epoch_us(tick) AS t%s FROM (%s) GROUP BY tick", cols.String(), l.within(from, to).from(dsScores, scoredColumns, where))
		}
		if err := s.buckets(ctx, out, scored, inner, from, width, q.Drill); err != nil {
			return nil, err
		}
	}
	for i := range out {
		series.Finish(&out[i])
	}
	return out, nil
}

// readingSeries answers for channels of one class, from rollups where the buckets are wide enough; from rows
// alone where it matters when they came, which rollups do not tell.
func (s *Store) readingSeries(ctx context.Context, out []storage.Series, class telemetry.Class, channels []int, exprs map[int]string, in string, from, to, width int64, rows bool) error {
	dataset := s.tab.rows.ofClass(class).name
	column := func(i int) string {
		if class == telemetry.Narrow {
			return "value"
		}
		return exprs[i]
	}
	raw := func(l layout, from, to int64, more string) string {
		cols := "epoch_us(ts) AS t"
		for _, i := range channels {
			cols += fmt.Sprintf(", %s AS v%d", column(i), i)
		}
		return l.within(from, to).from(dataset, cols, fmt.Sprintf("%s AND ts >= make_timestamp(%d) AND ts < make_timestamp(%d)%s", in, from, to, more))
	}
	step := stepFor(class, width)
	if rows {
		step = 0
	}
	unit := max(step, 1) * 1e6
	lo, hi := -micros.FloorDiv(-from, unit)*unit, micros.FloorDiv(to, unit)*unit
	if step == 0 || lo >= hi {
		return s.buckets(ctx, out, channels, func(l layout) string { return raw(l, from, to, "") }, from, width)
	}
	// Whole steps from rollups, the edges and what is not rolled up yet from rows.
	parts := func(l layout) string {
		var b strings.Builder
		partial := func(rows string) {
			if b.Len() > 0 {
				b.WriteString(" UNION ALL ")
			}
			b.WriteString("SELECT t, t AS t2")
			for _, i := range channels {
				fmt.Fprintf(&b, ", v%[1]d AS lo%[1]d, v%[1]d AS hi%[1]d, v%[1]d AS f%[1]d, v%[1]d AS l%[1]d, (v%[1]d IS NOT NULL)::INTEGER AS n%[1]d", i)
			}
			b.WriteString(" FROM (" + rows + ")")
		}
		if from < lo {
			partial(raw(l, from, lo, ""))
		}
		if hi < to {
			partial(raw(l, hi, to, ""))
		}
		in2 := fmt.Sprintf("%s AND bucket >= make_timestamp(%d) AND bucket < make_timestamp(%d)", in, lo, hi)
		cols := "epoch_us(first_ts) AS t, epoch_us(last_ts) AS t2"
		for _, i := range channels {
			name := "value"
			if class != telemetry.Narrow {
				name = strings.Trim(exprs[i], `"`)
			}
			col := func(v string) string { return ident(rollupColumn(name, v)) }
			cols += fmt.Sprintf(", %[2]s AS lo%[1]d, %[3]s AS hi%[1]d, %[4]s AS f%[1]d, %[5]s AS l%[1]d, %[6]s AS n%[1]d", i, col("min"), col("max"), col("first"), col("last"), col("n"))
		}
		name := rollupName(class)
		sealed, hot := l, l.within(lo, hi)
		sealed.hot = nil
		hot.files = nil
		b.WriteString(" UNION ALL " + sealed.withinRollups(lo, hi).from(name, cols, fmt.Sprintf("step = %d AND %s", step, in2)))
		if len(hot.hot) > 0 {
			b.WriteString(" UNION ALL " + hot.from(name, cols, fmt.Sprintf("step = %d AND %s", min(step, step1m), in2)))
			for _, p := range hot.hot { // what came since the last rollup
				one := layout{s: s, hot: []*part{p}, hotRange: [][2]int64{{lo, hi}}}
				partial(raw(one, lo, hi, fmt.Sprintf(" AND rowid >= (SELECT coalesce(max(rolled_%d), 0) FROM store.parts WHERE part = %d)", class, p.id)))
			}
		}
		return strings.TrimPrefix(b.String(), " UNION ALL ")
	}
	return s.partialBuckets(ctx, out, channels, parts, from, width)
}

// scoredColumns are what names of what is scored may stand for, and the order of versions.
var scoredColumns = func() string {
	s := "tick, ord, state, health, confidence, time_left, time_left_low, time_left_high, layout, outputs"
	for _, name := range telemetry.Subsystems {
		s += ", health_" + name + ", confidence_" + name
	}
	return s
}()

// stepFor is the widest step of rollups, in seconds, of which two fit into a bucket; 0: none.
func stepFor(class telemetry.Class, width int64) int64 {
	for _, step := range []int64{step1h, step1m, step10s} {
		if width >= 2*step*1e6 && (step != step10s || class == telemetry.Fast) {
			return step
		}
	}
	return 0
}

// withinRollups leaves what may have buckets in [lo, hi): a bucket begins before its rows.
func (l layout) withinRollups(lo, hi int64) layout { return l.within(lo-step1h*1e6, hi) }

// buckets downsamples the columns v<i> over t of inner into out[i]: of each
// bucket the first, last, least and greatest value, as M4 does.
func (s *Store) buckets(ctx context.Context, out []storage.Series, channels []int, inner func(layout) string, from, width int64, args ...any) error {
	return s.fold(ctx, out, channels, func(l layout) string {
		var q strings.Builder
		fmt.Fprintf(&q, "SELECT (t - %d) // %d AS b", from, width)
		for _, i := range channels {
			fmt.Fprintf(&q, ", min(t) FILTER (v%[1]d IS NOT NULL), max(t) FILTER (v%[1]d IS NOT NULL), min(v%[1]d), max(v%[1]d), arg_min(v%[1]d, t), arg_max(v%[1]d, t), count(v%[1]d)", i)
		}
		return q.String() + " FROM (" + inner(l) + ") GROUP BY b ORDER BY b"
	}, args...)
}

// partialBuckets is buckets over partial aggregates: t, t2, and of each channel lo, hi, f, l, n.
func (s *Store) partialBuckets(ctx context.Context, out []storage.Series, channels []int, inner func(layout) string, from, width int64) error {
	return s.fold(ctx, out, channels, func(l layout) string {
		var q strings.Builder
		fmt.Fprintf(&q, "SELECT greatest(t - %d, 0) // %d AS b", from, width)
		for _, i := range channels {
			fmt.Fprintf(&q, ", min(t) FILTER (n%[1]d > 0), max(t2) FILTER (n%[1]d > 0), min(lo%[1]d), max(hi%[1]d), arg_min(f%[1]d, t), arg_max(l%[1]d, t2), sum(n%[1]d)::BIGINT", i)
		}
		return q.String() + " FROM (" + inner(l) + ") GROUP BY b ORDER BY b"
	})
}

func (s *Store) fold(ctx context.Context, out []storage.Series, channels []int, query func(layout) string, args ...any) error {
	var b int64
	t0, t1 := make([]*int64, len(channels)), make([]*int64, len(channels))
	lo, hi, first, last := make([]*float64, len(channels)), make([]*float64, len(channels)), make([]*float64, len(channels)), make([]*float64, len(channels))
	n := make([]int64, len(channels))
	dst := []any{&b}
	for k := range channels {
		dst = append(dst, &t0[k], &t1[k], &lo[k], &hi[k], &first[k], &last[k], &n[k])
	}
	err := s.ask(ctx, query, func(r *sql.Rows) error {
		if err := r.Scan(dst...); err != nil {
			return err
		}
		for k, i := range channels {
			if n[k] == 0 {
				continue
			}
			o := &out[i]
			o.T = append(o.T, *t0[k]*1000)
			o.TLast = append(o.TLast, *t1[k]*1000)
			o.Min = append(o.Min, *lo[k])
			o.Max = append(o.Max, *hi[k])
			o.First = append(o.First, *first[k])
			o.Last = append(o.Last, *last[k])
			o.N = append(o.N, n[k])
		}
		return nil
	}, args...)
	if err != nil {
		return fmt.Errorf("series: %w", err)
	}
	return nil
}

// scoreExpr returns the expression over store.scores that a name of what is scored stands for.
func (s *Store) scoreExpr(name string) (string, bool) {
	switch name {
	case "health", "confidence", "time_left", "time_left_low", "time_left_high":
		return name, true
	case "state":
		var b strings.Builder
		b.WriteString("CASE state")
		for i, st := range telemetry.States {
			fmt.Fprintf(&b, " WHEN %s THEN %d::DOUBLE", lit(st), i)
		}
		return b.String() + " END", true
	}
	for _, prefix := range []string{"health", "confidence"} {
		if sub, ok := strings.CutPrefix(name, prefix+"."); ok && slices.Contains(telemetry.Subsystems[:], sub) {
			return prefix + "_" + sub, true
		}
	}
	if !strings.Contains(name, ".") {
		return "", false
	}
	return s.outputExpr(name)
}

// outputExpr finds "model.output" or "model@version.output" in the layouts. Where a
// model runs twice, the one that is not a shadow is meant.
func (s *Store) outputExpr(name string) (string, bool) {
	s.names.RLock()
	count := len(s.byLayout)
	s.names.RUnlock()
	var b strings.Builder
	b.WriteString("CASE layout")
	found := false
	for l := range count {
		var names outputNames
		if s.layoutNames(int32(l), &names) != nil {
			continue // a layout of reasons
		}
		at, shadow, n := 0, true, 0
		for _, m := range names.Models {
			for _, o := range m.Outputs {
				n++
				if (at == 0 || shadow && !m.Shadow) && (telemetry.ModelName(m.Model)+"."+o == name || m.Model+"."+o == name) {
					at, shadow = n, m.Shadow
				}
			}
		}
		if at > 0 {
			fmt.Fprintf(&b, " WHEN %d THEN outputs[%d]", l, at)
			found = true
		}
	}
	b.WriteString(" END")
	return b.String(), found
}

func (s *Store) isRegistered(tag string) bool {
	s.names.RLock()
	defer s.names.RUnlock()
	_, ok := s.registered[strings.ToLower(tag)]
	return ok
}

func joinInts(list []int32) string {
	var b strings.Builder
	for i, n := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, n)
	}
	return b.String()
}
