package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/telemetry"
)

type processBench struct {
	place
	Model   string `help:"Model of the inputs f0 … f11, PMML." required:""`
	Records int    `help:"Frames, each of twelve readings of one second." default:"500000"`
	Drills  int    `default:"500"`
	Beside  string `help:"Another build of the scorer, measured in turn with the first over the same records." placeholder:"BIN"`
	Rounds  int    `help:"How often it is measured: the median counts." default:"3"`
}

// A cost is what a run took.
type cost struct {
	Records     int     `json:"records"`
	CPU         float64 `json:"cpu"`          // s, from the process's start on
	Start       float64 `json:"start"`        // s of it before the first score was seen
	WarmRecords int64   `json:"warm_records"` // after that
	WarmCPU     float64 `json:"warm_cpu"`
	Seconds     float64 `json:"seconds"` // by the clock
	Peak        float64 `json:"peak_mb"` // most memory that the process held
}

// warm is the CPU-seconds per million records from the first score on.
func (c *cost) warm() float64 { return 1e6 * c.WarmCPU / float64(c.WarmRecords) }

// Run fills the topic, scores it some times, and prints the median run as a line of
// JSON; with a second binary, a line for each run and one that compares.
func (o *processBench) Run(ctx context.Context) error {
	cl, err := o.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	t, err := o.topics(ctx, cl)
	if err != nil {
		return err
	}
	blobs, err := os.MkdirTemp("", "benchscorer-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(blobs)
	if o.Rounds < 1 {
		return fmt.Errorf("rounds: must be positive, not %d", o.Rounds)
	}
	sha, err := keep(blobs, o.Model)
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
	bins := []string{o.Bin}
	if o.Beside != "" {
		bins = append(bins, o.Beside)
	}
	all := make([][]cost, len(bins))
	for range o.Rounds {
		for i, bin := range bins {
			o.Bin = bin
			c, err := o.measure(ctx, cl, t)
			if err != nil {
				return err
			}
			all[i] = append(all[i], c)
			if o.Beside != "" {
				fmt.Printf("%s: %.2f CPU-s per million from the first score on, its start %.2f, %.0f records/s by the clock, %.0f MB at most\n", bin, c.warm(), c.Start, float64(c.WarmRecords)/c.Seconds, c.Peak)
			}
			if err := o.emptied(ctx, cl, t); err != nil {
				return err
			}
		}
	}
	for i := range all {
		slices.SortFunc(all[i], func(a, b cost) int { return cmp.Compare(a.warm(), b.warm()) })
	}
	median := all[0][o.Rounds/2]
	if o.Beside == "" {
		return json.NewEncoder(os.Stdout).Encode(median)
	}
	least, other, others := all[0][0], all[1][o.Rounds/2], all[1][0]
	fmt.Printf("median of %d: %.2f beside %.2f, %.2f x; least: %.2f beside %.2f, %.2f x\n", o.Rounds, median.warm(), other.warm(), median.warm()/other.warm(),
		least.warm(), others.warm(), least.warm()/others.warm())
	return nil
}

// measure runs the scorer over all records.
func (o *processBench) measure(ctx context.Context, cl *kgo.Client, t telemetry.Topics) (cost, error) {
	c := cost{Records: o.Records}
	dir, err := os.MkdirTemp("", "benchscorer-")
	if err != nil {
		return c, err
	}
	defer os.RemoveAll(dir)
	if _, err := keep(filepath.Join(dir, "blobs"), o.Model); err != nil {
		return c, err
	}
	cmd, err := o.scorer(dir)
	if err != nil {
		return c, err
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}()
	began, err := o.until(ctx, cl, t.Scores, 1, cmd.Process.Pid)
	if err != nil {
		return c, err
	}
	end, err := o.until(ctx, cl, t.Scores, int64(o.Records), cmd.Process.Pid)
	if err != nil {
		return c, err
	}
	c.CPU, c.Start, c.WarmRecords = end.cpu.Seconds(), began.cpu.Seconds(), end.scores-began.scores
	c.WarmCPU, c.Seconds = (end.cpu - began.cpu).Seconds(), end.at.Sub(began.at).Seconds()
	c.Peak, err = peak(cmd.Process.Pid)
	return c, err
}

// emptied makes the topics that a run wrote anew.
func (o *processBench) emptied(ctx context.Context, cl *kgo.Client, t telemetry.Topics) error {
	adm := kadm.NewClient(cl)
	for _, name := range []string{t.Scores, t.Alarms, t.State} {
		if _, err := adm.DeleteTopic(ctx, name); err != nil {
			return err
		}
		cfg := map[string]*string{}
		if t.Compacted(name) {
			cfg["cleanup.policy"] = kadm.StringPtr("compact")
		}
		again := func() error {
			r, err := adm.CreateTopic(ctx, partitions, 1, cfg, name)
			return cmp.Or(err, r.Err)
		}
		if err := patient(ctx, kerr.TopicAlreadyExists, again); err != nil { // a broker deletes in its own time
			return err
		}
		if err := patient(ctx, kerr.UnknownTopicOrPartition, func() error { _, err := ends(ctx, cl, name); return err }); err != nil {
			return err
		}
	}
	return nil
}

// patient does f again while that error comes of it.
func patient(ctx context.Context, unless error, f func() error) error {
	for {
		err := f()
		if err == nil || !errors.Is(err, unless) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
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
		l := look{at: time.Now(), scores: n}
		if l.cpu, err = processorTime(pid); err != nil {
			return l, err
		}
		if n < scores {
			continue
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
		values := map[string][]byte{t.Frames: telemetry.AppendFrame(nil, &f)}
		if o.Beside == "" {
			values[json] = append(flat, '}')
		}
		for topic, value := range values {
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
