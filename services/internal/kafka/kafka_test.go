package kafka

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func open(t *testing.T, dir string) (*Embedded, *kgo.Client, Config) {
	t.Helper()
	cfg := DefaultConfig()
	e, err := OpenEmbedded(dir, "127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Brokers = []string{e.Addr()}
	opts, err := cfg.Options()
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return e, cl, cfg
}

func TestTheEmbeddedLogKeepsItsRecordsAndItsIdentity(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	e, cl, cfg := open(t, dir)
	if err := EnsureTopics(ctx, cl, cfg); err != nil {
		t.Fatal(err)
	}
	if err := EnsureTopics(ctx, cl, cfg); err != nil { // again: all are there
		t.Fatal(err)
	}
	for _, v := range []string{"a", "b", "c"} {
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: cfg.Topics().Frames, Partition: 0, Key: []byte("RIG-07"), Value: []byte(v)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	id, err := ClusterID(ctx, cl)
	if err != nil || id != e.ID() {
		t.Fatalf("cluster id %q, %v; want %q", id, err, e.ID())
	}
	if _, err := OpenEmbedded(dir, "127.0.0.1:0", cfg); err == nil || !strings.Contains(err.Error(), "held by another") {
		t.Errorf("a second process opened the log: %v", err)
	}
	cl.Close()
	e.Close()

	e, cl, cfg = open(t, dir)
	defer e.Close()
	defer cl.Close()
	if e.ID() != id {
		t.Errorf("after a restart the cluster id is %q, not %q", e.ID(), id)
	}
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, cfg.Topics().Frames)
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	if n != 3 {
		t.Errorf("%d records after a restart, want 3", n)
	}
}

func TestTheEmbeddedLogListensOnLoopbackOnly(t *testing.T) {
	if _, err := OpenEmbedded(t.TempDir(), "0.0.0.0:0", DefaultConfig()); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("%v", err)
	}
}

func TestTheLogIsCutOnlyBelowWhatAllHaveTaken(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	e, cl, cfg := open(t, t.TempDir())
	defer e.Close()
	defer cl.Close()
	if err := EnsureTopics(ctx, cl, cfg); err != nil {
		t.Fatal(err)
	}
	frames := cfg.Topics().Frames
	adm := kadm.NewClient(cl)
	for range 10 {
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: frames, Key: []byte("RIG-07"), Value: []byte("v")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	var part int32
	ends, err := adm.ListEndOffsets(ctx, frames)
	if err != nil {
		t.Fatal(err)
	}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset == 10 {
			part = o.Partition
		}
	})
	done := make(chan error)
	cover := func(o int64) Covered {
		return func() map[string]map[int32]int64 { return map[string]map[int32]int64{frames: {part: o}} }
	}
	other := func() map[string]map[int32]int64 { return map[string]map[int32]int64{"elsewhere": {0: 1}} }
	go func() {
		done <- Trim(ctx, cl, time.Millisecond, slog.New(slog.NewTextHandler(io.Discard, nil)), cover(7), cover(4), other)
	}()
	for {
		starts, err := adm.ListStartOffsets(ctx, frames)
		if err != nil {
			t.Fatal(err)
		}
		o, _ := starts.Lookup(frames, part)
		if o.Offset > 3 {
			t.Fatalf("cut at %d: one has taken only 4, and the last of those stays", o.Offset)
		}
		if o.Offset == 3 {
			break
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAWrongKeyIsNamed(t *testing.T) {
	f := func(change func(*Config), key string) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), key+":") {
			t.Errorf("%v, want %s: …", err, key)
		}
	}
	f(func(c *Config) { c.Brokers = []string{"nonsense"} }, "brokers")
	f(func(c *Config) { c.Partitions = 0 }, "partitions")
	f(func(c *Config) { c.Replication = 0 }, "replication")
	f(func(c *Config) { c.Prefix = "" }, "prefix")
	f(func(c *Config) { c.User, c.Mechanism = "u", "X" }, "sasl-mechanism")
	f(func(c *Config) { c.KeyFile = "k" }, "kafka-cert and kafka-key")
}

// flaky is a listener whose first accepts fail, as where too many files are open.
type flaky struct {
	net.Listener
	fail int
}

func (f *flaky) Accept() (net.Conn, error) {
	if f.fail--; f.fail >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return f.Listener.Accept()
}

func TestTheEmbeddedLogListensOnAfterTooManyOpenFiles(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := patient{&flaky{l, 2}}
	dialed, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer dialed.Close()
	c, err := p.Accept()
	if err != nil {
		t.Fatalf("it listens no more: %v", err)
	}
	c.Close()
	l.Close()
	if _, err := p.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed, and: %v", err)
	}
}
