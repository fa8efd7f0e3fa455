package api

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mudpulse/mudpulse/services/api/people"
	"github.com/mudpulse/mudpulse/services/equipment"
	"github.com/mudpulse/mudpulse/services/exports"
)

// Exports makes tables of what is stored; *exports.Jobs is one.
type Exports interface {
	Add(r exports.Request, by string) (exports.Job, error)
	List() []exports.Job
	Get(id string) (exports.Job, error)
	Delete(id string) error
	Open(id string, schema bool) (*os.File, exports.Job, error)
}

// ExportID is a path parameter.
type ExportID struct {
	ID string `path:"id" maxLength:"40" doc:"export"`
}

// maxExportBody bounds a request's labels.
const maxExportBody = 32 << 20

func (a *API) registerExports() {
	add(a, people.Engineer, http.MethodGet, "/exports", "list-exports", "Exports that are made or wait to be fetched", func(context.Context, *struct{}) (*body[struct {
		Exports []exports.Job `json:"exports"`
	}], error) {
		var out struct {
			Exports []exports.Job `json:"exports"`
		}
		out.Exports = []exports.Job{}
		if a.d.Exports != nil {
			out.Exports = append(out.Exports, a.d.Exports.List()...)
		}
		return answer(out), nil
	})
	add(a, people.Engineer, http.MethodPost, "/exports", "make-export", "Make a training table, or a file of readings or scores; refused with every problem at once", func(ctx context.Context, in *struct{ Body exports.Request }) (*body[exports.Job], error) {
		if a.d.Exports == nil {
			return nil, huma.Error503ServiceUnavailable("this process has no embedded columnstore: ask the one that runs the part writer; a ClickHouse is asked by its own views")
		}
		if in.Body.Known {
			known, err := a.models.Labels(ctx)
			if err != nil {
				return nil, err
			}
			for _, l := range known {
				in.Body.Labels = append(in.Body.Labels, exports.Span{Drill: l.Drill, Kind: l.Kind, From: rfc3339(l.From), To: rfc3339(l.To), Value: l.Value})
			}
		}
		if in.Body.Work {
			done, err := a.devices.MaintenanceOf(ctx, "")
			if err != nil {
				return nil, err
			}
			in.Body.Labels = append(in.Body.Labels, workLabels(done)...)
		}
		job, err := a.d.Exports.Add(in.Body, who(ctx).Name)
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			var all []error
			for _, e := range many.Unwrap() {
				key, text, ok := strings.Cut(e.Error(), ": ")
				d := &huma.ErrorDetail{Location: "body." + key, Message: text}
				if !ok { // of no key
					d = &huma.ErrorDetail{Location: "body", Message: e.Error()}
				}
				all = append(all, d)
			}
			return nil, huma.Error422UnprocessableEntity("the export is refused", all...)
		}
		if err != nil {
			return nil, err
		}
		remark(ctx, job.ID, strings.Join(in.Body.Columns, " "))
		return answer(job), nil
	}, status(http.StatusCreated), func(op *huma.Operation) {
		op.MaxBodyBytes = maxExportBody
		op.Errors = append(op.Errors, http.StatusRequestEntityTooLarge)
	})
	add(a, people.Engineer, http.MethodGet, "/exports/{id}", "get-export", "How far an export is", func(_ context.Context, in *ExportID) (*body[exports.Job], error) {
		if a.d.Exports == nil {
			return nil, exports.ErrUnknown
		}
		job, err := a.d.Exports.Get(in.ID)
		return answer(job), err
	})
	add(a, people.Engineer, http.MethodDelete, "/exports/{id}", "delete-export", "Cancel an export, or forget it with its file", func(_ context.Context, in *ExportID) (*struct{}, error) {
		if a.d.Exports == nil {
			return nil, exports.ErrUnknown
		}
		return nil, a.d.Exports.Delete(in.ID)
	}, status(http.StatusNoContent))
	add(a, people.Engineer, http.MethodGet, "/exports/{id}/file", "fetch-export", "The file of an export that is done", func(_ context.Context, in *ExportID) (*huma.StreamResponse, error) {
		return a.sendExport(in.ID, false)
	}, fileOf("application/octet-stream"))
	add(a, people.Engineer, http.MethodGet, "/exports/{id}/schema", "get-export-schema", "What the columns of an export are", func(_ context.Context, in *ExportID) (*huma.StreamResponse, error) {
		return a.sendExport(in.ID, true)
	}, fileOf("application/json"))
}

func rfc3339(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }

// fileOf says in the description that an operation answers a file.
func fileOf(contentType string) func(*huma.Operation) {
	return func(op *huma.Operation) {
		op.Errors = append(op.Errors, http.StatusConflict)
		op.Responses = map[string]*huma.Response{"200": {Description: "The file", Content: map[string]*huma.MediaType{contentType: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}}}
	}
}

// sendExport streams a file, whatever its size.
func (a *API) sendExport(id string, schema bool) (*huma.StreamResponse, error) {
	if a.d.Exports == nil {
		return nil, exports.ErrUnknown
	}
	f, job, err := a.d.Exports.Open(id, schema)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		defer f.Close()
		kind, name := "application/octet-stream", fmt.Sprintf("mudpulse-%s.%s", job.ID, job.Format())
		if schema {
			kind, name = "application/json", fmt.Sprintf("mudpulse-%s.schema.json", job.ID)
		}
		ctx.SetHeader("Content-Type", kind)
		ctx.SetHeader("Content-Disposition", `attachment; filename="`+name+`"`)
		ctx.SetHeader("ETag", strconv.Quote(job.ID+map[bool]string{true: "s"}[schema]))
		_, _ = io.Copy(ctx.BodyWriter(), f) // the client went away; nobody to tell
	}}, nil
}

// before is how far before a work its label reaches at most.
const before = 90 * 24 * time.Hour

// workLabels makes labels of maintenance: of kind work_POSITION, from the work before
// at the same position, or before ahead, to the work; the value is the failure mode
// where it was corrective, else the activity. So label_work_…_hours_left counts down
// to it, as to a failure.
func workLabels(done []equipment.Maintenance) []exports.Span {
	done = slices.Clone(done)
	slices.SortStableFunc(done, func(a, b equipment.Maintenance) int { return cmp.Compare(a.At, b.At) })
	last := map[[2]string]int64{}
	var out []exports.Span
	for i := range done {
		m := &done[i]
		key := [2]string{m.Drill, m.Position}
		from := m.At - int64(before)
		if at, ok := last[key]; ok {
			from = max(from, at)
		}
		last[key] = m.At
		if from == m.At { // twice the same
			continue
		}
		value := m.Activity
		if m.Category == "corrective" && m.Mode != "" {
			value = m.Mode
		}
		out = append(out, exports.Span{Drill: m.Drill, Kind: "work_" + strings.NewReplacer("/", "_", "-", "_").Replace(m.Position), From: rfc3339(from), To: rfc3339(m.At), Value: value})
	}
	return out
}
