package edge

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mudpulse/mudpulse/gateway"
	"github.com/mudpulse/mudpulse/services/internal/process"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The site file that docs/payloads.md shows.
func documented(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../../docs/payloads.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "```yaml\n")
	text, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("docs/payloads.md shows no site file")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mqtt-password"), []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text = strings.Replace(text, "mqtt-password", filepath.Join(dir, "mqtt-password"), 1)
	return write(t, strings.Replace(text, "    ca: rig-ca.pem\n", "", 1))
}

func TestTheSiteFileOfTheDocumentationIsRead(t *testing.T) {
	cfg := gateway.DefaultConfig()
	cfg.Spool.Dir, cfg.Kafka.Brokers = "x", []string{"127.0.0.1:1"}
	if err := readSite(documented(t), &cfg); err != nil {
		t.Fatal(err)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	if len(cfg.Rules) != 5 || !cfg.Rules[2].Field || cfg.Rules[3].Kind != "value" || !cfg.Names["pardo-edr"].Drop || len(cfg.Subscribe) != 1 || cfg.Subscribe[0].Password != "secret" || cfg.Subscribe[0].Username != "mudpulse" {
		t.Errorf("%+v", cfg)
	}
}

func TestAWrongSiteFileIsRefusedByName(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		cfg := gateway.DefaultConfig()
		if err := readSite(write(t, text), &cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	f("rulez: []\n", "rulez")
	f("rules: [{topic: a, kind: wits, units: feet}]\n", "rules.0.units")
	f("names: {l: {others: maybe}}\n", "names.l.others")
	f("brokers: [{url: 'tcp://a:1', silent: soon}]\n", "brokers.0.silent")
	f("brokers: [{url: 'tcp://a:1', password_file: /nowhere/x}]\n", "password_file")
}

func TestTrySaysWhatWouldBecomeOfAMessage(t *testing.T) {
	site := documented(t)
	f := func(topic, body string, ok bool, want ...string) {
		t.Helper()
		var out bytes.Buffer
		err := (&Try{Topic: topic, Payload: write(t, body), Site: site, Device: "try"}).Run(&out)
		if (err == nil) != ok {
			t.Errorf("%s: %v", topic, err)
		}
		for _, w := range want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%s: %q is not in\n%s", topic, w, &out)
			}
		}
	}
	f("pardo/RIG-49/td-0761/json", `{"ts":1795348800000,"values":{"hookload":281.4,"gas_units":12}}`, true, "frame of RIG-49, td-0761", "HKLD", "[1252] kN", "1 values left out")
	f("wits/RIG-07", "&&\n01213046\n!!\n", true, "SPP", "[21] MPa", "flagged untimed")
	f("mudpulse/v1/RIG-07/frames", `{"ts":`, false, "malformed", "cure:")
	f("somewhere", `{}`, false, "refused", "write a rule", "frames.pb", "senml", "mudpulse/v1/{drill}/frames")
	f("mudpulse/v1/RIG-07/frames", `{"ts":1795724619,"channels":{"SPP":22}}`, false, "ts: looks like seconds: it would be 2026-11-26T20:23:39Z", "cure: send RFC 3339")
	f("mudpulse/v1/RIG-07/thingsboard", `{"ts":1795724619,"values":{"SPP":22}}`, false, "ts: looks like seconds")
	f("mudpulse/v1/RIG-07/csv", "22,100\n", false, "holds no frame", "cure: send a header line")
	f("mudpulse/v1/RIG-07/csv", "ts,SPP\n1795724619,22\n", false, "looks like seconds")
	f("mudpulse/v1/RIG-07/frames", `{"ts":4102444800000,"channels":{"SPP":22}}`, true, "flagged future", "NTP")
	f("mudpulse/v1/RIG-07/frames", `{"channels":{"WOB":100,"SPP":"high"}}`, true, "channels.SPP: a value is no number", "cure:")
}

func TestTheStatusPageWorksWithKafkaAway(t *testing.T) {
	s := &process.Settings{
		Data: t.TempDir(), GatewayID: "gw-1", MQTT: "127.0.0.1:0", HTTP: "127.0.0.1:0", SQL: "127.0.0.1:0", Kafka: "127.0.0.1:0", Brokers: []string{"127.0.0.1:1"},
		Prefix: "p.", Partitions: 1, Replication: -1, SpoolBytes: 64 << 20, MaxMessage: 1 << 20, LiveHorizon: time.Minute, Drain: time.Millisecond, Checkpoint: time.Second, AmendLook: time.Second,
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, s, slog.New(slog.DiscardHandler), prometheus.NewRegistry()) }()
	var a process.Addresses
	tick, late := time.NewTicker(10*time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for a.HTTP == "" {
		select {
		case err := <-done:
			t.Fatalf("the gateway ended: %v", err)
		case <-late:
			t.Fatal("no status page after 30 s")
		case <-tick.C:
			a, _ = process.ReadAddresses(s.Data)
		}
	}
	for path, want := range map[string]string{"/": "No device has connected", "/status": `"gateway":"gw-1"`, "/metrics": "gateway_spool_full 0", "/healthz": "ok"} {
		res, err := http.Get("http://" + a.HTTP + path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != 200 || !strings.Contains(string(b), want) {
			t.Errorf("%s: %s %v\n%.600s", path, res.Status, err, b)
		}
		for line := range strings.Lines(string(b)) {
			if strings.HasPrefix(line, "# HELP gateway_") && !strings.HasSuffix(line, ".\n") {
				t.Errorf("says nothing: %s", line)
			}
		}
	}
	var out bytes.Buffer
	if err := (&Doctor{Data: s.Data, Site: documented(t)}).Run(ctx, &out); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
	if err := (&Doctor{Data: s.Data, Brokers: s.Brokers, Prefix: "p."}).Run(ctx, &out); err == nil || !strings.Contains(out.String(), "BAD   Kafka at 127.0.0.1:1") {
		t.Errorf("%v\n%s", err, &out)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
