package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mudpulse/mudpulse/services/alarmlife"
	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/services/api/people"
	"github.com/mudpulse/mudpulse/services/api/view"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// maxChain bounds the records of one drill that are given to be checked.
const maxChain = 200000

// A file that goes out to the byte.
type file struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

// alarmQuery says which alarm.
type alarmQuery struct {
	ID string `query:"id" required:"true" maxLength:"200"`
}

func (a *API) registerEvidence() {
	asFile := func(op *huma.Operation) {
		op.Errors = append(op.Errors, http.StatusNotFound)
		op.Responses = map[string]*huma.Response{"200": {Description: "The file", Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Type: huma.TypeObject}}}}}
	}
	add(a, people.Viewer, http.MethodGet, "/alarms/evidence", "export-evidence", "All that is known of one alarm in one file, which mudpulse evidence verify checks", a.exportEvidence, asFile)
	add(a, people.Viewer, http.MethodGet, "/alarms/records", "list-evidence", "All records of a drill's alarms as they are stored, oldest first", func(ctx context.Context, in *struct {
		Drill string `query:"drill" required:"true" maxLength:"64"`
	}) (*file, error) {
		records, err := a.d.Store.AlarmRecords(ctx, storage.AlarmQuery{Drill: in.Drill, Limit: maxChain})
		if err != nil {
			return nil, err
		}
		slices.Reverse(records)
		raw, err := json.Marshal(struct {
			Drill   string            `json:"drill"`
			Records []json.RawMessage `json:"records"`
			All     bool              `json:"all"` // none was left off
		}{in.Drill, records, len(records) < maxChain})
		return &file{"application/json", "inline", raw}, err
	}, asFile)
	add(a, people.Viewer, http.MethodGet, "/alarms/similar", "list-similar-alarms", "Past alarms whose evidence is most like this one's, with what people said of them", a.similar, func(op *huma.Operation) { op.Errors = append(op.Errors, http.StatusNotFound) })
}

// records returns an alarm's steps as they are stored, oldest first.
func (a *API) records(ctx context.Context, id string) ([]json.RawMessage, error) {
	records, err := a.d.Store.AlarmRecords(ctx, storage.AlarmQuery{ID: id})
	slices.Reverse(records)
	return records, err
}

// detail is an alarm with its later steps, checked.
func (a *API) detail(ctx context.Context, al *alarmlife.Alarm) (view.AlarmDetail, error) {
	d := view.DetailOf(al)
	records, err := a.records(ctx, al.ID)
	if err != nil || len(records) == 0 {
		return d, err
	}
	for _, raw := range records {
		var e telemetry.AlarmEvent
		if json.Unmarshal(raw, &e) == nil { // one that is damaged is found below
			d.Add(&e)
		}
	}
	r := alarms.Check(records, false)
	d.Check = &r
	return d, nil
}

func (a *API) exportEvidence(ctx context.Context, in *alarmQuery) (*file, error) {
	al, err := a.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	records, err := a.records(ctx, al.ID)
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, huma.Error404NotFound(fmt.Sprintf("the evidence of %q is not stored yet; ask again in a second", in.ID))
	}
	commands, err := a.d.Store.Commands(ctx, storage.CommandQuery{Alarm: al.ID})
	if err != nil {
		return nil, err
	}
	slices.Reverse(commands)
	raw, err := alarms.Export(al.ID, a.d.Clock.Now().UnixNano(), records, commands)
	return &file{"application/json", fmt.Sprintf(`attachment; filename="evidence-%s.json"`, strings.ReplaceAll(al.ID, "/", "-")), raw}, err
}

type similarAlarm struct {
	view.Alarm
	Alike view.Num `json:"alike" doc:"0 to 1: how near the values of their evidence lie"`
}

type similarAlarms struct {
	Alarms []similarAlarm `json:"alarms" doc:"most alike first, at most eight; of the same rule or fault"`
	Right  int            `json:"right" doc:"of all of the rule, judged right by people"`
	Wrong  int            `json:"wrong"`
	Known  int            `json:"known" doc:"all of the rule"`
}

func (a *API) similar(ctx context.Context, in *alarmQuery) (*body[similarAlarms], error) {
	al, err := a.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := similarAlarms{Alarms: []similarAlarm{}}
	incident := cmp.Or(al.Incident, al.ID)
	var list []similarAlarm
	for _, x := range a.hub.Book().All(func(x *alarmlife.Alarm) bool { return x.Rule == al.Rule && x.ID != al.ID }) {
		out.Known++
		switch x.Disposition {
		case "right":
			out.Right++
		case "wrong":
			out.Wrong++
		}
		if x.Raised < al.Raised && cmp.Or(x.Incident, x.ID) != incident {
			list = append(list, similarAlarm{view.AlarmOf(x), view.Num(alarms.Alike(al.Evidence, x.Evidence))})
		}
	}
	slices.SortFunc(list, func(x, y similarAlarm) int {
		return cmp.Or(cmp.Compare(y.Alike, x.Alike), cmp.Compare(y.Raised, x.Raised), cmp.Compare(x.ID, y.ID))
	})
	out.Alarms = append(out.Alarms, list[:min(8, len(list))]...)
	return answer(out), nil
}
