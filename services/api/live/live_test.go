package live

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// nothing is a store without a past.
type nothing struct{}

func (nothing) Drills() []storage.Drill                     { return nil }
func (nothing) LatestScores() []*telemetry.Score            { return nil }
func (nothing) Latest(string) map[string]storage.Value      { return nil }
func (nothing) HealthHistory(int64) []storage.HealthHistory { return nil }
func (nothing) AlarmEvents(context.Context, storage.AlarmQuery) ([]telemetry.AlarmEvent, error) {
	return nil, nil
}
func (nothing) AlarmSteps(_ context.Context, at storage.Place, _ int) ([]telemetry.AlarmEvent, storage.Place, error) {
	return nil, at, nil
}
func (nothing) CommandSteps(_ context.Context, at storage.Place, _ int) ([]telemetry.Command, storage.Place, error) {
	return nil, at, nil
}

func newHub() *Hub {
	return New(Config{}, Deps{Past: nothing{}, Catalogue: telemetry.DefaultCatalogue(), Clock: telemetry.SystemClock{}, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
}

// A wire is a client: it wishes, and keeps what it is sent; a stuck one takes nothing after its greeting.
type wire struct {
	mu     sync.Mutex
	wishes chan string
	rows   int
	times  []float64
	texts  map[string]int
	stuck  bool
	cut    bool
}

func newWire(stuck bool) *wire {
	return &wire{wishes: make(chan string, 8), texts: map[string]int{}, stuck: stuck}
}

func (w *wire) Read(ctx context.Context) (websocket.MessageType, []byte, error) {
	select {
	case s := <-w.wishes:
		return websocket.MessageText, []byte(s), nil
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	}
}

func (w *wire) Write(ctx context.Context, typ websocket.MessageType, b []byte) error {
	if w.stuck {
		<-ctx.Done()
		return ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if typ == websocket.MessageText {
		var m struct{ Type string }
		if err := json.Unmarshal(b, &m); err != nil {
			return err
		}
		w.texts[m.Type]++
		return nil
	}
	base := math.Float64frombits(binary.LittleEndian.Uint64(b[8:]))
	n := int(binary.LittleEndian.Uint16(b[18:]))
	w.rows += n
	for i := range n {
		w.times = append(w.times, base+math.Float64frombits(binary.LittleEndian.Uint64(b[24+8*i:])))
	}
	return nil
}

func (w *wire) Ping(context.Context) error               { return nil }
func (w *wire) Close(websocket.StatusCode, string) error { return nil }
func (w *wire) CloseNow() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	return nil
}

func TestAClientThatStopsReadingCostsNobodyAFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		reader, stuck := newWire(false), newWire(true)
		var all sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		for _, w := range []*wire{reader, stuck} {
			all.Go(func() { h.serve(ctx, w, func(context.Context) error { return nil }) })
			w.wishes <- `{"op":"drill","drill":"RIG-07","channels":["SPP"],"sub":1}`
			w.wishes <- `{"op":"fleet","on":true}`
		}
		synctest.Wait()
		start := time.Now()
		const frames = 20
		for i := range frames {
			h.Frame(&telemetry.Frame{Drill: "RIG-07", TS: start.Add(time.Duration(i) * time.Second).UnixNano(), Runs: []telemetry.Run{{Channel: "SPP", Every: int64(100 * time.Millisecond), Values: []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}}})
			time.Sleep(time.Second)
		}
		synctest.Wait()
		reader.mu.Lock()
		if reader.rows != frames*10 {
			t.Errorf("the reader got %d samples of %d", reader.rows, frames*10)
		}
		for i := 1; i < len(reader.times); i++ {
			if reader.times[i] <= reader.times[i-1] {
				t.Fatalf("sample %d at %v after %v: doubled or out of order", i, reader.times[i], reader.times[i-1])
			}
		}
		if reader.texts["hello"] != 1 || reader.texts["fleet"] < frames/2 {
			t.Errorf("the reader was told %v", reader.texts)
		}
		reader.mu.Unlock()
		stuck.mu.Lock()
		if !stuck.cut {
			t.Error("who does not read is still held")
		}
		stuck.mu.Unlock()
		stop()
		all.Wait()
		if n := len(h.clients); n != 0 {
			t.Errorf("%d clients are left", n)
		}
	})
}

func TestAFrameAfterAPauseIsSentAtOnceAndABurstTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		w := newWire(false)
		var all sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		all.Go(func() { h.serve(ctx, w, func(context.Context) error { return nil }) })
		w.wishes <- `{"op":"drill","drill":"RIG-07","channels":["SPP"]}`
		time.Sleep(1050 * time.Millisecond) // between two ticks
		h.Frame(&telemetry.Frame{Drill: "RIG-07", TS: time.Now().UnixNano(), Runs: []telemetry.Run{{Channel: "SPP", Values: []float64{1}}}})
		synctest.Wait()
		w.mu.Lock()
		if w.rows != 1 {
			t.Errorf("%d samples at once, want 1", w.rows)
		}
		w.mu.Unlock()
		h.Frame(&telemetry.Frame{Drill: "RIG-07", TS: time.Now().Add(time.Second).UnixNano(), Runs: []telemetry.Run{{Channel: "SPP", Values: []float64{1}}}})
		synctest.Wait()
		w.mu.Lock()
		if w.rows != 1 {
			t.Error("a second one right after it was not held back")
		}
		w.mu.Unlock()
		time.Sleep(readingsEvery + 10*time.Millisecond)
		synctest.Wait()
		w.mu.Lock()
		if w.rows != 2 {
			t.Errorf("%d samples in the end, want 2", w.rows)
		}
		w.mu.Unlock()
		stop()
		all.Wait()
	})
}

func TestWhoMayNoLongerLookIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		w := newWire(false)
		ended := false
		go func() {
			h.serve(t.Context(), w, func(context.Context) error { return context.Canceled })
			ended = true
		}()
		time.Sleep(checkEvery + time.Second)
		synctest.Wait()
		if !ended {
			t.Error("the channel is still open after its session ended")
		}
	})
}

func TestAPageOfAnotherSiteGetsNoChannel(t *testing.T) {
	h := newHub()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.Serve(w, r, func(context.Context) error { return nil })
	}))
	defer srv.Close()
	url := "ws" + strings.TrimPrefix(srv.URL, "http")
	_, res, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"http://evil.example"}}})
	if err == nil || res == nil || res.StatusCode != http.StatusForbidden {
		t.Fatalf("%v %v", res, err)
	}
	conn, _, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {srv.URL}}})
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.CloseNow() // the test is over
	h.Stop()
}

// refused is how often a reason was counted.
func refused(t *testing.T, h *Hub, reason string) float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(h.m.refused)
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		for _, m := range f.Metric {
			if m.Label[0].GetValue() == reason {
				return m.Counter.GetValue()
			}
		}
	}
	return 0
}

// What a stranger may send over a channel that is open: each is refused by name and counted, and the channel goes on.
func TestWishesThatCannotBeAreRefusedByName(t *testing.T) {
	h := newHub()
	h.Frame(&telemetry.Frame{Drill: "RIG-07", TS: time.Now().UnixNano(), Runs: []telemetry.Run{{Channel: "SPP", Values: []float64{1}}}})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.Serve(w, r, func(context.Context) error { return nil })
	}))
	defer srv.Close()
	url := "ws" + strings.TrimPrefix(srv.URL, "http")
	dial := func() *websocket.Conn {
		t.Helper()
		conn, _, err := websocket.Dial(t.Context(), url, nil)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetReadLimit(1 << 20)
		return conn
	}
	conn := dial()
	told := func() string {
		t.Helper()
		for {
			_, b, err := conn.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var m struct{ Type, Message string }
			if json.Unmarshal(b, &m) == nil && (m.Type == "error" || m.Type == "pong") {
				return m.Type + " " + m.Message
			}
		}
	}
	f := func(typ websocket.MessageType, wish, want string) {
		t.Helper()
		if err := conn.Write(t.Context(), typ, []byte(wish)); err != nil {
			t.Fatal(err)
		}
		if got := told(); !strings.Contains(got, want) {
			t.Errorf("%.40s: %q, want %q", wish, got, want)
		}
	}
	many := `"SPP"` + strings.Repeat(`,"SPP"`, maxChannels)
	f(websocket.MessageText, `{"op":`, "no JSON of ours")
	f(websocket.MessageText, `{"op":"erase"}`, "want fleet, alarms, drill, off or ping")
	f(websocket.MessageText, `{"op":"off","what":"all"}`, "want fleet, alarms or drill")
	f(websocket.MessageText, `{"op":"drill","drill":"../../etc"}`, "drill:")
	f(websocket.MessageText, `{"op":"drill","drill":"RIG-99","channels":["SPP"]}`, `drill "RIG-99" is not known`)
	f(websocket.MessageText, `{"op":"drill","drill":"RIG-07","channels":[`+many+`]}`, "at most 64 are sent")
	f(websocket.MessageText, `{"op":"drill","drill":"RIG-07","channels":["`+strings.Repeat("x", 200)+`"]}`, "is no channel")
	f(websocket.MessageBinary, `{"op":"ping"}`, "JSON in text messages")
	f(websocket.MessageText, `{"op":"ping"}`, "pong")
	if n := refused(t, h, "wish"); n != 8 {
		t.Errorf("%v wishes counted, want 8", n)
	}
	// More than a wish can be long: the channel is cut, and others are not.
	other := dial()
	_ = conn.Write(t.Context(), websocket.MessageText, []byte(`{"op":"`+strings.Repeat("x", maxWish)+`"}`)) // it may be cut off while it writes
	for {
		if _, _, err := conn.Read(t.Context()); err != nil {
			if websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
				t.Errorf("a wish of %d kB: %v", maxWish>>10, err)
			}
			break
		}
	}
	conn = other
	f(websocket.MessageText, `{"op":"ping"}`, "pong")
	_ = conn.CloseNow() // the test is over
	h.Stop()
}

func TestOfMoreChannelsThanThereMayBeTheLastIsRefused(t *testing.T) {
	h := newHub()
	h.cfg.MaxClients = 2
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.Serve(w, r, func(context.Context) error { return nil })
	}))
	defer srv.Close()
	url := "ws" + strings.TrimPrefix(srv.URL, "http")
	for range 2 {
		conn, _, err := websocket.Dial(t.Context(), url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := conn.Read(t.Context()); err != nil { // its greeting: it is counted
			t.Fatal(err)
		}
		defer func() { _ = conn.CloseNow() }() // the test is over
	}
	_, res, err := websocket.Dial(t.Context(), url, nil)
	if err == nil || res == nil || res.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("%v %v", res, err)
	}
	if n := refused(t, h, "full"); n != 1 {
		t.Errorf("%v counted, want 1", n)
	}
	h.Stop()
}

func TestTheNewestReadingComesWithItsQuality(t *testing.T) {
	r := newReadings("RIG-07", []string{"SPP", "WOB"}, 1, 1)
	f := func(quality []telemetry.Quality, want uint32) {
		t.Helper()
		at := r.columns[0].last + int64(time.Second)
		r.add(&telemetry.Frame{Drill: "RIG-07", TS: at, Runs: []telemetry.Run{{Channel: "SPP", Every: int64(100 * time.Millisecond), Values: []float64{1, 2}, Quality: quality}}})
		if b := r.take(); binary.LittleEndian.Uint32(b[20:]) != want {
			t.Errorf("quality %v came as %d", quality, binary.LittleEndian.Uint32(b[20:]))
		}
	}
	f(nil, 0)
	f([]telemetry.Quality{telemetry.OutOfRange, telemetry.Good}, 0)
	f([]telemetry.Quality{telemetry.Good, telemetry.Stale}, 1)
	f([]telemetry.Quality{telemetry.Good, telemetry.OutOfRange}, 2)
	f(nil, 0)
}

func TestAScoreTellsTheFleetHowOldItIs(t *testing.T) {
	h := newHub()
	tick := time.Date(2026, 11, 22, 2, 12, 44, 0, time.UTC)
	h.Score(&telemetry.Score{Drill: "RIG-07", Tick: tick.UnixNano(), Health: 90})
	h.Frame(&telemetry.Frame{Drill: "RIG-07", TS: tick.Add(5 * time.Minute).UnixNano(), Runs: []telemetry.Run{{Channel: "SPP", Values: []float64{1}}}})
	msg, _ := h.fleetSince(0)
	for _, want := range []string{`"score_tick":"2026-11-22T02:12:44`, `"last_ts":"2026-11-22T02:17:44`} {
		if !strings.Contains(string(msg), want) {
			t.Errorf("no %s in %s", want, msg)
		}
	}
}

func TestOfManyScoresInOneFetchTheNewestIsKept(t *testing.T) {
	var s newestScores
	rec := func(drill string, tick int64, health float64) *kgo.Record {
		return &kgo.Record{Key: []byte(drill), Value: telemetry.AppendScore(nil, &telemetry.Score{Drill: drill, Tick: tick, Health: health})}
	}
	future := func(tick int64) bool { return tick > 100 } // a device's clock that is ahead is not news
	for _, r := range []*kgo.Record{rec("a", 5, 50), rec("b", 1, 90), rec("a", 7, 60), rec("a", 101, 5), rec("a", 6, 10), rec("a", 7, 70)} {
		if !s.add(r, future) {
			t.Fatal("not readable")
		}
	}
	if s.add(&kgo.Record{Key: []byte("a"), Value: []byte{0xff}}, future) {
		t.Error("what is no score was taken")
	}
	if s.left != 4 {
		t.Errorf("%d left out, want 4", s.left)
	}
	for range 2 {
		got := map[string]float64{}
		s.each(func(r *kgo.Record) {
			var x telemetry.Score
			if err := telemetry.DecodeScore(r.Value, &x); err != nil {
				t.Fatal(err)
			}
			got[x.Drill] = x.Health
		})
		if len(got) != 2 || got["a"] != 70 || got["b"] != 90 {
			t.Errorf("%v", got)
		}
		s.add(rec("a", 3, 70), future) // the next fetch begins anew
		s.add(rec("b", 1, 90), future)
	}
}

func TestADeviceWhoseClockIsAheadIsNotThePresent(t *testing.T) {
	h := newHub()
	now := time.Now().UnixNano()
	day := 24 * time.Hour.Nanoseconds()
	f := &telemetry.Frame{Drill: "RIG-07", Device: "edr-1", TS: now + day, Flags: telemetry.FlagFuture, Runs: []telemetry.Run{{Channel: "DBTM", Values: []float64{1}}}}
	h.Frame(f)
	h.Score(&telemetry.Score{Drill: "RIG-07", Tick: now + day, Health: 1})
	if d := h.drill("RIG-07"); d.last != 0 || d.score != nil || !math.IsNaN(d.depth) {
		t.Fatalf("tomorrow is shown as now: %+v", d)
	}
	f.TS, f.Flags, f.Runs[0].Values = now, 0, []float64{2}
	h.Frame(f)
	h.Score(&telemetry.Score{Drill: "RIG-07", Tick: now, Health: 2})
	if d := h.drill("RIG-07"); d.last != now || d.score == nil || d.score.Health != 2 || d.depth != 2 {
		t.Errorf("its clock was set, and the present is %+v", d)
	}
}
