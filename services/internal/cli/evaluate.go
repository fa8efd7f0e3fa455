package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/services/evaluate"
	"github.com/mudpulse/mudpulse/simulators"
	"github.com/mudpulse/mudpulse/simulators/fleet"
)

// evaluateModels judges models on simulated fleets; it needs no running process.
type evaluateModels struct {
	Seed     []uint64 `help:"Of each held-out fleet. Default models were trained on seeds 1 to 99, chosen on 100 to 199." default:"9001,9002,9003"`
	Drills   int      `help:"In each fleet." default:"100"`
	Days     int      `help:"Of each drill, one full second a minute." default:"90"`
	Dense    float64  `help:"Failures of the held-out and shifted fleets, times the usual: more of them in less time." default:"1"`
	Shifted  []uint64 `help:"Seeds of fleets with other physics; 0: none." default:"9101"`
	FullSeed uint64   `help:"Of the fleet that sends every second; 0: none." default:"9201"`
	Full     int      `help:"Its drills." default:"10"`
	FullDays int      `help:"Its days." default:"7"`
	With     []string `help:"PMML files that take the place of the built-in models of their names, or stand beside them; the built-in ones are judged too." type:"existingfile" sep:"none"`
	Workers  int      `help:"Drills at once; 0: one a processor."`
	Keep     string   `help:"Folder in which each drill's outcome is kept: a run that was interrupted goes on there." type:"path" placeholder:"DIR"`
	KeptOnly bool     `help:"Drive nothing more: print what the folder of --keep has."`
	JSON     string   `help:"Write the numbers there too." type:"path" placeholder:"FILE"`
	Quiet    bool     `help:"No progress on standard error."`
}

func (e *evaluateModels) config() (evaluate.Config, error) {
	cfg := evaluate.Config{Workers: e.Workers, Keep: e.Keep, KeptOnly: e.KeptOnly}
	files, err := fs.Sub(simulators.Models, "models")
	if err != nil {
		return cfg, err
	}
	builtIn, err := evaluate.Models(files)
	if err != nil {
		return cfg, err
	}
	if len(e.With) > 0 {
		mine := map[string][]byte{}
		for k, v := range builtIn {
			mine[k] = v
		}
		for _, f := range e.With {
			b, err := os.ReadFile(f)
			if err != nil {
				return cfg, err
			}
			mine[strings.TrimSuffix(filepath.Base(f), filepath.Ext(f))] = b
		}
		cfg.Contenders = append(cfg.Contenders, evaluate.Contender{Name: "models with " + strings.Join(e.With, ", "), Models: mine})
	}
	cfg.Contenders = append(cfg.Contenders, evaluate.Contender{Name: "built-in models", Models: builtIn})
	add := func(name string, seed uint64, drills, days int, shifted, full bool) {
		if seed != 0 {
			dense, rough := e.Dense, 1.0
			if full { // a week is short: crews that get into trouble ten times as often
				dense, rough = 1, 10
			}
			cfg.Studies = append(cfg.Studies, evaluate.Study{Name: name, Full: full,
				Fleet: fleet.Study{Dense: dense, Rough: rough, Seed: seed, Drills: drills, Days: days, Start: fleet.Epoch, Shifted: shifted}})
		}
	}
	for _, s := range e.Seed {
		add("Held out", s, e.Drills, e.Days, false, false)
	}
	for _, s := range e.Shifted {
		add("Shifted: other physics", s, e.Drills, e.Days, true, false)
	}
	add("At full rate", e.FullSeed, e.Full, e.FullDays, false, true)
	if len(cfg.Studies) == 0 {
		return cfg, errors.New("no fleet: give --seed")
	}
	return cfg, nil
}

func (c *Commands) evaluate(env Env) error {
	e := &c.Evaluate
	cfg, err := e.config()
	if err != nil {
		return err
	}
	start := time.Now()
	if !e.Quiet {
		cfg.Progress = func(done, all int) {
			fmt.Fprintf(os.Stderr, "\r%d of %d drills, %v", done, all, time.Since(start).Truncate(time.Second))
			if done == all {
				fmt.Fprintln(os.Stderr)
			}
		}
	}
	res, err := evaluate.Run(env.Ctx, cfg)
	if err != nil {
		return err
	}
	if e.JSON != "" {
		b, err := json.MarshalIndent(res.Report(), "", " ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(e.JSON, append(b, '\n'), 0o644); err != nil {
			return err
		}
	}
	_, err = res.Print(env.Out)
	return err
}
