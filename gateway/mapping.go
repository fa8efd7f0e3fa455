package gateway

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/gateway/payload"
	"github.com/mudpulse/mudpulse/telemetry"
)

// CodeUnit says that a run's unit is not known, or is another quantity's.
const CodeUnit = "unknown_unit"

// A Rule says how messages of some topics are read. The first that matches
// counts, before the topics of our own.
type Rule struct {
	Topic   string       // filter with + and #; {drill}, {device} and {channel} are levels that name them
	Kind    payload.Kind // how the payload is written
	Drill   string       // where the topic does not name it and the sender is a broker
	Names   string       // list of names to apply
	Columns []string     // CSV without a header line
	Field   bool         // WITS: values are in oilfield units
}

// Names is a site's list: what it calls its readings, and what they are.
type Names struct {
	Channels map[string]Mapping // by the site's name
	Drop     bool               // what the list does not hold is left out; else it goes on under its own name
}

// A Mapping is one line of a list.
type Mapping = telemetry.Name

// rule is a Rule made ready.
type rule struct {
	Rule
	levels []string
	names  *Names
}

func (c Config) validateRules() error {
	var errs []error
	for i, r := range c.Rules {
		bad := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("rules.%d."+format, append([]any{i}, args...)...))
		}
		if !slices.Contains(payload.Kinds, r.Kind) {
			bad("kind: want one of %v, not %q", payload.Kinds, r.Kind)
		}
		if r.Topic == "" || strings.Contains(strings.TrimSuffix(r.Topic, "#"), "#") {
			bad("topic: want a filter as site/{drill}/+/data, # only at its end, not %q", r.Topic)
		}
		if r.Kind == payload.Value && !strings.Contains(r.Topic, "{channel}") {
			bad("topic: kind value needs a level {channel}, as site/{drill}/{channel}, not %q", r.Topic)
		}
		if r.Drill != "" && telemetry.ValidID(r.Drill) != nil {
			bad("drill: %w", telemetry.ValidID(r.Drill))
		}
		if _, ok := c.Names[r.Names]; r.Names != "" && !ok {
			bad("names: there is no list %q", r.Names)
		}
	}
	for name, list := range c.Names {
		for from, m := range list.Channels {
			if m.Drop {
				continue
			}
			if err := telemetry.ValidTag(m.Channel); err != nil {
				errs = append(errs, fmt.Errorf("names.%s.%s: %w", name, from, err))
			}
		}
	}
	return errors.Join(errs...)
}

func (c Config) rules() []rule {
	out := make([]rule, len(c.Rules))
	for i, r := range c.Rules {
		out[i] = rule{Rule: r, levels: strings.Split(r.Topic, "/")}
		if list, ok := c.Names[r.Names]; ok {
			out[i].names = &list
		}
	}
	return out
}

// match reports whether topic is the rule's, and which drill, device and channel it names.
func (r *rule) match(topic string) (drill, device, channel string, ok bool) {
	parts := strings.Split(topic, "/")
	for i, l := range r.levels {
		if l == "#" {
			return drill, device, channel, true
		}
		if i >= len(parts) {
			return "", "", "", false
		}
		switch l {
		case "+":
		case "{drill}":
			drill = parts[i]
		case "{device}":
			device = parts[i]
		case "{channel}":
			channel = parts[i]
		case parts[i]:
		default:
			return "", "", "", false
		}
	}
	return drill, device, channel, len(parts) == len(r.levels)
}

// resolve parses a topic, once for as long as it stays the same.
func (g *Gateway) resolve(s *source, topic []byte) {
	if s.topic != "" && s.topic == string(topic) {
		return
	}
	s.topic, s.bad, s.rule, s.sensor, s.drill, s.channel = string(topic), nil, nil, "", "", ""
	for i := range g.rules {
		r := &g.rules[i]
		drill, device, channel, ok := r.match(s.topic)
		if !ok {
			continue
		}
		s.rule, s.kind, s.channel = r, r.Kind, channel
		if telemetry.ValidID(device) == nil {
			s.sensor = device
		}
		s.drill = drill
		if s.drill == "" {
			s.drill = r.Drill
		}
		if s.drill == "" {
			s.drill = s.device.Drill
		}
		if err := telemetry.ValidID(s.drill); err != nil {
			s.bad = &payload.Error{Code: CodeTopic, Field: "topic", Message: "drill: " + err.Error(), Cure: "let the rule's topic hold {drill}, or the rule say which drill it is"}
		}
		break
	}
	if s.rule == nil {
		drill, kind, channel, err := ownTopic(s.topic)
		s.drill, s.kind, s.channel = drill, kind, channel
		if err != nil {
			s.bad = &payload.Error{Code: CodeTopic, Field: "topic", Message: err.Error() + ", or …/ and one of " + kinds, Cure: "publish JSON on " + ownJSON(s.device) + ", or write a rule for the topic"}
		}
	}
	if s.bad == nil && s.device.Drill != "" && s.drill != s.device.Drill { // a site's broker vouches for its drills
		s.bad = &payload.Error{Code: CodeDrill, Field: "topic", Message: fmt.Sprintf("device %s may publish for drill %s, not for %q", s.device.ID, s.device.Drill, s.drill), Cure: "publish on " + telemetry.MQTTTopic(s.device.Drill) + ", or add a device for that drill"}
	}
}

// kinds are the levels that a topic of ours may end in, beside frames.
var kinds = func() string {
	var names []string
	for _, k := range payload.Kinds {
		if k != payload.Sparkplug && k != payload.JSON && k != payload.Protobuf {
			if k == payload.Value {
				k += "/{channel}"
			}
			names = append(names, string(k))
		}
	}
	return strings.Join(names, ", ")
}()

// ownJSON returns the topic of a device for JSON.
func ownJSON(d telemetry.Device) string {
	if d.Drill == "" {
		return "mudpulse/v1/{drill}/frames"
	}
	return telemetry.MQTTTopic(d.Drill)
}

// ownTopic reads mudpulse/v1/DRILL/frames, …/frames.pb, …/KIND and …/value/CHANNEL.
func ownTopic(topic string) (drill string, kind payload.Kind, channel string, err error) {
	drill, proto, err := telemetry.ParseMQTTTopic(topic)
	switch {
	case err == nil && proto:
		return drill, payload.Protobuf, "", nil
	case err == nil:
		return drill, payload.JSON, "", nil
	}
	own := topic
	if i := strings.LastIndexByte(topic, '/'); i > 0 && strings.HasSuffix(topic[:i], "/"+string(payload.Value)) {
		own, channel = topic[:i], topic[i+1:]
	}
	i := strings.LastIndexByte(own, '/')
	k := payload.Kind(own[i+1:])
	if i > 0 && slices.Contains(payload.Kinds, k) && k != payload.Sparkplug && (k == payload.Value) == (channel != "") {
		if drill, _, e := telemetry.ParseMQTTTopic(own[:i] + "/frames"); e == nil {
			return drill, k, channel, nil
		}
	}
	return "", "", "", err
}

// decode reads a message as its topic says.
func (g *Gateway) decode(s *source, k *worker, body []byte, now time.Time) ([]payload.Item, *payload.Error) {
	if s.kind == payload.Sparkplug {
		return g.sparkplugItems(s, k, body, now)
	}
	o := payload.Options{Now: now, WITS: g.wits, Channel: s.channel, Device: s.sender, Boot: s.boot}
	if s.rule != nil {
		o.Columns, o.Field = s.rule.Columns, s.rule.Field
	}
	items, e := k.payload.Decode(s.kind, body, o)
	switch {
	case e != nil:
		return nil, e
	case len(items) == 0:
		e := &payload.Error{Code: payload.WrongShape, Message: "the message holds no frame", Cure: `send {"ts":…,"channels":{…}} or an array of such`}
		switch s.kind {
		case payload.JSON, payload.Protobuf:
		case payload.CSV:
			e.Cure = "send a header line, as ts,WOB,SPP, and a line of values under it"
		default:
			e.Cure = "send at least one value, as docs/payloads.md shows for " + string(s.kind)
		}
		return nil, e
	case s.kind == payload.Protobuf && items[0].Frame.Drill != "" && items[0].Frame.Drill != s.drill:
		return nil, &payload.Error{Code: payload.WrongShape, Field: "drill", Message: fmt.Sprintf("the frame says drill %q, the topic %q", items[0].Frame.Drill, s.drill), Cure: "leave drill out of the frame"}
	}
	return items, nil
}

// wits finds the channel of a WITS level 0 item.
func (g *Gateway) wits(item string) (string, bool) {
	for _, ch := range g.catalogue.All() {
		if ch.WITS == item {
			return ch.Tag, true
		}
	}
	return "", false
}

// rename applies a device's names, a site's list of names, and units, to a frame in
// place. It comes after the content hash, so that a mended list makes no conflict.
func (g *Gateway) rename(s *source, it *payload.Item, aside []payload.Error) []payload.Error {
	var names *Names
	if s.rule != nil {
		names = s.rule.names
	}
	own := s.device.Names
	if names == nil && it.Units == nil && len(own) == 0 {
		return aside
	}
	f := &it.Frame
	kept := f.Runs[:0]
	for _, r := range f.Runs {
		sent, m, listed := r.Channel, Mapping{}, false
		if m, listed = own[r.Channel]; !listed && names != nil {
			m, listed = names.Channels[r.Channel]
			m.Drop = m.Drop || !listed && names.Drop
		}
		if m.Drop {
			it.Dropped += len(r.Values)
			continue
		}
		if listed {
			r.Channel = m.Channel
		}
		unit := m.Unit
		if unit == "" {
			unit = it.Units[sent]
		}
		factor, shift := m.Factor, m.Shift
		if factor == 0 {
			factor = 1
		}
		if ch := g.catalogue.Get(r.Channel); ch != nil && unit != "" {
			a, b, ok := payload.ConvertUnit(unit, ch)
			if !ok {
				aside = append(aside, payload.Error{Code: CodeUnit, Field: "channels." + sent, Message: fmt.Sprintf("unit %.20q cannot become the %s of %s", unit, ch.Unit, ch.Tag), Cure: "write a unit of " + ch.Quantity + " into the names of the device or its site, or a factor"})
				continue
			}
			factor, shift = factor*a, shift*a+b
		}
		if factor != 1 || shift != 0 {
			for i := range r.Values {
				r.Values[i] = r.Values[i]*factor + shift
			}
		}
		kept = append(kept, r)
	}
	f.Runs = kept
	return aside
}
