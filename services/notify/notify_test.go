package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/mudpulse/mudpulse/services/internal/relational"
	"github.com/mudpulse/mudpulse/telemetry"
)

// book says of every alarm but those in it that nobody has answered.
type book map[string]bool

func (b book) Unanswered(id string) bool { return !b[id] }

func database(t *testing.T) *relational.DB {
	t.Helper()
	db, err := relational.Open(t.Context(), filepath.Join(t.TempDir(), "r.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func fast() Config {
	c := DefaultConfig()
	c.Every, c.Backoff, c.Longest, c.Timeout = 20*time.Millisecond, 10*time.Millisecond, 50*time.Millisecond, 500*time.Millisecond
	return c
}

func notifier(t *testing.T, db *relational.DB, cfg Config, s NotifySettings) *Notifier {
	t.Helper()
	n := New(cfg, db, book{}, time.Now, slog.New(slog.DiscardHandler), nil)
	if err := n.Set(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return n
}

// run runs notifiers until what is waited for is so.
func run(t *testing.T, until func() bool, all ...*Notifier) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	for _, n := range all {
		done.Go(func() {
			if err := n.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.After(60 * time.Second)
	for !until() {
		select {
		case <-tick.C:
		case <-end:
			stop()
			done.Wait()
			list, _ := all[0].Deliveries(context.Background(), 100)
			t.Fatalf("not so after a minute: %+v", list)
		}
	}
	stop()
	done.Wait()
}

func alarm(i, priority int) telemetry.AlarmEvent {
	now := time.Now().UnixNano()
	return telemetry.AlarmEvent{Event: telemetry.AlarmRaised, ID: fmt.Sprintf("RIG-01/rule/%d", i), Drill: "RIG-01", Rule: "rule", At: now, Raised: now, Priority: priority, Title: fmt.Sprintf("Wash-out %d", i), Reason: "Pressure falls.", Advice: "Pull out.", Runs: []string{"bit:SN-1"}}
}

// What a server does with one message.
const (
	takes       = iota
	refuses     // says so
	takesDies   // takes it, and the connection breaks before it answers
	takesSleeps // takes it, and answers later than anybody waits
	dies        // breaks the connection before it has taken anything
)

// server counts what it took, under which id.
type server struct {
	mu     sync.Mutex
	turn   int
	does   []int
	taken  map[string]int
	bodies map[string]string
	under  map[string]string // of mail: what it is a reply to
	unsure int
	asleep chan struct{}
}

func newServer(does ...int) *server {
	return &server{does: does, taken: map[string]int{}, bodies: map[string]string{}, asleep: make(chan struct{})}
}

func (s *server) next() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn++
	if s.turn > len(s.does) {
		return takes
	}
	return s.does[s.turn-1]
}

func (s *server) take(id, body string, unsure bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken[id]++
	s.bodies[id] = body
	if unsure {
		s.unsure++
	}
}

func (s *server) ids() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.taken) }

// ServeHTTP is the webhook.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	does := s.next()
	if does == dies {
		panic(http.ErrAbortHandler)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	id := r.Header.Get("Idempotency-Key")
	switch does {
	case refuses:
		http.Error(w, "not now", http.StatusServiceUnavailable)
	case takesDies:
		s.take(id, string(body), true)
		panic(http.ErrAbortHandler)
	case takesSleeps:
		s.take(id, string(body), true)
		select {
		case <-s.asleep:
		case <-r.Context().Done():
		}
	default:
		s.take(id, string(body), false)
	}
}

// mailServer is a real SMTP server on a port of its own.
func (s *server) mailServer(t *testing.T) (host string, port int) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{s: s, c: c}, nil }))
	srv.Domain, srv.ErrorLog = "test", nothing{}
	go func() { _ = srv.Serve(ln) }() // ends with the listener
	t.Cleanup(func() { close(s.asleep); srv.Close() })
	return "127.0.0.1", ln.Addr().(*net.TCPAddr).Port
}

type nothing struct{}

func (nothing) Printf(string, ...any) {}
func (nothing) Println(...any)        {}

type session struct {
	s *server
	c *smtp.Conn
}

func (*session) Reset()                                 {}
func (*session) Logout() error                          { return nil }
func (*session) Rcpt(string, *smtp.RcptOptions) error   { return nil }
func (x *session) Mail(string, *smtp.MailOptions) error { return nil }
func (x *session) Data(r io.Reader) error {
	does := x.s.next()
	if does == dies { // before the body's end
		x.c.Conn().Close()
		return io.ErrUnexpectedEOF
	}
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(m.Body)
	if err != nil {
		return err
	}
	plain := func(key string) string {
		return strings.TrimSuffix(strings.TrimPrefix(m.Header.Get(key), "<"), "@mudpulse>")
	}
	id := plain("Message-Id")
	x.s.mu.Lock()
	if x.s.under == nil {
		x.s.under = map[string]string{}
	}
	x.s.under[id] = plain("In-Reply-To")
	x.s.mu.Unlock()
	switch does {
	case refuses:
		return &smtp.SMTPError{Code: 451, Message: "greylisted"}
	case takesDies:
		x.s.take(id, string(body), true)
		x.c.Conn().Close()
	case takesSleeps:
		x.s.take(id, string(body), true)
		<-x.s.asleep
	default:
		x.s.take(id, string(body), false)
	}
	return nil
}

func TestWhateverServersDoNothingIsLostAndEachHasOneID(t *testing.T) {
	does := []int{refuses, takesDies, takes, dies, takes, takesSleeps, refuses, refuses, takes, takesDies, takesDies, dies}
	const alarms = 12
	hook, post := newServer(does...), newServer(does...)
	web := httptest.NewServer(hook)
	t.Cleanup(func() { close(hook.asleep); web.Close() })
	host, port := post.mailServer(t)
	n := notifier(t, database(t), fast(), NotifySettings{
		Hosts: []string{web.Listener.Addr().String(), fmt.Sprintf("%s:%d", host, port)},
		SMTP:  SMTP{Host: host, Port: port, TLS: "none", From: "mudpulse@example.com"},
		Targets: []NotifyTarget{{ID: "chat", Kind: "webhook", URL: web.URL + "/in", Secret: "s"},
			{ID: "toolpusher", Kind: "mail", To: []string{"tp@example.com"}}},
		Rules: []NotifyRule{{ID: "all", Targets: []string{"chat", "toolpusher"}}},
	})
	var events []telemetry.AlarmEvent
	for i := range alarms {
		events = append(events, alarm(i, 1+i%3))
	}
	for range 2 { // told twice, decided once
		if err := n.Take(t.Context(), events, 0, alarms); err != nil {
			t.Fatal(err)
		}
	}
	all := func() []Delivery {
		list, err := n.Deliveries(context.Background(), 100)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	run(t, func() bool {
		return !slices.ContainsFunc(all(), func(d Delivery) bool { return d.State != "sent" })
	}, n)
	if len(all()) != 2*alarms {
		t.Fatalf("%d messages, want %d", len(all()), 2*alarms)
	}
	for name, s := range map[string]*server{"chat": hook, "toolpusher": post} {
		unsure, again := 0, 0
		for _, d := range all() {
			if d.Target != name {
				continue
			}
			unsure += d.Unsure
			again += s.taken[d.ID] - 1
			if s.taken[d.ID] < 1 || s.taken[d.ID] > 1+d.Unsure {
				t.Errorf("%s: %s was taken %d times, %d tries were unsure", name, d.ID, s.taken[d.ID], d.Unsure)
			}
			if !strings.Contains(s.bodies[d.ID], "Pull out.") || d.Tries < 1 {
				t.Errorf("%s: %+v: %s", name, d, s.bodies[d.ID])
			}
		}
		if len(s.taken) != alarms || again != s.unsure || unsure < s.unsure {
			t.Errorf("%s: %d ids, %d taken again, %d of them after the server died; %d unsure", name, len(s.taken), again, s.unsure, unsure)
		}
	}
}

func TestAServerThatIsAwayGetsAllWhenItComesBack(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	cfg := fast()
	cfg.Page = "https://rigs.example.com/mud/"
	n := notifier(t, database(t), cfg, NotifySettings{Hosts: []string{addr}, Targets: []NotifyTarget{{ID: "chat", Kind: "webhook", URL: "http://" + addr}}, Rules: []NotifyRule{{ID: "all", Targets: []string{"chat"}}}})
	if err := n.Take(t.Context(), []telemetry.AlarmEvent{alarm(1, 1), alarm(2, 1)}, 0, 2); err != nil {
		t.Fatal(err)
	}
	hook := newServer()
	var web *http.Server
	started := false
	run(t, func() bool {
		list, err := n.Deliveries(context.Background(), 10)
		if err != nil {
			t.Fatal(err)
		}
		if !started && slices.ContainsFunc(list, func(d Delivery) bool { return d.Tries >= 2 && d.Error != "" }) {
			if ln, err = net.Listen("tcp", addr); err != nil {
				t.Fatal(err)
			}
			web, started = &http.Server{Handler: hook}, true
			go func() { _ = web.Serve(ln) }() // until it is closed
		}
		return hook.ids() == 2 && !slices.ContainsFunc(list, func(d Delivery) bool { return d.State != "sent" || d.Unsure != 0 })
	}, n)
	web.Close()
	for id, body := range hook.bodies {
		if !strings.Contains(body, `"link":"https://rigs.example.com/mud/d/RIG-01"`) {
			t.Errorf("%s leads nowhere: %s", id, body)
		}
	}
	if m := (&Message{Items: []Item{{Alarm: "a", Link: "https://rigs.example.com/d/RIG-01"}}}); !strings.Contains(m.text(), "\nhttps://rigs.example.com/d/RIG-01\n") {
		t.Errorf("mail leads nowhere: %s", m.text())
	}
}

func TestOneOfAClusterSendsAndWhatADeadOneSentIsCounted(t *testing.T) {
	hook := newServer()
	web := httptest.NewServer(hook)
	defer web.Close()
	db := database(t)
	s := NotifySettings{Hosts: []string{web.Listener.Addr().String()}, Targets: []NotifyTarget{{ID: "chat", Kind: "webhook", URL: web.URL}}, Rules: []NotifyRule{{ID: "all", Targets: []string{"chat"}}}}
	var all []*Notifier
	for range 3 {
		all = append(all, notifier(t, db, fast(), s))
	}
	var events []telemetry.AlarmEvent
	for i := range 30 {
		events = append(events, alarm(i, 1))
	}
	for _, n := range all {
		if err := n.Take(t.Context(), events, 0, 30); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Exec("UPDATE notify_deliveries SET state = 'sending', holder = 'dead' WHERE id = (SELECT min(id) FROM notify_deliveries)"); err != nil {
		t.Fatal(err)
	}
	run(t, func() bool { return hook.ids() == 30 }, all...)
	unsure := 0
	list, err := all[0].Deliveries(t.Context(), 100)
	for _, d := range list {
		unsure += d.Unsure
		if d.State != "sent" || d.Tries != 1 || hook.taken[d.ID] != 1 {
			t.Errorf("%+v, taken %d times", d, hook.taken[d.ID])
		}
	}
	if err != nil || len(list) != 30 || unsure != 1 {
		t.Errorf("%d messages, %d unsure, %v", len(list), unsure, err)
	}
}

func TestWhatNobodyAnswersIsToldToOthersAndQuietAlarmsTogether(t *testing.T) {
	hook := newServer()
	web := httptest.NewServer(hook)
	defer web.Close()
	now := time.Now()
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	n := New(fast(), database(t), book{"RIG-01/rule/2": true}, clock, slog.New(slog.DiscardHandler), nil)
	err := n.Set(t.Context(), NotifySettings{Hosts: []string{web.Listener.Addr().String()}, Targets: []NotifyTarget{{ID: "driller", Kind: "webhook", URL: web.URL}, {ID: "boss", Kind: "webhook", URL: web.URL}},
		Rules: []NotifyRule{{ID: "all", Targets: []string{"driller"}, EscalateMin: 10, EscalateTo: []string{"boss"}, DigestMin: 30}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Take(t.Context(), []telemetry.AlarmEvent{alarm(1, 1), alarm(2, 1), alarm(3, 2), alarm(4, 3)}, 0, 4); err != nil {
		t.Fatal(err)
	}
	run(t, func() bool { return hook.ids() == 2 }, n)
	mu.Lock()
	now = now.Add(40 * time.Minute)
	mu.Unlock()
	// Alarm 2 was acknowledged: of it the boss hears nothing. 3 and 4 come in one message.
	run(t, func() bool { return hook.ids() == 2+3+1 }, n)
	list, err := n.Deliveries(t.Context(), 100)
	kinds := map[string]int{}
	for _, d := range list {
		kinds[d.Kind+" "+d.Target]++
		if d.Kind == "digest" {
			var m Message
			if err := json.Unmarshal([]byte(hook.bodies[d.ID]), &m); err != nil || len(m.Items) != 2 || m.Subject != "mudpulse: 2 alarms" {
				t.Errorf("digest %s, %v", hook.bodies[d.ID], err)
			}
		}
	}
	if want := map[string]int{"alarm driller": 2, "digest driller": 1, "escalation boss": 3}; err != nil || fmt.Sprint(kinds) != fmt.Sprint(want) {
		t.Errorf("%v, want %v, %v", kinds, want, err)
	}
}

func TestWhoIsToldAndWhen(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	night := time.Date(2026, 11, 22, 23, 30, 0, 0, time.UTC)
	f := func(r NotifyRule, i Item, at time.Time, want string) {
		t.Helper()
		r.Targets = []string{"a"}
		if i.Event == "" {
			i.Event = telemetry.AlarmRaised
		}
		s := NotifySettings{Rules: []NotifyRule{r}}
		got := "nobody"
		for _, p := range s.decide(i, at, at, at, Tour{360, 1080}) {
			got = p.kind + " " + p.due.Format("15:04")
		}
		if got != want {
			t.Errorf("%+v of %+v at %s: %s, want %s", r, i, at.Format("15:04"), got, want)
		}
	}
	p1, p2 := Item{Drill: "RIG-07", Priority: 1}, Item{Drill: "RIG-07", Priority: 2}
	f(NotifyRule{}, p2, noon, "alarm 12:00")
	f(NotifyRule{Off: true}, p1, noon, "nobody")
	f(NotifyRule{Priorities: []int{1}}, p2, noon, "nobody")
	f(NotifyRule{Drills: []string{"RIG-0*"}}, p2, noon, "alarm 12:00")
	f(NotifyRule{Drills: []string{"RIG-1*"}}, p2, noon, "nobody")
	f(NotifyRule{Tour: "day"}, p2, noon, "alarm 12:00")
	f(NotifyRule{Tour: "day"}, p2, night, "nobody")
	f(NotifyRule{Tour: "night"}, p2, night, "alarm 23:30")
	f(NotifyRule{QuietFrom: "22:00", QuietTo: "06:00"}, p2, night, "digest 06:00")
	f(NotifyRule{QuietFrom: "22:00", QuietTo: "06:00"}, p1, night, "alarm 23:30")
	f(NotifyRule{QuietFrom: "22:00", QuietTo: "06:00"}, p2, noon, "alarm 12:00")
	f(NotifyRule{DigestMin: 60}, p2, noon.Add(time.Minute), "digest 13:00")
	f(NotifyRule{DigestMin: 60}, p1, noon, "alarm 12:00")
	f(NotifyRule{}, Item{Drill: "R", Priority: 1, Event: telemetry.AlarmCleared}, noon, "nobody")
	f(NotifyRule{Cleared: true}, Item{Drill: "R", Priority: 1, Event: telemetry.AlarmCleared}, noon, "alarm 12:00")
}

func TestOnlyListedHostsAreReachedAndSettingsAreRefusedByName(t *testing.T) {
	f := func(want string, s NotifySettings) {
		t.Helper()
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	hook := func(url string, hosts ...string) NotifySettings {
		return NotifySettings{Hosts: hosts, Targets: []NotifyTarget{{ID: "x", Kind: "webhook", URL: url}}}
	}
	f("hosts.0", NotifySettings{Hosts: []string{"http://a/"}})
	f("targets.0.url: evil.example:443 is not among the hosts", hook("https://evil.example/", "good.example", "*.good.example"))
	f("targets.0.url: good.example:8080 is not among", hook("https://good.example:8080/", "good.example"))
	f("want https://HOST", hook("file:///etc/passwd", "*"))
	f("must not hold a password", hook("https://u:p@good.example/", "good.example"))
	f("smtp.host", NotifySettings{SMTP: SMTP{Host: "mail.example", From: "a@b.c"}})
	f("smtp.tls: a password is not sent in the clear", NotifySettings{SMTP: SMTP{Host: "m", User: "u", TLS: "none"}})
	f("rules.0.targets: there is no target", NotifySettings{Rules: []NotifyRule{{ID: "r", Targets: []string{"x"}}}})
	f("rules.0.quiet_from", NotifySettings{Rules: []NotifyRule{{ID: "r", QuietFrom: "25:00", QuietTo: "06:00"}}})
	f("rules.0.escalate_min", NotifySettings{Rules: []NotifyRule{{ID: "r", EscalateMin: 5}}})
	good := hook("https://a.good.example/x", "*.good.example")
	if err := good.Validate(); err != nil {
		t.Error(err)
	}

	// A listed name that leads to the machine itself or to a metadata service.
	for _, addr := range []string{"127.0.0.1:443", "[::1]:443", "169.254.169.254:443", "0.0.0.0:443", "[::ffff:127.0.0.1]:443"} {
		if err := good.dialer().Control("tcp", addr, nil); err == nil || !strings.Contains(err.Error(), "a name must not lead there") {
			t.Errorf("%s: %v", addr, err)
		}
	}
	if err := good.dialer().Control("tcp", "10.1.2.3:443", nil); err != nil {
		t.Errorf("a site's own network: %v", err)
	}

	// A redirect is not followed.
	inner := newServer()
	secret := httptest.NewServer(inner)
	defer secret.Close()
	outer := httptest.NewServer(http.RedirectHandler(secret.URL, http.StatusTemporaryRedirect))
	defer outer.Close()
	s := hook(outer.URL, outer.Listener.Addr().String(), secret.Listener.Addr().String())
	if a := s.webhook(t.Context(), &s.Targets[0], &Message{ID: "1"}, time.Second); a.taken || a.unsure || inner.ids() != 0 || !strings.Contains(a.err.Error(), "307") {
		t.Errorf("%+v, %d requests behind it", a, inner.ids())
	}
}

func TestSecretsAreKeptAndNeverTold(t *testing.T) {
	db := database(t)
	s := NotifySettings{Hosts: []string{"m.example", "h.example"}, SMTP: SMTP{Host: "m.example", From: "a@b.c", User: "u", Password: "word"}, Targets: []NotifyTarget{{ID: "x", Kind: "webhook", URL: "https://h.example", Secret: "key"}}}
	n := notifier(t, db, fast(), s)
	told := n.Settings()
	if text, _ := json.Marshal(told); strings.Contains(string(text), "word\"") && strings.Contains(string(text), `"password":"word"`) || strings.Contains(string(text), "key") || !told.SMTP.Set || !told.Targets[0].Set {
		t.Errorf("%s", text)
	}
	if err := n.Set(t.Context(), told); err != nil { // as the page sends it back
		t.Fatal(err)
	}
	again := New(fast(), db, book{}, time.Now, slog.New(slog.DiscardHandler), nil)
	if err := again.Load(t.Context()); err != nil || again.settings.SMTP.Password != "word" || again.settings.Targets[0].Secret != "key" {
		t.Errorf("%+v, %v", again.settings, err)
	}
	told.Targets[0].URL = "https://m.example" // another place must not be given the secret
	if err := n.Set(t.Context(), told); err != nil || n.settings.Targets[0].Secret != "" {
		t.Errorf("%+v, %v", n.settings, err)
	}
}
