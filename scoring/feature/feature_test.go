package feature

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// testdata/names.tsv: good or bad, name, kind, channel, function, window in seconds, z, gate. Read by Python and TypeScript too.
func TestNamesAreThoseOfTheGoldenTable(t *testing.T) {
	f, err := os.Open("testdata/names.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.Comment, r.FieldsPerRecord, r.LazyQuotes = '\t', '#', 8, true
	rows, err := r.ReadAll()
	if err != nil || len(rows) < 40 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		n, err := Parse(row[1])
		if (err == nil) != (row[0] == "good") {
			t.Errorf("%q is %s, and Parse says %v", row[1], row[0], err)
			continue
		}
		if err != nil {
			continue
		}
		kind := [...]string{"field", "output", "feature", "since"}[n.Kind]
		got := []string{kind, n.Channel, n.Function, fmt.Sprint(int64(n.Window.Seconds())), fmt.Sprint(n.Z), n.Gate}
		if !slices.Equal(got, row[2:]) {
			t.Errorf("%q: %q, want %q", row[1], got, row[2:])
		}
	}
}

var all = []string{
	"A__mean__10s", "A__std__60s", "A__kurtosis__60s", "A__skew__60s", "A__slope__60s", "A__median__60s", "A__q__p_95__30s", "A__distinct__30s",
	"A__min__5m", "A__max__5m", "A__range__5m", "A__rms__10s", "A__crest__10s", "A__peak__10s", "A__p2p__10s", "A__delta__60s", "A__rate__60s",
	"A__last__60s", "A__lag__30s", "A__count__60s", "A__sum__60s", "A__ewma__10s", "A__mean__30m", "A__std__1h", "A__slope__2h", "A__ewma__10m",
	"A__mean__48h", "A__lag__20m", "A__mean__5m__in_rotary", "A__std__30m__in_rotary", "B__mean__60s__z", "B__count__10s", "hours__since__event_bit",
}

type event struct {
	ch    int
	t     int64
	v     float64
	state string
}

const start = int64(1_800_000_000)

// stream makes seconds of two channels with gaps and changes of state.
func stream(rng *rand.Rand, seconds int) [][]event {
	out := make([][]event, seconds)
	state := "rotary"
	for i := range seconds {
		at := start + int64(i)
		if rng.IntN(200) == 0 {
			state = []string{"rotary", "connection", "idle"}[rng.IntN(3)]
		}
		if rng.IntN(40) != 0 {
			for j := range 10 {
				out[i] = append(out[i], event{ch: 0, t: at*ns + int64(j)*ns/10, v: math.Round((math.Sin(float64(i)/50)*10+rng.NormFloat64())*100) / 100})
			}
			out[i] = append(out[i], event{ch: 1, t: at * ns, v: rng.NormFloat64() + 5})
		}
		out[i] = append(out[i], event{ch: -1, t: at * ns, state: state})
	}
	return out
}

func feed(s *State, e event) {
	if e.ch < 0 {
		s.Rig(e.t, e.state)
		return
	}
	s.Add(e.ch, e.t, e.v)
}

func read(s *State, second int) []float64 {
	num, to := make([]float64, len(all)), make([]int, len(all))
	for i := range to {
		to[i] = i
		num[i] = 12345
	}
	s.Read((start+int64(second))*ns, num, to)
	return num
}

func same(a, b []float64) int {
	for i := range a {
		if math.Float64bits(a[i]) != math.Float64bits(b[i]) && !(a[i] != a[i] && b[i] != b[i]) {
			return i
		}
	}
	return -1
}

// The same samples give the same bits: in order, in any order within a minute,
// and with a restart from bytes at every turn.
func TestOrderOfArrivalAndRestartsChangeNoBit(t *testing.T) {
	plan, err := Compile(all)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 9))
		seconds := stream(rng, 5000)
		inOrder, shuffled := plan.NewState(), plan.NewState()
		inOrder.Event((start-7200)*ns, "bit")
		shuffled.Event((start-7200)*ns, "bit")
		for from := 0; from < len(seconds); from += 40 {
			block := seconds[from:min(from+40, len(seconds))]
			var mixed []event
			for _, s := range block {
				for _, e := range s {
					feed(inOrder, e)
				}
				mixed = append(mixed, s...)
			}
			// Baselines follow the ticks that are read: both read the same ones.
			a := read(inOrder, from+len(block)-1)
			rng.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
			for i, e := range mixed {
				feed(shuffled, e)
				if i == len(mixed)/2 && from%400 == 0 {
					b, err := shuffled.MarshalBinary()
					if err != nil {
						t.Fatal(err)
					}
					shuffled = plan.NewState()
					if err := shuffled.UnmarshalBinary(b); err != nil {
						t.Fatal(err)
					}
				}
			}
			b := read(shuffled, from+len(block)-1)
			if i := same(a, b); i >= 0 {
				t.Fatalf("seed %d, second %d: %s is %v in order and %v shuffled", seed, from, all[i], a[i], b[i])
			}
		}
		x, _ := inOrder.MarshalBinary()
		y, _ := inOrder.Rebind(mustCompile(t, append([]string{"C__mean__1h"}, all...))).Rebind(plan).MarshalBinary()
		if !bytes.Equal(x, y) {
			t.Errorf("seed %d: a change of plan and back lost something", seed)
		}
	}
}

func mustCompile(t *testing.T, names []string) *Plan {
	t.Helper()
	p, err := Compile(names)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A tick that is read again after a late sample is what it would have been.
func TestALateSampleAmendsItsTick(t *testing.T) {
	plan := mustCompile(t, all)
	seconds := stream(rand.New(rand.NewPCG(4, 4)), 400)
	whole, gap := plan.NewState(), plan.NewState()
	for i, s := range seconds {
		for _, e := range s {
			feed(whole, e)
			if i < 330 || i > 335 {
				feed(gap, e)
			}
		}
	}
	for i := 330; i <= 335; i++ {
		for _, e := range seconds[i] {
			feed(gap, e)
		}
	}
	for _, tick := range []int{335, 350, 399} {
		if i := same(read(whole, tick), read(gap, tick)); i >= 0 {
			t.Errorf("tick %d: %s differs", tick, all[i])
		}
	}
}

// Against plain sums over the samples of the window.
func TestValuesAgreeWithPlainSums(t *testing.T) {
	plan := mustCompile(t, all)
	seconds := stream(rand.New(rand.NewPCG(5, 5)), 700)
	s := plan.NewState()
	var xs []event
	for i, sec := range seconds {
		for _, e := range sec {
			feed(s, e)
			if e.ch == 0 {
				xs = append(xs, e)
			}
		}
		if i < 600 {
			continue
		}
		got := read(s, i)
		window := func(seconds int64) (v []float64) {
			for _, e := range xs {
				if at := e.t / ns; at > start+int64(i)-seconds && at <= start+int64(i) {
					v = append(v, e.v)
				}
			}
			return v
		}
		near := func(name string, want float64) {
			t.Helper()
			g := got[slices.Index(all, name)]
			if math.Abs(g-want) > 1e-9*max(1, math.Abs(want)) {
				t.Fatalf("second %d: %s = %v, want %v", i, name, g, want)
			}
		}
		w := window(60)
		mean := 0.0
		for _, v := range w {
			mean += v / float64(len(w))
		}
		var m2, m3, m4 float64
		for _, v := range w {
			d := v - mean
			m2, m3, m4 = m2+d*d, m3+d*d*d, m4+d*d*d*d
		}
		n := float64(len(w))
		near("A__std__60s", math.Sqrt(m2/(n-1)))
		near("A__skew__60s", m3/n/math.Pow(m2/n, 1.5))
		near("A__kurtosis__60s", m4/n/(m2/n*m2/n))
		near("A__count__60s", n)
		near("A__delta__60s", w[len(w)-1]-w[0])
		slices.Sort(w)
		near("A__median__60s", quantile(w, 50))
		w = window(10)
		mean, sq := 0.0, 0.0
		for _, v := range w {
			mean += v / float64(len(w))
			sq += v * v / float64(len(w))
		}
		near("A__mean__10s", mean)
		near("A__rms__10s", math.Sqrt(sq))
		w = window(300)
		near("A__min__5m", slices.Min(w))
		near("A__max__5m", slices.Max(w))
	}
}

// What is kept between ticks to make them cheap changes no bit: read at every
// second, with late samples and ticks amended, a state says what one fresh from
// its bytes does, which has kept nothing.
func TestWhatIsKeptBetweenTicksChangesNoBit(t *testing.T) {
	plan := mustCompile(t, append([]string{"A__ewma__60s", "A__median__10m", "A__std__7s", "A__mean__600s__in_idle", "A__slope__1s", "A__q__p_50__5m__in_rotary", "A__ewma__3h"}, all...))
	n := len(plan.Names())
	to := make([]int, n)
	for i := range to {
		to[i] = i
	}
	at := func(s *State, second int) []float64 {
		num := make([]float64, n)
		s.Read((start+int64(second))*ns, num, to)
		return num
	}
	rng := rand.New(rand.NewPCG(11, 2))
	s := plan.NewState()
	var late []event
	for i, sec := range stream(rng, 3000) {
		for _, e := range sec {
			if rng.IntN(500) == 0 {
				late = append(late, e)
				continue
			}
			feed(s, e)
		}
		if rng.IntN(60) == 0 { // seconds late, or by then too late
			for _, e := range late {
				feed(s, e)
			}
			late = late[:0]
			at(s, i-rng.IntN(100))
		}
		got := at(s, i)
		if i%37 != 0 && i%600 > 2 {
			continue
		}
		b, err := s.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		fresh := plan.NewState()
		if err := fresh.UnmarshalBinary(b); err != nil {
			t.Fatal(err)
		}
		if k := same(got, at(fresh, i)); k >= 0 {
			t.Fatalf("second %d: %s is %v, and %v from nothing kept", i, plan.Names()[k], got[k], at(fresh, i)[k])
		}
	}
}

func TestEveryProblemIsToldAtOnce(t *testing.T) {
	_, err := Compile([]string{"WOB__mean__60s", "WOB__meen__60s", "WOB__mean__60x", "WOB"})
	if err == nil || strings.Count(err.Error(), "name ") != 3 {
		t.Errorf("%v", err)
	}
}

// Ready fetches, and does no more: whatever is made ready, heard or not, of whatever second.
func TestMakingReadyChangesNothing(t *testing.T) {
	plan := mustCompile(t, all)
	s, plain := plan.NewState(), plan.NewState()
	rng := rand.New(rand.NewPCG(7, 7))
	for i, second := range stream(rng, 2000) {
		s.Ready([]int64{(start + int64(i)) * ns, (start+int64(i))*ns + 5, rng.Int64(), -rng.Int64(), 0}[rng.IntN(5)], [][]int32{nil, {0}, {0, 1}, {1, 1, 0}}[rng.IntN(4)])
		for _, e := range second {
			feed(s, e)
			feed(plain, e)
		}
		if k := same(read(s, i), read(plain, i)); k >= 0 {
			t.Fatalf("second %d: %s differs", i, all[k])
		}
	}
	a, _ := s.MarshalBinary()
	b, _ := plain.MarshalBinary()
	if !bytes.Equal(a, b) {
		t.Error("the states differ")
	}
}

func TestASecondAllocatesNothing(t *testing.T) {
	plan := mustCompile(t, all)
	s := plan.NewState()
	seconds := stream(rand.New(rand.NewPCG(6, 6)), 6000)
	num, to := make([]float64, len(all)), make([]int, len(all))
	for i := range to {
		to[i] = i
	}
	i := 0
	second := func() {
		for _, e := range seconds[i] {
			feed(s, e)
		}
		s.Read((start+int64(i))*ns, num, to)
		i++
	}
	for i < 3000 {
		second()
	}
	if n := testing.AllocsPerRun(2000, func() {
		second()
	}); n > 0 {
		t.Errorf("%v allocations a second", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range append(all, "a.b", "state", "WOB", "x__", "__", "A__q__p___1s") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := Parse(s)
		if err == nil && n.String() != s {
			t.Fatalf("%q is spelt %q", s, n)
		}
	})
}

func FuzzUnmarshal(f *testing.F) {
	plan, _ := Compile(all)
	s := plan.NewState()
	for _, sec := range stream(rand.New(rand.NewPCG(7, 7)), 200) {
		for _, e := range sec {
			feed(s, e)
		}
	}
	b, _ := s.MarshalBinary()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		s := plan.NewState()
		if s.UnmarshalBinary(b) != nil {
			return
		}
		read(s, 100)
		if _, err := s.MarshalBinary(); err != nil {
			t.Fatal(err)
		}
	})
}

// A frame of 100 readings of 24 channels, and 40 features read each second.
func BenchmarkSecond(b *testing.B) {
	var names []string
	for c := range 24 {
		names = append(names, fmt.Sprintf("C%d__mean__60s", c))
		if c < 16 {
			names = append(names, fmt.Sprintf("C%d__std__10s", c))
		}
	}
	plan, err := Compile(names)
	if err != nil {
		b.Fatal(err)
	}
	s := plan.NewState()
	num, to := make([]float64, len(names)), make([]int, len(names))
	for i := range to {
		to[i] = i
	}
	at := start
	b.ReportAllocs()
	for b.Loop() {
		at++
		for c := range 24 {
			n := 1
			if c < 8 {
				n = 10
			} else if c < 16 {
				n = 2
			}
			for j := range n {
				s.Add(c, at*ns+int64(j)*ns/10, float64(j+c))
			}
		}
		s.Read(at*ns, num, to)
	}
	b.ReportMetric(float64(s.Bytes()), "B/drill")
}
