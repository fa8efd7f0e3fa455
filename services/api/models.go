package api

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mudpulse/mudpulse/services/api/people"
	"github.com/mudpulse/mudpulse/services/api/view"
	"github.com/mudpulse/mudpulse/services/models"
	"github.com/mudpulse/mudpulse/telemetry"
)

type model struct {
	Name          string          `json:"name"`
	Version       int             `json:"version" doc:"the newest"`
	ActiveVersion *int            `json:"active_version"`
	ShadowVersion *int            `json:"shadow_version"`
	Kind          string          `json:"kind"`
	Function      string          `json:"function"`
	Author        string          `json:"author"`
	Uploaded      view.Time       `json:"uploaded"`
	SHA256        string          `json:"sha256"`
	Size          int64           `json:"size"`
	Inputs        []models.Input  `json:"inputs"`
	Outputs       []models.Output `json:"outputs"`
	Shadow        bool            `json:"shadow"`
	CanaryVersion *int            `json:"canary_version" doc:"stands in for the active version on canary_drills"`
	CanaryDrills  []string        `json:"canary_drills"`
	Patterns      []string        `json:"drill_patterns" doc:"globs; empty: all drills"`
	Drills        int             `json:"drills" doc:"that it scores"`
	Status        string          `json:"status" enum:"active,shadow,inactive,refused"`
	Rows          view.Num        `json:"rows_per_s"`
	Errors        int64           `json:"errors" doc:"rows at which it failed inside, gave an error or said nonsense"`
	Trouble       *trouble        `json:"trouble,omitempty" doc:"what it failed of; absent: it did not"`
	Mean          view.Num        `json:"mean_us" doc:"µs a row, since the scorer began"`
	Refused       string          `json:"refused" doc:"why the scorer would not take it"`
	Versions      []modelVersion  `json:"versions" doc:"newest first"`
	Checks        []models.Check  `json:"checks"`
}

// trouble names what a model fails of. Others go on without it.
type trouble struct {
	Version int       `json:"version"`
	Shadow  bool      `json:"shadow"`
	Rows    int64     `json:"rows" doc:"since it was activated, or the scorer began"`
	Why     string    `json:"why" doc:"of the last of them"`
	Drill   string    `json:"drill"`
	Since   view.Time `json:"since" doc:"second of the first"`
	Last    view.Time `json:"last"`
	Stopped bool      `json:"stopped" doc:"it is not run any more until it is activated anew"`
}

type modelVersion struct {
	Version  int            `json:"version"`
	SHA256   string         `json:"sha256"`
	Size     int64          `json:"size"`
	Uploaded view.Time      `json:"uploaded"`
	By       string         `json:"by"`
	Status   string         `json:"status" enum:"active,shadow,canary,inactive"`
	Checks   []models.Check `json:"checks"`

	Report     string   `json:"report" enum:",waiting,done,failed" doc:"how far its test on the past is; empty: nobody asked"`
	Verdict    string   `json:"verdict" enum:",better,same,worse,untested"`
	Against    []string `json:"against" doc:"what speaks against putting it on"`
	Deprecated string   `json:"deprecated" doc:"why it is not to be put on any more"`
}

type uploaded struct {
	Name    string         `json:"name"`
	Version int            `json:"version"`
	SHA256  string         `json:"sha256"`
	Checks  []models.Check `json:"checks"`
	Marker  string         `json:"marker,omitempty" doc:"id of the switch in the stream, where it was activated at once"`
}

type switched struct {
	Marker  string `json:"marker" doc:"id of the switch in the stream"`
	Version int    `json:"version,omitempty"`
}

// ModelName is a path parameter.
type ModelName struct {
	Name string `path:"name" maxLength:"48"`
}

type uploadIn struct {
	Name        string `query:"name" maxLength:"48" doc:"default: the name in the model, else the file's"`
	Activate    bool   `query:"activate" doc:"switch it on as soon as its test on the past does not speak against it"`
	Shadow      bool   `query:"shadow" doc:"switch it on as a shadow: it scores beside, and raises nothing"`
	ContentType string `header:"Content-Type"`
	RawBody     []byte `contentType:"application/xml"`
}

func (a *API) registerModels() {
	add(a, people.Viewer, http.MethodGet, "/models", "list-models", "All models and their versions", func(ctx context.Context, _ *struct{}) (*body[struct {
		Models []model `json:"models"`
	}], error) {
		all, err := a.models.List(ctx)
		if err != nil {
			return nil, err
		}
		stood, err := a.models.Standings(ctx, "TRUE")
		var out struct {
			Models []model `json:"models"`
		}
		out.Models = make([]model, len(all))
		status := a.modelStatus()
		for i := range all {
			out.Models[i] = a.model(all[i], status, stood)
		}
		return answer(out), err
	})
	add(a, people.Viewer, http.MethodGet, "/models/{name}", "get-model", "One model and its versions", func(ctx context.Context, in *ModelName) (*body[model], error) {
		m, err := a.models.Get(ctx, in.Name)
		if err != nil {
			return nil, err
		}
		stood, err := a.models.Standings(ctx, "name = ?", in.Name)
		return answer(a.model(m, a.modelStatus(), stood)), err
	})
	add(a, people.Engineer, http.MethodPost, "/models", "upload-model", "Take a PMML model; refused with every problem at once", a.upload, status(http.StatusCreated), func(op *huma.Operation) {
		op.MaxBodyBytes, op.BodyReadTimeout = models.MaxBytes+models.MaxRowBytes+1<<16, 2*time.Minute
		op.SkipValidateBody = true // the body is PMML or a form: it is read as it is
		op.Errors = append(op.Errors, http.StatusRequestEntityTooLarge)
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/xml": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
			"multipart/form-data": {Schema: &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{
				"file": {Type: huma.TypeString, Format: "binary"},
				"rows": {Type: huma.TypeString, Format: "binary", Description: "CSV of inputs and what should come out of them: all are scored and compared"}}}},
		}}
	})
	add(a, people.Engineer, http.MethodPost, "/models/{name}/activate", "activate-model", "Switch a version on", func(ctx context.Context, in *struct {
		ModelName
		Body struct {
			Version int      `json:"version,omitempty" minimum:"0" doc:"default: the newest"`
			Shadow  bool     `json:"shadow,omitempty"`
			Drills  []string `json:"drills,omitempty" maxItems:"1000" doc:"globs; default: all"`
		}
	}) (*body[switched], error) {
		remark(ctx, in.Name, fmt.Sprintf("version %d, shadow %v, drills %v", in.Body.Version, in.Body.Shadow, in.Body.Drills))
		if !in.Body.Shadow {
			return a.promote(ctx, models.Promotion{Name: in.Name, Version: in.Body.Version, Drills: in.Body.Drills})
		}
		id, err := a.models.Activate(ctx, in.Name, in.Body.Version, true, in.Body.Drills, who(ctx).Name)
		return a.switched(in.Name, id, in.Body.Version, err)
	}, status(http.StatusAccepted))
	add(a, people.Engineer, http.MethodPost, "/models/{name}/promote", "promote-model", "Put a version in the place of the one that is on, once its report does not speak against it", func(ctx context.Context, in *struct {
		ModelName
		Body struct {
			Version  int      `json:"version,omitempty" minimum:"0" doc:"default: the newest"`
			Drills   []string `json:"drills,omitempty" maxItems:"1000" doc:"globs; default: all"`
			Canary   float64  `json:"canary,omitempty" minimum:"0" maximum:"1" doc:"share of these drills, at least one, on which it stands in for the version that is on; 0: it replaces that one"`
			Override string   `json:"override,omitempty" maxLength:"1000" doc:"why, where its report speaks against it"`
		}
	}) (*body[switched], error) {
		p := models.Promotion{Name: in.Name, Version: in.Body.Version, Drills: in.Body.Drills, Override: in.Body.Override}
		if in.Body.Canary > 0 {
			p.Canary, p.Drills = true, a.some(in.Name, in.Body.Drills, in.Body.Canary)
		}
		remark(ctx, in.Name, fmt.Sprintf("version %d, canary %v, drills %v, override %q", p.Version, p.Canary, p.Drills, p.Override))
		return a.promote(ctx, p)
	}, status(http.StatusAccepted))
	add(a, people.Engineer, http.MethodPost, "/models/{name}/versions/{version}/deprecate", "deprecate-model", "Say that a version is not to be put on any more", func(ctx context.Context, in *struct {
		ModelName
		Version int `path:"version" minimum:"1"`
		Body    struct {
			Why string `json:"why" maxLength:"1000" doc:"empty: it may be put on again"`
		}
	}) (*struct{}, error) {
		remark(ctx, in.Name, fmt.Sprintf("version %d: %q", in.Version, in.Body.Why))
		err := a.models.Deprecate(ctx, in.Name, in.Version, in.Body.Why)
		a.hub.ModelsChanged(in.Name)
		return nil, err
	}, status(http.StatusNoContent))
	add(a, people.Engineer, http.MethodPost, "/models/{name}/rollback", "roll-back-model", "Switch back to the version that was on before", func(ctx context.Context, in *ModelName) (*body[switched], error) {
		id, version, err := a.models.Rollback(ctx, in.Name, who(ctx).Name)
		remark(ctx, in.Name, fmt.Sprintf("to version %d", version))
		return a.switched(in.Name, id, version, err)
	}, status(http.StatusAccepted))
	add(a, people.Engineer, http.MethodPost, "/models/{name}/deactivate", "deactivate-model", "Switch a model off", func(ctx context.Context, in *ModelName) (*body[switched], error) {
		remark(ctx, in.Name, "off")
		id, err := a.models.Deactivate(ctx, in.Name, who(ctx).Name)
		return a.switched(in.Name, id, 0, err)
	}, status(http.StatusAccepted))
	add(a, people.Engineer, http.MethodGet, "/models/{name}/versions/{version}/pmml", "get-pmml", "A version as it was uploaded", func(ctx context.Context, in *struct {
		ModelName
		Version int `path:"version" minimum:"1"`
	}) (*struct {
		ContentType string `header:"Content-Type"`
		Disposition string `header:"Content-Disposition"`
		ETag        string `header:"ETag"`
		Body        []byte
	}, error) {
		b, v, err := a.models.PMML(ctx, in.Name, in.Version)
		if err != nil {
			return nil, err
		}
		return &struct {
			ContentType string `header:"Content-Type"`
			Disposition string `header:"Content-Disposition"`
			ETag        string `header:"ETag"`
			Body        []byte
		}{"application/xml", fmt.Sprintf(`attachment; filename="%s-%d.pmml"`, v.Name, v.Version), `"` + v.SHA256 + `"`, b}, nil
	}, func(op *huma.Operation) {
		op.Responses = map[string]*huma.Response{"200": {Description: "The PMML", Content: map[string]*huma.MediaType{"application/xml": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}}}
	})
	a.registerGate()
	a.registerRules()
}

func (a *API) switched(name, id string, version int, err error) (*body[switched], error) {
	if err != nil {
		return nil, err
	}
	a.hub.ModelsChanged(name)
	a.log.Info("model switched", "name", name, "version", version, "marker", id)
	return answer(switched{id, version}), nil
}

func (a *API) promote(ctx context.Context, p models.Promotion) (*body[switched], error) {
	p.By = who(ctx).Name
	id, version, err := a.models.Promote(ctx, p)
	return a.switched(p.Name, id, version, err)
}

// some picks a share of the drills that match, at least one: the same ones for the
// same model, whoever asks.
func (a *API) some(model string, globs []string, share float64) []string {
	type one struct {
		drill string
		key   uint64
	}
	var all []one
	for _, d := range a.hub.Drills() {
		if len(globs) > 0 && !slices.ContainsFunc(globs, func(g string) bool { ok, _ := path.Match(g, d.ID); return ok }) {
			continue
		}
		sum := sha256.Sum256([]byte(model + "/" + d.ID))
		all = append(all, one{d.ID, binary.BigEndian.Uint64(sum[:])})
	}
	slices.SortFunc(all, func(a, b one) int { return cmp.Compare(a.key, b.key) })
	var out []string
	for _, o := range all[:min(len(all), max(1, int(math.Round(share*float64(len(all))))))] {
		out = append(out, o.drill)
	}
	slices.Sort(out)
	return out
}

func (a *API) modelStatus() []ModelStatus {
	if a.d.ModelStatus == nil {
		return nil
	}
	return a.d.ModelStatus()
}

func (a *API) model(m models.Model, all []ModelStatus, stood []models.Standing) model {
	newest := m.Versions[0]
	out := model{Name: m.Name, Version: newest.Version, Kind: newest.About.Kind, Function: newest.About.Function, Author: newest.About.Author,
		Uploaded: view.Time(newest.Uploaded), SHA256: newest.SHA256, Size: newest.Size, Inputs: newest.About.Inputs, Outputs: newest.About.Outputs,
		Patterns: []string{}, CanaryDrills: []string{}, Status: "inactive", Rows: view.Num(math.NaN()), Mean: view.Num(math.NaN()), Checks: newest.About.Checks}
	on := m.Active
	if m.Shadow != nil {
		out.ShadowVersion, out.Shadow, out.Status = &m.Shadow.Version, true, "shadow"
		if on == nil {
			on = m.Shadow
		}
	}
	if m.Canary != nil {
		out.CanaryVersion, out.CanaryDrills = &m.Canary.Version, m.Canary.Drills
	}
	if m.Active != nil {
		out.ActiveVersion, out.Status = &m.Active.Version, "active"
	}
	if on != nil {
		out.Patterns = append(out.Patterns, on.Drills...)
		out.Drills = a.scoredBy(fmt.Sprintf("%s@%d", m.Name, on.Version))
		for _, s := range all {
			if s.Name == m.Name && s.Errors > 0 && (out.Trouble == nil || s.Version == on.Version && s.Shadow == on.Shadow) {
				out.Trouble = &trouble{Version: s.Version, Shadow: s.Shadow, Rows: s.Errors, Why: s.Why, Drill: s.Drill, Since: view.Time(s.Since), Last: view.Time(s.Last), Stopped: s.Refused != ""}
			}
			if s.Name != m.Name || s.Version != on.Version || s.Shadow != on.Shadow {
				continue
			}
			out.Rows, out.Errors, out.Mean = view.Num(s.Rows), s.Errors, view.Num(s.Mean)
			if s.Refused != "" {
				out.Status, out.Refused = "refused", s.Refused
			}
		}
	}
	for _, v := range m.Versions {
		mv := modelVersion{Version: v.Version, SHA256: v.SHA256, Size: v.Size, Uploaded: view.Time(v.Uploaded), By: v.By, Status: "inactive", Checks: v.About.Checks, Against: []string{}, Deprecated: v.Deprecated}
		for _, s := range stood {
			if s.Name == v.Name && s.Version == v.Version {
				mv.Report, mv.Verdict, mv.Against = s.State, s.Verdict, s.Why
			}
		}
		if m.Canary != nil && m.Canary.Version == v.Version {
			mv.Status = "canary"
		}
		if m.Shadow != nil && m.Shadow.Version == v.Version {
			mv.Status = "shadow"
		}
		if m.Active != nil && m.Active.Version == v.Version {
			mv.Status = "active"
		}
		out.Versions = append(out.Versions, mv)
	}
	return out
}

// scoredBy counts the drills whose newest score holds a word of that model.
func (a *API) scoredBy(ref string) int {
	n := 0
	for _, d := range a.hub.Drills() {
		if d.Score != nil && slices.ContainsFunc(d.Score.Results, func(r telemetry.Result) bool { return r.Model == ref }) {
			n++
		}
	}
	return n
}

func (a *API) upload(ctx context.Context, in *uploadIn) (*body[uploaded], error) {
	u, err := uploadOf(in)
	if err != nil {
		return nil, refuse("body", err)
	}
	u.Name, u.By = in.Name, who(ctx).Name
	v, err := a.models.Upload(ctx, u)
	if err != nil {
		return nil, err
	}
	remark(ctx, v.Name, fmt.Sprintf("version %d, sha256 %s", v.Version, v.SHA256))
	if err := a.learnSHAs(ctx); err != nil {
		return nil, err
	}
	out := uploaded{Name: v.Name, Version: v.Version, SHA256: v.SHA256, Checks: v.About.Checks}
	if a.gate != nil {
		then := ""
		if in.Activate && !in.Shadow {
			then = who(ctx).Name
		}
		if err := a.gate.Ask(ctx, v.Name, v.Version, then); err != nil {
			return nil, err
		}
	}
	switch {
	case in.Shadow:
		out.Marker, err = a.models.Activate(ctx, v.Name, v.Version, true, nil, who(ctx).Name)
	case in.Activate && a.gate == nil:
		out.Marker, _, err = a.models.Promote(ctx, models.Promotion{Name: v.Name, Version: v.Version, By: who(ctx).Name})
	}
	if err != nil {
		return nil, err
	}
	a.hub.ModelsChanged(v.Name)
	return answer(out), nil
}

// uploadOf returns what was uploaded: the body itself is the model, or a form has
// it in the field "file" and the engineer's own rows in "rows". The request's
// buffer is reused, so they are copied.
func uploadOf(in *uploadIn) (u models.Upload, err error) {
	kind, params, err := mime.ParseMediaType(in.ContentType)
	if err != nil || !strings.HasPrefix(kind, "multipart/") {
		if len(in.RawBody) == 0 {
			return u, errors.New("is empty; send the PMML file as the body, or as the form's field file")
		}
		u.PMML = bytes.Clone(in.RawBody)
		return u, nil
	}
	form := multipart.NewReader(bytes.NewReader(in.RawBody), params["boundary"])
	for range 20 {
		part, err := form.NextPart()
		if err != nil {
			break
		}
		b, most := &u.PMML, models.MaxBytes
		switch part.FormName() {
		case "file":
			u.File = part.FileName()
		case "rows":
			b, most = &u.Rows, models.MaxRowBytes
		default:
			continue
		}
		if *b, err = io.ReadAll(io.LimitReader(part, int64(most)+1)); err != nil {
			return u, fmt.Errorf("the form is cut off: %w", err)
		}
		if len(*b) > most {
			return u, fmt.Errorf("%s: more than %d bytes", part.FormName(), most)
		}
	}
	if u.PMML == nil {
		return u, errors.New("the form has no field file")
	}
	return u, nil
}
