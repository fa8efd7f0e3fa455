package duckdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/storage/internal/ledger"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Whatever is committed, late, sealed, merged, checkpointed, dropped: what was
// counted as it came is what counting all rows again gives, whys and all.
func TestTheLedgerAsItCameIsTheLedgerOfTheRows(t *testing.T) {
	ctx := context.Background()
	clock := telemetry.NewManualClock(time.Unix(0, t0))
	cfg := DefaultConfig(t.TempDir())
	cfg.KeepReadings, cfg.KeepRecords, cfg.CompactAfter, cfg.MixedAge = 3*time.Hour, 3*time.Hour, 0, 0
	s, err := Open(cfg, telemetry.DefaultCatalogue(), clock, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.Close() }()
	rng := rand.New(rand.NewPCG(8, 1))
	small := func(device int, seq uint64) *telemetry.Frame {
		f := &telemetry.Frame{Drill: fmt.Sprintf("RIG-%d", device%2), Device: fmt.Sprintf("d%d", device), Boot: "b1", Seq: seq, TS: clock.Now().UnixNano() - rng.Int64N(3)*int64(time.Hour), Hash: seq,
			Runs: []telemetry.Run{{Channel: "WOB", Values: []float64{1, 2}, Every: 5e8}, {Channel: "Odd", Values: []float64{3}}}}
		switch rng.IntN(10) {
		case 0:
			f.Boot, f.Seq = telemetry.HashIdentity(f.Drill, "t", int64(seq), nil)
		case 1:
			f.Boot = fmt.Sprintf("b1!%x", seq)
		case 2:
			f.Part = 1
		}
		return f
	}
	compare := func(step int) {
		t.Helper()
		got, err := s.Ledger(ctx, storage.LedgerQuery{})
		if err != nil {
			t.Fatal(err)
		}
		want, err := s.Ledger(ctx, storage.LedgerQuery{Audit: true})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("step %d: as it came %+v\nof the rows %+v, %v", step, got, want, err)
		}
	}
	next := [3]uint64{1, 1, 1}
	for step := range 40 {
		b := storage.Batch{Arrived: clock.Now().UnixNano()}
		for range 1 + rng.IntN(30) {
			d := rng.IntN(3)
			seq := next[d]
			next[d] += 1 + rng.Uint64N(3)/2
			if rng.IntN(8) == 0 {
				seq = 1 + rng.Uint64N(seq) // late, or in two parts
			}
			f := small(d, seq)
			b.AddFrame(f)
			if rng.IntN(6) > 0 {
				b.Scores = append(b.Scores, telemetry.Score{Drill: f.Drill, Tick: f.TS, Causes: []telemetry.FrameID{f.ID()}, CauseHash: rng.Uint64()})
			}
		}
		for g := range rng.IntN(3) {
			d := rng.IntN(3)
			b.Gateways = append(b.Gateways, telemetry.GatewayStatus{Gateway: fmt.Sprintf("gw-%d", g), At: b.Arrived, Accepted: []telemetry.Accepted{
				{Drill: fmt.Sprintf("RIG-%d", d%2), Device: fmt.Sprintf("d%d", d), Boot: "b1", Ranges: [][2]uint64{{1, 1 + next[d]/2}, {3 + next[d]/2, next[d] + uint64(g)}}}}})
		}
		if err := s.Commit(ctx, &b); err != nil {
			t.Fatal(err)
		}
		clock.Set(clock.Now().Add(7 * time.Minute))
		switch step % 10 {
		case 3:
			err = s.Maintain(ctx)
		case 5:
			err = s.Checkpoint(ctx)
		case 7:
			err = s.Seal(ctx)
		case 9:
			if err = s.Close(); err == nil {
				s, err = Open(cfg, telemetry.DefaultCatalogue(), clock, slog.New(slog.DiscardHandler))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if step%3 == 0 || step%10 > 2 {
			compare(step)
		}
	}
	compare(40)
}

// Asking again reads no rows: only their numbers, which DuckDB knows.
func TestALostRowIsNoticedThoughTheLedgerWasAskedBefore(t *testing.T) {
	ctx := context.Background()
	s := filled(t, t.TempDir())
	for range 2 {
		if l, err := s.Ledger(ctx, storage.LedgerQuery{}); err != nil || l.Gaps != 0 {
			t.Fatalf("%+v, %v", l, err)
		}
	}
	s.book.mu.Lock()
	s.book.hot[1].of[0].stored = ledger.Spans{{Lo: 0, Hi: 7}} // what only memory says stands until rows differ
	s.book.mu.Unlock()
	if l, err := s.Ledger(ctx, storage.LedgerQuery{}); err != nil || l.Stored != 8 {
		t.Fatalf("%+v, %v", l, err)
	}
	if err := s.exec("DELETE FROM store.p1_frames WHERE seq = 30"); err != nil {
		t.Fatal(err)
	}
	if l, err := s.Ledger(ctx, storage.LedgerQuery{}); err != nil || l.Stored != 59 {
		t.Fatalf("%+v, %v", l, err)
	}
}

func TestTheLedgerSaysWhyAsFarAsItIsKnown(t *testing.T) {
	ctx := context.Background()
	f := func(stage, want string, change func(*Store, *storage.Batch)) {
		t.Helper()
		s := filled(t, t.TempDir())
		b := storage.Batch{Arrived: t0}
		change(s, &b)
		if err := s.Commit(ctx, &b); err != nil {
			t.Fatal(err)
		}
		l, err := s.Ledger(ctx, storage.LedgerQuery{})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range l.Rows[0].Gaps {
			if g.Stage == stage && strings.Contains(g.Why, want) {
				return
			}
		}
		t.Errorf("want %q of %s: %+v", want, stage, l.Rows[0])
	}
	with := func(from uint64, change func(*telemetry.GatewayStatus)) func(*Store, *storage.Batch) {
		return func(_ *Store, b *storage.Batch) {
			g := telemetry.GatewayStatus{Gateway: "gw-1", At: t0 + 1, Accepted: []telemetry.Accepted{{Drill: "RIG-01", Device: "edr-1", Boot: "b1", Ranges: [][2]uint64{{0, from}, {from + 2, 59}}}}}
			change(&g)
			b.Gateways = append(b.Gateways, g)
		}
	}
	f(storage.StageAccepted, "never sent, or was lost", with(20, func(*telemetry.GatewayStatus) {}))
	f(storage.StageAccepted, "QoS 0 to gw-1", with(20, func(g *telemetry.GatewayStatus) {
		g.Sessions = []telemetry.DeviceSession{{Device: "edr-1", Drill: "RIG-01", Messages: 60, QoS0: 60}}
	}))
	f(storage.StageAccepted, "1 messages of this device were set aside whole", func(s *Store, b *storage.Batch) {
		with(20, func(*telemetry.GatewayStatus) {})(s, b)
		b.Quarantined = []telemetry.Quarantined{{ID: "q2", Drill: "RIG-01", Device: "edr-1", Code: "malformed"}, {ID: "q3", Drill: "RIG-01", Device: "edr-1", Field: "channels.SPP"}}
	})
	f(storage.StageAccepted, "the spool of gw-1 was damaged and lost 512 bytes, last in 00000002.log at 2026-11-22T10:00:00Z", with(20, func(g *telemetry.GatewayStatus) {
		g.Damage = []telemetry.Damage{{Segment: "00000002.log", Bytes: 512, At: t0}}
	}))
	lose := func(s *Store, tables ...string) {
		for _, name := range tables {
			where := "seq = 20"
			if name == "scores" {
				where = "cause_seq[1] = 20"
			}
			if err := s.exec("DELETE FROM store.p1_" + name + " WHERE " + where); err != nil {
				t.Fatal(err)
			}
		}
	}
	f(storage.StageStored, ledger.WhyRowGone, func(s *Store, _ *storage.Batch) { lose(s, "frames") })
	f(storage.StageStored, ledger.WhyScoredOnly, func(s *Store, _ *storage.Batch) {
		lose(s, "frames", "readings_fast", "readings_medium", "readings_slow", "readings_narrow")
	})
	f(storage.StageStored, "7 frames wait in the spool of gw-1", func(s *Store, b *storage.Batch) {
		with(58, func(g *telemetry.GatewayStatus) {
			g.Accepted[0].Ranges = [][2]uint64{{0, 59}}
			g.Spool.Frames = 7
		})(s, b)
		lose(s, "frames", "readings_fast", "readings_medium", "readings_slow", "readings_narrow", "scores")
	})
	f(storage.StageStored, "the log no longer had 2 records of partition 3 of mudpulse.frames (offsets 7 to 8)", func(s *Store, b *storage.Batch) {
		b.Lost = []storage.Lost{{Topic: "mudpulse.scores", Partition: 3, From: 1, To: 1}, {Topic: "mudpulse.frames", Partition: 3, From: 7, To: 8}}
		lose(s, "frames", "readings_fast", "readings_medium", "readings_slow", "readings_narrow", "scores")
	})
	f(storage.StageReadable, "is damaged (it has", func(s *Store, b *storage.Batch) {
		if err := s.Seal(ctx); err != nil {
			t.Fatal(err)
		}
		for _, x := range s.sealedFiles() {
			if x.dataset == dsFast {
				if err := os.Truncate(s.sealedPath(x.path), 100); err != nil {
					t.Fatal(err)
				}
				s.markDamaged(x, s.verify(x))
			}
		}
	})
}

// BenchmarkLedgerOf10000Devices asks for all of 10,000 devices while each has a frame a second stored.
func BenchmarkLedgerOf10000Devices(b *testing.B) {
	ctx := context.Background()
	s := open(b, b.TempDir())
	second := func(seq uint64) {
		batch := storage.Batch{Arrived: t0}
		for d := range 10000 {
			f := &telemetry.Frame{Drill: fmt.Sprintf("RIG-%05d", d), Device: fmt.Sprintf("edr-%05d", d), Boot: "b1", Seq: seq, TS: t0 + int64(seq)*1e9, Runs: []telemetry.Run{{Channel: "WOB", Values: []float64{1}}}}
			batch.AddFrame(f)
			batch.Scores = append(batch.Scores, telemetry.Score{Drill: f.Drill, Tick: f.TS, Causes: []telemetry.FrameID{f.ID()}})
		}
		if err := s.Commit(ctx, &batch); err != nil {
			b.Fatal(err)
		}
	}
	for seq := range uint64(30) {
		second(seq)
	}
	for _, audit := range []bool{true, false} {
		b.Run(map[bool]string{true: "of the rows", false: "as it came"}[audit], func(b *testing.B) {
			for b.Loop() {
				l, err := s.Ledger(ctx, storage.LedgerQuery{Audit: audit})
				if err = errors.Join(err); err != nil || l.Stored != 300000 || l.Scored != 300000 {
					b.Fatalf("%d stored, %v", l.Stored, err)
				}
			}
		})
	}
}

// A seal or a merge that lost a row would have made manifest and file agree: only reading the files tells.
func TestAnAuditNamesTheRowThatASealedFileLacks(t *testing.T) {
	ctx := context.Background()
	f := func(dataset, without, stage string, entered bool) {
		t.Helper()
		s := filled(t, t.TempDir())
		if err := s.Seal(ctx); err != nil {
			t.Fatal(err)
		}
		for _, x := range s.sealedFiles() {
			if x.dataset != dataset {
				continue
			}
			path := s.sealedPath(x.path)
			if err := s.exec("COPY (SELECT * FROM read_parquet(" + lit(path) + ", hive_partitioning=false) WHERE NOT (" + without + ")) TO " + lit(path+".new") + " (FORMAT parquet)"); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
			if entered {
				size, sum, err := hashFile(path)
				if err != nil {
					t.Fatal(err)
				}
				x.bytes, x.sha256 = size, sum
			}
		}
		if damaged, err := s.Check(ctx, nil); err != nil || (len(damaged) == 0) != entered {
			t.Fatalf("%s: damaged %+v, %v", dataset, damaged, err)
		}
		for _, audit := range []bool{false, true} {
			l, err := s.Ledger(ctx, storage.LedgerQuery{Audit: audit})
			if err != nil {
				t.Fatal(err)
			}
			named, other := 0, 0
			for _, g := range l.Rows[0].Gaps {
				switch {
				case g.Stage == stage && g.From == 30 && g.To == 30 && g.Count == 1 && !g.Pending:
					named++
				case entered || g.Stage != storage.StageReadable || !strings.Contains(g.Why, "is damaged"):
					other++
				}
			}
			if audit && named != 1 || !audit && named != 0 || other > 0 {
				t.Errorf("%s, audit %v: %+v", dataset, audit, l.Rows[0].Gaps)
			}
		}
	}
	f(dsFrames, "seq = 30", storage.StageStored, true)
	f(dsScores, "cause_seq[1] = 30", storage.StageScored, true)
	f(dsFast, "seq = 30", storage.StageReadable, true)
	f(dsNarrow, "seq = 30", storage.StageReadable, true)
	f(dsFrames, "seq = 30", storage.StageStored, false)
}
