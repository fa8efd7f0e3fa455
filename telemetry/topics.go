package telemetry

import (
	"fmt"
	"strings"
)

// Topics are the names of the log's topics under one prefix. All are keyed by
// drill unless said otherwise.
type Topics struct {
	Frames     string // telemetry.Frame, protobuf; markers between them
	Backfill   string // the same, history and backlog; as many partitions
	Scores     string // Score, protobuf: one record per drill and tick
	Alarms     string // AlarmEvent, JSON
	Quarantine string // Quarantined, JSON
	Gateways   string // GatewayStatus, JSON; keyed by gateway
	Commands   string // Command, JSON; as many partitions as Frames
	Control    string // compacted: present models, rules, channels, devices; keyed kind/name
	State      string // compacted: manifests of checkpoints; keyed topic/partition
}

// DefaultPrefix is the prefix where none is configured.
const DefaultPrefix = "mudpulse."

// NewTopics returns the topic names under prefix.
func NewTopics(prefix string) Topics {
	p := func(s string) string { return prefix + s }
	return Topics{
		Frames: p("frames"), Backfill: p("backfill"), Scores: p("scores"),
		Alarms: p("alarms"), Quarantine: p("quarantine"), Gateways: p("gateways"), Commands: p("commands"),
		Control: p("control"), State: p("state"),
	}
}

// All lists the topics; Compacted says which of them keep only the last record of a key.
func (t Topics) All() []string {
	return []string{t.Frames, t.Backfill, t.Scores, t.Alarms, t.Quarantine, t.Gateways, t.Commands, t.Control, t.State}
}

// Compacted reports whether topic keeps only the last record of each key.
func (t Topics) Compacted(topic string) bool { return topic == t.Control || topic == t.State }

// Record headers. A record of frames, backfill or commands without a kind is a
// frame (or a command); with KindMarker its value is a Marker in JSON.
const (
	HeaderKind = "kind"
	KindMarker = "marker"
)

// MQTT topics on which devices publish.
const (
	mqttRoot   = "mudpulse/v1/"
	jsonLevel  = "/frames"
	protoLevel = "/frames.pb"
)

// MQTTTopic returns the topic on which drill's device publishes JSON frames.
func MQTTTopic(drill string) string { return mqttRoot + drill + jsonLevel }

// MQTTProtoTopic returns the topic for protobuf frames.
func MQTTProtoTopic(drill string) string { return mqttRoot + drill + protoLevel }

// ParseMQTTTopic returns the drill and whether the payload is protobuf.
func ParseMQTTTopic(topic string) (drill string, proto bool, err error) {
	rest, ok := strings.CutPrefix(topic, mqttRoot)
	if ok {
		if d, ok := strings.CutSuffix(rest, protoLevel); ok && ValidID(d) == nil {
			return d, true, nil
		}
		if d, ok := strings.CutSuffix(rest, jsonLevel); ok && ValidID(d) == nil {
			return d, false, nil
		}
	}
	return "", false, fmt.Errorf("topic %q: want mudpulse/v1/{drill}/frames (JSON) or mudpulse/v1/{drill}/frames.pb (protobuf)", topic)
}

// ValidID checks the id of a drill, device, boot or gateway: 1 to 64 characters
// of letters, digits and . _ - ~ ! , so that it fits a topic, a path and a URL.
func ValidID(s string) error {
	if s == "" || len(s) > 64 {
		return fmt.Errorf("id %q: must have 1 to 64 characters", s)
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-' || c == '~' || c == '!'
		if !ok {
			return fmt.Errorf("id %q: character %q at %d: use letters, digits, . _ -", s, c, i)
		}
	}
	if s == "." || s == ".." {
		return fmt.Errorf("id %q: is a path", s)
	}
	return nil
}
