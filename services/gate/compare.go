package gate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/mudpulse/mudpulse/services/models"
)

// Arms, in this order.
const (
	candidate = iota
	present   // what is on, or what is on without the candidate's name
	limits
)

const (
	maxChanges  = 500
	maxFailures = 500
	someFewer   = 5
)

// report compares the arms.
func (b *bench) report() *Report {
	job := b.job
	months := float64(b.covered) / (30 * 24 * hour)
	r := &Report{Name: job.Name, Version: job.Version, SHA256: job.SHA256, Key: job.Key,
		Past: Past{From: stamp(job.From), To: stamp(job.To), Drills: len(job.Drills), Frames: b.frames, Rows: b.tapes[candidate].rows, Errors: b.tapes[candidate].errors, Every: float64(job.Every) / 1e9,
			Months: months, Labels: len(job.Labels), Judged: len(job.Judged), Refused: b.refused},
		Arms: []Arm{}, Failures: []Failure{}, Changes: []Change{}, TimeLeft: []Left{}, Drift: []Drifted{}, For: []string{}, Against: []string{}}
	leads := make([][]float64, len(b.tapes))
	for i, t := range b.tapes {
		leads[i] = t.judge()
		r.Arms = append(r.Arms, t.arm(job.Arms[i].Name, leads[i], months))
		if n := float64(t.left.n); n > 0 {
			r.TimeLeft = append(r.TimeLeft, Left{job.Arms[i].Name, t.left.n, t.left.abs / n, math.Sqrt(t.left.sq / n), t.left.phm8 / n})
		}
	}
	for k, l := range job.Labels {
		f := Failure{Drill: l.Drill, Kind: l.Kind, At: stamp(l.To)}
		for i := range b.tapes {
			f.Leads = append(f.Leads, leads[i][k])
		}
		r.Failures = append(r.Failures, f)
	}
	slices.SortStableFunc(r.Failures, func(a, b Failure) int { return cmp.Compare(b.Leads[candidate], a.Leads[candidate]) })
	r.change(b.tapes[candidate].episodes, b.tapes[present].episodes)
	for _, d := range b.drift.Report() {
		for _, v := range []*float64{&d.PSI, &d.JS, &d.Missing, &d.MissingBefore} {
			if *v != *v {
				*v = -1 // not known
			}
		}
		r.Drift = append(r.Drift, Drifted{d})
	}
	slices.SortStableFunc(r.Drift, func(a, b Drifted) int { return cmp.Compare(b.PSI, a.PSI) })
	r.verdict(leads, b.tapes)
	r.Failures = r.Failures[:min(len(r.Failures), maxFailures)]
	r.Changes = r.Changes[:min(len(r.Changes), maxChanges)]
	return r
}

// change pairs the alarms of two arms.
func (r *Report) change(now, was []episode) {
	r.Changes = changes(now, was, 1.0/12)
	for _, c := range r.Changes {
		switch c.How {
		case "gained":
			r.Gained++
		case "lost":
			r.Lost++
		case "earlier":
			r.Earlier++
		case "later":
			r.Later++
		}
	}
}

// changes pairs the alarms of two arms, rule by rule: what is gained and lost, and
// what is raised at another time, by more than least hours.
func changes(now, was []episode, least float64) []Change {
	out := []Change{}
	taken := make([]bool, len(was))
	add := func(how string, e *episode, by float64) {
		out = append(out, Change{How: how, Drill: e.drill, Rule: e.rule, At: stamp(e.raised), By: by, True: e.true})
	}
	for i := range now {
		e := &now[i]
		best := -1
		for k := range was {
			w := &was[k]
			if taken[k] || w.drill != e.drill || w.rule != e.rule || !together(e, w) {
				continue
			}
			if best < 0 || abs(w.raised-e.raised) < abs(was[best].raised-e.raised) {
				best = k
			}
		}
		if best < 0 {
			add("gained", e, 0)
			continue
		}
		taken[best] = true
		switch d := float64(was[best].raised-e.raised) / hour; {
		case d > least:
			add("earlier", e, d)
		case d < -least:
			add("later", e, -d)
		}
	}
	for k := range was {
		if !taken[k] {
			add("lost", &was[k], 0)
		}
	}
	order := map[string]int{"lost": 0, "gained": 1, "later": 2, "earlier": 3}
	slices.SortStableFunc(out, func(a, b Change) int {
		return cmp.Or(cmp.Compare(order[a.How], order[b.How]), cmp.Compare(b.By, a.By), strings.Compare(a.At, b.At))
	})
	return out
}

// together reports whether two episodes may be one and the same.
func together(a, b *episode) bool {
	end := func(e *episode) int64 {
		if e.cleared == 0 {
			return math.MaxInt64
		}
		return e.cleared
	}
	return a.raised <= end(b) && b.raised <= end(a) || abs(a.raised-b.raised) <= near
}

// verdict says what speaks for and against, by how much and on which failures.
func (r *Report) verdict(leads [][]float64, tapes []*tape) {
	c, p, l := &r.Arms[candidate], &r.Arms[present], &r.Arms[limits]
	who, other := fmt.Sprintf("%s %d", r.Name, r.Version), p.Name
	switch {
	case r.Past.Refused != "":
		r.Verdict, r.Against = models.Worse, append(r.Against, "it could not be put on beside the other models: "+r.Past.Refused)
	case r.Past.Frames == 0:
		r.Verdict, r.Lead = models.Untested, "Nothing is stored yet to test "+who+" on."
		return
	case r.Past.Rows == 0:
		r.Verdict, r.Lead = models.Untested, who+" was never asked: no drill sends what it reads."
		return
	}
	against := func(format string, args ...any) { r.Against = append(r.Against, fmt.Sprintf(format, args...)) }
	in := func(format string, args ...any) { r.For = append(r.For, fmt.Sprintf(format, args...)) }
	if r.Past.Errors*100 > r.Past.Rows {
		against("it could not score %d of %d rows", r.Past.Errors, r.Past.Rows)
	}
	lost, won := r.missed(leads)
	if len(lost) > 0 {
		against("it misses %s that %s warned of: %s", count(len(lost), "failure"), other, some(lost))
	}
	if len(won) > 0 {
		in("it warns of %s that %s missed: %s", count(len(won), "failure"), other, some(won))
	}
	if now, was, n := common(leads); n > 0 {
		switch d := now - was; {
		case d < -max(1.0/6, 0.1*was):
			against("it warns %s later: the middle one of %s by %s, not %s; as %s", hours(-d), count(n, "failure"), hours(now), hours(was), some(r.later()))
		case d > max(1.0/6, 0.1*was):
			in("it warns %s sooner: the middle one of %s by %s, not %s", hours(d), count(n, "failure"), hours(now), hours(was))
		}
	}
	switch more := c.False - p.False; {
	case more > 0 && float64(more) > 0.2*float64(p.False):
		against("%s more: %.2f per drill-month (%.2f to %.2f), not %.2f: %s", count(more, "false alarm"), c.Rate, c.Low, c.High, p.Rate, some(fresh(tapes)))
	case more < 0:
		in("%s fewer: %.2f per drill-month, not %.2f", count(-more, "false alarm"), c.Rate, p.Rate)
	}
	if c.Right < p.Right {
		against("it does not raise %s that people called right", count(p.Right-c.Right, "alarm"))
	}
	if c.Wrong > p.Wrong {
		against("it raises %s more that people called wrong", count(c.Wrong-p.Wrong, "alarm"))
	}
	if r.Past.Labels == 0 && r.Gained > r.Lost && float64(r.Gained-r.Lost) > max(1, 0.2*float64(p.Alarms)) {
		against("it raises %s, %d where %s raises %d, and nothing on record says that they are right", count(r.Gained, "alarm")+" more", c.Alarms, other, p.Alarms)
	}
	if a, b := r.timeLeft(c.Name), r.timeLeft(p.Name); a != nil && b != nil && b.RMSE > 0 {
		switch {
		case a.RMSE > 1.1*b.RMSE:
			against("it tells the hours left worse: off by %.1f h (root of mean square), not %.1f", a.RMSE, b.RMSE)
		case a.RMSE < 0.9*b.RMSE:
			in("it tells the hours left better: off by %.1f h (root of mean square), not %.1f", a.RMSE, b.RMSE)
		}
	}
	if l.Of > 0 && l.Caught > c.Caught {
		against("plain limits alone warn of %d of %d failures, it of %d", l.Caught, l.Of, c.Caught)
	}
	switch {
	case len(r.Against) > 0:
		r.Verdict = models.Worse
	case len(r.For) > 0:
		r.Verdict = models.Better
	default:
		r.Verdict = models.Same
	}
	r.Lead = lead(who, other, r)
}

func lead(who, other string, r *Report) string {
	switch r.Verdict {
	case models.Worse:
		if len(r.For) > 0 {
			return fmt.Sprintf("%s is worse than %s: %s. But %s.", who, other, r.Against[0], r.For[0])
		}
		return fmt.Sprintf("%s is worse than %s: %s.", who, other, r.Against[0])
	case models.Better:
		return fmt.Sprintf("%s is better than %s: %s.", who, other, strings.Join(r.For[:min(2, len(r.For))], "; "))
	}
	if r.Gained+r.Lost+r.Earlier+r.Later == 0 {
		return fmt.Sprintf("%s raises the same alarms as %s.", who, other)
	}
	return fmt.Sprintf("%s does as well as %s.", who, other)
}

func (r *Report) timeLeft(name string) *Left {
	for i := range r.TimeLeft {
		if r.TimeLeft[i].Name == name {
			return &r.TimeLeft[i]
		}
	}
	return nil
}

// missed lists failures that one arm warned of and the other did not.
func (r *Report) missed(leads [][]float64) (lost, won []string) {
	for i := range r.Failures {
		f := &r.Failures[i]
		now, was := f.Leads[candidate], f.Leads[present]
		at, _, _ := strings.Cut(f.At, "T")
		switch {
		case now < 0 && was >= 0:
			lost = append(lost, fmt.Sprintf("%s, %s, %s (%s ahead)", f.Drill, f.Kind, at, hours(was)))
		case now >= 0 && was < 0:
			won = append(won, fmt.Sprintf("%s, %s, %s (%s ahead)", f.Drill, f.Kind, at, hours(now)))
		}
	}
	return lost, won
}

// later lists failures that both warn of, the candidate later.
func (r *Report) later() (out []string) {
	all := slices.Clone(r.Failures)
	slices.SortStableFunc(all, func(a, b Failure) int {
		return cmp.Compare(a.Leads[candidate]-a.Leads[present], b.Leads[candidate]-b.Leads[present])
	})
	for _, f := range all {
		if now, was := f.Leads[candidate], f.Leads[present]; now >= 0 && was > now {
			at, _, _ := strings.Cut(f.At, "T")
			out = append(out, fmt.Sprintf("%s, %s, %s (%s ahead, not %s)", f.Drill, f.Kind, at, hours(now), hours(was)))
		}
	}
	return out
}

// common returns the middle leads over the failures that both warned of.
func common(leads [][]float64) (now, was float64, n int) {
	var a, b []float64
	for k := range leads[candidate] {
		if leads[candidate][k] >= 0 && leads[present][k] >= 0 {
			a, b = append(a, leads[candidate][k]), append(b, leads[present][k])
		}
	}
	if len(a) == 0 {
		return 0, 0, 0
	}
	slices.Sort(a)
	slices.Sort(b)
	return a[len(a)/2], b[len(b)/2], len(a)
}

// fresh lists false alarms of the candidate that the other does not raise.
func fresh(tapes []*tape) []string {
	var out []string
	for i := range tapes[candidate].episodes {
		e := &tapes[candidate].episodes[i]
		if e.true == "no" && !slices.ContainsFunc(tapes[present].episodes, func(o episode) bool { return o.drill == e.drill && o.rule == e.rule && together(e, &o) }) {
			out = append(out, e.drill+", "+day(e.raised)+", "+e.rule)
		}
	}
	return out
}

func some(all []string) string {
	if len(all) > someFewer {
		return strings.Join(all[:someFewer], "; ") + fmt.Sprintf("; and %d more", len(all)-someFewer)
	}
	return strings.Join(all, "; ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func hours(h float64) string {
	switch {
	case h < 1:
		return fmt.Sprintf("%.0f min", h*60)
	case h < 100:
		return fmt.Sprintf("%.1f h", h)
	}
	return fmt.Sprintf("%.1f d", h/24)
}
