package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mudpulse/mudpulse/services/models"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

// edit returns the rules of the world with one change.
func edit(was, is string) []byte { return []byte(strings.Replace(rules, was, is, 1)) }

func (w *world) try(edited []byte, back time.Duration) (models.RuleTrial, *RuleReport) {
	w.t.Helper()
	asked, err := w.run.AskRules(w.t.Context(), edited, back, "E. Haddad")
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.run.Trials(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	got, err := w.reg.RuleTrial(w.t.Context(), asked.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	r := &RuleReport{}
	if got.Report != nil {
		if err := json.Unmarshal(got.Report, r); err != nil {
			w.t.Fatal(err)
		}
	}
	return got, r
}

func TestEditedRulesSayWhatTheyWouldHaveDone(t *testing.T) {
	w := newWorld(t, true)
	w.on(wash(15, 10)) // models judge in both arms
	w.label("A", "washout", noon.Add(-6*time.Hour), noon)
	got, r := w.try(edit(`"limit":14,"under":["washout"]`, `"limit":18`), 0)
	if got.State != models.Done || got.Why != "" || got.By != "E. Haddad" {
		t.Fatalf("%+v", got)
	}
	// On A the pressure is below 18 at 08:01 and the model says so at 09:31; on B it dips; C is sound.
	if r.Gained != 2 || r.Lost != 0 || r.Moved != 0 || len(r.Edited) != 1 || r.Edited[0] != "washout-limit" || r.Drills != 3 {
		t.Errorf("%+v", r)
	}
	if want := "They would have raised 3 alarms where those in force raise 1: 2 gained, 0 lost, 0 at another time."; r.Lead != want {
		t.Errorf("%s", r.Lead)
	}
	if n := r.Rules[0]; n.Name != "washout-limit" || n.Was != 0 || n.Would != 2 || n.Gained != 2 {
		t.Errorf("%+v", r.Rules)
	}
	if len(r.PerDrill) != 2 || r.PerDrill[0].Name != "A" || r.PerDrill[0].Was != 1 || r.PerDrill[0].Would != 2 || r.PerDrill[1].Name != "B" || r.PerDrill[1].Gained != 1 {
		t.Errorf("%+v", r.PerDrill)
	}
	if f := r.Failures[0]; f.Leads[0] < 3.9 || f.Leads[1] < 2.4 || f.Leads[1] > 2.6 || f.Leads[0] < f.Leads[1]+1 {
		t.Errorf("warnings %v", f.Leads)
	}
	if now, err := w.reg.Rules(t.Context()); err != nil || now.Version != 1 {
		t.Errorf("the trial changed the rules in force: %+v, %v", now, err)
	}

	if _, r = w.try(edit(`"limit":50`, `"limit":50,"on_delay":"30m"`), 0); r.Gained != 0 || r.Moved+r.Lost != 1 {
		t.Errorf("a delay: %+v", r)
	}
	if _, r = w.try([]byte(rules), 0); r.Lead != "These are the rules in force." || len(r.Changes) != 0 {
		t.Errorf("no edit: %+v", r)
	}
	if _, r = w.try(edit(`"limit":14,"under":["washout"]`, `"limit":18`), 6*time.Hour); r.Gained != 0 || r.From != noon.Add(6*time.Hour).Format(time.RFC3339) {
		t.Errorf("of the last six hours: %+v", r)
	}
}

func TestOfALongPastTheNewestIsTriedWhole(t *testing.T) {
	w := newWorld(t, false)
	w.run.cfg.Whole = 3 * 1440 / 2
	if _, r := w.try(edit(`"limit":14`, `"limit":18`), 0); r.From > noon.Format(time.RFC3339) || r.From < noon.Add(-time.Minute).Format(time.RFC3339) || r.Gained != 0 {
		t.Errorf("%+v", r)
	}
}

func TestATrialThatWasCutOffIsMadeAfterTheRestart(t *testing.T) {
	w := newWorld(t, false)
	asked, err := w.run.AskRules(t.Context(), edit(`"limit":14`, `"limit":18`), 0, "E. Haddad")
	if err != nil {
		t.Fatal(err)
	}
	again, err := New(w.run.cfg, w.reg, w.run.blobs, w.store, w.run.cat, w.run.log, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Trials(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := w.reg.RuleTrial(t.Context(), asked.ID); err != nil || got.State != models.Done {
		t.Errorf("%+v, %v", got, err)
	}
	w.store.fail = errors.New("the disk is gone")
	if got, _ := w.try(edit(`"limit":14`, `"limit":18`), 0); got.State != models.Failed || !strings.Contains(got.Why, "the disk is gone") {
		t.Errorf("%+v", got)
	}
}

// held is a past that keeps its first reader, a model's test, until it is let go.
type held struct {
	*past
	first   sync.Once
	reading chan struct{}
	let     chan struct{}
}

func (h *held) Replay(ctx context.Context, q storage.ReplayQuery, f func(*telemetry.Frame) error) (storage.Replayed, error) {
	wait := false
	h.first.Do(func() { wait = true; close(h.reading) })
	if wait {
		select {
		case <-h.let:
		case <-ctx.Done():
			return storage.Replayed{}, ctx.Err()
		}
	}
	p := past{}
	return p.Replay(ctx, q, f)
}

func TestATrialDoesNotWaitForAModelsTest(t *testing.T) {
	w := newWorld(t, false)
	store := &held{past: w.store, reading: make(chan struct{}), let: make(chan struct{})}
	run, err := New(w.run.cfg, w.reg, w.run.blobs, store, w.run.cat, w.run.log, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := w.upload(wash(15, 10))
	if err := run.Ask(t.Context(), "wash", v, ""); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run.Run(ctx) }()
	<-store.reading
	asked := make([]models.RuleTrial, 2)
	for i := range asked {
		if asked[i], err = run.AskRules(t.Context(), edit(`"limit":14`, fmt.Sprintf(`"limit":%d`, 18+i)), 0, "E. Haddad"); err != nil {
			t.Fatal(err)
		}
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		last, err := w.reg.RuleTrial(t.Context(), asked[1].ID)
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("%+v, %v", last, err)
		}
		if last.State == models.Done {
			break
		}
		if before, waits, err := run.TrialPlace(t.Context(), asked[1].ID); err != nil || before > 1 || before == 1 && !waits {
			t.Fatalf("%d before it, %v", before, err)
		}
	}
	if _, working := run.Progress("wash", v); !working {
		t.Error("the model's test is not in work any more")
	}
	close(store.let)
	for {
		s, err := w.reg.Standing(t.Context(), "wash", v)
		if err != nil {
			t.Fatal(err)
		}
		if s.State == models.Done {
			break
		}
		<-tick.C
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRulesThatDoNotHoldAreNotTried(t *testing.T) {
	w := newWorld(t, false)
	_, err := w.run.AskRules(t.Context(), edit(`"op":"<"`, `"op":"=<"`), 0, "E. Haddad")
	if refused := (*models.Refused)(nil); !errors.As(err, &refused) || len(refused.Problems) != 1 || !strings.Contains(refused.Problems[0].Message, "rule washout: op:") {
		t.Errorf("%v", err)
	}
}

func TestChatterIsCountedByRuleAndDrill(t *testing.T) {
	job := &Job{Drills: []string{"A"}, Arms: []Placed{{Name: "edited"}, {Name: "version 1"}}}
	b := &bench{job: job, tapes: []*tape{{job: job}, {job: job}}}
	minute := int64(time.Minute)
	for i := range int64(6) { // six times, ten minutes apart, in force; edited they are one
		e := episode{drill: "A", rule: "stick-slip", id: fmt.Sprint(i), raised: i * 10 * minute, cleared: i*10*minute + minute}
		b.tapes[present].episodes = append(b.tapes[present].episodes, e)
	}
	b.tapes[candidate].episodes = b.tapes[present].episodes[:1:1]
	r := b.ruleReport()
	r.Frames = 1
	r.lead(1)
	if n := r.Rules[0]; n.Before != 5 || n.Chatter != 0 || n.Lost != 5 || r.PerDrill[0].Before != 5 || r.Lost != 5 {
		t.Errorf("%+v, %+v", r.Rules, r.PerDrill)
	}
	if want := "They would have raised 1 alarm where those in force raise 6: 0 gained, 5 lost, 0 at another time. 0 came back within 30 minutes, not 5."; r.Lead != want {
		t.Errorf("%s", r.Lead)
	}
}
