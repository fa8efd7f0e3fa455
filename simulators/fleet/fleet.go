// Package fleet is a set of simulated drills: the demo's twelve, starting in
// mid-life, with fourteen days of history behind them.
package fleet

import (
	"context"
	"fmt"
	"time"

	"github.com/mudpulse/mudpulse/simulators/rig"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Days of history behind the demo's start.
const Days = 14

// A Drill is one simulated drill and where it stands.
type Drill struct {
	Name, Field, Contractor string
	Rig                     *rig.Rig
	Faults                  []rig.Fault
	Line                    []LineFault // on the way to the gateway
}

// Demo returns twelve drills in mid-life at start. One string begins to wash out
// and parts within three hours, one crew drills into stick-slip in the first; a
// bearing, a pump valve, a gearbox and a motor's cooling are on their way; one
// hole has bent sharply in the night.
func Demo(seed uint64, start time.Time) []Drill {
	day := 24 * time.Hour
	faults := map[int][]rig.Fault{
		3:  {{Kind: rig.Cooling, Start: start.Add(-9 * day), Life: 12 * day}},
		4:  {{Kind: rig.Pump, Start: start.Add(-6 * day), Life: 8 * day}},
		5:  {{Kind: rig.DogLeg, Start: start.Add(-8 * time.Hour), Life: day}},
		6:  {{Kind: rig.StickSlip, Start: start.Add(34 * time.Minute), Life: 50 * time.Minute, Mended: start.Add(84 * time.Minute)}},
		7:  {{Kind: rig.Washout, Start: start.Add(-5 * time.Minute), Life: 3 * time.Hour}},
		9:  {{Kind: rig.Bearing, Start: start.Add(-8 * day), Life: 11 * day}},
		10: {{Kind: rig.Gearbox, Start: start.Add(-27 * day), Life: 30 * day}},
		11: {{Kind: rig.BitWear, Start: start.Add(-2 * day), Life: 4 * day}},
	}
	fields := []string{"North Skerry", "Mora Basin", "Kestrel", "Tarn Head", "Qasr East", "Rio Pardo"}
	var out []Drill
	for i := 1; i <= 12; i++ {
		name := fmt.Sprintf("RIG-%02d", i)
		contractor := "Hallam Drilling"
		if i%3 == 0 {
			contractor = "Orrin"
		}
		cfg := draw(name, seed, start, faults[i])
		out = append(out, Drill{
			Name: name, Field: fields[(i*5)%len(fields)], Contractor: contractor, Faults: faults[i],
			Rig: rig.NewConfigured(cfg),
		})
	}
	return out
}

// draw gives a drill whose fault can be seen a crew that is on bottom for the
// first hours: what is on its way shows only while the string turns.
func draw(name string, seed uint64, start time.Time, faults []rig.Fault) rig.Config {
	var cfg rig.Config
	for try := range uint64(256) { // about one crew in five suits
		cfg = rig.Draw(name, seed+try<<32, start.Add(-Days*24*time.Hour), faults...)
		if len(faults) == 0 || faults[0].Kind == rig.DogLeg || cfg.Rotary(start, start.Add(time.Hour)) >= 20*time.Minute && cfg.Rotary(start, start.Add(3*time.Hour)) >= 75*time.Minute {
			break
		}
	}
	return cfg
}

// History calls f with each minute's first second from from to to, in order.
func History(d Drill, from, to time.Time, f func(telemetry.Frame) error) error {
	for t := from.Truncate(time.Minute); t.Before(to); t = t.Add(time.Minute) {
		if err := f(d.Rig.Second(t)); err != nil {
			return err
		}
	}
	return nil
}

// Live gives f each second from from on as the clock comes to it, numbered from
// 1 under the boot given, until ctx is done or f fails. The frame is valid
// until f returns. Every two hours in which the string turns, a snapshot of the
// bearing goes with it, as a frame of another device with numbers of its own.
func Live(ctx context.Context, d Drill, clock telemetry.Clock, from time.Time, boot string, f func(*telemetry.Frame) error) error {
	var heard time.Time
	snapshots := uint64(0)
	for seq := uint64(1); ; seq++ {
		t := from.Add(time.Duration(seq-1) * time.Second)
		// A second is over before it is sent.
		if err := telemetry.SleepUntil(ctx, clock, t.Add(time.Second)); err != nil {
			return err
		}
		frame := d.Rig.Second(t)
		frame.Boot, frame.Seq = boot, seq
		if err := f(&frame); err != nil {
			return err
		}
		if t.Sub(heard) < snapshotEvery || t.Second() != 0 {
			continue
		}
		if wave, ok := d.Rig.Snapshot(t); ok {
			heard, snapshots = t, snapshots+1
			wave.Boot, wave.Seq = boot, snapshots
			if err := f(&wave); err != nil {
				return err
			}
		}
	}
}

// snapshotEvery is how often the bearing's accelerometer is read.
const snapshotEvery = 2 * time.Hour

// Feed calls f with a drill's seconds from from to to, every so often, numbered
// from 1, as one device sends them. The frame is valid until f returns.
func Feed(d Drill, from, to time.Time, every time.Duration, f func(*telemetry.Frame) error) error {
	seq := uint64(0)
	for t := from.Truncate(time.Second); t.Before(to); t = t.Add(every) {
		seq++
		frame := d.Rig.Second(t)
		frame.Boot, frame.Seq, frame.Hash = "study", seq, seq
		if err := f(&frame); err != nil {
			return err
		}
	}
	return nil
}
