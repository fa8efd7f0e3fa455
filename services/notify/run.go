package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Run escalates and sends until ctx is done; then what is being sent ends first.
func (n *Notifier) Run(ctx context.Context) error {
	var sending sync.WaitGroup
	defer sending.Wait()
	tick := time.NewTicker(n.cfg.Every)
	defer tick.Stop()
	for {
		if err := n.round(ctx, &sending); err != nil && ctx.Err() == nil {
			n.log.Warn("notifications", "err", err)
		}
		select {
		case <-ctx.Done():
			sending.Wait()
			n.release()
			return nil
		case <-tick.C:
		case <-n.wake:
		}
	}
}

// lead takes or keeps the lease: one process of a cluster decides and sends.
func (n *Notifier) lead(ctx context.Context) (bool, error) {
	now := n.now()
	res, err := n.db.ExecContext(ctx, `INSERT INTO notify_lease (one, holder, until) VALUES (1, ?1, ?2)
		ON CONFLICT (one) DO UPDATE SET holder = ?1, until = ?2 WHERE holder = ?1 OR until < ?3`, n.me, now.Add(n.cfg.Lease).UnixNano(), now.UnixNano())
	if err != nil {
		return false, fmt.Errorf("lease: %w", err)
	}
	got, err := res.RowsAffected()
	return got == 1, err
}

// release lets another process take over at once.
func (n *Notifier) release() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := n.db.ExecContext(ctx, "DELETE FROM notify_lease WHERE holder = ?", n.me); err != nil {
		n.log.Debug("lease is not given back; it runs out", "err", err)
	}
}

func (n *Notifier) round(ctx context.Context, sending *sync.WaitGroup) error {
	if ok, err := n.lead(ctx); err != nil || !ok {
		return err
	}
	if err := n.escalate(ctx); err != nil {
		return err
	}
	now := n.now().UnixNano()
	// Sent by a process that is no more: the server may have taken it.
	res, err := n.db.ExecContext(ctx, "UPDATE notify_deliveries SET state = 'waiting', unsure = unsure + 1, error = 'the process ended while it was sent' WHERE state = 'sending' AND holder <> ?", n.me)
	if err != nil {
		return err
	}
	if k, err := res.RowsAffected(); err == nil && k > 0 {
		n.m.unsure.Add(float64(k))
	}
	if _, err := n.db.ExecContext(ctx, "DELETE FROM notify_deliveries WHERE state IN ('sent', 'failed') AND created < ?", now-int64(n.cfg.KeepSent)); err != nil {
		return err
	}
	if _, err := n.db.ExecContext(ctx, "DELETE FROM notify_items WHERE at < ?", now-2*int64(n.cfg.KeepSent)); err != nil {
		return err
	}
	if _, err := n.db.ExecContext(ctx, "DELETE FROM notify_threads WHERE at < ?", now-2*int64(n.cfg.KeepSent)); err != nil {
		return err
	}
	rows, err := n.db.QueryContext(ctx, "SELECT DISTINCT target FROM notify_deliveries WHERE state = 'waiting' AND due <= ?", now)
	if err != nil {
		return err
	}
	var targets []string
	for rows.Next() {
		var t string
		if err := rows.Scan(&t); err != nil {
			rows.Close()
			return err
		}
		targets = append(targets, t)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, t := range targets {
		n.mu.Lock()
		busy := n.busy[t]
		n.busy[t] = true
		n.mu.Unlock()
		if busy {
			continue // a slow server holds up nobody else
		}
		sending.Go(func() {
			again := n.sendTo(ctx, t)
			n.mu.Lock()
			delete(n.busy, t)
			n.mu.Unlock()
			if again {
				n.wakeUp()
			}
		})
	}
	return nil
}

// escalate tells others of alarms that nobody has answered in time.
func (n *Notifier) escalate(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	type late struct{ alarm, rule, item string }
	var all []late
	rows, err := n.db.QueryContext(ctx, "SELECT alarm, rule, item FROM notify_escalations WHERE due <= ?", now.UnixNano())
	if err != nil {
		return err
	}
	for rows.Next() {
		var l late
		if err := rows.Scan(&l.alarm, &l.rule, &l.item); err != nil {
			rows.Close()
			return err
		}
		all = append(all, l)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, l := range all {
		var i Item
		if err := json.Unmarshal([]byte(l.item), &i); err != nil {
			return err
		}
		err := n.db.Tx(ctx, func(tx *sql.Tx) error {
			if n.alarms.Unanswered(l.alarm) {
				for k := range n.settings.Rules {
					if r := &n.settings.Rules[k]; r.ID == l.rule && !r.Off {
						for _, t := range r.EscalateTo {
							if err := n.queue(ctx, tx, planned{target: t, kind: "escalation", due: now, key: "unacknowledged\x00" + l.alarm, item: i}, now); err != nil {
								return err
							}
						}
					}
				}
			}
			_, err := tx.ExecContext(ctx, "DELETE FROM notify_escalations WHERE alarm = ? AND rule = ?", l.alarm, l.rule)
			return err
		})
		if err != nil {
			return fmt.Errorf("escalate %s: %w", l.alarm, err)
		}
	}
	return nil
}

// sendTo sends what is due for one target, oldest first, until a try fails; it
// reports whether there may be more.
func (n *Notifier) sendTo(ctx context.Context, target string) bool {
	// A try whose end could not be written down.
	if _, err := n.db.ExecContext(ctx, "UPDATE notify_deliveries SET state = 'waiting', unsure = unsure + 1 WHERE state = 'sending' AND holder = ? AND target = ?", n.me, target); err != nil {
		return false
	}
	for range n.cfg.AtOnce {
		ok, err := n.sendOne(ctx, target)
		if err != nil && ctx.Err() == nil {
			n.log.Warn("notification not sent", "target", target, "err", err)
		}
		if err != nil || !ok || ctx.Err() != nil {
			return false
		}
	}
	return true
}

// sendOne makes one try: first it says so in the store, then it sends, then it
// says what became of it. Killed between, the message counts as perhaps taken.
func (n *Notifier) sendOne(ctx context.Context, target string) (more bool, err error) {
	var m Message
	var created, tries int64
	now := n.now().UnixNano()
	err = n.db.QueryRowContext(ctx, `UPDATE notify_deliveries SET state = 'sending', holder = ?, tries = tries + 1 WHERE id =
		(SELECT id FROM notify_deliveries WHERE state = 'waiting' AND target = ? AND due <= ? ORDER BY due, created, id LIMIT 1) RETURNING id, kind, created, tries`, n.me, target, now).Scan(&m.ID, &m.Kind, &created, &tries)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	m.Created = time.Unix(0, created).UTC()
	if m.Items, err = n.items(ctx, m.ID); err != nil {
		return false, err
	}
	if m.Thread, err = n.thread(ctx, target, &m); err != nil {
		return false, err
	}
	m.Subject = m.subject()
	n.mu.Lock()
	s, t := n.settings, n.target(target)
	n.mu.Unlock()
	var a attempt
	kind := "none"
	switch {
	case t == nil:
		a.err = errors.New("there is no such target any more")
	case t.Kind == "mail":
		kind = "mail"
		a = s.mail(context.WithoutCancel(ctx), t, &m, n.cfg.Timeout)
	default:
		kind = "webhook"
		a = s.webhook(context.WithoutCancel(ctx), t, &m, n.cfg.Timeout)
	}
	// What the server said is kept though we are asked to stop.
	keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if a.taken {
		n.m.sent.WithLabelValues(kind).Inc()
		_, err := n.db.ExecContext(keep, "UPDATE notify_deliveries SET state = 'sent', sent = ?, error = '', subject = ? WHERE id = ?", n.now().UnixNano(), m.Subject, m.ID)
		return true, err
	}
	n.m.failed.WithLabelValues(kind).Inc()
	unsure := 0
	if a.unsure {
		unsure = 1
		n.m.unsure.Inc()
	}
	state, after := "waiting", n.cfg.wait(tries)
	if t == nil || n.now().Sub(m.Created) >= n.cfg.GiveUp {
		state = "failed"
	}
	_, err = n.db.ExecContext(keep, "UPDATE notify_deliveries SET state = ?, unsure = unsure + ?, due = ?, error = ? WHERE id = ?", state, unsure, n.now().Add(after).UnixNano(), clip(a.err.Error()), m.ID)
	return false, errors.Join(a.err, err)
}

func (n *Notifier) items(ctx context.Context, delivery string) ([]Item, error) {
	rows, err := n.db.QueryContext(ctx, "SELECT item FROM notify_items WHERE delivery = ? ORDER BY at, id", delivery)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Item{}
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		out = append(out, Item{})
		if err := json.Unmarshal([]byte(text), &out[len(out)-1]); err != nil {
			return nil, err
		}
	}
	return out, rows.Err()
}

// wait is how long after the nth try the next is made: doubling, with jitter.
func (c *Config) wait(tries int64) time.Duration {
	d := c.Backoff << min(tries-1, 20)
	if d > c.Longest || d <= 0 {
		d = c.Longest
	}
	return d/2 + rand.N(d/2+1)
}

func clip(s string) string {
	if len(s) > 400 {
		s = s[:400] + "…"
	}
	return s
}
