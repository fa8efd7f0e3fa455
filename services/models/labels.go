package models

import (
	"context"
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// A Label is a span in which something was the matter with a drill: To is when it
// failed, or was found and mended. Its kind is the failure's, as pump_valve; kind
// "failure" says that the machine failed, and no more.
type Label struct {
	Drill string
	Kind  string
	From  int64 // Unix ns
	To    int64
	Value string
	By    string
}

// Labels returns all, by drill and time.
func (r *Registry) Labels(ctx context.Context) ([]Label, error) {
	rows, err := r.db.QueryContext(ctx, "SELECT drill, kind, from_ts, to_ts, value, by_whom FROM labels ORDER BY drill, from_ts, to_ts, kind")
	if err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	defer rows.Close()
	out := []Label{}
	for rows.Next() {
		var l Label
		if err := rows.Scan(&l.Drill, &l.Kind, &l.From, &l.To, &l.Value, &l.By); err != nil {
			return nil, fmt.Errorf("labels: %w", err)
		}
		out = append(out, l)
	}
	return out, rows.Err()
}

// AddLabels keeps labels; one that is there already stays as it is, with the new value.
func (r *Registry) AddLabels(ctx context.Context, all []Label, by string) error {
	err := r.db.Tx(ctx, func(tx *sql.Tx) error {
		for _, l := range all {
			_, err := tx.ExecContext(ctx, `INSERT INTO labels (drill, kind, from_ts, to_ts, value, by_whom, at) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET value = excluded.value`, l.Drill, l.Kind, l.From, l.To, l.Value, by, time.Now().UnixNano())
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keep labels: %w", err)
	}
	return nil
}

// RemoveLabels forgets those of a drill and kind; empty: of all. It returns how many.
func (r *Registry) RemoveLabels(ctx context.Context, drill, kind string) (int64, error) {
	res, err := r.db.ExecContext(ctx, "DELETE FROM labels WHERE (? = '' OR drill = ?) AND (? = '' OR kind = ?)", drill, drill, kind, kind)
	if err != nil {
		return 0, fmt.Errorf("remove labels: %w", err)
	}
	return res.RowsAffected()
}

var labelKind = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,39}$`)

// ReadLabels reads a CSV with the columns drill, kind, from, to (RFC 3339) and
// value, which may be left out. The error is a *Refused with every bad line.
func ReadLabels(b io.Reader) ([]Label, error) {
	no := &Refused{What: "labels"}
	r := csv.NewReader(b)
	r.FieldsPerRecord = -1
	head, err := r.Read()
	if err != nil {
		no.Problems = append(no.Problems, Problem{Line: 1, Message: fmt.Sprintf("cannot be read: %v", err), Cure: "begin with drill,kind,from,to,value"})
		return nil, no
	}
	col := func(name string) int {
		return slices.IndexFunc(head, func(h string) bool { return strings.TrimSpace(strings.TrimPrefix(h, "\ufeff")) == name })
	}
	at := [5]int{col("drill"), col("kind"), col("from"), col("to"), col("value")}
	for i, name := range []string{"drill", "kind", "from", "to"} {
		if at[i] < 0 {
			no.Problems = append(no.Problems, Problem{Line: 1, Element: name, Message: "there is no such column", Cure: "begin with drill,kind,from,to,value"})
		}
	}
	if len(no.Problems) > 0 {
		return nil, no
	}
	var out []Label
	for len(no.Problems) < 20 {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			no.Problems = append(no.Problems, Problem{Message: err.Error()})
			break
		}
		line, _ := r.FieldPos(0)
		get := func(k int) string {
			if at[k] < 0 || at[k] >= len(rec) {
				return ""
			}
			return strings.TrimSpace(rec[at[k]])
		}
		bad := func(element, message, cure string) {
			no.Problems = append(no.Problems, Problem{Line: line, Element: element, Message: message, Cure: cure})
		}
		l := Label{Drill: get(0), Kind: get(1), Value: get(4)}
		if err := telemetry.ValidID(l.Drill); err != nil {
			bad("drill", err.Error(), "")
		}
		if !labelKind.MatchString(l.Kind) {
			bad("kind", fmt.Sprintf("%q: want letters, digits, _ and -, beginning with a letter, at most 40", l.Kind), "as pump_valve, bearing, failure")
		}
		from, err := time.Parse(time.RFC3339, get(2))
		to, err2 := time.Parse(time.RFC3339, get(3))
		switch {
		case err != nil:
			bad("from", fmt.Sprintf("%q is no time", get(2)), "write 2026-01-31T06:00:00Z")
		case err2 != nil:
			bad("to", fmt.Sprintf("%q is no time", get(3)), "write 2026-01-31T06:00:00Z")
		case !from.Before(to):
			bad("to", "must be after from", "")
		}
		l.From, l.To = from.UnixNano(), to.UnixNano()
		out = append(out, l)
	}
	if len(no.Problems) > 0 {
		return nil, no
	}
	return out, nil
}
