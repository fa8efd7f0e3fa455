package scorer

import (
	"math"
	"time"

	"github.com/mudpulse/mudpulse/services/internal/snapshot"
	"github.com/mudpulse/mudpulse/telemetry"
)

// RigConfig holds the thresholds of the rig-state recogniser; a 0 is learned
// from the rig's own last two days.
type RigConfig struct {
	EmptyBlock float64       `json:"empty_block"` // kN, hook load in slips
	FullFlow   float64       `json:"full_flow"`   // L/min, flow while drilling
	Hold       time.Duration `json:"hold"`        // how long another state must show before it is believed
	Settle     time.Duration `json:"settle"`      // masking after a change: pressures and temperatures settle
	OnBottom   float64       `json:"on_bottom"`   // m, hole depth less bit depth
	Rotating   float64       `json:"rotating"`    // rpm above which the string turns
	Still      float64       `json:"still"`       // rpm below which it does not
	Moving     float64       `json:"moving"`      // m/s of the block
	Waiting    time.Duration `json:"waiting"`     // in slips with a block that does not move: nobody is at work
}

// DefaultRigConfig returns the rules of research/drilling.md §2.12.
func DefaultRigConfig() RigConfig {
	return RigConfig{Hold: 8 * time.Second, Settle: 75 * time.Second, OnBottom: 0.15, Rotating: 20, Still: 5, Moving: 0.03, Waiting: 20 * time.Minute}
}

// Channels the recogniser reads, and where they stand in rigInputs.
const (
	rigHookLoad = iota
	rigBlock
	rigSpeed
	rigFlow
	rigBit
	rigHole
	rigROP
	rigWOB
	rigChannels
)

var rigTags = [rigChannels]string{"HKLD", "BPOS", "RPM", "FLIN", "DBTM", "DMEA", "ROP", "WOB"}

// rigInputs are the last good values at a tick; NaN where unknown or stale.
type rigInputs [rigChannels]float64

const (
	rigTiles = 48                      // hours from which thresholds are learned
	rigGap   = int64(5 * time.Minute)  // after so long without data nothing earlier counts
	rigHour  = int64(time.Hour)        // one tile
	minFlow  = 300.0                   // L/min: no pump is on below it
	newWell  = 300.0                   // m above the deepest at which nobody drills the same well
	turnFor  = int64(40 * time.Second) // how long a block that reams may stand at an end
	blockFor = int64(10 * time.Second) // span over which the block's speed is taken
)

// rig recognises one drill's state, tick by tick in event time. The vendor's
// activity code is not read: see research/drilling.md §2.11.
type rig struct {
	state, next      byte // index in telemetry.States
	since, nextSince int64
	last             int64 // newest tick; 0: none yet
	turning, pumping bool  // with hysteresis
	bottom           bool
	deepest          float64 // m, greatest bit depth: hole depth where DMEA is not sent
	prevHook         float64
	moved            int64       // newest tick at which the block moved, or was first seen; 0: never seen
	block            [2]struct { // the block's position one to two blockFor ago, and later
		at  int64
		pos float64
	}
	over struct { // low, high and flow over all hours, as long as they are made of these
		made            bool
		oldest          int64
		low, high, flow float64
	}
	hours [rigTiles]struct {
		hour       int64   // since 1970; 0 none
		low, high  float64 // kN, of hook load that stood still
		flow       float64 // L/min, greatest
		flowBefore float64 // greatest but the last: one spike learns nothing
	}
}

const (
	stRotary = iota
	stSliding
	stReaming
	stCirculating
	stConnection
	stTripping
	stIdle
	stUnknown
)

func newRig() rig {
	r := rig{state: stUnknown, next: stUnknown, deepest: math.NaN(), prevHook: math.NaN()}
	for i := range r.block {
		r.block[i].pos = math.NaN()
	}
	return r
}

// name returns the state as telemetry writes it.
func (r *rig) name() string { return telemetry.States[r.state] }

// step takes one tick, later than those before, and updates the state.
func (r *rig) step(cfg *RigConfig, tick int64, in *rigInputs) {
	gap := tick - r.last
	first := r.last == 0 || gap > rigGap
	r.last = tick
	r.learn(tick, in)
	if first {
		r.moved = 0
	}
	c := r.candidate(cfg, tick, in)
	switch {
	case first:
		r.state, r.since = c, tick
		r.next, r.nextSince = c, tick
	case c == r.state:
		r.next, r.nextSince = c, tick
	default:
		if c != r.next {
			r.next, r.nextSince = c, tick
		}
		// A state that shows across a gap longer than Hold (history of a frame a minute) is believed at once.
		if tick-r.nextSince >= int64(cfg.Hold) || gap >= int64(cfg.Hold) {
			r.state, r.since = c, r.nextSince
		}
	}
}

// candidate says what this tick alone looks like.
func (r *rig) candidate(cfg *RigConfig, tick int64, in *rigInputs) byte {
	flow, speed, hook := in[rigFlow], in[rigSpeed], in[rigHookLoad]
	moving := r.moves(cfg, tick, in[rigBlock])
	switch {
	case moving:
		r.moved = tick
	case r.moved == 0 && in[rigBlock] == in[rigBlock]:
		r.moved = tick - turnFor
	}
	if flow != flow && hook != hook && speed != speed {
		return stUnknown
	}
	empty, full := r.thresholds(cfg)
	r.pumping = flow > pick(r.pumping, 0.27, 0.33)*full
	r.turning = math.Abs(speed) > pick(r.turning, 0.75, 1)*cfg.Rotating
	still := !(math.Abs(speed) >= cfg.Still) // no top drive seen: it does not turn

	bit, hole := in[rigBit], in[rigHole]
	if bit == bit && !(r.deepest >= bit) {
		r.deepest = bit
	}
	if hole != hole {
		// Weight and progress far above the deepest: the rig moved to another well.
		if r.deepest-bit > newWell && r.pumping && in[rigWOB] > 15 && in[rigROP] > 0.5 {
			r.deepest = bit
		}
		hole = r.deepest
	}
	off := hole - bit // m; NaN unknown
	switch {
	case off == off:
		r.bottom = off < pick(r.bottom, 2, 1)*cfg.OnBottom
	default:
		r.bottom = in[rigWOB] > 15
	}
	slips := hook <= 1.15*empty
	if in[rigWOB] > 15 && r.pumping {
		slips = false // weight on bit is no empty block
	}
	progress := in[rigROP] != in[rigROP] || in[rigROP] > 0.1 || in[rigWOB] > 10

	switch {
	case slips && !r.pumping && r.moved != 0 && tick-r.moved > int64(cfg.Waiting):
		return stIdle
	case slips && !r.pumping:
		if off > 40 { // more than a stand off bottom: slips between the stands of a trip
			return stTripping
		}
		return stConnection
	case r.bottom && r.pumping && r.turning && progress:
		return stRotary
	case r.bottom && r.pumping && still && progress:
		return stSliding
	case r.pumping && r.turning && r.moved != 0 && tick-r.moved < turnFor: // up and down: it stands still at each end
		return stReaming
	case r.pumping:
		return stCirculating
	case moving:
		return stTripping
	}
	return stIdle
}

func pick(yes bool, a, b float64) float64 {
	if yes {
		return a
	}
	return b
}

// moves reports whether the block travelled faster than cfg.Moving over the last ten to twenty seconds.
func (r *rig) moves(cfg *RigConfig, tick int64, pos float64) bool {
	if pos != pos {
		return false
	}
	if r.block[0].pos != r.block[0].pos || tick-r.block[0].at > rigGap {
		r.block[0].at, r.block[0].pos = tick, pos
		r.block[1] = r.block[0]
		return false
	}
	dt := float64(tick-r.block[0].at) / 1e9
	moving := dt > 0 && math.Abs(pos-r.block[0].pos) > cfg.Moving*dt
	if tick-r.block[1].at >= blockFor {
		r.block[0] = r.block[1]
		r.block[1].at, r.block[1].pos = tick, pos
	}
	return moving
}

// learn keeps each hour's range of hook load that stood still and its greatest flow.
func (r *rig) learn(tick int64, in *rigInputs) {
	h := tick / rigHour
	t := &r.hours[((h%rigTiles)+rigTiles)%rigTiles]
	if t.hour != h {
		t.hour, t.low, t.high, t.flow, t.flowBefore = h, math.NaN(), math.NaN(), 0, 0
		r.over.made = false
	}
	if v := in[rigHookLoad]; v > 50 {
		if math.Abs(v-r.prevHook) < 0.02*v {
			if !(t.low <= v) {
				t.low, r.over.made = v, false
			}
			if !(t.high >= v) {
				t.high, r.over.made = v, false
			}
		}
		r.prevHook = v
	}
	if v := in[rigFlow]; v > t.flow {
		t.flow, t.flowBefore, r.over.made = v, t.flow, false
	} else if v > t.flowBefore {
		t.flowBefore, r.over.made = v, false
	}
}

// thresholds returns the hook load of the empty block (NaN while no slips were
// seen) and the flow while drilling.
func (r *rig) thresholds(cfg *RigConfig) (empty, full float64) {
	if oldest := r.last/rigHour - rigTiles; !r.over.made || r.over.oldest != oldest {
		r.overall(oldest)
	}
	low, high := r.over.low, r.over.high
	empty, full = math.NaN(), r.over.flow
	if low < 0.55*high {
		empty = low
	}
	if cfg.EmptyBlock > 0 {
		empty = cfg.EmptyBlock
	}
	if cfg.FullFlow > 0 {
		full = cfg.FullFlow
	}
	return empty, max(full, minFlow/0.3)
}

// overall goes over the hours after oldest.
func (r *rig) overall(oldest int64) {
	low, high, flow := math.NaN(), math.NaN(), 0.0
	for i := range r.hours {
		t := &r.hours[i]
		if t.hour <= oldest {
			continue
		}
		if t.low == t.low && !(low <= t.low) {
			low = t.low
		}
		if t.high == t.high && !(high >= t.high) {
			high = t.high
		}
		flow = max(flow, t.flowBefore)
	}
	o := &r.over
	o.made, o.oldest, o.low, o.high, o.flow = true, oldest, low, high, flow
}

func (r *rig) append(w *snapshot.Writer) {
	w.Uint(uint64(r.state))
	w.Uint(uint64(r.next))
	for _, v := range []int64{r.since, r.nextSince, r.last, r.moved, r.block[0].at, r.block[1].at} {
		w.Int(v)
	}
	w.Bool(r.turning)
	w.Bool(r.pumping)
	w.Bool(r.bottom)
	for _, v := range []float64{r.deepest, r.prevHook, r.block[0].pos, r.block[1].pos} {
		w.Float(v)
	}
	n := 0
	for i := range r.hours {
		if r.hours[i].hour != 0 {
			n++
		}
	}
	w.Uint(uint64(n))
	for i := range r.hours {
		if t := &r.hours[i]; t.hour != 0 {
			w.Int(t.hour)
			w.Float(t.low)
			w.Float(t.high)
			w.Float(t.flow)
			w.Float(t.flowBefore)
		}
	}
}

func (r *rig) restore(rd *snapshot.Reader) {
	*r = newRig()
	r.state, r.next = byte(min(rd.Uint(), stUnknown)), byte(min(rd.Uint(), stUnknown))
	for _, p := range []*int64{&r.since, &r.nextSince, &r.last, &r.moved, &r.block[0].at, &r.block[1].at} {
		*p = rd.Int()
	}
	r.turning, r.pumping, r.bottom = rd.Bool(), rd.Bool(), rd.Bool()
	for _, p := range []*float64{&r.deepest, &r.prevHook, &r.block[0].pos, &r.block[1].pos} {
		*p = rd.Float()
	}
	for range rd.Len(33) {
		h := rd.Int()
		t := &r.hours[((h%rigTiles)+rigTiles)%rigTiles]
		t.hour, t.low, t.high, t.flow, t.flowBefore = h, rd.Float(), rd.Float(), rd.Float(), rd.Float()
	}
}
