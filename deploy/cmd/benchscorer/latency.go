package main

import (
	"context"
	"encoding/json"
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
	Fill   time.Duration `help:"Of history before, as fast as it goes: windows are full then, and a checkpoint is what it is after days." default:"200s"`
	Keep   time.Duration `help:"Least time between the scorer's checkpoints; sixty times that at most." default:"10s"`
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
	var frames []*telemetry.Frame
	var dec telemetry.Decoder
	for _, b := range noisy() {
		f := new(telemetry.Frame)
		if err := dec.Decode(b, f); err != nil {
			return err
		}
		frames = append(frames, f.Clone())
	}
	bytes, published := 0, 0
	produce := func(f *telemetry.Frame, d int, seq int, ts int64) {
		f.Drill, f.Seq, f.TS = fmt.Sprintf("RIG-%04d", d), uint64(seq), ts
		f.Hash = telemetry.ContentHash(f)
		b := telemetry.AppendFrame(nil, f)
		bytes, published = bytes+len(b), published+1
		cl.Produce(ctx, &kgo.Record{Topic: t.Frames, Partition: int32(d % partitions), Key: []byte(f.Drill), Value: b}, nil)
	}
	fill := int(o.Fill / time.Second)
	from := time.Now().Truncate(time.Second).Add(-o.Fill)
	for k := range fill {
		for d := range o.Drills {
			produce(frames[(k%2+2*(d*31+k*17))%len(frames)], d, k+1, from.UnixNano()+int64(k)*int64(time.Second))
		}
	}
	if err := cl.Flush(ctx); err != nil {
		return err
	}
	for n := 0; n < fill*o.Drills; {
		n += in.PollFetches(ctx).NumRecords()
		if ctx.Err() != nil {
			return fmt.Errorf("%d of %d scores of the history came: %w", n, fill*o.Drills, ctx.Err())
		}
	}
	kept, err := ends(ctx, cl, t.State)
	if err != nil {
		return err
	}
	ticks := int(o.For/time.Second) + 10 // the first ten: all has just begun to flow
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
			mu.Lock()
			sent[k*o.Drills+d] = time.Now()
			mu.Unlock()
			produce(frames[(k%2+2*(d*31+k*17))%len(frames)], d, fill+k+1, base.UnixNano()+int64(k)*int64(time.Second))
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
	now, err := ends(ctx, cl, t.State)
	if err != nil {
		return err
	}
	all, err := o.manifests(ctx, cl, t)
	if err != nil {
		return err
	}
	slices.Sort(took)
	at := func(p float64) time.Duration { return took[int(p*float64(len(took)-1))].Round(100 * time.Microsecond) }
	readings := 0
	for _, f := range frames {
		for _, r := range f.Runs {
			readings += len(r.Values)
		}
	}
	fmt.Printf("frame published → score on its topic: %d drills, %d readings/s, %d models, checkpoints at least %v apart (%d of %d partitions meanwhile): p50 %v, p90 %v, p99 %v, max %v over %d scores (budget p99 100 ms); scorer %.1f %% of a core; %s\n",
		o.Drills, readings*o.Drills/len(frames), len(o.Models), o.Keep, now-kept, partitions, at(0.5), at(0.9), at(0.99), at(1), len(took), 100*(cpu-began).Seconds()/float64(ticks-10), newest(all, float64(bytes)/float64(published)))
	return nil
}

// A manifest is as much as is looked at of a scorer.Manifest.
type manifest struct {
	Bytes  int64 `json:"bytes,string"`
	Pieces []struct {
		SHA256 string `json:"sha256"`
		Bytes  int64  `json:"bytes,string"`
		Drills int64  `json:"drills"`
	} `json:"pieces"`
}

// manifests returns those of each partition, oldest first.
func (o *latencyBench) manifests(ctx context.Context, cl *kgo.Client, t telemetry.Topics) (map[string][]manifest, error) {
	n, err := ends(ctx, cl, t.State)
	if err != nil || n == 0 {
		return nil, err
	}
	in, err := kgo.NewClient(kgo.SeedBrokers(o.Broker), kgo.ConsumeTopics(t.State), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	defer in.Close()
	out := map[string][]manifest{}
	for got := int64(0); got < n; {
		fs := in.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		fs.EachRecord(func(r *kgo.Record) {
			got++
			var m manifest
			if json.Unmarshal(r.Value, &m) == nil {
				out[string(r.Key)] = append(out[string(r.Key)], m)
			}
		})
	}
	return out, nil
}

// newest says what the newest checkpoint of each partition took, of frames of so many bytes.
func newest(all map[string][]manifest, frame float64) string {
	var bytes, drills int64
	for _, ms := range all {
		last, had := ms[len(ms)-1], map[string]bool{}
		if len(ms) > 1 {
			for _, p := range ms[len(ms)-2].Pieces {
				had[p.SHA256] = true
			}
		}
		bytes += last.Bytes
		for _, p := range last.Pieces {
			if !had[p.SHA256] {
				bytes += p.Bytes
				drills += p.Drills
			}
		}
	}
	if drills == 0 {
		return "no checkpoint was made"
	}
	each := float64(bytes) / float64(drills)
	return fmt.Sprintf("the newest checkpoints took %.1f kB a drill, as %.0f s of its input: a tenth after %.0f s", each/1e3, each/frame, 10*each/frame)
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
