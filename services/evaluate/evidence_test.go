package evaluate

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/services/scorer"
	"github.com/mudpulse/mudpulse/simulators"
	"github.com/mudpulse/mudpulse/simulators/fleet"
	"github.com/mudpulse/mudpulse/telemetry"
)

// sealed keeps alarms as they are written.
type sealed struct {
	events  []telemetry.AlarmEvent
	records []json.RawMessage
	ticks   int
}

func (s *sealed) Score(*telemetry.Score) { s.ticks++ }
func (s *sealed) Alarm(e *telemetry.AlarmEvent) {
	raw, err := json.Marshal(e)
	if err != nil {
		panic("BUG: alarm event: " + err.Error())
	}
	s.events, s.records = append(s.events, *e), append(s.records, raw)
}

// The demo's drills, seven of them with something on its way, one second a
// minute. EVIDENCE_DAYS=30 is the month of `make evidence-month`.
func TestEveryAlarmOfASimulatedFleetHasEvidenceThatIsWholeAndVerifies(t *testing.T) {
	days := 3.0
	if s := os.Getenv("EVIDENCE_DAYS"); s != "" {
		var err error
		if days, err = strconv.ParseFloat(s, 64); err != nil {
			t.Fatal(err)
		}
	}
	sub, err := fs.Sub(simulators.Models, "models")
	if err != nil {
		t.Fatal(err)
	}
	models, err := Models(sub)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newSet(Contender{Name: "defaults", Models: models})
	if err != nil {
		t.Fatal(err)
	}
	rules := alarms.Default()
	byID := map[string]*alarms.Rule{}
	for i := range rules.Rules {
		byID[rules.Rules[i].ID] = &rules.Rules[i]
	}
	raw, err := json.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	c.markers[len(c.markers)-1].SHA256 = c.blobs.put(raw) // as they come: what drags others along keeps them quiet
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	rng := rand.New(rand.NewPCG(8, 30))
	explained, raised, of := map[string][2]int{}, 0, map[string]int{}
	bytes, worst := 0, 0.0
	for _, drill := range fleet.Demo(8, start) {
		if len(drill.Faults) == 0 && days < 30 {
			continue
		}
		out := &sealed{}
		cfg := scorer.DefaultPartitionConfig()
		cfg.RowBudget = 0
		p, err := scorer.NewPartition(cfg, c.loader, c.blobs, telemetry.DefaultCatalogue(), nil, out)
		if err != nil {
			t.Fatal(err)
		}
		for i := range c.markers {
			if err := p.Marker(t.Context(), &c.markers[i], false); err != nil {
				t.Fatal(err)
			}
		}
		if why := p.Refused(); len(why) > 0 {
			t.Fatalf("%+v", why[0])
		}
		n := int64(0)
		from := start.Add(-12 * time.Hour)
		to := from.Add(time.Duration(days * float64(24*time.Hour)))
		err = fleet.Feed(drill, from, to, time.Minute, func(f *telemetry.Frame) error {
			n++
			return p.Frame(t.Context(), f, false, n)
		})
		if err != nil {
			t.Fatal(err)
		}
		p.Flush()
		context := map[string]bool{}
		for i := range out.events {
			context[out.events[i].ID] = context[out.events[i].ID] || out.events[i].Event == telemetry.AlarmContext
		}
		for i := range out.events {
			e := &out.events[i]
			if e.Event != telemetry.AlarmRaised && e.Event != telemetry.AlarmAgain {
				continue
			}
			raised++
			of[e.Rule]++
			u := byID[e.Rule]
			if lacks := alarms.Lacks(e, false); lacks != "" {
				t.Errorf("%s %s lacks its %s: %+v %+v", e.Event, e.ID, lacks, e, e.Evidence)
			}
			if u.Kind == alarms.Model {
				k := explained[e.Model]
				if k[0]++; len(e.Evidence.Contributions) > 0 {
					k[1]++
					gap := math.Abs(alarms.Unsummed(e.Evidence)) / max(1, math.Abs(e.Evidence.Score))
					if worst = max(worst, gap); gap > 1e-9 {
						t.Errorf("%s: baseline and contributions are %v from the score %v", e.ID, gap, e.Evidence.Score)
					}
				}
				explained[e.Model] = k
			}
			if in := e.Evidence.Inputs; !slices.ContainsFunc(in, func(m telemetry.Measured) bool { return m.Name == e.Signal && !m.Missing && m.Value == e.Value }) || e.Limit != u.Limit {
				t.Errorf("%s: the value %v of %s or the limit %v is not in its evidence: %+v", e.ID, e.Value, e.Signal, e.Limit, in)
			}
			if e.Event == telemetry.AlarmRaised && !context[e.ID] && to.UnixNano()-e.At > int64(alarms.ContextAfter+2*time.Minute) {
				t.Errorf("%s: the ten minutes after are not there", e.ID)
			}
		}
		if r := alarms.Check(out.records, true); len(r.Findings) != 0 || r.Records > 0 && r.Chains != 1 {
			t.Errorf("%s: %+v", drill.Name, r)
		}
		for i, rec := range out.records {
			changed := slices.Clone(out.records)
			changed[i] = slices.Clone(rec)
			at := rng.IntN(len(rec))
			changed[i][at] ^= 1
			bytes++
			if r := alarms.Check(changed, true); len(r.Findings) == 0 {
				t.Errorf("%s: byte %d of record %d was changed, and it is not found", drill.Name, at, i)
			}
		}
	}
	for model, k := range explained { // a kind gives its terms always, or never
		if k[1] != 0 && k[1] != k[0] {
			t.Errorf("%s: %d of %d alarms have contributions", model, k[1], k[0])
		}
	}
	if raised < 5 || len(of) < 3 || len(explained) < 2 {
		t.Errorf("%d alarms of %v", raised, of)
	}
	t.Log(fmt.Sprintf("%d alarms of %v; model: alarms, with contributions %v; farthest from the score %.1e; %d changed bytes found", raised, of, explained, worst, bytes))
}
