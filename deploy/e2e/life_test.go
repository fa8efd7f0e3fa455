//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/deploy/internal/harness"
)

const lifeRules = `{"rules":[
{"id":"answered","kind":"limit","title":"A","subsystem":"hydraulics","priority":2,"signal":"SPP","op":">","limit":20,"reason":"is {value}","advice":"look"},
{"id":"aside","kind":"limit","title":"B","subsystem":"hydraulics","priority":3,"signal":"MTO","op":">","limit":50,"reason":"is {value}","advice":"look"},
{"id":"out","kind":"limit","title":"C","subsystem":"bit","priority":1,"signal":"RPM","op":">","limit":100,"reason":"is {value}","advice":"look"},
{"id":"judged","kind":"limit","title":"D","subsystem":"bit","priority":2,"signal":"WOB","op":">","limit":50,"reason":"is {value}","advice":"look"}]}`

// lifeKills are where the process is killed while people answer alarms; "" is wherever it just is.
var lifeKills = []string{"writer-batch:4", "store-appended:3", "", "store-committed:3", "writer-committed:3", "produced:6", "manifest:1", "frame:40", ""}

// tell sends a command and returns the status of the answer, 0 where there was none.
func (p *platform) tell(method, path string, in any) int {
	raw, ok := in.(string)
	if !ok {
		b, err := json.Marshal(in)
		if err != nil {
			p.t.Fatal(err)
		}
		raw = string(b)
	}
	req, err := http.NewRequest(method, "http://"+p.addresses["http"]+"/api/v1"+path, bytes.NewReader([]byte(raw)))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	res.Body.Close()
	return res.StatusCode
}

// A hook is somebody's server that takes notifications, by their Idempotency-Key.
type hook struct {
	*httptest.Server
	mu    sync.Mutex
	took  map[string]string // body
	again int               // times that a key came once more
	wrong []string
}

func newHook(t *testing.T) *hook {
	h := &hook{took: map[string]string{}}
	h.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		key := r.Header.Get("Idempotency-Key")
		h.mu.Lock()
		defer h.mu.Unlock()
		was, known := h.took[key]
		switch {
		case err != nil || key == "":
			h.wrong = append(h.wrong, fmt.Sprintf("key %q: %v", key, err))
		case known && was != string(b):
			h.wrong = append(h.wrong, fmt.Sprintf("%s came as %s, and as %s", key, was, b))
		case known:
			h.again++
		}
		h.took[key] = string(b)
	}))
	t.Cleanup(h.Close)
	return h
}

// told returns how many notifications the platform has handed over, all of them
// and just those that the hook has; false while any waits.
func (p *platform) told(h *hook) (n int, ok bool) {
	var all struct {
		Deliveries []struct{ ID, State string }
	}
	if p.get("/api/v1/notifications/deliveries?limit=1000", &all) != nil {
		return 0, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range all.Deliveries {
		if _, has := h.took[d.ID]; d.State != "sent" || !has {
			return len(all.Deliveries), false
		}
	}
	return len(all.Deliveries), len(all.Deliveries) == len(h.took)
}

type lifeAlarm struct {
	ID, Status, Process, Note, Disposition string
	ShelvedUntil                           string `json:"shelved_until"`
	History                                []struct{ At, By, Kind, Text string }
}

// lives returns the alarms of RIG-07 by rule; nil while any is missing or there twice.
func (p *platform) lives() map[string]lifeAlarm {
	var all struct {
		Alarms []struct{ ID, Rule string }
	}
	if p.get("/api/v1/alarms?state=history&limit=1000", &all) != nil || len(all.Alarms) != 4 {
		return nil
	}
	out := map[string]lifeAlarm{}
	for _, x := range all.Alarms {
		var a lifeAlarm
		if p.get("/api/v1/alarms/by-id?id="+url.QueryEscape(x.ID), &a) != nil {
			return nil
		}
		out[x.Rule] = a
	}
	if len(out) != 4 {
		return nil
	}
	return out
}

// What people did to alarms holds through every kill -9: what was accepted is in
// the record, in its order; what is not allowed is refused before and after.
func TestTheLifeOfAlarmsSurvivesKills(t *testing.T) {
	dir := t.TempDir()
	p := run(t, dir, nil)
	dev := p.device("RIG-07")
	harness.Wait(t, 30*time.Second, "the rules to be taken", func() bool {
		return p.tell(http.MethodPut, "/rules?untried=true&note=of+this+test", lifeRules) == http.StatusAccepted
	})
	chat := newHook(t)
	settings := map[string]any{"hosts": []string{chat.Listener.Addr().String()}, "smtp": map[string]any{"host": "", "port": 0, "tls": "", "user": "", "password": "", "from": "", "password_set": false},
		"targets": []any{map[string]any{"id": "chat", "kind": "webhook", "url": chat.URL}}, "rules": []any{map[string]any{"id": "all", "targets": []string{"chat"}}}}
	if got := p.tell(http.MethodPut, "/notifications", settings); got != http.StatusOK {
		t.Fatalf("notifications: %d", got)
	}
	seq, base := 0, time.Now().Add(-9*time.Minute).Truncate(time.Second)
	send := func() {
		seq++
		dev.client.Publish(dev.Topic, 1, false, second(seq, base.Add(time.Duration(seq)*time.Second))).WaitTimeout(2 * time.Second)
	}
	dev.connect(t, p.addresses["mqtt"])
	var first map[string]lifeAlarm
	harness.Wait(t, 60*time.Second, "four alarms", func() bool { send(); first = p.lives(); return first != nil })
	id := func(rule string) string { return first[rule].ID }
	for _, c := range []struct {
		path string
		in   map[string]any
	}{
		{"/alarms/ack", map[string]any{"id": id("answered")}},
		{"/alarms/shelve", map[string]any{"id": id("aside"), "hours": 2, "reason": "the sensor is being changed"}},
		{"/alarms/out-of-service", map[string]any{"drill": "RIG-07", "rule": "out", "reason": "at the shop"}},
		{"/alarms/disposition", map[string]any{"id": id("judged"), "value": "wrong"}},
		{"/alarms/shelve", map[string]any{"id": id("judged"), "until": time.Now().Add(5 * time.Second).UTC().Format(time.RFC3339Nano), "reason": "for a moment: it ends while the process is dead, or soon after"}},
	} {
		if got := p.tell(http.MethodPost, c.path, c.in); got != http.StatusAccepted {
			t.Fatalf("%s: %d", c.path, got)
		}
	}
	shelved := ""
	harness.Wait(t, 30*time.Second, "the shelf", func() bool { shelved = p.lives()["aside"].ShelvedUntil; return shelved != "" })
	p.Kill()

	var accepted []string
	for n, point := range lifeKills {
		var env []string
		if point != "" {
			env = []string{"MUDPULSE_CRASH=" + point}
		}
		p = run(t, dir, env, "--checkpoint", "2s")
		if !p.Ended() {
			dev.client.Disconnect(0)
			dev.connect(t, p.addresses["mqtt"])
		}
		tick := time.NewTicker(50 * time.Millisecond) // of people; a frame for each
		for k := 0; !p.Ended(); k++ {
			<-tick.C
			send()
			note := fmt.Sprintf("note %d of round %d", k, n)
			// A record keeps its last 200 commands.
			if len(accepted) < 20*(n+1) && p.tell(http.MethodPost, "/alarms/note", map[string]any{"id": id("judged"), "text": note}) == http.StatusAccepted {
				accepted = append(accepted, note)
			}
			if got := p.tell(http.MethodPost, "/alarms/ack", map[string]any{"id": id("answered")}); got == http.StatusAccepted {
				t.Errorf("round %d: an answer was taken twice", n)
			}
			if point == "" && k == 6 {
				p.Kill()
			}
			if k > 600 {
				t.Fatalf("crash point %s was never hit", point)
			}
		}
		tick.Stop()
		if point != "" && !p.Died(time.Second) {
			t.Fatalf("at %s it ended otherwise: %v", point, p.Err)
		}
	}

	check := func(p *platform) (got map[string]lifeAlarm) {
		t.Helper()
		want := map[string]string{"answered": "ack", "aside": "shelved", "out": "out_of_service", "judged": "unack"}
		harness.Wait(t, 60*time.Second, "the alarms as they were left", func() bool {
			got = p.lives()
			for rule, status := range want {
				if got[rule].Status != status {
					return false
				}
			}
			return got["judged"].Note == accepted[len(accepted)-1] || !has(got["judged"], accepted)
		})
		return got
	}
	p = run(t, dir, nil)
	got := check(p)
	for rule, a := range got {
		if a.ID != first[rule].ID {
			t.Errorf("%s is %s, was %s", rule, a.ID, first[rule].ID)
		}
	}
	if !has(got["judged"], accepted) || got["judged"].Disposition != "wrong" {
		t.Errorf("of %d accepted notes the record has, in this order: %+v", len(accepted), got["judged"].History)
	}
	for path, in := range map[string]map[string]any{
		"/alarms/ack":            {"id": id("answered")},
		"/alarms/unshelve":       {"id": id("judged")},
		"/alarms/out-of-service": {"drill": "RIG-07", "rule": "out", "reason": "again"},
		"/alarms/shelve":         {"id": id("out"), "hours": 1, "reason": "x"},
	} {
		if code := p.tell(http.MethodPost, path, in); code != http.StatusConflict {
			t.Errorf("%s: %d, want it refused", path, code)
		}
	}
	if got["aside"].ShelvedUntil != shelved || got["judged"].ShelvedUntil != "" {
		t.Errorf("the shelf ends at %q, it was to end at %q; that of a moment at %q", got["aside"].ShelvedUntil, shelved, got["judged"].ShelvedUntil)
	}
	messages := 0
	harness.Wait(t, 60*time.Second, "all notifications to be sent, and to be there", func() bool {
		n, ok := p.told(chat)
		messages = n
		return ok
	})
	for rule, a := range got {
		chat.mu.Lock()
		n := 0
		for _, body := range chat.took {
			if strings.Contains(body, a.ID) {
				n++
			}
		}
		chat.mu.Unlock()
		if n == 0 {
			t.Errorf("nobody was told of %s", rule)
		}
	}
	heads := filepath.Join(t.TempDir(), "heads.json")
	p.cli("evidence", "heads", "--out", heads)
	if b, err := os.ReadFile(heads); err != nil || !bytes.Contains(b, []byte(`"RIG-07"`)) {
		t.Errorf("heads %s, %v", b, err)
	}
	if out := p.cli("evidence", "verify", "--heads", heads); !strings.Contains(out, "RIG-07: ") || !strings.Contains(out, "are as they were sealed") {
		t.Errorf("evidence: %s", out)
	}
	p.Stop()
	p = run(t, dir, nil)
	if again := check(p); !reflect.DeepEqual(again, got) {
		t.Errorf("after another restart %+v, before it %+v", again, got)
	}
	harness.Wait(t, 30*time.Second, "the same notifications after a restart", func() bool { n, ok := p.told(chat); return ok && n == messages })
	chat.mu.Lock()
	if len(chat.wrong) > 0 || chat.again > len(lifeKills)+1 {
		t.Errorf("%d notifications, %d came once more: %q", len(chat.took), chat.again, chat.wrong)
	}
	t.Logf("%d notifications under an id each, %d sent once more", len(chat.took), chat.again)
	chat.mu.Unlock()
	t.Logf("killed %d times; %d accepted notes are in the record, in their order", len(lifeKills)+1, len(accepted))
	p.Stop()
}

// has reports whether an alarm's history has all of these notes, in this order.
func has(a lifeAlarm, notes []string) bool {
	for _, step := range a.History {
		if len(notes) > 0 && step.Kind == "note" && step.Text == notes[0] {
			notes = notes[1:]
		}
	}
	return len(notes) == 0
}
