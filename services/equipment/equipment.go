// Package equipment knows what stands on the sites: drills with their field and
// contractor, the devices that may publish for them, and the channels that
// administrators have added to the catalogue.
package equipment

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/mudpulse/mudpulse/gateway/credential"
	"github.com/mudpulse/mudpulse/services/internal/outbox"
	"github.com/mudpulse/mudpulse/services/internal/relational"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Sentinels that callers tell apart.
var (
	ErrExists  = errors.New("exists")
	ErrUnknown = errors.New("unknown")
)

// A Drill is what people know of a drill.
type Drill struct {
	ID           string
	Name         string
	Field        string
	Contractor   string
	BitDiameterM float64 // m; 0 unknown
}

// A Device is a device as it is kept: without its password.
type Device struct {
	ID      string
	Drill   string
	Created int64 // process clock, Unix ns
	By      string
}

// Registry is the memory of it all, written through to the relational store.
// Safe for concurrent use; it implements gateway.Registry.
type Registry struct {
	db    *relational.DB
	cat   *telemetry.Catalogue
	clock telemetry.Clock
	log   *slog.Logger
	out   *outbox.Outbox

	mu      sync.RWMutex
	devices map[string]telemetry.Device
	by      map[string]string
	drills  map[string]Drill
	changes uint64 // of devices
}

// New returns a registry that knows nothing until Load.
func New(db *relational.DB, cat *telemetry.Catalogue, clock telemetry.Clock, out *outbox.Outbox, log *slog.Logger) *Registry {
	return &Registry{db: db, cat: cat, clock: clock, out: out, log: log,
		devices: map[string]telemetry.Device{}, by: map[string]string{}, drills: map[string]Drill{}}
}

// Load reads devices and drills, and registers the channels that were added.
func (r *Registry) Load(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.load(ctx); err != nil {
		return fmt.Errorf("load equipment: %w", err)
	}
	return nil
}

func (r *Registry) load(ctx context.Context) error {
	err := each(ctx, r.db, "SELECT id, drill, password, created, by_whom, names FROM devices", func(scan func(...any) error) error {
		var d telemetry.Device
		var by string
		var names []byte
		if err := scan(&d.ID, &d.Drill, &d.Password, &d.Created, &by, &names); err != nil {
			return err
		}
		if err := json.Unmarshal(names, &d.Names); err != nil {
			return fmt.Errorf("names of device %q: %w", d.ID, err)
		}
		r.devices[d.ID], r.by[d.ID] = d, by
		r.changes++
		return nil
	})
	if err != nil {
		return err
	}
	err = each(ctx, r.db, "SELECT id, name, field, contractor, bit_diameter_m FROM drills", func(scan func(...any) error) error {
		var d Drill
		if err := scan(&d.ID, &d.Name, &d.Field, &d.Contractor, &d.BitDiameterM); err != nil {
			return err
		}
		r.drills[d.ID] = d
		return nil
	})
	if err != nil {
		return err
	}
	chs, err := r.channels(ctx)
	for _, ch := range chs {
		if err := r.cat.Register(ch); err != nil {
			r.log.Warn("channel is not registered", "channel", ch.Tag, "err", err) // a newer catalogue has taken its tag
		}
	}
	return err
}

func (r *Registry) channels(ctx context.Context) ([]telemetry.Channel, error) {
	var out []telemetry.Channel
	err := each(ctx, r.db, "SELECT channel FROM channels ORDER BY created, tag", func(scan func(...any) error) error {
		var raw []byte
		if err := scan(&raw); err != nil {
			return err
		}
		var ch telemetry.Channel
		if err := json.Unmarshal(raw, &ch); err != nil {
			return err
		}
		out = append(out, ch)
		return nil
	})
	return out, err
}

// Device returns the device of that user name, with the hash of its password.
func (r *Registry) Device(username string) (telemetry.Device, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	d, ok := r.devices[username]
	return d, ok
}

// Changes counts the changes of devices.
func (r *Registry) Changes() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.changes
}

// Devices lists the devices by drill and name.
func (r *Registry) Devices() []Device {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]Device, 0, len(r.devices))
	for id, d := range r.devices {
		out = append(out, Device{ID: id, Drill: d.Drill, Created: d.Created, By: r.by[id]})
	}
	slices.SortFunc(out, func(a, b Device) int {
		return strings.Compare(a.Drill+"\x00"+a.ID, b.Drill+"\x00"+b.ID)
	})
	return out
}

// Add makes a device for drill and returns its name and its password, which is
// told this once. An empty id is made up from the drill's. ErrExists.
func (r *Registry) Add(ctx context.Context, drill, id, by string) (name, password string, err error) {
	if err := errors.Join(named("drill", drill), named("id", cmp.Or(id, "x"))); err != nil {
		return "", "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if id == "" {
		id = r.free(drill)
	}
	if _, ok := r.devices[id]; ok {
		return "", "", fmt.Errorf("device %q: %w: choose another id, or revoke it first", id, ErrExists)
	}
	password, err = r.put(ctx, id, drill, by)
	return id, password, err
}

// Renew gives a device another password, which is told this once; ErrUnknown.
func (r *Registry) Renew(ctx context.Context, id, by string) (d Device, password string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old, ok := r.devices[id]
	if !ok {
		return Device{}, "", fmt.Errorf("device %q: %w", id, ErrUnknown)
	}
	password, err = r.put(ctx, id, old.Drill, by)
	return Device{ID: id, Drill: old.Drill, Created: old.Created, By: r.by[id]}, password, err
}

// Ensure makes the device, or gives the one there is a new password.
func (r *Registry) Ensure(ctx context.Context, id, drill, by string) (name, password string, err error) {
	if err := errors.Join(named("drill", drill), named("id", id)); err != nil {
		return "", "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	password, err = r.put(ctx, id, drill, by)
	return id, password, err
}

func (r *Registry) put(ctx context.Context, id, drill, by string) (string, error) {
	password := credential.Generate()
	d := telemetry.Device{ID: id, Drill: drill, Password: credential.Hash(password), Created: r.clock.Now().UnixNano(), Names: r.devices[id].Names}
	err := r.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO devices (id, drill, password, created, by_whom) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET drill = excluded.drill, password = excluded.password, created = excluded.created, by_whom = excluded.by_whom`,
			d.ID, d.Drill, d.Password, d.Created, by); err != nil {
			return err
		}
		return outbox.AddControl(ctx, tx, telemetry.ControlDevice, id, d)
	})
	if err != nil {
		return "", fmt.Errorf("device %q: %w", id, err)
	}
	r.devices[id], r.by[id] = d, by
	r.changes++
	r.out.Wake()
	return password, nil
}

// free returns the first of drill-1, drill-2, … that no device has.
func (r *Registry) free(drill string) string {
	base := strings.ToLower(drill)
	if len(base) > 58 {
		base = base[:58]
	}
	for i := 1; ; i++ {
		id := base + "-" + strconv.Itoa(i)
		if _, ok := r.devices[id]; !ok {
			return id
		}
	}
}

// Revoke takes a device away; ErrUnknown. The gateway cuts its session.
func (r *Registry) Revoke(ctx context.Context, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.devices[id]; !ok {
		return fmt.Errorf("device %q: %w", id, ErrUnknown)
	}
	err := r.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM devices WHERE id = ?", id); err != nil {
			return err
		}
		return outbox.AddControl(ctx, tx, telemetry.ControlDevice, id, nil)
	})
	if err != nil {
		return fmt.Errorf("revoke device %q: %w", id, err)
	}
	delete(r.devices, id)
	delete(r.by, id)
	r.changes++
	r.out.Wake()
	return nil
}

// Drill returns what is known of a drill; the zero value with its ID if nothing is.
func (r *Registry) Drill(id string) Drill {
	r.mu.RLock()
	defer r.mu.RUnlock()
	d := r.drills[id]
	d.ID = id
	return d
}

// Drills returns all drills that somebody has described, or that have a device, by id.
func (r *Registry) Drills() []Drill {
	r.mu.RLock()
	defer r.mu.RUnlock()
	seen := map[string]Drill{}
	for _, d := range r.devices {
		seen[d.Drill] = Drill{ID: d.Drill}
	}
	for id, d := range r.drills {
		seen[id] = d
	}
	out := make([]Drill, 0, len(seen))
	for _, d := range seen {
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Drill) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// PutDrill keeps what is known of a drill.
func (r *Registry) PutDrill(ctx context.Context, d Drill) error {
	if err := named("drill", d.ID); err != nil {
		return err
	}
	if d.BitDiameterM < 0 || d.BitDiameterM > 2 || d.BitDiameterM != d.BitDiameterM {
		return fmt.Errorf("bit_diameter_m: must be 0 to 2, not %v", d.BitDiameterM)
	}
	for _, s := range []struct{ key, text string }{{"name", d.Name}, {"field", d.Field}, {"contractor", d.Contractor}} {
		if len(s.text) > 120 {
			return fmt.Errorf("%s: has %d bytes, at most 120 are taken", s.key, len(s.text))
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := r.db.ExecContext(ctx, `INSERT INTO drills (id, name, field, contractor, bit_diameter_m) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, field = excluded.field, contractor = excluded.contractor, bit_diameter_m = excluded.bit_diameter_m`,
		d.ID, d.Name, d.Field, d.Contractor, d.BitDiameterM)
	if err != nil {
		return fmt.Errorf("drill %q: %w", d.ID, err)
	}
	r.drills[d.ID] = d
	return nil
}

// Control writes everything to the control topic again: the log is a new one.
func (r *Registry) Control(ctx context.Context, tx *sql.Tx) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for id, d := range r.devices {
		if err := outbox.AddControl(ctx, tx, telemetry.ControlDevice, id, d); err != nil {
			return err
		}
	}
	for _, ch := range r.cat.All() {
		if ch.User {
			if err := outbox.AddControl(ctx, tx, telemetry.ControlChannel, ch.Tag, ch); err != nil {
				return err
			}
		}
	}
	return nil
}

func named(key, id string) error {
	if err := telemetry.ValidID(id); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

func each(ctx context.Context, db *relational.DB, query string, f func(scan func(...any) error) error) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
