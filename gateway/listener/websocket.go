package listener

import (
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

// upgrade answers MQTT over WebSocket (MQTT 5, 6) at any path. Browsers are
// turned away: a page of another origin must not publish for who looks at it.
func (l *Listener) upgrade() http.Handler {
	up := websocket.Upgrader{
		Subprotocols: []string{"mqtt", "mqttv3.1"}, HandshakeTimeout: l.cfg.ConnectTimeout, ReadBufferSize: 4 << 10, WriteBufferSize: 1 << 10,
		CheckOrigin: func(r *http.Request) bool { return r.Header.Get("Origin") == "" },
	}
	transport := "ws"
	if l.cfg.WebSocketTLS {
		transport = "wss"
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := up.Upgrade(w, r, nil)
		if err != nil {
			l.Counters.Refused.Add(1)
			return // answered by Upgrade
		}
		ws.SetReadLimit(int64(l.cfg.MaxPacket) + 64<<10)
		l.wg.Add(1)
		defer l.wg.Done()
		c := &wsConn{Conn: ws.NetConn(), ws: ws}
		if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
			c.certName = r.TLS.VerifiedChains[0][0].Subject.CommonName
		}
		l.serve(c, transport)
	})
}

// wsConn is a stream of bytes over the binary messages of a WebSocket.
type wsConn struct {
	net.Conn
	ws *websocket.Conn
	r  io.Reader

	certName string
}

func (c *wsConn) Read(b []byte) (int, error) {
	for {
		if c.r == nil {
			kind, r, err := c.ws.NextReader()
			if err != nil {
				if websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway) {
					err = io.EOF
				}
				return 0, err
			}
			if kind != websocket.BinaryMessage {
				return 0, Code{0x82, "MQTT over WebSocket uses binary messages"}
			}
			c.r = r
		}
		n, err := c.r.Read(b)
		if err == io.EOF {
			c.r, err = nil, nil
			if n == 0 {
				continue
			}
		}
		return n, err
	}
}

func (c *wsConn) Write(b []byte) (int, error) {
	if err := c.ws.WriteMessage(websocket.BinaryMessage, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (c *wsConn) SetReadDeadline(t time.Time) error  { return c.ws.SetReadDeadline(t) }
func (c *wsConn) SetWriteDeadline(t time.Time) error { return c.ws.SetWriteDeadline(t) }
