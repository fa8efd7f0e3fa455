// Package annotations keeps what people wrote at a moment or a stretch of a
// drill's time: what no channel knows, for who reads the strip after them.
package annotations

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/mudpulse/mudpulse/services/internal/relational"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Bounds of what is written.
const (
	MaxText    = 2000                // characters
	MaxStretch = 31 * 24 * time.Hour // from its beginning to its end
	MaxAhead   = 5 * time.Minute     // what lies further ahead has not been seen by anybody
	MaxList    = 1000
)

// Sentinels that callers tell apart.
var (
	ErrUnknown = errors.New("unknown")
	ErrOthers  = errors.New("somebody else wrote it")
)

// An Annotation is a sentence at a drill's time.
type Annotation struct {
	ID       string
	Drill    string
	From, To int64 // event time, Unix ns; equal: a moment
	Text     string
	By       string
	Told     int64 // process clock, Unix ns
}

// Invalid is an annotation that is refused: every reason, each beginning with its field.
type Invalid struct{ Problems []error }

func (e *Invalid) Error() string { return errors.Join(e.Problems...).Error() }

// A Query selects annotations that touch [From, To], the latest first.
type Query struct {
	Drill    string // empty: all
	From, To int64  // Unix ns
	Limit    int    // at most MaxList
}

// Book keeps them in the relational store. Safe for concurrent use.
type Book struct {
	db    *relational.DB
	clock telemetry.Clock
}

// New returns the book in db.
func New(db *relational.DB, clock telemetry.Clock) *Book { return &Book{db: db, clock: clock} }

// Add writes one down and returns it with its id; an *Invalid names what is wrong.
func (b *Book) Add(ctx context.Context, a Annotation) (Annotation, error) {
	a.Told, a.ID = b.clock.Now().UnixNano(), rand.Text()
	if a.To == 0 {
		a.To = a.From
	}
	var bad []error
	if err := telemetry.ValidID(a.Drill); err != nil {
		bad = append(bad, fmt.Errorf("drill: %w", err))
	}
	if n := len([]rune(a.Text)); n == 0 || n > MaxText {
		bad = append(bad, fmt.Errorf("text: must have 1 to %d characters, not %d", MaxText, n))
	}
	if a.From <= 0 {
		bad = append(bad, errors.New("from: must be a time after 1970"))
	}
	if a.To < a.From {
		bad = append(bad, errors.New("to: must not be before from; leave it out for a moment"))
	}
	if a.To-a.From > int64(MaxStretch) {
		bad = append(bad, fmt.Errorf("to: must be at most %v after from", MaxStretch))
	}
	if a.To > a.Told+int64(MaxAhead) {
		bad = append(bad, fmt.Errorf("to: must not be later than now, %s", time.Unix(0, a.Told).UTC().Format(time.RFC3339)))
	}
	if len(bad) > 0 {
		return a, &Invalid{bad}
	}
	_, err := b.db.ExecContext(ctx, "INSERT INTO annotations (id, drill, from_ts, to_ts, text, by_whom, told) VALUES (?, ?, ?, ?, ?, ?, ?)", a.ID, a.Drill, a.From, a.To, a.Text, a.By, a.Told)
	if err != nil {
		return a, fmt.Errorf("annotate: %w", err)
	}
	return a, nil
}

// List returns those that q selects.
func (b *Book) List(ctx context.Context, q Query) ([]Annotation, error) {
	limit := q.Limit
	if limit < 1 || limit > MaxList {
		limit = MaxList
	}
	// The first bound on from_ts is for the index: none is longer.
	rows, err := b.db.QueryContext(ctx, `SELECT id, drill, from_ts, to_ts, text, by_whom, told FROM annotations
		WHERE (? = '' OR drill = ?) AND from_ts >= ? AND from_ts <= ? AND to_ts >= ? ORDER BY from_ts DESC, told, rowid LIMIT ?`,
		q.Drill, q.Drill, q.From-int64(MaxStretch), q.To, q.From, limit)
	if err != nil {
		return nil, fmt.Errorf("list annotations: %w", err)
	}
	defer rows.Close()
	out := []Annotation{}
	for rows.Next() {
		var a Annotation
		if err := rows.Scan(&a.ID, &a.Drill, &a.From, &a.To, &a.Text, &a.By, &a.Told); err != nil {
			return nil, fmt.Errorf("list annotations: %w", err)
		}
		out = append(out, a)
	}
	return out, rows.Err()
}

// Remove takes one away and returns what it said. Whoever did not write it gets
// ErrOthers, unless they may remove anybody's.
func (b *Book) Remove(ctx context.Context, id, by string, anybodys bool) (Annotation, error) {
	var a Annotation
	err := b.db.Tx(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, "SELECT id, drill, from_ts, to_ts, text, by_whom, told FROM annotations WHERE id = ?", id).Scan(&a.ID, &a.Drill, &a.From, &a.To, &a.Text, &a.By, &a.Told)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return fmt.Errorf("annotation %q: %w", id, ErrUnknown)
		case err != nil:
			return err
		case a.By != by && !anybodys:
			return fmt.Errorf("%w: %s, or an administrator, removes it", ErrOthers, a.By)
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM annotations WHERE id = ?", id)
		return err
	})
	if err != nil {
		return a, fmt.Errorf("remove: %w", err)
	}
	return a, nil
}
