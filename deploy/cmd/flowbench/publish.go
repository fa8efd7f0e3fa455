package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/mudpulse/mudpulse/simulators/rig"
	"github.com/mudpulse/mudpulse/telemetry"
)

// A publisher is one device behind a TCP connection: MQTT 3.1.1, QoS 1, a window
// of messages in flight. It does no more than the load needs, so that what is
// measured is the platform.
type publisher struct {
	nc     net.Conn
	r      *bufio.Reader
	w      *bufio.Writer
	topic  string
	frames []telemetry.Frame // a minute of the drill, sent over and over with new numbers
	seq    uint64
	buf    []byte
	last   time.Time // of the flood
	acked  chan struct{}
	errs   chan error
}

type device struct {
	Username   string `json:"username"`
	Password   string `json:"password"`
	ProtoTopic string `json:"proto_topic"`
}

func text(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// connect signs a device in; window is how many of its messages may wait for their PUBACK.
func connect(addr, drill string, d device, window int) (*publisher, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	p := &publisher{nc: nc, r: bufio.NewReaderSize(nc, 4<<10), w: bufio.NewWriterSize(nc, 32<<10), topic: d.ProtoTopic, acked: make(chan struct{}, window), errs: make(chan error, 1)}
	const user, pass, clean = 0x80, 0x40, 0x02
	body := append(text(nil, "MQTT"), 4, user|pass|clean, 0, 0)
	body = text(text(text(body, d.Username), d.Username), d.Password)
	if _, err := nc.Write(append(binary.AppendUvarint([]byte{0x10}, uint64(len(body))), body...)); err != nil {
		return nil, err
	}
	ack := make([]byte, 4)
	if _, err := io.ReadFull(p.r, ack); err != nil {
		return nil, fmt.Errorf("CONNACK: %w", err)
	}
	if ack[3] != 0 {
		return nil, fmt.Errorf("CONNACK of %s: code %d", d.Username, ack[3])
	}
	r := rig.New(drill, 1, time.Unix(1_700_000_000, 0))
	for i := range 60 {
		f := r.Second(time.Unix(1_700_000_000+int64(i), 0))
		f.Drill, f.Device, f.Boot = drill, d.Username, "bench"
		p.frames = append(p.frames, f)
	}
	go p.acks()
	return p, nil
}

// acks frees a place in the window for each PUBACK until the connection ends.
func (p *publisher) acks() {
	b := make([]byte, 4)
	for {
		if _, err := io.ReadFull(p.r, b); err != nil {
			p.errs <- err
			return
		}
		if b[0] != 0x40 {
			p.errs <- fmt.Errorf("want PUBACK, got packet type %#x", b[0])
			return
		}
		<-p.acked
	}
}

// backlog is how far back a flood begins: its frames are seconds one after the
// other, as a drill sends them that was cut off, and all still count as live.
const backlog = 9 * time.Minute

// next returns the second that comes after the last one sent, but none that is not over.
func (p *publisher) next(now time.Time) time.Time {
	if p.last = p.last.Add(time.Second); p.last.Before(now.Add(-backlog)) {
		p.last = now.Add(-backlog)
	}
	if p.last.After(now) {
		p.last = now
	}
	return p.last
}

// send publishes the next frame, its second ending at now, when the window has room.
func (p *publisher) send(now time.Time) (readings int, err error) {
	select {
	case p.acked <- struct{}{}:
	default:
		if err := p.w.Flush(); err != nil {
			return 0, err
		}
		select {
		case p.acked <- struct{}{}:
		case err := <-p.errs:
			return 0, err
		}
	}
	f := &p.frames[p.seq%uint64(len(p.frames))]
	p.seq++
	f.Seq, f.TS = p.seq, now.Add(-time.Second).UnixNano()
	p.buf = telemetry.AppendFrame(p.buf[:0], f)
	head := append(p.w.AvailableBuffer(), 0x32)
	head = binary.AppendUvarint(head, uint64(2+len(p.topic)+2+len(p.buf)))
	head = text(head, p.topic)
	head = binary.BigEndian.AppendUint16(head, uint16(p.seq%65535)+1)
	if _, err := p.w.Write(head); err != nil {
		return 0, err
	}
	if _, err := p.w.Write(p.buf); err != nil {
		return 0, err
	}
	return f.Readings(), nil
}
