//go:build e2e

package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
	"github.com/mudpulse/mudpulse/telemetry"
)

// A log is where frames go: the embedded one as a process of its own, or Apache Kafka.
type log struct {
	t       *testing.T
	kind    string // embedded, Kafka, Kafka×3
	brokers []string
	opts    []kgo.Opt // what a client of it needs besides
	prefix  string
	topics  telemetry.Topics
	up      func()
	down    func() // kill -9
}

var runs atomic.Int64

func newPrefix() string { return fmt.Sprintf("chaos%d-%d.", os.Getpid(), runs.Add(1)) }

// embedded starts the log of `mudpulse run` as a process of its own.
func embedded(t *testing.T) *log {
	t.Helper()
	l := &log{t: t, kind: "embedded", prefix: newPrefix()}
	addr := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t, 1))
	dir := t.TempDir()
	l.brokers, l.topics = []string{addr}, telemetry.NewTopics(l.prefix)
	var p *harness.Proc
	l.up = func() {
		p = harness.Start(t, nil, harness.Repo(t, "bin", "mudpulse"), "run", "--parts", "log", "--demo=false", "--data", dir, "--kafka", addr, "--prefix", l.prefix)
		l.await()
	}
	l.down = func() { p.Kill() }
	l.up()
	return l
}

// apache uses the Kafka that deploy/tools/kafka.sh manages under KAFKA_DIR and KAFKA_PORT.
func apache(t *testing.T, brokers int) *log {
	t.Helper()
	if os.Getenv("KAFKA_DIR") == "" || os.Getenv("KAFKA_PORT") == "" {
		t.Fatal("KAFKA_DIR and KAFKA_PORT name no Kafka: run this through make chaos-gateway or make e2e")
	}
	var port int
	if _, err := fmt.Sscan(os.Getenv("KAFKA_PORT"), &port); err != nil {
		t.Fatal(err)
	}
	l := &log{t: t, kind: "Kafka", prefix: newPrefix()}
	if brokers > 1 {
		l.kind = fmt.Sprintf("Kafka×%d", brokers)
	}
	for i := range brokers {
		l.brokers = append(l.brokers, fmt.Sprintf("127.0.0.1:%d", port+10*i))
	}
	l.topics = telemetry.NewTopics(l.prefix)
	n := fmt.Sprint(brokers)
	l.up = func() { t.Helper(); harness.Kafka(t, nil, "up", "--brokers", n); l.await() }
	l.down = func() { t.Helper(); harness.Kafka(t, nil, "kill", n, "--brokers", n) }
	l.up()
	l.createTopics(brokers)
	return l
}

func (l *log) createTopics(replication int) {
	l.t.Helper()
	cl := l.client()
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	res, err := kadm.NewClient(cl).CreateTopics(ctx, 4, int16(replication), nil, l.topics.Frames, l.topics.Backfill)
	if err == nil {
		_, err = kadm.NewClient(cl).CreateTopics(ctx, 1, int16(replication), nil, l.topics.Quarantine, l.topics.Gateways, l.topics.Control)
	}
	if err != nil || res.Error() != nil {
		l.t.Fatal(err, res.Error())
	}
}

func (l *log) client(opts ...kgo.Opt) *kgo.Client {
	l.t.Helper()
	opts = append([]kgo.Opt{kgo.SeedBrokers(l.brokers...), kgo.MetadataMinAge(100 * time.Millisecond)}, opts...)
	cl, err := kgo.NewClient(append(opts, l.opts...)...)
	if err != nil {
		l.t.Fatal(err)
	}
	return cl
}

// await waits until the log answers.
func (l *log) await() {
	l.t.Helper()
	harness.Wait(l.t, 2*time.Minute, l.kind+" log to answer", func() bool {
		cl := l.client()
		defer cl.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		return cl.Ping(ctx) == nil
	})
}

// reading is what an outsider finds in the log.
type reading struct {
	t        *testing.T
	cl       *kgo.Client
	l        *log
	dec      telemetry.Decoder
	seen     map[key]int
	accepted map[string][][2]uint64 // by device: what the gateway says it has
	damage   map[telemetry.Damage]bool
	last     time.Time // of a frame
	json     bool      // the records are what the devices sent, as a peer forwards them
}

func (l *log) read() *reading {
	r := &reading{t: l.t, l: l, seen: map[key]int{}, accepted: map[string][][2]uint64{}, damage: map[telemetry.Damage]bool{}, last: time.Now()}
	r.cl = l.client(kgo.ConsumeTopics(l.topics.Frames, l.topics.Backfill, l.topics.Gateways), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	l.t.Cleanup(r.cl.Close)
	return r
}

// until reads until all of want is there, or nothing more has come for quiet.
func (r *reading) until(want map[key]bool, quiet time.Duration) {
	r.t.Helper()
	r.last = time.Now()
	for {
		missing := 0
		for k := range want {
			if r.seen[k] == 0 {
				missing++
			}
		}
		if missing == 0 || time.Since(r.last) > quiet {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		r.poll(ctx)
		cancel()
	}
}

func (r *reading) poll(ctx context.Context) {
	r.cl.PollFetches(ctx).EachRecord(func(rec *kgo.Record) {
		if rec.Topic == r.l.topics.Gateways {
			var st telemetry.GatewayStatus
			if json.Unmarshal(rec.Value, &st) == nil {
				for _, a := range st.Accepted {
					r.accepted[a.Device] = append(r.accepted[a.Device], a.Ranges...)
				}
				for _, d := range st.Damage {
					r.damage[d] = true
				}
			}
			return
		}
		if r.json {
			var m struct {
				Device string
				Seq    uint64
				TS     json.Number
			}
			if err := json.Unmarshal(rec.Value, &m); err != nil {
				r.t.Errorf("%q: %v", rec.Value, err)
				return
			}
			ms, us, _ := strings.Cut(m.TS.String(), ".")
			var ts, frac int64
			fmt.Sscan(ms, &ts)
			fmt.Sscan(strings.TrimLeft(us, "0"), &frac)
			r.seen[key{m.Device, m.Seq, ts*1e6 + frac*1e3}]++
			r.last = time.Now()
			return
		}
		var f telemetry.Frame
		if err := r.dec.Decode(rec.Value, &f); err != nil {
			r.t.Errorf("%s/%d@%d: %v", rec.Topic, rec.Partition, rec.Offset, err)
			return
		}
		r.seen[key{f.Drill, f.Seq, f.TS}]++
		r.last = time.Now()
	})
}

// has reports whether the gateway says that it accepted that frame.
func (r *reading) has(k key) bool {
	for _, x := range r.accepted[k.device] {
		if k.seq >= x[0] && k.seq <= x[1] {
			return true
		}
	}
	return false
}
