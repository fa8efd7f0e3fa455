package notify

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/mudpulse/mudpulse/telemetry"
)

// A fault that raises three alarms at a drill is one message to each, and what
// makes it worse, ends it or brings it back is a reply to that.
func TestAnIncidentIsOneMessageAndItsUpdatesAreReplies(t *testing.T) {
	hook, post := newServer(), newServer()
	web := httptest.NewServer(hook)
	t.Cleanup(func() { close(hook.asleep); web.Close() })
	host, port := post.mailServer(t)
	n := notifier(t, database(t), fast(), NotifySettings{
		Hosts:   []string{web.Listener.Addr().String(), fmt.Sprintf("%s:%d", host, port)},
		SMTP:    SMTP{Host: host, Port: port, TLS: "none", From: "mudpulse@example.com"},
		Targets: []NotifyTarget{{ID: "chat", Kind: "webhook", URL: web.URL}, {ID: "toolpusher", Kind: "mail", To: []string{"tp@example.com"}}},
		Rules:   []NotifyRule{{ID: "all", Cleared: true, Targets: []string{"chat", "toolpusher"}}},
	})
	of := func(i, priority int, event string) telemetry.AlarmEvent {
		e := alarm(i, priority)
		e.Event, e.Incident = event, alarm(1, 0).ID
		return e
	}
	other := alarm(9, 2)
	told := 0
	take := func(more int, events ...telemetry.AlarmEvent) {
		t.Helper()
		for range 2 { // read twice, decided once
			if err := n.Take(t.Context(), events, 0, 1); err != nil {
				t.Fatal(err)
			}
		}
		told += more
		run(t, func() bool { return hook.ids() == told && post.ids() == told }, n)
		if list, err := n.Deliveries(t.Context(), 100); err != nil || len(list) != 2*told {
			t.Fatalf("%d deliveries, want %d, %v", len(list), 2*told, err)
		}
	}
	take(2, of(1, 2, telemetry.AlarmRaised), of(2, 2, telemetry.AlarmRaised), of(3, 3, telemetry.AlarmRaised), other)
	take(1, of(4, 1, telemetry.AlarmRaised), of(1, 1, telemetry.AlarmEscalate)) // it became ◆, once
	take(1, of(1, 1, telemetry.AlarmCleared), of(2, 2, telemetry.AlarmCleared)) // of the second nobody was told
	take(1, of(5, 2, telemetry.AlarmRaised))                                    // it is back
	threads := map[string]int{}
	first := ""
	for _, text := range hook.bodies {
		var m Message
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		if m.Thread == "" && m.Items[0].Alarm == of(1, 0, "").ID {
			first = m.ID
		}
		threads[m.Thread]++
	}
	if first == "" || threads[""] != 2 || threads[first] != 3 {
		t.Errorf("threads %v, the first message is %q", threads, first)
	}
	var replies []string
	for id, to := range post.under {
		if to != "" && post.taken[to] == 0 {
			t.Errorf("%s is a reply to %s, which nobody got", id, to)
		}
		if to != "" {
			replies = append(replies, to)
		}
	}
	if len(post.under) != 5 || len(replies) != 3 || len(slices.Compact(replies)) != 1 {
		t.Errorf("mails are replies to %v", post.under)
	}
}
