//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
)

// The rows of test_FD001.txt.
const cmapssRows = 13096

// cmapss is the C-MAPSS set FD001, the model trained on it, and what JPMML says of every test row.
type cmapss struct {
	dir   string
	test  string
	model string
	want  map[string]map[int]float64 // drill → cycle → RUL
}

var prepared struct {
	once sync.Once
	c    *cmapss
	err  error
}

// prepare trains the model and asks the oracle, once.
func prepare(t *testing.T) *cmapss {
	t.Helper()
	data := os.Getenv("E2E_DATA")
	if data == "" {
		t.Fatal("E2E_DATA names no folder: run this through make e2e, which leaves the test out where the data are not there")
	}
	prepared.once.Do(func() { prepared.c, prepared.err = train(data) })
	if prepared.err != nil {
		t.Fatal(prepared.err)
	}
	return prepared.c
}

func train(data string) (*cmapss, error) {
	dir, err := os.MkdirTemp("", "cmapss")
	if err != nil {
		return nil, err
	}
	c := &cmapss{dir: dir, test: filepath.Join(data, "cmapss_fd001", "test_FD001.txt"), model: filepath.Join(dir, "cmapss_rul.pmml"), want: map[string]map[int]float64{}}
	python := os.Getenv("E2E_PYTHON")
	cmd := exec.Command(python, filepath.Join("..", "..", "simulators", "train", "cmapss_rul.py"), filepath.Join(data, "cmapss_fd001", "train_FD001.txt"), c.model)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("train: %w\n%s", err, out)
	}
	return c, c.ask()
}

// ask has JPMML score every row of the test file.
func (c *cmapss) ask() error {
	f, err := os.Open(c.test)
	if err != nil {
		return err
	}
	defer f.Close()
	var rows bytes.Buffer
	model, err := filepath.Abs(c.model)
	if err != nil {
		return err
	}
	fmt.Fprintf(&rows, "M %s\n", model)
	type id struct {
		drill string
		cycle int
	}
	var ids []id
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		cells := strings.Fields(lines.Text())
		if len(cells) < 26 {
			continue
		}
		unit, err := strconv.Atoi(cells[0])
		if err != nil {
			continue // the header
		}
		cycle, err := strconv.Atoi(cells[1])
		if err != nil {
			return err
		}
		ids = append(ids, id{fmt.Sprintf("FD001-%03d", unit), cycle})
		row := map[string]json.Number{}
		for i, v := range cells[5:26] {
			row[fmt.Sprintf("s%d", i+1)] = json.Number(v)
		}
		if err := json.NewEncoder(&rows).Encode(row); err != nil {
			return err
		}
	}
	cmd := exec.Command("java", "-cp", os.Getenv("E2E_ORACLE"), "Oracle")
	cmd.Stdin = &rows
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("oracle: %w", err)
	}
	answers := strings.Split(strings.TrimSpace(string(out)), "\n")[1:] // the first answers the M line
	if len(answers) != len(ids) || len(ids) != cmapssRows {
		return fmt.Errorf("oracle: %d answers for %d rows, want %d", len(answers), len(ids), cmapssRows)
	}
	for i, line := range answers {
		var a struct {
			Targets map[string]struct{ Value *float64 } `json:"_targets"`
		}
		if err := json.Unmarshal([]byte(line), &a); err != nil || len(a.Targets) != 1 {
			return fmt.Errorf("oracle: answer %d: %s", i+1, line)
		}
		var v float64
		for _, t := range a.Targets {
			if t.Value == nil {
				return fmt.Errorf("oracle: answer %d: %s", i+1, line)
			}
			v = *t.Value
		}
		if c.want[ids[i].drill] == nil {
			c.want[ids[i].drill] = map[int]float64{}
		}
		c.want[ids[i].drill][ids[i].cycle] = v
	}
	return nil
}

// setUp registers the 21 channels, adds 100 devices and pushes the model, as an
// administrator would; it returns the file of credentials.
func (c *cmapss) setUp(p *platform) string {
	p.t.Helper()
	for i := range 21 {
		p.post("/api/v1/channels", map[string]any{"tag": fmt.Sprintf("s%d", i+1), "unit": "1", "what": fmt.Sprintf("C-MAPSS sensor %d", i+1)})
	}
	path := filepath.Join(p.t.TempDir(), "devices.jsonl")
	f, err := os.Create(path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	for drill := range c.want {
		if _, err := f.WriteString(p.cli("device", "add", drill, "--json")); err != nil {
			p.t.Fatal(err)
		}
	}
	if out := p.cli("model", "push", c.model, "--activate"); !strings.Contains(out, "cmapss_rul version 1") || !strings.Contains(out, "20 rows of its own verification") {
		p.t.Errorf("model push says:\n%s", out)
	}
	return path
}

func (p *platform) post(path string, in any) {
	p.t.Helper()
	b, err := json.Marshal(in)
	if err != nil {
		p.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, "http://"+p.addresses["http"]+path, bytes.NewReader(b))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		var out bytes.Buffer
		_, _ = out.ReadFrom(res.Body)
		p.t.Fatalf("POST %s: %s %s", path, res.Status, &out)
	}
}

// compare reads every score back and holds it against JPMML's.
func (c *cmapss) compare(p *platform) {
	p.t.Helper()
	rows, worst := 0, 0.0
	for drill, cycles := range c.want {
		var body struct {
			Series []struct {
				Resolution  string
				T, Min, Max []float64
				N           []int64
			}
		}
		if err := p.get("/api/v1/drills/"+drill+"/series?channels=cmapss_rul.rul&from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z&points=5000", &body); err != nil {
			p.t.Fatal(err)
		}
		s := body.Series[0]
		if len(s.T) != len(cycles) {
			p.t.Errorf("%s: %d scores (%s), want %d", drill, len(s.T), s.Resolution, len(cycles))
			continue
		}
		for i, at := range s.T {
			cycle := int(math.Round((at/1000 - 1767225600) / 3600)) // hours since 2026-01-01
			want, ok := cycles[cycle]
			if !ok || s.Min[i] != s.Max[i] {
				p.t.Errorf("%s: a score at cycle %d that nobody sent, or two in one", drill, cycle)
				continue
			}
			rows++
			d := math.Abs(s.Min[i]-want) / math.Abs(want)
			worst = max(worst, d)
			if d > 1e-9 {
				p.t.Errorf("%s cycle %d: %v, JPMML says %v", drill, cycle, s.Min[i], want)
			}
		}
	}
	p.t.Logf("%d scores equal JPMML-Evaluator's; largest relative difference %g", rows, worst)
	if rows != cmapssRows {
		p.t.Errorf("%d rows, want %d", rows, cmapssRows)
	}
}

func (c *cmapss) replay(t *testing.T, mqtt, devices, state string) *harness.Proc {
	t.Helper()
	return harness.Start(t, nil, harness.Bin(t, "drillsim"), "replay", c.test, "--broker", "tcp://"+mqtt, "--devices", devices, "--state", state)
}

// A real model on real data, judged from outside.
func TestCMAPSSIsScoredAsJPMMLScoresIt(t *testing.T) {
	c := prepare(t)
	p := run(t, t.TempDir(), nil)
	devices := c.setUp(p)
	began := time.Now()
	sim := c.replay(t, p.addresses["mqtt"], devices, filepath.Join(t.TempDir(), "state"))
	sim.Await(5 * time.Minute)
	harness.Wait(t, 3*time.Minute, "every row at every stage", func() bool { return p.totals().all(cmapssRows) })
	t.Logf("13,096 rows through the whole platform in %v; ledger %+v", time.Since(began).Round(time.Millisecond), p.totals())
	c.compare(p)
	p.Stop()
}

// crashPoints are the places at which the process is killed, NAME:N at its Nth pass.
var crashPoints = []string{
	"spool-write:30", "spool-sync:30", "spool-synced:20", "mqtt-ack:150", "produce-send:5", "produce-ack:15",
	"frame:200", "produced:10", "acked:1", "blob:2", "manifest:1",
	"writer-batch:4", "store-appended:4", "store-committed:4", "writer-committed:4",
}

// kill -9 wherever something is written or acknowledged, then start again: the same rows.
func TestCMAPSSSurvivesKillsAtEveryCrashPoint(t *testing.T) {
	c := prepare(t)
	dir := t.TempDir()
	// The broker's address must outlive the process.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mqtt := l.Addr().String()
	l.Close()
	first := run(t, dir, nil, "--mqtt", mqtt)
	devices := c.setUp(first)
	first.Kill()
	sim := harness.Start(t, nil, harness.Bin(t, "drillsim"), "replay", c.test, "--broker", "tcp://"+mqtt, "--devices", devices, "--state", filepath.Join(t.TempDir(), "state"), "--rate", "180")
	for _, point := range crashPoints {
		p := run(t, dir, []string{"MUDPULSE_CRASH=" + point}, "--mqtt", mqtt)
		if !p.Died(40 * time.Second) {
			if sim.Ended() {
				t.Fatalf("the replay ended before %s was hit", point)
			}
			t.Fatalf("crash point %s was never hit", point)
		}
		t.Logf("killed at %s", point)
	}
	p := run(t, dir, nil, "--mqtt", mqtt)
	sim.Await(5 * time.Minute)
	harness.Wait(t, 3*time.Minute, "every row at every stage", func() bool { return p.totals().all(cmapssRows) })
	c.compare(p)
	t.Logf("killed %d times; ledger %+v", len(crashPoints), p.totals())
	p.Stop()
}
