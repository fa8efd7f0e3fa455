//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Analysts as they come: psql with its backslash commands, psycopg with
// SQLAlchemy's reflection and pandas. (pgx: storage/pgwire's own tests.)
func TestAnalystsReadThroughTheirOwnClients(t *testing.T) {
	p := run(t, t.TempDir(), nil)
	throughTheFlow(t, p, p.addresses["mqtt"])
	where := "admin:" + p.token + "@" + p.addresses["sql"] + "/mudpulse"

	out, err := exec.Command("psql", "-X", "-f", "sql/psql.sql", "postgres://"+where).CombinedOutput()
	text := string(out)
	for _, want := range []string{`as user "admin"`, "features_1m", "double precision", "All readings, a row per sample and channel", " RIG-07 | t", "only SELECT is allowed here"} {
		if !strings.Contains(text, want) {
			t.Errorf("psql did not print %q", want)
		}
	}
	if err == nil || t.Failed() { // the script ends with a statement that is refused
		t.Errorf("psql: %v\n%s", err, out)
	}
	out, err = exec.Command(os.Getenv("E2E_PYTHON"), "sql/session.py", where).CombinedOutput()
	if err != nil || strings.Count(string(out), "held:") != 13 {
		t.Errorf("session.py: %v\n%s", err, out)
	}
	p.Stop()
}
