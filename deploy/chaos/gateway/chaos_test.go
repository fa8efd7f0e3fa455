//go:build e2e

// Package gateway_test drives the gateway as a process of its own, at 2,000
// messages a second and more with numbers on them, while what is around it
// fails, and compares what was acknowledged with what lies in the log. Run by
// make chaos-gateway; CHAOS=long for the long dose.
package gateway_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
	"github.com/mudpulse/mudpulse/gateway/crash"
)

const (
	drills = 8
	rate   = 2400 // messages a second, all drills together
)

var long = os.Getenv("CHAOS") == "long"

// dose is a duration of the CI dose, or of the long one.
func dose(ci, full time.Duration) time.Duration {
	if long {
		return full
	}
	return ci
}

// A result is one line of the table.
type result struct {
	name, road, log                string
	sent, acked, logged, duplicate int
	missing, elsewhere             int // acknowledged by the gateway; by the broker and never given to the gateway
	note                           string
}

var (
	results []result
	tableMu sync.Mutex
)

func TestMain(m *testing.M) {
	rc := m.Run()
	if len(results) > 0 {
		fmt.Printf("\n%-34s %-20s %-9s %9s %12s %9s %10s %8s  %s\n", "case", "through", "log", "sent", "acknowledged", "in log", "duplicates", "missing", "")
		for _, r := range results {
			fmt.Printf("%-34s %-20s %-9s %9d %12d %9d %10d %8d  %s\n", r.name, r.road, r.log, r.sent, r.acked, r.logged, r.duplicate, r.missing, r.note)
		}
		fmt.Println("missing: acknowledged by the gateway and not in the log")
	}
	os.Exit(rc)
}

// A fleet is the devices of one case.
type fleet struct {
	t        *testing.T
	devices  []*device
	stopGen  context.CancelFunc
	stopSend context.CancelFunc
	gen, all sync.WaitGroup
}

func launch(t *testing.T, addr func() string, change ...func(*device)) *fleet {
	f := &fleet{t: t}
	gen, stopGen := context.WithCancel(context.Background())
	send, stopSend := context.WithCancel(context.Background())
	f.stopGen, f.stopSend = stopGen, stopSend
	for i := range drills {
		d := newDevice(i, secret, addr)
		for _, c := range change {
			c(d)
		}
		f.devices = append(f.devices, d)
		f.gen.Go(func() { d.generate(gen, rate/drills) })
		f.all.Go(func() { d.serve(send) })
	}
	t.Cleanup(func() { stopGen(); stopSend(); f.gen.Wait(); f.all.Wait() })
	return f
}

// settle lets no more be generated, waits until all is acknowledged, and returns it.
func (f *fleet) settle() (sent int, acked map[key]bool) {
	f.t.Helper()
	f.stopGen()
	f.gen.Wait()
	harness.Wait(f.t, 2*time.Minute, "every message to be acknowledged", func() bool {
		for _, d := range f.devices {
			if !d.done() {
				d.wake()
				return false
			}
		}
		return true
	})
	acked = map[key]bool{}
	for _, d := range f.devices {
		sent += d.counts(acked)
	}
	f.stopSend()
	f.all.Wait()
	return sent, acked
}

// judge reads the log and writes a line of the table. ours: every
// acknowledgement was the gateway's own.
func judge(t *testing.T, name, road string, l *log, f *fleet, ours bool) (result, *reading) {
	t.Helper()
	sent, acked := f.settle()
	r := l.read()
	quiet := 20 * time.Second
	if !ours {
		quiet = 10 * time.Second
	}
	r.until(acked, quiet)
	res := result{name: name, road: road, log: l.kind, sent: sent, acked: len(acked), logged: len(r.seen)}
	for k, n := range r.seen {
		res.duplicate += n - 1
		if !acked[k] {
			t.Errorf("%s: %v is in the log and was never sent", name, k)
		}
	}
	var lost []key
	for k := range acked {
		switch {
		case r.seen[k] > 0:
		case !ours && !r.has(k):
			res.elsewhere++
		default:
			res.missing++
			lost = append(lost, k)
		}
	}
	if res.elsewhere > 0 {
		res.note = fmt.Sprintf("%d acknowledged by the broker and lost there", res.elsewhere)
	}
	slices.SortFunc(lost, func(a, b key) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	if res.missing > 0 {
		t.Logf("missing: %v", lost[:min(len(lost), 20)])
	}
	return res, r
}

// closed appends the line and fails the test if something is missing.
func (r result) closed(t *testing.T) {
	t.Helper()
	tableMu.Lock()
	results = append(results, r)
	tableMu.Unlock()
	if r.missing != 0 {
		t.Errorf("%s, %s, %s: %d messages that the gateway acknowledged are not in the log", r.name, r.road, r.log, r.missing)
	}
	if r.sent == 0 || r.acked != r.sent {
		t.Errorf("%s: %d sent, %d acknowledged", r.name, r.sent, r.acked)
	}
}

// A road is a way in: the gateway's own listener, or a broker in front of it.
type road struct {
	name   string
	ours   bool
	addr   func() string
	broker *broker
	gw     *gateway
}

func listener(t *testing.T, l *log, args ...string) *road {
	gw := newGateway(t, l, drills, args...)
	return &road{name: "listener", ours: true, addr: gw.addr, gw: gw}
}

func subscriber(t *testing.T, l *log, args ...string) *road {
	b := mosquitto(t)
	gw := newGateway(t, l, drills, append(args, "--subscribe", "tcp://"+b.addr())...)
	return &road{name: "Mosquitto, subscriber", addr: b.addr, broker: b, gw: gw}
}

// begin starts the gateway and, where there is a broker, waits until the
// gateway has its session there: what is published before goes nowhere.
func (r *road) begin(t *testing.T) {
	t.Helper()
	r.gw.start("")
	r.subscribed(t)
}

func (r *road) subscribed(t *testing.T) {
	t.Helper()
	harness.Wait(t, time.Minute, "the gateway to be up", func() bool { return r.gw.metric("messages_total") >= 0 })
	if r.broker != nil {
		harness.Wait(t, time.Minute, "the gateway to be subscribed", func() bool {
			b, err := os.ReadFile(r.gw.Log)
			return err == nil && strings.Contains(string(b), "msg=subscribed")
		})
	}
}

// broker is Mosquitto with a persistent store that saves at every change.
type broker struct {
	t    *testing.T
	port int
	conf string
	*harness.Proc
}

func (b *broker) addr() string { return fmt.Sprintf("127.0.0.1:%d", b.port) }

func (b *broker) start() {
	b.Proc = harness.Start(b.t, nil, "mosquitto", "-c", b.conf)
	harness.Wait(b.t, 20*time.Second, "mosquitto", func() bool { return dialable(b.addr()) })
}

func mosquitto(t *testing.T) *broker {
	t.Helper()
	b := &broker{t: t, port: harness.FreePort(t, 1), conf: filepath.Join(t.TempDir(), "mosquitto.conf")}
	store := t.TempDir()
	if err := os.Chmod(store, 0o777); err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location %s/\nmax_inflight_messages 1000\nmax_queued_messages 0\nuser root\n", b.port, store)
	if err := os.WriteFile(b.conf, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	b.start()
	return b
}

func dialable(addr string) bool {
	out := exec.Command("bash", "-c", "exec 3<>/dev/tcp/"+strings.Replace(addr, ":", "/", 1))
	return out.Run() == nil
}

func sleep(d time.Duration) { <-time.After(d) }

// each runs a case on both roads.
func each(t *testing.T, open func(*testing.T) *log, run func(t *testing.T, l *log, r *road), args ...string) {
	for name, build := range map[string]func(*testing.T, *log, ...string) *road{"listener": listener, "subscriber": subscriber} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // mostly they wait
			l := open(t)
			run(t, l, build(t, l, args...))
		})
	}
}

func kafkaAway(t *testing.T, l *log, r *road) {
	r.begin(t)
	f := launch(t, r.addr)
	sleep(2 * time.Second)
	l.down()
	sleep(dose(6*time.Second, time.Minute))
	l.up()
	sleep(time.Second)
	res, _ := judge(t, "Kafka away", r.name, l, f, r.ours)
	res.closed(t)
}

func TestKafkaAwayEmbedded(t *testing.T) { each(t, embedded, kafkaAway) }

// Both away: Kafka, and meanwhile the gateway is killed.
func both(t *testing.T, l *log, r *road) {
	r.begin(t)
	f := launch(t, r.addr)
	sleep(time.Second)
	l.down()
	for range 3 {
		sleep(dose(time.Second, 10*time.Second))
		r.gw.Kill()
		r.gw.start("")
	}
	l.up()
	res, _ := judge(t, "Kafka away and kill -9 × 3", r.name, l, f, r.ours)
	res.closed(t)
}

func TestKafkaAwayAndKilledEmbedded(t *testing.T) { each(t, embedded, both) }

// The same with Apache Kafka, one after the other: there is one broker. The CI
// dose holds the hardest of them.
func TestApacheKafkaAway(t *testing.T) {
	if !long { // there it shares the machine with nobody
		t.Parallel()
	}
	l := apache(t, 1)
	if long {
		kafkaAway(t, l, listener(t, l))
		l = apache(t, 1)
		kafkaAway(t, l, subscriber(t, l))
		l = apache(t, 1)
		both(t, l, subscriber(t, l))
		l = apache(t, 1)
	}
	both(t, l, listener(t, l))
}

// reach bounds at which pass of a place the process is killed: places that are
// passed for each message, for each batch, and about once a second.
var reach = map[string]int64{
	"mqtt-ack": 2000, "mqtt-pubrec": 200, "produce-send": 2000, "produce-ack": 2000, "subscribe-ack": 2000,
	"spool-write": 60, "spool-torn": 60, "spool-sync": 60, "spool-synced": 60,
	"spool-rotate": 2, "spool-release": 2, "state-write": 2, "state-rename": 2, "ledger-write": 2, "ledger-rename": 2,
}

// killed dies at points places, one after the other, each at least once.
func killed(points []string) func(t *testing.T, l *log, r *road) {
	return func(t *testing.T, l *log, r *road) {
		r.begin(t)
		f := launch(t, r.addr)
		sleep(500 * time.Millisecond)
		rnd := rand.New(rand.NewPCG(7, 5))
		for _, p := range points {
			if r.broker == nil && p == "subscribe-ack" || r.broker != nil && strings.HasPrefix(p, "mqtt-") {
				continue
			}
			r.gw.Kill()
			spec := fmt.Sprintf("%s:%d", p, 1+rnd.Int64N(reach[p]))
			r.gw.start(spec)
			if !r.gw.Died(time.Minute) {
				t.Errorf("%s was never reached", spec)
			}
		}
		r.gw.start("")
		res, _ := judge(t, fmt.Sprintf("kill -9 at %d crash points", len(points)), r.name, l, f, r.ours)
		res.closed(t)
	}
}

// The spool is small, so that segments are begun and released all the time.
func TestKilledAtEveryCrashPoint(t *testing.T) {
	points := slices.Clone(crash.Points)
	for _, p := range points {
		if reach[p] == 0 {
			t.Fatalf("crash point %s is new: say here how often it is passed", p)
		}
	}
	points = append(points, "spool-sync", "mqtt-ack", "produce-ack", "subscribe-ack", "spool-torn", "produce-send", "spool-synced")
	if long {
		points = append(points, points...)
	}
	each(t, embedded, killed(points), "--spool-bytes", "8388608")
}

// The broker ends: for the subscriber Mosquitto, for the listener the gateway itself.
func ends(name string, sig syscall.Signal) func(t *testing.T, l *log, r *road) {
	return func(t *testing.T, l *log, r *road) {
		r.begin(t)
		f := launch(t, r.addr)
		for range 2 {
			sleep(1500 * time.Millisecond)
			if r.broker != nil {
				_ = r.broker.Cmd.Process.Signal(sig)
				<-r.broker.Done
				r.broker.start()
			} else {
				_ = r.gw.Cmd.Process.Signal(sig)
				<-r.gw.Done
				r.gw.start("")
			}
		}
		sleep(3 * time.Second)
		res, _ := judge(t, "broker "+name, r.name, l, f, r.ours)
		res.closed(t)
	}
}

func TestBrokerStopped(t *testing.T) { each(t, embedded, ends("SIGTERM", syscall.SIGTERM)) }
func TestBrokerKilled(t *testing.T)  { each(t, embedded, ends("kill -9", syscall.SIGKILL)) }
