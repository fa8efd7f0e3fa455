package notify

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mudpulse/mudpulse/services/internal/relational"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Config of the sender. All of it is wall time.
type Config struct {
	Every   time.Duration // between looks for what is due
	Backoff time.Duration // after the first failed try; it doubles
	Longest time.Duration // between two tries
	GiveUp  time.Duration // after which a message has failed
	Timeout time.Duration // of one try
	Lease   time.Duration // for which one process decides and sends
	TooOld  time.Duration // an alarm raised longer ago is told to nobody
	UTC     time.Duration // rig-local time is UTC plus this
	Tour    Tour
	AtOnce  int    // messages to one target in a row
	Page    string // where people reach the page, ending in /; empty: messages have no link

	Age      func(at int64) time.Duration // of something at a time of the process clock, in wall time; nil: that is wall time
	KeepSent time.Duration
}

// DefaultConfig suits mail and chat.
func DefaultConfig() Config {
	return Config{Every: time.Second, Backoff: 5 * time.Second, Longest: 10 * time.Minute, GiveUp: 24 * time.Hour, Timeout: 20 * time.Second, Lease: 15 * time.Second,
		TooOld: 24 * time.Hour, Tour: Tour{6 * 60, 18 * 60}, AtOnce: 20, KeepSent: 30 * 24 * time.Hour}
}

// Alarms says how an alarm stands; the api's book is one.
type Alarms interface {
	// Unanswered reports whether the alarm stands and nobody has acknowledged or shelved it.
	Unanswered(id string) bool
}

// Notifier decides and sends. Safe for concurrent use.
type Notifier struct {
	cfg    Config
	db     *relational.DB
	alarms Alarms
	now    func() time.Time
	log    *slog.Logger
	me     string // of the lease
	wake   chan struct{}

	mu       sync.Mutex
	settings NotifySettings
	busy     map[string]bool // targets that are being sent to
	m        metrics
}

type metrics struct {
	sent   *prometheus.CounterVec
	failed *prometheus.CounterVec
	unsure prometheus.Counter
}

// fact is under which the settings are kept.
const fact = "notify"

// New returns a notifier; Load reads its settings. reg may be nil.
func New(cfg Config, db *relational.DB, alarms Alarms, now func() time.Time, log *slog.Logger, reg prometheus.Registerer) *Notifier {
	n := &Notifier{cfg: cfg, db: db, alarms: alarms, now: now, log: log, me: rand.Text(), wake: make(chan struct{}, 1), busy: map[string]bool{}}
	n.m.sent = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "notify_sent_total", Help: "Messages that a server took."}, []string{"kind"})
	n.m.failed = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "notify_failed_tries_total", Help: "Tries that failed; they are made again."}, []string{"kind"})
	n.m.unsure = prometheus.NewCounter(prometheus.CounterOpts{Name: "notify_unsure_total", Help: "Tries after which a server may have taken a message without saying so; it is sent again under the same id."})
	if reg != nil {
		reg.MustRegister(n.m.sent, n.m.failed, n.m.unsure)
	}
	return n
}

// Load reads the settings.
func (n *Notifier) Load(ctx context.Context) error {
	text, err := n.db.Fact(ctx, fact)
	if err != nil || text == "" {
		return err
	}
	var s NotifySettings
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return fmt.Errorf("notification settings: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.settings = s
	return nil
}

// Settings returns them without secrets.
func (n *Notifier) Settings() NotifySettings {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.settings.masked()
}

// Set puts settings in force; an *Invalid says what is wrong with them.
func (n *Notifier) Set(ctx context.Context, s NotifySettings) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	s.Hosts, s.Targets, s.Rules = slices.Clone(s.Hosts), slices.Clone(s.Targets), slices.Clone(s.Rules)
	s.keep(&n.settings)
	if err := s.Validate(); err != nil {
		return err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("notification settings: %w", err)
	}
	if err := n.db.Tx(ctx, func(tx *sql.Tx) error { return relational.SetFact(ctx, tx, fact, string(text)) }); err != nil {
		return fmt.Errorf("notification settings: %w", err)
	}
	n.settings = s
	n.wakeUp()
	return nil
}

func (n *Notifier) wakeUp() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// ErrUnknown is returned for a target or message that is not there.
var ErrUnknown = errors.New("unknown")

// Test queues a test message to a target and returns its id.
func (n *Notifier) Test(ctx context.Context, target string) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.target(target) == nil {
		return "", fmt.Errorf("target %q: %w", target, ErrUnknown)
	}
	id := hash("test", target, rand.Text())
	now := n.now().UnixNano()
	_, err := n.db.ExecContext(ctx, "INSERT INTO notify_deliveries (id, target, kind, created, due, state, subject) VALUES (?, ?, 'test', ?, ?, 'waiting', 'mudpulse: a test')", id, target, now, now)
	if err != nil {
		return "", fmt.Errorf("test of %q: %w", target, err)
	}
	n.wakeUp()
	return id, nil
}

func (n *Notifier) target(id string) *NotifyTarget {
	for i := range n.settings.Targets {
		if n.settings.Targets[i].ID == id {
			t := n.settings.Targets[i]
			return &t
		}
	}
	return nil
}

// Take decides what is told of alarm events, in one transaction with how far the
// topic was read. Told again, it decides the same and nothing is queued twice.
func (n *Notifier) Take(ctx context.Context, events []telemetry.AlarmEvent, partition int32, next int64) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	err := n.db.Tx(ctx, func(tx *sql.Tx) error {
		for i := range events {
			if err := n.take(ctx, tx, &events[i], now); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO notify_offsets (part, next) VALUES (?, ?) ON CONFLICT (part) DO UPDATE SET next = max(next, excluded.next)", partition, next)
		return err
	})
	if err != nil {
		return fmt.Errorf("decide what is told: %w", err)
	}
	n.wakeUp()
	return nil
}

func (n *Notifier) take(ctx context.Context, tx *sql.Tx, e *telemetry.AlarmEvent, now time.Time) error {
	switch e.Event {
	case telemetry.AlarmRaised, telemetry.AlarmEscalate, telemetry.AlarmCleared:
	default:
		return nil
	}
	if e.Origin != telemetry.Live {
		return nil // history pages nobody
	}
	i := itemOf(e)
	if n.cfg.Page != "" {
		i.Link = n.cfg.Page + "d/" + url.PathEscape(e.Drill)
	}
	age := now.Sub(time.Unix(0, e.At))
	if n.cfg.Age != nil {
		age = n.cfg.Age(e.At)
	}
	if age > n.cfg.TooOld {
		return nil
	}
	local, raised := now.UTC().Add(n.cfg.UTC), i.Raised.Add(n.cfg.UTC)
	for _, p := range n.settings.decide(i, now, local, raised, n.cfg.Tour) {
		if err := n.queue(ctx, tx, p, now); err != nil {
			return err
		}
	}
	if e.Event == telemetry.AlarmCleared {
		return lift(ctx, tx, &i)
	}
	if e.Event != telemetry.AlarmRaised {
		return nil
	}
	for k := range n.settings.Rules {
		r := &n.settings.Rules[k]
		if r.EscalateMin == 0 || !r.tells(&i, raised, n.cfg.Tour) {
			continue
		}
		i.Event = "unacknowledged"
		text, err := json.Marshal(i)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO notify_escalations (alarm, rule, due, item) VALUES (?, ?, ?, ?)", e.ID, r.ID, now.Add(time.Duration(r.EscalateMin)*time.Minute).UnixNano(), string(text)); err != nil {
			return err
		}
		i.Event = e.Event
	}
	return nil
}

// queue adds an item to its message, once for ever.
func (n *Notifier) queue(ctx context.Context, tx *sql.Tx, p planned, now time.Time) error {
	text, err := json.Marshal(p.item)
	if err != nil {
		return err
	}
	id := itemID(p.target, p.item.Alarm, p.item.Event, p.item.Priority)
	// Told before, it is not weighed against what it made itself.
	if known, err := there(ctx, tx, "SELECT 1 FROM notify_items WHERE id = ?", id); err != nil || known {
		return err
	}
	if tell, err := follow(ctx, tx, &p); err != nil || !tell {
		return err
	}
	delivery := hash("delivery", p.target, p.key)
	if _, err := tx.ExecContext(ctx, "INSERT INTO notify_items (id, delivery, item, at) VALUES (?, ?, ?, ?)", id, delivery, string(text), now.UnixNano()); err != nil {
		return err
	}
	// A digest that is on its way already gets nothing more: what it says must
	// not change under its id.
	var begun bool
	err = tx.QueryRowContext(ctx, "SELECT state <> 'waiting' OR tries > 0 FROM notify_deliveries WHERE id = ?", delivery).Scan(&begun)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if begun {
		delivery = hash("delivery", p.target, p.key, id)
		if _, err := tx.ExecContext(ctx, "UPDATE notify_items SET delivery = ? WHERE id = ?", delivery, id); err != nil {
			return err
		}
	}
	m := Message{Kind: p.kind, Items: []Item{p.item}}
	_, err = tx.ExecContext(ctx, "INSERT INTO notify_deliveries (id, target, kind, created, due, state, subject) VALUES (?, ?, ?, ?, ?, 'waiting', ?) ON CONFLICT (id) DO NOTHING",
		delivery, p.target, p.kind, now.UnixNano(), p.due.UnixNano(), m.subject())
	if err != nil {
		return err
	}
	return join(ctx, tx, &p, delivery, now.UnixNano())
}

// Next is how far the topic alarms was read, by partition.
func (n *Notifier) Next(ctx context.Context) (map[int32]int64, error) {
	rows, err := n.db.QueryContext(ctx, "SELECT part, next FROM notify_offsets")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[int32]int64{}
	for rows.Next() {
		var p int32
		var next int64
		if err := rows.Scan(&p, &next); err != nil {
			return nil, err
		}
		out[p] = next
	}
	return out, rows.Err()
}

// A Delivery is one message as it stands.
type Delivery struct {
	ID, Target, Kind, State, Error, Subject string
	Created, Due, Sent                      int64
	Tries, Unsure                           int
}

// Deliveries lists messages, newest first.
func (n *Notifier) Deliveries(ctx context.Context, limit int) ([]Delivery, error) {
	rows, err := n.db.QueryContext(ctx, "SELECT id, target, kind, created, due, state, tries, unsure, error, sent, subject FROM notify_deliveries ORDER BY created DESC, id LIMIT ?", limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Delivery{}
	for rows.Next() {
		var d Delivery
		if err := rows.Scan(&d.ID, &d.Target, &d.Kind, &d.Created, &d.Due, &d.State, &d.Tries, &d.Unsure, &d.Error, &d.Sent, &d.Subject); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, rows.Err()
}
