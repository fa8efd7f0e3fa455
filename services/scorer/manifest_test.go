package scorer

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// One of them is removed while the other's manifest still names it.
func TestNoTwoPartitionsHaveTheSameCheckpoint(t *testing.T) {
	var all [][]byte
	for n := range 3 {
		cfg := testConfig()
		cfg.Number = n
		p := newPartition(t, cfg, streamShelf(), newTape())
		mark(t, p, activate("first", 1, "a"))
		b, err := p.Snapshot(nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range all {
			if bytes.Equal(b, o) {
				t.Fatal("two empty partitions have the same snapshot")
			}
		}
		all = append(all, b)
		if err := newPartition(t, cfg, streamShelf(), newTape()).Restore(t.Context(), b); err != nil {
			t.Error(err)
		}
	}
}

func TestAStartRemovesTheCheckpointThatAKillLeftBehind(t *testing.T) {
	p := newPlant(t)
	p.publish([]step{{m: activate("m", 1, "a")}, {f: frame("R1", 1, 100, 100)}})
	s := p.scorer(p.config())
	if err := p.run(s, p.allCovered(s)); err != nil {
		t.Fatal(err)
	}
	left, err := p.Put(t.Context(), []byte("left behind"))
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := newestManifest(t.Context(), p.opts, p.topics.State, 0)
	if err != nil || m == nil {
		t.Fatal(m, err)
	}
	was := *m
	was.SHA256 = left
	for _, x := range []*Manifest{&was, m} { // as if it was killed after the second, before it removed the first's
		b, _ := json.Marshal(x)
		if err := p.cl.ProduceSync(t.Context(), &kgo.Record{Topic: p.topics.State, Key: []byte(manifestKey(0)), Value: b}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	s = p.scorer(p.config())
	if err := p.run(s, p.allCovered(s)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Fetch(t.Context(), left); err == nil {
		t.Error("it is still there")
	}
	if _, err := p.Fetch(t.Context(), m.SHA256); err != nil {
		t.Errorf("the newest is gone: %v", err)
	}
}

func TestCheckpointsTakeTheirShareOfTheInput(t *testing.T) {
	cfg := DefaultConfig()
	f := func(since, idle time.Duration, input, packed int64, want bool) {
		t.Helper()
		if got := cfg.due(since, idle, input, packed); got != want {
			t.Errorf("%v after the last, %v after the last record, %d bytes read, %d before: due %v", since, idle, input, packed, got)
		}
	}
	f(9*time.Second, 0, 1<<40, 1, false)             // too soon
	f(10*time.Second, 0, 1000, 0, true)              // the first
	f(10*time.Second, 0, 999_999, 100_000, false)    // more than a tenth
	f(10*time.Second, 0, 1_000_000, 100_000, true)   // a tenth
	f(11*time.Second, 10*time.Second, 1, 9999, true) // nothing more comes
	f(10*time.Minute, 0, 1, 1<<30, true)             // long enough
	f(10*time.Second, 0, cfg.Replay, 1<<40, true)    // a restart would take too long
	cfg.Share = 0
	f(10*time.Second, 0, 1, 1<<30, true)
}
