//go:build e2e

// Package e2e starts the real binaries, sends them what devices send, kills
// them, and compares what they say with what an outsider knows. Run by
// `make e2e`, which builds the binaries and fetches the tools.
package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// bin returns the path of a binary that make built.
func bin(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not built: run make build", path)
	}
	return path
}

// A proc is a running binary.
type proc struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	log  string // path of its output
	done chan struct{}
	err  error
}

// start runs a binary until the test ends or somebody stops it.
func start(t *testing.T, env []string, name string, args ...string) *proc {
	t.Helper()
	p := &proc{t: t, name: name, cmd: exec.Command(bin(t, name), args...), done: make(chan struct{})}
	f, err := os.CreateTemp(t.TempDir(), name+"-*.log")
	if err != nil {
		t.Fatal(err)
	}
	p.log = f.Name()
	p.cmd.Stdout, p.cmd.Stderr = f, f
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.err = p.cmd.Wait(); f.Close(); close(p.done) }()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			b, _ := os.ReadFile(p.log)
			t.Logf("--- %s, last of its output:\n%s", name, b[max(0, len(b)-4000):])
		}
	})
	return p
}

// kill is kill -9.
func (p *proc) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop asks it to end and waits.
func (p *proc) stop() {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		if p.err != nil {
			p.t.Errorf("%s ended with %v", p.name, p.err)
		}
	case <-time.After(60 * time.Second):
		p.t.Errorf("%s does not stop", p.name)
		p.kill()
	}
}

// died waits for it to end by itself, as at a crash point, and says whether it was killed.
func (p *proc) died(within time.Duration) bool {
	select {
	case <-p.done:
		ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
		return ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL
	case <-time.After(within):
		return false
	}
}

func (p *proc) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// A platform is a running `mudpulse run` and how to talk to it.
type platform struct {
	*proc
	t         *testing.T
	dir       string
	addresses map[string]string
	token     string
}

// run starts `mudpulse run` on dir and waits until it is ready.
func run(t *testing.T, dir string, env []string, args ...string) *platform {
	t.Helper()
	_ = os.Remove(filepath.Join(dir, "addresses.json"))
	all := append([]string{"run", "--data", dir, "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--kafka", "127.0.0.1:0", "--sql", "127.0.0.1:0", "--demo=false"}, args...)
	p := &platform{proc: start(t, env, "mudpulse", all...), t: t, dir: dir}
	p.await()
	if p.ended() && len(env) == 0 {
		t.Fatalf("mudpulse run ended: %v", p.err)
	}
	return p
}

// await waits for addresses and readiness; a process that was killed meanwhile is left to the caller.
func (p *platform) await() {
	p.t.Helper()
	wait(p.t, 60*time.Second, "addresses", func() bool {
		if p.ended() {
			return true
		}
		b, err := os.ReadFile(filepath.Join(p.dir, "addresses.json"))
		return err == nil && json.Unmarshal(b, &p.addresses) == nil
	})
	if p.ended() {
		return
	}
	if p.addresses["http"] == "" {
		return
	}
	if b, err := os.ReadFile(filepath.Join(p.dir, "admin-token")); err == nil { // a gateway has none
		p.token = strings.TrimSpace(string(b))
	}
	wait(p.t, 60*time.Second, "ready", func() bool {
		if p.ended() {
			return true
		}
		res, err := http.Get("http://" + p.addresses["http"] + "/readyz")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// get decodes what the API answers.
func (p *platform) get(path string, into any) error {
	req, err := http.NewRequest(http.MethodGet, "http://"+p.addresses["http"]+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s: %s", path, res.Status, b)
	}
	return json.Unmarshal(b, into)
}

// cli runs the command line against the platform and returns its output.
func (p *platform) cli(args ...string) string {
	p.t.Helper()
	cmd := exec.Command(bin(p.t, "mudpulse"), append(args, "--data", p.dir)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		p.t.Fatalf("mudpulse %s: %v\n%s%s", strings.Join(args, " "), err, &out, &errs)
	}
	return out.String()
}

// wait polls a condition; the machine is slow, the limit is for what hangs.
func wait(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(limit)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(end) {
			t.Fatalf("waited %v for: %s", limit, what)
		}
		<-tick.C
	}
}

// ledgerTotals is the sum over all devices, by stage.
type ledgerTotals struct{ Sent, Accepted, Stored, Scored, Readable int64 }

func (p *platform) totals() (l ledgerTotals) {
	var body struct{ Totals ledgerTotals }
	if err := p.get("/api/v1/ledger", &body); err != nil {
		p.t.Log(err)
	}
	return body.Totals
}

func (l ledgerTotals) all(n int64) bool {
	return l == ledgerTotals{n, n, n, n, n}
}
