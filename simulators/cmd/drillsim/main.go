// Command drillsim stands in for drills: it sends what their devices would
// send, from simulated rigs or from real files.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

var grammar struct {
	Replay replay `cmd:"" help:"Publish a real file as devices would: C-MAPSS, an engine a drill, a cycle a frame."`
	Rig    single `cmd:"" help:"One simulated rig, live, over MQTT."`
	Fleet  many   `cmd:"" help:"The demo's twelve rigs, live, over MQTT."`
	Labels labels `cmd:"" help:"Print the ground truth of the demo's rigs, JSON lines; it is never published."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	k := kong.Parse(&grammar, kong.Name("drillsim"), kong.UsageOnError(), kong.BindTo(ctx, (*context.Context)(nil)))
	if err := k.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "drillsim:", err)
		os.Exit(1)
	}
}
