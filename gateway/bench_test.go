package gateway_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/gateway"
	"github.com/mudpulse/mudpulse/telemetry"
)

// A benchmark measures the gateway as a process of its own: this test's binary,
// started again with the broker's address in this variable.
const childEnv = "MUDPULSE_BENCH_GATEWAY"

func TestMain(m *testing.M) {
	if brokers := os.Getenv(childEnv); brokers != "" {
		if err := child(brokers); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child runs a gateway, prints its address, and when stdin ends what it used.
func child(brokers string) error {
	dir, err := os.MkdirTemp("", "gateway-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cfg := gateway.DefaultConfig()
	cfg.Listen.TCP, cfg.Spool.Dir, cfg.Kafka.Brokers = "127.0.0.1:0", filepath.Join(dir, "spool"), []string{brokers}
	if c := os.Getenv("MUDPULSE_BENCH_COMPRESSION"); c != "" {
		cfg.Kafka.Compression = c
	}
	if r := os.Getenv("MUDPULSE_BENCH_ROUND"); r != "" {
		if cfg.Listen.Round, err = time.ParseDuration(r); err != nil {
			return err
		}
	}
	g, err := gateway.New(cfg, gateway.Deps{Registry: devices(20000)})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	select {
	case err := <-done:
		return err
	case <-g.Ready():
	}
	fmt.Println(g.Addr().TCP)
	in := bufio.NewReader(os.Stdin)
	profile := os.Getenv("MUDPULSE_BENCH_PROFILE")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			break
		}
		if profile != "" { // from the first question on: devices have connected by then
			f, err := os.Create(profile)
			if err != nil {
				return err
			}
			defer f.Close()
			if err := pprof.StartCPUProfile(f); err != nil {
				return err
			}
			defer pprof.StopCPUProfile()
			profile = ""
		}
		if strings.TrimSpace(line) == "use" { // CPU seconds, peak resident MB, fsyncs, published
			var ru syscall.Rusage
			if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
				return err
			}
			c := g.Counters()
			fmt.Printf("%f %f %d %d\n", float64(ru.Utime.Nano()+ru.Stime.Nano())/1e9, resident(), c["spool_fsyncs_total"], c["published_total"])
		}
	}
	cancel()
	return <-done
}

// resident returns the peak of this process's memory in MB. (Rusage's would be
// that of the process it was forked from, if that was larger.)
func resident() float64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return -1
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	var kb float64
	fmt.Sscan(rest, &kb)
	return kb / 1024
}

// process is the child as its parent sees it.
type process struct {
	addr string
	ask  func() (cpu, rss float64, fsyncs, published int64)
}

func spawn(b *testing.B, brokers string) *process {
	b.Helper()
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"="+brokers)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			b.Errorf("gateway process: %v", err)
		}
	})
	r := bufio.NewReader(out)
	line, err := r.ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return &process{addr: strings.TrimSpace(line), ask: func() (cpu, rss float64, fsyncs, published int64) {
		fmt.Fprintln(in, "use")
		line, err := r.ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		if _, err := fmt.Sscan(line, &cpu, &rss, &fsyncs, &published); err != nil {
			b.Fatal(err)
		}
		return
	}}
}

// publisher is one device: QoS 1, a window of messages in flight.
type publisher struct {
	nc     net.Conn
	r      *bufio.Reader
	packet []byte // a whole PUBLISH
	id     int    // where its packet id is,
	seq    int    // its seq: four bytes of varint,
	ts     int    // and its ts
	n      uint64
}

func text(b []byte, s string) []byte { return append(append(b, byte(len(s)>>8), byte(len(s))), s...) }

func dial(b testing.TB, addr, device, topic string, payload []byte) *publisher {
	b.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	v := append(text(nil, "MQTT"), 4, 2|0x80|0x40, 0, 60)
	v = text(text(text(v, device), device), password)
	if _, err := nc.Write(append([]byte{0x10, byte(len(v))}, v...)); err != nil {
		b.Fatal(err)
	}
	p := &publisher{nc: nc, r: bufio.NewReaderSize(nc, 4<<10), n: 1 << 21}
	ack := make([]byte, 4)
	if _, err := io.ReadFull(p.r, ack); err != nil || ack[3] != 0 {
		b.Fatal("CONNACK ", ack, err)
	}
	body := text(nil, topic)
	p.packet = binary.AppendUvarint([]byte{0x32}, uint64(len(body)+2+len(payload)))
	p.packet = append(p.packet, body...)
	p.id = len(p.packet)
	p.packet = append(append(p.packet, 0, 0), payload...)
	return p
}

// next returns the next message, whose seq and ts were set.
func (p *publisher) next(now time.Time) []byte {
	p.n++
	id := uint16(p.n%65535) + 1
	binary.BigEndian.PutUint16(p.packet[p.id:], id)
	if p.seq > 0 {
		v := p.n
		for i := range 3 {
			p.packet[p.seq+i] = byte(v)&0x7f | 0x80
			v >>= 7
		}
		p.packet[p.seq+3] = byte(v)
		binary.LittleEndian.PutUint64(p.packet[p.ts:], uint64(now.UnixMicro()*1000))
	}
	return p.packet
}

// proto is a device that sends one second of 100 readings in protobuf.
func proto(b testing.TB, addr string, i int) *publisher {
	device := fmt.Sprintf("RIG-%02d", i)
	payload := frame(device, "b", 1<<21, time.Unix(0, 0x0102030405060708), 100)
	p := dial(b, addr, device, telemetry.MQTTProtoTopic(device), payload)
	at := p.id + 2
	// device, boot, seq (field 4, four bytes), ts (field 6, fixed64)
	p.seq = at + 2 + len(device) + 2 + 1 + 1
	p.ts = p.seq + 4 + 1
	return p
}

// jsonDevice sends the same in JSON; the frames are alike, and numbered alike.
func jsonDevice(b testing.TB, addr string, i int) *publisher {
	device := fmt.Sprintf("RIG-%02d", i)
	channels := map[string]any{}
	var d telemetry.Decoder
	var f telemetry.Frame
	if err := d.Decode(frame(device, "b", 1<<21, time.Now(), 100), &f); err != nil {
		b.Fatal(err)
	}
	for _, r := range f.Runs {
		channels[r.Channel] = map[string]any{"every_ms": max(r.Every/1e6, 1), "values": r.Values}
	}
	payload, err := json.Marshal(map[string]any{"boot": "b", "seq": 1, "ts": time.Now().UnixMilli(), "channels": channels})
	if err != nil {
		b.Fatal(err)
	}
	return dial(b, addr, device, telemetry.MQTTTopic(device), payload)
}

// flood sends n messages with window in flight and waits for their acknowledgements.
func (p *publisher) flood(n, window int) error {
	errs := make(chan error, 1)
	free := make(chan struct{}, window)
	go func() {
		b := make([]byte, 4)
		for range n {
			if _, err := io.ReadFull(p.r, b); err != nil {
				errs <- err
				return
			}
			<-free
		}
		errs <- nil
	}()
	w := bufio.NewWriterSize(p.nc, 32<<10)
	for range n {
		select {
		case free <- struct{}{}:
		default:
			if err := w.Flush(); err != nil {
				return err
			}
			free <- struct{}{}
		}
		if _, err := w.Write(p.next(time.Now())); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return <-errs
}

func broker(b *testing.B) string {
	k := kafka(b, kfake.DataDir(b.TempDir()), kfake.BrokerConfigs(map[string]string{"log.retention.bytes": "67108864"}))
	return k.ListenAddrs()[0]
}

func benchFlood(b *testing.B, device func(testing.TB, string, int) *publisher) {
	const conns = 50
	p := spawn(b, broker(b))
	var ps []*publisher
	for i := range conns {
		ps = append(ps, device(b, p.addr, i))
	}
	n := max(b.N/conns, 1)
	cpu0, _, sync0, pub0 := p.ask()
	b.ResetTimer()
	start := time.Now()
	var wg sync.WaitGroup
	for _, c := range ps {
		wg.Go(func() {
			if err := c.flood(n, 100); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	took := time.Since(start).Seconds()
	var cpu, rss float64
	var fsyncs, pub int64
	await(b, "all published", func() bool { cpu, rss, fsyncs, pub = p.ask(); return pub-pub0 >= int64(n*conns) })
	b.StopTimer()
	total := float64(n * conns)
	b.ReportMetric(total/took, "messages/s")
	b.ReportMetric((cpu-cpu0)/total*1e6, "CPU-s/million")
	b.ReportMetric(rss, "MB-peak")
	b.ReportMetric(total/float64(fsyncs-sync0), "messages/fsync")
	b.ReportMetric(0, "ns/op")
}

// 50 connections in flood, QoS 1, protobuf frames of 100 readings, spooled with
// fsync, produced to Kafka's protocol. The budget is 10 CPU-s per million.
func BenchmarkFloodProtobuf(b *testing.B) { benchFlood(b, proto) }

// The same frames in JSON.
func BenchmarkFloodJSON(b *testing.B) { benchFlood(b, jsonDevice) }

// 10,000 connections of one message a second, for ten seconds. The budget is 25
// CPU-s per million and 400 MB. MUDPULSE_BENCH_CONNS changes how many.
func BenchmarkConnections(b *testing.B) {
	conns := 10000
	if s := os.Getenv("MUDPULSE_BENCH_CONNS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			b.Fatal(err)
		}
		conns = n
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < uint64(conns+200) {
		b.Fatalf("needs %d files open at once, may have %d: ulimit -n %d", conns+200, limit.Cur, conns+200)
	}
	const seconds = 10
	p := spawn(b, broker(b))
	ps := make([]*publisher, conns)
	for i := range ps {
		ps[i] = proto(b, p.addr, i)
	}
	cpu0, idle, _, pub0 := p.ask()
	b.ResetTimer()
	// Eight goroutines send, each its share, evenly over the second; as many read.
	workers := 4 * runtime.NumCPU()
	var wg sync.WaitGroup
	start := time.Now()
	for w := range workers {
		mine := ps[w*conns/workers : (w+1)*conns/workers]
		wg.Go(func() {
			ack := make([]byte, 4)
			for s := range seconds {
				for i, c := range mine {
					due := start.Add(time.Duration(s)*time.Second + time.Duration(i)*time.Second/time.Duration(len(mine)))
					if d := time.Until(due); d > time.Millisecond {
						time.Sleep(d)
					}
					if s > 0 {
						if _, err := io.ReadFull(c.r, ack); err != nil {
							b.Error(err)
							return
						}
					}
					if _, err := c.nc.Write(c.next(time.Now())); err != nil {
						b.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	var cpu, rss float64
	var pub int64
	total := int64(conns * seconds)
	await(b, "all published", func() bool { cpu, rss, _, pub = p.ask(); return pub-pub0 >= total })
	b.StopTimer()
	b.ReportMetric(float64(total)/time.Since(start).Seconds(), "messages/s")
	b.ReportMetric((cpu-cpu0)/float64(total)*1e6, "CPU-s/million")
	b.ReportMetric(idle, "MB-connected")
	b.ReportMetric(rss, "MB-peak")
	b.ReportMetric(0, "ns/op")
}

// 2,000 frames a second from 100 devices for ten seconds: from PUBLISH to the
// log's having committed the record, as a consumer sees it. Latency is counted
// from when a frame was due, not from when it could be sent.
func BenchmarkLatency(b *testing.B) {
	const conns, rate, seconds = 100, 2000, 10
	brokers := broker(b)
	p := spawn(b, brokers)
	ps := make([]*publisher, conns)
	for i := range ps {
		ps[i] = proto(b, p.addr, i)
		go io.Copy(io.Discard, ps[i].r) // ends with the connection
		b.Cleanup(func() { ps[i].nc.Close() })
	}
	c := consume(b, []string{brokers}, topics.Frames)
	var took []time.Duration
	var reading sync.WaitGroup
	reading.Go(func() {
		var d telemetry.Decoder
		var f telemetry.Frame
		c.until(func(r *kgo.Record) bool {
			now := time.Now()
			if err := d.Decode(r.Value, &f); err != nil {
				b.Error(err)
				return true
			}
			took = append(took, now.Sub(time.Unix(0, f.TS)))
			return len(took) >= rate*seconds
		})
	})
	b.ResetTimer()
	start := time.Now()
	for n := range rate * seconds {
		due := start.Add(time.Duration(n) * time.Second / rate)
		if d := time.Until(due); d > 200*time.Microsecond {
			time.Sleep(d)
		}
		c := ps[n%conns]
		if _, err := c.nc.Write(c.next(due)); err != nil {
			b.Fatal(err)
		}
	}
	reading.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1e3, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1e3, "p99-ms")
	b.ReportMetric(0, "ns/op")
}

// 100 devices of one frame a second, for ten seconds: what a gateway of a site
// takes. The budget is 40 MB.
func BenchmarkHundredDevices(b *testing.B) {
	b.Setenv("MUDPULSE_BENCH_CONNS", "100")
	BenchmarkConnections(b)
}
