// Package payload decodes what devices send into frames. For JSON and protobuf of
// ours a decoder allocates nothing per reading; all kinds are bounded in what they take.
package payload

import (
	"math"
	"strings"

	"github.com/mudpulse/mudpulse/telemetry"
)

// Codes of an Error, as in telemetry.Quarantined.
const (
	Malformed  = "malformed"   // it cannot be read at all
	WrongShape = "wrong_shape" // it can be read, but is not a frame
	TooLarge   = "too_large"   // beyond a limit
)

// MaxFrames bounds the frames of one message.
const MaxFrames = 4096

// An Error says what is wrong with a message or with one run of it, where, and
// what to do about it.
type Error struct {
	Code    string `json:"code"`
	Field   string `json:"field,omitempty"` // JSON path, or "byte 17"
	Message string `json:"message"`
	Cure    string `json:"cure"`
}

func (e *Error) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// An Item is one frame of a message. Everything in it is valid until the
// decoder's next message.
type Item struct {
	Frame   telemetry.Frame   // Drill is empty in JSON; Flags may hold FlagUnnumbered and FlagUntimed
	Raw     []byte            // the bytes of this frame within the message
	Dropped int               // samples that could not be read
	Unread  string            // the first channel that had such
	Aside   []Error           // runs that are no runs; the rest goes on
	Units   map[string]string // of runs, by name, where the message gives them
}

// A Decoder decodes messages. One goroutine.
type Decoder struct {
	names  map[string]string
	items  []Item
	values []float64
	q      []telemetry.Quality
	proto  telemetry.Decoder

	b       []byte // the message
	i       int    // next byte
	depth   int
	channel string // whose samples are read
}

// intern returns b as a string, allocated once for each value.
func (d *Decoder) intern(b []byte) string {
	if s, ok := d.names[string(b)]; ok {
		return s
	}
	if d.names == nil || len(d.names) >= 1<<14 {
		d.names = make(map[string]string, 64)
	}
	s := string(b)
	if len(s) <= 64 {
		d.names[s] = s
	}
	return s
}

func (d *Decoder) reset() {
	d.items, d.values, d.q = d.items[:0], d.values[:0], d.q[:0]
}

// item opens the next frame of the message.
func (d *Decoder) item() *Item {
	n := len(d.items)
	if n < cap(d.items) {
		d.items = d.items[:n+1]
		it := &d.items[n]
		it.Frame.Reset()
		it.Aside, it.Raw, it.Dropped, it.Unread, it.Units = it.Aside[:0], nil, 0, "", nil
		return it
	}
	d.items = append(d.items, Item{})
	return &d.items[n]
}

// Protobuf decodes one frame (telemetry/proto, Frame). Fields that a gateway
// sets are cleared.
func (d *Decoder) Protobuf(b []byte) ([]Item, *Error) {
	d.reset()
	it := d.item()
	f := &it.Frame
	if err := d.proto.Decode(b, f); err != nil {
		code := Malformed
		if len(b) > telemetry.MaxFrameBytes {
			code = TooLarge
		}
		return nil, &Error{Code: code, Message: err.Error(), Cure: "send a Frame of telemetry.proto, one second a message, on …/frames.pb, and JSON on …/frames"}
	}
	it.Raw = b
	f.Part, f.Gateway, f.Received, f.Hash, f.Topic = 0, "", 0, 0, ""
	if f.Origin != telemetry.Backfill {
		f.Origin = telemetry.Live
	}
	unnumbered := f.Flags&telemetry.FlagUnnumbered != 0 && f.Boot == ""
	f.Flags = 0
	if unnumbered {
		f.Flags |= telemetry.FlagUnnumbered
		f.Seq = 0
	}
	if f.TS == 0 {
		f.Flags |= telemetry.FlagUntimed
	}
	f.TS = microseconds(f.TS)
	runs := f.Runs
	f.Runs = f.Runs[:0]
	for i := range runs {
		d.add(it, runs[i])
	}
	if e := d.identity(f); e != nil {
		return nil, e
	}
	return d.items, nil
}

// add appends a run to the frame of it: sentinels become absent, a run
// without a sample is left out, one that is none is set aside. Its memory may
// be reused by a later run.
func (d *Decoder) add(it *Item, r telemetry.Run) {
	present := false
	for i, v := range r.Values {
		if v == -999.25 || v == -9999 || v-v != 0 {
			r.Values[i] = math.NaN()
		} else {
			present = true
		}
	}
	if !present {
		return
	}
	r.Offset = microseconds(r.Offset)
	if r.Every >= 1e6 || r.Every < 0 { // below a millisecond: a waveform, whose spacing is exact
		r.Every = microseconds(r.Every)
	}
	good := true
	for _, q := range r.Quality {
		if q > telemetry.Estimated {
			it.Aside = append(it.Aside, Error{WrongShape, path(r.Channel) + ".q", "quality " + string('0'+q%10) + " is none of 0 good, 1 stale, 2 out of range, 3 estimated", "send one of these digits a sample, or no q"})
			return
		}
		good = good && q == telemetry.Good
	}
	if good {
		r.Quality = nil
	}
	switch {
	case len(r.Values) == 1:
		r.Every = 0
	case r.Every <= 0:
		it.Aside = append(it.Aside, Error{WrongShape, path(r.Channel) + ".every_ms", "a run of several samples needs the time between them", "add every_ms, positive, to the run"})
		return
	case r.Every > maxSpan/int64(len(r.Values)):
		it.Aside = append(it.Aside, Error{WrongShape, path(r.Channel) + ".every_ms", "the run lasts longer than a day", "send one second a frame"})
		return
	}
	if r.Offset > maxSpan || r.Offset < -maxSpan {
		it.Aside = append(it.Aside, Error{WrongShape, path(r.Channel) + ".offset_ms", "lies more than a day from the frame's ts", "send the run in a frame of its own time"})
		return
	}
	it.Frame.Runs = append(it.Frame.Runs, r)
}

// drop counts a sample of a channel that could not be read.
func (it *Item) drop(channel string) {
	if it.Dropped++; it.Unread == "" {
		it.Unread = channel
	}
}

const maxSpan = int64(24 * 3600 * 1e9) // ns

// microseconds cuts ns to whole microseconds, the resolution of all times.
func microseconds(ns int64) int64 { return ns - ns%1000 }

func path(channel string) string { return "channels." + channel }

// identity checks what names a frame.
func (d *Decoder) identity(f *telemetry.Frame) *Error {
	if f.Device != "" {
		if err := telemetry.ValidID(f.Device); err != nil {
			return &Error{WrongShape, "device", err.Error(), "name the device with letters, digits, . _ -"}
		}
	}
	if f.Flags&telemetry.FlagUnnumbered != 0 {
		f.Boot, f.Seq = "", 0
		return nil
	}
	if err := telemetry.ValidID(f.Boot); err != nil {
		return &Error{WrongShape, "boot", err.Error(), "name each start of the device with up to 64 letters, digits, . _ -"}
	}
	if strings.HasPrefix(f.Boot, "~") || strings.Contains(f.Boot, "!") {
		return &Error{WrongShape, "boot", "begins with ~ or holds !, which mark boots that a gateway derives", "leave these characters out of boot"}
	}
	return nil
}
