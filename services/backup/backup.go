// Package backup copies the columnstore to a folder or a bucket and back: a
// snapshot of what is hot, with positions and manifest as one transaction left
// them, and the sealed files it names, each once however often it is backed up.
//
//	files/<sha256>                    sealed files
//	snapshots/<time>/mudpulse.duckdb  what is not sealed
//	snapshots/<time>/manifest.json    written last: without it there is no snapshot
package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"

	"github.com/mudpulse/mudpulse/storage/duckdb"
)

// A Manifest is one backup.
type Manifest struct {
	Created  time.Time `json:"created"` // wall time
	Database File      `json:"database"`
	Files    []File    `json:"files"`
}

// A File lies at Path below the store's folder.
type File struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// A Report says what a backup did.
type Report struct {
	Name        string `json:"name"`
	Files       int    `json:"files"`
	Copied      int    `json:"copied"` // those that were not there yet
	CopiedBytes int64  `json:"copied_bytes"`
	Damaged     int    `json:"damaged"` // left out: doctor names them
}

// Open opens a folder, made if need be, or a bucket's URL.
func Open(ctx context.Context, where string) (*blob.Bucket, error) {
	if where == "" {
		return nil, errors.New("backup: say where to: a folder, or a bucket's URL")
	}
	if strings.Contains(where, "://") {
		return blob.OpenBucket(ctx, where)
	}
	return fileblob.OpenBucket(where, &fileblob.Options{CreateDir: true, NoTempDir: true, DirFileMode: 0o700, Metadata: fileblob.MetadataDontWrite})
}

// Run backs the store up.
func Run(ctx context.Context, store *duckdb.Store, dir string, b *blob.Bucket, now time.Time, crash func(string)) (Report, error) {
	if crash == nil {
		crash = func(string) {}
	}
	r := Report{Name: now.UTC().Format("20060102T150405.000Z")}
	err := store.Backup(ctx, func(snapshot string, files []duckdb.SealedFile) error {
		m := Manifest{Created: now.UTC()}
		for _, f := range files {
			if f.Damage != "" {
				r.Damaged++
				continue
			}
			r.Files++
			m.Files = append(m.Files, File{f.Path, f.Bytes, f.SHA256})
			there, err := b.Exists(ctx, "files/"+f.SHA256)
			if err != nil {
				return err
			}
			if there {
				continue
			}
			if _, err := put(ctx, b, "files/"+f.SHA256, filepath.Join(dir, filepath.FromSlash(f.Path)), f.SHA256); err != nil {
				return err
			}
			r.Copied++
			r.CopiedBytes += f.Bytes
			crash(CrashFile)
		}
		at := "snapshots/" + r.Name + "/"
		db, err := put(ctx, b, at+"mudpulse.duckdb", snapshot, "")
		if err != nil {
			return err
		}
		m.Database = File{"mudpulse.duckdb", db.Bytes, db.SHA256}
		r.CopiedBytes += db.Bytes
		crash(CrashDatabase)
		text, err := json.MarshalIndent(m, "", " ")
		if err != nil {
			return err
		}
		_, err = putFrom(ctx, b, at+"manifest.json", "manifest", bytes.NewReader(text), "")
		return err
	})
	if err != nil {
		return r, fmt.Errorf("backup: %w", err)
	}
	return r, nil
}

// Names of the crash points.
const (
	CrashFile     = "backup-file"     // a sealed file is copied, there is no manifest
	CrashDatabase = "backup-database" // all is copied, there is no manifest
)

// put copies a file and, where sum is given, refuses one that has another.
func put(ctx context.Context, b *blob.Bucket, key, path, sum string) (File, error) {
	fd, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer fd.Close()
	return putFrom(ctx, b, key, path, fd, sum)
}

// putFrom makes an object whole or not at all: Bucket.WriteAll would leave the
// beginning of one that could not be written to its end.
func putFrom(ctx context.Context, b *blob.Bucket, key, path string, from io.Reader, sum string) (File, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // before Close: the object is not made
	w, err := b.NewWriter(ctx, key, nil)
	if err != nil {
		return File{}, err
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, h), from)
	got := hex.EncodeToString(h.Sum(nil))
	if err == nil && sum != "" && got != sum {
		err = fmt.Errorf("%s: its bytes are not those that were sealed; mudpulse doctor says more", path)
	}
	if err != nil {
		cancel()
		return File{}, errors.Join(err, ignore(w.Close()))
	}
	return File{key, n, got}, w.Close()
}

// ignore drops the error of closing what was given up.
func ignore(error) error { return nil }

// List returns the backups' names, oldest first.
func List(ctx context.Context, b *blob.Bucket) ([]string, error) {
	var out []string
	for it := b.List(&blob.ListOptions{Prefix: "snapshots/"}); ; {
		o, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			slices.Sort(out)
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if name, ok := strings.CutSuffix(strings.TrimPrefix(o.Key, "snapshots/"), "/manifest.json"); ok {
			out = append(out, name)
		}
	}
}

// Restore writes a backup ("" the newest) into dir, which must hold no store, and
// verifies every byte of it.
func Restore(ctx context.Context, b *blob.Bucket, name, dir string) (Manifest, error) {
	var m Manifest
	if _, err := os.Stat(filepath.Join(dir, "mudpulse.duckdb")); err == nil {
		return m, fmt.Errorf("restore: there is a store in %s: move it away first", dir)
	}
	all, err := List(ctx, b)
	if err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	if name == "" && len(all) > 0 {
		name = all[len(all)-1]
	}
	if !slices.Contains(all, name) {
		return m, fmt.Errorf("restore: no backup %q: there are %s", name, strings.Join(all, ", "))
	}
	text, err := b.ReadAll(ctx, "snapshots/"+name+"/manifest.json")
	if err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("restore: manifest: %w", err)
	}
	var errs []error
	for _, f := range m.Files {
		if !filepath.IsLocal(f.Path) {
			return m, fmt.Errorf("restore: manifest names %q, which is no place below the store", f.Path)
		}
		errs = append(errs, get(ctx, b, "files/"+f.SHA256, filepath.Join(dir, filepath.FromSlash(f.Path)), f))
	}
	if err := errors.Join(errs...); err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	// The database last: without it there is no store, and restore may be started again.
	if err := get(ctx, b, "snapshots/"+name+"/mudpulse.duckdb", filepath.Join(dir, "mudpulse.duckdb"), m.Database); err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	return m, nil
}

func get(ctx context.Context, b *blob.Bucket, key, path string, want File) (err error) {
	r, err := b.NewReader(ctx, key, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp := path + ".tmp"
	fd, err := os.Create(tmp)
	if err != nil {
		return err
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(fd, h), r)
	if err = errors.Join(err, fd.Sync(), fd.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if got := hex.EncodeToString(h.Sum(nil)); n != want.Bytes || got != want.SHA256 {
		return errors.Join(fmt.Errorf("%s in the backup is damaged: %d bytes with SHA-256 %s, not %d with %s", key, n, got, want.Bytes, want.SHA256), os.Remove(tmp))
	}
	return os.Rename(tmp, path)
}
