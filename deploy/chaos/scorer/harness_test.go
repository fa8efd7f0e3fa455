//go:build e2e

package scorer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
)

// A broker is the log: the embedded one as a process of its own, or Apache Kafka.
type broker struct {
	name string
	addr string
	down func() // kill -9
	up   func()
}

func embedded(t *testing.T) *broker {
	t.Helper()
	b := &broker{name: "embedded log", addr: fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t, 1))}
	dir := t.TempDir()
	var p *harness.Proc
	b.up = func() {
		p = harness.Start(t, nil, harness.Bin(t, "mudpulse"), "run", "--parts", "log", "--demo=false", "--data", dir, "--kafka", b.addr)
		b.await(t)
	}
	b.down = func() { p.Kill() }
	b.up()
	return b
}

// apache is the Kafka that deploy/tools/kafka.sh manages.
func apache(t *testing.T) *broker {
	t.Helper()
	b := &broker{name: "Apache Kafka", addr: os.Getenv("E2E_KAFKA")}
	if b.addr == "" {
		t.Fatal("E2E_KAFKA names no broker: run this through make chaos-scorer")
	}
	b.down = func() { harness.Kafka(t, nil, "kill", "1") }
	b.up = func() { harness.Kafka(t, nil, "up", "--brokers", "1"); b.await(t) }
	return b
}

func (b *broker) await(t *testing.T) {
	t.Helper()
	cl := b.client(t)
	harness.Wait(t, 2*time.Minute, b.name+" to answer", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_, err := kadm.NewClient(cl).ListBrokers(ctx)
		return err == nil
	})
}

func (b *broker) client(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.addr), kgo.RequiredAcks(kgo.AllISRAcks())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// drain reads topics from their beginning to where they end now.
func (b *broker) drain(t *testing.T, topics ...string) []*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	adm := kadm.NewClient(b.client(t))
	ends, err := adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]int64{}
	n := 0
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[fmt.Sprint(o.Topic, o.Partition)] = o.Offset
			n++
		}
	})
	cl := b.client(t, kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var out []*kgo.Record
	for n > 0 {
		fs := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("read %v: %v", topics, fs.Errors())
		}
		fs.EachRecord(func(r *kgo.Record) {
			key := fmt.Sprint(r.Topic, r.Partition)
			if end := left[key]; r.Offset < end {
				out = append(out, r)
				if r.Offset == end-1 {
					n--
				}
			}
		})
	}
	return out
}

// covered reports whether checkpoints cover all of frames and backfill.
func (f *flow) covered(t *testing.T) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ends, err := kadm.NewClient(f.out).ListEndOffsets(ctx, f.topics.Frames, f.topics.Backfill)
	if err != nil {
		return false
	}
	newest := map[string]struct{ Frames, Backfill int64 }{}
	for _, r := range f.broker.drain(t, f.topics.State) {
		var m struct {
			Frames   int64 `json:"frames,string"`
			Backfill int64 `json:"backfill,string"`
		}
		if err := json.Unmarshal(r.Value, &m); err == nil {
			newest[string(r.Key)] = struct{ Frames, Backfill int64 }{m.Frames, m.Backfill}
		}
	}
	for p := range int32(partitions) {
		fo, _ := ends.Lookup(f.topics.Frames, p)
		bo, _ := ends.Lookup(f.topics.Backfill, p)
		if m := newest[fmt.Sprintf("frames/%d", p)]; m.Frames != fo.Offset || m.Backfill != bo.Offset {
			return false
		}
	}
	return true
}
