package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mudpulse/mudpulse/services/alarmlife"
	"github.com/mudpulse/mudpulse/services/api/live"
	"github.com/mudpulse/mudpulse/services/api/people"
	"github.com/mudpulse/mudpulse/services/api/view"
	"github.com/mudpulse/mudpulse/services/equipment"
	"github.com/mudpulse/mudpulse/storage"
	"github.com/mudpulse/mudpulse/telemetry"
)

type tally struct {
	P1      int `json:"p1" doc:"that stand, by priority"`
	P2      int `json:"p2"`
	P3      int `json:"p3"`
	Unacked int `json:"unacked"`
}

// Drill is one drill as a list shows it. Embedded, it must be exported: its fields would miss in the description.
type Drill struct {
	ID         string           `json:"id"`
	Name       string           `json:"name"`
	Field      string           `json:"field"`
	Contractor string           `json:"contractor"`
	State      string           `json:"state"`
	StateSince view.Time        `json:"state_since"`
	Depth      view.Num         `json:"depth" doc:"of the bit, m"`
	HoleDepth  view.Num         `json:"hole_depth" doc:"m"`
	Health     view.Num         `json:"health" doc:"0 to 100, the worst subsystem's; null: unknown"`
	Confidence view.Num         `json:"confidence" doc:"0 to 1, by quality of data"`
	Change     view.Num         `json:"health_change_per_day"`
	Week       []view.Num       `json:"health_7d" doc:"a value per 2 h, the last is now; null: unknown"`
	Subsystems []view.Subsystem `json:"subsystems"`
	Reasons    []view.Reason    `json:"reasons"`
	TimeLeft   *view.TimeLeft   `json:"time_left" doc:"h"`
	Alarms     tally            `json:"alarms"`
	TopAlarm   *view.Alarm      `json:"top_alarm"`
	LastTS     view.Time        `json:"last_ts"`
	Tick       view.Time        `json:"score_tick" doc:"second that was scored last: how old health, state and reasons are"`
	Age        view.Num         `json:"age_s" doc:"of its newest reading, s of wall time"`
	Simulated  bool             `json:"simulated"`
	Bit        float64          `json:"bit_diameter_m,omitempty"`
}

// drillDetail is one drill whole.
type drillDetail struct {
	Drill
	Runs    []string        `json:"runs" doc:"parts in place at that second, by position"`
	Results []view.Result   `json:"results"`
	Devices []deviceSession `json:"devices"`
	Active  []view.Alarm    `json:"active_alarms" doc:"worst first"`
}

type seriesOut struct {
	Drill   string     `json:"drill"`
	From    view.Time  `json:"from"`
	To      view.Time  `json:"to"`
	Clock   view.Time  `json:"clock"`
	KnownAt view.Time  `json:"known_at" doc:"null: as corrected"`
	Series  []seriesOf `json:"series"`
}

// seriesOf is one channel in columns; t is ms since the epoch.
type seriesOf struct {
	Channel    string      `json:"channel"`
	Unit       string      `json:"unit"`
	T          []view.Num  `json:"t" doc:"ms since the epoch, of the first sample of each bucket"`
	Min        []view.Num  `json:"min"`
	Max        []view.Num  `json:"max"`
	Last       []view.Num  `json:"last"`
	N          []int64     `json:"n" doc:"samples in the bucket"`
	Gaps       [][2]uint64 `json:"gaps" doc:"from and to, ms since the epoch"`
	Resolution string      `json:"resolution" doc:"raw, or width of a bucket"`
}

func (a *API) registerDrills() {
	add(a, people.Viewer, http.MethodGet, "/drills", "list-drills", "All drills as they stand now, by name", func(_ context.Context, in *struct {
		After string `query:"after" maxLength:"64" doc:"a drill: only those after it"`
		Limit int    `query:"limit" minimum:"1" maximum:"10000" doc:"default: all; a page that stays quick asks for hundreds at a time"`
	}) (*body[struct {
		Drills []Drill `json:"drills"`
	}], error) {
		all := a.hub.DrillsAfter(in.After, cmp.Or(in.Limit, math.MaxInt))
		var out struct {
			Drills []Drill `json:"drills"`
		}
		out.Drills = make([]Drill, len(all))
		for i, n := range all {
			out.Drills[i] = a.drill(n)
		}
		return answer(out), nil
	})
	add(a, people.Viewer, http.MethodGet, "/drills/{id}", "get-drill", "One drill, with what every model says of it", a.getDrill)
	add(a, people.Engineer, http.MethodPut, "/drills/{id}", "put-drill", "Describe a drill: field, contractor, bit", func(ctx context.Context, in *struct {
		DrillID
		Body struct {
			Name       string  `json:"name,omitempty" maxLength:"120"`
			Field      string  `json:"field,omitempty" maxLength:"120"`
			Contractor string  `json:"contractor,omitempty" maxLength:"120"`
			Bit        float64 `json:"bit_diameter_m,omitempty" minimum:"0" maximum:"2"`
		}
	}) (*struct{}, error) {
		remark(ctx, in.ID, fmt.Sprintf("%+v", in.Body))
		return nil, a.devices.PutDrill(ctx, equipment.Drill{ID: in.ID, Name: in.Body.Name, Field: in.Body.Field, Contractor: in.Body.Contractor, BitDiameterM: in.Body.Bit})
	}, status(http.StatusNoContent))
	add(a, people.Viewer, http.MethodGet, "/drills/{id}/series", "get-series", "Channels of one drill over a time, in at most so many points; none of the extremes is lost", a.getSeries)
	add(a, people.Viewer, http.MethodGet, "/drills/{id}/series.csv", "export-series", "The same as a table", a.seriesCSV, asTable)
}

// seriesCSV is getSeries as a table: a row a channel and bucket, unknown is empty.
func (a *API) seriesCSV(ctx context.Context, in *seriesIn) (*table, error) {
	got, err := a.getSeries(ctx, in)
	if err != nil {
		return nil, err
	}
	rows := [][]string{{"channel", "unit", "time", "min", "max", "last", "n"}}
	for _, s := range got.Body.Series {
		for i, t := range s.T {
			n := ""
			if i < len(s.N) {
				n = strconv.FormatInt(s.N[i], 10)
			}
			rows = append(rows, []string{s.Channel, s.Unit, time.UnixMilli(int64(t)).UTC().Format("2006-01-02T15:04:05.000Z"), cell(s.Min[i]), cell(s.Max[i]), cell(s.Last[i]), n})
		}
	}
	return csvOf(in.ID+".csv", rows)
}

func (a *API) drill(n live.Now) Drill {
	about := a.devices.Drill(n.ID)
	d := Drill{
		ID: n.ID, Name: about.Name, Field: about.Field, Contractor: about.Contractor, Bit: about.BitDiameterM, State: telemetry.StateUnknown,
		Depth: view.Num(n.Depth), HoleDepth: view.Num(n.Hole), Health: view.Num(math.NaN()), Change: view.Num(math.Round(n.Change*100) / 100),
		Subsystems: view.Subsystems(n.Score), Reasons: view.Reasons(n.Score, a.d.Catalogue, n.Standing, a.cfg.TellFrom), TimeLeft: view.Left(n.Score),
		LastTS: view.Time(n.Last), Age: view.Num(n.Age), Simulated: n.Sim, Week: make([]view.Num, storage.HealthBuckets),
	}
	for i := range d.Week {
		d.Week[i] = view.Num(math.NaN())
		if i < len(n.Week) {
			d.Week[i] = view.Num(n.Week[i])
		}
	}
	if s := n.Score; s != nil {
		d.State, d.StateSince, d.Health, d.Confidence = s.State, view.Time(s.StateSince), view.Num(s.Health), view.Num(s.Confidence)
		d.Tick = view.Time(s.Tick)
	}
	for _, al := range n.Standing {
		if !al.Standing() {
			continue
		}
		if d.TopAlarm == nil {
			top := view.AlarmOf(al)
			d.TopAlarm = &top
		}
		switch al.Priority {
		case telemetry.P1:
			d.Alarms.P1++
		case telemetry.P2:
			d.Alarms.P2++
		default:
			d.Alarms.P3++
		}
		if al.Status != alarmlife.Ack {
			d.Alarms.Unacked++
		}
	}
	return d
}

func (a *API) getDrill(ctx context.Context, in *struct {
	DrillID
	At string `query:"at" doc:"RFC 3339, or a time ago as -3h: as it was scored then, by all that is known of then now; who stood in alarm is among the alarms. Default: now"`
}) (*body[drillDetail], error) {
	n, ok := a.hub.Drill(in.ID)
	if !ok {
		return nil, huma.Error404NotFound(fmt.Sprintf("drill %q has sent nothing yet and has no device", in.ID))
	}
	if in.At != "" {
		at, bad := a.moment("at", in.At, 0)
		if bad != nil {
			return nil, huma.Error422UnprocessableEntity("the query is refused", bad)
		}
		var err error
		if n, err = a.then(ctx, n, at); err != nil {
			return nil, err
		}
	}
	d := drillDetail{Drill: a.drill(n), Results: view.Results(n.Score, a.sha), Devices: []deviceSession{}, Active: view.AlarmsOf(n.Standing)}
	d.Runs = []string{}
	if n.Score != nil {
		d.Runs = append(d.Runs, n.Score.Runs...)
	}
	if in.At != "" {
		return answer(d), nil
	}
	all, err := a.deviceSessions(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if s.Drill == in.ID {
			d.Devices = append(d.Devices, s)
		}
	}
	return answer(d), nil
}

// scoreReach is how old the last score before a moment may be to count as of then:
// history and imports are a minute apart.
const scoreReach = 15 * time.Minute

// then is a drill as it was last scored before a moment. Depth and alarms are
// asked for by themselves.
func (a *API) then(ctx context.Context, n live.Now, at int64) (live.Now, error) {
	out := live.Now{ID: n.ID, Age: math.NaN(), Depth: math.NaN(), Hole: math.NaN(), Change: math.NaN(), Sim: n.Sim}
	for _, reach := range []time.Duration{time.Minute, scoreReach} {
		scores, err := a.d.Store.Scores(ctx, n.ID, at-int64(reach), at+1, 0)
		if err != nil {
			return out, err
		}
		if len(scores) > 0 {
			out.Score = &scores[len(scores)-1]
			out.Last = out.Score.Tick
			break
		}
	}
	return out, nil
}

// seriesIn asks for channels over a time.
type seriesIn struct {
	DrillID
	Channels []string `query:"channels" required:"true" minItems:"1" maxItems:"64" doc:"tags, health, health.SUBSYSTEM, confidence, state, or MODEL.OUTPUT" example:"SPP,WOB"`
	From     string   `query:"from" doc:"RFC 3339, or a time ago as -1h; default -1h"`
	To       string   `query:"to" doc:"RFC 3339, or now; default now"`
	Points   int      `query:"points" minimum:"10" maximum:"5000" default:"600"`
	KnownAt  string   `query:"known_at" doc:"as known then: what had come by that time, of each second the score that stood last; RFC 3339, or a time ago as -1h; default: as corrected, all that is known now"`
	Method   string   `query:"method" enum:"m4,lttb" default:"m4" doc:"m4: of each bucket the least, greatest and last value; lttb: single samples that keep the line's shape, each bucket's least and greatest among them"`
}

func (a *API) getSeries(ctx context.Context, in *seriesIn) (*body[seriesOut], error) {
	var wrong []error
	from, bad := a.moment("from", in.From, -time.Hour)
	if bad != nil {
		wrong = append(wrong, bad)
	}
	to, bad := a.moment("to", in.To, 0)
	if bad != nil {
		wrong = append(wrong, bad)
	}
	if len(wrong) == 0 && from >= to {
		wrong = append(wrong, &huma.ErrorDetail{Location: "query.from", Value: in.From, Message: "must be before to"})
	}
	var known int64
	if in.KnownAt != "" {
		if known, bad = a.moment("known_at", in.KnownAt, 0); bad != nil {
			wrong = append(wrong, bad)
		}
	}
	for _, c := range in.Channels {
		if c == "" || len(c) > 128 {
			wrong = append(wrong, &huma.ErrorDetail{Location: "query.channels", Value: c, Message: "is no channel"})
		}
	}
	if _, ok := a.hub.Drill(in.ID); !ok {
		return nil, huma.Error404NotFound(fmt.Sprintf("drill %q has sent nothing yet and has no device", in.ID))
	}
	if len(wrong) > 0 {
		return nil, huma.Error422UnprocessableEntity("the query is refused", wrong...)
	}
	points := in.Points
	if in.Method == "lttb" {
		points = storage.LTTBPoints(points)
	}
	// An output that no model has given yet is empty; a channel nobody knows is a mistake.
	ask, found := in.Channels, []storage.Series(nil)
	for len(ask) > 0 {
		var err error
		var unknown *storage.UnknownChannel
		found, err = a.d.Store.Series(ctx, storage.SeriesQuery{Drill: in.ID, Channels: ask, From: from, To: to, Points: points, KnownAt: known})
		if err == nil {
			break
		}
		if !errors.As(err, &unknown) {
			return nil, err
		}
		if !strings.Contains(unknown.Channel, ".") {
			wrong = append(wrong, &huma.ErrorDetail{Location: "query.channels", Value: unknown.Channel, Message: err.Error()})
		}
		ask = without(ask, unknown.Channel)
		found = nil
	}
	if len(wrong) > 0 {
		return nil, huma.Error422UnprocessableEntity("the query is refused", wrong...)
	}
	out := seriesOut{Drill: in.ID, From: view.Time(from), To: view.Time(to), Clock: view.Time(a.d.Clock.Now().UnixNano()), KnownAt: view.Time(known), Series: []seriesOf{}}
	for _, c := range in.Channels {
		s := storage.Series{Channel: c}
		for i := range found {
			if found[i].Channel == c {
				s = found[i]
			}
		}
		if in.Method == "lttb" {
			s = s.LTTB(in.Points)
		}
		out.Series = append(out.Series, a.columns(s))
	}
	return answer(out), nil
}

func without(list []string, s string) []string {
	var out []string
	for _, x := range list {
		if x != s {
			out = append(out, x)
		}
	}
	return out
}

func (a *API) columns(s storage.Series) seriesOf {
	out := seriesOf{Channel: s.Channel, Unit: a.unitOf(s.Channel), Resolution: "raw", Gaps: [][2]uint64{},
		T: make([]view.Num, len(s.T)), Min: nums(s.Min), Max: nums(s.Max), Last: nums(s.Last), N: s.N}
	if out.N == nil {
		out.N = []int64{}
	}
	for i, t := range s.T {
		out.T[i] = view.Num(float64(t) / 1e6)
	}
	for _, g := range s.Gaps {
		out.Gaps = append(out.Gaps, [2]uint64{uint64(g[0] / 1e6), uint64(g[1] / 1e6)})
	}
	if !s.Raw && s.Width > 0 {
		out.Resolution = time.Duration(s.Width).String()
	}
	return out
}

func (a *API) unitOf(channel string) string {
	if ch := a.d.Catalogue.Get(channel); ch != nil {
		return ch.Unit
	}
	return ""
}

func nums(v []float64) []view.Num {
	out := make([]view.Num, len(v))
	for i, x := range v {
		out[i] = view.Num(x)
	}
	return out
}
