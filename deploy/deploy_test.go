// Package deploy holds what operators deploy, and the tests that start the real thing.
package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// processes are the mains of services/cmd.
func processes(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob("../services/cmd/*/main.go")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no mains: %v", err)
	}
	var out []string
	for _, d := range dirs {
		out = append(out, filepath.Base(filepath.Dir(d)))
	}
	return out
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestMainsAreShortAndDocumented(t *testing.T) {
	for _, p := range processes(t) {
		src := read(t, filepath.Join("../services/cmd", p, "main.go"))
		if n := strings.Count(src, "\n"); n > 120 {
			t.Errorf("cmd/%s/main.go has %d lines; 120 are allowed", p, n)
		}
		if !strings.HasPrefix(src, "// ") {
			t.Errorf("cmd/%s/main.go does not say what it is", p)
		}
	}
}

func TestComposeStartsTheProcessesThatExist(t *testing.T) {
	var file struct {
		Services map[string]struct {
			Command     []string
			Volumes     []string
			Environment map[string]string
			Ports       []string
		}
		Volumes map[string]any
	}
	if err := yaml.Unmarshal([]byte(read(t, "compose/compose.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	started := map[string]bool{}
	for name, s := range file.Services {
		if name != "kafka" {
			if !slices.Contains(processes(t), s.Command[0]) {
				t.Errorf("%s starts %q, which is no process of ours", name, s.Command[0])
			}
			started[s.Command[0]] = true
			if s.Environment["MUDPULSE_BROKERS"] == "" {
				t.Errorf("%s knows no broker", name)
			}
		}
		for _, v := range s.Volumes {
			volume, _, _ := strings.Cut(v, ":")
			if _, ok := file.Volumes[volume]; !ok {
				t.Errorf("%s mounts %s, which is not declared", name, volume)
			}
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s opens %s to the world", name, p)
			}
		}
	}
	for _, p := range []string{"gateway", "scorer", "mudpulse"} {
		if !started[p] {
			t.Errorf("compose does not start %s", p)
		}
	}
}

func TestContainerfileBuildsWhatExists(t *testing.T) {
	src := read(t, "container/Containerfile")
	built := regexp.MustCompile(`\./services/cmd/(\w+)`).FindAllStringSubmatch(src, -1)
	var names []string
	for _, b := range built {
		names = append(names, b[1])
	}
	for _, p := range processes(t) {
		if !slices.Contains(names, p) {
			t.Errorf("the image has no %s", p)
		}
	}
	for _, n := range names {
		if !slices.Contains(processes(t), n) {
			t.Errorf("the image builds %s, which does not exist", n)
		}
	}
	for i, line := range strings.Split(src, "\n") {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word == "" || word[0] == '#' || word == "&&" {
			continue
		}
		if !slices.Contains([]string{"ARG", "FROM", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "ENV", "EXPOSE", "CMD"}, word) {
			t.Errorf("line %d: %q is no instruction", i+1, word)
		}
		if word == "COPY" && !strings.Contains(line, "--from=") {
			for _, src := range strings.Fields(line)[1 : len(strings.Fields(line))-1] {
				if _, err := os.Stat(filepath.Join("..", src)); err != nil {
					t.Errorf("line %d copies %s: %v", i+1, src, err)
				}
			}
		}
	}
}

func TestUnitsAreWellFormedAndHardened(t *testing.T) {
	units, _ := filepath.Glob("systemd/*.service")
	if len(units) != 3 {
		t.Fatalf("%d units", len(units))
	}
	for _, u := range units {
		src := read(t, u)
		section, keys := "", map[string]string{}
		for i, line := range strings.Split(src, "\n") {
			switch {
			case line == "" || line[0] == '#':
			case line[0] == '[':
				section = line
			default:
				k, v, ok := strings.Cut(line, "=")
				if !ok || section == "" {
					t.Errorf("%s:%d: %q is no setting", u, i+1, line)
				}
				keys[section+k] = v
			}
		}
		exec := filepath.Base(strings.Fields(keys["[Service]ExecStart"])[0])
		if !slices.Contains(processes(t), exec) {
			t.Errorf("%s starts %s, which is no process of ours", u, exec)
		}
		for k, want := range map[string]string{"NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes", "CapabilityBoundingSet": "", "User": "mudpulse", "Restart": "always"} {
			if got, ok := keys["[Service]"+k]; !ok || got != want {
				t.Errorf("%s: %s=%q, want %q", u, k, got, want)
			}
		}
	}
	if analyze, err := exec.LookPath("systemd-analyze"); err == nil {
		for _, u := range units {
			if out, err := exec.Command(analyze, "verify", "--man=no", u).CombinedOutput(); err != nil && !strings.Contains(string(out), "is not executable") {
				t.Errorf("%s: %s", u, out)
			}
		}
	}
}

func TestShellScriptsParse(t *testing.T) {
	scripts, _ := filepath.Glob("*/*.sh")
	scripts = append(scripts, "../.ci/run")
	for _, s := range scripts {
		if out, err := exec.Command("bash", "-n", s).CombinedOutput(); err != nil {
			t.Errorf("%s: %s", s, out)
		}
	}
}
