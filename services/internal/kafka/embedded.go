package kafka

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Embedded is a log in this process that speaks Kafka's protocol: kfake with a
// data directory. It is never the sole copy of a frame (docs/promises.md, 1):
// the gateway's spool keeps what writer and scorer have not both committed.
type Embedded struct {
	cluster *kfake.Cluster
	lock    *os.File
	id      string
	addr    string
}

// OpenEmbedded starts the log on addr (host:port; port 0 allowed; loopback, as
// it knows no users) with its data in dir. One process at a time may hold dir.
func OpenEmbedded(dir, addr string, cfg Config) (*Embedded, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("kafka: listen address %q: want host:port", addr)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("kafka: listen address %q: the embedded log knows no users and listens on loopback only; use --brokers with a real Kafka to share it", addr)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded log: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("embedded log: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("embedded log: %s is held by another process: a mudpulse runs on this data already; stop it, or give this one a directory of its own with --data", dir)
	}
	e := &Embedded{lock: lock}
	if err := e.open(dir, addr, cfg); err != nil {
		lock.Close()
		return nil, fmt.Errorf("embedded log: %w", err)
	}
	return e, nil
}

func (e *Embedded) open(dir, addr string, cfg Config) error {
	data := filepath.Join(dir, "data")
	var err error
	if e.id, err = clusterID(dir, data); err != nil {
		return err
	}
	e.cluster, err = kfake.NewCluster(
		kfake.NumBrokers(1), kfake.Ports(0), kfake.ClusterID(e.id), kfake.DataDir(data),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) {
			l, err := net.Listen(network, addr)
			return patient{l}, err
		}),
		kfake.DefaultNumPartitions(int(cfg.Partitions)),
		kfake.GroupMinSessionTimeout(time.Second),
		kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": "15000", "message.max.bytes": "8388608"}),
	)
	if err != nil {
		return err
	}
	e.addr = e.cluster.ListenAddrs()[0]
	return nil
}

// patient is a listener that outlives what passes: kfake listens no more after the
// first error, and without its log the process is deaf.
type patient struct{ net.Listener }

func (p patient) Accept() (net.Conn, error) {
	for {
		c, err := p.Listener.Accept()
		if err == nil || errors.Is(err, net.ErrClosed) {
			return c, err
		}
		time.Sleep(50 * time.Millisecond) // too many open files, a connection gone
	}
}

// clusterID reads the log's identity, or makes one: whoever removes the data
// makes a new log, and positions in the old one are void.
func clusterID(dir, data string) (string, error) {
	path := filepath.Join(dir, "cluster-id")
	if b, err := os.ReadFile(path); err == nil {
		if _, err := os.Stat(data); err == nil && len(b) >= 16 {
			return strings.TrimSpace(string(b)), nil
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	if err := os.RemoveAll(data); err != nil {
		return "", err
	}
	var raw [12]byte
	rand.Read(raw[:])
	id := "mp-" + hex.EncodeToString(raw[:])
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, []byte(id+"\n"), 0o600); err != nil {
		return "", err
	}
	return id, os.Rename(tmp, path)
}

// Addr is host:port of the log's listener.
func (e *Embedded) Addr() string { return e.addr }

// ID is the log's cluster id.
func (e *Embedded) ID() string { return e.id }

// Close stops the log and gives its directory back.
func (e *Embedded) Close() error {
	e.cluster.Close()
	return e.lock.Close()
}

// Covered says up to which offset, exclusive, somebody has durably taken each
// partition of each topic. A topic that is absent is not waited for.
type Covered func() map[string]map[int32]int64

// Trim cuts the log below what all of covers have taken, every so often, until
// ctx is done: a partition is cut at the least of those who name its topic.
func Trim(ctx context.Context, cl *kgo.Client, every time.Duration, log *slog.Logger, covers ...Covered) error {
	adm := kadm.NewClient(cl)
	tick := time.NewTicker(every)
	defer tick.Stop()
	cut := map[string]map[int32]int64{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		least := map[string]map[int32]int64{}
		for _, c := range covers {
			for topic, parts := range c() {
				if least[topic] == nil {
					least[topic] = maps.Clone(parts)
					continue
				}
				for p := range least[topic] {
					o, ok := parts[p]
					if !ok {
						delete(least[topic], p)
					} else {
						least[topic][p] = min(least[topic][p], o)
					}
				}
			}
		}
		offsets := kadm.Offsets{}
		for topic, parts := range least {
			for p, o := range parts {
				o-- // the last record stays: without it a log that was killed would count from 0 again
				if o > cut[topic][p] {
					offsets.AddOffset(topic, p, o, -1)
				}
			}
		}
		if len(offsets) == 0 {
			continue
		}
		res, err := adm.DeleteRecords(ctx, offsets)
		if err != nil {
			if ctx.Err() == nil {
				log.Warn("log not cut", "err", err)
			}
			continue
		}
		res.Each(func(r kadm.DeleteRecordsResponse) {
			if r.Err == nil {
				if cut[r.Topic] == nil {
					cut[r.Topic] = map[int32]int64{}
				}
				cut[r.Topic][r.Partition] = r.LowWatermark
			}
		})
	}
}
