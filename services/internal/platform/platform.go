// Package platform puts the parts of mudpulse together in one process, as
// settings say: the embedded log, gateway, scorer, writer with the columnstore,
// api with the dashboard, and the demo's simulated drills.
package platform

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/gateway"
	"github.com/mudpulse/mudpulse/services/api"
	"github.com/mudpulse/mudpulse/services/exports"
	"github.com/mudpulse/mudpulse/services/internal/blobs"
	"github.com/mudpulse/mudpulse/services/internal/edge"
	"github.com/mudpulse/mudpulse/services/internal/kafka"
	"github.com/mudpulse/mudpulse/services/internal/process"
	"github.com/mudpulse/mudpulse/services/internal/relational"
	"github.com/mudpulse/mudpulse/services/rescore"
	"github.com/mudpulse/mudpulse/services/scorer"
	"github.com/mudpulse/mudpulse/services/writer"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/duckdb"
	"github.com/mudpulse/mudpulse/storage/pgwire"
	"github.com/mudpulse/mudpulse/telemetry"
)

// leastMemory of the columnstore: the demo's commits, beside a seal, did not fit into 128 MB.
const leastMemory = 256 << 20

// storeRetry is how long commits that fail are tried again: somebody frees the full
// disk, and to start anew would not. A store that is broken ends the process at once.
const storeRetry = 30 * time.Minute

// demoFetch is what the demo reads of a partition at once: seconds of its drills.
// Where it is behind each reader holds several of them, unpacked to three times that.
const demoFetch = 256 << 10

// platform is what the parts of one process share. Nil where a part does not run.
type platform struct {
	s     *process.Settings
	log   *slog.Logger
	out   io.Writer // for the operator's eyes: the sign-in link
	reg   *prometheus.Registry
	clock telemetry.Clock
	crash func(name string)
	token string

	embedded  *kafka.Embedded
	kafka     kafka.Config
	opts      []kgo.Opt
	catalogue *telemetry.Catalogue

	store   columnstore
	duckdb  *duckdb.Store // store, where that is it
	db      *relational.DB
	blobs   *blobs.Store
	gateway *gateway.Gateway
	scorer  *scorer.Scorer
	writer  *writer.Writer
	api     *api.API
	exports *exports.Jobs
	rescore *rescore.Jobs
	sql     *pgwire.Server

	statusAt net.Listener // where there is no api
	rates    rates

	demo    *demo
	closers []func() error
}

// Run opens what the settings name, starts the parts, and returns when all have stopped.
func Run(ctx context.Context, s *process.Settings, log *slog.Logger, out io.Writer) (err error) {
	if err := s.Validate(); err != nil {
		return err
	}
	process.WarnOfLimits(log, os.DirFS("/"), memoryLimit)
	stop, err := s.StartProfile()
	if err != nil {
		return err
	}
	p := &platform{s: s, log: log, out: out, reg: prometheus.NewRegistry(), catalogue: telemetry.DefaultCatalogue()}
	p.reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	p.closers = append(p.closers, stop)
	defer func() {
		for _, c := range slices.Backward(p.closers) {
			if e := c(); err == nil {
				err = e
			}
		}
	}()
	if err := p.open(ctx); err != nil {
		return s.Cure(err)
	}
	return s.Cure(process.RunParts(ctx, log, p.parts()...))
}

// open opens files and sockets in the order in which they need each other.
func (p *platform) open(ctx context.Context) (err error) {
	if err := os.MkdirAll(p.s.Data, 0o700); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	if p.crash, err = p.s.CrashPoint(); err != nil {
		return err
	}
	if p.token, err = process.AdminToken(p.s.Data); err != nil {
		return err
	}
	if p.s.Demo && p.s.Has("gateway") && p.s.Has("api") {
		if p.demo, err = newDemo(p); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		p.clock = p.demo.clock
	} else {
		p.clock = telemetry.SystemClock{}
	}
	if err := p.openLog(ctx); err != nil {
		return err
	}
	for _, open := range []struct {
		part string
		f    func(context.Context) error
	}{{"columnstore", p.openStore}, {"api", p.openAPI}, {"scorer", p.openScorer}, {"gateway", p.openGateway}} {
		if p.s.Has(open.part) || open.part == "columnstore" && (p.s.Has("writer") || p.s.Has("api")) {
			if err := open.f(ctx); err != nil {
				return fmt.Errorf("%s: %w", open.part, err)
			}
		}
	}
	if p.api == nil {
		return p.listenStatus()
	}
	return nil
}

func (p *platform) openLog(ctx context.Context) (err error) {
	p.kafka = p.s.Log()
	if p.s.Has("log") {
		if p.embedded, err = kafka.OpenEmbedded(p.s.Path("log"), p.s.Kafka, p.kafka); err != nil {
			return err
		}
		p.closers = append(p.closers, p.embedded.Close)
		p.kafka.Brokers = []string{p.embedded.Addr()}
	}
	if len(p.kafka.Brokers) == 0 {
		return fmt.Errorf("brokers: without the part log there must be a Kafka: --brokers HOST:PORT")
	}
	if p.opts, err = p.kafka.Options(); err != nil {
		return err
	}
	cl, err := kgo.NewClient(p.opts...)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	defer cl.Close()
	wait, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	if err := kafka.Reach(wait, cl, p.kafka, p.log); err != nil {
		return fmt.Errorf("kafka %s: %w", strings.Join(p.kafka.Brokers, ","), err)
	}
	return nil
}

func (p *platform) openScorer(ctx context.Context) (err error) {
	if err := p.openBlobs(ctx); err != nil {
		return err
	}
	cfg := scorer.DefaultConfig()
	cfg.Topics, cfg.Client, cfg.Drain, cfg.CrashPoint = p.kafka.Topics(), p.opts, p.s.Drain, p.crash
	cfg.Engine.LimitRules, cfg.Checkpoint = p.s.LimitRules, p.s.Checkpoint
	if len(p.s.Brokers) == 0 {
		cfg.Replay = 32 << 20 // of each partition: the embedded log keeps no more than 256 MB
	}
	if p.demo != nil {
		cfg.Fetch = demoFetch
	}
	if !p.s.Has("writer") {
		cfg.Group, cfg.Instance = p.s.Prefix+"scorer", p.s.Instance // one of many
	}
	deps := scorer.Deps{Blobs: p.blobs, Catalogue: p.catalogue, Log: p.log, Registerer: p.reg}
	if p.store != nil {
		deps.Asker = asker{p.store}
	}
	if p.s.Panicking != "" {
		deps.Loader = breaking{scorer.NewPMML(p.blobs), p.s.Panicking}
	}
	p.scorer, err = scorer.New(cfg, deps)
	return err
}

func (p *platform) openBlobs(ctx context.Context) (err error) {
	if p.blobs != nil {
		return nil
	}
	where := p.s.Blobs
	if where == "" {
		where = p.s.Path("blobs")
	}
	if p.blobs, err = blobs.Open(ctx, where); err != nil {
		return err
	}
	p.closers = append(p.closers, p.blobs.Close)
	return nil
}

func (p *platform) openGateway(context.Context) (err error) {
	deps := edge.Deps{Brokers: p.kafka.Brokers, Client: p.opts, Clock: p.clock, Catalogue: p.catalogue, Log: p.log, Metrics: p.reg, Version: process.Version()}
	if p.api != nil {
		deps.Registry = p.api.Devices()
	} else {
		return fmt.Errorf("in this process it needs the api, which knows the devices: add api,writer to --parts, or run the gateway program")
	}
	if p.embedded != nil && p.writer != nil && p.scorer != nil {
		deps.Coverage = coverage{p}
	}
	p.gateway, err = edge.New(p.s, deps)
	return err
}

// coverage lets the spool forget a frame when the store has committed it and
// the scorer's checkpoint covers it (docs/promises.md, 1).
type coverage struct{ p *platform }

func (c coverage) Covered(topic string, partition int32) int64 {
	scored := c.p.scorer.Covered()[topic][partition]
	return min(scored, c.p.writer.Covered(topic, partition))
}

// parts lists what runs, sources first, the log last: so they stop.
func (p *platform) parts() []process.Part {
	var parts []process.Part
	add := func(name string, run func(context.Context) error) {
		parts = append(parts, process.Part{Name: name, Run: run})
	}
	if p.demo != nil {
		add("demo", p.demo.run)
	}
	if p.gateway != nil {
		add("gateway", p.gateway.Run)
	}
	if p.scorer != nil {
		add("scorer", p.scorer.Run)
	}
	add("announce", p.announce)
	if p.writer != nil {
		add("writer", p.writer.Run)
	}
	if p.sql != nil {
		add("sql", p.sql.Run)
	}
	if p.api != nil {
		add("api", p.api.Run)
	}
	if p.statusAt != nil {
		add("status", p.serveStatus)
	}
	if p.exports != nil {
		add("exports", p.exports.Run)
	}
	if p.rescore != nil {
		add("rescore", p.rescore.Run)
	}
	if p.store != nil {
		add("store", p.store.Run)
	}
	if p.embedded != nil && p.writer != nil && p.scorer != nil {
		add("trim", p.trim)
	}
	if p.embedded != nil {
		add("log", func(ctx context.Context) error { <-ctx.Done(); return nil })
	}
	add("heap", p.sizeHeap)
	return parts
}

// trim cuts the embedded log below what writer and scorer have both taken.
func (p *platform) trim(ctx context.Context) error {
	cl, err := kgo.NewClient(p.opts...)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	defer cl.Close()
	topics := p.kafka.Topics()
	// The live page reads what is new; a minute is kept for one that reconnects.
	return kafka.Trim(ctx, cl, 20*time.Second, p.log,
		func() map[string]map[int32]int64 {
			m := maps.Clone(p.writer.Positions())
			delete(m, topics.Commands) // the scorer and the api replay them
			return m
		},
		p.scorer.Covered)
}

// announce writes where the process listens, and how to sign in.
func (p *platform) announce(ctx context.Context) error {
	var a process.Addresses
	wait := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		case <-ctx.Done():
			return false
		}
	}
	if p.embedded != nil {
		a.Kafka = p.embedded.Addr()
	}
	if p.gateway != nil {
		if !wait(p.gateway.Ready()) {
			return nil
		}
		at := edge.Addresses(p.gateway)
		a.MQTT, a.MQTTS, a.WS = at.MQTT, at.MQTTS, at.WS
	}
	if p.sql != nil {
		if !wait(p.sql.Ready()) {
			return nil
		}
		a.SQL = p.sql.Addr().String()
	}
	if p.api != nil {
		if !wait(p.api.Ready()) {
			return nil
		}
		a.HTTP = p.api.Addr().String()
	}
	api := "dashboard and API"
	if p.statusAt != nil {
		api, a.HTTP = "state and metrics", p.statusAt.Addr().String()
	}
	if err := process.WriteAddresses(p.s.Data, a); err != nil {
		return err
	}
	for _, l := range []struct{ what, addr string }{{api, "http://" + a.HTTP}, {"devices (MQTT)", a.MQTT}, {"devices (TLS)", a.MQTTS}, {"devices (WS)", a.WS}, {"SQL (Postgres)", a.SQL}, {"log (Kafka)", a.Kafka}} {
		if l.addr != "" && l.addr != "http://" {
			fmt.Fprintf(p.out, "%-18s %s\n", l.what, l.addr)
		}
	}
	if p.s.Columnstore != "" && p.sql == nil {
		fmt.Fprintf(p.out, "%-18s %s\n", "SQL", "asked of ClickHouse itself, as a user of its own: views readings, frames, scores, …")
	}
	if p.api != nil {
		link, err := p.api.SignInLink(ctx)
		if err != nil {
			return fmt.Errorf("sign-in link: %w", err)
		}
		fmt.Fprintf(p.out, "\nSign in here, once, within 30 minutes:\n  %s\n\n", link)
	}
	<-ctx.Done()
	return nil
}

// bytes reads 256MB, 1GB.
func bytes(s string) (int64, error) {
	var n int64
	var unit string
	if _, err := fmt.Sscanf(strings.ToUpper(s), "%d%s", &n, &unit); err != nil && n == 0 {
		return 0, fmt.Errorf("%q: want a size as 256MB or 1GB", s)
	}
	switch unit {
	case "", "B":
	case "MB", "MIB":
		n <<= 20
	case "GB", "GIB":
		n <<= 30
	default:
		return 0, fmt.Errorf("%q: want a size as 256MB or 1GB", s)
	}
	return n, nil
}

// asker tells the scorer whether the store holds a frame with that time.
type asker struct{ store columnstore }

func (a asker) FrameStored(ctx context.Context, drill string, id telemetry.FrameID, ts int64) (bool, error) {
	at, found, err := a.store.FrameTime(ctx, drill, id)
	return found && (at == ts || at == storage.Retired), err
}
