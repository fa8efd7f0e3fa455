package listener

import "strings"

// WithCode returns the token whose acknowledgement carries a reason code and,
// where the client wants to read such, words.
func (c *conn) WithCode(token uint64, code byte, text string) uint64 {
	if c.version == 5 && !c.silent {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.texts == nil {
			c.texts = map[uint16]string{}
		}
		c.texts[uint16(token)] = clip(text)
	}
	return token | uint64(code)<<24
}

// clip cuts words to what an acknowledgement carries.
func clip(s string) string {
	if len(s) <= maxReason {
		return s
	}
	return strings.ToValidUTF8(s[:maxReason], "") + "…"
}

// Spooled queues the acknowledgement of a message that is durable.
func (c *conn) Spooled(token uint64) bool {
	id, qos, code := uint16(token), byte(token>>16)&3, byte(token>>24)
	packet := byte(typePuback)
	if qos == 2 {
		packet = typePubrec
		s := c.session
		s.mu.Lock()
		r, ok := s.received[id]
		if ok {
			if code >= 0x80 && c.version == 5 {
				delete(s.received, id) // a refusing PUBREC ends it
			} else {
				s.received[id] = received{durable: true, code: code}
			}
		}
		s.mu.Unlock()
		if r.again != nil && r.again != c {
			r.again.send(appendAck(nil, typePubrec, id, code, r.again.version, ""))
		}
		c.l.crash("mqtt-pubrec")
	} else {
		c.l.crash("mqtt-ack")
	}
	c.l.Counters.Acked.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inflight--
	first := len(c.out) == 0
	text := ""
	if code != Success && c.texts != nil {
		text = c.texts[id]
		delete(c.texts, id)
	}
	c.out = appendAck(c.out, packet, id, code, c.version, text)
	return first
}

// Flush writes what is queued.
func (c *conn) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flush()
}

// flush writes what goes at once, and starts the writer for the rest, unless it
// is at work. c.mu is held.
func (c *conn) flush() {
	c.ready.Broadcast()
	if c.writing || len(c.out) == 0 {
		return
	}
	if c.direct != nil {
		n, err := c.direct.TryWrite(c.out)
		if err == nil && n == len(c.out) {
			c.out = c.out[:0]
			return
		}
		c.out = c.out[:copy(c.out, c.out[n:])]
	}
	c.writing = true
	go c.write()
}

// send queues b and writes it.
func (c *conn) send(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = append(c.out, b...)
	c.flush()
}

// write writes what is queued until nothing is. run waits for it.
func (c *conn) write() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.out) > 0 {
		b := c.out
		c.out = c.spare[:0]
		c.mu.Unlock()
		_, err := c.nc.Write(b)
		c.mu.Lock()
		c.spare = b[:0]
		if cap(b) > 4<<10 {
			c.spare = nil
		}
		if err != nil || len(c.out) > maxUnread {
			c.out = nil
			c.nc.Close() // the reader ends
			break
		}
	}
	c.writing = false
	c.ready.Broadcast()
}
