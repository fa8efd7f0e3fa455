// Package api is what people and programs speak to: HTTP described by OpenAPI,
// one WebSocket a page, the dashboard's files. It holds the present from the
// topics, asks the columnstore for the past, and writes what people decide to
// the log through the relational store.
package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/gateway"
	"github.com/mudpulse/mudpulse/services/annotations"
	"github.com/mudpulse/mudpulse/services/api/live"
	"github.com/mudpulse/mudpulse/services/api/people"
	"github.com/mudpulse/mudpulse/services/equipment"
	"github.com/mudpulse/mudpulse/services/gate"
	"github.com/mudpulse/mudpulse/services/internal/blobs"
	"github.com/mudpulse/mudpulse/services/internal/kafka"
	"github.com/mudpulse/mudpulse/services/internal/outbox"
	"github.com/mudpulse/mudpulse/services/internal/relational"
	"github.com/mudpulse/mudpulse/services/models"
	"github.com/mudpulse/mudpulse/services/notify"
	"github.com/mudpulse/mudpulse/services/rescore"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Config of the API.
type Config struct {
	Addr         string // to listen on; port 0 allowed
	AdminToken   string // at least 32 characters; accepted as Authorization: Bearer
	Version      string
	Demo         bool
	UTCOffsetMin int // rig-local time is UTC plus this
	Tour         Tour
	Topics       telemetry.Topics
	Client       []kgo.Opt // brokers, SASL, TLS
	Timeout      time.Duration
	Drain        time.Duration // how long open requests may take to finish at the end
	MaxClients   int           // live channels
	TellFrom     float64       // points of 100 that a reason must have taken to be told
	URL          string        // where people reach the page through a proxy, https://HOST/PREFIX/; empty: where it listens
}

// Tour is a shift, in rig-local time.
type Tour struct {
	Start string `json:"start" example:"06:00"`
	End   string `json:"end" example:"18:00"`
	Hours int    `json:"hours" example:"12"`
}

// DefaultConfig is for one process.
func DefaultConfig() Config {
	return Config{
		Addr: "127.0.0.1:8080", Version: "dev", Tour: Tour{"06:00", "18:00", 12}, Topics: telemetry.NewTopics(telemetry.DefaultPrefix),
		Timeout: 30 * time.Second, Drain: 5 * time.Second, MaxClients: 2000, TellFrom: 3,
	}
}

// Validate names the first key that is wrong.
func (c Config) Validate() error {
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		return fmt.Errorf("http: %q: want HOST:PORT", c.Addr)
	}
	if len(c.AdminToken) < 32 {
		return fmt.Errorf("admin token: must have 32 characters or more, not %d", len(c.AdminToken))
	}
	if c.Timeout <= 0 || c.Drain <= 0 {
		return fmt.Errorf("timeout, drain: must be positive, not %v, %v", c.Timeout, c.Drain)
	}
	if !(c.TellFrom >= 0 && c.TellFrom <= 100) {
		return fmt.Errorf("tell_from: must be 0 to 100 points, not %v", c.TellFrom)
	}
	_, err := placeOf(c.URL)
	return err
}

// Past is the columnstore, as much of it as the API asks; *duckdb.Store is one.
type Past interface {
	live.Past
	AlarmRecords(ctx context.Context, q storage.AlarmQuery) ([]json.RawMessage, error)
	Commands(ctx context.Context, q storage.CommandQuery) ([]telemetry.Command, error)
	Unregistered() []storage.SeenChannel
	Series(ctx context.Context, q storage.SeriesQuery) ([]storage.Series, error)
	Scores(ctx context.Context, drill string, from, to int64, n int) ([]telemetry.Score, error)
	Quarantine(ctx context.Context, limit int, before int64) ([]telemetry.Quarantined, int64, error)
	Ledger(ctx context.Context, q storage.LedgerQuery) (storage.Ledger, error)
	QuarantineItem(ctx context.Context, id string) (telemetry.Quarantined, bool, error)
	Gateways(ctx context.Context) ([]telemetry.GatewayStatus, error)
	Waveforms(ctx context.Context, drill string, from, to int64, limit int) ([]storage.Waveform, error)
	Waveform(ctx context.Context, drill, channel string, at int64) (storage.Waveform, []float64, bool, error)
}

// Gateway is the gateway of this process; *gateway.Gateway is one.
type Gateway interface {
	Try(device telemetry.Device, topic string, body []byte) gateway.Outcome
	Accept(ctx context.Context, device telemetry.Device, topic string, body []byte, opts ...gateway.Option) error
	Disconnect(device, reason string)
	Status() telemetry.GatewayStatus
}

// ModelStatus is how one version of a model does in the scorer.
type ModelStatus struct {
	Name    string
	Version int
	Shadow  bool
	Rows    float64 // per second
	Errors  int64
	Mean    float64 // µs a row
	Refused string  // why the scorer would not take it, or does not run it any more

	// Rows at which it failed, of which Errors are, since it was activated or the scorer began.
	Since, Last int64  // Unix ns, event time
	Drill, Why  string // of the last
}

// Deps are what the process gives.
type Deps struct {
	DB         *relational.DB
	Blobs      *blobs.Store
	Store      Past
	Engine     models.Engine
	Catalogue  *telemetry.Catalogue
	Clock      telemetry.Clock
	Log        *slog.Logger
	Registerer prometheus.Registerer // nil: no metrics of our own
	Gatherer   prometheus.Gatherer   // for /metrics; nil: none

	Dashboard   http.Handler                               // nil: no pages
	Models      fs.FS                                      // *.pmml that are on from the first start; nil: none
	Drills      []equipment.Drill                          // described from the first start
	Checks      map[string]func(ctx context.Context) error // of other parts, for /readyz
	ModelStatus func() []ModelStatus                       // nil: unknown
	MQTT        func() string                              // host:port where devices connect; nil: unknown
	SQL         func() (addr string, tls bool)             // host:port where analysts connect; nil: unknown
	Gateway     func() Gateway                             // nil, or returns nil: gateways are elsewhere
	Keeper      Keeper                                     // what the command line may ask of the store
	Frames      gate.Store                                 // on which models are tested; nil: they are not
	GateWorker  []string                                   // the command that tests them; nil: this process does
	Rescore     *rescore.Jobs                              // nil: the columnstore is elsewhere
	Exports     Exports                                    // nil: the columnstore is elsewhere
}

// API is the service.
type API struct {
	cfg         Config
	place       place
	d           Deps
	log         *slog.Logger
	token       [sha256.Size]byte // of the administrator's token
	people      *people.Store
	devices     *equipment.Registry
	models      *models.Registry
	gate        *gate.Runner // nil: models are not tested on the past
	outbox      *outbox.Outbox
	notify      *notify.Notifier
	hub         *live.Hub
	consumer    *live.Consumer
	annotations *annotations.Book
	openapi     huma.API
	handler     http.Handler
	m           *metrics

	prepared sync.Once
	prepErr  error
	ready    chan struct{}
	addr     net.Addr

	writing  sync.Mutex // held from looking at the tag of a document until it is written
	mu       sync.Mutex
	commands *kgo.Client
	shas     map[string]string // name@version → SHA-256
	attempts []time.Time       // of signing in
}

// New checks cfg and builds the API; nothing runs yet.
func New(cfg Config, d Deps) (*API, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	at, err := placeOf(cfg.URL)
	if err != nil {
		return nil, err
	}
	a := &API{place: at, cfg: cfg, d: d, log: d.Log, token: sha256.Sum256([]byte(cfg.AdminToken)), ready: make(chan struct{}), shas: map[string]string{}}
	a.people = people.New(d.DB)
	a.annotations = annotations.New(d.DB, d.Clock)
	a.outbox = outbox.New(d.DB, cfg.Client, cfg.Topics, d.Log)
	a.devices = equipment.New(d.DB, d.Catalogue, d.Clock, a.outbox, d.Log)
	a.models = models.New(d.DB, d.Blobs, d.Engine, d.Catalogue, a.seen, d.Clock, a.outbox, d.Log)
	a.hub = live.New(live.Config{Version: cfg.Version, Demo: cfg.Demo, UTCOffsetMin: cfg.UTCOffsetMin, MaxClients: cfg.MaxClients, TellFrom: cfg.TellFrom, Host: at.host}, live.Deps{
		Past: d.Store, Catalogue: d.Catalogue, Clock: d.Clock, Log: d.Log, Metrics: d.Registerer, SHA: a.sha, Equipment: a.equipped,
	})
	a.consumer = live.NewConsumer(a.hub, cfg.Client, cfg.Topics, nil)
	if d.Frames != nil {
		c := gate.DefaultConfig()
		c.Worker = d.GateWorker
		if a.gate, err = gate.New(c, a.models, d.Blobs, d.Frames, d.Catalogue, d.Log, a.hub.ModelsChanged); err != nil {
			return nil, err
		}
		a.models.Gated()
	}
	a.notify = a.newNotifier()
	a.m = newMetrics(d.Registerer)
	a.handler = a.below(a.routes())
	return a, nil
}

// Devices is the registry of devices and drills; the gateway asks it who may publish.
func (a *API) Devices() *equipment.Registry { return a.devices }

// Models is the registry of models and rules.
func (a *API) Models() *models.Registry { return a.models }

// Hub holds the present.
func (a *API) Hub() *live.Hub { return a.hub }

// Handler serves everything; Run listens with it.
func (a *API) Handler() http.Handler { return a.handler }

// Ready is closed once the API listens.
func (a *API) Ready() <-chan struct{} { return a.ready }

// Addr is where it listens, after Ready.
func (a *API) Addr() net.Addr { return a.addr }

// SignInLink makes a one-time link that signs its holder in as administrator; after Ready.
func (a *API) SignInLink(ctx context.Context) (string, error) {
	word, _, err := a.people.Invite(ctx, "admin", people.Administrator, people.LinkLife, models.Itself)
	if err != nil {
		return "", err
	}
	return a.link(word), nil
}

func (a *API) link(word string) string {
	if a.place.origin != "" {
		return a.place.origin + a.place.prefix + "/#signin=" + word
	}
	host := a.cfg.Addr
	if a.addr != nil {
		host = a.addr.String()
	}
	if h, port, err := net.SplitHostPort(host); err == nil {
		if ip := net.ParseIP(h); h == "" || ip != nil && ip.IsUnspecified() {
			host = net.JoinHostPort("localhost", port)
		}
	}
	return "http://" + host + "/#signin=" + word
}

// Prepare makes the log agree with what was decided: it loads the registries,
// takes default models and rules, and writes what waits. Under a new cluster id
// what is present is written again. The process calls it before frames can flow;
// Run does where nobody has.
func (a *API) Prepare(ctx context.Context) error {
	a.prepared.Do(func() { a.prepErr = a.prepare(ctx) })
	return a.prepErr
}

func (a *API) prepare(ctx context.Context) error {
	if err := a.devices.Load(ctx); err != nil {
		return fmt.Errorf("api: %w", err)
	}
	for _, d := range a.d.Drills {
		if have := a.devices.Drill(d.ID); have.Field == "" && have.Contractor == "" {
			if err := a.devices.PutDrill(ctx, d); err != nil {
				return fmt.Errorf("api: %w", err)
			}
		}
	}
	if err := a.cluster(ctx); err != nil {
		return fmt.Errorf("api: %w", err)
	}
	if err := a.notify.Load(ctx); err != nil {
		return fmt.Errorf("api: %w", err)
	}
	if err := a.models.Defaults(ctx, a.d.Models); err != nil {
		return fmt.Errorf("api: %w", err)
	}
	if err := a.learnSHAs(ctx); err != nil {
		return fmt.Errorf("api: %w", err)
	}
	if err := a.outbox.Drain(ctx); err != nil {
		return fmt.Errorf("api: %w", err)
	}
	if err := a.hub.Warm(ctx); err != nil {
		return fmt.Errorf("api: what is known of the drills: %w", err)
	}
	return nil
}

// cluster compares the log's identity with the one that was written to last.
func (a *API) cluster(ctx context.Context) error {
	cl, err := kgo.NewClient(a.cfg.Client...)
	if err != nil {
		return err
	}
	defer cl.Close()
	id, err := kafka.ClusterID(ctx, cl)
	if err != nil {
		return err
	}
	const fact = "cluster"
	last, err := a.d.DB.Fact(ctx, fact)
	if err != nil || last == id {
		return err
	}
	if last != "" {
		a.log.Info("the log is a new one; writing what is present again", "cluster", id, "before", last)
	}
	return a.d.DB.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM outbox"); err != nil { // all of it is in what is present
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM notify_offsets"); err != nil { // positions of another log are void; what was told is known by its id
			return err
		}
		return errors.Join(a.devices.Control(ctx, tx), a.models.Republish(ctx, tx), a.devices.Republish(ctx, tx), relational.SetFact(ctx, tx, fact, id))
	})
}

// Run serves until ctx is done, then lets open requests finish.
func (a *API) Run(ctx context.Context) error {
	if err := a.Prepare(ctx); err != nil {
		return err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.cfg.Addr)
	if err != nil {
		return fmt.Errorf("api: %w; choose another with --http", err)
	}
	a.addr = ln.Addr()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	srv := &http.Server{
		Handler: a.handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 5 * time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
		ErrorLog:    slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	var all sync.WaitGroup
	errs := make(chan error, 8)
	start := func(run func() error) {
		all.Go(func() {
			if err := run(); err != nil {
				errs <- err
			}
			stop()
		})
	}
	start(func() error { return a.outbox.Run(ctx) })
	start(func() error { return a.consumer.Run(ctx) })
	start(func() error { return a.hub.Run(ctx) })
	if a.gate != nil {
		start(func() error { return a.gate.Run(ctx) })
	}
	start(func() error { return a.notify.Follow(ctx, a.cfg.Client, a.cfg.Topics.Alarms) })
	start(func() error { return a.notify.Run(ctx) })
	start(func() error {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	close(a.ready)
	a.log.Info("api listens", "addr", a.addr.String())
	<-ctx.Done()
	a.hub.Stop()
	final, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.Drain)
	defer cancel()
	if err := srv.Shutdown(final); err != nil {
		_ = srv.Close() // what is still open was given its time
	}
	all.Wait()
	a.mu.Lock()
	if a.commands != nil {
		a.commands.Close()
		a.commands = nil
	}
	a.mu.Unlock()
	select {
	case err := <-errs:
		return fmt.Errorf("api: %w", err)
	default:
		return nil
	}
}

// seen lists the tags that came in frames and are not registered.
func (a *API) seen() []string {
	var out []string
	for _, s := range a.d.Store.Unregistered() {
		out = append(out, s.Tag)
	}
	return out
}

func (a *API) equipped() []string {
	var out []string
	for _, d := range a.devices.Drills() {
		out = append(out, d.ID)
	}
	return out
}

// sha returns the SHA-256 of a model's version, "" where it is not known here.
func (a *API) sha(name string, version int) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.shas[shaKey(name, version)]
}

func shaKey(name string, version int) string { return fmt.Sprintf("%s@%d", name, version) }

func (a *API) learnSHAs(ctx context.Context) error {
	all, err := a.models.List(ctx)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range all {
		for _, v := range m.Versions {
			a.shas[shaKey(v.Name, v.Version)] = v.SHA256
		}
	}
	return nil
}

// send writes a command to the log and waits until it is there.
func (a *API) send(ctx context.Context, c telemetry.Command) error {
	cl, err := a.producer()
	if err != nil {
		return err
	}
	r := &kgo.Record{Topic: a.cfg.Topics.Commands, Key: []byte(cmp.Or(c.Drill, c.Alarm)), Value: asJSON(c)}
	if err := cl.ProduceSync(ctx, r).FirstErr(); err != nil {
		return fmt.Errorf("write command: %w", err)
	}
	return nil
}

func (a *API) producer() (*kgo.Client, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.commands == nil {
		cl, err := kgo.NewClient(append(a.cfg.Client[:len(a.cfg.Client):len(a.cfg.Client)],
			kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordDeliveryTimeout(5*time.Second))...)
		if err != nil {
			return nil, fmt.Errorf("reach the log: %w", err)
		}
		a.commands = cl
	}
	return a.commands, nil
}
