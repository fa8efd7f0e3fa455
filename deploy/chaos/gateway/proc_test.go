//go:build e2e

package gateway_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/gateway/credential"
	"github.com/mudpulse/mudpulse/telemetry"
)

// repo returns a path of the repository.
func repo(t *testing.T, elem ...string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(append([]string{"..", "..", ".."}, elem...)...))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A proc is a running program.
type proc struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

func start(t *testing.T, env []string, argv ...string) *proc {
	t.Helper()
	p := &proc{t: t, name: filepath.Base(argv[0]), cmd: exec.Command(argv[0], argv[1:]...), done: make(chan struct{})}
	f, err := os.CreateTemp(t.TempDir(), p.name+"-*.log")
	if err != nil {
		t.Fatal(err)
	}
	p.log = f.Name()
	p.cmd.Stdout, p.cmd.Stderr = f, f
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("%s: %v", argv[0], err)
	}
	go func() { _ = p.cmd.Wait(); f.Close(); close(p.done) }()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			b, _ := os.ReadFile(p.log)
			t.Logf("--- %s, last of its output:\n%s", p.name, b[max(0, len(b)-2500):])
		}
	})
	return p
}

// kill is kill -9.
func (p *proc) kill() { _ = p.cmd.Process.Kill(); <-p.done }

// stop asks it to end and waits.
func (p *proc) stop() {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(60 * time.Second):
		p.t.Errorf("%s does not stop", p.name)
		p.kill()
	}
}

// died waits for it to be killed at its crash point.
func (p *proc) died(within time.Duration) bool {
	select {
	case <-p.done:
		ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
		return ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL
	case <-time.After(within):
		return false
	}
}

// freePort returns a port that nobody has at present.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// freePorts returns the first of n ports in a row that nobody has at present.
func freePorts(t *testing.T, n int) string {
	t.Helper()
search:
	for range 100 {
		first := freePort(t)
		for i := 1; i < n; i++ {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+i))
			if err != nil {
				continue search
			}
			l.Close()
		}
		return fmt.Sprint(first)
	}
	t.Fatalf("no %d ports in a row are free", n)
	return ""
}

func wait(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(end) {
			t.Fatalf("waited %v for: %s", limit, what)
		}
		<-tick.C
	}
}

// A gateway is the program under test, started again and again on one directory.
type gateway struct {
	t     *testing.T
	dir   string
	port  int
	args  []string
	under []string // a command to start it by
	*proc
}

const secret = "a-password-for-chaos"

// newGateway prepares a directory in which the devices are known already, as
// they are to a gateway that has seen Kafka once.
func newGateway(t *testing.T, l *log, devices int, args ...string) *gateway {
	t.Helper()
	g := &gateway{t: t, dir: t.TempDir(), port: freePort(t)}
	hash := credential.Hash(secret)
	known := map[string]telemetry.Device{}
	for i := range devices {
		id := fmt.Sprintf("RIG-%02d", i)
		known[id] = telemetry.Device{ID: id, Drill: id, Password: hash}
	}
	b, err := json.Marshal(known)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(g.dir, "gateway"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(g.dir, "gateway", "devices.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	g.args = append([]string{
		repo(t, "bin", "gateway"), "--brokers", strings.Join(l.brokers, ","), "--prefix", l.prefix, "--data", g.dir,
		"--mqtt", g.addr(), "--http", "127.0.0.1:0", "--drain", "2s", "--device-rate", "0",
	}, args...)
	return g
}

func (g *gateway) addr() string { return fmt.Sprintf("127.0.0.1:%d", g.port) }

func (g *gateway) start(crash string) {
	g.t.Helper()
	_ = os.Remove(filepath.Join(g.dir, "addresses.json"))
	var env []string
	if crash != "" {
		env = append(env, "MUDPULSE_CRASH="+crash)
	}
	g.proc = start(g.t, env, append(append([]string{}, g.under...), g.args...)...)
}

// metric returns one of the gateway's counters; -1 while it cannot be asked.
func (g *gateway) metric(name string) int64 {
	b, err := os.ReadFile(filepath.Join(g.dir, "addresses.json"))
	if err != nil {
		return -1
	}
	var a struct{ HTTP string }
	if json.Unmarshal(b, &a) != nil {
		return -1
	}
	res, err := http.Get("http://" + a.HTTP + "/metrics")
	if err != nil {
		return -1
	}
	defer res.Body.Close()
	var value float64 = -1
	buf := make([]byte, 1<<20)
	n := 0
	for n < len(buf) {
		k, err := res.Body.Read(buf[n:])
		n += k
		if err != nil {
			break
		}
	}
	for _, line := range strings.Split(string(buf[:n]), "\n") {
		if rest, ok := strings.CutPrefix(line, "gateway_"+name+" "); ok {
			fmt.Sscan(rest, &value)
		}
	}
	return int64(value)
}
