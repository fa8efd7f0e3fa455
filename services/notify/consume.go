package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/telemetry"
)

// Follow reads the topic of alarms from where it was read to last, and decides
// what is told, until ctx is done. While the log is away it waits.
func (n *Notifier) Follow(ctx context.Context, client []kgo.Opt, topic string) error {
	for ctx.Err() == nil {
		if err := n.follow(ctx, client, topic); err != nil && ctx.Err() == nil {
			n.log.Warn("alarms are not read for notifications; they are read later", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
	return nil
}

// before is how far back the topic is read where it never was: what was raised while the process started.
const before = 10 * time.Minute

func (n *Notifier) follow(ctx context.Context, client []kgo.Opt, topic string) error {
	cl, err := kgo.NewClient(client...)
	if err != nil {
		return err
	}
	there, err := kadm.NewClient(cl).ListTopics(ctx, topic)
	cl.Close()
	if err != nil {
		return fmt.Errorf("list %s: %w", topic, err)
	}
	d, ok := there[topic]
	if !ok || d.Err != nil {
		return fmt.Errorf("topic %s: %w", topic, d.Err)
	}
	have, err := n.Next(ctx)
	if err != nil {
		return err
	}
	start := kgo.NewOffset().AfterMilli(time.Now().Add(-before).UnixMilli())
	from := map[int32]kgo.Offset{}
	for _, p := range d.Partitions.Sorted() {
		from[p.Partition] = start
		if next, ok := have[p.Partition]; ok {
			from[p.Partition] = kgo.NewOffset().At(next)
		}
	}
	if cl, err = kgo.NewClient(slices.Concat(client, []kgo.Opt{kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}), kgo.ConsumeResetOffset(start), kgo.FetchMaxWait(200 * time.Millisecond)})...); err != nil {
		return err
	}
	defer cl.Close()
	for {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return err
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			if err != nil || len(p.Records) == 0 {
				return
			}
			var events []telemetry.AlarmEvent
			for _, r := range p.Records {
				var e telemetry.AlarmEvent
				if json.Unmarshal(r.Value, &e) == nil && e.ID != "" { // what is no alarm is counted by the api
					events = append(events, e)
				}
			}
			err = n.Take(ctx, events, p.Partition, p.Records[len(p.Records)-1].Offset+1)
		})
		if err != nil {
			return err
		}
	}
}
