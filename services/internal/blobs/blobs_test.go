package blobs_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/services/internal/blobs"
)

func TestBytesAreFoundUnderTheirHash(t *testing.T) {
	dir, ctx := filepath.Join(t.TempDir(), "blobs"), t.Context()
	s, err := blobs.Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := []byte("<PMML/>")
	hash, err := s.Put(ctx, want)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.Put(ctx, want); err != nil || again != hash {
		t.Errorf("put again: %s, %v", again, err)
	}
	if got, err := s.Fetch(ctx, hash); err != nil || !bytes.Equal(got, want) {
		t.Errorf("fetched %q, %v", got, err)
	}
	var paths []string
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if !d.IsDir() {
			paths = append(paths, p)
		}
		return err
	})
	if err != nil || len(paths) != 1 {
		t.Fatalf("files %v, %v; want one", paths, err)
	}
	if err := os.WriteFile(paths[0], []byte("<PMMM/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Fetch(ctx, hash); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("damaged bytes: %v", err)
	}
	if _, err := s.Put(ctx, want); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Fetch(ctx, hash); err != nil {
		t.Errorf("putting it again did not mend it: %v", err)
	}
	if err := errors.Join(s.Delete(ctx, hash), s.Delete(ctx, hash)); err != nil {
		t.Error(err)
	}
	for _, h := range []string{hash, "", "../../etc/passwd", strings.ToUpper(hash)} {
		if _, err := s.Fetch(ctx, h); !errors.Is(err, blobs.ErrAbsent) {
			t.Errorf("fetch %q: %v", h, err)
		}
	}
}
