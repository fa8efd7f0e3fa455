// Command scorer applies models to every drill as frames arrive: features,
// rig state, PMML models, health, alarms. Many of them share a log's partitions.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/mudpulse/mudpulse/services/internal/platform"
	"github.com/mudpulse/mudpulse/services/internal/process"
)

var grammar struct {
	Config           string `help:"File of settings, YAML." placeholder:"FILE"`
	process.Settings `embed:""`
}

func main() {
	if _, err := process.Parse(&grammar, os.Args[1:], process.Environ()); err != nil {
		fmt.Fprintln(os.Stderr, "scorer:", err)
		os.Exit(2)
	}
	ctx, stop := process.WithSignals(context.Background())
	defer stop()
	grammar.Parts, grammar.Demo = []string{"scorer"}, false
	if err := platform.Run(ctx, &grammar.Settings, grammar.Settings.Logger(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "scorer:", err)
		os.Exit(1)
	}
}
