package api

import (
	"context"
	"net/http"
	"time"

	"github.com/mudpulse/mudpulse/services/alarmlife"
	"github.com/mudpulse/mudpulse/services/api/people"
	"github.com/mudpulse/mudpulse/services/api/view"
	"github.com/mudpulse/mudpulse/storage"
)

// performance is our own rate beside what EEMUA 191 and ISA-18.2 ask for. A
// target is for one operator.
type performance struct {
	From        view.Time    `json:"from"`
	To          view.Time    `json:"to"`
	Operators   int          `json:"operators" doc:"who share the alarms, as asked"`
	Raised      int          `json:"raised"`
	Incidents   int          `json:"incidents" doc:"faults behind them"`
	PerHour     view.Num     `json:"per_operator_hour"`
	PerDay      view.Num     `json:"per_operator_day"`
	ByPriority  []int        `json:"by_priority" doc:"1, 2, 3; 5, 15, 80 in 100 wanted"`
	Bins        []int        `json:"per_10min" doc:"of the last 24 h at most, oldest first"`
	Most10min   int          `json:"most_10min"`
	FloodShare  view.Num     `json:"flood_share" doc:"of the time, more than 10 in 10 min for each operator"`
	Floods      []flood      `json:"floods" doc:"newest 20"`
	Stale       int          `json:"stale" doc:"standing for over 24 h"`
	StaleAlarms []view.Alarm `json:"stale_alarms" doc:"oldest 20"`
	Chatter     int          `json:"chattering" doc:"back within 30 min of their end"`
	ChatterPart view.Num     `json:"chattering_share"`
	TopShare    view.Num     `json:"top10_share" doc:"of the ten most frequent"`
	Worst       []actor      `json:"worst" doc:"up to ten, most frequent first"`
	Right       int          `json:"right" doc:"judged right by people"`
	Wrong       int          `json:"wrong"`
	Targets     targets      `json:"targets"`
}

type targets struct {
	PerHour    view.Num `json:"per_operator_hour"`
	PerDay     view.Num `json:"per_operator_day"`
	FloodShare view.Num `json:"flood_share"`
	Stale      int      `json:"stale"`
	TopShare   view.Num `json:"top10_share"`
	Chatter    view.Num `json:"chattering_share"`
}

type flood struct {
	From   view.Time `json:"from"`
	To     view.Time `json:"to"`
	Alarms int       `json:"alarms"`
	Worst  actor     `json:"worst"`
}

type actor struct {
	Drill string `json:"drill"`
	Rule  string `json:"rule"`
	Title string `json:"title"`
	Count int    `json:"count"`
	Back  int    `json:"back" doc:"times it was back within 30 min of its end"`
	Right int    `json:"right" doc:"judged right by people"`
	Wrong int    `json:"wrong"`
}

type performanceIn struct {
	Hours     int `query:"hours" minimum:"1" maximum:"2160" default:"24" doc:"back from now, of the process clock"`
	Operators int `query:"operators" minimum:"1" maximum:"1000" default:"1"`
}

func (a *API) registerPerformance() {
	add(a, people.Viewer, http.MethodGet, "/alarms/performance", "alarm-performance", "Our own alarm rate beside EEMUA 191 and ISA-18.2", a.performance)
}

// maxMeasured bounds the alarm steps that are read back from the store to be measured.
const maxMeasured = 50000

func (a *API) performance(ctx context.Context, in *performanceIn) (*body[performance], error) {
	to := a.d.Clock.Now().UnixNano() + 1
	from := to - int64(in.Hours)*int64(time.Hour)
	all := a.hub.Book().All(func(*alarmlife.Alarm) bool { return true })
	if len(all) >= alarmlife.KeepReturned*9/10 { // older ones are in the store
		events, err := a.d.Store.AlarmEvents(ctx, storage.AlarmQuery{Since: from, Limit: maxMeasured})
		if err != nil {
			return nil, err
		}
		known := map[string]bool{}
		for _, al := range all {
			known[al.ID] = true
		}
		for _, al := range alarmlife.Fold(events, nil, to) {
			if !known[al.ID] {
				all = append(all, al)
			}
		}
	}
	p := alarmlife.Perform(all, from, to, in.Operators)
	out := performance{From: view.Time(p.From), To: view.Time(p.To), Operators: in.Operators, Raised: p.Raised, Incidents: p.Incidents,
		PerHour: view.Num(p.PerHour), PerDay: view.Num(24 * p.PerHour), ByPriority: p.ByPriority[:], Bins: p.Bins[max(0, len(p.Bins)-144):], Most10min: p.Most,
		FloodShare: view.Num(p.FloodShare), Floods: []flood{}, Stale: len(p.Stale), StaleAlarms: view.AlarmsOf(p.Stale[:min(20, len(p.Stale))]),
		Chatter: p.Chatter, ChatterPart: view.Num(float64(p.Chatter) / float64(max(1, p.Raised+p.Chatter))), TopShare: view.Num(p.TopShare), Worst: []actor{}, Right: p.Right, Wrong: p.Wrong,
		Targets: targets{alarmlife.TargetPerHour, 24 * alarmlife.TargetPerHour, alarmlife.TargetFloodShare, alarmlife.TargetStale, alarmlife.TargetTopTenShare, alarmlife.TargetChatter}}
	for i := len(p.Floods) - 1; i >= 0 && len(out.Floods) < 20; i-- {
		f := p.Floods[i]
		out.Floods = append(out.Floods, flood{view.Time(f.From), view.Time(f.To), f.Alarms, actor(f.Worst)})
	}
	for _, w := range p.Worst {
		out.Worst = append(out.Worst, actor(w))
	}
	return answer(out), nil
}
