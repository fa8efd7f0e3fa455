package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/telemetry"
)

type latencyBench struct {
	place
	Models []string      `help:"Models that score every second." sep:","`
	Drills int           `help:"Drills, a frame of 100 readings a second each." default:"1000"`
	For    time.Duration `default:"30s"`
	Keep   time.Duration `help:"Least time between the scorer's checkpoints; while one is made its partition waits." default:"10s"`
}

// Run publishes frames evenly over each second and prints how long their scores took.
func (o *latencyBench) Run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "benchscorer-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cl, err := o.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	t, err := o.topics(ctx, cl)
	if err != nil {
		return err
	}
	for i, path := range o.Models {
		sha, err := keep(filepath.Join(dir, "blobs"), path)
		if err != nil {
			return err
		}
		if err := mark(ctx, cl, t, telemetry.Marker{Kind: telemetry.MarkerModel, Name: fmt.Sprintf("m%d", i), Version: 1, SHA256: sha, Action: "activate"}); err != nil {
			return err
		}
	}
	cmd, err := o.scorer(dir, "--checkpoint", o.Keep.String())
	if err != nil {
		return err
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}()
	in, err := kgo.NewClient(kgo.SeedBrokers(o.Broker), kgo.ConsumeTopics(t.Scores), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(50*time.Millisecond))
	if err != nil {
		return err
	}
	defer in.Close()
	frames := make([]*telemetry.Frame, 2)
	for i := range frames {
		frames[i] = fullFrame(uint64(i))
	}
	ticks := int(o.For/time.Second) + 10 // the first ten: channels and windows are new
	base := time.Now().Truncate(time.Second).Add(2 * time.Second)
	sent := make([]time.Time, ticks*o.Drills)
	var mu sync.Mutex
	var took []time.Duration
	got := make(chan error, 1)
	go func() { // ends when all scores are there, or ctx is done
		want := (ticks - 10) * o.Drills
		var s telemetry.Score
		for len(took) < want {
			fs := in.PollFetches(ctx)
			if ctx.Err() != nil {
				break
			}
			now := time.Now()
			fs.EachRecord(func(r *kgo.Record) {
				if telemetry.DecodeScore(r.Value, &s) != nil {
					return
				}
				k := int((s.Tick - base.UnixNano()) / int64(time.Second))
				drill := 0
				if _, err := fmt.Sscanf(s.Drill, "RIG-%d", &drill); err != nil || k < 10 || k >= ticks {
					return
				}
				mu.Lock()
				took = append(took, now.Sub(sent[k*o.Drills+drill]))
				mu.Unlock()
			})
		}
		got <- ctx.Err()
	}()
	var began time.Duration
	for k := range ticks {
		for d := range o.Drills {
			at := base.Add(time.Duration(k)*time.Second + time.Duration(d)*time.Second/time.Duration(o.Drills))
			if wait := time.Until(at); wait > 0 {
				time.Sleep(wait)
			}
			f := frames[k%2]
			f.Drill, f.Seq, f.TS = fmt.Sprintf("RIG-%04d", d), uint64(k+1), base.UnixNano()+int64(k)*int64(time.Second)
			f.Hash = telemetry.ContentHash(f)
			mu.Lock()
			sent[k*o.Drills+d] = time.Now()
			mu.Unlock()
			cl.Produce(ctx, &kgo.Record{Topic: t.Frames, Partition: int32(d % partitions), Key: []byte(f.Drill), Value: telemetry.AppendFrame(nil, f)}, nil)
		}
		if k == 9 {
			if began, err = processorTime(cmd.Process.Pid); err != nil {
				return err
			}
		}
	}
	if err := <-got; err != nil {
		return fmt.Errorf("%d of %d scores came: %w", len(took), (ticks-10)*o.Drills, err)
	}
	cpu, err := processorTime(cmd.Process.Pid)
	if err != nil {
		return err
	}
	slices.Sort(took)
	at := func(p float64) time.Duration { return took[int(p*float64(len(took)-1))].Round(100 * time.Microsecond) }
	readings := 0
	for _, r := range frames[0].Runs {
		readings += len(r.Values)
	}
	for _, r := range frames[1].Runs {
		readings += len(r.Values)
	}
	fmt.Printf("frame published → score on its topic: %d drills, %d readings/s, %d models, checkpoints at least %v apart: p50 %v, p90 %v, p99 %v, max %v over %d scores (budget p99 100 ms); scorer %.1f %% of a core\n",
		o.Drills, readings*o.Drills/2, len(o.Models), o.Keep, at(0.5), at(0.9), at(0.99), at(1), len(took), 100*(cpu-began).Seconds()/float64(ticks-10))
	return nil
}

// fullFrame is the default profile's second: 100 readings of 24 channels on average.
func fullFrame(seq uint64) *telemetry.Frame {
	f := &telemetry.Frame{Device: "edr-1", Boot: "b1", Seq: seq}
	for _, c := range telemetry.DefaultCatalogue().All()[:24] {
		n := int(c.Class.Hz())
		if c.Class == telemetry.Slow {
			if seq%2 == 1 {
				continue
			}
			n = 1
		}
		r := telemetry.Run{Channel: c.Tag, Every: int64(time.Second) / int64(n)}
		for i := range n {
			r.Values = append(r.Values, c.NormalLow+(c.NormalHigh-c.NormalLow)*(0.4+0.01*float64(i)))
		}
		f.Runs = append(f.Runs, r)
	}
	return f
}
