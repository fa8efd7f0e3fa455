// Package kafka is how mudpulse's processes reach the log: options for clients,
// topics, the cluster's identity, and the log embedded in one process.
package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/mudpulse/mudpulse/telemetry"
)

// Config says where the log is and how its topics are laid out.
type Config struct {
	Brokers     []string // host:port; empty: the log embedded in this process
	Prefix      string   // of every topic
	Partitions  int32    // of frames, backfill, scores, alarms and commands
	Replication int16    // of topics that we create; -1: the broker's default
	ClientID    string

	User      string // SASL; empty: none
	Password  string
	Mechanism string // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
	TLS       bool
	CAFile    string // PEM; empty: the system's
	CertFile  string // client certificate, PEM
	KeyFile   string
}

// DefaultConfig is for one process.
func DefaultConfig() Config {
	return Config{Prefix: telemetry.DefaultPrefix, Partitions: 4, Replication: -1, ClientID: "mudpulse", Mechanism: "SCRAM-SHA-256"}
}

// Validate names the first key that is wrong.
func (c Config) Validate() error {
	for _, b := range c.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			return fmt.Errorf("brokers: %q: want host:port", b)
		}
	}
	switch {
	case c.Partitions < 1 || c.Partitions > 1024:
		return fmt.Errorf("partitions: must be 1 to 1024, not %d", c.Partitions)
	case c.Replication == 0 || c.Replication < -1:
		return fmt.Errorf("replication: must be positive, or -1 for the broker's default, not %d", c.Replication)
	case c.Prefix == "" || len(c.Prefix) > 100:
		return fmt.Errorf("prefix: must have 1 to 100 characters, not %q", c.Prefix)
	case c.User != "" && c.Mechanism != "PLAIN" && c.Mechanism != "SCRAM-SHA-256" && c.Mechanism != "SCRAM-SHA-512":
		return fmt.Errorf("sasl-mechanism: must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, not %q", c.Mechanism)
	case (c.CertFile == "") != (c.KeyFile == ""):
		return fmt.Errorf("kafka-cert and kafka-key: give both or neither")
	}
	return nil
}

// Topics returns the topic names under c's prefix.
func (c Config) Topics() telemetry.Topics { return telemetry.NewTopics(c.Prefix) }

// Options returns what every client of this log needs; it reads certificate files.
func (c Config) Options() ([]kgo.Opt, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...), kgo.ClientID(c.ClientID),
		kgo.RetryTimeout(15 * time.Second), kgo.DialTimeout(5 * time.Second),
	}
	switch {
	case c.User == "":
	case c.Mechanism == "PLAIN":
		opts = append(opts, kgo.SASL(plain.Auth{User: c.User, Pass: c.Password}.AsMechanism()))
	case c.Mechanism == "SCRAM-SHA-256":
		opts = append(opts, kgo.SASL(scram.Auth{User: c.User, Pass: c.Password}.AsSha256Mechanism()))
	default:
		opts = append(opts, kgo.SASL(scram.Auth{User: c.User, Pass: c.Password}.AsSha512Mechanism()))
	}
	if c.TLS || c.CAFile != "" || c.CertFile != "" {
		t := &tls.Config{MinVersion: tls.VersionTLS12}
		if c.CAFile != "" {
			pem, err := os.ReadFile(c.CAFile)
			if err != nil {
				return nil, fmt.Errorf("kafka-ca: %w", err)
			}
			t.RootCAs = x509.NewCertPool()
			if !t.RootCAs.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("kafka-ca: %s holds no certificate in PEM", c.CAFile)
			}
		}
		if c.CertFile != "" {
			cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
			if err != nil {
				return nil, fmt.Errorf("kafka-cert: %w", err)
			}
			t.Certificates = []tls.Certificate{cert}
		}
		opts = append(opts, kgo.DialTLSConfig(t))
	}
	return opts, nil
}
