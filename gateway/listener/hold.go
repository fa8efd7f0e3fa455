package listener

import (
	"errors"
	"io"
	"time"
)

const (
	maxAhead    = 256 << 10 // bytes that one connection is read ahead while the spool withholds
	maxAheadAll = 64 << 20  // and all of them together
)

// pong answers a PINGREQ.
func (c *conn) pong() {
	c.l.Counters.Pings.Add(1)
	c.send([]byte{typePingresp << 4, 0})
}

// admit waits until the next message may be handed on: a client has so many
// unacknowledged at most. If the spool withholds, it returns what is closed when
// it takes messages again.
func (c *conn) admit(acknowledged bool) (again <-chan struct{}) {
	cl := *c.client.Load()
	if again = cl.Withheld(); again != nil || !acknowledged {
		return again
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inflight < c.l.cfg.ReceiveMaximum {
		return nil
	}
	c.l.Counters.Paused.Add(1)
	// Nobody tells a connection that waits here when the spool begins to withhold.
	look := time.AfterFunc(time.Second, func() { c.mu.Lock(); c.ready.Broadcast(); c.mu.Unlock() })
	defer look.Stop()
	for c.inflight >= c.l.cfg.ReceiveMaximum && c.cause.Load() == nil {
		if again = cl.Withheld(); again != nil {
			return again
		}
		c.ready.Wait()
		look.Reset(time.Second)
	}
	return nil
}

// hold waits until the spool takes messages again. The next packet and what
// follows it stay in the buffer; what follows is read meanwhile, within bounds,
// for the pings in it, which are answered at once: a device that hears nothing
// for its keep-alive time goes away, and would come back to be refused.
//
// Over WebSocket a read cannot be taken up again once it was interrupted: there
// the end is noticed with the next bytes, a ping at the latest.
func (c *conn) hold(again <-chan struct{}) error {
	back := make(chan struct{})
	woken := make(chan struct{})
	_, whole := c.nc.(*wsConn)
	go func() {
		defer close(woken)
		select {
		case <-again:
			if !whole {
				c.nc.SetReadDeadline(time.Unix(1, 0))
			}
		case <-back:
		}
	}()
	ahead := 0 // bytes that were read here
	defer func() {
		close(back)
		<-woken
		c.deadlineAt = time.Time{} // the next read sets it anew
		c.l.ahead.Add(-int64(ahead))
	}()
	for seen := c.last; ; {
		var err error
		if seen, err = c.answer(seen); err != nil {
			return err
		}
		if ahead >= maxAhead || c.l.ahead.Load() >= maxAheadAll {
			return c.rest(again)
		}
		if c.to-c.from == len(c.buf) {
			c.resize(2 * len(c.buf))
		}
		n := c.to - c.from
		err = c.fill(n + 1)
		ahead += c.to - c.from - n
		c.l.ahead.Add(int64(c.to - c.from - n))
		select {
		case <-again:
			return nil
		default:
		}
		switch {
		case errors.Is(err, io.EOF):
			return c.rest(again) // what it has sent is taken all the same
		case err != nil:
			return err
		}
	}
}

// answer looks through what is whole beyond the first seen bytes that are not
// yet parsed, and takes the pings out. It returns how far it looked.
func (c *conn) answer(seen int) (int, error) {
	for {
		first, length, size, err := head(c.buf[c.from+seen : c.to])
		if err != nil {
			return seen, err
		}
		end := seen + size + length
		if size == 0 || c.from+end > c.to {
			return seen, nil
		}
		if first>>4 != typePingreq {
			seen = end
			continue
		}
		copy(c.buf[c.from+seen:], c.buf[c.from+end:c.to])
		c.to -= end - seen
		c.pong()
	}
}

// rest waits without reading.
func (c *conn) rest(again <-chan struct{}) error {
	select {
	case <-again:
		return nil
	case <-c.closing:
		return *c.cause.Load()
	}
}
