package api_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/gateway"
	"github.com/mudpulse/mudpulse/services/api"
	"github.com/mudpulse/mudpulse/telemetry"
)

// door is a gateway that takes what holds "good" and knows one channel, SPP.
type door struct {
	mu   sync.Mutex
	took []string
	cut  []string

	tried  []telemetry.Device
	topics []string
}

func (d *door) Try(dev telemetry.Device, topic string, b []byte) gateway.Outcome {
	d.mu.Lock()
	d.tried, d.topics = append(d.tried, dev), append(d.topics, topic)
	d.mu.Unlock()
	o := gateway.Outcome{Topic: topic, Verdict: "accepted"}
	if !strings.Contains(string(b), "good") {
		o.Verdict, o.Quarantined = "quarantined", []telemetry.Quarantined{{Code: "malformed", Field: "channels.SPP", Message: "is not good", Cure: "say good"}}
		return o
	}
	o.Frames = []gateway.FrameOutcome{{Drill: "RIG-07", Time: noon, Readings: 1, Channels: []gateway.ChannelOutcome{{Channel: "SPP", Unit: "MPa", Registered: true, Values: []string{"22.4"}}}}}
	return o
}

func (d *door) Accept(_ context.Context, _ telemetry.Device, _ string, b []byte, _ ...gateway.Option) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.took = append(d.took, string(b))
	return nil
}

func (d *door) Disconnect(device, _ string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut = append(d.cut, device)
}

func (d *door) Status() telemetry.GatewayStatus {
	return telemetry.GatewayStatus{Gateway: "gw-1", At: noon.UnixNano(), Sessions: []telemetry.DeviceSession{{Device: "rig-13-1", Drill: "RIG-13", Connected: true, Messages: 3, LastSeen: noon.UnixNano()}}}
}

func TestADeviceIsAddedRenewedTriedAndRevoked(t *testing.T) {
	d := &door{}
	w := newWorld(t, func(_ *api.Config, deps *api.Deps) {
		deps.Gateway = func() api.Gateway { return d }
		deps.MQTT = func() string { return "10.0.0.7:8883" }
	})
	made := w.post("/api/v1/devices", map[string]string{"drill": "RIG-13"}, 201)
	made.is(t, "username", "rig-13-1")
	if line := made.at(t, "example").(string); !strings.Contains(line, "-h 10.0.0.7 -p 8883") || !strings.Contains(line, made.at(t, "password").(string)) {
		t.Errorf("the line to paste: %s", line)
	}
	// What the gateway of this process says is fresher than what it last wrote.
	w.get("/api/v1/devices", 200).is(t, "devices.0.messages", 3.0)
	try := w.post("/api/v1/devices/rig-13-1/try", map[string]string{"message": "a good one"}, 200)
	try.is(t, "frames.0.channels.0.unit", "MPa")
	w.post("/api/v1/devices/rig-13-1/try", map[string]string{"message": "psi"}, 200).is(t, "problems.0.cure", "say good")
	w.post("/api/v1/devices/nobody/try", map[string]string{"message": "a good one"}, 404)
	again := w.post("/api/v1/devices/rig-13-1/password", nil, 200)
	if again.at(t, "password") == made.at(t, "password") {
		t.Error("the password is the old one")
	}
	w.post("/api/v1/devices/nobody/password", nil, 404)
	w.want(w.do("DELETE", "/api/v1/devices/rig-13-1", nil, admin), 204)
	if len(d.cut) != 2 || len(d.took) != 0 {
		t.Errorf("cut off %v, took %v", d.cut, d.took)
	}
}

func TestWhatWasSetAsideIsMendedAndSentAgain(t *testing.T) {
	d := &door{}
	w := newWorld(t, func(_ *api.Config, deps *api.Deps) { deps.Gateway = func() api.Gateway { return d } })
	w.post("/api/v1/devices", map[string]string{"drill": "RIG-07"}, 201)
	at := noon.Add(-time.Hour).UnixNano()
	w.store.aside = []telemetry.Quarantined{
		{ID: "q1", Drill: "RIG-07", Device: "rig-07-1", Topic: "mudpulse/v1/RIG-07/frames", Received: at, Field: "channels.SPP", Raw: []byte("psi"), RawSize: 3, Frame: &telemetry.FrameID{Device: "rig-07-1", Boot: "b", Seq: 7}},
		{ID: "q2", Drill: "RIG-07", Device: "rig-07-1", Topic: "mudpulse/v1/RIG-07/frames", Raw: []byte("a go"), RawSize: 4000},
		{ID: "q3", Device: "gone", Raw: []byte("good"), RawSize: 4},
	}
	w.post("/api/v1/quarantine/q1/redrive", map[string]string{}, 422).is(t, "errors.0.location", "channels.SPP")
	w.post("/api/v1/quarantine/q1/redrive", map[string]string{"message": "good, in MPa"}, 200).is(t, "verdict", "accepted")
	w.post("/api/v1/quarantine/q2/redrive", map[string]string{}, 409)
	w.post("/api/v1/quarantine/q3/redrive", map[string]string{}, 409)
	w.post("/api/v1/quarantine/q4/redrive", map[string]string{}, 404)
	if len(d.took) != 1 || d.took[0] != "good, in MPa" {
		t.Errorf("the gateway took %q", d.took)
	}
	w.get("/api/v1/quarantine", 200).is(t, "items.0.driven.0.by", "admin")
}

func TestWithoutAGatewayHereItIsSaidWhereToGo(t *testing.T) {
	w := newWorld(t)
	w.post("/api/v1/devices", map[string]string{"drill": "RIG-07"}, 201)
	w.post("/api/v1/devices/rig-07-1/try", map[string]string{"message": "x"}, 503)
}

func TestADevicesNamesAreTriedOnWhatWasSetAsideAndKept(t *testing.T) {
	d := &door{}
	w := newWorld(t, func(_ *api.Config, deps *api.Deps) { deps.Gateway = func() api.Gateway { return d } })
	w.post("/api/v1/devices", map[string]string{"drill": "RIG-07"}, 201)
	w.store.aside = []telemetry.Quarantined{{ID: "q1", Drill: "RIG-07", Device: "rig-07-1", Topic: "site/odd", Raw: []byte("good psi"), RawSize: 8}, {ID: "q2", Device: "other"}}
	names := map[string]any{"P1": map[string]any{"channel": "SPP", "unit": "psi"}, "noise": map[string]any{"drop": true}}
	none := func() {
		t.Helper()
		if n := w.get("/api/v1/devices/rig-07-1/names", 200).at(t, "names").(map[string]any); len(n) != 0 {
			t.Errorf("it has names: %v", n)
		}
	}
	none()
	w.post("/api/v1/devices/rig-07-1/try", map[string]any{"item": "q1", "names": names}, 200).is(t, "verdict", "accepted")
	if len(d.tried) != 1 || d.tried[0].Names["P1"].Unit != "psi" || d.topics[0] != "site/odd" {
		t.Errorf("tried as %+v on %v", d.tried, d.topics)
	}
	none() // trying keeps nothing
	w.post("/api/v1/devices/rig-07-1/try", map[string]any{"item": "q2"}, 404)
	w.post("/api/v1/devices/rig-07-1/try", map[string]any{}, 422)
	w.post("/api/v1/devices/rig-07-1/try", map[string]any{"item": "q1", "message": "good"}, 422)
	no := w.want(w.do("PUT", "/api/v1/devices/rig-07-1/names", map[string]any{"names": map[string]any{"a": map[string]any{"channel": "SPP", "unit": "degC"}, "b": map[string]any{"channel": "no tag"}}}, admin), 422)
	no.is(t, "errors.0.location", "body.names.a")
	no.is(t, "errors.1.location", "body.names.b")
	w.want(w.do("PUT", "/api/v1/devices/nobody/names", map[string]any{"names": names}, admin), 404)
	w.want(w.do("PUT", "/api/v1/devices/rig-07-1/names", map[string]any{"names": names}, admin), 200)
	w.get("/api/v1/devices/rig-07-1/names", 200).is(t, "names.P1.unit", "psi")
	w.post("/api/v1/devices/rig-07-1/password", nil, 200)
	w.get("/api/v1/devices/rig-07-1/names", 200).is(t, "names.noise.drop", true) // a new password changes no names
}
