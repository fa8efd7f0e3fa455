package telemetry

import (
	"fmt"
	"strings"
	"sync"
)

// Class is a channel's rate class: each has a table of its own in the store.
type Class byte

// The rate classes. Other channels, and all that are not registered, live in the narrow table.
const (
	Narrow   Class = iota
	Fast           // 10 Hz
	Medium         // 2 Hz
	Slow           // 0.5 Hz
	Waveform       // snapshots: thousands of samples a second, now and then; stored and scored whole
)

func (c Class) String() string { return [...]string{"narrow", "fast", "medium", "slow", "waveform"}[c] }

// Hz is the class's nominal rate; 0 for Narrow and Waveform.
func (c Class) Hz() float64 { return [...]float64{0, 10, 2, 0.5, 0}[c] }

// LeastWaveform is how many samples a snapshot has at least.
const LeastWaveform = 64

// A Channel is one quantity that a drill's sensors measure. SI on the wire.
type Channel struct {
	Tag        string  `json:"tag"`
	What       string  `json:"what"`     // in words: "hook load"
	Quantity   string  `json:"quantity"` // force, pressure, …
	Unit       string  `json:"unit"`     // SI, as written on screens
	Field      string  `json:"field"`    // oilfield unit
	Factor     float64 `json:"factor"`   // oilfield value = SI value * Factor + Shift
	Shift      float64 `json:"shift"`
	Resolution float64 `json:"resolution"` // the gateway rounds to it once; 0: not
	Low        float64 `json:"low"`        // plausible range: outside is flagged and kept
	High       float64 `json:"high"`
	PhysLow    float64 `json:"phys_low"` // physical limits: outside the run is quarantined
	PhysHigh   float64 `json:"phys_high"`
	NormalLow  float64 `json:"normal_low"` // normal operation, for scales on screens
	NormalHigh float64 `json:"normal_high"`
	Class      Class   `json:"class"`
	WITS       string  `json:"wits,omitempty"`   // WITS level 0 item
	WITSML     string  `json:"witsml,omitempty"` // curve mnemonic
	Subsystem  string  `json:"subsystem,omitempty"`
	Sparse     bool    `json:"sparse,omitempty"` // comes now and then: its silence says nothing of the sensor
	Shaft      string  `json:"shaft,omitempty"`  // of a waveform: the channel that says the shaft's speed in the same frame, rpm
	Part       string  `json:"part,omitempty"`   // of a waveform: the position of the part it listens to
	User       bool    `json:"user,omitempty"`   // defined by an administrator, not by us
}

// ValidTag checks a channel's name: [A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*, at most 24 characters.
func ValidTag(tag string) error {
	if tag == "" || len(tag) > 24 {
		return fmt.Errorf("channel %q: must have 1 to 24 characters", tag)
	}
	prev := byte('_')
	for i := 0; i < len(tag); i++ {
		c := tag[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		switch {
		case letter, c >= '0' && c <= '9' && i > 0, c == '_' && prev != '_':
		default:
			return fmt.Errorf("channel %q: %q at %d: names are letters and digits, starting with a letter, with single underscores between", tag, c, i)
		}
		prev = c
	}
	if prev == '_' {
		return fmt.Errorf("channel %q: ends in an underscore", tag)
	}
	return nil
}

// A Catalogue holds the channels that are registered; safe for concurrent use.
// Tags are unique without regard to case.
type Catalogue struct {
	mu    sync.RWMutex
	order []string            // lower-case tags, as registered
	byTag map[string]*Channel // lower-case tag
}

// NewCatalogue returns a catalogue of the channels given.
func NewCatalogue(channels ...Channel) (*Catalogue, error) {
	c := &Catalogue{byTag: map[string]*Channel{}}
	for _, ch := range channels {
		if err := c.Register(ch); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// DefaultCatalogue returns a new catalogue of the 24 core and 12 extended channels.
func DefaultCatalogue() *Catalogue {
	c, err := NewCatalogue(defaultChannels...)
	if err != nil {
		panic("BUG: default catalogue: " + err.Error())
	}
	return c
}

// Register adds ch, or replaces the channel of the same tag.
func (c *Catalogue) Register(ch Channel) error {
	if err := ValidTag(ch.Tag); err != nil {
		return err
	}
	if ch.Low > ch.High || ch.PhysLow > ch.PhysHigh {
		return fmt.Errorf("channel %q: a range's low end is above its high end", ch.Tag)
	}
	key := strings.ToLower(ch.Tag)
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.byTag[key]; ok {
		if old.Tag != ch.Tag {
			return fmt.Errorf("channel %q: %q exists; tags are unique without regard to case", ch.Tag, old.Tag)
		}
		if old.Class != ch.Class {
			return fmt.Errorf("channel %q: its rate class is %s and cannot become %s", ch.Tag, old.Class, ch.Class)
		}
	} else {
		c.order = append(c.order, key)
	}
	c.byTag[key] = &ch
	return nil
}

// Get returns the channel of that tag, or nil. The channel must not be changed.
func (c *Catalogue) Get(tag string) *Channel {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if ch, ok := c.byTag[tag]; ok {
		return ch
	}
	return c.byTag[strings.ToLower(tag)]
}

// All returns the channels in the order they were registered.
func (c *Catalogue) All() []Channel {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := make([]Channel, len(c.order))
	for i, k := range c.order {
		out[i] = *c.byTag[k]
	}
	return out
}

// OfClass returns the channels of one class, in order.
func (c *Catalogue) OfClass(class Class) []Channel {
	var out []Channel
	for _, ch := range c.All() {
		if ch.Class == class {
			out = append(out, ch)
		}
	}
	return out
}
