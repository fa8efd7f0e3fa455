package listener

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mochi-mqtt/server/v2/packets"
)

// Control packet types (MQTT 5, 2.1.2).
const (
	typeConnect     = 1
	typeConnack     = 2
	typePublish     = 3
	typePuback      = 4
	typePubrec      = 5
	typePubrel      = 6
	typePubcomp     = 7
	typeSubscribe   = 8
	typeSuback      = 9
	typeUnsubscribe = 10
	typeUnsuback    = 11
	typePingreq     = 12
	typePingresp    = 13
	typeDisconnect  = 14
	typeAuth        = 15
)

// A Code is an MQTT 5 reason code with words. As an error it refuses a client
// or cuts it off.
type Code struct {
	Code byte
	Text string
}

func (c Code) Error() string { return c.Text }

// Codes that a Handler may give.
const (
	Success        = 0x00
	NotAuthorized  = 0x87
	QuotaExceeded  = 0x97
	PayloadInvalid = 0x99
	TopicInvalid   = 0x90
)

func protocolError(format string, args ...any) error {
	return Code{0x82, "protocol error: " + fmt.Sprintf(format, args...)}
}

func malformed(what string) error { return Code{0x81, "malformed packet: " + what} }

// head reads a fixed header: the first byte, the length of what follows, and
// the header's own size; size 0 if more bytes are needed.
func head(b []byte) (first byte, length, size int, err error) {
	if len(b) < 2 {
		return 0, 0, 0, nil
	}
	for i, shift := 1, 0; i < len(b); i, shift = i+1, shift+7 {
		if i > 4 {
			return 0, 0, 0, malformed("length")
		}
		length |= int(b[i]&0x7f) << shift
		if b[i] < 0x80 {
			return b[0], length, i + 1, nil
		}
	}
	if len(b) > 4 {
		return 0, 0, 0, malformed("length")
	}
	return 0, 0, 0, nil
}

// publish is a PUBLISH; topic and payload lie in the buffer it was read from.
type publish struct {
	topic   []byte
	payload []byte
	id      uint16
	qos     byte
}

// parsePublish reads the body of a PUBLISH. short: it is only the packet's
// beginning, whose payload goes on beyond it.
func parsePublish(first byte, b []byte, version byte) (p publish, err error) {
	p.qos = first >> 1 & 3
	if p.qos == 3 {
		return p, malformed("QoS 3")
	}
	if p.qos == 0 && first&8 != 0 {
		return p, malformed("DUP with QoS 0")
	}
	if len(b) < 2 {
		return p, malformed("topic")
	}
	n := int(binary.BigEndian.Uint16(b))
	if len(b) < 2+n {
		return p, malformed("topic")
	}
	p.topic, b = b[2:2+n], b[2+n:]
	if p.qos > 0 {
		if len(b) < 2 {
			return p, malformed("packet identifier")
		}
		p.id, b = binary.BigEndian.Uint16(b), b[2:]
		if p.id == 0 {
			return p, malformed("packet identifier 0")
		}
	}
	if version == 5 {
		n, size := binary.Uvarint(b[:min(len(b), 4)])
		if size <= 0 || int(n) > len(b)-size {
			return p, malformed("properties")
		}
		b = b[size+int(n):]
	}
	switch {
	case len(p.topic) == 0 && version == 5:
		return p, Code{0x94, "topic alias: the server takes none"}
	case len(p.topic) == 0:
		return p, malformed("empty topic")
	case bytes.ContainsAny(p.topic, "+#\x00"):
		return p, malformed("wildcard in a topic")
	}
	p.payload = b
	return p, nil
}

// appendAck appends PUBACK, PUBREC or PUBCOMP. MQTT 3 has no reason codes.
func appendAck(b []byte, packet byte, id uint16, code byte, version byte, text string) []byte {
	switch {
	case version < 5 || code == Success:
		return append(b, packet<<4, 2, byte(id>>8), byte(id))
	case text == "":
		return append(b, packet<<4, 3, byte(id>>8), byte(id), code)
	}
	properties := 3 + len(text)
	n := binary.AppendUvarint(nil, uint64(properties))
	b = binary.AppendUvarint(append(b, packet<<4), uint64(3+len(n)+properties))
	b = append(b, byte(id>>8), byte(id), code)
	b = append(b, n...)
	b = append(b, 0x1f, byte(len(text)>>8), byte(len(text)))
	return append(b, text...)
}

// parseConnect reads a CONNECT with mochi's codec.
func parseConnect(first byte, body []byte) (pk packets.Packet, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = malformed("connect")
		}
	}()
	pk.FixedHeader = packets.FixedHeader{Type: packets.Connect, Remaining: len(body)}
	if first == 0x16 { // a TLS record
		return pk, Code{0x81, "TLS on an address without it: connect to the one of --mqtt-tls, or without TLS"}
	}
	if first != typeConnect<<4 {
		return pk, protocolError("the first packet must be CONNECT")
	}
	if err := pk.ConnectDecode(bytes.Clone(body)); err != nil {
		return pk, asCode(err)
	}
	if c := pk.ConnectValidate(); c != packets.CodeSuccess {
		if c == packets.ErrProtocolViolationProtocolVersion || c == packets.ErrProtocolViolationProtocolName {
			c = packets.ErrUnsupportedProtocolVersion
		}
		return pk, asCode(c)
	}
	return pk, nil
}

func asCode(err error) error {
	var c packets.Code
	if errors.As(err, &c) {
		return Code{c.Code, c.Reason}
	}
	return malformed(err.Error())
}

// encode writes a control packet with mochi's codec.
func encode(pk *packets.Packet, version byte) []byte {
	var b bytes.Buffer
	pk.ProtocolVersion = version
	pk.Mods.AllowResponseInfo = true
	switch pk.FixedHeader.Type {
	case packets.Connack:
		pk.ConnackEncode(&b)
	case packets.Disconnect:
		pk.DisconnectEncode(&b)
	default:
		panic(fmt.Sprintf("BUG: encode packet type %d", pk.FixedHeader.Type))
	}
	return b.Bytes()
}

// connack refuses with code, in the codes of MQTT 3 where it is that.
func refusal(c Code, version byte) []byte {
	code := c.Code
	if version < 5 {
		switch code {
		case 0x84:
			code = 1
		case 0x85:
			code = 2
		case 0x88, 0x89, 0x97:
			code = 3
		case 0x86, 0x8c:
			code = 4
		case NotAuthorized, 0x8a:
			code = 5
		default:
			return nil // MQTT 3 has no word for it: the connection is closed
		}
		version = 4
	}
	return encode(&packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connack}, ReasonCode: code, Properties: packets.Properties{ReasonString: c.Text}}, version)
}

// disconnect tells an MQTT 5 client why it is cut off.
func disconnect(c Code) []byte {
	return encode(&packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}, ReasonCode: c.Code, Properties: packets.Properties{ReasonString: c.Text}}, 5)
}

// refuseFilters answers SUBSCRIBE or UNSUBSCRIBE: nothing is to be had here.
func refuseFilters(packet byte, body []byte, version byte) ([]byte, error) {
	if len(body) < 2 {
		return nil, malformed("packet identifier")
	}
	id, b := body[:2], body[2:]
	if version == 5 {
		n, size := binary.Uvarint(b[:min(len(b), 4)])
		if size <= 0 || int(n) > len(b)-size {
			return nil, malformed("properties")
		}
		b = b[size+int(n):]
	}
	count := 0
	for len(b) > 0 {
		if len(b) < 2 {
			return nil, malformed("filter")
		}
		n := 2 + int(binary.BigEndian.Uint16(b))
		if packet == typeSubscribe {
			n++
		}
		if len(b) < n {
			return nil, malformed("filter")
		}
		b = b[n:]
		count++
	}
	if count == 0 || count > 64 {
		return nil, protocolError("%d filters", count)
	}
	var out []byte
	if packet == typeUnsubscribe {
		out = append(out, id...)
		if version == 5 {
			out = append(append(out, 0), bytes.Repeat([]byte{0x11}, count)...)
		}
		return append([]byte{typeUnsuback << 4, byte(len(out))}, out...), nil
	}
	out = append(out, id...)
	code := byte(0x80)
	if version == 5 {
		out, code = append(out, 0), NotAuthorized
	}
	out = append(out, bytes.Repeat([]byte{code}, count)...)
	return append([]byte{typeSuback << 4, byte(len(out))}, out...), nil
}
