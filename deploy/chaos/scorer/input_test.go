//go:build e2e

package scorer_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
	"github.com/mudpulse/mudpulse/simulators/rig"
	"github.com/mudpulse/mudpulse/telemetry"
)

const (
	partitions = 4
	drills     = 8
)

// A flow is one prefix of a log: the same input, and what scorers make of it.
type flow struct {
	t      *testing.T
	broker *broker
	prefix string
	topics telemetry.Topics
	blobs  string
	out    *kgo.Client
	in     *input
}

var flows int

func newFlow(t *testing.T, b *broker, seed uint64, blobs string) *flow {
	t.Helper()
	flows++
	f := &flow{t: t, broker: b, prefix: fmt.Sprintf("chaos%d-%d-%d.", os.Getpid(), time.Now().UnixNano(), flows), blobs: blobs}
	f.topics = telemetry.NewTopics(f.prefix)
	f.out = b.client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	f.in = newInput(seed, time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC))
	adm := kadm.NewClient(f.out)
	for _, name := range f.topics.All() {
		n, cfg := int32(partitions), map[string]*string{}
		switch {
		case f.topics.Compacted(name):
			n, cfg["cleanup.policy"] = 1, kadm.StringPtr("compact")
		case name == f.topics.Quarantine || name == f.topics.Gateways:
			n = 1
		}
		if r, err := adm.CreateTopic(context.Background(), n, 1, cfg, name); err != nil || r.Err != nil {
			t.Fatalf("create %s: %v %v", name, err, r.Err)
		}
	}
	harness.Wait(t, time.Minute, "the topics that were created to be seen", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		got, err := adm.ListTopics(ctx, f.topics.All()...)
		if err != nil || got.Error() != nil || len(got) != len(f.topics.All()) {
			return false
		}
		for _, x := range got {
			for _, p := range x.Partitions {
				if p.Leader < 0 || p.Err != nil {
					return false
				}
			}
			if len(x.Partitions) == 0 {
				return false
			}
		}
		return true
	})
	return f
}

// activate puts a model's or the rules' file among the blobs, and a marker into every partition of both roads.
func (f *flow) activate(kind, name string, version int, model []byte) {
	f.t.Helper()
	sum := sha256.Sum256(model)
	hash := hex.EncodeToString(sum[:])
	if err := put(f.blobs, hash, model); err != nil {
		f.t.Fatal(err)
	}
	b, err := json.Marshal(telemetry.Marker{ID: fmt.Sprintf("%s-%d", name, version), Kind: kind, Name: name, Version: version, SHA256: hash, Action: "activate", By: "chaos", At: f.in.now.UnixNano()})
	if err != nil {
		f.t.Fatal(err)
	}
	var rs []*kgo.Record
	for p := range int32(partitions) {
		for _, topic := range []string{f.topics.Frames, f.topics.Backfill} {
			for range 2 { // repeated, as an api that was killed in between does: the first counts
				rs = append(rs, &kgo.Record{Topic: topic, Partition: p, Value: b, Headers: []kgo.RecordHeader{{Key: telemetry.HeaderKind, Value: []byte(telemetry.KindMarker)}}})
			}
		}
	}
	f.produce(rs)
}

// activateFile activates a default model, with something after its text.
func (f *flow) activateFile(name string, version int, after string) {
	f.t.Helper()
	b, err := os.ReadFile(harness.Repo(f.t, "simulators", "models", name+".pmml"))
	if err != nil {
		f.t.Fatal(err)
	}
	f.activate(telemetry.MarkerModel, name, version, append(b, after...))
}

// put writes a blob where a directory of blobs keeps it.
func put(dir, hash string, b []byte) error {
	path := filepath.Join(dir, hash[:2], hash[2:])
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

func (f *flow) produce(rs []*kgo.Record) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := f.out.ProduceSync(ctx, rs...).FirstErr(); err != nil {
		f.t.Fatal(err)
	}
}

// An input is a seeded stream of frames: duplicates, disorder, late frames, snapshots, history.
type input struct {
	rng    *rand.Rand
	rigs   []*rig.Rig
	past   []*rig.Rig
	now    time.Time
	seq    []uint64
	pseq   uint64
	late   []*kgo.Record // held back for minutes
	frames int
}

func newInput(seed uint64, from time.Time) *input {
	in := &input{rng: rand.New(rand.NewPCG(seed, 7)), now: from, seq: make([]uint64, drills)}
	for i := range drills {
		faults := []rig.Fault{{Kind: rig.Washout, Start: in.now.Add(-time.Hour), Life: 2 * time.Hour}}
		if i%2 == 1 {
			faults = nil
		}
		name := fmt.Sprintf("RIG-%02d", i)
		in.rigs = append(in.rigs, rig.New(name, seed, in.now, faults...))
		in.past = append(in.past, rig.New(name, seed, in.now.Add(-24*time.Hour)))
	}
	return in
}

// segment is so many seconds of all drills, for both roads.
func (in *input) segment(topics telemetry.Topics, seconds int) []*kgo.Record {
	var out []*kgo.Record
	for range seconds {
		for i, r := range in.rigs {
			f := r.Second(in.now)
			in.seq[i]++
			f.Device, f.Boot, f.Seq = fmt.Sprintf("edr-%d", i), "b1", in.seq[i]
			f.Hash = telemetry.ContentHash(&f)
			rec := &kgo.Record{Topic: topics.Frames, Partition: int32(i % partitions), Key: []byte(f.Drill), Value: telemetry.AppendFrame(nil, &f)}
			in.frames++
			if in.seq[i]%40 == uint64(i) {
				if w, ok := r.Snapshot(in.now); ok {
					w.Boot, w.Seq = "b1", in.seq[i]
					w.Hash = telemetry.ContentHash(&w)
					in.frames++
					out = append(out, &kgo.Record{Topic: topics.Frames, Partition: int32(i % partitions), Key: []byte(w.Drill), Value: telemetry.AppendFrame(nil, &w)})
				}
			}
			switch x := in.rng.Float64(); {
			case x < 0.03:
				in.late = append(in.late, rec)
				continue
			case x < 0.08: // twice
				out = append(out, rec, again(rec))
			case x < 0.14 && len(out) > drills: // before what was sent a second earlier
				j := len(out) - in.rng.IntN(drills)
				out = append(out[:j], append([]*kgo.Record{rec}, out[j:]...)...)
			default:
				out = append(out, rec)
			}
		}
		if in.rng.Float64() < 0.1 && len(in.late) > 0 { // what was held back comes, seconds or minutes late
			out = append(out, in.late...)
			in.late = nil
		}
		in.now = in.now.Add(time.Second)
	}
	for range seconds / 4 { // history, a frame a minute
		in.pseq++
		i := int(in.pseq) % drills
		f := in.past[i].Second(in.now.Add(-23*time.Hour + time.Duration(in.pseq)*time.Minute).Truncate(time.Second))
		f.Device, f.Boot, f.Seq, f.Origin = fmt.Sprintf("edr-%d", i), "history", in.pseq, telemetry.Backfill
		f.Hash = telemetry.ContentHash(&f)
		out = append(out, &kgo.Record{Topic: topics.Backfill, Partition: int32(i % partitions), Key: []byte(f.Drill), Value: telemetry.AppendFrame(nil, &f)})
	}
	return out
}

// seconds is so many of all drills, in order. Of those that are kept back, which
// come instead by the other road when they are old, are runs of some drills and single frames.
func (in *input) seconds(topics telemetry.Topics, n int, keep bool) (out, kept []*kgo.Record) {
	for k := range n {
		for i, r := range in.rigs {
			f := r.Second(in.now)
			in.seq[i]++
			f.Device, f.Boot, f.Seq = fmt.Sprintf("edr-%d", i), "b1", in.seq[i]
			f.Hash = telemetry.ContentHash(&f)
			rec := &kgo.Record{Topic: topics.Frames, Partition: int32(i % partitions), Key: []byte(f.Drill)}
			if keep && (k > n/2 && k < n/2+8 && i%2 == 0 || in.rng.Float64() < 0.1) {
				f.Origin, rec.Topic = telemetry.Backfill, topics.Backfill
				kept = append(kept, rec)
			} else {
				out = append(out, rec)
			}
			rec.Value = telemetry.AppendFrame(nil, &f)
			in.frames++
		}
		in.now = in.now.Add(time.Second)
	}
	return out, kept
}

func again(r *kgo.Record) *kgo.Record {
	return &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value}
}
