package scorer

import (
	"fmt"
	"testing"

	"github.com/mudpulse/mudpulse/services/alarmlife"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Ten thousand drills wash out in one second, each seen by a model and by a
// limit: every frame is scored, and there is one incident a drill.
func TestTenThousandSimultaneousFaultsAreIncidentsAndCostNoFrame(t *testing.T) {
	const drills, seconds, faulty = 10000, 4, 2
	out := &counting{scores: map[int64]int{}}
	model := &fake{in: []Field{{Name: "WOB"}}, out: []string{"probability"}, f: func(in []float64, _ []string) ([]float64, error) { return []float64{in[0] / 200}, nil }}
	rules := `{"version":1,"rules":[
	 {"id":"by-model","kind":"model","fault":"f","title":"T","subsystem":"bit","priority":1,"signal":"m.probability","op":">","limit":0.5,"reason":"{value|0.0}","advice":"a"},
	 {"id":"by-limit","kind":"limit","fault":"f","title":"T","subsystem":"bit","priority":2,"signal":"WOB","op":">","limit":100,"reason":"{value|0}","advice":"a"}]}`
	p := newPartition(t, testConfig(), &shelf{models: map[string]*fake{"a": model}, blobs: map[string][]byte{"r": []byte(rules)}}, out)
	mark(t, p, activate("m", 1, "a"))
	mark(t, p, &telemetry.Marker{ID: "rules", Kind: telemetry.MarkerRules, Name: "rules", Version: 1, SHA256: "r", Action: "activate"})
	for second := range uint64(seconds) {
		wob := 50.0
		if second >= faulty {
			wob = 150
		}
		for i := range drills {
			feed(t, p, frame(fmt.Sprintf("RIG-%05d", i), second, wob, 100))
		}
	}
	p.Flush()
	for second := range int64(seconds) {
		if n := out.scores[start+second*1e9]; n != drills {
			t.Errorf("second %d: %d of %d frames are scored", second, n, drills)
		}
	}
	book := alarmlife.NewBook(func() int64 { return start + 60*1e9 })
	for _, e := range out.events {
		book.Event(e)
	}
	incidents := map[string]int{}
	for _, a := range book.All(func(a *alarmlife.Alarm) bool { return a.Standing() }) {
		incidents[a.Incident]++
	}
	if len(out.events) != 2*drills || len(incidents) != drills {
		t.Fatalf("%d steps, %d incidents", len(out.events), len(incidents))
	}
	// For people, ten thousand drills with one fault in one minute are one thing that happened.
	all := book.All(func(*alarmlife.Alarm) bool { return true })
	waves := alarmlife.Waves(all)
	if len(waves) != 1 || waves[0].Drills != drills || waves[0].Alarms != 2*drills || waves[0].Rule != "by-model" || waves[0].Priority != 1 {
		t.Errorf("%d waves: %+v", len(waves), waves)
	}
	if perf := alarmlife.Perform(all, start-3600*1e9, start+60*1e9, 1); perf.Incidents != drills || len(perf.Floods) != 1 {
		t.Errorf("%d incidents, floods %+v", perf.Incidents, perf.Floods)
	}
}

// counting keeps how many scores each second has, and all alarms.
type counting struct {
	scores map[int64]int
	events []telemetry.AlarmEvent
}

func (c *counting) Score(s *telemetry.Score)      { c.scores[s.Tick]++ }
func (c *counting) Alarm(e *telemetry.AlarmEvent) { c.events = append(c.events, *e) }
