package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mudpulse/mudpulse/simulators/device"
	"github.com/mudpulse/mudpulse/telemetry"
)

// replay publishes a C-MAPSS file: blank-separated rows of unit, cycle, three
// settings and 21 sensors; a header may precede them. Each unit is a drill
// PREFIX-001 with one device; cycle n is frame seq n at --base + n * --period.
type replay struct {
	File    string        `arg:"" help:"C-MAPSS file." type:"existingfile"`
	Broker  string        `help:"MQTT address." default:"tcp://127.0.0.1:1883"`
	Devices string        `help:"Credentials, JSON lines as printed by mudpulse device add --json; or one with user name, password for all drills." required:"" type:"existingfile"`
	Prefix  string        `help:"Of the drills' names." default:"FD001"`
	Base    time.Time     `help:"Time of cycle 0." default:"2026-01-01T00:00:00Z"`
	Period  time.Duration `help:"Between cycles." default:"1h"`
	State   string        `help:"File that remembers what was acknowledged: a replay that was killed goes on there."`
	Rate    float64       `help:"Frames a second in all; 0: as fast as they are taken." default:"0"`
	Window  int           `help:"Frames in flight of each drill." default:"32"`
}

// row is one cycle of one unit.
type row struct {
	unit, cycle int
	sensors     []float64
}

func (r *replay) Run(ctx context.Context) error {
	f, err := os.Open(r.File)
	if err != nil {
		return err
	}
	rows, err := readCMAPSS(f)
	f.Close()
	if err != nil {
		return fmt.Errorf("%s: %w", r.File, err)
	}
	creds, err := readCredentials(r.Devices)
	if err != nil {
		return err
	}
	byUnit := map[int][]row{}
	var units []int
	for _, x := range rows {
		if byUnit[x.unit] == nil {
			units = append(units, x.unit)
		}
		byUnit[x.unit] = append(byUnit[x.unit], x)
	}
	var mu sync.Mutex
	acked := map[string]uint64{}
	if r.State != "" {
		if b, err := os.ReadFile(r.State); err == nil {
			if err := json.Unmarshal(b, &acked); err != nil {
				return fmt.Errorf("%s: %w", r.State, err)
			}
		}
	}
	var limit <-chan time.Time
	if r.Rate > 0 {
		t := time.NewTicker(time.Duration(float64(time.Second) / r.Rate))
		defer t.Stop()
		limit = t.C
	}
	sent, done := 0, 0
	save := func() error {
		if r.State == "" {
			return nil
		}
		b, err := json.Marshal(acked)
		if err != nil {
			return err
		}
		if err := os.WriteFile(r.State+".tmp", b, 0o600); err != nil {
			return err
		}
		return os.Rename(r.State+".tmp", r.State)
	}
	errs := make(chan error, len(units))
	for _, u := range units {
		drill := fmt.Sprintf("%s-%03d", r.Prefix, u)
		c, ok := creds[drill]
		if !ok {
			return fmt.Errorf("%s: no credentials for drill %s: mudpulse device add %s --json >> %s", r.Devices, drill, drill, r.Devices)
		}
		go func() {
			d := &device.Device{Broker: r.Broker, Credentials: c, Topic: telemetry.MQTTTopic(drill), Window: r.Window, Acked: func(seq uint64) {
				mu.Lock()
				acked[drill] = max(acked[drill], seq)
				done++
				if done%500 == 0 {
					_ = save() // tried again at the end
				}
				mu.Unlock()
			}}
			defer d.Close()
			errs <- r.unit(ctx, d, c.Username, byUnit[u], func() uint64 { mu.Lock(); defer mu.Unlock(); return acked[drill] }(), limit, func() { mu.Lock(); sent++; mu.Unlock() })
		}()
	}
	var first error
	for range units {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if err := save(); first == nil {
		first = err
	}
	fmt.Printf("%d rows of %d drills: %d sent, %d acknowledged\n", len(rows), len(units), sent, done)
	return first
}

func (r *replay) unit(ctx context.Context, d *device.Device, name string, rows []row, after uint64, limit <-chan time.Time, count func()) error {
	for _, x := range rows {
		seq := uint64(x.cycle)
		if seq <= after {
			continue
		}
		if limit != nil {
			select {
			case <-limit:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		f := telemetry.Frame{Device: name, Boot: "fd001", Seq: seq, TS: r.Base.Add(time.Duration(x.cycle) * r.Period).UnixNano()}
		for i, v := range x.sensors {
			f.Runs = append(f.Runs, telemetry.Run{Channel: "s" + strconv.Itoa(i+1), Values: []float64{v}})
		}
		if err := d.Publish(ctx, device.Message{Seq: seq, Payload: device.JSON(&f)}); err != nil {
			return err
		}
		count()
	}
	return d.Flush(ctx)
}

// readCMAPSS reads the rows; a line that is no row, as a header, is left out
// before the first row and refused after it.
func readCMAPSS(in io.Reader) ([]row, error) {
	var rows []row
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		cells := strings.Fields(lines.Text())
		if len(cells) == 0 {
			continue
		}
		if len(cells) < 26 || math.IsNaN(number(cells[0])) {
			if len(rows) == 0 {
				continue
			}
			return nil, fmt.Errorf("line %d: want 26 numbers, not %d cells", n, len(cells))
		}
		x := row{unit: int(number(cells[0])), cycle: int(number(cells[1]))}
		for i, c := range cells[5:26] {
			v := number(c)
			if math.IsNaN(v) {
				return nil, fmt.Errorf("line %d: s%d = %q is no number", n, i+1, c)
			}
			x.sensors = append(x.sensors, v)
		}
		rows = append(rows, x)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("no rows of 26 numbers")
	}
	return rows, nil
}

func number(s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return math.NaN()
	}
	return v
}

// readCredentials returns them by drill, which is in the topic.
func readCredentials(path string) (map[string]device.Credentials, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	out := map[string]device.Credentials{}
	d := json.NewDecoder(bytes.NewReader(b))
	for d.More() {
		var c device.Credentials
		if err := d.Decode(&c); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		drill, _, err := telemetry.ParseMQTTTopic(c.Topic)
		if err != nil {
			return nil, fmt.Errorf("%s: user %s: %w", path, c.Username, err)
		}
		out[drill] = c
	}
	return out, nil
}
