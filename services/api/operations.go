package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/services/annotations"
	"github.com/mudpulse/mudpulse/services/api/people"
	"github.com/mudpulse/mudpulse/services/equipment"
	"github.com/mudpulse/mudpulse/services/exports"
	"github.com/mudpulse/mudpulse/services/models"
	"github.com/mudpulse/mudpulse/services/notify"
	"github.com/mudpulse/mudpulse/services/rescore"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// add registers one operation. Role says who may: it stands in the OpenAPI
// description as x-role, and enforce reads it.
func add[I, O any](a *API, role people.Role, method, path, id, summary string, handler func(context.Context, *I) (*O, error), more ...func(*huma.Operation)) {
	op := huma.Operation{
		Method: method, Path: root + path, OperationID: id, Summary: summary, Metadata: map[string]any{roleKey: role},
		MaxBodyBytes: 1 << 20, BodyReadTimeout: 15 * time.Second,
		Errors:     []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusInternalServerError, http.StatusServiceUnavailable},
		Extensions: map[string]any{"x-role": string(role)},
		Security:   []map[string][]string{{"session": {}}, {"token": {}}},
	}
	if role == people.Nobody {
		op.Security, op.Errors, op.Extensions = nil, []int{http.StatusInternalServerError}, map[string]any{"x-role": "anyone"}
	}
	if strings.Contains(path, "{") {
		op.Errors = append(op.Errors, http.StatusNotFound)
	}
	if method != http.MethodGet {
		op.Errors = append(op.Errors, http.StatusBadRequest, http.StatusConflict)
	}
	for _, f := range more {
		f(&op)
	}
	huma.Register(a.openapi, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err != nil && errors.Is(context.Cause(ctx), context.Canceled) {
			err = context.Canceled // whatever it said when it was interrupted
		}
		if err != nil {
			return nil, a.problem(op.OperationID, err)
		}
		return out, nil
	})
}

// nullable says in the description which objects may be null: huma knows it of
// plain values only.
func (a *API) nullable() {
	for schema, properties := range map[string][]string{
		"Drill": {"top_alarm", "time_left"}, "DrillDetail": {"top_alarm", "time_left"}, "AlarmDetail": {"evidence"}, "Quarantined": {"frame"},
	} {
		s := a.openapi.OpenAPI().Components.Schemas.Map()[schema]
		for _, p := range properties {
			old := s.Properties[p]
			s.Properties[p] = &huma.Schema{Description: old.Description, AnyOf: []*huma.Schema{{Ref: old.Ref}, {Type: "null"}}}
		}
	}
}

func status(code int) func(*huma.Operation) {
	return func(op *huma.Operation) { op.DefaultStatus = code }
}

// body is an answer of one JSON value.
type body[T any] struct{ Body T }

func answer[T any](v T) *body[T] { return &body[T]{v} }

// problem turns what a handler returned into RFC 9457. What is not the client's
// business is logged and not told.
func (a *API) problem(op string, err error) error {
	var ready huma.StatusError
	var refused *models.Refused
	var channel *storage.UnknownChannel
	var invalid *equipment.Invalid
	var unfit *notify.Invalid
	var against *models.Against
	var unwritten *annotations.Invalid
	switch {
	case errors.As(err, &ready):
		return err
	case errors.As(err, &refused):
		all := make([]error, len(refused.Problems))
		for i, p := range refused.Problems {
			d := &huma.ErrorDetail{Location: "body", Message: p.Message}
			if p.Line > 0 {
				d.Location = fmt.Sprintf("line %d", p.Line)
			}
			if p.Element != "" {
				d.Location += " " + p.Element
			}
			if p.Cure != "" {
				d.Message += "; " + p.Cure
			}
			all[i] = d
		}
		return huma.Error422UnprocessableEntity(refused.What+" is refused", all...)
	case errors.As(err, &against):
		all := make([]error, len(against.Why))
		for i, why := range against.Why {
			all[i] = &huma.ErrorDetail{Location: "body.override", Message: why}
		}
		return huma.Error409Conflict(fmt.Sprintf("the report speaks against %s@%d; to put it on all the same, say why", against.Name, against.Version), all...)
	case errors.As(err, &unfit):
		return a.problem(op, &equipment.Invalid{Problems: unfit.Problems})
	case errors.As(err, &unwritten):
		return a.problem(op, &equipment.Invalid{Problems: unwritten.Problems})
	case errors.As(err, &invalid):
		all := make([]error, len(invalid.Problems))
		for i, p := range invalid.Problems {
			key, why, ok := strings.Cut(p.Error(), ": ")
			if !ok {
				key, why = "", p.Error()
			}
			all[i] = &huma.ErrorDetail{Location: strings.TrimSuffix("body."+key, "."), Message: why}
		}
		return huma.Error422UnprocessableEntity("the request is refused", all...)
	case errors.As(err, &channel):
		return huma.Error422UnprocessableEntity(err.Error())
	case errors.Is(err, models.ErrUnknown), errors.Is(err, equipment.ErrUnknown), errors.Is(err, people.ErrUnknown), errors.Is(err, notify.ErrUnknown), errors.Is(err, annotations.ErrUnknown):
		return huma.Error404NotFound(err.Error())
	case errors.Is(err, models.ErrState), errors.Is(err, equipment.ErrExists), errors.Is(err, equipment.ErrConflict), errors.Is(err, people.ErrLast), errors.Is(err, people.ErrTaken):
		return huma.Error409Conflict(err.Error())
	case errors.Is(err, annotations.ErrOthers):
		return huma.Error403Forbidden(err.Error())
	case errors.Is(err, rescore.ErrUnknown):
		return huma.Error404NotFound(err.Error())
	case errors.Is(err, rescore.ErrBusy):
		return huma.Error409Conflict(err.Error())
	case errors.Is(err, exports.ErrUnknown):
		return huma.Error404NotFound(err.Error())
	case errors.Is(err, exports.ErrBusy), errors.Is(err, exports.ErrNotDone):
		return huma.Error409Conflict(err.Error())
	case errors.Is(err, storage.ErrMemory):
		return huma.Error503ServiceUnavailable(err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return huma.Error503ServiceUnavailable("this took too long; ask for less, or again later")
	case errors.Is(err, kgo.ErrRecordTimeout), errors.Is(err, kgo.ErrRecordRetries), errors.Is(err, kgo.ErrClientClosed):
		return huma.Error503ServiceUnavailable("not done: the log cannot be reached; try again")
	case errors.Is(err, context.Canceled):
		return huma.Error503ServiceUnavailable("the request was given up")
	}
	a.log.Error("request failed", "operation", op, "err", err)
	return huma.Error500InternalServerError("this is our mistake, or a broken disk; the log says more under " + op)
}

// moment reads a time: RFC 3339, "now", or relative to the process clock as "-1h".
func (a *API) moment(key, s string, otherwise time.Duration) (int64, *huma.ErrorDetail) {
	now := a.d.Clock.Now()
	if s == "" {
		return now.Add(otherwise).UnixNano(), nil
	}
	if s == "now" {
		return now.UnixNano(), nil
	}
	if d, err := time.ParseDuration(s); err == nil && d <= 0 {
		return now.Add(d).UnixNano(), nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() < 1970 || t.Year() > 2200 {
		return 0, &huma.ErrorDetail{Location: "query." + key, Value: s, Message: "want RFC 3339 (2026-11-22T02:12:44Z), now, or a time ago (-1h)"}
	}
	return t.UnixNano(), nil
}

// DrillID is a path parameter.
type DrillID struct {
	ID string `path:"id" maxLength:"64" doc:"drill"`
}

// Resolve checks it as the rest of the platform does.
func (d *DrillID) Resolve(huma.Context) []error {
	if err := telemetry.ValidID(d.ID); err != nil {
		return []error{&huma.ErrorDetail{Location: "path.id", Message: err.Error(), Value: d.ID}}
	}
	return nil
}

func refuse(location string, err error) error {
	return huma.Error422UnprocessableEntity("the request is refused", &huma.ErrorDetail{Location: location, Message: err.Error()})
}

func (a *API) register() {
	a.registerPeople()
	a.registerDrills()
	a.registerWaveforms()
	a.registerRescore()
	a.registerAlarms()
	a.registerAnnotations()
	a.registerModels()
	a.registerData()
	a.registerEquipment()
	a.registerExports()
	a.registerNotifications()
}
