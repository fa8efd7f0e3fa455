package equipment

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Columns of a table of equipment; others are numbers of a part's geometry.
var Columns = []string{"what", "drill", "position", "serial", "kind", "from", "to", "maker", "model", "hours_before", "metres_before", "reason", "grade",
	"activity", "category", "failure_mode", "mechanism", "note", "id", "name", "site", "country"}

// A Line is what became of one line of a table.
type Line struct {
	Line int    `json:"line" doc:"of the file, from 1"`
	What string `json:"what"`
	Done string `json:"done" doc:"what was done; empty where it was refused"`
	Why  string `json:"why" doc:"why it was refused, and what to do"`
}

// maxLines bounds a table.
const maxLines = 20000

// Import takes a table of sites, wells, parts, runs and maintenance, a line
// each, in the order in which they stand. A bad line is named and the others are
// taken; lines that are known already change nothing.
func (r *Registry) Import(ctx context.Context, table io.Reader, by string) ([]Line, error) {
	c := csv.NewReader(table)
	c.TrimLeadingSpace, c.FieldsPerRecord = true, -1
	head, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("line 1: want a line of column names, as %s: %w", strings.Join(Columns[:7], ","), err)
	}
	geometry := map[string]bool{}
	for _, k := range kinds {
		for _, g := range k.Geometry {
			geometry[g] = true
		}
	}
	for i := range head {
		head[i] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(head[i], "\ufeff")))
		if !slices.Contains(Columns, head[i]) && !geometry[head[i]] {
			return nil, fmt.Errorf("line 1: %q is no column: want some of %s, or a number of a part's geometry", head[i], strings.Join(Columns, ", "))
		}
	}
	if !slices.Contains(head, "what") {
		return nil, errors.New("line 1: the column what is missing: it says site, well, part, run or maintenance")
	}
	out := []Line{}
	for {
		rec, err := c.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		line, _ := c.FieldPos(0)
		var wrong *csv.ParseError
		if errors.As(err, &wrong) {
			out = append(out, Line{Line: wrong.StartLine, Why: wrong.Err.Error() + ": mend the quotes"})
			continue
		}
		if err != nil {
			return out, err
		}
		if len(out) >= maxLines {
			return out, fmt.Errorf("line %d: a table has at most %d lines", line, maxLines)
		}
		l := Line{Line: line}
		if len(rec) > len(head) {
			l.Why = fmt.Sprintf("it has %d fields, the first line names %d", len(rec), len(head))
			out = append(out, l)
			continue
		}
		v := map[string]string{}
		for i, s := range rec {
			v[head[i]] = strings.TrimSpace(s)
		}
		l.What = v["what"]
		done, err := r.importLine(ctx, v, geometry, by)
		switch {
		case errors.Is(err, ErrExists):
			l.Done = "was there"
		case err != nil:
			l.Why = err.Error()
		default:
			l.Done = done
		}
		out = append(out, l)
	}
}

func (r *Registry) importLine(ctx context.Context, v map[string]string, geometry map[string]bool, by string) (string, error) {
	var errs []error
	number := func(key string) float64 {
		if v[key] == "" {
			return 0
		}
		f, err := strconv.ParseFloat(v[key], 64)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %q is no number", key, v[key]))
		}
		return f
	}
	moment := func(key string, need bool) int64 {
		if v[key] == "" {
			if need {
				errs = append(errs, fmt.Errorf("%s: is missing: want RFC 3339, as 2026-11-22T02:12:44Z", key))
			}
			return 0
		}
		t, err := time.Parse(time.RFC3339, v[key])
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %q: want RFC 3339, as 2026-11-22T02:12:44Z", key, v[key]))
			return 0
		}
		return t.UnixNano()
	}
	switch v["what"] {
	case "site":
		return "kept", r.PutSite(ctx, Site{ID: v["id"], Name: v["name"], Country: v["country"]})
	case "well":
		w := Well{ID: v["id"], Name: v["name"], Site: v["site"], Drill: v["drill"], Spudded: moment("from", false), Completed: moment("to", false)}
		if err := errors.Join(errs...); err != nil {
			return "", err
		}
		return "kept", r.PutWell(ctx, w)
	case "part":
		p := Part{Serial: v["serial"], Kind: v["kind"], Maker: v["maker"], Model: v["model"], Note: v["note"], HoursBefore: number("hours_before"), MetresBefore: number("metres_before"), Geometry: map[string]float64{}}
		for g := range geometry {
			if v[g] != "" {
				p.Geometry[g] = number(g)
			}
		}
		if err := errors.Join(errs...); err != nil {
			return "", err
		}
		return "kept", r.PutPart(ctx, p, by)
	case "run":
		x := Run{Drill: v["drill"], Position: v["position"], Serial: v["serial"], From: moment("from", true), By: by}
		to := moment("to", false)
		if err := errors.Join(errs...); err != nil {
			return "", err
		}
		x, err := r.Install(ctx, x)
		if err != nil || to == 0 {
			return "installed", err
		}
		if x.To == to {
			return "installed", nil
		}
		if _, err := r.End(ctx, x.ID, to, v["reason"], v["grade"], by); err != nil {
			return "", errors.Join(fmt.Errorf("installed, but not taken out: %w", err))
		}
		return "installed and taken out", nil
	case "maintenance":
		m := Maintenance{Drill: v["drill"], Position: v["position"], At: moment("from", true), Activity: v["activity"], Category: v["category"], Mode: v["failure_mode"], Mechanism: v["mechanism"], Note: v["note"], By: by}
		if err := errors.Join(errs...); err != nil {
			return "", err
		}
		_, err := r.Maintain(ctx, m, nil)
		return "recorded", err
	}
	return "", fmt.Errorf("what: %q: want site, well, part, run or maintenance", v["what"])
}
