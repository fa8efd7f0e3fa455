package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/mudpulse/mudpulse/gateway/payload"
	"github.com/mudpulse/mudpulse/telemetry"
)

// meet waits for the cluster and, if it is another than the one the positions
// are about, or has lost what it acknowledged, begins again with all that is kept.
func (p *publisher) meet(ctx, stop context.Context) bool {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		id, err := p.clusterID(stop)
		lost := false
		if err == nil && id == p.cluster {
			lost, err = p.lost(stop)
		}
		if err == nil {
			p.restart(id, lost)
			p.fail(nil)
			return true
		}
		p.fail(fmt.Errorf("reach Kafka: %w", err))
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
}

// restart takes over a cluster's id; under a new one all positions are void.
func (p *publisher) restart(id string, lost bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if id == p.cluster && !lost {
		return
	}
	if p.cluster != "" {
		first := p.g.spool.Bounds()[0]
		p.g.log.Warn("the log is another, or lost records: publishing the spool again", "was", p.cluster, "is", id, "from", first)
		p.g.count.Republished.Add(1)
		p.aged, p.decided, p.joined = nil, first, false
		for _, l := range []*lane{&p.live, &p.backfill} {
			for _, e := range l.queue {
				e.stale = true // its acknowledgement is the old log's
			}
			l.queue, l.failed, l.resume, l.next = nil, true, first, first
		}
		p.cover.forget()
	}
	p.cluster = id
	p.woken.Broadcast()
}

// watch looks once in a while whether the cluster is there, and the same.
func (p *publisher) watch(ctx context.Context) {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		id, err := p.clusterID(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			p.fail(fmt.Errorf("reach Kafka: %w", err))
		default:
			p.restart(id, false)
			p.mu.Lock()
			if !p.live.failed && !p.backfill.failed {
				p.setErr(nil)
			}
			p.mu.Unlock()
		}
	}
}

// clusterID asks the brokers for the id of the log.
func (p *publisher) clusterID(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	resp, err := req.RequestWith(ctx, p.client)
	if err != nil {
		return "", err
	}
	if resp.ClusterID == nil {
		return "", fmt.Errorf("the broker names no cluster id")
	}
	return *resp.ClusterID, nil
}

// lost reports whether the log ends before an offset that it acknowledged.
func (p *publisher) lost(ctx context.Context) (bool, error) {
	highest := p.cover.highest()
	if len(highest) == 0 {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	byTopic := map[string][]kmsg.ListOffsetsRequestTopicPartition{}
	for at := range highest {
		part := kmsg.NewListOffsetsRequestTopicPartition()
		part.Partition, part.Timestamp = at.partition, -1 // the end
		byTopic[at.topic] = append(byTopic[at.topic], part)
	}
	for topic, parts := range byTopic {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic, t.Partitions = topic, parts
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, p.client)
	if err != nil {
		return false, err
	}
	for _, t := range resp.Topics {
		for _, part := range t.Partitions {
			if err := kerr.ErrorForCode(part.ErrorCode); err != nil {
				return false, fmt.Errorf("end of %s/%d: %w", t.Topic, part.Partition, err)
			}
			if part.Offset <= highest[place{t.Topic, part.Partition}] {
				return true, nil
			}
		}
	}
	return false, nil
}

// shrink makes a record that Kafka refuses for its size one that it takes: a
// quarantine record with the beginning of what it held.
func (g *Gateway) shrink(r *kgo.Record, topics telemetry.Topics) {
	const keep = 16 << 10
	var q telemetry.Quarantined
	if r.Topic == topics.Quarantine && json.Unmarshal(r.Value, &q) == nil {
		q.Raw = q.Raw[:min(len(q.Raw), keep)]
	} else {
		s := &source{device: telemetry.Device{Drill: string(r.Key)}}
		e := &payload.Error{Code: payload.TooLarge, Message: fmt.Sprintf("Kafka refuses the frame's %d bytes", len(r.Value)), Cure: "raise max.message.bytes of the topic, or send one second a frame"}
		q = g.quarantined(s, e, nil, r.Value[:min(len(r.Value), keep)], len(r.Value), g.clock.Now())
	}
	if b, err := json.Marshal(q); err == nil {
		r.Topic, r.Value = topics.Quarantine, b
	}
}
