package main

import (
	"io"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/storage/duckdb"
)

// The small size of `benchstore -analysts 200`: all are answered, no commit
// fails, and ingest goes on. How fast is printed, not asserted: machines differ.
func TestIngestGoesOnBesideConnectedAnalysts(t *testing.T) {
	const analysts = 200
	b := bench{drills: 100, took: time.Second, memory: 256, partRows: 100_000, dir: t.TempDir(), threads: duckdb.DefaultConfig(".").Threads}
	alone, with, answers, err := b.beside(t.Context(), analysts, 1, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(alone) != 2 || len(with) != 1 || with[0].readings == 0 || answers == 0 {
		t.Fatalf("%d and %d phases, %d answers", len(alone), len(with), answers)
	}
	for _, p := range alone {
		t.Log("alone               ", p)
	}
	t.Log("beside", analysts, "analysts", with[0], answers, "answers")
}
