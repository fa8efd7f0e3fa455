package api

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/services/api/people"
	"github.com/mudpulse/mudpulse/services/api/view"
	"github.com/mudpulse/mudpulse/services/equipment"
	"github.com/mudpulse/mudpulse/services/trajectory"
)

type site struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Country string `json:"country"`
}

type well struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Site      string    `json:"site"`
	Drill     string    `json:"drill"`
	Spudded   view.Time `json:"spudded"`
	Completed view.Time `json:"completed"`
}

type part struct {
	Serial       string             `json:"serial"`
	Kind         string             `json:"kind"`
	Maker        string             `json:"maker"`
	Model        string             `json:"model"`
	Note         string             `json:"note"`
	Geometry     map[string]float64 `json:"geometry"`
	HoursBefore  float64            `json:"hours_before"`
	MetresBefore float64            `json:"metres_before"`
	Numbers      map[string]float64 `json:"numbers" doc:"what features read as part.POSITION_NAME: the geometry, and defect frequencies and gear mesh in orders of the shaft"`
}

type partRun struct {
	ID       string    `json:"id"`
	Name     string    `json:"name" doc:"in scores and alarms"`
	Drill    string    `json:"drill"`
	Position string    `json:"position"`
	Serial   string    `json:"serial"`
	Kind     string    `json:"kind"`
	From     view.Time `json:"from"`
	To       view.Time `json:"to" doc:"null: it is there"`
	Reason   string    `json:"reason"`
	Grade    string    `json:"grade"`
	By       string    `json:"by"`
	Told     view.Time `json:"told"`
	Hours    view.Num  `json:"hours" doc:"that it worked in this run, counted from what is stored; null: not counted"`
	Metres   view.Num  `json:"metres" doc:"drilled in this run; null: not counted"`
	OnPart   view.Num  `json:"hours_on_part" doc:"with those before and of its other runs that are listed"`
	MetresOn view.Num  `json:"metres_on_part"`
}

type work struct {
	ID        string    `json:"id"`
	Drill     string    `json:"drill"`
	Position  string    `json:"position"`
	At        view.Time `json:"at"`
	Activity  string    `json:"activity"`
	Category  string    `json:"category"`
	Mode      string    `json:"failure_mode"`
	Mechanism string    `json:"mechanism"`
	Resets    bool      `json:"resets" doc:"the baselines of what describes the part began anew"`
	Note      string    `json:"note"`
	By        string    `json:"by"`
	Told      view.Time `json:"told"`
}

func (a *API) registerEquipment() {
	add(a, people.Viewer, http.MethodGet, "/equipment/kinds", "list-kinds", "Kinds of parts, and codes of ISO 14224", func(context.Context, *struct{}) (*body[struct {
		Kinds        []equipment.Kind `json:"kinds"`
		Activities   []equipment.Code `json:"activities"`
		Categories   []equipment.Code `json:"categories"`
		FailureModes []equipment.Code `json:"failure_modes"`
		Mechanisms   []equipment.Code `json:"mechanisms"`
	}], error) {
		var out struct {
			Kinds        []equipment.Kind `json:"kinds"`
			Activities   []equipment.Code `json:"activities"`
			Categories   []equipment.Code `json:"categories"`
			FailureModes []equipment.Code `json:"failure_modes"`
			Mechanisms   []equipment.Code `json:"mechanisms"`
		}
		out.Kinds, out.Activities, out.Categories = equipment.Kinds(a.d.Catalogue), equipment.Activities, equipment.Categories
		out.FailureModes, out.Mechanisms = equipment.FailureModes, equipment.Mechanisms
		return answer(out), nil
	})
	add(a, people.Viewer, http.MethodGet, "/sites", "list-sites", "Sites and wells", a.sites)
	add(a, people.Engineer, http.MethodPut, "/sites/{id}", "put-site", "Describe a site", func(ctx context.Context, in *struct {
		ID   string `path:"id" maxLength:"64"`
		Body struct {
			Name    string `json:"name,omitempty" maxLength:"120"`
			Country string `json:"country,omitempty" maxLength:"60"`
		}
	}) (*struct{}, error) {
		remark(ctx, in.ID, in.Body.Name)
		return nil, a.devices.PutSite(ctx, equipment.Site{ID: in.ID, Name: in.Body.Name, Country: in.Body.Country})
	}, status(http.StatusNoContent))
	add(a, people.Engineer, http.MethodPut, "/wells/{id}", "put-well", "Describe a well", func(ctx context.Context, in *struct {
		ID   string `path:"id" maxLength:"64"`
		Body struct {
			Name      string    `json:"name,omitempty" maxLength:"120"`
			Site      string    `json:"site,omitempty" maxLength:"64"`
			Drill     string    `json:"drill,omitempty" maxLength:"64"`
			Spudded   view.Time `json:"spudded,omitempty"`
			Completed view.Time `json:"completed,omitempty"`
		}
	}) (*struct{}, error) {
		remark(ctx, in.ID, in.Body.Name)
		return nil, a.devices.PutWell(ctx, equipment.Well{ID: in.ID, Name: in.Body.Name, Site: in.Body.Site, Drill: in.Body.Drill, Spudded: int64(in.Body.Spudded), Completed: int64(in.Body.Completed)})
	}, status(http.StatusNoContent))
	add(a, people.Viewer, http.MethodGet, "/parts", "list-parts", "All parts by serial number", a.parts)
	add(a, people.Engineer, http.MethodPut, "/parts/{id}", "put-part", "Describe a part", func(ctx context.Context, in *struct {
		ID    string `path:"id" maxLength:"64" doc:"serial number"`
		Fresh string `header:"If-None-Match" enum:",*" doc:"*: only where there is no such part yet, else 412"`
		Body  struct {
			Kind         string             `json:"kind" maxLength:"40" example:"bit"`
			Maker        string             `json:"maker,omitempty" maxLength:"120"`
			Model        string             `json:"model,omitempty" maxLength:"120"`
			Note         string             `json:"note,omitempty" maxLength:"2000"`
			Geometry     map[string]float64 `json:"geometry,omitempty"`
			HoursBefore  float64            `json:"hours_before,omitempty" minimum:"0"`
			MetresBefore float64            `json:"metres_before,omitempty" minimum:"0"`
		}
	}) (*struct{}, error) {
		b := in.Body
		remark(ctx, in.ID, b.Kind)
		a.writing.Lock()
		defer a.writing.Unlock()
		if in.Fresh != "" {
			all, err := a.devices.PartsKnown(ctx)
			if err != nil {
				return nil, err
			}
			if slices.ContainsFunc(all, func(p equipment.Part) bool { return p.Serial == in.ID }) {
				return nil, huma.Error412PreconditionFailed(fmt.Sprintf("there is a part %q already; it is left as it is", in.ID))
			}
		}
		return nil, a.devices.PutPart(ctx, equipment.Part{Serial: in.ID, Kind: b.Kind, Maker: b.Maker, Model: b.Model, Note: b.Note, Geometry: b.Geometry, HoursBefore: b.HoursBefore, MetresBefore: b.MetresBefore}, who(ctx).Name)
	}, status(http.StatusNoContent), unless)
	add(a, people.Viewer, http.MethodGet, "/equipment", "get-equipment", "What stood and stands on a drill, what it worked, and what was done to it", a.equipment)
	add(a, people.Operator, http.MethodPost, "/equipment/runs", "install-part", "Put a part in at a time; what stood there comes out. A time that has passed amends", func(ctx context.Context, in *struct {
		Body struct {
			Drill    string    `json:"drill" maxLength:"64"`
			Position string    `json:"position" maxLength:"40" example:"bit"`
			Serial   string    `json:"serial" maxLength:"64"`
			From     view.Time `json:"from"`
		}
	}) (*body[partRun], error) {
		b := in.Body
		remark(ctx, b.Drill, b.Position+": "+b.Serial)
		return showRun(a.devices.Install(ctx, equipment.Run{Drill: b.Drill, Position: b.Position, Serial: b.Serial, From: int64(b.From), By: who(ctx).Name}))
	}, status(http.StatusCreated))
	add(a, people.Operator, http.MethodPost, "/equipment/runs/{id}/end", "end-run", "Take a part out, with the reason and a bit's grade", func(ctx context.Context, in *struct {
		ID   string `path:"id" maxLength:"64"`
		Body struct {
			At     view.Time `json:"at"`
			Reason string    `json:"reason,omitempty" maxLength:"400"`
			Grade  string    `json:"grade,omitempty" maxLength:"60" doc:"IADC dull grade" example:"2-3-CT-S-X-I-NO-TD"`
		}
	}) (*body[partRun], error) {
		remark(ctx, in.ID, in.Body.Reason)
		return showRun(a.devices.End(ctx, in.ID, int64(in.Body.At), in.Body.Reason, in.Body.Grade, who(ctx).Name))
	})
	add(a, people.Engineer, http.MethodPost, "/equipment/runs/{id}/move", "move-run", "Say that a part came in at another time", func(ctx context.Context, in *struct {
		ID   string `path:"id" maxLength:"64"`
		Body struct {
			From view.Time `json:"from"`
		}
	}) (*body[partRun], error) {
		remark(ctx, in.ID, "moved")
		return showRun(a.devices.Move(ctx, in.ID, int64(in.Body.From), who(ctx).Name))
	})
	add(a, people.Engineer, http.MethodDelete, "/equipment/runs/{id}", "withdraw-run", "Say that a run never was", func(ctx context.Context, in *struct {
		ID string `path:"id" maxLength:"64"`
	}) (*struct{}, error) {
		remark(ctx, in.ID, "withdrawn")
		return nil, a.devices.Withdraw(ctx, in.ID, who(ctx).Name)
	}, status(http.StatusNoContent))
	add(a, people.Operator, http.MethodPost, "/equipment/maintenance", "record-maintenance", "Record work on what stands at a position", func(ctx context.Context, in *struct {
		Body struct {
			Drill     string    `json:"drill" maxLength:"64"`
			Position  string    `json:"position" maxLength:"40" example:"top_drive/gearbox"`
			At        view.Time `json:"at"`
			Activity  string    `json:"activity" maxLength:"20" example:"service"`
			Category  string    `json:"category,omitempty" maxLength:"20" example:"preventive"`
			Mode      string    `json:"failure_mode,omitempty" maxLength:"10" example:"VIB"`
			Mechanism string    `json:"mechanism,omitempty" maxLength:"10" example:"2.4"`
			Resets    *bool     `json:"resets,omitempty" doc:"begin baselines anew; default: as the activity has it"`
			Note      string    `json:"note,omitempty" maxLength:"2000"`
		}
	}) (*body[work], error) {
		b := in.Body
		remark(ctx, b.Drill, b.Position+": "+b.Activity)
		m, err := a.devices.Maintain(ctx, equipment.Maintenance{Drill: b.Drill, Position: b.Position, At: int64(b.At), Activity: b.Activity, Category: b.Category, Mode: b.Mode, Mechanism: b.Mechanism, Note: b.Note, By: who(ctx).Name}, b.Resets)
		if err != nil {
			return nil, err
		}
		return answer(showWork(m)), nil
	}, status(http.StatusCreated))
	add(a, people.Engineer, http.MethodDelete, "/equipment/maintenance/{id}", "withdraw-maintenance", "Say that work never was done", func(ctx context.Context, in *struct {
		ID string `path:"id" maxLength:"64"`
	}) (*struct{}, error) {
		remark(ctx, in.ID, "withdrawn")
		return nil, a.devices.WithdrawMaintenance(ctx, in.ID, who(ctx).Name)
	}, status(http.StatusNoContent))
	add(a, people.Engineer, http.MethodPost, "/equipment/import", "import-equipment", "Take a table (CSV) of sites, wells, parts, runs and maintenance; bad lines are named, the others are taken", func(ctx context.Context, in *struct {
		Body struct {
			Table string `json:"table" minLength:"1" maxLength:"900000"`
		}
	}) (*body[imported], error) {
		lines, err := a.devices.Import(ctx, strings.NewReader(in.Body.Table), who(ctx).Name)
		out := imported{Lines: lines}
		if err != nil {
			return nil, refuse("body.table", err)
		}
		for _, l := range lines {
			if l.Why == "" {
				out.Taken++
			} else {
				out.Refused++
			}
		}
		remark(ctx, "table", "")
		return answer(out), nil
	})
	add(a, people.Viewer, http.MethodGet, "/drills/{id}/trajectory", "get-trajectory", "The hole by minimum curvature through its surveys (INC, AZI, TF), and where it bends more than the drill's limit", a.trajectory)
	add(a, people.Engineer, http.MethodPut, "/drills/{id}/directional", "put-directional", "A drill's site and dog-leg limit", func(ctx context.Context, in *struct {
		DrillID
		Body struct {
			Site  string  `json:"site,omitempty" maxLength:"64"`
			Limit float64 `json:"dogleg_limit,omitempty" minimum:"0" maximum:"90" doc:"degrees per 30 m; 0: none"`
		}
	}) (*struct{}, error) {
		remark(ctx, in.ID, "directional")
		return nil, a.devices.Set(ctx, in.ID, equipment.Setting{Site: in.Body.Site, DogLegLimit: in.Body.Limit})
	}, status(http.StatusNoContent))
}

type imported struct {
	Lines   []equipment.Line `json:"lines"`
	Taken   int              `json:"taken"`
	Refused int              `json:"refused"`
}

func showRun(x equipment.Run, err error) (*body[partRun], error) {
	if err != nil {
		return nil, err
	}
	return answer(runView(x)), nil
}

func runView(x equipment.Run) partRun {
	nan := view.Num(math.NaN())
	return partRun{x.ID, x.Name(), x.Drill, x.Position, x.Serial, "", view.Time(x.From), view.Time(x.To), x.Reason, x.Grade, x.By, view.Time(x.Told), nan, nan, nan, nan}
}

func showWork(m equipment.Maintenance) work {
	return work{m.ID, m.Drill, m.Position, view.Time(m.At), m.Activity, m.Category, m.Mode, m.Mechanism, m.Resets, m.Note, m.By, view.Time(m.Told)}
}

func (a *API) sites(ctx context.Context, _ *struct{}) (*body[struct {
	Sites []site `json:"sites"`
	Wells []well `json:"wells"`
}], error) {
	sites, err := a.devices.Sites(ctx)
	if err != nil {
		return nil, err
	}
	wells, err := a.devices.Wells(ctx)
	if err != nil {
		return nil, err
	}
	var out struct {
		Sites []site `json:"sites"`
		Wells []well `json:"wells"`
	}
	out.Sites, out.Wells = []site{}, []well{}
	for _, s := range sites {
		out.Sites = append(out.Sites, site(s))
	}
	for _, w := range wells {
		out.Wells = append(out.Wells, well{w.ID, w.Name, w.Site, w.Drill, view.Time(w.Spudded), view.Time(w.Completed)})
	}
	return answer(out), nil
}

func (a *API) parts(ctx context.Context, _ *struct{}) (*body[struct {
	Parts []part `json:"parts"`
}], error) {
	all, err := a.devices.PartsKnown(ctx)
	if err != nil {
		return nil, err
	}
	var out struct {
		Parts []part `json:"parts"`
	}
	out.Parts = []part{}
	for _, p := range all {
		out.Parts = append(out.Parts, part{p.Serial, p.Kind, p.Maker, p.Model, p.Note, p.Geometry, p.HoursBefore, p.MetresBefore, p.Numbers()})
	}
	return answer(out), nil
}

// maxCounted bounds the runs of which one answer counts hours and metres.
const maxCounted = 40

func (a *API) equipment(ctx context.Context, in *struct {
	Drill string `query:"drill" maxLength:"64" doc:"empty: all drills, without hours and metres"`
}) (*body[struct {
	Runs        []partRun `json:"runs" doc:"by position and time"`
	Maintenance []work    `json:"maintenance" doc:"newest first"`
	Site        string    `json:"site"`
	Limit       float64   `json:"dogleg_limit"`
}], error) {
	var out struct {
		Runs        []partRun `json:"runs" doc:"by position and time"`
		Maintenance []work    `json:"maintenance" doc:"newest first"`
		Site        string    `json:"site"`
		Limit       float64   `json:"dogleg_limit"`
	}
	runs, err := a.devices.Runs(ctx, in.Drill)
	if err != nil {
		return nil, err
	}
	done, err := a.devices.MaintenanceOf(ctx, in.Drill)
	if err != nil {
		return nil, err
	}
	set, err := a.devices.SettingOf(ctx, in.Drill)
	if err != nil {
		return nil, err
	}
	out.Site, out.Limit = set.Site, set.DogLegLimit
	out.Runs, out.Maintenance = make([]partRun, len(runs)), make([]work, len(done))
	for i, m := range done {
		out.Maintenance[i] = showWork(m)
	}
	for i, x := range runs {
		out.Runs[i] = runView(x)
		if k := equipment.KindAt(a.d.Catalogue, x.Position); k != nil {
			out.Runs[i].Kind = k.Name
		}
	}
	if in.Drill != "" {
		if err := a.countUse(ctx, runs, out.Runs); err != nil {
			return nil, err
		}
	}
	return answer(out), nil
}

// countUse fills in hours and metres of the newest runs.
func (a *API) countUse(ctx context.Context, runs []equipment.Run, to []partRun) error {
	parts, err := a.devices.PartsKnown(ctx)
	if err != nil {
		return err
	}
	now := a.d.Clock.Now().UnixNano()
	newest := make([]int, len(runs))
	for i := range newest {
		newest[i] = i
	}
	slices.SortStableFunc(newest, func(i, j int) int { return int(time.Duration(runs[j].From-runs[i].From) / time.Second) })
	hours, metres := map[string]float64{}, map[string]float64{}
	for _, p := range parts {
		hours[p.Serial], metres[p.Serial] = p.HoursBefore, p.MetresBefore
	}
	for _, i := range newest[:min(len(newest), maxCounted)] {
		x := &runs[i]
		k := equipment.KindAt(a.d.Catalogue, x.Position)
		if k == nil {
			continue
		}
		u, err := equipment.UseOf(ctx, a.d.Store, k, x.Drill, x.From, x.To, now)
		if err != nil {
			return err
		}
		to[i].Hours, to[i].Metres = view.Num(math.Round(u.Hours*10)/10), view.Num(math.Round(u.Metres*10)/10)
		hours[x.Serial] += u.Hours
		metres[x.Serial] += u.Metres
	}
	for i := range to {
		to[i].OnPart, to[i].MetresOn = view.Num(math.Round(hours[to[i].Serial]*10)/10), view.Num(math.Round(metres[to[i].Serial]*10)/10)
	}
	return nil
}

type station struct {
	At       view.Time `json:"at"`
	Depth    view.Num  `json:"depth" doc:"m along the hole"`
	Inc      view.Num  `json:"inclination"`
	Azi      view.Num  `json:"azimuth"`
	Toolface view.Num  `json:"toolface"`
	TVD      view.Num  `json:"tvd" doc:"m"`
	North    view.Num  `json:"north" doc:"m from the first survey"`
	East     view.Num  `json:"east"`
	DogLeg   view.Num  `json:"dogleg" doc:"degrees per 30 m"`
	Over     bool      `json:"over" doc:"beyond the drill's limit"`
}

func (a *API) trajectory(ctx context.Context, in *struct {
	DrillID
	From string `query:"from" doc:"RFC 3339, or a time ago as -72h; default: 30 days"`
	To   string `query:"to"`
}) (*body[struct {
	Stations []station `json:"stations" doc:"by depth"`
	Limit    float64   `json:"dogleg_limit" doc:"the drill's own, else that of the alarm rule; degrees per 30 m; 0: none"`
	Worst    view.Num  `json:"worst"`
}], error) {
	from, bad := a.moment("from", in.From, -30*24*time.Hour)
	if bad != nil {
		return nil, refuse(bad.Location, bad)
	}
	to, bad := a.moment("to", in.To, 0)
	if bad != nil {
		return nil, refuse(bad.Location, bad)
	}
	if to <= from {
		return nil, refuse("query.from", errors.New("must be before to"))
	}
	surveys, err := equipment.Surveys(ctx, a.d.Store, in.ID, from, to)
	if err != nil {
		return nil, err
	}
	set, err := a.devices.SettingOf(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if set.DogLegLimit == 0 {
		if set.DogLegLimit, err = a.bendLimit(ctx, in.ID); err != nil {
			return nil, err
		}
	}
	var out struct {
		Stations []station `json:"stations" doc:"by depth"`
		Limit    float64   `json:"dogleg_limit" doc:"the drill's own, else that of the alarm rule; degrees per 30 m; 0: none"`
		Worst    view.Num  `json:"worst"`
	}
	round := func(v float64) view.Num { return view.Num(math.Round(v*100) / 100) }
	out.Stations, out.Limit = []station{}, set.DogLegLimit
	worst := 0.0
	for _, s := range trajectory.Lay(surveys) {
		worst = max(worst, s.DogLeg)
		out.Stations = append(out.Stations, station{view.Time(s.At), round(s.Depth), round(s.Inc), round(s.Azi), round(s.Toolface), round(s.TVD), round(s.North), round(s.East), round(s.DogLeg),
			set.DogLegLimit > 0 && s.DogLeg > set.DogLegLimit})
	}
	out.Worst = round(worst)
	return answer(out), nil
}

// bendLimit is what the rules in force on DLS allow a drill; 0: there is none.
func (a *API) bendLimit(ctx context.Context, drill string) (limit float64, err error) {
	now, err := a.models.Rules(ctx)
	if err != nil {
		return 0, err
	}
	for i := range now.Rules.Rules {
		r := &now.Rules.Rules[i]
		if r.Signal == "DLS" && !r.Off && (now.Limits || r.Kind != alarms.Limit) && r.For(drill) && (limit == 0 || r.Limit < limit) {
			limit = r.Limit
		}
	}
	return limit, nil
}
