package poll

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	sweepEvery = 500 * time.Millisecond // deadlines are as coarse as that
	edge       = 1 << 31                // EPOLLET; syscall's constant is negative
	interest   = syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | edge
	gone       = syscall.EPOLLRDHUP | syscall.EPOLLHUP | syscall.EPOLLERR
)

// A Listener accepts connections whose reads wait for its rounds.
type Listener struct {
	*net.TCPListener
	epoll int
	most  time.Duration
	pace  atomic.Int64
	stop  atomic.Bool
	done  chan struct{} // closed when Run ends

	mu    sync.Mutex
	conns []*Conn // by file descriptor
	open  int
}

// New returns a listener over ln whose rounds last most at the longest. Run must follow.
func New(ln *net.TCPListener, most time.Duration) (*Listener, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	return &Listener{TCPListener: ln, epoll: fd, most: most, done: make(chan struct{})}, nil
}

// Pace returns how long a round lasts at present; 0 where nothing is awaited.
func (l *Listener) Pace() time.Duration { return time.Duration(l.pace.Load()) }

// Stop ends Run and waits for it. Connections must be closed before: none is
// woken any more.
func (l *Listener) Stop() {
	// A pipe that can be read wakes it; without one it notices within a sweep.
	var p [2]int
	if syscall.Pipe2(p[:], syscall.O_CLOEXEC) == nil {
		defer syscall.Close(p[0])
		defer syscall.Close(p[1])
		syscall.Write(p[1], []byte{0})
		syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_ADD, p[0], &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: -1})
	}
	l.stop.Store(true)
	<-l.done
}

// Accept takes a connection over from the net package, whose poller would wake
// for each of its messages.
func (l *Listener) Accept() (net.Conn, error) {
	tcp, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	defer tcp.Close()
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd, errno := -1, syscall.Errno(0)
	err = raw.Control(func(from uintptr) {
		var r uintptr
		if r, _, errno = syscall.Syscall(syscall.SYS_FCNTL, from, syscall.F_DUPFD_CLOEXEC, 0); errno == 0 {
			fd = int(r)
		}
	})
	if err == nil && errno != 0 {
		err = os.NewSyscallError("fcntl", errno)
	}
	if err != nil {
		return nil, fmt.Errorf("accept: %w", err)
	}
	c := &Conn{l: l, fd: fd, local: tcp.LocalAddr(), remote: tcp.RemoteAddr(), fresh: true}
	c.reader.woken, c.writer.woken = make(chan struct{}, 1), make(chan struct{}, 1)
	l.mu.Lock()
	for len(l.conns) <= fd {
		l.conns = append(l.conns, nil)
	}
	l.conns[fd] = c
	l.open++
	l.mu.Unlock()
	if err := syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: interest, Fd: int32(fd)}); err != nil {
		c.Close()
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	return c, nil
}

// Run tells connections that they can be read and written, until Stop.
func (l *Listener) Run() {
	defer close(l.done)
	defer syscall.Close(l.epoll)
	events := make([]syscall.EpollEvent, 512)
	swept, since := time.Now(), time.Now()
	count, rate := 0, 0.0
	for !l.stop.Load() {
		n, err := syscall.EpollWait(l.epoll, events, int(sweepEvery/time.Millisecond))
		if err != nil && err != syscall.EINTR {
			panic(fmt.Sprintf("BUG: epoll_wait: %v", err))
		}
		open := l.wake(events[:max(n, 0)])
		count += max(n, 0)
		now := time.Now()
		if now.Sub(swept) >= sweepEvery {
			swept = now
			l.sweep(now.UnixNano())
		}
		if d := now.Sub(since); d >= 50*time.Millisecond {
			rate = (rate + float64(count)/d.Seconds()) / 2
			since, count = now, 0
			l.pace.Store(int64(Wait(rate, open, l.most)))
		}
		if d := l.Pace(); d > 0 && n < roundOf {
			time.Sleep(d)
		}
	}
}

func (l *Listener) wake(events []syscall.EpollEvent) (open int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range events {
		if e.Fd < 0 || l.conns[e.Fd] == nil { // Stop, or closed meanwhile
			continue
		}
		c := l.conns[e.Fd]
		if e.Events&gone != 0 {
			c.ended.Store(true)
		}
		if e.Events&(syscall.EPOLLIN|gone) != 0 {
			c.reader.wake()
		}
		if e.Events&(syscall.EPOLLOUT|gone) != 0 {
			c.writer.wake()
		}
	}
	return l.open
}

// sweep wakes whoever waits beyond a deadline.
func (l *Listener) sweep(now int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		if c != nil {
			c.reader.expire(now)
			c.writer.expire(now)
		}
	}
}

// Conn is a TCP connection.
type Conn struct {
	l             *Listener
	local, remote net.Addr
	reader        waiter
	writer        waiter
	ended         atomic.Bool // the other side has closed: what is read short is not all
	fresh         bool        // there may be more to read; the reader's

	mu     sync.RWMutex // a file descriptor that is closed is soon somebody else's
	fd     int
	closed bool
}

// A waiter waits for one direction of a connection.
type waiter struct {
	mu       sync.Mutex // of who reads, or writes
	state    atomic.Int32
	deadline atomic.Int64 // Unix ns; 0: none
	woken    chan struct{}
}

const (
	idle   = 0
	ready  = 1 // something happened that was not waited for yet
	parked = 2
)

func (w *waiter) wake() {
	if w.state.Swap(ready) == parked {
		w.woken <- struct{}{}
	}
}

// wait returns when something has happened since it last returned.
func (w *waiter) wait() {
	if w.state.CompareAndSwap(idle, parked) {
		<-w.woken
	}
	w.state.Store(idle)
}

func (w *waiter) expire(now int64) {
	if d := w.deadline.Load(); d > 0 && d <= now && w.state.Load() == parked {
		w.wake()
	}
}

func (w *waiter) set(t time.Time) {
	if t.IsZero() {
		w.deadline.Store(0)
		return
	}
	ns := t.UnixNano()
	w.deadline.Store(max(ns, 1))
	if ns <= time.Now().UnixNano() {
		w.wake()
	}
}

// over reports whether the deadline has passed.
func (w *waiter) over() bool {
	d := w.deadline.Load()
	return d > 0 && d <= time.Now().UnixNano()
}

// Read reads what there is, and waits for a round if there is nothing.
func (c *Conn) Read(b []byte) (int, error) {
	c.reader.mu.Lock()
	defer c.reader.mu.Unlock()
	for {
		if c.reader.over() {
			return 0, os.ErrDeadlineExceeded
		}
		if !c.fresh && !c.ended.Load() {
			c.reader.wait()
			c.fresh = true
			continue // it may have been the deadline
		}
		n, err := c.call(syscall.Read, b)
		switch {
		case err == syscall.EAGAIN:
			c.fresh = false
			c.ended.Store(false)
		case err != nil:
			return 0, c.failed("read", err)
		case n == 0 && len(b) > 0:
			return 0, io.EOF
		default:
			c.fresh = n == len(b)
			return n, nil
		}
	}
}

// Write writes all of b, and waits where the other side does not read.
func (c *Conn) Write(b []byte) (done int, err error) {
	c.writer.mu.Lock()
	defer c.writer.mu.Unlock()
	for done < len(b) {
		if c.writer.over() {
			return done, os.ErrDeadlineExceeded
		}
		n, err := c.call(syscall.Write, b[done:])
		switch {
		case err == syscall.EAGAIN:
			c.writer.wait()
		case err != nil:
			return done, c.failed("write", err)
		default:
			done += n
		}
	}
	return done, nil
}

// TryWrite writes of b what can be written without waiting.
func (c *Conn) TryWrite(b []byte) (int, error) {
	n, err := c.call(syscall.Write, b)
	switch {
	case err == syscall.EAGAIN:
		return 0, nil
	case err != nil:
		return 0, c.failed("write", err)
	}
	return n, nil
}

// call makes a system call that does not block.
func (c *Conn) call(f func(int, []byte) (int, error), b []byte) (int, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return 0, net.ErrClosed
	}
	for {
		if n, err := f(c.fd, b); err != syscall.EINTR {
			return n, err
		}
	}
}

func (c *Conn) failed(op string, err error) error {
	if errors.Is(err, net.ErrClosed) {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: os.NewSyscallError(op, err)}
}

// Close ends the connection; who reads or writes it is told.
func (c *Conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return net.ErrClosed
	}
	c.l.mu.Lock()
	c.l.conns[c.fd] = nil
	c.l.open--
	c.l.mu.Unlock()
	c.closed = true
	err := syscall.Close(c.fd)
	c.mu.Unlock()
	c.ended.Store(true)
	c.reader.wake()
	c.writer.wake()
	return os.NewSyscallError("close", err)
}

// LocalAddr returns this side's address.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the other side's address.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets both deadlines. They are coarse: half a second may be added,
// unless they lie in the past.
func (c *Conn) SetDeadline(t time.Time) error {
	c.reader.set(t)
	c.writer.set(t)
	return nil
}

// SetReadDeadline ends a Read that waits at t.
func (c *Conn) SetReadDeadline(t time.Time) error { c.reader.set(t); return nil }

// SetWriteDeadline ends a Write that waits at t.
func (c *Conn) SetWriteDeadline(t time.Time) error { c.writer.set(t); return nil }
