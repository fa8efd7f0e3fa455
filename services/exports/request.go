// Package exports writes tables for engineers out of a running store: features by
// name as the stream computed them, with what was said of the drill and labels
// joined; or readings or scores as they are stored. To Parquet, CSV or JSON lines, as
// jobs that run beside the stream at low priority and can be cancelled.
package exports

import (
	"errors"
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/services/scorer"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Tables that can be exported.
const (
	Features = "features" // a row per drill and cadence: the training table
	Readings = "readings" // a row per sample
	Scores   = "scores"   // a row per drill and tick, as the view scores
)

// Formats of files.
const (
	Parquet = "parquet"
	CSV     = "csv"
	JSON    = "json" // JSON lines
)

// Bounds of a request.
const (
	MaxColumns = 500
	MaxLabels  = 100_000
)

// A Request says what to export. The zero value of a key is its default.
type Request struct {
	Table    string            `json:"table,omitempty" enum:"features,readings,scores" doc:"features (a training table), readings or scores; default: features"`
	Columns  []string          `json:"columns,omitempty" maxItems:"500" doc:"of features: channels, features by name, state, health, confidence, model.output, …; of readings: channels, none for all"`
	Drills   []string          `json:"drills,omitempty" maxItems:"10000" doc:"names or globs, as RIG-*; none for all"`
	From     string            `json:"from,omitempty" doc:"RFC 3339; default: the first frame stored"`
	To       string            `json:"to,omitempty" doc:"RFC 3339, not included; default: the last frame stored"`
	Every    string            `json:"every,omitempty" doc:"cadence of features: the last tick of each such span; default: 60s" example:"60s"`
	Warmup   string            `json:"warmup,omitempty" doc:"how much of the past is read before from: a span, or all; default: what the features remember and rig states are learned from"`
	Labels   []Span            `json:"labels,omitempty" maxItems:"100000" doc:"what was the matter, and when"`
	Known    bool              `json:"known_labels,omitempty" doc:"the labels that are kept here, too (POST /labels)"`
	Verdicts bool              `json:"verdicts,omitempty" doc:"people's verdicts on alarms as labels"`
	Work     bool              `json:"maintenance,omitempty" doc:"maintenance as labels: for each position the span up to the work, its failure mode or activity as value"`
	Split    map[string]uint32 `json:"split,omitempty" doc:"shares by name, as train 70, valid 15, test 15: a column split, the same for all rows of a drill"`
	Seed     uint64            `json:"seed,omitempty" doc:"of split"`
	Format   string            `json:"format,omitempty" enum:"parquet,csv,json" doc:"default: parquet"`
	Limit    int64             `json:"limit,omitempty" minimum:"0" doc:"rows of readings and scores; 0: no limit"`
}

// A Span is a label: a span of time in which something was the matter with a drill, or held of it.
type Span struct {
	Drill string `json:"drill" maxLength:"64"`
	Kind  string `json:"kind" maxLength:"40" doc:"makes the columns label_KIND, label_KIND_age and label_KIND_hours_left"`
	From  string `json:"from" doc:"RFC 3339"`
	To    string `json:"to" doc:"RFC 3339, not included: the failure, or the repair"`
	Value string `json:"value,omitempty" maxLength:"100" doc:"number or word; none: 1"`
}

// A plan is a request that was checked.
type plan struct {
	Request
	from, to int64
	every    int64
	warmup   int64
	inputs   []string // what is computed of frames; without state
	said     []string // what is read of scores
	drills   []string
	labels   []labelColumn
}

// Store is what exports ask of the columnstore; *duckdb.Store is one.
type Store interface {
	Drills() []storage.Drill
	Unregistered() []storage.SeenChannel
	source
}

var labelKind = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)

// compile checks a request against what is stored; the error joins all that is wrong with it.
func compile(r Request, st Store, cat *telemetry.Catalogue) (*plan, error) {
	p := &plan{Request: r}
	var wrong []error
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	known := st.Drills()
	known = slices.DeleteFunc(known, func(d storage.Drill) bool { return d.Frames == 0 })
	slices.SortFunc(known, func(a, b storage.Drill) int { return strings.Compare(a.Drill, b.Drill) })
	lo, hi := int64(math.MaxInt64), int64(math.MinInt64)
	for _, d := range known {
		lo, hi = min(lo, telemetry.Tick(d.First)), max(hi, d.Last+1000)
		if len(r.Drills) == 0 || matches(r.Drills, d.Drill) {
			p.drills = append(p.drills, d.Drill)
		}
	}
	for _, glob := range r.Drills {
		if !slices.ContainsFunc(p.drills, func(d string) bool { return matches([]string{glob}, d) }) {
			bad("drills: no frame of %q is stored; there are %s", glob, some(names(known)))
		}
	}
	switch {
	case len(known) == 0:
		bad("drills: nothing is stored yet; let devices send, or import history (mudpulse import)")
	default:
		p.from, p.to = instant(r.From, lo, "from", bad), instant(r.To, hi, "to", bad)
		if p.from >= p.to {
			bad("to: must be after from, %s", stamp(p.from))
		} else if p.from >= hi || p.to <= lo {
			bad("from, to: nothing is stored of that time; frames reach from %s to %s", stamp(lo), stamp(hi))
		}
	}
	p.Table, p.Format = or(r.Table, Features), or(r.Format, Parquet)
	switch p.Format {
	case Parquet, CSV, JSON:
	default:
		bad("format: %q: want parquet, csv or json", r.Format)
	}
	if len(r.Columns) > MaxColumns {
		bad("columns: %d, at most %d", len(r.Columns), MaxColumns)
	}
	if p.Limit < 0 {
		bad("limit: must not be negative")
	}
	switch p.Table {
	case Features:
		p.compileFeatures(st, cat, bad)
	case Readings, Scores:
		for _, k := range []struct {
			given bool
			key   string
		}{{r.Every != "", "every"}, {r.Warmup != "", "warmup"}, {len(r.Labels) > 0, "labels"}, {r.Known, "known_labels"}, {r.Verdicts, "verdicts"}, {r.Work, "maintenance"}, {len(r.Split) > 0, "split"}} {
			if k.given {
				bad("%s: is for features", k.key)
			}
		}
		if p.Table == Scores && len(r.Columns) > 0 {
			bad("columns: scores have theirs; ask for features to choose")
		}
		if p.Table == Readings {
			checkChannels(r.Columns, st, cat, bad)
		}
	default:
		bad("table: %q: want features, readings or scores", r.Table)
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *plan) compileFeatures(st Store, cat *telemetry.Catalogue, bad func(string, ...any)) {
	if len(p.Columns) == 0 {
		bad("columns: none given: name channels (WOB), features (SPP__mean__60s; docs/features.md), health, or a model's output (model.output); channels are %s", some(heard(st, cat)))
	}
	seen := map[string]bool{"drill": true, "ts": true, "state": true, "split": true}
	for _, c := range p.Columns {
		if c == "state" {
			continue // is always there
		}
		if seen[strings.ToLower(c)] {
			bad("columns: %s: twice, or taken", c)
		}
		seen[strings.ToLower(c)] = true
		if isSaid(c) {
			p.said = append(p.said, c)
			continue
		}
		if err := scorer.CheckTap(c); err != nil {
			bad("columns: %w", err)
			continue
		}
		p.inputs = append(p.inputs, c)
		checkChannels(scorer.Reads(c), st, cat, bad)
	}
	p.every = int64(span(or(p.Every, "60s"), "every", bad))
	if p.every < int64(time.Second) || p.every%int64(time.Second) != 0 || p.every > int64(30*24*time.Hour) {
		bad("every: must be whole seconds up to 720h, not %q", p.Every)
	}
	need, all, err := scorer.Warmup(p.inputs)
	if err == nil {
		p.warmup = int64(need)
	}
	switch {
	case p.Warmup == "all" || p.Warmup == "" && all:
		p.warmup = math.MaxInt64
	case p.Warmup != "":
		if p.warmup = int64(span(p.Warmup, "warmup", bad)); p.warmup < 0 {
			bad("warmup: must not be negative")
		}
	}
	p.labels = labelColumns(p.Labels, seen, bad)
	total := uint64(0)
	for name, share := range p.Split {
		total += uint64(share)
		if name == "" || len(name) > 40 {
			bad("split: %q: is no name", name)
		}
	}
	if len(p.Split) > 0 && total == 0 {
		bad("split: shares must not all be 0")
	}
}

// isSaid reports whether a name is read from scores.
func isSaid(c string) bool {
	if strings.Contains(c, ".") {
		return !strings.HasPrefix(c, "part.")
	}
	switch c {
	case "health", "confidence", "time_left", "time_left_low", "time_left_high":
		return true
	}
	return false
}

// heard lists the channels that can be asked for.
func heard(st Store, cat *telemetry.Catalogue) []string {
	var out []string
	for _, c := range cat.All() {
		out = append(out, c.Tag)
	}
	for _, c := range st.Unregistered() {
		out = append(out, c.Tag)
	}
	return out
}

func checkChannels(channels []string, st Store, cat *telemetry.Catalogue, bad func(string, ...any)) {
	for _, c := range channels {
		if got := cat.Get(c); got != nil {
			if got.Tag != c {
				bad("columns: channel %s is written %s", c, got.Tag)
			}
			continue
		}
		if !slices.ContainsFunc(st.Unregistered(), func(s storage.SeenChannel) bool { return s.Tag == c }) {
			bad("columns: channel %s: no such channel; there are %s", c, some(heard(st, cat)))
		}
	}
}

func matches(globs []string, drill string) bool {
	return slices.ContainsFunc(globs, func(g string) bool {
		ok, err := path.Match(g, drill)
		return g == drill || err == nil && ok
	})
}

func names(drills []storage.Drill) []string {
	out := make([]string, len(drills))
	for i, d := range drills {
		out[i] = d.Drill
	}
	return out
}

// some lists the first few.
func some(list []string) string {
	const few = 30
	switch {
	case len(list) == 0:
		return "none"
	case len(list) > few:
		return strings.Join(list[:few], ", ") + fmt.Sprintf(" and %d more", len(list)-few)
	}
	return strings.Join(list, ", ")
}

func instant(s string, otherwise int64, key string, bad func(string, ...any)) int64 {
	if s == "" {
		return otherwise
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		bad("%s: %q: want a time as 2026-01-31T06:00:00Z", key, s)
		return otherwise
	}
	return t.UnixNano()
}

func span(s, key string, bad func(string, ...any)) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		bad("%s: %q: want a span as 60s or 1h", key, s)
	}
	return d
}

func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339) }

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func isNumber(s string) bool {
	v, err := strconv.ParseFloat(s, 64)
	return err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
}
