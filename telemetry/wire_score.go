package telemetry

import (
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// MaxScoreBytes bounds one encoded score record.
const MaxScoreBytes = 4 << 20

// AppendScore appends s in protobuf (proto/telemetry.proto, Score).
func AppendScore(b []byte, s *Score) []byte {
	b = appendString(b, 1, s.Drill)
	b = appendFixed(b, 2, uint64(s.Tick))
	b = appendFixed(b, 3, s.CauseHash)
	for _, id := range s.Causes {
		var at int
		b, at = open(b, 4)
		b = appendString(b, 1, id.Device)
		b = appendString(b, 2, id.Boot)
		b = appendUint(b, 3, id.Seq)
		b = appendUint(b, 4, uint64(id.Part))
		b = shut(b, at)
	}
	b = appendUint(b, 5, uint64(s.Origin))
	if s.Simulated {
		b = append(b, 6<<3, 1)
	}
	b = appendString(b, 7, s.State)
	b = appendFixed(b, 8, uint64(s.StateSince))
	b = appendDouble(b, 9, s.Health)
	b = appendDouble(b, 10, s.Confidence)
	for _, h := range s.Subsystems {
		var at int
		b, at = open(b, 11)
		b = appendString(b, 1, h.Name)
		b = appendDouble(b, 2, h.Health)
		b = appendDouble(b, 3, h.Confidence)
		b = appendFixed(b, 4, uint64(h.At))
		b = shut(b, at)
	}
	for _, r := range s.Reasons {
		var at int
		b, at = open(b, 12)
		b = appendString(b, 1, r.Subsystem)
		b = appendString(b, 2, r.Model)
		b = appendString(b, 3, r.Code)
		b = appendDouble(b, 4, r.Points)
		b = appendString(b, 5, r.Feature)
		b = appendDouble(b, 6, r.Value)
		b = appendDouble(b, 7, r.Normal)
		b = shut(b, at)
	}
	for _, r := range s.Results {
		var at int
		b, at = open(b, 13)
		b = appendString(b, 1, r.Model)
		if r.Shadow {
			b = append(b, 2<<3, 1)
		}
		for _, o := range r.Outputs {
			var in int
			b, in = open(b, 3)
			b = appendString(b, 1, o.Name)
			b = appendDouble(b, 2, o.Number)
			b = appendString(b, 3, o.Text)
			b = shut(b, in)
		}
		b = appendString(b, 4, r.Error)
		b = appendFixed(b, 5, uint64(r.At))
		b = shut(b, at)
	}
	b = appendFixed(b, 14, uint64(s.Produced))
	b = appendDouble(b, 15, s.TimeLeft)
	b = appendDouble(b, 16, s.TimeLeftLow)
	b = appendDouble(b, 17, s.TimeLeftHigh)
	for _, r := range s.Runs {
		b = appendString(b, 18, r)
	}
	return b
}

// open begins a nested message; shut writes its length. Lengths are two bytes
// (a padded varint), which every protobuf reader takes, unless it grew past 16 kB.
func open(b []byte, num protowire.Number) ([]byte, int) {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	return append(b, 0, 0), len(b) + 2
}

func shut(b []byte, at int) []byte {
	n := len(b) - at
	if n < 1<<14 {
		b[at-2], b[at-1] = byte(n)|0x80, byte(n>>7)
		return b
	}
	var tmp [binary.MaxVarintLen64]byte
	k := binary.PutUvarint(tmp[:], uint64(n))
	b = append(b, tmp[:k-2]...) // room for the longer length
	copy(b[at+k-2:], b[at:at+n])
	copy(b[at-2:], tmp[:k])
	return b
}

// DecodeScore reads one score record. It allocates; the strings are its own.
func DecodeScore(b []byte, s *Score) error {
	*s = Score{}
	if len(b) > MaxScoreBytes {
		return fmt.Errorf("score: %d bytes, at most %d are taken", len(b), MaxScoreBytes)
	}
	return fields("score", b, func(num protowire.Number, v uint64, p []byte) error {
		switch num {
		case 1:
			s.Drill = string(p)
		case 2:
			s.Tick = int64(v)
		case 3:
			s.CauseHash = v
		case 4:
			var id FrameID
			s.Causes = append(s.Causes, id)
			return decodeID(p, &s.Causes[len(s.Causes)-1])
		case 5:
			s.Origin = Origin(v)
		case 6:
			s.Simulated = v != 0
		case 7:
			s.State = string(p)
		case 8:
			s.StateSince = int64(v)
		case 9:
			s.Health = math.Float64frombits(v)
		case 10:
			s.Confidence = math.Float64frombits(v)
		case 11:
			var h SubsystemHealth
			err := fields("subsystem", p, func(num protowire.Number, v uint64, p []byte) error {
				switch num {
				case 1:
					h.Name = string(p)
				case 2:
					h.Health = math.Float64frombits(v)
				case 3:
					h.Confidence = math.Float64frombits(v)
				case 4:
					h.At = int64(v)
				}
				return nil
			})
			s.Subsystems = append(s.Subsystems, h)
			return err
		case 12:
			var r Reason
			err := decodeReason(p, &r)
			s.Reasons = append(s.Reasons, r)
			return err
		case 13:
			var r Result
			err := decodeResult(p, &r)
			s.Results = append(s.Results, r)
			return err
		case 14:
			s.Produced = int64(v)
		case 15:
			s.TimeLeft = math.Float64frombits(v)
		case 16:
			s.TimeLeftLow = math.Float64frombits(v)
		case 17:
			s.TimeLeftHigh = math.Float64frombits(v)
		case 18:
			s.Runs = append(s.Runs, string(p))
		}
		return nil
	})
}

// ScoreTick returns the tick of a score's bytes without decoding the rest; the
// last counts, as in DecodeScore.
func ScoreTick(b []byte) (tick int64, err error) {
	err = fields("score", b, func(num protowire.Number, v uint64, _ []byte) error {
		if num == 2 {
			tick = int64(v)
		}
		return nil
	})
	return tick, err
}

func decodeID(b []byte, id *FrameID) error {
	return fields("cause", b, func(num protowire.Number, v uint64, p []byte) error {
		switch num {
		case 1:
			id.Device = string(p)
		case 2:
			id.Boot = string(p)
		case 3:
			id.Seq = v
		case 4:
			id.Part = uint32(v)
		}
		return nil
	})
}

func decodeReason(b []byte, r *Reason) error {
	return fields("reason", b, func(num protowire.Number, v uint64, p []byte) error {
		switch num {
		case 1:
			r.Subsystem = string(p)
		case 2:
			r.Model = string(p)
		case 3:
			r.Code = string(p)
		case 4:
			r.Points = math.Float64frombits(v)
		case 5:
			r.Feature = string(p)
		case 6:
			r.Value = math.Float64frombits(v)
		case 7:
			r.Normal = math.Float64frombits(v)
		}
		return nil
	})
}

func decodeResult(b []byte, r *Result) error {
	return fields("result", b, func(num protowire.Number, v uint64, p []byte) error {
		switch num {
		case 1:
			r.Model = string(p)
		case 2:
			r.Shadow = v != 0
		case 3:
			var o Output
			err := fields("output", p, func(num protowire.Number, v uint64, p []byte) error {
				switch num {
				case 1:
					o.Name = string(p)
				case 2:
					o.Number = math.Float64frombits(v)
				case 3:
					o.Text = string(p)
				}
				return nil
			})
			r.Outputs = append(r.Outputs, o)
			return err
		case 4:
			r.Error = string(p)
		case 5:
			r.At = int64(v)
		}
		return nil
	})
}

// fields calls f for each field of a message: v holds a varint or fixed64, p bytes.
func fields(what string, b []byte, f func(num protowire.Number, v uint64, p []byte) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return wireError(what, 0, n)
		}
		b = b[n:]
		var v uint64
		var p []byte
		switch typ {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			v, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			p, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return wireError(what, num, n)
		}
		b = b[n:]
		if err := f(num, v, p); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return nil
}
