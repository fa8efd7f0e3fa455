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
	Drill   string  `arg:"" help:"RIG-01 to RIG-12 of the demo's fleet, or one of the scenario's."`
	Broker  string  `help:"MQTT address." default:"tcp://127.0.0.1:1883"`
	Devices string  `help:"Credentials, JSON lines." required:"" type:"existingfile"`
	Seed    uint64  `default:"7"`
	Speed   float64 `help:"Seconds of drilling a second." default:"1"`
	chosen
}

// chosen is whose fleet it is.
type chosen struct {
	Scenario string `help:"File that says who drills and what befalls whom (JSON; see simulators/scenarios); else the demo's fleet." type:"existingfile" placeholder:"FILE"`
}

func (c chosen) fleet(seed uint64, start time.Time) ([]fleet.Drill, error) {
	if c.Scenario == "" {
		return fleet.Demo(seed, start), nil
	}
	b, err := os.ReadFile(c.Scenario)
	if err != nil {
		return nil, err
	}
	s, err := fleet.ParseScenario(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Scenario, err)
	}
	return s.Fleet(start), nil
}

func (s *single) Run(ctx context.Context) error {
	return (&many{Broker: s.Broker, Devices: s.Devices, Seed: s.Seed, Speed: s.Speed, chosen: s.chosen, only: s.Drill}).Run(ctx)
}

type many struct {
	Broker  string  `help:"MQTT address." default:"tcp://127.0.0.1:1883"`
	Devices string  `help:"Credentials, JSON lines." required:"" type:"existingfile"`
	Seed    uint64  `default:"7"`
	Speed   float64 `help:"Seconds of drilling a second." default:"1"`
	chosen
	only string
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
	drills, err := m.fleet(m.Seed, start)
	if err != nil {
		return err
	}
	for _, d := range drills {
		c, ok := creds[d.Name]
		if !ok || m.only != "" && m.only != d.Name {
			continue
		}
		n++
		wg.Go(func() {
			dev := &device.Device{Broker: m.Broker, Credentials: c, Topic: telemetry.MQTTTopic(d.Name)}
			defer dev.Close()
			line := fleet.NewLine(d.Name, m.Seed, d.Line, device.JSON, func(seq uint64, payload []byte) error {
				return dev.Publish(ctx, device.Message{Seq: seq, Payload: payload})
			})
			if err := fleet.Live(ctx, d, clock, start, fmt.Sprintf("sim-%d", start.Unix()), line.Frame); err != nil && ctx.Err() == nil {
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
	chosen
}

func (l *labels) Run() error {
	e := json.NewEncoder(os.Stdout)
	drills, err := l.fleet(l.Seed, l.Start)
	if err != nil {
		return err
	}
	for _, d := range drills {
		for t := l.Start; t.Before(l.Start.Add(l.For)); t = t.Add(l.Every) {
			if err := e.Encode(d.Rig.Truth(t)); err != nil {
				return err
			}
		}
	}
	return nil
}
