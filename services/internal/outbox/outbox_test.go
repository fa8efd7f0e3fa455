package outbox_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/services/internal/outbox"
	"github.com/mudpulse/mudpulse/services/internal/relational"
	"github.com/mudpulse/mudpulse/telemetry"
)

var topics = telemetry.NewTopics("t.")

func fake(t *testing.T, seed ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1),
		kfake.SeedTopics(3, topics.Frames, topics.Backfill), kfake.SeedTopics(1, topics.Control)}, seed...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func read(t *testing.T, c *kfake.Cluster, want int) []*kgo.Record {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics(topics.Frames, topics.Backfill, topics.Control),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	var out []*kgo.Record
	for len(out) < want {
		fs := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d records, want %d", len(out), want)
		}
		out = append(out, fs.Records()...)
	}
	return out
}

func TestAMarkerReachesEveryPartitionAlsoAfterACrash(t *testing.T) {
	ctx := t.Context()
	db, err := relational.Open(ctx, filepath.Join(t.TempDir(), "m.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c := fake(t)
	o := outbox.New(db, []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}, topics, slog.New(slog.DiscardHandler))
	err = db.Tx(ctx, func(tx *sql.Tx) error {
		if err := outbox.AddMarker(ctx, tx, telemetry.Marker{ID: "m1", Kind: telemetry.MarkerModel, Name: "washout", Version: 2}); err != nil {
			return err
		}
		if err := outbox.AddControl(ctx, tx, telemetry.ControlModel, "washout", telemetry.ModelState{Name: "washout", Version: 2}); err != nil {
			return err
		}
		return outbox.AddControl(ctx, tx, telemetry.ControlDevice, "gone", nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	// As if the process had died after two of the six partitions.
	if _, err := db.Exec("UPDATE outbox SET done = ? WHERE key = 'm1'", topics.Frames+"/0 "+topics.Backfill+"/2"); err != nil {
		t.Fatal(err)
	}
	if err := o.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	markers, control := 0, map[string]string{}
	for _, r := range read(t, c, 6) {
		if r.Topic == topics.Control {
			control[string(r.Key)] = string(r.Value)
			continue
		}
		var m telemetry.Marker
		if err := json.Unmarshal(r.Value, &m); err != nil || m.ID != "m1" || string(r.Headers[0].Value) != telemetry.KindMarker {
			t.Errorf("marker %s, %v", r.Value, err)
		}
		if r.Topic == topics.Frames && r.Partition == 0 || r.Topic == topics.Backfill && r.Partition == 2 {
			t.Errorf("written again to %s/%d", r.Topic, r.Partition)
		}
		markers++
	}
	if v, ok := control["device/gone"]; markers != 4 || len(control) != 2 || !ok || v != "" {
		t.Errorf("%d markers, control %v", markers, control)
	}
	var left int
	if err := db.QueryRow("SELECT count(*) FROM outbox").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows left, %v", left, err)
	}
}

func TestWhatCannotBeWrittenWaitsAndSaysSo(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	db, err := relational.Open(ctx, filepath.Join(t.TempDir(), "m.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Tx(ctx, func(tx *sql.Tx) error {
		return outbox.AddMarker(ctx, tx, telemetry.Marker{ID: "m1"})
	}); err != nil {
		t.Fatal(err)
	}
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topics.Control)) // no frames
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	o := outbox.New(db, []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}, topics, slog.New(slog.DiscardHandler))
	done := make(chan error)
	go func() { done <- o.Run(ctx) }()
	for deadline := time.Now().Add(10 * time.Second); o.Healthy() == nil; {
		if time.Now().After(deadline) {
			t.Fatal("no trouble was told")
		}
		select {
		case err := <-done:
			t.Fatalf("ended: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
