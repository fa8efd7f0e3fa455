package models

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mudpulse/mudpulse/scoring"
)

// Bounds of an engineer's own rows.
const (
	MaxRowBytes  = 16 << 20
	maxOwn       = 100_000
	ownTolerance = 1e-6 // relative, where a column "tolerance" does not say otherwise
)

// own scores the engineer's rows and holds what comes out against what they say
// should. Columns are called as inputs and outputs are; an empty cell is missing,
// of an output: not compared.
func (x *trial) own(ctx context.Context) {
	if len(x.Rows) == 0 {
		return
	}
	r := csv.NewReader(bytes.NewReader(x.Rows))
	r.ReuseRecord = true
	head, err := r.Read()
	if err != nil {
		x.problem("rows", fmt.Sprintf("cannot be read: %v", err), "a CSV whose first line names inputs and outputs")
		return
	}
	head = slices.Clone(head)
	in, out := make([]int, len(head)), make([]int, len(head))
	tolerance, compared := -1, 0
	var unread []string
	for c, name := range head {
		name = strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))
		in[c] = slices.IndexFunc(x.m.Inputs(), func(f scoring.Field) bool { return f.Name == name })
		out[c] = -1
		if in[c] < 0 {
			out[c] = x.fieldOf(name)
		}
		switch {
		case out[c] >= 0:
			compared++
		case name == "tolerance":
			tolerance = c
		case in[c] < 0:
			unread = append(unread, name) // exporters leave out what the model came not to need
		}
	}
	if compared == 0 {
		x.problem("rows", "say nothing of what should come out", "add a column called as one of its outputs: "+strings.Join(x.outputNames(), ", "))
		return
	}
	n, failed, largest, worst, worstBy := 0, 0, 0.0, "", -1.0
	for n < maxOwn && ctx.Err() == nil {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			x.problem("rows", fmt.Sprintf("cannot be read: %v", err), "")
			return
		}
		n++
		line, _ := r.FieldPos(0)
		note := func(by float64, s string) {
			if by > worstBy {
				worst, worstBy = fmt.Sprintf("line %d: %s", line, s), by
			}
		}
		x.b.Reset(1)
		for c, cell := range rec {
			if cell = strings.TrimSpace(cell); in[c] < 0 || cell == "" {
				continue
			}
			if x.m.Inputs()[in[c]].Text() {
				x.b.SetText(in[c], 0, cell)
				continue
			}
			v, err := strconv.ParseFloat(cell, 64)
			if err != nil {
				x.problem("rows, line "+strconv.Itoa(line), fmt.Sprintf("%s: %q is no number", head[c], clip(cell)), "")
				return
			}
			x.b.SetNumber(in[c], 0, v)
		}
		_, broke := x.run(ctx)
		if broke == "" && x.b.Err(0) != nil {
			broke = x.b.Err(0).Error()
		}
		if broke != "" {
			failed++
			note(math.Inf(1), "no result: "+clip(broke))
			continue
		}
		allowed := ownTolerance
		if tolerance >= 0 {
			if v, err := strconv.ParseFloat(strings.TrimSpace(rec[tolerance]), 64); err == nil && v >= 0 {
				allowed = v
			}
		}
		bad := false
		for c, cell := range rec {
			if cell = strings.TrimSpace(cell); out[c] < 0 || cell == "" {
				continue
			}
			by, got := x.differs(out[c], cell)
			if by > allowed {
				bad = true
				note(by, fmt.Sprintf("%s should be %s and comes out as %s", head[c], clip(cell), got))
				continue
			}
			largest = max(largest, by)
		}
		if bad {
			failed++
		}
	}
	switch {
	case failed > 0:
		if len(unread) > 0 {
			worst += "; it does not read the columns " + strings.Join(unread, ", ")
		}
		x.problem("rows", fmt.Sprintf("%d of your %d rows come out otherwise; the worst is %s", failed, n, worst), "score them where the model was trained once more, or find out what differs there")
		x.check("own rows", false, fmt.Sprintf("%d of %d differ", failed, n))
	case n == 0:
		x.problem("rows", "there are none below the head", "")
	default:
		detail := fmt.Sprintf("%d of your rows agree to %.1e relative", n, largest)
		if len(unread) > 0 {
			detail += "; it does not read " + strings.Join(unread, ", ")
		}
		x.check("own rows", true, detail)
	}
}

func (x *trial) outputNames() []string {
	var names []string
	for _, f := range x.outputs {
		names = append(names, f.Name)
	}
	return names
}

// differs says how far output o of row 0 is from what a cell says, relative, and what it is.
func (x *trial) differs(o int, cell string) (by float64, got string) {
	if x.b.IsText(o, 0) {
		got = x.b.Text(o, 0)
		if got == cell {
			return 0, got
		}
		a, e1 := strconv.ParseFloat(got, 64)
		b, e2 := strconv.ParseFloat(cell, 64)
		if e1 == nil && e2 == nil && a == b { // a class that is called 1 here and 1.0 there
			return 0, got
		}
		return math.Inf(1), got
	}
	v := x.b.Number(o, 0)
	got = strconv.FormatFloat(v, 'g', -1, 64)
	want, err := strconv.ParseFloat(cell, 64)
	if err != nil || v != v {
		if v != v {
			got = "missing"
		}
		return math.Inf(1), got
	}
	if d := math.Abs(v - want); d > 0 {
		return d / max(math.Abs(want), 1e-9), got
	}
	return 0, got
}
