// Package edge builds a gateway from settings: for the process at the rig and
// for the one process alike. It must not reach storage (docs/architecture.md).
package edge

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/gateway"
	"github.com/mudpulse/mudpulse/services/internal/process"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Deps are what the process gives.
type Deps struct {
	Brokers   []string
	Client    []kgo.Opt // SASL, TLS; without the brokers
	Clock     telemetry.Clock
	Catalogue *telemetry.Catalogue
	Registry  gateway.Registry
	Coverage  gateway.Coverage // nil: frames are released when Kafka has them
	Log       *slog.Logger
	Metrics   prometheus.Registerer
	Version   string
}

// New returns a gateway as s wishes; it does no I/O.
func New(s *process.Settings, d Deps) (*gateway.Gateway, error) {
	cfg := gateway.DefaultConfig()
	cfg.Name, cfg.Version = s.GatewayID, d.Version
	cfg.Listen.TCP, cfg.Listen.TLS, cfg.Listen.WebSocket = s.MQTT, s.MQTTTLS, s.MQTTWS
	cfg.Listen.MaxRate, cfg.Listen.Round = s.DeviceRate, s.MQTTRound
	cfg.Spool.Dir = s.Path("gateway")
	cfg.Spool.MaxBytes, cfg.Spool.MaxAge = s.SpoolBytes, s.SpoolAge
	cfg.Spool.SegmentBytes = min(cfg.Spool.SegmentBytes, max(64<<10, s.SpoolBytes/8))
	cfg.MaxPayload = s.MaxMessage
	var err error
	if cfg.Listen.TLSConfig, err = serverTLS(s.MQTTCert, s.MQTTKey, s.MQTTClientCA); err != nil {
		return nil, err
	}
	cfg.Listen.WebSocketTLS = cfg.Listen.TLSConfig != nil && s.MQTTWS != ""
	if s.MQTT != "" && !loopback(s.MQTT) && d.Log != nil {
		d.Log.Warn("devices' passwords travel in clear text on this address: let devices use --mqtt-tls", "mqtt", s.MQTT)
	}
	cfg.Kafka.Brokers, cfg.Kafka.Prefix, cfg.Kafka.Options = d.Brokers, s.Prefix, d.Client
	if s.Has("log") {
		cfg.Kafka.Compression = "snappy" // as fast as LZ4, whose readers keep 8 MB each in every consumer beside
	}
	cfg.LiveHorizon, cfg.Drain = s.LiveHorizon, s.Drain
	for i, url := range s.Subscribe {
		cfg.Subscribe = append(cfg.Subscribe, broker(s.GatewayID, i, url))
	}
	if err := readSite(s.Site, &cfg); err != nil {
		return nil, err
	}
	crash, err := s.CrashPoint()
	if err != nil {
		return nil, err
	}
	g, err := gateway.New(cfg, gateway.Deps{
		Clock: d.Clock, Catalogue: d.Catalogue, Registry: d.Registry, Coverage: d.Coverage, Log: d.Log, Crash: crash,
	})
	if err != nil {
		return nil, err
	}
	if d.Metrics != nil {
		d.Metrics.MustRegister(counters{g})
	}
	return g, nil
}

// counters shows a gateway's counters to Prometheus under gateway_….
type counters struct{ g *gateway.Gateway }

// Describe sends nothing: the names are the gateway's own.
func (c counters) Describe(chan<- *prometheus.Desc) {}

// Collect sends each counter as it stands.
func (c counters) Collect(ch chan<- prometheus.Metric) {
	for name, v := range c.g.Counters() {
		kind := prometheus.CounterValue
		if gateway.Gauges[name] {
			kind = prometheus.GaugeValue
		}
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc("gateway_"+name, gateway.Help[name], nil, nil), kind, float64(v))
	}
}
