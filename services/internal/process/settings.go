// Package process is what mudpulse's mains share: settings with one
// precedence (flag, environment, file, default), logging, the order in which
// parts start and stop, and the files a running process leaves for its command
// line.
package process

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/services/internal/kafka"
)

// DefaultHTTP is where the API listens unless it is told otherwise.
const DefaultHTTP = "127.0.0.1:8080"

// Settings are what an operator may change, for all processes. A name on the
// command line is --http, in the environment MUDPULSE_HTTP, in the file http.
type Settings struct {
	Data string `help:"Directory for everything that is kept." default:".data" placeholder:"DIR"`
	HTTP string `name:"http" help:"Address of the dashboard and the API; of a process without them, of its state and metrics." default:"127.0.0.1:8080" placeholder:"ADDR"`
	URL  string `name:"url" help:"Where people reach the dashboard through a proxy, with the prefix that it serves it under, if any." placeholder:"https://HOST/PREFIX/"`
	MQTT string `name:"mqtt" help:"Address where devices connect." default:"127.0.0.1:1883" placeholder:"ADDR"`
	SQL  string `name:"sql" help:"Address of the Postgres wire protocol for analysts." default:"127.0.0.1:5433" placeholder:"ADDR"`

	Kafka         string   `help:"Address of the embedded log, where no brokers are given." default:"127.0.0.1:9092" placeholder:"ADDR"`
	Brokers       []string `help:"An external Kafka instead of the embedded log." placeholder:"HOST:PORT"`
	Prefix        string   `help:"Prefix of every topic." default:"mudpulse."`
	Partitions    int32    `help:"Partitions of topics that are created." default:"4"`
	Replication   int16    `help:"Replication of topics that are created; -1: the broker's default." default:"-1"`
	SASLUser      string   `name:"sasl-user" help:"User at the brokers."`
	SASLPassword  string   `name:"sasl-password" help:"Password at the brokers; better in the environment."`
	SASLMechanism string   `name:"sasl-mechanism" help:"PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512." default:"SCRAM-SHA-256"`
	KafkaTLS      bool     `name:"kafka-tls" help:"Speak TLS to the brokers."`
	KafkaCA       string   `name:"kafka-ca" help:"Certificate authority of the brokers, PEM." placeholder:"FILE"`
	KafkaCert     string   `name:"kafka-cert" help:"Client certificate for the brokers, PEM." placeholder:"FILE"`
	KafkaKey      string   `name:"kafka-key" help:"Its key, PEM." placeholder:"FILE"`

	MQTTTLS      string        `name:"mqtt-tls" help:"Address where devices connect over TLS; needs --mqtt-cert and --mqtt-key." placeholder:"ADDR"`
	MQTTWS       string        `name:"mqtt-ws" help:"Address where devices connect over WebSocket; over TLS if there is a certificate." placeholder:"ADDR"`
	MQTTCert     string        `name:"mqtt-cert" help:"Certificate that devices see, PEM; read again when it changes." placeholder:"FILE"`
	MQTTKey      string        `name:"mqtt-key" help:"Its key, PEM." placeholder:"FILE"`
	MQTTClientCA string        `name:"mqtt-client-ca" help:"Authority of the devices' certificates, PEM: the common name is the device." placeholder:"FILE"`
	DeviceRate   int           `name:"device-rate" help:"Messages a second that one connection may send; beyond it reading waits. 0: no bound." default:"5000"`
	MQTTRound    time.Duration `name:"mqtt-round" help:"Messages of very many devices are gathered for up to this long before they are read; few or busy devices never wait. 0: not." default:"10ms"`
	MaxMessage   int           `name:"max-message" help:"Bytes of one message; a larger one is refused, its head quarantined." default:"1048576"`

	Parts []string `help:"Parts to run in this process: log,gateway,scorer,writer,api." default:"log,gateway,scorer,writer,api"`
	Demo  bool     `help:"Run twelve simulated drills on a clock × 60." default:"true" negatable:""`
	Seed  uint64   `help:"Seed of the simulated drills." default:"7"`

	GatewayID     string        `name:"gateway-id" help:"Name of this gateway." default:"gw-1"`
	Subscribe     []string      `help:"MQTT brokers of a site to take frames from." placeholder:"URL"`
	Site          string        `help:"File of the site's brokers, topic rules and names (docs/payloads.md), YAML." placeholder:"FILE"`
	LiveHorizon   time.Duration `name:"live-horizon" help:"Backlog older than this travels as backfill." default:"10m"`
	SpoolBytes    int64         `name:"spool-bytes" help:"Most bytes the gateway's spool may take; when it is full, acknowledgements wait." default:"2147483648"`
	SpoolAge      time.Duration `name:"spool-age" help:"The spool is full as well when the oldest frame it keeps is older; 0: no bound." default:"0s"`
	Instance      string        `help:"Name of this process among the scorers that share a log; a restart under it takes its partitions back at once." placeholder:"NAME"`
	Checkpoint    time.Duration `help:"Least time between checkpoints of the scorer; they take a tenth of the bytes it reads, or are sixty times this apart." default:"10s"`
	TellFrom      float64       `name:"tell-from" help:"Points of 100 that a reading must have taken from a drill's health to be told as a reason." default:"3"`
	Drain         time.Duration `help:"How long a stopping part may take to finish the batch in hand." default:"10s"`
	Blobs         string        `help:"Where models and checkpoints lie: a directory or a bucket URL, shared by scorer and api; empty: DATA/blobs." placeholder:"DIR"`
	Memory        string        `help:"Memory limit of the columnstore." default:"256MB"`
	Columnstore   string        `help:"A ClickHouse instead of the embedded columnstore, clickhouse://USER:PASSWORD@HOST:9000/DATABASE or its HTTP protocol; better in the environment." placeholder:"URL"`
	AmendWithin   time.Duration `name:"amend-within" help:"Frames that come up to so late amend by themselves what they change; what is later, by mudpulse rescore. 0s: none do." default:"24h"`
	AmendLook     time.Duration `name:"amend-look" help:"For tests: how often it is looked for late frames." hidden:"" default:"30s"`
	DefaultModels bool          `name:"default-models" help:"Switch on the models that come with mudpulse, at the first start." default:"true" negatable:""`
	LimitRules    bool          `name:"limit-rules" help:"Raise alarms by plain limits too, not by models alone." default:"true" negatable:""`

	SQLCert      string        `name:"sql-cert" help:"Certificate of the SQL front, PEM; with it clients may speak TLS." placeholder:"FILE"`
	SQLKey       string        `name:"sql-key" help:"Its key, PEM." placeholder:"FILE"`
	SQLTimeout   time.Duration `name:"sql-timeout" help:"A query of SQL is stopped after this." default:"30s"`
	SQLRows      int64         `name:"sql-rows" help:"A query of SQL may return so many rows." default:"1000000"`
	KeepReadings time.Duration `name:"keep-readings" help:"Drop readings of hours older than this; 0s: never." default:"0s"`
	KeepRollups  time.Duration `name:"keep-rollups" help:"Drop rollups (10 s, 1 min, 1 h) of hours older than this; 0s: never." default:"0s"`
	KeepRecords  time.Duration `name:"keep-records" help:"Drop frames and scores of hours older than this; the ledger keeps their numbers; 0s: never." default:"0s"`

	LogLevel  string `name:"log-level" help:"debug, info, warn or error." default:"info" enum:"debug,info,warn,error"`
	LogFormat string `name:"log-format" help:"text or json." default:"text" enum:"text,json"`
	Profile   string `name:"profile" help:"For benchmarks: write a CPU profile of the whole run." hidden:"" placeholder:"FILE"`
	Crash     string `name:"crash" help:"For tests: die at a crash point, NAME:N at its Nth pass." hidden:""`
	Panicking string `name:"panicking" help:"For tests: the model whose file has this SHA-256 panics at every row." hidden:"" placeholder:"SHA256"`
}

// AllParts are the parts one process can run.
var AllParts = []string{"log", "gateway", "scorer", "writer", "api"}

// Validate names every setting that is wrong.
func (s *Settings) Validate() error {
	var wrong []string
	bad := func(key, format string, args ...any) {
		wrong = append(wrong, key+": "+fmt.Sprintf(format, args...))
	}
	for _, a := range []struct{ key, addr string }{{"http", s.HTTP}, {"mqtt", s.MQTT}, {"sql", s.SQL}, {"kafka", s.Kafka}} {
		if _, _, err := net.SplitHostPort(a.addr); err != nil {
			bad(a.key, "%q is no address to listen on: want HOST:PORT, for example 127.0.0.1:0", a.addr)
		}
	}
	for _, a := range []struct{ key, addr string }{{"mqtt-tls", s.MQTTTLS}, {"mqtt-ws", s.MQTTWS}} {
		if _, _, err := net.SplitHostPort(a.addr); a.addr != "" && err != nil {
			bad(a.key, "%q is no address to listen on: want HOST:PORT, for example 127.0.0.1:0", a.addr)
		}
	}
	if (s.MQTTCert == "") != (s.MQTTKey == "") || s.MQTTTLS != "" && s.MQTTCert == "" {
		bad("mqtt-cert", "TLS needs both --mqtt-cert and --mqtt-key")
	}
	if s.MQTTClientCA != "" && s.MQTTCert == "" {
		bad("mqtt-client-ca", "devices' certificates are for TLS: give --mqtt-cert and --mqtt-key too")
	}
	for _, p := range s.Parts {
		if !slices.Contains(AllParts, p) {
			bad("parts", "%q is no part: want %s", p, strings.Join(AllParts, ", "))
		}
	}
	switch {
	case len(s.Parts) == 0:
		bad("parts", "none given: want some of %s", strings.Join(AllParts, ", "))
	case s.Has("writer") != s.Has("api") && s.Columnstore == "":
		bad("parts", "writer and api apart: %v", ErrApart)
	case s.Has("log") && s.Has("writer") != s.Has("api"):
		bad("parts", "writer and api apart need a Kafka that both reach: leave out log, and give --brokers")
	}
	if len(s.Brokers) > 0 && slices.Contains(s.Parts, "log") && len(s.Parts) < len(AllParts) {
		bad("parts", "the embedded log and --brokers exclude each other: leave out log")
	}
	if s.Data == "" {
		bad("data", "must name a directory")
	}
	if s.LiveHorizon <= 0 {
		bad("live-horizon", "must be positive, not %v", s.LiveHorizon)
	}
	if s.SpoolBytes < 1<<20 {
		bad("spool-bytes", "must be at least 1048576, not %d", s.SpoolBytes)
	}
	if s.AmendWithin < 0 {
		bad("amend-within", "must not be negative, not %v", s.AmendWithin)
	}
	if s.AmendLook <= 0 {
		bad("amend-look", "must be positive, not %v", s.AmendLook)
	}
	if s.Checkpoint <= 0 {
		bad("checkpoint", "must be positive, not %v", s.Checkpoint)
	}
	if s.Drain <= 0 {
		bad("drain", "must be positive, not %v", s.Drain)
	}
	if err := s.Log().Validate(); err != nil {
		wrong = append(wrong, err.Error())
	}
	if len(wrong) > 0 {
		return fmt.Errorf("settings:\n  %s", strings.Join(wrong, "\n  "))
	}
	return nil
}

// Has reports whether part runs in this process; with --brokers there is no embedded log.
func (s *Settings) Has(part string) bool {
	return slices.Contains(s.Parts, part) && (part != "log" || len(s.Brokers) == 0)
}

// Log returns how to reach the log.
func (s *Settings) Log() kafka.Config {
	return kafka.Config{
		Brokers: s.Brokers, Prefix: s.Prefix, Partitions: s.Partitions, Replication: s.Replication, ClientID: "mudpulse",
		User: s.SASLUser, Password: s.SASLPassword, Mechanism: s.SASLMechanism,
		TLS: s.KafkaTLS, CAFile: s.KafkaCA, CertFile: s.KafkaCert, KeyFile: s.KafkaKey,
	}
}

// Path returns a path under the data directory.
func (s *Settings) Path(elem ...string) string {
	return filepath.Join(append([]string{s.Data}, elem...)...)
}
