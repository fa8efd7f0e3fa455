package equipment

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/mudpulse/mudpulse/services/internal/outbox"
	"github.com/mudpulse/mudpulse/telemetry"
)

// AddChannel puts a channel of the site's own into the catalogue, or changes it,
// and says so to gateways (control) and scorers (a marker in the stream).
func (r *Registry) AddChannel(ctx context.Context, ch telemetry.Channel, by string) error {
	ch.User, ch.Class = true, telemetry.Narrow
	if old := r.cat.Get(ch.Tag); old != nil && !old.User {
		return fmt.Errorf("tag: %q is one of mudpulse's own channels: %w", old.Tag, ErrExists)
	}
	// A catalogue of its own first: what it refuses must not reach the store.
	if _, err := telemetry.NewCatalogue(ch); err != nil {
		return fmt.Errorf("tag: %w", err)
	}
	if old := r.cat.Get(ch.Tag); old != nil && old.Tag != ch.Tag {
		return fmt.Errorf("tag: %q is there as %q and tags are unique without regard to case: %w", ch.Tag, old.Tag, ErrExists)
	}
	raw, err := json.Marshal(ch)
	if err != nil {
		return fmt.Errorf("channel %q: %w", ch.Tag, err)
	}
	now := r.clock.Now().UnixNano()
	r.mu.Lock()
	defer r.mu.Unlock()
	err = r.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO channels (tag, channel, created, by_whom) VALUES (?, ?, ?, ?)
			ON CONFLICT (tag) DO UPDATE SET channel = excluded.channel, by_whom = excluded.by_whom`, ch.Tag, raw, now, by); err != nil {
			return err
		}
		m := telemetry.Marker{ID: rand.Text(), Kind: telemetry.MarkerChannel, Name: ch.Tag, Version: 1, Action: "activate", By: by, At: now}
		if _, err := tx.ExecContext(ctx, "INSERT INTO activations (id, kind, name, version, shadow, action, marker) VALUES (?, ?, ?, ?, FALSE, ?, ?)",
			m.ID, m.Kind, m.Name, m.Version, m.Action, mustJSON(m)); err != nil {
			return err
		}
		if err := outbox.AddMarker(ctx, tx, m); err != nil {
			return err
		}
		return outbox.AddControl(ctx, tx, telemetry.ControlChannel, ch.Tag, ch)
	})
	if err != nil {
		return fmt.Errorf("channel %q: %w", ch.Tag, err)
	}
	r.out.Wake()
	if err := r.cat.Register(ch); err != nil {
		return fmt.Errorf("channel %q: %w", ch.Tag, err)
	}
	return nil
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: " + err.Error()) // strings and numbers only
	}
	return b
}
