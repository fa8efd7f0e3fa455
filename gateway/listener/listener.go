// Package listener is an MQTT server that only takes: 3.1.1 and 5, over TCP,
// TLS and WebSocket. It acknowledges a message when the spool has synced it, and
// reads no further while too much is unacknowledged; it drops nothing.
//
// Packets other than PUBLISH and acknowledgements go through mochi's codec. Its
// server is not used: alone, doing nothing, it took 5.7 CPU-s for a million
// messages of 1.1 kB, of 10 that the whole gateway may take.
package listener

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mudpulse/mudpulse/gateway/crash"
	"github.com/mudpulse/mudpulse/gateway/poll"
	"github.com/mudpulse/mudpulse/gateway/spool"
)

// Hello is what a client says of itself.
type Hello struct {
	ClientID  string
	Username  string
	Password  []byte
	CertName  string // common name of a certificate that was verified
	Remote    string
	Transport string // tcp, tls, ws, wss
	Version   byte   // 3, 4 (3.1.1) or 5
}

// A Handler decides over clients. Safe for concurrent use.
type Handler interface {
	// Connect admits a client or says, with a Code, why not.
	Connect(h Hello) (Client, error)
}

// A Client takes what one connection publishes. One goroutine at a time.
type Client interface {
	// Publish hands one message to the spool, which tells w, if not nil, when it
	// is durable, with the token or, where the acknowledgement is to say more,
	// with w's WithCode(token, code, text); it waits where the spool withholds. Topic and payload
	// are valid during the call. size is the payload's, of which oversize
	// messages give only the head. With an error the client is cut off without
	// an acknowledgement.
	Publish(topic, payload []byte, size int, w spool.Waiter, token uint64) error
	// Withheld returns nil while messages are taken, and else what is closed when
	// they are again. It is asked before each Publish.
	Withheld() <-chan struct{}
	// Gone is called once, last.
	Gone(reason string)
}

// Counters are a listener's counts since the start; all but Connections only grow.
type Counters struct {
	Connections, Connects, Refused, Messages, Bytes, Acked, Paused, Wills, Pings atomic.Int64
}

// A Listener serves MQTT.
type Listener struct {
	Counters Counters

	cfg   Config
	h     Handler
	log   *slog.Logger
	crash crash.Func

	tcp, tls, ws net.Listener
	polls        []*poll.Listener
	ahead        atomic.Int64 // bytes that all connections have read ahead

	mu       sync.Mutex
	conns    map[*conn]struct{}
	refusals refusals
	sessions map[string]*session // user name, NUL, client id
	stopping bool
	wg       sync.WaitGroup
}

// New returns a listener that serves nothing yet.
func New(cfg Config, h Handler, log *slog.Logger, at crash.Func) (*Listener, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return &Listener{cfg: cfg, h: h, log: log, crash: at, conns: map[*conn]struct{}{}, sessions: map[string]*session{}}, nil
}

// Listen takes the addresses. Run must follow.
func (l *Listener) Listen() (err error) {
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	open := func(what, addr string) (net.Listener, error) {
		if addr == "" {
			return nil, nil
		}
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("listen for MQTT (%s): %w", what, err)
		}
		return ln, nil
	}
	inRounds := func(what, addr string) (net.Listener, error) {
		ln, err := open(what, addr)
		if ln == nil || err != nil {
			return nil, err
		}
		p, err := poll.New(ln.(*net.TCPListener), l.cfg.Round)
		if err != nil {
			ln.Close()
			return nil, fmt.Errorf("listen for MQTT (%s): %w", what, err)
		}
		l.polls = append(l.polls, p)
		return p, nil
	}
	if l.tcp, err = inRounds("tcp", l.cfg.TCP); err != nil {
		return err
	}
	if l.tls, err = inRounds("tls", l.cfg.TLS); err != nil {
		return err
	}
	if l.tls != nil {
		l.tls = tls.NewListener(l.tls, l.cfg.TLSConfig)
	}
	if l.ws, err = open("websocket", l.cfg.WebSocket); err != nil {
		return err
	}
	if l.ws != nil && l.cfg.WebSocketTLS {
		l.ws = tls.NewListener(l.ws, l.cfg.TLSConfig)
	}
	return nil
}

func (l *Listener) close() {
	for _, ln := range []net.Listener{l.tcp, l.tls, l.ws} {
		if ln != nil {
			ln.Close()
		}
	}
}

// Addr returns where MQTT is listened for, nil where it is not.
func (l *Listener) Addr() (tcp, tls, ws net.Addr) {
	addr := func(ln net.Listener) net.Addr {
		if ln == nil {
			return nil
		}
		return ln.Addr()
	}
	return addr(l.tcp), addr(l.tls), addr(l.ws)
}

// Pace returns how long messages are gathered at present before they are read;
// 0 where each is read as it comes.
func (l *Listener) Pace() (d time.Duration) {
	for _, p := range l.polls {
		d = max(d, p.Pace())
	}
	return d
}

// Run serves until ctx is done; clients are then given up to a second for the
// acknowledgements of what the spool already has. It returns nil, or why a
// socket failed.
func (l *Listener) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var accepting, polling sync.WaitGroup
	for _, p := range l.polls {
		polling.Go(p.Run)
	}
	for transport, ln := range map[string]net.Listener{"tcp": l.tcp, "tls": l.tls} {
		if ln != nil {
			accepting.Go(func() {
				if err := l.accept(ctx, ln, transport); err != nil {
					cancel(err)
				}
			})
		}
	}
	var web *http.Server
	if l.ws != nil {
		web = &http.Server{Handler: l.upgrade(), ReadHeaderTimeout: l.cfg.ConnectTimeout, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(l.log.Handler(), slog.LevelDebug)}
		accepting.Go(func() {
			if err := web.Serve(l.ws); err != nil && !errors.Is(err, http.ErrServerClosed) {
				cancel(err)
			}
		})
	}
	forget := time.NewTicker(time.Minute)
	defer forget.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case now := <-forget.C:
			l.forget(now)
		}
	}
	l.mu.Lock()
	l.stopping = true
	for c := range l.conns {
		c.stop(Code{0x8b, "the gateway is stopping"})
	}
	l.mu.Unlock()
	l.close()
	if web != nil {
		web.Close()
	}
	accepting.Wait()
	l.wg.Wait()
	for _, p := range l.polls {
		p.Stop()
	}
	polling.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("serve MQTT: %w", err)
	}
	return nil
}

func (l *Listener) accept(ctx context.Context, ln net.Listener, transport string) error {
	for wait := 5 * time.Millisecond; ; {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			wait = 5 * time.Millisecond
			l.wg.Go(func() { l.serve(nc, transport) })
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		default: // too many open files, a connection gone: go on
			l.log.Warn("accept", "err", err)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(wait):
			}
			wait = min(2*wait, time.Second)
		}
	}
}

// serve reads one connection until it ends.
func (l *Listener) serve(nc net.Conn, transport string) {
	defer nc.Close()
	c := newConn(l, nc, transport)
	l.mu.Lock()
	full := len(l.conns) >= l.cfg.MaxClients
	if l.stopping {
		l.mu.Unlock()
		return
	}
	if !full {
		l.conns[c] = struct{}{}
	}
	l.mu.Unlock()
	if full {
		l.Counters.Refused.Add(1)
		return
	}
	l.Counters.Connections.Add(1)
	c.run()
	l.Counters.Connections.Add(-1)
	l.mu.Lock()
	delete(l.conns, c)
	l.mu.Unlock()
}

// Disconnect cuts off the clients for which match says so.
func (l *Listener) Disconnect(match func(Client) bool, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		if cl := c.client.Load(); cl != nil && match(*cl) {
			c.stop(Code{0x98, reason})
		}
	}
}

// session is what outlives a connection: the QoS 2 packet ids between PUBLISH
// and PUBREL.
type session struct {
	mu       sync.Mutex
	conn     *conn // the present one
	received map[uint16]received
	left     time.Time // when the last connection ended; zero while there is one
	expiry   time.Duration
}

// received is a QoS 2 message: what was answered, once it was.
type received struct {
	durable bool
	code    byte
	again   *conn // where it was sent again before it was durable
}

// session returns the client's session; an older connection of it is cut off.
func (l *Listener) session(c *conn, key string, clean bool) (s *session, present bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s = l.sessions[key]
	present = s != nil && !clean
	if s == nil {
		s = &session{}
		l.sessions[key] = s
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.conn; old != nil {
		old.stop(Code{0x8e, "another connection took over the session"})
	}
	s.conn, s.left = c, time.Time{}
	if clean {
		s.received = nil
	}
	return s, present
}

// forget drops sessions that ended long ago.
func (l *Listener) forget(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, s := range l.sessions {
		s.mu.Lock()
		if s.conn == nil && !s.left.IsZero() && now.Sub(s.left) >= s.expiry {
			delete(l.sessions, key)
		}
		s.mu.Unlock()
	}
}
