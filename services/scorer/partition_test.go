package scorer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/telemetry"
)

const start = int64(1_795_000_000) * second // 2026-11-18

// fake is a model made of a function over its numeric inputs.
type fake struct {
	in    []Field
	out   []string
	every time.Duration
	hold  time.Duration
	f     func(in []float64, text []string) ([]float64, error)
	says  map[int]string // outputs that are text
}

func (m *fake) Inputs() []Field      { return m.in }
func (m *fake) Outputs() []string    { return m.out }
func (m *fake) Every() time.Duration { return m.every }
func (m *fake) Hold() time.Duration  { return m.hold }
func (m *fake) Evaluator() Evaluator { return &fakeEval{m: m} }

type fakeEval struct {
	m   *fake
	num [][]float64
	txt [][]string
	out [][]float64
	err []error
}

func (e *fakeEval) Reset(rows int) {
	e.num, e.txt, e.out, e.err = nil, nil, make([][]float64, rows), make([]error, rows)
	for range rows {
		n := make([]float64, len(e.m.in))
		for i := range n {
			n[i] = nan
		}
		e.num, e.txt = append(e.num, n), append(e.txt, make([]string, len(e.m.in)))
	}
}
func (e *fakeEval) Number(input, row int, v float64) { e.num[row][input] = v }
func (e *fakeEval) Text(input, row int, s string)    { e.txt[row][input] = s }
func (e *fakeEval) Run() {
	for i := range e.num {
		e.out[i], e.err[i] = e.m.f(e.num[i], e.txt[i])
	}
}
func (e *fakeEval) Err(row int) error                   { return e.err[row] }
func (e *fakeEval) Output(i, row int) (float64, string) { return e.out[row][i], e.m.says[i] }
func (e *fakeEval) Explain(row int, ev *telemetry.Evidence) {
	ev.Baseline, ev.Score = 1, e.out[row][0]
	ev.Contributions = []telemetry.Contribution{{Name: e.m.in[0].Name, Value: e.out[row][0] - 1}}
}

// shelf holds models and rules by their "SHA-256".
type shelf struct {
	models map[string]*fake
	blobs  map[string][]byte
}

func (s *shelf) Load(_ context.Context, sha string) (Model, error) {
	if m, ok := s.models[sha]; ok {
		return m, nil
	}
	return nil, fmt.Errorf("model %s: is no PMML", sha)
}

func (s *shelf) Fetch(_ context.Context, sha string) ([]byte, error) {
	if b, ok := s.blobs[sha]; ok {
		return b, nil
	}
	return nil, errors.New("no such blob")
}

func sum(name string) *fake {
	return &fake{in: []Field{{Name: "WOB"}, {Name: "RPM"}}, out: []string{name}, f: func(in []float64, _ []string) ([]float64, error) {
		return []float64{in[0] + in[1]}, nil
	}}
}

// tape writes down all that a partition puts out, by drill.
type tape struct {
	scores map[string][][]byte
	last   map[string]map[int64]string // newest record of each tick
	alarms map[string][]telemetry.AlarmEvent
}

func newTape() *tape {
	return &tape{scores: map[string][][]byte{}, last: map[string]map[int64]string{}, alarms: map[string][]telemetry.AlarmEvent{}}
}
func (t *tape) Score(s *telemetry.Score) {
	b := telemetry.AppendScore(nil, s)
	t.scores[s.Drill] = append(t.scores[s.Drill], b)
	if t.last[s.Drill] == nil {
		t.last[s.Drill] = map[int64]string{}
	}
	t.last[s.Drill][s.Tick] = string(b)
}
func (t *tape) Alarm(e *telemetry.AlarmEvent) { t.alarms[e.Drill] = append(t.alarms[e.Drill], *e) }

func (t *tape) all(tb testing.TB, drill string) []telemetry.Score {
	tb.Helper()
	var out []telemetry.Score
	for _, b := range t.scores[drill] {
		var s telemetry.Score
		if err := telemetry.DecodeScore(b, &s); err != nil {
			tb.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

func testConfig() PartitionConfig {
	c := DefaultPartitionConfig()
	c.RowBudget = 0
	return c
}

func newPartition(tb testing.TB, cfg PartitionConfig, s *shelf, out Output) *Partition {
	tb.Helper()
	p, err := NewPartition(cfg, s, s, telemetry.DefaultCatalogue(), nil, out)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// frame is one second of drilling of a drill.
func frame(drill string, seq uint64, wob, rpm float64) *telemetry.Frame {
	f := &telemetry.Frame{Drill: drill, Device: "edr-1", Boot: "b1", Seq: seq, TS: start + int64(seq)*second}
	run := func(tag string, hz int, v float64) {
		u := telemetry.Run{Channel: tag, Every: second / int64(hz)}
		for i := range hz {
			u.Values = append(u.Values, v+float64(i)*0.01)
		}
		f.Runs = append(f.Runs, u)
	}
	run("HKLD", 10, 1500-wob)
	run("WOB", 10, wob)
	run("BPOS", 10, 20)
	run("RPM", 10, rpm)
	run("FLIN", 10, 2100)
	run("SPP", 10, 22)
	run("DBTM", 1, 3000)
	run("DMEA", 1, 3000)
	f.Hash = telemetry.ContentHash(f)
	return f
}

func activate(name string, version int, sha string) *telemetry.Marker {
	return &telemetry.Marker{ID: fmt.Sprint(name, version, sha), Kind: telemetry.MarkerModel, Name: name, Version: version, SHA256: sha, Action: "activate"}
}

func mark(tb testing.TB, p *Partition, m *telemetry.Marker) {
	tb.Helper()
	for _, history := range []bool{false, true} {
		if err := p.Marker(tb.Context(), m, history); err != nil {
			tb.Fatal(err)
		}
	}
}

func feed(tb testing.TB, p *Partition, f *telemetry.Frame) {
	tb.Helper()
	if err := p.Frame(tb.Context(), f, f.Origin == telemetry.Backfill, int64(f.Seq)); err != nil {
		tb.Fatal(err)
	}
}

func TestATickIsScoredByWhatIsActiveAtItsOffset(t *testing.T) {
	out := newTape()
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{
		"a": sum("y"), "b": {in: []Field{{Name: "WOB"}}, out: []string{"y"}, f: func(in []float64, _ []string) ([]float64, error) { return []float64{-in[0]}, nil }},
	}}, out)
	feed(t, p, frame("R1", 0, 100, 120))
	mark(t, p, activate("m", 1, "a"))
	feed(t, p, frame("R1", 1, 100, 120))
	mark(t, p, activate("m", 2, "b"))
	feed(t, p, frame("R1", 2, 100, 120))
	mark(t, p, &telemetry.Marker{ID: "back", Kind: telemetry.MarkerModel, Name: "m", Version: 1, SHA256: "a", Action: "activate"})
	feed(t, p, frame("R1", 3, 100, 120))
	mark(t, p, &telemetry.Marker{ID: "off", Kind: telemetry.MarkerModel, Name: "m", Action: "deactivate"})
	feed(t, p, frame("R1", 4, 100, 120))
	p.Flush()
	var got []string
	for _, s := range out.all(t, "R1") {
		line := "-"
		for _, r := range s.Results {
			line = fmt.Sprintf("%s %.2f", r.Model, r.Outputs[0].Number)
		}
		got = append(got, line)
	}
	if want := []string{"-", "m@1 220.18", "m@2 -100.09", "m@1 220.18", "-"}; !slices.Equal(got, want) {
		t.Errorf("results %q, want %q", got, want)
	}
}

func TestTheFirstMarkerOfAnIDCounts(t *testing.T) {
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": sum("y")}}, newTape())
	mark(t, p, activate("m", 1, "a"))
	mark(t, p, &telemetry.Marker{ID: "off", Kind: telemetry.MarkerModel, Name: "m", Action: "deactivate"})
	mark(t, p, activate("m", 1, "a")) // the api repeats it until each partition has it
	if n := len(p.lanes[laneLive].acts); n != 0 {
		t.Errorf("%d models active", n)
	}
}

func TestWhatCannotBeActivatedIsRefusedAndTheVersionBeforeStays(t *testing.T) {
	reads := func(names ...string) *fake {
		m := &fake{out: []string{"y"}, f: func([]float64, []string) ([]float64, error) { return []float64{1}, nil }}
		for _, n := range names {
			m.in = append(m.in, Field{Name: n})
		}
		return m
	}
	s := &shelf{models: map[string]*fake{"a": sum("y"), "bad": reads("WOB!", "1x"), "noout": reads("m.z"), "b": reads("c.y", "m.y"), "c": reads("b.y")}}
	p := newPartition(t, testConfig(), s, newTape())
	l := p.lanes[laneLive]
	mark(t, p, activate("m", 1, "a"))
	f := func(m *telemetry.Marker, active, waiting string, why ...string) {
		t.Helper()
		n := len(p.refused)
		mark(t, p, m)
		if got := refs(l.acts); got != active {
			t.Errorf("active %q, want %q", got, active)
		}
		if got := refs(l.waiting); got != waiting {
			t.Errorf("waiting %q, want %q", got, waiting)
		}
		if len(why) == 0 != (len(p.refused) == n) {
			t.Errorf("refused: %v", p.refused[n:])
		}
		for _, w := range why {
			if len(p.refused) == n || !strings.Contains(p.refused[n].Why, w) {
				t.Errorf("refused for %v, want %q", p.refused[n:], w)
			}
		}
	}
	f(activate("m", 2, "nothing"), "m@1", "", "is no PMML")
	f(activate("m", 3, "bad"), "m@1", "", `"WOB!"`, `"1x"`)
	f(activate("x", 1, "noout"), "m@1", "", `has no output "z"`)
	f(activate("b", 1, "b"), "m@1", "b@1")
	f(activate("c", 1, "c"), "m@1", "b@1", "circle")
	f(activate("c", 2, "a"), "m@1 c@2 b@1", "")
	f(&telemetry.Marker{ID: "off", Kind: telemetry.MarkerModel, Name: "m", Action: "deactivate"}, "c@2", "b@1")
	f(activate("m", 4, "a"), "c@2 m@4 b@1", "")
}

func refs(acts []*activation) string {
	var out []string
	for _, a := range acts {
		out = append(out, a.ref)
	}
	return strings.Join(out, " ")
}

func TestAModelReadsWhatAnotherSaid(t *testing.T) {
	out := newTape()
	twice := &fake{in: []Field{{Name: "first.y"}, {Name: "state", Text: true}}, out: []string{"y"}, f: func(in []float64, text []string) ([]float64, error) {
		if text[1] != telemetry.StateRotary {
			return nil, fmt.Errorf("state is %q", text[1])
		}
		return []float64{2 * in[0]}, nil
	}}
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": sum("y"), "b": twice}}, out)
	mark(t, p, activate("second", 1, "b"))
	mark(t, p, activate("first", 1, "a"))
	feed(t, p, frame("R1", 0, 100, 120))
	p.Flush()
	s := out.all(t, "R1")[0]
	if v, ok := s.Output("second", "y"); !ok || v != 2*(100.09+120.09) {
		t.Errorf("%v %v: %+v", v, ok, s.Results)
	}
}

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

func TestAModelThatPanicsOrFailsHurtsNobodyElse(t *testing.T) {
	out := newTape()
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": sum("y"),
		"p": {in: []Field{{Name: "WOB"}}, out: []string{"y"}, f: func(in []float64, _ []string) ([]float64, error) {
			if in[0] > 200 {
				panic("index out of range [7]")
			}
			return []float64{in[0]}, nil
		}},
		"e": {in: []Field{{Name: "WOB"}}, out: []string{"y"}, f: func(in []float64, _ []string) ([]float64, error) {
			return nil, errors.New("WOB: value 300 is invalid")
		}},
	}}, out)
	for name, sha := range map[string]string{"good": "a", "panics": "p", "fails": "e"} {
		mark(t, p, activate(name, 1, sha))
	}
	for i := range uint64(6) {
		feed(t, p, frame("R1", i, 100+float64(i%2)*200, 100))
	}
	p.Flush()
	for i, s := range out.all(t, "R1") {
		if len(s.Results) != 3 {
			t.Fatalf("%+v", s.Results)
		}
		for _, r := range s.Results {
			switch r.Model {
			case "good@1":
				if r.Error != "" || r.Outputs[0].Number != (100+float64(i%2)*200+9*0.01)+(100+9*0.01) {
					t.Errorf("tick %d: %+v", i, r)
				}
			case "panics@1":
				if (i%2 == 1) != strings.Contains(r.Error, "failed inside: index out of range") {
					t.Errorf("tick %d: %+v", i, r)
				}
			case "fails@1":
				if r.Error != "WOB: value 300 is invalid" {
					t.Errorf("tick %d: %+v", i, r)
				}
			}
		}
	}
	if p.count.panics != 3 {
		t.Errorf("%d panics counted", p.count.panics)
	}
}

func TestALateFrameAmendsItsTick(t *testing.T) {
	out := newTape()
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": sum("y")}}, out)
	mark(t, p, activate("m", 1, "a"))
	for i := range uint64(10) {
		f := frame("R1", i, 100+float64(i), 100)
		if i == 4 { // its WOB comes by another device, after
			f.Runs[1].Channel = "TQ"
		}
		f.Hash = telemetry.ContentHash(f)
		feed(t, p, f)
	}
	late := frame("R1", 4, 500, 100)
	late.Device, late.Runs = "edr-2", late.Runs[1:2]
	late.Hash = telemetry.ContentHash(late)
	feed(t, p, late)
	p.Flush()
	all := out.all(t, "R1")
	s := all[len(all)-1]
	if len(all) != 11 || s.Tick != start+4*second || len(s.Causes) != 2 || s.Causes[1].Device != "edr-2" || s.CauseHash == all[4].CauseHash {
		t.Fatalf("%d records, the last %+v", len(all), s)
	}
	before, _ := all[4].Output("m", "y")
	after, _ := s.Output("m", "y")
	if before != 103.09+100.09 || after != 500.09+100.09 {
		t.Errorf("before %v, after %v", before, after)
	}
}

func TestHistoryIsScoredInItsOwnRightAndPagesNobody(t *testing.T) {
	out := newTape()
	p := newPartition(t, testConfig(), streamShelf(), out)
	mark(t, p, &telemetry.Marker{ID: "r", Kind: telemetry.MarkerRules, SHA256: "rules", Action: "activate"})
	mark(t, p, activate("m", 1, "a"))
	for i := range uint64(20) {
		feed(t, p, frame("R1", i, 100, 100))
		h := frame("R1", i, 300, 100)
		h.Boot, h.Origin, h.TS = "seed", telemetry.Backfill, start-7*24*3600*second+int64(i)*60*second
		h.Hash = telemetry.ContentHash(h)
		feed(t, p, h)
	}
	p.Flush()
	if len(out.last["R1"]) != 40 {
		t.Errorf("%d ticks scored", len(out.last["R1"]))
	}
	events := out.alarms["R1"]
	if len(events) != 2 || events[0].Origin != telemetry.Backfill || events[0].Raised >= start {
		t.Errorf("%+v", events)
	}
	if err := alarms.Verify(events); err != nil {
		t.Error(err)
	}
}

func TestAnUnregisteredChannelIsNotScoredUntilItIsRegistered(t *testing.T) {
	out := newTape()
	m := &fake{in: []Field{{Name: "sensor_1"}}, out: []string{"y"}, f: func(in []float64, _ []string) ([]float64, error) { return []float64{in[0]}, nil }}
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": m}}, out)
	mark(t, p, activate("m", 1, "a"))
	f := func(seq uint64) {
		x := &telemetry.Frame{Drill: "U1", Device: "d", Boot: "b", Seq: seq, TS: start + int64(seq)*60*second, Hash: seq, Runs: []telemetry.Run{{Channel: "sensor_1", Values: []float64{7}}}}
		feed(t, p, x)
	}
	f(0)
	mark(t, p, &telemetry.Marker{ID: "c", Kind: telemetry.MarkerChannel, Name: "sensor_1", Action: "activate"})
	f(1)
	p.Flush()
	all := out.all(t, "U1")
	if len(all) != 2 || len(all[0].Results) != 0 || len(all[1].Results) != 1 || all[1].State != telemetry.StateUnknown || all[1].Health == all[1].Health {
		t.Errorf("%+v", all)
	}
}

func TestAFrameOfSeveralSecondsGivesATickForEach(t *testing.T) {
	out := newTape()
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": sum("y")}}, out)
	mark(t, p, activate("m", 1, "a"))
	f := &telemetry.Frame{Drill: "R1", Device: "d", Boot: "b", Seq: 1, TS: start + second/2, Hash: 1, Runs: []telemetry.Run{
		{Channel: "WOB", Every: second / 2, Values: []float64{1, 2, 3, 4, 5, 6}},
		{Channel: "RPM", Every: second, Values: []float64{100, nan, 300}},
	}}
	feed(t, p, f)
	p.Flush()
	var got []string
	for _, s := range out.all(t, "R1") {
		v, _ := s.Output("m", "y")
		got = append(got, fmt.Sprintf("%d %v", (s.Tick-start)/second, v))
	}
	// Seconds are counted from the frame's time: one that starts at .5 does not split them.
	if want := []string{"0 102", "1 104", "2 306"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	long := frame("R1", 9, 1, 1)
	long.Runs[0].Every, long.Hash = 3600*second, 2
	if err := p.Frame(t.Context(), long, false, 1); err == nil || !strings.Contains(err.Error(), "seconds") {
		t.Errorf("nine hours in one frame: %v", err)
	}
}

func TestAChannelThatFellSilentIsMissingAndLowersConfidence(t *testing.T) {
	out := newTape()
	missing := &fake{in: []Field{{Name: "WOB"}, {Name: "RPM"}}, out: []string{"health_bit"}, f: func(in []float64, _ []string) ([]float64, error) {
		if in[0] != in[0] {
			return []float64{50}, nil
		}
		return []float64{90}, nil
	}}
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": missing}}, out)
	mark(t, p, activate("m", 1, "a"))
	for i := range uint64(15) {
		f := frame("R1", i, 100, 100)
		if i >= 2 {
			f.Runs = slices.Delete(f.Runs, 1, 2) // WOB
		}
		feed(t, p, f)
	}
	p.Flush()
	all := out.all(t, "R1")
	for i, want := range map[int]float64{1: 90, 2: 90, 11: 90, 12: 50, 14: 50} {
		if all[i].Health != want {
			t.Errorf("tick %d: health %v, want %v", i, all[i].Health, want)
		}
	}
	if a, b := all[1].Confidence, all[14].Confidence; a != 1 || !(b < 1) {
		t.Errorf("confidence %v, then %v", a, b)
	}
}

func TestWhatAModelSaidOfHealthStandsWhileItCannotBeAsked(t *testing.T) {
	out := newTape()
	m := &fake{in: []Field{{Name: "WOB"}}, out: []string{"health_hydraulics", "time_left_h"}, hold: 100 * time.Second, f: func(in []float64, _ []string) ([]float64, error) {
		if in[0] < 50 {
			return []float64{nan, nan}, nil
		}
		return []float64{in[0] / 4, 7}, nil
	}}
	well := &fake{in: []Field{{Name: "RPM"}}, out: []string{"health_topdrive"}, f: func([]float64, []string) ([]float64, error) { return []float64{96}, nil }}
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": m, "w": well}}, out)
	mark(t, p, activate("m", 1, "a"))
	mark(t, p, activate("well", 1, "w"))
	late := frame("R1", 65, 10, 100)
	for i := range uint64(201) {
		wob := 120.0
		if i >= 20 && i < 70 || i >= 80 {
			wob = 10
		}
		if i != 65 {
			feed(t, p, frame("R1", i, wob, 100))
		}
		if i == 75 { // amends a tick of a silence that is over
			feed(t, p, late)
		}
	}
	p.Flush()
	at := func(tick int64) telemetry.Score {
		var s telemetry.Score
		if err := telemetry.DecodeScore([]byte(out.last["R1"][start+tick*second]), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	for tick, want := range map[int64]int64{19: 0, 20: 19, 69: 19, 70: 0, 65: 19, 80: 79, 179: 79} {
		s := at(tick)
		h := s.Subsystems[0]
		said := int64(0)
		if want != 0 {
			said = start + want*second
		}
		if math.Round(s.Health) != 30 || s.TimeLeft != 7 || h.At != said {
			t.Errorf("tick %d: health %v, time left %v, said at tick %v, want 30, 7 and %d", tick, s.Health, s.TimeLeft, (h.At-start)/second, want)
		}
		if want != 0 && math.Abs(h.Confidence-(1-float64(tick-want)/100)) > 1e-9 {
			t.Errorf("tick %d: confidence %v", tick, h.Confidence)
		}
	}
	if s := at(180); s.Health != 96 || s.TimeLeft == s.TimeLeft || !math.IsNaN(s.Subsystems[0].Health) {
		t.Errorf("a word of 101 seconds ago stands still: %+v", s)
	}
}

func TestAReasonKeepsTheValueThatItWasSaidOf(t *testing.T) {
	out := newTape()
	signal := "WOB__mean__10s__in_rotary"
	m := &fake{in: []Field{{Name: signal}, {Name: "RPM"}}, out: []string{"health_hydraulics", "reason_hydraulics"}, says: map[int]string{1: "m:" + signal}, f: func(in []float64, _ []string) ([]float64, error) {
		if in[0] != in[0] {
			return []float64{nan, nan}, nil
		}
		return []float64{40, nan}, nil
	}}
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": m}}, out)
	mark(t, p, activate("m", 1, "a"))
	for i := range uint64(400) { // it turns for 5 min, and then stands: nothing is measured while drilling any more
		rpm := 100.0
		if i >= 300 {
			rpm = 0
		}
		feed(t, p, frame("R1", i, 80, rpm))
	}
	p.Flush()
	said := 0
	for tick := start + 100*second; tick < start+400*second; tick += second {
		var s telemetry.Score
		if err := telemetry.DecodeScore([]byte(out.last["R1"][tick]), &s); err != nil {
			t.Fatal(err)
		}
		for _, r := range s.Reasons {
			said++
			if r.Feature != signal || math.Abs(r.Value-80) > 0.1 {
				t.Fatalf("%d s: %+v", (tick-start)/second, r)
			}
		}
	}
	if said < 250 {
		t.Errorf("said %d times", said)
	}
}

func TestADrillIsAsHealthyAsItsWorstSubsystem(t *testing.T) {
	f := func(hydraulics, pumps, bit, want float64) {
		t.Helper()
		out := newTape()
		m := &fake{in: []Field{{Name: "WOB"}}, out: []string{"health_hydraulics", "health_pumps", "health_bit"}, f: func([]float64, []string) ([]float64, error) {
			return []float64{hydraulics, pumps, bit}, nil
		}}
		p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": m}}, out)
		mark(t, p, activate("m", 1, "a"))
		feed(t, p, frame("R1", 1, 100, 100))
		p.Flush()
		if h := out.all(t, "R1")[0].Health; h != want && (h == h || want == want) {
			t.Errorf("%v %v %v: health %v, want %v", hydraulics, pumps, bit, h, want)
		}
	}
	f(90, 95, 80, 80)
	f(60, 95, 80, 60)
	f(60, 65, 80, 57)
	f(60, 65, 20, 14)
	f(nan, nan, 80, 80)
	f(2, 1, 0, 0)
	f(nan, nan, nan, nan)
}

func TestAModelThatIsTooSlowIsStoppedAndSaysSo(t *testing.T) {
	out := newTape()
	cfg := testConfig()
	cfg.RowBudget = 1 // ns
	p := newPartition(t, cfg, &shelf{models: map[string]*fake{"a": sum("y")}}, out)
	mark(t, p, activate("m", 1, "a"))
	for i := range uint64(25) {
		feed(t, p, frame("R1", i, 100, 100))
		p.Flush()
	}
	all := out.all(t, "R1")
	if r := all[0].Results[0]; r.Error != "" {
		t.Errorf("stopped at once: %+v", r)
	}
	if r := all[24].Results[0]; !strings.Contains(r.Error, "stopped") || len(r.Outputs) != 0 {
		t.Errorf("%+v", r)
	}
	mark(t, p, &telemetry.Marker{ID: "again", Kind: telemetry.MarkerModel, Name: "m", Version: 2, SHA256: "a", Action: "activate"})
	feed(t, p, frame("R1", 26, 100, 100))
	p.Flush()
	if r := out.all(t, "R1")[25].Results[0]; r.Model != "m@2" || r.Error != "" {
		t.Errorf("%+v", r)
	}
}

func TestAShadowModelScoresAndRaisesNothing(t *testing.T) {
	out := newTape()
	s := streamShelf()
	s.models["h"] = &fake{in: []Field{{Name: "WOB"}}, out: []string{"z", "health_bit"}, f: func(in []float64, _ []string) ([]float64, error) { return []float64{400, 10}, nil }}
	p := newPartition(t, testConfig(), s, out)
	mark(t, p, &telemetry.Marker{ID: "r", Kind: telemetry.MarkerRules, SHA256: "rules", Action: "activate"})
	m := activate("second", 1, "h")
	m.Shadow = true
	mark(t, p, m)
	for i := range uint64(5) {
		feed(t, p, frame("R1", i, 100, 100))
	}
	p.Flush()
	x := out.all(t, "R1")[4]
	if len(x.Results) != 1 || !x.Results[0].Shadow || x.Health == x.Health || len(out.alarms["R1"]) != 0 {
		t.Errorf("%+v, %d alarm events", x, len(out.alarms["R1"]))
	}
	mark(t, p, activate("second", 1, "h")) // the same marker id: nothing
	on := activate("second", 1, "h")
	on.ID = "promote"
	mark(t, p, on)
	for i := range uint64(5) {
		feed(t, p, frame("R1", 10+i, 100, 100))
	}
	p.Flush()
	if x := out.all(t, "R1")[9]; len(x.Results) != 1 || x.Results[0].Shadow || x.Health != 10 || len(out.alarms["R1"]) != 1 {
		t.Errorf("%+v, %d alarm events", x, len(out.alarms["R1"]))
	}
}

func TestAClockThatIsAheadDoesNotMakeThePresentLate(t *testing.T) {
	out := newTape()
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": sum("y")}}, out)
	mark(t, p, activate("m", 1, "a"))
	feed(t, p, frame("R1", 1, 100, 100))
	f := frame("R1", 2, 100, 100)
	f.TS, f.Flags = f.TS+24*3600*second, telemetry.FlagFuture
	f.Hash = telemetry.ContentHash(f)
	feed(t, p, f)
	for i := range uint64(5) {
		feed(t, p, frame("R1", 3+i, 100, 100))
	}
	p.Flush()
	if n := p.count.late; n != 0 {
		t.Errorf("%d seconds came late", n)
	}
	if head := p.lanes[laneLive].roads["R1"].head; head != start+7*second {
		t.Errorf("the live road stands at %d", (head-start)/second)
	}
}
