package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mudpulse/mudpulse/services/api/people"
	"github.com/mudpulse/mudpulse/services/rescore"
)

// RescoreID is a path parameter.
type RescoreID struct {
	ID string `path:"id" maxLength:"32"`
}

func (a *API) registerRescore() {
	add(a, people.Viewer, http.MethodGet, "/rescore", "list-rescore", "Spans that are or were scored again, oldest first", func(context.Context, *struct{}) (*body[struct {
		Jobs []rescore.Rescoring `json:"jobs"`
	}], error) {
		var out struct {
			Jobs []rescore.Rescoring `json:"jobs"`
		}
		out.Jobs = []rescore.Rescoring{}
		if a.d.Rescore != nil {
			out.Jobs = append(out.Jobs, a.d.Rescore.List()...)
		}
		return answer(out), nil
	})
	add(a, people.Engineer, http.MethodPost, "/rescore", "rescore", "Score a span of a drill again, late frames in their place; what comes out otherwise becomes the last version", func(ctx context.Context, in *struct {
		Body struct {
			Drill  string    `json:"drill" maxLength:"64"`
			From   time.Time `json:"from"`
			To     time.Time `json:"to"`
			Models string    `json:"models,omitempty" enum:"then,now" default:"then" doc:"by those that were on at each second, or by those that are on now"`
		}
	}) (*body[rescore.Rescoring], error) {
		if a.d.Rescore == nil {
			return nil, huma.Error503ServiceUnavailable("this process has no columnstore: ask the one that runs the writer")
		}
		job, err := a.d.Rescore.Add(in.Body.Drill, in.Body.Models, in.Body.From, in.Body.To, who(ctx).Name)
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			var all []error
			for _, e := range many.Unwrap() {
				key, text, _ := strings.Cut(e.Error(), ": ")
				all = append(all, &huma.ErrorDetail{Location: "body." + key, Message: text})
			}
			return nil, huma.Error422UnprocessableEntity("the span is refused", all...)
		}
		if err != nil {
			return nil, err
		}
		remark(ctx, job.ID, fmt.Sprintf("%s %s %s, models of %s", job.Drill, job.From.Format(time.RFC3339), job.To.Format(time.RFC3339), job.Models))
		return answer(job), nil
	}, status(http.StatusCreated))
	add(a, people.Viewer, http.MethodGet, "/rescore/{id}", "get-rescore", "How far a span is", func(_ context.Context, in *RescoreID) (*body[rescore.Rescoring], error) {
		if a.d.Rescore == nil {
			return nil, rescore.ErrUnknown
		}
		job, err := a.d.Rescore.Get(in.ID)
		return answer(job), err
	})
	add(a, people.Engineer, http.MethodDelete, "/rescore/{id}", "cancel-rescore", "Stop scoring a span again; what has come out stays", func(_ context.Context, in *RescoreID) (*struct{}, error) {
		if a.d.Rescore == nil {
			return nil, rescore.ErrUnknown
		}
		return nil, a.d.Rescore.Cancel(in.ID)
	}, status(http.StatusNoContent))
}
