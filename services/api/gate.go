package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mudpulse/mudpulse/services/api/people"
	"github.com/mudpulse/mudpulse/services/api/view"
	"github.com/mudpulse/mudpulse/services/gate"
	"github.com/mudpulse/mudpulse/services/models"
)

// VersionName is a path parameter.
type VersionName struct {
	ModelName
	Version int `path:"version" minimum:"1"`
}

type modelReport struct {
	Name     string       `json:"name"`
	Version  int          `json:"version"`
	State    string       `json:"state" enum:",waiting,done,failed"`
	Progress float64      `json:"progress" doc:"0 to 1, while it is in work"`
	Working  bool         `json:"working"`
	Verdict  string       `json:"verdict" enum:",better,same,worse,untested"`
	Against  []string     `json:"against" doc:"what speaks against putting it on, or why it could not be tested"`
	At       view.Time    `json:"at"`
	Report   *gate.Report `json:"report,omitempty"`
}

type modelSwitch struct {
	Marker  string    `json:"marker" doc:"id of the record in the stream: scores change at its place"`
	At      view.Time `json:"at"`
	Action  string    `json:"action" enum:"activate,deactivate"`
	Version int       `json:"version"`
	SHA256  string    `json:"sha256"`
	Shadow  bool      `json:"shadow"`
	Canary  bool      `json:"canary"`
	Drills  []string  `json:"drills" doc:"globs; empty: all"`
	By      string    `json:"by"`
	Reason  string    `json:"reason" doc:"why it was put on against its report"`
}

func showSwitch(s models.Switch) modelSwitch {
	return modelSwitch{s.ID, view.Time(s.At), s.Action, s.Version, s.SHA256, s.Shadow, s.Canary, append([]string{}, s.Drills...), s.By, s.Reason}
}

type label struct {
	Drill string    `json:"drill"`
	Kind  string    `json:"kind"`
	From  view.Time `json:"from"`
	To    view.Time `json:"to"`
	Value string    `json:"value,omitempty"`
	By    string    `json:"by"`
}

func (a *API) registerGate() {
	add(a, people.Viewer, http.MethodGet, "/models/{name}/versions/{version}/report", "get-model-report", "How a version stood the past, beside what is on and plain limits", func(ctx context.Context, in *VersionName) (*body[modelReport], error) {
		if _, _, err := a.version(ctx, in); err != nil {
			return nil, err
		}
		s, err := a.models.Standing(ctx, in.Name, in.Version)
		if err != nil {
			return nil, err
		}
		out := modelReport{Name: in.Name, Version: in.Version, State: s.State, Verdict: s.Verdict, Against: append([]string{}, s.Why...), At: view.Time(s.At)}
		if a.gate != nil {
			out.Progress, out.Working = a.gate.Progress(in.Name, in.Version)
		}
		if s.Report != nil && s.State == models.Done {
			out.Report = &gate.Report{}
			if err := json.Unmarshal(s.Report, out.Report); err != nil {
				return nil, fmt.Errorf("report on %s@%d: %w", in.Name, in.Version, err)
			}
		}
		return answer(out), nil
	})
	add(a, people.Engineer, http.MethodPost, "/models/{name}/versions/{version}/report", "test-model", "Test a version on the past, again where something has changed since", func(ctx context.Context, in *VersionName) (*struct{}, error) {
		if _, _, err := a.version(ctx, in); err != nil {
			return nil, err
		}
		remark(ctx, in.Name, fmt.Sprintf("test version %d", in.Version))
		if a.gate == nil {
			return nil, huma.Error409Conflict("this process has no past to test models on")
		}
		err := a.gate.Ask(ctx, in.Name, in.Version, "")
		a.hub.ModelsChanged(in.Name)
		return nil, err
	}, status(http.StatusAccepted))
	add(a, people.Viewer, http.MethodGet, "/models/{name}/switches", "list-switches", "Every decision on a model, oldest first", func(ctx context.Context, in *ModelName) (*body[struct {
		Switches []modelSwitch `json:"switches"`
	}], error) {
		all, err := a.models.Switches(ctx, in.Name)
		var out struct {
			Switches []modelSwitch `json:"switches"`
		}
		out.Switches = make([]modelSwitch, len(all))
		for i := range all {
			out.Switches[i] = showSwitch(all[i])
		}
		return answer(out), err
	})
	add(a, people.Viewer, http.MethodGet, "/models/{name}/decided", "who-decided", "Which version judged a drill at a moment", func(ctx context.Context, in *struct {
		ModelName
		Drill string `query:"drill" required:"true" maxLength:"64"`
		At    string `query:"at" doc:"RFC 3339, now, or as -1h; default: now"`
	}) (*body[modelSwitch], error) {
		at, bad := a.moment("at", in.At, 0)
		if bad != nil {
			return nil, huma.Error422UnprocessableEntity("the request is refused", bad)
		}
		all, err := a.models.Switches(ctx, in.Name)
		if err != nil {
			return nil, err
		}
		s, ok := models.Decider(all, in.Drill, at)
		if !ok {
			return nil, fmt.Errorf("model %s judged %s at that time: no version was on: %w", in.Name, in.Drill, models.ErrUnknown)
		}
		return answer(showSwitch(s)), nil
	})
	add(a, people.Viewer, http.MethodGet, "/labels", "list-labels", "What was really the matter, and when", func(ctx context.Context, _ *struct{}) (*body[struct {
		Labels []label `json:"labels"`
	}], error) {
		all, err := a.models.Labels(ctx)
		var out struct {
			Labels []label `json:"labels"`
		}
		out.Labels = make([]label, len(all))
		for i, l := range all {
			out.Labels[i] = label{l.Drill, l.Kind, view.Time(l.From), view.Time(l.To), l.Value, l.By}
		}
		return answer(out), err
	})
	add(a, people.Engineer, http.MethodPost, "/labels", "add-labels", "Record what was the matter, and when: CSV of drill, kind, from, to, value", func(ctx context.Context, in *struct {
		RawBody []byte `contentType:"text/csv"`
	}) (*body[struct {
		Labels int `json:"labels"`
	}], error) {
		all, err := models.ReadLabels(bytes.NewReader(in.RawBody))
		if err != nil {
			return nil, err
		}
		remark(ctx, "labels", fmt.Sprintf("%d", len(all)))
		var out struct {
			Labels int `json:"labels"`
		}
		out.Labels = len(all)
		return answer(out), a.models.AddLabels(ctx, all, who(ctx).Name)
	}, func(op *huma.Operation) {
		op.MaxBodyBytes = 16 << 20
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"text/csv": {Schema: &huma.Schema{Type: huma.TypeString}}}}
		op.Errors = append(op.Errors, http.StatusUnprocessableEntity)
	})
	add(a, people.Engineer, http.MethodDelete, "/labels", "remove-labels", "Forget labels of a drill and kind; of all, where neither is given", func(ctx context.Context, in *struct {
		Drill string `query:"drill" maxLength:"64"`
		Kind  string `query:"kind" maxLength:"40"`
	}) (*body[struct {
		Removed int64 `json:"removed"`
	}], error) {
		remark(ctx, "labels", fmt.Sprintf("drill %q, kind %q", in.Drill, in.Kind))
		n, err := a.models.RemoveLabels(ctx, in.Drill, in.Kind)
		var out struct {
			Removed int64 `json:"removed"`
		}
		out.Removed = n
		return answer(out), err
	})
}

// version finds one; ErrUnknown.
func (a *API) version(ctx context.Context, in *VersionName) (models.Model, models.Version, error) {
	m, err := a.models.Get(ctx, in.Name)
	if err != nil {
		return m, models.Version{}, err
	}
	for _, v := range m.Versions {
		if v.Version == in.Version {
			return m, v, nil
		}
	}
	return m, models.Version{}, fmt.Errorf("model %s has no version %d: %w", in.Name, in.Version, models.ErrUnknown)
}
