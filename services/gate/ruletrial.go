package gate

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/services/models"
)

// A RuleReport is what edited rules would have done on what is stored, beside those in force.
type RuleReport struct {
	From     string      `json:"from"`
	To       string      `json:"to"`
	Drills   int         `json:"drills"`
	Frames   int64       `json:"frames" doc:"with those of the three days before, in which windows fill and states are found"`
	Months   float64     `json:"drill_months"`
	Labels   int         `json:"labels" doc:"of what was really the matter"`
	Judged   int         `json:"verdicts" doc:"of people on alarms"`
	Edited   []string    `json:"edited" doc:"rules that differ from those in force"`
	Arms     []Arm       `json:"arms" doc:"edited, in force"`
	Gained   int         `json:"gained"`
	Lost     int         `json:"lost"`
	Moved    int         `json:"moved" doc:"raised at another second"`
	Rules    []RuleCount `json:"rules" doc:"that raise anything in either, the most changed first"`
	PerDrill []RuleCount `json:"per_drill" doc:"the same by drill"`
	Changes  []Change    `json:"changes" doc:"the first 500"`
	Failures []Failure   `json:"failures" doc:"on record, with each one's warning"`
	Lead     string      `json:"lead" doc:"in a sentence"`
	Took     float64     `json:"took_s" doc:"processor seconds"`
}

// A RuleCount is what a rule, or all at a drill, would have raised, and does.
type RuleCount struct {
	Name    string `json:"name" doc:"of the rule or drill"`
	Was     int    `json:"was" doc:"alarms by the rules in force"`
	Would   int    `json:"would" doc:"alarms by the edited rules"`
	Gained  int    `json:"gained"`
	Lost    int    `json:"lost"`
	Moved   int    `json:"moved"`
	Chatter int    `json:"chatter" doc:"of the edited: raised again within 30 minutes"`
	Before  int    `json:"chatter_was"`
}

// moved is by how many hours an alarm must be raised at another time to be told: less than a second is none.
const moved = 0.5 / 3600

// AskRules has edited rules tried on at most back of the past. The error is a
// *models.Refused where the rules are at fault.
func (r *Runner) AskRules(ctx context.Context, raw []byte, back time.Duration, by string) (models.RuleTrial, error) {
	if back <= 0 || back > r.cfg.Back {
		back = r.cfg.Back
	}
	t, err := r.models.AddRuleTrial(ctx, raw, back, by)
	if err == nil {
		wakeUp(r.edits)
	}
	return t, err
}

// TrialProgress is how much of a trial is done, 0 to 1; ok is false where it is not in work.
func (r *Runner) TrialProgress(id string) (done float64, ok bool) {
	return r.progress(trialJob(id).ref())
}

// TrialPlace is how many are tried before a trial; ok is false where it does not wait.
func (r *Runner) TrialPlace(ctx context.Context, id string) (before int, ok bool, err error) {
	waiting, err := r.models.WaitingRuleTrials(ctx)
	before = slices.IndexFunc(waiting, func(t models.RuleTrial) bool { return t.ID == id })
	return max(0, before), before >= 0, err
}

func trialJob(id string) *Job { return &Job{Name: "rules " + id} }

// runTrials works off the edited rules; failing, it ends the tests too.
func (r *Runner) runTrials(ctx context.Context, fail func()) error {
	for {
		if err := r.Trials(ctx); err != nil && ctx.Err() == nil {
			fail()
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.edits:
		}
	}
}

// Trials tries all edited rules that wait, in the order in which they were asked for.
func (r *Runner) Trials(ctx context.Context) error {
	for {
		waiting, err := r.models.WaitingRuleTrials(ctx)
		if err != nil || len(waiting) == 0 {
			return err
		}
		if err := r.trial(ctx, waiting[0]); err != nil {
			return err
		}
	}
}

// trial tries one set of rules, and keeps what came of it.
func (r *Runner) trial(ctx context.Context, t models.RuleTrial) error {
	ref := trialJob(t.ID).ref()
	r.set(ref, 0)
	defer r.end(ref)
	limited, cancel := context.WithTimeout(ctx, r.cfg.Limit)
	defer cancel()
	rep, err := r.try(limited, t)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		r.log.Error("rules not tried", "trial", t.ID, "err", err)
		return r.models.EndRuleTrial(ctx, t.ID, nil, err.Error())
	}
	raw, err := json.Marshal(rep)
	if err != nil {
		return fmt.Errorf("report on trial %s: %w", t.ID, err)
	}
	return r.models.EndRuleTrial(ctx, t.ID, raw, "")
}

func (r *Runner) try(ctx context.Context, t models.RuleTrial) (*RuleReport, error) {
	job := trialJob(t.ID)
	now, err := r.models.Rules(ctx)
	if err != nil {
		return nil, err
	}
	edited, err := alarms.Parse(t.Rules)
	if err != nil {
		return nil, err
	}
	all, err := r.models.List(ctx)
	if err != nil {
		return nil, err
	}
	place := func(name string, rules *alarms.Rules) error {
		if !now.Limits {
			rules = rules.Without(alarms.Limit)
		}
		raw, err := json.Marshal(rules)
		p := Placed{Name: name, Rules: raw}
		for _, m := range all {
			if a := m.Active; a != nil {
				p.On = append(p.On, on(m.Name, a.Version, a.SHA256, a.Drills))
			}
		}
		job.Arms = append(job.Arms, p)
		return err
	}
	if err := place("edited", edited); err != nil {
		return nil, err
	}
	if err := place(fmt.Sprintf("version %d", now.Version), now.Rules); err != nil {
		return nil, err
	}
	blobs, err := r.fetch(ctx, job)
	if err != nil {
		return nil, err
	}
	// Delays and n of m are of seconds: of a long past the newest is taken, and all of it.
	if frames := r.period(job, t.Back); frames > r.cfg.Whole {
		share := float64(r.cfg.Whole) / float64(frames)
		job.Drills = nil
		r.period(job, time.Duration(share*float64(job.To-job.From)))
	}
	if err := r.record(ctx, job); err != nil {
		return nil, err
	}
	u, err := r.send(ctx, job, blobs)
	if err != nil {
		return nil, err
	}
	u.Rules.Edited = differ(edited, now.Rules)
	u.Rules.lead(len(u.Rules.Edited))
	return u.Rules, nil
}

// differ names the rules that are not the same in both.
func differ(a, b *alarms.Rules) []string {
	text := func(r *alarms.Rules) map[string][]byte {
		out := map[string][]byte{}
		for i := range r.Rules {
			out[r.Rules[i].ID], _ = json.Marshal(&r.Rules[i]) // rules of two valid sets
		}
		return out
	}
	x, y, out := text(a), text(b), []string{}
	for id := range x {
		if !bytes.Equal(x[id], y[id]) {
			out = append(out, id)
		}
	}
	for id := range y {
		if x[id] == nil {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// ruleReport compares edited rules with those in force.
func (b *bench) ruleReport() *RuleReport {
	job := b.job
	months := float64(b.covered) / (30 * 24 * hour)
	r := &RuleReport{From: stamp(job.From), To: stamp(job.To), Drills: len(job.Drills), Frames: b.frames, Months: months, Labels: len(job.Labels), Judged: len(job.Judged),
		Edited: []string{}, Failures: []Failure{}}
	for _, l := range job.Labels {
		r.Failures = append(r.Failures, Failure{Drill: l.Drill, Kind: l.Kind, At: stamp(l.To)})
	}
	for i, t := range b.tapes {
		leads := t.judge()
		r.Arms = append(r.Arms, t.arm(job.Arms[i].Name, leads, months))
		for k := range leads {
			r.Failures[k].Leads = append(r.Failures[k].Leads, leads[k])
		}
	}
	would, was := b.tapes[candidate].episodes, b.tapes[present].episodes
	r.Changes = changes(would, was, moved)
	by := func(name func(drill, rule string) string) []RuleCount {
		at := map[string]*RuleCount{}
		of := func(drill, rule string) *RuleCount {
			n := name(drill, rule)
			if at[n] == nil {
				at[n] = &RuleCount{Name: n}
			}
			return at[n]
		}
		for _, e := range would {
			of(e.drill, e.rule).Would++
		}
		for _, e := range was {
			of(e.drill, e.rule).Was++
		}
		chattering(would, func(e *episode) { of(e.drill, e.rule).Chatter++ })
		chattering(was, func(e *episode) { of(e.drill, e.rule).Before++ })
		for _, c := range r.Changes {
			switch n := of(c.Drill, c.Rule); c.How {
			case "gained":
				n.Gained++
			case "lost":
				n.Lost++
			default:
				n.Moved++
			}
		}
		out := make([]RuleCount, 0, len(at))
		for _, n := range at {
			out = append(out, *n)
		}
		slices.SortFunc(out, func(x, y RuleCount) int {
			return cmp.Or(cmp.Compare(y.Gained+y.Lost+y.Moved, x.Gained+x.Lost+x.Moved), cmp.Compare(y.Would, x.Would), strings.Compare(x.Name, y.Name))
		})
		return out
	}
	r.Rules = by(func(_, rule string) string { return rule })
	r.PerDrill = by(func(drill, _ string) string { return drill })
	for _, n := range r.Rules {
		r.Gained, r.Lost, r.Moved = r.Gained+n.Gained, r.Lost+n.Lost, r.Moved+n.Moved
	}
	r.Changes = r.Changes[:min(len(r.Changes), maxChanges)]
	return r
}

// lead says in a sentence what came out.
func (r *RuleReport) lead(edited int) {
	would, was := &r.Arms[candidate], &r.Arms[present]
	switch {
	case edited == 0:
		r.Lead = "These are the rules in force."
	case r.Frames == 0:
		r.Lead = "Nothing is stored yet to try them on."
	case r.Gained+r.Lost+r.Moved == 0:
		r.Lead = fmt.Sprintf("They would have raised the same %s.", count(was.Alarms, "alarm"))
	default:
		r.Lead = fmt.Sprintf("They would have raised %s where those in force raise %d: %d gained, %d lost, %d at another time.", count(would.Alarms, "alarm"), was.Alarms, r.Gained, r.Lost, r.Moved)
	}
	if would.Chatter != was.Chatter {
		r.Lead += fmt.Sprintf(" %d came back within 30 minutes, not %d.", would.Chatter, was.Chatter)
	}
	if would.Of > 0 && would.Caught != was.Caught {
		r.Lead += fmt.Sprintf(" They warn of %d of %s on record, not %d.", would.Caught, count(would.Of, "failure"), was.Caught)
	}
}
