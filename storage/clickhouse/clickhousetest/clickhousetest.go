// Package clickhousetest starts ClickHouse's engine for tests: engine.py in a process of its own.
package clickhousetest

import (
	"bufio"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

//go:embed engine.py
var program []byte

// Start starts the engine on a folder and returns its URL, without a database. It ends with the test.
// Python is E2E_PYTHON, or the .venv of a folder above.
func Start(t testing.TB, dir string) (url string) {
	t.Helper()
	python := os.Getenv("E2E_PYTHON")
	for up := "."; python == ""; up = filepath.Join(up, "..") {
		abs, err := filepath.Abs(up)
		if err != nil {
			t.Fatal(err)
		}
		if path := filepath.Join(abs, ".venv", "bin", "python"); isFile(path) {
			python = path
		} else if abs == filepath.Dir(abs) {
			t.Fatal("ClickHouse's engine is not here: deploy/e2e/fetch.sh puts it into .venv, or name a Python that has chdb with E2E_PYTHON")
		}
	}
	file := filepath.Join(t.TempDir(), "engine.py")
	if err := os.WriteFile(file, program, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, file, dir)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v: deploy/e2e/fetch.sh makes it", python, err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening ")
	if err != nil || !ok {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("ClickHouse's engine did not start (deploy/e2e/fetch.sh puts chdb into .venv): %q %v\n%s", line, err, complaints.String())
	}
	return fmt.Sprintf("http://%s", addr)
}

func isFile(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && !fi.IsDir()
}
