package scorer

import (
	"slices"
	"testing"

	"github.com/mudpulse/mudpulse/services/internal/snapshot"
	"github.com/mudpulse/mudpulse/telemetry"
)

// shift drives a recogniser through phases of a working rig.
type shift struct {
	cfg   RigConfig
	r     rig
	now   int64
	every int64 // seconds between ticks
	block float64
	saw   []string // states in order
}

func newShift(every int64) *shift {
	return &shift{cfg: DefaultRigConfig(), r: newRig(), now: start, every: every, block: 30}
}

type phase struct {
	hook, rpm, flow, bit, hole, rop, wob float64
	speed                                float64 // m/s of the block
}

func (s *shift) work(seconds int64, p phase) *shift {
	for t := int64(0); t < seconds; t += s.every {
		s.block += p.speed * float64(s.every)
		in := rigInputs{rigHookLoad: p.hook, rigBlock: s.block, rigSpeed: p.rpm, rigFlow: p.flow, rigBit: p.bit, rigHole: p.hole, rigROP: p.rop, rigWOB: p.wob}
		s.r.step(&s.cfg, s.now, &in)
		s.now += s.every * second
		if n := s.r.name(); len(s.saw) == 0 || s.saw[len(s.saw)-1] != n {
			s.saw = append(s.saw, n)
		}
	}
	return s
}

var (
	rotary     = phase{hook: 1400, rpm: 120, flow: 2100, bit: 3000, hole: 3000, rop: 20, wob: 100, speed: -0.006}
	sliding    = phase{hook: 1400, rpm: 0, flow: 2100, bit: 3000, hole: 3000, rop: 12, wob: 90, speed: -0.003}
	pickUp     = phase{hook: 1500, rpm: 0, flow: 2100, bit: 2990, hole: 3000, speed: 0.3}
	inSlips    = phase{hook: 250, bit: 2990, hole: 3000}
	reaming    = phase{hook: 1500, rpm: 80, flow: 2100, bit: 2980, hole: 3000, speed: -0.1}
	circulate  = phase{hook: 1500, rpm: 0, flow: 2100, bit: 2990, hole: 3000}
	pulling    = phase{hook: 1500, bit: 2500, hole: 3000, speed: 0.4}
	slipsTrip  = phase{hook: 250, bit: 2500, hole: 3000}
	nothing    = phase{hook: 1500, bit: 2500, hole: 3000}
	everything = []string{telemetry.StateRotary, telemetry.StateCirculating, telemetry.StateConnection, telemetry.StateSliding, telemetry.StateReaming, telemetry.StateTripping, telemetry.StateIdle}
)

func TestTheRigsStateIsRecognised(t *testing.T) {
	for _, every := range []int64{1, 60} { // live, and history of a frame a minute
		s := newShift(every).work(600, rotary).work(600, inSlips).work(600, rotary) // the empty block is learned
		s.saw = nil
		s.work(1200, rotary).work(120, pickUp).work(300, inSlips).work(600, sliding).work(300, reaming).work(300, pulling).work(180, slipsTrip).work(300, pulling).work(600, nothing)
		if !slices.Equal(s.saw, everything) {
			t.Errorf("every %d s: saw %q, want %q", every, s.saw, everything)
		}
	}
}

func TestABlipChangesNoState(t *testing.T) {
	s := newShift(1).work(600, rotary)
	since := s.r.since
	s.work(7, sliding).work(60, rotary).work(5, circulate).work(60, rotary)
	if len(s.saw) != 1 || s.r.since != since {
		t.Errorf("saw %q since %d, want only rotary since %d", s.saw, s.r.since, since)
	}
	began := s.now
	s.work(10, sliding)
	if s.r.name() != telemetry.StateSliding || s.r.since != began {
		t.Errorf("%s since %d, want sliding since %d: from when it showed", s.r.name(), s.r.since, began)
	}
}

func TestSlipsInWhichNothingMovesAreNoWork(t *testing.T) {
	s := newShift(1).work(600, rotary).work(600, inSlips).work(600, rotary)
	s.saw = nil
	s.work(60, pulling).work(180, slipsTrip).work(60, pulling).work(3600, slipsTrip).work(60, pulling)
	if want := []string{telemetry.StateRotary, telemetry.StateTripping, telemetry.StateIdle, telemetry.StateTripping}; !slices.Equal(s.saw, want) {
		t.Errorf("saw %q, want %q", s.saw, want)
	}
}

func TestWithoutHoleDepthTheDeepestBitCounts(t *testing.T) {
	s := newShift(1)
	a, b := rotary, circulate
	a.hole, b.hole = nan, nan
	s.work(100, a).work(60, b).work(60, a)
	if want := []string{telemetry.StateRotary, telemetry.StateCirculating, telemetry.StateRotary}; !slices.Equal(s.saw, want) {
		t.Errorf("saw %q, want %q", s.saw, want)
	}
}

func TestADrillWithoutTheseChannelsHasNoState(t *testing.T) {
	s := newShift(60).work(600, phase{nan, nan, nan, nan, nan, nan, nan, nan})
	if !slices.Equal(s.saw, []string{telemetry.StateUnknown}) {
		t.Errorf("saw %q", s.saw)
	}
}

func TestAnAgedThresholdIsForgotten(t *testing.T) {
	s := newShift(60).work(3600, rotary).work(3600, inSlips)
	if empty, full := s.r.thresholds(&s.cfg); empty != 250 || full != 2100 {
		t.Fatalf("learned %v kN and %v L/min", empty, full)
	}
	p := rotary
	p.flow = 1500
	s.work(50*3600, p) // two days and two hours on
	if empty, full := s.r.thresholds(&s.cfg); empty == empty || full != 1500 {
		t.Errorf("still believes %v kN and %v L/min", empty, full)
	}
}

func TestTheRecogniserSurvivesARestart(t *testing.T) {
	a, b := newShift(1), newShift(1)
	for _, p := range []phase{rotary, pickUp, inSlips, rotary, reaming, pulling, nothing} {
		a.work(37, p)
		b.work(37, p)
		var w snapshot.Writer
		b.r.append(&w)
		b.r = rig{}
		rd := snapshot.NewReader(w.B)
		if b.r.restore(rd); rd.Err() != nil || rd.Rest() != 0 {
			t.Fatal(rd.Err(), rd.Rest())
		}
		var again snapshot.Writer
		if b.r.append(&again); string(again.B) != string(w.B) {
			t.Fatal("a restored recogniser has another state")
		}
	}
	if !slices.Equal(a.saw, b.saw) || a.r.since != b.r.since {
		t.Errorf("saw %q, after restarts %q", a.saw, b.saw)
	}
}
