// Command pmmlbench times package scoring on PMML models, one thread:
//
//	pmmlbench ROWS.csv NAME=MODEL.pmml…
//
// A line each: NAME rows/s load-seconds allocs/run single-rows/s, of CPU time.
package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/scoring"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: pmmlbench ROWS.csv NAME=MODEL.pmml…")
	}
	runtime.LockOSThread()
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	cells, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return fmt.Errorf("read %s: %w", args[0], err)
	}
	head, cells := cells[0], cells[1:min(len(cells), 4096*4+1)]
	for _, a := range args[1:] {
		name, path, _ := strings.Cut(a, "=")
		if err := bench(name, path, head, cells); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func bench(name, path string, head []string, cells [][]string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	load := time.Hour
	var m *scoring.Model
	for range 3 { // all threads of the process: the collector's too
		begin := cpu(syscall.RUSAGE_SELF)
		if m, err = scoring.Load(bytes.NewReader(text)); err != nil {
			return err
		}
		load = min(load, cpu(syscall.RUSAGE_SELF)-begin)
	}
	column := map[string]int{}
	for i, h := range head {
		column[h] = i
	}
	s := m.NewScorer()
	b := s.Batch(len(cells))
	rows := make([]scoring.Row, len(cells))
	for i, c := range cells {
		rows[i] = scoring.Row{}
		for j, in := range m.Inputs() {
			x, err := strconv.ParseFloat(c[column[in.Name]], 64)
			if err != nil {
				return err
			}
			b.SetNumber(j, i, x)
			rows[i][in.Name] = x
		}
	}
	score := func() {
		if err := s.Run(context.Background(), b); err != nil {
			panic("BUG: " + err.Error())
		}
	}
	score()
	batch := rate(func() int { score(); return len(cells) })
	allocs := testing.AllocsPerRun(3, score)
	i := 0
	single := rate(func() int {
		for range 100 {
			if _, err := s.Score(rows[i%len(rows)]); err != nil {
				panic("BUG: " + err.Error())
			}
			i++
		}
		return 100
	})
	fmt.Printf("%s %.0f %.3f %v %.0f\n", name, batch, load.Seconds(), allocs, single)
	return nil
}

// rate is rows a second of this thread's CPU time, the best of five rounds.
func rate(f func() int) float64 {
	best := 0.0
	for range 5 {
		n, begin, took := 0, cpu(rusageThread), time.Duration(0)
		for took < 600*time.Millisecond {
			n += f()
			took = cpu(rusageThread) - begin
		}
		best = max(best, float64(n)/took.Seconds())
	}
	return best
}

const rusageThread = 1 // of getrusage(2), Linux

func cpu(who int) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(who, &r); err != nil {
		panic("BUG: getrusage: " + err.Error())
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
