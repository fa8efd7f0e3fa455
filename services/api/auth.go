package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/mudpulse/mudpulse/services/api/people"
)

const (
	cookieName  = "mudpulse"
	signInFirst = "sign in first: open the link that the server printed at its start, or send Authorization: Bearer with the token in DIR/admin-token"
	roleKey     = "role"
)

type identityKey struct{}
type noteKey struct{}

// A note is what a handler adds to its audit row.
type note struct{ subject, detail string }

// who returns who asks; enforce has put it there.
func who(ctx context.Context) people.Identity {
	id, _ := ctx.Value(identityKey{}).(people.Identity)
	return id
}

// remark says in the audit what was changed.
func remark(ctx context.Context, subject, detail string) {
	if n, ok := ctx.Value(noteKey{}).(*note); ok {
		n.subject, n.detail = subject, detail
	}
}

// identify finds out who asks: a bearer of the administrator's token or of a program's, or of a session.
func (a *API) identify(r *http.Request) (people.Identity, error) {
	if h := r.Header.Get("Authorization"); h != "" {
		token, ok := strings.CutPrefix(h, "Bearer ")
		sum := sha256.Sum256([]byte(token))
		if ok && subtle.ConstantTimeCompare(sum[:], a.token[:]) == 1 {
			return people.Identity{Name: "admin", Role: people.Administrator}, nil
		}
		if ok && people.IsToken(token) {
			return a.people.Token(r.Context(), token)
		}
		return people.Identity{}, people.ErrUnknown
	}
	c, err := r.Cookie(cookieName)
	if err != nil {
		return people.Identity{}, people.ErrUnknown
	}
	return a.people.Session(r.Context(), c.Value)
}

// enforce is the one place where it is decided who may do what: every operation
// names the role it needs (open: none), and one that names nothing is refused.
// Changes get their audit row here, before they are made.
func (a *API) enforce(ctx huma.Context, next func(huma.Context)) {
	op := ctx.Operation()
	need, named := op.Metadata[roleKey].(people.Role)
	if !named {
		_ = huma.WriteErr(a.openapi, ctx, http.StatusForbidden, "nobody may do this: the operation names no role")
		return
	}
	r, _ := humachi.Unwrap(ctx)
	var id people.Identity
	if need != people.Nobody {
		var err error
		id, err = a.identify(r)
		if err != nil && !errors.Is(err, people.ErrUnknown) {
			a.log.Error("session not read", "err", err)
			_ = huma.WriteErr(a.openapi, ctx, http.StatusInternalServerError, "sessions cannot be read; the log says why")
			return
		}
		if err != nil {
			_ = huma.WriteErr(a.openapi, ctx, http.StatusUnauthorized, signInFirst)
			return
		}
		if !id.Role.May(need) {
			_ = huma.WriteErr(a.openapi, ctx, http.StatusForbidden, "this takes the role "+string(need)+", and "+id.Name+" is "+string(id.Role))
			return
		}
		ctx = huma.WithValue(ctx, identityKey{}, id)
	}
	if op.Method == http.MethodGet || need == people.Nobody {
		next(ctx)
		return
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	row, err := a.people.Begin(r.Context(), people.Entry{By: id.Name, Role: id.Role, Action: op.OperationID, Subject: r.URL.Path, Remote: host})
	if err != nil {
		a.log.Error("audit not written", "err", err)
		_ = huma.WriteErr(a.openapi, ctx, http.StatusInternalServerError, "the audit cannot be written, so nothing is changed; the log says why")
		return
	}
	n := &note{}
	next(huma.WithValue(ctx, noteKey{}, n))
	late, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 5*time.Second)
	defer cancel()
	if err := a.people.End(late, row, n.subject, n.detail, max(ctx.Status(), 1)); err != nil {
		a.log.Error("audit not completed", "err", err)
	}
}

func sessionCookie(r *http.Request, value string, expires time.Time) *http.Cookie {
	c := &http.Cookie{Name: cookieName, Value: value, Path: Prefix(r) + "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Expires: expires}
	c.Secure = r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
	if value == "" {
		c.MaxAge = -1
	}
	return c
}
