package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/mudpulse/mudpulse/services/api"
	"github.com/mudpulse/mudpulse/services/api/people"
)

// A real proxy serves mudpulse below /mud/, in each way that proxies do.
func TestBelowAProxysPrefixOneSignsInReadsAndListens(t *testing.T) {
	for name, how := range map[string]struct {
		setting, strips, says, keepsHost bool
	}{
		"the proxy takes the prefix off and says so":         {strips: true, says: true, keepsHost: true},
		"the setting names it, the proxy takes it off":       {setting: true, strips: true},
		"the setting names it, the proxy leaves it":          {setting: true},
		"the setting names it, and the proxy says so":        {setting: true, strips: true, says: true},
		"the setting names it, and the proxy keeps the host": {setting: true, keepsHost: true},
	} {
		t.Run(name, func(t *testing.T) {
			var upstream *url.URL
			front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(upstream)
				r.SetXForwarded()
				if how.keepsHost {
					r.Out.Host = r.In.Host
				}
				if how.strips {
					r.Out.URL.Path = strings.TrimPrefix(r.Out.URL.Path, "/mud")
				}
				if how.says {
					r.Out.Header.Set("X-Forwarded-Prefix", "/mud")
				}
			}})
			defer front.Close()
			w := newWorld(t, func(c *api.Config, d *api.Deps) {
				if how.setting {
					c.URL = front.URL + "/mud/"
				}
				d.Dashboard = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, api.Prefix(r)+" "+r.URL.Path) })
			})
			var err error
			if upstream, err = url.Parse(w.url); err != nil {
				t.Fatal(err)
			}
			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			ask := func(method, path, body string, want int) string {
				t.Helper()
				req, err := http.NewRequestWithContext(t.Context(), method, front.URL+path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("Origin", front.URL)
				res, err := (&http.Client{Jar: jar}).Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				raw, err := io.ReadAll(res.Body)
				if err != nil || res.StatusCode != want {
					t.Fatalf("%s %s: %d %v, want %d: %s", method, path, res.StatusCode, err, want, raw)
				}
				return string(raw)
			}
			link := w.post("/api/v1/people", map[string]any{"name": "Mara", "role": people.Operator}, 201).at(t, "link").(string)
			address, secret, _ := strings.Cut(link, "#signin=")
			if how.setting && address != front.URL+"/mud/" {
				t.Errorf("an invitation leads to %s", address)
			}
			if page := ask("GET", "/mud/d/RIG-07", "", 200); page != "/mud /d/RIG-07" {
				t.Errorf("the page got %q", page)
			}
			ask("GET", "/mud/api/v1/session", "", 401)
			word, err := json.Marshal(map[string]string{"token": secret})
			if err != nil {
				t.Fatal(err)
			}
			ask("POST", "/mud/api/v1/session", string(word), 200)
			if s := ask("GET", "/mud/api/v1/session", "", 200); !strings.Contains(s, "Mara") {
				t.Errorf("signed in as %s", s)
			}
			at := func(path string) *url.URL {
				u := *upstream
				u.Host = strings.TrimPrefix(front.URL, "http://")
				u.Path = path
				return &u
			}
			if n := len(jar.Cookies(at("/mud/api/v1/live"))); n != 1 {
				t.Errorf("%d cookies below the prefix", n)
			}
			if n := len(jar.Cookies(at("/another"))); n != 0 {
				t.Error("another program of that host gets the session")
			}
			dial := func(origin string) error {
				conn, _, err := websocket.Dial(t.Context(), front.URL+"/mud/api/v1/live", &websocket.DialOptions{HTTPClient: &http.Client{Jar: jar}, HTTPHeader: http.Header{"Origin": {origin}}})
				if err == nil {
					err = conn.CloseNow()
				}
				return err
			}
			if err := dial(front.URL); err != nil {
				t.Errorf("live: %v", err)
			}
			if dial("http://evil.example") == nil {
				t.Error("another site's page may listen")
			}
			ask("DELETE", "/mud/api/v1/session", "", 204)
			if n := len(jar.Cookies(at("/mud/"))); n != 0 {
				t.Error("signed out, the cookie stays")
			}
		})
	}
}

func TestAPrefixThatMeansSomethingElseIsNotTaken(t *testing.T) {
	w := newWorld(t, func(_ *api.Config, d *api.Deps) {
		d.Dashboard = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, "["+api.Prefix(r)+"]") })
	})
	f := func(said, want string) {
		t.Helper()
		if got := string(w.do("GET", "/", nil, header{"X-Forwarded-Prefix": said}).body); got != "["+want+"]" {
			t.Errorf("%q: %s, want [%s]", said, got, want)
		}
	}
	f("/mud", "/mud")
	f("/a/b-c_d/", "/a/b-c_d")
	f(`/"><script>`, "")
	f("//evil.example", "")
	f("/../x", "")
	f("mud", "")
	f("/mud;Path=/", "")
	f("/"+strings.Repeat("x", 300), "")
}

func TestAnAddressOfThePageThatCannotBeIsRefused(t *testing.T) {
	f := func(address, want string) {
		t.Helper()
		c := api.DefaultConfig()
		c.AdminToken, c.URL = token, address
		if err := c.Validate(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", address, err, want)
		}
	}
	f("", "")
	f("https://rigs.example.com", "")
	f("https://rigs.example.com:8443/mud/", "")
	f("rigs.example.com/mud", "url:")
	f("https://rigs.example.com/mud?x=1", "url:")
	f("https://rigs.example.com/m%20d/", "letters")
	f("https://rigs.example.com/data/", "choose another prefix")
}
