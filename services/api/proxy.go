package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// A place is where people reach the page when a proxy stands before it.
type place struct {
	origin string // https://rigs.example.com
	host   string
	prefix string // "", or /mud
}

// A prefix goes into HTML and cookies as it is, so it may hold nothing that
// means something there.
var plainPrefix = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$`)

// taken are first segments of paths of our own: below such a prefix it could not
// be told whether a proxy had taken it off.
var taken = []string{"api", "assets", "d", "alarms", "models", "data", "admin", "handover", "wall", "replay", "healthz", "readyz", "metrics"}

// placeOf reads the setting url; "" is a page that is reached where it listens.
func placeOf(address string) (place, error) {
	if address == "" {
		return place{}, nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return place{}, fmt.Errorf("url: %q is no address of a page: want https://HOST/ or https://HOST/PREFIX/", address)
	}
	p := place{origin: u.Scheme + "://" + u.Host, host: u.Host, prefix: strings.TrimRight(u.EscapedPath(), "/")}
	if p.prefix == "" {
		return p, nil
	}
	if !plainPrefix.MatchString(p.prefix) {
		return place{}, fmt.Errorf("url: %q: a prefix is of letters, digits and . _ ~ - only", address)
	}
	if first := strings.Split(p.prefix, "/")[1]; slices.Contains(taken, first) {
		return place{}, fmt.Errorf("url: %q: /%s is a path of mudpulse itself: choose another prefix", address, first)
	}
	return p, nil
}

type prefixKey struct{}

// Prefix is what stands before every path of this request at the browser's end:
// "", or /mud. It comes from the setting url, else from the proxy.
func Prefix(r *http.Request) string {
	s, _ := r.Context().Value(prefixKey{}).(string)
	return s
}

// below serves as if nothing stood before our paths. A proxy may have taken the
// prefix of the setting off, or not; one that names it in X-Forwarded-Prefix has.
func (a *API) below(next http.Handler) http.Handler {
	stripped := http.StripPrefix(a.place.prefix, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		prefix, h := a.place.prefix, next
		if prefix == "" {
			if said := strings.TrimRight(r.Header.Get("X-Forwarded-Prefix"), "/"); len(said) <= 200 && plainPrefix.MatchString(said) {
				prefix = said
			}
		} else if rest, ok := strings.CutPrefix(r.URL.Path, prefix); ok && strings.HasPrefix(rest, "/") {
			h = stripped
		} else if ok && rest == "" {
			http.Redirect(w, r, prefix+"/", http.StatusFound)
			return
		}
		if prefix != "" {
			r = r.WithContext(context.WithValue(r.Context(), prefixKey{}, prefix))
		}
		h.ServeHTTP(w, r)
	})
}
