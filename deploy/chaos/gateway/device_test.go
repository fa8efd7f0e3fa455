//go:build e2e

package gateway_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// window is how many messages a device has unacknowledged on one connection.
const window = 400

// A device numbers its frames, sends them at QoS 1 or 2, keeps each until it is
// acknowledged, and sends again on the next connection what was not: as a
// logger with a memory of its own does.
type device struct {
	name   string
	qos    byte
	addr   func() string // of the gateway's listener, or of the broker
	secret string
	json   bool // frames as JSON, for a peer that reads no protobuf

	mu     sync.Mutex
	frames []sent
	first  int // every frame below it is acknowledged
	from   int // index of the frame that has number 0
	news   chan struct{}
}

type sent struct {
	seq   uint64
	ts    int64
	acked bool
}

// key is what a frame is known by here: ts tells frames of one number apart.
type key struct {
	device string
	seq    uint64
	ts     int64
}

func newDevice(i int, secret string, addr func() string) *device {
	d := &device{name: fmt.Sprintf("RIG-%02d", i), qos: 1, addr: addr, secret: secret, news: make(chan struct{}, 1)}
	if i == 0 {
		d.qos = 2
	}
	return d
}

// generate adds frames at rate a second until ctx is done.
func (d *device) generate(ctx context.Context, rate float64) {
	start, n := time.Now(), 0
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		d.mu.Lock()
		for due := int(time.Since(start).Seconds() * rate); n < due; n++ {
			ts := time.Now().UnixMicro() * 1000
			if l := len(d.frames); l > 0 {
				ts = max(ts, d.frames[l-1].ts+1000)
			}
			d.frames = append(d.frames, sent{seq: uint64(len(d.frames) - d.from), ts: ts})
		}
		d.mu.Unlock()
		d.wake()
	}
}

// reboot makes the device count from 0 again and keep its boot id.
func (d *device) reboot() { d.mu.Lock(); d.from = len(d.frames); d.mu.Unlock() }

func (d *device) wake() {
	select {
	case d.news <- struct{}{}:
	default:
	}
}

// serve connects, again and again, until ctx is done.
func (d *device) serve(ctx context.Context) {
	for ctx.Err() == nil {
		_ = d.session(ctx) // whatever ended it: what is not acknowledged is sent again
		select {
		case <-ctx.Done():
		case <-time.After(30 * time.Millisecond):
		}
	}
}

func text(b []byte, s string) []byte { return append(append(b, byte(len(s)>>8), byte(len(s))), s...) }

func (d *device) session(ctx context.Context) error {
	nc, err := net.DialTimeout("tcp", d.addr(), 2*time.Second)
	if err != nil {
		return err
	}
	defer nc.Close()
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	v := append(text(nil, "MQTT"), 4, 0x80|0x40, 0, 30) // the session is kept
	v = text(text(text(v, d.name), d.name), d.secret)
	if _, err := nc.Write(append([]byte{0x10, byte(len(v))}, v...)); err != nil {
		return err
	}
	r := bufio.NewReaderSize(nc, 8<<10)
	ack := make([]byte, 4)
	nc.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadFull(r, ack); err != nil || ack[3] != 0 {
		return fmt.Errorf("CONNACK % x: %w", ack, err)
	}
	nc.SetReadDeadline(time.Time{})
	gone := make(chan error, 1)
	out := make(chan uint16, 1<<16) // ids to be released, QoS 2
	go func() { gone <- d.read(r, out) }()
	w := bufio.NewWriterSize(nc, 16<<10)
	d.mu.Lock()
	next := d.first
	d.mu.Unlock()
	for {
		for {
			select {
			case id := <-out:
				w.Write([]byte{0x62, 2, byte(id >> 8), byte(id)})
				continue
			default:
			}
			d.mu.Lock()
			for next < len(d.frames) && d.frames[next].acked {
				next++
			}
			if next >= len(d.frames) || next-d.first >= window {
				d.mu.Unlock()
				break
			}
			f := d.frames[next]
			d.mu.Unlock()
			w.Write(d.packet(next, f))
			next++
		}
		if err := w.Flush(); err != nil {
			return err
		}
		select {
		case err := <-gone:
			return err
		case <-d.news:
		case <-time.After(10 * time.Second):
			w.Write([]byte{0xc0, 0})
		}
	}
}

func (d *device) packet(index int, f sent) []byte {
	if d.json {
		text := fmt.Appendf(nil, `{"device":%q,"boot":"b1","seq":%d,"ts":%d.%03d,"channels":{"WOB":{"every_ms":100,"values":[100,101,102,103,104,105,106,107,108,109]},"SPP":20}}`, d.name, f.seq, f.ts/1e6, f.ts/1e3%1e3)
		return d.publish(index, telemetry.MQTTTopic(d.name), text)
	}
	frame := telemetry.Frame{Device: d.name, Boot: "b1", Seq: f.seq, TS: f.ts, Runs: []telemetry.Run{
		{Channel: "WOB", Every: int64(100 * time.Millisecond), Values: []float64{100, 101, 102, 103, 104, 105, 106, 107, 108, 109}},
		{Channel: "SPP", Values: []float64{20}},
	}}
	return d.publish(index, telemetry.MQTTProtoTopic(d.name), telemetry.AppendFrame(nil, &frame))
}

func (d *device) publish(index int, topic string, payload []byte) []byte {
	body := text(nil, topic)
	id := uint16(index%65535) + 1
	body = append(body, byte(id>>8), byte(id))
	body = append(body, payload...)
	return append(binary.AppendUvarint([]byte{0x30 | d.qos<<1}, uint64(len(body))), body...)
}

// read takes acknowledgements until the connection ends.
func (d *device) read(r *bufio.Reader, release chan<- uint16) error {
	b := make([]byte, 4)
	for {
		if _, err := io.ReadFull(r, b[:2]); err != nil {
			return err
		}
		if b[1] == 0 {
			continue // PINGRESP
		}
		if b[1] != 2 {
			return fmt.Errorf("packet % x", b)
		}
		if _, err := io.ReadFull(r, b[2:]); err != nil {
			return err
		}
		id := binary.BigEndian.Uint16(b[2:])
		switch b[0] >> 4 {
		case 4, 5: // PUBACK, PUBREC
			d.acked(id)
			if b[0]>>4 == 5 {
				release <- id
			}
			d.wake()
		}
	}
}

func (d *device) acked(id uint16) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := d.first; i < len(d.frames) && i < d.first+65535; i++ {
		if uint16(i%65535)+1 == id {
			d.frames[i].acked = true
			break
		}
	}
	for d.first < len(d.frames) && d.frames[d.first].acked {
		d.first++
	}
}

// done reports whether everything is acknowledged.
func (d *device) done() bool { d.mu.Lock(); defer d.mu.Unlock(); return d.first == len(d.frames) }

func (d *device) counts(into map[key]bool) (all int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.frames {
		if f.acked {
			into[key{d.name, f.seq, f.ts}] = true
		}
	}
	return len(d.frames)
}
