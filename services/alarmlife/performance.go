package alarmlife

import (
	"cmp"
	"slices"
	"time"

	"github.com/mudpulse/mudpulse/telemetry"
)

// What EEMUA 191 and ISA-18.2 ask an alarm system to keep, for one operator.
const (
	TargetPerHour     = 6.0  // alarms, in the long run: one in ten minutes
	FloodPer10min     = 10   // more than these in ten minutes are a flood
	TargetFloodShare  = 0.01 // of the time
	TargetStale       = 5    // alarms standing for more than a day
	TargetTopTenShare = 0.05
	ChatterWithin     = 30 * time.Minute // a fault that is back so soon chatters
	TargetChatter     = 0.01             // of all alarms
)

// Performance is how an alarm system does over a time.
type Performance struct {
	From, To   int64
	Raised     int    // alarms of the present; those of history page nobody
	Incidents  int    // faults behind them
	ByPriority [3]int // P1, P2, P3
	PerHour    float64
	Bins       []int // raised in each ten minutes, oldest first
	Most       int   // of Bins
	FloodShare float64
	Floods     []Flood
	Stale      []*Alarm // standing for over a day, oldest first
	Chatter    int      // raised or back again within ChatterWithin of the same rule's end at the drill
	TopShare   float64  // of the ten most frequent
	Worst      []Actor  // most frequent first, at most ten
	Right      int      // judged by people
	Wrong      int
}

// A Flood is a run of ten-minute periods of more than FloodPer10min each operator.
type Flood struct {
	From, To int64
	Alarms   int
	Worst    Actor // most frequent within it
}

// An Actor is a rule at a drill.
type Actor struct {
	Drill, Rule, Title string
	Count, Back        int // raised; of these and their returns, back within ChatterWithin
	Right, Wrong       int // judged by people
}

const ten = int64(10 * time.Minute)

// Perform measures alarms over [from, to) for a number of operators who share them.
func Perform(all []*Alarm, from, to int64, operators int) Performance {
	operators = max(1, operators)
	p := Performance{From: from, To: to, Bins: make([]int, max(1, (to-from+ten-1)/ten)), Floods: []Flood{}, Worst: []Actor{}, Stale: []*Alarm{}}
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, func(x, y *Alarm) int { return -NewestFirst(x, y) })
	actors, incidents, cleared := map[string]*Actor{}, map[string]bool{}, map[string]int64{}
	var raised []*Alarm
	for _, a := range sorted {
		if a.Origin == telemetry.Backfill || a.Raised >= to {
			continue
		}
		if a.Standing() && a.Cleared == 0 && to-a.Raised > int64(24*time.Hour) {
			p.Stale = append(p.Stale, a)
		}
		key := a.Drill + "/" + a.Rule
		before, known := cleared[key]
		if a.Cleared != 0 {
			cleared[key] = a.Cleared
		}
		if a.Raised < from {
			continue
		}
		raised = append(raised, a)
		incidents[cmp.Or(a.Incident, a.ID)] = true
		p.ByPriority[min(max(a.Priority, telemetry.P1), telemetry.P3)-1]++
		p.Bins[(a.Raised-from)/ten]++
		w := actors[key]
		if w == nil {
			w = &Actor{Drill: a.Drill, Rule: a.Rule, Title: a.Title}
			actors[key] = w
		}
		w.Count++
		w.Back += a.Returns
		if known && a.Raised-before < int64(ChatterWithin) {
			w.Back++
		}
		switch a.Disposition {
		case "right":
			w.Right++
		case "wrong":
			w.Wrong++
		}
	}
	p.Raised, p.Incidents = len(raised), len(incidents)
	p.PerHour = float64(p.Raised) / float64(operators) / (float64(max(1, to-from)) / float64(time.Hour))
	for _, w := range actors {
		p.Worst = append(p.Worst, *w)
		p.Chatter += w.Back
		p.Right += w.Right
		p.Wrong += w.Wrong
	}
	slices.SortFunc(p.Worst, func(x, y Actor) int {
		return cmp.Or(cmp.Compare(y.Count+y.Back, x.Count+x.Back), cmp.Compare(x.Drill, y.Drill), cmp.Compare(x.Rule, y.Rule))
	})
	p.Worst = p.Worst[:min(10, len(p.Worst))]
	top := 0
	for _, w := range p.Worst {
		top += w.Count
	}
	p.TopShare = float64(top) / float64(max(1, p.Raised))
	p.flood(raised, operators)
	return p
}

// flood finds the periods in which nobody could have read what was raised.
func (p *Performance) flood(raised []*Alarm, operators int) {
	n, over := 0, 0
	for i, b := range p.Bins {
		p.Most = max(p.Most, b)
		if b <= FloodPer10min*operators {
			n = 0
			continue
		}
		over++
		start := p.From + int64(i)*ten
		if n == 0 {
			p.Floods = append(p.Floods, Flood{From: start})
		}
		n++
		f := &p.Floods[len(p.Floods)-1]
		f.To, f.Alarms = start+ten, f.Alarms+b
	}
	p.FloodShare = float64(over) / float64(len(p.Bins))
	for i := range p.Floods {
		f, count := &p.Floods[i], map[string]*Actor{}
		for _, a := range raised {
			if a.Raised < f.From || a.Raised >= f.To {
				continue
			}
			key := a.Drill + "/" + a.Rule
			if count[key] == nil {
				count[key] = &Actor{Drill: a.Drill, Rule: a.Rule, Title: a.Title}
			}
			count[key].Count++
			if w := count[key]; w.Count > f.Worst.Count || w.Count == f.Worst.Count && w.Drill+w.Rule < f.Worst.Drill+f.Worst.Rule {
				f.Worst = *w
			}
		}
	}
}
