//go:build e2e

package gateway_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
	"github.com/mudpulse/mudpulse/gateway/credential"
	"github.com/mudpulse/mudpulse/telemetry"
)

// A gateway is the program under test, started again and again on one directory.
type gateway struct {
	t     *testing.T
	dir   string
	port  int
	args  []string
	under []string // a command to start it by
	*harness.Proc
}

const secret = "a-password-for-chaos"

// newGateway prepares a directory in which the devices are known already, as
// they are to a gateway that has seen Kafka once.
func newGateway(t *testing.T, l *log, devices int, args ...string) *gateway {
	t.Helper()
	g := &gateway{t: t, dir: t.TempDir(), port: harness.FreePort(t, 1)}
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
		harness.Repo(t, "bin", "gateway"), "--brokers", strings.Join(l.brokers, ","), "--prefix", l.prefix, "--data", g.dir,
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
	argv := append(slices.Clone(g.under), g.args...)
	g.Proc = harness.Start(g.t, env, argv[0], argv[1:]...)
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
