package view

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/mudpulse/mudpulse/services/alarmlife"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Subsystem is the health of one subsystem.
type Subsystem struct {
	Name       string `json:"name"`
	Health     Num    `json:"health" doc:"0 to 100; null: not judged"`
	Confidence Num    `json:"confidence" doc:"0 to 1"`
	At         Time   `json:"at" doc:"when it was said, while its model cannot be asked, as during a trip; null: now"`
}

// Subsystems returns s's in the order screens show them; those not judged are null.
func Subsystems(s *telemetry.Score) []Subsystem {
	out := make([]Subsystem, 0, len(telemetry.Subsystems))
	for _, name := range telemetry.Subsystems {
		v := Subsystem{Name: name, Health: Num(math.NaN())}
		if s != nil {
			for _, h := range s.Subsystems {
				if h.Name == name {
					v.Health, v.Confidence, v.At = Num(h.Health), Num(h.Confidence), Time(h.At)
				}
			}
		}
		out = append(out, v)
	}
	return out
}

// Reason says where points of health went.
type Reason struct {
	Subsystem string `json:"subsystem"`
	Code      string `json:"code"`
	Text      string `json:"text" doc:"in a driller's words; where an alarm of the subsystem stands, those it was raised or last made more urgent with"`
	Now       string `json:"now,omitempty" doc:"what is measured now, where text is an alarm's of since"`
	Points    Num    `json:"points" doc:"taken from 100"`
	Feature   string `json:"feature"`
	Value     Num    `json:"value"`
	Normal    Num    `json:"normal"`
	Unit      string `json:"unit"`
	Model     string `json:"model"`
	Since     Time   `json:"since"`
}

// Channels is the catalogue, as much of it as words need.
type Channels interface {
	Get(tag string) *telemetry.Channel
}

// Reasons puts s's reasons into words. Where an alarm of the subsystem stands,
// its words and its time are better than any made from numbers; they are of then,
// so what is measured now stands beside them. An alarm that went back by itself
// says nothing of now. A reason without an alarm that took fewer than from points
// is not told: it explains nothing.
func Reasons(s *telemetry.Score, cat Channels, standing []*alarmlife.Alarm, from float64) []Reason {
	out := []Reason{}
	if s == nil {
		return out
	}
	used := map[string]bool{}
	for _, r := range s.Reasons {
		v := Reason{
			Subsystem: r.Subsystem, Code: r.Code, Points: Num(r.Points), Feature: r.Feature,
			Value: Num(r.Value), Normal: Num(r.Normal), Model: r.Model,
		}
		v.Text, v.Unit = words(r, cat)
		alarmed := false
		for _, a := range standing {
			if a.Subsystem == r.Subsystem && !used[a.ID] && a.Standing() && a.Cleared == 0 {
				used[a.ID] = true
				v.Text, v.Now, v.Since, alarmed = a.Reason, v.Text, Time(a.Raised), true
				break
			}
		}
		if !alarmed && r.Points < from {
			continue
		}
		out = append(out, v)
	}
	return out
}

// words says what was measured, and what it should be: "Standpipe pressure, mean
// of 60 s, is 21.0 MPa; normal is 22.4 MPa".
func words(r telemetry.Reason, cat Channels) (text, unit string) {
	base, rest, _ := strings.Cut(r.Feature, "__")
	var ch *telemetry.Channel
	if base != "" {
		ch = cat.Get(base)
	}
	if ch == nil {
		if model, output, ok := strings.Cut(r.Feature, "."); ok && !math.IsNaN(r.Value) {
			return fmt.Sprintf("%s says %s = %s", model, output, number(r.Value, 0.001)), ""
		}
		return strings.ReplaceAll(strings.ToLower(r.Code), "_", " "), ""
	}
	what := strings.ToUpper(ch.What[:min(1, len(ch.What))]) + ch.What[min(1, len(ch.What)):]
	if what == "" {
		what = ch.Tag
	}
	resolution := ch.Resolution
	unit = ch.Unit
	if rest != "" {
		parts := strings.Split(rest, "__")
		what += partWords(parts)
		if dimensionless(parts) {
			unit, resolution = "", 0.01
		}
	}
	suffix := ""
	if unit != "" && unit != "–" {
		suffix = " " + unit
	}
	if math.IsNaN(r.Value) { // nobody is told that a motor is unknown °C hot
		return what + " was out of its normal when last judged", unit
	}
	text = fmt.Sprintf("%s is %s%s", what, number(r.Value, resolution), suffix)
	if !math.IsNaN(r.Normal) {
		text += fmt.Sprintf("; normal is %s%s", number(r.Normal, resolution), suffix)
	}
	return text, unit
}

// partWords says what was done with a channel, as people say it: ewma, 10m,
// in_rotary is ", mean of 10 min, while drilling".
func partWords(parts []string) string {
	said := map[string]string{"ewma": "mean", "std": "spread", "max": "highest", "min": "lowest", "delta": "change", "z": "against its usual", "kurtosis": "spikes", "last": ""}
	var b strings.Builder
	for i, p := range parts {
		n := len(p) - 1
		word, known := said[p]
		switch {
		case n > 0 && strings.Trim(p[:n], "0123456789") == "" && strings.ContainsRune("smhd", rune(p[n])):
			unit := map[byte]string{'s': "s", 'm': "min", 'h': "h", 'd': "d"}[p[n]]
			if i > 0 {
				b.WriteString(" of " + p[:n] + " " + unit)
			} else {
				b.WriteString(", " + p[:n] + " " + unit)
			}
		case p == "in_rotary":
			b.WriteString(", while drilling")
		case strings.HasPrefix(p, "in_"):
			b.WriteString(", while " + strings.ReplaceAll(p[3:], "_", " "))
		case known && word == "":
		case known:
			b.WriteString(", " + word)
		default:
			b.WriteString(", " + strings.ReplaceAll(p, "_", " "))
		}
	}
	return b.String()
}

// dimensionless reports whether a feature is no longer in its channel's unit.
func dimensionless(parts []string) bool {
	for _, p := range parts {
		switch p {
		case "z", "kurtosis", "skewness", "count", "slope":
			return true
		}
	}
	return false
}

// number writes v with as many decimals as resolution asks for.
func number(v, resolution float64) string {
	decimals := 3
	if resolution > 0 {
		decimals = min(6, max(0, int(math.Ceil(-math.Log10(resolution)-1e-9))))
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}

// TimeLeft is hours until failure: median, and the tenth and ninetieth part.
type TimeLeft struct {
	Median Num `json:"median" doc:"h"`
	Low    Num `json:"low" doc:"h; one in ten fails before"`
	High   Num `json:"high" doc:"h; one in ten fails after"`
}

// Left returns what s says of the time left; nil where no model does. A record
// without the three numbers reads as zeros.
func Left(s *telemetry.Score) *TimeLeft {
	if s == nil || math.IsNaN(s.TimeLeft) || s.TimeLeft == 0 && s.TimeLeftHigh == 0 {
		return nil
	}
	return &TimeLeft{Num(s.TimeLeft), Num(s.TimeLeftLow), Num(s.TimeLeftHigh)}
}

// Result is what one model said.
type Result struct {
	Model   string         `json:"model"`
	Version int            `json:"version"`
	Shadow  bool           `json:"shadow"`
	Outputs map[string]any `json:"outputs" doc:"by name: number, text, or null"`
	Error   string         `json:"error,omitempty"`
	SHA256  string         `json:"sha256,omitempty"`
	At      Time           `json:"at" doc:"tick it was computed at"`
}

// Results returns what the models said; sha gives a version's hash.
func Results(s *telemetry.Score, sha func(name string, version int) string) []Result {
	out := []Result{}
	if s == nil {
		return out
	}
	for _, r := range s.Results {
		name := telemetry.ModelName(r.Model)
		version, _ := strconv.Atoi(strings.TrimPrefix(r.Model[len(name):], "@")) // 0: it has none
		v := Result{Model: name, Version: version, Shadow: r.Shadow, Outputs: map[string]any{}, Error: r.Error, SHA256: sha(name, version), At: Time(s.Tick)}
		if r.At != 0 {
			v.At = Time(r.At)
		}
		for _, o := range r.Outputs {
			if o.Text != "" {
				v.Outputs[o.Name] = o.Text
			} else {
				v.Outputs[o.Name] = Num(o.Number)
			}
		}
		out = append(out, v)
	}
	return out
}
