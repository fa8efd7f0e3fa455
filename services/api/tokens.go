package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/mudpulse/mudpulse/services/api/people"
	"github.com/mudpulse/mudpulse/services/api/view"
)

// APIToken is a program's token, without its secret.
type APIToken struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Role    string    `json:"role"`
	Created view.Time `json:"created"`
	Expires view.Time `json:"expires" doc:"null: by hand"`
	Seen    view.Time `json:"seen" doc:"last used, to a minute; null: never"`
	By      string    `json:"by"`
}

type apiTokenMade struct {
	APIToken
	Token string `json:"token" doc:"told this once; send it as Authorization: Bearer"`
}

type signedIn struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Created view.Time `json:"created"`
	Expires view.Time `json:"expires"`
	Seen    view.Time `json:"seen" doc:"last here, to a minute"`
	Agent   string    `json:"agent" doc:"what its browser says it is"`
}

type invited struct {
	Name    string    `json:"name"`
	Role    string    `json:"role"`
	Expires view.Time `json:"expires"`
	By      string    `json:"by"`
}

type byID struct {
	ID string `path:"id" maxLength:"64" pattern:"^[A-Za-z0-9]+$"`
}

// registerTokens adds what programs sign in with, and who is signed in now.
func (a *API) registerTokens() {
	add(a, people.Administrator, http.MethodGet, "/invitations", "list-invitations", "Links that were made and not yet used", func(ctx context.Context, _ *struct{}) (*body[[]invited], error) {
		all, err := a.people.Invitations(ctx)
		out := make([]invited, len(all))
		for i, x := range all {
			out[i] = invited{x.Name, string(x.Role), moment(x.Expires), x.By}
		}
		return answer(out), err
	})
	add(a, people.Administrator, http.MethodGet, "/sessions", "list-sessions", "Who is signed in, newest first", func(ctx context.Context, _ *struct{}) (*body[[]signedIn], error) {
		all, err := a.people.Sessions(ctx)
		out := make([]signedIn, len(all))
		for i, x := range all {
			out[i] = signedIn{x.ID, x.Name, moment(x.Created), moment(x.Expires), moment(x.Seen), x.Agent}
		}
		return answer(out), err
	})
	add(a, people.Administrator, http.MethodDelete, "/sessions/{id}", "end-session", "Sign a browser out", func(ctx context.Context, in *byID) (*struct{}, error) {
		return nil, a.people.EndSession(ctx, in.ID)
	}, status(http.StatusNoContent))
	add(a, people.Administrator, http.MethodGet, "/tokens", "list-tokens", "Tokens of programs, by name; without their secrets", func(ctx context.Context, _ *struct{}) (*body[[]APIToken], error) {
		all, err := a.people.Tokens(ctx)
		out := make([]APIToken, len(all))
		for i, t := range all {
			out[i] = showToken(t)
		}
		return answer(out), err
	})
	add(a, people.Administrator, http.MethodPost, "/tokens", "make-token", "Make a token for a program; its secret is told this once", func(ctx context.Context, in *struct {
		Body struct {
			Name string `json:"name" minLength:"1" maxLength:"64" pattern:"^[^\\x00-\\x1f/]+$" example:"Grafana"`
			Role string `json:"role" enum:"viewer,operator,engineer,administrator"`
			Days int    `json:"days,omitempty" minimum:"0" maximum:"3650" doc:"until it ends; 0: until it is taken away"`
		}
	}) (*body[apiTokenMade], error) {
		remark(ctx, in.Body.Name, fmt.Sprintf("role %s, %d days", in.Body.Role, in.Body.Days))
		word, t, err := a.people.AddToken(ctx, in.Body.Name, people.Role(in.Body.Role), time.Duration(in.Body.Days)*24*time.Hour, who(ctx).Name)
		if err != nil {
			return nil, err
		}
		return answer(apiTokenMade{showToken(t), word}), nil
	}, status(http.StatusCreated))
	add(a, people.Administrator, http.MethodDelete, "/tokens/{id}", "revoke-token", "Take a token away", func(ctx context.Context, in *byID) (*struct{}, error) {
		return nil, a.people.RevokeToken(ctx, in.ID)
	}, status(http.StatusNoContent))
}

// TokenRole returns the role of a program that signs in under its token's name.
func (a *API) TokenRole(ctx context.Context, name, token string) (people.Role, bool) {
	if !people.IsToken(token) {
		return people.Nobody, false
	}
	id, err := a.people.Token(ctx, token)
	if err != nil || id.Name != name || !id.Role.May(people.Viewer) {
		return people.Nobody, false
	}
	return id.Role, true
}

func showToken(t people.Token) APIToken {
	return APIToken{t.ID, t.Name, string(t.Role), moment(t.Created), moment(t.Expires), moment(t.Seen), t.By}
}

// moment is a wall time as the API tells it; the zero time is null.
func moment(t time.Time) view.Time {
	if t.IsZero() {
		return 0
	}
	return view.Time(t.UnixNano())
}
