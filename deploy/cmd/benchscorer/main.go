// Command benchscorer measures the scorer. "process" fills a topic of a Kafka
// with frames, starts bin/scorer over them with one model, and says what it cost;
// "latency" sends frames at a rate and waits for their scores; "engine" runs
// scorer.Partition alone. make bench-scorer runs them beside Spark.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/alecthomas/kong"
)

type grammar struct {
	Process processBench `cmd:"" help:"The scorer's process over a topic, with one model."`
	Latency latencyBench `cmd:"" help:"From a frame's publication to its score on the topic."`
	Engine  engineBench  `cmd:"" help:"A partition alone: features, models, drills, cores, memory, checkpoints."`
}

// place is where a bench works.
type place struct {
	Bin    string `help:"The scorer's binary." default:"bin/scorer"`
	Broker string `help:"Kafka's address." required:""`
	Prefix string `help:"Prefix of the topics; made anew." required:""`
}

func main() {
	var g grammar
	k := kong.Parse(&g, kong.Name("benchscorer"), kong.UsageOnError())
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
	defer cancel()
	k.BindTo(ctx, (*context.Context)(nil))
	if err := k.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "benchscorer:", err)
		os.Exit(1)
	}
}
