package api

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/mudpulse/mudpulse/services/api/people"
)

const root = "/api/v1"

// routes puts everything under one handler.
func (a *API) routes() http.Handler {
	r := chi.NewRouter()
	r.Use(a.observe, a.recover, headers, compressor().Handler)
	r.NotFound(a.pages)
	r.MethodNotAllowed(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, http.StatusMethodNotAllowed, "this address takes other methods")
	})
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	r.Get("/readyz", a.readyz)
	if a.d.Gatherer != nil {
		r.Handle("/metrics", promhttp.HandlerFor(a.d.Gatherer, promhttp.HandlerOpts{}))
	}
	r.Get(root+"/live", a.serveLive)
	for path, h := range a.keeperRoutes() {
		r.With(a.sameSite).Post(path, h)
	}
	r.Group(func(r chi.Router) {
		r.Use(a.sameSite, a.deadline, tagged)
		huma.DefaultArrayNullable = false // our lists are empty, never null
		cfg := huma.DefaultConfig("mudpulse", "1")
		cfg.OpenAPIPath, cfg.DocsPath, cfg.SchemasPath = "", "", ""
		cfg.CreateHooks = nil // no $schema in answers
		cfg.Info.Description = "The health of drills: readings, scores, alarms, models. Errors are RFC 9457 and name every problem at once."
		cfg.RejectUnknownQueryParameters = true
		cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
			"session": {Type: "apiKey", In: "cookie", Name: cookieName},
			"token":   {Type: "http", Scheme: "bearer"},
		}
		a.openapi = humachi.New(r, cfg)
		a.openapi.UseMiddleware(a.enforce)
		a.register()
		a.describeLive()
		a.nullable()
		spec, err := json.MarshalIndent(a.openapi.OpenAPI(), "", " ")
		if err != nil {
			panic("BUG: OpenAPI: " + err.Error())
		}
		r.Get(root+"/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/openapi+json")
			_, _ = w.Write(spec) // the client went away; nobody to tell
		})
	})
	return r
}

// compressor answers in zstd or gzip, whichever the client takes.
func compressor() *middleware.Compressor {
	c := middleware.NewCompressor(5, "application/json", "application/problem+json", "application/openapi+json", "text/csv")
	c.SetEncoder("zstd", func(w io.Writer, _ int) io.Writer {
		z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(256<<10), zstd.WithLowerEncoderMem(true))
		if err != nil {
			panic("BUG: zstd: " + err.Error()) // the options are constants
		}
		return z
	})
	return c
}

// maxTagged is the largest answer that gets an ETag; a larger one goes as it comes.
const maxTagged = 8 << 20

// A tagging answer is kept until it is whole, so that it can be compared.
type tagging struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
	over   bool // too large: what was kept is sent, the rest goes through
}

func (t *tagging) WriteHeader(status int) {
	if t.status == 0 {
		t.status = status
	}
}

func (t *tagging) Write(b []byte) (int, error) {
	if t.status == 0 {
		t.status = http.StatusOK
	}
	if !t.over && t.body.Len()+len(b) > maxTagged {
		t.over = true
		t.ResponseWriter.WriteHeader(t.status)
		if _, err := t.ResponseWriter.Write(t.body.Bytes()); err != nil {
			return 0, err
		}
		t.body.Reset()
	}
	if t.over {
		return t.ResponseWriter.Write(b)
	}
	return t.body.Write(b)
}

// tagged gives answers an ETag, and 304 to who has them already: a page that asks
// every few seconds gets a body only when something has changed.
func tagged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			next.ServeHTTP(w, r)
			return
		}
		t := &tagging{ResponseWriter: w}
		next.ServeHTTP(t, r)
		if t.over {
			return
		}
		h := w.Header()
		if t.status == http.StatusOK {
			tag := h.Get("ETag")
			if tag == "" {
				sum := sha256.Sum256(t.body.Bytes())
				tag = `W/"` + hex.EncodeToString(sum[:12]) + `"`
				h.Set("ETag", tag)
			}
			h.Set("Cache-Control", "private, no-cache")
			h.Add("Vary", "Cookie, Authorization")
			for want := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
				if strings.TrimPrefix(strings.TrimSpace(want), "W/") == strings.TrimPrefix(tag, "W/") {
					h.Del("Content-Type")
					h.Del("Content-Length")
					w.WriteHeader(http.StatusNotModified)
					return
				}
			}
		}
		w.WriteHeader(max(t.status, 200))
		_, _ = w.Write(t.body.Bytes()) // the client went away; nobody to tell
	})
}

// pages serves the dashboard under every path that is not the API's.
func (a *API) pages(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		writeProblem(w, http.StatusNotFound, "there is nothing at "+r.URL.Path+"; "+root+"/openapi.json lists what there is")
		return
	}
	if a.d.Dashboard == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Del("Cache-Control")
	w.Header().Del("Content-Security-Policy")
	a.d.Dashboard.ServeHTTP(w, r)
}

// headers let nothing be framed, sniffed, kept, or reached from another site.
// The dashboard sets its own policy for its pages.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// sameSite refuses changes that another site's page asks for.
func (a *API) sameSite(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	if a.place.origin != "" {
		if err := crossOrigin.AddTrustedOrigin(a.place.origin); err != nil {
			panic("BUG: url: " + err.Error()) // placeOf has read it
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := crossOrigin.Check(r); err != nil {
			writeProblem(w, http.StatusForbidden, "another site's page asked for this: "+err.Error())
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (a *API) deadline(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := a.cfg.Timeout
		if r.Method == http.MethodPost && r.URL.Path == root+"/models" {
			limit = 10 * limit // a large model is read and verified
		}
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// recover answers 500 where a handler panics, and says where.
func (a *API) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler {
				panic(v)
			}
			a.m.panics.Inc()
			a.log.Error("request panicked", "path", r.URL.Path, "err", v, "stack", string(debug.Stack()))
			writeProblem(w, http.StatusInternalServerError, "this is our mistake; the log says where")
		}()
		next.ServeHTTP(w, r)
	})
}

func (a *API) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	checks := map[string]func(context.Context) error{
		"relational": func(ctx context.Context) error { return a.d.DB.PingContext(ctx) },
		"outbox":     func(context.Context) error { return a.outbox.Healthy() },
		"live":       func(context.Context) error { return a.consumer.Healthy() },
	}
	for name, check := range a.d.Checks {
		checks[name] = check
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	out := struct {
		Ready  bool              `json:"ready"`
		Checks map[string]string `json:"checks"`
	}{true, map[string]string{}}
	for name, check := range checks {
		all.Go(func() {
			said := "ok"
			err := check(ctx)
			if err != nil {
				said = err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			out.Checks[name] = said
			out.Ready = out.Ready && err == nil
		})
	}
	all.Wait()
	w.Header().Set("Content-Type", "application/json")
	if !out.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write(asJSON(out)) // the client went away; nobody to tell
}

func (a *API) serveLive(w http.ResponseWriter, r *http.Request) {
	who, err := a.identify(r)
	if err != nil || !who.Role.May(people.Viewer) {
		writeProblem(w, http.StatusUnauthorized, signInFirst)
		return
	}
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		w.Header().Set("Upgrade", "websocket")
		writeProblem(w, http.StatusUpgradeRequired, "this is a WebSocket")
		return
	}
	a.hub.Serve(w, r, func(ctx context.Context) error {
		now, err := a.people.Still(ctx, who)
		if err == nil && !now.Role.May(people.Viewer) {
			err = people.ErrUnknown
		}
		return err
	})
}

// writeProblem answers with RFC 9457 where huma does not.
func writeProblem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(asJSON(huma.ErrorModel{Title: http.StatusText(status), Status: status, Detail: detail})) // nobody to tell
}

func asJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: " + err.Error()) // plain structs
	}
	return b
}

// observe counts requests and how long they took, by pattern.
func (a *API) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &recorder{ResponseWriter: w}
		next.ServeHTTP(rec, r)
		pattern := chi.RouteContext(r.Context()).RoutePattern()
		if pattern == "" || pattern == "/*" {
			pattern = "page"
		}
		if rec.hijacked {
			return
		}
		method := r.Method
		if !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"}, method) {
			method = "other"
		}
		a.m.requests.WithLabelValues(method, pattern, strconv.Itoa(max(rec.status, 200))).Inc()
		a.m.seconds.WithLabelValues(pattern).Observe(time.Since(start).Seconds())
	})
}

// A recorder remembers the status.
type recorder struct {
	http.ResponseWriter
	status   int
	hijacked bool
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Hijack is for the WebSocket.
func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h, ok := r.ResponseWriter.(http.Hijacker)
	if !ok {
		return nil, nil, errors.New("this connection cannot be taken over")
	}
	r.hijacked = true
	return h.Hijack()
}
