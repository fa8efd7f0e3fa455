package listener_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/gateway/crash"
	"github.com/mudpulse/mudpulse/gateway/listener"
	"github.com/mudpulse/mudpulse/gateway/spool"
)

// desk takes what clients publish and makes it durable when the test says so.
type desk struct {
	mu    sync.Mutex
	taken []taken
	came  chan struct{}
	fail  error // of the next Publish
	held  chan struct{}
}

type taken struct {
	topic, payload string
	w              spool.Waiter
	token          uint64
}

func (d *desk) Connect(listener.Hello) (listener.Client, error) { return d, nil }
func (d *desk) Gone(string)                                     {}

func (d *desk) Withheld() <-chan struct{} { d.mu.Lock(); defer d.mu.Unlock(); return d.held }

// withhold takes nothing more until the function it returns is called.
func (d *desk) withhold() (again func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = make(chan struct{})
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		close(d.held)
		d.held = nil
	}
}

func (d *desk) Publish(topic, payload []byte, _ int, w spool.Waiter, token uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.fail; err != nil {
		d.fail = nil
		return err
	}
	d.taken = append(d.taken, taken{string(topic), string(payload), w, token})
	d.came <- struct{}{}
	return nil
}

// next returns the n-th message taken, once it is.
func (d *desk) next(t *testing.T) taken {
	t.Helper()
	select {
	case <-d.came:
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was taken")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.taken[len(d.taken)-1]
}

func (d *desk) count() int { d.mu.Lock(); defer d.mu.Unlock(); return len(d.taken) }

func (x taken) durable() {
	if x.w.Spooled(x.token) {
		x.w.Flush()
	}
}

func listen(t *testing.T, change func(*listener.Config)) (*listener.Listener, *desk) {
	t.Helper()
	return serve(t, change, slog.New(slog.DiscardHandler))
}

func serve(t *testing.T, change func(*listener.Config), log *slog.Logger) (*listener.Listener, *desk) {
	t.Helper()
	cfg := listener.DefaultConfig()
	cfg.TCP = "127.0.0.1:0"
	if change != nil {
		change(&cfg)
	}
	d := &desk{came: make(chan struct{}, 1000)}
	l, err := listener.New(cfg, d, log, crash.None)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := l.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return l, d
}

// wire is a client byte by byte.
type wire struct {
	t  *testing.T
	nc net.Conn
}

func text(s string) []byte { return append([]byte{byte(len(s) >> 8), byte(len(s))}, s...) }

// connect speaks 3.1.1, or 5 where version says so; extra follows the client id.
func connect(t *testing.T, l *listener.Listener, version, flags byte, extra ...[]byte) *wire {
	t.Helper()
	tcp, _, _ := l.Addr()
	nc, err := net.Dial("tcp", tcp.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	w := &wire{t, nc}
	body := append(text("MQTT"), version, flags, 0, 60)
	if version == 5 {
		body = append(body, 5, 0x11, 0, 0, 1, 0) // session expiry 256 s
	}
	body = append(body, text("c")...)
	for _, x := range extra {
		body = append(body, x...)
	}
	w.send(0x10, body)
	if ack := w.read(); ack[0] != 0x20 || ack[2+1] != 0 {
		t.Fatalf("CONNACK % x", ack)
	}
	return w
}

func (w *wire) send(first byte, body []byte) {
	w.t.Helper()
	if _, err := w.nc.Write(append(binary.AppendUvarint([]byte{first}, uint64(len(body))), body...)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wire) publish(first byte, id uint16, payload string) {
	w.t.Helper()
	w.send(first, append(append(text("t"), byte(id>>8), byte(id)), payload...))
}

// read returns one packet, header and all.
func (w *wire) read() []byte {
	w.t.Helper()
	w.nc.SetReadDeadline(time.Now().Add(20 * time.Second))
	head := make([]byte, 2) // shorter than 128 bytes, all of them
	if _, err := io.ReadFull(w.nc, head); err != nil {
		w.t.Fatal(err)
	}
	b := make([]byte, head[1])
	if _, err := io.ReadFull(w.nc, b); err != nil {
		w.t.Fatal(err)
	}
	return append(head, b...)
}

func (w *wire) expect(want ...byte) {
	w.t.Helper()
	if got := w.read(); string(got) != string(want) {
		w.t.Fatalf("got % x, want % x", got, want)
	}
}

func TestAQoS2MessageIsTakenOnceHoweverOftenItIsSent(t *testing.T) {
	l, d := listen(t, nil)
	a := connect(t, l, 4, 0)
	a.publish(0x34, 7, "x")
	x := d.next(t)
	a.publish(0x3c, 7, "x") // again, before it is durable
	a.send(0xc0, nil)
	a.expect(0xd0, 0)
	// The connection breaks; on the next one the client sends it again, still
	// before it is durable: the answer must come there.
	a.nc.Close()
	b := connect(t, l, 4, 0)
	b.publish(0x3c, 7, "x")
	b.send(0xc0, nil)
	b.expect(0xd0, 0)
	x.durable()
	b.expect(0x50, 2, 0, 7)
	b.publish(0x3c, 7, "x")
	b.expect(0x50, 2, 0, 7)
	b.send(0x62, []byte{0, 7})
	b.expect(0x70, 2, 0, 7)
	if n := d.count(); n != 1 {
		t.Errorf("it was taken %d times", n)
	}
	b.publish(0x34, 7, "y") // the id is free again
	y := d.next(t)
	if y.payload != "y" {
		t.Error(y.payload)
	}
	y.durable()
	b.expect(0x50, 2, 0, 7)
}

func TestAQoS2MessageThatCouldNotBeTakenIsTakenWhenSentAgain(t *testing.T) {
	l, d := listen(t, nil)
	a := connect(t, l, 4, 0)
	d.mu.Lock()
	d.fail = listener.Code{Code: 0x87, Text: "revoked"}
	d.mu.Unlock()
	a.publish(0x34, 7, "x")
	a.nc.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, err := a.nc.Read(make([]byte, 1)); err == nil {
		t.Fatalf("%d bytes of an answer", n)
	}
	b := connect(t, l, 4, 0)
	b.publish(0x3c, 7, "x")
	d.next(t).durable()
	b.expect(0x50, 2, 0, 7)
}

func TestNoMoreIsReadThanMayBeUnacknowledged(t *testing.T) {
	l, d := listen(t, func(c *listener.Config) { c.ReceiveMaximum = 3 })
	w := connect(t, l, 4, 2)
	for id := range uint16(10) {
		w.publish(0x32, id+1, "x")
	}
	for range 3 {
		d.next(t)
	}
	for n := 3; n < 10; n++ {
		if got := d.count(); got != n {
			t.Fatalf("%d taken, %d acknowledged", got, n-3)
		}
		d.mu.Lock()
		x := d.taken[n-3]
		d.mu.Unlock()
		x.durable()
		w.expect(0x40, 2, 0, byte(n-2))
		d.next(t)
	}
}

func TestARefusalIsToldInWordsToWhoWantsThem(t *testing.T) {
	l, d := listen(t, nil)
	refuse := func(w *wire, first byte, body []byte) {
		w.send(first, body)
		x := d.next(t)
		x.token = x.w.(interface {
			WithCode(uint64, byte, string) uint64
		}).WithCode(x.token, listener.PayloadInvalid, "channels: is missing")
		x.durable()
	}
	five := connect(t, l, 5, 2, nil)
	refuse(five, 0x32, append(text("t"), 0, 7, 0))
	five.expect(append([]byte{0x40, 27, 0, 7, listener.PayloadInvalid, 23, 0x1f, 0, 20}, "channels: is missing"...)...)
	three := connect(t, l, 4, 2)
	refuse(three, 0x32, append(text("t"), 0, 8))
	three.expect(0x40, 2, 0, 8)
}

func TestWhoIsRefusedIsLoggedOnceAMinute(t *testing.T) {
	var out logged
	l, _ := serve(t, nil, slog.New(slog.NewTextHandler(&out, nil)))
	tcp, _, _ := l.Addr()
	for range 3 {
		nc, err := net.Dial("tcp", tcp.String())
		if err != nil {
			t.Fatal(err)
		}
		nc.Write([]byte{0x16, 3, 1, 0, 1, 0}) // a TLS client hello begins so
		nc.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.ReadAll(nc); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Fatal(err)
		}
		nc.Close()
	}
	for end := time.Now().Add(20 * time.Second); l.Counters.Refused.Load() < 3; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d refused", l.Counters.Refused.Load())
		}
	}
	if s := out.String(); strings.Count(s, "connection refused") != 1 || !strings.Contains(s, "TLS on an address without it") {
		t.Error(s)
	}
}

// logged is a log that may be read while it is written.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }
func (l *logged) String() string              { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

func TestPingsAreAnsweredWhileNothingIsTaken(t *testing.T) {
	l, d := listen(t, func(c *listener.Config) { c.ReceiveMaximum = 3 })
	w := connect(t, l, 4, 2)
	w.publish(0x32, 1, "before")
	d.next(t)
	again := d.withhold()
	ping := func() { t.Helper(); w.send(0xc0, nil); w.expect(0xd0, 0) }
	ping()
	for id := range byte(100) { // more than may be unacknowledged, and than the buffer holds
		w.publish(0x32, uint16(id)+2, string(make([]byte, 100)))
		if id%10 == 0 {
			ping()
		}
	}
	ping()
	if n := d.count(); n != 1 {
		t.Fatalf("%d were taken", n)
	}
	again()
	for id := range byte(101) {
		if id > 0 {
			d.next(t)
		}
		d.mu.Lock()
		x := d.taken[id]
		d.mu.Unlock()
		x.durable()
		w.expect(0x40, 2, 0, id+1)
	}
	ping()
	if n := l.Counters.Pings.Load(); n != 13 {
		t.Errorf("%d pings counted", n)
	}
}

func TestWhatAClientSaidBeforeItLeftIsTakenWhenThatIsPossible(t *testing.T) {
	l, d := listen(t, nil)
	w := connect(t, l, 4, 2)
	again := d.withhold()
	w.publish(0x32, 1, "one")
	w.send(0x30, append(text("t"), "two"...))
	w.send(0xe0, nil)
	w.nc.Close()
	again()
	d.next(t)
	if x := d.next(t); d.count() != 2 || x.payload != "two" {
		t.Errorf("%+v", x)
	}
}

func TestAWillIsTakenWhenTheConnectionBreaksAndNotAfterGoodbye(t *testing.T) {
	l, d := listen(t, nil)
	will := func() *wire { return connect(t, l, 4, 2|4|8, text("t/will"), text("gone")) }
	w := will()
	w.send(0xe0, nil)
	w.nc.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := w.nc.Read(make([]byte, 1)); err == nil {
		t.Fatal("an answer to DISCONNECT")
	}
	if d.count() != 0 {
		t.Fatal("said goodbye, and the will was taken")
	}
	will().nc.Close()
	if x := d.next(t); x.topic != "t/will" || x.payload != "gone" || x.w != nil {
		t.Errorf("%+v", x)
	}
}

func TestARetainedMessageIsTakenLikeAnyOther(t *testing.T) {
	l, d := listen(t, nil)
	w := connect(t, l, 5, 2, nil)
	body := append(text("t"), 0, 1, 0)
	w.send(0x33, append(body, "kept"...))
	x := d.next(t)
	if x.payload != "kept" {
		t.Error(x.payload)
	}
	x.durable()
	w.expect(0x40, 2, 0, 1)
}

func TestASubscriptionIsRefusedAndTheClientStays(t *testing.T) {
	l, _ := listen(t, nil)
	for version, code := range map[byte]byte{4: 0x80, 5: 0x87} {
		w := connect(t, l, version, 2)
		body := []byte{0, 9}
		if version == 5 {
			body = append(body, 0)
		}
		w.send(0x82, append(append(body, text("#")...), 1))
		got := w.read()
		if got[0] != 0x90 || got[len(got)-1] != code {
			t.Errorf("MQTT %d: % x", version, got)
		}
		w.send(0xc0, nil)
		w.expect(0xd0, 0)
	}
}

func FuzzPackets(f *testing.F) {
	cfg := listener.DefaultConfig()
	cfg.TCP = "127.0.0.1:0"
	cfg.ConnectTimeout = 2 * time.Second
	d := &desk{came: make(chan struct{}, 1<<20)}
	l, err := listener.New(cfg, d, slog.New(slog.DiscardHandler), crash.None)
	if err != nil {
		f.Fatal(err)
	}
	if err := l.Listen(); err != nil {
		f.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go l.Run(ctx)
	tcp, _, _ := l.Addr()
	hello := append([]byte{0x10, 13}, append(append(text("MQTT"), 4, 2, 0, 60), text("c")...)...)
	f.Add([]byte("\x32\x06\x00\x01t\x00\x01x"))
	f.Add([]byte("\x82\x06\x00\x01\x00\x01#\x00\xc0\x00\xe0\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, first := range [][]byte{hello, nil} {
			nc, err := net.Dial("tcp", tcp.String())
			if err != nil {
				t.Fatal(err)
			}
			nc.Write(append(append([]byte{}, first...), b...))
			nc.(*net.TCPConn).CloseWrite()
			nc.SetReadDeadline(time.Now().Add(20 * time.Second))
			if _, err := io.Copy(io.Discard, nc); err != nil {
				if ne, ok := err.(net.Error); ok && ne.Timeout() {
					t.Fatalf("the connection hangs after % x", b)
				}
			}
			nc.Close()
		}
	})
}
