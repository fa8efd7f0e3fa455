// Package gateway takes frames from drills over MQTT, keeps them on disk and
// publishes them to Kafka. What it has acknowledged it does not lose.
//
//	MQTT → decode → validate → identify → spool (fsync) → PUBACK → Kafka → release
package gateway

import (
	"context"
	"log/slog"
	"net"

	"github.com/mudpulse/mudpulse/gateway/crash"
	"github.com/mudpulse/mudpulse/telemetry"
)

// A Registry knows the devices that may publish. Safe for concurrent use.
type Registry interface {
	// Device returns the device of that user name.
	Device(username string) (telemetry.Device, bool)
}

// Coverage says how far the consumers of the log are safe. Where it is given,
// the spool keeps a frame until then, so that the log itself may be lost.
type Coverage interface {
	// Covered returns the offset below which every record of the partition is
	// committed by the store and covered by the scorer's checkpoint.
	Covered(topic string, partition int32) int64
}

// Deps are what a gateway needs from its process; nil takes the default.
type Deps struct {
	Clock     telemetry.Clock      // wall time
	Catalogue *telemetry.Catalogue // the default channels
	Registry  Registry             // required
	Coverage  Coverage             // released when Kafka has acknowledged
	Log       *slog.Logger         // discarded
	Crash     crash.Func           // none
}

// Addresses are where MQTT is listened for; nil where not.
type Addresses struct{ TCP, TLS, WebSocket net.Addr }

// A Message is one MQTT message given in process.
type Message struct {
	Topic   string
	Payload []byte
}
