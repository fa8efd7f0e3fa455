// Package outbox carries what the relational store has decided to the log:
// control records, and markers into every partition of frames and backfill. A
// decision and its row here are one transaction, so a crash between the two
// stores loses nothing: the rest is written after the restart. Readers take the
// first marker of an id, so one written twice does no harm.
package outbox

import (
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
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/services/internal/relational"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Log is where records go: a *kgo.Client with kgo.ManualPartitioner.
type Log interface {
	ProduceSync(ctx context.Context, rs ...*kgo.Record) kgo.ProduceResults
}

// Outbox writes in order, one at a time.
type Outbox struct {
	db     *relational.DB
	client []kgo.Opt
	topics telemetry.Topics
	log    *slog.Logger
	wake   chan struct{}

	mu      sync.Mutex
	cl      *kgo.Client
	failing error     // of the last attempt
	since   time.Time // wall
}

// New returns an outbox that writes to the log which client reaches.
func New(db *relational.DB, client []kgo.Opt, topics telemetry.Topics, log *slog.Logger) *Outbox {
	return &Outbox{db: db, client: client, topics: topics, log: log, wake: make(chan struct{}, 1)}
}

// AddMarker is part of the transaction that decides m.
func AddMarker(ctx context.Context, tx *sql.Tx, m telemetry.Marker) error {
	v, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("marker: %w", err)
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO outbox (kind, key, value) VALUES ('marker', ?, ?)", m.ID, v); err != nil {
		return fmt.Errorf("marker: %w", err)
	}
	return nil
}

// AddControl is part of the transaction that changes the present state of
// kind/name; a nil value takes it away.
func AddControl(ctx context.Context, tx *sql.Tx, kind, name string, value any) error {
	var v []byte
	if value != nil {
		var err error
		if v, err = json.Marshal(value); err != nil {
			return fmt.Errorf("control %s/%s: %w", kind, name, err)
		}
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO outbox (kind, key, value) VALUES ('control', ?, ?)", kind+"/"+name, v); err != nil {
		return fmt.Errorf("control %s/%s: %w", kind, name, err)
	}
	return nil
}

// Wake says that there may be something to write.
func (o *Outbox) Wake() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// Healthy says why rows wait, nil if none has failed lately.
func (o *Outbox) Healthy() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failing == nil {
		return nil
	}
	return fmt.Errorf("changes wait for the log since %s: %w", o.since.UTC().Format(time.RFC3339), o.failing)
}

// Run writes what is there and what comes, until ctx is done.
func (o *Outbox) Run(ctx context.Context) error {
	defer o.close()
	wait := 100 * time.Millisecond
	for ctx.Err() == nil {
		err := o.Drain(ctx)
		if ctx.Err() != nil {
			return nil
		}
		var retry <-chan time.Time
		if err != nil {
			o.log.Warn("changes wait for the log", "err", err)
			retry = time.After(wait)
			wait = min(2*wait, 10*time.Second)
		} else {
			wait = 100 * time.Millisecond
		}
		select {
		case <-ctx.Done():
		case <-o.wake:
		case <-retry:
		}
	}
	return nil
}

// Drain writes all rows that there are.
func (o *Outbox) Drain(ctx context.Context) (err error) {
	defer func() {
		o.mu.Lock()
		if err != nil && o.failing == nil {
			o.since = time.Now()
		}
		o.failing = err
		o.mu.Unlock()
	}()
	for {
		var seq int64
		var kind, key, done string
		var value []byte
		err := o.db.QueryRowContext(ctx, "SELECT seq, kind, key, value, done FROM outbox ORDER BY seq LIMIT 1").Scan(&seq, &kind, &key, &value, &done)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("outbox: %w", err)
		}
		cl, err := o.open()
		if err != nil {
			return err
		}
		if kind == "control" {
			err = o.control(ctx, cl, key, value)
		} else {
			err = o.marker(ctx, cl, seq, key, value, done)
		}
		if err != nil {
			return err
		}
		if _, err := o.db.ExecContext(ctx, "DELETE FROM outbox WHERE seq = ?", seq); err != nil {
			return fmt.Errorf("outbox: %w", err)
		}
	}
}

func (o *Outbox) control(ctx context.Context, cl Log, key string, value []byte) error {
	// The control topic has one partition: its order is the order of changes.
	r := &kgo.Record{Topic: o.topics.Control, Key: []byte(key), Value: value}
	if err := cl.ProduceSync(ctx, r).FirstErr(); err != nil {
		return fmt.Errorf("write control %s: %w", key, err)
	}
	return nil
}

func (o *Outbox) marker(ctx context.Context, cl *kgo.Client, seq int64, id string, value []byte, done string) error {
	parts, err := o.partitions(ctx, cl)
	if err != nil {
		return fmt.Errorf("write marker %s: %w", id, err)
	}
	have := strings.Fields(done)
	for _, at := range parts {
		name := at.topic + "/" + strconv.Itoa(int(at.partition))
		if slices.Contains(have, name) {
			continue
		}
		r := &kgo.Record{
			Topic: at.topic, Partition: at.partition, Value: value,
			Headers: []kgo.RecordHeader{{Key: telemetry.HeaderKind, Value: []byte(telemetry.KindMarker)}},
		}
		if err := cl.ProduceSync(ctx, r).FirstErr(); err != nil {
			return fmt.Errorf("write marker %s to %s: %w", id, name, err)
		}
		have = append(have, name)
		if _, err := o.db.ExecContext(ctx, "UPDATE outbox SET done = ? WHERE seq = ?", strings.Join(have, " "), seq); err != nil {
			return fmt.Errorf("outbox: %w", err)
		}
	}
	return nil
}

type place struct {
	topic     string
	partition int32
}

// partitions lists those of frames and backfill, asked anew for each marker:
// partitions may have been added.
func (o *Outbox) partitions(ctx context.Context, cl *kgo.Client) ([]place, error) {
	there, err := kadm.NewClient(cl).ListTopics(ctx, o.topics.Frames, o.topics.Backfill)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	var out []place
	for _, topic := range []string{o.topics.Frames, o.topics.Backfill} {
		d, ok := there[topic]
		if !ok || d.Err != nil || len(d.Partitions) == 0 {
			return nil, fmt.Errorf("topic %s: %w", topic, errors.Join(kerr.UnknownTopicOrPartition, d.Err))
		}
		for _, p := range d.Partitions.Sorted() {
			out = append(out, place{topic, p.Partition})
		}
	}
	return out, nil
}

func (o *Outbox) open() (*kgo.Client, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cl != nil {
		return o.cl, nil
	}
	cl, err := kgo.NewClient(slices.Concat(o.client, []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordDeliveryTimeout(10 * time.Second),
	})...)
	if err != nil {
		return nil, fmt.Errorf("reach the log: %w", err)
	}
	o.cl = cl
	return cl, nil
}

func (o *Outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cl != nil {
		o.cl.Close()
		o.cl = nil
	}
}
