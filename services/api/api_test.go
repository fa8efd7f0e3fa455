package api_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/services/api"
	"github.com/mudpulse/mudpulse/services/internal/blobs"
	"github.com/mudpulse/mudpulse/services/internal/relational"
	"github.com/mudpulse/mudpulse/services/models"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

var update = flag.Bool("update", false, "rewrite docs/openapi.json and testdata")

const token = "0123456789abcdef0123456789abcdef"

var (
	topics = telemetry.NewTopics("t.")
	noon   = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
)

// store is the columnstore as these tests need it.
type store struct {
	mu       sync.Mutex
	drills   []storage.Drill
	scores   []*telemetry.Score
	events   []telemetry.AlarmEvent
	commands []telemetry.Command
	seen     []storage.SeenChannel
	asked    storage.SeriesQuery
	aside    []telemetry.Quarantined
	fail     error
	block    bool
}

// One snapshot: a second of a shaft at 20 turns a second and, half as strong, of its outer race.
func (s *store) Waveforms(_ context.Context, drill string, from, to int64, limit int) ([]storage.Waveform, error) {
	w, _, _, err := s.Waveform(context.Background(), drill, "TDACC", noon.UnixNano()-60e9)
	if w.TS < from || w.TS >= to || limit < 1 {
		return nil, err
	}
	return []storage.Waveform{w}, err
}
func (s *store) Waveform(_ context.Context, drill, channel string, at int64) (storage.Waveform, []float64, bool, error) {
	w := storage.Waveform{Drill: drill, Channel: "TDACC", ID: telemetry.FrameID{Device: "vib-1"}, TS: noon.UnixNano() - 60e9, Every: 78125, Samples: 12800, Shaft: 1200}
	x := make([]float64, w.Samples)
	for i := range x {
		turn := 2 * math.Pi * 20 * float64(i) / 12800
		x[i] = math.Sin(turn) + 0.5*math.Sin(3.056*turn)
	}
	return w, x, channel == "TDACC" && at == w.TS, s.fail
}
func (s *store) Scores(_ context.Context, drill string, from, to int64, _ int) (out []telemetry.Score, _ error) {
	for _, x := range s.scores {
		if x.Drill == drill && x.Tick >= from && x.Tick < to {
			out = append(out, *x)
		}
	}
	return out, s.fail
}
func (s *store) Drills() []storage.Drill          { return s.drills }
func (s *store) LatestScores() []*telemetry.Score { return s.scores }
func (s *store) Latest(string) map[string]storage.Value {
	return map[string]storage.Value{"DBTM": {Value: 2731.5}}
}
func (s *store) Unregistered() []storage.SeenChannel { return s.seen }
func (s *store) HealthHistory(int64) []storage.HealthHistory {
	h := storage.HealthHistory{Drill: "RIG-07"}
	for i := range h.Last {
		h.Last[i], h.Min[i] = math.NaN(), math.NaN()
		if i >= 72 {
			h.Last[i] = 90 - float64(i-72)
		}
	}
	return []storage.HealthHistory{h}
}
func (s *store) AlarmEvents(_ context.Context, q storage.AlarmQuery) ([]telemetry.AlarmEvent, error) {
	var out []telemetry.AlarmEvent
	for _, e := range s.events {
		if (q.ID == "" || e.ID == q.ID) && (q.IDs == nil || slices.Contains(q.IDs, e.ID)) && (q.Before == 0 || e.At < q.Before) {
			out = append(out, e)
		}
	}
	return out, s.fail
}
func (s *store) AlarmSteps(_ context.Context, at storage.Place, _ int) ([]telemetry.AlarmEvent, storage.Place, error) {
	return slices.SortedFunc(slices.Values(s.events), func(a, b telemetry.AlarmEvent) int { return cmp.Compare(a.At, b.At) }), at, s.fail
}
func (s *store) CommandSteps(_ context.Context, at storage.Place, _ int) ([]telemetry.Command, storage.Place, error) {
	return slices.SortedFunc(slices.Values(s.commands), func(a, b telemetry.Command) int { return cmp.Compare(a.At, b.At) }), at, s.fail
}
func (s *store) AlarmRecords(ctx context.Context, q storage.AlarmQuery) ([]json.RawMessage, error) {
	events, err := s.AlarmEvents(ctx, q)
	out := []json.RawMessage{}
	for i := range events {
		raw, err := json.Marshal(&events[i])
		if err != nil {
			return nil, err
		}
		out = append(out, raw)
	}
	return out, err
}
func (s *store) Commands(context.Context, storage.CommandQuery) ([]telemetry.Command, error) {
	return s.commands, s.fail
}
func (s *store) Series(ctx context.Context, q storage.SeriesQuery) ([]storage.Series, error) {
	s.mu.Lock()
	s.asked = q
	s.mu.Unlock()
	if s.block {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	var out []storage.Series
	for _, c := range q.Channels {
		if c != "SPP" && c != "health" {
			return nil, &storage.UnknownChannel{Channel: c}
		}
		out = append(out, storage.Series{Channel: c, T: []int64{q.From, q.From + 1e9}, Min: []float64{1, math.NaN()}, Max: []float64{2, 3}, First: []float64{1, 3}, Last: []float64{2, 3},
			TLast: []int64{q.From, q.From + 1e9}, N: []int64{2, 1}, Width: 6e9, Gaps: [][2]int64{{q.From + 1e9, q.To}}})
	}
	return out, s.fail
}
func (s *store) Quarantine(context.Context, int, int64) ([]telemetry.Quarantined, int64, error) {
	return []telemetry.Quarantined{{ID: "q1", Code: "malformed", Message: "no JSON", Cure: "send JSON", Raw: []byte("<b>\xc3"), RawSize: 4}, {ID: "q2", Raw: []byte("héllo")}}, 2, s.fail
}
func (s *store) QuarantineItem(_ context.Context, id string) (telemetry.Quarantined, bool, error) {
	for _, q := range s.aside {
		if q.ID == id {
			return q, true, s.fail
		}
	}
	return telemetry.Quarantined{}, false, s.fail
}
func (s *store) Ledger(_ context.Context, q storage.LedgerQuery) (storage.Ledger, error) {
	return storage.Ledger{Rows: []storage.LedgerRow{{Drill: cmpOr(q.Drill, "RIG-07"), Device: "edr-1", Boot: "b1", First: 1, Last: 3, Sent: 3, Accepted: 3, Stored: 2, Scored: 2, Readable: 2,
		Gaps: []storage.Gap{{Stage: "stored", From: 2, To: 2, Count: 1, Why: "no row of frames"}}}}, Sent: 3, Accepted: 3, Stored: 2, Gaps: 1}, s.fail
}
func (s *store) Gateways(context.Context) ([]telemetry.GatewayStatus, error) {
	return []telemetry.GatewayStatus{{Gateway: "gw-1", At: noon.UnixNano(), Sessions: []telemetry.DeviceSession{{Device: "rig-07-1", Drill: "RIG-07", Connected: true, LastSeen: noon.UnixNano()}}}}, s.fail
}

func cmpOr(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// engine knows models of the form "KIND input,input > output".
type engine struct{}

func (engine) Read(b []byte) (*models.About, error) {
	kind, rest, ok := strings.Cut(string(b), " ")
	in, out, ok2 := strings.Cut(rest, " > ")
	if !ok || !ok2 {
		return nil, &models.Refused{What: "model", Problems: []models.Problem{
			{Line: 3, Element: "Node", Message: "has no predicate", Cure: "add <True/>"}, {Line: 9, Element: "DataField age", Message: "is not declared"}}}
	}
	a := &models.About{ModelName: "washout", Kind: kind, Function: "regression", Checks: []models.Check{{Name: "loads", OK: true}}}
	for _, f := range strings.Split(in, ",") {
		a.Inputs = append(a.Inputs, models.Input{Name: f, Type: "double"})
	}
	for _, f := range strings.Split(strings.TrimSpace(out), ",") {
		a.Outputs = append(a.Outputs, models.Output{Name: f})
	}
	return a, nil
}

func (engine) Try(context.Context, []byte, models.Trial) (models.Tried, error) {
	return models.Tried{Checks: []models.Check{{Name: "speed", OK: true}}}, nil
}

// A world is an API over a fake log and a fake columnstore.
type world struct {
	t     *testing.T
	api   *api.API
	store *store
	log   *kfake.Cluster
	db    *relational.DB
	clock *telemetry.ManualClock
	cat   *telemetry.Catalogue
	url   string // of an httptest server; Run does not run
}

func newWorld(t *testing.T, change ...func(*api.Config, *api.Deps)) *world {
	t.Helper()
	w := &world{t: t, store: &store{drills: []storage.Drill{{Drill: "RIG-07", Last: noon.UnixNano() - 1e9, Simulated: true}}}, clock: telemetry.NewManualClock(noon), cat: telemetry.DefaultCatalogue()}
	ctx := t.Context()
	var err error
	if w.db, err = relational.Open(ctx, filepath.Join(t.TempDir(), "m.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	bl, err := blobs.Open(ctx, filepath.Join(t.TempDir(), "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	w.log, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.ClusterID("mp-1"),
		kfake.SeedTopics(2, topics.Frames, topics.Backfill, topics.Commands, topics.Scores, topics.Alarms), kfake.SeedTopics(1, topics.Control, topics.Quarantine, topics.Gateways))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.log.Close)
	cfg := api.DefaultConfig()
	cfg.Addr, cfg.AdminToken, cfg.Topics, cfg.Client, cfg.Version = "127.0.0.1:0", token, topics, []kgo.Opt{kgo.SeedBrokers(w.log.ListenAddrs()...)}, "test"
	reg := prometheus.NewRegistry()
	deps := api.Deps{DB: w.db, Blobs: bl, Store: w.store, Engine: engine{}, Catalogue: w.cat, Clock: w.clock, Log: slog.New(slog.DiscardHandler), Registerer: reg, Gatherer: reg,
		Dashboard: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, "page "+r.URL.Path) })}
	for _, f := range change {
		f(&cfg, &deps)
	}
	if w.api, err = api.New(cfg, deps); err != nil {
		t.Fatal(err)
	}
	if err := w.api.Prepare(ctx); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(w.api.Handler())
	t.Cleanup(srv.Close)
	w.url = srv.URL
	return w
}

// An answer is what came back.
type answer struct {
	*http.Response
	body []byte
}

type header map[string]string

var admin = header{"Authorization": "Bearer " + token}

func (w *world) do(method, path string, body any, h header) answer {
	w.t.Helper()
	var rd io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		rd = strings.NewReader(b)
	case []byte:
		rd = bytes.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		rd = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, rd)
	if err != nil {
		w.t.Fatal(err)
	}
	if rd != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range h {
		req.Header.Set(k, v)
	}
	if h["Host"] != "" {
		req.Host = h["Host"]
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{res, raw}
}

func (w *world) want(a answer, status int) answer {
	w.t.Helper()
	if a.StatusCode != status {
		w.t.Fatalf("%s %s: %d, want %d: %s", a.Request.Method, a.Request.URL.Path, a.StatusCode, status, a.body)
	}
	if a.StatusCode >= 400 {
		var p struct {
			Title, Detail string
			Status        int
		}
		if err := json.Unmarshal(a.body, &p); err != nil || p.Status != status || p.Title == "" || p.Detail == "" || a.Header.Get("Content-Type") != "application/problem+json" {
			w.t.Errorf("%s %s: no problem of RFC 9457 (%s, %v): %s", a.Request.Method, a.Request.URL.Path, a.Header.Get("Content-Type"), err, a.body)
		}
	}
	return a
}

func (w *world) get(path string, status int) answer {
	w.t.Helper()
	return w.want(w.do("GET", path, nil, admin), status)
}

func (w *world) post(path string, body any, status int) answer {
	w.t.Helper()
	return w.want(w.do("POST", path, body, admin), status)
}

// at reads a value out of an answer: a path of keys and numbers with dots.
func (a answer) at(t *testing.T, path string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	for _, k := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[k]
		case []any:
			i := int(k[0] - '0')
			if i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func (a answer) is(t *testing.T, path string, want any) {
	t.Helper()
	if got := a.at(t, path); got != want {
		t.Errorf("%s is %v, want %v, in %s", path, got, want, a.body)
	}
}

// with adds to h.
func (h header) with(more header) header {
	out := maps.Clone(h)
	maps.Copy(out, more)
	return out
}

func TestTheDescriptionIsTheOneThatIsCommitted(t *testing.T) {
	w := newWorld(t)
	got := w.want(w.do("GET", "/api/v1/openapi.json", nil, nil), 200).body
	path := filepath.Join("..", "..", "docs", "openapi.json")
	if *update {
		if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.TrimSpace(want), got) {
		t.Error("docs/openapi.json is not what is served: go test ./api -run Description -update")
	}
}

func TestEveryEndpointAnswers(t *testing.T) {
	w := newWorld(t)
	w.get("/healthz", 200)
	w.get("/metrics", 200)
	w.get("/readyz", 200).is(t, "checks.relational", "ok")
	d := w.get("/api/v1/drills", 200)
	d.is(t, "drills.0.id", "RIG-07")
	d.is(t, "drills.0.state", "unknown")
	d.is(t, "drills.0.health", nil)
	d.is(t, "drills.0.depth", 2731.5)
	d.is(t, "drills.0.health_change_per_day", -12.0)
	d.is(t, "drills.0.last_ts", "2026-11-22T11:59:59.000Z")
	d.is(t, "drills.0.age_s", 1.0)
	w.get("/api/v1/drills/RIG-07", 200).is(t, "devices.0.id", "rig-07-1")
	w.get("/api/v1/drills/RIG-99", 404)
	w.get("/api/v1/drills/a%20b", 422)
	w.get("/api/v1/meta", 200).is(t, "clock.now", "2026-11-22T12:00:00.000Z")
	w.get("/api/v1/channels", 200).is(t, "0.class", "fast")
	w.get("/api/v1/channels/unregistered", 200).is(t, "unregistered.0", nil)
	w.get("/api/v1/alarms", 200).is(t, "counts.unack", 0.0)
	w.get("/api/v1/models", 200)
	w.get("/api/v1/rules", 200).is(t, "limits", true)
	w.get("/api/v1/ledger?drill=RIG-07", 200).is(t, "rows.0.gaps.0.why", "no row of frames")
	q := w.get("/api/v1/quarantine", 200)
	q.is(t, "items.0.raw_base64", "PGI+ww==")
	q.is(t, "items.0.raw_text", "")
	q.is(t, "items.1.raw_text", "héllo")
	w.get("/api/v1/gateways", 200).is(t, "gateways.0.connected", 1.0)
	w.get("/api/v1/devices", 200).is(t, "devices.0.known", false)
	w.get("/api/v1/people", 200)
	w.get("/api/v1/audit", 200)
	w.get("/api/v1/nothing", 404)
	w.want(w.do("PATCH", "/api/v1/drills", nil, admin), 405)
	w.get("/api/v1/live", 426)
	if a := w.get("/d/RIG-07", 200); string(a.body) != "page /d/RIG-07" || a.Header.Get("Content-Security-Policy") != "" {
		t.Errorf("the page: %s %v", a.body, a.Header)
	}
	for _, h := range []string{"Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", "Cross-Origin-Resource-Policy"} {
		if d.Header.Get(h) == "" {
			t.Errorf("no %s", h)
		}
	}
	z := w.want(w.do("GET", "/api/v1/channels", nil, admin.with(header{"Accept-Encoding": "gzip"})), 200)
	if z.Header.Get("Content-Encoding") != "gzip" || z.body[0] != 0x1f {
		t.Errorf("not compressed: %v", z.Header)
	}
}

func TestSeriesAreAskedAsTheyWereWished(t *testing.T) {
	w := newWorld(t)
	a := w.get("/api/v1/drills/RIG-07/series?channels=SPP,health&from=-3600s&points=100", 200)
	a.is(t, "series.0.unit", "MPa")
	a.is(t, "series.0.resolution", "6s")
	a.is(t, "series.0.min.1", nil)
	a.is(t, "from", "2026-11-22T11:00:00.000Z")
	a.is(t, "series.0.t.1", float64(noon.Add(-time.Hour).UnixMilli()+1000))
	if q := w.store.asked; q.Points != 100 || q.To-q.From != int64(time.Hour) || len(q.Channels) != 2 {
		t.Errorf("asked %+v", q)
	}
	w.get("/api/v1/drills/RIG-07/series?channels=SPP&points=100&method=lttb", 200).is(t, "series.0.n.0", 1.0)
	if w.store.asked.Points != storage.LTTBPoints(100) {
		t.Errorf("lttb: asked for %d points", w.store.asked.Points)
	}
	w.get("/api/v1/drills/RIG-07/series?channels=SPP&method=mean", 422)
	w.get("/api/v1/drills/RIG-07/series?channels=washout.probability", 200).is(t, "series.0.t.0", nil)
	bad := w.get("/api/v1/drills/RIG-07/series?channels=XPP,YPP,SPP", 422)
	bad.is(t, "errors.0.value", "XPP")
	bad.is(t, "errors.1.value", "YPP")
	bad = w.get("/api/v1/drills/RIG-07/series?channels=SPP&from=yesterday&to=later&points=7", 422)
	if n := len(bad.at(t, "errors").([]any)); n < 1 {
		t.Errorf("%d problems", n)
	}
	w.get("/api/v1/drills/RIG-07/series?channels=SPP&from=2026-11-22T12:00:00Z&to=2026-11-22T11:00:00Z", 422).is(t, "errors.0.location", "query.from")
	w.get("/api/v1/drills/RIG-07/series", 422)
	w.get("/api/v1/drills/RIG-07/series?channels=SPP&nonsense=1", 422)
	w.get("/api/v1/drills/RIG-99/series?channels=SPP", 404)
}

func TestWhatTakesTooLongIsGivenUp(t *testing.T) {
	w := newWorld(t, func(c *api.Config, _ *api.Deps) { c.Timeout = 20 * time.Millisecond })
	w.store.block = true
	w.get("/api/v1/drills/RIG-07/series?channels=SPP", 503)
}
