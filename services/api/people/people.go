// Package people knows who may do what: users with a role, the one-time links
// by which they sign in, their sessions, and the audit. Secrets are 256 random
// bits; only their SHA-256 is kept. Everything here runs on wall time.
package people

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mudpulse/mudpulse/services/internal/relational"
)

// A Role may do what the roles before it may, and more.
type Role string

// The roles. Nobody is who has not signed in.
const (
	Nobody        Role = ""
	Viewer        Role = "viewer"        // looks
	Operator      Role = "operator"      // answers alarms
	Engineer      Role = "engineer"      // models, rules, devices
	Administrator Role = "administrator" // channels, people, tokens
)

// Roles lists them, least first.
var Roles = []Role{Viewer, Operator, Engineer, Administrator}

// May reports whether r includes what need asks for. A role that is none may nothing.
func (r Role) May(need Role) bool {
	have, want := slices.Index(Roles, r), slices.Index(Roles, need)
	return have >= 0 && want >= 0 && have >= want
}

// Lifetimes, wall time.
const (
	LinkLife    = 30 * time.Minute
	InviteLife  = 24 * time.Hour
	SessionLife = 30 * 24 * time.Hour
)

// Sentinels that callers tell apart.
var (
	ErrSecret  = errors.New("this sign-in link was used, is over, or was never given")
	ErrUnknown = errors.New("unknown")
	ErrLast    = errors.New("is the last administrator")
)

// An Identity is who asks.
type Identity struct {
	Name    string
	Role    Role
	Session string // hash of the session; empty: by a token
	Token   string // hash of a program's token; empty with Session: the administrator's own
}

// A Person is a user.
type Person struct {
	Name     string
	Role     Role
	Disabled bool
	Created  time.Time
	By       string
	Seen     time.Time // zero: never, or all sessions are over
	Sessions int       // browsers signed in
}

// Store keeps people; safe for concurrent use.
type Store struct {
	db  *relational.DB
	now func() time.Time // wall time; tests set it
}

// New returns a store on db.
func New(db *relational.DB) *Store { return &Store{db: db, now: time.Now} }

// SetNow replaces wall time, for tests.
func (s *Store) SetNow(now func() time.Time) { s.now = now }

func secret() string {
	var raw [32]byte
	rand.Read(raw[:])
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// hashOf is how secrets are kept: they are random, so a plain hash suffices, and
// finding them by it leaks nothing to a stopwatch.
func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// Invite returns a secret with which name signs in once as role, within life.
func (s *Store) Invite(ctx context.Context, name string, role Role, life time.Duration, by string) (string, time.Time, error) {
	word, now := secret(), s.now()
	expires := now.Add(life)
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM invitations WHERE expires <= ?", now.UnixNano()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO invitations (hash, name, role, expires, by_whom) VALUES (?, ?, ?, ?, ?)",
			hashOf(word), name, string(role), expires.UnixNano(), by)
		return err
	})
	if err != nil {
		return "", expires, fmt.Errorf("invite %q: %w", name, err)
	}
	return word, expires, nil
}

// SignIn takes a one-time secret and returns a session's; ErrSecret.
func (s *Store) SignIn(ctx context.Context, word, agent string) (session string, who Identity, expires time.Time, err error) {
	now := s.now()
	session, expires = secret(), now.Add(SessionLife)
	err = s.db.Tx(ctx, func(tx *sql.Tx) error {
		var by string
		row := tx.QueryRowContext(ctx, "DELETE FROM invitations WHERE hash = ? AND expires > ? RETURNING name, role, by_whom", hashOf(word), now.UnixNano())
		if err := row.Scan(&who.Name, (*string)(&who.Role), &by); errors.Is(err, sql.ErrNoRows) {
			return ErrSecret
		} else if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO users (name, role, created, by_whom) VALUES (?, ?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET role = excluded.role, disabled = FALSE`, who.Name, string(who.Role), now.UnixNano(), by); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE expires <= ?", now.UnixNano()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO sessions (hash, name, created, expires, agent) VALUES (?, ?, ?, ?, ?)",
			hashOf(session), who.Name, now.UnixNano(), expires.UnixNano(), cut(agent, 200))
		return err
	})
	if err != nil {
		return "", Identity{}, expires, fmt.Errorf("sign in: %w", err)
	}
	who.Session = hashOf(session)
	return session, who, expires, nil
}

// Session returns whose session this is; ErrUnknown where it is over or never was.
func (s *Store) Session(ctx context.Context, session string) (Identity, error) {
	who := Identity{Session: hashOf(session)}
	return s.check(ctx, who)
}

// Still returns what a session's owner may do now; ErrUnknown. A live channel asks it.
func (s *Store) Still(ctx context.Context, who Identity) (Identity, error) {
	if who.Token != "" {
		return s.checkToken(ctx, who.Token)
	}
	if who.Session == "" {
		return who, nil // the administrator's token does not end
	}
	return s.check(ctx, who)
}

func (s *Store) check(ctx context.Context, who Identity) (Identity, error) {
	now := s.now().UnixNano()
	var seen int64
	err := s.db.QueryRowContext(ctx, `SELECT u.name, u.role, s.seen FROM sessions s JOIN users u ON u.name = s.name
		WHERE s.hash = ? AND s.expires > ? AND NOT u.disabled`, who.Session, now).Scan(&who.Name, (*string)(&who.Role), &seen)
	if errors.Is(err, sql.ErrNoRows) {
		return Identity{}, fmt.Errorf("session: %w", ErrUnknown)
	}
	if err != nil {
		return Identity{}, fmt.Errorf("session: %w", err)
	}
	if now-seen > int64(seenEvery) {
		if _, err := s.db.ExecContext(ctx, "UPDATE sessions SET seen = ? WHERE hash = ?", now, who.Session); err != nil {
			return Identity{}, fmt.Errorf("session: %w", err)
		}
	}
	return who, nil
}

// SignOut ends a session.
func (s *Store) SignOut(ctx context.Context, who Identity) error {
	if _, err := s.db.ExecContext(ctx, "DELETE FROM sessions WHERE hash = ?", who.Session); err != nil {
		return fmt.Errorf("sign out: %w", err)
	}
	return nil
}

// People lists the users by name.
func (s *Store) People(ctx context.Context) ([]Person, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT u.name, u.role, u.disabled, u.created, u.by_whom, coalesce(max(max(s.seen, s.created)), 0), count(s.hash)
		FROM users u LEFT JOIN sessions s ON s.name = u.name AND s.expires > ? GROUP BY u.name ORDER BY u.name`, s.now().UnixNano())
	if err != nil {
		return nil, fmt.Errorf("people: %w", err)
	}
	defer rows.Close()
	out := []Person{}
	for rows.Next() {
		var p Person
		var created, seen int64
		if err := rows.Scan(&p.Name, (*string)(&p.Role), &p.Disabled, &created, &p.By, &seen, &p.Sessions); err != nil {
			return nil, fmt.Errorf("people: %w", err)
		}
		p.Created, p.Seen = at(created), at(seen)
		out = append(out, p)
	}
	return out, rows.Err()
}

// Change gives a user another role, or shuts them out and ends their sessions;
// ErrUnknown, and ErrLast: somebody must be left who can let people in.
func (s *Store) Change(ctx context.Context, name string, role Role, disabled bool) error {
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		var was bool
		err := tx.QueryRowContext(ctx, "SELECT role = ? AND NOT disabled FROM users WHERE name = ?", string(Administrator), name).Scan(&was)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrUnknown
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE users SET role = ?, disabled = ? WHERE name = ?", string(role), disabled, name); err != nil {
			return err
		}
		var left int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM users WHERE role = ? AND NOT disabled", string(Administrator)).Scan(&left); err != nil {
			return err
		}
		if was && left == 0 {
			return ErrLast
		}
		if disabled {
			_, err = tx.ExecContext(ctx, "DELETE FROM sessions WHERE name = ?", name)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("change %q: %w", name, err)
	}
	return nil
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}
