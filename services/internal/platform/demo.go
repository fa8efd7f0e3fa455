package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mudpulse/mudpulse/gateway"
	"github.com/mudpulse/mudpulse/services/equipment"
	"github.com/mudpulse/mudpulse/simulators/device"
	"github.com/mudpulse/mudpulse/simulators/fleet"
	"github.com/mudpulse/mudpulse/telemetry"
)

// demoRate is how fast the demo's clock runs.
const demoRate = 60

// historyRate is how many frames of history are given to the gateway a second:
// the present comes first.
const historyRate = 4000

// demo runs twelve simulated drills, each behind a device of its own that
// publishes over MQTT, on a clock × 60 whose position is kept and never goes back.
type demo struct {
	p     *platform
	clock *telemetry.FastClock
	fleet []fleet.Drill
	state demoState
	past  atomic.Bool // all history was given
}

// seeded reports whether the history lies with the gateway, or went on.
func (d *demo) seeded() bool { return d.past.Load() }

// demoState is kept in DIR/demo.json.
type demoState struct {
	Start  time.Time `json:"start"`  // of the demo, on its clock
	Now    time.Time `json:"now"`    // how far its clock has come
	Seeded bool      `json:"seeded"` // the history lies in the spool
	Runs   int       `json:"runs"`
}

func newDemo(p *platform) (*demo, error) {
	d := &demo{p: p}
	b, err := os.ReadFile(d.path())
	switch {
	case errors.Is(err, os.ErrNotExist):
		d.state.Start = time.Now().UTC().Truncate(time.Minute)
		d.state.Now = d.state.Start
	case err != nil:
		return nil, err
	default:
		if err := json.Unmarshal(b, &d.state); err != nil {
			return nil, fmt.Errorf("%s: %w", d.path(), err)
		}
	}
	d.state.Runs++
	d.past.Store(d.state.Seeded)
	d.clock = telemetry.NewFastClock(d.state.Now, demoRate)
	d.fleet = fleet.Demo(p.s.Seed, d.state.Start)
	return d, d.save()
}

func (d *demo) path() string { return d.p.s.Path("demo.json") }

func (d *demo) save() error {
	b, err := json.Marshal(d.state)
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.path()+".tmp", b, 0o600); err != nil {
		return err
	}
	return os.Rename(d.path()+".tmp", d.path())
}

// drills describes the demo's drills for the registry.
func (d *demo) drills() []equipment.Drill {
	var out []equipment.Drill
	for _, x := range d.fleet {
		out = append(out, equipment.Drill{ID: x.Name, Name: x.Name, Field: x.Field, Contractor: x.Contractor, BitDiameterM: 0.2159})
	}
	return out
}

// run connects the devices and lets the drills drill.
func (d *demo) run(ctx context.Context) error {
	for _, ready := range []<-chan struct{}{d.p.gateway.Ready(), d.p.api.Ready()} {
		select {
		case <-ready:
		case <-ctx.Done():
			return nil
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Devices do not know what time they start: the clock has gone on meanwhile.
	from := d.clock.Now().Truncate(time.Second)
	boot := fmt.Sprintf("run-%d", d.state.Runs)
	var wg sync.WaitGroup
	errs := make(chan error, 2*len(d.fleet)+2)
	creds := map[string]device.Credentials{}
	for _, x := range d.fleet {
		user, password, err := d.p.api.Devices().Ensure(ctx, x.Name+"-edr", x.Name, "demo")
		if err != nil {
			return fmt.Errorf("device of %s: %w", x.Name, err)
		}
		creds[x.Name] = device.Credentials{Username: user, Password: password, Topic: telemetry.MQTTProtoTopic(x.Name)}
	}
	if err := d.bearings(ctx); err != nil {
		return err
	}
	for _, x := range d.fleet {
		wg.Go(func() {
			dev := &device.Device{Broker: "tcp://" + d.p.gateway.Addr().TCP.String(), Credentials: creds[x.Name], Window: 256}
			defer dev.Close()
			err := fleet.Live(ctx, x, d.clock, from, boot, func(f *telemetry.Frame) error {
				if name := creds[x.Name].Username; f.Device == "vib-1" { // the accelerometer is read by the same computer
					f.Device = name + "-vib"
				} else {
					f.Device = name
				}
				return dev.Publish(ctx, device.Message{Seq: f.Seq, Payload: telemetry.AppendFrame(nil, f)})
			})
			if err != nil && ctx.Err() == nil {
				errs <- fmt.Errorf("%s: %w", x.Name, err)
			}
		})
	}
	wg.Go(func() { errs <- d.history(ctx, creds) })
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	var err error
	for err == nil {
		select {
		case <-ctx.Done():
			cancel()
			wg.Wait()
			d.state.Now = d.clock.Now()
			if err := d.save(); err != nil {
				d.p.log.Warn("the demo's place is not kept: it goes on where it was last", "err", err)
			}
			return nil
		case <-tick.C:
			d.state.Now = d.clock.Now()
			if err := d.save(); err != nil { // the disk is full: its place is kept when there is room
				d.p.log.Warn("the demo's place is not kept; it is tried again", "err", err)
			}
		case err = <-errs:
		}
	}
	cancel()
	wg.Wait()
	return err
}

// bearings says which bearing and gearbox are in each top drive, so that spectra have their lines.
func (d *demo) bearings(ctx context.Context) error {
	reg := d.p.api.Devices()
	for _, x := range d.fleet {
		known, err := reg.Runs(ctx, x.Name)
		if err != nil {
			return fmt.Errorf("bearing of %s: %w", x.Name, err)
		}
		if len(known) > 0 { // told by an earlier run of the demo, or by somebody
			continue
		}
		for _, part := range []equipment.Part{
			{Serial: x.Name + "-6322", Kind: "bearing", Model: "6322", Geometry: map[string]float64{"balls": 8, "ball_mm": 41.3, "pitch_mm": 175}},
			{Serial: x.Name + "-21-210", Kind: "gearbox", Geometry: map[string]float64{"pinion_teeth": 21, "wheel_teeth": 210}},
		} {
			if err := reg.PutPart(ctx, part, "demo"); err != nil {
				return fmt.Errorf("%s of %s: %w", part.Kind, x.Name, err)
			}
			_, err = reg.Install(ctx, equipment.Run{Drill: x.Name, Position: "top_drive/" + part.Kind, Serial: part.Serial, From: d.state.Start.Add(-fleet.Days * 24 * time.Hour).UnixNano(), By: "demo"})
			if err != nil {
				return fmt.Errorf("%s of %s: %w", part.Kind, x.Name, err)
			}
		}
	}
	return nil
}

// history gives the gateway fourteen days, a frame a minute, on the road that
// imports take. Rigs of its own make it: those of the present go forward only.
// Every second day has a snapshot of the bearing, so that there is one from when
// it was new.
func (d *demo) history(ctx context.Context, creds map[string]device.Credentials) error {
	if d.state.Seeded {
		return nil
	}
	past := fleet.Demo(d.p.s.Seed, d.state.Start)
	minutes := fleet.Days * 24 * 60
	const block, between = 30, 2 * 24 * 60 // minutes: at a time; from one snapshot to the next
	next := map[string]int{}               // minute of a drill's next snapshot, at the earliest
	heard := map[string]uint64{}           // how many it has
	pace := time.NewTicker(time.Second * block * time.Duration(len(past)) / historyRate)
	defer pace.Stop()
	for m := 0; m < minutes; m += block {
		for _, x := range past {
			dev, ok := d.p.api.Devices().Device(creds[x.Name].Username)
			if !ok {
				return fmt.Errorf("history: device of %s is gone", x.Name)
			}
			var batch []gateway.Message
			for i := m; i < min(m+block, minutes); i++ {
				f := x.Rig.Second(d.state.Start.Add(time.Duration(i-minutes) * time.Minute))
				f.Device, f.Boot, f.Seq = dev.ID, "history", uint64(i+1)
				batch = append(batch, gateway.Message{Topic: telemetry.MQTTProtoTopic(x.Name), Payload: telemetry.AppendFrame(nil, &f)})
				if i < next[x.Name] {
					continue
				}
				if wave, ok := x.Rig.Snapshot(d.state.Start.Add(time.Duration(i-minutes) * time.Minute)); ok {
					next[x.Name] = i + between
					heard[x.Name]++
					wave.Device, wave.Boot, wave.Seq = dev.ID+"-vib", "history", heard[x.Name]
					batch = append(batch, gateway.Message{Topic: telemetry.MQTTProtoTopic(x.Name), Payload: telemetry.AppendFrame(nil, &wave)})
				}
			}
			if err := d.p.gateway.AcceptAll(ctx, dev, batch, gateway.AsBackfill(), gateway.AsSimulated()); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return fmt.Errorf("history of %s: %w", x.Name, err)
			}
		}
		select {
		case <-pace.C:
		case <-ctx.Done():
			return nil
		}
	}
	d.state.Seeded = true
	d.past.Store(true)
	return nil
}
