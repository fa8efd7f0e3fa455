// Package device is a field device: it publishes frames over MQTT at QoS 1,
// keeps what has no PUBACK, and sends that again, in order, when it is back.
package device

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/mudpulse/mudpulse/telemetry"
)

// Credentials are what `mudpulse device add --json` prints.
type Credentials struct {
	Username string `json:"username"`
	Password string `json:"password"`
	Topic    string `json:"topic"`
	Drill    string `json:"drill,omitempty"`
}

// A Message is one frame, encoded.
type Message struct {
	Seq     uint64
	Payload []byte
}

// A Device publishes for one drill. One goroutine.
type Device struct {
	Broker      string // tcp://host:port
	Credentials Credentials
	Topic       string // empty: that of the credentials
	Window      int    // messages in flight; 0: 64
	Acked       func(seq uint64)

	client  mqtt.Client
	pending []flight
}

type flight struct {
	Message
	token mqtt.Token
}

// Connect connects, trying again until ctx is done.
func (d *Device) connect(ctx context.Context) error {
	wait := 200 * time.Millisecond
	for {
		o := mqtt.NewClientOptions().AddBroker(d.Broker).SetClientID(d.Credentials.Username).SetUsername(d.Credentials.Username).SetPassword(d.Credentials.Password).
			SetCleanSession(true).SetAutoReconnect(false).SetConnectTimeout(10 * time.Second).SetKeepAlive(30 * time.Second).SetOrderMatters(false).SetWriteTimeout(10 * time.Second)
		d.client = mqtt.NewClient(o)
		tok := d.client.Connect()
		err := await(ctx, tok, 15*time.Second)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if wait < 5*time.Second {
			wait *= 2
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
}

var errSlow = errors.New("no answer")

func await(ctx context.Context, tok mqtt.Token, limit time.Duration) error {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-tok.Done():
		return tok.Error()
	case <-t.C:
		return errSlow
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Publish sends a message, waiting while the window is full. It returns when
// the message is on its way, not when it is acknowledged: see Flush.
func (d *Device) Publish(ctx context.Context, m Message) error {
	if d.client == nil {
		if err := d.connect(ctx); err != nil {
			return err
		}
	}
	window := d.Window
	if window == 0 {
		window = 64
	}
	for len(d.pending) >= window {
		if err := d.settle(ctx); err != nil {
			return err
		}
	}
	d.pending = append(d.pending, flight{m, d.send(m)})
	for len(d.pending) > 0 && done(d.pending[0].token) {
		if err := d.settle(ctx); err != nil {
			return err
		}
	}
	return nil
}

func done(tok mqtt.Token) bool {
	select {
	case <-tok.Done():
		return true
	default:
		return false
	}
}

func (d *Device) send(m Message) mqtt.Token {
	topic := d.Topic
	if topic == "" {
		topic = d.Credentials.Topic
	}
	return d.client.Publish(topic, 1, false, m.Payload)
}

// settle waits for the oldest message's acknowledgement; without one it
// connects anew and sends all that is pending again.
func (d *Device) settle(ctx context.Context) error {
	err := await(ctx, d.pending[0].token, 20*time.Second)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil && d.client.IsConnectionOpen() || err == nil && done(d.pending[0].token) {
		if d.Acked != nil {
			d.Acked(d.pending[0].Seq)
		}
		d.pending = d.pending[1:]
		return nil
	}
	d.client.Disconnect(0)
	if err := d.connect(ctx); err != nil {
		return err
	}
	for i := range d.pending {
		d.pending[i].token = d.send(d.pending[i].Message)
	}
	return nil
}

// Flush waits until everything is acknowledged.
func (d *Device) Flush(ctx context.Context) error {
	for len(d.pending) > 0 {
		if err := d.settle(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the session.
func (d *Device) Close() {
	if d.client != nil {
		d.client.Disconnect(250)
	}
}

// JSON encodes a frame as devices send it.
func JSON(f *telemetry.Frame) []byte {
	b := []byte(`{"device":`)
	b = appendQuoted(b, f.Device)
	b = append(b, `,"boot":`...)
	b = appendQuoted(b, f.Boot)
	b = append(b, `,"seq":`...)
	b = strconv.AppendUint(b, f.Seq, 10)
	b = append(b, `,"ts":"`...)
	b = time.Unix(0, f.TS).UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(b, `","channels":{`...)
	for i := range f.Runs {
		r := &f.Runs[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(b, r.Channel)
		b = append(b, ':')
		if len(r.Values) == 1 && r.Offset == 0 {
			b = appendNumber(b, r.Values[0])
			continue
		}
		b = append(b, `{"every_ms":`...)
		b = appendNumber(b, float64(r.Every)/1e6)
		b = append(b, `,"values":[`...)
		for j, v := range r.Values {
			if j > 0 {
				b = append(b, ',')
			}
			b = appendNumber(b, v)
		}
		b = append(b, "]}"...)
	}
	return append(b, "}}"...)
}

func appendNumber(b []byte, v float64) []byte {
	if v != v || math.IsInf(v, 0) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}

func appendQuoted(b []byte, s string) []byte {
	q, err := json.Marshal(s)
	if err != nil {
		panic("BUG: a string does not marshal")
	}
	return append(b, q...)
}
