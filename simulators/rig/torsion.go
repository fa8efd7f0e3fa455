package rig

import (
	"math"
	"math/rand/v2"
)

// Torsion, research §2.1: top drive and bit, two inertias on a string.
//
//	J1 ω̇1 = Kp(Ω−ω1) + Ki∫(Ω−ω1)dt − kθ − c(ω1−ω2)
//	J2 ω̇2 = kθ + c(ω1−ω2) − Tb(ω2) − cb ω2          θ̇ = ω1−ω2
//
// The bit's friction is Karnopp's: it holds what is below μs and falls off to μc
// with speed. Values: 3,000 m of 5" pipe, 200 m of 8" collars.
type Torsion struct {
	K      float64 // N·m/rad, of the string
	J1, J2 float64 // kg·m², top drive; collars and a third of the pipe
	C, Cb  float64 // N·m·s/rad, along the string; at the bit
	Zeta   float64 // N·m·s/rad, wave impedance of the pipe
	D      float64 // m, of the bit
	Mus    float64 // static friction
	Muc    float64 // kinetic
	Ws     float64 // rad/s, over which it falls
	Kp, Ki float64 // of the drive
}

const (
	shear   = 79.3e9 // Pa, of steel
	density = 7850.0 // kg/m³
)

// NewTorsion returns a string of length metres of pipe under a stiff drive.
func NewTorsion(length float64) *Torsion {
	polar := func(od, id float64) float64 { return math.Pi / 32 * (math.Pow(od, 4) - math.Pow(id, 4)) }
	pipe, collar := polar(0.127, 0.1086), polar(0.2032, 0.0714)
	t := &Torsion{
		K: shear * pipe / length, J1: 2900, J2: density*collar*200 + density*pipe*length/3, C: 25, Cb: 40, Zeta: math.Sqrt(shear*density) * pipe,
		D: 0.2159, Mus: 0.9, Muc: 0.5, Ws: 3,
	}
	t.Kp, t.Ki = 50*t.Zeta, 5*t.Zeta
	return t
}

// Soft tunes the drive to absorb the wave: soft torque.
func (t *Torsion) Soft() *Torsion {
	t.Kp, t.Ki = 4*t.Zeta, t.K/t.J2*t.J1
	return t
}

// A Twist is what the bit did in the last half minute of a run.
type Twist struct {
	SSI    float64 // (max − min)/(2·mean) of the bit's speed
	Stuck  float64 // share of the time that it stood
	Peak   float64 // greatest speed, times the surface's
	Period float64 // s, of the stick-slip cycle; 0: none
	Speeds []float64
}

// Run integrates seconds at wob N and rpm, with a weight that wanders 5 %, from
// steady drilling or from a bit that is stuck. keep: 0, or how many speeds of the
// bit, rad/s, evenly spaced over the last half minute, are returned.
func (t *Torsion) Run(wob, rpm, seconds float64, stuck bool, seed uint64, keep int) Twist {
	const dt = 1e-3
	rng := rand.New(rand.NewPCG(seed, 0x7031))
	want := rpm * 2 * math.Pi / 60
	arm := t.D / 3
	torque := func(w float64) float64 { return wob * arm * (t.Muc + (t.Mus-t.Muc)*math.Exp(-w/t.Ws)) }
	w1, w2 := want, want
	load := torque(w2) + t.Cb*w2
	if stuck {
		w2, load = 0, 0
	}
	theta, sum := load/t.K, 0.0
	if t.Ki > 0 {
		sum = load / t.Ki // the drive carries the load already
	}
	steps, from := int(seconds/dt), int((seconds-30)/dt)
	lo, hi, total, still, n := math.Inf(1), math.Inf(-1), 0.0, 0, 0
	wander, starts, first, last, held := 0.0, 0, 0, 0, false
	var out Twist
	for i := range steps {
		if i%50 == 0 { // the weight wanders, AR(1) of 5 %
			wander = 0.95*wander + 0.05*math.Sqrt(1-0.95*0.95)*rng.NormFloat64()
		}
		w := 1 + wander
		twist := t.K*theta + t.C*(w1-w2)
		sum += (want - w1) * dt
		a1 := (t.Kp*(want-w1) + t.Ki*sum - twist) / t.J1
		if math.Abs(w2) < 0.02 && math.Abs(twist) <= wob*w*arm*t.Mus {
			w2 = 0
		} else {
			friction := math.Copysign(torque(math.Abs(w2))*w, w2)
			if w2 == 0 {
				friction = math.Copysign(wob*w*arm*t.Mus, twist)
			}
			w2 += dt * (twist - friction - t.Cb*w2) / t.J2
		}
		w1 += dt * a1
		theta += dt * (w1 - w2)
		if i < from {
			continue
		}
		n++
		lo, hi, total = min(lo, w2), max(hi, w2), total+w2
		if w2 == 0 {
			still++
			held = true
		} else if held && w2 > 0.5 {
			held = false
			if starts == 0 {
				first = i
			}
			starts, last = starts+1, i
		}
		if keep > 0 && (i-from)%max(1, (steps-from)/keep) == 0 && len(out.Speeds) < keep {
			out.Speeds = append(out.Speeds, w2)
		}
	}
	out.SSI = (hi - lo) / (2 * total / float64(n))
	out.Stuck = float64(still) / float64(n)
	out.Peak = hi / want
	if starts > 1 {
		out.Period = float64(last-first) * dt / float64(starts-1)
	}
	return out
}

// ThresholdRPM is the surface speed below which a stiff drive falls into
// stick-slip: the negative slope of the bit's friction against the damping.
func ThresholdRPM(wob float64) float64 { // wob in N
	const (
		diameter = 0.2159 // of the bit, m
		static   = 0.9
		kinetic  = 0.5
		fall     = 3.0 // rad/s
		damping  = 25.0 + 40.0
	)
	x := wob * diameter * (static - kinetic) / (3 * fall * damping)
	if x <= 1 {
		return 0
	}
	return fall * math.Log(x) * 60 / (2 * math.Pi)
}
