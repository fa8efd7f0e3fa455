package api

import (
	"cmp"
	"context"
	"crypto/rand"
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
	Alarms      []view.Alarm `json:"alarms"`
	Counts      alarmCounts  `json:"counts"`
	Performance performance  `json:"performance"`
}

type alarmCounts struct {
	Unack    int `json:"unack"`
	Ack      int `json:"ack"`
	RtnUnack int `json:"rtn_unack"`
	Shelved  int `json:"shelved"`
	P1       int `json:"p1" doc:"unacknowledged, by priority"`
	P2       int `json:"p2"`
	P3       int `json:"p3"`
}

// performance is our own rate beside what EEMUA 191 and ISA-18.2 ask for.
type performance struct {
	Last24h    int        `json:"last_24h" doc:"raised in 24 h of the process clock"`
	Target24h  int        `json:"target_24h" doc:"at most, for one operator"`
	Most10min  int        `json:"most_10min" doc:"most within 10 min of those 24 h; over 10 is a flood"`
	Stale      int        `json:"stale" doc:"standing for over 24 h; fewer than 5 wanted"`
	ByPriority []int      `json:"by_priority" doc:"of the 24 h: 1, 2, 3"`
	TopShare   view.Num   `json:"top10_share" doc:"of the ten most frequent; under 0.05 wanted"`
	Worst      []badActor `json:"worst" doc:"up to ten, most frequent first"`
	Right      int        `json:"right" doc:"judged right by people, of all that are known"`
	Wrong      int        `json:"wrong"`
}

type badActor struct {
	Drill string `json:"drill"`
	Rule  string `json:"rule"`
	Title string `json:"title"`
	Count int    `json:"count"`
	Wrong int    `json:"wrong" doc:"judged wrong by people"`
}

type commandOut struct {
	Command string `json:"command" doc:"its id; the live channel shows what it did"`
}

// AlarmID says which alarm.
type AlarmID struct {
	ID string `json:"id" minLength:"5" maxLength:"200" example:"RIG-07/washout/1795342364"`
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
	command(a, "/alarms/ack", "acknowledge", "Acknowledge an alarm", a.ack)
	command(a, "/alarms/shelve", "shelve", "Set an alarm aside for a time, at most 12 h", a.shelve)
	command(a, "/alarms/unshelve", "unshelve", "Take an alarm off the shelf", a.unshelve)
	command(a, "/alarms/note", "note", "Write a note to an alarm", a.note)
	command(a, "/alarms/disposition", "judge", "Say whether an alarm was right", a.judge)
}

func command[I any](a *API, path, id, summary string, handler func(context.Context, *I) (*body[commandOut], error)) {
	add(a, people.Operator, http.MethodPost, path, id, summary, handler, status(http.StatusAccepted), func(op *huma.Operation) {
		op.Errors = append(op.Errors, http.StatusNotFound)
	})
}

// alarmsIn says which alarms.
type alarmsIn struct {
	State  string `query:"state" enum:"active,shelved,history" default:"active"`
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
	out := alarmList{}
	out.Counts, out.Performance = count(all), perform(all, a.d.Clock.Now().UnixNano())
	var list []*alarmlife.Alarm
	for _, al := range all {
		keep := al.Standing()
		switch in.State {
		case "shelved":
			keep = al.Status == alarmlife.Shelved
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
	return answer(view.DetailOf(al)), nil
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
	for _, al := range all {
		switch al.Status {
		case alarmlife.Ack:
			c.Ack++
		case alarmlife.Shelved:
			c.Shelved++
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
	return c
}

func perform(all []*alarmlife.Alarm, now int64) performance {
	const day = int64(24 * time.Hour)
	p := performance{Target24h: 150, ByPriority: make([]int, 3), Worst: []badActor{}}
	worst := map[string]*badActor{}
	var raised []int64
	for _, al := range all {
		switch al.Disposition {
		case "right":
			p.Right++
		case "wrong":
			p.Wrong++
		}
		if al.Standing() && al.Cleared == 0 && now-al.Raised > day {
			p.Stale++
		}
		if al.Origin == telemetry.Backfill || now-al.Raised > day || al.Raised > now {
			continue
		}
		p.Last24h++
		p.ByPriority[min(max(al.Priority, 1), 3)-1]++
		raised = append(raised, al.Raised)
		key := al.Drill + "/" + al.Rule
		if worst[key] == nil {
			worst[key] = &badActor{Drill: al.Drill, Rule: al.Rule, Title: al.Title}
		}
		worst[key].Count++
		if al.Disposition == "wrong" {
			worst[key].Wrong++
		}
	}
	slices.Sort(raised)
	for i, from := 0, 0; i < len(raised); i++ {
		for raised[i]-raised[from] > int64(10*time.Minute) {
			from++
		}
		p.Most10min = max(p.Most10min, i-from+1)
	}
	for _, w := range worst {
		p.Worst = append(p.Worst, *w)
	}
	slices.SortFunc(p.Worst, func(x, y badActor) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), cmp.Compare(x.Drill+x.Rule, y.Drill+y.Rule))
	})
	p.Worst = p.Worst[:min(10, len(p.Worst))]
	for _, w := range p.Worst {
		p.TopShare += view.Num(float64(w.Count) / float64(max(1, p.Last24h)))
	}
	return p
}

type shelveIn struct {
	AlarmID
	Until  string  `json:"until,omitempty" doc:"RFC 3339; or give hours"`
	Hours  float64 `json:"hours,omitempty" minimum:"0" maximum:"12"`
	Reason string  `json:"reason" minLength:"1" maxLength:"500"`
}

type noteIn struct {
	AlarmID
	Text string `json:"text" minLength:"1" maxLength:"2000"`
}

type dispositionIn struct {
	AlarmID
	Value string `json:"value" enum:"right,wrong,unsure"`
	Text  string `json:"text,omitempty" maxLength:"2000"`
}

func (a *API) ack(ctx context.Context, in *struct{ Body AlarmID }) (*body[commandOut], error) {
	al, err := a.find(ctx, in.Body.ID)
	if err != nil {
		return nil, err
	}
	if al.Status == alarmlife.Returned {
		return nil, huma.Error409Conflict("this alarm is over; nobody needs to answer it")
	}
	return a.command(ctx, al, telemetry.Command{Kind: alarmlife.CommandAck, Detail: asJSON(alarmlife.Seen{Priority: al.Priority})})
}

func (a *API) shelve(ctx context.Context, in *struct{ Body shelveIn }) (*body[commandOut], error) {
	al, err := a.find(ctx, in.Body.ID)
	if err != nil {
		return nil, err
	}
	now := a.d.Clock.Now()
	until := now.Add(time.Duration(in.Body.Hours * float64(time.Hour)))
	if in.Body.Until != "" {
		if until, err = time.Parse(time.RFC3339Nano, in.Body.Until); err != nil {
			return nil, refuse("body.until", fmt.Errorf("want RFC 3339 (2026-11-22T06:00:00Z), not %q", in.Body.Until))
		}
	}
	if !until.After(now) || until.Sub(now) > alarmlife.MaxShelve {
		return nil, refuse("body.until", fmt.Errorf("an alarm is shelved for up to %v from now; give hours, or until", alarmlife.MaxShelve))
	}
	if al.Status == alarmlife.Returned {
		return nil, huma.Error409Conflict("this alarm is over; there is nothing to shelve")
	}
	return a.command(ctx, al, telemetry.Command{Kind: alarmlife.CommandShelve, Until: until.UnixNano(), Text: in.Body.Reason})
}

func (a *API) unshelve(ctx context.Context, in *struct{ Body AlarmID }) (*body[commandOut], error) {
	al, err := a.find(ctx, in.Body.ID)
	if err != nil {
		return nil, err
	}
	if al.Status != alarmlife.Shelved {
		return nil, huma.Error409Conflict("this alarm is not on the shelf")
	}
	return a.command(ctx, al, telemetry.Command{Kind: alarmlife.CommandUnshelve})
}

func (a *API) note(ctx context.Context, in *struct{ Body noteIn }) (*body[commandOut], error) {
	al, err := a.find(ctx, in.Body.ID)
	if err != nil {
		return nil, err
	}
	return a.command(ctx, al, telemetry.Command{Kind: alarmlife.CommandNote, Text: in.Body.Text})
}

func (a *API) judge(ctx context.Context, in *struct{ Body dispositionIn }) (*body[commandOut], error) {
	al, err := a.find(ctx, in.Body.ID)
	if err != nil {
		return nil, err
	}
	return a.command(ctx, al, telemetry.Command{Kind: alarmlife.CommandDisposition, Value: in.Body.Value, Text: in.Body.Text})
}

// command fills in who and when, and writes it to the log; it has taken effect
// when it comes back from there.
func (a *API) command(ctx context.Context, al *alarmlife.Alarm, c telemetry.Command) (*body[commandOut], error) {
	c.ID, c.Drill, c.Alarm, c.By, c.At = rand.Text(), al.Drill, al.ID, who(ctx).Name, a.d.Clock.Now().UnixNano()
	remark(ctx, al.ID, cmp.Or(c.Text, c.Value))
	if err := a.send(ctx, c); err != nil {
		return nil, err
	}
	return answer(commandOut{c.ID}), nil
}
