// Package oracle asks JPMML-Evaluator, a process of its own, what a model says
// of rows, and compares answers with it. Nothing links JPMML: Oracle.java is
// compiled where the jars are (deploy/tools/jpmml.sh).
package oracle

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// Version is the release of JPMML-Evaluator that answers; deploy/tools/jpmml.sh fetches it.
const Version = "1.7.6"

// Classpath reads where jpmml.sh left the process.
func Classpath(tools string) (string, error) {
	b, err := os.ReadFile(filepath.Join(tools, "oracle.classpath"))
	if err != nil {
		return "", fmt.Errorf("%w: run bash deploy/tools/jpmml.sh", err)
	}
	return string(bytes.TrimSpace(b)), nil
}

// A Process is a running oracle.
type Process struct {
	cmd *exec.Cmd
	in  *bufio.Writer
	w   io.Closer
	out *bufio.Reader
}

// Start starts the process.
func Start(classpath string) (*Process, error) {
	cmd := exec.Command("java", "-Xmx2g", "-cp", classpath, "Oracle")
	cmd.Stderr = os.Stderr
	w, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	r, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the oracle: %w", err)
	}
	return &Process{cmd: cmd, in: bufio.NewWriter(w), w: w, out: bufio.NewReaderSize(r, 1<<20)}, nil
}

// Ask returns an answer for each row, a line of JSON each.
func (p *Process) Ask(model string, rows [][]byte) ([][]byte, error) {
	sent := make(chan error, 1)
	go func() { // beside the reading: both pipes are bounded
		fmt.Fprintf(p.in, "M %s\n", model)
		for _, r := range rows {
			p.in.Write(r)
			p.in.WriteByte('\n')
		}
		sent <- p.in.Flush()
	}()
	out := make([][]byte, 0, len(rows))
	var readErr error
	for i := range len(rows) + 1 {
		line, err := p.out.ReadBytes('\n')
		if err != nil {
			readErr = fmt.Errorf("read the oracle's answer: %w", err)
			p.cmd.Process.Kill()
			break
		}
		if i > 0 {
			out = append(out, bytes.TrimRight(line, "\n"))
		}
	}
	return out, errors.Join(readErr, <-sent)
}

// Close ends the process.
func (p *Process) Close() error {
	p.w.Close()
	return p.cmd.Wait()
}

// Lines splits JSON lines, without empty ones.
func Lines(b []byte) [][]byte {
	var out [][]byte
	for l := range bytes.SplitSeq(b, []byte("\n")) {
		if l = bytes.TrimSpace(l); len(l) > 0 {
			out = append(out, l)
		}
	}
	return out
}

// Answer is what an engine says of a row: targets and outputs by name, and
// "_targets"; or "error". JPMML's error for which an output is to blame has
// "parts" beside it: "" the answer without outputs, and each output's value or
// error.
type Answer map[string]any

// Parse reads an answer's line.
func Parse(line []byte) (Answer, error) {
	var a Answer
	err := json.Unmarshal(line, &a)
	return a, err
}

// Failed reports whether the answer is an error, and its words.
func (a Answer) Failed() (string, bool) {
	e, ok := a["error"]
	if !ok || a["_targets"] != nil {
		return "", false
	}
	m, _ := e.(map[string]any)
	s, _ := m["message"].(string)
	return s, true
}

// Compare says where got differs from want by more than that relative
// difference, and the largest relative difference met. An output
// that is absent is missing: null. Beside the values, only what want knows of
// the target is compared.
func Compare(want, got Answer, tolerance float64) (diffs []Diff, worst float64) {
	c := comparison{tolerance: tolerance}
	names := make([]string, 0, len(want)+len(got))
	for n := range want {
		names = append(names, n)
	}
	for n := range got {
		if _, ok := want[n]; !ok {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	for _, n := range names {
		if n == "_targets" {
			continue
		}
		c.name = n
		c.values(n, want[n], got[n])
	}
	w, _ := want["_targets"].(map[string]any)
	g, _ := got["_targets"].(map[string]any)
	for _, t := range slices.Sorted(maps.Keys(w)) {
		wd, _ := w[t].(map[string]any)
		gd, _ := g[t].(map[string]any)
		for _, k := range slices.Sorted(maps.Keys(wd)) {
			x, y := wd[k], gd[k]
			if _, ok := gd[k]; !ok && x == nil {
				continue
			}
			if k == "probability" || k == "confidence" {
				x, y = classes(x, y), classes(y, x)
			}
			c.name = t
			c.values(t+"#"+k, x, y)
		}
	}
	return c.diffs, c.worst
}

// classes adds the classes that only other lists, with 0: a class without a
// vote may be absent.
func classes(of, other any) any {
	a, ok := of.(map[string]any)
	b, too := other.(map[string]any)
	if !ok || !too {
		return of
	}
	out := maps.Clone(a)
	for k := range b {
		if _, ok := out[k]; !ok {
			out[k] = 0.0
		}
	}
	return out
}

type comparison struct {
	tolerance float64
	name      string // whose values are compared
	diffs     []Diff
	worst     float64
}

func (c *comparison) differ(at string, want, got any) {
	c.diffs = append(c.diffs, Diff{At: at, Name: c.name, Want: want, Got: got})
}

func (c *comparison) values(at string, want, got any) {
	switch w := want.(type) {
	case float64:
		g, ok := got.(float64)
		if !ok {
			c.differ(at, want, got)
			return
		}
		d := Difference(w, g)
		c.worst = max(c.worst, d)
		if d > c.tolerance {
			c.differ(at, want, got)
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			c.differ(at, want, got)
			return
		}
		for i := range w {
			c.values(fmt.Sprintf("%s[%d]", at, i), w[i], g[i])
		}
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			c.differ(at, want, got)
			return
		}
		for _, k := range slices.Sorted(maps.Keys(w)) {
			c.values(at+"."+k, w[k], g[k])
		}
		for _, k := range slices.Sorted(maps.Keys(g)) { // JPMML leaves out classes that nobody voted for
			if _, too := w[k]; !too && g[k] != 0.0 {
				c.differ(at+"."+k, "nothing", g[k])
			}
		}
	default:
		if want != got {
			c.differ(at, want, got)
		}
	}
}

// Difference is the relative difference of two numbers: of the larger one. Below
// the smallest normal number it counts as none.
func Difference(a, b float64) float64 {
	if a == b {
		return 0
	}
	m := max(math.Abs(a), math.Abs(b))
	if m < 0x1p-1022 {
		return 0
	}
	return math.Abs(a-b) / m
}
