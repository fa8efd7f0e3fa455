//go:build !linux

package poll

import (
	"net"
	"time"
)

// A Listener accepts connections.
type Listener struct{ *net.TCPListener }

// New returns ln as it is.
func New(ln *net.TCPListener, _ time.Duration) (*Listener, error) { return &Listener{ln}, nil }

// Run does nothing.
func (l *Listener) Run() {}

// Stop does nothing.
func (l *Listener) Stop() {}

// Pace returns 0: nothing is awaited.
func (l *Listener) Pace() time.Duration { return 0 }
