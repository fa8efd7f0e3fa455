package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/telemetry"
)

const partitions = 2

// topics creates the prefix's topics.
func (p *place) topics(ctx context.Context, cl *kgo.Client) (telemetry.Topics, error) {
	t := telemetry.NewTopics(p.Prefix)
	adm := kadm.NewClient(cl)
	for _, name := range t.All() {
		cfg := map[string]*string{}
		if t.Compacted(name) {
			cfg["cleanup.policy"] = kadm.StringPtr("compact")
		}
		r, err := adm.CreateTopic(ctx, partitions, 1, cfg, name)
		if err == nil {
			err = r.Err
		}
		if err != nil {
			return t, fmt.Errorf("create %s: %w", name, err)
		}
	}
	return t, nil
}

func (p *place) client() (*kgo.Client, error) {
	return kgo.NewClient(kgo.SeedBrokers(p.Broker), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(5*time.Millisecond),
		kgo.MaxBufferedRecords(100_000), kgo.RequiredAcks(kgo.AllISRAcks()))
}

// mark puts markers into every partition of frames and backfill.
func mark(ctx context.Context, cl *kgo.Client, t telemetry.Topics, ms ...telemetry.Marker) error {
	var rs []*kgo.Record
	for i := range ms {
		ms[i].ID, ms[i].By, ms[i].At = fmt.Sprintf("%s-%s", ms[i].Kind, ms[i].Name), "bench", time.Now().UnixNano()
		b, err := json.Marshal(&ms[i])
		if err != nil {
			return err
		}
		for part := range int32(partitions) {
			for _, topic := range []string{t.Frames, t.Backfill} {
				rs = append(rs, &kgo.Record{Topic: topic, Partition: part, Value: b, Headers: []kgo.RecordHeader{{Key: telemetry.HeaderKind, Value: []byte(telemetry.KindMarker)}}})
			}
		}
	}
	return cl.ProduceSync(ctx, rs...).FirstErr()
}

// keep puts a model where the scorer looks for blobs, and returns its SHA-256.
func keep(dir, path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	hash := hex.EncodeToString(sum[:])
	to := filepath.Join(dir, hash[:2], hash[2:])
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return "", err
	}
	return hash, os.WriteFile(to, b, 0o600)
}

// scorer starts the process.
func (p *place) scorer(dir string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(p.Bin, append([]string{"--brokers", p.Broker, "--prefix", p.Prefix, "--blobs", filepath.Join(dir, "blobs"), "--data", dir,
		"--http", "127.0.0.1:0", "--log-level", "warn"}, args...)...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: make build first", err)
	}
	return cmd, nil
}

// processorTime is what a running process has had of the processors.
func processorTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(f) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: %q", pid, b)
	}
	if f[0] == "Z" {
		return 0, fmt.Errorf("process %d has ended", pid)
	}
	u, _ := strconv.ParseInt(f[11], 10, 64)
	s, _ := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(u+s) * 10 * time.Millisecond, nil // in ticks of 1/100 s
}

// peak is the most memory in MB that a running process has held.
func peak(pid int) (float64, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	kb, err := strconv.ParseFloat(strings.Fields(rest + " ?")[0], 64)
	return kb / 1024, err
}

// ends is how many records a topic has.
func ends(ctx context.Context, cl *kgo.Client, topic string) (int64, error) {
	l, err := kadm.NewClient(cl).ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, err
	}
	n := int64(0)
	l.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return n, l.Error()
}
