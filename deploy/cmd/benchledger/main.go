// Command benchledger asks the ledger of many devices of the running product: it
// starts `mudpulse run` without gateway and scorer, writes into its log what those
// would (frames, scores, gateways' ledgers; every hundredth device lost a frame on
// the way), and measures what an answer costs the process.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/services/client"
	"github.com/mudpulse/mudpulse/telemetry"
)

func main() {
	bin := flag.String("bin", "bin/mudpulse", "the binary")
	devices := flag.Int("devices", 10000, "of a drill each")
	frames := flag.Int("frames", 30, "of each")
	asks := flag.Int("asks", 20, "of each kind")
	flag.Parse()
	if err := run(context.Background(), *bin, *devices, *frames, *asks); err != nil {
		fmt.Fprintln(os.Stderr, "benchledger:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bin string, devices, frames, asks int) error {
	dir, err := os.MkdirTemp("", "benchledger-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p := exec.Command(bin, "run", "--demo=false", "--parts", "log,writer,api", "--data", dir, "--http", "127.0.0.1:0", "--kafka", "127.0.0.1:0", "--sql", "127.0.0.1:0", "--log-level", "warn")
	p.Stderr, p.SysProcAttr = os.Stderr, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.Start(); err != nil {
		return fmt.Errorf("%w: make build first", err)
	}
	defer func() { _ = p.Process.Kill(); _ = p.Wait() }()
	var addr map[string]string
	var api *client.Client
	if err := until(time.Minute, "mudpulse run to listen", func() bool {
		raw, err := os.ReadFile(filepath.Join(dir, "addresses.json"))
		token, e := os.ReadFile(filepath.Join(dir, "admin-token"))
		if errors.Join(err, e) != nil || json.Unmarshal(raw, &addr) != nil {
			return false
		}
		api = client.New(addr["http"], strings.TrimSpace(string(token)))
		_, err = api.Get(ctx, "/ledger?show=totals")
		return err == nil
	}); err != nil {
		return err
	}
	before, err := resident(p.Process.Pid)
	if err != nil {
		return err
	}
	lost := (devices + 99) / 100
	if err := fill(ctx, addr["kafka"], devices, frames); err != nil {
		return err
	}
	want := int64(devices*frames - lost)
	var l ledger
	if err := until(10*time.Minute, fmt.Sprintf("%d frames in the store and scored", want), func() bool {
		b, err := api.Get(ctx, "/ledger?show=totals")
		return err == nil && json.Unmarshal(b, &l) == nil && l.Totals.Stored == want && l.Totals.Scored == want
	}); err != nil {
		return fmt.Errorf("%w; it says %+v", err, l.Totals)
	}
	if l.Totals.Gaps != lost {
		return fmt.Errorf("%d gaps, want %d", l.Totals.Gaps, lost)
	}
	filled, err := resident(p.Process.Pid)
	if err != nil {
		return err
	}
	fmt.Printf("%d devices, %d frames each; %d lost one between gateway and store; the process holds %.0f MB (%.0f before they came)\n", devices, frames, lost, filled, before)
	for _, ask := range []struct{ what, query string }{
		{"all rows", "show=all"}, {"those with gaps", "show=gaps"}, {"totals", "show=totals"}, {"one device", "drill=RIG-00100"}, {"all rows, every row counted again", "audit=true"},
	} {
		n := asks
		if strings.HasPrefix(ask.query, "audit") {
			n = min(asks, 3)
		}
		began, err := cpu(p.Process.Pid)
		if err != nil {
			return err
		}
		at, size := time.Now(), 0
		for range n {
			b, err := api.Get(ctx, "/ledger?"+ask.query)
			if err != nil {
				return err
			}
			size = len(b)
		}
		took := time.Since(at)
		ended, err := cpu(p.Process.Pid)
		if err != nil {
			return err
		}
		fmt.Printf("%-34s %7.1f CPU-ms, %7.1f ms, %9d bytes an answer\n", ask.what, (ended-began).Seconds()*1e3/float64(n), took.Seconds()*1e3/float64(n), size)
	}
	after, err := resident(p.Process.Pid)
	if err != nil {
		return err
	}
	fmt.Printf("afterwards the process holds %.0f MB\n", after)
	return nil
}

type ledger struct {
	Totals struct {
		Stored, Scored int64
		Gaps           int
	}
}

// fill writes what gateway and scorer would have.
func fill(ctx context.Context, broker string, devices, frames int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ProducerLinger(20*time.Millisecond), kgo.MaxBufferedRecords(100_000))
	if err != nil {
		return err
	}
	defer cl.Close()
	topics := telemetry.NewTopics(telemetry.DefaultPrefix)
	start := time.Now().Add(-time.Duration(frames) * time.Second).Truncate(time.Second).UnixNano()
	var failed error
	put := func(topic, key string, value []byte) {
		cl.Produce(ctx, &kgo.Record{Topic: topic, Key: []byte(key), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed = err
			}
		})
	}
	for seq := range uint64(frames) {
		for d := range devices {
			if d%100 == 0 && seq == uint64(frames/2) {
				continue // lost
			}
			f := telemetry.Frame{Drill: fmt.Sprintf("RIG-%05d", d), Device: "edr", Boot: "b1", Seq: seq + 1, TS: start + int64(seq)*1e9, Runs: []telemetry.Run{{Channel: "WOB", Every: 1e8, Values: []float64{100, 101, 102, 101, 100, 99, 100, 101, 100, 100}}}}
			f.Hash = telemetry.ContentHash(&f)
			s := telemetry.Score{Drill: f.Drill, Tick: f.TS, Causes: []telemetry.FrameID{f.ID()}, State: telemetry.StateRotary, Health: 90, Confidence: 1}
			s.CauseHash = telemetry.CauseHash(s.Causes)
			put(topics.Frames, f.Drill, telemetry.AppendFrame(nil, &f))
			put(topics.Scores, f.Drill, telemetry.AppendScore(nil, &s))
		}
	}
	for d := 0; d < devices; d += 500 {
		st := telemetry.GatewayStatus{Gateway: "gw-1", At: time.Now().UnixNano()}
		for i := d; i < min(devices, d+500); i++ {
			st.Accepted = append(st.Accepted, telemetry.Accepted{Drill: fmt.Sprintf("RIG-%05d", i), Device: "edr", Boot: "b1", Ranges: [][2]uint64{{1, uint64(frames)}}})
		}
		b, err := json.Marshal(st)
		if err != nil {
			return err
		}
		put(topics.Gateways, "gw-1", b)
	}
	if err := cl.Flush(ctx); err != nil {
		return err
	}
	return failed
}

func until(limit time.Duration, what string, ok func() bool) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); !ok(); <-tick.C {
		if time.Now().After(end) {
			return fmt.Errorf("waited %v for %s", limit, what)
		}
	}
	return nil
}

// cpu is the processor time that a process has used.
func cpu(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	system, e := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err, e) // ticks of 100 Hz
}

// resident is how much memory a process holds, MB.
func resident(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	return float64(kb) / 1e3, err
}
