package gateway

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/mudpulse/mudpulse/gateway/payload"
	"github.com/mudpulse/mudpulse/gateway/spool"
	"github.com/mudpulse/mudpulse/telemetry"
)

// sparkplugFile keeps what births said, so that after a restart data can be read
// at once.
const sparkplugFile = "sparkplug.json"

// Codes of Sparkplug messages set aside.
const (
	CodeAlias = "unknown_alias"
	CodeGap   = "sequence_gap"
)

// sparkplug knows the edge nodes: which alias is which metric, and which number
// is due. Safe for concurrent use.
type sparkplug struct {
	mu    sync.Mutex
	nodes map[string]*node // GROUP/NODE
	dirty bool
}

// node is one edge node.
type node struct {
	BD      uint64                       `json:"bd"`   // bdSeq of its last birth
	Born    int64                        `json:"born"` // ms
	Online  bool                         `json:"online"`
	Aliases map[string]map[uint64]string `json:"aliases"` // by device, "" the node's own

	next  int // the seq that is due; -1: not known
	asked time.Time
}

const (
	maxNodes   = 10000
	rebirthGap = 10 * time.Second // between two requests to one node
)

// spTopic is spBv1.0/GROUP/TYPE/NODE[/DEVICE].
type spTopic struct{ group, kind, node, device string }

func parseSparkplugTopic(topic string) (t spTopic, ok bool) {
	p := strings.Split(topic, "/")
	if len(p) < 4 || len(p) > 5 || p[0] != "spBv1.0" || p[1] == "" || p[3] == "" {
		return t, false
	}
	t = spTopic{p[1], p[2], p[3], ""}
	if len(p) == 5 {
		t.device = p[4]
	}
	switch t.kind {
	case "NBIRTH", "NDEATH", "NDATA":
		return t, t.device == ""
	case "DBIRTH", "DDEATH", "DDATA":
		return t, t.device != ""
	}
	return t, false
}

// read takes one message: its samples, a gap before it that is to be named, why it
// cannot be read, and whether the node is to be asked for its birth.
func (s *sparkplug) read(t spTopic, b []byte, now time.Time) (samples []payload.Sample, gap, bad *payload.Error, rebirth bool) {
	m, bad := payload.ReadSparkplug(b)
	if bad != nil {
		return nil, nil, bad, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nodes == nil {
		s.nodes = map[string]*node{}
	}
	key := t.group + "/" + t.node
	n := s.nodes[key]
	if n == nil {
		if len(s.nodes) >= maxNodes {
			return nil, nil, &payload.Error{Code: payload.TooLarge, Field: "topic", Message: "more edge nodes than are kept", Cure: "let another gateway serve some of them"}, false
		}
		n = &node{next: -1, Aliases: map[string]map[uint64]string{}}
		s.nodes[key] = n
	}
	ask := func() bool {
		if now.Sub(n.asked) < rebirthGap {
			return false
		}
		n.asked = now
		return true
	}
	bdSeq := func() (uint64, bool) {
		for _, x := range m.Metrics {
			if x.Name == "bdSeq" {
				return x.Int, true
			}
		}
		return 0, false
	}
	switch t.kind {
	case "NDEATH": // without a seq; a death of an earlier session comes late and is none
		if bd, ok := bdSeq(); !ok || bd == n.BD {
			n.Online, n.next, s.dirty = false, -1, true
		}
		return nil, nil, nil, false
	case "NBIRTH":
		n.BD, _ = bdSeq()
		n.Born, n.Online, n.next, s.dirty = m.Timestamp, true, 0, true
		n.Aliases = map[string]map[uint64]string{}
	}
	if m.HasSeq {
		if n.next >= 0 && int(m.Seq&255) != n.next {
			missing := (int(m.Seq&255) - n.next + 256) & 255
			gap = &payload.Error{
				Code: CodeGap, Field: "seq", Message: fmt.Sprintf("edge node %s: seq %d came where %d was due: %d messages are missing, or %d more a multiple of 256", key, m.Seq&255, n.next, missing, missing),
				Cure: "Sparkplug publishes data at QoS 0, so a network or a broker may lose it; the node is asked for its birth",
			}
			rebirth = ask()
		}
		n.next = int(m.Seq+1) & 255
	}
	switch t.kind {
	case "NBIRTH", "DBIRTH":
		table := map[uint64]string{}
		for _, x := range m.Metrics {
			if x.HasAlias && x.Name != "" {
				table[x.Alias] = strings.Clone(x.Name)
			}
		}
		n.Aliases[t.device], s.dirty = table, true
	case "DDEATH":
		return nil, gap, nil, rebirth
	}
	for _, x := range m.Metrics {
		name := x.Name
		if name == "" && x.HasAlias {
			if name = n.Aliases[t.device][x.Alias]; name == "" {
				return nil, gap, &payload.Error{
					Code: CodeAlias, Field: fmt.Sprintf("alias %d", x.Alias), Message: fmt.Sprintf("no birth of %s said what alias %d is", strings.Trim(key+"/"+t.device, "/"), x.Alias),
					Cure: "the node is asked for its birth; send the message again after it",
				}, rebirth || ask()
			}
		}
		if name == "bdSeq" || name == "" || strings.HasPrefix(name, "Node Control/") || strings.HasPrefix(name, "Device Control/") {
			continue
		}
		ms := x.Timestamp
		if ms == 0 {
			ms = m.Timestamp
		}
		samples = append(samples, payload.Sample{
			Name: name[strings.LastIndexByte(name, '/')+1:], TS: ms * int64(time.Millisecond), Untimed: ms == 0, History: x.Historical, Value: x.Value, Dropped: !x.Number,
		})
	}
	return samples, gap, nil, rebirth
}

// load reads what an earlier run knew of the nodes.
func (s *sparkplug) load(fs spool.FS) error {
	b, err := spool.ReadFile(fs, sparkplugFile)
	if err != nil {
		return err
	}
	var nodes map[string]*node
	if err := json.Unmarshal(b, &nodes); err != nil {
		return fmt.Errorf("%s: %w", sparkplugFile, err)
	}
	for _, n := range nodes {
		if n.next = -1; n.Aliases == nil {
			n.Aliases = map[string]map[uint64]string{}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes = nodes
	return nil
}

// save keeps what births said since the last call.
func (s *sparkplug) save(fs spool.FS) error {
	s.mu.Lock()
	if !s.dirty {
		s.mu.Unlock()
		return nil
	}
	b, err := json.Marshal(s.nodes)
	s.dirty = false
	s.mu.Unlock()
	if err == nil {
		err = spool.WriteFile(fs, sparkplugFile, b, func(string) {}, "sparkplug")
	}
	if err != nil {
		s.mu.Lock()
		s.dirty = true
		s.mu.Unlock()
	}
	return err
}

// sparkplugItems decodes a message of a Sparkplug topic. What is missing before
// it is named in the quarantine.
func (g *Gateway) sparkplugItems(s *source, k *worker, body []byte, now time.Time) ([]payload.Item, *payload.Error) {
	t, ok := parseSparkplugTopic(s.topic)
	if !ok {
		return nil, &payload.Error{Code: CodeTopic, Field: "topic", Message: "is no spBv1.0/GROUP/TYPE/NODE[/DEVICE] of births, deaths and data", Cure: "publish as Sparkplug B 3.0 says"}
	}
	samples, gap, bad, rebirth := g.sparkplug.read(t, body, now)
	if gap != nil {
		g.count.SparkplugGaps.Add(1)
		if s.state != nil {
			s.state.note(gap.Message)
		}
		_ = g.quarantine(s, gap, nil, nil, 0, now, nil, 0) // the message itself goes on; stopping, it comes again
	}
	if rebirth && s.ask != nil {
		s.ask("spBv1.0/"+t.group+"/NCMD/"+t.node, payload.RebirthCommand(now.UnixMilli()))
	}
	if bad != nil {
		return nil, bad
	}
	device := t.node
	if t.device != "" {
		device += "." + t.device
	}
	for i := range samples {
		if telemetry.ValidID(device) == nil {
			samples[i].Device = device
		}
	}
	return k.payload.Assemble(samples, body)
}
