package rig

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// The accelerometer on the top drive's bearing: a second at 12.8 kHz (research
// §2.7), heard through a gear that turns the motor ten times as fast as the string.
const (
	snapshotRate = 12800
	motorGear    = 10
)

// Snapshot returns what the accelerometer heard in the second that Second made
// last, with the motor's speed beside it; false while the string does not turn.
// It is a frame of a device of its own, and the caller's to keep.
func (r *Rig) Snapshot(t time.Time) (telemetry.Frame, bool) {
	if r.x.rpm < 30 {
		return telemetry.Frame{}, false
	}
	m, w := &r.cfg.Machine, &r.worn
	sec := unix(t)
	rng := rand.New(rand.NewPCG(r.cfg.Seed^0x5eed, uint64(sec)))
	b := NewRollerBearing()
	b.Noise *= m.Noise
	b.Sideband += 0.52 * min(1, w.teeth)
	speed := math.Round(10*r.x.rpm*motorGear) / 10
	load := max(0.05, min(1.5, r.x.torque/m.Rated))
	x := b.Waveform(snapshotRate, m.Hit*w.spall, speed, load, rng)
	for i, v := range x {
		x[i] = math.Round(v*1000) / 1000
	}
	return telemetry.Frame{Drill: r.cfg.Drill, Device: "vib-1", TS: sec * int64(time.Second), Simulated: true, Runs: []telemetry.Run{
		{Channel: "TDACC", Every: int64(time.Second) / snapshotRate, Values: x}, {Channel: "TDSPD", Values: []float64{speed}}}}, true
}
