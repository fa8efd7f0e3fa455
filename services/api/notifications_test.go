package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/telemetry"
)

// An alarm in the log reaches a webhook, once, whose delivery is listed.
func TestAnAlarmInTheLogIsToldAndItsDeliveryRecorded(t *testing.T) {
	w := newWorld(t)
	got := make(chan string, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("Idempotency-Key") }))
	defer hook.Close()
	put := func(body any, status int) answer {
		return w.want(w.do("PUT", "/api/v1/notifications", body, admin), status)
	}
	settings := map[string]any{"hosts": []string{hook.Listener.Addr().String()}, "smtp": map[string]any{"host": "", "port": 0, "tls": "", "user": "", "password": "", "from": "", "password_set": false},
		"targets": []any{map[string]any{"id": "chat", "kind": "webhook", "url": hook.URL, "secret": "s"}}, "rules": []any{map[string]any{"id": "all", "targets": []string{"chat"}}}}
	put(settings, 200).is(t, "targets.0.secret_set", true)
	w.get("/api/v1/notifications", 200).is(t, "targets.0.secret", nil)
	settings["hosts"] = []string{}
	put(settings, 422).is(t, "errors.0.location", "body.targets.0.url")
	w.post("/api/v1/notifications/targets/nobody/test", nil, 404)
	test := w.post("/api/v1/notifications/targets/chat/test", nil, 200).at(t, "id")

	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.api.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.log.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	at := w.clock.Now().UnixNano()
	e, err := json.Marshal(telemetry.AlarmEvent{Event: telemetry.AlarmRaised, ID: "RIG-07/r/1", Drill: "RIG-07", Rule: "r", At: at, Raised: at, Priority: 1, Title: "Wash-out"})
	if err != nil {
		t.Fatal(err)
	}
	r := &kgo.Record{Topic: topics.Alarms, Key: []byte("RIG-07"), Value: e}
	if err := cl.ProduceSync(ctx, r, &kgo.Record{Topic: topics.Alarms, Key: []byte("RIG-07"), Value: e}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	end := time.After(60 * time.Second)
	for len(keys) < 2 {
		select {
		case id := <-got:
			if keys[id] {
				t.Errorf("%s came twice", id)
			}
			keys[id] = true
		case <-end:
			t.Fatalf("told %v; deliveries %s", keys, w.get("/api/v1/notifications/deliveries", 200).body)
		}
	}
	if !keys[test.(string)] {
		t.Errorf("the test %v is not among %v", test, keys)
	}
	for {
		list := w.get("/api/v1/notifications/deliveries", 200)
		if list.at(t, "deliveries.0.state") == "sent" && list.at(t, "deliveries.1.state") == "sent" {
			list.is(t, "deliveries.2", nil)
			list.is(t, "deliveries.0.subject", "◆ act now · RIG-07: Wash-out")
			break
		}
		select {
		case <-end:
			t.Fatalf("%s", list.body)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
