package api

import (
	"context"
	"net/http"
	"time"

	"github.com/mudpulse/mudpulse/services/alarmlife"
	"github.com/mudpulse/mudpulse/services/api/people"
	"github.com/mudpulse/mudpulse/services/api/view"
	"github.com/mudpulse/mudpulse/services/notify"
)

type delivery struct {
	ID      string    `json:"id" doc:"Idempotency-Key of a webhook; Message-ID of mail, before @mudpulse"`
	Target  string    `json:"target"`
	Kind    string    `json:"kind" enum:"alarm,escalation,digest,test"`
	State   string    `json:"state" enum:"waiting,sending,sent,failed"`
	Subject string    `json:"subject"`
	Created view.Time `json:"created" doc:"wall time"`
	Due     view.Time `json:"due" doc:"next try"`
	Sent    view.Time `json:"sent"`
	Tries   int       `json:"tries"`
	Unsure  int       `json:"unsure" doc:"tries after which the server may have taken it without saying so: it was sent again under the same id"`
	Error   string    `json:"error" doc:"of the last try"`
}

// answered is the book as notifications ask it.
type answered struct{ a *API }

// Unanswered reports whether nobody has acknowledged or shelved the alarm.
func (b answered) Unanswered(id string) bool {
	al, ok := b.a.hub.Book().Get(id)
	return ok && (al.Status == alarmlife.Unack || al.Status == alarmlife.RtnUnack)
}

func (a *API) newNotifier() *notify.Notifier {
	cfg := notify.DefaultConfig()
	if a.place.origin != "" {
		cfg.Page = a.place.origin + a.place.prefix + "/"
	}
	cfg.UTC = time.Duration(a.cfg.UTCOffsetMin) * time.Minute
	minute := func(clock string) int {
		t, err := time.Parse("15:04", clock)
		if err != nil {
			return 0
		}
		return t.Hour()*60 + t.Minute()
	}
	cfg.Tour = notify.Tour{Start: minute(a.cfg.Tour.Start), End: minute(a.cfg.Tour.End)}
	cfg.Age = func(at int64) time.Duration {
		return time.Duration(float64(a.d.Clock.Now().UnixNano()-at) / a.d.Clock.Rate())
	}
	return notify.New(cfg, a.d.DB, answered{a}, time.Now, a.log, a.d.Registerer)
}

// settings are tagged by what is told of them: no secret is lost by another's
// change, for an empty one stays as it was.
func (a *API) settings() *document[notify.NotifySettings] {
	s := a.notify.Settings()
	return &document[notify.NotifySettings]{tagOf(s), s}
}

func (a *API) registerNotifications() {
	add(a, people.Engineer, http.MethodGet, "/notifications", "get-notifications", "Who is told of alarms, when and how; secrets are not told", func(context.Context, *struct{}) (*document[notify.NotifySettings], error) {
		return a.settings(), nil
	})
	add(a, people.Administrator, http.MethodPut, "/notifications", "put-notifications", "Say who is told of alarms; a secret that is left empty stays", func(ctx context.Context, in *struct {
		Match
		Body notify.NotifySettings
	}) (*document[notify.NotifySettings], error) {
		remark(ctx, "notifications", "")
		a.writing.Lock()
		defer a.writing.Unlock()
		if err := in.unchanged("the notifications", a.settings().ETag, a.lastChange(ctx, "put-notifications", "notifications")); err != nil {
			return nil, err
		}
		if err := a.notify.Set(ctx, in.Body); err != nil {
			return nil, err
		}
		return a.settings(), nil
	}, unless)
	add(a, people.Administrator, http.MethodPost, "/notifications/targets/{id}/test", "test-notification", "Send a test to a target", func(ctx context.Context, in *struct {
		ID string `path:"id" maxLength:"64"`
	}) (*body[struct {
		ID string `json:"id"`
	}], error) {
		remark(ctx, in.ID, "test")
		id, err := a.notify.Test(ctx, in.ID)
		return answer(struct {
			ID string `json:"id"`
		}{id}), err
	})
	add(a, people.Engineer, http.MethodGet, "/notifications/deliveries", "list-deliveries", "What was told, is being told and could not be told, newest first", func(ctx context.Context, in *struct {
		Limit int `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	}) (*body[struct {
		Deliveries []delivery `json:"deliveries"`
	}], error) {
		all, err := a.notify.Deliveries(ctx, in.Limit)
		var out struct {
			Deliveries []delivery `json:"deliveries"`
		}
		out.Deliveries = []delivery{}
		for _, d := range all {
			v := delivery{d.ID, d.Target, d.Kind, d.State, d.Subject, view.Time(d.Created), view.Time(d.Due), view.Time(d.Sent), d.Tries, d.Unsure, d.Error}
			if d.State != "waiting" {
				v.Due = 0
			}
			out.Deliveries = append(out.Deliveries, v)
		}
		return answer(out), err
	})
}
