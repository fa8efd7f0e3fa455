// Package imports reads files of measurements (CSV, JSON lines, Parquet, Avro,
// WITSML 1.4.1.1 logs), maps their columns to channels, and gives frames, in
// the files' order and always the same for the same file and mapping: sending
// them again stores nothing twice.
package imports

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// A Mapping says what a file's columns are. The zero value suits files whose
// columns are called as channels are, with a column "time".
type Mapping struct {
	Format    string `json:"format,omitempty"`    // csv, jsonl, parquet, avro, witsml; "": by the file's name
	Delimiter string `json:"delimiter,omitempty"` // of csv: ",", ";", "tab" or "space" (any run of blanks); default: by the file's name
	// Columns names the columns of a csv without a header; where there is a header, Header says so.
	Columns []string `json:"columns,omitempty"`
	Header  *bool    `json:"header,omitempty"` // default: true, or false where Columns are given

	Drill       string `json:"drill,omitempty"`        // constant
	DrillColumn string `json:"drill_column,omitempty"` // or in a column,
	DrillPrefix string `json:"drill_prefix,omitempty"` // whose value it comes before

	Time     string `json:"time,omitempty"`      // column; default "time"
	TimeUnit string `json:"time_unit,omitempty"` // "": RFC 3339; s, ms, us: Unix time; step: a number of steps
	Start    string `json:"start,omitempty"`     // of step 0, RFC 3339
	Step     string `json:"step,omitempty"`      // duration of one

	Channels map[string]Column `json:"channels,omitempty"` // by column; others are left out, or taken under their own name with All
	All      bool              `json:"all,omitempty"`
	Null     []string          `json:"null,omitempty"` // texts that stand for no value, besides the empty one, -999.25 and -9999
}

// A Column is a channel's: value = (number - Shift) * Scale; or of a text by Values.
type Column struct {
	Tag    string             `json:"tag"`
	Unit   string             `json:"unit,omitempty"` // of the numbers, where not the catalogue's
	Scale  float64            `json:"scale,omitempty"`
	Shift  float64            `json:"shift,omitempty"`
	Values map[string]float64 `json:"values,omitempty"`
}

// ReadMapping reads a mapping from JSON and refuses keys it does not know.
func ReadMapping(r io.Reader) (Mapping, error) {
	var m Mapping
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("mapping: %w", err)
	}
	return m, nil
}

// A Bad row is left out of an import.
type Bad struct {
	Line   int // from 1; of Parquet and Avro: the row's number
	Column string
	Why    string
}

func (b Bad) String() string {
	if b.Column == "" {
		return fmt.Sprintf("line %d: %s", b.Line, b.Why)
	}
	return fmt.Sprintf("line %d, column %s: %s", b.Line, b.Column, b.Why)
}

// A record is one row as a reader finds it.
type record struct {
	line   int
	values map[string]string
	units  map[string]string // of columns, where the file tells them
	drill  string            // where the file tells it
	bad    string            // why it cannot be read at all
	done   int64             // bytes of the file read so far; 0: unknown
}

// An Import is one file under one mapping.
type Import struct {
	path string
	m    Mapping
	cat  *telemetry.Catalogue
	boot string // of all its frames: names the file's bytes and the mapping
	size int64
	tags map[string]column
	bad  func(Bad)

	Rows, BadRows int
	Unmapped      []string // columns that were left out
}

type column struct {
	tag          string
	scale, shift float64
	values       map[string]float64
	err          string
}

// Open checks the mapping and reads the file once for its name. bad is told of
// each row, or value of a row, that is left out.
func Open(path string, m Mapping, cat *telemetry.Catalogue, bad func(Bad)) (*Import, error) {
	if m.Format == "" {
		switch strings.ToLower(filepath.Ext(path)) {
		case ".csv", ".tsv", ".txt":
			m.Format = "csv"
		case ".jsonl", ".ndjson", ".json":
			m.Format = "jsonl"
		case ".parquet":
			m.Format = "parquet"
		case ".avro":
			m.Format = "avro"
		case ".xml", ".witsml":
			m.Format = "witsml"
		default:
			return nil, fmt.Errorf("format: cannot be told from the name %q: give csv, jsonl, parquet, avro or witsml", filepath.Base(path))
		}
	}
	if m.Delimiter == "" {
		m.Delimiter = map[string]string{".tsv": "tab", ".txt": "space"}[strings.ToLower(filepath.Ext(path))]
	}
	if m.Time == "" {
		m.Time = "time"
	}
	if m.Drill == "" && m.DrillColumn == "" && m.Format != "witsml" {
		return nil, errors.New("drill: say whose measurements these are: drill, or drill_column")
	}
	if m.Drill != "" {
		if err := telemetry.ValidID(m.Drill); err != nil {
			return nil, fmt.Errorf("drill: %w", err)
		}
	}
	switch m.TimeUnit {
	case "", "s", "ms", "us":
	case "step":
		if _, err := time.Parse(time.RFC3339, m.Start); err != nil {
			return nil, fmt.Errorf("start: %q: with time_unit step, the time of step 0 as 2026-01-01T00:00:00Z is wanted", m.Start)
		}
		if d, err := time.ParseDuration(m.Step); err != nil || d <= 0 {
			return nil, fmt.Errorf("step: %q: with time_unit step, a duration as 1s or 1h is wanted", m.Step)
		}
	default:
		return nil, fmt.Errorf("time_unit: %q: want s, ms, us, step, or none for RFC 3339", m.TimeUnit)
	}
	for name, c := range m.Channels {
		if err := telemetry.ValidTag(c.Tag); err != nil {
			return nil, fmt.Errorf("channels: %s: %w", name, err)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	size, err := io.Copy(h, f)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	h.Write(text)
	if bad == nil {
		bad = func(Bad) {}
	}
	return &Import{path: path, m: m, cat: cat, boot: "import-" + hex.EncodeToString(h.Sum(nil)[:8]), size: size, tags: map[string]column{}, bad: bad}, nil
}

// Boot names the file and its mapping: two imports of both give the same frames.
func (im *Import) Boot() string { return im.boot }

// Format is what the file is read as.
func (im *Import) Format() string { return im.m.Format }

// Frames calls f for each frame, in the file's order, and with the share of the
// file that is read (0…1; negative: unknown). The frame is f's to keep.
func (im *Import) Frames(ctx context.Context, f func(frame *telemetry.Frame, share float64) error) error {
	read := map[string]func(context.Context, func(record) error) error{
		"csv": im.readCSV, "jsonl": im.readJSON, "parquet": im.readParquet, "avro": im.readAvro, "witsml": im.readWITSML,
	}[im.m.Format]
	if read == nil {
		return fmt.Errorf("format: %q: want csv, jsonl, parquet, avro or witsml", im.m.Format)
	}
	seq := uint64(0)
	err := read(ctx, func(r record) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		im.Rows++
		frame, why := im.frame(r)
		if why != nil {
			im.BadRows++
			im.bad(*why)
			return nil
		}
		frame.Seq = seq
		seq++
		share := -1.0
		if r.done > 0 && im.size > 0 {
			share = float64(r.done) / float64(im.size)
		}
		return f(frame, share)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(im.path), err)
	}
	return nil
}

// frame makes of one row a frame of one sample per channel.
func (im *Import) frame(r record) (*telemetry.Frame, *Bad) {
	if r.bad != "" {
		return nil, &Bad{Line: r.line, Why: r.bad}
	}
	drill := im.m.Drill
	if drill == "" {
		drill = r.drill
	}
	if im.m.DrillColumn != "" {
		v, ok := r.values[im.m.DrillColumn]
		if !ok {
			return nil, &Bad{r.line, im.m.DrillColumn, "there is no such column: it should name the drill"}
		}
		drill = im.m.DrillPrefix + strings.TrimSpace(v)
	}
	if err := telemetry.ValidID(drill); err != nil {
		return nil, &Bad{r.line, im.m.DrillColumn, "drill: " + err.Error()}
	}
	text, ok := r.values[im.m.Time]
	if !ok {
		return nil, &Bad{r.line, im.m.Time, "there is no such column: it should give the time"}
	}
	ts, err := im.time(strings.TrimSpace(text))
	if err != nil {
		return nil, &Bad{r.line, im.m.Time, err.Error()}
	}
	f := &telemetry.Frame{Drill: drill, Boot: im.boot, TS: ts}
	names := make([]string, 0, len(r.values))
	for name := range r.values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if name == im.m.Time || name == im.m.DrillColumn {
			continue
		}
		c, ok := im.column(name, r.units[name])
		if !ok {
			continue
		}
		if c.err != "" {
			return nil, &Bad{r.line, name, c.err}
		}
		v, absent, err := im.number(c, strings.TrimSpace(r.values[name]))
		if err != nil {
			return nil, &Bad{r.line, name, err.Error()}
		}
		if !absent {
			f.Runs = append(f.Runs, telemetry.Run{Channel: c.tag, Values: []float64{v}})
		}
	}
	if len(f.Runs) == 0 {
		return nil, &Bad{Line: r.line, Why: "none of its columns has a value for a channel"}
	}
	return f, nil
}

func (im *Import) number(c column, text string) (v float64, absent bool, err error) {
	if text == "" || slices.Contains(im.m.Null, text) {
		return 0, true, nil
	}
	if v, ok := c.values[text]; ok {
		return v, false, nil
	}
	v, err = strconv.ParseFloat(text, 64)
	switch {
	case err != nil && c.values != nil:
		return 0, false, fmt.Errorf("%q is none of the values that the mapping lists", text)
	case err != nil:
		return 0, false, fmt.Errorf("%q is no number", text)
	case math.IsInf(v, 0):
		return 0, false, fmt.Errorf("%q is not finite", text)
	case v != v, v == -999.25, v == -9999:
		return 0, true, nil
	}
	return (v - c.shift) * c.scale, false, nil
}

func (im *Import) time(text string) (int64, error) {
	if im.m.TimeUnit == "" {
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return 0, fmt.Errorf("%q is no time as 2026-01-31T12:00:00Z; time_unit says how else it may be written", text)
		}
		return t.UnixMicro() * 1000, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(v, 0) || v != v {
		return 0, fmt.Errorf("%q is no number of %s", text, im.m.TimeUnit)
	}
	var ns float64
	switch im.m.TimeUnit {
	case "s":
		ns = v * 1e9
	case "ms":
		ns = v * 1e6
	case "us":
		ns = v * 1e3
	default:
		start, _ := time.Parse(time.RFC3339, im.m.Start) // Open has checked both
		step, _ := time.ParseDuration(im.m.Step)
		ns = float64(start.UnixNano()) + v*float64(step)
	}
	if math.Abs(ns) > 9.2e18 {
		return 0, fmt.Errorf("%q lies beyond the years 1678 to 2262", text)
	}
	return int64(math.Round(ns/1000)) * 1000, nil
}

// column finds out what a column is; ok is false for one that is left out.
func (im *Import) column(name, unit string) (column, bool) {
	key := name + "\x00" + unit
	if c, ok := im.tags[key]; ok {
		return c, c.tag != ""
	}
	c := im.resolve(name, unit)
	im.tags[key] = c
	if c.tag == "" && !slices.Contains(im.Unmapped, name) {
		im.Unmapped = append(im.Unmapped, name)
	}
	return c, c.tag != ""
}

func (im *Import) resolve(name, unit string) column {
	m, mapped := im.m.Channels[name]
	if !mapped {
		if ch := im.byName(name); ch != nil {
			m.Tag = ch.Tag
		} else if im.m.All && telemetry.ValidTag(name) == nil {
			m.Tag = name
		} else {
			return column{}
		}
	}
	c := column{tag: m.Tag, scale: m.Scale, shift: m.Shift, values: m.Values}
	if c.scale == 0 {
		c.scale = 1
	}
	if m.Unit != "" {
		unit = m.Unit
	}
	ch := im.cat.Get(m.Tag)
	if ch == nil || unit == "" || mapped && m.Scale != 0 {
		return c
	}
	scale, shift, ok := toUnit(ch, unit)
	if !ok {
		c.err = fmt.Sprintf("unit %q of %s is not known here: want %s or %s, or give the mapping a scale for it", unit, ch.Tag, ch.Unit, ch.Field)
	}
	c.scale, c.shift = scale, shift
	return c
}

// byName finds a channel by its tag, or in a WITSML log by its mnemonic.
func (im *Import) byName(name string) *telemetry.Channel {
	if ch := im.cat.Get(name); ch != nil {
		return ch
	}
	if im.m.Format == "witsml" {
		for _, ch := range im.cat.All() {
			if ch.WITSML != "" && strings.EqualFold(ch.WITSML, name) {
				return &ch
			}
		}
	}
	return nil
}

// aliases are how WITSML and spreadsheets write units; to how the catalogue does.
var aliases = map[string]string{
	"degc": "°C", "degf": "°F", "c/min": "rpm", "rev/min": "rpm", "gal/min": "gpm", "galus/min": "gpm", "l/min": "L/min", "m3": "m³", "lb/galus": "ppg", "lbm/gal": "ppg",
	"kn.m": "kN·m", "kft.lbf": "kft·lbf", "1000ft.lbf": "kft·lbf", "gapi": "gAPI", "dega": "°", "deg": "°", "unitless": "–", "euc": "–", "klbf": "klbf", "1000lbf": "klbf",
}

// factors bring other units of the field to the catalogue's: (number - shift) * scale.
var factors = map[[2]string][2]float64{
	{"kPa", "MPa"}: {1e-3, 0}, {"Pa", "MPa"}: {1e-6, 0}, {"bar", "MPa"}: {0.1, 0}, {"N", "kN"}: {1e-3, 0}, {"lbf", "kN"}: {0.0044482216152605, 0}, {"kdaN", "kN"}: {10, 0}, {"daN", "kN"}: {0.01, 0},
	{"ft", "m"}: {0.3048, 0}, {"m/s", "m/h"}: {3600, 0}, {"ft/h", "m/h"}: {0.3048, 0}, {"m3/s", "L/min"}: {60000, 0}, {"m3/min", "L/min"}: {1000, 0}, {"g/cm3", "kg/m³"}: {1000, 0}, {"kg/m3", "kg/m³"}: {1, 0},
	{"K", "°C"}: {1, 273.15}, {"N.m", "kN·m"}: {1e-3, 0}, {"rad/s", "rpm"}: {60 / (2 * math.Pi), 0}, {"W", "kW"}: {1e-3, 0},
}

func toUnit(ch *telemetry.Channel, unit string) (scale, shift float64, ok bool) {
	u := unit
	if a, found := aliases[strings.ToLower(u)]; found {
		u = a
	}
	switch {
	case strings.EqualFold(u, ch.Unit):
		return 1, 0, true
	case strings.EqualFold(u, ch.Field) && ch.Factor != 0:
		return 1 / ch.Factor, ch.Shift, true
	}
	if f, found := factors[[2]string{unit, ch.Unit}]; found {
		return f[0], f[1], true
	}
	return 1, 0, false
}
