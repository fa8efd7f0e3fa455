package alarmlife

import (
	"cmp"
	"slices"
	"strings"
)

// A Wave is one fault that came over many drills at once: a storm, a wrong rule, a
// bad batch. To people it is one thing that happened.
type Wave struct {
	Rule, Title string // of the first alarm of its incidents
	From, To    int64  // raised, first and last
	Drills      int
	Alarms      int
	Unanswered  int
	Priority    int      // most urgent
	Incidents   []string // their ids, ascending by when they began
}

// incident is what stands of one fault at one drill.
type incident struct {
	id, drill, rule, title string
	raised                 int64
	alarms, unanswered     int
	priority               int
}

// Waves rolls up the standing alarms whose fault has come over more than
// FloodPer10min drills, none more than ten minutes after another.
func Waves(all []*Alarm) []Wave {
	byID := map[string]*incident{}
	for _, a := range all {
		if !a.Standing() {
			continue
		}
		id := cmp.Or(a.Incident, a.ID)
		x := byID[id]
		if x == nil {
			_, rest, _ := strings.Cut(id, "/")
			rule, _, _ := strings.Cut(rest, "/")
			x = &incident{id: id, drill: a.Drill, rule: rule, raised: a.Raised, title: a.Title, priority: a.Priority}
			byID[id] = x
		}
		x.raised, x.priority = min(x.raised, a.Raised), min(x.priority, a.Priority)
		if a.ID == id {
			x.title = a.Title
		}
		x.alarms++
		if a.Status != Ack {
			x.unanswered++
		}
	}
	list := make([]*incident, 0, len(byID))
	for _, x := range byID {
		list = append(list, x)
	}
	slices.SortFunc(list, func(x, y *incident) int {
		return cmp.Or(cmp.Compare(x.rule, y.rule), cmp.Compare(x.raised, y.raised), cmp.Compare(x.id, y.id))
	})
	out := []Wave{}
	for from := 0; from < len(list); {
		to := from + 1
		for to < len(list) && list[to].rule == list[from].rule && list[to].raised-list[to-1].raised <= ten {
			to++
		}
		if w := roll(list[from:to]); w.Drills > FloodPer10min {
			out = append(out, w)
		}
		from = to
	}
	slices.SortFunc(out, func(x, y Wave) int { return cmp.Or(cmp.Compare(x.Priority, y.Priority), cmp.Compare(y.From, x.From)) })
	return out
}

func roll(list []*incident) Wave {
	w := Wave{Rule: list[0].rule, Title: list[0].title, From: list[0].raised, To: list[len(list)-1].raised, Priority: list[0].priority}
	drills := map[string]bool{}
	for _, x := range list {
		drills[x.drill] = true
		w.Alarms, w.Unanswered, w.Priority = w.Alarms+x.alarms, w.Unanswered+x.unanswered, min(w.Priority, x.priority)
		w.Incidents = append(w.Incidents, x.id)
	}
	w.Drills = len(drills)
	return w
}
