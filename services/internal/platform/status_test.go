package platform

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/services/internal/process"
)

// A scorer and a log have no API: their state and metrics are served all the same,
// and the API's address stays free for the API.
func TestAProcessWithoutAnAPISaysHowItIs(t *testing.T) {
	var grammar struct {
		process.Settings `embed:""`
	}
	dir := t.TempDir()
	if _, err := process.Parse(&grammar, []string{"--data", dir, "--kafka", "127.0.0.1:0", "--parts", "log,scorer", "--demo=false"}, nil); err != nil {
		t.Fatal(err)
	}
	if grammar.HTTP != process.DefaultHTTP {
		t.Fatalf("the default is %s", grammar.HTTP)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	ran := make(chan error, 1)
	go func() { ran <- Run(ctx, &grammar.Settings, slog.New(slog.DiscardHandler), io.Discard) }()
	get := func(path string) (int, string) {
		a, err := process.ReadAddresses(dir)
		if err != nil || a.HTTP == "" {
			return 0, ""
		}
		if a.HTTP == process.DefaultHTTP || a.Kafka == "" {
			t.Fatalf("listens on %+v", a)
		}
		res, err := http.Get("http://" + a.HTTP + path)
		if err != nil {
			return 0, ""
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(b)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	until := func(path string, parts ...string) {
		t.Helper()
		for {
			code, body := get(path)
			if code == http.StatusOK && !slices.ContainsFunc(parts, func(s string) bool { return !strings.Contains(body, s) }) {
				return
			}
			if code == http.StatusInternalServerError {
				t.Fatalf("%s: %.300s", path, body)
			}
			select {
			case err := <-ran:
				t.Fatalf("ended: %v", err)
			case <-ctx.Done():
				t.Fatalf("%s: %d %.300s", path, code, body)
			case <-tick.C:
			}
		}
	}
	until("/metrics", `scorer_lag_records{partition="3",topic="frames"}`)
	until("/readyz", `"ready":true`, `"scorer":"ok"`, `"log":"ok"`)
	if code, body := get("/healthz"); code != http.StatusOK || body != "ok\n" {
		t.Errorf("healthz: %d %q", code, body)
	}
	cancel()
	if err := <-ran; err != nil {
		t.Errorf("stopped with %v", err)
	}
}
