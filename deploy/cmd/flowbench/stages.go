package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/pprof/profile"
)

// A stage is a share of the process's CPU: samples whose stack, from its root
// on, first meets a function of one of these packages.
type stage struct {
	name    string
	budget  float64 // µs a frame, DESIGN §12
	matches []string
}

const ours = "github.com/mudpulse/mudpulse/"

// In order: a stack belongs to the first stage that it matches.
var stages = []stage{
	{"gateway", 15, []string{ours + "gateway"}},
	{"scorer, with its score output and checkpoints", 11 + 4, []string{ours + "services/scorer"}},
	{"writer and store: append, seal, score rows", 15 + 10 + 5, []string{ours + "services/writer", ours + "storage"}},
	{"api live", 3, []string{ours + "services/api"}},
	{"log and Kafka clients", 8, []string{"github.com/twmb/franz-go"}},
	{"passwords of the devices that were added first", 0, []string{"golang.org/x/crypto/argon2"}},
	{"garbage collector", 11, []string{"runtime.gcBgMarkWorker", "runtime.bgsweep", "runtime.bgscavenge"}},
	{"scheduler, DuckDB's own threads and the rest", 0, nil},
}

// byStage returns CPU seconds by stage, and those of DuckDB's threads, which
// have no Go stack, with the last.
func byStage(path string) ([]float64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := profile.Parse(f)
	if err != nil {
		return nil, fmt.Errorf("profile %s: %w", path, err)
	}
	out := make([]float64, len(stages))
	for _, s := range p.Sample {
		out[stageOf(s)] += float64(s.Value[1]) / 1e9
	}
	return out, nil
}

func stageOf(s *profile.Sample) int {
	for i := len(s.Location) - 1; i >= 0; i-- { // from the root
		for j := len(s.Location[i].Line) - 1; j >= 0; j-- {
			fn := s.Location[i].Line[j].Function
			if fn == nil {
				continue
			}
			for k := range stages {
				for _, m := range stages[k].matches {
					if strings.HasPrefix(fn.Name, m) {
						return k
					}
				}
			}
		}
	}
	return len(stages) - 1
}

func printStages(w io.Writer, seconds []float64, frames float64) {
	sum, budget := 0.0, 0.0
	fmt.Fprintf(w, "  %-50s %12s %8s\n", "stage", "CPU-µs/frame", "budget")
	for i, s := range stages {
		us := seconds[i] / frames * 1e6
		sum, budget = sum+us, budget+s.budget
		want := "-"
		if s.budget > 0 {
			want = fmt.Sprintf("%.0f", s.budget)
		}
		fmt.Fprintf(w, "  %-50s %12.1f %8s\n", s.name, us, want)
	}
	fmt.Fprintf(w, "  %-50s %12.1f %8.0f\n", "together", sum, budget)
}
