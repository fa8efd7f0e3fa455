package api

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mudpulse/mudpulse/services/api/people"
	"github.com/mudpulse/mudpulse/services/api/view"
	"github.com/mudpulse/mudpulse/services/equipment"
	"github.com/mudpulse/mudpulse/telemetry"
)

type deviceSession struct {
	ID        string    `json:"id"`
	Username  string    `json:"username"`
	Drill     string    `json:"drill"`
	Created   view.Time `json:"created"`
	By        string    `json:"by"`
	Known     bool      `json:"known" doc:"false: a session of a device that was revoked, or of another registry"`
	Gateway   string    `json:"gateway"`
	Connected bool      `json:"connected"`
	Since     view.Time `json:"since"`
	LastTS    view.Time `json:"last_ts" doc:"when it was last heard"`
	Remote    string    `json:"remote"`
	Skew      view.Num  `json:"skew_s" doc:"its clock minus the gateway's"`
	Messages  int64     `json:"messages"`
	Reason    string    `json:"reason" doc:"why it was refused or cut off"`
}

type deviceAdded struct {
	Username   string `json:"username"`
	Password   string `json:"password" doc:"told this once"`
	Topic      string `json:"topic"`
	ProtoTopic string `json:"proto_topic"`
	Example    string `json:"example"`
}

type deviceNames struct {
	Names map[string]telemetry.Name `json:"names" doc:"by what the device calls the reading: its channel, the unit it is sent in, factor and shift before that, or drop"`
}

func namesOf(d telemetry.Device) map[string]telemetry.Name {
	if d.Names == nil {
		return map[string]telemetry.Name{}
	}
	return d.Names
}

func showNames(d telemetry.Device) *document[deviceNames] {
	n := namesOf(d)
	return &document[deviceNames]{tagOf(n), deviceNames{n}}
}

// refuseNames answers with all that is wrong with them, each at its place.
func refuseNames(names map[string]telemetry.Name, cat *telemetry.Catalogue) error {
	err := equipment.CheckNames(names, cat)
	if err == nil {
		return nil
	}
	var all []error
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		at, text, _ := strings.Cut(e.Error(), ": ")
		all = append(all, &huma.ErrorDetail{Location: "body." + at, Message: text})
	}
	return huma.Error422UnprocessableEntity("the names are refused", all...)
}

func (a *API) registerDevices() {
	add(a, people.Viewer, http.MethodGet, "/devices", "list-devices", "Devices and their sessions", func(ctx context.Context, _ *struct{}) (*body[struct {
		Devices []deviceSession `json:"devices"`
	}], error) {
		all, err := a.deviceSessions(ctx)
		return answer(struct {
			Devices []deviceSession `json:"devices"`
		}{all}), err
	})
	add(a, people.Engineer, http.MethodPost, "/devices", "add-device", "Make a device that may publish for a drill; its password is told this once", a.addDevice, status(http.StatusCreated))
	add(a, people.Engineer, http.MethodDelete, "/devices/{id}", "revoke-device", "Take a device away; its session is cut", func(ctx context.Context, in *DrillID) (*struct{}, error) {
		remark(ctx, in.ID, "revoked")
		if err := a.devices.Revoke(ctx, in.ID); err != nil {
			return nil, err
		}
		a.cutOff(in.ID, "this device was revoked")
		return nil, nil
	}, status(http.StatusNoContent))
	add(a, people.Engineer, http.MethodPost, "/devices/{id}/password", "renew-password", "Give a device another password, told this once; its session is cut", func(ctx context.Context, in *DrillID) (*body[deviceAdded], error) {
		d, password, err := a.devices.Renew(ctx, in.ID, who(ctx).Name)
		if err != nil {
			return nil, err
		}
		remark(ctx, in.ID, "new password")
		a.cutOff(in.ID, "this device has a new password")
		return answer(a.given(d.ID, password, d.Drill)), nil
	})
	add(a, people.Viewer, http.MethodGet, "/devices/{id}/names", "get-device-names", "What a device calls its readings", func(_ context.Context, in *DrillID) (*document[deviceNames], error) {
		d, ok := a.devices.Device(in.ID)
		if !ok {
			return nil, huma.Error404NotFound(fmt.Sprintf("device %q is not known", in.ID))
		}
		return showNames(d), nil
	})
	add(a, people.Engineer, http.MethodPut, "/devices/{id}/names", "put-device-names", "Say what a device calls its readings, in the place of what was said before; refused with every problem at once", func(ctx context.Context, in *struct {
		DrillID
		Match
		Body deviceNames
	}) (*document[deviceNames], error) {
		a.writing.Lock()
		defer a.writing.Unlock()
		d, ok := a.devices.Device(in.ID)
		if !ok {
			return nil, huma.Error404NotFound(fmt.Sprintf("device %q is not known", in.ID))
		}
		if err := refuseNames(in.Body.Names, a.d.Catalogue); err != nil {
			return nil, err
		}
		remark(ctx, in.ID, fmt.Sprintf("%d names", len(in.Body.Names)))
		if err := in.unchanged("the names of "+in.ID, showNames(d).ETag, a.lastChange(ctx, "put-device-names", in.ID)); err != nil {
			return nil, err
		}
		d.Names = in.Body.Names
		return showNames(d), a.devices.SetNames(ctx, in.ID, in.Body.Names)
	}, unless)
	add(a, people.Operator, http.MethodPost, "/devices/{id}/try", "try-message", "What would become of a message of this device; nothing is kept", a.tryMessage)
}

// gateway of this process, nil where there is none.
func (a *API) gateway() Gateway {
	if a.d.Gateway == nil {
		return nil
	}
	return a.d.Gateway()
}

func (a *API) cutOff(device, reason string) {
	if g := a.gateway(); g != nil {
		g.Disconnect(device, reason)
	}
}

// deviceSessions joins the registry with what the gateways say.
func (a *API) deviceSessions(ctx context.Context) ([]deviceSession, error) {
	out := []deviceSession{}
	at := map[string]int{}
	for _, d := range a.devices.Devices() {
		at[d.ID] = len(out)
		out = append(out, deviceSession{ID: d.ID, Username: d.ID, Drill: d.Drill, Created: view.Time(d.Created), By: d.By, Known: true, Skew: view.Num(math.NaN())})
	}
	all, err := a.d.Store.Gateways(ctx)
	if err != nil {
		return nil, err
	}
	if g := a.gateway(); g != nil { // fresher than what it last wrote to the log
		own := g.Status()
		all = slices.DeleteFunc(all, func(x telemetry.GatewayStatus) bool { return x.Gateway == own.Gateway })
		all = append(all, own)
	}
	for _, g := range all {
		for _, s := range g.Sessions {
			i, ok := at[s.Device]
			if !ok {
				i = len(out)
				at[s.Device] = i
				out = append(out, deviceSession{ID: s.Device, Username: s.Device, Drill: s.Drill})
			}
			v := &out[i]
			if v.Gateway != "" && int64(v.LastTS) > s.LastSeen {
				continue // another gateway heard it later
			}
			v.Gateway, v.Connected, v.Since, v.LastTS, v.Remote = g.Gateway, s.Connected, view.Time(s.Since), view.Time(s.LastSeen), s.Remote
			v.Skew, v.Messages, v.Reason = view.Num(s.SkewS), s.Messages, s.Reason
		}
	}
	return out, nil
}

func (a *API) addDevice(ctx context.Context, in *struct {
	Body struct {
		Drill string `json:"drill" minLength:"1" maxLength:"64" example:"RIG-07"`
		ID    string `json:"id,omitempty" maxLength:"64" doc:"default: made up from the drill's"`
	}
}) (*body[deviceAdded], error) {
	var wrong []error
	if err := telemetry.ValidID(in.Body.Drill); err != nil {
		wrong = append(wrong, &huma.ErrorDetail{Location: "body.drill", Message: err.Error(), Value: in.Body.Drill})
	}
	if in.Body.ID != "" {
		if err := telemetry.ValidID(in.Body.ID); err != nil {
			wrong = append(wrong, &huma.ErrorDetail{Location: "body.id", Message: err.Error(), Value: in.Body.ID})
		}
	}
	if len(wrong) > 0 {
		return nil, huma.Error422UnprocessableEntity("the device is refused", wrong...)
	}
	name, password, err := a.devices.Add(ctx, in.Body.Drill, in.Body.ID, who(ctx).Name)
	if err != nil {
		return nil, err
	}
	remark(ctx, name, "for drill "+in.Body.Drill)
	return answer(a.given(name, password, in.Body.Drill)), nil
}

func (a *API) given(name, password, drill string) deviceAdded {
	topic := telemetry.MQTTTopic(drill)
	return deviceAdded{name, password, topic, telemetry.MQTTProtoTopic(drill), example(a.mqtt(), name, password, topic, a.d.Clock.Now().UnixMilli())}
}

// mqtt is where devices connect, as far as this process knows.
func (a *API) mqtt() string {
	if a.d.MQTT != nil {
		if addr := a.d.MQTT(); addr != "" {
			return addr
		}
	}
	return "localhost:1883"
}

// example is a line that can be pasted into a terminal.
func example(addr, name, password, topic string, now int64) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		host, port = addr, "1883"
	}
	frame := `{"boot":"try","seq":1,"ts":` + strconv.FormatInt(now, 10) + `,"channels":{"SPP":22.4}}`
	return fmt.Sprintf("mosquitto_pub -h %s -p %s -q 1 -u '%s' -P '%s' -t '%s' -m '%s'", host, port, name, password, topic, frame)
}
