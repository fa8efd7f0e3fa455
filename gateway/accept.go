package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/mudpulse/mudpulse/gateway/listener"
	"github.com/mudpulse/mudpulse/gateway/payload"
	"github.com/mudpulse/mudpulse/gateway/spool"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Kinds of spool record, and their lanes: the origin they were accepted with.
// A record's payload is the length of its Kafka key in one byte, the key, the
// value.
const (
	kindFrame      = 1
	kindQuarantine = 2
)

const (
	maxRaw   = 700_000 // bytes of a quarantined message that are kept: with base64 a record stays under Kafka's 1 MB
	maxAside = 16      // runs of one frame that are quarantined each for itself
)

// source is who sends: one connection, subscription or caller. One goroutine at a time.
type source struct {
	device  telemetry.Device // Drill "" may send for any drill: a site's broker
	state   *deviceState     // nil for callers in process
	topic   string           // the last one, as parsed:
	drill   string
	heading string // record head of a drill
	kind    payload.Kind
	rule    *rule  // nil: a topic of ours
	sensor  string // the device that the topic names
	channel string // the channel that the topic names, of kind value
	bad     *payload.Error
	boot    string // of the last frame, and its sender, which count is the ledger's entry of
	sender  string
	count   any
	opts    options
	ask     func(topic string, payload []byte) // publishes to where the messages come from; nil: it cannot
}

type options struct {
	backfill, simulated bool
	part                uint32 // 0: whole frames
	channel             string // of the part
}

// An Option changes how messages given in process are taken.
type Option func(*options)

// AsBackfill gives the frames origin backfill: history, which pages nobody.
func AsBackfill() Option { return func(o *options) { o.backfill = true } }

// AsSimulated marks the frames as simulated.
func AsSimulated() Option { return func(o *options) { o.simulated = true } }

// AsPart takes of each frame the runs of one channel only, as the nth part of a
// frame that was kept without them: a run that was set aside is driven again.
func AsPart(n uint32, channel string) Option {
	return func(o *options) { o.part, o.channel = n, channel }
}

// worker is what one message needs while it is decoded.
type worker struct {
	payload payload.Decoder
	check   checker
	buf     []byte
	aside   []payload.Error
}

// workers are as many as may decode at once: memory is bounded however many
// connect. The one that was used last is given first: its tables are warm.
type workers struct {
	free chan struct{}
	mu   sync.Mutex
	idle []*worker
}

func (w *workers) get() *worker {
	<-w.free
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.idle) - 1
	k := w.idle[n]
	w.idle = w.idle[:n]
	return k
}

func (w *workers) put(k *worker) {
	w.mu.Lock()
	w.idle = append(w.idle, k)
	w.mu.Unlock()
	w.free <- struct{}{}
}

// take decodes, validates and identifies one message and hands it to the
// spool; w is told when all of it is durable.
func (g *Gateway) take(s *source, topic, body []byte, size int, w spool.Waiter, token uint64) error {
	g.count.Messages.Add(1)
	now := g.clock.Now()
	g.resolve(s, topic)
	if s.bad != nil {
		g.count.Refused.Add(1)
		code := byte(listener.NotAuthorized)
		if s.bad.Code == CodeTopic {
			code = listener.TopicInvalid
		}
		if s.state != nil {
			s.state.note(s.bad.Message)
		}
		return g.quarantine(s, s.bad, nil, body[:min(len(body), 4<<10)], size, now, w, withCode(w, token, code, s.bad))
	}
	if size > g.cfg.MaxPayload {
		e := &payload.Error{Code: payload.TooLarge, Message: fmt.Sprintf("%d bytes, at most %d are taken", size, g.cfg.MaxPayload), Cure: "send one second a message"}
		return g.reject(s, e, body[:min(len(body), 64<<10)], size, now, w, token)
	}
	k := g.workers.get()
	defer g.workers.put(k)
	k.check.start(time.Now())
	items, e := g.decode(s, k, body, now)
	if e != nil {
		return g.reject(s, e, body, size, now, w, token)
	}
	if len(items) == 0 && w != nil { // a Sparkplug message without values: nothing to be made durable
		if w.Spooled(token) {
			w.Flush()
		}
	}
	for i := range items {
		it := &items[i]
		last := i == len(items)-1
		g.identify(s, k, it, now)
		f := &it.Frame
		if len(k.aside) > 0 {
			if err := g.asides(s, k.aside, it, now); err != nil {
				return err
			}
		}
		k.buf = telemetry.AppendFrame(k.buf[:0], f)
		note := spool.Note{}
		if f.Flags&telemetry.FlagUnnumbered == 0 {
			note = spool.Note{Ref: g.bootOf(s, f), Seq: f.Seq}
		}
		r := spool.Record{Kind: kindFrame, Lane: byte(f.Origin), Time: now.UnixNano(), Payload: k.buf}
		to := w
		if !last {
			to = nil
		}
		if err := g.spool.Append(r, s.head(), to, token, note); err != nil {
			return err
		}
		g.count.Frames.Add(1)
		g.count.Readings.Add(int64(f.Readings()))
		g.count.ReadingsDropped.Add(int64(it.Dropped))
		if f.Origin == telemetry.Backfill {
			g.count.Backfill.Add(1)
		}
		if s.state != nil {
			s.state.frame(f, now, w == nil)
			if it.Unread != "" {
				s.state.note("channels." + it.Unread + ": a value is no number and was left out; cure: send numbers, null where there is none")
			}
		}
	}
	return nil
}

// head returns the record head of the source's drill.
func (s *source) head() string {
	if s.heading == "" || s.heading[1:] != s.drill {
		s.heading = string([]byte{byte(len(s.drill))}) + s.drill
	}
	return s.heading
}

// identify completes a frame: who, when, identity, hash, validation. Runs that
// are set aside are left in k.aside.
func (g *Gateway) identify(s *source, k *worker, it *payload.Item, now time.Time) {
	f := &it.Frame
	f.Drill = s.drill
	if f.Device == "" {
		f.Device = s.sensor
	}
	if f.Device == "" {
		f.Device = s.device.ID
	}
	if f.Device == "" {
		f.Device = s.drill
	}
	if s.opts.backfill {
		f.Origin = telemetry.Backfill
	}
	f.Simulated = f.Simulated || s.opts.simulated
	f.Gateway, f.Received = g.cfg.Name, now.UnixNano()
	g.timing(f, now)
	if f.Flags&telemetry.FlagUnnumbered != 0 {
		f.Boot, f.Seq = telemetry.HashIdentity(f.Drill, s.topic, f.TS, it.Raw)
		f.Topic = s.topic
	}
	if s.opts.part > 0 {
		f.Part = s.opts.part
		f.Runs = slices.DeleteFunc(f.Runs, func(r telemetry.Run) bool { return r.Channel != s.opts.channel })
	}
	f.Hash = telemetry.ContentHash(f)
	k.aside = k.check.frame(f, g.rename(s, it, append(k.aside[:0], it.Aside...)))
	if len(k.aside) > 0 {
		f.Flags |= telemetry.FlagPartial
	}
}

// bootOf returns the ledger's entry, looked up when the boot changes.
func (g *Gateway) bootOf(s *source, f *telemetry.Frame) any {
	if s.count == nil || s.boot != f.Boot || s.sender != f.Device {
		s.count, s.boot, s.sender = g.ledger.Boot(f.Drill, f.Device, f.Boot), f.Boot, f.Device
	}
	return s.count
}

// asides quarantines runs of a frame.
func (g *Gateway) asides(s *source, aside []payload.Error, it *payload.Item, now time.Time) error {
	id := it.Frame.ID()
	g.count.RunsAside.Add(int64(len(aside)))
	raw := it.Raw
	if len(aside) > 1 {
		raw = raw[:min(len(raw), 64<<10)]
	}
	if n := len(aside) - maxAside; n > 0 {
		aside = aside[:maxAside]
		aside[maxAside-1].Message += "; " + strconv.Itoa(n) + " more runs of this frame were set aside"
	}
	for i := range aside {
		if err := g.quarantine(s, &aside[i], &id, raw, len(it.Raw), now, nil, 0); err != nil {
			return err
		}
	}
	return nil
}

// reject quarantines a whole message.
func (g *Gateway) reject(s *source, e *payload.Error, raw []byte, size int, now time.Time, w spool.Waiter, token uint64) error {
	if s.state != nil {
		s.state.note(e.Error())
	}
	return g.quarantine(s, e, nil, raw, size, now, w, withCode(w, token, listener.PayloadInvalid, e))
}

// withCode gives the acknowledgement a reason, where the waiter knows such.
func withCode(w spool.Waiter, token uint64, code byte, e *payload.Error) uint64 {
	if c, ok := w.(interface {
		WithCode(token uint64, code byte, text string) uint64
	}); ok {
		return c.WithCode(token, code, e.Error()+"; cure: "+e.Cure)
	}
	return token
}

// quarantine hands what is set aside to the spool.
func (g *Gateway) quarantine(s *source, e *payload.Error, frame *telemetry.FrameID, raw []byte, size int, now time.Time, w spool.Waiter, token uint64) error {
	g.count.Quarantined.Add(1)
	q := g.quarantined(s, e, frame, raw, size, now)
	b, err := json.Marshal(q)
	if err != nil {
		return fmt.Errorf("quarantine a message: %w", err)
	}
	key := q.Drill
	return g.spool.Append(spool.Record{Kind: kindQuarantine, Time: now.UnixNano(), Payload: b}, string([]byte{byte(len(key))})+key, w, token, spool.Note{})
}

func (g *Gateway) quarantined(s *source, e *payload.Error, frame *telemetry.FrameID, raw []byte, size int, now time.Time) telemetry.Quarantined {
	raw = raw[:min(len(raw), maxRaw)]
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s\x00%s\x00%d\x00", s.topic, e.Code, e.Field, size)
	h.Write(raw)
	drill := s.device.Drill
	if drill == "" && telemetry.ValidID(s.drill) == nil {
		drill = s.drill
	}
	return telemetry.Quarantined{
		ID: hex.EncodeToString(h.Sum(nil)[:16]), Gateway: g.cfg.Name, Drill: drill, Device: s.device.ID, Topic: s.topic, Received: now.UnixNano(),
		Code: e.Code, Field: e.Field, Message: e.Message, Cure: e.Cure, Frame: frame, Raw: raw, RawSize: size,
	}
}

// group waits for the messages of one caller in process.
type group struct {
	mu   sync.Mutex
	left int
	done chan struct{}
}

// Spooled counts one message.
func (w *group) Spooled(uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left--; w.left == 0 {
		close(w.done)
	}
	return false
}

// Flush does nothing.
func (w *group) Flush() {}

// A Refused is returned for a message on a topic that is not the device's.
type Refused struct{ Problem payload.Error }

func (r *Refused) Error() string { return r.Problem.Error() }

// Accept takes one message as if the device had published it, and returns when
// it is durable. A message that is no frame is quarantined and no error. Run
// must be running.
func (g *Gateway) Accept(ctx context.Context, device telemetry.Device, topic string, body []byte, opts ...Option) error {
	return g.AcceptAll(ctx, device, []Message{{topic, body}}, opts...)
}

// AcceptAll takes many messages with one wait. It is not all or nothing: after
// an error, sending them again is harmless.
func (g *Gateway) AcceptAll(ctx context.Context, device telemetry.Device, messages []Message, opts ...Option) error {
	if len(messages) == 0 {
		return nil
	}
	select {
	case <-g.ready:
	case <-ctx.Done():
		return ctx.Err()
	}
	s := &source{device: device}
	for _, o := range opts {
		o(&s.opts)
	}
	for _, m := range messages {
		if g.resolve(s, []byte(m.Topic)); s.bad != nil {
			return &Refused{*s.bad}
		}
	}
	w := &group{left: len(messages), done: make(chan struct{})}
	for _, m := range messages {
		if err := g.take(s, []byte(m.Topic), m.Payload, len(m.Payload), w, 0); err != nil {
			return fmt.Errorf("accept a message of %s: %w", device.ID, err)
		}
	}
	select {
	case <-w.done:
		return nil
	case <-g.stopped:
		select {
		case <-w.done:
			return nil
		default:
		}
		return fmt.Errorf("accept a message of %s: %w", device.ID, spool.ErrClosed)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// An Outcome is what would become of a message.
type Outcome struct {
	Topic       string                  `json:"topic"`
	Verdict     string                  `json:"verdict"` // accepted, partial, quarantined, refused
	Frames      []FrameOutcome          `json:"frames,omitempty"`
	Quarantined []telemetry.Quarantined `json:"quarantined,omitempty"`
}

// FrameOutcome is what would become of one frame.
type FrameOutcome struct {
	Drill    string            `json:"drill"`
	ID       telemetry.FrameID `json:"id"`
	Time     time.Time         `json:"ts"`
	Origin   string            `json:"origin"`
	Flags    []string          `json:"flags,omitempty"`
	Readings int               `json:"readings"`
	Dropped  int               `json:"dropped,omitempty"` // samples that could not be read
	Unread   string            `json:"unread,omitempty"`  // the first channel that had such
	Channels []ChannelOutcome  `json:"channels"`
}

// ChannelOutcome is one run as it would be stored.
type ChannelOutcome struct {
	Channel    string   `json:"channel"`
	Unit       string   `json:"unit,omitempty"`
	Registered bool     `json:"registered"`
	Values     []string `json:"values"` // decimal; "absent"; a flagged one ends in its quality
}

// Try says what would become of a message of the device; nothing is kept.
func (g *Gateway) Try(device telemetry.Device, topic string, body []byte) Outcome {
	now := g.clock.Now()
	s := &source{device: device}
	g.resolve(s, []byte(topic))
	out := Outcome{Topic: topic, Verdict: "accepted"}
	fail := func(verdict string, e *payload.Error) Outcome {
		out.Verdict = verdict
		out.Quarantined = append(out.Quarantined, g.quarantined(s, e, nil, body, len(body), now))
		return out
	}
	if s.bad != nil {
		return fail("refused", s.bad)
	}
	if len(body) > g.cfg.MaxPayload {
		return fail("quarantined", &payload.Error{Code: payload.TooLarge, Message: fmt.Sprintf("%d bytes, at most %d are taken", len(body), g.cfg.MaxPayload), Cure: "send one second a message"})
	}
	k := &worker{check: checker{catalogue: g.catalogue}}
	k.check.start(time.Now())
	items, e := g.decode(s, k, body, now)
	if e != nil {
		return fail("quarantined", e)
	}
	for i := range items {
		it := &items[i]
		g.identify(s, k, it, now)
		f := &it.Frame
		id := f.ID()
		for i := range k.aside {
			out.Verdict = "partial"
			out.Quarantined = append(out.Quarantined, g.quarantined(s, &k.aside[i], &id, it.Raw, len(it.Raw), now))
		}
		fo := FrameOutcome{Drill: f.Drill, ID: id, Time: time.Unix(0, f.TS).UTC(), Origin: f.Origin.String(), Flags: flagNames(f.Flags), Readings: f.Readings(), Dropped: it.Dropped, Unread: it.Unread}
		for _, r := range f.Runs {
			co := ChannelOutcome{Channel: r.Channel}
			if ch := g.catalogue.Get(r.Channel); ch != nil {
				co.Unit, co.Registered = ch.Unit, true
			}
			for i, v := range r.Values {
				text := strconv.FormatFloat(v, 'f', -1, 64)
				if v != v {
					text = "absent"
				} else if r.Quality != nil && r.Quality[i] != telemetry.Good {
					text += [...]string{"", " stale", " out of range", " estimated"}[r.Quality[i]]
				}
				co.Values = append(co.Values, text)
			}
			fo.Channels = append(fo.Channels, co)
		}
		out.Frames = append(out.Frames, fo)
	}
	return out
}

func flagNames(f telemetry.Flag) (names []string) {
	for i, name := range []string{"future", "past", "conflict", "partial", "unnumbered", "untimed"} {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}
