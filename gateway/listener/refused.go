package listener

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// refusals remembers who was refused and why: it is said once a minute, however
// often a client tries.
type refusals struct {
	mu   sync.Mutex
	said map[string]*complaint
}

type complaint struct {
	at    time.Time
	since int // refused since it was said
}

const (
	sayEvery = time.Minute
	maxSaid  = 1000 // clients that are remembered
)

// refused counts and logs a connection that is not let in.
func (l *Listener) refused(h Hello, err error) {
	l.Counters.Refused.Add(1)
	if errors.Is(err, io.EOF) {
		return // somebody who looked whether the port is open
	}
	host, _, _ := net.SplitHostPort(h.Remote)
	user := h.Username
	if user == "" {
		user = h.CertName
	}
	if times := l.refusals.count(host+"\x00"+user+"\x00"+err.Error(), time.Now()); times > 0 {
		l.log.Warn("connection refused", "err", err, "user", user, "client_id", h.ClientID, "remote", h.Remote, "transport", h.Transport, "times", times)
	}
}

// count returns how often that was refused since it was said last, or 0 if it
// is not to be said now.
func (r *refusals) count(what string, now time.Time) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	x := r.said[what]
	if x == nil {
		if r.said == nil || len(r.said) >= maxSaid {
			r.said = map[string]*complaint{}
		}
		x = &complaint{}
		r.said[what] = x
	}
	x.since++
	if now.Sub(x.at) < sayEvery {
		return 0
	}
	n := x.since
	x.at, x.since = now, 0
	return n
}
