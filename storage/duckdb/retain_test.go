package duckdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Ten hours at a frame a minute, of a numbered and an unnumbered device;
// readings are kept for two hours and records for five.
func TestRetentionDropsWhatIsOldAndTheLedgerStaysWhole(t *testing.T) {
	clock := telemetry.NewManualClock(time.Unix(0, t0))
	cfg := DefaultConfig(t.TempDir())
	cfg.KeepReadings, cfg.KeepRecords = 2*time.Hour, 5*time.Hour
	s, err := Open(cfg, telemetry.DefaultCatalogue(), clock, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.Close() }()
	ctx := context.Background()
	commit := func(minute int) {
		var b storage.Batch
		f := frame("RIG-01", uint64(minute))
		f.TS = t0 + int64(minute)*60e9
		f.Runs = append(f.Runs, telemetry.Run{Channel: "Extra", Offset: -1e9, Values: []float64{1}})
		b.AddFrame(f)
		g := frame("RIG-01", 0)
		g.TS, g.Device = f.TS, "old"
		g.Boot, g.Seq = telemetry.HashIdentity("RIG-01", "t", f.TS, nil)
		b.AddFrame(g)
		b.Scores = append(b.Scores, telemetry.Score{Drill: "RIG-01", Tick: f.TS, Causes: []telemetry.FrameID{f.ID(), g.ID()}, Health: 50})
		b.Gateways = []telemetry.GatewayStatus{{Gateway: "gw", At: f.TS, Accepted: []telemetry.Accepted{
			{Drill: "RIG-01", Device: "edr-1", Boot: "b1", Ranges: [][2]uint64{{0, uint64(minute)}}}, {Drill: "RIG-01", Device: "old", Boot: g.Boot, Ranges: [][2]uint64{{g.Seq, g.Seq}}}}}}
		if err := s.Commit(ctx, &b); err != nil {
			t.Fatal(err)
		}
		clock.Set(time.Unix(0, f.TS))
	}
	count := func(what, query string, want int) {
		t.Helper()
		var n int
		if err := s.db.QueryRow(query).Scan(&n); err != nil || n != want {
			t.Errorf("%s: %d, %v, want %d", what, n, err, want)
		}
	}
	whole := func() {
		t.Helper()
		l, err := s.Ledger(ctx, storage.LedgerQuery{})
		if err != nil || l.Gaps != 0 || l.Sent != 1202 || l.Accepted != 1202 || l.Stored != 1202 || l.Scored != 1202 || l.Readable != 1202 {
			t.Errorf("ledger: %+v, %v", l, err)
		}
	}
	for m := range 601 {
		commit(m)
		if m%100 == 50 {
			if err := errors.Join(s.Maintain(ctx), s.Checkpoint(ctx)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(s.Maintain(ctx), s.Maintain(ctx), s.Checkpoint(ctx)); err != nil {
		t.Fatal(err)
	}
	whole()
	count("frames", "SELECT count(*) FROM frames", 2*301) // 05:00 to 10:00
	count("scores", "SELECT count(*) FROM scores", 301)
	count("minutes with readings", "SELECT count(DISTINCT date_trunc('minute', ts)) FROM readings_fast", 121) // two hours
	if ts, found, err := s.FrameTime(ctx, "RIG-01", telemetry.FrameID{Device: "edr-1", Boot: "b1", Seq: 3}); err != nil || !found || ts != storage.Retired {
		t.Errorf("a frame that was dropped: %d %v %v", ts, found, err)
	}
	if _, found, err := s.FrameTime(ctx, "RIG-01", telemetry.FrameID{Device: "edr-1", Boot: "b1", Seq: 601}); err != nil || found {
		t.Errorf("a frame that never was: %v %v", found, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(cfg, telemetry.DefaultCatalogue(), clock, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	whole()
}

func TestConfigurationIsRefusedByName(t *testing.T) {
	f := func(want string, change func(*Config)) {
		t.Helper()
		cfg := DefaultConfig(t.TempDir())
		change(&cfg)
		if err := cfg.Validate(); err == nil || err.Error()[:len(want)] != want {
			t.Errorf("%s: %v", want, err)
		}
	}
	f("dir:", func(c *Config) { c.Dir = "" })
	f("dir:", func(c *Config) { c.Dir = "a?b" })
	f("memory:", func(c *Config) { c.Memory = 1 })
	f("threads:", func(c *Config) { c.Threads = 0 })
	f("readers:", func(c *Config) { c.Readers = 0 })
	f("checkpoint:", func(c *Config) { c.Checkpoint = 0 })
	f("part_rows:", func(c *Config) { c.PartRows = 0 })
	f("grace", func(c *Config) { c.Grace = -1 })
	f("rollup:", func(c *Config) { c.Rollup = 0 })
	f("keep_rollups:", func(c *Config) { c.KeepRollups = -1 })
	f("keep_readings:", func(c *Config) { c.KeepReadings = -1 })
	f("keep_readings:", func(c *Config) { c.KeepRecords, c.KeepReadings = time.Hour, 2*time.Hour })
	if err := DefaultConfig("x").Validate(); err != nil {
		t.Error(err)
	}
}

func ExampleConfig() {
	cfg := DefaultConfig("data")
	fmt.Println(cfg.Memory>>20, cfg.Aside>>20, cfg.Checkpoint)
	// Output: 256 32 20s
}
