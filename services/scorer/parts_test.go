package scorer

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/telemetry"
)

// bits reads what describes the bit, and something that does not.
func bits() *fake {
	return &fake{in: []Field{{Name: "VIBAX__mean__10s__z"}, {Name: "TDBT__mean__10s__z"}, {Name: "minutes__since__event_bit_change"}, {Name: "part.top_drive_bearing_bpfo"}, {Name: "WOB"}},
		out: []string{"bit", "bearing", "since", "bpfo"}, f: func(in []float64, _ []string) ([]float64, error) { return in[:4], nil }}
}

// vibrating is a frame whose vibration and temperature wander.
func vibrating(seq uint64) *telemetry.Frame {
	f := frame("RIG-1", seq, 100, 120)
	wander := math.Sin(float64(seq) / 37)
	f.Runs = append(f.Runs, telemetry.Run{Channel: "VIBAX", Values: []float64{0.5 + 0.1*wander}}, telemetry.Run{Channel: "TDBT", Values: []float64{60 + wander}})
	f.Hash = telemetry.ContentHash(f)
	return f
}

func runMarker(id, position, run string, at uint64) *telemetry.Marker {
	c := &telemetry.RunChange{Position: position, Run: run, Event: position + "_change"}
	if position == "bit" {
		c.Channels = []string{"VIBAX", "VIBLAT", "SSI"}
	}
	return &telemetry.Marker{ID: "marker " + id, Kind: telemetry.MarkerRun, Name: id, Action: "activate", Drills: []string{"RIG-1"}, From: start + int64(at)*second, Run: c}
}

func at(s *telemetry.Score, name string) float64 {
	v, ok := s.Output("bits", name)
	if !ok {
		return nan
	}
	return v
}

func TestABitChangeResetsTheBitsBaselinesAndNoOthersAndScoresNameTheirRuns(t *testing.T) {
	const change = 90 * 60 // s
	out := newTape()
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"m": bits()}}, out)
	mark(t, p, activate("bits", 1, "m"))
	mark(t, p, runMarker("1", "bit", "bit:SN-1", 1))
	bearing := runMarker("2", "top_drive/bearing", "top_drive/bearing:6322", 1)
	bearing.Run.Numbers = map[string]float64{"bpfo": 3.06}
	mark(t, p, bearing)
	for seq := uint64(1); seq < change+4000; seq++ {
		if seq == change-10 { // told before it happens: it holds from its time on
			mark(t, p, runMarker("3", "bit", "bit:SN-2", change))
		}
		feed(t, p, vibrating(seq))
	}
	p.Flush()
	scores := out.all(t, "RIG-1")
	for i := range scores {
		s := &scores[i]
		seq := (s.Tick - start) / second
		run, since := "bit:SN-1", float64(seq-1)/60
		if seq >= change {
			run, since = "bit:SN-2", float64(seq-change)/60
		}
		if want := []string{run, "top_drive/bearing:6322"}; !slices.Equal(s.Runs, want) {
			t.Fatalf("second %d: runs %q, want %q", seq, s.Runs, want)
		}
		if at(s, "since") != since || at(s, "bpfo") != 3.06 {
			t.Fatalf("second %d: %v minutes since the change, want %v; BPFO %v", seq, at(s, "since"), since, at(s, "bpfo"))
		}
	}
	known := func(seq int, name string) bool { v := at(&scores[seq-1], name); return v == v }
	f := func(seq int, bit, other bool) {
		t.Helper()
		if known(seq, "bit") != bit || known(seq, "bearing") != other {
			t.Errorf("second %d: the bit's baseline is judged from: %v, the bearing's: %v; want %v and %v", seq, known(seq, "bit"), known(seq, "bearing"), bit, other)
		}
	}
	f(30*60, false, false)
	f(change-1, true, true)
	f(change, false, true)
	f(change+50*60, false, true)
	f(change+62*60, true, true)
}

// A change that is told late holds from its time: what late frames may still
// amend is amended; what features count from is the time itself.
func TestABitChangeToldLateAmends(t *testing.T) {
	out := newTape()
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"m": bits()}}, out)
	mark(t, p, activate("bits", 1, "m"))
	mark(t, p, runMarker("1", "bit", "bit:SN-1", 1))
	for seq := uint64(1); seq <= 600; seq++ {
		feed(t, p, vibrating(seq))
	}
	mark(t, p, runMarker("2", "bit", "bit:SN-2", 540))
	p.Flush()
	last := func(seq int64) telemetry.Score {
		t.Helper()
		var s telemetry.Score
		if err := telemetry.DecodeScore([]byte(out.last["RIG-1"][start+seq*second]), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	f := func(seq int64, run string, since float64) {
		t.Helper()
		s := last(seq)
		if strings.Join(s.Runs, " ") != run || at(&s, "since") != since {
			t.Errorf("second %d: %q, %v minutes, want %q, %v", seq, s.Runs, at(&s, "since"), run, since)
		}
	}
	f(539, "bit:SN-1", 538.0/60)
	f(540, "bit:SN-2", 0)
	f(600, "bit:SN-2", 1)
	mark(t, p, runMarker("2", "bit", "bit:SN-2", 570)) // the first counts
	p.Flush()
	f(550, "bit:SN-2", 10.0/60)
	again := runMarker("2", "bit", "bit:SN-2", 570) // told again: it was at another time
	again.ID = "another"
	mark(t, p, again)
	p.Flush()
	f(550, "bit:SN-1", 549.0/60)
	f(570, "bit:SN-2", 0)
	gone := runMarker("2", "bit", "", 570)
	gone.ID, gone.Action = "gone", "deactivate"
	mark(t, p, gone)
	p.Flush()
	f(600, "bit:SN-1", 599.0/60)
}

func TestWhatIsToldOfEquipmentSurvivesARestart(t *testing.T) {
	shelf := &shelf{models: map[string]*fake{"m": bits()}}
	whole, cut := newTape(), newTape()
	p := newPartition(t, testConfig(), shelf, whole)
	q := newPartition(t, testConfig(), shelf, cut)
	for seq := uint64(1); seq <= 300; seq++ {
		for _, x := range []*Partition{p, q} {
			switch seq {
			case 1:
				mark(t, x, activate("bits", 1, "m"))
				mark(t, x, runMarker("1", "bit", "bit:SN-1", 1))
				mark(t, x, runMarker("2", "bit", "bit:SN-2", 200))
				m := runMarker("3", "top_drive/bearing", "top_drive/bearing:B", 250)
				m.Run.Numbers = map[string]float64{"bpfo": 4, "bpfi": 5}
				mark(t, x, m)
			case 220:
				mark(t, x, runMarker("4", "bit", "bit:SN-3", 210))
			}
			feed(t, x, vibrating(seq))
		}
		if seq%60 == 30 {
			p.Flush()
			b, err := q.Snapshot(nil)
			if err != nil {
				t.Fatal(err)
			}
			q = newPartition(t, testConfig(), shelf, cut)
			if err := q.Restore(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.Flush()
	q.Flush()
	diff(t, cut, whole)
}

func TestAChangeThatSaysNothingIsRefused(t *testing.T) {
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"x": sum("y")}}, newTape())
	f := func(want string, change func(*telemetry.Marker)) {
		t.Helper()
		m := runMarker(want, "bit", "bit:1", 1)
		change(m)
		mark(t, p, m)
		all := p.Refused()
		if len(all) == 0 || !strings.Contains(all[len(all)-1].Why, want) {
			t.Errorf("want %q, refused: %+v", want, all)
		}
	}
	f("needs its position", func(m *telemetry.Marker) { m.Run.Position = "" })
	f("needs its position", func(m *telemetry.Marker) { m.Run = nil })
	f("is one drill's", func(m *telemetry.Marker) { m.Drills = nil })
	f("needs the time", func(m *telemetry.Marker) { m.From = 0 })
	f("must be activate", func(m *telemetry.Marker) { m.Action = "explode" })
	f("name is taken", func(m *telemetry.Marker) { *m = *activate("part", 1, "x") })
}

func TestAHistoryOfChangesIsBoundedAndKeepsWhatIsInPlace(t *testing.T) {
	e := &equipment{}
	e.put(change{"first", 1, telemetry.RunChange{Position: "top_drive", Run: "top_drive:TD"}})
	for i := range 2 * maxChanges {
		e.put(change{fmt.Sprint(i), int64(2 + i), telemetry.RunChange{Position: "bit", Run: fmt.Sprint("bit:", i)}})
	}
	x := e.at(math.MaxInt64)
	if len(e.changes) != maxChanges || !slices.Equal(x.runs, []string{fmt.Sprint("bit:", 2*maxChanges-1), "top_drive:TD"}) {
		t.Errorf("%d changes, %q", len(e.changes), x.runs)
	}
}
