package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mudpulse/mudpulse/services/annotations"
	"github.com/mudpulse/mudpulse/services/api/people"
	"github.com/mudpulse/mudpulse/services/api/view"
)

type annotation struct {
	ID    string    `json:"id"`
	Drill string    `json:"drill"`
	From  view.Time `json:"from"`
	To    view.Time `json:"to" doc:"the same as from: a moment"`
	Text  string    `json:"text"`
	By    string    `json:"by"`
	Told  view.Time `json:"told" doc:"when it was written"`
}

func showAnnotation(a annotations.Annotation) annotation {
	return annotation{a.ID, a.Drill, view.Time(a.From), view.Time(a.To), a.Text, a.By, view.Time(a.Told)}
}

func (a *API) registerAnnotations() {
	add(a, people.Viewer, http.MethodGet, "/annotations", "list-annotations", "What people wrote at moments and stretches of drills' time that touch from to to, the latest first", func(ctx context.Context, in *struct {
		Drill string `query:"drill" maxLength:"64" doc:"default: all"`
		From  string `query:"from" doc:"RFC 3339, or a time ago as -1h; default -24h"`
		To    string `query:"to" doc:"RFC 3339, or now; default now"`
		Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"500"`
	}) (*body[struct {
		Annotations []annotation `json:"annotations"`
	}], error) {
		var wrong []error
		from, bad := a.moment("from", in.From, -24*time.Hour)
		if bad != nil {
			wrong = append(wrong, bad)
		}
		to, bad := a.moment("to", in.To, annotations.MaxAhead)
		if bad != nil {
			wrong = append(wrong, bad)
		}
		if len(wrong) == 0 && from > to {
			wrong = append(wrong, &huma.ErrorDetail{Location: "query.from", Value: in.From, Message: "must not be after to"})
		}
		if len(wrong) > 0 {
			return nil, huma.Error422UnprocessableEntity("the query is refused", wrong...)
		}
		all, err := a.annotations.List(ctx, annotations.Query{Drill: in.Drill, From: from, To: to, Limit: in.Limit})
		var out struct {
			Annotations []annotation `json:"annotations"`
		}
		out.Annotations = make([]annotation, len(all))
		for i := range all {
			out.Annotations[i] = showAnnotation(all[i])
		}
		return answer(out), err
	})
	add(a, people.Operator, http.MethodPost, "/annotations", "annotate", "Write a sentence at a moment, or a stretch, of a drill's time", func(ctx context.Context, in *struct {
		Body struct {
			Drill string    `json:"drill" minLength:"1" maxLength:"64" example:"RIG-07"`
			From  view.Time `json:"from"`
			To    view.Time `json:"to,omitempty" doc:"default: a moment"`
			Text  string    `json:"text" minLength:"1" maxLength:"2000" example:"Tight hole, reamed twice"`
		}
	}) (*body[annotation], error) {
		b := in.Body
		remark(ctx, b.Drill, b.Text)
		if _, ok := a.hub.Drill(b.Drill); !ok {
			return nil, huma.Error404NotFound("drill \"" + b.Drill + "\" has sent nothing yet and has no device")
		}
		made, err := a.annotations.Add(ctx, annotations.Annotation{Drill: b.Drill, From: int64(b.From), To: int64(b.To), Text: b.Text, By: who(ctx).Name})
		if err != nil {
			return nil, err
		}
		a.hub.Annotated(made.Drill)
		return answer(showAnnotation(made)), nil
	}, status(http.StatusCreated), func(op *huma.Operation) { op.Errors = append(op.Errors, http.StatusNotFound) })
	add(a, people.Operator, http.MethodDelete, "/annotations/{id}", "remove-annotation", "Take away what one wrote; an administrator, what anybody wrote", func(ctx context.Context, in *struct {
		ID string `path:"id" maxLength:"64"`
	}) (*struct{}, error) {
		remark(ctx, in.ID, "")
		me := who(ctx)
		was, err := a.annotations.Remove(ctx, in.ID, me.Name, me.Role.May(people.Administrator))
		if err != nil {
			return nil, err
		}
		remark(ctx, was.Drill, "was, by "+was.By+": "+was.Text)
		a.hub.Annotated(was.Drill)
		return nil, nil
	}, status(http.StatusNoContent))
}
