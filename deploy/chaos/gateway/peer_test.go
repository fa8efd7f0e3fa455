//go:build e2e

package gateway_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
)

// A forwarder stands between Mosquitto and the log: ours or Telegraf.
type forwarder struct {
	name  string
	json  bool
	start func()
	kill  func()
}

func ourForwarder(t *testing.T, l *log, b *broker) *forwarder {
	gw := newGateway(t, l, drills, "--subscribe", "tcp://"+b.addr())
	return &forwarder{name: "Mosquitto, mudpulse", start: func() { gw.start("") }, kill: func() { gw.Kill() }}
}

func telegraf(t *testing.T, l *log, b *broker) *forwarder {
	t.Helper()
	bin := os.Getenv("TELEGRAF")
	conf := filepath.Join(t.TempDir(), "telegraf.conf")
	text := fmt.Sprintf(`[agent]
  interval = "1s"
  flush_interval = "1s"
  metric_batch_size = 1000
  metric_buffer_limit = 1000000
  omit_hostname = true
[[inputs.mqtt_consumer]]
  servers = ["tcp://%s"]
  topics = ["mudpulse/v1/+/frames"]
  qos = 1
  persistent_session = true
  client_id = "telegraf"
  max_undelivered_messages = 1000
  data_format = "value"
  data_type = "string"
[[outputs.kafka]]
  brokers = ["%s"]
  topic = "%s"
  required_acks = -1
  data_format = "template"
  template = '{{ .Field "value" }}'
`, b.addr(), l.brokers[0], l.topics.Frames)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var p *harness.Proc
	return &forwarder{name: "Mosquitto, Telegraf", json: true, start: func() { p = harness.Start(t, nil, bin, "--config", conf) }, kill: func() { p.Kill() }}
}

// Ours and Telegraf on the same road, from the same broker, through the same
// failures. Not in the CI dose: deploy/chaos/gateway/peer.sh, which the long dose
// ends with, builds Telegraf and runs it. Telegraf's losses are printed, ours fail the test where the
// broker is not the one who lost.
func TestBesideTelegraf(t *testing.T) {
	if os.Getenv("TELEGRAF") == "" {
		t.Log("NOT RUN: TELEGRAF names no binary: run deploy/chaos/gateway/peer.sh")
		return
	}
	for _, c := range []struct {
		name string
		do   func(l *log, b *broker, f *forwarder)
	}{
		{"no fault", func(*log, *broker, *forwarder) {}},
		{"Kafka away", func(l *log, _ *broker, _ *forwarder) { l.down(); sleep(20 * time.Second); l.up() }},
		{"forwarder kill -9 × 3", func(_ *log, _ *broker, f *forwarder) {
			for range 3 {
				f.kill()
				f.start()
				sleep(2 * time.Second)
			}
		}},
		{"both", func(l *log, _ *broker, f *forwarder) {
			l.down()
			sleep(5 * time.Second)
			f.kill()
			f.start()
			sleep(5 * time.Second)
			l.up()
		}},
		{"broker SIGTERM", func(_ *log, b *broker, _ *forwarder) {
			_ = b.Cmd.Process.Signal(syscall.SIGTERM)
			<-b.Done
			b.start()
		}},
		{"broker kill -9", func(_ *log, b *broker, _ *forwarder) { b.Kill(); b.start() }},
	} {
		for _, build := range []func(*testing.T, *log, *broker) *forwarder{ourForwarder, telegraf} {
			t.Run(c.name, func(t *testing.T) {
				l, b := embedded(t), mosquitto(t)
				fw := build(t, l, b)
				fw.start()
				sleep(4 * time.Second) // to subscribe
				f := launch(t, b.addr, func(d *device) { d.json, d.qos = true, 1 })
				sleep(3 * time.Second)
				c.do(l, b, fw)
				sleep(3 * time.Second)
				sent, acked := f.settle()
				r := l.read()
				r.json = fw.json
				r.until(acked, 30*time.Second)
				res := result{name: c.name, road: fw.name, log: l.kind, sent: sent, acked: len(acked), logged: len(r.seen)}
				for k, n := range r.seen {
					res.duplicate += n - 1
					if !acked[k] {
						t.Errorf("%v was never sent", k)
					}
				}
				for k := range acked {
					if r.seen[k] == 0 {
						res.missing++
					}
				}
				results = append(results, res)
				if !fw.json && res.missing > 0 && !strings.HasPrefix(c.name, "broker") {
					t.Errorf("%d missing", res.missing)
				}
			})
		}
	}
}
