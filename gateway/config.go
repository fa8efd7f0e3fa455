package gateway

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/gateway/listener"
	"github.com/mudpulse/mudpulse/gateway/spool"
	"github.com/mudpulse/mudpulse/gateway/subscriber"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Config says what a gateway is. Durations called "clock" run on the injected
// clock, the others on wall time.
type Config struct {
	Name    string // id of this gateway; on every frame and in the gateways topic
	Version string // of the program, for the status

	Listen    listener.Config     // MQTT listener; no addresses: none
	Subscribe []subscriber.Config // brokers of the site
	Spool     spool.Config
	Kafka     KafkaConfig

	Rules []Rule           // how messages of other topics than ours are read
	Names map[string]Names // lists of names that rules may apply

	LiveHorizon  time.Duration // clock: older frames travel as backfill
	Future       time.Duration // clock: frames further ahead are flagged
	Past         time.Duration // clock: frames older are flagged
	BackfillRate int           // frames a second while live frames flow; 0: no bound
	MaxPayload   int           // bytes; a larger message is refused, its head quarantined
	StatusEvery  time.Duration // between records of the gateways topic
	Drain        time.Duration // for publishing what is spooled when asked to stop
}

// KafkaConfig says where frames go.
type KafkaConfig struct {
	Brokers     []string
	Prefix      string    // of topic names
	Options     []kgo.Opt // TLS, SASL, dialer, …; appended last
	Compression string    // none, snappy, lz4, zstd
	MaxInFlight int       // frames handed to the producer and not acknowledged
}

// DefaultConfig returns what suits a laptop; Name, Spool.Dir and Kafka.Brokers are to be set.
func DefaultConfig() Config {
	return Config{
		Name: "gw-1", Version: "dev",
		Listen:      listener.DefaultConfig(),
		Spool:       spool.DefaultConfig(),
		Kafka:       KafkaConfig{Prefix: telemetry.DefaultPrefix, Compression: "lz4", MaxInFlight: 8192},
		LiveHorizon: 10 * time.Minute, Future: 5 * time.Minute, Past: 30 * 24 * time.Hour,
		BackfillRate: 20000, MaxPayload: telemetry.MaxFrameBytes,
		StatusEvery: 5 * time.Second, Drain: 5 * time.Second,
	}
}

// Validate names every key that is wrong.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if err := telemetry.ValidID(c.Name); err != nil {
		bad("name: %w", err)
	}
	if err := c.Listen.Validate(); err != nil {
		bad("listen.%w", err)
	}
	for i, s := range c.Subscribe {
		if err := s.Validate(); err != nil {
			bad("subscribe.%d.%w", i, err)
		}
	}
	if err := c.Spool.Validate(); err != nil {
		bad("spool.%w", err)
	}
	if len(c.Kafka.Brokers) == 0 {
		bad("kafka.brokers: must name at least one HOST:PORT")
	}
	if _, err := compression(c.Kafka.Compression); err != nil {
		bad("kafka.compression: %w", err)
	}
	if c.Kafka.MaxInFlight < 1 || c.Kafka.MaxInFlight > 1<<20 {
		bad("kafka.max_in_flight: must lie in 1…1048576, not %d", c.Kafka.MaxInFlight)
	}
	for _, d := range []struct {
		key string
		v   time.Duration
	}{{"live_horizon", c.LiveHorizon}, {"future", c.Future}, {"past", c.Past}, {"status_every", c.StatusEvery}, {"drain", c.Drain}} {
		if d.v <= 0 {
			bad("%s: must be positive, not %v", d.key, d.v)
		}
	}
	if err := c.validateRules(); err != nil {
		errs = append(errs, err)
	}
	if c.BackfillRate < 0 {
		bad("backfill_rate: must not be negative, not %d", c.BackfillRate)
	}
	if c.MaxPayload < 1024 || c.MaxPayload > telemetry.MaxFrameBytes {
		bad("max_payload: must lie in 1024…%d, not %d", telemetry.MaxFrameBytes, c.MaxPayload)
	}
	return errors.Join(errs...)
}

func compression(name string) (kgo.CompressionCodec, error) {
	switch name {
	case "", "none":
		return kgo.NoCompression(), nil
	case "snappy":
		return kgo.SnappyCompression(), nil
	case "lz4":
		return kgo.Lz4Compression(), nil
	case "zstd":
		return kgo.ZstdCompression(), nil
	}
	return kgo.NoCompression(), fmt.Errorf("want none, snappy, lz4 or zstd, not %q", name)
}
