package evaluate

import (
	"math"
	"slices"
	"time"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/simulators/fleet"
	"github.com/mudpulse/mudpulse/simulators/rig"
)

// A Result is what Run saw.
type Result struct {
	Contenders []string
	Outcomes   []*Outcome
	rules      *alarms.Rules
}

// An Outcome is one study's.
type Outcome struct {
	Study Study    // with the drills that were driven
	Asked int      // drills that were asked for
	runs  [][]*run // by contender and drill
}

// kinds in the order they are printed.
var kinds = []string{rig.Bearing, rig.Pump, rig.Gearbox, rig.Cooling, rig.Washout}

// required is the warning that a crew needs (research §3.2).
var required = map[string]time.Duration{rig.Bearing: 72 * time.Hour, rig.Pump: 24 * time.Hour, rig.Gearbox: 120 * time.Hour, rig.Cooling: 72 * time.Hour, rig.Washout: time.Hour}

// Targets of the whole.
const (
	maxFalse     = 0.2 // alarms a drill-month
	maxMissed    = 0.1
	minPrecision = 0.8
	maxChatter   = 0.01
	maxResponse  = 10 * time.Second
)

// A Side is what one set of alarms did on one or more studies.
type Side struct {
	Name       string              `json:"name"`
	Modes      []Mode              `json:"modes"`
	Missed     Interval            `json:"missed"` // of all failures that were not sudden
	Failures   int                 `json:"failures"`
	Sudden     int                 `json:"sudden"`
	SuddenSeen int                 `json:"sudden_warned"`
	Months     float64             `json:"drill_months"`
	Episodes   int                 `json:"episodes"`
	False      Interval            `json:"false_per_drill_month"`
	ByRule     map[string]RuleSide `json:"by_rule"`
	Precision  Interval            `json:"precision"`
	Chatter    Interval            `json:"chatter"`
	InAlarm    float64             `json:"share_of_time_in_alarm"`
	Responses  []Response          `json:"responses"`
}

// RuleSide is one rule's account.
type RuleSide struct {
	Episodes int    `json:"episodes"`
	False    int    `json:"false"`
	Back     int    `json:"came_back"`         // within half an hour of being cleared
	Example  string `json:"example,omitempty"` // of a false one: drill, time, reason
}

// A Mode is one kind of failure.
type Mode struct {
	Kind     string   `json:"kind"`
	Failures int      `json:"failures"` // not sudden
	Missed   Interval `json:"missed"`
	Median   Interval `json:"lead_median_h"`
	P10      Interval `json:"lead_p10_h"`
	InTime   Interval `json:"in_time"` // warned at least the required time before
}

// A Response is how soon one kind of dysfunction was seen.
type Response struct {
	Kind   string   `json:"kind"`
	Number int      `json:"number"`
	Missed Interval `json:"missed"`
	Median float64  `json:"median_s"`
	P90    float64  `json:"p90_s"`
}

// pool are drills of several studies, with the alarms of one side.
type pool struct {
	study fleet.Study
	run   *run
	eps   []Episode
}

// side judges the alarms that pick chooses, over all runs of contender k in outcomes.
func side(name string, outcomes []*Outcome, k int, pick func(*run) []Episode) Side {
	var all []pool
	for _, o := range outcomes {
		for _, r := range o.runs[k] {
			all = append(all, pool{o.Study.Fleet, r, pick(r)})
		}
	}
	s := Side{Name: name, ByRule: map[string]RuleSide{}}
	falses, chattered := 0, 0
	var inAlarm, total time.Duration
	leads, missed, number, inTime := map[string][][]float64{}, map[string]int{}, map[string]int{}, map[string]int{}
	after, seen, times := map[string][]float64{}, map[string]int{}, map[string]int{}
	var doings []string
	for _, p := range all {
		s.Months += p.run.days / 30
		total += time.Duration(p.run.days) * day
		inAlarm += covered(p.eps, p.study.End())
		for i := range p.eps {
			e := &p.eps[i]
			s.Episodes++
			b := s.ByRule[e.Rule]
			b.Episodes++
			if chatters(p.eps, e) {
				chattered++
				b.Back++
			}
			if !p.run.true(e) {
				falses++
				b.False++
				if b.Example == "" {
					b.Example = e.Drill + " " + e.Raised.Format("2006-01-02T15:04Z") + ": " + e.Reason
				}
			}
			s.ByRule[e.Rule] = b
		}
		mine := map[string][]float64{}
		for _, v := range p.run.failures(p.eps, p.study) {
			if v.sudden {
				s.Sudden++
				if v.lead > 0 {
					s.SuddenSeen++
				}
				continue
			}
			s.Failures++
			number[v.kind]++
			if v.lead == 0 {
				missed[v.kind]++
			}
			if v.lead >= required[v.kind] {
				inTime[v.kind]++
			}
			mine[v.kind] = append(mine[v.kind], v.lead.Hours()) // a miss is a warning of 0 h
		}
		for kind, x := range mine {
			leads[kind] = append(leads[kind], x)
		}
		for _, d := range p.run.responses(p.eps) {
			if times[d.kind] == 0 {
				doings = append(doings, d.kind)
			}
			times[d.kind]++
			if d.seen {
				seen[d.kind]++
				after[d.kind] = append(after[d.kind], d.after.Seconds())
			}
		}
	}
	gone := 0
	for _, kind := range kinds {
		gone += missed[kind]
		s.Modes = append(s.Modes, Mode{Kind: kind, Failures: number[kind], Missed: share(missed[kind], number[kind]),
			Median: bootstrap(leads[kind], median), P10: bootstrap(leads[kind], tenth), InTime: share(inTime[kind], number[kind])})
	}
	slices.Sort(doings)
	for _, kind := range doings {
		slices.Sort(after[kind])
		s.Responses = append(s.Responses, Response{Kind: kind, Number: times[kind], Missed: share(times[kind]-seen[kind], times[kind]),
			Median: quantile(after[kind], 0.5), P90: quantile(after[kind], 0.9)})
	}
	s.Missed = share(gone, s.Failures)
	s.False = rate(falses, s.Months)
	s.Precision = share(s.Episodes-falses, s.Episodes)
	s.Chatter = share(chattered, s.Episodes)
	s.InAlarm = float64(inAlarm) / float64(total)
	return s
}

const day = 24 * time.Hour

// covered is how long at least one alarm stood.
func covered(eps []Episode, end time.Time) time.Duration {
	eps = slices.Clone(eps)
	slices.SortFunc(eps, func(a, b Episode) int { return a.Raised.Compare(b.Raised) })
	var sum time.Duration
	var to time.Time
	for _, e := range eps {
		from, until := e.Raised, e.Cleared
		if until.IsZero() {
			until = end
		}
		if from.Before(to) {
			from = to
		}
		if until.After(from) {
			sum += until.Sub(from)
			to = until
		}
	}
	return sum
}

// A Left is how well the hours left are told.
type Left struct {
	Kind    string   `json:"kind"`
	Samples int      `json:"samples"`
	Horizon float64  `json:"horizon_h"`
	MAE     Number   `json:"mae_h"`      // in the last third of the horizon
	Bias    Number   `json:"bias_h"`     // there; above 0: too long
	AlphaL  Interval `json:"alpha_20"`   // α-λ at half of life: within 20 % of what is left
	PHM08   Number   `json:"phm08_mean"` // per sample, of the error in 1/125 of the horizon
}

// told judges the hours left that contender k told.
func told(outcomes []*Outcome, k int) []Left {
	var out []Left
	for _, kind := range kinds {
		l := Left{Kind: kind, Horizon: horizons[kind]}
		var errs, bias, scores []float64
		hit, at := 0, 0
		for _, o := range outcomes {
			for _, r := range o.runs[k] {
				for _, x := range r.left {
					if x.kind != kind {
						continue
					}
					l.Samples++
					d := x.said - x.truth
					if x.truth < l.Horizon/3 {
						errs, bias = append(errs, math.Abs(d)), append(bias, d)
					}
					if x.truth < l.Horizon {
						scores = append(scores, phm08(max(-500, min(500, d*125/l.Horizon))))
					}
					if x.age >= 0.5 && x.age < 0.55 {
						at++
						if math.Abs(d) <= 0.2*x.truth {
							hit++
						}
					}
				}
			}
		}
		if l.Samples > 0 {
			l.MAE, l.Bias, l.PHM08, l.AlphaL = Number(mean(errs)), Number(mean(bias)), Number(mean(scores)), share(hit, at)
			out = append(out, l)
		}
	}
	return out
}

// A Bin is one line of the reliability of a probability.
type Bin struct {
	From, To   float64
	Said, Came float64 // means
	Number     int
}

// calibration bins what was said of a failure within 72 h, and returns Brier's
// score beside that of always saying the base rate.
func calibration(outcomes []*Outcome, k int) (bins []Bin, brier, base float64) {
	edges := []float64{0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0000001}
	var all []chance
	for _, o := range outcomes {
		for _, r := range o.runs[k] {
			all = append(all, r.chances...)
		}
	}
	if len(all) == 0 {
		return nil, math.NaN(), math.NaN()
	}
	came := 0.0
	for _, c := range all {
		y := 0.0
		if c.came {
			y = 1
		}
		came += y
		brier += (c.said - y) * (c.said - y)
	}
	n := float64(len(all))
	brier /= n
	base = came / n * (1 - came/n)
	for i := range len(edges) - 1 {
		b := Bin{From: edges[i], To: min(1, edges[i+1])}
		for _, c := range all {
			if c.said >= edges[i] && c.said < edges[i+1] {
				b.Number++
				b.Said += c.said
				if c.came {
					b.Came++
				}
			}
		}
		if b.Number > 0 {
			b.Said /= float64(b.Number)
			b.Came /= float64(b.Number)
			bins = append(bins, b)
		}
	}
	return bins, brier, base
}

// sick is the share of a sound drill's time in which its health is below lowHealth.
func sick(outcomes []*Outcome, k int) float64 {
	var low, all int64
	for _, o := range outcomes {
		for _, r := range o.runs[k] {
			low, all = low+r.low, all+r.ticks
		}
	}
	return float64(low) / float64(all)
}
