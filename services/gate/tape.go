package gate

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/telemetry"
)

// An episode is one alarm from raised to cleared.
type episode struct {
	drill, rule, id string
	raised, cleared int64 // cleared 0: it stood at the end
	true            string
	judged          string // "", right, wrong
}

// A tape takes what one arm makes of a drill after the other.
type tape struct {
	job      *Job
	rules    map[string]*alarms.Rule
	episodes []episode
	open     map[string]int
	labels   []Label // of the drill, by time
	drill    string
	ref      string // of the candidate
	left     leftSum
	rows     int64 // that the candidate scored, and could not
	errors   int64
}

func newTape(job *Job, rules *alarms.Rules) *tape {
	t := &tape{job: job, ref: job.ref(), rules: map[string]*alarms.Rule{}, open: map[string]int{}}
	for i := range rules.Rules {
		t.rules[rules.Rules[i].ID] = &rules.Rules[i]
	}
	return t
}

func (t *tape) begin(drill string) {
	t.drill, t.labels = drill, t.labels[:0]
	for _, l := range t.job.Labels {
		if l.Drill == drill {
			t.labels = append(t.labels, l)
		}
	}
	clear(t.open)
}

func (t *tape) Alarm(e *telemetry.AlarmEvent) {
	switch e.Event {
	case telemetry.AlarmRaised:
		if e.At < t.job.From { // of the run-up
			return
		}
		t.open[e.ID] = len(t.episodes)
		t.episodes = append(t.episodes, episode{drill: e.Drill, rule: e.Rule, id: e.ID, raised: e.At})
	case telemetry.AlarmCleared:
		if i, ok := t.open[e.ID]; ok {
			t.episodes[i].cleared = e.At
		}
	}
}

// timeLeft is the output that says how many hours are left.
const timeLeft = "time_left_h"

func (t *tape) Score(s *telemetry.Score) {
	if s.Tick < t.job.From {
		return
	}
	for i := range s.Results {
		r := &s.Results[i]
		if r.At != 0 || r.Shadow {
			continue
		}
		if r.Model == t.ref {
			t.rows++
			if r.Error != "" {
				t.errors++
			}
		}
		if r.Error != "" || len(t.labels) == 0 {
			continue
		}
		model := telemetry.ModelName(r.Model)
		for k := range r.Outputs {
			if o := &r.Outputs[k]; model == t.job.Name && o.Name == timeLeft && o.Number == o.Number {
				t.said(model, s.Tick, o.Number)
			}
		}
	}
}

// said holds hours left against the next failure on record that the model may speak of.
func (t *tape) said(model string, tick int64, hours float64) {
	for _, l := range t.labels {
		if l.From <= tick && tick < l.To && (speaks(l.Kind, model) || l.Kind == failureKind) {
			t.left.add(hours - float64(l.To-tick)/hour)
			return
		}
	}
}

// failureKind is the kind of a label that says that the machine failed, and no more.
const failureKind = "failure"

// leftSum sums up errors in hours.
type leftSum struct {
	n             int
	abs, sq, phm8 float64
}

func (l *leftSum) add(d float64) {
	l.n++
	l.abs += math.Abs(d)
	l.sq += d * d
	l.phm8 += phm08(d)
}

// phm08 is the score of one prediction that is d too high (Saxena et al. 2008): too late costs more.
func phm08(d float64) float64 {
	if d < 0 {
		return math.Exp(-d/13) - 1
	}
	return math.Exp(d/10) - 1
}

// words by which rules and models are known to speak of a kind of failure, beside
// those of the kind itself.
var words = map[string][]string{
	"cooling": {"winding", "motor"},
	"washout": {"wash-out", "nozzle"},
}

// speaks reports whether a rule or model, by its name, is about a kind of failure.
func speaks(kind, name string) bool {
	kind, name = strings.ReplaceAll(strings.ToLower(kind), "_", "-"), strings.ReplaceAll(strings.ToLower(name), "_", "-")
	if strings.Contains(name, kind) || len(name) > 3 && strings.HasPrefix(kind, name) {
		return true
	}
	first, _, _ := strings.Cut(kind, "-")
	if len(first) > 3 && first != "stick" && strings.Contains(name, first) {
		return true
	}
	return slices.ContainsFunc(words[kind], func(w string) bool { return strings.Contains(name, w) })
}

// about reports whether an episode may be a warning of a failure of a kind. Where
// no rule speaks of the kind, any may.
func (t *tape) about(rule, kind string) bool {
	if kind == failureKind {
		return true
	}
	if r := t.rules[rule]; r != nil && (speaks(kind, r.ID) || r.Kind == alarms.Model && speaks(kind, r.Signal)) {
		return true
	}
	for id, r := range t.rules {
		if speaks(kind, id) || r.Kind == alarms.Model && speaks(kind, r.Signal) {
			return false
		}
	}
	return true
}

const (
	grace   = int64(24 * 3600 * 1e9) // after a failure alarms are still explained by it
	before  = int64(3600 * 1e9)      // an alarm so long before the label begins is the label's
	chatter = int64(1800 * 1e9)
	near    = int64(24 * 3600 * 1e9) // two arms' alarms of one rule, so near, are the same one
)

// judge settles what explains each episode, and returns the lead before each label, in hours, -1 missed.
func (t *tape) judge() []float64 {
	slices.SortFunc(t.episodes, func(a, b episode) int {
		return cmp.Or(cmp.Compare(a.drill, b.drill), cmp.Compare(a.raised, b.raised), cmp.Compare(a.id, b.id))
	})
	record := len(t.job.Labels) > 0
	for i := range t.episodes {
		e := &t.episodes[i]
		e.true = "unknown"
		if record {
			e.true = "no"
		}
		for _, l := range t.job.Labels {
			if l.Drill == e.drill && l.From-before <= e.raised && e.raised <= l.To+grace {
				e.true = "yes" // by whatever rule: one fault drags other alarms along
			}
		}
		for _, v := range t.job.Judged {
			if v.Drill == e.drill && v.Rule == e.rule && abs(v.Raised-e.raised) <= chatter {
				e.judged, e.true = "wrong", "no"
				if v.Right {
					e.judged, e.true = "right", "yes"
				}
			}
		}
	}
	leads := make([]float64, len(t.job.Labels))
	for i, l := range t.job.Labels {
		leads[i] = -1
		for _, e := range t.episodes {
			if e.drill == l.Drill && l.From-before <= e.raised && e.raised < l.To && t.about(e.rule, l.Kind) {
				leads[i] = max(leads[i], float64(l.To-e.raised)/hour)
			}
		}
	}
	return leads
}

func abs(v int64) int64 { return max(v, -v) }

// arm sums a tape up.
func (t *tape) arm(name string, leads []float64, months float64) Arm {
	a := Arm{Name: name, Alarms: len(t.episodes), Of: len(leads), Median: -1, P10: -1, Precision: -1, Which: []string{}}
	var caught []float64
	for _, l := range leads {
		if l >= 0 {
			a.Caught++
			caught = append(caught, l)
		}
	}
	if len(caught) > 0 {
		slices.Sort(caught)
		a.Median = caught[len(caught)/2]
		if all := slices.Sorted(slices.Values(leads)); all[len(all)/10] >= 0 {
			a.P10 = all[len(all)/10]
		}
	}
	explained := 0
	chattering(t.episodes, func(*episode) { a.Chatter++ })
	for _, e := range t.episodes {
		switch {
		case e.true == "yes":
			explained++
		case e.true == "no":
			a.False++
			if len(a.Which) < 20 {
				a.Which = append(a.Which, e.drill+", "+day(e.raised)+", "+e.rule)
			}
		}
		switch e.judged {
		case "right":
			a.Right++
		case "wrong":
			a.Wrong++
		}
	}
	if len(t.episodes) > 0 && (explained > 0 || a.False > 0) {
		a.Precision = float64(explained) / float64(explained+a.False)
	}
	if months > 0 {
		a.Rate = float64(a.False) / months
		lo, hi := poisson(a.False)
		a.Low, a.High = lo/months, hi/months
	}
	return a
}

// chattering tells each episode that began soon after the last of its rule at its
// drill had ended; they are in the order of time.
func chattering(all []episode, tell func(*episode)) {
	last := map[string]int64{}
	for i := range all {
		e := &all[i]
		key := e.drill + "/" + e.rule
		if end, ok := last[key]; ok && e.raised-end < chatter {
			tell(e)
		}
		if e.cleared != 0 {
			last[key] = e.cleared
		}
	}
}

// poisson bounds the mean of a count, 95 %, as Byar does.
func poisson(n int) (lo, hi float64) {
	f := func(x, z float64) float64 {
		if x <= 0 {
			return 0
		}
		return x * math.Pow(1-1/(9*x)+z/(3*math.Sqrt(x)), 3)
	}
	if n > 0 {
		lo = f(float64(n), -1.959964)
	}
	return lo, f(float64(n+1), 1.959964)
}
