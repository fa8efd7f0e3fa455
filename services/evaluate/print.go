package evaluate

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/simulators/rig"
)

// printer keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) f(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// titles of kinds, as crews say.
var titles = map[string]string{rig.Bearing: "bearing", rig.Pump: "pump valve", rig.Gearbox: "gearbox", rig.Cooling: "motor cooling", rig.Washout: "wash-out", rig.StickSlip: "stick-slip",
	rig.Whirl: "whirl", rig.Bounce: "bit bounce", rig.Balling: "bit balling", rig.Stall: "motor stall"}

// Sides are the contenders and the plain limits, over some studies together.
func (r *Result) sides(outcomes []*Outcome) []Side {
	var out []Side
	for k, name := range r.Contenders {
		out = append(out, side(name, outcomes, k, func(x *run) []Episode { return x.chosen(alarms.Model) }))
	}
	out = append(out, side("plain limits", outcomes, 0, func(x *run) []Episode { return x.chosen(alarms.Limit) }))
	out = append(out, side("models and limits, as delivered", outcomes, 0, func(x *run) []Episode { return x.delivered(r.rules) }))
	return out
}

// Print writes everything: each study, the studies together, and what is met and
// missed. It returns the number of figures that are missed.
func (r *Result) Print(w io.Writer) (missed int, err error) {
	p := &printer{w: w}
	var held, full, shifted []*Outcome
	for _, o := range r.Outcomes {
		switch {
		case o.Study.Full:
			full = append(full, o)
		case o.Study.Fleet.Shifted:
			shifted = append(shifted, o)
		default:
			held = append(held, o)
		}
	}
	if len(held) > 1 {
		for _, o := range held {
			r.study(p, o.Study.Name+": "+size(o), []*Outcome{o}, false)
		}
	}
	if len(held) > 0 {
		r.study(p, fmt.Sprintf("All %d held-out studies together, each like the first: %s", len(held), size(held[0])), held, true)
		missed += r.targets(p, held, "held-out fleets")
	}
	for _, o := range shifted {
		r.study(p, o.Study.Name+": "+size(o), []*Outcome{o}, true)
		missed += r.targets(p, []*Outcome{o}, "shifted fleet")
	}
	for _, o := range full {
		p.f("\n%s: %s\n", o.Study.Name, size(o))
		for _, s := range r.sides([]*Outcome{o}) {
			responses(p, s)
			p.f("    false alarms a drill-month: %s in %.1f drill-months\n", number(s.False, 2), s.Months)
			rules(p, s)
		}
		missed += r.response(p, []*Outcome{o})
		twoRates(p, o)
	}
	p.f("\n%d figures missed\n", missed)
	return missed, p.err
}

func size(o *Outcome) string {
	how := "one full second a minute"
	if o.Study.Full {
		how = "every second"
	}
	if d := o.Study.Fleet.Dense; d > 0 && d != 1 {
		how += fmt.Sprintf(", failures %g times as often as usual", d)
	}
	if d := o.Study.Fleet.Rough; d > 0 && d != 1 {
		how += fmt.Sprintf(", crews in trouble %g times as often as usual", d)
	}
	if o.Asked > o.Study.Fleet.Drills {
		how += fmt.Sprintf(", %d drills NOT DRIVEN YET", o.Asked-o.Study.Fleet.Drills)
	}
	return fmt.Sprintf("%d drills x %d days, %s, seed %d", o.Study.Fleet.Drills, o.Study.Fleet.Days, how, o.Study.Fleet.Seed)
}

func (r *Result) study(p *printer, title string, outcomes []*Outcome, detail bool) {
	p.f("\n%s\n", title)
	for k, s := range r.sides(outcomes) {
		p.f("\n  %s\n", s.Name)
		p.f("    %-14s %9s  %-18s %-24s %-24s %s\n", "failure", "failures", "missed", "lead, median", "lead, p10", "in time")
		for _, m := range s.Modes {
			p.f("    %-14s %9d  %-18s %-24s %-24s %s of %s\n", titles[m.Kind], m.Failures, percent(m.Missed), span(m.Median), span(m.P10), percent(m.InTime), hours(required[m.Kind].Hours()))
		}
		p.f("    missed of all that gave warning: %s of %d; sudden, apart: %d of %d warned of\n", percent(s.Missed), s.Failures, s.SuddenSeen, s.Sudden)
		p.f("    false alarms a drill-month: %s in %.0f drill-months; precision %s; chatter %s; in alarm %.2f %% of the time; %d episodes\n",
			number(s.False, 3), s.Months, percent(s.Precision), percent(s.Chatter), 100*s.InAlarm, s.Episodes)
		if !detail {
			continue
		}
		rules(p, s)
		responses(p, s)
		if k >= len(r.Contenders) {
			continue
		}
		p.f("    health below %d while nothing is the matter: %.3f %% of the time\n", lowHealth, 100*sick(outcomes, k))
		for _, l := range told(outcomes, k) {
			p.f("    hours left, %-14s MAE %s in the last third of %s, bias %+.1f h; within 20 %% at half of life %s; PHM08 %.2f a sample (error in 1/125 of the horizon); %d samples\n",
				titles[l.Kind]+":", hours(float64(l.MAE)), hours(l.Horizon), l.Bias, percent(l.AlphaL), l.PHM08, l.Samples)
		}
		bins, brier, base := calibration(outcomes, k)
		if bins == nil {
			p.f("    calibration: no model tells the probability of a failure (%s)\n", sayChance)
			continue
		}
		p.f("    calibration of %s: Brier %.4f, always the base rate %.4f\n", sayChance, brier, base)
		for _, b := range bins {
			p.f("      said %4.0f to %3.0f %%: %7d times, mean said %5.1f %%, came true %5.1f %%\n", 100*b.From, 100*b.To, b.Number, 100*b.Said, 100*b.Came)
		}
	}
}

func rules(p *printer, s Side) {
	for _, id := range slices.Sorted(maps.Keys(s.ByRule)) {
		b := s.ByRule[id]
		p.f("      %-26s %5d episodes, %4d false (%.3f a drill-month), %d came back", id, b.Episodes, b.False, float64(b.False)/s.Months, b.Back)
		if b.Example != "" {
			p.f("; first: %s", b.Example)
		}
		p.f("\n")
	}
}

func responses(p *printer, s Side) {
	for _, d := range s.Responses {
		if math.IsNaN(d.Median) {
			p.f("    %s: %s: %d times, none of them seen\n", s.Name, titles[d.Kind], d.Number)
			continue
		}
		p.f("    %s: %s: %d times, not seen %s, seen after %.0f s (median), %s (p90)\n", s.Name, titles[d.Kind], d.Number, percent(d.Missed), d.Median, secondsOrNever(d.P90))
	}
}

// secondsOrNever writes a span; NaN stands for what was not seen.
func secondsOrNever(s float64) string {
	if math.IsNaN(s) {
		return "never"
	}
	return fmt.Sprintf("%.0f s", s)
}

// targets prints each figure that is asked for as met or missed.
func (r *Result) targets(p *printer, outcomes []*Outcome, of string) int {
	sides := r.sides(outcomes)
	s, delivered := sides[0], sides[len(sides)-1]
	missed := 0
	line := func(ok bool, format string, args ...any) {
		word := "met   "
		if !ok {
			word = "MISSED"
			missed++
		}
		p.f("    %s  %s\n", word, fmt.Sprintf(format, args...))
	}
	p.f("\n  Figures asked of %s, on the %s\n", s.Name, of)
	line(s.False.Value <= maxFalse, "false alarms a drill-month %.3f, at most %.1f", s.False.Value, maxFalse)
	line(delivered.False.Value <= maxFalse, "false alarms a drill-month, %s %.3f, at most %.1f", delivered.Name, delivered.False.Value, maxFalse)
	line(s.Precision.Value >= minPrecision, "precision of episodes %.1f %%, at least %.0f %%", 100*s.Precision.Value, 100*minPrecision)
	line(s.Chatter.Value <= maxChatter, "chatter %.1f %%, at most %.0f %%", 100*s.Chatter.Value, 100*maxChatter)
	line(s.Missed.Value <= maxMissed, "missed without the sudden %.1f %%, at most %.0f %%", 100*s.Missed.Value, 100*maxMissed)
	for _, m := range s.Modes {
		want := required[m.Kind]
		line(m.Median.Value >= want.Hours(), "median lead, %s %s, at least %s", titles[m.Kind], hours(m.Median.Value), hours(want.Hours()))
	}
	return missed
}

func (r *Result) response(p *printer, outcomes []*Outcome) int {
	s := r.sides(outcomes)[0]
	for _, d := range s.Responses {
		if d.Kind != rig.StickSlip {
			continue
		}
		word, n := "met   ", 0
		if !(d.Median <= maxResponse.Seconds()) {
			word, n = "MISSED", 1
		}
		if math.IsNaN(d.Median) {
			p.f("    %s  stick-slip was there %d times and never seen; asked is after at most %.0f s\n", word, d.Number, maxResponse.Seconds())
			return n
		}
		p.f("    %s  stick-slip seen after %.0f s (median), at most %.0f s\n", word, d.Median, maxResponse.Seconds())
		return n
	}
	p.f("    MISSED  stick-slip: there was none to see\n")
	return 1
}

// twoRates prints how far features and alarms at full rate are from those of one
// second a minute, on the same drills.
func twoRates(p *printer, o *Outcome) {
	var all []*rates
	a, b := 0, 0
	var onlyFull, onlyDuty []Episode
	for _, r := range o.runs[0] {
		all = append(all, r.rates)
		full, duty := r.episodes, r.duty
		a, b = a+len(full), b+len(duty)
		onlyFull, onlyDuty = append(onlyFull, only(full, duty)...), append(onlyDuty, only(duty, full)...)
	}
	p.f("\n  Full rate beside one second a minute, the same drills: features at the end of each minute of rotary drilling\n")
	p.f("    %-36s %8s %12s %12s %12s %s\n", "feature", "minutes", "5th to 95th", "apart, median", "99th", "99th, share of 5th to 95th")
	for _, g := range gaps(all) {
		p.f("    %-36s %8d %12.4g %12.4g %12.4g  %.2f\n", g.Name, g.Minutes, g.Spread, g.Median, g.P99, g.P99/g.Spread)
	}
	p.f("    alarms: %d at full rate, %d from one second a minute; %d only at full rate, %d only from one second a minute (within 10 min)\n", a, b, len(onlyFull), len(onlyDuty))
	for _, set := range []struct {
		name string
		eps  []Episode
	}{{"only at full rate", onlyFull}, {"only from one second a minute", onlyDuty}} {
		count := map[string]int{}
		for _, e := range set.eps {
			count[e.Rule]++
		}
		for _, id := range slices.Sorted(maps.Keys(count)) {
			p.f("      %s: %s %d\n", set.name, id, count[id])
		}
	}
}

func hours(h float64) string {
	switch {
	case h != h:
		return "—"
	case math.Abs(h) < 2:
		return fmt.Sprintf("%.0f min", h*60)
	case math.Abs(h) < 72:
		return fmt.Sprintf("%.1f h", h)
	}
	return fmt.Sprintf("%.1f d", h/24)
}

func span(i Interval) string {
	if i.Value != i.Value {
		return "—"
	}
	return fmt.Sprintf("%s [%s, %s]", hours(i.Value), hours(i.Low), hours(i.High))
}

func percent(i Interval) string {
	if i.Value != i.Value {
		return "—"
	}
	return fmt.Sprintf("%.1f %% [%.1f, %.1f]", 100*i.Value, 100*i.Low, 100*i.High)
}

func number(i Interval, decimals int) string {
	if i.Value != i.Value {
		return "—"
	}
	return strings.TrimSpace(fmt.Sprintf("%.*f [%.*f, %.*f]", decimals, i.Value, decimals, i.Low, decimals, i.High))
}
