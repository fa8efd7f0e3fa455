// Package gateway takes frames from drills over MQTT, keeps them on disk and
// publishes them to Kafka. What it has acknowledged it does not lose.
//
//	MQTT → decode → validate → identify → spool (fsync) → PUBACK → Kafka → release
package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mudpulse/mudpulse/gateway/crash"
	"github.com/mudpulse/mudpulse/gateway/credential"
	"github.com/mudpulse/mudpulse/gateway/ledger"
	"github.com/mudpulse/mudpulse/gateway/listener"
	"github.com/mudpulse/mudpulse/gateway/spool"
	"github.com/mudpulse/mudpulse/gateway/subscriber"
	"github.com/mudpulse/mudpulse/telemetry"
)

// A Registry knows the devices that may publish. Safe for concurrent use.
type Registry interface {
	// Device returns the device of that user name.
	Device(username string) (telemetry.Device, bool)
	// Changes counts the changes of devices: as long as it stays the same, so do they.
	Changes() uint64
}

// Coverage says how far the consumers of the log are safe. Where it is given,
// the spool keeps a frame until then, so that the log itself may be lost.
type Coverage interface {
	// Covered returns the offset below which every record of the partition is
	// committed by the store and covered by the scorer's checkpoint.
	Covered(topic string, partition int32) int64
}

// Deps are what a gateway needs from its process; nil takes the default.
type Deps struct {
	Clock     telemetry.Clock      // wall time
	Catalogue *telemetry.Catalogue // the default channels
	Registry  Registry             // required
	Coverage  Coverage             // released when Kafka has acknowledged
	Log       *slog.Logger         // discarded
	Crash     crash.Func           // none
}

// Addresses are where MQTT is listened for; nil where not.
type Addresses struct{ TCP, TLS, WebSocket net.Addr }

// A Message is one MQTT message given in process.
type Message struct {
	Topic   string
	Payload []byte
}

// A Gateway is one gateway. Its methods are safe for concurrent use.
type Gateway struct {
	cfg       Config
	clock     telemetry.Clock
	catalogue *telemetry.Catalogue
	registry  Registry
	cover     Coverage
	log       *slog.Logger
	crash     crash.Func

	count       counters
	rules       []rule
	sparkplug   sparkplug
	passwords   *credential.Cache
	listener    *listener.Listener
	subscribers []*subscriber.Subscriber
	workers     workers
	heads       sync.Map // drill → record head

	fs        spool.FS // set by Run, before ready
	spool     *spool.Log
	ledger    *ledger.Ledger
	publisher *publisher
	started   atomic.Int64
	ready     chan struct{} // closed once messages are taken
	stopped   chan struct{} // closed once the spool takes none any more

	mu      sync.Mutex
	devices map[string]*deviceState
}

// New returns a gateway that does nothing yet.
func New(cfg Config, deps Deps) (*Gateway, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Registry == nil {
		return nil, errors.New("registry: is needed")
	}
	g := &Gateway{
		cfg: cfg, clock: deps.Clock, catalogue: deps.Catalogue, registry: deps.Registry, cover: deps.Coverage, log: deps.Log, crash: deps.Crash,
		passwords: credential.NewCache(), ready: make(chan struct{}), stopped: make(chan struct{}), devices: map[string]*deviceState{},
	}
	g.rules = cfg.rules()
	if g.clock == nil {
		g.clock = telemetry.SystemClock{}
	}
	if g.catalogue == nil {
		g.catalogue = telemetry.DefaultCatalogue()
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	if g.crash == nil {
		g.crash = crash.None
	}
	g.workers.free = make(chan struct{}, 4*runtime.GOMAXPROCS(0))
	for range cap(g.workers.free) {
		g.workers.put(&worker{check: checker{catalogue: g.catalogue}})
	}
	var err error
	if g.listener, err = listener.New(cfg.Listen, clients{g}, g.log, g.crash); err != nil {
		return nil, err
	}
	for _, c := range cfg.Subscribe {
		s := &source{} // a site's broker may send for any drill
		sub, err := subscriber.New(c, g.subscription(s), g.log, g.crash)
		if err != nil {
			return nil, err
		}
		s.ask = sub.Publish
		g.subscribers = append(g.subscribers, sub)
	}
	return g, nil
}

// Ready is closed once Run takes messages.
func (g *Gateway) Ready() <-chan struct{} { return g.ready }

// Addr returns where MQTT is listened for; call it after Ready.
func (g *Gateway) Addr() Addresses {
	var a Addresses
	a.TCP, a.TLS, a.WebSocket = g.listener.Addr()
	return a
}

// Run serves until ctx is done, finishes what is in hand within cfg.Drain, and
// returns nil; or it returns why it cannot.
func (g *Gateway) Run(ctx context.Context) (err error) {
	unlock, err := spool.Lock(g.cfg.Spool.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	if err := g.open(); err != nil {
		return err
	}
	if err := g.listener.Listen(); err != nil {
		return err
	}
	g.started.Store(g.clock.Now().UnixNano())

	// Each stage outlives the one before it, so that what it was given is finished.
	taking, cancelTaking := context.WithCancelCause(ctx)
	spooling, cancelSpool := context.WithCancel(context.WithoutCancel(ctx))
	publishing, cancelPublish := context.WithCancel(context.WithoutCancel(ctx))
	keeping, cancelKeep := context.WithCancel(context.WithoutCancel(ctx))
	defer func() { cancelTaking(nil); cancelSpool(); cancelPublish(); cancelKeep() }()

	var inputs, log, out, keep sync.WaitGroup
	log.Go(func() { g.spool.Run(spooling); close(g.stopped) })
	out.Go(func() { g.publisher.run(taking, publishing) })
	keep.Go(func() { g.keep(keeping) })
	inputs.Go(func() {
		if err := g.listener.Run(taking); err != nil {
			cancelTaking(err)
		}
	})
	for _, sub := range g.subscribers {
		inputs.Go(func() { sub.Run(taking) })
	}
	inputs.Go(func() { g.tell(taking) })
	inputs.Go(func() { g.sweep(taking) })
	close(g.ready)
	g.log.Info("gateway ready", "gateway", g.cfg.Name, "spool", g.spool.Stat().Bytes)

	<-taking.Done()
	inputs.Wait()
	cancelSpool()
	log.Wait()
	timer := time.AfterFunc(g.cfg.Drain, cancelPublish)
	out.Wait()
	timer.Stop()
	cancelKeep()
	keep.Wait()
	g.publisher.client.Close()
	if cause := context.Cause(taking); ctx.Err() == nil && cause != nil {
		return cause
	}
	return nil
}

// spoolStopped reports whether the spool takes no more and index is its end.
func (g *Gateway) spoolStopped(index uint64) bool {
	select {
	case <-g.stopped:
		return index >= g.spool.Stat().Synced
	default:
		return false
	}
}

// open reads what an earlier run left.
func (g *Gateway) open() error {
	fs, err := spool.Dir(g.cfg.Spool.Dir)
	if err != nil {
		return err
	}
	g.fs = fs
	st, err := loadState(fs)
	if err != nil {
		g.log.Error("publishing the spool again from its start", "err", err)
	}
	if err := g.sparkplug.load(fs); err != nil && !errors.Is(err, os.ErrNotExist) {
		g.log.Error("forgetting what Sparkplug births said; nodes will be asked again", "err", err)
	}
	g.ledger = ledger.New()
	snapshot, err := spool.ReadFile(fs, ledgerFile)
	if err == nil {
		err = g.ledger.Load(snapshot)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		g.log.Error("counting again what the spool holds", "err", err)
		st.Damage = append(st.Damage, telemetry.Damage{Segment: ledgerFile, Bytes: int64(len(snapshot)), At: g.clock.Now().UnixNano()})
	}
	g.spool, err = spool.Open(g.cfg.Spool, spool.Options{
		FS: fs, Crash: g.crash, Committed: g.ledger.Commit, Next: max(st.Live, g.ledger.Next(), 1), Damage: st.Damage,
		Pace: g.listener.Pace,
	})
	if err != nil {
		return err
	}
	if err := g.recount(); err != nil {
		return err
	}
	g.publisher, err = newPublisher(g, st)
	return err
}

// recount adds to the ledger what the spool holds after its snapshot.
func (g *Gateway) recount() error {
	var d telemetry.Decoder
	var f telemetry.Frame
	err := g.spool.Scan(g.ledger.Next(), func(r spool.Record) {
		if r.Kind != kindFrame || len(r.Payload) == 0 || len(r.Payload) < 1+int(r.Payload[0]) {
			return
		}
		if d.Decode(r.Payload[1+int(r.Payload[0]):], &f) != nil || f.Flags&telemetry.FlagUnnumbered != 0 {
			return
		}
		g.ledger.Commit(r.Index+1, []spool.Note{{Ref: g.ledger.Boot(f.Drill, f.Device, f.Boot), Seq: f.Seq}})
	})
	if err != nil {
		return fmt.Errorf("count what the spool holds: %w", err)
	}
	g.ledger.Advance(g.spool.Stat().Synced)
	return nil
}

// keep saves how far publishing is and releases what is safe, about once a
// second, until ctx is done; then once more.
func (g *Gateway) keep(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var last []byte
	released, withheld := uint64(0), ""
	for {
		done := false
		select {
		case <-ctx.Done():
			done = true
		case <-tick.C:
		}
		if err := g.save(&last, &released, done); err != nil {
			g.log.Error("keep spool", "err", err)
		}
		withheld = g.alarm(withheld)
		if done {
			return
		}
	}
}

// alarm says loudly when the spool begins to withhold acknowledgements, and
// when it goes on; was is why it did a second ago.
func (g *Gateway) alarm(was string) string {
	st, now := g.spool.Stat(), ""
	switch {
	case st.Err != nil:
		now = st.Err.Error()
	case st.Full:
		now = fmt.Sprintf("full: %d of %d bytes", st.Bytes, st.Limit)
	case st.Stalled:
		now = "the disk does not answer"
	}
	switch {
	case now != "" && was == "":
		g.log.Error("the spool takes nothing more: acknowledgements are withheld, devices keep their messages", "why", now)
	case now == "" && was != "":
		g.log.Info("the spool takes messages again")
	}
	return now
}

func (g *Gateway) save(last *[]byte, released *uint64, ending bool) error {
	below, st := g.publisher.published()
	safe := g.publisher.cover.below(below)
	st.Covered = g.publisher.cover.saved()
	if st.Damage = g.spool.Stat().Damage; len(st.Damage) > maxDamage {
		st.Damage = st.Damage[len(st.Damage)-maxDamage:]
	}
	b, err := json.Marshal(st)
	if err != nil {
		return err
	}
	failed := g.sparkplug.save(g.fs)
	if !bytes.Equal(b, *last) {
		if err := spool.WriteFile(g.fs, stateFile, b, g.crash, "state"); err != nil {
			failed = errors.Join(failed, err) // it publishes records again, no more
		} else {
			*last = b
		}
	}
	// Segments go only when the ledger no longer needs them.
	bounds, spooled := g.spool.Bounds(), g.spool.Stat()
	withheld := spooled.Err != nil || spooled.Full
	due := ending || withheld
	for _, b := range bounds[1:] {
		due = due || b <= safe && b > *released
	}
	if !due {
		return failed
	}
	below = min(safe, g.ledger.Next())
	write := func() error { return spool.WriteFile(g.fs, ledgerFile, g.ledger.Snapshot(), g.crash, "ledger") }
	if err := write(); err != nil {
		if !withheld {
			return errors.Join(failed, err)
		}
		// On a full disk the ledger finds no room until segments go. Killed between
		// the two, this gateway forgets to have counted frames that are in the log
		// and that the gateways topic has been told of.
		if err := errors.Join(g.spool.Release(below), write()); err != nil {
			return errors.Join(failed, err)
		}
	}
	if err := g.spool.Release(below); err != nil {
		return errors.Join(failed, err)
	}
	*released = safe
	return failed
}

// subscription is where a site's broker delivers to.
func (g *Gateway) subscription(s *source) subscriber.Taker {
	return func(topic string, body []byte, w spool.Waiter, token uint64) error {
		return g.take(s, []byte(topic), body, len(body), w, token)
	}
}
