package live

import (
	"encoding/binary"
	"math"

	"github.com/mudpulse/mudpulse/telemetry"
)

// maxPending bounds the buckets of one channel that wait for one client; of
// more, pairs become one.
const maxPending = 1200

// A readings collects one drill's samples for one client until the next message.
// Samples fall into buckets of event time with their extremes kept, so that a
// drill on a fast clock costs no more than one on a slow one.
type readings struct {
	sub      uint32 // the client's number for its wish
	drill    string
	channels []string
	index    map[string]int
	width    int64 // ns of event time
	columns  []column
	pending  bool
}

// A column is one channel: buckets that wait, ascending.
type column struct {
	last     int64 // newest sample taken; older and equal ones were sent
	any      bool
	quality  telemetry.Quality // of the newest
	width    int64             // ns; grows when too many wait
	t        []int64
	min, max []float64
}

// newReadings returns an empty collection. rate is that of the clock: at 1 every
// sample is its own bucket, beyond that a client gets 10 buckets a second of wall time.
func newReadings(drill string, channels []string, sub uint32, rate float64) *readings {
	width := int64(50e6)
	if rate > 1 {
		width = int64(100e6 * rate)
	}
	r := &readings{sub: sub, drill: drill, channels: channels, index: make(map[string]int, len(channels)), width: width, columns: make([]column, len(channels))}
	for i, c := range channels {
		r.index[c] = i
	}
	return r
}

// add takes the samples of f that the client wants and has not had.
func (r *readings) add(f *telemetry.Frame) {
	for i := range f.Runs {
		run := &f.Runs[i]
		k, ok := r.index[run.Channel]
		if !ok {
			continue
		}
		c := &r.columns[k]
		for j, v := range run.Values {
			t := run.Time(f.TS, j)
			if math.IsNaN(v) || c.any && t <= c.last {
				continue
			}
			c.add(t, v, max(c.width, r.width))
			c.quality = telemetry.Good
			if j < len(run.Quality) {
				c.quality = run.Quality[j]
			}
			r.pending = true
		}
	}
}

func (c *column) add(t int64, v float64, width int64) {
	c.last, c.any = t, true
	if n := len(c.t); n > 0 && floorDiv(c.t[n-1], width) == floorDiv(t, width) {
		c.min[n-1], c.max[n-1] = min(c.min[n-1], v), max(c.max[n-1], v)
		return
	}
	if len(c.t) >= maxPending {
		c.halve()
		c.width = 2 * width
	}
	c.t, c.min, c.max = append(c.t, t), append(c.min, v), append(c.max, v)
}

func (c *column) halve() {
	n := len(c.t) / 2
	for i := range n {
		c.t[i] = c.t[2*i]
		c.min[i], c.max[i] = min(c.min[2*i], c.min[2*i+1]), max(c.max[2*i], c.max[2*i+1])
	}
	c.t, c.min, c.max = c.t[:n], c.min[:n], c.max[:n]
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// take returns what waits as one message, nil if nothing does, and begins anew.
//
//	0  u8 version = 1 │ u8 kind = 1 │ u16 channels n │ u32 subscription │ f64 base, ms since the epoch
//	16 n × ( u16 index into the subscribed channels │ u16 rows m │ u32 quality of the newest │ m × f64 t − base, ms │ m × f64 min │ m × f64 max )
//
// All little endian.
func (r *readings) take() []byte {
	if !r.pending {
		return nil
	}
	r.pending = false
	n, size, base := 0, 16, int64(math.MaxInt64)
	for i := range r.columns {
		if m := len(r.columns[i].t); m > 0 {
			n++
			size += 8 + 24*m
			base = min(base, r.columns[i].t[0])
		}
	}
	le := binary.LittleEndian
	b := make([]byte, 0, size)
	b = append(b, 1, 1)
	b = le.AppendUint16(b, uint16(n))
	b = le.AppendUint32(b, r.sub)
	base -= base % 1e6 // whole ms: exact in a float64
	b = le.AppendUint64(b, math.Float64bits(float64(base/1e6)))
	for i := range r.columns {
		c := &r.columns[i]
		if len(c.t) == 0 {
			continue
		}
		b = le.AppendUint16(b, uint16(i))
		b = le.AppendUint16(b, uint16(len(c.t)))
		b = le.AppendUint32(b, uint32(c.quality))
		for _, t := range c.t {
			b = le.AppendUint64(b, math.Float64bits(float64(t-base)/1e6))
		}
		for _, v := range c.min {
			b = le.AppendUint64(b, math.Float64bits(v))
		}
		for _, v := range c.max {
			b = le.AppendUint64(b, math.Float64bits(v))
		}
		c.t, c.min, c.max, c.width = c.t[:0], c.min[:0], c.max[:0], 0
	}
	return b
}
