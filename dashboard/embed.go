// Package dashboard holds the web application as it was built by Vite into
// dist, and serves it. A fresh clone compiles before npm ran: dist then holds
// only .gitkeep, and the handler says how to build.
package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed all:dist
var dist embed.FS

// policy lets nothing be fetched from, framed by or sent to another site.
// Styles set from script go through the CSSOM, which style-src does not govern.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; manifest-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"

const unbuilt = `<!doctype html><html lang="en"><meta charset="utf-8"><base href="/"><title>mudpulse</title>
<h1>The dashboard has not been built into this program.</h1>
<p>Run <code>make build</code>, or in <code>dashboard</code>: <code>npm ci &amp;&amp; npm run build</code>, then build the program again.</p>
<p>The API is here all the same: <a href="api/v1/openapi.json">/api/v1/openapi.json</a>.</p></html>
`

// A file is one built file, ready to send.
type file struct {
	body, zipped []byte // zipped is nil where it would save nothing
	kind, etag   string
}

// Built reports whether the web application was built before this program was.
func Built() bool {
	_, err := fs.Stat(dist, "dist/index.html")
	return err == nil
}

// FS returns the built files, index.html at its root.
func FS() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic("BUG: dashboard: " + err.Error()) // the name is a constant
	}
	return sub
}

// Handler serves the application: its files under their own names, and its page
// under every other path without an extension, so that a link to a drill opens
// it. Names under /assets/ carry their content's hash and may be kept for ever.
// It expects paths under /api/ to have been routed elsewhere and answers 404.
//
// prefix says what a proxy put before the path of a request, "" or "/mud"; it has
// been taken off. The page's <base> names it, and all else is relative to that.
func Handler(prefix func(*http.Request) string) http.Handler { return handler(FS(), prefix) }

const base = `<base href="/"`

func handler(files fs.FS, prefix func(*http.Request) string) http.Handler {
	all := map[string]*file{}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		all["/"+name] = pack(name, body)
		return nil
	})
	if err != nil {
		panic("BUG: dashboard: " + err.Error()) // files compiled into the program
	}
	if all["/index.html"] == nil {
		all["/index.html"] = pack("index.html", []byte(unbuilt))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
			return
		}
		name := path.Clean("/" + r.URL.Path)
		f := all[name]
		if f == nil {
			if path.Ext(name) != "" || strings.HasPrefix(name, "/api/") || strings.HasPrefix(name, "/assets/") {
				http.NotFound(w, r)
				return
			}
			f = all["/index.html"]
		}
		h := w.Header()
		if f == all["/index.html"] {
			h.Set("Vary", "X-Forwarded-Prefix")
			if p := prefix(r); p != "" {
				f = pack("index.html", bytes.Replace(f.body, []byte(base), []byte(`<base href="`+html.EscapeString(p)+`/"`), 1))
			}
		}
		h.Set("Content-Type", f.kind)
		h.Set("Etag", f.etag)
		h.Add("Vary", "Accept-Encoding")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", policy)
		if strings.HasPrefix(name, "/assets/") {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			h.Set("Cache-Control", "no-cache")
		}
		if strings.Contains(r.Header.Get("If-None-Match"), f.etag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		body := f.body
		if f.zipped != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			h.Set("Content-Encoding", "gzip")
			body = f.zipped
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
		if r.Method == http.MethodGet {
			_, _ = w.Write(body) // the client went away; nobody to tell
		}
	})
}

func pack(name string, body []byte) *file {
	kind := map[string]string{".webmanifest": "application/manifest+json", ".woff2": "font/woff2", ".js": "text/javascript; charset=utf-8"}[path.Ext(name)]
	if kind == "" {
		kind = mime.TypeByExtension(path.Ext(name))
	}
	if kind == "" {
		kind = "application/octet-stream"
	}
	sum := sha256.Sum256(body)
	f := &file{body: body, kind: kind, etag: `"` + hex.EncodeToString(sum[:12]) + `"`}
	if path.Ext(name) != ".woff2" {
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			panic("BUG: dashboard: " + err.Error())
		}
		_, _ = z.Write(body) // a bytes.Buffer takes everything
		_ = z.Close()
		if b.Len() < len(body) {
			f.zipped = b.Bytes()
		}
	}
	return f
}
