package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// EnsureTopics creates the topics that are missing, where that is permitted,
// and checks those that are there: frames, backfill and commands must have
// equally many partitions, or a switch could not lie in each.
func EnsureTopics(ctx context.Context, cl *kgo.Client, cfg Config) error {
	adm := kadm.NewClient(cl)
	topics := cfg.Topics()
	there, err := adm.ListTopics(ctx, topics.All()...)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	var errs []error
	for _, name := range topics.All() {
		if d, ok := there[name]; ok && d.Err == nil {
			continue
		}
		parts := cfg.Partitions
		settings := map[string]*string{}
		switch {
		case topics.Compacted(name):
			parts, settings["cleanup.policy"] = 1, kadm.StringPtr("compact")
		case name == topics.Quarantine || name == topics.Gateways:
			parts = 1
		}
		res, err := adm.CreateTopic(ctx, parts, cfg.Replication, settings, name)
		if err == nil {
			err = res.Err
		}
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			errs = append(errs, fmt.Errorf("create topic %s (%d partitions): %w; create it by hand, or permit this user to", name, parts, err))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	there, err = adm.ListTopics(ctx, topics.Frames, topics.Backfill, topics.Commands)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	want := len(there[topics.Frames].Partitions)
	for _, name := range []string{topics.Backfill, topics.Commands} {
		if got := len(there[name].Partitions); got != want {
			return fmt.Errorf("topic %s has %d partitions and %s has %d: they must be equal; add partitions to the smaller", topics.Frames, want, name, got)
		}
	}
	return nil
}

// ClusterID returns the log's identity: stored positions are void under another.
func ClusterID(ctx context.Context, cl *kgo.Client) (string, error) {
	meta, err := kadm.NewClient(cl).BrokerMetadata(ctx)
	if err != nil {
		return "", fmt.Errorf("ask for the cluster id: %w", err)
	}
	if meta.Cluster == "" {
		return "", errors.New("the brokers give no cluster id; mudpulse needs it to know its positions again")
	}
	return meta.Cluster, nil
}
