package relational_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/services/internal/relational"
)

func TestAFileKeepsItsTablesAndItsOwner(t *testing.T) {
	path, ctx := filepath.Join(t.TempDir(), "deep", "with space?", "mudpulse.db"), t.Context()
	db, err := relational.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Tx(ctx, func(tx *sql.Tx) error { return relational.SetFact(ctx, tx, "cluster", "mp-1") }); err != nil {
		t.Fatal(err)
	}
	wrong := errors.New("wrong")
	err = db.Tx(ctx, func(tx *sql.Tx) error {
		if err := relational.SetFact(ctx, tx, "cluster", "mp-2"); err != nil {
			return err
		}
		return wrong
	})
	if !errors.Is(err, wrong) {
		t.Fatal(err)
	}
	db.Close()
	if db, err = relational.Open(ctx, path); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if v, err := db.Fact(ctx, "cluster"); err != nil || v != "mp-1" {
		t.Errorf("fact %q, %v", v, err)
	}
	if v, err := db.Fact(ctx, "nothing"); err != nil || v != "" {
		t.Errorf("absent fact %q, %v", v, err)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("file mode %v, %v", st.Mode(), err)
	}
	if _, err := db.Exec("INSERT INTO sessions (hash, name, created, expires, agent) VALUES ('h', 'nobody', 1, 2, '')"); err == nil {
		t.Error("a session of nobody was taken: foreign keys are off")
	}
}

func TestANewerFileIsRefused(t *testing.T) {
	path, ctx := filepath.Join(t.TempDir(), "mudpulse.db"), t.Context()
	db, err := relational.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	if _, err = relational.Open(ctx, path); err == nil || !strings.Contains(err.Error(), "9999") {
		t.Errorf("%v", err)
	}
}
