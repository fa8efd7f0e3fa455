// Package client talks to a running mudpulse over its HTTP API, for the command
// line and for tests.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client is signed in by a token.
type Client struct {
	base  string
	token string
	http  http.Client
}

// New returns a client of the process at addr, host:port or a URL.
func New(addr, token string) *Client {
	if !strings.Contains(addr, "://") {
		addr = "http://" + addr
	}
	return &Client{base: strings.TrimSuffix(addr, "/") + "/api/v1", token: token, http: http.Client{Timeout: 2 * time.Minute}}
}

// Wait lets answers take so long.
func (c *Client) Wait(d time.Duration) { c.http.Timeout = d }

// A Problem is what the API answers when it refuses (RFC 9457).
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Errors []struct {
		Location string `json:"location"`
		Message  string `json:"message"`
	} `json:"errors"`
}

func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Detail)
	if b.Len() == 0 {
		b.WriteString(p.Title)
	}
	for _, e := range p.Errors {
		b.WriteString("\n  ")
		if e.Location != "" {
			b.WriteString(e.Location + ": ")
		}
		b.WriteString(e.Message)
	}
	return b.String()
}

// Do sends a request below /api/v1 and decodes the answer into out, where that is not nil.
func (c *Client) Do(ctx context.Context, method, path, contentType string, body io.Reader, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("no answer from mudpulse: %w", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		p := &Problem{Status: res.StatusCode, Title: res.Status}
		_ = json.Unmarshal(b, p) // the status says enough where the body is no problem
		return p
	}
	if raw, ok := out.(*[]byte); ok {
		*raw = b
		return nil
	}
	if out == nil || len(b) == 0 {
		return nil
	}
	return json.Unmarshal(b, out)
}

func (c *Client) send(ctx context.Context, method, path string, in, out any) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.Do(ctx, method, path, "application/json", bytes.NewReader(b), out)
}

// A Device is new, with its password, which is told once.
type Device struct {
	Username   string `json:"username"`
	Password   string `json:"password"`
	Topic      string `json:"topic"`
	ProtoTopic string `json:"proto_topic,omitempty"`
	Example    string `json:"example,omitempty"`
}

// AddDevice makes a device for a drill; an empty id gets a name from the drill's.
func (c *Client) AddDevice(ctx context.Context, drill, id string) (d Device, err error) {
	in := map[string]string{"drill": drill}
	if id != "" {
		in["id"] = id
	}
	return d, c.send(ctx, http.MethodPost, "/devices", in, &d)
}

// Invite makes a one-time sign-in link for somebody.
func (c *Client) Invite(ctx context.Context, name, role string) (link string, err error) {
	var out struct {
		Link string `json:"link"`
	}
	err = c.send(ctx, http.MethodPost, "/people", map[string]string{"name": name, "role": role}, &out)
	return out.Link, err
}

// RevokeDevice takes a device away.
func (c *Client) RevokeDevice(ctx context.Context, id string) error {
	return c.Do(ctx, http.MethodDelete, "/devices/"+url.PathEscape(id), "", nil, nil)
}

// A Pushed model was taken.
type Pushed struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	SHA256  string `json:"sha256"`
	Checks  []struct {
		Name   string `json:"name"`
		OK     bool   `json:"ok"`
		Detail string `json:"detail"`
	} `json:"checks"`
	Marker string `json:"marker"`
}

// PushModel uploads a PMML document, and beside it the engineer's own rows, CSV, where there are any.
func (c *Client) PushModel(ctx context.Context, name string, pmml, rows []byte, activate, shadow bool) (p Pushed, err error) {
	q := url.Values{}
	if name != "" {
		q.Set("name", name)
	}
	q.Set("activate", fmt.Sprint(activate))
	q.Set("shadow", fmt.Sprint(shadow))
	path := "/models?" + q.Encode()
	if len(rows) == 0 {
		return p, c.Do(ctx, http.MethodPost, path, "application/xml", bytes.NewReader(pmml), &p)
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for field, b := range map[string][]byte{"file": pmml, "rows": rows} {
		w, err := form.CreateFormFile(field, field)
		if err != nil {
			return p, err
		}
		if _, err := w.Write(b); err != nil {
			return p, err
		}
	}
	if err := form.Close(); err != nil {
		return p, err
	}
	return p, c.Do(ctx, http.MethodPost, path, form.FormDataContentType(), &body, &p)
}

// Activate switches a version on.
func (c *Client) Activate(ctx context.Context, name string, version int, shadow bool, drills []string) (marker string, err error) {
	var out struct{ Marker string }
	err = c.send(ctx, http.MethodPost, "/models/"+url.PathEscape(name)+"/activate", map[string]any{"version": version, "shadow": shadow, "drills": drills}, &out)
	return out.Marker, err
}

// Promote puts a version in the place of the one that is on; in: see the API.
func (c *Client) Promote(ctx context.Context, name string, in map[string]any) (marker string, version int, err error) {
	var out struct {
		Marker  string
		Version int
	}
	err = c.send(ctx, http.MethodPost, "/models/"+url.PathEscape(name)+"/promote", in, &out)
	return out.Marker, out.Version, err
}

// Rollback takes a canary off, or switches back to the version that was on before, and tells which is on then.
func (c *Client) Rollback(ctx context.Context, name string) (marker string, version int, err error) {
	var out struct {
		Marker  string
		Version int
	}
	err = c.Do(ctx, http.MethodPost, "/models/"+url.PathEscape(name)+"/rollback", "", nil, &out)
	return out.Marker, out.Version, err
}

// Deactivate switches a model off.
func (c *Client) Deactivate(ctx context.Context, name string) error {
	return c.Do(ctx, http.MethodPost, "/models/"+url.PathEscape(name)+"/deactivate", "", nil, nil)
}

// Get returns what a path below /api/v1 answers.
func (c *Client) Get(ctx context.Context, path string) (b []byte, err error) {
	return b, c.Do(ctx, http.MethodGet, path, "", nil, &b)
}

// Download writes what a path below /api/v1 answers to w, whatever its size.
func (c *Client) Download(ctx context.Context, path string, w io.Writer) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	long := http.Client{}
	res, err := long.Do(req)
	if err != nil {
		return 0, fmt.Errorf("no answer from mudpulse: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		p := &Problem{Status: res.StatusCode, Title: res.Status}
		_ = json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(p) // the status says enough where the body is no problem
		return 0, p
	}
	return io.Copy(w, res.Body)
}

// Send sends in as JSON and decodes the answer into out.
func (c *Client) Send(ctx context.Context, method, path string, in, out any) error {
	return c.send(ctx, method, path, in, out)
}
