package fleet

import (
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// sent is what reaches the gateway of n seconds: numbers, and by how much each time is off.
func sent(t *testing.T, n int, faults ...LineFault) (seqs []uint64, off map[uint64]time.Duration) {
	t.Helper()
	off = map[uint64]time.Duration{}
	l := NewLine("RIG-01", 7, faults, func(f *telemetry.Frame) []byte { return binary.BigEndian.AppendUint64(nil, uint64(f.TS)) },
		func(seq uint64, payload []byte) error {
			seqs = append(seqs, seq)
			off[seq] = time.Duration(int64(binary.BigEndian.Uint64(payload)) - line0.UnixNano() - int64(seq)*1e9)
			return nil
		})
	for i := range n {
		if err := l.Frame(&telemetry.Frame{Drill: "RIG-01", Seq: uint64(i), TS: line0.UnixNano() + int64(i)*1e9}); err != nil {
			t.Fatal(err)
		}
	}
	return seqs, off
}

var line0 = time.Date(2026, 5, 1, 6, 0, 0, 0, time.UTC)

func TestAClockIsOffDriftsAndJumps(t *testing.T) {
	_, off := sent(t, 7200,
		LineFault{Kind: ClockDrift, Start: line0, Life: time.Hour, Size: 36},
		LineFault{Kind: ClockOffset, Start: line0.Add(time.Hour), Life: 30 * time.Minute, Size: -90})
	for at, want := range map[uint64]time.Duration{0: 0, 1000: 10 * time.Second, 3599: 35990 * time.Millisecond, 3600: -90 * time.Second, 5399: -90 * time.Second, 5400: 0} {
		if got := off[at].Round(time.Millisecond); got != want {
			t.Errorf("second %d is off by %v, want %v", at, got, want)
		}
	}
}

func TestTheLineRepeatsDisordersAndBurstsButLosesNothing(t *testing.T) {
	count := func(seqs []uint64) (twice, back int) {
		seen := map[uint64]bool{}
		last := uint64(0)
		for _, s := range seqs {
			if seen[s] {
				twice++
			}
			seen[s] = true
			if s < last {
				back++
			}
			last = max(last, s)
		}
		return twice, back
	}
	hour := func(kind string, size float64) LineFault {
		return LineFault{Kind: kind, Start: line0, Life: time.Hour, Size: size}
	}
	whole := func(seqs []uint64) bool {
		all := slices.Compact(slices.Sorted(slices.Values(seqs)))
		return len(all) == 3700 && all[3699] == 3699
	}
	seqs, _ := sent(t, 3700, hour(Duplicates, 0.1))
	if twice, back := count(seqs); twice < 250 || twice > 470 || back != 0 || !whole(seqs) {
		t.Errorf("%d twice, %d behind later ones", twice, back)
	}
	seqs, _ = sent(t, 3700, hour(Disorder, 0.1))
	if twice, back := count(seqs); twice != 0 || back < 250 || back > 470 || !whole(seqs) {
		t.Errorf("%d twice, %d behind later ones, whole %v", twice, back, whole(seqs))
	}
	seqs, _ = sent(t, 3700, hour(Outage, 0))
	if twice, back := count(seqs); twice != 0 || back != 0 || !whole(seqs) {
		t.Errorf("%d twice, %d behind later ones after an outage", twice, back)
	}
	seqs, _ = sent(t, 3000, hour(Outage, 0))
	if len(seqs) != 0 {
		t.Errorf("%d came while the line was cut", len(seqs))
	}
	again, _ := sent(t, 3700, hour(Disorder, 0.3), hour(Duplicates, 0.3))
	if first, _ := sent(t, 3700, hour(Disorder, 0.3), hour(Duplicates, 0.3)); !slices.Equal(first, again) {
		t.Error("the same seed does not do the same")
	}
}

func TestAScenarioSaysWhatTheLineDoes(t *testing.T) {
	b, err := os.ReadFile("../scenarios/line.json")
	if err != nil {
		t.Fatal(err)
	}
	given, err := ParseScenario(b)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, d := range given.Fleet(line0) {
		for _, f := range d.Line {
			all[f.Kind] = true
		}
	}
	if len(all) != len(LineKinds) {
		t.Errorf("the scenario in the repository has %v of %v", all, LineKinds)
	}
	s, err := ParseScenario([]byte(`{"seed":7,"drills":[{"name":"R1","line":[{"kind":"outage","start":"10m","life":"5m"},{"kind":"clock_offset","start":"0s","life":"1h","size":-7200}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	line := s.Fleet(line0)[0].Line
	if len(line) != 2 || line[0].Kind != Outage || !line[0].Start.Equal(line0.Add(10*time.Minute)) || line[0].Life != 5*time.Minute || line[1].Size != -7200 {
		t.Errorf("%+v", line)
	}
	_, err = ParseScenario([]byte(`{"drills":[{"name":"R1","line":[{"kind":"washout","start":"0s","life":"1h"},{"kind":"duplicates","start":"0s","life":"1h","size":3},{"kind":"clock_drift","start":"0s","life":"1h"}]}]}`))
	for _, want := range []string{`line #1: kind: "washout" is none of`, "line #2: size: 3: must be a share", "line #3: size: 0"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
}
