// Command mudpulse is the whole platform in one process, any part of it, and
// the command line that talks to a running one.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/mudpulse/mudpulse/services/internal/cli"
	"github.com/mudpulse/mudpulse/services/internal/platform"
	"github.com/mudpulse/mudpulse/services/internal/process"
)

var grammar struct {
	Config string `help:"File of settings, YAML; flags and MUDPULSE_… variables come before it." placeholder:"FILE"`

	Run struct {
		process.Settings `embed:""`
	} `cmd:"" help:"Run the platform, or the parts of it that --parts names."`
	Settings struct {
		process.Settings `embed:""`
	} `cmd:"" name:"config" help:"Print every setting, its value, and where it came from."`
	cli.Commands
}

func main() {
	args := os.Args[1:]
	kctx, err := process.Parse(&grammar, args, process.Environ())
	if err != nil {
		fail(2, err)
	}
	ctx, stop := process.WithSignals(context.Background())
	defer stop()
	switch kctx.Command() {
	case "run":
		started := time.Now()
		err = platform.Again(platform.Run(ctx, &grammar.Run.Settings, grammar.Run.Logger(), os.Stdout), time.Since(started), os.Stderr)
	case "config":
		err = process.PrintSettings(os.Stdout, kctx, args, process.Environ())
	default:
		_, err = grammar.Commands.Run(cli.Env{Ctx: ctx, Out: os.Stdout}, kctx.Command())
	}
	if err != nil {
		fail(1, err)
	}
}

func fail(code int, err error) {
	fmt.Fprintln(os.Stderr, "mudpulse:", err)
	os.Exit(code)
}
