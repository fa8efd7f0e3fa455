package listener

import (
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

const (
	smallBuffer = 2 << 10  // of a connection that is mostly idle
	largeBuffer = 64 << 10 // of one in flood
	maxUnread   = 1 << 20  // bytes of acknowledgements that a client leaves unread before it is cut off
	maxReason   = 300      // bytes of the words in an acknowledgement
	maxDiscard  = 64 << 20 // of an oversize packet that is read past; beyond it the client is cut off
)

// conn is one connection. Its goroutine reads; acknowledgements are written by
// whoever made them durable, as far as that goes without waiting, and else
// through a goroutine that lives as long as there is something to write.
type conn struct {
	l         *Listener
	nc        net.Conn
	transport string
	version   byte
	client    atomic.Pointer[Client]
	session   *session
	closing   chan struct{}
	cause     atomic.Pointer[Code]

	buf        []byte // read and not yet parsed: buf[from:to]
	from, to   int
	last       int // bytes of the packet before from
	small      int // reads in a row that filled little of a large buffer
	keepAlive  time.Duration
	deadlineAt time.Time
	rate       bucket
	will       *will
	silent     bool // the client wants no words in acknowledgements

	direct   tryWriter // nc, where it can be written without waiting; nil: it cannot
	mu       sync.Mutex
	ready    *sync.Cond // inflight fell
	out      []byte
	spare    []byte
	writing  bool
	texts    map[uint16]string // of refusals that are on their way to the disk, by packet id
	inflight int               // messages of QoS 1 and 2 that are not acknowledged
}

type tryWriter interface {
	TryWrite(b []byte) (int, error)
}

// will is what the client wants said when it ends without DISCONNECT.
type will struct {
	topic, payload []byte
}

func newConn(l *Listener, nc net.Conn, transport string) *conn {
	c := &conn{l: l, nc: nc, transport: transport, version: 4, closing: make(chan struct{}), buf: make([]byte, smallBuffer)}
	c.direct, _ = nc.(tryWriter)
	c.ready = sync.NewCond(&c.mu)
	return c
}

// stop cuts the connection off from outside, once.
func (c *conn) stop(why Code) {
	if c.cause.CompareAndSwap(nil, &why) {
		close(c.closing)
		c.mu.Lock()
		c.ready.Broadcast()
		c.mu.Unlock()
		c.nc.SetReadDeadline(time.Unix(1, 0))
	}
}

// run serves the connection until it ends.
func (c *conn) run() {
	err := c.serve()
	if why := c.cause.Load(); why != nil {
		err = *why
	}
	c.lastWill()
	// What the spool has is still acknowledged, if that is soon.
	timer := time.AfterFunc(time.Second, func() { c.mu.Lock(); c.inflight = 0; c.ready.Broadcast(); c.mu.Unlock() })
	c.mu.Lock()
	if c.cause.Load() == nil || c.cause.Load().Code == 0x8b {
		for c.inflight > 0 && !errors.Is(err, io.EOF) {
			c.ready.Wait()
		}
	}
	c.mu.Unlock()
	timer.Stop()
	var code Code
	if errors.As(err, &code) && c.version == 5 && c.client.Load() != nil {
		c.send(disconnect(code))
	}
	c.mu.Lock()
	c.nc.SetWriteDeadline(time.Now().Add(time.Second))
	for c.writing {
		c.ready.Wait()
	}
	c.mu.Unlock()
	if s := c.session; s != nil {
		s.mu.Lock()
		if s.conn == c {
			s.conn, s.left = nil, time.Now()
		}
		s.mu.Unlock()
	}
	if cl := c.client.Load(); cl != nil {
		(*cl).Gone(reasonOf(err))
	}
}

// lastWill hands on the client's will, as a message of QoS 0, if the connection
// ended otherwise than by DISCONNECT (MQTT 5, 3.1.2.5) and we are not the ones
// who stop. The will delay is not observed.
func (c *conn) lastWill() {
	cl := c.client.Load()
	if c.will == nil || cl == nil {
		return
	}
	if why := c.cause.Load(); why != nil && why.Code == 0x8b {
		return
	}
	c.l.Counters.Wills.Add(1)
	_ = (*cl).Publish(c.will.topic, c.will.payload, len(c.will.payload), nil, 0) // the connection is over: nobody to tell
}

func reasonOf(err error) string {
	var ne net.Error
	switch {
	case err == nil:
		return ""
	case errors.Is(err, io.EOF):
		return "the client closed the connection without DISCONNECT"
	case errors.As(err, &ne) && ne.Timeout():
		return "nothing was heard for one and a half keep-alive times"
	}
	return err.Error()
}

// fill reads until at least n bytes lie unparsed.
func (c *conn) fill(n int) error {
	for c.to-c.from < n {
		if c.from > 0 && (c.from == c.to || c.from+n > len(c.buf)) {
			copy(c.buf, c.buf[c.from:c.to])
			c.from, c.to = 0, c.to-c.from
		}
		if n > len(c.buf) {
			c.resize(n)
		}
		if now := time.Now(); c.keepAlive > 0 && c.deadlineAt.Sub(now) < c.keepAlive*5/4 {
			c.deadlineAt = now.Add(c.keepAlive * 3 / 2)
			c.nc.SetReadDeadline(c.deadlineAt)
		}
		if c.cause.Load() != nil {
			return *c.cause.Load()
		}
		got, err := c.nc.Read(c.buf[c.to:])
		c.to += got
		if got == 0 && err != nil {
			return err
		}
		if c.small++; got > len(c.buf)/8 {
			c.small = 0
		}
		if c.to == len(c.buf) && len(c.buf) < largeBuffer {
			c.resize(min(4*len(c.buf), largeBuffer))
		}
	}
	return nil
}

// resize gives the buffer room for n bytes, keeping what is unparsed.
func (c *conn) resize(n int) {
	b := make([]byte, max(n, smallBuffer))
	c.to = copy(b, c.buf[c.from:c.to])
	c.from, c.buf = 0, b
}

// next reads a packet; body is valid until the next call. Where the packet is
// beyond the limit, body is its beginning and rest what was not read of it.
func (c *conn) next(limit int) (first byte, body []byte, rest int, err error) {
	if c.from == c.to && (len(c.buf) > largeBuffer || len(c.buf) > smallBuffer && c.small >= 64) {
		c.from, c.to, c.small = 0, 0, 0
		c.resize(smallBuffer)
	}
	size, length := 0, 0
	for n := 2; ; n++ {
		if err := c.fill(n); err != nil {
			return 0, nil, 0, err
		}
		if first, length, size, err = head(c.buf[c.from:c.to]); err != nil {
			return 0, nil, 0, err
		}
		if size > 0 {
			break
		}
	}
	take := length
	if size+length > limit {
		take = min(length, largeBuffer)
		rest = length - take
	}
	if err := c.fill(size + take); err != nil {
		return 0, nil, 0, err
	}
	body = c.buf[c.from+size : c.from+size+take]
	c.last = size + take
	c.from += c.last
	return first, body, rest, nil
}

// discard reads past n bytes.
func (c *conn) discard(n int) error {
	for n > 0 {
		if err := c.fill(1); err != nil {
			return err
		}
		k := min(n, c.to-c.from)
		c.from += k
		n -= k
	}
	return nil
}

// serve reads packets until the connection ends; nil after a DISCONNECT.
func (c *conn) serve() error {
	if err := c.connect(); err != nil {
		return err
	}
	for {
		first, body, rest, err := c.next(c.l.cfg.MaxPacket)
		if err != nil {
			return err
		}
		if first>>4 == typePublish {
			if again := c.admit(first>>1&3 > 0); again != nil {
				c.from -= c.last // it is read again
				err = c.hold(again)
			} else {
				err = c.publish(first, body, rest)
			}
			if err != nil {
				return err
			}
			continue
		}
		if rest > 0 {
			return Code{0x95, "packet too large"}
		}
		switch first >> 4 {
		case typePubrel:
			err = c.pubrel(first, body)
		case typePingreq:
			c.pong()
		case typeSubscribe, typeUnsubscribe:
			var answer []byte
			if answer, err = refuseFilters(first>>4, body, c.version); err == nil {
				c.send(answer)
			}
		case typeDisconnect:
			if c.version != 5 || len(body) == 0 || body[0] != 0x04 { // 4: disconnect with will message
				c.will = nil
			}
			return nil
		case typeConnect:
			err = protocolError("a second CONNECT")
		case typeAuth:
			err = Code{0x8c, "no authentication method but user name and password, or a certificate"}
		default:
			err = protocolError("packet type %d", first>>4)
		}
		if err != nil {
			return err
		}
	}
}

// connect reads CONNECT and answers it.
func (c *conn) connect() error {
	c.nc.SetDeadline(time.Now().Add(c.l.cfg.ConnectTimeout))
	c.l.Counters.Connects.Add(1)
	hello := Hello{Remote: c.nc.RemoteAddr().String(), Transport: c.transport}
	if t, ok := c.nc.(*tls.Conn); ok {
		if err := t.Handshake(); err != nil {
			c.l.refused(hello, fmt.Errorf("TLS: %w", err))
			return err
		}
		if chains := t.ConnectionState().VerifiedChains; len(chains) > 0 {
			hello.CertName = chains[0][0].Subject.CommonName
		}
	}
	if w, ok := c.nc.(*wsConn); ok {
		hello.CertName = w.certName
	}
	c.nc.SetWriteDeadline(time.Time{})
	first, body, rest, err := c.next(64 << 10)
	if err == nil && rest > 0 {
		err = Code{0x95, "CONNECT is too large"}
	}
	var pk packets.Packet
	if err == nil {
		pk, err = parseConnect(first, body)
		if pk.ProtocolVersion == 5 || pk.ProtocolVersion == 3 {
			c.version = pk.ProtocolVersion
		}
	}
	var client Client
	if err == nil {
		hello.ClientID, hello.Username, hello.Password, hello.Version = pk.Connect.ClientIdentifier, string(pk.Connect.Username), pk.Connect.Password, c.version
		if hello.ClientID == "" && c.version < 5 && !pk.Connect.Clean {
			err = Code{0x85, "a session that is kept needs a client id"}
		} else if pk.Properties.AuthenticationMethod != "" {
			err = Code{0x8c, "no authentication method but user name and password, or a certificate"}
		} else {
			client, err = c.l.h.Connect(hello)
		}
	}
	if err != nil {
		c.l.refused(hello, err)
		var code Code
		if errors.As(err, &code) {
			c.send(refusal(code, c.version))
		}
		return err
	}
	ack := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connack}}
	id := hello.ClientID
	if id == "" {
		id = randomID()
		ack.Properties.AssignedClientID = id
	}
	c.keepAlive = time.Duration(pk.Connect.Keepalive) * time.Second
	if c.keepAlive == 0 || c.keepAlive > c.l.cfg.MaxKeepAlive {
		c.keepAlive = c.l.cfg.MaxKeepAlive
		ack.Properties.ServerKeepAlive, ack.Properties.ServerKeepAliveFlag = uint16(c.keepAlive/time.Second), true
	}
	c.nc.SetReadDeadline(time.Now().Add(c.keepAlive * 3 / 2))
	expiry := c.l.cfg.SessionExpiry
	if c.version == 5 {
		expiry = min(expiry, time.Duration(pk.Properties.SessionExpiryInterval)*time.Second)
	} else if pk.Connect.Clean {
		expiry = 0
	}
	c.session, ack.SessionPresent = c.l.session(c, hello.Username+"\x00"+id, pk.Connect.Clean)
	c.session.mu.Lock()
	c.session.expiry = expiry
	c.session.mu.Unlock()
	p := &ack.Properties
	p.ReceiveMaximum = uint16(c.l.cfg.ReceiveMaximum)
	p.MaximumPacketSize = uint32(c.l.cfg.MaxPacket)
	p.SessionExpiryInterval, p.SessionExpiryIntervalFlag = uint32(expiry/time.Second), true
	p.WildcardSubAvailableFlag, p.SubIDAvailableFlag, p.SharedSubAvailableFlag = true, true, true
	c.silent = pk.Properties.RequestProblemInfoFlag && pk.Properties.RequestProblemInfo == 0 ||
		pk.Properties.MaximumPacketSize > 0 && pk.Properties.MaximumPacketSize < 2*maxReason
	c.rate = bucket{perSecond: c.l.cfg.MaxRate}
	if pk.Connect.WillFlag {
		c.will = &will{[]byte(pk.Connect.WillTopic), pk.Connect.WillPayload}
	}
	c.client.Store(&client)
	c.send(encode(&ack, c.version))
	return nil
}

func randomID() string {
	var b [8]byte
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return "auto-" + hex.EncodeToString(b[:])
}

// publish hands a message to the client's handler. rest bytes of an oversize
// one were not read yet.
func (c *conn) publish(first byte, body []byte, rest int) error {
	p, err := parsePublish(first, body, c.version)
	if err != nil {
		return err
	}
	size := len(p.payload) + rest
	c.l.Counters.Messages.Add(1)
	c.l.Counters.Bytes.Add(int64(size))
	if wait := c.rate.take(); wait > 0 {
		c.l.Counters.Paused.Add(1)
		select {
		case <-time.After(wait):
		case <-c.closing:
			return *c.cause.Load()
		}
	}
	cl := *c.client.Load()
	if p.qos == 0 {
		if err := cl.Publish(p.topic, p.payload, size, nil, 0); err != nil {
			return err
		}
		return c.oversize(rest)
	}
	if p.qos == 2 && c.seen(p.id) {
		return c.discard(rest)
	}
	c.mu.Lock()
	c.inflight++
	c.mu.Unlock()
	if why := c.cause.Load(); why != nil {
		c.forget(p)
		return *why
	}
	if err := cl.Publish(p.topic, p.payload, size, c, uint64(p.id)|uint64(p.qos)<<16); err != nil {
		c.forget(p)
		return err
	}
	return c.oversize(rest)
}

// forget takes back that a QoS 2 message was seen: it was not handed on, and
// must be taken when the client sends it again.
func (c *conn) forget(p publish) {
	if p.qos != 2 {
		return
	}
	c.session.mu.Lock()
	delete(c.session.received, p.id)
	c.session.mu.Unlock()
}

// oversize ends an MQTT 5 client that was told the limit; of an older one the
// rest is read past.
func (c *conn) oversize(rest int) error {
	if rest == 0 {
		return nil
	}
	if c.version == 5 || rest > maxDiscard {
		return Code{0x95, "packet too large: send one second a message; its beginning is in the quarantine"}
	}
	return c.discard(rest)
}

// seen reports whether a QoS 2 message of that id is between PUBLISH and PUBREL
// already; if it was answered, it is answered again.
func (c *conn) seen(id uint16) bool {
	s := c.session
	s.mu.Lock()
	r, ok := s.received[id]
	if !ok {
		if s.received == nil {
			s.received = map[uint16]received{}
		}
		s.received[id] = received{}
	} else if !r.durable {
		r.again = c // the first copy is on its way to the disk: answer here as well
		s.received[id] = r
	}
	s.mu.Unlock()
	if r.durable {
		c.send(appendAck(nil, typePubrec, id, r.code, c.version, ""))
	}
	return ok
}

// pubrel ends a QoS 2 message.
func (c *conn) pubrel(first byte, body []byte) error {
	if first&15 != 2 || len(body) < 2 {
		return malformed("PUBREL")
	}
	id := uint16(body[0])<<8 | uint16(body[1])
	s := c.session
	s.mu.Lock()
	_, ok := s.received[id]
	delete(s.received, id)
	s.mu.Unlock()
	code := byte(Success)
	if !ok && c.version == 5 {
		code = 0x92 // packet identifier not found
	}
	c.send(appendAck(nil, typePubcomp, id, code, c.version, ""))
	return nil
}

// bucket lets perSecond messages pass a second, a second's worth at once.
type bucket struct {
	perSecond int
	tokens    float64
	at        time.Time
}

// take takes one token and says how long to wait for it.
func (b *bucket) take() time.Duration {
	if b.perSecond == 0 {
		return 0
	}
	now := time.Now()
	if b.at.IsZero() {
		b.tokens = float64(b.perSecond)
	} else {
		b.tokens = min(float64(b.perSecond), b.tokens+now.Sub(b.at).Seconds()*float64(b.perSecond))
	}
	b.at = now
	b.tokens--
	if b.tokens >= 0 {
		return 0
	}
	return time.Duration(-b.tokens / float64(b.perSecond) * float64(time.Second))
}
