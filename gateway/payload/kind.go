package payload

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/mudpulse/mudpulse/telemetry"
)

// A Kind is how a message is written.
type Kind string

// The kinds; docs/payloads.md describes each.
const (
	JSON        Kind = "json"
	Protobuf    Kind = "protobuf"
	ThingsBoard Kind = "thingsboard"
	AWS         Kind = "aws"
	SenML       Kind = "senml"
	CSV         Kind = "csv"
	WITS        Kind = "wits"
	Influx      Kind = "influx"
	Value       Kind = "value"
	Sparkplug   Kind = "sparkplug"
)

// Kinds are all of them.
var Kinds = []Kind{JSON, Protobuf, ThingsBoard, AWS, SenML, CSV, WITS, Influx, Value, Sparkplug}

// Options are what a kind may need to know.
type Options struct {
	Now     time.Time // for times that a message gives relative to now
	Columns []string  // CSV without a header line: ts, boot, seq, device, channels
	Field   bool      // WITS: values are in oilfield units, not metric ones
	Channel string    // Value: whose it is, which the topic says
	WITS    func(item string) (channel string, ok bool)

	Device, Boot string // what the sender called itself last: most often it is the same again
}

// Decode decodes one message of a kind other than Sparkplug, whose names stand
// in earlier messages. What is compressed with gzip or zstd is unpacked first.
func (d *Decoder) Decode(kind Kind, b []byte, o Options) ([]Item, *Error) {
	b, e := Unpack(b)
	if e != nil {
		return nil, e
	}
	switch kind {
	case JSON:
		return d.JSON(b)
	case Protobuf:
		d.proto.Device, d.proto.Boot = o.Device, o.Boot
		return d.Protobuf(b)
	}
	if len(b) > telemetry.MaxFrameBytes {
		return nil, &Error{TooLarge, "", fmt.Sprintf("%d bytes, at most %d are taken", len(b), telemetry.MaxFrameBytes), "send one second a message"}
	}
	d.reset()
	if kind == CSV {
		return d.csv(b, o)
	}
	var samples []Sample
	switch kind {
	case ThingsBoard:
		samples, e = thingsBoard(b)
	case AWS:
		samples, e = aws(b)
	case SenML:
		samples, e = senML(b, o.Now)
	case WITS:
		samples, e = wits(b, o)
	case Influx:
		samples, e = influx(b)
	case Value:
		samples, e = bare(b, o)
	default:
		panic("BUG: decode " + string(kind))
	}
	if e != nil {
		return nil, e
	}
	return d.Assemble(samples, b)
}

// Unpack returns b, unpacked if it is gzip or zstd, by its first bytes; no frame of
// ours begins so.
func Unpack(b []byte) ([]byte, *Error) {
	var r io.Reader
	switch {
	case bytes.HasPrefix(b, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, &Error{Malformed, "", "gzip: " + err.Error(), "send whole gzip (RFC 1952), or no compression"}
		}
		r = z
	case bytes.HasPrefix(b, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(8<<20))
		if err != nil {
			return nil, &Error{Malformed, "", "zstd: " + err.Error(), "send whole zstd (RFC 8878), or no compression"}
		}
		defer z.Close()
		r = z
	default:
		return b, nil
	}
	out, err := io.ReadAll(io.LimitReader(r, telemetry.MaxFrameBytes+1))
	switch {
	case len(out) > telemetry.MaxFrameBytes:
		return nil, &Error{TooLarge, "", fmt.Sprintf("unpacked, over %d bytes", telemetry.MaxFrameBytes), "send one second a message"}
	case err != nil:
		return nil, &Error{Malformed, "", "unpack: " + err.Error(), "send whole gzip or zstd, or no compression"}
	}
	return out, nil
}

// A Sample is one value as the looser kinds give it.
type Sample struct {
	Device  string
	Name    string
	Unit    string // as the message says; empty: it does not
	TS      int64  // Unix ns
	Untimed bool   // TS is not given
	History bool   // marked as backfill
	Dropped bool   // it could not be read: counted, no value
	Value   float64
	Quality telemetry.Quality
}

// Assemble makes frames of samples: one a device if each channel's samples are
// evenly spaced, as one second of a logger is; else one a device and time.
func (d *Decoder) Assemble(samples []Sample, raw []byte) ([]Item, *Error) {
	d.reset()
	if len(samples) > telemetry.MaxSamples {
		return nil, &Error{TooLarge, "values", fmt.Sprintf("more than %d samples in one message", telemetry.MaxSamples), "send one second a message"}
	}
	slices.SortStableFunc(samples, func(a, b Sample) int {
		return strings.Compare(a.Device, b.Device)
	})
	for len(samples) > 0 {
		n := 1
		for n < len(samples) && samples[n].Device == samples[0].Device {
			n++
		}
		if e := d.device(samples[:n:n], raw); e != nil {
			return nil, e
		}
		samples = samples[n:]
	}
	return d.items, nil
}

// device makes the frames of one device.
func (d *Decoder) device(samples []Sample, raw []byte) *Error {
	slices.SortStableFunc(samples, func(a, b Sample) int {
		switch {
		case a.TS < b.TS:
			return -1
		case a.TS > b.TS:
			return 1
		}
		return 0
	})
	if even(samples) {
		return d.frameOf(samples, raw)
	}
	for len(samples) > 0 {
		n := 1
		for n < len(samples) && samples[n].TS == samples[0].TS && samples[n].Untimed == samples[0].Untimed && samples[n].History == samples[0].History {
			n++
		}
		if len(d.items) == MaxFrames {
			return &Error{TooLarge, "", fmt.Sprintf("more than %d frames in one message", MaxFrames), "send fewer at once"}
		}
		if e := d.frameOf(samples[:n], raw); e != nil {
			return e
		}
		samples = samples[n:]
	}
	return nil
}

// even reports whether samples, in order of time, fit one frame.
func even(samples []Sample) bool {
	type spacing struct {
		last, every int64
		n           int
	}
	by := map[string]*spacing{}
	for _, s := range samples {
		if s.Untimed != samples[0].Untimed || s.History != samples[0].History || s.Unit != "" && s.Dropped {
			return false
		}
		c := by[s.Name]
		if c == nil {
			by[s.Name] = &spacing{last: s.TS, n: 1}
			continue
		}
		step := microseconds(s.TS) - microseconds(c.last)
		if step <= 0 || c.n > 1 && step != c.every {
			return false
		}
		c.last, c.every, c.n = s.TS, step, c.n+1
	}
	return len(samples) == 0 || samples[len(samples)-1].TS-samples[0].TS < maxSpan
}

// frameOf makes one frame; of samples of one channel and time the last counts.
func (d *Decoder) frameOf(samples []Sample, raw []byte) *Error {
	it := d.item()
	f := &it.Frame
	f.Device, f.TS, it.Raw = samples[0].Device, microseconds(samples[0].TS), raw
	f.Flags = telemetry.FlagUnnumbered
	if samples[0].Untimed {
		f.Flags |= telemetry.FlagUntimed
		f.TS = 0
	}
	if samples[0].History {
		f.Origin = telemetry.Backfill
	}
	var order []string
	runs := map[string]*telemetry.Run{}
	for _, s := range samples {
		if s.Dropped {
			it.drop(s.Name)
			continue
		}
		r := runs[s.Name]
		at := microseconds(s.TS) - f.TS
		if samples[0].Untimed {
			at = 0
		}
		switch {
		case r == nil:
			r = &telemetry.Run{Channel: s.Name, Offset: at}
			runs[s.Name] = r
			order = append(order, s.Name)
		case len(r.Values) == 1 && at == r.Offset:
			r.Values, r.Quality = r.Values[:0], r.Quality[:0]
		case len(r.Values) == 1:
			r.Every = at - r.Offset
		}
		r.Values, r.Quality = append(r.Values, s.Value), append(r.Quality, s.Quality)
		if s.Unit != "" {
			if it.Units == nil {
				it.Units = map[string]string{}
			}
			it.Units[s.Name] = s.Unit
		}
	}
	if len(order) > telemetry.MaxRuns {
		return &Error{TooLarge, "channels", fmt.Sprintf("more than %d in one frame", telemetry.MaxRuns), "send them in frames of their own"}
	}
	for _, name := range order {
		d.add(it, *runs[name])
	}
	return d.identity(f)
}
