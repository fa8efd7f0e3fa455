package gateway_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/gateway"
	"github.com/mudpulse/mudpulse/gateway/credential"
	"github.com/mudpulse/mudpulse/telemetry"
)

const password = "a-password-for-tests"

var phc = sync.OnceValue(func() string { return credential.Hash(password) })

// registry holds devices RIG-00…: each may publish for the drill of its name.
type registry struct {
	mu      sync.Mutex
	devices map[string]telemetry.Device
	changes uint64
}

func devices(n int) *registry {
	r := &registry{devices: map[string]telemetry.Device{}}
	for i := range n {
		id := fmt.Sprintf("RIG-%02d", i)
		r.devices[id] = telemetry.Device{ID: id, Drill: id, Password: phc()}
	}
	return r
}

func (r *registry) Device(name string) (telemetry.Device, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.devices[name]
	return d, ok
}

func (r *registry) Changes() uint64 { r.mu.Lock(); defer r.mu.Unlock(); return r.changes }

func (r *registry) set(d telemetry.Device) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.devices[d.ID] = d
	r.changes++
}

var topics = telemetry.NewTopics(telemetry.DefaultPrefix)

func kafka(tb testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	tb.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(4, topics.Frames, topics.Backfill, topics.Quarantine, topics.Gateways)}, opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// rig is a gateway under test.
type rig struct {
	*gateway.Gateway
	cfg  gateway.Config
	deps gateway.Deps
	stop func() error
}

func config(tb testing.TB, brokers []string) gateway.Config {
	cfg := gateway.DefaultConfig()
	cfg.Listen.TCP = "127.0.0.1:0"
	cfg.Spool.Dir = filepath.Join(tb.TempDir(), "spool")
	cfg.Kafka.Brokers = brokers
	cfg.StatusEvery = 200 * time.Millisecond
	cfg.Drain = 10 * time.Second
	return cfg
}

func start(tb testing.TB, cfg gateway.Config, deps gateway.Deps) *rig {
	tb.Helper()
	if deps.Registry == nil {
		deps.Registry = devices(64)
	}
	g, err := gateway.New(cfg, deps)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	var once sync.Once
	var result error
	r := &rig{Gateway: g, cfg: cfg, deps: deps, stop: func() error {
		once.Do(func() { cancel(); result = <-done })
		return result
	}}
	tb.Cleanup(func() {
		if err := r.stop(); err != nil {
			tb.Errorf("gateway stopped: %v", err)
		}
	})
	select {
	case <-g.Ready():
	case err := <-done:
		done <- err
		tb.Fatalf("gateway: %v", err)
	case <-time.After(20 * time.Second):
		tb.Fatal("the gateway is not ready after 20 s")
	}
	return r
}

func (r *rig) client(tb testing.TB, device string, change ...func(*paho.ClientOptions)) paho.Client {
	tb.Helper()
	o := paho.NewClientOptions().AddBroker("tcp://" + r.Addr().TCP.String()).SetClientID(device).SetUsername(device).SetPassword(password)
	o.SetAutoReconnect(false).SetConnectTimeout(5 * time.Second)
	for _, c := range change {
		c(o)
	}
	c := paho.NewClient(o)
	if t := c.Connect(); !t.WaitTimeout(10*time.Second) || t.Error() != nil {
		tb.Fatalf("connect %s: %v", device, t.Error())
	}
	tb.Cleanup(func() { c.Disconnect(0) })
	return c
}

func publish(tb testing.TB, c paho.Client, topic string, qos byte, payload any) {
	tb.Helper()
	if t := c.Publish(topic, qos, false, payload); !t.WaitTimeout(10*time.Second) || t.Error() != nil {
		tb.Fatalf("publish: %v", t.Error())
	}
}

// consumer reads topics from their start.
type consumer struct {
	tb testing.TB
	cl *kgo.Client
}

func consume(tb testing.TB, brokers []string, names ...string) *consumer {
	tb.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(names...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(cl.Close)
	return &consumer{tb, cl}
}

// until hands records to f until it says enough.
func (c *consumer) until(f func(*kgo.Record) bool) {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		fs := c.cl.PollFetches(ctx)
		if ctx.Err() != nil {
			c.tb.Fatal("what was waited for did not come within 30 s")
		}
		enough := false
		fs.EachRecord(func(r *kgo.Record) { enough = f(r) || enough })
		if enough {
			return
		}
	}
}

// frames returns the first n frames, in the order they were read.
func (c *consumer) frames(n int) (out []*telemetry.Frame) {
	c.tb.Helper()
	var d telemetry.Decoder
	c.until(func(r *kgo.Record) bool {
		var f telemetry.Frame
		if err := d.Decode(r.Value, &f); err != nil {
			c.tb.Fatal(err)
		}
		if string(r.Key) != f.Drill {
			c.tb.Errorf("key %q of a frame of %q", r.Key, f.Drill)
		}
		out = append(out, f.Clone())
		return len(out) >= n
	})
	return out
}

func (c *consumer) quarantined(n int) (out []telemetry.Quarantined) {
	c.tb.Helper()
	c.until(func(r *kgo.Record) bool {
		var q telemetry.Quarantined
		if err := json.Unmarshal(r.Value, &q); err != nil {
			c.tb.Fatal(err)
		}
		out = append(out, q)
		return len(out) >= n
	})
	return out
}

// frame is one second of a drill: protobuf, n readings, numbered seq.
func frame(drill string, boot string, seq uint64, ts time.Time, n int) []byte {
	f := telemetry.Frame{Device: drill, Boot: boot, Seq: seq, TS: ts.UnixNano()}
	all := telemetry.DefaultCatalogue().All()
	for i := 0; n > 0; i++ {
		k := min(n, map[telemetry.Class]int{telemetry.Fast: 10, telemetry.Medium: 2, telemetry.Slow: 1, telemetry.Narrow: 1}[all[i].Class])
		r := telemetry.Run{Channel: all[i].Tag, Values: make([]float64, k)}
		if k > 1 {
			r.Every = int64(time.Second) / int64(k)
		}
		for j := range r.Values {
			r.Values[j] = all[i].NormalLow + float64(j)
		}
		f.Runs = append(f.Runs, r)
		n -= k
	}
	return telemetry.AppendFrame(nil, &f)
}

func await(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); !cond(); <-tick.C {
		if time.Now().After(end) {
			tb.Fatalf("waited 30 s for: %s", what)
		}
	}
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestAFrameTravelsFromMQTTToKafka(t *testing.T) {
	k := kafka(t)
	clock := telemetry.NewManualClock(noon)
	g := start(t, config(t, k.ListenAddrs()), gateway.Deps{Clock: clock})
	for qos := range byte(3) {
		c := g.client(t, "RIG-07", func(o *paho.ClientOptions) { o.SetClientID(fmt.Sprint("RIG-07-", qos)) })
		publish(t, c, telemetry.MQTTTopic("RIG-07"), qos,
			fmt.Sprintf(`{"device":"edr-1","boot":"b1","seq":%d,"ts":"2026-11-22T11:59:59.000Z","channels":{"WOB":{"every_ms":100,"values":[101.26,700,null]},"MTO":52.3,"odd_one":7.123}}`, 17+qos))
	}
	c := consume(t, k.ListenAddrs(), topics.Frames)
	fs := c.frames(3)
	slices.SortFunc(fs, func(a, b *telemetry.Frame) int { return cmp.Compare(a.Seq, b.Seq) }) // three connections
	for i, f := range fs {
		if f.Drill != "RIG-07" || f.Device != "edr-1" || f.Boot != "b1" || f.Seq != uint64(17+i) || f.TS != noon.Add(-time.Second).UnixNano() || f.Gateway != "gw-1" || f.Received != noon.UnixNano() || f.Origin != telemetry.Live || f.Hash == 0 {
			t.Errorf("%+v", f)
		}
		if len(f.Runs) != 3 || f.Runs[0].Values[0] != 101 || f.Runs[0].Quality[1] != telemetry.OutOfRange || f.Runs[1].Values[0] != 52.3 || f.Runs[2].Values[0] != 7.123 {
			t.Errorf("runs %+v", f.Runs)
		}
	}
	var st telemetry.GatewayStatus
	consume(t, k.ListenAddrs(), topics.Gateways).until(func(r *kgo.Record) bool {
		if err := json.Unmarshal(r.Value, &st); err != nil {
			t.Fatal(err)
		}
		return len(st.Accepted) > 0 && st.Accepted[0].Ranges[0] == [2]uint64{17, 19}
	})
	if len(st.Sessions) != 1 || st.Sessions[0].Device != "RIG-07" || !st.Sessions[0].Connected || st.Sessions[0].Messages != 3 || st.Sessions[0].SkewS != -0.8 {
		t.Errorf("sessions %+v", st.Sessions)
	}
	if err := g.Healthy(); err != nil {
		t.Error(err)
	}
}

func TestBadInputIsQuarantinedWithReasonAndBytes(t *testing.T) {
	k := kafka(t)
	g := start(t, config(t, k.ListenAddrs()), gateway.Deps{Clock: telemetry.NewManualClock(noon)})
	c := g.client(t, "RIG-07")
	topic := telemetry.MQTTTopic("RIG-07")
	q := consume(t, k.ListenAddrs(), topics.Quarantine)
	f := func(topic, payload, code, field string) {
		t.Helper()
		publish(t, c, topic, 1, payload)
		got := q.quarantined(1)[0]
		if got.Code != code || got.Field != field || got.Message == "" || got.Cure == "" || string(got.Raw) != payload || got.RawSize != len(payload) || got.Device != "RIG-07" || got.Drill != "RIG-07" || got.Topic != topic || got.ID == "" {
			t.Errorf("%s: %+v", payload, got)
		}
	}
	f(topic, `{"ts":`, "malformed", "byte 6")
	f(topic, `{"ts":0}`, "wrong_shape", "channels")
	f(topic, `[]`, "wrong_shape", "")
	f(topic+".pb", `{"ts":0}`, "malformed", "")
	f(telemetry.MQTTTopic("RIG-08"), `{"ts":0,"channels":{"WOB":1}}`, "unknown_drill", "topic")
	f("elsewhere", `{"ts":0,"channels":{"WOB":1}}`, "unknown_topic", "topic")
	// One run is set aside, the rest of the frame goes on.
	f(topic, `{"boot":"b","seq":1,"ts":"2026-11-22T12:00:00Z","channels":{"SPP":3263,"WOB":100}}`, "physical_limit", "channels.SPP")
	f(topic, `{"boot":"b","seq":2,"ts":"2026-11-22T12:00:00Z","channels":{"WOB":100,"wob":101}}`, "duplicate_channel", "channels.wob")
	f(topic, `{"boot":"b","seq":3,"ts":"2026-11-22T12:00:00Z","channels":{"WOB":100,"a b":101}}`, "bad_channel_name", "channels.a b")
	f(topic, `{"boot":"b","seq":4,"ts":"2026-11-22T12:00:00Z","channels":{"WOB":100,"RPM":[1,2]}}`, "wrong_shape", "channels.RPM.every_ms")
	for i, fr := range consume(t, k.ListenAddrs(), topics.Frames).frames(4) {
		if fr.Seq != uint64(i+1) || len(fr.Runs) != 1 || fr.Runs[0].Channel != "WOB" || fr.Flags != telemetry.FlagPartial {
			t.Errorf("%+v", fr)
		}
	}
	if s := g.Status().Sessions[0]; s.Reason == "" {
		t.Error("the device's session does not say why")
	}
	// A message that is too large is acknowledged to MQTT 3, its head kept.
	big := make([]byte, 10<<20)
	publish(t, c, topic, 1, big)
	if got := q.quarantined(1)[0]; got.Code != "too_large" || got.RawSize != len(big) || len(got.Raw) == 0 {
		t.Errorf("%s %d %d", got.Code, got.RawSize, len(got.Raw))
	}
	publish(t, c, topic, 1, `{"boot":"b","seq":5,"ts":"2026-11-22T12:00:00Z","channels":{"WOB":100}}`)
}

func TestTimesAreFlaggedAndNeverChanged(t *testing.T) {
	k := kafka(t)
	g := start(t, config(t, k.ListenAddrs()), gateway.Deps{Clock: telemetry.NewManualClock(noon)})
	c := g.client(t, "RIG-07")
	read := map[string]*consumer{topics.Frames: consume(t, k.ListenAddrs(), topics.Frames), topics.Backfill: consume(t, k.ListenAddrs(), topics.Backfill)}
	f := func(ts string, topic string, flags telemetry.Flag) {
		t.Helper()
		publish(t, c, telemetry.MQTTTopic("RIG-07"), 1, `{"boot":"b","seq":1,`+ts+`"channels":{"WOB":100}}`)
		fr := read[topic].frames(1)[0]
		if fr.Flags != flags || (fr.Origin == telemetry.Backfill) != (topic == topics.Backfill) {
			t.Errorf("%s: flags %b origin %v", ts, fr.Flags, fr.Origin)
		}
	}
	f(`"ts":"2026-11-22T12:00:00Z",`, topics.Frames, 0)
	f(`"ts":"2026-11-22T12:04:59Z",`, topics.Frames, 0)
	f(`"ts":"2026-11-22T12:05:01Z",`, topics.Frames, telemetry.FlagFuture)
	f(`"ts":"2026-11-22T11:50:01Z",`, topics.Frames, 0)
	f(`"ts":"2026-11-22T11:49:59Z",`, topics.Backfill, 0)
	f(`"ts":"2025-11-22T11:49:59Z",`, topics.Backfill, telemetry.FlagPast)
	f(`"origin":"backfill","ts":"2026-11-22T12:00:00Z",`, topics.Backfill, 0)
	f(``, topics.Frames, telemetry.FlagUntimed)
}

func TestAClientThatMayNotIsRefused(t *testing.T) {
	k := kafka(t)
	reg := devices(10)
	g := start(t, config(t, k.ListenAddrs()), gateway.Deps{Registry: reg})
	reg.set(telemetry.Device{ID: "off", Drill: "RIG-01", Password: phc(), Disabled: true})
	f := func(user, pass string) {
		t.Helper()
		o := paho.NewClientOptions().AddBroker("tcp://" + g.Addr().TCP.String()).SetClientID(user).SetUsername(user).SetPassword(pass)
		o.SetConnectRetry(false).SetAutoReconnect(false)
		c := paho.NewClient(o)
		if tk := c.Connect(); !tk.WaitTimeout(10*time.Second) || tk.Error() == nil {
			t.Errorf("%q %q is let in", user, pass)
			c.Disconnect(0)
		}
	}
	f("", "")
	f("nobody", password)
	f("RIG-01", "wrong")
	f("RIG-01", "")
	f("off", password)
	c := g.client(t, "RIG-02")
	if tk := c.Subscribe("#", 1, nil); tk.WaitTimeout(5*time.Second) && tk.Error() == nil {
		if code := tk.(*paho.SubscribeToken).Result()["#"]; code != 0x80 {
			t.Errorf("a subscription is granted: %d", code)
		}
	}
	// A device that is revoked is cut off.
	g.Disconnect("RIG-02", "revoked")
	await(t, "the connection cut", func() bool { return !c.IsConnected() })
}

func TestKafkaAwayLosesNothingAndKeepsOrder(t *testing.T) {
	dir := t.TempDir()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	open := func() *kfake.Cluster {
		return kafka(t, kfake.Ports(port), kfake.DataDir(dir), kfake.ClusterID("one"))
	}
	k := open()
	clock := telemetry.NewManualClock(noon)
	cfg := config(t, k.ListenAddrs())
	cfg.Drain = 100 * time.Millisecond
	g := start(t, cfg, gateway.Deps{Clock: clock})
	c := g.client(t, "RIG-07")
	seq := uint64(0)
	send := func(n int) {
		for range n {
			seq++
			publish(t, c, telemetry.MQTTProtoTopic("RIG-07"), 1, frame("RIG-07", "b", seq, clock.Now(), 10))
			clock.Advance(time.Second)
		}
	}
	send(50)
	k.Close()
	send(700) // 100 of them will be older than the live horizon
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	g = start(t, cfg, gateway.Deps{Clock: clock})
	c = g.client(t, "RIG-07")
	send(50)
	k = open()
	live, back := map[uint64]bool{}, map[uint64]bool{}
	last := map[string]uint64{}
	var d telemetry.Decoder
	consume(t, k.ListenAddrs(), topics.Frames, topics.Backfill).until(func(r *kgo.Record) bool {
		var f telemetry.Frame
		if err := d.Decode(r.Value, &f); err != nil {
			t.Fatal(err)
		}
		into := live
		if r.Topic == topics.Backfill {
			into = back
			if f.Origin != telemetry.Backfill {
				t.Errorf("%d on backfill has origin %v", f.Seq, f.Origin)
			}
		}
		if !into[f.Seq] && f.Seq < last[r.Topic] {
			t.Errorf("%s: %d after %d", r.Topic, f.Seq, last[r.Topic])
		}
		into[f.Seq], last[r.Topic] = true, max(last[r.Topic], f.Seq)
		for s := uint64(1); s <= seq; s++ {
			if !live[s] && !back[s] {
				return false
			}
		}
		return true
	})
	if len(back) < 50 || len(back) > 250 {
		t.Errorf("%d of %d frames came as backfill", len(back), seq)
	}
}

// covered says how far the consumers are; tests move it.
type covered struct {
	mu    sync.Mutex
	until map[string]int64
}

func (c *covered) Covered(topic string, _ int32) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.until[topic]
}

func TestALogThatIsLostIsFilledAgainFromTheSpool(t *testing.T) {
	cover := &covered{until: map[string]int64{}}
	k := kafka(t, kfake.ClusterID("one"))
	cfg := config(t, k.ListenAddrs())
	cfg.Spool.SegmentBytes = 64 << 10
	g := start(t, cfg, gateway.Deps{Coverage: cover})
	c := g.client(t, "RIG-07")
	for seq := range uint64(300) {
		publish(t, c, telemetry.MQTTProtoTopic("RIG-07"), 1, frame("RIG-07", "b", seq, time.Now(), 100))
	}
	consume(t, k.ListenAddrs(), topics.Frames).frames(300)
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	k.Close()
	k = kafka(t, kfake.ClusterID("two"))
	cfg.Kafka.Brokers = k.ListenAddrs()
	g = start(t, cfg, gateway.Deps{Coverage: cover})
	for i, f := range consume(t, k.ListenAddrs(), topics.Frames).frames(300) {
		if f.Seq != uint64(i) {
			t.Fatalf("frame %d is %d", i, f.Seq)
		}
	}
	// The same id, but the log ends earlier than what it acknowledged.
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	k.Close()
	k = kafka(t, kfake.ClusterID("two"))
	cfg.Kafka.Brokers = k.ListenAddrs()
	g = start(t, cfg, gateway.Deps{Coverage: cover})
	consume(t, k.ListenAddrs(), topics.Frames).frames(300)
	// Once the consumers are safe, the spool is released.
	if n := g.Counters()["spool_segments"]; n < 4 {
		t.Errorf("%d segments are kept", n)
	}
	cover.mu.Lock()
	cover.until[topics.Frames] = 1 << 40
	cover.mu.Unlock()
	await(t, "segments released", func() bool { return g.Counters()["spool_segments"] <= 1 })
}

func TestMessagesGivenInProcessAreDurableWhenTheCallReturns(t *testing.T) {
	k := kafka(t)
	g := start(t, config(t, k.ListenAddrs()), gateway.Deps{})
	dev := telemetry.Device{ID: "import", Drill: "RIG-07"}
	var ms []gateway.Message
	for seq := range uint64(1000) {
		ms = append(ms, gateway.Message{Topic: telemetry.MQTTProtoTopic("RIG-07"), Payload: frame("RIG-07", "b", seq, time.Now(), 100)})
	}
	if err := g.AcceptAll(t.Context(), dev, ms, gateway.AsBackfill(), gateway.AsSimulated()); err != nil {
		t.Fatal(err)
	}
	if a := g.Status().Accepted; len(a) != 1 || a[0].Ranges[0] != [2]uint64{0, 999} {
		t.Errorf("%+v", a)
	}
	for i, f := range consume(t, k.ListenAddrs(), topics.Backfill).frames(1000) {
		if f.Seq != uint64(i) || !f.Simulated || f.Origin != telemetry.Backfill {
			t.Fatalf("%d: %+v", i, f)
		}
	}
	if err := g.Accept(t.Context(), dev, telemetry.MQTTTopic("RIG-08"), []byte(`{}`)); err == nil {
		t.Error("a foreign drill is taken")
	}
	out := g.Try(dev, telemetry.MQTTTopic("RIG-07"), []byte(`{"ts":"2026-11-22T12:00:00Z","channels":{"SPP":3263,"WOB":600,"new_one":1}}`))
	if out.Verdict != "partial" || len(out.Frames) != 1 || len(out.Quarantined) != 1 || out.Frames[0].Channels[0].Values[0] != "600 out of range" || out.Frames[0].Channels[1].Registered {
		t.Errorf("%+v", out)
	}
}
