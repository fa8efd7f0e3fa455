// Package backup copies a platform to a folder or a bucket and back: the
// columnstore, with what is hot, positions and manifest as one transaction left
// them, and the sealed files it names; users, devices, equipment, models and
// rules; and the models' files. What is named by its SHA-256 is copied once,
// however often it is backed up.
//
//	files/<sha256>                    sealed files, models
//	snapshots/<time>/mudpulse.duckdb  what is not sealed
//	snapshots/<time>/mudpulse.db      what is relational: password hashes are in it
//	snapshots/<time>/manifest.json    written last: without it there is no snapshot
//
// Not in it: the log and the spool, which hold what is on its way; the scorer's
// checkpoints, which are made anew; secrets in files, such as the administrator's token.
package backup

import (
	"bytes"
	"cmp"
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

	"github.com/mudpulse/mudpulse/services/internal/blobs"
	"github.com/mudpulse/mudpulse/services/internal/relational"
	"github.com/mudpulse/mudpulse/storage/duckdb"
)

// Where what is backed up lies below the data directory.
const (
	storeDir       = "store"
	storeFile      = "mudpulse.duckdb"
	relationalFile = "mudpulse.db"
)

// A Platform is what is backed up. DB and Blobs are nil in a process that has no
// API: then only the columnstore is.
type Platform struct {
	Store *duckdb.Store
	Dir   string // the columnstore's
	DB    *relational.DB
	Blobs *blobs.Store
}

// A Manifest is one backup.
type Manifest struct {
	Created    time.Time `json:"created"` // wall time
	Database   File      `json:"database"`
	Files      []File    `json:"files"`
	Relational *File     `json:"relational,omitempty"` // nil: of the columnstore alone
	Blobs      []File    `json:"blobs,omitempty"`      // path: the SHA-256
}

// A File lies at Path, of the columnstore's below its folder.
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
	Damaged     int    `json:"damaged"`         // left out: doctor names them
	Whole       bool   `json:"whole"`           // users, devices, models and rules are in it
	Blobs       int    `json:"blobs,omitempty"` // files of models and rules
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

// Run backs p up.
func Run(ctx context.Context, p Platform, b *blob.Bucket, now time.Time, crash func(string)) (Report, error) {
	if crash == nil {
		crash = func(string) {}
	}
	r := Report{Name: now.UTC().Format("20060102T150405.000Z")}
	err := p.Store.Backup(ctx, func(snapshot string, files []duckdb.SealedFile) error {
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
			if _, err := put(ctx, b, "files/"+f.SHA256, filepath.Join(p.Dir, filepath.FromSlash(f.Path)), f.SHA256); err != nil {
				return err
			}
			r.Copied++
			r.CopiedBytes += f.Bytes
			crash(CrashFile)
		}
		at := "snapshots/" + r.Name + "/"
		db, err := put(ctx, b, at+storeFile, snapshot, "")
		if err != nil {
			return err
		}
		m.Database = File{storeFile, db.Bytes, db.SHA256}
		r.CopiedBytes += db.Bytes
		crash(CrashDatabase)
		// After the columnstore's: nothing stored then names a model that is not known here.
		if err := p.relational(ctx, b, at, &m, &r); err != nil {
			return err
		}
		crash(CrashRelational)
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

// relational copies users, devices, models and the rest, and the files that they name.
func (p *Platform) relational(ctx context.Context, b *blob.Bucket, at string, m *Manifest, r *Report) (err error) {
	if p.DB == nil || p.Blobs == nil {
		return nil
	}
	path := filepath.Join(p.Dir, "backup.db")
	if err := p.DB.Snapshot(ctx, path); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(path)) }()
	db, err := put(ctx, b, at+relationalFile, path, "")
	if err != nil {
		return err
	}
	db.Path = relationalFile
	m.Relational, r.Whole = &db, true
	r.CopiedBytes += db.Bytes
	// Asked after the snapshot: a file is kept before a row names it, and stays.
	shas, err := p.DB.Blobs(ctx)
	if err != nil {
		return err
	}
	for _, sha := range shas {
		text, err := p.Blobs.Fetch(ctx, sha)
		if err != nil {
			return err
		}
		m.Blobs = append(m.Blobs, File{sha, int64(len(text)), sha})
		r.Blobs++
		there, err := b.Exists(ctx, "files/"+sha)
		if err != nil {
			return err
		}
		if there {
			continue
		}
		if _, err := putFrom(ctx, b, "files/"+sha, "blob "+sha, bytes.NewReader(text), sha); err != nil {
			return err
		}
		r.CopiedBytes += int64(len(text))
	}
	return nil
}

// Names of the crash points.
const (
	CrashFile       = "backup-file"       // a sealed file is copied, there is no manifest
	CrashDatabase   = "backup-database"   // all of the columnstore is copied, there is no manifest
	CrashRelational = "backup-relational" // all is copied, there is no manifest
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

// Restore writes a backup ("" the newest) into the data directory dir, which must
// hold no platform, and verifies every byte of it. Models' files go to where.
func Restore(ctx context.Context, b *blob.Bucket, name, dir string, where *blobs.Store) (Manifest, error) {
	var m Manifest
	all, err := List(ctx, b)
	if err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	if name == "" && len(all) > 0 {
		name = all[len(all)-1]
	}
	if !slices.Contains(all, name) {
		return m, fmt.Errorf("restore: no backup %q: there are %s", name, cmp.Or(strings.Join(all, ", "), "none"))
	}
	at := "snapshots/" + name + "/"
	text, err := b.ReadAll(ctx, at+"manifest.json")
	if err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("restore: manifest: %w", err)
	}
	if err := m.room(dir); err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	var errs []error
	for _, f := range m.Files {
		if !filepath.IsLocal(f.Path) {
			return m, fmt.Errorf("restore: manifest names %q, which is no place below the store", f.Path)
		}
		errs = append(errs, get(ctx, b, "files/"+f.SHA256, filepath.Join(dir, storeDir, filepath.FromSlash(f.Path)), f))
	}
	for _, f := range m.Blobs {
		errs = append(errs, getBlob(ctx, b, where, f))
	}
	if err := errors.Join(errs...); err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	// The databases last: without them there is no platform, and restore may be started again.
	if m.Relational != nil {
		if err := get(ctx, b, at+relationalFile, filepath.Join(dir, relationalFile), *m.Relational); err != nil {
			return m, fmt.Errorf("restore: %w", err)
		}
	}
	if err := get(ctx, b, at+storeFile, filepath.Join(dir, storeDir, storeFile), m.Database); err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	return m, nil
}

// room says what of another platform is in the way. The relational file of the
// very backup is not: a restore was cut off after it.
func (m *Manifest) room(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, storeDir, storeFile)); err == nil {
		return fmt.Errorf("there is a store in %s: move it away first", filepath.Join(dir, storeDir))
	}
	have, err := os.ReadFile(filepath.Join(dir, relationalFile))
	if errors.Is(err, os.ErrNotExist) || m.Relational == nil {
		return nil
	}
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(have); hex.EncodeToString(sum[:]) != m.Relational.SHA256 {
		return fmt.Errorf("there are users, devices and models in %s: move it away first", filepath.Join(dir, relationalFile))
	}
	return nil
}

func getBlob(ctx context.Context, b *blob.Bucket, where *blobs.Store, f File) error {
	text, err := b.ReadAll(ctx, "files/"+f.SHA256)
	if err != nil {
		return err
	}
	sha, err := where.Put(ctx, text)
	if err == nil && sha != f.SHA256 {
		err = fmt.Errorf("files/%s in the backup is damaged: %d bytes with SHA-256 %s", f.SHA256, len(text), sha)
	}
	return err
}

func get(ctx context.Context, b *blob.Bucket, key, path string, want File) (err error) {
	r, err := b.NewReader(ctx, key, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp := path + ".tmp"
	fd, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
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
