package writer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
	"github.com/mudpulse/mudpulse/telemetry/dedup"
)

// take puts one record into the batch. What cannot be read goes to quarantine
// and stops nothing; an error is the store's.
func (w *Writer) take(ctx context.Context, r *kgo.Record) error {
	t := w.cfg.Topics
	kind := ""
	for _, h := range r.Headers {
		if h.Key == telemetry.HeaderKind {
			kind = string(h.Value)
		}
	}
	var bad error
	switch {
	case kind == telemetry.KindMarker:
		bad = into(r.Value, &w.batch.Markers, func(m *telemetry.Marker) string { return m.ID })
	case kind != "":
		w.m.unknown.Inc() // of a later version
	case r.Topic == t.Frames || r.Topic == t.Backfill:
		if bad = w.decode(r.Value); bad == nil {
			return w.takeFrame(ctx)
		}
	case r.Topic == t.Scores:
		var sc telemetry.Score
		if bad = telemetry.DecodeScore(r.Value, &sc); bad == nil {
			bad = telemetry.ValidID(sc.Drill)
		}
		if bad == nil {
			w.batch.Scores = append(w.batch.Scores, sc)
		}
	case r.Topic == t.Alarms:
		bad = into(r.Value, &w.batch.Alarms, func(a *telemetry.AlarmEvent) string { return a.ID })
	case r.Topic == t.Commands:
		bad = into(r.Value, &w.batch.Commands, func(c *telemetry.Command) string { return c.ID })
	case r.Topic == t.Quarantine:
		bad = into(r.Value, &w.batch.Quarantined, func(q *telemetry.Quarantined) string { return q.ID })
	case r.Topic == t.Gateways:
		bad = into(r.Value, &w.batch.Gateways, func(g *telemetry.GatewayStatus) string { return g.Gateway })
	case r.Topic == t.Control:
		if name, ok := strings.CutPrefix(string(r.Key), telemetry.ControlChannel+"/"); ok && r.Value != nil {
			n := len(w.batch.Channels)
			bad = into(r.Value, &w.batch.Channels, func(c *telemetry.Channel) string { return c.Tag })
			if bad == nil {
				if bad = w.cat.Register(w.batch.Channels[n]); bad != nil {
					w.batch.Channels = w.batch.Channels[:n]
					bad = fmt.Errorf("channel %s: %w", name, bad)
				}
			}
		}
	}
	w.m.records.WithLabelValues(w.short(r.Topic)).Inc()
	if bad != nil {
		w.poison(r, bad)
	}
	return nil
}

// into appends the JSON record to list; id must name it.
func into[T any](b []byte, list *[]T, id func(*T) string) error {
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	if id(&v) == "" {
		return fmt.Errorf("%T without an id", v)
	}
	*list = append(*list, v)
	return nil
}

// decode reads a frame into w.frame and checks the names that it is stored under.
func (w *Writer) decode(b []byte) error {
	f := &w.frame
	if err := w.decoder.Decode(b, f); err != nil {
		return err
	}
	for _, id := range [...]struct{ field, value string }{{"drill", f.Drill}, {"device", f.Device}, {"boot", f.Boot}} {
		if err := telemetry.ValidID(id.value); err != nil {
			return fmt.Errorf("frame: %s: %w", id.field, err)
		}
	}
	for i := range f.Runs {
		if err := telemetry.ValidTag(f.Runs[i].Channel); err != nil {
			return fmt.Errorf("frame: run %d: %w", i, err)
		}
	}
	return nil
}

// takeFrame adds w.frame unless it is stored already, or in the batch.
func (w *Writer) takeFrame(ctx context.Context) error {
	f := &w.frame
	w.m.frames.Inc()
	verdict, err := w.see(ctx, f.ID())
	if err != nil {
		return err
	}
	if verdict == dedup.Conflict {
		w.m.conflicts.Inc()
		f.Boot = telemetry.ConflictBoot(f.Boot, f.Hash)
		f.Flags |= telemetry.FlagConflict
		if verdict, err = w.see(ctx, f.ID()); err != nil {
			return err
		}
	}
	if verdict != dedup.Fresh {
		w.m.duplicates.Inc()
		return nil
	}
	w.batch.AddFrame(f)
	return nil
}

// see is the table's verdict; where the table cannot tell, the store's.
func (w *Writer) see(ctx context.Context, id telemetry.FrameID) (dedup.Verdict, error) {
	f := &w.frame
	v := w.table.See(f.Drill, id, f.Hash, f.TS)
	if v != dedup.Ask {
		return v, nil
	}
	w.m.asked.Inc()
	key := asked{f.Drill, id}
	ts, found := w.asked[key]
	if !found {
		var err error
		if ts, found, err = w.store.FrameTime(ctx, f.Drill, id); err != nil {
			return v, fmt.Errorf("writer: %w", err)
		}
	}
	switch {
	case !found:
		w.asked[key] = f.TS
		w.table.Restore(f.Drill, id, f.Hash, f.TS)
		return dedup.Fresh, nil
	case ts == storage.Retired, ts/1000 == f.TS/1000:
		return dedup.Duplicate, nil
	}
	return dedup.Conflict, nil
}

// poison sets a record aside that cannot be read.
func (w *Writer) poison(r *kgo.Record, why error) {
	w.m.poison.WithLabelValues(w.short(r.Topic)).Inc()
	w.complain("poison "+r.Topic, "record cannot be read; it is in quarantine", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "err", why)
	h := sha256.New()
	fmt.Fprintf(h, "%s %s %d %d ", w.cluster, r.Topic, r.Partition, r.Offset)
	h.Write(r.Value)
	raw := r.Value[:min(len(r.Value), 1<<20)]
	drill := string(r.Key)
	if telemetry.ValidID(drill) != nil {
		drill = ""
	}
	w.batch.Quarantined = append(w.batch.Quarantined, telemetry.Quarantined{
		ID: hex.EncodeToString(h.Sum(nil)[:16]), Gateway: "writer", Drill: drill, Topic: fmt.Sprintf("%s-%d@%d", r.Topic, r.Partition, r.Offset),
		Received: w.clock.Now().UnixNano(), Code: "malformed", Field: "record", Message: why.Error(),
		Cure: "Find out who writes to this topic besides mudpulse, or which version; the bytes are kept here.", Raw: append([]byte(nil), raw...), RawSize: len(r.Value),
	})
}

// follow notes records between the last one that was read and this one: the log
// was cut, by retention or by hand, before they were stored. Where a topic is
// compacted, or nothing of it is stored yet, what is missing says nothing.
func (w *Writer) follow(p partition, offset int64) {
	next, known := w.next[p]
	if !known {
		w.mu.Lock()
		next, known = w.committed[p]
		w.mu.Unlock()
	}
	if !known || offset <= next || w.cfg.Topics.Compacted(p.topic) {
		return
	}
	w.m.lost.WithLabelValues(w.short(p.topic)).Add(float64(offset - next))
	w.complain("lost "+p.topic, "the log no longer has records that are not stored yet", "topic", p.topic, "partition", p.n, "from", next, "to", offset-1)
	w.batch.Lost = append(w.batch.Lost, storage.Lost{Topic: p.topic, Partition: p.n, From: next, To: offset - 1})
}

// short returns the topic's name without the prefix.
func (w *Writer) short(topic string) string {
	return strings.TrimPrefix(topic, strings.TrimSuffix(w.cfg.Topics.Frames, "frames"))
}
