package payload

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// A SparkplugMessage is a Sparkplug B payload (Eclipse Tahu, sparkplug_b.proto).
type SparkplugMessage struct {
	Timestamp int64 // ms; 0: none
	Seq       uint64
	HasSeq    bool
	Metrics   []Metric
}

// A Metric is one of its values. Data sets, templates, strings and bytes have
// none that can be stored: Number is false.
type Metric struct {
	Name       string
	Alias      uint64
	HasAlias   bool
	Timestamp  int64 // ms; 0: the message's
	Type       uint64
	Historical bool
	Null       bool
	Number     bool
	Value      float64
	Int        uint64 // of integer types, as sent: bdSeq is one
}

// The data types that matter here (Sparkplug 3.0, 6.4.16): signed integers come
// as two's complement in the unsigned fields.
const (
	sparkplugInt8  = 1
	sparkplugInt16 = 2
	sparkplugInt32 = 3
	sparkplugInt64 = 4
)

// ReadSparkplug decodes a payload; it does not keep b.
func ReadSparkplug(b []byte) (*SparkplugMessage, *Error) {
	bad := func(what string) *Error {
		return &Error{Malformed, what, "is no Sparkplug B protobuf", "send payloads of sparkplug_b.proto (Eclipse Tahu) on spBv1.0 topics"}
	}
	b, e := Unpack(b)
	if e != nil {
		return nil, e
	}
	var m SparkplugMessage
	err := fields(b, func(num protowire.Number, v uint64, body []byte) bool {
		switch num {
		case 1:
			m.Timestamp = int64(v)
		case 2:
			if len(m.Metrics) == maxMetrics {
				return false
			}
			metric, ok := readMetric(body)
			m.Metrics = append(m.Metrics, metric)
			return ok
		case 3:
			m.Seq, m.HasSeq = v, true
		}
		return true
	})
	if !err {
		return nil, bad("payload")
	}
	if m.Timestamp < 0 || m.Timestamp > maxMillis {
		return nil, &Error{WrongShape, "timestamp", "is no time between 1970 and 2200", "send milliseconds since 1970"}
	}
	return &m, nil
}

const maxMetrics = 1 << 16

func readMetric(b []byte) (m Metric, ok bool) {
	raw, wide := uint64(0), false
	ok = fields(b, func(num protowire.Number, v uint64, body []byte) bool {
		switch num {
		case 1:
			m.Name = string(body)
		case 2:
			m.Alias, m.HasAlias = v, true
		case 3:
			m.Timestamp = int64(v)
		case 4:
			m.Type = v
		case 5:
			m.Historical = v != 0
		case 7:
			m.Null = v != 0
		case 10, 11:
			raw, wide, m.Number = v, num == 11, true
		case 12:
			m.Value, m.Number = float64(math.Float32frombits(uint32(v))), true
		case 13:
			m.Value, m.Number = math.Float64frombits(v), true
		case 14:
			m.Number = true
			if v != 0 {
				m.Value = 1
			}
		}
		return true
	})
	if raw != 0 || m.Number && m.Value == 0 {
		m.Int = raw
		switch {
		case m.Type == sparkplugInt8:
			m.Value = float64(int8(raw))
		case m.Type == sparkplugInt16:
			m.Value = float64(int16(raw))
		case m.Type == sparkplugInt32:
			m.Value = float64(int32(raw))
		case m.Type == sparkplugInt64 && wide:
			m.Value = float64(int64(raw))
		default:
			m.Value = float64(raw)
		}
	}
	if m.Null {
		m.Value, m.Number = math.NaN(), true
	}
	return m, ok && m.Timestamp >= 0 && m.Timestamp <= maxMillis
}

// fields calls f for each field of a message; false if it is none, or f says so.
func fields(b []byte, f func(num protowire.Number, v uint64, body []byte) bool) bool {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		var v uint64
		var body []byte
		switch typ {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var x uint32
			x, n = protowire.ConsumeFixed32(b)
			v = uint64(x)
		case protowire.Fixed64Type:
			v, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			body, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 || !f(num, v, body) {
			return false
		}
		b = b[n:]
	}
	return true
}

// RebirthCommand is the payload that asks an edge node for its birth again, for
// spBv1.0/GROUP/NCMD/NODE.
func RebirthCommand(ms int64) []byte {
	metric := protowire.AppendTag(nil, 1, protowire.BytesType)
	metric = protowire.AppendString(metric, "Node Control/Rebirth")
	metric = protowire.AppendVarint(protowire.AppendTag(metric, 3, protowire.VarintType), uint64(ms))
	metric = protowire.AppendVarint(protowire.AppendTag(metric, 4, protowire.VarintType), 11) // Boolean
	metric = protowire.AppendVarint(protowire.AppendTag(metric, 14, protowire.VarintType), 1)
	b := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(ms))
	b = protowire.AppendTag(b, 2, protowire.BytesType)
	return protowire.AppendBytes(b, metric)
}
