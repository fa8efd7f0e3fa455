package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/mudpulse/mudpulse/services/api/people"
	"github.com/mudpulse/mudpulse/services/api/view"
)

type session struct {
	Name string `json:"name"`
	Role string `json:"role" enum:"viewer,operator,engineer,administrator"`
}

type sessionOut struct {
	SetCookie *http.Cookie `header:"Set-Cookie"`
	Body      session
}

type signIn struct {
	request *http.Request
	Body    struct {
		Token string `json:"token" minLength:"20" maxLength:"200" doc:"the secret of a one-time sign-in link, or the administrator's token in DIR/admin-token"`
	}
}

// Resolve remembers the request: the cookie depends on how it came.
func (s *signIn) Resolve(ctx huma.Context) []error {
	s.request, _ = humachi.Unwrap(ctx)
	return nil
}

type signOut struct{ request *http.Request }

// Resolve remembers the request: a cookie goes only from where it was put.
func (s *signOut) Resolve(ctx huma.Context) []error {
	s.request, _ = humachi.Unwrap(ctx)
	return nil
}

type person struct {
	Name     string    `json:"name"`
	Role     string    `json:"role"`
	Disabled bool      `json:"disabled"`
	Created  view.Time `json:"created"`
	By       string    `json:"by"`
	Seen     view.Time `json:"seen" doc:"when last here, wall time; null: never, or signed out"`
	Sessions int       `json:"sessions" doc:"browsers signed in"`
}

type invitation struct {
	Name    string    `json:"name"`
	Role    string    `json:"role"`
	Link    string    `json:"link" doc:"signs its holder in, once"`
	Expires view.Time `json:"expires"`
}

type auditEntry struct {
	ID      int64     `json:"id"`
	At      view.Time `json:"at" doc:"wall time"`
	By      string    `json:"by"`
	Role    string    `json:"role"`
	Action  string    `json:"action"`
	Subject string    `json:"subject"`
	Detail  string    `json:"detail"`
	Remote  string    `json:"remote"`
	Status  int       `json:"status" doc:"HTTP; 0: it was under way when the process ended"`
}

func (a *API) registerPeople() {
	add(a, people.Nobody, http.MethodPost, "/session", "sign-in", "Sign in with a one-time secret", func(ctx context.Context, in *signIn) (*sessionOut, error) {
		if !a.mayTry(time.Now()) {
			return nil, huma.Error429TooManyRequests("too many attempts to sign in; wait a minute")
		}
		if sum := sha256.Sum256([]byte(in.Body.Token)); subtle.ConstantTimeCompare(sum[:], a.token[:]) == 1 {
			// Who may read the data directory is the administrator: a link is made for them and used at once.
			word, _, err := a.people.Invite(ctx, "admin", people.Administrator, people.LinkLife, "admin")
			if err != nil {
				return nil, err
			}
			in.Body.Token = word
		}
		word, id, expires, err := a.people.SignIn(ctx, in.Body.Token, in.request.UserAgent())
		if err != nil {
			if strings.Contains(err.Error(), people.ErrSecret.Error()) {
				return nil, huma.Error401Unauthorized(people.ErrSecret.Error() + "; ask for a new one: `mudpulse link`, or an administrator")
			}
			return nil, err
		}
		a.log.Info("signed in", "name", id.Name, "role", id.Role)
		return &sessionOut{sessionCookie(in.request, word, expires), session{id.Name, string(id.Role)}}, nil
	}, func(op *huma.Operation) {
		op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusTooManyRequests)
	})
	add(a, people.Viewer, http.MethodGet, "/session", "who-am-i", "Who is signed in", func(ctx context.Context, _ *struct{}) (*body[session], error) {
		id := who(ctx)
		return answer(session{id.Name, string(id.Role)}), nil
	})
	add(a, people.Viewer, http.MethodDelete, "/session", "sign-out", "Sign out", func(ctx context.Context, in *signOut) (*struct {
		SetCookie *http.Cookie `header:"Set-Cookie"`
	}, error) {
		if err := a.people.SignOut(ctx, who(ctx)); err != nil {
			return nil, err
		}
		return &struct {
			SetCookie *http.Cookie `header:"Set-Cookie"`
		}{sessionCookie(in.request, "", time.Time{})}, nil
	}, status(http.StatusNoContent))
	add(a, people.Administrator, http.MethodGet, "/people", "list-people", "Who may sign in", func(ctx context.Context, _ *struct{}) (*body[[]person], error) {
		all, err := a.people.People(ctx)
		out := make([]person, len(all))
		for i, p := range all {
			out[i] = person{p.Name, string(p.Role), p.Disabled, view.Time(p.Created.UnixNano()), p.By, moment(p.Seen), p.Sessions}
		}
		return answer(out), err
	})
	add(a, people.Administrator, http.MethodPost, "/people", "invite", "Make a one-time sign-in link for somebody", a.invite, status(http.StatusCreated))
	add(a, people.Administrator, http.MethodPut, "/people/{name}", "change-person", "Give somebody another role, or shut them out", func(ctx context.Context, in *struct {
		Name string `path:"name" maxLength:"64"`
		Body struct {
			Role     string `json:"role" enum:"viewer,operator,engineer,administrator"`
			Disabled bool   `json:"disabled,omitempty"`
		}
	}) (*struct{}, error) {
		remark(ctx, in.Name, fmt.Sprintf("role %s, disabled %v", in.Body.Role, in.Body.Disabled))
		return nil, a.people.Change(ctx, in.Name, people.Role(in.Body.Role), in.Body.Disabled)
	}, status(http.StatusNoContent))
	a.registerTokens()
	add(a, people.Administrator, http.MethodGet, "/audit", "list-audit", "Who changed what, newest first", func(ctx context.Context, in *struct {
		Limit  int   `query:"limit" minimum:"1" maximum:"1000" default:"100"`
		Before int64 `query:"before" minimum:"0" doc:"only entries with a lower id"`
	}) (*body[struct {
		Entries []auditEntry `json:"entries"`
	}], error) {
		all, err := a.people.Audit(ctx, in.Limit, in.Before)
		var out struct {
			Entries []auditEntry `json:"entries"`
		}
		out.Entries = make([]auditEntry, len(all))
		for i, e := range all {
			out.Entries[i] = auditEntry{e.ID, view.Time(e.At.UnixNano()), e.By, string(e.Role), e.Action, e.Subject, e.Detail, e.Remote, e.Status}
		}
		return answer(out), err
	})
}

func (a *API) invite(ctx context.Context, in *struct {
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"64" pattern:"^[^\\x00-\\x1f/]+$" example:"Mara Lindqvist"`
		Role string `json:"role" enum:"viewer,operator,engineer,administrator"`
	}
}) (*body[invitation], error) {
	life := people.InviteLife
	if in.Body.Name == "admin" {
		life = people.LinkLife
	}
	word, expires, err := a.people.Invite(ctx, in.Body.Name, people.Role(in.Body.Role), life, who(ctx).Name)
	if err != nil {
		return nil, err
	}
	remark(ctx, in.Body.Name, "role "+in.Body.Role)
	return answer(invitation{in.Body.Name, in.Body.Role, a.link(word), view.Time(expires.UnixNano())}), nil
}

// mayTry allows twenty attempts a minute to sign in, all together: the secrets
// are 256 bits, so this only keeps the log and the disk quiet.
func (a *API) mayTry(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	recent := a.attempts[:0]
	for _, t := range a.attempts {
		if now.Sub(t) < time.Minute {
			recent = append(recent, t)
		}
	}
	a.attempts = recent
	if len(recent) >= 20 {
		return false
	}
	a.attempts = append(a.attempts, now)
	return true
}
