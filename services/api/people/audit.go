package people

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// An Entry is one change that somebody made or tried to make.
type Entry struct {
	ID      int64
	At      time.Time // wall
	By      string
	Role    Role
	Action  string // operation, as OpenAPI names it
	Subject string // what it was done to
	Detail  string
	Remote  string
	Status  int // HTTP; 0: it was under way when the process ended
}

// Begin notes that somebody is about to change something, before it is changed:
// no change is without its row, whatever happens in between.
func (s *Store) Begin(ctx context.Context, e Entry) (int64, error) {
	res, err := s.db.ExecContext(ctx, "INSERT INTO audit (at, by_whom, role, action, subject, detail, remote, status) VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
		s.now().UnixNano(), e.By, string(e.Role), e.Action, cut(e.Subject, 300), cut(e.Detail, 2000), e.Remote)
	if err != nil {
		return 0, fmt.Errorf("audit: %w", err)
	}
	return res.LastInsertId()
}

// End completes a row with what came of it.
func (s *Store) End(ctx context.Context, id int64, subject, detail string, status int) error {
	_, err := s.db.ExecContext(ctx, "UPDATE audit SET subject = CASE WHEN ? = '' THEN subject ELSE ? END, detail = ?, status = ? WHERE id = ?",
		subject, cut(subject, 300), cut(detail, 2000), status, id)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// LastDone is the newest change of a kind to a subject that was made, not refused; false where there is none.
func (s *Store) LastDone(ctx context.Context, action, subject string) (Entry, bool, error) {
	e := Entry{Action: action, Subject: subject}
	var at int64
	err := s.db.QueryRowContext(ctx, `SELECT id, at, by_whom, role, detail, remote, status FROM audit
		WHERE action = ? AND subject = ? AND status BETWEEN 200 AND 299 ORDER BY id DESC LIMIT 1`, action, subject).
		Scan(&e.ID, &at, &e.By, (*string)(&e.Role), &e.Detail, &e.Remote, &e.Status)
	if errors.Is(err, sql.ErrNoRows) {
		return Entry{}, false, nil
	}
	if err != nil {
		return Entry{}, false, fmt.Errorf("audit: %w", err)
	}
	e.At = time.Unix(0, at).UTC()
	return e, true, nil
}

// Audit lists entries, newest first: at most limit, with an id below before where that is not 0.
func (s *Store) Audit(ctx context.Context, limit int, before int64) ([]Entry, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT id, at, by_whom, role, action, subject, detail, remote, status FROM audit
		WHERE ? = 0 OR id < ? ORDER BY id DESC LIMIT ?`, before, before, limit)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	defer rows.Close()
	out := []Entry{}
	for rows.Next() {
		var e Entry
		var at int64
		if err := rows.Scan(&e.ID, &at, &e.By, (*string)(&e.Role), &e.Action, &e.Subject, &e.Detail, &e.Remote, &e.Status); err != nil {
			return nil, fmt.Errorf("audit: %w", err)
		}
		e.At = time.Unix(0, at).UTC()
		out = append(out, e)
	}
	return out, rows.Err()
}
