package people

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// A Drive is one time that a message in quarantine was sent again.
type Drive struct {
	At time.Time // wall
	By string
}

// Drove notes that a message was sent again.
func (s *Store) Drove(ctx context.Context, id, by string) error {
	if _, err := s.db.ExecContext(ctx, "INSERT INTO driven (id, at, by_whom) VALUES (?, ?, ?)", id, s.now().UnixNano(), by); err != nil {
		return fmt.Errorf("note that %s was sent again: %w", id, err)
	}
	return nil
}

// Driven lists when a message was sent again, oldest first.
func (s *Store) Driven(ctx context.Context, id string) ([]Drive, error) {
	all, err := s.AllDriven(ctx, []string{id})
	return all[id], err
}

// AllDriven is Driven of many, by id.
func (s *Store) AllDriven(ctx context.Context, ids []string) (map[string][]Drive, error) {
	out := map[string][]Drive{}
	if len(ids) == 0 {
		return out, nil
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	rows, err := s.db.QueryContext(ctx, "SELECT id, at, by_whom FROM driven WHERE id IN (?"+strings.Repeat(", ?", len(ids)-1)+") ORDER BY at", args...)
	if err != nil {
		return nil, fmt.Errorf("what was sent again: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, by string
		var ns int64
		if err := rows.Scan(&id, &ns, &by); err != nil {
			return nil, fmt.Errorf("what was sent again: %w", err)
		}
		out[id] = append(out[id], Drive{at(ns), by})
	}
	return out, rows.Err()
}
