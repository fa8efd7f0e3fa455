package gateway

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mudpulse/mudpulse/gateway/listener"
	"github.com/mudpulse/mudpulse/gateway/spool"
	"github.com/mudpulse/mudpulse/telemetry"
)

// deviceState is what the status says of one device.
type deviceState struct {
	mu   sync.Mutex
	now  telemetry.DeviceSession
	open int // connections
	skew skew
}

// maxConnections of one device at a time.
const maxConnections = 8

// frame counts a message of the device; lost on its way it would not have come again if unacknowledged.
func (d *deviceState) frame(f *telemetry.Frame, now time.Time, unacknowledged bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now.Messages++
	if unacknowledged {
		d.now.QoS0++
	}
	d.now.LastSeen = now.UnixNano()
	if f.Flags&telemetry.FlagUntimed == 0 && f.Origin == telemetry.Live {
		d.skew.add(f.End() - now.UnixNano())
	}
}

// note keeps why something was refused.
func (d *deviceState) note(reason string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now.Reason = reason[:min(len(reason), 300)]
}

// device returns the state of a device that the registry knows.
func (g *Gateway) device(dev telemetry.Device) *deviceState {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := g.devices[dev.ID]
	if d == nil {
		d = &deviceState{now: telemetry.DeviceSession{Device: dev.ID, Drill: dev.Drill}}
		g.devices[dev.ID] = d
	}
	return d
}

// Sessions returns what is known of each device that connected since the start.
func (g *Gateway) sessions() []telemetry.DeviceSession {
	g.mu.Lock()
	all := make([]*deviceState, 0, len(g.devices))
	for _, d := range g.devices {
		all = append(all, d)
	}
	g.mu.Unlock()
	out := make([]telemetry.DeviceSession, len(all))
	for i, d := range all {
		d.mu.Lock()
		out[i] = d.now
		out[i].SkewS = d.skew.seconds()
		d.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b telemetry.DeviceSession) int { return strings.Compare(a.Device, b.Device) })
	return out
}

// clients admits MQTT clients against the registry.
type clients struct{ g *Gateway }

// Connect checks user name and password, or the name in a verified certificate.
func (h clients) Connect(hello listener.Hello) (listener.Client, error) {
	g := h.g
	if hello.Username == "" && hello.CertName == "" {
		return nil, listener.Code{Code: 0x87, Text: "anonymous clients are refused: connect as a device, with its password"}
	}
	name, byCert := hello.Username, false
	if name == "" || len(hello.Password) == 0 && name == hello.CertName {
		name, byCert = hello.CertName, true
	}
	dev, ok := g.registry.Device(name)
	if !ok {
		return nil, listener.Code{Code: 0x86, Text: "unknown device, or wrong password"}
	}
	d := g.device(dev)
	switch {
	case dev.Disabled:
		d.note("refused: the device is disabled")
		return nil, listener.Code{Code: 0x8a, Text: "the device is disabled"}
	case !ownClientID(hello.ClientID, dev.ID):
		text := fmt.Sprintf("client id %.64q is not this device's: use %s, or %s-1, %s-2, … for more connections, or none", hello.ClientID, dev.ID, dev.ID, dev.ID)
		d.note("refused: " + text)
		return nil, listener.Code{Code: 0x85, Text: text}
	case byCert:
	case !g.passwords.Verify(dev.Password, hello.Password):
		d.note("refused: wrong password, from " + hello.Remote)
		return nil, listener.Code{Code: 0x86, Text: "unknown device, or wrong password"}
	}
	if st := g.spool.Stat(); st.Full || st.Err != nil {
		d.note("refused: the gateway's spool takes nothing at present")
		return nil, listener.Code{Code: 0x89, Text: "the gateway's disk takes nothing at present: keep your messages and try again"}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open >= maxConnections {
		return nil, listener.Code{Code: 0x97, Text: "the device is connected too often"}
	}
	d.open++
	now := g.clock.Now().UnixNano()
	d.now.Drill, d.now.Connected, d.now.Since, d.now.LastSeen, d.now.Remote, d.now.Reason = dev.Drill, true, now, now, hello.Remote, ""
	g.log.Info("device connected", "device", dev.ID, "drill", dev.Drill, "remote", hello.Remote, "transport", hello.Transport)
	return &client{g: g, user: name, cert: byCert, source: source{device: dev, state: d}}, nil
}

// ownClientID says whether a device may call itself so: by its own name, with
// something behind it, or by none. So no device can take over what another one
// left, and a log of client ids names devices.
func ownClientID(id, device string) bool {
	rest, ok := strings.CutPrefix(id, device)
	return id == "" || ok && (rest == "" || strings.ContainsRune("-_./:@", rune(rest[0])))
}

// client is one connection of a device.
type client struct {
	g      *Gateway
	user   string
	cert   bool
	source source
	names  atomic.Pointer[map[string]telemetry.Name] // as the sweep found them last; nil: as they were
}

// Publish takes a message. A device that was revoked, or whose password or
// drill changed, is cut off by the sweep within a second; its names are as fresh.
func (c *client) Publish(topic, body []byte, size int, w spool.Waiter, token uint64) error {
	if names := c.names.Load(); names != nil {
		c.source.device.Names = *names
	}
	if err := c.g.take(&c.source, topic, body, size, w, token); err != nil {
		return listener.Code{Code: 0x8b, Text: "the gateway is stopping"}
	}
	return nil
}

// Withheld says whether the spool takes nothing at present, and until when.
func (c *client) Withheld() <-chan struct{} { return c.g.spool.Withheld() }

const revoked = "the device was revoked, or its password or drill changed"

// valid returns the device as it is now, and whether it may still be connected as it is.
func (c *client) valid() (telemetry.Device, bool) {
	dev, ok := c.g.registry.Device(c.user)
	return dev, ok && !dev.Disabled && dev.Drill == c.source.device.Drill && (c.cert || dev.Password == c.source.device.Password)
}

// sweep looks, once a second until ctx is done, whether devices have changed. It
// then cuts off those that were revoked or changed, whether they publish or not,
// and renews their names. It goes on for as long as a device may be on its way
// in that was let in by what the registry said before.
func (g *Gateway) sweep(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	seen, until := uint64(0), time.Time{}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n := g.registry.Changes(); n != seen {
			seen, until = n, time.Now().Add(2*g.cfg.Listen.ConnectTimeout)
		}
		if time.Now().Before(until) {
			g.listener.Disconnect(func(c listener.Client) bool { return !c.(*client).renew() }, revoked)
		}
	}
}

// renew takes over what the registry says now, and reports whether the device
// may stay.
func (c *client) renew() bool {
	dev, ok := c.valid()
	if ok && (len(dev.Names) > 0 || c.names.Load() != nil) {
		c.names.Store(&dev.Names)
	}
	return ok
}

// Gone ends the session.
func (c *client) Gone(reason string) {
	d := c.source.state
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open--; d.open == 0 {
		d.now.Connected = false
	}
	if reason != "" {
		d.now.Reason = reason[:min(len(reason), 300)]
	}
	c.g.log.Info("device disconnected", "device", c.source.device.ID, "drill", c.source.device.Drill, "reason", reason)
}

// Disconnect cuts off a device's connections, as after its password was
// changed; the reason is told to MQTT 5 clients.
func (g *Gateway) Disconnect(device, reason string) {
	g.listener.Disconnect(func(c listener.Client) bool { return c.(*client).source.device.ID == device }, reason)
}
