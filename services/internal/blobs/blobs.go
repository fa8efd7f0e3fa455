// Package blobs keeps bytes under their own SHA-256: models, rules, checkpoints.
// A directory on one machine, a bucket for a fleet.
package blobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/gcerrors"
)

// MaxBytes bounds one blob.
const MaxBytes = 1 << 30

// ErrAbsent is wrapped by Fetch where no blob has that hash.
var ErrAbsent = errors.New("no such blob")

// Store is safe for concurrent use.
type Store struct {
	bucket *blob.Bucket
	dir    string // of a directory, else empty
}

// Open opens where: a directory, which is made, or the URL of a bucket whose
// driver the program links (file: is).
func Open(ctx context.Context, where string) (*Store, error) {
	if strings.Contains(where, "://") {
		b, err := blob.OpenBucket(ctx, where)
		if err != nil {
			return nil, fmt.Errorf("open blobs: %w", err)
		}
		return &Store{bucket: b}, nil
	}
	b, err := fileblob.OpenBucket(where, &fileblob.Options{
		CreateDir: true, NoTempDir: true, DirFileMode: 0o700, Metadata: fileblob.MetadataDontWrite,
	})
	if err != nil {
		return nil, fmt.Errorf("open blobs: %w", err)
	}
	return &Store{bucket: b, dir: where}, nil
}

// Put keeps b and returns its SHA-256 in hex. In a directory it is on disk when
// Put returns. The same bytes again cost a look.
func (s *Store) Put(ctx context.Context, b []byte) (string, error) {
	sum := sha256.Sum256(b)
	hash := hex.EncodeToString(sum[:])
	if len(b) > MaxBytes {
		return "", fmt.Errorf("put blob: %d bytes, at most %d are taken", len(b), MaxBytes)
	}
	key := keyOf(hash)
	if at, err := s.bucket.Attributes(ctx, key); err == nil && at.Size == int64(len(b)) {
		if _, err := s.Fetch(ctx, hash); err == nil { // a damaged one is written again
			return hash, nil
		}
	}
	if err := s.bucket.WriteAll(ctx, key, b, nil); err != nil {
		return "", fmt.Errorf("put blob %s: %w", hash, err)
	}
	if s.dir != "" {
		if err := s.sync(key); err != nil {
			return "", fmt.Errorf("put blob %s: %w", hash, err)
		}
	}
	return hash, nil
}

// Fetch returns the bytes whose SHA-256 is hash; they are checked against it.
func (s *Store) Fetch(ctx context.Context, hash string) ([]byte, error) {
	if raw, err := hex.DecodeString(hash); err != nil || len(raw) != sha256.Size || strings.ToLower(hash) != hash {
		return nil, fmt.Errorf("fetch blob %q: %w: a SHA-256 has 64 lower-case hex digits", hash, ErrAbsent)
	}
	r, err := s.bucket.NewReader(ctx, keyOf(hash), nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, fmt.Errorf("fetch blob %s: %w", hash, ErrAbsent)
	}
	if err != nil {
		return nil, fmt.Errorf("fetch blob %s: %w", hash, err)
	}
	b, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if e := r.Close(); err == nil {
		err = e
	}
	if err != nil {
		return nil, fmt.Errorf("fetch blob %s: %w", hash, err)
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != hash {
		return nil, fmt.Errorf("fetch blob %s: its %d bytes are damaged (they hash to %x)", hash, len(b), sum[:4])
	}
	return b, nil
}

// Delete takes a blob away; one that is not there is no error.
func (s *Store) Delete(ctx context.Context, hash string) error {
	if err := s.bucket.Delete(ctx, keyOf(hash)); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return fmt.Errorf("delete blob %s: %w", hash, err)
	}
	return nil
}

// Close gives the bucket back.
func (s *Store) Close() error { return s.bucket.Close() }

// keyOf spreads blobs over 256 directories.
func keyOf(hash string) string {
	if len(hash) < 3 {
		return "short/" + hash
	}
	return hash[:2] + "/" + hash[2:]
}

func (s *Store) sync(key string) error {
	path := filepath.Join(s.dir, filepath.FromSlash(key))
	for _, p := range []string{path, filepath.Dir(path), s.dir} {
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		err = f.Sync()
		if e := f.Close(); err == nil {
			err = e
		}
		if err != nil {
			return err
		}
	}
	return nil
}
