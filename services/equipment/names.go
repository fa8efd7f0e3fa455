package equipment

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/mudpulse/mudpulse/gateway/payload"
	"github.com/mudpulse/mudpulse/services/internal/outbox"
	"github.com/mudpulse/mudpulse/telemetry"
)

// MaxNames of one device.
const MaxNames = 500

// CheckNames joins all that is wrong with what a device calls its readings.
func CheckNames(names map[string]telemetry.Name, cat *telemetry.Catalogue) error {
	var wrong []error
	bad := func(name, format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("names.%s: %s", name, fmt.Sprintf(format, args...)))
	}
	if len(names) > MaxNames {
		wrong = append(wrong, fmt.Errorf("names: %d, at most %d", len(names), MaxNames))
	}
	for _, sent := range slices.Sorted(maps.Keys(names)) {
		n := names[sent]
		switch {
		case sent == "" || len(sent) > 200:
			bad(sent, "a name has 1 to 200 characters")
		case n.Drop:
		case math.IsNaN(n.Factor) || math.IsInf(n.Factor, 0) || math.IsNaN(n.Shift) || math.IsInf(n.Shift, 0):
			bad(sent, "factor and shift must be finite")
		default:
			if err := telemetry.ValidTag(n.Channel); err != nil {
				bad(sent, "channel: %v", err)
			} else if ch := cat.Get(n.Channel); ch != nil && n.Unit != "" {
				if _, _, ok := payload.ConvertUnit(n.Unit, ch); !ok {
					bad(sent, "unit %.20q cannot become the %s of %s: want a unit of %s, or a factor", n.Unit, ch.Unit, ch.Tag, ch.Quantity)
				}
			}
		}
	}
	return errors.Join(wrong...)
}

// SetNames says what a device calls its readings, in the place of what was said
// before; ErrUnknown. The gateway reads its next messages so.
func (r *Registry) SetNames(ctx context.Context, id string, names map[string]telemetry.Name) error {
	if err := CheckNames(names, r.cat); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.devices[id]
	if !ok {
		return fmt.Errorf("device %q: %w", id, ErrUnknown)
	}
	d.Names = maps.Clone(names)
	raw, err := json.Marshal(names)
	if err != nil {
		return err
	}
	err = r.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE devices SET names = ? WHERE id = ?", string(raw), id); err != nil {
			return err
		}
		return outbox.AddControl(ctx, tx, telemetry.ControlDevice, id, d)
	})
	if err != nil {
		return fmt.Errorf("names of device %q: %w", id, err)
	}
	r.devices[id] = d
	r.changes++
	r.out.Wake()
	return nil
}
