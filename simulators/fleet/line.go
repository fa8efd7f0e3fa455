package fleet

import (
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// Kinds of faults between a rig's sensors and the gateway.
const (
	ClockOffset = "clock_offset" // the device's clock is Size seconds ahead, behind if negative; one that starts late is a jump
	ClockDrift  = "clock_drift"  // it gains Size seconds an hour
	Duplicates  = "duplicates"   // Size is the share of messages that are sent twice
	Disorder    = "disorder"     // and of those that come up to five messages late
	Outage      = "outage"       // the line is cut; what was measured comes in one burst afterwards
)

// LineKinds lists them.
var LineKinds = []string{ClockOffset, ClockDrift, Duplicates, Disorder, Outage}

// A LineFault befalls frames on their way, from Start for Life.
type LineFault struct {
	Kind  string
	Start time.Time
	Life  time.Duration
	Size  float64
}

func (f *LineFault) on(t time.Time) bool { return !t.Before(f.Start) && t.Before(f.Start.Add(f.Life)) }

// A Line is the way of one drill's frames to the gateway, with its faults; seeded,
// so that the same befalls the same frames each time.
type Line struct {
	faults []LineFault
	encode func(*telemetry.Frame) []byte
	send   func(seq uint64, payload []byte) error
	rng    *rand.Rand

	held []message // while the line is cut
	late []message
}

type message struct {
	seq     uint64
	payload []byte
	after   int // messages that overtake it yet
}

// NewLine returns the line of a drill.
func NewLine(drill string, seed uint64, faults []LineFault, encode func(*telemetry.Frame) []byte, send func(seq uint64, payload []byte) error) *Line {
	h := fnv.New64a()
	_, _ = h.Write([]byte(drill))
	return &Line{faults: faults, encode: encode, send: send, rng: rand.New(rand.NewPCG(seed, h.Sum64()))}
}

// Frame sends a frame, whose TS is true and becomes what the device takes it for.
func (l *Line) Frame(f *telemetry.Frame) error {
	t := time.Unix(0, f.TS)
	cut, twice, hold := false, 0.0, 0.0
	for i := range l.faults {
		x := &l.faults[i]
		if !x.on(t) {
			continue
		}
		switch x.Kind {
		case ClockOffset:
			f.TS += int64(x.Size * 1e9)
		case ClockDrift:
			f.TS += int64(x.Size * 1e9 * t.Sub(x.Start).Hours())
		case Duplicates:
			twice = x.Size
		case Disorder:
			hold = x.Size
		case Outage:
			cut = true
		}
	}
	m := message{seq: f.Seq, payload: l.encode(f)}
	if cut {
		l.held = append(l.held, m)
		return nil
	}
	for _, h := range l.held {
		if err := l.send(h.seq, h.payload); err != nil {
			return err
		}
	}
	l.held = nil
	if l.rng.Float64() < hold {
		m.after = 1 + l.rng.IntN(5)
		l.late = append(l.late, m)
		return nil
	}
	if err := l.send(m.seq, m.payload); err != nil {
		return err
	}
	if l.rng.Float64() < twice {
		if err := l.send(m.seq, m.payload); err != nil {
			return err
		}
	}
	return l.overtaken()
}

// overtaken sends those that were late for long enough.
func (l *Line) overtaken() error {
	rest := l.late[:0]
	for _, m := range l.late {
		if m.after--; m.after > 0 {
			rest = append(rest, m)
			continue
		}
		if err := l.send(m.seq, m.payload); err != nil {
			return err
		}
	}
	l.late = rest
	return nil
}
