package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/telemetry"
)

// Consumer reads the topics into a hub. Frames and scores are read from their
// end; alarms and commands from a day back, since folding them again does no harm
// and the store may be behind.
type Consumer struct {
	hub     *Hub
	client  []kgo.Opt
	topics  telemetry.Topics
	control func(key string, value []byte) // what comes on the control topic

	mu   sync.Mutex
	err  error // of the last poll
	seen time.Time
}

// NewConsumer returns a consumer; control may be nil.
func NewConsumer(h *Hub, client []kgo.Opt, topics telemetry.Topics, control func(key string, value []byte)) *Consumer {
	if control == nil {
		control = func(string, []byte) {}
	}
	return &Consumer{hub: h, client: client, topics: topics, control: control}
}

// Run reads until ctx is done.
func (c *Consumer) Run(ctx context.Context) error {
	dayBack := kgo.NewOffset().AfterMilli(time.Now().Add(-24 * time.Hour).UnixMilli())
	roads := []struct {
		from   kgo.Offset
		topics []string
	}{
		{kgo.NewOffset().AtEnd(), []string{c.topics.Frames, c.topics.Scores}},
		{dayBack, []string{c.topics.Alarms, c.topics.Commands}},
		{kgo.NewOffset().AtStart(), []string{c.topics.Control}},
	}
	var all sync.WaitGroup
	defer all.Wait()
	for _, road := range roads {
		cl, err := kgo.NewClient(slices.Concat(c.client, []kgo.Opt{
			kgo.ConsumeTopics(road.topics...), kgo.ConsumeResetOffset(road.from),
			kgo.FetchMaxWait(100 * time.Millisecond), kgo.FetchMaxBytes(16 << 20), kgo.MaxConcurrentFetches(2),
		})...)
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		all.Go(func() {
			defer cl.Close()
			c.poll(ctx, cl)
		})
	}
	<-ctx.Done()
	return nil
}

func (c *Consumer) poll(ctx context.Context, cl *kgo.Client) {
	var d telemetry.Decoder
	var f telemetry.Frame
	var s newestScores
	for ctx.Err() == nil {
		fetches := cl.PollFetches(ctx)
		err := fetches.Err()
		if ctx.Err() != nil {
			return
		}
		c.mu.Lock()
		c.err, c.seen = err, time.Now()
		c.mu.Unlock()
		if err != nil {
			c.hub.log.Warn("live records not read", "err", err)
			select { // do not spin on what does not pass
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Topic == c.topics.Scores && s.add(r, c.hub.future) {
				return
			}
			c.take(r, &d, &f)
		})
		if s.left > 0 {
			c.hub.m.records.WithLabelValues("score").Add(float64(s.left))
		}
		s.each(func(r *kgo.Record) { c.take(r, &d, &f) })
	}
}

// newestScores holds the newest score of each drill in one fetch: in a flood a
// fetch has many, and the hub keeps one.
type newestScores struct {
	at   map[string]int // by key, in list
	list []newestScore
	left int // out since each
}

type newestScore struct {
	r    *kgo.Record
	tick int64
}

// add takes a record, or leaves it out if its tick is in the future; false: it is not readable.
func (s *newestScores) add(r *kgo.Record, future func(tick int64) bool) bool {
	tick, err := telemetry.ScoreTick(r.Value)
	if err != nil {
		return false
	}
	if future(tick) {
		s.left++
		return true
	}
	if s.at == nil {
		s.at = map[string]int{}
	}
	i, ok := s.at[string(r.Key)]
	switch {
	case !ok:
		s.at[string(r.Key)] = len(s.list)
		s.list = append(s.list, newestScore{r, tick})
	case tick >= s.list[i].tick:
		s.list[i] = newestScore{r, tick}
		s.left++
	default:
		s.left++
	}
	return true
}

// each calls f with what is held, and holds nothing after.
func (s *newestScores) each(f func(*kgo.Record)) {
	for i := range s.list {
		f(s.list[i].r)
		s.list[i].r = nil
	}
	s.list, s.left = s.list[:0], 0
	clear(s.at)
}

// Healthy says why nothing is read, nil if the last poll went well.
func (c *Consumer) Healthy() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil && !errors.Is(c.err, context.Canceled) {
		return fmt.Errorf("read the log: %w", c.err)
	}
	return nil
}

func (c *Consumer) take(r *kgo.Record, d *telemetry.Decoder, f *telemetry.Frame) {
	var err error
	kind := "frame"
	switch r.Topic {
	case c.topics.Frames:
		for _, h := range r.Headers {
			if h.Key == telemetry.HeaderKind {
				kind = "marker"
			}
		}
		if kind == "marker" {
			var m telemetry.Marker
			if err = json.Unmarshal(r.Value, &m); err == nil && m.Kind == telemetry.MarkerModel {
				c.hub.ModelsChanged(m.Name)
			}
			break
		}
		if err = d.Decode(r.Value, f); err == nil {
			c.hub.Frame(f)
		}
	case c.topics.Scores:
		kind = "score"
		s := &telemetry.Score{}
		if err = telemetry.DecodeScore(r.Value, s); err == nil {
			c.hub.Score(s)
		}
	case c.topics.Alarms:
		kind = "alarm"
		var e telemetry.AlarmEvent
		if err = json.Unmarshal(r.Value, &e); err == nil {
			c.hub.Alarm(e)
		}
	case c.topics.Commands:
		kind = "command"
		var m telemetry.Command
		if err = json.Unmarshal(r.Value, &m); err == nil && m.Alarm != "" {
			c.hub.Command(m)
		}
	case c.topics.Control:
		kind = "control"
		c.control(string(r.Key), r.Value)
	}
	c.hub.m.records.WithLabelValues(kind).Inc()
	if err != nil {
		c.hub.m.unreadable.Inc()
		c.hub.log.Debug("live record is not readable", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "err", err)
	}
}
