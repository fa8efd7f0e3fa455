package rig

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// Config is one drill.
type Config struct {
	Drill string
	Seed  uint64
	Epoch time.Time // when its schedule begins; no second before it is asked for
	Depth float64   // of the hole then, m
	WOB   float64   // set-points: kN
	RPM   float64
	Flow  float64 // L/min
	Mud   float64 // kg/m³
	ROP   float64 // m/h

	BitHours float64 // that the bit has drilled at Epoch
	Faults   []Fault
}

// New returns the drill of Draw's configuration.
func New(drill string, fleet uint64, epoch time.Time, faults ...Fault) *Rig {
	return NewConfigured(Draw(drill, fleet, epoch, faults...))
}

// Draw draws a drill's set-points from fleet's seed and its name.
func Draw(drill string, fleet uint64, epoch time.Time, faults ...Fault) Config {
	h := fnv.New64a()
	h.Write([]byte(drill))
	seed := fleet*0x9e3779b97f4a7c15 ^ h.Sum64()
	rng := rand.New(rand.NewPCG(seed, 1))
	return Config{
		Drill: drill, Seed: seed, Epoch: epoch.Truncate(time.Second), Depth: 700 + 700*rng.Float64(),
		WOB: 75 + 35*rng.Float64(), RPM: 110 + 30*rng.Float64(), Flow: 1850 + 300*rng.Float64(), Mud: 1180 + 140*rng.Float64(), ROP: 11 + 6*rng.Float64(),
		BitHours: 90 * rng.Float64(), Faults: faults,
	}
}

// NewConfigured returns the drill of that configuration.
func NewConfigured(cfg Config) *Rig {
	return &Rig{cfg: cfg, crew: newCrew(&cfg, unix(cfg.Epoch)), catalogue: telemetry.DefaultCatalogue()}
}

// A Rig makes seconds. One goroutine; time goes forward, up to a few hours back.
type Rig struct {
	cfg       Config
	crew      *crew
	catalogue *telemetry.Catalogue
	buf       [24][10]float64
}

// Drill is the rig's name.
func (r *Rig) Drill() string { return r.cfg.Drill }

// channels in the order of the frame, with samples a second of the fast and medium ones.
var channels = []string{
	"HKLD", "WOB", "BPOS", "RPM", "TQ", "SPP", "FLIN", "TDKW",
	"FLOUT", "ROP", "VIBAX", "VIBLAT", "SSI", "PPULS", "TDVEL", "TDENV",
	"DBTM", "PVT", "MDI", "MTO", "TDWT", "TDBT", "GBOT", "GBPC",
}

// Second returns the frame of the second that begins at t: 8 channels at 10 Hz,
// 8 at 2 Hz, and in even seconds 8 more. Its values are valid until the next call.
func (r *Rig) Second(t time.Time) telemetry.Frame {
	t = t.Truncate(time.Second)
	sec := unix(t)
	w := r.wear(t)
	p := r.crew.at(sec)
	rng := rand.New(rand.NewPCG(r.cfg.Seed, uint64(sec)))
	x := r.plant(p, sec, w, rng)
	f := telemetry.Frame{Drill: r.cfg.Drill, Device: "edr-1", TS: sec * int64(time.Second), Simulated: true}
	for i, tag := range channels {
		n, every := 10, int64(100*time.Millisecond)
		switch {
		case i >= 16:
			if sec%2 != 0 {
				continue
			}
			n, every = 1, 0
		case i >= 8:
			n, every = 2, int64(500*time.Millisecond)
		}
		q := r.catalogue.Get(tag).Resolution
		values := r.buf[i][:n]
		for j := range values {
			values[j] = math.Round(x(i, float64(j)*float64(every)/1e9)/q) * q
			values[j] = math.Round(values[j]*1e6) / 1e6
		}
		if tag == w.stuck {
			rng := rand.New(rand.NewPCG(r.cfg.Seed, uint64(w.stuckAt)))
			v := math.Round(r.plant(r.crew.at(sec), w.stuckAt, wear{foul: 1}, rng)(i, 0)/q) * q
			for j := range values {
				values[j] = v
			}
		}
		f.Runs = append(f.Runs, telemetry.Run{Channel: tag, Every: every, Values: values})
	}
	return f
}

// plant returns a function that gives channel i at dt seconds into the second.
func (r *Rig) plant(p *piece, sec int64, w wear, rng *rand.Rand) func(i int, dt float64) float64 {
	c := &r.cfg
	in := float64(sec - p.from) // seconds into the piece
	ramp := min(1, in/45)       // speeds and pressures settle
	noise := rng.NormFloat64
	drilling := drilling(p.state)
	turning := p.state == telemetry.StateRotary || p.state == telemetry.StateReaming
	pumping := turning || drilling || p.state == telemetry.StateCirculating
	if p.state == telemetry.StateConnection {
		ramp = max(0, 1-in/20)
	}

	depth := p.depth
	rop := 0.0
	rock := r.rock(p.hole)
	if drilling {
		rop = p.rop * (1 - 0.8*w.dull)
		depth += p.rop * in / 3600
	}
	wob, rpm, flow := 0.0, 0.0, 0.0
	if drilling {
		wob = c.WOB * ramp
		if p.state == telemetry.StateSliding {
			wob *= 0.8
		}
	}
	if turning {
		rpm = c.RPM * ramp
	}
	if p.state == telemetry.StateConnection && in < 20 {
		rpm = c.RPM * ramp * 0.3
	}
	if pumping || p.state == telemetry.StateConnection && in < 20 {
		flow = p.flow * ramp
	}
	sticking := false
	if w.slow && p.state == telemetry.StateRotary {
		wob, rpm = wob*1.35, rpm*0.62
		sticking = sticks(wob, rpm)
	}

	mud := circuit{depth, c.Mud}
	pumped := flow * (1 - w.leak/6) // one valve of three, half of the stroke
	spp := mud.Pressure(pumped/60000, w.hole)/1e6 + 0.05
	torque := 0.0
	if turning {
		torque = (0.6*wob*0.2159/3*(1-0.25*w.dull) + 3.2*depth/1000) * (0.85 + 0.15*rock) * min(1, rpm/30)
	}
	cold := pumping && flow > 0
	// Motor winding, §2.9: 60 °C above ambient at 100 % of the rated torque, through filter and frame.
	day := 2 * math.Pi * float64(sec%86400) / 86400
	ambient := 24 + 7*math.Sin(day-2)
	load := torque / 26
	power := 16000 * load * load
	winding := ambient + 38 + power*(0.0042+0.0026*w.foul)*ramp
	bearing := ambient + 30 + 0.09*rpm + 0.32*w.spall
	oil := ambient + 34 + 0.06*rpm + 6*w.teeth

	slip := 0.05 + 0.03*math.Abs(noise())
	period := 7.4
	if sticking {
		slip = 1.5 * math.Exp(0.18*noise())
	}
	phase := 2 * math.Pi * math.Mod(float64(sec), period) / period
	snr := 4.5 + 14*math.Log(1+w.spall/0.3) + 0.5*noise()
	velocity := 2.1 + 0.23*w.spall + 0.8*w.teeth + 0.12*noise()
	particles := 70*math.Pow(10, w.teeth) + 6*noise()
	if !turning || rpm < 30 {
		snr, velocity = 4+0.4*noise(), 0.3+0.05*math.Abs(noise())
	}
	ratio := PulsationRatio(w.leak) + 0.02*noise()
	if flow < 300 {
		ratio = 0
	}
	block, slips := 30-math.Mod(p.stand, standLength), false
	switch {
	case drilling:
		block -= p.rop * in / 3600
	case p.state == telemetry.StateReaming:
		block = 3 + 6*math.Abs(math.Sin(in/60))
		depth -= block - 2
	case p.state == telemetry.StateConnection:
		block = 2 + min(1, in/180)*28
	case p.state == telemetry.StateCirculating:
		block, depth = 9, depth-6
	case p.state == telemetry.StateIdle:
		block, slips = 4, true
	case p.state == telemetry.StateTripping:
		block, depth, slips = trip(p, in)
	}
	hook := 280.0 + 0.26*depth - wob
	if p.state == telemetry.StateTripping { // friction in the hole: more out, less in
		hook += math.Copysign(0.03, -p.rop) * depth
	}
	if slips {
		hook = 120
	}
	if p.state == telemetry.StateConnection {
		hook = 120
		if in < 25 {
			hook += (0.26*depth + 160) * (1 - in/25)
		}
	}
	axial, lateral := 0.15, 0.2
	if drilling {
		axial, lateral = 0.35+0.1*math.Abs(noise()), 0.5+0.15*math.Abs(noise())
		if sticking {
			lateral += 0.8
		}
	}
	if !cold {
		spp = 0.04
	}
	pit := 62 + 1.5*math.Sin(float64(sec)/9000) - 0.004*(p.hole-c.Depth)
	return func(i int, dt float64) float64 {
		n := noise()
		switch i {
		case 0:
			return hook + 4*n
		case 1:
			return max(0, wob*(1+0.02*n))
		case 2:
			return block
		case 3:
			if rpm == 0 {
				return 0
			}
			return rpm + 0.5*n
		case 4:
			t := torque * (1 + 0.015*n)
			if sticking { // the saw-tooth that the surface sees
				t *= 1 + 0.66*math.Sin(phase+2*math.Pi*dt/period)
			}
			return max(0, t)
		case 5:
			return max(0, spp*(1+0.0025*n))
		case 6:
			return max(0, pumped+4*n*min(1, flow/100))
		case 7:
			return max(0, torque*rpm*2*math.Pi/60+2*n*min(1, rpm))
		case 8:
			return max(0, pumped*0.995+18*n*min(1, flow/100))
		case 9:
			return max(0, rop*(1+0.06*n))
		case 10:
			return axial
		case 11:
			return lateral
		case 12:
			if rpm < 20 {
				return 0
			}
			return slip
		case 13:
			return max(0, ratio)
		case 14:
			return max(0, velocity)
		case 15:
			return max(0, snr)
		case 16:
			return max(0, depth)
		case 17:
			return pit
		case 18:
			return c.Mud + 1.5*n
		case 19:
			return 42 + 0.004*depth*0.9
		case 20:
			return winding + 0.2*n
		case 21:
			return bearing + 0.15*n
		case 22:
			return oil + 0.15*n
		}
		return max(0, particles)
	}
}

// trip returns the block's position, the bit's depth and whether the string hangs
// in slips, in seconds into a trip: two fifths of each stand's time it moves.
func trip(p *piece, in float64) (block, depth float64, slips bool) {
	cycle := standLength / math.Abs(p.rop) * 3600
	n, part := math.Floor(in/cycle), math.Mod(in, cycle)/cycle
	moved := min(1, part/0.4)
	back := max(0, part-0.4) / 0.6 // the empty block returns for the next stand
	depth = p.depth + math.Copysign((n+moved)*standLength, p.rop)
	if p.rop < 0 {
		return 2 + 28*(moved-back), max(surface, depth), part > 0.4
	}
	return 30 - 28*(moved-back), min(depth, p.hole), part > 0.4
}

// rock is how hard the formation is at a depth, about 1: beds of 40 m.
func (r *Rig) rock(depth float64) float64 {
	bed := uint64(depth / 40)
	return 0.8 + 0.4*rand.New(rand.NewPCG(r.cfg.Seed, bed^0xbed)).Float64()
}

func sticks(wob, rpm float64) bool { return rpm < 1.6*ThresholdRPM(wob*1000) && wob > 10 }

// Doing returns the dysfunction that the string is in at t: a kind of Fault, or nothing.
func (r *Rig) Doing(t time.Time) string {
	sec := unix(t)
	p := r.crew.at(sec)
	if p.state != telemetry.StateRotary {
		return ""
	}
	ramp := min(1, float64(sec-p.from)/45)
	if w := r.wear(t); w.slow && sticks(r.cfg.WOB*ramp*1.35, r.cfg.RPM*ramp*0.62) {
		return StickSlip
	}
	return ""
}
