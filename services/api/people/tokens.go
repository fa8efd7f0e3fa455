package people

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// tokenMark begins every token of a program, so that one is known when it is found in a file.
const tokenMark = "mp_"

// ErrTaken: there is a token of that name.
var ErrTaken = errors.New("is taken")

// A Token lets a program in, as what it may do.
type Token struct {
	ID      string
	Name    string
	Role    Role
	Created time.Time
	Expires time.Time // zero: until it is taken away
	Seen    time.Time // zero: never used
	By      string
}

// IsToken tells a program's token from the administrator's.
func IsToken(word string) bool { return strings.HasPrefix(word, tokenMark) }

// AddToken makes a token and returns its secret, which is told this once; life 0
// is for ever. ErrTaken.
func (s *Store) AddToken(ctx context.Context, name string, role Role, life time.Duration, by string) (string, Token, error) {
	now := s.now()
	t := Token{ID: strings.ToLower(rand.Text()[:12]), Name: name, Role: role, Created: now.UTC(), By: by}
	word, expires := tokenMark+secret(), int64(0)
	if life > 0 {
		t.Expires = now.Add(life).UTC()
		expires = t.Expires.UnixNano()
	}
	res, err := s.db.ExecContext(ctx, "INSERT INTO tokens (id, hash, name, role, created, expires, by_whom) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
		t.ID, hashOf(word), name, string(role), now.UnixNano(), expires, by)
	if err != nil {
		return "", Token{}, fmt.Errorf("token %q: %w", name, err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return "", Token{}, errors.Join(fmt.Errorf("the name %q %w", name, ErrTaken), err)
	}
	return word, t, nil
}

// Tokens lists them by name.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT id, name, role, created, expires, seen, by_whom FROM tokens ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	defer rows.Close()
	out := []Token{}
	for rows.Next() {
		var t Token
		var created, expires, seen int64
		if err := rows.Scan(&t.ID, &t.Name, (*string)(&t.Role), &created, &expires, &seen, &t.By); err != nil {
			return nil, fmt.Errorf("tokens: %w", err)
		}
		t.Created, t.Expires, t.Seen = at(created), at(expires), at(seen)
		out = append(out, t)
	}
	return out, rows.Err()
}

// RevokeToken takes a token away; ErrUnknown.
func (s *Store) RevokeToken(ctx context.Context, id string) error {
	return s.gone(ctx, "token", "DELETE FROM tokens WHERE id = ?", id)
}

// Token returns who holds this token; ErrUnknown where it is over or never was.
func (s *Store) Token(ctx context.Context, word string) (Identity, error) {
	return s.checkToken(ctx, hashOf(word))
}

func (s *Store) checkToken(ctx context.Context, hash string) (Identity, error) {
	who := Identity{Token: hash}
	now := s.now().UnixNano()
	var seen int64
	err := s.db.QueryRowContext(ctx, "SELECT name, role, seen FROM tokens WHERE hash = ? AND (expires = 0 OR expires > ?)", hash, now).Scan(&who.Name, (*string)(&who.Role), &seen)
	if errors.Is(err, sql.ErrNoRows) {
		return Identity{}, fmt.Errorf("token: %w", ErrUnknown)
	}
	if err != nil {
		return Identity{}, fmt.Errorf("token: %w", err)
	}
	if now-seen > int64(seenEvery) {
		if _, err := s.db.ExecContext(ctx, "UPDATE tokens SET seen = ? WHERE hash = ?", now, hash); err != nil {
			return Identity{}, fmt.Errorf("token: %w", err)
		}
	}
	return who, nil
}

// gone runs a deletion that must find something.
func (s *Store) gone(ctx context.Context, what, query string, args ...any) error {
	res, err := s.db.ExecContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(fmt.Errorf("%s: %w", what, ErrUnknown), err)
	}
	return nil
}

// at reads a time that 0 is none of.
func at(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}
