package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mudpulse/mudpulse/gateway"
	"github.com/mudpulse/mudpulse/services/api/people"
	"github.com/mudpulse/mudpulse/services/api/view"
	"github.com/mudpulse/mudpulse/telemetry"
)

type quarantined struct {
	ID       string             `json:"id"`
	Gateway  string             `json:"gateway"`
	Drill    string             `json:"drill"`
	Device   string             `json:"device"`
	Topic    string             `json:"topic"`
	Received view.Time          `json:"received"`
	Code     string             `json:"code"`
	Field    string             `json:"field"`
	Message  string             `json:"message"`
	Cure     string             `json:"cure"`
	Frame    *telemetry.FrameID `json:"frame"`
	Raw      []byte             `json:"raw_base64" doc:"cut at 64 kB here"`
	RawText  string             `json:"raw_text" doc:"the beginning, where it is text"`
	Size     int                `json:"size" doc:"bytes, before any cut"`
	Driven   []driven           `json:"driven" doc:"when it was sent again, and by whom; oldest first"`
}

type driven struct {
	At view.Time `json:"at" doc:"wall time"`
	By string    `json:"by"`
}

func (a *API) registerQuarantine() {
	add(a, people.Viewer, http.MethodGet, "/quarantine", "list-quarantine", "Messages that were set aside, with reason and cure, newest first", a.quarantine)
	add(a, people.Engineer, http.MethodPost, "/quarantine/{id}/redrive", "redrive", "Send a message that was set aside again, mended or as it was", a.redrive, func(op *huma.Operation) {
		op.Errors = append(op.Errors, http.StatusUnprocessableEntity)
	})
}

func (a *API) quarantine(ctx context.Context, in *struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
	Before string `query:"before" doc:"only those received before; RFC 3339, or a time ago as -1h"`
}) (*body[struct {
	Items []quarantined `json:"items"`
	Total int64         `json:"total"`
}], error) {
	var before int64
	if in.Before != "" {
		var bad *huma.ErrorDetail
		if before, bad = a.moment("before", in.Before, 0); bad != nil {
			return nil, huma.Error422UnprocessableEntity("the query is refused", bad)
		}
	}
	items, total, err := a.d.Store.Quarantine(ctx, in.Limit, before)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(items))
	for i := range items {
		ids[i] = items[i].ID
	}
	sent, err := a.people.AllDriven(ctx, ids)
	if err != nil {
		return nil, err
	}
	var out struct {
		Items []quarantined `json:"items"`
		Total int64         `json:"total"`
	}
	out.Total, out.Items = total, make([]quarantined, len(items))
	for i, q := range items {
		raw := q.Raw[:min(len(q.Raw), 64<<10)]
		out.Items[i] = quarantined{q.ID, q.Gateway, q.Drill, q.Device, q.Topic, view.Time(q.Received), q.Code, q.Field, q.Message, q.Cure, q.Frame, raw, textOf(raw), q.RawSize, []driven{}}
		if raw == nil {
			out.Items[i].Raw = []byte{}
		}
		for _, d := range sent[q.ID] {
			out.Items[i].Driven = append(out.Items[i].Driven, driven{moment(d.At), d.By})
		}
	}
	return answer(out), nil
}

// textOf returns the first 2000 bytes where they are text people can read, else "".
func textOf(raw []byte) string {
	b := raw[:min(len(raw), 2000)]
	for len(b) > 0 && len(b) < len(raw) && !utf8.Valid(b) && len(b) > 1996 {
		b = b[:len(b)-1] // the cut went through a character
	}
	if !utf8.Valid(b) {
		return ""
	}
	for _, r := range string(b) {
		if r < ' ' && r != '\n' && r != '\r' && r != '\t' {
			return ""
		}
	}
	return string(b)
}

// An outcome is what became, or would become, of a message.
type outcome struct {
	Verdict  string         `json:"verdict" enum:"accepted,partial,quarantined,refused"`
	Frames   []frameOutcome `json:"frames"`
	Problems []setAside     `json:"problems"`
}

type frameOutcome struct {
	Drill    string           `json:"drill"`
	Device   string           `json:"device"`
	Boot     string           `json:"boot"`
	Seq      string           `json:"seq"`
	TS       view.Time        `json:"ts"`
	Origin   string           `json:"origin"`
	Flags    []string         `json:"flags"`
	Readings int              `json:"readings"`
	Dropped  int              `json:"dropped" doc:"samples that could not be read"`
	Channels []channelOutcome `json:"channels"`
}

type channelOutcome struct {
	Channel    string   `json:"channel"`
	Unit       string   `json:"unit"`
	Registered bool     `json:"registered"`
	Values     []string `json:"values" doc:"as they would be stored, at most 20"`
}

type setAside struct {
	Code    string `json:"code"`
	Field   string `json:"field"`
	Message string `json:"message"`
	Cure    string `json:"cure"`
}

func showOutcome(o gateway.Outcome) outcome {
	out := outcome{Verdict: o.Verdict, Frames: []frameOutcome{}, Problems: []setAside{}}
	for _, f := range o.Frames {
		v := frameOutcome{f.Drill, f.ID.Device, f.ID.Boot, fmt.Sprint(f.ID.Seq), view.Time(f.Time.UnixNano()), f.Origin, append([]string{}, f.Flags...), f.Readings, f.Dropped, []channelOutcome{}}
		for _, c := range f.Channels {
			v.Channels = append(v.Channels, channelOutcome{c.Channel, c.Unit, c.Registered, append([]string{}, c.Values[:min(len(c.Values), 20)]...)})
		}
		out.Frames = append(out.Frames, v)
	}
	for _, q := range o.Quarantined {
		out.Problems = append(out.Problems, setAside{q.Code, q.Field, q.Message, q.Cure})
	}
	return out
}

var errNoGateway = huma.Error503ServiceUnavailable("the gateways run elsewhere: this is done where the device connects")

func (a *API) tryMessage(ctx context.Context, in *struct {
	DrillID
	Body struct {
		Message string                    `json:"message,omitempty" maxLength:"200000" doc:"what the device would publish, as text; or give item"`
		Item    string                    `json:"item,omitempty" maxLength:"64" doc:"a message of this device in quarantine, with its bytes and topic"`
		Names   map[string]telemetry.Name `json:"names,omitempty" doc:"read it with these names, in the place of the device's own"`
	}
}) (*body[outcome], error) {
	g := a.gateway()
	if g == nil {
		return nil, errNoGateway
	}
	d, ok := a.devices.Device(in.ID)
	if !ok {
		return nil, huma.Error404NotFound(fmt.Sprintf("device %q is not known", in.ID))
	}
	topic, raw := telemetry.MQTTTopic(d.Drill), []byte(in.Body.Message)
	if (in.Body.Message == "") == (in.Body.Item == "") {
		return nil, refuse("body.message", errors.New("give a message, or the id of an item in quarantine"))
	}
	if in.Body.Item != "" {
		q, ok, err := a.d.Store.QuarantineItem(ctx, in.Body.Item)
		if err != nil {
			return nil, err
		}
		if !ok || q.Device != d.ID {
			return nil, huma.Error404NotFound(fmt.Sprintf("nothing of device %q is in quarantine under that id", d.ID))
		}
		topic, raw = q.Topic, q.Raw
	}
	if in.Body.Names != nil {
		if err := refuseNames(in.Body.Names, a.d.Catalogue); err != nil {
			return nil, err
		}
		d.Names = in.Body.Names
	}
	return answer(showOutcome(g.Try(d, topic, raw))), nil
}

// redrive sends what was set aside again. A run that a kept frame lacks goes as
// that frame's next part; what would be set aside again is refused.
func (a *API) redrive(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"64"`
	Body struct {
		Message string `json:"message,omitempty" maxLength:"200000" doc:"the message as mended; default: the bytes that were kept"`
	}
}) (*body[outcome], error) {
	g := a.gateway()
	if g == nil {
		return nil, errNoGateway
	}
	q, ok, err := a.d.Store.QuarantineItem(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, huma.Error404NotFound("nothing is in quarantine under that id")
	}
	d, ok := a.devices.Device(q.Device)
	if !ok {
		return nil, huma.Error409Conflict(fmt.Sprintf("device %q is not known any more, so nothing may come in from it; add it first", q.Device))
	}
	raw := q.Raw
	if in.Body.Message != "" {
		raw = []byte(in.Body.Message)
	} else if len(raw) < q.RawSize {
		return nil, huma.Error409Conflict("its bytes were cut when it was kept; send the whole message")
	}
	var opts []gateway.Option
	channel, of := strings.CutPrefix(q.Field, "channels.")
	if n, ok := d.Names[channel]; ok && of && n.Channel != "" { // it was set aside under the name that is mended since
		channel = n.Channel
	}
	sent, err := a.people.Driven(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if of && q.Frame != nil {
		opts = append(opts, gateway.AsPart(uint32(1+len(sent)), channel))
	}
	if q.Received < a.d.Clock.Now().Add(-10*time.Minute).UnixNano() {
		opts = append(opts, gateway.AsBackfill()) // of the past: it pages nobody
	}
	would := g.Try(d, q.Topic, raw)
	wrong := stillWrong(would, channel, of && q.Frame != nil)
	if len(wrong) > 0 {
		return nil, huma.Error422UnprocessableEntity("it would be set aside again; nothing was sent", wrong...)
	}
	if err := g.Accept(ctx, d, q.Topic, raw, opts...); err != nil {
		var no *gateway.Refused
		if errors.As(err, &no) {
			return nil, huma.Error422UnprocessableEntity("the gateway refuses it", &huma.ErrorDetail{Location: no.Problem.Field, Message: no.Problem.Error()})
		}
		return nil, err
	}
	if err := a.people.Drove(ctx, in.ID, who(ctx).Name); err != nil {
		return nil, err
	}
	remark(ctx, in.ID, fmt.Sprintf("%d bytes of %s again", len(raw), q.Device))
	return answer(showOutcome(would)), nil
}

// stillWrong lists what stands against a message that is sent again: all its
// problems, or where only one channel of it is wanted, those of that channel.
func stillWrong(o gateway.Outcome, channel string, part bool) []error {
	var out []error
	for _, p := range o.Quarantined {
		if !part || p.Field == "channels."+channel || len(o.Frames) == 0 {
			out = append(out, &huma.ErrorDetail{Location: p.Field, Message: p.Message + "; " + p.Cure})
		}
	}
	if part && len(out) == 0 {
		for _, f := range o.Frames {
			for _, c := range f.Channels {
				if c.Channel == channel {
					return nil
				}
			}
		}
		out = append(out, &huma.ErrorDetail{Location: "channels." + channel, Message: "the message does not hold the channel that was set aside"})
	}
	return out
}
