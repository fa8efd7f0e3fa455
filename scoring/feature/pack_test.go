package feature

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

// Whatever samples a second holds, they come back to the bit.
func TestSamplesArePackedToTheBit(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 2))
	value := map[string]func() float64{
		"at a resolution": func() float64 { return math.Round(rng.NormFloat64()*300) / 100 },
		"whole steps":     func() float64 { return math.Round(rng.NormFloat64()*300) * 0.1 },
		"thousands":       func() float64 { return math.Round(rng.Float64()*9000) * 1000 },
		"any":             rng.NormFloat64,
		"constant":        func() float64 { return 7.5 },
		"huge and tiny": func() float64 {
			return []float64{math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), 0, 1 << 62}[rng.IntN(7)]
		},
	}
	var p packer
	var u unpacker
	for name, v := range value {
		for range 50 {
			var secs []*second
			at, k, every := int64(1_800_000_000), 1+rng.IntN(20), 1e9/20
			for range rng.IntN(200) {
				if at += 1; rng.IntN(9) == 0 {
					at += rng.Int64N(50)
				}
				if rng.IntN(20) == 0 {
					k = 1 + rng.IntN(20)
				}
				x := &second{at: at}
				for i := range k {
					tt := float64(int64(float64(i)*every)) / 1e9
					if rng.IntN(200) == 0 {
						tt += rng.Float64() / 100
					}
					x.samples = append(x.samples, sample{tt, v() + 0})
				}
				secs = append(secs, x)
			}
			r := &reader{b: append(p.seconds(nil, secs), "next"...)}
			if !u.seconds(r) || string(r.b) != "next" {
				t.Fatalf("%s: own bytes refused, %d left", name, len(r.b))
			}
			var back []*second
			vs := u.v
			for _, run := range u.runs {
				for j := range run.count {
					x := &second{at: run.first + int64(j)*run.stride}
					for i, tt := range run.t {
						x.samples = append(x.samples, sample{tt, vs[i]})
					}
					vs = vs[run.k:]
					back = append(back, x)
				}
			}
			if len(vs) != 0 || len(back) != len(secs) || !reflect.DeepEqual(back, secs) {
				t.Fatalf("%s: %d seconds came back as %d others", name, len(secs), len(back))
			}
		}
	}
}

// A hundred readings a second at their resolution take less than a byte and a half each, before they are packed.
func TestReadingsAtAResolutionAreShort(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 3))
	var secs []*second
	for at := range int64(180) {
		x := &second{at: 1_800_000_000 + at}
		for i := range 10 {
			x.samples = append(x.samples, sample{float64(i) / 10, math.Round((50+rng.NormFloat64())*10) / 10})
		}
		secs = append(secs, x)
	}
	if n := len(new(packer).seconds(nil, secs)); n > 1800+100 {
		t.Errorf("1,800 readings in %d bytes", n)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(new(packer).seconds(nil, []*second{{at: 5, samples: []sample{{0, 1}, {0.5, 2}}}, {at: 6, samples: []sample{{0, 1}, {0.5, 2.25}}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var u unpacker
		u.seconds(&reader{b: b})
		if len(u.v) > 1<<20 {
			t.Fatalf("%d values of %d bytes", len(u.v), len(b))
		}
	})
}
