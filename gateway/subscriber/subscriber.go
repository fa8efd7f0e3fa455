// Package subscriber takes what a site's own MQTT broker has: with a persistent
// session, acknowledging each message when the spool has synced it. What the
// broker itself loses it cannot bring back; the listener has no such gap.
package subscriber

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/mudpulse/mudpulse/gateway/crash"
	"github.com/mudpulse/mudpulse/gateway/spool"
)

// A Taker hands one message to the spool, which tells w when it is durable. It
// waits where the spool withholds. Called from one goroutine.
type Taker func(topic string, payload []byte, w spool.Waiter, token uint64) error

// A Subscriber reads one broker.
type Subscriber struct {
	cfg   Config
	take  Taker
	log   *slog.Logger
	crash crash.Func
	queue chan paho.Message

	mu      sync.Mutex
	waiting map[uint64]paho.Message
	durable []paho.Message

	client    atomic.Pointer[paho.Client] // while it is subscribed
	connected atomic.Bool
	last      atomic.Int64 // Unix ns, wall: last message, or when the first connection was made
	Messages  atomic.Int64
	err       atomic.Pointer[error]
}

// New returns a subscriber that does nothing yet.
func New(cfg Config, take Taker, log *slog.Logger, at crash.Func) (*Subscriber, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", cfg.URL, err)
	}
	return &Subscriber{cfg: cfg, take: take, log: log, crash: at, queue: make(chan paho.Message, cfg.Buffer), waiting: map[uint64]paho.Message{}}, nil
}

const firstWait = 50 * time.Millisecond // before connecting again

// Run reads the broker until ctx is done, connecting again for ever.
func (s *Subscriber) Run(ctx context.Context) {
	var pumping sync.WaitGroup
	pumping.Go(func() { s.pump(ctx) })
	defer pumping.Wait()
	// At first at once: what is published to a broker that forgot the session goes nowhere.
	for wait := firstWait; ctx.Err() == nil; wait = min(2*wait, 30*time.Second) {
		lost := make(chan error, 1)
		client := paho.NewClient(s.options(ctx, lost))
		token := client.Connect()
		select {
		case <-token.Done():
		case <-ctx.Done():
		}
		if err := token.Error(); err != nil {
			s.fail(err)
		} else if ctx.Err() == nil {
			wait = firstWait
			if err := s.subscribe(ctx, client); err != nil {
				s.fail(err)
			} else {
				s.err.Store(nil)
				s.last.CompareAndSwap(0, time.Now().UnixNano())
				s.client.Store(&client)
				s.connected.Store(true)
				s.log.Info("subscribed", "broker", s.cfg.URL)
				if err := s.listen(ctx, lost); err != nil {
					s.fail(err)
				} else {
					s.drain(time.Second)
				}
				s.connected.Store(false)
				s.client.Store(nil)
			}
		}
		client.Disconnect(100)
		s.abandon()
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// listen returns why the connection is to be given up, or nil when ctx is done.
// A connection that is silent for three times as long as is healthy is given up:
// that a broker answers pings does not mean that it delivers.
func (s *Subscriber) listen(ctx context.Context, lost <-chan error) error {
	if s.cfg.Silent == 0 {
		select {
		case err := <-lost:
			return err
		case <-ctx.Done():
			return nil
		}
	}
	since := time.Now()
	tick := time.NewTicker(max(s.cfg.Silent/4, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case err := <-lost:
			return err
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if last := time.Unix(0, s.last.Load()); last.After(since) {
			since = last
		}
		if quiet := time.Since(since); quiet > 3*s.cfg.Silent {
			return fmt.Errorf("connected, but silent for %v: connecting again", quiet.Round(time.Second))
		}
	}
}

func (s *Subscriber) options(ctx context.Context, lost chan<- error) *paho.ClientOptions {
	o := paho.NewClientOptions().AddBroker(s.cfg.URL).SetClientID(s.cfg.ClientID).SetUsername(s.cfg.Username).SetPassword(s.cfg.Password)
	o.SetCleanSession(false).SetAutoReconnect(false).SetConnectRetry(false).SetAutoAckDisabled(true).SetOrderMatters(true)
	o.SetProtocolVersion(4).SetKeepAlive(20 * time.Second).SetConnectTimeout(10 * time.Second).SetWriteTimeout(10 * time.Second)
	if s.cfg.TLS != nil {
		o.SetTLSConfig(s.cfg.TLS)
	}
	o.SetConnectionLostHandler(func(_ paho.Client, err error) {
		select {
		case lost <- err:
		default:
		}
	})
	// Set before Connect: messages of the resumed session that found no handler
	// would never be acknowledged.
	o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
		select {
		case s.queue <- m:
		case <-ctx.Done():
		}
	})
	return o
}

func (s *Subscriber) subscribe(ctx context.Context, client paho.Client) error {
	filters := map[string]byte{}
	for _, f := range s.cfg.Filters {
		filters[f] = 1
	}
	token := client.SubscribeMultiple(filters, nil)
	select {
	case <-token.Done():
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(10 * time.Second):
		return fmt.Errorf("the broker did not answer SUBSCRIBE within 10s")
	}
	if err := token.Error(); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	for f, code := range token.(*paho.SubscribeToken).Result() {
		if code >= 0x80 {
			return fmt.Errorf("subscribe: the broker refuses %q", f)
		}
	}
	return nil
}

// pump hands messages on, in order.
func (s *Subscriber) pump(ctx context.Context) {
	var n uint64
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-s.queue:
			n++
			s.last.Store(time.Now().UnixNano())
			s.Messages.Add(1)
			s.mu.Lock()
			s.waiting[n] = m
			s.mu.Unlock()
			if err := s.take(m.Topic(), m.Payload(), s, n); err != nil {
				return // the gateway is stopping; the broker keeps it
			}
		}
	}
}

// Spooled keeps a message to be acknowledged by Flush.
func (s *Subscriber) Spooled(token uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.waiting[token]
	if !ok {
		return false
	}
	delete(s.waiting, token)
	s.durable = append(s.durable, m)
	return len(s.durable) == 1
}

// Flush acknowledges what is durable. An acknowledgement after the connection
// was lost has no effect: the broker sends the message again.
func (s *Subscriber) Flush() {
	s.mu.Lock()
	acks := s.durable
	s.durable = nil
	s.mu.Unlock()
	for _, m := range acks {
		s.crash("subscribe-ack")
		m.Ack()
	}
}

// drain waits until what was handed on is acknowledged, at most for d.
func (s *Subscriber) drain(d time.Duration) {
	end := time.Now().Add(d)
	for time.Now().Before(end) {
		s.mu.Lock()
		n := len(s.waiting) + len(s.durable)
		s.mu.Unlock()
		if n == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// abandon forgets what belongs to a connection that is gone.
func (s *Subscriber) abandon() {
	for {
		select {
		case <-s.queue:
			continue
		default:
		}
		return
	}
}

// Publish sends a message to the broker at QoS 0, if there is a connection: a
// request that may be lost is made again.
func (s *Subscriber) Publish(topic string, payload []byte) {
	if c := s.client.Load(); c != nil {
		(*c).Publish(topic, 0, false, payload)
	}
}

func (s *Subscriber) fail(err error) {
	s.err.Store(&err)
	s.log.Warn("subscription lost", "broker", s.cfg.URL, "err", err)
}

// Healthy says what is wrong with the subscription, if something is: a
// connection without messages is.
func (s *Subscriber) Healthy() error {
	if err := s.err.Load(); err != nil {
		return fmt.Errorf("broker %s: %w", s.cfg.URL, *err)
	}
	if !s.connected.Load() {
		return fmt.Errorf("broker %s: not connected yet", s.cfg.URL)
	}
	if quiet := time.Since(time.Unix(0, s.last.Load())); s.cfg.Silent > 0 && quiet > s.cfg.Silent {
		return fmt.Errorf("broker %s: connected, but silent for %v", s.cfg.URL, quiet.Round(time.Second))
	}
	return nil
}
