package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mudpulse/mudpulse/services/alarmlife"
	"github.com/mudpulse/mudpulse/services/api/people"
	"github.com/mudpulse/mudpulse/services/api/view"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

type alarmList struct {
	Alarms       []view.Alarm   `json:"alarms"`
	Counts       alarmCounts    `json:"counts"`
	OutOfService []outOfService `json:"out_of_service" doc:"rules that raise nothing to be answered at a drill, by drill"`
	Waves        []wave         `json:"waves" doc:"faults that came over many drills at once; most urgent first"`
}

type wave struct {
	Rule       string    `json:"rule" doc:"of the first alarm of each incident"`
	Title      string    `json:"title"`
	From       view.Time `json:"from"`
	To         view.Time `json:"to"`
	Drills     int       `json:"drills"`
	Alarms     int       `json:"alarms"`
	Unanswered int       `json:"unanswered"`
	Priority   int       `json:"priority"`
	Incidents  []string  `json:"incidents" doc:"ids, the first 1000"`
}

type outOfService struct {
	Drill  string    `json:"drill"`
	Rule   string    `json:"rule"`
	Since  view.Time `json:"since"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
}

type alarmCounts struct {
	Unack    int `json:"unack"`
	Ack      int `json:"ack"`
	RtnUnack int `json:"rtn_unack"`
	Shelved  int `json:"shelved"`

	Suppressed   int `json:"suppressed"`
	OutOfService int `json:"out_of_service"`
	Incidents    int `json:"incidents" doc:"faults that stand; one may have several alarms"`

	P1 int `json:"p1" doc:"unacknowledged, by priority"`
	P2 int `json:"p2"`
	P3 int `json:"p3"`
}

func (a *API) registerAlarms() {
	add(a, people.Viewer, http.MethodGet, "/alarms", "list-alarms", "Alarms that stand, are shelved, or are past", a.listAlarms)
	add(a, people.Viewer, http.MethodGet, "/alarms.csv", "export-alarms", "The same as a table", a.alarmsCSV, asTable)
	add(a, people.Viewer, http.MethodGet, "/alarms/by-id", "get-alarm-by-id", "One alarm with its evidence and its history", func(ctx context.Context, in *struct {
		ID string `query:"id" required:"true" maxLength:"200"`
	}) (*body[view.AlarmDetail], error) {
		return a.getAlarm(ctx, in.ID)
	}, func(op *huma.Operation) { op.Errors = append(op.Errors, http.StatusNotFound) })
	// An id has slashes; escaped it is one segment.
	add(a, people.Viewer, http.MethodGet, "/alarms/{id}", "get-alarm", "One alarm by its path-escaped id", func(ctx context.Context, in *struct {
		ID string `path:"id" maxLength:"300"`
	}) (*body[view.AlarmDetail], error) {
		id, err := url.PathUnescape(in.ID)
		if err != nil {
			return nil, refuse("path.id", err)
		}
		return a.getAlarm(ctx, id)
	})
	a.registerAlarmCommands()
	a.registerPerformance()
	a.registerEvidence()
}

// alarmsIn says which alarms.
type alarmsIn struct {
	State  string `query:"state" enum:"active,shelved,suppressed,out_of_service,history" default:"active"`
	Drill  string `query:"drill" maxLength:"64"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"200"`
	Before string `query:"before" doc:"only alarms raised before; RFC 3339, or a time ago as -12h"`
}

func (a *API) listAlarms(ctx context.Context, in *alarmsIn) (*body[alarmList], error) {
	before, bad := a.moment("before", in.Before, 0)
	if bad != nil {
		return nil, huma.Error422UnprocessableEntity("the query is refused", bad)
	}
	book := a.hub.Book()
	all := book.All(func(*alarmlife.Alarm) bool { return true })
	out := alarmList{Counts: count(all), OutOfService: []outOfService{}, Waves: []wave{}}
	for _, w := range alarmlife.Waves(all) {
		out.Waves = append(out.Waves, wave{w.Rule, w.Title, view.Time(w.From), view.Time(w.To), w.Drills, w.Alarms, w.Unanswered, w.Priority, w.Incidents[:min(1000, len(w.Incidents))]})
	}
	for _, s := range book.OutOfService() {
		if in.Drill == "" || s.Drill == in.Drill {
			out.OutOfService = append(out.OutOfService, outOfService{s.Drill, s.Rule, view.Time(s.Since), s.By, s.Reason})
		}
	}
	var list []*alarmlife.Alarm
	for _, al := range all {
		keep := al.Standing()
		switch in.State {
		case alarmlife.Shelved, alarmlife.Suppressed, alarmlife.OutOfService:
			keep = al.Status == in.State
		case "history":
			keep = true
		}
		if keep && (in.Drill == "" || al.Drill == in.Drill) && (in.Before == "" || al.Raised < before) {
			list = append(list, al)
		}
	}
	if in.State == "history" {
		slices.SortFunc(list, alarmlife.NewestFirst)
		if len(list) < in.Limit && len(all) >= alarmlife.KeepReturned*9/10 { // older ones are in the store
			older, err := a.older(ctx, in.Drill, list, before, in.Limit)
			if err != nil {
				return nil, err
			}
			list = append(list, older...)
		}
	} else {
		slices.SortFunc(list, alarmlife.WorstFirst)
	}
	out.Alarms = view.AlarmsOf(list[:min(in.Limit, len(list))])
	return answer(out), nil
}

// alarmsCSV is listAlarms as a table.
func (a *API) alarmsCSV(ctx context.Context, in *alarmsIn) (*table, error) {
	got, err := a.listAlarms(ctx, in)
	if err != nil {
		return nil, err
	}
	at := func(t view.Time) string {
		if t == 0 {
			return ""
		}
		return time.Unix(0, int64(t)).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	rows := [][]string{{"id", "drill", "rule", "priority", "subsystem", "title", "reason", "signal", "value", "limit", "unit", "rig_state", "raised", "cleared", "status", "acked_by", "acked_at", "disposition", "note", "model", "model_sha256", "origin", "simulated"}}
	for _, x := range got.Body.Alarms {
		rows = append(rows, []string{x.ID, x.Drill, x.Rule, strconv.Itoa(x.Priority), x.Subsystem, x.Title, x.Reason, x.Signal, cell(x.Value), cell(x.Limit), x.Unit, x.RigState, at(x.Raised), at(x.Cleared), x.Status,
			x.AckedBy, at(x.AckedAt), x.Disposition, x.Note, x.Model, x.ModelSHA256, x.Origin, strconv.FormatBool(x.Simulated)})
	}
	return csvOf("alarms.csv", rows)
}

// older folds alarms that the book has let go, newest first, older than those in have.
func (a *API) older(ctx context.Context, drill string, have []*alarmlife.Alarm, before int64, limit int) ([]*alarmlife.Alarm, error) {
	known := map[string]bool{}
	for _, al := range have {
		known[al.ID] = true
		before = min(before, al.Raised)
	}
	events, err := a.d.Store.AlarmEvents(ctx, storage.AlarmQuery{Drill: drill, Before: before, Limit: 4 * limit})
	if err != nil {
		return nil, err
	}
	var out []*alarmlife.Alarm
	for _, al := range alarmlife.Fold(events, nil, a.d.Clock.Now().UnixNano()) {
		if !known[al.ID] && len(have)+len(out) < limit {
			if whole, err := a.past(ctx, al.ID); err != nil {
				return nil, err
			} else if whole != nil {
				al = whole
			}
			out = append(out, al)
		}
	}
	return out, nil
}

// past folds one alarm out of the store; nil if it is not there.
func (a *API) past(ctx context.Context, id string) (*alarmlife.Alarm, error) {
	events, err := a.d.Store.AlarmEvents(ctx, storage.AlarmQuery{ID: id})
	if err != nil || len(events) == 0 {
		return nil, err
	}
	commands, err := a.d.Store.Commands(ctx, storage.CommandQuery{Alarm: id})
	if err != nil {
		return nil, err
	}
	for _, al := range alarmlife.Fold(events, commands, a.d.Clock.Now().UnixNano()) {
		if al.ID == id {
			return al, nil
		}
	}
	return nil, nil
}

func (a *API) getAlarm(ctx context.Context, id string) (*body[view.AlarmDetail], error) {
	al, err := a.find(ctx, id)
	if err != nil {
		return nil, err
	}
	d, err := a.detail(ctx, al)
	return answer(d), err
}

func (a *API) find(ctx context.Context, id string) (*alarmlife.Alarm, error) {
	if _, _, _, err := alarmlife.ParseID(id); err != nil {
		return nil, refuse("id", err)
	}
	if al, ok := a.hub.Book().Get(id); ok {
		return al, nil
	}
	al, err := a.past(ctx, id)
	if err == nil && al == nil {
		err = huma.Error404NotFound(fmt.Sprintf("there is no alarm %q", id))
	}
	return al, err
}

func count(all []*alarmlife.Alarm) alarmCounts {
	var c alarmCounts
	incidents := map[string]bool{}
	for _, al := range all {
		if al.Standing() {
			incidents[cmp.Or(al.Incident, al.ID)] = true
		}
		switch al.Status {
		case alarmlife.Ack:
			c.Ack++
		case alarmlife.Shelved:
			c.Shelved++
		case alarmlife.Suppressed:
			c.Suppressed++
		case alarmlife.OutOfService:
			c.OutOfService++
		case alarmlife.Unack, alarmlife.RtnUnack:
			if al.Status == alarmlife.Unack {
				c.Unack++
			} else {
				c.RtnUnack++
			}
			switch al.Priority {
			case telemetry.P1:
				c.P1++
			case telemetry.P2:
				c.P2++
			default:
				c.P3++
			}
		}
	}
	c.Incidents = len(incidents)
	return c
}
