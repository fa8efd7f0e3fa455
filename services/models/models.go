package models

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/mudpulse/mudpulse/services/internal/outbox"
	"github.com/mudpulse/mudpulse/services/internal/relational"
	"github.com/mudpulse/mudpulse/telemetry"
)

// MaxBytes bounds one uploaded model.
const MaxBytes = 64 << 20

// What a Marker's Action is.
const (
	Activate   = "activate"
	Deactivate = "deactivate"
)

// Itself is who uploads what comes with the program.
const Itself = "mudpulse"

// ErrUnknown is wrapped where a model or a version is not there, ErrState where
// it cannot be done as things are.
var (
	ErrUnknown = errors.New("unknown")
	ErrState   = errors.New("cannot be done now")
)

// Blobs keeps bytes under their SHA-256.
type Blobs interface {
	Put(ctx context.Context, b []byte) (sha256 string, err error)
	Fetch(ctx context.Context, sha256 string) ([]byte, error)
}

// A Model is all versions under one name, and what is on.
type Model struct {
	Name     string
	Versions []Version         // newest first; at least one
	Active   *telemetry.Marker // nil: off
	Shadow   *telemetry.Marker // scored beside, raises nothing
	Canary   *telemetry.Marker // on in the place of Active for its Drills
}

// A Version is one upload; the same bytes again are the same version.
type Version struct {
	Name     string
	Version  int
	SHA256   string
	Size     int64
	Uploaded int64 // process clock, Unix ns
	By       string
	About    About

	Deprecated string // why it is not to be put on any more; "" it may be
}

// Registry is safe for concurrent use.
type Registry struct {
	db     *relational.DB
	blobs  Blobs
	engine Engine
	cat    Channels
	seen   func() []string // tags that came in the stream and are not registered
	clock  telemetry.Clock
	log    *slog.Logger
	out    *outbox.Outbox
	limits Limits
	gated  bool
	mu     sync.Mutex // one decision at a time
}

// New returns a registry; seen may be nil.
func New(db *relational.DB, blobs Blobs, engine Engine, cat Channels, seen func() []string, clock telemetry.Clock, out *outbox.Outbox, log *slog.Logger) *Registry {
	if seen == nil {
		seen = func() []string { return nil }
	}
	return &Registry{db: db, blobs: blobs, engine: engine, cat: cat, seen: seen, clock: clock, out: out, log: log, limits: DefaultLimits()}
}

// An Upload is a model as it comes in.
type Upload struct {
	Name string // "": what the model or the file is called
	File string
	PMML []byte
	Rows []byte // CSV: the engineer's own rows with what should come out; nil: none
	By   string
}

// Upload takes a model and returns its version. It is not on yet. The error is a
// *Refused with every problem, where the model is at fault.
func (r *Registry) Upload(ctx context.Context, u Upload) (Version, error) {
	if len(u.PMML) > MaxBytes {
		return Version{}, &Refused{What: "model", Problems: []Problem{{Message: fmt.Sprintf("has %d bytes", len(u.PMML)), Cure: fmt.Sprintf("at most %d are taken", MaxBytes)}}}
	}
	no := &Refused{What: "model"}
	about, err := r.engine.Read(u.PMML)
	if err != nil {
		var refused *Refused
		if about == nil || !errors.As(err, &refused) {
			return Version{}, err
		}
		no.Problems = append(no.Problems, refused.Problems...)
	}
	name := u.Name
	if name == "" {
		if name = NameFrom(about.ModelName); name == "" {
			name = NameFrom(u.File)
		}
	}
	if err := ValidName(name); err != nil {
		no.Problems = append(no.Problems, Problem{Element: "name", Message: err.Error(), Cure: "say ?name=… with the upload"})
	} else {
		no.What = "model " + name
	}
	outputs, err := r.outputs(ctx)
	if err != nil {
		return Version{}, err
	}
	problems, unregistered := bind(about, name, r.cat, r.seen(), outputs)
	no.Problems = append(no.Problems, problems...)
	about.Checks = append(about.Checks, bindingCheck(about, unregistered))
	problems, doubts := misused(about, r.cat)
	no.Problems = append(no.Problems, problems...)
	about.Checks = append(about.Checks, unitCheck(about, doubts))
	if u.By != Itself { // what comes with the program was tried when it was made
		tried, err := r.engine.Try(ctx, u.PMML, Trial{Inputs: testOf(about, r.cat), Every: about.Every, Rows: u.Rows, Limits: r.limits})
		var refused *Refused
		switch {
		case errors.As(err, &refused):
			no.Problems = append(no.Problems, refused.Problems...)
		case err != nil:
			return Version{}, fmt.Errorf("try model %s: %w", name, err)
		}
		no.Problems = append(no.Problems, tried.Problems...)
		about.Checks = append(about.Checks, tried.Checks...)
	}
	if len(no.Problems) > 0 {
		return Version{}, no
	}
	return r.keep(ctx, name, about, u)
}

// keep makes a version of what may come in.
func (r *Registry) keep(ctx context.Context, name string, about *About, u Upload) (Version, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, by := u.PMML, u.By
	sha, err := r.blobs.Put(ctx, b) // before any row or marker names it
	if err != nil {
		return Version{}, err
	}
	v := Version{Name: name, SHA256: sha, Size: int64(len(b)), Uploaded: r.clock.Now().UnixNano(), By: by, About: *about}
	err = r.db.Tx(ctx, func(tx *sql.Tx) error {
		var last sql.NullInt64
		row := tx.QueryRowContext(ctx, "SELECT version, uploaded, by_whom FROM models WHERE name = ? AND sha256 = ?", name, sha)
		if err := row.Scan(&v.Version, &v.Uploaded, &v.By); err == nil {
			_, err = tx.ExecContext(ctx, "UPDATE models SET about = ? WHERE name = ? AND version = ?", asJSON(about), name, v.Version)
			return err
		} else if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err := tx.QueryRowContext(ctx, "SELECT max(version) FROM models WHERE name = ?", name).Scan(&last); err != nil {
			return err
		}
		v.Version = int(last.Int64) + 1
		_, err := tx.ExecContext(ctx, "INSERT INTO models (name, version, sha256, size, uploaded, by_whom, about) VALUES (?, ?, ?, ?, ?, ?, ?)",
			name, v.Version, sha, v.Size, v.Uploaded, by, asJSON(about))
		return err
	})
	if err != nil {
		return Version{}, fmt.Errorf("keep model %s: %w", name, err)
	}
	return v, nil
}

func bindingCheck(about *About, unregistered []string) Check {
	c := Check{Name: "inputs", OK: true, Detail: fmt.Sprintf("all %d are channels, features of channels, or outputs of models", len(about.Inputs))}
	if len(unregistered) > 0 {
		c.OK = false
		c.Detail = strings.Join(unregistered, ", ") + " come from drills but are not registered: they are missing to the model until an administrator gives them a unit"
	}
	return c
}

func unitCheck(about *About, doubts []string) Check {
	said := 0
	for i := range about.Inputs {
		if about.Inputs[i].Declared != "" {
			said++
		}
	}
	c := Check{Name: "units", OK: len(doubts) == 0, Detail: fmt.Sprintf("%d of %d inputs say theirs, and none contradicts the channels'", said, len(about.Inputs))}
	if len(doubts) > 0 {
		c.Detail = strings.Join(doubts, "; ")
	}
	return c
}

// outputs lists the outputs of the newest version of every model.
func (r *Registry) outputs(ctx context.Context) (map[string][]string, error) {
	all, err := r.List(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for _, m := range all {
		for _, o := range m.Versions[0].About.Outputs {
			out[m.Name] = append(out[m.Name], o.Name)
		}
	}
	return out, nil
}

// List returns all models by name.
func (r *Registry) List(ctx context.Context) ([]Model, error) {
	rows, err := r.db.QueryContext(ctx, "SELECT name, version, sha256, size, uploaded, by_whom, about, deprecated FROM models ORDER BY name, version DESC")
	if err != nil {
		return nil, fmt.Errorf("list models: %w", err)
	}
	defer rows.Close()
	var out []Model
	for rows.Next() {
		var v Version
		var about []byte
		if err := rows.Scan(&v.Name, &v.Version, &v.SHA256, &v.Size, &v.Uploaded, &v.By, &about, &v.Deprecated); err != nil {
			return nil, fmt.Errorf("list models: %w", err)
		}
		if err := json.Unmarshal(about, &v.About); err != nil {
			return nil, fmt.Errorf("list models: %s: %w", v.Name, err)
		}
		if n := len(out); n == 0 || out[n-1].Name != v.Name {
			out = append(out, Model{Name: v.Name})
		}
		m := &out[len(out)-1]
		m.Versions = append(m.Versions, v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list models: %w", err)
	}
	on, err := r.present(ctx)
	if err != nil {
		return nil, err
	}
	for i := range out {
		for j := range on {
			if on[j].Kind != telemetry.MarkerModel || on[j].Name != out[i].Name {
				continue
			}
			switch {
			case on[j].Shadow:
				out[i].Shadow = &on[j]
			case on[j].Canary:
				out[i].Canary = &on[j]
			default:
				out[i].Active = &on[j]
			}
		}
	}
	return out, nil
}

// Get returns one model; ErrUnknown.
func (r *Registry) Get(ctx context.Context, name string) (Model, error) {
	all, err := r.List(ctx)
	if err != nil {
		return Model{}, err
	}
	for _, m := range all {
		if m.Name == name {
			return m, nil
		}
	}
	return Model{}, fmt.Errorf("model %q: %w", name, ErrUnknown)
}

// version returns one of m's versions; 0 is the newest.
func (m *Model) version(n int) (Version, error) {
	if n == 0 {
		return m.Versions[0], nil
	}
	for _, v := range m.Versions {
		if v.Version == n {
			return v, nil
		}
	}
	return Version{}, fmt.Errorf("model %s has no version %d (its newest is %d): %w", m.Name, n, m.Versions[0].Version, ErrUnknown)
}

// PMML returns the bytes of one version as they were uploaded.
func (r *Registry) PMML(ctx context.Context, name string, version int) ([]byte, Version, error) {
	m, err := r.Get(ctx, name)
	if err != nil {
		return nil, Version{}, err
	}
	v, err := m.version(version)
	if err != nil {
		return nil, Version{}, err
	}
	b, err := r.blobs.Fetch(ctx, v.SHA256)
	return b, v, err
}

// Activate switches version (0: the newest) of name on for drills (globs;
// empty: all), and returns the marker's id. As a shadow it scores beside what is
// on. It asks for no report: people's roads are Promote and shadows.
func (r *Registry) Activate(ctx context.Context, name string, version int, shadow bool, drills []string, by string) (string, error) {
	if err := checkDrills(drills); err != nil {
		return "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	m, err := r.Get(ctx, name)
	if err != nil {
		return "", err
	}
	v, err := m.version(version)
	if err != nil {
		return "", err
	}
	if shadow && m.Active != nil && m.Active.Version == v.Version && len(m.Active.Drills) == 0 {
		return "", fmt.Errorf("version %d of %s is the one that is on: a shadow of it would say the same; push another version, or name one with version: %w", v.Version, name, ErrState)
	}
	set := []telemetry.Marker{r.marker(v, Activate, shadow, drills, by)}
	if !shadow && m.Shadow != nil && m.Shadow.Version == v.Version { // promoted: it need not run twice
		set = append(set, r.marker(v, Deactivate, true, nil, by))
	}
	return set[0].ID, r.decide(ctx, set...)
}

// Rollback takes a canary off, or switches back to the version that was on before
// the present one. It asks for no report: it must go fast.
func (r *Registry) Rollback(ctx context.Context, name, by string) (string, int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m, err := r.Get(ctx, name)
	if err != nil {
		return "", 0, err
	}
	if c := m.Canary; c != nil {
		gone := r.marker(Version{Name: name, Version: c.Version, SHA256: c.SHA256}, Deactivate, false, nil, by)
		gone.Canary = true
		return gone.ID, m.Active.Version, r.decide(ctx, gone)
	}
	before, err := r.before(ctx, m)
	if err != nil {
		return "", 0, err
	}
	v, err := m.version(before.Version)
	if err != nil {
		return "", 0, err
	}
	mark := r.marker(v, Activate, false, before.Drills, by)
	return mark.ID, v.Version, r.decide(ctx, mark)
}

// before walks the switches of m back to the newest that had another version on.
// A roll back is itself a switch, so rolling back twice goes on backwards: the
// versions that were rolled back from are jumped.
func (r *Registry) before(ctx context.Context, m Model) (telemetry.Marker, error) {
	var past []telemetry.Marker
	err := r.each(ctx, "SELECT marker FROM activations WHERE kind = 'model' AND name = ? AND NOT shadow AND NOT canary AND action = 'activate' ORDER BY seq", func(mk telemetry.Marker) {
		// The stack of versions: returning to an older one takes those above it away.
		for i, p := range past {
			if p.Version == mk.Version {
				past = past[:i]
				break
			}
		}
		past = append(past, mk)
	}, m.Name)
	if err != nil {
		return telemetry.Marker{}, err
	}
	if m.Active == nil && len(past) > 0 {
		return past[len(past)-1], nil // it is off: back to what was on
	}
	if len(past) < 2 {
		return telemetry.Marker{}, fmt.Errorf("model %s: no other version was on before: %w", m.Name, ErrState)
	}
	return past[len(past)-2], nil
}

// Deactivate switches a model off, and its shadow too.
func (r *Registry) Deactivate(ctx context.Context, name, by string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m, err := r.Get(ctx, name)
	if err != nil {
		return "", err
	}
	var set []telemetry.Marker
	for _, on := range []*telemetry.Marker{m.Canary, m.Active, m.Shadow} {
		if on != nil {
			off := r.marker(Version{Name: name, Version: on.Version, SHA256: on.SHA256}, Deactivate, on.Shadow, nil, by)
			off.Canary = on.Canary
			set = append(set, off)
		}
	}
	if len(set) == 0 {
		return "", fmt.Errorf("model %s is not on: %w", name, ErrState)
	}
	return set[0].ID, r.decide(ctx, set...)
}

func (r *Registry) marker(v Version, action string, shadow bool, drills []string, by string) telemetry.Marker {
	return telemetry.Marker{
		ID: rand.Text(), Kind: telemetry.MarkerModel, Name: v.Name, Version: v.Version, SHA256: v.SHA256,
		Action: action, Shadow: shadow, Drills: slices.Clone(drills), By: by, At: r.clock.Now().UnixNano(),
	}
}

// decide writes switches, their markers and the present state in one transaction.
func (r *Registry) decide(ctx context.Context, set ...telemetry.Marker) error {
	return r.decideFor(ctx, "", set...)
}

func addSwitch(ctx context.Context, tx *sql.Tx, m telemetry.Marker) error {
	if _, err := tx.ExecContext(ctx, "INSERT INTO activations (id, kind, name, version, shadow, canary, action, marker) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		m.ID, m.Kind, m.Name, m.Version, m.Shadow, m.Canary, m.Action, asJSON(m)); err != nil {
		return err
	}
	return outbox.AddMarker(ctx, tx, m)
}

func control(ctx context.Context, tx *sql.Tx, m telemetry.Marker) error {
	kind, name := telemetry.ControlModel, m.Name
	switch {
	case m.Kind == telemetry.MarkerRules:
		kind = telemetry.ControlRules
	case m.Kind != telemetry.MarkerModel:
		return nil // channels have a control record of their own
	case m.Shadow:
		name += "/shadow"
	case m.Canary:
		name += "/canary"
	}
	if m.Action == Deactivate {
		return outbox.AddControl(ctx, tx, kind, name, nil)
	}
	return outbox.AddControl(ctx, tx, kind, name, telemetry.ModelState{Name: m.Name, Version: m.Version, SHA256: m.SHA256, Shadow: m.Shadow, Canary: m.Canary, Drills: m.Drills})
}

// present returns what is on, in the order it was switched on: the last switch
// per kind, name, shadow and canary, where that switched on.
func (r *Registry) present(ctx context.Context) ([]telemetry.Marker, error) {
	var on []telemetry.Marker
	err := r.each(ctx, `SELECT marker FROM activations WHERE seq IN (SELECT max(seq) FROM activations GROUP BY kind, name, shadow, canary)
		AND action = 'activate' ORDER BY seq`, func(m telemetry.Marker) { on = append(on, m) })
	return on, err
}

// Republish writes everything that is on again: the log is a new one. The ids
// stay: stores know these switches already, new scorers take them.
func (r *Registry) Republish(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, `SELECT marker FROM activations WHERE seq IN (SELECT max(seq) FROM activations GROUP BY kind, name, shadow, canary)
		AND action = 'activate' ORDER BY canary, seq`) // a canary after what it stands in for
	if err != nil {
		return err
	}
	var on []telemetry.Marker
	if err := scanMarkers(rows, func(m telemetry.Marker) { on = append(on, m) }); err != nil {
		return err
	}
	for _, m := range on {
		if err := errors.Join(outbox.AddMarker(ctx, tx, m), control(ctx, tx, m)); err != nil {
			return err
		}
	}
	return nil
}

func (r *Registry) each(ctx context.Context, query string, f func(telemetry.Marker), args ...any) error {
	rows, err := r.db.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("switches: %w", err)
	}
	return scanMarkers(rows, f)
}

func scanMarkers(rows *sql.Rows, f func(telemetry.Marker)) error {
	defer rows.Close()
	for rows.Next() {
		var raw []byte
		var m telemetry.Marker
		if err := rows.Scan(&raw); err != nil {
			return fmt.Errorf("switches: %w", err)
		}
		if err := json.Unmarshal(raw, &m); err != nil {
			return fmt.Errorf("switches: %w", err)
		}
		f(m)
	}
	return rows.Err()
}

func asJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: " + err.Error()) // plain structs
	}
	return b
}
