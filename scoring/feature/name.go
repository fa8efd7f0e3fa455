// Package feature computes features from a stream of readings. A feature's
// name is its definition: SPP__mean__60s, TDBT__slope__1h__z,
// SPP__std__5m__in_rotary; grammar.ebnf is the grammar, docs/features.md the
// meaning. The same code computes them in the stream, in a backtest and in an
// export, and gives the same bits whatever the order of arrival.
package feature

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind says what a name stands for.
type Kind byte

// The kinds of names.
const (
	Field   Kind = iota // a channel's last good value of the tick, or "state"
	Output              // model.output
	Feature             // computed over a window
	Since               // time since an event
)

// A Name is a parsed name.
type Name struct {
	Kind     Kind
	Channel  string
	Function string
	P        float64 // of q: the percentile, 0…100
	Order    float64 // of order and env: in multiples of the shaft's speed
	Part     string  // or the number of a part in place that says it, as top_drive_bearing_bpfo
	Low      float64 // of band and env, Hz
	High     float64
	Window   time.Duration
	Z        bool   // against the drill's own baseline
	Gate     string // rig state; "" all
	Model    string // of an Output
	Word     string // the output, or the event
	Unit     time.Duration
	text     string
}

// String returns the name as it was given; names have one spelling.
func (n Name) String() string { return n.text }

// Functions are the names of the functions of a window.
var Functions = []string{"last", "lag", "count", "sum", "mean", "std", "min", "max", "range", "median", "q", "slope", "ewma", "delta", "rate", "rms", "kurtosis", "skew", "crest", "peak", "p2p", "distinct", "band", "centroid", "env", "order"}

// OfWaveform reports whether a function is of snapshots alone: of other channels it is always missing.
func OfWaveform(name string) bool {
	return function(slices.Index(Functions, name)).ofWave()
}

var gates = []string{"rotary", "sliding", "reaming", "connection", "tripping", "circulating", "idle"}

var units = map[string]time.Duration{"seconds": time.Second, "minutes": time.Minute, "hours": time.Hour, "days": 24 * time.Hour}

// secondsUpTo is the longest window made of seconds' tiles, and of exact order statistics.
const secondsUpTo = 10 * time.Minute

// longest is the longest window.
const longest = 30 * 24 * time.Hour

// IsFeature reports whether a name can only be one computed from the stream.
func IsFeature(name string) bool { return strings.Contains(name, "__") }

// Parse reads a name; the error says what is wrong and what would be right.
func Parse(s string) (Name, error) {
	n := Name{text: s}
	bad := func(format string, args ...any) (Name, error) {
		return Name{}, fmt.Errorf("name %q: %s", clip(s), fmt.Sprintf(format, args...))
	}
	if len(s) > 200 {
		return bad("is longer than 200 characters")
	}
	if !strings.Contains(s, "__") {
		if m, w, ok := strings.Cut(s, "."); ok {
			if !model(m) || !word(w) {
				return bad("want model.output")
			}
			n.Kind, n.Model, n.Word = Output, m, w
			return n, nil
		}
		if err := channel(s); err != nil {
			return bad("%v", err)
		}
		n.Kind, n.Channel = Field, s
		return n, nil
	}
	parts := strings.Split(s, "__")
	if u, ok := units[parts[0]]; ok && parts[1] == "since" {
		if len(parts) != 3 || !strings.HasPrefix(parts[2], "event_") || !word(strings.TrimPrefix(parts[2], "event_")) {
			return bad("want %s__since__event_NAME", parts[0])
		}
		n.Kind, n.Unit, n.Word = Since, u, strings.TrimPrefix(parts[2], "event_")
		return n, nil
	}
	if err := channel(parts[0]); err != nil {
		return bad("%v", err)
	}
	n.Kind, n.Channel, n.Function = Feature, parts[0], parts[1]
	if !slices.Contains(Functions, n.Function) {
		return bad("%q is no function: want one of %s", clip(n.Function), strings.Join(Functions, ", "))
	}
	rest := parts[2:]
	if n.Function == "q" {
		if len(rest) == 0 || !strings.HasPrefix(rest[0], "p_") {
			return bad("q needs its percentile, as in %s__q__p_95__5m", n.Channel)
		}
		txt := strings.TrimPrefix(rest[0], "p_")
		p, err := strconv.ParseFloat(strings.Replace(txt, "_", ".", 1), 64)
		if err != nil || !digits(strings.Replace(txt, "_", "", 1)) || p > 100 {
			return bad("percentile %q: want 0 to 100, as p_95 or p_99_9", clip(txt))
		}
		n.P = p
		rest = rest[1:]
	}
	if n.Function == "order" || n.Function == "env" {
		if len(rest) == 0 || !strings.HasPrefix(rest[0], "o_") || !n.order(rest[0][2:]) {
			return bad("%s needs an order of the shaft over 0, at most 1000, or the number of a part that says it, as o_3_06 or o_top_drive_bearing_bpfo", n.Function)
		}
		rest = rest[1:]
	}
	if n.Function == "band" || n.Function == "env" {
		if len(rest) == 0 || !strings.HasPrefix(rest[0], "f_") || !n.band(rest[0][2:]) {
			return bad("%s needs a band in whole hertz, low and high, at most 1000000, as f_2500_3500", n.Function)
		}
		rest = rest[1:]
	}
	if len(rest) == 0 {
		return bad("has no window, as in %s__%s__60s", n.Channel, n.Function)
	}
	w, err := window(rest[0])
	if err != nil {
		return bad("%v", err)
	}
	n.Window = w
	rest = rest[1:]
	if len(rest) > 0 && rest[0] == "z" {
		n.Z = true
		rest = rest[1:]
	}
	if len(rest) > 0 && strings.HasPrefix(rest[0], "in_") {
		n.Gate = strings.TrimPrefix(rest[0], "in_")
		if !slices.Contains(gates, n.Gate) {
			return bad("%q is no rig state: want one of %s", clip(n.Gate), strings.Join(gates, ", "))
		}
		rest = rest[1:]
	}
	if len(rest) > 0 {
		return bad("%q after the window: want z, then in_STATE, or nothing", clip(rest[0]))
	}
	switch n.Function {
	case "median", "q", "distinct":
		if n.Window > secondsUpTo {
			return bad("%s is exact, over at most 10m; a longer one is not computed", n.Function)
		}
	case "ewma":
		if 8*n.Window > longest {
			return bad("ewma reaches back 8 windows, at most 30d in all")
		}
	}
	return n, nil
}

// order reads an order: a number, or the name of one of a part.
func (n *Name) order(s string) bool {
	if s == "" || s[0] < '0' || s[0] > '9' {
		n.Part = s
		return word(s)
	}
	v, err := strconv.ParseFloat(strings.Replace(s, "_", ".", 1), 64)
	n.Order = v
	return err == nil && digits(strings.Replace(s, "_", "", 1)) && s[len(s)-1] != '_' && v > 0 && v <= 1000
}

// band reads a band: two whole numbers of hertz.
func (n *Name) band(s string) bool {
	low, high, _ := strings.Cut(s, "_")
	whole := func(s string) (float64, bool) {
		v, err := strconv.Atoi(s)
		return float64(v), err == nil && digits(s) && (s[0] != '0' || s == "0") && v <= 1_000_000
	}
	var a, b bool
	n.Low, a = whole(low)
	n.High, b = whole(high)
	return a && b && n.Low < n.High
}

func channel(s string) error {
	if s == "" || len(s) > 24 {
		return fmt.Errorf("a channel's name has 1 to 24 characters")
	}
	for i, p := range strings.Split(s, "_") {
		if p == "" {
			return fmt.Errorf("underscores in a channel's name stand single, between letters or digits")
		}
		for j := range len(p) {
			c := p[j]
			letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
			if !letter && (c < '0' || c > '9' || i == 0 && j == 0) {
				return fmt.Errorf("a channel's name is letters and digits, beginning with a letter; not %q", c)
			}
		}
	}
	return nil
}

func word(s string) bool {
	if s == "" || len(s) > 100 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return true
}

func model(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || c != '-' && c != '_') {
			return false
		}
	}
	return true
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func window(s string) (time.Duration, error) {
	if s == "" {
		return 0, fmt.Errorf("window is empty: want a count and s, m, h or d, as 60s")
	}
	unit, ok := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[s[len(s)-1]]
	n, err := strconv.Atoi(s[:len(s)-1])
	if !ok || err != nil || !digits(s[:len(s)-1]) || n < 1 || s[0] == '0' {
		return 0, fmt.Errorf("window %q: want a count from 1 and s, m, h or d, as 60s", clip(s))
	}
	if n > int(longest/unit) {
		return 0, fmt.Errorf("window %q: at most 30d", clip(s))
	}
	w := time.Duration(n) * unit
	switch {
	case w > 24*time.Hour && w%time.Hour != 0:
		return 0, fmt.Errorf("window %q: over 24h it is whole hours", clip(s))
	case w > secondsUpTo && w%time.Minute != 0:
		return 0, fmt.Errorf("window %q: over 10m it is whole minutes", clip(s))
	}
	return w, nil
}

func clip(s string) string {
	if len(s) > 60 {
		return s[:59] + "…"
	}
	return s
}
