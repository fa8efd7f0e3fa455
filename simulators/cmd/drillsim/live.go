package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/mudpulse/mudpulse/simulators/device"
	"github.com/mudpulse/mudpulse/simulators/fleet"
	"github.com/mudpulse/mudpulse/telemetry"
)

type single struct {
	Drill   string  `arg:"" help:"RIG-01 to RIG-12 of the demo's fleet."`
	Broker  string  `help:"MQTT address." default:"tcp://127.0.0.1:1883"`
	Devices string  `help:"Credentials, JSON lines." required:"" type:"existingfile"`
	Seed    uint64  `default:"7"`
	Speed   float64 `help:"Seconds of drilling a second." default:"1"`
}

func (s *single) Run(ctx context.Context) error {
	return (&many{Broker: s.Broker, Devices: s.Devices, Seed: s.Seed, Speed: s.Speed, only: s.Drill}).Run(ctx)
}

type many struct {
	Broker  string  `help:"MQTT address." default:"tcp://127.0.0.1:1883"`
	Devices string  `help:"Credentials, JSON lines." required:"" type:"existingfile"`
	Seed    uint64  `default:"7"`
	Speed   float64 `help:"Seconds of drilling a second." default:"1"`
	only    string
}

func (m *many) Run(ctx context.Context) error {
	creds, err := readCredentials(m.Devices)
	if err != nil {
		return err
	}
	start := time.Now().UTC().Truncate(time.Second)
	clock := telemetry.NewFastClock(start, m.Speed)
	var wg sync.WaitGroup
	n := 0
	for _, d := range fleet.Demo(m.Seed, start) {
		c, ok := creds[d.Name]
		if !ok || m.only != "" && m.only != d.Name {
			continue
		}
		n++
		wg.Go(func() {
			dev := &device.Device{Broker: m.Broker, Credentials: c, Topic: telemetry.MQTTTopic(d.Name)}
			defer dev.Close()
			if err := fleet.Live(ctx, d, clock, start, fmt.Sprintf("sim-%d", start.Unix()), func(f *telemetry.Frame) error {
				return dev.Publish(ctx, device.Message{Seq: f.Seq, Payload: device.JSON(f)})
			}); err != nil && ctx.Err() == nil {
				fmt.Fprintf(os.Stderr, "drillsim: %s: %v\n", d.Name, err)
			}
		})
	}
	if n == 0 {
		return fmt.Errorf("%s holds credentials of none of the drills", m.Devices)
	}
	wg.Wait()
	return nil
}

type labels struct {
	Seed  uint64        `default:"7"`
	Start time.Time     `help:"When the demo began." required:""`
	Every time.Duration `default:"10m"`
	For   time.Duration `default:"6h"`
}

func (l *labels) Run() error {
	e := json.NewEncoder(os.Stdout)
	for _, d := range fleet.Demo(l.Seed, l.Start) {
		for t := l.Start; t.Before(l.Start.Add(l.For)); t = t.Add(l.Every) {
			if err := e.Encode(d.Rig.Truth(t)); err != nil {
				return err
			}
		}
	}
	return nil
}
