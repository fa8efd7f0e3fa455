//go:build e2e

package scorer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func repo(t *testing.T, elem ...string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(append([]string{"..", "..", ".."}, elem...)...))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A proc is a running binary.
type proc struct {
	cmd  *exec.Cmd
	done chan struct{}
}

func start(t *testing.T, name string, args ...string) *proc {
	t.Helper()
	p := &proc{cmd: exec.Command(repo(t, "bin", name), args...), done: make(chan struct{})}
	f, err := os.CreateTemp(t.TempDir(), name+"-*.log")
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = f, f
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("%v: run make build", err)
	}
	go func() { _ = p.cmd.Wait(); f.Close(); close(p.done) }()
	t.Cleanup(func() {
		p.kill()
		if b, _ := os.ReadFile(f.Name()); t.Failed() {
			t.Logf("--- %s %s, last of its output:\n%s", name, strings.Join(args, " "), b[max(0, len(b)-2000):])
		}
	})
	return p
}

// kill is kill -9.
func (p *proc) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop asks it to end, and waits.
func (p *proc) stop(t *testing.T) {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(90 * time.Second):
		t.Fatal("scorer does not stop")
	}
}

// died waits until it was killed, as at a crash point.
func (p *proc) died(within time.Duration) bool {
	select {
	case <-p.done:
		ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
		return ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL
	case <-time.After(within):
		return false
	}
}

func wait(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited %v for: %s", limit, what)
		}
	}
}

// A broker is the log: the embedded one as a process of its own, or Apache Kafka.
type broker struct {
	name string
	addr string
	down func() // kill -9
	up   func()
}

func embedded(t *testing.T) *broker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &broker{name: "embedded log", addr: l.Addr().String()}
	l.Close()
	dir := t.TempDir()
	var p *proc
	b.up = func() {
		p = start(t, "mudpulse", "run", "--parts", "log", "--demo=false", "--data", dir, "--kafka", b.addr)
		b.await(t)
	}
	b.down = func() { p.kill() }
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
	sh := func(args ...string) {
		if out, err := exec.Command("bash", append([]string{repo(t, "deploy", "tools", "kafka.sh")}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("kafka.sh %v: %v\n%s", args, err, out)
		}
	}
	b.down = func() { sh("kill", "1") }
	b.up = func() { sh("up", "--brokers", "1"); b.await(t) }
	return b
}

func (b *broker) await(t *testing.T) {
	t.Helper()
	cl := b.client(t)
	wait(t, 2*time.Minute, b.name+" to answer", func() bool {
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
