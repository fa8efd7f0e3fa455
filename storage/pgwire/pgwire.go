// Package pgwire lets SQL clients read a columnstore over the Postgres wire
// protocol: psql, pgx, psycopg, Grafana. Read only: one SELECT at a time over
// listed views with listed functions (Check), bounded in time, rows and number.
package pgwire

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	wire "github.com/jeroenrinzema/psql-wire"
	"github.com/jeroenrinzema/psql-wire/codes"
	psqlerr "github.com/jeroenrinzema/psql-wire/errors"
)

// Config says where to listen and what a query may cost.
type Config struct {
	Addr        string // host:port; port 0 allowed
	TLS         *tls.Config
	Views       []string // that may be read
	Timeout     time.Duration
	MaxRows     int64 // of one result
	MaxMemory   int64 // bytes by which Memory may rise while a query runs; 0: any
	Memory      func(ctx context.Context) (int64, error)
	Queries     int // running at once; more wait
	Wait        time.Duration
	Connections int
	// Login checks a user's password, and says which of Views they may read; nil: all.
	Login func(ctx context.Context, user, password string) (grant []string, ok bool)
}

// DefaultConfig listens on loopback; Login and Views must be set.
func DefaultConfig() Config {
	return Config{Addr: "127.0.0.1:0", Timeout: 30 * time.Second, MaxRows: 1_000_000, Queries: 1, Wait: 20 * time.Second, Connections: 256}
}

// Token is a Login that takes one user with one secret.
func Token(user, secret string) func(context.Context, string, string) ([]string, bool) {
	return func(_ context.Context, u, p string) ([]string, bool) {
		return nil, secret != "" && subtle.ConstantTimeCompare([]byte(u), []byte(user))&subtle.ConstantTimeCompare([]byte(p), []byte(secret)) == 1
	}
}

// Validate names the first key that is wrong.
func (c Config) Validate() error {
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		return fmt.Errorf("addr: %q: want host:port", c.Addr)
	}
	switch {
	case len(c.Views) == 0:
		return errors.New("views: must be given")
	case c.Login == nil:
		return errors.New("login: must be given: there is no access without a password")
	case c.Timeout <= 0:
		return fmt.Errorf("timeout: must be positive, not %v", c.Timeout)
	case c.Wait <= 0:
		return fmt.Errorf("wait: must be positive, not %v", c.Wait)
	case c.MaxRows < 1:
		return fmt.Errorf("max_rows: must be positive, not %d", c.MaxRows)
	case c.MaxMemory < 0:
		return fmt.Errorf("max_memory: must not be negative, not %d", c.MaxMemory)
	case c.MaxMemory > 0 && c.Memory == nil:
		return errors.New("memory: must be given with max_memory")
	case c.Queries < 1:
		return fmt.Errorf("queries: must be positive, not %d", c.Queries)
	case c.Connections < 1:
		return fmt.Errorf("connections: must be positive, not %d", c.Connections)
	}
	return nil
}

// A Server answers SQL clients from one database.
type Server struct {
	cfg   Config
	db    *sql.DB
	log   *slog.Logger
	check *checker
	slots chan struct{}
	ready chan struct{}

	mu      sync.Mutex
	addr    net.Addr
	conns   map[*conn]bool
	running map[cancelKey]context.CancelFunc
}

type cancelKey struct{ pid, secret int32 }

type cancelKeyCtx struct{}

type checkerCtx struct{}

// checkerOf is what the signed-in user may read.
func (s *Server) checkerOf(ctx context.Context) *checker {
	if c, ok := ctx.Value(checkerCtx{}).(*checker); ok {
		return c
	}
	return s.check
}

// New returns a server over db, whose statements are checked here and nowhere else.
func New(cfg Config, db *sql.DB, log *slog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("pgwire: %w", err)
	}
	return &Server{cfg: cfg, db: db, log: log, check: newChecker(cfg.Views), slots: make(chan struct{}, cfg.Queries), ready: make(chan struct{}),
		conns: map[*conn]bool{}, running: map[cancelKey]context.CancelFunc{}}, nil
}

// Ready is closed once the server listens.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Addr is where it listens; nil before Ready.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// Run serves until ctx is done; then queries are cancelled and connections cut.
func (s *Server) Run(ctx context.Context) error {
	quiet := slog.New(slog.DiscardHandler) // clients come and go
	srv, err := wire.NewServer(s.parse, wire.Logger(quiet), wire.Version("14.0 (mudpulse)"), wire.SessionAuthStrategy(wire.ClearTextPassword(s.login)),
		wire.TLSConfig(s.cfg.TLS), wire.MessageBufferSize(1<<20), wire.WithShutdownTimeout(2*time.Second),
		wire.GlobalParameters(wire.Parameters{"server_encoding": "UTF8", "client_encoding": "UTF8", "DateStyle": "ISO, MDY", "TimeZone": "UTC", "standard_conforming_strings": "on", "integer_datetimes": "on", "server_version": "14.0"}),
		wire.BackendKeyData(s.key), wire.CancelRequest(s.cancel))
	if err != nil {
		return fmt.Errorf("pgwire: %w", err)
	}
	l, err := net.Listen("tcp", s.cfg.Addr)
	if err != nil {
		return fmt.Errorf("pgwire: %w", err)
	}
	s.mu.Lock()
	s.addr = l.Addr()
	s.mu.Unlock()
	close(s.ready)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(&listener{l, s}) }()
	select {
	case err = <-done:
	case <-ctx.Done():
		s.cut()
		err = srv.Close()
		s.cut()
		<-done
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (s *Server) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// cut cancels all queries and closes all connections.
func (s *Server) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cancel := range s.running {
		cancel()
	}
	for c := range s.conns {
		c.Conn.Close()
	}
}

// listener bounds the connections, and the time in which each must sign in.
type listener struct {
	net.Listener
	s *Server
}

type conn struct {
	net.Conn
	s *Server
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		l.s.mu.Lock()
		full := len(l.s.conns) >= l.s.cfg.Connections
		cc := &conn{c, l.s}
		if !full {
			l.s.conns[cc] = true
		}
		l.s.mu.Unlock()
		if full {
			c.Close()
			continue
		}
		return cc, nil
	}
}

func (c *conn) Close() error {
	c.s.mu.Lock()
	delete(c.s.conns, c)
	c.s.mu.Unlock()
	return c.Conn.Close()
}

// idle is how long a connection may say nothing.
const idle = 8 * time.Hour

// Read lets a silent connection go after a time.
func (c *conn) Read(b []byte) (int, error) {
	if err := c.Conn.SetReadDeadline(time.Now().Add(idle)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

// Write does not wait for a client that stopped reading.
func (c *conn) Write(b []byte) (int, error) {
	if err := c.Conn.SetWriteDeadline(time.Now().Add(c.s.cfg.Timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func (s *Server) login(ctx context.Context, _, user, password string) (context.Context, bool, error) {
	if grant, ok := s.cfg.Login(ctx, user, password); ok {
		if grant != nil {
			ctx = context.WithValue(ctx, checkerCtx{}, newChecker(grant))
		}
		return context.WithValue(ctx, cancelKeyCtx{}, newKey()), true, nil
	}
	time.Sleep(200 * time.Millisecond) // slows guessing
	s.log.Warn("sql sign-in refused", "user", user, "remote", fmt.Sprint(wire.RemoteAddress(ctx)))
	return ctx, false, nil
}

func newKey() cancelKey {
	var b [8]byte
	rand.Read(b[:])
	return cancelKey{int32(binary.LittleEndian.Uint32(b[:4]) >> 1), int32(binary.LittleEndian.Uint32(b[4:]))}
}

func (s *Server) key(ctx context.Context) (pid, secret int32) {
	k, _ := ctx.Value(cancelKeyCtx{}).(cancelKey)
	return k.pid, k.secret
}

func (s *Server) cancel(_ context.Context, pid, secret int32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.running[cancelKey{pid, secret}]; cancel != nil {
		cancel()
	}
	return nil
}

// admit waits for a slot and returns the context of one query. Call done when it has ended.
func (s *Server) admit(ctx context.Context) (context.Context, func(), error) {
	k, _ := ctx.Value(cancelKeyCtx{}).(cancelKey)
	ctx, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	s.running[k] = cancel
	s.mu.Unlock()
	release := func() {
		s.mu.Lock()
		delete(s.running, k)
		s.mu.Unlock()
		cancel()
	}
	wait := time.NewTimer(s.cfg.Wait)
	defer wait.Stop()
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		release()
		return nil, nil, refuse(codes.QueryCanceled, "cancelled while waiting for its turn")
	case <-wait.C:
		release()
		return nil, nil, refuse(codes.TooManyConnections, fmt.Sprintf("%d queries run already and this one waited %v: try again", s.cfg.Queries, s.cfg.Wait))
	}
	run, stop := context.WithTimeout(ctx, s.cfg.Timeout)
	run, watched := s.watch(run)
	return run, func() { stop(); watched(); <-s.slots; release() }, nil
}

// memoryEvery is how often the memory of what runs is looked at: a query takes a few MB in that time.
const memoryEvery = 10 * time.Millisecond

// errMemory is the cause of a context whose query took too much memory.
var errMemory = errors.New("memory")

// watch ends the context when memory has risen by more than a query may take.
// Queries, seals and commits share one limit, and where it is reached that
// strikes whoever asks next: so a query is stopped before, whichever of those
// that run beside it took most. Call the function it returns when it is over.
func (s *Server) watch(ctx context.Context) (context.Context, func()) {
	if s.cfg.MaxMemory == 0 {
		return ctx, func() {}
	}
	before, err := s.cfg.Memory(ctx)
	if err != nil {
		before = 0
	}
	ctx, cancel := context.WithCancelCause(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(memoryEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if now, err := s.cfg.Memory(ctx); err == nil && now-before > s.cfg.MaxMemory {
				cancel(errMemory)
				return
			}
		}
	}()
	return ctx, func() { cancel(nil); <-over }
}

// explain turns what DuckDB said into what a client can use.
func (s *Server) explain(ctx context.Context, err error) error {
	switch {
	case errors.Is(context.Cause(ctx), errMemory):
		return refuse(codes.OutOfMemory, fmt.Sprintf("stopped: more than the %d MB of memory that a query may take were taken while it ran: narrow the time range or the drills, or group by fewer columns", s.cfg.MaxMemory>>20))
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return refuse(codes.QueryCanceled, fmt.Sprintf("stopped after %v: narrow the time range or the drills", s.cfg.Timeout))
	case ctx.Err() != nil:
		return refuse(codes.QueryCanceled, "cancelled")
	}
	if strings.Contains(err.Error(), "Out of Memory") {
		return refuse(codes.OutOfMemory, "the query needs more memory than there is for all of them: narrow the time range or the drills, or group by fewer columns")
	}
	return psqlerr.WithSeverity(psqlerr.WithCode(err, codes.Syntax), psqlerr.LevelError)
}

func refuse(code codes.Code, msg string) error {
	return psqlerr.WithSeverity(psqlerr.WithCode(errors.New(msg), code), psqlerr.LevelError)
}
