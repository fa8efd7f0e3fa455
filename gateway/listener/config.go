package listener

import (
	"crypto/tls"
	"fmt"
	"net"
	"time"
)

// Config says where MQTT is listened for and what one client may do.
type Config struct {
	TCP       string      // address, as 127.0.0.1:1883; port 0 allowed; empty: not
	TLS       string      // the same over TLS, with TLSConfig
	WebSocket string      // MQTT over WebSocket at /mqtt; with TLSConfig if WebSocketTLS
	TLSConfig *tls.Config // server certificate; ClientCAs and ClientAuth for mutual TLS

	WebSocketTLS bool

	MaxClients     int
	ReceiveMaximum int           // unacknowledged QoS 1 and 2 messages a client may have; reading pauses beyond it
	MaxPacket      int           // bytes of one MQTT packet
	MaxRate        int           // messages a second from one client, a second's worth at once; reading pauses beyond it; 0: no bound
	ConnectTimeout time.Duration // from accepting a connection to its CONNECT
	MaxKeepAlive   time.Duration // longer or none is cut to it (MQTT 5: told to the client)
	Round          time.Duration // how long messages of very many devices are gathered, at most, before they are read: see poll.Wait; 0: not
	SessionExpiry  time.Duration // how long the QoS 2 packet ids of a client that went away are kept
}

// DefaultConfig listens nowhere.
func DefaultConfig() Config {
	return Config{
		MaxClients: 20000, ReceiveMaximum: 1024, MaxPacket: 1<<20 + 4096,
		ConnectTimeout: 10 * time.Second, MaxKeepAlive: 20 * time.Minute, SessionExpiry: 7 * 24 * time.Hour,
		Round: 10 * time.Millisecond,
	}
}

// Validate names the first key that is wrong.
func (c Config) Validate() error {
	for _, a := range []struct{ key, addr string }{{"tcp", c.TCP}, {"tls", c.TLS}, {"websocket", c.WebSocket}} {
		if a.addr == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(a.addr); err != nil {
			return fmt.Errorf("%s: want HOST:PORT, not %q", a.key, a.addr)
		}
	}
	if (c.TLS != "" || c.WebSocketTLS) && c.TLSConfig == nil {
		return fmt.Errorf("tls: needs a certificate and a key")
	}
	switch {
	case c.MaxClients < 1:
		return fmt.Errorf("max_clients: must be positive, not %d", c.MaxClients)
	case c.ReceiveMaximum < 1 || c.ReceiveMaximum > 65535:
		return fmt.Errorf("receive_maximum: must lie in 1…65535, not %d", c.ReceiveMaximum)
	case c.MaxPacket < 1024:
		return fmt.Errorf("max_packet: must be at least 1024, not %d", c.MaxPacket)
	case c.MaxRate < 0:
		return fmt.Errorf("max_rate: must not be negative, not %d", c.MaxRate)
	case c.ConnectTimeout <= 0:
		return fmt.Errorf("connect_timeout: must be positive, not %v", c.ConnectTimeout)
	case c.MaxKeepAlive < time.Second || c.MaxKeepAlive > 18*time.Hour:
		return fmt.Errorf("max_keep_alive: must lie in 1s…18h, not %v", c.MaxKeepAlive)
	case c.Round < 0 || c.Round > time.Second:
		return fmt.Errorf("round: must lie in 0s…1s, not %v", c.Round)
	case c.SessionExpiry < 0:
		return fmt.Errorf("session_expiry: must not be negative, not %v", c.SessionExpiry)
	}
	return nil
}
