package scorer

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// stream is seeded input: disorder, duplicates, conflicts, two devices, late
// frames, history, markers in between, and values that raise alarms.
type step struct {
	f *telemetry.Frame
	m *telemetry.Marker
}

func stream(seed uint64, n int) []step {
	rng := rand.New(rand.NewPCG(seed, 7))
	var out []step
	seqs := map[string]uint64{}
	add := func(f *telemetry.Frame) { out = append(out, step{f: f}) }
	for i := range n {
		drill := fmt.Sprintf("R%d", rng.IntN(3)+1)
		seqs[drill]++
		seq := seqs[drill]
		wob := 100 + 40*rng.Float64()
		if seq/50%3 == 1 {
			wob = 260 // the test's rule raises
		}
		f := frame(drill, seq, wob, 120+rng.Float64())
		switch rng.IntN(12) {
		case 0: // late by up to four minutes, or early
			f.TS += int64(rng.IntN(250)-240) * second
		case 1: // another device, one channel
			f.Device, f.Runs = "vib-1", []telemetry.Run{{Channel: "VIBLAT", Values: []float64{rng.Float64() * 3}}}
		case 2: // several seconds in one
			f.Runs[1].Every = second / 3
		case 3:
			f.Runs[1].Quality = make([]byte, 10)
			f.Runs[1].Quality[9] = telemetry.OutOfRange
		}
		if rng.IntN(5) == 0 {
			f.Origin = telemetry.Backfill
			f.Boot, f.TS = "old", f.TS-14*24*3600*second+int64(i)*30*second
		}
		f.Hash = telemetry.ContentHash(f)
		add(f)
		switch rng.IntN(20) {
		case 0:
			add(f.Clone())
		case 1: // the device began again without saying so
			c := f.Clone()
			c.Runs[0].Values[0]++
			c.Hash = telemetry.ContentHash(c)
			add(c)
		}
		switch {
		case i == n/5:
			out = append(out, step{m: activate("first", 1, "a")})
		case i == n/3:
			out = append(out, step{m: activate("slow", 1, "s")}, step{m: &telemetry.Marker{ID: "rules2", Kind: telemetry.MarkerRules, SHA256: "rules", Action: "activate"}})
		case i == n/2:
			m := activate("second", 1, "b")
			m.Drills = []string{"R[12]"}
			out = append(out, step{m: m})
		case i == 2*n/3:
			out = append(out, step{m: activate("first", 2, "a2")})
		}
	}
	return out
}

func streamShelf() *shelf {
	slow := sum("y")
	slow.every = 20 * time.Second
	windows := &fake{in: []Field{{Name: "WOB__mean__60s"}, {Name: "RPM__std__30s__in_rotary"}, {Name: "SPP__slope__5m"}, {Name: "HKLD__q__p_90__2m"}, {Name: "WOB__mean__1h__z"}, {Name: "WOB"}, {Name: "RPM"}},
		out: []string{"y", "std", "slope", "q", "z"}, f: func(in []float64, _ []string) ([]float64, error) {
			return []float64{in[5] + in[6] + in[0]/1e6, in[1], in[2], in[3], in[4]}, nil
		}}
	return &shelf{models: map[string]*fake{
		"a": sum("y"), "a2": windows, "s": slow,
		"b": {in: []Field{{Name: "first.y"}, {Name: "slow.y"}}, out: []string{"health_bit", "z"}, f: func(in []float64, _ []string) ([]float64, error) {
			if in[0] > 370 { // it cannot say: what it said stands
				return []float64{nan, in[1]}, nil
			}
			return []float64{in[0] / 4, in[1]}, nil
		}},
	}, blobs: map[string][]byte{"rules": []byte(`{"version":2,"rules":[
		{"id":"wob-high","kind":"limit","title":"Too much weight","subsystem":"bit","priority":2,"signal":"WOB","op":">","limit":250,"hysteresis":20,"on_delay":"5s","off_delay":"10s","reason":"Weight on bit {WOB|0} kN, {WOB__mean__2m|0.000000} over two minutes, {RPM__std__3m__in_rotary|0.000000} {WOB__q__p_50__10m|0.0000} {WOB__ewma__10m|0.000000}.","advice":"Ease off."},
		{"id":"model-high","kind":"model","title":"Model says so","subsystem":"bit","priority":1,"signal":"second.z","op":">","limit":330,"n":2,"m":3,"off_delay":"10s","reason":"{value|0.0}","advice":"Look."}]}`)}}
}

func play(tb testing.TB, p *Partition, steps []step, from int, flush func() bool) {
	tb.Helper()
	for i, s := range steps {
		if s.m != nil {
			mark(tb, p, s.m)
			continue
		}
		if err := p.Frame(tb.Context(), s.f.Clone(), s.f.Origin == telemetry.Backfill, int64(from+i)); err != nil {
			tb.Fatal(err)
		}
		if flush() {
			p.Flush()
		}
	}
	p.Flush()
}

func TestTheSameRecordsGiveTheSameBitsHoweverTheyAreBatched(t *testing.T) {
	for seed := range uint64(3) {
		steps := stream(seed, 3000)
		run := func(rows int, flush func() bool) *tape {
			cfg := testConfig()
			cfg.Rows = rows
			out := newTape()
			play(t, newPartition(t, cfg, streamShelf(), out), steps, 0, flush)
			return out
		}
		want := run(1, func() bool { return true })
		said := map[string]int{}
		for _, s := range want.all(t, "R1") {
			for _, r := range s.Results {
				for _, o := range r.Outputs {
					if o.Number == o.Number {
						said[o.Name]++
					}
				}
			}
		}
		for _, name := range []string{"y", "std", "slope", "q", "z", "health_bit"} {
			if said[name] < 50 {
				t.Fatalf("output %s was there %d times: the stream proves too little", name, said[name])
			}
		}
		if n := len(want.alarms["R1"]); n < 4 {
			t.Fatalf("only %d alarm events: the stream proves too little", n)
		}
		rng := rand.New(rand.NewPCG(seed, 9))
		for _, rows := range []int{7, 256, 65536} {
			diff(t, run(rows, func() bool { return rng.IntN(40) == 0 }), want)
		}
	}
}

func TestARestartFromAnyCheckpointGivesTheSameBits(t *testing.T) {
	steps := stream(11, 3000)
	want := newTape()
	play(t, newPartition(t, testConfig(), streamShelf(), want), steps, 0, func() bool { return false })
	rng := rand.New(rand.NewPCG(5, 5))
	got := newTape()
	p := newPartition(t, testConfig(), streamShelf(), got)
	for at := 0; at < len(steps); {
		n := min(rng.IntN(300)+1, len(steps)-at)
		play(t, p, steps[at:at+n], at, func() bool { return false })
		at += n
		b, err := p.Snapshot(nil)
		if err != nil {
			t.Fatal(err)
		}
		p = newPartition(t, testConfig(), streamShelf(), got)
		if err := p.Restore(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		again, err := p.Snapshot(nil)
		if err != nil || string(again) != string(b) {
			t.Fatalf("a restored partition has another snapshot (%v)", err)
		}
	}
	diff(t, got, want)
}

func diff(t *testing.T, got, want *tape) {
	t.Helper()
	for drill := range want.last {
		for tick, b := range want.last[drill] {
			if got.last[drill][tick] == b {
				continue
			}
			var a, g telemetry.Score
			_ = telemetry.DecodeScore([]byte(b), &a)
			_ = telemetry.DecodeScore([]byte(got.last[drill][tick]), &g)
			t.Fatalf("drill %s tick %d:\n got %+v\nwant %+v", drill, tick, g, a)
		}
		if len(got.last[drill]) != len(want.last[drill]) {
			t.Errorf("drill %s: %d ticks, want %d", drill, len(got.last[drill]), len(want.last[drill]))
		}
		// roads interleave as batches fall; each road's events hold their order by hash
		byHash := func(a, b telemetry.AlarmEvent) int { return strings.Compare(a.Evidence.Hash, b.Evidence.Hash) }
		slices.SortFunc(got.alarms[drill], byHash)
		slices.SortFunc(want.alarms[drill], byHash)
		a, _ := json.Marshal(got.alarms[drill])
		b, _ := json.Marshal(want.alarms[drill])
		if string(a) != string(b) {
			t.Errorf("drill %s: alarms differ:\n got %.2000s\nwant %.2000s", drill, a, b)
		}
	}
}

func TestADamagedSnapshotIsAnError(t *testing.T) {
	p := newPartition(t, testConfig(), streamShelf(), newTape())
	play(t, p, stream(3, 600), 0, func() bool { return false })
	b, err := p.Snapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(b); n += len(b)/200 + 1 {
		if err := newPartition(t, testConfig(), streamShelf(), newTape()).Restore(t.Context(), b[:n]); err == nil {
			t.Errorf("the first %d of %d bytes were taken", n, len(b))
		}
	}
}
