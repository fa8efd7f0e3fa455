package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mudpulse/mudpulse/services/alarmlife"
	"github.com/mudpulse/mudpulse/services/alarms"
	"github.com/mudpulse/mudpulse/services/api/people"
	"github.com/mudpulse/mudpulse/telemetry"
)

type commandOut struct {
	Command string `json:"command" doc:"its id; the live channel shows what it did"`
}

// AlarmID says which alarm.
type AlarmID struct {
	ID string `json:"id" minLength:"5" maxLength:"200" example:"RIG-07/washout/1795342364"`
}

func (a *API) registerAlarmCommands() {
	command(a, people.Operator, "/alarms/ack", "acknowledge", "Acknowledge an alarm, or all of its fault at its drill", a.ack)
	command(a, people.Operator, "/alarms/shelve", "shelve", "Set an alarm aside for a time, at most 12 h", a.shelve)
	command(a, people.Operator, "/alarms/unshelve", "unshelve", "Take an alarm off the shelf", a.unshelve)
	command(a, people.Operator, "/alarms/note", "note", "Write a note to an alarm", a.note)
	command(a, people.Operator, "/alarms/disposition", "judge", "Say whether an alarm was right", a.judge)
	command(a, people.Engineer, "/alarms/out-of-service", "take-out-of-service", "Take a rule out of service at a drill, until it is put back", a.takeOut)
	command(a, people.Engineer, "/alarms/in-service", "put-in-service", "Put a rule back in service at a drill", a.putBack)
}

func command[I any](a *API, role people.Role, path, id, summary string, handler func(context.Context, *I) (*body[commandOut], error)) {
	add(a, role, http.MethodPost, path, id, summary, handler, status(http.StatusAccepted), func(op *huma.Operation) {
		op.Errors = append(op.Errors, http.StatusNotFound)
	})
}

type ackIn struct {
	AlarmID
	Incident bool `json:"incident,omitempty" doc:"all unanswered alarms of its fault at its drill too"`
}

// AlarmRule says which rule at which drill.
type AlarmRule struct {
	Drill string `json:"drill" minLength:"1" maxLength:"64" example:"RIG-07"`
	Rule  string `json:"rule" minLength:"1" maxLength:"48" example:"mud-temperature"`
}

type outIn struct {
	AlarmRule
	Reason string `json:"reason" minLength:"1" maxLength:"500"`
}

type shelveIn struct {
	AlarmID
	Until  string  `json:"until,omitempty" doc:"RFC 3339; or give hours"`
	Hours  float64 `json:"hours,omitempty" minimum:"0" maximum:"12"`
	Reason string  `json:"reason" minLength:"1" maxLength:"500"`
}

type noteIn struct {
	AlarmID
	Text string `json:"text" minLength:"1" maxLength:"2000"`
}

type dispositionIn struct {
	AlarmID
	Value string `json:"value" enum:"right,wrong,unsure"`
	Text  string `json:"text,omitempty" maxLength:"2000"`
}

func (a *API) ack(ctx context.Context, in *struct{ Body ackIn }) (*body[commandOut], error) {
	al, err := a.find(ctx, in.Body.ID)
	if err != nil {
		return nil, err
	}
	out, err := a.command(ctx, al, telemetry.Command{Kind: alarmlife.CommandAck})
	if err != nil || !in.Body.Incident {
		return out, err
	}
	for _, other := range a.hub.Book().All(func(x *alarmlife.Alarm) bool {
		return x.ID != al.ID && x.Drill == al.Drill && cmp.Or(x.Incident, x.ID) == cmp.Or(al.Incident, al.ID) && (x.Status == alarmlife.Unack || x.Status == alarmlife.RtnUnack)
	}) {
		if _, err := a.command(ctx, other, telemetry.Command{Kind: alarmlife.CommandAck}); err != nil && status409(err) {
			continue // somebody was faster
		} else if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (a *API) shelve(ctx context.Context, in *struct{ Body shelveIn }) (*body[commandOut], error) {
	al, err := a.find(ctx, in.Body.ID)
	if err != nil {
		return nil, err
	}
	now := a.d.Clock.Now()
	until := now.Add(time.Duration(in.Body.Hours * float64(time.Hour)))
	if in.Body.Until != "" {
		if until, err = time.Parse(time.RFC3339Nano, in.Body.Until); err != nil {
			return nil, refuse("body.until", fmt.Errorf("want RFC 3339 (2026-11-22T06:00:00Z), not %q", in.Body.Until))
		}
	}
	if !until.After(now) || until.Sub(now) > alarmlife.MaxShelve {
		return nil, refuse("body.until", fmt.Errorf("an alarm is shelved for up to %v from now; give hours, or until", alarmlife.MaxShelve))
	}
	return a.command(ctx, al, telemetry.Command{Kind: alarmlife.CommandShelve, Until: until.UnixNano(), Text: in.Body.Reason})
}

func (a *API) unshelve(ctx context.Context, in *struct{ Body AlarmID }) (*body[commandOut], error) {
	al, err := a.find(ctx, in.Body.ID)
	if err != nil {
		return nil, err
	}
	return a.command(ctx, al, telemetry.Command{Kind: alarmlife.CommandUnshelve})
}

func (a *API) note(ctx context.Context, in *struct{ Body noteIn }) (*body[commandOut], error) {
	al, err := a.find(ctx, in.Body.ID)
	if err != nil {
		return nil, err
	}
	return a.command(ctx, al, telemetry.Command{Kind: alarmlife.CommandNote, Text: in.Body.Text})
}

func (a *API) judge(ctx context.Context, in *struct{ Body dispositionIn }) (*body[commandOut], error) {
	al, err := a.find(ctx, in.Body.ID)
	if err != nil {
		return nil, err
	}
	return a.command(ctx, al, telemetry.Command{Kind: alarmlife.CommandDisposition, Value: in.Body.Value, Text: in.Body.Text})
}

func (a *API) takeOut(ctx context.Context, in *struct{ Body outIn }) (*body[commandOut], error) {
	al, err := a.rule(ctx, in.Body.AlarmRule)
	if err != nil {
		return nil, err
	}
	return a.command(ctx, al, telemetry.Command{Kind: alarmlife.CommandTakeOut, Text: in.Body.Reason})
}

func (a *API) putBack(ctx context.Context, in *struct{ Body AlarmRule }) (*body[commandOut], error) {
	al := &alarmlife.Alarm{AlarmEvent: telemetry.AlarmEvent{ID: alarmlife.RuleID(in.Body.Drill, in.Body.Rule), Drill: in.Body.Drill}}
	if _, _, _, err := alarmlife.ParseID(al.ID); err != nil {
		return nil, refuse("body.rule", err)
	}
	return a.command(ctx, al, telemetry.Command{Kind: alarmlife.CommandPutBack}) // of a rule that is gone meanwhile too
}

// rule finds a rule in force, and stands for it in place of an alarm.
func (a *API) rule(ctx context.Context, in AlarmRule) (*alarmlife.Alarm, error) {
	set, err := a.models.Rules(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(set.Rules.Rules, func(r alarms.Rule) bool { return r.ID == in.Rule }) {
		return nil, huma.Error404NotFound(fmt.Sprintf("there is no rule %q; GET /rules lists them", in.Rule))
	}
	if _, ok := a.hub.Drill(in.Drill); !ok {
		return nil, huma.Error404NotFound(fmt.Sprintf("drill %q has sent nothing yet and has no device", in.Drill))
	}
	return &alarmlife.Alarm{AlarmEvent: telemetry.AlarmEvent{ID: alarmlife.RuleID(in.Drill, in.Rule), Drill: in.Drill}}, nil
}

func status409(err error) bool {
	var s huma.StatusError
	return errors.As(err, &s) && s.GetStatus() == http.StatusConflict
}

// command fills in who, when and what was seen, and writes it to the log; it has
// taken effect when it comes back from there. What the alarm's state does not
// allow is refused here, and once more where the log is read.
func (a *API) command(ctx context.Context, al *alarmlife.Alarm, c telemetry.Command) (*body[commandOut], error) {
	c.ID, c.Drill, c.Alarm, c.By, c.At = rand.Text(), al.Drill, al.ID, who(ctx).Name, a.d.Clock.Now().UnixNano()
	c.Detail = asJSON(alarmlife.Seen{Priority: al.Priority, At: al.Changed})
	remark(ctx, al.ID, cmp.Or(c.Text, c.Value))
	book := a.hub.Book()
	why := ""
	if _, ok := book.Get(al.ID); ok || al.Raised == 0 {
		why = book.Refuses(c)
	} else if c.Kind == alarmlife.CommandAck || c.Kind == alarmlife.CommandShelve { // so old that only the store has it
		why = "it is over"
	}
	if why != "" {
		return nil, huma.Error409Conflict("this is refused: " + why)
	}
	if err := a.send(ctx, c); err != nil {
		return nil, err
	}
	return answer(commandOut{c.ID}), nil
}
