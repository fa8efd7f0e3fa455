package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/mudpulse/mudpulse/services/alarmlife"
	"github.com/mudpulse/mudpulse/services/api/view"
	"github.com/mudpulse/mudpulse/telemetry"
)

var unknown = view.Num(math.NaN())

// Bounds of one client.
const (
	maxWish      = 64 << 10 // bytes of one message from it
	maxChannels  = 64
	writeTimeout = 5 * time.Second
	pingEvery    = 20 * time.Second
	checkEvery   = 15 * time.Second // whether its session still holds
)

// A socket is a client's connection; *websocket.Conn is one.
type socket interface {
	Read(ctx context.Context) (websocket.MessageType, []byte, error)
	Write(ctx context.Context, typ websocket.MessageType, p []byte) error
	Ping(ctx context.Context) error
	Close(code websocket.StatusCode, reason string) error
	CloseNow() error
}

// A client is one open page. What it wants and what waits for it is bounded by
// what there is: a set of changed alarms, one collection of readings, positions.
type client struct {
	mu       sync.Mutex
	fleet    bool
	fleetPos uint64
	alarms   bool
	changed  map[string]*alarmlife.Alarm // waiting, the newest of each
	order    []string                    // their ids, as they changed
	news     []news
	watch    *readings
	scorePos uint64
	pong     bool
	wrong    []string // what its wishes were refused for
	wake     chan struct{}
}

func (c *client) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// news are facts that pages ask about again: a model was switched, a drill was annotated.
type news struct {
	Type string `json:"type"`
	Name string `json:"name"`
}

// frame, alarm and tell are called by the hub, with its mutex held: short.
func (c *client) frame(f *telemetry.Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watch != nil && c.watch.drill == f.Drill {
		c.watch.add(f)
		c.poke() // a frame after a pause is drawn at once, those that follow closely together
	}
}

func (c *client) alarm(a *alarmlife.Alarm) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.alarms {
		return
	}
	if _, waits := c.changed[a.ID]; !waits {
		c.order = append(c.order, a.ID)
	}
	c.changed[a.ID] = a
	c.poke()
}

func (c *client) tell(n news) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(c.news, n) && len(c.news) < 1000 {
		c.news = append(c.news, n)
	}
	c.poke()
}

// refuse lets the client know what was wrong with its wish; false if it goes on
// and on without reading that.
func (c *client) refuse(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrong = append(c.wrong, err.Error())
	c.poke()
	return len(c.wrong) < 10
}

// Serve speaks to one page until it leaves. still is asked now and then
// whether whoever opened it may still look.
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request, still func(context.Context) error) {
	h.mu.Lock()
	full := len(h.clients) >= h.cfg.MaxClients
	h.mu.Unlock()
	if full {
		h.m.refused.WithLabelValues("full").Inc()
		http.Error(w, "too many live channels are open", http.StatusServiceUnavailable)
		return
	}
	opt := &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled}
	if h.cfg.Host != "" {
		opt.OriginPatterns = []string{h.cfg.Host}
	}
	conn, err := websocket.Accept(w, r, opt)
	if err != nil {
		h.m.refused.WithLabelValues("handshake").Inc() // another site's page, or no WebSocket
		return                                         // Accept has answered
	}
	conn.SetReadLimit(maxWish)
	h.serve(r.Context(), conn, still)
}

// serve reads wishes and writes what was wished for; both have ended when it returns.
func (h *Hub) serve(ctx context.Context, conn socket, still func(context.Context) error) {
	ctx, stop := context.WithCancelCause(ctx)
	c := &client{changed: map[string]*alarmlife.Alarm{}, wake: make(chan struct{}, 1)}
	h.mu.Lock()
	h.clients[c] = struct{}{}
	h.mu.Unlock()
	h.m.opened.Inc()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			typ, b, err := conn.Read(ctx)
			if err != nil {
				stop(err)
				return
			}
			if typ != websocket.MessageText {
				err = errors.New("wishes are JSON in text messages")
			} else {
				err = h.wish(c, b)
			}
			if err != nil {
				h.m.refused.WithLabelValues("wish").Inc()
				if !c.refuse(err) {
					stop(refusal{err})
					return
				}
			}
		}
	}()
	err := h.write(ctx, c, conn, still)
	stop(err)
	h.mu.Lock()
	delete(h.clients, c)
	for _, d := range h.drills {
		delete(d.watchers, c)
	}
	h.mu.Unlock()
	code, reason := websocket.StatusNormalClosure, ""
	var no refusal
	cause := context.Cause(ctx)
	switch {
	case errors.As(cause, &no):
		code, reason = websocket.StatusPolicyViolation, no.Error()
		kind := "wishes"
		if errors.Is(no, errSignedOut) {
			kind = "session"
		}
		h.m.refused.WithLabelValues(kind).Inc()
	case errors.Is(cause, errSlow):
		code, reason = websocket.StatusTryAgainLater, cause.Error()
		h.m.slow.Inc()
	case errors.Is(cause, errAway):
		code, reason = websocket.StatusGoingAway, "the server stops"
	}
	if len(reason) > 120 {
		reason = reason[:120]
	}
	if errors.Is(cause, errSlow) {
		_ = conn.CloseNow() // it does not read, so it would not read a farewell
	} else {
		_ = conn.Close(code, reason) // it may be gone already
	}
	<-done
}

var (
	errSlow = errors.New("you did not read for 5 s; connect again")
	errAway = errors.New("the server stops")

	errSignedOut = errors.New("you are no longer signed in")
)

// refusal is what a client did wrong.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

type wish struct {
	Op       string   `json:"op"`
	On       *bool    `json:"on"`
	What     string   `json:"what"`
	Drill    string   `json:"drill"`
	Channels []string `json:"channels"`
	Sub      uint32   `json:"sub"`
	SinceMS  float64  `json:"since_ms"`
}

// wish takes one message of a client; an error is told to it.
func (h *Hub) wish(c *client, b []byte) error {
	var w wish
	if err := json.Unmarshal(b, &w); err != nil {
		return fmt.Errorf("this wish is no JSON of ours: %w", err)
	}
	on := w.On == nil || *w.On
	switch w.Op {
	case "ping":
		c.mu.Lock()
		c.pong = true
		c.mu.Unlock()
	case "fleet":
		c.mu.Lock()
		c.fleet, c.fleetPos = on, 0
		c.mu.Unlock()
	case "alarms":
		c.mu.Lock()
		c.alarms = on
		clear(c.changed)
		c.order = nil
		c.mu.Unlock()
	case "drill":
		return h.watch(c, w)
	case "off":
		switch w.What {
		case "drill":
			h.unwatch(c)
		case "fleet":
			c.mu.Lock()
			c.fleet = false
			c.mu.Unlock()
		case "alarms":
			c.mu.Lock()
			c.alarms = false
			c.mu.Unlock()
		default:
			return fmt.Errorf("off %.40q: want fleet, alarms or drill", w.What)
		}
	default:
		return fmt.Errorf("op %.40q: want fleet, alarms, drill, off or ping", w.Op)
	}
	c.poke()
	return nil
}

func (h *Hub) watch(c *client, w wish) error {
	if err := telemetry.ValidID(w.Drill); err != nil {
		return fmt.Errorf("drill: %w", err)
	}
	if len(w.Channels) > maxChannels {
		return fmt.Errorf("channels: %d of them, at most %d are sent", len(w.Channels), maxChannels)
	}
	for _, tag := range w.Channels {
		if len(tag) > 128 {
			return fmt.Errorf("channels: %.20q… is no channel", tag)
		}
	}
	h.unwatch(c)
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.drills[w.Drill]
	if d == nil {
		if len(h.drills) > 0 && !slices.Contains(h.known(), w.Drill) {
			return fmt.Errorf("drill %q is not known", w.Drill)
		}
		d = h.drill(w.Drill)
	}
	r := newReadings(w.Drill, w.Channels, w.Sub, h.clock.Rate())
	if w.SinceMS > 0 && w.SinceMS < 1e15 {
		for i := range r.columns {
			r.columns[i].last, r.columns[i].any = int64(w.SinceMS*1e6), true
		}
	}
	c.mu.Lock()
	c.watch, c.scorePos = r, 0
	c.mu.Unlock()
	d.watchers[c] = struct{}{}
	return nil
}

func (h *Hub) unwatch(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watch == nil {
		return
	}
	if d := h.drills[c.watch.drill]; d != nil {
		delete(d.watchers, c)
	}
	c.watch = nil
}

// write sends what the client wants, each kind no oftener than a screen shows
// it, until ctx is done or a message is not taken within writeTimeout.
func (h *Hub) write(ctx context.Context, c *client, conn socket, still func(context.Context) error) error {
	send := func(typ websocket.MessageType, b []byte) error {
		if b == nil {
			return nil
		}
		own, cancel := context.WithTimeoutCause(ctx, writeTimeout, errSlow)
		defer cancel()
		if err := conn.Write(own, typ, b); err != nil {
			if own.Err() != nil {
				return context.Cause(own)
			}
			return err
		}
		h.m.messages.Inc()
		h.m.bytes.Add(float64(len(b)))
		return nil
	}
	text := func(b []byte) error { return send(websocket.MessageText, b) }
	if err := text(mustJSON(map[string]any{"type": "hello", "clock": h.Clock(), "version": h.cfg.Version, "pos": 0})); err != nil {
		return err
	}
	tick := time.NewTicker(readingsEvery)
	defer tick.Stop()
	ping, check := time.NewTicker(pingEvery), time.NewTicker(checkEvery)
	defer ping.Stop()
	defer check.Stop()
	var fleetAt, readingsAt time.Time
	var countsPos uint64
	for {
		ticked := false
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-h.away:
			return errAway
		case <-c.wake:
		case <-tick.C:
			ticked = true
		case <-ping.C:
			own, cancel := context.WithTimeoutCause(ctx, 2*writeTimeout, errSlow)
			err := conn.Ping(own)
			cancel()
			if err != nil {
				return errSlow
			}
			continue
		case <-check.C:
			if err := still(ctx); err != nil {
				return refusal{errSignedOut}
			}
			continue
		}
		c.mu.Lock()
		pong, facts, order, changed, wrong := c.pong, c.news, c.order, c.changed, c.wrong
		c.pong, c.news, c.wrong = false, nil, nil
		if len(order) > 0 {
			c.order, c.changed = nil, map[string]*alarmlife.Alarm{}
		}
		fleet, fleetPos, watch, scorePos := c.fleet, c.fleetPos, c.watch, c.scorePos
		var samples []byte
		if watch != nil && (ticked || time.Since(readingsAt) >= readingsEvery) {
			if samples = watch.take(); samples != nil {
				readingsAt = time.Now()
			}
		}
		c.mu.Unlock()

		if pong {
			if err := text([]byte(`{"type":"pong"}`)); err != nil {
				return err
			}
		}
		for _, w := range wrong {
			if err := text(mustJSON(map[string]string{"type": "error", "message": w})); err != nil {
				return err
			}
		}
		for _, id := range order {
			if err := text(mustJSON(map[string]any{"type": "alarm", "alarm": view.AlarmOf(changed[id])})); err != nil {
				return err
			}
		}
		for _, n := range facts {
			if err := text(mustJSON(n)); err != nil {
				return err
			}
		}
		if err := send(websocket.MessageBinary, samples); err != nil {
			return err
		}
		now := time.Now()
		due := now.Sub(fleetAt) >= fleetEvery-10*time.Millisecond
		if !due && !(fleet && fleetPos == 0) && !(watch != nil && scorePos == 0) {
			continue
		}
		if due {
			fleetAt = now
			msg, pos := h.countsSince(countsPos)
			countsPos = pos
			if err := text(msg); err != nil {
				return err
			}
		}
		if fleet {
			msg, pos := h.fleetSince(fleetPos)
			if err := text(msg); err != nil {
				return err
			}
			c.mu.Lock()
			if c.fleetPos == fleetPos { // it may have asked for all again
				c.fleetPos = pos
			}
			c.mu.Unlock()
		}
		if watch != nil {
			msg, pos := h.scoreSince(watch.drill, scorePos)
			if err := text(msg); err != nil {
				return err
			}
			c.mu.Lock()
			if c.watch == watch {
				c.scorePos = pos
			}
			c.mu.Unlock()
		}
	}
}
