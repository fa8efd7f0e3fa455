package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mudpulse/mudpulse/services/api/people"
	"github.com/mudpulse/mudpulse/services/api/view"
	"github.com/mudpulse/mudpulse/services/gate"
	"github.com/mudpulse/mudpulse/services/models"
)

type rules struct {
	Version int             `json:"version"`
	SHA256  string          `json:"sha256"`
	Limits  bool            `json:"limits" doc:"plain limits raise alarms too, not models alone"`
	Created view.Time       `json:"created"`
	By      string          `json:"by"`
	Note    string          `json:"note" doc:"why it was put in force"`
	Marker  string          `json:"marker,omitempty"`
	Rules   json.RawMessage `json:"rules"`
}

type ruleVersion struct {
	Version int       `json:"version"`
	SHA256  string    `json:"sha256"`
	Limits  bool      `json:"limits"`
	Created view.Time `json:"created"`
	By      string    `json:"by"`
	Note    string    `json:"note"`
	Rules   int       `json:"rules" doc:"how many"`
	Off     int       `json:"off" doc:"of these switched off"`
}

type ruleVersions struct {
	Versions []ruleVersion `json:"versions"`
}

type restoreIn struct {
	Note string `json:"note" minLength:"1" maxLength:"500" doc:"why"`
}

type ruleTrial struct {
	ID       string           `json:"id"`
	State    string           `json:"state" enum:"waiting,done,failed"`
	Progress float64          `json:"progress" doc:"0 to 1, while it is in work"`
	Working  bool             `json:"working"`
	Before   int              `json:"before" doc:"trials that are done before it, while it waits"`
	Why      string           `json:"why" doc:"it failed"`
	At       view.Time        `json:"at"`
	By       string           `json:"by"`
	Report   *gate.RuleReport `json:"report,omitempty"`
}

// RuleVersionName is a path parameter.
type RuleVersionName struct {
	Version int `path:"version" minimum:"1"`
}

// takesRules lets alarms.Parse say all that is wrong, with the rule and the key.
func takesRules(op *huma.Operation) {
	op.MaxBodyBytes = 4 << 20
	op.SkipValidateBody = true
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Type: huma.TypeObject}}}}
}

// rulesTag names a version of one store: numbers begin anew in another.
func rulesTag(r models.Rules) string { return fmt.Sprintf(`"%d-%x"`, r.Version, r.Created) }

// sameRules refuses where another version came into force since m was read; a.writing is held.
func (a *API) sameRules(ctx context.Context, m Match) error {
	r, err := a.models.Rules(ctx)
	if errors.Is(err, models.ErrUnknown) {
		err = nil
	}
	if err != nil {
		return err
	}
	return m.unchanged("the rules", rulesTag(r), func() (change, error) {
		return change{r.By, time.Unix(0, r.Created), fmt.Sprintf("(version %d)", r.Version)}, nil
	})
}

func (a *API) registerRules() {
	unknown := func(op *huma.Operation) { op.Errors = append(op.Errors, http.StatusNotFound) }
	add(a, people.Viewer, http.MethodGet, "/rules", "get-rules", "Limit and model rules in force", func(ctx context.Context, _ *struct{}) (*document[rules], error) {
		r, err := a.models.Rules(ctx)
		return showRules(r, "", err)
	}, unknown)
	add(a, people.Engineer, http.MethodPut, "/rules", "put-rules", "Put an edited set of rules in force, as a new version", func(ctx context.Context, in *struct {
		Match
		Note    string `query:"note" maxLength:"500" doc:"why, and what its trial said; kept with the version"`
		Untried bool   `query:"untried" doc:"put it in force though no trial of it is done; needs a note that says why"`
		RawBody []byte `contentType:"application/json"`
	}) (*document[rules], error) {
		a.writing.Lock()
		defer a.writing.Unlock()
		if err := a.sameRules(ctx, in.Match); err != nil {
			return nil, err
		}
		r, marker, err := a.models.PutRules(ctx, bytes.Clone(in.RawBody), who(ctx).Name, in.Note, in.Untried)
		if untried := (*models.Untried)(nil); errors.As(err, &untried) {
			return nil, huma.Error409Conflict(untried.Error())
		}
		remark(ctx, models.RulesName, fmt.Sprintf("version %d, sha256 %s: %s", r.Version, r.SHA256, r.Note))
		return showRules(r, marker, err)
	}, status(http.StatusAccepted), takesRules, unless, func(op *huma.Operation) { op.Errors = append(op.Errors, http.StatusConflict) })
	add(a, people.Engineer, http.MethodPost, "/rules/limits", "switch-limits", "Switch the plain limits on or off, as a new version", func(ctx context.Context, in *struct {
		Body struct {
			On bool `json:"on"`
		}
	}) (*document[rules], error) {
		a.writing.Lock()
		defer a.writing.Unlock()
		r, marker, err := a.models.SetLimits(ctx, in.Body.On, who(ctx).Name)
		remark(ctx, models.RulesName, fmt.Sprintf("plain limits %v, version %d", in.Body.On, r.Version))
		return showRules(r, marker, err)
	}, status(http.StatusAccepted))
	add(a, people.Viewer, http.MethodGet, "/rules/versions", "list-rule-versions", "Every version of the rules that ever was in force, newest first", func(ctx context.Context, _ *struct{}) (*body[ruleVersions], error) {
		all, err := a.models.RuleVersions(ctx)
		out := ruleVersions{make([]ruleVersion, len(all))}
		for i, v := range all {
			out.Versions[i] = ruleVersion{v.Version, v.SHA256, v.Limits, view.Time(v.Created), v.By, v.Note, len(v.Rules.Rules), 0}
			for k := range v.Rules.Rules {
				if v.Rules.Rules[k].Off {
					out.Versions[i].Off++
				}
			}
		}
		return answer(out), err
	})
	add(a, people.Viewer, http.MethodGet, "/rules/versions/{version}", "get-rule-version", "One version of the rules", func(ctx context.Context, in *RuleVersionName) (*document[rules], error) {
		r, err := a.models.RuleVersion(ctx, in.Version)
		return showRules(r, "", err)
	}, unknown)
	add(a, people.Engineer, http.MethodPost, "/rules/versions/{version}/restore", "restore-rules", "Put an earlier version in force again, as a new version", func(ctx context.Context, in *struct {
		RuleVersionName
		Match
		Body restoreIn
	}) (*document[rules], error) {
		a.writing.Lock()
		defer a.writing.Unlock()
		if err := a.sameRules(ctx, in.Match); err != nil {
			return nil, err
		}
		r, marker, err := a.models.RestoreRules(ctx, in.Version, who(ctx).Name, in.Body.Note)
		remark(ctx, models.RulesName, fmt.Sprintf("version %d, as version %d was: %s", r.Version, in.Version, in.Body.Note))
		return showRules(r, marker, err)
	}, status(http.StatusAccepted), unknown, unless)
	add(a, people.Engineer, http.MethodPost, "/rules/trials", "try-rules", "Try an edited set of rules on what is stored: what would it have done", func(ctx context.Context, in *struct {
		Days    float64 `query:"days" minimum:"0.01" maximum:"90" default:"7" doc:"of the past; of more than a million frames the newest are taken"`
		RawBody []byte  `contentType:"application/json"`
	}) (*body[ruleTrial], error) {
		if a.gate == nil {
			return nil, huma.Error409Conflict("this process has no past to try rules on")
		}
		t, err := a.gate.AskRules(ctx, bytes.Clone(in.RawBody), time.Duration(in.Days*24*float64(time.Hour)), who(ctx).Name)
		remark(ctx, models.RulesName, "trial "+t.ID)
		if err != nil {
			return nil, err
		}
		return a.showTrial(ctx, t)
	}, status(http.StatusAccepted), takesRules)
	add(a, people.Engineer, http.MethodGet, "/rules/trials/{id}", "get-rule-trial", "What edited rules would have done", func(ctx context.Context, in *struct {
		ID string `path:"id" maxLength:"40"`
	}) (*body[ruleTrial], error) {
		t, err := a.models.RuleTrial(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return a.showTrial(ctx, t)
	}, unknown)
}

func (a *API) showTrial(ctx context.Context, t models.RuleTrial) (*body[ruleTrial], error) {
	out := ruleTrial{ID: t.ID, State: t.State, Why: t.Why, At: view.Time(t.At), By: t.By}
	if a.gate != nil {
		out.Progress, out.Working = a.gate.TrialProgress(t.ID)
		var err error
		if out.Before, _, err = a.gate.TrialPlace(ctx, t.ID); err != nil {
			return nil, err
		}
	}
	if t.Report != nil {
		out.Report = &gate.RuleReport{}
		if err := json.Unmarshal(t.Report, out.Report); err != nil {
			return nil, fmt.Errorf("report on trial %s: %w", t.ID, err)
		}
	}
	return answer(out), nil
}

func showRules(r models.Rules, marker string, err error) (*document[rules], error) {
	if err != nil {
		return nil, err
	}
	return &document[rules]{rulesTag(r), rules{r.Version, r.SHA256, r.Limits, view.Time(r.Created), r.By, r.Note, marker, asJSON(r.Rules.Rules)}}, nil
}
