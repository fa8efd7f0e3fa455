package duckdb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/mudpulse/mudpulse/storage/internal/priority"
)

// partsDDL makes what knows the partitions. Rows of ledger_spans,
// sealed_sources and sealed_health count once their partition is no longer hot.
var partsDDL = []string{
	"CREATE TABLE IF NOT EXISTS store.parts(part BIGINT, hour INTEGER, rolled_0 BIGINT, rolled_1 BIGINT, rolled_2 BIGINT, rolled_3 BIGINT)",
	"CREATE TABLE IF NOT EXISTS store.sealed(part BIGINT, dataset VARCHAR, hour INTEGER, file VARCHAR, rows BIGINT, bytes BIGINT, sha256 VARCHAR, lo BIGINT, hi BIGINT, max_commit BIGINT, max_ord BIGINT, columns VARCHAR)",
	"CREATE TABLE IF NOT EXISTS store.checkpoints(commit BIGINT)",
	"CREATE TABLE IF NOT EXISTS store.ledger_spans(part BIGINT, hour INTEGER, src INTEGER, stage VARCHAR, lo UBIGINT, hi UBIGINT)",
	"CREATE TABLE IF NOT EXISTS store.sealed_sources(part BIGINT, hour INTEGER, src INTEGER, first_ts BIGINT, last_ts BIGINT, arrived BIGINT, frames BIGINT, readings BIGINT, simulated BOOLEAN)",
	"CREATE TABLE IF NOT EXISTS store.sealed_health(part BIGINT, hour INTEGER, drill VARCHAR, bucket BIGINT, tick BIGINT, ord BIGINT, last DOUBLE, low DOUBLE)",
}

// A file is one sealed dataset of one partition and hour.
type file struct {
	part              int64
	dataset           string
	hour              int32
	path              string // below sealed/, with slashes
	rows, bytes       int64
	sha256            string
	lo, hi            int64 // times of its rows, µs
	maxCommit, maxOrd int64
	columns           string // joined by commas

	damage string // why it is not read; under Store.lay
}

func (f *file) values() string {
	return fmt.Sprintf("(%d, %s, %d, %s, %d, %d, %s, %d, %d, %d, %d, %s)", f.part, lit(f.dataset), f.hour, lit(f.path), f.rows, f.bytes, lit(f.sha256), f.lo, f.hi, f.maxCommit, f.maxOrd, lit(f.columns))
}

// hourName is how people name a file's hour.
func hourName(h int32) string {
	return time.Unix(0, hourStart(h)).UTC().Format("2006-01-02 15:00") + " UTC"
}

// filePath is day=/hour= below the dataset's folder.
func filePath(dataset string, hour int32, part int64) string {
	t := time.Unix(0, hourStart(hour)).UTC()
	return fmt.Sprintf("%s/day=%s/hour=%02d/p%d.parquet", dataset, t.Format("2006-01-02"), t.Hour(), part)
}

func (s *Store) sealedDir() string { return filepath.Join(s.cfg.Dir, "sealed") }
func (s *Store) sealedPath(rel string) string {
	return filepath.Join(s.sealedDir(), filepath.FromSlash(rel))
}

func (s *Store) loadManifest(ctx context.Context) error {
	err := s.each(ctx, "SELECT part, dataset, hour, file, rows, bytes, sha256, lo, hi, max_commit, max_ord, columns FROM store.sealed ORDER BY hour, part", func(r *sql.Rows) error {
		f := &file{}
		if err := r.Scan(&f.part, &f.dataset, &f.hour, &f.path, &f.rows, &f.bytes, &f.sha256, &f.lo, &f.hi, &f.maxCommit, &f.maxOrd, &f.columns); err != nil {
			return err
		}
		if f.damage = s.glance(f); f.damage != "" {
			s.log.Error("a sealed file is damaged: its hour cannot be read; restore it from a backup", "hour", hourName(f.hour), "file", f.path, "why", f.damage)
		}
		s.nextPart = max(s.nextPart, f.part+1)
		s.files = append(s.files, f)
		return nil
	})
	if err != nil {
		return err
	}
	return s.removeOrphans()
}

// removeOrphans unlinks what a seal or a merge that was cut short left behind.
func (s *Store) removeOrphans() error {
	known := make(map[string]bool, len(s.files))
	for _, f := range s.files {
		known[f.path] = true
	}
	err := filepath.WalkDir(s.sealedDir(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(s.sealedDir(), path)
		if err != nil || known[filepath.ToSlash(rel)] {
			return err
		}
		base := filepath.Base(rel)
		if strings.HasPrefix(base, "p") && (strings.HasSuffix(base, ".parquet") || strings.HasSuffix(base, ".tmp")) {
			return os.Remove(path)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// glance says what is wrong with a file that can be seen without reading it: "" nothing.
func (s *Store) glance(f *file) string {
	fd, err := os.Open(s.sealedPath(f.path))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "it is not there"
		}
		return err.Error()
	}
	defer fd.Close()
	fi, err := fd.Stat()
	if err != nil {
		return err.Error()
	}
	if fi.Size() != f.bytes {
		return fmt.Sprintf("it has %d bytes and was sealed with %d", fi.Size(), f.bytes)
	}
	var magic [4]byte
	if _, err := fd.ReadAt(magic[:], f.bytes-4); err != nil || !bytes.Equal(magic[:], []byte("PAR1")) {
		return "it does not end as a Parquet file"
	}
	return ""
}

// verify reads the whole file: "" nothing is wrong.
func (s *Store) verify(f *file) string {
	if why := s.glance(f); why != "" {
		return why
	}
	_, sum, err := hashFile(s.sealedPath(f.path))
	if err != nil {
		return err.Error()
	}
	if sum != f.sha256 {
		return "its bytes are not those that were sealed: SHA-256 " + sum + ", not " + f.sha256
	}
	return ""
}

// suspect looks whether a query failed of a damaged file; if so, the file is
// left out from now on, its hour named, and the query may be asked again.
func (s *Store) suspect(err error) bool {
	var found []*file
	msg := err.Error()
	for _, f := range s.sealedFiles() {
		if f.damage == "" && strings.Contains(msg, filepath.FromSlash(f.path)) {
			found = append(found, f)
		}
	}
	if len(found) == 0 && !strings.Contains(msg, ".parquet") && !strings.Contains(strings.ToLower(msg), "parquet") {
		return false
	}
	if len(found) == 0 { // the message names no file: a glance at each
		found = s.sealedFiles()
	}
	any := false
	for _, f := range found {
		if f.damage == "" {
			if why := s.verify(f); why != "" {
				any = true
				s.markDamaged(f, why)
			}
		}
	}
	if any {
		s.staleViews.Store(true)
		if s.wmu.TryLock() { // a commit asks too: then Maintain does it
			s.freshViews()
			s.wmu.Unlock()
		}
	}
	return any
}

// freshViews takes damaged files out of the views. Call with wmu.
func (s *Store) freshViews() {
	if !s.staleViews.Swap(false) || s.closed {
		return
	}
	if err := s.refreshViews(); err != nil {
		s.staleViews.Store(true)
		s.log.Error("views without damaged files", "err", err)
	}
}

func (s *Store) markDamaged(f *file, why string) {
	s.lay.Lock()
	f.damage = why
	s.generation++
	s.lay.Unlock()
	s.log.Error("a sealed file is damaged: its hour cannot be read; restore it from a backup", "hour", hourName(f.hour), "dataset", f.dataset, "file", f.path, "why", why)
}

// refreshViews makes the inner views anew. Call with wmu.
func (s *Store) refreshViews() error {
	if s.closed {
		return errClosed
	}
	if err := s.exec("BEGIN TRANSACTION"); err != nil {
		return err
	}
	if err := s.makeDataViews(s.hot(), s.sealedFiles()); err != nil {
		return errors.Join(err, s.exec("ROLLBACK"))
	}
	return s.reserve.commit(func() error { return s.exec("COMMIT") })
}

// hashFile returns a file's length and SHA-256.
func hashFile(path string) (int64, string, error) {
	fd, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer fd.Close()
	h := sha256.New()
	n, err := io.Copy(h, fd)
	if err != nil {
		return 0, "", err
	}
	return n, hex.EncodeToString(h.Sum(nil)), nil
}

// writeParquet writes the rows of query to a sealed file: a temporary file,
// fsync, rename, fsync of the folder. f's rows, bytes and SHA-256 are set.
// Encodings are those of version 1: Spark and QuestDB refuse BYTE_STREAM_SPLIT,
// which version 2 has, and it is worth nothing on readings.
func (s *Store) writeParquet(ctx context.Context, f *file, query string) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	path := s.sealedPath(f.path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp := path + ".tmp"
	defer func() {
		if err != nil {
			_ = os.Remove(tmp)
		}
	}()
	if err := s.maintain.exec(fmt.Sprintf("COPY (%s) TO %s (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v1, ROW_GROUP_SIZE 122880)", query, lit(tmp))); err != nil {
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	fd, err := os.Open(tmp)
	if err != nil {
		return err
	}
	err = errors.Join(fd.Sync(), fd.Close())
	if err != nil {
		return err
	}
	if f.bytes, f.sha256, err = hashFile(tmp); err != nil {
		return err
	}
	s.cfg.CrashPoint(CrashWritten)
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDirs(filepath.Dir(path), s.sealedDir())
}

// syncDirs syncs a folder and those above it, up to root.
func syncDirs(dir, root string) error {
	for {
		fd, err := os.Open(dir)
		if err != nil {
			return err
		}
		if err := errors.Join(fd.Sync(), fd.Close()); err != nil {
			return err
		}
		if dir == root || len(dir) <= len(root) {
			return nil
		}
		dir = filepath.Dir(dir)
	}
}

// garbage is unlinked when no query can still be reading it.
type garbage struct {
	path  string
	since time.Time // wall time
}

// sweep unlinks files that have been out of the manifest for long enough.
func (s *Store) sweep(now time.Time) {
	s.garbage = slices.DeleteFunc(s.garbage, func(g garbage) bool {
		if now.Sub(g.since) < s.cfg.Linger {
			return false
		}
		if err := os.Remove(s.sealedPath(g.path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.log.Warn("unlink", "file", g.path, "err", err)
		}
		for dir := filepath.Dir(s.sealedPath(g.path)); dir != s.sealedDir() && os.Remove(dir) == nil; {
			dir = filepath.Dir(dir) // hour=, day= and dataset, if they are empty now
		}
		return true
	})
}

// A session is a connection of its own for work beside the commits.
type session struct {
	conn    mapping.Connection
	low     func() bool // whether its next statement runs at low priority; nil: none does
	reserve *reserve    // its transactions may take it to commit; nil: there is none yet
}

func (c *session) exec(q string) error {
	if c.low != nil && c.low() {
		return priority.Low(func() error { return run(c.conn, q) })
	}
	return run(c.conn, q)
}

// transaction runs statements in one; before is called before it commits.
func (c *session) transaction(statements []string, before func()) error {
	if err := c.exec("BEGIN TRANSACTION"); err != nil {
		return err
	}
	for _, q := range statements {
		if err := c.exec(q); err != nil {
			return errors.Join(err, c.exec("ROLLBACK"))
		}
	}
	if before != nil {
		before()
	}
	if err := c.reserve.commit(func() error { return c.exec("COMMIT") }); err != nil {
		_ = c.exec("ROLLBACK") // where COMMIT failed there is mostly nothing to roll back
		return shortOfMemory(err)
	}
	return nil
}
