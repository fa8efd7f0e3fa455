//go:build e2e

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
)

// blocks returns the commands of docs/train-a-model.md, section by section.
func blocks(t *testing.T) [][]string {
	t.Helper()
	b, err := os.ReadFile("../../docs/train-a-model.md")
	if err != nil {
		t.Fatal(err)
	}
	var out [][]string
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(b), -1) {
		out = append(out, strings.Split(strings.TrimSpace(m[1]), "\n"))
	}
	if len(out) != 2 {
		t.Fatalf("%d blocks of commands", len(out))
	}
	return out
}

// walk runs commands as an engineer would type them, each import waited for, and returns what each printed.
func walk(t *testing.T, p *platform, commands []string, data ...string) map[string]string {
	t.Helper()
	dir := filepath.Dir(p.dir)
	python, err := filepath.Abs(os.Getenv("E2E_PYTHON"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"docs", "deploy"} {
		to, err := filepath.Abs(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range data {
		if err := os.Symlink(file, filepath.Join(dir, filepath.Base(file))); err != nil {
			t.Fatal(err)
		}
	}
	said := map[string]string{}
	stored := int64(0)
	frames := regexp.MustCompile(`: (\d+) frames of`)
	for _, line := range commands {
		words := strings.Fields(line)
		into := ""
		if n := len(words); n > 2 && words[n-2] == ">" {
			into, words = words[n-1], words[:n-2]
		}
		cmd := exec.Command(python, words[1:]...)
		if words[0] == "mudpulse" {
			cmd = exec.Command(harness.Bin(t, "mudpulse"), words[1:]...)
			for i, w := range words[1:] { // what comes in quotes in a shell
				cmd.Args[i+1] = strings.Trim(w, `"'`)
			}
		}
		cmd.Dir = dir
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		began := time.Now()
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, &out)
		}
		t.Logf("%v %s", time.Since(began).Round(time.Millisecond), line)
		said[line] = out.String()
		if into != "" {
			if err := os.WriteFile(filepath.Join(dir, into), out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if strings.HasPrefix(line, "mudpulse import") {
			n, err := strconv.ParseInt(frames.FindStringSubmatch(out.String())[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			stored += n
			harness.Wait(t, 240*time.Second, "imported frames at every stage", func() bool { return p.totals().all(stored) })
		}
	}
	return said
}

func last(t *testing.T, said map[string]string, commands []string) string {
	t.Helper()
	out := said[commands[len(commands)-1]]
	t.Log("\n" + out)
	return out
}

// The commands of the document, on real data, to the figures that it gives.
func TestTheEngineersRoadOnCMAPSS(t *testing.T) {
	data := os.Getenv("E2E_DATA")
	p := run(t, filepath.Join(t.TempDir(), ".data"), nil)
	commands := blocks(t)[0]
	folder := filepath.Join(data, "cmapss_fd001")
	said := walk(t, p, commands, filepath.Join(folder, "train_FD001.txt"), filepath.Join(folder, "test_FD001.txt"), filepath.Join(folder, "RUL_FD001.txt"))
	for command, want := range map[string]string{
		"mudpulse labels import labels.csv":                                   "100 labels recorded",
		"mudpulse model push cmapss_rul.pmml":                                 "200 of your rows agree",
		"mudpulse model report cmapss_rul":                                    "100 failures on record",
		"mudpulse model promote cmapss_rul":                                   "cmapss_rul 1 is on from marker ",
		"mudpulse import train_FD001.txt --mapping deploy/import/cmapss.json": "20631 frames of 100 drills",
	} {
		if !strings.Contains(said[command], want) {
			t.Errorf("%s did not say %q:\n%s", command, want, said[command])
		}
	}
	m := regexp.MustCompile(`test engines: 100, RMSE ([\d.]+), PHM08 (\d+)`).FindStringSubmatch(last(t, said, commands))
	if m == nil {
		t.Fatal("no figures")
	}
	rmse, _ := strconv.ParseFloat(m[1], 64)
	phm, _ := strconv.ParseFloat(m[2], 64)
	if rmse <= 0 || rmse > 14 || phm > 300 {
		t.Errorf("RMSE %v, PHM08 %v: docs/train-a-model.md says 13.64 and 271", rmse, phm)
	}
	// Which version decided is one question, and the scores say the same.
	var decided struct {
		Version int
		Marker  string
	}
	if err := p.get("/api/v1/models/cmapss_rul/decided?drill=TEST-7", &decided); err != nil || decided.Version != 1 || !strings.Contains(said["mudpulse model promote cmapss_rul"], decided.Marker) {
		t.Errorf("decided by %+v %v", decided, err)
	}
	p.Stop()
}

func TestTheEngineersRoadOnAI4I(t *testing.T) {
	data := os.Getenv("E2E_DATA")
	if data == "" {
		t.Fatal("E2E_DATA names no folder: run this through make e2e, which leaves the test out where the data are not there")
	}
	p := run(t, filepath.Join(t.TempDir(), ".data"), nil)
	commands := blocks(t)[1]
	out := last(t, walk(t, p, commands, filepath.Join(data, "ai4i2020", "ai4i2020.tsv")), commands)
	for class, least := range map[string]float64{"HDF": 0.8, "PWF": 0.8, "OSF": 0.8} {
		m := regexp.MustCompile(class + ` +\d+ +\d+ +\d+ +([\d.]+)`).FindStringSubmatch(out)
		if m == nil {
			t.Errorf("%s: no figures", class)
			continue
		}
		if f1, _ := strconv.ParseFloat(m[1], 64); f1 < least {
			t.Errorf("%s: F1 %v, at least %v", class, f1, least)
		}
	}
	p.Stop()
}
