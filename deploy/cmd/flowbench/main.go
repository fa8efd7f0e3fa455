// Command flowbench measures the whole flow in one process: devices publish over
// MQTT in flood, every frame is scored by the 1 Hz default models and stored
// while pages look on; then at one frame a second for each drill, for the time
// from published to drawn. It starts `mudpulse run` itself and prints CPU by
// stage from the process's own profile, beside DESIGN §12.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mudpulse/mudpulse/services/client"
)

type options struct {
	bin, models, keep string
	drills, pages     int
	window            int
	flood, calm       time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "bin/mudpulse", "the binary")
	flag.StringVar(&o.models, "models", "simulators/models/washout.pmml,simulators/models/expected_spp.pmml,simulators/models/stick_slip.pmml", "models that score every second, with commas")
	flag.StringVar(&o.keep, "profile", "", "keep the process's CPU profile here")
	flag.IntVar(&o.drills, "drills", 300, "drills, one connection each")
	flag.IntVar(&o.pages, "pages", 20, "open pages")
	flag.IntVar(&o.window, "window", 64, "messages in flight for each connection")
	flag.DurationVar(&o.flood, "flood", 20*time.Second, "how long devices publish as fast as they are acknowledged")
	flag.DurationVar(&o.calm, "calm", 20*time.Second, "how long they publish once a second")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "flowbench:", err)
		os.Exit(1)
	}
}

// A bench is the running platform and the load on it.
type bench struct {
	o       options
	cmd     *exec.Cmd
	dir     string
	addr    map[string]string
	token   string
	api     *client.Client
	devices []*publisher
	pages   []*watcher
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "flowbench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b := &bench{o: o, dir: dir}
	if err := b.start(); err != nil {
		return err
	}
	defer b.cmd.Process.Kill()
	if err := b.prepare(ctx); err != nil {
		return err
	}
	frames, readings, took, err := b.flood()
	if err != nil {
		return err
	}
	settled, err := b.settle(ctx, frames)
	if err != nil {
		return err
	}
	fmt.Printf("flood: %d drills, %d pages: %.0f frames/s, %.0f readings/s accepted for %v; all scored, stored and readable %.1f s later; %.0f readings/s end to end\n",
		o.drills, o.pages, float64(frames)/took.Seconds(), float64(readings)/took.Seconds(), took.Round(time.Millisecond), settled.Seconds(), float64(readings)/(took+settled).Seconds())
	if err := b.calm(); err != nil {
		return err
	}
	p50, p99, n := quantiles(b.pages)
	fmt.Printf("calm: %d drills at 1 Hz: frame published → WebSocket p50 %v, p99 %v over %d messages (budget 50 ms, 250 ms to the drawing)\n", o.drills, p50.Round(time.Millisecond), p99.Round(time.Millisecond), n)
	cancel()
	return b.stop(float64(frames))
}

func (b *bench) start() error {
	data := filepath.Join(b.dir, "data")
	b.cmd = exec.Command(b.o.bin, "run", "--demo=false", "--data", data, "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--kafka", "127.0.0.1:0", "--sql", "127.0.0.1:0",
		"--log-level", "warn", "--profile", filepath.Join(b.dir, "cpu.prof"))
	b.cmd.Stderr = os.Stderr
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := b.cmd.Start(); err != nil {
		return fmt.Errorf("%w: make build first", err)
	}
	return poll(60*time.Second, "mudpulse run to listen", func() bool {
		raw, err := os.ReadFile(filepath.Join(data, "addresses.json"))
		if err != nil || json.Unmarshal(raw, &b.addr) != nil {
			return false
		}
		token, err := os.ReadFile(filepath.Join(data, "admin-token"))
		b.token = strings.TrimSpace(string(token))
		b.api = client.New(b.addr["http"], b.token)
		return err == nil && b.api.Do(context.Background(), "GET", "/drills", "", nil, nil) == nil
	})
}

// prepare uploads the models, adds the devices, connects them, and opens the pages.
func (b *bench) prepare(ctx context.Context) error {
	for _, path := range strings.Split(b.o.models, ",") {
		if path == "" {
			continue
		}
		cmd := exec.Command(b.o.bin, "model", "push", path, "--activate", "--data", filepath.Join(b.dir, "data"))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("push %s: %w\n%s", path, err, out)
		}
	}
	for i := range b.o.drills {
		drill := fmt.Sprintf("RIG-%03d", i)
		body, err := json.Marshal(map[string]string{"drill": drill})
		if err != nil {
			return err
		}
		var d device
		if err := b.api.Do(ctx, "POST", "/devices", "application/json", bytes.NewReader(body), &d); err != nil {
			return err
		}
		var p *publisher
		if err := poll(20*time.Second, "the gateway to know "+d.Username, func() bool {
			p, err = connect(b.addr["mqtt"], drill, d, b.o.window)
			return err == nil
		}); err != nil {
			return err
		}
		b.devices = append(b.devices, p)
	}
	for i := range b.o.pages {
		w := &watcher{}
		b.pages = append(b.pages, w)
		go func() {
			if err := w.run(ctx, b.addr["http"], b.token, fmt.Sprintf("RIG-%03d", i%b.o.drills)); err != nil {
				fmt.Fprintln(os.Stderr, "flowbench: page:", err)
			}
		}()
	}
	return nil
}

// flood publishes as fast as frames are acknowledged.
func (b *bench) flood() (frames, readings int64, took time.Duration, err error) {
	var total, sum atomic.Int64
	errs := make(chan error, len(b.devices))
	var wg sync.WaitGroup
	from := time.Now()
	for _, p := range b.devices {
		wg.Go(func() {
			for time.Since(from) < b.o.flood {
				n, err := p.send(p.next(time.Now()))
				if err != nil {
					errs <- err
					return
				}
				total.Add(1)
				sum.Add(int64(n))
			}
			errs <- p.w.Flush()
		})
	}
	wg.Wait()
	for range b.devices {
		if e := <-errs; e != nil {
			err = e
		}
	}
	return total.Load(), sum.Load(), time.Since(from), err
}

// settle waits until every frame is at every stage of the ledger.
func (b *bench) settle(ctx context.Context, frames int64) (time.Duration, error) {
	from := time.Now()
	var l struct {
		Totals struct{ Sent, Accepted, Stored, Scored, Readable int64 }
	}
	asked := time.Time{}
	err := poll(5*time.Minute, "every frame at every stage", func() bool {
		if time.Since(asked) < time.Second {
			return false
		}
		asked = time.Now()
		if err := b.api.Do(ctx, "GET", "/ledger?show=totals", "", nil, &l); err != nil {
			return false
		}
		t := l.Totals
		return t.Sent == frames && t.Accepted == frames && t.Stored == frames && t.Scored == frames && t.Readable == frames
	})
	if err != nil {
		return 0, fmt.Errorf("%w: %d published, the ledger says %+v", err, frames, l.Totals)
	}
	return time.Since(from), nil
}

// calm publishes one frame a second for each drill, spread over the second.
func (b *bench) calm() error {
	for _, w := range b.pages {
		w.mu.Lock()
		w.taking = true
		w.mu.Unlock()
	}
	from := time.Now()
	step := time.Second / time.Duration(len(b.devices))
	for i := 0; time.Since(from) < b.o.calm; i++ {
		time.Sleep(time.Until(from.Add(time.Duration(i) * step)))
		p := b.devices[i%len(b.devices)]
		if _, err := p.send(time.Now()); err != nil {
			return err
		}
		if err := p.w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// stop ends the process and prints what it used.
func (b *bench) stop(frames float64) error {
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := b.cmd.Wait(); err != nil {
		return fmt.Errorf("mudpulse run: %w", err)
	}
	use, ok := b.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return fmt.Errorf("no resource usage of the process")
	}
	cpu := time.Duration(use.Utime.Nano() + use.Stime.Nano())
	fmt.Printf("process: %.1f CPU-s in all, %.1f CPU-µs a frame of the flood, peak RSS %d MB\n", cpu.Seconds(), cpu.Seconds()/frames*1e6, use.Maxrss/1024)
	if b.o.keep != "" {
		if err := os.Rename(filepath.Join(b.dir, "cpu.prof"), b.o.keep); err != nil {
			return fmt.Errorf("keep the profile: %w", err)
		}
	} else {
		b.o.keep = filepath.Join(b.dir, "cpu.prof")
	}
	seconds, err := byStage(b.o.keep)
	if err != nil {
		return err
	}
	printStages(os.Stdout, seconds, frames)
	return nil
}

// poll asks until ok, or says what it waited for.
func poll(limit time.Duration, what string, ok func() bool) error {
	for end := time.Now().Add(limit); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("waited %v for %s", limit, what)
		}
	}
	return nil
}
