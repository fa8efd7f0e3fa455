package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/mudpulse/mudpulse/services/internal/process"
)

// listenStatus opens the address of /healthz, /readyz and /metrics for a process that
// has no API: a scorer, a log or a writer alone. At the default address, which the API beside it
// may want, it takes any free port instead.
func (p *platform) listenStatus() error {
	addr := p.s.HTTP
	if addr == process.DefaultHTTP {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil { // two scorers on one machine: the scores matter more than this page
		p.log.Warn("no status at this address", "addr", addr, "err", err)
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
	}
	p.statusAt = l
	return nil
}

func (p *platform) serveStatus(ctx context.Context) error {
	srv := &http.Server{Handler: p.status(), ReadHeaderTimeout: 5 * time.Second}
	stopped := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stopped()
	p.log.Info("started", "parts", p.s.Parts, "status", p.statusAt.Addr().String(), "version", process.Version())
	if err := srv.Serve(p.statusAt); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (p *platform) status() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(p.reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, r *http.Request) {
		out := struct {
			Ready  bool              `json:"ready"`
			Checks map[string]string `json:"checks"`
		}{true, map[string]string{}}
		checks := map[string]func(context.Context) error{}
		if p.embedded != nil {
			checks["log"] = func(context.Context) error { return nil }
		}
		if p.scorer != nil {
			checks["scorer"] = p.scorerReady
		}
		if p.writer != nil {
			checks["writer"] = p.writerReady
		}
		for name, check := range checks {
			out.Checks[name] = "ok"
			if err := check(r.Context()); err != nil {
				out.Ready, out.Checks[name] = false, err.Error()
			}
		}
		w.Header().Set("Content-Type", "application/json")
		if !out.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(out) // the reader went away: nobody to tell
	})
	return mux
}
