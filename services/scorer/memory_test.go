package scorer

import (
	"math"
	"os"
	"strings"
	"testing"

	"github.com/mudpulse/mudpulse/telemetry"
)

// A CUSUM remembers each drill apart, over batches and restarts; a late frame
// does not make it count a second twice.
func TestAModelThatRemembersKnowsEachDrillApart(t *testing.T) {
	text, err := os.ReadFile("testdata/cusum.pmml")
	if err != nil {
		t.Fatal(err)
	}
	d := drawer{}
	sha := d.put(text)
	out := newTape()
	fresh := func() *Partition {
		p, err := NewPartition(testConfig(), NewPMML(d), d, telemetry.DefaultCatalogue(), nil, out)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	mto := func(drill string, seq uint64, v float64) *telemetry.Frame {
		return &telemetry.Frame{Drill: drill, Device: "edr-1", Boot: "b1", Seq: seq, TS: start + int64(seq)*second, Hash: seq + 1,
			Runs: []telemetry.Run{{Channel: "MTO", Every: second, Values: []float64{v}}}}
	}
	p := fresh()
	mark(t, p, activate("cusum", 1, sha))
	// g(x) = ln f1/f0 of N(54, 4) over N(50, 4): x − 52.
	values := map[string][]float64{"R1": {53, 54, 50, 55, 53, 40, 54, 56}, "R2": {50, 60, 60, 51, 53, 52, 52, 54}}
	want := map[string][]float64{}
	for drill, xs := range values {
		z := 0.0
		for _, x := range xs {
			z = max(0, z+x-52)
			want[drill] = append(want[drill], z)
		}
	}
	for i := range values["R1"] {
		feed(t, p, mto("R1", uint64(i), values["R1"][i]))
		feed(t, p, mto("R2", uint64(i), values["R2"][i]))
		if i == 3 { // a restart in the middle
			b, err := p.Snapshot(nil)
			if err != nil {
				t.Fatal(err)
			}
			p = fresh()
			if err := p.Restore(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
		if i == 5 { // a second device's frame of a second that is past
			late := mto("R1", 3, 99)
			late.Device = "edr-2"
			feed(t, p, late)
		}
	}
	p.Flush()
	for drill, zs := range want {
		n := 0
		for _, s := range out.all(t, drill) {
			at := int(s.Tick-start) / int(second)
			if len(s.Results) != 1 {
				t.Fatalf("%s tick %d: %+v", drill, at, s.Results)
			}
			r := s.Results[0]
			if r.Error != "" {
				if drill != "R1" || at != 3 || !strings.Contains(r.Error, "late frame") {
					t.Errorf("%s tick %d: %s", drill, at, r.Error)
				}
				continue
			}
			n++
			if got := r.Outputs[0].Number; math.Abs(got-zs[at]) > 1e-12 {
				t.Errorf("%s tick %d: the sum is %v, want %v", drill, at, got, zs[at])
			}
		}
		if n != len(zs) {
			t.Errorf("%s: %d sums, want %d", drill, n, len(zs))
		}
	}
}
