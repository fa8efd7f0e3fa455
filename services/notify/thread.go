package notify

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/mudpulse/mudpulse/telemetry"
)

// incident is the fault that an item is of.
func (i *Item) incident() string { return cmp.Or(i.Incident, i.Alarm) }

// threadKind keeps those who are told because nobody answered apart: what they
// were told is another story.
func threadKind(kind string) string {
	if kind == "escalation" {
		return kind
	}
	return ""
}

// follow says whether an item is told at all, given what its target was told of
// the same incident: a further alarm of a fault only where it is more urgent, and
// of an end only where the beginning was told.
func follow(ctx context.Context, tx *sql.Tx, p *planned) (tell bool, err error) {
	i := &p.item
	if i.Event == telemetry.AlarmCleared {
		for _, event := range []string{telemetry.AlarmRaised, telemetry.AlarmEscalate} {
			for priority := telemetry.P1; priority <= telemetry.P3 && !tell; priority++ {
				if tell, err = there(ctx, tx, "SELECT 1 FROM notify_items WHERE id = ?", itemID(p.target, i.Alarm, event, priority)); err != nil {
					return false, err
				}
			}
		}
		return tell, nil
	}
	known, err := there(ctx, tx, "SELECT 1 FROM notify_threads WHERE target = ? AND incident = ? AND kind = ? AND priority <= ?", p.target, i.incident(), threadKind(p.kind), i.Priority)
	return !known, err
}

// join makes a delivery one of its incident's.
func join(ctx context.Context, tx *sql.Tx, p *planned, delivery string, at int64) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO notify_threads (target, incident, kind, first, priority, at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (target, incident, kind) DO UPDATE SET priority = min(priority, excluded.priority), at = excluded.at`,
		p.target, p.item.incident(), threadKind(p.kind), delivery, p.item.Priority, at)
	return err
}

// lift makes what comes of an incident after one of its alarms was over worth
// telling again, whatever was told before.
func lift(ctx context.Context, tx *sql.Tx, i *Item) error {
	_, err := tx.ExecContext(ctx, "UPDATE notify_threads SET priority = ? WHERE incident = ?", telemetry.P3+1, i.incident())
	return err
}

// thread is the message that m follows up, "" where it is the first of its incident, or of several.
func (n *Notifier) thread(ctx context.Context, target string, m *Message) (string, error) {
	if len(m.Items) == 0 || m.Kind == "digest" {
		return "", nil
	}
	var first string
	err := n.db.QueryRowContext(ctx, "SELECT first FROM notify_threads WHERE target = ? AND incident = ? AND kind = ?", target, m.Items[0].incident(), threadKind(m.Kind)).Scan(&first)
	if errors.Is(err, sql.ErrNoRows) || first == m.ID {
		return "", nil
	}
	return first, err
}

func there(ctx context.Context, tx *sql.Tx, query string, args ...any) (bool, error) {
	var one int
	err := tx.QueryRowContext(ctx, query, args...).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// itemID names what is told of an alarm to a target, for ever.
func itemID(target, alarm, event string, priority int) string {
	return hash(target, alarm, event, fmt.Sprint(priority))
}
