package telemetry

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// MaxFrameBytes bounds one encoded frame; a larger one is refused.
const MaxFrameBytes = 1 << 20

// Limits of one frame: what a decoder takes before it refuses.
const (
	MaxRuns    = 512
	MaxSamples = 65536 // of all runs together
)

// A Decoder decodes frames without allocating per reading: it keeps the
// strings it has seen and reuses the frame's memory. One goroutine.
type Decoder struct {
	// Device and Boot are tried before the table: what the sender said last.
	Device, Boot string

	names map[string]string
	order []string  // channel of the nth run of the frame before: most often it is the same again
	f     []float64 // arena of values
	q     []Quality
}

// intern returns b as a string, allocated once for each value. The table is
// dropped when a stranger fills it.
func (d *Decoder) intern(b []byte) string {
	if s, ok := d.names[string(b)]; ok {
		return s
	}
	if d.names == nil || len(d.names) >= 1<<16 {
		d.names = make(map[string]string, 64)
	}
	s := string(b)
	d.names[s] = s
	return s
}

// channel returns the name of the nth run.
func (d *Decoder) channel(n int, b []byte) string {
	if n < len(d.order) && d.order[n] == string(b) {
		return d.order[n]
	}
	s := d.intern(b)
	switch {
	case n < len(d.order):
		d.order[n] = s
	case n == len(d.order):
		d.order = append(d.order, s)
	}
	return s
}

// AppendFrame appends f in protobuf (proto/telemetry.proto, Frame).
func AppendFrame(b []byte, f *Frame) []byte {
	b = appendString(b, 1, f.Drill)
	b = appendString(b, 2, f.Device)
	b = appendString(b, 3, f.Boot)
	b = appendUint(b, 4, f.Seq)
	b = appendUint(b, 5, uint64(f.Part))
	b = appendFixed(b, 6, uint64(f.TS))
	for i := range f.Runs {
		r := &f.Runs[i]
		n := sizeRun(r)
		b = append(b, 7<<3|2)
		b = binary.AppendUvarint(b, uint64(n))
		b = appendString(b, 1, r.Channel)
		b = appendUint(b, 2, protowire.EncodeZigZag(r.Offset))
		b = appendUint(b, 3, protowire.EncodeZigZag(r.Every))
		if len(r.Values) > 0 {
			b = append(b, 4<<3|2)
			b = binary.AppendUvarint(b, uint64(8*len(r.Values)))
			at := len(b)
			b = slices.Grow(b, 8*len(r.Values))[:at+8*len(r.Values)]
			for i, v := range r.Values {
				binary.LittleEndian.PutUint64(b[at+8*i:], math.Float64bits(v))
			}
		}
		if len(r.Quality) > 0 {
			b = append(b, 5<<3|2)
			b = binary.AppendUvarint(b, uint64(len(r.Quality)))
			b = append(b, r.Quality...)
		}
	}
	b = appendUint(b, 8, uint64(f.Origin))
	if f.Simulated {
		b = append(b, 9<<3, 1)
	}
	b = appendUint(b, 10, uint64(f.Flags))
	b = appendString(b, 11, f.Gateway)
	b = appendFixed(b, 12, uint64(f.Received))
	b = appendFixed(b, 13, f.Hash)
	b = appendString(b, 14, f.Topic)
	if f.Flags&FlagUnnumbered == 0 {
		b = append(b, 15<<3, 1)
	}
	return b
}

func sizeRun(r *Run) int {
	n := 0
	if l := len(r.Channel); l > 0 {
		n += 1 + protowire.SizeBytes(l)
	}
	if r.Offset != 0 {
		n += 1 + protowire.SizeVarint(protowire.EncodeZigZag(r.Offset))
	}
	if r.Every != 0 {
		n += 1 + protowire.SizeVarint(protowire.EncodeZigZag(r.Every))
	}
	if l := len(r.Values); l > 0 {
		n += 1 + protowire.SizeBytes(8*l)
	}
	if l := len(r.Quality); l > 0 {
		n += 1 + protowire.SizeBytes(l)
	}
	return n
}

// Decode reads one frame into f. Its values and qualities lie in the decoder's
// memory and are valid until the next Decode; Clone keeps them.
func (d *Decoder) Decode(b []byte, f *Frame) error {
	if len(b) > MaxFrameBytes {
		return fmt.Errorf("frame: %d bytes, at most %d are taken: send one second a frame", len(b), MaxFrameBytes)
	}
	f.Reset()
	d.f, d.q = d.f[:0], d.q[:0]
	f.Flags |= FlagUnnumbered
	for len(b) > 0 {
		num, typ, n := consumeTag(b)
		if n < 0 {
			return wireError("frame", 0, n)
		}
		b = b[n:]
		var v uint64
		var s []byte
		switch typ {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			v, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			s, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return wireError("frame", num, n)
		}
		b = b[n:]
		if int(num) < len(frameTypes) && frameTypes[num] != typ {
			return fmt.Errorf("frame: field %d has wire type %d, not %d", num, typ, frameTypes[num])
		}
		switch num {
		case 1:
			f.Drill = d.intern(s)
		case 2:
			if f.Device = d.Device; f.Device != string(s) {
				f.Device = d.intern(s)
			}
		case 3:
			if f.Boot = d.Boot; f.Boot != string(s) {
				f.Boot = d.intern(s)
			}
		case 4:
			f.Seq = v
		case 5:
			f.Part = uint32(v)
		case 6:
			f.TS = int64(v)
		case 7:
			if len(f.Runs) == MaxRuns {
				return fmt.Errorf("frame: more than %d runs", MaxRuns)
			}
			i := len(f.Runs)
			f.Runs = append(f.Runs, Run{})
			if err := d.run(s, i, &f.Runs[i]); err != nil {
				return fmt.Errorf("frame: run %d: %w", i, err)
			}
		case 8:
			f.Origin = Origin(v)
		case 9:
			f.Simulated = v != 0
		case 10:
			f.Flags = f.Flags&FlagUnnumbered | Flag(v)
		case 11:
			f.Gateway = d.intern(s)
		case 12:
			f.Received = int64(v)
		case 13:
			f.Hash = v
		case 14:
			f.Topic = d.intern(s)
		case 15:
			if v != 0 {
				f.Flags &^= FlagUnnumbered
			}
		}
	}
	return nil
}

var frameTypes = [...]protowire.Type{ // every number below its length is a field
	1: protowire.BytesType, 2: protowire.BytesType, 3: protowire.BytesType, 4: protowire.VarintType, 5: protowire.VarintType,
	6: protowire.Fixed64Type, 7: protowire.BytesType, 8: protowire.VarintType, 9: protowire.VarintType, 10: protowire.VarintType,
	11: protowire.BytesType, 12: protowire.Fixed64Type, 13: protowire.Fixed64Type, 14: protowire.BytesType, 15: protowire.VarintType,
}

// run reads the nth run.
func (d *Decoder) run(b []byte, nth int, r *Run) error {
	for len(b) > 0 {
		num, typ, n := consumeTag(b)
		if n < 0 {
			return wireError("run", 0, n)
		}
		b = b[n:]
		switch {
		case num == 1 && typ == protowire.BytesType:
			s, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return wireError("channel", num, n)
			}
			r.Channel, b = d.channel(nth, s), b[n:]
		case (num == 2 || num == 3) && typ == protowire.VarintType:
			v, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return wireError("offset or every", num, n)
			}
			if num == 2 {
				r.Offset = protowire.DecodeZigZag(v)
			} else {
				r.Every = protowire.DecodeZigZag(v)
			}
			b = b[n:]
		case num == 4 && typ == protowire.BytesType:
			s, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return wireError("values", num, n)
			}
			if len(s)%8 != 0 {
				return fmt.Errorf("values: %d bytes are no whole number of doubles", len(s))
			}
			if len(d.f)+len(s)/8 > MaxSamples {
				return fmt.Errorf("values: more than %d samples in the frame", MaxSamples)
			}
			if len(r.Values) > 0 {
				return fmt.Errorf("values: given twice")
			}
			from := len(d.f)
			d.f = slices.Grow(d.f, len(s)/8)[:from+len(s)/8]
			r.Values, b = d.f[from:len(d.f):len(d.f)], b[n:]
			for i := range r.Values {
				r.Values[i] = math.Float64frombits(binary.LittleEndian.Uint64(s[8*i:]))
			}
		case num == 5 && typ == protowire.BytesType:
			s, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return wireError("quality", num, n)
			}
			if len(s) > MaxSamples || len(d.q)+len(s) > MaxSamples {
				return fmt.Errorf("quality: more than %d samples in the frame", MaxSamples)
			}
			from := len(d.q)
			d.q = append(d.q, s...)
			r.Quality, b = d.q[from:len(d.q):len(d.q)], b[n:]
		case num <= 5:
			return fmt.Errorf("field %d has wire type %d", num, typ)
		default:
			n := protowire.ConsumeFieldValue(num, typ, b)
			if n < 0 {
				return wireError("unknown field", num, n)
			}
			b = b[n:]
		}
	}
	if len(r.Quality) > 0 && len(r.Quality) != len(r.Values) {
		return fmt.Errorf("channel %q: %d qualities for %d values", r.Channel, len(r.Quality), len(r.Values))
	}
	if r.Quality != nil && len(r.Quality) == 0 {
		r.Quality = nil
	}
	return nil
}

// Clone returns a copy of f that shares no memory with a decoder.
func (f *Frame) Clone() *Frame {
	c := *f
	n := 0
	for i := range f.Runs {
		n += len(f.Runs[i].Values)
	}
	values := make([]float64, 0, n)
	c.Runs = make([]Run, len(f.Runs))
	for i, r := range f.Runs {
		from := len(values)
		values = append(values, r.Values...)
		r.Values = values[from:len(values):len(values)]
		if r.Quality != nil {
			r.Quality = append([]Quality(nil), r.Quality...)
		}
		c.Runs[i] = r
	}
	return &c
}

func wireError(what string, num protowire.Number, n int) error {
	return fmt.Errorf("%s: field %d: not protobuf: %w", what, num, protowire.ParseError(n))
}

// consumeTag reads a tag, which is one byte for the numbers below 16.
func consumeTag(b []byte) (protowire.Number, protowire.Type, int) {
	if len(b) > 0 && b[0] >= 1<<3 && b[0] < 0x80 {
		return protowire.Number(b[0] >> 3), protowire.Type(b[0] & 7), 1
	}
	return protowire.ConsumeTag(b)
}

// appendTag appends a tag, which is one byte for the numbers below 16.
func appendTag(b []byte, num protowire.Number, typ protowire.Type) []byte {
	if num < 16 {
		return append(b, byte(num)<<3|byte(typ))
	}
	return protowire.AppendTag(b, num, typ)
}

func appendString(b []byte, num protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	b = appendTag(b, num, protowire.BytesType)
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendUint(b []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return binary.AppendUvarint(appendTag(b, num, protowire.VarintType), v)
}

func appendFixed(b []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return binary.LittleEndian.AppendUint64(appendTag(b, num, protowire.Fixed64Type), v)
}

func appendDouble(b []byte, num protowire.Number, v float64) []byte {
	return appendFixed(b, num, math.Float64bits(v))
}
