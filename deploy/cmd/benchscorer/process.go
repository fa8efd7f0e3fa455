package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/telemetry"
)

type processBench struct {
	place
	Model   string `help:"Model of the inputs f0 … f11, PMML." required:""`
	Records int    `help:"Frames, each of twelve readings of one second." default:"500000"`
	Drills  int    `default:"500"`
}

// Run fills the topic, scores it, and prints one line of JSON.
func (o *processBench) Run(ctx context.Context) error {
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
	sha, err := keep(filepath.Join(dir, "blobs"), o.Model)
	if err != nil {
		return err
	}
	var ms []telemetry.Marker
	for i := range 12 {
		ms = append(ms, telemetry.Marker{Kind: telemetry.MarkerChannel, Name: fmt.Sprintf("f%d", i), Action: "activate"})
	}
	ms = append(ms, telemetry.Marker{Kind: telemetry.MarkerModel, Name: "bench", Version: 1, SHA256: sha, Action: "activate"})
	if err := mark(ctx, cl, t, ms...); err != nil {
		return err
	}
	if err := o.fill(ctx, cl, t); err != nil {
		return err
	}
	cmd, err := o.scorer(dir)
	if err != nil {
		return err
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}()
	began, err := o.until(ctx, cl, t.Scores, 1, cmd.Process.Pid)
	if err != nil {
		return err
	}
	end, err := o.until(ctx, cl, t.Scores, int64(o.Records), cmd.Process.Pid)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"records": o.Records, "cpu": end.cpu.Seconds(), "start": began.cpu.Seconds(),
		"warm_records": end.scores - began.scores, "warm_cpu": (end.cpu - began.cpu).Seconds(), "seconds": end.at.Sub(began.at).Seconds()})
}

// A look is how many scores there were when the process had had so much of the processors.
type look struct {
	at     time.Time
	cpu    time.Duration
	scores int64
}

// until looks when there are so many scores.
func (o *processBench) until(ctx context.Context, cl *kgo.Client, topic string, scores int64, pid int) (look, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return look{}, ctx.Err()
		case <-tick.C:
		}
		n, err := ends(ctx, cl, topic)
		if err != nil {
			return look{}, err
		}
		if n < scores {
			continue
		}
		l := look{at: time.Now(), scores: n}
		if l.cpu, err = processorTime(pid); err != nil {
			return l, err
		}
		if scores == 1 { // those that came before its time was read are not counted either
			l.scores, err = ends(ctx, cl, topic)
		}
		return l, err
	}
}

// fill publishes the frames, and beside them on the topic json the same as flat
// JSON, for others.
func (o *processBench) fill(ctx context.Context, cl *kgo.Client, t telemetry.Topics) error {
	rng := rand.New(rand.NewPCG(1, 2))
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	f := telemetry.Frame{Device: "edr-1", Boot: "b1", Runs: make([]telemetry.Run, 12)}
	for k := range f.Runs {
		f.Runs[k] = telemetry.Run{Channel: fmt.Sprintf("f%d", k), Every: int64(time.Second), Values: make([]float64, 1)}
	}
	json := o.Prefix + "json"
	if r, err := kadm.NewClient(cl).CreateTopic(ctx, partitions, 1, nil, json); err != nil || r.Err != nil {
		return errors.Join(err, r.Err)
	}
	var failed atomic.Pointer[error]
	for i := range o.Records {
		d := i % o.Drills
		f.Drill, f.Seq = fmt.Sprintf("RIG-%04d", d), uint64(i/o.Drills+1)
		f.TS = start + int64(f.Seq)*int64(time.Second)
		for k := range f.Runs {
			f.Runs[k].Values[0] = rng.NormFloat64()
		}
		f.Hash = telemetry.ContentHash(&f)
		flat := fmt.Appendf(nil, `{"drill":%q,"ts":%d`, f.Drill, f.TS)
		for k := range f.Runs {
			flat = fmt.Appendf(flat, `,"f%d":%v`, k, f.Runs[k].Values[0])
		}
		for topic, value := range map[string][]byte{t.Frames: telemetry.AppendFrame(nil, &f), json: append(flat, '}')} {
			cl.Produce(ctx, &kgo.Record{Topic: topic, Partition: int32(d % partitions), Key: []byte(f.Drill), Value: value}, func(_ *kgo.Record, err error) {
				if err != nil {
					failed.Store(&err)
				}
			})
		}
	}
	if err := cl.Flush(ctx); err != nil {
		return err
	}
	if e := failed.Load(); e != nil {
		return *e
	}
	return nil
}
