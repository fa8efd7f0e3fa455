package api

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mudpulse/mudpulse/scoring/feature"
	"github.com/mudpulse/mudpulse/services/api/people"
	"github.com/mudpulse/mudpulse/services/api/view"
	"github.com/mudpulse/mudpulse/telemetry"
)

// Waveform is a snapshot as a list shows it.
type Waveform struct {
	Channel string    `json:"channel"`
	What    string    `json:"what"`
	Unit    string    `json:"unit"`
	At      view.Time `json:"at" doc:"of its first sample; ask for its spectrum by it"`
	Rate    view.Num  `json:"rate_hz"`
	Samples int       `json:"samples"`
	Shaft   view.Num  `json:"shaft_rpm" doc:"null: not known"`
	Device  string    `json:"device"`
}

// spectrum is one snapshot taken apart.
type spectrum struct {
	Waveform
	Envelope  []float64    `json:"envelope_hz,omitempty" doc:"band whose envelope this is the spectrum of"`
	Step      view.Num     `json:"step_hz" doc:"between two lines of the transform"`
	Hz        []view.Num   `json:"hz" doc:"of the greatest line of each bucket"`
	Amplitude []view.Num   `json:"amplitude" doc:"its amplitude, in the channel's unit"`
	Lines     []defectLine `json:"lines" doc:"where defects of the parts in place would show; empty: no speed or no geometry is known"`
}

type defectLine struct {
	Name      string   `json:"name" enum:"shaft,bpfo,bpfi,bsf,ftf,mesh"`
	What      string   `json:"what"`
	Part      string   `json:"part" doc:"position:serial; empty: the shaft itself"`
	Order     view.Num `json:"order" doc:"turns of the shaft"`
	Hz        view.Num `json:"hz"`
	Amplitude view.Num `json:"amplitude" doc:"greatest within 2 % of it; null: beyond half the rate"`
	Height    view.Num `json:"height" doc:"of it over the median of the lines around it, as env is; null: beyond half the rate"`
}

// defects are what a part's numbers are called, in the order in which they are shown.
var defects = [][2]string{{"bpfo", "outer race"}, {"bpfi", "inner race"}, {"bsf", "rolling element"}, {"ftf", "cage"}, {"mesh", "gear mesh"}}

func (a *API) registerWaveforms() {
	add(a, people.Viewer, http.MethodGet, "/drills/{id}/waveforms", "list-waveforms", "Snapshots of vibration of a drill, newest first", a.listWaveforms)
	add(a, people.Viewer, http.MethodGet, "/drills/{id}/spectrum", "get-spectrum", "The spectrum of one snapshot, with the lines at which defects would show", a.getSpectrum)
}

func (a *API) listWaveforms(ctx context.Context, in *struct {
	DrillID
	From  string `query:"from" doc:"RFC 3339, or a time ago as -24h; default -168h"`
	To    string `query:"to" doc:"RFC 3339, or now; default now"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}) (*body[struct {
	Waveforms []Waveform `json:"waveforms"`
}], error) {
	from, bad := a.moment("from", in.From, -7*24*time.Hour)
	to, bad2 := a.moment("to", in.To, 0)
	for _, e := range []*huma.ErrorDetail{bad, bad2} {
		if e != nil {
			return nil, huma.Error422UnprocessableEntity("the query is refused", e)
		}
	}
	if _, ok := a.hub.Drill(in.ID); !ok {
		return nil, huma.Error404NotFound(fmt.Sprintf("drill %q has sent nothing yet and has no device", in.ID))
	}
	list, err := a.d.Store.Waveforms(ctx, in.ID, from, to, in.Limit)
	if err != nil {
		return nil, err
	}
	var out struct {
		Waveforms []Waveform `json:"waveforms"`
	}
	out.Waveforms = make([]Waveform, len(list))
	for i, w := range list {
		out.Waveforms[i] = a.waveform(w.Channel, w.TS, w.Every, w.Samples, w.Shaft, w.ID.Device)
	}
	return answer(out), nil
}

func (a *API) waveform(tag string, at, every int64, samples int, shaft float64, device string) Waveform {
	out := Waveform{Channel: tag, At: view.Time(at), Rate: view.Num(1e9 / float64(every)), Samples: samples, Shaft: view.Num(shaft), Device: device}
	if c := a.d.Catalogue.Get(tag); c != nil {
		out.What, out.Unit = c.What, c.Unit
	}
	return out
}

func (a *API) getSpectrum(ctx context.Context, in *struct {
	DrillID
	Channel string  `query:"channel" maxLength:"24" required:"true" example:"TDACC"`
	At      string  `query:"at" required:"true" doc:"of its first sample, RFC 3339, as the list says"`
	Low     float64 `query:"envelope_low" minimum:"0" maximum:"1000000" doc:"Hz; with envelope_high: of the envelope of that band, where hits of a spalled bearing show"`
	High    float64 `query:"envelope_high" minimum:"0" maximum:"1000000"`
	Top     float64 `query:"to" minimum:"0" maximum:"1000000" doc:"Hz: lines up to it, so that fewer share a bucket; default half the rate"`
	Points  int     `query:"points" minimum:"10" maximum:"32768" default:"1600"`
}) (*body[spectrum], error) {
	at, bad := a.moment("at", in.At, 0)
	if bad == nil && (in.Low != 0 || in.High != 0) && in.Low >= in.High {
		bad = &huma.ErrorDetail{Location: "query.envelope_low", Value: in.Low, Message: "must be below envelope_high"}
	}
	if bad != nil {
		return nil, huma.Error422UnprocessableEntity("the query is refused", bad)
	}
	w, samples, found, err := a.d.Store.Waveform(ctx, in.ID, in.Channel, at)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, huma.Error404NotFound(fmt.Sprintf("drill %q has no snapshot of %q at %s: list them first", in.ID, in.Channel, in.At))
	}
	if !feature.Waveform(samples, w.Every) {
		return nil, huma.Error422UnprocessableEntity(fmt.Sprintf("the snapshot has %d samples, or some are missing: %d to %d whole ones are taken apart", w.Samples, feature.LeastWave, feature.MostWave))
	}
	out := spectrum{Waveform: a.waveform(w.Channel, w.TS, w.Every, w.Samples, w.Shaft, w.ID.Device), Hz: []view.Num{}, Amplitude: []view.Num{}, Lines: []defectLine{}}
	s := feature.SpectrumOf(samples, w.Every)
	if in.High > 0 {
		s = feature.EnvelopeOf(samples, w.Every, in.Low, in.High)
		out.Envelope = []float64{in.Low, in.High}
	}
	out.Step = view.Num(s.Step)
	end := len(s.Lines)
	if in.Top > 0 {
		end = min(end, int(in.Top/s.Step)+1)
	}
	width := max(1, (end+in.Points-1)/in.Points)
	for k := 1; k < end; k += width {
		most := k
		for i := k; i < min(k+width, end); i++ {
			if s.Lines[i] > s.Lines[most] {
				most = i
			}
		}
		out.Hz, out.Amplitude = append(out.Hz, view.Num(float64(most)*s.Step)), append(out.Amplitude, view.Num(s.Lines[most]))
	}
	if !(w.Shaft > 0) {
		return answer(out), nil
	}
	line := func(name, what, part string, order float64) {
		l := defectLine{Name: name, What: what, Part: part, Order: view.Num(order), Hz: view.Num(order * w.Shaft / 60), Amplitude: view.Num(math.NaN()), Height: view.Num(s.Height(order * w.Shaft / 60))}
		at := order * w.Shaft / 60 / s.Step
		reach := max(2, 0.02*at)
		for k := max(1, int(math.Ceil(at-reach))); k <= int(at+reach) && k < len(s.Lines); k++ {
			if v := view.Num(s.Lines[k]); !(v <= l.Amplitude) {
				l.Amplitude = v
			}
		}
		out.Lines = append(out.Lines, l)
	}
	line("shaft", "shaft", "", 1)
	if c := a.d.Catalogue.Get(w.Channel); c != nil && c.Part != "" {
		if err := a.defectLines(ctx, in.ID, c, w.TS, line); err != nil {
			return nil, err
		}
	}
	return answer(out), nil
}

// defectLines calls line for what is known of the part that a channel listens to
// and of the machine it is in, as they were in place at a time. The machine's
// gears are heard wherever one listens.
func (a *API) defectLines(ctx context.Context, drill string, c *telemetry.Channel, at int64, line func(name, what, part string, order float64)) error {
	runs, err := a.devices.Runs(ctx, drill)
	if err != nil {
		return err
	}
	parts, err := a.devices.PartsKnown(ctx)
	if err != nil {
		return err
	}
	machine, _, _ := strings.Cut(c.Part, "/")
	for i := range runs {
		x := &runs[i]
		beside := x.Position != c.Part && x.Position != machine
		if beside && !strings.HasPrefix(x.Position, machine+"/") || x.From > at || x.To != 0 && x.To <= at {
			continue
		}
		for j := range parts {
			if parts[j].Serial != x.Serial {
				continue
			}
			numbers := parts[j].Numbers()
			for _, d := range defects {
				if v := numbers[d[0]]; v > 0 && (!beside || d[0] == "mesh") {
					line(d[0], d[1], x.Name(), v)
				}
			}
		}
	}
	return nil
}
