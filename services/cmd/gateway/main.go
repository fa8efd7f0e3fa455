// Command gateway takes frames from drills over MQTT, keeps them on disk, and
// forwards them to Kafka. It is what runs at a rig: static, small, without the store.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mudpulse/mudpulse/services/internal/edge"
	"github.com/mudpulse/mudpulse/services/internal/process"
)

var grammar struct {
	Config           string `help:"File of settings, YAML." placeholder:"FILE"`
	process.Settings `embed:""`
}

func main() {
	if _, err := process.Parse(&grammar, os.Args[1:], process.Environ()); err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(2)
	}
	ctx, stop := process.WithSignals(context.Background())
	defer stop()
	if err := edge.Run(ctx, &grammar.Settings, grammar.Settings.Logger(), prometheus.NewRegistry()); err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}
