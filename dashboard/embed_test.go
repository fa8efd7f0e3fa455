package dashboard

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

var built = fstest.MapFS{
	"index.html":       {Data: []byte("<html>" + strings.Repeat("page ", 100))},
	"assets/app-1a.js": {Data: []byte(strings.Repeat("let a;", 100))},
	".gitkeep":         {},
}

func direct(*http.Request) string { return "" }

func get(t *testing.T, h http.Handler, method, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestEveryPathOfTheApplicationGetsItsPage(t *testing.T) {
	h := handler(built, direct)
	f := func(path string, status int, kind string) {
		t.Helper()
		r := get(t, h, "GET", path)
		if r.StatusCode != status {
			t.Errorf("%s: status %d, want %d", path, r.StatusCode, status)
		}
		if got := r.Header.Get("Content-Type"); kind != "" && !strings.HasPrefix(got, kind) {
			t.Errorf("%s: type %q, want %q", path, got, kind)
		}
	}
	f("/", 200, "text/html")
	f("/d/RIG-07", 200, "text/html")
	f("/alarms", 200, "text/html")
	f("/assets/app-1a.js", 200, "text/javascript")
	f("/assets/gone.js", 404, "")
	f("/api/v1/nothing", 404, "")
	f("/.gitkeep", 404, "")
	f("/../embed.go", 404, "")
}

func TestOnlyReadingIsAllowed(t *testing.T) {
	r := get(t, handler(built, direct), "POST", "/")
	if r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("status %d, Allow %q", r.StatusCode, r.Header.Get("Allow"))
	}
}

func TestHashedNamesAreKeptAndThePageIsAskedForAgain(t *testing.T) {
	h := handler(built, direct)
	if c := get(t, h, "GET", "/assets/app-1a.js").Header.Get("Cache-Control"); !strings.Contains(c, "immutable") {
		t.Errorf("asset: Cache-Control %q", c)
	}
	page := get(t, h, "GET", "/")
	if c := page.Header.Get("Cache-Control"); c != "no-cache" {
		t.Errorf("page: Cache-Control %q", c)
	}
	again := get(t, h, "GET", "/", "If-None-Match", page.Header.Get("Etag"))
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("same page again: status %d", again.StatusCode)
	}
}

func TestTextTravelsCompressedWhereTheClientCan(t *testing.T) {
	h := handler(built, direct)
	r := get(t, h, "GET", "/assets/app-1a.js", "Accept-Encoding", "gzip")
	if r.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("not compressed: %v", r.Header)
	}
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(z)
	if err != nil || string(got) != string(built["assets/app-1a.js"].Data) {
		t.Errorf("body differs, err %v", err)
	}
}

func TestNothingMayBeFetchedFromAnotherSite(t *testing.T) {
	p := get(t, handler(built, direct), "GET", "/").Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(p, want) {
			t.Errorf("policy lacks %q: %s", want, p)
		}
	}
	if strings.Contains(p, "unsafe") || strings.Contains(p, "http") {
		t.Errorf("policy is too wide: %s", p)
	}
}

func TestAFreshCloneSaysHowToBuild(t *testing.T) {
	r := get(t, handler(fstest.MapFS{".gitkeep": {}}, direct), "GET", "/")
	body, err := io.ReadAll(r.Body)
	if err != nil || !strings.Contains(string(body), "npm run build") {
		t.Errorf("err %v, body %q", err, body)
	}
}

func TestThePageSaysBelowWhichPrefixItLies(t *testing.T) {
	page := fstest.MapFS{"index.html": {Data: []byte(`<base href="/" />` + strings.Repeat("page ", 100))}}
	f := func(prefix, base string) string {
		t.Helper()
		r := get(t, handler(page, func(*http.Request) string { return prefix }), "GET", "/d/RIG-07")
		body, err := io.ReadAll(r.Body)
		if err != nil || !strings.HasPrefix(string(body), base) {
			t.Errorf("%q: %.40s %v, want %s", prefix, body, err, base)
		}
		if !strings.Contains(strings.Join(r.Header.Values("Vary"), " "), "X-Forwarded-Prefix") {
			t.Error("a cache may give one prefix's page to another")
		}
		return r.Header.Get("Etag")
	}
	if f("", `<base href="/" />`) == f("/mud", `<base href="/mud/" />`) {
		t.Error("both have the same tag")
	}
}
