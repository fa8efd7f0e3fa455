package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// FS is the directory a spool lives in. Tests give one that loses what was not synced.
type FS interface {
	// Create makes a new file for appending; it must not exist.
	Create(name string) (File, error)
	// Open opens a file for reading, and for Sync.
	Open(name string) (File, error)
	// List returns the names and sizes of all files.
	List() (map[string]int64, error)
	Remove(name string) error
	Rename(from, to string) error
	// Sync makes creations, renames and removals durable.
	Sync() error
}

// File is an open file of an FS.
type File interface {
	io.Writer
	io.ReaderAt
	io.Closer
	Sync() error
}

// Dir returns the directory at path, made if it is absent.
func Dir(path string) (FS, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make spool directory: %w", err)
	}
	return dir(path), nil
}

type dir string

func (d dir) Create(name string) (File, error) {
	f, err := os.OpenFile(filepath.Join(string(d), name), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return file{f}, nil
}

func (d dir) Open(name string) (File, error) {
	f, err := os.Open(filepath.Join(string(d), name))
	if err != nil {
		return nil, err
	}
	return file{f}, nil
}

func (d dir) List() (map[string]int64, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	out := make(map[string]int64, len(entries))
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case errors.Is(err, os.ErrNotExist):
		case err != nil:
			return nil, err
		case info.Mode().IsRegular():
			out[e.Name()] = info.Size()
		}
	}
	return out, nil
}

func (d dir) Remove(name string) error { return os.Remove(filepath.Join(string(d), name)) }

func (d dir) Rename(from, to string) error {
	return os.Rename(filepath.Join(string(d), from), filepath.Join(string(d), to))
}

func (d dir) Sync() error {
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

type file struct{ *os.File }

func (f file) Sync() error { return datasync(f.File) }

// WriteFile replaces name by data so that after a crash either the old or the
// new content is there, whole. pass names the crash points: pass-write, pass-rename.
func WriteFile(fs FS, name string, data []byte, crash func(string), pass string) error {
	tmp := name + ".tmp"
	if err := fs.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("write %s: %w", name, err)
	}
	f, err := fs.Create(tmp)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	crash(pass + "-write")
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	crash(pass + "-rename")
	if err := fs.Rename(tmp, name); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := fs.Sync(); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// ReadFile reads all of a file; os.ErrNotExist if there is none.
func ReadFile(fs FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
	return b, errors.Join(err, f.Close())
}
