package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/mudpulse/mudpulse/gateway"
	"github.com/mudpulse/mudpulse/services/internal/control"
	"github.com/mudpulse/mudpulse/services/internal/process"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Run is the gateway as a process of its own: devices come from the control
// topic, with a copy on disk; the log may be away when it starts.
func Run(ctx context.Context, s *process.Settings, log *slog.Logger, reg *prometheus.Registry) error {
	if len(s.Brokers) == 0 {
		return errors.New("brokers: must name the Kafka to forward to, as --brokers HOST:PORT")
	}
	process.WarnOfLimits(log, os.DirFS("/"), 128<<20)
	s.Parts = []string{"gateway"}
	if err := s.Validate(); err != nil {
		return err
	}
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return s.Cure(fmt.Errorf("data: %w", err))
	}
	cfg := s.Log()
	opts, err := cfg.Options()
	if err != nil {
		return err
	}
	devices := control.NewDevices(s.Path("gateway", "devices.json"), log)
	catalogue := telemetry.DefaultCatalogue()
	g, err := New(s, Deps{
		Brokers: s.Brokers, Client: opts, Clock: telemetry.SystemClock{}, Catalogue: catalogue,
		Registry: devices, Log: log, Metrics: reg, Version: process.Version(),
	})
	if err != nil {
		return s.Cure(err)
	}
	handle := func(key string, value []byte) {
		devices.Handle(key, value)
		control.Channels(catalogue, key, value, log)
	}
	return s.Cure(process.RunParts(ctx, log,
		process.Part{Name: "gateway", Run: g.Run},
		process.Part{Name: "devices", Run: func(ctx context.Context) error {
			return control.Follow(ctx, opts, cfg.Topics().Control, handle)
		}},
		process.Part{Name: "status", Run: func(ctx context.Context) error {
			return serveStatus(ctx, s, reg, g, log)
		}},
	))
}

// Addresses returns where a gateway that is ready listens for devices.
func Addresses(g *gateway.Gateway) (a process.Addresses) {
	at := g.Addr()
	for _, x := range []struct {
		to   *string
		addr net.Addr
	}{{&a.MQTT, at.TCP}, {&a.MQTTS, at.TLS}, {&a.WS, at.WebSocket}} {
		if x.addr != nil {
			*x.to = x.addr.String()
		}
	}
	return a
}

// serveStatus answers a page for people, /status, /healthz, /readyz and /metrics beside a process that has
// no API, and writes where it listens.
func serveStatus(ctx context.Context, s *process.Settings, reg *prometheus.Registry, g *gateway.Gateway, log *slog.Logger) error {
	select {
	case <-ctx.Done():
		return nil
	case <-g.Ready():
	}
	l, err := net.Listen("tcp", s.HTTP)
	if err != nil { // two gateways on one machine: the frames matter more than this page
		log.Warn("no status page", "addr", s.HTTP, "err", err)
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
	}
	addr := Addresses(g)
	addr.HTTP = l.Addr().String()
	if err := process.WriteAddresses(s.Data, addr); err != nil {
		l.Close()
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", statusPage(g))
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(g.Status()) // the reader went away: nobody to tell
	})
	mux.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := g.Healthy(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	stopped := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stopped()
	log.Info("listening", "mqtt", addr.MQTT, "tls", addr.MQTTS, "websocket", addr.WS, "status", addr.HTTP)
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
