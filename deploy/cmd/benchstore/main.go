// Command benchstore pours readings into the columnstore at a steady rate while
// the dashboard's questions are asked of it, and prints rates, times and sizes.
// Run by `make bench-store`.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/mudpulse/mudpulse/storage/duckdb"
)

func main() {
	var b bench
	flag.IntVar(&b.drills, "drills", 10000, "drills, a frame of 100 readings each per second")
	flag.DurationVar(&b.took, "for", 3*time.Minute, "how long to pour")
	flag.IntVar(&b.history, "history", 24, "hours of history before, a frame per drill and hour: as many rows of hourly rollups as a day has")
	flag.Int64Var(&b.memory, "memory", 1024, "memory limit of the store, MB")
	flag.Int64Var(&b.partRows, "part-rows", 4_000_000, "rows of a partition")
	flag.StringVar(&b.dir, "dir", "", "folder of the store; default: a temporary one")
	flag.IntVar(&b.threads, "threads", duckdb.DefaultConfig("").Threads, "threads of DuckDB")
	flag.StringVar(&b.profile, "profile", "", "write a CPU profile of the pouring here")
	flag.BoolVar(&b.scores, "scores", true, "store a score per frame too")
	flag.BoolVar(&b.ask, "ask", true, "ask the dashboard's questions meanwhile")
	analysts := flag.Int("analysts", 0, "instead: pour as fast as it goes, for -for each time, alone and beside so many connected SQL clients that ask without pause")
	flag.Parse()
	run := func() error { return b.run(context.Background()) }
	if *analysts > 0 {
		run = func() error { return b.analysts(context.Background(), *analysts) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "benchstore:", err)
		os.Exit(1)
	}
}
