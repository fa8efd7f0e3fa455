package people

import (
	"context"
	"fmt"
	"time"
)

// seenEvery is how finely it is noted when somebody was last here.
const seenEvery = time.Minute

// A Session is one browser that somebody is signed in with. Its ID is a part of
// its hash: enough to end it, too little to be it.
type Session struct {
	ID      string
	Name    string
	Created time.Time
	Expires time.Time
	Seen    time.Time // zero: not since it began
	Agent   string
}

const idLength = 16

// Sessions lists those that hold, newest first.
func (s *Store) Sessions(ctx context.Context) ([]Session, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT substr(hash, 1, ?), name, created, expires, seen, agent FROM sessions WHERE expires > ? ORDER BY created DESC, hash", idLength, s.now().UnixNano())
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	defer rows.Close()
	out := []Session{}
	for rows.Next() {
		var x Session
		var created, expires, seen int64
		if err := rows.Scan(&x.ID, &x.Name, &created, &expires, &seen, &x.Agent); err != nil {
			return nil, fmt.Errorf("sessions: %w", err)
		}
		x.Created, x.Expires, x.Seen = at(created), at(expires), at(seen)
		out = append(out, x)
	}
	return out, rows.Err()
}

// EndSession signs a browser out; ErrUnknown.
func (s *Store) EndSession(ctx context.Context, id string) error {
	return s.gone(ctx, "session", "DELETE FROM sessions WHERE substr(hash, 1, ?) = ?", idLength, id)
}

// Invited is somebody who has a link and has not used it.
type Invited struct {
	Name    string
	Role    Role
	Expires time.Time
	By      string
}

// Invitations lists the links that still work, by name.
func (s *Store) Invitations(ctx context.Context) ([]Invited, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT name, role, max(expires), by_whom FROM invitations WHERE expires > ? GROUP BY name, role, by_whom ORDER BY name", s.now().UnixNano())
	if err != nil {
		return nil, fmt.Errorf("invitations: %w", err)
	}
	defer rows.Close()
	out := []Invited{}
	for rows.Next() {
		var x Invited
		var expires int64
		if err := rows.Scan(&x.Name, (*string)(&x.Role), &expires, &x.By); err != nil {
			return nil, fmt.Errorf("invitations: %w", err)
		}
		x.Expires = at(expires)
		out = append(out, x)
	}
	return out, rows.Err()
}
