package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mudpulse/mudpulse/storage"
)

// Snapshot writes all of the database that is not sealed to a DuckDB file of its
// own: rows, positions, de-duplication state and manifest as one transaction
// left them. Commits go on meanwhile. The file is complete or not there.
func (s *Store) Snapshot(ctx context.Context, path string) error {
	s.turn()
	defer s.mmu.Unlock()
	return s.snapshot(ctx, path)
}

// turn takes mmu for somebody who waits: what has it makes haste meanwhile.
func (s *Store) turn() {
	s.waiting.Add(1)
	s.mmu.Lock()
	s.waiting.Add(-1)
}

func (s *Store) snapshot(ctx context.Context, path string) (err error) {
	tmp := path + ".tmp"
	for _, old := range []string{tmp, tmp + ".wal"} {
		if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	s.checkpoint.Lock()
	defer s.checkpoint.Unlock()
	if err := s.maintain.exec("ATTACH " + lit(tmp) + " AS snapshot"); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp)
		}
	}()
	err = s.copyTables(ctx)
	if err = errors.Join(err, s.maintain.exec("DETACH snapshot")); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if err := syncFile(tmp); err != nil {
		return err
	}
	s.cfg.CrashPoint(CrashSnapshot)
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDirs(filepath.Dir(path), filepath.Dir(path))
}

// copyTables copies every table in one transaction. Which tables there are
// cannot change but by a commit that begins a partition: then it starts over.
func (s *Store) copyTables(ctx context.Context) error {
	for try := 0; ; try++ {
		var names []string
		err := s.each(ctx, "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'store' AND database_name = current_database() ORDER BY table_name", func(r *sql.Rows) error {
			var n string
			names = append(names, n)
			return r.Scan(&names[len(names)-1])
		})
		if err != nil {
			return err
		}
		statements := []string{"CREATE SCHEMA snapshot.store"}
		for _, n := range names {
			statements = append(statements, fmt.Sprintf("CREATE TABLE snapshot.store.%[1]s AS SELECT * FROM store.%[1]s", ident(n)))
		}
		// A table of a partition that began meanwhile would be missing: its row in parts says so.
		missing := ""
		err = s.maintain.transaction(statements, func() {
			_ = s.db.QueryRowContext(ctx, "SELECT coalesce(string_agg(part::VARCHAR, ','), '') FROM store.parts WHERE NOT list_contains(?::VARCHAR[], 'p' || part || '_frames')", "["+strings.Join(names, ",")+"]").Scan(&missing)
		})
		if err != nil || missing == "" || try == 5 {
			return err
		}
		if err := s.maintain.transaction([]string{"DROP SCHEMA snapshot.store CASCADE"}, nil); err != nil {
			return err
		}
	}
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// A SealedFile is one file of the manifest.
type SealedFile struct {
	Path   string // below the store's folder, with slashes
	Hour   string // as people name it
	Bytes  int64
	SHA256 string
	Damage string // "" none is known
}

// SealedFiles lists the manifest.
func (s *Store) SealedFiles() []SealedFile {
	var out []SealedFile
	for _, f := range s.sealedFiles() {
		s.lay.RLock()
		out = append(out, SealedFile{"sealed/" + f.path, hourName(f.hour), f.bytes, f.sha256, f.damage})
		s.lay.RUnlock()
	}
	return out
}

// Backup calls begin with the path of a snapshot and the sealed files that it
// names; none of them is merged, dropped or unlinked until begin returns.
func (s *Store) Backup(ctx context.Context, begin func(snapshot string, files []SealedFile) error) error {
	s.turn()
	defer s.mmu.Unlock()
	path := filepath.Join(s.cfg.Dir, "backup.duckdb")
	if err := s.snapshot(ctx, path); err != nil {
		return err
	}
	defer os.Remove(path)
	return begin(path, s.SealedFiles())
}

// Check reads every sealed file and says what is damaged: each costs its hour of one dataset.
func (s *Store) Check(ctx context.Context, progress func(done, of int)) ([]storage.Damage, error) {
	var out []storage.Damage
	files := s.sealedFiles()
	any := false
	for i, f := range files {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		why := s.verify(f)
		s.lay.RLock()
		known := f.damage
		s.lay.RUnlock()
		if why != "" {
			out = append(out, storage.Damage{File: "sealed/" + f.path, Dataset: f.dataset, Hour: hourName(f.hour), Rows: f.rows, Why: why,
				Cure: "Restore this file from a backup into the same place; until then its hour of " + f.dataset + " is left out of every answer, and the ledger still counts its frames."})
		}
		if why != known { // damaged since, or restored
			any = true
			s.lay.Lock()
			f.damage = why
			s.generation++
			s.lay.Unlock()
		}
		if progress != nil {
			progress(i+1, len(files))
		}
	}
	if any {
		s.wmu.Lock()
		s.staleViews.Store(true)
		s.freshViews()
		s.wmu.Unlock()
	}
	return out, nil
}
