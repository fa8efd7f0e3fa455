package duckdb

import (
	"math"
	"slices"
	"strings"

	"github.com/mudpulse/mudpulse/storage/internal/ledger"
	"github.com/mudpulse/mudpulse/storage/internal/micros"
	"github.com/mudpulse/mudpulse/telemetry"
)

// us converts Unix ns to DuckDB's microseconds, flooring.
func us(ns int64) int64 { return micros.Floor(ns) }

// usOrNull is us, but NULL for 0, which is how records say "not known".
func usOrNull(ns int64) int64 {
	if ns == 0 {
		return null
	}
	return us(ns)
}

// where says in which table and column a tag's samples lie.
type where struct {
	class telemetry.Class
	col   int   // of the class, from 0
	ch    int32 // of the narrow table
}

// addFrame appends the frame's samples and its row of frames to the waiting rows.
func (s *Store) addFrame(f *telemetry.Frame, arrived, commit int64) {
	base, uid := ledger.SplitBoot(f.Boot)
	src := s.source(f.Drill, f.Device, base)
	at := us(arrived)
	present := 0
	p := s.partFor(f.TS)
	before := p.readingRows()

	var runs [5][]int
	for i := range f.Runs {
		w := s.where(f.Runs[i].Channel)
		runs[w.class] = append(runs[w.class], i)
	}
	for class := telemetry.Fast; class <= telemetry.Slow; class++ {
		if len(runs[class]) > 0 {
			present += s.addClass(p, p.t.class[class], f, runs[class], src, at)
		}
	}
	for _, i := range runs[telemetry.Waveform] {
		s.addWaveform(f, &f.Runs[i], src, uid, at, commit)
	}
	n := p.t.narrow
	hour := p.hourOf(f.TS)
	for _, i := range runs[telemetry.Narrow] {
		r := &f.Runs[i]
		w := s.where(r.Channel)
		for k, v := range r.Values {
			if v != v {
				continue
			}
			q := telemetry.Good
			if r.Quality != nil {
				q = r.Quality[k]
			}
			n.cols[0].i32 = append(n.cols[0].i32, src)
			n.cols[1].i32 = append(n.cols[1].i32, w.ch)
			n.cols[2].i64 = append(n.cols[2].i64, p.span(us(r.Time(f.TS, k))))
			n.cols[3].f64 = append(n.cols[3].f64, v)
			n.cols[4].u8 = append(n.cols[4].u8, q)
			n.cols[5].i64 = append(n.cols[5].i64, int64(f.Seq))
			n.cols[6].i32 = append(n.cols[6].i32, int32(f.Part))
			n.cols[7].i64 = append(n.cols[7].i64, at)
			n.cols[8].i32 = append(n.cols[8].i32, hour)
			n.n++
			present++
		}
	}

	c := p.t.frames.cols
	c[0].i32 = append(c[0].i32, src)
	c[1].i64 = append(c[1].i64, int64(f.Seq))
	c[2].i32 = append(c[2].i32, int32(f.Part))
	c[3].i64 = append(c[3].i64, int64(uid))
	c[4].i64 = append(c[4].i64, p.span(us(f.TS)))
	c[5].i64 = append(c[5].i64, us(f.End()))
	c[6].i64 = append(c[6].i64, us(f.Received))
	c[7].i64 = append(c[7].i64, at)
	c[8].u8 = append(c[8].u8, byte(f.Origin))
	sim := byte(0)
	if f.Simulated {
		sim = 1
	}
	c[9].u8 = append(c[9].u8, sim)
	c[10].i32 = append(c[10].i32, int32(f.Flags))
	c[11].i64 = append(c[11].i64, int64(f.Hash))
	c[12].text = append(c[12].text, f.Gateway)
	c[13].text = append(c[13].text, f.Topic)
	c[14].i32 = append(c[14].i32, int32(present))
	c[15].i32 = append(c[15].i32, int32(p.readingRows()-before)) // what the ledger counts again
	c[16].i64 = append(c[16].i64, commit)
	c[17].i32 = append(c[17].i32, hour)
	c[18].i32 = append(c[18].i32, s.places[f.Drill]) // which of its drill's frames in this commit: Replay's order
	s.places[f.Drill]++
	p.t.frames.n++
	s.book.note(p, src, base, f.Seq, false)
	s.pendingReadings += int64(present)
}

// addClass appends the runs of one class. Where two samples of a channel have
// the same time, the later run's counts.
func (s *Store) addClass(p *part, t *table, f *telemetry.Frame, runs []int, src int32, arrived int64) int {
	// The usual frame: all runs on one grid.
	times := s.times[:0]
	first := &f.Runs[runs[0]]
	same := true
	for _, i := range runs[1:] {
		r := &f.Runs[i]
		if r.Offset != first.Offset || r.Every != first.Every || len(r.Values) != len(first.Values) {
			same = false
			break
		}
	}
	if same && first.Every > 0 || len(first.Values) <= 1 && same {
		for k := range first.Values {
			times = append(times, first.Time(f.TS, k))
		}
	} else {
		same = false
		for _, i := range runs {
			r := &f.Runs[i]
			for k, v := range r.Values {
				if v == v {
					times = append(times, r.Time(f.TS, k))
				}
			}
		}
		slices.Sort(times)
		times = slices.Compact(times)
	}
	s.times = times
	n := len(times)
	if n == 0 {
		return 0
	}
	base := t.n
	c := t.cols
	hour := p.hourOf(f.TS)
	p.span(us(times[0]))
	p.span(us(times[n-1]))
	for _, at := range times {
		c[0].i32 = append(c[0].i32, src)
		c[1].i64 = append(c[1].i64, us(at))
		c[2].i64 = append(c[2].i64, int64(f.Seq))
		c[3].i32 = append(c[3].i32, int32(f.Part))
		c[4].i64 = append(c[4].i64, arrived)
		c[5].text = append(c[5].text, "")
		c[6].i32 = append(c[6].i32, hour)
	}
	for _, col := range c[readingMeta:] {
		m := len(col.f64)
		col.f64 = slices.Grow(col.f64, n)[:m+n]
		for k := m; k < m+n; k++ {
			col.f64[k] = math.NaN()
		}
	}
	t.n += n
	present := 0
	for _, i := range runs {
		r := &f.Runs[i]
		w := s.where(r.Channel)
		col := c[readingMeta+w.col]
		for k, v := range r.Values {
			if v != v {
				continue
			}
			row := k
			if !same {
				row, _ = slices.BinarySearch(times, r.Time(f.TS, k))
			}
			if old := col.f64[base+row]; old != old {
				present++
			}
			col.f64[base+row] = v
			if r.Quality != nil && r.Quality[k] != telemetry.Good {
				setQuality(&c[5].text[base+row], len(c)-readingMeta, w.col, r.Quality[k])
			}
		}
	}
	return present
}

// setQuality writes channel col's digit into a row's quality word: a digit per
// channel of the class in the table's order, NULL where all are good.
func setQuality(word *string, channels, col int, q telemetry.Quality) {
	b := []byte(*word)
	if len(b) == 0 {
		b = []byte(strings.Repeat("0", channels))
	}
	b[col] = '0' + min(q, 9)
	*word = string(b)
}
