package feature

import (
	"encoding/binary"
	"math"
)

// Samples in bytes, most of a state: what a sensor sends at a resolution is
// written as whole numbers of steps, and times as patterns, each to the bit or
// not at all.
//
//	seconds = runs{ n · { first · stride · count · k · times } } · values
//	times   = 1 · ns of the first · ns between · |  0 · k × float
//	values  = scale · ( 0: { float } | n: base · width · planes of (k_i − k_{i−1}), zigzag )
//
// A run is count seconds, stride apart, with k samples each at the same times.
// Integers are varints, floats 8 bytes little endian. The planes of differences
// lie apart, low bytes first: so a packer finds them.

// scales are steps per unit that sensors are rounded to; a value is k / scale, or
// k × step for those that are no whole number.
var scales = [...]struct {
	per  float64
	step float64 // 0: k / per
}{{1, 0}, {10, 0}, {100, 0}, {1000, 0}, {2, 0}, {5, 0}, {20, 0}, {50, 0}, {200, 0}, {500, 0}, {2000, 0}, {1e4, 0}, {1e5, 0}, {1e6, 0},
	{0.1, 10}, {0.01, 100}, {0.001, 1000}, {0.2, 5}, {0.02, 50}, {0.002, 500}, {10, 0.1}, {100, 0.01}, {1000, 0.001}, {5, 0.2}, {20, 0.05}, {50, 0.02}}

const mostSteps = 1 << 40 // beyond, whole numbers are no shorter than floats

// steps writes v as whole numbers of a scale, false if one is none.
func steps(k []int64, v []float64, scale int) bool {
	s := &scales[scale]
	if s.step != 0 {
		for i, x := range v {
			n := int64(math.RoundToEven(x * s.per))
			if math.Float64bits(float64(n)*s.step) != math.Float64bits(x) || n > mostSteps || n < -mostSteps {
				return false
			}
			k[i] = n
		}
		return true
	}
	for i, x := range v {
		n := int64(math.RoundToEven(x * s.per))
		if math.Float64bits(float64(n)/s.per) != math.Float64bits(x) || n > mostSteps || n < -mostSteps {
			return false
		}
		k[i] = n
	}
	return true
}

// A packer's room is used again for each channel.
type packer struct {
	v []float64
	k []int64
}

// seconds appends secs, ascending, all with samples.
func (p *packer) seconds(b []byte, secs []*second) []byte {
	at := len(b)
	b = append(b, 0, 0, 0, 0) // how many runs
	runs := uint32(0)
	p.v = p.v[:0]
	for i := 0; i < len(secs); runs++ {
		first, j := secs[i], i+1
		stride := int64(1)
		if j < len(secs) && sameTimes(first.samples, secs[j].samples) {
			stride = secs[j].at - first.at
			for j < len(secs) && secs[j].at-secs[j-1].at == stride && sameTimes(first.samples, secs[j].samples) {
				j++
			}
		}
		b = binary.AppendVarint(b, first.at)
		b = binary.AppendVarint(b, stride)
		b = binary.AppendUvarint(b, uint64(j-i))
		b = binary.AppendUvarint(b, uint64(len(first.samples)))
		b = appendTimes(b, first.samples)
		for ; i < j; i++ {
			for k := range secs[i].samples {
				p.v = append(p.v, secs[i].samples[k].v)
			}
		}
	}
	binary.LittleEndian.PutUint32(b[at:], runs)
	return p.values(b)
}

func sameTimes(a, b []sample) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].t != b[i].t {
			return false
		}
	}
	return true
}

func appendTimes(b []byte, xs []sample) []byte {
	from := int64(math.RoundToEven(xs[0].t * 1e9))
	every := int64(0)
	if len(xs) > 1 {
		every = int64(math.RoundToEven(xs[1].t*1e9)) - from
	}
	for i := range xs {
		if float64(from+int64(i)*every)/1e9 != xs[i].t {
			b = append(b, 0)
			for i := range xs {
				b = binary.LittleEndian.AppendUint64(b, math.Float64bits(xs[i].t))
			}
			return b
		}
	}
	b = append(b, 1)
	return binary.AppendVarint(binary.AppendVarint(b, from), every)
}

func (p *packer) values(b []byte) []byte {
	n := len(p.v)
	if cap(p.k) < n {
		p.k = make([]int64, n)
	}
	k := p.k[:n]
	for scale := range scales {
		if n == 0 || !steps(k[:1], p.v[n-1:], scale) || !steps(k, p.v, scale) {
			continue
		}
		b = append(b, byte(1+scale))
		b = binary.AppendVarint(b, k[0])
		var all uint64
		for i := n - 1; i > 0; i-- {
			d := k[i] - k[i-1]
			z := uint64(d<<1) ^ uint64(d>>63)
			all |= z
			k[i] = int64(z)
		}
		width := 0
		for ; all != 0; all >>= 8 {
			width++
		}
		b = append(b, byte(width))
		for w := range width {
			for _, z := range k[1:] {
				b = append(b, byte(uint64(z)>>(8*w)))
			}
		}
		return b
	}
	b = append(b, 0)
	for _, v := range p.v {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// An unpacker reads what a packer wrote; all is checked.
type unpacker struct {
	runs []packedRun
	v    []float64
}

type packedRun struct {
	first, stride int64
	count, k      int
	t             []float64 // of each of the k
}

func (u *unpacker) seconds(r *reader) bool {
	u.runs, u.v = u.runs[:0], u.v[:0]
	if len(r.b) < 4 {
		return false
	}
	runs := binary.LittleEndian.Uint32(r.b)
	r.b = r.b[4:]
	if uint64(runs) > uint64(len(r.b)/5) {
		return false
	}
	total := 0
	for range runs {
		x := packedRun{first: r.varint(), stride: r.varint()}
		count, k := r.uvarint(), r.uvarint()
		if count < 1 || count > 1<<16 || k < 1 || k > maxSamples || r.bad || len(r.b) == 0 {
			return false
		}
		x.count, x.k = int(count), int(k)
		regular := r.b[0] == 1
		r.b = r.b[1:]
		if regular {
			from, every := r.varint(), r.varint()
			for i := range k {
				x.t = append(x.t, float64(from+int64(i)*every)/1e9)
			}
		} else {
			for range k {
				x.t = append(x.t, r.float())
			}
		}
		if r.bad {
			return false
		}
		total += x.count * x.k
		if total > 1<<20 {
			return false
		}
		u.runs = append(u.runs, x)
	}
	return u.values(r, total)
}

func (u *unpacker) values(r *reader, n int) bool {
	if len(r.b) == 0 {
		return false
	}
	scale := int(r.b[0]) - 1
	r.b = r.b[1:]
	if scale < 0 {
		if len(r.b)/8 < n {
			return false
		}
		for range n {
			u.v = append(u.v, r.float())
		}
		return true
	}
	if scale >= len(scales) || n == 0 {
		return false
	}
	s := &scales[scale]
	k := r.varint()
	if r.bad || len(r.b) == 0 {
		return false
	}
	width := int(r.b[0])
	r.b = r.b[1:]
	if width > 8 || len(r.b) < width*(n-1) {
		return false
	}
	for i := range n {
		if i > 0 {
			var z uint64
			for w := range width {
				z |= uint64(r.b[w*(n-1)+i-1]) << (8 * w)
			}
			k += int64(z>>1) ^ -int64(z&1)
		}
		if s.step != 0 {
			u.v = append(u.v, float64(k)*s.step)
		} else {
			u.v = append(u.v, float64(k)/s.per)
		}
	}
	r.b = r.b[width*(n-1):]
	return true
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}
