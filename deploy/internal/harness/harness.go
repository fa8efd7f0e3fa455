// Package harness starts the real binaries for tests that break them: it keeps
// what they print, kills them, and waits for what must come.
package harness

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// Repo returns a path of the repository; the test runs somewhere below deploy.
func Repo(t testing.TB, elem ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return filepath.Join(append([]string{dir}, elem...)...)
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.work above this test: where is the repository?")
		}
		dir = up
	}
}

// Bin returns the path of a binary that make built.
func Bin(t testing.TB, name string) string {
	t.Helper()
	path := Repo(t, "bin", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not built: run make build", path)
	}
	return path
}

// A Proc is a running program.
type Proc struct {
	Name string
	Cmd  *exec.Cmd
	Log  string // path of its output
	Done chan struct{}
	Err  error // of its end, after Done

	t testing.TB
}

// Start runs a program until the test ends or somebody stops it. env is added
// to ours. It dies with the test's process; if the test fails, the end of its
// output is shown.
func Start(t testing.TB, env []string, path string, args ...string) *Proc {
	t.Helper()
	p := &Proc{t: t, Name: filepath.Base(path), Cmd: exec.Command(path, args...), Done: make(chan struct{})}
	f, err := os.CreateTemp(t.TempDir(), p.Name+"-*.log")
	if err != nil {
		t.Fatal(err)
	}
	p.Log = f.Name()
	p.Cmd.Stdout, p.Cmd.Stderr = f, f
	p.Cmd.Env = append(os.Environ(), env...)
	ended, err := Launch(p.Cmd)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	go func() { p.Err = <-ended; f.Close(); close(p.Done) }()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			b, _ := os.ReadFile(p.Log)
			t.Logf("--- %s, last of its output:\n%s", p.Name, b[max(0, len(b)-4000):])
		}
	})
	return p
}

// Launch starts a command that dies with this process, and sends what Wait says.
// The kernel kills it already when the thread that started it ends, and threads of
// a test do end: a store that it opens seals on one. So the thread stays as well.
func Launch(cmd *exec.Cmd) (ended <-chan error, err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, end := make(chan error), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			end <- cmd.Wait()
		}
	}()
	return end, <-started
}

// Kill is kill -9.
func (p *Proc) Kill() { _ = p.Cmd.Process.Kill(); <-p.Done }

// Stop asks it to end, and waits; it must end well.
func (p *Proc) Stop() {
	p.t.Helper()
	_ = p.Cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.Done:
		if p.Err != nil {
			p.t.Errorf("%s ended with %v", p.Name, p.Err)
		}
	case <-time.After(90 * time.Second):
		p.t.Errorf("%s does not stop", p.Name)
		p.Kill()
	}
}

// Await waits until it has ended by itself, and well.
func (p *Proc) Await(limit time.Duration) {
	p.t.Helper()
	select {
	case <-p.Done:
		if p.Err != nil {
			p.t.Fatalf("%s: %v", p.Name, p.Err)
		}
	case <-time.After(limit):
		p.t.Fatalf("%s goes on after %v", p.Name, limit)
	}
}

// Died waits for it to be killed, as at its crash point.
func (p *Proc) Died(within time.Duration) bool {
	select {
	case <-p.Done:
		ws, ok := p.Cmd.ProcessState.Sys().(syscall.WaitStatus)
		return ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL
	case <-time.After(within):
		return false
	}
}

// Ended reports whether it has ended.
func (p *Proc) Ended() bool {
	select {
	case <-p.Done:
		return true
	default:
		return false
	}
}

// Wait polls a condition; machines are slow, the limit is for what hangs.
func Wait(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited %v for: %s", limit, what)
		}
	}
}

// FreePort returns the first of n ports in a row that nobody has at present.
func FreePort(t testing.TB, n int) int {
	t.Helper()
search:
	for range 100 {
		first := 0
		for i := range n {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+i))
			if err != nil {
				continue search
			}
			defer l.Close() // held until all n are known to be free
			if i == 0 {
				first = l.Addr().(*net.TCPAddr).Port
			}
		}
		return first
	}
	t.Fatalf("no %d ports in a row are free", n)
	return 0
}

// Kafka runs deploy/tools/kafka.sh.
func Kafka(t testing.TB, env []string, args ...string) {
	t.Helper()
	cmd := exec.Command("bash", append([]string{Repo(t, "deploy", "tools", "kafka.sh")}, args...)...)
	cmd.Env = append(append(os.Environ(), "KAFKA_WAIT=120"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kafka.sh %v: %v\n%s", args, err, out)
	}
}
