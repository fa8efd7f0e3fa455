package duckdb

import (
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// A sampling is how many of a frame's channels have how many samples a second.
type sampling struct{ channels, hz int }

// samplings are the default profile's 24 channels and, up to n, more at 1 Hz, as a site's own are.
func samplings(n int) []sampling { return []sampling{{8, 10}, {8, 2}, {8, 1}, {n - 24, 1}} }

// A laid is a layout that is measured: tables, and how a frame becomes rows of them.
type laid struct {
	tables []*table
	add    func(src int32, second int64, value func(channel int) float64)
}

func (l *laid) meta(t *table, src int32, at int64) {
	t.cols[0].i32, t.cols[1].i64 = append(t.cols[0].i32, src), append(t.cols[1].i64, at)
	t.n++
}

func columnsFor(from, n int) []*column {
	cols := []*column{i32("src"), stamp("ts")}
	for c := range n {
		cols = append(cols, f64(fmt.Sprintf("c%03d", from+c)))
	}
	return cols
}

// oneWide has a row per 100 ms and a column per channel.
func oneWide(n int) *laid {
	t := newTable("wide", columnsFor(0, n)...)
	l := &laid{tables: []*table{t}}
	l.add = func(src int32, second int64, value func(int) float64) {
		for k := range 10 {
			l.meta(t, src, second*1e6+int64(k)*1e5)
			c := 0
			for _, s := range samplings(n) {
				for range s.channels {
					v := math.NaN()
					if k%(10/s.hz) == 0 {
						v = value(c)
					}
					t.cols[2+c].f64 = append(t.cols[2+c].f64, v)
					c++
				}
			}
		}
	}
	return l
}

// byRate has a table per rate, of at most 64 columns, and what is beyond the first 24 channels in such tables, or in one narrow table.
func byRate(n int, narrow bool) *laid {
	l := &laid{}
	var parts []struct {
		t        *table
		from, hz int
	}
	from := 0
	var rest *table
	for i, s := range samplings(n) {
		if i == 3 && narrow {
			rest = newTable("rest", i32("src"), stamp("ts"), i32("ch"), f64("value"))
			l.tables = append(l.tables, rest)
			break
		}
		for left := s.channels; left > 0; left -= 64 {
			m := min(64, left)
			t := newTable(fmt.Sprintf("rate%d", len(l.tables)), columnsFor(from, m)...)
			parts = append(parts, struct {
				t        *table
				from, hz int
			}{t, from, s.hz})
			l.tables = append(l.tables, t)
			from += m
		}
	}
	l.add = func(src int32, second int64, value func(int) float64) {
		for _, p := range parts {
			for k := range p.hz {
				l.meta(p.t, src, second*1e6+int64(k)*1e6/int64(p.hz))
				for c := range p.t.cols[2:] {
					p.t.cols[2+c].f64 = append(p.t.cols[2+c].f64, value(p.from+c))
				}
			}
		}
		for c := 24; rest != nil && c < n; c++ {
			l.meta(rest, src, second*1e6)
			rest.cols[2].i32, rest.cols[3].f64 = append(rest.cols[2].i32, int32(c)), append(rest.cols[3].f64, value(c))
		}
	}
	return l
}

// allNarrow has a row per sample.
func allNarrow(n int) *laid {
	t := newTable("narrow", i32("src"), stamp("ts"), i32("ch"), f64("value"))
	l := &laid{tables: []*table{t}}
	l.add = func(src int32, second int64, value func(int) float64) {
		c := 0
		for _, s := range samplings(n) {
			for range s.channels {
				for k := range s.hz {
					l.meta(t, src, second*1e6+int64(k)*1e6/int64(s.hz))
					t.cols[2].i32, t.cols[3].f64 = append(t.cols[2].i32, int32(c)), append(t.cols[3].f64, value(c))
				}
				c++
			}
		}
	}
	return l
}

// BenchmarkLayout is what ADR 13 chose from. One operation is one frame; run it with
// -benchtime 8000x, so that every layout takes the same frames.
func BenchmarkLayout(b *testing.B) {
	for _, n := range []int{24, 100, 400} {
		for _, layout := range []struct {
			name string
			make func() *laid
		}{
			{"one-wide-table", func() *laid { return oneWide(n) }},
			{"tables-by-rate", func() *laid { return byRate(n, false) }},
			{"by-rate-and-narrow-rest", func() *laid { return byRate(n, true) }},
			{"all-narrow", func() *laid { return allNarrow(n) }},
		} {
			b.Run(fmt.Sprintf("%d/%s", n, layout.name), func(b *testing.B) { benchLayout(b, n, layout.make()) })
		}
	}
}

func benchLayout(b *testing.B, n int, l *laid) {
	cfg := DefaultConfig(b.TempDir())
	cfg.Memory = 1 << 30 // a commit of 2,000 frames of 400 columns does not fit into 256 MB
	s, err := Open(cfg, telemetry.DefaultCatalogue(), telemetry.NewManualClock(time.Unix(0, t0)), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	for _, t := range l.tables {
		if err := s.exec(t.create("CREATE TABLE")); err != nil {
			b.Fatal(err)
		}
		if err := t.open(s.conn); err != nil {
			b.Fatal(err)
		}
		defer t.close()
	}
	if err := s.exec("CHECKPOINT"); err != nil {
		b.Fatal(err)
	}
	before := size(filepath.Join(s.cfg.Dir, "mudpulse.duckdb"))
	readings := 0
	for _, p := range samplings(n) {
		readings += p.channels * p.hz
	}
	const drills, batch = 500, 2000
	rng := rand.New(rand.NewPCG(7, 7))
	spent := func() time.Duration {
		var r syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	perFrame := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / float64(b.N) }
	var commit time.Duration
	for done := 0; done < b.N; {
		for k := 0; k < batch && done < b.N; k, done = k+1, done+1 {
			second, src := int64(done/drills), int32(done%drills)
			l.add(src, t0/1e9+second, func(c int) float64 {
				return math.Round(1000+100*math.Sin(float64(second)/97+float64(src)+float64(c))+2*rng.NormFloat64()) / 10
			})
		}
		from := spent()
		if err := s.exec("BEGIN TRANSACTION"); err != nil {
			b.Fatal(err)
		}
		for _, t := range l.tables {
			if err := t.flush(s.conn); err != nil {
				b.Fatal(err)
			}
			t.reset()
		}
		if err := s.exec("COMMIT"); err != nil {
			b.Fatal(err)
		}
		commit += spent() - from
	}
	from := spent()
	if err := s.exec("CHECKPOINT"); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(perFrame(commit), "append-CPU-µs/frame")
	b.ReportMetric(perFrame(spent()-from), "checkpoint-CPU-µs/frame")
	b.ReportMetric(float64(size(filepath.Join(s.cfg.Dir, "mudpulse.duckdb"))-before)/float64(b.N*readings), "hot-B/reading")
	from = spent()
	sealed := int64(0)
	for _, t := range l.tables {
		path := filepath.Join(s.cfg.Dir, t.name+".parquet")
		if err := s.exec(fmt.Sprintf("COPY (SELECT * FROM store.%s ORDER BY ALL) TO %s (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v1, ROW_GROUP_SIZE 122880)", t.name, lit(path))); err != nil {
			b.Fatal(err)
		}
		fi, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		sealed += fi.Size()
	}
	b.ReportMetric(perFrame(spent()-from), "seal-CPU-µs/frame")
	b.ReportMetric(float64(sealed)/float64(b.N*readings), "sealed-B/reading")
}
