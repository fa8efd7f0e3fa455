package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/telemetry"
)

// counters count since the start.
type counters struct {
	Messages, Frames, Readings, ReadingsDropped, Backfill atomic.Int64
	Quarantined, Refused, RunsAside                       atomic.Int64
	Published, PublishErrors, Republished, SparkplugGaps  atomic.Int64
}

// Gauges are the counters that may also fall.
var Gauges = map[string]bool{"connections": true, "spool_bytes": true, "spool_segments": true, "spool_full": true, "in_flight": true, "unpublished": true}

// Help says what each of Counters counts.
var Help = map[string]string{
	"messages_total": "Messages taken, from the listener and from brokers.", "frames_total": "Frames decoded.", "readings_total": "Readings in them.",
	"readings_dropped_total": "Readings that could not be read as numbers.", "backfill_frames_total": "Frames that were older than the live horizon.",
	"quarantined_total": "Messages set aside whole: see the quarantine.", "refused_total": "Messages refused, which a device cannot mend by sending again.",
	"runs_aside_total": "Channels of frames set aside, for a value beyond physical limits or a name that is none; the rest of the frame went on.",
	"published_total":  "Records that the log has acknowledged.", "publish_errors_total": "Records that the log did not take at the first try.",
	"republished_total":   "Records sent again, to a log that is new or came back.",
	"mqtt_connects_total": "Connections accepted as a device's.", "mqtt_refused_total": "Connections refused, and those cut off for what they sent.",
	"mqtt_messages_total": "PUBLISH packets read.", "mqtt_bytes_total": "Bytes of them.", "mqtt_acked_total": "Acknowledgements written, after the spool's fsync.",
	"mqtt_paused_total": "Times that reading of a connection paused, for its rate or its window.", "mqtt_wills_total": "Wills told of devices that went away without a goodbye.",
	"mqtt_pings_total":     "Pings of devices answered.",
	"sparkplug_gaps_total": "Gaps in the sequence of Sparkplug nodes.", "connections": "Devices connected.",
	"spool_bytes": "Bytes of the spool on disk.", "spool_segments": "Files of the spool.", "spool_fsyncs_total": "Batches made durable.",
	"spool_damaged_total": "Places of the spool whose bytes were damaged: the ledger names them.", "spool_full": "1 while the spool is full and acknowledgements wait.",
	"in_flight": "Records on their way to the log.", "unpublished": "Records in the spool that the log has not acknowledged.",
}

// Counters returns all counts under names in the style of metrics, without a prefix.
func (g *Gateway) Counters() map[string]int64 {
	c, l := &g.count, &g.listener.Counters
	m := map[string]int64{
		"messages_total": c.Messages.Load(), "frames_total": c.Frames.Load(), "readings_total": c.Readings.Load(),
		"readings_dropped_total": c.ReadingsDropped.Load(), "backfill_frames_total": c.Backfill.Load(),
		"quarantined_total": c.Quarantined.Load(), "refused_total": c.Refused.Load(), "runs_aside_total": c.RunsAside.Load(),
		"published_total": c.Published.Load(), "publish_errors_total": c.PublishErrors.Load(), "republished_total": c.Republished.Load(),
		"mqtt_connects_total": l.Connects.Load(), "mqtt_refused_total": l.Refused.Load(), "mqtt_messages_total": l.Messages.Load(),
		"mqtt_bytes_total": l.Bytes.Load(), "mqtt_acked_total": l.Acked.Load(), "mqtt_paused_total": l.Paused.Load(), "sparkplug_gaps_total": c.SparkplugGaps.Load(),
		"mqtt_wills_total": l.Wills.Load(), "mqtt_pings_total": l.Pings.Load(),
		"connections": l.Connections.Load(),
	}
	select {
	case <-g.ready:
	default:
		return m
	}
	st := g.spool.Stat()
	m["spool_bytes"], m["spool_segments"], m["spool_fsyncs_total"], m["spool_damaged_total"] = st.Bytes, int64(st.Segments), st.Batches, int64(len(st.Damage))
	if st.Full {
		m["spool_full"] = 1
	} else {
		m["spool_full"] = 0
	}
	p := g.publisher
	p.mu.Lock()
	m["in_flight"] = int64(len(p.live.queue) + len(p.backfill.queue))
	p.mu.Unlock()
	below, _ := p.published()
	m["unpublished"] = int64(st.Synced - min(below, st.Synced))
	return m
}

// Status returns what the gateways topic is told, with the whole ledger.
func (g *Gateway) Status() telemetry.GatewayStatus { return g.status(true) }

func (g *Gateway) status(all bool) telemetry.GatewayStatus {
	st := telemetry.GatewayStatus{
		Gateway: g.cfg.Name, At: g.clock.Now().UnixNano(), Started: g.started.Load(), Version: g.cfg.Version,
		Sessions: g.sessions(), Counters: g.Counters(), Accepted: []telemetry.Accepted{},
	}
	select {
	case <-g.ready:
	default:
		return st
	}
	if all {
		st.Accepted = g.ledger.All()
	} else {
		st.Accepted = g.ledger.Changed()
	}
	s := g.spool.Stat()
	below, _ := g.publisher.published()
	st.Damage = s.Damage
	st.Spool = telemetry.SpoolStatus{Bytes: s.Bytes, Limit: s.Limit, Frames: int64(s.Synced - min(below, s.Synced)), Full: s.Full}
	if st.Spool.Frames > 0 {
		st.Spool.OldestTS = g.oldest(below)
	}
	if s.Err != nil {
		st.Spool.Error = s.Err.Error()
	} else if _, err := g.publisher.health(); err != nil {
		st.Spool.Error = err.Error()
	}
	return st
}

// oldest returns when the first record that is not published was accepted.
func (g *Gateway) oldest(index uint64) int64 {
	r := g.spool.Reader(index)
	defer r.Close()
	rec, ok, err := r.Next()
	if !ok || err != nil {
		return 0
	}
	return rec.Time
}

// Healthy says why the gateway cannot do its work, if it cannot: for a
// readiness check.
func (g *Gateway) Healthy() error {
	select {
	case <-g.ready:
	default:
		return fmt.Errorf("starting")
	}
	s := g.spool.Stat()
	switch {
	case s.Err != nil:
		return fmt.Errorf("spool: %w", s.Err)
	case s.Full:
		return fmt.Errorf("spool: full: acknowledgements are withheld")
	}
	if since, err := g.publisher.health(); err != nil && time.Since(since) > 30*time.Second {
		return err
	}
	for _, sub := range g.subscribers {
		if err := sub.Healthy(); err != nil {
			return err
		}
	}
	return nil
}

// chunk is how many sessions or ledger entries one status record holds: Kafka
// takes 1 MB.
const chunk = 500

// tell publishes the status until ctx is done. Of the ledger it tells all at
// the start, and after a failure; then what changed.
func (g *Gateway) tell(ctx context.Context) {
	tick := time.NewTicker(g.cfg.StatusEvery)
	defer tick.Stop()
	all := true
	for {
		st := g.status(all)
		all = !g.publishStatus(ctx, st)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// publishStatus sends a status, in several records where it is large, and
// waits for the log to have it.
func (g *Gateway) publishStatus(ctx context.Context, st telemetry.GatewayStatus) bool {
	ctx, cancel := context.WithTimeout(ctx, max(g.cfg.StatusEvery, 5*time.Second))
	defer cancel()
	sessions, accepted := st.Sessions, st.Accepted
	var records []*kgo.Record
	for first := true; first || len(sessions) > 0 || len(accepted) > 0; first = false {
		st.Sessions = sessions[:min(len(sessions), chunk)]
		sessions = sessions[len(st.Sessions):]
		st.Accepted = accepted[:min(len(accepted), chunk)]
		accepted = accepted[len(st.Accepted):]
		b, err := json.Marshal(st)
		if err != nil {
			g.log.Error("status", "err", err)
			return false
		}
		records = append(records, &kgo.Record{Topic: g.publisher.topics.Gateways, Key: []byte(g.cfg.Name), Value: b})
	}
	// ProduceSync would wait beyond ctx for what is on its way while Kafka is away.
	results := make(chan error, len(records))
	for _, r := range records {
		g.publisher.client.Produce(ctx, r, func(_ *kgo.Record, err error) { results <- err })
	}
	told := true
	for range records {
		select {
		case err := <-results:
			told = told && err == nil
		case <-ctx.Done():
			return false
		}
	}
	return told
}
