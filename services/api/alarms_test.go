package api_test

import (
	"encoding/json"
	"math"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/services/api"
	"github.com/mudpulse/mudpulse/telemetry"
)

// alarmed is a world in which a string washes out and a limit follows it; commands
// are what people did before.
func alarmed(t *testing.T, commands ...telemetry.Command) *world {
	raised := noon.Add(-time.Hour).Truncate(time.Second).UnixNano()
	lead := telemetry.AlarmEvent{Event: telemetry.AlarmRaised, Drill: "RIG-07", Rule: "washout", At: raised, Raised: raised, Priority: 1, Title: "Wash-out", Reason: "r"}
	lead.ID = alarms.ID(lead.Drill, lead.Rule, raised)
	lead.Incident = lead.ID
	lead.Evidence = &telemetry.Evidence{Tick: raised, Rule: json.RawMessage(`{"id":"washout","kind":"model","limit":0.9}`), Score: 1, Inputs: []telemetry.Measured{{Name: "SPP", Value: 21}}, Frames: []telemetry.FrameID{}}
	lead.Evidence.Hash = alarms.Hash(&lead)
	limit := lead
	limit.Rule, limit.Priority = "low-pressure", 2
	limit.ID = alarms.ID(limit.Drill, limit.Rule, raised)
	limit.Evidence = &telemetry.Evidence{Tick: raised, Inputs: []telemetry.Measured{}, Frames: []telemetry.FrameID{}, Prev: lead.Evidence.Hash}
	limit.Evidence.Hash = alarms.Hash(&limit)
	before := lead // the day before, by another pressure
	before.At, before.Raised = raised-int64(24*time.Hour), raised-int64(24*time.Hour)
	before.ID = alarms.ID(lead.Drill, lead.Rule, before.Raised)
	before.Incident = before.ID
	before.Evidence = &telemetry.Evidence{Tick: before.Raised, Inputs: []telemetry.Measured{{Name: "SPP", Value: 14}}, Frames: []telemetry.FrameID{}}
	before.Evidence.Hash = alarms.Hash(&before)
	over := before
	over.Event, over.At = telemetry.AlarmCleared, before.Raised+int64(time.Hour)
	over.Evidence = &telemetry.Evidence{Tick: over.At, Inputs: []telemetry.Measured{}, Frames: []telemetry.FrameID{}, Prev: before.Evidence.Hash}
	over.Evidence.Hash = alarms.Hash(&over)
	return newWorld(t, func(_ *api.Config, d *api.Deps) {
		d.Store.(*store).events = []telemetry.AlarmEvent{over, before, limit, lead}
		d.Store.(*store).commands = commands
	})
}

// sent reads n commands from their topic.
func (w *world) sent(n int) []telemetry.Command {
	w.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.log.ListenAddrs()...), kgo.ConsumeTopics(topics.Commands))
	if err != nil {
		w.t.Fatal(err)
	}
	defer cl.Close()
	var out []telemetry.Command
	for len(out) < n {
		fetches := cl.PollFetches(w.t.Context())
		if err := fetches.Err(); err != nil {
			w.t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			var c telemetry.Command
			if err := json.Unmarshal(r.Value, &c); err != nil {
				w.t.Error(err)
			}
			out = append(out, c)
		})
	}
	return out
}

func (a answer) says(t *testing.T, words string) {
	t.Helper()
	if !strings.Contains(string(a.body), words) {
		t.Errorf("does not say %q: %s", words, a.body)
	}
}

func TestACommandIsSentWithWhatWasSeenAndAnIllegalOneIsRefused(t *testing.T) {
	w := alarmed(t)
	lead := "RIG-07/washout/1795345200"
	w.get("/api/v1/alarms", 200).is(t, "counts.incidents", 2.0)
	w.post("/api/v1/alarms/ack", map[string]any{"id": lead, "incident": true}, 202)
	done := w.sent(2)
	if done[0].Alarm == done[1].Alarm || done[0].Kind != "ack" || done[1].Kind != "ack" || string(done[0].Detail) != `{"priority":1,"at":"1795345200000000000"}` {
		t.Errorf("%+v", done)
	}
	w.post("/api/v1/alarms/unshelve", map[string]any{"id": lead}, 409).says(t, "it is not on the shelf")

	// A restart, after which the store has what was done.
	w = alarmed(t, done...)
	w.get("/api/v1/alarms", 200).is(t, "counts.ack", 2.0)
	w.get("/api/v1/alarms", 200).is(t, "counts.unack", 0.0)
	w.post("/api/v1/alarms/ack", map[string]any{"id": lead}, 409).says(t, "admin has answered it")
	w.post("/api/v1/alarms/shelve", map[string]any{"id": lead, "hours": 1, "reason": "the sensor is changed"}, 202)
	w.post("/api/v1/alarms/shelve", map[string]any{"id": lead, "hours": 13, "reason": "x"}, 422)
	w.post("/api/v1/alarms/shelve", map[string]any{"id": lead, "hours": 1, "reason": ""}, 422)
	w.post("/api/v1/alarms/disposition", map[string]any{"id": lead, "value": "perhaps"}, 422)
	w.post("/api/v1/alarms/disposition", map[string]any{"id": lead, "value": "unsure"}, 202)
}

func TestARuleIsTakenOutOfServiceAtADrillAndPutBack(t *testing.T) {
	w := alarmed(t)
	raw, err := json.Marshal(alarms.Default())
	if err != nil {
		t.Fatal(err)
	}
	w.want(w.do("PUT", "/api/v1/rules", raw, admin), 202)
	out := map[string]any{"drill": "RIG-07", "rule": "washout", "reason": "the transducer is at the shop"}
	w.post("/api/v1/alarms/out-of-service", map[string]any{"drill": "RIG-07", "rule": "nonsense", "reason": "x"}, 404)
	w.post("/api/v1/alarms/out-of-service", map[string]any{"drill": "RIG-99", "rule": "washout", "reason": "x"}, 404)
	w.post("/api/v1/alarms/in-service", map[string]any{"drill": "RIG-07", "rule": "washout"}, 409).says(t, "it is in service")
	w.post("/api/v1/alarms/out-of-service", out, 202)
	w = alarmed(t, w.sent(1)...)
	got := w.get("/api/v1/alarms?state=out_of_service", 200)
	got.is(t, "out_of_service.0.reason", "the transducer is at the shop")
	got.is(t, "alarms.0.status", "out_of_service")
	got.is(t, "alarms.0.process", "unack")
	got.is(t, "counts.out_of_service", 2.0)
	w.post("/api/v1/alarms/in-service", map[string]any{"drill": "RIG-07", "rule": "washout"}, 202)
}

func TestTheAlarmRateIsMeasuredForSoManyOperators(t *testing.T) {
	w := alarmed(t)
	got := w.get("/api/v1/alarms/performance?hours=24&operators=2", 200)
	got.is(t, "raised", 2.0)
	got.is(t, "incidents", 1.0)
	got.is(t, "per_operator_day", 1.0)
	got.is(t, "targets.per_operator_hour", 6.0)
	got.is(t, "worst.0.count", 1.0)
	w.get("/api/v1/alarms/performance?hours=0", 422)
}

func TestEvidenceIsShownExportedComparedAndAChangeInTheStoreIsFound(t *testing.T) {
	w := alarmed(t)
	id := "?id=" + url.QueryEscape("RIG-07/washout/1795345200")
	detail := w.get("/api/v1/alarms/by-id"+id, 200)
	detail.is(t, "check.records", 1.0)
	detail.is(t, "rule_as_it_stood.limit", 0.9)
	raw := w.get("/api/v1/alarms/evidence"+id, 200)
	if b, r := alarms.CheckBundle(raw.body); len(r.Findings) != 0 || b.Alarm != "RIG-07/washout/1795345200" {
		t.Errorf("%+v", r)
	}
	var chain struct {
		Records []json.RawMessage
		All     bool
	}
	if err := json.Unmarshal(w.get("/api/v1/alarms/records?drill=RIG-07", 200).body, &chain); err != nil {
		t.Fatal(err)
	}
	if r := alarms.Check(chain.Records, chain.All); len(r.Findings) != 0 || r.Records != 4 {
		t.Errorf("%+v", r)
	}
	like := w.get("/api/v1/alarms/similar"+id, 200)
	like.is(t, "alarms.0.id", "RIG-07/washout/1795258800")
	if alike := like.at(t, "alarms.0.alike").(float64); math.Abs(alike-14.0/21) > 1e-9 {
		t.Errorf("alike %v", alike)
	}
	w.get("/api/v1/alarms/evidence?id=RIG-07/washout/7", 404)

	ev := *w.store.events[3].Evidence
	ev.Inputs = []telemetry.Measured{{Name: "SPP", Value: 20.9}}
	w.store.events[3].Evidence = &ev
	w.get("/api/v1/alarms/by-id"+id, 200).says(t, "was changed")
	if _, r := alarms.CheckBundle(w.get("/api/v1/alarms/evidence"+id, 200).body); len(r.Findings) == 0 {
		t.Error("the change is not found in the file")
	}
}
