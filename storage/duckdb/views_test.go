package duckdb

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// The view shows each tick once, in its last version: whichever way the versions
// came, after an open, when they are sealed, and in a store in which which ticks
// have several had not been noted.
func TestTheViewOfScoresShowsLastVersions(t *testing.T) {
	cfg := DefaultConfig(t.TempDir())
	cfg.Grace, cfg.CompactAfter, cfg.Aside = 0, 0, 1
	later := func() *Store {
		t.Helper()
		s, err := Open(cfg, telemetry.DefaultCatalogue(), telemetry.NewManualClock(time.Unix(0, t0+5*3600e9)), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	s := later()
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(3, 1))
	type tick struct {
		drill string
		at    int64
	}
	want, seen := map[tick]float64{}, map[string]bool{}
	check := func(when string) {
		t.Helper()
		rows, err := s.SQL().Query("SELECT drill, epoch_us(tick), health FROM scores UNION ALL SELECT drill, epoch_us(tick), health FROM health")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		n := 0
		for rows.Next() {
			var k tick
			var health float64
			if err := rows.Scan(&k.drill, &k.at, &health); err != nil {
				t.Fatal(err)
			}
			n++
			if h, ok := want[k]; !ok || h != health {
				t.Fatalf("%s: %s at %d has health %v, the last version says %v", when, k.drill, k.at, health, h)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		if n != 2*len(want) {
			t.Fatalf("%s: the views have %d rows, %d ticks were stored", when, n, len(want))
		}
	}
	reopen := func() {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = later()
	}
	commit := func(from, to int) {
		t.Helper()
		for n := from; n < to; n++ {
			b := storage.Batch{Arrived: t0 + int64(n)*1e9}
			for range 1 + rng.IntN(6) {
				back := 0
				switch rng.IntN(4) {
				case 0:
					back = rng.IntN(5) // remembered
				case 1:
					back = rng.IntN(400) // looked up
				}
				k := tick{fmt.Sprintf("RIG-%d", rng.IntN(2)), us(t0 + int64(max(0, n-back))*20e9)}
				health := float64(rng.IntN(4))
				b.Scores = append(b.Scores, telemetry.Score{Drill: k.drill, Tick: k.at * 1000, CauseHash: 7, Health: health, State: telemetry.StateRotary})
			}
			for _, sc := range b.Scores { // a version that is stored already changes nothing
				key := fmt.Sprint(sc.Drill, us(sc.Tick), sc.Health)
				if !seen[key] {
					want[tick{sc.Drill, us(sc.Tick)}] = sc.Health
				}
				seen[key] = true
			}
			if err := s.Commit(ctx, &b); err != nil {
				t.Fatal(err)
			}
		}
	}
	commit(0, 300)
	check("hot")
	reopen()
	check("opened again")
	if err := s.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	if files := groups(s.sealedFiles(), dsScores); len(files) == 0 {
		t.Fatal("no scores were sealed")
	}
	check("sealed")
	commit(300, 600)
	check("partly sealed")
	for _, q := range []string{"DELETE FROM store.amended", "DELETE FROM store.meta WHERE key = 'amended'"} {
		if err := s.exec(q); err != nil {
			t.Fatal(err)
		}
	}
	reopen()
	check("counted anew")
	commit(600, 700)
	check("after that")
}

// A first look at a view must not gather all of it: DuckDB's plan has neither a
// window nor a join for each row or each channel.
func TestALookAtAViewGathersNothing(t *testing.T) {
	s := filled(t, t.TempDir())
	for _, view := range []string{"scores", "health", "outputs", "reasons", "readings", "readings_fast", "readings_narrow", "frames", "score_versions"} {
		var key, plan string
		if err := s.SQL().QueryRow("EXPLAIN SELECT * FROM "+view+" LIMIT 3").Scan(&key, &plan); err != nil {
			t.Fatal(err)
		}
		for _, no := range []string{"WINDOW", "DELIM", "GROUP_BY", "ORDER_BY"} {
			if strings.Contains(plan, no) {
				t.Errorf("%s: the plan has %s:\n%s", view, no, plan)
			}
		}
		if n := strings.Count(plan, "HASH_JOIN"); n > 2 {
			t.Errorf("%s: the plan has %d joins", view, n)
		}
	}
}
