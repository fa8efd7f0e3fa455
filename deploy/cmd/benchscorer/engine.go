package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/mudpulse/mudpulse/services/scorer"
	"github.com/mudpulse/mudpulse/telemetry"
)

type engineBench struct {
	Models []string `help:"Models, PMML; as many activations as asked for are made of them in turn." sep:"," required:""`
	Drills int      `help:"The largest fleet." default:"10000"`
	Only   []int    `help:"Only the case of so many drills, models and partitions, as 1000,0,1." sep:","`
}

// blobs holds models by SHA-256.
type blobs map[string][]byte

func (b blobs) Fetch(_ context.Context, sha string) ([]byte, error) {
	if x, ok := b[sha]; ok {
		return x, nil
	}
	return nil, fmt.Errorf("no blob %s", sha)
}

// tape takes scores as the process does, but for the log.
type tape struct {
	b []byte
	n int
}

func (t *tape) Score(s *telemetry.Score)    { t.b = telemetry.AppendScore(t.b[:0], s); t.n++ }
func (t *tape) Alarm(*telemetry.AlarmEvent) {}

// Run prints a line for each case.
func (o *engineBench) Run(ctx context.Context) error {
	shelf := blobs{}
	var shas []string
	for _, path := range o.Models {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		sha := hex.EncodeToString(sum[:])
		shelf[sha] = b
		shas = append(shas, sha)
	}
	fmt.Println("a frame of 100 readings of 24 channels, from its bytes to its score's bytes; rules of the default alarms in force")
	for _, c := range []struct{ drills, models, parts, seconds int }{
		{10, 0, 1, 2000}, {10, 1, 1, 2000}, {10, 10, 1, 2000}, {10, 100, 1, 500},
		{1000, 0, 1, 400}, {1000, 3, 1, 400}, {1000, 3, 2, 400}, {o.Drills, 0, 2, 330},
	} {
		if len(o.Only) > 0 && !slices.Equal(o.Only, []int{c.drills, c.models, c.parts}) {
			continue
		}
		if err := o.engine(ctx, shelf, shas, c.drills, c.models, c.parts, c.seconds); err != nil {
			return err
		}
	}
	return nil
}

func (o *engineBench) engine(ctx context.Context, shelf blobs, shas []string, drills, models, parts, seconds int) error {
	ps := make([]*scorer.Partition, parts)
	outs := make([]*tape, parts)
	enc := noisy()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	loader := scorer.NewPMML(shelf)
	for i := range ps {
		cfg := scorer.DefaultPartitionConfig()
		cfg.Number = i
		outs[i] = &tape{}
		var err error
		if ps[i], err = scorer.NewPartition(cfg, loader, shelf, telemetry.DefaultCatalogue(), nil, outs[i]); err != nil {
			return err
		}
		for k := range models {
			m := &telemetry.Marker{ID: fmt.Sprint(k), Kind: telemetry.MarkerModel, Name: fmt.Sprintf("m%d", k), Version: 1, SHA256: shas[k%len(shas)], Action: "activate"}
			if err := ps[i].Marker(ctx, m, false); err != nil {
				return err
			}
		}
	}
	names := make([]string, drills)
	for i := range names {
		names[i] = fmt.Sprintf("RIG-%05d", i)
	}
	// Windows of default models and rules are full after 270 s; what follows is measured.
	const warm = 270
	run := func(from, to int) error {
		var all sync.WaitGroup
		errs := make([]error, parts)
		for i, p := range ps {
			all.Go(func() {
				var d telemetry.Decoder
				var f telemetry.Frame
				for k := from; k < to; k++ {
					for n := i; n < drills; n += parts {
						if errs[i] = d.Decode(enc[(k%2+2*(n*31+k*17))%len(enc)], &f); errs[i] != nil {
							return
						}
						f.Drill, f.Seq, f.TS = names[n], uint64(k+1), int64(1_800_000_000+k)*int64(time.Second)
						if errs[i] = p.Frame(ctx, &f, false, int64(k)); errs[i] != nil {
							return
						}
					}
				}
				p.Flush()
			})
		}
		all.Wait()
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		return nil
	}
	if err := run(0, warm); err != nil {
		return err
	}
	began, at := own(), time.Now()
	if err := run(warm, seconds); err != nil {
		return err
	}
	frames := (seconds - warm) * drills
	cpu, took := own()-began, time.Since(at)
	runtime.GC()
	runtime.ReadMemStats(&after)
	line := fmt.Sprintf("%5d drills, %3d models, %d partitions at once: %6.2f CPU-µs a frame, %7.0f frames/s by the clock, %4.0f kB of heap a drill", drills, models, parts,
		float64(cpu.Nanoseconds())/1e3/float64(frames), float64(frames)/took.Seconds(), float64(after.HeapAlloc-before.HeapAlloc)/1e3/float64(drills))
	if parts == 1 && models <= 10 {
		z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
		if err != nil {
			return err
		}
		from := own()
		raw, err := ps[0].Snapshot(nil)
		if err != nil {
			return err
		}
		packed := z.EncodeAll(raw, nil)
		input := drills * (len(enc[0]) + len(enc[1])) / 2 // a second
		line += fmt.Sprintf("; a checkpoint %.1f kB a drill, packed %.1f kB in %v, as %.0f s of input", float64(len(raw))/1e3/float64(drills), float64(len(packed))/1e3/float64(drills), (own() - from).Round(time.Millisecond), float64(len(packed))/float64(input))
	}
	fmt.Println(line)
	runtime.KeepAlive(ps)
	return nil
}

// noisy are frames whose readings differ as a sensor's do, at the catalogue's
// resolution: what a checkpoint keeps of them does not pack to nothing.
func noisy() [][]byte {
	rng := rand.New(rand.NewPCG(3, 4))
	out := make([][]byte, 4096)
	for i := range out {
		f := fullFrame(uint64(i % 2))
		for k := range f.Runs {
			c := telemetry.DefaultCatalogue().Get(f.Runs[k].Channel)
			for j := range f.Runs[k].Values {
				v := c.NormalLow + (c.NormalHigh-c.NormalLow)*(0.5+0.05*rng.NormFloat64())
				switch { // as the gateway rounds
				case c.Resolution >= 1:
					v = math.Round(v/c.Resolution) * c.Resolution
				case c.Resolution > 0:
					scale := math.Round(1 / c.Resolution)
					v = math.Round(v*scale) / scale
				}
				f.Runs[k].Values[j] = v
			}
		}
		f.Drill, f.TS, f.Hash = "RIG-0000", 1, telemetry.ContentHash(f)
		out[i] = telemetry.AppendFrame(nil, f)
	}
	return out
}

// own is what this process has had of the processors.
func own() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
