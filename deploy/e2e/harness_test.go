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
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
)

// A platform is a running `mudpulse run` and how to talk to it.
type platform struct {
	*harness.Proc
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
	p := &platform{Proc: harness.Start(t, env, harness.Bin(t, "mudpulse"), all...), t: t, dir: dir}
	p.await()
	if p.Ended() && len(env) == 0 {
		t.Fatalf("mudpulse run ended: %v", p.Err)
	}
	return p
}

// await waits for addresses and readiness; a process that was killed meanwhile is left to the caller.
func (p *platform) await() {
	p.t.Helper()
	harness.Wait(p.t, 60*time.Second, "addresses", func() bool {
		if p.Ended() {
			return true
		}
		b, err := os.ReadFile(filepath.Join(p.dir, "addresses.json"))
		return err == nil && json.Unmarshal(b, &p.addresses) == nil
	})
	if p.Ended() {
		return
	}
	if p.addresses["http"] == "" {
		return
	}
	if b, err := os.ReadFile(filepath.Join(p.dir, "admin-token")); err == nil { // a gateway has none
		p.token = strings.TrimSpace(string(b))
	}
	harness.Wait(p.t, 60*time.Second, "ready", func() bool {
		if p.Ended() {
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
	cmd := exec.Command(harness.Bin(p.t, "mudpulse"), append(args, "--data", p.dir)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		p.t.Fatalf("mudpulse %s: %v\n%s%s", strings.Join(args, " "), err, &out, &errs)
	}
	return out.String()
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
