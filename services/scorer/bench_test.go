package scorer

import (
	"fmt"
	"math"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// fullFrame is the default profile's second: 100 readings of 24 channels.
func fullFrame(drill string, seq uint64) *telemetry.Frame {
	f := &telemetry.Frame{Drill: drill, Device: "edr-1", Boot: "b1", Seq: seq, TS: start + int64(seq)*second}
	for _, c := range telemetry.DefaultCatalogue().All()[:24] {
		n := int(c.Class.Hz())
		if c.Class == telemetry.Slow {
			if seq%2 == 1 {
				continue
			}
			n = 1
		}
		r := telemetry.Run{Channel: c.Tag, Every: second / int64(n)}
		for i := range n {
			v := c.NormalLow + (c.NormalHigh-c.NormalLow)*(0.4+0.01*float64((i+int(seq*7919))%29))
			if c.Resolution > 0 {
				v = math.Round(v/c.Resolution) * c.Resolution
			}
			r.Values = append(r.Values, v)
		}
		f.Runs = append(f.Runs, r)
	}
	f.Hash = telemetry.ContentHash(f)
	return f
}

type sink struct {
	b []byte
	n int
}

func (s *sink) Score(x *telemetry.Score)    { s.b = telemetry.AppendScore(s.b[:0], x); s.n++ }
func (s *sink) Alarm(*telemetry.AlarmEvent) {}

// BenchmarkFrame is one frame of 100 readings from its bytes to its score's
// bytes, without models: what the engine itself costs.
func BenchmarkFrame(b *testing.B) {
	for _, drills := range []int{1, 100} {
		b.Run(fmt.Sprintf("drills=%d", drills), func(b *testing.B) {
			out := &sink{}
			p, err := NewPartition(DefaultPartitionConfig(), &shelf{}, &shelf{}, telemetry.DefaultCatalogue(), nil, out)
			if err != nil {
				b.Fatal(err)
			}
			benchFrames(b, p, drills)
			if out.n < b.N {
				b.Fatalf("%d scores of %d frames", out.n, b.N)
			}
		})
	}
}

func benchFrames(b *testing.B, p *Partition, drills int) {
	var enc [2][]byte
	frames := make([]*telemetry.Frame, 2)
	for i := range enc {
		frames[i] = fullFrame("RIG-07", uint64(i))
		enc[i] = telemetry.AppendFrame(nil, frames[i])
	}
	names := make([]string, drills)
	for i := range names {
		names[i] = fmt.Sprintf("RIG-%02d", i)
	}
	var d telemetry.Decoder
	var f telemetry.Frame
	ctx := b.Context()
	b.ReportAllocs()
	b.SetBytes(int64(len(enc[0])))
	i := 0
	began := processorTime(b)
	for b.Loop() {
		seq := uint64(i / drills)
		if err := d.Decode(enc[seq%2], &f); err != nil {
			b.Fatal(err)
		}
		f.Drill, f.Seq, f.TS = names[i%drills], seq, start+int64(seq)*second
		if err := p.Frame(ctx, &f, false, int64(i)); err != nil {
			b.Fatal(err)
		}
		i++
	}
	p.Flush()
	b.ReportMetric(float64(processorTime(b)-began)/float64(i), "cpu-ns/op")
}

// processorTime is what this process has had of the processors: on a busy
// machine the clock says little.
func processorTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// From a frame's bytes to its score's bytes nothing is allocated, once each
// drill's windows are full: by plain rules, and with a model in PMML on top.
func TestAFrameAllocatesNothing(t *testing.T) {
	text, err := os.ReadFile("../../simulators/models/washout.pmml")
	if err != nil {
		t.Fatal(err)
	}
	for _, withModel := range []bool{false, true} {
		d := drawer{}
		cfg := DefaultPartitionConfig()
		cfg.Rows = 8
		p, err := NewPartition(cfg, NewPMML(d), d, telemetry.DefaultCatalogue(), nil, &sink{})
		if err != nil {
			t.Fatal(err)
		}
		if withModel {
			mark(t, p, activate("simple", 1, d.put(text)))
		}
		var enc [2][]byte
		for i := range enc {
			enc[i] = telemetry.AppendFrame(nil, fullFrame("RIG-07", uint64(i)))
		}
		names := []string{"RIG-00", "RIG-01", "RIG-02"}
		var dec telemetry.Decoder
		var f telemetry.Frame
		ctx, i := t.Context(), 0
		next := func() {
			seq := uint64(i / len(names))
			if err := dec.Decode(enc[seq%2], &f); err != nil {
				t.Fatal(err)
			}
			f.Drill, f.Seq, f.TS = names[i%len(names)], seq, start+int64(seq)*second
			if err := p.Frame(ctx, &f, false, int64(i)); err != nil {
				t.Fatal(err)
			}
			i++
		}
		for i < 3*800 {
			next()
		}
		if n := testing.AllocsPerRun(600, next); n > 0 {
			t.Errorf("with a model %v: %v allocations a frame", withModel, n)
		}
	}
}

// BenchmarkSnapshot is the checkpoint of 100 drills after five minutes.
func BenchmarkSnapshot(b *testing.B) {
	p, err := NewPartition(DefaultPartitionConfig(), &shelf{}, &shelf{}, telemetry.DefaultCatalogue(), nil, &sink{})
	if err != nil {
		b.Fatal(err)
	}
	for seq := range uint64(300) {
		for i := range 100 {
			if err := p.Frame(b.Context(), fullFrame(fmt.Sprintf("RIG-%02d", i), seq), false, 0); err != nil {
				b.Fatal(err)
			}
		}
	}
	var raw []byte
	n, began := 0, processorTime(b)
	for b.Loop() {
		if raw, err = p.Snapshot(raw[:0]); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(processorTime(b)-began)/float64(n)/100, "cpu-ns/drill")
	b.ReportMetric(float64(len(raw))/100, "B/drill")
}
